/* SPDX-License-Identifier: MIT */
#include "argued.h"

/* A load reads what has been stored, in the checker; so a slot is never read as it will be. On machines, and in C11,
 * without these orders it could be: load buffering (docs/model-checking.md). */
#define BUFFERING "a slot must not be read as it is after it was given away"

const struct argued argued_orders[] = {
    {"queue.h", "&queue->head", MODEL_LOAD, false, "acquire to relaxed", BUFFERING},
    {"queue.h", "&queue->head", MODEL_CAS_WEAK, false, "release to relaxed", BUFFERING},
    {"queue.c", "&queue->head", MODEL_CAS, false, "release to relaxed", BUFFERING},
    {"queue.c", "&from->head", MODEL_CAS_WEAK, false, "release to relaxed", BUFFERING},
    {NULL, NULL, 0, false, NULL, NULL},
};
