/* SPDX-License-Identifier: MIT */
/* The clock that tests hold still: T5 and T8 of the semantics. */
#include "io_helpers.h"

/* A task that sleeps and then says so. */
struct log {
    size_t count;
    uint64_t at[64]; /* ms since the start */
    int names[64];
    uint64_t start;
};

struct entry {
    FUTURE(int);
    struct log *log;
    int name;
    uint64_t ms;
    uint64_t again; /* sleeps so long afterwards, and says so once more */
    struct edo_sleep sleep;
};

static void note(struct log *log, int name)
{
    log->at[log->count] = (edo_now() - log->start) / MS;
    log->names[log->count++] = name;
}

ASYNC(entry)
{
    ASYNC_BEGIN;
    AWAIT(self->sleep, edo_sleep(self->ms));
    note(self->log, self->name);
    if (self->again > 0) {
        AWAIT(self->sleep, edo_sleep(self->again));
        note(self->log, self->name + 100);
    }
    ASYNC_END;
}

static void check_log(const struct log *log, size_t count, const int (*expected)[2])
{
    cr_assert_eq(log->count, count, "%zu entries", log->count);
    for (size_t i = 0; i < count; i++) {
        cr_assert_eq(log->names[i], expected[i][0], "entry %zu is %d", i, log->names[i]);
        cr_assert_eq(log->at[i], (uint64_t)expected[i][1], "entry %zu at %" PRIu64, i, log->at[i]);
    }
}

struct advancing {
    FUTURE(int);
    struct log log;
    struct edo_time_advance advance;
    struct edo_yield_now yield;
};

ASYNC(advancing)
{
    ASYNC_BEGIN;
    self->log.start = edo_now();
    edo_task_detach(SPAWN(NEW(entry, .log = &self->log, .name = 1, .ms = 100)));
    edo_task_detach(SPAWN(NEW(entry, .log = &self->log, .name = 2, .ms = 50)));
    edo_task_detach(SPAWN(NEW(entry, .log = &self->log, .name = 3, .ms = 101)));
    edo_task_detach(SPAWN(NEW(entry, .log = &self->log, .name = 4, .ms = 100)));
    AWAIT(self->yield, edo_yield_now());

    /* Nothing moves by itself while something runs. */
    cr_assert_eq(edo_now(), self->log.start);
    AWAIT(self->advance, edo_time_advance(49));
    cr_assert_eq(self->advance.output, 0);
    cr_assert_eq(edo_now(), self->log.start + 49 * MS);
    cr_assert_eq(self->log.count, 0);
    AWAIT(self->advance, edo_time_advance(1));
    check_log(&self->log, 1, (const int[][2]){{2, 50}});

    /* What it passes wakes in order, and has run when it is ready. */
    AWAIT(self->advance, edo_time_advance(50));
    check_log(&self->log, 3, (const int[][2]){{2, 50}, {1, 100}, {4, 100}});
    AWAIT(self->advance, edo_time_advance(0));
    check_log(&self->log, 3, (const int[][2]){{2, 50}, {1, 100}, {4, 100}});
    AWAIT(self->advance, edo_time_advance(1));
    cr_assert_eq(self->log.count, 4);
    ASYNC_END;
}

Test(pause, advance_wakes_exactly_what_it_reaches)
{
    for (int i = 0; i < 20; i++)
        RUN_PAUSED(NEW(advancing));
}

struct far_advance {
    FUTURE(int);
    struct log log;
    struct edo_time_advance advance;
    struct edo_yield_now yield;
};

ASYNC(far_advance)
{
    ASYNC_BEGIN;
    self->log.start = edo_now();
    edo_task_detach(SPAWN(NEW(entry, .log = &self->log, .name = 1, .ms = 70000, .again = 5)));
    edo_task_detach(SPAWN(NEW(entry, .log = &self->log, .name = 2, .ms = 3, .again = 99997)));
    edo_task_detach(SPAWN(NEW(entry, .log = &self->log, .name = 3, .ms = 4096)));
    edo_task_detach(SPAWN(NEW(entry, .log = &self->log, .name = 4, .ms = 64)));
    AWAIT(self->yield, edo_yield_now());
    AWAIT(self->advance, edo_time_advance(100000));
    check_log(&self->log, 4, (const int[][2]){{2, 100000}, {4, 100000}, {3, 100000}, {1, 100000}});
    AWAIT(self->advance, edo_time_advance(5));
    cr_assert_eq(self->log.count, 5);
    AWAIT(self->advance, edo_time_advance(1ull << 41));
    cr_assert_eq(self->log.count, 6);
    /* To the end of time, and no further. */
    AWAIT(self->advance, edo_time_advance(UINT64_MAX));
    AWAIT(self->advance, edo_time_advance(UINT64_MAX));
    cr_assert_eq(self->advance.output, 0);
    ASYNC_END;
}

