/* SPDX-License-Identifier: MIT */
/* Bugs that the checker must find, each by what it says of them, and beside most of them the correct
 * program, in which it must find nothing. `.exact`: found with so many preemptions, and not with
 * fewer. */
#include "tests/model/model.h"

static void in_two_threads(void (*a)(void *), void (*b)(void *), void *arg)
{
    model_thread(a, arg);
    model_thread(b, arg);
    model_join_all();
}

/* ---- A queue: a stack that many push to, and one takes whole (as the inject list) ---- */

struct item {
    struct item *next;
    int value;
};
struct queue {
    _Atomic(struct item *) head;
};

static struct item *item_new(struct queue *queue)
{
    struct item *item = edo_malloc(sizeof *item);
    item->value = 1;
    item->next = edo_load(&queue->head, relaxed);
    return item;
}

static void push(void *arg)
{
    struct queue *queue = arg;
    struct item *item = item_new(queue);
    while (!edo_cas_weak(&queue->head, &item->next, item, release, relaxed))
        ;
}

static int take(struct queue *queue)
{
    int sum = 0;
    struct item *item = edo_exchange(&queue->head, NULL, acquire);
    while (item != NULL) {
        struct item *next = item->next;
        sum += item->value;
        edo_free(item);
        item = next;
    }
    return sum;
}

/* Not one step: of two that push at the same time, one is lost. (It takes the newest by a
 * read-modify-write; a mere load might be of an old value, and needed no preemption to fail.) */
static void push_in_two_steps(void *arg)
{
    struct queue *queue = arg;
    struct item *item = item_new(queue);
    item->next = edo_exchange(&queue->head, NULL, acquire);
    edo_store(&queue->head, item, release);
}

static void push_relaxed(void *arg)
{
    struct queue *queue = arg;
    struct item *item = item_new(queue);
    while (!edo_cas_weak(&queue->head, &item->next, item, relaxed, relaxed))
        ;
}

static void queue_model(void (*how)(void *))
{
    struct queue *queue = model_new(sizeof *queue);
    model_thread(how, queue);
    model_thread(how, queue);
    int sum = take(queue);
    model_join_all();
    model_assert(sum + take(queue) == 2);
}

MODEL(queue)
{
    queue_model(push);
}

MODEL(planted_queue, .fails = "assertion failed", .bound = 1, .exact = true)
{
    queue_model(push_in_two_steps);
}

MODEL(planted_queue_order, .fails = "data race")
{
    queue_model(push_relaxed);
}

/* ABA: one by one popped, and the same pushed again. Between a pop's look at the head and its
 * compare-exchange the head is taken, its successor too, and then it is back. */
struct link {
    _Atomic(struct link *) next;
    _Atomic(int) popped;
};
struct stack {
    _Atomic(struct link *) head;
    struct link links[2];
};

static struct link *pop(struct stack *stack)
{
    struct link *link = edo_load(&stack->head, acquire);
    while (link != NULL &&
           !edo_cas(&stack->head, &link, edo_load(&link->next, relaxed), acq_rel, acquire))
        ;
    return link;
}

static void keep(struct link *link)
{
    if (link != NULL)
        model_assert(edo_fetch_add(&link->popped, 1, relaxed) == 0);
}

static void pop_twice(void *arg)
{
    keep(pop(arg));
    keep(pop(arg));
}

static void pop_two_and_push_one(void *arg)
{
    struct stack *stack = arg;
    struct link *a = pop(stack), *head = NULL;
    keep(pop(stack));
    if (a == NULL)
        return;
    edo_store(&a->next, NULL, relaxed);
    edo_cas(&stack->head, &head, a, release, relaxed);
}

MODEL(planted_aba, .fails = "assertion failed")
{
    struct stack *stack = model_new(sizeof *stack);
    edo_init(&stack->links[0].next, &stack->links[1]);
    edo_init(&stack->head, &stack->links[0]);
    in_two_threads(pop_twice, pop_two_and_push_one, stack);
}

/* ---- A flag: one parks when there is no work, the other brings some ---- */

struct park {
    _Atomic(int) work, parked;
    char event;
};

static void bring(void *arg)
{
    struct park *park = arg;
    edo_store(&park->work, 1, seq_cst);
    if (edo_load(&park->parked, seq_cst))
        model_signal(&park->event);
}

