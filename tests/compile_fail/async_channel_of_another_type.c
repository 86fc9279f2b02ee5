/* SPDX-License-Identifier: MIT */
/* expect: gcc type is not what the handle carries | clang type is not what the handle carries */
/* A long sent down an async_channel of int. */
#include "edo.h"

int main(void)
{
    ASYNC_SENDER(int) tx;
    ASYNC_RECEIVER(int) rx;
    if (edo_async_channel(&tx, &rx, 1) < 0)
        return 1;
#ifndef RIGHT
    long message = 1;
#else
    int message = 1;
#endif
    int error = edo_async_try_send(tx, &message);
    edo_async_sender_drop(tx);
    edo_async_receiver_drop(rx);
    return error;
}
