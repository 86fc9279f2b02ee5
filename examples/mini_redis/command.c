/* SPDX-License-Identifier: MIT */
/* The table of commands, the way from a frame to its row, and Redis' common errors. */
#include "command_internal.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "number.h"

#define ROW(name, run, arity, access, first, last)                         \
    {                                                                      \
        name, command_##run, arity, access, first, last, sizeof(name) - 1, \
    }

/* Searched from the top, by length first: the frequent ones stand there. */
const struct command command_table[] = {
    ROW("get", get, 2, 'r', 1, 1),
    ROW("set", set, -3, 'w', 1, 1),
    ROW("incr", incr, 2, 'w', 1, 1),
    ROW("ping", ping, -1, '-', 0, 0),
    ROW("del", del, -2, 'w', 1, -1),
    ROW("exists", exists, -2, 'r', 1, -1),
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
    ROW("dbsize", dbsize, 1, 'r', 0, 0),
    ROW("flushall", flush, -1, 'w', 0, 0),
    ROW("flushdb", flush, -1, 'w', 0, 0),
    ROW("echo", echo, 2, '-', 0, 0),
    ROW("quit", quit, -1, '-', 0, 0),
    ROW("select", select, 2, '-', 0, 0),
    ROW("hello", hello, -1, '-', 0, 0),
    ROW("client", client, -2, '-', 0, 0),
    ROW("config", config, -2, '-', 0, 0),
    ROW("command", command, -1, '-', 0, 0),
    ROW("info", info, -1, 'r', 0, 0),
    ROW("post", attack, -1, '-', 0, 0),
    ROW("host:", attack, -1, '-', 0, 0),
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

int command_not_integer(const struct command_call *call)
{
    return resp_error(call->out, "ERR value is not an integer or out of range");
}

int command_syntax_error(const struct command_call *call)
{
    return resp_error(call->out, "ERR syntax error");
}

int command_wrong_arity(const struct command_call *call, const char *sub)
{
    return resp_error(call->out, "ERR wrong number of arguments for '%s%s%s' command",
                      call->command->name, sub != NULL ? "|" : "", sub != NULL ? sub : "");
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

void command_session_init(struct command_session *session, struct store *store, uint64_t id)
{
    *session = (struct command_session){.store = store, .id = id};
}

int command_execute(struct command_session *session, const struct resp_value *frame, int64_t now,
                    struct edo_bytes *out)
{
    if (frame->length == 0)
        return COMMAND_OK;
    int r = edo_bytes_reserve(out, COMMAND_ROOM);
    if (r < 0)
        return r;
    struct command_call call = {
        .session = session,
        .store = session->store,
        .args = frame + 1,
        .count = frame->length,
        .now = now,
        .out = out,
        .command = command_find(frame + 1),
    };
    size_t before = edo_bytes_length(out);
    if (call.command == NULL)
        r = unknown(&call);
    else if (call.command->arity > 0 ? call.count != (size_t)call.command->arity
                                     : call.count < (size_t)-call.command->arity)
        r = command_wrong_arity(&call, NULL);
    else
        r = call.command->run(&call);
    if (r < 0)
        edo_bytes_truncate(out, before);
    return r;
}
