/* SPDX-License-Identifier: MIT */
/* What must hold of the commands: Redis 7.0's replies, byte by byte, and nothing half done. */
#include <criterion/criterion.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "examples/mini_redis/command.h"
#include "internal/census.h"
#include "internal/sys.h"

#define LENGTH(array) (sizeof(array) / sizeof *(array))

static void check_census(struct edo_census start)
{
    struct edo_census end = edo_census_now();
    for (int i = 0; i < EDO_CENSUS_KINDS; i++)
        cr_assert_eq(end.live[i], start.live[i], "%s: %" PRId64 " at the start, %" PRId64 " now",
                     edo_census_name((enum edo_census_kind)i), start.live[i], end.live[i]);
}

/* A server without a network: what is said to it, and its answer. */
struct server {
    struct edo_census start;
    struct db db;
    struct pubsub pubsub;
    struct command_session session;
    struct resp_parser parser;
    struct edo_bytes out;
    int64_t now;
};

static void begin(struct server *server, size_t maximum)
{
    *server = (struct server){.start = edo_census_now(), .now = 1000000};
    struct pubsub_limits limits = PUBSUB_LIMITS_DEFAULT;
    cr_assert_eq(db_init(&server->db, 4, maximum), 0);
    cr_assert_eq(pubsub_init(&server->pubsub, &limits), 0);
    command_session_init(&server->session, &server->db, &server->pubsub, 7);
    resp_parser_init(&server->parser, RESP_COMMANDS, &RESP_LIMITS_DEFAULT);
    edo_bytes_init(&server->out, 0);
}

static void end(struct server *server)
{
    command_session_end(&server->session);
    cr_assert_eq(server->pubsub.bytes, 0);
    cr_assert_eq(pubsub_count(&server->pubsub, PUBSUB_CHANNEL), 0);
    cr_assert_eq(pubsub_count(&server->pubsub, PUBSUB_PATTERN), 0);
    pubsub_free(&server->pubsub);
    db_check(&server->db);
    db_free(&server->db);
    resp_parser_free(&server->parser);
    edo_bytes_free(&server->out);
    check_census(server->start);
}

/* Runs a line (an inline command) and appends the reply to `out`. */
static int run(struct server *server, const char *line)
{
    char text[512];
    size_t consumed, size = (size_t)snprintf(text, sizeof text, "%s\r\n", line);
    cr_assert_lt(size, sizeof text);
    cr_assert_eq(resp_parse(&server->parser, text, size, &consumed), RESP_COMPLETE, "%s", line);
    return command_execute(&server->session, server->parser.values, server->now, &server->out);
}

/* Runs a line and compares its reply, which then is dropped. */
static void expect(struct server *server, const char *line, const char *reply)
{
    int r = run(server, line);
    cr_assert(r == COMMAND_OK || r == COMMAND_REST, "%s: %d", line, r);
    size_t length = edo_bytes_length(&server->out);
    const char *data = length > 0 ? edo_bytes_data(&server->out) : "";
    cr_assert(length == strlen(reply) && memcmp(data, reply, length) == 0, "%s: %.*s", line,
              (int)length, data);
    edo_bytes_consume(&server->out, length);
}

struct line {
    const char *line, *reply;
};

static void expect_all(const struct line *lines, size_t n)
{
    struct server server;
    begin(&server, STORE_MAXIMUM);
    for (size_t i = 0; i < n; i++)
        expect(&server, lines[i].line, lines[i].reply);
    end(&server);
}
#define EXPECT_ALL(...) \
    expect_all((const struct line[]){__VA_ARGS__}, LENGTH(((const struct line[]){__VA_ARGS__})))

#define OK                "+OK\r\n"
#define NOTHING           "$-1\r\n"
#define SYNTAX            "-ERR syntax error\r\n"
#define NOT_INT           "-ERR value is not an integer or out of range\r\n"
#define OVERFLOW          "-ERR increment or decrement would overflow\r\n"
#define EXPIRE_TIME(name) "-ERR invalid expire time in '" name "' command\r\n"
#define ARITY(name)       "-ERR wrong number of arguments for '" name "' command\r\n"

