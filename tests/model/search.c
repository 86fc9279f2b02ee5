/* SPDX-License-Identifier: MIT */
/* Which executions are run: a depth-first search without states. Each execution runs from the start,
 * repeats what the last one did up to the point where there is something left to try, and goes on.
 *
 * Exhaustive: dynamic partial-order reduction (Flanagan and Godefroid, POPL 2005) with source sets
 * (Abdulla, Aronis, Jonsson and Sagonas, "Optimal Dynamic Partial Order Reduction", POPL 2014; their
 * Source-DPOR) and sleep sets (Godefroid 1996). When a step conflicts with an earlier one of another
 * thread that is not ordered before it, the search will come back to before that one, and let a
 * thread go first that leads to the other order.
 *
 * Because a load may return old stores, loads and stores conflict in one direction only. "Store, then
 * load" includes, among the load's ways, all that "load, then store" could return, so the order need
 * not be reversed; "load, then store" lacks the store's value, so it must be. A sleeping load that
 * wakes up because of a store has only the new store left to read (node.explored). Where the memory
 * model forbids the old value, when both are seq_cst, the conflict goes both ways. What tells one
 * execution from another is then: who reads from whom, the order of stores to a location, of seq_cst
 * loads and stores to a location, and of the uses of a lock and an event.
 *
 * Bounded: at most so many preemptions, and as few reads of old values as model.h says (Musuvathi and Qadeer,
 * "Iterative Context Bounding", PLDI 2007). Every switch is tried, but not from where the same steps
 * with the same dependencies have led before, by the same thread and with as much of the bound left
 * (their happens-before caching): the hash of those is kept.
 *
 * PCT: random priorities that change at a few random steps (Burckhardt, Kothari, Musuvathi and
 * Nagarakatte, "A Randomized Scheduler with Probabilistic Guarantees of Finding Bugs", ASPLOS 2010).
 *
 * Naive: every order, every way. It is what the others are tested against.
 */
#include <stdlib.h>
#include <string.h>
#include <stdio.h>
#include <time.h>

#include "checker.h"

struct search *search;
struct node nodes[MAX_STEPS];

double now_seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* ---- The search ---- */

static void outcome_add(struct outcomes *outcomes, const char *text)
{
    int low = 0, high = outcomes->count;
    while (low < high) {
        int middle = (low + high) / 2, order = strcmp(outcomes->text[middle], text);
        if (order == 0)
            return;
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    if (outcomes->count == outcomes->room) {
        outcomes->room = outcomes->room ? 2 * outcomes->room : 16;
        outcomes->text = realloc(outcomes->text, (size_t)outcomes->room * sizeof *outcomes->text);
        if (outcomes->text == NULL)
            abort();
    }
    memmove(outcomes->text[low + 1], outcomes->text[low],
            (size_t)(outcomes->count - low) * sizeof *outcomes->text);
    snprintf(outcomes->text[low], sizeof outcomes->text[low], "%s", text);
    outcomes->count++;
}

static void body(void *arg)
{
    (void)arg;
    search->model->body();
}

/* The nodes up to `fresh` are given. */
void execute(int fresh)
{
    x.generation++;
    x.depth = 0;
    x.fresh = fresh;
    x.verdict = RUNNING;
    x.hash = search->serial;
    x.spurious = 0;
    x.old = 0;
    x.now = 1000000000;
    x.threads_fail = false;
    x.lingers = 0;
    x.mallocs_fail = false;
    x.outcome_length = 0;
    x.outcome[0] = '\0';
    races_reset();
    memory_reset();
    thread_reset_locals();
    thread_start_first(body);
    races_restore();
}

/* Sets up the next execution: the deepest point with something left. -1: there is none. */
static int next_execution(int depth)
{
    while (depth > 0) {
        struct node *node = &nodes[--depth];
        if (node->variant + 1 < node->variants) {
            node->variant++;
            return depth;
        }
        node->done |= (uint8_t)(1u << node->thread);
        unsigned left = node->backtrack & ~(unsigned)node->done & ~(unsigned)node->sleep;
        for (; left != 0; left &= left - 1) {
            int thread = __builtin_ctz(left);
            if (!within_bound(node, thread))
                continue;
            node->thread = (uint8_t)thread;
            node->variant = 0;
            node->variants = 1;
            return depth;
        }
    }
    return -1;
}

static void check_outcomes(void)
{
    const char *expected = search->model->outcomes;
    if (expected == NULL)
        return;
    struct outcomes *seen = &search->outcomes;
    char words[1024];
    snprintf(words, sizeof words, " %s ", expected);
    int count = 0;
    for (const char *p = expected; *p; p++)
        count += *p != ' ' && (p[1] == ' ' || p[1] == '\0');
    size_t length = 0;
    /* By chance, not all of them may have come up. */
    bool wrong = count != seen->count && search->mode != MODE_PCT;
    char text[160] = "";
    for (int i = 0; i < seen->count; i++) {
        char word[70];
        snprintf(word, sizeof word, " %s ", seen->text[i]);
        wrong |= strstr(words, word) == NULL;
        if (length < sizeof text - 40)
            length += (size_t)snprintf(text + length, sizeof text - length, "%s ", seen->text[i]);
    }
    if (wrong) {
        search->failed = true;
        snprintf(search->message, sizeof search->message, "outcomes %s; expected %.80s", text,
                 expected);
    }
}

void search_run(struct search *s)
{
    search = s;
    static uint64_t searches;
    search->serial = ++searches << 32;
    double start = now_seconds();
    int fresh = -1;
    if (s->replay != NULL) {
        int count = replay_parse(s->replay);
        if (count < 0) {
            s->failed = true;
            snprintf(s->message, sizeof s->message, "no replay string: %s", s->replay);
            return;
        }
        x.tracing = true;
        execute(count - 1);
        x.tracing = false;
        s->failed = x.verdict == FAILED;
        s->complete = true;
        s->executions = 1;
        return;
    }
    int longest = 100;
    for (;;) {
        if (s->mode == MODE_PCT) {
            pct_begin(s->seed + s->executions, longest);
            fresh = -1;
        }
        execute(fresh);
        if (x.depth > s->deepest)
            s->deepest = longest = x.depth;
        if (x.verdict == REDUNDANT) {
            s->redundant++;
        } else {
            s->executions++;
            if (x.verdict == FAILED) {
                s->failed = true;
                snprintf(s->message, sizeof s->message, "%s", x.message);
                break;
            }
            if (x.outcome_length > 0)
                outcome_add(&s->outcomes, x.outcome);
        }
        if (s->mode != MODE_PCT) {
            /* What is left to try. */
            fresh = next_execution(x.depth);
            if (fresh < 0) {
                s->complete = true;
                break;
            }
        }
        if (s->limit > 0 && s->executions >= s->limit) {
            s->complete = s->mode == MODE_PCT;
            break;
        }
        if (s->seconds > 0 && ((s->executions + s->redundant) & 255) == 0 &&
            now_seconds() - start > s->seconds)
            break;
    }
    s->took = now_seconds() - start;
    if (s->complete && !s->failed)
        check_outcomes();
}
