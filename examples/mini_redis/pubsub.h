/* SPDX-License-Identifier: MIT */
/* Who gets what is published: the topics (channels, and patterns of channels' names) that somebody is
 * subscribed to, each with a broadcast channel of its own.
 *
 *     struct pubsub pubsub;
 *     struct pubsub_limits limits = PUBSUB_LIMITS_DEFAULT;
 *     pubsub_init(&pubsub, &limits);
 *     struct listener listener = {.told = …};
 *     pubsub_lock(&pubsub);
 *     int error = topic_join(&pubsub, PUBSUB_PATTERN, (struct store_text){"news.*", 6}, &listener);
 *     pubsub_unlock(&pubsub);
 *     …
 *     int receivers = pubsub_publish(&pubsub, channel, payload);         elsewhere; any thread
 *     pubsub_free(&pubsub);
 *
 * A topic is there as long as it has subscribers. Its broadcast channel is a short one: whoever
 * subscribes takes posts out whenever it has its turn, however slow its peer is (subscriber.h), and a
 * publisher for whose message there is no room lets those have their turn. So nobody lags, and a
 * topic costs little.
 *
 * One mutex guards all of it. It is held while a message is published: so all messages have one order,
 * which their numbers tell. Whoever takes posts out of a channel does not need it. Nothing is awaited
 * while it is held; the clients that have got something are woken.
 */
#ifndef MINI_REDIS_PUBSUB_H
#define MINI_REDIS_PUBSUB_H

#include <pthread.h>

#include "channels/broadcast.h"
#include "glob.h"
#include "internal/list.h"
#include "message.h"
#include "store.h"

enum pubsub_kind { PUBSUB_CHANNEL, PUBSUB_PATTERN };
enum { PUBSUB_KINDS = 2 };

enum {
    PUBSUB_NAME_MAX = GLOB_MAX, /* bytes of a channel's name, or of a pattern */
    PUBSUB_RING = 64,           /* posts of a topic that a subscriber has not taken out */
};

struct pubsub_limits {
    size_t subscriptions; /* of one client */
    size_t patterns;      /* different ones, of all clients: a message is compared with each */
    size_t messages;      /* that one client has not taken: it is closed */
    size_t bytes;         /* of these; a single message may be larger */
};

/* An initialiser. */
#define PUBSUB_LIMITS_DEFAULT                                                         \
    {                                                                                 \
        .subscriptions = 10000, .patterns = 1024, .messages = 1024, .bytes = 1 << 20, \
    }

/* All fields are read only, and but for the limits and the atomic ones under the mutex. */
struct pubsub {
    struct pubsub_limits limits;
    pthread_mutex_t mutex;
    struct pubsub_topics {
        struct store names;   /* to pointers */
        struct edo_list list; /* the oldest first */
        _Atomic(size_t) count;
    } topics[PUBSUB_KINDS];
    struct store subscriptions; /* subscriber.c's: who is subscribed to what */
    uint64_t number;            /* of the last post */
    _Atomic(size_t) bytes;      /* of the messages that somebody has still to get */
};

/* What goes down a topic's broadcast channel. */
struct post {
    struct message *message; /* a reference of its own */
    uint64_t number;         /* counts all posts: a subscriber of several topics goes by it */
};

struct topic {
    struct edo_list node;
    struct pubsub *pubsub;
    enum pubsub_kind kind;
    BROADCAST_SENDER(struct post) tx;
    struct edo_list listeners;
    struct glob *glob;  /* a pattern's */
    struct topic *next; /* while a message is published: the next one it goes to */
    size_t length;
    char name[];
};

/* One subscription to a topic, as part of what is the caller's. */
struct listener {
    /* A post of that number, and a message of so many bytes, is in the channel. Called by whoever publishes, with the
     * mutex held: it notes that, and wakes whom it concerns. */
    void (*told)(struct listener *listener, uint64_t number, size_t size);
    struct topic *topic;
    BROADCAST_RECEIVER(struct post) rx;
    struct edo_list node;
};

/* 0 or a negative error: nothing to free then. The limits are copied. */
int pubsub_init(struct pubsub *pubsub, const struct pubsub_limits *limits);
/* When nobody is subscribed any more. */
void pubsub_free(struct pubsub *pubsub);

/* Around all calls on topics and subscriptions, but those that say otherwise. */
static inline void pubsub_lock(struct pubsub *pubsub)
{
    pthread_mutex_lock(&pubsub->mutex);
}
static inline void pubsub_unlock(struct pubsub *pubsub)
{
    pthread_mutex_unlock(&pubsub->mutex);
}

/* The name does not change; this one, of a topic that the caller is subscribed to, needs no lock. */
static inline struct store_text topic_name(const struct topic *topic)
{
    return (struct store_text){topic->name, topic->length};
}

/* The topic of that name that somebody is subscribed to, or NULL. */
struct topic *topic_find(struct pubsub *pubsub, enum pubsub_kind kind, struct store_text name);

/* Subscribes the listener, whose `told` is set, to what is published to the topic from now on, and makes
 * the topic if it is not there: 0, and the topic and the receiver are the listener's until topic_leave,
 * which drops the receiver, and the topic with the last one. -ENAMETOOLONG; -ENOSPC: there are no more
 * patterns to be had; -ENOMEM: nothing has changed. */
int topic_join(struct pubsub *pubsub, enum pubsub_kind kind, struct store_text name,
               struct listener *listener);
void topic_leave(struct listener *listener);

/* How many are subscribed to it. */
size_t topic_subscribers(const struct topic *topic);

/* The topic behind this one; the first, with NULL; NULL at the end. */
struct topic *pubsub_next(const struct pubsub *pubsub, enum pubsub_kind kind,
                          const struct topic *topic);

/* How many topics of the kind there are; any thread. */
static inline size_t pubsub_count(const struct pubsub *pubsub, enum pubsub_kind kind)
{
    return pubsub->topics[kind].count;
}

/* Sends a message to the channel and to all patterns that its name matches, in this order; returns
 * how many subscriptions get it. Takes the lock. -EAGAIN: nothing is sent until subscribers have had their turn: try
 * again after it. -ENAMETOOLONG, which keeps the comparing within bounds; -ENOMEM: nothing was sent. */
int pubsub_publish(struct pubsub *pubsub, struct store_text channel, struct store_text payload);

#endif
