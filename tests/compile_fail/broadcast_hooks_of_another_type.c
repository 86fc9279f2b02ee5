/* SPDX-License-Identifier: MIT */
/* expect: gcc incompatible-pointer-types|incompatible pointer type | clang incompatible-pointer-types|incompatible pointer types|incompatible-function-pointer-types */
/* Broadcast messages dropped as if they were others. */
#include "edo.h"

#ifndef RIGHT
typedef long message;
#else
typedef int message;
#endif

static void message_clone(const int *value, int *copy)
{
    *copy = *value;
}

static void message_drop(message *value)
{
    *value = 0;
}

int main(void)
{
    BROADCAST_SENDER(int) tx;
    BROADCAST_RECEIVER(int) rx;
    if (edo_broadcast_with(&tx, &rx, 1, message_clone, message_drop) < 0)
        return 1;
    edo_broadcast_sender_drop(tx);
    edo_broadcast_receiver_drop(rx);
    return 0;
}
