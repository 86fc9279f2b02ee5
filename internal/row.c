/* SPDX-License-Identifier: MIT */
#include "row.h"

#include "sys.h"
#include "waiter.h"

void edo_row_unmade_(void)
{
    edo_bug(__FILE__, __LINE__,
            "a mutex, semaphore, rwlock, barrier, notify, … is used that was never initialised");
}

void edo_waiter_drop(struct edo_waiter *waiter, struct edo_lock *lock)
{
    if (waiter->waker == NULL)
        return;
    edo_lock(lock);
    struct edo_waker *forgotten = edo_row_leave(waiter);
    edo_unlock(lock);
    edo_waker_forget(forgotten);
}

void edo_row_drain_locked(struct edo_list *row, struct edo_lock *lock, struct edo_wakes *last)
{
    struct edo_list *node;
    last->count = 0;
    edo_row_check(row);
    while ((node = edo_list_pop_front(row)) != NULL) {
        edo_wakes_claim(last, edo_waiter_of(node)->waker);
        /* With nobody left the lock is not taken again: rule 3. */
        if (edo_wakes_full(last) && !edo_list_empty(row)) {
            edo_unlock(lock);
            edo_wakes_finish(last);
            edo_lock(lock);
        }
    }
}

void edo_row_drain(struct edo_list *row, struct edo_lock *lock)
{
    struct edo_wakes last;
    edo_row_drain_locked(row, lock, &last);
    edo_unlock(lock);
    edo_wakes_finish(&last);
}

void edo_row_wake_all(struct edo_list *row, struct edo_lock *lock)
{
    struct edo_list now;
    edo_list_init(&now);
    edo_row_check(row);
    edo_list_splice(&now, row);
    edo_row_drain(&now, lock);
}
