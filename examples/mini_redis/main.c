/* SPDX-License-Identifier: MIT */
/* mini-redis: a small Redis on one thread, that redis-cli and redis-benchmark can talk to: keys that
 * expire, and messages to subscribers. command.h lists the commands.
 *
 *     mini_redis --port 6379            until SIGINT or SIGTERM
 *     mini_redis --demo                 with a client in the same process; ends by itself
 */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "demo.h"
#include "server.h"

enum { PORT_UNSET = 65536 };

struct options {
    const char *bind;
    unsigned port, workers;
    bool demo;
    struct limits limits;
};

static const char usage[] = "usage: mini_redis [option]...\n"
                            "  --port N             port, 0 picks one (6379)\n"
                            "  --bind IP            a loopback address (127.0.0.1)\n"
                            "  --flavor ct          the runtime: ct, on the current thread\n"
                            "  --workers N          threads: 1 with ct\n"
                            "  --demo               run a client in this process, and end\n"
                            "  --max-clients N      (10000, at most the descriptor limit less 64)\n"
                            "  --max-array N        elements of a command (1024)\n"
                            "  --max-bulk BYTES     of one argument (1 MiB)\n"
                            "  --max-line BYTES     of an inline command (16 KiB)\n"
                            "  --max-frame BYTES    of a command, all told (2 MiB + 64 KiB)\n"
                            "  --max-memory BYTES   keys and values (256 MiB)\n"
                            "  --max-buffers BYTES  buffered for all clients (512 MiB)\n"
                            "  --output-pause BYTES of replies pending: not read from (256 KiB)\n"
                            "  --output-max BYTES   of replies pending: closed (4 MiB)\n"
                            "  --output-ms MS       replies not taken for so long: closed (10000)\n"
                            "  --frame-ms MS        for a command to arrive (10000)\n"
                            "  --idle-ms MS         without a command: closed (300000)\n"
                            "  --pipeline N         commands of a client per turn (128)\n"
                            "  --max-subscriptions N of one client (10000)\n"
                            "  --max-patterns N     subscribed to, of all clients (1024)\n"
                            "  --max-pending N      messages not taken: closed (1024)\n"
                            "  --max-pending-bytes BYTES of these: closed (1 MiB)\n";

/* Which number goes where, and how far it may go. */
struct number {
    const char *name;
    size_t offset, size;
    uint64_t least, most;
};
#define NUMBER(name, field, least, most)                                                       \
    {                                                                                          \
        name, offsetof(struct options, field), sizeof((struct options *)0)->field, least, most \
    }
static const struct number numbers[] = {
    NUMBER("port", port, 0, 65535),
    NUMBER("workers", workers, 1, 1),
    NUMBER("max-clients", limits.clients, 1, 1000000),
    NUMBER("max-array", limits.frame.array, 1, 1 << 20),
    NUMBER("max-bulk", limits.frame.bulk, 1, 512 << 20),
    NUMBER("max-line", limits.frame.line, 64, 1 << 20),
    NUMBER("max-frame", limits.frame.frame, 64, 1 << 30),
    NUMBER("max-memory", limits.maxmemory, 1 << 16, (uint64_t)1 << 40),
    NUMBER("max-buffers", limits.buffers, 1 << 16, (uint64_t)1 << 40),
    NUMBER("output-pause", limits.output_pause, 1, 1 << 30),
    NUMBER("output-max", limits.output_max, 1 << 10, 1 << 30),
    NUMBER("output-ms", limits.output_ms, 1, 86400000),
    NUMBER("frame-ms", limits.frame_ms, 1, 86400000),
    NUMBER("idle-ms", limits.idle_ms, 1, (uint64_t)86400000 * 365),
    NUMBER("pipeline", limits.pipeline, 1, 1 << 20),
    NUMBER("max-subscriptions", limits.pubsub.subscriptions, 1, 1 << 20),
    NUMBER("max-patterns", limits.pubsub.patterns, 1, 1 << 20),
    NUMBER("max-pending", limits.pubsub.messages, 1, 1 << 20),
    NUMBER("max-pending-bytes", limits.pubsub.bytes, 1, 1 << 30),
};
enum { NUMBERS = sizeof numbers / sizeof numbers[0] };

static void store_number(void *field, size_t size, uint64_t value)
{
    if (size == sizeof(unsigned))
        *(unsigned *)field = (unsigned)value;
    else
        *(uint64_t *)field = value;
}

static bool set_number(struct options *options, const struct number *number, const char *text)
{
    char *end;
    errno = 0;
    uint64_t value = strtoull(text, &end, 10);
    if (errno != 0 || *text < '0' || *text > '9' || *end != '\0' || value < number->least ||
        value > number->most) {
        fprintf(stderr, "mini_redis: --%s takes a number from %llu to %llu\n", number->name,
                (unsigned long long)number->least, (unsigned long long)number->most);
        return false;
    }
    store_number((char *)options + number->offset, number->size, value);
    return true;
}

static bool set_flavor(const char *text)
{
    if (strcmp(text, "ct") == 0)
        return true;
    fprintf(stderr, "mini_redis: there is no flavor %s: ct is the current-thread runtime\n", text);
    return false;
}

/* There is no password: it stays on this machine. */
static bool loopback(const struct edo_addr *addr)
{
    if (addr->any.sa_family == AF_INET6)
        return IN6_IS_ADDR_LOOPBACK(&addr->v6.sin6_addr);
    return ntohl(addr->v4.sin_addr.s_addr) >> 24 == 127;
}

