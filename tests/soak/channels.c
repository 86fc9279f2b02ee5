/* SPDX-License-Identifier: MIT */
/* Every channel under stress: tests/stress/soak.c says how it is called. */
#include "tests/stress/kinds.h"

int main(int argc, char **argv)
{
    /* The quick ones first: what they leave of their time the others have. */
    static const struct stress_kind *const kinds[] = {
        &stress_oneshot,   &stress_mpsc_unbounded, &stress_async_unbounded, &stress_watch,
        &stress_broadcast, &stress_async_bounded,  &stress_mpsc_bounded,    NULL};
    return stress_soak(argc, argv, kinds);
}
