/* SPDX-License-Identifier: MIT */
/* A future and a generator that one file defines and another uses. */
#ifndef EDO_TESTS_EXTERN_FUTURE_H
#define EDO_TESTS_EXTERN_FUTURE_H

#include "stream.h"

struct exported {
    EDO_FUTURE(int);
    int n;
};
EDO_ASYNC_DECLARE(exported);

struct exported_numbers {
    EDO_STREAM(int);
    int i, n;
};
EDO_ASYNC_DECLARE(exported_numbers);

#endif
