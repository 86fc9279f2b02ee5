/* SPDX-License-Identifier: MIT */
/* mini-redis against peers that mean no good: its limits, and its leaving. The server runs in a
 * thread, or in several; the test talks to it over blocking sockets. */
#include <poll.h>
#include <stdlib.h>

#include "mini_redis_helpers.h"

FLAVORS(an_unknown_command_leaves_the_connection_open);
ParameterizedTest(const unsigned *workers, mini_redis,
                  an_unknown_command_leaves_the_connection_open)
{
    struct fixture fixture = {.limits = limits_default, .workers = *workers};
    start(&fixture);
    int fd = dial(&fixture);
    say(fd, "NONSENSE\r\nPING\r\n");
    want(fd, "-ERR unknown command 'NONSENSE', with args beginning with: \r\n+PONG\r\n");
    close(fd);
    stop(&fixture);
}

FLAVORS(what_is_past_a_limit_is_an_error_and_the_end);
ParameterizedTest(const unsigned *workers, mini_redis, what_is_past_a_limit_is_an_error_and_the_end)
{
    struct fixture fixture = {.limits = limits_default, .workers = *workers};
    start(&fixture);
    static const struct {
        const char *sent, *reply;
    } cases[] = {
        {"*1025\r\n", "-ERR Protocol error: invalid multibulk length\r\n"},
        {"*1000000000\r\n", "-ERR Protocol error: invalid multibulk length\r\n"},
        {"*1\r\n$1048577\r\n", "-ERR Protocol error: invalid bulk length\r\n"},
        {"*1\r\n$9223372036854775807\r\n", "-ERR Protocol error: invalid bulk length\r\n"},
        {"*1\r\n$-1\r\n", "-ERR Protocol error: invalid bulk length\r\n"},
        {"*1\r\n:1\r\n", "-ERR Protocol error: expected '$', got ':'\r\n"},
        {"*1\r\n*1\r\n", "-ERR Protocol error: expected '$', got '*'\r\n"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        int fd = dial(&fixture);
        say(fd, "PING\r\n");
        say(fd, cases[i].sent);
        want(fd, "+PONG\r\n");
        want(fd, cases[i].reply);
        want_end(fd);
    }
    stop(&fixture);
}

FLAVORS(a_line_without_an_end_is_not_kept);
ParameterizedTest(const unsigned *workers, mini_redis, a_line_without_an_end_is_not_kept)
{
    struct fixture fixture = {.limits = limits_default, .workers = *workers};
    start(&fixture);
    int fd = dial(&fixture);
    static char line[64 << 10];
    memset(line, 'x', sizeof line);
    put(fd, line, fixture.limits.frame.line + 1);
    want(fd, "-ERR Protocol error: too big inline request\r\n");
    want_end(fd);
    stop(&fixture);
}

FLAVORS(clients_above_the_limit_are_told_and_closed);
ParameterizedTest(const unsigned *workers, mini_redis, clients_above_the_limit_are_told_and_closed)
{
    struct fixture fixture = {.limits = limits_default, .workers = *workers};
    fixture.limits.clients = 2;
    start(&fixture);
    int fds[2];
    for (int i = 0; i < 2; i++) {
        fds[i] = dial(&fixture);
        say(fds[i], "PING\r\n");
        want(fds[i], "+PONG\r\n");
    }
    int fd = dial(&fixture);
    want(fd, "-ERR max number of clients reached\r\n");
    want_end(fd);
    /* One leaves, and another fits; the server learns of the leaving in its own time. */
    close(fds[0]);
    char pong[7];
    do {
        fd = dial(&fixture);
        (void)!send(fd, "PING\r\n", 6, MSG_NOSIGNAL);
    } while ((recv(fd, pong, 7, MSG_WAITALL) != 7 || memcmp(pong, "+PONG\r\n", 7) != 0) &&
             close(fd) == 0);
    close(fd);
    close(fds[1]);
    stop(&fixture);
}

FLAVORS(a_frame_that_does_not_end_in_time_is_the_end);
ParameterizedTest(const unsigned *workers, mini_redis, a_frame_that_does_not_end_in_time_is_the_end)
{
    struct fixture fixture = {.limits = limits_default, .workers = *workers};
    fixture.limits.frame_ms = 100;
    start(&fixture);
    int fd = dial(&fixture);
    say(fd, "*1\r\n$4\r\nPI");
    want_end(fd);
    stop(&fixture);
}

/* A byte now and then, as slow-loris has it, does not prolong the frame's time. */
FLAVORS(a_dripping_frame_is_not_waited_for);
ParameterizedTest(const unsigned *workers, mini_redis, a_dripping_frame_is_not_waited_for)
{
    struct fixture fixture = {.limits = limits_default, .workers = *workers};
    fixture.limits.frame_ms = 200;
    start(&fixture);
    int fd = dial(&fixture);
    struct timeval pause = {0, 20000};
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &pause, sizeof pause);
    say(fd, "*1\r\n$100000\r\n");
    char byte;
    int sent = 0;
    for (ssize_t n = -1; n < 0; sent++) {
        if (send(fd, "x", 1, MSG_NOSIGNAL) < 0)
            break;
        n = recv(fd, &byte, 1, 0); /* waits 20 ms, or finds the end */
        cr_assert_lt(sent, 5000, "the frame is still being waited for");
        if (n < 0 && errno != EAGAIN)
            break;
    }
    close(fd);
    stop(&fixture);
}

