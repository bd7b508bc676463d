import numpy as np
from numpy.typing import NDArray

class Intensity:
    @staticmethod
    def exponential(
        intensity_per_sec: float, kappa_per_bps: float, **costs: float
    ) -> Intensity: ...
    @staticmethod
    def power(
        intensity_per_sec: float, scale_bps: float, exponent: float, **costs: float
    ) -> Intensity: ...
    @staticmethod
    def logistic(
        intensity_per_sec: float, offset: float, decay_per_bps: float, **costs: float
    ) -> Intensity: ...
    @staticmethod
    def two_exponentials(
        first_per_sec: float,
        first_kappa_per_bps: float,
        second_per_sec: float,
        second_kappa_per_bps: float,
        **costs: float,
    ) -> Intensity: ...
    def at(self, depth_bps: float) -> float: ...
    @property
    def has_one_maximum(self) -> bool: ...

class PolicySolver:
    lots_long: int
    lots_short: int
    iterations: int
    is_solved: bool
    capacity: int
    gain_bps_per_sec: float
    horizon_secs: float
    def __init__(self, capacity: int) -> None: ...
    def solve(
        self,
        *,
        bid: Intensity,
        ask: Intensity | None = None,
        volatility: float,
        risk_aversion_per_bps: float,
        lots_long: int,
        lots_short: int,
        drift_bps_per_sec: float = 0.0,
    ) -> None: ...
    def start(
        self,
        *,
        bid: Intensity,
        ask: Intensity | None = None,
        volatility: float,
        risk_aversion_per_bps: float,
        lots_long: int,
        lots_short: int,
        drift_bps_per_sec: float = 0.0,
        terminal_cost_bps: float = 0.0,
        terminal_risk_bps: float = 0.0,
    ) -> None: ...
    def advance(self, secs: float) -> None: ...
    def bid_depth_bps(self, inventory_lots: float) -> float: ...
    def ask_depth_bps(self, inventory_lots: float) -> float: ...
    def value_bps(self, inventory_lots: int) -> float: ...
    def depths(self, bid_out: NDArray[np.float64], ask_out: NDArray[np.float64]) -> None: ...

def best_depths(
    reservation_bps: NDArray[np.float64],
    depth_out: NDArray[np.float64],
    gain_out: NDArray[np.float64],
    rate_out: NDArray[np.float64],
    *,
    intensity: Intensity,
) -> None: ...