enum { OPTION_BIND = NUMBERS, OPTION_FLAVOR, OPTION_DEMO, OPTION_HELP, OPTIONS };

static bool parse(struct options *options, int argc, char **argv)
{
    struct option longs[OPTIONS + 1] = {
        [OPTION_BIND] = {"bind", required_argument, NULL, OPTION_BIND},
        [OPTION_FLAVOR] = {"flavor", required_argument, NULL, OPTION_FLAVOR},
        [OPTION_DEMO] = {"demo", no_argument, NULL, OPTION_DEMO},
        [OPTION_HELP] = {"help", no_argument, NULL, OPTION_HELP},
    };
    for (int i = 0; i < NUMBERS; i++)
        longs[i] = (struct option){numbers[i].name, required_argument, NULL, i};
    *options = (struct options){.bind = "127.0.0.1", .port = PORT_UNSET, .limits = limits_default};
    for (int c; (c = getopt_long(argc, argv, "", longs, NULL)) != -1;) {
        bool good = c == OPTION_BIND || c == OPTION_DEMO;
        if (c == OPTION_BIND)
            options->bind = optarg;
        else if (c == OPTION_DEMO)
            options->demo = true;
        else if (c == OPTION_FLAVOR)
            good = set_flavor(optarg);
        else if (c >= 0 && c < NUMBERS)
            good = set_number(options, &numbers[c], optarg);
        else if (c == OPTION_HELP)
            exit(fputs(usage, stdout) < 0);
        if (!good)
            return false;
    }
    if (options->port == PORT_UNSET)
        options->port = options->demo ? 0 : 6379;
    if (optind < argc)
        fprintf(stderr, "mini_redis: what is %s?\n", argv[optind]);
    return optind == argc;
}

/* Leaves descriptors for everything else. */
static void fit_clients(struct limits *limits)
{
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files) != 0 || files.rlim_cur == RLIM_INFINITY)
        return;
    size_t room = files.rlim_cur > 128 ? files.rlim_cur - 64 : files.rlim_cur / 2;
    if (limits->clients > room)
        limits->clients = room;
}

static void on_stop(uv_signal_t *handle, int signum)
{
    (void)signum;
    event_set(&((struct server *)handle->data)->stop);
}

struct app {
    FUTURE(int);
    struct options *options;
    struct server server;
    struct edo_tcp_listener *listener;
    struct edo_addr addr;
    char text[EDO_ADDR_TEXT];
    struct serve serve;
    struct demo demo;
};

static int listen_on(struct app *self)
{
    struct options *options = self->options;
    int error = edo_addr_ip(&self->addr, options->bind, (uint16_t)options->port);
    if (error == 0 && !loopback(&self->addr)) {
        fprintf(stderr, "mini_redis: it has no password, so it listens on loopback only\n");
        return UV_EACCES;
    }
    if (error == 0)
        error = edo_tcp_listen(&self->listener, &self->addr);
    if (error == 0)
        error = edo_tcp_listener_local(self->listener, &self->addr);
    if (error < 0)
        fprintf(stderr, "mini_redis: %s port %u: %s\n", options->bind, options->port,
                edo_strerror(error));
    return error;
}

ASYNC(app)
{
    int error;
    ASYNC_BEGIN;
    error = listen_on(self);
    if (error < 0)
        RETURN(error);
    printf("listening on %s\n", edo_addr_format(&self->addr, self->text));
    fflush(stdout);
    self->serve = NEW(serve, .server = &self->server, .listener = self->listener);
    self->listener = NULL;
    if (self->options->demo) {
        self->demo = NEW(demo, .addr = self->addr, .stop = &self->server.stop);
        JOIN(&self->serve, &self->demo);
    } else {
        AWAIT_REF(self->serve);
    }
    self->output = self->serve.output < 0 ? self->serve.output : self->demo.output;
    printf("served %llu clients, %llu commands, %zu keys left\n",
           (unsigned long long)self->server.accepted, (unsigned long long)self->server.commands,
           self->server.store.count);
ASYNC_FINALLY:
    edo_tcp_listener_close(self->listener);
    ASYNC_END;
}

static int run(struct edo_runtime *runtime, struct app *app)
{
    static const int signals[] = {SIGINT, SIGTERM};
    uv_signal_t handles[2];
    for (int i = 0; i < 2; i++) {
        uv_signal_init(edo_runtime_loop(runtime), &handles[i]);
        handles[i].data = &app->server;
        uv_signal_start(&handles[i], on_stop, signals[i]);
    }
    int error = edo_block_on(runtime, app);
    for (int i = 0; i < 2; i++)
        uv_close((uv_handle_t *)&handles[i], NULL);
    edo_runtime_drop(runtime);
    return error < 0 ? error : app->output;
}

int main(int argc, char **argv)
{
    struct options options;
    if (!parse(&options, argc, argv)) {
        fputs(usage, stderr);
        return 2;
    }
    fit_clients(&options.limits);
    struct app *app = calloc(1, sizeof *app);
    if (app == NULL)
        return EXIT_FAILURE;
    *app = NEW(app, .options = &options);
    struct edo_runtime *runtime = NULL;
    int error = server_init(&app->server, &options.limits);
    if (error == 0)
        error = edo_runtime_new(&runtime, .name = "mini-redis");
    if (error == 0)
        error = run(runtime, app);
    if (error < 0)
        fprintf(stderr, "mini_redis: %s\n", edo_strerror(error));
    server_free(&app->server);
    free(app);
    return error < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
