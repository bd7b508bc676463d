import numpy as np
from numpy.typing import NDArray

class FiniteHorizon:
    lots_long: int
    lots_short: int
    is_started: bool
    capacity: int
    horizon_secs: float
    def __init__(self, capacity: int) -> None: ...
    def start(
        self,
        *,
        volatility: float,
        kappa_per_bps: float,
        intensity_per_sec: float,
        risk_aversion_per_bps: float,
        lots_long: int,
        lots_short: int,
        cost_bps: float = 0.0,
        drift_bps_per_sec: float = 0.0,
        impact_bps: float = 0.0,
        execution_risk_per_bps: float = 0.0,
        ask_intensity_per_sec: float | None = None,
        ask_cost_bps: float | None = None,
        terminal_cost_bps: float = 0.0,
        terminal_risk_bps: float = 0.0,
        is_stationary: bool = False,
    ) -> None: ...
    def advance(self, secs: float) -> None: ...
    def pay(self, bps_per_lot: float) -> None: ...
    def bid_depth_bps(self, inventory_lots: float) -> float: ...
    def ask_depth_bps(self, inventory_lots: float) -> float: ...
    def value_bps(self, inventory_lots: int) -> float: ...
    def values(self, out: NDArray[np.float64]) -> None: ...
    def depths(self, bid_out: NDArray[np.float64], ask_out: NDArray[np.float64]) -> None: ...

def finite_horizon_depths(
    horizon_secs: NDArray[np.float64],
    bid_out: NDArray[np.float64],
    ask_out: NDArray[np.float64],
    *,
    lots_long: int,
    lots_short: int,
    payment_bps: float = 0.0,
    payment_secs: float = 0.0,
    **market: float | bool | None,
) -> None: ...
