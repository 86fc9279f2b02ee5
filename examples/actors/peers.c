/* SPDX-License-Identifier: MIT */
/* Two actors that send to each other. Each has a handle of the other, so neither channel is ever closed,
 * whoever else drops theirs: both would wait for ever. Something else has to say that it is over: a
 * token. Each looks at it where it waits, and finishes what it has begun; with an actor its handle of the
 * other goes, so that one would have been enough to tell.
 *
 * Each waits for the other's channel, too. They do not get stuck, because there is one ball, and room
 * for it; cycle.c has what happens otherwise. */
#include "actors.h"

struct ball {
    int hits;
};

struct player {
    FUTURE(int); /* how often it has hit the ball */
    MPSC_RECEIVER(struct ball) inbox;
    MPSC_SENDER(struct ball) other;
    struct edo_cancellation_token *over; /* a handle of its own */
    struct ball ball;
    int hits;
    struct edo_cancelled cancelled;
    struct edo_mpsc_recv recv;
    struct edo_sleep swing;
    struct edo_mpsc_send send;
    struct edo_run_until_cancelled until;
};

ASYNC(player)
{
    ASYNC_BEGIN;
    for (;;) {
        SELECT_BIASED {
            WHEN(self->cancelled, edo_cancelled(self->over)) {
                RETURN(self->hits);
            }
            WHEN(self->recv, edo_mpsc_recv(self->inbox, &self->ball)) {
                if (self->recv.output < 0)
                    RETURN(self->hits);                /* the other has left, without the token */
                TRY_AWAIT(self->swing, edo_sleep(10)); /* begun is finished */
                self->hits++;
                self->ball.hits++;
                /* To wait for room could last: not beyond the end. */
                self->send = edo_mpsc_send(self->other, &self->ball);
                AWAIT(self->until, edo_run_until_cancelled(self->over, &self->send));
            }
        }
    }
ASYNC_FINALLY:
    edo_mpsc_sender_drop(self->other);
    edo_mpsc_receiver_drop(self->inbox);
    edo_cancellation_token_drop(self->over);
    ASYNC_END;
}

struct peers {
    FUTURE(int);
    struct edo_cancellation_token *over;
    struct edo_join ends[2];
    int hits[2];
    struct edo_sleep sleep;
};

/* Two channels, two players with their ends crossed, and a ball. */
static int peers_start(struct peers *self)
{
    MPSC_SENDER(struct ball) to_left, to_right = NULL;
    MPSC_RECEIVER(struct ball) left, right = NULL;
    int error = edo_mpsc(&to_left, &left, 1);
    if (error == 0)
        error = edo_mpsc(&to_right, &right, 1);
    self->over = edo_cancellation_token_new();
    if (error < 0 || self->over == NULL) {
        edo_mpsc_sender_drop(to_left);
        edo_mpsc_sender_drop(to_right);
        edo_mpsc_receiver_drop(left);
        edo_mpsc_receiver_drop(right);
        return UV_ENOMEM;
    }
    edo_mpsc_try_send(to_left, &(struct ball){0});
    self->ends[0] = edo_join(SPAWN(NEW(player, .inbox = left, .other = to_right,
                                       .over = edo_cancellation_token_clone(self->over))),
                             &self->hits[0]);
    self->ends[1] = edo_join(SPAWN(NEW(player, .inbox = right, .other = to_left,
                                       .over = edo_cancellation_token_clone(self->over))),
                             &self->hits[1]);
    return 0;
}

ASYNC(peers)
{
    ASYNC_BEGIN;
    self->output = peers_start(self);
    if (self->output < 0)
        RETURN(self->output);
    TRY_AWAIT(self->sleep, edo_sleep(95)); /* in the middle of the tenth swing */
    edo_cancellation_token_cancel(self->over);
    TRY_JOIN(&self->ends[0], &self->ends[1]);
    printf("  %d hits, and both have left\n", self->hits[0] + self->hits[1]);
    RETURN(0);
ASYNC_FINALLY:
    DROP(self->ends[0]);
    DROP(self->ends[1]);
    edo_cancellation_token_drop(self->over);
    ASYNC_END;
}

JOIN_HANDLE(int) play_peers(void)
{
    return SPAWN(NEW(peers));
}
