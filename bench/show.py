#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Prints the reports of build/bench again, or as Markdown.

    bench/show.py [--markdown] [FILE…]

Without files, those that compare.py, servers.py and scaling.py have written last. Python 3.7 and its standard
library.
"""
import argparse
import pathlib
import sys

import compare
import report as reports
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
    try:
        read = [reports.read(path, KINDS) for path in files]
    except reports.Unreadable as why:
        parser.error(str(why))
    for i, report in enumerate(read):
        if i > 0:
            print()
        KINDS[report["kind"]].show(report, arguments.markdown, sys.stdout)
    return 0


if __name__ == "__main__":
    sys.exit(main())
