/* SPDX-License-Identifier: MIT */
/* The parts of an echo server by system calls: sockets on loopback that do not block and have no delay,
 * and what a connection does when it is ready. Who waits for that, and how, is the peers' own. */
#ifndef EDO_BENCH_PEER_ECHO_H
#define EDO_BENCH_PEER_ECHO_H

#include <stddef.h>
#include <stdint.h>

/* Of echo_inproc. */
enum { ECHO_CLIENTS = 64, ECHO_MESSAGE = 64 };

/* Port 0 is replaced by the one it got. The descriptor, or a negative errno. */
int echo_listen(uint16_t *port);

/* What the two below do to theirs: 0, or a negative errno. */
int echo_no_delay(int fd);

/* The next connection, -EAGAIN if there is none, or another negative errno. */
int echo_accept(int listener);

/* A connection, or a negative errno. A listener that has a place in its queue is enough. */
int echo_connect(uint16_t port);

/* A connection of the server: what was read and is not written yet is between begin and end. */
struct echo {
    int fd;
    size_t begin, end;
    char buffer[16384];
};

enum echo_next { ECHO_READABLE, ECHO_WRITABLE, ECHO_OVER };

/* Reads what is there, if nothing is left to write, and writes it, once each; counts it when it is
 * written. What it has to wait for now; ECHO_OVER: the other side closed, or it failed. */
enum echo_next echo_turn(struct echo *echo, uint64_t *echoes);

#endif
