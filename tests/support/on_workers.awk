# SPDX-License-Identifier: MIT
# Prints the tests of Criterion sources that make their runtime by support/runtimes.h, "suite/name" a line: those
# that use its calls, or RUN of io_helpers.h, or a function of their file which does.
#
#     awk -f tests/support/on_workers.awk tests/*_test.c

function finish(    changed, edge, end) {
    do {
        changed = 0
        for (edge in uses) {
            split(edge, end, SUBSEP)
            if (!(end[1] in found) && end[2] in found)
                changed = found[end[1]] = 1
        }
    } while (changed)
    for (test in tests)
        if (test in found)
            print test
    delete uses
    delete found
    delete tests
}

FNR == 1 {
    finish()
    found["test_runtime_new"] = found["test_runtime_build"] = 1
    inside = ""
}

# RUN of poll_harness.h is another one.
/^#include "io_helpers.h"/ { found["RUN"] = 1 }

# A definition begins at the margin. Its name is what stands before the bracket; a test's, what is in it.
/^(Test|ParameterizedTest|Theory)\(/ {
    inside = $0
    sub(/^[^(]*\(/, "", inside)
    gsub(/[ ).].*|$/, "", inside)
    match($0, /, *[a-z0-9_]+[,)]/)
    name = substr($0, RSTART, RLENGTH)
    gsub(/[, )]/, "", name)
    sub(/,.*/, "", inside)
    inside = inside "/" name
    tests[inside] = 1
    next
}

/^(ASYNC|SCENE)\(/ || /^[a-z].*\(/ || /^#define [A-Za-z_]+\(/ {
    inside = $0
    if (!sub(/^(ASYNC|SCENE)\(/, "", inside)) {
        sub(/\(.*/, "", inside)
        sub(/.*[ *]/, "", inside)
    }
    sub(/[^A-Za-z0-9_].*/, "", inside)
}

inside != "" {
    text = $0
    while (match(text, /[A-Za-z_][A-Za-z0-9_]*/)) {
        uses[inside, substr(text, RSTART, RLENGTH)] = 1
        text = substr(text, RSTART + RLENGTH)
    }
}

/^}/ { inside = "" }

END { finish() }
