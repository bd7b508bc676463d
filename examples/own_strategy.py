"""A strategy of one's own: the solver's quotes, with what adds to the position held back.

Run it from this folder, so that Python finds the module:

    cd examples
    python -m hypermm backtest synthetic --duration 10m -c own_strategy.toml
"""

import math

from hypermm.quoting import Strategy


class HeldBack(Strategy):
    """The solver's quotes; from half the limit on, the side that adds to the position is left out.

    `depths` is all that a strategy has to say. Costs, the cascade's band, funding, the floor, the
    levels, rounding, and every limit stand around it and cannot be switched off from here.
    """

    name = "held_back"
    has_levels = True  # a ladder of `num_levels` a side; without it one level

    def depths(self) -> tuple[float, float]:
        """Return the depth of the nearest bid and ask, in bps of the fair price; nan for none."""
        bid = self.solver.bid_depth_bps(self.inventory)
        ask = self.solver.ask_depth_bps(self.inventory)
        if self.inventory > 0.5 * self.bound:
            bid = math.nan
        if self.inventory < -0.5 * self.bound:
            ask = math.nan
        return bid, ask