/* The replies of this table, and of the next ones, were taken from redis-server 7.0.15. */
Test(command, the_connection_is_answered)
{
    EXPECT_ALL({"PING", "+PONG\r\n"}, {"pInG", "+PONG\r\n"}, {"PING hello", "$5\r\nhello\r\n"},
               {"PING ''", "$0\r\n\r\n"}, {"PING a b", ARITY("ping")},
               {"ECHO \"a\\r\\nb\"", "$4\r\na\r\nb\r\n"}, {"ECHO", ARITY("echo")},
               {"ECHO a b", ARITY("echo")}, {"", ""}, {"SELECT 0", OK}, {"SELECT x", NOT_INT},
               {"SELECT 1", "-ERR DB index is out of range\r\n"},
               {"SELECT 99999999999", "-ERR value is out of range, value must between -2147483648 "
                                      "and 2147483647\r\n"},
               {"CLIENT", ARITY("client")}, {"CLIENT ID", ":7\r\n"},
               {"CLIENT ID x", ARITY("client|id")}, {"CLIENT GETNAME", NOTHING},
               {"CLIENT SETNAME bob", OK}, {"CLIENT GETNAME", "$3\r\nbob\r\n"},
               {"CLIENT SETNAME 'a b'", "-ERR Client names cannot contain spaces, newlines or "
                                        "special characters.\r\n"},
               {"CLIENT GETNAME", "$3\r\nbob\r\n"}, {"CLIENT SETNAME ''", OK},
               {"CLIENT GETNAME", NOTHING}, {"CLIENT SETINFO LIB-NAME x", OK},
               {"CLIENT FOO", "-ERR unknown subcommand 'FOO'. Try CLIENT HELP.\r\n"},
               {"CLIENT SETNAME bob", OK}, {"RESET", "+RESET\r\n"}, {"CLIENT GETNAME", NOTHING},
               {"RESET a", ARITY("reset")});
}

Test(command, get_and_set_answer_as_redis_does)
{
    EXPECT_ALL({"GET", ARITY("get")}, {"GET a b", ARITY("get")}, {"SET a", ARITY("set")},
               {"GET a", NOTHING}, {"SET a b", OK}, {"GET a", "$1\r\nb\r\n"},
               {"SET a b FOO", SYNTAX}, {"SET a b EX", SYNTAX}, {"SET a b EX x", NOT_INT},
               {"SET a b EX 0", EXPIRE_TIME("set")}, {"SET a b PX -1", EXPIRE_TIME("set")},
               {"SET a b EX 9223372036854775807", EXPIRE_TIME("set")},
               {"SET a b EX 9223372036854775", EXPIRE_TIME("set")},
               {"SET a b PX 9223372036854775807", EXPIRE_TIME("set")},
               {"SET a b EX 10 PX 10", SYNTAX}, {"SET a b EX 10 KEEPTTL", SYNTAX},
               {"SET a b KEEPTTL EX 10", SYNTAX}, {"SET a b NX XX", SYNTAX},
               {"SET a b XX NX", SYNTAX}, {"SET a c NX", NOTHING}, {"SET a c XX", OK},
               {"SET n c XX", NOTHING}, {"SET n c nx", OK}, {"SET n d ex 10 EX 20", OK},
               {"TTL n", ":20\r\n"}, {"SET n e KEEPTTL", OK}, {"TTL n", ":20\r\n"}, {"SET n f", OK},
               {"TTL n", ":-1\r\n"}, {"SET n g GET", "$1\r\nf\r\n"}, {"SET m 1 GET", NOTHING},
               {"SET m 2 NX GET", "$1\r\n1\r\n"}, {"GET m", "$1\r\n1\r\n"},
               {"SET o 1 XX GET", NOTHING}, {"EXISTS o", ":0\r\n"}, {"SET m 1 EXAT 1", OK},
               {"GET m", NOTHING}, {"SET m 1 PXAT 1000001", OK}, {"PTTL m", ":1\r\n"},
               {"SET m 1 EXAT 9223372036854775807", EXPIRE_TIME("set")}, {"SET m 1 PX 1500", OK},
               {"TTL m", ":2\r\n"}, {"SET m 1 PX 1499", OK}, {"TTL m", ":1\r\n"});
}

