/* SPDX-License-Identifier: MIT */
#include "driver.h"

#include <fcntl.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <unistd.h>

#include "blocking_pool.h"
#include "runtime_internal.h"
#include "registration_internal.h"
#include "time_internal.h"

enum { NS_PER_MS = 1000000, TELL_AHEAD = 4 };

/* libuv aborts when its table of descriptors cannot grow. So it is grown here, once, where a failure
 * can still be told, to hold every descriptor we may get. */
static int grow_table(uv_loop_t *loop)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return uv_translate_sys_error(errno);
    rlim_t top = limit.rlim_cur < 65536 ? limit.rlim_cur : 65536;
    /* Would it fit? libuv takes the next power of two, in pointers. */
    void *trial = edo_malloc(2 * (size_t)top * sizeof(void *));
    if (trial == NULL)
        return UV_ENOMEM;
    edo_free(trial);
    int fd = eventfd(0, EFD_CLOEXEC);
    if (fd < 0)
        return uv_translate_sys_error(errno);
    int high = fcntl(fd, F_DUPFD_CLOEXEC, (int)top - 1);
    int error = 0;
    uv_poll_t poll;
    if (high >= 0 && (error = uv_poll_init(loop, &poll, high)) == 0) {
        uv_poll_start(&poll, UV_READABLE, NULL);
        uv_poll_stop(&poll);
        uv_close((uv_handle_t *)&poll, NULL);
        /* The handle is on this stack: the loop, which is new, lets go of it here. */
        uv_run(loop, UV_RUN_NOWAIT);
    }
    if (high >= 0)
        close(high);
    close(fd);
    return error;
}

/* Whether uv_loop_init will find the descriptors it needs: an epoll, an eventfd, a pipe, and for the
 * process's first loop another pipe. It aborts when the last cannot be had, and loses the first when
 * the others cannot. */
static int try_descriptors(void)
{
    int fds[6], count = 0, error = 0;
    for (; count < 6 && error == 0; count += error == 0) {
        fds[count] = eventfd(0, EFD_CLOEXEC);
        if (fds[count] < 0)
            error = uv_translate_sys_error(errno);
    }
    while (count > 0)
        close(fds[--count]);
    return error;
}

static void begin_turn(struct edo_runtime *runtime)
{
    if (edo_unlikely(runtime->phase == EDO_PHASE_RUNS))
        edo_bug(__FILE__, __LINE__, "a task calls uv_run on the loop that runs it");
    if (runtime->phase == EDO_PHASE_BETWEEN_TURNS)
        runtime->phase = EDO_PHASE_RUNS;
}

static void end_turn(struct edo_runtime *runtime)
{
    if (runtime->phase == EDO_PHASE_RUNS)
        runtime->phase = EDO_PHASE_BETWEEN_TURNS;
}

static void on_selectable(uv_poll_t *poll, int status, int events)
{
    struct edo_driver *driver = poll->data;
    (void)status;
    (void)events;
    /* What this wakes on a host's loop is polled by on_check, which comes next. */
    if (driver->attached)
        begin_turn(driver->runtime);
    edo_driver_tell(driver, 0);
    if (driver->attached)
        end_turn(driver->runtime);
}

void edo_driver_tell(struct edo_driver *driver, int ms)
{
    struct edo_selected selected[EDO_SELECTED_MAX];
    int count = edo_selector_wait(&driver->selector, selected, driver->io_events_max, ms);
    driver->telling = true;
    for (int i = 0; i < count; i++) {
        if (i + TELL_AHEAD < count)
            edo_prefetch(selected[i + TELL_AHEAD].data);
        edo_registration_tell(selected[i].data, selected[i].ready, selected[i].ended);
    }
    driver->telling = false;
    if (!driver->shared)
        edo_driver_run_notes(driver);
}

