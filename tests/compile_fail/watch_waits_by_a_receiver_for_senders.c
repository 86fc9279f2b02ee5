/* SPDX-License-Identifier: MIT */
/* expect: gcc not a handle of the kind that this function takes | clang not a handle of the kind that this function takes */
/* A receiver that waits for the receivers to go. */
#include "edo.h"

struct wrong {
    FUTURE(int);
    WATCH_SENDER(int) tx;
    WATCH_RECEIVER(int) rx;
    struct edo_watch_closed closed;
};

ASYNC(wrong)
{
    ASYNC_BEGIN;
#ifndef RIGHT
    AWAIT(self->closed, edo_watch_closed(self->rx));
#else
    AWAIT(self->closed, edo_watch_closed(self->tx));
#endif
    RETURN(0);
    ASYNC_END;
}

EDO_MAIN(NEW(wrong))
