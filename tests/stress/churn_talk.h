/* SPDX-License-Identifier: MIT */
/* A round's connections over loopback: who sends some lines and wants them back, and who sends them back. */
#ifndef EDO_TESTS_CHURN_TALK_H
#define EDO_TESTS_CHURN_TALK_H

#include "churn_round.h"

enum { CHURN_LINE = 64 };

/* Sends back what comes, on each connection, until it is aborted. */
struct churn_server {
    FUTURE(void);
    struct edo_tcp_listener *listener;
    struct edo_tcp_accept accept;
};
ASYNC_DECLARE(churn_server);

/* Over a connection of its own to the round's server. */
struct churn_talk {
    FUTURE(void);
    struct churn_round *round;
    uint32_t lines, number;
    char sent[CHURN_LINE], got[CHURN_LINE];
    struct edo_tcp *conn;
    union {
        struct edo_tcp_connect connect;
        struct edo_write_all write;
        struct edo_read_exact read;
    };
};
ASYNC_DECLARE(churn_talk);

#endif
