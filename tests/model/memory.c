/* SPDX-License-Identifier: MIT */
/* The atomic operations, as an operational semantics: RC11 (Lahav, Vafeiadis, Kang, Hur and Dreyer,
 * "Repairing Sequential Consistency in C/C++11", PLDI 2017) for all but seq_cst, whose order respects
 * all of happens-before, as in C11's first text.
 *
 * Each location keeps all its stores in modification order, which is the order in which they are
 * executed. A load may return any of them, unless
 *  - a later one happens before the load, or has been read by what happens before it (coherence), or
 *  - the load is seq_cst and a later store is seq_cst as well: all seq_cst operations are in one
 *    order, that of execution.
 * A read-modify-write reads the last store. A compare-exchange that fails is a load. An acquiring
 * load learns what the store released: the clock of a releasing store, and through the
 * read-modify-writes that follow it directly those of all they continue (release sequences, as C++20
 * has them: a later plain store of the same thread does not continue one).
 *
 * What this leaves out: executions with a cycle of program order, reads-from and modification order,
 * as load buffering, and 2+2W with its weak outcome; and what C++20 allows since where seq_cst is mixed
 * with other orders. models/litmus.c pins them, docs/model-checking.md tells more.
 */
#include <stdio.h>
#include <string.h>

#include "checker.h"

enum { STORES = 1 << 16, LOCS = 1 << 12, FIRST_ROOM = 8 };

static struct store pool[STORES];
static int pool_used;
static struct loc locs[LOCS];
uint32_t *model_hits;

void memory_reset(void)
{
    pool_used = 0;
}

/* ---- Locations ---- */

static struct loc *slot_of(const volatile void *at)
{
    size_t hash = ((uintptr_t)at * 0x9e3779b97f4a7c15u) >> 52;
    for (;; hash++) {
        struct loc *loc = &locs[hash % LOCS];
        if (loc->generation != x.generation || loc->at == at)
            return loc;
    }
}

struct loc *loc_find(const volatile void *at)
{
    struct loc *loc = slot_of(at);
    return loc->generation == x.generation && loc->size != SIZE_MAX ? loc : NULL;
}

/* It stays in the table, so that those behind it are found, and begins anew when it is used again. */
void loc_forget(struct loc *loc)
{
    loc->size = SIZE_MAX;
}

static struct store *store_new(struct loc *loc)
{
    if (loc->count == loc->room) {
        int room = loc->room ? 2 * loc->room : FIRST_ROOM;
        if (pool_used + room > STORES)
            fail(NULL, "step limit: too many stores in one execution");
        struct store *stores = pool + pool_used;
        pool_used += room;
        if (loc->count > 0)
            memcpy(stores, loc->stores, (size_t)loc->count * sizeof *stores);
        loc->stores = stores;
        loc->room = room;
    }
    return &loc->stores[loc->count++];
}

static uint64_t memory_get(const volatile void *at, size_t size)
{
    switch (size) {
    case 1:
        return *(const volatile uint8_t *)at;
    case 2:
        return *(const volatile uint16_t *)at;
    case 4:
        return *(const volatile uint32_t *)at;
    default:
        return *(const volatile uint64_t *)at;
    }
}

static void memory_set(volatile void *at, size_t size, uint64_t value)
{
    switch (size) {
    case 1:
        *(volatile uint8_t *)at = (uint8_t)value;
        break;
    case 2:
        *(volatile uint16_t *)at = (uint16_t)value;
        break;
    case 4:
        *(volatile uint32_t *)at = (uint32_t)value;
        break;
    default:
        *(volatile uint64_t *)at = value;
    }
}

/* Size 0 is an event: a name, not memory. */
struct loc *loc_of(const volatile void *at, size_t size)
{
    struct loc *loc = slot_of(at);
    if (loc->generation == x.generation && loc->size == size)
        return loc;
    if (loc->generation == x.generation && loc->size != SIZE_MAX)
        fail(NULL, "one object used as an atomic of %zu bytes and of %zu", loc->size, size);
    *loc = (struct loc){.at = at,
                        .size = size,
                        .generation = x.generation,
                        .last_sc = -1,
                        .write = -1,
                        .unlock = -1,
                        .sc_write = -1,
                        .holder = -1};
    for (int i = 0; i <= THREADS; i++)
        loc->read[i] = -1;
    if (size > 0) {
        loc->init = atomic_begin((uintptr_t)at, size);
        struct store *initial = store_new(loc);
        *initial = (struct store){.value = memory_get(at, size), .node = -1, .thread = NOBODY};
    }
    return loc;
}

