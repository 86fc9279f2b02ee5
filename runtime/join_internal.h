/* SPDX-License-Identifier: MIT */
/* How a task's outcome is taken: by a join, by a join set. */
#ifndef EDO_RUNTIME_JOIN_INTERNAL_H
#define EDO_RUNTIME_JOIN_INTERNAL_H

#include "runtime_internal.h"

/* What is wanted of a task that has ended; NULL: it is not. */
struct edo_wanted {
    void *value;
    uint32_t offset, size; /* of the output in the frame */
    char *report;
    size_t report_size;
};

/* Gives up the handle of a task that is complete, and seen to be. 0, and the value has its output;
 * UV_ECANCELED; or EDO_EPANIC, and the report has the panic's text. */
int edo_task_take(struct edo_task *task, const struct edo_wanted *wanted);

#endif
