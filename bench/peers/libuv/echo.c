/* SPDX-License-Identifier: MIT */
/* TCP echo by streams: a server, and 64 clients of it in the same loop. */
#include <stdlib.h>
#include <string.h>

#include "../echo.h"
#include "workloads.h"

struct server {
    uv_tcp_t listener;
    uint64_t echoes;
};

struct connection {
    uv_tcp_t tcp;
    uv_write_t write;
    struct server *server;
    char buffer[16384];
};

static void on_closed(uv_handle_t *handle)
{
    free(handle->data);
}

static void end(struct connection *connection)
{
    if (!uv_is_closing((uv_handle_t *)&connection->tcp))
        uv_close((uv_handle_t *)&connection->tcp, on_closed);
}

static void on_alloc(uv_handle_t *handle, size_t size, uv_buf_t *buf)
{
    struct connection *connection = handle->data;
    (void)size;
    *buf = uv_buf_init(connection->buffer, sizeof connection->buffer);
}

static void on_read(uv_stream_t *stream, ssize_t size, const uv_buf_t *buf);

static void on_written(uv_write_t *write, int status)
{
    struct connection *connection = write->data;
    if (status < 0 || uv_read_start((uv_stream_t *)&connection->tcp, on_alloc, on_read) < 0) {
        end(connection);
        return;
    }
    connection->server->echoes++;
}

/* Writes at once what the socket takes. It reads no further while a rest is in the buffer. */
static void on_read(uv_stream_t *stream, ssize_t size, const uv_buf_t *buf)
{
    struct connection *connection = stream->data;
    if (size < 0) {
        end(connection);
        return;
    }
    if (size == 0)
        return; /* nothing is there yet */
    uv_buf_t rest = uv_buf_init(buf->base, (unsigned)size);
    int sent = uv_try_write(stream, &rest, 1);
    if (sent == size) {
        connection->server->echoes++;
        return;
    }
    if (sent > 0)
        rest = uv_buf_init(buf->base + sent, (unsigned)(size - sent));
    if ((sent < 0 && sent != UV_EAGAIN) || uv_read_stop(stream) < 0 ||
        uv_write(&connection->write, stream, &rest, 1, on_written) < 0)
        end(connection);
}

static void on_connection(uv_stream_t *listener, int status)
{
    peer_must(status);
    struct connection *connection = malloc(sizeof *connection);
    if (connection == NULL)
        peer_must(UV_ENOMEM);
    peer_must(uv_tcp_init(listener->loop, &connection->tcp));
    connection->tcp.data = connection->write.data = connection;
    connection->server = listener->data;
    uv_stream_t *stream = (uv_stream_t *)&connection->tcp;
    if (uv_accept(listener, stream) < 0 || uv_tcp_nodelay(&connection->tcp, 1) < 0 ||
        uv_read_start(stream, on_alloc, on_read) < 0)
        end(connection);
}

/* Listens on loopback; `addr` is what a client has to connect to. */
static void listen_on(uv_loop_t *loop, struct server *server, uint16_t port,
                      struct sockaddr_in *addr)
{
    int size = sizeof *addr;
    peer_must(uv_ip4_addr("127.0.0.1", port, addr));
    peer_must(uv_tcp_init(loop, &server->listener));
    server->listener.data = server;
    peer_must(uv_tcp_bind(&server->listener, (struct sockaddr *)addr, 0));
    peer_must(uv_listen((uv_stream_t *)&server->listener, 1024, on_connection));
    peer_must(uv_tcp_getsockname(&server->listener, (struct sockaddr *)addr, &size));
}

/* Sends numbers and has each back. */
struct client {
    uv_tcp_t tcp;
    uv_connect_t connect;
    uint64_t sent, times;
    size_t back; /* bytes of the message */
    int *running;
    char buffer[2 * ECHO_MESSAGE]; /* a message does not fill it: so libuv knows that it has all */
};

/* It is small enough for the socket's buffer, which is empty. */
static void send_next(struct client *client)
{
    char message[ECHO_MESSAGE] = {0};
    uv_buf_t buf = uv_buf_init(message, sizeof message);
    memcpy(message, &client->sent, sizeof client->sent);
    peer_check(uv_try_write((uv_stream_t *)&client->tcp, &buf, 1) == sizeof message);
}

static void on_client_alloc(uv_handle_t *handle, size_t size, uv_buf_t *buf)
{
    struct client *client = handle->data;
    (void)size;
    *buf = uv_buf_init(client->buffer + client->back,
                       (unsigned)(sizeof client->buffer - client->back));
}

static void on_client_read(uv_stream_t *stream, ssize_t size, const uv_buf_t *buf)
{
    struct client *client = stream->data;
    (void)buf;
    peer_must(size < 0 ? (int)size : 0);
    client->back += (size_t)size;
    if (client->back < ECHO_MESSAGE)
        return;
    peer_check(client->back == ECHO_MESSAGE &&
               memcmp(client->buffer, &client->sent, sizeof client->sent) == 0);
    client->back = 0;
    if (++client->sent < client->times)
        send_next(client);
    else if (--*client->running == 0)
        uv_stop(stream->loop);
}

static void on_connected(uv_connect_t *connect, int status)
{
    struct client *client = connect->data;
    peer_must(status);
    peer_must(uv_tcp_nodelay(&client->tcp, 1));
    peer_must(uv_read_start((uv_stream_t *)&client->tcp, on_client_alloc, on_client_read));
    send_next(client);
}

/* What is open is closed by the end of the process. */
void echo_inproc(struct peer *peer)
{
    static struct client clients[ECHO_CLIENTS];
    uv_loop_t loop;
    struct server server = {.echoes = 0};
    struct sockaddr_in addr;
    int running = ECHO_CLIENTS;
    peer_must(uv_loop_init(&loop));
    listen_on(&loop, &server, 0, &addr);
    peer_start(peer);
    for (int i = 0; i < ECHO_CLIENTS; i++) {
        struct client *client = &clients[i];
        client->times = peer->n;
        client->running = &running;
        client->tcp.data = client->connect.data = client;
        peer_must(uv_tcp_init(&loop, &client->tcp));
        peer_must(
            uv_tcp_connect(&client->connect, &client->tcp, (struct sockaddr *)&addr, on_connected));
    }
    uv_run(&loop, UV_RUN_DEFAULT);
    peer_stop(peer, ECHO_CLIENTS * peer->n);
}

void echo_server(struct peer *peer)
{
    uv_loop_t loop;
    uv_signal_t signals[2];
    struct server server = {.echoes = 0};
    struct sockaddr_in addr;
    peer_must(peer->n > UINT16_MAX ? UV_EINVAL : 0);
    peer_must(uv_loop_init(&loop));
    listen_on(&loop, &server, (uint16_t)peer->n, &addr);
    stop_by_signals(&loop, signals);
    peer_listening(ntohs(addr.sin_port));
    peer_start(peer);
    uv_run(&loop, UV_RUN_DEFAULT);
    peer_stop(peer, server.echoes);
}
