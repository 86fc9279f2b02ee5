/* SPDX-License-Identifier: MIT */
/* The engine behind the macros of future.h: the rare walks, JOIN, SELECT, panics. */
#include "future.h"

#include <stdarg.h>
#include <stdio.h>

#include "internal/sys.h"

/* The walk afterwards is `walk`. */
static inline void drop(struct edo_future *future, struct edo_context *cx, enum edo_walk walk)
{
    if (future->poll == NULL || future->state == EDO_STATE_DONE)
        return;
    cx->walk = EDO_WALK_DROP;
    edo_future_check(future, cx);
    future->poll(future, cx);
    future->state = EDO_STATE_DONE;
    edo_future_ended(future);
    cx->walk = walk;
}

void edo_future_drop(struct edo_future *future, struct edo_context *cx)
{
    drop(future, cx, cx->walk);
}

void edo_future_trace(struct edo_future *future, struct edo_context *cx)
{
    if (future->poll == NULL || future->state == EDO_STATE_DONE)
        return;
    enum edo_walk walk = cx->walk;
    cx->walk = EDO_WALK_TRACE;
    future->poll(future, cx);
    cx->walk = walk;
}

static void trace_child(struct edo_future *child, struct edo_context *cx)
{
    cx->depth++;
    edo_future_trace(child, cx);
    cx->depth--;
}

enum edo_next_ edo_await_walk_(struct edo_future *child, struct edo_context *cx, const char *name,
                               const char *file, int line)
{
    if (cx->walk == EDO_WALK_DROP) {
        edo_future_drop(child, cx);
        return EDO_NEXT_LEAVE_;
    }
    edo_trace(cx, name, file, line);
    trace_child(child, cx);
    return EDO_NEXT_SUSPEND_;
}

bool edo_walk_idle_(struct edo_context *cx, const char *name, const char *file, int line)
{
    if (cx->walk == EDO_WALK_DROP)
        return true;
    edo_trace(cx, name, file, line);
    return false;
}

bool edo_resume_other_(struct edo_future *future, struct edo_context *cx, const char *name,
                       const char *file, int line)
{
    if (future->state == EDO_STATE_PANICKED_) {
        if (cx->walk == EDO_WALK_DROP)
            return true;
        if (cx->walk == EDO_WALK_TRACE)
            edo_trace(cx, name, cx->panic.file, cx->panic.line);
        return false;
    }
    if (cx->walk == EDO_WALK_TRACE) {
        edo_trace(cx, name, file, line);
        return false;
    }
    if (future->state == EDO_STATE_DONE)
        edo_bug(file, line, "future %s was polled after it completed", name);
    edo_bug(file, (int)future->state,
            "future %s cannot resume here: an await inside a switch of your own?", name);
}

__attribute__((format(printf, 5, 0))) static void panic_record(struct edo_context *cx,
                                                               const char *name, const char *file,
                                                               int line, const char *format,
                                                               va_list args)
{
    if (cx->panic.name != NULL)
        return;
    cx->panic.name = name;
    cx->panic.file = file;
    cx->panic.line = line;
    vsnprintf(cx->panic.message, sizeof cx->panic.message, format, args);
}

enum edo_poll edo_panic(struct edo_context *cx, const char *name, const char *file, int line,
                        const char *format, ...)
{
    va_list args;
    va_start(args, format);
    panic_record(cx, name, file, line, format, args);
    va_end(args);
    return EDO_PENDING;
}

void edo_panic_here_(struct edo_future *future, struct edo_context *cx, const char *name,
                     const char *file, int line, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    panic_record(cx, name, file, line, format, args);
    va_end(args);
    /* In FINALLY the state is DONE already and stays so: FINALLY runs once. */
    if (future->state != EDO_STATE_DONE)
        future->state = EDO_STATE_PANICKED_;
    else if (cx->walk == EDO_WALK_POLL)
        edo_future_ended(future);
}

/* The drop and trace walks through several children in flight. */
static enum edo_next_ walk_all(struct edo_future *const *branches, size_t count,
                               struct edo_context *cx, const char *name, const char *file, int line)
{
    if (cx->walk == EDO_WALK_DROP) {
        for (size_t i = 0; i < count; i++)
            edo_future_drop(branches[i], cx);
        return EDO_NEXT_LEAVE_;
    }
    edo_trace(cx, name, file, line);
    for (size_t i = 0; i < count; i++)
        trace_child(branches[i], cx);
    return EDO_NEXT_SUSPEND_;
}

size_t edo_join_marked_(struct edo_future *future, struct edo_future *const *branches, size_t count)
{
    future->pin &= ~EDO_PIN_MARKED_;
    for (size_t i = 0; i < count; i++) {
        if ((branches[i]->pin & EDO_PIN_FIRST_) != 0) {
            branches[i]->pin &= ~EDO_PIN_FIRST_;
            return i;
        }
    }
    return 0;
}

/* Polls those from `at` to `end`, after others of which some wait; how many wait of all. */
static size_t join_poll(struct edo_future *future, struct edo_future *const *at,
                        struct edo_future *const *end, size_t waiting, struct edo_context *cx)
{
    for (; at < end; at++)
        waiting = edo_join_one_(future, *at, (*at)->poll, waiting, cx);
    return waiting;
}

enum edo_next_ edo_join_(struct edo_future *future, struct edo_future *const *branches,
                         size_t count, struct edo_context *cx, const char *name, const char *file,
                         int line)
{
    if (cx->walk != EDO_WALK_POLL)
        return walk_all(branches, count, cx, name, file, line);
    size_t start = edo_join_start_(future, branches, count);
    size_t waiting = join_poll(future, branches + start, branches + count, 0, cx);
    waiting = join_poll(future, branches, branches + start, waiting, cx);
    return edo_join_goes_on_(waiting, cx) ? EDO_NEXT_GO_ : EDO_NEXT_SUSPEND_;
}

