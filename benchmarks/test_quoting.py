"""From estimates to the difference of orders: each kernel against the same in plain Python."""

from timeit import repeat

import numpy as np
from scipy.linalg import eigh_tridiagonal

from hypermm._core.glft import Solver
from hypermm._core.ladder import Ladder
from hypermm._core.reconcile import Reconciler
from tests.reference import glft as plain_glft
from tests.reference import ladder as plain_ladder
from tests.reference import reconcile as plain_reconcile
from tests.test_quoting import View, strategy_of

# About a third of what was measured on two cores of a cloud machine (in brackets).
SMALL_GATE = 12.0  # (38; 0.70 us a solution with both depths, 0.35 of it the call from Python)
LARGE_GATE = 37.0  # (113; 2.4 us)
LAPACK_GATE = 9.0  # (28 at 12 lots, 29 at 100)
BUILD_GATE = 55.0  # (175; 0.63 us)
COMPARE_GATE = 55.0  # (175; 82 ns)
PATH_GATE = 19.0  # (58; 2.9 us)

VOLATILITIES = (1.5, 1.5015, 1.503, 1.5015)  # a tenth of a percent a step: how estimates move

LAW = {
    "fair_price": 1_000_000.0,
    "best_bid": 999_950,
    "best_ask": 1_000_050,
    "bid_depth_bps": 5.3,
    "ask_depth_bps": 6.1,
    "depth_ratio": 10.0,
    "num_levels": 5,
    "is_geometric": True,
    "side_lots": 1000,
    "bid_room_lots": 4000,
    "ask_room_lots": 6000,
    "kappa_per_bps": 0.25,
    "cost_bps": 1.5,
    "marginal_cost_bps": 0.4,
    "slope_bps_per_lot": 0.0015,
}


def gate(benchmark, fast, plain, at_least):
    """Time both in this process and hold their ratio."""
    benchmark(fast)
    plain_secs = min(repeat(plain, number=10, repeat=9)) / 10
    speedup = plain_secs / benchmark.stats["min"]
    benchmark.extra_info["speedup"] = round(speedup, 1)
    assert speedup >= at_least, f"{speedup:.1f} times, wanted {at_least}"


def solve_four_times(lots):
    """Four warm solutions and the depths at one inventory."""
    solver = Solver(2 * lots)

    def solve():
        for volatility in VOLATILITIES:
            solver.solve(
                volatility=volatility,
                kappa_per_bps=0.25,
                intensity_per_sec=0.5,
                risk_aversion_per_bps=0.075,
                lots_long=lots,
                lots_short=lots,
                cost_bps=1.5,
            )
            solver.bid_depth_bps(0.4)
            solver.ask_depth_bps(0.4)

    return solve


def solve_plainly(lots):
    def solve():
        for volatility in VOLATILITIES:
            solution = plain_glft.Solution(
                volatility=volatility,
                kappa=0.25,
                intensities=(0.5, 0.5),
                gamma=0.075,
                lots_long=lots,
                lots_short=lots,
                costs=(1.5, 1.5),
            )
            solution.bid_depth_bps(0.4)
            solution.ask_depth_bps(0.4)

    return solve


def solve_generally(lots):
    """The lowest eigenvector from LAPACK: what a general library offers."""
    n = np.arange(-lots, lots + 1.0)

    def solve():
        for volatility in VOLATILITIES:
            diagonal = 0.5 * 0.25 * 0.075 * volatility**2 * n**2
            side = np.full(2 * lots, -0.5 * np.exp(-1.0 - 0.25 * 1.5))
            vector = eigh_tridiagonal(diagonal, side, select="i", select_range=(0, 0))[1][:, 0]
            with np.errstate(all="ignore"):  # its tails underflow; ours do not
                np.log(vector[:-1] / vector[1:])

    return solve


def test_twelve_lots_against_plain_python(benchmark):
    gate(benchmark, solve_four_times(12), solve_plainly(12), SMALL_GATE)


def test_a_hundred_lots_against_plain_python(benchmark):
    gate(benchmark, solve_four_times(100), solve_plainly(100), LARGE_GATE)


def test_twelve_lots_against_a_general_eigensolver(benchmark):
    gate(benchmark, solve_four_times(12), solve_generally(12), LAPACK_GATE)


def test_a_hundred_lots_against_a_general_eigensolver(benchmark):
    gate(benchmark, solve_four_times(100), solve_generally(100), LAPACK_GATE)


def test_a_ladder_of_two_times_five_against_plain_python(benchmark):
    ladder = Ladder(price_decimals=1)

    def plain():
        plain_ladder.build(price_decimals=1, min_step=1, **LAW)

    gate(benchmark, lambda: ladder.build(**LAW), plain, BUILD_GATE)


def test_a_quiet_comparison_against_plain_python(benchmark):
    ladder, table = Ladder(price_decimals=1), Reconciler()
    ladder.build(**LAW)
    levels = [(1, *level) for level in ladder.bids] + [(-1, *level) for level in ladder.asks]
    live = {table.add(*level): (*level, i) for i, level in enumerate(levels)}
    bids, asks = ladder.bids, ladder.asks

    def plain():
        plain_reconcile.compare(live, bids, asks, 999_950, 1_000_050, 5.0)

    assert table.compare(ladder, 5.0) == 0
    gate(benchmark, lambda: table.compare(ladder, 5.0), plain, COMPARE_GATE)


def test_estimates_to_difference_against_plain_python(benchmark):
    """The whole path of a book that changes no order: solve, build, compare."""
    strategy = strategy_of("ladder")
    view, table = View(), Reconciler()
    ladder = strategy.quote(view, 400, 4600, 5400, is_reduce_only=False)
    table.compare(ladder, 5.0)
    live = {table.add(*place): (*place, i) for i, place in enumerate(table.places)}

    def fast():
        target = strategy.quote(view, 400, 4600, 5400, is_reduce_only=False)
        assert table.compare(target, 5.0) == 0

    def plain():
        solution = plain_glft.Solution(
            volatility=1.5,
            kappa=0.25,
            intensities=(0.5, 0.5),
            gamma=0.075,
            lots_long=5,
            lots_short=5,
            costs=(1.5, 1.5),
        )
        law = LAW | {
            "bid_depth_bps": solution.bid_depth_bps(0.4),
            "ask_depth_bps": solution.ask_depth_bps(0.4),
        }
        bids, asks = plain_ladder.build(price_decimals=1, min_step=1, **law)
        plain_reconcile.compare(live, bids, asks, 999_950, 1_000_050, 5.0)

    gate(benchmark, fast, plain, PATH_GATE)
