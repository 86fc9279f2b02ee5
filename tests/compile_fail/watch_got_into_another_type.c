/* SPDX-License-Identifier: MIT */
/* expect: gcc type is not what the handle carries | clang type is not what the handle carries */
/* An int that is watched, copied into a long. */
#include "edo.h"

int main(void)
{
    WATCH_SENDER(int) tx;
    WATCH_RECEIVER(int) rx;
    int initial = 0;
    if (edo_watch(&tx, &rx, &initial) < 0)
        return 1;
#ifndef RIGHT
    long value;
#else
    int value;
#endif
    edo_watch_get(rx, &value);
    edo_watch_sender_drop(tx);
    edo_watch_receiver_drop(rx);
    return (int)value;
}
