/* SPDX-License-Identifier: MIT */
#include "thread.h"

_Thread_local struct edo_thread edo_thread;
