/* SPDX-License-Identifier: MIT */
/* A future that one file defines and another uses. */
#ifndef EDO_TESTS_EXTERN_FUTURE_H
#define EDO_TESTS_EXTERN_FUTURE_H

#include "future.h"

struct exported {
    EDO_FUTURE(int);
    int n;
};
EDO_ASYNC_DECLARE(exported);

#endif
