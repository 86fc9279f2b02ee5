/* SPDX-License-Identifier: MIT */
/* Locks, permits and notifications under stress: tests/stress/soak.c says how it is called. */
#include "tests/stress/kinds.h"

int main(int argc, char **argv)
{
    /* The quick ones first: what they leave of their time the others have. */
    static const struct stress_kind *const kinds[] = {
        &stress_once_cell, &stress_set_once, &stress_barrier,
        &stress_semaphore, &stress_join_set, &stress_mutex,
        &stress_rwlock,    &stress_notify,   NULL};
    return stress_soak(argc, argv, kinds);
}