FLAVORS(an_idle_client_is_closed);
ParameterizedTest(const unsigned *workers, mini_redis, an_idle_client_is_closed)
{
    struct fixture fixture = {.limits = limits_default, .workers = *workers};
    fixture.limits.idle_ms = 100;
    start(&fixture);
    int fd;
    char pong[7] = "";
    do { /* on a busy machine it may be idle for too long before it says something */
        fd = dial(&fixture);
        (void)!send(fd, "PING\r\n", 6, MSG_NOSIGNAL);
    } while (recv(fd, pong, sizeof pong, MSG_WAITALL) <= 0 && close(fd) == 0);
    cr_assert_eq(memcmp(pong, "+PONG\r\n", sizeof pong), 0);
    want_end(fd);
    stop(&fixture);
}

FLAVORS(a_client_that_does_not_take_its_replies_is_closed);
ParameterizedTest(const unsigned *workers, mini_redis,
                  a_client_that_does_not_take_its_replies_is_closed)
{
    struct fixture fixture = {.limits = limits_default, .workers = *workers};
    fixture.limits.output_ms = 300;
    start(&fixture);
    int fd = dial(&fixture), other = dial(&fixture);
    static char value[1 << 20];
    memset(value, 'v', sizeof value);
    char head[64];
    int n = snprintf(head, sizeof head, "*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$%zu\r\n", sizeof value);
    put(fd, head, (size_t)n);
    put(fd, value, sizeof value);
    say(fd, "\r\n");
    want(fd, "+OK\r\n");
    /* More than the sockets' buffers hold; the server stops reading, then waits, then gives up. */
    for (int i = 0; i < 200; i++)
        if (send(fd, "GET k\r\n", 7, MSG_NOSIGNAL) < 0)
            break;
    say(other, "PING\r\n");
    want(other, "+PONG\r\n");
    /* Not reading, until the server has closed: the buffer's end says so. */
    int error = 0;
    for (socklen_t size = sizeof error; error == 0;) {
        if (send(fd, "PING\r\n", 6, MSG_NOSIGNAL | MSG_DONTWAIT) < 0 && errno != EAGAIN)
            error = errno;
        else
            getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size);
        say(other, "PING\r\n");
        want(other, "+PONG\r\n");
    }
    close(fd);
    close(other);
    stop(&fixture);
}

