/* SPDX-License-Identifier: MIT */
#include "registration.h"

#include "../internal/waiter.h"
#include "driver.h"
#include "runtime_internal.h"

_Static_assert((int)EDO_READABLE == (int)UV_READABLE, "interests are libuv's events");
_Static_assert((int)EDO_WRITABLE == (int)UV_WRITABLE, "interests are libuv's events");

struct edo_registration {
    uv_poll_t poll;
    struct edo_driver *driver; /* NULL: orphaned */
    struct edo_list link;      /* in driver->registrations */
    struct edo_list waiters;
    uint8_t ready;
    uint8_t armed;
    uint8_t unused; /* readable events in a row that nobody consumed */
    bool let_go;    /* orphaned, and libuv has closed the handle */
    bool released;  /* orphaned, and the owner has closed it */
};

/* So many of them, and the interest is taken back. More than one: with many tasks ready, a task
 * that was woken may not have run before the loop is looked at again. */
enum { UNUSED_MAX = 4 };

static void on_event(uv_poll_t *poll, int status, int events);

static void arm(struct edo_registration *r, uint8_t interest)
{
    if (r->armed == interest)
        return;
    r->armed = interest;
    if (interest == 0)
        uv_poll_stop(&r->poll);
    else
        uv_poll_start(&r->poll, interest, on_event);
}

static void wake_waiters(struct edo_registration *r, uint8_t interest, bool orphaned)
{
    struct edo_list *node = r->waiters.next;
    while (node != &r->waiters) {
        struct edo_io_waiter *waiter = edo_container_of(node, struct edo_io_waiter, link);
        node = node->next;
        if (!(waiter->interest & interest))
            continue;
        edo_list_remove(&waiter->link);
        waiter->orphaned = orphaned;
        edo_waker_fire(&waiter->waker);
    }
}

static void on_event(uv_poll_t *poll, int status, int events)
{
    struct edo_registration *r = (struct edo_registration *)poll;
    if (status < 0) {
        /* POLLERR: libuv has stopped the handle. The operation learns the error. */
        r->armed = 0;
        events = EDO_READABLE | EDO_WRITABLE;
    }
    uint8_t known = r->ready & r->armed & (uint8_t)events;
    r->ready |= (uint8_t)events;
    wake_waiters(r, (uint8_t)events, false);
    /* A socket is nearly always writable: nobody is asked twice whether they are waiting. */
    uint8_t keep = r->armed & ~(uint8_t)(events & EDO_WRITABLE);
    if (!(events & EDO_READABLE))
        ;
    else if (!(known & EDO_READABLE))
        r->unused = 0;
    else if (++r->unused >= UNUSED_MAX)
        keep &= ~(uint8_t)EDO_READABLE;
    arm(r, keep);
}

int edo_registration_open(int fd, struct edo_registration **out)
{
    struct edo_runtime *runtime = edo_runtime_mine();
    if (runtime == NULL)
        return EDO_ENORUNTIME;
    if (runtime->closing)
        return EDO_ESHUTDOWN;
    struct edo_registration *r = edo_calloc(1, sizeof *r);
    if (r == NULL)
        return UV_ENOMEM;
    int error = uv_poll_init(runtime->driver->loop, &r->poll, fd);
    if (error < 0) {
        edo_free(r);
        return error;
    }
    /* The tasks that wait for it keep a host's loop alive; it alone does not. */
    uv_unref((uv_handle_t *)&r->poll);
    EDO_COUNT(REGISTRATIONS, 1);
    r->driver = runtime->driver;
    r->driver->watched++;
    r->ready = EDO_READABLE | EDO_WRITABLE;
    edo_list_init(&r->waiters);
    edo_list_push_back(&r->driver->registrations, &r->link);
    *out = r;
    return 0;
}

static void on_closed(uv_handle_t *handle)
{
    struct edo_driver *driver = ((struct edo_registration *)handle)->driver;
    if (driver != NULL)
        driver->watched--;
    EDO_COUNT(REGISTRATIONS, -1);
    edo_free(handle);
}

/* Orphaned: freed when both libuv and the owner have let go. */
static void on_closed_orphan(uv_handle_t *handle)
{
    struct edo_registration *r = (struct edo_registration *)handle;
    r->let_go = true;
    if (r->released)
        on_closed(handle);
}

void edo_registration_close(struct edo_registration *r)
{
    if (r == NULL)
        return;
    wake_waiters(r, EDO_READABLE | EDO_WRITABLE, true);
    if (r->driver == NULL) {
        r->released = true;
        if (r->let_go)
            on_closed((uv_handle_t *)&r->poll);
        return;
    }
    edo_list_remove(&r->link);
    uv_close((uv_handle_t *)&r->poll, on_closed);
}

void edo_registration_orphan_all(struct edo_list *registrations)
{
    struct edo_list *node;
    while ((node = edo_list_pop_front(registrations)) != NULL) {
        struct edo_registration *r = edo_container_of(node, struct edo_registration, link);
        r->driver = NULL;
        wake_waiters(r, EDO_READABLE | EDO_WRITABLE, true);
        uv_close((uv_handle_t *)&r->poll, on_closed_orphan);
    }
}

bool edo_registration_orphaned(const struct edo_registration *r)
{
    return r->driver == NULL;
}

uint8_t edo_registration_ready(const struct edo_registration *r, uint8_t interest)
{
    return r->ready & interest;
}

void edo_registration_clear(struct edo_registration *r, uint8_t interest)
{
    r->ready &= ~interest;
    if (interest & EDO_READABLE)
        r->unused = 0;
}

void edo_registration_wait(struct edo_registration *r, struct edo_io_waiter *waiter,
                           uint8_t interest, struct edo_waker *waker)
{
    if (edo_list_linked(&waiter->link)) {
        waiter->interest = interest;
        edo_waker_rekeep(&waiter->waker, waker);
    } else {
        waiter->interest = interest;
        waiter->waker = edo_waker_keep(waker);
        edo_list_push_back(&r->waiters, &waiter->link);
    }
    arm(r, r->armed | interest);
}

void edo_registration_forget(struct edo_io_waiter *waiter)
{
    if (!edo_list_linked(&waiter->link))
        return;
    edo_list_remove(&waiter->link);
    edo_waker_forget(waiter->waker);
    waiter->waker = NULL;
}
