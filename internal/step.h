/* SPDX-License-Identifier: MIT */
/* What the macros of future.h expand to. Not for use by hand. */
#ifndef EDO_INTERNAL_STEP_H
#define EDO_INTERNAL_STEP_H

#include "../poll.h"

/* A body returns this, so that a stray `return 0;` does not compile. */
struct edo_step_ {
    enum edo_poll poll;
};

#define edo_pending_ ((struct edo_step_){EDO_PENDING})
#define edo_ready_   ((struct edo_step_){EDO_READY})

/* States beside EDO_STATE_FRESH, EDO_STATE_DONE and the line of the await. */
#define EDO_STATE_PANICKED_ 0xfffffffdu /* waits to be dropped */

/* Above what an int holds, so that a resume label inside a user's own switch does not compile. */
#define EDO_RESUME_(state) (0x100000000ULL | (state))

/* In a future's `pin`: a hash of its address at the first poll, and two bits of who polls it: set while
 * a borrowed branch of a SELECT is off; the first to be polled of a JOIN's branches. The third is of the
 * future that JOINs: one of its branches is to be the first. */
#define EDO_PIN_OFF_    0x80000000u
#define EDO_PIN_FIRST_  0x40000000u
#define EDO_PIN_MARKED_ 0x20000000u
#define EDO_PIN_BITS_   (EDO_PIN_OFF_ | EDO_PIN_FIRST_ | EDO_PIN_MARKED_)

/* The output of FUTURE(void). */
__extension__ struct edo_void {
};

#define EDO_OUTPUT_(...)            EDO_OUTPUT_TYPE_(EDO_VOID_##__VA_ARGS__, __VA_ARGS__)
#define EDO_VOID_void               ~, struct edo_void
#define EDO_OUTPUT_TYPE_(...)       EDO_OUTPUT_PICK_(__VA_ARGS__, )
#define EDO_OUTPUT_PICK_(a, b, ...) __typeof__(b)

/* With EDO_DEBUG, where a body awaits: stops the program when the future is one of the function's own variables. */
#ifdef EDO_DEBUG
#define EDO_BODY_ __attribute__((noinline)) static
#define EDO_CHECK_PLACE_(child) \
    edo_place_check_((child), __builtin_frame_address(0), edo_name_, __FILE__, __LINE__);
#define EDO_CHECK_PLACES_(...) EDO_MAP_(EDO_CHECK_PLACE_OF_, __VA_ARGS__);
#define EDO_CHECK_PLACE_OF_(branch) \
    edo_place_check_((branch), __builtin_frame_address(0), edo_name_, __FILE__, __LINE__)
void edo_place_check_(const void *place, const void *frame, const char *name, const char *file,
                      int line);
#else
#define EDO_BODY_ static
#define EDO_CHECK_PLACE_(child)
#define EDO_CHECK_PLACES_(...)
#endif

#define EDO_ASYNC_(linkage, name)                                                                  \
    _Static_assert(__builtin_offsetof(struct name, future_) == 0,                                  \
                   "FUTURE(...) is not the first member of struct " #name);                        \
    EDO_BODY_ struct edo_step_ name##_body_(struct name *const self, struct edo_context *const cx, \
                                            const char *const edo_name_);                          \
    linkage enum edo_poll name##_poll(struct edo_future *future, struct edo_context *cx);          \
    enum edo_poll name##_poll(struct edo_future *future, struct edo_context *cx)                   \
    {                                                                                              \
        return name##_body_((struct name *)future, cx, #name).poll;                                \
    }                                                                                              \
    static struct edo_step_ name##_body_(struct name *const self, struct edo_context *const cx,    \
                                         const char *const edo_name_)

/* Out of the switch, which ASYNC_FINALLY or ASYNC_END has closed, from wherever in it. */
#define EDO_LEAVE_ goto edo_leave_

/* ASYNC_FINALLY hides it behind one that is false: to leave from there would be to enter it again. */
enum { edo_may_return_ = true };
#define EDO_MAY_RETURN_ _Static_assert(edo_may_return_, "RETURN after ASYNC_FINALLY")

/* Goes on, suspends, leaves for FINALLY; or, of a loop, there is no more. */
enum edo_next_ { EDO_NEXT_GO_, EDO_NEXT_SUSPEND_, EDO_NEXT_LEAVE_, EDO_NEXT_STOP_ };

#define EDO_STEP_(next)                 \
    do {                                \
        enum edo_next_ next_ = (next);  \
        if (next_ == EDO_NEXT_LEAVE_)   \
            EDO_LEAVE_;                 \
        if (next_ == EDO_NEXT_SUSPEND_) \
            return edo_pending_;        \
    } while (0)

/* What stands between two awaits is reached in a poll only. Said to the compiler, it leaves out of functions
 * that it has inlined what they do in other walks. */
static inline void edo_only_polls_(const struct edo_context *cx)
{
    if (cx->walk != EDO_WALK_POLL)
        __builtin_unreachable();
}

