/* SPDX-License-Identifier: MIT */
/* The table of docs/frames.md. */
#include "public_futures.h"

#include "edo.h"

#define FRAMES(FRAME)                         \
    FRAME(edo_abortable, 48)                  \
    FRAME(edo_catch_panic, 40)                \
    FRAME(edo_join_all, 48)                   \
    FRAME(edo_try_join_all, 56)               \
    FRAME(edo_map, 56)                        \
    FRAME(edo_inspect, 48)                    \
    FRAME(edo_ready_now, 24)                  \
    FRAME(edo_pending, 24)                    \
    FRAME(edo_lazy, 40)                       \
    FRAME(edo_poll_with, 40)                  \
    FRAME(edo_then, 56)                       \
    FRAME(edo_and_then, 72)                   \
    FRAME(edo_or_else, 72)                    \
    FRAME(edo_async_send, 72)                 \
    FRAME(edo_async_recv, 72)                 \
    FRAME(edo_broadcast_recv, 72)             \
    FRAME(edo_broadcast_closed, 48)           \
    FRAME(edo_mpsc_send, 80)                  \
    FRAME(edo_mpsc_reserve, 80)               \
    FRAME(edo_mpsc_closed, 48)                \
    FRAME(edo_mpsc_recv, 40)                  \
    FRAME(edo_mpsc_recv_many, 48)             \
    FRAME(edo_oneshot_recv, 40)               \
    FRAME(edo_oneshot_closed, 24)             \
    FRAME(edo_watch_changed, 56)              \
    FRAME(edo_watch_wait_for, 88)             \
    FRAME(edo_watch_closed, 48)               \
    FRAME(edo_barrier_wait, 64)               \
    FRAME(edo_cancelled, 48)                  \
    FRAME(edo_run_until_cancelled, 80)        \
    FRAME(edo_mutex_lock, 72)                 \
    FRAME(edo_notified, 64)                   \
    FRAME(edo_once_cell_get_or_init, 88)      \
    FRAME(edo_once_cell_get_or_try_init, 104) \
    FRAME(edo_rwlock_read, 72)                \
    FRAME(edo_rwlock_write, 72)               \
    FRAME(edo_semaphore_acquire, 80)          \
    FRAME(edo_set_once_wait, 48)              \
    FRAME(edo_task_tracker_wait, 48)          \
    FRAME(edo_track, 32)                      \
    FRAME(edo_completion_wait, 40)            \
    FRAME(edo_join, 64)                       \
    FRAME(edo_join_set_join_next, 72)         \
    FRAME(edo_join_set_join_all, 64)          \
    FRAME(edo_join_set_shutdown, 24)          \
    FRAME(edo_yield_now, 24)                  \
    FRAME(edo_consume_budget, 16)             \
    FRAME(edo_unconstrained, 24)              \
    FRAME(edo_call, 40)                       \
    FRAME(edo_local_set_run_until, 64)        \
    FRAME(edo_local_set_wait, 56)             \
    FRAME(edo_sleep, 80)                      \
    FRAME(edo_timeout, 112)                   \
    FRAME(edo_interval_tick, 120)             \
    FRAME(edo_time_advance, 32)               \
    FRAME(edo_read_buf, 112)                  \
    FRAME(edo_read_until, 160)                \
    FRAME(edo_resolve, 296)                   \
    FRAME(edo_tcp_connect_name, 440)          \
    FRAME(edo_tcp_connect, 104)               \
    FRAME(edo_read, 80)                       \
    FRAME(edo_peek, 80)                       \
    FRAME(edo_read_exact, 88)                 \
    FRAME(edo_write, 80)                      \
    FRAME(edo_write_vectored, 80)             \
    FRAME(edo_write_all, 88)                  \
    FRAME(edo_ready, 72)                      \
    FRAME(edo_tcp_accept, 184)                \
    FRAME(edo_tcp_incoming, 208)              \
    FRAME(edo_stream_fold, 56)                \
    FRAME(edo_stream_collect, 72)             \
    FRAME(edo_stream_all, 64)                 \
    FRAME(edo_stream_count, 48)               \
    FRAME(edo_stream_last, 56)                \
    FRAME(edo_stream_peek, 32)                \
    FRAME(edo_stream_next_if, 56)             \
    FRAME(edo_stream_incoming, 240)           \
    FRAME(edo_stream_lines, 216)              \
    FRAME(edo_stream_interval, 176)           \
    FRAME(edo_stream_throttle, 144)           \
    FRAME(edo_stream_timeout, 152)            \
    FRAME(edo_stream_timeout_repeating, 184)  \
    FRAME(edo_stream_chunks_timeout, 184)     \
    FRAME(edo_futures_unordered, 104)         \
    FRAME(edo_stream_buffered, 200)           \
    FRAME(edo_stream_chain, 72)               \
    FRAME(edo_stream_merge, 72)               \
    FRAME(edo_stream_zip, 104)                \
    FRAME(edo_stream_mpsc, 96)                \
    FRAME(edo_stream_async, 128)              \
    FRAME(edo_stream_broadcast, 128)          \
    FRAME(edo_stream_watch, 112)              \
    FRAME(edo_stream_filter, 72)              \
    FRAME(edo_stream_take, 64)                \
    FRAME(edo_stream_inspect, 72)             \
    FRAME(edo_stream_enumerate, 72)           \
    FRAME(edo_stream_iter, 80)                \
    FRAME(edo_stream_map, 80)                 \
    FRAME(edo_stream_peekable, 80)            \
    FRAME(edo_stream_fuse, 56)                \
    FRAME(edo_stream_then, 120)               \
    FRAME(edo_stream_flat_map, 96)            \
    FRAME(edo_streammap, 112)                 \
    FRAME(edo_next, 40)

#if UINTPTR_MAX == UINT64_MAX
#define IS_OF_SIZE(name, size)                                                             \
    _Static_assert(sizeof(struct name) == (size), #name ": its size in docs/frames.md is " \
                                                        "another");
FRAMES(IS_OF_SIZE)

TASK_LOCAL(int, number);
_Static_assert(sizeof(BOXED(int)) == 40, "BOXED(int): its size in docs/frames.md is another");
_Static_assert(sizeof(SHARED(int)) == 56, "SHARED(int): its size in docs/frames.md is another");
_Static_assert(sizeof(struct number_scope) == 56,
               "scopes: their size in docs/frames.md is another");
#endif

static const struct frame {
    const char *name;
    int size;
} frames[] = {
#define ROW(name, size) {#name, size},
    FRAMES(ROW)};

enum { FRAME_COUNT = sizeof frames / sizeof frames[0] };

Test(frames, the_table_says_their_sizes)
{
    const char *table = contents_of("docs/frames.md");
    for (int i = 0; i < FRAME_COUNT; i++) {
        char row[128];
        snprintf(row, sizeof row, "\n| `%s` | %d |", frames[i].name, frames[i].size);
        cr_assert_not_null(strstr(table, row), "docs/frames.md has no row%s", row);
    }
    int rows = 0;
    for (; (table = strstr(table, "\n| `edo_")) != NULL; table++)
        rows++;
    cr_assert_eq(rows, FRAME_COUNT);
}

static void is_in_the_table(const char *path, const char *text, const char *name)
{
    (void)text;
    int i = 0;
    while (i < FRAME_COUNT && strcmp(frames[i].name, name) != 0)
        i++;
    cr_assert_lt(i, FRAME_COUNT, "%s: %s is not in docs/frames.md", path, name);
}

Test(frames, none_of_the_public_headers_is_left_out)
{
    cr_assert_eq(for_each_public_future(is_in_the_table), FRAME_COUNT);
}
