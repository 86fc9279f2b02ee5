/* SPDX-License-Identifier: MIT */
/* expect: gcc incompatible-pointer-types|incompatible pointer type | clang incompatible-pointer-types|incompatible pointer types|incompatible-function-pointer-types */
/* An async_channel whose ends are of two types. */
#include "edo.h"

int main(void)
{
    ASYNC_SENDER(int) tx;
#ifndef RIGHT
    ASYNC_RECEIVER(unsigned) rx;
#else
    ASYNC_RECEIVER(int) rx;
#endif
    if (edo_async_channel(&tx, &rx, 1) < 0)
        return 1;
    edo_async_sender_drop(tx);
    edo_async_receiver_drop(rx);
    return 0;
}
