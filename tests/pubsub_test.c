/* SPDX-License-Identifier: MIT */
/* Publishing and subscribing without a network: several clients' sessions on one pubsub, and the
 * futures of a subscriber, polled by hand. */
#include <errno.h>

#include "pubsub_helpers.h"

/* What it was sent since the last time. */
static void expect_sent(struct world *world, int i, const char *expected)
{
    size_t length = edo_bytes_length(&world->out[i]);
    const char *sent = length > 0 ? edo_bytes_data(&world->out[i]) : "";
    cr_assert(length == strlen(expected) && memcmp(sent, expected, length) == 0, "%.*s",
              (int)length, sent);
    edo_bytes_consume(&world->out[i], length);
}

static void expect(struct world *world, int i, const char *line, const char *reply)
{
    int r = run(world, i, line);
    cr_assert(r == COMMAND_OK || r == COMMAND_REST, "%s: %d", line, r);
    expect_sent(world, i, reply);
}

/* Client number i is told what was published. */
static void expect_told(struct world *world, int i, const char *messages)
{
    cr_assert_eq(subscriber_write(world->sessions[i].subscriber, &world->out[i], SIZE_MAX), 0);
    expect_sent(world, i, messages);
}

#define MESSAGE(channel, payload) "*3\r\n$7\r\nmessage\r\n" channel "\r\n" payload "\r\n"
#define PMESSAGE(pattern, channel, payload) \
    "*4\r\n$8\r\npmessage\r\n" pattern "\r\n" channel "\r\n" payload "\r\n"

Test(pubsub, a_message_goes_to_the_channel_and_to_each_pattern)
{
    struct world world;
    begin(&world);
    subscribe(&world, 0, "PSUBSCRIBE n* *.1 x*");
    subscribe(&world, 0, "SUBSCRIBE n.1 n.2");
    subscribe(&world, 1, "SUBSCRIBE n.1");
    expect(&world, 2, "PUBLISH n.1 hello", ":4\r\n");
    expect(&world, 2, "PUBLISH n.2 ''", ":2\r\n");
    expect(&world, 2, "PUBLISH nobody x", ":1\r\n");
    expect(&world, 2, "PUBLISH m.2 x", ":0\r\n");
    expect_told(&world, 0,
                MESSAGE("$3\r\nn.1", "$5\r\nhello") PMESSAGE("$2\r\nn*", "$3\r\nn.1", "$5\r\nhello")
                    PMESSAGE("$3\r\n*.1", "$3\r\nn.1", "$5\r\nhello") MESSAGE("$3\r\nn.2", "$0\r\n")
                        PMESSAGE("$2\r\nn*", "$3\r\nn.2", "$0\r\n")
                            PMESSAGE("$2\r\nn*", "$6\r\nnobody", "$1\r\nx"));
    expect_told(&world, 1, MESSAGE("$3\r\nn.1", "$5\r\nhello"));
    expect(&world, 2, "PUBSUB CHANNELS", "*2\r\n$3\r\nn.1\r\n$3\r\nn.2\r\n");
    expect(&world, 2, "PUBSUB CHANNELS *.2", "*1\r\n$3\r\nn.2\r\n");
    expect(&world, 2, "PUBSUB NUMSUB n.1 x n.2",
           "*6\r\n$3\r\nn.1\r\n:2\r\n$1\r\nx\r\n:0\r\n$3\r\nn.2\r\n:1\r\n");
    expect(&world, 2, "PUBSUB NUMPAT", ":3\r\n");
    end(&world);
}

/* Whatever it says, it is answered behind what was published before. */
Test(pubsub, messages_come_before_the_reply_to_what_was_said_after_them)
{
    struct world world;
    begin(&world);
    subscribe(&world, 0, "SUBSCRIBE a b");
    cr_assert_eq(publish(&world, "a", "1"), 1);
    expect(&world, 0, "PING", MESSAGE("$1\r\na", "$1\r\n1") "*2\r\n$4\r\npong\r\n$0\r\n\r\n");
    cr_assert_eq(publish(&world, "b", "2"), 1);
    cr_assert_eq(publish(&world, "a", "3"), 1);
    expect(&world, 0, "UNSUBSCRIBE a",
           MESSAGE("$1\r\nb", "$1\r\n2")
               MESSAGE("$1\r\na", "$1\r\n3") "*3\r\n$11\r\nunsubscribe\r\n$1\r\na\r\n:1\r\n");
    cr_assert_eq(publish(&world, "a", "4"), 0);
    cr_assert_eq(publish(&world, "b", "5"), 1);
    expect(&world, 0, "RESET", MESSAGE("$1\r\nb", "$1\r\n5") "+RESET\r\n");
    cr_assert_eq(publish(&world, "b", "6"), 0);
    end(&world);
}

