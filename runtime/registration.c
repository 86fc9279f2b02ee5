/* SPDX-License-Identifier: MIT */
/* A registration of a shared driver is touched by many threads; what holds it together:
 *
 *  - Its lock guards its fields, held for a few instructions. No system call on the descriptor is made under
 *    it, and no waker woken: wakers are claimed under it and finished after it.
 *  - libuv is touched by who has the loop, with the lock inside (driver.h has the order). What a task wants of
 *    libuv, interest or the end, it writes down under the lock (`wanted`, `closed`); then it takes the loop and
 *    has it done, or leaves the note for who has it. What is found when the note runs is what is done: there
 *    is one note, however often it was wanted.
 *  - An operation reads `ready` under the lock, makes its system call without it, and then clears `ready` under
 *    it. An event that comes in between is thereby forgotten, and that is harmless: readiness is level-triggered,
 *    so as long as the interest is armed the loop tells it again, and edo_registration_wait, which comes next,
 *    arms it if the event has taken it back. Who waits is linked before that, so the next event finds it.
 *  - The descriptor is closed by whoever finds that it is closed, not bound, and that nobody is inside: so
 *    neither libuv nor a system call under way can meet its number's next owner.
 *  - The memory goes with the last reference: see `refs`.
 */
#include "registration_internal.h"

#include <fcntl.h>
#include <unistd.h>

#include "../internal/waiter.h"
#include "runtime_internal.h"

_Static_assert((int)EDO_READABLE == (int)UV_READABLE, "interests are libuv's events");
_Static_assert((int)EDO_WRITABLE == (int)UV_WRITABLE, "interests are libuv's events");

enum { BOTH = EDO_READABLE | EDO_WRITABLE, ALL = BOTH | EDO_CLOSING };

/* So many readable events that nobody consumed, and the interest is taken back. More than one: with many tasks
 * ready, a task that was woken may not have run before the loop is looked at again. */
enum { UNUSED_MAX = 4 };

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
    if (!r->closed || r->bound || r->inside > 0)
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

static void on_closed(uv_handle_t *handle)
{
    struct edo_registration *r = (struct edo_registration *)handle;
    /* The driver outlives what is linked in it. */
    if (edo_list_linked(&r->link)) {
        edo_list_remove(&r->link);
        r->driver->watched--;
    }
    lock(r);
    unref(r);
}

/* With the loop and the lock. */
static int watch(struct edo_registration *r)
{
    int error = uv_poll_init(r->driver->loop, &r->poll, r->fd);
    if (error < 0)
        return error;
    /* The tasks that wait for it keep a host's loop alive; it alone does not. */
    uv_unref((uv_handle_t *)&r->poll);
    r->driver->watched++;
    edo_list_push_back(&r->driver->registrations, &r->link);
    r->bound = true;
    r->refs++;
    return 0;
}

static void on_event(uv_poll_t *poll, int status, int events);

/* With the loop and the lock. */
static int arm(struct edo_registration *r)
{
    if (r->armed == r->wanted)
        return 0;
    r->armed = r->wanted;
    return r->armed == 0 ? uv_poll_stop(&r->poll) : uv_poll_start(&r->poll, r->armed, on_event);
}

/* With the loop and the lock: has libuv do what is wanted. */
static void settle(struct edo_registration *r)
{
    if (r->shared && r->driver->closing)
        r->orphaned = true;
    if (r->closed || r->orphaned) {
        if (r->bound) {
            r->bound = false;
            uv_close((uv_handle_t *)&r->poll, on_closed);
        }
        return;
    }
    if (r->error == 0 && !r->bound)
        r->error = watch(r);
    if (r->error == 0)
        r->error = arm(r);
}

/* With the lock, which it lets go: what follows from its having been settled, or orphaned. */
static void conclude(struct edo_registration *r)
{
    struct edo_list woken;
    edo_list_init(&woken);
    if (r->error < 0 || r->orphaned)
        take_waiters(r, ALL, &woken);
    int fd = take_fd(r);
    wake(r, &woken);
    close_fd(fd);
}

static void on_note(struct edo_note *note)
{
    struct edo_registration *r = edo_container_of(note, struct edo_registration, note);
    lock(r);
    r->noted = false;
    settle(r);
    conclude(r);
    lock(r);
    unref(r);
}

