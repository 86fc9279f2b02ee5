/* SPDX-License-Identifier: MIT */
/* The programs with which Tokio's tour explains select, join and pin, as they are written here, and what
 * the tour says that they do. */
#include "io_helpers.h"
#include "support/runtimes.h"

/* Two tasks answer, each on a channel of its own; the first that does wins. */
struct answers {
    FUTURE(int);
    ONESHOT_SENDER(const char *) tx;
    uint64_t ms;
    const char *text;
    bool waits_for_closed; /* instead of answering after a time */
    int *closed;
    struct edo_sleep sleep;
    struct edo_oneshot_closed gone;
};

ASYNC(answers)
{
    ASYNC_BEGIN;
    SELECT {
        WHEN(self->gone, edo_oneshot_closed(self->tx)) {
            ++*self->closed; /* the operation is cancelled: nobody wants its answer */
        }
        WHEN_IF(!self->waits_for_closed, self->sleep, edo_sleep(self->ms)) {
            edo_oneshot_send(self->tx, &self->text);
            self->tx = NULL;
        }
    }
ASYNC_FINALLY:
    edo_oneshot_sender_drop(self->tx);
    ASYNC_END;
}

struct two_answers {
    FUTURE(int);
    bool second_never;
    int closed;
    const char *text, *got;
    ONESHOT_RECEIVER(const char *) rx1;
    ONESHOT_RECEIVER(const char *) rx2;
    JOIN_HANDLE(int) tasks[2];
    struct edo_oneshot_recv recv1, recv2;
    struct edo_join join;
};

ASYNC(two_answers)
{
    ONESHOT_SENDER(const char *) tx1;
    ONESHOT_SENDER(const char *) tx2;
    ASYNC_BEGIN;
    cr_assert_eq(edo_oneshot(&tx1, &self->rx1), 0);
    cr_assert_eq(edo_oneshot(&tx2, &self->rx2), 0);
    self->tasks[0] =
        SPAWN(NEW(answers, .tx = tx1, .ms = 20, .text = "one", .closed = &self->closed));
    self->tasks[1] = SPAWN(NEW(answers, .tx = tx2, .ms = 10, .text = "two", .closed = &self->closed,
                               .waits_for_closed = self->second_never));
    SELECT {
        WHEN(self->recv1, edo_oneshot_recv(self->rx1, &self->text)) {
            self->got = self->text;
        }
        WHEN(self->recv2, edo_oneshot_recv(self->rx2, &self->text)) {
            self->got = self->text;
        }
    }
    edo_oneshot_receiver_drop(self->rx1);
    edo_oneshot_receiver_drop(self->rx2);
    AWAIT(self->join, edo_join(self->tasks[0], NULL));
    AWAIT(self->join, edo_join(self->tasks[1], NULL));
    RETURN(self->got[0] == 'o' ? 1 : 2);
    ASYNC_END;
}

Test(tour_select, the_first_of_two_oneshots_wins)
{
    cr_assert_eq(RUN_PAUSED(NEW(two_answers)), 2);
    cr_assert_eq(RUN_PAUSED(NEW(two_answers, .second_never = true)), 1);
}

/* The loser's receiver is dropped, and its sender notices. */
Test(tour_select, cancelling_a_branch_is_seen_by_the_other_side)
{
    struct edo_runtime *runtime;
    cr_assert_eq(edo_runtime_new(&runtime, .start_paused = true), 0);
    struct two_answers future = NEW(two_answers, .second_never = true);
    cr_assert_eq(edo_block_on(runtime, &future), 0);
    edo_runtime_drop(runtime);
    cr_assert_eq(future.output, 1);
    cr_assert_eq(future.closed, 1);
}

/* select by hand: a future that polls both. */
struct my_select {
    FUTURE(int); /* 1 or 2 */
    struct edo_oneshot_recv one, two;
};

static enum edo_poll my_select_poll(struct edo_future *future, struct edo_context *cx)
{
    struct my_select *self = (struct my_select *)future;
    if (cx->walk == EDO_WALK_DROP) {
        edo_future_drop(&self->one.future_, cx);
        edo_future_drop(&self->two.future_, cx);
        return EDO_READY;
    }
    if (cx->walk == EDO_WALK_TRACE)
        return edo_walk_leaf(cx, "my_select");
    if (edo_future_poll(&self->one.future_, cx) == EDO_READY) {
        edo_future_drop(&self->two.future_, cx);
        self->output = 1;
        return EDO_READY;
    }
    if (edo_future_poll(&self->two.future_, cx) == EDO_READY) {
        edo_future_drop(&self->one.future_, cx);
        self->output = 2;
        return EDO_READY;
    }
    return EDO_PENDING;
}

