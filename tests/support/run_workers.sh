#!/bin/bash
# SPDX-License-Identifier: MIT
# Runs the tests that hold on any runtime (support/runtimes.h) on multi-thread ones: with one worker, with as
# many as a small machine has cores, and with more; their futures on the thread that waits for them, and as
# tasks; or in RUNS only. REPEAT times, or until something fails.
#
#     tests/support/run_workers.sh FLAVOR…     (after `make` made build/FLAVOR/edo-tests)
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 1

for ((round = 1; round <= ${REPEAT:-1}; round++)); do
    for flavor; do
        for run in ${RUNS:-1/thread 2/task 8/thread 8/task}; do
            start=$SECONDS
            EDO_BUILD=build EDO_TEST_WORKERS=${run%/*} EDO_TEST_ROOT=${run#*/} \
                tests/support/run_tests.sh "build/$flavor/edo-tests" tests/*_test.c ||
                { echo "workers: FAILED in round $round: $flavor, $run" >&2; exit 1; }
            echo "workers: $flavor, $run: $((SECONDS - start)) s"
        done
    done
    [ "${REPEAT:-1}" -eq 1 ] || echo "workers: round $round of $REPEAT passed"
done
