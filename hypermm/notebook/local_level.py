"""Local level: a price that walks, seen through noise, filtered and fitted."""

import numpy as np
from attrs import field, frozen
from numpy.typing import ArrayLike

from hypermm._core.kalman import LevelStream, filter_level, fit_level, level_moments, steady_gains
from hypermm.notebook._arrays import Estimate, Floats, floats, number, output

__all__ = [
    "LevelPath",
    "LevelStream",
    "LocalLevel",
    "filter_local_level",
    "fit_local_level",
    "local_level_moments",
    "steady_gain",
]


@frozen(eq=False)
class LevelPath:
    """A filtered series.

    Parameters
    ----------
    levels : array of float64, shape (n,)
        Estimate of the price after each observation, in the unit of the prices.
    variances : array of float64, shape (n,)
        Their error variances.
    log_likelihood : float
        Of the prices after the first.
    """

    levels: Floats = field(repr=False)
    variances: Floats = field(repr=False)
    log_likelihood: float


def filter_local_level(
    prices: ArrayLike, secs: ArrayLike, *, variance_per_sec: float, noise_variance: float
) -> LevelPath:
    """Filter the noise out of a price.

    Parameters
    ----------
    prices : array_like, shape (n,), n >= 1
        Observed prices.
    secs : array_like, shape (n - 1,)
        Seconds from each price to the next, >= 0.
    variance_per_sec : float
        q, variance of the walk per second: volatility^2 times price^2, in price^2/s, >= 0.
    noise_variance : float
        R, in price^2, >= 0; at 0 the prices pass through.

    Returns
    -------
    LevelPath
        Levels, their variances, and the log-likelihood.

    Raises
    ------
    ValueError
        If a value is outside its domain or lengths do not fit.

    Notes
    -----
    m_t = m_{t-1} + N(0, q dt), y_t = m_t + N(0, R); p- = p + q dt, K = p-/(p- + R),
    p = p- R/(p- + R). Starts at the first price with variance R.

    Examples
    --------
    >>> path = filter_local_level(
    ...     [100.0, 101.0], [1.0], variance_per_sec=1.0, noise_variance=1.0)
    >>> path.levels.round(4)
    array([100.    , 100.6667])
    """
    price, step = floats("prices", prices, least=1), floats("secs", secs, rule="non-negative")
    levels, variances = np.empty(len(price)), np.empty(len(price))
    log_likelihood = filter_level(
        price,
        step,
        levels,
        variances,
        variance_per_sec=number("variance_per_sec", variance_per_sec, low=0.0),
        noise_variance=number("noise_variance", noise_variance, low=0.0),
    )
    return LevelPath(levels, variances, log_likelihood)


@frozen
class LocalLevel:
    """Walk and noise of a price, by maximum likelihood.

    Parameters
    ----------
    variance_per_sec : Estimate
        q, in price^2/s.
    noise_variance : Estimate
        R, in price^2.
    log_likelihood : float
        At the maximum.
    """

    variance_per_sec: Estimate
    noise_variance: Estimate
    log_likelihood: float


def fit_local_level(prices: ArrayLike, secs: ArrayLike) -> LocalLevel:
    """Estimate walk and noise from a series of prices.

    Parameters
    ----------
    prices : array_like, shape (n,), n >= 3
        Observed prices, not all equal.
    secs : array_like, shape (n - 1,)
        Seconds from each price to the next, >= 0, not all 0.

    Returns
    -------
    LocalLevel
        A variance at its bound of 0 has no standard error (NaN).

    Raises
    ------
    ValueError
        If a value is outside its domain, lengths do not fit, or nothing moves.

    Notes
    -----
    Maximises the likelihood of the innovations; standard errors from the expected information.
    Live, q is set from the volatility and only R is estimated: `LevelStream`.

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> prices = 100.0 + np.cumsum(rng.normal(size=2_000)) + rng.normal(scale=2.0, size=2_000)
    >>> fit = fit_local_level(prices, np.ones(1_999))
    >>> low, high = fit.noise_variance.interval()
    >>> bool(low < 4.0 < high)
    True
    """
    price, step = floats("prices", prices, least=3), floats("secs", secs, rule="non-negative")
    fit, n = fit_level(price, step), len(price) - 1
    return LocalLevel(
        Estimate(fit["variance_per_sec"], fit["variance_error"], n, "price^2/s"),
        Estimate(fit["noise_variance"], fit["noise_error"], n, "price^2"),
        fit["log_likelihood"],
    )


def local_level_moments(prices: ArrayLike) -> tuple[float, float]:
    """Walk and noise of evenly spaced prices, from their differences.

    Parameters
    ----------
    prices : array_like, shape (n,), n >= 3
        Observed prices.

    Returns
    -------
    tuple of float
        q dt = max(g0 + 2 g1, 0) and R = max(-g1, 0), in price^2: g0 the mean square of the
        differences, g1 the mean product of neighbouring ones.

    Raises
    ------
    ValueError
        If a price is not finite or there are fewer than three.

    Examples
    --------
    >>> local_level_moments([0.0, 1.0, 0.0, 1.0])
    (0.0, 1.0)
    """
    return level_moments(floats("prices", prices, least=3))


def steady_gain(ratios: ArrayLike, out: Floats | None = None) -> Floats:
    """Gain that the filter settles at.

    Parameters
    ----------
    ratios : array_like, shape (n,)
        s = q dt / R, >= 0.
    out : array of float64, shape (n,), optional
        Receives the result.

    Returns
    -------
    array of float64, shape (n,)
        2 s/(s + sqrt(s^2 + 4 s)), in [0, 1].

    Raises
    ------
    ValueError
        If a ratio is negative or not finite.

    Examples
    --------
    >>> steady_gain([0.0, 0.5, 1e300])
    array([0. , 0.5, 1. ])
    """
    ratio = floats("ratios", ratios, rule="non-negative")
    result = output("out", out, len(ratio))
    steady_gains(ratio, result)
    return result
