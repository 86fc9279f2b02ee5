/* SPDX-License-Identifier: MIT */
/* The programs of the traps of docs/select.md, run: also those that show a mistake. */
#include "docs_select_helpers.h"
#include "io_helpers.h"

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

/* A channel that is never empty, until so many have been received: who receives sends again. */
struct floods {
    FUTURE(int);
    MPSC_SENDER(int) tx;
    MPSC_RECEIVER(int) rx;
    struct edo_cancellation_token *stop;
    uint64_t deadline;
    int n, seen, most;
    bool stops;
    struct edo_mpsc_recv recv;
    struct edo_sleep sleep;
    struct edo_cancelled cancelled;
};

ASYNC(floods)
{
    ASYNC_BEGIN;
    self->stop = edo_cancellation_token_new();
    if (self->stops)
        edo_cancellation_token_cancel(self->stop);
    cr_assert_eq(edo_mpsc(&self->tx, &self->rx, 1), 0);
    cr_assert_eq(edo_mpsc_try_send(self->tx, &self->n), 0);
    self->deadline = edo_now();
    self->sleep = edo_sleep_until(self->deadline);
    for (;;) {
        SELECT_BIASED {
            WHEN(self->recv, edo_mpsc_recv(self->rx, &self->n)) {
                if (self->recv.output < 0)
                    RETURN(self->seen);
                self->seen++;
                if (self->seen < self->most)
                    cr_assert_eq(edo_mpsc_try_send(self->tx, &self->n), 0);
            }
            WHEN_REF(self->sleep) {
                RETURN(UV_ETIMEDOUT);
            }
            WHEN(self->cancelled, edo_cancelled(self->stop)) {
                RETURN(self->seen);
            }
        }
    }
ASYNC_FINALLY:
    DROP(self->sleep);
    edo_mpsc_sender_drop(self->tx);
    edo_mpsc_receiver_drop(self->rx);
    edo_cancellation_token_drop(self->stop);
    ASYNC_END;
}

/* What it says, and after how many messages. */
static void check_flood(bool stops, int output, int seen)
{
    struct edo_runtime *runtime;
    cr_assert_eq(edo_runtime_new(&runtime), 0);
    struct floods floods = NEW(floods, .stops = stops, .most = 100000);
    cr_assert_eq(edo_block_on(runtime, &floods), 0);
    cr_assert_eq(floods.output, output);
    cr_assert_eq(floods.seen, seen);
    edo_runtime_drop(runtime);
}

Test(docs_select, what_stands_below_is_seen_without_a_budget_if_it_takes_none)
{
    check_flood(true, EDO_BUDGET, EDO_BUDGET);
    check_flood(false, UV_ETIMEDOUT, 100000);
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
