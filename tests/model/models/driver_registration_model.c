/* SPDX-License-Identifier: MIT */
/* Descriptors on a worker's loop, whose worker does nothing but turn it: their events and their end, by others. What
 * workers do besides is in registration_model.c. */
#include "driver.h"
#include "executor.h"
#include "runtime/registration_internal.h"
#include "socket.h"

static struct edo_driver *driver;
static _Atomic(int) flags;

static struct edo_registration *start(void)
{
    socket_open();
    driver = driver_new();
    driver_take(driver);
    struct edo_registration *r = edo_malloc(sizeof *r);
    model_assert(edo_registration_open(r, FD, 0) == 0);
    return r;
}

/* What was watched when the driver was closed is gone with it. */
static void end(bool closed)
{
    if (!closed)
        edo_driver_close(driver, UINT64_MAX);
    driver_free_closed(driver);
    model_descriptors = NULL;
}

/* The peer. */
static void becomes_readable(void *arg)
{
    (void)arg;
    edo_fetch_or(&readable, EDO_READABLE, seq_cst);
    model_edge(&driver->selector);
}

/* A read, as io/ does it. Returns 1, 0 when it has to wait, or the error. */
struct reads {
    struct edo_registration *r;
    struct edo_io_waiter waiter;
    struct executor *executor;
    int bit;
};

static struct reads *reads_new(struct edo_registration *r, int bit)
{
    struct reads *self = model_new(sizeof *self);
    *self = (struct reads){.r = r, .executor = executor_new(), .bit = bit};
    return self;
}

static int try_read(struct reads *self)
{
    uint32_t told;
    int fd = edo_registration_begin(self->r, EDO_READABLE, &told);
    if (fd >= 0) {
        model_assert(socket_ == 0);
        bool empty = edo_fetch_or(&readable, 0, seq_cst) == 0;
        edo_registration_end(self->r, empty ? EDO_READABLE : 0, empty, told);
        if (!empty)
            return 1;
    } else if (fd != UV_EAGAIN) {
        return fd;
    }
    return edo_registration_wait(self->r, &self->waiter, EDO_READABLE, &self->executor->waker);
}

static int read_one(struct reads *self)
{
    int read;
    while ((read = try_read(self)) == 0)
        executor_sleep(self->executor);
    edo_registration_forget(self->r, &self->waiter);
    return read;
}

/* It is done, for the worker. */
static void sets(int bit)
{
    edo_fetch_or(&flags, bit, relaxed);
    edo_driver_wake(driver);
}

static void works_until(int bits)
{
    while ((edo_load(&flags, relaxed) & bits) != bits)
        edo_driver_sleep(driver, UINT64_MAX);
    model_join_all();
}

static void reads(void *arg)
{
    struct reads *self = arg;
    driver_enter(driver);
    model_assert(read_one(self) == 1);
    edo_registration_close(self->r);
    sets(self->bit);
}

/* Readable from the first, or once somebody waits: a note has it watched, if the worker has the loop. */
MODEL(driver_registration_becomes_ready, .slow = true, .bound = 3, .tries = true)
{
    struct reads *read = reads_new(start(), 1);
    model_thread(reads, read);
    model_thread(becomes_readable, NULL);
    works_until(1);
    model_assert(edo_load(&read->executor->clones, relaxed) == 0);
    end(false);
    model_assert(closings == 1);
}

/* Closed by another owner: before, during, after. */
static void reads_or_not(void *arg)
{
    struct reads *self = arg;
    driver_enter(driver);
    int read = read_one(self);
    model_assert(read == 1 || read == UV_ECANCELED);
    edo_registration_close(self->r);
    sets(self->bit);
}

static void closes(void *arg)
{
    driver_enter(driver);
    edo_registration_close(arg);
    sets(2);
}

MODEL(driver_registration_closed_under_a_read, .slow = true, .bound = 2, .tries = true)
{
    struct edo_registration *r = start();
    edo_registration_keep(r);
    struct reads *read = reads_new(r, 1);
    if (model_choose(2) == 1)
        becomes_readable(NULL);
    model_thread(reads_or_not, read);
    model_thread(closes, r);
    works_until(3);
    model_assert(edo_load(&read->executor->clones, relaxed) == 0);
    end(false);
    model_assert(closings == 1);
}

/* Closed by the waker that its event wakes, in the midst of the turn: the loop is had once more. */
struct closer {
    struct edo_waker waker;
    struct edo_registration *r;
    char event;
};

static void closer_wake(struct edo_waker *waker)
{
    struct closer *self = (struct closer *)waker;
    edo_registration_close(self->r);
    model_signal(&self->event);
}

static struct edo_waker *closer_clone(struct edo_waker *waker)
{
    return waker;
}

static void closer_drop(struct edo_waker *waker)
{
    (void)waker;
}

static const struct edo_waker_ops closer_ops = {closer_wake, closer_clone, closer_drop, NULL, NULL};

