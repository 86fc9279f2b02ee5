/* SPDX-License-Identifier: MIT */
/* Fuzzes mpsc: what is done with its handles, permits and futures on one thread, against a plain queue
 * that is kept beside it. The input: a byte for the capacity, then operations of a byte or more. */
#include "channels/mpsc.h"
#include "seat.h"

enum { SENDERS = 3, WEAK = 2, PERMITS = 3, QUEUE = 4096 };
enum kind { SEND, RESERVE, RECV, RECV_MANY, CLOSED };
enum { ROW = 1 << SEND | 1 << RESERVE, RECEIVING = 1 << RECV | 1 << RECV_MANY };

static EDO_MPSC_SENDER(struct message) tx[SENDERS];
static EDO_MPSC_WEAK_SENDER(struct message) weak[WEAK];
static EDO_MPSC_RECEIVER(struct message) rx;
typedef EDO_MPSC_PERMIT(struct message) permit;
static permit permits[PERMITS];

/* What each seat's future needs. */
static struct use {
    struct message messages[3];
    permit permit;
    union {
        struct edo_mpsc_send send;
        struct edo_mpsc_reserve reserve;
        struct edo_mpsc_recv recv;
        struct edo_mpsc_recv_many recv_many;
        struct edo_mpsc_closed closed;
    };
} uses[SEATS];

static size_t capacity, reserved;
static bool closed;
static int queue[QUEUE];
static size_t head, tail;

static size_t senders(void)
{
    size_t n = 0;
    for (int i = 0; i < SENDERS; i++)
        n += tx[i] != NULL;
    return n;
}

static void sent(int number)
{
    edo_assert(tail < QUEUE);
    queue[tail++] = number;
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
    edo_assert(rx == NULL);
    received(message);
}

static void ended(void)
{
    edo_assert(head == tail && reserved == 0 && (closed || senders() == 0));
}

static void keep_permit(permit *got)
{
    for (int i = 0; i < PERMITS; i++)
        if (permits[i].places.count == 0) {
            permits[i] = *got;
            *got = (permit){0};
            return;
        }
    reserved -= got->places.count;
    edo_mpsc_permit_release(got);
}

static void seat_ready(struct seat *seat)
{
    struct use *use = &uses[seat - seats];
    switch ((enum kind)seat->kind) {
    case SEND:
        if (use->send.output == 0) {
            edo_assert(!closed);
            seat_check_order(seat, ROW);
            sent(use->messages[0].number);
        } else {
            edo_assert(use->send.output == EDO_ECLOSED && closed);
            message_drop(&use->messages[0]);
        }
        break;
    case RESERVE:
        if (use->reserve.output == 0) {
            edo_assert(!closed && capacity != EDO_UNBOUNDED);
            seat_check_order(seat, use->permit.places.count > 0 ? ROW : 0);
            reserved += use->permit.places.count;
            keep_permit(&use->permit);
        } else if (use->reserve.output == EDO_ECLOSED) {
            edo_assert(closed);
        } else {
            edo_assert(use->reserve.output == -EINVAL);
        }
        break;
    case RECV:
        if (use->recv.output == 0)
            received(&use->messages[0]);
        else
            ended();
        break;
    case RECV_MANY:
        if (use->recv_many.output == 0 && use->recv_many.limit > 0)
            ended();
        edo_assert(use->recv_many.output <= use->recv_many.limit);
        for (size_t i = 0; i < use->recv_many.output; i++)
            received(&use->messages[i]);
        break;
    case CLOSED:
        edo_assert(closed);
        break;
    }
}

static void seat_dropped(struct seat *seat)
{
    if (seat->kind == SEND)
        message_drop(&uses[seat - seats].messages[0]);
}

static void seats_check_quiet(void)
{
    struct seat *first = seat_first(ROW);
    if (first == NULL)
        return;
    struct use *use = &uses[first - seats];
    size_t count = first->kind == SEND ? 1 : use->reserve.waiter.count;
    edo_assert(!closed && tail - head + reserved + count > capacity);
}

static void sit(unsigned what, int i)
{
    struct seat *seat = seat_free();
    if (seat == NULL)
        return;
    struct use *use = &uses[seat - seats];
    enum kind kind = (enum kind)(what % 5);
    if (1 << kind & RECEIVING ? rx == NULL || seat_taken(RECEIVING, -1) : tx[i] == NULL)
        return;
    switch (kind) {
    case SEND:
        use->messages[0] = message_new();
        use->send = edo_mpsc_send(tx[i], &use->messages[0]);
        break;
    case RESERVE:
        use->permit = (permit){0};
        use->reserve = edo_mpsc_reserve_many(tx[i], what / 5 % 4, &use->permit);
        break;
    case RECV:
        use->recv = edo_mpsc_recv(rx, &use->messages[0]);
        break;
    case RECV_MANY:
        use->recv_many = edo_mpsc_recv_many(rx, use->messages, what / 5 % 4);
        break;
    case CLOSED:
        use->closed = edo_mpsc_closed(tx[i]);
        break;
    }
    seat_sit(seat, &use->send.future_, kind, 1 << kind & RECEIVING ? -2 : i);
}

static void try_send(int i)
{
    if (tx[i] == NULL)
        return;
    struct message message = message_new();
    int error = edo_mpsc_try_send(tx[i], &message);
    if (error == 0) {
        edo_assert(!closed);
        seat_check_order(&(struct seat){0}, ROW);
        sent(message.number);
        return;
    }
    message_drop(&message);
    if (error == EDO_ECLOSED)
        edo_assert(closed);
    else
        edo_assert(error == -EAGAIN && (tail - head + reserved == capacity || seat_taken(ROW, -1)));
}

