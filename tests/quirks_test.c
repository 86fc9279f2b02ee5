/* SPDX-License-Identifier: MIT */
/* What libuv 1.44.2, Debian 12's, does badly (B37), one test a line: that Edo does not depend on its
 * doing well. What cannot be avoided is tested too, so that it is known. */
#include <signal.h>
#include <sys/wait.h>

#include "io_helpers.h"
#include "support/limits.h"
#include "support/runtimes.h"

Test(quirks, this_is_a_libuv_we_know)
{
    /* Another one may behave better; what these tests say of it is then to be looked at. */
    cr_assert_eq(uv_version() >> 16, 1, "libuv %s", uv_version_string());
    cr_assert_geq(uv_version(), 0x012c00u, "libuv %s", uv_version_string());
}

/* ---- Streams: accept loops without a bound (#3696), writes that leave a request active when there is
 * no memory, sendmsg on a handle that its callback closed (#4321), spinning at EMFILE. Not used. ---- */

/* Declared by uv.h, defined here: the whole test binary has these. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-parameter"
#define NEVER(function, parameters)               \
    int function parameters                       \
    {                                             \
        fputs(#function " was called\n", stderr); \
        abort();                                  \
    }
NEVER(uv_listen, (uv_stream_t * stream, int backlog, uv_connection_cb cb))
NEVER(uv_accept, (uv_stream_t * server, uv_stream_t *client))
NEVER(uv_read_start, (uv_stream_t * stream, uv_alloc_cb alloc, uv_read_cb read))
NEVER(uv_write, (uv_write_t * request, uv_stream_t *stream, const uv_buf_t *buffers, unsigned count,
                 uv_write_cb cb))
NEVER(uv_tcp_connect,
      (uv_connect_t * request, uv_tcp_t *tcp, const struct sockaddr *addr, uv_connect_cb cb))
#pragma GCC diagnostic pop

struct echoes {
    FUTURE(int);
    struct edo_addr addr;
    struct edo_tcp_listener *listener;
    char byte;
    struct edo_tcp_accept accept;
    struct edo_tcp_connect connect;
    struct edo_write_all write;
    struct edo_read_exact read;
};

ASYNC(echoes)
{
    ASYNC_BEGIN;
    self->addr = loopback(0);
    cr_assert_eq(edo_tcp_listen(&self->listener, &self->addr), 0);
    cr_assert_eq(edo_tcp_listener_local(self->listener, &self->addr), 0);
    self->accept = edo_tcp_accept(self->listener);
    self->connect = edo_tcp_connect(&self->addr);
    JOIN(&self->accept, &self->connect);
    AWAIT(self->write, edo_write_all(self->accept.stream, "x", 1));
    AWAIT(self->read, edo_read_exact(self->connect.stream, &self->byte, 1));
    RETURN((int)self->read.output);
ASYNC_FINALLY:
    edo_tcp_close(self->accept.stream);
    edo_tcp_close(self->connect.stream);
    edo_tcp_listener_close(self->listener);
    ASYNC_END;
}

Test(quirks, libuvs_streams_are_not_used)
{
    cr_assert_eq(RUN(NEW(echoes)), 1);
}

/* ---- uv_async_send spins against a close of its handle (#3879): foreign wakes do not use it ---- */

enum { WAKING = 3 };

struct waking {
    pthread_t threads[WAKING];
    struct edo_waker *waker;
    atomic_int begun;
    atomic_bool stop;
};

static void *wake_on(void *arg)
{
    struct waking *waking = arg;
    struct edo_waker *waker = edo_waker_clone(waking->waker);
    edo_wake(waker);
    atomic_fetch_add(&waking->begun, 1);
    while (!atomic_load(&waking->stop))
        edo_wake(waker);
    edo_waker_drop(waker);
    return NULL;
}

struct woken_from_outside {
    FUTURE(int);
    struct waking *waking;
    struct edo_sleep sleep;
};

ASYNC(woken_from_outside)
{
    ASYNC_BEGIN;
    self->waking->waker = edo_waker_clone(cx->waker);
    for (int i = 0; i < WAKING; i++)
        cr_assert_eq(pthread_create(&self->waking->threads[i], NULL, wake_on, self->waking), 0);
    while (atomic_load(&self->waking->begun) < WAKING)
        AWAIT(self->sleep, edo_sleep(1));
    ASYNC_END;
}

