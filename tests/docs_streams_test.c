/* SPDX-License-Identifier: MIT */
/* The programs of docs/streams.md, run: also the one that shows a mistake. What the page prints of them is
 * here word for word; tests/docs_test.c sees to that. */
#include "io_helpers.h"
#include "support/runtimes.h"

/* ---- A generator, and the same by hand ---- */

struct countdown {
    STREAM(int);
    int left;
    struct edo_sleep sleep;
};

ASYNC_STREAM(countdown)
{
    ASYNC_BEGIN;
    for (; self->left > 0; self->left--) {
        AWAIT(self->sleep, edo_sleep(10));
        YIELD(self->left);
    }
    ASYNC_END;
}

struct by_hand {
    STREAM(int);
    int left;
    struct edo_sleep sleep;
};

static enum edo_poll by_hand_poll(struct edo_future *future, struct edo_context *cx)
{
    struct by_hand *self = (struct by_hand *)future;
    if (cx->walk == EDO_WALK_DROP)
        edo_future_drop(&self->sleep.future_, cx);
    if (cx->walk != EDO_WALK_POLL)
        return edo_walk_leaf(cx, "by_hand");
    if (self->left == 0)
        return edo_stream_end(&self->stream_, 0);
    if (self->sleep.future_.poll == NULL)
        self->sleep = edo_sleep(10);
    if (edo_future_poll(&self->sleep.future_, cx) == EDO_PENDING)
        return EDO_PENDING;
    self->sleep.future_.poll = NULL;
    EDO_ITEM(self) = self->left--;
    return edo_stream_item(&self->stream_);
}

/* ---- FOR_AWAIT, adapters ---- */

static bool is_even(void *arg, const int *n)
{
    (void)arg;
    return *n % 2 == 0;
}

struct sum {
    FUTURE(int);
    struct countdown countdown;
    struct edo_stream_filter even;
    struct edo_stream_take few;
    STREAM_REF(int) stream; /* the outermost: it owns the others */
    int n, sum;
};

ASYNC(sum)
{
    ASYNC_BEGIN;
    self->countdown = NEW(countdown, .left = 10);
    self->stream = edo_stream_ref(&self->countdown);
    self->stream = edo_stream_filter(&self->even, self->stream, is_even, NULL);
    self->stream = edo_stream_take(&self->few, self->stream, 3);
    FOR_AWAIT(self->n, self->stream)
        self->sum += self->n;
    RETURN(self->sum);
ASYNC_FINALLY:
    DROP_STREAM(self->stream);
    ASYNC_END;
}

struct sum_by_hand {
    FUTURE(int);
    struct by_hand countdown;
    STREAM_REF(int) stream;
    int n, sum;
};

ASYNC(sum_by_hand)
{
    ASYNC_BEGIN;
    self->countdown = NEW(by_hand, .left = 10);
    self->stream = edo_stream_ref(&self->countdown);
    FOR_AWAIT(self->n, self->stream)
        self->sum += self->n;
    RETURN(self->sum);
ASYNC_FINALLY:
    DROP_STREAM(self->stream);
    ASYNC_END;
}

Test(docs_streams, a_generator_and_the_same_by_hand)
{
    cr_assert_eq(RUN_PAUSED(NEW(sum)), 10 + 8 + 6);
    cr_assert_eq(RUN_PAUSED(NEW(sum_by_hand)), 55);
}

/* Both dropped at each of their waits. */
struct dropped {
    FUTURE(int);
    uint64_t ms;
    struct sum sum;
    struct sum_by_hand by_hand;
    struct edo_timeout timeout, other;
};

ASYNC(dropped)
{
    ASYNC_BEGIN;
    self->sum = NEW(sum);
    self->timeout = edo_timeout(self->ms, &self->sum);
    self->by_hand = NEW(sum_by_hand);
    self->other = edo_timeout(self->ms, &self->by_hand);
    JOIN(&self->timeout, &self->other);
    RETURN(self->other.output);
    ASYNC_END;
}

Test(docs_streams, dropped_anywhere)
{
    for (uint64_t ms = 5; ms < 100; ms += 10)
        cr_assert_eq(RUN_PAUSED(NEW(dropped, .ms = ms)), UV_ETIMEDOUT);
    cr_assert_eq(RUN_PAUSED(NEW(dropped, .ms = 200)), 0);
}

/* ---- Items that own something ---- */

static int words_alive;

struct words {
    STREAM(char *);
    const char *text;
    char *word;
};

ASYNC_STREAM(words)
{
    size_t length;
    ASYNC_BEGIN;
    while (*self->text != '\0') {
        length = strcspn(self->text, " ");
        self->word = strndup(self->text, length);
        if (self->word == NULL)
            RETURN(UV_ENOMEM);
        words_alive++;
        self->text += length + (self->text[length] == ' ');
        YIELD(self->word);
    }
    ASYNC_END;
}

