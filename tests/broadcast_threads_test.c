/* SPDX-License-Identifier: MIT */
/* Broadcast channels between threads, and between runtimes. */
#include <pthread.h>

#include "broadcast_helpers.h"
#include "pursue.h"

/* Threads: each receives, in order, all but what it is told that it missed. */
enum { MESSAGES = 20000, LISTENERS = 6, SPEAKERS = 2 };

static void *listens(void *arg)
{
    owned_receiver rx = arg;
    uint64_t count = 0;
    int last[SPEAKERS] = {-1, -1};
    for (;;) {
        struct owned message;
        uint64_t lagged;
        int error = edo_broadcast_blocking_recv(rx, &message, &lagged);
        if (error == EDO_ECLOSED)
            break;
        if (error == EDO_ELAGGED) {
            count += lagged;
            continue;
        }
        cr_assert_eq(error, 0);
        int speaker = *message.value / MESSAGES, n = *message.value % MESSAGES;
        cr_assert_gt(n, last[speaker]);
        last[speaker] = n;
        edo_free(message.value);
        count++;
    }
    cr_assert_eq(count, SPEAKERS * MESSAGES);
    edo_broadcast_receiver_drop(rx);
    return NULL;
}

struct speaks {
    owned_sender tx;
    int first;
};

static void *speaks(void *arg)
{
    struct speaks *self = arg;
    for (int i = 0; i < MESSAGES; i++)
        cr_assert_geq(send_owned(self->tx, self->first + i), 1);
    edo_broadcast_sender_drop(self->tx);
    return NULL;
}

Test(broadcast, threads_receive_all_in_order_or_are_told_what_they_missed)
{
    struct bench bench;
    bench_begin(&bench);
    owned_sender tx;
    owned_receiver rx;
    cr_assert_eq(edo_broadcast_with(&tx, &rx, 64, owned_clone, owned_drop), 0);
    pthread_t threads[LISTENERS + SPEAKERS];
    for (int i = 0; i < LISTENERS; i++)
        cr_assert_eq(
            pthread_create(&threads[i], NULL, listens, i == 0 ? rx : edo_broadcast_subscribe(tx)),
            0);
    struct speaks speakers[SPEAKERS];
    for (int i = 0; i < SPEAKERS; i++) {
        speakers[i] = (struct speaks){i == 0 ? tx : edo_broadcast_sender_clone(tx), i * MESSAGES};
    }
    for (int i = 0; i < SPEAKERS; i++)
        cr_assert_eq(pthread_create(&threads[LISTENERS + i], NULL, speaks, &speakers[i]), 0);
    for (int i = 0; i < LISTENERS + SPEAKERS; i++)
        pthread_join(threads[i], NULL);
    bench_end(&bench);
}

/* Threads that subscribe, receive without patience, and go; others that send, and wait for the end. What
 * was sent, or cloned, is received, or dropped, once. */
enum { STORM_THREADS = 4, STORM_SENDS = 3000 };
static _Atomic(int) storm_sent, storm_received;
struct storm {
    owned_sender tx;
    owned_receiver rx;
    unsigned seed;
};

static void *storm_listens(void *arg)
{
    struct storm *storm = arg;
    int error = 0, last = -1;
    while (error != EDO_ECLOSED) {
        struct owned message;
        uint64_t lagged;
        struct edo_broadcast_recv recv = edo_broadcast_recv(storm->rx, &message);
        if (rand_r(&storm->seed) % 3 == 0)
            error = edo_broadcast_try_recv(storm->rx, &message, &lagged);
        else if (pursue(&recv.future_, rand_r(&storm->seed) % 4 == 0, &storm->seed))
            error = recv.output;
        else
            error = UV_EAGAIN;
        if (error == 0) {
            cr_assert_gt(*message.value, last, "%d after %d", *message.value, last);
            last = *message.value;
            edo_free(message.value);
            storm_received++;
        }
        if (rand_r(&storm->seed) % 50 == 0) {
            owned_receiver again = edo_broadcast_resubscribe(storm->rx);
            edo_broadcast_receiver_drop(storm->rx);
            storm->rx = again;
        }
    }
    edo_broadcast_receiver_drop(storm->rx);
    return NULL;
}

static void *storm_watches(void *arg)
{
    struct storm *storm = arg;
    BROADCAST_WEAK_SENDER(struct owned) weak = edo_broadcast_downgrade(storm->tx);
    for (int i = 0; i < STORM_SENDS; i++) {
        struct edo_broadcast_closed closed = edo_broadcast_closed(storm->tx);
        pursue(&closed.future_, false, &storm->seed);
        owned_sender again = edo_broadcast_upgrade(weak);
        if (rand_r(&storm->seed) % 4 == 0)
            edo_broadcast_receiver_drop(edo_broadcast_subscribe(again));
        edo_broadcast_sender_drop(again);
    }
    edo_broadcast_sender_drop(storm->tx);
    edo_broadcast_weak_sender_drop(weak);
    return NULL;
}

Test(broadcast, whatever_threads_do_each_message_ends_once)
{
    struct bench bench;
    bench_begin(&bench);
    unsigned seed = pursue_seed();
    clones = drops = 0;
    owned_sender tx;
    owned_receiver rx;
    cr_assert_eq(edo_broadcast_with(&tx, &rx, 4, owned_clone, owned_drop), 0);
    struct storm storms[STORM_THREADS];
    pthread_t threads[STORM_THREADS];
    for (int i = 0; i < STORM_THREADS; i++) {
        bool watches = i == 0;
        storms[i] =
            (struct storm){watches ? edo_broadcast_sender_clone(tx) : NULL,
                           watches ? NULL : edo_broadcast_subscribe(tx), (unsigned)rand_r(&seed)};
        cr_assert_eq(
            pthread_create(&threads[i], NULL, watches ? storm_watches : storm_listens, &storms[i]),
            0);
    }
    edo_broadcast_receiver_drop(rx);
    for (int i = 0; i < STORM_SENDS; i++) {
        storm_sent += send_owned(tx, i) >= 1;
        if (rand_r(&seed) % 16 == 0)
            sched_yield();
    }
    edo_broadcast_sender_drop(tx);
    for (int i = 0; i < STORM_THREADS; i++)
        pthread_join(threads[i], NULL);
    cr_assert_eq(storm_sent + clones, storm_received + drops);
    cr_assert_gt(storm_received, 0);
    bench_end(&bench);
}

/* The last receiver goes, and wakes who waits for that on another thread. */
static void *waits_for_the_end(void *arg)
{
    struct channel *c = arg;
    unsigned seed = 1;
    struct edo_broadcast_closed closed = edo_broadcast_closed(c->tx);
    cr_assert(pursue(&closed.future_, true, &seed));
    edo_broadcast_sender_drop(c->tx);
    return NULL;
}

Test(broadcast, a_thread_waits_for_the_last_receiver_to_go)
{
    struct bench bench;
    bench_begin(&bench);
    for (int i = 0; i < 50; i++) {
        struct channel c = channel(1);
        pthread_t thread;
        cr_assert_eq(pthread_create(&thread, NULL, waits_for_the_end, &c), 0);
        send_now(&c, i);
        cr_assert_eq(RECEIVE(c.rx), i);
        edo_broadcast_receiver_drop(c.rx);
        pthread_join(thread, NULL);
    }
    bench_end(&bench);
}
