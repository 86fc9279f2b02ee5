/* SPDX-License-Identifier: MIT */
#include "idle.h"

#include <errno.h>

int edo_idle_init(struct edo_idle *idle, uint32_t workers)
{
    idle->workers = workers;
    idle->count = 0;
    edo_init(&idle->word, workers * EDO_IDLE_AWAKE);
    edo_lock_init(&idle->lock);
    idle->sleepers = edo_calloc(workers, sizeof *idle->sleepers);
    return idle->sleepers != NULL ? 0 : -ENOMEM;
}

void edo_idle_destroy(struct edo_idle *idle)
{
    edo_lock_destroy(&idle->lock);
    edo_free(idle->sleepers);
}

int edo_idle_take(struct edo_idle *idle, int spare)
{
    if (!edo_idle_wanted(idle))
        return -1;
    int taken = -1;
    edo_lock(&idle->lock);
    /* Relaxed: whoever has begun to search since edo_idle_wanted looked stops later than that, and then looks
     * himself. */
    if (idle->count > 0 && edo_load(&idle->word, relaxed) % EDO_IDLE_AWAKE == 0) {
        uint32_t last = idle->count - 1, at = last;
        if (idle->sleepers[last] == spare && last > 0)
            at = last - 1;
        taken = idle->sleepers[at];
        idle->sleepers[at] = idle->sleepers[last];
        idle->count = last;
        edo_fetch_add(&idle->word, EDO_IDLE_AWAKE + EDO_IDLE_SEARCHING, relaxed);
    }
    edo_unlock(&idle->lock);
    return taken;
}

bool edo_idle_search(struct edo_idle *idle)
{
    uint32_t searching = edo_load(&idle->word, relaxed) % EDO_IDLE_AWAKE;
    if (2 * searching >= idle->workers)
        return false;
    edo_fetch_add(&idle->word, EDO_IDLE_SEARCHING, relaxed);
    return true;
}

bool edo_idle_found(struct edo_idle *idle)
{
    return edo_fetch_sub(&idle->word, EDO_IDLE_SEARCHING, seq_cst) % EDO_IDLE_AWAKE == 1;
}

bool edo_idle_sleep(struct edo_idle *idle, uint32_t worker, bool searching)
{
    edo_lock(&idle->lock);
    idle->sleepers[idle->count++] = (uint16_t)worker;
    uint32_t old =
        edo_fetch_sub(&idle->word, EDO_IDLE_AWAKE + (searching ? EDO_IDLE_SEARCHING : 0), seq_cst);
    edo_unlock(&idle->lock);
    return old % EDO_IDLE_AWAKE == (searching ? 1 : 0);
}

/* Under the lock: where it is among those that sleep, or `count`. */
static uint32_t find(const struct edo_idle *idle, uint32_t worker)
{
    uint32_t at = 0;
    while (at < idle->count && idle->sleepers[at] != worker)
        at++;
    return at;
}

bool edo_idle_sleeps(struct edo_idle *idle, uint32_t worker)
{
    edo_lock(&idle->lock);
    bool asleep = find(idle, worker) < idle->count;
    edo_unlock(&idle->lock);
    return asleep;
}

bool edo_idle_rise(struct edo_idle *idle, uint32_t worker)
{
    edo_lock(&idle->lock);
    uint32_t at = find(idle, worker);
    bool asleep = at < idle->count;
    if (asleep) {
        idle->sleepers[at] = idle->sleepers[--idle->count];
        edo_fetch_add(&idle->word, EDO_IDLE_AWAKE, seq_cst);
    }
    edo_unlock(&idle->lock);
    return asleep;
}
