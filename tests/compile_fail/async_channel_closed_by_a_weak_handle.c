/* SPDX-License-Identifier: MIT */
/* expect: gcc not a handle of an async_channel | clang not a handle of an async_channel */
/* An async_channel closed by a weak sender. */
#include "edo.h"

int main(void)
{
    ASYNC_SENDER(int) tx;
    ASYNC_RECEIVER(int) rx;
    if (edo_async_channel(&tx, &rx, 1) < 0)
        return 1;
    ASYNC_WEAK_SENDER(int) weak = edo_async_sender_downgrade(tx);
#ifndef RIGHT
    edo_async_close(weak);
#else
    edo_async_close(tx);
#endif
    edo_async_weak_sender_drop(weak);
    edo_async_sender_drop(tx);
    edo_async_receiver_drop(rx);
    return 0;
}
