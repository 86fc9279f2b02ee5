/* SPDX-License-Identifier: MIT */
/* Edo in a libuv program: tasks run inside the program's own uv_run, beside its own timer and idle
 * handles, and await a callback of libuv's. */
#include "edo.h"

/* What the thread pool works on: it lives in the completion, as long as either side needs it. */
struct work {
    uv_work_t request;
    unsigned n;
    uint64_t sum;
};

static void work_run(uv_work_t *request)
{
    struct work *work = (struct work *)request;
    for (unsigned i = 1; i <= work->n; i++)
        work->sum += i;
}

static void work_done(uv_work_t *request, int status)
{
    edo_completion_complete(request->data, status);
}

struct add_up {
    FUTURE(int);
    uv_loop_t *loop;
    unsigned n;
    struct edo_completion *done;
    struct edo_completion_wait wait;
    struct edo_sleep sleep;
};

ASYNC(add_up)
{
    struct work *work;
    int error;
    ASYNC_BEGIN;
    self->done = edo_completion_new(sizeof *work);
    if (self->done == NULL)
        RETURN(UV_ENOMEM);
    work = edo_completion_data(self->done);
    work->n = self->n;
    work->request.data = edo_completion_hold(self->done); /* ours, to read the sum later */
    error = uv_queue_work(self->loop, &work->request, work_run, work_done);
    if (error < 0)
        edo_completion_complete(self->done, error);
    TRY_AWAIT(self->wait, edo_completion_wait(self->done));
    work = edo_completion_data(self->done);
    printf("task: the sum up to %u is %llu\n", work->n, (unsigned long long)work->sum);
    TRY_AWAIT(self->sleep, edo_sleep(30));
    puts("task: slept");
ASYNC_FINALLY:
    if (self->done != NULL)
        edo_completion_drop(self->done);
    ASYNC_END;
}

/* The program's own handles. */
struct program {
    uv_timer_t timer;
    uv_idle_t idle;
    unsigned ticks, turns;
};

static void on_idle(uv_idle_t *idle)
{
    struct program *program = idle->data;
    if (++program->turns == 100)
        uv_close((uv_handle_t *)idle, NULL);
}

static void on_timer(uv_timer_t *timer)
{
    struct program *program = timer->data;
    printf("timer: tick %u\n", ++program->ticks);
    if (program->ticks == 3)
        uv_close((uv_handle_t *)timer, NULL);
}

int main(void)
{
    uv_loop_t loop;
    struct edo_runtime *runtime;
    struct program program = {.ticks = 0};
    if (uv_loop_init(&loop) < 0 || edo_runtime_attach(&loop, &runtime) < 0)
        return 1;
    uv_timer_init(&loop, &program.timer);
    uv_idle_init(&loop, &program.idle);
    program.timer.data = program.idle.data = &program;
    uv_timer_start(&program.timer, on_timer, 10, 10);
    uv_idle_start(&program.idle, on_idle);
    SPAWN_DETACHED_ON(edo_runtime_handle(runtime), NEW(add_up, .loop = &loop, .n = 1000));

    uv_run(&loop, UV_RUN_DEFAULT); /* ends with the last handle and the last task */
    printf("idle: %u turns\n", program.turns);
    edo_runtime_drop(runtime);
    uv_run(&loop, UV_RUN_DEFAULT); /* closes what Edo had on the loop */
    int error = uv_loop_close(&loop);
    printf("closed: %d\n", error);
    return error == 0 ? 0 : 1;
}