struct by_hand {
    FUTURE(int);
    const char *text;
    ONESHOT_RECEIVER(const char *) rx1;
    ONESHOT_RECEIVER(const char *) rx2;
    struct my_select select;
    int closed;
};

ASYNC(by_hand)
{
    ONESHOT_SENDER(const char *) tx1;
    ONESHOT_SENDER(const char *) tx2;
    ASYNC_BEGIN;
    cr_assert_eq(edo_oneshot(&tx1, &self->rx1), 0);
    cr_assert_eq(edo_oneshot(&tx2, &self->rx2), 0);
    edo_task_detach(
        SPAWN(NEW(answers, .tx = tx1, .ms = 2, .text = "one", .closed = &self->closed)));
    edo_task_detach(
        SPAWN(NEW(answers, .tx = tx2, .ms = 1, .text = "two", .closed = &self->closed)));
    AWAIT(self->select, NEW(my_select, .one = edo_oneshot_recv(self->rx1, &self->text),
                            .two = edo_oneshot_recv(self->rx2, &self->text)));
    RETURN(self->select.output);
ASYNC_FINALLY:
    edo_oneshot_receiver_drop(self->rx1);
    edo_oneshot_receiver_drop(self->rx2);
    ASYNC_END;
}

Test(tour_select, written_by_hand_it_does_the_same)
{
    cr_assert_eq(RUN_PAUSED(NEW(by_hand)), 2);
}

/* A connection against a message. */
struct connects {
    FUTURE(int);
    bool message;
    int port_of, text;
    struct edo_addr addr;
    ONESHOT_SENDER(int) tx;
    ONESHOT_RECEIVER(int) rx;
    struct edo_tcp_connect connect;
    struct edo_oneshot_recv recv;
};

ASYNC(connects)
{
    ASYNC_BEGIN;
    cr_assert_eq(edo_oneshot(&self->tx, &self->rx), 0);
    if (self->message) {
        edo_oneshot_send(self->tx, &(int){7});
        self->tx = NULL;
    }
    SELECT_BIASED {
        WHEN_IF(self->message, self->recv, edo_oneshot_recv(self->rx, &self->text)) {
            self->output = self->text;
        }
        WHEN(self->connect, edo_tcp_connect(&self->addr)) {
            cr_assert_eq(self->connect.output, 0);
            edo_tcp_close(self->connect.stream);
            self->output = 1;
        }
    }
ASYNC_FINALLY:
    edo_oneshot_sender_drop(self->tx);
    edo_oneshot_receiver_drop(self->rx);
    ASYNC_END;
}

Test(tour_select, a_connection_or_a_message)
{
    struct edo_addr addr;
    int listener = raw_listener(&addr);
    cr_assert_eq(RUN(NEW(connects, .addr = addr)), 1);
    cr_assert_eq(RUN(NEW(connects, .addr = addr, .message = true)), 7);
    close(listener);
}

/* Accepts until it is told to stop; an error of accept goes on to the caller. */
struct accepts {
    FUTURE(int);
    int peers[3], accepted;
    struct edo_tcp_listener *listener;
    ONESHOT_SENDER(int) tx;
    ONESHOT_RECEIVER(int) rx;
    int nothing;
    struct edo_oneshot_recv stop;
    struct edo_tcp_accept accept;
};