/* Those who wake leave it little of the processors. */
Test(quirks, a_runtime_ends_while_others_wake_it, .timeout = LONGER_UNDER_TSAN)
{
    for (int i = 0; i < 300; i++) {
        struct baseline start = baseline();
        struct edo_runtime *runtime;
        struct waking waking = {.stop = false};
        cr_assert_eq(test_runtime_new(&runtime), 0);
        struct woken_from_outside future = NEW(woken_from_outside, .waking = &waking);
        cr_assert_eq(test_block_on(runtime, &future), 0);
        edo_runtime_drop(runtime);
        atomic_store(&waking.stop, true);
        for (int j = 0; j < WAKING; j++)
            pthread_join(waking.threads[j], NULL);
        edo_waker_drop(waking.waker);
        check_baseline(&start);
    }
}

/* ---- A timer of 0 ms that arms itself again never lets the loop go on (#4250) ---- */

struct self_arming {
    FUTURE(int);
    struct edo_sleep sleep;
};

ASYNC(self_arming)
{
    ASYNC_BEGIN;
    self->sleep = edo_sleep(1);
    for (;;) {
        AWAIT_REF(self->sleep);
        edo_sleep_reset(&self->sleep, edo_now());
    }
    ASYNC_END;
}

struct beside_timers {
    FUTURE(int);
    JOIN_HANDLE(int) handles[8];
    struct echoes echoes;
    struct edo_sleep sleep;
};

ASYNC(beside_timers)
{
    ASYNC_BEGIN;
    for (int i = 0; i < 8; i++)
        self->handles[i] = SPAWN(NEW(self_arming));
    AWAIT(self->sleep, edo_sleep(5));
    AWAIT(self->echoes, NEW(echoes));
    cr_assert_eq(self->echoes.output, 1);
ASYNC_FINALLY:
    for (int i = 0; i < 8; i++) {
        edo_task_abort(self->handles[i]);
        edo_task_detach(self->handles[i]);
    }
    ASYNC_END;
}

Test(quirks, timers_that_arm_themselves_again_starve_nobody)
{
    RUN(NEW(beside_timers));
}

/* ---- A timer that was stopped by another one's callback runs all the same (#4048) ---- */

struct stops_others {
    FUTURE(int);
    int *index, number;
    struct edo_sleep *sleeps;
    JOIN_HANDLE(int) * handles;
    struct edo_sleep sleep;
};

ASYNC(stops_others)
{
    ASYNC_BEGIN;
    AWAIT(self->sleep, edo_sleep(5));
    /* The first of them ends all others, which are due in the same moment. */
    ++*self->index;
    for (int i = 0; i < 10; i++)
        if (i != self->number)
            edo_task_abort(self->handles[i]);
    ASYNC_END;
}

struct stops {
    FUTURE(int);
    int count, i, ended;
    JOIN_HANDLE(int) handles[10];
    struct edo_join join;
};

ASYNC(stops)
{
    ASYNC_BEGIN;
    for (int i = 0; i < 10; i++)
        self->handles[i] =
            SPAWN(NEW(stops_others, .index = &self->count, .number = i, .handles = self->handles));
    for (self->i = 0; self->i < 10; self->i++)
        AWAIT(self->join, edo_join(self->handles[self->i], &self->ended));
    RETURN(self->count);
    ASYNC_END;
}

Test(quirks, a_timer_that_was_stopped_does_not_run)
{
    cr_assert_eq(RUN_ALONE(NEW(stops)), 1);
    cr_assert_eq(RUN_PAUSED(NEW(stops)), 1);
}

/* ---- The table of descriptors aborts when it cannot grow: it has been grown before ---- */

static _Atomic(bool) no_more_growth;
static _Atomic(unsigned) refused;

static void *uv_realloc(void *block, size_t size)
{
    refused += no_more_growth;
    return no_more_growth ? NULL : realloc(block, size);
}

struct high_descriptors {
    FUTURE(int);
    struct edo_runtime *runtime;
    int fds[2], i;
    rlim_t top;
    struct edo_tcp *conns[20];
    int peers[20];
    char byte;
    struct edo_read read;
};

