/* SPDX-License-Identifier: MIT */
/* Every await of the actors is cancelled, at each point where it can be suspended; and what must hold of
 * each scene holds in every order of the SELECTs. */
#include "support/sweep.h"

#include <criterion/criterion.h>
#include <signal.h>

/* The scenes' own futures, what they export under another name: the parts are linked as well. */
JOIN_HANDLE(int) sweep_replies(void);
JOIN_HANDLE(int) sweep_no_replies(void);
JOIN_HANDLE(int) sweep_two_handles(void);
JOIN_HANDLE(int) sweep_shared_handle(void);
JOIN_HANDLE(int) sweep_peers(void);
JOIN_HANDLE(int) sweep_cycle(void);
int sweep_actors(int argc, char **argv);
#define main               sweep_actors
#define play_replies       sweep_replies
#define play_no_replies    sweep_no_replies
#define play_two_handles   sweep_two_handles
#define play_shared_handle sweep_shared_handle
#define play_peers         sweep_peers
#define play_cycle         sweep_cycle
#include "examples/actors/replies.c"
#include "examples/actors/no_replies.c"
#include "examples/actors/two_handles.c"
#include "examples/actors/shared_handle.c"
#include "examples/actors/peers.c"
#include "examples/actors/cycle.c"
#include "examples/actors/main.c"
#undef main

static void replies_ended(void *data, const void *frame, bool completed)
{
    const struct replies *replies = frame;
    (void)data;
    if (completed) {
        cr_assert_eq(replies->output, 0);
        cr_assert_eq(replies->given, 5);
        cr_assert_eq(replies->one.output + replies->other.output, 1 + 2 + 3 + 4 + 5);
    }
}

Test(actors_sweep, replies)
{
    SWEEP(NEW(replies), .ended = replies_ended);
    sweep_covered("examples/actors/replies.c");
}

/* A call that is given up while it waits uses up no number. */
Test(actors_sweep, an_id_that_nobody_waits_for_is_given_to_the_next)
{
    struct ids_actor actor = NEW(ids_actor, .last = 4);
    ONESHOT_RECEIVER(unsigned) reply;
    cr_assert_eq(edo_oneshot(&actor.message.reply, &reply), 0);
    edo_oneshot_receiver_drop(reply);
    ids_handle_message(&actor);
    cr_assert_eq(actor.last, 4);
    unsigned id = 0;
    cr_assert_eq(edo_oneshot(&actor.message.reply, &reply), 0);
    ids_handle_message(&actor);
    cr_assert_eq(edo_oneshot_try_recv(reply, &id), 0);
    cr_assert_eq(id, 5);
    edo_oneshot_receiver_drop(reply);
}

static void no_replies_ended(void *data, const void *frame, bool completed)
{
    const struct no_replies *scene = frame;
    (void)data;
    if (completed) {
        cr_assert_eq(scene->output, 0);
        cr_assert_eq(scene->taken, 5);
        cr_assert_eq(scene->written, 5);
        cr_assert_eq(scene->log.lost, 0);
    }
}

Test(actors_sweep, no_replies)
{
    SWEEP(NEW(no_replies), .ended = no_replies_ended);
    sweep_covered("examples/actors/no_replies.c");
}

static void two_handles_ended(void *data, const void *frame, bool completed)
{
    const struct two_handles *scene = frame;
    (void)data;
    if (completed) {
        cr_assert_eq(scene->output, 0);
        cr_assert_eq(scene->count, 7);
        cr_assert_eq(scene->ask.mean, 21, "%d", scene->ask.mean);
    }
}

Test(actors_sweep, two_handles)
{
    SWEEP(NEW(two_handles), .ended = two_handles_ended);
    sweep_covered("examples/actors/two_handles.c");
}

static void shared_handle_begin(void *data, void *frame, struct edo_runtime *runtime)
{
    (void)frame;
    (void)runtime;
    *(uint64_t *)data = edo_now();
}

static void shared_handle_ended(void *data, const void *frame, bool completed)
{
    const struct shared_handle *scene = frame;
    if (completed) {
        cr_assert_eq(scene->output, 0);
        cr_assert_eq(scene->rung, 2, "an alarm keeps its clock alive");
        cr_assert_lt(edo_now() - *(uint64_t *)data, 3600000 * UINT64_C(1000000));
    }
}

/* An alarm that goes off while the clock's inbox is full. */
struct timer_scene {
    MPSC_SENDER(struct clock_message) tx;
    MPSC_RECEIVER(struct clock_message) rx;
    struct clock_message message;
};

static void timer_begin(void *data, void *frame, struct edo_runtime *runtime)
{
    struct timer_scene *scene = data;
    (void)runtime;
    cr_assert_eq(edo_mpsc(&scene->tx, &scene->rx, 1), 0);
    cr_assert_eq(edo_mpsc_try_send(scene->tx, &scene->message), 0);
    ((struct clock_timer *)frame)->weak = edo_mpsc_downgrade(scene->tx);
}

static void timer_suspended(void *data, void *frame, unsigned n)
{
    struct timer_scene *scene = data;
    (void)frame;
    if (n == 2)
        cr_assert_eq(edo_mpsc_try_recv(scene->rx, &scene->message), 0);
}

