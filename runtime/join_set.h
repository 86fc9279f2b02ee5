/* SPDX-License-Identifier: MIT */
/* A set of tasks, whose outcomes are taken in the order of their ends.
 *
 *     JOIN_SET(int) set;                                        in the frame; NULL is an empty one
 *
 *     error = edo_join_set_spawn(&self->set, NEW(fetch, .url = url));       as often as need be
 *     …
 *     for (;;) {
 *         AWAIT(self->next, edo_join_set_join_next(&self->set, &self->length));
 *         if (self->next.output == UV_EOF)
 *             break;                                            all have ended
 *         if (self->next.output == 0)
 *             self->sum += self->length;                        otherwise it was aborted, or panicked
 *     }
 *     …
 *     ASYNC_FINALLY:
 *     edo_join_set_drop(&self->set);                            aborts those that are left
 *
 * The tasks are tasks as SPAWN makes them: they run by themselves, on the runtime's threads, which may be
 * several, and on several runtimes. One that ends puts itself on a list and wakes who waits: an end costs the
 * same among ten and among a hundred thousand. Each is one allocation, as any task. The set is one more, made by
 * the first spawn and freed by edo_join_set_drop: in FINALLY, also when the set is empty by then.
 *
 * The set is used by one task, or thread, at a time, on whichever executor. It is a pointer: it may be moved
 * while no future of it is under way, and is a `JOIN_SET(int) *` for functions. It is typed by the output that
 * all of its tasks have.
 *
 * FUTURES_UNORDERED (streams/) is a set of futures that run by turns in one task instead. SPAWN_TRACKED (sync/)
 * keeps nothing of a task, and no output.
 */
#ifndef EDO_RUNTIME_JOIN_SET_H
#define EDO_RUNTIME_JOIN_SET_H

#include "../internal/inbox.h"
#include "../internal/list.h"
#include "../internal/typed.h"
#include "blocking.h"
#include "local_set.h"
#include "task.h"

