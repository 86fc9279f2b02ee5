/* SPDX-License-Identifier: MIT */
/* Work that goes on behind a program without futures: a multi-thread runtime runs its tasks on a thread of
 * its own, whatever the program does meanwhile. SPAWN_ON takes any thread's call, and edo_block_on waits for
 * what became of a task, as for any other future. A current-thread runtime would do nothing between two
 * calls of edo_block_on.
 */
#include <stdlib.h>

#include "edo.h"

enum { JOBS = 5, LONGEST_MS = 100 };

struct job {
    FUTURE(int); /* what it has found */
    int number;
    struct edo_sleep sleep;
};

/* Some work; the later ones are quicker. */
ASYNC(job)
{
    ASYNC_BEGIN;
    TRY_AWAIT(self->sleep, edo_sleep(LONGEST_MS - (uint64_t)self->number * 15));
    RETURN(self->number * self->number);
    ASYNC_END;
}

/* The program. The jobs end from the last to the first; who waits for the first finds the others done. */
static int work(struct edo_runtime *runtime)
{
    JOIN_HANDLE(int) jobs[JOBS];
    int sum = 0, error = 0;
    for (int i = 0; i < JOBS; i++)
        jobs[i] = SPAWN_ON(edo_runtime_handle(runtime), NEW(job, .number = i));

    puts("the program has other things to do");

    for (int i = 0; i < JOBS; i++) {
        int found = 0;
        struct edo_join join =
            edo_join(jobs[i], &found); /* takes the handle, whatever becomes of it */
        int blocked = edo_block_on(runtime, &join);
        if (error == 0)
            error = blocked < 0 ? blocked : join.output < 0 ? join.output : found < 0 ? found : 0;
        sum += found;
    }
    if (error == 0)
        printf("%d jobs have found %d\n", JOBS, sum);
    return error;
}

int main(void)
{
    struct edo_runtime *runtime;
    int error = edo_runtime_new(&runtime, .flavor = EDO_MULTI_THREAD, .worker_threads = 1);
    if (error == 0) {
        error = work(runtime);
        edo_runtime_drop(runtime);
    }
    if (error < 0)
        fprintf(stderr, "background: %s\n", edo_strerror(error));
    return error < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
