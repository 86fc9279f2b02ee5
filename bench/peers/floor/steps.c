/* SPDX-License-Identifier: MIT */
/* Steps of one thread. Each is hidden from the compiler as little as keeps it from being left out. */
#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

#include "../echo.h"
#include "workloads.h"

/* The compiler cannot know what `x` is from here on. */
#define OPAQUE(x) __asm__ volatile("" : "+r"(x) : : "memory")

static uint64_t next(uint64_t x)
{
    return x + 1;
}

/* There and back by a pointer; each call takes what the last one returned. */
void indirect_call(struct peer *peer)
{
    uint64_t (*function)(uint64_t) = next;
    uint64_t sum = 0;
    peer_start(peer);
    for (uint64_t i = 0; i < peer->n; i++) {
        OPAQUE(function);
        sum = function(sum);
    }
    peer_stop(peer, peer->n);
    peer_check(sum == peer->n);
}

/* The same 128 bytes again and again, as an allocator likes it best. */
void malloc_free(struct peer *peer)
{
    peer_start(peer);
    for (uint64_t i = 0; i < peer->n; i++) {
        void *block = malloc(128);
        OPAQUE(block);
        if (block == NULL)
            peer_must(-ENOMEM);
        free(block);
    }
    peer_stop(peer, peer->n);
}

/* An add that is locked, in a line that no other thread has. */
void atomic_rmw(struct peer *peer)
{
    static atomic_uint_fast64_t sum;
    peer_start(peer);
    for (uint64_t i = 0; i < peer->n; i++)
        atomic_fetch_add_explicit(&sum, 1, memory_order_relaxed);
    peer_stop(peer, peer->n);
    peer_check(sum == peer->n);
}

/* A message of 64 B from one end of a connection on loopback to the other, and the next one back: one write and one
 * read. So what says that one has come goes with the next, as with an echo; one way only, it is a packet of its own. */
void read_write(struct peer *peer)
{
    uint16_t port = 0;
    int listener = echo_listen(&port);
    peer_must(listener);
    int ends[2];
    peer_must(ends[0] = echo_connect(port));
    peer_must(ends[1] = echo_accept(listener));
    uint64_t message[ECHO_MESSAGE / sizeof(uint64_t)] = {0};
    peer_start(peer);
    for (uint64_t i = 0; i < peer->n; i++) {
        message[0] = i;
        peer_check(write(ends[i % 2], message, sizeof message) == sizeof message);
        message[0] = UINT64_MAX;
        peer_check(read(ends[(i + 1) % 2], message, sizeof message) == sizeof message &&
                   message[0] == i);
    }
    peer_stop(peer, peer->n);
}
