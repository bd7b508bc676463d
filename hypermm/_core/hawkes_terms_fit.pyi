from typing import TypedDict

import numpy as np
from numpy.typing import NDArray

class _SumFit(TypedDict):
    mu: float
    alpha: list[float]
    branching: float
    mu_se: float
    alpha_se: list[float]
    branching_se: float
    loglik: float
    evaluations: int
    is_converged: bool

class _PairFit(TypedDict):
    mu: list[float]
    alpha: list[float]
    beta: list[float]
    branching: list[float]
    mu_se: list[float]
    alpha_se: list[float]
    beta_se: list[float]
    branching_se: list[float]
    loglik: float
    evaluations: int
    is_converged: bool

def fit_sum(
    times: NDArray[np.float64],
    *,
    horizon_secs: float,
    decays_per_sec: NDArray[np.float64],
    marks: NDArray[np.float64] | None = None,
) -> _SumFit: ...
def fit_pair(
    times: NDArray[np.float64],
    kinds: NDArray[np.int8],
    *,
    horizon_secs: float,
    has_one_decay: bool = True,
    marks: NDArray[np.float64] | None = None,
) -> _PairFit: ...