static void timer_ended(void *data, const void *frame, bool completed)
{
    struct timer_scene *scene = data;
    (void)frame;
    if (completed) {
        cr_assert_eq(edo_mpsc_try_recv(scene->rx, &scene->message), 0);
        cr_assert_eq(scene->message.kind, CLOCK_RING);
    }
    edo_mpsc_sender_drop(scene->tx);
    edo_mpsc_receiver_drop(scene->rx);
}

Test(actors_sweep, shared_handle)
{
    SWEEP(NEW(clock_timer, .ms = 1, .ring = {.kind = CLOCK_RING}),
          .data_size = sizeof(struct timer_scene), .begin = timer_begin,
          .suspended = timer_suspended, .ended = timer_ended);
    SWEEP(NEW(shared_handle), .data_size = sizeof(uint64_t), .begin = shared_handle_begin,
          .ended = shared_handle_ended);
    sweep_covered("examples/actors/shared_handle.c");
}

static void peers_ended(void *data, const void *frame, bool completed)
{
    const struct peers *scene = frame;
    (void)data;
    if (completed) {
        cr_assert_eq(scene->output, 0);
        cr_assert_eq(scene->hits[0], 5);
        cr_assert_eq(scene->hits[1], 5);
    }
}

/* A player whose ball finds no room at the other's, until it is over. */
struct player_scene {
    MPSC_RECEIVER(struct ball) other;
    MPSC_SENDER(struct ball) inbox;
    struct edo_cancellation_token *over;
};

static void player_begin(void *data, void *frame, struct edo_runtime *runtime)
{
    struct player_scene *scene = data;
    struct player *player = frame;
    (void)runtime;
    cr_assert_eq(edo_mpsc(&scene->inbox, &player->inbox, 1), 0);
    cr_assert_eq(edo_mpsc(&player->other, &scene->other, 1), 0);
    cr_assert_eq(edo_mpsc_try_send(scene->inbox, &(struct ball){1}), 0);
    cr_assert_eq(edo_mpsc_try_send(player->other, &(struct ball){1}), 0);
    scene->over = edo_cancellation_token_new();
    cr_assert_not_null(scene->over);
    player->over = edo_cancellation_token_clone(scene->over);
}

static void player_suspended(void *data, void *frame, unsigned n)
{
    (void)n;
    if (((struct player *)frame)->hits == 1)
        edo_cancellation_token_cancel(((struct player_scene *)data)->over);
}

static void player_ended(void *data, const void *frame, bool completed)
{
    struct player_scene *scene = data;
    if (completed)
        cr_assert_eq(((const struct player *)frame)->output, 1);
    edo_mpsc_receiver_drop(scene->other);
    edo_mpsc_sender_drop(scene->inbox);
    edo_cancellation_token_drop(scene->over);
}

Test(actors_sweep, peers)
{
    SWEEP(NEW(player), .data_size = sizeof(struct player_scene), .begin = player_begin,
          .suspended = player_suspended, .ended = player_ended);
    SWEEP(NEW(peers), .ended = peers_ended);
    sweep_covered("examples/actors/peers.c");
}

static void cycle_ended(void *data, const void *frame, bool completed)
{
    (void)data;
    if (completed)
        cr_assert_eq(((const struct cycle *)frame)->output, 0);
}

Test(actors_sweep, cycle)
{
    SWEEP(NEW(cycle), .ended = cycle_ended);
    sweep_covered("examples/actors/cycle.c");
}

/* One way of the circle, and what becomes of it within an hour. */
struct one_way {
    FUTURE(int);
    struct cycle cycle;
    struct edo_timeout timeout;
};

ASYNC(one_way)
{
    ASYNC_BEGIN;
    cr_assert_eq(cycle_start(&self->cycle), 0);
    AWAIT(self->timeout, edo_timeout(HOUR, &self->cycle.chief));
    RETURN(self->timeout.output < 0 ? self->timeout.output : self->cycle.chief.output);
ASYNC_FINALLY:
    edo_task_detach(self->cycle.worker);
    ASYNC_END;
}

static int go(enum way way)
{
    struct edo_runtime *runtime;
    struct one_way one_way = NEW(one_way, .cycle = {.way = way});
    cr_assert_eq(edo_runtime_new(&runtime, .start_paused = true), 0);
    cr_assert_eq(edo_block_on(runtime, &one_way), 0);
    edo_runtime_drop(runtime);
    return one_way.output;
}

Test(actors_sweep, bounded_channels_in_a_circle_get_stuck)
{
    cr_assert_eq(go(BOTH_WAIT), UV_ETIMEDOUT);
}

Test(actors_sweep, a_circle_with_one_side_that_does_not_wait_does_not)
{
    for (int i = 0; i < 100; i++) {
        cr_assert_eq(go(UNBOUNDED_BACK), 91);
        cr_assert_eq(go(TRIES_BACK), 91);
        cr_assert_eq(go(RECEIVES_MEANWHILE), 91);
    }
}

static void actors_ended(void *data, const void *frame, bool completed)
{
    (void)data;
    if (completed)
        cr_assert_eq(((const struct actors *)frame)->output, 0);
}

Test(actors_sweep, the_program)
{
    SWEEP(NEW(actors), .ended = actors_ended);
    sweep_covered("examples/actors/main.c");
}
