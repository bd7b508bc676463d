"""Queue position in plain Python."""

from math import inf, log


def share(model, n, f, b):
    """Return the share of cancels that was behind us."""
    if f <= 0.0:
        return 1.0
    match model:
        case "power":
            return b**n / (b**n + f**n)
        case "log":
            return log(1.0 + b) / (log(1.0 + b) + log(1.0 + f))
        case "power2":
            return b**n / (b + f) ** n
        case "log2":
            return log(1.0 + b) / log(1.0 + b + f)
        case "power3":
            return 1.0 - (f / (f + b)) ** n
    raise AssertionError(model)


def trace(events, *, model, exponent, ahead):
    """Return the lots ahead after each event."""
    f, c, out = ahead, 0.0, []
    for kind, *values in events:
        if kind == "trade":
            f -= values[0]
            c += values[0]
        else:
            before, after = values
            g, c = before - after - c, 0.0
            if g < 0.0 or model == "risk_averse":
                f = min(f, after)
            else:
                b = max(before - f, 0.0)
                p = share(model, exponent, f, b)
                f = min(f - (1.0 - p) * g + min(b - p * g, 0.0), after)
        out.append(f)
    return out


def mean_fill_secs(ahead, mu, theta):
    """Return the sum of 1/(mu + j theta) for whole units ahead."""
    return sum(1.0 / (mu + j * theta) for j in range(ahead + 1)) if mu > 0.0 else inf
