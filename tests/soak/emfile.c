/* SPDX-License-Identifier: MIT */
/* At the limit of descriptors, with another thread that takes every one that is freed: timers tick,
 * old connections are served, the processor is not burnt, and accepting goes on when there is room.
 *
 *     emfile [SECONDS]         3
 *
 * The clients are another process. A few of their old connections are closed meanwhile, so that
 * there is something to take.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "edo.h"
#include "internal/census.h"

enum { LIMIT = 64, NEW_CONNECTIONS = 30, OLD_CONNECTIONS = 4, TIMERS = 4 };

static const uint64_t periods[TIMERS] = {1, 2, 5, 10};

/* What must hold. */
static const double TICKS_MIN = 0.95, CPU_MAX = 0.20, RECOVERY_MAX = 1.0;

static double seconds_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* ---- The clients' process ---- */

struct report {
    unsigned round_trips;
    double worst;    /* round trip at the limit, s */
    double recovery; /* from the end of the limit until all new connections were served, s */
};

static int dial(uint16_t port)
{
    struct sockaddr_in addr = {.sin_family = AF_INET, .sin_port = htons(port)};
    addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    struct timeval patience = {.tv_sec = 20};
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience) != 0 ||
        connect(fd, (struct sockaddr *)&addr, sizeof addr) != 0)
        return -1;
    return fd;
}

static bool ping(int fd)
{
    char byte = 'x';
    return send(fd, &byte, 1, MSG_NOSIGNAL) == 1 && recv(fd, &byte, 1, 0) == 1;
}

static int clients(double seconds, int from_server, int to_server)
{
    uint16_t port;
    int old[1 + OLD_CONNECTIONS], fresh[NEW_CONNECTIONS], closed = 0;
    struct report report = {0};
    if (read(from_server, &port, sizeof port) != sizeof port)
        return 1;
    for (int i = 0; i <= OLD_CONNECTIONS; i++)
        if ((old[i] = dial(port)) < 0 || !ping(old[i]))
            return 1;
    char byte;
    if (write(to_server, "!", 1) != 1 || read(from_server, &byte, 1) != 1)
        return 1;
    /* The server is at its limit. The kernel makes the connections; nobody accepts them. */
    for (int i = 0; i < NEW_CONNECTIONS; i++)
        if ((fresh[i] = dial(port)) < 0 || send(fresh[i], "x", 1, MSG_NOSIGNAL) != 1)
            return 1;
    double start = seconds_now();
    struct pollfd room = {.fd = from_server, .events = POLLIN};
    while (poll(&room, 1, 1) == 0) {
        double begin = seconds_now();
        if (!ping(old[0]))
            return 1;
        double took = seconds_now() - begin;
        report.worst = took > report.worst ? took : report.worst;
        report.round_trips++;
        if (closed < OLD_CONNECTIONS && begin - start > seconds * (closed + 1) / 6)
            close(old[1 + closed++]);
    }
    if (read(from_server, &byte, 1) != 1)
        return 1;
    start = seconds_now();
    for (int i = 0; i < NEW_CONNECTIONS; i++)
        if (recv(fresh[i], &byte, 1, 0) != 1)
            return 1;
    report.recovery = seconds_now() - start;
    return write(to_server, &report, sizeof report) == sizeof report ? 0 : 1;
}

/* ---- The thief: takes every descriptor there is, until it is told to let go ---- */

struct thief {
    pthread_t thread;
    atomic_bool stop;
    atomic_int taken;
    int fds[LIMIT];
};

static void *steal(void *arg)
{
    struct thief *thief = arg;
    const struct timespec moment = {.tv_nsec = 100000};
    int taken = 0;
    while (!atomic_load(&thief->stop)) {
        int fd = taken < LIMIT ? dup(0) : -1;
        if (fd >= 0)
            thief->fds[taken++] = fd;
        else
            nanosleep(&moment, NULL);
        atomic_store(&thief->taken, taken);
    }
    for (int i = 0; i < taken; i++)
        close(thief->fds[i]);
    return NULL;
}

/* ---- The server ---- */

struct serve {
    FUTURE(int);
    struct edo_tcp *conn;
    char byte;
    union {
        struct edo_read read;
        struct edo_write_all write;
    };
};

ASYNC(serve)
{
    ASYNC_BEGIN;
    for (;;) {
        AWAIT(self->read, edo_read(self->conn, &self->byte, 1));
        if (self->read.output <= 0)
            RETURN((int)self->read.output);
        AWAIT(self->write, edo_write_all(self->conn, &self->byte, 1));
        if (self->write.output < 0)
            RETURN((int)self->write.output);
    }
ASYNC_FINALLY:
    edo_tcp_close(self->conn);
    ASYNC_END;
}

struct accepting {
    FUTURE(int);
    struct edo_tcp_listener *listener;
    struct edo_tcp_accept accept;
};

ASYNC(accepting)
{
    ASYNC_BEGIN;
    for (;;) {
        TRY_AWAIT(self->accept, edo_tcp_accept(self->listener));
        edo_task_detach(SPAWN(NEW(serve, .conn = self->accept.stream)));
    }
    ASYNC_END;
}

struct ticker {
    FUTURE(int);
    uint64_t period;
    unsigned *ticks;
    struct edo_interval interval;
    struct edo_interval_tick tick;
};

ASYNC(ticker)
{
    ASYNC_BEGIN;
    self->interval = edo_interval(self->period);
    self->interval.missed = EDO_MISSED_SKIP;
    for (;;) {
        TRY_AWAIT(self->tick, edo_interval_tick(&self->interval));
        ++*self->ticks;
    }
    ASYNC_END;
}

