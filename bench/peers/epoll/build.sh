#!/bin/sh
# SPDX-License-Identifier: MIT
# Builds the peer of epoll and nothing else: FOLDER/peer and FOLDER/version; or says what to get.
#
#     bench/peers/epoll/build.sh FOLDER
exec "$(dirname "$0")/../build-c.sh" epoll "${1:?a folder to build in}" sys/epoll.h libc6-dev
