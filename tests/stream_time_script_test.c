/* SPDX-License-Identifier: MIT */
/* runtime/stream_time.h by script, in paused time: ended before each of its polls, errors, ends after
 * which there is more, no time and all of it. A script and a transcript are those of stream_harness.h, and
 *
 *     ~         in a script: 60 ms pass
 *     T         in a transcript: UV_ETIMEDOUT;  R: EDO_ENORUNTIME, an end
 *     (…)       a chunk
 */
#include "stream_harness.h"

struct timed_script {
    STREAM(struct parcel);
    struct script script;
    struct edo_sleep sleep;
};

static enum edo_poll timed_script_poll(struct edo_future *future, struct edo_context *cx)
{
    struct timed_script *self = (struct timed_script *)future;
    if (cx->walk == EDO_WALK_DROP)
        edo_future_drop(&self->sleep.future_, cx);
    while (cx->walk == EDO_WALK_POLL && *self->script.at == '~') {
        if (self->sleep.future_.poll == NULL)
            self->sleep = edo_sleep(60);
        if (edo_future_poll(&self->sleep.future_, cx) == EDO_PENDING)
            return EDO_PENDING;
        self->sleep.future_.poll = NULL;
        self->script.at++;
    }
    self->script.stream_.item = self->stream_.item;
    enum edo_poll poll = script_poll(&self->script.future_, cx);
    self->output = self->script.output;
    if (edo_future_done(&self->script.future_))
        self->future_.state = EDO_STATE_DONE;
    return poll;
}

/* What is made of it. */
enum kind { THROTTLE, TIMEOUT, REPEATING, CHUNKS };

struct run {
    FUTURE(int);
    enum kind kind;
    uint64_t ms;
    const char *script;
    size_t polls; /* of the stream that were ready, before it is dropped */
    char got[64];
    struct parcel item, room[2];
    size_t count;
    struct timed_script source;
    struct edo_interval interval;
    union {
        struct edo_stream_throttle throttle;
        struct edo_stream_timeout timeout;
        struct edo_stream_timeout_repeating repeating;
        struct edo_stream_chunks_timeout chunks;
    };
    struct edo_stream *stream;
};

static void run_begin(struct run *self)
{
    self->source = NEW(timed_script, .script = NEW(script, .at = self->script));
    self->source.stream_.drop = parcel_drop;
    account.sources++;
    parcels stream = edo_stream_ref(&self->source);
    switch (self->kind) {
    case THROTTLE:
        stream = edo_stream_throttle(&self->throttle, stream, self->ms);
        break;
    case TIMEOUT:
        stream = edo_stream_timeout(&self->timeout, stream, self->ms);
        break;
    case REPEATING:
        self->interval = edo_interval_at(edo_instant_add(edo_now(), self->ms), self->ms);
        stream = edo_stream_timeout_repeating(&self->repeating, stream, &self->interval);
        break;
    default:
        (void)edo_stream_chunks_timeout(&self->chunks, stream, self->room, 2, self->ms);
        self->stream = &self->chunks.stream_;
        return;
    }
    self->stream = (struct edo_stream *)(void *)stream;
}

static void say(struct run *self, const char *text)
{
    strcat(self->got, text);
}

static void deliver(struct run *self, const struct parcel *parcel)
{
    parcel_end(parcel, DELIVERED);
    say(self, (char[]){(char)('0' + parcel->n), '\0'});
}

static enum edo_poll run_poll(struct edo_future *future, struct edo_context *cx)
{
    struct run *self = (struct run *)future;
    if (cx->walk != EDO_WALK_POLL)
        return edo_walk_leaf(cx, "run");
    if (future->state == EDO_STATE_FRESH)
        run_begin(self);
    future->state = 1;
    for (; strlen(self->got) < 40; self->polls--) {
        if (self->polls == 0) {
            edo_stream_drop_(self->stream, cx);
            return EDO_READY;
        }
        void *item = self->kind == CHUNKS ? (void *)&self->count : &self->item;
        int output = edo_stream_poll(self->stream, cx, item);
        bool done = edo_future_done(&self->stream->future_);
        if (output == EDO_STREAM_PENDING)
            return EDO_PENDING;
        if (output == EDO_STREAM_ITEM && self->kind == CHUNKS) {
            say(self, "(");
            for (size_t i = 0; i < self->count; i++)
                deliver(self, &self->room[i]);
            say(self, ")");
        } else if (output == EDO_STREAM_ITEM) {
            deliver(self, &self->item);
        } else {
            say(self, output == 0                ? done ? "|" : "-"
                      : output == EDO_ENORUNTIME ? "R"
                      : output == UV_ETIMEDOUT   ? "T"
                      : done                     ? "X"
                                                 : "!");
        }
        if (done)
            return EDO_READY;
    }
    edo_stream_drop_(self->stream, cx);
    return EDO_READY;
}

static void run(enum kind kind, uint64_t ms, const char *script, const char *expected)
{
    for (size_t polls = 0, over = 0; !over; polls++) {
        struct bench bench;
        bench_begin(&bench);
        struct edo_runtime *runtime;
        cr_assert_eq(edo_runtime_new(&runtime, .start_paused = true), 0);
        struct run run = NEW(run, .kind = kind, .ms = ms, .script = script, .polls = polls);
        cr_assert_eq(edo_block_on(runtime, &run), 0);
        edo_runtime_drop(runtime);
        over = strlen(run.got) >= strlen(expected);
        cr_assert_lt(polls, 50, "of \"%s\" came \"%s\"", script, run.got);
        if (over)
            cr_assert_str_eq(run.got, expected, "of \"%s\" came \"%s\"", script, run.got);
        account_settle(script);
        bench_end(&bench);
    }
}

