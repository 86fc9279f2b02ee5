/* SPDX-License-Identifier: MIT */
#include <inttypes.h>
#include <time.h>

#include "futures_unordered_helpers.h"

Test(futures_unordered, outputs_come_in_the_order_of_their_ends)
{
    struct bench bench;
    bench_begin(&bench);
    set_t set = {.type_ = {}};
    STREAM_REF(int) stream = edo_futures_unordered(&set);
    int n = -1;
    cr_assert_eq(poll_stream(&bench, stream, &n), 0, "empty");
    for (int i = 0; i < 3; i++)
        push(&set, i);
    cr_assert_eq(edo_futures_unordered_len(&set), 3);
    cr_assert_eq(edo_stream_size_hint(stream).lower, 3);
    cr_assert_eq(poll_stream(&bench, stream, &n), EDO_STREAM_PENDING);
    tell(2);
    cr_assert_eq(bench.counter.wakes, 1);
    tell(0);
    cr_assert_eq(bench.counter.wakes, 1, "one wake is enough");
    cr_assert_eq(poll_stream(&bench, stream, &n), 1);
    cr_assert_eq(n, 2);
    cr_assert_eq(poll_stream(&bench, stream, &n), 1);
    cr_assert_eq(n, 0);
    cr_assert_eq(poll_stream(&bench, stream, &n), EDO_STREAM_PENDING);
    tell(1);
    cr_assert_eq(poll_stream(&bench, stream, &n), 1);
    cr_assert_eq(n, 1);
    cr_assert_eq(poll_stream(&bench, stream, &n), 0);
    push(&set, 4);
    opened[4] = true;
    cr_assert_eq(poll_stream(&bench, stream, &n), 1, "it goes on after its end");
    cr_assert_eq(n, 4);
    drop_stream(&bench, stream);
    bench_end(&bench);
}

Test(futures_unordered, only_the_woken_are_polled)
{
    struct bench bench;
    bench_begin(&bench);
    bench.cx.budget = EDO_UNCONSTRAINED;
    set_t set = {.type_ = {}};
    STREAM_REF(int) stream = edo_futures_unordered(&set);
    for (int i = 0; i < MANY; i++)
        push(&set, i);
    int n;
    cr_assert_eq(poll_stream(&bench, stream, &n), EDO_STREAM_PENDING);
    for (int i = 0; i < MANY; i++)
        cr_assert_eq(polls[i], 1);
    for (int i = 0; i < 50; i++) {
        edo_wake(kept[7]);
        edo_wake(kept[7]);
        edo_wake(kept[900]);
        cr_assert_eq(poll_stream(&bench, stream, &n), EDO_STREAM_PENDING);
    }
    int all = 0;
    for (int i = 0; i < MANY; i++)
        all += polls[i];
    cr_assert(polls[7] == 51 && polls[900] == 51 && all == MANY + 100, "%d polls", all);
    cr_assert_eq(poll_stream(&bench, stream, &n), EDO_STREAM_PENDING);
    cr_assert_eq(polls[7], 51, "a poll without a wake polls nobody");
    drop_stream(&bench, stream);
    for (int i = 0; i < MANY; i++)
        cr_assert_eq(drops[i], 1);
    bench_end(&bench);
}

Test(futures_unordered, dropped_with_members_in_every_state)
{
    for (int polled = 0; polled < 2; polled++) {
        struct bench bench;
        bench_begin(&bench);
        set_t set = {.type_ = {}};
        STREAM_REF(int) stream = edo_futures_unordered(&set);
        for (int i = 0; i < 4; i++)
            push(&set, i);
        int n = -1;
        struct edo_waker *late = NULL;
        if (polled) {
            cr_assert_eq(poll_stream(&bench, stream, &n), EDO_STREAM_PENDING);
            late = edo_waker_clone(kept[3]);
            edo_wake(kept[1]);
            tell(2);
            cr_assert_eq(poll_stream(&bench, stream, &n), 1);
            edo_wake(kept[1]);
        }
        drop_stream(&bench, stream);
        for (int i = 0; i < 4; i++)
            cr_assert_eq(drops[i], !(polled && i == 2));
        int wakes = bench.counter.wakes;
        if (late != NULL) {
            edo_wake(late);
            edo_waker_drop(late);
        }
        cr_assert_eq(bench.counter.wakes, wakes, "a waker that outlives the set wakes nobody");
        push(&set, 5);
        stream = edo_futures_unordered(&set);
        tell(5);
        cr_assert_eq(poll_stream(&bench, stream, &n), 1, "and the set may be used anew");
        cr_assert_eq(n, 5);
        drop_stream(&bench, stream);
        bench_end(&bench);
    }
}

