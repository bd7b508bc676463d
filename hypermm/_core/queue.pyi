from typing import Final, final

import numpy as np
from numpy.typing import NDArray

MODEL_NAMES: Final[tuple[str, ...]]

def trace_queue(
    events: NDArray[np.float64],
    out: NDArray[np.float64],
    *,
    model: int,
    exponent: float,
    ahead: float,
) -> None: ...

@final
class QueuePosition:
    model: int
    exponent: float
    ahead: float
    traded: float
    def __init__(self, model: int, exponent: float, ahead: float) -> None: ...
    def trade(self, size: float) -> None: ...
    def depth(self, before: float, after: float) -> None: ...
    def take_fill(self, most: float) -> float: ...

def fill_probabilities(
    ahead: NDArray[np.float64],
    trades_per_sec: NDArray[np.float64],
    cancels_per_sec: NDArray[np.float64],
    secs: NDArray[np.float64],
    out: NDArray[np.float64],
) -> None: ...
def mean_fill_secs(
    ahead: float, *, trades_per_sec: float, cancels_per_sec: float = 0.0
) -> float: ...
def diffusion_probabilities(
    ahead: NDArray[np.float64],
    drift: NDArray[np.float64],
    volatility: NDArray[np.float64],
    secs: NDArray[np.float64],
    out: NDArray[np.float64],
) -> None: ...
