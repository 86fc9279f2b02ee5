/* SPDX-License-Identifier: MIT */
/* Local sets on either runtime: local tasks here, others on the workers. */
#include <sys/socket.h>

#include "local_set_helpers.h"

/* Current-thread, for 0 workers; multi-thread. */
static struct edo_runtime *runtime_of(unsigned workers)
{
    struct edo_runtime *runtime;
    if (workers == 0)
        cr_assert_eq(edo_runtime_new(&runtime), 0);
    else
        cr_assert_eq(
            edo_runtime_new(&runtime, .flavor = EDO_MULTI_THREAD, .worker_threads = workers), 0);
    return runtime;
}

static const unsigned worker_counts[] = {0, 1, 2, 8};
enum { WORKER_COUNTS = sizeof worker_counts / sizeof worker_counts[0] };

/* A task on the workers of a multi-thread runtime, or here. */
struct roams {
    FUTURE(int);
    pthread_t home;
    bool here; /* it must run there */
    struct edo_sleep sleep;
};

ASYNC(roams)
{
    ASYNC_BEGIN;
    cr_assert_eq(!!pthread_equal(self->home, pthread_self()), self->here);
    AWAIT(self->sleep, edo_sleep(1));
    cr_assert_eq(self->sleep.output, 0);
    YIELD_NOW();
    cr_assert_eq(!!pthread_equal(self->home, pthread_self()), self->here);
    RETURN(11);
    ASYNC_END;
}

/* A local task with one of the runtime's. */
struct stays {
    FUTURE(int);
    pthread_t home;
    unsigned workers;
    JOIN_HANDLE(int) roaming;
    int value;
    int *sum; /* of all local tasks: no lock */
    struct edo_join join;
    struct edo_sleep sleep;
};

ASYNC(stays)
{
    ASYNC_BEGIN;
    self->roaming = SPAWN(NEW(roams, .home = self->home, .here = self->workers == 0));
    AWAIT(self->sleep, edo_sleep(1));
    cr_assert_eq(self->sleep.output, 0);
    cr_assert(pthread_equal(self->home, pthread_self()));
    self->join = edo_join(self->roaming, &self->value);
    self->roaming = NULL;
    AWAIT_REF(self->join);
    cr_assert_eq(self->join.output, 0);
    cr_assert_eq(self->value, 11);
    cr_assert(pthread_equal(self->home, pthread_self()));
    *self->sum += self->value;
ASYNC_FINALLY:
    edo_task_detach(self->roaming);
    ASYNC_END;
}

struct stays_all {
    FUTURE(int);
    unsigned workers;
    int n, sum;
    struct edo_local_set *set;
    struct edo_local_set_wait wait;
};

ASYNC(stays_all)
{
    ASYNC_BEGIN;
    for (; self->n < 100; self->n++)
        edo_task_detach(SPAWN_LOCAL(
            NEW(stays, .home = pthread_self(), .workers = self->workers, .sum = &self->sum)));
    AWAIT(self->wait, edo_local_set_wait(self->set));
    RETURN(self->sum);
    ASYNC_END;
}

Test(local_set, local_tasks_stay_and_the_others_run_on_the_workers)
{
    for (int i = 0; i < WORKER_COUNTS; i++) {
        struct bench bench;
        bench_begin(&bench);
        struct edo_local_set *set = set_new();
        struct edo_runtime *runtime = runtime_of(worker_counts[i]);
        struct stays_all main = NEW(stays_all, .set = set, .workers = worker_counts[i]);
        cr_assert_eq(edo_local_set_block_on(set, runtime, &main), 0);
        cr_assert_eq(main.output, 100 * 11);
        edo_local_set_drop(set);
        edo_runtime_drop(runtime);
        bench_end(&bench);
    }
}

/* Ping-pong over a connection of the runtime's, between two tasks of the set. */
struct plays {
    FUTURE(int);
    struct edo_tcp *conn;
    int rounds; /* that it begins; 0: it answers */
    pthread_t home;
    char byte;
    union {
        struct edo_read read;
        struct edo_write_all write;
    };
};

