/* SPDX-License-Identifier: MIT */
/* expect: gcc Werror=overflow | clang Werror,-Wswitch */
/* An await inside a switch in a handler of SELECT: docs/select.md shows it. */
#include "edo.h"

struct wrong {
    FUTURE(int);
    MPSC_RECEIVER(int) rx;
    int kind;
    struct edo_mpsc_recv recv;
    struct edo_sleep sleep;
};

ASYNC(wrong)
{
    ASYNC_BEGIN;
    SELECT {
        WHEN(self->recv, edo_mpsc_recv(self->rx, &self->kind)) {
#ifndef RIGHT
            switch (self->kind) {
            case 1:
                AWAIT(self->sleep, edo_sleep(1));
                break;
            default:
                break;
            }
#else
            if (self->kind == 1)
                AWAIT(self->sleep, edo_sleep(1));
#endif
        }
    }
    RETURN(0);
    ASYNC_END;
}

EDO_MAIN(NEW(wrong))
