#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Servers under a load from outside: Edo's and another, in turn, each driven by the same generator.

    bench/servers.py [OPTION…] [echo] [redis]

echo is edo-bench's echo_server beside Tokio's, under build/bench/loadgen: 64 connections, 64 B there and
back. redis is examples/mini_redis beside redis-server as it comes, which has one thread, under
redis-benchmark: 50 connections, SET and GET, one by one and 16 in a pipeline. `make bench-servers` builds
what it needs.

A server's processor time is what the kernel says of its process, from before the load to after it. The
generator runs on the same machine: where there are few cores, it takes them from the server. Python 3.7
and its standard library; Linux.
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

from compare import ROOT, Failed, flavors, output_of, processor

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
            raise Failed((line + self.process.stderr.read()).strip() or "it said nothing")
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
        """Of all its threads so far, in seconds."""
        fields = open("/proc/%d/stat" % self.process.pid).read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

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


def echo_load(arguments):
    def drive(port):
        said = output([arguments.loadgen, port, CONNECTIONS, MESSAGE, arguments.seconds, arguments.threads],
                      arguments.seconds + 60)
        figures = {key: float(value) for key, value in (word.split("=") for word in said.split())}
        return figures.pop("requests"), figures
    return drive


def redis_load(command, pipeline, requests):
    """Its 99.9th percentile is the one of its list that comes next above."""
    def drive(port):
        said = output(["redis-benchmark", "-p", port, "-t", command, "-n", requests, "-P", pipeline,
                       "-c", REDIS_CONNECTIONS, "--precision", 3], 300)
        rate = re.search(r"throughput summary: ([\d.]+)", said)
        summary = re.search(r"latency summary.*\n.*\n((?:\s+[\d.]+){6})", said)
        if rate is None or summary is None:
            raise Failed("redis-benchmark gave no summary")
        _, _, p50, _, p99, _ = map(float, summary.group(1).split())
        p999 = next(float(ms) for share, ms in re.findall(r"([\d.]+)% <= ([\d.]+) milli", said)
                    if float(share) >= 99.9)
        return requests, {"requests_per_s": float(rate.group(1)), "p50_us": p50 * 1000,
                          "p99_us": p99 * 1000, "p999_us": p999 * 1000}
    return drive


def echo_servers(flavor, arguments):
    servers = {"Edo": lambda: Server([arguments.edo, "echo_server", flavor, 0])}
    if os.access(arguments.peer / "peer", os.X_OK):
        servers[arguments.peer.resolve().name.capitalize()] = \
            lambda: Server([arguments.peer / "peer", "echo_server", flavor, 0])
    return servers


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


def measure(what, flavor, servers, drive, rounds):
    row = {"load": what, "flavor": flavor, "runs": {name: [] for name in servers}, "failed": {}}
    for _ in range(rounds):
        for name, start in servers.items():
            if name in row["failed"]:
                continue
            try:
                with start() as server:
                    before = server.cpu()
                    requests, figures = drive(server.port)
                    figures["cpu_s_per_million"] = (server.cpu() - before) / requests * 1e6
                row["runs"][name].append(figures)
            except (Failed, OSError) as why:
                row["failed"][name] = str(why).splitlines()[0]
    row["median"] = {name: {figure: statistics.median(run[figure] for run in runs) for figure in FIGURES}
                     for name, runs in row["runs"].items() if runs and name not in row["failed"]}
    return row


