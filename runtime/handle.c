/* SPDX-License-Identifier: MIT */
/* The half of a runtime that other threads hold: references, the inject list, the signal, whose turn it is. */
#include <stdio.h>
#include <string.h>

#include "../internal/row.h"
#include "blocking_pool.h"
#include "pool.h"
#include "runtime_internal.h"
#include "selector.h"

/* What the inject list points to when the runtime takes no more tasks. */
static struct edo_task inject_closed;
#define INJECT_CLOSED (&inject_closed)

struct edo_handle *edo_handle_new(const struct edo_builder *builder)
{
    struct edo_handle *handle = edo_calloc(1, sizeof *handle);
    if (handle == NULL)
        return NULL;
    EDO_COUNT(RUNTIMES, 1);
    edo_init(&handle->refs, 1);
    edo_lock_init(&handle->lock);
    edo_lock_init(&handle->outside);
    edo_list_init(&handle->waiters);
    edo_list_init(&handle->look_waits);
    edo_slabs_init(&handle->slabs, builder->flavor == EDO_MULTI_THREAD ? 6 : 4);
    static _Atomic(uint64_t) last;
    handle->id = edo_fetch_add(&last, 1, relaxed) + 1;
    handle->hooks = *builder;
    handle->observed = builder->poll_time.buckets > 0 || builder->on_before_task_poll != NULL ||
                       builder->on_after_task_poll != NULL;
    snprintf(handle->thread_name, sizeof handle->thread_name, "%s",
             builder->thread_name != NULL ? builder->thread_name : "edo-worker");
    return handle;
}

int edo_handle_start_thread(struct edo_handle *handle, struct edo_thread_id *id,
                            void *(*run)(void *), void *arg)
{
    char name[EDO_THREAD_NAME];
    memcpy(name, handle->thread_name, sizeof name);
    if (handle->hooks.thread_name_fn != NULL) {
        handle->hooks.thread_name_fn(handle->hooks.hook_arg, name);
        name[sizeof name - 1] = '\0';
    }
    struct edo_thread_options options = {name, handle->hooks.thread_stack_size};
    return edo_thread_start(id, &options, run, arg);
}

void edo_handle_unref(struct edo_handle *handle, int64_t n)
{
    /* Release what this holder did; acquire what all others did, for the free. */
    if (edo_fetch_sub(&handle->refs, n, acq_rel) != n)
        return;
    EDO_COUNT(RUNTIMES, -1);
    edo_cache_clear(&handle->own.cache, &handle->slabs);
    edo_blocks_clear(&handle->own.blocks);
    if (handle->pool != NULL)
        edo_pool_free(handle->pool);
    edo_slabs_destroy(&handle->slabs);
    edo_blocking_pool_free(handle->blocking);
    edo_lock_destroy(&handle->lock);
    edo_lock_destroy(&handle->outside);
    edo_free(handle);
}

uint64_t edo_handle_id(const struct edo_handle *handle)
{
    return handle->id;
}

struct edo_handle *edo_handle_clone(struct edo_handle *handle)
{
    edo_fetch_add(&handle->refs, 1, relaxed);
    return handle;
}

void edo_handle_drop(struct edo_handle *handle)
{
    if (handle != NULL)
        edo_handle_unref(handle, 1);
}

/* The task may be run, and freed, as soon as it is pushed: the caller holds a reference to it, and
 * through it to the handle, until the signal is sent. */
bool edo_handle_inject(struct edo_handle *handle, struct edo_task *task)
{
    struct edo_task *head = edo_load(&handle->inject, relaxed);
    do {
        /* Acquire: the owner may have looked at a task of which the caller now frees the last. */
        if (head == INJECT_CLOSED)
            return (void)edo_load(&handle->inject, acquire), false;
        task->remote_next = head;
        /* Releases remote_next to edo_handle_take; seq_cst against `parked`. */
    } while (!edo_cas_weak(&handle->inject, &head, task, seq_cst, relaxed));
    /* Of several who see it, one signals: the exchange decides no more than that. */
    if (edo_load(&handle->parked, seq_cst) && edo_exchange(&handle->parked, false, relaxed))
        edo_handle_signal(handle);
    return true;
}

