/* SPDX-License-Identifier: MIT */
/* Buffered reading: I8 of the semantics. */
#include "io_helpers.h"
#include "support/runtimes.h"

/* Sends `text` in pieces of `chunk` bytes, from the task that reads: each piece when asked. */
struct feed {
    const char *text;
    size_t size, sent, chunk;
    int peer;
};

static bool feed_more(struct feed *feed)
{
    size_t n = feed->size - feed->sent < feed->chunk ? feed->size - feed->sent : feed->chunk;
    if (n == 0) {
        if (feed->peer >= 0)
            close(feed->peer);
        feed->peer = -1;
        return false;
    }
    cr_assert_eq(send(feed->peer, feed->text + feed->sent, n, 0), (ssize_t)n);
    feed->sent += n;
    return true;
}

/* Reads everything up to the end, in lines; a line is dropped and asked for anew whenever nothing is
 * there: between any two chunks. */
struct reads {
    FUTURE(int);
    struct feed feed;
    char delimiter;
    size_t limit;
    bool cancels;
    size_t count, total, lengths[64];
    char *back;
    struct edo_tcp *conn;
    struct edo_buf_reader reader;
    struct edo_read_until line;
    struct edo_yield_now yield;
};

ASYNC(reads)
{
    ASYNC_BEGIN;
    self->conn = half_raw_pair(&self->feed.peer);
    edo_buf_reader_init(&self->reader, self->conn, self->limit);
    for (;;) {
        self->line = edo_read_until(&self->reader, self->delimiter);
        while (edo_future_poll(&self->line.future_, cx) == EDO_PENDING) {
            if (self->cancels)
                DROP(self->line);
            feed_more(&self->feed);
            AWAIT(self->yield, edo_yield_now());
            if (self->cancels)
                self->line = edo_read_until(&self->reader, self->delimiter);
        }
        if (self->line.output <= 0)
            break;
        cr_assert_lt(self->count, 64);
        self->lengths[self->count++] = (size_t)self->line.output;
        memcpy(self->back + self->total, self->line.data, (size_t)self->line.output);
        self->total += (size_t)self->line.output;
    }
    /* Again and again. */
    if (self->line.output == 0) {
        AWAIT(self->line, edo_read_until(&self->reader, self->delimiter));
        cr_assert_eq(self->line.output, 0);
    }
    RETURN((int)self->line.output);
ASYNC_FINALLY:
    edo_buf_reader_free(&self->reader);
    edo_tcp_close(self->conn);
    if (self->feed.peer >= 0)
        close(self->feed.peer);
    ASYNC_END;
}

static int read_lines(const char *text, size_t size, size_t chunk, size_t limit, bool cancels,
                      char delimiter, size_t count, const size_t *lengths)
{
    char *back = malloc(size + 1);
    struct baseline start = baseline();
    struct edo_runtime *runtime;
    cr_assert_eq(test_runtime_new(&runtime), 0);
    struct reads future =
        NEW(reads, .feed = {.text = text, .size = size, .chunk = chunk}, .delimiter = delimiter,
            .limit = limit, .cancels = cancels, .back = back);
    cr_assert_eq(test_block_on(runtime, &future), 0);
    edo_runtime_drop(runtime);
    check_baseline(&start);
    cr_assert_eq(future.count, count, "%zu lines", future.count);
    for (size_t i = 0; i < count; i++)
        cr_assert_eq(future.lengths[i], lengths[i], "line %zu has %zu bytes", i, future.lengths[i]);
    cr_assert_eq(memcmp(back, text, future.total), 0);
    cr_assert(future.output < 0 || future.total == size);
    free(back);
    return future.output;
}

/* However the text is cut, and whether or not the read is dropped in between. */
static void check_lines(const char *text, size_t size, char delimiter, size_t count,
                        const size_t *lengths)
{
    static const size_t chunks[] = {1, 2, 3, 7, 100, 5000, 100000};
    for (size_t i = 0; i < COUNT_OF(chunks); i++)
        for (int cancels = 0; cancels < 2; cancels++)
            if (size / chunks[i] < 2000)
                cr_assert_eq(
                    read_lines(text, size, chunks[i], 0, cancels != 0, delimiter, count, lengths),
                    0);
}

#define LINES(text, delimiter, ...)                                                               \
    check_lines((text), sizeof(text) - 1, (delimiter), COUNT_OF(((const size_t[]){__VA_ARGS__})), \
                (const size_t[]){__VA_ARGS__})

