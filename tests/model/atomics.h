/* SPDX-License-Identifier: MIT */
/* What internal/sys.h has in place of C11's atomics in the checking build: each use is a step of the
 * model checker's, and leaves a record of itself in the section `model_sites`.
 *
 * The record is what the coverage counts, what the trace prints, and what the mutants change: the
 * checker reads the memory order from it at run time.
 */
#ifndef EDO_TESTS_MODEL_ATOMICS_H
#define EDO_TESTS_MODEL_ATOMICS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* In the library and the models, what has static storage from here on lies where the checker finds
 * it, to watch and to restore. */
#if __has_feature(thread_sanitizer)
#pragma clang section bss = "model_bss" data = "model_data"
#endif

enum model_order {
    MODEL_relaxed,
    MODEL_acquire,
    MODEL_release,
    MODEL_acq_rel,
    MODEL_seq_cst,
};

enum model_op {
    MODEL_LOAD,
    MODEL_STORE,
    MODEL_EXCHANGE,
    MODEL_FETCH_ADD,
    MODEL_FETCH_SUB,
    MODEL_FETCH_OR,
    MODEL_FETCH_AND,
    MODEL_CAS,
    MODEL_CAS_WEAK,
};

/* One atomic operation in the source. Those of an inline function are there once a source file. */
struct model_site {
    const char *file;
    const char *text; /* the operand */
    int line;
    uint8_t op, order, fail; /* fail: a CAS's order when it fails */
    uint8_t unused;
    uint32_t id; /* given by the checker: one for all records of one place */
    uint32_t padding;
};

void model_atomic_init(const volatile void *at, size_t size, uint64_t value);
uint64_t model_atomic_load(struct model_site *site, const volatile void *at, size_t size);
void model_atomic_store(struct model_site *site, volatile void *at, size_t size, uint64_t value);
uint64_t model_atomic_rmw(struct model_site *site, volatile void *at, size_t size,
                          uint64_t operand);
bool model_atomic_cas(struct model_site *site, volatile void *at, size_t size, uint64_t *expected,
                      uint64_t desired);

#define MODEL_SITE_(op, order, fail, text)                                                 \
    static struct model_site model_site_ __attribute__((section("model_sites"), used)) = { \
        __FILE__, text, __LINE__, MODEL_##op, MODEL_##order, MODEL_##fail, 0, 0, 0}
/* The type behind the pointer, without its _Atomic. */
#define MODEL_TYPE_(p)    __typeof__((void)0, *(p))
#define MODEL_BITS_(p, v) ((uint64_t)(uintptr_t)(MODEL_TYPE_(p))(v))

#define edo_init(p, v) model_atomic_init((p), sizeof *(p), MODEL_BITS_(p, v))
#define edo_load(p, order)                                                             \
    __extension__({                                                                    \
        MODEL_SITE_(LOAD, order, relaxed, #p);                                         \
        (MODEL_TYPE_(p))(uintptr_t) model_atomic_load(&model_site_, (p), sizeof *(p)); \
    })
#define edo_store(p, v, order)                                                 \
    __extension__({                                                            \
        MODEL_SITE_(STORE, order, relaxed, #p);                                \
        model_atomic_store(&model_site_, (p), sizeof *(p), MODEL_BITS_(p, v)); \
    })
#define MODEL_RMW_(op, p, v, order)                                              \
    __extension__({                                                              \
        MODEL_SITE_(op, order, relaxed, #p);                                     \
        (MODEL_TYPE_(p))(uintptr_t)                                              \
            model_atomic_rmw(&model_site_, (p), sizeof *(p), MODEL_BITS_(p, v)); \
    })
#define edo_exchange(p, v, order)  MODEL_RMW_(EXCHANGE, p, v, order)
#define edo_fetch_add(p, v, order) MODEL_RMW_(FETCH_ADD, p, v, order)
#define edo_fetch_sub(p, v, order) MODEL_RMW_(FETCH_SUB, p, v, order)
#define edo_fetch_or(p, v, order)  MODEL_RMW_(FETCH_OR, p, v, order)
#define edo_fetch_and(p, v, order) MODEL_RMW_(FETCH_AND, p, v, order)
#define MODEL_CAS_(op, p, e, v, order, fail)                                                  \
    __extension__({                                                                           \
        MODEL_SITE_(op, order, fail, #p);                                                     \
        __auto_type model_expected_ = (e);                                                    \
        uint64_t model_was_ = (uint64_t)(uintptr_t)*model_expected_;                          \
        bool model_done_ =                                                                    \
            model_atomic_cas(&model_site_, (p), sizeof *(p), &model_was_, MODEL_BITS_(p, v)); \
        if (!model_done_)                                                                     \
            *model_expected_ = (MODEL_TYPE_(p))(uintptr_t)model_was_;                         \
        model_done_;                                                                          \
    })
#define edo_cas(p, expected, v, order, fail)      MODEL_CAS_(CAS, p, expected, v, order, fail)
#define edo_cas_weak(p, expected, v, order, fail) MODEL_CAS_(CAS_WEAK, p, expected, v, order, fail)
#define edo_exchange_mt                           edo_exchange
#define edo_cas_weak_mt                           edo_cas_weak

#endif