MODEL(flag)
{
    struct park *park = model_new(sizeof *park);
    model_thread(bring, park);
    edo_store(&park->parked, 1, seq_cst);
    if (!edo_load(&park->work, seq_cst))
        model_wait(&park->event);
}

/* Looks first, then says that it is parked. */
MODEL(planted_flag, .fails = "lost wake-up", .bound = 1, .exact = true)
{
    struct park *park = model_new(sizeof *park);
    model_thread(bring, park);
    if (!edo_load(&park->work, seq_cst)) {
        edo_store(&park->parked, 1, seq_cst);
        model_wait(&park->event);
    }
}

/* The right steps, but each may look past the other's store. */
MODEL(planted_flag_order, .fails = "lost wake-up")
{
    struct park *park = model_new(sizeof *park);
    model_thread(bring, park);
    edo_store(&park->parked, 1, release);
    if (!edo_load(&park->work, acquire))
        model_wait(&park->event);
}

/* ---- A reference count ---- */

struct counted {
    _Atomic(int) refs;
    int used[2];
};

static void use_and_drop(struct counted *counted, int who)
{
    counted->used[who] = 1;
    if (edo_fetch_sub(&counted->refs, 1, acq_rel) == 1) {
        model_assert(counted->used[0] && counted->used[1]);
        edo_free(counted);
    }
}

static void drop_0(void *arg)
{
    use_and_drop(arg, 0);
}

static void drop_1(void *arg)
{
    use_and_drop(arg, 1);
}

static struct counted *counted_new(void)
{
    struct counted *counted = edo_calloc(1, sizeof *counted);
    edo_init(&counted->refs, 2);
    return counted;
}

MODEL(refcount)
{
    in_two_threads(drop_0, drop_1, counted_new());
}

/* In two steps: each sees the other's, and nobody frees. */
static void drop_in_two_steps(void *arg)
{
    struct counted *counted = arg;
    int refs = edo_fetch_add(&counted->refs, 0, acq_rel); /* the newest */
    if (refs == 1)
        edo_free(counted);
    else
        edo_store(&counted->refs, refs - 1, release);
}

MODEL(planted_refcount, .fails = "leak", .bound = 1, .exact = true)
{
    in_two_threads(drop_in_two_steps, drop_in_two_steps, counted_new());
}

/* Relaxed: the other's use is not known to be over when the memory is freed. */
static void drop_relaxed(void *arg)
{
    struct counted *counted = arg;
    int seen = counted->used[0];
    if (edo_fetch_sub(&counted->refs, 1, relaxed) == 1)
        edo_free(counted);
    model_assert(seen == 0);
}

MODEL(planted_refcount_order, .fails = "data race")
{
    in_two_threads(drop_relaxed, drop_relaxed, counted_new());
}

/* A look after the reference is given back. */
static void drop_then_look(void *arg)
{
    struct counted *counted = arg;
    if (edo_fetch_sub(&counted->refs, 1, acq_rel) == 1)
        edo_free(counted);
    else
        model_assert(edo_load(&counted->refs, relaxed) <= 1);
}

MODEL(planted_refcount_look, .fails = "data race")
{
    in_two_threads(drop_then_look, drop_then_look, counted_new());
}

/* The same with a lock in between, so that all is ordered: only when it looks too late. */
struct guarded {
    struct edo_lock lock;
    struct counted *counted;
};

static void drop_then_look_guarded(void *arg)
{
    struct guarded *guarded = arg;
    edo_lock(&guarded->lock);
    bool last = edo_fetch_sub(&guarded->counted->refs, 1, relaxed) == 1;
    edo_unlock(&guarded->lock);
    edo_lock(&guarded->lock);
    if (last)
        edo_free(guarded->counted);
    else
        model_assert(edo_load(&guarded->counted->refs, relaxed) <= 1);
    edo_unlock(&guarded->lock);
}

MODEL(planted_refcount_look_guarded, .fails = "use after free", .bound = 1, .exact = true)
{
    struct guarded *guarded = model_new(sizeof *guarded);
    edo_lock_init(&guarded->lock);
    guarded->counted = counted_new();
    in_two_threads(drop_then_look_guarded, drop_then_look_guarded, guarded);
}

/* ---- How many preemptions ---- */

struct turns {
    _Atomic(int) turn;
};

static void turn(struct turns *turns, int from)
{
    edo_cas(&turns->turn, &from, from + 1, relaxed, relaxed);
}

