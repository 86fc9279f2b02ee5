/* SPDX-License-Identifier: MIT */
/* mpsc: a channel of many senders and one receiver.
 *
 *     MPSC_SENDER(struct job) tx;
 *     MPSC_RECEIVER(struct job) rx;
 *     int error = edo_mpsc(&tx, &rx, 32);                      0, or UV_ENOMEM
 *
 *     AWAIT(self->send, edo_mpsc_send(self->tx, &self->job));  waits for room; 0, or EDO_ECLOSED
 *
 *     for (;;) {
 *         AWAIT(self->recv, edo_mpsc_recv(self->rx, &self->job));
 *         if (self->recv.output < 0)
 *             break;                                           closed, and all has been received
 *         …
 *     }
 *     edo_mpsc_receiver_drop(self->rx);
 *
 * Messages are copied, and come in the order in which they were sent. A bounded channel allocates
 * when it is made, and never again; one of capacity EDO_UNBOUNDED never makes a sender wait, takes
 * memory as messages come and frees it as they go.
 *
 * Handles are pointers typed by the message. A sender is cloned for each that sends; each handle is
 * owned, and dropped once. (Twice stops the program if there is no sender any more, and the receiver
 * keeps the channel.) Futures are made of a handle that outlives them. The channel is closed when its
 * receiver is dropped or closes it, or its last sender is dropped; weak senders do not count. From then on
 * nothing is sent, except into places that were reserved before; what was sent is received.
 *
 * All functions may be called from any thread, and from a poll; those on the receiver by one thread
 * at a time. None waits but those that say blocking.
 */
#ifndef EDO_CHANNELS_MPSC_H
#define EDO_CHANNELS_MPSC_H

#include "../error.h"
#include "../future.h"
#include "../internal/row.h"
#include "../internal/typed.h"
#include "unbounded.h"

