/* SPDX-License-Identifier: MIT */
/* oneshot: whatever the two sides do at once, the message ends once, nobody waits for ever, and a waker
 * that was not cloned is not touched when its future has gone. */
#include "channels/oneshot.h"
#include "executor.h"

static EDO_ONESHOT_SENDER(int) tx;
static EDO_ONESHOT_RECEIVER(int) rx;
static int data, refused, dropped, received;

static void drop(int *message)
{
    model_assert(*message == 7);
    dropped++;
}

/* A waker on the heap, counted; without a clone it is freed when its future is done. */
struct flag {
    struct edo_waker waker;
    _Atomic(int) refs, woken;
    bool cloned;
};

static void flag_wake(struct edo_waker *waker)
{
    edo_exchange(&((struct flag *)waker)->woken, 1, release);
    model_signal(waker);
}

static struct edo_waker *flag_ref(struct edo_waker *waker)
{
    edo_fetch_add(&((struct flag *)waker)->refs, 1, relaxed);
    return waker;
}

static void flag_unref(struct edo_waker *waker)
{
    if (edo_fetch_sub(&((struct flag *)waker)->refs, 1, acq_rel) == 1)
        edo_free(waker);
}

/* Who drops a clone sees what was written when it was made. */
static struct edo_waker *flag_clone(struct edo_waker *waker)
{
    ((struct flag *)waker)->cloned = true;
    return flag_ref(waker);
}

static void flag_drop(struct edo_waker *waker)
{
    model_assert(((struct flag *)waker)->cloned);
    flag_unref(waker);
}

static void flag_finish(struct edo_waker *claimed)
{
    flag_wake(claimed);
    flag_unref(claimed);
}

/* As a task that is queued already: nothing is left for finish. */
static struct edo_waker *flag_claim_at_once(struct edo_waker *waker)
{
    flag_wake(waker);
    return NULL;
}

static const struct edo_waker_ops flag_stable = {flag_wake, flag_clone, flag_drop, flag_ref,
                                                 flag_finish};
static const struct edo_waker_ops flag_at_once = {flag_wake, flag_clone, flag_drop,
                                                  flag_claim_at_once, flag_finish};
static const struct edo_waker_ops flag_foreign = {flag_wake, flag_clone, flag_drop, NULL, NULL};

static struct flag *flag_new(const struct edo_waker_ops *ops)
{
    struct flag *flag = edo_malloc(sizeof *flag);
    flag->waker.ops = ops;
    edo_init(&flag->refs, 1);
    edo_init(&flag->woken, 0);
    flag->cloned = false;
    return flag;
}

/* Polls so many times, woken or not; then to the end (turns 0), or gives up. Whether it is ready. */
static bool pursue(struct edo_future *future, const struct edo_waker_ops *ops, int turns)
{
    struct flag *flag = flag_new(ops);
    struct edo_context cx;
    edo_context_init(&cx, &flag->waker);
    bool ready = edo_future_poll(future, &cx) == EDO_READY;
    for (int turn = 1; !ready && turn != turns; turn++) {
        if (turns == 0)
            do
                model_wait(flag);
            while (!edo_exchange(&flag->woken, 0, acquire));
        ready = edo_future_poll(future, &cx) == EDO_READY;
    }
    if (!ready)
        edo_future_drop(future, &cx);
    flag_unref(&flag->waker);
    return ready;
}

static void begin(void)
{
    model_assert(edo_oneshot_with(&tx, &rx, drop) == 0);
}

static void receive(const struct edo_waker_ops *ops, int turns)
{
    int message;
    struct edo_oneshot_recv recv = edo_oneshot_recv(rx, &message);
    if (!pursue(&recv.future_, ops, turns) || recv.output < 0)
        return;
    model_assert(message == 7 && data == 1);
    received++;
}

/* Senders. */

static void sends(void *arg)
{
    (void)arg;
    int message = 7;
    data = 1;
    if (edo_oneshot_send(tx, &message) < 0)
        refused++;
}

static void drops(void *arg)
{
    (void)arg;
    edo_oneshot_sender_drop(tx);
}

static void waits_for_the_end(const struct edo_waker_ops *ops, int turns)
{
    struct edo_oneshot_closed closed = edo_oneshot_closed(tx);
    if (pursue(&closed.future_, ops, turns)) {
        model_assert(edo_oneshot_is_closed(tx));
        model_assert(data == 1);
    }
}

