"""Fair price: imbalance, the microprice, and what imbalance says about the next move of the mid."""

from typing import Any

import numpy as np
from attrs import field, frozen
from numpy.typing import ArrayLike, NDArray

from hypermm._core import microprice as kernel
from hypermm._core.microprice import FlowImbalance
from hypermm._core.regression import FairPriceStream, fit_forgetting
from hypermm.notebook._arrays import Estimate, Floats, floats, number, output

__all__ = [
    "FairPricePath",
    "FairPriceStream",
    "FlowImbalance",
    "ForgettingFit",
    "book_imbalance",
    "flow_imbalance",
    "forgetting_regression",
    "imbalance_microprice",
    "predict_fair_price",
    "weighted_mid",
]


def book_imbalance(
    bid_sizes: ArrayLike, ask_sizes: ArrayLike, *, decay: float = 1.0, out: Floats | None = None
) -> Floats:
    """Imbalance of the displayed sizes of each book.

    Parameters
    ----------
    bid_sizes, ask_sizes : array_like, shape (n, levels) or (n,)
        Sizes, nearest level first, >= 0, in any one unit; one dimension: the best level only.
    decay : float
        Weight of a level relative to the one before it, in (0, 1].
    out : array of float64, shape (n,), optional
        Receives the result.

    Returns
    -------
    array of float64, shape (n,)
        (B - A)/(B + A) in [-1, 1], with the weighted sums B of bids and A of asks; 0 for an empty
        book.

    Raises
    ------
    ValueError
        If a size is negative or not finite, shapes differ, or `decay` is outside its domain.

    Examples
    --------
    >>> book_imbalance([[2.0, 4.0]], [[1.0, 1.0]], decay=0.5)
    array([0.45454545])
    """
    bids, asks = _matrix("bid_sizes", bid_sizes), _matrix("ask_sizes", ask_sizes)
    result = output("out", out, len(bids))
    kernel.book_imbalances(bids, asks, result, decay=number("decay", decay))
    return result


def flow_imbalance(buys: ArrayLike, sells: ArrayLike, out: Floats | None = None) -> Floats:
    """Imbalance of aggressive volume: (buys - sells)/(buys + sells), 0 without any.

    Parameters
    ----------
    buys, sells : array_like, shape (n,)
        Volumes, >= 0. `FlowImbalance` keeps such sums over a window that decays.
    out : array of float64, shape (n,), optional
        Receives the result.

    Returns
    -------
    array of float64, shape (n,)
        In [-1, 1].

    Raises
    ------
    ValueError
        If a volume is negative or not finite, or lengths differ.

    Examples
    --------
    >>> flow_imbalance([3.0, 0.0], [1.0, 0.0])
    array([0.5, 0. ])
    """
    bought, sold = floats("buys", buys), floats("sells", sells)
    result = output("out", out, len(bought))
    kernel.flow_imbalances(bought, sold, result)
    return result


def weighted_mid(
    bids: ArrayLike,
    asks: ArrayLike,
    bid_sizes: ArrayLike,
    ask_sizes: ArrayLike,
    out: Floats | None = None,
) -> Floats:
    """Mid weighted by the sizes opposite: (ask V_b + bid V_a)/(V_b + V_a).

    Parameters
    ----------
    bids, asks : array_like, shape (n,)
        Best prices, bid <= ask, in any one unit.
    bid_sizes, ask_sizes : array_like, shape (n,)
        Sizes displayed there, >= 0.
    out : array of float64, shape (n,), optional
        Receives the result.

    Returns
    -------
    array of float64, shape (n,)
        In the unit of `bids`; the mid where there is no size.

    Raises
    ------
    ValueError
        If a value is outside its domain or lengths differ.

    Examples
    --------
    >>> weighted_mid([100.0], [101.0], [3.0], [1.0])
    array([100.75])
    """
    bid, ask = floats("bids", bids), floats("asks", asks)
    result = output("out", out, len(bid))
    kernel.weighted_mids(
        bid, ask, floats("bid_sizes", bid_sizes), floats("ask_sizes", ask_sizes), result
    )
    return result


