/* SPDX-License-Identifier: MIT */
/* async_channel: many senders, many receivers, each message to one of them.
 *
 *     ASYNC_SENDER(struct job) tx;
 *     ASYNC_RECEIVER(struct job) rx;
 *     int error = edo_async_channel(&tx, &rx, 32);             0, or UV_ENOMEM
 *
 *     AWAIT(self->send, edo_async_send(self->tx, &self->job));  waits for room; 0, or EDO_ECLOSED
 *
 *     for (;;) {                                               in each worker, with an rx of its own
 *         AWAIT(self->recv, edo_async_recv(self->rx, &self->job));
 *         if (self->recv.output < 0)
 *             break;                                           closed, and all has been received
 *         …
 *     }
 *
 * Messages are copied, and come in the order in which they were sent. Senders that wait for room, and
 * receivers that wait for a message, are served in the order of their arrival; while one waits nobody
 * overtakes. A bounded channel allocates when it is made, and never again; one of capacity
 * EDO_UNBOUNDED never makes a sender wait, takes memory as messages come and frees it as they go.
 *
 * Handles are pointers typed by the message; each is owned, and dropped once. Futures are made of a
 * handle that outlives them. The channel is closed by edo_async_close, or when its last sender or its
 * last receiver is dropped. Then nothing is sent any more, and what was sent is received. With the last
 * receiver the messages are dropped that nobody received.
 *
 * All functions may be called from any thread, and from a poll. None waits but those that say blocking.
 */
#ifndef EDO_CHANNELS_ASYNC_CHANNEL_H
#define EDO_CHANNELS_ASYNC_CHANNEL_H

#include "../error.h"
#include "../future.h"
#include "../internal/row.h"
#include "../internal/typed.h"
#include "unbounded.h"

