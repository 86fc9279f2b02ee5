/* SPDX-License-Identifier: MIT */
/* Names to addresses, and connecting by name.
 *
 *     AWAIT(self->connect, edo_tcp_connect_name("localhost", 6379));
 */
#ifndef EDO_IO_RESOLVE_H
#define EDO_IO_RESOLVE_H

#include "tcp.h"

#ifdef __cplusplus
extern "C" {
#endif

/* As many addresses as one look-up gives. */
enum { EDO_RESOLVE_MAX = 8 };

/* edo_resolve(host, port): the addresses of a host, through libuv's resolver; a numeric address is
 * read at once and never looked up. Output: how many, at least 1, in `addrs`; or UV_EINVAL for what
 * is no name: empty, longer than 253 bytes, with characters that names do not have, or ending in a
 * number without being an address, as "127.1"; UV_EAI_NONAME and its like, UV_ENOMEM,
 * EDO_ENORUNTIME. The name is copied by the first poll. Cancel safety: dropped, the look-up goes on
 * in the background and its result is thrown away. */
struct edo_resolve {
    EDO_FUTURE(int);
    uint16_t port;
    const char *host;
    struct edo_lookup *lookup;
    struct edo_addr addrs[EDO_RESOLVE_MAX];
};
struct edo_resolve edo_resolve(const char *host, uint16_t port);

/* edo_tcp_connect_name(host, port): resolves, then tries each address in turn. Output 0 and
 * `stream`; or the look-up's error, or the last connection's. Cancel safety: as its parts. */
struct edo_tcp_connect_name {
    EDO_FUTURE(int);
    int count, index;
    struct edo_tcp *stream;
    struct edo_resolve resolve;
    struct edo_tcp_connect connect;
};
struct edo_tcp_connect_name edo_tcp_connect_name(const char *host, uint16_t port);

#ifdef __cplusplus
}
#endif

#endif