Test(command, keys_are_counted_and_removed)
{
    EXPECT_ALL({"DEL", ARITY("del")}, {"DEL a", ":0\r\n"}, {"SET a 1", OK}, {"SET b 1", OK},
               {"EXISTS a a b c", ":3\r\n"}, {"EXISTS", ARITY("exists")}, {"TYPE a", "+string\r\n"},
               {"TYPE c", "+none\r\n"}, {"DBSIZE", ":2\r\n"}, {"DBSIZE x", ARITY("dbsize")},
               {"DEL a b c a", ":2\r\n"}, {"DBSIZE", ":0\r\n"}, {"SET a 1", OK}, {"FLUSHALL", OK},
               {"GET a", NOTHING}, {"FLUSHDB ASYNC", OK}, {"FLUSHALL FOO", SYNTAX},
               {"FLUSHALL SYNC SYNC", SYNTAX});
}

Test(command, numbers_are_added_as_redis_does)
{
    EXPECT_ALL({"INCR a", ":1\r\n"}, {"INCR a", ":2\r\n"}, {"GET a", "$1\r\n2\r\n"},
               {"DECR a", ":1\r\n"}, {"INCRBY a 10", ":11\r\n"}, {"DECRBY a 5", ":6\r\n"},
               {"INCRBY a x", NOT_INT}, {"INCRBY a 00", NOT_INT}, {"INCR", ARITY("incr")},
               {"DECRBY a -9223372036854775808", "-ERR decrement would overflow\r\n"},
               {"INCRBY a 9223372036854775807", OVERFLOW}, {"SET s hello", OK}, {"INCR s", NOT_INT},
               {"SET s ' 1'", OK}, {"INCR s", NOT_INT}, {"SET s ''", OK}, {"INCR s", NOT_INT},
               {"SET c 9223372036854775807", OK}, {"INCR c", OVERFLOW},
               {"SET d -9223372036854775808", OK}, {"DECR d", OVERFLOW}, {"SET k 1 EX 100", OK},
               {"INCR k", ":2\r\n"}, {"TTL k", ":100\r\n"});
}

Test(command, expiries_answer_as_redis_does)
{
    EXPECT_ALL(
        {"EXPIRE a 10", ":0\r\n"}, {"SET a 1", OK}, {"EXPIRE a 10", ":1\r\n"}, {"TTL a", ":10\r\n"},
        {"PTTL a", ":10000\r\n"}, {"TTL z", ":-2\r\n"}, {"EXPIRE a", ARITY("expire")},
        {"EXPIRE a x", NOT_INT}, {"EXPIRE a 9223372036854775807", EXPIRE_TIME("expire")},
        {"EXPIRE a -9223372036854775808", EXPIRE_TIME("expire")},
        {"PEXPIRE a 9223372036854775807", EXPIRE_TIME("pexpire")}, {"EXPIRE a 20 NX", ":0\r\n"},
        {"EXPIRE a 20 XX", ":1\r\n"}, {"EXPIRE a 10 GT", ":0\r\n"}, {"EXPIRE a 30 GT", ":1\r\n"},
        {"EXPIRE a 30 GT", ":0\r\n"}, {"EXPIRE a 30 LT", ":0\r\n"}, {"EXPIRE a 40 LT", ":0\r\n"},
        {"EXPIRE a 10 LT", ":1\r\n"}, {"TTL a", ":10\r\n"},
        {"EXPIRE a 10 NX GT", "-ERR NX and XX, GT or LT options at the same time are not "
                              "compatible\r\n"},
        {"EXPIRE a 10 GT LT", "-ERR GT and LT options at the same time are not "
                              "compatible\r\n"},
        {"EXPIRE a 10 FOO", "-ERR Unsupported option FOO\r\n"}, {"PERSIST a", ":1\r\n"},
        {"PERSIST a", ":0\r\n"}, {"PERSIST z", ":0\r\n"}, {"TTL a", ":-1\r\n"},
        {"EXPIRE a 10 GT", ":0\r\n"}, {"EXPIRE a 10 LT", ":1\r\n"},
        {"PEXPIREAT a 9223372036854775807", ":1\r\n"}, {"PERSIST a", ":1\r\n"},
        {"EXPIREAT a 2000", ":1\r\n"}, {"TTL a", ":1000\r\n"}, {"PEXPIRE a -1", ":1\r\n"},
        {"EXISTS a", ":0\r\n"}, {"SET a 1", OK}, {"EXPIRE a 0", ":1\r\n"}, {"GET a", NOTHING});
}

