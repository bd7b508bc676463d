"""What our fills cost afterwards: the move of the mid at fixed horizons, a loss positive.

The mid at the fill is the one strictly before the taker's order, because the sweep itself is part
of the loss. The mid at a horizon is the last one at or before it. Everything is bounded.
"""

from collections import deque
from heapq import heappop, heappush
from math import isnan, nan, sqrt

import numpy as np
from attrs import frozen
from numpy.typing import NDArray

from hypermm.messages import Fill

HORIZONS_SECS = (0.5, 1.0, 5.0, 30.0, 60.0)
MAX_OPEN = 1_000  # fills that wait for one horizon
MAX_KEPT = 2_000  # finished ones per horizon, for mean and error
MAX_GAP_NS = 5_000_000_000  # no markout crosses a longer silence of the market


@frozen
class Markout:
    """Adverse selection at one horizon.

    Parameters
    ----------
    horizon_secs : float
        Time after the fill.
    n : int
        Fills that count.
    mean_bps : float
        Mean move of the mid against us, in bps of the mid at the fill; NaN without a fill.
    se_bps : float
        Its standard error, robust to fills that cluster.
    sized_mean_bps : float
        The mean weighted by size.
    capture_bps : float
        Mean distance of our price from the mid at the fill: what we earned at once.
    edge_bps : float
        What is left of it: capture minus markout.
    """

    horizon_secs: float
    n: int
    mean_bps: float
    se_bps: float
    sized_mean_bps: float
    capture_bps: float
    edge_bps: float


def newey_west_se(values: NDArray[np.float64], lags: int) -> float:
    """Return the standard error of a mean, robust to correlation up to `lags`.

    Parameters
    ----------
    values : array of float64, shape (n,)
        In time order.
    lags : int
        Bartlett lags, >= 0.

    Returns
    -------
    float
        The error in the unit of the values; NaN for fewer than two.

    Notes
    -----
    Source: Newey and West (1987). The sum is not negative by construction; rounding may make it
    so, and is then 0.
    """
    n = len(values)
    if n < 2:
        return nan
    rest = values - values.mean()
    total = float(rest @ rest) / n
    for lag in range(1, min(lags, n - 1) + 1):
        total += 2.0 * (1.0 - lag / (lags + 1)) * float(rest[lag:] @ rest[:-lag]) / n
    return sqrt(max(total, 0.0) / n)


def summarise(
    horizon_secs: float,
    moves_bps: NDArray[np.float64],
    captures_bps: NDArray[np.float64],
    sizes: NDArray[np.float64],
    lags: int,
) -> Markout:
    """Return the figures of one horizon from each fill's move, capture and size, in time order."""
    n = len(moves_bps)
    if n == 0:
        return Markout(horizon_secs, 0, nan, nan, nan, nan, nan)
    mean, capture = float(moves_bps.mean()), float(captures_bps.mean())
    return Markout(
        horizon_secs=horizon_secs,
        n=n,
        mean_bps=mean,
        se_bps=newey_west_se(moves_bps, lags),
        sized_mean_bps=float(moves_bps @ sizes) / float(sizes.sum()),
        capture_bps=capture,
        edge_bps=capture - mean,
    )


@frozen
class _Open:
    due_ns: int
    fill_ns: int
    side: int
    mid: float
    capture_bps: float
    size: int