ASYNC(high_descriptors)
{
    int fds[2];
    ASYNC_BEGIN;
    no_more_growth = true;
    for (self->i = 0; self->i < 20; self->i++) {
        raw_pair(fds);
        /* As high as there are, with gaps. */
        int high = (int)self->top - 1 - self->i * 7;
        cr_assert_eq(dup2(fds[0], high), high);
        close(fds[0]);
        cr_assert_eq(edo_tcp_from_fd(high, &self->conns[self->i]), 0);
        self->peers[self->i] = fds[1];
    }
    for (self->i = 0; self->i < 20; self->i++) {
        self->read = edo_read(self->conns[self->i], &self->byte, 1);
        cr_assert_eq(edo_future_poll(&self->read.future_, cx), EDO_PENDING);
        cr_assert_eq(send(self->peers[self->i], "x", 1, 0), 1);
        AWAIT_REF(self->read);
        cr_assert_eq(self->read.output, 1);
    }
    cr_assert_eq(refused, 0);
ASYNC_FINALLY:
    no_more_growth = false;
    for (int i = 0; i < 20; i++) {
        edo_tcp_close(self->conns[i]);
        close(self->peers[i]);
    }
    ASYNC_END;
}

Test(quirks, the_table_of_descriptors_does_not_grow_later)
{
    struct rlimit limit;
    cr_assert_eq(uv_replace_allocator(malloc, uv_realloc, calloc, free), 0);
    cr_assert_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
    RUN(NEW(high_descriptors, .top = limit.rlim_cur < 65536 ? limit.rlim_cur : 65536));
}

/* ---- uv_loop_init at the limit of descriptors loses its epoll (#4757), or aborts when it is the
 * process's first. It is asked only when there is room ---- */

/* In a child, where no loop has been made: the exit status, or minus the signal that ended it. */
static int in_child(int (*run)(int), int argument)
{
    int status = 0;
    pid_t child = fork();
    if (child == 0)
        _exit(run(argument));
    cr_assert(child > 0 && waitpid(child, &status, 0) == child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

/* Fills all descriptors but so many. */
static int build_with(int spare)
{
    struct rlimit limit;
    struct edo_runtime *runtime;
    int fds[64], count = 0, before;
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = 64;
    setrlimit(RLIMIT_NOFILE, &limit);
    while ((fds[count] = dup(0)) >= 0)
        count++;
    while (spare-- > 0)
        close(fds[--count]);
    for (int round = 0; round < 2; round++) {
        before = fd_count();
        int error = edo_runtime_new(&runtime);
        if (error == 0)
            edo_runtime_drop(runtime);
        /* libuv keeps a pipe for the process, from the first loop that it makes. */
        int kept = fd_count() - before;
        if (kept != 0 && (round > 0 || kept != 2))
            return 200 + kept;
        if (error < 0)
            return -error;
    }
    return 0;
}

Test(quirks, a_runtime_without_descriptors_is_an_error)
{
    for (int spare = 1; spare < 20; spare++) {
        int result = in_child(build_with, spare);
        cr_assert(result == 0 || (result == EMFILE && spare < 10), "%d spare: %d", spare, result);
    }
}

/* ---- uv_loop_init aborts when it gets no memory for its table. That remains, and nothing after it:
 * faults_io_test.c fails libuv's allocations once there is a runtime ---- */

static void *counted_malloc(size_t size)
{
    return edo_malloc(size);
}

static void *counted_calloc(size_t count, size_t size)
{
    return edo_calloc(count, size);
}

static void *counted_realloc(void *block, size_t size)
{
    return edo_realloc(block, size);
}

static void counted_free(void *block)
{
    edo_free(block);
}

static int build_failing(int n)
{
    struct edo_runtime *runtime;
    signal(SIGABRT, SIG_DFL);
    uv_replace_allocator(counted_malloc, counted_realloc, counted_calloc, counted_free);
    edo_alloc_fail((uint64_t)n, false);
    int error = edo_runtime_new(&runtime);
    bool fired = edo_alloc_fail(0, false);
    if (error == 0)
        edo_runtime_drop(runtime);
    return error < 0 ? -error : fired ? 201 : 0;
}

Test(quirks, a_runtime_without_memory_is_an_error_or_libuvs_abort)
{
    int n = 1, aborts = 0, result;
    while ((result = in_child(build_failing, n)) != 0) {
        cr_assert(result == ENOMEM || result == -SIGABRT, "allocation %d: %d", n, result);
        aborts += result == -SIGABRT;
        n++;
    }
    /* It grows three times while it makes what every loop has. Fewer would be news. */
    cr_assert(n > 5 && aborts <= 3, "%d allocations, %d aborts", n - 1, aborts);
}
