/* SPDX-License-Identifier: MIT */
/* The macros that turn a C function into a future.
 *
 *     struct greet {
 *         FUTURE(int);                  first member: resolves to int
 *         const char *name;             an argument
 *         struct edo_sleep sleep;       a child, awaited in place
 *     };
 *
 *     ASYNC(greet)
 *     {
 *         ASYNC_BEGIN;
 *         AWAIT(self->sleep, edo_sleep(100));
 *         printf("hello, %s\n", self->name);
 *         RETURN(0);
 *         ASYNC_FINALLY:
 *         puts("on return, on error, on cancellation: once");
 *         ASYNC_END;
 *     }
 *
 *     NEW(greet, .name = "world")       a future by value; the rest is zero
 *
 * A body sees `self`, its frame, and `cx`, the context of this poll. What must be remembered across
 * an await lives in the frame; the function's own variables do not: they are gone at each await.
 *
 * The body is one `switch` on the line at which it was suspended. Hence what may not be done:
 *  1. No await inside a `switch` of your own, two on one line, or after ASYNC_FINALLY: the compiler
 *     refuses with -Werror=overflow (gcc) and -Werror=switch (clang). `if` and loops are fine.
 *  2. No local variable that is used after an await: -Werror=jump-misses-init and
 *     -Werror=maybe-uninitialized (gcc), -Werror=conditional-uninitialized (clang) find most. One that is
 *     used between two awaits only stands in a block { } of its own there, or is declared before ASYNC_BEGIN.
 *     A future in one, which is awaited through a pointer, say, stops a build with EDO_DEBUG.
 *  3. No `return`: RETURN. No jump out past ASYNC_END.
 * docs/expansion.md shows a future beside what the preprocessor makes of it.
 *
 * All names here also exist with EDO_ in front; define EDO_NO_SHORT_NAMES to have only those.
 */
#ifndef EDO_FUTURE_H
#define EDO_FUTURE_H

#include "poll.h"
#include "internal/step.h"
#include "internal/select.h"

/* FUTURE(type); the first member of a future's struct: its head, and `output` of that type.
 * FUTURE(void); has an output of no size. */
#define EDO_FUTURE(...)        \
    struct edo_future future_; \
    EDO_OUTPUT_(__VA_ARGS__) output

