/* SPDX-License-Identifier: MIT */
/* streams/streammap.h. */
#include "stream_harness.h"

#include <stdlib.h>
#include <strings.h>

typedef STREAM_MAP(int, struct parcel) parcel_map;

/* ---- By script ---- */

static parcel_map map;
static struct edo_stream_fuse fuse;

static parcels one_in_a_map(parcels a, parcels b)
{
    (void)b;
    memset(&map, 0, sizeof map);
    parcels old = a;
    cr_assert_eq(edo_streammap_insert(&map, 1, a, &old), 0);
    cr_assert_null(old);
    return edo_stream_fuse(&fuse, edo_streammap(&map));
}

Test(streammap, gives_what_a_stream_gives_and_it_goes_at_its_first_end)
{
    check(one_in_a_map, "", NULL, "|");
    check(one_in_a_map, "01.2.", NULL, "01.2.|");
    check(one_in_a_map, "0!1", NULL, "0!1|");
    check(one_in_a_map, "0-1", NULL, "0|");
    check(one_in_a_map, "0X", NULL, "0!|");
    check_trace(one_in_a_map, ".", NULL, "edo_stream_fuse\n edo_streammap\n  script\n");
}

/* So many scripts, with their numbers for keys. */
static struct script scripts[8];

static parcels scripted(const char *script, int i)
{
    return script_begin(&scripts[i], script, script_exact);
}

static void insert(parcel_map *into, int key, const char *script)
{
    parcels old = NULL;
    cr_assert_eq(edo_streammap_insert(into, key, scripted(script, key), &old), 0);
    cr_assert_null(old);
}

static void drop_map(struct bench *bench, parcel_map *dropped)
{
    struct edo_context *cx = &bench->cx;
    DROP_STREAM(edo_streammap(dropped));
}

Test(streammap, the_key_tells_whose_an_item_is)
{
    struct bench bench;
    bench_begin(&bench);
    parcel_map ours = {.key = 0};
    parcels stream = edo_streammap(&ours);
    cr_assert_eq(stream_step(&bench, stream), '-', "empty");
    static const char *const lines[] = {"0.0.000", "1111", "2..22", "3", ""};
    for (int i = 0; i < 5; i++)
        insert(&ours, i, lines[i]);
    cr_assert_eq(edo_streammap_len(&ours), 5);
    int counts[5] = {0};
    size_t left = 13;
    for (char letter; (letter = stream_step(&bench, stream)) != '-';) {
        if (letter == '.')
            continue;
        cr_assert_eq(letter, '0' + ours.key);
        counts[ours.key]++;
        left--;
        struct edo_size_hint hint = edo_stream_size_hint(stream);
        cr_assert(hint.lower == left && hint.upper == left);
    }
    static const int expected[] = {5, 4, 3, 1, 0};
    for (int i = 0; i < 5; i++)
        cr_assert_eq(counts[i], expected[i]);
    cr_assert_eq(edo_streammap_len(&ours), 0);
    insert(&ours, 5, "5");
    cr_assert_eq(stream_step(&bench, stream), '5', "it goes on after its end");
    cr_assert_eq(stream_step(&bench, stream), '-');
    drop_map(&bench, &ours);
    account_settle("keys");
    bench_end(&bench);
}

Test(streammap, fair_whoever_has_been_there_first)
{
    struct bench bench;
    bench_begin(&bench);
    STREAM_MAP(int, int) ours = {.key = 0};
    enum { STREAMS = 4, ITEMS = 20000 };
    struct edo_stream_iter places[STREAMS];
    static const int zero = 0;
    for (int i = 0; i < STREAMS; i++) {
        STREAM_REF(int) old;
        cr_assert_eq(edo_streammap_insert(&ours, i, edo_stream_repeat(&places[i], &zero), &old), 0);
    }
    int counts[STREAMS] = {0}, n;
    for (int i = 0; i < ITEMS; i++) {
        bench.cx.budget = EDO_BUDGET;
        cr_assert_eq(edo_stream_poll(&ours.map.stream_, &bench.cx, &n), EDO_STREAM_ITEM);
        counts[ours.key]++;
    }
    for (int i = 0; i < STREAMS; i++)
        cr_assert(counts[i] > ITEMS / STREAMS * 9 / 10 && counts[i] < ITEMS / STREAMS * 11 / 10,
                  "%d of %d for %d", counts[i], ITEMS, i);
    edo_stream_drop_(&ours.map.stream_, &bench.cx);
    bench_end(&bench);
}

