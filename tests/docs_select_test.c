/* SPDX-License-Identifier: MIT */
/* The programs of docs/select.md and docs/cancel-safety.md, run: also those that show a mistake. What the
 * pages print of them is here word for word; tests/docs_test.c sees to that. */
#include "io_helpers.h"
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

/* Sends numbers, so many milliseconds apart. */
struct sends {
    FUTURE(void);
    MPSC_SENDER(int) tx;
    int from, to;
    uint64_t ms;
    struct edo_sleep sleep;
    struct edo_mpsc_send send;
};

ASYNC(sends)
{
    ASYNC_BEGIN;
    for (; self->from < self->to; self->from++) {
        AWAIT(self->sleep, edo_sleep(self->ms));
        AWAIT(self->send, edo_mpsc_send(self->tx, &self->from));
    }
ASYNC_FINALLY:
    edo_mpsc_sender_drop(self->tx);
    ASYNC_END;
}

static MPSC_RECEIVER(int) spawn_sends(int from, int to, uint64_t ms)
{
    MPSC_SENDER(int) tx;
    MPSC_RECEIVER(int) rx;
    cr_assert_eq(edo_mpsc(&tx, &rx, 8), 0);
    edo_task_detach(SPAWN(NEW(sends, .tx = tx, .from = from, .to = to, .ms = ms)));
    return rx;
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

/* ---- Traps: break ---- */

struct leaves {
    FUTURE(int);
    bool full;
    int rounds;
    struct edo_sleep sleep;
    struct edo_pending other;
};

ASYNC(leaves)
{
    ASYNC_BEGIN;
    while (!self->full) {
        SELECT {
            WHEN(self->sleep, edo_sleep(1)) {
                self->full = ++self->rounds == 3;
                break; /* leaves the SELECT, not the loop */
            }
            WHEN(self->other, edo_pending()) {
            }
        }
    }
    for (;;) {
        SELECT {
            WHEN(self->sleep, edo_sleep(1)) {
                goto done;
            }
            WHEN(self->other, edo_pending()) {
            }
        }
    }
done:
    RETURN(self->rounds);
    ASYNC_END;
}

Test(docs_select, break_leaves_the_select)
{
    cr_assert_eq(RUN_PAUSED(NEW(leaves)), 3);
}

/* ---- Traps: a read that is half done ---- */

/* Says when so much of the header has been read. */
struct interrupts {
    FUTURE(void);
    const size_t *done;
    struct edo_notify *notify;
};

ASYNC(interrupts)
{
    ASYNC_BEGIN;
    while (*self->done != 4)
        YIELD_NOW();
    edo_notify_one(self->notify);
    ASYNC_END;
}

struct reads {
    FUTURE(int);
    bool borrows;
    int peer;
    char header[8];
    struct edo_tcp *conn;
    struct edo_notify news;
    struct edo_notified notified;
    struct edo_read_exact read;
};

static void begin_reads(struct reads *self)
{
    self->conn = half_raw_pair(&self->peer);
    edo_notify_init(&self->news);
    cr_assert_eq(write(self->peer, "abcd", 4), 4);
    edo_task_detach(SPAWN(NEW(interrupts, .done = &self->read.done, .notify = &self->news)));
}

ASYNC(reads)
{
    ASYNC_BEGIN;
    begin_reads(self);
    if (self->borrows)
        goto borrows;
    for (;;) {
        SELECT {
            WHEN(self->read, edo_read_exact(self->conn, self->header, 8)) {
                RETURN(self->header[0]);
            }
            WHEN(self->notified, edo_notified(&self->news)) {
                cr_assert_eq(write(self->peer, "efghijkl", 8), 8);
            }
        }
    }
borrows:
    self->read = edo_read_exact(self->conn, self->header, 8);
    for (;;) {
        SELECT {
            WHEN_REF(self->read) {
                RETURN(self->header[0]);
            }
            WHEN(self->notified, edo_notified(&self->news)) {
                cr_assert_eq(write(self->peer, "efghijkl", 8), 8);
            }
        }
    }
ASYNC_FINALLY:
    DROP(self->read);
    edo_tcp_close(self->conn);
    close(self->peer);
    ASYNC_END;
}

Test(docs_select, a_half_done_read_is_lost_unless_it_is_borrowed)
{
    /* Alone: the other task looks into this one's frame. */
    cr_assert_eq(RUN_ALONE(NEW(reads)), 'e', "what was read first is gone");
    cr_assert_eq(RUN_ALONE(NEW(reads, .borrows = true)), 'a');
}

/* ---- Traps: a sleep that is made anew ---- */

struct deadlines {
    FUTURE(int);
    enum { ANEW, BORROWED, INSTANT } how;
    MPSC_RECEIVER(int) rx;
    uint64_t deadline;
    int n;
    struct edo_mpsc_recv recv;
    struct edo_sleep sleep;
};

ASYNC(deadlines)
{
    ASYNC_BEGIN;
    self->rx = spawn_sends(0, 10, 10);
    if (self->how == ANEW) {
        for (;;) {
            SELECT {
                WHEN(self->recv, edo_mpsc_recv(self->rx, &self->n)) {
                    if (self->recv.output < 0)
                        RETURN(self->n);
                }
                WHEN(self->sleep, edo_sleep(35)) {
                    RETURN(UV_ETIMEDOUT);
                }
            }
        }
    }
    if (self->how == BORROWED) {
        self->sleep = edo_sleep(35);
        for (;;) {
            SELECT {
                WHEN(self->recv, edo_mpsc_recv(self->rx, &self->n)) {
                    if (self->recv.output < 0)
                        RETURN(self->n);
                }
                WHEN_REF(self->sleep) {
                    RETURN(UV_ETIMEDOUT);
                }
            }
        }
    }
    self->deadline = edo_instant_add(edo_now(), 35);
    for (;;) {
        SELECT {
            WHEN(self->recv, edo_mpsc_recv(self->rx, &self->n)) {
                if (self->recv.output < 0)
                    RETURN(self->n);
            }
            WHEN(self->sleep, edo_sleep_until(self->deadline)) {
                RETURN(UV_ETIMEDOUT);
            }
        }
    }
ASYNC_FINALLY:
    DROP(self->sleep);
    edo_mpsc_receiver_drop(self->rx);
    ASYNC_END;
}

Test(docs_select, a_sleep_made_anew_each_round_begins_anew)
{
    cr_assert_eq(RUN_PAUSED(NEW(deadlines)), 9, "it never fires");
    cr_assert_eq(RUN_PAUSED(NEW(deadlines, .how = BORROWED)), UV_ETIMEDOUT);
    cr_assert_eq(RUN_PAUSED(NEW(deadlines, .how = INSTANT)), UV_ETIMEDOUT);
}

/* ---- Traps: a place in a row that nobody polls ---- */

struct holds {
    FUTURE(void);
    struct edo_mutex *mutex;
    struct edo_mutex_guard guard;
    struct edo_mutex_lock lock;
    struct edo_sleep sleep;
};

ASYNC(holds)
{
    ASYNC_BEGIN;
    AWAIT(self->lock, edo_mutex_lock(self->mutex, &self->guard));
    AWAIT(self->sleep, edo_sleep(10));
ASYNC_FINALLY:
    edo_mutex_unlock(&self->guard);
    ASYNC_END;
}

struct locks {
    FUTURE(int);
    enum { FORGETS, DROPS, GOES_ON } how;
    struct edo_mutex *mutex;
    struct edo_mutex_guard guard, second;
    struct edo_mutex_lock lock, again;
    struct edo_sleep sleep;
};

ASYNC(locks)
{
    ASYNC_BEGIN;
    self->lock = edo_mutex_lock(self->mutex, &self->guard);
    if (self->how == FORGETS) {
        SELECT {
            WHEN_REF(self->lock) {
            }
            WHEN(self->sleep, edo_sleep(5)) {
                AWAIT(self->again, edo_mutex_lock(self->mutex, &self->second)); /* for ever */
            }
        }
    }
    if (self->how == DROPS) {
        SELECT {
            WHEN_REF(self->lock) {
            }
            WHEN(self->sleep, edo_sleep(5)) {
                DROP(self->lock);
                AWAIT(self->again, edo_mutex_lock(self->mutex, &self->second));
            }
        }
    }
    if (self->how == GOES_ON) {
        SELECT {
            WHEN_REF(self->lock) {
            }
            WHEN(self->sleep, edo_sleep(5)) {
                AWAIT_REF(self->lock);
            }
        }
    }
ASYNC_FINALLY:
    DROP(self->lock);
    edo_mutex_unlock(&self->guard);
    edo_mutex_unlock(&self->second);
    ASYNC_END;
}

struct locks_in_time {
    FUTURE(int);
    int how;
    struct edo_mutex mutex;
    struct locks locks;
    struct edo_timeout timeout;
};

ASYNC(locks_in_time)
{
    ASYNC_BEGIN;
    edo_mutex_init(&self->mutex);
    edo_task_detach(SPAWN(NEW(holds, .mutex = &self->mutex)));
    YIELD_NOW();
    self->locks = NEW(locks, .how = self->how, .mutex = &self->mutex);
    AWAIT(self->timeout, edo_timeout(1000, &self->locks));
    edo_mutex_destroy(&self->mutex);
    RETURN(self->timeout.output);
    ASYNC_END;
}

Test(docs_select, a_lock_that_nobody_polls_is_in_the_way)
{
    cr_assert_eq(RUN_PAUSED(NEW(locks_in_time, .how = FORGETS)), UV_ETIMEDOUT);
    cr_assert_eq(RUN_PAUSED(NEW(locks_in_time, .how = DROPS)), 0);
    cr_assert_eq(RUN_PAUSED(NEW(locks_in_time, .how = GOES_ON)), 0);
}

/* ---- Traps: SELECT_BIASED ---- */

struct biased {
    FUTURE(int);
    bool biased;
    int rounds, seconds;
    struct edo_ready_now first, second;
};

ASYNC(biased)
{
    ASYNC_BEGIN;
    while (self->rounds++ < 1000) {
        if (self->biased) {
            SELECT_BIASED {
                WHEN(self->first, edo_ready_now(1)) {
                }
                WHEN(self->second, edo_ready_now(2)) {
                    self->seconds++;
                }
            }
        } else {
            SELECT {
                WHEN(self->first, edo_ready_now(1)) {
                }
                WHEN(self->second, edo_ready_now(2)) {
                    self->seconds++;
                }
            }
        }
    }
    RETURN(self->seconds);
    ASYNC_END;
}

Test(docs_select, a_branch_that_is_always_ready_starves_those_below)
{
    cr_assert_eq(RUN(NEW(biased, .biased = true)), 0);
    cr_assert_gt(RUN(NEW(biased)), 300);
}

struct stops {
    FUTURE(int);
    struct edo_cancellation_token *stop;
    int n, seen;
    struct edo_stream_iter iter;
    STREAM_REF(int) busy;
    struct edo_cancelled cancelled;
    struct edo_next next;
};

ASYNC(stops)
{
    ASYNC_BEGIN;
    self->stop = edo_cancellation_token_new();
    self->busy = edo_stream_repeat(&self->iter, &self->n);
    for (;;) {
        if (self->seen == 500)
            edo_cancellation_token_cancel(self->stop);
        SELECT_BIASED {
            WHEN(self->cancelled, edo_cancelled(self->stop)) {
                RETURN(self->seen);
            }
            WHEN(self->next, edo_next(self->busy, &self->n)) {
                self->seen++;
            }
        }
    }
ASYNC_FINALLY:
    DROP_STREAM(self->busy);
    edo_cancellation_token_drop(self->stop);
    ASYNC_END;
}

Test(docs_select, what_must_be_seen_first_stands_on_top)
{
    cr_assert_eq(RUN(NEW(stops)), 500);
}

/* ---- docs/cancel-safety.md: a message that is taken before there is room for it ---- */

struct passes {
    FUTURE(int);
    bool reserves;
    MPSC_RECEIVER(int) from;
    MPSC_SENDER(int) to;
    int n;
    MPSC_PERMIT(int) permit;
    struct edo_mpsc_recv recv;
    struct edo_mpsc_send send;
    struct edo_mpsc_reserve reserve;
};

ASYNC(passes)
{
    ASYNC_BEGIN;
    if (!self->reserves) {
        AWAIT(self->recv, edo_mpsc_recv(self->from, &self->n));
        if (self->recv.output < 0)
            RETURN(0);
        AWAIT(self->send, edo_mpsc_send(self->to, &self->n));
    } else {
        AWAIT(self->reserve, edo_mpsc_reserve(self->to, &self->permit));
        if (self->reserve.output < 0)
            RETURN(self->reserve.output);
        AWAIT(self->recv, edo_mpsc_recv(self->from, &self->n));
        if (self->recv.output < 0)
            RETURN(0);
        edo_mpsc_permit_send(&self->permit, &self->n);
    }
ASYNC_FINALLY:
    edo_mpsc_permit_release(&self->permit);
    ASYNC_END;
}

struct passes_in_time {
    FUTURE(int);
    bool reserves;
    MPSC_SENDER(int) tx1;
    MPSC_SENDER(int) tx2;
    MPSC_RECEIVER(int) rx1;
    MPSC_RECEIVER(int) rx2;
    struct passes passes;
    struct edo_timeout timeout;
};

ASYNC(passes_in_time)
{
    int n = 0;
    ASYNC_BEGIN;
    cr_assert_eq(edo_mpsc(&self->tx1, &self->rx1, 1), 0);
    cr_assert_eq(edo_mpsc(&self->tx2, &self->rx2, 1), 0);
    cr_assert_eq(edo_mpsc_try_send(self->tx1, &(int){7}), 0);
    cr_assert_eq(edo_mpsc_try_send(self->tx2, &(int){8}), 0, "it is full");
    self->passes = NEW(passes, .reserves = self->reserves, .from = self->rx1, .to = self->tx2);
    AWAIT(self->timeout, edo_timeout(10, &self->passes));
    cr_assert_eq(self->timeout.output, UV_ETIMEDOUT);
    RETURN(edo_mpsc_try_recv(self->rx1, &n) == 0 ? n : 0);
ASYNC_FINALLY:
    edo_mpsc_sender_drop(self->tx1);
    edo_mpsc_sender_drop(self->tx2);
    edo_mpsc_receiver_drop(self->rx1);
    edo_mpsc_receiver_drop(self->rx2);
    ASYNC_END;
}

Test(docs_select, the_room_first_and_then_the_message)
{
    cr_assert_eq(RUN_PAUSED(NEW(passes_in_time)), 0, "the message is gone");
    cr_assert_eq(RUN_PAUSED(NEW(passes_in_time, .reserves = true)), 7);
}
