/* SPDX-License-Identifier: MIT */
/* expect: gcc output is not what the cell holds | clang output is not what the cell holds */
/* A once cell whose value a future of another output should make. */
#include "edo.h"

#ifndef RIGHT
static ONCE_CELL(long) cell = ONCE_CELL_INIT(cell);
#else
static ONCE_CELL(int) cell = ONCE_CELL_INIT(cell);
#endif

int main(void)
{
    struct edo_sleep child = edo_sleep(1);
    struct edo_once_cell_get_or_init init = edo_once_cell_get_or_init(&cell, &child);
    return init.future_.state != EDO_STATE_FRESH;
}
