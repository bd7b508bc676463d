"""Maximum likelihood of an exponential law of depths, from the formulas."""

from math import exp, expm1, fsum, sqrt


def censored(depths, depth_min, depth_max, weights):
    """Estimate and standard error."""
    pairs = list(zip(depths, weights, strict=True))
    events = fsum(w for d, w in pairs if d < depth_max)
    excess = fsum(w * (min(d, depth_max) - depth_min) for d, w in pairs)
    return events / excess, events / excess / sqrt(events)


def truncated(depths, depth_min, depth_max):
    """Estimate by bisection: a hundred halvings of a bracket."""
    width = depth_max - depth_min
    mean = fsum(d - depth_min for d in depths) / len(depths) / width
    if mean >= 0.5:
        return 0.0
    low, high = 1e-9, 2.0 / mean
    for _ in range(200):
        y = (low + high) / 2
        value = 1 / y - 1 / expm1(y) if y < 700 else 1 / y
        low, high = (y, high) if value > mean else (low, y)
    return (low + high) / 2 / width


class KappaStream:
    """The decayed sums, summed again from all events."""

    def __init__(self, decay_secs, shape, rate):
        self.decay_secs, self.shape, self.rate = decay_secs, shape, rate
        self.now = 0.0
        self.events = []

    def advance(self, secs):
        self.now += secs

    def add(self, depth, least, most):
        self.events.append((self.now, depth, least, most))

    def read(self, least):
        """Kappa, its error and the intensity."""
        weighted = [
            (exp((at - self.now) / self.decay_secs), depth, low, most)
            for at, depth, low, most in self.events
        ]
        weight = self.shape + fsum(w for w, d, _, most in weighted if d < most)
        excess = self.rate + fsum(w * (min(d, most) - low) for w, d, low, most in weighted)
        exposure = -self.decay_secs * expm1(-self.now / self.decay_secs)
        kappa = weight / excess
        rate = fsum(w for w, *_ in weighted) / exposure
        return kappa, kappa / sqrt(weight), rate * exp(kappa * least)
