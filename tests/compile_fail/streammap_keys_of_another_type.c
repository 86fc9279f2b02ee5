/* SPDX-License-Identifier: MIT */
/* expect: gcc type does not go with the keys | clang type does not go with the keys */
/* A function that compares strings, for keys that are pointers to them. */
#include "edo.h"

#ifndef RIGHT
static bool same(const char *a, const char *b)
{
    return a == b;
}
#else
static bool same(const char *const *a, const char *const *b)
{
    return *a == *b;
}
#endif

struct topics {
    FUTURE(int);
    STREAM_MAP(const char *, int) map;
};

ASYNC(topics)
{
    ASYNC_BEGIN;
    edo_streammap_equal(&self->map, same);
    ASYNC_END;
}

EDO_MAIN(NEW(topics))
