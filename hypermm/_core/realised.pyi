from typing import TypedDict

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
def realised_bipower(log_returns: NDArray[np.float64]) -> tuple[float, float, float, float]: ...