/* The first poll of a future that was made just now: the compiler knows which it is, where it is not made by
 * a call, and calls its function directly, or inlines it. */
__attribute__((always_inline)) static inline enum edo_poll edo_await_first_(
    struct edo_future *child, struct edo_context *cx)
{
    edo_only_polls_(cx);
    return edo_future_done(child) ? EDO_READY : edo_future_poll(child, cx);
}

/* An await of what was made just now: what comes after the first poll is where the later ones resume. */
#define EDO_AWAIT_MADE_(child)                        \
    self->future_.state = __LINE__;                   \
    EDO_CHECK_PLACE_(child)                           \
    if (edo_await_first_((child), cx) == EDO_PENDING) \
        return edo_pending_;                          \
    if (false)                                        \
    case EDO_RESUME_(__LINE__):                       \
        EDO_STEP_(edo_await_((child), cx, edo_name_, __FILE__, __LINE__))

/* One await: the first arrival falls into the label where the later ones resume. */
#define EDO_AWAIT_HERE_(child)      \
    self->future_.state = __LINE__; \
    EDO_CHECK_PLACE_(child)         \
    __attribute__((fallthrough));   \
    case EDO_RESUME_(__LINE__):     \
        EDO_STEP_(edo_await_((child), cx, edo_name_, __FILE__, __LINE__))

/* The two walks through an await that are no poll. */
enum edo_next_ edo_await_walk_(struct edo_future *child, struct edo_context *cx, const char *name,
                               const char *file, int line);

static inline enum edo_next_ edo_await_(struct edo_future *child, struct edo_context *cx,
                                        const char *name, const char *file, int line)
{
    if (__builtin_expect(cx->walk != EDO_WALK_POLL, 0))
        return edo_await_walk_(child, cx, name, file, line);
    if (child->state == EDO_STATE_DONE)
        return EDO_NEXT_GO_;
    return edo_future_poll(child, cx) == EDO_READY ? EDO_NEXT_GO_ : EDO_NEXT_SUSPEND_;
}

/* A walk that finds the future suspended without a child. True: dropped. */
bool edo_walk_idle_(struct edo_context *cx, const char *name, const char *file, int line);

/* The resume states that are no line. True: on to FINALLY; false: suspend. Stops the program when
 * the state is none at all. */
bool edo_resume_other_(struct edo_future *future, struct edo_context *cx, const char *name,
                       const char *file, int line);

/* Records a panic and sets the state that goes with it. */
void edo_panic_here_(struct edo_future *future, struct edo_context *cx, const char *name,
                     const char *file, int line, const char *format, ...)
    __attribute__((format(printf, 6, 7)));

enum edo_next_ edo_join_(struct edo_future *future, struct edo_future *const *branches,
                         size_t count, struct edo_context *cx, const char *name, const char *file,
                         int line);

/* A JOIN polls its branches from the first to the last, unless the budget was spent before: then it
 * begins with the one that got none, so that it is not always the same ones that get some. Takes the
 * mark off; where to begin. */
size_t edo_join_marked_(struct edo_future *future, struct edo_future *const *branches,
                        size_t count);

static inline size_t edo_join_start_(struct edo_future *future, struct edo_future *const *branches,
                                     size_t count)
{
    return __builtin_expect((future->pin & EDO_PIN_MARKED_) != 0, 0)
               ? edo_join_marked_(future, branches, count)
               : 0;
}

/* A branch waits that was polled with so much left: with nothing, it is the first next time, unless another is. */
static inline void edo_join_mark_(struct edo_future *future, struct edo_future *branch,
                                  uint32_t budget)
{
    if (__builtin_expect(budget == 0, 0) && !(future->pin & EDO_PIN_MARKED_)) {
        branch->pin |= EDO_PIN_FIRST_;
        future->pin |= EDO_PIN_MARKED_;
    }
}

/* The first pass of a JOIN, branch by branch: of a future that was made just now the compiler knows which it
 * is, and calls its function directly, or not at all. A mark that is there is of a JOIN before it. */
static inline size_t edo_join_begin_(struct edo_future *future)
{
    future->pin &= ~EDO_PIN_MARKED_;
    return 0;
}

/* Polls one, unless it is done, or one before it has panicked, which waits then; how many wait now. Where all are
 * ready at once, and the compiler sees it, nothing is asked, and nothing written twice. */
__attribute__((always_inline)) static inline size_t edo_join_one_(struct edo_future *future,
                                                                  struct edo_future *branch,
                                                                  edo_poll_fn *poll, size_t waiting,
                                                                  struct edo_context *cx)
{
    edo_only_polls_(cx);
    if (edo_future_done(branch) || (waiting > 0 && __builtin_expect(cx->panic.name != NULL, 0)))
        return waiting;
    uint32_t budget = cx->budget;
    if (edo_future_poll_by_(branch, poll, cx) == EDO_READY)
        return waiting;
    edo_join_mark_(future, branch, budget);
    return waiting + 1;
}

