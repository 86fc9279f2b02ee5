/* SPDX-License-Identifier: MIT */
/* The state word of a multi-thread runtime's task, alone. What it orders are plain fields: a poll counts itself, a wake
 * has something to say. Whoever is told to put the task into a queue takes it out and polls it. */
#include "runtime/task_state.h"
#include "tests/model/model.h"

struct word {
    edo_task_state state;
    int polls;         /* who has LINKED */
    _Atomic(int) said; /* before a wake */
    int heard;         /* by the latest poll */
    int outcome;       /* before COMPLETE; its handle's, after it */
    int *joiner;       /* with JOINER: whom the end tells */
    bool cancelled;    /* by a poll that found it aborted */
};

static struct word *word_new(bool linked)
{
    struct word *word = edo_calloc(1, sizeof *word);
    edo_task_state_init(&word->state, linked, false);
    return word;
}

static void let_go(struct word *word, uint32_t given)
{
    if (edo_task_state_unref(&word->state, given))
        edo_free(word);
}

/* As a worker does it. True: it is complete, having heard all that; -1: never. */
static bool poll_once(struct word *word, int end_at)
{
    uint32_t state = edo_task_state_begin(&word->state);
    word->polls++;
    word->heard = edo_load(&word->said, relaxed);
    word->cancelled = state & EDO_TASK_ABORTED;
    return word->cancelled || (word->heard & end_at) == end_at;
}

static void poll(struct word *word)
{
    do
        poll_once(word, -1);
    while (!edo_task_state_idle(&word->state));
}

static void wakes(struct word *word, int what)
{
    edo_fetch_or(&word->said, what, relaxed);
    if (edo_task_state_schedule(&word->state, false))
        poll(word);
}

/* ---- Wakes ---- */

static void says_1(void *word)
{
    wakes(word, 1);
}

static void says_2(void *word)
{
    wakes(word, 2);
}

static void ends(struct word *word, int heard)
{
    model_join_all();
    model_assert(word->heard == heard && word->polls > 0);
    edo_free(word);
}

/* In the poll, as it ends, when it waits: the last poll has heard it. */
MODEL(task_state_woken)
{
    struct word *word = word_new(true);
    model_thread(says_1, word);
    poll(word);
    ends(word, 1);
}

MODEL(task_state_woken_by_two, .bound = 3)
{
    struct word *word = word_new(true);
    model_thread(says_1, word);
    model_thread(says_2, word);
    poll(word);
    ends(word, 3);
}

/* Two at a task that waits: one of them polls it. */
MODEL(task_state_woken_twice)
{
    struct word *word = word_new(false);
    model_thread(says_1, word);
    says_2(word);
    ends(word, 3);
}

/* ---- A look at a task that waits ---- */

static void looks(void *arg)
{
    struct word *word = arg;
    if (!edo_task_state_hold(&word->state))
        return;
    model_assert(word->polls == 1 || word->polls == 0);
    if (!edo_task_state_idle(&word->state))
        poll(word);
}

MODEL(task_state_looked_at)
{
    struct word *word = word_new(true);
    model_thread(looks, word);
    poll(word);
    ends(word, 0);
}

static void looks_and_writes(void *arg)
{
    struct word *word = arg;
    if (!edo_task_state_hold(&word->state))
        return;
    word->polls++;
    if (!edo_task_state_idle(&word->state))
        poll(word);
}

MODEL(task_state_looked_at_while_woken)
{
    struct word *word = word_new(false);
    model_thread(looks_and_writes, word);
    says_1(word);
    ends(word, 1);
}

/* ---- Its end ---- */

/* As end_pooled in task.c. */
static void complete(struct word *word)
{
    word->outcome = 42;
    if (edo_task_state_alone(&word->state, true)) {
        edo_free(word);
        return;
    }
    uint32_t now = edo_task_state_end(&word->state);
    if (now & EDO_TASK_JOINER) {
        ++*word->joiner;
        let_go(word, EDO_TASK_REF);
    } else if (now < EDO_TASK_REF) {
        edo_free(word);
    }
}

/* Polls until it has heard what is to be said. */
static void poll_to_the_end(struct word *word, int all)
{
    do {
        if (poll_once(word, all)) {
            complete(word);
            return;
        }
    } while (!edo_task_state_idle(&word->state));
}

static void detach(struct word *word)
{
    let_go(word, EDO_TASK_REF | EDO_TASK_HANDLE);
}

/* A waker that is claimed, and one that is cloned: both may be the last to have it. */
static void claims(void *arg)
{
    struct word *word = arg;
    edo_fetch_or(&word->said, 1, relaxed);
    bool claimed = edo_task_state_schedule(&word->state, true);
    let_go(word, EDO_TASK_REF);
    if (claimed) {
        poll_to_the_end(word, 1);
        let_go(word, EDO_TASK_REF);
    }
}

MODEL(task_state_ends_while_claimed)
{
    struct word *word = word_new(true);
    edo_task_state_ref(&word->state);
    model_thread(claims, word);
    detach(word);
    poll_to_the_end(word, 1);
}

/* Nobody else is left: what the others did comes before it is freed. */
static void detaches(void *arg)
{
    struct word *word = arg;
    model_assert(word->joiner == NULL);
    detach(word);
}

