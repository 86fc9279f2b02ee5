/* SPDX-License-Identifier: MIT */
/* Fuzzes async_channel: what is done with its handles and futures on one thread, against a plain queue
 * that is kept beside it. The input: a byte for the capacity, then operations of a byte or more. */
#include "channels/async_channel.h"
#include "seat.h"

enum { HANDLES = 3, QUEUE = 4096 };
enum kind { SEND, RECV };

static EDO_ASYNC_SENDER(struct message) tx[HANDLES];
static EDO_ASYNC_RECEIVER(struct message) rx[HANDLES];
static EDO_ASYNC_WEAK_SENDER(struct message) weak_tx;
static EDO_ASYNC_WEAK_RECEIVER(struct message) weak_rx;

/* What each seat's future needs. */
static struct use {
    struct message message;
    union {
        struct edo_async_send send;
        struct edo_async_recv recv;
    };
} uses[SEATS];

static size_t capacity;
static bool closed;
static int queue[QUEUE];
static size_t head, tail;

static size_t senders(void)
{
    return (size_t)(tx[0] != NULL) + (tx[1] != NULL) + (tx[2] != NULL);
}

static size_t receivers(void)
{
    return (size_t)(rx[0] != NULL) + (rx[1] != NULL) + (rx[2] != NULL);
}

static void sent(const struct message *message)
{
    edo_assert(!closed && tail < QUEUE);
    queue[tail++] = message->number;
}

static void received(struct message *message)
{
    edo_assert(head < tail && queue[head] == message->number);
    head++;
    message_drop(message);
}

/* By hook. */
static void discarded(struct message *message)
{
    edo_assert(receivers() == 0);
    received(message);
}

static void seat_ready(struct seat *seat)
{
    struct use *use = &uses[seat - seats];
    if (seat->kind == SEND && use->send.output == 0) {
        seat_check_order(seat, 1 << SEND);
        sent(&use->message);
    } else if (seat->kind == SEND) {
        edo_assert(use->send.output == EDO_ECLOSED && closed);
        message_drop(&use->message);
    } else if (use->recv.output == 0) {
        seat_check_order(seat, 1 << RECV);
        received(&use->message);
    } else {
        edo_assert(use->recv.output == EDO_ECLOSED && closed && head == tail);
    }
}

static void seat_dropped(struct seat *seat)
{
    if (seat->kind == SEND)
        message_drop(&uses[seat - seats].message);
}

static void seats_check_quiet(void)
{
    if (seat_first(1 << SEND) != NULL)
        edo_assert(!closed && tail - head == capacity);
    if (seat_first(1 << RECV) != NULL)
        edo_assert(!closed && head == tail);
}

static void sit(enum kind kind, int i)
{
    struct seat *seat = seat_free();
    if (seat == NULL || (kind == SEND ? tx[i] == NULL : rx[i] == NULL))
        return;
    struct use *use = &uses[seat - seats];
    if (kind == SEND) {
        use->message = message_new();
        use->send = edo_async_send(tx[i], &use->message);
    } else {
        use->recv = edo_async_recv(rx[i], &use->message);
    }
    seat_sit(seat, &use->send.future_, kind, i);
}

static void send_now(int i, bool force)
{
    struct message message = message_new(), replaced;
    int error = EDO_ECLOSED;
    if (tx[i] != NULL)
        error = force ? edo_async_force_send(tx[i], &message, &replaced)
                      : edo_async_try_send(tx[i], &message);
    if (error >= 0) {
        if (error == 1) {
            edo_assert(force);
            received(&replaced);
        } else {
            seat_check_order(&(struct seat){0}, 1 << SEND);
        }
        sent(&message);
        return;
    }
    message_drop(&message);
    if (error == -EAGAIN)
        edo_assert(seat_taken(1 << SEND, -1) || (tail - head == capacity && !force));
    else
        edo_assert(error == EDO_ECLOSED && (closed || tx[i] == NULL));
}

static void recv_now(int i)
{
    struct message message;
    if (rx[i] == NULL)
        return;
    int error = edo_async_try_recv(rx[i], &message);
    if (error == 0) {
        seat_check_order(&(struct seat){0}, 1 << RECV);
        received(&message);
    } else if (error == -EAGAIN) {
        edo_assert(head == tail ? !closed : seat_taken(1 << RECV, -1));
    } else {
        edo_assert(error == EDO_ECLOSED && closed && head == tail);
    }
}

