#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What an operation costs among few others and among many: Edo's curves, beside Tokio's.

    bench/scaling.py [OPTION…] [CURVE…]

tasks        a yield, while 10^2 … 10^6 tasks take turns (yield_among, on ct)
timers       a timeout around a yield, while so many tasks sleep (timeout_among, on ct)
connections  an echo of 64 B over 10 … 10^4 connections: the server's processor time (echo_server, on ct,
             under build/bench/loadgen), as far as RLIMIT_NOFILE lets it
workers      a yield of 1,000 tasks, and a task of skynet, on 1 … all cores: wall time (yield, skynet)

The first three are the processor's time. A curve's price is the ratio of its ends. Edo's bends when that is
more than 2, and Tokio's, where there is one, is not: then the status is 1. `make bench-scaling` builds what it
needs. Python 3.7 and its standard library; Linux.
"""
import argparse
import resource
import statistics
import sys
import time

import machine
import options
import program
import report as reports
from compare import NAMES
from machine import BUILD
from program import Failed, Lacking
from servers import Server, load_echo
from table import Table, figure

BEND = 2.0
DECADES = [10 ** e for e in range(2, 7)]
# Files that a process has besides its connections.
FILES_BESIDE = 64
ECHO_SECONDS = 2
PEER = "tokio"


class Curve:
    """A cost at several sizes: of each program, `at` (a size) does one run."""

    def __init__(self, name, of, unit, sizes, run, stopped=None):
        self.name, self.of, self.unit, self.sizes, self.run, self.stopped = name, of, unit, sizes, run, stopped

    def measure(self, programs, rounds, end):
        """Round after round, all programs at all sizes, until the time is used; once at least."""
        runs = {name: {size: [] for size in self.sizes} for name in programs}
        failed = {}
        for i in range(rounds):
            began = time.monotonic()
            for size in self.sizes:
                for name, p in programs.items():
                    if name not in failed:
                        try:
                            runs[name][size].append(self.run(p, size))
                        except (Failed, Lacking) as why:
                            failed[name] = "%d: %s" % (size, why)
            if time.monotonic() + (time.monotonic() - began) > end:
                break
        points = {name: {size: statistics.median(values) for size, values in at.items() if values}
                  for name, at in runs.items() if name not in failed}
        ends = {name: at[self.sizes[-1]] / at[self.sizes[0]] for name, at in points.items()
                if self.sizes[0] in at and self.sizes[-1] in at and at[self.sizes[0]] > 0}
        return {"curve": self.name, "of": self.of, "unit": self.unit, "sizes": self.sizes, "points": points,
                "ends": ends, "failed": failed, "stopped": self.stopped,
                "bends": ends.get("Edo", 0) > BEND and not ends.get(PEER, 0) > BEND}


def connections(arguments):
    """How many can be open at once, here and in the server; more than before, where the limit is soft."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard == resource.RLIM_INFINITY or hard > soft:
        most = 20000 if hard == resource.RLIM_INFINITY else min(hard, 20000)
        soft = max(soft, most)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    wanted = [10, 100, 1000, 10000]
    sizes = [size for size in wanted if size + FILES_BESIDE <= soft]
    stopped = None if sizes == wanted else \
        "RLIMIT_NOFILE is %d: no %d connections" % (soft, next(s for s in wanted if s not in sizes))

    def run(p, size):
        with Server([p.path, "echo_server", "ct", 0]) as server:
            return load_echo(arguments.loadgen, server, size, ECHO_SECONDS)["cpu_s_per_million"] * 1000
    return Curve("connections", "echo", "cpu ns", sizes, run, stopped)


def curves(arguments):
    def among(workload):
        return lambda p, size: p.run(workload, "ct", size, arguments.limit)["cpu ns"]

    def on_workers(workload, n):
        return lambda p, size: p.run(workload, "mt%d" % size, n, arguments.limit)["ns"]
    most = len(machine.CORES)
    workers = sorted(set([2 ** e for e in range(most.bit_length())] + [most]))
    few = "the process has one core" if most == 1 else None
    return [Curve("tasks", "yield_among", "cpu ns", DECADES, among("yield_among")),
            Curve("timers", "timeout_among", "cpu ns", DECADES, among("timeout_among")),
            connections(arguments),
            Curve("workers", "yield", "ns", workers, on_workers("yield", 2000), few),
            Curve("workers", "skynet", "ns", workers, on_workers("skynet", 100000))]


