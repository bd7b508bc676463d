"""Where a profit came from: parts that sum to it exactly."""

from math import fsum

import numpy as np
from attrs import frozen
from numpy.typing import ArrayLike, NDArray

from hypermm.notebook._arrays import Floats, floats, number


@frozen
class ProfitSplit:
    """Where a profit came from. The five parts sum to the total.

    Parameters
    ----------
    spread : float
        Distance of each fill from the mid at its time: what quoting earned.
    adverse : float
        Move of the mid in the horizon after each fill: what it lost to those who knew.
    inventory : float
        Later moves, on the position held: luck, drift and hedging.
    fees, funding : float
        Negative what was paid.
    total : float
        Change of cash, and of the position at the mid.
    position : float
        At the end, in base units.
    turnover : float
        Sum of price times size.
    """

    spread: float
    adverse: float
    inventory: float
    fees: float
    funding: float
    total: float
    position: float
    turnover: float


def split_profit(
    mid_secs: ArrayLike,
    mids: ArrayLike,
    secs: ArrayLike,
    signed_sizes: ArrayLike,
    prices: ArrayLike,
    fees: ArrayLike,
    *,
    horizon_secs: float,
    funding_paid: ArrayLike = (),
    position: float = 0.0,
) -> ProfitSplit:
    """Split the profit of a series of fills into parts that sum to it exactly.

    Parameters
    ----------
    mid_secs, mids : array_like, shape (m,), m >= 1
        Times in seconds, not decreasing, and the mid from then on, > 0. The last of equal times
        counts.
    secs : array_like, shape (n,)
        Times of the fills, not decreasing, inside those of the mids.
    signed_sizes, prices : array_like, shape (n,)
        Base units, + bought; prices > 0.
    fees : array_like, shape (n,)
        Paid for each fill in quote currency; negative for a rebate.
    horizon_secs : float
        How long after a fill a move of the mid counts as adverse, in seconds, >= 0.
    funding_paid : array_like, optional
        Payments of funding that we made, in quote currency.
    position : float
        At the first mid, in base units.

    Returns
    -------
    ProfitSplit
        spread + adverse + inventory + fees + funding = total, to rounding.

    Raises
    ------
    ValueError
        Naming the argument, the index and the rule that is broken.

    Notes
    -----
    With the mid m, sizes v and prices p: spread sum v (m(t) - p), adverse
    sum v (m(t+h) - m(t)), inventory q0 (m(T) - m(0)) + sum v (m(T) - m(t+h)). Sums are exact.

    Examples
    --------
    >>> split = split_profit(
    ...     [0.0, 2.0, 9.0], [100.0, 99.0, 101.0], [1.0, 5.0], [1.0, -1.0], [99.5, 99.75],
    ...     [0.25, 0.25], horizon_secs=2.0,
    ... )
    >>> split.spread, split.adverse, split.inventory, split.fees, split.total
    (1.25, -1.0, 0.0, -0.5, -0.25)
    """
    times, values = _path("mid_secs", mid_secs, "mids", mids)
    at = floats("secs", secs, rule="increasing")
    sizes = _same("signed_sizes", signed_sizes, at.size)
    paid = _same("prices", prices, at.size, "positive")
    costs = _same("fees", fees, at.size)
    payments = floats("funding_paid", np.asarray(funding_paid, dtype=float))
    horizon = number("horizon_secs", horizon_secs, low=0.0)
    held = number("position", position)
    if at.size and not (times[0] <= at[0] and at[-1] <= times[-1]):
        i = 0 if at[0] < times[0] else int(np.argmax(at > times[-1]))
        raise ValueError(f"secs[{i}] must lie inside the times of the mids: {at[i]}")
    start, end = float(values[0]), float(values[-1])
    now = values[_last(times, at)]
    later = values[_last(times, np.minimum(at + horizon, times[-1]))]
    final = fsum([held, *sizes])
    return ProfitSplit(
        spread=_exact(sizes, now, paid),
        adverse=_exact(sizes, later, now),
        inventory=fsum([held * end, -held * start, *(sizes * end), *(-sizes * later)]),
        fees=0.0 - fsum(costs),
        funding=0.0 - fsum(payments),
        total=fsum(
            [*(-sizes * paid), *(-costs), *(-payments), *(sizes * end), held * end, -held * start]
        ),
        position=final,
        turnover=fsum(np.abs(sizes) * paid),
    )


def _path(time_name: str, secs: ArrayLike, name: str, values: ArrayLike) -> tuple[Floats, Floats]:
    times = floats(time_name, secs, least=1, rule="increasing")
    return times, _same(name, values, times.size, "positive")


def _same(name: str, values: ArrayLike, n: int, rule: str = "finite") -> Floats:
    array = floats(name, values, rule=rule)
    if array.size != n:
        raise ValueError(f"{name} must have length {n}: {array.size}")
    return array


def _last(times: Floats, at: Floats) -> NDArray[np.intp]:
    """Index of the last mid at or before each time."""
    return np.searchsorted(times, at, side="right") - 1


def _exact(sizes: Floats, plus: Floats, minus: Floats) -> float:
    return fsum([*(sizes * plus), *(-sizes * minus)])