Test(futures_unordered, a_member_that_ended_may_still_be_woken)
{
    struct bench bench;
    bench_begin(&bench);
    set_t set = {.type_ = {}};
    STREAM_REF(int) stream = edo_futures_unordered(&set);
    push(&set, 0);
    push(&set, 1);
    int n;
    cr_assert_eq(poll_stream(&bench, stream, &n), EDO_STREAM_PENDING);
    struct edo_waker *late = edo_waker_clone(kept[0]), *other = edo_waker_clone(kept[1]);
    tell(0);
    tell(1);
    /* 1 is queued, has not been polled, and is woken again when 0 has ended. */
    cr_assert_eq(poll_stream(&bench, stream, &n), 1);
    edo_wake(late);
    edo_wake(other);
    cr_assert_eq(poll_stream(&bench, stream, &n), 1);
    edo_wake(other);
    edo_wake(late);
    cr_assert_eq(poll_stream(&bench, stream, &n), 0);
    edo_waker_drop(late);
    drop_stream(&bench, stream);
    edo_wake(other);
    edo_waker_drop(other);
    bench_end(&bench);
}

/* Wakes itself in each poll. */
struct restless {
    FUTURE(int);
    int left, *polls;
};

ASYNC(restless)
{
    ASYNC_BEGIN;
    while (self->left-- > 0) {
        ++*self->polls;
        YIELD_NOW();
    }
    RETURN(7);
    ASYNC_END;
}

/* Wakes itself so many times, then waits for its latch. */
struct carrier {
    FUTURE(int);
    int left, *turns;
    struct latch latch;
};

ASYNC(carrier)
{
    ASYNC_BEGIN;
    while (self->left-- > 0) {
        ++*self->turns;
        YIELD_NOW();
    }
    AWAIT_REF(self->latch);
    RETURN(self->latch.output);
    ASYNC_END;
}

Test(futures_unordered, members_that_wake_themselves_take_turns_with_the_rest_of_the_task)
{
    struct bench bench;
    bench_begin(&bench);
    FUTURES_UNORDERED(struct restless) set = {.type_ = {}};
    STREAM_REF(int) stream = edo_futures_unordered(&set);
    int turns[3] = {0}, n;
    for (int i = 0; i < 3; i++)
        cr_assert_eq(edo_futures_unordered_push(&set, NEW(restless, .left = 5, .polls = &turns[i])),
                     0);
    for (int i = 1; i <= 5; i++) {
        cr_assert_eq(poll_stream(&bench, stream, &n), EDO_STREAM_PENDING);
        cr_assert(turns[0] == i && turns[1] == i && turns[2] == i, "each once in each poll");
        cr_assert_geq(bench.counter.wakes, i, "and the task is woken for the next");
    }
    for (int i = 0; i < 3; i++)
        cr_assert_eq(poll_stream(&bench, stream, &n), 1);
    drop_stream(&bench, stream);
    bench_end(&bench);
}

Test(futures_unordered, one_that_wakes_itself_gets_no_more_turns_because_others_wait)
{
    struct bench bench;
    bench_begin(&bench);
    FUTURES_ORDERED(struct carrier) set = {.type_ = {}};
    STREAM_REF(int) stream = edo_futures_ordered(&set);
    int turns = 0, n;
    for (int i = 0; i < 10; i++)
        cr_assert_eq(edo_futures_ordered_push(&set, NEW(carrier, .latch = latch(i))), 0);
    cr_assert_eq(edo_futures_ordered_push(
                     &set, NEW(carrier, .latch = latch(10), .turns = &turns, .left = 5)),
                 0);
    tell(10);
    for (int i = 1; i <= 5; i++) {
        cr_assert_eq(poll_stream(&bench, stream, &n), EDO_STREAM_PENDING);
        cr_assert_eq(turns, i);
        cr_assert_eq(bench.counter.wakes, i);
    }
    cr_assert_eq(poll_stream(&bench, stream, &n), EDO_STREAM_PENDING);
    cr_assert_eq(polls[0], 1);
    drop_stream(&bench, stream);
    bench_end(&bench);
}

