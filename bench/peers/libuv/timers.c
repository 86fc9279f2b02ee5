/* SPDX-License-Identifier: MIT */
/* Timers that expire. */
#include <stdlib.h>

#include "workloads.h"

static void on_timer(uv_timer_t *timer)
{
    uint64_t *fired = timer->data;
    ++*fired;
}

/* One block for all of them, and a loop that reads the clock once a turn: their times are from before the
 * first was started. */
void timers(struct peer *peer)
{
    uv_loop_t loop;
    uint64_t fired = 0;
    peer_must(uv_loop_init(&loop));
    peer_start(peer);
    uv_timer_t *handles = calloc(peer->n, sizeof *handles);
    if (handles == NULL)
        peer_must(UV_ENOMEM);
    uv_update_time(&loop);
    for (uint64_t i = 0; i < peer->n; i++) {
        peer_must(uv_timer_init(&loop, &handles[i]));
        handles[i].data = &fired;
        peer_must(uv_timer_start(&handles[i], on_timer, 1 + i * 7919 % 1000, 0));
    }
    peer_must(uv_run(&loop, UV_RUN_DEFAULT));
    peer_stop(peer, peer->n);
    peer_check(fired == peer->n);
    free(handles);
}
