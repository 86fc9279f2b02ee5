/* SPDX-License-Identifier: MIT */
/* Streams and time, in paused time: when each item came, in ms since the start. */
#include "io_helpers.h"

/* Items 1, 2, …, each after a delay of its own; then an error in an item's place where it is asked for. */
struct script {
    STREAM(int);
    const int *delays; /* ends with -1 */
    int n, *dropped;
    struct edo_sleep sleep;
};

ASYNC_STREAM(script)
{
    ASYNC_BEGIN;
    for (; self->delays[self->n] >= 0; self->n++) {
        if (self->delays[self->n] > 0)
            AWAIT(self->sleep, edo_sleep((uint64_t)self->delays[self->n]));
        YIELD(self->n + 1);
    }
ASYNC_FINALLY:
    ++*self->dropped;
    ASYNC_END;
}

/* Notes what comes of a stream: items, errors as they are, and when. */
struct notes {
    int what[16];
    uint64_t when[16];
    int count;
};

struct note {
    FUTURE(int);
    STREAM_REF(int) stream;
    int limit, n;
    uint64_t start;
    struct notes *notes;
    struct edo_next next;
};

ASYNC(note)
{
    ASYNC_BEGIN;
    self->start = edo_now();
    while (self->notes->count < self->limit) {
        AWAIT(self->next, edo_next(self->stream, &self->n));
        if (self->next.output == 0)
            break;
        self->notes->what[self->notes->count] = self->next.output > 0 ? self->n : self->next.output;
        self->notes->when[self->notes->count++] = (edo_now() - self->start) / MS;
    }
ASYNC_FINALLY:
    DROP_STREAM(self->stream);
    ASYNC_END;
}

/* The adapter under test is made inside the runtime, where it has the time. */
enum kind { THROTTLE, TIMEOUT, REPEATING };
struct trial {
    FUTURE(int);
    enum kind kind;
    const int *delays;
    int limit, dropped;
    struct notes notes;
    struct script script;
    struct edo_interval interval;
    union {
        struct edo_stream_throttle throttle;
        struct edo_stream_timeout timeout;
        struct edo_stream_timeout_repeating repeating;
    };
    struct note note;
};

ASYNC(trial)
{
    STREAM_REF(int) stream;
    ASYNC_BEGIN;
    self->script = NEW(script, .delays = self->delays, .dropped = &self->dropped);
    stream = edo_stream_ref(&self->script);
    if (self->kind == THROTTLE) {
        stream = edo_stream_throttle(&self->throttle, stream, 100);
    } else if (self->kind == TIMEOUT) {
        stream = edo_stream_timeout(&self->timeout, stream, 100);
    } else {
        self->interval = edo_interval_at(edo_instant_add(edo_now(), 100), 100);
        stream = edo_stream_timeout_repeating(&self->repeating, stream, &self->interval);
    }
    AWAIT(self->note, NEW(note, .stream = stream, .limit = self->limit, .notes = &self->notes));
    ASYNC_END;
}

static void check_trial(enum kind kind, const int *delays, int limit, const struct notes *want)
{
    struct baseline start = baseline();
    struct edo_runtime *runtime;
    cr_assert_eq(edo_runtime_new(&runtime, .start_paused = true), 0);
    struct trial trial = NEW(trial, .kind = kind, .delays = delays, .limit = limit);
    cr_assert_eq(edo_block_on(runtime, &trial), 0);
    edo_runtime_drop(runtime);
    check_baseline(&start);
    cr_assert_eq(trial.notes.count, want->count, "%d came", trial.notes.count);
    for (int i = 0; i < want->count; i++) {
        cr_assert_eq(trial.notes.what[i], want->what[i], "%d: %d", i, trial.notes.what[i]);
        cr_assert_eq(trial.notes.when[i], want->when[i], "%d came at %" PRIu64, i,
                     trial.notes.when[i]);
    }
    cr_assert_eq(trial.dropped, 1);
}

#define SCRIPT(...) ((const int[]){__VA_ARGS__, -1})

