"""What fills cost afterwards: markouts at several horizons, their errors, and their depth."""

from collections.abc import Sequence
from math import exp, inf, nan, sqrt

import numpy as np
from attrs import frozen
from numpy.typing import ArrayLike, NDArray

from hypermm._core import markouts as kernel
from hypermm._core.markouts import MarkoutStream
from hypermm.notebook._arrays import Estimate, Floats, floats, number

__all__ = [
    "DepthMarkout",
    "MarkoutStream",
    "MarkoutSummary",
    "fit_markout_depth",
    "markout_bins",
    "measure_markouts",
    "newey_west_mean",
    "shrink_markout",
]

HORIZONS_SECS = (0.5, 1.0, 5.0, 30.0, 60.0)


@frozen
class MarkoutSummary:
    """Adverse selection at one horizon.

    Parameters
    ----------
    horizon_secs : float
        Time after the fill.
    markout : Estimate
        Mean move of the mid against us, in bps of the mid at the fill, with its HAC error.
    sized_markout_bps : float
        The mean weighted by size.
    capture_bps : float
        Mean distance of our price from the mid at the fill: what was earned at once.
    edge_bps : float
        What is left of it: capture minus markout.
    """

    horizon_secs: float
    markout: Estimate
    sized_markout_bps: float
    capture_bps: float
    edge_bps: float


def measure_markouts(
    mid_secs: ArrayLike,
    mids: ArrayLike,
    fill_secs: ArrayLike,
    sides: ArrayLike,
    prices: ArrayLike,
    sizes: ArrayLike,
    *,
    horizons_secs: Sequence[float] = HORIZONS_SECS,
    lags: int | None = None,
    is_before_ties: bool = False,
) -> tuple[MarkoutSummary, ...]:
    """Measure what fills cost at each horizon, on a recorded path of the mid.

    Parameters
    ----------
    mid_secs, mids : array_like, shape (m,), m >= 1
        Times in seconds, not falling, and the mids from there on, > 0.
    fill_secs, prices, sizes : array_like, shape (n,)
        Time (not falling, not before the first mid), price and size of each fill.
    sides : array_like, shape (n,)
        +1 where we bought, -1 where we sold.
    horizons_secs : sequence of float
        Times after the fill, >= 0.
    lags : int, optional
        Bartlett lags of the error, >= 0; 1.3 sqrt(n), or the mean number of fills inside the
        horizon if larger, unless given.
    is_before_ties : bool
        Whether a mid with the very stamp of a fill came after it: the sweep that hit us is part
        of the loss.

    Returns
    -------
    tuple of MarkoutSummary
        One a horizon, over the fills whose horizon lies inside the path.

    Raises
    ------
    ValueError
        If a value is outside its domain or lengths differ.

    Notes
    -----
    markout = -s (mid(t+h) - mid(t))/mid(t), capture = s (mid(t) - price)/mid(t), in bps. Fills
    cluster, so that the error is Newey and West's (1987).

    Examples
    --------
    >>> (one,) = measure_markouts(
    ...     [0.0, 1.0, 2.0], [100.0, 99.0, 99.0], [0.5], [1], [99.9], [3.0], horizons_secs=[1.0])
    >>> round(one.markout.value, 6), round(one.capture_bps, 6), round(one.edge_bps, 6)
    (100.0, 10.0, -90.0)
    """
    times, path = floats("mid_secs", mid_secs, least=1), floats("mids", mids, rule="positive")
    fills, price = floats("fill_secs", fill_secs), floats("prices", prices)
    size = floats("sizes", sizes, rule="non-negative")
    side = _sides(sides)
    if len(size) != len(fills):
        raise ValueError(f"sizes must have length {len(fills)}: {len(size)}")
    if lags is not None and lags < 0:
        raise ValueError(f"lags must be >= 0: {lags}")
    moves, captures = np.empty(len(fills)), np.empty(len(fills))
    results = []
    for i, horizon in enumerate(horizons_secs):
        n = kernel.measure_markouts(
            times,
            path,
            fills,
            side,
            price,
            moves,
            captures,
            horizon_secs=number(f"horizons_secs[{i}]", horizon, low=0.0),
            is_before_ties=is_before_ties,
        )
        used = _lags(fills[:n], horizon) if lags is None else lags
        mean, error = kernel.newey_west(moves[:n], lags=used)
        capture = float(captures[:n].mean()) if n else nan
        results.append(
            MarkoutSummary(
                float(horizon),
                Estimate(mean, error, n, "bps"),
                kernel.sized_mean(moves[:n], size[:n]),
                capture,
                capture - mean,
            )
        )
    return tuple(results)