def head(report, file):
    print(machine.headline(report), file=file)
    print("medians of up to %(rounds)d rounds\n" % report, file=file)


def columns_of(report):
    widest = max(len(row["sizes"]) for row in report["rows"])
    return [("among", -12), ("of", -13), ("", -6), ("", -6)] + [("", 13)] * widest + [("last by first", 14), ("", -6)]


def lines_of(row, widest):
    """A line of the sizes, and one of each program."""
    def padded(cells):
        return cells + [""] * (widest - len(cells))
    lines = [[row["curve"], row["of"], row["unit"], ""] + padded(["%d" % size for size in row["sizes"]]) + ["", ""]]
    for name, at in row["points"].items():
        by_size = {int(size): cost for size, cost in at.items()}
        lines.append(["", "", "", NAMES.get(name, name)] +
                     padded([figure(by_size.get(size)) for size in row["sizes"]]) +
                     ["%.2f" % row["ends"][name] if name in row["ends"] else "–",
                      "bends" if name == "Edo" and row["bends"] else ""])
    return lines


def remarks(row):
    said = ["%s %s: %s: %s" % (row["curve"], row["of"], NAMES.get(name, name), why)
            for name, why in row["failed"].items()]
    if row["stopped"]:
        said.append("%s: %s" % (row["curve"], row["stopped"]))
    if row["bends"]:
        theirs = ", Tokio's %.2f times" % row["ends"][PEER] if PEER in row["ends"] else ""
        said.append("%s %s: bends: the last costs %.2f times the first%s" %
                    (row["curve"], row["of"], row["ends"]["Edo"], theirs))
    return said


def show(report, markdown, file):
    """A report that was written."""
    head(report, file)
    table = Table(columns_of(report), markdown, file)
    for row in report["rows"]:
        for line in lines_of(row, max(len(of["sizes"]) for of in report["rows"])):
            table.line(line)
    print(file=file)
    for row in report["rows"]:
        for line in remarks(row):
            print(line, file=file)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0],
                                     formatter_class=argparse.RawDescriptionHelpFormatter,
                                     epilog=__doc__.split("\n\n", 2)[2])
    parser.add_argument("curves", metavar="CURVE", nargs="*", help="default: all")
    parser.add_argument("--budget", type=options.seconds, default=180, metavar="SECONDS",
                        help="for all, by which it is decided how often each curve is measured (180)")
    parser.add_argument("--rounds", type=options.count, default=5, help="of a curve, at most (5)")
    parser.add_argument("--limit", type=options.seconds, default=60, metavar="SECONDS",
                        help="after which a process is ended (60)")
    program.add_options(parser)
    parser.add_argument("--loadgen", default=BUILD / "loadgen", type=options.path)
    arguments = parser.parse_args()
    every = curves(arguments)
    for name in arguments.curves:
        if name not in [curve.name for curve in every]:
            parser.error("no such curve: " + name)
    chosen = [curve for curve in every if not arguments.curves or curve.name in arguments.curves]
    programs = {"Edo": program.edo(parser, arguments.edo)}
    if any(curve.name == "connections" for curve in chosen):
        options.need(parser, arguments.loadgen, "build/bench/loadgen")
    programs.update((name, p) for name, p in program.peers(arguments.peers).items() if name == PEER)

    report = dict(machine.description(), kind="scaling", rounds=arguments.rounds,
                  rows=[{"sizes": curve.sizes} for curve in chosen])
    print()
    head(report, sys.stdout)
    table = Table(columns_of(report))
    widest = max(len(curve.sizes) for curve in chosen)
    report["rows"] = []
    end = time.monotonic() + arguments.budget
    for i, curve in enumerate(chosen):
        until = time.monotonic() + (end - time.monotonic()) / (len(chosen) - i)
        machine.bind("ct" if curve.unit == "cpu ns" and curve.name != "connections" else "mt", machine.CORES[-1])
        row = curve.measure(programs, arguments.rounds, until)
        report["rows"].append(row)
        for line in lines_of(row, widest):
            table.line(line)
    for row in report["rows"]:
        for line in remarks(row):
            print(line)
    if PEER not in programs:
        print("no Tokio to compare with: bench/peers/tokio/build.sh says what to get")
    if arguments.json:
        reports.write(report, arguments.json)
    return 1 if any(row["bends"] or "Edo" in row["failed"] for row in report["rows"]) else 0


if __name__ == "__main__":
    sys.exit(main())
