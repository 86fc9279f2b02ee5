/* SPDX-License-Identifier: MIT */
/* Assertions on other threads than the test's: workers of a runtime, say.
 *
 * A failed cr_assert leaves the test by a long jump to where it began, which is on the main thread's stack.
 * Elsewhere the process ends instead, having said what failed: a crash, which no test passes by. Assertions
 * that hold, and cr_expect, are the same on every thread.
 */
#include <criterion/criterion.h>
#include <dlfcn.h>
#include <stdlib.h>
#include <unistd.h>

/* In place of Criterion's own, which the assertions call. */
void criterion_abort_test(void)
{
    if (gettid() != getpid())
        abort();
    void (*jump)(void) = (void (*)(void))dlsym(RTLD_NEXT, "criterion_abort_test");
    jump();
    abort();
}
