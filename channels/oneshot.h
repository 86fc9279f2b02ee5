/* SPDX-License-Identifier: MIT */
/* oneshot: a channel for one message, the answer to a request.
 *
 *     ONESHOT_SENDER(int) tx;
 *     ONESHOT_RECEIVER(int) rx;
 *     int error = edo_oneshot(&tx, &rx);                   0, or UV_ENOMEM
 *
 *     error = edo_oneshot_send(tx, &answer);               who has tx; 0, or EDO_ECLOSED
 *
 *     AWAIT(self->recv, edo_oneshot_recv(self->rx, &self->answer));
 *     if (self->recv.output == 0)
 *         …                                                else tx was dropped instead
 *     edo_oneshot_receiver_drop(self->rx);
 *
 * Sending does not wait, and takes the sender. The message is copied. Making the channel is its only
 * allocation; no lock is ever taken.
 *
 * Handles are pointers typed by the message, owned, and given up once: the sender by edo_oneshot_send or
 * edo_oneshot_sender_drop, the receiver by edo_oneshot_receiver_drop. The channel is closed when the
 * receiver closes it or is dropped, or the sender is dropped. Futures are made of a handle that outlives
 * them. A sender that is given up a second time stops the program, as long as the receiver is there; when
 * that is gone as well, the memory is another's already.
 *
 * All functions may be called from any thread, and from a poll; those on one handle, with its futures,
 * by one thread at a time. None waits but those that say blocking.
 */
#ifndef EDO_CHANNELS_ONESHOT_H
#define EDO_CHANNELS_ONESHOT_H

#include "../error.h"
#include "../future.h"
#include "../internal/typed.h"