Test(command, a_key_expires_as_time_goes_by)
{
    struct server server;
    begin(&server, STORE_MAXIMUM);
    expect(&server, "SET a 1 PX 100", OK);
    server.now += 99;
    expect(&server, "GET a", "$1\r\n1\r\n");
    expect(&server, "PTTL a", ":1\r\n");
    server.now++;
    expect(&server, "GET a", NOTHING);
    expect(&server, "PTTL a", ":-2\r\n");
    end(&server);
}

#define CONFIRMED(what, name, count) "*3\r\n" what "\r\n" name "\r\n:" count "\r\n"
#define SUBSCRIBED                   "$9\r\nsubscribe"
#define UNSUBSCRIBED                 "$11\r\nunsubscribe"
#define PSUBSCRIBED                  "$10\r\npsubscribe"
#define PUNSUBSCRIBED                "$12\r\npunsubscribe"
#define REFUSED(name)                                                                        \
    "-ERR Can't execute '" name "': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / " \
    "RESET are allowed in this context\r\n"

Test(command, subscriptions_are_confirmed_with_their_number)
{
    EXPECT_ALL({"SUBSCRIBE", ARITY("subscribe")}, {"PSUBSCRIBE", ARITY("psubscribe")},
               {"UNSUBSCRIBE", CONFIRMED(UNSUBSCRIBED, "$-1", "0")},
               {"PUNSUBSCRIBE", CONFIRMED(PUNSUBSCRIBED, "$-1", "0")},
               {"UNSUBSCRIBE a b",
                CONFIRMED(UNSUBSCRIBED, "$1\r\na", "0") CONFIRMED(UNSUBSCRIBED, "$1\r\nb", "0")},
               {"SUBSCRIBE a b a",
                CONFIRMED(SUBSCRIBED, "$1\r\na", "1") CONFIRMED(SUBSCRIBED, "$1\r\nb", "2")
                    CONFIRMED(SUBSCRIBED, "$1\r\na", "2")},
               {"PSUBSCRIBE n* n*",
                CONFIRMED(PSUBSCRIBED, "$2\r\nn*", "3") CONFIRMED(PSUBSCRIBED, "$2\r\nn*", "3")},
               {"SUBSCRIBE ''", CONFIRMED(SUBSCRIBED, "$0\r\n", "4")},
               {"UNSUBSCRIBE c '' b",
                CONFIRMED(UNSUBSCRIBED, "$1\r\nc", "4") CONFIRMED(UNSUBSCRIBED, "$0\r\n", "3")
                    CONFIRMED(UNSUBSCRIBED, "$1\r\nb", "2")},
               {"SUBSCRIBE c", CONFIRMED(SUBSCRIBED, "$1\r\nc", "3")},
               {"UNSUBSCRIBE",
                CONFIRMED(UNSUBSCRIBED, "$1\r\na", "2") CONFIRMED(UNSUBSCRIBED, "$1\r\nc", "1")},
               {"UNSUBSCRIBE", CONFIRMED(UNSUBSCRIBED, "$-1", "1")},
               {"PUNSUBSCRIBE", CONFIRMED(PUNSUBSCRIBED, "$2\r\nn*", "0")}, {"PING", "+PONG\r\n"});
}

