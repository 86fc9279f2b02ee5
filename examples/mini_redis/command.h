/* SPDX-License-Identifier: MIT */
/* The commands: one parsed request in, one reply out.
 *
 *     struct command_session session;
 *     command_session_init(&session, &store, 1);
 *     …resp_parse said RESP_COMPLETE…
 *     int r = command_execute(&session, parser.values, now, &out);
 *     if (r == COMMAND_QUIT)
 *         …send what is in `out`, then close…
 *     else if (r < 0)
 *         …there was no room for the reply: close…
 *
 * Names, arities and error texts are those of Redis 7.0. What is there: PING ECHO QUIT SELECT HELLO
 * CLIENT CONFIG COMMAND INFO; GET SET DEL EXISTS TYPE INCR DECR INCRBY DECRBY; EXPIRE PEXPIRE
 * EXPIREAT PEXPIREAT TTL PTTL PERSIST; DBSIZE FLUSHALL FLUSHDB. No KEYS: it can't be bounded.
 */
#ifndef MINI_REDIS_COMMAND_H
#define MINI_REDIS_COMMAND_H

#include <stdint.h>

#include "io/bytes.h"
#include "resp.h"
#include "store.h"

enum { COMMAND_NAME_MAX = 63 };

/* What a client has that outlives a command. The store is shared and outlives it. */
struct command_session {
    struct store *store;
    uint64_t id;                     /* CLIENT ID */
    char name[COMMAND_NAME_MAX + 1]; /* CLIENT SETNAME; "" is none */
};

/* Makes a client's session; nothing to free. */
void command_session_init(struct command_session *session, struct store *store, uint64_t id);

enum { COMMAND_OK = 0, COMMAND_QUIT = 1 };

/* Runs the command that resp_parse (RESP_COMMANDS) left at `frame` and appends its reply, which may
 * be an error, to `out`. An empty frame has no reply. `now` is Unix time in milliseconds.
 *
 * COMMAND_OK     the reply is in `out`.
 * COMMAND_QUIT  so is what there is to say; the client is to be closed when that is sent.
 * -ENOMEM, -ENOBUFS  no room for the reply in `out`, which is as it was, and so is the store: no
 *                command changes anything before its reply is sure. */
int command_execute(struct command_session *session, const struct resp_value *frame, int64_t now,
                    struct edo_bytes *out);

#endif
