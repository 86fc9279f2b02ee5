#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""How many instructions an operation of a workload takes, and whether that grew.

    bench/instructions.py              compares with bench/instructions.baseline
    bench/instructions.py --renew      writes it

`make check-instructions` and `make instructions-baseline` build edo-bench first. Each workload runs under
callgrind twice, on the current-thread runtime; the difference of the two, by that of their operations, is
what one takes, without the beginning and the end of the process. Unlike time it is the same in each run
and under any load, so 5 % are a change of the code. It is not the same for another compiler, C library or
libuv: the baseline says for which it was made, and elsewhere nothing is compared. Needs valgrind; Python 3.7.
"""
import argparse
import concurrent.futures
import pathlib
import platform
import re
import subprocess
import sys

import options
from machine import CORES, ROOT, output_of, run

# The workload, the N of its first run, of which the second has twice as many, and the operations in one N.
WORKLOADS = [("spawn_join", 10000, 1), ("yield", 10, 1000), ("timeout_cancel", 10000, 1),
             ("oneshot", 10000, 1), ("mpsc_1_1", 20000, 1), ("broadcast_1_8", 5000, 1),
             ("select2", 10000, 1), ("join8", 10000, 1), ("semaphore", 1000, 16), ("notify", 10000, 1)]
GROWTH = 0.05
LIMIT = 120


class Failed(Exception):
    pass


def count(edo, workload, n):
    """Instructions of a whole process."""
    command = ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null", edo, workload, "ct", n]
    try:
        done = run(command, LIMIT)
    except (OSError, subprocess.TimeoutExpired) as why:
        raise Failed("%s: %s" % (workload, why))
    collected = re.search(r"Collected : (\d+)", done.stderr)
    if done.returncode != 0 or collected is None:
        raise Failed("%s:\n%s" % (workload, done.stderr.strip()))
    return int(collected.group(1))


def per_operation(edo):
    """{workload: instructions}, counted on all cores."""
    with concurrent.futures.ThreadPoolExecutor(len(CORES)) as pool:
        counts = {(workload, times): pool.submit(count, edo, workload, n * times)
                  for workload, n, _ in WORKLOADS for times in (1, 2)}
        return {workload: (counts[workload, 2].result() - counts[workload, 1].result()) / (n * per)
                for workload, n, per in WORKLOADS}


def read(path):
    """What it was made with, and the counts."""
    made_with, counts = "", {}
    for line in path.read_text().splitlines():
        if line.startswith("# made with "):
            made_with = line[len("# made with "):]
        elif line and not line.startswith("#"):
            workload, instructions = line.split()
            counts[workload] = float(instructions)
    if not made_with or not all(instructions > 0 for instructions in counts.values()):
        raise ValueError("not what this program writes")
    return made_with, counts


def write(path, made_with, counts):
    path.write_text("# Instructions per operation, current-thread runtime: bench/instructions.py.\n"
                    "# made with %s\n" % made_with +
                    "".join("%-16s %8.1f\n" % item for item in counts.items()))


def compare(was, now):
    """Prints both; whether nothing grew by too much."""
    good = True
    print("%-16s %10s %10s" % ("instructions of", "baseline", "now"))
    for workload, instructions in now.items():
        line = "%-16s %10s %10.1f" % (workload, was.get(workload, "–"), instructions)
        if workload in was:
            growth = instructions / was[workload] - 1
            line += " %+7.1f %%" % (round(growth * 100, 1) or 0)
            if growth > GROWTH:
                line, good = line + "  grew", False
        print(line)
    return good


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--renew", action="store_true", help="write the baseline")
    parser.add_argument("--baseline", default=ROOT / "bench/instructions.baseline", type=pathlib.Path)
    parser.add_argument("--edo", default=ROOT / "build/bench/edo-bench", type=options.path)
    arguments = parser.parse_args()
    options.need(parser, arguments.edo, "build/bench/edo-bench")
    version = output_of(arguments.edo, "--version")
    if not version:
        parser.error("%s: it does not say its version" % arguments.edo)
    here = "%s, %s %s, %s" % ((version,) + platform.libc_ver() + (platform.machine(),))
    if arguments.renew:
        options.need_writable(parser, arguments.baseline)
    else:
        try:
            made_with, was = read(arguments.baseline)
        except (OSError, ValueError) as why:
            parser.error("%s: no baseline: %s" % (arguments.baseline, getattr(why, "strerror", None) or why))
        if made_with != here:
            print("nothing compared: the baseline is of %s,\nand this is %s.\nTo compare here: `make "
                  "instructions-baseline` before the change, `make check-instructions` after it."
                  % (made_with, here))
            return 0
    try:
        now = per_operation(arguments.edo)
    except Failed as failed:
        print(failed, file=sys.stderr)
        return 1
    if arguments.renew:
        write(arguments.baseline, here, now)
        return 0
    if compare(was, now):
        return 0
    print("more than %d %% more: meant? then `make instructions-baseline`" % (GROWTH * 100), file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
