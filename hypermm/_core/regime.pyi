from typing import final

import numpy as np
from numpy.typing import NDArray

@final
class Regime:
    state: int
    dwell: int
    min_dwell: int
    def __init__(
        self,
        *,
        up: tuple[float, float] = ...,
        down: tuple[float, float] = ...,
        min_dwell: int = 0,
    ) -> None: ...
    def update(self, ratio: float) -> int: ...
    def run(self, ratios: NDArray[np.float64], out: NDArray[np.int8]) -> None: ...
