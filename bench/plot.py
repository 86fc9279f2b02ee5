#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Draws what was measured: build/bench/*.json as SVG beside it.

    bench/plot.py [FOLDER]

compare.json becomes compare.svg, Edo's cost by each peer's, a bar a workload, with the least and the most of
the rounds; scaling.json becomes scaling.svg, the curves, both axes in decades; servers.json becomes servers.svg,
bars of requests and of the processor's time. Python 3.7 and its standard library.
"""
import argparse
import math
import pathlib
import sys
from xml.sax.saxutils import escape

import report as reports
from compare import NAMES
from machine import BUILD, headline
from table import figure

FONT, SIZE, LINE = "DejaVu Sans, Verdana, sans-serif", 12, 20
INK, FAINT, MARGIN = "#222", "#ddd", 24
# Legible on white, and apart for those who see red and green alike.
COLOURS = {"Edo": "#0072b2", "tokio": "#d55e00", "go": "#009e73", "libuv": "#cc79a7", "libuv poll": "#7f3c68",
           "epoll": "#e69f00", "uring": "#56b4e9"}
OTHER = "#888"


class Drawing:
    """An SVG of a width, that grows downwards. y is where the next thing goes."""

    def __init__(self, width):
        self.width, self.y, self.parts = width, MARGIN, []

    def line(self, x1, y1, x2, y2, colour=INK, thick=1):
        self.parts.append('<line x1="%.1f" y1="%.1f" x2="%.1f" y2="%.1f" stroke="%s" stroke-width="%g"/>' %
                          (x1, y1, x2, y2, colour, thick))

    def box(self, x, y, width, height, colour):
        self.parts.append('<rect x="%.1f" y="%.1f" width="%.1f" height="%.1f" fill="%s"/>' %
                          (x, y, width, height, colour))

    def dot(self, x, y, colour):
        self.parts.append('<circle cx="%.1f" cy="%.1f" r="3" fill="%s"/>' % (x, y, colour))

    def text(self, x, y, text, anchor="start", size=SIZE, colour=INK, weight="normal"):
        self.parts.append('<text x="%.1f" y="%.1f" text-anchor="%s" font-size="%d" fill="%s" font-weight="%s">'
                          '%s</text>' % (x, y, anchor, size, colour, weight, escape(text)))

    def title(self, text, under):
        self.text(MARGIN, self.y, text, size=SIZE + 4, weight="bold")
        for line in under:
            self.y += LINE
            self.text(MARGIN, self.y, line, size=SIZE - 1)
        self.y += LINE

    def legend(self, names, x):
        for name in names:
            self.box(x, self.y - 9, 10, 10, COLOURS.get(name, OTHER))
            self.text(x + 15, self.y, NAMES.get(name, name))
            x += 30 + 8 * len(name)
        self.y += LINE

    def write(self, path):
        height = self.y + MARGIN
        path.write_text('<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" font-family="%s">\n'
                        '<rect width="100%%" height="100%%" fill="white"/>\n%s\n</svg>\n' %
                        (self.width, height, FONT, "\n".join(self.parts)))


def under(report):
    return headline(report).splitlines()


def ratios(report):
    """[(label, {peer: ratio})] of wall time, or bytes; timers wait for a second, of which the processor's time
    is the cost."""
    bars = []
    for row in report["rows"]:
        if row["measured"]:
            of = row["measured"][1 if row["workload"] == "timers" and len(row["measured"]) > 1 else 0]
            by = {name: ratio for name, ratio in of["ratio"].items() if ratio}
            if by:
                bars.append(("%s %s" % (row["workload"], row["flavor"]), by))
    return bars


def draw_ratios(report, path):
    """A logarithmic axis: half and twice are as far from one."""
    bars = ratios(report)
    if not bars:
        return False
    names = [name for name in report["columns"] + report["beside"] if any(name in by for _, by in bars)]
    # The whiskers may leave the picture; the medians are in it.
    medians = [r["median"] for _, by in bars for r in by.values()]
    low = min(-2, math.floor(math.log2(max(min(medians), 1 / 64))))
    high = max(1, math.ceil(math.log2(min(max(medians), 64))))
    drawing, left, width = Drawing(900), 190, 610
    thick, between = 11, 9

    def x_of(ratio):
        return left + width * (min(max(math.log2(ratio), low), high) - low) / (high - low)
    drawing.title("What an operation costs Edo, by what it costs others", under(report) + [
        "Left of 1, Edo's takes less. The line through a bar's end is the least and the most of the rounds."])
    drawing.legend(names, left)
    top = drawing.y
    bottom = top + LINE + sum(thick * len(by) + between for _, by in bars)
    for e in range(low, high + 1):
        drawing.line(x_of(2 ** e), top + 6, x_of(2 ** e), bottom, INK if e == 0 else FAINT)
        for y in top, bottom + LINE - 4:
            drawing.text(x_of(2 ** e), y, "1/%d" % 2 ** -e if e < 0 else "%d" % 2 ** e, "middle", SIZE - 1)
    drawing.y += LINE
    for label, by in bars:
        height = thick * len(by)
        drawing.text(left - 10, drawing.y + height / 2 + 4, label, "end")
        for name in names:
            if name not in by:
                continue
            ratio, middle = by[name], drawing.y + thick / 2
            start, end = sorted((x_of(1), x_of(ratio["median"])))
            drawing.box(start, drawing.y + 1, max(1, end - start), thick - 2, COLOURS.get(name, OTHER))
            drawing.line(x_of(ratio["min"]), middle, x_of(ratio["max"]), middle)
            drawing.text(left + width + 12, middle + 4, "%.2f" % ratio["median"], size=SIZE - 2,
                         colour=COLOURS.get(name, OTHER))
            drawing.y += thick
        drawing.y += between
    drawing.y += LINE
    drawing.write(path)
    return True


def ticks(low, high):
    """1, 10, 100, …; where there is less than two decades, 2 and 5 too."""
    steps = (1,) if high / low >= 100 else (1, 2, 5)
    return [step * 10 ** e for e in range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
            for step in steps if low <= step * 10 ** e <= high]


def draw_curve(drawing, row, left, top, width, height):
    points = {name: sorted((int(size), cost) for size, cost in at.items()) for name, at in row["points"].items()}
    costs = [cost for at in points.values() for _, cost in at if cost > 0]
    drawing.text(left, top - 10, "%s: %s, %s" % (row["curve"], row["of"], row["unit"]), weight="bold")
    if not costs:
        drawing.text(left, top + height / 2, "nothing was measured")
        return
    low, high = min(costs) / 1.5, max(costs) * 1.5
    first, last = row["sizes"][0], max(row["sizes"][-1], row["sizes"][0] + 1)

    def x_of(size):
        return left + width * math.log(size / first) / math.log(last / first)

    def y_of(cost):
        return top + height - height * math.log(cost / low) / math.log(high / low)
    for cost in ticks(low, high):
        drawing.line(left, y_of(cost), left + width, y_of(cost), FAINT)
        drawing.text(left - 6, y_of(cost) + 4, "{:,g}".format(cost), "end", SIZE - 2)
    for size in row["sizes"]:
        drawing.line(x_of(size), top, x_of(size), top + height, FAINT)
        drawing.text(x_of(size), top + height + 16, "{:,}".format(size), "middle", SIZE - 2)
    for name, at in points.items():
        colour = COLOURS.get(name, OTHER)
        for (x1, y1), (x2, y2) in zip(at, at[1:]):
            drawing.line(x_of(x1), y_of(y1), x_of(x2), y_of(y2), colour, 2)
        for size, cost in at:
            drawing.dot(x_of(size), y_of(cost), colour)
    if row["bends"]:
        drawing.text(left + width, top - 10, "bends", "end", colour=COLOURS["tokio"], weight="bold")


def draw_scaling(report, path):
    drawing, columns, width, height = Drawing(900), 2, 330, 200
    drawing.title("What an operation costs among more", under(report))
    names = [name for name in COLOURS if any(name in row["points"] for row in report["rows"])]
    drawing.legend(names, MARGIN)
    drawing.y += LINE
    for i in range(0, len(report["rows"]), columns):
        for j, row in enumerate(report["rows"][i:i + columns]):
            draw_curve(drawing, row, 80 + j * (width + 90), drawing.y, width, height)
        drawing.y += height + 60
    drawing.y -= 40
    drawing.write(path)
    return True


def draw_servers(report, path):
    rows = [row for row in report["rows"] if row["median"]]
    if not rows:
        return False
    names = list(dict.fromkeys(name for row in rows for name in row["median"]))
    panels = [("requests_per_s", "requests/s: more is better", 0),
              ("cpu_s_per_million", "CPU s per 10^6: less is better", 2)]
    drawing, left, width, apart, thick, between = Drawing(900), 150, 280, 90, 13, 9
    drawing.title("Servers under a load", under(report) + ["Each load has a scale of its own."])
    drawing.legend(names, left)
    for i, (_, heading, _) in enumerate(panels):
        drawing.text(left + i * (width + apart), drawing.y + 4, heading, weight="bold")
    drawing.y += LINE
    for row in rows:
        drawing.text(left - 10, drawing.y + thick * len(row["median"]) / 2 + 4,
                     "%s %s" % (row["workload"], row["flavor"]), "end")
        for name, median in row["median"].items():
            for i, (of, _, digits) in enumerate(panels):
                most = max(other[of] for other in row["median"].values())
                x, long = left + i * (width + apart), width * median[of] / most if most > 0 else 0
                drawing.box(x, drawing.y + 1, max(1, long), thick - 2, COLOURS.get(name, OTHER))
                drawing.text(x + long + 6, drawing.y + thick - 3, figure(median[of], digits), size=SIZE - 2)
            drawing.y += thick
        drawing.y += between
    drawing.write(path)
    return True


DRAWINGS = [("compare", draw_ratios), ("scaling", draw_scaling), ("servers", draw_servers)]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", metavar="FOLDER", nargs="?", default=BUILD, type=pathlib.Path,
                        help="of the reports (build/bench)")
    folder = parser.parse_args().folder
    drawn = []
    for name, draw in DRAWINGS:
        report, picture = folder / (name + ".json"), folder / (name + ".svg")
        try:
            if report.exists() and draw(reports.read(report, [name]), picture):
                drawn.append(str(picture))
        except reports.Unreadable as why:
            parser.error(str(why))
        except OSError as why:
            parser.error("%s: %s" % (picture, why.strerror))
    if not drawn:
        print("nothing to draw in %s: `make bench` and others measure" % folder, file=sys.stderr)
        return 1
    print("drawn: " + " ".join(drawn))
    return 0


if __name__ == "__main__":
    sys.exit(main())
