"""Quotes before a horizon, for general intensities, and in closed form, against plain Python."""

from timeit import repeat

import numpy as np
from scipy.linalg import eigh_tridiagonal

from hypermm._core.glft import Solver
from hypermm._core.glft_closed import closed_form_quotes
from hypermm._core.glft_finite import FiniteHorizon
from hypermm._core.intensity import Intensity, PolicySolver
from tests.reference import glft as plain_glft
from tests.reference import glft_finite as plain_finite
from tests.reference import intensity as plain_intensity

# About a third of what was measured on two cores of a cloud machine (in brackets).
HORIZON_GATE = 220.0  # (680; 16 us, all 61 rows written)
SPECTRUM_GATE = 2.5  # (7.5)
POLICY_GATE = 25.0  # (77; 6.4 us, 50 us for the logistic law)
CLOSED_GATE = 1.0  # (3.2; 76 ns a call, and the timer around it)
COLD_GATE = 13.0  # (40; 7.3 us a solution of 500 lots)
WARM_GATE = 1.15  # (1.44; 5.0 us)

PAPER = {
    "volatility": 0.3,
    "kappa_per_bps": 0.3,
    "intensity_per_sec": 0.9,
    "risk_aversion_per_bps": 0.01,
}
SECS = 600.0


def compare(benchmark, fast, plain, at_least, number=10):
    """Time both in this process and hold their ratio."""
    benchmark(fast)
    plain_secs = min(repeat(plain, number=number, repeat=7)) / number
    speedup = plain_secs / benchmark.stats["min"]
    benchmark.extra_info["speedup"] = round(speedup, 1)
    assert speedup >= at_least, f"{speedup:.1f} times, wanted {at_least}"


def walk_to(secs, lots):
    """One solution at 600 s for all inventories, depths written."""
    walk = FiniteHorizon(2 * lots)
    out = np.empty(2 * lots + 1), np.empty(2 * lots + 1)

    def solve():
        walk.start(**PAPER, lots_long=lots, lots_short=lots)
        walk.advance(secs)
        walk.depths(*out)

    return solve


def test_thirty_lots_600_s_ahead_against_plain_python(benchmark):
    eta, alpha = 0.9 * np.exp(-1.0), 0.5 * 0.3 * 0.01 * 0.3**2

    def plain():
        plain_finite.series_in_floats(eta=eta, alpha=alpha, lots=30, secs=SECS)

    compare(benchmark, walk_to(SECS, 30), plain, HORIZON_GATE, number=1)


def test_thirty_lots_600_s_ahead_against_the_whole_spectrum(benchmark):
    """What a general library offers for one time: eigenvectors, then two products."""
    n = np.arange(-30, 31.0)
    diagonal, side = 0.5 * 0.3 * 0.01 * 0.3**2 * n**2, np.full(60, -0.9 * np.exp(-1.0))

    def plain():
        values, vectors = eigh_tridiagonal(diagonal, side)
        v = vectors @ (np.exp(-SECS * (values - values[0])) * vectors.sum(axis=0))
        np.log(v[:-1] / v[1:])

    compare(benchmark, walk_to(SECS, 30), plain, SPECTRUM_GATE)


def test_twelve_lots_of_a_general_intensity_against_plain_python(benchmark):
    solver, law = PolicySolver(24), Intensity.exponential(0.5, 0.25, cost_bps=1.5)

    def fast():
        solver.start(bid=law, volatility=1.5, risk_aversion_per_bps=0.01, lots_long=12,
                     lots_short=12)  # fmt: skip
        solver.solve(bid=law, volatility=1.5, risk_aversion_per_bps=0.01, lots_long=12,
                     lots_short=12)  # fmt: skip

    def plain():
        hamiltonian = plain_intensity.exponential_hamiltonian(0.5, 0.25)
        plain_intensity.stationary(hamiltonian, 0.5 * 0.01 * 1.5**2, 12)

    compare(benchmark, fast, plain, POLICY_GATE, number=1)


def test_twelve_lots_of_a_logistic_intensity(benchmark):
    """Cold: the value function is set to 0 before each solution."""
    solver, law = PolicySolver(24), Intensity.logistic(1.5, -1.0, 0.8)
    market = {"volatility": 0.5, "risk_aversion_per_bps": 0.1, "lots_long": 12, "lots_short": 12}

    def solve():
        solver.start(bid=law, **market)
        solver.solve(bid=law, **market)

    benchmark(solve)


def test_one_closed_quote_against_plain_python(benchmark):
    def plain():
        base, slope, _, _ = plain_glft.closed_form(
            volatility=1.5, kappa=0.25, intensity=0.5, gamma=0.075
        )
        plain_glft.linear_depths_bps(2.0, base, slope, 0.0)

    def fast():
        closed_form_quotes(2.0, 1.5, 0.25, 0.5, 0.075)

    compare(benchmark, fast, plain, CLOSED_GATE, number=1000)


def solve_stationary(lots, volatilities):
    solver = Solver(2 * lots)
    market = PAPER | {"lots_long": lots, "lots_short": lots}

    def solve():
        for volatility in volatilities:
            solver.solve(**market | {"volatility": volatility})

    return solve


def test_five_hundred_lots_against_the_lowest_eigenvector(benchmark):
    n = np.arange(-500, 501.0)
    diagonal, side = 0.5 * 0.3 * 0.01 * 0.3**2 * n**2, np.full(1000, -0.9 * np.exp(-1.0))

    def plain():
        for _ in range(2):
            eigh_tridiagonal(diagonal, side, select="i", select_range=(0, 0))

    compare(benchmark, solve_stationary(500, (0.3, 0.9)), plain, COLD_GATE, number=2)


def test_a_warm_start_saves_time(benchmark):
    """A tenth of a percent more volatility against a doubling of it, at 500 lots."""
    far = solve_stationary(500, (0.3, 0.9))

    compare(benchmark, solve_stationary(500, (0.3, 0.3003)), far, WARM_GATE)
