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
import os
import re
import select
import signal
import socket
import statistics
import subprocess
import sys
import time

import machine
import options
import program
import report as reports
from compare import NAMES
from machine import BUILD, PATIENCE, ROOT, output_of
from program import LACKING, Failed, Lacking, quoted
from ratio import FEWEST, ratio
from table import Table, figure, ratio_cells, ratio_columns, said_of

CONNECTIONS, MESSAGE, REDIS_CONNECTIONS = 64, 64, 50
LONGEST_LINE = 4096
FIGURES = ("requests_per_s", "cpu_s_per_million", "p50_us", "p99_us", "p999_us")


class Server:
    """A process that listens, from `with` to its end."""

    def __init__(self, command, port=None):
        self.command, self.port = [str(word) for word in command], port

    def __enter__(self):
        try:
            self.process = subprocess.Popen(self.command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        except OSError as why:
            raise Failed(str(why))
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
        """One that says nothing, or something else, may run on."""
        until = time.monotonic() + PATIENCE
        line = first_line(self.process.stdout, until)
        said = re.search(r"listening on .*:(\d+)", line)
        if said is not None:
            return int(said.group(1))
        if line:
            raise Failed(quoted(line))
        try:
            status = self.process.wait(max(0, until - time.monotonic()))
        except subprocess.TimeoutExpired:
            raise Failed("it said nothing in %g s" % PATIENCE)
        why = first_line(self.process.stderr, until).strip()
        raise (Lacking if status == LACKING else Failed)(why or "status %d" % status)

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
            self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()
        self.process.stderr.close()


def first_line(pipe, until):
    """Or what of it comes until then, and is no longer than a line."""
    line = b""
    while b"\n" not in line and len(line) < LONGEST_LINE:
        readable, _, _ = select.select([pipe], [], [], max(0, until - time.monotonic()))
        more = os.read(pipe.fileno(), LONGEST_LINE - len(line)) if readable else b""
        if not more:
            break
        line += more
    return line.decode("utf-8", "replace").split("\n")[0]


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def output(command, seconds):
    try:
        done = machine.run(command, seconds)
    except subprocess.TimeoutExpired:
        raise Failed("the load was not done in %g s" % seconds)
    except OSError as why:
        raise Failed("the load: %s" % why)
    if done.returncode != 0:
        raise Failed("the load failed: " + (done.stderr.strip() or done.stdout.strip() or
                                            "status %d" % done.returncode))
    return done.stdout


def load_echo(loadgen, server, connections, seconds, threads=1):
    """The requests, and what they were like; the processor's time is read by the generator itself."""
    said = output([loadgen, server.port, connections, MESSAGE, seconds, threads, 1, server.process.pid],
                  seconds + 60)
    try:
        figures = {key: float(value) for key, value in (word.split("=") for word in said.split())}
        requests, cpu = figures.pop("requests"), figures.pop("server_cpu_s")
        figures = {name: figures[name] for name in FIGURES if name != "cpu_s_per_million"}
    except (KeyError, ValueError):
        raise Failed("the load: " + quoted(said))
    if requests == 0:
        raise Failed("nothing came back")
    return dict(figures, cpu_s_per_million=cpu / requests * 1e6)


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
        p999 = next((float(ms) for share, ms in re.findall(r"([\d.]+)% <= ([\d.]+) milli", said)
                     if float(share) >= 99.9), None)
        if rate is None or summary is None or p999 is None:
            raise Failed("redis-benchmark gave no summary")
        _, _, p50, _, p99, _ = map(float, summary.group(1).split())
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
            except Lacking as why:
                if name == "Edo":
                    row["failed"][name] = str(why)
                else:
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


def rows_of(loads, chosen, arguments, parser):
    """What is to be measured: (load, flavor, servers, how to drive one)."""
    rows = []
    if "echo" in loads:
        programs = dict({"Edo": program.edo(parser, arguments.edo)}, **program.peers(arguments.peers))
        options.need(parser, arguments.loadgen, "build/bench/loadgen")
        rows += [("echo", flavor, echo_servers(flavor, programs), echo_load(arguments)) for flavor in chosen]
    if "redis" in loads:
        options.need(parser, arguments.mini_redis, "build/examples/mini_redis")
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
    parser.add_argument("--budget", type=options.seconds, metavar="SECONDS",
                        help="for all: on ct and one mtK, in as many rounds as fit")
    parser.add_argument("--rounds", type=options.count, default=9, help="of each server, in turn (9)")
    parser.add_argument("--seconds", type=options.count, default=1, help="that the load on echo takes (1)")
    parser.add_argument("--threads", type=options.count, default=1, help="of the load on echo (1)")
    parser.add_argument("--requests", type=options.count, default=50000,
                        help="to redis, one by one; in a pipeline ten times as many (50000)")
    program.add_options(parser)
    parser.add_argument("--loadgen", default=BUILD / "loadgen", type=options.path)
    parser.add_argument("--mini-redis", default=ROOT / "build/examples/mini_redis", type=options.path)
    arguments = parser.parse_args()
    for load in arguments.loads:
        if load not in ("echo", "redis"):
            parser.error("no such load: " + load)
    chosen = [f for names in arguments.flavor or [machine.default_flavors()] for f in names]
    if not arguments.budget and not arguments.flavor:
        chosen = ["ct"] + ["mt%d" % k for k in (1, 2, 4) if k <= len(machine.CORES)]
    rows = rows_of(arguments.loads or ["echo", "redis"], chosen, arguments, parser)

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
        reports.write(report, arguments.json)
    return 1 if any("Edo" in row["failed"] for row in report["rows"]) else 0


if __name__ == "__main__":
    sys.exit(main())
