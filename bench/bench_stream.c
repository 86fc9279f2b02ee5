/* SPDX-License-Identifier: MIT */
/* Items through adapters. */
#include <stdlib.h>

#include "bench.h"

enum { ITEMS = 1000000 };

static bool is_no_third(void *arg, const int *n)
{
    (void)arg;
    return *n % 3 != 0;
}

static void twice(void *arg, int *n, int64_t *doubled)
{
    (void)arg;
    *doubled = (int64_t)*n * 2;
}

struct stream_filter {
    FUTURE(int);
    struct bench *bench;
    uint64_t i;
    int *items;
    struct edo_stream_iter iter;
    struct edo_stream_filter filter;
    struct edo_stream_map map;
    int n;
    int64_t doubled, sum, expected;
    STREAM_REF(int) numbers;
    STREAM_REF(int64_t) stream;
};

ASYNC(stream_filter)
{
    ASYNC_BEGIN;
    self->items = calloc(ITEMS, sizeof *self->items);
    if (self->items == NULL)
        RETURN(UV_ENOMEM);
    for (int i = 0; i < ITEMS; i++) {
        self->items[i] = i;
        self->expected += i % 3 != 0 ? 2 * i : 0;
    }
    bench_start(self->bench);
    for (; self->i < self->bench->n; self->i++) {
        self->numbers = edo_stream_iter(&self->iter, self->items, ITEMS);
        self->numbers = edo_stream_filter(&self->filter, self->numbers, is_no_third, NULL);
        self->stream = edo_stream_map(&self->map, self->numbers, &self->n, int64_t, twice, NULL);
        FOR_AWAIT(self->doubled, self->stream)
            self->sum += self->doubled;
    }
    bench_stop(self->bench, self->bench->n * ITEMS);
    RETURN(self->sum == self->expected * (int64_t)self->bench->n ? 0 : UV_EIO);
ASYNC_FINALLY:
    free(self->items);
    ASYNC_END;
}

BENCH_TASK(stream_filter)
