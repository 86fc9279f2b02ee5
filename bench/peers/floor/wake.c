/* SPDX-License-Identifier: MIT */
/* A thread hears of another, which hears of it in turn: there and back. On ct both have one core, and that is a
 * switch between threads; on mt2 they have two, if the kernel gives them, and waking one that sleeps is an
 * interrupt of the other core. */
#include <errno.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "workloads.h"

/* What one of the two sleeps on. */
struct bed {
    _Alignas(64) atomic_uint rung; /* how often, for the futex */
    unsigned heard;
    int eventfd;
};

struct pair {
    struct bed ping, pong;
    uint64_t n;
    void (*sleep)(struct bed *bed);
    void (*wake)(struct bed *bed);
};

static void futex_sleep(struct bed *bed)
{
    while (atomic_load_explicit(&bed->rung, memory_order_acquire) == bed->heard)
        syscall(SYS_futex, &bed->rung, FUTEX_WAIT_PRIVATE, bed->heard, NULL, NULL, 0);
    bed->heard++;
}

static void futex_ring(struct bed *bed)
{
    atomic_fetch_add_explicit(&bed->rung, 1, memory_order_release);
    syscall(SYS_futex, &bed->rung, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

/* Neither sleeps: with one core each gives it to the other, and with two when it has looked for long. */
static void look_until_rung(struct bed *bed, int looks)
{
    for (int i = 1; atomic_load_explicit(&bed->rung, memory_order_acquire) == bed->heard; i++)
        if (i % looks == 0)
            sched_yield();
    bed->heard++;
}

static void yield_until_rung(struct bed *bed)
{
    look_until_rung(bed, 1);
}

static void spin_until_rung(struct bed *bed)
{
    look_until_rung(bed, 10000);
}

static void ring(struct bed *bed)
{
    atomic_fetch_add_explicit(&bed->rung, 1, memory_order_release);
}

static void eventfd_sleep(struct bed *bed)
{
    uint64_t count;
    peer_check(read(bed->eventfd, &count, sizeof count) == sizeof count && count == 1);
}

static void eventfd_ring(struct bed *bed)
{
    uint64_t one = 1;
    peer_check(write(bed->eventfd, &one, sizeof one) == sizeof one);
}

static void *answer(void *arg)
{
    struct pair *pair = arg;
    for (uint64_t i = 0; i < pair->n; i++) {
        pair->sleep(&pair->ping);
        pair->wake(&pair->pong);
    }
    return NULL;
}

/* This thread and those that it starts. */
static void stay_on_one_core(void)
{
    cpu_set_t cores;
    CPU_ZERO(&cores);
    CPU_SET((unsigned)sched_getcpu(), &cores);
    peer_must(sched_setaffinity(0, sizeof cores, &cores) != 0 ? -errno : 0);
}

static void play(struct peer *peer, struct pair *pair)
{
    pthread_t thread;
    if (peer->one_core)
        stay_on_one_core();
    pair->n = peer->n;
    peer_must(-pthread_create(&thread, NULL, answer, pair));
    peer_start(peer);
    for (uint64_t i = 0; i < peer->n; i++) {
        pair->wake(&pair->ping);
        pair->sleep(&pair->pong);
    }
    peer_stop(peer, peer->n);
    pthread_join(thread, NULL);
}

void futex_wake(struct peer *peer)
{
    struct pair pair = {.sleep = futex_sleep, .wake = futex_ring};
    play(peer, &pair);
    peer_check(pair.ping.rung == (unsigned)peer->n && pair.pong.rung == (unsigned)peer->n);
}

void hand_over(struct peer *peer)
{
    struct pair pair = {.sleep = peer->one_core ? yield_until_rung : spin_until_rung, .wake = ring};
    play(peer, &pair);
    peer_check(pair.ping.rung == (unsigned)peer->n && pair.pong.rung == (unsigned)peer->n);
}

void eventfd_wake(struct peer *peer)
{
    struct pair pair = {.sleep = eventfd_sleep, .wake = eventfd_ring};
    pair.ping.eventfd = eventfd(0, EFD_CLOEXEC);
    peer_must(pair.ping.eventfd < 0 ? -errno : 0);
    pair.pong.eventfd = eventfd(0, EFD_CLOEXEC);
    peer_must(pair.pong.eventfd < 0 ? -errno : 0);
    play(peer, &pair);
}
