/* SPDX-License-Identifier: MIT */
/* A waker kept by whoever links a future in a list; a list of such futures is in row.h.
 *
 * A stable waker is kept as it is: the future is unlinked before its task goes, so the pointer is
 * good for as long as it is linked. Any other is cloned.
 */
#ifndef EDO_INTERNAL_WAITER_H
#define EDO_INTERNAL_WAITER_H

#include "../poll.h"

static inline bool edo_waker_stable(const struct edo_waker *waker)
{
    return waker->ops->claim != NULL;
}

static inline struct edo_waker *edo_waker_keep(struct edo_waker *waker)
{
    return edo_waker_stable(waker) ? waker : edo_waker_clone(waker);
}

/* Ends what edo_waker_keep began. NULL is fine. */
static inline void edo_waker_forget(struct edo_waker *waker)
{
    if (waker != NULL && !edo_waker_stable(waker))
        edo_waker_drop(waker);
}

/* As edo_budget_spent, by a future that may be linked with a waker, `kept`; NULL: it is not. One that another task has
 * polled last is tried all the same, once: that task may end now, and nothing of it is left behind (poll.h, rule 6). */
static inline bool edo_budget_spent_by(struct edo_context *cx, const struct edo_waker *kept)
{
    return __builtin_expect(cx->budget == 0, 0) && (kept == NULL || kept == cx->waker) &&
           edo_budget_spent(cx);
}

/* Before a lock under which a kept waker may be replaced: the other one, kept, or NULL when it is the same.
 * Cloned before the lock, and what is left over is forgotten after it: both may be somebody else's code. */
static inline struct edo_waker *edo_waker_spare(const struct edo_waker *kept,
                                                struct edo_waker *waker)
{
    return kept != waker ? edo_waker_keep(waker) : NULL;
}

/* Replaces a kept waker by another; *kept may be NULL. */
static inline void edo_waker_rekeep(struct edo_waker **kept, struct edo_waker *waker)
{
    if (*kept == waker)
        return;
    struct edo_waker *old = *kept;
    *kept = edo_waker_keep(waker);
    edo_waker_forget(old);
}

/* A wake in two halves, for one that is kept where a lock guards it. The first, under the lock, takes
 * the kept waker over; the second, after it, does what is left. */
static inline struct edo_waker *edo_waker_claim(struct edo_waker *kept)
{
    return edo_waker_stable(kept) ? kept->ops->claim(kept) : kept;
}

static inline void edo_waker_finish(struct edo_waker *claimed)
{
    if (claimed == NULL)
        return;
    if (claimed->ops->finish != NULL) {
        claimed->ops->finish(claimed);
    } else {
        edo_wake(claimed);
        edo_waker_drop(claimed);
    }
}

/* Claims under a lock, to be finished when it is let go. When full, the lock is let go in between, and
 * something has to keep it meanwhile: row.h, rule 3. 32 is Tokio's figure; the models make it 1, for such
 * moments to come. */
#ifndef EDO_WAKES
#define EDO_WAKES 32
#endif
struct edo_wakes {
    int count;
    struct edo_waker *claimed[EDO_WAKES];
};

static inline bool edo_wakes_full(const struct edo_wakes *wakes)
{
    return wakes->count == EDO_WAKES;
}

/* What edo_waker_claim returned; NULL is fine. */
static inline void edo_wakes_add(struct edo_wakes *wakes, struct edo_waker *claimed)
{
    if (claimed != NULL)
        wakes->claimed[wakes->count++] = claimed;
}

/* Under the lock: takes a kept waker over; NULL is fine. */
static inline void edo_wakes_claim(struct edo_wakes *wakes, struct edo_waker *kept)
{
    edo_wakes_add(wakes, kept != NULL ? edo_waker_claim(kept) : NULL);
}

/* After the lock. */
static inline void edo_wakes_finish(struct edo_wakes *wakes)
{
    for (int i = 0; i < wakes->count; i++)
        edo_waker_finish(wakes->claimed[i]);
    wakes->count = 0;
}

/* Wakes and forgets. */
static inline void edo_waker_fire(struct edo_waker **kept)
{
    struct edo_waker *waker = *kept;
    *kept = NULL;
    edo_wake(waker);
    edo_waker_forget(waker);
}

#endif
