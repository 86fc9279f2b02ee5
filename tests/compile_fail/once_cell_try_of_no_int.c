/* SPDX-License-Identifier: MIT */
/* expect: gcc child that may fail is an int | clang child that may fail is an int */
/* A once cell whose value a future should make that cannot say whether it failed. */
#include "edo.h"

static ONCE_CELL(int) cell = ONCE_CELL_INIT(cell);
static struct edo_notify notify;

int main(void)
{
    int value = 1;
#ifndef RIGHT
    struct edo_notified child = edo_notified(&notify);
#else
    struct edo_sleep child = edo_sleep(1);
    (void)notify;
#endif
    struct edo_once_cell_get_or_try_init init;
    init = edo_once_cell_get_or_try_init(&cell, &child, &value);
    return init.output;
}