Test(streammap, to_insert_replaces_and_gives_the_old_one_back)
{
    struct bench bench;
    bench_begin(&bench);
    parcel_map ours = {.key = 0};
    parcels stream = edo_streammap(&ours), old = NULL;
    insert(&ours, 7, "123");
    cr_assert_eq(stream_step(&bench, stream), '1');
    cr_assert_eq(edo_streammap_insert(&ours, 7, scripted("89", 0), &old), 0);
    cr_assert_eq((void *)old, (void *)&scripts[7]);
    cr_assert_eq(ours.key, 7);
    cr_assert_eq(edo_streammap_len(&ours), 1);
    cr_assert_eq(stream_step(&bench, stream), '8');
    cr_assert_eq(stream_step(&bench, old), '2', "the old one goes on where it was");
    cr_assert_eq(edo_streammap_insert(&ours, 8, old, &old), 0, "and may be inserted again");
    cr_assert_null(old);
    cr_assert_eq(edo_streammap_len(&ours), 2);
    drop_map(&bench, &ours);
    account_settle("replaced");
    bench_end(&bench);
}

Test(streammap, to_remove_gives_it_back)
{
    struct bench bench;
    bench_begin(&bench);
    parcel_map ours = {.key = 0};
    parcels stream = edo_streammap(&ours);
    cr_assert_null(edo_streammap_remove(&ours, 0));
    for (int i = 0; i < 5; i++)
        insert(&ours, i, "....z");
    cr_assert_eq(stream_step(&bench, stream), '.');
    parcels removed = edo_streammap_remove(&ours, 1);
    cr_assert_eq((void *)removed, (void *)&scripts[1]);
    cr_assert(ours.key == 1 && !edo_streammap_contains(&ours, 1));
    cr_assert_null(edo_streammap_remove(&ours, 1));
    cr_assert_null(edo_streammap_remove(&ours, 9));
    cr_assert_eq(stream_step(&bench, stream), '.');
    cr_assert_eq(strlen(scripts[1].at), 4, "it is not polled any more");
    for (int i = 0; i < 5; i++)
        cr_assert(i == 1 || (strlen(scripts[i].at) == 3 && edo_streammap_contains(&ours, i)));
    edo_stream_drop_((struct edo_stream *)(void *)removed, &bench.cx);
    drop_map(&bench, &ours);
    account_settle("removed");
    bench_end(&bench);
}

/* ---- Which keys are equal, and what becomes of them ---- */

static int gone[16], goings;

static void note_key(int *key)
{
    gone[goings++] = *key;
}

Test(streammap, a_key_goes_when_its_stream_has_ended_or_was_dropped_with_the_map)
{
    struct bench bench;
    bench_begin(&bench);
    parcel_map ours = {.key = 0};
    edo_streammap_on_drop(&ours, note_key);
    parcels stream = edo_streammap(&ours), old = NULL;
    insert(&ours, 1, "X");
    cr_assert_eq(stream_step(&bench, stream), '!');
    cr_assert(ours.key == 1 && goings == 0 && edo_streammap_contains(&ours, 1),
              "its key is there while the error is looked at");
    insert(&ours, 2, "-5");
    insert(&ours, 3, "....");
    insert(&ours, 4, "....");
    insert(&ours, 5, "....");
    cr_assert_eq(stream_step(&bench, stream), '.');
    cr_assert(goings == 2 && gone[0] + gone[1] == 3 && edo_streammap_len(&ours) == 3);
    cr_assert_eq(account.ended, 2, "the one that might have gone on was dropped");
    old = edo_streammap_remove(&ours, 5);
    edo_stream_drop_((struct edo_stream *)(void *)old, &bench.cx);
    cr_assert_eq(edo_streammap_insert(&ours, 4, scripted("..", 6), &old), 0);
    edo_stream_drop_((struct edo_stream *)(void *)old, &bench.cx);
    cr_assert_eq(goings, 2, "what is given back is the caller's");
    drop_map(&bench, &ours);
    cr_assert(goings == 4 && gone[2] + gone[3] == 7);
    insert(&ours, 7, "7");
    cr_assert_eq(stream_step(&bench, edo_streammap(&ours)), '7', "and the map may be used anew");
    drop_map(&bench, &ours);
    cr_assert_eq(goings, 5, "with its hook");
    account_settle("keys that go");
    bench_end(&bench);
}

