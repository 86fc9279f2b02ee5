/* SPDX-License-Identifier: MIT */
/* What the soaks of channels and of sync have in common: the command line, the time, the report.
 *
 *     PROGRAM [MESSAGES [SEED [KIND]]]
 *
 * MESSAGES (ten million) of each kind, or fewer when SOAK_SECONDS, from the environment, are over: each
 * kind has its share of what is left. SEED is drawn, and printed, unless it is given. KIND is a part of a
 * name; all, if it is not given. First each kind's checker has to notice what is planted. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kinds.h"

static const char *const plants[STRESS_PLANTS] = {
    [STRESS_NOTHING] = "nothing", [STRESS_LOSS] = "a loss",         [STRESS_DOUBLE] = "a double",
    [STRESS_REORDER] = "a swap",  [STRESS_TORN] = "a torn message", [STRESS_LEAK] = "a leak"};

enum stress_plant stress_overlooks(const struct stress_kind *kind, uint64_t seed)
{
    for (int plant = STRESS_NOTHING + 1; plant < STRESS_PLANTS; plant++) {
        /* A stall ends the program. */
        if (plant == STRESS_STALL || (kind->plants & 1u << plant) == 0)
            continue;
        struct stress stress = {
            .kind = kind, .seed = seed, .messages = 100000, .quota = 200, .plant = plant};
        if (stress_play(&stress))
            return plant;
    }
    return STRESS_NOTHING;
}

static void report(const struct stress *stress, bool ok)
{
    const struct stress_kind *kind = stress->kind;
    printf("%-24s %9" PRIu64 " %s", kind->name, stress->sent, kind->unit);
    if (stress->received > 0)
        printf(" (%" PRIu64 " received, %" PRIu64 " dropped, %" PRIu64 " returned)",
               stress->received, stress->dropped, edo_load(&stress->returned, relaxed));
    printf(", %" PRIu64 " cancelled, %" PRIu64 " rounds, %.1f s, seed 0x%" PRIx64 ": %s%s\n",
           stress->cancelled, stress->rounds, stress->took, stress->seed,
           ok ? "ok" : "FAILED: ", stress->complaint);
    fflush(stdout);
}

int stress_soak(int argc, char **argv, const struct stress_kind *const kinds[])
{
    const char *given = getenv("SOAK_SECONDS");
    double left = given != NULL ? atof(given) : 0;
    uint64_t messages = argc > 1 ? strtoull(argv[1], NULL, 0) : 10000000, seed;
    bool ok = edo_random(&seed, sizeof seed);
    if (argc > 2)
        seed = strtoull(argv[2], NULL, 0);
    unsigned count = 0;
    for (unsigned i = 0; kinds[i] != NULL; i++)
        count += argc < 4 || strstr(kinds[i]->name, argv[3]) != NULL;
    for (unsigned i = 0; kinds[i] != NULL; i++) {
        if (argc >= 4 && strstr(kinds[i]->name, argv[3]) == NULL)
            continue;
        uint64_t start = edo_clock_ns();
        enum stress_plant overlooked = stress_overlooks(kinds[i], seed);
        if (overlooked != STRESS_NOTHING) {
            printf("%s: FAILED: %s was planted, and not noticed\n", kinds[i]->name,
                   plants[overlooked]);
            ok = false;
        }
        struct stress stress = {
            .kind = kinds[i], .seed = seed, .messages = messages, .seconds = left / count--};
        bool well = stress_play(&stress);
        report(&stress, well);
        ok = ok && well;
        left -= (double)(edo_clock_ns() - start) / 1e9;
        /* 0 would be no limit. */
        if (given != NULL && left < 1)
            left = 1;
    }
    return ok ? EXIT_SUCCESS : EXIT_FAILURE;
}
