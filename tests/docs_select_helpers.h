/* SPDX-License-Identifier: MIT */
/* What the programs of docs/select.md share. */
#ifndef EDO_TESTS_DOCS_SELECT_HELPERS_H
#define EDO_TESTS_DOCS_SELECT_HELPERS_H

#include "io_helpers.h"

/* Sends numbers, so many milliseconds apart. */
struct sends {
    FUTURE(void);
    MPSC_SENDER(int) tx;
    int from, to;
    uint64_t ms;
    struct edo_sleep sleep;
    struct edo_mpsc_send send;
};

ASYNC(sends)
{
    ASYNC_BEGIN;
    for (; self->from < self->to; self->from++) {
        AWAIT(self->sleep, edo_sleep(self->ms));
        AWAIT(self->send, edo_mpsc_send(self->tx, &self->from));
    }
ASYNC_FINALLY:
    edo_mpsc_sender_drop(self->tx);
    ASYNC_END;
}

HELPER MPSC_RECEIVER(int) spawn_sends(int from, int to, uint64_t ms)
{
    MPSC_SENDER(int) tx;
    MPSC_RECEIVER(int) rx;
    cr_assert_eq(edo_mpsc(&tx, &rx, 8), 0);
    edo_task_detach(SPAWN(NEW(sends, .tx = tx, .from = from, .to = to, .ms = ms)));
    return rx;
}

#endif
