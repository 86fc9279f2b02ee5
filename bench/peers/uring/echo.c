/* SPDX-License-Identifier: MIT */
/* TCP echo on io_uring, one thread, as it is meant to be used: accepting and receiving are asked for once, what
 * comes is put into buffers that the kernel takes from a ring, and one system call submits all sends of a turn and
 * waits for what is next. For Linux 6.1 or later. */
#include <errno.h>
#include <liburing.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "../echo.h"
#include "../peer.h"

enum { ENTRIES = 1024, BUFFERS = 1024, GROUP = 0 };

/* One of the ring's; in the list of a connection while it is to be sent. */
struct buffer {
    struct buffer *next;
    unsigned begin, end;
    char bytes[16384];
};

/* What a completion belongs to. */
struct source {
    enum { ACCEPT, SIGNALS, RECEIVE, SEND } kind;
};

struct connection {
    struct source receive, send;
    int fd;
    bool receiving, sending, failed;
    struct buffer *first, **last; /* what came and is not sent */
};

struct loop {
    struct io_uring ring;
    struct io_uring_buf_ring *free;
    struct buffer *buffers;
    struct source accept, signals;
    int listener;
    bool stopped;
    uint64_t echoes;
};

#define OWNER(source, member) \
    ((struct connection *)((char *)(source)-offsetof(struct connection, member)))

/* To be prepared by the caller, which leaves the data as it is. */
static struct io_uring_sqe *ask(struct loop *loop, struct source *source)
{
    struct io_uring_sqe *sqe = io_uring_get_sqe(&loop->ring);
    if (sqe == NULL) { /* full */
        peer_must(io_uring_submit(&loop->ring));
        sqe = io_uring_get_sqe(&loop->ring);
    }
    io_uring_sqe_set_data(sqe, source);
    return sqe;
}

static void ask_accept(struct loop *loop)
{
    io_uring_prep_multishot_accept(ask(loop, &loop->accept), loop->listener, NULL, NULL,
                                   SOCK_CLOEXEC);
}

static void ask_receive(struct loop *loop, struct connection *connection)
{
    struct io_uring_sqe *sqe = ask(loop, &connection->receive);
    io_uring_prep_recv_multishot(sqe, connection->fd, NULL, 0, 0);
    sqe->flags |= IOSQE_BUFFER_SELECT;
    sqe->buf_group = GROUP;
    connection->receiving = true;
}

/* One at a time, so that they stay in order. */
static void ask_send(struct loop *loop, struct connection *connection)
{
    struct buffer *buffer = connection->first;
    io_uring_prep_send(ask(loop, &connection->send), connection->fd, buffer->bytes + buffer->begin,
                       buffer->end - buffer->begin, MSG_NOSIGNAL);
    connection->sending = true;
}

static void give_back(struct loop *loop, struct buffer *buffer)
{
    io_uring_buf_ring_add(loop->free, buffer->bytes, sizeof buffer->bytes,
                          (unsigned short)(buffer - loop->buffers), BUFFERS - 1, 0);
    io_uring_buf_ring_advance(loop->free, 1);
}

static void take_first(struct loop *loop, struct connection *connection)
{
    struct buffer *buffer = connection->first;
    connection->first = buffer->next;
    if (connection->first == NULL)
        connection->last = &connection->first;
    give_back(loop, buffer);
}

/* The other side closed, or it failed; and the kernel has nothing of it. */
static void close_when_over(struct loop *loop, struct connection *connection)
{
    if (connection->receiving || connection->sending)
        return;
    while (connection->first != NULL)
        take_first(loop, connection);
    close(connection->fd);
    free(connection);
}

static void accepted(struct loop *loop, const struct io_uring_cqe *cqe)
{
    if (!(cqe->flags & IORING_CQE_F_MORE))
        ask_accept(loop);
    if (cqe->res == -ECONNABORTED)
        return;
    peer_must(cqe->res);
    struct connection *connection = calloc(1, sizeof *connection);
    peer_must(connection == NULL ? -ENOMEM : 0);
    connection->receive.kind = RECEIVE;
    connection->send.kind = SEND;
    connection->fd = cqe->res;
    connection->last = &connection->first;
    peer_must(echo_no_delay(connection->fd));
    ask_receive(loop, connection);
}

