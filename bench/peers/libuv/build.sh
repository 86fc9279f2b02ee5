#!/bin/bash
# SPDX-License-Identifier: MIT
# Builds the peer of libuv alone: FOLDER/peer and FOLDER/version; or says what to get.
#
#     bench/peers/libuv/build.sh FOLDER
#
# UV_LIBS are the libraries, -luv.
set -euo pipefail

out=${1:?a folder to build in}
"$(dirname "$0")/../build-c.sh" libuv "$out" uv.h libuv1-dev "${UV_LIBS:--luv}"
version=$(printf '#include <uv.h>\nUV_VERSION_MAJOR UV_VERSION_MINOR UV_VERSION_PATCH\n' |
    ${CC:-cc} ${CPPFLAGS:-} -E -P -x c - | tail -n 1)
sed -i "s/^/libuv ${version// /.}, /" "$out/version"
