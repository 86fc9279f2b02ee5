# SPDX-License-Identifier: MIT
"""What programs that ran in turn cost, one by the other."""
import math
import statistics

FEWEST = 6  # of fewer values there is no interval


def interval(values):
    """Where the median of all rounds that there could be lies, 95 times of a hundred, whatever they are spread like: from
    one of the sorted values to its opposite (the sign test; Conover, "Practical Nonparametric Statistics", 3.2).
    None: they are too few to say."""
    values, n = sorted(values), len(values)
    outside, k = 0, 0  # of 2^n, and how many values are left out at each end
    while 2 * (outside + math.factorial(n) // (math.factorial(k) * math.factorial(n - k))) <= 0.05 * 2 ** n:
        outside += math.factorial(n) // (math.factorial(k) * math.factorial(n - k))
        k += 1
    return [values[k - 1], values[n - k]] if k > 0 else None


def ratio(ours, theirs):
    """Of the rounds' ratios: the median, its interval, the least and the most. None: there is none."""
    ratios = [a / b for a, b in zip(ours, theirs) if b > 0]
    if not ratios:
        return None
    return {"median": statistics.median(ratios), "interval": interval(ratios), "min": min(ratios), "max": max(ratios)}