Test(pause, advance_passes_all_levels_in_order)
{
    RUN_PAUSED(NEW(far_advance));
}

struct automatic {
    FUTURE(int);
    struct log log;
    struct edo_sleep sleep;
};

ASYNC(automatic)
{
    ASYNC_BEGIN;
    self->log.start = edo_now();
    edo_task_detach(SPAWN(NEW(entry, .log = &self->log, .name = 1, .ms = 3600000, .again = 1)));
    edo_task_detach(SPAWN(NEW(entry, .log = &self->log, .name = 2, .ms = 10, .again = 10)));
    edo_task_detach(SPAWN(NEW(entry, .log = &self->log, .name = 3, .ms = 15, .again = 4985)));
    AWAIT(self->sleep, edo_sleep(4000000));
    check_log(
        &self->log, 6,
        (const int[][2]){{2, 10}, {3, 15}, {102, 20}, {103, 5000}, {1, 3600000}, {101, 3600001}});
    cr_assert_eq((edo_now() - self->log.start) / MS, 4000000);
    ASYNC_END;
}

Test(pause, an_idle_runtime_goes_from_timer_to_timer)
{
    uint64_t before = edo_clock_ns();
    RUN_PAUSED(NEW(automatic));
    /* An hour has passed in there. */
    cr_assert_lt(edo_clock_ns() - before, 10000u * (uint64_t)MS);
}

/* Blocking work that ends at any moment of the runtime's looks, with a timer armed. */
struct no_time {
    FUTURE(int);
    uint64_t start;
    unsigned round, turns;
    JOIN_HANDLE(int) timer;
    struct edo_join join;
};

static int take_some_time(void *turns)
{
    for (volatile unsigned i = *(unsigned *)turns; i > 0;)
        i = i - 1;
    return 0;
}

ASYNC(no_time)
{
    enum { ROUNDS = 6000, TURNS = 3000 };
    ASYNC_BEGIN;
    self->start = edo_now();
    self->timer = SPAWN(NEW(entry, .log = NULL, .ms = 3600000, .again = 0));
    for (self->round = 0; self->round < ROUNDS; self->round++) {
        self->turns = self->round * 7919 % TURNS;
        AWAIT(self->join, edo_join(SPAWN_BLOCKING(edo_call(take_some_time, &self->turns)), NULL));
        cr_assert_eq(edo_now(), self->start, "in round %u", self->round);
    }
    edo_task_abort(self->timer);
    AWAIT(self->join, edo_join(self->timer, NULL));
    ASYNC_END;
}

Test(pause, blocking_work_takes_no_time_at_whatever_moment_it_ends)
{
    RUN_PAUSED(NEW(no_time));
}

/* pause, resume and what they refuse. */
struct toggling {
    FUTURE(int);
    uint64_t at;
    struct edo_sleep sleep;
    struct edo_time_advance advance;
};

ASYNC(toggling)
{
    ASYNC_BEGIN;
    AWAIT(self->advance, edo_time_advance(1));
    cr_assert_eq(self->advance.output, UV_EINVAL);
    cr_assert_eq(edo_time_resume(), UV_EINVAL);
    cr_assert_eq(edo_time_pause(), 0);
    cr_assert_eq(edo_time_pause(), UV_EALREADY);
    self->at = edo_now();
    usleep(2000); /* the time that does not pass here */
    cr_assert_eq(edo_now(), self->at);
    AWAIT(self->sleep, edo_sleep(3600000));
    cr_assert_eq(edo_now(), self->at + 3600000ull * MS);
    self->at = edo_now();
    cr_assert_eq(edo_time_resume(), 0);
    /* It goes on from where it stood, and in its own time. */
    cr_assert_geq(edo_now(), self->at);
    cr_assert_lt(edo_now(), self->at + 10000ull * MS);
    self->at = edo_now();
    AWAIT(self->sleep, edo_sleep(5));
    cr_assert_geq(edo_now(), self->at + 5 * MS);
    /* Twice: the clock does not go back. */
    self->at = edo_now();
    cr_assert_eq(edo_time_pause(), 0);
    cr_assert_geq(edo_now(), self->at);
    cr_assert_eq(edo_time_resume(), 0);
    cr_assert_geq(edo_now(), self->at);
    ASYNC_END;
}

