/* SPDX-License-Identifier: MIT */
/* How long a test may take.
 *
 *     Test(exhaustive, select_of_four, .timeout = LONGER_UNDER_TSAN)
 *
 * Under ThreadSanitizer that is four minutes, where the others are done in some seconds, on a busy machine too: there it
 * is none of its own, which is what all have (timeout.c), and one that hangs is noticed soon. */
#ifndef EDO_TESTS_SUPPORT_LIMITS_H
#define EDO_TESTS_SUPPORT_LIMITS_H

#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define LONGER_UNDER_TSAN 240
#endif
#endif
#ifdef __SANITIZE_THREAD__
#define LONGER_UNDER_TSAN 240
#endif
#ifndef LONGER_UNDER_TSAN
#define LONGER_UNDER_TSAN 0
#endif

#endif
