/* SPDX-License-Identifier: MIT */
/* expect: gcc incompatible-pointer-types|incompatible pointer type | clang incompatible-pointer-types|incompatible pointer types|incompatible-function-pointer-types */
/* A watch of int that begins with a long. */
#include "edo.h"

int main(void)
{
    WATCH_SENDER(int) tx;
    WATCH_RECEIVER(int) rx;
#ifndef RIGHT
    long initial = 0;
#else
    int initial = 0;
#endif
    if (edo_watch(&tx, &rx, &initial) < 0)
        return 1;
    edo_watch_sender_drop(tx);
    edo_watch_receiver_drop(rx);
    return 0;
}