/* ---- What a load may return ---- */

static bool acquires(int order)
{
    return order == MODEL_acquire || order == MODEL_acq_rel || order == MODEL_seq_cst;
}

static bool releases(int order)
{
    return order == MODEL_release || order == MODEL_acq_rel || order == MODEL_seq_cst;
}

/* The oldest store that the thread may still read. */
static int oldest(const struct loc *loc, const struct thread *thread, bool sc)
{
    int i = loc->count - 1;
    for (; i > 0; i--) {
        const struct store *store = &loc->stores[i];
        /* known - 1: a zero becomes the largest. */
        if (clock_any((clock_vec)((store->known - 1) < thread->hb)) || (sc && i == loc->last_sc))
            break;
    }
    return i;
}

/* The same, of which a search within a bound takes so many, and no more. */
static int oldest_offered(const struct loc *loc, const struct thread *thread, bool sc)
{
    unsigned most = search->model->old ? search->model->old : 1;
    if (search->mode == MODE_BOUNDED && x.old >= most)
        return loc->count - 1;
    return oldest(loc, thread, sc);
}

static void read_store(struct loc *loc, int index, int order)
{
    struct thread *thread = self();
    struct store *store = &loc->stores[index];
    if (store->known[x.current] == 0)
        store->known[x.current] = thread->hb[x.current];
    if (acquires(order))
        thread->hb = clock_join(thread->hb, store->released);
    if (store->node >= 0)
        thread->order = clock_join(thread->order, nodes[store->node].order);
}

static void write_store(struct loc *loc, int order, uint64_t value, bool rmw)
{
    struct thread *thread = self();
    clock_vec released = {0};
    if (rmw)
        released = loc->stores[loc->count - 1].released;
    if (releases(order))
        released = clock_join(released, thread->hb);
    if (loc->write >= 0)
        thread->order = clock_join(thread->order, nodes[loc->write].order);
    bool sc = order == MODEL_seq_cst;
    if (sc)
        loc->last_sc = loc->count;
    struct store *store = store_new(loc);
    *store = (struct store){.released = released,
                            .value = value,
                            .node = x.depth - 1,
                            .time = thread->hb[x.current],
                            .thread = (uint8_t)x.current,
                            .sc = sc};
    store->known[x.current] = store->time;
    memory_set((volatile void *)loc->at, loc->size, value);
}

/* ---- The operations ---- */

static uint64_t mask_of(size_t size)
{
    return size == 8 ? UINT64_MAX : (1ull << (8 * size)) - 1;
}

static struct loc *begin(struct model_site *site, const volatile void *at, size_t size,
                         enum op_kind kind, bool sc)
{
    if (model_hits != NULL)
        model_hits[site->id]++;
    atomic_access((uintptr_t)at, size, site->file, site->line);
    struct loc *loc = loc_of(at, size);
    step_begin((struct op){.kind = kind, .loc = loc, .sc = sc});
    /* Others have run: the memory may be gone, or begun anew. */
    atomic_access((uintptr_t)at, size, site->file, site->line);
    loc = loc_of(at, size);
    struct thread *thread = self();
    if (!epoch_known(loc->init, thread))
        fail(NULL,
             "data race: %s:%d: atomic access to %s against the plain write of its first value",
             site->file, site->line, site->text);
    loc->accessed[x.current] = thread->hb[x.current];
    return loc;
}

static const char *writer_of(const struct store *store)
{
    static char text[32];
    if (store->thread == NOBODY)
        return "the initial value";
    snprintf(text, sizeof text, "of thread %d", store->thread);
    return text;
}

static void trace_read(struct model_site *site, const struct loc *loc, int index, int order,
                       const char *what)
{
    if (!x.tracing)
        return;
    const struct store *store = &loc->stores[index];
    int newer = loc->count - 1 - index;
    trace_step(site->file, site->line, NULL, "%s(%s, %s) reads %#llx, %s%s%s", op_name(site->op),
               site->text, order_name(order), (unsigned long long)store->value, writer_of(store),
               newer ? ", not the newest" : "", what);
}

uint64_t model_atomic_load(struct model_site *site, const volatile void *at, size_t size)
{
    bool sc = site->order == MODEL_seq_cst;
    struct loc *loc = begin(site, at, size, OP_LOAD, sc);
    struct thread *thread = self();
    clock_vec before = thread->order;
    int low = oldest_offered(loc, thread, sc), skip = nodes[x.depth - 1].explored[x.current];
    if (low < skip && skip < loc->count)
        low = skip;
    int index = loc->count - 1 - choose_variant(loc->count - low);
    trace_read(site, loc, index, site->order, "");
    x.old += index < loc->count - 1;
    nodes[x.depth - 1].detail = (uint16_t)index;
    read_store(loc, index, site->order);
    uint64_t value = loc->stores[index].value;
    step_taken(OP_LOAD, loc, false, sc, before);
    return value;
}

