#!/bin/bash
# SPDX-License-Identifier: MIT
# Uses an installed Edo as a stranger would, through edo.pc: a program with gcc and clang, against
# the shared and the static library; each header alone; the system's <poll.h> beside ours.
#
#     scripts/check-install.sh PREFIX
set -euo pipefail
prefix=$(cd "$1" && pwd)
export PKG_CONFIG_PATH=$prefix/lib/pkgconfig
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

cat >"$work/program.c" <<'END'
#include <edo/edo.h>
#include <poll.h>
#include <stdio.h>
#include "edo.h"

struct answer {
    FUTURE(int);
    struct pollfd system;
};

ASYNC(answer)
{
    ASYNC_BEGIN;
    YIELD_NOW();
    RETURN(self->system.fd);
    ASYNC_END;
}

int main(void)
{
    struct answer answer = NEW(answer, .system = {.fd = 42});
    puts(edo_strerror(0));
    return answer.future_.poll == NULL;
}
END

cflags=$(pkg-config --cflags edo)
libs=$(pkg-config --libs edo)
for kind in gcc clang; do
    cc=${kind^^}
    cc=${!cc:-$kind}
    traps=$(pkg-config --variable=trap_cflags_$kind edo)
    for link in shared static; do
        [ $link = shared ] && with=$libs || with=${libs/-ledo/-l:libedo.a}
        $cc -O2 -Wall -Wextra -Werror $traps $cflags "$work/program.c" -o "$work/program" $with
        LD_LIBRARY_PATH=$prefix/lib "$work/program" >/dev/null
        echo "install: a program runs ($kind, $link)"
    done
    while read -r header; do
        echo "#include <edo/$header>" | $cc $cflags -Wall -Wextra -Werror -fsyntax-only -x c -
    done < <(cd "$prefix/include/edo" && find . -name '*.h')
done