def newey_west_mean(values: ArrayLike, *, lags: int, unit: str = "") -> Estimate:
    """Mean of a series with an error that knows its correlation up to `lags`.

    Parameters
    ----------
    values : array_like, shape (n,)
        In time order.
    lags : int
        Bartlett lags, >= 0.
    unit : str
        Unit of the values, for the result.

    Returns
    -------
    Estimate
        The error is NaN for fewer than two values.

    Raises
    ------
    ValueError
        If a value is not finite or `lags` is negative.

    Notes
    -----
    var = (g0 + 2 sum_l (1 - l/(L+1)) g_l)/n. Source: Newey and West (1987).

    Examples
    --------
    >>> newey_west_mean([1.0, 2.0, 3.0, 4.0], lags=0).value
    2.5
    """
    array = floats("values", values)
    mean, error = kernel.newey_west(array, lags=lags)
    return Estimate(mean, error, len(array), unit)


def shrink_markout(
    markout: Estimate, *, prior_bps: float = 0.0, prior_fills: float = 50.0
) -> float:
    """Adverse selection to use: the measured one, shrunk while it may be 0.

    Parameters
    ----------
    markout : Estimate
        Measured mean, its error, and n.
    prior_bps : float
        What to believe without data.
    prior_fills : float
        How many fills that belief is worth, >= 0.

    Returns
    -------
    float
        The mean, if its interval of 95 % does not contain 0; else (n mean + n0 prior)/(n + n0).

    Raises
    ------
    ValueError
        If a prior is outside its domain.

    Examples
    --------
    >>> shrink_markout(Estimate(1.0, 0.9, 50, "bps"))
    0.5
    """
    prior = number("prior_bps", prior_bps)
    worth = number("prior_fills", prior_fills, low=0.0)
    if not markout.n > 0:
        return prior
    low, high = markout.interval()
    if low > 0.0 or high < 0.0:
        return markout.value
    return (markout.n * markout.value + worth * prior) / (markout.n + worth)


@frozen
class DepthMarkout:
    """Adverse selection by depth: AS(d) = AS_0 exp(-d/d_A).

    Parameters
    ----------
    markout : Estimate
        AS_0, in bps; the mean over all depths where it does not shrink with depth.
    decay : Estimate
        1/d_A, in 1/bps; 0 where it does not shrink.
    slope : Estimate
        Of a straight line: markout per bps of depth. Above 0 with confidence, deep fills come
        from sweeps and cost more; the form must not be used then.
    """

    markout: Estimate
    decay: Estimate
    slope: Estimate

    @property
    def is_decaying(self) -> bool:
        """Whether markouts shrink with depth."""
        return self.decay.value > 0.0

    def at(self, depth_bps: float) -> float:
        """Adverse selection at a depth, in bps."""
        return self.markout.value * exp(-self.decay.value * depth_bps)

    def least_depth_bps(self, cost_bps: float = 0.0) -> float:
        """Depth from which on a fill earns more than it costs: d - AS(d) - c > 0.

        Parameters
        ----------
        cost_bps : float
            Fee of a fill, in bps.

        Raises
        ------
        ValueError
            If the cost is not finite.

        Notes
        -----
        A negative adverse selection is not counted on: the cost alone is the bound then.
        """
        cost, level, decay = number("cost_bps", cost_bps), self.markout.value, self.decay.value
        if not level > 0.0:
            return cost
        # d - c - AS(d) is concave and rises: Newton from the left of its root stays there.
        depth = cost
        for _ in range(100):
            selection = level * exp(-decay * depth)
            step = (selection + cost - depth) / (1.0 + decay * selection)
            depth += step
            if abs(step) <= 1e-14 * (abs(depth) + abs(cost)):
                break
        return depth


