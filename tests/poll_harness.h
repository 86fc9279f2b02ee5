/* SPDX-License-Identifier: MIT */
/* An executor of a few lines, on poll.h alone: polls, counts wakes, compares the census. */
#ifndef EDO_TESTS_POLL_HARNESS_H
#define EDO_TESTS_POLL_HARNESS_H

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "future.h"
#include "internal/census.h"
#include "internal/sys.h"

#define HARNESS __attribute__((unused)) static

/* A waker that counts. */
struct counter {
    struct edo_waker waker;
    int wakes, clones, drops;
};

HARNESS void counter_wake(struct edo_waker *waker)
{
    ((struct counter *)waker)->wakes++;
}

HARNESS struct edo_waker *counter_clone(struct edo_waker *waker)
{
    ((struct counter *)waker)->clones++;
    return waker;
}

HARNESS void counter_drop(struct edo_waker *waker)
{
    ((struct counter *)waker)->drops++;
}

HARNESS struct edo_waker *counter_claim(struct edo_waker *waker)
{
    return waker;
}

HARNESS void counter_finish(struct edo_waker *claimed)
{
    counter_wake(claimed);
}

static const struct edo_waker_ops counter_stable = {counter_wake, counter_clone, counter_drop,
                                                    counter_claim, counter_finish};

/* One test's executor: begin, poll…, end. */
struct bench {
    struct counter counter;
    struct edo_context cx;
    struct edo_census before;
    char trace[1024];
};

HARNESS void bench_trace(void *arg, int depth, const char *name, const char *file, int line)
{
    struct bench *bench = arg;
    size_t length = strlen(bench->trace);
    const char *base = file != NULL && strrchr(file, '/') != NULL ? strrchr(file, '/') + 1 : file;
    if (file != NULL)
        snprintf(bench->trace + length, sizeof bench->trace - length, "%*s%s (%s:%d)\n", depth, "",
                 name, base, line);
    else
        snprintf(bench->trace + length, sizeof bench->trace - length, "%*s%s\n", depth, "", name);
}

HARNESS void bench_begin(struct bench *bench)
{
    *bench = (struct bench){.counter.waker.ops = &counter_stable, .before = edo_census_now()};
    edo_context_init(&bench->cx, &bench->counter.waker);
    bench->cx.trace = bench_trace;
    bench->cx.trace_arg = bench;
}

HARNESS void bench_end(struct bench *bench)
{
    struct edo_census after = edo_census_now();
    for (int i = 0; i < EDO_CENSUS_KINDS; i++)
        cr_assert_eq(after.live[i], bench->before.live[i], "%s: %ld at the start, %ld now",
                     edo_census_name(i), (long)bench->before.live[i], (long)after.live[i]);
    cr_assert_eq(bench->counter.clones, bench->counter.drops);
}

#define POLL(future)        edo_future_poll(&(future).future_, &bench.cx)
#define POLL_BY(future, cx) edo_future_poll(&(future).future_, (cx))
#define DROP_IT(future)     edo_future_drop(&(future).future_, &bench.cx)

/* Polls until ready; how many polls it took. Fails after a thousand. */
HARNESS int run_to_end(struct bench *bench, struct edo_future *future)
{
    int polls = 1;
    for (bench->cx.budget = EDO_BUDGET; edo_future_poll(future, &bench->cx) == EDO_PENDING;
         polls++) {
        cr_assert_lt(polls, 1000);
        cr_assert_null(bench->cx.panic.name, "%s", bench->cx.panic.message);
        bench->cx.budget = EDO_BUDGET;
    }
    return polls;
}
#define RUN(future) run_to_end(&bench, &(future).future_)

/* A leaf that is ready after so many polls, and keeps account of what is done with it. */
struct leaf_log {
    int polls, drops, polled_after_ready;
};

struct leaf {
    FUTURE(int);
    int left, result;
    bool ended;
    struct leaf_log *log;
};

HARNESS enum edo_poll leaf_poll(struct edo_future *future, struct edo_context *cx)
{
    struct leaf *self = (struct leaf *)future;
    if (cx->walk == EDO_WALK_DROP) {
        self->log->drops++;
        return EDO_READY;
    }
    if (cx->walk == EDO_WALK_TRACE)
        return edo_walk_leaf(cx, "leaf");
    self->log->polls++;
    self->log->polled_after_ready += self->ended;
    if (self->left-- > 0) {
        edo_wake(cx->waker);
        return EDO_PENDING;
    }
    self->ended = true;
    self->output = self->result;
    return EDO_READY;
}

#define LEAF(log_, left_, result_) NEW(leaf, .log = (log_), .left = (left_), .result = (result_))

#endif