/* Whether a map with the first key has the second. */
#define SAME(type, a, b)                                                                 \
    __extension__({                                                                      \
        STREAM_MAP(type, struct parcel) same_ = {.key = (a)};                            \
        parcels old_ = NULL;                                                             \
        cr_assert_eq(edo_streammap_insert(&same_, (a), scripted("", 0), &old_), 0);      \
        bool has_ = edo_streammap_contains(&same_, (b));                                 \
        cr_assert_eq(edo_streammap_remove(&same_, (b)) != NULL, has_);                   \
        if (has_)                                                                        \
            edo_stream_drop_(&scripts[0].stream_, &bench.cx);                            \
        edo_stream_drop_((struct edo_stream *)(void *)edo_streammap(&same_), &bench.cx); \
        has_;                                                                            \
    })

static bool same_word(const char *const *a, const char *const *b)
{
    return strcasecmp(*a, *b) == 0;
}

Test(streammap, keys_are_compared_as_strings_as_bytes_or_by_a_function)
{
    struct bench bench;
    bench_begin(&bench);
    char one[] = "news", other[] = "news", third[] = "sport";
    cr_assert(SAME(const char *, one, other) && SAME(char *, one, other));
    cr_assert(!SAME(const char *, one, third));
    cr_assert(SAME(int, 5, 5) && !SAME(int, 5, 6));
    cr_assert(SAME(char, 'a', 'a') && !SAME(char, 'a', 'b'));
    cr_assert(SAME(int *, &goings, &goings) && !SAME(int *, &gone[0], &gone[1]));
    struct name {
        char text[21];
    } a = {"a"}, a_too = {"a"}, b = {"b"};
    cr_assert(SAME(struct name, a, a_too) && !SAME(struct name, a, b));

    STREAM_MAP(const char *, struct parcel) words = {.key = NULL};
    edo_streammap_equal(&words, same_word);
    parcels old = NULL;
    cr_assert_eq(edo_streammap_insert(&words, "News", scripted("1", 1), &old), 0);
    cr_assert_eq(edo_streammap_insert(&words, "NEWS", scripted("2", 2), &old), 0);
    cr_assert_eq((void *)old, (void *)&scripts[1]);
    cr_assert_str_eq(words.key, "News", "the key that was there");
    cr_assert_str_eq(*edo_streammap_key(&words, 0), "NEWS");
    cr_assert(edo_streammap_contains(&words, "news"));
    edo_stream_drop_(&scripts[1].stream_, &bench.cx);
    edo_stream_drop_((struct edo_stream *)(void *)edo_streammap(&words), &bench.cx);
    account_settle("keys");
    bench_end(&bench);
}

/* Any order of inserts and removals, beside an array that says what must be there. */
Test(streammap, it_has_what_was_inserted_and_not_removed)
{
    struct bench bench;
    bench_begin(&bench);
    enum { KEYS = 40 };
    STREAM_MAP(uint16_t, int) ours = {.key = 0};
    struct edo_stream_iter places[KEYS];
    bool there[KEYS] = {false};
    size_t count = 0;
    for (int turn = 0; turn < 20000; turn++) {
        uint16_t key = (uint16_t)edo_context_below(&bench.cx, KEYS);
        STREAM_REF(int) stream = NULL;
        if (edo_context_below(&bench.cx, 2) == 0) {
            if (!there[key])
                edo_stream_repeat(&places[key], &turn);
            cr_assert_eq(edo_streammap_insert(
                             &ours, key, (STREAM_REF(int))(void *)&places[key].stream_, &stream),
                         0);
            count += !there[key];
            cr_assert_eq(stream != NULL, there[key]);
            there[key] = true;
        } else {
            stream = edo_streammap_remove(&ours, key);
            count -= there[key];
            cr_assert_eq(stream != NULL, there[key]);
            there[key] = false;
        }
        cr_assert(stream == NULL || (void *)stream == (void *)&places[key]);
        cr_assert_eq(edo_streammap_len(&ours), count);
        cr_assert_eq(edo_streammap_contains(&ours, (uint16_t)(turn % KEYS)), there[turn % KEYS]);
        if (turn % 16 != 0)
            continue;
        bool seen[KEYS] = {false};
        size_t i = 0;
        for (const uint16_t *at; (at = edo_streammap_key(&ours, i)) != NULL; i++) {
            cr_assert(there[*at] && !seen[*at]);
            seen[*at] = true;
        }
        cr_assert_eq(i, count);
    }
    edo_stream_drop_((struct edo_stream *)(void *)edo_streammap(&ours), &bench.cx);
    bench_end(&bench);
}

