/* SPDX-License-Identifier: MIT */
/* Which workers sleep, and how many look for work.
 *
 * One word counts the workers that are awake, and how many of those search. Who makes work wakes a worker
 * when some sleep and none searches: a searcher will find it, and wakes the next when it has (so that a
 * burst of work wakes workers one by one, and not all at once for nothing; Tokio's and Go's way).
 *
 * No wake-up is lost: who puts work where all look (the inject queue) does so before it reads this word, and a
 * worker that falls asleep writes the word before it looks there for the last time; both under the queue's lock, so one
 * of them sees the other: if the work is not there as yet, whoever puts it there has the lock later, and with it
 * the word as it was written. So it is with one that stops searching. One that falls asleep while another searches need
 * not look: that one stops later, and does; but when nobody does, the last may have stopped while this one was awake
 * still, and seen no reason to wake anybody. That another searches may be written and
 * seen relaxed: who relies on a searcher relies on his stop, and that comes after what was seen. (For the watch of
 * worker.c one who was taken counts as awake when he stops, too.) A worker that pushes to its own queue reads the
 * word without such an order: it runs that task itself if nobody else does, and whom it overlooked in that moment
 * it finds at its next push, or the watch finds the task (worker.c).
 */
#ifndef EDO_RUNTIME_IDLE_H
#define EDO_RUNTIME_IDLE_H

#include "../internal/sys.h"

enum { EDO_IDLE_SEARCHING = 1u, EDO_IDLE_AWAKE = 1u << 16 };

struct edo_idle {
    uint32_t workers;
    _Alignas(64) _Atomic(uint32_t) word;
    struct edo_lock
        lock; /* guards who sleeps; the word is changed by others than searchers under it */
    uint32_t count;
    uint16_t *sleepers; /* indices; the last came last */
};

/* All workers are awake, none searches. 0, or -ENOMEM. */
int edo_idle_init(struct edo_idle *idle, uint32_t workers);
void edo_idle_destroy(struct edo_idle *idle);

/* How many workers are awake. */
static inline uint32_t edo_idle_awake(struct edo_idle *idle)
{
    return edo_load(&idle->word, seq_cst) / EDO_IDLE_AWAKE;
}

/* Whether somebody should be woken for new work. */
static inline bool edo_idle_wanted(struct edo_idle *idle)
{
    uint32_t word = edo_load(&idle->word, seq_cst);
    return word < idle->workers * EDO_IDLE_AWAKE && word % EDO_IDLE_AWAKE == 0;
}

/* Takes a sleeper to be woken, who is a searcher from now on; `spare` is taken when there is no other only.
 * -1: nobody is wanted. */
int edo_idle_take(struct edo_idle *idle, int spare);

/* A worker begins to search. False: enough do. */
bool edo_idle_search(struct edo_idle *idle);

/* It found something, or does not search any more. True: it was the last; if there is more, it wakes another. */
bool edo_idle_found(struct edo_idle *idle);

/* A worker goes to sleep. True: nobody searches from here on, and it looks at all queues once more. */
bool edo_idle_sleep(struct edo_idle *idle, uint32_t worker, bool searching);

/* Whether it has not been taken. */
bool edo_idle_sleeps(struct edo_idle *idle, uint32_t worker);

/* It wakes by itself. False: it has been taken, and is a searcher. */
bool edo_idle_rise(struct edo_idle *idle, uint32_t worker);

#endif
