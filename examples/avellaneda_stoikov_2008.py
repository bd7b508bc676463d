"""Reproduce the simulation of Avellaneda and Stoikov (2008), tables 1 to 3 of the article.

    python examples/avellaneda_stoikov_2008.py --paths 4000

A maker quotes around the fair price for one unit of time, by inventory (the article's eqs 29 and
30) or symmetrically at the same average spread. Each printed figure carries the error of the
article's 1000 paths; the exit status is 1 if one differs by more than three standard errors.
"""

import argparse
import sys
from math import hypot, sqrt

import numpy as np
from attrs import frozen
from numpy.typing import NDArray

from hypermm.notebook.quotes import avellaneda_stoikov

VOLATILITY, KAPPA, INTENSITY = 2.0, 1.5, 140.0  # price/sqrt(time), 1/price, 1/time
HORIZON, STEP, START_PRICE = 1.0, 0.005, 100.0
STEPS = round(HORIZON / STEP)
PRINTED_PATHS = 1000

# gamma, strategy: spread, mean and s.d. of profit, s.d. of final inventory.
PRINTED = {
    (0.1, "inventory"): (1.49, 65.0, 6.6, 2.9),
    (0.1, "symmetric"): (1.49, 68.4, 12.7, 8.4),
    (0.01, "inventory"): (1.35, 68.6, 8.7, 5.1),
    (0.01, "symmetric"): (1.35, 68.8, 12.8, 8.7),
    (1.0, "inventory"): (3.02, 31.4, 5.0, 1.7),
    (1.0, "symmetric"): (3.02, 44.0, 11.0, 5.1),
}


@frozen
class Row:
    """One line of a table."""

    spread: float
    profit: float
    profit_sd: float
    inventory: float
    inventory_sd: float
    profit_kurtosis: float
    inventory_kurtosis: float
    paths: int

    def errors(self, printed: tuple[float, float, float, float]) -> tuple[float, float, float]:
        """Return how many standard errors the profit and both deviations are off."""
        _, profit, profit_sd, inventory_sd = printed
        share = hypot(1.0 / sqrt(PRINTED_PATHS), 1.0 / sqrt(self.paths))
        rounding = 0.05 / sqrt(3.0)  # of a figure with one decimal

        def of_deviation(deviation: float, kurtosis: float) -> float:
            return hypot(share * deviation * sqrt(kurtosis - 1.0) / 2.0, rounding)

        return (
            (self.profit - profit) / hypot(share * self.profit_sd, rounding),
            (self.profit_sd - profit_sd) / of_deviation(self.profit_sd, self.profit_kurtosis),
            (self.inventory_sd - inventory_sd)
            / of_deviation(self.inventory_sd, self.inventory_kurtosis),
        )


def simulate(
    gamma: float,
    strategy: str,
    *,
    paths: int,
    seed: int,
    is_spread_constant: bool = False,
    is_fill_exact: bool = False,
) -> Row:
    """Run all paths at once, step by step.

    The spread is the article's, or the preprint's constant one without the risk of what is held.
    A fill has probability lambda dt, as printed, or exactly 1 - exp(-lambda dt).
    """
    rng = np.random.default_rng(seed)
    price = np.full(paths, START_PRICE)
    cash, inventory = np.zeros(paths), np.zeros(paths)
    # Two quotes determine the linear law of all inventories: distance when flat, and slope.
    times = HORIZON - STEP * np.arange(STEPS)
    law = np.array([depths(gamma, tau) for tau in times])
    if is_spread_constant:
        law[:, 0] = depths(gamma, 0.0)[0]
    spread = 2.0 * law[:, 0].mean()
    for half, slope in law:
        skew = slope * inventory if strategy == "inventory" else 0.0
        half = half if strategy == "inventory" else spread / 2.0
        uniform = rng.random((3, paths))
        # The article fills with probability lambda dt, which is not small, instead of
        # 1 - exp(-lambda dt): profits are 4 to 12 % higher for it.
        fills = INTENSITY * STEP * np.exp(-KAPPA * np.array([half + skew, half - skew]))
        chances = -np.expm1(-fills) if is_fill_exact else fills
        is_bought, is_sold = (uniform[:2].T < chances.T).T
        cash += is_sold * (price + half - skew) - is_bought * (price - half - skew)
        inventory += is_bought
        inventory -= is_sold
        price += VOLATILITY * sqrt(STEP) * np.where(uniform[2] < 0.5, 1.0, -1.0)
    profit = cash + inventory * price
    return Row(
        spread=float(spread),
        profit=float(profit.mean()),
        profit_sd=float(profit.std(ddof=1)),
        inventory=float(inventory.mean()),
        inventory_sd=float(inventory.std(ddof=1)),
        profit_kurtosis=kurtosis(profit),
        inventory_kurtosis=kurtosis(inventory),
        paths=paths,
    )


def kurtosis(values: NDArray[np.float64]) -> float:
    """Return the fourth central moment over the squared second: 3 for a normal law."""
    centred = values - values.mean()
    return float((centred**4).mean() / (centred**2).mean() ** 2)


def depths(gamma: float, tau: float) -> tuple[float, float]:
    """Return the distance of both quotes when flat, and by how much a unit held lowers them.

    Every formula is the same with one unit of price instead of one bps.
    """
    quotes = avellaneda_stoikov(
        [0.0, 1.0],
        volatility=VOLATILITY,
        kappa_per_bps=KAPPA,
        risk_aversion_per_bps=gamma,
        horizon_secs=tau,
    )
    return quotes.bid_depth_bps[0], quotes.bid_depth_bps[1] - quotes.bid_depth_bps[0]


def main() -> int:
    """Print simulated beside printed figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--paths", type=int, default=4000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    out = sys.stdout.write
    out(f"{options.paths} paths; (article, of {PRINTED_PATHS} paths); errors in standard errors\n")
    worst = 0.0
    for (gamma, strategy), printed in PRINTED.items():
        row = simulate(gamma, strategy, paths=options.paths, seed=options.seed)
        errors = row.errors(printed)
        worst = max(worst, *map(abs, errors))
        out(
            f"gamma {gamma:<4} {strategy}  spread {row.spread:.2f} ({printed[0]:.2f})"
            f"  profit {row.profit:5.2f} ({printed[1]}) sd {row.profit_sd:5.2f} ({printed[2]})"
            f"  inventory {row.inventory:+.2f} sd {row.inventory_sd:.2f} ({printed[3]})"
            f"  off by {errors[0]:+.1f} {errors[1]:+.1f} {errors[2]:+.1f}\n"
        )
    return 1 if worst > 3.0 else 0


if __name__ == "__main__":
    raise SystemExit(main())
