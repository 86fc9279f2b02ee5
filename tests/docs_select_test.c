/* SPDX-License-Identifier: MIT */
/* The programs of docs/select.md, but for its traps: docs_select_traps_test.c. What the page prints of them is here
 * word for word; docs_test.c sees to that. */
#include "docs_select_helpers.h"
#include "support/runtimes.h"

/* ---- The page's first ---- */

struct worker {
    FUTURE(int);
    MPSC_RECEIVER(int) rx;
    struct edo_cancellation_token *stop;
    struct edo_interval every;
    int job, jobs, ticks;
    struct edo_mpsc_recv recv; /* the branches: in flight side by side */
    struct edo_interval_tick tick;
    struct edo_cancelled cancelled;
    struct edo_sleep work;
};

ASYNC(worker)
{
    ASYNC_BEGIN;
    self->every = edo_interval(100);
    for (;;) {
        SELECT {
            WHEN(self->recv, edo_mpsc_recv(self->rx, &self->job)) {
                if (self->recv.output < 0)
                    RETURN(self->jobs);
                AWAIT(self->work, edo_sleep(10));
                self->jobs++;
            }
            WHEN(self->tick, edo_interval_tick(&self->every)) {
                self->ticks++;
            }
            WHEN(self->cancelled, edo_cancelled(self->stop)) {
                RETURN(UV_ECANCELED);
            }
        }
    }
ASYNC_FINALLY:
    edo_mpsc_receiver_drop(self->rx);
    ASYNC_END;
}

struct runs_worker {
    FUTURE(int);
    bool cancels;
    struct edo_cancellation_token *stop;
    MPSC_SENDER(int) tx;
    JOIN_HANDLE(int) task;
    struct edo_sleep sleep;
    struct edo_join join;
    int result;
};

ASYNC(runs_worker)
{
    MPSC_RECEIVER(int) rx;
    ASYNC_BEGIN;
    cr_assert_eq(edo_mpsc(&self->tx, &rx, 8), 0);
    self->stop = edo_cancellation_token_new();
    self->task = SPAWN(NEW(worker, .rx = rx, .stop = self->stop));
    for (int i = 0; i < 3; i++)
        cr_assert_eq(edo_mpsc_try_send(self->tx, &i), 0);
    AWAIT(self->sleep, edo_sleep(1000));
    if (self->cancels) {
        edo_cancellation_token_cancel(self->stop);
    } else {
        edo_mpsc_sender_drop(self->tx);
        self->tx = NULL;
    }
    AWAIT(self->join, edo_join(self->task, &self->result));
    RETURN(self->result);
ASYNC_FINALLY:
    edo_mpsc_sender_drop(self->tx);
    edo_cancellation_token_drop(self->stop);
    ASYNC_END;
}

Test(docs_select, a_worker_works_until_there_is_nothing_more)
{
    cr_assert_eq(RUN_PAUSED(NEW(runs_worker)), 3);
    cr_assert_eq(RUN_PAUSED(NEW(runs_worker, .cancels = true)), UV_ECANCELED);
}

/* ---- Conditions, patterns, OTHERWISE ---- */

struct sums {
    FUTURE(int);
    bool both;
    int n, sum;
    MPSC_RECEIVER(int) left;
    MPSC_RECEIVER(int) right;
    struct edo_mpsc_recv from_left, from_right;
};

ASYNC(sums)
{
    ASYNC_BEGIN;
    for (;;) {
        SELECT {
            WHEN_MATCH(self->from_left.output == 0, self->from_left,
                       edo_mpsc_recv(self->left, &self->n)) {
                self->sum += self->n;
            }
            WHEN_IF_MATCH(self->both, self->from_right.output == 0, self->from_right,
                          edo_mpsc_recv(self->right, &self->n)) {
                self->sum += self->n;
            }
            OTHERWISE {
                RETURN(self->sum);
            }
        }
    }
ASYNC_FINALLY:
    edo_mpsc_receiver_drop(self->left);
    edo_mpsc_receiver_drop(self->right);
    ASYNC_END;
}

Test(docs_select, a_branch_that_is_off_leaves_the_others)
{
    for (int both = 0; both < 2; both++) {
        MPSC_SENDER(int) tx1;
        MPSC_SENDER(int) tx2;
        MPSC_RECEIVER(int) rx1;
        MPSC_RECEIVER(int) rx2;
        struct baseline start = baseline();
        cr_assert_eq(edo_mpsc(&tx1, &rx1, 8), 0);
        cr_assert_eq(edo_mpsc(&tx2, &rx2, 8), 0);
        for (int i = 1; i <= 4; i++) {
            cr_assert_eq(edo_mpsc_try_send(tx1, &i), 0);
            cr_assert_eq(edo_mpsc_try_send(tx2, &(int){10 * i}), 0);
        }
        edo_mpsc_sender_drop(tx1);
        edo_mpsc_sender_drop(tx2);
        struct sums sums = NEW(sums, .both = both, .left = rx1, .right = rx2);
        struct edo_runtime *runtime;
        cr_assert_eq(test_runtime_new(&runtime), 0);
        cr_assert_eq(test_block_on(runtime, &sums), 0);
        edo_runtime_drop(runtime);
        cr_assert_eq(sums.output, both ? 110 : 10);
        check_baseline(&start);
    }
}

/* ---- Borrowed ---- */

struct fetch {
    FUTURE(int);
    int url;
    struct edo_sleep sleep;
};

ASYNC(fetch)
{
    ASYNC_BEGIN;
    AWAIT(self->sleep, edo_sleep(100));
    RETURN(self->url);
    ASYNC_END;
}

