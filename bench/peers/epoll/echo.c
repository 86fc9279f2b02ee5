/* SPDX-License-Identifier: MIT */
/* TCP echo on epoll, plainly: level-triggered, one thread. */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "../echo.h"
#include "../peer.h"

enum { EVENTS = 256 };

/* What an event belongs to. */
struct end {
    enum { LISTENER, SIGNALS, CONNECTION, CLIENT } kind;
    int fd;
};

struct connection {
    struct end end;
    enum echo_next waits;
    struct echo echo;
};

struct client {
    struct end end;
    uint64_t sent;
    size_t back; /* bytes of the message */
    char buffer[ECHO_MESSAGE];
};

struct loop {
    int epoll;
    bool stopped;
    struct end listener, signals;
    uint64_t echoes;
    uint64_t times; /* that each client sends */
    int running;    /* clients */
};

static void watch(const struct loop *loop, int operation, uint32_t events, struct end *end)
{
    struct epoll_event event = {.events = events, .data.ptr = end};
    if (epoll_ctl(loop->epoll, operation, end->fd, &event) != 0)
        peer_must(-errno);
}

static void accept_one(const struct loop *loop)
{
    int fd = echo_accept(loop->listener.fd);
    if (fd == -EAGAIN || fd == -ECONNABORTED)
        return;
    peer_must(fd);
    struct connection *connection = malloc(sizeof *connection);
    if (connection == NULL)
        peer_must(-ENOMEM);
    connection->end = (struct end){CONNECTION, fd};
    connection->waits = ECHO_READABLE;
    connection->echo.fd = fd;
    connection->echo.begin = connection->echo.end = 0;
    watch(loop, EPOLL_CTL_ADD, EPOLLIN, &connection->end);
}

static void serve(struct loop *loop, struct connection *connection)
{
    enum echo_next next = echo_turn(&connection->echo, &loop->echoes);
    if (next == connection->waits)
        return;
    if (next == ECHO_OVER) {
        close(connection->end.fd); /* epoll forgets it; the batch has no other event of it */
        free(connection);
        return;
    }
    connection->waits = next;
    watch(loop, EPOLL_CTL_MOD, next == ECHO_READABLE ? EPOLLIN : EPOLLOUT, &connection->end);
}

/* A number. It is small enough for the socket's buffer, which is empty. */
static void send_next(const struct client *client)
{
    char message[ECHO_MESSAGE] = {0};
    memcpy(message, &client->sent, sizeof client->sent);
    peer_check(write(client->end.fd, message, sizeof message) == sizeof message);
}

/* Has it back, and sends the next. */
static void receive(struct loop *loop, struct client *client)
{
    ssize_t got =
        read(client->end.fd, client->buffer + client->back, sizeof client->buffer - client->back);
    peer_check(got > 0 || (got < 0 && errno == EAGAIN));
    client->back += got > 0 ? (size_t)got : 0;
    if (client->back < sizeof client->buffer)
        return;
    peer_check(memcmp(client->buffer, &client->sent, sizeof client->sent) == 0);
    client->back = 0;
    if (++client->sent < loop->times)
        send_next(client);
    else
        loop->stopped = --loop->running == 0;
}

static void run(struct loop *loop)
{
    struct epoll_event events[EVENTS];
    while (!loop->stopped) {
        int ready = epoll_wait(loop->epoll, events, EVENTS, -1);
        for (int i = 0; i < ready; i++) {
            struct end *end = events[i].data.ptr;
            switch (end->kind) {
            case LISTENER:
                accept_one(loop);
                break;
            case SIGNALS:
                loop->stopped = true;
                break;
            case CONNECTION:
                serve(loop, (struct connection *)end);
                break;
            case CLIENT:
                receive(loop, (struct client *)end);
                break;
            }
        }
    }
}

static void loop_start(struct loop *loop, uint16_t *port)
{
    loop->epoll = epoll_create1(EPOLL_CLOEXEC);
    peer_must(loop->epoll < 0 ? -errno : 0);
    loop->listener = (struct end){LISTENER, echo_listen(port)};
    peer_must(loop->listener.fd);
    watch(loop, EPOLL_CTL_ADD, EPOLLIN, &loop->listener);
}

static void client_start(struct loop *loop, struct client *client, uint16_t port)
{
    client->end = (struct end){CLIENT, echo_connect(port)};
    peer_must(client->end.fd);
    watch(loop, EPOLL_CTL_ADD, EPOLLIN, &client->end);
    send_next(client);
    loop->running++;
}

/* What is open is closed by the end of the process. */
static void echo_inproc(struct peer *peer)
{
    static struct client clients[ECHO_CLIENTS];
    struct loop loop = {.times = peer->n};
    uint16_t port = 0;
    loop_start(&loop, &port);
    peer_start(peer);
    for (int i = 0; i < ECHO_CLIENTS; i++)
        client_start(&loop, &clients[i], port);
    run(&loop);
    peer_stop(peer, ECHO_CLIENTS * peer->n);
}

static void loop_stop_by_signals(struct loop *loop)
{
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGTERM);
    sigprocmask(SIG_BLOCK, &signals, NULL);
    loop->signals = (struct end){SIGNALS, signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK)};
    peer_must(loop->signals.fd < 0 ? -errno : 0);
    watch(loop, EPOLL_CTL_ADD, EPOLLIN, &loop->signals);
}

static void echo_server(struct peer *peer)
{
    struct loop loop = {.stopped = false};
    uint16_t port = (uint16_t)peer->n;
    peer_must(peer->n > UINT16_MAX ? -EINVAL : 0);
    loop_start(&loop, &port);
    loop_stop_by_signals(&loop);
    peer_listening(port);
    peer_start(peer);
    run(&loop);
    peer_stop(peer, loop.echoes);
}

const struct peer_workload peer_workloads[] = {
    {"echo_inproc", 5000, echo_inproc, false},
    {"echo_server", 7777, echo_server, false},
    {NULL, 0, NULL, false},
};