/* So that there is room for the reply. */
Test(pubsub, a_reply_waits_while_many_messages_are_before_it)
{
    struct world world;
    begin(&world);
    subscribe(&world, 0, "SUBSCRIBE a");
    edo_bytes_free(&world.out[0]);
    edo_bytes_init(&world.out[0], 200); /* half of it holds four of these */
    for (int i = 0; i < 6; i++)
        cr_assert_eq(publish(&world, "a", "x"), 1);
#define X MESSAGE("$1\r\na", "$1\r\nx")
    cr_assert_eq(run(&world, 0, "PING"), COMMAND_AGAIN);
    expect_sent(&world, 0, X X X X);
    expect(&world, 0, "PING", X X "*2\r\n$4\r\npong\r\n$0\r\n\r\n");
#undef X
    end(&world);
}

static uint64_t drawn(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    return *state ^= *state << 17;
}

/* Of many topics, some of which have much and some little, read and not read for a while. */
Test(pubsub, messages_of_all_topics_come_in_the_order_of_publishing)
{
    struct world world;
    uint64_t state = 0x2545f4914f6cdd1du;
    begin(&world);
    for (int i = 0; i < 40; i++) {
        char line[64];
        snprintf(line, sizeof line, "SUBSCRIBE topic.%d", i);
        subscribe(&world, 0, line);
    }
    int next = 0, told = 0;
    for (int round = 0; round < 400; round++) {
        char topic[32], payload[32];
        for (uint64_t n = drawn(&state) % 60; n > 0; n--) {
            snprintf(topic, sizeof topic, "topic.%d", (int)(drawn(&state) % 60));
            snprintf(payload, sizeof payload, "<%d>", next);
            int r = publish(&world, topic, payload);
            cr_assert(r == 0 || r == 1);
            next += r;
        }
        /* Not to the end, each other time. */
        size_t most = round % 2 == 0 ? SIZE_MAX : 200;
        cr_assert_eq(subscriber_write(world.sessions[0].subscriber, &world.out[0], most), 0);
        if (edo_bytes_length(&world.out[0]) == 0)
            continue;
        cr_assert_eq(edo_bytes_append(&world.out[0], "", 1), 0);
        const char *at = edo_bytes_data(&world.out[0]);
        for (int number; (at = strchr(at, '<')) != NULL; at++) {
            cr_assert_eq(sscanf(at, "<%d>", &number), 1);
            cr_assert_eq(number, told++);
        }
        edo_bytes_clear(&world.out[0]);
    }
    cr_assert_gt(told, 1000);
    end(&world);
}

Test(pubsub, a_message_is_there_once_however_many_get_it)
{
    struct world world;
    begin(&world);
    for (int i = 0; i < CLIENTS; i++)
        subscribe(&world, i, i % 2 == 0 ? "PSUBSCRIBE *" : "SUBSCRIBE a");
    static char payload[100001];
    memset(payload, 'p', 100000);
    int64_t before = edo_census_now().live[EDO_CENSUS_BYTES];
    cr_assert_eq(publish(&world, "a", payload), CLIENTS);
    cr_assert_lt(edo_census_now().live[EDO_CENSUS_BYTES] - before, 102000);
    cr_assert_lt(world.pubsub.bytes, 101000);
    /* Kept, by each of them, it still is. */
    for (int i = 0; i < CLIENTS; i++) {
        struct subscriber_wait wait = subscriber_overrun(world.sessions[i].subscriber);
        cr_assert_eq(POLL(wait), EDO_PENDING);
        cr_assert_geq(subscriber_kept(world.sessions[i].subscriber), 100000);
        DROP_IT(wait);
    }
    cr_assert_lt(edo_census_now().live[EDO_CENSUS_BYTES] - before, 110000);
    for (int i = 0; i < CLIENTS; i++) {
        cr_assert_neq(world.pubsub.bytes, 0);
        cr_assert_eq(subscriber_write(world.sessions[i].subscriber, &world.out[i], SIZE_MAX), 0);
        cr_assert_gt(edo_bytes_length(&world.out[i]), 100000);
        cr_assert_eq(subscriber_kept(world.sessions[i].subscriber), 0);
    }
    cr_assert_eq(world.pubsub.bytes, 0);
    end(&world);
}

