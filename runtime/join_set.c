/* SPDX-License-Identifier: MIT */
/* A set holds the join handle of each of its tasks, and what would be the waker of a join is the task's entry,
 * in its frame: woken by the thread that completes the task, it goes to the set's inbox (internal/inbox.h).
 * Who touches what, and how long it lasts:
 *
 *  1. The entry is the task's memory. Until it is joined or left the set has a reference to the task, the
 *     handle's; the completing thread has one of its own until it is through with the waker (task_state.h). So
 *     an entry may be taken out of the inbox, joined and given up while the thread that put it there has not
 *     returned from doing so: it does not touch it any more, but to call the waker's drop, which does nothing.
 *  2. The set is touched by a completing thread only to put the entry in: after that compare-exchange no more,
 *     even to wake who waits, whose waker it has taken out. So while an entry is in the set, and has not come
 *     out of the inbox, the set must be there. It is: who drops the set first takes the wakers back, of all
 *     tasks that are not complete; those will not come. Then it closes the inbox, and takes what is in there.
 *     What is missing then, of those that were complete, is on its way. They find the inbox closed, and count
 *     themselves in `late`, from which the one who drops has counted them out, all at once: whoever brings it
 *     to 0 is the last, and frees the set. Both mostly find nobody else, and then it costs nothing.
 *  3. Outcomes are seen: the task's completion comes before its entry is put in, and who takes it out acquires.
 *
 * Rejected: a reference to the set for each task, two operations on a line that all tasks share; and to wait, when
 * a set is dropped, until all have come through: the one they wait for may have been suspended by the kernel. */
#include "join_set.h"

#include "../internal/sys.h"
#include "join_internal.h"

struct edo_join_set {
    struct edo_inbox inbox;  /* entries of tasks that have ended. Any thread */
    _Atomic(intptr_t) late;  /* pushes that are to find it closed, less those that have */
    struct edo_list entries; /* of all tasks, as they were spawned. The user's, as what follows */
    size_t length;
    struct edo_inbox_node *ended; /* taken out of the inbox */
    struct edo_task *last;        /* spawned last; NULL when it is not in the set */
};

static void entry_wake(struct edo_waker *waker)
{
    struct edo_join_entry_ *entry = edo_container_of(waker, struct edo_join_entry_, waker);
    struct edo_join_set *set = entry->set;
    /* Release: the last touch of the set, to who frees it; acquire, who does. */
    if (!edo_inbox_push(&set->inbox, &entry->node) && edo_fetch_sub(&set->late, 1, acq_rel) == 1)
        edo_free(set);
}

static struct edo_waker *entry_clone(struct edo_waker *waker)
{
    return waker;
}

static void entry_drop(struct edo_waker *waker)
{
    (void)waker;
}

/* Woken once, by finish(), which has a reference to the task. */
static const struct edo_waker_ops entry_ops = {entry_wake, entry_clone, entry_drop, NULL, NULL};

/* Spawning. */

static struct edo_join_set *set_of(edo_join_set_place_ *place)
{
    if (*place == NULL) {
        struct edo_join_set *set = edo_calloc(1, sizeof *set);
        if (set == NULL)
            return NULL;
        edo_inbox_init(&set->inbox);
        edo_list_init(&set->entries);
        *place = set;
    }
    return *place;
}

struct edo_task *edo_join_set_alloc_(edo_join_set_place_ *place, struct edo_handle *handle,
                                     size_t frame_size)
{
    if (*place != NULL)
        (*place)->last = NULL;
    if (handle == NULL && edo_handle_current() == NULL)
        return (struct edo_task *)(intptr_t)EDO_ENORUNTIME;
    if (set_of(place) == NULL)
        return (struct edo_task *)(intptr_t)UV_ENOMEM;
    return edo_task_alloc_(handle, frame_size);
}

/* Before the start: the task is nobody else's yet. */
void edo_join_set_offer_(struct edo_join_set *set, struct edo_task *task,
                         struct edo_join_entry_ *entry)
{
    if (edo_task_error_(task) < 0)
        return;
    entry->waker.ops = &entry_ops;
    entry->set = set;
    entry->task = task;
    task->joiner = &entry->waker;
    edo_task_state_joiner(&task->state, true);
}

