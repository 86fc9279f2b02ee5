/* SPDX-License-Identifier: MIT */
/* Watch channels between threads, and between runtimes. */
#include <pthread.h>

#include "watch_helpers.h"
#include "pursue.h"
#include "support/runtimes.h"

/* Threads: what a receiver sees never goes back, and each sees the last. */
enum { LAST = 20000, LOOKERS = 6 };
struct pair {
    int a, b;
};

static void *looks(void *arg)
{
    WATCH_RECEIVER(struct pair) rx = arg;
    struct edo_runtime *runtime;
    cr_assert_eq(test_runtime_new(&runtime), 0);
    int last = 0;
    for (;;) {
        struct edo_watch_changed changed = edo_watch_changed(rx);
        cr_assert_eq(test_block_on(runtime, &changed), 0);
        if (changed.output < 0)
            break;
        const struct pair *value = edo_watch_borrow_and_update(rx);
        cr_assert_eq(value->a, value->b);
        cr_assert_geq(value->a, last);
        last = value->a;
        edo_watch_release(rx, value);
    }
    cr_assert_eq(last, 2 * LAST);
    edo_watch_receiver_drop(rx);
    edo_runtime_drop(runtime);
    return NULL;
}

static void pair_add(struct pair *value, void *arg)
{
    (void)arg;
    value->a++;
    value->b++;
}

static void *changes(void *arg)
{
    WATCH_SENDER(struct pair) tx = arg;
    for (int i = 0; i < LAST; i++)
        cr_assert_eq(edo_watch_send_modify(tx, pair_add, NULL), 0);
    edo_watch_sender_drop(tx);
    return NULL;
}

Test(watch, threads_see_whole_values_that_never_go_back_and_no_change_is_lost)
{
    struct bench bench;
    bench_begin(&bench);
    WATCH_SENDER(struct pair) tx;
    WATCH_RECEIVER(struct pair) rx;
    struct pair zero = {0, 0};
    cr_assert_eq(edo_watch(&tx, &rx, &zero), 0);
    pthread_t threads[LOOKERS + 2];
    for (int i = 0; i < LOOKERS; i++)
        cr_assert_eq(pthread_create(&threads[i], NULL, looks, edo_watch_receiver_clone(rx)), 0);
    edo_watch_receiver_drop(rx);
    for (int i = LOOKERS; i < LOOKERS + 2; i++)
        cr_assert_eq(pthread_create(&threads[i], NULL, changes, edo_watch_sender_clone(tx)), 0);
    edo_watch_sender_drop(tx);
    for (int i = 0; i < LOOKERS + 2; i++)
        pthread_join(threads[i], NULL);
    bench_end(&bench);
}

/* Threads that change a value that owns memory, in every way; others that look at it, wait for it
 * without patience, keep it for a while, come and go. It never goes back; each value is dropped once. */
enum { STORM_LOOKERS = 4, STORM_CHANGES = 1500 };
struct storm {
    owned_sender tx;
    owned_receiver rx;
    unsigned seed;
    int last;
};

static bool is_newer(const struct owned *value, void *arg)
{
    return *value->value > *(int *)arg;
}

static void storm_seen(struct storm *storm, const struct owned *value)
{
    cr_assert_geq(*value->value, storm->last);
    storm->last = *value->value;
}

static void *storm_looks(void *arg)
{
    struct storm *storm = arg;
    const struct owned *kept = NULL;
    struct owned mine;
    for (int error = 0; error >= 0;) {
        struct edo_watch_changed changed = edo_watch_changed(storm->rx);
        struct edo_watch_wait_for wait =
            edo_watch_wait_for(storm->rx, is_newer, &storm->last, &mine);
        bool patient = rand_r(&storm->seed) % 3 == 0;
        switch (rand_r(&storm->seed) % 4) {
        case 0:
            if (pursue(&changed.future_, patient, &storm->seed))
                error = changed.output;
            break;
        case 1:
            if (!pursue(&wait.future_, patient, &storm->seed))
                break;
            error = wait.output;
            if (error == 0) {
                cr_assert_gt(*mine.value, storm->last);
                storm_seen(storm, &mine);
                owned_drop(&mine);
            }
            break;
        case 2:
            if (kept != NULL)
                edo_watch_release(storm->rx, kept);
            kept = edo_watch_borrow_and_update(storm->rx);
            storm_seen(storm, kept);
            break;
        default:
            edo_watch_get(storm->rx, &mine);
            storm_seen(storm, &mine);
            owned_drop(&mine);
            owned_receiver again = edo_watch_receiver_clone(storm->rx);
            if (kept != NULL)
                edo_watch_release(storm->rx, kept);
            kept = NULL;
            edo_watch_receiver_drop(storm->rx);
            storm->rx = again;
            break;
        }
    }
    if (kept != NULL)
        edo_watch_release(storm->rx, kept);
    cr_assert_eq(edo_watch_has_changed(storm->rx), EDO_ECLOSED);
    edo_watch_receiver_drop(storm->rx);
    return NULL;
}

