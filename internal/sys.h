/* SPDX-License-Identifier: MIT */
/* The one door to atomics, locks, threads, allocation, the clock and randomness.
 *
 * Nothing in the library calls malloc, pthread_* or clock_gettime, or uses an atomic operator, but
 * through here, so a test build can put something else behind each name: failing allocations, a
 * checker's scheduler, a scripted clock. There are no stand-alone fences: ThreadSanitizer cannot
 * see them, and every ordering we need can be said on the access it belongs to.
 */
#ifndef EDO_INTERNAL_SYS_H
#define EDO_INTERNAL_SYS_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "census.h"
#include "lock.h"

/* Whether the process never had another thread. False where the C library does not tell. */
#if __has_include(<sys/single_threaded.h>)
#include <sys/single_threaded.h>
#define edo_single_threaded() (__libc_single_threaded != 0)
#else
#define edo_single_threaded() false
#endif

/* Atomics. The order is the bare word: edo_load(&task->state, acquire). A checking build names a
 * header of its own in EDO_SYS_ATOMICS, which puts a scheduler behind each of them. */
#ifdef EDO_SYS_ATOMICS
#include EDO_SYS_ATOMICS
#else
#define edo_init(p, v)         atomic_init((p), (v))
#define edo_load(p, order)     atomic_load_explicit((p), memory_order_##order)
#define edo_store(p, v, order) atomic_store_explicit((p), (v), memory_order_##order)
/* With one thread a read-modify-write is a load and a store: being atomic is what costs. Threads that
 * are started later see what was done before. */
#define EDO_RMW_(p, v, next, atomic)                \
    __extension__({                                 \
        __auto_type at_ = (p);                      \
        __typeof__((void)0, *at_) arg_ = (v), was_; \
        if (edo_single_threaded()) {                \
            was_ = edo_load(at_, relaxed);          \
            edo_store(at_, (next), relaxed);        \
        } else {                                    \
            was_ = (atomic);                        \
        }                                           \
        was_;                                       \
    })
