"""The strategies: from estimates and a position to a target ladder.

All four share the exact solver, the floor `min_depth_bps` and the same rounding; they differ in
how depths depend on the position and in how many levels they quote. A quote is never nearer to the
fair price than the floor, never beyond the room that the limits leave, never where it would take.
"""

import math
from typing import Protocol

from hypermm._core.glft import Solver
from hypermm._core.glft_closed import closed_form
from hypermm._core.ladder import MAX_LEVELS, Ladder
from hypermm.errors import ConfigError
from hypermm.instrument import Instrument

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


class MarketView(Protocol):
    """What a strategy reads of the estimates."""

    @property
    def fair_price(self) -> float:
        """Price units; nan without a valid book."""

    @property
    def best_bid(self) -> int:
        """Price units without our own orders; 0 if empty."""

    @property
    def best_ask(self) -> int:
        """Price units without our own orders; 0 if empty."""

    @property
    def volatility(self) -> float:
        """Of the fair price, bps/sqrt(s)."""

    @property
    def kappa_per_bps(self) -> float:
        """Decay of fill intensity with distance."""

    @property
    def kappa_reference_per_bps(self) -> float:
        """The same over a long memory: the unit of risk aversion."""

    @property
    def intensity_per_sec(self) -> float:
        """Fills per second of a quote at distance 0, one side."""


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
    cost_bps : float
        Cost of a fill: maker fee (a rebate is negative).
    min_depth_bps : float
        No quote is nearer to the fair price, >= 0.
    max_depth_bps : float
        Depth of the last level when the first stands at `min_depth_bps`.
    num_levels : int
        Levels a side.
    is_geometric : bool
        Levels spaced by a constant ratio, else by a constant step.

    Raises
    ------
    ConfigError
        If a value is outside its domain.

    Attributes
    ----------
    bid_depth_bps, ask_depth_bps : float
        Depth of the nearest quote in the last call, floor included, before rounding; nan where
        that side is not quoted.
    half_spread_bps, skew_bps : float
        Of the solution in the last call, before the floor: mean depth, and by how much both quotes
        are lower for the position; nan where a side is at its bound.
    is_floor_binding : bool
        Whether `min_depth_bps` moved a quote of the last call.
    """

    name = ""

    def __init__(
        self,
        instrument: Instrument,
        *,
        order_lots: int,
        position_limit_lots: int,
        risk_aversion: float,
        cost_bps: float,
        min_depth_bps: float,
        max_depth_bps: float | None = None,
        num_levels: int = 1,
        is_geometric: bool = True,
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
        if not abs(cost_bps) <= MAX_COST_BPS:
            raise ConfigError(f"cost_bps must be within {MAX_COST_BPS} bps of 0: {cost_bps}")
        if not 0.0 <= min_depth_bps < math.inf:
            raise ConfigError(f"min_depth_bps must be >= 0 and finite: {min_depth_bps}")
        if not 1 <= num_levels <= MAX_LEVELS:
            raise ConfigError(f"num_levels must be 1 to {MAX_LEVELS}: {num_levels}")
        ratio = 1.0
        if num_levels > 1:
            if max_depth_bps is None or not 0.0 < min_depth_bps < max_depth_bps < math.inf:
                raise ConfigError(
                    f"levels need 0 < min_depth_bps < max_depth_bps: "
                    f"{min_depth_bps}, {max_depth_bps}"
                )
            ratio = max_depth_bps / min_depth_bps
        self._ladder = Ladder(
            price_decimals=instrument.price_decimals, min_step=instrument.min_step
        )
        self._solver = Solver(2 * bound)
        self._order_lots = order_lots
        self._bound = bound
        self._risk_aversion = risk_aversion
        self._cost_bps = cost_bps
        self._max_kappa = min(MAX_KAPPA_PER_BPS, MAX_COST_EXPONENT / max(abs(cost_bps), 1e-3))
        self._market: dict[str, float] = {}
        self._inventory = 0.0  # in orders
        self._min_depth_bps = min_depth_bps
        self._ratio = ratio
        self._num_levels = num_levels
        self._is_geometric = is_geometric
        self._forget()

    def _forget(self) -> None:
        self._ladder.clear()
        self.bid_depth_bps = self.ask_depth_bps = math.nan
        self.half_spread_bps = self.skew_bps = math.nan
        self.is_floor_binding = False

    def no_quotes(self) -> Ladder:
        """Return the strategy's ladder, emptied."""
        self._forget()
        return self._ladder

    def quote(
        self,
        estimates: MarketView,
        position_lots: int,
        buy_room_lots: int,
        sell_room_lots: int,
        *,
        is_reduce_only: bool,
    ) -> Ladder:
        """Fill the ladder for the present market and position.

        Parameters
        ----------
        estimates : MarketView
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
        best_bid, best_ask = estimates.best_bid, estimates.best_ask
        is_known = (
            estimates.fair_price > 0.0
            and estimates.volatility >= 0.0
            and estimates.kappa_per_bps > 0.0
            and estimates.kappa_reference_per_bps > 0.0
            and estimates.intensity_per_sec >= 0.0
        )
        if not is_known or (best_ask > 0 and best_bid >= best_ask):
            return self.no_quotes()
        buy_room, sell_room = max(buy_room_lots, 0), max(sell_room_lots, 0)
        if is_reduce_only:
            buy_room = min(buy_room, max(-position_lots, 0))
            sell_room = min(sell_room, max(position_lots, 0))
        self._inventory = position_lots / self._order_lots
        self._fit(estimates)
        bid, ask = self._depths()
        self._note(bid if buy_room else math.nan, ask if sell_room else math.nan)
        self._ladder.build(
            fair_price=estimates.fair_price,
            best_bid=best_bid,
            best_ask=best_ask,
            bid_depth_bps=self.bid_depth_bps,
            ask_depth_bps=self.ask_depth_bps,
            depth_ratio=self._ratio,
            num_levels=self._num_levels,
            is_geometric=self._is_geometric,
            side_lots=self._order_lots,
            bid_room_lots=buy_room,
            ask_room_lots=sell_room,
            kappa_per_bps=self._market["kappa_per_bps"],
            cost_bps=self._cost_bps,
            marginal_cost_bps=self._solver.marginal_cost_bps(self._inventory),
            slope_bps_per_lot=self._slope_bps() / self._order_lots,
        )
        return self._ladder

    def _fit(self, estimates: MarketView) -> None:
        """Solve for the present market, its values clipped to where the solver has an answer."""
        kappa = max(min(estimates.kappa_per_bps, self._max_kappa), MIN_KAPPA_PER_BPS)
        reference = max(
            min(estimates.kappa_reference_per_bps, MAX_KAPPA_PER_BPS), MIN_KAPPA_PER_BPS
        )
        self._market = {
            "volatility": min(estimates.volatility, MAX_VOLATILITY),
            "kappa_per_bps": kappa,
            "intensity_per_sec": min(
                max(estimates.intensity_per_sec, MIN_INTENSITY_PER_SEC), MAX_INTENSITY_PER_SEC
            ),
            "risk_aversion_per_bps": self._risk_aversion * max(reference, MIN_KAPPA_PER_BPS),
            "cost_bps": self._cost_bps,
        }
        self._solver.solve(
            lots_long=self._bound, lots_short=self._bound, near_lots=self._inventory, **self._market
        )

    def _note(self, bid: float, ask: float) -> None:
        """Keep what the last call found; the floor holds on top of the solution."""
        floor = self._min_depth_bps
        self.half_spread_bps = 0.5 * (bid + ask)
        self.skew_bps = 0.5 * (bid - ask)
        self.is_floor_binding = bid < floor or ask < floor
        self.bid_depth_bps = max(bid, floor)  # nan, no quotes, stays when it stands first
        self.ask_depth_bps = max(ask, floor)

    def _depths(self) -> tuple[float, float]:
        """Depth of the nearest bid and ask before the floor, in bps; nan for none."""
        raise NotImplementedError

    def _slope_bps(self) -> float:
        """Cost of size in the choice of level sizes, in bps per order; 0 for the whole size."""
        return 0.0


class Symmetric(Strategy):
    """The solver's quotes of a flat position, whatever the position: one level a side."""

    name = "symmetric"

    def _depths(self) -> tuple[float, float]:
        return self._solver.bid_depth_bps(0.0), self._solver.ask_depth_bps(0.0)


