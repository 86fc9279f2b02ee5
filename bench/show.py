#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Prints the reports of build/bench again, or as Markdown.

    bench/show.py [--markdown] [FILE…]

Without files, those that compare.py, servers.py and scaling.py have written last. Python 3.7 and its standard
library.
"""
import argparse
import json
import pathlib
import sys

import compare
import scaling
import servers
from machine import BUILD

KINDS = {"compare": compare, "servers": servers, "scaling": scaling}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("files", metavar="FILE", nargs="*", type=pathlib.Path)
    parser.add_argument("--markdown", action="store_true", help="tables to paste")
    arguments = parser.parse_args()
    files = arguments.files or [path for path in (BUILD / (kind + ".json") for kind in KINDS) if path.exists()]
    if not files:
        parser.error("no reports in %s: `make bench` writes them" % BUILD)
    for i, path in enumerate(files):
        if i > 0:
            print()
        report = json.loads(path.read_text())
        KINDS[report["kind"]].show(report, arguments.markdown, sys.stdout)
    return 0


if __name__ == "__main__":
    sys.exit(main())
