/* SPDX-License-Identifier: MIT */
/* The multi-thread runtime under stress (tests/stress/runtime_stress.h), half of the time with runtimes that end
 * when their tasks have, half with such as end at a random moment: a thousand of those at least. Before that, for a sixth of the time,
 * workers that have nothing to do, and must use no processor.
 *
 *     workers [SECONDS [SEED]]         60; SOAK_SECONDS from the environment; drawn
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "tests/stress/runtime_stress.h"

static const char *const plants[STRESS_PLANTS] = {
    [STRESS_LOSS] = "a loss", [STRESS_DOUBLE] = "a double", [STRESS_LEAK] = "a leak"};

static bool overlooks(uint64_t seed)
{
    bool some = false;
    for (int plant = 0; plant < STRESS_PLANTS; plant++) {
        struct churn churn = {.seed = seed, .limit = 3, .quota = 200, .plant = plant};
        if (plants[plant] == NULL || !churn_play(&churn))
            continue;
        printf("runtime: FAILED: %s was planted, and not noticed\n", plants[plant]);
        some = true;
    }
    return some;
}

static bool report(const char *what, const struct churn *churn, bool ok)
{
    printf("runtime%-24s %" PRIu64 " tasks, %" PRIu64 " steps, %" PRIu64 " connections, %" PRIu64
           " blocked, %" PRIu64 " cancelled, %" PRIu64 " panicked, %" PRIu64
           " rounds, %.1f s, seed 0x%" PRIx64 ": %s%s\n",
           what, churn->tasks, churn->steps, churn->connections, churn->blocked, churn->cancelled,
           churn->panicked, churn->rounds, churn->took, churn->seed,
           ok ? "ok" : "FAILED: ", churn->complaint);
    fflush(stdout);
    return ok;
}

static uint64_t cpu_us(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return ((uint64_t)usage.ru_utime.tv_sec + (uint64_t)usage.ru_stime.tv_sec) * 1000000u +
           (uint64_t)usage.ru_utime.tv_usec + (uint64_t)usage.ru_stime.tv_usec;
}

static uint64_t cpu_us_in(double seconds)
{
    uint64_t used = cpu_us();
    usleep((useconds_t)(seconds * 1e6));
    return cpu_us() - used;
}

/* Beside what the process takes without a runtime: a sanitizer has threads of its own. */
static bool idles(double seconds)
{
    enum { MOST_US = 1000 };
    uint64_t without = cpu_us_in(seconds);
    struct edo_runtime *runtime;
    int error = edo_runtime_new(&runtime, .flavor = EDO_MULTI_THREAD, .worker_threads = 8);
    if (error < 0)
        return false;
    struct edo_yield_now once = edo_yield_now();
    error = edo_block_on(runtime, &once);
    /* They look after each other for a moment before they sleep. */
    usleep(3000000);
    uint64_t used = cpu_us_in(seconds);
    edo_runtime_drop(runtime);
    bool ok = error == 0 && used <= without + MOST_US;
    printf("runtime, idle: 8 workers used %" PRIu64 " us in %.1f s, none %" PRIu64 ": %s\n", used,
           seconds, without, ok ? "ok" : "FAILED");
    return ok;
}

int main(int argc, char **argv)
{
    enum { ENDS = 1000 };
    const char *given = argc > 1 ? argv[1] : getenv("SOAK_SECONDS");
    double seconds = given != NULL ? atof(given) : 60;
    uint64_t seed;
    bool ok = edo_random(&seed, sizeof seed);
    if (argc > 2)
        seed = strtoull(argv[2], NULL, 0);
    ok = !overlooks(seed) && ok;
    ok = idles(seconds / 6) && ok;
    struct churn churn = {.seed = seed, .seconds = seconds / 2, .stall = 20};
    ok = report("", &churn, churn_play(&churn)) && ok;
    struct churn ends = {.seed = seed, .ends = true, .seconds = seconds / 2, .stall = 20};
    bool well = churn_play(&ends);
    if (well && ends.rounds < ENDS) {
        ends.seconds = 0;
        ends.limit = ENDS;
        well = churn_play(&ends);
    }
    ok = report(", ended at any moment:", &ends, well) && ok;
    return ok ? EXIT_SUCCESS : EXIT_FAILURE;
}
