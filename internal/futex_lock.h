/* SPDX-License-Identifier: MIT */
/* How a lock is taken and given back: a word, and behind it the kernel's queue of those who sleep. It
 * is the third mutex of Drepper's "Futexes Are Tricky". A part of sys.h.
 *
 * 1. To take it is to turn FREE into HELD: one compare-exchange.
 * 2. Who finds it held puts CONTENDED in its place, and sleeps as long as that is what stands there. The
 *    kernel compares and falls asleep in one step, so no give-back in between is missed.
 * 3. To give it back is to put FREE in its place: one exchange. What it replaces tells whether to wake
 *    somebody: nobody is asleep behind HELD.
 * 4. Who was woken has not got the lock, and tries again as in 2: what he puts there, and takes the
 *    lock with, is CONTENDED. Others may be asleep, whom HELD would forget. When there are none, one
 *    wake-up is made for nothing.
 *
 * Taking acquires, giving back releases: who takes it sees what was done under it. The exchange of 3
 * is the last use of the lock's memory: the next holder may free it, while the wake-up is still to come.
 * That uses the address only; whoever sleeps there by then wakes for nothing, and every sleep is in a
 * loop.
 *
 * Nobody spins: what is done under a lock of ours is so short that two threads seldom meet, and where
 * they were made to, on two cores, spinning was not faster.
 */
#ifndef EDO_INTERNAL_FUTEX_LOCK_H
#define EDO_INTERNAL_FUTEX_LOCK_H

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

enum { EDO_LOCK_FREE, EDO_LOCK_HELD, EDO_LOCK_CONTENDED };

/* Steps 2 and 4. */
void edo_futex_lock_contended(struct edo_lock *lock);
/* The rest of 3, where another than HELD was replaced. */
void edo_futex_unlock_contended(struct edo_lock *lock, uint32_t was);

static inline bool edo_futex_try_lock(struct edo_lock *lock)
{
    uint32_t was = EDO_LOCK_FREE;
    return edo_cas(&lock->word_, &was, EDO_LOCK_HELD, acquire, relaxed);
}

static inline void edo_futex_lock(struct edo_lock *lock)
{
    if (edo_unlikely(!edo_futex_try_lock(lock)))
        edo_futex_lock_contended(lock);
}

static inline void edo_futex_unlock(struct edo_lock *lock)
{
    uint32_t was = edo_exchange(&lock->word_, EDO_LOCK_FREE, release);
    if (edo_unlikely(was != EDO_LOCK_HELD))
        edo_futex_unlock_contended(lock, was);
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
    edo_futex_lock(lock);
    edo_tsan_(__tsan_mutex_post_lock(lock, 0, 0));
}

/* Takes the lock if nobody holds it, and returns whether it did. Never waits. */
static inline bool edo_try_lock(struct edo_lock *lock)
{
    edo_tsan_(__tsan_mutex_pre_lock(lock, __tsan_mutex_try_lock));
    bool taken = edo_futex_try_lock(lock);
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
    edo_futex_unlock(lock);
    edo_tsan_(__tsan_mutex_post_unlock(lock, 0));
}

#endif

#endif
