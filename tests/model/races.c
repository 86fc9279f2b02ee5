/* SPDX-License-Identifier: MIT */
/* Plain accesses: races, and memory that is not there.
 *
 * The library and the models are compiled with -fsanitize=thread, which has each plain access call a
 * function before it; these are the functions. So nothing has to be marked, and nothing can be
 * forgotten. For each byte the last write and the last reads are kept as epochs, a thread and the
 * number of its step, and compared with the accessing thread's clock: FastTrack (Flanagan and Freund,
 * "FastTrack: Efficient and Precise Dynamic Race Detection", PLDI 2009). An access after a thread's
 * n-th step counts as part of its step n + 1: what a release in that step publishes covers it.
 *
 * Blocks are never given out twice within an execution, so a freed one is known for what it is. Each
 * thread has an arena of its own: its addresses do not depend on what the others do.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "checker.h"

enum {
    ARENA = 128 * 1024, /* for each thread */
    HEAP = ARENA * THREADS,
    STATICS = 64 * 1024,
    BLOCKS = 4096,
    VECTORS = 1 << 14,
    UNDO = 4096,
};

struct cell {
    uint32_t write, read; /* epochs; read: or SHARED and the place of a vector */
};
enum { SHARED = 1u << 31 };

/* Eight bytes. What they are is valid for the execution that the tag names. */
struct granule {
    uint32_t tag;
    struct cell whole; /* before it is split; the first write is the allocation */
};
enum { LIVE = 1, FREED = 2, ATOMIC = 4, SPLIT = 8, SAVED = 16, FLAGS = 31 };
#define TAG(flags) (x.generation << 5 | (flags))

struct region {
    uintptr_t base, size;
    struct cell *cells;
    struct granule *granules;
    bool heap;
};
static struct region heap, statics[2];

static struct {
    char *at;
    size_t size;
    void *pc;
    bool leaks, freed;
} blocks[BLOCKS];
static int block_count;
static size_t arena_used[THREADS];

static clock_vec vectors[VECTORS];
static int vector_count;

static struct {
    uint64_t *at, value;
} undo[UNDO];
static int undo_count;

/* Of a byte of a granule that is behind its block's end. */
static const uint32_t OUTSIDE = (uint32_t)NOBODY << 16 | UINT16_MAX;

/* The linker sends the others' memset to the one below (--wrap). */
void *__real_memset(void *at, int byte, size_t n);

/* Where the library's and the models' static storage is (atomics.h). */
extern char __start_model_data[] __attribute__((weak)), __stop_model_data[] __attribute__((weak));
extern char __start_model_bss[] __attribute__((weak)), __stop_model_bss[] __attribute__((weak));

static void *map(size_t size)
{
    void *at = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
                    -1, 0);
    if (at == MAP_FAILED) {
        perror("edo-model: mmap");
        exit(2);
    }
    return at;
}

static void region_init(struct region *region, uintptr_t base, uintptr_t end, bool is_heap)
{
    region->base = base & ~(uintptr_t)7;
    region->size = ((end + 7) & ~(uintptr_t)7) - region->base;
    region->cells = map(region->size * sizeof(struct cell) + 1);
    region->granules = map(region->size / 8 * sizeof(struct granule) + 1);
    region->heap = is_heap;
}

void races_init(void)
{
    char *memory = map(HEAP);
    region_init(&heap, (uintptr_t)memory, (uintptr_t)memory + HEAP, true);
    region_init(&statics[0], (uintptr_t)__start_model_data, (uintptr_t)__stop_model_data, false);
    region_init(&statics[1], (uintptr_t)__start_model_bss, (uintptr_t)__stop_model_bss, false);
}

void races_reset(void)
{
    if (x.generation >> 27) {
        /* The tags wrap. */
        x.generation = 1;
        struct region *regions[] = {&heap, &statics[0], &statics[1]};
        for (int i = 0; i < 3; i++)
            __real_memset(regions[i]->granules, 0, regions[i]->size / 8 * sizeof(struct granule));
    }
    block_count = 0;
    vector_count = 0;
    undo_count = 0;
    memset(arena_used, 0, sizeof arena_used);
}