static double cpu_of_this_thread(void)
{
    struct rusage usage;
    getrusage(RUSAGE_THREAD, &usage);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

struct server {
    FUTURE(int);
    double seconds;
    int to_clients, from_clients; /* the second is a socket, so that it can be awaited */
    struct thief *thief;
    struct report report;
    struct edo_tcp *control;
    struct edo_tcp_listener *listener;
    struct edo_addr addr;
    unsigned ticks[TIMERS], ticked[TIMERS]; /* all; at the limit */
    uint64_t start, pauses;
    double cpu, elapsed;
    char byte;
    struct edo_read_exact read;
    struct edo_sleep sleep;
};

ASYNC(server)
{
    uint16_t port;
    struct rlimit limit;
    ASYNC_BEGIN;
    edo_addr_ip(&self->addr, "127.0.0.1", 0);
    self->output = edo_tcp_from_fd(self->from_clients, &self->control);
    if (self->output == 0)
        self->output = edo_tcp_listen(&self->listener, &self->addr);
    if (self->output < 0)
        RETURN(self->output);
    edo_tcp_listener_local(self->listener, &self->addr);
    edo_task_detach(SPAWN(NEW(accepting, .listener = self->listener)));
    port = edo_addr_port(&self->addr);
    if (write(self->to_clients, &port, sizeof port) != sizeof port)
        RETURN(UV_EIO);
    AWAIT(self->read, edo_read_exact(self->control, &self->byte, 1));
    if (self->read.output != 1)
        RETURN(UV_EPROTO);

    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = LIMIT;
    if (setrlimit(RLIMIT_NOFILE, &limit) != 0 ||
        pthread_create(&self->thief->thread, NULL, steal, self->thief) != 0)
        RETURN(UV_EIO);
    while (atomic_load(&self->thief->taken) == 0)
        AWAIT(self->sleep, edo_sleep(1));
    AWAIT(self->sleep, edo_sleep(50));
    if (write(self->to_clients, "!", 1) != 1)
        RETURN(UV_EIO);
    for (int i = 0; i < TIMERS; i++)
        edo_task_detach(SPAWN(NEW(ticker, .period = periods[i], .ticks = &self->ticks[i])));
    self->start = edo_now();
    self->cpu = cpu_of_this_thread();
    AWAIT(self->sleep, edo_sleep((uint64_t)(self->seconds * 1000)));
    self->cpu = cpu_of_this_thread() - self->cpu;
    self->elapsed = (double)(edo_now() - self->start) / 1e9;
    self->pauses = edo_tcp_listener_pauses(self->listener);
    for (int i = 0; i < TIMERS; i++)
        self->ticked[i] = self->ticks[i];

    /* Room. */
    atomic_store(&self->thief->stop, true);
    pthread_join(self->thief->thread, NULL);
    if (write(self->to_clients, "!", 1) != 1)
        RETURN(UV_EIO);
    AWAIT(self->read, edo_read_exact(self->control, &self->report, sizeof self->report));
    if (self->read.output != sizeof self->report)
        RETURN(UV_EPROTO);
ASYNC_FINALLY:
    edo_tcp_listener_close(self->listener);
    edo_tcp_close(self->control);
    ASYNC_END;
}

int main(int argc, char **argv)
{
    static struct thief thief;
    double seconds = argc > 1 ? atof(argv[1]) : 3;
    int down[2], up[2], status = -1;
    if (pipe(down) != 0 || socketpair(AF_UNIX, SOCK_STREAM, 0, up) != 0)
        return EXIT_FAILURE;
    pid_t child = fork();
    if (child == 0) {
        close(down[1]);
        close(up[0]);
        _exit(clients(seconds, down[0], up[1]));
    }
    close(down[0]);
    close(up[1]);
    struct edo_census before = edo_census_now();
    struct edo_runtime *runtime = NULL;
    struct server server = NEW(server, .seconds = seconds, .to_clients = down[1],
                               .from_clients = up[0], .thief = &thief);
    int error = child < 0 ? -errno : edo_runtime_new(&runtime);
    if (error == 0) {
        error = edo_block_on(runtime, &server);
        edo_runtime_drop(runtime);
    }
    close(down[1]);
    if (child > 0)
        waitpid(child, &status, 0);
    if (error == 0)
        error = server.output;
    struct edo_census after = edo_census_now();
    double cpu = server.cpu / server.elapsed;
    bool ok = error == 0 && status == 0 && cpu < CPU_MAX && server.pauses > 0 &&
              server.report.round_trips > 10 && server.report.recovery <= RECOVERY_MAX;
    for (int i = 0; i < EDO_CENSUS_KINDS; i++)
        ok = ok && before.live[i] == after.live[i];
    printf("emfile: %.1f s at the limit; ticks", server.elapsed);
    for (int i = 0; i < TIMERS; i++) {
        double share = server.ticked[i] / (server.elapsed * 1000 / (double)periods[i]);
        printf(" %d ms %.1f %%,", (int)periods[i], share * 100);
        ok = ok && share >= TICKS_MIN;
    }
    printf(" %u round trips, the longest %.1f ms, %.1f %% of a core, %d pauses; accepting again "
           "after %.0f ms: %s%s%s\n",
           server.report.round_trips, server.report.worst * 1000, cpu * 100, (int)server.pauses,
           server.report.recovery * 1000, error < 0 ? edo_strerror(error) : "",
           error < 0 ? " " : "", ok ? "ok" : "FAILED");
    return ok ? EXIT_SUCCESS : EXIT_FAILURE;
}
