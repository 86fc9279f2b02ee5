/* SPDX-License-Identifier: MIT */
/* A connection as the files of io/ see it. */
#ifndef EDO_IO_TCP_INTERNAL_H
#define EDO_IO_TCP_INTERNAL_H

#include "../runtime/registration_internal.h"
#include "tcp.h"

/* Its memory is the registration's: it lives as long as the owner has it, an operation waits, or the driver may
 * tell of it. */
struct edo_tcp {
    struct edo_registration registration; /* first */
    uint8_t halves; /* owned halves alive; 0 while it is whole. Under the registration's lock */
};

/* A registered connection of a non-blocking socket, with what is taken to be ready; on failure the socket is
 * the caller's. */
int edo_tcp_new(int fd, uint8_t ready, struct edo_tcp **stream);

/* A socket of ours, non-blocking and close-on-exec; a descriptor, or a negative error. */
int edo_socket(int family);

/* The kernel tells how long a name is, also of one that it has cut, as of a local socket's. */
static inline void edo_addr_cut(struct edo_addr *addr)
{
    if (addr->length > sizeof addr->v6)
        addr->length = sizeof addr->v6;
}

/* Makes a socket of somebody else's non-blocking. 0, or UV_EBADF, UV_ENOTSOCK, UV_EINVAL: not of streams. */
int edo_adopt_socket(int fd);

/* Closes a descriptor of ours that is not registered. */
void edo_socket_close(int fd);

#endif
