/* SPDX-License-Identifier: MIT */
/* A published message: one block, shared by all who are to get it.
 *
 * The references may be of several threads; the message itself does not change.
 */
#ifndef MINI_REDIS_MESSAGE_H
#define MINI_REDIS_MESSAGE_H

#include "store.h"

struct message {
    _Atomic(size_t) references;
    _Atomic(size_t) *sum; /* of the bytes of all messages */
    struct store_text channel, payload;
    char bytes[];
};

/* What it takes. */
static inline size_t message_size(const struct message *message)
{
    return sizeof *message + message->channel.length + message->payload.length;
}

/* A copy of both, with one reference, which is the caller's; NULL without memory. It is added to
 * *sum as long as it lives. */
struct message *message_new(struct store_text channel, struct store_text payload,
                            _Atomic(size_t) *sum);

/* One more reference; and one less, the last of which frees it. */
struct message *message_ref(struct message *message);
void message_unref(struct message *message);

#endif
