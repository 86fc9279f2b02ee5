/* SPDX-License-Identifier: MIT */
/* The steps of a model's threads that are not atomic operations: starts, joins, locks, events,
 * choices; and their thread-locals.
 *
 * A thread runs up to its next step, announces it, and takes it when the search says so. Starting a
 * thread, ending and unlocking are no points of choice: nobody's step could come in between and make
 * a difference that it could not make before or after. (Where a lock is tried, unlocking is one.)
 */
#include <stdlib.h>
#include <string.h>

#include "checker.h"

struct execution x;

bool thread_enabled(const struct thread *thread)
{
    switch (thread->op.kind) {
    case OP_NONE:
        return false;
    case OP_LOCK:
        return thread->op.loc->holder < 0;
    case OP_WAIT:
        return thread->op.loc->signalled;
    case OP_JOIN:
        return x.threads[thread->op.target].ended;
    default:
        return true;
    }
}

static void count_step(struct thread *thread)
{
    int i = (int)(thread - x.threads);
    thread->hb[i]++;
    thread->order[i]++;
}

void step_inline(void)
{
    count_step(self());
}

void step_begin(struct op op)
{
    struct thread *thread = self();
    thread->op = op;
    if (thread->starting) {
        thread->starting = false;
        x.current = thread->creator;
        fiber_switch(&thread->sp, x.threads[thread->creator].sp);
    } else {
        schedule();
    }
    thread->op.kind = OP_NONE;
    count_step(thread);
}

_Noreturn void execution_end(enum verdict verdict)
{
    void *nowhere;
    x.verdict = verdict;
    fiber_switch(&nowhere, x.explorer);
    abort();
}

/* ---- Starts and joins ---- */

static void thread_entry(void)
{
    struct thread *thread = self();
    thread->run(thread->arg);
    step_inline();
    thread->ended = true;
    thread->op.kind = OP_NONE;
    trace_step(NULL, 0, NULL, "end");
    if (thread->starting) {
        thread->starting = false;
        x.current = thread->creator;
        fiber_switch(&thread->sp, x.threads[thread->creator].sp);
    }
    schedule();
    abort();
}

static int thread_new(void (*run)(void *), void *arg)
{
    if (x.count == THREADS)
        fail(__builtin_return_address(0), "more than %d threads", THREADS);
    int n = x.count++;
    struct thread *thread = &x.threads[n];
    *thread = (struct thread){.run = run, .arg = arg, .creator = x.current};
    thread->sp = fiber_new(n, thread_entry);
    return n;
}

void thread_start_first(void (*run)(void *))
{
    x.count = 0;
    thread_new(run, NULL);
    x.current = 0;
    fiber_switch(&x.explorer, x.threads[0].sp);
}

int model_thread(void (*run)(void *), void *arg)
{
    struct thread *parent = self();
    step_inline();
    int n = thread_new(run, arg);
    struct thread *child = &x.threads[n];
    trace_step(NULL, 0, __builtin_return_address(0), "starts thread %d", n);
    child->hb = parent->hb;
    child->order = parent->order;
    child->starting = true;
    parent->children |= 1u << n;
    int me = x.current;
    x.current = n;
    fiber_switch(&parent->sp, child->sp);
    x.current = me;
    return n;
}

static void join(int n, void *pc)
{
    step_begin((struct op){.kind = OP_JOIN, .target = (uint8_t)n});
    struct thread *thread = self();
    clock_vec before = thread->order;
    thread->hb = clock_join(thread->hb, x.threads[n].hb);
    thread->order = clock_join(thread->order, x.threads[n].order);
    thread->children &= ~(1u << n);
    trace_step(NULL, 0, pc, "joins thread %d", n);
    step_taken(OP_JOIN, NULL, false, false, before);
}

void model_join(int n)
{
    join(n, __builtin_return_address(0));
}

void model_join_all(void)
{
    for (int n = 0; n < x.count; n++) {
        if (self()->children & 1u << n)
            join(n, __builtin_return_address(0));
    }
}

/* ---- Choices ---- */

