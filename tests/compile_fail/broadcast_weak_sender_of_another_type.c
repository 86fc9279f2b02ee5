/* SPDX-License-Identifier: MIT */
/* expect: gcc incompatible-pointer-types|incompatible pointer type | clang incompatible-pointer-types|incompatible pointer types|incompatible-function-pointer-types */
/* A weak sender of int kept as one of long. */
#include "edo.h"

int main(void)
{
    BROADCAST_SENDER(int) tx;
    BROADCAST_RECEIVER(int) rx;
    if (edo_broadcast(&tx, &rx, 1) < 0)
        return 1;
#ifndef RIGHT
    BROADCAST_WEAK_SENDER(long) weak = edo_broadcast_downgrade(tx);
#else
    BROADCAST_WEAK_SENDER(int) weak = edo_broadcast_downgrade(tx);
#endif
    edo_broadcast_weak_sender_drop(weak);
    edo_broadcast_sender_drop(tx);
    edo_broadcast_receiver_drop(rx);
    return 0;
}
