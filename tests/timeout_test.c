/* SPDX-License-Identifier: MIT */
/* Timeouts: T3 of the semantics. */
#include "io_helpers.h"
#include "support/runtimes.h"

/* A child that counts its polls and drops, and is ready at its n-th poll, at a time, or never. */
struct child {
    FUTURE(int);
    int polls, drops, ready_at;
    struct edo_sleep sleep;
};

static enum edo_poll child_poll(struct edo_future *future, struct edo_context *cx)
{
    struct child *self = (struct child *)future;
    if (cx->walk == EDO_WALK_DROP) {
        self->drops++;
        edo_future_drop(&self->sleep.future_, cx);
        return EDO_READY;
    }
    if (cx->walk == EDO_WALK_TRACE)
        return edo_walk_leaf(cx, "child");
    self->polls++;
    if (self->sleep.future_.poll != NULL) {
        if (edo_future_poll(&self->sleep.future_, cx) == EDO_PENDING)
            return EDO_PENDING;
    } else if (self->polls != self->ready_at) {
        return EDO_PENDING;
    }
    self->output = 7;
    return EDO_READY;
}

struct cases {
    FUTURE(int);
    uint64_t start;
    struct child child;
    struct edo_timeout timeout;
    struct edo_sleep sleep;
};

ASYNC(cases)
{
    ASYNC_BEGIN;
    /* A child that is ready at once wins, also against a timeout of nothing, or one gone by. */
    self->child = NEW(child, .ready_at = 1);
    AWAIT(self->timeout, edo_timeout(0, &self->child));
    cr_assert(self->timeout.output == 0 && self->child.output == 7 && self->child.drops == 0);
    self->child = NEW(child, .ready_at = 1);
    AWAIT(self->timeout, edo_timeout_at(1, &self->child));
    cr_assert(self->timeout.output == 0 && self->child.output == 7);

    /* One that is not is polled once, and dropped. */
    self->child = NEW(child);
    AWAIT(self->timeout, edo_timeout(0, &self->child));
    cr_assert_eq(self->timeout.output, UV_ETIMEDOUT);
    cr_assert(self->child.polls == 1 && self->child.drops == 1);
    cr_assert(edo_future_done(&self->child.future_));

    /* Ready before, at, and after the deadline. */
    self->start = edo_now();
    self->child = NEW(child, .sleep = edo_sleep(9));
    AWAIT(self->timeout, edo_timeout(10, &self->child));
    cr_assert(self->timeout.output == 0 && self->child.output == 7 && self->child.drops == 0);
    cr_assert_eq((edo_now() - self->start) / MS, 9);
    self->child = NEW(child, .sleep = edo_sleep(10));
    AWAIT(self->timeout, edo_timeout(10, &self->child));
    cr_assert(self->timeout.output == 0 && self->child.output == 7 && self->child.drops == 0);
    self->child = NEW(child, .sleep = edo_sleep(11));
    AWAIT(self->timeout, edo_timeout(10, &self->child));
    cr_assert(self->timeout.output == UV_ETIMEDOUT && self->child.drops == 1);

    /* A deadline shared by several steps. */
    self->start = edo_now();
    self->child = NEW(child, .sleep = edo_sleep(6));
    AWAIT(self->timeout, edo_timeout_at(edo_instant_add(self->start, 10), &self->child));
    cr_assert_eq(self->timeout.output, 0);
    self->child = NEW(child, .sleep = edo_sleep(6));
    AWAIT(self->timeout, edo_timeout_at(edo_instant_add(self->start, 10), &self->child));
    cr_assert_eq(self->timeout.output, UV_ETIMEDOUT);
    cr_assert_eq((edo_now() - self->start) / MS, 10);

    /* The longest ones are no shorter for it. */
    self->child = NEW(child, .sleep = edo_sleep(86400000));
    AWAIT(self->timeout, edo_timeout(UINT64_MAX, &self->child));
    cr_assert_eq(self->timeout.output, 0);
    self->child = NEW(child, .sleep = edo_sleep(86400000));
    AWAIT(self->timeout, edo_timeout(1ull << 40, &self->child));
    cr_assert_eq(self->timeout.output, 0);

    /* A child that is done already. */
    AWAIT(self->timeout, edo_timeout(0, &self->child));
    cr_assert_eq(self->timeout.output, 0);
    ASYNC_END;
}

Test(timeout, the_inner_future_goes_first_and_is_dropped_on_expiry)
{
    RUN_PAUSED(NEW(cases));
}

struct dropped {
    FUTURE(int);
    struct child child;
    struct edo_timeout timeout;
    struct edo_sleep sleep;
};

ASYNC(dropped)
{
    ASYNC_BEGIN;
    /* While it waits. */
    self->child = NEW(child);
    SELECT_BIASED {
        WHEN(self->timeout, edo_timeout(100, &self->child)) {
            cr_assert_fail("early");
        }
        WHEN(self->sleep, edo_sleep(10)) {
        }
    }
    cr_assert(self->child.polls > 0 && self->child.drops == 1);
    /* Before its first poll. */
    self->child = NEW(child, .sleep = edo_sleep(5));
    self->timeout = edo_timeout(100, &self->child);
    DROP(self->timeout);
    cr_assert(self->child.polls == 0 && self->child.drops == 1);
    cr_assert_eq(edo_census_now().live[EDO_CENSUS_TIMERS], 0);
    ASYNC_END;
}

