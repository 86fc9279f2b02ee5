/* SPDX-License-Identifier: MIT */
/* What tells the race detector of plain accesses: the calls that the compiler puts before them
 * (-fsanitize=thread), and memcpy and its like, which the linker sends here (--wrap). */
#include "checker.h"

#define HOOK(size)                                                             \
    void __tsan_read##size(void *at);                                          \
    void __tsan_write##size(void *at);                                         \
    void __tsan_unaligned_read##size(void *at);                                \
    void __tsan_unaligned_write##size(void *at);                               \
    void __tsan_read##size(void *at)                                           \
    {                                                                          \
        plain_access((uintptr_t)at, size, false, __builtin_return_address(0)); \
    }                                                                          \
    void __tsan_write##size(void *at)                                          \
    {                                                                          \
        plain_access((uintptr_t)at, size, true, __builtin_return_address(0));  \
    }                                                                          \
    void __tsan_unaligned_read##size(void *at)                                 \
    {                                                                          \
        plain_access((uintptr_t)at, size, false, __builtin_return_address(0)); \
    }                                                                          \
    void __tsan_unaligned_write##size(void *at)                                \
    {                                                                          \
        plain_access((uintptr_t)at, size, true, __builtin_return_address(0));  \
    }
HOOK(1)
HOOK(2)
HOOK(4)
HOOK(8)
HOOK(16)

void __tsan_init(void);
void __tsan_init(void) {}

void *__real_memcpy(void *to, const void *from, size_t n);
void *__real_memmove(void *to, const void *from, size_t n);
void *__real_memset(void *at, int byte, size_t n);
void *__wrap_memcpy(void *to, const void *from, size_t n);
void *__wrap_memmove(void *to, const void *from, size_t n);
void *__wrap_memset(void *at, int byte, size_t n);

void *__wrap_memcpy(void *to, const void *from, size_t n)
{
    plain_access((uintptr_t)from, n, false, __builtin_return_address(0));
    plain_access((uintptr_t)to, n, true, __builtin_return_address(0));
    return __real_memcpy(to, from, n);
}

void *__wrap_memmove(void *to, const void *from, size_t n)
{
    plain_access((uintptr_t)from, n, false, __builtin_return_address(0));
    plain_access((uintptr_t)to, n, true, __builtin_return_address(0));
    return __real_memmove(to, from, n);
}

void *__wrap_memset(void *at, int byte, size_t n)
{
    plain_access((uintptr_t)at, n, true, __builtin_return_address(0));
    return __real_memset(at, byte, n);
}
