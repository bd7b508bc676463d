"""Variation measures, the volume clock and streaming volatility from their formulas."""

from itertools import pairwise
from math import exp, fsum, gamma, pi, sqrt


def moment(p):
    return 2 ** (p / 2) * gamma((p + 1) / 2) / gamma(0.5)


def variation(returns):
    """Every measure that is defined for this number of returns."""
    n, a = len(returns), [abs(r) for r in returns]
    med = [sorted(three)[1] for three in zip(a, a[1:], a[2:], strict=False)]
    small = [min(two) for two in pairwise(a)]
    out = {"rv": fsum(x * x for x in a)}
    if n >= 2:
        out["bv"] = pi / 2 * n / (n - 1) * fsum(x * y for x, y in pairwise(a))
        out["minrv"] = pi / (pi - 2) * n / (n - 1) * fsum(x**2 for x in small)
        out["minrq"] = pi * n / (3 * pi - 8) * n / (n - 1) * fsum(x**4 for x in small)
    if n >= 3:
        triples = fsum((x * y * z) ** (4 / 3) for x, y, z in zip(a, a[1:], a[2:], strict=False))
        out["tpq"] = n * moment(4 / 3) ** -3 * n / (n - 2) * triples
        out["medrv"] = pi / (6 - 4 * sqrt(3) + pi) * n / (n - 2) * fsum(x**2 for x in med)
        scale = 3 * pi * n / (9 * pi + 72 - 52 * sqrt(3))
        out["medrq"] = scale * n / (n - 2) * fsum(x**4 for x in med)
    if n >= 4:
        fours = fsum(w * x * y * z for w, x, y, z in zip(a, a[1:], a[2:], a[3:], strict=False))
        out["qpq"] = n * pi**2 / 4 * n / (n - 3) * fours
    return out


class VolumeClock:
    """One lot at a time."""

    def __init__(self, bucket_lots):
        self.bucket_lots = bucket_lots
        self.open = []  # prices of the lots in the open bucket
        self.closed = []  # (stamp, prices of its lots)

    def add(self, exch_ns, price, size):
        for _ in range(size):
            self.open.append(price)
            if len(self.open) == self.bucket_lots:
                self.closed.append((exch_ns, self.open))
                self.open = []

    def ticks(self):
        """(stamp, VWAP, lots) with the buckets of one stamp merged."""
        merged = {}
        for stamp, prices in self.closed:
            merged.setdefault(stamp, []).extend(prices)
        return [(stamp, sum(p) / len(p), len(p)) for stamp, p in merged.items()]


def averaging_secs(secs, lots, bucket_lots):
    """Lead, lag and shared seconds of each merged bar: its trades' share F, step by step."""
    bars, spans, fill, filled, total = [], [], 0, 0, sum(lots)
    for i, (at, size) in enumerate(zip(secs, lots, strict=True)):
        if i > 0 and at > secs[i - 1]:
            spans.append((fill - filled, at - secs[i - 1]))
        fill += size
        closed = fill // bucket_lots * bucket_lots
        if closed > filled:
            if bars and bars[-1][0] == at:
                bars[-1][1] += closed - filled
            else:
                bars.append([at, closed - filled, spans])
            spans, filled = [], closed
    assert fill == total
    return [
        [
            fsum((x / volume) ** 2 * t for x, t in spans),
            fsum((1 - x / volume) ** 2 * t for x, t in spans),
            fsum(x / volume * (1 - x / volume) * t for x, t in spans),
        ]
        for _, volume, spans in bars
    ]


class BipowerStream:
    """The decayed sums, summed again from all returns."""

    def __init__(self, decay_secs):
        self.decay_secs = decay_secs
        self.returns = []

    def add(self, log_return, secs):
        if secs <= 5 * self.decay_secs:
            self.returns.append((abs(log_return), secs))

    def rates(self):
        """Realised and bipower variance per second."""
        n = len(self.returns)
        ages = [fsum(secs for _, secs in self.returns[i + 1 :]) for i in range(n)]
        weights = [exp(-age / self.decay_secs) for age in ages]
        pairs = list(zip(self.returns, self.returns[1:], weights[1:], strict=False))
        realised = fsum(w * r * r for w, (r, _) in zip(weights, self.returns, strict=True))
        secs = fsum(w * s for w, (_, s) in zip(weights, self.returns, strict=True))
        products = fsum(w * pi / 2 * r * q for (r, _), (q, _), w in pairs)
        product_secs = fsum(w * sqrt(s * t) for (_, s), (_, t), w in pairs)
        return (
            realised / secs if secs > 0 else None,
            products / product_secs if product_secs > 0 else None,
        )
