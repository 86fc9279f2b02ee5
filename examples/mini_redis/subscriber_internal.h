/* SPDX-License-Identifier: MIT */
/* What subscriber.c and subscription.c share: the two, and how posts come in.
 *
 * Subscriptions that have something are in a heap, by the number of their next post. One comes in
 * when a post wakes it, whose number is the highest that there is: so it is appended, and the heap is
 * one still. That much happens under the lock of a broadcast channel, and needs no memory.
 */
#ifndef MINI_REDIS_SUBSCRIBER_INTERNAL_H
#define MINI_REDIS_SUBSCRIBER_INTERNAL_H

#include "internal/sys.h"
#include "subscriber.h"

struct subscription {
    struct edo_waker waker; /* of `recv` */
    struct subscriber *subscriber;
    struct topic *topic;
    BROADCAST_RECEIVER(struct post) rx;
    struct edo_broadcast_recv recv; /* waits, unless the subscription is ready */
    struct post post;               /* its next one, when `received` */
    uint64_t number;                /* of its next one, when `ready` */
    bool received, ready;           /* ready: in the heap */
    struct edo_list node;           /* among the subscriber's */
};

/* A message that could not be written yet, and as what it will be. */
struct kept {
    struct message *message;
    const struct topic *topic;
};

struct subscriber {
    struct pubsub *pubsub;
    struct subscriptions {
        struct edo_list list; /* the oldest first */
        size_t count, name_bytes;
    } of[PUBSUB_KINDS];
    struct subscription **ready; /* the heap; there is room for all */
    size_t ready_count, ready_capacity;
    struct edo_bytes kept;   /* of struct kept; all are older than what is in the heap */
    size_t kept_bytes;       /* of their messages */
    size_t size;             /* of the subscriptions, estimated */
    struct edo_waker *waker; /* kept while somebody waits */
};

/* Subscribes, and waits for the first post: 0, or a negative error as of subscriber_add. It was not
 * subscribed. */
int subscription_begin(struct subscriber *subscriber, enum pubsub_kind kind,
                       struct store_text name);
void subscription_end(struct subscription *self);

/* The subscriber's subscription of that name, or NULL. */
struct subscription *subscription_find(const struct subscriber *subscriber, enum pubsub_kind kind,
                                       struct store_text name);

/* Whether its next post is there, in `post`; otherwise it is waited for. */
bool subscription_receive(struct subscription *self);

#endif