static void try_reserve(int i, size_t n)
{
    permit got = {0};
    if (tx[i] == NULL)
        return;
    int error = edo_mpsc_try_reserve_many(tx[i], n, &got);
    if (error == 0) {
        edo_assert(!closed && got.places.count == n && capacity != EDO_UNBOUNDED);
        seat_check_order(&(struct seat){0}, n > 0 ? ROW : 0);
        reserved += n;
        keep_permit(&got);
    } else if (error == -EAGAIN) {
        edo_assert(n > 0 && (tail - head + reserved + n > capacity || seat_taken(ROW, -1)));
    } else {
        edo_assert(error == EDO_ECLOSED ? closed : n > capacity || capacity == EDO_UNBOUNDED);
    }
}

static void try_recv(void)
{
    struct message message;
    if (rx == NULL)
        return;
    int error = edo_mpsc_try_recv(rx, &message);
    if (error == 0)
        received(&message);
    else if (error == EDO_ECLOSED)
        ended();
    else
        edo_assert(error == -EAGAIN && head == tail);
}

static void use_permit(unsigned what)
{
    permit *some = &permits[what % PERMITS];
    if (what / PERMITS % 2 == 0) {
        reserved -= some->places.count;
        edo_mpsc_permit_release(some);
    } else if (some->places.count > 0) {
        struct message message = message_new();
        sent(message.number);
        reserved--;
        edo_mpsc_permit_send(some, &message);
    }
}

static void drop_sender(int i)
{
    if (tx[i] == NULL || seat_taken(ROW | 1 << CLOSED, i))
        return;
    EDO_MPSC_SENDER(struct message) old = tx[i];
    tx[i] = NULL;
    edo_mpsc_sender_drop(old);
}

static void drop_receiver(void)
{
    if (rx == NULL || seat_taken(RECEIVING, -1))
        return;
    EDO_MPSC_RECEIVER(struct message) old = rx;
    rx = NULL;
    closed = true;
    edo_mpsc_receiver_drop(old);
    edo_assert(head == tail);
}

static void use_handles(unsigned what, int i)
{
    int j = (int)(what / 8 % SENDERS), k = (int)(what / 8 % WEAK);
    switch (what % 8) {
    case 0:
        if (tx[i] != NULL && tx[j] == NULL)
            tx[j] = edo_mpsc_sender_clone(tx[i]);
        break;
    case 1:
        drop_sender(i);
        break;
    case 2:
        if (tx[i] != NULL && weak[k] == NULL)
            weak[k] = edo_mpsc_downgrade(tx[i]);
        break;
    case 3:
        if (weak[k] != NULL && tx[i] == NULL) {
            size_t before = senders();
            tx[i] = edo_mpsc_upgrade(weak[k]);
            edo_assert((tx[i] != NULL) == (before > 0));
        }
        break;
    case 4:
        edo_mpsc_weak_sender_drop(weak[k]);
        weak[k] = NULL;
        break;
    case 5:
        if (rx != NULL && what / 8 % 8 == 0) {
            closed = true;
            edo_mpsc_close(rx);
        }
        break;
    case 6:
        if (what / 8 % 8 == 0)
            drop_receiver();
        break;
    default:
        if (weak[k] != NULL && weak[1 - k] == NULL)
            weak[1 - k] = edo_mpsc_weak_sender_clone(weak[k]);
        break;
    }
}

static void check(void)
{
    edo_assert(capacity == EDO_UNBOUNDED || tail - head + reserved <= capacity);
    for (int i = 0; i < SENDERS; i++) {
        if (tx[i] == NULL)
            continue;
        edo_assert(edo_mpsc_len(tx[i]) == tail - head);
        edo_assert(edo_mpsc_is_closed(tx[i]) == closed);
        edo_assert(edo_mpsc_sender_count(tx[i]) == senders());
        edo_assert(edo_mpsc_max_capacity(tx[i]) == capacity);
        if (capacity != EDO_UNBOUNDED && !seat_taken(ROW, -1))
            edo_assert(edo_mpsc_capacity(tx[i]) == capacity - (tail - head) - reserved);
    }
    if (rx != NULL)
        edo_assert(edo_mpsc_is_closed(rx) == (closed || (senders() == 0 && reserved == 0)));
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
    head = tail = reserved = 0;
    memset(tx, 0, sizeof tx);
    edo_assert(edo_mpsc_with(&tx[0], &rx, capacity, discarded) == 0);
    while (at < end) {
        unsigned what = byte();
        int i = (int)(what / 8 % SENDERS);
        switch (what % 8) {
        case 0:
            sit(byte(), i);
            break;
        case 1:
            try_send(i);
            break;
        case 2:
            try_recv();
            break;
        case 3:
            try_reserve(i, what / 8 % 4);
            break;
        case 4:
            use_permit(what / 8);
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
    for (unsigned i = 0; i < PERMITS; i++)
        use_permit(i);
    drop_receiver();
    for (int i = 0; i < SENDERS; i++)
        drop_sender(i);
    for (int k = 0; k < WEAK; k++) {
        edo_mpsc_weak_sender_drop(weak[k]);
        weak[k] = NULL;
    }
    struct edo_census after = edo_census_now();
    edo_assert(memcmp(&before, &after, sizeof before) == 0 && head == tail);
    return 0;
}
