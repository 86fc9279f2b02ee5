/* SPDX-License-Identifier: MIT */
/* expect: gcc incompatible-pointer-types|incompatible pointer type | clang incompatible-pointer-types|incompatible pointer types|incompatible-function-pointer-types */
/* A watch whose ends are of two types. */
#include "edo.h"

int main(void)
{
    WATCH_SENDER(int) tx;
#ifndef RIGHT
    WATCH_RECEIVER(unsigned) rx;
#else
    WATCH_RECEIVER(int) rx;
#endif
    int initial = 0;
    if (edo_watch(&tx, &rx, &initial) < 0)
        return 1;
    edo_watch_sender_drop(tx);
    edo_watch_receiver_drop(rx);
    return 0;
}
