/* SPDX-License-Identifier: MIT */
/* Glob patterns as Redis has them: * ? [abc] [a-z] [^a] \x.
 *
 *     struct glob *glob = glob_new("news.*", 6);
 *     if (glob_match(glob, "news.edo", 8))
 *         …
 *     glob_free(glob);
 *
 * A pattern is translated once, and then looks at each byte of a text once, at the cost of one step
 * for 64 bytes of the pattern: no pattern makes it slow, since nothing is tried and taken back.
 * (Baeza-Yates and Gonnet, "A new approach to text searching", 1992.)
 *
 * Bytes are unsigned. Redis' own ways are kept: a class that does not end ends with the pattern, []
 * matches nothing, [^] anything, and an empty text only the empty pattern.
 */
#ifndef MINI_REDIS_GLOB_H
#define MINI_REDIS_GLOB_H

#include <stdbool.h>
#include <stddef.h>

enum { GLOB_MAX = 255 };

struct glob;

/* Of a pattern of at most GLOB_MAX bytes; NULL without memory. The caller's, who frees it. */
struct glob *glob_new(const char *pattern, size_t length);
void glob_free(struct glob *glob);

/* Its memory in bytes: some 2 KiB for each 64 bytes of pattern. */
size_t glob_size(const struct glob *glob);

/* Whether the whole text is as the pattern says. */
bool glob_match(const struct glob *glob, const char *text, size_t length);

#endif
