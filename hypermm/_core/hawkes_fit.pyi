from typing import TypedDict

import numpy as np
from numpy.typing import NDArray

class _Fit(TypedDict):
    mu: float
    alpha: float
    beta: float
    branching: float
    mu_se: float
    alpha_se: float
    beta_se: float
    branching_se: float
    loglik: float
    evaluations: int
    is_converged: bool

def fit(
    times: NDArray[np.float64],
    *,
    horizon_secs: float,
    marks: NDArray[np.float64] | None = None,
) -> _Fit: ...