void races_restore(void)
{
    while (undo_count > 0) {
        undo_count--;
        *undo[undo_count].at = undo[undo_count].value;
    }
}

static struct region *region_of(uintptr_t at)
{
    if (at - heap.base < heap.size)
        return &heap;
    if (at - statics[0].base < statics[0].size)
        return &statics[0];
    if (at - statics[1].base < statics[1].size)
        return &statics[1];
    return NULL;
}

/* ---- The checks ---- */

static _Noreturn void race(uintptr_t at, size_t size, bool write, unsigned other, bool other_writes,
                           void *pc)
{
    if (other == NOBODY)
        fail(pc, "out of bounds: thread %d %s %zu bytes at %p, more than the block has", x.current,
             write ? "writes" : "reads", size, (void *)at);
    fail(pc, "data race: thread %d %s %zu bytes at %p, which thread %u %s, unordered", x.current,
         write ? "writes" : "reads", size, (void *)at, other, other_writes ? "wrote" : "read");
}

/* A lane of the clock that is behind; the accessing thread's own never is. */
static unsigned unknown_lane(clock_vec seen, clock_vec known)
{
    for (unsigned i = 0; i < THREADS; i++)
        if (seen[i] > known[i] && i != (unsigned)x.current)
            return i;
    return NOBODY;
}

static _Noreturn void bad_memory(struct granule granule, uintptr_t at, void *pc)
{
    if (granule.tag == TAG(FREED | (granule.tag & FLAGS)))
        fail(pc, "use after free: thread %d at %p", x.current, (void *)at);
    fail(pc, "out of bounds: thread %d at %p, which no block holds", x.current, (void *)at);
}

/* The granule, live in this execution. */
static struct granule *granule_of(struct region *region, uintptr_t at, void *pc)
{
    size_t g = (at - region->base) / 8;
    struct granule *granule = &region->granules[g];
    if (granule->tag >> 5 != x.generation) {
        if (region->heap)
            bad_memory((struct granule){0, {0, 0}}, at, pc);
        *granule = (struct granule){TAG(LIVE), {0, 0}};
    }
    if (!(granule->tag & LIVE))
        bad_memory(*granule, at, pc);
    return granule;
}

static int vector_new(clock_vec clock)
{
    if (vector_count == VECTORS)
        fail(NULL, "too many shared reads");
    vectors[vector_count] = clock;
    return vector_count++;
}

/* Its bytes are told apart from now on. */
static void split(struct region *region, struct granule *granule)
{
    if (granule->tag & SPLIT)
        return;
    granule->tag |= SPLIT;
    struct cell *cell = &region->cells[8 * (size_t)(granule - region->granules)];
    for (int i = 0; i < 8; i++) {
        cell[i] = granule->whole;
        if (cell[i].read & SHARED)
            cell[i].read = SHARED | (uint32_t)vector_new(vectors[cell[i].read & ~SHARED]);
    }
}

static void save(struct region *region, struct granule *granule)
{
    if (region->heap || granule->tag & SAVED)
        return;
    granule->tag |= SAVED;
    if (undo_count == UNDO)
        fail(NULL, "too much static storage is written");
    uint64_t *at = (uint64_t *)(region->base + 8 * (size_t)(granule - region->granules));
    undo[undo_count].at = at;
    undo[undo_count++].value = *at;
}

/* A plain access to what has been an atomic object: all its uses must be known to this thread. Then
 * it is no atomic any more, until it is used as one again. */
static void end_atomics(struct region *region, uintptr_t at, size_t size, bool write, void *pc)
{
    struct thread *thread = self();
    for (uintptr_t p = at > region->base + 7 ? at - 7 : region->base; p < at + size; p++) {
        struct loc *loc = loc_find((void *)p);
        if (loc == NULL || p + loc->size <= at)
            continue;
        clock_vec accessed = loc->accessed;
        accessed[x.current] = 0;
        if (!clock_covers(thread->hb, accessed))
            fail(pc,
                 "data race: thread %d %s %p plainly, which thread %u used as an atomic or a lock, "
                 "unordered",
                 x.current, write ? "writes" : "reads", (void *)p,
                 unknown_lane(accessed, thread->hb));
        if (loc->holder >= 0)
            fail(pc, "lock written to while thread %d holds it", loc->holder);
        if (write)
            loc_forget(loc);
    }
}

