/* SPDX-License-Identifier: MIT */
/* The commands on the connection and the server: enough of them that redis-cli, redis-benchmark and
 * client libraries find what they ask for when they start. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "command_internal.h"

/* What we say we are: the version whose texts these are, since clients go by it. */
#define VERSION "7.0.0"

/* To a subscriber a PING is answered in the form of a message. */
static int pong_among_messages(const struct command_call *call)
{
    int r = resp_array(call->out, 2);
    if (r == 0)
        r = resp_text(call->out, "pong");
    if (r < 0)
        return r;
    return call->count == 2 ? command_echo(call) : resp_text(call->out, "");
}

int command_ping(const struct command_call *call)
{
    if (call->count > 2)
        return command_wrong_arity(call);
    if (call->session->subscriber != NULL)
        return pong_among_messages(call);
    if (call->count == 2)
        return command_echo(call);
    return resp_simple(call->out, "PONG");
}

int command_echo(const struct command_call *call)
{
    return resp_bulk(call->out, call->args[1].text, call->args[1].length);
}

int command_quit(const struct command_call *call)
{
    int r = resp_simple(call->out, "OK");
    return r < 0 ? r : COMMAND_QUIT;
}

int command_reset(const struct command_call *call)
{
    command_session_end(call->session);
    call->session->name[0] = '\0';
    return resp_simple(call->out, "RESET");
}

/* POST and Host: are what a browser sends that was made to speak to us (cross-protocol scripting);
 * the commands it would like to run stand in the body behind. */
int command_attack(const struct command_call *call)
{
    (void)call;
    return COMMAND_QUIT;
}

int command_select(const struct command_call *call)
{
    int64_t index;
    if (!command_integer(&call->args[1], &index))
        return command_not_integer(call);
    if (index < INT32_MIN || index > INT32_MAX)
        return resp_error(call->out, "ERR value is out of range, value must between %d and %d",
                          INT32_MIN, INT32_MAX);
    if (index != 0)
        return resp_error(call->out, "ERR DB index is out of range");
    return resp_simple(call->out, "OK");
}

/* Sets the client's name; 1 when it was, 0 when an error was sent instead. */
static int set_name(const struct command_call *call, const struct resp_value *name)
{
    int r = 0;
    if (name->length > COMMAND_NAME_MAX) {
        r = resp_error(call->out, "ERR Client names cannot be longer than %d bytes.",
                       COMMAND_NAME_MAX);
        return r < 0 ? r : 0;
    }
    for (size_t i = 0; i < name->length; i++) {
        if (name->text[i] < '!' || name->text[i] > '~') {
            r = resp_error(call->out, "ERR Client names cannot contain spaces, newlines or "
                                      "special characters.");
            return r < 0 ? r : 0;
        }
    }
    memcpy(call->session->name, name->text, name->length);
    call->session->name[name->length] = '\0';
    return 1;
}

/* A map of seven, each piece after the other; 0 or the first failure. */
static int say_hello(const struct command_call *call)
{
    struct edo_bytes *out = call->out;
    int r = edo_bytes_reserve(out, 256); /* more than it takes: the pieces can't fail */
    if (r < 0)
        return r;
    resp_map(out, 7);
    resp_text(out, "server");
    resp_text(out, "redis");
    resp_text(out, "version");
    resp_text(out, VERSION);
    resp_text(out, "proto");
    resp_integer(out, 2);
    resp_text(out, "id");
    resp_integer(out, (int64_t)call->session->id);
    resp_text(out, "mode");
    resp_text(out, "standalone");
    resp_text(out, "role");
    resp_text(out, "master");
    resp_text(out, "modules");
    return resp_array(out, 0);
}

int command_hello(const struct command_call *call)
{
    int64_t version = 2;
    if (call->count > 1 && !command_integer(&call->args[1], &version))
        return resp_error(call->out, "ERR Protocol version is not an integer or out of range");
    if (version != 2)
        return resp_error(call->out, "NOPROTO unsupported protocol version");
    const struct resp_value *name = NULL;
    for (size_t i = 2; i < call->count; i++) {
        if (!command_is(&call->args[i], "setname") || i + 1 == call->count)
            return resp_error(call->out, "ERR Syntax error in HELLO option '%.*s'",
                              command_shown(&call->args[i]), call->args[i].text);
        name = &call->args[++i];
    }
    int r = name != NULL ? set_name(call, name) : 1;
    return r <= 0 ? r : say_hello(call);
}

int command_client_id(const struct command_call *call)
{
    return resp_integer(call->out, (int64_t)call->session->id);
}

int command_client_getname(const struct command_call *call)
{
    const char *name = call->session->name;
    return name[0] == '\0' ? resp_null(call->out) : resp_text(call->out, name);
}

int command_client_setname(const struct command_call *call)
{
    int r = set_name(call, &call->args[2]);
    return r <= 0 ? r : resp_simple(call->out, "OK");
}

int command_client_setinfo(const struct command_call *call)
{
    return resp_simple(call->out, "OK");
}

