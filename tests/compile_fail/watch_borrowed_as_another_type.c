/* SPDX-License-Identifier: MIT */
/* expect: gcc incompatible-pointer-types|incompatible pointer type | clang incompatible-pointer-types|incompatible pointer types|incompatible-function-pointer-types */
/* An int that is watched, borrowed as a long. */
#include "edo.h"

int main(void)
{
    WATCH_SENDER(int) tx;
    WATCH_RECEIVER(int) rx;
    int initial = 0;
    if (edo_watch(&tx, &rx, &initial) < 0)
        return 1;
#ifndef RIGHT
    const long *value = edo_watch_borrow(rx);
#else
    const int *value = edo_watch_borrow(rx);
#endif
    edo_watch_release(rx, (const int *)(const void *)value);
    edo_watch_sender_drop(tx);
    edo_watch_receiver_drop(rx);
    return 0;
}
