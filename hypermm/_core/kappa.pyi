from typing import TypedDict, final

import numpy as np
from numpy.typing import NDArray

class _CensoredFit(TypedDict):
    kappa: float
    se: float
    events: float
    excess: float
    loglik: float
    low: float
    high: float
    posterior_mean: float
    posterior_low: float
    posterior_high: float

class _TruncatedFit(TypedDict):
    kappa: float
    se: float
    loglik: float

def truncated_means(y: NDArray[np.float64], out: NDArray[np.float64]) -> None: ...
def fit_censored(
    depths: NDArray[np.float64],
    *,
    depth_min: float = 0.0,
    depth_max: float = ...,
    weights: NDArray[np.float64] | None = None,
    prior_shape: float = 0.0,
    prior_rate: float = 0.0,
) -> _CensoredFit: ...
def censored_rate(
    depths: NDArray[np.float64], *, depth_min: float = 0.0, depth_max: float = ...
) -> tuple[float, float, float]: ...
def fit_truncated(
    depths: NDArray[np.float64], *, depth_min: float, depth_max: float
) -> _TruncatedFit: ...

@final
class KappaStream:
    decay_secs: float
    prior_shape: float
    prior_rate: float
    weight: float
    excess_bps: float
    events: float
    exposure_secs: float
    def __init__(
        self, *, decay_secs: float, prior_shape: float = 0.0, prior_rate: float = 0.0
    ) -> None: ...
    def set_prior(self, shape: float, rate: float) -> None: ...
    def advance(self, secs: float) -> None: ...
    def update(self, depth_bps: float, *, least_bps: float, most_bps: float = ...) -> None: ...
    def run(
        self,
        secs: NDArray[np.float64],
        depths: NDArray[np.float64],
        out_kappa: NDArray[np.float64],
        out_intensity: NDArray[np.float64],
        *,
        start_secs: float,
        least_bps: float,
        most_bps: float = ...,
    ) -> None: ...
    @property
    def kappa_per_bps(self) -> float: ...
    @property
    def kappa_se_per_bps(self) -> float: ...
    def intensity_per_sec(self, least_bps: float) -> float: ...