bool edo_driver_list(struct edo_driver *driver, struct edo_list *link)
{
    if (driver->shared)
        edo_lock(&driver->list_lock);
    bool closing = driver->closing;
    uint32_t before = edo_load(&driver->watched, relaxed);
    if (!closing) {
        edo_list_push_back(&driver->registrations, link);
        edo_store(&driver->watched, before + 1, seq_cst);
    }
    if (driver->shared) {
        edo_unlock(&driver->list_lock);
        if (before == 0)
            edo_driver_first_listed(driver);
    }
    return !closing;
}

void edo_driver_unlist(struct edo_driver *driver, struct edo_list *link)
{
    if (driver->shared)
        edo_lock(&driver->list_lock);
    if (edo_list_linked(link)) {
        edo_list_remove(link);
        edo_store(&driver->watched, edo_load(&driver->watched, relaxed) - 1, relaxed);
    }
    if (driver->shared)
        edo_unlock(&driver->list_lock);
}

void edo_driver_orphan_registrations(struct edo_driver *driver)
{
    bool some;
    do {
        struct edo_registration *r = NULL;
        edo_lock(&driver->list_lock);
        driver->closing = true;
        struct edo_list *node = edo_list_pop_front(&driver->registrations);
        if ((some = node != NULL)) {
            r = edo_container_of(node, struct edo_registration, link);
            edo_registration_keep(r);
        }
        edo_unlock(&driver->list_lock);
        if (some)
            edo_registration_orphan(r);
    } while (some);
    edo_store(&driver->watched, 0, relaxed);
}

static void on_idle(uv_idle_t *idle)
{
    (void)idle;
}

/* libuv asks for both when all callbacks that come before its sleep have been called. */
void edo_driver_stay_awake(struct edo_driver *driver)
{
    if (driver->attached)
        uv_idle_start(&driver->idle, on_idle);
    else
        uv_stop(driver->loop);
}

/* A turn of libuv's runs what is due before it sleeps, and then sleeps all the same, without an end when that was the
 * only timer. Or it runs it last, and a host sleeps. */
static void on_timer(uv_timer_t *timer)
{
    edo_driver_stay_awake(timer->data);
}

/* One turn of the scheduler inside the host's loop. True: tasks are ready. */
static bool attached_turn(struct edo_driver *driver)
{
    struct edo_runtime *runtime = driver->runtime;
    struct edo_thread outer = edo_thread;
    edo_thread.current = runtime->handle;
    edo_thread.running = runtime->handle;
    edo_thread.blocks = &runtime->handle->own.blocks;
    begin_turn(runtime);
    edo_driver_fire(driver);
    bool more = edo_run_batch(runtime, NULL);
    if (edo_unlikely(runtime->failed))
        edo_drop_all(runtime);
    end_turn(runtime);
    edo_thread = outer;
    return more;
}

/* Whoever sleeps next is the loop, or the host itself: for uv_backend_fd, no longer than uv_backend_timeout. So
 * libuv is told after each turn what there is to wait for, and other threads to signal. True: nothing is ready. */
static bool settle(struct edo_driver *driver, bool more)
{
    struct edo_handle *handle = driver->handle;
    if (!more) {
        edo_store(&handle->parked, true, seq_cst);
        more = edo_handle_pending(handle);
    }
    if (more) {
        edo_store(&handle->parked, false, relaxed);
        edo_driver_stay_awake(driver);
    } else {
        uv_idle_stop(&driver->idle);
    }
    edo_driver_arm(driver);
    return !more;
}

void edo_driver_keep_alive(struct edo_driver *driver, bool keep)
{
    if (driver == NULL || !driver->attached)
        return;
    if (keep)
        uv_ref((uv_handle_t *)&driver->poll);
    else
        uv_unref((uv_handle_t *)&driver->poll);
}