static void even_turns(void *arg)
{
    turn(arg, 0);
    turn(arg, 2);
}

static void three_even_turns(void *arg)
{
    even_turns(arg);
    turn(arg, 4);
}

static void odd_turns(void *arg)
{
    turn(arg, 1);
    turn(arg, 3);
}

MODEL(planted_two_preemptions, .fails = "assertion failed", .bound = 2, .exact = true)
{
    struct turns *turns = model_new(sizeof *turns);
    in_two_threads(even_turns, odd_turns, turns);
    model_assert(edo_load(&turns->turn, relaxed) != 4);
}

MODEL(planted_three_preemptions, .fails = "assertion failed", .bound = 3, .exact = true)
{
    struct turns *turns = model_new(sizeof *turns);
    in_two_threads(three_even_turns, odd_turns, turns);
    model_assert(edo_load(&turns->turn, relaxed) != 5);
}

/* ---- One of each kind ---- */

static int shared_static;
static char *shared_block;

static void write_static(void *arg)
{
    (void)arg;
    shared_static++;
}

MODEL(planted_race, .fails = "data race")
{
    in_two_threads(write_static, write_static, NULL);
}

static void read_static(void *arg)
{
    (void)arg;
    model_assert(shared_static == 0);
}

MODEL(reads_do_not_race)
{
    in_two_threads(read_static, read_static, NULL);
}

static void free_block(void *arg)
{
    (void)arg;
    edo_free(shared_block);
}

static void write_block(void *arg)
{
    (void)arg;
    shared_block[3] = 1;
}

MODEL(planted_race_with_free, .fails = "data race")
{
    shared_block = edo_malloc(8);
    in_two_threads(write_block, free_block, NULL);
}

MODEL(planted_use_after_free, .fails = "use after free")
{
    shared_block = edo_malloc(8);
    model_join(model_thread(free_block, NULL));
    write_block(NULL);
}

MODEL(planted_double_free, .fails = "double free")
{
    shared_block = edo_malloc(8);
    model_join(model_thread(free_block, NULL));
    edo_free(shared_block);
}

MODEL(planted_leak, .fails = "leak")
{
    shared_block = edo_malloc(8);
}

MODEL(planted_out_of_bounds, .fails = "out of bounds")
{
    shared_block = edo_malloc(3);
    write_block(NULL);
}

static struct edo_lock a, b;

static void lock_a_b(void *arg)
{
    (void)arg;
    edo_lock(&a);
    edo_lock(&b);
    edo_unlock(&b);
    edo_unlock(&a);
}

static void lock_b_a(void *arg)
{
    (void)arg;
    edo_lock(&b);
    edo_lock(&a);
    edo_unlock(&a);
    edo_unlock(&b);
}

MODEL(lock_order)
{
    edo_lock_init(&a);
    edo_lock_init(&b);
    in_two_threads(lock_a_b, lock_a_b, NULL);
}

MODEL(planted_deadlock, .fails = "deadlock", .bound = 1, .exact = true)
{
    edo_lock_init(&a);
    edo_lock_init(&b);
    in_two_threads(lock_a_b, lock_b_a, NULL);
}

MODEL(planted_lock_taken_twice, .fails = "deadlock")
{
    edo_lock_init(&a);
    edo_lock(&a);
    edo_lock(&a);
}

static void unlock_a(void *arg)
{
    (void)arg;
    edo_unlock(&a);
}

MODEL(planted_unlock_by_another, .fails = "lock released by a thread that does not hold it")
{
    edo_lock_init(&a);
    edo_lock(&a);
    model_join(model_thread(unlock_a, NULL));
}

MODEL(planted_lock_destroyed, .fails = "lock destroyed while thread 0 holds it")
{
    edo_lock_init(&a);
    edo_lock(&a);
    edo_lock_destroy(&a);
}

MODEL(planted_crash, .fails = "crash")
{
    *(volatile int *)(uintptr_t)model_choose(2) = 1;
}

static _Atomic(int) never;

MODEL(planted_livelock, .fails = "step limit")
{
    while (!edo_load(&never, relaxed))
        ;
}

MODEL(planted_outcome, .fails = "outcomes 0 1", .outcomes = "0 2")
{
    model_outcome((int)model_choose(2));
}

MODEL(planted_bug, .fails = "assertion failed: never")
{
    edo_assert(never);
}
