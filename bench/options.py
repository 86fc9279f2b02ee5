# SPDX-License-Identifier: MIT
"""What the programs' options may be. What is wrong with one is said before anything is measured: status 2."""
import argparse
import math
import os
import pathlib

from machine import CORES


def count(text):
    if not text.isdecimal() or int(text) == 0:
        raise argparse.ArgumentTypeError("a whole number, one at least, not " + text)
    return int(text)


def seconds(text):
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 < value < math.inf:
        raise argparse.ArgumentTypeError("seconds, more than none, not " + text)
    return value


def core(text):
    """One that this process may run on."""
    if text not in map(str, CORES):
        raise argparse.ArgumentTypeError("one of %s, not %s" % (", ".join(map(str, CORES)), text))
    return int(text)


def path(text):
    return pathlib.Path(text).absolute()


def writable(text):
    """A file that is to be written later: an empty one would be taken for a report. `-` may have a meaning of its own."""
    if text != "-" and os.path.lexists(text):
        if os.path.isdir(text) or not os.access(text, os.W_OK):
            raise argparse.ArgumentTypeError("%s cannot be written" % text)
    elif text != "-":
        try:
            open(text, "x").close()
            os.remove(text)
        except OSError as why:
            raise argparse.ArgumentTypeError("%s cannot be written: %s" % (text, why.strerror))
    return pathlib.Path(text)


def need_writable(parser, file):
    try:
        writable(str(file))
    except argparse.ArgumentTypeError as why:
        parser.error(str(why))


def need(parser, program, target):
    """An error where there is no such program."""
    if not program.is_file() or not os.access(program, os.X_OK):
        parser.error("%s: no such program; `make %s` builds it" % (program, target))
