/* SPDX-License-Identifier: MIT */
/* The table of commands, the way from a frame to its row, and Redis' common errors. */
#include "command_internal.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "number.h"

#define ROW(name, run, arity, access, first, last)                                      \
    {                                                                                   \
        name, command_##run, arity, access, first, last, sizeof(name) - 1, false, NULL, \
    }
/* One without keys; one that is allowed in spite of subscriptions; one with subcommands. */
#define PLAIN(name, run, arity, access) ROW(name, run, arity, access, 0, 0)
#define ALWAYS(name, run, arity, access)                                       \
    {                                                                          \
        name, command_##run, arity, access, 0, 0, sizeof(name) - 1, true, NULL \
    }
#define GROUP(name, run, arity, subs)                              \
    {                                                              \
        name, run, arity, '-', 0, 0, sizeof(name) - 1, false, subs \
    }
#define END                                    \
    {                                          \
        NULL, NULL, 0, 0, 0, 0, 0, false, NULL \
    }

static const struct command client_table[] = {
    PLAIN("client|id", client_id, 2, '-'),
    PLAIN("client|getname", client_getname, 2, '-'),
    PLAIN("client|setname", client_setname, 3, '-'),
    PLAIN("client|setinfo", client_setinfo, 4, '-'),
    END,
};

static const struct command config_table[] = {
    PLAIN("config|get", config_get, -3, '-'),
    PLAIN("config|resetstat", config_resetstat, 2, '-'),
    END,
};

static const struct command command_command_table[] = {
    PLAIN("command|count", command_count, 2, '-'),
    PLAIN("command|docs", command_docs, -2, '-'),
    PLAIN("command|info", command_info, -2, '-'),
    PLAIN("command|list", command_list, -2, '-'),
    END,
};

static const struct command pubsub_table[] = {
    PLAIN("pubsub|channels", pubsub_channels, -2, 'p'),
    PLAIN("pubsub|numsub", pubsub_numsub, -2, 'p'),
    PLAIN("pubsub|numpat", pubsub_numpat, 2, 'p'),
    END,
};

/* Searched from the top, by length first: the frequent ones stand there. */
const struct command command_table[] = {
    ROW("get", get, 2, 'r', 1, 1),
    ROW("set", set, -3, 'w', 1, 1),
    ROW("incr", incr, 2, 'w', 1, 1),
    ALWAYS("ping", ping, -1, '-'),
    ROW("del", del, -2, 'w', 1, -1),
    ROW("exists", exists, -2, 'r', 1, -1),
    PLAIN("publish", publish, 3, 'p'),
    ROW("expire", expire, -3, 'w', 1, 1),
    ROW("pexpire", pexpire, -3, 'w', 1, 1),
    ROW("expireat", expireat, -3, 'w', 1, 1),
    ROW("pexpireat", pexpireat, -3, 'w', 1, 1),
    ROW("persist", persist, 2, 'w', 1, 1),
    ROW("ttl", ttl, 2, 'r', 1, 1),
    ROW("pttl", pttl, 2, 'r', 1, 1),
    ROW("decr", decr, 2, 'w', 1, 1),
    ROW("incrby", incrby, 3, 'w', 1, 1),
    ROW("decrby", decrby, 3, 'w', 1, 1),
    ROW("type", type, 2, 'r', 1, 1),
    PLAIN("dbsize", dbsize, 1, 'r'),
    PLAIN("flushall", flush, -1, 'w'),
    PLAIN("flushdb", flush, -1, 'w'),
    PLAIN("echo", echo, 2, '-'),
    ALWAYS("quit", quit, -1, '-'),
    PLAIN("select", select, 2, '-'),
    ALWAYS("subscribe", subscribe, -2, 'p'),
    ALWAYS("unsubscribe", unsubscribe, -1, 'p'),
    ALWAYS("psubscribe", psubscribe, -2, 'p'),
    ALWAYS("punsubscribe", punsubscribe, -1, 'p'),
    GROUP("pubsub", NULL, -2, pubsub_table),
    ALWAYS("reset", reset, 1, '-'),
    PLAIN("hello", hello, -1, '-'),
    GROUP("client", NULL, -2, client_table),
    GROUP("config", NULL, -2, config_table),
    GROUP("command", command_command, -1, command_command_table),
    PLAIN("info", info, -1, 'r'),
    PLAIN("post", attack, -1, '-'),
    PLAIN("host:", attack, -1, '-'),
};

const size_t command_table_length = sizeof command_table / sizeof *command_table;

static inline char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
}

static inline bool same_word(const char *text, const char *word, size_t length)
{
    while (length > 0 && lower(text[length - 1]) == word[length - 1])
        length--;
    return length == 0;
}

bool command_is(const struct resp_value *arg, const char *word)
{
    return arg->length == strlen(word) && same_word(arg->text, word, arg->length);
}