def imbalance_microprice(
    mids: ArrayLike,
    book_imbalance: ArrayLike,
    flow_imbalance: ArrayLike,
    *,
    beta_book: float,
    beta_flow: float,
    out: Floats | None = None,
) -> Floats:
    """Microprice of a linear rule: mid (1 + beta_book I_book + beta_flow I_flow).

    Parameters
    ----------
    mids : array_like, shape (n,)
        Mids, >= 0, in any one unit.
    book_imbalance, flow_imbalance : array_like, shape (n,)
        In [-1, 1].
    beta_book, beta_flow : float
        Relative move per unit of imbalance, as `predict_fair_price` learns them.
    out : array of float64, shape (n,), optional
        Receives the result.

    Returns
    -------
    array of float64, shape (n,)
        In the unit of `mids`.

    Raises
    ------
    ValueError
        If a value is outside its domain or lengths differ.

    Examples
    --------
    >>> imbalance_microprice([100.0], [0.5], [0.0], beta_book=1e-4, beta_flow=2e-5)
    array([100.005])
    """
    mid = floats("mids", mids)
    result = output("out", out, len(mid))
    kernel.microprices(
        mid,
        floats("book_imbalance", book_imbalance),
        floats("flow_imbalance", flow_imbalance),
        result,
        beta_book=number("beta_book", beta_book),
        beta_flow=number("beta_flow", beta_flow),
    )
    return result


@frozen(eq=False)
class ForgettingFit:
    """Coefficients of a regression that forgets, after each pair.

    Parameters
    ----------
    betas : array of float64, shape (n, 2)
        Coefficients after each pair, in the unit of the target.
    covariance : array of float64, shape (2, 2)
        Covariance of the last coefficients over the variance of the errors.
    """

    betas: Floats = field(repr=False)
    covariance: Floats


def forgetting_regression(
    features: ArrayLike, targets: ArrayLike, *, forgetting: float, prior_variance: float = 1e3
) -> ForgettingFit:
    """Regress on two features without intercept, forgetting exponentially.

    Parameters
    ----------
    features : array_like, shape (n, 2)
        Such as the imbalance of the book and of the flow.
    targets : array_like, shape (n,)
        Such as relative returns over the horizon.
    forgetting : float
        Factor by which each pair discounts the ones before it, in [1e-9, 1].
    prior_variance : float
        P0, > 0.

    Returns
    -------
    ForgettingFit
        The minimiser of sum f^(n-i) (y_i - x_i'b)^2 + f^n |b|^2 / P0 after each pair.

    Raises
    ------
    ValueError
        If a value is outside its domain or shapes do not fit.

    Notes
    -----
    Recursive least squares with the covariance kept as U D U', whose trace never exceeds its
    start. The caller sees to it that a target is known when its pair is handed in;
    `predict_fair_price` does.

    Examples
    --------
    >>> fit = forgetting_regression([[1.0, 0.0], [0.0, 1.0]], [2.0, -1.0], forgetting=1.0)
    >>> fit.betas[-1].round(2)
    array([ 2., -1.])
    """
    x, y = _matrix("features", features), floats("targets", targets)
    betas = np.empty((len(x), 2))
    p00, p01, p11 = fit_forgetting(
        x,
        y,
        betas,
        forgetting=number("forgetting", forgetting),
        prior_variance=number("prior_variance", prior_variance),
    )
    return ForgettingFit(betas, np.array([[p00, p01], [p01, p11]]))


@frozen(eq=False)
class FairPricePath:
    """What was predicted at each row, and what had been learned at the end.

    Parameters
    ----------
    predictions : array of float64, shape (n,)
        Relative move of the mid over the horizon, predicted at each row from what that row and the
        ones before it had taught.
    fair_prices : array of float64, shape (n,)
        Mid times one plus the prediction.
    beta_book, beta_flow : Estimate
        Relative move per unit of imbalance, with errors that take labels as independent.
    r2_out_of_sample : float
        1 - squares of errors over squares of moves, of predictions made before the label; where
        it is not above 0 the predictions are 0.
    pairs : int
        Labels learned.
    """

    predictions: Floats = field(repr=False)
    fair_prices: Floats = field(repr=False)
    beta_book: Estimate
    beta_flow: Estimate
    r2_out_of_sample: float
    pairs: int


