# SPDX-License-Identifier: MIT
"""Where the numbers are from: the machine, its mood, and the revision that was built."""
import argparse
import os
import pathlib
import platform
import re
import subprocess
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
BUILD = ROOT / "build/bench"
CORES = sorted(os.sched_getaffinity(0))
# Seconds that a program has to say what it is.
PATIENCE = 10


def run(command, seconds, **options):
    """A process to its end, and what it printed, whatever bytes that is; TimeoutExpired."""
    return subprocess.run([str(word) for word in command], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          encoding="utf-8", errors="replace", timeout=seconds, **options)


def output_of(*command):
    """What a command prints, or nothing where there is no such command, or it fails."""
    try:
        return run(command, PATIENCE, cwd=ROOT, check=True).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return ""


def processor():
    for line in open("/proc/cpuinfo"):
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.machine()


def description():
    """For the head of a report."""
    return {"processor": processor(), "cores": len(CORES), "load": round(os.getloadavg()[0], 1),
            "system": "%s %s" % (platform.system(), platform.release()),
            "revision": output_of("git", "describe", "--always", "--dirty") or "unknown",
            "date": time.strftime("%Y-%m-%d")}


def headline(report):
    line = "%(processor)s, %(cores)d cores; %(system)s; load %(load).1f; Edo %(revision)s" % report
    if report["load"] > 0.5:
        line += "\nothers work here too: what follows is no better than they let it be"
    return line


def default_flavors():
    """The current-thread runtime, and where there are more cores than one the multi-thread one on four of
    them at most."""
    return ["ct"] + (["mt%d" % min(4, len(CORES))] if len(CORES) > 1 else [])


def flavors(text):
    """An argument's type: ct,mt2,…"""
    names = text.split(",")
    for name in names:
        if not re.fullmatch("ct|mt[1-9][0-9]*", name):
            raise argparse.ArgumentTypeError("ct, or mtK for K workers, not " + name)
    return names


def bind(flavor, core):
    """What is started from now on, by this process, has that core on ct, and all of them on mtK."""
    os.sched_setaffinity(0, {core} if flavor == "ct" else CORES)