static void waits_for_closer(void *arg)
{
    struct closer *closer = arg;
    struct edo_registration *r = closer->r;
    struct edo_io_waiter *waiter = model_new(sizeof *waiter);
    driver_enter(driver);
    if (edo_registration_wait(r, waiter, EDO_READABLE, &closer->waker) == 0)
        model_wait(&closer->event);
    else
        edo_registration_close(r);
    edo_registration_forget(r, waiter);
    sets(1);
}

MODEL(driver_registration_closed_in_its_event, .bound = 3, .tries = true)
{
    struct edo_registration *r = start();
    struct closer *closer = model_new(sizeof *closer);
    *closer = (struct closer){.waker = {&closer_ops}, .r = r};
    becomes_readable(NULL);
    model_thread(waits_for_closer, closer);
    works_until(1);
    end(false);
    model_assert(closings == 1);
}

/* The same, as another owner closes it. */
MODEL(driver_registration_closed_in_its_event_too, .slow = true, .bound = 3, .tries = true)
{
    struct edo_registration *r = start();
    edo_registration_keep(r);
    struct closer *closer = model_new(sizeof *closer);
    *closer = (struct closer){.waker = {&closer_ops}, .r = r};
    becomes_readable(NULL);
    model_thread(waits_for_closer, closer);
    model_thread(closes, r);
    works_until(3);
    end(false);
    model_assert(closings == 1);
}

/* Dropped while the event comes. */
static void drops(void *arg)
{
    struct reads *self = arg;
    driver_enter(driver);
    try_read(self);
    edo_registration_forget(self->r, &self->waiter);
    edo_registration_close(self->r);
    sets(self->bit);
}

MODEL(driver_registration_read_is_dropped, .bound = 3, .tries = true)
{
    struct reads *read = reads_new(start(), 1);
    becomes_readable(NULL);
    model_thread(drops, read);
    works_until(1);
    model_assert(edo_load(&read->executor->clones, relaxed) == 0);
    end(false);
    model_assert(closings == 1);
}

/* Given back while its worker sleeps, or turns: itself. */
static void gives_back(void *arg)
{
    struct reads *self = arg;
    driver_enter(driver);
    int waits = try_read(self);
    int fd = edo_registration_release(self->r);
    model_assert(waits == 0 && fd >= 0 && try_read(self) == UV_ECANCELED);
    edo_registration_forget(self->r, &self->waiter);
    model_assert(fd == FD);
    sets(self->bit);
}

MODEL(driver_registration_given_back, .bound = 3, .tries = true)
{
    struct reads *read = reads_new(start(), 1);
    model_thread(gives_back, read);
    works_until(1);
    model_assert(edo_load(&read->executor->clones, relaxed) == 0);
    end(false);
}

/* The driver goes while somebody begins to wait: he is told, and closes it after that. */
static void reads_to_the_end(void *arg)
{
    struct reads *self = arg;
    driver_enter(driver);
    model_assert(read_one(self) == UV_ECANCELED);
    edo_registration_close(self->r);
}

MODEL(driver_registration_orphaned, .bound = 3, .tries = true)
{
    struct reads *read = reads_new(start(), 1);
    model_thread(reads_to_the_end, read);
    edo_driver_close(driver, UINT64_MAX);
    model_join_all();
    model_assert(edo_load(&read->executor->clones, relaxed) == 0);
    end(true);
    model_assert(closings == 1);
}

/* The worker is busy, and comes to its loop as another turns it. */
static void looks(void *arg)
{
    (void)arg;
    edo_driver_turn(driver, false);
}

MODEL(driver_registration_looked_after, .bound = 3, .tries = true)
{
    struct reads *read = reads_new(start(), 0);
    model_assert(try_read(read) == 0);
    becomes_readable(NULL);
    model_thread(looks, NULL);
    edo_driver_turn(driver, false);
    model_join_all();
    /* One of the two has told it. */
    model_assert(read_one(read) == 1);
    edo_registration_close(read->r);
    model_assert(edo_load(&read->executor->clones, relaxed) == 0);
    end(false);
    model_assert(closings == 1);
}

/* The first descriptor comes, ready already, before the worker sleeps, on the way, or while it waits on its event as
 * there was none. */
static void opens(void *r)
{
    driver_enter(driver);
    model_assert(edo_registration_open(r, FD, 0) == 0);
}

static bool is_told(struct edo_registration *r)
{
    return edo_load(&driver->watched, acquire) > 0 && edo_registration_ready_(r, EDO_READABLE) != 0;
}

MODEL(driver_gets_its_first_descriptor)
{
    socket_open();
    edo_init(&readable, EDO_READABLE);
    driver = driver_new();
    driver_take(driver);
    struct edo_registration *r = edo_malloc(sizeof *r);
    model_thread(opens, r);
    while (!is_told(r))
        edo_driver_sleep(driver, UINT64_MAX);
    model_join_all();
    edo_registration_close(r);
    end(false);
}
