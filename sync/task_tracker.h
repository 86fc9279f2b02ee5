/* SPDX-License-Identifier: MIT */
/* Task tracker: waits until all tasks, or whatever is tracked, have ended.
 *
 *     struct edo_task_tracker tracker;
 *     edo_task_tracker_init(&tracker);
 *
 *     edo_task_detach(SPAWN_TRACKED(&tracker, NEW(job, .n = 1)));
 *
 *     edo_task_tracker_close(&tracker);
 *     AWAIT(self->wait, edo_task_tracker_wait(&tracker));      all have ended, FINALLY and all
 *
 * It counts, and keeps nothing: what has ended costs no memory. Closing does not keep anything out, it
 * says that a wait may end. Who has waited sees what the tracked have written.
 */
#ifndef EDO_SYNC_TASK_TRACKER_H
#define EDO_SYNC_TASK_TRACKER_H

#include "../future.h"
#include "../internal/lock.h"
#include "../internal/row.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Stays where it is from init to destroy, and outlives what it tracks and the futures made of it. All
 * functions but these two may be called from any thread, and from a poll; none allocates. */
struct edo_task_tracker {
    uint64_t word_; /* how many are tracked, and whether it is closed */
    struct edo_lock lock_;
    struct edo_list waiters_;
};

void edo_task_tracker_init(struct edo_task_tracker *tracker);

/* Nothing is tracked, and nobody waits any more. When all waits have completed, one at least, it may be
 * destroyed at once: nobody touches it any more. That it is empty does not tell that: who has just dropped
 * the last token may still be at the lock. */
void edo_task_tracker_destroy(struct edo_task_tracker *tracker);

/* Lets waits end, as soon as nothing is tracked; and not any more. True: it was this call. */
bool edo_task_tracker_close(struct edo_task_tracker *tracker);
bool edo_task_tracker_reopen(struct edo_task_tracker *tracker);
bool edo_task_tracker_is_closed(const struct edo_task_tracker *tracker);

/* How many are tracked; out of date when it returns. */
size_t edo_task_tracker_len(const struct edo_task_tracker *tracker);
bool edo_task_tracker_is_empty(const struct edo_task_tracker *tracker);

/* edo_task_tracker_wait(&tracker): a future that is ready when the tracker is closed and tracks nothing,
 * or was so at some time since the first poll. It takes nothing off the budget. Cancel safe. */
struct edo_task_tracker_wait {
    EDO_FUTURE(void);
    struct edo_task_tracker *tracker;
    struct edo_waiter waiter;
};
struct edo_task_tracker_wait edo_task_tracker_wait(struct edo_task_tracker *tracker);

/* A token stands for something that is tracked, until it is dropped. Zeroed it is empty: dropping it does
 * nothing, fit for FINALLY. It is a value, that may be moved, and is dropped once: a second one for the same
 * is edo_task_tracker_token(token.tracker). */
struct edo_task_tracker_token {
    struct edo_task_tracker *tracker;
};
struct edo_task_tracker_token edo_task_tracker_token(struct edo_task_tracker *tracker);
void edo_task_tracker_token_drop(struct edo_task_tracker_token *token);

/* edo_track(&tracker, &self->child): polls a future of the same frame, whose output stays in it; it is
 * tracked from now, not from the first poll, until it has completed or is dropped. Cancel safety: the
 * child's; dropping it drops the child, and then the token. */
struct edo_track {
    EDO_FUTURE(void);
    struct edo_future *child;
    struct edo_task_tracker_token token;
};
#define edo_track(tracker, child) edo_track_((tracker), &(child)->future_)
struct edo_track edo_track_(struct edo_task_tracker *tracker, struct edo_future *child);

/* SPAWN_TRACKED(&tracker, future), SPAWN_TRACKED_ON(handle, &tracker, future): as SPAWN and SPAWN_ON of
 * runtime/task.h, which whoever writes them includes; the future is tracked from now until it has completed
 * or is dropped. */
#define EDO_SPAWN_TRACKED(tracker, ...) \
    EDO_SPAWN_TRACKED_ON((struct edo_handle *)NULL, tracker, __VA_ARGS__)
#define EDO_SPAWN_TRACKED_ON(handle, tracker, ...)                             \
    __extension__({                                                            \
        __auto_type edo_tracked_future_ = EDO_TRACKED((tracker), __VA_ARGS__); \
        EDO_SPAWN_ON((handle), edo_tracked_future_);                           \
    })

/* TRACKED(&tracker, future): that future by value, with the output of the one in it, for other
 * executors. Each time it is written it is a type of its own: keep it in an __auto_type. */
#define EDO_TRACKED(tracker, ...)                                                                \
    __extension__({                                                                              \
        typedef __typeof__((__VA_ARGS__)) edo_child_;                                            \
        struct {                                                                                 \
            struct edo_future future_;                                                           \
            __typeof__(((edo_child_ *)NULL)->output) output;                                     \
            struct edo_tracked_ core;                                                            \
            edo_child_ child;                                                                    \
        } tracked_;                                                                              \
        tracked_.child = (__VA_ARGS__);                                                          \
        edo_tracked_init_(&tracked_.future_, (tracker), &tracked_.core, &tracked_.child.future_, \
                          &tracked_.output, &tracked_.child.output, sizeof tracked_.output);     \
        tracked_;                                                                                \
    })

/* Behind the macro: where the parts are, from the head. The state of the head is the way to this. */
struct edo_tracked_ {
    struct edo_task_tracker_token token;
    size_t size; /* of the output */
    uint32_t output, child_output, child;
};
void edo_tracked_init_(struct edo_future *tracked, struct edo_task_tracker *tracker,
                       struct edo_tracked_ *core, struct edo_future *child, void *output,
                       const void *child_output, size_t size);

#ifndef EDO_NO_SHORT_NAMES
#define TRACKED          EDO_TRACKED
#define SPAWN_TRACKED    EDO_SPAWN_TRACKED
#define SPAWN_TRACKED_ON EDO_SPAWN_TRACKED_ON
#endif

#ifdef __cplusplus
}
#endif

#endif
