import numpy as np
from numpy.typing import NDArray

def volume_bars(
    secs: NDArray[np.float64],
    prices: NDArray[np.float64],
    lots: NDArray[np.int64],
    out: NDArray[np.float64],
    *,
    bucket_lots: int,
    is_merged: bool = True,
) -> int: ...
def vwap_variance(
    vwaps: NDArray[np.float64],
    lead_secs: NDArray[np.float64],
    lag_secs: NDArray[np.float64],
    shared_secs: NDArray[np.float64],
) -> tuple[float, float]: ...
