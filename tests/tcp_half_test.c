/* SPDX-License-Identifier: MIT */
/* Halves of connections: I2 of the semantics. */
#include "io_helpers.h"
#include "support/runtimes.h"

enum { SIZE = 3 * 1024 * 1024 };

/* Writes the stream of the helpers through a half, and drops it. */
struct pump {
    FUTURE(int);
    struct edo_tcp_write_half *half;
    bool owned;
    size_t sent, size;
    char chunk[20000];
    struct edo_write_all write;
};

ASYNC(pump)
{
    ASYNC_BEGIN;
    while (self->sent < SIZE) {
        for (size_t i = 0; i < sizeof self->chunk; i++)
            self->chunk[i] = stream_byte(self->sent + i);
        self->size =
            SIZE - self->sent < sizeof self->chunk ? SIZE - self->sent : sizeof self->chunk;
        AWAIT(self->write, edo_write_all(self->half, self->chunk, self->size));
        if (self->write.output < 0)
            RETURN((int)self->write.output);
        self->sent += (size_t)self->write.output;
    }
ASYNC_FINALLY:
    if (self->owned)
        edo_tcp_write_half_drop(self->half);
    ASYNC_END;
}

/* Reads that stream. */
struct drain {
    FUTURE(int);
    struct edo_tcp_read_half *half;
    bool owned;
    size_t got;
    char chunk[20000];
    struct edo_read read;
};

ASYNC(drain)
{
    ASYNC_BEGIN;
    while (self->got < SIZE) {
        AWAIT(self->read, edo_read(self->half, self->chunk, 1 + self->got % sizeof self->chunk));
        if (self->read.output <= 0)
            RETURN(self->read.output < 0 ? (int)self->read.output : UV_EOF);
        for (ssize_t i = 0; i < self->read.output; i++)
            cr_assert_eq(self->chunk[i], stream_byte(self->got + (size_t)i));
        self->got += (size_t)self->read.output;
    }
ASYNC_FINALLY:
    if (self->owned)
        edo_tcp_read_half_drop(self->half);
    ASYNC_END;
}

/* Both directions at once, each end in two tasks. */
struct duplex {
    FUTURE(int);
    bool owned;
    struct edo_tcp *a, *b;
    struct edo_tcp_read_half *readers[2];
    struct edo_tcp_write_half *writers[2];
    int outputs[4], i;
    JOIN_HANDLE(int) handles[4];
    struct edo_join join;
};

ASYNC(duplex)
{
    ASYNC_BEGIN;
    tcp_pair(&self->a, &self->b);
    edo_tcp_set_send_buffer(self->a, 10000);
    edo_tcp_set_send_buffer(self->b, 10000);
    if (self->owned) {
        edo_tcp_split(self->a, &self->readers[0], &self->writers[0]);
        edo_tcp_split(self->b, &self->readers[1], &self->writers[1]);
    } else {
        self->readers[0] = edo_tcp_reader(self->a);
        self->writers[0] = edo_tcp_writer(self->a);
        self->readers[1] = edo_tcp_reader(self->b);
        self->writers[1] = edo_tcp_writer(self->b);
    }
    for (self->i = 0; self->i < 2; self->i++) {
        self->handles[self->i] =
            SPAWN(NEW(pump, .half = self->writers[self->i], .owned = self->owned));
        self->handles[2 + self->i] =
            SPAWN(NEW(drain, .half = self->readers[self->i], .owned = self->owned));
    }
    for (self->i = 0; self->i < 4; self->i++) {
        AWAIT(self->join, edo_join(self->handles[self->i], &self->outputs[self->i]));
        cr_assert(self->join.output == 0 && self->outputs[self->i] == 0, "task %d: %s", self->i,
                  edo_strerror(self->outputs[self->i]));
    }
    if (!self->owned) {
        edo_tcp_close(self->a);
        edo_tcp_close(self->b);
    }
    ASYNC_END;
}

Test(tcp_half, both_directions_go_on_at_once_through_owned_halves)
{
    RUN(NEW(duplex, .owned = true));
}

Test(tcp_half, both_directions_go_on_at_once_through_borrowed_halves)
{
    RUN(NEW(duplex));
}

struct drops {
    FUTURE(int);
    struct edo_tcp *conn;
    int peer;
    char buffer[8];
    struct edo_tcp_read_half *reader;
    struct edo_tcp_write_half *writer;
    struct edo_read read;
    struct edo_write write;
    struct edo_yield_now yield;
};

