/* SPDX-License-Identifier: MIT */
/* Error codes in words.
 *
 *     if (output < 0)
 *         fprintf(stderr, "%s\n", edo_strerror(output));
 */
#ifndef EDO_RUNTIME_STRERROR_H
#define EDO_RUNTIME_STRERROR_H

#include "../error.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The text for a code of ours or of libuv's; never NULL, not to be freed. Any thread. */
const char *edo_strerror(int error);

#ifdef __cplusplus
}
#endif

#endif
