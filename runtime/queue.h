/* SPDX-License-Identifier: MIT */
/* A worker's run queue: a ring of 1,024 tasks. Its owner pushes at one end; the owner and thieves take from the
 * other. No locks. (The way of Go's runtime; the ring with two counters is Lamport's, "Proving the
 * Correctness of Multiprocess Programs", 1977.)
 *
 * `head` counts what was taken, `tail` what was pushed; both only grow, and wrap. A slot is written by the
 * owner only when `head` has passed it, so whoever finds `head` as it was, when it moves it on, has read what
 * was there: a thief copies first and takes then, and gives the copies up when somebody was faster. `head`
 * would have to go round all of 2^32 in between to deceive it.
 *
 * Orders. tail: the owner's store releases the slot, and what the task was woken for, to thieves, who acquire.
 * head: whoever moves it on releases his reading of the slots to the owner, who acquires before he writes there
 * again. (A thief's exchange is the last that he has to do with them. Without that order a slot could be read
 * as it is after it was given away: load buffering, which the checker does not explore; argued in
 * tests/model/argued.c.) A thief may see a head that is old, or a tail that is older than it: then the two make
 * no sense, and he goes on, or the exchange fails, and he looks again.
 */
#ifndef EDO_RUNTIME_QUEUE_H
#define EDO_RUNTIME_QUEUE_H

#include "../internal/sys.h"

struct edo_task;

#ifndef EDO_QUEUE_SIZE
#define EDO_QUEUE_SIZE 1024u
#endif
/* How many are copied by those who take many at once: the owner goes on meanwhile, and a long copy is for nothing when
 * he has taken one. */
enum { EDO_QUEUE_MOVED = EDO_QUEUE_SIZE < 256 ? EDO_QUEUE_SIZE / 2 : 128 };

struct edo_queue {
    _Alignas(64) _Atomic(uint32_t) head;
    _Alignas(64) _Atomic(uint32_t) tail;
    _Atomic(struct edo_task *) slots[EDO_QUEUE_SIZE];
};

/* How many are in it; by others than the owner, a moment ago, and nothing is acquired. */
static inline uint32_t edo_queue_length(struct edo_queue *queue)
{
    uint32_t head = edo_load(&queue->head, relaxed), tail = edo_load(&queue->tail, relaxed);
    return tail - head > EDO_QUEUE_SIZE ? 0 : tail - head;
}

/* The owner's. False: it is full. */
static inline bool edo_queue_push(struct edo_queue *queue, struct edo_task *task)
{
    uint32_t tail = edo_load(&queue->tail, relaxed);
    if (edo_unlikely(tail - edo_load(&queue->head, acquire) >= EDO_QUEUE_SIZE))
        return false;
    edo_store(&queue->slots[tail % EDO_QUEUE_SIZE], task, relaxed);
    edo_store(&queue->tail, tail + 1, release);
    return true;
}

/* The owner's, which is empty: puts in as many, EDO_QUEUE_MOVED at most. */
static inline void edo_queue_fill(struct edo_queue *queue, struct edo_task *const *tasks,
                                  uint32_t count)
{
    uint32_t tail = edo_load(&queue->tail, relaxed);
    edo_assert(edo_load(&queue->head, acquire) == tail);
    for (uint32_t i = 0; i < count; i++)
        edo_store(&queue->slots[(tail + i) % EDO_QUEUE_SIZE], tasks[i], relaxed);
    edo_store(&queue->tail, tail + count, release);
}

/* The owner's. NULL: it is empty. Nothing is acquired: the owner wrote slots and tail itself. */
static inline struct edo_task *edo_queue_pop(struct edo_queue *queue)
{
    uint32_t head = edo_load(&queue->head, relaxed), tail = edo_load(&queue->tail, relaxed);
    while (head != tail) {
        struct edo_task *task = edo_load(&queue->slots[head % EDO_QUEUE_SIZE], relaxed);
        if (edo_cas_weak_mt(&queue->head, &head, head + 1, release, relaxed))
            return task;
    }
    return NULL;
}

/* The owner's: has the processor fetch the task after the next. It may be a thief's by then, and gone: then it was for
 * nothing. */
static inline void edo_queue_prefetch(struct edo_queue *queue)
{
    uint32_t second = edo_load(&queue->head, relaxed) + 1;
    if ((int32_t)(edo_load(&queue->tail, relaxed) - second) > 0)
        edo_prefetch(edo_load(&queue->slots[second % EDO_QUEUE_SIZE], relaxed));
}

/* The owner's, of a full queue: takes the EDO_QUEUE_MOVED oldest into `tasks`. Returns how many; 0 when thieves were
 * there first. */
uint32_t edo_queue_shed(struct edo_queue *queue, struct edo_task *tasks[EDO_QUEUE_MOVED]);

/* The owner of `to`, which is empty: takes the older half of what is in `from`, EDO_QUEUE_MOVED at most. Returns one
 * of them, the others are in `to`; NULL: there was nothing. `taken` is how many. */
struct edo_task *edo_queue_steal(struct edo_queue *from, struct edo_queue *to, uint32_t *taken);

#endif