MODEL(task_state_ends_while_detached)
{
    struct word *word = word_new(true);
    model_thread(detaches, word);
    poll_to_the_end(word, 0);
}

/* ---- Its handle ---- */

/* Waits for it, as a join does, and takes what it left. */
static void joins(struct word *word, int *joiner)
{
    if (!edo_task_state_complete(&word->state)) {
        word->joiner = joiner;
        if (edo_task_state_joiner(&word->state, true)) {
            /* With another waker from now on: the first is the end's when it cannot be had back. */
            if (!edo_task_state_joiner(&word->state, false))
                return;
            word->joiner = NULL;
            if (!edo_task_state_complete(&word->state))
                return;
        }
    }
    model_assert(word->outcome == 42);
}

static void joins_and_detaches(void *arg)
{
    struct word *word = arg;
    joins(word, model_new(sizeof(int)));
    detach(word);
}

MODEL(task_state_ends_while_joined)
{
    struct word *word = word_new(true);
    model_thread(joins_and_detaches, word);
    poll_to_the_end(word, 0);
}

static void finds_finished(void *arg)
{
    struct word *word = arg;
    if (edo_task_state_complete(&word->state))
        model_assert(word->outcome == 42);
    detach(word);
}

MODEL(task_state_is_finished)
{
    struct word *word = word_new(true);
    model_thread(finds_finished, word);
    poll_to_the_end(word, 0);
}

/* ---- Abort ---- */

static void aborts(void *arg)
{
    struct word *word = arg;
    if (edo_task_state_abort(&word->state) && edo_task_state_schedule(&word->state, false))
        poll_to_the_end(word, -1);
    detach(word);
}

static void aborts_again(void *arg)
{
    struct word *word = arg;
    if (edo_task_state_abort(&word->state) && edo_task_state_schedule(&word->state, false))
        poll_to_the_end(word, -1);
    let_go(word, EDO_TASK_REF);
}

/* It would never end by itself: a leak, if a poll after the abort did not see it. */
MODEL(task_state_aborted)
{
    struct word *word = word_new(true);
    model_thread(aborts, word);
    poll_to_the_end(word, -1);
}

MODEL(task_state_aborted_twice, .bound = 3)
{
    struct word *word = word_new(true);
    edo_task_state_ref(&word->state);
    model_thread(aborts, word);
    model_thread(aborts_again, word);
    poll_to_the_end(word, -1);
}

/* ---- A blocking task: its thread, which has a reference, and who wakes it ---- */

static char sleeper;

static void notifies(void *arg)
{
    struct word *word = arg;
    edo_fetch_or(&word->said, 1, relaxed);
    if (edo_task_state_notify(&word->state, true)) {
        model_signal(&sleeper);
        let_go(word, EDO_TASK_REF);
    }
    let_go(word, EDO_TASK_REF);
}

MODEL(task_state_notified)
{
    struct word *word = word_new(false);
    edo_task_state_ref(&word->state);
    model_thread(notifies, word);
    detach(word);
    while (!poll_once(word, 1))
        do
            model_wait(&sleeper);
        while (!edo_task_state_woken(&word->state));
    complete(word);
}

/* ---- A waker that its owner wakes and drops at once: on a worker of the runtime, which does not end meanwhile ---- */

static void wakes_and_drops(void *arg)
{
    struct word *word = arg;
    edo_fetch_or(&word->said, 1, relaxed);
    enum edo_task_woken woken = edo_task_state_schedule_drop(&word->state);
    if (woken == EDO_TASK_MUST_QUEUE)
        poll_to_the_end(word, 1);
    else if (woken == EDO_TASK_MUST_FREE)
        edo_free(word);
}

/* In the poll, as it ends, when it waits: heard in the end, or this has the last reference. */
MODEL(task_state_woken_and_dropped)
{
    struct word *word = word_new(true);
    edo_task_state_ref(&word->state);
    model_thread(wakes_and_drops, word);
    detach(word);
    poll_to_the_end(word, model_choose(2));
}

/* Against another who has a waker, and the handle's owner. */
static void wakes_and_drops_2(void *arg)
{
    struct word *word = arg;
    edo_fetch_or(&word->said, 2, relaxed);
    if (edo_task_state_schedule(&word->state, false))
        poll_to_the_end(word, 3);
    let_go(word, EDO_TASK_REF);
}

static void wakes_and_drops_3(void *arg)
{
    struct word *word = arg;
    edo_fetch_or(&word->said, 1, relaxed);
    enum edo_task_woken woken = edo_task_state_schedule_drop(&word->state);
    if (woken == EDO_TASK_MUST_QUEUE)
        poll_to_the_end(word, 3);
    else if (woken == EDO_TASK_MUST_FREE)
        edo_free(word);
}

MODEL(task_state_woken_and_dropped_by_two, .bound = 3)
{
    struct word *word = word_new(true);
    edo_task_state_ref(&word->state);
    edo_task_state_ref(&word->state);
    model_thread(wakes_and_drops_2, word);
    model_thread(wakes_and_drops_3, word);
    detach(word);
    poll_to_the_end(word, 3);
}
