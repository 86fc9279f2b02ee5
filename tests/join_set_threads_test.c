/* SPDX-License-Identifier: MIT */
/* Join sets whose tasks end on other threads: other runtimes, and workers. */
#include <pthread.h>

#include "join_set_helpers.h"

/* Other threads: each runs a runtime until it is told to stop, or for as long as the test lets it. */
struct side {
    pthread_t thread;
    struct edo_runtime *runtime;
    struct edo_notify stop;
};

SCENE(side_root, struct edo_notify *stop; struct edo_notified notified;)
{
    ASYNC_BEGIN;
    AWAIT(self->notified, edo_notified(self->stop));
    ASYNC_END;
}

static void *side_run(void *arg)
{
    struct side *side = arg;
    struct side_root root = NEW(side_root, .stop = &side->stop);
    cr_assert_eq(edo_block_on(side->runtime, &root), 0);
    return NULL;
}

static void side_start(struct side *side)
{
    cr_assert_eq(edo_runtime_new(&side->runtime), 0);
    edo_notify_init(&side->stop);
    cr_assert_eq(pthread_create(&side->thread, NULL, side_run, side), 0);
}

static void side_stop(struct side *side)
{
    edo_notify_one(&side->stop);
    pthread_join(side->thread, NULL);
    edo_runtime_drop(side->runtime);
    edo_notify_destroy(&side->stop);
}

static const struct edo_builder plain;

enum { SIDES = 2, TASKS = 2000 };

/* Without sides: this runtime, whose workers are threads enough. */
static struct edo_handle *a_side(struct side *sides, int i)
{
    i %= SIDES + 1;
    return i == SIDES || sides == NULL ? edo_handle_current()
                                       : edo_runtime_handle(sides[i].runtime);
}

/* Spawns on its own runtime and on those of the other threads, by turns. */
SCENE(spread, JOIN_SET(int) set; struct side * sides; int i; int value; long sum; int ended;
      struct edo_join_set_join_next next;)
{
    ASYNC_BEGIN;
    for (self->i = 0; self->i < TASKS; self->i++) {
        cr_assert_eq(edo_join_set_spawn_on(&self->set, a_side(self->sides, self->i),
                                           NEW(work, .yields = self->i % 4, .result = self->i)),
                     0);
        /* Some are joined on the way. */
        if (self->i % 3 == 0) {
            AWAIT(self->next, edo_join_set_join_next(&self->set, &self->value));
            cr_assert_eq(self->next.output, 0);
            self->sum += self->value;
            self->ended++;
        }
    }
    for (;;) {
        AWAIT(self->next, edo_join_set_join_next(&self->set, &self->value));
        if (self->next.output == UV_EOF)
            break;
        cr_assert_eq(self->next.output, 0);
        self->sum += self->value;
        self->ended++;
    }
    cr_assert_eq(self->ended, TASKS);
    cr_assert_eq(self->sum, (long)TASKS * (TASKS - 1) / 2);
ASYNC_FINALLY:
    edo_join_set_drop(&self->set);
    ASYNC_END;
}

Test(join_set, tasks_end_on_other_threads)
{
    struct baseline start = baseline();
    struct side sides[SIDES];
    for (int i = 0; i < SIDES; i++)
        side_start(&sides[i]);
    struct spread spread = NEW(spread, .sides = sides);
    run_in(&plain, &spread.future_);
    for (int i = 0; i < SIDES; i++)
        side_stop(&sides[i]);
    check_baseline(&start);
}

/* Sets are let go of, in each way, while tasks end on other threads. */
SCENE(rounds, JOIN_SET(int) set; struct side * sides; int rounds; int round; int i; int spawned;
      struct edo_join_set_join_next next; struct edo_join_set_shutdown shutdown;
      struct edo_timeout timeout;)
{
    ASYNC_BEGIN;
    for (; self->round < self->rounds; self->round++) {
        for (self->i = 0; self->i < 8; self->i++) {
            self->spawned++;
            cr_assert_eq(edo_join_set_spawn_on(&self->set, a_side(self->sides, self->i % SIDES),
                                               NEW(work, .yields = self->i * self->round % 5)),
                         0);
        }
        for (self->i = 0; self->i < self->round % 5; self->i++)
            AWAIT(self->next, edo_join_set_join_next(&self->set, NULL));
        for (self->i = 0; self->i < self->round % 7; self->i++)
            YIELD_NOW();
        switch (self->round % 4) {
        case 0:
            edo_join_set_drop(&self->set);
            break;
        case 1:
            edo_join_set_detach_all(&self->set);
            break;
        case 2:
            /* Leaves its waker, or is ready. */
            self->next = edo_join_set_join_next(&self->set, NULL);
            if (edo_future_poll(&self->next.future_, cx) == EDO_PENDING)
                DROP(self->next);
            edo_join_set_drop(&self->set);
            break;
        default:
            edo_join_set_abort_all(&self->set);
            break;
        }
        if (self->round % 4 == 3) {
            AWAIT(self->shutdown, edo_join_set_shutdown(&self->set));
            cr_assert(edo_join_set_is_empty(&self->set));
        }
    }
    RETURN(self->spawned);
ASYNC_FINALLY:
    edo_join_set_drop(&self->set);
    ASYNC_END;
}