Test(timeout, dropping_it_drops_the_inner_future)
{
    RUN_PAUSED(NEW(dropped));
}

/* A child that always has work uses the budget up; the deadline holds all the same. */
struct greedy {
    FUTURE(int);
    struct edo_sleep sleep;
};

ASYNC(greedy)
{
    ASYNC_BEGIN;
    for (;;)
        AWAIT(self->sleep, edo_sleep(0));
    ASYNC_END;
}

struct stops_greedy {
    FUTURE(int);
    struct greedy greedy;
    struct edo_timeout timeout;
};

ASYNC(stops_greedy)
{
    ASYNC_BEGIN;
    self->greedy = NEW(greedy);
    AWAIT(self->timeout, edo_timeout(20, &self->greedy));
    RETURN(self->timeout.output);
    ASYNC_END;
}

Test(timeout, a_child_that_uses_up_the_budget_is_stopped_in_time)
{
    uint64_t start = edo_clock_ns();
    cr_assert_eq(RUN(NEW(stops_greedy)), UV_ETIMEDOUT);
    cr_assert_geq(edo_clock_ns() - start, 20u * (uint64_t)MS);
}

/* The chain of awaits goes through it. */
static void trace_names(void *arg, int depth, const char *name, const char *file, int line)
{
    char *text = arg;
    (void)file;
    (void)line;
    sprintf(text + strlen(text), "%d:%s ", depth, name);
}

struct traced {
    FUTURE(int);
    struct child child;
    struct edo_timeout timeout;
};

ASYNC(traced)
{
    ASYNC_BEGIN;
    self->child = NEW(child);
    AWAIT(self->timeout, edo_timeout(100, &self->child));
    ASYNC_END;
}

struct tracer {
    FUTURE(int);
    JOIN_HANDLE(int) handle;
    struct edo_sleep sleep;
};

ASYNC(tracer)
{
    char text[256] = "";
    ASYNC_BEGIN;
    self->handle = SPAWN(NEW(traced));
    AWAIT(self->sleep, edo_sleep(1));
    cr_assert_eq(edo_task_trace(self->handle, trace_names, text), 0);
    cr_assert_str_eq(text, "0:traced 1:edo_timeout 2:child ");
    edo_task_detach(self->handle);
    ASYNC_END;
}

/* Each time there is something at once, until the budget is gone: then it is not tried, and must not
 * be given up, or the loop would never let anything else run. */
struct attempts {
    FUTURE(int);
    struct edo_notify notify;
    struct edo_notified notified;
    struct edo_timeout timeout;
    int left;
};

ASYNC(attempts)
{
    ASYNC_BEGIN;
    edo_notify_init(&self->notify);
    for (self->left = 1000; self->left > 0; self->left -= self->timeout.output == 0) {
        edo_notify_one(&self->notify);
        self->notified = edo_notified(&self->notify);
        AWAIT(self->timeout, edo_timeout(0, &self->notified));
    }
    RETURN(0);
ASYNC_FINALLY:
    edo_notify_destroy(&self->notify);
    ASYNC_END;
}

Test(timeout, attempts_in_no_time_give_way_when_the_budget_is_gone)
{
    struct edo_runtime *runtime;
    cr_assert_eq(edo_runtime_new(&runtime), 0);
    struct attempts attempts = NEW(attempts);
    cr_assert_eq(edo_block_on(runtime, &attempts), 0);
    cr_assert_eq(attempts.output, 0);
    edo_runtime_drop(runtime);
}

Test(timeout, a_trace_shows_what_is_waited_for)
{
    RUN_PAUSED(NEW(tracer));
}

Test(timeout, without_a_runtime_it_is_an_error_and_the_child_is_dropped)
{
    struct counting_waker waker = counting_waker();
    struct edo_context cx;
    edo_context_init(&cx, &waker.waker);
    struct child child = NEW(child);
    struct edo_timeout timeout = edo_timeout(10, &child);
    cr_assert_eq(edo_future_poll(&timeout.future_, &cx), EDO_READY);
    cr_assert_eq(timeout.output, EDO_ENORUNTIME);
    cr_assert(child.polls == 1 && child.drops == 1);
}

/* PANIC in the child goes through. */
struct panics {
    FUTURE(int);
};

ASYNC(panics)
{
    ASYNC_BEGIN;
    PANIC("as planned");
    ASYNC_END;
}

struct timed_panic {
    FUTURE(int);
    struct panics child;
    struct edo_timeout timeout;
};

ASYNC(timed_panic)
{
    ASYNC_BEGIN;
    self->child = NEW(panics);
    AWAIT(self->timeout, edo_timeout(0, &self->child));
    cr_assert_fail("a panic is no timeout");
    ASYNC_END;
}

struct joins_panic {
    FUTURE(int);
    char report[256];
    struct edo_join join;
};

ASYNC(joins_panic)
{
    ASYNC_BEGIN;
    AWAIT(self->join,
          edo_join_report(SPAWN(NEW(timed_panic)), (int *)NULL, self->report, sizeof self->report));
    cr_assert_not_null(strstr(self->report, "as planned"));
    RETURN(self->join.output);
    ASYNC_END;
}

Test(timeout, a_panic_in_the_child_ends_the_task)
{
    cr_assert_eq(RUN_PAUSED(NEW(joins_panic)), EDO_EPANIC);
}
