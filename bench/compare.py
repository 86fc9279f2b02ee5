#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Runs workloads of edo-bench and of its peers in turn, and prints what each operation cost, side by side.

    bench/compare.py [OPTION…] [WORKLOAD…]

`make bench` and `make bench-full` build all of them first. A machine's mood moves all programs: hence
rounds, short ones, and many: Edo and then each peer, and in the next one backwards. A ratio is the median of
the rounds' ratios, and beside it stand its 95 % interval, and the least and the most. Wall time and the
processor's are both measured, by the programs themselves. All programs of a row have the same N, which is
reckoned from the time that is there. Python 3.7 and its standard library; Linux.
"""
import argparse
import json
import statistics
import sys
import time

import machine
import options
import program
import report as reports
import workloads
from program import Failed, Lacking
from ratio import FEWEST, ratio
from table import Table, figure, ratio_cells, ratio_columns, said_of

NAMES = {"tokio": "Tokio", "go": "Go", "uring": "io_uring"}
ROUNDS, SHORT_ROUNDS = 15, 3
# Where time is not short, a workload that has an N of its own may take long: after so many seconds it has no more
# rounds than an interval needs.
ENOUGH = 20
# Seconds: what a run takes where time is not short, what it takes at most and at least.
RUN, LONGEST, CALIBRATION = 0.2, 1.0, 0.02


def rounded(n):
    """To two digits: N is also to be read."""
    step = 10 ** max(0, len(str(int(n))) - 2)
    return max(1, int(n) // step * step)


class Row:
    """A workload on a runtime, by all programs that have it."""

    def __init__(self, workload, flavor, programs, limit):
        self.workload, self.flavor, self.limit = workload, flavor, limit
        self.programs = {name: p for name, p in programs.items()
                         if name != "floor" and (not p.workloads or workload in p.workloads)}
        self.floor = workloads.of(workload).floor
        self.floor_program = programs.get("floor") if self.floor else None
        self.runs, self.floor_runs, self.failed = {name: [] for name in self.programs}, [], {}

    def run(self, name, n):
        """Its seconds; none when it fails, which it does once."""
        if name in self.failed or name not in self.programs:
            return 0, None
        try:
            said = self.programs[name].run(self.workload, self.flavor, n, self.limit)
        except Lacking as why:
            if name == "Edo":
                self.failed[name] = str(why)
            else:
                del self.programs[name]
            return 0, None
        except Failed as why:
            self.failed[name] = str(why)
            return 0, None
        return said.pop("s"), said

    def calibrate(self, seconds):
        """The N with which a round takes so long."""
        n = workloads.of(self.workload).first
        while True:
            took, said = self.run("Edo", n)
            if took >= CALIBRATION or said is None:
                break
            n *= 8
        took += sum(self.run(name, n)[0] for name in list(self.programs) if name != "Edo")
        return rounded(n * seconds / took) if took > 0 else n

    def round(self, n, backwards):
        for name in list(self.programs)[::-1 if backwards else 1]:
            _, said = self.run(name, n)
            if said is not None:
                self.runs[name].append(said)
        if self.floor_program is not None:
            try:
                said = self.floor_program.run(self.floor, workloads.floor_flavor(self.floor, self.flavor),
                                              workloads.FLOORS[self.floor], self.limit)
                self.floor_runs.append(said[self.floor_unit()])
            except Failed as why:
                self.floor_program = None
                self.failed["floor"] = str(why)

    def floor_unit(self):
        """The processor's time, which several workers' operations take too; between two threads, how long it takes."""
        return "ns" if self.floor == "hand_over" else "cpu ns"

    def measure(self, rounds, share, short):
        """share: the seconds that it may take, or None."""
        began = time.monotonic()
        shape = workloads.of(self.workload).shape
        if shape is not None:
            self.n = shape[0 if short else 1]
        else:
            each = RUN if share is None else min(LONGEST, 0.9 * share / rounds / max(1, len(self.programs)))
            self.n = self.calibrate(each * len(self.programs))
        for done in range(1, rounds + 1):
            self.round(self.n, backwards=done % 2 == 0)
            spent = time.monotonic() - began
            if share is None and spent > ENOUGH and done >= FEWEST:
                break
            if spent > (self.limit if share is None else share):
                break
        return self.report()

    def report(self):
        units = next((list(runs[0]) for runs in self.runs.values() if runs), [])
        row = {"workload": self.workload, "flavor": self.flavor, "n": self.n, "failed": self.failed,
               "measured": [self.summary(unit) for unit in units]}
        if self.floor_runs and units:
            ns, times = statistics.median(self.floor_runs), workloads.of(self.workload).times
            ours = next(of["median"]["Edo"] for of in row["measured"] if of["unit"] == self.floor_unit())
            row["floor"] = {"what": self.floor, "times": times, "unit": self.floor_unit(), "ns": ns,
                            "distance": ours / (ns * times) if ours and ns else None}
        return row

    def summary(self, unit):
        values = {name: [said[unit] for said in runs] if name not in self.failed else []
                  for name, runs in self.runs.items() if name in self.programs}
        return {"unit": unit, "runs": values,
                "median": {name: statistics.median(of) if of else None for name, of in values.items()},
                "ratio": {name: ratio(values["Edo"], of) for name, of in values.items() if name != "Edo"}}


def has_intervals(report):
    """Older reports have none, however many their rounds."""
    return report["rounds"] >= FEWEST and all(
        "interval" in by for row in report["rows"] for of in row["measured"] for by in of["ratio"].values() if by)


def columns_of(report):
    intervals = has_intervals(report)
    columns = [("an operation of", -16), ("on", -4), ("", -6), ("Edo", 8)]
    for name in report["columns"]:
        columns += [(NAMES.get(name, name), 8)] + ratio_columns("ratio", 6, intervals)
    if report["floors"]:
        columns += [("floor", 7), ("Edo by it", 9), ("which is", -16)]
    return columns + ([("others", -1)] if report["beside"] else [])


def lines_of(row, report):
    """One of wall time; one of the processor's, where that is another."""
    measured = row["measured"]
    if not measured:
        return [[row["workload"], row["flavor"], "–"]]
    shown = measured[:1] + [of for of in measured[1:] if row["flavor"] != "ct" or any(
        abs(a - b) > 0.1 * a for a, b in zip(measured[0]["median"].values(), of["median"].values())
        if a and b is not None)]
    lines, intervals = [], has_intervals(report)
    for of in shown:
        line = [row["workload"], row["flavor"], of["unit"], figure(of["median"].get("Edo"))]
        for name in report["columns"]:
            line += [figure(of["median"].get(name))] + ratio_cells(of["ratio"].get(name), intervals)
        if report["floors"]:
            floor = row.get("floor")
            if floor and of["unit"] != floor["unit"] and len(shown) > 1:
                floor = None
            line += [figure(floor["ns"]), figure(floor["distance"]),
                     ("%d " % floor["times"] if floor["times"] > 1 else "") + floor["what"]] if floor \
                else ["", "", ""]
        if report["beside"]:
            line.append(", ".join("%s %s (%.2f)" % (NAMES.get(name, name), figure(of["median"][name]),
                                                    of["ratio"][name]["median"])
                                  for name in report["beside"] if of["ratio"].get(name)))
        lines.append(line)
    return lines


