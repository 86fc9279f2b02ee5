/* SPDX-License-Identifier: MIT */
/* expect: gcc the permit is for messages of another type | clang the permit is for messages of another type */
/* A place reserved in a channel of int, for a message of another type. */
#include "edo.h"

int main(void)
{
    MPSC_SENDER(int) tx;
    MPSC_RECEIVER(int) rx;
    if (edo_mpsc(&tx, &rx, 1) < 0)
        return 1;
#ifndef RIGHT
    MPSC_PERMIT(unsigned) permit = {0};
#else
    MPSC_PERMIT(int) permit = {0};
#endif
    int error = edo_mpsc_try_reserve(tx, &permit);
    edo_mpsc_permit_release(&permit);
    edo_mpsc_sender_drop(tx);
    edo_mpsc_receiver_drop(rx);
    return error;
}
