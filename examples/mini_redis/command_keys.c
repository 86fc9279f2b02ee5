/* SPDX-License-Identifier: MIT */
/* The commands on keys. What they do to the store they do while the key is locked (db.h), also where they
 * look first and then change: what they have seen still holds. */
#include <errno.h>

#include "command_internal.h"

static struct store *lock_key(const struct command_call *call)
{
    return db_lock(call->db, command_text(&call->args[1]));
}

/* Replies with the value of the key, which is locked. */
static int reply_value(const struct command_call *call, struct store *store)
{
    struct store_text value;
    if (!store_get(store, call->now, command_text(&call->args[1]), &value))
        return resp_null(call->out);
    return resp_bulk(call->out, value.data, value.length);
}

int command_get(const struct command_call *call)
{
    struct store *store = lock_key(call);
    int r = reply_value(call, store);
    db_unlock(store);
    return r;
}

static int invalid_expire(const struct command_call *call)
{
    return resp_error(call->out, "ERR invalid expire time in '%s' command", call->command->name);
}

struct set_options {
    unsigned flags; /* the store's */
    bool get;
    const struct resp_value *time;
    bool seconds, relative; /* what `time` is in */
};

/* Reads what stands behind SET key value. As in Redis, an option may be repeated, the last one
 * counts, but there is only one way to say when the key expires. */
static bool read_set_options(const struct command_call *call, struct set_options *options)
{
    static const struct {
        const char *word;
        bool seconds, relative;
    } times[] = {
        {"ex", true, true}, {"px", false, true}, {"exat", true, false}, {"pxat", false, false}};
    int chosen = -1;
    for (size_t i = 3; i < call->count; i++) {
        const struct resp_value *arg = &call->args[i];
        int time = 0;
        while (time < 4 && !command_is(arg, times[time].word))
            time++;
        if (time < 4) {
            if ((chosen >= 0 && chosen != time) || options->flags & STORE_KEEP_EXPIRY ||
                ++i == call->count)
                return false;
            chosen = time;
            options->time = &call->args[i];
            options->seconds = times[time].seconds;
            options->relative = times[time].relative;
        } else if (command_is(arg, "nx") && !(options->flags & STORE_IF_PRESENT)) {
            options->flags |= STORE_IF_ABSENT;
        } else if (command_is(arg, "xx") && !(options->flags & STORE_IF_ABSENT)) {
            options->flags |= STORE_IF_PRESENT;
        } else if (command_is(arg, "keepttl") && chosen < 0) {
            options->flags |= STORE_KEEP_EXPIRY;
        } else if (command_is(arg, "get")) {
            options->get = true;
        } else {
            return false;
        }
    }
    return true;
}

/* To milliseconds since 1970; false when that doesn't fit. */
static bool absolute(const struct command_call *call, bool seconds, bool relative, int64_t *time)
{
    if ((seconds && __builtin_mul_overflow(*time, 1000, time)) ||
        (relative && __builtin_add_overflow(*time, call->now, time)))
        return false;
    *time -= *time == STORE_NEVER; /* as late as can be, yet not never */
    return true;
}

/* SET … GET, with the key locked. The old value is the reply, and goes out before it is overwritten; it is
 * taken back if the new one can't be stored. */
static int swap(const struct command_call *call, struct store *store, int64_t expires,
                unsigned flags)
{
    size_t before = edo_bytes_length(call->out);
    int r = reply_value(call, store);
    if (r >= 0)
        r = edo_bytes_reserve(call->out, COMMAND_ROOM);
    if (r < 0)
        return r;
    r = store_set(store, call->now, command_text(&call->args[1]), command_text(&call->args[2]),
                  expires, flags);
    if (r >= 0)
        return 0;
    edo_bytes_truncate(call->out, before);
    return command_store_error(call, r);
}

static int set(const struct command_call *call, struct store *store, int64_t expires,
               unsigned flags)
{
    int r = store_set(store, call->now, command_text(&call->args[1]), command_text(&call->args[2]),
                      expires, flags);
    if (r < 0)
        return command_store_error(call, r);
    return r == 0 ? resp_null(call->out) : resp_simple(call->out, "OK");
}

int command_set(const struct command_call *call)
{
    struct set_options options = {0};
    int64_t expires = STORE_NEVER;
    if (call->count > 3) {
        if (!read_set_options(call, &options))
            return command_syntax_error(call);
        if (options.time != NULL) {
            if (!command_integer(options.time, &expires))
                return command_not_integer(call);
            if (expires <= 0 || !absolute(call, options.seconds, options.relative, &expires))
                return invalid_expire(call);
        }
    }
    struct store *store = lock_key(call);
    int r = options.get ? swap(call, store, expires, options.flags)
                        : set(call, store, expires, options.flags);
    db_unlock(store);
    return r;
}

/* How many of the keys `each` says yes to, of one moment. */
static int64_t count_keys(const struct command_call *call,
                          bool (*each)(struct store *store, int64_t now, struct store_text key))
{
    db_shards shards = 0;
    int64_t n = 0;
    for (size_t i = 1; i < call->count; i++)
        shards |= db_shard(call->db, command_text(&call->args[i]));
    db_lock_shards(call->db, shards);
    for (size_t i = 1; i < call->count; i++) {
        struct store_text key = command_text(&call->args[i]);
        n += each(db_store(call->db, key), call->now, key);
    }
    db_unlock_shards(call->db, shards);
    return n;
}

int command_del(const struct command_call *call)
{
    return resp_integer(call->out, count_keys(call, store_delete));
}