Test(buf_reader, lines_with_a_newline_at_the_end)
{
    LINES("one\ntwo\nthree\n", '\n', 4, 4, 6);
}

Test(buf_reader, a_last_line_without_a_newline)
{
    LINES("one\ntwo\nthree", '\n', 4, 4, 5);
    LINES("x", '\n', 1);
}

Test(buf_reader, returns_are_kept)
{
    LINES("one\r\ntwo\r\n\r\n\rx\r", '\n', 5, 5, 2, 3);
}

Test(buf_reader, empty_lines)
{
    LINES("\n\n\na\n\n", '\n', 1, 1, 1, 2, 1);
}

Test(buf_reader, nothing_at_all)
{
    check_lines("", 0, '\n', 0, NULL);
}

Test(buf_reader, any_delimiter_and_any_byte)
{
    LINES("a\0\0bc\n\0d", '\0', 2, 1, 4, 1);
    LINES("\xff\xfe\xff\n", '\xff', 1, 2, 1);
}

Test(buf_reader, a_line_longer_than_the_buffer)
{
    static char text[30000];
    memset(text, 'x', sizeof text);
    text[20000] = '\n';
    text[20001] = '\n';
    check_lines(text, sizeof text, '\n', 3, (const size_t[]){20001, 1, sizeof text - 20002});
}

Test(buf_reader, a_line_past_the_limit_is_an_error)
{
    static const size_t chunks[] = {1, 3, 1000};
    for (size_t i = 0; i < COUNT_OF(chunks); i++)
        for (int cancels = 0; cancels < 2; cancels++) {
            cr_assert_eq(read_lines("ab\n0123456789", 13, chunks[i], 8, cancels != 0, '\n', 1,
                                    (const size_t[]){3}),
                         UV_ENOBUFS);
            /* One of just the limit is not past it. */
            cr_assert_eq(read_lines("0123456\nabcdefg\n", 16, chunks[i], 8, cancels != 0, '\n', 2,
                                    (const size_t[]){8, 8}),
                         0);
        }
}

/* After the error, and with another delimiter, what was read is still there. */
struct keeps {
    FUTURE(int);
    struct edo_tcp *conn;
    int peer;
    struct edo_buf_reader reader;
    struct edo_read_until line;
};

ASYNC(keeps)
{
    ASYNC_BEGIN;
    self->conn = half_raw_pair(&self->peer);
    edo_buf_reader_init(&self->reader, self->conn, 8);
    cr_assert_eq(send(self->peer, "0123;5678;\n", 11, 0), 11);
    AWAIT(self->line, edo_read_line(&self->reader));
    cr_assert_eq(self->line.output, UV_ENOBUFS);
    AWAIT(self->line, edo_read_line(&self->reader));
    cr_assert_eq(self->line.output, UV_ENOBUFS);
    AWAIT(self->line, edo_read_until(&self->reader, ';'));
    cr_assert(self->line.output == 5 && memcmp(self->line.data, "0123;", 5) == 0);
    AWAIT(self->line, edo_read_until(&self->reader, ';'));
    cr_assert(self->line.output == 5 && memcmp(self->line.data, "5678;", 5) == 0);
    AWAIT(self->line, edo_read_line(&self->reader));
    cr_assert(self->line.output == 1 && self->line.data[0] == '\n');
ASYNC_FINALLY:
    edo_buf_reader_free(&self->reader);
    edo_tcp_close(self->conn);
    close(self->peer);
    ASYNC_END;
}

Test(buf_reader, after_an_error_what_was_read_is_still_there)
{
    RUN(NEW(keeps));
}

/* A line that was returned and not asked past stays good while the next one is only made. */
struct pipelined {
    FUTURE(int);
    struct edo_tcp *conn;
    int peer;
    struct edo_buf_reader reader;
    struct edo_read_until first, second;
};

ASYNC(pipelined)
{
    ASYNC_BEGIN;
    self->conn = half_raw_pair(&self->peer);
    edo_buf_reader_init(&self->reader, self->conn, 0);
    cr_assert_eq(send(self->peer, "a\nb\nc\n", 6, 0), 6);
    AWAIT(self->first, edo_read_line(&self->reader));
    self->second = edo_read_line(&self->reader);
    DROP(self->second);
    cr_assert(self->first.output == 2 && memcmp(self->first.data, "a\n", 2) == 0);
    AWAIT(self->second, edo_read_line(&self->reader));
    cr_assert(self->second.output == 2 && memcmp(self->second.data, "b\n", 2) == 0);
    edo_tcp_close(self->conn);
    self->conn = NULL;
ASYNC_FINALLY:
    edo_buf_reader_free(&self->reader);
    edo_tcp_close(self->conn);
    close(self->peer);
    ASYNC_END;
}

