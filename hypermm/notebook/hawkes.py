"""Self-exciting arrivals: likelihood, fits, goodness of fit, and the severity of a cascade.

The intensity is mu + alpha times a sum of exp(-beta (t - t_i)) over earlier events; mu is called
`baseline`, alpha `jump`, beta `decay`, and alpha/beta, the children of an event, `branching`. Times
are seconds from the start of a window that ends at `horizon_secs`. Events of one instant do not
excite each other; fills of one order are one event (`distinct_times`).
"""

from math import log, sqrt
from typing import Any

import numpy as np
from attrs import frozen
from numpy.typing import ArrayLike, NDArray

from hypermm._core import cascade as _cascade
from hypermm._core import hawkes as _hawkes
from hypermm._core import hawkes_fit as _fit
from hypermm._core import hawkes_terms as _terms
from hypermm._core import hawkes_terms_fit as _terms_fit
from hypermm._core.cascade import CascadeTable, directional_severity, level_correction
from hypermm._core.hawkes_stream import HawkesPairStream, HawkesStream
from hypermm.notebook._arrays import Estimate, Floats, floats, number, output

__all__ = [
    "CascadeTable",
    "HawkesFit",
    "HawkesPairFit",
    "HawkesPairStream",
    "HawkesStream",
    "HawkesSumFit",
    "KsTest",
    "cascade_severity",
    "directional_severity",
    "distinct_times",
    "fit_hawkes",
    "fit_hawkes_pair",
    "fit_hawkes_sum",
    "hawkes_gradient",
    "hawkes_intensity",
    "hawkes_ks",
    "hawkes_log_likelihood",
    "hawkes_marks",
    "hawkes_pair_log_likelihood",
    "hawkes_pair_stationary",
    "hawkes_residuals",
    "hawkes_stationary",
    "hawkes_sum_log_likelihood",
    "level_correction",
    "worst_severity",
]

Kinds = NDArray[np.int8]


@frozen
class KsTest:
    """Kolmogorov-Smirnov test of time-changed gaps against the exponential law.

    Parameters
    ----------
    distance : float
        Largest distance of the distribution functions, in (0, 1].
    n : int
        Gaps compared.
    """

    distance: float
    n: int

    @property
    def critical(self) -> float:
        """The 5 % bound with fitted parameters, about 1.06/sqrt(n); 1.36/sqrt(n) for given ones."""
        return 1.06 / sqrt(self.n)

    @property
    def is_rejected(self) -> bool:
        """Whether the distance is beyond `critical`."""
        return self.distance > self.critical


@frozen(kw_only=True)
class HawkesFit:
    """One self-exciting stream.

    Parameters
    ----------
    baseline, jump, decay : Estimate
        mu, alpha and beta in 1/s.
    branching : Estimate
        alpha/beta, dimensionless, < 1.
    log_likelihood, poisson_log_likelihood : float
        In nats, of this model and of a constant rate.
    ks : KsTest
        Of the residuals. Exponential kernels often fail on tick data: look at it.
    is_converged : bool
        Whether the search ended at a maximum.
    """

    baseline: Estimate
    jump: Estimate
    decay: Estimate
    branching: Estimate
    log_likelihood: float
    poisson_log_likelihood: float
    ks: KsTest
    is_converged: bool

    @property
    def half_life_secs(self) -> float:
        """Seconds in which an event's excitation halves."""
        return log(2.0) / self.decay.value

    @property
    def is_usable(self) -> bool:
        """Whether to take it over: converged, branching below 0.98, decay known within a half."""
        error = self.decay.standard_error
        return (
            self.is_converged
            and self.branching.value < 0.98
            and error <= 0.5 * self.decay.value  # NaN is not
        )


@frozen(kw_only=True)
class HawkesSumFit:
    """One stream whose excitation is a sum of exponentials with given decays.

    Parameters
    ----------
    baseline : Estimate
        mu in 1/s.
    jumps : tuple of Estimate
        alpha_k in 1/s; 0 with an error of NaN where the data do not want the term.
    decays_per_sec : tuple of float
        The given beta_k.
    branching : Estimate
        Sum of alpha_k/beta_k. At 1 or more the fit is not stationary: do not use it.
    log_likelihood : float
        In nats.
    is_converged : bool
        Whether the search ended at the maximum; there is only one.
    """

    baseline: Estimate
    jumps: tuple[Estimate, ...]
    decays_per_sec: tuple[float, ...]
    branching: Estimate
    log_likelihood: float
    is_converged: bool