ASYNC(drops)
{
    ASYNC_BEGIN;
    /* The writing half goes: the peer reads the end, and the reading half goes on. */
    self->conn = half_raw_pair(&self->peer);
    edo_tcp_split(self->conn, &self->reader, &self->writer);
    self->read = edo_read(self->reader, self->buffer, 8);
    cr_assert_eq(edo_future_poll(&self->read.future_, cx), EDO_PENDING);
    edo_tcp_write_half_drop(self->writer);
    cr_assert_eq(recv(self->peer, self->buffer, 8, 0), 0);
    cr_assert_eq(send(self->peer, "abc", 3, 0), 3);
    AWAIT_REF(self->read);
    cr_assert_eq(self->read.output, 3);
    edo_tcp_read_half_drop(self->reader);
    close(self->peer);

    /* The reading half goes: writing goes on. */
    self->conn = half_raw_pair(&self->peer);
    edo_tcp_split(self->conn, &self->reader, &self->writer);
    edo_tcp_read_half_drop(self->reader);
    AWAIT(self->write, edo_write(self->writer, "abc", 3));
    cr_assert_eq(self->write.output, 3);
    cr_assert_eq(recv(self->peer, self->buffer, 8, 0), 3);
    cr_assert_eq(edo_try_write(self->writer, "d", 1), 1);
    cr_assert_eq(edo_tcp_shutdown(self->writer), 0);
    edo_tcp_write_half_drop(self->writer);
    cr_assert_eq(recv(self->peer, self->buffer, 8, 0), 1);
    cr_assert_eq(recv(self->peer, self->buffer, 8, 0), 0);
    close(self->peer);
    edo_tcp_read_half_drop(NULL);
    edo_tcp_write_half_drop(NULL);

    /* Both go while a read of the half is in flight: it finds out. */
    self->conn = half_raw_pair(&self->peer);
    edo_tcp_split(self->conn, &self->reader, &self->writer);
    self->read = edo_read(self->reader, self->buffer, 8);
    cr_assert_eq(edo_future_poll(&self->read.future_, cx), EDO_PENDING);
    edo_tcp_read_half_drop(self->reader);
    edo_tcp_write_half_drop(self->writer);
    AWAIT_REF(self->read);
    cr_assert_eq(self->read.output, UV_ECANCELED);
    close(self->peer);
    ASYNC_END;
}

Test(tcp_half, dropping_one_half_leaves_the_other)
{
    RUN(NEW(drops));
}

struct reunites {
    FUTURE(int);
    struct edo_tcp *a, *b, *whole;
    char buffer[8];
    struct edo_tcp_read_half *readers[2];
    struct edo_tcp_write_half *writers[2];
    struct edo_write write;
    struct edo_read read;
};

ASYNC(reunites)
{
    ASYNC_BEGIN;
    tcp_pair(&self->a, &self->b);
    edo_tcp_split(self->a, &self->readers[0], &self->writers[0]);
    edo_tcp_split(self->b, &self->readers[1], &self->writers[1]);
    cr_assert_eq(edo_tcp_reunite(self->readers[0], self->writers[1], &self->whole), UV_EINVAL);
    /* They are still what they were. */
    AWAIT(self->write, edo_write(self->writers[1], "abc", 3));
    AWAIT(self->read, edo_read(self->readers[0], self->buffer, 8));
    cr_assert_eq(self->read.output, 3);
    cr_assert_eq(edo_tcp_reunite(self->readers[0], self->writers[0], &self->whole), 0);
    /* And split once more. */
    edo_tcp_split(self->whole, &self->readers[0], &self->writers[0]);
    cr_assert_eq(edo_tcp_reunite(self->readers[0], self->writers[0], &self->whole), 0);
    AWAIT(self->write, edo_write(self->whole, "def", 3));
    AWAIT(self->read, edo_read(self->readers[1], self->buffer, 8));
    cr_assert_eq(self->read.output, 3);
    edo_tcp_close(self->whole);
    edo_tcp_read_half_drop(self->readers[1]);
    edo_tcp_write_half_drop(self->writers[1]);
    ASYNC_END;
}

Test(tcp_half, halves_of_one_connection_reunite_others_do_not)
{
    RUN(NEW(reunites));
}
