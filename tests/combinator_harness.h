/* SPDX-License-Identifier: MIT */
/* What the combinators' tests share: a future that panics, and a look at the chain. */
#ifndef EDO_TESTS_COMBINATOR_HARNESS_H
#define EDO_TESTS_COMBINATOR_HARNESS_H

#include "poll_harness.h"

#include "edo.h"

/* A future that has a FINALLY, and panics where it is told to. */
enum breaks_where { BREAKS_NOWHERE, BREAKS_IN_BODY, BREAKS_IN_FINALLY, BREAKS_IN_BOTH };

struct breaks {
    FUTURE(int);
    enum breaks_where where;
    int turns, *finally;
    struct leaf_log *log;
    struct leaf leaf;
};

HARNESS ASYNC_DECLARE(breaks);
ASYNC(breaks)
{
    ASYNC_BEGIN;
    AWAIT(self->leaf, LEAF(self->log, self->turns, 0));
    if (self->where == BREAKS_IN_BODY || self->where == BREAKS_IN_BOTH)
        PANIC("the body broke");
    RETURN(7);
ASYNC_FINALLY:
    ++*self->finally;
    if (self->where == BREAKS_IN_FINALLY || self->where == BREAKS_IN_BOTH)
        PANIC("the end broke");
    ASYNC_END;
}

#define BREAKS(where_, turns_, log_, finally_) \
    NEW(breaks, .where = (where_), .turns = (turns_), .log = (log_), .finally = (finally_))

/* The names of the chain as it is now, one a line. */
HARNESS const char *chain_of(struct bench *bench, struct edo_future *future)
{
    bench->trace[0] = '\0';
    edo_future_trace(future, &bench->cx);
    for (char *place; (place = strstr(bench->trace, " (")) != NULL;)
        memmove(place, strchr(place, '\n'), strlen(strchr(place, '\n')) + 1);
    return bench->trace;
}
#define CHAIN(future) chain_of(&bench, &(future).future_)

/* A combinator over `child`, of BREAKS(BREAKS_IN_BODY, 1, …): the panic passes through it, as it was said,
 * and the child is dropped with it. */
HARNESS void panic_passes(struct bench *bench, struct edo_future *future, const int *finally)
{
    cr_assert_eq(edo_future_poll(future, &bench->cx), EDO_PENDING);
    cr_assert_null(bench->cx.panic.name);
    cr_assert_eq(edo_future_poll(future, &bench->cx), EDO_PENDING);
    cr_assert_str_eq(bench->cx.panic.message, "the body broke");
    cr_assert_str_eq(bench->cx.panic.name, "breaks");
    cr_assert_eq(*finally, 0);
    edo_future_drop(future, &bench->cx);
    cr_assert_eq(*finally, 1);
}

#endif
