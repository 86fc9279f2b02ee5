/* SPDX-License-Identifier: MIT */
/* The state word of a task. Nobody but the functions here touches the atomic.
 *
 * bit       meaning                             set by                     cleared by
 * COMPLETE  the future is gone; the outcome      the runtime's thread       never
 *           stands in the frame
 * ABORTED   an abort was asked for               any thread                 never
 * HANDLE    a join handle exists; the outcome    spawn                      the handle's owner, once
 *           is kept for it
 * JOINER    task->joiner holds a waker, which    the handle's owner, while  the handle's owner, while
 *           the completing thread takes          not COMPLETE               not COMPLETE
 * LINKED    the task is on its runtime's inject  a waking thread, while     the runtime's thread, taking
 *           list, or about to be                 not COMPLETE               it off; or the waking one,
 *                                                                           finding the list closed
 * WOKEN     a foreign wake since the last poll   with LINKED                the runtime's thread, before
 *           began                                                           it polls
 * NAMED     the block begins with the task's     spawn                      never
           name
 * the rest  references: the runtime until the task is complete and on no list, the join handle,
 *           each abort handle, each cloned waker, the completing thread until it is through
 *
 * A blocking task (blocking.c) is in no list of its runtime's, never LINKED, and its thread of the pool stands
 * for the runtime's: WOKEN is set by any thread while not COMPLETE, and cleared before each poll.
 *
 * Wakes on a current-thread runtime's own thread do not come here: they look at task->next, a plain field
 * of that thread. The word pays for what crosses threads.
 *
 * On a multi-thread runtime every wake comes here. LINKED means that the task is in a queue, is about to be, or
 * is polled; whoever sets it puts the task into a queue, and the poll's end clears it. A wake that finds it
 * sets WOKEN: one that came while the task was queued is answered by the poll's begin, which clears WOKEN,
 * one that came since by another poll. So a task that waits costs two of these operations a round:
 * its wake, and its poll's end.
 *
 * Orders. Whatever a thread wrote before it woke the task must be visible to the next poll: every
 * foreign wake is a read-modify-write with release, also when both bits are set already, and the
 * clearing of WOKEN acquires. COMPLETE releases the outcome to the handle's owner, who acquires by
 * loading it; JOINER releases the joiner field to the completing thread, whose read-modify-write
 * acquires it. Dropping a reference releases the dropper's accesses, and the last one acquires
 * them all before the memory is freed.
 */
#ifndef EDO_RUNTIME_TASK_STATE_H
#define EDO_RUNTIME_TASK_STATE_H

#include "../internal/sys.h"

enum {
    EDO_TASK_COMPLETE = 1u << 0,
    EDO_TASK_ABORTED = 1u << 1,
    EDO_TASK_HANDLE = 1u << 2,
    EDO_TASK_JOINER = 1u << 3,
    EDO_TASK_LINKED = 1u << 4,
    EDO_TASK_WOKEN = 1u << 5,
    EDO_TASK_NAMED = 1u << 6,
    EDO_TASK_REF = 1u << 7,
};

typedef _Atomic(uint32_t) edo_task_state;

/* A new task: the runtime's reference and the join handle's. */
static inline void edo_task_state_init(edo_task_state *state, bool linked, bool named)
{
    edo_init(state, EDO_TASK_HANDLE | 2 * EDO_TASK_REF | (linked ? EDO_TASK_LINKED : 0) |
                        (named ? EDO_TASK_NAMED : 0));
}

/* There will be no join handle. Nobody but this thread has the task yet. */
static inline void edo_task_state_detach_new(edo_task_state *state)
{
    edo_store(state, edo_load(state, relaxed) - (EDO_TASK_HANDLE + EDO_TASK_REF), relaxed);
}

/* Relaxed: for bits that this thread set itself, or as a hint. */
static inline uint32_t edo_task_state_peek(edo_task_state *state)
{
    return edo_load(state, relaxed);
}

static inline bool edo_task_state_complete(edo_task_state *state)
{
    return edo_load(state, acquire) & EDO_TASK_COMPLETE;
}

/* The word, for who is to have the handle; one who has it no more is a bug. Acquires the outcome with COMPLETE. */
static inline uint32_t edo_task_state_of_handle(edo_task_state *state)
{
    uint32_t now = edo_load(state, acquire);
    if (edo_unlikely(!(now & EDO_TASK_HANDLE)))
        edo_bug(__FILE__, __LINE__,
                "a task is joined or detached that was joined or detached before");
    return now;
}

/* The task is freed: who still has a handle is to find that it is none. */
static inline void edo_task_state_free(edo_task_state *state)
{
    edo_store(state, 0, relaxed);
}