static void check_write(struct cell *cell, const struct thread *thread, uintptr_t at, size_t size,
                        void *pc)
{
    if (!epoch_known(cell->write, thread))
        race(at, size, true, cell->write >> 16, true, pc);
    if (cell->read & SHARED) {
        unsigned other = unknown_lane(vectors[cell->read & ~SHARED], thread->hb);
        if (other != NOBODY)
            race(at, size, true, other, false, pc);
    } else if (!epoch_known(cell->read, thread)) {
        race(at, size, true, cell->read >> 16, false, pc);
    }
}

static void read_cell(struct cell *cell, const struct thread *thread, uint32_t now, uintptr_t at,
                      size_t size, void *pc)
{
    if (!epoch_known(cell->write, thread))
        race(at, size, false, cell->write >> 16, true, pc);
    if (cell->read == now)
        return;
    if (cell->read & SHARED) {
        vectors[cell->read & ~SHARED][x.current] = (uint16_t)now;
    } else if (epoch_known(cell->read, thread)) {
        cell->read = now;
    } else {
        clock_vec seen = {0};
        seen[cell->read >> 16] = (uint16_t)cell->read;
        seen[x.current] = (uint16_t)now;
        cell->read = SHARED | (uint32_t)vector_new(seen);
    }
}

/* A large write, of a part of a block that is all alike, as after its allocation. */
static bool write_alike(uintptr_t at, size_t size, uint32_t now)
{
    if (at - heap.base >= heap.size || (at | size) & 7)
        return false;
    struct granule *granule = &heap.granules[(at - heap.base) / 8], first = granule[0];
    if (first.tag != TAG(LIVE) || first.whole.read != 0 || !epoch_known(first.whole.write, self()))
        return false;
    uint32_t differ = 0;
    for (size_t g = 0; g < size / 8; g++)
        differ |= (granule[g].tag ^ first.tag) | (granule[g].whole.write ^ first.whole.write) |
                  granule[g].whole.read;
    if (differ)
        return false;
    for (size_t g = 0; g < size / 8; g++)
        granule[g].whole.write = now;
    return true;
}

void plain_access(uintptr_t at, size_t size, bool write, void *pc)
{
    struct region *region = region_of(at);
    if (region == NULL || x.verdict != RUNNING)
        return;
    struct thread *thread = self();
    uint32_t now = epoch_now();
    if (write && size >= 64 && write_alike(at, size, now))
        return;
    for (size_t done = 0; done < size;) {
        uintptr_t p = at + done;
        struct granule *granule = granule_of(region, p, pc);
        size_t n = 8 - (p & 7);
        if (n > size - done)
            n = size - done;
        done += n;
        if (granule->tag & ATOMIC)
            end_atomics(region, p, n, write, pc);
        if (write)
            save(region, granule);
        struct cell *cell = &granule->whole;
        size_t cells = 1;
        if (n < 8 || granule->tag & SPLIT) {
            split(region, granule);
            cell = &region->cells[p - region->base];
            cells = n;
        }
        for (size_t i = 0; i < cells; i++, cell++) {
            if (write) {
                if (cell->write != now || cell->read != 0) {
                    check_write(cell, thread, at, size, pc);
                    *cell = (struct cell){now, 0};
                }
            } else {
                read_cell(cell, thread, now, at, size, pc);
            }
        }
    }
}