Test(pubsub, a_message_waits_from_when_it_is_published_until_it_is_written)
{
    struct world world;
    begin(&world);
    subscribe(&world, 0, "SUBSCRIBE a");
    subscribe(&world, 0, "PSUBSCRIBE a*");
    cr_assert_eq(world.sessions[0].waits, 0);
    cr_assert_eq(publish(&world, "a", "1"), 2);
    int64_t size = (int64_t)world.pubsub.bytes;
    cr_assert_eq(world.sessions[0].waits, 2 * size, "by the channel and by the pattern");
    struct subscriber_wait wait = subscriber_overrun(world.sessions[0].subscriber);
    cr_assert_eq(POLL(wait), EDO_PENDING);
    DROP_IT(wait);
    cr_assert_eq(subscriber_kept(world.sessions[0].subscriber), 2 * (size_t)size);
    cr_assert_eq(world.sessions[0].waits, 2 * size, "also when it is kept");
    cr_assert_eq(publish(&world, "a", "2"), 2);
    cr_assert_eq(world.sessions[0].waits, 4 * size);
    cr_assert_eq(subscriber_write(world.sessions[0].subscriber, &world.out[0], 1), 0);
    cr_assert_eq(world.sessions[0].waits, 3 * size);
    cr_assert_eq(subscriber_write(world.sessions[0].subscriber, &world.out[0], SIZE_MAX), 0);
    cr_assert_eq(world.sessions[0].waits, 0);
    cr_assert_eq(publish(&world, "a", "3"), 2);
    command_session_end(&world.sessions[0]);
    cr_assert_eq(world.sessions[0].waits, 0);
    end(&world);
}

/* Who could take them has not had its turn: nothing is lost, nobody lags. */
Test(pubsub, a_publisher_gives_way_when_there_is_no_room)
{
    struct world world;
    begin(&world);
    subscribe(&world, 0, "SUBSCRIBE a");
    subscribe(&world, 1, "PSUBSCRIBE a*");
    for (int i = 0; i < PUBSUB_RING; i++)
        expect(&world, 2, "PUBLISH a x", ":2\r\n");
    cr_assert_eq(run(&world, 2, "PUBLISH a y"), COMMAND_AGAIN);
    expect_sent(&world, 2, "");
    expect(&world, 2, "PUBLISH b y", ":0\r\n");
    /* The first has taken them, then the second: who is there for one of two is not enough. */
    cr_assert_eq(subscriber_write(world.sessions[0].subscriber, &world.out[0], SIZE_MAX), 0);
    cr_assert_eq(edo_bytes_length(&world.out[0]),
                 PUBSUB_RING * strlen(MESSAGE("$1\r\na", "$1\r\nx")));
    edo_bytes_clear(&world.out[0]);
    cr_assert_eq(run(&world, 2, "PUBLISH a y"), COMMAND_AGAIN);
    expect_told(&world, 0, "");
    cr_assert_eq(subscriber_write(world.sessions[1].subscriber, &world.out[1], 1), 0);
    expect_sent(&world, 1, PMESSAGE("$2\r\na*", "$1\r\na", "$1\r\nx"));
    expect(&world, 2, "PUBLISH a y", ":2\r\n");
    expect_told(&world, 0, MESSAGE("$1\r\na", "$1\r\ny"));
    /* One that leaves holds up nobody. The second has its next message in its hands already. */
    expect(&world, 2, "PUBLISH a y", ":2\r\n");
    cr_assert_eq(run(&world, 2, "PUBLISH a z"), COMMAND_AGAIN);
    command_session_end(&world.sessions[1]);
    expect(&world, 2, "PUBLISH a z", ":1\r\n");
    end(&world);
}

