/* SPDX-License-Identifier: MIT */
/* Locks, permits and notifications under stress: tests/stress/soak.c says how it is called. */
#include "tests/stress/kinds.h"

int main(int argc, char **argv)
{
    static const struct stress_kind *const kinds[] = {
        &stress_semaphore, &stress_mutex,     &stress_rwlock,   &stress_notify,
        &stress_barrier,   &stress_once_cell, &stress_set_once, NULL};
    return stress_soak(argc, argv, kinds);
}
