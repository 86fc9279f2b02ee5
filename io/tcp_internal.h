/* SPDX-License-Identifier: MIT */
/* A connection as the files of io/ see it. The runtime's thread only. */
#ifndef EDO_IO_TCP_INTERNAL_H
#define EDO_IO_TCP_INTERNAL_H

#include "tcp.h"

struct edo_tcp {
    struct edo_registration *registration; /* NULL: closed */
    int fd;                                /* -1: closed */
    uint32_t refs;                         /* the owner, or each half; each operation that waits */
    uint8_t halves;                        /* owned halves alive; 0 while it is whole */
};

/* A registered connection of a non-blocking socket; on failure the socket is the caller's. */
int edo_tcp_new(int fd, struct edo_tcp **stream);

/* A socket of ours, non-blocking and close-on-exec; a descriptor, or a negative error. */
int edo_socket(int family);

/* Closes a descriptor of ours. */
void edo_socket_close(int fd);

#endif