static void free_word(void *item)
{
    words_alive--;
    free(*(char **)item);
}

static bool is_long(void *arg, char *const *word)
{
    (void)arg;
    return strlen(*word) > 3;
}

struct letters {
    FUTURE(int);
    struct words words;
    struct edo_stream_filter filter;
    STREAM_REF(char *) stream;
    char *word;
    int count;
};

ASYNC(letters)
{
    ASYNC_BEGIN;
    self->words = NEW(words, .text = "a stream is ready many times");
    self->words.stream_.drop = free_word;
    self->stream = edo_stream_ref(&self->words);
    self->stream = edo_stream_filter(&self->filter, self->stream, is_long, NULL);
    FOR_AWAIT(self->word, self->stream) {
        self->count += (int)strlen(self->word);
        free_word(&self->word); /* this one is ours */
    }
    RETURN(self->count);
ASYNC_FINALLY:
    DROP_STREAM(self->stream);
    ASYNC_END;
}

Test(docs_streams, each_item_has_one_owner)
{
    cr_assert_eq(RUN(NEW(letters)), 6 + 5 + 4 + 5);
    cr_assert_eq(words_alive, 0);
}

/* ---- Errors ---- */

struct numbers {
    STREAM(int);
    const char *const *text;
};

static enum edo_poll numbers_poll(struct edo_future *future, struct edo_context *cx)
{
    struct numbers *self = (struct numbers *)future;
    if (cx->walk != EDO_WALK_POLL)
        return edo_walk_leaf(cx, "numbers");
    if (*self->text == NULL)
        return edo_stream_end(&self->stream_, 0);
    char *end;
    int n = (int)strtol(*self->text++, &end, 10);
    if (*end != '\0')
        return edo_stream_none(&self->stream_, UV_EINVAL); /* and goes on */
    EDO_ITEM(self) = n;
    return edo_stream_item(&self->stream_);
}

static const char *const texts[] = {"1", "2", "many", "3", "more", NULL};

struct adds {
    FUTURE(int);
    struct numbers numbers;
    STREAM_REF(int) stream;
    int n, sum, errors;
};

ASYNC(adds)
{
    ASYNC_BEGIN;
    self->numbers = NEW(numbers, .text = texts);
    self->stream = edo_stream_ref(&self->numbers);
    do {
        FOR_AWAIT(self->n, self->stream)
            self->sum += self->n;
        self->errors += edo_stream_error(self->stream) < 0;
    } while (edo_stream_error(self->stream) < 0);
    RETURN(self->sum * 10 + self->errors);
ASYNC_FINALLY:
    DROP_STREAM(self->stream);
    ASYNC_END;
}

struct tries {
    FUTURE(int);
    struct numbers numbers;
    STREAM_REF(int) stream;
    int n, sum;
};

ASYNC(tries)
{
    ASYNC_BEGIN;
    self->numbers = NEW(numbers, .text = texts);
    self->stream = edo_stream_ref(&self->numbers);
    TRY_FOR_AWAIT(self->n, self->stream)
        self->sum += self->n;
    RETURN(self->sum);
ASYNC_FINALLY:
    DROP_STREAM(self->stream);
    ASYNC_END;
}

Test(docs_streams, an_error_stands_in_an_items_place)
{
    cr_assert_eq(RUN(NEW(adds)), 62);
    cr_assert_eq(RUN(NEW(tries)), UV_EINVAL);
}

/* ---- Sets of futures ---- */

struct fetch {
    FUTURE(int);
    int url;
    struct edo_sleep sleep;
};

ASYNC(fetch)
{
    ASYNC_BEGIN;
    AWAIT(self->sleep, edo_sleep(100));
    RETURN(self->url);
    ASYNC_END;
}

struct crawl {
    FUTURE(int);
    FUTURES_UNORDERED(struct fetch) set;
    STREAM_REF(int) fetched;
    struct edo_next next;
    int url, got, sum;
};

ASYNC(crawl)
{
    ASYNC_BEGIN;
    self->fetched = edo_futures_unordered(&self->set);
    for (;;) {
        /* Three at a time. */
        while (self->url < 10 && edo_futures_unordered_len(&self->set) < 3)
            if (edo_futures_unordered_push(&self->set, NEW(fetch, .url = self->url++)) < 0)
                RETURN(UV_ENOMEM);
        AWAIT(self->next, edo_next(self->fetched, &self->got));
        if (self->next.output == 0)
            RETURN(self->sum); /* none is under way */
        self->sum += self->got;
    }
ASYNC_FINALLY:
    DROP_STREAM(self->fetched);
    ASYNC_END;
}

Test(docs_streams, ten_fetches_three_at_a_time)
{
    cr_assert_eq(RUN_PAUSED(NEW(crawl)), 45);
}

struct twice {
    FUTURE(int);
    FUTURES_UNORDERED(struct fetch) set;
    STREAM_REF(int) fetched;
    int n, sum;
};