Test(pubsub, many_patterns_end_the_turn_of_a_publisher)
{
    struct world world;
    begin(&world);
    for (int i = 0; i < 64; i++) {
        char line[32];
        snprintf(line, sizeof line, "PSUBSCRIBE %d*", i);
        subscribe(&world, 0, line);
    }
    cr_assert_eq(run(&world, 1, "PUBLISH a x"), COMMAND_OK);
    subscribe(&world, 0, "PSUBSCRIBE a*");
    cr_assert_eq(run(&world, 1, "PUBLISH a x"), COMMAND_REST);
    expect_sent(&world, 1, ":0\r\n:1\r\n");
    end(&world);
}

Test(pubsub, a_wait_is_woken_once_by_whatever_comes)
{
    struct world world;
    begin(&world);
    subscribe(&world, 0, "SUBSCRIBE a b");
    struct subscriber *subscriber = world.sessions[0].subscriber;
    struct subscriber_wait wait = subscriber_wait(subscriber);
    cr_assert_eq(POLL(wait), EDO_PENDING);
    cr_assert_eq(POLL(wait), EDO_PENDING);
    cr_assert_eq(publish(&world, "nobody", "0"), 0);
    cr_assert_eq(bench.counter.wakes, 0);
    for (int i = 0; i < 3; i++) {
        cr_assert_eq(publish(&world, "b", "1"), 1);
        cr_assert_eq(publish(&world, "a", "2"), 1);
    }
    cr_assert_eq(bench.counter.wakes, 1);
    cr_assert_eq(POLL(wait), EDO_READY);
    /* It took nothing: it is ready again. */
    wait = subscriber_wait(subscriber);
    cr_assert_eq(POLL(wait), EDO_READY);
    cr_assert_eq(subscriber_write(subscriber, &world.out[0], SIZE_MAX), 0);
    wait = subscriber_wait(subscriber);
    cr_assert_eq(POLL(wait), EDO_PENDING);
    cr_assert_eq(publish(&world, "a", "3"), 1);
    cr_assert_eq(bench.counter.wakes, 2);
    DROP_IT(wait);
    /* What came, and what comes while nobody waits, is found. */
    cr_assert_eq(publish(&world, "b", "4"), 1);
    cr_assert_eq(bench.counter.wakes, 2);
    wait = subscriber_wait(subscriber);
    cr_assert_eq(POLL(wait), EDO_READY);
    edo_bytes_clear(&world.out[0]);
    expect_told(&world, 0, MESSAGE("$1\r\na", "$1\r\n3") MESSAGE("$1\r\nb", "$1\r\n4"));
    end(&world);
}

/* A waker that must be cloned to be kept: each clone is given back, woken or not. */
Test(pubsub, a_foreign_waker_is_cloned_and_dropped)
{
    static const struct edo_waker_ops foreign = {counter_wake, counter_clone, counter_drop, NULL,
                                                 NULL};
    struct world world;
    begin(&world);
    bench.counter.waker.ops = &foreign;
    subscribe(&world, 0, "SUBSCRIBE a");
    struct subscriber *subscriber = world.sessions[0].subscriber;
    struct subscriber_wait wait = subscriber_wait(subscriber);
    cr_assert_eq(POLL(wait), EDO_PENDING);
    cr_assert_eq(bench.counter.clones, 1);
    DROP_IT(wait);
    cr_assert_eq(bench.counter.drops, 1);
    wait = subscriber_wait(subscriber);
    cr_assert_eq(POLL(wait), EDO_PENDING);
    cr_assert_eq(publish(&world, "a", "1"), 1);
    cr_assert_eq(bench.counter.wakes, 1);
    cr_assert_eq(bench.counter.drops, 2);
    cr_assert_eq(POLL(wait), EDO_READY);
    end(&world);
}