ASYNC(plays)
{
    ASYNC_BEGIN;
    if (self->rounds > 0) {
        AWAIT(self->write, edo_write_all(self->conn, "x", 1));
        cr_assert_eq(self->write.output, 1);
    }
    for (;;) {
        AWAIT(self->read, edo_read(self->conn, &self->byte, 1));
        cr_assert(pthread_equal(self->home, pthread_self()));
        if (self->read.output == 0 || --self->rounds == 0)
            break;
        AWAIT(self->write, edo_write_all(self->conn, "x", 1));
        cr_assert_eq(self->write.output, 1);
    }
ASYNC_FINALLY:
    edo_tcp_close(self->conn);
    ASYNC_END;
}

struct plays_both {
    FUTURE(int);
    struct edo_local_set *set;
    struct edo_local_set_wait wait;
};

ASYNC(plays_both)
{
    int fds[2];
    ASYNC_BEGIN;
    cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
    for (int i = 0; i < 2; i++) {
        struct edo_tcp *conn;
        cr_assert_eq(edo_tcp_from_fd(fds[i], &conn), 0);
        edo_task_detach(SPAWN_LOCAL(
            NEW(plays, .conn = conn, .rounds = i == 0 ? 200 : 0, .home = pthread_self())));
    }
    AWAIT(self->wait, edo_local_set_wait(self->set));
    ASYNC_END;
}

Test(local_set, its_tasks_use_the_runtimes_sockets)
{
    for (int i = 0; i < WORKER_COUNTS; i++) {
        struct bench bench;
        bench_begin(&bench);
        struct edo_local_set *set = set_new();
        struct edo_runtime *runtime = runtime_of(worker_counts[i]);
        struct plays_both main = NEW(plays_both, .set = set);
        cr_assert_eq(edo_local_set_block_on(set, runtime, &main), 0);
        edo_local_set_drop(set);
        edo_runtime_drop(runtime);
        bench_end(&bench);
    }
}

/* In a task of a multi-thread runtime there is no set to be made or run, and nothing to spawn on. */
struct cannot {
    FUTURE(int);
    struct edo_local_set *set;
    struct leaf_log log;
    struct leaf leaf;
    struct edo_local_set_run_until run;
    struct edo_local_set_wait wait;
};

static void cannot_make_one(void)
{
    struct edo_local_set *none = (struct edo_local_set *)1;
    cr_assert_eq(edo_local_set_new(&none), UV_EINVAL);
    cr_assert_null(none);
    JOIN_HANDLE(int) task = SPAWN_LOCAL(NEW(work));
    cr_assert_eq(edo_task_error(task), EDO_ENORUNTIME);
    edo_task_detach(task);
}

ASYNC(cannot)
{
    ASYNC_BEGIN;
    cannot_make_one();
    self->leaf = LEAF(&self->log, 3, 0);
    AWAIT(self->run, edo_local_set_run_until(self->set, &self->leaf));
    cr_assert_eq(self->run.output, UV_EPERM);
    cr_assert(self->log.polls == 0 && self->log.drops == 1);
    AWAIT(self->wait, edo_local_set_wait(self->set));
    cr_assert_eq(self->wait.output, UV_EPERM);
    RETURN(1);
    ASYNC_END;
}

Test(local_set, a_worker_of_a_multi_thread_runtime_makes_and_runs_none)
{
    struct bench bench;
    bench_begin(&bench);
    struct edo_local_set *set = set_new();
    struct edo_runtime *runtime = runtime_of(2);
    struct edo_guard guard = edo_enter(edo_runtime_handle(runtime));
    int value = 0;
    struct edo_join join = edo_join(SPAWN(NEW(cannot, .set = set)), &value);
    edo_leave(guard);
    cr_assert_eq(edo_local_set_block_on(set, runtime, &join), 0);
    cr_assert_eq(value, 1);
    edo_runtime_drop(runtime);
    edo_local_set_drop(set);
    bench_end(&bench);
}

static void counts_call(void *calls)
{
    ++*(int *)calls;
}

/* The set's tasks are nobody else's: there is no other thread to go on with them. */
static int no_calls(void)
{
    int calls = 0;
    cr_assert_eq(edo_block_in_place(counts_call, &calls), UV_EINVAL);
    return calls;
}

struct blocks_in_place {
    FUTURE(int);
};

ASYNC(blocks_in_place)
{
    ASYNC_BEGIN;
    RETURN(no_calls());
    ASYNC_END;
}