unsigned model_choose(unsigned n)
{
    if (n == 0 || n > 16)
        fail(__builtin_return_address(0), "model_choose(%u)", n);
    step_begin((struct op){.kind = OP_CHOOSE, .n = (uint8_t)n});
    clock_vec before = self()->order;
    int chosen = choose_variant((int)n);
    trace_step(NULL, 0, __builtin_return_address(0), "chooses %d of %u", chosen, n);
    step_taken(OP_CHOOSE, NULL, false, false, before);
    return (unsigned)chosen;
}

/* ---- Events: they order the search, and nothing in the model ---- */

/* timed: 0, 1, or 2 for one that only looks. */
static bool wait(const void *event, int timed, void *pc)
{
    struct loc *loc = loc_of(event, 0);
    step_begin((struct op){.kind = timed ? OP_WAIT_TIMED : OP_WAIT, .loc = loc});
    struct thread *thread = self();
    clock_vec before = thread->order;
    bool signalled = loc->signalled && (timed != 1 || choose_variant(2) == 0);
    if (signalled)
        loc->signalled = false;
    trace_step(NULL, 0, pc,
               signalled    ? "is signalled"
               : timed == 1 ? "runs out of time"
                            : "is not signalled");
    thread->order = clock_join(thread->order, loc->order);
    loc->order = thread->order;
    step_taken(timed ? OP_WAIT_TIMED : OP_WAIT, loc, true, false, before);
    return signalled;
}

void model_wait(const void *event)
{
    wait(event, 0, __builtin_return_address(0));
}

bool model_wait_timed(const void *event)
{
    return wait(event, 1, __builtin_return_address(0));
}

bool event_poll(const void *event)
{
    return wait(event, 2, __builtin_return_address(0));
}

void model_signal(const void *event)
{
    struct loc *loc = loc_of(event, 0);
    step_begin((struct op){.kind = OP_SIGNAL, .loc = loc});
    struct thread *thread = self();
    clock_vec before = thread->order;
    loc->signalled = true;
    trace_step(NULL, 0, __builtin_return_address(0), "signals");
    thread->order = clock_join(thread->order, loc->order);
    loc->order = thread->order;
    step_taken(OP_SIGNAL, loc, true, false, before);
}

/* ---- Locks ---- */

void edo_lock_init(struct edo_lock *lock)
{
    plain_access((uintptr_t)lock, sizeof *lock, true, __builtin_return_address(0));
    struct loc *loc = loc_find(lock);
    if (loc != NULL)
        loc_forget(loc);
}

void edo_lock_destroy(struct edo_lock *lock)
{
    struct loc *loc = loc_find(lock);
    if (loc == NULL)
        return;
    if (loc->holder >= 0)
        fail(__builtin_return_address(0), "lock destroyed while thread %d holds it", loc->holder);
    plain_access((uintptr_t)lock, sizeof *lock, true, __builtin_return_address(0));
}

/* What the step of a thread that has the lock now does. */
static void taken(struct loc *loc)
{
    struct thread *thread = self();
    loc->holder = x.current;
    thread->hb = clock_join(thread->hb, loc->released);
}

/* A step on the lock; returns what the thread's dependency clock was. */
static clock_vec lock_step(struct edo_lock *lock, struct loc *loc, enum op_kind kind, void *pc)
{
    step_begin((struct op){.kind = kind, .loc = loc});
    atomic_access((uintptr_t)lock, sizeof *lock, NULL, 0);
    struct thread *thread = self();
    if (!epoch_known(loc->init, thread))
        fail(pc, "data race: lock against its edo_lock_init");
    clock_vec before = thread->order;
    loc->accessed[x.current] = thread->hb[x.current];
    thread->order = clock_join(thread->order, loc->order);
    return before;
}

void edo_lock(struct edo_lock *lock)
{
    void *pc = __builtin_return_address(0);
    atomic_access((uintptr_t)lock, sizeof *lock, NULL, 0);
    struct loc *loc = loc_of(lock, 1);
    if (loc->holder == x.current)
        fail(pc, "lock taken twice by one thread: deadlock");
    clock_vec before = lock_step(lock, loc, OP_LOCK, pc);
    taken(loc);
    trace_step(NULL, 0, pc, "locks");
    step_taken(OP_LOCK, loc, true, false, before);
}

