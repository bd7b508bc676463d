"""Queue position of a resting order from level-2 data, and the probability that it fills."""

from collections.abc import Iterable
from typing import Literal, get_args

import numpy as np
from numpy.typing import ArrayLike

from hypermm._core import queue as kernel
from hypermm._core.queue import QueuePosition
from hypermm.notebook._arrays import Floats, floats, number, output

__all__ = [
    "QueueModel",
    "QueuePosition",
    "fill_probability",
    "fill_probability_diffusion",
    "mean_fill_time",
    "queue_position",
    "queue_trace",
]

QueueModel = Literal["power", "log", "power2", "log2", "power3", "risk_averse"]


def queue_position(
    ahead: float, *, model: QueueModel = "power", exponent: float = 3.0
) -> QueuePosition:
    """Start to follow an order in the queue of its price.

    Parameters
    ----------
    ahead : float
        Displayed quantity when the order was placed, in lots, >= 0.
    model : str
        How cancels are shared between those ahead of us (f) and behind (b): the share behind is

        - `power`: b^n/(b^n + f^n); with n = 3 the central model
        - `log`: ln(1+b)/(ln(1+b) + ln(1+f))
        - `power2`: b^n/(b+f)^n
        - `log2`: ln(1+b)/ln(1+b+f)
        - `power3`: 1 - (f/(f+b))^n
        - `risk_averse`: 1, only trades bring us forward; the pessimistic bound
    exponent : float
        n of the power models, > 0.

    Returns
    -------
    QueuePosition
        With `trade(size)`, `depth(before, after)`, `take_fill(most)`, and `ahead`.

    Raises
    ------
    ValueError
        If an argument is outside its domain.

    Notes
    -----
    Report a profit under both `power` and `risk_averse`: level-2 data cannot tell them apart.
    Source: the queue models of hftbacktest.

    Examples
    --------
    >>> order = queue_position(10.0)
    >>> order.trade(4.0)
    >>> order.depth(12.0, 7.0)
    >>> round(order.ahead, 3)
    5.5
    """
    return QueuePosition(_model(model), number("exponent", exponent), number("ahead", ahead))


def queue_trace(
    events: Iterable[tuple[str, float] | tuple[str, float, float]],
    *,
    ahead: float,
    model: QueueModel = "power",
    exponent: float = 3.0,
    out: Floats | None = None,
) -> Floats:
    """Follow an order through a series of events at its price.

    Parameters
    ----------
    events : iterable of tuples, or array of float64, shape (n, 3)
        ("trade", size) and ("depth", before, after), in lots; in an array (0, size, 0) and
        (1, before, after), which is not copied.
    ahead, model, exponent
        As for `queue_position`.
    out : array of float64, shape (n,), optional
        Receives the result.

    Returns
    -------
    array of float64, shape (n,)
        Lots ahead of us after each event; below 0 the order is filled by the excess.

    Raises
    ------
    ValueError
        If a value is outside its domain or an event has no known name.

    Examples
    --------
    >>> queue_trace([("trade", 4.0), ("depth", 12.0, 7.0)], ahead=10.0).round(3)
    array([6. , 5.5])
    """
    rows = events if isinstance(events, np.ndarray) else _rows(events)
    if rows.dtype != np.float64 or rows.ndim != 2 or not rows.flags.c_contiguous:
        raise ValueError("events must be a contiguous float64 array of shape (n, 3), or tuples")
    result = output("out", out, len(rows))
    kernel.trace_queue(
        rows,
        result,
        model=_model(model),
        exponent=number("exponent", exponent),
        ahead=number("ahead", ahead),
    )
    return result


def fill_probability(
    ahead: ArrayLike,
    *,
    trades_per_sec: ArrayLike,
    secs: ArrayLike,
    cancels_per_sec: ArrayLike = 0.0,
    out: Floats | None = None,
) -> Floats:
    """Probability that an order fills within a time.

    Parameters
    ----------
    ahead : array_like
        Units ahead of ours, 0 to 1e9. Single numbers among the arguments count for all elements.
    trades_per_sec : array_like
        Unit market orders per second at the price, mu >= 0.
    secs : array_like
        Time t, in seconds, >= 0.
    cancels_per_sec : array_like
        Cancels per second of each unit ahead, theta >= 0.
    out : array of float64, shape (n,), optional
        Receives the result.

    Returns
    -------
    array of float64, shape (n,)
        I_z(x+1, mu/theta) at z = 1 - exp(-theta t), or P(x+1, mu t) without cancels.

    Raises
    ------
    ValueError
        If a value is outside its domain or lengths differ.

    Notes
    -----
    Our turn comes after sum of Exp(mu + j theta), j = 0..x: minus the logarithm of a beta variate
    over theta. Accurate to 1e-12 up to 1e6 units, where sums over partial fractions fail
    beyond 20.

    Examples
    --------
    >>> fill_probability([0, 3], trades_per_sec=0.5, secs=4.0, cancels_per_sec=0.1).round(4)
    array([0.8647, 0.2512])
    """
    x, mu, theta, t = _broadcast(
        ahead=ahead, trades_per_sec=trades_per_sec, cancels_per_sec=cancels_per_sec, secs=secs
    )
    result = output("out", out, len(x))
    kernel.fill_probabilities(x, mu, theta, t, result)
    return result


