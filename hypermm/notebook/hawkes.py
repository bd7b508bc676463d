"""Self-exciting arrivals of one stream: likelihood, fit and goodness of fit.

The intensity is mu + alpha times a sum of exp(-beta (t - t_i)) over earlier events; mu is called
`baseline`, alpha `jump`, beta `decay`, and alpha/beta, the children of an event, `branching`. Times
are seconds from the start of a window that ends at `horizon_secs`. Events of one instant do not
excite each other; fills of one order are one event (`distinct_times`).
"""

from math import log, sqrt
from typing import TypedDict

import numpy as np
from attrs import frozen
from numpy.typing import ArrayLike, NDArray

from hypermm._core import hawkes as _hawkes
from hypermm._core import hawkes_fit as _fit
from hypermm._core.cascade import CascadeTable
from hypermm._core.hawkes_stream import HawkesStream
from hypermm.notebook._arrays import Estimate, Floats, floats, number, output
from hypermm.notebook._hawkes import is_fresh, marks_or_none

__all__ = [
    "CascadeTable",
    "HawkesFit",
    "HawkesStream",
    "KsTest",
    "distinct_times",
    "fit_hawkes",
    "hawkes_gradient",
    "hawkes_intensity",
    "hawkes_ks",
    "hawkes_log_likelihood",
    "hawkes_marks",
    "hawkes_residuals",
    "hawkes_stationary",
]


class _Parameters(TypedDict):
    baseline_per_sec: float
    jump_per_sec: float
    decay_per_sec: float


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

    def stream(self) -> HawkesStream:
        """Return a live intensity with these parameters."""
        return HawkesStream(**self._parameters())

    def cascade_table(self) -> CascadeTable:
        """Return the severity of each intensity under this fit."""
        return CascadeTable(**self._parameters())

    def _parameters(self) -> _Parameters:
        return {
            "baseline_per_sec": self.baseline.value,
            "jump_per_sec": self.jump.value,
            "decay_per_sec": self.decay.value,
        }


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
        marks=marks_or_none(marks),
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
        marks=marks_or_none(marks),
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
        marks=marks_or_none(marks),
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
        marks=marks_or_none(marks),
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
    given, weights = floats("times", times, rule="any"), marks_or_none(marks)
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
    n = given.size
    return HawkesFit(
        baseline=Estimate(fit["mu"], fit["mu_se"], n, "1/s"),
        jump=Estimate(fit["alpha"], fit["alpha_se"], n, "1/s"),
        decay=Estimate(fit["beta"], fit["beta_se"], n, "1/s"),
        branching=Estimate(fit["branching"], fit["branching_se"], n, "1"),
        log_likelihood=fit["loglik"],
        poisson_log_likelihood=n * log(n / horizon_secs) - n,
        ks=hawkes_ks(residuals[is_fresh(given)]),
        is_converged=fit["is_converged"],
    )
