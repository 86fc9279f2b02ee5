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

/* What one of the two sleeps on. Who sleeps counts what it heard in another line than who rings writes. */
struct bed {
    _Alignas(64) atomic_uint rung; /* how often, for the futex */
    _Alignas(64) unsigned heard;
    int eventfd;
};

struct pair {
    struct bed ping, pong;
    uint64_t n;
    bool
        apart; /* on mt2 each stays on a core of its own, where it would else begin on that of the other */
    int core; /* the second's; -1: where the kernel places it */
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

/* Between two looks. */
static void relax(void)
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("isb");
#endif
}

/* Neither sleeps: with one core each gives it to the other, and with two when it has looked for long. */
static void look_until_rung(struct bed *bed, int looks)
{
    for (int i = 1; atomic_load_explicit(&bed->rung, memory_order_acquire) == bed->heard; i++) {
        relax();
        if (i % looks == 0)
            sched_yield();
    }
    bed->heard++;
}

static void yield_until_rung(struct bed *bed)
{
    look_until_rung(bed, 1);
}

static void spin_until_rung(struct bed *bed)
{
    look_until_rung(bed, 1000);
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

/* This thread, and those that it starts. */
static void stay_on(int core)
{
    cpu_set_t cores;
    CPU_ZERO(&cores);
    CPU_SET((unsigned)core, &cores);
    peer_must(sched_setaffinity(0, sizeof cores, &cores) != 0 ? -errno : 0);
}

/* The first core but `but` that this process may use; -1: there is none. */
static int core_but(int but)
{
    cpu_set_t cores;
    peer_must(sched_getaffinity(0, sizeof cores, &cores) != 0 ? -errno : 0);
    for (int core = 0; core < CPU_SETSIZE; core++)
        if (core != but && CPU_ISSET((unsigned)core, &cores))
            return core;
    return -1;
}

static void *answer(void *arg)
{
    struct pair *pair = arg;
    if (pair->core >= 0)
        stay_on(pair->core);
    for (uint64_t i = 0; i < pair->n; i++) {
        pair->sleep(&pair->ping);
        pair->wake(&pair->pong);
    }
    return NULL;
}

static void play(struct peer *peer, struct pair *pair)
{
    pthread_t thread;
    int here = sched_getcpu();
    pair->core = !peer->one_core && pair->apart ? core_but(here) : -1;
    if (peer->one_core || pair->core >= 0)
        stay_on(here);
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
    struct pair pair = {
        .apart = true, .sleep = peer->one_core ? yield_until_rung : spin_until_rung, .wake = ring};
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
