/* SPDX-License-Identifier: MIT */
/* The queue that the workers of a runtime share: tasks spawned and woken by other threads, and what did not fit
 * in a worker's own. First in, first out, linked by task->next, under a lock. */
#ifndef EDO_RUNTIME_INJECT_H
#define EDO_RUNTIME_INJECT_H

#include "../internal/sys.h"

struct edo_task;

struct edo_inject {
    struct edo_lock lock;
    struct edo_task *head, *tail;
    bool closed;
    /* As it was when the lock was last let go. Sequentially consistent against the count of workers that are
     * awake: who pushes writes this, then looks at that; a worker that goes to sleep writes that, then looks
     * at this; one of them sees the other (idle.h). */
    _Atomic(uint32_t) length;
    _Atomic(uint64_t)
        remote; /* how many tasks came from threads that are no workers. Under the lock */
};

void edo_inject_init(struct edo_inject *inject);
void edo_inject_destroy(struct edo_inject *inject);

/* Puts tasks at the end that are linked by next, from first to last. False: it is closed, and they are the
 * caller's. `remote`: this thread is no worker. Any thread. */
bool edo_inject_push(struct edo_inject *inject, struct edo_task *first, struct edo_task *last,
                     uint32_t count, bool remote);

/* Takes at most `most` tasks from its beginning, linked by next up to NULL; NULL: it is empty. Any thread. */
struct edo_task *edo_inject_take(struct edo_inject *inject, uint32_t most);

/* Takes all, and takes nothing more. */
struct edo_task *edo_inject_close(struct edo_inject *inject);

static inline uint32_t edo_inject_length(struct edo_inject *inject)
{
    return edo_load(&inject->length, seq_cst);
}

#endif