#ifdef __cplusplus
extern "C" {
#endif

struct edo_mpsc_;
struct edo_mpsc_sender;
struct edo_mpsc_receiver;
struct edo_mpsc_weak_sender;

#define EDO_MPSC_SENDER(...)      EDO_TYPED_(edo_mpsc_sender, __VA_ARGS__)
#define EDO_MPSC_RECEIVER(...)    EDO_TYPED_(edo_mpsc_receiver, __VA_ARGS__)
#define EDO_MPSC_WEAK_SENDER(...) EDO_TYPED_(edo_mpsc_weak_sender, __VA_ARGS__)

/* edo_mpsc(&tx, &rx, capacity): makes a channel for `capacity` messages, or EDO_UNBOUNDED. Returns 0,
 * UV_ENOMEM, or UV_EINVAL for a capacity of 0; then both are NULL. */
#define edo_mpsc(tx, rx, capacity) edo_mpsc_with((tx), (rx), (capacity), NULL)

/* The same, for messages that own something: `drop`, a void (*)(T *), is called once for each message
 * that was sent and is never received, by whoever drops the last handle that could have it so: the
 * receiver, mostly. No lock is held then. */
#define edo_mpsc_with(tx, rx, capacity, drop)                                        \
    __extension__({                                                                  \
        typedef EDO_CARRIED_(edo_mpsc_sender, *(tx)) edo_message_;                   \
        EDO_DEMAND_ALIGNED_(edo_message_);                                           \
        EDO_MPSC_SENDER(edo_message_) *edo_tx_ = (tx);                               \
        EDO_MPSC_RECEIVER(edo_message_) *edo_rx_ = (rx);                             \
        void (*edo_drop_)(edo_message_ *) = (drop);                                  \
        struct edo_mpsc_ *edo_made_;                                                 \
        int edo_error_ = edo_mpsc_new_(&edo_made_, sizeof(edo_message_), (capacity), \
                                       (void (*)(void *))(void (*)(void))edo_drop_); \
        *edo_tx_ = (EDO_MPSC_SENDER(edo_message_))(void *)edo_made_;                 \
        *edo_rx_ = (EDO_MPSC_RECEIVER(edo_message_))(void *)edo_made_;               \
        edo_error_;                                                                  \
    })

/* Senders. */

/* A further handle of the same channel. */
#define edo_mpsc_sender_clone(tx) \
    ((__typeof__(tx))(void *)edo_mpsc_sender_clone_(EDO_HANDLE_(edo_mpsc_sender, tx)))

/* Gives a handle back; NULL is fine. The last one closes the channel. */
#define edo_mpsc_sender_drop(tx) edo_mpsc_sender_drop_(EDO_HANDLE_(edo_mpsc_sender, tx))

/* edo_mpsc_send(tx, &message): a future that waits for room and sends. Output 0; EDO_ECLOSED, or, in
 * an unbounded channel, UV_ENOMEM: nothing was sent, and what the message owns is still the caller's.
 * The message is copied when it is sent, and stays where it is until then. Senders that wait are served
 * in their order. Cancel safety: dropped, it has sent nothing, and its place in the row is lost.
 * To send within a time: AWAIT(self->timeout, edo_timeout(ms, &self->send)), after which the message
 * is still the caller's if that says UV_ETIMEDOUT. */
#define edo_mpsc_send(tx, message) \
    edo_mpsc_send_(EDO_HANDLE_(edo_mpsc_sender, tx), EDO_VALUE_(edo_mpsc_sender, tx, message))

/* Sends without waiting. 0; UV_EAGAIN: full, or somebody waits; EDO_ECLOSED; UV_ENOMEM. */
#define edo_mpsc_try_send(tx, message) \
    edo_mpsc_try_send_(EDO_HANDLE_(edo_mpsc_sender, tx), EDO_VALUE_(edo_mpsc_sender, tx, message))

/* Sends; the thread waits. As the future, and EDO_ENESTED inside a task, UV_ENOMEM. */
#define edo_mpsc_blocking_send(tx, message)                   \
    edo_mpsc_blocking_send_(EDO_HANDLE_(edo_mpsc_sender, tx), \
                            EDO_VALUE_(edo_mpsc_sender, tx, message))

/* MPSC_PERMIT(type) permit; places that are reserved in a bounded channel, zeroed when there are none.
 * It keeps the channel open to the receiver, outlives the sender it was had from, and may be used by
 * another task. Each MPSC_PERMIT(type) is a type of its own to C: give it a name with typedef to pass it
 * to functions, or move the places from one to another. */
#define EDO_MPSC_PERMIT(...)                   \
    struct {                                   \
        struct edo_mpsc_permit places;         \
        EDO_MPSC_SENDER(__VA_ARGS__) type_[0]; \
    }
struct edo_mpsc_permit {
    struct edo_mpsc_ *channel_;
    size_t count; /* places left */
};

/* edo_mpsc_reserve(tx, &permit), edo_mpsc_reserve_many(tx, n, &permit): a future that waits for room,
 * for n of 0 not at all. Output 0; EDO_ECLOSED; UV_EINVAL for more than the capacity, in an unbounded
 * channel, and for a permit that is not empty: permit is unchanged. Cancel safety: dropped, it has
 * reserved nothing, and its place in the row is lost. */
#define edo_mpsc_reserve(tx, permit) edo_mpsc_reserve_many(tx, 1, permit)
#define edo_mpsc_reserve_many(tx, n, permit) \
    edo_mpsc_reserve_(EDO_HANDLE_(edo_mpsc_sender, tx), (n), EDO_MPSC_PLACES_(tx, permit))

/* Without waiting: 0, UV_EAGAIN, EDO_ECLOSED, UV_EINVAL. */
#define edo_mpsc_try_reserve(tx, permit) edo_mpsc_try_reserve_many(tx, 1, permit)
#define edo_mpsc_try_reserve_many(tx, n, permit) \
    edo_mpsc_try_reserve_(EDO_HANDLE_(edo_mpsc_sender, tx), (n), EDO_MPSC_PLACES_(tx, permit))

/* Sends into a reserved place, of which there must be one: the program is stopped otherwise. Works also when
 * the channel has been closed; when the receiver is gone the message is dropped with the channel. */
#define edo_mpsc_permit_send(permit, message) \
    edo_mpsc_permit_send_(&(permit)->places, EDO_VALUE_(edo_mpsc_sender, *(permit)->type_, message))

/* Moves the places of a permit to another, which must be empty, as the first is afterwards. */
#define edo_mpsc_permit_move(to, from)                                                          \
    __extension__({                                                                             \
        EDO_DEMAND_(                                                                            \
            __builtin_types_compatible_p(__typeof__(*(to)->type_), __typeof__(*(from)->type_)), \
            "the permits are for messages of two types");                                       \
        edo_mpsc_permit_move_(&(to)->places, &(from)->places);                                  \
    })

/* Gives back the places that are left; nothing for an empty permit. Fit for FINALLY. */
#define edo_mpsc_permit_release(permit) edo_mpsc_permit_release_(&(permit)->places)

/* edo_mpsc_closed(tx): a future that is ready when the receiver has closed the channel or was dropped.
 * Cancel safe. */
#define edo_mpsc_closed(tx) edo_mpsc_closed_(EDO_HANDLE_(edo_mpsc_sender, tx))

/* A weak sender does not keep the channel open. Owned, and dropped; NULL is fine there. */
#define edo_mpsc_downgrade(tx)                                                             \
    EDO_MAKE_(edo_mpsc_weak_sender, edo_mpsc_downgrade_(EDO_HANDLE_(edo_mpsc_sender, tx)), \
              EDO_CARRIED_(edo_mpsc_sender, tx))
#define edo_mpsc_weak_sender_clone(weak) \
    ((__typeof__(weak))(void *)edo_mpsc_weak_sender_clone_(EDO_HANDLE_(edo_mpsc_weak_sender, weak)))
#define edo_mpsc_weak_sender_drop(weak) \
    edo_mpsc_weak_sender_drop_(EDO_HANDLE_(edo_mpsc_weak_sender, weak))

/* A sender of a weak one's channel; NULL when there are none any more. */
#define edo_mpsc_upgrade(weak)                                                             \
    EDO_MAKE_(edo_mpsc_sender, edo_mpsc_upgrade_(EDO_HANDLE_(edo_mpsc_weak_sender, weak)), \
              EDO_CARRIED_(edo_mpsc_weak_sender, weak))

/* The receiver. */

/* edo_mpsc_recv(rx, &message): a future of the next message. Output 0; EDO_ECLOSED: there will be none
 * any more. One at a time: a second that waits stops the program. Cancel safety: a message is taken by the
 * poll that is ready; dropped, it has taken none. */
#define edo_mpsc_recv(rx, message) \
    edo_mpsc_recv_(EDO_HANDLE_(edo_mpsc_receiver, rx), EDO_VALUE_(edo_mpsc_receiver, rx, message))

/* edo_mpsc_recv_many(rx, messages, limit): waits for one message, and takes all that there are, up to
 * the limit, into the array. The output is how many: 0 when there will be none any more, or the limit
 * is 0. Cancel safe, as edo_mpsc_recv. */
#define edo_mpsc_recv_many(rx, messages, limit)             \
    edo_mpsc_recv_many_(EDO_HANDLE_(edo_mpsc_receiver, rx), \
                        EDO_VALUE_(edo_mpsc_receiver, rx, messages), (limit))

/* Without waiting: 0; UV_EAGAIN: nothing now; EDO_ECLOSED. */
#define edo_mpsc_try_recv(rx, message)                     \
    edo_mpsc_try_recv_(EDO_HANDLE_(edo_mpsc_receiver, rx), \
                       EDO_VALUE_(edo_mpsc_receiver, rx, message))

/* The thread waits. As the future, and EDO_ENESTED inside a task, UV_ENOMEM. */
#define edo_mpsc_blocking_recv(rx, message)                     \
    edo_mpsc_blocking_recv_(EDO_HANDLE_(edo_mpsc_receiver, rx), \
                            EDO_VALUE_(edo_mpsc_receiver, rx, message))

/* Nothing is sent any more; what was sent, or has a place reserved, can be received. Senders that wait
 * are refused. */
#define edo_mpsc_close(rx) edo_mpsc_close_(EDO_HANDLE_(edo_mpsc_receiver, rx))

/* Gives the receiver back; NULL is fine. Closes the channel and drops what is in it. */
#define edo_mpsc_receiver_drop(rx) edo_mpsc_receiver_drop_(EDO_HANDLE_(edo_mpsc_receiver, rx))

/* Either side, weak senders too. Of a channel that others use, all but the first and last are out of
 * date when they return. */

/* Whether two handles are of one channel. */
#define edo_mpsc_same_channel(a, b) (EDO_MPSC_ANY_(a) == EDO_MPSC_ANY_(b))
/* Whether the receiver has closed the channel or is gone. For a receiver: or all senders are gone, and no
 * place is reserved. */
#define edo_mpsc_is_closed(handle) \
    edo_mpsc_is_closed_(EDO_MPSC_ANY_(handle), EDO_MPSC_IS_RECEIVER_(handle))
/* Messages that wait to be received. */
#define edo_mpsc_len(handle)               edo_mpsc_len_(EDO_MPSC_ANY_(handle))
/* Messages that could be sent now: not there, not reserved, not promised to a sender that waits. */
#define edo_mpsc_capacity(handle)          edo_mpsc_capacity_(EDO_MPSC_ANY_(handle))
#define edo_mpsc_sender_count(handle)      edo_mpsc_sender_count_(EDO_MPSC_ANY_(handle))
#define edo_mpsc_weak_sender_count(handle) edo_mpsc_weak_sender_count_(EDO_MPSC_ANY_(handle))
/* What it was made for. */
#define edo_mpsc_max_capacity(handle)      edo_mpsc_max_capacity_(EDO_MPSC_ANY_(handle))

/* The futures. */

/* One that waits for room. */
struct edo_mpsc_waiter {
    struct edo_waiter link;
    size_t count;
    uint32_t state; /* under the lock, once it has been in the row */
};
struct edo_mpsc_send {
    EDO_FUTURE(int);
    struct edo_mpsc_ *channel;
    const void *message;
    struct edo_mpsc_waiter waiter;
};
struct edo_mpsc_reserve {
    EDO_FUTURE(int);
    struct edo_mpsc_ *channel;
    struct edo_mpsc_permit *permit;
    struct edo_mpsc_waiter waiter;
};
struct edo_mpsc_closed {
    EDO_FUTURE(void);
    struct edo_mpsc_ *channel;
    struct edo_waiter waiter;
};
struct edo_mpsc_recv {
    EDO_FUTURE(int);
    struct edo_mpsc_ *channel;
    void *message;
};
struct edo_mpsc_recv_many {
    EDO_FUTURE(size_t);
    struct edo_mpsc_ *channel;
    void *messages;
    size_t limit;
};

/* Behind the macros. A handle of any kind is a pointer to the channel. */
#define EDO_MPSC_IS_(kind, handle) \
    __builtin_types_compatible_p(__typeof__(handle), EDO_TYPED_(kind, EDO_CARRIED_(kind, handle)))
#define EDO_MPSC_IS_RECEIVER_(handle) EDO_MPSC_IS_(edo_mpsc_receiver, handle)
#define EDO_MPSC_ANY_(handle)                                                              \
    (EDO_DEMAND_(EDO_MPSC_IS_(edo_mpsc_sender, handle) || EDO_MPSC_IS_RECEIVER_(handle) || \
                     EDO_MPSC_IS_(edo_mpsc_weak_sender, handle),                           \
                 "not a handle of an mpsc channel"),                                       \
     (struct edo_mpsc_ *)(void *)(handle))
#define EDO_MPSC_PLACES_(tx, permit)                                                         \
    (EDO_DEMAND_(__builtin_types_compatible_p(__typeof__(*(permit)->type_), __typeof__(tx)), \
                 "the permit is for messages of another type"),                              \
     &(permit)->places)
int edo_mpsc_new_(struct edo_mpsc_ **channel, size_t size, size_t capacity, void (*drop)(void *));
struct edo_mpsc_sender *edo_mpsc_sender_clone_(struct edo_mpsc_sender *tx);
void edo_mpsc_sender_drop_(struct edo_mpsc_sender *tx);
int edo_mpsc_try_send_(struct edo_mpsc_sender *tx, const void *message);
int edo_mpsc_blocking_send_(struct edo_mpsc_sender *tx, const void *message);
struct edo_mpsc_reserve edo_mpsc_reserve_(struct edo_mpsc_sender *tx, size_t n,
                                          struct edo_mpsc_permit *permit);
int edo_mpsc_try_reserve_(struct edo_mpsc_sender *tx, size_t n, struct edo_mpsc_permit *permit);
void edo_mpsc_permit_send_(struct edo_mpsc_permit *permit, const void *message);
void edo_mpsc_permit_move_(struct edo_mpsc_permit *to, struct edo_mpsc_permit *from);
void edo_mpsc_permit_release_(struct edo_mpsc_permit *permit);
struct edo_mpsc_closed edo_mpsc_closed_(struct edo_mpsc_sender *tx);
struct edo_mpsc_weak_sender *edo_mpsc_downgrade_(struct edo_mpsc_sender *tx);
struct edo_mpsc_weak_sender *edo_mpsc_weak_sender_clone_(struct edo_mpsc_weak_sender *weak);
void edo_mpsc_weak_sender_drop_(struct edo_mpsc_weak_sender *weak);
struct edo_mpsc_sender *edo_mpsc_upgrade_(struct edo_mpsc_weak_sender *weak);
struct edo_mpsc_recv_many edo_mpsc_recv_many_(struct edo_mpsc_receiver *rx, void *messages,
                                              size_t limit);
int edo_mpsc_try_recv_(struct edo_mpsc_receiver *rx, void *message);
int edo_mpsc_blocking_recv_(struct edo_mpsc_receiver *rx, void *message);
void edo_mpsc_close_(struct edo_mpsc_receiver *rx);
void edo_mpsc_receiver_drop_(struct edo_mpsc_receiver *rx);
bool edo_mpsc_is_closed_(struct edo_mpsc_ *channel, bool receiver);
size_t edo_mpsc_len_(struct edo_mpsc_ *channel);
size_t edo_mpsc_capacity_(struct edo_mpsc_ *channel);
size_t edo_mpsc_max_capacity_(struct edo_mpsc_ *channel);
size_t edo_mpsc_sender_count_(struct edo_mpsc_ *channel);
size_t edo_mpsc_weak_sender_count_(struct edo_mpsc_ *channel);
void (*edo_mpsc_drop_hook_(struct edo_mpsc_receiver *rx))(void *);
EDO_ASYNC_DECLARE(edo_mpsc_send);
EDO_ASYNC_DECLARE(edo_mpsc_recv);

/* Inline, as one is made for each message: in its place, where a call returns it through the stack. */
static inline struct edo_mpsc_send edo_mpsc_send_(struct edo_mpsc_sender *tx, const void *message)
{
    return EDO_NEW_RETURNED(edo_mpsc_send, .channel = (struct edo_mpsc_ *)tx, .message = message,
                            .waiter = {.count = 1});
}

static inline struct edo_mpsc_recv edo_mpsc_recv_(struct edo_mpsc_receiver *rx, void *message)
{
    return EDO_NEW_RETURNED(edo_mpsc_recv, .channel = (struct edo_mpsc_ *)rx, .message = message);
}

#ifndef EDO_NO_SHORT_NAMES
#define MPSC_SENDER      EDO_MPSC_SENDER
#define MPSC_RECEIVER    EDO_MPSC_RECEIVER
#define MPSC_WEAK_SENDER EDO_MPSC_WEAK_SENDER
#define MPSC_PERMIT      EDO_MPSC_PERMIT
#endif

#ifdef __cplusplus
}
#endif

#endif
