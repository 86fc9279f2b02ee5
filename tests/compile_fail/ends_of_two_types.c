/* SPDX-License-Identifier: MIT */
/* expect: gcc incompatible-pointer-types|incompatible pointer type | clang incompatible-pointer-types|incompatible pointer types */
/* A sender and a receiver of two types, for one channel. */
#include "edo.h"

int main(void)
{
    MPSC_SENDER(int) tx;
#ifndef RIGHT
    MPSC_RECEIVER(unsigned) rx;
#else
    MPSC_RECEIVER(int) rx;
#endif
    if (edo_mpsc(&tx, &rx, 1) < 0)
        return 1;
    edo_mpsc_sender_drop(tx);
    edo_mpsc_receiver_drop(rx);
    return 0;
}
