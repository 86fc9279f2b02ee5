/* SPDX-License-Identifier: MIT */
/* Once cell: a value that is made when it is first wanted, by one of those who want it, while the
 * others wait.
 *
 *     static EDO_ONCE_CELL(struct config) config = EDO_ONCE_CELL_INIT(config);
 *
 *     self->load = NEW(load_config, .path = path);     resolves to struct config
 *     AWAIT(self->init, edo_once_cell_get_or_init(&config, &self->load));
 *     const struct config *c = edo_once_cell_get(&config);
 *
 * Once set, it does not change and stays where it is: pointers to it are good as long as the cell is.
 * Whoever sees the value sees what was written before it was set. sync/set_once.h is for a value that
 * somebody else sets.
 */
#ifndef EDO_SYNC_ONCE_CELL_H
#define EDO_SYNC_ONCE_CELL_H

#include "../error.h"
#include "../future.h"
#include "../internal/lock.h"
#include "../internal/row.h"
#include "../internal/typed.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The part that knows no type. */
struct edo_once_cell {
    struct edo_lock lock_;
    struct edo_list waiters_; /* in order of arrival; none unless one initialises */
    uint32_t state_;
};

/* EDO_ONCE_CELL(type) cell; a struct of which no two are of one type: one that is passed about is given
 * a name by a typedef. Stays where it is from edo_once_cell_init to edo_once_cell_destroy, and outlives
 * all calls and futures made of it: who has the value knows that it is there, not that the one who
 * set it is gone. */
#define EDO_ONCE_CELL(...)              \
    struct {                            \
        struct edo_once_cell core_;     \
        __typeof__(__VA_ARGS__) value_; \
    }

/* In place of edo_once_cell_init, for one of static storage; see above. All zeros will do as well. */
#define EDO_ONCE_CELL_INIT(cell)                                          \
    {                                                                     \
        .core_ = {                                                        \
            .waiters_ = {&(cell).core_.waiters_, &(cell).core_.waiters_}, \
        },                                                                \
    }

#define edo_once_cell_init(cell) edo_once_cell_init_(&(cell)->core_)

/* Nobody waits or initialises any more. What the value owns is the caller's to free, before this. */
#define edo_once_cell_destroy(cell) edo_once_cell_destroy_(&(cell)->core_)

/* A `const T *`, or NULL while it is not set. Any thread. */
#define edo_once_cell_get(cell)                                             \
    ((const __typeof__((cell)->value_) *)edo_once_cell_get_(&(cell)->core_, \
                                                            EDO_ONCE_CELL_OFFSET_(cell)))

/* Sets it to a copy of the value, if nobody is about to. 0; UV_EEXIST: it is set already; UV_EBUSY: it
 * is being initialised, or a waiting one's turn to do so has come. The value is then still the caller's.
 * Any thread; also by a waker. Allocates nothing. */
#define edo_once_cell_set(cell, value)                                                      \
    edo_once_cell_set_(&(cell)->core_, EDO_ONCE_CELL_OFFSET_(cell), sizeof((cell)->value_), \
                       EDO_ONCE_CELL_VALUE_(cell, value))

/* edo_once_cell_get_or_init(&cell, &self->child): a future that is ready when the cell is set. When it is
 * not, and nobody else initialises it, polls the child, a future of the same frame whose output is the
 * value. A child that is not needed is dropped, without having been polled. Any thread and executor.
 * Those who wait are served in their order. The child must not want the same cell, which would wait
 * for ever.
 * Cancel safety: dropped, it drops its child, and then hands over: if it was initialising, the one that
 * has waited longest polls its own child. Its place among those who wait is lost. So it is when the child
 * panics. */
#define edo_once_cell_get_or_init(cell, child)                                            \
    edo_once_cell_get_or_init_(&(cell)->core_, EDO_ONCE_CELL_OFFSET_(cell),               \
                               sizeof((cell)->value_), EDO_ONCE_CELL_CHILD_(cell, child), \
                               offsetof(__typeof__(*(child)), output))

/* edo_once_cell_get_or_try_init(&cell, &self->child, &self->value): the same, of a child that may fail:
 * its output is an int. When it is negative it becomes this future's output, the cell is not set, and
 * the one that has waited longest polls its own child. Otherwise the value, which the child has put
 * into a place of the same frame, is copied from there, and the output is 0; so it is when the cell was
 * set by another. Cancel safety: the same. */
#define edo_once_cell_get_or_try_init(cell, child, value)                               \
    edo_once_cell_get_or_try_init_(&(cell)->core_, EDO_ONCE_CELL_OFFSET_(cell),         \
                                   sizeof((cell)->value_), EDO_ONCE_CELL_TRIES_(child), \
                                   offsetof(__typeof__(*(child)), output),              \
                                   EDO_ONCE_CELL_VALUE_(cell, value))

/* The futures. */

/* What they have in common. */
struct edo_once_cell_waiter {
    struct edo_once_cell *cell;
    struct edo_future *child;
    const void *value;
    size_t offset, size; /* of the value in the cell */
    struct edo_waiter link;
    bool chosen;
};
struct edo_once_cell_get_or_init {
    EDO_FUTURE(void);
    struct edo_once_cell_waiter waiter;
};
struct edo_once_cell_get_or_try_init {
    EDO_FUTURE(int);
    const int *result; /* of the child */
    struct edo_once_cell_waiter waiter;
};

/* Behind the macros. */
#define EDO_ONCE_CELL_OFFSET_(cell) offsetof(__typeof__(*(cell)), value_)
#define EDO_ONCE_CELL_VALUE_(cell, value)                                                        \
    (EDO_DEMAND_(__builtin_types_compatible_p(__typeof__(*(value)), __typeof__((cell)->value_)), \
                 "the value's type is not what the cell holds"),                                 \
     (value))
#define EDO_ONCE_CELL_CHILD_(cell, child)                                                       \
    (EDO_DEMAND_(                                                                               \
         __builtin_types_compatible_p(__typeof__((child)->output), __typeof__((cell)->value_)), \
         "the child's output is not what the cell holds"),                                      \
     &(child)->future_)
#define EDO_ONCE_CELL_TRIES_(child)                                              \
    (EDO_DEMAND_(__builtin_types_compatible_p(__typeof__((child)->output), int), \
                 "the output of a child that may fail is an int"),               \
     &(child)->future_)
void edo_once_cell_init_(struct edo_once_cell *cell);
void edo_once_cell_destroy_(struct edo_once_cell *cell);
const void *edo_once_cell_get_(struct edo_once_cell *cell, size_t offset);
int edo_once_cell_set_(struct edo_once_cell *cell, size_t offset, size_t size, const void *value);
struct edo_once_cell_get_or_init edo_once_cell_get_or_init_(struct edo_once_cell *cell,
                                                            size_t offset, size_t size,
                                                            struct edo_future *child,
                                                            size_t output);
struct edo_once_cell_get_or_try_init edo_once_cell_get_or_try_init_(struct edo_once_cell *cell,
                                                                    size_t offset, size_t size,
                                                                    struct edo_future *child,
                                                                    size_t output,
                                                                    const void *value);

#ifndef EDO_NO_SHORT_NAMES
#define ONCE_CELL      EDO_ONCE_CELL
#define ONCE_CELL_INIT EDO_ONCE_CELL_INIT
#endif

#ifdef __cplusplus
}
#endif

#endif
