/* SPDX-License-Identifier: MIT */
/* mini-redis' publish and subscribe, through sockets. */
#include <stdlib.h>

#include "mini_redis_helpers.h"

/* What a subscriber is told, frame by frame. */
struct reader {
    int fd;
    struct edo_bytes in;
    struct resp_parser parser;
    size_t consumed; /* by the frame that was read last */
};

static struct reader reader(int fd)
{
    struct reader reader = {.fd = fd};
    resp_parser_init(&reader.parser, RESP_REPLIES, &RESP_LIMITS_DEFAULT);
    return reader;
}

/* The next frame; NULL at the end. */
static const struct resp_value *next(struct reader *reader)
{
    edo_bytes_consume(&reader->in, reader->consumed);
    for (;;) {
        int r = resp_parse(&reader->parser, edo_bytes_data(&reader->in),
                           edo_bytes_length(&reader->in), &reader->consumed);
        if (r == RESP_COMPLETE)
            return reader->parser.values;
        cr_assert_eq(r, RESP_MORE, "%s", reader->parser.error);
        cr_assert_eq(edo_bytes_reserve(&reader->in, 65536), 0);
        ssize_t n = recv(reader->fd, edo_bytes_spare(&reader->in), 65536, 0);
        if (n == 0)
            return NULL;
        cr_assert_gt(n, 0, "recv: %s", strerror(errno));
        edo_bytes_advance(&reader->in, (size_t)n);
    }
}

static void done(struct reader *reader)
{
    close(reader->fd);
    edo_bytes_free(&reader->in);
    resp_parser_free(&reader->parser);
}

static bool is(const struct resp_value *value, const char *text)
{
    return value->length == strlen(text) && memcmp(value->text, text, value->length) == 0;
}

static int number(const struct resp_value *value)
{
    char text[32] = "";
    memcpy(text, value->text, value->length < sizeof text ? value->length : sizeof text - 1);
    return atoi(text);
}

/* Publishes, and how many were told. */
static int publish(int fd, const char *channel, const char *payload, size_t size)
{
    char *sent = malloc(size + 128), digit;
    int n = snprintf(sent, 128, "*3\r\n$7\r\nPUBLISH\r\n$%zu\r\n%s\r\n$%zu\r\n", strlen(channel),
                     channel, size);
    memcpy(sent + n, payload, size);
    memcpy(sent + n + size, "\r\n", 2);
    put(fd, sent, (size_t)n + size + 2);
    free(sent);
    want(fd, ":");
    cr_assert_eq(recv(fd, &digit, 1, MSG_WAITALL), 1);
    want(fd, "\r\n");
    return digit - '0';
}

#define SUBSCRIBED(name, count)   "*3\r\n$9\r\nsubscribe\r\n" name "\r\n:" count "\r\n"
#define MESSAGE(channel, payload) "*3\r\n$7\r\nmessage\r\n" channel "\r\n" payload "\r\n"

FLAVORS(a_subscriber_is_told_what_is_published);
ParameterizedTest(const unsigned *workers, mini_redis, a_subscriber_is_told_what_is_published)
{
    struct fixture fixture = {.limits = limits_default, .workers = *workers};
    start(&fixture);
    int subscriber = dial(&fixture), pattern = dial(&fixture), publisher = dial(&fixture);
    say(subscriber, "SUBSCRIBE a b\r\n");
    want(subscriber, SUBSCRIBED("$1\r\na", "1") SUBSCRIBED("$1\r\nb", "2"));
    say(pattern, "PSUBSCRIBE ?\r\n");
    want(pattern, "*3\r\n$10\r\npsubscribe\r\n$1\r\n?\r\n:1\r\n");
    cr_assert_eq(publish(publisher, "b", "one", 3), 2);
    cr_assert_eq(publish(publisher, "nobody", "two", 3), 0);
    cr_assert_eq(publish(publisher, "a", "three", 5), 2);
    cr_assert_eq(publish(publisher, "c", "four", 4), 1);
    want(subscriber, MESSAGE("$1\r\nb", "$3\r\none") MESSAGE("$1\r\na", "$5\r\nthree"));
    want(pattern, "*4\r\n$8\r\npmessage\r\n$1\r\n?\r\n$1\r\nb\r\n$3\r\none\r\n"
                  "*4\r\n$8\r\npmessage\r\n$1\r\n?\r\n$1\r\na\r\n$5\r\nthree\r\n"
                  "*4\r\n$8\r\npmessage\r\n$1\r\n?\r\n$1\r\nc\r\n$4\r\nfour\r\n");
    say(subscriber, "PING\r\nGET a\r\nQUIT\r\n");
    want(subscriber, "*2\r\n$4\r\npong\r\n$0\r\n\r\n-ERR Can't execute 'get'");
    want_end(subscriber);
    cr_assert_eq(publish(publisher, "a", "five", 4), 1);
    /* It goes without a word; the server learns of it in its own time. */
    close(pattern);
    while (publish(publisher, "a", "six", 3) != 0)
        ;
    close(publisher);
    stop(&fixture);
}

