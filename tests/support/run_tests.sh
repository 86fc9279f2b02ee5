#!/bin/bash
# SPDX-License-Identifier: MIT
# Runs a Criterion binary so that nothing passes unseen: bounded in time, and with the tests counted,
# because a linker option or a slip in a macro can make some vanish without an error. The whole log
# stays in BINARY.log; the screen gets what is not a plain pass. The last line is Criterion's own
# summary.
#
#     tests/support/run_tests.sh BINARY TEST-SOURCE...
#
# Environment: TEST_FILTER (Criterion's pattern; the count is then left out), TEST_JOBS,
# TEST_TIMEOUT (seconds for a test that sets none), TEST_LIMIT (seconds for all). EDO_TEST_WORKERS (and
# EDO_TEST_ROOT: support/runtimes.h): only the tests that make their runtime accordingly, each of which must
# have done so.
set -uo pipefail

binary=$1
shift
workers=${EDO_TEST_WORKERS:-0}
log=$binary${workers/#0/}.log
status=0
fail() {
    echo "$binary: $1" >&2
    status=1
}

# The tests that the sources define, one "suite::name" a line. Each is one test at least.
defined=$(cat -- "$@" | tr '\n' ' ' |
    grep -oE '(^| )(Test|ParameterizedTest|Theory)\((\([^)]*\), *|[^,()]*\*[^,()]*, *)?[a-z0-9_]+, *[a-z0-9_]+' |
    sed -E 's/^.*[(, ]([a-z0-9_]+), *([a-z0-9_]+)$/\1::\2/' | sort)
expected=$(grep -c . <<<"$defined")
[ "$expected" -gt 0 ] || fail "no tests in the sources"
twice=$(uniq -d <<<"$defined")
[ -z "$twice" ] || fail "defined twice: $twice"

not_ours=
if [ "$workers" -gt 0 ]; then
    not_ours='|^\[SKIP\].*: Test is disabled$'
    export EDO_TEST_ONLY=$log.only EDO_TEST_TALLY=$log.tally
    awk -f "${BASH_SOURCE[0]%/*}/on_workers.awk" "$@" | sort >"$EDO_TEST_ONLY"
    [ -n "${TEST_FILTER:-}" ] || expected=$(grep -c . "$EDO_TEST_ONLY")
    rm -f "$EDO_TEST_TALLY"
fi

linked=$("$binary" --list 2>&1 |
    sed -nE 's/^(├|└)── ([a-z0-9_]+).*/\2/p; s/^([a-z0-9_]+): [0-9]+ tests?$/\1::/p' |
    awk '/::$/ { suite = $0; next } { print suite $0 }' | sort)
lost=$(comm -23 <(echo "$defined") <(echo "$linked"))
[ -z "$lost" ] || fail "in the sources, not in the binary: $lost"

# A pipe to grep would hide a crash of the runner: its status is the one that counts.
timeout --kill-after=10 "${TEST_LIMIT:-900}" "$binary" --verbose \
    --jobs "${TEST_JOBS:-$(nproc)}" ${TEST_FILTER:+--filter "$TEST_FILTER"} 2>&1 | tee "$log" |
    grep --line-buffered -avE "^\[(RUN |PASS|====)|^\[----\] Criterion v$not_ours"
ran=${PIPESTATUS[0]}
[ "$ran" -ne 124 ] || fail "not done within ${TEST_LIMIT:-900} s"
[ "$ran" -eq 0 ] || fail "status $ran"

summary=$(grep -a '^\[====\] Synthesis:' "$log" | tail -n 1)
tested=$(sed -nE 's/.*Tested: ([0-9]+).*/\1/p' <<<"$summary")
skipped=$([ "$workers" -gt 0 ] && echo 0 || grep -ac '^\[SKIP\]' "$log")
if [ -z "$summary" ]; then
    fail "no summary: the runner died"
elif [ -n "${TEST_FILTER:-}" ]; then
    [ "$tested" -gt 0 ] || fail "no test matches $TEST_FILTER"
elif [ $((tested + skipped)) -lt "$expected" ]; then
    fail "$tested tests run and $skipped skipped, but the sources define $expected"
fi
if [ "$workers" -gt 0 ] && [ -z "${TEST_FILTER:-}" ]; then
    idle=$(comm -23 "$EDO_TEST_ONLY" <(tr -s : / <"$EDO_TEST_TALLY" | sort -u))
    [ -z "$idle" ] || fail "without a runtime of $workers workers: "$idle
fi
[ $status -eq 0 ] || echo "$binary: FAILED; the log is $log" >&2
echo "$summary" >&2
exit $status
