/* SPDX-License-Identifier: MIT */
/* expect: gcc aligned more strictly than any basic type | clang aligned more strictly than any basic type */
/* A message that a channel's room, aligned as malloc's is, cannot hold. */
#include "edo.h"

struct line {
#ifndef RIGHT
    _Alignas(64)
#endif
    char bytes[64];
};

int main(void)
{
    MPSC_SENDER(struct line) tx;
    MPSC_RECEIVER(struct line) rx;
    if (edo_mpsc(&tx, &rx, 1) < 0)
        return 1;
    edo_mpsc_sender_drop(tx);
    edo_mpsc_receiver_drop(rx);
    return 0;
}