static void *storm_adds(void *arg)
{
    struct storm *storm = arg;
    for (int i = 0; i < STORM_CHANGES; i++) {
        struct edo_watch_closed closed = edo_watch_closed(storm->tx);
        if (rand_r(&storm->seed) % 4 == 0)
            cr_assert_not(pursue(&closed.future_, false, &storm->seed));
        if (rand_r(&storm->seed) % 2 == 0)
            cr_assert_eq(edo_watch_send_modify(storm->tx, owned_add, NULL), 0);
        else
            cr_assert_eq(edo_watch_send_if_modified(storm->tx, owned_add_if, NULL), 1);
    }
    edo_watch_sender_drop(storm->tx);
    return NULL;
}

Test(watch, whatever_threads_do_each_value_is_dropped_once)
{
    struct bench bench;
    bench_begin(&bench);
    unsigned seed = pursue_seed();
    live = 0;
    owned_sender tx;
    owned_receiver rx;
    struct owned value = owned_new(0);
    cr_assert_eq(edo_watch_with(&tx, &rx, &value, owned_clone, owned_drop), 0);
    struct storm storms[STORM_LOOKERS + 2];
    pthread_t threads[STORM_LOOKERS + 2];
    for (int i = 0; i < STORM_LOOKERS + 2; i++) {
        bool looks_at_it = i < STORM_LOOKERS;
        storms[i] = (struct storm){looks_at_it ? NULL : edo_watch_sender_clone(tx),
                                   looks_at_it ? edo_watch_subscribe(tx) : NULL,
                                   (unsigned)rand_r(&seed), 0};
        cr_assert_eq(
            pthread_create(&threads[i], NULL, looks_at_it ? storm_looks : storm_adds, &storms[i]),
            0);
    }
    edo_watch_sender_drop(tx);
    for (int i = 0; i < STORM_LOOKERS + 2; i++)
        pthread_join(threads[i], NULL);
    edo_watch_get(rx, &value);
    cr_assert_eq(*value.value, 2 * STORM_CHANGES);
    owned_drop(&value);
    edo_watch_receiver_drop(rx);
    cr_assert_eq(live, 0);
    bench_end(&bench);
}

/* A value is handed from sender to sender: each had it once. */
enum { REPLACERS = 4, REPLACES = 2000 };
static _Atomic(long) replaced_sum;

static void *replaces(void *arg)
{
    owned_sender tx = arg;
    for (int i = 1; i <= REPLACES; i++) {
        struct owned value = owned_new(i), old;
        cr_assert_eq(edo_watch_send_replace(tx, &value, &old), 0);
        replaced_sum += *old.value;
        owned_drop(&old);
    }
    edo_watch_sender_drop(tx);
    return NULL;
}

Test(watch, threads_that_replace_each_get_what_one_had_stored)
{
    struct bench bench;
    bench_begin(&bench);
    live = 0;
    owned_sender tx;
    owned_receiver rx;
    struct owned value = owned_new(0);
    cr_assert_eq(edo_watch_with(&tx, &rx, &value, owned_clone, owned_drop), 0);
    pthread_t threads[REPLACERS];
    for (int i = 0; i < REPLACERS; i++)
        cr_assert_eq(pthread_create(&threads[i], NULL, replaces, edo_watch_sender_clone(tx)), 0);
    edo_watch_sender_drop(tx);
    for (int i = 0; i < REPLACERS; i++)
        pthread_join(threads[i], NULL);
    edo_watch_get(rx, &value);
    cr_assert_eq(replaced_sum + *value.value, (long)REPLACERS * REPLACES * (REPLACES + 1) / 2);
    owned_drop(&value);
    edo_watch_receiver_drop(rx);
    cr_assert_eq(live, 0);
    bench_end(&bench);
}

static void *waits_for_the_end(void *arg)
{
    struct channel *c = arg;
    unsigned seed = 1;
    struct edo_watch_closed closed = edo_watch_closed(c->tx);
    cr_assert(pursue(&closed.future_, true, &seed));
    edo_watch_sender_drop(c->tx);
    return NULL;
}

Test(watch, a_thread_waits_for_the_last_receiver_to_go)
{
    struct bench bench;
    bench_begin(&bench);
    for (int i = 0; i < 50; i++) {
        struct channel c = channel(1);
        pthread_t thread;
        cr_assert_eq(pthread_create(&thread, NULL, waits_for_the_end, &c), 0);
        cr_assert_eq(look(c.rx, true), 1);
        edo_watch_receiver_drop(c.rx);
        pthread_join(thread, NULL);
    }
    bench_end(&bench);
}
