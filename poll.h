/* SPDX-License-Identifier: MIT */
/* The contract between futures and whoever runs them. Everything else is built on this page.
 *
 * A future is a struct whose first member is a `struct edo_future`. Its poll function is called
 * with a context and returns EDO_READY, with its output in place, or EDO_PENDING, having arranged
 * for the context's waker to be woken when another poll can get further. That is all that futures
 * and executors know of each other. A future written by hand:
 *
 *     struct countdown {
 *         FUTURE(int);
 *         int left;
 *     };
 *
 *     static enum edo_poll countdown_poll(struct edo_future *future, struct edo_context *cx)
 *     {
 *         struct countdown *self = (struct countdown *)future;
 *         if (cx->walk != EDO_WALK_POLL)
 *             return edo_walk_leaf(cx, "countdown");
 *         if (self->left-- > 0) {
 *             edo_wake(cx->waker);
 *             return EDO_PENDING;
 *         }
 *         self->output = 0;
 *         return EDO_READY;
 *     }
 *
 * The rules of a future:
 *  1. It does nothing until it is polled.
 *  2. It may be moved until its first poll; from then on it stays where it is.
 *  3. It is polled by one thread at a time, and never again after EDO_READY.
 *  4. It is dropped, or it completes: one of the two, once. Dropping unlinks it from wherever it
 *     waits, so that its waker is not touched afterwards.
 *  5. It may be polled although nobody woke it; that changes nothing.
 *  6. It may be handed on to another task. The one that polled it last does not end before it is done,
 *     dropped, or polled by the other: while it is linked somewhere, that task's waker is kept there
 *     without a reference. So it is with each future in its frame that is under way: one that a SELECT
 *     borrowed is not polled while a handler awaits.
 */
#ifndef EDO_POLL_H
#define EDO_POLL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct edo_context;
struct edo_future;
struct edo_waker;

enum edo_poll {
    EDO_PENDING,
    EDO_READY,
};

/* Why a future's function is called. It resumes at the same place for all three. */
enum edo_walk {
    EDO_WALK_POLL,  /* get on with it */
    EDO_WALK_DROP,  /* never polled again: drop the child in flight, unlink, clean up; READY */
    EDO_WALK_TRACE, /* name yourself with edo_trace, then pass the walk to the child; PENDING */
};

typedef enum edo_poll edo_poll_fn(struct edo_future *future, struct edo_context *cx);

/* The head of every future: `FUTURE(type)` declares it together with the output.
 * The future's own code writes `state`, which begins at 0; edo_future_poll sets it to
 * EDO_STATE_DONE. `pin` belongs to future.h. */
struct edo_future {
    edo_poll_fn *poll;
    uint32_t state;
    uint32_t pin;
};

#define EDO_STATE_FRESH 0u          /* not polled yet */
#define EDO_STATE_DONE  0xffffffffu /* completed or dropped: nothing is left to be done */

/* Wakers. One is a single pointer, to a header that the woken thing embeds. */
struct edo_waker_ops {
    /* Has the future polled soon. From any thread, at any time, also when the task has ended or its
     * runtime is gone; must not fail, not block and not run the future itself. The waker stays the
     * caller's. */
    void (*wake)(struct edo_waker *waker);
    /* Returns a waker that the caller owns and drops, alive as long as it is kept. Any thread. */
    struct edo_waker *(*clone)(struct edo_waker *waker);
    /* Gives back what clone returned. Any thread. */
    void (*drop)(struct edo_waker *waker);
    /* Both, or neither. A waker that has them is stable: it lives at least as long as every future
     * polled with it, so whoever links such a future in a list may keep the waker without cloning
     * it, for as long as the future is linked. It is woken in two halves. claim() while the future
     * is linked, or a clone is kept, perhaps under a lock: it takes no lock, waits for nobody, and
     * runs nobody's code. It returns NULL when nothing is left to do, or what is to be given to
     * finish(), without the lock, when the future and its task may be gone. Any thread. */
    struct edo_waker *(*claim)(struct edo_waker *waker);
    void (*finish)(struct edo_waker *claimed);
};

struct edo_waker {
    const struct edo_waker_ops *ops;
};

/* Wakes; see edo_waker_ops. */
static inline void edo_wake(struct edo_waker *waker)
{
    waker->ops->wake(waker);
}

/* Returns a waker of the caller's own. */
static inline struct edo_waker *edo_waker_clone(struct edo_waker *waker)
{
    return waker->ops->clone(waker);
}

/* Drops a waker that edo_waker_clone returned. */
static inline void edo_waker_drop(struct edo_waker *waker)
{
    waker->ops->drop(waker);
}

/* Whether waking one wakes the other's task. Two wakers of one task are one pointer. */
static inline bool edo_will_wake(const struct edo_waker *a, const struct edo_waker *b)
{
    return a == b;
}

/* The innermost task-local value of a scope; combinators/task_local.h makes and reads them. */
struct edo_local {
    const struct edo_local *outer;
    const void *key;
    void *value;
};

/* A panic under way: what was said, by whom. */
struct edo_panic {
    const char *name; /* the future's; NULL while there is no panic */
    const char *file;
    int line;
    char message[108]; /* cut to fit */
};

/* Receives one line of a chain of awaits: depth 0 is the root; file is NULL for a future of the
 * library, which waits itself. */
typedef void edo_trace_fn(void *arg, int depth, const char *name, const char *file, int line);

/* What a poll is given. An executor makes one with edo_context_init, on its stack or kept from poll
 * to poll, and touches it between polls only. */
