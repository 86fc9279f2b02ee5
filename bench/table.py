# SPDX-License-Identifier: MIT
"""A table that is printed row by row, for the terminal or in Markdown."""
import sys


class Table:
    def __init__(self, columns, markdown=False, file=None):
        """columns: (heading, width); a negative width is a column of words, set to the left."""
        self.columns, self.markdown, self.file = columns, markdown, file or sys.stdout
        self.line([heading for heading, _ in columns])
        if markdown:
            self.write("|" + "|".join("---" if width < 0 else "---:" for _, width in columns) + "|")

    def line(self, cells):
        if self.markdown:
            self.write("| " + " | ".join(cells) + " |")
        else:
            self.write(" ".join(cell.ljust(-width) if width < 0 else cell.rjust(width)
                                for cell, (_, width) in zip(cells, self.columns)).rstrip())

    def write(self, line):
        print(line, file=self.file, flush=True)


def figure(value, digits=1):
    """Three digits at least, and no more than tell something."""
    if value is None:
        return "–"
    return "%.*f" % (0 if value >= 1000 else digits, value)


def ratio_columns(heading, width, intervals):
    """The median of the pairs' ratios; where it lies, if that is known; the least and the most of them."""
    return [(heading, width)] + ([("95 %", 9)] if intervals else []) + [("least–most", 10)]


def ratio_cells(ratio, intervals):
    if ratio is None:
        return ["", "", ""] if intervals else ["", ""]
    interval = ratio.get("interval")
    return ["%.2f" % ratio["median"]] + \
        (["%.2f–%.2f" % tuple(interval) if interval else ""] if intervals else []) + \
        ["%.2f–%.2f" % (ratio["min"], ratio["max"])]


def said_of(report):
    """What failed, or was not run, a line each."""
    return ["%s %s: %s: %s" % (row["workload"], row["flavor"], name, why)
            for row in report["rows"] for name, why in row["failed"].items()]