Test(command, a_subscriber_is_refused_the_others_as_by_redis)
{
    EXPECT_ALL({"SUBSCRIBE a", CONFIRMED(SUBSCRIBED, "$1\r\na", "1")},
               {"PING", "*2\r\n$4\r\npong\r\n$0\r\n\r\n"},
               {"PING hi", "*2\r\n$4\r\npong\r\n$2\r\nhi\r\n"}, {"PING a b", ARITY("ping")},
               {"GET a", REFUSED("get")}, {"GET", ARITY("get")},
               {"NOSUCH x", "-ERR unknown command 'NOSUCH', with args beginning with: 'x' \r\n"},
               {"CLIENT ID", REFUSED("client|id")}, {"CLIENT ID x", ARITY("client|id")},
               {"CLIENT FOO", "-ERR unknown subcommand 'FOO'. Try CLIENT HELP.\r\n"},
               {"CLIENT", ARITY("client")}, {"PUBSUB CHANNELS", REFUSED("pubsub|channels")},
               {"PUBSUB", ARITY("pubsub")}, {"PUBLISH a", ARITY("publish")},
               {"PUBLISH a b", REFUSED("publish")}, {"COMMAND", REFUSED("command")},
               {"HELLO 2", REFUSED("hello")}, {"CONFIG GET save", REFUSED("config|get")},
               {"SELECT 0", REFUSED("select")}, {"RESET", "+RESET\r\n"}, {"GET a", NOTHING});
    struct server server;
    begin(&server, STORE_MAXIMUM);
    expect(&server, "PSUBSCRIBE a", CONFIRMED(PSUBSCRIBED, "$1\r\na", "1"));
    cr_assert_eq(run(&server, "QUIT"), COMMAND_QUIT);
    end(&server);
}

Test(command, publishing_to_nobody_and_what_is_known_of_it)
{
    EXPECT_ALL({"PUBLISH a", ARITY("publish")}, {"PUBLISH a b c", ARITY("publish")},
               {"PUBLISH a b", ":0\r\n"}, {"PUBSUB", ARITY("pubsub")},
               {"PUBSUB CHANNELS", "*0\r\n"}, {"PUBSUB CHANNELS a*", "*0\r\n"},
               {"PUBSUB channels a b", "-ERR unknown subcommand or wrong number of arguments for "
                                       "'channels'. Try PUBSUB HELP.\r\n"},
               {"PUBSUB NUMSUB", "*0\r\n"},
               {"PUBSUB NUMSUB a b", "*4\r\n$1\r\na\r\n:0\r\n$1\r\nb\r\n:0\r\n"},
               {"PUBSUB NUMPAT", ":0\r\n"}, {"PUBSUB NUMPAT a", ARITY("pubsub|numpat")},
               {"PUBSUB FOO", "-ERR unknown subcommand 'FOO'. Try PUBSUB HELP.\r\n"},
               {"COMMAND COUNT x", ARITY("command|count")}, {"COMMAND LIST x", SYNTAX},
               {"COMMAND INFO publish", "*1\r\n*10\r\n$7\r\npublish\r\n:3\r\n*1\r\n+pubsub\r\n:0"
                                        "\r\n:0\r\n:0\r\n*0\r\n*0\r\n*0\r\n*0\r\n"});
}

Test(command, an_unknown_command_gets_redis_error)
{
    EXPECT_ALL(
        {"foo", "-ERR unknown command 'foo', with args beginning with: \r\n"},
        {"KEYS *", "-ERR unknown command 'KEYS', with args beginning with: '*' \r\n"},
        {"foo 'a\\nb' \"c\\r\\nd\"", "-ERR unknown command 'foo', with args beginning with: "
                                     "'a\\nb' 'c  d' \r\n"},
        {"foo \"a\\x00b\" c", "-ERR unknown command 'foo', with args beginning with: 'a' 'c' \r\n"},
        {"''", "-ERR unknown command '', with args beginning with: \r\n"});
    struct server server;
    char line[512] = "foo ", reply[512];
    begin(&server, STORE_MAXIMUM);
    memset(line + 4, 'y', 120);
    strcpy(line + 124, " abcdefgh ijk l");
    sprintf(reply, "-ERR unknown command 'foo', with args beginning with: '%.*s' 'abcde' \r\n", 120,
            line + 4);
    expect(&server, line, reply);
    memset(line, 'z', 300);
    line[300] = '\0';
    sprintf(reply, "-ERR unknown command '%.128s', with args beginning with: \r\n", line);
    expect(&server, line, reply);
    end(&server);
}

