/* SPDX-License-Identifier: MIT */
/* Fuzzes watch: what is done with its handles and futures on one thread, against the number of the last
 * value and of those that each receiver has seen. The input: a byte for whether values own something,
 * then operations of a byte or more. */
#include "channels/watch.h"
#include "seat.h"

enum { HANDLES = 4, BORROWS = 4 };
enum kind { CHANGED, WAIT_FOR, CLOSED };
enum { RECEIVING = 1 << CHANGED | 1 << WAIT_FOR };

static EDO_WATCH_SENDER(struct message) tx[HANDLES];
static EDO_WATCH_RECEIVER(struct message) rx[HANDLES];
static int seen[HANDLES]; /* -1: marked as changed */

/* By a receiver, which stays until they are given back. */
static struct {
    const struct message *value;
    int number, handle;
} borrows[BORROWS];

static struct use {
    struct message value;
    int multiple, handle; /* waited for, by whom */
    union {
        struct edo_watch_changed changed;
        struct edo_watch_wait_for wait_for;
        struct edo_watch_closed closed;
    };
} uses[SEATS];

static int last; /* the value that there is */
static bool owning;

static size_t senders(void)
{
    size_t n = 0;
    for (int i = 0; i < HANDLES; i++)
        n += tx[i] != NULL;
    return n;
}

static size_t receivers(void)
{
    size_t n = 0;
    for (int i = 0; i < HANDLES; i++)
        n += rx[i] != NULL;
    return n;
}

static void copy(const struct message *value, struct message *to)
{
    edo_assert(value->memory != NULL);
    *to = (struct message){value->number, edo_malloc(1)};
}

static struct message value_new(void)
{
    return (struct message){last + 1, owning ? edo_malloc(1) : NULL};
}

static void value_drop(struct message *value)
{
    if (owning)
        message_drop(value);
}

/* Wanted by wait_for; what it was asked about has been seen. */
static bool is_multiple(const struct message *value, void *arg)
{
    struct use *use = arg;
    seen[use->handle] = value->number;
    return value->number % use->multiple == 0;
}

static void seat_ready(struct seat *seat)
{
    struct use *use = &uses[seat - seats];
    int i = seat->handle;
    switch ((enum kind)seat->kind) {
    case CHANGED:
        edo_assert(use->changed.output == 0
                       ? seen[i] != last
                       : use->changed.output == EDO_ECLOSED && seen[i] == last && senders() == 0);
        seen[i] = last;
        break;
    case WAIT_FOR:
        if (use->wait_for.output == 0) {
            edo_assert(use->value.number == last && last % use->multiple == 0);
            value_drop(&use->value);
        } else {
            edo_assert(use->wait_for.output == EDO_ECLOSED && senders() == 0);
            edo_assert(last % use->multiple != 0);
        }
        break;
    case CLOSED:
        edo_assert(receivers() == 0);
        break;
    }
}

static void seat_dropped(struct seat *seat)
{
    (void)seat;
}

static void seats_check_quiet(void) {}

static void sit(enum kind kind, int i)
{
    struct seat *seat = seat_free();
    if (seat == NULL ||
        (kind == CLOSED ? tx[i] == NULL : rx[i] == NULL || seat_taken(RECEIVING, i)))
        return;
    struct use *use = &uses[seat - seats];
    use->multiple = 5;
    use->handle = i;
    if (kind == CHANGED)
        use->changed = edo_watch_changed(rx[i]);
    else if (kind == WAIT_FOR)
        use->wait_for = edo_watch_wait_for(rx[i], is_multiple, use, &use->value);
    else
        use->closed = edo_watch_closed(tx[i]);
    seat_sit(seat, &use->changed.future_, kind, i);
}

static bool modifies(struct message *value, void *whether)
{
    value->number += *(bool *)whether;
    return *(bool *)whether;
}

static void increments(struct message *value, void *arg)
{
    (void)arg;
    value->number++;
}

static void send_now(unsigned how, int i)
{
    if (tx[i] == NULL)
        return;
    struct message value = value_new(), old;
    bool really = how / 4 % 2;
    switch (how % 4) {
    case 0:
        if (receivers() > 0) {
            edo_assert(edo_watch_send(tx[i], &value) == 0);
            last++;
            return;
        }
        edo_assert(edo_watch_send(tx[i], &value) == EDO_ECLOSED);
        break;
    case 1:
        edo_assert(edo_watch_send_replace(tx[i], &value, &old) == 0 && old.number == last);
        last++;
        value_drop(&old);
        return;
    case 2:
        edo_assert(edo_watch_send_if_modified(tx[i], modifies, &really) == really);
        last += really;
        break;
    default:
        edo_assert(edo_watch_send_modify(tx[i], increments, NULL) == 0);
        last++;
        break;
    }
    value_drop(&value);
}

