/* SPDX-License-Identifier: MIT */
/* broadcast: every receiver gets every message that is sent after it subscribed.
 *
 *     BROADCAST_SENDER(struct event) tx;
 *     BROADCAST_RECEIVER(struct event) rx;
 *     int error = edo_broadcast(&tx, &rx, 64);               0, or UV_ENOMEM
 *
 *     int receivers = edo_broadcast_send(tx, &event);        never waits; or EDO_ECLOSED
 *
 *     AWAIT(self->recv, edo_broadcast_recv(self->rx, &self->event));
 *     if (self->recv.output == EDO_ELAGGED)
 *         … self->recv.lagged messages were missed; the next recv goes on with the oldest that is kept
 *
 * The last `capacity` messages are kept, which is rounded up to a power of two. A receiver that is
 * further behind has lagged. Sending never waits, and does not allocate for plain messages.
 *
 * Handles are pointers typed by the message. Each is owned, and dropped once. The channel is closed to
 * receivers when its last sender is dropped; they receive first what was sent. Futures are made of a
 * handle that outlives them.
 *
 * All functions may be called from any thread, and from a poll; those on one receiver by one thread at
 * a time. None waits but those that say blocking.
 */
#ifndef EDO_CHANNELS_BROADCAST_H
#define EDO_CHANNELS_BROADCAST_H

#include "../error.h"
#include "../future.h"
#include "../internal/row.h"
#include "../internal/typed.h"

