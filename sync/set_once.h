/* SPDX-License-Identifier: MIT */
/* Set once: a value that is set by whoever has it first, and waited for by the others.
 *
 *     EDO_SET_ONCE(struct config) config;              edo_set_once_init(&config)
 *
 *     edo_set_once_set(&config, &parsed);              any thread
 *
 *     AWAIT(self->wait, edo_set_once_wait(&config));   elsewhere
 *     const struct config *c = edo_set_once_get(&config);
 *
 * Once set, it does not change and stays where it is: pointers to it are good as long as the whole is.
 * Whoever sees the value sees what was written before it was set. sync/once_cell.h is for a value that
 * those who want it make themselves.
 */
#ifndef EDO_SYNC_SET_ONCE_H
#define EDO_SYNC_SET_ONCE_H

#include "../error.h"
#include "../future.h"
#include "../internal/lock.h"
#include "../internal/row.h"
#include "../internal/typed.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The part that knows no type. */
struct edo_set_once {
    struct edo_lock lock_;
    struct edo_list waiters_; /* in order of arrival */
    uint32_t state_;
    bool waking_;
};

/* EDO_SET_ONCE(type) once; a struct of which no two are of one type: one that is passed about is given
 * a name by a typedef. Stays where it is from edo_set_once_init to edo_set_once_destroy, and outlives
 * the futures made of it. When it was waited for, and all waits have completed, and no call of set is to
 * come, it may be destroyed at once: set does not touch it any more. (A wait that is dropped does not tell
 * that: there, set returns first.) */
#define EDO_SET_ONCE(...)               \
    struct {                            \
        struct edo_set_once core_;      \
        __typeof__(__VA_ARGS__) value_; \
    }

/* In place of edo_set_once_init, for one of static storage:
 *     static EDO_SET_ONCE(int) once = EDO_SET_ONCE_INIT(once); */
#define EDO_SET_ONCE_INIT(once)                                           \
    {                                                                     \
        .core_ = {                                                        \
            .waiters_ = {&(once).core_.waiters_, &(once).core_.waiters_}, \
        },                                                                \
    }

#define edo_set_once_init(once) edo_set_once_init_(&(once)->core_)

/* Nobody waits any more. What the value owns is the caller's to free, before this. */
#define edo_set_once_destroy(once) edo_set_once_destroy_(&(once)->core_)

/* Sets it to a copy of the value and wakes all who wait. 0, or UV_EEXIST: it is set already; the value
 * is still the caller's. Any thread; also by a waker. Allocates nothing. */
#define edo_set_once_set(once, value)                                                     \
    edo_set_once_set_(&(once)->core_, EDO_SET_ONCE_OFFSET_(once), sizeof((once)->value_), \
                      EDO_SET_ONCE_CHECKED_(once, value))

/* A `const T *`, or NULL while it is not set. Any thread. The call of set that set it may still be under
 * way. */
#define edo_set_once_get(once)                                             \
    ((const __typeof__((once)->value_) *)edo_set_once_get_(&(once)->core_, \
                                                           EDO_SET_ONCE_OFFSET_(once)))

/* edo_set_once_wait(&once): a future that is ready when it is set. Any thread and executor.
 * Cancel safe. */
struct edo_set_once_wait {
    EDO_FUTURE(void);
    struct edo_set_once *once;
    struct edo_waiter waiter;
};
#define edo_set_once_wait(once) edo_set_once_wait_(&(once)->core_)

/* Behind the macros. */
#define EDO_SET_ONCE_OFFSET_(once) offsetof(__typeof__(*(once)), value_)
#define EDO_SET_ONCE_CHECKED_(once, value)                                                       \
    (EDO_DEMAND_(__builtin_types_compatible_p(__typeof__(*(value)), __typeof__((once)->value_)), \
                 "the value's type is not what the set-once holds"),                             \
     (value))
void edo_set_once_init_(struct edo_set_once *once);
void edo_set_once_destroy_(struct edo_set_once *once);
int edo_set_once_set_(struct edo_set_once *once, size_t offset, size_t size, const void *value);
const void *edo_set_once_get_(struct edo_set_once *once, size_t offset);
struct edo_set_once_wait edo_set_once_wait_(struct edo_set_once *once);

#ifndef EDO_NO_SHORT_NAMES
#define SET_ONCE      EDO_SET_ONCE
#define SET_ONCE_INIT EDO_SET_ONCE_INIT
#endif

#ifdef __cplusplus
}
#endif

#endif
