"""Volatility of a series of prices or trades: on a volume clock, with forgetting, by regime."""

from functools import partial
from math import sqrt

import numpy as np
from attrs import field, frozen
from numpy.typing import ArrayLike, NDArray

from hypermm._core.bars import volume_bars as cut_bars
from hypermm._core.bars import vwap_variance
from hypermm._core.bipower import BipowerStream
from hypermm._core.bipower import log_returns as write_log_returns
from hypermm._core.regime import Regime
from hypermm.notebook._arrays import Estimate, Floats, floats, number, output

_array = partial(floats, rule="any")  # the kernels check every element


def log_returns(prices: ArrayLike, out: Floats | None = None) -> Floats:
    """Log returns of a series of prices, small moves with all their digits.

    Parameters
    ----------
    prices : array_like, shape (n,), n >= 1
        Prices > 0, in any unit.
    out : array of float64, shape (n-1,), optional
        Receives the result.

    Returns
    -------
    array of float64, shape (n-1,)
        ln(p_i / p_(i-1)).

    Raises
    ------
    ValueError
        Naming the argument, the index and the rule that is broken.

    Examples
    --------
    >>> log_returns([100.0, 101.0, 100.0]).round(6)
    array([ 0.00995, -0.00995])
    """
    values = _array("prices", prices, least=1)
    result = output("out", out, values.size - 1)
    write_log_returns(values, result)
    return result


@frozen(eq=False)
class VolumeBars:
    """Bars of equal volume, one array a column.

    Parameters
    ----------
    trade : array of int64
        Index of the trade that closed each bar.
    secs, close, vwap : array of float64
        Time and price of that trade; volume-weighted price of the bar.
    lots : array of int64
        Volume of the bar.
    lead_secs, lag_secs, shared_secs : array of float64
        With F the share of the bar that has traded, the integrals of F^2, (1-F)^2 and F(1-F)
        over the seconds since the bar before.
    """

    trade: NDArray[np.int64] = field(repr=False)
    secs: Floats = field(repr=False)
    close: Floats = field(repr=False)
    vwap: Floats = field(repr=False)
    lots: NDArray[np.int64] = field(repr=False)
    lead_secs: Floats = field(repr=False)
    lag_secs: Floats = field(repr=False)
    shared_secs: Floats = field(repr=False)

    def __len__(self) -> int:
        return self.trade.size

    def volatility(self) -> Estimate:
        """Bipower volatility of the VWAPs, in bps per square root of a second.

        Returns
        -------
        Estimate
            The same whatever the bucket: what averaging hides is given back. NaN for fewer than
            three bars. The standard error is robust to changing volatility.

        Notes
        -----
        The move between two VWAPs has the variance of s = (lead + lag of the next bar) seconds
        and with the move after it a correlation c from the shared ones:
        sigma^2 = (pi/2) sum |r||r'| / sum sqrt(s s') (sqrt(1-c^2) + c arcsin c).
        """
        variance, error = vwap_variance(self.vwap, self.lead_secs, self.lag_secs, self.shared_secs)
        root = sqrt(variance)
        return Estimate(
            1e4 * root,
            5e3 * error / root if root > 0.0 else np.nan,
            max(len(self) - 1, 0),
            "bps/sqrt(s)",
        )


def volume_bars(
    secs: ArrayLike,
    prices: ArrayLike,
    lots: ArrayLike,
    *,
    bucket_lots: int,
    is_merged: bool = True,
) -> VolumeBars:
    """Cut a series of trades into bars of equal volume.

    Parameters
    ----------
    secs : array_like, shape (n,)
        Times of the trades in seconds, finite, not decreasing.
    prices : array_like, shape (n,)
        Prices > 0, in any unit.
    lots : array_like of integers, shape (n,)
        Sizes in lots, > 0: the exact split at a bar's edge is one of whole numbers.
    bucket_lots : int
        Volume of a bucket in lots, > 0.
    is_merged : bool
        Whether all buckets that trades of one time close are one bar (a sweep is one piece of
        news); else each bucket is a bar.

    Returns
    -------
    VolumeBars
        The closed bars; what is left over at the end makes none.

    Raises
    ------
    ValueError
        Naming the argument, the index and the rule that is broken.

    Examples
    --------
    >>> bars = volume_bars([1.0, 2.0, 4.0], [100.0, 106.0, 103.0], [25, 4, 8], bucket_lots=10)
    >>> bars.secs, bars.lots, bars.vwap.round(2)
    (array([1., 4.]), array([20, 10]), array([100. , 102.7]))
    """
    times, values = _array("secs", secs), _array("prices", prices)
    sizes = _integers("lots", lots)
    if not 1 <= bucket_lots <= 2**61:
        raise ValueError(f"bucket_lots must lie in 1 to 2**61: {bucket_lots}")
    # A bar for each trade at most if merged; else a few more than the volume has buckets, because
    # the sum is rounded. What does not fit, the kernel refuses.
    most = max(float(sizes.sum(dtype=np.float64)) / bucket_lots, 0.0)
    if most > 5e7 and not is_merged:
        raise ValueError(f"bucket_lots is too small: {bucket_lots} makes {most:.3g} bars")
    out = np.empty((min(int(most) + 2, sizes.size) if is_merged else int(most) + 2, 8))
    n = cut_bars(times, values, sizes, out, bucket_lots=bucket_lots, is_merged=is_merged)
    columns = np.ascontiguousarray(out[:n].T)
    return VolumeBars(
        columns[0].astype(np.int64),
        columns[1],
        columns[2],
        columns[3],
        columns[4].astype(np.int64),
        columns[5],
        columns[6],
        columns[7],
    )


