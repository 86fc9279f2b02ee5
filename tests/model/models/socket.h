/* SPDX-License-Identifier: MIT */
/* A descriptor for models: whether it is readable, and what a system call on it touches. */
#ifndef EDO_TESTS_MODEL_SOCKET_H
#define EDO_TESTS_MODEL_SOCKET_H

#include "tests/model/model.h"

enum { FD = 100 };

static _Atomic(int) readable;
/* What a system call on the descriptor touches: it is ordered against its closing. */
static int socket_, closings;

static int socket_ready(int fd)
{
    return fd == FD ? edo_fetch_or(&readable, 0, seq_cst) : 0;
}

static void socket_closed(int fd)
{
    if (fd != FD)
        return;
    socket_ = -1;
    closings++;
}

static void socket_open(void)
{
    static const struct model_descriptors descriptors = {socket_ready, socket_closed};
    model_descriptors = &descriptors;
}

#endif
