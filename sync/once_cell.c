/* SPDX-License-Identifier: MIT */
/* The lock guards the row, `chosen` of each waiter in it, and the steps of the state:
 *
 *     EMPTY    nobody is at it, and nobody waits
 *     BUSY     one future has the turn: only it writes the value
 *     SET      for good
 *
 * The turn is handed over, not given up, while somebody waits: BUSY stays, and the first of the list is
 * chosen, so that nobody comes in between. One that is chosen and dropped before it was polled hands it
 * on. Until one that has the turn sets it, nobody does.
 *
 * The state is read without the lock to find it SET, which is stored with release for that acquire: the
 * value was written before. All else that is read of it is read under the lock.
 */
#include "once_cell.h"

#include "../internal/copy.h"
#include "../internal/sys.h"
#include "../internal/waiter.h"

enum { EMPTY, BUSY, SET };
/* A future's state after its first poll: on the list, or taken off it since; has the turn. */
enum { WAITS = 1, INITIALISES };

static _Atomic(uint32_t) *state(struct edo_once_cell *cell)
{
    return (_Atomic(uint32_t) *)&cell->state_;
}

void edo_once_cell_init_(struct edo_once_cell *cell)
{
    edo_lock_init(&cell->lock_);
    edo_list_init(&cell->waiters_);
    edo_init(state(cell), EMPTY);
}

void edo_once_cell_destroy_(struct edo_once_cell *cell)
{
    edo_assert(cell->waiters_.next == NULL || edo_list_empty(&cell->waiters_));
    edo_lock_destroy(&cell->lock_);
}

const void *edo_once_cell_get_(struct edo_once_cell *cell, size_t offset)
{
    return edo_load(state(cell), acquire) == SET ? (const char *)cell + offset : NULL;
}

int edo_once_cell_set_(struct edo_once_cell *cell, size_t offset, size_t size, const void *value)
{
    if (edo_load(state(cell), acquire) == SET)
        return -EEXIST;
    edo_lock(&cell->lock_);
    uint32_t found = edo_load(state(cell), relaxed);
    if (found == EMPTY) {
        edo_copy((char *)cell + offset, value, size);
        edo_store(state(cell), SET, release);
    }
    edo_unlock(&cell->lock_);
    return found == EMPTY ? 0 : found == SET ? -EEXIST : -EBUSY;
}

/* Under the lock, having the turn: hands it over. Returns what is to be finished after the lock, or
 * NULL. */
static struct edo_waker *hand_over(struct edo_once_cell *cell)
{
    struct edo_list *node = edo_list_pop_front(&cell->waiters_);
    if (node == NULL) {
        edo_store(state(cell), EMPTY, relaxed);
        return NULL;
    }
    struct edo_once_cell_waiter *next =
        edo_container_of(node, struct edo_once_cell_waiter, link.node);
    next->chosen = true;
    return edo_waker_claim(next->link.waker);
}

static void give_up(struct edo_once_cell *cell)
{
    edo_lock(&cell->lock_);
    struct edo_waker *claimed = hand_over(cell);
    edo_unlock(&cell->lock_);
    edo_waker_finish(claimed);
}

/* Having the turn. Nobody enters the row after this. */
static void set_and_wake(struct edo_once_cell_waiter *self)
{
    struct edo_once_cell *cell = self->cell;
    edo_copy((char *)cell + self->offset, self->value, self->size);
    edo_lock(&cell->lock_);
    edo_store(state(cell), SET, release);
    edo_row_drain(&cell->waiters_, &cell->lock_);
}

/* Leaves the row, or hands on the turn that it was chosen for. */
static void leave(struct edo_once_cell_waiter *self)
{
    struct edo_once_cell *cell = self->cell;
    edo_lock(&cell->lock_);
    struct edo_waker *forgotten = edo_row_leave(&self->link);
    struct edo_waker *claimed = self->chosen ? hand_over(cell) : NULL;
    edo_unlock(&cell->lock_);
    edo_waker_finish(claimed);
    edo_waker_forget(forgotten);
}

enum turn { MINE, NOT_YET, NOT_NEEDED };

/* Takes the turn, or waits for it. */
static enum turn take_turn(struct edo_once_cell_waiter *self, struct edo_waker *waker)
{
    struct edo_once_cell *cell = self->cell;
    enum turn turn = NOT_YET;
    struct edo_waker *spare = edo_waker_spare(self->link.waker, waker), *old = NULL;
    edo_lock(&cell->lock_);
    /* All zeros are an empty one: the row is made by the first who comes. */
    if (cell->waiters_.next == NULL)
        edo_list_init(&cell->waiters_);
    uint32_t found = edo_load(state(cell), relaxed);
    if (found == SET) {
        turn = NOT_NEEDED;
        old = edo_row_leave(&self->link);
    } else if (found == EMPTY || self->chosen) {
        turn = MINE;
        edo_store(state(cell), BUSY, relaxed);
    } else {
        edo_row_join(&cell->waiters_, &self->link, &spare);
    }
    edo_unlock(&cell->lock_);
    edo_waker_forget(old);
    edo_waker_forget(spare);
    return turn;
}

