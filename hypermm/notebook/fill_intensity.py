"""Fill intensity A exp(-kappa depth), from depths of trades or from seconds quoted and fills."""

from math import exp, inf, nan, sqrt

import numpy as np
from attrs import frozen
from numpy.typing import ArrayLike

from hypermm._core import kappa_joint
from hypermm._core.kappa import KappaStream, censored_rate, fit_censored
from hypermm._core.kappa import fit_truncated as fit_cut_off
from hypermm.notebook._arrays import Estimate, Floats, floats, number, output


@frozen
class KappaFit(Estimate):
    """Decay of the fill intensity, fitted to depths.

    Parameters
    ----------
    value, standard_error, n, unit
        The maximum of the likelihood, its error, the (weighted) uncensored depths, and the unit.
    excess : float
        Sum of min(depth, depth_max) - depth_min, in the unit of depth.
    prior_shape, prior_rate : float
        Gamma prior: events that it is worth, and the sum of their depths.
    """

    excess: float
    prior_shape: float = 0.0
    prior_rate: float = 0.0

    @property
    def log_likelihood(self) -> float:
        """Log-likelihood at the fit; infinite if all depths equal the least one."""
        if not self.excess > 0.0:
            return inf
        return self.n * float(np.log(self.value)) - self.n

    @property
    def posterior(self) -> Estimate:
        """Mean and deviation of the decay given prior and depths."""
        shape, rate = self.n + self.prior_shape, self.excess + self.prior_rate
        mean = shape / rate if rate > 0.0 else inf
        return Estimate(mean, mean / sqrt(shape), shape, self.unit)

    def exact_interval(self, level: float = 0.95) -> tuple[float, float]:
        """Interval of the decay, exact without weights and censoring.

        Parameters
        ----------
        level : float
            How often it holds the truth, 0 to 1.

        Raises
        ------
        ValueError
            If the level is not inside 0 to 1.
        """
        return _gamma_interval(self.n, self.excess, level)

    def posterior_interval(self, level: float = 0.95) -> tuple[float, float]:
        """Interval that holds the decay with this probability, given the prior.

        Parameters
        ----------
        level : float
            Probability, 0 to 1; as much is left out below as above.

        Raises
        ------
        ValueError
            If the level is not inside 0 to 1.
        """
        return _gamma_interval(self.n + self.prior_shape, self.excess + self.prior_rate, level)


def _gamma_interval(shape: float, rate: float, level: float) -> tuple[float, float]:
    from scipy.special import gammainccinv, gammaincinv  # 0.1 s to load

    if not 0.0 < level < 1.0:
        raise ValueError(f"level must lie inside 0 to 1: {level}")
    tail = 0.5 * (1.0 - level)
    if not rate > 0.0:
        return inf, inf
    return float(gammaincinv(shape, tail)) / rate, float(gammainccinv(shape, tail)) / rate


@frozen
class IntensityFit:
    """Level and decay of the fill intensity together.

    Parameters
    ----------
    intensity : Estimate
        A, fills per second at depth 0.
    kappa : Estimate
        Decay, in 1/bps.
    covariance : float
        Of ln A and kappa.
    log_likelihood : float
        At the fit, without ln N!, with the prior's term; NaN for a line.
    """

    intensity: Estimate
    kappa: Estimate
    covariance: float
    log_likelihood: float

    def at(self, depth_bps: float) -> Estimate:
        """Return the fills per second at a depth, A exp(-kappa depth), with their error.

        Parameters
        ----------
        depth_bps : float
            Depth in the unit of the fit, finite.

        Raises
        ------
        ValueError
            If the depth is not finite.
        """
        depth = number("depth_bps", depth_bps)
        value = self.intensity.value * exp(-self.kappa.value * depth)
        level = self.intensity.standard_error / self.intensity.value
        spread = level**2 - 2.0 * depth * self.covariance
        spread += (depth * self.kappa.standard_error) ** 2
        return Estimate(value, value * sqrt(max(spread, 0.0)), self.intensity.n, "1/s")


