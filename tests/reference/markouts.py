"""Markouts in plain Python."""

from bisect import bisect_left, bisect_right
from math import nan, sqrt


def newey_west(values, lags):
    """Return mean and error by the autocovariances of the definition."""
    n = len(values)
    mean = sum(values) / n
    if n < 2:
        return mean, nan
    rest = [x - mean for x in values]
    total = sum(x * x for x in rest) / n
    for lag in range(1, min(lags, n - 1) + 1):
        g = sum(rest[i] * rest[i - lag] for i in range(lag, n)) / n
        total += 2.0 * (1.0 - lag / (lags + 1)) * g
    return mean, sqrt(max(total, 0.0) / n)


def overlap_lags(stamps, horizon_ns):
    """Return 1.3 sqrt(n), or the mean number of fills inside the horizon if larger."""
    n = len(stamps)
    inside = sum(bisect_right(stamps, t + horizon_ns) - i - 1 for i, t in enumerate(stamps))
    return max(int(1.3 * sqrt(n)), int(inside / n + 0.5)) if n else 0


def measure(mid_secs, mids, fills, horizon, *, is_before_ties=False):
    """Return (markout, capture) of each fill (time, side, price) whose horizon is in the path."""
    find = bisect_left if is_before_ties else bisect_right
    out = []
    for time, side, price in fills:
        if time + horizon <= mid_secs[-1]:
            then = mids[find(mid_secs, time) - 1]
            later = mids[max(find(mid_secs, time), bisect_right(mid_secs, time + horizon)) - 1]
            out.append((-side * (later - then) / then * 1e4, side * (then - price) / then * 1e4))
    return out
