/* SPDX-License-Identifier: MIT */
/* The commands of publishing and subscribing. */
#include <errno.h>
#include <string.h>

#include "command_internal.h"

/* From how many patterns on a PUBLISH ends its client's turn: each is compared with the channel. */
enum { MANY_PATTERNS = 64 };

static int too_long(const struct command_call *call)
{
    return resp_error(call->out, "ERR channel or pattern is longer than %d bytes", PUBSUB_NAME_MAX);
}

int command_publish(const struct command_call *call)
{
    struct pubsub *pubsub = call->session->pubsub;
    int receivers =
        pubsub_publish(pubsub, command_text(&call->args[1]), command_text(&call->args[2]));
    if (receivers == -EAGAIN)
        return COMMAND_AGAIN;
    int r = receivers == -ENAMETOOLONG ? too_long(call)
            : receivers < 0            ? command_store_error(call, receivers)
                                       : resp_integer(call->out, receivers);
    return r == 0 && pubsub_count(pubsub, PUBSUB_PATTERN) > MANY_PATTERNS ? COMMAND_REST : r;
}

/* What a confirmation takes beside the name. */
enum { CONFIRMATION = 96 };

/* Makes room for that of each argument: none can fail then. */
static int reserve(const struct command_call *call)
{
    size_t room = 0;
    for (size_t i = 1; i < call->count; i++)
        room += CONFIRMATION + call->args[i].length;
    return edo_bytes_reserve(call->out, room);
}

static void confirm(const struct command_call *call, struct store_text name)
{
    const struct subscriber *subscriber = call->session->subscriber;
    (void)resp_array(call->out, 3);
    (void)resp_text(call->out, call->command->name);
    if (name.data != NULL)
        (void)resp_bulk(call->out, name.data, name.length);
    else
        (void)resp_null(call->out);
    (void)resp_integer(call->out, subscriber != NULL ? (int64_t)subscriber_count(subscriber) : 0);
}

/* A client without subscriptions has no subscriber. */
static void settle(struct command_session *session)
{
    if (session->subscriber != NULL && subscriber_count(session->subscriber) == 0)
        command_session_end(session);
}

/* The last `added` subscriptions are not to have been: with the pubsub locked since they are, so that none
 * has got anything. */
static int take_back(const struct command_call *call, enum pubsub_kind kind, size_t added,
                     int error)
{
    struct command_session *session = call->session;
    while (added-- > 0)
        subscriber_remove(session->subscriber, kind,
                          topic_name(subscriber_newest(session->subscriber, kind)));
    switch (error) {
    case -ENAMETOOLONG:
        return too_long(call);
    case -EDQUOT:
        return resp_error(call->out, "ERR max number of subscriptions reached");
    case -ENOSPC:
        return resp_error(call->out, "ERR max number of patterns reached");
    default:
        return command_store_error(call, error);
    }
}

/* To all of them or, with one error, to none; with the pubsub locked. */
static int subscribe_all(const struct command_call *call, enum pubsub_kind kind)
{
    size_t before = edo_bytes_length(call->out), added = 0;
    for (size_t i = 1; i < call->count; i++) {
        struct store_text name = command_text(&call->args[i]);
        int r = subscriber_add(call->session->subscriber, kind, name);
        if (r < 0) {
            edo_bytes_truncate(call->out, before);
            return take_back(call, kind, added, r);
        }
        added += (size_t)r;
        confirm(call, name);
    }
    return COMMAND_OK;
}

static int subscribe(const struct command_call *call, enum pubsub_kind kind)
{
    struct command_session *session = call->session;
    int r = reserve(call);
    if (r < 0)
        return r;
    if (session->subscriber == NULL)
        session->subscriber = subscriber_new(session->pubsub, &session->waits);
    if (session->subscriber == NULL)
        return command_store_error(call, -ENOMEM);
    pubsub_lock(session->pubsub);
    r = subscribe_all(call, kind);
    pubsub_unlock(session->pubsub);
    settle(session);
    return r;
}

int command_subscribe(const struct command_call *call)
{
    return subscribe(call, PUBSUB_CHANNEL);
}

int command_psubscribe(const struct command_call *call)
{
    return subscribe(call, PUBSUB_PATTERN);
}

