/* SPDX-License-Identifier: MIT */
/* libuv for models: what runtime/driver.c uses of it, with the phases of a turn in libuv 1.44's
 * order. A loop sleeps in model_wait, or in model_wait_timed when a timer is armed: then time runs
 * out, and the clock moves, at any moment at which a real one could.
 *
 * A selector is fake_selector.c's: the one descriptor that is polled. Whatever is done with a loop counts as a write
 * to it, so its use by two threads is found as a race. All state is in libuv's own structs, which are
 * the library's memory: there is nothing here to restore between executions.
 */
#include <sys/resource.h>
#include <uv.h>

#include "checker.h"
#include "fake_selector.h"

enum { CLOSING = 1, CLOSED = 2, ACTIVE = 4, REF = 8 };

/* Libuv's private fields, for our purposes: all handles of a loop, linked by handle_queue[0]. */
static uv_handle_t *first(const uv_loop_t *loop)
{
    return loop->handle_queue[0];
}

static uv_handle_t *next(const uv_handle_t *handle)
{
    return handle->handle_queue[0];
}

static void use_loop(const uv_loop_t *loop, void *pc)
{
    plain_access((uintptr_t)&loop->active_handles, 1, true, pc);
}

static void use(const void *handle, void *pc)
{
    const uv_handle_t *h = handle;
    plain_access((uintptr_t)&h->flags, 1, true, pc);
    use_loop(h->loop, pc);
}
#define USE(handle) use((handle), __builtin_return_address(0))

static bool is(const void *handle, unsigned flags)
{
    return (((const uv_handle_t *)handle)->flags & flags) == flags;
}

static void handle_init(uv_loop_t *loop, void *handle, uv_handle_type type, unsigned flags)
{
    uv_handle_t *h = handle;
    h->loop = loop;
    h->type = type;
    h->flags = REF | flags;
    h->close_cb = NULL;
    h->next_closing = NULL;
    h->handle_queue[0] = first(loop);
    loop->handle_queue[0] = h;
    USE(handle);
}

/* ---- Loops ---- */

int uv_loop_init(uv_loop_t *loop)
{
    use_loop(loop, __builtin_return_address(0));
    loop->handle_queue[0] = NULL;
    loop->closing_handles = NULL;
    loop->stop_flag = 0;
    loop->active_reqs.count = 0;
    loop->time = model_now() / 1000000;
    return 0;
}

int uv_loop_close(uv_loop_t *loop)
{
    use_loop(loop, __builtin_return_address(0));
    return first(loop) != NULL || loop->active_reqs.count > 0 ? UV_EBUSY : 0;
}

void uv_stop(uv_loop_t *loop)
{
    use_loop(loop, __builtin_return_address(0));
    loop->stop_flag = 1;
}

void uv_walk(uv_loop_t *loop, uv_walk_cb walk, void *arg)
{
    use_loop(loop, __builtin_return_address(0));
    for (uv_handle_t *h = first(loop), *after; h != NULL; h = after) {
        after = next(h);
        walk(h, arg);
    }
}

static bool alive(const uv_loop_t *loop)
{
    bool some = loop->closing_handles != NULL || loop->active_reqs.count > 0;
    for (uv_handle_t *h = first(loop); h != NULL; h = next(h))
        some |= is(h, ACTIVE | REF);
    return some;
}

static bool any(const uv_loop_t *loop, uv_handle_type type)
{
    for (uv_handle_t *h = first(loop); h != NULL; h = next(h))
        if (h->type == type && is(h, ACTIVE))
            return true;
    return false;
}

static uv_timer_t *next_timer(const uv_loop_t *loop)
{
    uv_timer_t *soonest = NULL;
    for (uv_handle_t *h = first(loop); h != NULL; h = next(h)) {
        uv_timer_t *timer = (uv_timer_t *)h;
        if (h->type == UV_TIMER && is(h, ACTIVE) &&
            (soonest == NULL || timer->timeout < soonest->timeout))
            soonest = timer;
    }
    return soonest;
}

static void run_timers(uv_loop_t *loop)
{
    for (uv_timer_t *timer; (timer = next_timer(loop)) != NULL && timer->timeout <= loop->time;) {
        uv_timer_stop(timer);
        timer->timer_cb(timer);
    }
}