Test(futures_unordered, the_waker_is_cloned_once_while_the_same_task_polls)
{
    struct bench bench, other;
    bench_begin(&bench);
    set_t set = {.type_ = {}};
    STREAM_REF(int) stream = edo_futures_unordered(&set);
    for (int i = 0; i < 3; i++)
        push(&set, i);
    int n;
    for (int i = 1; i <= 10; i++) {
        cr_assert_eq(poll_stream(&bench, stream, &n), EDO_STREAM_PENDING);
        cr_assert_eq(bench.counter.clones, 1);
        edo_wake(kept[i % 3]);
        cr_assert_eq(bench.counter.wakes, i);
    }
    other = bench;
    edo_context_init(&other.cx, &other.counter.waker);
    cr_assert_eq(poll_stream(&other, stream, &n), EDO_STREAM_PENDING);
    cr_assert_eq(bench.counter.drops, 1, "another task's takes its place");
    edo_wake(kept[0]);
    cr_assert(bench.counter.wakes == 10 && other.counter.wakes == 11);
    drop_stream(&other, stream);
    cr_assert_eq(other.counter.clones, other.counter.drops + 1, "one of those is the first task's");
    bench_end(&bench);
}

/* Polls a set while it is told that a member of it is woken: by a waker that polls the set when it is woken, as an
 * executor on another thread may, before the wake has returned. */
struct eager {
    struct edo_waker waker;
    struct bench *bench;
    STREAM_REF(int) stream;
    int clones, wakes, outcome, n;
};

static struct edo_waker *eager_clone(struct edo_waker *waker)
{
    ((struct eager *)waker)->clones++;
    return waker;
}

static void eager_drop(struct edo_waker *waker)
{
    ((struct eager *)waker)->clones--;
}

static void eager_wake(struct edo_waker *waker)
{
    struct eager *self = (struct eager *)waker;
    struct edo_context cx;
    edo_context_init(&cx, &self->waker);
    if (self->wakes++ > 0)
        return;
    self->outcome = edo_stream_poll((struct edo_stream *)(void *)self->stream, &cx, &self->n);
    /* Its clone is lent to us still: it waits with a second one, which is dropped when that has been woken. */
    cr_assert_eq(self->clones, 2);
    edo_wake(kept[1]);
    cr_assert(self->wakes == 2 && self->clones == 1);
}

static const struct edo_waker_ops eager_ops = {eager_wake, eager_clone, eager_drop, NULL, NULL};

Test(futures_unordered, polled_before_the_wake_has_returned)
{
    struct bench bench;
    bench_begin(&bench);
    set_t set = {.type_ = {}};
    STREAM_REF(int) stream = edo_futures_unordered(&set);
    struct eager eager = {.waker = {&eager_ops}, .bench = &bench, .stream = stream, .outcome = -1};
    push(&set, 0);
    push(&set, 1);
    struct edo_context cx;
    edo_context_init(&cx, &eager.waker);
    cr_assert_eq(edo_stream_poll((struct edo_stream *)(void *)stream, &cx, &eager.n),
                 EDO_STREAM_PENDING);
    edo_wake(kept[0]);
    cr_assert(eager.outcome == EDO_STREAM_PENDING && polls[0] == 2 && polls[1] == 1);
    cr_assert_eq(edo_stream_poll((struct edo_stream *)(void *)stream, &cx, &eager.n),
                 EDO_STREAM_PENDING);
    cr_assert(eager.clones == 1 && polls[1] == 2);
    tell(1);
    cr_assert_eq(eager.wakes, 3);
    cr_assert_eq(edo_stream_poll((struct edo_stream *)(void *)stream, &cx, &eager.n),
                 EDO_STREAM_ITEM);
    edo_stream_drop_((struct edo_stream *)(void *)stream, &cx);
    cr_assert_eq(eager.clones, 0);
    bench_end(&bench);
}