bool command_integer(const struct resp_value *arg, int64_t *integer)
{
    return number_read(arg->text, arg->length, integer);
}

const struct command *command_find(const struct resp_value *name)
{
    const struct command *end = command_table + command_table_length;
    for (const struct command *row = command_table; row < end; row++) {
        if (row->name_length == name->length && same_word(name->text, row->name, name->length))
            return row;
    }
    return NULL;
}

static const struct command *find_sub(const struct command *group, const struct resp_value *name)
{
    size_t skip = (size_t)group->name_length + 1;
    for (const struct command *row = group->subs; row->name != NULL; row++)
        if (row->name_length - skip == name->length &&
            same_word(name->text, row->name + skip, name->length))
            return row;
    return NULL;
}

int command_not_integer(const struct command_call *call)
{
    return resp_error(call->out, "ERR value is not an integer or out of range");
}

int command_syntax_error(const struct command_call *call)
{
    return resp_error(call->out, "ERR syntax error");
}

int command_wrong_arity(const struct command_call *call)
{
    return resp_error(call->out, "ERR wrong number of arguments for '%s' command",
                      call->command->name);
}

int command_unknown_sub(const struct command_call *call)
{
    char name[COMMAND_NAME_MAX + 1];
    size_t length = 0;
    for (const char *c = call->command->name; *c != '\0' && length < COMMAND_NAME_MAX; c++)
        name[length++] = (char)(*c - 0x20);
    name[length] = '\0';
    return resp_error(call->out, "ERR unknown subcommand '%.*s'. Try %s HELP.",
                      command_shown(&call->args[1]), call->args[1].text, name);
}

int command_store_error(const struct command_call *call, int error)
{
    if (error == -ENOBUFS)
        return resp_error(call->out, "OOM command not allowed when used memory > 'maxmemory'.");
    return resp_error(call->out, "OOM out of memory");
}

__attribute__((cold)) static int unknown(const struct command_call *call)
{
    enum { QUOTES = 3 };
    char args[COMMAND_SHOWN + QUOTES + 1] = "";
    int used = 0;
    for (size_t i = 1; i < call->count && used < COMMAND_SHOWN; i++) {
        int most = COMMAND_SHOWN - used, length = command_shown(&call->args[i]);
        used += snprintf(args + used, sizeof args - (size_t)used, "'%.*s' ",
                         length < most ? length : most, call->args[i].text);
    }
    return resp_error(call->out, "ERR unknown command '%.*s', with args beginning with: %s",
                      command_shown(&call->args[0]), call->args[0].text, args);
}

void command_session_init(struct command_session *session, struct db *db, struct pubsub *pubsub,
                          uint64_t id)
{
    *session = (struct command_session){.db = db, .pubsub = pubsub, .id = id};
}

void command_session_end(struct command_session *session)
{
    subscriber_free(session->subscriber);
    session->subscriber = NULL;
}

__attribute__((cold)) static int subscribed(const struct command_call *call)
{
    return resp_error(call->out,
                      "ERR Can't execute '%s': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / "
                      "QUIT / RESET are allowed in this context",
                      call->command->name);
}

int command_messages_first(struct command_session *session, struct edo_bytes *out)
{
    struct subscriber *subscriber = session->subscriber;
    if (subscriber == NULL)
        return COMMAND_OK;
    /* The reply is to find room as well. */
    int r = subscriber_write(subscriber, out, out->limit > 0 ? out->limit / 2 : SIZE_MAX);
    if (r < 0)
        return r;
    return subscriber_pending(subscriber) ? COMMAND_AGAIN : COMMAND_OK;
}

static int execute(struct command_call *call)
{
    call->command = command_find(call->args);
    if (call->command == NULL)
        return unknown(call);
    if (call->command->subs != NULL && call->count > 1) {
        const struct command *sub = find_sub(call->command, &call->args[1]);
        if (sub == NULL)
            return command_unknown_sub(call);
        call->command = sub;
    }
    const struct command *command = call->command;
    if (command->arity > 0 ? call->count != (size_t)command->arity
                           : call->count < (size_t)-command->arity)
        return command_wrong_arity(call);
    if (call->session->subscriber != NULL && !command->always)
        return subscribed(call);
    return command->run(call);
}

int command_execute(struct command_session *session, const struct resp_value *frame, int64_t now,
                    struct edo_bytes *out)
{
    if (frame->length == 0)
        return COMMAND_OK;
    int r = command_messages_first(session, out);
    if (r != COMMAND_OK)
        return r;
    r = edo_bytes_reserve(out, COMMAND_ROOM);
    if (r < 0)
        return r;
    struct command_call call = {
        .session = session,
        .db = session->db,
        .args = frame + 1,
        .count = frame->length,
        .now = now,
        .out = out,
    };
    size_t before = edo_bytes_length(out);
    r = execute(&call);
    if (r < 0)
        edo_bytes_truncate(out, before);
    return r;
}