static void run_phase(uv_loop_t *loop, uv_handle_type type)
{
    for (uv_handle_t *h = first(loop), *after; h != NULL; h = after) {
        after = next(h);
        if (h->type != type || !is(h, ACTIVE))
            continue;
        if (type == UV_IDLE)
            ((uv_idle_t *)h)->idle_cb((uv_idle_t *)h);
        else if (type == UV_PREPARE)
            ((uv_prepare_t *)h)->prepare_cb((uv_prepare_t *)h);
        else
            ((uv_check_t *)h)->check_cb((uv_check_t *)h);
    }
}

/* The selector that the loop has; else what it sleeps on itself. */
static const void *slept_on(const uv_loop_t *loop, uv_poll_t **poll)
{
    *poll = NULL;
    for (uv_handle_t *h = first(loop); h != NULL; h = next(h))
        if (h->type == UV_POLL && is(h, ACTIVE))
            *poll = (uv_poll_t *)h;
    const void *selector = *poll != NULL ? fake_selector((*poll)->io_watcher.fd) : NULL;
    return selector != NULL ? selector : loop;
}

/* Sleeps until its selector is woken or has something to tell, or for the next timer; `sleep` false: looks only. */
static void poll_phase(uv_loop_t *loop, bool sleep)
{
    uv_poll_t *poll;
    const void *event = slept_on(loop, &poll);
    uv_timer_t *timer = next_timer(loop);
    if (poll == NULL && (!sleep || timer == NULL))
        return;
    bool signalled;
    if (!sleep || (timer != NULL && timer->timeout <= loop->time)) {
        signalled = event_poll(event);
    } else if (timer == NULL) {
        model_wait(event);
        signalled = true;
    } else {
        signalled = model_wait_timed(event);
        if (!signalled && model_now() < timer->timeout * 1000000)
            model_set_now(timer->timeout * 1000000);
    }
    loop->time = model_now() / 1000000;
    if (signalled && poll != NULL && event != loop)
        poll->poll_cb(poll, 0, UV_READABLE);
}

static void close_phase(uv_loop_t *loop)
{
    uv_handle_t *closing = loop->closing_handles;
    loop->closing_handles = NULL;
    while (closing != NULL) {
        uv_handle_t *h = closing;
        closing = h->next_closing;
        void **link = &loop->handle_queue[0];
        while (*link != h)
            link = &((uv_handle_t *)*link)->handle_queue[0];
        *link = h->handle_queue[0];
        h->flags |= CLOSED;
        if (h->close_cb != NULL)
            h->close_cb(h);
    }
}

int uv_run(uv_loop_t *loop, uv_run_mode mode)
{
    use_loop(loop, __builtin_return_address(0));
    bool more = alive(loop);
    while (more && !loop->stop_flag) {
        loop->time = model_now() / 1000000;
        run_timers(loop);
        run_phase(loop, UV_IDLE);
        run_phase(loop, UV_PREPARE);
        poll_phase(loop, mode != UV_RUN_NOWAIT && !loop->stop_flag && !any(loop, UV_IDLE) &&
                             loop->closing_handles == NULL && alive(loop));
        run_phase(loop, UV_CHECK);
        close_phase(loop);
        if (mode == UV_RUN_ONCE) {
            loop->time = model_now() / 1000000;
            run_timers(loop);
        }
        more = alive(loop);
        if (mode != UV_RUN_DEFAULT)
            break;
    }
    loop->stop_flag = 0;
    return more;
}

int uv_loop_alive(const uv_loop_t *loop)
{
    use_loop(loop, __builtin_return_address(0));
    return alive(loop);
}

void uv_update_time(uv_loop_t *loop)
{
    use_loop(loop, __builtin_return_address(0));
    loop->time = model_now() / 1000000;
}

/* ---- Handles ---- */

void uv_close(uv_handle_t *h, uv_close_cb cb)
{
    USE(h);
    if (is(h, CLOSING))
        model_fail(__FILE__, __LINE__, "a handle closed twice");
    h->flags = (h->flags | CLOSING) & ~(unsigned)ACTIVE;
    h->close_cb = cb;
    h->next_closing = h->loop->closing_handles;
    h->loop->closing_handles = h;
}

