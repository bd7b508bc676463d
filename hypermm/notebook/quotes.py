"""Optimal quotes for notebooks: stationary, before a horizon, and in closed form.

Distances are bps of the fair price, volatility bps/sqrt(s), kappa and risk aversion 1/bps,
intensities 1/s, inventory lots of one order; `Units` converts. A depth is nan where a bound on the
inventory forbids the side.
"""

import math
from typing import TypedDict, Unpack

import numpy as np
from attrs import frozen
from numpy.typing import ArrayLike

from hypermm._core.glft import Solver
from hypermm._core.glft_closed import (
    alpha_shift_bps,
    asinh_depths,
    closed_form_quotes,
    finite_horizon_slope_bps,
    linear_depths,
    shorthand_quotes,
)
from hypermm._core.glft_closed import closed_form as _closed_form
from hypermm._core.glft_finite import FiniteHorizon
from hypermm._core.intensity import Intensity, PolicySolver, best_depths
from hypermm.notebook._arrays import Floats, floats, number, output

__all__ = [
    "ClosedForm",
    "FiniteHorizon",
    "Intensity",
    "Market",
    "PolicySolver",
    "Quotes",
    "Solver",
    "Surface",
    "Units",
    "alpha_shift_bps",
    "avellaneda_stoikov",
    "best_quotes",
    "closed_form",
    "closed_form_quotes",
    "finite_horizon_depths",
    "general_glft",
    "glft",
    "shorthand_quotes",
]


class _Sides(TypedDict, total=False):
    """What a market may have beyond the four numbers of its simplest form."""

    cost_bps: float
    drift_bps_per_sec: float
    impact_bps: float
    execution_risk_per_bps: float
    ask_intensity_per_sec: float | None
    ask_cost_bps: float | None


class Market(_Sides):
    """The market that `glft` takes."""

    volatility: float
    kappa_per_bps: float
    intensity_per_sec: float
    risk_aversion_per_bps: float


class _End(Market, total=False):
    """A market and what inventory left at the horizon costs."""

    terminal_cost_bps: float
    terminal_risk_bps: float


@frozen(eq=False)
class Quotes:
    """Depths of the best bid and ask at each inventory.

    Parameters
    ----------
    inventory_lots : array of float64, shape (n,)
        Inventories, in lots of one order.
    bid_depth_bps, ask_depth_bps : array of float64, shape (n,)
        Distances from the fair price in bps, nan where a bound forbids the side.
    gain_bps_per_sec : float
        What quoting earns in the long run less the price of risk, in bps times lots per second;
        nan before a horizon.
    """

    inventory_lots: Floats
    bid_depth_bps: Floats
    ask_depth_bps: Floats
    gain_bps_per_sec: float


@frozen(eq=False)
class Surface:
    """Depths at each time before a horizon and each lot.

    Parameters
    ----------
    horizon_secs : array of float64, shape (n,)
        Times to the horizon.
    inventory_lots : array of float64, shape (m,)
        Lots from the lower bound to the upper.
    bid_depth_bps, ask_depth_bps, value_bps : array of float64, shape (n, m)
        Distances from the fair price in bps, and what the lots add to the value of holding none,
        in bps times lots.
    """

    horizon_secs: Floats
    inventory_lots: Floats
    bid_depth_bps: Floats
    ask_depth_bps: Floats
    value_bps: Floats


