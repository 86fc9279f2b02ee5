/* SPDX-License-Identifier: MIT */
/* expect: gcc incompatible-pointer-types|incompatible pointer type | clang incompatible-pointer-types|incompatible pointer types|incompatible-function-pointer-types */
/* A channel whose ends are of two types. */
#include "edo.h"

struct wrong {
    FUTURE(int);
    ONESHOT_SENDER(int) tx;
#ifndef RIGHT
    ONESHOT_RECEIVER(long) rx;
#else
    ONESHOT_RECEIVER(int) rx;
#endif
};

ASYNC(wrong)
{
    ASYNC_BEGIN;
    self->output = edo_oneshot(&self->tx, &self->rx);
ASYNC_FINALLY:
    edo_oneshot_sender_drop(self->tx);
    edo_oneshot_receiver_drop(self->rx);
    ASYNC_END;
}

EDO_MAIN(NEW(wrong))
