/* SPDX-License-Identifier: MIT */
/* expect: gcc type is not what the handle carries | clang type is not what the handle carries */
/* A message of an async_channel received into another type. */
#include "edo.h"

struct wrong {
    FUTURE(int);
    ASYNC_RECEIVER(int) rx;
#ifndef RIGHT
    unsigned message;
#else
    int message;
#endif
    struct edo_async_recv recv;
};

ASYNC(wrong)
{
    ASYNC_BEGIN;
    AWAIT(self->recv, edo_async_recv(self->rx, &self->message));
    RETURN((int)self->message);
    ASYNC_END;
}

EDO_MAIN(NEW(wrong))
