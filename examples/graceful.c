/* SPDX-License-Identifier: MIT */
/* A program that ends in order. It takes three things:
 *
 *  1. to learn that it is time: a signal cancels a token;
 *  2. to tell everyone: each worker has the token, and looks at it where it can stop: what it has begun
 *     it finishes;
 *  3. to wait for them: a tracker knows when the last one has ended. With a bound: one that is stuck
 *     does not keep the program alive, the end of the runtime drops it where it is.
 *
 *     graceful [--demo]      until SIGINT; a second one ends it at once. --demo interrupts itself
 */
#include <signal.h>
#include <stdlib.h>

#include "edo.h"

enum { WORKERS = 3, PATIENCE_MS = 1000 };

struct worker {
    FUTURE(int);
    int number;
    struct edo_cancellation_token *token; /* its own handle */
    struct edo_interval every;
    struct edo_cancelled cancelled;
    struct edo_interval_tick tick;
    struct edo_sleep piece;
};

ASYNC(worker)
{
    ASYNC_BEGIN;
    self->every = edo_interval(100);
    for (;;) {
        SELECT_BIASED { /* where both are ready, the end goes before more work */
            WHEN(self->cancelled, edo_cancelled(self->token)) {
                printf("worker %d has put nothing down half done\n", self->number);
                RETURN(0);
            }
            WHEN(self->tick, edo_interval_tick(&self->every)) {
                /* A piece of work. Nothing else is waited for here: it comes to its end. */
                TRY_AWAIT(self->piece, edo_sleep(25));
            }
        }
    }
ASYNC_FINALLY:
    edo_cancellation_token_drop(self->token);
    ASYNC_END;
}

struct graceful {
    FUTURE(int);
    bool demo;
    struct edo_cancellation_token *token; /* the program's, as is the tracker */
    struct edo_task_tracker *tracker;
    struct edo_cancelled cancelled;
    struct edo_task_tracker_wait wait;
    struct edo_timeout timeout;
};

ASYNC(graceful)
{
    ASYNC_BEGIN;
    for (int i = 1; i <= WORKERS; i++)
        edo_task_detach(
            SPAWN_TRACKED(self->tracker, NEW(worker, .number = i,
                                             .token = edo_cancellation_token_clone(self->token))));
    puts("working");
    fflush(stdout); /* who is to interrupt it may be reading this */
    if (self->demo)
        raise(SIGINT);
    AWAIT(self->cancelled, edo_cancelled(self->token));
    puts("stopping");

    edo_task_tracker_close(self->tracker); /* there will be no more: the wait may end */
    self->wait = edo_task_tracker_wait(self->tracker);
    AWAIT(self->timeout, edo_timeout(PATIENCE_MS, &self->wait));
    if (self->timeout.output < 0) {
        printf("%zu did not end in time\n", edo_task_tracker_len(self->tracker));
        RETURN(self->timeout.output);
    }
    puts("in order");
    RETURN(0);
    ASYNC_END;
}

static void on_signal(uv_signal_t *handle, int signum)
{
    (void)signum;
    edo_cancellation_token_cancel(handle->data);
}

static int run_until_signal(struct edo_runtime *runtime, struct edo_cancellation_token *token,
                            bool demo)
{
    struct edo_task_tracker tracker;
    edo_task_tracker_init(&tracker);
    uv_signal_t handle;
    uv_signal_init(edo_runtime_loop(runtime), &handle);
    handle.data = token;
    uv_signal_start_oneshot(&handle, on_signal, SIGINT);

    struct graceful graceful = NEW(graceful, .demo = demo, .token = token, .tracker = &tracker);
    int error = edo_block_on(runtime, &graceful);

    uv_close((uv_handle_t *)&handle, NULL);
    edo_runtime_drop(runtime); /* drops who did not end in time: then nothing is tracked any more */
    edo_task_tracker_destroy(&tracker);
    return error < 0 ? error : graceful.output;
}

int main(int argc, char **argv)
{
    (void)argv;
    struct edo_runtime *runtime = NULL;
    struct edo_cancellation_token *token = edo_cancellation_token_new();
    int error = token == NULL ? UV_ENOMEM : edo_runtime_new(&runtime);
    if (error == 0)
        error = run_until_signal(runtime, token, argc > 1);
    edo_cancellation_token_drop(token);
    if (error < 0)
        fprintf(stderr, "graceful: %s\n", edo_strerror(error));
    return error == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
