#!/bin/bash
# SPDX-License-Identifier: MIT
# The README's programs compile and do what it says.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# The n-th block of C.
block() {
    awk -v n="$1" '/^```c$/ { on = ++seen == n; next } /^```$/ { on = 0 } on' README.md
}

block 1 >"$work/greet.c"
${CC:-cc} -iquote . "$work/greet.c" build/libedo.a -luv -pthread -o "$work/greet"
got=$("$work/greet")
want=$'hello, Edo\non return, on error, on cancellation: once'
[ "$got" = "$want" ] || { echo "the first program printed: $got"; exit 1; }

{
    block 1 | grep -v EDO_MAIN
    echo 'int main(void) {'
    block 3
    echo '}'
} | sed 's/^uv_loop_close(&loop);/return uv_loop_close(\&loop);/' >"$work/embed.c"
${CC:-cc} -iquote . "$work/embed.c" build/libedo.a -luv -pthread -o "$work/embed"
got=$("$work/embed")
[ "${got%%$'\n'*}" = 'hello, libuv' ] || { echo "the embedded one printed: $got"; exit 1; }
echo "ok: the README's programs run"