static inline bool edo_join_goes_on_(size_t waiting, const struct edo_context *cx)
{
    return waiting == 0 && cx->panic.name == NULL;
}

/* TRY_JOIN: passes over the branches, from `start` to the last, then from the first to `start`; then the
 * end of it. */
struct edo_joining_ {
    struct edo_future *future;
    size_t waiting;
    long long error; /* the first negative output */
    size_t start, index;
    uint8_t pass;
};

static inline struct edo_joining_ edo_joining_begin_(struct edo_future *future,
                                                     struct edo_future *const *branches,
                                                     size_t count, const struct edo_context *cx)
{
    return (struct edo_joining_){
        .future = future,
        .start = cx->walk == EDO_WALK_POLL ? edo_join_start_(future, branches, count) : 0};
}

/* Whether there is another pass. */
static inline bool edo_joining_turn_(struct edo_joining_ *joining)
{
    joining->index = 0;
    return joining->pass++ < (joining->start > 0 ? 2 : 1);
}

/* True when this branch is done and its output is to be looked at. */
bool edo_joining_poll_(struct edo_joining_ *joining, struct edo_future *branch,
                       struct edo_context *cx);

static inline void edo_joining_output_(struct edo_joining_ *joining, long long output)
{
    if (output < 0)
        joining->error = output;
}

enum edo_next_ edo_joining_end_(struct edo_joining_ *joining, struct edo_future *const *branches,
                                size_t count, struct edo_context *cx, const char *name,
                                const char *file, int line);

/* RACE. *winner is set when it goes on. */
enum edo_next_ edo_race_(struct edo_future *const *branches, size_t count, size_t *winner,
                         struct edo_context *cx, const char *name, const char *file, int line);

#define EDO_HEAD_OF_(branch) &(branch)->future_
/* EDO_MAP_ would do for more. A number that is promised is one that is tested. */
#define EDO_BRANCHES_(...)                                                        \
    struct edo_future *const branches_[] = {EDO_MAP_(EDO_HEAD_OF_, __VA_ARGS__)}; \
    _Static_assert(sizeof branches_ >= sizeof branches_[0] &&                     \
                       sizeof branches_ <= 64 * sizeof branches_[0],              \
                   "one to 64 futures")
#define EDO_JOIN_ONE_(branch) \
    (waiting_ = edo_join_one_(&self->future_, &(branch)->future_, polls_[at_++], waiting_, cx))
#define EDO_POLL_OF_(branch) (branch)->future_.poll
#define EDO_TRY_JOIN_ONE_(branch)                           \
    (edo_joining_poll_(&joining_, &(branch)->future_, cx)   \
         ? edo_joining_output_(&joining_, (branch)->output) \
         : (void)0)

/* Leaves two braces open, for what is done with joining_.error. */
#define EDO_TRY_JOIN_HERE_(...)                                                                  \
    self->future_.state = __LINE__;                                                              \
    EDO_CHECK_PLACES_(__VA_ARGS__)                                                               \
    __attribute__((fallthrough));                                                                \
    case EDO_RESUME_(__LINE__): {                                                                \
        EDO_BRANCHES_(__VA_ARGS__);                                                              \
        struct edo_joining_ joining_ = edo_joining_begin_(                                       \
            &self->future_, branches_, sizeof branches_ / sizeof branches_[0], cx);              \
        while (edo_joining_turn_(&joining_)) {                                                   \
            EDO_MAP_(EDO_TRY_JOIN_ONE_, __VA_ARGS__);                                            \
        }                                                                                        \
        EDO_STEP_(edo_joining_end_(&joining_, branches_, sizeof branches_ / sizeof branches_[0], \
                                   cx, edo_name_, __FILE__, __LINE__));

/* EDO_MAP_(m, a, b, …) is m(a), m(b), …; up to 255, by David Mazières' recursive __VA_OPT__. */
#define EDO_PARENS_              ()
#define EDO_EXPAND_(...)         EDO_EXPAND3_(EDO_EXPAND3_(EDO_EXPAND3_(EDO_EXPAND3_(__VA_ARGS__))))
#define EDO_EXPAND3_(...)        EDO_EXPAND2_(EDO_EXPAND2_(EDO_EXPAND2_(EDO_EXPAND2_(__VA_ARGS__))))
#define EDO_EXPAND2_(...)        EDO_EXPAND1_(EDO_EXPAND1_(EDO_EXPAND1_(EDO_EXPAND1_(__VA_ARGS__))))
#define EDO_EXPAND1_(...)        __VA_ARGS__
#define EDO_MAP_(m, ...)         __VA_OPT__(EDO_EXPAND_(EDO_MAP_STEP_(m, __VA_ARGS__)))
#define EDO_MAP_STEP_(m, a, ...) m(a) __VA_OPT__(, EDO_MAP_AGAIN_ EDO_PARENS_(m, __VA_ARGS__))
#define EDO_MAP_AGAIN_()         EDO_MAP_STEP_

#endif
