/* SPDX-License-Identifier: MIT */
/* A load for TCP echo servers: connections that send, wait for the echo, and send again.
 *
 *     loadgen PORT CONNECTIONS BYTES SECONDS [THREADS [DEPTH [PID]]]
 *
 * Each connection sends DEPTH messages of so many bytes at once, and the next when all of them are
 * back; they are compared with what was sent. The threads share the connections out. It prints
 *
 *     requests=605952 requests_per_s=201984 p50_us=312.3 p99_us=451.6 p999_us=917.5
 *
 * where a request is a message, and the times are those of DEPTH messages there and back. With the
 * PID of the server there is also server_cpu_s=2.912, what its threads took of the processor in that time:
 * connections are made and accepted before it, and closed after. Status 1 when anything failed. There is nothing
 * of Edo in here: it is the same to every server.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { BATCH_MAX = 1 << 16, EVENTS = 256, THREADS_MAX = 64, CONNECTIONS_MAX = 10000 };

static struct {
    uint64_t port, connections, bytes, seconds, threads, depth, server;
    size_t batch;          /* bytes of what a connection sends at once */
    uint64_t begin, end;   /* ns */
    clockid_t server_time; /* when there is a server's PID */
    uint64_t server_begin;
} load;

/* All that is sent is a piece of this. */
static unsigned char noise[2 * BATCH_MAX];

/* Times, in buckets of 1 ns up to 128 ns, then of 2 ns up to 256 ns, and so on: none is wider than a 64th
 * of the times in it. */
enum { FINE = 64, BUCKETS = (64 - 5) * FINE };
struct histogram {
    uint64_t counts[BUCKETS];
    uint64_t total;
};

static size_t bucket_of(uint64_t ns)
{
    if (ns < FINE)
        return ns;
    int shift = 63 - __builtin_clzll(ns) - 6; /* that leaves FINE to 2 * FINE - 1 */
    return (size_t)(shift + 1) * FINE + (ns >> shift) - FINE;
}

/* The least time that falls into a bucket. */
static uint64_t bucket_begin(size_t bucket)
{
    if (bucket < FINE)
        return bucket;
    return (bucket % FINE + FINE) << (bucket / FINE - 1);
}

static double percentile_us(const struct histogram *histogram, double share)
{
    uint64_t seen = 0;
    for (size_t i = 0; i < BUCKETS; i++) {
        seen += histogram->counts[i];
        if ((double)seen >= share * (double)histogram->total)
            return (double)bucket_begin(i) / 1000;
    }
    return 0;
}

struct connection {
    int fd;
    uint64_t round;   /* batches sent */
    uint64_t sent_at; /* ns */
    size_t back;      /* bytes of the batch */
    const unsigned char *batch;
};

struct worker {
    pthread_t thread;
    bool started;
    int epoll;
    struct connection *connections;
    size_t count;
    struct histogram times;
    const char *failed; /* what did, if anything; errno is in `error` */
    int error;
};

