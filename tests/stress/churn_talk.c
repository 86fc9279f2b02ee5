/* SPDX-License-Identifier: MIT */
#include "churn_talk.h"

#include <stdio.h>
#include <string.h>

struct serve {
    FUTURE(void);
    struct edo_tcp *conn;
    char line[CHURN_LINE];
    union {
        struct edo_read read;
        struct edo_write_all write;
    };
};

ASYNC(serve)
{
    ASYNC_BEGIN;
    for (;;) {
        AWAIT(self->read, edo_read(self->conn, self->line, sizeof self->line));
        if (self->read.output <= 0)
            RETURN();
        AWAIT(self->write, edo_write_all(self->conn, self->line, (size_t)self->read.output));
        if (self->write.output < 0)
            RETURN();
    }
ASYNC_FINALLY:
    edo_tcp_close(self->conn);
    ASYNC_END;
}

ASYNC_EXTERN(churn_server)
{
    ASYNC_BEGIN;
    for (;;) {
        AWAIT(self->accept, edo_tcp_accept(self->listener));
        if (self->accept.output < 0)
            RETURN();
        edo_task_detach(SPAWN(NEW(serve, .conn = self->accept.stream)));
    }
ASYNC_FINALLY:
    edo_tcp_listener_close(self->listener);
    ASYNC_END;
}

ASYNC_EXTERN(churn_talk)
{
    ASYNC_BEGIN;
    AWAIT(self->connect, edo_tcp_connect(&self->round->addr));
    if (self->connect.output < 0) {
        EXPECT(self->round, edo_load(&self->round->ending, relaxed), "connect: %s",
               edo_strerror(self->connect.output));
        RETURN();
    }
    self->conn = self->connect.stream;
    /* No port is kept for a connection that has ended. */
    edo_tcp_set_linger(self->conn, 0);
    while (self->lines-- > 0) {
        snprintf(self->sent, sizeof self->sent, "%u of %u", self->lines, self->number);
        AWAIT(self->write, edo_write_all(self->conn, self->sent, sizeof self->sent));
        if (self->write.output < 0)
            break;
        AWAIT(self->read, edo_read_exact(self->conn, self->got, sizeof self->got));
        if (self->read.output < 0)
            break;
        EXPECT(self->round, memcmp(self->sent, self->got, CHURN_LINE) == 0,
               "another's line came back");
        edo_fetch_add(&self->round->connections, self->lines == 0, relaxed);
    }
    EXPECT(self->round, (int)self->lines == -1 || edo_load(&self->round->ending, relaxed),
           "a connection broke");
ASYNC_FINALLY:
    edo_tcp_close(self->conn);
    ASYNC_END;
}
