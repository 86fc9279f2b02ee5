/* SPDX-License-Identifier: MIT */
/* Idle connections: N of them held on one thread; then every one is served. The clients are another
 * process: with both ends in one, the descriptors would not suffice.
 *
 *     idle [N]         10000
 *
 * Prints the server's memory per connection (of the process, not the kernel's), and the processor
 * time it takes while nothing happens.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "edo.h"
#include "internal/census.h"

enum { BYTES_PER_CONNECTION_MAX = 4096, IDLE_MS = 1000 };

static long rss_bytes(void)
{
    long pages = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    if (file == NULL || fscanf(file, "%*d %ld", &pages) != 1)
        pages = -1;
    if (file != NULL)
        fclose(file);
    return pages * sysconf(_SC_PAGESIZE);
}

static double cpu_seconds(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

/* The other process: connects, waits until it is told, and has each connection echo a number. */
static int clients(unsigned count, int told, int port_from)
{
    uint16_t port;
    int *fds = calloc(count, sizeof *fds);
    if (fds == NULL || read(port_from, &port, sizeof port) != sizeof port)
        return 1;
    struct sockaddr_in addr = {.sin_family = AF_INET, .sin_port = htons(port)};
    addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    for (unsigned i = 0; i < count; i++) {
        fds[i] = socket(AF_INET, SOCK_STREAM, 0);
        if (fds[i] < 0 || connect(fds[i], (struct sockaddr *)&addr, sizeof addr) != 0) {
            fprintf(stderr, "idle: client %u: %m\n", i);
            return 1;
        }
    }
    char go;
    if (read(told, &go, 1) != 1)
        return 1;
    for (unsigned i = 0; i < count; i++)
        if (send(fds[i], &i, sizeof i, MSG_NOSIGNAL) != sizeof i)
            return 1;
    for (unsigned i = 0; i < count; i++) {
        unsigned back = ~i;
        if (recv(fds[i], &back, sizeof back, MSG_WAITALL) != sizeof back || back != i)
            return 1;
    }
    return 0;
}

struct shared {
    unsigned served, left;
    struct edo_completion *all_gone;
};

struct serve {
    FUTURE(int);
    struct shared *shared;
    struct edo_tcp *conn;
    unsigned number;
    union {
        struct edo_read_exact read;
        struct edo_write_all write;
    };
};

ASYNC(serve)
{
    ASYNC_BEGIN;
    for (;;) {
        AWAIT(self->read, edo_read_exact(self->conn, &self->number, sizeof self->number));
        if (self->read.output <= 0)
            RETURN((int)self->read.output);
        AWAIT(self->write, edo_write_all(self->conn, &self->number, sizeof self->number));
        if (self->write.output < 0)
            RETURN((int)self->write.output);
        self->shared->served++;
    }
ASYNC_FINALLY:
    edo_tcp_close(self->conn);
    if (--self->shared->left == 0)
        edo_completion_complete(self->shared->all_gone, 0);
    ASYNC_END;
}

struct idle {
    FUTURE(int);
    unsigned count, accepted;
    int tell, port_to;
    struct shared shared;
    long rss, per_connection;
    double cpu;
    uint64_t start;
    double connecting, serving;
    struct edo_addr addr;
    struct edo_tcp_listener *listener;
    struct edo_tcp_accept accept;
    struct edo_sleep sleep;
    struct edo_completion_wait wait;
};

ASYNC(idle)
{
    uint16_t port;
    ASYNC_BEGIN;
    self->shared.left = self->count;
    self->shared.all_gone = edo_completion_new(0);
    edo_addr_ip(&self->addr, "127.0.0.1", 0);
    self->output = edo_tcp_listen(&self->listener, &self->addr);
    if (self->output < 0 || self->shared.all_gone == NULL)
        RETURN(self->output < 0 ? self->output : UV_ENOMEM);
    edo_tcp_listener_local(self->listener, &self->addr);
    self->rss = rss_bytes();
    self->start = edo_now();
    port = edo_addr_port(&self->addr);
    if (write(self->port_to, &port, sizeof port) != sizeof port)
        RETURN(UV_EIO);
    for (self->accepted = 0; self->accepted < self->count; self->accepted++) {
        TRY_AWAIT(self->accept, edo_tcp_accept(self->listener));
        edo_task_detach(SPAWN(NEW(serve, .shared = &self->shared, .conn = self->accept.stream)));
    }
    self->connecting = (double)(edo_now() - self->start) / 1e9;
    AWAIT(self->sleep, edo_sleep(10));
    self->per_connection = (rss_bytes() - self->rss) / (long)self->count;
    self->cpu = cpu_seconds();
    AWAIT(self->sleep, edo_sleep(IDLE_MS));
    self->cpu = cpu_seconds() - self->cpu;
    self->start = edo_now();
    if (write(self->tell, "!", 1) != 1)
        RETURN(UV_EIO);
    AWAIT(self->wait, edo_completion_wait(self->shared.all_gone));
    self->serving = (double)(edo_now() - self->start) / 1e9;
ASYNC_FINALLY:
    edo_tcp_listener_close(self->listener);
    ASYNC_END;
}

int main(int argc, char **argv)
{
    unsigned count = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 10) : 10000;
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    int tell[2], port[2];
    if (count == 0 || pipe(tell) != 0 || pipe(port) != 0)
        return EXIT_FAILURE;
    pid_t child = fork();
    if (child == 0) {
        /* Should the server die, the reads end. */
        close(tell[1]);
        close(port[1]);
        _exit(clients(count, tell[0], port[0]));
    }
    struct edo_census before = edo_census_now();
    struct edo_runtime *runtime = NULL;
    struct idle idle = NEW(idle, .count = count, .tell = tell[1], .port_to = port[1]);
    int error = child < 0 ? -errno : edo_runtime_new(&runtime), status = -1;
    if (error == 0) {
        error = edo_block_on(runtime, &idle);
        edo_runtime_drop(runtime);
    }
    close(tell[1]);
    close(port[1]);
    if (child > 0)
        waitpid(child, &status, 0);
    if (error == 0)
        error = idle.output;
    struct edo_census after = edo_census_now();
    bool ok = error == 0 && status == 0 && idle.shared.served == count &&
              idle.per_connection <= BYTES_PER_CONNECTION_MAX && idle.cpu * 1000 < IDLE_MS / 10;
    for (int i = 0; i < EDO_CENSUS_KINDS; i++)
        ok = ok && before.live[i] == after.live[i];
    printf("idle: %u connections in %.2f s, %ld bytes each, %.1f %% of a core while idle; all "
           "served in %.2f s: %s%s%s\n",
           idle.accepted, idle.connecting, idle.per_connection, idle.cpu * 100000 / IDLE_MS,
           idle.serving, error < 0 ? edo_strerror(error) : "", error < 0 ? " " : "",
           ok ? "ok" : "FAILED");
    return ok ? EXIT_SUCCESS : EXIT_FAILURE;
}
