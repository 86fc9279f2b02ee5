/* SPDX-License-Identifier: MIT */
#include "strerror.h"

#include <uv.h>

const char *edo_strerror(int error)
{
    switch (error) {
    case 0:
        return "no error";
    case EDO_EPANIC:
        return "the task panicked";
    case EDO_ENORUNTIME:
        return "not inside a runtime";
    case EDO_ENESTED:
        return "inside a runtime already";
    case EDO_ESHUTDOWN:
        return "the runtime is gone";
    case EDO_ECLOSED:
        return "closed";
    case EDO_ELAGGED:
        return "the receiver lagged behind";
    default:
        break;
    }
    /* uv_strerror allocates, and leaks, for a code it does not know. */
    switch (error) {
#define CASE(name, text) \
    case UV_##name:      \
        return text;
        UV_ERRNO_MAP(CASE)
#undef CASE
    default:
        return "unknown error";
    }
}