Test(futures_unordered, without_budget_it_gives_way_and_goes_on_with_the_next)
{
    struct bench bench;
    bench_begin(&bench);
    set_t set = {.type_ = {}};
    STREAM_REF(int) stream = edo_futures_unordered(&set);
    for (int i = 0; i < 3; i++)
        push(&set, i);
    int n;
    bench.cx.budget = 0;
    cr_assert_eq(poll_stream(&bench, stream, &n), EDO_STREAM_PENDING);
    cr_assert(polls[0] == 0 && bench.counter.wakes == 1);
    bench.cx.budget = EDO_BUDGET;
    cr_assert_eq(poll_stream(&bench, stream, &n), EDO_STREAM_PENDING);
    cr_assert_eq(polls[2], 1);
    drop_stream(&bench, stream);
    bench_end(&bench);
}

/* One alone does not go through the row of those to be polled, unless it is put back. */
Test(futures_unordered, without_budget_one_that_was_woken_alone_is_first_again)
{
    struct bench bench;
    bench_begin(&bench);
    set_t set = {.type_ = {}};
    STREAM_REF(int) stream = edo_futures_unordered(&set);
    for (int i = 0; i < 3; i++)
        push(&set, i);
    int n;
    cr_assert_eq(poll_stream(&bench, stream, &n), EDO_STREAM_PENDING);
    tell(1);
    for (int i = 0; i < 2; i++) {
        bench.cx.budget = 0;
        int wakes = bench.counter.wakes;
        cr_assert_eq(poll_stream(&bench, stream, &n), EDO_STREAM_PENDING);
        cr_assert(polls[1] == 1 && bench.counter.wakes == wakes + 1);
    }
    tell(2);
    push(&set, 3);
    opened[3] = true;
    bench.cx.budget = EDO_BUDGET;
    static const int order[] = {1, 3, 2};
    for (int i = 0; i < 3; i++) {
        cr_assert_eq(poll_stream(&bench, stream, &n), 1);
        cr_assert_eq(n, order[i]);
    }
    cr_assert_eq(poll_stream(&bench, stream, &n), EDO_STREAM_PENDING);
    cr_assert_eq(edo_futures_unordered_len(&set), 1);
    drop_stream(&bench, stream);
    bench_end(&bench);
}

Test(futures_unordered, without_memory_nothing_is_made)
{
    struct bench bench;
    bench_begin(&bench);
    set_t set = {.type_ = {}};
    for (int i = 1;; i++) {
        edo_alloc_fail((uint64_t)i, false);
        int made = 0;
        int error = edo_futures_unordered_push(&set, (made = 1, latch(0)));
        bool failed = edo_alloc_fail(0, false);
        if (!failed) {
            cr_assert_eq(error, 0);
            break;
        }
        cr_assert(error == UV_ENOMEM && made == 0 && edo_futures_unordered_len(&set) == 0);
    }
    drop_stream(&bench, edo_futures_unordered(&set));
    bench_end(&bench);
}

Test(futures_unordered, its_trace_names_the_members)
{
    struct bench bench;
    bench_begin(&bench);
    set_t set = {.type_ = {}};
    STREAM_REF(int) stream = edo_futures_unordered(&set);
    push(&set, 0);
    push(&set, 1);
    int n;
    struct edo_next next = edo_next(stream, &n);
    POLL(next);
    edo_future_trace(&next.future_, &bench.cx);
    cr_assert_str_eq(bench.trace, "edo_next\n edo_futures_unordered\n  latch\n  latch\n");
    DROP_IT(next);
    drop_stream(&bench, stream);
    bench_end(&bench);
}

Test(futures_unordered, push_looks_at_its_set_once)
{
    struct bench bench;
    bench_begin(&bench);
    set_t sets[2] = {{.type_ = {}}}, *at = sets;
    cr_assert_eq(edo_futures_unordered_push(at++, latch(0)), 0);
    cr_assert_eq(at, sets + 1);
    drop_stream(&bench, edo_futures_unordered(&sets[0]));
    bench_end(&bench);
}