FLAVORS(whoever_buffers_most_goes_first);
ParameterizedTest(const unsigned *workers, mini_redis, whoever_buffers_most_goes_first)
{
    struct fixture fixture = {.limits = limits_default, .workers = *workers};
    fixture.limits.buffers = 3 << 19; /* one and a half frames of a megabyte */
    start(&fixture);
    int small = dial(&fixture), large[3];
    say(small, "*2\r\n$4\r\nECHO\r\n$5\r\nhel");
    static char body[1000000];
    for (int i = 0; i < 3; i++) {
        large[i] = dial(&fixture);
        say(large[i], "*2\r\n$4\r\nECHO\r\n$1000000\r\n");
        for (size_t at = 0; at + 1 < sizeof body;) {
            ssize_t n = send(large[i], body + at, sizeof body - 1 - at, MSG_NOSIGNAL);
            if (n < 0)
                break;
            at += (size_t)n;
        }
    }
    /* None is complete, and two are too much: one of them hears of the end. */
    struct pollfd polls[3];
    for (int i = 0; i < 3; i++)
        polls[i] = (struct pollfd){.fd = large[i], .events = POLLIN};
    cr_assert_geq(poll(polls, 3, 20000), 1);
    for (int i = 0; i < 3; i++)
        if (polls[i].revents != 0)
            want_end(large[i]);
        else
            close(large[i]);
    say(small, "lo\r\n");
    want(small, "$5\r\nhello\r\n");
    close(small);
    stop(&fixture);
}

/* Who has left the list cannot be closed for what it holds; so nothing more may come in for it then. This one waits for
 * its peer, who goes, and finds the list taken. */
FLAVORS(who_leaves_gets_no_more_messages_before_it_is_found_no_more);
ParameterizedTest(const unsigned *workers, mini_redis,
                  who_leaves_gets_no_more_messages_before_it_is_found_no_more)
{
    static char payload[100000];
    struct fixture fixture = {.limits = limits_default, .workers = *workers};
    fixture.limits.output_ms = 600000;
    start(&fixture);
    struct pubsub *pubsub = &fixture.server.pubsub;
    int subscriber = dial_narrow(&fixture);
    say(subscriber, "SUBSCRIBE a\r\n");
    want(subscriber, "*3\r\n$9\r\nsubscribe\r\n$1\r\na\r\n:1\r\n");
    cr_assert_eq(pubsub_publish(pubsub, (struct store_text){"a", 1},
                                (struct store_text){payload, sizeof payload}),
                 1);
    want(subscriber, "*3\r\n$7\r\nmessage\r\n");
    pthread_mutex_lock(&fixture.server.mutex);
    close(subscriber);
    for (int ms = 0; pubsub_count(pubsub, PUBSUB_CHANNEL) > 0; ms++) {
        cr_assert_lt(ms, 20000, "it is subscribed as long as it is in the list");
        usleep(1000);
    }
    cr_assert_not_null(fixture.server.first);
    pthread_mutex_unlock(&fixture.server.mutex);
    stop(&fixture);
}

FLAVORS(pipelined_commands_are_answered_in_order);
ParameterizedTest(const unsigned *workers, mini_redis, pipelined_commands_are_answered_in_order)
{
    struct fixture fixture = {.limits = limits_default, .workers = *workers};
    start(&fixture);
    int fd = dial(&fixture);
    enum { COUNT = 5000 };
    char *sent = malloc(COUNT * 24), *at = sent;
    for (int i = 0; i < COUNT; i++)
        at += sprintf(at, "ECHO %d\r\n", i);
    put(fd, sent, (size_t)(at - sent));
    for (int i = 0; i < COUNT; i++) {
        char digits[16], reply[32];
        snprintf(reply, sizeof reply, "$%d\r\n%s\r\n", snprintf(digits, sizeof digits, "%d", i),
                 digits);
        want(fd, reply);
    }
    free(sent);
    close(fd);
    stop(&fixture);
}

FLAVORS(a_stream_cut_anywhere_means_the_same);
ParameterizedTest(const unsigned *workers, mini_redis, a_stream_cut_anywhere_means_the_same)
{
    struct fixture fixture = {.limits = limits_default, .workers = *workers};
    start(&fixture);
    static const char stream[] = "*3\r\n$3\r\nSET\r\n$1\r\na\r\n$3\r\nx\r\n\r\n*2\r\n$3\r\nGET\r\n"
                                 "$1\r\na\r\nPING\r\n";
    static const char replies[] = "+OK\r\n$3\r\nx\r\n\r\n+PONG\r\n";
    int one = 1;
    for (size_t cut = 1; cut < sizeof stream - 1; cut++) {
        int fd = dial(&fixture);
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        put(fd, stream, cut);
        put(fd, stream + cut, sizeof stream - 1 - cut);
        want(fd, replies);
        close(fd);
    }
    int fd = dial(&fixture);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    for (size_t i = 0; i < sizeof stream - 1; i++)
        put(fd, stream + i, 1);
    want(fd, replies);
    close(fd);
    stop(&fixture);
}