Test(join_set, one_is_let_go_of_while_tasks_end_on_other_threads)
{
    struct baseline start = baseline();
    struct side sides[SIDES];
    for (int i = 0; i < SIDES; i++)
        side_start(&sides[i]);
    finals_begin();
    struct rounds rounds = NEW(rounds, .sides = sides, .rounds = 2000);
    run_in(&plain, &rounds.future_);
    for (int i = 0; i < SIDES; i++)
        side_stop(&sides[i]);
    cr_assert_eq(finals_now(), rounds.output, "each ended, one way or another");
    check_baseline(&start);
}

/* The runtimes of the tasks are dropped while their outcomes are joined. */
SCENE(joins_the_rest, JOIN_SET(int) * set; int ended; int aborted; int value;
      struct edo_join_set_join_next next;)
{
    ASYNC_BEGIN;
    for (;;) {
        AWAIT(self->next, edo_join_set_join_next(self->set, &self->value));
        if (self->next.output == UV_EOF)
            break;
        cr_assert(self->next.output == 0 || self->next.output == UV_ECANCELED);
        self->aborted += self->next.output == UV_ECANCELED;
        self->ended++;
    }
    cr_assert_geq(self->aborted, 10);
    RETURN(self->ended);
    ASYNC_END;
}

static void *side_stops(void *arg)
{
    side_stop(arg);
    return NULL;
}

Test(join_set, tasks_whose_runtime_ends_are_joined_as_aborted)
{
    struct baseline start = baseline();
    struct side side;
    side_start(&side);
    JOIN_SET(int) set = NULL;
    for (int i = 0; i < 100; i++)
        cr_assert_eq(edo_join_set_spawn_on(&set, edo_runtime_handle(side.runtime),
                                           i % 10 == 0 ? FOREVER : NEW(work, .yields = i)),
                     0);
    pthread_t thread;
    cr_assert_eq(pthread_create(&thread, NULL, side_stops, &side), 0);
    struct edo_runtime *runtime;
    cr_assert_eq(edo_runtime_new(&runtime), 0);
    struct joins_the_rest rest = NEW(joins_the_rest, .set = &set);
    cr_assert_eq(edo_block_on(runtime, &rest), 0);
    cr_assert_eq(rest.output, 100);
    edo_join_set_drop(&set);
    edo_runtime_drop(runtime);
    pthread_join(thread, NULL);
    check_baseline(&start);
}

/* The runtime of many threads. */

static const uint32_t crews[] = {1, 2, 8};
/* With the census as it was afterwards. */
#define RUN_BY(workers, ...)                                                                      \
    __extension__({                                                                               \
        struct baseline start_ = baseline();                                                      \
        __typeof__((__VA_ARGS__)) by_ = (__VA_ARGS__);                                            \
        run_in(                                                                                   \
            &(const struct edo_builder){.flavor = EDO_MULTI_THREAD, .worker_threads = (workers)}, \
            &by_.future_);                                                                        \
        check_baseline(&start_);                                                                  \
        by_.output;                                                                               \
    })

Test(join_set, workers_end_tasks_beside_the_one_who_joins)
{
    for (size_t i = 0; i < COUNT_OF(crews); i++)
        RUN_BY(crews[i], NEW(spread));
}

Test(join_set, one_is_let_go_of_while_workers_end_its_tasks)
{
    for (size_t i = 0; i < COUNT_OF(crews); i++) {
        finals_begin();
        int spawned = RUN_BY(crews[i], NEW(rounds, .rounds = 1000));
        cr_assert_eq(spawned, finals_now());
    }
}

/* The set's user is a task itself, and moves; several have one each, and some are aborted. */
SCENE(owners, JOIN_SET(int) set; int i; int outcome; int aborted;
      struct edo_join_set_join_next next;)
{
    ASYNC_BEGIN;
    for (int i = 0; i < 4; i++) {
        cr_assert_eq(edo_join_set_spawn(&self->set, NEW(spread)), 0);
        cr_assert_eq(edo_join_set_spawn(&self->set, NEW(rounds, .rounds = 100)), 0);
    }
    for (int i = 0; i < 8; i++)
        cr_assert_eq(edo_join_set_spawn(&self->set, NEW(owner)), 0);
    for (; self->i < 8; self->i++) {
        AWAIT(self->next, edo_join_set_join_next(&self->set, &self->outcome));
        cr_assert_eq(self->next.output, 0);
    }
    edo_join_set_abort_all(&self->set);
    for (;;) {
        AWAIT(self->next, edo_join_set_join_next(&self->set, &self->outcome));
        if (self->next.output == UV_EOF)
            break;
        cr_assert_eq(self->next.output, UV_ECANCELED);
        self->aborted++;
    }
    RETURN(self->aborted);
ASYNC_FINALLY:
    edo_join_set_drop(&self->set);
    ASYNC_END;
}

