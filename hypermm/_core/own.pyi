from typing import final

from hypermm._core.kappa_joint import FillBins

@final
class OwnQuotes:
    bins: FillBins
    fills: int
    kappa_factor: float
    kappa_se_per_bps: float
    count: int
    def __init__(self, *, decay_secs: float) -> None: ...
    def queues(self) -> list[tuple[int, int, int, float, float]]: ...
