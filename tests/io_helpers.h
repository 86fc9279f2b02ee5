/* SPDX-License-Identifier: MIT */
/* What the tests of time and I/O share: running a future in a runtime of its own, raw peers on
 * loopback, and figures of the process. Every test runs in a process of its own, so descriptors and
 * limits are the test's. */
#ifndef EDO_TESTS_IO_HELPERS_H
#define EDO_TESTS_IO_HELPERS_H

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <uv.h>

#include "edo.h"
#include "internal/census.h"
#include "internal/sys.h"
#include "support/runtimes.h"

#define COUNT_OF(array) (sizeof(array) / sizeof *(array))

enum { MS = 1000000 }; /* ns */

#define HELPER __attribute__((unused)) static

/* How many descriptors this process has open. By raw system calls: a number that another thread has
 * just closed looks to ThreadSanitizer like a race when it is opened here. */
HELPER int fd_count(void)
{
    /* A struct linux_dirent64 has its length at 16. */
    _Alignas(8) char entries[4096];
    int count = 0,
        dir = (int)syscall(SYS_openat, AT_FDCWD, "/proc/self/fd", O_RDONLY | O_DIRECTORY);
    cr_assert(dir >= 0);
    for (;;) {
        long size = syscall(SYS_getdents64, dir, entries, sizeof entries);
        cr_assert(size >= 0);
        if (size == 0)
            break;
        for (long at = 0; at < size; at += *(unsigned short *)(entries + at + 16))
            count++;
    }
    syscall(SYS_close, dir);
    return count - 3; /* ".", "..", and the directory's own */
}

/* Processor time of the process so far, ns. */
HELPER uint64_t cpu_ns(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return ((uint64_t)usage.ru_utime.tv_sec + (uint64_t)usage.ru_stime.tv_sec) * 1000000000u +
           ((uint64_t)usage.ru_utime.tv_usec + (uint64_t)usage.ru_stime.tv_usec) * 1000u;
}

/* The state that a test must leave as it found it. */
struct baseline {
    struct edo_census census;
    int fds;
};

HELPER struct baseline baseline(void)
{
    /* libuv opens a pipe for signals with its first loop, and keeps it. */
    uv_loop_t first;
    cr_assert(uv_loop_init(&first) == 0 && uv_loop_close(&first) == 0);
    return (struct baseline){edo_census_now(), fd_count()};
}

HELPER void check_baseline(const struct baseline *start)
{
    struct edo_census end = edo_census_now();
    for (int i = 0; i < EDO_CENSUS_KINDS; i++)
        cr_assert_eq(end.live[i], start->census.live[i],
                     "%s: %" PRId64 " at the start, %" PRId64 " now",
                     edo_census_name((enum edo_census_kind)i), start->census.live[i], end.live[i]);
    cr_assert_eq(fd_count(), start->fds, "descriptors: %d at the start, %d now", start->fds,
                 fd_count());
}

/* For what goes by itself, on threads that nobody waits for: the census says when. */
HELPER void await_baseline(const struct baseline *start)
{
    for (;;) {
        struct edo_census now = edo_census_now();
        if (memcmp(&now, &start->census, sizeof now) == 0 && fd_count() == start->fds)
            return;
        usleep(1000);
    }
}

/* RUN(future): runs it in a runtime of its own, of whichever kind this run is for (support/runtimes.h), with
 * the census as it was afterwards; its output. RUN_ALONE: in one where one task runs at a time. RUN_PAUSED:
 * the same, and the clock stands still from the start. */
#define RUN(...)        RUN_BY_(test_runtime_build, test_block_on_, false, __VA_ARGS__)
#define RUN_ALONE(...)  RUN_BY_(edo_builder_build, edo_block_on_, false, __VA_ARGS__)
#define RUN_PAUSED(...) RUN_BY_(edo_builder_build, edo_block_on_, true, __VA_ARGS__)
#define RUN_BY_(build, block_on, paused, ...)                             \
    __extension__({                                                       \
        struct baseline start_ = baseline();                              \
        struct edo_runtime *runtime_;                                     \
        const struct edo_builder builder_ = {.start_paused = paused};     \
        cr_assert_eq(build(&builder_, &runtime_), 0);                     \
        __typeof__((__VA_ARGS__)) future_under_test_ = (__VA_ARGS__);     \
        cr_assert_eq(block_on(runtime_, &future_under_test_.future_), 0); \
        edo_runtime_drop(runtime_);                                       \
        check_baseline(&start_);                                          \
        future_under_test_.output;                                        \
    })