void atomic_access(uintptr_t at, size_t size, const char *file, int line)
{
    struct region *region = region_of(at);
    if (region == NULL)
        return;
    struct granule *granule = &region->granules[(at - region->base) / 8];
    if (granule->tag >> 5 == x.generation && granule->tag & LIVE)
        return;
    if (!region->heap) {
        granule_of(region, at, NULL);
        return;
    }
    const char *what =
        granule->tag == TAG(FREED | (granule->tag & FLAGS)) ? "use after free" : "out of bounds";
    if (file != NULL)
        fail(NULL, "%s: thread %d at %p, by the atomic operation at %s:%d", what, x.current,
             (void *)at, file, line);
    fail(NULL, "%s: thread %d uses the lock at %p, of %zu bytes", what, x.current, (void *)at,
         size);
}

uint32_t atomic_begin(uintptr_t at, size_t size)
{
    struct region *region = region_of(at);
    if (region == NULL)
        return 0;
    struct granule *granule = granule_of(region, at, NULL);
    split(region, granule);
    granule->tag |= ATOMIC;
    save(region, granule);
    (void)size;
    return region->cells[at - region->base].write;
}

/* ---- Blocks ---- */

void *block_new(size_t size, bool zero, bool leaks, void *pc)
{
    /* A gap between blocks, which nobody may touch. */
    size_t *used = &arena_used[x.current], room = ((size + 15) & ~(size_t)15) + 16;
    if (block_count == BLOCKS || size > ARENA || *used + room > ARENA)
        fail(pc, "the checker has no room for a block of %zu bytes", size);
    char *at = (char *)heap.base + (size_t)x.current * ARENA + *used;
    *used += room;
    blocks[block_count].at = at;
    blocks[block_count].size = size;
    blocks[block_count].pc = pc;
    blocks[block_count].leaks = leaks;
    blocks[block_count++].freed = false;
    struct granule *granule = &heap.granules[((uintptr_t)at - heap.base) / 8];
    struct granule is = {TAG(LIVE), {epoch_now(), 0}};
    for (size_t i = 0; i < (size + 7) / 8; i++)
        granule[i] = is;
    if (size % 8 != 0) {
        size_t last = size / 8;
        split(&heap, &granule[last]);
        for (size_t i = size % 8; i < 8; i++)
            heap.cells[(uintptr_t)at - heap.base + 8 * last + i].write = OUTSIDE;
    }
    __real_memset(at, zero ? 0 : 0xa5, size);
    return at;
}

static int block_find(const void *block)
{
    for (int i = block_count - 1; i >= 0; i--)
        if (blocks[i].at == (const char *)block)
            return i;
    return -1;
}

size_t block_size(const void *block)
{
    int i = block_find(block);
    return i < 0 ? 0 : blocks[i].size;
}

void block_free(void *block, void *pc)
{
    int i = block_find(block);
    if (i < 0)
        fail(pc, "free of %p, which is no block", block);
    if (blocks[i].freed)
        fail(pc, "double free of %p", block);
    uintptr_t at = (uintptr_t)block;
    size_t size = blocks[i].size;
    struct thread *thread = self();
    struct granule *granule = &heap.granules[(at - heap.base) / 8];
    struct granule before = {0, {0, 0}};
    for (size_t g = 0; g < (size + 7) / 8; g++) {
        uintptr_t p = at + 8 * g;
        struct granule is = granule[g];
        granule[g].tag = TAG(FREED);
        if (is.tag == before.tag && is.whole.write == before.whole.write &&
            is.whole.read == before.whole.read && !(is.tag & (ATOMIC | SPLIT)))
            continue;
        before = is;
        granule[g] = is;
        if (granule[g].tag & ATOMIC)
            end_atomics(&heap, p, 8, true, pc);
        if (granule[g].tag & SPLIT) {
            for (size_t b = 0; b < 8 && 8 * g + b < size; b++)
                check_write(&heap.cells[p - heap.base + b], thread, p, 1, pc);
        } else {
            check_write(&granule[g].whole, thread, p, 8, pc);
        }
        granule[g].tag = TAG(FREED);
    }
    __real_memset(block, 0xdb, size);
    blocks[i].freed = true;
}

void races_check_leaks(void)
{
    for (int i = 0; i < block_count; i++)
        if (blocks[i].leaks && !blocks[i].freed)
            fail(blocks[i].pc, "leak: a block of %zu bytes was never freed", blocks[i].size);
}
