/* SPDX-License-Identifier: MIT */
/* expect: gcc type is not what the handle carries | clang type is not what the handle carries */
/* A long sent down a channel of int. */
#include "edo.h"

struct wrong {
    FUTURE(int);
    ONESHOT_SENDER(int) tx;
    ONESHOT_RECEIVER(int) rx;
};

ASYNC(wrong)
{
    ASYNC_BEGIN;
    self->output = edo_oneshot(&self->tx, &self->rx);
    if (self->output < 0)
        RETURN(self->output);
#ifndef RIGHT
    long answer = 42;
#else
    int answer = 42;
#endif
    edo_oneshot_send(self->tx, &answer);
ASYNC_FINALLY:
    edo_oneshot_receiver_drop(self->rx);
    ASYNC_END;
}

EDO_MAIN(NEW(wrong))
