/* SPDX-License-Identifier: MIT */
#include "poll_harness.h"

#include <pthread.h>

#include "edo.h"

struct channel {
    WATCH_SENDER(int) tx;
    WATCH_RECEIVER(int) rx;
};

static struct channel channel(int initial)
{
    struct channel c;
    cr_assert_eq(edo_watch(&c.tx, &c.rx, &initial), 0);
    return c;
}

static void done(struct channel *c)
{
    edo_watch_sender_drop(c->tx);
    edo_watch_receiver_drop(c->rx);
}

static int send_now(struct channel *c, int value)
{
    return edo_watch_send(c->tx, &value);
}

static int look(WATCH_RECEIVER(int) rx, bool update)
{
    const int *value = update ? edo_watch_borrow_and_update(rx) : edo_watch_borrow(rx);
    int seen = *value;
    edo_watch_release(rx, value);
    return seen;
}

Test(watch, only_the_last_value_and_changed_reports_one_not_seen)
{
    struct bench bench;
    bench_begin(&bench);
    struct channel c = channel(1);
    struct edo_watch_changed changed = edo_watch_changed(c.rx);
    cr_assert_eq(POLL(changed), EDO_PENDING, "the first has been seen");
    cr_assert_eq(send_now(&c, 2), 0);
    cr_assert_eq(bench.counter.wakes, 1);
    cr_assert_eq(send_now(&c, 3), 0);
    cr_assert_eq(bench.counter.wakes, 1);
    cr_assert_eq(POLL(changed), EDO_READY);
    cr_assert_eq(changed.output, 0);
    cr_assert_eq(look(c.rx, false), 3);
    cr_assert_eq(edo_watch_has_changed(c.rx), 0);
    changed = edo_watch_changed(c.rx);
    cr_assert_eq(POLL(changed), EDO_PENDING);
    DROP_IT(changed);
    cr_assert_eq(send_now(&c, 4), 0);
    cr_assert_eq(bench.counter.wakes, 1);
    cr_assert_eq(edo_watch_has_changed(c.rx), 1, "dropped, it has seen nothing");
    done(&c);
    bench_end(&bench);
}

Test(watch, borrow_does_not_mark_and_borrow_and_update_does)
{
    struct channel c = channel(1);
    send_now(&c, 2);
    cr_assert_eq(look(c.rx, false), 2);
    cr_assert_eq(edo_watch_has_changed(c.rx), 1);
    cr_assert_eq(look(c.rx, true), 2);
    cr_assert_eq(edo_watch_has_changed(c.rx), 0);
    edo_watch_mark_changed(c.rx);
    cr_assert_eq(edo_watch_has_changed(c.rx), 1);
    edo_watch_mark_unchanged(c.rx);
    cr_assert_eq(edo_watch_has_changed(c.rx), 0);
    send_now(&c, 3);
    int value = 0;
    edo_watch_get(c.rx, &value);
    cr_assert(value == 3 && edo_watch_has_changed(c.rx) == 0);
    done(&c);
}

Test(watch, a_borrowed_value_stays_as_it_is)
{
    struct bench bench;
    bench_begin(&bench);
    struct channel c = channel(1);
    const int *first = edo_watch_borrow(c.rx);
    const int *again = edo_watch_sender_borrow(c.tx);
    cr_assert_eq(first, again);
    edo_watch_sender_release(c.tx, again);
    cr_assert_eq(send_now(&c, 2), 0);
    cr_assert_eq(*first, 1);
    cr_assert_eq(look(c.rx, true), 2);
    edo_watch_release(c.rx, first);
    done(&c);
    bench_end(&bench);
}

