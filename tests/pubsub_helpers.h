/* SPDX-License-Identifier: MIT */
/* What the tests of mini-redis' publish and subscribe share: clients without sockets. */
#ifndef EDO_TESTS_PUBSUB_HELPERS_H
#define EDO_TESTS_PUBSUB_HELPERS_H

#include "poll_harness.h"

#include "examples/mini_redis/command.h"

enum { CLIENTS = 4 };

struct world {
    struct bench bench;
    struct db db;
    struct pubsub pubsub;
    struct command_session sessions[CLIENTS];
    struct resp_parser parser;
    struct edo_bytes out[CLIENTS];
};

HARNESS void begin_limited(struct world *world, struct pubsub_limits limits)
{
    bench_begin(&world->bench);
    cr_assert_eq(db_init(&world->db, 1, STORE_MAXIMUM), 0);
    cr_assert_eq(pubsub_init(&world->pubsub, &limits), 0);
    resp_parser_init(&world->parser, RESP_COMMANDS, &RESP_LIMITS_DEFAULT);
    for (unsigned i = 0; i < CLIENTS; i++) {
        command_session_init(&world->sessions[i], &world->db, &world->pubsub, i);
        edo_bytes_init(&world->out[i], 0);
    }
}

HARNESS void begin(struct world *world)
{
    begin_limited(world, (struct pubsub_limits)PUBSUB_LIMITS_DEFAULT);
}

HARNESS void end(struct world *world)
{
    for (int i = 0; i < CLIENTS; i++) {
        command_session_end(&world->sessions[i]);
        edo_bytes_free(&world->out[i]);
    }
    cr_assert_eq(world->pubsub.bytes, 0);
    cr_assert_eq(world->pubsub.subscriptions.count, 0);
    for (int kind = 0; kind < PUBSUB_KINDS; kind++) {
        cr_assert_eq(pubsub_count(&world->pubsub, (enum pubsub_kind)kind), 0);
        cr_assert_null(pubsub_next(&world->pubsub, (enum pubsub_kind)kind, NULL));
    }
    pubsub_free(&world->pubsub);
    db_free(&world->db);
    resp_parser_free(&world->parser);
    bench_end(&world->bench);
}

/* Client number i says a line (an inline command). */
HARNESS int run(struct world *world, int i, const char *line)
{
    char text[512];
    size_t consumed, size = (size_t)snprintf(text, sizeof text, "%s\r\n", line);
    cr_assert_lt(size, sizeof text);
    cr_assert_eq(resp_parse(&world->parser, text, size, &consumed), RESP_COMPLETE, "%s", line);
    return command_execute(&world->sessions[i], world->parser.values, 0, &world->out[i]);
}

HARNESS void subscribe(struct world *world, int i, const char *line)
{
    int r = run(world, i, line);
    cr_assert(r == COMMAND_OK && *edo_bytes_data(&world->out[i]) == '*', "%s", line);
    edo_bytes_clear(&world->out[i]);
}

HARNESS int publish(struct world *world, const char *channel, const char *payload)
{
    return pubsub_publish(&world->pubsub, (struct store_text){channel, strlen(channel)},
                          (struct store_text){payload, strlen(payload)});
}

/* For POLL and DROP_IT. */
#define bench (world.bench)

#endif
