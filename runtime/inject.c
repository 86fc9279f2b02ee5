/* SPDX-License-Identifier: MIT */
#include "inject.h"

#include "runtime_internal.h"

void edo_inject_init(struct edo_inject *inject)
{
    edo_lock_init(&inject->lock);
    inject->head = inject->tail = NULL;
    inject->closed = false;
    edo_init(&inject->length, 0);
    edo_init(&inject->remote, 0);
}

void edo_inject_destroy(struct edo_inject *inject)
{
    edo_lock_destroy(&inject->lock);
}

/* Under the lock. */
static void set_length(struct edo_inject *inject, uint32_t length)
{
    edo_store(&inject->length, length, seq_cst);
}

bool edo_inject_push(struct edo_inject *inject, struct edo_task *first, struct edo_task *last,
                     uint32_t count, bool remote)
{
    last->next = NULL;
    edo_lock(&inject->lock);
    bool open = !inject->closed;
    if (open) {
        if (inject->head == NULL)
            inject->head = first;
        else
            inject->tail->next = first;
        inject->tail = last;
        if (remote)
            edo_count_up(&inject->remote, count);
        set_length(inject, edo_load(&inject->length, relaxed) + count);
    }
    edo_unlock(&inject->lock);
    return open;
}

struct edo_task *edo_inject_take(struct edo_inject *inject, uint32_t most)
{
    if (edo_load(&inject->length, relaxed) == 0)
        return NULL;
    edo_lock(&inject->lock);
    struct edo_task *first = inject->head, *last = first;
    if (first != NULL) {
        uint32_t count = 1;
        for (; count < most && last->next != NULL; count++)
            last = last->next;
        inject->head = last->next;
        last->next = NULL;
        set_length(inject, edo_load(&inject->length, relaxed) - count);
    }
    edo_unlock(&inject->lock);
    return first;
}

struct edo_task *edo_inject_close(struct edo_inject *inject)
{
    edo_lock(&inject->lock);
    struct edo_task *first = inject->head;
    inject->head = inject->tail = NULL;
    inject->closed = true;
    set_length(inject, 0);
    edo_unlock(&inject->lock);
    return first;
}
