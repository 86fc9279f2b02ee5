#!/bin/bash
# SPDX-License-Identifier: MIT
# Holds the arrows between the rooms, which point one way:
#
#     io -> runtime -> future -> poll <- future <- stream <- channels, sync, combinators, streams
#
# so that a channel runs on any executor. Three things are checked: who includes whom, that file
# names are unique (a name alone says which file), and, given object files, that only internal/sys.*
# calls the allocator, atomics, threads and the clock, and that libuv, runtime/ and io/ are called
# from runtime/ and io/ only.
#
#     scripts/arrows.sh [OBJECT-FOLDER]
set -euo pipefail
cd "$(dirname "$0")/.."
wrong=0

complain() {
    echo "$1" >&2
    wrong=1
}

# sources, then an extended regex of what may not be included, then the reason
may_not_include() {
    local line found
    found=$(grep -EnH "^[[:space:]]*#[[:space:]]*include[[:space:]]*[<\"](\.\./)*($2)" $1 || true)
    [ -z "$found" ] || while read -r line; do complain "$line: $3"; done <<<"$found"
}

files() { # rooms or files, those that there are
    find "$@" -name '*.[ch]' 2>/dev/null || true
}

rooms='runtime|io|channels|sync|combinators|streams'
base=$(files poll.h poll.c future.h future.c stream.h stream.c internal)
may_not_include "$base" "($rooms)/|edo\.h|uv\.h|uv/" "the contract knows no room and no libuv"
for room in channels sync combinators streams; do
    inside=$(files $room)
    [ -z "$inside" ] ||
        may_not_include "$inside" "(runtime|io)/|edo\.h|uv\.h|uv/" "$room/ runs on any executor"
done
may_not_include "$(files runtime)" "io/|edo\.h" "io/ stands on runtime/, not the other way"
may_not_include "$(files runtime io channels sync combinators streams internal poll.h future.h stream.h)" \
    "(tests|examples|bench)/" "the library does not know its users"

twins=$(files *.[ch] internal runtime io channels sync combinators streams |
    sed 's|.*/||' | sort | uniq -d)
for name in $twins; do
    complain "$name: two files of the library have this name"
done

# Comments are stripped first: they may say what the code may not.
for source in $(files *.[ch] internal runtime io channels sync combinators streams); do
    [ "$source" = internal/sys.h ] || [ "$source" = internal/sys.c ] && continue
    found=$(gcc -fpreprocessed -dD -E "$source" 2>/dev/null |
        grep -oE '\<(atomic_(load|store|exchange|fetch_|compare_|thread_fence)\w*|__(atomic|sync)_\w+|pthread_(mutex|cond|rwlock|once)_\w+) *\(' || true)
    [ -z "$found" ] || complain "$source: uses $found; internal/sys.h is the one door to the system"
done

if [ $# -gt 0 ]; then
    upstairs=$(find "$1"/{runtime,io} -name '*.o' -exec nm -g --defined-only {} + 2>/dev/null |
        awk 'NF == 3 { print $3 }' | sort -u)
    for object in $(find "$1"/*.o "$1"/{internal,runtime,io,channels,sync,combinators,streams} \
        -name '*.o' 2>/dev/null); do
        source=${object#"$1"/}
        source=${source%.o}.c
        [ -e "$source" ] || continue
        uses=$(nm -u "$object" | awk '{ print $2 }')
        if [ "$source" != internal/sys.c ]; then
            for name in $(grep -Ex 'malloc|calloc|realloc|free|strdup|strndup|posix_memalign|aligned_alloc|getline|asprintf|vasprintf|pthread_(create|join|detach|key_.*)|clock_gettime|gettimeofday|time|getrandom|rand|random' \
                <<<"$uses" || true); do
                complain "$source: calls $name; internal/sys.h is the one door to the system"
            done
        fi
        case $source in
        runtime/* | io/*) ;;
        *)
            for name in $(grep -E '^uv_' <<<"$uses" || true); do
                complain "$source: calls $name; libuv is for runtime/ and io/"
            done
            for name in $(comm -12 <(sort -u <<<"$uses") <(echo "$upstairs")); do
                complain "$source: calls $name, which is of runtime/ or io/"
            done
            ;;
        esac
        for name in $(nm -g --defined-only "$object" | awk '{ print $3 }' | grep -v '^edo_' || true); do
            complain "$source: defines $name; what the linker sees begins with edo_"
        done
    done
fi
[ $wrong -eq 0 ] && echo "arrows: all point one way"
exit $wrong
