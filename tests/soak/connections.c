/* SPDX-License-Identifier: MIT */
/* Connections made, used and closed: N one after the other, then N with some at a time. Descriptors,
 * the census and, nearly, the memory must be as they were at the start.
 *
 *     connections [N [AT-A-TIME]]         20000 and 1000
 */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "edo.h"
#include "internal/census.h"

/* A connection that was closed blocks its pair of ports for a while. So many listeners, so many
 * times the pairs. */
enum { LISTENERS = 32 };

static int fd_count(void)
{
    int count = 0;
    DIR *dir = opendir("/proc/self/fd");
    if (dir == NULL)
        return -1;
    while (readdir(dir) != NULL)
        count++;
    closedir(dir);
    return count - 3;
}

static long rss_kib(void)
{
    long pages = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    if (file == NULL || fscanf(file, "%*d %ld", &pages) != 1)
        pages = -1;
    if (file != NULL)
        fclose(file);
    return pages * (sysconf(_SC_PAGESIZE) / 1024);
}

struct serve {
    FUTURE(int);
    struct edo_tcp *conn;
    char buffer[64];
    union {
        struct edo_read read;
        struct edo_write_all write;
    };
};

ASYNC(serve)
{
    ASYNC_BEGIN;
    for (;;) {
        AWAIT(self->read, edo_read(self->conn, self->buffer, sizeof self->buffer));
        if (self->read.output <= 0)
            RETURN((int)self->read.output);
        AWAIT(self->write, edo_write_all(self->conn, self->buffer, (size_t)self->read.output));
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
        AWAIT(self->accept, edo_tcp_accept(self->listener));
        if (self->accept.output < 0)
            RETURN(self->accept.output);
        edo_task_detach(SPAWN(NEW(serve, .conn = self->accept.stream)));
    }
    ASYNC_END;
}

struct shared {
    struct edo_addr addrs[LISTENERS];
    unsigned long left;
};

/* Makes connections while there are some left to be made. */
struct client {
    FUTURE(int);
    struct shared *shared;
    struct edo_tcp *conn;
    char back[8];
    union {
        struct edo_tcp_connect connect;
        struct edo_write_all write;
        struct edo_read_exact read;
    };
};

ASYNC(client)
{
    ASYNC_BEGIN;
    while (self->shared->left > 0) {
        self->shared->left--;
        TRY_AWAIT(self->connect,
                  edo_tcp_connect(&self->shared->addrs[self->shared->left % LISTENERS]));
        self->conn = self->connect.stream;
        AWAIT(self->write, edo_write_all(self->conn, "request", 8));
        if (self->write.output < 0)
            RETURN((int)self->write.output);
        AWAIT(self->read, edo_read_exact(self->conn, self->back, 8));
        if (self->read.output != 8 || memcmp(self->back, "request", 8) != 0)
            RETURN(self->read.output < 0 ? (int)self->read.output : UV_EPROTO);
        edo_tcp_close(self->conn);
        self->conn = NULL;
    }
ASYNC_FINALLY:
    edo_tcp_close(self->conn);
    ASYNC_END;
}

struct soak {
    FUTURE(int);
    unsigned long total;
    unsigned at_a_time, i;
    struct shared shared;
    struct edo_tcp_listener *listeners[LISTENERS];
    JOIN_HANDLE(int) * handles;
    int result;
    uint64_t start;
    double seconds;
    struct edo_join join;
};

ASYNC(soak)
{
    ASYNC_BEGIN;
    for (int i = 0; i < LISTENERS; i++) {
        edo_addr_ip(&self->shared.addrs[i], "127.0.0.1", 0);
        self->result = edo_tcp_listen(&self->listeners[i], &self->shared.addrs[i], .backlog = 4096);
        if (self->result < 0)
            RETURN(self->result);
        edo_tcp_listener_local(self->listeners[i], &self->shared.addrs[i]);
        edo_task_detach(SPAWN(NEW(accepting, .listener = self->listeners[i])));
    }
    self->shared.left = self->total;
    self->start = edo_now();
    for (self->i = 0; self->i < self->at_a_time; self->i++)
        self->handles[self->i] = SPAWN(NEW(client, .shared = &self->shared));
    for (self->i = 0; self->i < self->at_a_time; self->i++) {
        AWAIT(self->join, edo_join(self->handles[self->i], &self->result));
        if (self->output == 0)
            self->output = self->join.output < 0 ? self->join.output : self->result;
    }
    self->seconds = (double)(edo_now() - self->start) / 1e9;
ASYNC_FINALLY:
    for (int i = 0; i < LISTENERS; i++)
        edo_tcp_listener_close(self->listeners[i]);
    ASYNC_END;
}

/* How long it took, in seconds; or a negative error. */
static double run(unsigned long total, unsigned at_a_time)
{
    struct edo_runtime *runtime = NULL;
    struct soak soak = NEW(soak, .total = total, .at_a_time = at_a_time);
    soak.handles = calloc(at_a_time, sizeof *soak.handles);
    int error = soak.handles == NULL ? UV_ENOMEM : edo_runtime_new(&runtime);
    if (error == 0) {
        error = edo_block_on(runtime, &soak);
        edo_runtime_drop(runtime);
    }
    free(soak.handles);
    return error < 0 ? error : soak.output < 0 ? soak.output : soak.seconds;
}

int main(int argc, char **argv)
{
    unsigned long total = argc > 1 ? strtoul(argv[1], NULL, 10) : 20000;
    unsigned at_a_time = argc > 2 ? (unsigned)strtoul(argv[2], NULL, 10) : 1000;
    /* What libuv keeps for the process, and the allocator for itself. */
    bool ok = at_a_time > 0 && run(2 * at_a_time, at_a_time) >= 0;
    int fds = fd_count();
    long rss = rss_kib();
    struct edo_census before = edo_census_now();
    double one = run(total, 1), many = run(total, at_a_time);
    struct edo_census after = edo_census_now();
    printf("connections: %lu one after the other in %.2f s (%.0f/s), %lu by %u in %.2f s (%.0f/s); "
           "descriptors %d -> %d, memory %ld -> %ld KiB: ",
           total, one, (double)total / one, total, at_a_time, many, (double)total / many, fds,
           fd_count(), rss, rss_kib());
    ok = ok && one >= 0 && many >= 0 && fds == fd_count() &&
         memcmp(&before, &after, sizeof before) == 0 && rss_kib() - rss < 1024;
    if (one < 0 || many < 0)
        printf("%s ", edo_strerror((int)(one < 0 ? one : many)));
    puts(ok ? "ok" : "FAILED");
    return ok ? EXIT_SUCCESS : EXIT_FAILURE;
}
