/* SPDX-License-Identifier: MIT */
/* SELECT and JOIN, all of it, for one to four branches: every mix of own and borrowed ones, each off, on,
 * or with a pattern that does not match; every order in which they are ready; dropped after each number
 * of polls. What must come of it is computed beside it. */
#include "poll_harness.h"
#include "support/limits.h"

enum { BRANCHES = 4, HANDLER_YIELDS = 1 };

/* What a branch is, in the program. For the preprocessor as well. */
#define NONE     0
#define OWN      1
#define BORROWED 2

/* What it is like. WRONG: on, but the pattern does not match. */
enum { OFF, ON, WRONG, KINDS };

/* It is ready at its poll of that number, from 0; the last: never, within this test. */
static const int durations[] = {0, 1, 9};
enum { DURATIONS = 3 };

struct selecting;
struct program {
    struct edo_step_ (*body)(struct selecting *self, struct edo_context *cx, const char *name);
    int is[BRANCHES], branches;
};

struct selecting {
    FUTURE(int); /* which handler ran; BRANCHES is OTHERWISE */
    const struct program *program;
    bool biased;
    int kind[BRANCHES], left[BRANCHES];
    struct leaf_log *logs;
    struct leaf branches[BRANCHES];
    int handlers, after, finally, yields;
    int dropped[BRANCHES]; /* when the handler began */
};

static enum edo_poll selecting_poll(struct edo_future *future, struct edo_context *cx)
{
    struct selecting *self = (struct selecting *)future;
    return self->program->body(self, cx, "selecting").poll;
}

static void note_handler(struct selecting *self, int which)
{
    self->handlers++;
    self->output = which;
    self->yields = HANDLER_YIELDS;
    for (int i = 0; i < BRANCHES; i++)
        self->dropped[i] = self->logs[i].drops;
}

#define LEAF_OF(i) LEAF(&self->logs[i], self->left[i], i)
#define HANDLER(which)         \
    note_handler(self, which); \
    while (self->yields-- > 0) \
        YIELD_NOW();
#define BRANCH_0(i)
#define BRANCH_1(i)                                                                              \
    WHEN_IF_MATCH(self->kind[i] != OFF, self->kind[i] != WRONG, self->branches[i], LEAF_OF(i)) { \
        HANDLER(i)                                                                               \
    }
#define BRANCH_2(i)                                                                      \
    WHEN_REF_IF_MATCH(self->kind[i] != OFF, self->kind[i] != WRONG, self->branches[i]) { \
        HANDLER(i)                                                                       \
    }
#define BRANCH(k, i)           BRANCH_OF(k, i)
#define BRANCH_OF(k, i)        BRANCH_##k(i)
#define PROGRAM(a, b, c, d)    PROGRAM_OF(a, b, c, d)
#define PROGRAM_OF(a, b, c, d) select_##a##b##c##d

#include "exhaustive_select.h"

static const struct program programs[] = {
#define TABLE
#include "exhaustive_select.h"
#undef TABLE
};

/* What must come of it, polled from the top: the winner, BRANCHES for OTHERWISE, or -1 for never; and the
 * poll at which. */
struct outcome {
    int winner, poll;
};

static struct outcome expected(const struct selecting *s)
{
    struct outcome outcome = {-1, 0};
    for (int poll = 0; poll < 3; poll++) {
        int on = 0;
        for (int i = 0; i < s->program->branches; i++) {
            if (s->kind[i] == OFF || (s->kind[i] == WRONG && s->left[i] < poll))
                continue;
            if (s->left[i] != poll)
                on++;
            else if (s->kind[i] == ON)
                return (struct outcome){i, poll};
        }
        if (on == 0)
            return (struct outcome){BRANCHES, poll};
    }
    return outcome;
}

