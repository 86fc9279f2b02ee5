/* SPDX-License-Identifier: MIT */
/* What stops the program, and says which future and where. */
#include "last_words.h"
#include "runtime/blocking.h"
#include "runtime/embed.h"
#include "runtime/local_set.h"
#include "runtime/runtime.h"
#include "runtime/task.h"
#include "stream.h"
#include "sync/cancellation_token.h"
#include "sync/notify.h"
#include "sync/task_tracker.h"

struct short_one {
    FUTURE(int);
};

ASYNC(short_one)
{
    ASYNC_BEGIN;
    RETURN(1);
    ASYNC_END;
}

static void poll_again(struct bench *bench)
{
    struct short_one future = NEW(short_one);
    edo_future_poll(&future.future_, &bench->cx);
    edo_future_poll(&future.future_, &bench->cx);
}

/* Without the checks of EDO_DEBUG: the function itself notices. */
static void call_again(struct bench *bench)
{
    struct short_one future = NEW(short_one);
    future.future_.poll(&future.future_, &bench->cx);
    future.future_.poll(&future.future_, &bench->cx);
}

static void poll_a_tracked_one_again(struct bench *bench)
{
    struct edo_task_tracker tracker;
    edo_task_tracker_init(&tracker);
    __auto_type future = TRACKED(&tracker, NEW(short_one));
    edo_future_poll(&future.future_, &bench->cx);
    edo_future_poll(&future.future_, &bench->cx);
}

Test(trap, a_poll_after_completion_is_stopped_with_the_futures_name)
{
    SAYS(poll_again, "short_one");
    SAYS(poll_again, "after it completed");
    SAYS(call_again, "future short_one was polled after it completed");
    SAYS(call_again, "trap_test.c:");
    SAYS(poll_a_tracked_one_again, "edo_tracked");
    SAYS(poll_a_tracked_one_again, "after it completed");
}

struct long_one {
    FUTURE(int);
};

ASYNC(long_one)
{
    ASYNC_BEGIN;
    YIELD_NOW();
    YIELD_NOW();
    ASYNC_END;
}

static void move(struct bench *bench)
{
    static struct long_one here, there;
    here = NEW(long_one);
    edo_future_poll(&here.future_, &bench->cx);
    there = here;
    edo_future_poll(&there.future_, &bench->cx);
}

/* It takes its place in a list without a poll. */
static void move_an_enabled_one(struct bench *bench)
{
    static struct edo_notify notify;
    static struct edo_notified here, there;
    edo_notify_init(&notify);
    here = edo_notified(&notify);
    edo_notified_enable(&here);
    there = here;
    edo_future_poll(&there.future_, &bench->cx);
}

/* By no more than a pointer: what stands before it has grown. */
static void move_a_little(struct bench *bench)
{
    static void *room[8];
    struct long_one *here = (struct long_one *)room, *there = (struct long_one *)(room + 1);
    if ((uintptr_t)room % 16 != 0)
        here = there, there = (struct long_one *)(room + 2);
    *here = NEW(long_one);
    edo_future_poll(&here->future_, &bench->cx);
    memmove(there, here, sizeof *here);
    edo_future_poll(&there->future_, &bench->cx);
}

Test(trap, a_future_that_was_moved_is_stopped_with_its_name_and_line)
{
    SAYS(move_a_little, "moved after its first poll");
    SAYS(move_an_enabled_one, "edo_notified");
    SAYS(move_an_enabled_one, "moved after its first poll");
    SAYS(move, "long_one");
    SAYS(move, "trap_test.c:");
    SAYS(move, "moved after its first poll");
}

/* Pinned, it may not be moved even before it is polled. */
struct pins {
    FUTURE(int);
    struct long_one here, there;
};

ASYNC(pins)
{
    ASYNC_BEGIN;
    PIN(self->here, NEW(long_one));
    self->there = self->here;
    AWAIT_REF(self->there);
    ASYNC_END;
}

static void move_pinned(struct bench *bench)
{
    struct pins future = NEW(pins);
    edo_future_poll(&future.future_, &bench->cx);
}

Test(trap, a_future_that_was_moved_after_pin_is_stopped)
{
    SAYS(move_pinned, "long_one");
    SAYS(move_pinned, "or after PIN");
}

static void poll_nothing(struct bench *bench)
{
    struct long_one zero = {.output = 0};
    edo_future_poll(&zero.future_, &bench->cx);
}

Test(trap, a_future_that_was_never_made_is_stopped)
{
    SAYS(poll_nothing, "never made");
}

static void spawn_nothing(struct bench *bench)
{
    (void)bench;
    struct edo_runtime *runtime;
    if (edo_runtime_new(&runtime) < 0)
        return;
    edo_task_detach(SPAWN_ON(edo_runtime_handle(runtime), (struct long_one){.output = 0}));
}

