/* SPDX-License-Identifier: MIT */
/* A message's way: its topic's broadcast channel; a subscription, which has received it; the client's
 * output, or, while that can't be sent, the row of those kept for later; then the output. */
#include "subscriber.h"

#include <errno.h>

#include "resp.h"
#include "subscriber_internal.h"

/* Up from the end of the heap to its place. */
static void insert(struct subscriber *self, struct subscription *subscription)
{
    struct subscription **heap = self->ready;
    size_t at = self->ready_count++;
    for (; at > 0 && subscription->number < heap[(at - 1) / 2]->number; at = (at - 1) / 2)
        heap[at] = heap[(at - 1) / 2];
    heap[at] = subscription;
}

/* Down from the top to its place. */
static void sift(struct subscriber *self)
{
    struct subscription **heap = self->ready;
    for (size_t at = 0, child; (child = 2 * at + 1) < self->ready_count; at = child) {
        if (child + 1 < self->ready_count && heap[child + 1]->number < heap[child]->number)
            child++;
        if (heap[at]->number <= heap[child]->number)
            return;
        struct subscription *other = heap[child];
        heap[child] = heap[at];
        heap[at] = other;
    }
}

static void take_arrivals(struct subscriber *self)
{
    struct edo_list *node;
    pthread_mutex_lock(&self->mutex);
    while ((node = edo_list_pop_front(&self->arrivals)) != NULL)
        insert(self, edo_container_of(node, struct subscription, arrival));
    pthread_mutex_unlock(&self->mutex);
}

/* Has the one at the top receive its next post, and moves it to its place: out, when there is none. */
static void receive_top(struct subscriber *self)
{
    if (!subscription_receive(self->ready[0]))
        self->ready[0] = self->ready[--self->ready_count];
    sift(self);
}

/* The subscription with the oldest post, which it has received; NULL: there is none. */
static struct subscription *next_ready(struct subscriber *self)
{
    for (;;) {
        take_arrivals(self);
        if (self->ready_count == 0)
            return NULL;
        if (self->ready[0]->received)
            return self->ready[0];
        receive_top(self);
    }
}

/* The one at the top has given up its message. */
static void pass(struct subscriber *self)
{
    self->ready[0]->received = false;
    receive_top(self);
}

struct subscriber *subscriber_new(struct pubsub *pubsub, _Atomic(int64_t) *waits)
{
    struct subscriber *self = edo_calloc(1, sizeof *self);
    if (self == NULL)
        return NULL;
    self->pubsub = pubsub;
    for (int kind = 0; kind < PUBSUB_KINDS; kind++)
        edo_list_init(&self->of[kind].list);
    edo_bytes_init(&self->kept, pubsub->limits.messages * sizeof(struct kept));
    self->waits = waits;
    pthread_mutex_init(&self->mutex, NULL);
    edo_list_init(&self->arrivals);
    edo_notify_init(&self->told);
    return self;
}

void subscriber_free(struct subscriber *self)
{
    if (self == NULL)
        return;
    for (; edo_bytes_length(&self->kept) > 0; edo_bytes_consume(&self->kept, sizeof(struct kept)))
        message_unref(((const struct kept *)edo_bytes_data(&self->kept))->message);
    for (int kind = 0; kind < PUBSUB_KINDS; kind++)
        while (!edo_list_empty(&self->of[kind].list)) {
            pubsub_lock(self->pubsub); /* there may be many: others come in between */
            subscription_end(edo_container_of(self->of[kind].list.next, struct subscription, node));
            pubsub_unlock(self->pubsub);
        }
    *self->waits = 0;
    edo_notify_destroy(&self->told);
    pthread_mutex_destroy(&self->mutex);
    edo_bytes_free(&self->kept);
    edo_free(self->ready);
    edo_free(self);
}

int subscriber_add(struct subscriber *self, enum pubsub_kind kind, struct store_text name)
{
    if (subscription_find(self, kind, name) != NULL)
        return 0;
    if (subscriber_count(self) >= self->pubsub->limits.subscriptions)
        return -EDQUOT;
    int error = subscription_begin(self, kind, name);
    return error < 0 ? error : 1;
}

bool subscriber_remove(struct subscriber *self, enum pubsub_kind kind, struct store_text name)
{
    struct subscription *subscription = subscription_find(self, kind, name);
    if (subscription == NULL)
        return false;
    edo_assert(!subscription->known && edo_bytes_length(&self->kept) == 0);
    subscription_end(subscription);
    return true;
}

static const struct topic *topic_at(const struct edo_list *list, const struct edo_list *node)
{
    return node == list ? NULL : edo_container_of(node, struct subscription, node)->listener.topic;
}