Test(pubsub, a_slow_subscriber_keeps_so_many_messages)
{
    struct world world;
    struct pubsub_limits limits = PUBSUB_LIMITS_DEFAULT;
    limits.messages = 3;
    begin_limited(&world, limits);
    subscribe(&world, 0, "SUBSCRIBE a");
    struct subscriber *subscriber = world.sessions[0].subscriber;
    struct subscriber_wait overrun = subscriber_overrun(subscriber);
    for (int i = 0; i < 3; i++) {
        cr_assert_eq(POLL(overrun), EDO_PENDING);
        cr_assert_eq(publish(&world, "a", "x"), 1);
    }
    cr_assert_eq(POLL(overrun), EDO_PENDING);
    cr_assert_eq(bench.counter.wakes, 3);
    cr_assert_eq(publish(&world, "a", "y"), 1);
    cr_assert_eq(POLL(overrun), EDO_READY);
    /* Nothing is lost by it. */
#define X MESSAGE("$1\r\na", "$1\r\nx")
    expect_told(&world, 0, X X X MESSAGE("$1\r\na", "$1\r\ny"));
#undef X
    overrun = subscriber_overrun(subscriber);
    cr_assert_eq(POLL(overrun), EDO_PENDING);
    DROP_IT(overrun);
    end(&world);
}

Test(pubsub, a_slow_subscriber_keeps_so_many_bytes_or_one_message)
{
    struct world world;
    struct pubsub_limits limits = PUBSUB_LIMITS_DEFAULT;
    limits.bytes = 1000;
    begin_limited(&world, limits);
    subscribe(&world, 0, "SUBSCRIBE a");
    struct subscriber *subscriber = world.sessions[0].subscriber;
    char payload[5001], small[301];
    memset(payload, 'p', 5000);
    payload[5000] = '\0';
    memset(small, 's', 300);
    small[300] = '\0';
    struct subscriber_wait overrun = subscriber_overrun(subscriber);
    cr_assert_eq(publish(&world, "a", payload), 1);
    cr_assert_eq(POLL(overrun), EDO_PENDING);
    cr_assert_eq(publish(&world, "a", ""), 1);
    cr_assert_eq(POLL(overrun), EDO_READY);
    cr_assert_eq(subscriber_write(subscriber, &world.out[0], SIZE_MAX), 0);
    overrun = subscriber_overrun(subscriber);
    for (int i = 0; i < 2; i++)
        cr_assert_eq(publish(&world, "a", small), 1);
    cr_assert_eq(POLL(overrun), EDO_PENDING);
    cr_assert_geq(subscriber_kept(subscriber), 600);
    cr_assert_leq(subscriber_kept(subscriber), 1000);
    cr_assert_eq(publish(&world, "a", small), 1);
    cr_assert_eq(POLL(overrun), EDO_READY);
    cr_assert_leq(subscriber_kept(subscriber), 1000);
    end(&world);
}

Test(pubsub, without_memory_nothing_is_kept_and_nothing_lost)
{
    struct world world;
    begin(&world);
    subscribe(&world, 0, "SUBSCRIBE a");
    struct subscriber_wait overrun = subscriber_overrun(world.sessions[0].subscriber);
    cr_assert_eq(publish(&world, "a", "x"), 1);
    edo_bytes_free(&world.out[0]);
    edo_alloc_fail(1, true);
    cr_assert_eq(POLL(overrun), EDO_READY);
    cr_assert_eq(subscriber_write(world.sessions[0].subscriber, &world.out[0], SIZE_MAX), -ENOMEM);
    cr_assert(edo_alloc_fail(0, false));
    expect_told(&world, 0, MESSAGE("$1\r\na", "$1\r\nx"));
    end(&world);
}

/* What PUBLISH says is how many were told. */
Test(pubsub, a_failed_allocation_is_told_by_the_number_of_receivers)
{
    for (int sticky = 0; sticky < 2; sticky++) {
        bool fired = true;
        for (uint64_t n = 1; fired; n++) {
            struct world world;
            begin(&world);
            subscribe(&world, 0, "PSUBSCRIBE * a*");
            subscribe(&world, 0, "SUBSCRIBE a");
            edo_alloc_fail(n, sticky);
            int r = publish(&world, "a", "x");
            fired = edo_alloc_fail(0, false);
            cr_assert(r == 3 || fired);
            cr_assert(r >= 0 || r == -ENOMEM);
            cr_assert_eq(subscriber_write(world.sessions[0].subscriber, &world.out[0], SIZE_MAX),
                         0);
            int told = 0;
            for (size_t i = 0; i < edo_bytes_length(&world.out[0]); i++)
                told += edo_bytes_data(&world.out[0])[i] == 'x';
            cr_assert_eq(told, r > 0 ? r : 0);
            end(&world);
        }
    }
}

