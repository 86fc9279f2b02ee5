/* SPDX-License-Identifier: MIT */
/* The program of docs/cancel-safety.md: a message that is taken before there is room for it. */
#include "docs_select_helpers.h"

struct passes {
    FUTURE(int);
    bool reserves;
    MPSC_RECEIVER(int) from;
    MPSC_SENDER(int) to;
    int n;
    MPSC_PERMIT(int) permit;
    struct edo_mpsc_recv recv;
    struct edo_mpsc_send send;
    struct edo_mpsc_reserve reserve;
};

ASYNC(passes)
{
    ASYNC_BEGIN;
    if (!self->reserves) {
        AWAIT(self->recv, edo_mpsc_recv(self->from, &self->n));
        if (self->recv.output < 0)
            RETURN(0);
        AWAIT(self->send, edo_mpsc_send(self->to, &self->n));
    } else {
        AWAIT(self->reserve, edo_mpsc_reserve(self->to, &self->permit));
        if (self->reserve.output < 0)
            RETURN(self->reserve.output);
        AWAIT(self->recv, edo_mpsc_recv(self->from, &self->n));
        if (self->recv.output < 0)
            RETURN(0);
        edo_mpsc_permit_send(&self->permit, &self->n);
    }
ASYNC_FINALLY:
    edo_mpsc_permit_release(&self->permit);
    ASYNC_END;
}

struct passes_in_time {
    FUTURE(int);
    bool reserves;
    MPSC_SENDER(int) tx1;
    MPSC_SENDER(int) tx2;
    MPSC_RECEIVER(int) rx1;
    MPSC_RECEIVER(int) rx2;
    struct passes passes;
    struct edo_timeout timeout;
};

ASYNC(passes_in_time)
{
    int n = 0;
    ASYNC_BEGIN;
    cr_assert_eq(edo_mpsc(&self->tx1, &self->rx1, 1), 0);
    cr_assert_eq(edo_mpsc(&self->tx2, &self->rx2, 1), 0);
    cr_assert_eq(edo_mpsc_try_send(self->tx1, &(int){7}), 0);
    cr_assert_eq(edo_mpsc_try_send(self->tx2, &(int){8}), 0, "it is full");
    self->passes = NEW(passes, .reserves = self->reserves, .from = self->rx1, .to = self->tx2);
    AWAIT(self->timeout, edo_timeout(10, &self->passes));
    cr_assert_eq(self->timeout.output, UV_ETIMEDOUT);
    RETURN(edo_mpsc_try_recv(self->rx1, &n) == 0 ? n : 0);
ASYNC_FINALLY:
    edo_mpsc_sender_drop(self->tx1);
    edo_mpsc_sender_drop(self->tx2);
    edo_mpsc_receiver_drop(self->rx1);
    edo_mpsc_receiver_drop(self->rx2);
    ASYNC_END;
}

Test(docs_select, the_room_first_and_then_the_message)
{
    cr_assert_eq(RUN_PAUSED(NEW(passes_in_time)), 0, "the message is gone");
    cr_assert_eq(RUN_PAUSED(NEW(passes_in_time, .reserves = true)), 7);
}
