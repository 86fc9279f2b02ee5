#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Runs workloads of edo-bench and of a peer in turn, and prints what each operation cost, side by side.

    bench/compare.py [OPTION…] [WORKLOAD…]

`make bench-compare` builds both first. A machine's mood moves both programs: hence pairs, Edo then its
peer, again and again, each process bound to the same core; the ratio is the median of the pairs' ratios,
with the least and the most beside it. Python 3.7 and its standard library; Linux.
"""
import argparse
import json
import os
import pathlib
import platform
import resource
import statistics
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent


def output_of(*command):
    """What a command prints, or nothing where there is no such command, or it fails."""
    try:
        return subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                              universal_newlines=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return ""


def processor():
    for line in open("/proc/cpuinfo"):
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.machine()


class Failed(Exception):
    pass


def processor_time():
    """Of all processes that were started and have ended, in seconds."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def run(program, workload, arguments):
    """One process; what it says of an operation: ns, or for the workloads of memory, bytes."""
    wall, processor = time.monotonic(), processor_time()
    try:
        done = subprocess.run([program, workload, arguments.flavor], stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, universal_newlines=True, timeout=arguments.limit)
    except subprocess.TimeoutExpired:
        raise Failed("not done in %g s" % arguments.limit)
    share = (processor_time() - processor) / (time.monotonic() - wall)
    if done.returncode != 0:
        why = done.stderr.strip().splitlines()
        raise Failed(why[0] if why else "status %d" % done.returncode)
    said = dict(word.split("=", 1) for word in done.stdout.split() if "=" in word)
    if "bytes_per_task" in said:
        return "B", float(said["bytes_per_task"])
    return "ns", float(said["ns_per_op"]) * (share if arguments.cpu else 1)


def measure(workload, programs, arguments):
    """Runs the pairs of one workload. A program that fails is not run again."""
    row = {"workload": workload, "unit": None, "runs": {name: [] for name in programs}, "failed": {}}
    began = time.monotonic()
    for _ in range(arguments.pairs):
        for name, program in programs.items():
            if name in row["failed"]:
                continue
            try:
                row["unit"], value = run(program, workload, arguments)
                row["runs"][name].append(value)
            except Failed as failed:
                row["failed"][name] = str(failed)
        if time.monotonic() - began > arguments.limit:
            break
    row["median"] = {name: statistics.median(values) if values and name not in row["failed"] else None
                     for name, values in row["runs"].items()}
    if None not in row["median"].values() and len(programs) == 2:
        ours, theirs = row["runs"].values()
        ratios = [a / b for a, b in zip(ours, theirs)]
        row["ratio"] = {"median": statistics.median(ratios), "min": min(ratios), "max": max(ratios)}
    return row


def line_of(row, names):
    def cell(value):
        return "%.1f" % value if value is not None else "–"
    line = "%-16s %4s" % (row["workload"], row["unit"] or "")
    for name in names:
        line += " %10s" % cell(row["median"].get(name))
    if "ratio" in row:
        line += "  %5.2f  %5.2f–%.2f" % tuple(row["ratio"][k] for k in ("median", "min", "max"))
    return line


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("workloads", metavar="WORKLOAD", nargs="*", help="default: all")
    parser.add_argument("--pairs", type=int, default=5, help="of runs of a workload (5)")
    parser.add_argument("--flavor", default="ct", help="of the runtime (ct)")
    parser.add_argument("--cpu", action="store_true",
                        help="the processor's time, not the clock's: where other work takes the core away")
    parser.add_argument("--core", type=int, help="the core to run on (the last one)")
    parser.add_argument("--limit", type=float, default=60, metavar="SECONDS",
                        help="after which a process is ended, and a workload gets no further pair (60)")
    parser.add_argument("--json", metavar="FILE", help="write all runs there too; - prints them alone")
    parser.add_argument("--edo", default=ROOT / "build/bench/edo-bench", type=pathlib.Path)
    parser.add_argument("--peer", default=ROOT / "build/bench/peers/tokio", type=pathlib.Path,
                        help="a folder with the program `peer`, and its `version`")
    arguments = parser.parse_args()
    if arguments.pairs < 1:
        parser.error("--pairs: at least 1")

    programs = {"Edo": str(arguments.edo)}
    versions = {"Edo": output_of(arguments.edo, "--version")}
    known = output_of(arguments.edo, "--list").split()
    if not known:
        parser.error("%s: no such program; `make bench` builds it" % arguments.edo)
    peer, version = arguments.peer / "peer", arguments.peer / "version"
    if os.access(peer, os.X_OK):
        name = arguments.peer.resolve().name.capitalize()
        programs[name] = str(peer)
        versions[name] = version.read_text().strip() if version.exists() else ""
    for workload in arguments.workloads:
        if workload not in known:
            parser.error("no such workload: " + workload)

    cores = sorted(os.sched_getaffinity(0))
    core = arguments.core if arguments.core is not None else cores[-1]
    os.sched_setaffinity(0, {core})  # the processes that it starts inherit it
    revision = output_of("git", "describe", "--always", "--dirty")
    if revision:
        versions["Edo"] += ", revision " + revision
    report = {"processor": processor(), "cores": len(cores), "core": core, "load": os.getloadavg()[0],
              "system": "%s %s" % (platform.system(), platform.release()),
              "flavor": arguments.flavor, "pairs": arguments.pairs,
              "time": "processor time" if arguments.cpu else "wall time", "versions": versions, "rows": []}

    table = sys.stderr if arguments.json == "-" else sys.stdout
    print("%(processor)s, %(cores)d cores, all on core %(core)d; %(system)s; load %(load).1f" % report,
          file=table)
    for name, text in versions.items():
        print("%s: %s" % (name, text), file=table)
    if len(programs) == 1:
        print("no peer: bench/peers/tokio/build.sh %s says why" % arguments.peer, file=table)
    print("%s, medians of %d pairs, %s\n" % (arguments.flavor, arguments.pairs, report["time"]), file=table)
    print("%-16s %4s" % ("an operation of", "") + "".join(" %10s" % name for name in programs) +
          ("  ratio   least–most" if len(programs) > 1 else ""), file=table)
    for workload in arguments.workloads or [w for w in known if w != "echo_server"]:
        row = measure(workload, programs, arguments)
        report["rows"].append(row)
        print(line_of(row, programs), file=table, flush=True)
    failed = [(row["workload"], name, why) for row in report["rows"] for name, why in row["failed"].items()]
    for what in failed:
        print("%s: %s: %s" % what, file=table)
    if arguments.json == "-":
        json.dump(report, sys.stdout, indent=1)
        print()
    elif arguments.json:
        with open(arguments.json, "w") as file:
            json.dump(report, file, indent=1)
    return 1 if any(name == "Edo" for _, name, _ in failed) else 0


if __name__ == "__main__":
    sys.exit(main())
