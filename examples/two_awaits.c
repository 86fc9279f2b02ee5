/* SPDX-License-Identifier: MIT */
/* Two things to wait for: one after the other, then both at once. */
#include "edo.h"

struct prepare {
    FUTURE(int); /* how long it took, ms */
    const char *what;
    int ms;
    struct edo_sleep sleep;
};

ASYNC(prepare)
{
    ASYNC_BEGIN;
    TRY_AWAIT(self->sleep, edo_sleep((uint64_t)self->ms));
    printf("  %s\n", self->what);
    RETURN(self->ms);
    ASYNC_END;
}

/* Its children lie inside it, so a breakfast is one piece of memory, tea and toast included. */
struct breakfast {
    FUTURE(int);
    struct prepare tea, toast;
};

ASYNC(breakfast)
{
    ASYNC_BEGIN;
    puts("one after the other:");
    TRY_AWAIT(self->tea, NEW(prepare, .what = "tea", .ms = 150));
    TRY_AWAIT(self->toast, NEW(prepare, .what = "toast", .ms = 50));
    printf("  %d ms\n", self->tea.output + self->toast.output);

    puts("both at once:");
    self->tea = NEW(prepare, .what = "tea", .ms = 150);
    self->toast = NEW(prepare, .what = "toast", .ms = 50);
    TRY_JOIN(&self->tea, &self->toast);
    RETURN(0);
    ASYNC_END;
}

EDO_MAIN(NEW(breakfast))
