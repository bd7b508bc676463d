"""Stationary tail of the Hawkes intensity by a straightforward march on a fine grid."""

from math import exp, log


def tail(c, n, places, per_jump, end):
    """P(Y > s) in jumps for each of `places` >= 1: trapezoid on W(s) = integral of (c + nz) p."""
    h = 1.0 / per_jump
    flux = [exp(c * log(j * h) + n * (j * h - 1.0)) if j else 0.0 for j in range(per_jump + 1)]
    density, mass = [1.0], [0.0]
    for j in range(per_jump + 1, int(end * per_jump) + 1):
        s, lag = j * h, flux[j - per_jump]
        new = h / (1.0 + c) if j == per_jump + 1 and c < 1.0 else 0.5 * h
        old = h - new
        k = new * (c + n * s) / s
        here = (flux[-1] + old * (c + n * (s - h)) * density[-1] - k * lag) / (1.0 - k)
        flux.append(here)
        mass.append(old * density[-1] + new * (here - lag) / s)
        density.append((here - lag) / s)
    above = [0.0]
    for cell in reversed(mass):
        above.append(above[-1] + cell)
    above.reverse()  # above[k]: mass beyond the start of cell k
    term = total = 1.0
    k = 0
    while term > 1e-17 * total:
        k += 1
        term *= n / k
        total += term * c / (c + k)
    whole = total * exp(-n) / c + above[0]
    return [above[round((s - 1.0) * per_jump) + 1] / whole for s in places]
