"""How long things take between a bot and the exchange: three named models of one-way delays."""

from collections.abc import Callable
from typing import Final

import numpy as np
from attrs import field, frozen
from attrs.validators import ge, in_
from numpy.typing import NDArray

NS_PER_MS: Final = 1_000_000
MODELS: Final = ("constant", "lognormal", "recorded")
_DRAWS: Final = 4096
_NO_LAGS: Final = np.zeros((0, 2), np.int64)


@frozen(kw_only=True)
class Latency:
    """One-way delays: the reply's comes on top of the block that holds the action.

    Parameters
    ----------
    order_ms, reply_ms, data_ms : float
        Delay of what we send, of answers, and of market data and user events: constant, or the
        median of `lognormal`, or the least of `recorded`.
    model : str
        `constant`; `lognormal`: seeded draws whose logarithm has the deviation `spread`;
        `recorded`: on top of the least what the recorder's messages took more than the fastest of
        them, at the same time of the market.
    spread : float
        Deviation of the logarithm; 0.5 makes one delay in forty 2.7 times the median.
    lags_ns : array of int64, shape (k, 2)
        Market time, and lag on any clock; for `recorded`.
    """

    order_ms: float = field(default=50.0, validator=ge(0.0))
    reply_ms: float = field(default=50.0, validator=ge(0.0))
    data_ms: float = field(default=50.0, validator=ge(0.0))
    model: str = field(default="constant", validator=in_(MODELS))
    spread: float = field(default=0.5, validator=ge(0.0))
    lags_ns: NDArray[np.int64] = field(default=_NO_LAGS, eq=False, repr=False)

    def __str__(self) -> str:
        """Say it in a line."""
        least = {"constant": "", "lognormal": "median ", "recorded": "at least "}[self.model]
        times = f"orders {self.order_ms:g}, replies {self.reply_ms:g}, data {self.data_ms:g} ms"
        tail = f", spread {self.spread:g}" if self.model == "lognormal" else ""
        return f"{self.model}: {least}{times}{tail}"


Delay = Callable[[float, int], int]  # median or least in ms, time now -> delay in ns


def delays(latency: Latency, seed: int) -> Delay:
    """Return the function that draws delays. The same seed and calls give the same delays."""
    if latency.model == "lognormal" and latency.spread > 0.0:
        return _Drawn(latency.spread, seed)
    if latency.model == "recorded" and len(latency.lags_ns):
        return _Recorded(latency.lags_ns)
    return _constant


def _constant(delay_ms: float, _now_ns: int) -> int:
    return int(delay_ms * NS_PER_MS)


class _Drawn:
    """Log-normal factors, drawn in blocks."""

    def __init__(self, spread: float, seed: int) -> None:
        self._random = np.random.Generator(np.random.PCG64(seed))
        self._spread = spread
        self._factors: list[float] = []

    def __call__(self, delay_ms: float, _now_ns: int) -> int:
        if not self._factors:
            logs = self._spread * self._random.standard_normal(_DRAWS)
            self._factors = np.exp(logs).tolist()
        return int(delay_ms * self._factors.pop() * NS_PER_MS)


class _Recorded:
    """What messages took more than the fastest of them."""

    def __init__(self, lags_ns: NDArray[np.int64]) -> None:
        lags_ns = lags_ns[np.argsort(lags_ns[:, 0], kind="stable")]
        self._times_ns = lags_ns[:, 0].tolist()
        self._more_ns = (lags_ns[:, 1] - lags_ns[:, 1].min()).tolist()
        self._place = 0

    def __call__(self, delay_ms: float, now_ns: int) -> int:
        times, place = self._times_ns, self._place
        while place + 1 < len(times) and times[place + 1] <= now_ns:
            place += 1
        self._place = place
        return int(delay_ms * NS_PER_MS) + int(self._more_ns[place])