/* After it, as the start may fail: then the entry is gone. Otherwise it may be in the inbox already. */
int edo_join_set_add_(struct edo_join_set *set, struct edo_task *task,
                      struct edo_join_entry_ *entry)
{
    if (edo_task_error_(task) < 0)
        return edo_task_error_(task);
    edo_list_push_back(&set->entries, &entry->list);
    set->length++;
    set->last = task;
    return 0;
}

struct edo_task *edo_join_set_last_(edo_join_set_place_ *place)
{
    return *place != NULL ? (*place)->last : NULL;
}

size_t edo_join_set_len_(edo_join_set_place_ *place)
{
    return *place != NULL ? (*place)->length : 0;
}

/* Joining. */

static struct edo_join_entry_ *next_ended(struct edo_join_set *set)
{
    if (set->ended == NULL)
        set->ended = edo_inbox_take(&set->inbox);
    struct edo_inbox_node *node = set->ended;
    if (node == NULL)
        return NULL;
    set->ended = node->next;
    return edo_container_of(node, struct edo_join_entry_, node);
}

/* As join_next. UV_EAGAIN: the context's waker will be woken, if there is one. */
static int join_next(edo_join_set_place_ *place, struct edo_context *cx, uint64_t *id,
                     const struct edo_wanted *wanted)
{
    struct edo_join_set *set = *place;
    if (id != NULL)
        *id = 0;
    if (set == NULL || set->length == 0)
        return UV_EOF;
    if (cx != NULL && edo_budget_spent(cx))
        return UV_EAGAIN;
    struct edo_join_entry_ *entry;
    while ((entry = next_ended(set)) == NULL)
        if (cx == NULL || edo_inbox_wait(&set->inbox, cx->waker))
            return UV_EAGAIN;
    if (cx != NULL)
        edo_budget_spend(cx);
    struct edo_task *task = entry->task;
    edo_list_remove(&entry->list);
    set->length--;
    if (set->last == task)
        set->last = NULL;
    if (id != NULL)
        *id = edo_task_id_(task);
    return edo_task_take(task, wanted);
}

/* The set keeps the waker of one that is dropped while it waits: the next one, of the same task mostly, finds it
 * there. It is a clone, and woken for nothing once at most. */
static enum edo_poll edo_join_set_join_next_poll(struct edo_future *future, struct edo_context *cx)
{
    struct edo_join_set_join_next *self = (struct edo_join_set_join_next *)future;
    if (cx->walk != EDO_WALK_POLL)
        return edo_walk_leaf(cx, "edo_join_set_join_next");
    int outcome = join_next(self->set, cx, self->id,
                            &(struct edo_wanted){self->value, self->offset, self->size,
                                                 self->report, self->report_size});
    if (outcome == UV_EAGAIN)
        return EDO_PENDING;
    self->output = outcome;
    return EDO_READY;
}

struct edo_join_set_join_next edo_join_set_join_next_(edo_join_set_place_ *place, uint64_t *id,
                                                      void *value, size_t size, size_t offset,
                                                      char *report, size_t report_size)
{
    return EDO_NEW_RETURNED(edo_join_set_join_next, .size = (uint32_t)size,
                            .offset = (uint32_t)offset, .set = place, .id = id, .value = value,
                            .report = report, .report_size = report_size);
}

int edo_join_set_poll_join_next_(edo_join_set_place_ *place, struct edo_context *cx, uint64_t *id,
                                 void *value, size_t size, size_t offset)
{
    return join_next(
        place, cx, id,
        &(struct edo_wanted){.value = value, .offset = (uint32_t)offset, .size = (uint32_t)size});
}

