/* SPDX-License-Identifier: MIT */
/* A handle that several share, the actor among them. An actor ends when the last handle of it is gone,
 * so one that kept a handle of itself, or gave one to each task that it starts, would never end: these
 * are weak. They are made into a handle when there is something to send, and that fails when nobody
 * else has one any more. */
#include "actors.h"

struct clock_message {
    enum clock_kind { CLOCK_SET, CLOCK_RING } kind;
    uint64_t ms;      /* of SET */
    const char *text; /* outlives it */
};

/* What the actor starts for each alarm: sends a message to it, later. */
struct clock_timer {
    FUTURE(int);
    uint64_t ms;
    struct clock_message ring;
    MPSC_WEAK_SENDER(struct clock_message) weak;
    MPSC_SENDER(struct clock_message) inbox;
    union {
        struct edo_sleep sleep;
        struct edo_mpsc_send send;
    };
};

ASYNC(clock_timer)
{
    ASYNC_BEGIN;
    TRY_AWAIT(self->sleep, edo_sleep(self->ms));
    self->inbox = edo_mpsc_upgrade(self->weak);
    if (self->inbox == NULL)
        RETURN(0); /* the clock has ended, or is about to */
    TRY_AWAIT(self->send, edo_mpsc_send(self->inbox, &self->ring));
    RETURN(0);
ASYNC_FINALLY:
    edo_mpsc_sender_drop(self->inbox);
    edo_mpsc_weak_sender_drop(self->weak);
    ASYNC_END;
}

/* The actor: an alarm clock. */
struct clock_actor {
    FUTURE(int); /* how often it rang */
    MPSC_RECEIVER(struct clock_message) inbox;
    MPSC_WEAK_SENDER(struct clock_message) own;
    struct clock_message message;
    int rung;
    struct edo_mpsc_recv recv;
};

static void clock_handle_message(struct clock_actor *self)
{
    switch (self->message.kind) {
    case CLOCK_SET:
        SPAWN_DETACHED(NEW(clock_timer, .ms = self->message.ms,
                           .ring = {.kind = CLOCK_RING, .text = self->message.text},
                           .weak = edo_mpsc_weak_sender_clone(self->own)));
        break;
    case CLOCK_RING:
        printf("  it rings: %s\n", self->message.text);
        self->rung++;
        break;
    }
}

ASYNC(clock_actor)
{
    ASYNC_BEGIN;
    for (;;) {
        AWAIT(self->recv, edo_mpsc_recv(self->inbox, &self->message));
        if (self->recv.output < 0)
            RETURN(self->rung);
        clock_handle_message(self);
    }
ASYNC_FINALLY:
    edo_mpsc_weak_sender_drop(self->own);
    edo_mpsc_receiver_drop(self->inbox);
    ASYNC_END;
}

/* The handle. */
struct clock {
    MPSC_SENDER(struct clock_message) inbox;
};

static int clock_start(struct clock *clock, struct edo_join *end, int *rung)
{
    MPSC_RECEIVER(struct clock_message) inbox;
    int error = edo_mpsc(&clock->inbox, &inbox, 8);
    if (error == 0)
        *end = edo_join(
            SPAWN(NEW(clock_actor, .inbox = inbox, .own = edo_mpsc_downgrade(clock->inbox))), rung);
    return error;
}

static struct clock clock_clone(struct clock clock)
{
    return (struct clock){edo_mpsc_sender_clone(clock.inbox)};
}

static void clock_drop(struct clock clock)
{
    edo_mpsc_sender_drop(clock.inbox);
}

/* One who shares it: sets an alarm, and stays for a while. */
struct clock_user {
    FUTURE(int);
    struct clock clock;
    struct clock_message set;
    union {
        struct edo_mpsc_send send;
        struct edo_sleep stay;
    };
};

ASYNC(clock_user)
{
    ASYNC_BEGIN;
    TRY_AWAIT(self->send, edo_mpsc_send(self->clock.inbox, &self->set));
    TRY_AWAIT(self->stay, edo_sleep(1000));
    RETURN(0);
ASYNC_FINALLY:
    clock_drop(self->clock);
    ASYNC_END;
}

struct shared_handle {
    FUTURE(int);
    struct clock clock;
    int rung;
    struct edo_join end; /* of the actor */
    struct clock_user tea, rice, guests;
};

ASYNC(shared_handle)
{
    ASYNC_BEGIN;
    self->output = clock_start(&self->clock, &self->end, &self->rung);
    if (self->output < 0)
        RETURN(self->output);
    self->rice = NEW(clock_user, .clock = clock_clone(self->clock), .set = {CLOCK_SET, 30, "rice"});
    self->tea = NEW(clock_user, .clock = clock_clone(self->clock), .set = {CLOCK_SET, 20, "tea"});
    self->guests = NEW(clock_user, .clock = self->clock, .set = {CLOCK_SET, 3600000, "guests"});
    self->clock.inbox = NULL; /* the last handles are theirs */
    TRY_JOIN(&self->rice, &self->tea, &self->guests, &self->end);
    printf("  it rang %d times, and does not wait for the guests\n", self->rung);
    RETURN(0);
ASYNC_FINALLY:
    clock_drop(self->clock);
    DROP(self->end);
    ASYNC_END;
}

JOIN_HANDLE(int) play_shared_handle(void)
{
    return SPAWN(NEW(shared_handle));
}
