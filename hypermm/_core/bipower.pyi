from typing import TypedDict, final

import numpy as np
from numpy.typing import NDArray

class _Variation(TypedDict):
    rv: float
    bv: float
    minrv: float
    medrv: float
    tpq: float
    qpq: float
    minrq: float
    medrq: float
    jump_ratio: float
    relative_jump: float
    jump_statistic: float
    jump_p_value: float
    jump_variance: float

def realised_variation(log_returns: NDArray[np.float64]) -> _Variation: ...
def volume_buckets(
    prices: NDArray[np.int64],
    sizes: NDArray[np.int64],
    out_vwaps: NDArray[np.float64],
    out_trades: NDArray[np.int64],
    *,
    bucket_lots: int,
) -> int: ...

@final
class VolumeClock:
    bucket_lots: int
    next_bucket_lots: int
    fill_lots: int
    buckets: int
    ticks: int
    tick_ns: int
    tick_vwap: float
    tick_lots: int
    def __init__(self, bucket_lots: int) -> None: ...
    def update(self, exch_ns: int, price: int, size: int) -> bool: ...
    def settle_before(self, exch_ns: int) -> bool: ...
    def set_bucket(self, lots: int) -> None: ...

@final
class BipowerStream:
    decay_secs: float
    returns: int
    def __init__(self, *, decay_secs: float) -> None: ...
    def update(self, log_return: float, secs: float) -> None: ...
    def seed(self, volatility_bps: float, secs: float) -> None: ...
    @property
    def variance_per_sec(self) -> float: ...
    @property
    def bipower_per_sec(self) -> float: ...
    @property
    def volatility_bps(self) -> float: ...
    @property
    def jump_ratio(self) -> float: ...