static void give_back(int k)
{
    if (borrows[k].value == NULL)
        return;
    edo_assert(borrows[k].value->number == borrows[k].number);
    edo_assert(!owning || borrows[k].value->memory != NULL);
    edo_watch_release(rx[borrows[k].handle], borrows[k].value);
    borrows[k].value = NULL;
}

static void look(unsigned how, int i)
{
    int k = (int)(how / 8 % BORROWS);
    if (rx[i] == NULL)
        return;
    struct message value;
    int changed = edo_watch_has_changed(rx[i]);
    edo_assert(changed == (seen[i] != last ? 1 : senders() == 0 ? EDO_ECLOSED : 0));
    switch (how % 8) {
    case 0:
    case 1:
        if (borrows[k].value != NULL)
            return;
        borrows[k].value =
            how % 8 == 0 ? edo_watch_borrow(rx[i]) : edo_watch_borrow_and_update(rx[i]);
        borrows[k].number = last;
        borrows[k].handle = i;
        if (how % 8 == 1)
            seen[i] = last;
        edo_assert(borrows[k].value->number == last);
        break;
    case 2:
    case 3:
        give_back(k);
        break;
    case 4:
        edo_watch_get(rx[i], &value);
        edo_assert(value.number == last);
        value_drop(&value);
        seen[i] = last;
        break;
    case 5:
        if (seat_taken(RECEIVING, i))
            return; /* it would not be told */
        edo_watch_mark_changed(rx[i]);
        seen[i] = -1;
        break;
    default:
        edo_watch_mark_unchanged(rx[i]);
        seen[i] = last;
        break;
    }
}

static void drop_sender(int i)
{
    if (tx[i] == NULL || seat_taken(1 << CLOSED, i))
        return;
    EDO_WATCH_SENDER(struct message) old = tx[i];
    tx[i] = NULL;
    edo_watch_sender_drop(old);
}

static void drop_receiver(int i)
{
    if (rx[i] == NULL || seat_taken(RECEIVING, i))
        return;
    for (int k = 0; k < BORROWS; k++)
        if (borrows[k].handle == i)
            give_back(k);
    EDO_WATCH_RECEIVER(struct message) old = rx[i];
    rx[i] = NULL;
    edo_watch_receiver_drop(old);
}

static void use_handles(unsigned what, int i)
{
    int j = (int)(what / 8 % HANDLES);
    switch (what % 8) {
    case 0:
        if (tx[i] != NULL && tx[j] == NULL)
            tx[j] = edo_watch_sender_clone(tx[i]);
        break;
    case 1:
        if (tx[i] != NULL && rx[j] == NULL) {
            rx[j] = edo_watch_subscribe(tx[i]);
            seen[j] = last;
        }
        break;
    case 2:
        if (rx[i] != NULL && rx[j] == NULL) {
            rx[j] = edo_watch_receiver_clone(rx[i]);
            seen[j] = seen[i];
        }
        break;
    case 3:
    case 4:
        drop_sender(i);
        break;
    case 5:
        if (tx[i] != NULL) {
            const struct message *value = edo_watch_sender_borrow(tx[i]);
            edo_assert(value->number == last);
            edo_watch_sender_release(tx[i], value);
        }
        break;
    default:
        drop_receiver(i);
        break;
    }
}

static void check(void)
{
    for (int i = 0; i < HANDLES; i++)
        if (tx[i] != NULL) {
            edo_assert(edo_watch_sender_count(tx[i]) == senders());
            edo_assert(edo_watch_receiver_count(tx[i]) == receivers());
            edo_assert(edo_watch_is_closed(tx[i]) == (receivers() == 0));
        }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct edo_census before = edo_census_now();
    seats_begin(data, size);
    owning = byte() % 2;
    last = -1;
    struct message initial = value_new();
    last = seen[0] = 0;
    edo_assert(edo_watch_with(&tx[0], &rx[0], &initial, owning ? copy : NULL,
                              owning ? message_drop : NULL) == 0);
    while (at < end) {
        unsigned what = byte();
        int i = (int)(what / 8 % HANDLES);
        switch (what % 8) {
        case 0:
            sit((enum kind)(byte() % 3), i);
            break;
        case 1:
        case 2:
            send_now(byte(), i);
            break;
        case 3:
        case 4:
            look(byte(), i);
            break;
        case 5:
            use_handles(byte(), i);
            break;
        case 6:
            if (what / 8 % 4 == 0)
                seats_quiet();
            seat_act();
            break;
        default:
            seat_act();
            break;
        }
        check();
    }
    seats_end();
    for (int i = 0; i < HANDLES; i++)
        drop_receiver(i);
    for (int i = 0; i < HANDLES; i++)
        drop_sender(i);
    struct edo_census after = edo_census_now();
    edo_assert(memcmp(&before, &after, sizeof before) == 0);
    return 0;
}
