from typing import TypedDict, final

import numpy as np
from numpy.typing import NDArray

class _JointFit(TypedDict):
    intensity: float
    log_intensity: float
    kappa: float
    log_intensity_se: float
    kappa_se: float
    covariance: float
    log_likelihood: float

class _RegressionFit(TypedDict):
    intensity: float
    kappa: float
    kappa_se: float

def fit_joint(
    depths: NDArray[np.float64],
    secs: NDArray[np.float64],
    fills: NDArray[np.float64],
    *,
    prior_shape: float = 0.0,
    prior_rate: float = 0.0,
) -> _JointFit: ...
def joint_log_likelihood(
    depths: NDArray[np.float64],
    secs: NDArray[np.float64],
    fills: NDArray[np.float64],
    *,
    log_intensity: float,
    kappa: float,
    prior_shape: float = 0.0,
    prior_rate: float = 0.0,
) -> tuple[float, tuple[float, float], tuple[float, float, float]]: ...
def fit_regression(
    depths: NDArray[np.float64], secs: NDArray[np.float64], fills: NDArray[np.float64]
) -> _RegressionFit: ...
def fit_log_survival(depths: NDArray[np.float64], *, depth_min: float = 0.0) -> float: ...
def fit_book(
    distances: NDArray[np.float64], sizes: NDArray[np.float64], *, distance_max: float
) -> float: ...

@final
class FillBins:
    width_bps: float
    bins: int
    decay_secs: float
    def __init__(self, *, width_bps: float, bins: int = 64, decay_secs: float = ...) -> None: ...
    def advance(self, secs: float) -> None: ...
    def watch(self, depth_bps: float, secs: float) -> None: ...
    def fill(self, depth_bps: float, fills: float = 1.0) -> None: ...
    def fit(self, *, prior_shape: float = 0.0, prior_rate: float = 0.0) -> _JointFit: ...
