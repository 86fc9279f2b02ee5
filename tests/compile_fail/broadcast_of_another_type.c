/* SPDX-License-Identifier: MIT */
/* expect: gcc type is not what the handle carries | clang type is not what the handle carries */
/* A long broadcast to receivers of int. */
#include "edo.h"

int main(void)
{
    BROADCAST_SENDER(int) tx;
    BROADCAST_RECEIVER(int) rx;
    if (edo_broadcast(&tx, &rx, 1) < 0)
        return 1;
#ifndef RIGHT
    long message = 1;
#else
    int message = 1;
#endif
    int receivers = edo_broadcast_send(tx, &message);
    edo_broadcast_sender_drop(tx);
    edo_broadcast_receiver_drop(rx);
    return receivers;
}
