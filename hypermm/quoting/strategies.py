"""The strategies by name, and how a strategy of the operator's own is found."""

import importlib

from hypermm._core.glft_closed import closed_form
from hypermm._core.glft_finite import FiniteHorizon
from hypermm.errors import ConfigError
from hypermm.quoting.strategy import Strategy

DAY_SECS = 86_400
TAKER_FEE_BPS = 4.5  # base tier: what is left at the end would be sold at market
HORIZON_LIVES = 5.0  # a horizon further away than so many lives of the inventory changes nothing
HORIZON_SECS_MAX = 900.0
HORIZON_ORDERS_MAX = 100  # position limit over order size where a horizon is solved for


class Symmetric(Strategy):
    """The solver's quotes of a flat position, whatever the position: one level a side."""

    name = "symmetric"
    sees_position = False

    def depths(self) -> tuple[float, float]:
        """Return the flat half-spread twice."""
        return self.solver.bid_depth_bps(0.0), self.solver.ask_depth_bps(0.0)


class InventoryAware(Strategy):
    """The flat quotes, both lowered in proportion to the position.

    By the closed form's slope, at most by that of the solution: where costs leave hardly any
    fills the closed form, which sees no bound, asks for thousands of bps.
    """

    name = "inventory_aware"

    def depths(self) -> tuple[float, float]:
        """Return the flat half-spread, more for the side that adds to the position."""
        slope = min(closed_form(**self.market)[1], self.solver.slope_bps(0.0))
        skew = slope * self.inventory
        return self.solver.bid_depth_bps(0.0) + skew, self.solver.ask_depth_bps(0.0) - skew


class Glft(Strategy):
    """The solver's quotes for the present position: one level a side with the whole size.

    With `flat_by_secs` the last minutes before that second of the day are solved exactly, with
    what it would cost to sell the rest at market as the price of a position at the end.
    """

    name = "glft"
    _finite: FiniteHorizon | None = None

    def depths(self) -> tuple[float, float]:
        """Return the stationary solution for the position."""
        return self.solver.bid_depth_bps(self.inventory), self.solver.ask_depth_bps(self.inventory)

    def horizon(self) -> tuple[float, float]:
        """Return by how much the solution with an end differs from the one without."""
        if self.flat_by_secs is None:
            return 0.0, 0.0
        assert self.view is not None
        now_secs = self.view.exch_now_ns * 1e-9
        left_secs = (self.flat_by_secs - now_secs) % DAY_SECS
        if left_secs > min(HORIZON_LIVES / max(self.rate_per_sec, 1e-9), HORIZON_SECS_MAX):
            return 0.0, 0.0
        if self._finite is None:
            if self.bound > HORIZON_ORDERS_MAX:
                raise ConfigError(
                    f"flat_by_utc needs a position limit of at most {HORIZON_ORDERS_MAX} orders: "
                    f"{self.bound}",
                    hint="raise target_liquidity or lower max_absolute_position_size",
                )
            self._finite = FiniteHorizon(2 * self.bound)
        half_spread = max(0.5 * self.view.spread_bps, 0.0)
        self._finite.start(
            lots_long=self.bound,
            lots_short=self.bound,
            terminal_cost_bps=half_spread + TAKER_FEE_BPS,
            is_stationary=False,
            **self.market,
        )
        self._finite.advance(left_secs)
        bid, ask = self.depths()
        return (
            self._finite.bid_depth_bps(self.inventory) - bid,
            self._finite.ask_depth_bps(self.inventory) - ask,
        )


class LadderStrategy(Glft):
    """Several levels a side: the first at the solver's quote, the others at a fixed spacing.

    Level 0 stands at the greater of the floor and the solver's quote; the others keep the spacing
    over `max_depth_bps / min_depth_bps`, so that the whole ladder moves with the solver.
    """

    name = "ladder"
    has_levels = True


STRATEGIES: dict[str, type[Strategy]] = {
    strategy.name: strategy for strategy in (Symmetric, InventoryAware, Glft, LadderStrategy)
}


def strategy_class(name: str) -> type[Strategy]:
    """Return the strategy of this name, or the operator's own at `module:Class`.

    Raises
    ------
    ConfigError
        If there is none, or what is there is no strategy.
    """
    if name in STRATEGIES:
        return STRATEGIES[name]
    module_name, colon, class_name = name.partition(":")
    if not colon:
        raise ConfigError(
            f"strategy.strategy_type = {name!r} is none of {', '.join(STRATEGIES)}",
            hint="use ladder, the default, or module:Class for a strategy of your own",
        )
    try:
        module = importlib.import_module(module_name)
    except Exception as error:  # a module of the operator's may raise anything
        raise ConfigError(
            f"strategy.strategy_type = {name!r}: module {module_name} cannot be imported: "
            f"{type(error).__name__}: {error}",
            hint="start in the folder that holds it, or add that folder to PYTHONPATH",
        ) from error
    found = getattr(module, class_name, None)
    if found is None:
        raise ConfigError(
            f"strategy.strategy_type = {name!r}: module {module_name} has no {class_name}"
        )
    if not (isinstance(found, type) and issubclass(found, Strategy)):
        raise ConfigError(
            f"strategy.strategy_type = {name!r}: {class_name} is no subclass of "
            "hypermm.quoting.Strategy"
        )
    if found.depths is Strategy.depths:
        raise ConfigError(f"strategy.strategy_type = {name!r}: {class_name} has no depths()")
    return found