def mean_fill_time(ahead: float, *, trades_per_sec: float, cancels_per_sec: float = 0.0) -> float:
    """Mean time to a fill in seconds: sum of 1/(mu + j theta), j = 0..x.

    Parameters
    ----------
    ahead : float
        Units ahead of ours, x >= 0.
    trades_per_sec, cancels_per_sec : float
        Rates mu and theta, >= 0; infinite without trades.

    Raises
    ------
    ValueError
        If a value is negative or not finite.

    Examples
    --------
    >>> mean_fill_time(3, trades_per_sec=0.5)
    8.0
    """
    return kernel.mean_fill_secs(
        number("ahead", ahead),
        trades_per_sec=number("trades_per_sec", trades_per_sec),
        cancels_per_sec=number("cancels_per_sec", cancels_per_sec),
    )


def fill_probability_diffusion(
    ahead: ArrayLike,
    *,
    drift: ArrayLike,
    volatility: ArrayLike,
    secs: ArrayLike,
    out: Floats | None = None,
) -> Floats:
    """Probability that a long queue, taken as a diffusion, has emptied within a time.

    Parameters
    ----------
    ahead : array_like
        Units ahead, 0 to 1e9. Single numbers among the arguments count for all elements.
    drift : array_like
        v: units per second by which the queue shrinks on average.
    volatility : array_like
        s: units per square root of a second, > 0.
    secs : array_like
        Time t, in seconds, >= 0.
    out : array of float64, shape (n,), optional
        Receives the result.

    Returns
    -------
    array of float64, shape (n,)
        Phi((vt-x)/(s sqrt t)) + exp(2vx/s^2) Phi(-(vt+x)/(s sqrt t)).

    Raises
    ------
    ValueError
        If a value is outside its domain or lengths differ.

    Notes
    -----
    The second term is formed as exp(-d^2) erfcx(w)/2: its factors may be 1e300 and 1e-300.

    Examples
    --------
    >>> fill_probability_diffusion(10.0, drift=1.0, volatility=2.0, secs=[5.0, 20.0]).round(4)
    array([0.1909, 0.9273])
    """
    x, v, s, t = _broadcast(ahead=ahead, drift=drift, volatility=volatility, secs=secs)
    result = output("out", out, len(x))
    kernel.diffusion_probabilities(x, v, s, t, result)
    return result


def _model(name: str) -> int:
    if name not in get_args(QueueModel):
        raise ValueError(f"model must be one of {', '.join(get_args(QueueModel))}: {name!r}")
    return kernel.MODEL_NAMES.index(name)


def _rows(events: Iterable[tuple[str, float] | tuple[str, float, float]]) -> Floats:
    rows: list[tuple[float, float, float]] = []
    for i, event in enumerate(events):
        match event:
            case ("trade", size):
                rows.append((0.0, float(size), 0.0))
            case ("depth", before, after):
                rows.append((1.0, float(before), float(after)))
            case _:
                raise ValueError(
                    f"events[{i}] must be ('trade', size) or ('depth', before, after): {event}"
                )
    return np.array(rows, dtype=np.float64).reshape(-1, 3)


def _broadcast(**given: ArrayLike) -> list[Floats]:
    """Arrays of one length: single numbers are repeated."""
    arrays = {name: np.asarray(values) for name, values in given.items()}
    lengths = {name: len(a) for name, a in arrays.items() if a.ndim}
    n = next(iter(lengths.values()), 1)
    for name, length in lengths.items():
        if length != n:
            raise ValueError(f"{name} must have length {n}: {length}")
    return [
        floats(name, array) if array.ndim else np.full(n, number(name, float(array)))
        for name, array in arrays.items()
    ]
