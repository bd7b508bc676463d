from typing import final

import numpy as np
from numpy.typing import NDArray

def severity(rarity: float) -> float: ...
def severities(rarities: NDArray[np.float64], out: NDArray[np.float64]) -> None: ...
def directional_severity(
    severity: float, *, signed_flow: float, flow: float, has_forced_flow: bool = False
) -> float: ...
def level_correction(seen_fraction: float, model_fraction: float) -> float: ...

@final
class CascadeTable:
    baseline_per_sec: float
    jump_per_sec: float
    decay_per_sec: float
    tail_rate_secs: float
    def __init__(
        self,
        *,
        baseline_per_sec: float,
        jump_per_sec: float,
        decay_per_sec: float,
        grid_points: int = 2_000_000,
    ) -> None: ...
    def rarity(self, intensity_per_sec: float) -> float: ...
    def tail(self, intensity_per_sec: float) -> float: ...
    def severity(self, intensity_per_sec: float, correction: float = 0.0) -> float: ...
    def severities(
        self, intensities_per_sec: NDArray[np.float64], out: NDArray[np.float64]
    ) -> None: ...
