/* SPDX-License-Identifier: MIT */
/* Oneshot channels between threads, and between runtimes. */
#include <pthread.h>

#include "oneshot_helpers.h"
#include "pursue.h"
#include "support/runtimes.h"

static void *sends_later(void *arg)
{
    struct channel *c = arg;
    cr_assert_eq(send_now(c, 7), 0);
    return NULL;
}

static void *drops_sender_later(void *arg)
{
    edo_oneshot_sender_drop(((struct channel *)arg)->tx);
    return NULL;
}

Test(oneshot, a_plain_thread_waits)
{
    struct bench bench;
    bench_begin(&bench);
    for (int i = 0; i < 40; i++) {
        struct channel c = channel();
        pthread_t thread;
        cr_assert_eq(pthread_create(&thread, NULL, i & 1 ? sends_later : drops_sender_later, &c),
                     0);
        int value = 0;
        cr_assert_eq(edo_oneshot_blocking_recv(c.rx, &value), i & 1 ? 0 : EDO_ECLOSED);
        cr_assert_eq(value, i & 1 ? 7 : 0);
        edo_oneshot_receiver_drop(c.rx);
        pthread_join(thread, NULL);
    }
    bench_end(&bench);
}

Test(oneshot, a_plain_thread_without_memory_takes_nothing)
{
    struct bench bench;
    bench_begin(&bench);
    struct channel c = channel();
    cr_assert_eq(send_now(&c, 7), 0);
    edo_alloc_fail(1, false);
    int value = 0;
    cr_assert_eq(edo_oneshot_blocking_recv(c.rx, &value), UV_ENOMEM);
    cr_assert(edo_alloc_fail(0, false));
    cr_assert_eq(edo_oneshot_blocking_recv(c.rx, &value), 0);
    cr_assert_eq(value, 7);
    edo_oneshot_receiver_drop(c.rx);
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
    int error = edo_oneshot_blocking_recv(self->c->rx, &value);
    RETURN(error);
    ASYNC_END;
}

Test(oneshot, blocking_in_a_task_is_an_error)
{
    struct bench bench;
    bench_begin(&bench);
    struct edo_runtime *runtime;
    cr_assert_eq(test_runtime_new(&runtime), 0);
    struct channel c = channel();
    cr_assert_eq(send_now(&c, 7), 0);
    struct blocks blocks = NEW(blocks, .c = &c);
    cr_assert_eq(test_block_on(runtime, &blocks), 0);
    cr_assert_eq(blocks.output, EDO_ENESTED);
    cr_assert_eq(receive_now(&c), 7);
    edo_oneshot_receiver_drop(c.rx);
    edo_runtime_drop(runtime);
    bench_end(&bench);
}

/* A runtime in each of two threads: requests, each with the sender of its answer. */
struct request {
    int number;
    ONESHOT_SENDER(int) answer;
};

struct asks {
    FUTURE(int);
    MPSC_SENDER(struct request) requests;
    int rounds;
    struct request request;
    ONESHOT_RECEIVER(int) rx;
    int answer;
    struct edo_mpsc_send send;
    struct edo_oneshot_recv recv;
};

ASYNC(asks)
{
    ASYNC_BEGIN;
    for (self->request.number = 0; self->request.number < self->rounds; self->request.number++) {
        cr_assert_eq(edo_oneshot(&self->request.answer, &self->rx), 0);
        AWAIT(self->send, edo_mpsc_send(self->requests, &self->request));
        cr_assert_eq(self->send.output, 0);
        AWAIT(self->recv, edo_oneshot_recv(self->rx, &self->answer));
        cr_assert_eq(self->recv.output, self->request.number % 5 == 0 ? EDO_ECLOSED : 0);
        if (self->recv.output == 0)
            cr_assert_eq(self->answer, 2 * self->request.number);
        edo_oneshot_receiver_drop(self->rx);
    }
    RETURN(0);
ASYNC_FINALLY:
    edo_mpsc_sender_drop(self->requests);
    ASYNC_END;
}

struct answers {
    FUTURE(int);
    MPSC_RECEIVER(struct request) requests;
    struct request request;
    struct edo_mpsc_recv recv;
};

ASYNC(answers)
{
    ASYNC_BEGIN;
    for (;;) {
        AWAIT(self->recv, edo_mpsc_recv(self->requests, &self->request));
        if (self->recv.output < 0)
            RETURN(0);
        int answer = 2 * self->request.number;
        if (self->request.number % 5 == 0)
            edo_oneshot_sender_drop(self->request.answer);
        else
            cr_assert_eq(edo_oneshot_send(self->request.answer, &answer), 0);
    }
ASYNC_FINALLY:
    edo_mpsc_receiver_drop(self->requests);
    ASYNC_END;
}

static void *run_alone(void *arg)
{
    struct edo_runtime *runtime;
    cr_assert_eq(test_runtime_new(&runtime), 0);
    cr_assert_eq(test_block_on_(runtime, arg), 0);
    edo_runtime_drop(runtime);
    return NULL;
}

