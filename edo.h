/* SPDX-License-Identifier: MIT */
/* Everything at once. */
#ifndef EDO_H
#define EDO_H

#include "poll.h"
#include "error.h"
#include "future.h"
#include "combinators/task_local.h"
#include "sync/notify.h"
#include "sync/semaphore.h"
#include "sync/mutex.h"
#include "sync/rwlock.h"
#include "sync/barrier.h"
#include "sync/once_cell.h"
#include "sync/set_once.h"
#include "sync/cancellation_token.h"
#include "sync/task_tracker.h"
#include "channels/mpsc.h"
#include "channels/oneshot.h"
#include "channels/broadcast.h"
#include "channels/watch.h"
#include "channels/async_channel.h"
#include "runtime/strerror.h"
#include "runtime/runtime.h"
#include "runtime/task.h"
#include "runtime/time.h"
#include "runtime/embed.h"
#include "io/addr.h"
#include "io/tcp.h"
#include "io/tcp_listener.h"
#include "io/resolve.h"
#include "io/bytes.h"
#include "io/buf_reader.h"

#endif
