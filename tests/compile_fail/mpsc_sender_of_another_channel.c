/* SPDX-License-Identifier: MIT */
/* expect: gcc not a handle of the kind that this function takes | clang not a handle of the kind that this function takes */
/* The sender of an async_channel where one of an mpsc is meant. */
#include "edo.h"

int main(void)
{
    ASYNC_SENDER(int) tx;
    ASYNC_RECEIVER(int) rx;
    if (edo_async_channel(&tx, &rx, 1) < 0)
        return 1;
    int message = 1;
#ifndef RIGHT
    int error = edo_mpsc_try_send(tx, &message);
#else
    int error = edo_async_try_send(tx, &message);
#endif
    edo_async_sender_drop(tx);
    edo_async_receiver_drop(rx);
    return error;
}