static void spawn_nothing_blocking(struct bench *bench)
{
    (void)bench;
    struct edo_runtime *runtime;
    if (edo_runtime_new(&runtime) < 0)
        return;
    struct edo_guard guard = edo_enter(edo_runtime_handle(runtime));
    edo_task_detach(SPAWN_BLOCKING((struct short_one){.output = 0}));
    edo_leave(guard);
}

/* Made before the fork: ThreadSanitizer starts no thread after it. */
static struct edo_runtime *there;

static void block_on_nothing(struct bench *bench)
{
    (void)bench;
    struct long_one zero = {.output = 0};
    edo_block_on(there, &zero);
}

static void block_on_nothing_of_a_set(struct bench *bench)
{
    (void)bench;
    struct edo_runtime *runtime;
    struct edo_local_set *set;
    struct long_one zero = {.output = 0};
    if (edo_runtime_new(&runtime) == 0 && edo_local_set_new(&set) == 0)
        edo_local_set_block_on(set, runtime, &zero);
}

/* Where it is given, not where it would be polled; also without EDO_DEBUG. */
Test(trap, a_future_that_was_never_made_is_not_run)
{
    SAYS(spawn_nothing, "never made is spawned");
    SAYS(spawn_nothing_blocking, "never made is spawned");
    for (int workers = 0; workers <= 1; workers++) {
        cr_assert(edo_runtime_new(&there, .flavor = workers ? EDO_MULTI_THREAD : EDO_CURRENT_THREAD,
                                  .worker_threads = (uint32_t)workers) == 0);
        SAYS(block_on_nothing, "never made is spawned, or given to edo_block_on");
        edo_runtime_drop(there);
    }
    SAYS(block_on_nothing_of_a_set, "never made is spawned, or given to edo_block_on");
}

static void drop_a_token_that_is_waited_for(struct bench *bench)
{
    struct edo_cancellation_token *token = edo_cancellation_token_new();
    struct edo_cancelled cancelled = edo_cancelled(token);
    edo_future_poll(&cancelled.future_, &bench->cx);
    edo_cancellation_token_drop(token);
}

Test(trap, a_token_that_is_waited_for_is_not_freed)
{
    SAYS(drop_a_token_that_is_waited_for, "cancellation_token.c:");
}

/* A child where it is gone when the body resumes, told so that no compiler sees it. */
struct forgets {
    FUTURE(int);
};

/* AddressSanitizer keeps variables elsewhere. */
__attribute__((no_sanitize("address"))) static struct edo_step_ forgets_body_(
    struct forgets *self, struct edo_context *cx, const char *edo_name_);

ASYNC(forgets)
{
    struct short_one child, *volatile at = &child;
    ASYNC_BEGIN;
    AWAIT(*at, NEW(short_one));
    RETURN(1);
    ASYNC_END;
}

static void await_in_a_variable(struct bench *bench)
{
    struct forgets future = NEW(forgets);
    edo_future_poll(&future.future_, &bench->cx);
}

/* The same by whatever else waits for a future, or a stream. */
enum { BY_REF, BY_TRY_REF, BY_PIN, BY_JOIN, BY_TRY_JOIN, BY_RACE, BY_WHEN, BY_WHEN_REF, BY_LOOP };

struct no_items {
    STREAM(int);
};

ASYNC_STREAM(no_items)
{
    ASYNC_BEGIN;
    YIELD_NOW();
    ASYNC_END;
}

struct mislays {
    FUTURE(int);
    int how, winner, item;
    struct long_one kept;
};

__attribute__((no_sanitize("address"))) static struct edo_step_ mislays_body_(
    struct mislays *self, struct edo_context *cx, const char *edo_name_);

ASYNC(mislays)
{
    struct long_one child = NEW(long_one), *volatile at = &child;
    struct no_items items = NEW(no_items);
    STREAM_REF(int) volatile stream = edo_stream_ref(&items);
    ASYNC_BEGIN;
    self->kept = NEW(long_one);
    if (self->how == BY_REF)
        AWAIT_REF(*at);
    if (self->how == BY_TRY_REF)
        TRY_AWAIT_REF(*at);
    if (self->how == BY_PIN)
        PIN(*at, NEW(long_one));
    if (self->how == BY_JOIN)
        JOIN(&self->kept, at);
    if (self->how == BY_TRY_JOIN)
        TRY_JOIN(at, &self->kept);
    if (self->how == BY_RACE)
        RACE(self->winner, &self->kept, at);
    if (self->how == BY_WHEN) {
        SELECT {
            WHEN(*at, NEW(long_one)) {
            }
        }
    }
    if (self->how == BY_WHEN_REF) {
        SELECT_BIASED {
            WHEN_REF(self->kept) {
            }
            WHEN_REF(*at) {
            }
        }
    }
    if (self->how == BY_LOOP) {
        FOR_AWAIT(self->item, stream)
            self->winner++;
    }
    RETURN(1);
    ASYNC_END;
}

static int how;

static void wait_in_a_variable(struct bench *bench)
{
    struct mislays future = NEW(mislays, .how = how);
    edo_future_poll(&future.future_, &bench->cx);
}

