/* SPDX-License-Identifier: MIT */
/* expect: gcc the permits are for messages of two types | clang the permits are for messages of two types */
/* Places for one type of message moved to a permit for another. */
#include "edo.h"

int main(void)
{
    MPSC_PERMIT(int) from = {0};
#ifndef RIGHT
    MPSC_PERMIT(long) to = {0};
#else
    MPSC_PERMIT(int) to = {0};
#endif
    edo_mpsc_permit_move(&to, &from);
    edo_mpsc_permit_release(&to);
    return 0;
}