Test(watch, changed_errs_after_the_last_sender_once_the_last_was_seen)
{
    struct bench bench;
    bench_begin(&bench);
    struct channel c = channel(1);
    WATCH_SENDER(int) other = edo_watch_sender_clone(c.tx);
    cr_assert_eq(edo_watch_sender_count(c.tx), 2);
    edo_watch_sender_drop(other);
    send_now(&c, 2);
    edo_watch_sender_drop(c.tx);
    cr_assert_eq(edo_watch_has_changed(c.rx), 1);
    struct edo_watch_changed changed = edo_watch_changed(c.rx);
    cr_assert_eq(POLL(changed), EDO_READY);
    cr_assert_eq(changed.output, 0);
    changed = edo_watch_changed(c.rx);
    cr_assert_eq(POLL(changed), EDO_READY);
    cr_assert_eq(changed.output, EDO_ECLOSED);
    cr_assert_eq(edo_watch_has_changed(c.rx), EDO_ECLOSED);
    cr_assert_eq(look(c.rx, true), 2);
    edo_watch_receiver_drop(c.rx);

    c = channel(1);
    changed = edo_watch_changed(c.rx);
    cr_assert_eq(POLL(changed), EDO_PENDING);
    edo_watch_sender_drop(c.tx);
    cr_assert_eq(bench.counter.wakes, 1);
    cr_assert_eq(POLL(changed), EDO_READY);
    cr_assert_eq(changed.output, EDO_ECLOSED);
    edo_watch_receiver_drop(c.rx);
    bench_end(&bench);
}

static bool adds_if_even(int *value, void *arg)
{
    if (*value % 2 != 0)
        return false;
    *value += *(int *)arg;
    return true;
}

static void doubles(int *value, void *arg)
{
    (void)arg;
    *value *= 2;
}

Test(watch, send_if_modified_false_wakes_nobody)
{
    struct bench bench;
    bench_begin(&bench);
    struct channel c = channel(3);
    struct edo_watch_changed changed = edo_watch_changed(c.rx);
    cr_assert_eq(POLL(changed), EDO_PENDING);
    int n = 1;
    cr_assert_eq(edo_watch_send_if_modified(c.tx, adds_if_even, &n), 0);
    cr_assert_eq(bench.counter.wakes, 0);
    cr_assert_eq(edo_watch_send_modify(c.tx, doubles, NULL), 0);
    cr_assert_eq(bench.counter.wakes, 1);
    cr_assert_eq(POLL(changed), EDO_READY);
    cr_assert_eq(edo_watch_send_if_modified(c.tx, adds_if_even, &n), 1);
    cr_assert_eq(look(c.rx, true), 7);
    edo_watch_receiver_drop(c.rx);
    cr_assert_eq(edo_watch_send_modify(c.tx, doubles, NULL), 0, "without receivers too");
    c.rx = edo_watch_subscribe(c.tx);
    cr_assert_eq(edo_watch_has_changed(c.rx), 0);
    cr_assert_eq(look(c.rx, true), 14);
    done(&c);
    bench_end(&bench);
}

Test(watch, without_receivers_send_fails_and_replace_stores)
{
    struct channel c = channel(1);
    edo_watch_receiver_drop(c.rx);
    cr_assert(edo_watch_is_closed(c.tx));
    cr_assert_eq(send_now(&c, 2), EDO_ECLOSED);
    int value = 3, old = 0;
    cr_assert_eq(edo_watch_send_replace(c.tx, &value, &old), 0);
    cr_assert_eq(old, 1);
    c.rx = edo_watch_subscribe(c.tx);
    cr_assert_eq(look(c.rx, false), 3);
    const int *borrowed = edo_watch_borrow(c.rx);
    value = 4;
    cr_assert_eq(edo_watch_send_replace(c.tx, &value, &old), 0);
    cr_assert(old == 3 && *borrowed == 3);
    edo_watch_release(c.rx, borrowed);
    done(&c);
}

static int asked;

static bool at_least(const int *value, void *arg)
{
    asked++;
    return *value >= *(int *)arg;
}

