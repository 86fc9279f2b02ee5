/* SPDX-License-Identifier: MIT */
/* expect: gcc type is not what the handle carries | clang type is not what the handle carries */
/* A long stored where an int is watched. */
#include "edo.h"

int main(void)
{
    WATCH_SENDER(int) tx;
    WATCH_RECEIVER(int) rx;
    int initial = 0;
    if (edo_watch(&tx, &rx, &initial) < 0)
        return 1;
#ifndef RIGHT
    long value = 1;
#else
    int value = 1;
#endif
    int error = edo_watch_send(tx, &value);
    edo_watch_sender_drop(tx);
    edo_watch_receiver_drop(rx);
    return error;
}