@frozen
class ClosedForm:
    """The constants of quotes far from any bound.

    Parameters
    ----------
    base_depth_bps : float
        Depth at a flat value function, costs included.
    slope_bps : float
        By how much one more lot lowers both quotes.
    rate_per_sec : float
        Rate at which inventory returns; 1/rate is the effective horizon.
    inventory_risk : float
        rho, dimensionless; with N the bound, closed forms need N rho**0.25 >= 3.
    kappa_per_bps : float
        Decay of fill intensity.
    """

    base_depth_bps: float
    slope_bps: float
    rate_per_sec: float
    inventory_risk: float
    kappa_per_bps: float

    def linear(self, inventory_lots: ArrayLike, *, shift_bps: float = 0.0) -> Quotes:
        """Return base + slope/2 +- (slope n - shift): right for small inventories."""
        return _linear(inventory_lots, self.base_depth_bps, self.slope_bps, shift_bps)

    def asinh(self, inventory_lots: ArrayLike) -> Quotes:
        """Return the form that grows with the log of a large inventory, as exact quotes do."""
        n = floats("inventory_lots", inventory_lots)
        bid, ask = np.empty(n.size), np.empty(n.size)
        asinh_depths(
            n,
            bid,
            ask,
            base_bps=self.base_depth_bps,
            kappa_per_bps=self.kappa_per_bps,
            inventory_risk=self.inventory_risk,
        )
        return Quotes(n, bid, ask, math.nan)

    def before(
        self, inventory_lots: ArrayLike, horizon_secs: float, *, terminal_slope_bps: float = 0.0
    ) -> Quotes:
        """Return the linear form before a horizon, whose slope rises as tanh(rate tau)."""
        slope = finite_horizon_slope_bps(
            slope_bps=self.slope_bps,
            rate_per_sec=self.rate_per_sec,
            horizon_secs=horizon_secs,
            terminal_slope_bps=terminal_slope_bps,
        )
        return _linear(inventory_lots, self.base_depth_bps, slope, 0.0)


def _linear(inventory_lots: ArrayLike, base: float, slope: float, shift: float) -> Quotes:
    n = floats("inventory_lots", inventory_lots)
    bid, ask = np.empty(n.size), np.empty(n.size)
    linear_depths(n, bid, ask, base_bps=base, slope_bps=slope, shift_bps=shift)
    return Quotes(n, bid, ask, math.nan)


@frozen
class Units:
    """Conversion between quote currency, fractions of the price, and bps.

    Parameters
    ----------
    fair_price : float
        Quote currency per base unit, > 0; 1 where numbers are fractions of the price.
    lot : float
        Base units of one order, > 0; its value in quote currency where `fair_price` is 1.

    Examples
    --------
    >>> units = Units(fair_price=50_000.0, lot=0.01)
    >>> units.kappa_per_bps(0.05), units.depth_bps(20.0), units.volatility_bps(7.5)
    (0.25, 4.0, 1.5)
    >>> units.risk_aversion_per_bps(0.002), units.gamma(0.0001)
    (0.0001, 0.002)
    """

    fair_price: float
    lot: float = 1.0

    def __attrs_post_init__(self) -> None:
        number("fair_price", self.fair_price, low=0.0, is_open=True)
        number("lot", self.lot, low=0.0, is_open=True)

    @property
    def bps(self) -> float:
        """One bps of the price, in its unit."""
        return self.fair_price * 1e-4

    def depth_bps(self, distance: float) -> float:
        """Return a distance, fee or drift in bps, from the price's unit."""
        return distance / self.bps

    def distance(self, depth_bps: float) -> float:
        """Return a depth in the price's unit."""
        return depth_bps * self.bps

    def volatility_bps(self, volatility: float) -> float:
        """Return volatility in bps/sqrt(s), from the price's unit per sqrt(s)."""
        return volatility / self.bps

    def kappa_per_bps(self, kappa: float) -> float:
        """Return a decay in 1/bps, from one per unit of price."""
        return kappa * self.bps

    def risk_aversion_per_bps(self, gamma: float) -> float:
        """Return the risk aversion of one lot in 1/bps, from gamma in one per quote currency."""
        return gamma * self.lot * self.bps

    def gamma(self, risk_aversion_per_bps: float) -> float:
        """Return gamma in one per quote currency."""
        return risk_aversion_per_bps / (self.lot * self.bps)

    def prices(self, quotes: Quotes) -> tuple[Floats, Floats]:
        """Return the prices of bids and asks."""
        bid = self.fair_price - self.bps * quotes.bid_depth_bps
        return bid, self.fair_price + self.bps * quotes.ask_depth_bps


def _lots(inventory_lots: ArrayLike | None, lots_long: int, lots_short: int) -> Floats:
    if inventory_lots is None:
        return np.arange(-lots_short, lots_long + 1.0)
    return floats("inventory_lots", inventory_lots)


