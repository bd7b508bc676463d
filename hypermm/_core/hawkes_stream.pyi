from typing import final

import numpy as np
from numpy.typing import NDArray

@final
class HawkesStream:
    baseline_per_sec: float
    jump_per_sec: float
    decay_per_sec: float
    excitation: float
    last_ns: int
    events: int
    def __init__(
        self, *, baseline_per_sec: float, jump_per_sec: float, decay_per_sec: float
    ) -> None: ...
    def set_parameters(
        self, *, baseline_per_sec: float, jump_per_sec: float, decay_per_sec: float
    ) -> None: ...
    def update(self, now_ns: int, mark: float = 1.0) -> None: ...
    def intensity_per_sec(self, now_ns: int) -> float: ...

@final
class HawkesSumStream:
    last_ns: int
    events: int
    def __init__(
        self,
        *,
        baseline_per_sec: float,
        jumps_per_sec: NDArray[np.float64],
        decays_per_sec: NDArray[np.float64],
    ) -> None: ...
    def set_parameters(
        self,
        *,
        baseline_per_sec: float,
        jumps_per_sec: NDArray[np.float64],
        decays_per_sec: NDArray[np.float64],
    ) -> None: ...
    def update(self, now_ns: int, mark: float = 1.0) -> None: ...
    def intensity_per_sec(self, now_ns: int) -> float: ...

@final
class HawkesPairStream:
    last_ns: int
    events: int
    def __init__(
        self,
        *,
        baselines_per_sec: NDArray[np.float64],
        jumps_per_sec: NDArray[np.float64],
        decays_per_sec: NDArray[np.float64],
    ) -> None: ...
    def set_parameters(
        self,
        *,
        baselines_per_sec: NDArray[np.float64],
        jumps_per_sec: NDArray[np.float64],
        decays_per_sec: NDArray[np.float64],
    ) -> None: ...
    def update(self, kind: int, now_ns: int, mark: float = 1.0) -> None: ...
    def intensity_per_sec(self, kind: int, now_ns: int) -> float: ...