Test(local_set, nothing_of_it_blocks_in_place)
{
    struct bench bench;
    bench_begin(&bench);
    struct edo_local_set *set = set_new();
    struct edo_runtime *runtime = runtime_of(2);
    int value = 1;
    struct blocks_in_place main = NEW(blocks_in_place);
    JOIN_HANDLE(int) task = SPAWN_LOCAL_ON(set, NEW(blocks_in_place));
    cr_assert_eq(edo_local_set_block_on(set, runtime, &main), 0);
    cr_assert_eq(main.output, 0);
    struct edo_join join = edo_join(task, &value);
    cr_assert_eq(edo_local_set_block_on(set, runtime, &join), 0);
    cr_assert_eq(value, 0);
    /* Entered, and not polled, it forbids nothing. */
    struct edo_local_guard guard = edo_local_set_enter(set);
    int calls = 0;
    cr_assert_eq(edo_block_in_place(counts_call, &calls), 0);
    cr_assert_eq(calls, 1);
    edo_local_set_leave(guard);
    edo_runtime_drop(runtime);
    edo_local_set_drop(set);
    bench_end(&bench);
}

/* Work goes to the set from the workers, and back: local tasks serve what others ask for. */
struct asks {
    FUTURE(int);
    EDO_MPSC_SENDER(int) tx;
    int n;
    struct edo_mpsc_send send;
};

ASYNC(asks)
{
    ASYNC_BEGIN;
    for (self->n = 1; self->n <= 100; self->n++) {
        AWAIT(self->send, edo_mpsc_send(self->tx, &self->n));
        cr_assert_eq(self->send.output, 0);
    }
ASYNC_FINALLY:
    edo_mpsc_sender_drop(self->tx);
    ASYNC_END;
}

struct serves {
    FUTURE(int);
    EDO_MPSC_RECEIVER(int) rx;
    pthread_t home;
    int n;
    struct edo_mpsc_recv recv;
};

ASYNC(serves)
{
    ASYNC_BEGIN;
    for (;;) {
        AWAIT(self->recv, edo_mpsc_recv(self->rx, &self->n));
        cr_assert(pthread_equal(self->home, pthread_self()));
        if (self->recv.output != 0)
            break;
        self->output += self->n;
    }
ASYNC_FINALLY:
    edo_mpsc_receiver_drop(self->rx);
    ASYNC_END;
}

Test(local_set, a_local_task_serves_tasks_of_the_workers)
{
    for (int i = 0; i < WORKER_COUNTS; i++) {
        struct bench bench;
        bench_begin(&bench);
        struct edo_local_set *set = set_new();
        struct edo_runtime *runtime = runtime_of(worker_counts[i]);
        EDO_MPSC_SENDER(int) tx;
        EDO_MPSC_RECEIVER(int) rx;
        cr_assert_eq(edo_mpsc(&tx, &rx, 4), 0);
        for (int j = 0; j < 4; j++)
            edo_task_detach(
                SPAWN_ON(edo_runtime_handle(runtime), NEW(asks, .tx = edo_mpsc_sender_clone(tx))));
        edo_mpsc_sender_drop(tx);
        int sum = 0;
        struct edo_join join =
            edo_join(SPAWN_LOCAL_ON(set, NEW(serves, .rx = rx, .home = pthread_self())), &sum);
        cr_assert_eq(edo_local_set_block_on(set, runtime, &join), 0);
        cr_assert_eq(join.output, 0);
        cr_assert_eq(sum, 4 * 5050);
        edo_local_set_drop(set);
        edo_runtime_drop(runtime);
        bench_end(&bench);
    }
}

/* The set goes while it sleeps and waits for tasks of the workers; or after its runtime. */
Test(local_set, dropped_before_its_runtime_or_after_it)
{
    for (int i = 0; i < 2 * WORKER_COUNTS; i++) {
        struct bench bench;
        bench_begin(&bench);
        struct edo_local_set *set = set_new();
        struct edo_runtime *runtime = runtime_of(worker_counts[i / 2]);
        int sum = 0;
        for (int j = 0; j < 10; j++)
            edo_task_detach(SPAWN_LOCAL_ON(set, NEW(stays, .home = pthread_self(),
                                                    .workers = worker_counts[i / 2], .sum = &sum)));
        struct work main = NEW(work, .yields = 1);
        cr_assert_eq(edo_local_set_block_on(set, runtime, &main), 0);
        if (i % 2 == 0)
            edo_local_set_drop(set);
        edo_runtime_drop(runtime);
        if (i % 2 != 0)
            edo_local_set_drop(set);
        bench_end(&bench);
    }
}
