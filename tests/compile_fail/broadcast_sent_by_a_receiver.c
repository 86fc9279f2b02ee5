/* SPDX-License-Identifier: MIT */
/* expect: gcc not a handle of the kind that this function takes | clang not a handle of the kind that this function takes */
/* A broadcast that is sent by a receiver. */
#include "edo.h"

int main(void)
{
    BROADCAST_SENDER(int) tx;
    BROADCAST_RECEIVER(int) rx;
    if (edo_broadcast(&tx, &rx, 1) < 0)
        return 1;
    int message = 1;
#ifndef RIGHT
    int receivers = edo_broadcast_send(rx, &message);
#else
    int receivers = edo_broadcast_send(tx, &message);
#endif
    edo_broadcast_sender_drop(tx);
    edo_broadcast_receiver_drop(rx);
    return receivers;
}