Test(trap, a_future_in_a_variable_of_the_function_is_not_awaited)
{
#ifndef __aarch64__ /* where a frame's address is below its variables: it is not seen there */
    SAYS(await_in_a_variable, "forgets awaits a future in a variable of its function");
    SAYS(await_in_a_variable, "trap_test.c:");
    for (how = BY_REF; how <= BY_LOOP; how++) {
        SAYS(wait_in_a_variable, "mislays awaits a future in a variable of its function");
        SAYS(wait_in_a_variable, "trap_test.c:");
    }
#endif
}

/* What a task does to the loop, or the runtime, that runs it. */
struct digs {
    FUTURE(int);
    uv_loop_t *loop;
    struct edo_runtime *runtime;
    void (*end)(struct edo_runtime *runtime);
};

ASYNC(digs)
{
    ASYNC_BEGIN;
    if (self->loop != NULL)
        uv_run(self->loop, UV_RUN_NOWAIT);
    else
        self->end(self->runtime);
    RETURN(0);
    ASYNC_END;
}

static void run_the_loop_in_a_task(struct bench *bench)
{
    (void)bench;
    uv_loop_t loop;
    struct edo_runtime *runtime;
    uv_loop_init(&loop);
    edo_runtime_attach(&loop, &runtime);
    SPAWN_DETACHED_ON(edo_runtime_handle(runtime), NEW(digs, .loop = &loop));
    uv_run(&loop, UV_RUN_DEFAULT);
}

static void end_in_a_task(void (*end)(struct edo_runtime *))
{
    struct edo_runtime *runtime;
    edo_runtime_new(&runtime);
    struct digs digs = NEW(digs, .runtime = runtime, .end = end);
    edo_block_on(runtime, &digs);
}

static void drop_the_runtime_in_a_task(struct bench *bench)
{
    (void)bench;
    end_in_a_task(edo_runtime_drop);
}

static void end_the_runtime_in_a_task(struct bench *bench)
{
    (void)bench;
    end_in_a_task(edo_runtime_shutdown_background);
}

Test(trap, a_task_does_not_run_the_loop_that_runs_it)
{
    SAYS(run_the_loop_in_a_task, "a task calls uv_run on the loop that runs it");
}

Test(trap, a_task_does_not_drop_the_runtime_that_runs_it)
{
    SAYS(drop_the_runtime_in_a_task, "a runtime is dropped inside one of its tasks");
    SAYS(end_the_runtime_in_a_task, "a current-thread runtime is ended inside one of its tasks");
}

/* A switch over 64 bits takes the label of the await, and the compiler says nothing. */
struct wide_switch {
    FUTURE(int);
    uint64_t kind;
};

ASYNC(wide_switch)
{
    ASYNC_BEGIN;
    switch (self->kind) {
    case 7:
        YIELD_NOW();
        break;
    default:
        break;
    }
    RETURN(1);
    ASYNC_END;
}

static void resume_in_switch(struct bench *bench)
{
    struct wide_switch future = NEW(wide_switch, .kind = 7);
    edo_future_poll(&future.future_, &bench->cx);
    edo_future_poll(&future.future_, &bench->cx);
}

static void unlock_what_nobody_holds(struct bench *bench)
{
    (void)bench;
    static struct edo_lock lock;
    edo_spin_unlock(&lock); /* past ThreadSanitizer, which would say it itself */
}

Test(trap, a_lock_that_nobody_holds_is_not_given_back)
{
    SAYS(unlock_what_nobody_holds,
         "assertion failed: edo_load(&lock->word_, relaxed) == EDO_LOCK_HELD");
}

Test(trap, a_resume_inside_a_wide_switch_is_stopped_with_name_and_line)
{
    SAYS(resume_in_switch, "future wide_switch cannot resume here");
    SAYS(resume_in_switch, "trap_test.c:");
}

static void leave_the_outer_first(struct bench *bench)
{
    (void)bench;
    struct edo_runtime *a, *b;
    if (edo_runtime_new(&a) < 0 || edo_runtime_new(&b) < 0)
        return;
    struct edo_guard outer = edo_enter(edo_runtime_handle(a));
    struct edo_guard inner = edo_enter(edo_runtime_handle(b));
    edo_leave(outer);
    edo_leave(inner);
}

static void leave_the_outer_set_first(struct bench *bench)
{
    (void)bench;
    struct edo_local_set *a, *b;
    if (edo_local_set_new(&a) < 0 || edo_local_set_new(&b) < 0)
        return;
    struct edo_local_guard outer = edo_local_set_enter(a);
    struct edo_local_guard inner = edo_local_set_enter(b);
    edo_local_set_leave(outer);
    edo_local_set_leave(inner);
}

Test(trap, guards_that_are_not_left_in_the_reverse_order)
{
    SAYS(leave_the_outer_first, "a guard is left that is not the one entered last");
    SAYS(leave_the_outer_set_first, "a guard is left that is not the one entered last");
}