Test(command, what_clients_ask_at_the_start_is_answered)
{
    EXPECT_ALL(
        {"HELLO 3", "-NOPROTO unsupported protocol version\r\n"},
        {"HELLO x", "-ERR Protocol version is not an integer or out of range\r\n"},
        {"HELLO 2 FOO", "-ERR Syntax error in HELLO option 'FOO'\r\n"},
        {"HELLO 2 SETNAME me", "*14\r\n$6\r\nserver\r\n$5\r\nredis\r\n$7\r\nversion\r\n$5\r\n"
                               "7.0.0\r\n$5\r\nproto\r\n:2\r\n$2\r\nid\r\n:7\r\n$4\r\nmode\r\n"
                               "$10\r\nstandalone\r\n$4\r\nrole\r\n$6\r\nmaster\r\n$7\r\nmodules"
                               "\r\n*0\r\n"},
        {"CLIENT GETNAME", "$2\r\nme\r\n"}, {"CONFIG GET save", "*2\r\n$4\r\nsave\r\n$0\r\n\r\n"},
        {"CONFIG GET APPENDONLY", "*2\r\n$10\r\nappendonly\r\n$2\r\nno\r\n"},
        {"CONFIG GET maxmemory save", "*4\r\n$4\r\nsave\r\n$0\r\n\r\n$9\r\nmaxmemory\r\n$9\r\n"
                                      "268435456\r\n"},
        {"CONFIG GET nothing", "*0\r\n"}, {"CONFIG GET", ARITY("config|get")},
        {"CONFIG FOO", "-ERR unknown subcommand 'FOO'. Try CONFIG HELP.\r\n"},
        {"COMMAND DOCS", "*0\r\n"},
        {"COMMAND INFO get foo", "*2\r\n*10\r\n$3\r\nget\r\n:2\r\n*1\r\n+readonly\r\n:1\r\n:1\r\n"
                                 ":1\r\n*0\r\n*0\r\n*0\r\n*0\r\n$-1\r\n"},
        {"COMMAND FOO", "-ERR unknown subcommand 'FOO'. Try COMMAND HELP.\r\n"});
}

/* Each of these replies is one value, whole. */
Test(command, a_long_reply_is_well_formed)
{
    static const char *const lines[] = {"COMMAND",     "COMMAND LIST", "COMMAND INFO", "INFO",
                                        "INFO server", "CONFIG GET *", "COMMAND COUNT"};
    struct server server;
    begin(&server, STORE_MAXIMUM);
    expect(&server, "SET a 1 EX 10", OK);
    for (size_t i = 0; i < LENGTH(lines); i++) {
        cr_assert_eq(run(&server, lines[i]), COMMAND_OK);
        struct resp_parser parser;
        size_t consumed, length = edo_bytes_length(&server.out);
        resp_parser_init(&parser, RESP_REPLIES, &RESP_LIMITS_DEFAULT);
        cr_assert_eq(resp_parse(&parser, edo_bytes_data(&server.out), length, &consumed),
                     RESP_COMPLETE);
        cr_assert_eq(consumed, length);
        cr_assert_neq(parser.values[0].type, RESP_ERROR);
        resp_parser_free(&parser);
        edo_bytes_consume(&server.out, length);
    }
    end(&server);
}

Test(command, quit_and_browsers_are_closed)
{
    struct server server;
    begin(&server, STORE_MAXIMUM);
    cr_assert_eq(run(&server, "POST / HTTP/1.1"), COMMAND_QUIT);
    cr_assert_eq(run(&server, "Host: here"), COMMAND_QUIT);
    cr_assert_eq(edo_bytes_length(&server.out), 0);
    cr_assert_eq(run(&server, "QUIT"), COMMAND_QUIT);
    cr_assert_eq(edo_bytes_length(&server.out), 5);
    end(&server);
}

