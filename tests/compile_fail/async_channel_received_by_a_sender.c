/* SPDX-License-Identifier: MIT */
/* expect: gcc not a handle of the kind that this function takes | clang not a handle of the kind that this function takes */
/* A message received by a sender. */
#include "edo.h"

int main(void)
{
    ASYNC_SENDER(int) tx;
    ASYNC_RECEIVER(int) rx;
    if (edo_async_channel(&tx, &rx, 1) < 0)
        return 1;
    int message;
#ifndef RIGHT
    int error = edo_async_try_recv(tx, &message);
#else
    int error = edo_async_try_recv(rx, &message);
#endif
    edo_async_sender_drop(tx);
    edo_async_receiver_drop(rx);
    return error;
}