/* Before the host's loop sleeps. Its other callbacks for that may come after this one. */
static void on_prepare(uv_prepare_t *prepare)
{
    struct edo_driver *driver = prepare->data;
    struct edo_handle *handle = driver->handle;
    edo_store(&handle->parked, false, relaxed);
    driver->asleep = settle(driver, attached_turn(driver));
    if (driver->asleep)
        edo_handle_hook(handle, handle->hooks.on_thread_park);
}

/* After it slept, and its callbacks ran. */
static void on_check(uv_check_t *check)
{
    struct edo_driver *driver = check->data;
    struct edo_handle *handle = driver->handle;
    edo_store(&handle->parked, false, relaxed);
    if (driver->asleep)
        edo_handle_hook(handle, handle->hooks.on_thread_unpark);
    driver->asleep = false;
    settle(driver, attached_turn(driver));
}

/* The loop, `host` or its own, and the selector on it. */
static int make_loop(struct edo_driver *driver, uv_loop_t *host)
{
    int error = host != NULL ? 0 : try_descriptors();
    if (host == NULL && error == 0)
        error = uv_loop_init(&driver->own);
    if (error < 0)
        return error;
    driver->loop = host != NULL ? host : &driver->own;
    if (host == NULL)
        error = grow_table(driver->loop);
    if (error == 0)
        error = uv_poll_init(driver->loop, &driver->poll, driver->selector.epoll);
    if (error < 0) {
        if (host == NULL)
            edo_assert(uv_loop_close(driver->loop) == 0);
        return error;
    }
    uv_timer_init(driver->loop, &driver->timer);
    uv_unref((uv_handle_t *)&driver->timer);
    driver->open = 2;
    driver->poll.data = driver->timer.data = driver;
    uv_poll_start(&driver->poll, UV_READABLE, on_selectable);
    if (host == NULL)
        return 0;
    uv_unref((uv_handle_t *)&driver->poll);
    uv_prepare_init(host, &driver->prepare);
    uv_check_init(host, &driver->check);
    uv_idle_init(host, &driver->idle);
    uv_unref((uv_handle_t *)&driver->prepare);
    uv_unref((uv_handle_t *)&driver->check);
    uv_unref((uv_handle_t *)&driver->idle);
    driver->prepare.data = driver->check.data = driver->idle.data = driver;
    driver->open += 3;
    uv_prepare_start(&driver->prepare, on_prepare);
    uv_check_start(&driver->check, on_check);
    return 0;
}

static int make(struct edo_handle *handle, struct edo_runtime *runtime, uv_loop_t *host,
                struct edo_driver *io, struct edo_driver **out)
{
    struct edo_driver *driver = edo_calloc(1, sizeof *driver);
    if (driver == NULL)
        return UV_ENOMEM;
    driver->handle = handle;
    driver->runtime = runtime;
    driver->io = io != NULL ? io : driver;
    driver->shared = runtime == NULL;
    uint32_t most = handle->hooks.max_io_events_per_tick;
    driver->io_events_max = most > 0 && most < EDO_SELECTED_MAX ? (int)most : EDO_SELECTED_MAX;
    edo_lock_init(&driver->turn);
    edo_lock_init(&driver->wheel_lock);
    edo_lock_init(&driver->list_lock);
    edo_event_init(&driver->event);
    driver->attached = host != NULL;
    edo_init(&driver->refs, 1);
    edo_list_init(&driver->registrations);
    edo_wheel_init(&driver->wheel, edo_clock_ns() / NS_PER_MS);
    int error = 0;
    if (io == NULL) {
        error = edo_selector_open(&driver->selector);
        if (error < 0)
            driver->io = NULL; /* nothing to be closed */
        else
            error = make_loop(driver, host);
    }
    if (error < 0)
        edo_driver_free(driver);
    else
        *out = driver;
    return error;
}

int edo_driver_new(struct edo_runtime *runtime, uv_loop_t *host, struct edo_driver **driver)
{
    return make(runtime->handle, runtime, host, NULL, driver);
}

int edo_driver_new_shared(struct edo_handle *handle, struct edo_driver *io,
                          struct edo_driver **driver)
{
    return make(handle, NULL, NULL, io, driver);
}