def print_row(row, names, file):
    for name in names:
        line = "%-14s %-5s %-6s" % (row["load"], row["flavor"], name)
        if name not in row["median"]:
            print(line + " %11s" % "–", file=file)
            continue
        line += " %11.0f %9.2f %8.0f %8.0f %8.0f" % tuple(row["median"][name][f] for f in FIGURES)
        if name == "Edo" and len(row["median"]) == 2:
            ours, theirs = row["runs"].values()
            for figure in FIGURES[:2]:
                line += " %9.2f" % statistics.median(a[figure] / b[figure] if b[figure] else 0
                                                     for a, b in zip(ours, theirs))
        print(line, file=file, flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("loads", metavar="echo|redis", nargs="*", help="default: both")
    parser.add_argument("--flavor", type=flavors, action="append", metavar="ct|mtK,…",
                        help="the servers' runtimes (ct,mt1,mt2,mt4)")
    parser.add_argument("--rounds", type=int, default=3, help="of each server, in turn (3)")
    parser.add_argument("--seconds", type=int, default=3, help="that the load on echo takes (3)")
    parser.add_argument("--threads", type=int, default=1, help="of the load on echo (1)")
    parser.add_argument("--requests", type=int, default=150000,
                        help="to redis, one by one; in a pipeline ten times as many (150000)")
    parser.add_argument("--json", metavar="FILE", help="write all runs there too")
    parser.add_argument("--edo", default=ROOT / "build/bench/edo-bench", type=pathlib.Path)
    parser.add_argument("--loadgen", default=ROOT / "build/bench/loadgen", type=pathlib.Path)
    parser.add_argument("--mini-redis", default=ROOT / "build/examples/mini_redis", type=pathlib.Path)
    parser.add_argument("--peer", default=ROOT / "build/bench/peers/tokio", type=pathlib.Path,
                        help="a folder with the program `peer`, and its `version`")
    arguments = parser.parse_args()
    for load in arguments.loads:
        if load not in ("echo", "redis"):
            parser.error("no such load: " + load)
    loads = arguments.loads or ["echo", "redis"]
    chosen = [flavor for names in arguments.flavor or [["ct", "mt1", "mt2", "mt4"]] for flavor in names]

    rows = []
    if "echo" in loads:
        rows += [("echo", flavor, echo_servers(flavor, arguments), echo_load(arguments))
                 for flavor in chosen]
    if "redis" in loads and output_of("redis-benchmark", "--version"):
        rows += [("redis %s%s" % (command, " P16" if pipeline > 1 else ""), flavor,
                  redis_servers(flavor, arguments),
                  redis_load(command, pipeline, arguments.requests * (10 if pipeline > 1 else 1)))
                 for pipeline in (1, 16) for command in ("SET", "GET") for flavor in chosen]
    elif "redis" in loads:
        print("no redis-benchmark: in Debian, apt-get install redis-tools redis-server", file=sys.stderr)

    report = {"processor": processor(), "cores": len(os.sched_getaffinity(0)), "load": os.getloadavg()[0],
              "rounds": arguments.rounds, "revision": output_of("git", "describe", "--always", "--dirty"),
              "redis": output_of("redis-server", "--version"), "rows": []}
    print("%(processor)s, %(cores)d cores, the load among them; load %(load).1f; Edo %(revision)s; "
          "medians of %(rounds)d rounds" % report)
    if report["redis"]:
        print(report["redis"])
    print("\n%-27s %11s %9s %8s %8s %8s %19s\n%-27s %11s %9s %8s %8s %8s %9s %9s" %
          ("", "", "CPU s", "p50", "p99", "p99.9", "Edo's by the other's",
           "", "requests/s", "per 10^6", "µs", "µs", "µs", "requests", "CPU"))
    for what, flavor, servers, drive in rows:
        row = measure(what, flavor, servers, drive, arguments.rounds)
        report["rows"].append(row)
        print_row(row, servers, sys.stdout)
    failed = [(row["load"], row["flavor"], name, why)
              for row in report["rows"] for name, why in row["failed"].items()]
    for what in failed:
        print("%s %s: %s: %s" % what)
    if arguments.json:
        with open(arguments.json, "w") as file:
            json.dump(report, file, indent=1)
    return 1 if any(name == "Edo" for _, _, name, _ in failed) else 0


if __name__ == "__main__":
    sys.exit(main())
