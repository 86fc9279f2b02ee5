/* SPDX-License-Identifier: MIT */
#include "addr.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

int edo_addr_ip(struct edo_addr *addr, const char *ip, uint16_t port)
{
    struct edo_addr read = {.length = sizeof read.v4};
    if (uv_ip4_addr(ip, port, &read.v4) != 0) {
        /* uv_ip6_addr cuts what is too long; that is refused here. */
        if (strlen(ip) >= INET6_ADDRSTRLEN || uv_ip6_addr(ip, port, &read.v6) != 0)
            return UV_EINVAL;
        read.length = sizeof read.v6;
    }
    *addr = read;
    return 0;
}

/* Digits only, 0 to 65535. */
static int parse_port(const char *text, uint16_t *port)
{
    unsigned value = 0;
    if (*text == '\0' || strlen(text) > 5)
        return UV_EINVAL;
    for (; *text != '\0'; text++) {
        if (*text < '0' || *text > '9')
            return UV_EINVAL;
        value = value * 10 + (unsigned)(*text - '0');
    }
    *port = (uint16_t)value;
    return value <= UINT16_MAX ? 0 : UV_EINVAL;
}

int edo_addr_parse(struct edo_addr *addr, const char *text)
{
    char ip[EDO_ADDR_TEXT];
    bool v6 = text[0] == '[';
    const char *colon = strrchr(text, ':');
    if (colon == NULL || (v6 && (colon == text || colon[-1] != ']')))
        return UV_EINVAL;
    const char *start = text + v6;
    size_t length = (size_t)(colon - start) - v6;
    uint16_t port;
    if (length >= sizeof ip || parse_port(colon + 1, &port) != 0)
        return UV_EINVAL;
    memcpy(ip, start, length);
    ip[length] = '\0';
    struct edo_addr read;
    if (edo_addr_ip(&read, ip, port) != 0 || (read.any.sa_family == AF_INET6) != v6)
        return UV_EINVAL;
    *addr = read;
    return 0;
}

uint16_t edo_addr_port(const struct edo_addr *addr)
{
    return ntohs(addr->any.sa_family == AF_INET6 ? addr->v6.sin6_port : addr->v4.sin_port);
}

char *edo_addr_format(const struct edo_addr *addr, char text[EDO_ADDR_TEXT])
{
    char ip[INET6_ADDRSTRLEN] = "?";
    bool v6 = addr->any.sa_family == AF_INET6;
    if (v6)
        uv_ip6_name(&addr->v6, ip, sizeof ip);
    else
        uv_ip4_name(&addr->v4, ip, sizeof ip);
    snprintf(text, EDO_ADDR_TEXT, v6 ? "[%s]:%u" : "%s:%u", ip, edo_addr_port(addr));
    return text;
}
