/* SPDX-License-Identifier: MIT */
/* The workloads of the peer on libuv: programs as its users write them. */
#ifndef EDO_BENCH_PEER_LIBUV_H
#define EDO_BENCH_PEER_LIBUV_H

#include <uv.h>

#include "../peer.h"

void timers(struct peer *peer);
void blocking(struct peer *peer);
void remote_spawn(struct peer *peer);
void echo_inproc(struct peer *peer);
void echo_server(struct peer *peer);
void echo_server_poll(struct peer *peer);

/* Makes SIGINT and SIGTERM stop a loop, as long as the two handles are there. */
void stop_by_signals(uv_loop_t *loop, uv_signal_t handles[2]);

#endif
