/* SPDX-License-Identifier: MIT */
#ifndef EDO_CHANNELS_UNBOUNDED_H
#define EDO_CHANNELS_UNBOUNDED_H

#include <stdint.h>

/* A channel's capacity: as much as there is memory for. */
#define EDO_UNBOUNDED SIZE_MAX

#endif
