/* SPDX-License-Identifier: MIT */
/* A registration of a shared driver is touched by many threads; what holds it together:
 *
 *  - Its lock guards its fields, held for a few instructions. No system call is made under it, but the one that
 *    removes the descriptor from the selector, and no waker woken: wakers are claimed under it and finished after it.
 *  - It is added to the selector once, as it is opened, and removed once, by who closes it: any thread does either.
 *    An event is told once. So none may be forgotten: an operation reads `ready`, and how often it was told, under
 *    the lock; it makes its system call without it; and then it clears `ready` under it, unless it was told again in
 *    between: then the operation may have been too early to see what was told, and is tried again. Who is about to
 *    wait looks once more under the lock, which also links him: what comes before is seen, what comes after finds him.
 *  - The descriptor is closed by whoever finds that it is closed, not watched, and that nobody is inside: so
 *    neither the selector nor a system call under way can meet its number's next owner.
 *  - Who has the loop may have been told of it just before it was removed. So the reference that watching it is goes
 *    by a note, which is run when that turn's events have been told.
 *  - The memory goes with the last reference: see `refs`.
 */
#include "registration_internal.h"

#include <fcntl.h>
#include <unistd.h>

#include "../internal/waiter.h"
#include "runtime_internal.h"

enum { ALL = EDO_READABLE | EDO_WRITABLE | EDO_CLOSING };

static inline void lock(struct edo_registration *r)
{
    if (r->shared)
        edo_lock(&r->lock);
}

static inline void unlock(struct edo_registration *r)
{
    if (r->shared)
        edo_unlock(&r->lock);
}

void edo_registration_lock(struct edo_registration *r)
{
    lock(r);
}

void edo_registration_unlock(struct edo_registration *r)
{
    unlock(r);
}

static void destroy(struct edo_registration *r)
{
    EDO_COUNT(REGISTRATIONS, -1);
    struct edo_handle *handle = r->shared ? r->driver->handle : NULL;
    if (r->shared)
        edo_lock_destroy(&r->lock);
    edo_free(r);
    if (handle != NULL)
        edo_handle_unref(handle, 1);
}

/* With the lock, which it lets go. */
static void unref(struct edo_registration *r)
{
    bool last = --r->refs == 0;
    unlock(r);
    if (last)
        destroy(r);
}

/* With the lock: moves those who wait for one of `interest` to `woken`. */
static void take_waiters(struct edo_registration *r, uint8_t interest, struct edo_list *woken)
{
    struct edo_list *node = r->waiters.next;
    edo_list_init(woken);
    while (node != &r->waiters) {
        struct edo_io_waiter *waiter = edo_container_of(node, struct edo_io_waiter, link);
        node = node->next;
        if (waiter->interest & interest) {
            edo_list_remove(&waiter->link);
            edo_list_push_back(woken, &waiter->link);
        }
    }
}

/* With the lock, which it lets go: wakes them. The caller has a reference. */
static void wake(struct edo_registration *r, struct edo_list *woken)
{
    struct edo_list *node;
    struct edo_wakes wakes;
    wakes.count = 0;
    while ((node = edo_list_pop_front(woken)) != NULL) {
        edo_wakes_claim(&wakes, edo_container_of(node, struct edo_io_waiter, link)->waker);
        if (edo_wakes_full(&wakes)) {
            unlock(r);
            edo_wakes_finish(&wakes);
            lock(r);
        }
    }
    unlock(r);
    edo_wakes_finish(&wakes);
}

/* With the lock: the descriptor, when it is to be closed now. */
static int take_fd(struct edo_registration *r)
{
    if (!r->closed || r->inside > 0)
        return -1;
    int fd = r->fd;
    r->fd = -1;
    return fd;
}

/* Without the locks: with SO_LINGER it may take a while. */
static void close_fd(int fd)
{
    if (fd < 0)
        return;
    EDO_COUNT(FDS, -1);
    close(fd);
}

static void on_note(struct edo_note *note)
{
    struct edo_registration *r = edo_container_of(note, struct edo_registration, note);
    lock(r);
    unref(r);
}