static void drop_sender(int i)
{
    if (tx[i] == NULL || seat_taken(1 << SEND, i))
        return;
    EDO_ASYNC_SENDER(struct message) old = tx[i];
    tx[i] = NULL;
    closed = closed || senders() == 0;
    edo_async_sender_drop(old);
}

static void drop_receiver(int i)
{
    if (rx[i] == NULL || seat_taken(1 << RECV, i))
        return;
    EDO_ASYNC_RECEIVER(struct message) old = rx[i];
    rx[i] = NULL;
    closed = closed || receivers() == 0;
    edo_async_receiver_drop(old);
    edo_assert(receivers() > 0 || head == tail);
}

static void drop_weak(void)
{
    edo_async_weak_sender_drop(weak_tx);
    edo_async_weak_receiver_drop(weak_rx);
    weak_tx = NULL;
    weak_rx = NULL;
}

static void use_handles(unsigned what, int i)
{
    int j = (int)(what / 8 % HANDLES);
    switch (what % 8) {
    case 0:
        if (tx[i] != NULL && tx[j] == NULL)
            tx[j] = edo_async_sender_clone(tx[i]);
        break;
    case 1:
        if (rx[i] != NULL && rx[j] == NULL)
            rx[j] = edo_async_receiver_clone(rx[i]);
        break;
    case 2:
        drop_sender(i);
        break;
    case 3:
        drop_receiver(i);
        break;
    case 4:
        if (what / 8 % 8 == 0 && (tx[i] != NULL || rx[i] != NULL)) {
            bool first = tx[i] != NULL ? edo_async_close(tx[i]) : edo_async_close(rx[i]);
            edo_assert(first == !closed);
            closed = true;
        }
        break;
    case 5:
        if (tx[i] != NULL && weak_tx == NULL)
            weak_tx = edo_async_sender_downgrade(tx[i]);
        if (rx[i] != NULL && weak_rx == NULL)
            weak_rx = edo_async_receiver_downgrade(rx[i]);
        break;
    case 6:
        if (weak_tx != NULL && tx[i] == NULL) {
            bool some = senders() > 0;
            tx[i] = edo_async_sender_upgrade(weak_tx);
            edo_assert((tx[i] != NULL) == some);
        }
        if (weak_rx != NULL && rx[i] == NULL) {
            bool some = receivers() > 0;
            rx[i] = edo_async_receiver_upgrade(weak_rx);
            edo_assert((rx[i] != NULL) == some);
        }
        break;
    default:
        drop_weak();
        break;
    }
}

static void check(void)
{
    edo_assert(capacity == EDO_UNBOUNDED || tail - head <= capacity);
    for (int i = 0; i < HANDLES; i++)
        if (tx[i] != NULL) {
            edo_assert(edo_async_len(tx[i]) == tail - head);
            edo_assert(edo_async_is_closed(tx[i]) == closed);
            edo_assert(edo_async_is_full(tx[i]) == (tail - head == capacity));
            edo_assert(edo_async_sender_count(tx[i]) == senders());
            edo_assert(edo_async_receiver_count(tx[i]) == receivers());
        }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct edo_census before = edo_census_now();
    seats_begin(data, size < QUEUE ? size : QUEUE);
    capacity = byte() % 5;
    if (capacity == 0)
        capacity = EDO_UNBOUNDED;
    closed = false;
    head = tail = 0;
    edo_assert(edo_async_channel_with(&tx[0], &rx[0], capacity, discarded) == 0);
    while (at < end) {
        unsigned what = byte();
        int i = (int)(what / 8 % HANDLES);
        switch (what % 8) {
        case 0:
            sit(SEND, i);
            break;
        case 1:
            sit(RECV, i);
            break;
        case 2:
            send_now(i, what / 8 / HANDLES % 4 == 0);
            break;
        case 3:
            recv_now(i);
            break;
        case 4:
            use_handles(byte(), i);
            break;
        case 5:
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
    edo_assert(memcmp(&before, &after, sizeof before) == 0 && head == tail);
    return 0;
}