ASYNC(twice)
{
    ASYNC_BEGIN;
    self->fetched = edo_futures_unordered(&self->set);
    if (edo_futures_unordered_push(&self->set, NEW(fetch, .url = 1)) < 0)
        RETURN(UV_ENOMEM);
    FOR_AWAIT(self->n, self->fetched)
        self->sum += self->n;
    if (edo_futures_unordered_push(&self->set, NEW(fetch, .url = 2)) < 0)
        RETURN(UV_ENOMEM);
    FOR_AWAIT(self->n, self->fetched) /* goes on */
        self->sum += self->n;
    RETURN(self->sum);
ASYNC_FINALLY:
    DROP_STREAM(self->fetched);
    ASYNC_END;
}

Test(docs_streams, an_end_that_is_one_for_now)
{
    cr_assert_eq(RUN_PAUSED(NEW(twice)), 3);
}

/* ---- A trap: members that nobody polls ---- */

struct member {
    FUTURE(int);
    struct edo_mutex *mutex;
    struct edo_mutex_guard guard;
    struct edo_mutex_lock lock;
    struct edo_sleep sleep;
};

ASYNC(member)
{
    ASYNC_BEGIN;
    AWAIT(self->lock, edo_mutex_lock(self->mutex, &self->guard));
    AWAIT(self->sleep, edo_sleep(10));
    RETURN(1);
ASYNC_FINALLY:
    edo_mutex_unlock(&self->guard);
    ASYNC_END;
}

struct body_awaits {
    FUTURE(int);
    struct edo_mutex *mutex;
    struct edo_mutex_guard guard;
    struct edo_mutex_lock lock;
    FUTURES_UNORDERED(struct member) set;
    STREAM_REF(int) done;
    int n, sum;
};

ASYNC(body_awaits)
{
    ASYNC_BEGIN;
    self->done = edo_futures_unordered(&self->set);
    for (int i = 0; i < 2; i++)
        if (edo_futures_unordered_push(&self->set, NEW(member, .mutex = self->mutex)) < 0)
            RETURN(UV_ENOMEM);
    FOR_AWAIT(self->n, self->done) {
        AWAIT(self->lock, edo_mutex_lock(self->mutex, &self->guard)); /* for ever */
        self->sum += self->n;
        edo_mutex_unlock(&self->guard);
    }
    RETURN(self->sum);
ASYNC_FINALLY:
    DROP_STREAM(self->done);
    edo_mutex_unlock(&self->guard);
    ASYNC_END;
}

struct in_time {
    FUTURE(int);
    struct edo_mutex mutex;
    struct body_awaits body;
    struct edo_timeout timeout;
};

ASYNC(in_time)
{
    ASYNC_BEGIN;
    edo_mutex_init(&self->mutex);
    self->body = NEW(body_awaits, .mutex = &self->mutex);
    AWAIT(self->timeout, edo_timeout(1000, &self->body));
    edo_mutex_destroy(&self->mutex);
    RETURN(self->timeout.output);
    ASYNC_END;
}

Test(docs_streams, members_are_not_polled_while_the_body_awaits)
{
    cr_assert_eq(RUN_PAUSED(NEW(in_time)), UV_ETIMEDOUT);
}

/* What docs/cancel-safety.md says of edo_stream_async: a `next` that is dropped leaves the stream in the
 * row. */
struct keeps_its_place {
    FUTURE(int);
    ASYNC_SENDER(int) tx;
    ASYNC_RECEIVER(int) rx;
    struct edo_stream_async async;
    STREAM_REF(int) stream;
    int n, other;
    struct edo_next next;
    struct edo_sleep sleep;
};

ASYNC(keeps_its_place)
{
    ASYNC_BEGIN;
    cr_assert_eq(edo_async_channel(&self->tx, &self->rx, 8), 0);
    self->stream = edo_stream_async(&self->async, self->rx);
    SELECT {
        WHEN(self->next, edo_next(self->stream, &self->n)) {
            RETURN(1);
        }
        WHEN(self->sleep, edo_sleep(10)) {
        }
    }
    cr_assert_eq(edo_async_try_send(self->tx, &(int){7}), 0);
    cr_assert_eq(edo_async_try_recv(self->rx, &self->other), UV_EAGAIN, "it is the stream's");
    DROP_STREAM(self->stream);
    cr_assert_eq(edo_async_try_recv(self->rx, &self->other), 0, "it is the next one's");
    RETURN(self->other);
ASYNC_FINALLY:
    DROP_STREAM(self->stream);
    edo_async_sender_drop(self->tx);
    edo_async_receiver_drop(self->rx);
    ASYNC_END;
}

Test(docs_streams, a_stream_of_a_shared_channel_keeps_its_place)
{
    cr_assert_eq(RUN_PAUSED(NEW(keeps_its_place)), 7);
}
