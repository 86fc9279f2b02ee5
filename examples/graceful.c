/* SPDX-License-Identifier: MIT */
/* A program that ends in order: on SIGINT it starts nothing new, and waits, with a bound, for what is
 * under way.
 *
 *     graceful [--demo]      --demo interrupts itself
 */
#include <signal.h>

#include "edo.h"

struct job {
    FUTURE(int);
    int number;
    struct edo_sleep sleep;
};

ASYNC(job)
{
    ASYNC_BEGIN;
    TRY_AWAIT(self->sleep, edo_sleep(25));
    printf("job %d is done\n", self->number);
    RETURN(0);
    ASYNC_END;
}

struct graceful {
    FUTURE(int);
    struct edo_completion_wait interrupt; /* an argument: a future, not polled yet */
    bool demo, stopping;
    int jobs;
    JOIN_HANDLE(int) last;
    struct edo_interval every;
    struct edo_interval_tick tick;
    struct edo_join join;
    struct edo_timeout timeout;
};

ASYNC(graceful)
{
    ASYNC_BEGIN;
    self->every = edo_interval(10);
    while (!self->stopping) {
        SELECT {
            WHEN_REF(self->interrupt) /* polled on in the next round when it loses */
            {
                self->stopping = true;
            }
            WHEN(self->tick, edo_interval_tick(&self->every)) {
                edo_task_detach(self->last);
                self->last = SPAWN(NEW(job, .number = ++self->jobs));
                if (self->demo && self->jobs == 3)
                    raise(SIGINT);
            }
        }
    }
    puts("stopping");
    self->join = edo_join(self->last, NULL); /* takes the handle */
    self->last = NULL;
    TRY_AWAIT(self->timeout, edo_timeout(1000, &self->join));
    puts("in order");
    RETURN(0);
ASYNC_FINALLY:
    DROP(self->interrupt);
    edo_task_detach(self->last);
    ASYNC_END;
}

static void on_interrupt(uv_signal_t *handle, int signum)
{
    (void)signum;
    edo_completion_complete(handle->data, 0);
    handle->data = NULL;
}

int main(int argc, char **argv)
{
    (void)argv;
    struct edo_runtime *runtime;
    struct edo_completion *interrupted = edo_completion_new(0);
    if (interrupted == NULL || edo_runtime_new(&runtime) < 0)
        return 1;
    uv_signal_t handle;
    uv_signal_init(edo_runtime_loop(runtime), &handle);
    handle.data = interrupted;
    uv_signal_start_oneshot(&handle, on_interrupt, SIGINT);
    struct graceful graceful =
        NEW(graceful, .interrupt = edo_completion_wait(interrupted), .demo = argc > 1);
    int error = edo_block_on(runtime, &graceful);
    if (handle.data != NULL)
        edo_completion_complete(handle.data, UV_ECANCELED);
    uv_close((uv_handle_t *)&handle, NULL);
    edo_runtime_drop(runtime);
    return error == 0 && graceful.output == 0 ? 0 : 1;
}