#ifdef __cplusplus
extern "C" {
#endif

struct edo_oneshot_;
struct edo_oneshot_sender;
struct edo_oneshot_receiver;

#define EDO_ONESHOT_SENDER(...)   EDO_TYPED_(edo_oneshot_sender, __VA_ARGS__)
#define EDO_ONESHOT_RECEIVER(...) EDO_TYPED_(edo_oneshot_receiver, __VA_ARGS__)

/* edo_oneshot(&tx, &rx): makes a channel. Returns 0, or UV_ENOMEM; then both are NULL. */
#define edo_oneshot(tx, rx) edo_oneshot_with((tx), (rx), NULL)

/* The same, for a message that owns something: `drop`, a void (*)(T *), is called once for one that was
 * sent and is never received, by edo_oneshot_receiver_drop. */
#define edo_oneshot_with(tx, rx, drop)                                                           \
    __extension__({                                                                              \
        typedef EDO_CARRIED_(edo_oneshot_sender, *(tx)) edo_message_;                            \
        EDO_DEMAND_ALIGNED_(edo_message_);                                                       \
        EDO_ONESHOT_SENDER(edo_message_) *edo_tx_ = (tx);                                        \
        EDO_ONESHOT_RECEIVER(edo_message_) *edo_rx_ = (rx);                                      \
        void (*edo_drop_)(edo_message_ *) = (drop);                                              \
        struct edo_oneshot_ *edo_made_ =                                                         \
            edo_oneshot_new_(sizeof(edo_message_), (void (*)(void *))(void (*)(void))edo_drop_); \
        *edo_tx_ = (EDO_ONESHOT_SENDER(edo_message_))(void *)edo_made_;                          \
        *edo_rx_ = (EDO_ONESHOT_RECEIVER(edo_message_))(void *)edo_made_;                        \
        edo_made_ != NULL ? 0 : -ENOMEM;                                                         \
    })

/* The sender. */

/* Sends, and takes tx, also when it fails. 0; EDO_ECLOSED: the receiver was closed or dropped, nothing
 * was sent, and what the message owns is still the caller's. A frame that drops its sender in FINALLY
 * sets it to NULL here. */
#define edo_oneshot_send(tx, message)                      \
    edo_oneshot_send_(EDO_HANDLE_(edo_oneshot_sender, tx), \
                      EDO_VALUE_(edo_oneshot_sender, tx, message))

/* Gives the sender back unused; NULL is fine. The receiver is told: EDO_ECLOSED. */
#define edo_oneshot_sender_drop(tx) edo_oneshot_sender_drop_(EDO_HANDLE_(edo_oneshot_sender, tx))

/* Whether the receiver was closed or dropped: nobody wants the answer. */
#define edo_oneshot_is_closed(tx) edo_oneshot_is_closed_(EDO_HANDLE_(edo_oneshot_sender, tx))

/* edo_oneshot_closed(tx): a future that is ready when edo_oneshot_is_closed. One at a time: a second that
 * waits stops the program; it is done or dropped before tx is given up. Cancel safety: nothing is lost. */
#define edo_oneshot_closed(tx) edo_oneshot_closed_(EDO_HANDLE_(edo_oneshot_sender, tx))

/* The receiver. */

/* edo_oneshot_recv(rx, &message): a future of the message. Output 0; EDO_ECLOSED: there will be none, or
 * it was received before. One at a time, likewise. Cancel safety: the message is taken by the poll that is
 * ready; dropped, it has taken none. */
#define edo_oneshot_recv(rx, message)                        \
    edo_oneshot_recv_(EDO_HANDLE_(edo_oneshot_receiver, rx), \
                      EDO_VALUE_(edo_oneshot_receiver, rx, message))

/* Without waiting: 0; UV_EAGAIN: nothing yet; EDO_ECLOSED. */
#define edo_oneshot_try_recv(rx, message)                        \
    edo_oneshot_try_recv_(EDO_HANDLE_(edo_oneshot_receiver, rx), \
                          EDO_VALUE_(edo_oneshot_receiver, rx, message))

/* The thread waits. As the future, and EDO_ENESTED inside a task, UV_ENOMEM: nothing was taken. */
#define edo_oneshot_blocking_recv(rx, message)                        \
    edo_oneshot_blocking_recv_(EDO_HANDLE_(edo_oneshot_receiver, rx), \
                               EDO_VALUE_(edo_oneshot_receiver, rx, message))

/* Nothing is sent any more; what was sent can be received. To look a last time: close, then try_recv. */
#define edo_oneshot_close(rx) edo_oneshot_close_(EDO_HANDLE_(edo_oneshot_receiver, rx))

/* Gives the receiver back; NULL is fine. Closes the channel and drops a message that is in it. */
#define edo_oneshot_receiver_drop(rx) \
    edo_oneshot_receiver_drop_(EDO_HANDLE_(edo_oneshot_receiver, rx))

/* The futures. */
struct edo_oneshot_recv {
    EDO_FUTURE(int);
    struct edo_oneshot_ *channel;
    void *message;
};
struct edo_oneshot_closed {
    EDO_FUTURE(void);
    struct edo_oneshot_ *channel;
};

/* Behind the macros. A handle of either kind is a pointer to the channel. */
struct edo_oneshot_ *edo_oneshot_new_(size_t size, void (*drop)(void *));
int edo_oneshot_send_(struct edo_oneshot_sender *tx, const void *message);
void edo_oneshot_sender_drop_(struct edo_oneshot_sender *tx);
bool edo_oneshot_is_closed_(struct edo_oneshot_sender *tx);
struct edo_oneshot_closed edo_oneshot_closed_(struct edo_oneshot_sender *tx);
int edo_oneshot_try_recv_(struct edo_oneshot_receiver *rx, void *message);
int edo_oneshot_blocking_recv_(struct edo_oneshot_receiver *rx, void *message);
void edo_oneshot_close_(struct edo_oneshot_receiver *rx);
void edo_oneshot_receiver_drop_(struct edo_oneshot_receiver *rx);
EDO_ASYNC_DECLARE(edo_oneshot_recv);

/* Inline, as one is made for each message: in its place, where a call returns it through the stack. */
static inline struct edo_oneshot_recv edo_oneshot_recv_(struct edo_oneshot_receiver *rx,
                                                        void *message)
{
    return EDO_NEW_RETURNED(edo_oneshot_recv, .channel = (struct edo_oneshot_ *)rx,
                            .message = message);
}

#ifndef EDO_NO_SHORT_NAMES
#define ONESHOT_SENDER   EDO_ONESHOT_SENDER
#define ONESHOT_RECEIVER EDO_ONESHOT_RECEIVER
#endif

#ifdef __cplusplus
}
#endif

#endif