def _integers(name: str, values: ArrayLike) -> NDArray[np.int64]:
    raw = np.asarray(values)
    if raw.ndim != 1:
        raise ValueError(f"{name} must have one dimension: shape {raw.shape}")
    if raw.dtype.kind not in "iu" and raw.size:
        raise ValueError(f"{name} must hold whole numbers: dtype {raw.dtype}")
    return np.ascontiguousarray(raw, dtype=np.int64)


def volatility(
    secs: ArrayLike, prices: ArrayLike, lots: ArrayLike, *, bucket_lots: int
) -> Estimate:
    """Volatility of a series of trades on a volume clock, robust to jumps.

    Parameters
    ----------
    secs : array_like, shape (n,)
        Times of the trades in seconds, finite, not decreasing.
    prices : array_like, shape (n,)
        Prices > 0, in any unit.
    lots : array_like of integers, shape (n,)
        Sizes in lots, > 0.
    bucket_lots : int
        Volume of a bucket in lots; buckets of 20 trades and more keep the noise small.

    Returns
    -------
    Estimate
        Bipower volatility of the VWAPs in bps per square root of a second, whatever the bucket;
        NaN for fewer than three bars.

    Raises
    ------
    ValueError
        Naming the argument, the index and the rule that is broken.

    Examples
    --------
    >>> random = np.random.default_rng(1)
    >>> prices = 100.0 * np.exp(1e-4 * np.cumsum(random.normal(size=20_000)))  # 1 bps a second
    >>> lots = random.integers(1, 20, 20_000)
    >>> estimate = volatility(np.arange(20_000.0), prices, lots, bucket_lots=200)
    >>> low, high = estimate.interval()
    >>> bool(low < 1.0 < high), estimate.unit
    (True, 'bps/sqrt(s)')
    """
    return volume_bars(secs, prices, lots, bucket_lots=bucket_lots).volatility()


def volatility_per_root_second(variance: Estimate, window_secs: float) -> Estimate:
    """Turn a variance over a window into a volatility in bps per square root of a second.

    Parameters
    ----------
    variance : Estimate
        Dimensionless, as `bipower_variation` gives it; one below 0 counts as 0.
    window_secs : float
        Length of the window in seconds, > 0.

    Returns
    -------
    Estimate
        1e4 sqrt(V/D).

    Raises
    ------
    ValueError
        If the window is not > 0 and finite.

    Examples
    --------
    >>> variance = Estimate(4e-6, 2.8e-6, 4, "1")
    >>> volatility_per_root_second(variance, 400.0).value
    1.0
    """
    secs = number("window_secs", window_secs, low=0.0, is_open=True)
    value = max(variance.value, 0.0)
    root = sqrt(value / secs)
    error = 0.5 * variance.standard_error / sqrt(value * secs) if value > 0.0 else np.nan
    return Estimate(1e4 * root, 1e4 * error, variance.n, "bps/sqrt(s)")


def ewma_volatility(
    secs: ArrayLike, prices: ArrayLike, *, decay_secs: float, out: Floats | None = None
) -> Floats:
    """Bipower volatility after each price of a series, with exponential forgetting.

    Parameters
    ----------
    secs : array_like, shape (n,)
        Times in seconds, finite, not decreasing; equal ones are returns in no time.
    prices : array_like, shape (n,)
        Prices > 0, in any unit.
    decay_secs : float
        Time after which a return counts 1/e, in seconds, > 0.
    out : array of float64, shape (n,), optional
        Receives the result.

    Returns
    -------
    array of float64, shape (n,)
        Bps per square root of a second; NaN for the first two. Nothing looks ahead.

    Raises
    ------
    ValueError
        Naming the argument, the index and the rule that is broken.

    Notes
    -----
    A ratio of two decayed sums, which has no start-up bias (`BipowerStream`).

    Examples
    --------
    >>> ewma_volatility([0.0, 4.0, 8.0], [100.0, 100.01, 100.0], decay_secs=60.0).round(4)
    array([   nan,    nan, 0.6266])
    """
    times, values = _array("secs", secs), _array("prices", prices)
    result = output("out", out, values.size)
    BipowerStream(decay_secs=decay_secs).run(times, values, result)
    return result


def volatility_regimes(
    ratios: ArrayLike,
    *,
    up: tuple[float, float] = (1.5, 3.0),
    down: tuple[float, float] = (1.2, 2.4),
    min_dwell: int = 0,
) -> NDArray[np.int8]:
    """States of the market from fast over slow volatility, with hysteresis.

    Parameters
    ----------
    ratios : array_like, shape (n,)
        Fast over slow volatility (or spread), >= 0 and finite.
    up, down : tuple of float
        Ratios from which the state rises to 1 and 2, and at which it falls to 0 and 1.
    min_dwell : int
        It falls only when more observations than this have passed since the last change.

    Returns
    -------
    array of int8, shape (n,)
        0 normal, 1 high, 2 extreme.

    Raises
    ------
    ValueError
        Naming the argument, the index and the rule that is broken.

    Examples
    --------
    >>> volatility_regimes([1.0, 1.6, 1.3, 1.1, 4.0, 2.0])
    array([0, 1, 1, 0, 2, 1], dtype=int8)
    """
    values = _array("ratios", ratios)
    states = np.empty(values.size, np.int8)
    Regime(up=up, down=down, min_dwell=min_dwell).run(values, states)
    return states
