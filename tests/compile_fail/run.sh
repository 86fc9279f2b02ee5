#!/bin/bash
# SPDX-License-Identifier: MIT
# Compiles the wrong programs of this folder with gcc and clang, as `make` would, and demands that
# each is refused for its own reason. A program says the reason in one of its first lines:
#
#     /* expect: gcc REGEX | clang REGEX */
#
# (extended regexes, matched against the compiler's messages; `/* expect: gcc REGEX */` alone means
# that clang is known to be silent, and is not asked). The mistake stands between `#ifndef RIGHT` and
# `#endif`, or has an `#else` with the right way: with -DRIGHT the program must compile, so that it
# is the mistake that is refused, and nothing else.
#
#     GCC_FLAGS='…' CLANG_FLAGS='…' tests/compile_fail/run.sh [PROGRAM...]
set -uo pipefail
: "${GCC:=gcc}" "${CLANG:=clang}" "${GCC_FLAGS:?}" "${CLANG_FLAGS:?}"
cd "$(dirname "$0")/../.." || exit 1
[ $# -gt 0 ] || set -- tests/compile_fail/*.c
passed=0
failed=0

complain() { # program, what, messages
    echo "compile_fail: $1: $2" >&2
    [ -z "${3:-}" ] || sed 's/^/    /' <<<"$3" >&2
    failed=$((failed + 1))
}

attempt() { # program, name of the compiler, regex, command...
    local program=$1 name=$2 regex=$3 level messages
    shift 3
    for level in -O1 -O2; do
        if messages=$(LC_ALL=C "$@" $level -c -o /dev/null "$program" 2>&1); then
            complain "$program" "$name $level takes it" "$messages"
        elif ! grep -Eq -- "$regex" <<<"$messages"; then
            complain "$program" "$name $level refuses it, but not for \"$regex\"" "$messages"
        else
            passed=$((passed + 1))
        fi
        if ! messages=$(LC_ALL=C "$@" $level -DRIGHT -c -o /dev/null "$program" 2>&1); then
            complain "$program" "$name $level refuses it with -DRIGHT too" "$messages"
        fi
    done
}

for program in "$@"; do
    [ -e "$program" ] || continue
    expect=$(sed -nE '1,5s|^/\* expect: (.*) \*/$|\1|p' "$program")
    grep -q '\<RIGHT\>' "$program" || complain "$program" "has no way to be RIGHT"
    case $expect in
    "gcc "*" | clang "*)
        attempt "$program" gcc "$(sed -E 's/^gcc (.*) \| clang .*/\1/' <<<"$expect")" $GCC $GCC_FLAGS
        attempt "$program" clang "${expect#* | clang }" $CLANG $CLANG_FLAGS
        ;;
    "gcc "*) attempt "$program" gcc "${expect#gcc }" $GCC $GCC_FLAGS ;;
    "clang "*) attempt "$program" clang "${expect#clang }" $CLANG $CLANG_FLAGS ;;
    *) complain "$program" 'has no line /* expect: gcc REGEX | clang REGEX */' ;;
    esac
done
echo "compile_fail: $passed passed, $failed failed"
[ $failed -eq 0 ]
