/* SPDX-License-Identifier: MIT */
/* One subscription: a receiver of its topic's broadcast channel, a future that waits for the next post,
 * and the waker that it waits with. */
#include <errno.h>
#include <string.h>

#include "internal/waiter.h"
#include "subscriber_internal.h"

/* About what a subscription takes, with a topic of its own, but for the name and the pattern. */
enum { COST = 2048 };

static struct subscription *subscription_of(struct edo_waker *waker)
{
    return edo_container_of(waker, struct subscription, waker);
}

/* Its channel has got a post, the last one that there is. */
static void become_ready(struct subscription *self)
{
    struct subscriber *subscriber = self->subscriber;
    if (self->ready)
        return;
    self->ready = true;
    self->number = subscriber->pubsub->number;
    subscriber->ready[subscriber->ready_count++] = self;
}

static void subscription_wake(struct edo_waker *waker)
{
    struct subscription *self = subscription_of(waker);
    become_ready(self);
    if (self->subscriber->waker != NULL)
        edo_waker_fire(&self->subscriber->waker);
}

/* The first half is ours; the second, which is the client's task's. */
static struct edo_waker *subscription_claim(struct edo_waker *waker)
{
    struct subscription *self = subscription_of(waker);
    struct edo_waker *client = self->subscriber->waker;
    become_ready(self);
    self->subscriber->waker = NULL;
    return client != NULL ? edo_waker_claim(client) : NULL;
}

/* It is kept by `recv` only, which does not outlive it. */
static struct edo_waker *subscription_clone(struct edo_waker *waker)
{
    return waker;
}

static void subscription_unclone(struct edo_waker *waker)
{
    (void)waker;
}

static const struct edo_waker_ops subscription_waker = {
    .wake = subscription_wake,
    .clone = subscription_clone,
    .drop = subscription_unclone,
    .claim = subscription_claim,
    .finish = edo_waker_finish,
};

bool subscription_receive(struct subscription *self)
{
    if (self->received)
        return true;
    struct edo_context cx;
    edo_context_init(&cx, &self->waker);
    cx.budget = EDO_UNCONSTRAINED;
    if (edo_future_poll(&self->recv.future_, &cx) == EDO_PENDING)
        return false;
    edo_assert(self->recv.output == 0); /* publishers see to it that nobody lags */
    self->recv = edo_broadcast_recv(self->rx, &self->post);
    self->number = self->post.number;
    return self->received = true;
}

/* By whom, and to what: where a subscription is found. */
struct key {
    const struct subscriber *subscriber;
    const struct topic *topic;
};

static struct store_text key_text(const struct key *key)
{
    return (struct store_text){(const char *)key, sizeof *key};
}

struct subscription *subscription_find(const struct subscriber *subscriber, enum pubsub_kind kind,
                                       struct store_text name)
{
    struct pubsub *pubsub = subscriber->pubsub;
    struct key key = {subscriber, topic_find(pubsub, kind, name)};
    struct store_text found;
    struct subscription *self = NULL;
    if (key.topic != NULL && store_get(&pubsub->subscriptions, 0, key_text(&key), &found))
        memcpy(&self, found.data, sizeof self);
    return self;
}

static size_t cost(const struct topic *topic)
{
    return COST + topic->length + (topic->glob != NULL ? glob_size(topic->glob) : 0);
}

/* So that there is room in the heap for all. */
static int reserve_ready(struct subscriber *self)
{
    if (subscriber_count(self) < self->ready_capacity)
        return 0;
    size_t capacity = self->ready_capacity == 0 ? 4 : self->ready_capacity * 2;
    struct subscription **ready = edo_realloc(self->ready, capacity * sizeof *ready);
    if (ready == NULL)
        return -ENOMEM;
    self->ready = ready;
    self->ready_capacity = capacity;
    return 0;
}

/* Joins the topic, and is found from now on. */
static int enter(struct subscription *self, enum pubsub_kind kind, struct store_text name)
{
    struct pubsub *pubsub = self->subscriber->pubsub;
    int error = topic_join(pubsub, kind, name, &self->topic, &self->rx);
    if (error < 0)
        return error;
    struct key key = {self->subscriber, self->topic};
    if (store_set(&pubsub->subscriptions, 0, key_text(&key),
                  (struct store_text){(const char *)&self, sizeof self}, STORE_NEVER, 0) < 0) {
        topic_leave(self->topic, self->rx);
        return -ENOMEM;
    }
    return 0;
}

int subscription_begin(struct subscriber *subscriber, enum pubsub_kind kind, struct store_text name)
{
    struct subscriptions *of = &subscriber->of[kind];
    struct subscription *self = edo_malloc(sizeof *self);
    if (self == NULL)
        return -ENOMEM;
    *self = (struct subscription){.waker = {&subscription_waker}, .subscriber = subscriber};
    int error = reserve_ready(subscriber);
    if (error == 0)
        error = enter(self, kind, name);
    if (error < 0) {
        edo_free(self);
        return error;
    }
    edo_list_push_back(&of->list, &self->node);
    of->count++;
    of->name_bytes += self->topic->length;
    subscriber->size += cost(self->topic);
    self->recv = edo_broadcast_recv(self->rx, &self->post);
    (void)subscription_receive(self); /* nothing is there: it is waited for */
    return 0;
}

void subscription_end(struct subscription *self)
{
    struct subscriber *subscriber = self->subscriber;
    struct subscriptions *of = &subscriber->of[self->topic->kind];
    struct edo_context cx;
    edo_context_init(&cx, &self->waker);
    edo_future_drop(&self->recv.future_, &cx);
    if (self->received)
        message_unref(self->post.message);
    struct key key = {subscriber, self->topic};
    store_delete(&subscriber->pubsub->subscriptions, 0, key_text(&key));
    subscriber->size -= cost(self->topic);
    of->count--;
    of->name_bytes -= self->topic->length;
    edo_list_remove(&self->node);
    topic_leave(self->topic, self->rx);
    edo_free(self);
}
