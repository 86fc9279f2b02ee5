# SPDX-License-Identifier: MIT
"""What the programs that measure have written, for those that show it."""
import json

# What the heads say; all kinds have it.
FIELDS = ("processor", "cores", "system", "load", "revision", "rounds", "rows")


class Unreadable(Exception):
    pass


def read(path, kinds):
    """A report of one of these kinds."""
    try:
        report = json.loads(path.read_text(encoding="utf-8"))
    except OSError as why:
        raise Unreadable("%s: %s" % (path, why.strerror))
    except ValueError as why:
        raise Unreadable("%s: no JSON: %s" % (path, why))
    if not isinstance(report, dict) or report.get("kind") not in list(kinds):
        raise Unreadable("%s: no report of %s" % (path, ", ".join("%s.py" % kind for kind in kinds)))
    lacking = [field for field in FIELDS if field not in report]
    if lacking:
        raise Unreadable("%s: it lacks %s" % (path, ", ".join(lacking)))
    return report


def write(report, path):
    path.write_text(json.dumps(report, indent=1) + "\n")
