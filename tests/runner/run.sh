#!/bin/bash
# SPDX-License-Identifier: MIT
# Runs the tests that must fail, by the same script that runs all others, and fails where one passes.
#
#     tests/runner/run.sh     (after `make` made build/{test,asan,tsan}/runner)
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 1
failed=0

run() { # flavor, filter, source...
    local flavor=$1 filter=$2
    shift 2
    TEST_FILTER=$filter TEST_JOBS=1 TEST_TIMEOUT=2 tests/support/run_tests.sh "build/$flavor/runner" "$@" 2>&1
}

wrong() { # what, messages
    echo "runner: $1" >&2
    sed 's/^/    /' <<<"$2" >&2
    failed=1
}

source=tests/runner/wrong_test.c
for flavor in test asan tsan; do
    out=$(run $flavor 'right/*' $source) || wrong "$flavor: a right test fails" "$out"
    suites='wrong'
    [ $flavor = test ] || suites="wrong|$flavor"
    while IFS=:, read -r suite name; do
        out=$(run $flavor "$suite/$name" $source) &&
            wrong "$flavor: $suite/$name passes, and nobody would notice" "$out"
    done < <(sed -nE "s/^Test\(($suites), ([a-z_]+).*/\1:\2/p" $source)
done

# A test that is in the sources alone, as after a linker dropped it.
lost=$(mktemp)
trap 'rm -f "$lost"' EXIT
echo 'Test(right, lost)' >"$lost"
out=$(run test right/passes $source "$lost") && wrong "a lost test is not missed" "$out"
out=$(run test right/no_such_test $source) && wrong "no test at all passes" "$out"

[ $failed -eq 0 ] && echo "runner: notices them all"
exit $failed
