import numpy as np
from numpy.typing import NDArray

def closed_form(
    *,
    volatility: float,
    kappa_per_bps: float,
    intensity_per_sec: float,
    risk_aversion_per_bps: float,
    execution_risk_per_bps: float = 0.0,
    cost_bps: float = 0.0,
    impact_bps: float = 0.0,
) -> tuple[float, float, float, float]: ...
def closed_form_quotes(
    inventory_lots: float,
    volatility: float,
    kappa_per_bps: float,
    intensity_per_sec: float,
    risk_aversion_per_bps: float,
    execution_risk_per_bps: float = 0.0,
    cost_bps: float = 0.0,
    drift_bps_per_sec: float = 0.0,
    impact_bps: float = 0.0,
) -> tuple[float, float]: ...
def alpha_shift_bps(
    *, drift_bps_per_sec: float, rate_per_sec: float, life_secs: float = ...
) -> float: ...
def finite_horizon_slope_bps(
    *,
    slope_bps: float,
    rate_per_sec: float,
    horizon_secs: float,
    terminal_slope_bps: float = 0.0,
) -> float: ...
def linear_depths(
    inventory_lots: NDArray[np.float64],
    bid_out: NDArray[np.float64],
    ask_out: NDArray[np.float64],
    *,
    base_bps: float,
    slope_bps: float,
    shift_bps: float = 0.0,
) -> None: ...
def asinh_depths(
    inventory_lots: NDArray[np.float64],
    bid_out: NDArray[np.float64],
    ask_out: NDArray[np.float64],
    *,
    base_bps: float,
    kappa_per_bps: float,
    inventory_risk: float,
) -> None: ...
def shorthand_quotes(
    fair_price: float,
    *,
    gamma: float,
    kappa: float,
    volatility: float,
    horizon_secs: float,
    position: float,
    position_limit: float,
) -> tuple[float, float]: ...
