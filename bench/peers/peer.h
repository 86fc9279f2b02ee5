/* SPDX-License-Identifier: MIT */
/* What the peers in C share: the command line of edo-bench, its clocks, and the line that it prints. There
 * is no Edo in here.
 *
 *     static void nothing(struct peer *peer)
 *     {
 *         peer_start(peer);
 *         … peer->n operations …
 *         peer_stop(peer, peer->n);
 *         peer_check(… what they computed is right …);
 *     }
 *
 *     const struct peer_workload peer_workloads[] = {{"nothing", 1000000, nothing}, {NULL}};
 */
#ifndef EDO_BENCH_PEER_H
#define EDO_BENCH_PEER_H

#include <stdbool.h>
#include <stdint.h>

struct peer {
    uint64_t n;    /* the command line's, or the default; a port, with echo_server */
    bool one_core; /* ct; otherwise mt2 */
    uint64_t started, cpu_started; /* ns */
    uint64_t ns, cpu_ns;           /* the results: wall time, and the processor's */
    uint64_t ops;
};

struct peer_workload {
    const char *name;
    uint64_t n; /* by default */
    void (*run)(struct peer *peer);
    bool two_threads; /* mt2 is a flavor of it too; the others have ct alone */
};

/* To be defined by each; a row without a name ends it. */
extern const struct peer_workload peer_workloads[];

/* Begins and ends what is timed: `ops` operations. */
void peer_start(struct peer *peer);
void peer_stop(struct peer *peer, uint64_t ops);

/* Both end the program, status 1: where a call failed, which gave a negative errno, as libuv's do; and
 * where a result is wrong. */
void peer_must(int error);
void peer_check(bool right);

/* The line that tells a load where the server is. */
void peer_listening(uint16_t port);

#endif
