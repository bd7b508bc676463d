"""Quotes before a horizon: the same exponential as a Taylor series of decimals, of any range."""

from decimal import Context, Decimal, localcontext

from tests.reference.glft import log_intensity_factor

DIGITS = Context(prec=36, Emin=-(10**9), Emax=10**9)


def log_ratios(
    *, volatility, kappa, intensities, gamma, lots_long, lots_short, secs, xi=0.0,
    costs=(0.0, 0.0), drift=0.0, impact=0.0, terminal_cost=0.0, terminal_risk=0.0,
):  # fmt: skip
    """Return ln(v[n]/v[n+1]) from the lower bound up."""
    with localcontext(DIGITS):
        d = Decimal
        lots = range(-lots_short, lots_long + 1)
        bid, ask = (
            d(a) * d(log_intensity_factor(kappa, xi) - kappa * (c + impact / 2.0)).exp()
            for a, c in zip(intensities, costs, strict=True)
        )
        k, alpha = d(kappa), d(kappa) * d(gamma) * d(volatility) ** 2 / 2
        diagonal = [alpha * n * n - k * d(drift) * n for n in lots]
        v = [
            (-k * (d(terminal_cost) * abs(n) + (d(terminal_risk) + d(impact) / 2) * n * n)).exp()
            for n in lots
        ]
        most = max(diagonal)
        exponent = (most - min(diagonal) + bid + ask) * d(secs)
        for _ in range(int(exponent / 200) + 1):
            v = _step(v, [most - x for x in diagonal], bid, ask, d(secs), int(exponent / 200) + 1)
        return [float((v[i] / v[i + 1]).ln()) for i in range(len(v) - 1)]


def _step(v, middle, bid, ask, secs, steps):
    h, total, term = secs / steps, list(v), list(v)
    for j in range(1, 10_000):
        padded = [Decimal(0), *term, Decimal(0)]
        term = [
            (middle[i] * x + bid * padded[i + 2] + ask * padded[i]) * h / j
            for i, x in enumerate(term)
        ]
        total = [a + b for a, b in zip(total, term, strict=True)]
        if j > 20 and all(b <= a * Decimal("1e-25") for a, b in zip(total, term, strict=True)):
            break
    return [x / max(total) for x in total]


def series_in_floats(*, eta, alpha, lots, secs):
    """Return the log ratios of equal sides without drift, as the kernel computes them."""
    from math import log

    ns = range(-lots, lots + 1)
    middle = [alpha * (lots * lots - n * n) for n in ns]
    z = alpha * lots * lots + 2.0 * eta
    steps = int(z * secs / 256.0) + 1
    h = secs / steps
    v = [1.0] * len(ns)
    for _ in range(steps):
        total, term = list(v), list(v)
        for j in range(1, 10_000):
            padded = [0.0, *term, 0.0]
            term = [
                h / j * (middle[i] * padded[i + 1] + eta * (padded[i] + padded[i + 2]))
                for i in range(len(term))
            ]
            total = [a + b for a, b in zip(total, term, strict=True)]
            if j > z * h and all(b <= 1e-17 * a for a, b in zip(total, term, strict=True)):
                break
        v = [x / max(total) for x in total]
    return [log(v[i] / v[i + 1]) for i in range(len(v) - 1)]
