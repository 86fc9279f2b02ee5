/* SPDX-License-Identifier: MIT */
/* Error codes: libuv's negative ones, which on Unix are -errno, and a few of our own.
 *
 *     if (output < 0)
 *         fprintf(stderr, "%s\n", edo_strerror(output));
 */
#ifndef EDO_RUNTIME_ERROR_H
#define EDO_RUNTIME_ERROR_H

enum {
    EDO_EPANIC = -5001,     /* the task panicked */
    EDO_ENORUNTIME = -5002, /* not inside a runtime */
    EDO_ENESTED = -5003,    /* inside a runtime's task already: blocking there would deadlock */
    EDO_ESHUTDOWN = -5004,  /* the runtime is gone */
};

/* The text for a code of ours or of libuv's; never NULL, not to be freed. Any thread. */
const char *edo_strerror(int error);

#endif