bool edo_joining_poll_(struct edo_joining_ *joining, struct edo_future *branch,
                       struct edo_context *cx)
{
    size_t index = joining->index++;
    if (cx->walk != EDO_WALK_POLL || cx->panic.name != NULL || joining->error < 0 ||
        (index < joining->start) != (joining->pass == 2))
        return false;
    if (edo_future_done(branch))
        return true;
    uint32_t budget = cx->budget;
    if (edo_future_poll(branch, cx) == EDO_READY)
        return true;
    edo_join_mark_(joining->future, branch, budget);
    joining->waiting++;
    return false;
}

enum edo_next_ edo_joining_end_(struct edo_joining_ *joining, struct edo_future *const *branches,
                                size_t count, struct edo_context *cx, const char *name,
                                const char *file, int line)
{
    if (cx->walk != EDO_WALK_POLL)
        return walk_all(branches, count, cx, name, file, line);
    if (joining->error < 0) {
        for (size_t i = 0; i < count; i++)
            edo_future_drop(branches[i], cx);
    } else if (joining->waiting != 0) {
        return EDO_NEXT_SUSPEND_;
    }
    return cx->panic.name != NULL ? EDO_NEXT_SUSPEND_ : EDO_NEXT_GO_;
}

enum edo_next_ edo_race_(struct edo_future *const *branches, size_t count, size_t *winner,
                         struct edo_context *cx, const char *name, const char *file, int line)
{
    if (cx->walk != EDO_WALK_POLL)
        return walk_all(branches, count, cx, name, file, line);
    size_t at = count > 1 ? edo_context_below(cx, (uint32_t)count) : 0;
    for (size_t i = 0; i < count && cx->panic.name == NULL; i++, at = at + 1 < count ? at + 1 : 0) {
        if (!edo_future_done(branches[at]) && edo_future_poll(branches[at], cx) == EDO_PENDING)
            continue;
        for (size_t j = 0; j < count; j++)
            if (j != at)
                edo_future_drop(branches[j], cx);
        *winner = at;
        /* A loser's FINALLY may panic. */
        return cx->panic.name == NULL ? EDO_NEXT_GO_ : EDO_NEXT_SUSPEND_;
    }
    return EDO_NEXT_SUSPEND_;
}

void edo_select_none_(struct edo_future *future, struct edo_context *cx, const char *name,
                      const char *file, int line)
{
    edo_panic_here_(future, cx, name, file, line,
                    "every branch of a SELECT is off and it has no OTHERWISE");
}

bool edo_select_lost_(struct edo_future *branch, struct edo_context *cx)
{
    drop(branch, cx, EDO_WALK_POLL); /* which it is: nothing of it need be kept across the call */
    /* Its FINALLY may panic. */
    return cx->panic.name == NULL;
}

void edo_select_walk_(uint8_t phase, struct edo_future *branch, bool borrowed,
                      struct edo_context *cx)
{
    if (phase == EDO_SELECT_DROP_)
        edo_future_drop(branch, cx);
    else if (edo_select_on_(branch, borrowed))
        trace_child(branch, cx);
}

/* What programs built with EDO_DEBUG call; the library has it in any build. */
void edo_future_check_(struct edo_future *future, struct edo_context *cx);
void edo_future_ended_(struct edo_future *future);
void edo_place_check_(const void *place, const void *frame, const char *name, const char *file,
                      int line);

static void report_line(void *arg, int depth, const char *name, const char *file, int line)
{
    (void)arg;
    if (file != NULL)
        fprintf(stderr, "edo: %*s%s (%s:%d)\n", 2 * depth, "", name, file, line);
    else
        fprintf(stderr, "edo: %*s%s\n", 2 * depth, "", name);
}

/* The future says who it is: its trace walk reads only itself and its children. */
static _Noreturn void report(struct edo_future *future, struct edo_context *cx, const char *what)
{
    cx->trace = report_line;
    cx->walk = EDO_WALK_TRACE;
    future->poll(future, cx);
    edo_bug(__FILE__, __LINE__, "the future named above %s", what);
}

void edo_future_check_(struct edo_future *future, struct edo_context *cx)
{
    if (future->poll == NULL)
        edo_bug(__FILE__, __LINE__, "a future that was never made was polled");
    if (future->state == EDO_STATE_DONE)
        report(future, cx, "was polled after it completed");
    /* Of a pointer's alignment, so that the lowest bit is free, for none to be 0. */
    uint32_t pin = (uint32_t)((uintptr_t)future >> 2 & ~EDO_PIN_BITS_) | 1;
    if ((future->pin & ~EDO_PIN_BITS_) == 0) {
        future->pin |= pin;
        edo_census_add(EDO_CENSUS_FUTURES, 1);
    } else if ((future->pin & ~EDO_PIN_BITS_) != pin)
        report(future, cx, "was moved after its first poll, or after PIN");
}

/* The stack grows downwards, so between this function's frame and the body's there is only what the body has there
 * itself. (Where a frame begins below its variables, as on arm64, this sees nothing.) */
void edo_place_check_(const void *place, const void *frame, const char *name, const char *file,
                      int line)
{
    if ((uintptr_t)place > (uintptr_t)__builtin_frame_address(0) &&
        (uintptr_t)place < (uintptr_t)frame)
        edo_bug(file, line,
                "%s awaits a future in a variable of its function, which is gone when it resumes: "
                "keep it in "
                "struct %s",
                name, name);
}

void edo_future_ended_(struct edo_future *future)
{
    (void)future;
    edo_census_add(EDO_CENSUS_FUTURES, -1);
}