struct newest {
    FUTURE(int);
    MPSC_RECEIVER(int) rx;
    int url, fetched;
    struct fetch fetch;
    struct edo_mpsc_recv recv;
    struct edo_sleep store;
};

ASYNC(newest)
{
    ASYNC_BEGIN;
    self->rx = spawn_sends(1, 4, 60);
    PIN(self->fetch, NEW(fetch, .url = 0));
    for (;;) {
        SELECT {
            WHEN_REF(self->fetch) {
                self->fetched = self->fetch.output;
            }
            WHEN_MATCH(self->recv.output == 0, self->recv, edo_mpsc_recv(self->rx, &self->url)) {
                DROP(self->fetch);
                PIN(self->fetch, NEW(fetch, .url = self->url));
                AWAIT(self->store, edo_sleep(10));
            }
            OTHERWISE {
                RETURN(self->fetched);
            }
        }
    }
ASYNC_FINALLY:
    DROP(self->fetch);
    edo_mpsc_receiver_drop(self->rx);
    ASYNC_END;
}

/* A frame that is dropped while a handler awaits. */
struct dropped_in_time {
    FUTURE(int);
    uint64_t ms;
    struct newest newest;
    struct edo_timeout timeout;
};

ASYNC(dropped_in_time)
{
    ASYNC_BEGIN;
    self->newest = NEW(newest);
    AWAIT(self->timeout, edo_timeout(self->ms, &self->newest));
    RETURN(self->timeout.output < 0 ? self->timeout.output : self->newest.output);
    ASYNC_END;
}

Test(docs_select, an_operation_is_kept_in_flight_and_replaced)
{
    cr_assert_eq(RUN_PAUSED(NEW(newest)), 3);
    cr_assert_eq(RUN_PAUSED(NEW(dropped_in_time, .ms = 1000)), 3);
    for (uint64_t ms = 1; ms < 280; ms++)
        cr_assert_eq(RUN_PAUSED(NEW(dropped_in_time, .ms = ms)), UV_ETIMEDOUT);
}

/* A task in place of a future of the frame. */
struct task_beside {
    FUTURE(int);
    JOIN_HANDLE(int) task;
    int result, n, received;
    MPSC_RECEIVER(int) rx;
    struct edo_join join;
    struct edo_mpsc_recv recv;
};

ASYNC(task_beside)
{
    ASYNC_BEGIN;
    self->rx = spawn_sends(0, 50, 10);
    self->task = SPAWN(NEW(fetch, .url = 7));
    self->join = edo_join(self->task, &self->result);
    while (!edo_is_terminated(&self->join)) {
        SELECT {
            WHEN_REF(self->join) {
                if (self->join.output < 0)
                    RETURN(self->join.output);
            }
            WHEN(self->recv, edo_mpsc_recv(self->rx, &self->n)) {
                self->received++;
            }
        }
    }
    RETURN(self->result);
ASYNC_FINALLY:
    DROP(self->join);
    edo_mpsc_receiver_drop(self->rx);
    ASYNC_END;
}

Test(docs_select, a_task_goes_on_while_its_join_is_borrowed)
{
    cr_assert_eq(RUN_PAUSED(NEW(task_beside)), 7);
}

/* ---- Streams ---- */

struct two_streams {
    FUTURE(int);
    MPSC_RECEIVER(int) jobs_rx;
    struct edo_interval interval;
    struct edo_stream_mpsc mpsc;
    struct edo_stream_interval every;
    struct edo_stream_take few;
    STREAM_REF(int) jobs;
    STREAM_REF(uint64_t) ticks;
    int job, sum;
    uint64_t at;
    struct edo_next next_job, next_tick;
};

ASYNC(two_streams)
{
    ASYNC_BEGIN;
    self->jobs_rx = spawn_sends(1, 5, 25);
    self->interval = edo_interval(10);
    self->jobs = edo_stream_mpsc(&self->mpsc, self->jobs_rx);
    self->ticks = edo_stream_interval(&self->every, &self->interval);
    self->ticks = edo_stream_take(&self->few, self->ticks, 5);
    for (;;) {
        SELECT {
            WHEN_MATCH(self->next_job.output > 0, self->next_job,
                       edo_next(self->jobs, &self->job)) {
                self->sum += self->job;
            }
            WHEN_MATCH(self->next_tick.output > 0, self->next_tick,
                       edo_next(self->ticks, &self->at)) {
                self->sum += 100;
            }
            OTHERWISE {
                RETURN(edo_stream_error(self->jobs) < 0 ? edo_stream_error(self->jobs) : self->sum);
            }
        }
    }
ASYNC_FINALLY:
    DROP_STREAM(self->jobs);
    DROP_STREAM(self->ticks);
    edo_mpsc_receiver_drop(self->jobs_rx);
    ASYNC_END;
}

Test(docs_select, two_streams_until_both_have_ended)
{
    cr_assert_eq(RUN_PAUSED(NEW(two_streams)), 510);
}

/* ---- JOIN and RACE beside it ---- */

struct beside {
    FUTURE(int);
    unsigned winner;
    struct fetch a, b;
    struct edo_sleep sleep;
};

ASYNC(beside)
{
    ASYNC_BEGIN;
    self->a = NEW(fetch, .url = 1);
    self->b = NEW(fetch, .url = 2);
    TRY_JOIN(&self->a, &self->b);
    self->output = self->a.output + self->b.output;

    self->a = NEW(fetch, .url = 1);
    self->sleep = edo_sleep(50);
    RACE(self->winner, &self->a, &self->sleep);
    if (self->winner == 1)
        RETURN(self->output * 10);
    ASYNC_END;
}

Test(docs_select, join_and_race)
{
    cr_assert_eq(RUN_PAUSED(NEW(beside)), 30);
}
