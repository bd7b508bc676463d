from typing import TypedDict, final

import numpy as np
from numpy.typing import NDArray

class _DepthFit(TypedDict):
    markout: float
    decay_per_bps: float
    markout_error: float
    decay_error: float
    slope: float
    slope_error: float

def newey_west(values: NDArray[np.float64], *, lags: int) -> tuple[float, float]: ...
def overlap_lags(stamps_ns: NDArray[np.int64], *, horizon_ns: int) -> int: ...
def measure_markouts(
    mid_secs: NDArray[np.float64],
    mids: NDArray[np.float64],
    fill_secs: NDArray[np.float64],
    sides: NDArray[np.int64],
    prices: NDArray[np.float64],
    out_markouts: NDArray[np.float64],
    out_captures: NDArray[np.float64],
    *,
    horizon_secs: float,
    is_before_ties: bool = False,
) -> int: ...
def sized_mean(values: NDArray[np.float64], sizes: NDArray[np.float64]) -> float: ...

@final
class MarkoutRing:
    capacity: int
    added: int
    def __init__(self, capacity: int) -> None: ...
    def __len__(self) -> int: ...
    def add(self, stamp_ns: int, move_bps: float, capture_bps: float, size: float) -> None: ...
    def fit_depth(self) -> dict[str, float]: ...
    def read(self, *, horizon_ns: int) -> tuple[int, float, float, float, float]: ...

@final
class MarkoutStream:
    decay_secs: float
    def __init__(self, *, decay_secs: float) -> None: ...
    def update(self, move_bps: float, *, weight: float = 1.0, secs: float = 0.0) -> None: ...
    def advance(self, secs: float) -> None: ...
    def read(self) -> tuple[float, float, float]: ...

def fit_depth(
    depths_bps: NDArray[np.float64],
    moves_bps: NDArray[np.float64],
    weights: NDArray[np.float64],
) -> _DepthFit: ...
