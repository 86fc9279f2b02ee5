/* SPDX-License-Identifier: MIT */
#include "argued.h"

/* A load reads what has been stored, in the checker; so a slot is never read as it will be. On machines, and in C11,
 * without these orders it could be: load buffering (docs/model-checking.md). */
#define BUFFERING "a slot must not be read as it is after it was given away"

/* Nor does it make a store against the order of their execution. */
#define LENT "who is lent the waker must clear the mark after the set has made it, not before"

const struct argued argued_orders[] = {
    {"queue.h", "&queue->head", MODEL_LOAD, false, "acquire to relaxed", BUFFERING},
    {"queue.h", "&queue->head", MODEL_CAS_WEAK, false, "release to relaxed", BUFFERING},
    {"queue.c", "&queue->head", MODEL_CAS, false, "release to relaxed", BUFFERING},
    {"queue.c", "&from->head", MODEL_CAS_WEAK, false, "release to relaxed", BUFFERING},
    {"woken.h", "&woken->word", MODEL_EXCHANGE, false, "acq_rel to acquire", LENT},
    {NULL, NULL, 0, false, NULL, NULL},
};