struct edo_task *edo_handle_take(struct edo_handle *handle, bool close)
{
    if (!close && edo_load(&handle->inject, relaxed) == NULL)
        return NULL;
    /* Acquires what was pushed; the close releases what the owner did before. */
    struct edo_task *stack = edo_exchange(&handle->inject, close ? INJECT_CLOSED : NULL, acq_rel);
    struct edo_task *first = NULL;
    if (stack == INJECT_CLOSED)
        return NULL;
    while (stack != NULL) {
        struct edo_task *next = stack->remote_next;
        stack->remote_next = first;
        first = stack;
        stack = next;
    }
    return first;
}

bool edo_handle_pending(struct edo_handle *handle)
{
    struct edo_task *head = edo_load(&handle->inject, seq_cst);
    return head != NULL && head != INJECT_CLOSED;
}

void edo_handle_signal(struct edo_handle *handle)
{
    /* The lock keeps the selector from being closed meanwhile. */
    edo_lock(&handle->lock);
    if (handle->selector != NULL)
        edo_selector_wake(handle->selector);
    edo_row_wake_all(&handle->waiters, &handle->lock);
}

/* Whose turn it is, on a current-thread runtime. A look lasts as long as somebody else's FILE takes to print on, so it
 * is no lock: who wants the runtime meanwhile sleeps until it is over. Who runs it is not waited for: that may be for
 * ever. */
struct look_wait {
    struct edo_list node;
    struct edo_event over;
};

/* With the lock, which it lets go: sleeps until the look that is under way is over. */
static void wait_for_look(struct edo_handle *handle)
{
    struct look_wait wait;
    edo_event_init(&wait.over);
    edo_list_push_back(&handle->look_waits, &wait.node);
    edo_unlock(&handle->lock);
    edo_event_wait(&wait.over);
    edo_event_destroy(&wait.over);
}

bool edo_handle_claim(struct edo_handle *handle, bool to_look)
{
    struct edo_thread *owner = NULL;
    if (!to_look && edo_cas(&handle->owner, &owner, &edo_thread, acquire, relaxed))
        return true;
    for (;;) {
        edo_lock(&handle->lock);
        /* A look begins and ends under the lock: if it is not looked at, an owner runs it. */
        owner = NULL;
        bool claimed = edo_cas(&handle->owner, &owner, &edo_thread, acquire, relaxed);
        if (claimed)
            handle->looked_at = to_look;
        if (claimed || !handle->looked_at || owner == &edo_thread) {
            edo_unlock(&handle->lock);
            return claimed;
        }
        wait_for_look(handle);
    }
}

/* Who is told goes on at once, and takes its part of the list with it: it is taken over first. */
void edo_handle_look_over(struct edo_handle *handle)
{
    struct edo_list told;
    edo_list_init(&told);
    edo_lock(&handle->lock);
    handle->looked_at = false;
    edo_store(&handle->owner, NULL, release);
    edo_list_splice(&told, &handle->look_waits);
    edo_unlock(&handle->lock);
    for (struct edo_list *node; (node = edo_list_pop_front(&told)) != NULL;)
        edo_event_set(&edo_container_of(node, struct look_wait, node)->over);
}

struct edo_handle *edo_handle_current(void)
{
    return edo_thread.current;
}

struct edo_guard edo_enter(struct edo_handle *handle)
{
    struct edo_guard guard = {edo_thread.current, edo_handle_clone(handle)};
    edo_thread.current = guard.entered;
    return guard;
}

void edo_leave(struct edo_guard guard)
{
    if (edo_thread.current != guard.entered)
        edo_bug(__FILE__, __LINE__, "a guard is left that is not the one entered last");
    edo_thread.current = guard.previous;
    edo_handle_drop(guard.entered);
}
