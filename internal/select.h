/* SPDX-License-Identifier: MIT */
/* The loop behind SELECT. Not for use by hand.
 *
 * A SELECT visits its branches from top to bottom, once per pass, so that each handler can stand
 * under its branch: no pass needs the list of them. A call of the body makes these passes:
 *
 *   arm      evaluate the conditions, make the futures (first arrival); or
 *   count    find out how many branches there are (each later poll, unless biased)
 *   poll     from a random branch to the bottom, then from the top to it, until one is ready; then
 *            drop the losers below it
 *   run      drop the losers above the winner, then its handler
 *
 * What a pass knows lives on the stack. What survives a suspension is in the branches themselves:
 * done, or off. A handler that awaits resumes inside the loop with the struct zeroed, and zero
 * means "leave when this pass ends". One that does not await finds the same.
 */
#ifndef EDO_INTERNAL_SELECT_H
#define EDO_INTERNAL_SELECT_H

#include "step.h"

enum edo_select_phase_ {
    EDO_SELECT_LEAVE_ = 0,
    EDO_SELECT_ARM_,
    EDO_SELECT_COUNT_,
    EDO_SELECT_POLL_,
    EDO_SELECT_RUN_,
    EDO_SELECT_OTHERWISE_,
    EDO_SELECT_DROP_,
    EDO_SELECT_TRACE_,
    /* Not passes: what the loop does next. */
    EDO_SELECT_SUSPEND_,
    EDO_SELECT_DROPPED_,
};

struct edo_select_ {
    uint8_t phase;
    bool begun; /* the phase's pass has been made */
    bool biased;
    bool second;    /* polling the branches above `start` */
    bool otherwise; /* there is an OTHERWISE */
    uint16_t index; /* of the branch about to be visited */
    uint16_t count; /* of branches */
    uint16_t start; /* the first one to be polled */
    uint16_t waiting;
    uint16_t winner; /* index + 1; 0 is none yet, or one whose handler is not to run */
};

/* The struct lives in registers, and most of its passes in the flow of control, when nothing has its address. */
#define EDO_SELECT_INLINE_ __attribute__((always_inline)) static inline

static inline void edo_select_begin_(struct edo_select_ *s, bool biased)
{
    *s = (struct edo_select_){.phase = EDO_SELECT_ARM_, .biased = biased};
}

static inline void edo_select_resume_(struct edo_select_ *s, bool biased, enum edo_walk walk)
{
    /* From the top, it does not matter how many there are. */
    uint8_t phase = walk == EDO_WALK_POLL   ? biased ? EDO_SELECT_POLL_ : EDO_SELECT_COUNT_
                    : walk == EDO_WALK_DROP ? EDO_SELECT_DROP_
                                            : EDO_SELECT_TRACE_;
    *s = (struct edo_select_){.phase = phase, .biased = biased};
}

/* Every branch is off, and there is no OTHERWISE: the future panics. */
void edo_select_none_(struct edo_future *future, struct edo_context *cx, const char *name,
                      const char *file, int line);

/* What follows a pass that was made. */
EDO_SELECT_INLINE_ uint8_t edo_select_next_(struct edo_select_ *s, struct edo_future *future,
                                            struct edo_context *cx, const char *name,
                                            const char *file, int line)
{
    switch ((enum edo_select_phase_)s->phase) {
    case EDO_SELECT_ARM_:
    case EDO_SELECT_COUNT_:
        s->count = s->index;
        if (!s->biased && s->count > 1)
            s->start = (uint16_t)edo_context_below(cx, s->count);
        return EDO_SELECT_POLL_;
    case EDO_SELECT_POLL_:
        if (cx->panic.name != NULL)
            return EDO_SELECT_SUSPEND_;
        if (s->winner != 0)
            return EDO_SELECT_RUN_;
        if (!s->second && s->start > 0) {
            s->second = true;
            return EDO_SELECT_POLL_;
        }
        if (s->waiting > 0)
            return EDO_SELECT_SUSPEND_;
        if (s->otherwise)
            return EDO_SELECT_OTHERWISE_;
        edo_select_none_(future, cx, name, file, line);
        return EDO_SELECT_SUSPEND_;
    case EDO_SELECT_RUN_:
        return s->winner != 0 ? EDO_SELECT_LEAVE_ : EDO_SELECT_SUSPEND_;
    case EDO_SELECT_DROP_:
        return EDO_SELECT_DROPPED_;
    case EDO_SELECT_TRACE_:
        return EDO_SELECT_SUSPEND_;
    default:
        return EDO_SELECT_LEAVE_;
    }
}

/* Before each pass, and after the last: true when there is another, or something to be done. */
EDO_SELECT_INLINE_ bool edo_select_turn_(struct edo_select_ *s, struct edo_future *future,
                                         struct edo_context *cx, const char *name, const char *file,
                                         int line)
{
    if (s->begun)
        s->phase = edo_select_next_(s, future, cx, name, file, line);
    else if (s->phase == EDO_SELECT_TRACE_)
        edo_trace(cx, name, file, line);
    s->begun = true;
    s->index = 0;
    return s->phase != EDO_SELECT_LEAVE_;
}

/* The mark is of the last SELECT that borrowed the future; it means nothing to one that owns it. */
static inline bool edo_select_on_(const struct edo_future *branch, bool borrowed)
{
    return branch->poll != NULL && branch->state != EDO_STATE_DONE &&
           !(borrowed && (branch->pin & EDO_PIN_OFF_) != 0);
}

