/* SPDX-License-Identifier: MIT */
/* The last value, to many. */
#include "bench.h"

enum { RECEIVERS = 8, TURN = 256 };

struct looker {
    FUTURE(uint64_t);
    WATCH_RECEIVER(uint64_t) rx;
    uint64_t last;
    struct edo_watch_changed changed;
};

/* The last value that it saw: some are passed over, the last one is not. */
ASYNC(looker)
{
    ASYNC_BEGIN;
    for (;;) {
        AWAIT(self->changed, edo_watch_changed(self->rx));
        if (self->changed.output < 0)
            RETURN(self->last);
        const uint64_t *value = edo_watch_borrow_and_update(self->rx);
        self->last = *value;
        edo_watch_release(self->rx, value);
    }
ASYNC_FINALLY:
    edo_watch_receiver_drop(self->rx);
    ASYNC_END;
}

struct changer {
    FUTURE(int);
    WATCH_SENDER(uint64_t) tx;
    uint64_t n, i;
};

ASYNC(changer)
{
    ASYNC_BEGIN;
    for (; self->i < self->n; self->i++) {
        edo_watch_send(self->tx, &self->i);
        if (self->i % TURN == 0)
            YIELD_NOW();
    }
ASYNC_FINALLY:
    edo_watch_sender_drop(self->tx);
    ASYNC_END;
}

struct watch_1_8 {
    FUTURE(int);
    struct bench *bench;
    WATCH_SENDER(uint64_t) tx;
    WATCH_RECEIVER(uint64_t) rx;
    JOIN_HANDLE(uint64_t) handles[RECEIVERS];
    uint64_t zero, last;
    int i, right;
    struct edo_join join;
};

ASYNC(watch_1_8)
{
    ASYNC_BEGIN;
    self->output = edo_watch(&self->tx, &self->rx, &self->zero);
    if (self->output < 0)
        RETURN(self->output);
    bench_start(self->bench);
    for (int i = 0; i < RECEIVERS; i++)
        self->handles[i] = SPAWN(NEW(looker, .rx = edo_watch_receiver_clone(self->rx)));
    edo_watch_receiver_drop(self->rx);
    SPAWN_DETACHED(NEW(changer, .tx = self->tx, .n = self->bench->n));
    for (self->i = 0; self->i < RECEIVERS; self->i++) {
        TRY_AWAIT(self->join, edo_join(self->handles[self->i], &self->last));
        self->right += self->last == self->bench->n - 1;
    }
    bench_stop(self->bench, self->bench->n);
    RETURN(self->right == RECEIVERS ? 0 : UV_EIO);
    ASYNC_END;
}

BENCH(watch_1_8)
