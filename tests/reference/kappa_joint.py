"""Joint likelihood of level and decay of the fill intensity, and plain Newton on both."""

from math import exp, fsum, log


def log_likelihood(depths, secs, fills, log_intensity, kappa, shape=0.0, rate=0.0):
    """Value, gradient and second derivatives, sums written out."""
    bins = list(zip(depths, secs, fills, strict=True))
    means = [t * exp(log_intensity - kappa * d) for d, t, _ in bins]
    value = fsum(n * (log_intensity - kappa * d) for d, _, n in bins) - fsum(means)
    gradient = [
        fsum(n - m for (_, _, n), m in zip(bins, means, strict=True)),
        -fsum((n - m) * d for (d, _, n), m in zip(bins, means, strict=True)),
    ]
    bends = [
        -fsum(means),
        fsum(m * d for (d, _, _), m in zip(bins, means, strict=True)),
        -fsum(m * d * d for (d, _, _), m in zip(bins, means, strict=True)),
    ]
    if shape > 0.0:
        value += (shape - 1) * log(kappa) - rate * kappa
        gradient[1] += (shape - 1) / kappa - rate
        bends[2] -= (shape - 1) / kappa**2
    return value, gradient, bends


def fit(depths, secs, fills, shape=0.0, rate=0.0):
    """ln A and kappa by bisection of the profile's slope, two hundred halvings."""

    def slope(kappa):
        weights = [t * exp(-kappa * d) for d, t in zip(depths, secs, strict=True)]
        mean = fsum(w * d for w, d in zip(weights, depths, strict=True)) / fsum(weights)
        value = fsum(n * (mean - d) for n, d in zip(fills, depths, strict=True))
        return value + ((shape - 1) / kappa - rate if shape > 0.0 else 0.0)

    low, high = (1e-12, 100.0) if shape > 0.0 else (-100.0, 100.0)
    for _ in range(200):
        middle = (low + high) / 2
        low, high = (middle, high) if slope(middle) > 0.0 else (low, middle)
    seen = fsum(t * exp(-low * d) for d, t in zip(depths, secs, strict=True))
    return log(fsum(fills) / seen), low