const struct topic *subscriber_oldest(const struct subscriber *self, enum pubsub_kind kind)
{
    return topic_at(&self->of[kind].list, self->of[kind].list.next);
}

const struct topic *subscriber_newest(const struct subscriber *self, enum pubsub_kind kind)
{
    return topic_at(&self->of[kind].list, self->of[kind].list.prev);
}

size_t subscriber_count(const struct subscriber *self)
{
    return self->of[PUBSUB_CHANNEL].count + self->of[PUBSUB_PATTERN].count;
}

size_t subscriber_names(const struct subscriber *self, enum pubsub_kind kind, size_t *bytes)
{
    *bytes = self->of[kind].name_bytes;
    return self->of[kind].count;
}

size_t subscriber_size(const struct subscriber *self)
{
    return sizeof *self + self->ready_capacity * sizeof *self->ready + self->kept.capacity +
           self->size;
}

size_t subscriber_kept(const struct subscriber *self)
{
    return self->kept_bytes;
}

static int write_message(struct edo_bytes *out, const struct topic *topic,
                         const struct message *message)
{
    size_t before = edo_bytes_length(out);
    int r = resp_array(out, topic->kind == PUBSUB_PATTERN ? 4 : 3);
    if (r == 0)
        r = resp_text(out, topic->kind == PUBSUB_PATTERN ? "pmessage" : "message");
    if (r == 0 && topic->kind == PUBSUB_PATTERN)
        r = resp_bulk(out, topic->name, topic->length);
    if (r == 0)
        r = resp_bulk(out, message->channel.data, message->channel.length);
    if (r == 0)
        r = resp_bulk(out, message->payload.data, message->payload.length);
    if (r < 0)
        edo_bytes_truncate(out, before);
    return r;
}

/* It waits no more. */
static void written(struct subscriber *self, struct message *message)
{
    *self->waits -= (int64_t)message_size(message);
    message_unref(message);
}

static int write_kept(struct subscriber *self, struct edo_bytes *out)
{
    struct kept first = *(const struct kept *)edo_bytes_data(&self->kept);
    int r = write_message(out, first.topic, first.message);
    if (r < 0)
        return r;
    self->kept_bytes -= message_size(first.message);
    written(self, first.message);
    edo_bytes_consume(&self->kept, sizeof first);
    edo_bytes_shrink(&self->kept);
    return 0;
}

int subscriber_write(struct subscriber *self, struct edo_bytes *out, size_t most)
{
    while (edo_bytes_length(out) < most) {
        int r;
        struct subscription *first;
        if (edo_bytes_length(&self->kept) > 0) {
            r = write_kept(self, out);
        } else if ((first = next_ready(self)) != NULL) {
            r = write_message(out, first->listener.topic, first->post.message);
            if (r == 0) {
                written(self, first->post.message);
                pass(self);
            }
        } else {
            return 0;
        }
        if (r < 0)
            return r;
    }
    return 0;
}

bool subscriber_pending(struct subscriber *self)
{
    return edo_bytes_length(&self->kept) > 0 || next_ready(self) != NULL;
}

/* Whether one more message may be kept; there is memory for it then. */
static bool may_keep(struct subscriber *self, const struct message *message)
{
    const struct pubsub_limits *limits = &self->pubsub->limits;
    size_t kept = self->kept_bytes, size = message_size(message);
    if (kept > 0 && (kept >= limits->bytes || size > limits->bytes - kept))
        return false;
    return edo_bytes_reserve(&self->kept, sizeof(struct kept)) == 0;
}

/* Takes out of the channels what there is; false: there is more than may be kept. */
static bool keep_all(struct subscriber *self)
{
    for (struct subscription *first; (first = next_ready(self)) != NULL; pass(self)) {
        if (!may_keep(self, first->post.message))
            return false;
        struct kept kept = {first->post.message, first->listener.topic};
        (void)edo_bytes_append(&self->kept, &kept, sizeof kept);
        self->kept_bytes += message_size(kept.message);
    }
    return true;
}

static bool is_ready(const struct subscriber_wait *self)
{
    return self->keep ? !keep_all(self->subscriber) : subscriber_pending(self->subscriber);
}

ASYNC(subscriber_wait)
{
    ASYNC_BEGIN;
    while (!is_ready(self))
        AWAIT(self->told, edo_notified(&self->subscriber->told));
    ASYNC_END;
}

struct subscriber_wait subscriber_wait(struct subscriber *subscriber)
{
    return EDO_NEW_RETURNED(subscriber_wait, .subscriber = subscriber);
}

struct subscriber_wait subscriber_overrun(struct subscriber *subscriber)
{
    return EDO_NEW_RETURNED(subscriber_wait, .subscriber = subscriber, .keep = true);
}