def glft(
    inventory_lots: ArrayLike | None = None,
    *,
    lots_long: int,
    lots_short: int | None = None,
    bid_out: Floats | None = None,
    ask_out: Floats | None = None,
    **market: Unpack[Market],
) -> Quotes:
    """Return the optimal quotes of Gueant, Lehalle and Fernandez-Tapia: exact and stationary.

    Parameters
    ----------
    inventory_lots : array_like, optional
        Inventories, in lots; all lots within the bounds by default. Between lots depths are
        interpolated; outside the bounds the reducing side keeps the quote of the bound.
    lots_long, lots_short : int
        Bounds: inventory stays in [-lots_short, lots_long]; equal by default.
    bid_out, ask_out : array of float64, optional
        Receive the depths.
    volatility : float
        Of the fair price, in bps/sqrt(s), >= 0.
    kappa_per_bps, intensity_per_sec : float
        A quote at depth d is filled intensity exp(-kappa d) times a second, > 0.
    risk_aversion_per_bps : float
        Gamma times the size of one lot, in 1/bps, >= 0.
    execution_risk_per_bps : float
        0 (default) for the running inventory penalty, equal to the risk aversion for exponential
        utility.
    cost_bps, ask_cost_bps : float
        Fee plus adverse selection of a fill; of asks as of bids by default.
    ask_intensity_per_sec : float
        Of asks; as of bids by default.
    drift_bps_per_sec, impact_bps : float
        Drift of the fair price net of carry; jump of the mid against us with our own fill.

    Returns
    -------
    Quotes
        Depths in bps, relative accuracy 1e-14.

    Raises
    ------
    ValueError
        If a value is NaN or outside its domain.

    Notes
    -----
    ln(f[n]/f[n+1])/kappa + ln(1 + xi/kappa)/xi + cost + impact/2 below the fair price, f the
    lowest eigenvector of a tridiagonal matrix. Source: Gueant, Lehalle and Fernandez-Tapia
    (2013), theorem 2. `Solver` is the same without arrays, for loops.

    Examples
    --------
    >>> quotes = glft([-1, 0, 1], volatility=1.5, kappa_per_bps=0.25, intensity_per_sec=0.5,
    ...               risk_aversion_per_bps=0.075, lots_long=5)
    >>> quotes.bid_depth_bps.round(3).tolist(), quotes.ask_depth_bps.round(3).tolist()
    ([3.276, 4.724, 6.146], [6.146, 4.724, 3.276])
    """
    lots_short = lots_long if lots_short is None else lots_short
    solver = Solver(max(lots_long + lots_short, 1))
    solver.solve(lots_long=lots_long, lots_short=lots_short, **market)
    n = _lots(inventory_lots, lots_long, lots_short)
    bid, ask = output("bid_out", bid_out, n.size), output("ask_out", ask_out, n.size)
    if inventory_lots is None:  # every lot from bound to bound: one logarithm each
        solver.depths(bid, ask)
    else:
        solver.depths_at(n, bid, ask)
    gain = -solver.eigenvalue_per_sec / market["kappa_per_bps"]
    return Quotes(n, bid, ask, gain)


