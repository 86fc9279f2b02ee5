/* SPDX-License-Identifier: MIT */
/* The inbox: what is put in, and what its waker points to, is seen by who takes it out; and its end by who comes
 * late. */
#include "internal/inbox.h"
#include "executor.h"

struct item {
    struct edo_inbox_node node; /* first */
    int value;
};

static struct edo_inbox inbox;
static int data;

/* Who finds it closed sees what was done before that, and ends what the taker has left. */
static void pushes(void *value)
{
    struct item *item = model_new(sizeof *item);
    item->value = (int)(intptr_t)value;
    if (!edo_inbox_push(&inbox, &item->node))
        data++;
}

static int sum(const struct edo_inbox_node *node)
{
    int values = 0;
    for (; node != NULL; node = node->next)
        values += ((const struct item *)node)->value;
    return values;
}

MODEL(inbox_closed_late)
{
    edo_inbox_init(&inbox);
    model_thread(pushes, (void *)1);
    int got = sum(edo_inbox_take(&inbox));
    struct edo_waker *waiting;
    data = 10;
    got += sum(edo_inbox_close(&inbox, &waiting));
    model_assert(waiting == NULL);
    model_join_all();
    model_assert(got + data == 11);
}

MODEL(inbox_taken)
{
    edo_inbox_init(&inbox);
    struct executor *executor = executor_new();
    model_thread(pushes, (void *)1);
    model_thread(pushes, (void *)2);
    for (int got = 0; got < 3;) {
        struct edo_inbox_node *first = edo_inbox_take(&inbox);
        got += sum(first);
        if (first == NULL && edo_inbox_wait(&inbox, &executor->waker))
            executor_sleep(executor);
    }
    struct edo_waker *waiting;
    model_assert(edo_inbox_close(&inbox, &waiting) == NULL);
    if (waiting != NULL)
        edo_waker_drop(waiting);
    model_join_all();
    model_assert(edo_load(&executor->clones, relaxed) == 0);
}

/* One waker is replaced by another, and that by a third where the first was. */
struct place {
    struct edo_waker waker; /* first */
    int lives;
};

static struct edo_waker *place_clone(struct edo_waker *waker)
{
    return waker;
}

static void place_wake(struct edo_waker *waker)
{
    data = ((struct place *)waker)->lives;
}

static void place_drop(struct edo_waker *waker)
{
    (void)waker;
}

static const struct edo_waker_ops place_ops = {place_wake, place_clone, place_drop, NULL, NULL};

MODEL(inbox_waker_where_one_was)
{
    edo_inbox_init(&inbox);
    struct place *place = model_new(sizeof *place), *other = model_new(sizeof *other);
    *place = (struct place){{&place_ops}, 1};
    *other = (struct place){{&place_ops}, 2};
    bool waits = edo_inbox_wait(&inbox, &place->waker);
    model_assert(waits);
    model_thread(pushes, (void *)1);
    if (edo_inbox_wait(&inbox, &other->waker)) {
        place->lives = 3;
        edo_inbox_wait(&inbox, &place->waker);
    }
    model_join_all();
    struct edo_waker *waiting;
    model_assert(sum(edo_inbox_close(&inbox, &waiting)) == 1 && data > 0);
}
