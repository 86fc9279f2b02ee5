/* SPDX-License-Identifier: MIT */
/* One lock for all tokens of a tree, which is counted by them. It guards who is whose child, and the
 * futures that wait. `cancelled` is written under it, and read without.
 *
 * To cancel, a token is put on a list of the call's, and behind it its children, and theirs. So nothing
 * recurses. Then they are cancelled from the back, so that who finds one cancelled finds its children so
 * too; and only after that the lock is let go, to wake.
 */
#include "cancellation_token.h"

#include <errno.h>

#include "../internal/sys.h"
#include "../internal/waiter.h"

struct tree {
    struct edo_lock lock;
    size_t tokens;
};

struct edo_cancellation_token {
    struct tree *tree;
    struct edo_list node; /* among its parent's children */
    struct edo_list children, waiters;
    _Atomic(size_t) refs; /* handles */
    atomic_bool cancelled;
};

static struct edo_cancellation_token *token_of(struct edo_list *node)
{
    return edo_container_of(node, struct edo_cancellation_token, node);
}

static struct edo_cancellation_token *token_new(struct tree *tree)
{
    struct edo_cancellation_token *token = edo_calloc(1, sizeof *token);
    if (token == NULL)
        return NULL;
    token->tree = tree;
    edo_list_init(&token->children);
    edo_list_init(&token->waiters);
    edo_init(&token->refs, 1);
    edo_init(&token->cancelled, false);
    return token;
}

struct edo_cancellation_token *edo_cancellation_token_new(void)
{
    struct tree *tree = edo_malloc(sizeof *tree);
    if (tree == NULL)
        return NULL;
    struct edo_cancellation_token *token = token_new(tree);
    if (token == NULL) {
        edo_free(tree);
        return NULL;
    }
    edo_lock_init(&tree->lock);
    tree->tokens = 1;
    return token;
}

struct edo_cancellation_token *edo_cancellation_token_child(struct edo_cancellation_token *parent)
{
    struct tree *tree = parent->tree;
    struct edo_cancellation_token *token = token_new(tree);
    if (token == NULL)
        return NULL;
    edo_lock(&tree->lock);
    tree->tokens++;
    /* Relaxed: written under the lock; and nobody else has the child yet. */
    if (edo_load(&parent->cancelled, relaxed))
        edo_store(&token->cancelled, true, relaxed);
    else
        edo_list_push_back(&parent->children, &token->node);
    edo_unlock(&tree->lock);
    return token;
}

struct edo_cancellation_token *edo_cancellation_token_clone(struct edo_cancellation_token *token)
{
    /* Relaxed: the caller has one. */
    edo_fetch_add(&token->refs, 1, relaxed);
    return token;
}

void edo_cancellation_token_drop(struct edo_cancellation_token *token)
{
    /* Release, acquire: all that was done with it is done before it is freed. */
    if (token == NULL || edo_fetch_sub(&token->refs, 1, acq_rel) != 1)
        return;
    struct tree *tree = token->tree;
    edo_lock(&tree->lock);
    edo_assert(edo_list_empty(&token->waiters));
    bool linked = edo_list_linked(&token->node);
    for (struct edo_list *child; (child = edo_list_pop_front(&token->children)) != NULL;)
        if (linked)
            edo_list_push_back(&token->node, child); /* in front of it, among its parent's */
    edo_list_remove(&token->node);
    bool last = --tree->tokens == 0;
    edo_unlock(&tree->lock);
    edo_free(token);
    if (last) {
        edo_lock_destroy(&tree->lock);
        edo_free(tree);
    }
}

void edo_cancellation_token_cancel(struct edo_cancellation_token *token)
{
    struct tree *tree = token->tree;
    struct edo_list doomed, waiters, *node;
    edo_list_init(&doomed);
    edo_list_init(&waiters);
    edo_lock(&tree->lock);
    edo_list_remove(&token->node);
    edo_list_push_back(&doomed, &token->node);
    for (node = doomed.next; node != &doomed; node = node->next)
        edo_list_splice(&doomed, &token_of(node)->children);
    while (!edo_list_empty(&doomed)) {
        token = token_of(doomed.prev);
        edo_list_remove(&token->node);
        edo_list_splice(&waiters, &token->waiters);
        /* Release: what was written before the cancel; and that its children are cancelled. */
        edo_store(&token->cancelled, true, release);
    }
    edo_row_drain(&waiters, &tree->lock);
}

