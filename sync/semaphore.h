/* SPDX-License-Identifier: MIT */
/* Semaphore: so many permits, and who wants some waits in a row.
 *
 *     struct edo_semaphore connections;
 *     edo_semaphore_init(&connections, 100);
 *
 *     AWAIT(self->acquire, edo_semaphore_acquire(&connections, &self->permit));
 *     …
 *     ASYNC_FINALLY:
 *     edo_permit_release(&self->permit);               also of one that was never had
 *
 * It is fair: permits go to those who wait in the order of their arrival, and while one waits nobody
 * overtakes, so that small requests do not starve a large one. Who acquires sees what was written by
 * those who released before.
 */
#ifndef EDO_SYNC_SEMAPHORE_H
#define EDO_SYNC_SEMAPHORE_H

#include "../error.h"
#include "../future.h"
#include "../internal/lock.h"
#include "../internal/row.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The most permits there can be. */
#define EDO_SEMAPHORE_MAX (SIZE_MAX >> 3)

/* Stays where it is from init to destroy, and outlives its permits and the futures made of it: whoever
 * owns the memory sees to it. All functions but these two may be called from any thread, from a poll,
 * and by a waker; none allocates. */
struct edo_semaphore {
    uint64_t word_; /* permits that are there, and two flags */
    struct edo_lock lock_;
    struct edo_list waiters_;
};

/* 0, or UV_EINVAL for more than EDO_SEMAPHORE_MAX. */
int edo_semaphore_init(struct edo_semaphore *semaphore, size_t permits);

/* Nobody waits any more. Permits need not be back. */
void edo_semaphore_destroy(struct edo_semaphore *semaphore);

/* What was acquired. Zeroed it is empty. It is a value: it may be kept, moved to another task or
 * thread, and is released by whoever has it then. */
struct edo_permit {
    struct edo_semaphore *semaphore;
    size_t count;
};

/* edo_semaphore_acquire(&semaphore, &permit), edo_semaphore_acquire_many(&semaphore, n, &permit): a
 * future that waits for 1, or n, permits. Output 0; EDO_ECLOSED; UV_EINVAL for more than
 * EDO_SEMAPHORE_MAX, or a permit that is not empty: then the permit is unchanged. None (n is 0) are
 * there at once. Cancel safety: dropped, it has acquired nothing: what it had been given goes to the
 * next. Its place in the row is lost. */
struct edo_semaphore_waiter {
    struct edo_waiter link;
    size_t count;
    uint32_t state; /* under the lock from its first poll on, until it is told */
};
struct edo_semaphore_acquire {
    EDO_FUTURE(int);
    struct edo_semaphore *semaphore;
    struct edo_permit *permit;
    struct edo_semaphore_waiter waiter;
};
EDO_ASYNC_DECLARE(edo_semaphore_acquire);

static inline struct edo_semaphore_acquire edo_semaphore_acquire_many(
    struct edo_semaphore *semaphore, size_t n, struct edo_permit *permit)
{
    return EDO_NEW_RETURNED(edo_semaphore_acquire, .semaphore = semaphore, .permit = permit,
                            .waiter = {.count = n});
}

static inline struct edo_semaphore_acquire edo_semaphore_acquire(struct edo_semaphore *semaphore,
                                                                 struct edo_permit *permit)
{
    return edo_semaphore_acquire_many(semaphore, 1, permit);
}

/* Without waiting: 0; UV_EAGAIN: too few are there, or somebody waits; EDO_ECLOSED; UV_EINVAL. */
int edo_semaphore_try_acquire(struct edo_semaphore *semaphore, struct edo_permit *permit);
int edo_semaphore_try_acquire_many(struct edo_semaphore *semaphore, size_t n,
                                   struct edo_permit *permit);

/* The thread waits. As the future, and EDO_ENESTED inside a task, UV_ENOMEM. */
int edo_semaphore_blocking_acquire(struct edo_semaphore *semaphore, struct edo_permit *permit);
int edo_semaphore_blocking_acquire_many(struct edo_semaphore *semaphore, size_t n,
                                        struct edo_permit *permit);

/* Gives the permits back, and empties it. Nothing for an empty one: fit for FINALLY. Of a semaphore
 * that has been closed too. It does not touch the semaphore when those who waited have acquired them, but
 * for what edo_semaphore_destroy waits for: the last of them may destroy it. (One that is dropped in its
 * turn has not; there, release returns first.) */
void edo_permit_release(struct edo_permit *permit);

/* Empties it without giving anything back: there are so many fewer from now on. */
void edo_permit_forget(struct edo_permit *permit);

/* Moves all of `from`, which is empty then, to `permit`, which may be empty. 0, or UV_EINVAL for permits
 * of two semaphores: nothing is changed. */
int edo_permit_merge(struct edo_permit *permit, struct edo_permit *from);

/* Moves n of them to `part`, which is empty. 0, or UV_EINVAL when there are fewer, or part is not
 * empty: nothing is changed. */
int edo_permit_split(struct edo_permit *permit, size_t n, struct edo_permit *part);

/* n permits more. 0, or UV_EOVERFLOW when there would be more than EDO_SEMAPHORE_MAX, without those that
 * are held: nothing is changed. */
int edo_semaphore_add(struct edo_semaphore *semaphore, size_t n);

/* n permits fewer, or as many as are available now. Returns how many. */
size_t edo_semaphore_forget(struct edo_semaphore *semaphore, size_t n);

/* Nobody acquires any more: those who wait get EDO_ECLOSED, as do all who come later. Permits that are
 * held stay good. */
void edo_semaphore_close(struct edo_semaphore *semaphore);
bool edo_semaphore_is_closed(const struct edo_semaphore *semaphore);

/* How many could be acquired now; 0 while somebody waits: what is there is kept for them. Out of date
 * when it returns. */
size_t edo_semaphore_available(const struct edo_semaphore *semaphore);

#ifdef __cplusplus
}
#endif

#endif
