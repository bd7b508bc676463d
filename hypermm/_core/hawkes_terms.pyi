import numpy as np
from numpy.typing import NDArray

def sum_log_likelihood(
    times: NDArray[np.float64],
    *,
    horizon_secs: float,
    baseline_per_sec: float,
    jumps_per_sec: NDArray[np.float64],
    decays_per_sec: NDArray[np.float64],
    marks: NDArray[np.float64] | None = None,
    gradient: NDArray[np.float64] | None = None,
) -> float: ...
def sum_residuals(
    times: NDArray[np.float64],
    out: NDArray[np.float64],
    *,
    baseline_per_sec: float,
    jumps_per_sec: NDArray[np.float64],
    decays_per_sec: NDArray[np.float64],
    marks: NDArray[np.float64] | None = None,
) -> None: ...
def pair_residuals(
    times: NDArray[np.float64],
    kinds: NDArray[np.int8],
    out: NDArray[np.float64],
    *,
    baselines_per_sec: NDArray[np.float64],
    jumps_per_sec: NDArray[np.float64],
    decays_per_sec: NDArray[np.float64],
) -> None: ...
def pair_log_likelihood(
    times: NDArray[np.float64],
    kinds: NDArray[np.int8],
    *,
    horizon_secs: float,
    baselines_per_sec: NDArray[np.float64],
    jumps_per_sec: NDArray[np.float64],
    decays_per_sec: NDArray[np.float64],
    marks: NDArray[np.float64] | None = None,
    gradient: NDArray[np.float64] | None = None,
) -> float: ...
def pair_intensities(
    times: NDArray[np.float64],
    kinds: NDArray[np.int8],
    out: NDArray[np.float64],
    *,
    baselines_per_sec: NDArray[np.float64],
    jumps_per_sec: NDArray[np.float64],
    decays_per_sec: NDArray[np.float64],
) -> None: ...
def pair_stationary(
    out: NDArray[np.float64],
    *,
    baselines_per_sec: NDArray[np.float64],
    jumps_per_sec: NDArray[np.float64],
    decays_per_sec: NDArray[np.float64],
) -> float: ...