ASYNC(accepts)
{
    struct edo_addr addr;
    ASYNC_BEGIN;
    addr = loopback(0);
    cr_assert_eq(edo_tcp_listen(&self->listener, &addr), 0);
    cr_assert_eq(edo_tcp_listener_local(self->listener, &addr), 0);
    cr_assert_eq(edo_oneshot(&self->tx, &self->rx), 0);
    for (int i = 0; i < 3; i++)
        self->peers[i] = raw_connect(&addr);
    PIN(self->stop, edo_oneshot_recv(self->rx, &self->nothing));
    for (;;) {
        SELECT {
            WHEN_REF(self->stop) {
                RETURN(self->accepted);
            }
            WHEN(self->accept, edo_tcp_accept(self->listener)) {
                if (self->accept.output < 0)
                    RETURN(self->accept.output);
                edo_tcp_close(self->accept.stream);
                if (++self->accepted == 3) {
                    edo_oneshot_sender_drop(self->tx);
                    self->tx = NULL;
                }
            }
        }
    }
ASYNC_FINALLY:
    DROP(self->stop);
    edo_oneshot_sender_drop(self->tx);
    edo_oneshot_receiver_drop(self->rx);
    edo_tcp_listener_close(self->listener);
    for (int i = 0; i < 3; i++)
        close(self->peers[i]);
    ASYNC_END;
}

Test(tour_select, accepts_until_it_is_told_to_stop)
{
    cr_assert_eq(RUN(NEW(accepts)), 3);
}

/* What a select comes to is assigned in its handlers; one for a negative output ends the future. */
struct computes {
    FUTURE(int);
    int result;
    bool fails;
};

ASYNC(computes)
{
    ASYNC_BEGIN;
    YIELD_NOW();
    RETURN(self->fails ? UV_EIO : self->result);
    ASYNC_END;
}

struct returns {
    FUTURE(int);
    bool fails;
    int out;
    struct computes one, two;
};

ASYNC(returns)
{
    ASYNC_BEGIN;
    SELECT_BIASED {
        WHEN(self->one, NEW(computes, .result = 10, .fails = self->fails)) {
            if (self->one.output < 0)
                RETURN(self->one.output);
            self->out = self->one.output;
        }
        WHEN(self->two, NEW(computes, .result = 20)) {
            self->out = self->two.output;
        }
    }
    RETURN(self->out + 1);
    ASYNC_END;
}

Test(tour_select, its_value_and_its_errors)
{
    cr_assert_eq(RUN(NEW(returns)), 11);
    cr_assert_eq(RUN(NEW(returns, .fails = true)), UV_EIO);
}

/* Patterns: a channel that is closed turns its branch off; both closed run OTHERWISE. */
struct patterns {
    FUTURE(int);
    int values, value1, value2;
    MPSC_SENDER(int) tx1;
    MPSC_SENDER(int) tx2;
    MPSC_RECEIVER(int) rx1;
    MPSC_RECEIVER(int) rx2;
    struct edo_mpsc_recv recv1, recv2;
};

ASYNC(patterns)
{
    ASYNC_BEGIN;
    cr_assert_eq(edo_mpsc(&self->tx1, &self->rx1, 128), 0);
    cr_assert_eq(edo_mpsc(&self->tx2, &self->rx2, 128), 0);
    for (int i = 1; i <= 100; i++) {
        cr_assert_eq(edo_mpsc_try_send(self->tx1, &i), 0);
        if (i <= 10)
            cr_assert_eq(edo_mpsc_try_send(self->tx2, &i), 0);
    }
    edo_mpsc_sender_drop(self->tx1);
    edo_mpsc_sender_drop(self->tx2);
    for (;;) {
        SELECT {
            WHEN_MATCH(self->recv1.output == 0, self->recv1,
                       edo_mpsc_recv(self->rx1, &self->value1)) {
                self->values += self->value1;
            }
            WHEN_MATCH(self->recv2.output == 0, self->recv2,
                       edo_mpsc_recv(self->rx2, &self->value2)) {
                self->values += self->value2;
            }
            OTHERWISE {
                RETURN(self->values);
            }
        }
    }
ASYNC_FINALLY:
    edo_mpsc_receiver_drop(self->rx1);
    edo_mpsc_receiver_drop(self->rx2);
    ASYNC_END;
}

Test(tour_select, receives_from_two_channels_until_both_are_closed)
{
    cr_assert_eq(RUN(NEW(patterns)), 5050 + 55);
}

/* Borrowing: both branches read the same data, and each handler writes the same variable, as only one of
 * them runs. */
struct shares {
    FUTURE(int);
    char data[6];
    struct edo_tcp *one, *two;
    int peers[2];
    ssize_t out;
    struct edo_write_all write1, write2;
};

