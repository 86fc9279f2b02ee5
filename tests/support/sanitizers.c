/* SPDX-License-Identifier: MIT */
/* The sanitizers' options, built into the test binaries.
 *
 * Criterion runs each test in a child whose result is sent before the child exits, so a report that
 * comes at exit (a leak) or that only prints (a race) would pass. An abort is noticed. The tests
 * themselves may die of SIGSEGV or abort on purpose: those two signals stay Criterion's.
 */
#include <stddef.h>

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define HAS_ASAN 1
#endif
#if __has_feature(thread_sanitizer)
#define HAS_TSAN 1
#endif
#endif
#ifdef __SANITIZE_ADDRESS__
#define HAS_ASAN 1
#endif
#ifdef __SANITIZE_THREAD__
#define HAS_TSAN 1
#endif

#ifdef HAS_ASAN
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
    return "abort_on_error=1:handle_segv=0:handle_abort=0:detect_stack_use_after_return=1";
}

/* Criterion's process, which is in no test, now and then loses the timeout of one that has just ended, 48 bytes: all
 * would have passed, and the run fail. A soak has no Criterion. */
struct criterion_test;
extern const struct criterion_test *const criterion_current_test __attribute__((weak));
int __lsan_is_turned_off(void);
int __lsan_is_turned_off(void)
{
    return &criterion_current_test != NULL && criterion_current_test == NULL;
}

const char *__ubsan_default_options(void);
const char *__ubsan_default_options(void)
{
    return "print_stacktrace=1";
}
#endif

#ifdef HAS_TSAN
const char *__tsan_default_options(void);
const char *__tsan_default_options(void)
{
    return "halt_on_error=1:abort_on_error=1:handle_segv=0:second_deadlock_stack=1";
}
#endif

/* A file may not be empty. */
extern int edo_test_sanitizers;
int edo_test_sanitizers;