@frozen(kw_only=True)
class HawkesPairFit:
    """Two streams that excite themselves and each other.

    Parameters
    ----------
    baselines : tuple of Estimate
        mu of the first and the second stream, in 1/s.
    jumps, decays, branching : tuple of tuple of Estimate
        Element [m][n]: how an event of stream n raises stream m. 1/s, 1/s, dimensionless.
    spectral_radius : float
        Of the branching ratios; at 1 or more the fit is not stationary: do not use it.
    log_likelihood : float
        In nats.
    is_converged : bool
        Whether the search ended at a maximum.
    """

    baselines: tuple[Estimate, ...]
    jumps: tuple[tuple[Estimate, ...], ...]
    decays: tuple[tuple[Estimate, ...], ...]
    branching: tuple[tuple[Estimate, ...], ...]
    spectral_radius: float
    log_likelihood: float
    is_converged: bool


def _marks(marks: ArrayLike | None) -> Floats | None:
    return None if marks is None else floats("marks", marks, rule="any")


def distinct_times(times: ArrayLike) -> tuple[Floats, NDArray[np.int64]]:
    """Merge the events of each instant into one.

    Parameters
    ----------
    times : array_like, shape (n,)
        Event times in seconds, not decreasing.

    Returns
    -------
    tuple of array
        The distinct times, and how many events each stands for.

    Raises
    ------
    ValueError
        If a time is not finite or is before the one before it.

    Examples
    --------
    >>> distinct_times([1.0, 1.0, 2.5])
    (array([1. , 2.5]), array([2, 1]))
    """
    values, counts = np.unique(floats("times", times, rule="increasing"), return_counts=True)
    return values, counts.astype(np.int64)


def hawkes_marks(sizes: ArrayLike, *, exponent: float = 0.5) -> Floats:
    """Turn sizes into marks of mean 1.

    Parameters
    ----------
    sizes : array_like, shape (n,)
        Sizes in any unit, > 0.
    exponent : float
        c of v^c, >= 0; 0 makes all marks 1.

    Returns
    -------
    array of float64, shape (n,)
        v^c over its mean.

    Raises
    ------
    ValueError
        If a size is not > 0 and finite, or the exponent is negative or not finite.

    Examples
    --------
    >>> hawkes_marks([1.0, 4.0, 9.0]).tolist()
    [0.5, 1.0, 1.5]
    """
    given = floats("sizes", sizes, rule="positive")
    powers = (given / given.max() if given.size else given) ** number("exponent", exponent, low=0.0)
    return np.asarray(powers / powers.mean() if given.size else powers, dtype=np.float64)


def hawkes_log_likelihood(
    times: ArrayLike,
    horizon_secs: float,
    *,
    baseline_per_sec: float,
    jump_per_sec: float,
    decay_per_sec: float,
    marks: ArrayLike | None = None,
) -> float:
    """Return the log-likelihood of event times on [0, `horizon_secs`].

    Parameters
    ----------
    times : array_like, shape (n,)
        Event times in seconds from the window's start, not decreasing. May be empty.
    horizon_secs : float
        End of the window, > 0, not before the last event.
    baseline_per_sec, jump_per_sec, decay_per_sec : float
        mu > 0, alpha >= 0, beta > 0 in 1/s.
    marks : array_like, shape (n,), optional
        Weights of the jumps, >= 0.

    Returns
    -------
    float
        In nats.

    Raises
    ------
    ValueError
        If times are not in order or outside the window, or a value is outside its domain.

    Notes
    -----
    sum ln lambda(t_i) - mu T - (alpha/beta) sum m_i (1 - exp(-beta (T - t_i))). Source: Ozaki
    (1979), "Maximum likelihood estimation of Hawkes' self-exciting point processes".

    Examples
    --------
    >>> value = hawkes_log_likelihood([1.0, 1.5, 4.0], 5.0, baseline_per_sec=0.5,
    ...     jump_per_sec=0.6, decay_per_sec=1.2)
    >>> round(value, 4)
    -5.3228
    """
    return _hawkes.log_likelihood(
        floats("times", times, rule="any"),
        horizon_secs=horizon_secs,
        baseline_per_sec=baseline_per_sec,
        jump_per_sec=jump_per_sec,
        decay_per_sec=decay_per_sec,
        marks=_marks(marks),
    )


