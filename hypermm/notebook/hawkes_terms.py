"""Self-exciting arrivals of several terms: sums of exponentials, and pairs of streams.

The words are those of `hypermm.notebook.hawkes`: mu is `baseline`, alpha `jump`, beta `decay`, and
alpha/beta `branching`.
"""

from typing import Any

import numpy as np
from attrs import frozen
from numpy.typing import ArrayLike, NDArray

from hypermm._core import hawkes_terms as _terms
from hypermm._core import hawkes_terms_fit as _terms_fit
from hypermm._core.hawkes_stream import HawkesPairStream, HawkesSumStream
from hypermm.notebook._arrays import Estimate, Floats, floats
from hypermm.notebook._hawkes import is_fresh, marks_or_none
from hypermm.notebook.hawkes import KsTest, hawkes_ks

__all__ = [
    "HawkesPairFit",
    "HawkesPairStream",
    "HawkesSumFit",
    "HawkesSumStream",
    "fit_hawkes_pair",
    "fit_hawkes_sum",
    "hawkes_pair_log_likelihood",
    "hawkes_pair_stationary",
    "hawkes_sum_log_likelihood",
]

Kinds = NDArray[np.int8]


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
    ks : KsTest
        Of the residuals.
    is_converged : bool
        Whether the search ended at the maximum; there is only one.
    """

    baseline: Estimate
    jumps: tuple[Estimate, ...]
    decays_per_sec: tuple[float, ...]
    branching: Estimate
    log_likelihood: float
    ks: KsTest
    is_converged: bool

    def stream(self) -> HawkesSumStream:
        """Return a live intensity with these parameters."""
        return HawkesSumStream(
            baseline_per_sec=self.baseline.value,
            jumps_per_sec=np.array([jump.value for jump in self.jumps]),
            decays_per_sec=np.array(self.decays_per_sec),
        )


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
    ks : KsTest
        Of the residuals of both streams.
    is_converged : bool
        Whether the search ended at a maximum.
    """

    baselines: tuple[Estimate, ...]
    jumps: tuple[tuple[Estimate, ...], ...]
    decays: tuple[tuple[Estimate, ...], ...]
    branching: tuple[tuple[Estimate, ...], ...]
    spectral_radius: float
    log_likelihood: float
    ks: KsTest
    is_converged: bool

    def stream(self) -> HawkesPairStream:
        """Return live intensities with these parameters; kinds 0 and 1 are the two streams."""
        return HawkesPairStream(
            baselines_per_sec=np.array([one.value for one in self.baselines]),
            jumps_per_sec=np.array([one.value for row in self.jumps for one in row]),
            decays_per_sec=np.array([one.value for row in self.decays for one in row]),
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
        marks=marks_or_none(marks),
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
    weights = marks_or_none(marks)
    fit = _terms_fit.fit_sum(given, horizon_secs=horizon_secs, decays_per_sec=decays, marks=weights)
    residuals = np.empty_like(given)
    _terms.sum_residuals(
        given,
        residuals,
        baseline_per_sec=fit["mu"],
        jumps_per_sec=np.array(fit["alpha"]),
        decays_per_sec=decays,
        marks=weights,
    )
    n = given.size
    return HawkesSumFit(
        baseline=Estimate(fit["mu"], fit["mu_se"], n, "1/s"),
        jumps=_estimates(fit["alpha"], fit["alpha_se"], n, "1/s"),
        decays_per_sec=tuple(decays.tolist()),
        branching=Estimate(fit["branching"], fit["branching_se"], n, "1"),
        log_likelihood=fit["loglik"],
        ks=hawkes_ks(residuals[is_fresh(given)]),
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

    parameters = [np.array(fit["mu"]), np.array(fit["alpha"]), np.array(fit["beta"])]
    names = ("baselines_per_sec", "jumps_per_sec", "decays_per_sec")
    named = dict(zip(names, parameters, strict=True))
    residuals = np.empty_like(times)
    _terms.pair_residuals(times, kinds, residuals, **named)
    radius = _terms.pair_stationary(np.empty(2), **named)
    return HawkesPairFit(
        baselines=_estimates(fit["mu"], fit["mu_se"], n, "1/s"),
        jumps=square(fit["alpha"], fit["alpha_se"], "1/s"),
        decays=square(fit["beta"], fit["beta_se"], "1/s"),
        branching=square(fit["branching"], fit["branching_se"], "1"),
        spectral_radius=radius,
        log_likelihood=fit["loglik"],
        ks=hawkes_ks(residuals[residuals > 0.0]),
        is_converged=fit["is_converged"],
    )