struct edo_context {
    struct edo_waker *waker; /* borrowed for the poll: clone it to keep it (internal/waiter.h) */
    enum edo_walk walk;
    uint32_t budget; /* operations left before a leaf gives way; EDO_UNCONSTRAINED is no limit */
    const struct edo_local *locals;
    uint32_t random; /* state of a small generator, for fair choices: edo_context_below */
    int depth;       /* of the trace walk */
    edo_trace_fn *trace;
    void *trace_arg;
    struct edo_panic panic; /* an executor ends the root future when panic.name is set */
};

/* The budget of one poll of a task. Tokio's figure. */
#define EDO_BUDGET        128u
#define EDO_UNCONSTRAINED 0xffffffffu

/* Makes a context for polling with this waker, with a full budget. */
static inline void edo_context_init(struct edo_context *cx, struct edo_waker *waker)
{
    cx->waker = waker;
    cx->walk = EDO_WALK_POLL;
    cx->budget = EDO_BUDGET;
    cx->locals = NULL;
    cx->random = 0x9e3779b9u;
    cx->depth = 0;
    cx->trace = NULL;
    cx->trace_arg = NULL;
    cx->panic.name = NULL;
}

/* The cooperative budget, for leaf futures that complete operations. At the start of a poll:
 * returns true when the budget is used up; the waker has then been woken, and the future returns
 * EDO_PENDING without trying. */
static inline bool edo_budget_spent(struct edo_context *cx)
{
    if (__builtin_expect(cx->budget != 0, 1))
        return false;
    edo_wake(cx->waker);
    return true;
}

/* Takes one operation off the budget; call it when the operation has completed. */
static inline void edo_budget_spend(struct edo_context *cx)
{
    if (cx->budget != EDO_UNCONSTRAINED && cx->budget != 0)
        cx->budget--;
}

/* In a trace walk: reports one future. file is NULL and line 0 for one that has no source line. */
static inline void edo_trace(struct edo_context *cx, const char *name, const char *file, int line)
{
    if (cx->trace != NULL)
        cx->trace(cx->trace_arg, cx->depth, name, file, line);
}

/* What a hand-written future that holds nothing returns for the two other walks: nothing to drop,
 * and its name for the trace. */
static inline enum edo_poll edo_walk_leaf(struct edo_context *cx, const char *name)
{
    if (cx->walk == EDO_WALK_DROP)
        return EDO_READY;
    edo_trace(cx, name, NULL, 0);
    return EDO_PENDING;
}

/* A number below n, for a fair choice among n. The state is multiplied (Lehmer's generator; the factor is of Steele and
 * Vigna's, 2021), and of that the upper bits are good. It is made odd: of an even one as many bits would never change as
 * are 0 at its end. */
static inline uint32_t edo_context_below(struct edo_context *cx, uint32_t n)
{
    cx->random = (cx->random | 1) * 0x93d765ddu;
    return (uint32_t)((uint64_t)cx->random * n >> 32);
}

/* Says that the future panics: its task ends, its frames are dropped, the join handle reports it.
 * For hand-written futures: `return edo_panic(cx, "name", __FILE__, __LINE__, "…");`. The first
 * panic of a poll is kept. Returns EDO_PENDING, which the frames above pass on. */
enum edo_poll edo_panic(struct edo_context *cx, const char *name, const char *file, int line,
                        const char *format, ...) __attribute__((format(printf, 5, 6)));

/* With EDO_DEBUG, before a poll: stops the program, naming the future, when it was moved after its
 * first poll, when it is done, or when it was never made. Otherwise nothing. */
static inline void edo_future_check(struct edo_future *future, struct edo_context *cx)
{
#ifdef EDO_DEBUG
    void edo_future_check_(struct edo_future *, struct edo_context *);
    edo_future_check_(future, cx);
#else
    (void)future;
    (void)cx;
#endif
}

/* With EDO_DEBUG: counts a future that edo_future_check has seen as completed or dropped. */
static inline void edo_future_ended(struct edo_future *future)
{
#ifdef EDO_DEBUG
    void edo_future_ended_(struct edo_future *);
    edo_future_ended_(future);
#else
    (void)future;
#endif
}

/* As edo_future_poll, for who has looked up the future's function before. */
static inline enum edo_poll edo_future_poll_by_(struct edo_future *future, edo_poll_fn *poll,
                                                struct edo_context *cx)
{
    edo_future_check(future, cx);
    if (poll(future, cx) == EDO_PENDING)
        return EDO_PENDING;
    future->state = EDO_STATE_DONE;
    edo_future_ended(future);
    return EDO_READY;
}

/* Polls a future: what every executor and combinator calls. A build with EDO_DEBUG checks the
 * rules above first. Not for a future that is done. */
static inline enum edo_poll edo_future_poll(struct edo_future *future, struct edo_context *cx)
{
    return edo_future_poll_by_(future, future->poll, cx);
}

/* Drops a future that has not completed; does nothing for one that is done, or zero. */
void edo_future_drop(struct edo_future *future, struct edo_context *cx);

/* Reports a future and what it waits for to the context's trace function. The future is one that
 * is suspended; nothing changes in it. */
void edo_future_trace(struct edo_future *future, struct edo_context *cx);

/* Whether the future has completed or was dropped. */
static inline bool edo_future_done(const struct edo_future *future)
{
    return future->state == EDO_STATE_DONE;
}

#ifdef __cplusplus
}
#endif

#endif