bool edo_cancellation_token_is_cancelled(const struct edo_cancellation_token *token)
{
    /* Acquire: what was written before the cancel. */
    return edo_load((atomic_bool *)(uintptr_t)&token->cancelled, acquire);
}

/* Enters the row, or stays there. True when it is cancelled. */
static bool enter(struct edo_cancelled *self, struct edo_waker *waker)
{
    struct edo_cancellation_token *token = self->token;
    struct edo_waker *spare = edo_waker_spare(self->waiter.waker, waker), *old = NULL;
    edo_lock(&token->tree->lock);
    /* Relaxed: written under the lock. */
    bool cancelled = edo_load(&token->cancelled, relaxed);
    if (cancelled)
        old = edo_row_leave(&self->waiter);
    else
        edo_row_join(&token->waiters, &self->waiter, &spare);
    edo_unlock(&token->tree->lock);
    edo_waker_forget(old);
    edo_waker_forget(spare);
    return cancelled;
}

static enum edo_poll edo_cancelled_poll(struct edo_future *future, struct edo_context *cx)
{
    struct edo_cancelled *self = (struct edo_cancelled *)future;
    if (cx->walk == EDO_WALK_DROP && self->waiter.waker != NULL)
        edo_waiter_drop(&self->waiter, &self->token->tree->lock);
    if (cx->walk != EDO_WALK_POLL)
        return edo_walk_leaf(cx, "edo_cancelled");
    bool cancelled = edo_cancellation_token_is_cancelled(self->token);
    if (self->waiter.waker == NULL && cancelled)
        return EDO_READY;
    /* Polled again beside a child that goes on, as a rule: the waker is kept already, and is woken after
     * `cancelled` was written. The lock is the whole tree's. */
    if (self->waiter.waker == cx->waker && !cancelled)
        return EDO_PENDING;
    return enter(self, cx->waker) ? EDO_READY : EDO_PENDING;
}

struct edo_cancelled edo_cancelled(struct edo_cancellation_token *token)
{
    return EDO_NEW_RETURNED(edo_cancelled, .token = token);
}

static enum edo_poll edo_run_until_cancelled_poll(struct edo_future *future, struct edo_context *cx)
{
    struct edo_run_until_cancelled *self = (struct edo_run_until_cancelled *)future;
    if (cx->walk == EDO_WALK_DROP) {
        edo_future_drop(self->child, cx);
        edo_future_drop(&self->cancelled.future_, cx);
        return EDO_READY;
    }
    if (cx->walk == EDO_WALK_TRACE) {
        edo_trace(cx, "edo_run_until_cancelled", NULL, 0);
        cx->depth++;
        edo_future_trace(self->child, cx);
        cx->depth--;
        return EDO_PENDING;
    }
    bool first = future->state == EDO_STATE_FRESH;
    future->state = 1;
    if (!first || !edo_cancellation_token_is_cancelled(self->cancelled.token)) {
        if (edo_future_done(self->child) || edo_future_poll(self->child, cx) == EDO_READY) {
            edo_future_drop(&self->cancelled.future_, cx);
            self->output = 0;
            return EDO_READY;
        }
        if (cx->panic.name != NULL || edo_future_poll(&self->cancelled.future_, cx) == EDO_PENDING)
            return EDO_PENDING;
    }
    edo_future_drop(self->child, cx);
    self->output = -ECANCELED;
    return cx->panic.name != NULL ? EDO_PENDING : EDO_READY;
}

struct edo_run_until_cancelled edo_run_until_cancelled_(struct edo_cancellation_token *token,
                                                        struct edo_future *child)
{
    return EDO_NEW_RETURNED(edo_run_until_cancelled, .child = child,
                            .cancelled = {.future_ = {.poll = edo_cancelled_poll}, .token = token});
}

void edo_cancellation_guard_drop(struct edo_cancellation_guard *guard)
{
    struct edo_cancellation_token *token = edo_cancellation_guard_disarm(guard);
    if (token == NULL)
        return;
    edo_cancellation_token_cancel(token);
    edo_cancellation_token_drop(token);
}

struct edo_cancellation_token *edo_cancellation_guard_disarm(struct edo_cancellation_guard *guard)
{
    struct edo_cancellation_token *token = guard->token;
    guard->token = NULL;
    return token;
}
