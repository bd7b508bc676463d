"""Reproduce the numerical examples of Gueant, Lehalle and Fernandez-Tapia (2013).

    python examples/glft_2013.py

For the parameters of the article's figures: quotes 600 s before the horizon, the stationary ones,
and the closed form, in ticks (every formula is the same with one tick instead of one bps).
"""

import sys

import numpy as np
from attrs import frozen

from hypermm.notebook.quotes import (
    ClosedForm,
    Quotes,
    Surface,
    closed_form,
    finite_horizon_depths,
    glft,
)

BOUND, HORIZON_SECS, GAMMA = 30, 600.0, 0.01
INVENTORIES = (-20, -10, -5, -2, -1, 0, 1, 2, 5, 10, 20)

# Figure: volatility in ticks/sqrt(s), intensity A in 1/s, decay k in 1/tick.
FIGURES = {
    "asymptotics, left": (0.4, 0.9, 0.3),
    "asymptotics, right": (1.0, 0.2, 0.3),
    "dependence on gamma, 1": (0.3, 0.9, 0.3),
    "dependence on gamma, 2": (0.6, 0.9, 0.9),
}


@frozen
class Example:
    """One figure: the same quotes three ways, at every lot from -30 to 30."""

    horizon: Surface
    stationary: Quotes
    constants: ClosedForm
    closed: Quotes


def solve(volatility: float, intensity: float, kappa: float) -> Example:
    """Compute a figure; risk aversion counts for execution too, as in the article."""
    market = {
        "volatility": volatility,
        "kappa_per_bps": kappa,
        "intensity_per_sec": intensity,
        "risk_aversion_per_bps": GAMMA,
        "execution_risk_per_bps": GAMMA,
    }
    constants = closed_form(**market)
    return Example(
        horizon=finite_horizon_depths([0.0, HORIZON_SECS], lots_long=BOUND, **market),
        stationary=glft(lots_long=BOUND, **market),
        constants=constants,
        closed=constants.linear(np.arange(-BOUND, BOUND + 1.0)),
    )


def main() -> int:
    """Print the figures as tables."""
    out = sys.stdout.write
    for name, parameters in FIGURES.items():
        example = solve(*parameters)
        volatility, intensity, kappa = parameters
        out(
            f"{name}: sigma={volatility} A={intensity} k={kappa} gamma={GAMMA} Q={BOUND}; "
            f"depth {example.constants.base_depth_bps:.6f} tick, "
            f"skew {example.constants.slope_bps:.6f} tick a unit, "
            f"effective horizon {1.0 / example.constants.rate_per_sec:.1f} s\n"
            "   q   bid T=600  stationary  closed      ask T=600  stationary  closed\n"
        )
        for q in INVENTORIES:
            i = q + BOUND
            bids = (
                example.horizon.bid_depth_bps[1, i],
                example.stationary.bid_depth_bps[i],
                example.closed.bid_depth_bps[i],
            )
            asks = (
                example.horizon.ask_depth_bps[1, i],
                example.stationary.ask_depth_bps[i],
                example.closed.ask_depth_bps[i],
            )
            out(f"{q:4d}  " + "  ".join(f"{x:9.6f}" for x in (*bids, *asks)) + "\n")
        out("\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
