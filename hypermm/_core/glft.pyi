import numpy as np
from numpy.typing import NDArray

class Solver:
    lots_long: int
    lots_short: int
    iterations: int
    is_solved: bool
    capacity: int
    inventory_risk: float
    level: float
    def __init__(self, capacity: int) -> None: ...
    def solve(
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
        near_lots: float | None = None,
    ) -> None: ...
    def bid_depth_bps(self, inventory_lots: float) -> float: ...
    def ask_depth_bps(self, inventory_lots: float) -> float: ...
    def depths(self, bid_out: NDArray[np.float64], ask_out: NDArray[np.float64]) -> None: ...
    def depths_at(
        self,
        inventory_lots: NDArray[np.float64],
        bid_out: NDArray[np.float64],
        ask_out: NDArray[np.float64],
    ) -> None: ...
    def slope_bps(self, inventory_lots: float = 0.0) -> float: ...
    def marginal_cost_bps(self, inventory_lots: float) -> float: ...
    @property
    def eigenvalue_per_sec(self) -> float: ...

def base_depth_bps(*, kappa_per_bps: float, execution_risk_per_bps: float = 0.0) -> float: ...
def log_intensity_factor(*, kappa_per_bps: float, execution_risk_per_bps: float = 0.0) -> float: ...
def stationary_depths(
    inventory_lots: NDArray[np.float64],
    bid_out: NDArray[np.float64],
    ask_out: NDArray[np.float64],
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
) -> None: ...
