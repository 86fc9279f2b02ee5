#!/bin/bash
# SPDX-License-Identifier: MIT
# Builds a peer in C, of the sources in its folder and those beside this file: the program FOLDER/peer,
# and what it is made of in FOLDER/version. Where it cannot, it says what to get, status 1. The peers'
# build.sh call it.
#
#     bench/peers/build-c.sh PEER FOLDER [HEADER PACKAGE LIBRARY]
#
# CC is the compiler. Optimised as edo-bench is: across files, and for no particular processor.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
peer=${1:?which peer}
out=${2:?a folder to build in}
header=${3:-stdio.h} package=${4:-gcc} library=${5:-}
cc=(${CC:-cc}) # it may be two words

rm -f "$out/peer" "$out/version" # nobody measures what is not of these sources
if ! command -v "${cc[0]}" >/dev/null; then
    echo "bench: no peer from $peer: there is no ${cc[0]}. In Debian: apt-get install gcc" >&2
    exit 1
fi
compile=("${cc[@]}" -std=gnu11 -D_GNU_SOURCE -pthread ${CPPFLAGS:-})
version=$("${cc[@]}" --version | head -n 1)
if ! printf '#include <%s>\n' "$header" | "${compile[@]}" -E -x c - >/dev/null 2>&1; then
    echo "bench: no peer from $peer: there is no <$header>. In Debian: apt-get install $package" >&2
    exit 1
fi

mkdir -p "$out"
case $version in
*clang*) lto=-flto ;;
*) lto=-flto=auto ;;
esac
if ! "${compile[@]}" -O3 -g $lto -Wall -Wextra -Werror -o "$out/peer" "$here/$peer"/*.c "$here"/*.c \
    ${LDFLAGS:-} $library; then
    echo "bench: no peer from $peer: it was not built by $version" >&2
    exit 1
fi
echo "$version" >"$out/version"
