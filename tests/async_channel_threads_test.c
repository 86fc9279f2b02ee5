/* SPDX-License-Identifier: MIT */
/* Channels of many receivers between threads, and between runtimes. */
#include <pthread.h>

#include "async_channel_helpers.h"
#include "pursue.h"
#include "support/runtimes.h"

/* Threads that block, and tasks without patience; all that was sent arrives once. */
enum { SENDERS = 4, RECEIVERS = 4, EACH = 4000 };
static _Atomic(long) sum, received;

static void *sends_blocking(void *arg)
{
    ASYNC_SENDER(int) tx = arg;
    for (int i = 1; i <= EACH; i++)
        cr_assert_eq(edo_async_blocking_send(tx, &i), 0);
    edo_async_sender_drop(tx);
    return NULL;
}

static void *receives_blocking(void *arg)
{
    ASYNC_RECEIVER(int) rx = arg;
    int value;
    while (edo_async_blocking_recv(rx, &value) == 0) {
        sum += value;
        received++;
    }
    edo_async_receiver_drop(rx);
    return NULL;
}

struct impatient {
    FUTURE(int);
    ASYNC_SENDER(int) tx;
    ASYNC_RECEIVER(int) rx;
    int i, value;
    struct edo_async_send send;
    struct edo_async_recv recv;
    struct edo_timeout timeout;
};

ASYNC(impatient)
{
    ASYNC_BEGIN;
    for (self->i = 1; self->tx != NULL && self->i <= EACH;) {
        self->send = edo_async_send(self->tx, &self->i);
        AWAIT(self->timeout, edo_timeout(0, &self->send));
        if (self->timeout.output == 0) {
            cr_assert_eq(self->send.output, 0);
            self->i++;
        }
    }
    while (self->rx != NULL) {
        self->recv = edo_async_recv(self->rx, &self->value);
        AWAIT(self->timeout, edo_timeout(0, &self->recv));
        if (self->timeout.output < 0)
            continue;
        if (self->recv.output < 0)
            break;
        sum += self->value;
        received++;
    }
    RETURN(0);
ASYNC_FINALLY:
    edo_async_sender_drop(self->tx);
    edo_async_receiver_drop(self->rx);
    ASYNC_END;
}

static void *runs_impatient(void *arg)
{
    struct edo_runtime *runtime;
    cr_assert_eq(test_runtime_new(&runtime), 0);
    cr_assert_eq(test_block_on(runtime, (struct impatient *)arg), 0);
    edo_runtime_drop(runtime);
    return NULL;
}

Test(async_channel, what_threads_and_impatient_tasks_send_arrives_once)
{
    struct bench bench;
    bench_begin(&bench);
    struct channel c = channel(3);
    pthread_t threads[SENDERS + RECEIVERS];
    struct impatient impatient[2] = {
        NEW(impatient, .tx = edo_async_sender_clone(c.tx)),
        NEW(impatient, .rx = edo_async_receiver_clone(c.rx)),
    };
    sum = 0;
    received = 0;
    dropped = 0;
    for (int i = 0; i < SENDERS + RECEIVERS; i++) {
        int error;
        if (i < 2)
            error = pthread_create(&threads[i], NULL, runs_impatient, &impatient[i]);
        else if (i % 2 == 0)
            error = pthread_create(&threads[i], NULL, sends_blocking, edo_async_sender_clone(c.tx));
        else
            error = pthread_create(&threads[i], NULL, receives_blocking,
                                   edo_async_receiver_clone(c.rx));
        cr_assert_eq(error, 0);
    }
    done(&c);
    for (int i = 0; i < SENDERS + RECEIVERS; i++)
        pthread_join(threads[i], NULL);
    cr_assert_eq(received, SENDERS * EACH);
    cr_assert_eq(sum, (long)SENDERS * EACH * (EACH + 1) / 2);
    cr_assert_eq(dropped, 0);
    bench_end(&bench);
}

/* Threads that send and receive in every way, without patience, until it is closed, or the receivers
 * have gone: each message that was sent is received, replaced, or dropped, once; each that was refused is
 * still the sender's. */