class InventoryAware(Strategy):
    """The flat quotes, both lowered in proportion to the position by the closed form's slope."""

    name = "inventory_aware"

    def _depths(self) -> tuple[float, float]:
        _, slope, _, _ = closed_form(**self._market)
        skew = slope * self._inventory
        return self._solver.bid_depth_bps(0.0) + skew, self._solver.ask_depth_bps(0.0) - skew


class Glft(Strategy):
    """The solver's quotes for the present position: one level a side with the whole size."""

    name = "glft"

    def _depths(self) -> tuple[float, float]:
        return self._solver.bid_depth_bps(self._inventory), self._solver.ask_depth_bps(
            self._inventory
        )


class LadderStrategy(Glft):
    """Several levels a side: the first at the solver's quote, the others at a fixed spacing.

    Level 0 stands at the greater of the floor and the solver's quote; the others keep the spacing
    over `max_depth_bps / min_depth_bps`, so that the whole ladder moves with the solver.
    """

    name = "ladder"

    def _slope_bps(self) -> float:
        return self._solver.slope_bps(self._inventory)


STRATEGIES: dict[str, type[Strategy]] = {
    strategy.name: strategy for strategy in (Symmetric, InventoryAware, Glft, LadderStrategy)
}


def make_strategy(
    name: str,
    instrument: Instrument,
    *,
    order_lots: int,
    position_limit_lots: int,
    risk_aversion: float,
    num_levels: int,
    min_depth_bps: float,
    max_depth_bps: float,
    is_geometric: bool,
    cost_bps: float,
) -> Strategy:
    """Make the strategy of this name; the shape of the ladder matters to `ladder` alone.

    Raises
    ------
    ConfigError
        If no strategy has this name, or a value is outside its domain (see `Strategy`).
    """
    if name not in STRATEGIES:
        raise ConfigError(
            f"strategy.strategy_type = {name!r} is none of {', '.join(STRATEGIES)}",
            hint="use ladder, the default",
        )
    is_ladder = name == LadderStrategy.name
    return STRATEGIES[name](
        instrument,
        order_lots=order_lots,
        position_limit_lots=position_limit_lots,
        risk_aversion=risk_aversion,
        cost_bps=cost_bps,
        min_depth_bps=min_depth_bps,
        max_depth_bps=max_depth_bps if is_ladder else None,
        num_levels=num_levels if is_ladder else 1,
        is_geometric=is_geometric,
    )
