/* SPDX-License-Identifier: MIT */
/* A registration's fields, for what has one at its beginning. */
#ifndef EDO_RUNTIME_REGISTRATION_INTERNAL_H
#define EDO_RUNTIME_REGISTRATION_INTERNAL_H

#include "driver.h"
#include "registration.h"

struct edo_registration {
    uv_poll_t poll;       /* first. Who has the loop */
    struct edo_list link; /* in driver->registrations while libuv has `poll`. Who has the loop */
    struct edo_driver
        *driver; /* shared: that of whoever opened it, until it is placed; its handle is kept */
    struct edo_lock lock; /* shared: guards all that follows */
    struct edo_note note;
    struct edo_list waiters;
    int fd;    /* -1: closed, or given away */
    int error; /* why libuv does not watch it; whoever has to wait is told */
    uint32_t
        refs; /* owners; waiters, woken ones too; who is inside; libuv; the note under way */
    uint32_t inside; /* shared: system calls under way on fd */
    uint8_t ready;
    uint8_t wanted; /* interest that libuv is to have */
    uint8_t armed;  /* interest that it has. Changed by who has the loop, under the lock */
    uint8_t unused; /* readable events in a row that nobody consumed */
    bool shared;    /* constant */
    bool placed;    /* the driver is the one, from now on */
    bool bound;     /* libuv has `poll`, and it is not being closed. Changed as `armed` */
    bool noted;     /* the note is under way */
    bool closed;    /* by its owner */
    bool orphaned;  /* the loop is gone */
};

#endif