/* Has what is wanted done: at once when the loop can be had, else soon. The caller has a reference. */
static void reach(struct edo_registration *r)
{
    if (!r->shared || edo_driver_enter(r->driver)) {
        lock(r);
        settle(r);
        if (!r->shared) {
            conclude(r);
            return;
        }
        unlock(r);
        /* Not with the loop: wakers may be anybody's code, and closing may take its time. */
        edo_driver_leave(r->driver);
        lock(r);
        conclude(r);
        return;
    }
    lock(r);
    bool submit = !r->noted;
    if (submit) {
        r->noted = true;
        r->refs++;
    }
    unlock(r);
    if (!submit || edo_driver_submit(r->driver, &r->note))
        return;
    /* The driver is closing. Where libuv has the handle, edo_registration_orphan_all sees to that. */
    lock(r);
    r->noted = false;
    r->orphaned = true;
    r->refs--; /* the caller has another */
    conclude(r);
}

/* What is done for each operation is compiled twice, so that where nothing is shared nothing asks whether it is. */
#define TWICE static inline __attribute__((always_inline))

TWICE void tell(struct edo_registration *r, int status, int events, const bool shared)
{
    if (shared)
        edo_lock(&r->lock);
    if (shared && edo_unlikely(r->closed)) {
        /* Whoever closed it has not had the loop yet: it would be told again and again until then. */
        settle(r);
        conclude(r);
        return;
    }
    if (status < 0) {
        /* POLLERR: libuv has stopped the handle. The operation learns the error. */
        r->armed = r->wanted = 0;
        events = BOTH;
    }
    uint8_t known = r->ready & r->armed & (uint8_t)events;
    r->ready |= (uint8_t)events;
    /* A socket is nearly always writable: nobody is asked twice whether they are waiting. */
    r->wanted &= ~(uint8_t)(events & EDO_WRITABLE);
    if (!(events & EDO_READABLE))
        ;
    else if (!(known & EDO_READABLE))
        r->unused = 0;
    else if (++r->unused >= UNUSED_MAX)
        r->wanted &= ~(uint8_t)EDO_READABLE;
    if (r->wanted != r->armed)
        arm(r);
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
    take_waiters(r, (uint8_t)events, &woken);
    wake(r, &woken);
}

/* With the loop: whether this is known already, and nobody waits. Then the interest is taken back. */
static bool pass_over(struct edo_registration *r)
{
    lock(r);
    bool known = (r->ready & r->armed & EDO_READABLE) && !r->closed && edo_list_empty(&r->waiters);
    if (known) {
        r->wanted &= ~(uint8_t)EDO_READABLE;
        arm(r);
    }
    unlock(r);
    return known;
}

static void on_event(uv_poll_t *poll, int status, int events)
{
    struct edo_registration *r = (struct edo_registration *)poll;
    struct edo_driver *driver = r->driver;
    if (status >= 0 && edo_unlikely(driver->io_events >= driver->io_events_full)) {
        /* libuv asks epoll again and again within a turn, as long as it gets so many events at once. Where many
         * sockets wait to be read it would get the same each time: those that have been told leave. */
        if (pass_over(r))
            return;
        /* More than this turn is to have: the next is told again. libuv passes the sockets on in the order in
         * which they became ready, and one that has been read since is behind the others then; one that has not
         * is disarmed above, or after UNUSED_MAX events. So nobody's turn fails to come. */
        if (driver->io_events >= driver->io_events_max)
            return;
    }
    driver->io_events++;
    if (r->shared)
        tell(r, status, events, true);
    else
        tell(r, status, events, false);
}

int edo_registration_open(struct edo_registration *r, int fd, uint8_t ready)
{
    struct edo_driver *driver = edo_driver_here();
    if (driver == NULL)
        return EDO_ENORUNTIME;
    if (!driver->shared && driver->closing)
        return EDO_ESHUTDOWN;
    *r = (struct edo_registration){
        .driver = driver,
        .note.run = on_note,
        .fd = fd,
        .refs = 1,
        .ready = ready,
        .shared = driver->shared,
        .placed = !driver->shared,
    };
    edo_list_init(&r->waiters);
    if (r->shared) {
        edo_lock_init(&r->lock);
        edo_handle_clone(driver->handle);
    } else {
        int error = watch(r);
        if (error < 0)
            return error;
    }
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
    int fd = take_fd(r);
    bool bound = r->bound;
    wake(r, &woken);
    close_fd(fd);
    if (bound)
        reach(r);
    lock(r);
    unref(r);
}