Test(streammap, without_memory_everything_is_as_it_was)
{
    struct bench bench;
    bench_begin(&bench);
    parcel_map ours = {.key = 0};
    parcels stream = edo_streammap(&ours), mark = scripted("9", 7), old = mark;
    edo_alloc_fail(1, true);
    cr_assert_eq(edo_streammap_insert(&ours, 7, mark, &old), UV_ENOMEM);
    cr_assert(edo_alloc_fail(0, false));
    cr_assert(old == mark && edo_streammap_len(&ours) == 0);
    for (int i = 0; i < 4; i++)
        insert(&ours, i, "1");
    edo_alloc_fail(1, true);
    cr_assert_eq(edo_streammap_insert(&ours, 7, mark, &old), UV_ENOMEM);
    cr_assert(edo_alloc_fail(0, false), "the fifth needs room");
    cr_assert(old == mark && edo_streammap_len(&ours) == 4 && !edo_streammap_contains(&ours, 7));
    edo_alloc_fail(1, true);
    cr_assert_eq(edo_streammap_insert(&ours, 2, mark, &old), 0);
    cr_assert_eq((void *)old, (void *)&scripts[2]);
    cr_assert_not(edo_alloc_fail(0, false), "to replace needs none");
    edo_stream_drop_(&scripts[2].stream_, &bench.cx);
    int sum = 0;
    for (char letter; (letter = stream_step(&bench, stream)) != '-';)
        sum += letter - '0';
    cr_assert_eq(sum, 1 + 1 + 9 + 1);
    drop_map(&bench, &ours);
    account_settle("memory");
    bench_end(&bench);
}

static bool is_even(void *arg, const struct parcel *parcel)
{
    (void)arg;
    return parcel->n % 2 == 0;
}

Test(streammap, an_adapter_that_takes_it_in_while_it_is_empty_knows_its_drop_hook)
{
    struct bench bench;
    bench_begin(&bench);
    parcel_map ours = {.key = 0};
    ours.map.stream_.drop = parcel_drop;
    struct edo_stream_filter filter;
    parcels stream = edo_stream_filter(&filter, edo_streammap(&ours), is_even, NULL);
    cr_assert_eq(stream_step(&bench, stream), '-');
    insert(&ours, 1, "1234");
    cr_assert_eq(stream_step(&bench, stream), '2');
    cr_assert_eq(stream_step(&bench, stream), '4');
    cr_assert_eq(dropped(), 2);
    edo_stream_drop_(&filter.stream_, &bench.cx);
    account_settle("adapter");
    bench_end(&bench);
}

Test(streammap, waits_for_all_of_them)
{
    struct bench bench;
    bench_begin(&bench);
    STREAM_MAP(int, int) ours = {.key = 0};
    MPSC_SENDER(int) tx[3];
    MPSC_RECEIVER(int) rx[3];
    struct edo_stream_mpsc places[3];
    STREAM_REF(int) stream = edo_streammap(&ours), old;
    for (int i = 0; i < 3; i++) {
        cr_assert_eq(edo_mpsc(&tx[i], &rx[i], 4), 0);
        cr_assert_eq(edo_streammap_insert(&ours, i, edo_stream_mpsc(&places[i], rx[i]), &old), 0);
    }
    int n;
    for (int i = 0; i < 3; i++) {
        struct edo_next next = edo_next(stream, &n);
        cr_assert_eq(POLL(next), EDO_PENDING);
        int wakes = bench.counter.wakes;
        cr_assert_eq(edo_mpsc_try_send(tx[i], &(int){i * 11}), 0);
        cr_assert_eq(bench.counter.wakes, wakes + 1);
        DROP_IT(next);
        next = edo_next(stream, &n);
        cr_assert_eq(POLL(next), EDO_READY, "a next that was dropped has taken none");
        cr_assert(n == i * 11 && ours.key == i);
    }
    for (int i = 0; i < 3; i++)
        edo_mpsc_sender_drop(tx[i]);
    struct edo_next next = edo_next(stream, &n);
    cr_assert_eq(POLL(next), EDO_READY);
    cr_assert(next.output == 0 && edo_streammap_len(&ours) == 0);
    edo_stream_drop_(&ours.map.stream_, &bench.cx);
    for (int i = 0; i < 3; i++)
        edo_mpsc_receiver_drop(rx[i]);
    bench_end(&bench);
}