Test(pubsub, subscriptions_are_limited_and_refused_together)
{
    static const char full[] = "-ERR max number of subscriptions reached\r\n";
    struct world world;
    struct pubsub_limits limits = PUBSUB_LIMITS_DEFAULT;
    limits.subscriptions = 3;
    begin_limited(&world, limits);
    expect(&world, 0, "SUBSCRIBE a b c d", full);
    cr_assert_null(world.sessions[0].subscriber);
    expect(&world, 0, "PING", "+PONG\r\n");
    subscribe(&world, 0, "SUBSCRIBE a b a");
    subscribe(&world, 0, "PSUBSCRIBE c");
    expect(&world, 0, "SUBSCRIBE a d", full);
    expect(&world, 0, "PSUBSCRIBE d", full);
    expect(&world, 0, "SUBSCRIBE b", "*3\r\n$9\r\nsubscribe\r\n$1\r\nb\r\n:3\r\n");
    expect(&world, 1, "PUBSUB CHANNELS", "*2\r\n$1\r\na\r\n$1\r\nb\r\n");
    subscribe(&world, 1, "SUBSCRIBE a c d");
    subscribe(&world, 0, "UNSUBSCRIBE a");
    expect(&world, 0, "SUBSCRIBE d", "*3\r\n$9\r\nsubscribe\r\n$1\r\nd\r\n:3\r\n");
    end(&world);
}

Test(pubsub, patterns_are_limited_for_all)
{
    static const char full[] = "-ERR max number of patterns reached\r\n";
    struct world world;
    struct pubsub_limits limits = PUBSUB_LIMITS_DEFAULT;
    limits.patterns = 2;
    begin_limited(&world, limits);
    subscribe(&world, 0, "PSUBSCRIBE a*");
    expect(&world, 1, "PSUBSCRIBE a* b* c*", full);
    expect(&world, 2, "PUBSUB NUMPAT", ":1\r\n");
    subscribe(&world, 1, "PSUBSCRIBE a* b*");
    expect(&world, 0, "PSUBSCRIBE c*", full);
    subscribe(&world, 0, "PSUBSCRIBE b*");
    subscribe(&world, 0, "SUBSCRIBE c*");
    end(&world);
}

Test(pubsub, names_are_limited)
{
    static const char long_name[] = "-ERR channel or pattern is longer than 255 bytes\r\n";
    static const char *const commands[] = {"SUBSCRIBE b", "PSUBSCRIBE b", "PUBSUB CHANNELS"};
    struct world world;
    char name[PUBSUB_NAME_MAX + 2] = "", line[400];
    begin(&world);
    memset(name, 'n', PUBSUB_NAME_MAX + 1);
    for (size_t i = 0; i < 3; i++) {
        snprintf(line, sizeof line, "%s %s", commands[i], name);
        expect(&world, 0, line, long_name);
        cr_assert_null(world.sessions[0].subscriber);
    }
    snprintf(line, sizeof line, "PUBLISH %s x", name);
    expect(&world, 1, line, long_name);
    name[PUBSUB_NAME_MAX] = '\0';
    snprintf(line, sizeof line, "SUBSCRIBE %s", name);
    subscribe(&world, 0, line);
    snprintf(line, sizeof line, "PSUBSCRIBE %s", name);
    subscribe(&world, 0, line);
    cr_assert_eq(publish(&world, name, "x"), 2);
    end(&world);
}

/* In each of the places where a message can be. */
Test(pubsub, who_leaves_leaves_nothing)
{
    struct world world;
    begin(&world);
    subscribe(&world, 0, "SUBSCRIBE a b c");
    subscribe(&world, 1, "SUBSCRIBE a b c");
    struct subscriber *subscriber = world.sessions[0].subscriber;
    struct subscriber_wait wait = subscriber_overrun(subscriber);
    cr_assert_eq(publish(&world, "a", "kept"), 2);
    cr_assert_eq(publish(&world, "b", "kept"), 2);
    cr_assert_eq(POLL(wait), EDO_PENDING);
    DROP_IT(wait);
    cr_assert_eq(publish(&world, "c", "received"), 2);
    cr_assert_eq(publish(&world, "b", "woken of"), 2);
    wait = subscriber_wait(subscriber);
    cr_assert_eq(POLL(wait), EDO_READY);
    cr_assert_eq(publish(&world, "b", "in the channel"), 2);
    command_session_end(&world.sessions[0]);
    command_session_end(&world.sessions[0]);
    cr_assert_neq(world.pubsub.bytes, 0);
    expect(&world, 2, "PUBSUB NUMSUB a", "*2\r\n$1\r\na\r\n:1\r\n");
    command_session_end(&world.sessions[1]);
    cr_assert_eq(world.pubsub.bytes, 0);
    expect(&world, 2, "PUBSUB CHANNELS", "*0\r\n");
    end(&world);
}