Test(join_set, sets_of_sets_on_workers)
{
    for (size_t i = 0; i < COUNT_OF(crews); i++)
        cr_assert_eq(RUN_BY(crews[i], NEW(owners)), 8);
}

/* Every call once, where others run at the same time. */
SCENE(all_calls, JOIN_SET(int) set; int i; int ended; int argument; int value; int values[8];
      char report[64]; uint64_t id; struct edo_join_set_join_next next;
      struct edo_join_set_join_all all; struct edo_join_set_shutdown shutdown;)
{
    ASYNC_BEGIN;
    for (self->i = 0; self->i < 8; self->i++)
        spawn(&self->set, NEW(work, .yields = self->i, .result = self->i));
    AWAIT(self->all, edo_join_set_join_all(&self->set, self->values, COUNT_OF(self->values)));
    cr_assert_eq(self->all.output, 8);
    for (self->i = 0; self->i < 8; self->i++)
        self->value += self->values[self->i];
    cr_assert_eq(self->value, 28);

    spawn(&self->set, NEW(work, .yields = 1, .panics = true, .result = 5));
    AWAIT(self->next, edo_join_set_join_next_report(&self->set, &self->id, &self->value,
                                                    self->report, sizeof self->report));
    cr_assert_eq(self->next.output, EDO_EPANIC);
    cr_assert_eq(strncmp(self->report, "number 5\n", 9), 0, "%s", self->report);
    cr_assert_neq(self->id, 0);

    for (self->i = 0; self->i < 8; self->i++)
        spawn(&self->set, NEW(work, .yields = self->i, .result = self->i));
    edo_join_set_abort_all(&self->set);
    for (self->ended = 0;; self->ended++) {
        AWAIT(self->next, edo_join_set_join_next(&self->set, &self->value));
        if (self->next.output == UV_EOF)
            break;
        cr_assert(self->next.output == 0 || self->next.output == UV_ECANCELED);
    }
    cr_assert_eq(self->ended, 8);

    self->argument = 4;
    cr_assert_eq(edo_join_set_spawn_blocking(&self->set, edo_call(twice, &self->argument)), 0);
    AWAIT(self->next, edo_join_set_join_next(&self->set, &self->value));
    cr_assert_eq(self->value, 8);
    cr_assert_eq(edo_join_set_spawn_local(&self->set, WORK(0, 1)), EDO_ENORUNTIME);

    for (self->i = 0; self->i < 8; self->i++)
        spawn(&self->set, FOREVER);
    cr_assert_eq(edo_join_set_try_join_next(&self->set, &self->value), UV_EAGAIN);
    AWAIT(self->shutdown, edo_join_set_shutdown(&self->set));
    cr_assert_eq(edo_join_set_try_join_next(&self->set, &self->value), UV_EOF);
    spawn(&self->set, NEW(work, .yields = 3));
    edo_join_set_detach_all(&self->set);
ASYNC_FINALLY:
    edo_join_set_drop(&self->set);
    ASYNC_END;
}

SCENE(calls_as_task, struct edo_join join;)
{
    ASYNC_BEGIN;
    AWAIT(self->join, edo_join(SPAWN(NEW(all_calls)), NULL));
    cr_assert_eq(self->join.output, 0);
    ASYNC_END;
}

Test(join_set, each_call_where_tasks_run_on_workers)
{
    for (size_t i = 0; i < COUNT_OF(crews); i++) {
        RUN_BY(crews[i], NEW(all_calls));
        RUN_BY(crews[i], NEW(calls_as_task));
    }
}

/* The runtime ends, and sets in the frames of tasks with it, while their tasks run. */
SCENE(leaves_owners, struct edo_sleep sleep;)
{
    ASYNC_BEGIN;
    for (int i = 0; i < 8; i++) {
        edo_task_detach(SPAWN(NEW(owner)));
        edo_task_detach(SPAWN(NEW(rounds, .rounds = 1000000)));
    }
    AWAIT(self->sleep, edo_sleep(2));
    ASYNC_END;
}

Test(join_set, workers_that_stop_drop_sets_and_tasks_in_any_order)
{
    for (int round = 0; round < 10; round++)
        for (size_t i = 0; i < COUNT_OF(crews); i++)
            RUN_BY(crews[i], NEW(leaves_owners));
}
