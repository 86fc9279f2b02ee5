/* SPDX-License-Identifier: MIT */
/* The examples that end by themselves, as they are, in this process: under the sanitizers, and with
 * the census as it was. What they print, and those that need a server, is looked at by examples.sh. */
#include "io_helpers.h"
#include "support/limits.h"

int run_hello(int argc, char **argv);
int run_two_awaits(int argc, char **argv);
int run_by_hand(int argc, char **argv);
int run_delay(int argc, char **argv);
int run_mini_tokio(void);
int run_embed(void);
int run_recursive(int argc, char **argv);
int run_join_set(int argc, char **argv);
int run_graceful(int argc, char **argv);
int run_sharded_map(void);
int run_local_set(void);
int run_actors(int argc, char **argv);
int run_background(void);
int run_task_spawner(void);
#define main run_hello
#include "examples/hello.c"
#undef main
#define main run_two_awaits
#include "examples/two_awaits.c"
#undef main
#define main run_by_hand
#include "examples/by_hand.c"
#undef main
#define main run_delay
#include "examples/delay.c"
#undef main
#define main run_mini_tokio
#include "examples/mini_tokio.c"
#undef main
#define main run_embed
#include "examples/embed.c"
#undef main
#define main run_recursive
#include "examples/recursive.c"
#undef main
#define main run_join_set
#include "examples/join_set.c"
#undef main
#define main run_graceful
#include "examples/graceful.c"
#undef main
#define main run_sharded_map
#include "examples/sharded_map.c"
#undef main
#define main run_local_set
#include "examples/local_set.c"
#undef main
#define main run_actors
#include "examples/actors/main.c"
#undef main
#define main run_background
#include "examples/background.c"
#undef main
#define main run_task_spawner
#include "examples/task_spawner.c"
#undef main

static char program[] = "example", demo[] = "--demo";
static char *arguments[] = {program, demo, NULL};

/* CHECK(call): it returns 0, and leaves nothing behind. The first runtime opens what libuv keeps
 * for the process. */
#define CHECK(call)                                            \
    do {                                                       \
        struct edo_runtime *first;                             \
        cr_assert_eq(edo_runtime_new(&first), 0);              \
        edo_runtime_drop(first);                               \
        cr_assert_not_null(freopen("/dev/null", "w", stdout)); \
        struct baseline start = baseline();                    \
        cr_assert_eq((call), 0);                               \
        check_baseline(&start);                                \
    } while (0)

Test(examples, hello)
{
    CHECK(run_hello(1, arguments));
}

Test(examples, two_awaits)
{
    CHECK(run_two_awaits(1, arguments));
}

Test(examples, by_hand)
{
    CHECK(run_by_hand(1, arguments));
}

Test(examples, delay)
{
    CHECK(run_delay(1, arguments));
}

Test(examples, mini_tokio)
{
    CHECK(run_mini_tokio());
}

Test(examples, embed)
{
    CHECK(run_embed());
}

Test(examples, recursive)
{
    CHECK(run_recursive(1, arguments));
}

Test(examples, join_set)
{
    CHECK(run_join_set(1, arguments));
}

Test(examples, graceful)
{
    CHECK(run_graceful(2, arguments));
}

Test(examples, local_set)
{
    CHECK(run_local_set());
}

Test(examples, sharded_map)
{
    CHECK(run_sharded_map());
}

Test(examples, background)
{
    CHECK(run_background());
}

Test(examples, task_spawner)
{
    CHECK(run_task_spawner());
}

Test(examples, actors)
{
    CHECK(run_actors(1, arguments));
}

Test(examples, actors_that_do_not_exist)
{
    char none[] = "none";
    char *wrong[] = {program, none, NULL};
    cr_assert_not_null(freopen("/dev/null", "w", stderr));
    cr_assert_eq(run_actors(2, wrong), 1);
}

/* Each allocation fails, one at a time and all from the n-th on: the program ends, whatever it says, and
 * leaves nothing behind. */
static void without_memory(int (*run)(int argc, char **argv), int argc)
{
    struct edo_runtime *first;
    cr_assert_eq(edo_runtime_new(&first), 0);
    edo_runtime_drop(first);
    cr_assert_not_null(freopen("/dev/null", "w", stdout));
    cr_assert_not_null(freopen("/dev/null", "w", stderr));
    for (int sticky = 0; sticky < 2; sticky++) {
        bool failed = true;
        for (uint64_t n = 1; failed; n++) {
            struct baseline start = baseline();
            edo_alloc_fail(n, sticky);
            int status = run(argc, arguments);
            failed = edo_alloc_fail(0, false);
            check_baseline(&start);
            cr_assert(status == 1 || status == 0);
            cr_assert(failed || status == 0);
        }
    }
}

Test(examples, actors_without_memory)
{
    without_memory(run_actors, 1);
}

Test(examples, graceful_without_memory)
{
    without_memory(run_graceful, 2);
}

static int map_without_arguments(int argc, char **argv)
{
    (void)argc, (void)argv;
    return run_sharded_map();
}

static int background_without_arguments(int argc, char **argv)
{
    (void)argc, (void)argv;
    return run_background();
}

static int spawner_without_arguments(int argc, char **argv)
{
    (void)argc, (void)argv;
    return run_task_spawner();
}

Test(examples, sharded_map_without_memory, .timeout = LONGER_UNDER_TSAN)
{
    without_memory(map_without_arguments, 1);
}

Test(examples, background_without_memory)
{
    without_memory(background_without_arguments, 1);
}

Test(examples, task_spawner_without_memory)
{
    without_memory(spawner_without_arguments, 1);
}
