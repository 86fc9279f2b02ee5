/* SPDX-License-Identifier: MIT */
/* The state word of a oneshot channel. Nobody but the functions here touches the atomic.
 *
 * Each side, the sender and the receiver, has four bits:
 *
 * bit    meaning                                set by                    cleared by
 * DONE   the sender has sent or was dropped;     the side itself           never
 *        the receiver has closed
 * GONE   the side touches the channel no more;   the side, with DONE       never
 *        who finds the other's set frees it      or after it
 * WAITS  waker[side] holds the waker of a        the side, while the       the side, while the other is
 *        future of this side                     other is not DONE         not DONE; or the other, DONE,
 *                                                                          when it has claimed the waker
 * LEFT   the future has gone while its waker     the side, while it WAITS  never
 *        was being claimed, and has left a       and the other is DONE
 *        clone of it to the other side
 * and SENT: the message is in its place; set by the sender with its DONE. RECEIVED: it is there no more; set by the
 * receiver, when it was SENT. When the sender is GONE as well the word is the receiver's alone, and setting a bit is
 * no read-modify-write.
 *
 * How a waker that was not cloned is woken without a lock. It is good for as long as its future is
 * linked, that is while WAITS is set; so the side that is done claims it first, and clears WAITS
 * then. Meanwhile the future may be polled by chance and find that it is ready, or be dropped. It does
 * not wait for WAITS to go: it clones its waker, and sets LEFT. The clone keeps the waker alive until
 * it has been claimed; the claiming side finds LEFT when it clears WAITS and drops the clone. Or LEFT
 * comes too late, nobody uses the waker any more, and the future drops the clone itself.
 * Rejected: a clone for each wait (two read-modify-writes, where the clearing of WAITS is one), and a
 * lock around the claim (as many, and both sides take it).
 *
 * Orders. Read-modify-writes of a side's end (DONE, GONE) release what it did to the channel to the
 * other's acquiring look: the message, and the last touch before the channel is freed. WAITS, set,
 * releases waker[side] to the end of the other side, which acquires. WAITS, cleared after the claim,
 * releases the last use of the waker to the future's acquiring look, after which its task may be freed;
 * LEFT releases the clone to the clearing of WAITS.
 */
#ifndef EDO_CHANNELS_ONESHOT_STATE_H
#define EDO_CHANNELS_ONESHOT_STATE_H

#include "../internal/sys.h"

enum {
    EDO_ONESHOT_DONE = 1u << 0,
    EDO_ONESHOT_GONE = 1u << 1,
    EDO_ONESHOT_WAITS = 1u << 2,
    EDO_ONESHOT_LEFT = 1u << 3,
    EDO_ONESHOT_SENT = 1u << 8,
    EDO_ONESHOT_RECEIVED = 1u << 9,
};

/* A side's bits: EDO_ONESHOT_DONE << side. The other side is 4 - side. */
enum edo_oneshot_side { EDO_ONESHOT_TX = 0, EDO_ONESHOT_RX = 4 };

enum {
    EDO_ONESHOT_TX_DONE = EDO_ONESHOT_DONE << EDO_ONESHOT_TX,
    EDO_ONESHOT_TX_GONE = EDO_ONESHOT_GONE << EDO_ONESHOT_TX,
    EDO_ONESHOT_TX_WAITS = EDO_ONESHOT_WAITS << EDO_ONESHOT_TX,
    EDO_ONESHOT_RX_DONE = EDO_ONESHOT_DONE << EDO_ONESHOT_RX,
    EDO_ONESHOT_RX_GONE = EDO_ONESHOT_GONE << EDO_ONESHOT_RX,
    EDO_ONESHOT_RX_WAITS = EDO_ONESHOT_WAITS << EDO_ONESHOT_RX,
};

typedef _Atomic(uint32_t) edo_oneshot_state;

static inline uint32_t edo_oneshot_state_look(edo_oneshot_state *state)
{
    return edo_load(state, acquire);
}

/* The sender is done; with SENT, unless the receiver is done. GONE too, unless the receiver waits, and is
 * to be woken before edo_oneshot_state_claimed. Returns the word as it was. */