def hawkes_gradient(
    times: ArrayLike,
    horizon_secs: float,
    *,
    baseline_per_sec: float,
    jump_per_sec: float,
    decay_per_sec: float,
    marks: ArrayLike | None = None,
    out: Floats | None = None,
) -> Floats:
    """Return the derivatives of the log-likelihood with respect to mu, alpha and beta.

    Parameters
    ----------
    times, horizon_secs, baseline_per_sec, jump_per_sec, decay_per_sec, marks
        As of `hawkes_log_likelihood`.
    out : array of float64, shape (3,), optional
        Receives the result.

    Returns
    -------
    array of float64, shape (3,)
        In nats times seconds.

    Raises
    ------
    ValueError
        As `hawkes_log_likelihood`, or if `out` does not fit.

    Examples
    --------
    >>> hawkes_gradient([1.0, 1.5, 4.0], 5.0, baseline_per_sec=0.5, jump_per_sec=0.6,
    ...     decay_per_sec=1.2).round(3).tolist()
    [0.036, -1.427, 0.496]
    """
    result = output("out", out, 3)
    _hawkes.log_likelihood(
        floats("times", times, rule="any"),
        horizon_secs=horizon_secs,
        baseline_per_sec=baseline_per_sec,
        jump_per_sec=jump_per_sec,
        decay_per_sec=decay_per_sec,
        marks=_marks(marks),
        gradient=result,
    )
    return result


def hawkes_intensity(
    times: ArrayLike,
    at: ArrayLike,
    *,
    baseline_per_sec: float,
    jump_per_sec: float,
    decay_per_sec: float,
    marks: ArrayLike | None = None,
    out: Floats | None = None,
) -> Floats:
    """Return the intensity just before each of the instants `at`.

    Parameters
    ----------
    times : array_like, shape (n,)
        Event times in seconds, >= 0, not decreasing.
    at : array_like, shape (m,)
        Instants in seconds, >= 0, not decreasing.
    baseline_per_sec, jump_per_sec, decay_per_sec, marks
        As of `hawkes_log_likelihood`.
    out : array of float64, shape (m,), optional
        Receives the result.

    Returns
    -------
    array of float64, shape (m,)
        mu + alpha times the decayed marks of the events strictly before, in 1/s.

    Raises
    ------
    ValueError
        As `hawkes_log_likelihood`, or if `out` does not fit.

    Examples
    --------
    >>> hawkes_intensity([1.0, 1.5], [1.0, 2.5], baseline_per_sec=0.5, jump_per_sec=1.0,
    ...     decay_per_sec=2.0).round(4).tolist()
    [0.5, 0.6851]
    """
    instants = floats("at", at, rule="any")
    result = output("out", out, instants.size)
    _hawkes.intensities(
        floats("times", times, rule="any"),
        instants,
        result,
        baseline_per_sec=baseline_per_sec,
        jump_per_sec=jump_per_sec,
        decay_per_sec=decay_per_sec,
        marks=_marks(marks),
    )
    return result


def hawkes_residuals(
    times: ArrayLike,
    *,
    baseline_per_sec: float,
    jump_per_sec: float,
    decay_per_sec: float,
    marks: ArrayLike | None = None,
    out: Floats | None = None,
) -> Floats:
    """Return the integral of the intensity between consecutive events.

    Parameters
    ----------
    times, baseline_per_sec, jump_per_sec, decay_per_sec, marks
        As of `hawkes_log_likelihood`.
    out : array of float64, shape (n,), optional
        Receives the result.

    Returns
    -------
    array of float64, shape (n,)
        Independent exponential variables of mean 1 under the model (time change).

    Raises
    ------
    ValueError
        As `hawkes_log_likelihood`, or if `out` does not fit.

    Examples
    --------
    >>> hawkes_residuals([1.0, 1.5], baseline_per_sec=0.5, jump_per_sec=1.0,
    ...     decay_per_sec=2.0).round(4).tolist()
    [0.5, 0.5661]
    """
    given = floats("times", times, rule="any")
    result = output("out", out, given.size)
    _hawkes.residuals(
        given,
        result,
        baseline_per_sec=baseline_per_sec,
        jump_per_sec=jump_per_sec,
        decay_per_sec=decay_per_sec,
        marks=_marks(marks),
    )
    return result