static void check_branch(const struct selecting *s, int i, int polls, struct outcome outcome)
{
    const struct leaf_log *log = &s->logs[i];
    bool ran = s->handlers > 0, borrowed = s->program->is[i] == BORROWED;
    bool ready = log->polls > s->left[i];
    cr_assert_eq(log->polled_after_ready, 0);
    if (polls == 0 || (s->kind[i] == OFF && !borrowed)) {
        cr_assert(log->polls == 0 && log->drops == 0, "never made");
        return;
    }
    cr_assert_leq(log->polls,
                  (polls < outcome.poll + 1 || outcome.winner < 0 ? polls : outcome.poll + 1));
    if (s->kind[i] == OFF)
        cr_assert_eq(log->polls, 0);
    /* At the end each is ready, or was dropped: once. */
    cr_assert_eq(log->drops, !ready);
    if (!ran)
        return;
    if (i == s->output)
        cr_assert(ready && log->drops == 0);
    cr_assert_eq(s->dropped[i], !ready && !borrowed, "the losers before the handler");
}

static void check_select(const struct program *program, bool biased, const int *kind,
                         const int *left, uint32_t *random)
{
    for (int polls = 0, done = 0; !done && polls < 5; polls++) {
        struct leaf_log logs[BRANCHES] = {{0}};
        struct bench bench;
        bench_begin(&bench);
        bench.cx.random = *random;
        struct selecting s = NEW(selecting, .program = program, .biased = biased, .logs = logs);
        memcpy(s.kind, kind, sizeof s.kind);
        memcpy(s.left, left, sizeof s.left);
        struct outcome outcome = expected(&s);
        for (int i = 0; i < polls && !done; i++)
            done = POLL(s) == EDO_READY;
        cr_assert_eq(done, outcome.winner >= 0 && polls > outcome.poll + HANDLER_YIELDS);
        DROP_IT(s);
        *random = bench.cx.random;
        cr_assert_null(bench.cx.panic.name);
        cr_assert_eq(s.handlers, outcome.winner >= 0 && polls > outcome.poll);
        cr_assert_eq(s.after, done);
        cr_assert_eq(s.finally, 1);
        if (s.handlers > 0) {
            /* Not from the top: another one that matches at the same poll may be the one. */
            bool may = biased || outcome.winner == BRANCHES
                           ? s.output == outcome.winner
                           : s.output < program->branches && s.kind[s.output] == ON &&
                                 s.left[s.output] == outcome.poll;
            cr_assert(may, "handler %d, expected %d", s.output, outcome.winner);
        }
        for (int i = 0; i < program->branches; i++)
            check_branch(&s, i, polls, outcome);
        bench_end(&bench);
    }
}

/* The digits of a number: each below `base`. */
static void digits(int number, int base, int count, int *out)
{
    for (int i = 0; i < count; i++, number /= base)
        out[i] = number % base;
}

static void check_all(int branches)
{
    uint32_t random = 2463534242u;
    int states = 1;
    for (int i = 0; i < branches; i++)
        states *= KINDS * DURATIONS;
    for (size_t p = 0; p < sizeof programs / sizeof programs[0]; p++) {
        if (programs[p].branches != branches)
            continue;
        for (int state = 0; state < states; state++) {
            int digit[BRANCHES] = {0}, kind[BRANCHES], left[BRANCHES];
            digits(state, KINDS * DURATIONS, branches, digit);
            for (int i = 0; i < BRANCHES; i++) {
                kind[i] = digit[i] % KINDS;
                left[i] = durations[digit[i] / KINDS];
            }
            check_select(&programs[p], true, kind, left, &random);
            check_select(&programs[p], false, kind, left, &random);
        }
    }
}

Test(exhaustive, select_of_one)
{
    check_all(1);
}

Test(exhaustive, select_of_two)
{
    check_all(2);
}

Test(exhaustive, select_of_three)
{
    check_all(3);
}

Test(exhaustive, select_of_four, .timeout = LONGER_UNDER_TSAN)
{
    check_all(4);
}

/* JOIN and TRY_JOIN of one to four, each of them ready at once, later or never, already done, or failing. */
enum { WELL, FAILS, BEFORE, JOIN_KINDS }; /* BEFORE: done before the JOIN */

