/* SPDX-License-Identifier: MIT */
/* One subscription: a receiver of its topic's broadcast channel, and whether its client knows that there is
 * something in it. */
#include <errno.h>
#include <string.h>

#include "subscriber_internal.h"

/* About what a subscription takes, with a topic of its own, but for the name and the pattern. */
enum { COST = 2048 };

/* On the publisher's thread. */
static void told(struct listener *listener, uint64_t number, size_t size)
{
    struct subscription *self = edo_container_of(listener, struct subscription, listener);
    struct subscriber *subscriber = self->subscriber;
    bool first = false;
    *subscriber->waits += (int64_t)size;
    pthread_mutex_lock(&subscriber->mutex);
    if (!self->known) {
        first = edo_list_empty(&subscriber->arrivals);
        self->known = true;
        self->number = number;
        edo_list_push_back(&subscriber->arrivals, &self->arrival);
    }
    pthread_mutex_unlock(&subscriber->mutex);
    if (first)
        edo_notify_one(&subscriber->told);
}

static int receive(struct subscription *self)
{
    uint64_t lagged;
    int r = edo_broadcast_try_recv(self->listener.rx, &self->post, &lagged);
    edo_assert(r == 0 || r == -EAGAIN); /* publishers see to it that nobody lags */
    return r;
}

bool subscription_receive(struct subscription *self)
{
    int r = receive(self);
    if (r < 0) {
        pthread_mutex_lock(&self->subscriber->mutex);
        r = receive(self);
        self->known = r == 0;
        pthread_mutex_unlock(&self->subscriber->mutex);
    }
    if (r < 0)
        return false;
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
    int error = topic_join(pubsub, kind, name, &self->listener);
    if (error < 0)
        return error;
    struct key key = {self->subscriber, self->listener.topic};
    if (store_set(&pubsub->subscriptions, 0, key_text(&key),
                  (struct store_text){(const char *)&self, sizeof self}, STORE_NEVER, 0) < 0) {
        topic_leave(&self->listener);
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
    *self = (struct subscription){.listener = {.told = told}, .subscriber = subscriber};
    int error = reserve_ready(subscriber);
    if (error == 0)
        error = enter(self, kind, name);
    if (error < 0) {
        edo_free(self);
        return error;
    }
    edo_list_push_back(&of->list, &self->node);
    of->count++;
    of->name_bytes += self->listener.topic->length;
    subscriber->size += cost(self->listener.topic);
    return 0;
}

void subscription_end(struct subscription *self)
{
    struct subscriber *subscriber = self->subscriber;
    const struct topic *topic = self->listener.topic;
    struct subscriptions *of = &subscriber->of[topic->kind];
    struct key key = {subscriber, topic};
    store_delete(&subscriber->pubsub->subscriptions, 0, key_text(&key));
    subscriber->size -= cost(topic);
    of->count--;
    of->name_bytes -= topic->length;
    edo_list_remove(&self->node);
    topic_leave(&self->listener); /* it is told of nothing from now on */
    pthread_mutex_lock(&subscriber->mutex);
    edo_list_remove(&self->arrival);
    pthread_mutex_unlock(&subscriber->mutex);
    if (self->received)
        message_unref(self->post.message);
    edo_free(self);
}
