/* SPDX-License-Identifier: MIT */
#include "resolve.h"

#include <string.h>
#include <uv.h>

#include "../internal/waiter.h"
#include "../runtime/driver.h"
#include "../runtime/runtime_internal.h"

/* RFC 1035: 255 octets on the wire are 253 characters. libuv 1.44 cuts longer ones short, which
 * looks up another name (CVE-2024-24806). */
enum { NAME_MAX_LENGTH = 253 };

/* A look-up under way. It belongs to the loop until its callback; the future may leave before. The two may be on two
 * threads: with a shared driver, and when a runtime has ended in the background, whose loop has a thread of its own
 * then. A shared driver's look-up may have to wait for the loop: then a note begins it, or cancels it. */
struct edo_lookup {
    uv_getaddrinfo_t request;
    struct edo_handle *handle; /* the driver's, kept */
    struct edo_driver
        *driver; /* not shared: good as long as it is its runtime's, or the look-up is not done */
    struct edo_note note;
    struct edo_lock lock; /* guards what follows */
    struct edo_waker *waker;
    int status;   /* when it is done */
    uint8_t refs; /* the future; libuv; the note under way */
    bool shared;  /* constant */
    bool noted, begun, done, left;
    char host[NAME_MAX_LENGTH + 1];
};

/* With the lock, which it lets go. */
static void unref(struct edo_lookup *lookup)
{
    bool last = --lookup->refs == 0;
    edo_unlock(&lookup->lock);
    if (!last)
        return;
    uv_freeaddrinfo(lookup->request.addrinfo);
    edo_lock_destroy(&lookup->lock);
    edo_handle_drop(lookup->handle);
    edo_free(lookup);
}

/* With the lock: it is done. Returns whom to wake after it. */
static struct edo_waker *done(struct edo_lookup *lookup, int status)
{
    struct edo_waker *kept = lookup->waker;
    lookup->waker = NULL;
    lookup->done = true;
    lookup->status = status;
    return kept != NULL ? edo_waker_claim(kept) : NULL;
}

static void on_resolved(uv_getaddrinfo_t *request, int status, struct addrinfo *list)
{
    struct edo_lookup *lookup = (struct edo_lookup *)request;
    (void)list;
    edo_driver_request_end(lookup->driver);
    edo_lock(&lookup->lock);
    struct edo_waker *claimed = done(lookup, status);
    unref(lookup);
    edo_waker_finish(claimed);
}

/* With the loop and the lock: begins, or cancels, as it is wanted now. Returns whom to wake. */
static struct edo_waker *settle(struct edo_lookup *lookup)
{
    if (lookup->done)
        return NULL;
    if (lookup->left) {
        if (lookup->begun)
            uv_cancel((uv_req_t *)&lookup->request); /* when a thread has not begun it yet */
        return NULL;
    }
    if (lookup->begun)
        return NULL;
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    int error = lookup->driver->closing ? EDO_ESHUTDOWN
                                        : uv_getaddrinfo(lookup->driver->loop, &lookup->request,
                                                         on_resolved, lookup->host, NULL, &hints);
    if (error < 0)
        return done(lookup, error);
    lookup->begun = true;
    lookup->refs++;
    edo_driver_request_begin(lookup->driver);
    return NULL;
}

static void on_note(struct edo_note *note)
{
    struct edo_lookup *lookup = edo_container_of(note, struct edo_lookup, note);
    edo_lock(&lookup->lock);
    lookup->noted = false;
    struct edo_waker *claimed = settle(lookup);
    unref(lookup);
    edo_waker_finish(claimed);
}

/* Whether this thread has the loop, and keeps it until leave_loop. Without a shared driver it does as long as it runs
 * the runtime; nobody else may have it. */
static bool enter_loop(struct edo_lookup *lookup)
{
    if (lookup->shared)
        return edo_driver_enter(lookup->driver);
    return edo_handle_mine(lookup->handle) && lookup->handle->runtime->driver == lookup->driver;
}

static void leave_loop(struct edo_lookup *lookup)
{
    if (lookup->shared)
        edo_driver_leave(lookup->driver);
}

/* Has what is wanted done: at once when the loop can be had, else soon. (A look-up that is not shared was begun at
 * once, and is not cancelled then: it ends by itself.) */
static void reach(struct edo_lookup *lookup)
{
    struct edo_waker *claimed = NULL;
    if (enter_loop(lookup)) {
        edo_lock(&lookup->lock);
        claimed = settle(lookup);
        edo_unlock(&lookup->lock);
        leave_loop(lookup);
        edo_waker_finish(claimed);
        return;
    }
    if (!lookup->shared)
        return;
    edo_lock(&lookup->lock);
    bool submit = !lookup->noted;
    if (submit) {
        lookup->noted = true;
        lookup->refs++;
    }
    edo_unlock(&lookup->lock);
    if (!submit || edo_driver_submit(lookup->driver, &lookup->note))
        return;
    edo_lock(&lookup->lock);
    lookup->refs--; /* the caller has another */
    if (!lookup->begun)
        claimed = done(lookup, EDO_ESHUTDOWN);
    edo_unlock(&lookup->lock);
    edo_waker_finish(claimed);
}

/* The future goes. */
static void leave(struct edo_resolve *self)
{
    struct edo_lookup *lookup = self->lookup;
    self->lookup = NULL;
    if (lookup == NULL)
        return;
    edo_lock(&lookup->lock);
    struct edo_waker *forgotten = lookup->waker;
    lookup->waker = NULL;
    lookup->left = true;
    bool cancel = !lookup->done;
    edo_unlock(&lookup->lock);
    edo_waker_forget(forgotten);
    if (cancel)
        reach(lookup);
    edo_lock(&lookup->lock);
    unref(lookup);
}