/* Counts the turns of a runtime's loop, by a prepare handle beside Edo's. */
struct turns {
    uv_prepare_t prepare;
    uint64_t count;
};

HELPER void turns_on_prepare(uv_prepare_t *prepare)
{
    ((struct turns *)prepare)->count++;
}

/* In a task of `runtime`; ended by turns_stop there. `turns` lives as long as the runtime. */
HELPER void turns_start(struct turns *turns, struct edo_runtime *runtime)
{
    turns->count = 0;
    uv_prepare_init(edo_runtime_loop(runtime), &turns->prepare);
    uv_prepare_start(&turns->prepare, turns_on_prepare);
}

HELPER void turns_stop(struct turns *turns)
{
    uv_prepare_stop(&turns->prepare);
    uv_close((uv_handle_t *)&turns->prepare, NULL);
}

/* Loopback, with a port. */
HELPER struct edo_addr loopback(uint16_t port)
{
    struct edo_addr addr;
    cr_assert_eq(edo_addr_ip(&addr, "127.0.0.1", port), 0);
    return addr;
}

/* A blocking socket with a port of its own, where nobody listens, and nobody else can. */
HELPER int raw_bound(struct edo_addr *addr)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    *addr = loopback(0);
    cr_assert(fd >= 0 && bind(fd, &addr->any, addr->length) == 0);
    cr_assert_eq(getsockname(fd, &addr->any, &addr->length), 0);
    return fd;
}

/* A blocking listening socket of the test's own, and where it listens. */
HELPER int raw_listener(struct edo_addr *addr)
{
    int fd = raw_bound(addr);
    cr_assert_eq(listen(fd, 128), 0);
    return fd;
}

HELPER int raw_connect(const struct edo_addr *addr)
{
    int fd = socket(addr->any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    cr_assert(fd >= 0);
    cr_assert_eq(connect(fd, &addr->any, addr->length), 0, "%s", strerror(errno));
    return fd;
}

/* Two connected, blocking sockets. */
HELPER void raw_pair(int fds[2])
{
    struct edo_addr addr;
    int listener = raw_listener(&addr);
    fds[0] = raw_connect(&addr);
    fds[1] = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    cr_assert(fds[1] >= 0);
    close(listener);
}

/* One end as a connection of the current runtime, the other left to the test, blocking. */
HELPER struct edo_tcp *half_raw_pair(int *peer)
{
    int fds[2];
    struct edo_tcp *stream = NULL;
    raw_pair(fds);
    cr_assert_eq(edo_tcp_from_fd(fds[0], &stream), 0);
    *peer = fds[1];
    return stream;
}

/* Both ends as connections of the current runtime. */
HELPER void tcp_pair(struct edo_tcp **a, struct edo_tcp **b)
{
    int fds[2];
    raw_pair(fds);
    cr_assert_eq(edo_tcp_from_fd(fds[0], a), 0);
    cr_assert_eq(edo_tcp_from_fd(fds[1], b), 0);
}

/* The peer sends a reset when it is closed. */
HELPER void raw_reset(int fd)
{
    struct linger linger = {.l_onoff = 1, .l_linger = 0};
    cr_assert_eq(setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger), 0);
    close(fd);
}

/* FNV-1a, going on from `hash`; begins with HASH_START. */
#define HASH_START 0xcbf29ce484222325u
HELPER uint64_t hash_bytes(uint64_t hash, const void *data, size_t size)
{
    for (const unsigned char *at = data; size-- > 0; at++)
        hash = (hash ^ *at) * 0x100000001b3u;
    return hash;
}

/* Byte number `at` of the stream that the tests send. */
HELPER char stream_byte(uint64_t at)
{
    return (char)((at * 0x9e3779b97f4a7c15u) >> 56);
}

/* A waker of nobody's task, which counts. For polling by hand. */
struct counting_waker {
    struct edo_waker waker;
    _Atomic(int) wakes, clones;
};

HELPER void counting_wake(struct edo_waker *waker)
{
    ((struct counting_waker *)waker)->wakes++;
}

HELPER struct edo_waker *counting_clone(struct edo_waker *waker)
{
    ((struct counting_waker *)waker)->clones++;
    return waker;
}

HELPER void counting_drop(struct edo_waker *waker)
{
    ((struct counting_waker *)waker)->clones--;
}

HELPER struct counting_waker counting_waker(void)
{
    static const struct edo_waker_ops ops = {counting_wake, counting_clone, counting_drop, NULL,
                                             NULL};
    return (struct counting_waker){.waker = {&ops}};
}

#endif