static void received(struct loop *loop, struct connection *connection,
                     const struct io_uring_cqe *cqe)
{
    connection->receiving = cqe->flags & IORING_CQE_F_MORE;
    if (cqe->res > 0) {
        struct buffer *buffer = &loop->buffers[cqe->flags >> IORING_CQE_BUFFER_SHIFT];
        buffer->begin = 0;
        buffer->end = (unsigned)cqe->res;
        buffer->next = NULL;
        *connection->last = buffer;
        connection->last = &buffer->next;
        if (!connection->sending && !connection->failed)
            ask_send(loop, connection);
    }
    if (connection->receiving)
        return;
    /* It ends also for want of a buffer, or of room for completions, and then asks again at once: clients that read what
     * they get back leave one soon. */
    if (!connection->failed && (cqe->res > 0 || cqe->res == -ENOBUFS))
        ask_receive(loop, connection);
    else
        close_when_over(loop, connection);
}

static void sent(struct loop *loop, struct connection *connection, const struct io_uring_cqe *cqe)
{
    connection->sending = false;
    if (cqe->res < 0) {
        if (!connection->failed && connection->receiving)
            shutdown(connection->fd, SHUT_RDWR); /* ends the receiving */
        connection->failed = true;
    } else {
        struct buffer *buffer = connection->first;
        buffer->begin += (unsigned)cqe->res;
        if (buffer->begin == buffer->end) {
            take_first(loop, connection);
            loop->echoes++;
        }
        if (connection->first != NULL)
            ask_send(loop, connection);
    }
    close_when_over(loop, connection);
}

static void complete(struct loop *loop, const struct io_uring_cqe *cqe)
{
    struct source *source = io_uring_cqe_get_data(cqe);
    switch (source->kind) {
    case ACCEPT:
        accepted(loop, cqe);
        break;
    case SIGNALS:
        loop->stopped = true;
        break;
    case RECEIVE:
        received(loop, OWNER(source, receive), cqe);
        break;
    case SEND:
        sent(loop, OWNER(source, send), cqe);
        break;
    }
}

static void run(struct loop *loop)
{
    while (!loop->stopped) {
        int error = io_uring_submit_and_wait(&loop->ring, 1);
        peer_must(error == -EINTR ? 0 : error);
        struct io_uring_cqe *cqe;
        unsigned head, count = 0;
        io_uring_for_each_cqe(&loop->ring, head, cqe)
        {
            complete(loop, cqe);
            count++;
        }
        io_uring_cq_advance(&loop->ring, count);
    }
}

static void make_ring(struct loop *loop)
{
    struct io_uring_params params = {.flags = IORING_SETUP_SINGLE_ISSUER |
                                              IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_CQSIZE,
                                     .cq_entries = 4 * ENTRIES};
    int error = io_uring_queue_init_params(ENTRIES, &loop->ring, &params);
    peer_must(error); /* ENOSYS, EPERM: it is not allowed here, as in most containers */
    peer_must(io_uring_register_ring_fd(&loop->ring));
    size_t size = BUFFERS * sizeof(struct io_uring_buf);
    loop->free = aligned_alloc((size_t)sysconf(_SC_PAGESIZE), size);
    loop->buffers = malloc(BUFFERS * sizeof *loop->buffers);
    peer_must(loop->free == NULL || loop->buffers == NULL ? -ENOMEM : 0);
    memset(loop->free, 0, size);
    struct io_uring_buf_reg ring = {
        .ring_addr = (uintptr_t)loop->free, .ring_entries = BUFFERS, .bgid = GROUP};
    peer_must(io_uring_register_buf_ring(&loop->ring, &ring, 0));
    io_uring_buf_ring_init(loop->free);
    for (int i = 0; i < BUFFERS; i++)
        give_back(loop, &loop->buffers[i]);
}

static void ask_signals(struct loop *loop)
{
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGTERM);
    sigprocmask(SIG_BLOCK, &signals, NULL);
    int fd = signalfd(-1, &signals, SFD_CLOEXEC);
    peer_must(fd < 0 ? -errno : 0);
    io_uring_prep_poll_add(ask(loop, &loop->signals), fd, POLLIN);
}

/* What is open is closed by the end of the process. */
static void echo_server(struct peer *peer)
{
    struct loop loop = {.accept.kind = ACCEPT, .signals.kind = SIGNALS};
    uint16_t port = (uint16_t)peer->n;
    peer_must(peer->n > UINT16_MAX ? -EINVAL : 0);
    make_ring(&loop);
    loop.listener = echo_listen(&port);
    peer_must(loop.listener);
    ask_accept(&loop);
    ask_signals(&loop);
    peer_listening(port);
    peer_start(peer);
    run(&loop);
    peer_stop(peer, loop.echoes);
}

const struct peer_workload peer_workloads[] = {
    {"echo_server", 7777, echo_server, false},
    {NULL, 0, NULL, false},
};
