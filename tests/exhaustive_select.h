/* SPDX-License-Identifier: MIT */
/* Every program of tests/exhaustive_test.c: this file includes itself for each choice of K0 to K3, what
 * a branch is, NONE, OWN or BORROWED, none behind a NONE. Then it has the program's body; or, where TABLE
 * is defined, its row. */
#ifndef K0
#define K0 OWN
#include "exhaustive_select.h"
#undef K0
#define K0 BORROWED
#include "exhaustive_select.h"
#undef K0

#elif !defined K1
#define K1 NONE
#include "exhaustive_select.h"
#undef K1
#define K1 OWN
#include "exhaustive_select.h"
#undef K1
#define K1 BORROWED
#include "exhaustive_select.h"
#undef K1

#elif !defined K2
#define K2 NONE
#include "exhaustive_select.h"
#undef K2
#if K1 != NONE
#define K2 OWN
#include "exhaustive_select.h"
#undef K2
#define K2 BORROWED
#include "exhaustive_select.h"
#undef K2
#endif

#elif !defined K3
#define K3 NONE
#include "exhaustive_select.h"
#undef K3
#if K2 != NONE
#define K3 OWN
#include "exhaustive_select.h"
#undef K3
#define K3 BORROWED
#include "exhaustive_select.h"
#undef K3
#endif

#elif defined TABLE
{PROGRAM(K0, K1, K2, K3),
 {K0, K1, K2, K3},
 (K0 != NONE) + (K1 != NONE) + (K2 != NONE) + (K3 != NONE)},
#else
static struct edo_step_ PROGRAM(K0, K1, K2, K3)(struct selecting *const self,
                                                struct edo_context *const cx,
                                                const char *const edo_name_)
{
    ASYNC_BEGIN;
    for (int i = 0; i < BRANCHES; i++)
        if (self->program->is[i] == BORROWED)
            PIN(self->branches[i], LEAF_OF(i));
    EDO_SELECT_(self->biased)
    {
        BRANCH(K0, 0)
        BRANCH(K1, 1)
        BRANCH(K2, 2)
        BRANCH(K3, 3)
        OTHERWISE {
            HANDLER(BRANCHES)
        }
    }
    self->after++;
ASYNC_FINALLY:
    self->finally++;
    for (int i = 0; i < BRANCHES; i++)
        if (self->program->is[i] == BORROWED)
            DROP(self->branches[i]);
    ASYNC_END;
}
#endif