Test(stream_time, throttle_keeps_a_time_between_items)
{
    check_trial(THROTTLE, SCRIPT(0, 0, 250, 0), 16,
                &(struct notes){{1, 2, 3, 4}, {0, 100, 450, 550}, 4});
}

Test(stream_time, throttle_dropped_while_it_holds_back)
{
    check_trial(THROTTLE, SCRIPT(0, 0), 1, &(struct notes){{1}, {0}, 1});
}

Test(stream_time, timeout_says_so_once_between_two_items)
{
    check_trial(TIMEOUT, SCRIPT(50, 50, 350, 10, 100), 16,
                &(struct notes){{1, 2, UV_ETIMEDOUT, 3, 4, 5}, {50, 100, 200, 450, 460, 560}, 6});
}

Test(stream_time, timeout_before_the_first_item)
{
    check_trial(TIMEOUT, SCRIPT(150), 16, &(struct notes){{UV_ETIMEDOUT, 1}, {100, 150}, 2});
    check_trial(TIMEOUT, SCRIPT(150), 1, &(struct notes){{UV_ETIMEDOUT}, {100}, 1});
}

Test(stream_time, timeout_repeating_says_so_at_each_tick)
{
    check_trial(REPEATING, SCRIPT(50, 350, 30), 16,
                &(struct notes){{1, UV_ETIMEDOUT, UV_ETIMEDOUT, UV_ETIMEDOUT, 2, 3},
                                {50, 150, 250, 350, 400, 430},
                                6});
}

/* Chunks: how many, their sum, and when. */
struct chunks {
    FUTURE(int);
    const int *delays;
    int dropped, room[4], count;
    size_t max, n, sizes[8];
    int sums[8];
    uint64_t start, when[8];
    struct script script;
    struct edo_stream_chunks_timeout chunked;
    STREAM_REF(size_t) stream;
};

ASYNC(chunks)
{
    STREAM_REF(int) stream;
    ASYNC_BEGIN;
    self->start = edo_now();
    self->script = NEW(script, .delays = self->delays, .dropped = &self->dropped);
    stream = edo_stream_ref(&self->script);
    self->stream = edo_stream_chunks_timeout(&self->chunked, stream, self->room, self->max, 100);
    FOR_AWAIT(self->n, self->stream) {
        self->sizes[self->count] = self->n;
        for (size_t i = 0; i < self->n; i++)
            self->sums[self->count] += self->room[i];
        self->when[self->count++] = (edo_now() - self->start) / MS;
    }
    RETURN(edo_stream_error(self->stream));
ASYNC_FINALLY:
    DROP_STREAM(self->stream);
    ASYNC_END;
}

static struct chunks chunked(size_t max, const int *delays)
{
    struct baseline start = baseline();
    struct edo_runtime *runtime;
    cr_assert_eq(edo_runtime_new(&runtime, .start_paused = true), 0);
    struct chunks chunks = NEW(chunks, .delays = delays, .max = max);
    cr_assert_eq(edo_block_on(runtime, &chunks), 0);
    edo_runtime_drop(runtime);
    check_baseline(&start);
    cr_assert_eq(chunks.dropped, 1);
    return chunks;
}

Test(stream_time, chunks_are_full_or_partial_at_the_deadline_or_at_the_end)
{
    /* 1 to 4 fill one; 5, 6 meet the deadline, 100 ms after the first of them; 7 the end. */
    struct chunks chunks = chunked(4, SCRIPT(10, 10, 10, 10, 10, 60, 70));
    cr_assert_eq(chunks.output, 0);
    cr_assert_eq(chunks.count, 3);
    cr_assert(chunks.sizes[0] == 4 && chunks.sums[0] == 10 && chunks.when[0] == 40);
    cr_assert(chunks.sizes[1] == 2 && chunks.sums[1] == 11 && chunks.when[1] == 150);
    cr_assert(chunks.sizes[2] == 1 && chunks.sums[2] == 7 && chunks.when[2] == 180);
}

Test(stream_time, chunks_of_nothing_are_an_error)
{
    cr_assert_eq(chunked(0, SCRIPT(10)).output, UV_EINVAL);
}

