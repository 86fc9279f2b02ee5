/* SPDX-License-Identifier: MIT */
/* watch: a value that changes, and those who want to know its last state.
 *
 *     WATCH_SENDER(struct config) tx;
 *     WATCH_RECEIVER(struct config) rx;
 *     int error = edo_watch(&tx, &rx, &config);                0, or UV_ENOMEM
 *
 *     edo_watch_send(tx, &config);                             never waits
 *
 *     for (;;) {
 *         AWAIT(self->changed, edo_watch_changed(self->rx));
 *         if (self->changed.output < 0)
 *             break;                                           no sender is left
 *         const struct config *config = edo_watch_borrow_and_update(self->rx);
 *         …
 *         edo_watch_release(self->rx, config);
 *     }
 *
 * Only the last value is kept: a receiver that is slow sees the newest, not all. A borrowed value is a
 * snapshot, which stays as it is, blocks nobody, and may be kept across awaits.
 *
 * Handles are pointers typed by the value; each is owned, and dropped once. Futures are made of a
 * handle that outlives them. All functions may be called from any thread, and from a poll; those on one
 * receiver by one thread at a time. None waits.
 */
#ifndef EDO_CHANNELS_WATCH_H
#define EDO_CHANNELS_WATCH_H

#include "../error.h"
#include "../future.h"
#include "../internal/row.h"
#include "../internal/typed.h"