void edo_driver_free(struct edo_driver *driver)
{
    if (driver->io == driver)
        edo_selector_close(&driver->selector);
    edo_lock_destroy(&driver->turn);
    edo_lock_destroy(&driver->wheel_lock);
    edo_lock_destroy(&driver->list_lock);
    edo_event_destroy(&driver->event);
    edo_free(driver);
}

/* Not shared: freed with its last handle and request. */
static void unref(struct edo_driver *driver)
{
    /* Release what was done with it; acquire what all did, for the free. */
    if (edo_fetch_sub(&driver->refs, 1, acq_rel) == 1)
        edo_driver_free(driver);
}

static void on_closed(uv_handle_t *handle)
{
    struct edo_driver *driver = handle->data;
    if (--driver->open == 0 && driver->attached)
        unref(driver);
}

void edo_driver_request_begin(struct edo_driver *driver)
{
    edo_fetch_add(&driver->refs, 1, relaxed);
    edo_fetch_add(&driver->requests, 1, relaxed);
}

void edo_driver_request_end(struct edo_driver *driver)
{
    edo_fetch_sub(&driver->requests, 1, relaxed);
    unref(driver);
}

static uint32_t requests(struct edo_driver *driver)
{
    return edo_load(&driver->requests, relaxed);
}

/* Whatever the caller left open on our loop is closed, so that the loop can be. */
static void close_stray(uv_handle_t *handle, void *arg)
{
    (void)arg;
    if (!uv_is_closing(handle))
        uv_close(handle, NULL);
}

/* Runs an own loop out: closing handles, requests under way. */
static void run_out(struct edo_driver *driver)
{
    while (uv_loop_close(&driver->own) == UV_EBUSY) {
        uv_run(&driver->own, UV_RUN_DEFAULT);
        uv_walk(&driver->own, close_stray, NULL);
    }
    if (driver->shared)
        edo_driver_leave(driver);
    else
        unref(driver);
}

static void *run_out_thread(void *driver)
{
    run_out(driver);
    return NULL;
}

static void on_deadline(uv_timer_t *timer)
{
    (void)timer;
}

/* Turns an own loop until nothing is under way, or the deadline has come. */
static void run_until(struct edo_driver *driver, uint64_t deadline)
{
    uv_timer_t timer;
    uv_timer_init(&driver->own, &timer);
    uv_unref((uv_handle_t *)&timer);
    for (uint64_t now; uv_loop_alive(&driver->own) && (now = edo_clock_ns()) < deadline;) {
        uv_update_time(&driver->own);
        uv_timer_start(&timer, on_deadline, (deadline - now + NS_PER_MS - 1) / NS_PER_MS, 0);
        uv_run(&driver->own, UV_RUN_ONCE);
    }
    uv_close((uv_handle_t *)&timer, NULL);
    /* It is on this stack: the loop lets go of it here. */
    uv_run(&driver->own, UV_RUN_NOWAIT);
}

void edo_driver_close(struct edo_driver *driver, uint64_t deadline)
{
    if (driver->shared) {
        edo_driver_orphan_shared(driver);
    } else {
        edo_driver_orphan_registrations(driver);
        edo_timer_orphan_all(&driver->wheel);
        driver->runtime = NULL;
    }
    if (driver->io != driver) {
        edo_driver_leave(driver);
        return;
    }
    uv_close((uv_handle_t *)&driver->timer, on_closed);
    uv_close((uv_handle_t *)&driver->poll, on_closed);
    if (driver->attached) {
        uv_close((uv_handle_t *)&driver->prepare, on_closed);
        uv_close((uv_handle_t *)&driver->check, on_closed);
        uv_close((uv_handle_t *)&driver->idle, on_closed);
        return;
    }
    /* What only has to be closed is closed in one turn. */
    uv_run(&driver->own, UV_RUN_NOWAIT);
    if (deadline != 0 && deadline != UINT64_MAX)
        run_until(driver, deadline);
    struct edo_thread_id thread;
    if (deadline != UINT64_MAX && uv_loop_alive(&driver->own) &&
        edo_thread_start(&thread, NULL, run_out_thread, driver) == 0) {
        edo_thread_detach(thread);
        return;
    }
    run_out(driver);
}