def hawkes_ks(residuals: ArrayLike) -> KsTest:
    """Test residuals against the exponential law of mean 1.

    Parameters
    ----------
    residuals : array_like, shape (n,), n >= 1
        From `hawkes_residuals` of distinct times, >= 0.

    Returns
    -------
    KsTest
        Distance and 5 % bound.

    Raises
    ------
    ValueError
        If there is none, or one is negative or not finite.

    Examples
    --------
    >>> test = hawkes_ks([0.2, 0.5, 1.6])
    >>> round(test.distance, 3), test.is_rejected
    (0.273, False)
    """
    given = floats("residuals", residuals, least=1, rule="non-negative")
    return KsTest(_hawkes.ks_distance(np.sort(given), np.empty_like(given)), given.size)


def hawkes_stationary(
    *, baseline_per_sec: float, jump_per_sec: float, decay_per_sec: float
) -> tuple[float, float]:
    """Return the stationary mean (1/s) and variance (1/s^2) of the intensity.

    Raises
    ------
    ValueError
        If a parameter is outside its domain or alpha >= beta: no stationary law exists.

    Notes
    -----
    mu/(1 - n) and alpha^2 mu beta/(2 (beta - alpha)^2), n = alpha/beta.

    Examples
    --------
    >>> hawkes_stationary(baseline_per_sec=2.0, jump_per_sec=1.0, decay_per_sec=5.0)
    (2.5, 0.3125)
    """
    return _hawkes.stationary(
        baseline_per_sec=baseline_per_sec, jump_per_sec=jump_per_sec, decay_per_sec=decay_per_sec
    )


def fit_hawkes(
    times: ArrayLike, horizon_secs: float, *, marks: ArrayLike | None = None
) -> HawkesFit:
    """Fit one self-exciting stream by maximum likelihood.

    Parameters
    ----------
    times : array_like, shape (n,), n >= 5
        Event times in seconds from the window's start, not decreasing. Under about 500 events the
        decay is hardly known.
    horizon_secs : float
        End of the window, > 0, not before the last event.
    marks : array_like, shape (n,), optional
        Weights of the jumps, >= 0, of mean 1 (`hawkes_marks`).

    Returns
    -------
    HawkesFit
        Estimates with standard errors from the observed information.

    Raises
    ------
    ValueError
        If times are not in order or outside the window, a mark is outside its domain, or there
        are fewer than five events or all of them at one instant.

    Notes
    -----
    Newton's method in (ln mu, logit n, ln beta) from several decays; EM where it does not
    converge. Sources: Ozaki (1979); Veen and Schoenberg (2008).

    Examples
    --------
    >>> fit = fit_hawkes([1.0, 1.1, 1.3, 4.0, 6.5, 6.6, 6.7, 7.2, 9.0, 9.1], 10.0)
    >>> round(fit.baseline.value, 3), round(fit.branching.value, 3), fit.is_usable
    (0.657, 0.343, False)
    """
    given, weights = floats("times", times, rule="any"), _marks(marks)
    fit = _fit.fit(given, horizon_secs=horizon_secs, marks=weights)
    residuals = np.empty_like(given)
    _hawkes.residuals(
        given,
        residuals,
        baseline_per_sec=fit["mu"],
        jump_per_sec=fit["alpha"],
        decay_per_sec=fit["beta"],
        marks=weights,
    )
    # The later events of one instant have residuals of 0, which say nothing about the gaps.
    fresh = residuals[np.diff(given, prepend=-1.0) > 0.0]
    n = given.size
    return HawkesFit(
        baseline=Estimate(fit["mu"], fit["mu_se"], n, "1/s"),
        jump=Estimate(fit["alpha"], fit["alpha_se"], n, "1/s"),
        decay=Estimate(fit["beta"], fit["beta_se"], n, "1/s"),
        branching=Estimate(fit["branching"], fit["branching_se"], n, "1"),
        log_likelihood=fit["loglik"],
        poisson_log_likelihood=n * log(n / horizon_secs) - n,
        ks=hawkes_ks(fresh),
        is_converged=fit["is_converged"],
    )