/* The value of a setting that somebody may ask for, as text. */
static const char *setting(const struct command_call *call, size_t which, const char **name,
                           char text[static 24])
{
    switch (which) {
    case 0:
        *name = "save"; /* redis-benchmark asks for this one and the next */
        return "";
    case 1:
        *name = "appendonly";
        return "no";
    case 2:
        *name = "databases";
        return "1";
    case 3:
        *name = "maxmemory";
        snprintf(text, 24, "%zu", call->db->maximum);
        return text;
    case 4:
        *name = "maxmemory-policy";
        return "noeviction";
    default:
        return NULL;
    }
}

enum { SETTINGS = 5, SETTING_ROOM = 64 };

int command_config_get(const struct command_call *call)
{
    bool wanted[SETTINGS] = {false};
    size_t found = 0;
    char text[24];
    const char *name, *value;
    for (size_t i = 0; (value = setting(call, i, &name, text)) != NULL; i++) {
        for (size_t arg = 2; arg < call->count && !wanted[i]; arg++)
            wanted[i] = command_is(&call->args[arg], name) || command_is(&call->args[arg], "*");
        found += wanted[i];
    }
    int r = edo_bytes_reserve(call->out, (SETTINGS + 1) * SETTING_ROOM);
    if (r < 0)
        return r;
    resp_map(call->out, found);
    for (size_t i = 0; (value = setting(call, i, &name, text)) != NULL; i++) {
        if (wanted[i]) {
            resp_text(call->out, name);
            resp_text(call->out, value);
        }
    }
    return 0;
}

int command_config_resetstat(const struct command_call *call)
{
    return resp_simple(call->out, "OK");
}

/* A row as COMMAND shows it: ten pieces, the last four (ACL categories, tips, key specifications,
 * subcommands) empty. */
static int describe(struct edo_bytes *out, const struct command *row)
{
    int r = edo_bytes_reserve(out, 256); /* more than it takes */
    if (r < 0)
        return r;
    resp_array(out, 10);
    resp_text(out, row->name);
    resp_integer(out, row->arity);
    resp_array(out, row->access != '-');
    if (row->access != '-')
        resp_simple(out, row->access == 'w' ? "write" : row->access == 'r' ? "readonly" : "pubsub");
    resp_integer(out, row->first_key);
    resp_integer(out, row->last_key);
    resp_integer(out, row->first_key);
    for (int i = 0; i < 4; i++)
        resp_array(out, 0);
    return 0;
}

int command_command(const struct command_call *call)
{
    int r = resp_array(call->out, command_table_length);
    for (size_t i = 0; i < command_table_length && r >= 0; i++)
        r = describe(call->out, &command_table[i]);
    return r;
}

int command_command_count(const struct command_call *call)
{
    return resp_integer(call->out, (int64_t)command_table_length);
}

/* Help texts: there are none. */
int command_command_docs(const struct command_call *call)
{
    return resp_map(call->out, 0);
}

int command_command_info(const struct command_call *call)
{
    if (call->count == 2)
        return command_command(call);
    int r = resp_array(call->out, call->count - 2);
    for (size_t i = 2; i < call->count && r >= 0; i++) {
        const struct command *row = command_find(&call->args[i]);
        r = row != NULL ? describe(call->out, row) : resp_null(call->out);
    }
    return r;
}

int command_command_list(const struct command_call *call)
{
    if (call->count != 2)
        return command_syntax_error(call);
    int r = resp_array(call->out, command_table_length);
    for (size_t i = 0; i < command_table_length && r >= 0; i++)
        r = resp_text(call->out, command_table[i].name);
    return r;
}

int command_info(const struct command_call *call)
{
    struct db_totals totals = db_totals(call->db);
    char text[1024];
    int n =
        snprintf(text, sizeof text,
                 "# Server\r\nredis_version:" VERSION "\r\nredis_mode:standalone\r\n"
                 "\r\n# Memory\r\nused_memory:%zu\r\nmaxmemory:%zu\r\n"
                 "maxmemory_policy:noeviction\r\n"
                 "\r\n# Stats\r\nexpired_keys:%" PRIu64 "\r\nkeyspace_hits:%" PRIu64
                 "\r\nkeyspace_misses:%" PRIu64 "\r\npubsub_channels:%zu\r\npubsub_patterns:%zu\r\n"
                 "\r\n# Replication\r\nrole:master\r\nconnected_slaves:0\r\n"
                 "\r\n# Keyspace\r\n",
                 totals.used, totals.maximum, totals.expired, totals.hits, totals.misses,
                 pubsub_count(call->session->pubsub, PUBSUB_CHANNEL),
                 pubsub_count(call->session->pubsub, PUBSUB_PATTERN));
    if (totals.count > 0)
        n += snprintf(text + n, sizeof text - (size_t)n, "db0:keys=%zu,expires=%zu,avg_ttl=0\r\n",
                      totals.count, totals.expiring);
    return resp_bulk(call->out, text, (size_t)n);
}
