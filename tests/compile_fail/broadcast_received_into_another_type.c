/* SPDX-License-Identifier: MIT */
/* expect: gcc type is not what the handle carries | clang type is not what the handle carries */
/* A broadcast message received into another type. */
#include "edo.h"

int main(void)
{
    BROADCAST_SENDER(int) tx;
    BROADCAST_RECEIVER(int) rx;
    if (edo_broadcast(&tx, &rx, 1) < 0)
        return 1;
#ifndef RIGHT
    unsigned message;
#else
    int message;
#endif
    uint64_t lagged;
    int error = edo_broadcast_try_recv(rx, &message, &lagged);
    edo_broadcast_sender_drop(tx);
    edo_broadcast_receiver_drop(rx);
    return error;
}