def hawkes_sum_log_likelihood(
    times: ArrayLike,
    horizon_secs: float,
    *,
    baseline_per_sec: float,
    jumps_per_sec: ArrayLike,
    decays_per_sec: ArrayLike,
    marks: ArrayLike | None = None,
) -> float:
    """Return the log-likelihood under a sum of up to eight exponentials.

    Parameters
    ----------
    times, horizon_secs, baseline_per_sec, marks
        As of `hawkes_log_likelihood`.
    jumps_per_sec, decays_per_sec : array_like, shape (k,)
        alpha_k >= 0 and beta_k > 0 in 1/s.

    Returns
    -------
    float
        In nats. Concave in mu and alpha_k.

    Raises
    ------
    ValueError
        As `hawkes_log_likelihood`.

    Examples
    --------
    >>> value = hawkes_sum_log_likelihood([1.0, 1.5, 4.0], 5.0, baseline_per_sec=0.5,
    ...     jumps_per_sec=[0.3, 0.3], decays_per_sec=[1.2, 1.2])
    >>> round(value, 4)
    -5.3228
    """
    return _terms.sum_log_likelihood(
        floats("times", times, rule="any"),
        horizon_secs=horizon_secs,
        baseline_per_sec=baseline_per_sec,
        jumps_per_sec=floats("jumps_per_sec", jumps_per_sec),
        decays_per_sec=floats("decays_per_sec", decays_per_sec),
        marks=_marks(marks),
    )


def fit_hawkes_sum(
    times: ArrayLike,
    horizon_secs: float,
    *,
    decays_per_sec: ArrayLike = (0.05, 0.5, 5.0),
    marks: ArrayLike | None = None,
) -> HawkesSumFit:
    """Fit baseline and jumps of a sum of exponentials with given decays: the safest live fit.

    Parameters
    ----------
    times, horizon_secs, marks
        As of `fit_hawkes`.
    decays_per_sec : array_like, shape (k,), 1 <= k <= 8
        beta_k in 1/s, > 0, each once.

    Returns
    -------
    HawkesSumFit
        The only maximum: the likelihood is concave.

    Raises
    ------
    ValueError
        As `fit_hawkes`.

    Examples
    --------
    >>> fit = fit_hawkes_sum([1.0, 1.1, 1.3, 4.0, 6.5, 6.6, 6.7, 7.2, 9.0, 9.1], 10.0,
    ...     decays_per_sec=[5.0])
    >>> round(fit.baseline.value, 3), round(fit.branching.value, 3)
    (0.649, 0.352)
    """
    given, decays = floats("times", times, rule="any"), floats("decays_per_sec", decays_per_sec)
    fit = _terms_fit.fit_sum(
        given, horizon_secs=horizon_secs, decays_per_sec=decays, marks=_marks(marks)
    )
    n = given.size
    return HawkesSumFit(
        baseline=Estimate(fit["mu"], fit["mu_se"], n, "1/s"),
        jumps=_estimates(fit["alpha"], fit["alpha_se"], n, "1/s"),
        decays_per_sec=tuple(decays.tolist()),
        branching=Estimate(fit["branching"], fit["branching_se"], n, "1"),
        log_likelihood=fit["loglik"],
        is_converged=fit["is_converged"],
    )


def _estimates(values: list[float], errors: list[float], n: int, unit: str) -> tuple[Estimate, ...]:
    return tuple(Estimate(*both, n, unit) for both in zip(values, errors, strict=True))


def _merge(first: ArrayLike, second: ArrayLike) -> tuple[Floats, Kinds]:
    a = floats("first_times", first, rule="increasing")
    b = floats("second_times", second, rule="increasing")
    times = np.concatenate([a, b])
    kinds = np.repeat(np.array([0, 1], np.int8), [a.size, b.size])
    order = np.argsort(times, kind="stable")
    return times[order], kinds[order]


def _square(name: str, values: ArrayLike) -> Floats:
    array: NDArray[Any] = np.asarray(values, dtype=np.float64)
    if array.ndim == 0:
        return np.full(4, float(array))
    if array.shape != (2, 2):
        raise ValueError(f"{name} must be a number or have shape (2, 2): {array.shape}")
    return floats(name, array.reshape(4))


def hawkes_pair_log_likelihood(
    first_times: ArrayLike,
    second_times: ArrayLike,
    horizon_secs: float,
    *,
    baselines_per_sec: ArrayLike,
    jumps_per_sec: ArrayLike,
    decays_per_sec: ArrayLike,
) -> float:
    """Return the log-likelihood of two streams that excite themselves and each other.

    Parameters
    ----------
    first_times, second_times : array_like
        Event times of each stream (buys, sells) in seconds, not decreasing.
    horizon_secs : float
        End of the window, > 0, not before the last event.
    baselines_per_sec : array_like, shape (2,)
        mu in 1/s, > 0.
    jumps_per_sec, decays_per_sec : array_like, shape (2, 2), or a number for all
        alpha_mn >= 0 and beta_mn > 0 in 1/s: how an event of stream n raises stream m.

    Returns
    -------
    float
        In nats.

    Raises
    ------
    ValueError
        As `hawkes_log_likelihood`.

    Examples
    --------
    >>> value = hawkes_pair_log_likelihood([1.0, 1.5], [1.7], 3.0, baselines_per_sec=[0.5, 0.4],
    ...     jumps_per_sec=[[0.3, 0.1], [0.2, 0.3]], decays_per_sec=1.0)
    >>> round(value, 4)
    -5.2986
    """
    times, kinds = _merge(first_times, second_times)
    return _terms.pair_log_likelihood(
        times,
        kinds,
        horizon_secs=horizon_secs,
        baselines_per_sec=floats("baselines_per_sec", baselines_per_sec),
        jumps_per_sec=_square("jumps_per_sec", jumps_per_sec),
        decays_per_sec=_square("decays_per_sec", decays_per_sec),
    )


