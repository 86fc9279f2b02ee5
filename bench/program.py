# SPDX-License-Identifier: MIT
"""A program that runs workloads: Edo's, or a peer's. `PROGRAM WORKLOAD FLAVOR [N]` prints a line of what an
operation cost, `PROGRAM --list` the workloads it has; status 3 says that it has not got what was asked for."""
import math
import os
import subprocess
import time

import options
from machine import BUILD, ROOT, output_of, run

EDO = BUILD / "edo-bench"
PEERS = BUILD / "peers"
# Not 2, by which a panic of Go's ends.
LACKING = 3


class Failed(Exception):
    pass


class Lacking(Failed):
    """It has no such workload, or not on that runtime."""


def quoted(text):
    """For a reason: its first line, which may be of any length."""
    lines = text.strip().splitlines()
    return "it said: " + lines[0][:200] if lines else "it said nothing"


def figures_of(workload):
    """Their units, and their names in the line."""
    if workload in ("memory", "memory_sleep"):
        return {"B": "bytes_per_task"}
    return {"ns": "ns_per_op", "cpu ns": "cpu_ns_per_op"}


class Program:
    def __init__(self, name, path):
        self.name, self.path = name, path
        self.workloads = output_of(path, "--list").split()
        beside = path.parent / "version"
        self.version = beside.read_text(errors="replace").strip() if beside.exists() else output_of(path, "--version")

    def run(self, workload, flavor, n, limit):
        """One process; {"ns": …, "cpu ns": …} of an operation, of the workloads of memory {"B": …}, and its
        own time, "s"."""
        began = time.monotonic()
        try:
            done = run([self.path, workload, flavor, n], limit)
        except subprocess.TimeoutExpired:
            raise Failed("not done in %g s" % limit)
        except OSError as why:
            raise Failed(str(why))
        seconds = time.monotonic() - began
        if done.returncode != 0:
            why = done.stderr.strip().splitlines()
            raise (Lacking if done.returncode == LACKING else Failed)(
                why[0] if why else "status %d" % done.returncode)
        said = dict(word.split("=", 1) for word in done.stdout.split() if "=" in word)
        try:
            figures = {unit: float(said[name]) for unit, name in figures_of(workload).items()}
            good = all(map(math.isfinite, figures.values()))
        except (KeyError, ValueError):
            good = False
        if not good:
            raise Failed(quoted(done.stdout))
        return dict(figures, s=seconds)


def add_options(parser, runs="write all runs there too"):
    """What the programs that measure have in common."""
    parser.add_argument("--json", metavar="FILE", type=options.writable, help=runs)
    parser.add_argument("--edo", default=EDO, type=options.path)
    parser.add_argument("--peers", default=PEERS, type=options.path, help="a folder with the peers' programs")


def edo(parser, path):
    options.need(parser, path, "build/bench/edo-bench")
    program = Program("Edo", path)
    if not program.workloads:
        parser.error("%s: it lists no workloads" % path)
    return program


def peers(folder):
    """Those that were built, by name, Tokio first: each is the program `peer` in a folder of its own."""
    found = {}
    names = os.listdir(folder) if folder.is_dir() else []
    for name in sorted(names, key=lambda name: (name != "tokio", name)):
        path = folder / name / "peer"
        if os.access(path, os.X_OK):
            found[name] = Program(name, path)
    return found


def known_peers():
    """Those that could be built."""
    return sorted(path.parent.name for path in ROOT.glob("bench/peers/*/build.sh"))
