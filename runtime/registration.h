/* SPDX-License-Identifier: MIT */
/* What futures that wait for a descriptor have in them. The rest of it is ours: registration_internal.h. */
#ifndef EDO_RUNTIME_REGISTRATION_H
#define EDO_RUNTIME_REGISTRATION_H

#include <stdbool.h>
#include <stdint.h>

#include "../internal/list.h"
#include "../poll.h"

enum edo_interest {
    EDO_READABLE = 1,
    EDO_WRITABLE = 2,
};

/* Part of a future that waits for a descriptor; zero when it does not. */
struct edo_io_waiter {
    struct edo_list link;
    struct edo_waker *waker;
    uint8_t interest; /* not 0: it has waited, and keeps the registration's memory */
};

#endif