static inline uint32_t edo_oneshot_state_finish(edo_oneshot_state *state, uint32_t sent)
{
    uint32_t old = edo_load(state, relaxed), now;
    do {
        now = old | EDO_ONESHOT_TX_DONE;
        if (!(old & EDO_ONESHOT_RX_DONE))
            now |= sent;
        if (!(old & EDO_ONESHOT_RX_WAITS))
            now |= EDO_ONESHOT_TX_GONE;
    } while (!edo_cas_weak(state, &old, now, acq_rel, relaxed));
    return old;
}

/* The same where the receiver has done nothing yet, and there is nothing to acquire. False: it has; nothing is set. */
static inline bool edo_oneshot_state_finish_first(edo_oneshot_state *state, uint32_t sent)
{
    uint32_t fresh = 0;
    return edo_load(state, relaxed) == fresh &&
           edo_cas(state, &fresh, EDO_ONESHOT_TX_DONE | EDO_ONESHOT_TX_GONE | sent, release,
                   relaxed);
}

/* The receiver is done. Returns the word as it was. */
static inline uint32_t edo_oneshot_state_close(edo_oneshot_state *state)
{
    return edo_fetch_or(state, EDO_ONESHOT_RX_DONE, acq_rel);
}

/* The receiver is gone. Returns the word as it was. */
static inline uint32_t edo_oneshot_state_gone(edo_oneshot_state *state)
{
    return edo_fetch_or(state, EDO_ONESHOT_RX_GONE, acq_rel);
}

/* Whether there is a message, in such a word. */
static inline bool edo_oneshot_state_full(uint32_t now)
{
    return (now & (EDO_ONESHOT_SENT | EDO_ONESHOT_RECEIVED)) == EDO_ONESHOT_SENT;
}

/* The receiver takes it, and has seen `now`. Relaxed: it is nobody else's business. */
static inline void edo_oneshot_state_receive(edo_oneshot_state *state, uint32_t now)
{
    if (edo_likely(now & EDO_ONESHOT_TX_GONE))
        edo_store(state, now | EDO_ONESHOT_RECEIVED, relaxed);
    else
        edo_fetch_or(state, EDO_ONESHOT_RECEIVED, relaxed);
}

/* The waker of `side`, which WAITS, was claimed by the other one, which is DONE; and sets its `gone`, or
 * 0. Returns the word as it was. */
static inline uint32_t edo_oneshot_state_claimed(edo_oneshot_state *state,
                                                 enum edo_oneshot_side side, uint32_t gone)
{
    return edo_fetch_add(state, gone - (EDO_ONESHOT_WAITS << side), acq_rel);
}

/* The waker of `side` is in its place. False: the other side is done already; nothing is set. One that WAITS is another
 * future's, which nobody would wake any more. */
static inline bool edo_oneshot_state_wait(edo_oneshot_state *state, enum edo_oneshot_side side)
{
    uint32_t old = edo_load(state, relaxed);
    do {
        if (edo_unlikely(
                old & (EDO_ONESHOT_DONE << (EDO_ONESHOT_RX - side) | EDO_ONESHOT_WAITS << side))) {
            if (old & EDO_ONESHOT_DONE << (EDO_ONESHOT_RX - side))
                return false;
            edo_bug(__FILE__, __LINE__,
                    "two futures wait for one side of a oneshot at the same time, or one that "
                    "waited was not dropped");
        }
    } while (!edo_cas_weak(state, &old, old | EDO_ONESHOT_WAITS << side, release, relaxed));
    return true;
}

/* Takes the waker back. False: the other side is done, and claims or has claimed it. */
static inline bool edo_oneshot_state_retract(edo_oneshot_state *state, enum edo_oneshot_side side)
{
    uint32_t old = edo_load(state, relaxed);
    do {
        if (old & EDO_ONESHOT_DONE << (EDO_ONESHOT_RX - side))
            return false;
        /* Relaxed: the other side has not looked at the waker. */
    } while (!edo_cas_weak(state, &old, old & ~(EDO_ONESHOT_WAITS << side), relaxed, relaxed));
    return true;
}

/* Leaves a clone of the waker to the other side. False: it has claimed the waker already. */
static inline bool edo_oneshot_state_leave(edo_oneshot_state *state, enum edo_oneshot_side side)
{
    return edo_fetch_or(state, EDO_ONESHOT_LEFT << side, acq_rel) & EDO_ONESHOT_WAITS << side;
}

#endif
