from typing import TypedDict, final

import numpy as np
from numpy.typing import NDArray

class _LevelFit(TypedDict):
    variance_per_sec: float
    noise_variance: float
    variance_error: float
    noise_error: float
    log_likelihood: float

def filter_level(
    prices: NDArray[np.float64],
    secs: NDArray[np.float64],
    out_level: NDArray[np.float64],
    out_variance: NDArray[np.float64],
    *,
    variance_per_sec: float,
    noise_variance: float,
) -> float: ...
def steady_gains(ratios: NDArray[np.float64], out: NDArray[np.float64]) -> None: ...
def level_moments(prices: NDArray[np.float64]) -> tuple[float, float]: ...
def fit_level(prices: NDArray[np.float64], secs: NDArray[np.float64]) -> _LevelFit: ...

@final
class LevelStream:
    decay_secs: float
    updates: int
    def __init__(self, *, decay_secs: float) -> None: ...
    def update(self, price: float, secs: float, variance_per_sec: float) -> float: ...
    @property
    def level(self) -> float: ...
    @property
    def variance(self) -> float: ...
    @property
    def noise_variance(self) -> float: ...
    @property
    def moment_variance(self) -> float: ...
