"""Variance of a price that is seen with noise, and how large the noise is."""

from functools import partial
from math import sqrt

import numpy as np
from numpy.typing import ArrayLike

from hypermm._core import noise
from hypermm.notebook._arrays import Estimate, floats

_array = partial(floats, rule="any")  # the kernels check every element


def _default(value: int | None, best: float, low: int, high: int) -> int:
    return value if value is not None else min(max(round(best), low), high)


def two_scale_variance(
    log_prices: ArrayLike, *, step: int | None = None, corrects_ends: bool = False
) -> Estimate:
    """Variance of a price that is seen with noise, from two time scales.

    Parameters
    ----------
    log_prices : array_like, shape (n+1,), n >= 2
        Natural logarithms of prices, finite, at equal intervals of whatever clock.
    step : int, optional
        Prices from one of the slow scale to the next, K, 2 to n; n^(2/3) if left out.
    corrects_ends : bool
        Whether to make up for the K-1 returns at each end, which the slow scale counts less:
        the published estimator is low by (K-1)/n for them.

    Returns
    -------
    Estimate
        Variance over the window, dimensionless; it may be negative where noise dominates. The
        standard error takes volatility as constant over the window.

    Raises
    ------
    ValueError
        Naming the argument, the index and the rule that is broken.

    Notes
    -----
    Source: Zhang, Mykland and Ait-Sahalia (2005), "A tale of two time scales": with
    K = c n^(2/3), the variance of the estimate is n^(-1/3) (8 omega^4/c^2 + (4/3) c IQ).

    Examples
    --------
    >>> random = np.random.default_rng(1)
    >>> seen = np.cumsum(random.normal(scale=1e-4, size=10_001)) + random.normal(size=10_001) * 1e-4
    >>> low, high = two_scale_variance(seen).interval()  # true: 1e-4, realised: 3e-4
    >>> bool(low < 1e-4 < high)
    True
    """
    prices = _array("log_prices", log_prices, least=3)
    n = prices.size - 1
    step = _default(step, n ** (2 / 3), 2, n)
    value = noise.two_scale_variance(prices, step=step)
    if corrects_ends:
        sparse = (n - step + 1) / step
        value *= (n - sparse) / (sparse * (step - 1))
    excess = max(noise.realised_variance(prices) - value, 0.0) / (2 * n)
    c = step / n ** (2 / 3)
    spread = n ** (-1 / 3) * (8.0 * excess**2 / c**2 + 4.0 / 3.0 * c * value**2)
    return Estimate(value, sqrt(spread), n, "1")


def preaveraged_variance(log_prices: ArrayLike, *, window: int | None = None) -> Estimate:
    """Variance of a price that is seen with noise, from averages of returns.

    Parameters
    ----------
    log_prices : array_like, shape (n+1,), n >= 2
        Natural logarithms of prices, finite, at equal intervals of whatever clock.
    window : int, optional
        Prices that are averaged, 2 to n; sqrt(n)/3 if left out, but at least 4.

    Returns
    -------
    Estimate
        Variance over the window, dimensionless; it may be negative where noise dominates. The
        standard error takes volatility as constant over the window.

    Raises
    ------
    ValueError
        Naming the argument, the index and the rule that is broken.

    Notes
    -----
    Source: Jacod, Li, Mykland, Podolskij and Vetter (2009), "Microstructure noise in the
    continuous case: the pre-averaging approach", weights min(x, 1-x).

    Examples
    --------
    >>> random = np.random.default_rng(1)
    >>> seen = np.cumsum(random.normal(scale=1e-4, size=10_001)) + random.normal(size=10_001) * 1e-4
    >>> low, high = preaveraged_variance(seen).interval()  # true: 1e-4, realised: 3e-4
    >>> bool(low < 1e-4 < high)
    True
    """
    prices = _array("log_prices", log_prices, least=3)
    n = prices.size - 1
    window = _default(window, max(sqrt(n) / 3.0, 4.0), 2, n)
    value = noise.preaveraged_variance(prices, window=window)
    excess = max(noise.realised_variance(prices) - value, 0.0) / (2 * n)
    theta, level = window / sqrt(n), max(value, 0.0)
    spread = 576.0 * (  # 4 / psi2^2, and the integrals of the weights
        151.0 / 80640.0 * theta * level**2
        + 2.0 / 96.0 * level * excess / theta
        + excess**2 / 6.0 / theta**3
    )
    return Estimate(value, sqrt(spread) * n**-0.25, n, "1")


