/* SPDX-License-Identifier: MIT */
#include "message.h"

#include <string.h>

#include "internal/sys.h"

struct message *message_new(struct store_text channel, struct store_text payload, size_t *sum)
{
    struct message *message = edo_malloc(sizeof *message + channel.length + payload.length);
    if (message == NULL)
        return NULL;
    char *copy = message->bytes + channel.length;
    memcpy(message->bytes, channel.data, channel.length);
    memcpy(copy, payload.data, payload.length);
    message->references = 1;
    message->sum = sum;
    message->channel = (struct store_text){message->bytes, channel.length};
    message->payload = (struct store_text){copy, payload.length};
    *sum += message_size(message);
    return message;
}

struct message *message_ref(struct message *message)
{
    message->references++;
    return message;
}

void message_unref(struct message *message)
{
    if (--message->references > 0)
        return;
    *message->sum -= message_size(message);
    edo_free(message);
}
