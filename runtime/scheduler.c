/* SPDX-License-Identifier: MIT */
/* The current-thread scheduler: one queue, on the thread that runs the runtime.
 *
 * A wake from this thread appends the task to the queue: no atomic operation. One from elsewhere
 * puts it on the handle's inject list, which is looked at every global_queue_interval polls and
 * whenever the queue runs dry. A task is at most once in each.
 */
#include "driver.h"
#include "task_poll.h"

/* The end of the queue is not NULL, so that task->next tells whether a task is queued. */
static struct edo_task queue_end;
#define QUEUE_END (&queue_end)

static void append(struct edo_runtime *runtime, struct edo_task *task)
{
    task->next = QUEUE_END;
    if (runtime->head == NULL)
        runtime->head = task;
    else
        runtime->tail->next = task;
    runtime->tail = task;
}

/* In another phase than EDO_PHASE_RUNS. */
__attribute__((cold, noinline)) static void schedule_meanwhile(struct edo_runtime *runtime,
                                                               struct edo_task *task)
{
    bool closing = runtime->phase == EDO_PHASE_CLOSING;
    /* One that failed is a host's still, and drops in its next turn what was spawned. */
    if (!closing || (runtime->failed && runtime->driver != NULL && runtime->driver->attached))
        edo_driver_stay_awake(runtime->driver);
    if (!closing)
        append(runtime, task);
}

void edo_schedule(struct edo_runtime *runtime, struct edo_task *task)
{
    if (task->next != NULL || (edo_task_state_peek(&task->state) & EDO_TASK_COMPLETE))
        return;
    if (edo_unlikely(runtime->phase != EDO_PHASE_RUNS))
        schedule_meanwhile(runtime, task);
    else
        append(runtime, task);
}

static struct edo_task *pop(struct edo_runtime *runtime)
{
    struct edo_task *task = runtime->head;
    if (task == NULL)
        return NULL;
    runtime->head = task->next == QUEUE_END ? NULL : task->next;
    task->next = NULL;
    return task;
}

void edo_adopt(struct edo_runtime *runtime, struct edo_task *task)
{
    edo_list_push_back(&runtime->tasks, &task->owned);
    edo_count_up(&runtime->handle->own.counts.spawned, 1);
    if (runtime->live++ == 0)
        edo_driver_keep_alive(runtime->driver, true);
    edo_schedule(runtime, task);
}

/* Moves foreign wakes and spawns into the queue. */
static void take_injected(struct edo_runtime *runtime, bool close)
{
    struct edo_task *task = edo_handle_take(runtime->handle, close);
    while (task != NULL) {
        runtime->keen = true;
        struct edo_task *next = task->remote_next;
        edo_count_up(&runtime->handle->own.counts.remote, 1);
        /* From here on a foreign wake may link it again. */
        uint32_t old = edo_task_state_unlink(&task->state);
        if (old & EDO_TASK_COMPLETE) {
            if (task->next == NULL)
                edo_task_release(task, EDO_TASK_REF);
        } else if (!edo_list_linked(&task->owned)) {
            edo_adopt(runtime, task);
        } else if (old & EDO_TASK_WOKEN) {
            /* Without WOKEN a poll has answered that wake already. */
            edo_schedule(runtime, task);
        }
        task = next;
    }
}

static void run(struct edo_runtime *runtime, struct edo_task *task)
{
    edo_count_up(&runtime->handle->own.counts.polls, 1);
    uint32_t state = edo_task_state_begin(&task->state);
    if (edo_likely(!(state & (EDO_TASK_COMPLETE | EDO_TASK_ABORTED))))
        edo_task_poll(task, &runtime->cx);
    else if (!(state & EDO_TASK_COMPLETE))
        edo_task_cancel(task);
    else if (!(state & EDO_TASK_LINKED))
        edo_task_release(task, EDO_TASK_REF);
}

bool edo_run_batch(struct edo_runtime *runtime, struct edo_task *until)
{
    take_injected(runtime, false);
    for (uint32_t n = 0; n < runtime->event_interval; n++) {
        if (edo_unlikely(runtime->until_inject-- == 0)) {
            runtime->until_inject = runtime->global_queue_interval - 1;
            take_injected(runtime, false);
        }
        struct edo_task *task = pop(runtime);
        if (task == NULL) {
            take_injected(runtime, false);
            task = pop(runtime);
        }
        if (task == NULL)
            return false;
        run(runtime, task);
        if (edo_unlikely(runtime->failed))
            break;
        if (until != NULL && (edo_task_state_peek(&until->state) & EDO_TASK_COMPLETE))
            break;
    }
    return runtime->head != NULL;
}

bool edo_runnable(struct edo_runtime *runtime)
{
    return runtime->head != NULL || edo_handle_pending(runtime->handle);
}

/* The end of all tasks, in this order:
 *  1. No task is queued any more (EDO_PHASE_CLOSING), and the queue is emptied: a complete task that was
 *     waiting in it gives up its memory, unless the inject list has it as well.
 *  2. The inject list is closed and taken: what was on it is now only among the runtime's tasks, or
 *     complete, and released. A foreign waker that comes later finds it closed; were the queue not
 *     empty by then, it could release a task that is still queued (task_wake).
 *  3. Each task is dropped where it is suspended. One that its FINALLY spawns joins the list's
 *     end, and is dropped in its turn.
 */
void edo_drop_all(struct edo_runtime *runtime)
{
    runtime->phase = EDO_PHASE_CLOSING;
    if (runtime->driver != NULL)
        runtime->driver->closing = true;
    for (struct edo_task *task; (task = pop(runtime)) != NULL;) {
        uint32_t state = edo_task_state_peek(&task->state);
        if ((state & EDO_TASK_COMPLETE) && !(state & EDO_TASK_LINKED))
            edo_task_release(task, EDO_TASK_REF);
    }
    take_injected(runtime, true);
    while (!edo_list_empty(&runtime->tasks))
        edo_task_cancel(edo_container_of(runtime->tasks.next, struct edo_task, owned));
}