def hawkes_pair_stationary(
    *, baselines_per_sec: ArrayLike, jumps_per_sec: ArrayLike, decays_per_sec: ArrayLike
) -> tuple[Floats, float]:
    """Return the stationary mean intensities of a pair and the spectral radius.

    Parameters
    ----------
    baselines_per_sec, jumps_per_sec, decays_per_sec
        As of `hawkes_pair_log_likelihood`.

    Returns
    -------
    tuple
        (I - N)^-1 mu in 1/s, infinite where not stationary, and the spectral radius of
        N = alpha/beta.

    Raises
    ------
    ValueError
        If a parameter is outside its domain or has another shape.

    Examples
    --------
    >>> means, radius = hawkes_pair_stationary(baselines_per_sec=[0.5, 0.5],
    ...     jumps_per_sec=[[0.4, 0.1], [0.1, 0.4]], decays_per_sec=1.0)
    >>> means.round(6).tolist(), round(radius, 6)
    ([1.0, 1.0], 0.5)
    """
    means = np.empty(2)
    radius = _terms.pair_stationary(
        means,
        baselines_per_sec=floats("baselines_per_sec", baselines_per_sec),
        jumps_per_sec=_square("jumps_per_sec", jumps_per_sec),
        decays_per_sec=_square("decays_per_sec", decays_per_sec),
    )
    return means, radius


def fit_hawkes_pair(
    first_times: ArrayLike,
    second_times: ArrayLike,
    horizon_secs: float,
    *,
    has_one_decay: bool | None = None,
) -> HawkesPairFit:
    """Fit two streams that excite themselves and each other by maximum likelihood.

    Parameters
    ----------
    first_times, second_times : array_like, at least five each
        Event times of each stream (buys, sells) in seconds, not decreasing.
    horizon_secs : float
        End of the window, > 0, not before the last event.
    has_one_decay : bool, optional
        One decay for the four pairs, or four; left out, four from 2,000 events on.

    Returns
    -------
    HawkesPairFit
        Estimates with standard errors; NaN where a pair shows no excitation.

    Raises
    ------
    ValueError
        If times are not in order or outside the window, or there are fewer than five of a kind.

    Examples
    --------
    >>> import numpy as np
    >>> random = np.random.default_rng(1)
    >>> buys, sells = (np.sort(random.uniform(0.0, 500.0, 300)) for _ in range(2))
    >>> fit = fit_hawkes_pair(buys, sells, 500.0)
    >>> fit.spectral_radius < 0.5
    True
    """
    times, kinds = _merge(first_times, second_times)
    n = times.size
    one = n < 2000 if has_one_decay is None else bool(has_one_decay)
    fit = _terms_fit.fit_pair(times, kinds, horizon_secs=horizon_secs, has_one_decay=one)

    def square(values: list[float], errors: list[float], unit: str) -> Any:
        flat = _estimates(values, errors, n, unit)
        return flat[:2], flat[2:]

    _, radius = hawkes_pair_stationary(
        baselines_per_sec=fit["mu"],
        jumps_per_sec=np.reshape(fit["alpha"], (2, 2)),
        decays_per_sec=np.reshape(fit["beta"], (2, 2)),
    )
    return HawkesPairFit(
        baselines=_estimates(fit["mu"], fit["mu_se"], n, "1/s"),
        jumps=square(fit["alpha"], fit["alpha_se"], "1/s"),
        decays=square(fit["beta"], fit["beta_se"], "1/s"),
        branching=square(fit["branching"], fit["branching_se"], "1"),
        spectral_radius=radius,
        log_likelihood=fit["loglik"],
        is_converged=fit["is_converged"],
    )


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