struct breaks {
    STREAM(struct parcel);
    int polls;
};

ASYNC_STREAM(breaks)
{
    ASYNC_BEGIN;
    self->polls++;
    PANIC("a stream broke");
    ASYNC_END;
}

Test(streammap, a_panic_of_a_stream_stops_the_others_where_they_are)
{
    struct bench bench;
    bench_begin(&bench);
    parcel_map ours = {.key = 0};
    static struct breaks places[3];
    parcels old = NULL, stream = edo_streammap(&ours);
    (void)stream;
    for (int i = 0; i < 3; i++) {
        places[i] = NEW(breaks);
        cr_assert_eq(edo_streammap_insert(&ours, i, edo_stream_ref(&places[i]), &old), 0);
    }
    struct parcel item;
    cr_assert_eq(edo_stream_poll(&ours.map.stream_, &bench.cx, &item), EDO_STREAM_PENDING);
    cr_assert_str_eq(bench.cx.panic.message, "a stream broke");
    cr_assert_eq(places[0].polls + places[1].polls + places[2].polls, 1);
    drop_map(&bench, &ours);
    bench_end(&bench);
}

/* ---- A subscriber: topics come and go while it runs ---- */

enum { TOPICS = 3 };
static const char *const topic_names[TOPICS] = {"news", "sport", "weather"};

struct topic {
    BROADCAST_SENDER(int) tx;
};

/* What a key owns; the key is a pointer to it. */
struct subscription {
    const char *topic;
    BROADCAST_RECEIVER(int) rx;
    struct edo_stream_broadcast stream;
};

static bool same_topic(struct subscription *const *a, struct subscription *const *b)
{
    return strcmp((*a)->topic, (*b)->topic) == 0;
}

static void subscription_drop(struct subscription **key)
{
    edo_broadcast_receiver_drop((*key)->rx);
    free(*key);
}

struct order {
    bool subscribes;
    int topic;
};

struct subscriber {
    FUTURE(int);
    struct topic *topics;
    MPSC_RECEIVER(struct order) orders;
    char *heard;
    STREAM_MAP(struct subscription *, int) map;
    STREAM_REF(int) stream;
    struct order order;
    int message, closed;
    struct edo_mpsc_recv recv;
    struct edo_next next;
};

static void obey(struct subscriber *self, struct edo_context *cx)
{
    STREAM_REF(int) old = NULL;
    if (!self->order.subscribes) {
        struct subscription wanted = {.topic = topic_names[self->order.topic]};
        old = edo_streammap_remove(&self->map, &wanted);
    } else {
        struct subscription *subscription = malloc(sizeof *subscription);
        cr_assert_not_null(subscription);
        *subscription = (struct subscription){
            .topic = topic_names[self->order.topic],
            .rx = edo_broadcast_subscribe(self->topics[self->order.topic].tx)};
        cr_assert_eq(edo_streammap_insert(
                         &self->map, subscription,
                         edo_stream_broadcast(&subscription->stream, subscription->rx), &old),
                     0);
    }
    if (old == NULL)
        return;
    DROP_STREAM(old);
    subscription_drop(&self->map.key);
}

static void hear(struct subscriber *self)
{
    size_t length = strlen(self->heard);
    snprintf(self->heard + length, 256 - length, "%s %d\n", self->map.key->topic,
             self->next.output < 0 ? self->next.output : self->message);
}

ASYNC(subscriber)
{
    ASYNC_BEGIN;
    edo_streammap_equal(&self->map, same_topic);
    edo_streammap_on_drop(&self->map, subscription_drop);
    self->stream = edo_streammap(&self->map);
    while (!self->closed || edo_streammap_len(&self->map) > 0) {
        SELECT_BIASED {
            WHEN_IF(edo_streammap_len(&self->map) > 0, self->next,
                    edo_next(self->stream, &self->message)) {
                if (self->next.output != 0)
                    hear(self);
            }
            WHEN_IF(!self->closed, self->recv, edo_mpsc_recv(self->orders, &self->order)) {
                if (self->recv.output < 0)
                    self->closed = true;
                else
                    obey(self, cx);
            }
        }
    }
ASYNC_FINALLY:
    DROP_STREAM(edo_streammap(&self->map));
    edo_mpsc_receiver_drop(self->orders);
    ASYNC_END;
}

