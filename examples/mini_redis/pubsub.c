/* SPDX-License-Identifier: MIT */
#include "pubsub.h"

#include <errno.h>
#include <limits.h>
#include <string.h>

#include "internal/sys.h"

int pubsub_init(struct pubsub *pubsub, const struct pubsub_limits *limits)
{
    *pubsub = (struct pubsub){.limits = *limits};
    pthread_mutex_init(&pubsub->mutex, NULL);
    int error = store_init(&pubsub->subscriptions, SIZE_MAX);
    for (int kind = 0; kind < PUBSUB_KINDS && error == 0; kind++) {
        edo_list_init(&pubsub->topics[kind].list);
        error = store_init(&pubsub->topics[kind].names, SIZE_MAX);
    }
    if (error < 0)
        pubsub_free(pubsub);
    return error;
}

void pubsub_free(struct pubsub *pubsub)
{
    for (int kind = 0; kind < PUBSUB_KINDS; kind++)
        store_free(&pubsub->topics[kind].names);
    store_free(&pubsub->subscriptions);
    pthread_mutex_destroy(&pubsub->mutex);
}

struct topic *topic_find(struct pubsub *pubsub, enum pubsub_kind kind, struct store_text name)
{
    struct store_text found;
    struct topic *topic = NULL;
    if (store_get(&pubsub->topics[kind].names, 0, name, &found))
        memcpy(&topic, found.data, sizeof topic);
    return topic;
}

static void copy_post(const struct post *post, struct post *copy)
{
    *copy = *post;
    message_ref(post->message);
}

static void drop_post(struct post *post)
{
    message_unref(post->message);
}

static void free_topic(struct topic *topic)
{
    edo_broadcast_sender_drop(topic->tx);
    glob_free(topic->glob);
    edo_free(topic);
}

/* With its first receiver. */
static struct topic *new_topic(struct pubsub *pubsub, enum pubsub_kind kind, struct store_text name,
                               BROADCAST_RECEIVER(struct post) * rx)
{
    struct topic *topic = edo_malloc(sizeof *topic + name.length);
    if (topic == NULL)
        return NULL;
    *topic = (struct topic){.pubsub = pubsub, .kind = kind, .length = name.length};
    memcpy(topic->name, name.data, name.length);
    edo_list_init(&topic->listeners);
    int error = edo_broadcast_with(&topic->tx, rx, PUBSUB_RING, copy_post, drop_post);
    if (error == 0 && kind == PUBSUB_PATTERN) {
        topic->glob = glob_new(name.data, name.length);
        error = topic->glob == NULL ? -ENOMEM : 0;
    }
    if (error == 0)
        error = store_set(&pubsub->topics[kind].names, 0, name,
                          (struct store_text){(const char *)&topic, sizeof topic}, STORE_NEVER, 0);
    if (error < 0) {
        edo_broadcast_receiver_drop(*rx);
        free_topic(topic);
        return NULL;
    }
    edo_list_push_back(&pubsub->topics[kind].list, &topic->node);
    pubsub->topics[kind].count++;
    return topic;
}

int topic_join(struct pubsub *pubsub, enum pubsub_kind kind, struct store_text name,
               struct listener *listener)
{
    if (name.length > PUBSUB_NAME_MAX)
        return -ENAMETOOLONG;
    struct topic *topic = topic_find(pubsub, kind, name);
    if (topic != NULL) {
        listener->rx = edo_broadcast_subscribe(topic->tx);
        if (listener->rx == NULL)
            return -ENOMEM;
    } else {
        if (kind == PUBSUB_PATTERN && pubsub_count(pubsub, kind) >= pubsub->limits.patterns)
            return -ENOSPC;
        topic = new_topic(pubsub, kind, name, &listener->rx);
        if (topic == NULL)
            return -ENOMEM;
    }
    listener->topic = topic;
    edo_list_push_back(&topic->listeners, &listener->node);
    return 0;
}

void topic_leave(struct listener *listener)
{
    struct topic *topic = listener->topic;
    struct pubsub_topics *topics = &topic->pubsub->topics[topic->kind];
    edo_list_remove(&listener->node);
    edo_broadcast_receiver_drop(listener->rx);
    if (!edo_list_empty(&topic->listeners))
        return;
    edo_list_remove(&topic->node);
    store_delete(&topics->names, 0, topic_name(topic));
    topics->count--;
    free_topic(topic);
}

size_t topic_subscribers(const struct topic *topic)
{
    return edo_broadcast_receiver_count(topic->tx);
}

struct topic *pubsub_next(const struct pubsub *pubsub, enum pubsub_kind kind,
                          const struct topic *topic)
{
    const struct edo_list *list = &pubsub->topics[kind].list;
    struct edo_list *next = topic != NULL ? topic->node.next : list->next;
    return next != list ? edo_container_of(next, struct topic, node) : NULL;
}

/* The topics that a message to the channel goes to, by their `next`. */
static struct topic *targets_of(struct pubsub *pubsub, struct store_text channel)
{
    struct topic *first = topic_find(pubsub, PUBSUB_CHANNEL, channel);
    struct topic **last = first != NULL ? &first->next : &first;
    for (struct topic *topic = NULL;
         (topic = pubsub_next(pubsub, PUBSUB_PATTERN, topic)) != NULL;) {
        if (glob_match(topic->glob, channel.data, channel.length)) {
            *last = topic;
            last = &topic->next;
        }
    }
    *last = NULL;
    return first;
}

/* How many get it: none without memory, as if the topic had nobody. */
static int post_to(struct topic *topic, struct message *message)
{
    struct post post = {message_ref(message), ++topic->pubsub->number};
    size_t size = message_size(message);
    int sent = edo_broadcast_send(topic->tx, &post);
    if (sent < 0) {
        message_unref(message);
        return 0;
    }
    struct edo_list *node = topic->listeners.next;
    for (; node != &topic->listeners; node = node->next) {
        struct listener *listener = edo_container_of(node, struct listener, node);
        listener->told(listener, post.number, size);
    }
    return sent;
}

static int publish_locked(struct pubsub *pubsub, struct store_text channel,
                          struct store_text payload)
{
    struct topic *targets = targets_of(pubsub, channel);
    if (targets == NULL)
        return 0;
    for (struct topic *topic = targets; topic != NULL; topic = topic->next)
        if (edo_broadcast_sender_len(topic->tx) >= PUBSUB_RING)
            return -EAGAIN;
    struct message *message = message_new(channel, payload, &pubsub->bytes);
    if (message == NULL)
        return -ENOMEM;
    int64_t receivers = 0;
    for (struct topic *topic = targets; topic != NULL; topic = topic->next)
        receivers += post_to(topic, message);
    message_unref(message);
    return receivers < INT_MAX ? (int)receivers : INT_MAX;
}

int pubsub_publish(struct pubsub *pubsub, struct store_text channel, struct store_text payload)
{
    if (channel.length > PUBSUB_NAME_MAX)
        return -ENAMETOOLONG;
    pubsub_lock(pubsub);
    int r = publish_locked(pubsub, channel, payload);
    pubsub_unlock(pubsub);
    return r;
}