int edo_registration_release(struct edo_registration *r)
{
    /* Bound, it stays so until this call; and if not, it may be by then. */
    lock(r);
    bool enter = r->shared && r->bound;
    unlock(r);
    bool entered = enter && edo_driver_enter(r->driver);
    struct edo_list woken;
    lock(r);
    int fd = r->closed ? UV_ECANCELED : r->fd;
    bool duplicate = fd >= 0 && (r->inside > 0 || (r->shared && r->bound && !entered));
    if (duplicate) {
        fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
        if (fd < 0)
            fd = uv_translate_sys_error(errno);
    }
    edo_list_init(&woken);
    if (fd >= 0) {
        if (!duplicate) {
            EDO_COUNT(FDS, -1);
            r->fd = -1;
        }
        end(r, &woken);
        if (!r->shared || entered)
            settle(r);
    }
    unlock(r);
    if (entered)
        edo_driver_leave(r->driver);
    if (fd < 0)
        return fd;
    lock(r);
    int original = take_fd(r);
    bool bound = r->bound;
    wake(r, &woken);
    close_fd(original);
    if (bound)
        reach(r);
    lock(r);
    unref(r);
    return fd;
}

void edo_registration_orphan_all(struct edo_list *registrations)
{
    struct edo_list *node;
    while ((node = edo_list_pop_front(registrations)) != NULL) {
        struct edo_registration *r = edo_container_of(node, struct edo_registration, link);
        lock(r);
        r->orphaned = true;
        settle(r);
        conclude(r);
    }
}

/* Shared, with the lock: whether nothing will become ready any more. One that is not bound has to ask. */
static bool gone(struct edo_registration *r)
{
    if (!r->bound && !r->orphaned)
        r->orphaned = edo_driver_gone(r->driver);
    return r->closed || r->orphaned;
}

int edo_registration_ready_(struct edo_registration *r, uint8_t interest)
{
    edo_lock(&r->lock);
    int ready = gone(r) ? UV_ECANCELED : r->ready & interest;
    edo_unlock(&r->lock);
    return ready;
}

int edo_registration_begin_(struct edo_registration *r, uint8_t interest)
{
    edo_lock(&r->lock);
    int fd = r->fd;
    if (r->closed || (interest != 0 && gone(r)))
        fd = UV_ECANCELED;
    else if (interest != 0 && !(r->ready & interest))
        fd = UV_EAGAIN;
    r->inside += fd >= 0;
    r->refs += fd >= 0;
    edo_unlock(&r->lock);
    return fd;
}

void edo_registration_end_(struct edo_registration *r, uint8_t drained)
{
    edo_lock(&r->lock);
    r->ready &= ~drained;
    if (drained & EDO_READABLE)
        r->unused = 0;
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

/* With the lock. `*waker` is kept; in its place comes what is to be forgotten. Returns 0, or an error. */
TWICE int join(struct edo_registration *r, struct edo_io_waiter *waiter, uint8_t interest,
               struct edo_waker **waker, const bool shared)
{
    /* Where nothing is shared the operation has just been told that it is not. */
    if (shared && gone(r))
        return UV_ECANCELED;
    if (edo_unlikely(r->error < 0))
        return r->error;
    struct edo_waker *old = NULL;
    if (edo_list_linked(&waiter->link))
        old = waiter->waker;
    else
        edo_list_push_back(&r->waiters, &waiter->link);
    r->refs += waiter->interest == 0;
    waiter->interest = interest;
    waiter->waker = *waker;
    *waker = old;
    r->wanted |= interest & BOTH;
    return 0;
}

/* With the lock, before it first waits: chooses the loop. A thread that is none of the runtime's leaves it where it
 * was opened. */
static void place(struct edo_registration *r)
{
    struct edo_driver *here = edo_driver_here();
    if (here != NULL && here->shared && here->handle == r->driver->handle)
        r->driver = here;
    r->placed = true;
}

int edo_registration_wait(struct edo_registration *r, struct edo_io_waiter *waiter,
                          uint8_t interest, struct edo_waker *waker)
{
    struct edo_waker *kept = edo_waker_keep(waker);
    bool loop;
    int error;
    if (r->shared) {
        edo_lock(&r->lock);
        error = join(r, waiter, interest, &kept, true);
        if (!r->placed)
            place(r);
        loop = r->wanted != r->armed && !r->noted;
        edo_unlock(&r->lock);
    } else {
        error = join(r, waiter, interest, &kept, false);
        loop = r->wanted != r->armed;
    }
    edo_waker_forget(kept);
    if (error == 0 && loop)
        reach(r);
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
