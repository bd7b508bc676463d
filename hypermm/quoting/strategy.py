"""What all strategies share: the market's values, costs, floor, levels and rounding.

A quote is never nearer to the fair price than the floor, never beyond the room that the limits
leave, never where it would take. A strategy of its own derives from `Strategy` and says how deep
the nearest quotes stand; the rest, and the explanation, comes with it.
"""

import math

from hypermm._core.glft import Solver
from hypermm._core.ladder import MAX_LEVELS, Ladder
from hypermm.errors import ConfigError
from hypermm.instrument import Instrument
from hypermm.quoting import caution as cautions
from hypermm.quoting.caution import Caution
from hypermm.quoting.market import (
    MarketView,
    adverse_bps,
    adverse_law,
    funding_shift_bps,
    signal_shift_bps,
)

MAX_RISK_AVERSION = 1000.0
MAX_COST_BPS = 1000.0
MAX_SOLVER_LOTS = 5000  # position limit over order size: rows of the solver a side

# Estimates beyond these say that nothing was measured; they are taken as the limit, where the
# solver still has an answer.
MIN_KAPPA_PER_BPS = 1e-4
MAX_KAPPA_PER_BPS = 100.0
MAX_COST_EXPONENT = 200.0  # kappa times cost: the log of the share of fills that a cost takes
MIN_INTENSITY_PER_SEC = 1e-9
MAX_INTENSITY_PER_SEC = 1e9
MAX_VOLATILITY = 1e5  # bps/sqrt(s)