/* Arming an owned branch: true when its future is to be made. */
static inline bool edo_select_arm_(struct edo_select_ *s, struct edo_future *branch, bool condition)
{
    s->index++;
    if (!condition)
        *branch = (struct edo_future){.poll = NULL};
    return condition;
}

/* Arming a borrowed branch. */
static inline void edo_select_borrow_(struct edo_select_ *s, struct edo_future *branch,
                                      bool condition)
{
    s->index++;
    branch->pin = condition ? branch->pin & ~EDO_PIN_OFF_ : branch->pin | EDO_PIN_OFF_;
}

/* Polls the branch, if it is on: true when it is ready. */
EDO_SELECT_INLINE_ bool edo_select_poll_(struct edo_select_ *s, struct edo_future *branch,
                                         bool borrowed, struct edo_context *cx)
{
    if (cx->panic.name != NULL || !edo_select_on_(branch, borrowed))
        return false;
    if (edo_future_poll(branch, cx) == EDO_READY)
        return true;
    s->waiting++;
    return false;
}

/* Of an owned branch that is not the winner. False: it panicked, and no handler is to run any more. */
bool edo_select_lost_(struct edo_future *branch, struct edo_context *cx);

/* A visit when the SELECT is dropped, or traced. */
void edo_select_walk_(uint8_t phase, struct edo_future *branch, bool borrowed,
                      struct edo_context *cx);

/* One visit in any pass but arming: true when the branch became ready just now. */
EDO_SELECT_INLINE_ bool edo_select_visit_(struct edo_select_ *s, struct edo_future *branch,
                                          bool borrowed, struct edo_context *cx)
{
    uint16_t index = s->index++;
    /* Not a branch of the other half. */
    if (s->phase == EDO_SELECT_POLL_ && s->winner == 0)
        return s->second == (index < s->start) && edo_select_poll_(s, branch, borrowed, cx);
    switch ((enum edo_select_phase_)s->phase) {
    case EDO_SELECT_RUN_:
        /* Those below the winner were dropped when it had been polled. */
        if (index + 1 >= s->winner)
            break;
        __attribute__((fallthrough));
    case EDO_SELECT_POLL_:
        if (!borrowed && !edo_select_lost_(branch, cx))
            s->winner = 0;
        break;
    case EDO_SELECT_DROP_:
    case EDO_SELECT_TRACE_:
        edo_select_walk_(s->phase, branch, borrowed, cx);
        break;
    default: /* below a handler that has run, and when they are counted */
        break;
    }
    return false;
}

static inline void edo_select_ready_(struct edo_select_ *s, bool match)
{
    if (match)
        s->winner = s->index;
}

/* Before a handler: as it is found by one that has awaited. So a handler that is left by `break` or `goto`
 * leaves nothing behind, of which a SELECT around it would think that it is its own. */
static inline bool edo_select_last_(struct edo_select_ *s, bool runs)
{
    if (runs)
        s->phase = EDO_SELECT_LEAVE_;
    return runs;
}

/* Whether the handler of the branch just visited runs. */
static inline bool edo_select_run_(struct edo_select_ *s)
{
    return edo_select_last_(s, s->phase == EDO_SELECT_RUN_ && s->winner == s->index);
}

static inline bool edo_select_otherwise_(struct edo_select_ *s)
{
    s->otherwise = true;
    return edo_select_last_(s, s->phase == EDO_SELECT_OTHERWISE_);
}

#define EDO_SELECT_(biased)                                                                  \
    for (edo_select_begin_(&edo_select_, (biased)), self->future_.state = __LINE__;          \
         edo_select_turn_(&edo_select_, &self->future_, cx, edo_name_, __FILE__, __LINE__);) \
        if (edo_select_.phase >= EDO_SELECT_SUSPEND_) {                                      \
            if (edo_select_.phase == EDO_SELECT_DROPPED_)                                    \
                EDO_LEAVE_;                                                                  \
            return edo_pending_;                                                             \
        case EDO_RESUME_(__LINE__):                                                          \
            edo_select_resume_(&edo_select_, (biased), cx->walk);                            \
        } else

/* One statement, of which the handler is the last `else`: no `else` of the user's can be taken for one of
 * these. */
#define EDO_WHEN_(condition, match, place, ...)                                \
    if (edo_select_.phase == EDO_SELECT_ARM_) {                                \
        if (edo_select_arm_(&edo_select_, &(place).future_, (condition)))      \
            (place) = (__VA_ARGS__);                                           \
        EDO_CHECK_PLACE_(&(place))                                             \
    } else if (edo_select_visit_(&edo_select_, &(place).future_, false, cx)) { \
        edo_select_ready_(&edo_select_, (match));                              \
    } else if (!edo_select_run_(&edo_select_)) {                               \
    } else

#define EDO_WHEN_REF_(condition, match, place)                                \
    if (edo_select_.phase == EDO_SELECT_ARM_) {                               \
        edo_select_borrow_(&edo_select_, &(place).future_, (condition));      \
        EDO_CHECK_PLACE_(&(place))                                            \
    } else if (edo_select_visit_(&edo_select_, &(place).future_, true, cx)) { \
        edo_select_ready_(&edo_select_, (match));                             \
    } else if (!edo_select_run_(&edo_select_)) {                              \
    } else

#endif
