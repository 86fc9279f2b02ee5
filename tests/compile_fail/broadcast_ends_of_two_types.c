/* SPDX-License-Identifier: MIT */
/* expect: gcc incompatible-pointer-types|incompatible pointer type | clang incompatible-pointer-types|incompatible pointer types|incompatible-function-pointer-types */
/* A broadcast channel whose ends are of two types. */
#include "edo.h"

int main(void)
{
    BROADCAST_SENDER(int) tx;
#ifndef RIGHT
    BROADCAST_RECEIVER(unsigned) rx;
#else
    BROADCAST_RECEIVER(int) rx;
#endif
    if (edo_broadcast(&tx, &rx, 1) < 0)
        return 1;
    edo_broadcast_sender_drop(tx);
    edo_broadcast_receiver_drop(rx);
    return 0;
}
