/* SPDX-License-Identifier: MIT */
/* Mpsc channels between threads, and between runtimes. */
#include <pthread.h>

#include "mpsc_helpers.h"
#include "pursue.h"
#include "support/runtimes.h"

/* Plain threads. */

struct counting {
    MPSC_SENDER(int) tx;
    int first, count;
};

static void *sends_blocking(void *arg)
{
    struct counting *counting = arg;
    for (int i = 0; i < counting->count; i++) {
        int value = counting->first + i;
        cr_assert_eq(edo_mpsc_blocking_send(counting->tx, &value), 0);
    }
    edo_mpsc_sender_drop(counting->tx);
    return NULL;
}

Test(mpsc, threads_send_and_receive_blocking_and_each_in_its_order)
{
    struct bench bench;
    bench_begin(&bench);
    enum { THREADS = 8, EACH = 2000 };
    struct channel c = channel(3);
    struct counting counting[THREADS];
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++) {
        counting[i] = (struct counting){edo_mpsc_sender_clone(c.tx), i * EACH, EACH};
        cr_assert_eq(pthread_create(&threads[i], NULL, sends_blocking, &counting[i]), 0);
    }
    edo_mpsc_sender_drop(c.tx);
    int next[THREADS] = {0}, value;
    while (edo_mpsc_blocking_recv(c.rx, &value) == 0)
        cr_assert_eq(value % EACH, next[value / EACH]++);
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
        cr_assert_eq(next[i], EACH);
    }
    edo_mpsc_receiver_drop(c.rx);
    bench_end(&bench);
}

struct blocks {
    FUTURE(int);
    struct channel *c;
};

ASYNC(blocks)
{
    ASYNC_BEGIN;
    int value = 0;
    int sent = edo_mpsc_blocking_send(self->c->tx, &value);
    int received = edo_mpsc_blocking_recv(self->c->rx, &value);
    RETURN(sent == EDO_ENESTED && received == EDO_ENESTED);
    ASYNC_END;
}

Test(mpsc, blocking_in_a_task_is_an_error)
{
    struct bench bench;
    bench_begin(&bench);
    struct edo_runtime *runtime;
    cr_assert_eq(test_runtime_new(&runtime), 0);
    struct channel c = channel(1);
    struct blocks blocks = NEW(blocks, .c = &c);
    cr_assert_eq(test_block_on(runtime, &blocks), 0);
    cr_assert(blocks.output);
    done(&c);
    edo_runtime_drop(runtime);
    bench_end(&bench);
}

/* A runtime in each thread. */

struct pings {
    FUTURE(int);
    struct channel in, out;
    int rounds, value;
    bool first;
    struct edo_mpsc_send send;
    struct edo_mpsc_recv recv;
};

ASYNC(pings)
{
    ASYNC_BEGIN;
    if (self->first)
        AWAIT(self->send, edo_mpsc_send(self->out.tx, &self->value));
    for (;;) {
        AWAIT(self->recv, edo_mpsc_recv(self->in.rx, &self->value));
        if (self->recv.output < 0)
            RETURN(self->rounds);
        self->rounds++;
        if (++self->value > 20000)
            RETURN(self->rounds);
        AWAIT(self->send, edo_mpsc_send(self->out.tx, &self->value));
        if (self->send.output < 0)
            RETURN(self->rounds);
    }
ASYNC_FINALLY:
    edo_mpsc_sender_drop(self->out.tx);
    edo_mpsc_receiver_drop(self->in.rx);
    ASYNC_END;
}

static void *pings_in_runtime(void *arg)
{
    struct edo_runtime *runtime;
    cr_assert_eq(test_runtime_new(&runtime), 0);
    cr_assert_eq(test_block_on(runtime, (struct pings *)arg), 0);
    edo_runtime_drop(runtime);
    return NULL;
}

Test(mpsc, tasks_of_two_runtimes_talk)
{
    struct bench bench;
    bench_begin(&bench);
    struct channel there = channel(1), back = channel(1);
    struct pings a = NEW(pings, .out = there, .in = back, .first = true);
    struct pings b = NEW(pings, .out = back, .in = there);
    pthread_t thread;
    cr_assert_eq(pthread_create(&thread, NULL, pings_in_runtime, &a), 0);
    pings_in_runtime(&b);
    pthread_join(thread, NULL);
    cr_assert_geq(a.rounds + b.rounds, 20000);
    bench_end(&bench);
}

/* Threads that send in every way, impatiently, and a receiver that receives in every way, until it
 * closes, or goes, at some time: each message that was sent is received, or dropped, once; each that
 * was refused is still the sender's. */
enum { STORM_SENDERS = 6, STORM_ROUNDS = 40, STORM_CAPACITY = 3 };
struct storm {
    MPSC_SENDER(struct owned) tx;
    MPSC_WEAK_SENDER(struct owned) weak;
    unsigned seed;
};
static _Atomic(int) storm_sent, storm_received;

