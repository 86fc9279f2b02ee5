#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Servers under a load from outside: Edo's and others, in turn, each driven by the same generator.

    bench/servers.py [OPTION…] [echo] [redis]

echo is edo-bench's echo_server beside those of its peers, under build/bench/loadgen: 64 connections, 64 B
there and back. redis is examples/mini_redis beside redis-server as it comes, which has one thread, under
redis-benchmark: 50 connections, SET and GET, one by one and 16 in a pipeline. `make bench-servers` builds
what it needs.

A server's processor time is what the kernel says of its process, while the load lasts. The generator runs
on the same machine: where there are few cores, it takes them from the server. Python 3.7 and its standard
library; Linux.
"""
import argparse
import json
import os
import pathlib
import re
import signal
import socket
import statistics
import subprocess
import sys
import time

import machine
import program
from compare import NAMES
from machine import BUILD, ROOT, output_of
from program import LACKING, Failed, Lacking
from ratio import FEWEST, ratio
from table import Table, figure, ratio_cells, ratio_columns, said_of

CONNECTIONS, MESSAGE, REDIS_CONNECTIONS, PATIENCE = 64, 64, 50, 10
FIGURES = ("requests_per_s", "cpu_s_per_million", "p50_us", "p99_us", "p999_us")


class Server:
    """A process that listens, from `with` to its end."""

    def __init__(self, command, port=None):
        self.command, self.port = [str(word) for word in command], port

    def __enter__(self):
        self.process = subprocess.Popen(self.command, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                        universal_newlines=True)
        try:
            if self.port is None:
                self.port = self.port_it_says()
            else:
                self.wait_for_port()
        except Failed:
            self.__exit__()
            raise
        return self

    def port_it_says(self):
        line = self.process.stdout.readline()
        said = re.search(r"listening on .*:(\d+)", line)
        if said is None:
            why = (line + self.process.stderr.read()).strip() or "it said nothing"
            raise (Lacking if self.process.wait() == LACKING else Failed)(why)
        return int(said.group(1))

    def wait_for_port(self):
        until = time.monotonic() + PATIENCE
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
                return
            except OSError:
                if time.monotonic() > until or self.process.poll() is not None:
                    raise Failed("nobody listens on port %d" % self.port)
                time.sleep(0.02)

    def cpu(self):
        """Of all its threads so far, in seconds: CLOCK_PROCESS_CPUTIME_ID of another process."""
        return time.clock_gettime((~self.process.pid << 3) | 2)

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.communicate(timeout=PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.communicate()


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def output(command, seconds):
    try:
        done = subprocess.run([str(word) for word in command], stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, universal_newlines=True, timeout=seconds)
    except subprocess.TimeoutExpired:
        raise Failed("the load was not done in %g s" % seconds)
    if done.returncode != 0:
        raise Failed("the load failed: " + (done.stderr.strip() or done.stdout.strip()))
    return done.stdout


def load_echo(loadgen, server, connections, seconds, threads=1):
    """The requests, and what they were like; the processor's time is read by the generator itself."""
    said = output([loadgen, server.port, connections, MESSAGE, seconds, threads, 1, server.process.pid],
                  seconds + 60)
    figures = {key: float(value) for key, value in (word.split("=") for word in said.split())}
    requests = figures.pop("requests")
    if requests == 0:
        raise Failed("nothing came back")
    figures["cpu_s_per_million"] = figures.pop("server_cpu_s") / requests * 1e6
    return figures


def echo_load(arguments):
    return lambda server: load_echo(arguments.loadgen, server, CONNECTIONS, arguments.seconds,
                                    arguments.threads)


def redis_load(command, pipeline, requests):
    """Its 99.9th percentile is the one of its list that comes next above."""
    def drive(server):
        before = server.cpu()
        said = output(["redis-benchmark", "-p", server.port, "-t", command, "-n", requests, "-P", pipeline,
                       "-c", REDIS_CONNECTIONS, "--precision", 3], 300)
        rate = re.search(r"throughput summary: ([\d.]+)", said)
        summary = re.search(r"latency summary.*\n.*\n((?:\s+[\d.]+){6})", said)
        if rate is None or summary is None:
            raise Failed("redis-benchmark gave no summary")
        _, _, p50, _, p99, _ = map(float, summary.group(1).split())
        p999 = next(float(ms) for share, ms in re.findall(r"([\d.]+)% <= ([\d.]+) milli", said)
                    if float(share) >= 99.9)
        return {"requests_per_s": float(rate.group(1)), "p50_us": p50 * 1000, "p99_us": p99 * 1000,
                "p999_us": p999 * 1000, "cpu_s_per_million": (server.cpu() - before) / requests * 1e6}
    return drive


def echo_servers(flavor, programs):
    """How to start each. libuv has two: by its streams, and by polling."""
    def start(path, workload):
        return lambda: Server([path, workload, flavor, 0])
    return {name + workload[len("echo_server"):].replace("_", " "): start(p.path, workload)
            for name, p in programs.items() for workload in p.workloads if workload.startswith("echo_server")}


def redis_servers(flavor, arguments):
    workers = [] if flavor == "ct" else ["--workers", flavor[2:]]
    servers = {"Edo": lambda: Server([arguments.mini_redis, "--port", 0] + workers)}
    if output_of("redis-server", "--version"):
        def redis():
            port = free_port()
            return Server(["redis-server", "--port", port, "--bind", "127.0.0.1", "--save", "",
                           "--appendonly", "no"], port)
        servers["Redis"] = redis
    return servers