/* NEW(name, .argument = value, …): a `struct name` by value, not polled yet; an expression. */
#define EDO_NEW(name, ...) \
    ((struct name){.future_ = {.poll = name##_poll} __VA_OPT__(, ) __VA_ARGS__})

/* What a function returns as it would EDO_NEW, that may be inlined: gcc then makes the future where
 * the caller wants it, where a literal goes by way of the stack, piecewise in and by wider loads out,
 * which costs more than the future does. */
#define EDO_NEW_RETURNED(name, ...) __extension__({ EDO_NEW(name, __VA_ARGS__); })

/* ASYNC(name) { body }: defines the future `struct name`, visible in this file.
 * Expands to `static enum edo_poll name_poll(…)` and a function with your body. */
#define EDO_ASYNC(name) EDO_ASYNC_(static, name)

/* ASYNC_EXTERN(name) { body }: the same for a future that other files use; a header holds its
 * struct and ASYNC_DECLARE(name);. */
#define EDO_ASYNC_EXTERN(name) EDO_ASYNC_(extern, name)

/* ASYNC_DECLARE(name); declares a future that some file defines. With `static` before it: one that
 * this file defines further down. */
#define EDO_ASYNC_DECLARE(name) \
    enum edo_poll name##_poll(struct edo_future *future, struct edo_context *cx)

/* ASYNC_BEGIN; before the first statement of a body. Declarations before it are reset at every
 * poll. Opens the switch. */
#define EDO_ASYNC_BEGIN                                                            \
    struct edo_select_ edo_select_ __attribute__((unused)) = {0};                  \
    enum edo_next_ edo_went_ __attribute__((unused));                              \
    switch (EDO_RESUME_(self->future_.state)) {                                    \
    default:                                                                       \
        if (!edo_resume_other_(&self->future_, cx, edo_name_, __FILE__, __LINE__)) \
            return edo_pending_;                                                   \
        goto edo_leave_;                                                           \
edo_leave_:                                                                        \
        break;                                                                     \
    case EDO_RESUME_(EDO_STATE_FRESH):                                             \
        if (cx->walk != EDO_WALK_POLL) {                                           \
            if (edo_walk_idle_(cx, edo_name_, __FILE__, __LINE__))                 \
                EDO_LEAVE_;                                                        \
            return edo_pending_;                                                   \
        }

/* ASYNC_FINALLY: what follows up to ASYNC_END runs exactly once: after RETURN, at the end, when
 * the future is dropped at any await, and when it is dropped before its first poll. Optional. It
 * cannot await. Closes the switch. */
#define EDO_ASYNC_FINALLY                 \
    break;                                \
    }                                     \
    self->future_.state = EDO_STATE_DONE; \
    switch ((signed char)0) {             \
        enum { edo_may_return_ = false }; \
        default

/* ASYNC_END; the last statement of a body. A body that ends here without RETURN leaves its output
 * as it is: zero, unless assigned. */
#define EDO_ASYNC_END                     \
    ;                                     \
    }                                     \
    self->future_.state = EDO_STATE_DONE; \
    return edo_ready_

/* RETURN(value); RETURN(); completes with that output, after ASYNC_FINALLY. Not in FINALLY. */
#define EDO_RETURN(...)                           \
    do {                                          \
        EDO_MAY_RETURN_;                          \
        __VA_OPT__(self->output = (__VA_ARGS__);) \
        EDO_LEAVE_;                               \
    } while (0)

/* AWAIT(place, future); makes the future in `place`, an lvalue of its type in the frame, and polls
 * it until it is ready; its output is then place.output. Dropped there, `place` is dropped first.
 */
#define EDO_AWAIT(place, ...)              \
    do {                                   \
        (place) = (__VA_ARGS__);           \
        EDO_AWAIT_MADE_(&(place).future_); \
    } while (0)

/* AWAIT_REF(place); the same for a future that was made in `place` before, and may have been polled
 * before (a borrowed one of SELECT). One that is done is not polled: its output is there. */
#define EDO_AWAIT_REF(place)               \
    do {                                   \
        EDO_AWAIT_HERE_(&(place).future_); \
    } while (0)

/* PIN(place, future); makes a future in `place`, and says that it stays there: for one that is borrowed
 * by a SELECT in a loop, say. From then on it completes or is dropped, as one that was polled; a build
 * with EDO_DEBUG stops the program when it is polled elsewhere. */
#define EDO_PIN(place, ...)                     \
    do {                                        \
        EDO_CHECK_PLACE_(&(place))              \
        (place) = (__VA_ARGS__);                \
        edo_future_check(&(place).future_, cx); \
    } while (0)

/* TRY_AWAIT(place, future); as AWAIT; a negative output becomes this future's own, which ends. */
#define EDO_TRY_AWAIT(place, ...)                                    \
    do {                                                             \
        (place) = (__VA_ARGS__);                                     \
        EDO_AWAIT_MADE_(&(place).future_);                           \
        if ((place).output < 0) {                                    \
            self->output = (__typeof__(self->output))(place).output; \
            EDO_LEAVE_;                                              \
        }                                                            \
    } while (0)

/* TRY_AWAIT_REF(place); as AWAIT_REF, with a negative output passed on like TRY_AWAIT's. */
#define EDO_TRY_AWAIT_REF(place)                                     \
    do {                                                             \
        EDO_AWAIT_HERE_(&(place).future_);                           \
        if ((place).output < 0) {                                    \
            self->output = (__typeof__(self->output))(place).output; \
            EDO_LEAVE_;                                              \
        }                                                            \
    } while (0)

/* YIELD_NOW(); lets every other ready task of this executor run before going on. */
#define EDO_YIELD_NOW()                                            \
    do {                                                           \
        self->future_.state = __LINE__;                            \
        edo_wake(cx->waker);                                       \
        return edo_pending_;                                       \
    case EDO_RESUME_(__LINE__):                                    \
        if (cx->walk != EDO_WALK_POLL) {                           \
            if (edo_walk_idle_(cx, edo_name_, __FILE__, __LINE__)) \
                EDO_LEAVE_;                                        \
            return edo_pending_;                                   \
        }                                                          \
    } while (0)

/* JOIN(&self->a, &self->b, …); up to 64 futures made before; goes on when all are done. The outputs
 * stay in the futures. Those that are done already are not polled. The others are polled in their order,
 * each time; where the task's budget did not last for all, the next time from the one that got none. */
#define EDO_JOIN(...)                                                                              \
    do {                                                                                           \
        self->future_.state = __LINE__;                                                            \
        EDO_CHECK_PLACES_(__VA_ARGS__)                                                             \
        {                                                                                          \
            edo_poll_fn *const polls_[] = {EDO_MAP_(EDO_POLL_OF_, __VA_ARGS__)};                   \
            size_t at_ = 0, waiting_ = edo_join_begin_(&self->future_);                            \
            EDO_MAP_(EDO_JOIN_ONE_, __VA_ARGS__);                                                  \
            if (edo_join_goes_on_(waiting_, cx))                                                   \
                break;                                                                             \
            return edo_pending_;                                                                   \
        }                                                                                          \
    case EDO_RESUME_(__LINE__): {                                                                  \
        EDO_BRANCHES_(__VA_ARGS__);                                                                \
        EDO_STEP_(edo_join_(&self->future_, branches_, sizeof branches_ / sizeof branches_[0], cx, \
                            edo_name_, __FILE__, __LINE__));                                       \
    }                                                                                              \
    } while (0)

/* TRY_JOIN(&self->a, &self->b, …); as JOIN, for integer outputs: the first negative one drops the
 * other futures at once and becomes this future's own output, which ends. */
#define EDO_TRY_JOIN(...)                                            \
    do {                                                             \
        EDO_TRY_JOIN_HERE_(__VA_ARGS__)                              \
        if (joining_.error < 0) {                                    \
            self->output = (__typeof__(self->output))joining_.error; \
            EDO_LEAVE_;                                              \
        }                                                            \
    }                                                                \
    }                                                                \
    while (0)

/* TRY_JOIN_TO(place, &self->a, &self->b, …); the same, going on here: `place` gets the first
 * negative output, or 0. */
#define EDO_TRY_JOIN_TO(place, ...)                  \
    do {                                             \
        EDO_TRY_JOIN_HERE_(__VA_ARGS__)              \
        (place) = (__typeof__(place))joining_.error; \
    }                                                \
    }                                                \
    while (0)

/* RACE(place, &self->a, &self->b, …); up to 64 futures made before; goes on when one of them is ready:
 * `place` is then its index, from 0, its output is in it, and the others have been dropped. The first
 * that is polled is chosen at random. One that is done already wins without being polled, so what is
 * raced again is made again. */
#define EDO_RACE(place, ...)                                                                 \
    do {                                                                                     \
        self->future_.state = __LINE__;                                                      \
        EDO_CHECK_PLACES_(__VA_ARGS__)                                                       \
        __attribute__((fallthrough));                                                        \
    case EDO_RESUME_(__LINE__): {                                                            \
        EDO_BRANCHES_(__VA_ARGS__);                                                          \
        size_t winner_ = 0;                                                                  \
        EDO_STEP_(edo_race_(branches_, sizeof branches_ / sizeof branches_[0], &winner_, cx, \
                            edo_name_, __FILE__, __LINE__));                                 \
        (place) = (__typeof__(place))winner_;                                                \
    }                                                                                        \
    } while (0)

/* PANIC(format, …); a bug was found: ends the task, not the process. The frames above are dropped,
 * each FINALLY runs, and the join handle reports the message and the chain of awaits. */
#define EDO_PANIC(...)                                                                   \
    do {                                                                                 \
        edo_panic_here_(&self->future_, cx, edo_name_, __FILE__, __LINE__, __VA_ARGS__); \
        return edo_pending_;                                                             \
    } while (0)

/* DROP(place); drops a future of this frame that is not being awaited: one that lost a SELECT as
 * borrowed, say. Nothing for one that is done, or zero. Also in FINALLY. */
#define EDO_DROP(place) edo_future_drop(&(place).future_, cx)

/* SELECT { WHEN(…) { … } … } polls its branches until one is ready, drops the others, and runs the
 * handler of that one, which may await. The first branch polled is chosen at random. SELECT_BIASED polls from the top,
 * where one that is always ready keeps out those below: docs/select.md. `break` and `continue` in a handler leave the
 * SELECT, as `break` leaves a switch. A SELECT whose branches are all off and that has no OTHERWISE panics.
 *
 * Branches, each followed by its handler's block:
 *     WHEN(place, future)                     made when the SELECT begins; dropped when it loses
 *     WHEN_IF(condition, place, future)       off, and not made, unless the condition holds
 *     WHEN_MATCH(pattern, place, future)      when ready, off unless the pattern then holds
 *     WHEN_IF_MATCH(condition, pattern, place, future)
 *     WHEN_REF(place)                         borrowed: made before, goes on when it loses; off when
 *                                             it is done
 *     WHEN_REF_IF(condition, place)
 *     WHEN_REF_MATCH(pattern, place)
 *     WHEN_REF_IF_MATCH(condition, pattern, place)
 *     OTHERWISE                               last: runs when every branch is off
 *
 * Conditions are looked at once, at the beginning, and a pattern when its future is ready: expressions of
 * values, without a PANIC or RETURN in them, which would leave the other branches as they are. Nothing but
 * branches stands in the block: it is gone through several times. A future is borrowed by one branch.
 *
 * Dropped while it waits, every branch is dropped, borrowed ones too. A borrowed future that may be
 * under way when the frame ends elsewhere is dropped in FINALLY: DROP(self->place). It is not polled while
 * a handler awaits. docs/select.md has examples, and the traps. */
#define EDO_SELECT        EDO_SELECT_(false)
#define EDO_SELECT_BIASED EDO_SELECT_(true)

#define EDO_WHEN(place, ...)                EDO_WHEN_(true, true, place, __VA_ARGS__)
#define EDO_WHEN_IF(condition, place, ...)  EDO_WHEN_((condition), true, place, __VA_ARGS__)
#define EDO_WHEN_MATCH(pattern, place, ...) EDO_WHEN_(true, (pattern), place, __VA_ARGS__)
#define EDO_WHEN_IF_MATCH(condition, pattern, place, ...) \
    EDO_WHEN_((condition), (pattern), place, __VA_ARGS__)
#define EDO_WHEN_REF(place)                EDO_WHEN_REF_(true, true, place)
#define EDO_WHEN_REF_IF(condition, place)  EDO_WHEN_REF_((condition), true, place)
#define EDO_WHEN_REF_MATCH(pattern, place) EDO_WHEN_REF_(true, (pattern), place)
#define EDO_WHEN_REF_IF_MATCH(condition, pattern, place) \
    EDO_WHEN_REF_((condition), (pattern), place)
#define EDO_OTHERWISE                           \
    if (!edo_select_otherwise_(&edo_select_)) { \
    } else

#ifndef EDO_NO_SHORT_NAMES
#define FUTURE            EDO_FUTURE
#define NEW               EDO_NEW
#define ASYNC             EDO_ASYNC
#define ASYNC_EXTERN      EDO_ASYNC_EXTERN
#define ASYNC_DECLARE     EDO_ASYNC_DECLARE
#define ASYNC_BEGIN       EDO_ASYNC_BEGIN
#define ASYNC_FINALLY     EDO_ASYNC_FINALLY
#define ASYNC_END         EDO_ASYNC_END
#define RETURN            EDO_RETURN
#define AWAIT             EDO_AWAIT
#define AWAIT_REF         EDO_AWAIT_REF
#define PIN               EDO_PIN
#define TRY_AWAIT         EDO_TRY_AWAIT
#define TRY_AWAIT_REF     EDO_TRY_AWAIT_REF
#define YIELD_NOW         EDO_YIELD_NOW
#define JOIN              EDO_JOIN
#define TRY_JOIN_TO       EDO_TRY_JOIN_TO
#define TRY_JOIN          EDO_TRY_JOIN
#define RACE              EDO_RACE
#define PANIC             EDO_PANIC
#define DROP              EDO_DROP
#define SELECT            EDO_SELECT
#define SELECT_BIASED     EDO_SELECT_BIASED
#define WHEN              EDO_WHEN
#define WHEN_IF           EDO_WHEN_IF
#define WHEN_MATCH        EDO_WHEN_MATCH
#define WHEN_IF_MATCH     EDO_WHEN_IF_MATCH
#define WHEN_REF          EDO_WHEN_REF
#define WHEN_REF_IF       EDO_WHEN_REF_IF
#define WHEN_REF_MATCH    EDO_WHEN_REF_MATCH
#define WHEN_REF_IF_MATCH EDO_WHEN_REF_IF_MATCH
#define OTHERWISE         EDO_OTHERWISE
#endif

#endif