static void waits_stable(void *arg)
{
    (void)arg;
    waits_for_the_end(&flag_stable, 0);
    edo_oneshot_sender_drop(tx);
}

static void waits_foreign(void *arg)
{
    (void)arg;
    waits_for_the_end(&flag_foreign, 0);
    edo_oneshot_sender_drop(tx);
}

static void looks_stable(void *arg)
{
    (void)arg;
    waits_for_the_end(&flag_stable, 2);
    edo_oneshot_sender_drop(tx);
}

static void looks_at_once(void *arg)
{
    (void)arg;
    waits_for_the_end(&flag_at_once, 2);
    edo_oneshot_sender_drop(tx);
}

static void looks_foreign(void *arg)
{
    (void)arg;
    waits_for_the_end(&flag_foreign, 2);
    edo_oneshot_sender_drop(tx);
}

/* The message, by each kind of waiting. */
static void run(void (*sender)(void *), const struct edo_waker_ops *ops, int turns)
{
    begin();
    model_thread(sender, NULL);
    receive(ops, turns);
    edo_oneshot_receiver_drop(rx);
    model_join_all();
    model_outcome(received, refused, dropped);
}

MODEL(oneshot_stable, .outcomes = "100")
{
    run(sends, &flag_stable, 0);
}

MODEL(oneshot_foreign, .outcomes = "100")
{
    run(sends, &flag_foreign, 0);
}

MODEL(oneshot_sender_dropped, .outcomes = "000")
{
    run(drops, &flag_stable, 0);
}

/* Polled unasked, perhaps while its waker is claimed, and given up. */
MODEL(oneshot_unasked_stable, .outcomes = "001 010 100")
{
    run(sends, &flag_stable, 2);
}

MODEL(oneshot_unasked_at_once, .outcomes = "001 010 100")
{
    run(sends, &flag_at_once, 2);
}

MODEL(oneshot_unasked_foreign, .outcomes = "001 010 100")
{
    run(sends, &flag_foreign, 2);
}

MODEL(oneshot_cancelled, .outcomes = "001 010 100")
{
    run(sends, &flag_stable, 1);
}

/* The next poll comes with another waker. */
MODEL(oneshot_rekept, .outcomes = "100")
{
    begin();
    model_thread(sends, NULL);
    struct executor *first = executor_new(), *second = executor_new();
    int message;
    struct edo_oneshot_recv recv = edo_oneshot_recv(rx, &message);
    if (executor_poll(first, &recv.future_) == EDO_PENDING)
        executor_run(second, &recv.future_);
    received = recv.output == 0 && data == 1;
    edo_oneshot_receiver_drop(rx);
    model_join_all();
    model_assert(edo_load(&first->clones, relaxed) == 0);
    model_assert(edo_load(&second->clones, relaxed) == 0);
    model_outcome(received, refused, dropped);
}

MODEL(oneshot_in_task)
{
    begin();
    struct edo_runtime *runtime = runtime_new();
    model_thread(sends, NULL);
    int message;
    struct edo_oneshot_recv recv = edo_oneshot_recv(rx, &message);
    model_assert(edo_block_on(runtime, &recv) == 0);
    model_assert(recv.output == 0 && data == 1);
    edo_oneshot_receiver_drop(rx);
    edo_runtime_drop(runtime);
}

/* A thread without an executor. */
MODEL(oneshot_blocking)
{
    begin();
    model_thread(sends, NULL);
    int message;
    model_assert(edo_oneshot_blocking_recv(rx, &message) == 0);
    model_assert(message == 7 && data == 1);
    edo_oneshot_receiver_drop(rx);
}

/* A task is dropped with its runtime while it waits. */
struct owns {
    EDO_FUTURE(int);
    struct edo_oneshot_recv recv;
    int message;
};

static enum edo_poll owns_poll(struct edo_future *future, struct edo_context *cx)
{
    struct owns *self = (struct owns *)future;
    if (future->state == EDO_STATE_FRESH) {
        self->recv = edo_oneshot_recv(rx, &self->message);
        future->state = 1;
    }
    if (cx->walk == EDO_WALK_DROP)
        edo_future_drop(&self->recv.future_, cx);
    else if (edo_future_poll(&self->recv.future_, cx) == EDO_PENDING)
        return EDO_PENDING;
    received = edo_future_done(&self->recv.future_) && cx->walk == EDO_WALK_POLL;
    edo_oneshot_receiver_drop(rx);
    return EDO_READY;
}