Test(watch, wait_for_looks_at_the_present_value_first)
{
    struct bench bench;
    bench_begin(&bench);
    struct channel c = channel(5);
    int least = 5, value = 0;
    asked = 0;
    struct edo_watch_wait_for wait = edo_watch_wait_for(c.rx, at_least, &least, &value);
    cr_assert_eq(POLL(wait), EDO_READY);
    cr_assert(wait.output == 0 && value == 5 && asked == 1);
    least = 8;
    wait = edo_watch_wait_for(c.rx, at_least, &least, &value);
    cr_assert_eq(POLL(wait), EDO_PENDING);
    cr_assert_eq(asked, 2);
    cr_assert_eq(POLL(wait), EDO_PENDING);
    cr_assert_eq(asked, 2, "once for each value");
    send_now(&c, 7);
    cr_assert_eq(POLL(wait), EDO_PENDING);
    cr_assert_eq(edo_watch_has_changed(c.rx), 0, "not wanted, but seen");
    send_now(&c, 9);
    cr_assert_eq(POLL(wait), EDO_READY);
    cr_assert(value == 9 && asked == 4 && edo_watch_has_changed(c.rx) == 0);
    least = 10;
    wait = edo_watch_wait_for(c.rx, at_least, &least, &value);
    cr_assert_eq(POLL(wait), EDO_PENDING);
    DROP_IT(wait);
    wait = edo_watch_wait_for(c.rx, at_least, &least, &value);
    cr_assert_eq(POLL(wait), EDO_PENDING);
    edo_watch_sender_drop(c.tx);
    cr_assert_eq(POLL(wait), EDO_READY);
    cr_assert_eq(wait.output, EDO_ECLOSED);
    cr_assert_eq(edo_watch_has_changed(c.rx), EDO_ECLOSED, "the last was seen");
    edo_watch_receiver_drop(c.rx);
    bench_end(&bench);
}

/* Sends while it is asked. */
static bool never(const int *value, void *tx)
{
    asked++;
    int next = *value + 1;
    cr_assert_eq(edo_watch_send((WATCH_SENDER(int))tx, &next), 0);
    return false;
}

Test(watch, wait_for_gives_way_when_values_come_as_fast_as_it_asks, .timeout = 60)
{
    struct bench bench;
    bench_begin(&bench);
    struct channel c = channel(0);
    int value;
    asked = 0;
    struct edo_watch_wait_for wait = edo_watch_wait_for(c.rx, never, (void *)c.tx, &value);
    cr_assert_eq(POLL(wait), EDO_PENDING);
    cr_assert_eq(asked, EDO_BUDGET);
    cr_assert_eq(bench.counter.wakes, 1);
    DROP_IT(wait);
    done(&c);
    bench_end(&bench);
}

Test(watch, receivers_see_each_for_itself_and_all_are_woken)
{
    enum { MANY = 70 };
    struct bench bench;
    bench_begin(&bench);
    struct channel c = channel(0);
    WATCH_RECEIVER(int) rx[MANY];
    struct edo_watch_changed changed[MANY];
    for (int i = 0; i < MANY; i++) {
        rx[i] = edo_watch_receiver_clone(c.rx);
        changed[i] = edo_watch_changed(rx[i]);
        cr_assert_eq(POLL(changed[i]), EDO_PENDING);
    }
    cr_assert_eq(edo_watch_receiver_count(c.tx), MANY + 1);
    struct channel other = channel(0);
    cr_assert(edo_watch_same_channel(rx[0], rx[1]) && edo_watch_same_channel(c.tx, rx[1]));
    cr_assert_not(edo_watch_same_channel(c.tx, other.tx) || edo_watch_same_channel(c.rx, other.rx));
    done(&other);
    send_now(&c, 1);
    cr_assert_eq(bench.counter.wakes, MANY);
    for (int i = 0; i < MANY; i++) {
        bench.cx.budget = EDO_BUDGET;
        if (i % 2 == 0)
            DROP_IT(changed[i]);
        else
            cr_assert_eq(POLL(changed[i]), EDO_READY);
        cr_assert_eq(edo_watch_has_changed(rx[i]), i % 2 == 0);
        edo_watch_receiver_drop(rx[i]);
    }
    done(&c);
    bench_end(&bench);
}

Test(watch, closed_is_ready_when_the_last_receiver_goes)
{
    struct bench bench;
    bench_begin(&bench);
    struct channel c = channel(0);
    struct edo_watch_closed closed = edo_watch_closed(c.tx), dropped = edo_watch_closed(c.tx);
    cr_assert_eq(POLL(closed), EDO_PENDING);
    cr_assert_eq(POLL(dropped), EDO_PENDING);
    DROP_IT(dropped);
    edo_watch_receiver_drop(c.rx);
    cr_assert_eq(bench.counter.wakes, 1);
    cr_assert_eq(POLL(closed), EDO_READY);
    edo_watch_sender_drop(c.tx);
    bench_end(&bench);
}