Test(command, a_full_store_is_an_error_and_reading_goes_on)
{
    static const char full[] = "-OOM command not allowed when used memory > 'maxmemory'.\r\n";
    struct server server;
    begin(&server, 2000);
    expect(&server, "SET a old", OK);
    int r, n = 0;
    do {
        char line[64];
        sprintf(line, "SET key:%d xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx", n++);
        size_t before = edo_bytes_length(&server.out);
        r = run(&server, line);
        cr_assert_eq(r, COMMAND_OK);
        if (edo_bytes_data(&server.out)[before] == '-')
            break;
    } while (n < 100);
    cr_assert_lt(n, 100);
    edo_bytes_consume(&server.out, edo_bytes_length(&server.out));
    expect(&server, "SET new xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx", full);
    expect(&server, "SET a xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx GET",
           full);
    expect(&server, "GET a", "$3\r\nold\r\n");
    expect(&server, "DEL a key:0", ":2\r\n");
    expect(&server, "SET new x", OK);
    end(&server);
}

/* Each command that answers at length or changes something, and whether it did may be seen by `GET
 * a` and `TTL a`. */
static const char *const changes[] = {
    "SET a 2",
    "SET a 2 GET",
    "SET a 2 EX 9",
    "INCR a",
    "INCRBY a 7",
    "DEL a",
    "EXPIRE a 9",
    "PERSIST a",
    "FLUSHALL",
    "GET a",
    "INFO",
    "COMMAND",
    "CONFIG GET *",
    "HELLO 2",
    "ECHO 0123456789012345678901234567890123456789",
    "NOSUCH a b cd",
    "COMMAND INFO get set",
    "SUBSCRIBE a b c 01234567890123456789",
    "PSUBSCRIBE a* b* *",
    "UNSUBSCRIBE",
    "PUBLISH a b",
    "PUBSUB CHANNELS a*",
    "RESET",
    "QUIT",
};

Test(command, without_room_for_the_reply_nothing_is_changed)
{
    for (size_t i = 0; i < LENGTH(changes); i++) {
        for (size_t room = 0; room < 3000; room += 37) {
            struct server server;
            begin(&server, STORE_MAXIMUM);
            expect(&server, "SET a 1", OK);
            edo_bytes_free(&server.out);
            edo_bytes_init(&server.out, room + 1);
            int r = run(&server, changes[i]);
            if (r < 0) {
                cr_assert_eq(edo_bytes_length(&server.out), 0, "%s", changes[i]);
                edo_bytes_free(&server.out);
                edo_bytes_init(&server.out, 0);
                expect(&server, "GET a", "$1\r\n1\r\n");
                expect(&server, "TTL a", ":-1\r\n");
            }
            end(&server);
        }
    }
}

Test(command, a_failed_allocation_is_an_error_and_changes_nothing)
{
    for (size_t i = 0; i < LENGTH(changes); i++) {
        for (int sticky = 0; sticky < 2; sticky++) {
            bool fired = true;
            for (uint64_t n = 1; fired; n++) {
                struct server server;
                begin(&server, STORE_MAXIMUM);
                expect(&server, "SET a 1", OK);
                edo_bytes_free(&server.out);
                edo_alloc_fail(n, sticky);
                int r = run(&server, changes[i]);
                fired = edo_alloc_fail(0, false);
                size_t length = edo_bytes_length(&server.out);
                const char *reply = length > 0 ? edo_bytes_data(&server.out) : "";
                if (r < 0) {
                    cr_assert_eq(r, -ENOMEM);
                    cr_assert_eq(length, 0);
                }
                if (r < 0 || (length > 4 && memcmp(reply, "-OOM", 4) == 0)) {
                    edo_bytes_consume(&server.out, length);
                    expect(&server, "GET a", "$1\r\n1\r\n");
                    expect(&server, "TTL a", ":-1\r\n");
                }
                end(&server);
            }
        }
    }
}
