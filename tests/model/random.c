/* SPDX-License-Identifier: MIT */
/* The checker checked: small random programs, each run by every search; the outcomes must agree.
 *
 * Exhaustive and naive must find the same outcomes, and so must bounded and naive within the same
 * bound. A program that naive search does not get through in its limit is left out, and counted.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "command.h"

enum { MAX_THREADS = 3, MAX_OPS = 4, LOCATIONS = 2, NAIVE_LIMIT = 2000000 };

enum action { LOAD, STORE, EXCHANGE, ADD, CAS, CAS_WEAK, LOCKED, SIGNAL, WAIT, ACTIONS, TRIED };

struct program {
    int threads, ops[MAX_THREADS];
    struct step {
        enum action action;
        int location, value, expected;
        struct model_site site;
    } steps[MAX_THREADS][MAX_OPS];
};
static struct program program;

/* In the checker's memory: every execution begins with zeroes. */
struct shared {
    uint32_t locations[LOCATIONS];
    uint32_t seen[MAX_THREADS][MAX_OPS];
    struct edo_lock lock;
    uint32_t locked; /* under the lock */
};

static uint64_t state;

static int below(int n)
{
    state = state * 6364136223846793005u + 1442695040888963407u;
    return (int)((state >> 33) % (uint64_t)n);
}

static void make_program(uint64_t seed)
{
    static const char *const names[] = {"x", "y"};
    static const uint8_t op_of[] = {MODEL_LOAD,      MODEL_STORE, MODEL_EXCHANGE,
                                    MODEL_FETCH_ADD, MODEL_CAS,   MODEL_CAS_WEAK};
    state = seed * 0x9e3779b97f4a7c15u + 1;
    memset(&program, 0, sizeof program);
    program.threads = 2 + below(2);
    /* Loads and stores in most programs; in some a bit of everything. */
    int actions = below(3) == 0 ? ACTIONS : below(2) ? CAS_WEAK + 1 : STORE + 1;
    for (int t = 0; t < program.threads; t++) {
        program.ops[t] = 1 + below(program.threads == 2 ? 4 : 3);
        for (int i = 0; i < program.ops[t]; i++) {
            struct step *step = &program.steps[t][i];
            step->action = (enum action)below(actions);
            step->location = below(LOCATIONS);
            step->value = 1 + below(3);
            step->expected = below(3);
            if (step->action > CAS_WEAK)
                continue;
            static const uint8_t loads[] = {MODEL_relaxed, MODEL_acquire, MODEL_seq_cst};
            static const uint8_t stores[] = {MODEL_relaxed, MODEL_release, MODEL_seq_cst};
            int order = step->action == LOAD    ? loads[below(3)]
                        : step->action == STORE ? stores[below(3)]
                                                : below(MODEL_seq_cst + 1);
            step->site = (struct model_site){.file = "program",
                                             .text = names[step->location],
                                             .line = 10 * t + i,
                                             .op = op_of[step->action],
                                             .order = (uint8_t)order,
                                             .fail = loads[below(3)]};
        }
    }
}

static uint32_t take(struct step *step, struct shared *shared)
{
    uint32_t *at = &shared->locations[step->location];
    uint64_t expected = (uint64_t)step->expected;
    uint32_t seen;
    switch (step->action) {
    case LOAD:
        return (uint32_t)model_atomic_load(&step->site, at, sizeof *at);
    case STORE:
        model_atomic_store(&step->site, at, sizeof *at, (uint64_t)step->value);
        return 0;
    case EXCHANGE:
        return (uint32_t)model_atomic_rmw(&step->site, at, sizeof *at, (uint64_t)step->value);
    case ADD:
        return (uint32_t)model_atomic_rmw(&step->site, at, sizeof *at, 1);
    case CAS:
    case CAS_WEAK:
        if (model_atomic_cas(&step->site, at, sizeof *at, &expected, (uint64_t)step->value))
            return 9;
        return (uint32_t)expected;
    case LOCKED:
    case TRIED:
        if (step->action == LOCKED)
            edo_lock(&shared->lock);
        else if (!edo_try_lock(&shared->lock))
            return 9;
        seen = shared->locked;
        shared->locked = (uint32_t)step->value;
        edo_unlock(&shared->lock);
        return seen;
    case SIGNAL:
        model_signal(&shared->locations[step->location]);
        return 0;
    default:
        return model_wait_timed(&shared->locations[step->location]);
    }
}

