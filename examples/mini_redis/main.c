/* SPDX-License-Identifier: MIT */
/* mini-redis: a small Redis that redis-cli and redis-benchmark can talk to: keys that expire, and
 * messages to subscribers. command.h lists the commands.
 *
 *     mini_redis --port 6379            until SIGINT or SIGTERM
 *     mini_redis --workers 4            the same on four threads, that share its tasks
 *     mini_redis --demo                 with a client in the same process; ends by itself
 *
 * SIGUSR1 has it print what each of its tasks waits for.
 */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "demo.h"
#include "server.h"

enum { PORT_UNSET = 65536 };

struct options {
    const char *bind;
    unsigned port;
    unsigned workers; /* of a multi-thread runtime; 0: as many as it likes */
    bool multi_thread, demo;
    struct limits limits;
};

static const char usage[] =
    "usage: mini_redis [option]...\n"
    "  --port N             port, 0 picks one (6379)\n"
    "  --bind IP            a loopback address (127.0.0.1)\n"
    "  --workers N          threads; auto: one for each CPU; 0: the current\n"
    "                       thread alone (0)\n"
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

static bool set_workers(struct options *options, const char *text)
{
    static const struct number workers = NUMBER("workers", workers, 0, EDO_WORKERS_MAX);
    bool as_it_likes = strcmp(text, "auto") == 0;
    options->workers = 0;
    if (!as_it_likes && !set_number(options, &workers, text))
        return false;
    options->multi_thread = as_it_likes || options->workers > 0;
    return true;
}

/* There is no password: it stays on this machine. */
static bool loopback(const struct edo_addr *addr)
{
    if (addr->any.sa_family == AF_INET6)
        return IN6_IS_ADDR_LOOPBACK(&addr->v6.sin6_addr);
    return ntohl(addr->v4.sin_addr.s_addr) >> 24 == 127;
}

enum { OPTION_BIND = NUMBERS, OPTION_WORKERS, OPTION_DEMO, OPTION_HELP, OPTIONS };

static bool parse(struct options *options, int argc, char **argv)
{
    struct option longs[OPTIONS + 1] = {
        [OPTION_BIND] = {"bind", required_argument, NULL, OPTION_BIND},
        [OPTION_WORKERS] = {"workers", required_argument, NULL, OPTION_WORKERS},
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
        else if (c == OPTION_WORKERS)
            good = set_workers(options, optarg);
        else if (c >= 0 && c < NUMBERS)
            good = set_number(options, &numbers[c], optarg);
        else if (c == OPTION_HELP)
            exit(fputs(usage, stdout) < 0);
        if (!good)
            return false;
    }
    if (options->multi_thread)
        options->limits.shards = DB_SHARDS_MAX;
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

/* A handler may be called on any thread, in the midst of anything, and may not do much. It writes to a
 * socket, whose other end a task reads. */
static int signal_socket = -1;

static void on_signal(int signum)
{
    int saved = errno;
    unsigned char byte = (unsigned char)signum;
    (void)!send(signal_socket, &byte, 1, MSG_NOSIGNAL); /* the task may be gone: a second signal */
    errno = saved;
}

/* The task's end of it, or a negative error. */
static int watch_signals(void)
{
    static const int signals[] = {SIGINT, SIGTERM, SIGUSR1};
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) < 0)
        return -errno;
    signal_socket = ends[0];
    for (int i = 0; i < 3; i++)
        sigaction(signals[i], &(struct sigaction){.sa_handler = on_signal, .sa_flags = SA_RESTART},
                  NULL);
    return ends[1];
}

/* Does what a signal has asked for: tells of the tasks, or stops the server. */
struct stopper {
    FUTURE(int);
    int fd;
    struct edo_cancellation_token *stop;
    struct edo_tcp *conn;
    unsigned char signal;
    struct edo_read read;
};

ASYNC(stopper)
{
    ASYNC_BEGIN;
    self->output = edo_tcp_from_fd(self->fd, &self->conn);
    if (self->output < 0)
        RETURN(self->output);
    do {
        AWAIT(self->read, edo_read(self->conn, &self->signal, 1));
        if (self->read.output == 1 && self->signal == SIGUSR1)
            edo_handle_dump(edo_handle_current(), stderr);
    } while (self->read.output == 1 && self->signal == SIGUSR1);
    edo_cancellation_token_cancel(self->stop);
    RETURN(0);
ASYNC_FINALLY:
    if (self->conn != NULL)
        edo_tcp_close(self->conn);
    else
        close(self->fd);
    ASYNC_END;
}

struct app {
    FUTURE(int);
    struct options *options;
    struct server server;
    struct edo_tcp_listener *listener;
    struct edo_addr addr;
    char text[EDO_ADDR_TEXT];
    int signals; /* the end of the socket that is read; 0: none */
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

static void report(struct server *server)
{
    pthread_mutex_lock(&server->mutex); /* a client that has not left in time may do so now */
    uint64_t commands = server->commands;
    pthread_mutex_unlock(&server->mutex);
    printf("served %llu clients, %llu commands, %zu keys left\n",
           (unsigned long long)server->accepted, (unsigned long long)commands,
           db_totals(&server->db).count);
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
    if (self->signals > 0)
        SPAWN_DETACHED(NEW(stopper, .fd = self->signals, .stop = self->server.stop));
    self->signals = 0;
    self->serve = NEW(serve, .server = &self->server, .listener = self->listener);
    self->listener = NULL;
    if (self->options->demo) {
        self->demo = NEW(demo, .addr = self->addr, .stop = self->server.stop);
        JOIN(&self->serve, &self->demo);
    } else {
        AWAIT_REF(self->serve);
    }
    self->output = self->serve.output < 0 ? self->serve.output : self->demo.output;
    report(&self->server);
ASYNC_FINALLY:
    edo_tcp_listener_close(self->listener);
    if (self->signals > 0)
        close(self->signals);
    ASYNC_END;
}

static int run(struct app *app)
{
    const struct options *options = app->options;
    struct edo_runtime *runtime;
    int error =
        edo_runtime_new(&runtime, .name = "mini-redis", .thread_name = "mini-redis",
                        .flavor = options->multi_thread ? EDO_MULTI_THREAD : EDO_CURRENT_THREAD,
                        .worker_threads = options->workers);
    if (error < 0)
        return error;
    error = edo_block_on(runtime, app);
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
    int error = server_init(&app->server, &options.limits);
    if (error == 0) {
        app->signals = watch_signals();
        error = app->signals < 0 ? app->signals : run(app);
        server_free(&app->server);
    }
    if (error < 0)
        fprintf(stderr, "mini_redis: %s\n", edo_strerror(error));
    free(app);
    return error < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