/* A child that is not needed goes before this future is ready. */
static enum edo_poll found_set(struct edo_once_cell_waiter *self, struct edo_context *cx)
{
    edo_future_drop(self->child, cx);
    if (cx->panic.name != NULL)
        return EDO_PENDING;
    edo_budget_spend(cx);
    return EDO_READY;
}

/* Both futures; `result` is the child's, or NULL when it cannot fail. */
static enum edo_poll advance(struct edo_future *future, struct edo_once_cell_waiter *self,
                             const int *result, struct edo_context *cx)
{
    if (future->state != INITIALISES) {
        if (edo_budget_spent_by(cx, self->link.waker))
            return EDO_PENDING;
        if (future->state == EDO_STATE_FRESH && edo_load(state(self->cell), acquire) == SET)
            return found_set(self, cx);
        enum turn turn = take_turn(self, cx->waker);
        future->state = turn == MINE ? INITIALISES : WAITS;
        if (turn != MINE)
            return turn == NOT_NEEDED ? found_set(self, cx) : EDO_PENDING;
    }
    /* A panic is a PENDING, too; the turn is handed over when this future is dropped for it. */
    if (edo_future_poll(self->child, cx) == EDO_PENDING)
        return EDO_PENDING;
    if (result != NULL && *result < 0)
        give_up(self->cell);
    else
        set_and_wake(self);
    return EDO_READY;
}

/* The child goes first: nobody else begins to initialise before all that it held is given back. */
static enum edo_poll walk(struct edo_future *future, struct edo_once_cell_waiter *self,
                          struct edo_context *cx, const char *name)
{
    if (cx->walk == EDO_WALK_DROP) {
        edo_future_drop(self->child, cx);
        if (future->state == INITIALISES)
            give_up(self->cell);
        else if (future->state == WAITS)
            leave(self);
        return EDO_READY;
    }
    edo_trace(cx, name, NULL, 0);
    if (future->state == INITIALISES) {
        cx->depth++;
        edo_future_trace(self->child, cx);
        cx->depth--;
    }
    return EDO_PENDING;
}

static enum edo_poll edo_once_cell_get_or_init_poll(struct edo_future *future,
                                                    struct edo_context *cx)
{
    struct edo_once_cell_get_or_init *self = (struct edo_once_cell_get_or_init *)future;
    if (cx->walk != EDO_WALK_POLL)
        return walk(future, &self->waiter, cx, "edo_once_cell_get_or_init");
    return advance(future, &self->waiter, NULL, cx);
}

struct edo_once_cell_get_or_init edo_once_cell_get_or_init_(struct edo_once_cell *cell,
                                                            size_t offset, size_t size,
                                                            struct edo_future *child, size_t output)
{
    return EDO_NEW_RETURNED(edo_once_cell_get_or_init, .waiter = {
                                                           .cell = cell,
                                                           .child = child,
                                                           .value = (const char *)child + output,
                                                           .offset = offset,
                                                           .size = size,
                                                       });
}

static enum edo_poll edo_once_cell_get_or_try_init_poll(struct edo_future *future,
                                                        struct edo_context *cx)
{
    struct edo_once_cell_get_or_try_init *self = (struct edo_once_cell_get_or_try_init *)future;
    if (cx->walk != EDO_WALK_POLL)
        return walk(future, &self->waiter, cx, "edo_once_cell_get_or_try_init");
    if (advance(future, &self->waiter, self->result, cx) == EDO_PENDING)
        return EDO_PENDING;
    /* One that did not run has no result. */
    self->output = future->state == INITIALISES && *self->result < 0 ? *self->result : 0;
    return EDO_READY;
}

struct edo_once_cell_get_or_try_init edo_once_cell_get_or_try_init_(struct edo_once_cell *cell,
                                                                    size_t offset, size_t size,
                                                                    struct edo_future *child,
                                                                    size_t output,
                                                                    const void *value)
{
    return EDO_NEW_RETURNED(edo_once_cell_get_or_try_init,
                            .result = (const int *)(const void *)((const char *)child + output),
                            .waiter = {
                                .cell = cell,
                                .child = child,
                                .value = value,
                                .offset = offset,
                                .size = size,
                            });
}
