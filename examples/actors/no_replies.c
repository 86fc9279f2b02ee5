/* SPDX-License-Identifier: MIT */
/* An actor that does not answer. A call of its handle is a plain function: it sends without waiting, and
 * says so when the channel is full. What then is for the caller to decide: to wait after all, to try
 * again, or, as here, to do without, and to count what was lost. */
#include "actors.h"

struct log_message {
    unsigned lost; /* before this one */
    char text[56];
};

/* The actor: writes lines, slowly. */
struct log_actor {
    FUTURE(int); /* how many it has written */
    MPSC_RECEIVER(struct log_message) inbox;
    struct log_message message;
    int written;
    union {
        struct edo_mpsc_recv recv;
        struct edo_sleep disk;
    };
};

ASYNC(log_actor)
{
    ASYNC_BEGIN;
    for (;;) {
        AWAIT(self->recv, edo_mpsc_recv(self->inbox, &self->message));
        if (self->recv.output < 0)
            RETURN(self->written); /* the log is closed, and all that was taken has been written */
        TRY_AWAIT(self->disk, edo_sleep(10));
        if (self->message.lost > 0)
            printf("  (%u lines are missing)\n", self->message.lost);
        printf("  %s\n", self->message.text);
        self->written++;
    }
ASYNC_FINALLY:
    edo_mpsc_receiver_drop(self->inbox);
    ASYNC_END;
}

/* The handle, of one task; a clone of it would count its own losses. */
struct log {
    MPSC_SENDER(struct log_message) inbox;
    unsigned lost;
};

static int log_start(struct log *log, struct edo_join *end, int *written)
{
    MPSC_RECEIVER(struct log_message) inbox;
    int error = edo_mpsc(&log->inbox, &inbox, 4);
    log->lost = 0;
    if (error == 0)
        *end = edo_join(SPAWN(NEW(log_actor, .inbox = inbox)), written);
    return error;
}

static void log_close(struct log *log)
{
    edo_mpsc_sender_drop(log->inbox);
    log->inbox = NULL;
}

/* 0; UV_EAGAIN: the actor does not keep up, the line is lost; EDO_ECLOSED: it has ended. */
static int log_line(struct log *log, const char *text, int number)
{
    struct log_message message = {.lost = log->lost};
    snprintf(message.text, sizeof message.text, "%s %d", text, number);
    int error = edo_mpsc_try_send(log->inbox, &message);
    log->lost = error == 0 ? 0 : log->lost + 1;
    return error;
}

struct no_replies {
    FUTURE(int);
    struct log log;
    int taken, written;
    struct edo_join end; /* of the actor */
    struct edo_sleep sleep;
};

ASYNC(no_replies)
{
    ASYNC_BEGIN;
    self->output = log_start(&self->log, &self->end, &self->written);
    if (self->output < 0)
        RETURN(self->output);
    for (int i = 1; i <= 10; i++) /* a burst: the actor has not had its turn yet */
        self->taken += log_line(&self->log, "burst", i) == 0;
    TRY_AWAIT(self->sleep, edo_sleep(1000));
    self->taken += log_line(&self->log, "later", 1) == 0;
    log_close(&self->log);
    TRY_JOIN(&self->end);
    printf("  %d lines of 11 were taken, %d are written\n", self->taken, self->written);
    RETURN(0);
ASYNC_FINALLY:
    log_close(&self->log);
    DROP(self->end);
    ASYNC_END;
}

JOIN_HANDLE(int) play_no_replies(void)
{
    return SPAWN(NEW(no_replies));
}