/* From all of the kind. */
static int leave_all(const struct command_call *call, enum pubsub_kind kind)
{
    struct subscriber *subscriber = call->session->subscriber;
    size_t bytes = 0, count = subscriber != NULL ? subscriber_names(subscriber, kind, &bytes) : 0;
    if (count == 0) {
        confirm(call, (struct store_text){NULL, 0});
        return COMMAND_OK;
    }
    int r = edo_bytes_reserve(call->out, count * CONFIRMATION + bytes);
    if (r < 0)
        return r;
    while (count-- > 0) {
        const struct topic *topic = subscriber_oldest(subscriber, kind);
        char name[PUBSUB_NAME_MAX]; /* the topic's is gone with its last subscriber */
        struct store_text text = {name, topic->length};
        memcpy(name, topic->name, topic->length);
        subscriber_remove(subscriber, kind, text);
        confirm(call, text);
    }
    return COMMAND_OK;
}

/* From those that are named. */
static int leave(const struct command_call *call, enum pubsub_kind kind)
{
    if (call->count == 1)
        return leave_all(call, kind);
    int r = reserve(call);
    if (r < 0)
        return r;
    for (size_t i = 1; i < call->count; i++) {
        if (call->session->subscriber != NULL)
            subscriber_remove(call->session->subscriber, kind, command_text(&call->args[i]));
        confirm(call, command_text(&call->args[i]));
    }
    return COMMAND_OK;
}

static int unsubscribe(const struct command_call *call, enum pubsub_kind kind)
{
    struct command_session *session = call->session;
    pubsub_lock(session->pubsub);
    /* Once more: something may have been published until it was locked. */
    int r = command_messages_first(session, call->out);
    if (r == COMMAND_OK)
        r = leave(call, kind);
    pubsub_unlock(session->pubsub);
    settle(session);
    return r;
}

int command_unsubscribe(const struct command_call *call)
{
    return unsubscribe(call, PUBSUB_CHANNEL);
}

int command_punsubscribe(const struct command_call *call)
{
    return unsubscribe(call, PUBSUB_PATTERN);
}

/* The channels that match, all without a pattern: their number, and their names if `out` is given. */
static int list_channels(const struct command_call *call, const struct glob *glob,
                         struct edo_bytes *out, size_t *count)
{
    const struct topic *topic = NULL;
    int r = 0;
    *count = 0;
    while (r == 0 && (topic = pubsub_next(call->session->pubsub, PUBSUB_CHANNEL, topic)) != NULL) {
        if (glob != NULL && !glob_match(glob, topic->name, topic->length))
            continue;
        ++*count;
        if (out != NULL)
            r = resp_bulk(out, topic->name, topic->length);
    }
    return r;
}

int command_pubsub_channels(const struct command_call *call)
{
    struct glob *glob = NULL;
    size_t count;
    if (call->count > 3)
        return resp_error(call->out,
                          "ERR unknown subcommand or wrong number of arguments for '%.*s'. "
                          "Try PUBSUB HELP.",
                          command_shown(&call->args[1]), call->args[1].text);
    if (call->count == 3) {
        if (call->args[2].length > PUBSUB_NAME_MAX)
            return too_long(call);
        glob = glob_new(call->args[2].text, call->args[2].length);
        if (glob == NULL)
            return command_store_error(call, -ENOMEM);
    }
    pubsub_lock(call->session->pubsub);
    (void)list_channels(call, glob, NULL, &count);
    int r = resp_array(call->out, count);
    if (r == 0)
        r = list_channels(call, glob, call->out, &count);
    pubsub_unlock(call->session->pubsub);
    glob_free(glob);
    return r < 0 ? r : COMMAND_REST;
}

int command_pubsub_numsub(const struct command_call *call)
{
    int r = resp_map(call->out, call->count - 2);
    pubsub_lock(call->session->pubsub);
    for (size_t i = 2; i < call->count && r == 0; i++) {
        struct store_text name = command_text(&call->args[i]);
        const struct topic *topic = topic_find(call->session->pubsub, PUBSUB_CHANNEL, name);
        r = resp_bulk(call->out, name.data, name.length);
        if (r == 0)
            r = resp_integer(call->out, topic != NULL ? (int64_t)topic_subscribers(topic) : 0);
    }
    pubsub_unlock(call->session->pubsub);
    return r;
}

int command_pubsub_numpat(const struct command_call *call)
{
    return resp_integer(call->out, (int64_t)pubsub_count(call->session->pubsub, PUBSUB_PATTERN));
}