/* A foreign wake. True when the caller must put the task on the inject list; with `claim` it has got
 * a reference to it then. */
static inline bool edo_task_state_wake(edo_task_state *state, bool claim)
{
    uint32_t old = edo_load(state, relaxed), now;
    do {
        if (old & EDO_TASK_COMPLETE)
            return false;
        now = old | EDO_TASK_LINKED | EDO_TASK_WOKEN;
        if (claim && !(old & EDO_TASK_LINKED))
            now += EDO_TASK_REF;
        /* Release, also when nothing changes: this wake's writes ride on the one under way. Acquire:
         * the owner has read remote_next, which we are about to write (edo_task_state_unlink). */
    } while (!edo_cas_weak(state, &old, now, acq_rel, relaxed));
    return !(old & EDO_TASK_LINKED);
}

/* Multi-thread: a wake, from any thread. True when the caller must put the task into a queue; with `claim` it has
 * got a reference to it then. Release and acquire as above. */
static inline bool edo_task_state_schedule(edo_task_state *state, bool claim)
{
    uint32_t old = edo_load(state, relaxed), now;
    do {
        if (old & EDO_TASK_COMPLETE)
            return false;
        if (old & EDO_TASK_LINKED)
            now = old | EDO_TASK_WOKEN;
        else
            now = (old | EDO_TASK_LINKED) + (claim ? EDO_TASK_REF : 0);
    } while (!edo_cas_weak_mt(state, &old, now, acq_rel, relaxed));
    return !(old & EDO_TASK_LINKED);
}

/* Multi-thread: the same by the owner of a waker, which is dropped with it, on a worker of the task's: no reference is
 * needed until it is in a queue. A task that is not complete keeps one, the runtime's. */
enum edo_task_woken { EDO_TASK_NOT_NOW, EDO_TASK_MUST_QUEUE, EDO_TASK_MUST_FREE };
static inline enum edo_task_woken edo_task_state_schedule_drop(edo_task_state *state)
{
    uint32_t old = edo_load(state, relaxed), now;
    do {
        now = old - EDO_TASK_REF;
        if (!(old & EDO_TASK_COMPLETE))
            now |= old & EDO_TASK_LINKED ? EDO_TASK_WOKEN : EDO_TASK_LINKED;
    } while (!edo_cas_weak_mt(state, &old, now, acq_rel, relaxed));
    if (now < EDO_TASK_REF)
        return EDO_TASK_MUST_FREE;
    return old & (EDO_TASK_LINKED | EDO_TASK_COMPLETE) ? EDO_TASK_NOT_NOW : EDO_TASK_MUST_QUEUE;
}

/* Multi-thread: a poll has ended, and the task waits. False: it was woken meanwhile, and the caller puts it into a
 * queue again. Releases the poll to whoever schedules the task next; after it the task is others'. */
static inline bool edo_task_state_idle(edo_task_state *state)
{
    uint32_t old = edo_load(state, relaxed);
    do {
        if (old & EDO_TASK_WOKEN)
            return false;
    } while (!edo_cas_weak_mt(state, &old, old & ~(uint32_t)EDO_TASK_LINKED, release, relaxed));
    return true;
}

/* Multi-thread: takes a task that waits, as a poll does, for somebody who only looks at it. False: it is in a queue,
 * polled, looked at, or complete. Acquires its last poll; ends with edo_task_state_idle. */
static inline bool edo_task_state_hold(edo_task_state *state)
{
    uint32_t old = edo_load(state, relaxed);
    do {
        if (old & (EDO_TASK_LINKED | EDO_TASK_COMPLETE))
            return false;
    } while (!edo_cas_weak_mt(state, &old, old | EDO_TASK_LINKED, acquire, relaxed));
    return true;
}

/* Taken off the inject list. Returns the word as it was. Release: the owner's last look at
 * remote_next comes before the next foreign wake writes it. */
static inline uint32_t edo_task_state_unlink(edo_task_state *state)
{
    return edo_fetch_and(state, ~(uint32_t)EDO_TASK_LINKED, release);
}

/* About to be polled: foreign wakes up to now are answered by this poll. What they wrote is acquired with
 * WOKEN; without it there is nothing to acquire. Returns the word; or 0, when it is to be polled and nothing else. */
static inline uint32_t edo_task_state_begin(edo_task_state *state)
{
    uint32_t now = edo_load(state, relaxed);
    if (edo_likely(!(now & (EDO_TASK_WOKEN | EDO_TASK_ABORTED | EDO_TASK_COMPLETE))))
        return 0;
    if (now & EDO_TASK_WOKEN)
        now = edo_fetch_and(state, ~(uint32_t)EDO_TASK_WOKEN, acquire);
    return now;
}

