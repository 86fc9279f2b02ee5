/* SPDX-License-Identifier: MIT */
/* Work for other threads, and from them. */
#include <stdlib.h>

#include "workloads.h"

struct piece {
    uv_work_t work;
    uint64_t n, i; /* how many there are; the one that is under way */
    uint64_t value, sum;
};

/* In a thread of the pool. */
static void on_work(uv_work_t *work)
{
    struct piece *piece = work->data;
    piece->value = piece->i;
}

static void after_work(uv_work_t *work, int status)
{
    struct piece *piece = work->data;
    peer_must(status);
    piece->sum += piece->value;
    if (++piece->i < piece->n)
        peer_must(uv_queue_work(work->loop, work, on_work, after_work));
}

/* Nothing, one after the other. */
void blocking(struct peer *peer)
{
    uv_loop_t loop;
    struct piece piece = {.n = peer->n};
    piece.work.data = &piece;
    peer_must(uv_loop_init(&loop));
    peer_start(peer);
    peer_must(uv_queue_work(&loop, &piece.work, on_work, after_work));
    peer_must(uv_run(&loop, UV_RUN_DEFAULT));
    peer_stop(peer, peer->n);
    peer_check(piece.sum == peer->n * (peer->n - 1) / 2);
}

/* What a thread has the loop do. */
struct job {
    struct job *next;
    void (*run)(struct job *job);
    uint64_t *arrived;
};

struct inbox {
    uv_async_t async;
    uv_mutex_t lock;
    struct job *first, **last;
    uv_thread_t thread;
    uint64_t n, arrived;
};

static void arrive(struct job *job)
{
    ++*job->arrived;
}

static void post(struct inbox *inbox, struct job *job)
{
    job->next = NULL;
    uv_mutex_lock(&inbox->lock);
    *inbox->last = job;
    inbox->last = &job->next;
    uv_mutex_unlock(&inbox->lock);
    peer_must(uv_async_send(&inbox->async));
}

static void spawner(void *arg)
{
    struct inbox *inbox = arg;
    for (uint64_t i = 0; i < inbox->n; i++) {
        struct job *job = malloc(sizeof *job);
        if (job == NULL)
            peer_must(UV_ENOMEM);
        job->run = arrive;
        job->arrived = &inbox->arrived;
        post(inbox, job);
    }
}

/* One call may stand for many sends: it runs all that is there. */
static void on_async(uv_async_t *async)
{
    struct inbox *inbox = async->data;
    uv_mutex_lock(&inbox->lock);
    struct job *job = inbox->first;
    inbox->first = NULL;
    inbox->last = &inbox->first;
    uv_mutex_unlock(&inbox->lock);
    while (job != NULL) {
        struct job *next = job->next;
        job->run(job);
        free(job);
        job = next;
    }
    if (inbox->arrived < inbox->n)
        return;
    peer_must(uv_thread_join(&inbox->thread)); /* it may be in its last send */
    uv_close((uv_handle_t *)async, NULL);
}

void remote_spawn(struct peer *peer)
{
    uv_loop_t loop;
    struct inbox inbox = {.n = peer->n, .last = &inbox.first};
    inbox.async.data = &inbox;
    peer_must(uv_loop_init(&loop));
    peer_must(uv_mutex_init(&inbox.lock));
    peer_must(uv_async_init(&loop, &inbox.async, on_async));
    peer_start(peer);
    peer_must(uv_thread_create(&inbox.thread, spawner, &inbox));
    peer_must(uv_run(&loop, UV_RUN_DEFAULT));
    peer_stop(peer, peer->n);
    peer_check(inbox.arrived == peer->n);
    uv_mutex_destroy(&inbox.lock);
}
