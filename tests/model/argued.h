/* SPDX-License-Identifier: MIT */
/* Memory orders that no model can miss, and that are needed all the same. */
#ifndef EDO_TESTS_MODEL_ARGUED_H
#define EDO_TESTS_MODEL_ARGUED_H

#include "checker.h"

struct argued {
    const char *file, *text; /* the operation: the end of its file's name, and what it is done to */
    int op;
    bool fail;
    const char *change; /* as the mutants print it */
    const char *why;
};

/* Ended by one without a file. */
extern const struct argued argued_orders[];

#endif