#define edo_exchange(p, v, order) \
    EDO_RMW_(p, v, arg_, atomic_exchange_explicit(at_, arg_, memory_order_##order))
#define edo_fetch_add(p, v, order) \
    EDO_RMW_(p, v, was_ + arg_, atomic_fetch_add_explicit(at_, arg_, memory_order_##order))
#define edo_fetch_sub(p, v, order) \
    EDO_RMW_(p, v, was_ - arg_, atomic_fetch_sub_explicit(at_, arg_, memory_order_##order))
#define edo_fetch_or(p, v, order) \
    EDO_RMW_(p, v, was_ | arg_, atomic_fetch_or_explicit(at_, arg_, memory_order_##order))
#define edo_fetch_and(p, v, order) \
    EDO_RMW_(p, v, was_ &arg_, atomic_fetch_and_explicit(at_, arg_, memory_order_##order))
#define EDO_CAS_(p, expected, v, atomic)            \
    __extension__({                                 \
        __auto_type at_ = (p);                      \
        __auto_type expected_ = (expected);         \
        __typeof__((void)0, *at_) arg_ = (v), was_; \
        bool done_;                                 \
        if (edo_single_threaded()) {                \
            was_ = edo_load(at_, relaxed);          \
            done_ = was_ == *expected_;             \
            if (done_)                              \
                edo_store(at_, arg_, relaxed);      \
            else                                    \
                *expected_ = was_;                  \
        } else {                                    \
            done_ = (atomic);                       \
        }                                           \
        done_;                                      \
    })
#define edo_cas(p, expected, v, order, fail)                                                     \
    EDO_CAS_(p, expected, v,                                                                     \
             atomic_compare_exchange_strong_explicit(at_, expected_, arg_, memory_order_##order, \
                                                     memory_order_##fail))
#define edo_cas_weak(p, expected, v, order, fail)                                              \
    EDO_CAS_(p, expected, v,                                                                   \
             atomic_compare_exchange_weak_explicit(at_, expected_, arg_, memory_order_##order, \
                                                   memory_order_##fail))
/* Where there surely are other threads: that is not asked first. */
#define edo_exchange_mt(p, v, order) atomic_exchange_explicit((p), (v), memory_order_##order)
#define edo_cas_weak_mt(p, expected, v, order, fail)                                  \
    atomic_compare_exchange_weak_explicit((p), (expected), (v), memory_order_##order, \
                                          memory_order_##fail)
#endif

#define edo_likely(x)   __builtin_expect(!!(x), 1)
#define edo_unlikely(x) __builtin_expect(!!(x), 0)

/* Tells the processor that this thread waits for another. */
static inline void edo_pause(void)
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("isb"); /* `yield` takes no time on most */
#elif defined(__arm__)
    __asm__ volatile("yield");
#endif
}

/* Returns size bytes aligned for any type, or NULL; not zeroed. Any thread. */
void *edo_malloc(size_t size);

/* As realloc: on NULL the old block is still the caller's. Any thread. */
void *edo_realloc(void *block, size_t size);

/* As calloc; NULL also when count * size overflows. Any thread. */
void *edo_calloc(size_t count, size_t size);

/* Gives back what the three above returned; NULL is fine. Any thread. */
void edo_free(void *block);

/* Returns `size` bytes of zeros, a power of two that is no less than a page, aligned to their size; or NULL. From 2 MiB
 * on huge pages are asked for, unless the process has had one within the last second that was dear: then small
 * ones. errno is unchanged. Any thread. */
void *edo_pages_map(size_t size);

/* Gives back what it returned, or a part of that. Any thread. */
void edo_pages_unmap(void *pages, size_t size);

/* A block that its owner keeps in order to use it again counts as freed where test builds count; using it again counts
 * as an allocation, which may fail: false. One that is kept is freed by the third. */
#if defined(EDO_FAULTS) || defined(EDO_CENSUS)
void edo_keep(void *block);
bool edo_reuse(void *block);
void edo_free_kept(void *block);
#else
#define edo_keep(block)      ((void)(block))
#define edo_reuse(block)     ((void)(block), true)
#define edo_free_kept(block) edo_free(block)
#endif

/* The same of a block of so many bytes that is cut from pages. */
#if defined(EDO_FAULTS) || defined(EDO_CENSUS)
bool edo_count_cut(size_t bytes);
void edo_count_uncut(size_t bytes);
#else
#define edo_count_cut(bytes)   ((void)(bytes), true)
#define edo_count_uncut(bytes) ((void)(bytes))
#endif

/* Fails the n-th allocation from now (1 is the next); `sticky` fails all after it as well; 0 turns
 * it off. Returns whether a failure was delivered since the last call. Only where the library is
 * built with EDO_FAULTS; elsewhere it does nothing and returns false. Affects all threads. */
bool edo_alloc_fail(uint64_t n, bool sticky);

/* As edo_alloc_fail, for edo_pages_map: whether a task needs new pages depends on those before it. */
bool edo_pages_fail(uint64_t n, bool sticky);

/* As edo_alloc_fail: the first touch of a huge page counts as dear. */
bool edo_huge_fail(uint64_t n, bool sticky);

/* Nanoseconds of CLOCK_MONOTONIC. Any thread. */
uint64_t edo_clock_ns(void);

/* Fills block from the kernel's random source; false when it cannot, block unchanged. */
bool edo_random(void *block, size_t size);

/* Threads. */

struct edo_thread_id {
    pthread_t value_;
};

struct edo_thread_options {
    const char *name;  /* cut to 15 bytes; NULL: its creator's */
    size_t stack_size; /* in bytes, rounded up to what the system can do; 0: the system's */
};

/* Runs run(arg) on a thread of its own; options are read by the call, NULL is all defaults. 0 and the id,
 * which is to be joined or detached, once; or -EAGAIN, -ENOMEM, and nothing runs. Any thread. */
int edo_thread_start(struct edo_thread_id *id, const struct edo_thread_options *options,
                     void *(*run)(void *), void *arg);

/* Waits for its end: nothing of it is left then, and all it did happens before the return. */
void edo_thread_join(struct edo_thread_id id);

/* Gives it up: what it holds goes with its end. Also from within itself. */
void edo_thread_detach(struct edo_thread_id id);

/* The calling thread's. */
struct edo_thread_id edo_thread_self(void);

/* As edo_alloc_fail, for edo_thread_start, which then returns -EAGAIN. */
bool edo_thread_fail(uint64_t n, bool sticky);

/* Lets another thread have the processor, if one waits for it. */
void edo_thread_yield(void);

/* What one thread waits for and any may set. A wait returns when it was set since the last one. What was done
 * before the set is not promised to be seen after the wait: whoever uses it says that by other means. It costs
 * a system call to wait, and one to set when somebody waits. */
struct edo_event {
    _Atomic(uint32_t) word_;
};
void edo_event_init(struct edo_event *event);
void edo_event_destroy(struct edo_event *event);
/* The waiter may destroy the event, and free its memory, as soon as its wait has returned. */
void edo_event_set(struct edo_event *event);
void edo_event_wait(struct edo_event *event);
/* The same, no longer than until edo_clock_ns() is `deadline`: false when that has come, and it was not set.
 * UINT64_MAX is never. One that has passed only looks. */
bool edo_event_wait_until(struct edo_event *event, uint64_t deadline);

/* Before one sleeps for what another thread often does within microseconds, since a sleep and a wake take longer than
 * that: passes some time, for the caller to look again. False: that has been long enough; `round` is how often it has
 * been true. Where the process has a `single` processor the time is given to the other threads, and not at all for a
 * while after one of them took long to give it back: somebody else works there. errno is unchanged. */
bool edo_linger(uint32_t round, bool single);

/* Passes some time, while another thread holds the lock: without looking at it, or at anything that others use.
 * Round 0 is the first that a thread waits for it, of about a microsecond; from the
 * seventh on it sleeps, longer each time, for up to a ms. errno is unchanged. */
void edo_spin_wait(struct edo_lock *lock, uint32_t round);

/* Has the processor fetch what will be wanted soon: two cache lines, a task's header and the head of its future. Any
 * address will do, also none. */
static inline void edo_prefetch(const void *address)
{
    __builtin_prefetch(address);
    __builtin_prefetch((const char *)address + 64);
}

/* Prints "edo: " and the message with its location, and aborts. For bugs only: never reached by
 * bad input, a peer or a failed allocation. */
_Noreturn void edo_bug(const char *file, int line, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Kept in release builds: a broken invariant must not go on. */
#define edo_assert(condition)        \
    (edo_likely(condition) ? (void)0 \
                           : edo_bug(__FILE__, __LINE__, "assertion failed: %s", #condition))

/* Of a count of those who hold something, before one gives it up: who has none any more gave his up before. */
#define edo_assert_held(count, what) \
    (edo_likely((count) > 0)         \
         ? (void)0                   \
         : edo_bug(__FILE__, __LINE__, "%s is given up that was before", what))

/* The member's owner, from a pointer to the member. */
#define edo_container_of(pointer, type, member) ((type *)((char *)(pointer)-offsetof(type, member)))

/* edo_lock and its like. */
#include "spin_lock.h"

#endif