static int storm_send_by_permit(struct storm *storm)
{
    MPSC_PERMIT(struct owned) permit = {0};
    size_t n = (size_t)rand_r(&storm->seed) % (STORM_CAPACITY + 1);
    struct edo_mpsc_reserve reserve = edo_mpsc_reserve_many(storm->tx, n, &permit);
    if (!pursue(&reserve.future_, rand_r(&storm->seed) % 2, &storm->seed))
        return 0;
    for (; permit.places.count > 0 && rand_r(&storm->seed) % 4 != 0; storm_sent++) {
        struct owned owned = owned_new(1);
        edo_mpsc_permit_send(&permit, &owned);
    }
    edo_mpsc_permit_release(&permit);
    return reserve.output == UV_EINVAL ? 0 : reserve.output; /* unbounded: there are no places */
}

static int storm_send(struct storm *storm)
{
    struct owned owned = owned_new(0);
    struct edo_mpsc_send send = edo_mpsc_send(storm->tx, &owned);
    int error = UV_EAGAIN;
    switch (rand_r(&storm->seed) % 3) {
    case 0:
        error = edo_mpsc_try_send(storm->tx, &owned);
        break;
    case 1:
        error = edo_mpsc_blocking_send(storm->tx, &owned);
        break;
    default:
        if (pursue(&send.future_, rand_r(&storm->seed) % 2, &storm->seed))
            error = send.output;
        break;
    }
    if (error == 0)
        storm_sent++;
    else
        edo_free(owned.value);
    return error == UV_EAGAIN ? 0 : error;
}

static void *storm_sends(void *arg)
{
    struct storm *storm = arg;
    __typeof__(storm->tx) again;
    int error = 0;
    while (error == 0) {
        struct edo_mpsc_closed closed = edo_mpsc_closed(storm->tx);
        switch (rand_r(&storm->seed) % 4) {
        case 0:
            error = storm_send_by_permit(storm);
            break;
        case 1:
            pursue(&closed.future_, false, &storm->seed);
            again = edo_mpsc_upgrade(storm->weak);
            cr_assert(again == storm->tx);
            edo_mpsc_sender_drop(again);
            break;
        default:
            error = storm_send(storm);
            break;
        }
    }
    cr_assert_eq(error, EDO_ECLOSED);
    struct edo_mpsc_closed closed = edo_mpsc_closed(storm->tx);
    pursue(&closed.future_, true, &storm->seed);
    edo_mpsc_sender_drop(storm->tx);
    edo_mpsc_weak_sender_drop(storm->weak);
    return NULL;
}

/* How many, or an error. */
static int storm_receive(MPSC_RECEIVER(struct owned) rx, struct owned *owned, unsigned *seed)
{
    struct edo_mpsc_recv recv = edo_mpsc_recv(rx, owned);
    struct edo_mpsc_recv_many many = edo_mpsc_recv_many(rx, owned, STORM_CAPACITY);
    int error = UV_EAGAIN;
    switch (rand_r(seed) % 3) {
    case 0:
        if (pursue(&recv.future_, false, seed))
            error = recv.output;
        break;
    case 1:
        if (pursue(&many.future_, false, seed))
            error = many.output > 0 ? (int)many.output - 1 : EDO_ECLOSED;
        break;
    default:
        error = edo_mpsc_try_recv(rx, owned);
        break;
    }
    return error == UV_EAGAIN ? 0 : error < 0 ? error : error + 1;
}

static void storm_round(unsigned *seed, bool unbounded)
{
    MPSC_SENDER(struct owned) tx;
    MPSC_RECEIVER(struct owned) rx;
    struct storm storms[STORM_SENDERS];
    pthread_t threads[STORM_SENDERS];
    cr_assert_eq(edo_mpsc_with(&tx, &rx, unbounded ? EDO_UNBOUNDED : STORM_CAPACITY, owned_drop),
                 0);
    for (int i = 0; i < STORM_SENDERS; i++) {
        storms[i] = (struct storm){edo_mpsc_sender_clone(tx), edo_mpsc_downgrade(tx),
                                   (unsigned)rand_r(seed)};
        cr_assert_eq(pthread_create(&threads[i], NULL, storm_sends, &storms[i]), 0);
    }
    edo_mpsc_sender_drop(tx);
    struct owned owned[STORM_CAPACITY];
    int left = rand_r(seed) % 200, n;
    while (left > 0) {
        n = storm_receive(rx, owned, seed);
        cr_assert_geq(n, 0);
        left -= n > 0 ? n : 1;
        storm_received += n;
        for (int i = 0; i < n; i++)
            edo_free(owned[i].value);
    }
    bool drains = rand_r(seed) % 2 == 0;
    if (drains) {
        edo_mpsc_close(rx);
        for (; edo_mpsc_blocking_recv(rx, owned) == 0; storm_received++)
            edo_free(owned[0].value);
    }
    edo_mpsc_receiver_drop(rx);
    for (int i = 0; i < STORM_SENDERS; i++)
        pthread_join(threads[i], NULL);
}

Test(mpsc, whatever_threads_do_each_message_ends_once)
{
    struct bench bench;
    bench_begin(&bench);
    owned_dropped = 0;
    unsigned seed = pursue_seed();
    for (int round = 0; round < STORM_ROUNDS; round++)
        storm_round(&seed, round % 4 == 0);
    cr_assert_eq(storm_sent, storm_received + owned_dropped);
    cr_assert_gt(storm_received, 0);
    bench_end(&bench);
}