def finite_horizon_depths(
    horizon_secs: ArrayLike,
    *,
    lots_long: int,
    lots_short: int | None = None,
    payment_bps: float = 0.0,
    payment_secs: float = 0.0,
    **market: Unpack[_End],
) -> Surface:
    """Return the exact quotes of all lots at many times before one horizon.

    Parameters
    ----------
    horizon_secs : array_like
        Times to the horizon in seconds, >= 0, not decreasing.
    lots_long, lots_short : int
        Bounds, as for `glft`.
    payment_bps, payment_secs : float
        What each lot held pays once, such as 1e4 times an hourly funding rate, and how long before
        the horizon, in seconds.
    terminal_cost_bps, terminal_risk_bps : float
        Cost of n lots left at the horizon: cost |n| + risk n**2, in bps times lots, >= 0. To be
        flat in time the first is half the spread plus the taker fee.
    **market : float
        As for `glft`.

    Raises
    ------
    ValueError
        If a value is NaN or outside its domain, or times decrease.

    Notes
    -----
    v(tau) = exp(-M tau) v(0) by a series of positive terms: relative accuracy 1e-12. Far from the
    horizon the quotes differ from `glft`'s by about exp(-rate tau) of the skew, rate as in
    `ClosedForm`: 0.7 % at rate tau = 5, nothing beyond 45. Source: Gueant, Lehalle and
    Fernandez-Tapia (2013), theorem 1.

    Examples
    --------
    >>> surface = finite_horizon_depths([0.0, 10.0, 600.0], volatility=1.5, kappa_per_bps=0.25,
    ...     intensity_per_sec=0.5, risk_aversion_per_bps=0.075, lots_long=5)
    >>> surface.ask_depth_bps[:, 6].round(3).tolist()
    [4.0, 3.407, 3.276]
    """
    lots_short = lots_long if lots_short is None else lots_short
    times = floats("horizon_secs", horizon_secs, rule="increasing")
    if times.size:
        number("horizon_secs[0]", times[0], low=0.0)
    number("payment_secs", payment_secs, low=0.0)
    walk = FiniteHorizon(max(lots_long + lots_short, 1))
    walk.start(lots_long=lots_long, lots_short=lots_short, **market)
    lots = _lots(None, lots_long, lots_short)
    bid, ask, value = (np.empty((times.size, lots.size)) for _ in range(3))
    is_paid = payment_bps == 0.0
    for i, secs in enumerate(times.tolist()):
        if not is_paid and payment_secs <= secs:
            walk.advance(payment_secs - walk.horizon_secs)
            walk.pay(payment_bps)
            is_paid = True
        walk.advance(max(secs - walk.horizon_secs, 0.0))
        walk.depths(bid[i], ask[i])
        walk.values(value[i])
    return Surface(times, lots, bid, ask, value)


def general_glft(
    bid: Intensity,
    ask: Intensity | None = None,
    *,
    volatility: float,
    risk_aversion_per_bps: float,
    lots_long: int,
    lots_short: int | None = None,
    drift_bps_per_sec: float = 0.0,
) -> Quotes:
    """Return the stationary quotes for fill intensities of any family, at every lot.

    Parameters
    ----------
    bid, ask : Intensity
        Fills and costs of each side; of asks as of bids by default.
    volatility, risk_aversion_per_bps, lots_long, lots_short, drift_bps_per_sec
        As for `glft`.

    Raises
    ------
    ValueError
        If a value is NaN or outside its domain, or a power law lets a quote earn without end.

    Notes
    -----
    Policy iteration on g + gamma sigma**2 n**2/2 - mu n = H(th[n]-th[n+1]) + H(th[n]-th[n-1]).
    Source: Gueant (2017), "Optimal market making".

    Examples
    --------
    >>> quotes = general_glft(Intensity.logistic(1.5, -1.0, 0.8), volatility=0.5,
    ...                       risk_aversion_per_bps=0.1, lots_long=5)
    >>> quotes.bid_depth_bps.round(3).tolist()[5], round(quotes.gain_bps_per_sec, 4)
    (2.053, 1.9721)
    """
    lots_short = lots_long if lots_short is None else lots_short
    solver = PolicySolver(max(lots_long + lots_short, 1))
    solver.solve(
        bid=bid,
        ask=ask,
        volatility=volatility,
        risk_aversion_per_bps=risk_aversion_per_bps,
        lots_long=lots_long,
        lots_short=lots_short,
        drift_bps_per_sec=drift_bps_per_sec,
    )
    lots = _lots(None, lots_long, lots_short)
    bids, asks = np.empty(lots.size), np.empty(lots.size)
    solver.depths(bids, asks)
    return Quotes(lots, bids, asks, solver.gain_bps_per_sec)