class Markouts:
    """Opens a markout per fill and horizon and closes it when the market has moved on.

    Notes
    -----
    `advance` is to be called at every step with the newest mid and its stamp: a silence of more
    than five seconds drops what falls due in it. At most 1,000 fills wait for one horizon and
    the last 2,000 finished ones count.
    """

    def __init__(self) -> None:
        self._open: list[list[tuple[int, int, _Open]]] = [[] for _ in HORIZONS_SECS]
        self._done: list[deque[tuple[int, float, float, int]]] = [
            deque(maxlen=MAX_KEPT) for _ in HORIZONS_SECS
        ]
        self._mid = nan
        self._mid_ns = 0
        self._sequence = 0
        self._dropped = 0

    @property
    def dropped(self) -> int:
        """Markouts given up: no mid, heard of too late, a silence, or too many open."""
        return self._dropped

    @property
    def open_count(self) -> int:
        """Fills that wait for the longest horizon."""
        return max(len(waiting) for waiting in self._open)

    def open(self, fill: Fill, mid_before: float, exch_ns: int) -> None:
        """Start the markouts of a fill.

        Parameters
        ----------
        fill : Fill
            Our fill.
        mid_before : float
            Mid strictly before the fill's stamp, in price units; NaN if not known.
        exch_ns : int
            The fill's stamp.
        """
        if not mid_before > 0.0:
            self._dropped += len(HORIZONS_SECS)
            return
        capture_bps = fill.side * (mid_before - fill.price) / mid_before * 1e4
        for horizon_secs, waiting in zip(HORIZONS_SECS, self._open, strict=True):
            due_ns = exch_ns + round(horizon_secs * 1e9)
            if due_ns < self._mid_ns or len(waiting) >= MAX_OPEN:
                self._dropped += 1
                continue
            self._sequence += 1
            one = _Open(due_ns, exch_ns, int(fill.side), mid_before, capture_bps, fill.size)
            heappush(waiting, (due_ns, self._sequence, one))

    def advance(self, mid: float, exch_ns: int) -> None:
        """Say that the mid is `mid` (NaN: none) since `exch_ns`; older news is ignored."""
        if exch_ns < self._mid_ns:
            return
        if exch_ns > self._mid_ns:
            is_silence = exch_ns - self._mid_ns > MAX_GAP_NS
            for waiting, done in zip(self._open, self._done, strict=True):
                while waiting and waiting[0][0] < exch_ns:
                    one = heappop(waiting)[2]
                    if is_silence or isnan(self._mid):
                        self._dropped += 1
                        continue
                    move_bps = -one.side * (self._mid - one.mid) / one.mid * 1e4
                    done.append((one.fill_ns, move_bps, one.capture_bps, one.size))
        self._mid, self._mid_ns = mid, exch_ns

    def summary(self) -> tuple[Markout, ...]:
        """Return the figures of every horizon."""
        return tuple(
            _summary(horizon_secs, done)
            for horizon_secs, done in zip(HORIZONS_SECS, self._done, strict=True)
        )


def _summary(horizon_secs: float, done: deque[tuple[int, float, float, int]]) -> Markout:
    if not done:
        return Markout(horizon_secs, 0, nan, nan, nan, nan, nan)
    stamps = np.array([one[0] for one in done], np.int64)
    moves, captures, sizes = (np.array([one[i] for one in done], np.float64) for i in range(1, 4))
    return summarise(horizon_secs, moves, captures, sizes, lags_of(stamps, horizon_secs))


def lags_of(stamps_ns: NDArray[np.int64], horizon_secs: float) -> int:
    """Lags for the error: 1.3 sqrt(n), or the mean number of fills inside a horizon if larger."""
    n = len(stamps_ns)
    within = np.searchsorted(stamps_ns, stamps_ns + round(horizon_secs * 1e9), side="right")
    overlap = float(np.mean(within - np.arange(n) - 1)) if n else 0.0
    return max(int(1.3 * sqrt(n)), round(overlap))


def markouts(
    mid_secs: NDArray[np.float64],
    mids: NDArray[np.float64],
    fill_secs: NDArray[np.float64],
    sides: NDArray[np.int64],
    prices: NDArray[np.float64],
    sizes: NDArray[np.float64],
    *,
    horizon_secs: float,
    lags: int,
) -> Markout:
    """Return the markout of fills on a recorded path of the mid.

    Parameters
    ----------
    mid_secs, mids : array of float64, shape (m,)
        Times in seconds, not falling, and the mids from there on, > 0.
    fill_secs, sides, prices, sizes : arrays, shape (n,)
        Time, side (+1 we bought), price and size of each fill, in time order.
    horizon_secs : float
        Time after the fill, >= 0.
    lags : int
        Bartlett lags of the error.

    Returns
    -------
    Markout
        Of the fills whose horizon lies inside the path.

    Raises
    ------
    ValueError
        If the path is empty, or a fill comes before it.

    Examples
    --------
    >>> times, mids = np.array([0.0, 1.0, 2.0]), np.array([100.0, 99.0, 99.0])
    >>> buy = np.array([0.5]), np.array([1]), np.array([99.9]), np.array([3.0])
    >>> one = markouts(times, mids, *buy, horizon_secs=1.0, lags=0)
    >>> round(one.mean_bps, 6), round(one.capture_bps, 6), round(one.edge_bps, 6)
    (100.0, 10.0, -90.0)
    """
    if len(mids) == 0 or (len(fill_secs) and fill_secs.min() < mid_secs[0]):
        raise ValueError("the path of the mid must start at or before the first fill")
    is_used = fill_secs + horizon_secs <= mid_secs[-1]
    start, sign = fill_secs[is_used], sides[is_used]
    then = mids[np.searchsorted(mid_secs, start, side="right") - 1]
    later = mids[np.searchsorted(mid_secs, start + horizon_secs, side="right") - 1]
    return summarise(
        horizon_secs,
        -sign * (later - then) / then * 1e4,
        sign * (then - prices[is_used]) / then * 1e4,
        np.abs(sizes[is_used]),
        lags,
    )
