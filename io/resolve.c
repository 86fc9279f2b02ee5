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

/* A look-up under way. It belongs to the loop until its callback; the future may leave before. */
struct edo_lookup {
    uv_getaddrinfo_t request;
    struct edo_driver *driver;
    bool done, left;
    int status;
    struct edo_waker *waker;
};

static void free_lookup(struct edo_lookup *lookup)
{
    uv_freeaddrinfo(lookup->request.addrinfo);
    edo_free(lookup);
}

static void on_resolved(uv_getaddrinfo_t *request, int status, struct addrinfo *list)
{
    struct edo_lookup *lookup = (struct edo_lookup *)request;
    (void)list;
    lookup->done = true;
    lookup->status = status;
    edo_driver_request_end(lookup->driver);
    if (lookup->left)
        free_lookup(lookup);
    else
        edo_waker_fire(&lookup->waker);
}

/* The future goes. */
static void leave(struct edo_resolve *self)
{
    struct edo_lookup *lookup = self->lookup;
    self->lookup = NULL;
    if (lookup == NULL)
        return;
    if (lookup->done) {
        free_lookup(lookup);
        return;
    }
    edo_waker_forget(lookup->waker);
    lookup->waker = NULL;
    lookup->left = true;
    uv_cancel((uv_req_t *)&lookup->request); /* when a thread has not begun it yet */
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

static int start(struct edo_resolve *self, struct edo_context *cx)
{
    if (!is_name(self->host))
        return UV_EINVAL;
    struct edo_runtime *runtime = edo_runtime_mine();
    if (runtime == NULL)
        return EDO_ENORUNTIME;
    struct edo_lookup *lookup = edo_calloc(1, sizeof *lookup);
    if (lookup == NULL)
        return UV_ENOMEM;
    lookup->driver = runtime->driver;
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    int error = uv_getaddrinfo(lookup->driver->loop, &lookup->request, on_resolved, self->host,
                               NULL, &hints);
    if (error < 0) {
        edo_free(lookup);
        return error;
    }
    edo_driver_request_begin(lookup->driver);
    lookup->waker = edo_waker_keep(cx->waker);
    self->lookup = lookup;
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

static enum edo_poll edo_resolve_poll(struct edo_future *future, struct edo_context *cx)
{
    struct edo_resolve *self = (struct edo_resolve *)future;
    if (cx->walk == EDO_WALK_DROP)
        leave(self);
    if (cx->walk != EDO_WALK_POLL)
        return edo_walk_leaf(cx, "edo_resolve");
    if (edo_budget_spent(cx))
        return EDO_PENDING;
    if (self->lookup == NULL) {
        self->output = 1;
        if (edo_addr_ip(&self->addrs[0], self->host, self->port) == 0)
            return EDO_READY;
        self->output = start(self, cx);
        return self->output < 0 ? EDO_READY : EDO_PENDING;
    }
    if (!self->lookup->done) {
        edo_waker_rekeep(&self->lookup->waker, cx->waker);
        return EDO_PENDING;
    }
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
