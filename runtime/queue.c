/* SPDX-License-Identifier: MIT */
#include "queue.h"

uint32_t edo_queue_shed(struct edo_queue *queue, struct edo_task *tasks[EDO_QUEUE_MOVED])
{
    uint32_t head = edo_load(&queue->head, relaxed), tail = edo_load(&queue->tail, relaxed);
    if (tail - head < EDO_QUEUE_MOVED)
        return 0;
    for (uint32_t i = 0; i < EDO_QUEUE_MOVED; i++)
        tasks[i] = edo_load(&queue->slots[(head + i) % EDO_QUEUE_SIZE], relaxed);
    return edo_cas(&queue->head, &head, head + EDO_QUEUE_MOVED, release, relaxed) ? EDO_QUEUE_MOVED
                                                                                  : 0;
}

struct edo_task *edo_queue_steal(struct edo_queue *from, struct edo_queue *to, uint32_t *taken)
{
    uint32_t head = edo_load(&from->head, relaxed), at = edo_load(&to->tail, relaxed), n;
    struct edo_task *first = NULL;
    edo_assert(edo_load(&to->head, relaxed) == at);
    *taken = 0;
    do {
        n = edo_load(&from->tail, acquire) - head;
        n -= n / 2;
        /* Too many: head and tail are not of one moment. Somebody is at it, and this is a moment's matter. */
        if (n == 0 || n > EDO_QUEUE_SIZE / 2)
            return NULL;
        if (n > EDO_QUEUE_MOVED)
            n = EDO_QUEUE_MOVED;
        /* Nobody looks at our slots behind our tail. */
        first = edo_load(&from->slots[head % EDO_QUEUE_SIZE], relaxed);
        for (uint32_t i = 1; i < n; i++)
            edo_store(&to->slots[(at + i - 1) % EDO_QUEUE_SIZE],
                      edo_load(&from->slots[(head + i) % EDO_QUEUE_SIZE], relaxed), relaxed);
    } while (!edo_cas_weak(&from->head, &head, head + n, release, relaxed));
    if (n > 1)
        edo_store(&to->tail, at + n - 1, release);
    *taken = n;
    return first;
}