def head(report, file):
    print(machine.headline(report), file=file)
    for name, text in report["versions"].items():
        print("%s: %s" % (NAMES.get(name, name), text), file=file)
    for name in report["missing"]:
        print("no %s: bench/peers/%s/build.sh %s says what to get" %
              (NAMES.get(name, name), name, program.PEERS.relative_to(machine.ROOT) / name), file=file)
    print("medians of up to %(rounds)d rounds; ct on core %(core)d\n" % report, file=file)


def foot(report, file):
    for line in said_of(report):
        print(line, file=file)
    if report["left_out"]:
        print("no time was left for: " + ", ".join(report["left_out"]), file=file)


def show(report, markdown, file):
    """A report that was written."""
    head(report, file)
    table = Table(columns_of(report), markdown, file)
    for row in report["rows"]:
        for line in lines_of(row, report):
            table.line(line)
    print(file=file)
    foot(report, file)


def peers_beside(programs, chosen):
    """Those that have a third of the workloads get columns, the others a place at the end of the line."""
    has = {name: sum(not p.workloads or w in p.workloads for w in chosen)
           for name, p in programs.items() if name not in ("Edo", "floor")}
    columns = [name for name, count in has.items() if count * 3 >= len(chosen)]
    return columns, [name for name, count in has.items() if count and name not in columns]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("workloads", metavar="WORKLOAD", nargs="*", help="default: all")
    parser.add_argument("--flavor", type=machine.flavors, action="append", metavar="ct|mtK,…",
                        help="the runtime, or several: mtK is the multi-thread one with K workers (ct, and mtK "
                             "for the cores that are there, at most 4)")
    parser.add_argument("--budget", type=options.seconds, metavar="SECONDS",
                        help="for all; each row has its share, and small Ns (without: what it takes)")
    parser.add_argument("--rounds", "--pairs", type=options.count, help="of runs of a workload (%d, with a budget %d)" %
                        (ROUNDS, SHORT_ROUNDS))
    parser.add_argument("--core", type=options.core, help="the core that ct runs on (the last one); mtK has all")
    parser.add_argument("--limit", type=options.seconds, default=60, metavar="SECONDS",
                        help="after which a process is ended, and a workload gets no further round (60)")
    program.add_options(parser, "write all runs there too; - prints them alone")
    arguments = parser.parse_args()
    rounds = arguments.rounds or (SHORT_ROUNDS if arguments.budget else ROUNDS)
    programs = dict({"Edo": program.edo(parser, arguments.edo)}, **program.peers(arguments.peers))
    known = programs["Edo"].workloads
    for workload in arguments.workloads:
        if workload not in known:
            parser.error("no such workload: " + workload)
    chosen = arguments.workloads or [w for w in known if w not in workloads.APART]
    flavors = [f for names in arguments.flavor or [machine.default_flavors()] for f in names]
    columns, beside = peers_beside(programs, chosen)
    report = dict(machine.description(), kind="compare", rounds=rounds, flavors=flavors,
                  core=arguments.core if arguments.core is not None else machine.CORES[-1],
                  versions={name: p.version for name, p in programs.items()},
                  missing=[name for name in program.known_peers() if name not in programs],
                  columns=columns, beside=beside, left_out=[], rows=[],
                  floors="floor" in programs and any(workloads.of(w).floor for w in chosen))

    alone = str(arguments.json) == "-"
    file = sys.stderr if alone else sys.stdout
    head(report, file)
    table = Table(columns_of(report), file=file)
    end = time.monotonic() + arguments.budget if arguments.budget else None
    rows = [(workload, flavor) for workload in chosen for flavor in flavors]
    for i, (workload, flavor) in enumerate(rows):
        left = end - time.monotonic() if end else None
        if left is not None and left <= 0:
            report["left_out"].append("%s %s" % (workload, flavor))
            continue
        machine.bind(flavor, report["core"])
        limit = arguments.limit if left is None else min(arguments.limit, max(5, left))
        row = Row(workload, flavor, programs, limit).measure(
            rounds, None if left is None else left / (len(rows) - i), left is not None)
        report["rows"].append(row)
        for line in lines_of(row, report):
            table.line(line)
    foot(report, file)
    if alone:
        json.dump(report, sys.stdout, indent=1)
        print()
    elif arguments.json:
        reports.write(report, arguments.json)
    return 1 if any("Edo" in row["failed"] for row in report["rows"]) else 0


if __name__ == "__main__":
    sys.exit(main())
