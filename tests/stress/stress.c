/* SPDX-License-Identifier: MIT */
/* Rounds, chance, and complaints. */
#include "stress.h"

#include <inttypes.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

uint32_t stress_random_(uint64_t *state, uint32_t n)
{
    /* splitmix64 (Steele, Lea, Flood 2014). */
    uint64_t z = (*state += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return (uint32_t)((((z ^ (z >> 31)) >> 32) * n) >> 32);
}

void stress_life_init(struct stress_life *life, struct stress *stress)
{
    static const uint32_t odds[] = {2, 4, 16, 64, UINT32_MAX}, paces[] = {2, 8, 32, 128};
    *life = (struct stress_life){.stress = stress};
    life->random = (uint64_t)stress_random(stress, UINT32_MAX) << 32;
    life->odds = odds[stress_random(stress, sizeof odds / sizeof odds[0])];
    life->fickle = stress_random(stress, 3) == 0;
    life->pace = paces[stress_random(stress, sizeof paces / sizeof paces[0])];
    edo_init(&life->steps, 0);
    edo_init(&life->doing, "nothing yet");
}

bool stress_gives_up(struct stress_life *life)
{
    return life->fickle && stress_random(life, 64) == 0;
}

bool stress_lull_(struct stress_life *life)
{
    if (edo_load(&life->stress->lull, relaxed)) {
        sched_yield();
        return true;
    }
    bool begins = stress_random(life, 8192) == 0;
    if (begins)
        edo_store(&life->stress->lull, true, relaxed);
    return begins;
}

bool stress_lull_over_(struct stress_life *life)
{
    edo_store(&life->stress->lull, false, relaxed);
    return true;
}

bool stress_pauses(struct stress_life *life)
{
    if (stress_random(life, life->pace) != 0)
        return false;
    /* On a thread of its own nobody else would be let go. */
    if (stress_may_block())
        sched_yield();
    return true;
}

void stress_complain(struct stress *stress, const char *format, ...)
{
    pthread_mutex_lock(&stress->mutex);
    if (stress->complaint[0] == '\0') {
        va_list args;
        va_start(args, format);
        vsnprintf(stress->complaint, sizeof stress->complaint, format, args);
        va_end(args);
    }
    pthread_mutex_unlock(&stress->mutex);
}

bool stress_planted(struct stress *stress, enum stress_plant plant)
{
    if (stress->plant != plant)
        return false;
    pthread_mutex_lock(&stress->mutex);
    bool now = stress->fuse > 0 && --stress->fuse == 0;
    pthread_mutex_unlock(&stress->mutex);
    return now;
}

static void check_census(struct stress *stress, const struct edo_census *before)
{
    struct edo_census after = edo_census_now();
    for (int i = 0; i < EDO_CENSUS_KINDS; i++)
        stress_expect(stress, after.live[i] == before->live[i],
                      "%s: %" PRId64 " before the round, %" PRId64 " after it", edo_census_name(i),
                      before->live[i], after.live[i]);
}

/* Now and then there is a crowd on either side: more than are woken at one go. */
static void gather(struct stress *stress, uint32_t quota)
{
    uint32_t crowd = stress_random(stress, 8);
    stress->producers = crowd == 0 ? STRESS_PRODUCERS : 8;
    stress->consumers = crowd == 1 ? STRESS_CONSUMERS : crowd == 0 ? 8 : 4;
    stress->actors = stress->producers + stress->consumers;
    stress->quota = crowd < 2 ? quota / 5 : quota;
}

bool stress_play(struct stress *stress)
{
    uint64_t start = edo_clock_ns();
    uint32_t quota = stress->quota > 0 ? stress->quota : 4000;
    stress->random = stress->seed;
    if (stress->stall <= 0)
        stress->stall = 60;
    stress->fuse = 40;
    edo_init(&stress->lull, false);
    pthread_mutex_init(&stress->mutex, NULL);
    pthread_cond_init(&stress->ended, NULL);
    do {
        struct edo_census before = edo_census_now();
        gather(stress, quota);
        stress->kind->round(stress);
        if (stress->plant == STRESS_LEAK)
            EDO_COUNT(BLOCKS, 1);
        check_census(stress, &before);
        stress->rounds++;
        stress->took = (double)(edo_clock_ns() - start) / 1e9;
    } while (stress->complaint[0] == '\0' && stress->sent < stress->messages &&
             (stress->seconds <= 0 || stress->took < stress->seconds));
    pthread_cond_destroy(&stress->ended);
    pthread_mutex_destroy(&stress->mutex);
    return stress->complaint[0] == '\0';
}
