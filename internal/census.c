/* SPDX-License-Identifier: MIT */
#include "census.h"

#include "sys.h"

#ifdef EDO_CENSUS
static _Atomic(int64_t) live[EDO_CENSUS_KINDS];

void edo_census_add(enum edo_census_kind kind, int64_t n)
{
    edo_fetch_add(&live[kind], n, relaxed);
}

struct edo_census edo_census_now(void)
{
    struct edo_census now = {{0}};
    for (int i = 0; i < EDO_CENSUS_KINDS; i++)
        now.live[i] = edo_load(&live[i], relaxed);
    return now;
}
#else
void edo_census_add(enum edo_census_kind kind, int64_t n)
{
    (void)kind;
    (void)n;
}

struct edo_census edo_census_now(void)
{
    return (struct edo_census){{0}};
}
#endif

const char *edo_census_name(enum edo_census_kind kind)
{
    static const char *const names[EDO_CENSUS_KINDS] = {
        "bytes",  "blocks",        "tasks", "futures",  "wakers",
        "timers", "registrations", "fds",   "runtimes",
    };
    return names[kind];
}
