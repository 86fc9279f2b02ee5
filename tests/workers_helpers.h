/* SPDX-License-Identifier: MIT */
/* What the tests of runtimes and workers share: tasks that count their ends, and a worker that is held in a poll. */
#ifndef EDO_TESTS_WORKERS_HELPERS_H
#define EDO_TESTS_WORKERS_HELPERS_H

#include <semaphore.h>
#include <time.h>

#include "io_helpers.h"

#define MULTI(n) .flavor = EDO_MULTI_THREAD, .worker_threads = (n)

HELPER _Atomic(int) finals, ran;

struct work {
    FUTURE(int);
    int yields, result;
};

ASYNC(work)
{
    ASYNC_BEGIN;
    ++ran;
    while (self->yields-- > 0)
        YIELD_NOW();
    RETURN(self->result);
ASYNC_FINALLY:
    ++finals;
    ASYNC_END;
}

HELPER void wait_for(sem_t *semaphore)
{
    while (sem_wait(semaphore) != 0)
        ;
}

HELPER void nap(uint64_t ms)
{
    struct timespec time = {.tv_sec = (time_t)(ms / 1000), .tv_nsec = (long)(ms % 1000 * MS)};
    nanosleep(&time, NULL);
}

HELPER bool is_main_thread(void)
{
    return gettid() == getpid();
}

HELPER struct edo_runtime *multi(uint32_t workers)
{
    struct edo_runtime *runtime;
    cr_assert_eq(edo_runtime_new(&runtime, MULTI(workers)), 0);
    return runtime;
}

/* A worker that is held in a poll until it is let go: what is spawned meanwhile does not begin, where it is the
 * only one. */
struct gate {
    sem_t entered, open;
};

HELPER void gate_init(struct gate *gate)
{
    sem_init(&gate->entered, 0, 0);
    sem_init(&gate->open, 0, 0);
}

struct gatekeeper {
    FUTURE(int);
    struct gate *gate;
    bool suspends;
};
HELPER ASYNC_DECLARE(gatekeeper);

ASYNC(gatekeeper)
{
    ASYNC_BEGIN;
    sem_post(&self->gate->entered);
    wait_for(&self->gate->open);
    while (self->suspends) {
        YIELD_NOW();
    }
    RETURN(3);
ASYNC_FINALLY:
    ++finals;
    ASYNC_END;
}

struct meets {
    FUTURE(int);
    struct edo_barrier *barrier;
    struct edo_barrier_wait wait;
    struct edo_sleep sleep;
};
HELPER ASYNC_DECLARE(meets);

ASYNC(meets)
{
    ASYNC_BEGIN;
    AWAIT(self->wait, edo_barrier_wait(self->barrier));
    AWAIT(self->sleep, edo_sleep(1));
    RETURN(self->wait.output);
    ASYNC_END;
}

struct posts {
    FUTURE(int);
    sem_t *semaphore;
    struct edo_sleep sleep;
};
HELPER ASYNC_DECLARE(posts);

ASYNC(posts)
{
    ASYNC_BEGIN;
    AWAIT(self->sleep, edo_sleep(1));
    sem_post(self->semaphore);
    ASYNC_END;
}

struct panics {
    FUTURE(int);
};
HELPER ASYNC_DECLARE(panics);

ASYNC(panics)
{
    ASYNC_BEGIN;
    YIELD_NOW();
    PANIC("no more than %d", 3);
ASYNC_FINALLY:
    ++finals;
    ASYNC_END;
}

HELPER _Atomic(int) ends_elsewhere;

struct spawns_at_its_end {
    FUTURE(int);
    int more;
    struct edo_sleep sleep;
};
HELPER ASYNC_DECLARE(spawns_at_its_end);

ASYNC(spawns_at_its_end)
{
    ASYNC_BEGIN;
    AWAIT(self->sleep, edo_sleep(1000000));
ASYNC_FINALLY:
    ++finals;
    ends_elsewhere += is_main_thread() || edo_handle_current() == NULL;
    if (self->more > 0)
        edo_task_detach(SPAWN(NEW(spawns_at_its_end, .more = self->more - 1)));
    ASYNC_END;
}

HELPER int one_more(void *arg)
{
    return ++*(int *)arg;
}

#endif
