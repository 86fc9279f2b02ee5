/* SPDX-License-Identifier: MIT */
#include "workloads.h"

#include <signal.h>

const struct peer_workload peer_workloads[] = {
    {"timers", 500000, timers, false},
    {"remote_spawn", 500000, remote_spawn, false},
    {"blocking", 200000, blocking, false},
    {"echo_inproc", 5000, echo_inproc, false},
    {"echo_server", 7777, echo_server, false},
    {"echo_server_poll", 7777, echo_server_poll, false},
    {NULL, 0, NULL, false},
};

static void on_signal(uv_signal_t *handle, int number)
{
    (void)number;
    uv_stop(handle->loop);
}

void stop_by_signals(uv_loop_t *loop, uv_signal_t handles[2])
{
    static const int numbers[2] = {SIGINT, SIGTERM};
    signal(SIGPIPE, SIG_IGN); /* a write to who has gone is an error like others */
    for (int i = 0; i < 2; i++) {
        peer_must(uv_signal_init(loop, &handles[i]));
        peer_must(uv_signal_start(&handles[i], on_signal, numbers[i]));
    }
}
