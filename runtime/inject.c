/* SPDX-License-Identifier: MIT */
#include "inject.h"

#include "runtime_internal.h"

void edo_inject_init(struct edo_inject *inject)
{
    *inject = (struct edo_inject){.closed = false};
    edo_lock_init(&inject->lock);
    edo_init(&inject->length, 0);
    edo_init(&inject->remote, 0);
    edo_init(&inject->spawned, 0);
}

void edo_inject_destroy(struct edo_inject *inject)
{
    edo_lock_destroy(&inject->lock);
    edo_free(inject->first); /* empty, and the last */
    edo_free(inject->spare);
}

/* Under the lock. */
static void set_length(struct edo_inject *inject, uint32_t length)
{
    edo_store(&inject->length, length, relaxed);
}

/* How many more fit into the last block. */
static uint32_t room(const struct edo_inject *inject)
{
    return inject->last != NULL ? EDO_INJECT_BLOCK - inject->end : 0;
}

static bool begin_block(struct edo_inject *inject)
{
    struct edo_inject_block *block = inject->spare;
    if (block == NULL)
        return false;
    inject->spare = NULL;
    block->next = NULL;
    if (inject->last != NULL)
        inject->last->next = block;
    else
        inject->first = block;
    inject->last = block;
    inject->end = 0;
    return true;
}

static void put(struct edo_inject *inject, struct edo_task *task)
{
    if (inject->head == NULL && (room(inject) > 0 || begin_block(inject))) {
        inject->last->tasks[inject->end++] = task;
        return;
    }
    task->next = NULL;
    if (inject->head == NULL)
        inject->head = task;
    else
        inject->tail->next = task;
    inject->tail = task;
}

/* One block is enough, for as many as come at once. It is allocated without the lock. Another may have filled the last
 * block meanwhile, or given us a spare one. */
static void provide_block(struct edo_inject *inject)
{
    edo_unlock(&inject->lock);
    struct edo_inject_block *block = edo_malloc(sizeof *block);
    edo_lock(&inject->lock);
    if (inject->spare == NULL) {
        inject->spare = block;
        return;
    }
    edo_unlock(&inject->lock);
    edo_free(block);
    edo_lock(&inject->lock);
}

bool edo_inject_push(struct edo_inject *inject, struct edo_task *const *tasks, uint32_t count,
                     enum edo_inject_from from)
{
    edo_lock(&inject->lock);
    if (from == EDO_INJECT_SPAWN)
        edo_count_up(&inject->spawned, count);
    if (edo_unlikely(room(inject) < count && inject->spare == NULL && !inject->closed))
        provide_block(inject);
    bool open = from == EDO_INJECT_SPAWN ? !inject->refusing : !inject->closed;
    if (open) {
        for (uint32_t i = 0; i < count; i++)
            put(inject, tasks[i]);
        if (from != EDO_INJECT_WORKER)
            edo_count_up(&inject->remote, count);
        set_length(inject, edo_inject_length(inject) + count);
    }
    edo_unlock(&inject->lock);
    return open;
}

/* The next, of which there is one. A block that was emptied goes to `empty`. */
static struct edo_task *get(struct edo_inject *inject, struct edo_inject_block **empty)
{
    if (inject->first == inject->last && inject->begin == inject->end) {
        struct edo_task *task = inject->head;
        inject->head = task->next;
        return task;
    }
    if (inject->begin == EDO_INJECT_BLOCK) {
        *empty = inject->first;
        inject->first = inject->first->next;
        inject->begin = 0;
    }
    return inject->first->tasks[inject->begin++];
}

uint32_t edo_inject_take(struct edo_inject *inject, struct edo_task **tasks, uint32_t most)
{
    if (edo_inject_length(inject) == 0)
        return 0;
    struct edo_inject_block *empty = NULL;
    edo_lock(&inject->lock);
    uint32_t length = edo_inject_length(inject), count = length < most ? length : most;
    for (uint32_t i = 0; i < count; i++)
        tasks[i] = get(inject, &empty);
    /* The last block is used from its beginning again. */
    if (inject->first == inject->last && inject->begin == inject->end)
        inject->begin = inject->end = 0;
    if (empty != NULL && inject->spare == NULL) {
        inject->spare = empty;
        empty = NULL;
    }
    set_length(inject, length - count);
    edo_unlock(&inject->lock);
    edo_free(empty);
    return count;
}

void edo_inject_refuse(struct edo_inject *inject)
{
    edo_lock(&inject->lock);
    inject->refusing = true;
    edo_unlock(&inject->lock);
}

void edo_inject_close(struct edo_inject *inject)
{
    edo_lock(&inject->lock);
    inject->refusing = inject->closed = true;
    edo_unlock(&inject->lock);
}

bool edo_inject_waiting(struct edo_inject *inject)
{
    edo_lock(&inject->lock);
    bool some = edo_inject_length(inject) > 0;
    edo_unlock(&inject->lock);
    return some;
}