/* Publishes from within, and tells how much is then on its way. */
struct announce {
    FUTURE(void);
    struct pubsub *pubsub;
    size_t size;
    size_t *pending;
    sem_t *done;
};

ASYNC(announce)
{
    static char payload[100000];
    ASYNC_BEGIN;
    cr_assert_gt(pubsub_publish(self->pubsub, (struct store_text){"a", 1},
                                (struct store_text){payload, self->size}),
                 0);
    *self->pending = self->pubsub->bytes;
    sem_post(self->done);
    ASYNC_END;
}

static size_t announce(struct fixture *fixture, size_t size)
{
    sem_t done;
    size_t pending;
    sem_init(&done, 0, 0);
    edo_task_detach(
        SPAWN_ON(fixture->handle, NEW(announce, .pubsub = &fixture->server.pubsub, .size = size,
                                      .pending = &pending, .done = &done)));
    while (sem_wait(&done) != 0)
        ;
    sem_destroy(&done);
    return pending;
}

FLAVORS(a_subscriber_may_be_silent);
ParameterizedTest(const unsigned *workers, mini_redis, a_subscriber_may_be_silent)
{
    static const char confirmed[] = SUBSCRIBED("$1\r\na", "1");
    struct fixture fixture = {.limits = limits_default, .workers = *workers};
    fixture.limits.idle_ms = 100;
    start(&fixture);
    int subscriber;
    char got[sizeof confirmed] = "";
    do { /* on a busy machine it may be idle for too long before it says so */
        subscriber = dial(&fixture);
        (void)!send(subscriber, "SUBSCRIBE a\r\n", 13, MSG_NOSIGNAL);
    } while (recv(subscriber, got, sizeof confirmed - 1, MSG_WAITALL) <= 0 &&
             close(subscriber) == 0);
    cr_assert_str_eq(got, confirmed);
    want_end(dial(&fixture)); /* so long does one wait who is not subscribed */
    (void)announce(&fixture, 0);
    want(subscriber, MESSAGE("$1\r\na", "$0\r\n"));
    say(subscriber, "UNSUBSCRIBE\r\n");
    want(subscriber, "*3\r\n$11\r\nunsubscribe\r\n$1\r\na\r\n:0\r\n");
    want_end(subscriber);
    stop(&fixture);
}

/* More than the sockets hold and than is kept for it. Others are not concerned. */
static void slow_subscriber(struct fixture *fixture, size_t size, const char *farewell)
{
    fixture->limits.output_ms = 600000;
    start(fixture);
    struct reader slow = reader(dial(fixture)), quick = reader(dial(fixture));
    int publisher = dial(fixture), published = 0;
    say(slow.fd, "SUBSCRIBE a\r\nPSUBSCRIBE b*\r\n");
    cr_assert(is(next(&slow) + 1, "subscribe"));
    cr_assert(is(next(&slow) + 1, "psubscribe"));
    say(quick.fd, "SUBSCRIBE a\r\n");
    cr_assert(is(next(&quick) + 1, "subscribe"));
    char *payload = calloc(1, size);
    for (int told = 2; told == 2; published++) {
        snprintf(payload, size, "%d", published);
        told = publish(publisher, "a", payload, size);
        cr_assert_eq(number(next(&quick) + 3), published);
    }
    free(payload);
    /* It leaves one after the other. */
    char patterns[4];
    do {
        say(publisher, "PUBSUB NUMPAT\r\n");
        cr_assert_eq(recv(publisher, patterns, 4, MSG_WAITALL), 4);
    } while (memcmp(patterns, ":1\r\n", 4) == 0);
    cr_assert_eq(memcmp(patterns, ":0\r\n", 4), 0);
    const struct resp_value *frame;
    int told = 0;
    while ((frame = next(&slow)) != NULL && frame->type == RESP_ARRAY)
        cr_assert_eq(number(frame + 3), told++);
    cr_assert_gt(told, 0);
    cr_assert_lt(told, published);
    cr_assert(frame != NULL && is(frame, farewell));
    cr_assert_null(next(&slow));
    done(&slow);
    done(&quick);
    close(publisher);
    stop(fixture);
}

