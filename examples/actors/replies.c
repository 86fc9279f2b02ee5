/* SPDX-License-Identifier: MIT */
/* An actor that answers. A call of its handle makes a oneshot channel, sends the one end with the
 * message, and waits at the other. */
#include "actors.h"

/* What the actor is sent. */
struct ids_message {
    ONESHOT_SENDER(unsigned) reply;
};

static void ids_message_drop(struct ids_message *message)
{
    edo_oneshot_sender_drop(message->reply);
}

/* The actor: gives out numbers, each once. */
struct ids_actor {
    FUTURE(int); /* how many it has given out */
    MPSC_RECEIVER(struct ids_message) inbox;
    struct ids_message message;
    unsigned last;
    struct edo_mpsc_recv recv;
};

static void ids_handle_message(struct ids_actor *self)
{
    unsigned id = self->last + 1;
    if (edo_oneshot_send(self->message.reply, &id) == 0)
        self->last = id; /* else who asked has given up: the next one gets it */
}

ASYNC(ids_actor)
{
    ASYNC_BEGIN;
    for (;;) {
        AWAIT(self->recv, edo_mpsc_recv(self->inbox, &self->message));
        if (self->recv.output < 0)
            RETURN((int)self->last); /* nobody has a handle any more */
        ids_handle_message(self);
    }
ASYNC_FINALLY:
    edo_mpsc_receiver_drop(self->inbox);
    ASYNC_END;
}

/* The handle: cloned for each that calls, dropped by it. */
struct ids {
    MPSC_SENDER(struct ids_message) inbox;
};

/* Makes the actor; *end is a future of its end, whose result goes to *given. 0, or UV_ENOMEM. */
static int ids_start(struct ids *ids, struct edo_join *end, int *given)
{
    MPSC_RECEIVER(struct ids_message) inbox;
    int error = edo_mpsc_with(&ids->inbox, &inbox, 8, ids_message_drop);
    if (error == 0)
        *end = edo_join(SPAWN(NEW(ids_actor, .inbox = inbox)), given);
    return error;
}

static struct ids ids_clone(struct ids ids)
{
    return (struct ids){edo_mpsc_sender_clone(ids.inbox)};
}

static void ids_drop(struct ids ids)
{
    edo_mpsc_sender_drop(ids.inbox);
}

/* A call: the next number. Dropped while it waits, at most a number is lost that nobody has seen. */
struct ids_next {
    FUTURE(int); /* 0, the number in `id`; EDO_ECLOSED: the actor has ended; UV_ENOMEM */
    struct ids ids;
    unsigned id;
    struct ids_message message;
    ONESHOT_RECEIVER(unsigned) reply;
    union {
        struct edo_mpsc_send send;
        struct edo_oneshot_recv recv;
    };
};

ASYNC(ids_next)
{
    ASYNC_BEGIN;
    self->output = edo_oneshot(&self->message.reply, &self->reply);
    if (self->output < 0)
        RETURN(self->output);
    TRY_AWAIT(self->send, edo_mpsc_send(self->ids.inbox, &self->message));
    self->message.reply = NULL; /* it went with the message */
    TRY_AWAIT(self->recv, edo_oneshot_recv(self->reply, &self->id));
    RETURN(0);
ASYNC_FINALLY:
    ids_message_drop(&self->message);
    edo_oneshot_receiver_drop(self->reply);
    ASYNC_END;
}

/* One who calls: adds up the numbers that it gets. */
struct ids_user {
    FUTURE(int);
    struct ids ids;
    int calls, sum;
    struct ids_next next;
};

ASYNC(ids_user)
{
    ASYNC_BEGIN;
    while (self->calls-- > 0) {
        TRY_AWAIT(self->next, NEW(ids_next, .ids = self->ids));
        self->sum += (int)self->next.id;
    }
    RETURN(self->sum);
ASYNC_FINALLY:
    ids_drop(self->ids);
    ASYNC_END;
}

struct replies {
    FUTURE(int);
    struct ids ids;
    int given;
    struct edo_join end; /* of the actor */
    struct ids_user one, other;
};

ASYNC(replies)
{
    ASYNC_BEGIN;
    self->output = ids_start(&self->ids, &self->end, &self->given);
    if (self->output < 0)
        RETURN(self->output);
    self->one = NEW(ids_user, .ids = ids_clone(self->ids), .calls = 2);
    self->other = NEW(ids_user, .ids = self->ids, .calls = 3);
    self->ids.inbox = NULL; /* the last handles are theirs */
    TRY_JOIN(&self->one, &self->other, &self->end);
    printf("  %d numbers given out, their sum is %d\n", self->given,
           self->one.output + self->other.output);
    RETURN(0);
ASYNC_FINALLY:
    ids_drop(self->ids);
    DROP(self->end); /* unless it was awaited: the actor goes on by itself */
    ASYNC_END;
}

JOIN_HANDLE(int) play_replies(void)
{
    return SPAWN(NEW(replies));
}