/* With the lock: removes it from the selector. True: by this call, and retire() is to follow, without the lock. */
static bool unwatch(struct edo_registration *r)
{
    bool watched = r->watched;
    if (watched)
        edo_selector_remove(&r->driver->selector, r->fd);
    r->watched = false;
    return watched;
}

/* Nothing is told of it from the next turn on: gives its reference back then. */
static void retire(struct edo_registration *r)
{
    edo_driver_unlist(r->driver, &r->link);
    if (!edo_driver_leave_note(r->driver, &r->note))
        on_note(&r->note);
}

/* What is done for each operation is compiled twice, so that where nothing is shared nothing asks whether it is. */
#define TWICE static inline __attribute__((always_inline))

TWICE void tell(struct edo_registration *r, uint8_t events, uint8_t ended, const bool shared)
{
    if (shared)
        edo_lock(&r->lock);
    r->told++;
    r->ready |= events;
    r->ended |= ended;
    struct edo_list *first = r->waiters.next;
    if (edo_likely(first->next == &r->waiters)) {
        /* One waits, as is usual; or nobody, and `first` is the list. */
        struct edo_io_waiter *waiter = edo_container_of(first, struct edo_io_waiter, link);
        struct edo_waker *claimed = NULL;
        if (first != &r->waiters && (waiter->interest & events)) {
            edo_list_remove(first);
            claimed = edo_waker_claim(waiter->waker);
        }
        if (shared)
            edo_unlock(&r->lock);
        edo_waker_finish(claimed);
        return;
    }
    struct edo_list woken;
    take_waiters(r, events, &woken);
    wake(r, &woken);
}

void edo_registration_tell(struct edo_registration *r, uint8_t ready, uint8_t ended)
{
    if (r->shared)
        tell(r, ready, ended, true);
    else
        tell(r, ready, ended, false);
}

int edo_registration_open(struct edo_registration *r, int fd, uint8_t ready)
{
    struct edo_driver *driver = edo_driver_here();
    if (driver == NULL)
        return EDO_ENORUNTIME;
    driver = driver->io;
    *r = (struct edo_registration){
        .driver = driver,
        .note.run = on_note,
        .fd = fd,
        .refs = 2,
        .ready = ready,
        .shared = driver->shared,
        .watched = true,
    };
    edo_list_init(&r->waiters);
    if (r->shared)
        edo_lock_init(&r->lock);
    int error = edo_selector_add(&driver->selector, fd, r);
    if (error == 0 && !edo_driver_list(driver, &r->link)) {
        /* It has told all that it will tell. */
        edo_selector_remove(&driver->selector, fd);
        error = EDO_ESHUTDOWN;
    }
    if (error < 0 && r->shared)
        edo_lock_destroy(&r->lock);
    if (error < 0)
        return error;
    if (r->shared)
        edo_handle_clone(driver->handle);
    EDO_COUNT(REGISTRATIONS, 1);
    return 0;
}

/* With the lock. */
static void end(struct edo_registration *r, struct edo_list *woken)
{
    r->closed = true;
    take_waiters(r, ALL, woken);
}

void edo_registration_keep(struct edo_registration *r)
{
    lock(r);
    r->refs++;
    unlock(r);
}

void edo_registration_close(struct edo_registration *r)
{
    struct edo_list woken;
    lock(r);
    if (r->closed) {
        unref(r);
        return;
    }
    end(r, &woken);
    bool watched = unwatch(r);
    int fd = take_fd(r);
    wake(r, &woken);
    close_fd(fd);
    if (watched)
        retire(r);
    lock(r);
    unref(r);
}

int edo_registration_release(struct edo_registration *r)
{
    struct edo_list woken;
    lock(r);
    int fd = r->closed ? UV_ECANCELED : r->fd;
    bool duplicate = fd >= 0 && r->inside > 0;
    if (duplicate) {
        fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
        if (fd < 0)
            fd = uv_translate_sys_error(errno);
    }
    if (fd < 0) {
        unlock(r);
        return fd;
    }
    end(r, &woken);
    bool watched = unwatch(r);
    if (!duplicate) {
        EDO_COUNT(FDS, -1);
        r->fd = -1;
    }
    wake(r, &woken);
    if (watched)
        retire(r);
    lock(r);
    unref(r);
    return fd;
}