def predict_fair_price(
    stamps_ns: ArrayLike,
    mids: ArrayLike,
    book_imbalance: ArrayLike,
    flow_imbalance: ArrayLike,
    *,
    horizon_secs: float,
    decay_secs: float = 2700.0,
    sample_secs: float = 0.0,
    prior_variance: float = 1e3,
    least_pairs: int = 30,
) -> FairPricePath:
    """Learn how imbalance moves the mid, and predict on the way, without looking ahead.

    Parameters
    ----------
    stamps_ns : array_like of int, shape (n,)
        Stamps in nanoseconds, >= 0, not falling.
    mids : array_like, shape (n,)
        Mid since each stamp, > 0.
    book_imbalance, flow_imbalance : array_like, shape (n,)
        In [-1, 1].
    horizon_secs : float
        Horizon of the label, in seconds, > 0.
    decay_secs : float
        Time after which a label counts 1/e, in seconds, > 0.
    sample_secs : float
        Least time between two samples; half the horizon if 0.
    prior_variance, least_pairs
        See `FairPriceStream`.

    Returns
    -------
    FairPricePath
        Predictions at every row, and the coefficients at the end.

    Raises
    ------
    ValueError
        If a value is outside its domain or lengths differ.

    Notes
    -----
    The pair of a sample at t is learned by the first row at or after t + horizon, with the last
    mid at or before it: no prediction depends on a later row. This is `FairPriceStream`, which
    runs live, over a series.

    Examples
    --------
    >>> side = np.where(np.arange(400) % 3, 0.5, -1.0)
    >>> moves = np.concatenate([[0.0], 2e-4 * side[:-1]])
    >>> path = predict_fair_price(
    ...     np.arange(400) * 10**9, 100.0 * np.cumprod(1.0 + moves), side, np.zeros(400),
    ...     horizon_secs=1.0)
    >>> round(path.beta_book.value * 1e4, 3), round(path.r2_out_of_sample, 2)
    (2.0, 1.0)
    """
    stream = FairPriceStream(
        horizon_secs=number("horizon_secs", horizon_secs),
        decay_secs=number("decay_secs", decay_secs),
        sample_secs=number("sample_secs", sample_secs),
        prior_variance=number("prior_variance", prior_variance),
        least_pairs=least_pairs,
    )
    stamps, path = _stamps_of("stamps_ns", stamps_ns), floats("mids", mids, rule="positive")
    predictions = np.empty(len(stamps))
    stream.observe_all(
        stamps,
        path,
        floats("book_imbalance", book_imbalance),
        floats("flow_imbalance", flow_imbalance),
        predictions,
    )
    p00, _, p11 = stream.covariance
    pairs, deviation = stream.pairs, stream.error_deviation
    return FairPricePath(
        predictions,
        path * (1.0 + predictions),
        Estimate(stream.beta_book, deviation * p00**0.5, pairs, "1"),
        Estimate(stream.beta_flow, deviation * p11**0.5, pairs, "1"),
        stream.r2_out_of_sample,
        pairs,
    )


def _stamps_of(name: str, values: ArrayLike) -> NDArray[np.int64]:
    """Take a one-dimensional array of whole numbers, such as nanoseconds.

    Raises
    ------
    ValueError
        If it has another shape or holds anything but integers that fit into 64 bits.
    """
    raw: NDArray[Any] = np.asarray(values)
    if raw.ndim != 1:
        raise ValueError(f"{name} must have one dimension: shape {raw.shape}")
    if raw.dtype.kind == "f" and raw.size:
        broken = ~(np.isfinite(raw) & (raw == np.floor(raw)) & (np.abs(raw) < 2.0**53))
        if broken.any():
            i = int(np.argmax(broken))
            raise ValueError(f"{name}[{i}] must be a whole number below 2**53: {raw[i]}")
    elif raw.dtype.kind not in "iu" and raw.size:
        raise ValueError(f"{name} must hold integers: dtype {raw.dtype}")
    if raw.dtype.kind == "u" and raw.size and int(raw.max()) >= 2**63:
        raise ValueError(f"{name}[{int(raw.argmax())}] must be below 2**63: {raw.max()}")
    return np.ascontiguousarray(raw, dtype=np.int64)


def _matrix(name: str, values: ArrayLike) -> Floats:
    raw: NDArray[Any] = np.asarray(values)
    if raw.dtype.kind not in "fiu" and raw.size:
        raise ValueError(f"{name} must hold numbers: dtype {raw.dtype}")
    if raw.ndim == 1:
        raw = raw.reshape(-1, 1)
    if raw.ndim != 2:
        raise ValueError(f"{name} must have two dimensions: shape {raw.shape}")
    return np.ascontiguousarray(raw, dtype=np.float64)