/* A blocking task is woken. True when the caller must wake its thread; with `claim` it has got a reference to the
 * task then. Release, also when nothing changes: see edo_task_state_wake. */
static inline bool edo_task_state_notify(edo_task_state *state, bool claim)
{
    uint32_t old = edo_load(state, relaxed), now;
    do {
        if (old & EDO_TASK_COMPLETE)
            return false;
        now = old | EDO_TASK_WOKEN;
        if (claim && !(old & EDO_TASK_WOKEN))
            now += EDO_TASK_REF;
    } while (!edo_cas_weak(state, &old, now, release, relaxed));
    return !(old & EDO_TASK_WOKEN);
}

/* The thread of a blocking task was told of a wake: whether there was one since this was asked last, or the first
 * poll began. A read-modify-write, which cannot miss it; acquires what was written before. */
static inline bool edo_task_state_woken(edo_task_state *state)
{
    return edo_fetch_and(state, ~(uint32_t)EDO_TASK_WOKEN, acquire) & EDO_TASK_WOKEN;
}

/* The outcome is in place, by whoever ends the task. True: it is nobody else's, and need not be told that it is
 * complete, which saves a read-modify-write. Nobody can come by it any more: there is no handle nor a cloned waker, and
 * the future, which is gone, has unlinked what led to it. LINKED is somebody's who will come for it, unless it is the
 * poll's (multi-thread). Acquires what those did who had references. */
static inline bool edo_task_state_alone(edo_task_state *state, bool linked_by_poll)
{
    uint32_t any = EDO_TASK_WOKEN | EDO_TASK_ABORTED | EDO_TASK_NAMED;
    any |= linked_by_poll ? EDO_TASK_LINKED : 0;
    return (edo_load(state, acquire) & ~any) == EDO_TASK_REF;
}

/* The outcome is in place. Returns the word as it was. From now on whoever has the task on the
 * inject list may release the runtime's reference, so the completing thread gets one of its own,
 * under which it looks at the task for the last time. */
static inline uint32_t edo_task_state_finish(edo_task_state *state)
{
    return edo_fetch_add(state, EDO_TASK_COMPLETE + EDO_TASK_REF, acq_rel);
}

/* Multi-thread: the outcome is in place. Returns the word as it is now. With JOINER the caller wakes that, and gives
 * the runtime's reference back; without, it is given back already, and the task is the caller's to free or
 * others'. */
static inline uint32_t edo_task_state_end(edo_task_state *state)
{
    uint32_t old = edo_load(state, relaxed), now;
    do
        now = (old | EDO_TASK_COMPLETE) - (old & EDO_TASK_JOINER ? 0 : EDO_TASK_REF);
    while (!edo_cas_weak_mt(state, &old, now, acq_rel, relaxed));
    return now;
}

/* True when the caller is the first to ask, and the task is not complete: it must be woken. */
static inline bool edo_task_state_abort(edo_task_state *state)
{
    return !(edo_fetch_or(state, EDO_TASK_ABORTED, relaxed) &
             (EDO_TASK_ABORTED | EDO_TASK_COMPLETE));
}

/* Offers or takes back task->joiner. False when the task is complete: offered, it was not taken;
 * taken back, it belongs to the completing thread. */
static inline bool edo_task_state_joiner(edo_task_state *state, bool set)
{
    uint32_t old = edo_load(state, relaxed);
    do {
        if (old & EDO_TASK_COMPLETE)
            return (void)edo_load(state, acquire), false;
    } while (!edo_cas_weak(state, &old, set ? old | EDO_TASK_JOINER : old & ~EDO_TASK_JOINER,
                           release, relaxed));
    return true;
}

/* One more reference, for somebody who has one. */
static inline void edo_task_state_ref(edo_task_state *state)
{
    uint32_t old = edo_fetch_add(state, EDO_TASK_REF, relaxed);
    edo_assert(old < UINT32_MAX - EDO_TASK_REF);
}

/* Gives references back, and with them bits that are set. True: no reference is left. */
static inline bool edo_task_state_sub(edo_task_state *state, uint32_t given)
{
    return edo_fetch_sub(state, given, acq_rel) - given < EDO_TASK_REF;
}

/* The same for what often is the last one, which needs no read-modify-write: nobody is left who could change the
 * word. */
static inline bool edo_task_state_unref(edo_task_state *state, uint32_t given)
{
    return edo_load(state, acquire) - given < EDO_TASK_REF || edo_task_state_sub(state, given);
}

#endif