class Strategy:
    """Quotes for one market, in one ladder that is filled anew each time.

    Parameters
    ----------
    instrument : Instrument
        Rules of the market.
    order_lots : int
        Most that one side quotes, all levels together, > 0: the solver's lot.
    position_limit_lots : int
        Limit of the position, at least `order_lots`: the solver's bound.
    risk_aversion : float
        Dimensionless, 0 to 1000: times the reference kappa it is the solver's, per lot.
    fee_bps : float
        Maker fee (a rebate is negative).
    min_depth_bps : float
        No quote is nearer to the fair price, >= 0.
    max_depth_bps : float
        Depth of the last level when the first stands at `min_depth_bps`.
    num_levels : int
        Levels a side; a strategy without `has_levels` quotes one.
    is_geometric : bool
        Levels spaced by a constant ratio, else by a constant step.
    flat_by_secs : int or None
        Second of the UTC day by which the position should be worked off.

    Raises
    ------
    ConfigError
        If a value is outside its domain.

    Attributes
    ----------
    solver : Solver
        The exact stationary solution for the present market.
    market : dict of str to float
        Volatility, kappa, intensity, risk aversion and cost that it was solved for.
    inventory : float
        Position in orders of the solver.
    caution : Caution
        What scaled risk aversion, half-spread and size in the last call.
    bid_depth_bps, ask_depth_bps : float
        Depth of the nearest quote in the last call, floor included, before rounding; nan where
        that side is not quoted.
    half_spread_bps, skew_bps : float
        Of the last call, before the floor: mean depth, and by how much both quotes are lower for
        the position; nan where a side is not quoted.
    is_floor_binding : bool
        Whether `min_depth_bps` moved a quote of the last call.
    """

    name = ""
    has_levels = False  # whether it quotes `num_levels` a side, or one
    sees_position = True  # whether the position may change its quotes

    def __init__(
        self,
        instrument: Instrument,
        *,
        order_lots: int,
        position_limit_lots: int,
        risk_aversion: float,
        fee_bps: float,
        min_depth_bps: float,
        max_depth_bps: float | None = None,
        num_levels: int = 1,
        is_geometric: bool = True,
        flat_by_secs: int | None = None,
    ) -> None:
        if not 0 < order_lots <= position_limit_lots:
            raise ConfigError(
                f"one order of {order_lots} lots does not fit the position limit of "
                f"{position_limit_lots} lots of {instrument.lot} {instrument.coin}",
                hint="raise max_absolute_position_size or lower target_liquidity",
            )
        bound = position_limit_lots // order_lots
        if bound > MAX_SOLVER_LOTS:
            raise ConfigError(
                f"the position limit is {bound} orders, more than {MAX_SOLVER_LOTS}",
                hint="raise target_liquidity or lower max_absolute_position_size",
            )
        if not 0.0 <= risk_aversion <= MAX_RISK_AVERSION:
            raise ConfigError(f"risk_aversion must be 0 to {MAX_RISK_AVERSION}: {risk_aversion}")
        if not abs(fee_bps) <= MAX_COST_BPS:
            raise ConfigError(f"fee_bps must be within {MAX_COST_BPS} bps of 0: {fee_bps}")
        if not 0.0 <= min_depth_bps < math.inf:
            raise ConfigError(f"min_depth_bps must be >= 0 and finite: {min_depth_bps}")
        if not 1 <= num_levels <= MAX_LEVELS:
            raise ConfigError(f"num_levels must be 1 to {MAX_LEVELS}: {num_levels}")
        if not self.has_levels:
            num_levels = 1
        ratio = 1.0
        if num_levels > 1:
            if max_depth_bps is None or not 0.0 < min_depth_bps < max_depth_bps < math.inf:
                raise ConfigError(
                    f"levels need 0 < min_depth_bps < max_depth_bps: "
                    f"{min_depth_bps}, {max_depth_bps}"
                )
            ratio = max_depth_bps / min_depth_bps
        self.instrument = instrument
        self.bound = bound
        self.order_lots = order_lots
        self.risk_aversion = risk_aversion
        self.fee_bps = fee_bps
        self.min_depth_bps = min_depth_bps
        self.depth_ratio = ratio
        self.num_levels = num_levels
        self.is_geometric = is_geometric
        self.flat_by_secs = flat_by_secs
        self.solver = Solver(2 * bound)
        self.market: dict[str, float] = {}
        self.inventory = 0.0
        self.caution = Caution()
        self._cautious_for: tuple[int, float, float, float] | None = None
        self._law = (0.0, math.inf)  # of the loss after a fill, in the last call
        self.view: MarketView | None = None  # of the last call that quoted
        self.ladder = Ladder(price_decimals=instrument.price_decimals, min_step=instrument.min_step)
        self._forget()

    def _forget(self) -> None:
        self.ladder.clear()
        self.view = None
        self.bid_depth_bps = self.ask_depth_bps = math.nan
        self.half_spread_bps = self.skew_bps = math.nan
        self.is_floor_binding = False

    def no_quotes(self) -> Ladder:
        """Return the strategy's ladder, emptied."""
        self._forget()
        return self.ladder

    def quote(
        self,
        view: MarketView,
        position_lots: int,
        buy_room_lots: int,
        sell_room_lots: int,
        *,
        is_reduce_only: bool,
    ) -> Ladder:
        """Fill the ladder for the present market and position.

        Parameters
        ----------
        view : MarketView
            What is known of the market. Where a value is nan or the market without our orders
            is crossed, there are no quotes.
        position_lots : int
            Signed position.
        buy_room_lots, sell_room_lots : int
            What the limits leave for more buying and more selling, everything that may still fill
            counted; below 0 counts as 0.
        is_reduce_only : bool
            Quote only the side that reduces the position, no more than the position in all.

        Returns
        -------
        Ladder
            The same object each time, valid until the next call.
        """
        best_bid, best_ask = view.best_bid, view.best_ask
        is_known = (
            view.fair_price > 0.0
            and view.volatility >= 0.0
            and view.kappa_per_bps > 0.0
            and view.kappa_reference_per_bps > 0.0
            and view.intensity_per_sec >= 0.0
        )
        if not is_known or (best_ask > 0 and best_bid >= best_ask):
            return self.no_quotes()
        buy_room = max(0, buy_room_lots)
        sell_room = max(0, sell_room_lots)
        if is_reduce_only:
            buy_room = min(buy_room, max(-position_lots, 0))
            sell_room = min(sell_room, max(position_lots, 0))
        self.view = view
        self._fit(view, position_lots)
        bid, ask = self.depths()
        wide, rate = self.widening_bps(), self.rate_per_sec
        raised = funding_shift_bps(view, rate) + signal_shift_bps(view, rate)
        sooner_bid, sooner_ask = self.horizon()
        self._note(
            bid + wide + sooner_bid - raised if buy_room else math.nan,
            ask + wide + sooner_ask + raised if sell_room else math.nan,
        )
        at_fair, decay_bps = self._law
        self.ladder.build(
            fair_price=view.fair_price,
            best_bid=best_bid,
            best_ask=best_ask,
            bid_depth_bps=self.bid_depth_bps,
            ask_depth_bps=self.ask_depth_bps,
            depth_ratio=self.depth_ratio,
            num_levels=self.num_levels,
            is_geometric=self.is_geometric,
            side_lots=int(self.order_lots * self.caution.size_fraction),
            bid_room_lots=buy_room,
            ask_room_lots=sell_room,
            kappa_per_bps=self.market["kappa_per_bps"],
            cost_bps=self.fee_bps,
            adverse_bps=at_fair,
            adverse_decay_bps=decay_bps,
            marginal_cost_bps=self.solver.marginal_cost_bps(self.inventory),
            slope_bps_per_lot=self._slope_bps() / self.order_lots,
        )
        return self.ladder

    def _fit(self, view: MarketView, position_lots: int) -> None:
        """Solve for the present market, its values clipped to where the solver has an answer."""
        self.inventory = position_lots / self.order_lots
        # Both figures move at every step where they scale nothing yet: there they are one value.
        jump_ratio, severity = view.jump_ratio, view.cascade_severity
        key = (
            view.volatility_regime,
            max(cautions.JUMP_RATIO_USUAL, jump_ratio),
            abs(self.inventory) / self.bound if self.sees_position else 0.0,
            severity if severity >= cautions.SEVERITY_LEAST else 0.0,
        )
        if key != self._cautious_for:
            self._cautious_for = key
            self.caution = cautions.assess(*key)
        self._law = law = adverse_law(view)
        self.market = market_of(
            view, self.risk_aversion * self.caution.multiplier, self.fee_bps, law
        )
        self.solver.solve(
            lots_long=self.bound, lots_short=self.bound, near_lots=self.inventory, **self.market
        )

    @property
    def rate_per_sec(self) -> float:
        """How fast the quotes of the present market work off a position."""
        market = self.market
        share = math.exp(-1.0 - market["kappa_per_bps"] * market["cost_bps"])
        return 2.0 * market["intensity_per_sec"] * share * math.sqrt(self.solver.inventory_risk)

    def widening_bps(self) -> float:
        """Return what a cascade's band adds to both depths: of the half-spread without costs."""
        if self.caution.widening == 1.0:
            return 0.0
        half_spread = self.solver.bid_depth_bps(0.0) - self.market["cost_bps"]
        return (self.caution.widening - 1.0) * half_spread

    def _note(self, bid: float, ask: float) -> None:
        """Keep what the last call found; the floor holds on top of the solution."""
        floor = self.min_depth_bps
        self.half_spread_bps = 0.5 * (bid + ask)
        self.skew_bps = 0.5 * (bid - ask)
        self.is_floor_binding = bid < floor or ask < floor
        self.bid_depth_bps = max(bid, floor)  # nan, no quotes, stays
        self.ask_depth_bps = max(ask, floor)

    def _slope_bps(self) -> float:
        """Cost of size in the choice of level sizes, in bps per order; 0 for the whole size."""
        return self.solver.slope_bps(self.inventory) if self.has_levels else 0.0

    # What a strategy says.

    def depths(self) -> tuple[float, float]:
        """Return the depths of the nearest bid and ask, costs included, in bps; nan for none.

        Called once for each decision, with `solver`, `market`, `inventory` and `view` set.
        """
        raise NotImplementedError

    def horizon(self) -> tuple[float, float]:
        """Return what being flat at a set time adds to the two depths, in bps."""
        return 0.0, 0.0


