/* SPDX-License-Identifier: MIT */
/* peer WORKLOAD FLAVOR [N]: runs one workload and prints a line of what it cost. */
#include "peer.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static uint64_t clock_ns(clockid_t clock)
{
    struct timespec time;
    clock_gettime(clock, &time);
    return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

void peer_start(struct peer *peer)
{
    peer->cpu_started = clock_ns(CLOCK_PROCESS_CPUTIME_ID);
    peer->started = clock_ns(CLOCK_MONOTONIC);
}

void peer_stop(struct peer *peer, uint64_t ops)
{
    peer->ns = clock_ns(CLOCK_MONOTONIC) - peer->started;
    peer->cpu_ns = clock_ns(CLOCK_PROCESS_CPUTIME_ID) - peer->cpu_started;
    peer->ops = ops;
}

void peer_must(int error)
{
    if (error >= 0)
        return;
    fprintf(stderr, "peer: %s\n", strerror(-error));
    exit(1);
}

void peer_check(bool right)
{
    if (right)
        return;
    fprintf(stderr, "peer: a wrong result\n");
    exit(1);
}

void peer_listening(uint16_t port)
{
    printf("listening on 127.0.0.1:%u\n", port);
    fflush(stdout);
}

/* The process' resident memory, in bytes. */
static uint64_t rss(void)
{
    uint64_t pages = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    if (file != NULL) {
        if (fscanf(file, "%*u %" SCNu64, &pages) != 1)
            pages = 0;
        fclose(file);
    }
    return pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

enum { USAGE = 2, LACKING = 3 }; /* the statuses of what is not run */

static int usage(int status, const char *why, const char *what)
{
    fprintf(stderr,
            "peer: %s%s\n"
            "usage: peer WORKLOAD ct [N]\n"
            "       peer --list\n",
            why, what);
    for (const struct peer_workload *w = peer_workloads; w->name != NULL; w++)
        fprintf(stderr, "  %s%s\n", w->name, w->two_threads ? " (also mt2)" : "");
    return status;
}

static int list(void)
{
    for (const struct peer_workload *w = peer_workloads; w->name != NULL; w++)
        printf("%s\n", w->name);
    return 0;
}

static bool number(const char *text, uint64_t *value)
{
    char *end;
    errno = 0;
    *value = strtoull(text, &end, 10);
    return *text >= '0' && *text <= '9' && *end == '\0' && errno == 0;
}

int main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "--list") == 0)
        return list();
    if (argc < 3 || argc > 4)
        return usage(USAGE, "which workload, on which runtime?", "");
    const struct peer_workload *w = peer_workloads;
    while (w->name != NULL && strcmp(argv[1], w->name) != 0)
        w++;
    if (w->name == NULL)
        return usage(LACKING, "there is no such workload: ", argv[1]);
    const char *flavor = argv[2];
    struct peer peer = {.n = w->n, .one_core = strcmp(flavor, "ct") == 0};
    if (!peer.one_core && !(w->two_threads && strcmp(flavor, "mt2") == 0))
        return usage(LACKING, "not on this runtime: ", flavor);
    if (argc > 3 && !number(argv[3], &peer.n))
        return usage(USAGE, "not a number: ", argv[3]);
    if (peer.n == 0 && strncmp(w->name, "echo_server", strlen("echo_server")) != 0)
        peer.n = w->n;
    w->run(&peer);
    double ops = (double)peer.ops, ns = (double)peer.ns;
    if (peer.ops > 0)
        printf("%s %s ns_per_op=%.2f cpu_ns_per_op=%.2f ops_per_s=%.0f rss=%" PRIu64 "\n", w->name,
               flavor, ns / ops, (double)peer.cpu_ns / ops, ops * 1e9 / ns, rss());
    return 0;
}