/* Does what a line says, and lets the subscriber run: +N, -N, N: subscribe, unsubscribe, publish a
 * number; xN: the topic closes; .: lets it run; !: is gone. */
struct radio {
    FUTURE(int);
    const char *line;
    char *heard;
    struct topic topics[TOPICS];
    MPSC_SENDER(struct order) orders;
    JOIN_HANDLE(int) handle;
    int published, i;
    struct edo_join join;
};

static void radio_begin(struct radio *self)
{
    MPSC_RECEIVER(struct order) orders;
    cr_assert_eq(edo_mpsc(&self->orders, &orders, 8), 0);
    for (int i = 0; i < TOPICS; i++) {
        BROADCAST_RECEIVER(int) rx;
        cr_assert_eq(edo_broadcast(&self->topics[i].tx, &rx, 2), 0);
        edo_broadcast_receiver_drop(rx);
    }
    self->handle =
        SPAWN(NEW(subscriber, .topics = self->topics, .orders = orders, .heard = self->heard));
}

static bool radio_step(struct radio *self)
{
    char what = *self->line++;
    if (what == '.')
        return true;
    int topic = (what >= '0' && what <= '9' ? what : *self->line++) - '0';
    if (what == '+' || what == '-') {
        cr_assert_eq(edo_mpsc_try_send(self->orders, &((struct order){what == '+', topic})), 0);
    } else if (what == 'x') {
        edo_broadcast_sender_drop(self->topics[topic].tx);
        self->topics[topic].tx = NULL;
    } else {
        self->published++;
        edo_broadcast_send(self->topics[topic].tx, &self->published);
    }
    return false;
}

ASYNC(radio)
{
    ASYNC_BEGIN;
    radio_begin(self);
    while (*self->line != '\0' && *self->line != '!') {
        if (radio_step(self))
            YIELD_NOW();
    }
    if (*self->line == '!') {
        edo_task_abort(self->handle);
    } else {
        edo_mpsc_sender_drop(self->orders);
        self->orders = NULL;
    }
    AWAIT(self->join, edo_join(self->handle, &self->i));
    RETURN(self->join.output);
ASYNC_FINALLY:
    edo_mpsc_sender_drop(self->orders);
    for (int i = 0; i < TOPICS; i++)
        edo_broadcast_sender_drop(self->topics[i].tx);
    ASYNC_END;
}

static void check_radio(const char *line, const char *expected)
{
    struct edo_census before = edo_census_now();
    struct edo_runtime *runtime;
    cr_assert_eq(edo_runtime_new(&runtime), 0);
    char heard[256] = "";
    struct radio radio = NEW(radio, .line = line, .heard = heard);
    cr_assert_eq(edo_block_on(runtime, &radio), 0);
    edo_runtime_drop(runtime);
    cr_assert_str_eq(heard, expected, "of \"%s\": %s", line, heard);
    struct edo_census after = edo_census_now();
    for (int i = 0; i < EDO_CENSUS_KINDS; i++)
        cr_assert_eq(after.live[i], before.live[i], "\"%s\": %s", line, edo_census_name(i));
}

Test(streammap, a_subscriber_subscribes_and_unsubscribes_while_it_runs)
{
    check_radio("0.x0x1x2", "");
    check_radio("+0.0.0.1.x0", "news 1\nnews 2\n");
    check_radio("+0+1.0.1.-0.0.1.+2.2.-1-2.012.", "news 1\nsport 2\nsport 4\nweather 5\n");
    check_radio("+0.0.+0.0.x0.+1.1.x1", "news 1\nnews 2\nsport 3\n");
    /* Of three messages, a channel of two has lost one. */
    check_radio("+1.111.x1", "sport -5006\nsport 2\nsport 3\n");
    check_radio("-0.-1.+0.-0.0.", "");
    check_radio("+0+1+2.0.1.2.!", "news 1\nsport 2\nweather 3\n");
}
