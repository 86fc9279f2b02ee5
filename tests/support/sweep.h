/* SPDX-License-Identifier: MIT */
/* Cancels a future at every point where it is suspended, in every way in which it can be cancelled.
 *
 *     #include "support/sweep.h"
 *     int hello_main(int argc, char **argv);
 *     #define main hello_main
 *     #include "examples/hello.c"
 *     #undef main
 *
 *     Test(sweep, hello)
 *     {
 *         SWEEP(NEW(greet, .name = "sweep"));
 *         sweep_covered("examples/hello.c");
 *     }
 *
 * A sweep runs the future again and again, each time in a runtime of its own, and ends it after its
 * n-th suspension, for n = 0, 1, 2, … until it completes before it gets so far. It is ended by
 * whoever owns it, by an abort of its task, by a timeout around it, and by the end of its runtime;
 * polled with a full budget, and with a budget of one operation, so that it is also suspended where
 * it would not have had to wait. Each round must leave the census and the descriptors as they were.
 *
 * The bodies of futures that are compiled after this header are watched: each that was polled or
 * dropped must end, with its FINALLY run once.
 */
#ifndef EDO_TESTS_SWEEP_H
#define EDO_TESTS_SWEEP_H

#include <stdio.h>

#include "edo.h"

/* A future and what is around it. Zero is "nothing" everywhere but in the first two. */
struct sweep_scene {
    const void *frame; /* the future, not polled yet: copied for each round */
    size_t frame_size;
    bool real_time;  /* the clock is not paused: for other threads, and for sockets */
    bool attached;   /* on a loop of the test's, with edo_runtime_attach; needs real_time */
    unsigned rounds; /* suspensions to go to, for a future that never completes */
    bool lasting;    /* tasks that it spawns use its frame: freed with the data, not when it ends */
    size_t data_size;
    /* In the runtime, before the future is polled: may change it, spawn peers, … `data` is zeroed,
     * data_size bytes that live until `end`. */
    void (*begin)(void *data, void *frame, struct edo_runtime *runtime);
    /* After its n-th suspension: the world goes on. */
    void (*suspended)(void *data, void *frame, unsigned n);
    /* It has completed, or was dropped; its memory goes next, unless it is `lasting`. */
    void (*ended)(void *data, const void *frame, bool completed);
    /* The runtime is gone. */
    void (*end)(void *data);
};

/* Sweeps; a failed assertion when something is left behind. */
void sweep(const struct sweep_scene *scene);

/* SWEEP(future, .real_time = true, …): sweeps that future, the scene's fields named. */
#define SWEEP(future, ...)                                                                      \
    do {                                                                                        \
        const __typeof__((future)) sweep_frame_ = (future);                                     \
        sweep(&(const struct sweep_scene){.frame = &sweep_frame_,                               \
                                          .frame_size =                                         \
                                              sizeof sweep_frame_ __VA_OPT__(, ) __VA_ARGS__}); \
    } while (0)

/* How many awaits of a source file no sweep of this process has cancelled; names them on `report`,
 * unless it is NULL. AWAIT, JOIN, SELECT, YIELD_NOW and their like are found in its text; path is as
 * the compiler was given it, from the root of the tree. */
unsigned sweep_missed(const char *path, FILE *report);

/* A failed assertion when there are such. */
void sweep_covered(const char *path);

/* Called with what is wrong; NULL: a failed assertion. For the sweep's own tests. */
extern void (*sweep_complain)(const char *what);

/* The watch on bodies. The variable's end is the return from the body. */
struct edo_future *sweep_entered_(struct edo_future *self, const struct edo_context *cx,
                                  const char *name);
void sweep_left_(struct edo_future **self);
void sweep_finally_(const struct edo_future *self);

#undef ASYNC_BEGIN
#define ASYNC_BEGIN                                                                \
    struct edo_future *sweep_self_ __attribute__((cleanup(sweep_left_), unused)) = \
        sweep_entered_(&self->future_, cx, edo_name_);                             \
    EDO_ASYNC_BEGIN
#undef ASYNC_FINALLY
#define ASYNC_FINALLY               \
EDO_ASYNC_FINALLY:                  \
    sweep_finally_(&self->future_); \
    __attribute__((fallthrough));   \
    case 1

#endif
