/* SPDX-License-Identifier: MIT */
/* At each point of an execution: who goes on, by which way of its step, and to which earlier points
 * the search will have to come back. What for is told in search.c. */
#include <stdlib.h>
#include <string.h>

#include "checker.h"

/* ---- PCT ---- */

enum { CHANGES = 3 };
static struct {
    uint64_t random;
    int priority[THREADS], changes[CHANGES], left;
} pct;

static uint64_t pct_random(void)
{
    /* splitmix64 */
    uint64_t z = pct.random += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

void pct_begin(uint64_t seed, int steps)
{
    pct.random = seed;
    for (int i = 0; i < THREADS; i++)
        pct.priority[i] = CHANGES + (int)(pct_random() % 1000);
    for (int i = 0; i < CHANGES; i++)
        pct.changes[i] = (int)(pct_random() % (uint64_t)(steps + 1));
    pct.left = CHANGES;
}

static int pct_choose(unsigned enabled, int last)
{
    for (int i = 0; i < CHANGES; i++)
        if (pct.changes[i] == x.depth && pct.left > 0)
            pct.priority[last] = --pct.left;
    int best = -1;
    for (int i = 0; i < x.count; i++)
        if (enabled & 1u << i && (best < 0 || pct.priority[i] > pct.priority[best]))
            best = i;
    return best;
}

/* ---- What has been before ---- */

/* Of a search within a bound. A full table forgets, which costs time only. */
enum { SEEN = 1 << 21, PROBES = 4 };
static struct seen {
    uint64_t hash;
    uint8_t preemptions, old;
} * seen;

static uint64_t mix(uint64_t h)
{
    /* The finalizer of MurmurHash3. */
    h = (h ^ (h >> 33)) * 0xff51afd7ed558ccdu;
    h = (h ^ (h >> 33)) * 0xc4ceb9fe1a85ec53u;
    return h ^ (h >> 33);
}

/* A step is known by its thread and place there, what it depends on, and what it read. The sum does
 * not depend on the order in which independent steps were taken. */
static void add_to_hash(const struct node *node)
{
    typedef uint64_t half __attribute__((vector_size(16)));
    half h = (half)node->order;
    x.hash += mix(mix(mix(h[0]) + h[1]) + ((uint64_t)node->detail << 8 | node->thread));
}

static bool seen_before(const struct node *node)
{
    if (seen == NULL)
        seen = calloc(SEEN, sizeof *seen);
    if (seen == NULL)
        abort();
    uint64_t hash = mix(x.hash + node->last);
    struct seen *at = &seen[hash % SEEN], *free = at;
    for (int i = 0; i < PROBES; i++, at++) {
        if (at == seen + SEEN)
            at = seen;
        if (at->hash != hash) {
            if (at->hash == 0)
                free = at;
            continue;
        }
        if (at->preemptions <= node->preemptions && at->old <= x.old)
            return true;
        free = at;
        break;
    }
    *free = (struct seen){hash, node->preemptions, (uint8_t)x.old};
    return false;
}

/* ---- A new point ---- */

static bool is_load(enum op_kind kind)
{
    return kind == OP_LOAD;
}

/* Whether what the sleeping thread would do next could tell that the step has been taken. */
static bool wakes(const struct node *step, const struct op *op)
{
    if (step->loc == NULL || step->loc != op->loc)
        return false;
    if (step->wrote || op->kind == OP_UNLOCK)
        return true;
    /* A spurious failure read what the newest store wrote; after another it could not. */
    return (step->sc && op->sc && (!is_load(op->kind) || step->kind == OP_CAS)) ||
           (!is_load(op->kind) && step->spurious);
}

static void inherit_sleep(struct node *node, const struct node *before)
{
    unsigned asleep = (before->sleep | before->done) & ~(1u << before->thread);
    for (int i = 0; i < x.count; i++) {
        if (i != before->thread)
            node->explored[i] = before->explored[i];
        if (!(asleep & 1u << i))
            continue;
        const struct op *op = &x.threads[i].op;
        /* Tried from there: whatever a load could read then has been. One that was asleep before had
         * nothing new to read either. */
        if (is_load(op->kind) && before->loc == op->loc && before->wrote)
            node->explored[i] = (uint16_t)(op->loc->count - 1);
        else if (is_load(op->kind))
            node->explored[i] = (uint16_t)op->loc->count;
        if (!wakes(before, op))
            node->sleep |= (uint8_t)(1u << i);
    }
}

bool within_bound(const struct node *node, int thread)
{
    if (search->mode != MODE_BOUNDED || node->preemptions < search->bound)
        return true;
    return thread == node->last || !(node->enabled & 1u << node->last);
}

/* Who goes first here; -1 when all of them would only repeat. */
static int first_choice(const struct node *node)
{
    if (search->mode == MODE_PCT)
        return pct_choose(node->enabled, node->last);
    unsigned candidates = node->enabled & ~(unsigned)node->sleep;
    if (candidates & 1u << node->last)
        return node->last;
    return candidates ? __builtin_ctz(candidates) : -1;
}

static bool node_new(struct node *node, unsigned enabled, bool forced)
{
    const struct node *before = x.depth > 0 ? node - 1 : NULL;
    *node = (struct node){.enabled = (uint8_t)enabled, .variants = 1, .forced = forced};
    node->last = before != NULL ? before->thread : 0;
    if (before != NULL) {
        unsigned preempted = before->thread != before->last &&
                             before->enabled & 1u << before->last && !before->forced;
        node->preemptions = (uint8_t)(before->preemptions + (preempted ? 1 : 0));
        if (search->mode == MODE_EXHAUSTIVE)
            inherit_sleep(node, before);
        if (search->mode == MODE_BOUNDED && !search->naive_bound && seen_before(node))
            return false;
    }
    int first = forced ? x.current : first_choice(node);
    if (first < 0)
        return false;
    node->thread = (uint8_t)first;
    node->backtrack = (uint8_t)(1u << first);
    if (!forced && (search->mode == MODE_NAIVE || search->mode == MODE_BOUNDED))
        node->backtrack = (uint8_t)enabled;
    return true;
}

static _Noreturn void stuck(void)
{
    int parked = -1;
    for (int i = 0; i < x.count; i++) {
        const struct op *op = &x.threads[i].op;
        if (op->kind == OP_WAIT)
            parked = i;
        x.current = i;
        if (op->kind == OP_WAIT)
            trace_step(NULL, 0, NULL, "waits for a signal");
        else if (op->kind == OP_LOCK)
            trace_step(NULL, 0, NULL, "waits for the lock that thread %d has", op->loc->holder);
        else if (op->kind == OP_JOIN)
            trace_step(NULL, 0, NULL, "waits for the end of thread %d", op->target);
    }
    if (parked >= 0)
        fail(NULL, "lost wake-up: thread %d waits, and nobody is left to wake it", parked);
    fail(NULL, "deadlock: every thread waits for another");
}

void schedule(void)
{
    struct thread *me = self();
    unsigned enabled = 0, alive = 0;
    for (int i = 0; i < x.count; i++) {
        alive |= (unsigned)!x.threads[i].ended << i;
        if (thread_enabled(&x.threads[i]))
            enabled |= 1u << i;
    }
    if (alive == 0) {
        races_check_leaks();
        execution_end(PASSED);
    }
    if (enabled == 0)
        stuck();
    unsigned limit = search->model->steps ? search->model->steps : 2000;
    if (x.depth == (int)limit || x.depth == MAX_STEPS)
        fail(NULL, "step limit: more than %d steps: a livelock?", x.depth);
    struct node *node = &nodes[x.depth];
    bool forced = me->op.kind == OP_CHOOSE && !me->ended;
    if (x.depth <= x.fresh) {
        if (!(enabled & 1u << node->thread))
            fail(NULL, "the model is not deterministic, or the replay is of another program");
    } else if (!node_new(node, enabled, forced)) {
        execution_end(REDUNDANT);
    }
    x.depth++;
    int next = node->thread;
    if (next != x.current) {
        x.current = next;
        fiber_switch(&me->sp, x.threads[next].sp);
    }
}

int choose_variant(int variants)
{
    struct node *node = &nodes[x.depth - 1];
    if (variants < 1 || variants > 255)
        fail(NULL, "a step with %d ways", variants);
    node->variants = (uint8_t)variants;
    /* A new node's is 0. By chance, the first way is the likely one. */
    if (x.depth - 1 > x.fresh && search->mode == MODE_PCT && pct_random() % 4 == 0)
        node->variant = (uint8_t)(pct_random() % (uint64_t)variants);
    if (node->variant >= variants)
        fail(NULL, "the model is not deterministic, or the replay is of another program");
    return node->variant;
}

/* ---- Conflicts ---- */

/* Step i and the one just taken by `thread` conflict and are not ordered: come back to before i, and
 * let one of those go first that can lead to the other order. */
static void reverse(int i, int thread)
{
    struct node *at = &nodes[i];
    /* Those after i that do not depend on it, in their order, and this one: who could begin? */
    unsigned seen = 0, initials = 0;
    uint16_t first[THREADS + 1] = {0};
    uint16_t time = at->order[at->thread];
    for (int k = i + 1; k < x.depth; k++) {
        const struct node *node = &nodes[k];
        if (k < x.depth - 1 && node->order[at->thread] >= time)
            continue;
        if (seen & 1u << node->thread)
            continue;
        bool begins = true;
        for (unsigned rest = seen; rest; rest &= rest - 1) {
            int other = __builtin_ctz(rest);
            if (node->order[other] >= first[other])
                begins = false;
        }
        seen |= 1u << node->thread;
        first[node->thread] = node->order[node->thread];
        if (begins)
            initials |= 1u << node->thread;
    }
    initials &= at->enabled;
    if (initials & (at->backtrack | at->sleep | at->done))
        return;
    if (initials == 0)
        at->backtrack |= at->enabled;
    else if (initials & 1u << thread)
        at->backtrack |= (uint8_t)(1u << thread);
    else
        at->backtrack |= (uint8_t)(initials & -initials);
}

/* Whether step i of another thread is unknown to a thread with this dependency clock. */
static bool unordered(int i, int thread, clock_vec before)
{
    if (i < 0 || nodes[i].thread == thread)
        return false;
    const struct node *node = &nodes[i];
    return node->order[node->thread] > before[node->thread];
}

static void reverse_conflicts(enum op_kind kind, const struct loc *loc, bool sc, clock_vec before)
{
    int me = x.current;
    bool may_write = kind != OP_LOAD;
    bool locks = kind == OP_LOCK || kind == OP_TRY_LOCK;
    /* A lock cannot be taken before it was given back, but before it was taken; who only tries comes
     * in between as well. */
    int write = kind == OP_TRY_LOCK && loc->unlock > loc->write ? loc->unlock : loc->write;
    if (may_write && unordered(write, me, before))
        reverse(write, me);
    if (!may_write && sc && unordered(loc->sc_write, me, before))
        reverse(loc->sc_write, me);
    if (may_write && !locks)
        for (int i = 0; i < x.count; i++)
            if (unordered(loc->read[i], me, before))
                reverse(loc->read[i], me);
}

void step_taken(enum op_kind kind, struct loc *loc, bool wrote, bool sc, clock_vec before)
{
    int at = x.depth - 1, me = x.current;
    struct node *node = &nodes[at];
    struct thread *thread = self();
    node->kind = (uint8_t)kind;
    node->loc = loc;
    node->wrote = wrote;
    if (kind == OP_CHOOSE || kind == OP_WAIT_TIMED)
        node->detail = node->variant;
    else if (wrote || loc == NULL)
        node->detail = UINT16_MAX;
    else if (kind == OP_TRY_LOCK)
        node->detail = 0;
    if (loc == NULL) {
        node->order = thread->order;
        add_to_hash(node);
        return;
    }
    /* A compare-exchange that failed, and would have been seq_cst, keeps its place among the seq_cst
     * reads as if it had written: elsewhere it does. */
    bool sc_writes = kind == OP_CAS ? thread->op.sc : wrote && sc;
    node->sc = sc || sc_writes;
    if (kind <= OP_CAS) {
        if (sc_writes)
            thread->order = clock_join(thread->order, loc->sc_reads);
        if (!wrote && (sc || sc_writes) && loc->sc_write >= 0)
            thread->order = clock_join(thread->order, nodes[loc->sc_write].order);
    }
    if (kind ==
        OP_UNLOCK) /* after those that found it held, whose order among each other is none */
        for (int i = 0; i < x.count; i++)
            if (loc->read[i] >= 0)
                thread->order = clock_join(thread->order, nodes[loc->read[i]].order);
    node->order = thread->order;
    add_to_hash(node);
    if (kind > OP_CAS && wrote) /* these are in one order */
        loc->order = thread->order;
    if (at >= x.fresh && search->mode == MODE_EXHAUSTIVE)
        reverse_conflicts(kind, loc, sc, before);
    if (sc_writes)
        loc->sc_write = at;
    if (kind == OP_UNLOCK) {
        loc->unlock = at;
    } else if (wrote) {
        loc->write = at;
    } else {
        loc->read[me] = at;
        if (sc)
            loc->sc_reads = clock_join(loc->sc_reads, thread->order);
    }
}
