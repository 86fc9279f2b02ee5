/* SPDX-License-Identifier: MIT */
/* Fuzzes broadcast: what is done with its handles and futures on one thread, against the list of all
 * messages and each receiver's place in it. The input: a byte for the capacity and for whether messages
 * own something, then operations of a byte or more. */
#include "channels/broadcast.h"
#include "seat.h"

enum { HANDLES = 4 };
enum kind { RECV, CLOSED };

static EDO_BROADCAST_SENDER(struct message) tx[HANDLES];
static EDO_BROADCAST_RECEIVER(struct message) rx[HANDLES];
static EDO_BROADCAST_WEAK_SENDER(struct message) weak;
static uint64_t next[HANDLES]; /* each receiver's */

static struct use {
    struct message message;
    union {
        struct edo_broadcast_recv recv;
        struct edo_broadcast_closed closed;
    };
} uses[SEATS];

static uint64_t kept, tail;
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

static void copy(const struct message *message, struct message *to)
{
    edo_assert(message->memory != NULL);
    *to = (struct message){message->number, edo_malloc(1)};
}

static void received(int i, int output, struct message *message, uint64_t lagged)
{
    uint64_t behind = tail - next[i];
    if (behind > kept) {
        edo_assert(output == EDO_ELAGGED && lagged == behind - kept);
        next[i] += lagged;
    } else if (behind > 0) {
        edo_assert(output == 0 && message->number == (int)next[i]);
        next[i]++;
        if (owning)
            message_drop(message);
    } else {
        edo_assert(output == (senders() == 0 ? EDO_ECLOSED : -EAGAIN));
    }
}

static void seat_ready(struct seat *seat)
{
    struct use *use = &uses[seat - seats];
    if (seat->kind == CLOSED) {
        edo_assert(receivers() == 0);
        return;
    }
    edo_assert(use->recv.output != -EAGAIN);
    received(seat->handle, use->recv.output, &use->message, use->recv.lagged);
}

static void seat_dropped(struct seat *seat)
{
    (void)seat;
}

static void seats_check_quiet(void) {}

static void sit(enum kind kind, int i)
{
    struct seat *seat = seat_free();
    if (seat == NULL || (kind == RECV ? rx[i] == NULL || seat_taken(1 << RECV, i) : tx[i] == NULL))
        return;
    struct use *use = &uses[seat - seats];
    if (kind == RECV)
        use->recv = edo_broadcast_recv(rx[i], &use->message);
    else
        use->closed = edo_broadcast_closed(tx[i]);
    seat_sit(seat, &use->recv.future_, kind, i);
}

static void send_now(int i)
{
    if (tx[i] == NULL)
        return;
    struct message message = {(int)tail, owning ? edo_malloc(1) : NULL};
    int n = edo_broadcast_send(tx[i], &message);
    if (receivers() == 0) {
        edo_assert(n == EDO_ECLOSED);
        message_drop(&message);
    } else {
        edo_assert(n == (int)receivers());
        tail++;
    }
}

static void recv_now(int i)
{
    struct message message;
    uint64_t lagged = 0;
    if (rx[i] == NULL)
        return;
    int error = edo_broadcast_try_recv(rx[i], &message, &lagged);
    received(i, error, &message, lagged);
}

static void drop_sender(int i)
{
    if (tx[i] == NULL || seat_taken(1 << CLOSED, i))
        return;
    EDO_BROADCAST_SENDER(struct message) old = tx[i];
    tx[i] = NULL;
    edo_broadcast_sender_drop(old);
}

static void drop_receiver(int i)
{
    if (rx[i] == NULL || seat_taken(1 << RECV, i))
        return;
    EDO_BROADCAST_RECEIVER(struct message) old = rx[i];
    rx[i] = NULL;
    edo_broadcast_receiver_drop(old);
}

static void drop_weak(void)
{
    edo_broadcast_weak_sender_drop(weak);
    weak = NULL;
}

static void use_handles(unsigned what, int i)
{
    int j = (int)(what / 8 % HANDLES);
    switch (what % 8) {
    case 0:
        if (tx[i] != NULL && tx[j] == NULL)
            tx[j] = edo_broadcast_sender_clone(tx[i]);
        break;
    case 1:
        if (tx[i] != NULL && rx[j] == NULL) {
            rx[j] = edo_broadcast_subscribe(tx[i]);
            next[j] = tail;
        }
        break;
    case 2:
        if (rx[i] != NULL && rx[j] == NULL) {
            rx[j] = edo_broadcast_resubscribe(rx[i]);
            next[j] = tail;
            edo_assert(edo_broadcast_same_channel(rx[i], rx[j]));
        }
        break;
    case 3:
        drop_sender(i);
        break;
    case 4:
        drop_receiver(i);
        break;
    case 5:
        if (tx[i] != NULL && weak == NULL)
            weak = edo_broadcast_downgrade(tx[i]);
        break;
    case 6:
        if (weak != NULL && tx[i] == NULL) {
            bool some = senders() > 0;
            tx[i] = edo_broadcast_upgrade(weak);
            edo_assert((tx[i] != NULL) == some);
        }
        break;
    default:
        drop_weak();
        break;
    }
}

static void check(void)
{
    uint64_t wanted = 0;
    for (int i = 0; i < HANDLES; i++)
        if (rx[i] != NULL) {
            uint64_t len = tail - next[i];
            edo_assert(edo_broadcast_len(rx[i]) == len);
            len = len < kept ? len : kept;
            wanted = len > wanted ? len : wanted;
        }
    for (int i = 0; i < HANDLES; i++)
        if (tx[i] != NULL) {
            edo_assert(edo_broadcast_sender_count(tx[i]) == senders());
            edo_assert(edo_broadcast_receiver_count(tx[i]) == receivers());
            edo_assert(edo_broadcast_sender_len(tx[i]) == wanted);
        }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct edo_census before = edo_census_now();
    seats_begin(data, size);
    unsigned first = byte();
    size_t capacity = first % 8 + 1;
    owning = first / 8 % 2;
    for (kept = 1; kept < capacity; kept *= 2)
        continue;
    tail = next[0] = 0;
    edo_assert(edo_broadcast_with(&tx[0], &rx[0], capacity, owning ? copy : NULL,
                                  owning ? message_drop : NULL) == 0);
    while (at < end) {
        unsigned what = byte();
        int i = (int)(what / 8 % HANDLES);
        switch (what % 8) {
        case 0:
            sit(CLOSED, i);
            break;
        case 1:
            sit(RECV, i);
            break;
        case 2:
        case 3:
            send_now(i);
            break;
        case 4:
            recv_now(i);
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
    drop_weak();
    struct edo_census after = edo_census_now();
    edo_assert(memcmp(&before, &after, sizeof before) == 0);
    return 0;
}
