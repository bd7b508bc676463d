"""What to do with inventory, and how much risk to shun, from the state of the market."""

import math
from typing import Unpack

from attrs import frozen

from hypermm._core.glft_finite import FiniteHorizon
from hypermm.notebook._arrays import number
from hypermm.notebook.quotes import ClosedForm, Market

__all__ = [
    "RiskScale",
    "inventory_half_life_secs",
    "is_liquidation_better",
    "scale_risk_aversion",
]


def inventory_half_life_secs(form: ClosedForm, *, execution_risk_per_bps: float = 0.0) -> float:
    """Return the time in which optimal quotes work half of a small inventory off, in seconds.

    Parameters
    ----------
    form : ClosedForm
        The market.
    execution_risk_per_bps : float
        As it was given to `closed_form`.

    Raises
    ------
    ValueError
        If the rate is 0: without risk nothing is worked off.

    Notes
    -----
    d E[n]/dt = -rate (1 + xi/kappa) n near zero.

    Examples
    --------
    >>> from hypermm.notebook.quotes import closed_form
    >>> form = closed_form(volatility=1.5, kappa_per_bps=0.25, intensity_per_sec=0.5,
    ...                    risk_aversion_per_bps=0.075)
    >>> round(inventory_half_life_secs(form), 3)
    5.564
    """
    number("rate_per_sec", form.rate_per_sec, low=0.0, is_open=True)
    risk = number("execution_risk_per_bps", execution_risk_per_bps, low=0.0)
    return math.log(2.0) / (form.rate_per_sec * (1.0 + risk / form.kappa_per_bps))


def is_liquidation_better(
    inventory_lots: int,
    *,
    horizon_secs: float,
    half_spread_bps: float,
    taker_fee_bps: float,
    lots_long: int,
    lots_short: int | None = None,
    **market: Unpack[Market],
) -> bool:
    """Say whether selling out at the market beats quoting until a horizon.

    Parameters
    ----------
    inventory_lots : int
        Position, within the bounds.
    horizon_secs : float
        Time by which to be flat, >= 0; what is left then goes at the market.
    half_spread_bps, taker_fee_bps : float
        Cost of going at the market, in bps per lot; their sum >= 0.
    lots_long, lots_short : int
        Bounds, as for `glft`.
    **market : float
        As for `glft`.

    Raises
    ------
    ValueError
        If a value is NaN or outside its domain.

    Notes
    -----
    theta(tau, n) - theta(tau, 0) < -(half spread + fee) |n|.

    Examples
    --------
    >>> market = dict(kappa_per_bps=0.25, intensity_per_sec=0.5, risk_aversion_per_bps=0.1)
    >>> costs = dict(horizon_secs=60.0, half_spread_bps=0.5, taker_fee_bps=4.5, lots_long=8)
    >>> is_liquidation_better(2, volatility=1.0, **market, **costs)
    False
    >>> is_liquidation_better(8, volatility=6.0, **market, **costs)
    True
    """
    lots_short = lots_long if lots_short is None else lots_short
    cost = half_spread_bps + taker_fee_bps
    walk = FiniteHorizon(max(lots_long + lots_short, 1))
    walk.start(lots_long=lots_long, lots_short=lots_short, terminal_cost_bps=cost, **market)
    walk.advance(number("horizon_secs", horizon_secs, low=0.0))
    return walk.value_bps(inventory_lots) < -cost * abs(inventory_lots)


@frozen
class RiskScale:
    """A risk aversion scaled by the state of the market, factor by factor.

    Parameters
    ----------
    volatility, toxicity, inventory, tail : float
        Factors, each >= 1.
    multiplier : float
        Their product, capped.
    risk_aversion : float
        The scaled one, in the unit it was given.
    is_pulled, is_killed : bool
        Whether the severity asks to pull all quotes, and to halt.
    """

    volatility: float
    toxicity: float
    inventory: float
    tail: float
    multiplier: float
    risk_aversion: float
    is_pulled: bool
    is_killed: bool


def scale_risk_aversion(
    risk_aversion: float,
    *,
    volatility_ratio: float = 1.0,
    jump_ratio: float = 1.0,
    inventory_ratio: float = 0.0,
    severity: float = 0.0,
    volatility_power: float = 1.0,
    volatility_cap: float = 4.0,
    jump_low: float = 1.5,
    jump_high: float = 3.0,
    toxicity_cap: float = 2.0,
    inventory_weight: float = 1.0,
    total_cap: float = 10.0,
) -> RiskScale:
    """Return a risk aversion raised by volatility, jumps, inventory and the tail.

    Parameters
    ----------
    risk_aversion : float
        Base value, >= 0, of any unit.
    volatility_ratio : float
        Present volatility over its base, >= 0.
    jump_ratio : float
        Realised over bipower variation, >= 0.
    inventory_ratio : float
        Inventory over its limit, of either sign.
    severity : float
        Of a cascade, 0 to 1.
    volatility_power, volatility_cap, jump_low, jump_high, toxicity_cap, inventory_weight, total_cap
        Shape of the factors: power >= 0, caps >= 1, jump_low < jump_high, weight >= 0.

    Raises
    ------
    ValueError
        If a value is NaN or outside its domain.

    Notes
    -----
    clip(vol tox inv tail, 1, cap): vol = clip(ratio**p, 1, cap); tox from 1 at `jump_low` to its
    cap at `jump_high`, linear; inv = 1 + w min(|u|, 1)**2; tail 1, 1.5 from severity 0.3, 2.5 from
    0.5; pull from 0.8, kill above 0.95. Volatility is in the solution already: the first factor is
    a second count of it, hence p = 1 and a cap.

    Examples
    --------
    >>> scale_risk_aversion(0.1, volatility_ratio=2.0, severity=0.4).risk_aversion
    0.30000000000000004
    """
    base = number("risk_aversion", risk_aversion, low=0.0)
    ratio = number("volatility_ratio", volatility_ratio, low=0.0)
    jump = number("jump_ratio", jump_ratio, low=0.0)
    used = number("inventory_ratio", inventory_ratio)
    tail_risk = number("severity", severity, low=0.0)
    power = number("volatility_power", volatility_power, low=0.0)
    cap = number("volatility_cap", volatility_cap, low=1.0)
    low = number("jump_low", jump_low, low=0.0)
    high = number("jump_high", jump_high, low=low, is_open=True)
    toxic_cap = number("toxicity_cap", toxicity_cap, low=1.0)
    weight = number("inventory_weight", inventory_weight, low=0.0)
    most = number("total_cap", total_cap, low=1.0)
    if tail_risk > 1.0:
        raise ValueError(f"severity must be 0 to 1: {severity}")
    # A power of a large ratio may overflow: it is beyond the cap in any case.
    log_vol = power * math.log(ratio) if ratio > 1.0 else 0.0
    vol = cap if log_vol >= math.log(cap) else max(ratio, 1.0) ** power
    tox = 1.0 + (toxic_cap - 1.0) * min(max((jump - low) / (high - low), 0.0), 1.0)
    inv = 1.0 + weight * min(abs(used), 1.0) ** 2
    tail = 1.0 if tail_risk < 0.3 else 1.5 if tail_risk < 0.5 else 2.5
    multiplier = min(max(vol * tox * inv * tail, 1.0), most)
    return RiskScale(
        volatility=vol,
        toxicity=tox,
        inventory=inv,
        tail=tail,
        multiplier=multiplier,
        risk_aversion=base * multiplier,
        is_pulled=tail_risk >= 0.8,
        is_killed=tail_risk > 0.95,
    )