def measure(what, flavor, servers, drive, rounds, end):
    """end: when no further round is begun, or None."""
    row = {"workload": what, "flavor": flavor, "runs": {name: [] for name in servers}, "failed": {}}
    for i in range(rounds):
        if i > 0 and end is not None and time.monotonic() > end:
            break
        # There and back: who comes before whom may matter.
        for name, start in list(servers.items())[::-1 if i % 2 else 1]:
            if name in row["failed"] or name not in row["runs"]:
                continue
            try:
                with start() as server:
                    row["runs"][name].append(drive(server))
            except Lacking:
                del row["runs"][name]
            except (Failed, OSError) as why:
                row["failed"][name] = str(why).splitlines()[0]
    row["median"] = {name: {figure: statistics.median(run[figure] for run in runs) for figure in FIGURES}
                     for name, runs in row["runs"].items() if runs and name not in row["failed"]}
    return row


def columns_of(report):
    intervals = report["rounds"] >= FEWEST
    return [("load", -13), ("on", -4), ("", -10), ("requests/s", 11), ("CPU s per 10^6", 14), ("p50 µs", 8),
            ("p99 µs", 8), ("p99.9 µs", 8)] + \
        ratio_columns("Edo's requests", 14, intervals) + ratio_columns("Edo's CPU", 9, intervals)


def lines_of(row, report):
    """In the others' rows, what Edo's are by theirs."""
    lines = []
    for name, median in row["median"].items():
        line = [row["workload"], row["flavor"], NAMES.get(name, name)]
        line += [figure(median[f], 2 if f == "cpu_s_per_million" else 0) for f in FIGURES]
        for f in FIGURES[:2]:
            by = ratio([run[f] for run in row["runs"]["Edo"]], [run[f] for run in row["runs"][name]]) \
                if name != "Edo" and "Edo" in row["median"] else None
            line += ratio_cells(by, report["rounds"] >= FEWEST)
        lines.append(line)
    return lines


def head(report, file):
    print(machine.headline(report), file=file)
    if report["redis"]:
        print(report["redis"], file=file)
    print("medians of up to %(rounds)d rounds; the load runs on the same cores\n" % report, file=file)


def show(report, markdown, file):
    """A report that was written."""
    head(report, file)
    table = Table(columns_of(report), markdown, file)
    for row in report["rows"]:
        for line in lines_of(row, report):
            table.line(line)
    print(file=file)
    for line in said_of(report):
        print(line, file=file)


def rows_of(loads, chosen, arguments):
    """What is to be measured: (load, flavor, servers, how to drive one)."""
    rows = []
    if "echo" in loads:
        programs = dict({"Edo": program.Program("Edo", arguments.edo)}, **program.peers(arguments.peers))
        rows += [("echo", flavor, echo_servers(flavor, programs), echo_load(arguments)) for flavor in chosen]
    if "redis" in loads and output_of("redis-benchmark", "--version"):
        rows += [("redis %s%s" % (command, " P16" if pipeline > 1 else ""), flavor,
                  redis_servers(flavor, arguments),
                  redis_load(command, pipeline, arguments.requests * (10 if pipeline > 1 else 1)))
                 for pipeline in (1, 16) for command in ("SET", "GET") for flavor in chosen]
    elif "redis" in loads:
        print("no redis-benchmark: in Debian, apt-get install redis-tools redis-server", file=sys.stderr)
    return rows


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("loads", metavar="echo|redis", nargs="*", help="default: both")
    parser.add_argument("--flavor", type=machine.flavors, action="append", metavar="ct|mtK,…",
                        help="the servers' runtimes (ct, and mt1, mt2, mt4 as far as there are cores)")
    parser.add_argument("--budget", type=float, metavar="SECONDS",
                        help="for all: on ct and one mtK, in as many rounds as fit")
    parser.add_argument("--rounds", type=int, default=9, help="of each server, in turn (9)")
    parser.add_argument("--seconds", type=int, default=1, help="that the load on echo takes (1)")
    parser.add_argument("--threads", type=int, default=1, help="of the load on echo (1)")
    parser.add_argument("--requests", type=int, default=50000,
                        help="to redis, one by one; in a pipeline ten times as many (50000)")
    program.add_options(parser)
    parser.add_argument("--loadgen", default=BUILD / "loadgen", type=pathlib.Path)
    parser.add_argument("--mini-redis", default=ROOT / "build/examples/mini_redis", type=pathlib.Path)
    arguments = parser.parse_args()
    for load in arguments.loads:
        if load not in ("echo", "redis"):
            parser.error("no such load: " + load)
    chosen = [f for names in arguments.flavor or [machine.default_flavors()] for f in names]
    if not arguments.budget and not arguments.flavor:
        chosen = ["ct"] + ["mt%d" % k for k in (1, 2, 4) if k <= len(machine.CORES)]
    rows = rows_of(arguments.loads or ["echo", "redis"], chosen, arguments)

    report = dict(machine.description(), kind="servers", rounds=arguments.rounds,
                  rows=[],
                  redis=output_of("redis-server", "--version") if rows and rows[-1][0] != "echo" else "")
    print()
    head(report, sys.stdout)
    table = Table(columns_of(report))
    end = time.monotonic() + arguments.budget if arguments.budget else None
    for i, (what, flavor, servers, drive) in enumerate(rows):
        # A row's last round may begin when half of its share is used: it takes the other.
        left = end - time.monotonic() if end else None
        until = time.monotonic() + left / (len(rows) - i) / 2 if end else None
        row = measure(what, flavor, servers, drive, arguments.rounds, until)
        report["rows"].append(row)
        for line in lines_of(row, report):
            table.line(line)
    for line in said_of(report):
        print(line)
    if arguments.json:
        pathlib.Path(arguments.json).write_text(json.dumps(report, indent=1) + "\n")
    return 1 if any("Edo" in row["failed"] for row in report["rows"]) else 0


if __name__ == "__main__":
    sys.exit(main())
