/* SPDX-License-Identifier: MIT */
/* A shared driver for models: with a handle, with a pool of one worker that has no thread. */
#ifndef EDO_TESTS_MODEL_DRIVER_H
#define EDO_TESTS_MODEL_DRIVER_H

#include "runtime/driver.h"
#include "runtime/pool.h"
#include "runtime/runtime_internal.h"
#include "tests/model/model.h"

static inline struct edo_driver *driver_new(void)
{
    struct edo_handle *handle = edo_handle_new(&(const struct edo_builder){.name = NULL});
    struct edo_driver *driver;
    model_assert(handle != NULL && edo_driver_new_shared(handle, NULL, &driver) == 0);
    struct edo_pool *pool = model_new(sizeof *pool + sizeof pool->workers[0]);
    pool->handle = handle;
    pool->count = 1;
    pool->workers[0].pool = pool;
    pool->workers[0].driver = driver;
    handle->pool = pool;
    return driver;
}

/* This thread is its worker. */
static inline void driver_take(struct edo_driver *driver)
{
    struct edo_pool *pool = driver->handle->pool;
    edo_thread = (struct edo_thread){
        .current = driver->handle, .running = driver->handle, .worker = &pool->workers[0]};
}

/* This thread has entered its runtime. */
static inline void driver_enter(struct edo_driver *driver)
{
    edo_thread.current = driver->handle;
}

/* When nobody has to do with it any more. */
static inline void driver_free_closed(struct edo_driver *driver)
{
    struct edo_handle *handle = driver->handle;
    int64_t spare = handle->pool->workers[0].own.spare;
    edo_driver_free(driver);
    handle->pool = NULL;
    model_assert(edo_load(&handle->refs, relaxed) == spare + 1);
    edo_handle_unref(handle, spare + 1);
}

static inline void driver_free(struct edo_driver *driver)
{
    edo_driver_close(driver, UINT64_MAX);
    driver_free_closed(driver);
}

#endif
