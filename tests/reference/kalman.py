"""The local level filter in plain Python."""

from math import log, pi


def filter_level(prices, secs, q, r):
    """Return levels, variances and the log-likelihood of the prices after the first."""
    m, p, total = prices[0], r, 0.0
    levels, variances = [m], [p]
    for price, dt in zip(prices[1:], secs, strict=True):
        before = p + q * dt
        s = before + r
        gain = before / s
        total += log(2.0 * pi * s) + (price - m) ** 2 / s
        m += gain * (price - m)
        p = before * r / s  # (1 - gain) before would lose its digits as the gain nears 1
        levels.append(m)
        variances.append(p)
    return levels, variances, -0.5 * total
