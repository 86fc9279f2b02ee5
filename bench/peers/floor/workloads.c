/* SPDX-License-Identifier: MIT */
#include "workloads.h"

#include <stddef.h>

const struct peer_workload peer_workloads[] = {
    {"indirect_call", 500000000, indirect_call, false},
    {"malloc_free", 100000000, malloc_free, false},
    {"atomic_rmw", 200000000, atomic_rmw, false},
    {"read_write", 500000, read_write, false},
    {"hand_over", 1000000, hand_over, true},
    {"futex_wake", 200000, futex_wake, true},
    {"eventfd_wake", 200000, eventfd_wake, true},
    {NULL, 0, NULL, false},
};