def market_of(
    view: MarketView, risk_aversion: float, fee_bps: float, law: tuple[float, float]
) -> dict[str, float]:
    """Return the solver's market for what is known, a risk aversion and an `adverse_law`."""
    kappa = _clipped(view.kappa_per_bps, MIN_KAPPA_PER_BPS, MAX_KAPPA_PER_BPS)
    at_fair, decay_bps = law
    cost = fee_bps
    if at_fair > 0.0:
        cost += adverse_bps(at_fair, decay_bps, 1.0 / kappa + fee_bps)
    if kappa * abs(cost) > MAX_COST_EXPONENT:
        kappa = MAX_COST_EXPONENT / abs(cost)
    reference = _clipped(view.kappa_reference_per_bps, MIN_KAPPA_PER_BPS, MAX_KAPPA_PER_BPS)
    return {
        "volatility": _clipped(view.volatility, 0.0, MAX_VOLATILITY),
        "kappa_per_bps": kappa,
        "intensity_per_sec": _clipped(
            view.intensity_per_sec, MIN_INTENSITY_PER_SEC, MAX_INTENSITY_PER_SEC
        ),
        "risk_aversion_per_bps": risk_aversion * reference,
        "cost_bps": cost,
    }


def _clipped(value: float, low: float, high: float) -> float:
    # Half the time of `min` and `max`, at every step.
    if value < low:
        return low
    if value > high:
        return high
    return value
