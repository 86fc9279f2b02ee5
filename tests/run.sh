#!/bin/sh
# SPDX-License-Identifier: MIT
# run.sh BINARY: runs a Criterion binary; the summary comes last. Fails also when cases have vanished,
# as they do without a word when the linker drops them: every Test(…) in the sources must have run.
set -u
log=$(mktemp)
trap 'rm -f "$log"' EXIT
timeout 900 "$1" --jobs "${CRITERION_JOBS:-$(nproc)}" --timeout 120 >"$log" 2>&1
status=$?
summary=$(grep 'Synthesis:' "$log" | tail -n 1)
grep -v 'Synthesis:' "$log" | tail -n 200
expected=$(grep -hcE '^(Test|ParameterizedTest|CENSUS_TEST)\(' tests/*_test.c | awk "{ n += \$1 } END { print n }")
tested=$(echo "$summary" | sed -n 's/.*Tested: \([0-9]*\).*/\1/p')
if [ "${tested:-0}" -lt "$expected" ]; then
    echo "only ${tested:-0} of $expected cases ran"
    status=1
fi
echo "$summary"
exit $status
