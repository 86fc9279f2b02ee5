#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""bench/*.py on programs that fail, and with options that cannot be: a clear word, and never a traceback.

The programs are scripts of a few lines that play edo-bench, its peers and the load. Nothing is built for this.
Python 3.7 and its standard library.
"""
import contextlib
import importlib
import io
import json
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import unittest
import unittest.mock

ROOT = pathlib.Path(__file__).resolve().parent.parent
BENCH = ROOT / "bench"
sys.path.insert(0, str(BENCH))
sys.dont_write_bytecode = True

import ratio
import scaling
import servers
from program import Failed, Lacking, Program

COST = "echo $1 $2 ns_per_op=%s cpu_ns_per_op=%s"
LOADED = "echo requests=1000 requests_per_s=1000 p50_us=1.0 p99_us=2.0 p999_us=3.0 server_cpu_s=0.5"
LISTENS = "echo listening on 127.0.0.1:9; exec sleep 600"
# What a program may do instead of its work, and the word for it.
WRONG = {
    "nonsense": ("echo once upon a time; echo and again", "it said: once upon a time"),
    "silent": ("true", "it said nothing"),
    "half": ("echo ns_per_op=1.0", "it said: ns_per_op=1.0"),
    "words": ("echo ns_per_op=much cpu_ns_per_op=more", "it said: ns_per_op=much"),
    "nan": (COST % ("nan", "1.0"), "it said: "),
    "bytes": (r"printf '\377\376\n'", "it said: \ufffd\ufffd"),
    "cries": (r"printf '\377 no\n' >&2; exit 1", "\ufffd no"),
    "panics": ("echo panic: nil map >&2; echo goroutine 1 >&2; exit 2", "panic: nil map"),
    "dies": ("kill -KILL $$", "status -9"),
}


class Tools(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.json = self.folder / "report.json"

    def script(self, name, body):
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("#!/bin/sh\n%s\n" % body)
        path.chmod(0o755)
        return path

    def player(self, name, body, workloads="spawn_batch"):
        """A program that has these workloads, and does this for each."""
        return self.script(name, 'case $1 in\n--list) echo "%s" ;;\n--version) echo made by hand ;;\n*)\n%s\n;;\nesac' %
                           (workloads, body))

    def peer(self, name, body, workloads="spawn_batch"):
        self.player("peers/%s/peer" % name, body, workloads)

    def run_tool(self, tool, *words, status):
        """What it prints to both."""
        done = subprocess.run([sys.executable, "-B", str(BENCH / tool)] + [str(word) for word in words], cwd=self.folder,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, encoding="utf-8", timeout=60,
                              env=dict(os.environ, PYTHONIOENCODING="utf-8"))
        self.assertNotIn("Traceback", done.stdout)
        self.assertEqual(done.returncode, status, done.stdout)
        return done.stdout

    def refused(self, tool, *words, why):
        """Before anything is measured. In this process: it is asked often."""
        printed, cried = io.StringIO(), io.StringIO()
        with unittest.mock.patch.object(sys, "argv", [tool] + [str(word) for word in words]), \
                contextlib.redirect_stdout(printed), contextlib.redirect_stderr(cried), \
                self.assertRaises(SystemExit) as end:
            importlib.import_module(tool[:-len(".py")]).main()
        self.assertEqual(end.exception.code, 2)
        self.assertIn(why, cried.getvalue().split("%s: error: " % tool)[-1])
        self.assertEqual(printed.getvalue(), "")

    def with_programs(self, edo, peers="peers"):
        return ["--edo", edo, "--peers", self.folder / peers]


class Programs(Tools):
    def compare(self, edo, *words, status=0, rounds=2):
        return self.run_tool("compare.py", *self.with_programs(edo), "--flavor", "ct", "--rounds", rounds,
                             "--json", self.json, *words, status=status)

    def test_a_peer_that_fails_has_a_reason_and_the_row_goes_on(self):
        edo = self.player("edo", COST % (2, 2))
        self.peer("tokio", COST % (4, 4))
        for name, (body, _) in WRONG.items():
            self.peer(name, body)
        said = self.compare(edo)
        row, = json.loads(self.json.read_text())["rows"]
        self.assertEqual(row["measured"][0]["ratio"]["tokio"]["median"], 0.5)
        self.assertEqual(set(row["failed"]), set(WRONG))
        for name, (_, why) in WRONG.items():
            self.assertIn("spawn_batch ct: %s: %s" % (name, why), said)

    def test_one_that_hangs(self):
        hangs = Program("tokio", self.player("hangs", "exec sleep 600"))
        with self.assertRaises(Failed) as raised:
            hangs.run("spawn_batch", "ct", 1, 0.1)
        self.assertEqual(str(raised.exception), "not done in 0.1 s")

    def test_a_peer_that_has_it_not_is_no_failure(self):
        edo = self.player("edo", COST % (2, 2))
        self.peer("tokio", "echo no such flavor >&2; exit 3")
        self.assertNotIn("no such flavor", self.compare(edo))

    def test_edo_must_not_fail(self):
        self.peer("tokio", COST % (4, 4))
        for name, (body, why) in WRONG.items():
            said = self.compare(self.player("edo-" + name, body), status=1)
            self.assertIn("spawn_batch ct: Edo: " + why, said)
        self.assertIn("no such flavor", self.compare(
            self.player("edo-lacking", "echo no such flavor >&2; exit 3"), status=1))

    def test_memory_is_bytes(self):
        edo = self.player("edo", COST % (2, 2) + " bytes_per_task=100", "memory")
        self.peer("tokio", COST % (2, 2), "memory")
        self.assertIn("tokio: it said: ", self.compare(edo))
        row, = json.loads(self.json.read_text())["rows"]
        self.assertEqual([of["unit"] for of in row["measured"]], ["B"])

    def test_a_list_that_is_none(self):
        edo = self.player("edo", COST % (2, 2))
        self.script("peers/tokio/peer", r"printf '\377\n'")
        self.compare(edo)

    def test_an_interval_needs_six_rounds(self):
        self.assertIsNone(ratio.interval([1.0] * (ratio.FEWEST - 1)))
        self.assertIsNotNone(ratio.interval([1.0] * ratio.FEWEST))
        edo = self.player("edo", COST % (2, 2))
        self.peer("tokio", COST % (4, 4))
        self.assertNotIn("95 %", self.compare(edo, rounds=5))
        self.assertNotIn("95 %", self.run_tool("show.py", self.json, status=0))
        self.assertIn("95 %", self.compare(edo, rounds=6))
        self.assertIn("95 %", self.run_tool("show.py", self.json, status=0))
        older = json.loads(self.json.read_text())
        for of in older["rows"][0]["measured"]:
            del of["ratio"]["tokio"]["interval"]
        self.json.write_text(json.dumps(older))
        for form in [], ["--markdown"]:
            self.assertNotIn("95 %", self.run_tool("show.py", *form, self.json, status=0))


class Servers(Tools):
    def server(self, body):
        return servers.Server([self.script("server", body)])

    def patience(self, seconds):
        return unittest.mock.patch.object(servers, "PATIENCE", seconds)

    def fails(self, body, why, kind=Failed):
        with self.assertRaises(Failed) as raised, self.server(body):
            pass
        self.assertIs(type(raised.exception), kind)
        self.assertIn(why, str(raised.exception))

    def test_a_port(self):
        with self.server(LISTENS) as server:
            self.assertEqual(server.port, 9)

    def test_one_that_says_else_and_runs_on(self):
        with self.patience(300):  # at once
            self.fails("echo ready; exec sleep 600", "it said: ready")
            self.fails(r"printf '\377\n'; exec sleep 600", "it said: \ufffd")
            self.fails("exec cat /dev/zero", "it said: \0")

    def test_one_that_says_nothing_and_runs_on(self):
        with self.patience(0.1):
            self.fails("exec sleep 600", "it said nothing in 0.1 s")
            self.fails("exec >&-; exec sleep 600", "it said nothing in 0.1 s")
        with self.patience(0.3):
            self.fails("printf 'no end'; exec sleep 600", "it said")

    def test_one_that_ends(self):
        self.fails("echo panic >&2; echo more >&2; exit 2", "panic")
        self.fails("exit 1", "status 1")
        self.fails("echo no such flavor >&2; exit 3", "no such flavor", Lacking)

    def test_one_that_does_not_end(self):
        with self.server("trap '' TERM; " + LISTENS) as server, self.patience(0.1):
            server.__exit__()
            self.assertEqual(server.process.returncode, -signal.SIGKILL)

    def test_one_that_is_not_there(self):
        with self.assertRaises(Failed):
            servers.Server([self.folder / "none"]).__enter__()  # no end of it is due

    def measure(self, *words, edo=LISTENS, load=LOADED, rounds=1, status=0):
        edo = self.player("edo", edo, "echo_server")
        self.peer("tokio", LISTENS, "echo_server")
        self.peer("go", "echo panic >&2; exit 2", "echo_server")
        return self.run_tool("servers.py", *self.with_programs(edo), "--loadgen", self.script("load", load),
                             "--flavor", "ct", "--rounds", rounds, "--json", self.json, *words, "echo", status=status)

    def test_a_row(self):
        said = self.measure()
        self.assertIn("echo ct: go: panic", said)
        self.json.rename(self.folder / "servers.json")
        self.run_tool("plot.py", self.folder, status=0)
        drawn = (self.folder / "servers.svg").read_text(encoding="utf-8")
        self.assertIn(">Tokio<", drawn)
        self.assertNotIn(">Go<", drawn)
        self.assertNotIn("95 %", said)
        self.assertIn("95 %", self.measure(rounds=6))
        self.assertIn("95 %", self.run_tool("show.py", self.json, status=0))

    def test_a_load_that_fails(self):
        for load, why in (("echo hello", "the load: it said: hello"), ("true", "the load: it said nothing"),
                          ("exit 1", "the load failed: status 1"),
                          (LOADED.replace("p50_us", "p51_us"), "the load: it said: requests=1000"),
                          (LOADED.replace("=1000", "=0"), "nothing came back")):
            self.assertIn("Edo: " + why, self.measure(load=load, status=1))

    def test_edo_must_have_it(self):
        self.assertIn("echo ct: Edo: no such flavor", self.measure(edo="echo no such flavor >&2; exit 3", status=1))


class Scaling(Tools):
    def bends(self, **costs):
        curve = scaling.Curve("tasks", "yield", "ns", [1, 10], lambda at, size: at[size])
        row = curve.measure({name: {1: 1.0, 10: cost} for name, cost in costs.items()}, 1, 0)
        self.assertEqual(any("bends" in line for line in scaling.remarks(row)), row["bends"])
        return row["bends"]

    def test_bends_where_tokio_does_not(self):
        self.assertTrue(self.bends(Edo=2.1, tokio=2.0))
        self.assertFalse(self.bends(Edo=2.0, tokio=1.0))
        self.assertFalse(self.bends(Edo=9.0, tokio=2.1))
        self.assertTrue(self.bends(Edo=2.1))
        self.assertFalse(self.bends(Edo=2.0))

    def measure(self, edo, status):
        self.peer("tokio", LISTENS if edo == LISTENS else COST % (1, 1), "yield_among echo_server")
        edo = self.player("edo", edo, "yield_among echo_server")
        return self.run_tool("scaling.py", *self.with_programs(edo), "--loadgen", self.script("load", LOADED),
                             "--rounds", 1, "--json", self.json,
                             "connections" if "listening" in edo.read_text() else "tasks",
                             status=status)

    def test_a_curve(self):
        self.measure(COST % (1, 1), status=0)
        self.run_tool("show.py", self.json, status=0)
        self.json.rename(self.folder / "scaling.json")
        self.run_tool("plot.py", self.folder, status=0)
        self.measure(LISTENS, status=0)
        self.assertIn("tasks yield_among: bends", self.measure(COST % ("$3", "$3"), status=1))
        self.assertIn("tasks yield_among: Edo: 100: it said nothing", self.measure("true", status=1))


class Options(Tools):
    def setUp(self):
        super().setUp()
        self.edo = self.player("edo", COST % (1, 1), "spawn_batch yield_among echo_server")
        self.there = self.with_programs(self.edo) + ["--json", self.json]
        self.none = self.folder / "none/at/all"
        self.not_program = self.folder / "text"
        self.not_program.write_text("text")

    def test_numbers(self):
        for tool, names in (("compare.py", ("rounds",)), ("servers.py", ("rounds", "seconds", "threads", "requests")),
                            ("scaling.py", ("rounds",))):
            for name in names:
                for value in "0", "-1", "1.5", "x", "":
                    self.refused(tool, *self.there, "--%s=%s" % (name, value), why="--" + name)
        for tool, names in (("compare.py", ("budget", "limit")), ("servers.py", ("budget",)),
                            ("scaling.py", ("budget", "limit"))):
            for name in names:
                for value in "0", "-1", "nan", "inf", "x":
                    self.refused(tool, *self.there, "--%s=%s" % (name, value), why="--" + name)
        for value in "9999", "-1", "x":
            self.refused("compare.py", *self.there, "--core=" + value, why="--core")

    def test_a_report_that_cannot_be_written(self):
        for tool in "compare.py", "servers.py", "scaling.py":
            for path in self.none, self.folder, self.not_program / "report.json":
                self.refused(tool, *self.with_programs(self.edo), "--json", path, why="--json")
        self.refused("compare.py", *self.there, "--rounds", 0, why="--rounds")
        self.assertFalse(self.json.exists())

    def test_programs_that_are_not_there(self):
        for path in self.none, self.folder, self.not_program:
            for tool in "compare.py", "servers.py", "scaling.py", "instructions.py":
                self.refused(tool, "--edo", path, why="%s: no such program; `make" % path)
            self.refused("servers.py", *self.there, "--loadgen", path, "echo", why="%s: no such program" % path)
            self.refused("servers.py", *self.there, "--mini-redis", path, "redis", why="%s: no such program" % path)
            self.refused("scaling.py", *self.there, "--loadgen", path, "connections", why="%s: no such program" % path)
        silent = self.script("silent", "true")
        for tool in "compare.py", "servers.py", "scaling.py":
            self.refused(tool, "--edo", silent, why="it lists no workloads")
        self.refused("instructions.py", "--edo", silent, why="version")

    def test_baselines(self):
        made = self.folder / "baseline"
        for text in None, "yield\n", "yield much\n", "yield 1.0\n", "# made with it\nyield 0\n", b"\xff":
            if text is not None:
                made.write_bytes(text if isinstance(text, bytes) else text.encode())
            self.refused("instructions.py", "--edo", self.edo, "--baseline", made, why="%s: no baseline" % made)
        self.refused("instructions.py", "--edo", self.edo, "--baseline", self.none, "--renew", why="cannot be written")
        made.write_text("# made with another compiler\nyield 1.0\n")
        said = self.run_tool("instructions.py", "--edo", self.edo, "--baseline", made, status=0)
        self.assertIn("nothing compared", said)

    def test_reports_that_are_none(self):
        self.refused("show.py", self.none, why="%s: " % self.none)
        for text in "", "{", "[]", "1", "{}", '{"kind": "else"}', '{"kind": ["compare"]}', '{"kind": "compare"}', b"\xff":
            for name in "compare", "servers", "scaling":
                path = self.folder / (name + ".json")
                path.write_bytes(text if isinstance(text, bytes) else text.encode())
                self.refused("show.py", path, why="%s: " % path)
                self.refused("plot.py", self.folder, why="%s: " % path)
                path.unlink()

    def test_nothing_to_draw(self):
        self.assertIn("nothing to draw", self.run_tool("plot.py", self.none, status=1))


if __name__ == "__main__":
    unittest.main()