FLAVORS(a_stop_answers_what_was_asked_tells_and_closes);
ParameterizedTest(const unsigned *workers, mini_redis,
                  a_stop_answers_what_was_asked_tells_and_closes)
{
    struct fixture fixture = {.limits = limits_default, .workers = *workers};
    start(&fixture);
    int idle = dial(&fixture), busy = dial(&fixture);
    say(idle, "PING\r\n");
    want(idle, "+PONG\r\n");
    say(busy, "ECHO one\r\n");
    want(busy, "$3\r\none\r\n");
    stop(&fixture);
    want(idle, "-ERR server is shutting down\r\n");
    want_end(idle);
    want(busy, "-ERR server is shutting down\r\n");
    want_end(busy);
}

/* Also when they come in one turn. */
FLAVORS(each_client_has_an_id_of_its_own);
ParameterizedTest(const unsigned *workers, mini_redis, each_client_has_an_id_of_its_own)
{
    struct fixture fixture = {.limits = limits_default, .workers = *workers};
    start(&fixture);
    int fds[2];
    char ids[2][8] = {"", ""};
    for (int i = 0; i < 2; i++)
        fds[i] = dial_narrow(&fixture);
    for (int i = 0; i < 2; i++) {
        say(fds[i], "CLIENT ID\r\n");
        cr_assert_eq(recv(fds[i], ids[i], 4, MSG_WAITALL), 4);
        close(fds[i]);
    }
    cr_assert_str_neq(ids[0], ids[1]);
    stop(&fixture);
}

struct talker {
    struct fixture *fixture;
    sem_t *enough; /* posted when it has heard so much */
    size_t bytes;
};

/* Says this and that, hears what comes, until the server is gone. */
static void *talk(void *arg)
{
    static const char sent[] =
        "SUBSCRIBE a b\r\nUNSUBSCRIBE b\r\nUNSUBSCRIBE\r\nPUBLISH a x\r\nSET k v EX 1\r\n"
        "GET k\r\nPSUBSCRIBE a*\r\nPUNSUBSCRIBE\r\nPUBLISH b y\r\nDEL k a\r\nFLUSHALL\r\n";
    struct talker *talker = arg;
    int fd = dial(talker->fixture);
    char got[4096];
    bool enough = false;
    size_t heard = 0;
    for (ssize_t n = 1; n > 0;) {
        n = send(fd, sent, sizeof sent - 1, MSG_NOSIGNAL);
        if (n > 0)
            n = recv(fd, got, sizeof got, 0);
        if (n > 0)
            heard += (size_t)n;
        if (!enough && (n <= 0 || heard >= talker->bytes)) {
            enough = true;
            sem_post(talker->enough);
        }
    }
    close(fd);
    return NULL;
}

/* In the midst of whatever its tasks are at. */
FLAVORS(the_end_of_the_runtime_leaves_nothing);
ParameterizedTest(const unsigned *workers, mini_redis, the_end_of_the_runtime_leaves_nothing)
{
    enum { TALKERS = 4, ROUNDS = 20 };
    for (int round = 0; round < ROUNDS; round++) {
        struct edo_notify end;
        edo_notify_init(&end);
        struct fixture fixture = {.limits = limits_default, .workers = *workers, .end = &end};
        fixture.limits.pipeline = 2;
        start(&fixture);
        sem_t enough;
        sem_init(&enough, 0, 0);
        pthread_t threads[TALKERS];
        struct talker talkers[TALKERS];
        for (int i = 0; i < TALKERS; i++) {
            talkers[i] = (struct talker){&fixture, &enough, (size_t)(1 + 300 * round)};
            cr_assert_eq(pthread_create(&threads[i], NULL, talk, &talkers[i]), 0);
        }
        for (int i = 0; i < TALKERS; i++)
            while (sem_wait(&enough) != 0)
                ;
        stop(&fixture);
        for (int i = 0; i < TALKERS; i++)
            pthread_join(threads[i], NULL);
        sem_destroy(&enough);
        edo_notify_destroy(&end);
    }
}