def realised_kernel(log_returns: ArrayLike, *, bandwidth: int | None = None) -> Estimate:
    """Variance of a price that is seen with noise, from autocovariances of its returns.

    Parameters
    ----------
    log_returns : array_like, shape (n,), n >= 2
        Log returns, dimensionless, finite.
    bandwidth : int, optional
        Largest lag, 0 to n-1; the best one for the noise that is found if left out.

    Returns
    -------
    Estimate
        Variance over the window, dimensionless, with 12 n omega^2 / (H+1)^2 of the noise left
        in it. The standard error takes volatility as constant over the window.

    Raises
    ------
    ValueError
        Naming the argument, the index and the rule that is broken.

    Notes
    -----
    Parzen's weights, H = 3.5134 (omega^2/IV)^(2/5) n^(3/5). Source: Barndorff-Nielsen, Hansen,
    Lunde and Shephard (2009), "Realized kernels in practice".

    Examples
    --------
    >>> random = np.random.default_rng(1)
    >>> seen = np.cumsum(random.normal(scale=1e-4, size=10_001)) + random.normal(size=10_001) * 1e-4
    >>> low, high = realised_kernel(np.diff(seen)).interval()  # true: 1e-4, realised: 3e-4
    >>> bool(low < 1e-4 < high)
    True
    """
    returns = _array("log_returns", log_returns, least=2)
    n = returns.size
    value = noise.realised_kernel(returns, bandwidth=0)
    prices = np.concatenate([[0.0], np.cumsum(returns)])
    slow = noise.two_scale_variance(prices, step=min(max(round(n ** (2 / 3)), 2), n))
    if bandwidth is None:
        best = value / (2 * n) / slow if slow > 0.0 else 1.0
        bandwidth = min(max(round(3.5134 * best**0.4 * n**0.6), 0), n - 1)
    excess = max(value - slow, 0.0) / (2 * n)
    value = noise.realised_kernel(returns, bandwidth=bandwidth)
    width = bandwidth + 1
    spread = 4.0 * 0.269 * width / n * value**2 + 4.0 * (
        2.0 * 1.5 / width * excess * max(value, 0.0) + 24.0 * n / width**3 * excess**2
    )
    return Estimate(value, sqrt(max(spread, 2.0 / n * value**2)), n, "1")


def noise_variance(log_prices: ArrayLike) -> Estimate:
    """Variance of the noise in each price, where it dominates the returns.

    Parameters
    ----------
    log_prices : array_like, shape (n+1,), n >= 1
        Natural logarithms of prices, finite, as often as they are seen.

    Returns
    -------
    Estimate
        RV/(2n), dimensionless. What the price itself moves is in it: an upper bound.

    Raises
    ------
    ValueError
        Naming the argument, the index and the rule that is broken.

    Examples
    --------
    >>> seen = np.random.default_rng(1).normal(scale=1e-4, size=100_001)
    >>> round(noise_variance(seen).value, 10)
    1e-08
    """
    prices = _array("log_prices", log_prices, least=2)
    n = prices.size - 1
    value = noise.realised_variance(prices) / (2 * n)
    return Estimate(value, value * sqrt(3.0 / n), n, "1")


def noise_share(log_prices: ArrayLike, *, every: int = 1) -> float:
    """Share of the realised variance that is noise, when every k-th price is used.

    Parameters
    ----------
    log_prices : array_like, shape (n+1,), n >= 3
        Natural logarithms of prices, finite, as often as they are seen.
    every : int
        Prices from one that is used to the next, 1 to n.

    Returns
    -------
    float
        2 m omega^2 / RV of the m returns that are used, 0 to 1, RV as the mean over all grids.
        Above 0.2 the level of volatility should come from `two_scale_variance`.

    Raises
    ------
    ValueError
        Naming the argument, the index and the rule that is broken.

    Notes
    -----
    Noise makes neighbouring returns at full frequency correlated: omega^2 is minus the mean of
    their products. Unlike RV/(2n) it has none of the price's own moves in it.

    Examples
    --------
    >>> random = np.random.default_rng(1)
    >>> seen = np.cumsum(random.normal(scale=1e-4, size=10_001)) + random.normal(size=10_001) * 1e-4
    >>> round(noise_share(seen), 1), round(noise_share(seen, every=20), 1)
    (0.7, 0.1)
    """
    prices = _array("log_prices", log_prices, least=4)
    n = prices.size - 1
    if not 1 <= every <= n:
        raise ValueError(f"every must lie in 1 to {n}: {every}")
    returns = np.diff(prices)
    excess = max(-float(returns[1:] @ returns[:-1]) / (n - 1), 0.0)
    moves = prices[every:] - prices[:-every]
    seen = float(moves @ moves) / moves.size
    return min(2.0 * excess / seen, 1.0) if seen > 0.0 else 0.0
