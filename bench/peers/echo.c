/* SPDX-License-Identifier: MIT */
#include "echo.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

static struct sockaddr_in loopback(uint16_t port)
{
    return (struct sockaddr_in){
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

/* Closes what could not be used. */
static int fail(int fd)
{
    int error = errno;
    if (fd >= 0)
        close(fd);
    return -error;
}

int echo_listen(uint16_t *port)
{
    struct sockaddr_in addr = loopback(*port);
    socklen_t size = sizeof addr;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &(int){1}, sizeof(int)) != 0 ||
        bind(fd, (struct sockaddr *)&addr, sizeof addr) != 0 || listen(fd, 1024) != 0 ||
        getsockname(fd, (struct sockaddr *)&addr, &size) != 0)
        return fail(fd);
    *port = ntohs(addr.sin_port);
    return fd;
}

int echo_no_delay(int fd)
{
    return setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int)) == 0 ? 0 : -errno;
}

int echo_accept(int listener)
{
    int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd < 0 || echo_no_delay(fd) != 0)
        return fail(fd);
    return fd;
}

int echo_connect(uint16_t port)
{
    struct sockaddr_in addr = loopback(port);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&addr, sizeof addr) != 0 ||
        echo_no_delay(fd) != 0 || fcntl(fd, F_SETFL, O_NONBLOCK) != 0)
        return fail(fd);
    return fd;
}

enum echo_next echo_turn(struct echo *echo, uint64_t *echoes)
{
    if (echo->begin == echo->end) {
        ssize_t got = read(echo->fd, echo->buffer, sizeof echo->buffer);
        if (got <= 0)
            return got < 0 && errno == EAGAIN ? ECHO_READABLE : ECHO_OVER;
        echo->begin = 0;
        echo->end = (size_t)got;
    }
    ssize_t sent =
        send(echo->fd, echo->buffer + echo->begin, echo->end - echo->begin, MSG_NOSIGNAL);
    if (sent < 0)
        return errno == EAGAIN ? ECHO_WRITABLE : ECHO_OVER;
    echo->begin += (size_t)sent;
    if (echo->begin < echo->end)
        return ECHO_WRITABLE;
    ++*echoes;
    return ECHO_READABLE;
}