void model_atomic_store(struct model_site *site, volatile void *at, size_t size, uint64_t value)
{
    bool sc = site->order == MODEL_seq_cst;
    struct loc *loc = begin(site, at, size, OP_STORE, sc);
    clock_vec before = self()->order;
    value &= mask_of(size);
    trace_step(site->file, site->line, NULL, "store(%s, %s) writes %#llx", site->text,
               order_name(site->order), (unsigned long long)value);
    write_store(loc, site->order, value, false);
    step_taken(OP_STORE, loc, true, sc, before);
}

uint64_t model_atomic_rmw(struct model_site *site, volatile void *at, size_t size, uint64_t operand)
{
    bool sc = site->order == MODEL_seq_cst;
    struct loc *loc = begin(site, at, size, OP_RMW, sc);
    clock_vec before = self()->order;
    uint64_t old = loc->stores[loc->count - 1].value, value = operand;
    switch (site->op) {
    case MODEL_FETCH_ADD:
        value = old + operand;
        break;
    case MODEL_FETCH_SUB:
        value = old - operand;
        break;
    case MODEL_FETCH_OR:
        value = old | operand;
        break;
    case MODEL_FETCH_AND:
        value = old & operand;
        break;
    }
    value &= mask_of(size);
    trace_step(site->file, site->line, NULL, "%s(%s, %s) %#llx -> %#llx", op_name(site->op),
               site->text, order_name(site->order), (unsigned long long)old,
               (unsigned long long)value);
    read_store(loc, loc->count - 1, site->order);
    write_store(loc, site->order, value, true);
    step_taken(OP_RMW, loc, true, sc, before);
    return old;
}

/* The ways of a compare-exchange, in this order: it succeeds; it is weak and fails although it could
 * succeed; it fails, having read something else than was expected, the newest such value first. */
bool model_atomic_cas(struct model_site *site, volatile void *at, size_t size, uint64_t *expected,
                      uint64_t desired)
{
    struct loc *loc = begin(site, at, size, OP_CAS, site->order == MODEL_seq_cst);
    struct thread *thread = self();
    clock_vec before = thread->order;
    uint64_t want = *expected & mask_of(size);
    int newest = loc->count - 1;
    bool fail_sc = site->fail == MODEL_seq_cst;
    int low = oldest_offered(loc, thread, fail_sc);
    bool can = loc->stores[newest].value == want;
    unsigned most = search->model->spurious ? search->model->spurious : 1;
    bool spurious =
        can && site->op == MODEL_CAS_WEAK && thread->spurious == 0 && x.spurious < (int)most;
    int ways = can + spurious;
    for (int i = low; i <= newest; i++)
        ways += loc->stores[i].value != want;
    int way = choose_variant(ways);
    nodes[x.depth - 1].spurious = false;
    if (can && way == 0) {
        trace_step(site->file, site->line, NULL, "%s(%s, %s) %#llx -> %#llx", op_name(site->op),
                   site->text, order_name(site->order), (unsigned long long)want,
                   (unsigned long long)(desired & mask_of(size)));
        thread->spurious = 0;
        read_store(loc, newest, site->order);
        write_store(loc, site->order, desired & mask_of(size), true);
        step_taken(OP_CAS, loc, true, site->order == MODEL_seq_cst, before);
        return true;
    }
    int index = newest;
    if (spurious && way == 1) {
        thread->spurious = 1;
        nodes[x.depth - 1].spurious = true;
        x.spurious++;
        trace_read(site, loc, index, site->fail, ", fails spuriously");
    } else {
        for (way -= can + spurious;; index--)
            if (loc->stores[index].value != want && way-- == 0)
                break;
        trace_read(site, loc, index, site->fail, ", fails");
    }
    x.old += index < newest;
    nodes[x.depth - 1].detail = (uint16_t)index;
    read_store(loc, index, site->fail);
    *expected = loc->stores[index].value;
    step_taken(OP_CAS, loc, false, fail_sc, before);
    return false;
}

void model_atomic_init(const volatile void *at, size_t size, uint64_t value)
{
    plain_access((uintptr_t)at, size, true, __builtin_return_address(0));
    struct loc *loc = loc_find(at);
    if (loc != NULL)
        loc_forget(loc);
    memory_set((volatile void *)at, size, value);
}