ASYNC(shares)
{
    char got[6];
    ASYNC_BEGIN;
    self->one = half_raw_pair(&self->peers[0]);
    self->two = half_raw_pair(&self->peers[1]);
    memcpy(self->data, "shared", 6);
    SELECT {
        WHEN_MATCH(self->write1.output >= 0, self->write1,
                   edo_write_all(self->one, self->data, 6)) {
            self->out = read(self->peers[0], got, 6);
        }
        WHEN_MATCH(self->write2.output >= 0, self->write2,
                   edo_write_all(self->two, self->data, 6)) {
            self->out = read(self->peers[1], got, 6);
        }
    }
    cr_assert_eq(memcmp(got, "shared", 6), 0);
    RETURN((int)self->out);
ASYNC_FINALLY:
    edo_tcp_close(self->one);
    edo_tcp_close(self->two);
    close(self->peers[0]);
    close(self->peers[1]);
    ASYNC_END;
}

Test(tour_select, both_branches_may_use_the_same_data)
{
    cr_assert_eq(RUN(NEW(shares)), 6);
}

/* Resuming: one operation is kept in flight while messages are received in a loop. */
struct action {
    FUTURE(int);
    int turns;
    int *polls;
    struct edo_sleep sleep;
};

ASYNC(action)
{
    ASYNC_BEGIN;
    while (self->turns-- > 0) {
        ++*self->polls;
        AWAIT(self->sleep, edo_sleep(10));
    }
    RETURN(77);
    ASYNC_END;
}

struct sends_odd {
    FUTURE(void);
    MPSC_SENDER(int) tx;
    int count, last; /* odd numbers, and then this one */
    int n;
    struct edo_mpsc_send send;
    struct edo_sleep sleep;
};

ASYNC(sends_odd)
{
    ASYNC_BEGIN;
    for (self->n = 1; self->n < 2 * self->count; self->n += 2) {
        AWAIT(self->send, edo_mpsc_send(self->tx, &self->n));
        AWAIT(self->sleep, edo_sleep(1));
    }
    self->n = self->last;
    if (self->n != 0)
        AWAIT(self->send, edo_mpsc_send(self->tx, &self->n));
ASYNC_FINALLY:
    edo_mpsc_sender_drop(self->tx);
    ASYNC_END;
}

struct resumes {
    FUTURE(int);
    int last, n, polls, odd;
    MPSC_RECEIVER(int) rx;
    struct action operation;
    struct edo_mpsc_recv recv;
};

ASYNC(resumes)
{
    MPSC_SENDER(int) tx;
    ASYNC_BEGIN;
    cr_assert_eq(edo_mpsc(&tx, &self->rx, 128), 0);
    edo_task_detach(SPAWN(NEW(sends_odd, .tx = tx, .count = 15, .last = self->last)));
    PIN(self->operation, NEW(action, .turns = 3, .polls = &self->polls));
    for (;;) {
        SELECT {
            WHEN_REF(self->operation) {
                cr_assert_eq(self->operation.output, 77);
                break;
            }
            WHEN_MATCH(self->recv.output == 0, self->recv, edo_mpsc_recv(self->rx, &self->n)) {
                if (self->n % 2 == 0)
                    RETURN(self->n);
                self->odd++;
                continue;
            }
        }
        if (edo_future_done(&self->operation.future_))
            break;
    }
    RETURN(self->operation.output);
ASYNC_FINALLY:
    DROP(self->operation);
    edo_mpsc_receiver_drop(self->rx);
    ASYNC_END;
}

Test(tour_select, an_operation_goes_on_while_messages_are_received)
{
    /* It takes 30 ms, the messages come for 15 ms; then an even number, or the end of them. */
    cr_assert_eq(RUN_PAUSED(NEW(resumes, .last = 8)), 8);
    cr_assert_eq(RUN_PAUSED(NEW(resumes)), 77);
}

/* Modifying a branch: the operation is replaced by another when a message asks for it, and off when it is
 * done. */
struct modifies {
    FUTURE(int);
    int polls, n, rounds, completed;
    bool done;
    MPSC_RECEIVER(int) rx;
    struct action operation;
    struct edo_mpsc_recv recv;
};

