/* SPDX-License-Identifier: MIT */
/* expect: gcc type is not what the cell holds | clang type is not what the cell holds */
/* A once cell set to a value of another type. */
#include "edo.h"

static ONCE_CELL(int) cell = ONCE_CELL_INIT(cell);

int main(void)
{
#ifndef RIGHT
    long value = 1;
#else
    int value = 1;
#endif
    return edo_once_cell_set(&cell, &value);
}
