/* SPDX-License-Identifier: MIT */
/* TCP echo by uv_poll_t: libuv says what is ready, the rest are system calls. */
#include <stdlib.h>
#include <unistd.h>

#include "../echo.h"
#include "workloads.h"

struct connection {
    uv_poll_t poll;
    enum echo_next waits;
    uint64_t *echoes;
    struct echo echo;
};

static void on_closed(uv_handle_t *handle)
{
    struct connection *connection = handle->data;
    close(connection->echo.fd);
    free(connection);
}

static void on_ready(uv_poll_t *poll, int status, int events)
{
    struct connection *connection = poll->data;
    (void)events;
    enum echo_next next = status < 0 ? ECHO_OVER : echo_turn(&connection->echo, connection->echoes);
    if (next == connection->waits)
        return;
    connection->waits = next;
    if (next == ECHO_OVER)
        uv_close((uv_handle_t *)poll, on_closed);
    else
        peer_must(uv_poll_start(poll, next == ECHO_READABLE ? UV_READABLE : UV_WRITABLE, on_ready));
}

static void on_connection(uv_poll_t *listener, int status, int events)
{
    (void)events;
    peer_must(status);
    uv_os_fd_t fd;
    peer_must(uv_fileno((uv_handle_t *)listener, &fd));
    fd = echo_accept(fd);
    if (fd == UV_EAGAIN || fd == UV_ECONNABORTED)
        return;
    peer_must(fd);
    struct connection *connection = malloc(sizeof *connection);
    if (connection == NULL)
        peer_must(UV_ENOMEM);
    connection->poll.data = connection;
    connection->waits = ECHO_READABLE;
    connection->echoes = listener->data;
    connection->echo.fd = fd;
    connection->echo.begin = connection->echo.end = 0;
    peer_must(uv_poll_init(listener->loop, &connection->poll, fd));
    peer_must(uv_poll_start(&connection->poll, UV_READABLE, on_ready));
}

void echo_server_poll(struct peer *peer)
{
    uv_loop_t loop;
    uv_signal_t signals[2];
    uv_poll_t listener;
    uint64_t echoes = 0;
    uint16_t port = (uint16_t)peer->n;
    peer_must(peer->n > UINT16_MAX ? UV_EINVAL : 0);
    int fd = echo_listen(&port);
    peer_must(fd);
    peer_must(uv_loop_init(&loop));
    listener.data = &echoes;
    peer_must(uv_poll_init(&loop, &listener, fd));
    peer_must(uv_poll_start(&listener, UV_READABLE, on_connection));
    stop_by_signals(&loop, signals);
    peer_listening(port);
    peer_start(peer);
    uv_run(&loop, UV_RUN_DEFAULT);
    peer_stop(peer, echoes);
}