static void run_thread(int t, struct shared *shared)
{
    for (int i = 0; i < program.ops[t]; i++)
        shared->seen[t][i] = take(&program.steps[t][i], shared) % 10;
}

static void second(void *arg)
{
    run_thread(1, arg);
}

static void third(void *arg)
{
    run_thread(2, arg);
}

static void program_body(void)
{
    struct shared *shared = model_new(sizeof *shared);
    model_thread(second, shared);
    if (program.threads > 2)
        model_thread(third, shared);
    run_thread(0, shared);
    model_join_all();
    for (int t = 0; t < program.threads; t++)
        for (int i = 0; i < program.ops[t]; i++)
            model_outcome((int)shared->seen[t][i]);
    for (int i = 0; i < LOCATIONS; i++)
        model_outcome((int)(shared->locations[i] % 10));
}

static struct model model = {.name = "program", .file = __FILE__, .body = program_body};

static struct search run(enum mode mode, unsigned bound, bool naive_bound)
{
    struct search s = {.model = &model, .mode = mode, .bound = bound, .naive_bound = naive_bound};
    s.limit = mode == MODE_NAIVE || naive_bound ? NAIVE_LIMIT : 0;
    search_run(&s);
    return s;
}

static void print_program(void)
{
    for (int t = 0; t < program.threads; t++) {
        printf("  thread %d:", t);
        for (int i = 0; i < program.ops[t]; i++) {
            struct step *step = &program.steps[t][i];
            if (step->action > CAS_WEAK) {
                bool locks = step->action == LOCKED || step->action == TRIED;
                printf("  %s(%d);",
                       step->action == LOCKED   ? "locked"
                       : step->action == TRIED  ? "tried"
                       : step->action == SIGNAL ? "signal"
                                                : "wait",
                       locks ? step->value : step->location);
                continue;
            }
            printf("  %s(%s, %s", op_name(step->site.op), step->site.text,
                   order_name(step->site.order));
            if (step->action >= CAS)
                printf("/%s, %d", order_name(step->site.fail), step->expected);
            if (step->action != LOAD && step->action != ADD)
                printf(", %d", step->value);
            printf(");");
        }
        printf("\n");
    }
}

/* Whether the searches still disagree. */
static bool disagree(unsigned bound)
{
    struct search s[] = {run(MODE_NAIVE, 0, false), run(MODE_EXHAUSTIVE, 0, false),
                         run(MODE_BOUNDED, bound, true), run(MODE_BOUNDED, bound, false)};
    bool different =
        s[0].outcomes.count != s[1].outcomes.count || s[2].outcomes.count != s[3].outcomes.count;
    for (int i = 0; i < 4; i++)
        free(s[i].outcomes.text);
    return different;
}

/* Takes away what is not needed for the disagreement. */
static void shrink(unsigned bound)
{
    for (int t = 0; t < program.threads; t++)
        for (int i = 0; i < program.ops[t];) {
            struct program whole = program;
            program.ops[t]--;
            memmove(&program.steps[t][i], &program.steps[t][i + 1],
                    (size_t)(program.ops[t] - i) * sizeof(struct step));
            if (disagree(bound))
                continue;
            program = whole;
            i++;
        }
}

static bool same(const struct search *a, const char *a_name, const struct search *b,
                 const char *b_name)
{
    bool equal = a->outcomes.count == b->outcomes.count && !a->failed && !b->failed;
    for (int i = 0; equal && i < a->outcomes.count; i++)
        equal = strcmp(a->outcomes.text[i], b->outcomes.text[i]) == 0;
    if (equal)
        return true;
    printf("%s and %s disagree: %d outcomes and %d; %s %s\n", a_name, b_name, a->outcomes.count,
           b->outcomes.count, a->message, b->message);
    const struct search *both[] = {a, b};
    for (int s = 0; s < 2; s++)
        for (int i = 0, j; i < both[s]->outcomes.count; i++) {
            const struct outcomes *other = &both[!s]->outcomes;
            for (j = 0; j < other->count; j++)
                if (strcmp(both[s]->outcomes.text[i], other->text[j]) == 0)
                    break;
            if (j == other->count)
                printf("  only %s: %s\n", s ? b_name : a_name, both[s]->outcomes.text[i]);
        }
    return false;
}

