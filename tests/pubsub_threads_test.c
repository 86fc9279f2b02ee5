/* SPDX-License-Identifier: MIT */
/* mini-redis' publish and subscribe between clients on threads of their own. */
#include <errno.h>
#include <pthread.h>
#include <sched.h>

#include "pubsub_helpers.h"

/* Clients on threads of their own. The publishers number their messages; each goes to a channel and to a
 * pattern. */
enum { AT_ONCE = 2, POSTS = 3000 };

struct party {
    struct world *world;
    int number;
    _Atomic(int) *publishing;
};

static void *publish_many(void *arg)
{
    struct party *party = arg;
    for (int i = 0; i < POSTS; i++) {
        char line[64], payload[16];
        snprintf(payload, sizeof payload, "%d", i * AT_ONCE + party->number);
        snprintf(line, sizeof line, "a.%d", party->number);
        int r;
        while ((r = publish(party->world, line, payload)) == -EAGAIN)
            sched_yield();
        cr_assert_geq(r, 1); /* the pattern; and the channel, when somebody is there */
    }
    --*party->publishing;
    return NULL;
}

/* What a client was told: numbers, which go up for each publisher, by the channel and by the pattern; by the
 * channel first. */
static int read_told(struct edo_bytes *out, struct resp_parser *parser, int last[2][AT_ONCE])
{
    int told = 0;
    size_t consumed;
    while (edo_bytes_length(out) > 0) {
        cr_assert_eq(resp_parse(parser, edo_bytes_data(out), edo_bytes_length(out), &consumed),
                     RESP_COMPLETE);
        const struct resp_value *value = &parser->values[parser->values[0].length];
        bool pattern = parser->values[0].length == 4;
        char digits[16] = "";
        memcpy(digits, value->text, value->length);
        int number = atoi(digits), publisher = number % AT_ONCE;
        cr_assert_eq(number, last[pattern][publisher] + AT_ONCE);
        last[pattern][publisher] = number;
        cr_assert_geq(last[0][publisher], last[1][publisher]);
        told++;
        edo_bytes_consume(out, consumed);
    }
    return told;
}

/* Takes all, by the pattern and by the channels. */
static void *listen_to_all(void *arg)
{
    struct party *party = arg;
    struct world *world = party->world;
    struct edo_bytes *out = &world->out[party->number];
    struct subscriber *subscriber = world->sessions[party->number].subscriber;
    struct resp_parser parser;
    resp_parser_init(&parser, RESP_REPLIES, &RESP_LIMITS_DEFAULT);
    int last[2][AT_ONCE], told = 0;
    for (int i = 0; i < AT_ONCE; i++)
        last[0][i] = last[1][i] = i - AT_ONCE;
    while (told < 2 * AT_ONCE * POSTS) {
        cr_assert_eq(subscriber_write(subscriber, out, SIZE_MAX), 0);
        told += read_told(out, &parser, last);
        sched_yield();
    }
    cr_assert_eq(told, 2 * AT_ONCE * POSTS);
    resp_parser_free(&parser);
    return NULL;
}

static int say(struct world *world, int i, struct resp_parser *parser, const char *line)
{
    size_t consumed;
    cr_assert_eq(resp_parse(parser, line, strlen(line), &consumed), RESP_COMPLETE);
    return command_execute(&world->sessions[i], parser->values, 0, &world->out[i]);
}

/* Comes and goes meanwhile. */
static void *come_and_go(void *arg)
{
    struct party *party = arg;
    struct world *world = party->world;
    struct resp_parser parser;
    resp_parser_init(&parser, RESP_COMMANDS, &RESP_LIMITS_DEFAULT);
    for (int round = 0; *party->publishing > 0; round++) {
        int i = party->number, r;
        cr_assert_eq(say(world, i, &parser, "SUBSCRIBE a.0 a.1 b\r\n"), COMMAND_OK);
        if (round % 2 == 0)
            sched_yield();
        while ((r = say(world, i, &parser, "UNSUBSCRIBE a.1 b\r\n")) == COMMAND_AGAIN)
            edo_bytes_clear(&world->out[i]);
        cr_assert_eq(r, COMMAND_OK);
        if (round % 3 == 0)
            command_session_end(&world->sessions[i]);
        else
            while ((r = say(world, i, &parser, "UNSUBSCRIBE\r\n")) == COMMAND_AGAIN)
                edo_bytes_clear(&world->out[i]);
        edo_bytes_clear(&world->out[i]);
    }
    resp_parser_free(&parser);
    return NULL;
}

Test(pubsub, clients_on_several_threads_are_told_all_in_order)
{
    struct world world;
    begin(&world);
    _Atomic(int) publishing = AT_ONCE;
    subscribe(&world, 0, "SUBSCRIBE a.0 a.1");
    subscribe(&world, 0, "PSUBSCRIBE a*");
    void *(*const roles[])(void *) = {listen_to_all, come_and_go, publish_many, publish_many};
    struct party parties[] = {{&world, 0, &publishing},
                              {&world, 1, &publishing},
                              {&world, 0, &publishing},
                              {&world, 1, &publishing}};
    pthread_t threads[4];
    for (int i = 0; i < 4; i++)
        cr_assert_eq(pthread_create(&threads[i], NULL, roles[i], &parties[i]), 0);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    cr_assert_eq(world.pubsub.bytes, 0);
    end(&world);
}