def fit_kappa(
    depths: ArrayLike,
    *,
    depth_min: float = 0.0,
    depth_max: float = inf,
    weights: ArrayLike | None = None,
    prior_shape: float = 0.0,
    prior_rate: float = 0.0,
    unit: str = "1/bps",
) -> KappaFit:
    """Fit the decay of the fill intensity to the depths of aggressive orders.

    Parameters
    ----------
    depths : array_like, shape (n,), n >= 1
        Distances of the worst fill of each order from the mid before it, >= `depth_min`, in bps
        (or any unit: say it). One at or beyond `depth_max` is seen, but not measured.
    depth_min, depth_max : float
        The window: half the median spread takes out the inside of the spread.
    weights : array_like, shape (n,), optional
        Weights, >= 0; all 1 if left out.
    prior_shape, prior_rate : float
        Gamma prior of the decay: events that it is worth, and the sum of their depths.
    unit : str
        Unit of the decay.

    Returns
    -------
    KappaFit
        The estimate, with exact interval and posterior. Infinite if all depths equal `depth_min`.

    Raises
    ------
    ValueError
        Naming the argument, the index and the rule that is broken; or if all depths are censored.

    Notes
    -----
    kappa = number / sum (min(d, depth_max) - depth_min), error kappa/sqrt(number): the maximum of
    the likelihood of an exponential law, whose intervals are those of a gamma variable.

    Examples
    --------
    >>> fit = fit_kappa([1.0, 3.0, 2.0, 10.0], depth_min=1.0, depth_max=5.0)
    >>> round(fit.value, 4), fit.n, fit.unit
    (0.4286, 3.0, '1/bps')
    >>> tuple(round(end, 3) for end in fit.exact_interval())
    (0.088, 1.032)
    """
    values = floats("depths", depths, rule="any")
    if not (0.0 <= prior_shape < inf and 0.0 <= prior_rate < inf):
        raise ValueError(f"the prior must be >= 0 and finite: {prior_shape}, {prior_rate}")
    if weights is None:
        kappa, events, excess = censored_rate(values, depth_min=depth_min, depth_max=depth_max)
    else:
        found = fit_censored(
            values,
            depth_min=depth_min,
            depth_max=depth_max,
            weights=floats("weights", weights, rule="any"),
        )
        kappa, events, excess = found["kappa"], found["events"], found["excess"]
    return KappaFit(kappa, kappa / sqrt(events), events, unit, excess, prior_shape, prior_rate)


def fit_truncated_kappa(
    depths: ArrayLike, *, depth_min: float = 0.0, depth_max: float, unit: str = "1/bps"
) -> Estimate:
    """Fit the decay to depths of which those beyond `depth_max` are not seen at all.

    Parameters
    ----------
    depths : array_like, shape (n,), n >= 1
        Depths inside `depth_min` to `depth_max`.
    depth_min, depth_max : float
        The window, finite.
    unit : str
        Unit of the decay.

    Returns
    -------
    Estimate
        0 where the mean lies in the upper half of the window: no decay is identified, do not
        quote from it.

    Raises
    ------
    ValueError
        Naming the argument, the index and the rule that is broken.

    Notes
    -----
    Solves 1/y - 1/(e^y - 1) = mean/width, kappa = y/width. With kappa times the width 2, leaving
    the truncation out overstates kappa by 46 %.

    Examples
    --------
    >>> round(fit_truncated_kappa([0.5, 1.0, 2.0, 6.5], depth_max=10.0).value, 4)
    0.3594
    """
    values = floats("depths", depths, rule="any")
    found = fit_cut_off(values, depth_min=depth_min, depth_max=depth_max)
    return Estimate(found["kappa"], found["se"], values.size, unit)


def fit_intensity(
    depths: ArrayLike,
    secs: ArrayLike,
    fills: ArrayLike,
    *,
    prior_shape: float = 0.0,
    prior_rate: float = 0.0,
) -> IntensityFit:
    """Fit level and decay together to own fills and the seconds quoted at each depth.

    Parameters
    ----------
    depths : array_like, shape (n,), n >= 1
        Depths in bps, finite.
    secs : array_like, shape (n,)
        Seconds quoted at each depth, >= 0.
    fills : array_like, shape (n,)
        Fills at each depth, >= 0; a partial one counts its share of the order.
    prior_shape, prior_rate : float
        Gamma prior of the decay: shape > 1, rate > 0 in bps. Both 0: none.

    Returns
    -------
    IntensityFit
        A in 1/s, kappa in 1/bps, with errors and covariance.

    Raises
    ------
    ValueError
        Naming the argument, the index and the rule that is broken; or if the decay is not
        identified: without a prior the mean depth of the fills must lie inside those quoted.

    Notes
    -----
    Poisson regression, sum N (ln A - kappa d) - sum T A exp(-kappa d), by Newton; the covariance
    is the inverse of the observed information.

    Examples
    --------
    >>> fit = fit_intensity([1.0, 2.0], [100.0, 100.0], [40.0, 20.0])
    >>> round(fit.kappa.value, 4), round(fit.intensity.value, 4), round(fit.at(3.0).value, 4)
    (0.6931, 0.8, 0.1)
    """
    counts = floats("fills", fills, rule="any")
    found = kappa_joint.fit_joint(
        floats("depths", depths, rule="any"),
        floats("secs", secs, rule="any"),
        counts,
        prior_shape=prior_shape,
        prior_rate=prior_rate,
    )
    total, level = float(counts.sum()), found["intensity"]
    return IntensityFit(
        Estimate(level, level * found["log_intensity_se"], total, "1/s"),
        Estimate(found["kappa"], found["kappa_se"], total, "1/bps"),
        found["covariance"],
        found["log_likelihood"],
    )