def best_quotes(reservation_bps: ArrayLike, intensity: Intensity) -> tuple[Floats, Floats, Floats]:
    """Return the best depth for each reservation, what it earns, and how often it is filled.

    Parameters
    ----------
    reservation_bps : array_like
        What the value function loses by a fill, in bps.
    intensity : Intensity
        Fills and costs.

    Returns
    -------
    tuple of three arrays
        Depth in bps; the Hamiltonian in bps times lots per second; minus its derivative in 1/s.

    Raises
    ------
    ValueError
        If a value is not finite or nothing bounds what a quote earns.

    Examples
    --------
    >>> depth, gain, rate = best_quotes([0.0, 1.0], Intensity.exponential(0.5, 0.25))
    >>> depth.tolist(), rate.round(4).tolist()
    ([4.0, 5.0], [0.1839, 0.1433])
    """
    p = floats("reservation_bps", reservation_bps)
    depth, gain, rate = np.empty(p.size), np.empty(p.size), np.empty(p.size)
    best_depths(p, depth, gain, rate, intensity=intensity)
    return depth, gain, rate


def closed_form(
    *,
    volatility: float,
    kappa_per_bps: float,
    intensity_per_sec: float,
    risk_aversion_per_bps: float,
    execution_risk_per_bps: float = 0.0,
    cost_bps: float = 0.0,
    impact_bps: float = 0.0,
) -> ClosedForm:
    """Return the constants of the closed forms, for small inventories far from any bound.

    Parameters are those of `glft`.

    Raises
    ------
    ValueError
        If a value is NaN or outside its domain, or costs leave no fill intensity.

    Notes
    -----
    slope = sigma sqrt(g/(2 kappa A C)), rate = sqrt(2 kappa g A C) sigma. Source: Gueant, Lehalle
    and Fernandez-Tapia (2013), section 4; Gueant (2017), eqs 4.6 and 4.7.

    Examples
    --------
    >>> form = closed_form(volatility=0.3, kappa_per_bps=0.3, intensity_per_sec=0.9,
    ...                    risk_aversion_per_bps=0.01, execution_risk_per_bps=0.01)
    >>> round(form.slope_bps, 6), form.linear([0.0, 2.0]).bid_depth_bps.round(4).tolist()
    (0.067866, [3.3129, 3.4486])
    """
    constants = _closed_form(
        volatility=volatility,
        kappa_per_bps=kappa_per_bps,
        intensity_per_sec=intensity_per_sec,
        risk_aversion_per_bps=risk_aversion_per_bps,
        execution_risk_per_bps=execution_risk_per_bps,
        cost_bps=cost_bps,
        impact_bps=impact_bps,
    )
    return ClosedForm(*constants, kappa_per_bps)


def avellaneda_stoikov(
    inventory_lots: ArrayLike,
    *,
    volatility: float,
    kappa_per_bps: float,
    risk_aversion_per_bps: float,
    horizon_secs: float,
) -> Quotes:
    """Return the quotes of Avellaneda and Stoikov (2008), an expansion for short horizons.

    Parameters
    ----------
    inventory_lots : array_like
        Inventories, in lots.
    volatility, kappa_per_bps, risk_aversion_per_bps : float
        As for `glft`.
    horizon_secs : float
        Time to the horizon, >= 0, short against the effective horizon of `ClosedForm`.

    Raises
    ------
    ValueError
        If a value is NaN or outside its domain.

    Notes
    -----
    ln(1 + g/kappa)/g + g sigma**2 tau (1 +- 2n)/2, eqs 29 and 30 of the article.

    Examples
    --------
    >>> quotes = avellaneda_stoikov([0, 1], volatility=2.0, kappa_per_bps=1.5,
    ...                             risk_aversion_per_bps=0.1, horizon_secs=1.0)
    >>> quotes.bid_depth_bps.round(4).tolist()
    [0.8454, 1.2454]
    """
    constants = _closed_form(
        volatility=volatility,
        kappa_per_bps=kappa_per_bps,
        intensity_per_sec=1.0,
        risk_aversion_per_bps=risk_aversion_per_bps,
        execution_risk_per_bps=risk_aversion_per_bps,
    )
    tau = number("horizon_secs", horizon_secs, low=0.0)
    slope = risk_aversion_per_bps * volatility * volatility * tau
    return _linear(inventory_lots, constants[0], slope, 0.0)