Test(pubsub, topics_that_nobody_is_subscribed_to_any_more_are_forgotten)
{
    enum { CHANNELS = 10000 };
    struct world world;
    begin(&world);
    int64_t before = edo_census_now().live[EDO_CENSUS_BYTES], full;
    for (int i = 0; i < CHANNELS; i++) {
        char line[64];
        snprintf(line, sizeof line, "SUBSCRIBE channel.%d", i);
        subscribe(&world, 0, line);
    }
    full = edo_census_now().live[EDO_CENSUS_BYTES] - before;
    cr_assert_leq(full, (int64_t)subscriber_size(world.sessions[0].subscriber));
    cr_assert_gt(full, (int64_t)subscriber_size(world.sessions[0].subscriber) / 2);
    cr_assert_eq(publish(&world, "channel.9999", "x"), 1);
    expect_told(&world, 0, MESSAGE("$12\r\nchannel.9999", "$1\r\nx"));
    cr_assert_eq(run(&world, 0, "UNSUBSCRIBE"), COMMAND_OK);
    edo_bytes_free(&world.out[0]);
    cr_assert_null(world.sessions[0].subscriber);
    cr_assert_lt(edo_census_now().live[EDO_CENSUS_BYTES] - before, full / 20);
    end(&world);
}

/* A client that is quicker than the publisher: it has taken a post, and found nothing behind it, before it is
 * told of that post. */
static struct world *quick_world;
static void (*late_told)(struct listener *listener, uint64_t number, size_t size);

static void take_before_told(struct listener *listener, uint64_t number, size_t size)
{
    struct world *world = quick_world;
    cr_assert_eq(subscriber_write(world->sessions[0].subscriber, &world->out[0], SIZE_MAX), 0);
    late_told(listener, number, size);
}

static struct listener *listener_of(struct world *world, enum pubsub_kind kind, const char *name)
{
    struct topic *topic = topic_find(&world->pubsub, kind, (struct store_text){name, strlen(name)});
    return edo_container_of(topic->listeners.next, struct listener, node);
}

Test(pubsub, what_is_told_of_late_may_have_been_taken)
{
    struct world world;
    begin(&world);
    quick_world = &world;
    subscribe(&world, 0, "SUBSCRIBE a");
    subscribe(&world, 0, "PSUBSCRIBE a*");
    for (int kind = 0; kind < PUBSUB_KINDS; kind++) {
        struct listener *listener =
            listener_of(&world, (enum pubsub_kind)kind, kind == PUBSUB_CHANNEL ? "a" : "a*");
        cr_assert_eq(publish(&world, "a", "1"), 2);
        late_told = listener->told;
        listener->told = take_before_told;
        cr_assert_eq(publish(&world, "a", "2"), 2);
        listener->told = late_told;
        /* There is something, or not; what comes now is in order all the same. */
        for (int more = 0; more < 3; more++) {
            for (int i = 0; i < more; i++)
                cr_assert_eq(publish(&world, "a", "3"), 2);
            cr_assert_eq(subscriber_write(world.sessions[0].subscriber, &world.out[0], SIZE_MAX),
                         0);
            cr_assert(!subscriber_pending(world.sessions[0].subscriber));
        }
        char told[1024] = "";
        for (const char *text = "12333"; *text != '\0'; text++)
            sprintf(told + strlen(told),
                    MESSAGE("$1\r\na", "$1\r\n%c") PMESSAGE("$2\r\na*", "$1\r\na", "$1\r\n%c"),
                    *text, *text);
        expect_sent(&world, 0, told);
    }
    end(&world);
}