Test(pause, pause_and_resume_keep_the_clock_going_forward)
{
    RUN_ALONE(NEW(toggling));
}

Test(pause, outside_of_a_runtime_there_is_no_clock_to_hold)
{
    struct counting_waker waker = counting_waker();
    struct edo_context cx;
    edo_context_init(&cx, &waker.waker);
    cr_assert_eq(edo_time_pause(), EDO_ENORUNTIME);
    cr_assert_eq(edo_time_resume(), EDO_ENORUNTIME);
    struct edo_time_advance advance = edo_time_advance(1);
    cr_assert_eq(edo_future_poll(&advance.future_, &cx), EDO_READY);
    cr_assert_eq(advance.output, EDO_ENORUNTIME);
}

/* A timer that was armed on the running clock, then the clock is paused. */
struct pause_later {
    FUTURE(int);
    uint64_t start;
    struct edo_sleep first, second;
};

ASYNC(pause_later)
{
    ASYNC_BEGIN;
    self->start = edo_now();
    self->first = edo_sleep(100000);
    SELECT_BIASED {
        WHEN_REF(self->first) {
            cr_assert_fail("early");
        }
        WHEN(self->second, edo_sleep(2)) {
        }
    }
    cr_assert_eq(edo_time_pause(), 0);
    AWAIT_REF(self->first);
    cr_assert_geq(edo_now(), self->first.deadline);
    cr_assert_lt(edo_now(), self->first.deadline + MS);
    /* Armed while paused, awaited while it runs. */
    self->first = edo_sleep(20);
    SELECT_BIASED {
        WHEN_REF(self->first) {
            cr_assert_fail("early");
        }
        WHEN(self->second, edo_sleep(2)) {
        }
    }
    cr_assert_eq(edo_time_resume(), 0);
    AWAIT_REF(self->first);
    cr_assert_geq(edo_now(), self->first.deadline);
    ASYNC_END;
}

Test(pause, timers_survive_pausing_and_resuming)
{
    RUN_ALONE(NEW(pause_later));
}

/* A callback under way: the job is done by a thread, which takes so long that a clock which would not wait for it has
 * gone on, most likely: it must not in any case. */
static void *complete_later(void *completion)
{
    usleep(50000);
    edo_completion_complete(completion, 42);
    return NULL;
}

struct held_back {
    FUTURE(int);
    struct log log;
    pthread_t thread;
    struct edo_completion_wait wait;
    struct edo_sleep sleep;
};

ASYNC(held_back)
{
    struct edo_completion *completion;
    ASYNC_BEGIN;
    self->log.start = edo_now();
    edo_task_detach(SPAWN(NEW(entry, .log = &self->log, .name = 1, .ms = 1)));
    completion = edo_completion_new(0);
    cr_assert_eq(pthread_create(&self->thread, NULL, complete_later, completion), 0);
    AWAIT(self->wait, edo_completion_wait(completion));
    pthread_join(self->thread, NULL); /* it has given up what it had of the completion */
    cr_assert_eq(self->wait.output, 42);
    cr_assert_eq(edo_now(), self->log.start);
    cr_assert_eq(self->log.count, 0);
    AWAIT(self->sleep, edo_sleep(2));
    cr_assert_eq(self->log.count, 1);
    ASYNC_END;
}

Test(pause, a_callback_under_way_holds_time_back)
{
    RUN_PAUSED(NEW(held_back));
}