def fit_intensity_line(depths: ArrayLike, secs: ArrayLike, fills: ArrayLike) -> IntensityFit:
    """Fit a line to the logarithm of the fill rate, for plots: empty depths bias it.

    Parameters
    ----------
    depths, secs, fills : array_like, shape (n,)
        As in `fit_intensity`; depths without a fill are left out.

    Returns
    -------
    IntensityFit
        A in 1/s and kappa in 1/bps; the errors are those of Poisson counts.

    Raises
    ------
    ValueError
        Naming the argument, the index and the rule that is broken; or if fewer than two depths
        have fills.

    Examples
    --------
    >>> fit = fit_intensity_line([1.0, 2.0, 3.0], [100.0, 100.0, 100.0], [40.0, 20.0, 0.0])
    >>> round(fit.kappa.value, 4), round(fit.intensity.value, 4)
    (0.6931, 0.8)
    """
    places, counts = floats("depths", depths, rule="any"), floats("fills", fills, rule="any")
    found = kappa_joint.fit_regression(places, floats("secs", secs, rule="any"), counts)
    total = float(counts.sum())
    centre, error, level = float(counts @ places) / total, found["kappa_se"], found["intensity"]
    level_error = level * sqrt(1.0 / total + (centre * error) ** 2)
    return IntensityFit(
        Estimate(level, level_error, total, "1/s"),
        Estimate(found["kappa"], error, total, "1/bps"),
        centre * error**2,
        nan,
    )


def log_survival_kappa(depths: ArrayLike, *, depth_min: float = 0.0) -> float:
    """Decay from a line through the origin of the log of the survival function, for plots.

    Parameters
    ----------
    depths : array_like, shape (n,), n >= 1
        Depths >= `depth_min`, in any order.
    depth_min : float
        Where the law begins, >= 0.

    Returns
    -------
    float
        Decay in 1/unit of depth; infinite if all depths equal `depth_min`.

    Raises
    ------
    ValueError
        Naming the argument, the index (by size) and the rule that is broken.

    Examples
    --------
    >>> round(log_survival_kappa([2.0, 1.0, 4.0, 0.5]), 3)
    0.509
    """
    return kappa_joint.fit_log_survival(np.sort(floats("depths", depths)), depth_min=depth_min)


def book_kappa(
    distances: ArrayLike, sizes: ArrayLike, *, distance_max: float | None = None
) -> float:
    """Decay of resting size with the distance from the mid. It describes size, not fills.

    Parameters
    ----------
    distances : array_like, shape (n,), n >= 1
        Distances of the levels from the mid, 0 to `distance_max`.
    sizes : array_like, shape (n,)
        Their sizes, >= 0, not all 0.
    distance_max : float, optional
        End of what is seen of the book; the largest distance if left out.

    Returns
    -------
    float
        Decay in 1/unit of distance; 0 where the mean lies in the upper half of the window.

    Raises
    ------
    ValueError
        Naming the argument, the index and the rule that is broken.

    Examples
    --------
    >>> round(book_kappa([1.0, 2.0, 3.0, 4.0], [8.0, 4.0, 2.0, 1.0]), 3)
    0.202
    """
    places = floats("distances", distances, least=1)
    end = float(places.max()) if distance_max is None else distance_max
    return kappa_joint.fit_book(places, floats("sizes", sizes, rule="any"), distance_max=end)


def ewma_kappa(
    secs: ArrayLike,
    depths: ArrayLike,
    *,
    decay_secs: float,
    start_secs: float = 0.0,
    depth_min: float = 0.0,
    depth_max: float = inf,
    prior_shape: float = 0.0,
    prior_rate: float = 0.0,
    out: tuple[Floats, Floats] | None = None,
) -> tuple[Floats, Floats]:
    """Decay and level of the fill intensity after each event, with exponential forgetting.

    Parameters
    ----------
    secs : array_like, shape (n,)
        Times of the events in seconds, finite, not decreasing.
    depths : array_like, shape (n,)
        Their depths in bps, finite, >= `depth_min`; those at or beyond `depth_max` are censored.
    decay_secs : float
        Time after which an event counts 1/e, in seconds, > 0.
    start_secs : float
        When watching began, at most the first time.
    depth_min, depth_max : float
        The window in bps.
    prior_shape, prior_rate : float
        Gamma prior of the decay, >= 0; it is not forgotten.
    out : tuple of two arrays of float64, shape (n,), optional
        Receive the results.

    Returns
    -------
    tuple of two arrays of float64, shape (n,)
        Decay in 1/bps and events per second at the mid; NaN where not defined.

    Raises
    ------
    ValueError
        Naming the argument, the index and the rule that is broken.

    Examples
    --------
    >>> kappa, level = ewma_kappa(
    ...     [2.0, 4.0], [1.0, 3.0], decay_secs=60.0, prior_shape=4.0, prior_rate=8.0
    ... )
    >>> kappa.round(3), level.round(3)
    (array([0.556, 0.499]), array([0.508, 0.508]))
    """
    times, values = floats("secs", secs, rule="any"), floats("depths", depths, rule="any")
    first, second = out if out is not None else (None, None)
    kappa, level = output("out[0]", first, values.size), output("out[1]", second, values.size)
    KappaStream(decay_secs=decay_secs, prior_shape=prior_shape, prior_rate=prior_rate).run(
        times,
        values,
        kappa,
        level,
        start_secs=start_secs,
        least_bps=depth_min,
        most_bps=depth_max,
    )
    return kappa, level
