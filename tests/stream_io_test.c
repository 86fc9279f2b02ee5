/* SPDX-License-Identifier: MIT */
/* Lines and connections as streams. */
#include "io_helpers.h"
#include "support/runtimes.h"

struct lines {
    FUTURE(int);
    const char *text;
    size_t limit;
    char got[256];
    struct edo_tcp *conn;
    struct edo_buf_reader reader;
    struct edo_stream_lines lines;
    STREAM_REF(struct edo_line) stream;
    struct edo_line line;
};

ASYNC(lines)
{
    int peer;
    ASYNC_BEGIN;
    self->conn = half_raw_pair(&peer);
    cr_assert_eq(send(peer, self->text, strlen(self->text), 0), (ssize_t)strlen(self->text));
    close(peer);
    edo_buf_reader_init(&self->reader, self->conn, self->limit);
    self->stream = edo_stream_lines(&self->lines, &self->reader);
    FOR_AWAIT(self->line, self->stream) {
        size_t at = strlen(self->got);
        snprintf(self->got + at, sizeof self->got - at, "[%.*s]", (int)self->line.length,
                 self->line.data);
    }
    RETURN(edo_stream_error(self->stream));
ASYNC_FINALLY:
    DROP_STREAM(self->stream);
    edo_buf_reader_free(&self->reader);
    edo_tcp_close(self->conn);
    ASYNC_END;
}

static void check_lines(const char *text, size_t limit, const char *want, int error)
{
    struct baseline start = baseline();
    struct edo_runtime *runtime;
    cr_assert_eq(test_runtime_new(&runtime), 0);
    struct lines lines = NEW(lines, .text = text, .limit = limit);
    cr_assert_eq(test_block_on(runtime, &lines), 0);
    edo_runtime_drop(runtime);
    check_baseline(&start);
    cr_assert_str_eq(lines.got, want);
    cr_assert_eq(lines.output, error);
}

Test(stream_io, lines_without_their_ends)
{
    check_lines("one\ntwo\r\n\n\r\nlast", 64, "[one][two][][][last]", 0);
    check_lines("a\r\r\nb\rc\n", 64, "[a\r][b\rc]", 0);
    check_lines("", 64, "", 0);
}

Test(stream_io, a_line_that_is_too_long_ends_it_with_an_error)
{
    check_lines("short\nmuch longer than that\n", 8, "[short]", UV_ENOBUFS);
}

/* Three connections, one of which is left out; then the listener is closed while the stream waits. */
struct closes {
    FUTURE(void);
    struct edo_tcp_listener *listener;
};

ASYNC(closes)
{
    ASYNC_BEGIN;
    edo_tcp_listener_close(self->listener);
    ASYNC_END;
}

static bool but_the_second(void *arg, struct edo_tcp *const *conn)
{
    (void)conn;
    return ++*(int *)arg != 2;
}

struct accepts {
    FUTURE(int);
    int peers[3], asked, accepted;
    struct edo_tcp_listener *listener;
    struct edo_stream_incoming incoming;
    struct edo_stream_filter filter;
    STREAM_REF(struct edo_tcp *) stream;
    struct edo_tcp *conn;
};

ASYNC(accepts)
{
    struct edo_addr addr;
    char byte;
    ASYNC_BEGIN;
    addr = loopback(0);
    cr_assert_eq(edo_tcp_listen(&self->listener, &addr), 0);
    cr_assert_eq(edo_tcp_listener_local(self->listener, &addr), 0);
    for (int i = 0; i < 3; i++)
        self->peers[i] = raw_connect(&addr);
    self->stream = edo_stream_incoming(&self->incoming, self->listener);
    self->stream = edo_stream_filter(&self->filter, self->stream, but_the_second, &self->asked);
    FOR_AWAIT(self->conn, self->stream) {
        edo_tcp_close(self->conn);
        if (++self->accepted == 2)
            edo_task_detach(SPAWN(NEW(closes, .listener = edo_tcp_listener_clone(self->listener))));
    }
    cr_assert_eq(edo_stream_error(self->stream), 0);
    edo_tcp_listener_close(self->listener);
    for (int i = 0; i < 3; i++) {
        cr_assert_eq(read(self->peers[i], &byte, 1), 0, "closed, also the one that was left out");
        close(self->peers[i]);
    }
    RETURN(self->accepted);
ASYNC_FINALLY:
    DROP_STREAM(self->stream);
    ASYNC_END;
}

Test(stream_io, incoming_connections_until_the_listener_is_closed)
{
    cr_assert_eq(RUN(NEW(accepts)), 2);
}
