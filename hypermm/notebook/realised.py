"""Realised measures of a window of returns: variance with jumps and without, and the jump test."""

from math import sqrt

import numpy as np
from attrs import frozen
from numpy.typing import ArrayLike

from hypermm._core.realised import realised_bipower, realised_variation
from hypermm.notebook._arrays import Estimate, floats

_BIPOWER_VARIANCE = 2.609  # of one observation over sigma^4
_MIN_VARIANCE = 3.81
_MED_VARIANCE = 2.96


@frozen
class JumpTest:
    """Whether a window of returns holds a jump.

    Parameters
    ----------
    statistic : float
        About N(0, 1) without jumps, large with them; NaN for fewer than three returns.
    p_value : float
        One-sided.
    ratio : float
        Realised over bipower variance, at most 1000: 1 + a few times sqrt(0.61/n) without jumps.
    relative_jump : float
        Share of the variance that is jumps, as measured: it may be negative.
    jump_variance : float
        Variance of the jumps, dimensionless, at least 0.
    n : int
        Returns.
    """

    statistic: float
    p_value: float
    ratio: float
    relative_jump: float
    jump_variance: float
    n: int


@frozen
class RealisedMeasures:
    """Every realised measure of one window of returns.

    Parameters
    ----------
    realised, bipower, min_realised, med_realised : Estimate
        Variance over the window, dimensionless; all but the first are robust to jumps.
    tripower_quarticity, quadpower_quarticity, min_quarticity, med_quarticity : float
        Integrated fourth power of volatility, for a window of length 1; NaN where the window is
        too short.
    jumps : JumpTest
        The test for jumps.
    """

    realised: Estimate
    bipower: Estimate
    min_realised: Estimate
    med_realised: Estimate
    tripower_quarticity: float
    quadpower_quarticity: float
    min_quarticity: float
    med_quarticity: float
    jumps: JumpTest


def realised_variance(log_returns: ArrayLike) -> Estimate:
    """Realised variance of a window: the sum of squared returns.

    Parameters
    ----------
    log_returns : array_like, shape (n,), n >= 1
        Log returns, dimensionless, finite; contiguous float64 is not copied.

    Returns
    -------
    Estimate
        Variance over the window, dimensionless. Jumps are in it. The standard error takes
        volatility as constant over 64 returns.

    Raises
    ------
    ValueError
        Naming the argument, the index and the rule that is broken.

    Examples
    --------
    >>> realised_variance([0.001, -0.001, 0.001, -0.001]).value
    4e-06
    """
    returns = floats("log_returns", log_returns, rule="any")
    value, _, error, _ = realised_bipower(returns)
    return Estimate(value, error, returns.size, "1")


def bipower_variation(log_returns: ArrayLike) -> Estimate:
    """Bipower variation of a window: its variance, without jumps.

    Parameters
    ----------
    log_returns : array_like, shape (n,), n >= 1
        Log returns, dimensionless, finite; contiguous float64 is not copied.

    Returns
    -------
    Estimate
        Variance over the window, dimensionless; NaN for one return. The standard error takes
        volatility as constant over 64 returns.

    Raises
    ------
    ValueError
        Naming the argument, the index and the rule that is broken.

    Notes
    -----
    (pi/2) n/(n-1) sum |r_i||r_(i-1)|. Returns that are 0 bias it down: on a market bound to its
    tick use VWAPs of buckets (`volatility`). Source: Barndorff-Nielsen and Shephard (2004),
    "Power and bipower variation with stochastic volatility and jumps".

    Examples
    --------
    >>> quiet = [0.001, -0.001] * 50
    >>> round(bipower_variation([*quiet, 0.05, *quiet]).value, 6)  # the jump adds 0.0025 to RV
    0.00047
    """
    returns = floats("log_returns", log_returns, rule="any")
    _, value, _, error = realised_bipower(returns)
    return Estimate(value, error if returns.size > 1 else np.nan, returns.size, "1")


def realised_measures(log_returns: ArrayLike) -> RealisedMeasures:
    """Every realised measure of a window of returns at once.

    Parameters
    ----------
    log_returns : array_like, shape (n,), n >= 1
        Log returns, dimensionless, finite.

    Returns
    -------
    RealisedMeasures
        Each with its finite-sample factor n/(n-j); NaN where n is too small for it.

    Raises
    ------
    ValueError
        Naming the argument, the index and the rule that is broken.

    Notes
    -----
    Standard errors from the quarticities: sqrt(2 TPQ/n), sqrt(2.609 TPQ/n), sqrt(3.81 MinRQ/n),
    sqrt(2.96 MedRQ/n). Sources: Barndorff-Nielsen and Shephard (2004); Andersen, Dobrev and
    Schaumburg (2012), "Jump-robust volatility estimation using nearest neighbor truncation";
    Huang and Tauchen (2005), "The relative contribution of jumps".

    Examples
    --------
    >>> measures = realised_measures([0.001, -0.001, 0.0, 0.03, 0.001, -0.001, 0.001])
    >>> round(measures.jumps.ratio, 1), round(measures.jumps.p_value, 3)
    (15.0, 0.001)
    """
    returns = floats("log_returns", log_returns, rule="any")
    all_of_it = realised_variation(returns)
    n = returns.size

    def estimate(key: str, quarticity: str, variance: float) -> Estimate:
        found: dict[str, float] = {**all_of_it}  # type: ignore[dict-item]
        return Estimate(found[key], sqrt(variance * found[quarticity] / n), n, "1")

    return RealisedMeasures(
        realised=estimate("rv", "tpq", 2.0),
        bipower=estimate("bv", "tpq", _BIPOWER_VARIANCE),
        min_realised=estimate("minrv", "minrq", _MIN_VARIANCE),
        med_realised=estimate("medrv", "medrq", _MED_VARIANCE),
        tripower_quarticity=all_of_it["tpq"],
        quadpower_quarticity=all_of_it["qpq"],
        min_quarticity=all_of_it["minrq"],
        med_quarticity=all_of_it["medrq"],
        jumps=JumpTest(
            all_of_it["jump_statistic"],
            all_of_it["jump_p_value"],
            all_of_it["jump_ratio"],
            all_of_it["relative_jump"],
            all_of_it["jump_variance"],
            n,
        ),
    )


def jump_test(log_returns: ArrayLike) -> JumpTest:
    """Test a window of returns for jumps.

    Parameters
    ----------
    log_returns : array_like, shape (n,), n >= 1
        Log returns, dimensionless, finite.

    Returns
    -------
    JumpTest
        Statistic (RV-BV)/RV / sqrt(0.609/n max(1, TPQ/BV^2)) and what belongs to it.

    Raises
    ------
    ValueError
        Naming the argument, the index and the rule that is broken.

    Notes
    -----
    Source: Huang and Tauchen (2005), ratio form with the maximum adjustment.

    Examples
    --------
    >>> jump_test([0.001, -0.001] * 20).p_value > 0.5
    True
    >>> jump_test([0.001, -0.001] * 20 + [0.05, 0.001]).p_value < 1e-6
    True
    """
    return realised_measures(log_returns).jumps
