/* SPDX-License-Identifier: MIT */
/* Lets Criterion run under ThreadSanitizer; linked into those binaries alone.
 *
 * Criterion shares an arena with its children at one fixed address, and looks for room between
 * 0x200000000000 and 0x600000000000 by probing with msync and mincore. ThreadSanitizer has reserved
 * all of that as shadow memory, so every probe finds it taken, and the runner gives up.
 *
 * These stand-ins narrow the choice (made with rand_r) to a window of SLOTS slots of 16 MiB, answer
 * probes of the window from a table of what this process has mapped there, and map it by the system
 * call itself, past ThreadSanitizer's check of addresses. The shadow which the window overlays
 * belongs to low addresses; a position-independent binary has nothing there, so this file must be
 * linked into one. Everything outside of the window goes where it always went.
 *
 * The arena is mapped and probed by one thread, before the tests begin.
 */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef __PIE__
#error "this file belongs into a position-independent executable"
#endif

#define UNWATCHED __attribute__((no_sanitize("thread")))

#define WINDOW    0x200000000000ull
#define SLOT_SIZE ((uintptr_t)1 << 24)
#define SLOTS     32768u

static uint32_t used[SLOTS]; /* bytes mapped from the start of each slot */

UNWATCHED static long slot_of(const void *at)
{
    uintptr_t p = (uintptr_t)at;
    return p >= WINDOW && p < WINDOW + SLOTS * SLOT_SIZE ? (long)((p - WINDOW) / SLOT_SIZE) : -1;
}

UNWATCHED int rand_r(unsigned *seed)
{
    *seed = *seed * 1103515245u + 12345u;
    return (int)(*seed >> 16 & (SLOTS - 1));
}

/* 0 where mapped, as msync and mincore answer. */
UNWATCHED static int probe(const void *at)
{
    if (((uintptr_t)at & (SLOT_SIZE - 1)) < used[slot_of(at)])
        return 0;
    errno = ENOMEM;
    return -1;
}

UNWATCHED int msync(void *at, size_t size, int flags)
{
    return slot_of(at) >= 0 ? probe(at) : (int)syscall(SYS_msync, at, size, flags);
}

UNWATCHED int mincore(void *at, size_t size, unsigned char *pages)
{
    return slot_of(at) >= 0 ? probe(at) : (int)syscall(SYS_mincore, at, size, pages);
}

UNWATCHED void *mmap64(void *at, size_t size, int protection, int flags, int fd, off_t offset)
{
    if (slot_of(at) < 0)
        return mmap(at, size, protection, flags, fd, offset); /* ThreadSanitizer's own */
    uintptr_t end = (uintptr_t)at + size;
    for (uintptr_t p = (uintptr_t)at; p < end;) {
        uintptr_t start = p & ~(SLOT_SIZE - 1);
        uintptr_t next = start + SLOT_SIZE < end ? start + SLOT_SIZE : end;
        long slot = slot_of((void *)p);
        if (slot >= 0 && used[slot] < next - start)
            used[slot] = (uint32_t)(next - start);
        p = next;
    }
    return (void *)syscall(SYS_mmap, at, size, protection, flags, fd, offset);
}
