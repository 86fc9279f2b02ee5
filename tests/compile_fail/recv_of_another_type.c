/* SPDX-License-Identifier: MIT */
/* expect: gcc type is not what the handle carries | clang type is not what the handle carries */
/* A message received into another type than the channel's. */
#include "edo.h"

int main(void)
{
    MPSC_SENDER(int) tx;
    MPSC_RECEIVER(int) rx;
    if (edo_mpsc(&tx, &rx, 1) < 0)
        return 1;
#ifndef RIGHT
    long message;
#else
    int message;
#endif
    int error = edo_mpsc_try_recv(rx, &message);
    edo_mpsc_sender_drop(tx);
    edo_mpsc_receiver_drop(rx);
    return error;
}