Test(buf_reader, a_read_that_never_began_takes_nothing)
{
    RUN(NEW(pipelined));
}

/* The connection's errors come through; a reset keeps what was read before. */
struct errors {
    FUTURE(int);
    struct edo_tcp *conn;
    int peer;
    struct edo_buf_reader reader;
    struct edo_read_until line;
    struct edo_yield_now yield;
};

ASYNC(errors)
{
    ASYNC_BEGIN;
    self->conn = half_raw_pair(&self->peer);
    edo_buf_reader_init(&self->reader, edo_tcp_reader(self->conn), 0);
    cr_assert_eq(send(self->peer, "a\nhalf", 6, 0), 6);
    AWAIT(self->line, edo_read_line(&self->reader));
    cr_assert_eq(self->line.output, 2);
    raw_reset(self->peer);
    AWAIT(self->line, edo_read_line(&self->reader));
    cr_assert_eq(self->line.output, UV_ECONNRESET);
    /* Then it is the end, and the rest a last line. */
    AWAIT(self->line, edo_read_line(&self->reader));
    cr_assert(self->line.output == 4 && memcmp(self->line.data, "half", 4) == 0);
    AWAIT(self->line, edo_read_line(&self->reader));
    cr_assert_eq(self->line.output, 0);
    /* Closed under a line that waits. */
    edo_tcp_close(self->conn);
    self->conn = half_raw_pair(&self->peer);
    edo_buf_reader_free(&self->reader);
    edo_buf_reader_init(&self->reader, self->conn, 0);
    self->line = edo_read_line(&self->reader);
    cr_assert_eq(edo_future_poll(&self->line.future_, cx), EDO_PENDING);
    edo_tcp_close(self->conn);
    self->conn = NULL;
    AWAIT_REF(self->line);
    cr_assert_eq(self->line.output, UV_ECANCELED);
    close(self->peer);
ASYNC_FINALLY:
    edo_buf_reader_free(&self->reader);
    edo_tcp_close(self->conn);
    ASYNC_END;
}

Test(buf_reader, the_connections_errors_come_through)
{
    RUN(NEW(errors));
}

/* Reading into bytes: room is made when something has come, not before. */
struct reads_buf {
    FUTURE(int);
    struct edo_tcp *conn;
    int peer;
    struct edo_bytes bytes;
    struct edo_read_buf read;
    struct edo_yield_now yield;
};

ASYNC(reads_buf)
{
    ASYNC_BEGIN;
    self->conn = half_raw_pair(&self->peer);
    edo_bytes_init(&self->bytes, 6);
    self->read = edo_read_buf(self->conn, &self->bytes);
    cr_assert_eq(edo_future_poll(&self->read.future_, cx), EDO_PENDING);
    AWAIT(self->yield, edo_yield_now());
    cr_assert_eq(edo_future_poll(&self->read.future_, cx), EDO_PENDING);
    cr_assert_eq(self->bytes.capacity, 0);
    cr_assert_eq(send(self->peer, "abcd", 4, 0), 4);
    AWAIT_REF(self->read);
    cr_assert(self->read.output == 4 && edo_bytes_length(&self->bytes) == 4);
    cr_assert_eq(send(self->peer, "efgh", 4, 0), 4);
    AWAIT(self->read, edo_read_buf(self->conn, &self->bytes));
    cr_assert(self->read.output == 2 && memcmp(edo_bytes_data(&self->bytes), "abcdef", 6) == 0);
    AWAIT(self->read, edo_read_buf(self->conn, &self->bytes));
    cr_assert_eq(self->read.output, UV_ENOBUFS);
    edo_bytes_consume(&self->bytes, 6);
    AWAIT(self->read, edo_read_buf(self->conn, &self->bytes));
    cr_assert_eq(self->read.output, 2);
    close(self->peer);
    self->peer = -1;
    AWAIT(self->read, edo_read_buf(self->conn, &self->bytes));
    cr_assert_eq(self->read.output, 0);
ASYNC_FINALLY:
    edo_bytes_free(&self->bytes);
    edo_tcp_close(self->conn);
    ASYNC_END;
}

Test(buf_reader, read_buf_makes_room_only_for_what_has_come)
{
    RUN(NEW(reads_buf));
}