ASYNC(modifies)
{
    MPSC_SENDER(int) tx;
    ASYNC_BEGIN;
    cr_assert_eq(edo_mpsc(&tx, &self->rx, 128), 0);
    cr_assert_eq(edo_mpsc_try_send(tx, &(int){1}), 0);
    edo_task_detach(SPAWN(NEW(sends_odd, .tx = tx, .count = 40, .last = 4)));
    PIN(self->operation, NEW(action, .turns = 1, .polls = &self->polls));
    for (;;) {
        SELECT {
            WHEN_REF_IF(!self->done, self->operation) {
                self->done = true;
                self->completed++;
            }
            WHEN_MATCH(self->recv.output == 0, self->recv, edo_mpsc_recv(self->rx, &self->n)) {
                if (self->n % 2 == 0 || self->n == 31) {
                    DROP(self->operation);
                    PIN(self->operation, NEW(action, .turns = 2, .polls = &self->polls));
                    self->done = false;
                    self->rounds++;
                }
            }
            OTHERWISE {
                RETURN(self->completed);
            }
        }
    }
ASYNC_FINALLY:
    DROP(self->operation);
    edo_mpsc_receiver_drop(self->rx);
    ASYNC_END;
}

Test(tour_select, an_operation_in_flight_is_replaced_by_a_message)
{
    struct edo_runtime *runtime;
    cr_assert_eq(edo_runtime_new(&runtime, .start_paused = true), 0);
    struct modifies future = NEW(modifies);
    struct baseline start = baseline();
    cr_assert_eq(edo_block_on(runtime, &future), 0);
    check_baseline(&start);
    edo_runtime_drop(runtime);
    /* The first is done at 10 ms, the one of message 31 at 15 + 20, the one of message 4 at 40 + 20. */
    cr_assert_eq(future.output, 3);
    cr_assert_eq(future.rounds, 2);
    cr_assert_eq(future.polls, 5);
}

/* pin!: a future is made in its place, and awaited there later, or by turns with another. */
struct pins {
    FUTURE(int);
    int order, polls;
    struct action slow, quick;
};

ASYNC(pins)
{
    ASYNC_BEGIN;
    PIN(self->slow, NEW(action, .turns = 3, .polls = &self->polls));
    PIN(self->quick, NEW(action, .turns = 1, .polls = &self->polls));
    while (!edo_future_done(&self->slow.future_) || !edo_future_done(&self->quick.future_)) {
        SELECT {
            WHEN_REF(self->slow) {
                self->order = self->order * 10 + 1;
            }
            WHEN_REF(self->quick) {
                self->order = self->order * 10 + 2;
            }
        }
    }
    RETURN(self->order);
ASYNC_FINALLY:
    DROP(self->slow);
    DROP(self->quick);
    ASYNC_END;
}

Test(tour_select, two_pinned_futures_by_turns)
{
    cr_assert_eq(RUN_PAUSED(NEW(pins)), 21);
}

struct pins_one {
    FUTURE(int);
    int polls;
    struct action operation;
};

ASYNC(pins_one)
{
    ASYNC_BEGIN;
    PIN(self->operation, NEW(action, .turns = 1, .polls = &self->polls));
    TRY_AWAIT_REF(self->operation);
    RETURN(self->operation.output);
ASYNC_FINALLY:
    DROP(self->operation);
    ASYNC_END;
}

Test(tour_select, one_pinned_future_awaited_by_reference)
{
    cr_assert_eq(RUN_PAUSED(NEW(pins_one)), 77);
}

/* join!, try_join!: all at once, in one task. */
struct joins {
    FUTURE(int);
    bool fails;
    int polls;
    uint64_t start;
    struct action one, two;
    struct computes three;
};

ASYNC(joins)
{
    ASYNC_BEGIN;
    self->start = edo_now();
    self->one = NEW(action, .turns = 2, .polls = &self->polls);
    self->two = NEW(action, .turns = 3, .polls = &self->polls);
    self->three = NEW(computes, .result = 5, .fails = self->fails);
    TRY_JOIN(&self->one, &self->two, &self->three);
    cr_assert_eq((edo_now() - self->start) / MS, 30);
    RETURN(self->one.output + self->two.output + self->three.output);
    ASYNC_END;
}

Test(tour_select, join_runs_all_at_once_and_try_join_ends_at_the_first_error)
{
    cr_assert_eq(RUN_PAUSED(NEW(joins)), 77 + 77 + 5);
    cr_assert_eq(RUN_PAUSED(NEW(joins, .fails = true)), UV_EIO);
}
