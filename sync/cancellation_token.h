/* SPDX-License-Identifier: MIT */
/* Cancellation tokens: one says stop, and all who hold the token, or a child of it, learn of it.
 *
 *     struct edo_cancellation_token *token = edo_cancellation_token_new();      NULL: no memory
 *
 *     SELECT {
 *         WHEN(self->cancelled, edo_cancelled(self->token)) { … clean up … }
 *         WHEN(self->work, …) { … }
 *     }
 *
 *     edo_cancellation_token_cancel(token);                                     elsewhere
 *
 * A child is cancelled with its parent, and can be cancelled alone. Cancelling is for good. Who sees a
 * token cancelled sees all below it cancelled, and what was written before it was.
 *
 * Tokens are counted: each handle is owned, and dropped once. Children do not need their parent's
 * handles: when those are all dropped, they become children of its parent. All functions may be called
 * from any thread, and from a poll; none waits, recurses, or takes longer than there are tokens.
 */
#ifndef EDO_SYNC_CANCELLATION_TOKEN_H
#define EDO_SYNC_CANCELLATION_TOKEN_H

#include "../error.h"
#include "../future.h"
#include "../internal/row.h"

#ifdef __cplusplus
extern "C" {
#endif

struct edo_cancellation_token;

/* A token without parent; or one that is cancelled with this one, and at once if this one is. NULL
 * without memory. */
struct edo_cancellation_token *edo_cancellation_token_new(void);
struct edo_cancellation_token *edo_cancellation_token_child(struct edo_cancellation_token *token);

/* A further handle of the same token; and one is given back, NULL is fine. That does not cancel. The last
 * one is dropped when nobody waits for the token. */
struct edo_cancellation_token *edo_cancellation_token_clone(struct edo_cancellation_token *token);
void edo_cancellation_token_drop(struct edo_cancellation_token *token);

/* Cancels the token and all below it, and wakes all who wait for one of them. Nothing when it is cancelled
 * already: those who wait may then still be being woken, by who was first. */
void edo_cancellation_token_cancel(struct edo_cancellation_token *token);

bool edo_cancellation_token_is_cancelled(const struct edo_cancellation_token *token);

/* edo_cancelled(token): a future that is ready when the token is cancelled. It uses the caller's handle,
 * which is dropped after it: to wait on a clone of one's own, drop that in FINALLY. From any thread and
 * executor; allocates nothing. It takes nothing off the budget, and is ready also without one: a task that
 * has used it up is cancelled all the same. Cancel safe. */
struct edo_cancelled {
    EDO_FUTURE(void);
    struct edo_cancellation_token *token;
    struct edo_waiter waiter;
};
struct edo_cancelled edo_cancelled(struct edo_cancellation_token *token);

/* edo_run_until_cancelled(token, &self->child): polls a future of the same frame until it is ready, or
 * the token is cancelled, and then drops it. Output 0: the child's is in the child; UV_ECANCELED. A token
 * that is cancelled before the first poll wins, and the child is not polled; after that the child does
 * when both are ready. The handle is the caller's, as above. Cancel safety: the child's; dropping it drops
 * the child. */
struct edo_run_until_cancelled {
    EDO_FUTURE(int);
    struct edo_future *child;
    struct edo_cancelled cancelled;
};
#define edo_run_until_cancelled(token, child) edo_run_until_cancelled_((token), &(child)->future_)
struct edo_run_until_cancelled edo_run_until_cancelled_(struct edo_cancellation_token *token,
                                                        struct edo_future *child);

/* A guard owns a handle, {token}: dropped, it cancels the token and drops the handle. Zeroed it is empty, and
 * does nothing: fit for FINALLY. Disarmed it is empty, and the handle is the caller's again. */
struct edo_cancellation_guard {
    struct edo_cancellation_token *token;
};
void edo_cancellation_guard_drop(struct edo_cancellation_guard *guard);
struct edo_cancellation_token *edo_cancellation_guard_disarm(struct edo_cancellation_guard *guard);

#ifdef __cplusplus
}
#endif

#endif