enum { STORM_EACH = 3, STORM_ROUNDS = 40 };
struct storm {
    owned_sender tx;
    owned_receiver rx;
    unsigned seed;
    int left;
};
static _Atomic(int) storm_sent, storm_received;

static int storm_send(struct storm *storm)
{
    struct owned owned = owned_new(0), replaced;
    struct edo_async_send send = edo_async_send(storm->tx, &owned);
    int error = UV_EAGAIN;
    switch (rand_r(&storm->seed) % 4) {
    case 0:
        error = edo_async_try_send(storm->tx, &owned);
        break;
    case 1:
        error = edo_async_force_send(storm->tx, &owned, &replaced);
        if (error == 1) {
            edo_free(replaced.value);
            storm_received++;
        }
        break;
    case 2:
        error = edo_async_blocking_send(storm->tx, &owned);
        break;
    default:
        if (pursue(&send.future_, rand_r(&storm->seed) % 2, &storm->seed))
            error = send.output;
        break;
    }
    if (error >= 0)
        storm_sent++;
    else
        edo_free(owned.value);
    return error;
}

static void *storm_sends(void *arg)
{
    struct storm *storm = arg;
    ASYNC_WEAK_SENDER(struct owned) weak = edo_async_sender_downgrade(storm->tx);
    int error;
    do {
        error = storm_send(storm);
        edo_async_sender_drop(edo_async_sender_upgrade(weak));
    } while (error != EDO_ECLOSED);
    edo_async_sender_drop(storm->tx);
    edo_async_sender_drop(edo_async_sender_upgrade(weak));
    edo_async_weak_sender_drop(weak);
    return NULL;
}

static void *storm_receives(void *arg)
{
    struct storm *storm = arg;
    int error = 0;
    while (error != EDO_ECLOSED && storm->left-- > 0) {
        struct owned owned;
        struct edo_async_recv recv = edo_async_recv(storm->rx, &owned);
        bool patient = rand_r(&storm->seed) % 2 == 0;
        if (rand_r(&storm->seed) % 3 == 0)
            error = edo_async_try_recv(storm->rx, &owned);
        else
            error = pursue(&recv.future_, patient, &storm->seed) ? recv.output : UV_EAGAIN;
        if (error == 0) {
            edo_free(owned.value);
            storm_received++;
        }
    }
    if (rand_r(&storm->seed) % 4 == 0)
        edo_async_close(storm->rx);
    edo_async_receiver_drop(storm->rx);
    return NULL;
}

Test(async_channel, whatever_threads_do_each_message_ends_once)
{
    struct bench bench;
    bench_begin(&bench);
    unsigned seed = pursue_seed();
    owned_dropped = 0;
    for (int round = 0; round < STORM_ROUNDS; round++) {
        owned_sender tx;
        owned_receiver rx;
        size_t capacity = round % 4 == 0 ? EDO_UNBOUNDED : 2;
        cr_assert_eq(edo_async_channel_with(&tx, &rx, capacity, owned_drop), 0);
        struct storm storms[2 * STORM_EACH];
        pthread_t threads[2 * STORM_EACH];
        for (int i = 0; i < 2 * STORM_EACH; i++) {
            bool sender = i < STORM_EACH;
            storms[i] = (struct storm){sender ? edo_async_sender_clone(tx) : NULL,
                                       sender ? NULL : edo_async_receiver_clone(rx),
                                       (unsigned)rand_r(&seed), rand_r(&seed) % 200};
        }
        edo_async_sender_drop(tx);
        edo_async_receiver_drop(rx);
        for (int i = 0; i < 2 * STORM_EACH; i++)
            cr_assert_eq(pthread_create(&threads[i], NULL,
                                        i < STORM_EACH ? storm_sends : storm_receives, &storms[i]),
                         0);
        for (int i = 0; i < 2 * STORM_EACH; i++)
            pthread_join(threads[i], NULL);
    }
    cr_assert_eq(storm_sent, storm_received + owned_dropped);
    cr_assert_gt(storm_received, 0);
    bench_end(&bench);
}