#ifdef __cplusplus
extern "C" {
#endif

struct edo_join_set;

/* Where a set is: read and written whatever it is typed by. */
typedef struct edo_join_set *edo_join_set_place_ __attribute__((may_alias));

/* JOIN_SET(type) name; declares a set of tasks whose output is of that type (or void). */
#define EDO_JOIN_SET(...) EDO_TYPED_(edo_join_set, EDO_OUTPUT_(__VA_ARGS__))

/* edo_join_set_spawn(&set, future), edo_join_set_spawn_on(&set, handle, future), …: as SPAWN, SPAWN_ON, … of
 * task.h, blocking.h and local_set.h, into a set. 0; or a negative error, that of edo_task_error: the future was
 * dropped, and the set is as it was. Where the runtime has shut down, it is 0, and the task one that was
 * aborted. */
#define edo_join_set_spawn(set, ...) \
    edo_join_set_spawn_on(set, (struct edo_handle *)NULL, __VA_ARGS__)
#define edo_join_set_spawn_on(set, handle, ...) \
    EDO_JOIN_SET_SPAWN_(edo_task_start_, set, handle, __VA_ARGS__)
#define edo_join_set_spawn_blocking(set, ...) \
    edo_join_set_spawn_blocking_on(set, (struct edo_handle *)NULL, __VA_ARGS__)
#define edo_join_set_spawn_blocking_on(set, handle, ...) \
    EDO_JOIN_SET_SPAWN_(EDO_START_BLOCKING_, set, handle, __VA_ARGS__)
#define edo_join_set_spawn_local(set, ...) \
    edo_join_set_spawn_local_on(set, (struct edo_local_set *)NULL, __VA_ARGS__)
#define edo_join_set_spawn_local_on(set, local_set, ...) \
    EDO_JOIN_SET_SPAWN_(edo_task_start_, set, edo_local_handle_(local_set), __VA_ARGS__)

/* Of the task that was spawned into the set last, as long as it is in there: its id; a new abort handle,
 * the caller's to drop, which may be kept longer. 0 and NULL when it has been joined, or could not be spawned. */
#define edo_join_set_last_id(set) edo_task_id_(edo_join_set_last_(EDO_JOIN_SET_PLACE_(set)))
#define edo_join_set_last_abort_handle(set) \
    edo_abort_handle_(edo_join_set_last_(EDO_JOIN_SET_PLACE_(set)))

/* How many tasks are in the set: spawned and not joined, also those that have ended. */
#define edo_join_set_len(set)      edo_join_set_len_(EDO_JOIN_SET_PLACE_(set))
#define edo_join_set_is_empty(set) (edo_join_set_len(set) == 0)

/* edo_join_set_join_next(&set, &value): a future that waits for the next task that ends, and takes it out of
 * the set. Those that have ended are taken in the order of their ends. Its output:
 *   0                and value has the task's output; otherwise value is unchanged:
 *   UV_ECANCELED     the task was aborted, or its runtime shut down
 *   EDO_EPANIC       it panicked
 *   UV_EOF           the set is empty. It may be filled again
 * `value` is a pointer to the output type, alive as long as the future; NULL: not wanted. In a SELECT,
 * WHEN_MATCH(self->next.output != UV_EOF, self->next, edo_join_set_join_next(…)) is a branch that is off when
 * the set is empty. Tasks may be spawned into the set meanwhile, by another branch of who waits.
 * Cancel safe: dropped, it has taken no task. It may be awaited on any executor. */
#define edo_join_set_join_next(set, value) edo_join_set_join_next_with_id(set, NULL, value)

/* The same, and `*id`, a uint64_t, is which task it was, as edo_task_id has it; 0 at UV_EOF. NULL: not
 * wanted. */
#define edo_join_set_join_next_with_id(set, id, value) \
    edo_join_set_join_next_report(set, id, value, NULL, 0)

/* The same; when the task panicked, its message and chain of awaits are put into `report`, cut to size and
 * ended by NUL; otherwise report is left alone. */
#define edo_join_set_join_next_report(set, id, value, report, size)            \
    edo_join_set_join_next_(EDO_JOIN_SET_PLACE_(set), (id), (value),           \
                            EDO_JOIN_CHECK_(EDO_JOIN_SET_OUTPUT_(set), value), \
                            EDO_JOIN_SET_OFFSET_(set), (report), (size))

struct edo_join_set_join_next {
    EDO_FUTURE(int);
    uint32_t size, offset;
    edo_join_set_place_ *set;
    uint64_t *id;
    void *value;
    char *report;
    size_t report_size;
};

/* Without waiting: as join_next; UV_EAGAIN: none has ended that is in the set. */
#define edo_join_set_try_join_next(set, value) edo_join_set_try_join_next_with_id(set, NULL, value)
#define edo_join_set_try_join_next_with_id(set, id, value) \
    edo_join_set_poll_join_next_with_id(set, (struct edo_context *)NULL, id, value)

/* For futures written by hand, with the context of their poll: as join_next; UV_EAGAIN: none has ended, or the
 * budget is used up; the context's waker will be woken. A future of edo_join_set_join_next in the struct, polled
 * with edo_future_poll, does as well. */
#define edo_join_set_poll_join_next(set, cx, value) \
    edo_join_set_poll_join_next_with_id(set, cx, NULL, value)
#define edo_join_set_poll_join_next_with_id(set, cx, id, value)                     \
    edo_join_set_poll_join_next_(EDO_JOIN_SET_PLACE_(set), (cx), (id), (value),     \
                                 EDO_JOIN_CHECK_(EDO_JOIN_SET_OUTPUT_(set), value), \
                                 EDO_JOIN_SET_OFFSET_(set))

/* edo_join_set_join_all(&set, array, capacity): joins until the set is empty, and puts the outputs into an array,
 * in the order of the tasks' ends. NULL, 0: they are not wanted. The output is how many; or:
 *   UV_ECANCELED, EDO_EPANIC     a task had none. It is gone; the others go on, in the set
 *   UV_ENOBUFS                   the array is full: what is left is in the set
 * so that TRY_AWAIT ends the future that awaits it, and its FINALLY aborts the others. `count` is at any time how
 * many are in the array. Cancel safe: they stay there, and the tasks that are left, in the set. */
struct edo_join_set_join_all {
    EDO_FUTURE(ssize_t);
    size_t count;
    edo_join_set_place_ *set;
    char *array;
    size_t capacity;
    uint32_t size, offset;
};
#define edo_join_set_join_all(set, array, capacity)                                        \
    edo_join_set_join_all_(EDO_JOIN_SET_PLACE_(set), (array), (capacity),                  \
                           EDO_JOIN_CHECK_(EDO_JOIN_SET_OUTPUT_(set), ((void)0, (array))), \
                           EDO_JOIN_SET_OFFSET_(set))

/* Asks all tasks to end, as edo_task_abort does. They stay in the set: join_next gives UV_ECANCELED for each; or
 * the output of one that completed in spite of it. */
#define edo_join_set_abort_all(set) edo_join_set_abort_all_(EDO_JOIN_SET_PLACE_(set))

/* edo_join_set_shutdown(&set): a future that aborts all tasks and waits until they have ended, FINALLY and all,
 * and the set is empty. How they ended is not told, and their outputs go with them: where these own something,
 * it is edo_join_set_abort_all, and join_next to the end. Cancel safe: dropped after its first poll, it has
 * aborted all, and those that have not ended are in the set. */
struct edo_join_set_shutdown {
    EDO_FUTURE(void);
    edo_join_set_place_ *set;
};
#define edo_join_set_shutdown(set) edo_join_set_shutdown_(EDO_JOIN_SET_PLACE_(set))

/* Takes all tasks out of the set: they go on by themselves, and their outputs go with them. A join_next that waits
 * in another branch finds the set empty. */
#define edo_join_set_detach_all(set) edo_join_set_leave_(EDO_JOIN_SET_PLACE_(set), false)

/* The same, and aborts them, waiting for none. What the set has is freed; it is empty, and may be used again. For
 * FINALLY. */
#define edo_join_set_drop(set) edo_join_set_leave_(EDO_JOIN_SET_PLACE_(set), true)

/* Behind the macros. An entry lies behind the future, in the task's frame: its waker is what the task wakes when it
 * has ended. */
struct edo_join_entry_ {
    struct edo_waker waker;
    struct edo_inbox_node node; /* in the set's inbox, and the list made of it */
    struct edo_join_set *set;
    struct edo_task *task;
    struct edo_list list; /* in the set; its user's */
};

#define EDO_JOIN_SET_OUTPUT_(set) EDO_CARRIED_(edo_join_set, *(set))
#define EDO_JOIN_SET_PLACE_(set)                                                               \
    (EDO_DEMAND_(__builtin_types_compatible_p(                                                 \
                     __typeof__(*(set)), EDO_TYPED_(edo_join_set, EDO_JOIN_SET_OUTPUT_(set))), \
                 "not the address of a JOIN_SET"),                                             \
     (edo_join_set_place_ *)(void *)(set))
#define EDO_JOIN_SET_OFFSET_(set)             \
    __builtin_offsetof(                       \
        struct {                              \
            struct edo_future head;           \
            EDO_JOIN_SET_OUTPUT_(set) output; \
        },                                    \
        output)
#define EDO_JOIN_SET_SPAWN_(start, set, handle, ...)                                            \
    __extension__({                                                                             \
        typedef __typeof__((__VA_ARGS__)) edo_future_;                                          \
        _Static_assert(_Alignof(edo_future_) <= 16, "a frame is aligned to 16 bytes at most");  \
        _Static_assert(__builtin_types_compatible_p(__typeof__(((edo_future_ *)NULL)->output),  \
                                                    EDO_JOIN_SET_OUTPUT_(set)),                 \
                       "the future's output type is not the set's");                            \
        struct {                                                                                \
            edo_future_ future;                                                                 \
            struct edo_join_entry_ entry;                                                       \
        } edo_lost_, *edo_at_;                                                                  \
        edo_join_set_place_ *edo_set_ = EDO_JOIN_SET_PLACE_(set);                               \
        struct edo_task *edo_task_ = edo_join_set_alloc_(edo_set_, (handle), sizeof edo_lost_); \
        edo_at_ = edo_task_frame_(edo_task_);                                                   \
        if (edo_at_ == NULL)                                                                    \
            edo_at_ = &edo_lost_;                                                               \
        edo_at_->future = (__VA_ARGS__);                                                        \
        edo_join_set_offer_(*edo_set_, edo_task_, &edo_at_->entry);                             \
        start(edo_task_, &edo_at_->future.future_);                                             \
        edo_join_set_add_(*edo_set_, edo_task_, &edo_at_->entry);                               \
    })
struct edo_task *edo_join_set_alloc_(edo_join_set_place_ *place, struct edo_handle *handle,
                                     size_t frame_size);
void edo_join_set_offer_(struct edo_join_set *set, struct edo_task *task,
                         struct edo_join_entry_ *entry);
int edo_join_set_add_(struct edo_join_set *set, struct edo_task *task,
                      struct edo_join_entry_ *entry);
struct edo_task *edo_join_set_last_(edo_join_set_place_ *place);
size_t edo_join_set_len_(edo_join_set_place_ *place);
struct edo_join_set_join_next edo_join_set_join_next_(edo_join_set_place_ *place, uint64_t *id,
                                                      void *value, size_t size, size_t offset,
                                                      char *report, size_t report_size);
int edo_join_set_poll_join_next_(edo_join_set_place_ *place, struct edo_context *cx, uint64_t *id,
                                 void *value, size_t size, size_t offset);
struct edo_join_set_join_all edo_join_set_join_all_(edo_join_set_place_ *place, void *array,
                                                    size_t capacity, size_t size, size_t offset);
void edo_join_set_abort_all_(edo_join_set_place_ *place);
struct edo_join_set_shutdown edo_join_set_shutdown_(edo_join_set_place_ *place);
void edo_join_set_leave_(edo_join_set_place_ *place, bool abort);

#ifndef EDO_NO_SHORT_NAMES
#define JOIN_SET EDO_JOIN_SET
#endif

#ifdef __cplusplus
}
#endif

#endif