static uint64_t read_clock(clockid_t clock)
{
    struct timespec time = {0};
    clock_gettime(clock, &time);
    return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

static uint64_t now(void)
{
    return read_clock(CLOCK_MONOTONIC);
}

static bool fail(struct worker *worker, const char *what, int error)
{
    worker->failed = what;
    worker->error = error;
    return false;
}

/* A batch is small enough for the sockets' buffers: this does not block for long. */
static bool send_batch(struct worker *worker, struct connection *conn)
{
    conn->batch = noise + (conn->round++ * 61 + (size_t)conn->fd * 7) % BATCH_MAX;
    conn->back = 0;
    conn->sent_at = now();
    ssize_t sent = send(conn->fd, conn->batch, load.batch, MSG_NOSIGNAL);
    return sent == (ssize_t)load.batch || fail(worker, "send", sent < 0 ? errno : EIO);
}

static bool receive(struct worker *worker, struct connection *conn)
{
    unsigned char buffer[BATCH_MAX];
    ssize_t got = recv(conn->fd, buffer, load.batch - conn->back, MSG_DONTWAIT);
    if (got < 0 && errno == EAGAIN)
        return true;
    if (got <= 0)
        return fail(worker, "recv", got < 0 ? errno : ECONNRESET);
    if (memcmp(buffer, conn->batch + conn->back, (size_t)got) != 0)
        return fail(worker, "the echo is another", EIO);
    conn->back += (size_t)got;
    if (conn->back < load.batch)
        return true;
    worker->times.counts[bucket_of(now() - conn->sent_at)]++;
    worker->times.total++;
    return send_batch(worker, conn);
}

/* A byte there and back: the server has accepted it, which is no part of the load. */
static bool first_echo(struct worker *worker, struct connection *conn)
{
    char byte = 1;
    if (send(conn->fd, &byte, 1, MSG_NOSIGNAL) != 1)
        return fail(worker, "send", errno);
    ssize_t got = recv(conn->fd, &byte, 1, 0);
    return got == 1 || fail(worker, "recv", got < 0 ? errno : ECONNRESET);
}

static bool open_connection(struct worker *worker, struct connection *conn)
{
    struct sockaddr_in addr = {.sin_family = AF_INET,
                               .sin_port = htons((uint16_t)load.port),
                               .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = conn};
    conn->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (conn->fd < 0 || connect(conn->fd, (struct sockaddr *)&addr, sizeof addr) != 0)
        return fail(worker, "connect", errno);
    setsockopt(conn->fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
    if (epoll_ctl(worker->epoll, EPOLL_CTL_ADD, conn->fd, &event) != 0)
        return fail(worker, "epoll_ctl", errno);
    return first_echo(worker, conn);
}

static bool open_all(struct worker *worker)
{
    worker->epoll = epoll_create1(EPOLL_CLOEXEC);
    worker->connections = calloc(worker->count, sizeof *worker->connections);
    if (worker->epoll < 0 || worker->connections == NULL)
        return fail(worker, "connections", errno);
    for (size_t i = 0; i < worker->count; i++)
        if (!open_connection(worker, &worker->connections[i]))
            return false;
    return true;
}

static void *work(void *arg)
{
    struct worker *worker = arg;
    struct epoll_event events[EVENTS];
    for (size_t i = 0; i < worker->count; i++)
        if (!send_batch(worker, &worker->connections[i]))
            return NULL;
    while (now() < load.end) {
        int ready = epoll_wait(worker->epoll, events, EVENTS, 100);
        for (int i = 0; i < ready; i++)
            if (!receive(worker, events[i].data.ptr))
                return NULL;
    }
    return NULL;
}

static bool number(const char *text, uint64_t most, uint64_t *value)
{
    char *end;
    *value = strtoull(text, &end, 10);
    return *text >= '0' && *text <= '9' && *end == '\0' && *value > 0 && *value <= most;
}

static bool parse(int argc, char **argv)
{
    load.threads = load.depth = 1;
    if (argc < 5 || argc > 8 || !number(argv[1], UINT16_MAX, &load.port) ||
        !number(argv[2], CONNECTIONS_MAX, &load.connections) ||
        !number(argv[3], BATCH_MAX, &load.bytes) || !number(argv[4], 3600, &load.seconds) ||
        (argc > 5 && !number(argv[5], THREADS_MAX, &load.threads)) ||
        (argc > 6 && !number(argv[6], BATCH_MAX, &load.depth)) ||
        (argc > 7 && !number(argv[7], INT32_MAX, &load.server)))
        return false;
    load.batch = load.bytes * load.depth;
    return load.batch <= BATCH_MAX;
}

static void report(struct worker *workers, uint64_t server_took)
{
    static struct histogram all;
    for (size_t t = 0; t < load.threads; t++) {
        all.total += workers[t].times.total;
        for (size_t i = 0; i < BUCKETS; i++)
            all.counts[i] += workers[t].times.counts[i];
    }
    uint64_t requests = all.total * load.depth;
    double seconds = (double)(now() - load.begin) / 1e9;
    printf("requests=%" PRIu64 " requests_per_s=%.0f p50_us=%.1f p99_us=%.1f p999_us=%.1f",
           requests, (double)requests / seconds, percentile_us(&all, 0.5),
           percentile_us(&all, 0.99), percentile_us(&all, 0.999));
    if (load.server != 0)
        printf(" server_cpu_s=%.3f", (double)server_took / 1e9);
    printf("\n");
}

int main(int argc, char **argv)
{
    static struct worker workers[THREADS_MAX];
    if (!parse(argc, argv)) {
        fprintf(stderr,
                "usage: loadgen PORT CONNECTIONS BYTES SECONDS [THREADS [DEPTH [PID]]]\n"
                "BYTES times DEPTH: at most %d\n",
                BATCH_MAX);
        return 2;
    }
    uint32_t x = 1;
    for (size_t i = 0; i < sizeof noise; i++) {
        x = x * 1664525 + 1013904223;
        noise[i] = (unsigned char)(x >> 24);
    }
    for (size_t t = 0; t < load.threads; t++) {
        workers[t].count = load.connections / load.threads + (t < load.connections % load.threads);
        open_all(&workers[t]);
    }
    if (load.server != 0) {
        int error = clock_getcpuclockid((pid_t)load.server, &load.server_time);
        if (error != 0) {
            fprintf(stderr, "loadgen: the server's clock: %s\n", strerror(error));
            return 1;
        }
        load.server_begin = read_clock(load.server_time);
    }
    load.begin = now();
    load.end = load.begin + load.seconds * 1000000000u;
    for (size_t t = 0; t < load.threads; t++)
        if (workers[t].failed == NULL) {
            int error = pthread_create(&workers[t].thread, NULL, work, &workers[t]);
            workers[t].started = error == 0 || fail(&workers[t], "pthread_create", error);
        }
    int status = 0;
    for (size_t t = 0; t < load.threads; t++)
        if (workers[t].started)
            pthread_join(workers[t].thread, NULL);
    uint64_t server_took = load.server != 0 ? read_clock(load.server_time) - load.server_begin : 0;
    for (size_t t = 0; t < load.threads; t++) {
        if (workers[t].failed != NULL) {
            fprintf(stderr, "loadgen: %s: %s\n", workers[t].failed, strerror(workers[t].error));
            status = 1;
        }
    }
    if (status == 0)
        report(workers, server_took);
    return status;
}
