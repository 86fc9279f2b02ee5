/* SPDX-License-Identifier: MIT */
/* Sets of futures whose members are woken by other threads. */
#include <pthread.h>

#include "futures_unordered_helpers.h"
#include "support/runtimes.h"

/* Threads answer members; more members than threads. */
enum { THREADS = 4, EACH = 500 };

struct answers {
    ONESHOT_SENDER(int) tx[EACH];
    int first;
};

static void *answer(void *arg)
{
    struct answers *answers = arg;
    for (int i = 0; i < EACH; i++)
        edo_oneshot_send(answers->tx[i], &(int){answers->first + i});
    return NULL;
}

struct request {
    FUTURE(int);
    ONESHOT_RECEIVER(int) rx;
    int answer;
    struct edo_oneshot_recv recv;
};

ASYNC(request)
{
    ASYNC_BEGIN;
    TRY_AWAIT(self->recv, edo_oneshot_recv(self->rx, &self->answer));
    RETURN(self->answer);
ASYNC_FINALLY:
    edo_oneshot_receiver_drop(self->rx);
    ASYNC_END;
}

struct collects {
    FUTURE(int);
    FUTURES_UNORDERED(struct request) set;
    STREAM_REF(int) stream;
    int n, count, limit;
    long sum;
};

ASYNC(collects)
{
    ASYNC_BEGIN;
    FOR_AWAIT(self->n, self->stream) {
        self->sum += self->n;
        if (++self->count == self->limit)
            break;
    }
    RETURN(self->count);
ASYNC_FINALLY:
    DROP_STREAM(self->stream);
    ASYNC_END;
}

static void run_threads(int limit)
{
    struct edo_census before = edo_census_now();
    struct edo_runtime *runtime;
    cr_assert_eq(test_runtime_new(&runtime), 0);
    static struct answers answers[THREADS];
    static struct collects collects;
    collects = NEW(collects, .limit = limit);
    collects.stream = edo_futures_unordered(&collects.set);
    for (int t = 0; t < THREADS; t++) {
        answers[t].first = t * EACH;
        for (int i = 0; i < EACH; i++) {
            ONESHOT_RECEIVER(int) rx;
            cr_assert_eq(edo_oneshot(&answers[t].tx[i], &rx), 0);
            cr_assert_eq(edo_futures_unordered_push(&collects.set, NEW(request, .rx = rx)), 0);
        }
    }
    pthread_t threads[THREADS];
    for (int t = 0; t < THREADS; t++)
        cr_assert_eq(pthread_create(&threads[t], NULL, answer, &answers[t]), 0);
    cr_assert_eq(test_block_on(runtime, &collects), 0);
    for (int t = 0; t < THREADS; t++)
        pthread_join(threads[t], NULL);
    edo_runtime_drop(runtime);
    cr_assert_eq(collects.output, limit);
    long all = THREADS * EACH;
    if (limit == all)
        cr_assert_eq(collects.sum, all * (all - 1) / 2);
    struct edo_census after = edo_census_now();
    for (int i = 0; i < EDO_CENSUS_KINDS; i++)
        cr_assert_eq(after.live[i], before.live[i], "%s", edo_census_name(i));
}

Test(futures_unordered, threads_wake_members_and_each_output_comes_once)
{
    run_threads(THREADS * EACH);
}

Test(futures_unordered, dropped_while_threads_wake_its_members)
{
    for (int i = 0; i < 20; i++)
        run_threads(1 + i * 50);
}

/* Threads that wake, clone and drop wakers of members, as fast as they can, while the set is polled by
 * turns by two tasks, loses members, is dropped, and is used anew. */
enum { STORM = 8 };
static struct {
    struct edo_waker *wakers[STORM];
    _Atomic(bool) over;
} storm;

static void *rage(void *arg)
{
    unsigned at = (unsigned)(uintptr_t)arg;
    while (!edo_load(&storm.over, relaxed)) {
        struct edo_waker *waker = storm.wakers[at++ % STORM];
        edo_wake(waker);
        struct edo_waker *clone = edo_waker_clone(waker);
        edo_wake(clone);
        edo_waker_drop(clone);
    }
    return NULL;
}

/* A waker that threads may wake. */
struct hit {
    struct edo_waker waker;
    _Atomic(int) wakes, refs;
};

static void hit_wake(struct edo_waker *waker)
{
    edo_fetch_add(&((struct hit *)waker)->wakes, 1, relaxed);
}

static struct edo_waker *hit_clone(struct edo_waker *waker)
{
    edo_fetch_add(&((struct hit *)waker)->refs, 1, relaxed);
    return waker;
}

static void hit_drop(struct edo_waker *waker)
{
    cr_assert_gt(edo_fetch_sub(&((struct hit *)waker)->refs, 1, acq_rel), 0);
}

static const struct edo_waker_ops hit_ops = {hit_wake, hit_clone, hit_drop, NULL, NULL};

Test(futures_unordered, a_storm_of_wakes_on_what_has_ended_and_what_has_not)
{
    struct edo_census before = edo_census_now();
    for (int round = 0; round < 50; round++) {
        struct hit tasks[2] = {{.waker = {&hit_ops}}, {.waker = {&hit_ops}}};
        struct edo_context contexts[2];
        set_t set = {.type_ = {}};
        STREAM_REF(int) stream = edo_futures_unordered(&set);
        int n;
        for (int i = 0; i < STORM; i++)
            push(&set, i);
        edo_context_init(&contexts[0], &tasks[0].waker);
        struct edo_next next = edo_next(stream, &n);
        cr_assert_eq(edo_future_poll(&next.future_, &contexts[0]), EDO_PENDING);
        edo_future_drop(&next.future_, &contexts[0]);
        for (int i = 0; i < STORM; i++)
            storm.wakers[i] = edo_waker_clone(kept[i]);
        edo_store(&storm.over, false, relaxed);
        pthread_t threads[2];
        for (uintptr_t t = 0; t < 2; t++)
            cr_assert_eq(pthread_create(&threads[t], NULL, rage, (void *)(t * 3)), 0);
        for (int ended = 0, i = 0; ended < STORM / 2; i++) {
            if (i % 16 == 15)
                opened[i / 16 % STORM] = true;
            edo_context_init(&contexts[i % 2], &tasks[i % 2].waker);
            next = edo_next(stream, &n);
            if (edo_future_poll(&next.future_, &contexts[i % 2]) == EDO_READY)
                ended++;
            else
                edo_future_drop(&next.future_, &contexts[i % 2]);
        }
        edo_stream_drop_(&set.set.stream_, &contexts[0]);
        push(&set, MANY - 1);
        edo_stream_drop_(&set.set.stream_, &contexts[0]);
        edo_store(&storm.over, true, relaxed);
        for (int t = 0; t < 2; t++)
            pthread_join(threads[t], NULL);
        for (int i = 0; i < STORM; i++)
            edo_waker_drop(storm.wakers[i]);
        for (int t = 0; t < 2; t++)
            cr_assert_eq(edo_load(&tasks[t].refs, relaxed), 0);
    }
    struct edo_census after = edo_census_now();
    for (int i = 0; i < EDO_CENSUS_KINDS; i++)
        cr_assert_eq(after.live[i], before.live[i], "%s", edo_census_name(i));
}