/* Values that own memory. */
struct owned {
    int *value;
};
static _Atomic(int) live;

static struct owned owned_new(int value)
{
    struct owned owned = {edo_malloc(sizeof(int))};
    *owned.value = value;
    live++;
    return owned;
}

static void owned_clone(const struct owned *value, struct owned *copy)
{
    *copy = owned_new(*value->value);
}

static void owned_drop(struct owned *value)
{
    edo_free(value->value);
    live--;
}

static void owned_add(struct owned *value, void *arg)
{
    (void)arg;
    ++*value->value;
}

Test(watch, each_value_that_owns_memory_is_dropped_once)
{
    struct bench bench;
    bench_begin(&bench);
    live = 0;
    WATCH_SENDER(struct owned) tx;
    WATCH_RECEIVER(struct owned) rx;
    struct owned value = owned_new(1), old;
    cr_assert_eq(edo_watch_with(&tx, &rx, &value, owned_clone, NULL), UV_EINVAL);
    cr_assert_eq(edo_watch_with(&tx, &rx, &value, owned_clone, owned_drop), 0);
    const struct owned *borrowed = edo_watch_borrow(rx);
    value = owned_new(2);
    cr_assert_eq(edo_watch_send(tx, &value), 0);
    cr_assert_eq(live, 2);
    edo_watch_release(rx, borrowed);
    cr_assert_eq(live, 1);
    cr_assert_eq(edo_watch_send_modify(tx, owned_add, NULL), 0);
    cr_assert_eq(live, 1);
    edo_watch_get(rx, &value);
    cr_assert_eq(*value.value, 3);
    cr_assert_eq(edo_watch_send_replace(tx, &value, &old), 0);
    cr_assert_eq(*old.value, 3);
    owned_drop(&old);
    borrowed = edo_watch_borrow(rx);
    value = owned_new(4);
    cr_assert_eq(edo_watch_send_replace(tx, &value, &old), 0);
    cr_assert_eq(*old.value, 3);
    cr_assert_neq(old.value, borrowed->value, "a clone: it is borrowed");
    owned_drop(&old);
    edo_watch_release(rx, borrowed);
    cr_assert_eq(live, 1);
    edo_watch_receiver_drop(rx);
    edo_watch_sender_drop(tx);
    cr_assert_eq(live, 0);
    bench_end(&bench);
}

Test(watch, without_memory_nothing_is_made_and_nothing_is_lost)
{
    struct bench bench;
    bench_begin(&bench);
    struct channel c;
    int value = 1;
    for (int n = 1; n <= 3; n++) {
        edo_alloc_fail((uint64_t)n, false);
        cr_assert_eq(edo_watch(&c.tx, &c.rx, &value), UV_ENOMEM);
        cr_assert(c.tx == NULL && c.rx == NULL);
        cr_assert(edo_alloc_fail(0, false));
    }
    c = channel(1);
    const int *borrowed = edo_watch_borrow(c.rx);
    edo_alloc_fail(1, true);
    cr_assert_eq(send_now(&c, 2), UV_ENOMEM);
    cr_assert_eq(edo_watch_send_replace(c.tx, &value, &value), UV_ENOMEM);
    cr_assert_eq(edo_watch_send_modify(c.tx, doubles, NULL), UV_ENOMEM);
    cr_assert_null(edo_watch_subscribe(c.tx));
    cr_assert_null(edo_watch_receiver_clone(c.rx));
    cr_assert(edo_alloc_fail(0, false));
    edo_watch_release(c.rx, borrowed);
    cr_assert_eq(edo_watch_has_changed(c.rx), 0);
    cr_assert_eq(look(c.rx, false), 1);
    done(&c);
    bench_end(&bench);
}

/* Threads: what a receiver sees never goes back, and each sees the last. */
enum { LAST = 20000, LOOKERS = 6 };
struct pair {
    int a, b;
};

static void *looks(void *arg)
{
    WATCH_RECEIVER(struct pair) rx = arg;
    struct edo_runtime *runtime;
    cr_assert_eq(edo_runtime_new(&runtime), 0);
    int last = 0;
    for (;;) {
        struct edo_watch_changed changed = edo_watch_changed(rx);
        cr_assert_eq(edo_block_on(runtime, &changed), 0);
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
}