#ifdef __cplusplus
extern "C" {
#endif

struct edo_async_;
struct edo_async_sender;
struct edo_async_receiver;
struct edo_async_weak_sender;
struct edo_async_weak_receiver;

#define EDO_ASYNC_SENDER(...)        EDO_TYPED_(edo_async_sender, __VA_ARGS__)
#define EDO_ASYNC_RECEIVER(...)      EDO_TYPED_(edo_async_receiver, __VA_ARGS__)
#define EDO_ASYNC_WEAK_SENDER(...)   EDO_TYPED_(edo_async_weak_sender, __VA_ARGS__)
#define EDO_ASYNC_WEAK_RECEIVER(...) EDO_TYPED_(edo_async_weak_receiver, __VA_ARGS__)

/* edo_async_channel(&tx, &rx, capacity): makes a channel for `capacity` messages, or EDO_UNBOUNDED. 0;
 * UV_ENOMEM; UV_EINVAL for a capacity of 0: then both are NULL. */
#define edo_async_channel(tx, rx, capacity) edo_async_channel_with((tx), (rx), (capacity), NULL)

/* The same, for messages that own something: `drop`, a void (*)(T *), is called once for each message
 * that was sent and nobody received, when the last receiver is dropped. No lock is held then. */
#define edo_async_channel_with(tx, rx, capacity, drop)                                \
    __extension__({                                                                   \
        typedef EDO_CARRIED_(edo_async_sender, *(tx)) edo_message_;                   \
        EDO_DEMAND_ALIGNED_(edo_message_);                                            \
        EDO_ASYNC_SENDER(edo_message_) *edo_tx_ = (tx);                               \
        EDO_ASYNC_RECEIVER(edo_message_) *edo_rx_ = (rx);                             \
        void (*edo_drop_)(edo_message_ *) = (drop);                                   \
        struct edo_async_ *edo_made_;                                                 \
        int edo_error_ = edo_async_new_(&edo_made_, sizeof(edo_message_), (capacity), \
                                        (void (*)(void *))(void (*)(void))edo_drop_); \
        *edo_tx_ = (EDO_ASYNC_SENDER(edo_message_))(void *)edo_made_;                 \
        *edo_rx_ = (EDO_ASYNC_RECEIVER(edo_message_))(void *)edo_made_;               \
        edo_error_;                                                                   \
    })

/* Senders. */

/* edo_async_send(tx, &message): a future that waits for room and sends. Output 0; EDO_ECLOSED, or, in
 * an unbounded channel, UV_ENOMEM: nothing was sent, and what the message owns is still the caller's.
 * The message is copied when it is sent, and stays where it is until then. Cancel safety: dropped, it
 * has sent nothing, and its place in the row is lost. */
#define edo_async_send(tx, message) \
    edo_async_send_(EDO_HANDLE_(edo_async_sender, tx), EDO_VALUE_(edo_async_sender, tx, message))

/* Sends without waiting. 0; UV_EAGAIN: full, or somebody waits; EDO_ECLOSED; UV_ENOMEM. */
#define edo_async_try_send(tx, message)                    \
    edo_async_try_send_(EDO_HANDLE_(edo_async_sender, tx), \
                        EDO_VALUE_(edo_async_sender, tx, message))

/* Sends in any case: when the channel is full, in place of the oldest message, which goes to *replaced.
 * 0; 1: one was replaced; EDO_ECLOSED; UV_ENOMEM; UV_EAGAIN: all places are promised to others. */
#define edo_async_force_send(tx, message, replaced)                  \
    edo_async_force_send_(EDO_HANDLE_(edo_async_sender, tx),         \
                          EDO_VALUE_(edo_async_sender, tx, message), \
                          EDO_VALUE_(edo_async_sender, tx, replaced))

/* The thread waits. As the future, and EDO_ENESTED inside a task, UV_ENOMEM. */
#define edo_async_blocking_send(tx, message)                    \
    edo_async_blocking_send_(EDO_HANDLE_(edo_async_sender, tx), \
                             EDO_VALUE_(edo_async_sender, tx, message))

/* A further handle of the same channel; and one is given back, NULL is fine. */
#define edo_async_sender_clone(tx) \
    ((__typeof__(tx))edo_async_ref_(EDO_ASYNC_OF_(edo_async_sender, tx), EDO_ASYNC_TX_))
#define edo_async_sender_drop(tx) \
    edo_async_unref_(EDO_ASYNC_OF_(edo_async_sender, tx), EDO_ASYNC_TX_)

/* Receivers. */

/* edo_async_recv(rx, &message): a future of a message. Output 0; EDO_ECLOSED: there will be none any
 * more. Cancel safety: a message is taken by the poll that is ready; dropped, it has taken none, and its
 * place in the row is lost. */
#define edo_async_recv(rx, message)                      \
    edo_async_recv_(EDO_HANDLE_(edo_async_receiver, rx), \
                    EDO_VALUE_(edo_async_receiver, rx, message))

/* Without waiting: 0; UV_EAGAIN: nothing now, or others wait for it; EDO_ECLOSED. */
#define edo_async_try_recv(rx, message)                      \
    edo_async_try_recv_(EDO_HANDLE_(edo_async_receiver, rx), \
                        EDO_VALUE_(edo_async_receiver, rx, message))

/* The thread waits. As the future, and EDO_ENESTED inside a task, UV_ENOMEM. */
#define edo_async_blocking_recv(rx, message)                      \
    edo_async_blocking_recv_(EDO_HANDLE_(edo_async_receiver, rx), \
                             EDO_VALUE_(edo_async_receiver, rx, message))

/* A further handle of the same channel; and one is given back, NULL is fine. */
#define edo_async_receiver_clone(rx) \
    ((__typeof__(rx))edo_async_ref_(EDO_ASYNC_OF_(edo_async_receiver, rx), EDO_ASYNC_RX_))
#define edo_async_receiver_drop(rx) \
    edo_async_unref_(EDO_ASYNC_OF_(edo_async_receiver, rx), EDO_ASYNC_RX_)

/* Weak handles do not keep the channel open. Owned, and dropped; NULL is fine there. An upgrade gives
 * NULL when there is no handle of its side any more. */
#define edo_async_sender_downgrade(tx)                                              \
    EDO_MAKE_(edo_async_weak_sender,                                                \
              edo_async_ref_(EDO_ASYNC_OF_(edo_async_sender, tx), EDO_ASYNC_WEAK_), \
              EDO_CARRIED_(edo_async_sender, tx))
#define edo_async_receiver_downgrade(rx)                                              \
    EDO_MAKE_(edo_async_weak_receiver,                                                \
              edo_async_ref_(EDO_ASYNC_OF_(edo_async_receiver, rx), EDO_ASYNC_WEAK_), \
              EDO_CARRIED_(edo_async_receiver, rx))
#define edo_async_weak_sender_clone(weak) \
    ((__typeof__(weak))edo_async_ref_(EDO_ASYNC_OF_(edo_async_weak_sender, weak), EDO_ASYNC_WEAK_))
#define edo_async_weak_receiver_clone(weak)                                         \
    ((__typeof__(weak))edo_async_ref_(EDO_ASYNC_OF_(edo_async_weak_receiver, weak), \
                                      EDO_ASYNC_WEAK_))
#define edo_async_sender_upgrade(weak)                                                   \
    EDO_MAKE_(edo_async_sender,                                                          \
              edo_async_ref_(EDO_ASYNC_OF_(edo_async_weak_sender, weak), EDO_ASYNC_TX_), \
              EDO_CARRIED_(edo_async_weak_sender, weak))
#define edo_async_receiver_upgrade(weak)                                                   \
    EDO_MAKE_(edo_async_receiver,                                                          \
              edo_async_ref_(EDO_ASYNC_OF_(edo_async_weak_receiver, weak), EDO_ASYNC_RX_), \
              EDO_CARRIED_(edo_async_weak_receiver, weak))
#define edo_async_weak_sender_drop(weak) \
    edo_async_unref_(EDO_ASYNC_OF_(edo_async_weak_sender, weak), EDO_ASYNC_WEAK_)
#define edo_async_weak_receiver_drop(weak) \
    edo_async_unref_(EDO_ASYNC_OF_(edo_async_weak_receiver, weak), EDO_ASYNC_WEAK_)

/* Either side. */

/* Nothing is sent any more; what was sent can be received. Wakes all who wait in vain. True: it was this
 * call that closed it. */
#define edo_async_close(handle)     edo_async_close_(EDO_ASYNC_ANY_(handle))
#define edo_async_is_closed(handle) edo_async_is_closed_(EDO_ASYNC_ANY_(handle))

/* Out of date when they return: messages that nobody has received yet; handles. */
#define edo_async_len(handle)            edo_async_len_(EDO_ASYNC_ANY_(handle))
#define edo_async_is_empty(handle)       (edo_async_len(handle) == 0)
#define edo_async_is_full(handle)        edo_async_is_full_(EDO_ASYNC_ANY_(handle))
#define edo_async_sender_count(handle)   edo_async_count_(EDO_ASYNC_ANY_(handle), EDO_ASYNC_TX_)
#define edo_async_receiver_count(handle) edo_async_count_(EDO_ASYNC_ANY_(handle), EDO_ASYNC_RX_)

/* What it was made for. */
#define edo_async_capacity(handle) edo_async_capacity_(EDO_ASYNC_ANY_(handle))

/* Whether two handles are of one channel. */
#define edo_async_same_channel(a, b) (EDO_ASYNC_ANY_(a) == EDO_ASYNC_ANY_(b))

/* The futures. */
struct edo_async_waiter {
    struct edo_waiter link;
    uint32_t state; /* under the lock, once it has been in the row */
};
struct edo_async_send {
    EDO_FUTURE(int);
    struct edo_async_ *channel;
    const void *message;
    struct edo_async_waiter waiter;
};
struct edo_async_recv {
    EDO_FUTURE(int);
    struct edo_async_ *channel;
    void *message;
    struct edo_async_waiter waiter;
};

/* Behind the macros. A handle of any kind is a pointer to the channel. */
enum { EDO_ASYNC_TX_, EDO_ASYNC_RX_, EDO_ASYNC_WEAK_, EDO_ASYNC_KINDS_ };
#define EDO_ASYNC_OF_(kind, handle) ((struct edo_async_ *)(void *)EDO_HANDLE_(kind, handle))
#define EDO_ASYNC_IS_(kind, handle) \
    __builtin_types_compatible_p(__typeof__(handle), EDO_TYPED_(kind, EDO_CARRIED_(kind, handle)))
#define EDO_ASYNC_ANY_(handle)                                  \
    (EDO_DEMAND_(EDO_ASYNC_IS_(edo_async_sender, handle) ||     \
                     EDO_ASYNC_IS_(edo_async_receiver, handle), \
                 "not a handle of an async_channel"),           \
     (struct edo_async_ *)(void *)(handle))
int edo_async_new_(struct edo_async_ **channel, size_t size, size_t capacity, void (*drop)(void *));
void *edo_async_ref_(struct edo_async_ *channel, int kind);
void edo_async_unref_(struct edo_async_ *channel, int kind);
int edo_async_try_send_(struct edo_async_sender *tx, const void *message);
int edo_async_force_send_(struct edo_async_sender *tx, const void *message, void *replaced);
int edo_async_blocking_send_(struct edo_async_sender *tx, const void *message);
int edo_async_try_recv_(struct edo_async_receiver *rx, void *message);
int edo_async_blocking_recv_(struct edo_async_receiver *rx, void *message);
bool edo_async_close_(struct edo_async_ *channel);
bool edo_async_is_closed_(struct edo_async_ *channel);
size_t edo_async_len_(struct edo_async_ *channel);
bool edo_async_is_full_(struct edo_async_ *channel);
size_t edo_async_capacity_(struct edo_async_ *channel);
size_t edo_async_count_(struct edo_async_ *channel, int kind);
void (*edo_async_drop_hook_(struct edo_async_receiver *rx))(void *);
EDO_ASYNC_DECLARE(edo_async_send);
EDO_ASYNC_DECLARE(edo_async_recv);

/* Inline: one is made for each message, in its place. */
static inline struct edo_async_send edo_async_send_(struct edo_async_sender *tx,
                                                    const void *message)
{
    return EDO_NEW_RETURNED(edo_async_send, .channel = (struct edo_async_ *)tx, .message = message);
}

static inline struct edo_async_recv edo_async_recv_(struct edo_async_receiver *rx, void *message)
{
    return EDO_NEW_RETURNED(edo_async_recv, .channel = (struct edo_async_ *)rx, .message = message);
}

#ifndef EDO_NO_SHORT_NAMES
#define ASYNC_SENDER        EDO_ASYNC_SENDER
#define ASYNC_RECEIVER      EDO_ASYNC_RECEIVER
#define ASYNC_WEAK_SENDER   EDO_ASYNC_WEAK_SENDER
#define ASYNC_WEAK_RECEIVER EDO_ASYNC_WEAK_RECEIVER
#endif

#ifdef __cplusplus
}
#endif

#endif
