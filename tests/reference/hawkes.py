"""Plain twins of the Hawkes kernels: double sums over pairs of events, in any arithmetic given."""

from decimal import Decimal, localcontext
from math import exp, expm1, inf, log


def excitations(times, beta, marks, at):
    """Decayed marks of all events strictly before each instant."""
    return [
        sum(m * exp(-beta * (s - t)) for t, m in zip(times, marks, strict=True) if t < s)
        for s in at
    ]


def log_likelihood(times, horizon, mu, alpha, beta, marks=None):
    """By the definition, quadratic in the number of events."""
    marks = marks or [1.0] * len(times)
    value = sum(log(mu + alpha * r) for r in excitations(times, beta, marks, times))
    value -= mu * horizon
    return value + alpha / beta * sum(
        m * expm1(-beta * (horizon - t)) for t, m in zip(times, marks, strict=True)
    )


def recursion(gaps, horizon, mu, alpha, beta):
    """Log-likelihood by the recursion, for distinct times; the peer in speed."""
    total, value, t = 0.0, 0.0, 0.0
    for gap in gaps:
        t += gap
        total *= exp(-beta * gap)
        value += log(mu + alpha * total)
        total += 1.0
    left = total * exp(-beta * (horizon - t))
    return value - mu * horizon - alpha / beta * (len(gaps) - left)


def exact(times, horizon, mu, alpha, beta):
    """Log-likelihood and its gradient in 50 digits, by the recursion."""
    with localcontext() as context:
        context.prec = 50
        mu, alpha, beta, horizon = map(Decimal, (mu, alpha, beta, horizon))
        value, by_mu, by_alpha, by_beta = -mu * horizon, -horizon, Decimal(0), Decimal(0)
        r = b = pending = Decimal(0)
        last = None
        for t in map(Decimal, times):
            gap = t - last if last is not None else Decimal(0)
            if gap > 0:
                weight = (-beta * gap).exp()
                b = weight * (b + gap * (r + pending))
                r = weight * (r + pending)
                pending = Decimal(0)
            intensity = mu + alpha * r
            value += intensity.ln()
            by_mu += 1 / intensity
            by_alpha += r / intensity
            by_beta -= alpha * b / intensity
            pending += 1
            last = t
            x = beta * (horizon - t)
            rest = (-x).exp()
            value -= alpha / beta * (1 - rest)
            by_alpha -= (1 - rest) / beta
            by_beta += alpha / beta**2 * (1 - (1 + x) * rest)
        return float(value), [float(by_mu), float(by_alpha), float(by_beta)]


def simulate(random, count, mu, alpha, beta):
    """Draw event times by exact composition: the next event of the baseline or of a child."""
    times, t, excess = [], 0.0, 0.0
    for first, second in random.random((count, 2)):
        own = -log(first) / mu
        d = 1.0 + beta / excess * log(second) if excess > 0.0 else -1.0
        gap = min(own, -log(d) / beta if d > 0.0 else inf)
        t += gap
        excess = excess * exp(-beta * gap) + alpha
        times.append(t)
    return times


def simulate_pair(random, horizon, mu, alpha, beta):
    """Draw two streams with one decay by thinning; alpha[m][n] as in the kernel."""
    times, kinds, t = [], [], 0.0
    extra = [0.0, 0.0]
    while True:
        bound = sum(mu) + sum(extra)
        gap = random.exponential(1.0 / bound)
        t += gap
        if t > horizon:
            return times, kinds
        extra = [value * exp(-beta * gap) for value in extra]
        draw = random.random() * bound
        for kind in (0, 1):
            intensity = mu[kind] + extra[kind]
            if draw < intensity:
                times.append(t)
                kinds.append(kind)
                extra = [extra[m] + alpha[m][kind] for m in (0, 1)]
                break
            draw -= intensity


def pair_log_likelihood(times, kinds, horizon, mu, alpha, beta):
    """By the definition, quadratic in the number of events."""
    value = -sum(mu) * horizon
    events = list(zip(times, kinds, strict=True))
    for s, m in events:
        value += log(
            mu[m] + sum(alpha[m][n] * exp(-beta[m][n] * (s - t)) for t, n in events if t < s)
        )
    for t, n in events:
        value += sum(alpha[m][n] / beta[m][n] * expm1(-beta[m][n] * (horizon - t)) for m in (0, 1))
    return value
