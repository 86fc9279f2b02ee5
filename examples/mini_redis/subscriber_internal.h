/* SPDX-License-Identifier: MIT */
/* What subscriber.c and subscription.c share: the two, and how posts come in.
 *
 * A subscription is known to its client when there may be something in its channel. For one that is not, a
 * post makes it so: whoever publishes puts it among the arrivals and, if it is the first there, notifies the
 * client (subscription.c, `told`). The client takes the arrivals into a heap, by number, and takes posts from the
 * one on top; a channel that it finds empty is not known any more. It looks a last time under the mutex: a post
 * that comes later finds it unknown.
 *
 * A post is sent first, and told of then. In between a client that knows the subscription may take it, and find
 * nothing behind it. So a subscription may arrive whose channel is empty, or goes on with a later post: its
 * number is no more than a bound, until the post has been received.
 *
 * The order is right nevertheless: a number is given, its post sent, and told of, before the next number. So when a
 * client has received a post, each older one is in a channel that it knows, or that is among the arrivals, with
 * that number or a lower one. It takes those in, and passes a post on when that is on top.
 */
#ifndef MINI_REDIS_SUBSCRIBER_INTERNAL_H
#define MINI_REDIS_SUBSCRIBER_INTERNAL_H

#include <pthread.h>

#include "internal/sys.h"
#include "subscriber.h"

struct subscription {
    struct listener listener; /* with its topic, and the receiver */
    struct subscriber *subscriber;
    struct edo_list node; /* among the subscriber's */
    struct post post;     /* its next one, when `received` */
    bool received;
    /* Under the subscriber's mutex while it is not known; then the client's, but for the arrival. */
    bool known;
    uint64_t number; /* of its next post; while that has not been received, it or an older one */
    struct edo_list arrival;
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
    struct edo_bytes kept;    /* of struct kept; all are older than what is in the heap */
    size_t kept_bytes;        /* of their messages */
    _Atomic(int64_t) *waits;  /* of these, and of those that are in channels */
    size_t size;              /* of the subscriptions, estimated */
    pthread_mutex_t mutex;    /* the last to be locked, but for that of a channel */
    struct edo_list arrivals; /* under it */
    struct edo_notify told;   /* there were none, and are some */
};

/* With the pubsub locked. Begin: 0, or a negative error as of subscriber_add. It was not subscribed. */
int subscription_begin(struct subscriber *subscriber, enum pubsub_kind kind,
                       struct store_text name);
void subscription_end(struct subscription *self);

/* The subscriber's subscription of that name, or NULL. */
struct subscription *subscription_find(const struct subscriber *subscriber, enum pubsub_kind kind,
                                       struct store_text name);

/* Whether its next post is there, in `post`; otherwise it is not known any more. */
bool subscription_receive(struct subscription *self);

#endif