FLAVORS(a_subscriber_that_lets_many_bytes_pile_up_is_told_and_closed);
ParameterizedTest(const unsigned *workers, mini_redis,
                  a_subscriber_that_lets_many_bytes_pile_up_is_told_and_closed)
{
    struct fixture fixture = {.limits = limits_default, .workers = *workers};
    slow_subscriber(&fixture, 20000,
                    "ERR too slow: more than 1024 messages or 1048576 bytes are pending");
}

FLAVORS(a_subscriber_that_lets_many_messages_pile_up_is_told_and_closed);
ParameterizedTest(const unsigned *workers, mini_redis,
                  a_subscriber_that_lets_many_messages_pile_up_is_told_and_closed)
{
    struct fixture fixture = {.limits = limits_default, .workers = *workers};
    fixture.limits.pubsub.messages = 50;
    fixture.limits.pubsub.bytes = (size_t)1 << 30;
    slow_subscriber(&fixture, 50000,
                    "ERR too slow: more than 50 messages or 1073741824 bytes are pending");
}

/* What it was told it does not read either: it is not waited for for ever. */
FLAVORS(a_subscriber_that_stopped_reading_is_closed);
ParameterizedTest(const unsigned *workers, mini_redis, a_subscriber_that_stopped_reading_is_closed)
{
    struct fixture fixture = {.limits = limits_default, .workers = *workers};
    fixture.limits.output_ms = 300;
    start(&fixture);
    int subscriber = dial(&fixture), publisher = dial(&fixture), error = 0;
    say(subscriber, "SUBSCRIBE a\r\n");
    want(subscriber, SUBSCRIBED("$1\r\na", "1"));
    static char payload[100000];
    while (publish(publisher, "a", payload, sizeof payload) > 0)
        ;
    for (socklen_t size = sizeof error; error == 0;) {
        if (send(subscriber, "PING\r\n", 6, MSG_NOSIGNAL | MSG_DONTWAIT) < 0 && errno != EAGAIN)
            error = errno;
        else
            getsockopt(subscriber, SOL_SOCKET, SO_ERROR, &error, &size);
        cr_assert_eq(publish(publisher, "a", payload, 1), 0);
    }
    close(subscriber);
    close(publisher);
    stop(&fixture);
}

/* Messages count with the buffers of all, and go with whoever keeps most of them. */
FLAVORS(whoever_keeps_most_messages_goes_first);
ParameterizedTest(const unsigned *workers, mini_redis, whoever_keeps_most_messages_goes_first)
{
    struct fixture fixture = {.limits = limits_default, .workers = *workers};
    fixture.limits.buffers = 3 << 20;
    fixture.limits.pubsub.bytes = (size_t)1 << 30;
    fixture.limits.pubsub.messages = 1 << 20;
    start(&fixture);
    int subscriber = dial(&fixture), publisher = dial(&fixture);
    say(subscriber, "SUBSCRIBE a\r\n");
    want(subscriber, SUBSCRIBED("$1\r\na", "1"));
    static char payload[100000];
    while (publish(publisher, "a", payload, sizeof payload) > 0)
        ;
    want_end(subscriber);
    say(publisher, "PING\r\n");
    want(publisher, "+PONG\r\n");
    close(publisher);
    stop(&fixture);
}

/* As many at once as a channel holds, when so much is buffered for clients. */
struct burst {
    FUTURE(void);
    struct server *server;
    size_t buffered;
    sem_t *done;
};

ASYNC(burst)
{
    static char payload[100000];
    ASYNC_BEGIN;
    while (self->server->buffered < self->buffered)
        YIELD_NOW();
    for (int i = 0; i < PUBSUB_RING; i++)
        (void)pubsub_publish(&self->server->pubsub, (struct store_text){"a", 1},
                             (struct store_text){payload, sizeof payload});
    sem_post(self->done);
    ASYNC_END;
}

