"""Severity of a cascade: how rare an intensity is, and what caps and corrects it.

`CascadeTable` gives the stationary tail of a fitted stream (`HawkesFit.cascade_table`); bands of
severity are frequencies: widen 1 % of the time, shrink 86 s a day, pull 8.6 s a day, halt 31 s a
year. Severity follows the intensity down again; only the last band, from 0.95 on, is to be latched.
"""

import numpy as np
from numpy.typing import ArrayLike

from hypermm._core import cascade as _cascade
from hypermm._core.cascade import CascadeTable, directional_severity, level_correction
from hypermm.notebook._arrays import Floats, floats, output

__all__ = [
    "CascadeTable",
    "cascade_severity",
    "directional_severity",
    "level_correction",
    "worst_severity",
]


def cascade_severity(tail: ArrayLike, *, out: Floats | None = None) -> Floats:
    """Return the severity in [0, 1] of events that rare.

    Parameters
    ----------
    tail : array_like, shape (n,)
        Fraction of time that the intensity is higher (`CascadeTable.tail`), in [0, 1].
    out : array of float64, shape (n,), optional
        Receives the result.

    Returns
    -------
    array of float64, shape (n,)
        0.3 at 1 % of the time, 0.5 at 86 s a day, 0.8 at 8.6 s a day, 0.95 at 31 s a year.

    Raises
    ------
    ValueError
        If a fraction is outside [0, 1], or `out` does not fit.

    Examples
    --------
    >>> cascade_severity([1.0, 1e-2, 1e-3, 1e-4, 1e-6, 0.0]).round(12).tolist()
    [0.0, 0.3, 0.5, 0.8, 0.95, 1.0]
    """
    given = floats("tail", tail, rule="non-negative")
    if given.size and not given.max() <= 1.0:
        i = int(np.argmax(given > 1.0))
        raise ValueError(f"tail[{i}] must be <= 1: {given[i]}")
    result = output("out", out, given.size)
    with np.errstate(divide="ignore"):
        _cascade.severities(np.abs(np.log10(given)), result)
    return result


def worst_severity(buy_severity: float, sell_severity: float) -> tuple[float, int]:
    """Return the larger of two sides' severities and the side: +1 buys, -1 sells, 0 if equal.

    Raises
    ------
    ValueError
        If a severity is outside [0, 1].

    Examples
    --------
    >>> worst_severity(0.2, 0.7)
    (0.7, -1)
    """
    for name, value in (("buy_severity", buy_severity), ("sell_severity", sell_severity)):
        if not 0.0 <= value <= 1.0:
            raise ValueError(f"{name} must be in [0, 1]: {value}")
    side = (buy_severity > sell_severity) - (buy_severity < sell_severity)
    return max(buy_severity, sell_severity), side
