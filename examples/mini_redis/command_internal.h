/* SPDX-License-Identifier: MIT */
/* What the files of commands share: the call, the row of the table, and helpers.
 *
 * A command is a function that appends exactly one reply and returns what that said. Room for
 * COMMAND_ROOM bytes was reserved, so that a short reply (status, integer, short error) can't fail:
 * a command that changes something may do so first and then answer shortly; a longer reply comes
 * before the change. On a negative return the caller takes back what was appended.
 */
#ifndef MINI_REDIS_COMMAND_INTERNAL_H
#define MINI_REDIS_COMMAND_INTERNAL_H

#include "command.h"

enum { COMMAND_ROOM = 128 };

struct command_call {
    struct command_session *session;
    struct db *db;
    const struct resp_value *args; /* args[0] is the command's name */
    size_t count;                  /* of args */
    int64_t now;
    struct edo_bytes *out;
    const struct command *command;
};

struct command {
    const char *name; /* lower case; of a subcommand "client|id" */
    int (*run)(const struct command_call *call);
    int8_t arity; /* arguments with the name; negative: at least as many */
    char access;  /* 'r' reads keys, 'w' writes them, 'p' is of publishing, '-' neither */
    int8_t first_key, last_key;
    uint8_t name_length;
    bool always;                /* also while the client has subscriptions */
    const struct command *subs; /* its subcommands, up to one without a name */
};

/* Whether the argument is this word (lower case), whatever its case. */
bool command_is(const struct resp_value *arg, const char *word);

/* The argument as an integer; false when it is none, and then the error is the caller's to send. */
bool command_integer(const struct resp_value *arg, int64_t *integer);

static inline struct store_text command_text(const struct resp_value *arg)
{
    return (struct store_text){arg->text, arg->length};
}

/* For "%.*s": as much of the argument as Redis repeats in an error. */
enum { COMMAND_SHOWN = 128 };
static inline int command_shown(const struct resp_value *arg)
{
    return arg->length < COMMAND_SHOWN ? (int)arg->length : COMMAND_SHOWN;
}

/* Redis' errors that several commands give. */
int command_not_integer(const struct command_call *call);
int command_syntax_error(const struct command_call *call);
int command_wrong_arity(const struct command_call *call);
int command_unknown_sub(const struct command_call *call);
/* For a negative result of a call on the store. */
int command_store_error(const struct command_call *call, int error);

/* What was published to the client before comes before the reply: COMMAND_OK, or COMMAND_AGAIN, or no room. */
int command_messages_first(struct command_session *session, struct edo_bytes *out);

extern const struct command command_table[];
extern const size_t command_table_length;

/* The row of that name; NULL when there is none. */
const struct command *command_find(const struct resp_value *name);

/* command_keys.c */
int command_get(const struct command_call *call);
int command_set(const struct command_call *call);
int command_del(const struct command_call *call);
int command_exists(const struct command_call *call);
int command_type(const struct command_call *call);
int command_incr(const struct command_call *call);
int command_decr(const struct command_call *call);
int command_incrby(const struct command_call *call);
int command_decrby(const struct command_call *call);
int command_expire(const struct command_call *call);
int command_pexpire(const struct command_call *call);
int command_expireat(const struct command_call *call);
int command_pexpireat(const struct command_call *call);
int command_ttl(const struct command_call *call);
int command_pttl(const struct command_call *call);
int command_persist(const struct command_call *call);
int command_dbsize(const struct command_call *call);
int command_flush(const struct command_call *call);

/* command_server.c */
int command_ping(const struct command_call *call);
int command_echo(const struct command_call *call);
int command_quit(const struct command_call *call);
int command_reset(const struct command_call *call);
int command_select(const struct command_call *call);
int command_hello(const struct command_call *call);
int command_client_id(const struct command_call *call);
int command_client_getname(const struct command_call *call);
int command_client_setname(const struct command_call *call);
int command_client_setinfo(const struct command_call *call);
int command_config_get(const struct command_call *call);
int command_config_resetstat(const struct command_call *call);
int command_command(const struct command_call *call);
int command_command_count(const struct command_call *call);
int command_command_docs(const struct command_call *call);
int command_command_info(const struct command_call *call);
int command_command_list(const struct command_call *call);
int command_info(const struct command_call *call);
int command_attack(const struct command_call *call);

/* command_pubsub.c */
int command_publish(const struct command_call *call);
int command_subscribe(const struct command_call *call);
int command_unsubscribe(const struct command_call *call);
int command_psubscribe(const struct command_call *call);
int command_punsubscribe(const struct command_call *call);
int command_pubsub_channels(const struct command_call *call);
int command_pubsub_numsub(const struct command_call *call);
int command_pubsub_numpat(const struct command_call *call);

#endif