int uv_is_active(const uv_handle_t *h)
{
    USE(h);
    return is(h, ACTIVE);
}

int uv_is_closing(const uv_handle_t *h)
{
    USE(h);
    return is(h, CLOSING);
}

void uv_ref(uv_handle_t *h)
{
    USE(h);
    h->flags |= REF;
}

void uv_unref(uv_handle_t *h)
{
    USE(h);
    h->flags &= ~(unsigned)REF;
}

int uv_timer_init(uv_loop_t *loop, uv_timer_t *timer)
{
    handle_init(loop, timer, UV_TIMER, 0);
    return 0;
}

int uv_timer_start(uv_timer_t *timer, uv_timer_cb cb, uint64_t timeout, uint64_t repeat)
{
    USE(timer);
    if (is(timer, CLOSING) || repeat != 0)
        model_fail(__FILE__, __LINE__, "uv_timer_start: closing, or repeating");
    timer->timer_cb = cb;
    timer->timeout = timer->loop->time + timeout;
    timer->flags |= ACTIVE;
    return 0;
}

uint64_t uv_timer_get_due_in(const uv_timer_t *timer)
{
    USE(timer);
    return timer->loop->time >= timer->timeout ? 0 : timer->timeout - timer->loop->time;
}

int uv_timer_stop(uv_timer_t *timer)
{
    USE(timer);
    timer->flags &= ~(unsigned)ACTIVE;
    return 0;
}

#define PHASE(name, type)                                      \
    int uv_##name##_init(uv_loop_t *loop, uv_##name##_t *h)    \
    {                                                          \
        handle_init(loop, h, type, 0);                         \
        return 0;                                              \
    }                                                          \
    int uv_##name##_start(uv_##name##_t *h, uv_##name##_cb cb) \
    {                                                          \
        USE(h);                                                \
        if (is(h, CLOSING))                                    \
            model_fail(__FILE__, __LINE__, "start: closing");  \
        h->name##_cb = cb;                                     \
        h->flags |= ACTIVE;                                    \
        return 0;                                              \
    }                                                          \
    int uv_##name##_stop(uv_##name##_t *h)                     \
    {                                                          \
        USE(h);                                                \
        h->flags &= ~(unsigned)ACTIVE;                         \
        return 0;                                              \
    }
PHASE(prepare, UV_PREPARE)
PHASE(check, UV_CHECK)
PHASE(idle, UV_IDLE)

/* ---- Descriptors: a driver makes sure at its start that there are some ---- */

int uv_poll_init(uv_loop_t *loop, uv_poll_t *poll, int fd)
{
    poll->io_watcher.fd = fd;
    handle_init(loop, poll, UV_POLL, 0);
    return 0;
}

int uv_poll_start(uv_poll_t *poll, int events, uv_poll_cb cb)
{
    USE(poll);
    if (is(poll, CLOSING))
        model_fail(__FILE__, __LINE__, "uv_poll_start: closing");
    poll->io_watcher.pevents = (unsigned)events;
    poll->poll_cb = cb;
    poll->flags |= ACTIVE;
    return 0;
}

int uv_poll_stop(uv_poll_t *poll)
{
    USE(poll);
    poll->flags &= ~(unsigned)ACTIVE;
    return 0;
}

int uv_translate_sys_error(int error)
{
    return -error;
}

int __wrap_eventfd(unsigned value, int flags);
int __wrap_fcntl(int fd, int command, ...);
int __wrap_close(int fd);
int __wrap_getrlimit(int resource, struct rlimit *limit);

int __wrap_eventfd(unsigned value, int flags)
{
    (void)value;
    (void)flags;
    return 3;
}

int __wrap_fcntl(int fd, int command, ...)
{
    (void)command;
    return fd + 1;
}

int __wrap_close(int fd)
{
    fake_selector_closing(fd);
    if (model_descriptors != NULL)
        model_descriptors->closed(fd);
    return 0;
}

int __wrap_getrlimit(int resource, struct rlimit *limit)
{
    (void)resource;
    limit->rlim_cur = limit->rlim_max = 8;
    return 0;
}