int command_exists(const struct command_call *call)
{
    return resp_integer(call->out, count_keys(call, store_exists));
}

int command_type(const struct command_call *call)
{
    return resp_simple(call->out, count_keys(call, store_exists) > 0 ? "string" : "none");
}

static int add(const struct command_call *call, int64_t by)
{
    int64_t sum;
    struct store *store = lock_key(call);
    int r = store_add(store, call->now, command_text(&call->args[1]), by, &sum);
    db_unlock(store);
    if (r == -EINVAL)
        return command_not_integer(call);
    if (r == -ERANGE)
        return resp_error(call->out, "ERR increment or decrement would overflow");
    return r < 0 ? command_store_error(call, r) : resp_integer(call->out, sum);
}

int command_incr(const struct command_call *call)
{
    return add(call, 1);
}

int command_decr(const struct command_call *call)
{
    return add(call, -1);
}

int command_incrby(const struct command_call *call)
{
    int64_t by;
    return command_integer(&call->args[2], &by) ? add(call, by) : command_not_integer(call);
}

int command_decrby(const struct command_call *call)
{
    int64_t by;
    if (!command_integer(&call->args[2], &by))
        return command_not_integer(call);
    if (by == INT64_MIN)
        return resp_error(call->out, "ERR decrement would overflow");
    return add(call, -by);
}

enum { IF_NONE = 1, IF_SOME = 2, IF_LATER = 4, IF_EARLIER = 8 };

/* EXPIRE's NX, XX, GT and LT. The option that is none of these, or NULL. */
static const struct resp_value *read_expire_options(const struct command_call *call,
                                                    unsigned *flags)
{
    static const char *const words[] = {"nx", "xx", "gt", "lt"};
    for (size_t i = 3; i < call->count; i++) {
        unsigned which = 0;
        while (which < 4 && !command_is(&call->args[i], words[which]))
            which++;
        if (which == 4)
            return &call->args[i];
        *flags |= 1u << which;
    }
    return NULL;
}

/* With the key locked: 1, or 0 when it is not there or the flags forbid it. */
static int expire_if(const struct command_call *call, struct store *store, int64_t when,
                     unsigned flags)
{
    struct store_text key = command_text(&call->args[1]);
    int64_t old;
    if (!store_expiry(store, call->now, key, &old))
        return 0;
    /* A key that doesn't expire counts as expiring at the end of time. */
    if ((flags & IF_NONE && old != STORE_NEVER) || (flags & IF_SOME && old == STORE_NEVER) ||
        (flags & IF_LATER && when <= old) || (flags & IF_EARLIER && when >= old))
        return 0;
    return store_expire(store, call->now, key, when);
}

static int expire(const struct command_call *call, bool seconds, bool relative)
{
    unsigned flags = 0;
    const struct resp_value *other = read_expire_options(call, &flags);
    if (other != NULL)
        return resp_error(call->out, "ERR Unsupported option %.*s", command_shown(other),
                          other->text);
    if (flags & IF_NONE && flags & ~(unsigned)IF_NONE)
        return resp_error(call->out, "ERR NX and XX, GT or LT options at the same time are not "
                                     "compatible");
    if (flags & IF_LATER && flags & IF_EARLIER)
        return resp_error(call->out, "ERR GT and LT options at the same time are not compatible");
    int64_t when;
    if (!command_integer(&call->args[2], &when))
        return command_not_integer(call);
    if (!absolute(call, seconds, relative, &when))
        return invalid_expire(call);
    struct store *store = lock_key(call);
    int r = expire_if(call, store, when, flags);
    db_unlock(store);
    return r < 0 ? command_store_error(call, r) : resp_integer(call->out, r);
}

int command_expire(const struct command_call *call)
{
    return expire(call, true, true);
}

int command_pexpire(const struct command_call *call)
{
    return expire(call, false, true);
}

int command_expireat(const struct command_call *call)
{
    return expire(call, true, false);
}

int command_pexpireat(const struct command_call *call)
{
    return expire(call, false, false);
}

/* What is left of the life of the key, which is locked: -2 no key, -1 for ever. */
static int64_t time_left(const struct command_call *call, struct store *store)
{
    int64_t when;
    if (!store_expiry(store, call->now, command_text(&call->args[1]), &when))
        return -2;
    return when == STORE_NEVER ? -1 : when - call->now;
}

int command_ttl(const struct command_call *call)
{
    struct store *store = lock_key(call);
    int64_t left = time_left(call, store);
    db_unlock(store);
    return resp_integer(call->out, left < 0 ? left : left / 1000 + (left % 1000 >= 500));
}

int command_pttl(const struct command_call *call)
{
    struct store *store = lock_key(call);
    int64_t left = time_left(call, store);
    db_unlock(store);
    return resp_integer(call->out, left);
}

int command_persist(const struct command_call *call)
{
    struct store *store = lock_key(call);
    bool expires = time_left(call, store) >= 0;
    if (expires)
        (void)store_expire(store, call->now, command_text(&call->args[1]), STORE_NEVER);
    db_unlock(store);
    return resp_integer(call->out, expires);
}

int command_dbsize(const struct command_call *call)
{
    return resp_integer(call->out, (int64_t)db_totals(call->db).count);
}

int command_flush(const struct command_call *call)
{
    if (call->count > 2 || (call->count == 2 && !command_is(&call->args[1], "sync") &&
                            !command_is(&call->args[1], "async")))
        return command_syntax_error(call);
    db_clear(call->db);
    return resp_simple(call->out, "OK");
}