Test(stream_time_script, throttle)
{
    run(THROTTLE, 100, "12!3-4X", "12!3-4X");
    run(THROTTLE, 100, "1.2~~3", "123|");
    run(THROTTLE, 0, "12!3-4X", "12!3-4X");
    run(THROTTLE, 0, "1.2~~3", "123|");
    run(THROTTLE, UINT64_MAX, "X", "X");
    run(THROTTLE, UINT64_MAX, "-1", "-1");
}

Test(stream_time_script, timeout)
{
    run(TIMEOUT, 100, "12!3-4X", "12!3-4X");
    run(TIMEOUT, 100, "~1~~2~~~~!~~-~3", "1T2T!T-3|");
    run(TIMEOUT, 100, "~~1~~X", "T1TX");
    run(TIMEOUT, 0, "12!3-4X", "12!3-4X");
    run(TIMEOUT, 0, ".12.3!.-.4", "T12T3!T-4|");
    run(TIMEOUT, UINT64_MAX, "~~1~~2!~-~3", "12!-3|");
}

Test(stream_time_script, timeout_repeating)
{
    run(REPEATING, 100, "12!3-4X", "12!3-4X");
    run(REPEATING, 50, "~~1!~2-~~", "TT1!T2-TT|");
    run(REPEATING, 0, "12!3", "12!3|");
    run(REPEATING, 0, "12~", "12X");
    run(REPEATING, UINT64_MAX, "~~1~~2!~-~3", "12!-3|");
}

Test(stream_time_script, chunks_timeout)
{
    run(CHUNKS, 100, "12!3-4X", "(12)!(3)-(4)X");
    run(CHUNKS, 100, "1~2~~3~~45~6", "(12)(3)(45)(6)|");
    run(CHUNKS, 100, "1!", "(1)!|");
    run(CHUNKS, 0, "12.3.", "(12)(3)|");
    run(CHUNKS, 0, "1~2~", "(1)(2)|");
    run(CHUNKS, UINT64_MAX, "1~~~2~3", "(12)(3)|");
}

/* ---- gives way, names what it waits for ---- */

Test(stream_time_script, chunks_of_an_endless_source_give_way)
{
    static const struct parcel zero = {0, -1};
    static struct parcel room[1000];
    for (int i = 0; i < 2; i++) {
        struct bench bench;
        bench_begin(&bench);
        struct endless endless = NEW(endless);
        struct edo_stream_iter repeat;
        struct edo_stream_chunks_timeout chunks;
        parcels source = i == 0 ? edo_stream_ref(&endless) : edo_stream_repeat(&repeat, &zero);
        STREAM_REF(size_t) stream = edo_stream_chunks_timeout(&chunks, source, room, 1000, 0);
        size_t n = 0;
        struct edo_next next = edo_next(stream, &n);
        cr_assert_eq(POLL(next), EDO_READY, "it has no time");
        cr_assert_eq(n, EDO_BUDGET);
        cr_assert_eq(bench.cx.budget, 0);
        edo_stream_drop_(&chunks.stream_, &bench.cx);
        bench_end(&bench);
    }
}

struct shows {
    FUTURE(int);
    struct timed_script source;
    struct edo_stream_throttle throttle;
    char text[256];
    STREAM_REF(struct parcel) stream;
    struct parcel item;
    struct edo_next next;
};

static void note(void *arg, int depth, const char *name, const char *file, int line)
{
    char *text = arg;
    (void)file, (void)line;
    sprintf(text + strlen(text), "%*s%s\n", depth, "", name);
}

static enum edo_poll shows_poll(struct edo_future *future, struct edo_context *cx)
{
    struct shows *self = (struct shows *)future;
    if (cx->walk != EDO_WALK_POLL)
        return edo_walk_leaf(cx, "shows");
    self->source = NEW(timed_script, .script = NEW(script, .at = "1"));
    account.sources++;
    self->stream = edo_stream_throttle(&self->throttle, edo_stream_ref(&self->source), 100);
    self->next = edo_next(self->stream, &self->item);
    cr_assert_eq(edo_future_poll(&self->next.future_, cx), EDO_READY);
    parcel_end(&self->item, DELIVERED);
    self->next = edo_next(self->stream, &self->item);
    cr_assert_eq(edo_future_poll(&self->next.future_, cx), EDO_PENDING);
    struct edo_context trace;
    edo_context_init(&trace, cx->waker);
    trace.trace = note;
    trace.trace_arg = self->text;
    edo_future_trace(&self->next.future_, &trace);
    edo_future_drop(&self->next.future_, cx);
    edo_stream_drop_(&self->throttle.stream_, cx);
    return EDO_READY;
}

Test(stream_time_script, throttle_names_the_sleep_that_it_waits_for)
{
    struct edo_runtime *runtime;
    cr_assert_eq(edo_runtime_new(&runtime, .start_paused = true), 0);
    struct shows shows = NEW(shows);
    cr_assert_eq(edo_block_on(runtime, &shows), 0);
    edo_runtime_drop(runtime);
    cr_assert_str_eq(shows.text, "edo_next\n edo_stream_throttle\n  edo_sleep\n");
    account_settle("shows");
}
