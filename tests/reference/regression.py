"""Recursive least squares by the textbook and exactly, and delayed labels, in plain Python."""

from fractions import Fraction
from math import exp, isnan, nan


class Regression:
    """The covariance as it stands in the textbook."""

    def __init__(self, prior_variance):
        self.theta = [0.0, 0.0]
        self.p = [[prior_variance, 0.0], [0.0, prior_variance]]
        self.limit = 2.0 * prior_variance

    def update(self, x, y, forgetting):
        p, theta = self.p, self.theta
        error = y - (theta[0] * x[0] + theta[1] * x[1])
        px = [p[0][0] * x[0] + p[0][1] * x[1], p[1][0] * x[0] + p[1][1] * x[1]]
        d = forgetting + x[0] * px[0] + x[1] * px[1]
        for i in range(2):
            theta[i] += px[i] * error / d
            for j in range(2):
                p[i][j] = (p[i][j] - px[i] * px[j] / d) / forgetting
        trace = p[0][0] + p[1][1]
        if trace > self.limit:
            for row in p:
                row[0] *= self.limit / trace
                row[1] *= self.limit / trace
        return error


def exact(xs, ys, forgetting, prior_variance):
    """Return the minimiser of sum f^(n-i) (y - x'b)^2 + f^n |b|^2 / P0, by rational numbers."""
    f, n = Fraction(forgetting), len(xs)
    a = [[f**n / Fraction(prior_variance) * (i == j) for j in range(2)] for i in range(2)]
    b = [Fraction(0), Fraction(0)]
    for k, (x, y) in enumerate(zip(xs, ys, strict=True)):
        w = f ** (n - 1 - k)
        v = [Fraction(x[0]), Fraction(x[1])]
        for i in range(2):
            b[i] += w * v[i] * Fraction(y)
            for j in range(2):
                a[i][j] += w * v[i] * v[j]
    det = a[0][0] * a[1][1] - a[0][1] * a[1][0]
    return (
        float((a[1][1] * b[0] - a[0][1] * b[1]) / det),
        float((a[0][0] * b[1] - a[1][0] * b[0]) / det),
    )


def stream(rows, *, horizon_ns, sample_ns, decay_secs, prior_variance):
    """Learn from rows (stamp, mid, x0, x1) of which only the last of each stamp counts.

    Returns (coefficients, labels, squares of errors, squares of moves).
    """
    last = {row[0]: row for row in rows}
    fit, waiting, mid, learned = Regression(prior_variance), [], nan, None
    sampled, errors, squares, pairs = None, 0.0, 0.0, 0

    for stamp, new_mid, x0, x1 in sorted(last.values()):
        while waiting and waiting[0][0] + horizon_ns <= stamp:
            start, start_mid, x, prediction = waiting.pop(0)
            label_mid = new_mid if start + horizon_ns == stamp else mid
            if isnan(label_mid):
                continue
            y = (label_mid - start_mid) / start_mid
            w = 1.0 if learned is None else exp(-(start - learned) * 1e-9 / decay_secs)
            errors, squares = w * errors + (y - prediction) ** 2, w * squares + y * y
            fit.update(x, y, w)
            learned, pairs = start, pairs + 1
        mid = new_mid
        if not isnan(mid) and (sampled is None or stamp - sampled >= sample_ns):
            prediction = fit.theta[0] * x0 + fit.theta[1] * x1
            waiting.append((stamp, mid, (x0, x1), prediction))
            sampled = stamp
    return tuple(fit.theta), pairs, errors, squares