struct tally {
    uint64_t programs, failed, skipped, naive, reduced, redundant, outcomes;
};

struct job {
    uint64_t first, count;
    struct tally *tallies;
};

/* In about half of its locks the program tries. Whether it has any. */
static bool make_tries(void)
{
    bool tries = false;
    for (int t = 0; t < program.threads; t++)
        for (int i = 0; i < program.ops[t]; i++)
            if (program.steps[t][i].action == LOCKED && program.steps[t][i].value != 2) {
                program.steps[t][i].action = TRIED;
                tries = true;
            }
    return tries;
}

static void check_program(uint64_t seed, struct tally *tally)
{
    model.old = 1 + (unsigned)(seed / 3 % 3);
    struct search naive = run(MODE_NAIVE, 0, false);
    struct search bounded_naive = run(MODE_BOUNDED, 1 + (unsigned)(seed % 3), true);
    if (!naive.complete || !bounded_naive.complete) {
        tally->skipped++;
    } else {
        struct search reduced = run(MODE_EXHAUSTIVE, 0, false);
        struct search bounded = run(MODE_BOUNDED, bounded_naive.bound, false);
        tally->programs++;
        tally->naive += naive.executions;
        tally->reduced += reduced.executions;
        tally->redundant += reduced.redundant;
        tally->outcomes += (uint64_t)naive.outcomes.count;
        if (!same(&naive, "naive", &reduced, "exhaustive") ||
            !same(&bounded_naive, "naive within the bound", &bounded, "bounded")) {
            printf("program %llu, bound %u:\n", (unsigned long long)seed, bounded.bound);
            print_program();
            shrink(bounded.bound);
            printf("the least of it:\n");
            print_program();
            tally->failed++;
        }
        free(reduced.outcomes.text);
        free(bounded.outcomes.text);
    }
    free(naive.outcomes.text);
    free(bounded_naive.outcomes.text);
}

static void check(uint64_t seed, struct tally *tally)
{
    make_program(seed);
    model.tries = false;
    check_program(seed, tally);
    make_program(seed); /* a shrunk one is not the same */
    model.tries = make_tries();
    if (model.tries)
        check_program(seed, tally);
}

enum { SLICES = 16 };

/* Programs that a search of ours was once wrong about: with seq_cst compare-exchanges that fail, and
 * with steps that a hash took for others. */
static const uint64_t once_wrong[] = {28421,  26713,  88190,   220753,  329265,  5940,
                                      459074, 972498, 5394113, 5373633, 5506288, 5881216};

static void slice(int n, void *arg)
{
    struct job *job = arg;
    for (uint64_t i = (uint64_t)n; i < job->count; i += SLICES)
        check(job->first + i, &job->tallies[n]);
    for (size_t i = (size_t)n; i < sizeof once_wrong / sizeof *once_wrong; i += SLICES)
        check(once_wrong[i], &job->tallies[n]);
}

int random_run(uint64_t first, uint64_t count)
{
    struct job job = {first, count, command_share(SLICES * sizeof(struct tally))};
    command_parallel(SLICES, slice, &job);
    struct tally all = {0};
    for (int i = 0; i < SLICES; i++) {
        all.programs += job.tallies[i].programs;
        all.failed += job.tallies[i].failed;
        all.skipped += job.tallies[i].skipped;
        all.naive += job.tallies[i].naive;
        all.reduced += job.tallies[i].reduced;
        all.redundant += job.tallies[i].redundant;
        all.outcomes += job.tallies[i].outcomes;
    }
    printf(
        "%llu random programs (%llu too large for naive search): naive %llu executions, exhaustive "
        "%llu and %llu redundant, outcomes %llu\n",
        (unsigned long long)all.programs, (unsigned long long)all.skipped,
        (unsigned long long)all.naive, (unsigned long long)all.reduced,
        (unsigned long long)all.redundant, (unsigned long long)all.outcomes);
    printf("%llu passed, %llu failed\n", (unsigned long long)(all.programs - all.failed),
           (unsigned long long)all.failed);
    return all.failed == 0 && all.programs > 0 ? 0 : 1;
}
