/* SPDX-License-Identifier: MIT */
/* A runtime in a thread of its own, and a channel to it. Threads that know nothing of futures send requests
 * down the channel; a future that the runtime's thread is running spawns a task for each, on the runtime's
 * workers. How the runtime is made, and what is done with a request, is nobody's business but its own: a
 * program may have several of them, and change them without touching those who send.
 *
 * Sending waits while the channel is full (edo_mpsc_blocking_send): so the threads are not faster than the
 * tasks for long. An answer comes back on a oneshot channel, which a thread waits for likewise. Inside of a
 * task both would return EDO_ENESTED, as a thread of the runtime must not wait.
 */
#include <pthread.h>
#include <stdlib.h>

#include "edo.h"

enum { CAPACITY = 16, WORKER_THREADS = 2 };

/* Says how often it takes a number to come to 1, halved when it is even, else three times itself and one. */
struct request {
    uint64_t number;
    ONESHOT_SENDER(int) reply;
};

/* For one that nobody has received. */
static void request_drop(struct request *request)
{
    edo_oneshot_sender_drop(request->reply);
}

struct collatz {
    FUTURE(void);
    struct request request;
    int steps;
};

ASYNC(collatz)
{
    ASYNC_BEGIN;
    while (self->request.number > 1) {
        self->request.number =
            self->request.number % 2 == 0 ? self->request.number / 2 : 3 * self->request.number + 1;
        if (++self->steps % 32 == 0)
            YIELD_NOW(); /* it calculates: others are to have their turn */
    }
    edo_oneshot_send(self->request.reply, &self->steps);
    self->request.reply = NULL;
ASYNC_FINALLY:
    request_drop(&self->request);
    ASYNC_END;
}

/* Receives, and spawns; when all senders are gone, waits for what it has spawned. */
struct spawner {
    FUTURE(int);
    MPSC_RECEIVER(struct request) requests;
    struct edo_task_tracker *tracker;
    struct request request;
    union {
        struct edo_mpsc_recv recv;
        struct edo_task_tracker_wait wait;
    };
};

ASYNC(spawner)
{
    ASYNC_BEGIN;
    for (;;) {
        AWAIT(self->recv, edo_mpsc_recv(self->requests, &self->request));
        if (self->recv.output < 0)
            break;
        edo_task_detach(SPAWN_TRACKED(self->tracker, NEW(collatz, .request = self->request)));
    }
    edo_task_tracker_close(self->tracker);
    AWAIT(self->wait, edo_task_tracker_wait(self->tracker));
    RETURN(0);
ASYNC_FINALLY:
    edo_mpsc_receiver_drop(self->requests);
    ASYNC_END;
}

/* What the threads see. */
struct task_spawner {
    MPSC_SENDER(struct request) tx;
    struct edo_runtime *runtime;
    struct edo_task_tracker tracker;
    struct spawner spawner;
    pthread_t thread;
};

static void *task_spawner_run(void *arg)
{
    struct task_spawner *self = arg;
    edo_block_on(self->runtime, &self->spawner);
    return NULL;
}

/* 0, or a negative error, and then there is none. It stays where it is. */
static int task_spawner_begin(struct task_spawner *self)
{
    MPSC_RECEIVER(struct request) rx;
    int error = edo_runtime_new(&self->runtime, .flavor = EDO_MULTI_THREAD,
                                .worker_threads = WORKER_THREADS, .thread_name = "answers");
    if (error < 0)
        return error;
    error = edo_mpsc_with(&self->tx, &rx, CAPACITY, request_drop);
    if (error == 0) {
        edo_task_tracker_init(&self->tracker);
        self->spawner = NEW(spawner, .requests = rx, .tracker = &self->tracker);
        error = -pthread_create(&self->thread, NULL, task_spawner_run, self);
        if (error == 0)
            return 0;
        edo_mpsc_sender_drop(self->tx);
        edo_mpsc_receiver_drop(rx);
        edo_task_tracker_destroy(&self->tracker);
    }
    edo_runtime_drop(self->runtime);
    return error;
}

/* Sends a request; waits while there are too many. 0 and where its answer comes, the caller's; or a negative
 * error. Any thread. */
static int task_spawner_ask(struct task_spawner *self, uint64_t number, ONESHOT_RECEIVER(int) * rx)
{
    struct request request = {.number = number};
    int error = edo_oneshot(&request.reply, rx);
    if (error < 0)
        return error;
    error = edo_mpsc_blocking_send(self->tx, &request);
    if (error < 0) {
        request_drop(&request);
        edo_oneshot_receiver_drop(*rx);
        *rx = NULL;
    }
    return error;
}

/* What has been sent is answered yet. No thread sends any more. */
static void task_spawner_end(struct task_spawner *self)
{
    edo_mpsc_sender_drop(self->tx);
    pthread_join(self->thread, NULL);
    edo_runtime_drop(self->runtime);
    edo_task_tracker_destroy(&self->tracker);
}

/* A thread without futures. */
enum { ASKERS = 3, EACH = 20 };
struct asker {
    struct task_spawner *spawner;
    uint64_t first;
    int steps; /* of all, or a negative error */
    pthread_t thread;
};

static void *asker_run(void *arg)
{
    struct asker *self = arg;
    ONESHOT_RECEIVER(int) answers[EACH] = {NULL};
    int error = 0;
    for (uint64_t i = 0; i < EACH && error == 0; i++)
        error = task_spawner_ask(self->spawner, self->first + i, &answers[i]);
    for (int i = 0; i < EACH && error == 0; i++) {
        int steps;
        error = edo_oneshot_blocking_recv(answers[i], &steps);
        if (error == 0)
            self->steps += steps;
    }
    for (int i = 0; i < EACH; i++)
        edo_oneshot_receiver_drop(answers[i]);
    if (error < 0)
        self->steps = error;
    return NULL;
}

int main(void)
{
    struct task_spawner spawner;
    struct asker askers[ASKERS];
    int sum = 0, started = 0;
    int error = task_spawner_begin(&spawner);
    if (error < 0) {
        fprintf(stderr, "task_spawner: %s\n", edo_strerror(error));
        return EXIT_FAILURE;
    }
    for (; started < ASKERS && error == 0; started += error == 0) {
        askers[started] = (struct asker){&spawner, 1 + (uint64_t)started * EACH, 0, 0};
        error = -pthread_create(&askers[started].thread, NULL, asker_run, &askers[started]);
    }
    for (int i = 0; i < started; i++) {
        pthread_join(askers[i].thread, NULL);
        if (error == 0 && askers[i].steps < 0)
            error = askers[i].steps;
        sum += askers[i].steps;
    }
    task_spawner_end(&spawner);
    if (error < 0)
        fprintf(stderr, "task_spawner: %s\n", edo_strerror(error));
    else
        printf("the numbers up to %d take %d steps\n", ASKERS * EACH, sum);
    return error < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