void edo_registration_orphan(struct edo_registration *r)
{
    struct edo_list woken;
    lock(r);
    r->orphaned = true;
    bool watched = unwatch(r);
    take_waiters(r, ALL, &woken);
    wake(r, &woken);
    /* Two references: what watching it was, and the caller's. */
    lock(r);
    r->refs -= watched;
    unref(r);
}

/* Shared, with the lock: whether nothing will become ready any more. */
static bool gone(const struct edo_registration *r)
{
    return r->closed || r->orphaned;
}

int edo_registration_ready_(struct edo_registration *r, uint8_t interest)
{
    edo_lock(&r->lock);
    int ready = gone(r) ? UV_ECANCELED : r->ready & interest;
    edo_unlock(&r->lock);
    return ready;
}

int edo_registration_begin_(struct edo_registration *r, uint8_t interest, uint32_t *told)
{
    edo_lock(&r->lock);
    int fd = r->fd;
    *told = r->told;
    if (r->closed || (interest != 0 && gone(r)))
        fd = UV_ECANCELED;
    else if (interest != 0 && !(r->ready & interest))
        fd = UV_EAGAIN;
    r->inside += fd >= 0;
    r->refs += fd >= 0;
    edo_unlock(&r->lock);
    return fd;
}

void edo_registration_end_(struct edo_registration *r, uint8_t drained, bool blocked, uint32_t told)
{
    edo_lock(&r->lock);
    if (told == r->told)
        edo_registration_drain(r, drained, blocked);
    r->inside--;
    int fd = take_fd(r);
    unref(r);
    close_fd(fd);
}

int edo_registration_fd(const struct edo_registration *registration)
{
    struct edo_registration *r = (struct edo_registration *)(uintptr_t)registration;
    lock(r);
    int fd = r->closed ? -1 : r->fd;
    unlock(r);
    return fd;
}

/* With the lock. `*waker` is kept; in its place comes what is to be forgotten, or to be woken at once. */
TWICE void join(struct edo_registration *r, struct edo_io_waiter *waiter, uint8_t interest,
                struct edo_waker **waker)
{
    struct edo_waker *old = NULL;
    if (edo_list_linked(&waiter->link))
        old = waiter->waker;
    else
        edo_list_push_back(&r->waiters, &waiter->link);
    r->refs += waiter->interest == 0;
    waiter->interest = interest;
    waiter->waker = *waker;
    *waker = old;
}

int edo_registration_wait(struct edo_registration *r, struct edo_io_waiter *waiter,
                          uint8_t interest, struct edo_waker *waker)
{
    struct edo_waker *kept = edo_waker_keep(waker), *claimed = NULL;
    int error = 0;
    if (r->shared) {
        edo_lock(&r->lock);
        if (gone(r))
            error = UV_ECANCELED;
        else
            join(r, waiter, interest, &kept);
        /* It was told after the operation began. */
        if (error == 0 && (r->ready & interest)) {
            edo_list_remove(&waiter->link);
            claimed = edo_waker_claim(waiter->waker);
        }
        edo_unlock(&r->lock);
        edo_waker_finish(claimed);
    } else {
        /* Where nothing is shared the operation has just been told that it is not, nor ready. */
        join(r, waiter, interest, &kept);
    }
    edo_waker_forget(kept);
    return error;
}

void edo_registration_forget_(struct edo_registration *r, struct edo_io_waiter *waiter)
{
    struct edo_waker *forgotten = NULL;
    lock(r);
    waiter->interest = 0;
    if (edo_list_linked(&waiter->link)) {
        edo_list_remove(&waiter->link);
        forgotten = waiter->waker;
    }
    unref(r);
    edo_waker_forget(forgotten);
}