static void spawn_owner(struct edo_waker *waker, void *arg)
{
    (void)waker;
    (void)arg;
    edo_task_detach(SPAWN(EDO_NEW(owns)));
}

MODEL(oneshot_at_shutdown, .outcomes = "001 010 100")
{
    static _Atomic(int) nothing;
    begin();
    struct edo_runtime *runtime = runtime_new();
    model_thread(sends, NULL);
    struct until future = EDO_NEW(until, .done = &nothing, .turns = 1, .begin = spawn_owner);
    model_assert(edo_block_on(runtime, &future) == 0);
    edo_runtime_drop(runtime);
    model_join_all();
    model_outcome(received, refused, dropped);
}

/* The receiver's end, by closing or by going. */
static void end(void (*sender)(void *), bool close)
{
    begin();
    model_thread(sender, NULL);
    if (sender != sends)
        data = 1;
    if (close) {
        edo_oneshot_close(rx);
        int message;
        received = edo_oneshot_try_recv(rx, &message) == 0;
        model_assert(!received || (message == 7 && data == 1));
    }
    edo_oneshot_receiver_drop(rx);
    model_join_all();
    model_outcome(received, refused, dropped);
}

MODEL(oneshot_sent_and_dropped, .outcomes = "001 010")
{
    end(sends, false);
}

MODEL(oneshot_sent_and_closed, .outcomes = "010 100")
{
    end(sends, true);
}

MODEL(oneshot_both_dropped, .outcomes = "000")
{
    end(drops, false);
}

MODEL(oneshot_closed_stable, .outcomes = "000")
{
    end(waits_stable, true);
}

MODEL(oneshot_closed_foreign, .outcomes = "000")
{
    end(waits_foreign, true);
}

MODEL(oneshot_closed_by_drop, .outcomes = "000")
{
    end(waits_stable, false);
}

MODEL(oneshot_closed_unasked_stable, .outcomes = "000")
{
    end(looks_stable, false);
}

MODEL(oneshot_closed_unasked_at_once, .outcomes = "000")
{
    end(looks_at_once, false);
}

MODEL(oneshot_closed_unasked_foreign, .outcomes = "000")
{
    end(looks_foreign, false);
}

/* Both sides give up what they wait for, and go. */
static void both(const struct edo_waker_ops *ops)
{
    begin();
    model_thread(ops == &flag_stable ? looks_stable : looks_foreign, NULL);
    data = 1;
    receive(ops, 1);
    edo_oneshot_receiver_drop(rx);
}

MODEL(oneshot_both_wait_stable)
{
    both(&flag_stable);
}

MODEL(oneshot_both_wait_foreign)
{
    both(&flag_foreign);
}

/* The receiver's own future waits while it closes, and the sender sends or goes. */

static void close_while_waiting(void (*sender)(void *), const struct edo_waker_ops *ops)
{
    begin();
    model_thread(sender, NULL);
    struct flag *flag = flag_new(ops);
    struct edo_context cx;
    edo_context_init(&cx, &flag->waker);
    int message;
    struct edo_oneshot_recv recv = edo_oneshot_recv(rx, &message);
    if (edo_future_poll(&recv.future_, &cx) == EDO_PENDING) {
        edo_oneshot_close(rx);
        do
            model_wait(flag);
        while (!edo_exchange(&flag->woken, 0, acquire));
        model_assert(edo_future_poll(&recv.future_, &cx) == EDO_READY);
    }
    received = recv.output == 0;
    model_assert(!received || (message == 7 && data == 1));
    flag_unref(&flag->waker);
    edo_oneshot_receiver_drop(rx);
    model_join_all();
    model_outcome(received, refused, dropped);
}

MODEL(oneshot_close_wakes_stable, .outcomes = "010 100")
{
    close_while_waiting(sends, &flag_stable);
}

MODEL(oneshot_close_wakes_foreign, .outcomes = "010 100")
{
    close_while_waiting(sends, &flag_foreign);
}

MODEL(oneshot_close_and_sender_dropped, .outcomes = "000")
{
    close_while_waiting(drops, &flag_foreign);
}
