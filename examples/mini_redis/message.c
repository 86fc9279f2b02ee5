/* SPDX-License-Identifier: MIT */
#include "message.h"

#include <stdatomic.h>
#include <string.h>

#include "internal/sys.h"

struct message *message_new(struct store_text channel, struct store_text payload,
                            _Atomic(size_t) *sum)
{
    struct message *message = edo_malloc(sizeof *message + channel.length + payload.length);
    if (message == NULL)
        return NULL;
    char *copy = message->bytes + channel.length;
    memcpy(message->bytes, channel.data, channel.length);
    memcpy(copy, payload.data, payload.length);
    atomic_init(&message->references, 1);
    message->sum = sum;
    message->channel = (struct store_text){message->bytes, channel.length};
    message->payload = (struct store_text){copy, payload.length};
    atomic_fetch_add(sum, message_size(message));
    return message;
}

struct message *message_ref(struct message *message)
{
    atomic_fetch_add(&message->references, 1);
    return message;
}

void message_unref(struct message *message)
{
    if (atomic_fetch_sub(&message->references, 1) > 1)
        return;
    atomic_fetch_sub(message->sum, message_size(message));
    edo_free(message);
}