struct joins {
    FUTURE(int);
    bool trying;
    int count, finally, status;
    struct leaf l[BRANCHES];
};

ASYNC(joins)
{
    ASYNC_BEGIN;
    if (self->count == 1 && !self->trying)
        JOIN(&self->l[0]);
    else if (self->count == 2 && !self->trying)
        JOIN(&self->l[0], &self->l[1]);
    else if (self->count == 3 && !self->trying)
        JOIN(&self->l[0], &self->l[1], &self->l[2]);
    else if (self->count == 4 && !self->trying)
        JOIN(&self->l[0], &self->l[1], &self->l[2], &self->l[3]);
    else if (self->count == 1)
        TRY_JOIN_TO(self->status, &self->l[0]);
    else if (self->count == 2)
        TRY_JOIN_TO(self->status, &self->l[0], &self->l[1]);
    else if (self->count == 3)
        TRY_JOIN_TO(self->status, &self->l[0], &self->l[1], &self->l[2]);
    else
        TRY_JOIN_TO(self->status, &self->l[0], &self->l[1], &self->l[2], &self->l[3]);
ASYNC_FINALLY:
    self->finally++;
    ASYNC_END;
}

static int value_of(int kind, int i)
{
    return kind == FAILS ? -100 - i : i;
}

static void check_join(int count, bool trying, const int *kind, const int *left)
{
    for (int polls = 0, done = 0; !done && polls < 4; polls++) {
        struct leaf_log logs[BRANCHES] = {{0}};
        struct bench bench;
        bench_begin(&bench);
        struct joins joins = NEW(joins, .count = count, .trying = trying);
        int last = 0, failed = -1; /* the poll at which all are done; who fails first */
        for (int i = 0; i < count; i++) {
            bool before = kind[i] == BEFORE;
            joins.l[i] = LEAF(&logs[i], before ? 0 : left[i], value_of(kind[i], i));
            if (before)
                cr_assert_eq(POLL(joins.l[i]), EDO_READY);
            else if (left[i] > last)
                last = left[i];
            if (trying && kind[i] == FAILS && (failed < 0 || left[i] < left[failed]))
                failed = i;
        }
        int end = failed >= 0 ? left[failed] : last;
        for (int i = 0; i < polls && !done; i++)
            done = POLL(joins) == EDO_READY;
        cr_assert_eq(done, polls > end);
        DROP_IT(joins);
        cr_assert_eq(joins.finally, 1);
        if (done && trying)
            cr_assert_eq(joins.status, failed >= 0 ? value_of(FAILS, failed) : 0);
        for (int i = 0; i < count; i++) {
            bool ready = logs[i].polls > (kind[i] == BEFORE ? 0 : left[i]);
            cr_assert_eq(logs[i].polled_after_ready, 0);
            if (ready)
                cr_assert_eq(joins.l[i].output, value_of(kind[i], i));
            /* In flight, unless it is done: what was made before the first poll is the frame's. */
            cr_assert_eq(logs[i].drops, polls > 0 && !ready);
            if (kind[i] != BEFORE)
                cr_assert_leq(logs[i].polls, polls < end + 1 ? polls : end + 1);
        }
        if (polls == 0)
            for (int i = 0; i < count; i++)
                DROP_IT(joins.l[i]);
        bench_end(&bench);
    }
}

Test(exhaustive, joins_of_one_to_four)
{
    for (int count = 1; count <= BRANCHES; count++) {
        int states = 1;
        for (int i = 0; i < count; i++)
            states *= JOIN_KINDS * DURATIONS;
        for (int state = 0; state < states; state++) {
            int digit[BRANCHES] = {0}, kind[BRANCHES], left[BRANCHES];
            digits(state, JOIN_KINDS * DURATIONS, count, digit);
            for (int i = 0; i < BRANCHES; i++) {
                kind[i] = digit[i] % JOIN_KINDS;
                left[i] = durations[digit[i] / JOIN_KINDS];
            }
            check_join(count, false, kind, left);
            check_join(count, true, kind, left);
        }
    }
}
