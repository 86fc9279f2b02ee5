/* SPDX-License-Identifier: MIT */
/* expect: gcc _Generic.* selector | clang controlling expression type */
/* Writing to the half of a connection that reads. */
#include "edo.h"

struct wrong {
    FUTURE(int);
    struct edo_tcp *conn;
    struct edo_write write;
};

ASYNC(wrong)
{
    ASYNC_BEGIN;
#ifndef RIGHT
    AWAIT(self->write, edo_write(edo_tcp_reader(self->conn), "x", 1));
#else
    AWAIT(self->write, edo_write(edo_tcp_writer(self->conn), "x", 1));
#endif
    RETURN(0);
    ASYNC_END;
}

EDO_MAIN(NEW(wrong))
