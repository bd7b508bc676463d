import numpy as np
from numpy.typing import NDArray

def log_likelihood(
    times: NDArray[np.float64],
    *,
    horizon_secs: float,
    baseline_per_sec: float,
    jump_per_sec: float,
    decay_per_sec: float,
    marks: NDArray[np.float64] | None = None,
    gradient: NDArray[np.float64] | None = None,
) -> float: ...
def intensities(
    times: NDArray[np.float64],
    at: NDArray[np.float64],
    out: NDArray[np.float64],
    *,
    baseline_per_sec: float,
    jump_per_sec: float,
    decay_per_sec: float,
    marks: NDArray[np.float64] | None = None,
) -> None: ...
def residuals(
    times: NDArray[np.float64],
    out: NDArray[np.float64],
    *,
    baseline_per_sec: float,
    jump_per_sec: float,
    decay_per_sec: float,
    marks: NDArray[np.float64] | None = None,
) -> None: ...
def ks_distance(values: NDArray[np.float64], work: NDArray[np.float64]) -> float: ...
def em_step(
    times: NDArray[np.float64],
    out: NDArray[np.float64],
    *,
    horizon_secs: float,
    baseline_per_sec: float,
    jump_per_sec: float,
    decay_per_sec: float,
    marks: NDArray[np.float64] | None = None,
) -> None: ...
def stationary(
    *, baseline_per_sec: float, jump_per_sec: float, decay_per_sec: float
) -> tuple[float, float]: ...
