/* SPDX-License-Identifier: MIT */
/* Handles of two kinds to one actor, a channel for each: a probe may only report, a panel may only ask,
 * and neither can be taken for the other. The actor waits at both; a channel whose handles are all gone
 * is out of the SELECT, and when both are the actor ends.
 *
 * Two channels have no common order: that a panel hears what was reported before it asked is so because
 * reports are looked at first. Where they could come without end, questions would starve: there, SELECT
 * without BIASED, or one channel of a struct that says which kind it is. */
#include "actors.h"

struct meter_question {
    ONESHOT_SENDER(int) mean;
};

static void meter_question_drop(struct meter_question *question)
{
    edo_oneshot_sender_drop(question->mean);
}

/* The actor: keeps the mean of what is reported. */
struct meter {
    FUTURE(int); /* how many reports there were */
    MPSC_RECEIVER(int) reports;
    MPSC_RECEIVER(struct meter_question) questions;
    int report, count, sum, mean;
    struct meter_question question;
    struct edo_mpsc_recv next_report, next_question;
};

ASYNC(meter)
{
    ASYNC_BEGIN;
    for (;;) {
        SELECT_BIASED {
            WHEN_MATCH(self->next_report.output == 0, self->next_report,
                       edo_mpsc_recv(self->reports, &self->report)) {
                self->sum += self->report;
                self->count++;
            }
            WHEN_MATCH(self->next_question.output == 0, self->next_question,
                       edo_mpsc_recv(self->questions, &self->question)) {
                self->mean = self->count > 0 ? self->sum / self->count : 0;
                edo_oneshot_send(self->question.mean, &self->mean);
            }
            OTHERWISE {
                RETURN(self->count);
            }
        }
    }
ASYNC_FINALLY:
    edo_mpsc_receiver_drop(self->reports);
    edo_mpsc_receiver_drop(self->questions);
    ASYNC_END;
}

/* The handles. */
struct probe {
    MPSC_SENDER(int) reports;
};
struct panel {
    MPSC_SENDER(struct meter_question) questions;
};

static int meter_start(struct probe *probe, struct panel *panel, struct edo_join *end, int *count)
{
    MPSC_RECEIVER(int) reports;
    MPSC_RECEIVER(struct meter_question) questions = NULL;
    int error = edo_mpsc(&probe->reports, &reports, 4);
    if (error == 0)
        error = edo_mpsc_with(&panel->questions, &questions, 1, meter_question_drop);
    if (error == 0)
        *end = edo_join(SPAWN(NEW(meter, .reports = reports, .questions = questions)), count);
    else
        edo_mpsc_receiver_drop(reports);
    return error;
}

static void probe_drop(struct probe *probe)
{
    edo_mpsc_sender_drop(probe->reports);
    probe->reports = NULL;
}

static void panel_drop(struct panel *panel)
{
    edo_mpsc_sender_drop(panel->questions);
    panel->questions = NULL;
}

/* The call of each. A report waits for room, and for nothing else. */
static struct edo_mpsc_send probe_report(struct probe *probe, const int *report)
{
    return edo_mpsc_send(probe->reports, report);
}

struct panel_ask {
    FUTURE(int); /* 0, what was asked in `mean`; EDO_ECLOSED, UV_ENOMEM */
    struct panel *panel;
    int mean;
    struct meter_question question;
    ONESHOT_RECEIVER(int) reply;
    union {
        struct edo_mpsc_send send;
        struct edo_oneshot_recv recv;
    };
};

ASYNC(panel_ask)
{
    ASYNC_BEGIN;
    self->output = edo_oneshot(&self->question.mean, &self->reply);
    if (self->output < 0)
        RETURN(self->output);
    TRY_AWAIT(self->send, edo_mpsc_send(self->panel->questions, &self->question));
    self->question.mean = NULL;
    TRY_AWAIT(self->recv, edo_oneshot_recv(self->reply, &self->mean));
    RETURN(0);
ASYNC_FINALLY:
    meter_question_drop(&self->question);
    edo_oneshot_receiver_drop(self->reply);
    ASYNC_END;
}

struct two_handles {
    FUTURE(int);
    struct probe probe;
    struct panel panel;
    int celsius, count;
    struct edo_join end; /* of the meter */
    union {
        struct edo_mpsc_send report;
        struct panel_ask ask;
    };
};

ASYNC(two_handles)
{
    ASYNC_BEGIN;
    self->output = meter_start(&self->probe, &self->panel, &self->end, &self->count);
    if (self->output < 0)
        RETURN(self->output);
    for (self->celsius = 18; self->celsius <= 24; self->celsius++)
        TRY_AWAIT(self->report, probe_report(&self->probe, &self->celsius));
    probe_drop(&self->probe); /* the panel is still served */
    TRY_AWAIT(self->ask, NEW(panel_ask, .panel = &self->panel));
    panel_drop(&self->panel);
    TRY_JOIN(&self->end);
    printf("  the mean of %d reports is %d\n", self->count, self->ask.mean);
    RETURN(0);
ASYNC_FINALLY:
    probe_drop(&self->probe);
    panel_drop(&self->panel);
    DROP(self->end);
    ASYNC_END;
}

JOIN_HANDLE(int) play_two_handles(void)
{
    return SPAWN(NEW(two_handles));
}
