/* SPDX-License-Identifier: MIT */
/* One client's subscriptions: what it is told, in the order in which it was published.
 *
 *     struct subscriber *subscriber = subscriber_new(&pubsub, &waits);
 *     pubsub_lock(&pubsub);
 *     subscriber_add(subscriber, PUBSUB_CHANNEL, (struct store_text){"news", 4});
 *     pubsub_unlock(&pubsub);
 *     …
 *     AWAIT(self->messages, subscriber_wait(self->subscriber));
 *     if (subscriber_write(self->subscriber, &self->out, 64 << 10) < 0)
 *         …no room: close…
 *     …send `out`; while the peer does not take it…
 *     WHEN(self->overrun, subscriber_overrun(self->subscriber)) { …too slow: close… }
 *     …
 *     subscriber_free(subscriber);
 *
 * Each subscription has a receiver of its topic's broadcast channel. Who publishes tells those that had
 * nothing that now they have: only these are looked at. So a message costs the same whatever the number of
 * subscriptions; of several that have something, the one with the oldest message comes first.
 *
 * Used by one task, of any thread.
 */
#ifndef MINI_REDIS_SUBSCRIBER_H
#define MINI_REDIS_SUBSCRIBER_H

#include "io/bytes.h"
#include "pubsub.h"
#include "sync/notify.h"

struct subscriber;

/* NULL without memory. The caller's, who frees it; with NULL that does nothing. Freed, it has left
 * all that it was subscribed to: it takes the pubsub's lock for that, for each anew, the oldest first. `*waits` is 0,
 * and how many bytes of messages wait to be written, in channels or kept; for others to see, to whom it may be too
 * little for a moment: what is written at once is told of later. */
struct subscriber *subscriber_new(struct pubsub *pubsub, _Atomic(int64_t) *waits);
void subscriber_free(struct subscriber *self);

/* Subscribes, with the pubsub locked: 1, or 0 when it was. -EDQUOT: this client has as many as it may;
 * -ENAMETOOLONG, -ENOSPC, -ENOMEM as topic_join: nothing has changed. */
int subscriber_add(struct subscriber *self, enum pubsub_kind kind, struct store_text name);

/* Unsubscribes, with the pubsub locked; false when it was not subscribed. When everything has been written
 * (subscriber_pending) since it was locked: what came before it left is not lost. */
bool subscriber_remove(struct subscriber *self, enum pubsub_kind kind, struct store_text name);

/* The topic of its oldest subscription of the kind, or of its newest; NULL when it has none. */
const struct topic *subscriber_oldest(const struct subscriber *self, enum pubsub_kind kind);
const struct topic *subscriber_newest(const struct subscriber *self, enum pubsub_kind kind);

/* How many subscriptions it has, of both kinds. */
size_t subscriber_count(const struct subscriber *self);

/* How many of one kind, and how long their names are in sum. */
size_t subscriber_names(const struct subscriber *self, enum pubsub_kind kind, size_t *bytes);

/* Appends messages that have come to `out`, until there is no more, or it holds `most` bytes. 0, or what
 * edo_bytes_reserve said: the message is still to be written. */
int subscriber_write(struct subscriber *self, struct edo_bytes *out, size_t most);

/* Whether there is more. */
bool subscriber_pending(struct subscriber *self);

/* Estimates of its memory in bytes: its own with that of its topics, and the messages that it keeps
 * for its peer, which others may keep too. */
size_t subscriber_size(const struct subscriber *self);
size_t subscriber_kept(const struct subscriber *self);

/* subscriber_wait(subscriber): a future that is ready when there is something to write.
 * subscriber_overrun(subscriber): for while nothing can be written: takes messages out of their
 * channels and keeps them, and is ready when there are more than the limits allow, or memory. One of
 * them at a time. Cancel safe. */
struct subscriber_wait {
    FUTURE(void);
    struct subscriber *subscriber;
    bool keep;
    struct edo_notified told;
};
struct subscriber_wait subscriber_wait(struct subscriber *subscriber);
struct subscriber_wait subscriber_overrun(struct subscriber *subscriber);

#endif