/* ms until the wheel's next timer, for edo_selector_wait. */
static int until_timer(struct edo_driver *driver)
{
    uint64_t when;
    if (driver->paused || !edo_wheel_next(&driver->wheel, &when))
        return -1;
    return edo_driver_ms(edo_driver_now(driver) / NS_PER_MS, when);
}

void edo_driver_arm(struct edo_driver *driver)
{
    uint64_t when;
    if (driver->paused || !edo_wheel_next(&driver->wheel, &when)) {
        if (uv_is_active((uv_handle_t *)&driver->timer))
            uv_timer_stop(&driver->timer);
        return;
    }
    /* From now, which is what the loop sleeps by; its own time may be an old one. */
    uint64_t now = edo_driver_now(driver) / NS_PER_MS, timeout = when > now ? when - now : 0;
    if (uv_is_active((uv_handle_t *)&driver->timer) &&
        uv_timer_get_due_in(&driver->timer) == timeout)
        return;
    uv_timer_start(&driver->timer, on_timer, timeout, 0);
}

void edo_driver_turn(struct edo_driver *driver, bool sleep)
{
    if (driver->shared) {
        edo_driver_look(driver);
        return;
    }
    /* With nothing on the loop but what is ours, the loop is left alone: a foreign wake is on the inject list, and
     * timers are fired here. With nothing watched either there is nothing to look at. */
    if (requests(driver) > 0 || driver->lent) {
        if (sleep)
            edo_driver_arm(driver);
        end_turn(driver->runtime);
        uv_run(driver->loop, sleep ? UV_RUN_ONCE : UV_RUN_NOWAIT);
        begin_turn(driver->runtime);
    } else if (sleep || edo_load(&driver->watched, relaxed) > 0) {
        edo_driver_tell(driver, sleep ? until_timer(driver) : 0);
    }
    edo_driver_fire(driver);
}

uint64_t edo_driver_now(const struct edo_driver *driver)
{
    return driver->paused ? driver->frozen : edo_clock_ns() + (uint64_t)driver->shift;
}

void edo_driver_fire(struct edo_driver *driver)
{
    if (driver->shared) {
        edo_driver_fire_shared(driver);
        return;
    }
    if (driver->wheel.count == 0)
        return;
    uint64_t now = edo_driver_now(driver) / NS_PER_MS;
    struct edo_timer_entry *entry;
    while ((entry = edo_wheel_poll(&driver->wheel, now)) != NULL)
        edo_timer_fire(entry);
}

void edo_driver_pause(struct edo_driver *driver)
{
    uint64_t now = edo_driver_now(driver);
    driver->frozen = (now + NS_PER_MS - 1) / NS_PER_MS * NS_PER_MS;
    driver->paused = true;
}

bool edo_driver_skip(struct edo_driver *driver)
{
    uint64_t when;
    /* In this order: whoever made blocking work quiet has woken before, and the pool's lock lets it be seen. */
    if (!driver->paused || requests(driver) > 0 ||
        edo_blocking_pool_busy(driver->handle->blocking) || edo_handle_pending(driver->handle) ||
        !edo_wheel_next_deadline(&driver->wheel, &when))
        return false;
    if (when > UINT64_MAX / NS_PER_MS)
        return false; /* never */
    edo_driver_set(driver, when * NS_PER_MS);
    return true;
}

void edo_driver_set(struct edo_driver *driver, uint64_t ns)
{
    if (ns > driver->frozen)
        driver->frozen = ns;
    edo_driver_fire(driver);
}