Test(oneshot, tasks_of_two_runtimes_ask_and_answer)
{
    struct bench bench;
    bench_begin(&bench);
    MPSC_SENDER(struct request) tx;
    MPSC_RECEIVER(struct request) rx;
    cr_assert_eq(edo_mpsc(&tx, &rx, 4), 0);
    struct answers answers = NEW(answers, .requests = rx);
    struct asks asks = NEW(asks, .requests = tx, .rounds = 5000);
    pthread_t thread;
    cr_assert_eq(pthread_create(&thread, NULL, run_alone, &answers.future_), 0);
    run_alone(&asks.future_);
    pthread_join(thread, NULL);
    bench_end(&bench);
}

/* Pairs of threads, more than there are cores, with a channel each in every round. */
enum { PAIRS = 4, BATCH = 16, BATCHES = 60 };

struct pair {
    pthread_barrier_t barrier;
    unsigned seeds[2];
    struct {
        ONESHOT_SENDER(struct owned) tx;
        ONESHOT_RECEIVER(struct owned) rx;
        bool sender_waits; /* for the receiver's end; which then waits for nothing */
    } channels[BATCH];
};

static _Atomic(int) sent, got;

static void sender_round(struct pair *pair, int i, unsigned *seed)
{
    __typeof__(pair->channels[i].tx) tx = pair->channels[i].tx;
    struct edo_oneshot_closed closed = edo_oneshot_closed(tx);
    if (pair->channels[i].sender_waits)
        pursue(&closed.future_, true, seed);
    else if (rand_r(seed) % 2 == 0)
        pursue(&closed.future_, false, seed);
    if (rand_r(seed) % 4 == 0) {
        edo_oneshot_sender_drop(tx);
        return;
    }
    struct owned owned = owned_new(i);
    if (edo_oneshot_send(tx, &owned) == 0)
        sent++;
    else
        edo_free(owned.value);
}

static void receiver_round(struct pair *pair, int i, unsigned *seed)
{
    __typeof__(pair->channels[i].rx) rx = pair->channels[i].rx;
    struct owned owned;
    int error = UV_EAGAIN;
    struct edo_oneshot_recv recv = edo_oneshot_recv(rx, &owned);
    if (pursue(&recv.future_, !pair->channels[i].sender_waits && rand_r(seed) % 2, seed))
        error = recv.output;
    if (error == UV_EAGAIN && rand_r(seed) % 2 == 0)
        edo_oneshot_close(rx);
    if (error == UV_EAGAIN && rand_r(seed) % 2 == 0)
        error = edo_oneshot_try_recv(rx, &owned);
    if (error == 0) {
        cr_assert_eq(*owned.value, i);
        edo_free(owned.value);
        got++;
    }
    edo_oneshot_receiver_drop(rx);
}

static void *walk_pair(struct pair *pair, bool sender)
{
    unsigned *seed = &pair->seeds[sender];
    for (int batch = 0; batch < BATCHES; batch++) {
        for (int i = 0; !sender && i < BATCH; i++) {
            cr_assert_eq(edo_oneshot_with(&pair->channels[i].tx, &pair->channels[i].rx, owned_drop),
                         0);
            pair->channels[i].sender_waits = rand_r(seed) % 4 == 0;
        }
        pthread_barrier_wait(&pair->barrier);
        for (int i = 0; i < BATCH; i++)
            (sender ? sender_round : receiver_round)(pair, i, seed);
        pthread_barrier_wait(&pair->barrier);
    }
    return NULL;
}

static void *walk_as_sender(void *pair)
{
    return walk_pair(pair, true);
}

static void *walk_as_receiver(void *pair)
{
    return walk_pair(pair, false);
}

Test(oneshot, whatever_two_threads_do_each_message_ends_once)
{
    struct bench bench;
    bench_begin(&bench);
    owned_dropped = 0;
    unsigned seed = pursue_seed();
    static struct pair pairs[PAIRS];
    pthread_t threads[PAIRS][2];
    for (int i = 0; i < PAIRS; i++) {
        pthread_barrier_init(&pairs[i].barrier, NULL, 2);
        pairs[i].seeds[0] = (unsigned)rand_r(&seed);
        pairs[i].seeds[1] = (unsigned)rand_r(&seed);
        cr_assert_eq(pthread_create(&threads[i][0], NULL, walk_as_receiver, &pairs[i]), 0);
        cr_assert_eq(pthread_create(&threads[i][1], NULL, walk_as_sender, &pairs[i]), 0);
    }
    for (int i = 0; i < PAIRS; i++) {
        pthread_join(threads[i][0], NULL);
        pthread_join(threads[i][1], NULL);
        pthread_barrier_destroy(&pairs[i].barrier);
    }
    cr_assert_eq(sent, got + owned_dropped);
    cr_assert_gt(got, 0);
    bench_end(&bench);
}