#ifdef __cplusplus
extern "C" {
#endif

struct edo_broadcast_;
struct edo_broadcast_sender;
struct edo_broadcast_weak_sender;
struct edo_broadcast_receiver;

#define EDO_BROADCAST_SENDER(...)      EDO_TYPED_(edo_broadcast_sender, __VA_ARGS__)
#define EDO_BROADCAST_WEAK_SENDER(...) EDO_TYPED_(edo_broadcast_weak_sender, __VA_ARGS__)
#define EDO_BROADCAST_RECEIVER(...)    EDO_TYPED_(edo_broadcast_receiver, __VA_ARGS__)

/* edo_broadcast(&tx, &rx, capacity): makes a channel. 0; UV_ENOMEM; UV_EINVAL for a capacity of 0: then
 * both are NULL. */
#define edo_broadcast(tx, rx, capacity) edo_broadcast_with((tx), (rx), (capacity), NULL, NULL)

/* The same, for messages that own something. `clone`, a void (*)(const T *message, T *copy), gives a
 * receiver one of its own; the last to receive one gets the message itself. `drop`, a void (*)(T *), is
 * called once for each message that is no longer kept and went to nobody. No lock is held then. Both,
 * or neither (UV_EINVAL). Such a channel allocates for each message. A clone cannot be refused: where the hook finds no
 * memory for it, the copy is one that T itself knows as empty. */
#define edo_broadcast_with(tx, rx, capacity, clone, drop)                                  \
    __extension__({                                                                        \
        typedef EDO_CARRIED_(edo_broadcast_sender, *(tx)) edo_message_;                    \
        EDO_DEMAND_ALIGNED_(edo_message_);                                                 \
        EDO_BROADCAST_SENDER(edo_message_) *edo_tx_ = (tx);                                \
        EDO_BROADCAST_RECEIVER(edo_message_) *edo_rx_ = (rx);                              \
        void (*edo_clone_)(const edo_message_ *, edo_message_ *) = (clone);                \
        void (*edo_drop_)(edo_message_ *) = (drop);                                        \
        struct edo_broadcast_ *edo_made_;                                                  \
        struct edo_broadcast_receiver *edo_first_;                                         \
        int edo_error_ =                                                                   \
            edo_broadcast_new_(&edo_made_, &edo_first_, sizeof(edo_message_), (capacity),  \
                               (void (*)(const void *, void *))(void (*)(void))edo_clone_, \
                               (void (*)(void *))(void (*)(void))edo_drop_);               \
        *edo_tx_ = (EDO_BROADCAST_SENDER(edo_message_))(void *)edo_made_;                  \
        *edo_rx_ = (EDO_BROADCAST_RECEIVER(edo_message_))(void *)edo_first_;               \
        edo_error_;                                                                        \
    })

/* Senders. */

/* Sends to all receivers that there are; returns how many. EDO_ECLOSED when there is none, UV_ENOMEM in
 * a channel with hooks: nothing was sent, and what the message owns is still the caller's. */
#define edo_broadcast_send(tx, message)                        \
    edo_broadcast_send_(EDO_HANDLE_(edo_broadcast_sender, tx), \
                        EDO_VALUE_(edo_broadcast_sender, tx, message))

/* A receiver of what is sent from now on; NULL without memory. Also when there is none any more. */
#define edo_broadcast_subscribe(tx)                                                        \
    EDO_MAKE_(edo_broadcast_receiver,                                                      \
              edo_broadcast_subscribe_(                                                    \
                  (struct edo_broadcast_ *)(void *)EDO_HANDLE_(edo_broadcast_sender, tx)), \
              EDO_CARRIED_(edo_broadcast_sender, tx))

/* A further handle of the same channel; and one is given back, NULL is fine. */
#define edo_broadcast_sender_clone(tx) \
    ((__typeof__(tx))(void *)edo_broadcast_sender_clone_(EDO_HANDLE_(edo_broadcast_sender, tx)))
#define edo_broadcast_sender_drop(tx) \
    edo_broadcast_sender_drop_(EDO_HANDLE_(edo_broadcast_sender, tx))

/* A weak sender does not keep the channel open. Owned, and dropped; NULL is fine there. */
#define edo_broadcast_downgrade(tx)                                            \
    EDO_MAKE_(edo_broadcast_weak_sender,                                       \
              edo_broadcast_downgrade_(EDO_HANDLE_(edo_broadcast_sender, tx)), \
              EDO_CARRIED_(edo_broadcast_sender, tx))
#define edo_broadcast_weak_sender_clone(weak)            \
    ((__typeof__(weak))(void *)edo_broadcast_downgrade_( \
        (struct edo_broadcast_sender *)EDO_HANDLE_(edo_broadcast_weak_sender, weak)))
#define edo_broadcast_weak_sender_drop(weak) \
    edo_broadcast_weak_sender_drop_(EDO_HANDLE_(edo_broadcast_weak_sender, weak))

/* A sender of a weak one's channel; NULL when there are none any more. */
#define edo_broadcast_upgrade(weak)                                                 \
    EDO_MAKE_(edo_broadcast_sender,                                                 \
              edo_broadcast_upgrade_(EDO_HANDLE_(edo_broadcast_weak_sender, weak)), \
              EDO_CARRIED_(edo_broadcast_weak_sender, weak))

/* edo_broadcast_closed(tx): a future that is ready when there is no receiver. Cancel safe. */
#define edo_broadcast_closed(tx) edo_broadcast_closed_(EDO_HANDLE_(edo_broadcast_sender, tx))

/* Out of date when they return: receivers; senders; messages that somebody has still to receive. */
#define edo_broadcast_receiver_count(tx) \
    edo_broadcast_receiver_count_(EDO_HANDLE_(edo_broadcast_sender, tx))
#define edo_broadcast_sender_count(tx) \
    edo_broadcast_sender_count_(EDO_HANDLE_(edo_broadcast_sender, tx))
#define edo_broadcast_sender_len(tx) \
    edo_broadcast_sender_len_(EDO_HANDLE_(edo_broadcast_sender, tx))

/* Receivers. */

/* edo_broadcast_recv(rx, &message): a future of the next message. Output 0; EDO_ELAGGED: so many as its
 * `lagged` says were missed, and the next one goes on with the oldest that is kept; EDO_ECLOSED: there
 * will be none any more. One at a time. Cancel safety: a message is taken by the poll that is ready;
 * dropped, it has taken none. */
#define edo_broadcast_recv(rx, message)                          \
    edo_broadcast_recv_(EDO_HANDLE_(edo_broadcast_receiver, rx), \
                        EDO_VALUE_(edo_broadcast_receiver, rx, message))

/* Without waiting: 0; UV_EAGAIN: nothing now; EDO_ELAGGED, with *lagged, a uint64_t; EDO_ECLOSED. */
#define edo_broadcast_try_recv(rx, message, lagged)                  \
    edo_broadcast_try_recv_(EDO_HANDLE_(edo_broadcast_receiver, rx), \
                            EDO_VALUE_(edo_broadcast_receiver, rx, message), (lagged))

/* The thread waits. As try_recv, and EDO_ENESTED inside a task, UV_ENOMEM. */
#define edo_broadcast_blocking_recv(rx, message, lagged)                  \
    edo_broadcast_blocking_recv_(EDO_HANDLE_(edo_broadcast_receiver, rx), \
                                 EDO_VALUE_(edo_broadcast_receiver, rx, message), (lagged))

/* Another receiver of the same channel, of what is sent from now on; NULL without memory. */
#define edo_broadcast_resubscribe(rx) \
    ((__typeof__(rx))(void *)edo_broadcast_resubscribe_(EDO_HANDLE_(edo_broadcast_receiver, rx)))

/* Messages this receiver has still to receive, those that it missed among them. */
#define edo_broadcast_len(rx) edo_broadcast_len_(EDO_HANDLE_(edo_broadcast_receiver, rx))

/* Gives a receiver back; NULL is fine. */
#define edo_broadcast_receiver_drop(rx) \
    edo_broadcast_receiver_drop_(EDO_HANDLE_(edo_broadcast_receiver, rx))

/* Whether two handles, senders or receivers, are of one channel. */
#define edo_broadcast_same_channel(a, b) (EDO_BROADCAST_OF_(a) == EDO_BROADCAST_OF_(b))

/* The futures. */
struct edo_broadcast_recv {
    EDO_FUTURE(int);
    struct edo_broadcast_receiver *rx;
    void *message;
    uint64_t lagged;
    struct edo_waiter waiter;
};
struct edo_broadcast_closed {
    EDO_FUTURE(void);
    struct edo_broadcast_ *channel;
    struct edo_waiter waiter;
};

/* Behind the macros. */
#define EDO_BROADCAST_IS_(kind, handle) \
    __builtin_types_compatible_p(__typeof__(handle), EDO_TYPED_(kind, EDO_CARRIED_(kind, handle)))
#define EDO_BROADCAST_OF_(handle)                                       \
    (EDO_DEMAND_(EDO_BROADCAST_IS_(edo_broadcast_sender, handle) ||     \
                     EDO_BROADCAST_IS_(edo_broadcast_receiver, handle), \
                 "not a handle of a broadcast channel"),                \
     edo_broadcast_of_((void *)(handle), EDO_BROADCAST_IS_(edo_broadcast_receiver, handle)))
int edo_broadcast_new_(struct edo_broadcast_ **channel, struct edo_broadcast_receiver **rx,
                       size_t size, size_t capacity, void (*clone)(const void *, void *),
                       void (*drop)(void *));
struct edo_broadcast_ *edo_broadcast_of_(void *handle, bool receiver);
int edo_broadcast_send_(struct edo_broadcast_sender *tx, const void *message);
struct edo_broadcast_receiver *edo_broadcast_subscribe_(struct edo_broadcast_ *channel);
struct edo_broadcast_receiver *edo_broadcast_resubscribe_(struct edo_broadcast_receiver *rx);
struct edo_broadcast_sender *edo_broadcast_sender_clone_(struct edo_broadcast_sender *tx);
void edo_broadcast_sender_drop_(struct edo_broadcast_sender *tx);
struct edo_broadcast_weak_sender *edo_broadcast_downgrade_(struct edo_broadcast_sender *tx);
struct edo_broadcast_sender *edo_broadcast_upgrade_(struct edo_broadcast_weak_sender *weak);
void edo_broadcast_weak_sender_drop_(struct edo_broadcast_weak_sender *weak);
struct edo_broadcast_closed edo_broadcast_closed_(struct edo_broadcast_sender *tx);
size_t edo_broadcast_receiver_count_(struct edo_broadcast_sender *tx);
size_t edo_broadcast_sender_count_(struct edo_broadcast_sender *tx);
size_t edo_broadcast_sender_len_(struct edo_broadcast_sender *tx);
int edo_broadcast_try_recv_(struct edo_broadcast_receiver *rx, void *message, uint64_t *lagged);
int edo_broadcast_blocking_recv_(struct edo_broadcast_receiver *rx, void *message,
                                 uint64_t *lagged);
uint64_t edo_broadcast_len_(struct edo_broadcast_receiver *rx);
void edo_broadcast_receiver_drop_(struct edo_broadcast_receiver *rx);
void (*edo_broadcast_drop_hook_(struct edo_broadcast_receiver *rx))(void *);
EDO_ASYNC_DECLARE(edo_broadcast_recv);

/* Inline: one is made for each message, in its place. */
static inline struct edo_broadcast_recv edo_broadcast_recv_(struct edo_broadcast_receiver *rx,
                                                            void *message)
{
    return EDO_NEW_RETURNED(edo_broadcast_recv, .rx = rx, .message = message);
}

#ifndef EDO_NO_SHORT_NAMES
#define BROADCAST_SENDER      EDO_BROADCAST_SENDER
#define BROADCAST_WEAK_SENDER EDO_BROADCAST_WEAK_SENDER
#define BROADCAST_RECEIVER    EDO_BROADCAST_RECEIVER
#endif

#ifdef __cplusplus
}
#endif

#endif
