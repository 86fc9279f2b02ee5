# SPDX-License-Identifier: MIT
"""A program that runs workloads: Edo's, or a peer's. `PROGRAM WORKLOAD FLAVOR [N]` prints a line of what an
operation cost, `PROGRAM --list` the workloads it has; status 3 says that it has not got what was asked for."""
import os
import pathlib
import subprocess
import time

from machine import BUILD, ROOT, output_of

EDO = BUILD / "edo-bench"
PEERS = BUILD / "peers"
# Not 2, by which a panic of Go's ends.
LACKING = 3


class Failed(Exception):
    pass


class Lacking(Failed):
    """It has no such workload, or not on that runtime."""


class Program:
    def __init__(self, name, path):
        self.name, self.path = name, path
        self.workloads = output_of(path, "--list").split()
        beside = path.parent / "version"
        self.version = beside.read_text().strip() if beside.exists() else output_of(path, "--version")

    def run(self, workload, flavor, n, limit):
        """One process; {"ns": …, "cpu ns": …} of an operation, of the workloads of memory {"B": …}, and its
        own time, "s"."""
        began = time.monotonic()
        try:
            done = subprocess.run([str(self.path), workload, flavor, str(n)], stdout=subprocess.PIPE,
                                  stderr=subprocess.PIPE, universal_newlines=True, timeout=limit)
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
        if "bytes_per_task" in said:
            return {"B": float(said["bytes_per_task"]), "s": seconds}
        return {"ns": float(said["ns_per_op"]), "cpu ns": float(said["cpu_ns_per_op"]), "s": seconds}


def add_options(parser, runs="write all runs there too"):
    """What the programs that measure have in common."""
    parser.add_argument("--json", metavar="FILE", help=runs)
    parser.add_argument("--edo", default=EDO, type=pathlib.Path)
    parser.add_argument("--peers", default=PEERS, type=pathlib.Path, help="a folder with the peers' programs")


def edo(path=EDO):
    program = Program("Edo", path)
    return program if program.workloads else None


def peers(folder=PEERS):
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