#ifdef __cplusplus
extern "C" {
#endif

struct edo_watch_;
struct edo_watch_sender;
struct edo_watch_receiver;

#define EDO_WATCH_SENDER(...)   EDO_TYPED_(edo_watch_sender, __VA_ARGS__)
#define EDO_WATCH_RECEIVER(...) EDO_TYPED_(edo_watch_receiver, __VA_ARGS__)

/* edo_watch(&tx, &rx, &initial): makes a channel, whose receiver has seen the initial value. Returns 0,
 * or UV_ENOMEM; then both are NULL. */
#define edo_watch(tx, rx, initial) edo_watch_with((tx), (rx), (initial), NULL, NULL)

/* The same, for values that own something: `clone`, a void (*)(const T *value, T *copy), and `drop`, a
 * void (*)(T *), which is called once for each value that is not the last any more, when nobody borrows
 * it. Both, or neither (UV_EINVAL). No lock is held then. Such a channel allocates for each value. A clone cannot
 * be refused: where the hook finds no memory for it, the copy is one that T itself knows as empty. */
#define edo_watch_with(tx, rx, initial, clone, drop)                                   \
    __extension__({                                                                    \
        typedef EDO_CARRIED_(edo_watch_sender, *(tx)) edo_value_;                      \
        EDO_DEMAND_ALIGNED_(edo_value_);                                               \
        EDO_WATCH_SENDER(edo_value_) *edo_tx_ = (tx);                                  \
        EDO_WATCH_RECEIVER(edo_value_) *edo_rx_ = (rx);                                \
        const edo_value_ *edo_initial_ = (initial);                                    \
        void (*edo_clone_)(const edo_value_ *, edo_value_ *) = (clone);                \
        void (*edo_drop_)(edo_value_ *) = (drop);                                      \
        struct edo_watch_ *edo_made_;                                                  \
        struct edo_watch_receiver *edo_first_;                                         \
        int edo_error_ =                                                               \
            edo_watch_new_(&edo_made_, &edo_first_, sizeof(edo_value_), edo_initial_,  \
                           (void (*)(const void *, void *))(void (*)(void))edo_clone_, \
                           (void (*)(void *))(void (*)(void))edo_drop_);               \
        *edo_tx_ = (EDO_WATCH_SENDER(edo_value_))(void *)edo_made_;                    \
        *edo_rx_ = (EDO_WATCH_RECEIVER(edo_value_))(void *)edo_first_;                 \
        edo_error_;                                                                    \
    })

/* Senders. */

/* Stores a value and tells the receivers. 0; EDO_ECLOSED when there is none; UV_ENOMEM: nothing was
 * stored, and what the value owns is still the caller's. */
#define edo_watch_send(tx, value) \
    edo_watch_send_(EDO_HANDLE_(edo_watch_sender, tx), EDO_VALUE_(edo_watch_sender, tx, value))

/* Stores a value, also when there is no receiver, and gives back the one before: *old, which is the
 * caller's. 0, or UV_ENOMEM, as above. */
#define edo_watch_send_replace(tx, value, old)                       \
    edo_watch_send_replace_(EDO_HANDLE_(edo_watch_sender, tx),       \
                            EDO_VALUE_(edo_watch_sender, tx, value), \
                            EDO_VALUE_(edo_watch_sender, tx, old))

/* edo_watch_send_if_modified(tx, modify, arg): changes the value by `modify`, a
 * bool (*)(T *value, void *arg), which gets a copy, and says whether it has changed it; only then it is
 * stored, and the receivers are told. No lock is held: when another sender came in between, it is called
 * again, on a copy of the newer value, as often as that happens; so it is short, and does nothing but to the copy.
 * A copy that the clone hook found no memory for is as empty as any: it is stored unless `modify` says that it has not
 * changed it. 1: changed, 0: not, UV_ENOMEM. Also without receivers. */
#define edo_watch_send_if_modified(tx, modify, arg)                                            \
    __extension__({                                                                            \
        bool (*edo_modify_)(EDO_CARRIED_(edo_watch_sender, tx) *, void *) = (modify);          \
        edo_watch_modify_(EDO_HANDLE_(edo_watch_sender, tx),                                   \
                          (bool (*)(void *, void *))(void (*)(void))edo_modify_, NULL, (arg)); \
    })

/* The same by a void (*)(T *value, void *arg), which always changes it, and so cannot refuse an empty copy. 0, or
 * UV_ENOMEM. */
#define edo_watch_send_modify(tx, modify, arg)                                               \
    __extension__({                                                                          \
        void (*edo_modify_)(EDO_CARRIED_(edo_watch_sender, tx) *, void *) = (modify);        \
        int edo_changed_ =                                                                   \
            edo_watch_modify_(EDO_HANDLE_(edo_watch_sender, tx), NULL,                       \
                              (void (*)(void *, void *))(void (*)(void))edo_modify_, (arg)); \
        edo_changed_ < 0 ? edo_changed_ : 0;                                                 \
    })

/* The value, until edo_watch_sender_release. */
#define edo_watch_sender_borrow(tx)                                 \
    ((const EDO_CARRIED_(edo_watch_sender, tx) *)edo_watch_borrow_( \
        (struct edo_watch_ *)(void *)EDO_HANDLE_(edo_watch_sender, tx), NULL))
#define edo_watch_sender_release(tx, value)                                            \
    edo_watch_release_((struct edo_watch_ *)(void *)EDO_HANDLE_(edo_watch_sender, tx), \
                       EDO_VALUE_(edo_watch_sender, tx, value))

/* A further receiver, which has seen the value that there is; NULL without memory. */
#define edo_watch_subscribe(tx)                                                            \
    EDO_MAKE_(edo_watch_receiver, edo_watch_subscribe_(EDO_HANDLE_(edo_watch_sender, tx)), \
              EDO_CARRIED_(edo_watch_sender, tx))

/* A further sender; and one is given back, NULL is fine. */
#define edo_watch_sender_clone(tx) \
    ((__typeof__(tx))(void *)edo_watch_sender_clone_(EDO_HANDLE_(edo_watch_sender, tx)))
#define edo_watch_sender_drop(tx) edo_watch_sender_drop_(EDO_HANDLE_(edo_watch_sender, tx))

/* edo_watch_closed(tx): a future that is ready when there is no receiver. Cancel safe. */
#define edo_watch_closed(tx)         edo_watch_closed_(EDO_HANDLE_(edo_watch_sender, tx))
#define edo_watch_is_closed(tx)      (edo_watch_receiver_count(tx) == 0)
#define edo_watch_receiver_count(tx) edo_watch_receiver_count_(EDO_HANDLE_(edo_watch_sender, tx))
#define edo_watch_sender_count(tx)   edo_watch_sender_count_(EDO_HANDLE_(edo_watch_sender, tx))

/* Receivers. */

/* edo_watch_changed(rx): a future that is ready when there is a value that this receiver has not seen,
 * which it has then. Output 0; EDO_ECLOSED: it has seen the last, and no sender is left. One at a time.
 * Cancel safety: dropped, it has seen nothing. */
#define edo_watch_changed(rx) edo_watch_changed_(EDO_HANDLE_(edo_watch_receiver, rx))

/* The value, until edo_watch_release, with this receiver or another of the channel; the second marks it as
 * seen. */
#define edo_watch_borrow(rx)                                                   \
    ((const EDO_CARRIED_(edo_watch_receiver, rx) *)edo_watch_receiver_borrow_( \
        EDO_HANDLE_(edo_watch_receiver, rx), false))
#define edo_watch_borrow_and_update(rx)                                        \
    ((const EDO_CARRIED_(edo_watch_receiver, rx) *)edo_watch_receiver_borrow_( \
        EDO_HANDLE_(edo_watch_receiver, rx), true))
#define edo_watch_release(rx, value)                                 \
    edo_watch_receiver_release_(EDO_HANDLE_(edo_watch_receiver, rx), \
                                EDO_VALUE_(edo_watch_receiver, rx, value))

/* Copies the value, or clones it for the caller, and marks it as seen. */
#define edo_watch_get(rx, value) \
    edo_watch_get_(EDO_HANDLE_(edo_watch_receiver, rx), EDO_VALUE_(edo_watch_receiver, rx, value))

/* edo_watch_wait_for(rx, wanted, arg, &value): a future that is ready when the value is one that
 * `wanted`, a bool (*)(const T *value, void *arg), returns true for: first the one that there is. It is
 * then copied, or cloned, to *value. Output 0, or EDO_ECLOSED: no sender is left, and the last value was
 * not wanted. Each value that was asked about has been seen. No lock is held while it is asked.
 * Cancel safety: dropped, it has seen only values that were not wanted. */
#define edo_watch_wait_for(rx, wanted, arg, value)                                              \
    __extension__({                                                                             \
        bool (*edo_wanted_)(const EDO_CARRIED_(edo_watch_receiver, rx) *, void *) = (wanted);   \
        edo_watch_wait_for_(EDO_HANDLE_(edo_watch_receiver, rx),                                \
                            (bool (*)(const void *, void *))(void (*)(void))edo_wanted_, (arg), \
                            EDO_VALUE_(edo_watch_receiver, rx, value));                         \
    })

/* 1: there is a value that was not seen; 0: there is not; EDO_ECLOSED: there will be none. */
#define edo_watch_has_changed(rx) edo_watch_has_changed_(EDO_HANDLE_(edo_watch_receiver, rx))

/* Takes the value as not seen; as seen. A future of this receiver that waits is not told. */
#define edo_watch_mark_changed(rx)   edo_watch_mark_(EDO_HANDLE_(edo_watch_receiver, rx), true)
#define edo_watch_mark_unchanged(rx) edo_watch_mark_(EDO_HANDLE_(edo_watch_receiver, rx), false)

/* A further receiver, which has seen what this one has; NULL without memory. And one is given back. */
#define edo_watch_receiver_clone(rx) \
    ((__typeof__(rx))(void *)edo_watch_receiver_clone_(EDO_HANDLE_(edo_watch_receiver, rx)))
#define edo_watch_receiver_drop(rx) edo_watch_receiver_drop_(EDO_HANDLE_(edo_watch_receiver, rx))

/* Either side. */

/* Whether two handles are of one channel. */
#define edo_watch_same_channel(a, b) (EDO_WATCH_OF_(a) == EDO_WATCH_OF_(b))

/* The futures. */
struct edo_watch_changed {
    EDO_FUTURE(int);
    struct edo_watch_receiver *rx;
    struct edo_waiter waiter;
};
struct edo_watch_wait_for {
    EDO_FUTURE(int);
    struct edo_watch_receiver *rx;
    bool (*wanted)(const void *, void *);
    void *arg, *value;
    uint64_t asked; /* about this version last; 0: none */
    struct edo_waiter waiter;
};
struct edo_watch_closed {
    EDO_FUTURE(void);
    struct edo_watch_ *channel;
    struct edo_waiter waiter;
};

/* Behind the macros. */
#define EDO_WATCH_IS_(kind, handle) \
    __builtin_types_compatible_p(__typeof__(handle), EDO_TYPED_(kind, EDO_CARRIED_(kind, handle)))
#define EDO_WATCH_OF_(handle)                                   \
    (EDO_DEMAND_(EDO_WATCH_IS_(edo_watch_sender, handle) ||     \
                     EDO_WATCH_IS_(edo_watch_receiver, handle), \
                 "not a handle of a watch channel"),            \
     edo_watch_of_((void *)(handle), EDO_WATCH_IS_(edo_watch_receiver, handle)))
struct edo_watch_ *edo_watch_of_(void *handle, bool receiver);
int edo_watch_new_(struct edo_watch_ **channel, struct edo_watch_receiver **rx, size_t size,
                   const void *initial, void (*clone)(const void *, void *), void (*drop)(void *));
int edo_watch_send_(struct edo_watch_sender *tx, const void *value);
int edo_watch_send_replace_(struct edo_watch_sender *tx, const void *value, void *old);
int edo_watch_modify_(struct edo_watch_sender *tx, bool (*if_modified)(void *, void *),
                      void (*modify)(void *, void *), void *arg);
const void *edo_watch_borrow_(struct edo_watch_ *channel, uint64_t *version);
void edo_watch_release_(struct edo_watch_ *channel, const void *value);
struct edo_watch_receiver *edo_watch_subscribe_(struct edo_watch_sender *tx);
struct edo_watch_sender *edo_watch_sender_clone_(struct edo_watch_sender *tx);
void edo_watch_sender_drop_(struct edo_watch_sender *tx);
struct edo_watch_closed edo_watch_closed_(struct edo_watch_sender *tx);
size_t edo_watch_receiver_count_(struct edo_watch_sender *tx);
size_t edo_watch_sender_count_(struct edo_watch_sender *tx);
const void *edo_watch_receiver_borrow_(struct edo_watch_receiver *rx, bool update);
void edo_watch_receiver_release_(struct edo_watch_receiver *rx, const void *value);
void edo_watch_get_(struct edo_watch_receiver *rx, void *value);
int edo_watch_has_changed_(struct edo_watch_receiver *rx);
void edo_watch_mark_(struct edo_watch_receiver *rx, bool changed);
struct edo_watch_receiver *edo_watch_receiver_clone_(struct edo_watch_receiver *rx);
void edo_watch_receiver_drop_(struct edo_watch_receiver *rx);
struct edo_watch_wait_for edo_watch_wait_for_(struct edo_watch_receiver *rx,
                                              bool (*wanted)(const void *, void *), void *arg,
                                              void *value);
void (*edo_watch_drop_hook_(struct edo_watch_receiver *rx))(void *);
EDO_ASYNC_DECLARE(edo_watch_changed);

/* Inline: one is made for each change, in its place. */
static inline struct edo_watch_changed edo_watch_changed_(struct edo_watch_receiver *rx)
{
    return EDO_NEW_RETURNED(edo_watch_changed, .rx = rx);
}

#ifndef EDO_NO_SHORT_NAMES
#define WATCH_SENDER   EDO_WATCH_SENDER
#define WATCH_RECEIVER EDO_WATCH_RECEIVER
#endif

#ifdef __cplusplus
}
#endif

#endif