def fit_markout_depth(
    depths_bps: ArrayLike, markouts_bps: ArrayLike, weights: ArrayLike | None = None
) -> DepthMarkout:
    """Fit how adverse selection shrinks with the depth of the quote.

    Parameters
    ----------
    depths_bps : array_like, shape (n,), n >= 3
        Depth of each fill (or bin), in bps, >= 0.
    markouts_bps : array_like, shape (n,)
        Its markout.
    weights : array_like, shape (n,), optional
        Such as the fills of a bin, > 0; 1 unless given.

    Returns
    -------
    DepthMarkout
        Curve and straight line.

    Raises
    ------
    ValueError
        If a value is outside its domain, lengths differ, or there are fewer than three.

    Notes
    -----
    Weighted least squares in (AS_0, 1/d_A), by Gauss-Newton from the best of a grid.

    Examples
    --------
    >>> depths = np.array([1.0, 2.0, 4.0, 8.0])
    >>> fit = fit_markout_depth(depths, 3.0 * np.exp(-depths / 5.0))
    >>> round(fit.markout.value, 6), round(fit.decay.value, 6), round(fit.least_depth_bps(1.5), 4)
    (3.0, 0.2, 3.1105)
    """
    depth, move = floats("depths_bps", depths_bps, least=3), floats("markouts_bps", markouts_bps)
    weight = np.ones(len(depth)) if weights is None else floats("weights", weights, rule="positive")
    if len(move) != len(depth) or len(weight) != len(depth):
        raise ValueError(f"markouts_bps and weights must have length {len(depth)}")
    fit, n = kernel.fit_depth(depth, move, weight), len(depth)
    return DepthMarkout(
        Estimate(fit["markout"], fit["markout_error"], n, "bps"),
        Estimate(fit["decay_per_bps"], fit["decay_error"], n, "1/bps"),
        Estimate(fit["slope"], fit["slope_error"], n, "1"),
    )


def markout_bins(
    depths_bps: ArrayLike,
    markouts_bps: ArrayLike,
    *,
    edges_bps: ArrayLike,
    prior_fills: float = 50.0,
) -> tuple[Estimate, ...]:
    """Adverse selection in bins of depth, each shrunk towards the mean of all.

    Parameters
    ----------
    depths_bps, markouts_bps : array_like, shape (n,)
        Depth and markout of each fill.
    edges_bps : array_like, shape (k + 1,), k >= 1
        Edges of the bins, not falling; a fill on an edge belongs to the bin above it, and fills
        outside count for the mean of all only.
    prior_fills : float
        How many fills the mean of all is worth in a bin, >= 0.

    Returns
    -------
    tuple of Estimate
        (n_b m_b + n0 m)/(n_b + n0) of each bin, with the error of the bin's own mean times its
        weight; NaN where a bin has fewer than two fills.

    Raises
    ------
    ValueError
        If a value is outside its domain or lengths differ.

    Examples
    --------
    >>> bins = markout_bins([1.0, 1.5, 9.0], [2.0, 2.0, 5.0], edges_bps=[0, 5, 10], prior_fills=1)
    >>> [round(one.value, 3) for one in bins]
    [2.333, 4.0]
    """
    depth, move = floats("depths_bps", depths_bps), floats("markouts_bps", markouts_bps)
    edges = floats("edges_bps", edges_bps, least=2, rule="increasing")
    worth = number("prior_fills", prior_fills, low=0.0)
    if len(move) != len(depth):
        raise ValueError(f"markouts_bps must have length {len(depth)}: {len(move)}")
    overall = float(move.mean()) if len(move) else nan
    places = np.searchsorted(edges, depth, side="right") - 1
    bins = []
    for place in range(len(edges) - 1):
        own = move[places == place]
        n = len(own)
        weight = n / (n + worth) if n + worth > 0.0 else nan
        value = weight * float(own.mean()) + (1.0 - weight) * overall if n else overall
        error = weight * float(own.std(ddof=1)) / sqrt(n) if n > 1 else nan
        bins.append(Estimate(value, error, n, "bps"))
    return tuple(bins)


def _lags(fill_secs: Floats, horizon_secs: float) -> int:
    if horizon_secs == inf or not len(fill_secs):
        return 0
    stamps = np.rint((fill_secs - fill_secs[0]) * 1e9)
    if stamps[-1] + horizon_secs * 1e9 >= 2.0**62:
        raise ValueError(f"fill_secs must span less than 146 years: {fill_secs[-1]}")
    return kernel.overlap_lags(stamps.astype(np.int64), horizon_ns=round(horizon_secs * 1e9))


def _sides(sides: ArrayLike) -> NDArray[np.int64]:
    given = floats("sides", sides)
    broken = np.abs(given) != 1.0
    if broken.any():
        i = int(np.argmax(broken))
        raise ValueError(f"sides[{i}] must be 1 or -1: {given[i]:g}")
    return given.astype(np.int64)