/* Its subscriber has not had its turn as yet: they are its messages all the same. */
FLAVORS(messages_in_a_channel_count_as_their_subscribers);
ParameterizedTest(const unsigned *workers, mini_redis,
                  messages_in_a_channel_count_as_their_subscribers)
{
    enum { SIZE = 300000 };
    struct fixture fixture = {.limits = limits_default, .workers = *workers};
    fixture.limits.buffers = 3 << 20;
    fixture.limits.pubsub.bytes = (size_t)1 << 30;
    fixture.limits.pubsub.messages = 1 << 20;
    start(&fixture);
    int subscriber = dial_narrow(&fixture), other = dial(&fixture);
    say(subscriber, "SUBSCRIBE a\r\n");
    want(subscriber, SUBSCRIBED("$1\r\na", "1"));
    static char half[SIZE - 1];
    say(other, "*2\r\n$4\r\nECHO\r\n$300000\r\n");
    put(other, half, sizeof half);
    sem_t done;
    sem_init(&done, 0, 0);
    edo_task_detach(SPAWN_ON(fixture.handle, NEW(burst, .server = &fixture.server,
                                                 .buffered = sizeof half, .done = &done)));
    while (sem_wait(&done) != 0)
        ;
    sem_destroy(&done);
    want_end(subscriber);
    say(other, "x\r\n");
    want(other, "$300000\r\n");
    close(other);
    stop(&fixture);
}

FLAVORS(a_client_may_have_many_subscriptions);
ParameterizedTest(const unsigned *workers, mini_redis, a_client_may_have_many_subscriptions)
{
    enum { EACH = 50, LINE = 24 };
    struct fixture fixture = {.limits = limits_default, .workers = *workers};
    start(&fixture);
    int subscriber = dial(&fixture), publisher = dial(&fixture);
    char line[EACH * LINE], confirmed[EACH * 64];
    int count = 0, most = (int)fixture.limits.pubsub.subscriptions;
    while (count < most) {
        char *at = line + sprintf(line, "SUBSCRIBE"), *reply = confirmed;
        for (int i = 0; i < EACH; i++, count++) {
            at += sprintf(at, " channel.%05d", count);
            reply += sprintf(reply, SUBSCRIBED("$13\r\nchannel.%05d", "%d"), count, count + 1);
        }
        sprintf(at, "\r\n");
        say(subscriber, line);
        want(subscriber, confirmed);
    }
    say(subscriber, "SUBSCRIBE another\r\n");
    want(subscriber, "-ERR max number of subscriptions reached\r\n");
    for (int i = most - 1; i >= 0; i -= most / 10) {
        char channel[LINE], message[64];
        sprintf(channel, "channel.%05d", i);
        cr_assert_eq(publish(publisher, channel, "x", 1), 1);
        sprintf(message, MESSAGE("$13\r\n%s", "$1\r\nx"), channel);
        want(subscriber, message);
    }
    /* It leaves one after the other; others may see that. */
    close(subscriber);
    while (publish(publisher, "channel.09999", "x", 1) > 0)
        ;
    say(publisher, "PUBSUB CHANNELS\r\n");
    want(publisher, "*0\r\n");
    close(publisher);
    stop(&fixture);
}

/* They publish faster than a topic's channel holds; it takes all that comes, so it is not slow. */
FLAVORS(many_publishers_at_once_lose_nothing);
ParameterizedTest(const unsigned *workers, mini_redis, many_publishers_at_once_lose_nothing)
{
    enum { PUBLISHERS = 8, EACH = 200 };
    struct fixture fixture = {.limits = limits_default, .workers = *workers};
    start(&fixture);
    struct reader subscriber = reader(dial(&fixture));
    say(subscriber.fd, "SUBSCRIBE a\r\nPSUBSCRIBE *\r\n");
    for (int i = 0; i < 2; i++)
        cr_assert_eq(next(&subscriber)->type, RESP_ARRAY);
    int fds[PUBLISHERS], numbers[2][PUBLISHERS] = {{0}};
    for (int i = 0; i < PUBLISHERS; i++) {
        char sent[EACH * 32], *at = sent;
        fds[i] = dial(&fixture);
        for (int j = 0; j < EACH; j++)
            at += sprintf(at, "PUBLISH a %d\r\n", j * PUBLISHERS + i);
        put(fds[i], sent, (size_t)(at - sent));
    }
    for (int i = 0; i < 2 * PUBLISHERS * EACH; i++) {
        const struct resp_value *frame = next(&subscriber);
        bool pattern = is(frame + 1, "pmessage");
        int got = number(frame + 3 + pattern);
        cr_assert_eq(got / PUBLISHERS, numbers[pattern][got % PUBLISHERS]++);
        cr_assert_geq(numbers[0][got % PUBLISHERS], numbers[1][got % PUBLISHERS]);
    }
    for (int i = 0; i < PUBLISHERS; i++) {
        for (int j = 0; j < EACH; j++)
            want(fds[i], ":2\r\n");
        close(fds[i]);
    }
    done(&subscriber);
    stop(&fixture);
}

struct flood {
    struct fixture *fixture;
    _Atomic(bool) enough;
};

