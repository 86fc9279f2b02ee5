/* SPDX-License-Identifier: MIT */
/* Socket addresses, IPv4 and IPv6, by value.
 *
 *     struct edo_addr addr;
 *     edo_addr_parse(&addr, "[::1]:6379");
 *     char text[EDO_ADDR_TEXT];
 *     puts(edo_addr_format(&addr, text));
 */
#ifndef EDO_IO_ADDR_H
#define EDO_IO_ADDR_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#ifdef __cplusplus
extern "C" {
#endif

struct edo_addr {
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
    };
    socklen_t length; /* of the part in use */
};

/* Room for any address's text. */
#define EDO_ADDR_TEXT 64

/* Reads "1.2.3.4:80" or "[::1]:80". Returns 0, or UV_EINVAL, the address unchanged. */
int edo_addr_parse(struct edo_addr *addr, const char *text);

/* Reads a numeric address alone, "1.2.3.4" or "::1" (with %scope). 0, or UV_EINVAL, unchanged. */
int edo_addr_ip(struct edo_addr *addr, const char *ip, uint16_t port);

/* The port, in the host's byte order. */
uint16_t edo_addr_port(const struct edo_addr *addr);

/* Writes what edo_addr_parse reads into text; returns text. */
char *edo_addr_format(const struct edo_addr *addr, char text[EDO_ADDR_TEXT]);

#ifdef __cplusplus
}
#endif

#endif