/* Whether it is all digits of that base. */
static bool is_number(const char *text, size_t length, const char *digits)
{
    return length > 0 && strspn(text, digits) >= length;
}

/* Letters, digits, "-", "_", dots, and what is not ASCII, which libuv translates. The last label is
 * no number: the C library takes "127.1", "0x7f000001" and "2130706433" for addresses, so that a
 * check of the text by the caller would not have seen which. */
static bool is_name(const char *host)
{
    static const char digits[] = "0123456789", hex[] = "0123456789abcdefABCDEF";
    size_t length = strlen(host);
    if (length == 0 || length > NAME_MAX_LENGTH)
        return false;
    for (const char *at = host; *at != '\0'; at++) {
        unsigned char c = (unsigned char)*at;
        if (c < 0x80 && !(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z') &&
            !(c >= '0' && c <= '9') && c != '-' && c != '_' && c != '.')
            return false;
    }
    size_t end = length - (host[length - 1] == '.'), start = end;
    while (start > 0 && host[start - 1] != '.')
        start--;
    const char *label = host + start;
    size_t size = end - start;
    bool prefixed = size >= 2 && label[0] == '0' && (label[1] == 'x' || label[1] == 'X');
    return size > 0 && !is_number(label, size, digits) &&
           !(prefixed && (size == 2 || is_number(label + 2, size - 2, hex)));
}

static int start(struct edo_resolve *self)
{
    if (!is_name(self->host))
        return UV_EINVAL;
    struct edo_driver *driver = edo_driver_here();
    if (driver == NULL)
        return EDO_ENORUNTIME;
    struct edo_lookup *lookup = edo_calloc(1, sizeof *lookup);
    if (lookup == NULL)
        return UV_ENOMEM;
    lookup->driver = driver = driver->io;
    lookup->shared = driver->shared;
    lookup->note.run = on_note;
    lookup->refs = 1;
    strcpy(lookup->host, self->host);
    lookup->handle = edo_handle_clone(driver->handle);
    edo_lock_init(&lookup->lock);
    self->lookup = lookup;
    reach(lookup);
    return 0;
}

static int collect(struct edo_resolve *self, struct edo_lookup *lookup)
{
    int count = 0;
    if (lookup->status < 0)
        return lookup->status;
    for (struct addrinfo *info = lookup->request.addrinfo; info != NULL && count < EDO_RESOLVE_MAX;
         info = info->ai_next) {
        if (info->ai_family != AF_INET && info->ai_family != AF_INET6)
            continue;
        struct edo_addr *addr = &self->addrs[count++];
        memcpy(&addr->any, info->ai_addr, info->ai_addrlen);
        addr->length = info->ai_addrlen;
        if (info->ai_family == AF_INET)
            addr->v4.sin_port = htons(self->port);
        else
            addr->v6.sin6_port = htons(self->port);
    }
    return count > 0 ? count : UV_EAI_NODATA;
}

/* Has the waker woken when it is done. False: it is. */
static bool waits(struct edo_lookup *lookup, struct edo_waker *waker)
{
    struct edo_waker *old = edo_waker_keep(waker);
    edo_lock(&lookup->lock);
    bool waits = !lookup->done;
    if (waits) {
        struct edo_waker *kept = old;
        old = lookup->waker;
        lookup->waker = kept;
    }
    edo_unlock(&lookup->lock);
    edo_waker_forget(old);
    return waits;
}

static enum edo_poll edo_resolve_poll(struct edo_future *future, struct edo_context *cx)
{
    struct edo_resolve *self = (struct edo_resolve *)future;
    if (cx->walk == EDO_WALK_DROP)
        leave(self);
    if (cx->walk != EDO_WALK_POLL)
        return edo_walk_leaf(cx, "edo_resolve");
    if (edo_budget_spent(cx)) {
        /* As edo_budget_spent_by: here the lock guards the waker. */
        if (self->lookup != NULL)
            waits(self->lookup, cx->waker);
        return EDO_PENDING;
    }
    if (self->lookup == NULL) {
        self->output = 1;
        if (edo_addr_ip(&self->addrs[0], self->host, self->port) == 0)
            return EDO_READY;
        self->output = start(self);
        if (self->output < 0)
            return EDO_READY;
    }
    if (waits(self->lookup, cx->waker))
        return EDO_PENDING;
    self->output = collect(self, self->lookup);
    leave(self);
    edo_budget_spend(cx);
    return EDO_READY;
}

struct edo_resolve edo_resolve(const char *host, uint16_t port)
{
    return EDO_NEW_RETURNED(edo_resolve, .host = host, .port = port);
}

EDO_ASYNC(edo_tcp_connect_name)
{
    EDO_ASYNC_BEGIN;
    EDO_AWAIT_REF(self->resolve);
    self->count = self->output = self->resolve.output;
    for (self->index = 0; self->index < self->count; self->index++) {
        EDO_AWAIT(self->connect, edo_tcp_connect(&self->resolve.addrs[self->index]));
        self->output = self->connect.output;
        if (self->output == 0) {
            self->stream = self->connect.stream;
            break;
        }
    }
EDO_ASYNC_FINALLY:
    EDO_DROP(self->resolve);
    EDO_ASYNC_END;
}

struct edo_tcp_connect_name edo_tcp_connect_name(const char *host, uint16_t port)
{
    return EDO_NEW_RETURNED(edo_tcp_connect_name, .resolve = edo_resolve(host, port));
}
