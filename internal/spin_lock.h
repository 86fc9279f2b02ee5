/* SPDX-License-Identifier: MIT */
/* How a lock is taken and given back: a word that is HELD or FREE. A part of sys.h.
 *
 * 1. To take it is to turn FREE into HELD: one compare-exchange.
 * 2. Who finds it held passes some time, and tries again.
 * 3. To give it back is to store FREE.
 *
 * Taking acquires, giving back releases: who takes it sees what was done under it. The store of 3 is the last
 * use of the lock's memory: the next holder may free it.
 *
 * Nobody is woken, so there is no exchange by which to learn whether somebody sleeps: an uncontended lock is one
 * read-modify-write, not two, and one whose holder others wait for is given back as cheaply.
 *
 * How time is passed (edo_spin_wait in sys.c). What is done under a lock of ours takes less time than a cache line
 * takes to come over from another core, and so does what is done until the same thread takes it again. Who looks at
 * the word takes the line from the holder, whose next instructions then wait for it: two threads that pass a lock
 * to and fro get less done than either of them alone. So who waits pauses without looking, and for longer each time:
 * the holder does some operations in a row with the lines in its own cache, and what it loses is a microsecond. This is
 * not fair, by some microseconds; what is promised to be (the row of a semaphore) is kept in lists under the lock.
 *
 * Who has not got it then waits for a thread that the kernel has taken the processor from. There is nothing to
 * spin for, and the kernel cannot be told whom for: it sleeps for moments, longer each time, and looks
 * in between: it has the lock within a ms after the holder is through, or another has.
 */
#ifndef EDO_INTERNAL_SPIN_LOCK_H
#define EDO_INTERNAL_SPIN_LOCK_H

#include "sys.h"

#if defined(__SANITIZE_THREAD__)
#define EDO_TSAN_
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define EDO_TSAN_
#endif
#endif
#ifdef EDO_TSAN_
#include <sanitizer/tsan_interface.h>
#endif

_Static_assert(sizeof(struct edo_lock) == 4, "public types hold one");

enum { EDO_LOCK_FREE, EDO_LOCK_HELD };

/* Step 2. */
void edo_spin_lock_contended(struct edo_lock *lock);

static inline bool edo_spin_try_lock(struct edo_lock *lock)
{
    uint32_t was = EDO_LOCK_FREE;
    return edo_cas(&lock->word_, &was, EDO_LOCK_HELD, acquire, relaxed);
}

static inline void edo_spin_lock(struct edo_lock *lock)
{
    if (edo_unlikely(!edo_spin_try_lock(lock)))
        edo_spin_lock_contended(lock);
}

static inline void edo_spin_unlock(struct edo_lock *lock)
{
#ifdef EDO_DEBUG
    /* Only here: a load would wait for the line, if somebody has looked at it; a store does not. */
    edo_assert(edo_load(&lock->word_, relaxed) == EDO_LOCK_HELD);
#endif
    edo_store(&lock->word_, EDO_LOCK_FREE, release);
}

/* What the library calls. */
#ifdef EDO_SYS_ATOMICS /* there the checker's, as one step; the above has models of its own */
void edo_lock_init(struct edo_lock *lock);
void edo_lock_destroy(struct edo_lock *lock);
void edo_lock(struct edo_lock *lock);
bool edo_try_lock(struct edo_lock *lock);
void edo_unlock(struct edo_lock *lock);

static inline bool edo_lock_now(struct edo_lock *lock)
{
    edo_lock(lock);
    return true;
}
#else

/* ThreadSanitizer is told that it is a mutex: then it sees locks that are taken in two orders. */
#ifdef EDO_TSAN_
#define edo_tsan_(call) call
#else
#define edo_tsan_(call) ((void)0)
#endif

static inline void edo_lock_init(struct edo_lock *lock)
{
    edo_init(&lock->word_, EDO_LOCK_FREE);
    edo_tsan_(__tsan_mutex_create(lock, 0));
}

/* Nobody holds it, or will. */
static inline void edo_lock_destroy(struct edo_lock *lock)
{
    (void)lock;
    edo_tsan_(__tsan_mutex_destroy(lock, 0));
}

static inline void edo_lock(struct edo_lock *lock)
{
    edo_tsan_(__tsan_mutex_pre_lock(lock, 0));
    edo_spin_lock(lock);
    edo_tsan_(__tsan_mutex_post_lock(lock, 0, 0));
}

/* Takes the lock if nobody holds it, and returns whether it did. Never waits. */
static inline bool edo_try_lock(struct edo_lock *lock)
{
    edo_tsan_(__tsan_mutex_pre_lock(lock, __tsan_mutex_try_lock));
    bool taken = edo_spin_try_lock(lock);
    edo_tsan_(__tsan_mutex_post_lock(
        lock, __tsan_mutex_try_lock | (taken ? 0 : __tsan_mutex_try_lock_failed), 0));
    return taken;
}

/* Takes the lock, if it can without a call. False: nobody can tell why, and the caller goes on to edo_lock,
 * and does nothing else of it: so to the checker it is one step, edo_lock. */
static inline bool edo_lock_now(struct edo_lock *lock)
{
    return edo_try_lock(lock);
}

static inline void edo_unlock(struct edo_lock *lock)
{
    edo_tsan_(__tsan_mutex_pre_unlock(lock, 0));
    edo_spin_unlock(lock);
    edo_tsan_(__tsan_mutex_post_unlock(lock, 0));
}

#endif

#endif
