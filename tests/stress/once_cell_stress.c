/* SPDX-License-Identifier: MIT */
/* Once cell: many cells, each wanted by all. One at a time makes the value; it may fail, or be cancelled, and
 * then another does; one succeeds, and all see what it made. */
#include <stdlib.h>

#include "attempt.h"
#include "kinds.h"

struct made {
    uint32_t index, by;
};

struct wanted {
    ONCE_CELL(struct made) cell;
    _Atomic(uint32_t) makers; /* at this moment */
    _Atomic(uint32_t) made;
    uint32_t by; /* that maker; the cell's */
};

/* What makes the value; fails now and then. */
struct make {
    FUTURE(int);
    struct stress_life *life;
    struct wanted *wanted;
    bool begun;
    uint32_t index, by, left;
    struct made *value;
};

ASYNC(make)
{
    ASYNC_BEGIN;
    self->begun = true;
    stress_expect(self->life->stress, edo_fetch_add(&self->wanted->makers, 1, relaxed) == 0,
                  "cell %u: two make it", self->index);
    while (self->left-- > 0)
        YIELD_NOW();
    if (stress_random(self->life, 8) == 0)
        RETURN(UV_EAGAIN);
    *self->value = (struct made){self->index, self->by};
    self->wanted->by = self->by;
    if (!stress_planted(self->life->stress, STRESS_LOSS))
        edo_fetch_add(&self->wanted->made, 1, relaxed);
    if (stress_planted(self->life->stress, STRESS_DOUBLE))
        edo_fetch_add(&self->wanted->made, 1, relaxed);
ASYNC_FINALLY:
    if (self->begun)
        edo_fetch_sub(&self->wanted->makers, 1, relaxed);
    ASYNC_END;
}

struct wanter {
    STRESS_ACTOR;
    struct wanted *all;
    uint32_t id, index;
    struct made value;
    struct make make;
    struct stress_attempt attempt;
    struct edo_once_cell_get_or_try_init get;
};

static void look(struct wanter *self)
{
    struct wanted *wanted = &self->all[self->index];
    const struct made *value = edo_once_cell_get(&wanted->cell);
    if (value == NULL) {
        stress_complain(self->life.stress, "cell %u: initialised, and empty", self->index);
        return;
    }
    uint32_t index = value->index + stress_planted(self->life.stress, STRESS_TORN);
    stress_expect(self->life.stress, index == self->index && value->by == wanted->by,
                  "cell %u: has the value of cell %u, made by %u, not %u", self->index, index,
                  value->by, wanted->by);
}

ASYNC(wanter)
{
    ASYNC_BEGIN;
    for (; self->index < self->life.stress->quota; self->index++) {
        for (;;) {
            stress_step(&self->life, "get_or_try_init");
            self->make = NEW(make, .life = &self->life, .wanted = &self->all[self->index],
                             .index = self->index, .by = self->id, .value = &self->value,
                             .left = stress_random(&self->life, 8));
            self->get = edo_once_cell_get_or_try_init(&self->all[self->index].cell, &self->make,
                                                      &self->value);
            AWAIT(self->attempt, stress_attempt(&self->life, &self->get));
            if (self->attempt.output && self->get.output == 0)
                break;
            if (stress_random(&self->life, 2) == 0)
                YIELD_NOW();
        }
        look(self);
    }
    ASYNC_END;
}

static void once_cell_round(struct stress *stress)
{
    struct wanted *all = calloc(stress->quota, sizeof *all);
    struct wanter *wanters = calloc(stress->actors, sizeof *wanters);
    struct stress_actor *actors[STRESS_ACTORS];
    for (uint32_t i = 0; i < stress->quota; i++)
        edo_once_cell_init(&all[i].cell);
    for (uint32_t i = 0; i < stress->actors; i++) {
        wanters[i] = NEW(wanter, .all = all, .id = i);
        stress_life_init(&wanters[i].life, stress);
        actors[i] = (struct stress_actor *)&wanters[i];
    }
    stress_run(stress, actors, stress->actors);
    for (uint32_t i = 0; i < stress->quota; i++) {
        uint32_t made = edo_load(&all[i].made, relaxed);
        stress_expect(stress, made == 1, "cell %u: made %u times", i, made);
        edo_once_cell_destroy(&all[i].cell);
    }
    stress->sent += (uint64_t)stress->quota * stress->actors;
    free(all);
    free(wanters);
}

const struct stress_kind stress_once_cell = {"once_cell", "gets", once_cell_round, 0,
                                             1 << STRESS_LOSS | 1 << STRESS_DOUBLE |
                                                 1 << STRESS_TORN | 1 << STRESS_LEAK};