static enum edo_poll edo_join_set_join_all_poll(struct edo_future *future, struct edo_context *cx)
{
    struct edo_join_set_join_all *self = (struct edo_join_set_join_all *)future;
    if (cx->walk != EDO_WALK_POLL)
        return edo_walk_leaf(cx, "edo_join_set_join_all");
    for (;;) {
        struct edo_wanted wanted = {.offset = self->offset, .size = self->size};
        if (self->array != NULL && edo_join_set_len_(self->set) > 0) {
            if (self->count == self->capacity) {
                self->output = UV_ENOBUFS;
                return EDO_READY;
            }
            wanted.value = self->array + self->count * self->size;
        }
        int outcome = join_next(self->set, cx, NULL, &wanted);
        if (outcome == UV_EAGAIN)
            return EDO_PENDING;
        if (outcome != 0) {
            self->output = outcome == UV_EOF ? (ssize_t)self->count : outcome;
            return EDO_READY;
        }
        self->count++;
    }
}

struct edo_join_set_join_all edo_join_set_join_all_(edo_join_set_place_ *place, void *array,
                                                    size_t capacity, size_t size, size_t offset)
{
    return EDO_NEW_RETURNED(edo_join_set_join_all, .set = place, .array = array,
                            .capacity = capacity, .size = (uint32_t)size,
                            .offset = (uint32_t)offset);
}

/* Ending. */

void edo_join_set_abort_all_(edo_join_set_place_ *place)
{
    struct edo_join_set *set = *place;
    if (set == NULL)
        return;
    for (struct edo_list *at = set->entries.next; at != &set->entries; at = at->next)
        edo_task_abort_(edo_container_of(at, struct edo_join_entry_, list)->task);
}

static enum edo_poll edo_join_set_shutdown_poll(struct edo_future *future, struct edo_context *cx)
{
    struct edo_join_set_shutdown *self = (struct edo_join_set_shutdown *)future;
    if (cx->walk != EDO_WALK_POLL)
        return edo_walk_leaf(cx, "edo_join_set_shutdown");
    if (future->state == EDO_STATE_FRESH) {
        future->state = 1;
        edo_join_set_abort_all_(self->set);
    }
    int outcome;
    do
        outcome = join_next(self->set, cx, NULL, &(struct edo_wanted){.value = NULL});
    while (outcome != UV_EAGAIN && outcome != UV_EOF);
    return outcome == UV_EOF ? EDO_READY : EDO_PENDING;
}

struct edo_join_set_shutdown edo_join_set_shutdown_(edo_join_set_place_ *place)
{
    return EDO_NEW_RETURNED(edo_join_set_shutdown, .set = place);
}

/* Takes the wakers back that are not woken yet; how many are, or were. */
static intptr_t retract_all(struct edo_join_set *set)
{
    intptr_t woken = 0;
    for (struct edo_list *at = set->entries.next; at != &set->entries; at = at->next) {
        struct edo_join_entry_ *entry = edo_container_of(at, struct edo_join_entry_, list);
        woken += !edo_task_state_joiner(&entry->task->state, false);
    }
    return woken;
}

static intptr_t count(const struct edo_inbox_node *node)
{
    intptr_t n = 0;
    for (; node != NULL; node = node->next)
        n++;
    return n;
}

/* Point 2 of the story above. */
void edo_join_set_leave_(edo_join_set_place_ *place, bool abort)
{
    struct edo_join_set *set = *place;
    if (set == NULL)
        return;
    *place = NULL;
    struct edo_waker *waiting;
    intptr_t late = retract_all(set);
    late -= count(set->ended);
    late -= count(edo_inbox_close(&set->inbox, &waiting));
    for (struct edo_list *at; (at = edo_list_pop_front(&set->entries)) != NULL;) {
        struct edo_task *task = edo_container_of(at, struct edo_join_entry_, list)->task;
        if (abort)
            edo_task_abort_(task);
        edo_task_detach_(task);
    }
    /* Release: to the last of those that are late; acquire: from them. */
    if (late == 0 || edo_fetch_add(&set->late, late, acq_rel) == -late)
        edo_free(set);
    /* A join_next in another branch of the task finds the set empty. */
    if (waiting != NULL) {
        edo_wake(waiting);
        edo_waker_drop(waiting);
    }
}
