/* SPDX-License-Identifier: MIT */
/* The commands: one parsed request in, one reply out.
 *
 *     struct command_session session;
 *     command_session_init(&session, &db, &pubsub, 1);
 *     …resp_parse said RESP_COMPLETE…
 *     int r = command_execute(&session, parser.values, now, &out);
 *     if (r == COMMAND_QUIT)
 *         …send what is in `out`, then close…
 *     else if (r == COMMAND_AGAIN)
 *         …send it, let other clients have their turn, then execute the same frame…
 *     else if (r < 0)
 *         …there was no room for the reply: close…
 *     …
 *     command_session_end(&session);
 *
 * Names, arities and error texts are those of Redis 7.0. What is there: PING ECHO QUIT RESET SELECT
 * HELLO CLIENT CONFIG COMMAND INFO; GET SET DEL EXISTS TYPE INCR DECR INCRBY DECRBY; EXPIRE PEXPIRE
 * EXPIREAT PEXPIREAT TTL PTTL PERSIST; DBSIZE FLUSHALL FLUSHDB; PUBLISH SUBSCRIBE UNSUBSCRIBE
 * PSUBSCRIBE PUNSUBSCRIBE PUBSUB. No KEYS: it can't be bounded.
 */
#ifndef MINI_REDIS_COMMAND_H
#define MINI_REDIS_COMMAND_H

#include <stdint.h>

#include "db.h"
#include "io/bytes.h"
#include "pubsub.h"
#include "resp.h"
#include "subscriber.h"

enum { COMMAND_NAME_MAX = 63 };

/* What a client has that outlives a command. The database and the topics are shared, and outlive it. */
struct command_session {
    struct db *db;
    struct pubsub *pubsub;
    struct subscriber *subscriber;   /* NULL: it has no subscriptions */
    _Atomic(int64_t) waits;          /* as of subscriber_new */
    uint64_t id;                     /* CLIENT ID */
    char name[COMMAND_NAME_MAX + 1]; /* CLIENT SETNAME; "" is none */
};

/* Makes a client's session; it allocates when something is subscribed to. */
void command_session_init(struct command_session *session, struct db *db, struct pubsub *pubsub,
                          uint64_t id);

/* Ends its subscriptions. It may go on to be used, and ended again. */
void command_session_end(struct command_session *session);

enum { COMMAND_OK, COMMAND_QUIT, COMMAND_REST, COMMAND_AGAIN };

/* Runs the command that resp_parse (RESP_COMMANDS) left at `frame` and appends its reply, which may
 * be an error, to `out`: behind what had been published to the client before. An empty frame has no
 * reply. `now` is Unix time in milliseconds.
 *
 * COMMAND_OK     the reply is in `out`.
 * COMMAND_QUIT   so is what there is to say; the client is to be closed when that is sent.
 * COMMAND_REST   as COMMAND_OK; it took long enough for other clients to have their turn now.
 * COMMAND_AGAIN  nothing was done: when what is in `out` is sent, and other clients have had their
 *                turn, it is to be run again.
 * -ENOMEM, -ENOBUFS  no room for the reply in `out`, and the store and the subscriptions are as they
 *                were: no command changes anything before its reply is sure. */
int command_execute(struct command_session *session, const struct resp_value *frame, int64_t now,
                    struct edo_bytes *out);

#endif
