/* SPDX-License-Identifier: MIT */
/* Error codes: libuv's negative ones, which on Unix are -errno, and a few of our own. What they mean
 * in words: edo_strerror (runtime/strerror.h). */
#ifndef EDO_ERROR_H
#define EDO_ERROR_H

#include <errno.h>

enum {
    EDO_EPANIC = -5001,     /* the task panicked */
    EDO_ENORUNTIME = -5002, /* not inside a runtime */
    EDO_ENESTED = -5003,    /* inside a runtime's task already: blocking there would deadlock */
    EDO_ESHUTDOWN = -5004,  /* the runtime is gone */
    EDO_ECLOSED = -5005,    /* the channel, or the semaphore, is closed */
    EDO_ELAGGED = -5006,    /* the receiver was too slow: messages are gone */
};

#endif
