/* SPDX-License-Identifier: MIT */
/* expect: gcc type is not what the handle carries | clang type is not what the handle carries */
/* The message that is replaced goes to a place of another type. */
#include "edo.h"

int main(void)
{
    ASYNC_SENDER(int) tx;
    ASYNC_RECEIVER(int) rx;
    if (edo_async_channel(&tx, &rx, 1) < 0)
        return 1;
    int message = 1;
#ifndef RIGHT
    char replaced;
#else
    int replaced;
#endif
    int error = edo_async_force_send(tx, &message, &replaced);
    edo_async_sender_drop(tx);
    edo_async_receiver_drop(rx);
    return error;
}