/* Publishes increasing numbers, some at once. */
static void *publish_on(void *arg)
{
    enum { AT_ONCE = 20 };
    struct flood *flood = arg;
    int fd = dial(flood->fixture);
    for (int n = 0; !flood->enough;) {
        char sent[AT_ONCE * 32], *at = sent;
        for (int i = 0; i < AT_ONCE; i++)
            at += sprintf(at, "PUBLISH a %d\r\n", n++);
        put(fd, sent, (size_t)(at - sent));
        cr_assert_eq(recv(fd, sent, AT_ONCE * 4, MSG_WAITALL), AT_ONCE * 4);
    }
    close(fd);
    return NULL;
}

/* From one confirmation to the other, every message; none outside. */
FLAVORS(one_may_unsubscribe_while_messages_come);
ParameterizedTest(const unsigned *workers, mini_redis, one_may_unsubscribe_while_messages_come)
{
    struct fixture fixture = {.limits = limits_default, .workers = *workers};
    start(&fixture);
    struct flood flood = {.fixture = &fixture};
    pthread_t thread;
    cr_assert_eq(pthread_create(&thread, NULL, publish_on, &flood), 0);
    struct reader subscriber = reader(dial(&fixture));
    for (int round = 0; round < 100; round++) {
        say(subscriber.fd, "SUBSCRIBE a\r\n");
        cr_assert(is(next(&subscriber) + 1, "subscribe"));
        const struct resp_value *frame;
        int last = -1;
        for (int told = 0; is((frame = next(&subscriber)) + 1, "message"); told++) {
            int got = number(frame + 3);
            cr_assert(last == -1 || got == last + 1, "%d after %d", got, last);
            last = got;
            if (told == round % 5)
                say(subscriber.fd, "UNSUBSCRIBE a\r\nPING\r\n");
        }
        cr_assert(is(frame + 1, "unsubscribe"));
        cr_assert(is(next(&subscriber), "PONG"));
    }
    flood.enough = true;
    pthread_join(thread, NULL);
    done(&subscriber);
    stop(&fixture);
}

/* For each message that it reads another one comes, so that it never has them all. */
FLAVORS(who_has_much_to_read_is_heard_in_between);
ParameterizedTest(const unsigned *workers, mini_redis, who_has_much_to_read_is_heard_in_between)
{
    enum { SIZE = 100000, KEPT = 4 * SIZE, MOST = 50 };
    struct fixture fixture = {.limits = limits_default, .workers = *workers};
    fixture.limits.output_ms = 600000;
    start(&fixture);
    struct reader subscriber = reader(dial_narrow(&fixture));
    const struct resp_value *frame;
    say(subscriber.fd, "SUBSCRIBE a\r\n");
    cr_assert(is(next(&subscriber) + 1, "subscribe"));
    while (announce(&fixture, SIZE) < KEPT)
        ;
    /* Another one, who makes sure that somebody is told. */
    int other = dial(&fixture);
    say(other, "SUBSCRIBE a\r\n");
    want(other, SUBSCRIBED("$1\r\na", "1"));
    say(subscriber.fd, "UNSUBSCRIBE\r\n");
    for (int n = 0; is((frame = next(&subscriber)) + 1, "message"); n++) {
        cr_assert_lt(n, MOST);
        (void)announce(&fixture, SIZE);
        char taken[1000];
        want(other, "*3\r\n$7\r\nmessage\r\n$1\r\na\r\n$100000\r\n");
        for (int i = 0; i < SIZE; i += (int)sizeof taken)
            cr_assert_eq(recv(other, taken, sizeof taken, MSG_WAITALL), (ssize_t)sizeof taken);
        want(other, "\r\n");
    }
    cr_assert(is(frame + 1, "unsubscribe"));
    done(&subscriber);
    close(other);
    stop(&fixture);
}

FLAVORS(a_stop_comes_behind_what_was_published);
ParameterizedTest(const unsigned *workers, mini_redis, a_stop_comes_behind_what_was_published)
{
    struct fixture fixture = {.limits = limits_default, .workers = *workers};
    start(&fixture);
    int subscriber = dial(&fixture), publisher = dial(&fixture);
    say(subscriber, "SUBSCRIBE a\r\n");
    want(subscriber, SUBSCRIBED("$1\r\na", "1"));
    cr_assert_eq(publish(publisher, "a", "last", 4), 1);
    stop(&fixture);
    want(subscriber, MESSAGE("$1\r\na", "$4\r\nlast") "-ERR server is shutting down\r\n");
    want_end(subscriber);
    want(publisher, "-ERR server is shutting down\r\n");
    want_end(publisher);
}
