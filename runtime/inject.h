/* SPDX-License-Identifier: MIT */
/* The queue that the workers of a runtime share: tasks spawned and woken by other threads, and what did not fit
 * in a worker's own. First in, first out, under a lock.
 *
 * It has no end, and a wake never fails. What is in it stands in blocks of pointers: who takes many copies them, and
 * fetches none of the tasks, which another core has written, while the lock is held. (Linked by a field of theirs each
 * would be fetched before the next is known.) Where there is no memory for a block they are linked all the same, by
 * task->next, and so are all that come after, until those have been taken.
 */
#ifndef EDO_RUNTIME_INJECT_H
#define EDO_RUNTIME_INJECT_H

#include "../internal/sys.h"

struct edo_task;

/* A page, as the allocator has it. */
#ifndef EDO_INJECT_BLOCK
#define EDO_INJECT_BLOCK 509u
#endif

struct edo_inject_block {
    struct edo_inject_block *next;
    struct edo_task *tasks[EDO_INJECT_BLOCK];
};

struct edo_inject {
    _Alignas(64) struct edo_lock lock;
    bool refusing, closed;
    /* As it was when the lock was last let go. */
    _Atomic(uint32_t) length;
    /* Under the lock, as all that follows. In blocks from `first` to `last`, at `begin` of the one, before `end` of the
     * other; NULL: none was needed as yet. `spare` is none of them. */
    uint32_t begin, end;
    struct edo_inject_block *first, *last, *spare;
    struct edo_task *head, *tail; /* behind them: those that are linked */
    /* How many tasks came from threads that are no workers, and of these the new ones, also when they were refused. */
    _Atomic(uint64_t) remote, spawned;
};

void edo_inject_init(struct edo_inject *inject);
void edo_inject_destroy(struct edo_inject *inject);

/* From a worker; from another thread, which has woken it, or spawned it. */
enum edo_inject_from { EDO_INJECT_WORKER, EDO_INJECT_WAKE, EDO_INJECT_SPAWN };

/* Puts `count` tasks at the end, EDO_INJECT_BLOCK at most. False: it takes them no more, and they are the caller's. Any
 * thread. */
bool edo_inject_push(struct edo_inject *inject, struct edo_task *const *tasks, uint32_t count,
                     enum edo_inject_from from);

/* Takes at most `most` tasks from its beginning, EDO_INJECT_BLOCK at most; how many it were. Any thread. */
uint32_t edo_inject_take(struct edo_inject *inject, struct edo_task **tasks, uint32_t most);

/* No new task comes in from now on, but from workers: their queues may yet be full, and tasks yet be woken. */
void edo_inject_refuse(struct edo_inject *inject);

/* Nothing more comes in. */
void edo_inject_close(struct edo_inject *inject);

/* Whether there are any; also whatever was pushed before its thread looked at something that this one had written
 * before it asks (idle.h). */
bool edo_inject_waiting(struct edo_inject *inject);

/* A moment ago. */
static inline uint32_t edo_inject_length(struct edo_inject *inject)
{
    return edo_load(&inject->length, relaxed);
}

#endif