bool edo_try_lock(struct edo_lock *lock)
{
    void *pc = __builtin_return_address(0);
    if (!search->model->tries)
        fail(pc, "edo_try_lock in a model that does not say .tries");
    atomic_access((uintptr_t)lock, sizeof *lock, NULL, 0);
    struct loc *loc = loc_of(lock, 1);
    clock_vec before = lock_step(lock, loc, OP_TRY_LOCK, pc);
    bool free = loc->holder < 0;
    if (free)
        taken(loc);
    trace_step(NULL, 0, pc, free ? "locks" : "finds it locked");
    step_taken(OP_TRY_LOCK, loc, free, false, before);
    return free;
}

void edo_unlock(struct edo_lock *lock)
{
    void *pc = __builtin_return_address(0);
    atomic_access((uintptr_t)lock, sizeof *lock, NULL, 0);
    struct loc *loc = loc_of(lock, 1);
    if (loc->holder != x.current)
        fail(pc, "lock released by a thread that does not hold it");
    struct thread *thread = self();
    clock_vec before = thread->order;
    if (search->model->tries)
        before = lock_step(lock, loc, OP_UNLOCK, pc);
    else
        step_inline();
    loc->holder = -1;
    loc->accessed[x.current] = thread->hb[x.current];
    loc->released = thread->hb;
    loc->order = thread->order;
    trace_step(NULL, 0, pc, "unlocks");
    if (search->model->tries)
        step_taken(OP_UNLOCK, loc, true, false, before);
}

/* ---- Thread-locals: clang's emulated TLS asks us where they are ---- */

struct emutls_control {
    size_t size, align;
    uintptr_t index; /* ours to use: its place in a thread's block, plus one */
    const void *initial;
};
void *__emutls_get_address(struct emutls_control *control);

enum { LOCALS_SIZE = 4096, LOCALS = 64 };
static _Alignas(64) char locals[THREADS + 1][LOCALS_SIZE];
static size_t locals_used;
static struct emutls_control *controls[LOCALS];
static int control_count;

void *__emutls_get_address(struct emutls_control *control)
{
    if (control->index == 0) {
        size_t at = (locals_used + control->align - 1) / control->align * control->align;
        if (at + control->size > LOCALS_SIZE || control_count == LOCALS)
            abort();
        locals_used = at + control->size;
        control->index = at + 1;
        controls[control_count++] = control;
        for (int i = 0; i <= THREADS; i++)
            if (control->initial != NULL)
                memcpy(locals[i] + at, control->initial, control->size);
    }
    return locals[x.current] + control->index - 1;
}

void thread_reset_locals(void)
{
    for (int c = 0; c < control_count; c++) {
        struct emutls_control *control = controls[c];
        for (int i = 0; i < THREADS; i++) {
            char *at = locals[i] + control->index - 1;
            if (control->initial != NULL)
                memcpy(at, control->initial, control->size);
            else
                memset(at, 0, control->size);
        }
    }
}

/* ---- Assertions, outcomes, the clock ---- */

_Noreturn void model_fail(const char *file, int line, const char *message)
{
    fail(NULL, "%s:%d: %s", file, line, message);
}

void model_outcome_(const int *digits, int count)
{
    for (int i = 0; i < count; i++) {
        if (digits[i] < 0 || digits[i] > 9)
            fail(__builtin_return_address(0), "%d is no digit of an outcome", digits[i]);
        if (x.outcome_length == (int)sizeof x.outcome - 1)
            fail(__builtin_return_address(0), "the outcome is too long");
        x.outcome[x.outcome_length++] = (char)('0' + digits[i]);
    }
    x.outcome[x.outcome_length] = '\0';
}

uint64_t model_now(void)
{
    return x.now;
}

void model_set_now(uint64_t ns)
{
    x.now = ns;
}
