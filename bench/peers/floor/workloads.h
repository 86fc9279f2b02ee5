/* SPDX-License-Identifier: MIT */
/* What the machine takes for the steps that runtimes are made of. */
#ifndef EDO_BENCH_PEER_FLOOR_H
#define EDO_BENCH_PEER_FLOOR_H

#include "../peer.h"

void indirect_call(struct peer *peer);
void malloc_free(struct peer *peer);
void atomic_rmw(struct peer *peer);
void read_write(struct peer *peer);
void hand_over(struct peer *peer);
void futex_wake(struct peer *peer);
void eventfd_wake(struct peer *peer);

#endif