/* Pushes another to its own set, while it is polled, and in its FINALLY: generations of them. */
struct parent;
typedef FUTURES_UNORDERED(struct parent) parents_t;

struct parent {
    FUTURE(int);
    parents_t *set;
    int generation, *alive;
    bool in_finally;
};

ASYNC_DECLARE(parent);

static void give_birth(parents_t *set, int generation, int *alive, bool in_finally)
{
    ++*alive;
    cr_assert_eq(edo_futures_unordered_push(set, NEW(parent, .set = set, .generation = generation,
                                                     .alive = alive, .in_finally = in_finally)),
                 0);
}

ASYNC_EXTERN(parent)
{
    ASYNC_BEGIN;
    if (self->generation > 0 && !self->in_finally)
        give_birth(self->set, self->generation - 1, self->alive, false);
    YIELD_NOW();
    RETURN(self->generation);
ASYNC_FINALLY:
    --*self->alive;
    if (self->generation > 0 && self->in_finally)
        give_birth(self->set, self->generation - 1, self->alive, true);
    ASYNC_END;
}

Test(futures_unordered, a_member_may_push_to_its_own_set)
{
    for (int in_finally = 0; in_finally < 2; in_finally++) {
        for (int limit = 0, over = 0; !over; limit++) {
            struct bench bench;
            bench_begin(&bench);
            parents_t set = {.type_ = {}};
            STREAM_REF(int) stream = edo_futures_unordered(&set);
            int alive = 0, n, outputs = 0;
            give_birth(&set, 5, &alive, in_finally);
            for (int i = 0; i < limit && !over; i++) {
                bench.cx.budget = EDO_BUDGET;
                int output = poll_stream(&bench, stream, &n);
                over = output == 0;
                if (output == 1)
                    cr_assert_eq(n, 5 - outputs++);
            }
            if (over)
                cr_assert_eq(outputs, 6);
            drop_stream(&bench, stream);
            cr_assert_eq(alive, 0);
            bench_end(&bench);
        }
    }
}

/* A wake costs the same, however many others there are: in polls, exactly; in time, as its processor
 * counts it, the best of many trials, by far less than a cost for each member would. */
static uint64_t cpu_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static uint64_t cost_of_wakes(int members)
{
    enum { WOKEN = 10, ROUNDS = 50, TRIALS = 40 };
    struct bench bench;
    bench_begin(&bench);
    bench.cx.budget = EDO_UNCONSTRAINED;
    set_t set = {.type_ = {}};
    STREAM_REF(int) stream = edo_futures_unordered(&set);
    struct latch quiet = latch(MANY - 1);
    for (int i = 0; i < members - WOKEN; i++)
        cr_assert_eq(edo_futures_unordered_push(&set, quiet), 0);
    for (int i = 0; i < WOKEN; i++)
        push(&set, i);
    int n;
    cr_assert_eq(poll_stream(&bench, stream, &n), EDO_STREAM_PENDING);
    uint64_t best = UINT64_MAX;
    for (int trial = 0; trial < TRIALS; trial++) {
        uint64_t start = cpu_ns();
        for (int round = 0; round < ROUNDS; round++) {
            for (int i = 0; i < WOKEN; i++)
                edo_wake(kept[i]);
            cr_assert_eq(poll_stream(&bench, stream, &n), EDO_STREAM_PENDING);
        }
        uint64_t cost = cpu_ns() - start;
        best = cost < best ? cost : best;
    }
    for (int i = 0; i < WOKEN; i++)
        cr_assert_eq(polls[i], 1 + ROUNDS * TRIALS);
    cr_assert_eq(polls[MANY - 1], members - WOKEN, "of the others each once");
    drop_stream(&bench, stream);
    cr_assert_eq(drops[MANY - 1], members - WOKEN);
    bench_end(&bench);
    return best;
}

Test(futures_unordered, a_wake_costs_the_same_among_a_hundred_thousand)
{
    uint64_t few = cost_of_wakes(10), many = cost_of_wakes(100000);
    cr_assert_lt(many, 20 * few, "%" PRIu64 " ns among 10, %" PRIu64 " among 100000", few, many);
}