/* A look-up under way: libuv's four threads are busy for a while, so that it stays so. */
struct held_by_lookup {
    FUTURE(int);
    struct edo_runtime *runtime;
    struct log log;
    uv_sem_t go;
    uv_work_t busy[4];
    int busy_left;
    struct edo_resolve resolve;
    struct edo_sleep sleep;
};

static void be_busy(uv_work_t *work)
{
    uv_sem_wait(&((struct held_by_lookup *)work->data)->go);
}

static void after_busy(uv_work_t *work, int status)
{
    (void)status;
    ((struct held_by_lookup *)work->data)->busy_left--;
}

/* Likewise. */
static void *let_go_later(void *arg)
{
    usleep(50000);
    for (int i = 0; i < 4; i++)
        uv_sem_post(arg);
    return NULL;
}

ASYNC(held_by_lookup)
{
    pthread_t thread;
    ASYNC_BEGIN;
    self->log.start = edo_now();
    edo_task_detach(SPAWN(NEW(entry, .log = &self->log, .name = 1, .ms = 1)));
    uv_sem_init(&self->go, 0);
    for (int i = 0; i < 4; i++) {
        self->busy[i].data = self;
        self->busy_left++;
        cr_assert_eq(
            uv_queue_work(edo_runtime_loop(self->runtime), &self->busy[i], be_busy, after_busy), 0);
    }
    cr_assert_eq(pthread_create(&thread, NULL, let_go_later, &self->go), 0);
    pthread_detach(thread);
    AWAIT(self->resolve, edo_resolve("localhost", 1));
    cr_assert_gt(self->resolve.output, 0);
    cr_assert_eq(edo_now(), self->log.start);
    cr_assert_eq(self->log.count, 0);
    AWAIT(self->sleep, edo_sleep(2));
    cr_assert_eq(self->log.count, 1);
    while (self->busy_left > 0)
        AWAIT(self->sleep, edo_sleep(1));
    uv_sem_destroy(&self->go);
    ASYNC_END;
}

Test(pause, a_look_up_under_way_holds_time_back)
{
    struct baseline start = baseline();
    struct edo_runtime *runtime;
    cr_assert_eq(edo_runtime_new(&runtime, .start_paused = true), 0);
    struct held_by_lookup future = NEW(held_by_lookup, .runtime = runtime);
    cr_assert_eq(edo_block_on(runtime, &future), 0);
    edo_runtime_drop(runtime);
    check_baseline(&start);
}

/* An advance that is dropped after its first poll has moved the clock; nothing else is left of it. */
struct dropped_advance {
    FUTURE(int);
    uint64_t start;
    struct edo_time_advance advance;
    struct edo_yield_now yield;
};

ASYNC(dropped_advance)
{
    ASYNC_BEGIN;
    self->start = edo_now();
    self->advance = edo_time_advance(10);
    cr_assert_eq(edo_future_poll(&self->advance.future_, cx), EDO_PENDING);
    EDO_DROP(self->advance);
    AWAIT(self->yield, edo_yield_now());
    cr_assert_eq(edo_now(), self->start + 10 * MS);
    ASYNC_END;
}

Test(pause, advance_dropped_leaves_nothing)
{
    RUN_PAUSED(NEW(dropped_advance));
}

/* Traffic on loopback counts as something to do: time does not jump over it. */
struct traffic {
    FUTURE(int);
    uint64_t start;
    struct edo_tcp *a, *b;
    char byte;
    int i;
    struct edo_read read;
    struct edo_write_all write;
    struct edo_timeout timeout;
};

ASYNC(traffic)
{
    ASYNC_BEGIN;
    self->start = edo_now();
    tcp_pair(&self->a, &self->b);
    for (self->i = 0; self->i < 100; self->i++) {
        AWAIT(self->write, edo_write_all(self->a, "x", 1));
        self->read = edo_read(self->b, &self->byte, 1);
        AWAIT(self->timeout, edo_timeout(1, &self->read));
        cr_assert_eq(self->timeout.output, 0);
        cr_assert_eq(self->read.output, 1);
    }
    cr_assert_eq(edo_now(), self->start);
ASYNC_FINALLY:
    edo_tcp_close(self->a);
    edo_tcp_close(self->b);
    ASYNC_END;
}

Test(pause, time_does_not_jump_over_io_that_is_ready)
{
    RUN_PAUSED(NEW(traffic));
}
