#!/bin/sh
# SPDX-License-Identifier: MIT
# Builds the floors: FOLDER/peer and FOLDER/version; or says what to get.
#
#     bench/peers/floor/build.sh FOLDER
exec "$(dirname "$0")/../build-c.sh" floor "${1:?a folder to build in}" linux/futex.h linux-libc-dev