/* Dropped with items in its room. */
static int left_out;

static void leave_out(int *item)
{
    left_out += *item;
}

struct abandon {
    FUTURE(int);
    const int *delays;
    int dropped, room[4];
    size_t n;
    struct script script;
    struct edo_stream_chunks_timeout chunked;
    STREAM_REF(size_t) stream;
    struct edo_next next;
    struct edo_timeout timeout;
};

ASYNC(abandon)
{
    STREAM_REF(int) stream;
    ASYNC_BEGIN;
    self->script = NEW(script, .delays = self->delays, .dropped = &self->dropped);
    self->script.stream_.drop = (void (*)(void *))(void (*)(void))leave_out;
    stream = edo_stream_ref(&self->script);
    self->stream = edo_stream_chunks_timeout(&self->chunked, stream, self->room, 4, 1000);
    self->next = edo_next(self->stream, &self->n);
    AWAIT(self->timeout, edo_timeout(25, &self->next));
    RETURN(self->timeout.output);
ASYNC_FINALLY:
    DROP_STREAM(self->stream);
    ASYNC_END;
}

Test(stream_time, chunks_that_are_dropped_give_their_items_to_the_hook)
{
    struct baseline start = baseline();
    struct edo_runtime *runtime;
    cr_assert_eq(edo_runtime_new(&runtime, .start_paused = true), 0);
    struct abandon abandon = NEW(abandon, .delays = SCRIPT(10, 10, 10));
    cr_assert_eq(edo_block_on(runtime, &abandon), 0);
    edo_runtime_drop(runtime);
    check_baseline(&start);
    cr_assert_eq(abandon.output, UV_ETIMEDOUT);
    cr_assert_eq(left_out, 1 + 2);
    cr_assert_eq(abandon.dropped, 1);
}

struct ticks {
    FUTURE(int);
    uint64_t start, at, last;
    int count;
    struct edo_interval interval;
    struct edo_stream_interval place;
    struct edo_stream_take take;
    STREAM_REF(uint64_t) stream;
};

ASYNC(ticks)
{
    ASYNC_BEGIN;
    self->start = edo_now();
    self->interval = edo_interval(10);
    self->stream = edo_stream_interval(&self->place, &self->interval);
    self->stream = edo_stream_take(&self->take, self->stream, 5);
    FOR_AWAIT(self->at, self->stream) {
        cr_assert_eq((self->at - self->start) / MS, (uint64_t)self->count++ * 10);
        cr_assert_eq(edo_now(), self->at);
    }
    RETURN(self->count);
ASYNC_FINALLY:
    DROP_STREAM(self->stream);
    ASYNC_END;
}

Test(stream_time, an_interval_as_a_stream)
{
    struct baseline start = baseline();
    struct edo_runtime *runtime;
    cr_assert_eq(edo_runtime_new(&runtime, .start_paused = true), 0);
    struct ticks ticks = NEW(ticks);
    cr_assert_eq(edo_block_on(runtime, &ticks), 0);
    edo_runtime_drop(runtime);
    check_baseline(&start);
    cr_assert_eq(ticks.output, 5);
}

/* Without a runtime there is no time. */
Test(stream_time, outside_of_a_runtime_the_stream_ends_with_an_error)
{
    int dropped = 0, n;
    struct edo_waker waker = {NULL};
    struct edo_context context, *cx = &context;
    edo_context_init(cx, &waker);
    struct script script = NEW(script, .delays = SCRIPT(0, 0), .dropped = &dropped);
    struct edo_stream_throttle throttle;
    STREAM_REF(int) stream = edo_stream_ref(&script);
    stream = edo_stream_throttle(&throttle, stream, 100);
    struct edo_next first = edo_next(stream, &n), second = edo_next(stream, &n);
    cr_assert_eq(edo_future_poll(&first.future_, cx), EDO_READY);
    cr_assert_eq(first.output, 1);
    cr_assert_eq(edo_future_poll(&second.future_, cx), EDO_READY);
    cr_assert_eq(second.output, EDO_ENORUNTIME);
    cr_assert_eq(dropped, 1);
}
