#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Runs workloads of edo-bench and of a peer in turn, and prints what each operation cost, side by side.

    bench/compare.py [OPTION…] [WORKLOAD…]

`make bench-compare` builds both first. A machine's mood moves both programs: hence pairs, Edo then its
peer, again and again; the ratio is the median of the pairs' ratios, with the least and the most beside
it. Wall time and the processor's are both measured, by the programs themselves. Python 3.7 and its
standard library; Linux.
"""
import argparse
import json
import os
import pathlib
import platform
import re
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


def run(program, workload, flavor, limit):
    """One process; what it says of an operation: ns, and ns of the processor; or for the workloads of
    memory, bytes."""
    try:
        done = subprocess.run([program, workload, flavor], stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, universal_newlines=True, timeout=limit)
    except subprocess.TimeoutExpired:
        raise Failed("not done in %g s" % limit)
    if done.returncode != 0:
        why = done.stderr.strip().splitlines()
        raise Failed(why[0] if why else "status %d" % done.returncode)
    said = dict(word.split("=", 1) for word in done.stdout.split() if "=" in word)
    if "bytes_per_task" in said:
        return {"B": float(said["bytes_per_task"])}
    return {"ns": float(said["ns_per_op"]), "cpu ns": float(said["cpu_ns_per_op"])}


def ratio(ours, theirs):
    ratios = [a / b for a, b in zip(ours, theirs) if b > 0]
    return {"median": statistics.median(ratios), "min": min(ratios), "max": max(ratios)} if ratios else None


def summary(unit, runs, failed):
    """Of what was measured in one unit: {name: values}."""
    measured = {"unit": unit, "runs": runs,
                "median": {name: statistics.median(values) if values and name not in failed else None
                           for name, values in runs.items()}}
    if len(runs) == 2 and None not in measured["median"].values():
        measured["ratio"] = ratio(*runs.values())
    return measured


def measure(workload, flavor, programs, arguments):
    """Runs the pairs of one workload. A program that fails is not run again."""
    said, failed = {name: [] for name in programs}, {}
    began = time.monotonic()
    for _ in range(arguments.pairs):
        for name, program in programs.items():
            if name in failed:
                continue
            try:
                said[name].append(run(program, workload, flavor, arguments.limit))
            except Failed as why:
                failed[name] = str(why)
        if time.monotonic() - began > arguments.limit:
            break
    units = next((list(values[0]) for values in said.values() if values), [])
    return {"workload": workload, "flavor": flavor, "failed": failed,
            "measured": [summary(unit, {name: [value[unit] for value in values]
                                        for name, values in said.items()}, failed) for unit in units]}


def cells(measured, names):
    """The medians, and the ratio if there is one."""
    line = ""
    for name in names:
        median = measured["median"].get(name)
        line += " %9s" % ("%.1f" % median if median is not None else "–")
    if measured.get("ratio"):
        line += " %6.2f  %11s" % (measured["ratio"]["median"],
                                  "%(min).2f–%(max).2f" % measured["ratio"])
    elif len(names) > 1:
        line += " %6s  %11s" % ("", "")
    return line


def line_of(row, names):
    line = "%-16s %-5s" % (row["workload"], row["flavor"])
    if not row["measured"]:
        return line + " " * 4 + " %9s" % "–"
    line += " %-2s" % row["measured"][0]["unit"]
    return line + "  |".join(cells(measured, names) for measured in row["measured"])


def heading(names):
    columns = "".join(" %9s" % name for name in names) + (" %6s  %11s" % ("ratio", "least–most")
                                                          if len(names) > 1 else "")
    width = len(columns)
    return ("%-25s%-*s  |%s\n" % ("", width, "  wall time" if len(names) > 1 else "  wall", "  processor's time")
            + "%-25s%s  |%s" % ("an operation of", columns, columns))


def flavors(text):
    names = text.split(",")
    for name in names:
        if not re.fullmatch("ct|mt[1-9][0-9]*", name):
            raise argparse.ArgumentTypeError("ct, or mtK for K workers, not " + name)
    return names


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("workloads", metavar="WORKLOAD", nargs="*", help="default: all")
    parser.add_argument("--pairs", type=int, default=5, help="of runs of a workload (5)")
    parser.add_argument("--flavor", type=flavors, action="append", metavar="ct|mtK,…",
                        help="the runtime, or several: mtK is the multi-thread one with K workers (ct)")
    parser.add_argument("--core", type=int, help="the core that ct runs on (the last one); mtK has all")
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

    cores = os.sched_getaffinity(0)
    core = arguments.core if arguments.core is not None else max(cores)
    revision = output_of("git", "describe", "--always", "--dirty")
    if revision:
        versions["Edo"] += ", revision " + revision
    chosen = [flavor for names in arguments.flavor or [["ct"]] for flavor in names]
    report = {"processor": processor(), "cores": len(cores), "core": core, "load": os.getloadavg()[0],
              "system": "%s %s" % (platform.system(), platform.release()),
              "flavors": chosen, "pairs": arguments.pairs, "versions": versions, "rows": []}

    table = sys.stderr if arguments.json == "-" else sys.stdout
    print("%(processor)s, %(cores)d cores, ct on core %(core)d; %(system)s; load %(load).1f" % report,
          file=table)
    for name, text in versions.items():
        print("%s: %s" % (name, text), file=table)
    if len(programs) == 1:
        print("no peer: bench/peers/tokio/build.sh %s says why" % arguments.peer, file=table)
    print("medians of %d pairs\n\n%s" % (arguments.pairs, heading(programs)), file=table)
    for workload in arguments.workloads or [w for w in known if w != "echo_server"]:
        for flavor in chosen:
            os.sched_setaffinity(0, {core} if flavor == "ct" else cores)  # which a process inherits
            row = measure(workload, flavor, programs, arguments)
            report["rows"].append(row)
            print(line_of(row, programs), file=table, flush=True)
    failed = [(row["workload"], row["flavor"], name, why)
              for row in report["rows"] for name, why in row["failed"].items()]
    for what in failed:
        print("%s %s: %s: %s" % what, file=table)
    if arguments.json == "-":
        json.dump(report, sys.stdout, indent=1)
        print()
    elif arguments.json:
        with open(arguments.json, "w") as file:
            json.dump(report, file, indent=1)
    return 1 if any(name == "Edo" for _, _, name, _ in failed) else 0


if __name__ == "__main__":
    sys.exit(main())
