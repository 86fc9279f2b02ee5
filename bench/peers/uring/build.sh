#!/bin/bash
# SPDX-License-Identifier: MIT
# Builds the peer of io_uring: FOLDER/peer and FOLDER/version; or says what to get.
#
#     bench/peers/uring/build.sh FOLDER
set -euo pipefail

out=${1:?a folder to build in}
"$(dirname "$0")/../build-c.sh" uring "$out" liburing.h liburing-dev -luring
sed -i "s/^/Linux $(uname -r), /" "$out/version"
