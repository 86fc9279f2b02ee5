#!/bin/bash
# SPDX-License-Identifier: MIT
# Makes docs/expansion.md: the future of docs/expansion.c beside what the preprocessor makes of it.
# With --check: fails when the page is not what would be made.
set -euo pipefail
cd "$(dirname "$0")/.."
page=docs/expansion.md
made=$(mktemp)
trap 'rm -f "$made"' EXIT

# From the struct on: what comes before it is the headers'.
expanded() {
    ${GCC:-gcc} -std=gnu11 -D_GNU_SOURCE -iquote . -E -P docs/expansion.c |
        sed -n '/^struct nap {/,/^int main/{/^int main/!p}' |
        ${CLANG_FORMAT:-clang-format} --style='{BasedOnStyle: LLVM, IndentWidth: 4, ColumnLimit: 92,
            BreakBeforeBraces: Linux, IndentCaseLabels: false, AllowShortBlocksOnASingleLine: Never}'
}

{
    cat <<'END'
# What the macros write

`docs/expansion.c`, and the same after the preprocessor, formatted. This page is made by
`scripts/expansion.sh`; `make check` fails when it is not up to date.

The body is one `switch` on the line of the await at which it was suspended. Each of the three walks
(poll, drop, trace) enters there: that is why cancellation cleans up, and why a chain of awaits can be
printed, without further code. The numbers are `0x100000000 | line`: too large for a `switch` of the
user's own over an `int`, so that an await in there does not compile.

```c
END
    sed -n '/^struct nap {/,/^}$/p' docs/expansion.c
    echo '```'
    echo
    echo '```c'
    expanded
    echo '```'
} >"$made"

if [ "${1:-}" = --check ]; then
    diff -u "$page" "$made" || { echo "$page: run scripts/expansion.sh" >&2; exit 1; }
else
    cp "$made" "$page"
fi
