"""Optimal quotes against their twin, expected numbers, and what must hold of any of them."""

import doctest
import math
import sys
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.linalg import eigh_tridiagonal

from hypermm._core import glft, glft_closed
from hypermm._core.glft import Solver, base_depth_bps, log_intensity_factor, stationary_depths
from hypermm._core.glft_closed import (
    asinh_depths,
    closed_form,
    finite_horizon_slope_bps,
    linear_depths,
    shorthand_quotes,
)
from tests import oracle
from tests.reference import glft as reference

KAPPA = st.floats(1e-3, 1e6)
GAMMA = st.floats(1e-8, 10.0)
BTC_LIKE = {"volatility": 1.5, "kappa_per_bps": 0.25, "intensity_per_sec": 0.5}


def log_floats(low, high):
    return st.floats(math.log(low), math.log(high)).map(math.exp)


@st.composite
def markets(draw, *, has_drift=True):
    """Everything a solution takes, over the whole domain that production may see."""
    kappa = draw(log_floats(1e-3, 1e6))
    intensity = draw(log_floats(1e-3, 200.0))
    per_kappa = st.floats(-2.0, 2.0).map(lambda x: x / kappa)
    gamma = draw(st.one_of(st.just(0.0), log_floats(1e-8, 10.0)))
    lots_short = draw(st.integers(-3, 12))
    return {
        "volatility": draw(st.floats(0.0, 20.0)) / kappa * math.sqrt(intensity),
        "kappa_per_bps": kappa,
        "intensity_per_sec": intensity,
        "ask_intensity_per_sec": intensity * draw(log_floats(0.1, 10.0)),
        "risk_aversion_per_bps": gamma,
        "execution_risk_per_bps": draw(st.sampled_from([0.0, gamma])),
        "cost_bps": draw(per_kappa),
        "ask_cost_bps": draw(per_kappa),
        "drift_bps_per_sec": draw(per_kappa) * intensity if has_drift else 0.0,
        "impact_bps": draw(per_kappa),
        "lots_short": lots_short,
        "lots_long": draw(st.integers(max(-lots_short, 0), 15)),
    }


def solved(*, capacity=1000, **market):
    solver = Solver(capacity)
    solver.solve(**market)
    return solver


def twin_of(market):
    return reference.Solution(
        volatility=market["volatility"],
        kappa=market["kappa_per_bps"],
        intensities=(market["intensity_per_sec"], market["ask_intensity_per_sec"]),
        gamma=market["risk_aversion_per_bps"],
        xi=market["execution_risk_per_bps"],
        costs=(market["cost_bps"], market["ask_cost_bps"]),
        drift=market["drift_bps_per_sec"],
        impact=market["impact_bps"],
        lots_long=market["lots_long"],
        lots_short=market["lots_short"],
    )


def from_paper(inputs):
    """Translate a case in the papers' units: every formula is the same with one bps of price 1."""
    lot = inputs.get("Delta", 1.0)
    return {
        "volatility": inputs["sigma"],
        "kappa_per_bps": inputs["k"],
        "intensity_per_sec": inputs["A"],
        "ask_intensity_per_sec": inputs.get("A_a"),
        "risk_aversion_per_bps": inputs["gamma"] * lot,
        "execution_risk_per_bps": inputs.get("xi", inputs["gamma"]) * lot,
        "lots_long": inputs["n_max"],
        "lots_short": -inputs.get("n_min", -inputs["n_max"]),
        "cost_bps": inputs.get("fee_b", 0.0),
        "ask_cost_bps": inputs.get("fee_a", 0.0),
        "drift_bps_per_sec": inputs.get("mu", 0.0),
        "impact_bps": inputs.get("zeta", 0.0),
    }


def check_quotes(case, key, depth_at):
    """Compare quotes lot by lot; where none is expected there is none."""
    values = [depth_at(n) for n in case["expected"]["n"]]
    oracle.check(case, key, values)
    for value, wanted in zip(values, case["expected"][key], strict=True):
        assert math.isnan(value) == (wanted is None)


@pytest.mark.parametrize("case", oracle.cases("glft_elementary"))
def test_elementary_functions_keep_their_digits_at_extreme_arguments(case):
    """The literal formulas keep four digits at x = 1e-12 and none at 1e-16."""
    arguments = {
        "kappa_per_bps": case["inputs"]["k"],
        "execution_risk_per_bps": case["inputs"]["g"],
    }

    oracle.check(case, "d0", base_depth_bps(**arguments))
    oracle.check(case, "lnC", log_intensity_factor(**arguments))


@pytest.mark.parametrize("case", oracle.cases("glft_asymptotic") + oracle.cases("glft_variants"))
def test_stationary_quotes_agree_with_high_precision(case):
    """Drift, fees, impact, unequal sides and bounds, at all sizes."""
    market = from_paper(case["inputs"])
    solver = solved(**market)
    kappa, expected = market["kappa_per_bps"], case["expected"]
    decay = {
        "kappa_per_bps": kappa,
        "execution_risk_per_bps": market["execution_risk_per_bps"],
    }
    impact, log_c = 0.5 * market["impact_bps"], log_intensity_factor(**decay)

    check_quotes(case, "delta_bid", solver.bid_depth_bps)
    check_quotes(case, "delta_ask", solver.ask_depth_bps)
    oracle.check(case, "d0", base_depth_bps(**decay))
    for key, intensity, cost in (
        ("eta_bid", "intensity_per_sec", market["cost_bps"]),
        ("eta_ask", "ask_intensity_per_sec", market["ask_cost_bps"]),
    ):
        level = market[intensity] or market["intensity_per_sec"]
        oracle.check(case, key, level * math.exp(log_c - kappa * (cost + impact)))
    eta = math.sqrt(expected["eta_bid"]) * math.sqrt(expected["eta_ask"])
    oracle.check(case, "alpha", solver.inventory_risk * eta)
    if "mu_shift" in expected:
        oracle.check(case, "mu_shift", solver.level)
    if "eigenvalue" in expected:
        oracle.check(case, "eigenvalue", solver.eigenvalue_per_sec)


@pytest.mark.parametrize("case", oracle.cases("glft_units"))
def test_quotes_in_bps_are_those_in_currency(case):
    """The conversion of the house units, from quote currency per base unit to bps of the price."""
    expected = case["expected"]
    solver = solved(
        volatility=expected["sigma_bps"],
        kappa_per_bps=expected["kappa_per_bps"],
        intensity_per_sec=case["inputs"]["A"],
        risk_aversion_per_bps=expected["risk_aversion_per_bps"],
        execution_risk_per_bps=expected["risk_aversion_per_bps"],
        lots_long=case["inputs"]["n_max"],
        lots_short=case["inputs"]["n_max"],
    )

    check_quotes(case, "delta_bid_bps", solver.bid_depth_bps)
    check_quotes(case, "delta_ask_bps", solver.ask_depth_bps)


@pytest.mark.parametrize("case", oracle.cases("glft_closed"))
def test_closed_forms_agree_with_high_precision(case):
    """Linear, hyperbolic tangent, inverse sine and Avellaneda-Stoikov forms."""
    inputs, expected = case["inputs"], case["expected"]
    lot, kappa = inputs.get("Delta", 1.0), inputs["k"]
    gamma = inputs["gamma"] * lot
    execution_risk = inputs.get("xi", inputs["gamma"]) * lot
    base, slope, rate, rho = closed_form(
        volatility=inputs["sigma"],
        kappa_per_bps=kappa,
        intensity_per_sec=inputs["A"],
        risk_aversion_per_bps=gamma,
        execution_risk_per_bps=execution_risk,
        cost_bps=inputs["fee"],
        impact_bps=inputs["zeta"],
    )
    n, bid, ask = np.array([float(inputs["n"])]), np.empty(1), np.empty(1)

    oracle.check(
        case, "d0", base_depth_bps(kappa_per_bps=kappa, execution_risk_per_bps=execution_risk)
    )
    oracle.check(
        case,
        "C",
        math.exp(log_intensity_factor(kappa_per_bps=kappa, execution_risk_per_bps=execution_risk)),
    )
    oracle.check(case, "slope", slope / lot)  # per base unit
    oracle.check(case, "omega", rate)
    linear_depths(n, bid, ask, base_bps=base, slope_bps=slope, shift_bps=inputs["mu"] / rate)
    oracle.check(case, "lin_bid", bid[0])
    oracle.check(case, "lin_ask", ask[0])
    if "asinh_bid" in expected:
        asinh_depths(n, bid, ask, base_bps=base, kappa_per_bps=kappa, inventory_risk=rho)
        oracle.check(case, "asinh_bid", bid[0])
        oracle.check(case, "asinh_ask", ask[0])
    if "tanh_bid" in expected:
        finite = finite_horizon_slope_bps(
            slope_bps=slope,
            rate_per_sec=rate,
            horizon_secs=inputs["tau"],
            terminal_slope_bps=2.0 * inputs["ell2"] * lot,
        )
        linear_depths(n, bid, ask, base_bps=base, slope_bps=finite)
        oracle.check(case, "tanh_bid", bid[0])
        oracle.check(case, "tanh_ask", ask[0])
    if "as_bid" in expected:
        slope_by_expansion = gamma * inputs["sigma"] ** 2 * inputs["tau"]
        linear_depths(n, bid, ask, base_bps=expected["d0"], slope_bps=slope_by_expansion)
        oracle.check(case, "as_bid", bid[0])
        oracle.check(case, "as_ask", ask[0])


@pytest.mark.parametrize("case", oracle.cases("sop_formulas", "sop_quotes"))
def test_the_shorthand_is_the_printed_one(case):
    """Golden values of the operating procedures' formula, for comparison only."""
    inputs = case["inputs"]

    bid, ask = shorthand_quotes(
        case["expected"]["microprice"],
        gamma=inputs["gamma"],
        kappa=inputs["kappa"],
        volatility=inputs["sigma"],
        horizon_secs=inputs["T"],
        position=inputs["q"],
        position_limit=inputs["q_max"],
    )

    oracle.check(case, "bid", bid)
    oracle.check(case, "ask", ask)


@given(markets(), st.floats(-5.0, 17.0))
def test_the_solver_agrees_with_its_reference(market, inventory):
    """Every valid market gives the depths of the recursion in plain Python."""
    solver = solved(**market)

    twin = twin_of(market)
    scale = 1e-11 / market["kappa_per_bps"]
    for n in (inventory, *range(-market["lots_short"], market["lots_long"] + 1)):
        bid, ask = twin.bid_depth_bps(n), twin.ask_depth_bps(n)
        assert reference.is_close(solver.bid_depth_bps(n), bid, scale * (1.0 + abs(n)))
        assert reference.is_close(solver.ask_depth_bps(n), ask, scale * (1.0 + abs(n)))


@given(markets())
def test_depths_solve_the_stationary_equation(market):
    """One eigenvalue in every row with positive entries proves the lowest eigenvector."""
    solver = solved(**market)

    kappa = market["kappa_per_bps"]
    factor = log_intensity_factor(
        kappa_per_bps=kappa, execution_risk_per_bps=market["execution_risk_per_bps"]
    )
    impact = market["impact_bps"] / 2.0
    base = impact + base_depth_bps(
        kappa_per_bps=kappa, execution_risk_per_bps=market["execution_risk_per_bps"]
    )
    alpha = 0.5 * kappa * market["risk_aversion_per_bps"] * market["volatility"] ** 2
    beta = kappa * market["drift_bps_per_sec"]
    for n in range(-market["lots_short"], market["lots_long"] + 1):
        row = [alpha * n * n, -beta * n]
        for depth, cost, intensity in (
            (solver.bid_depth_bps(n), market["cost_bps"], market["intensity_per_sec"]),
            (solver.ask_depth_bps(n), market["ask_cost_bps"], market["ask_intensity_per_sec"]),
        ):
            if not math.isnan(depth):  # minus eta times the neighbour over this one
                log_ratio = kappa * (depth - base - cost)
                row.append(-intensity * math.exp(factor - kappa * (cost + impact) - log_ratio))
        terms = max(*map(abs, row), abs(solver.eigenvalue_per_sec))
        assert abs(sum(row) - solver.eigenvalue_per_sec) <= 1e-10 * terms


@pytest.mark.parametrize("lots", [1, 2, 12, 100, 500])
@pytest.mark.parametrize("kappa", [1e-3, 1.0, 1e6])
@pytest.mark.parametrize("gamma", [1e-8, 1e-3, 10.0])
@pytest.mark.parametrize("is_cara", [False, True])
def test_extremes_give_finite_quotes_that_fall_with_inventory(lots, kappa, gamma, is_cara):
    """Eigenvectors underflow here (f_n/f_0 = e**-5570 at n = 500); their ratios do not."""
    solver = solved(
        volatility=1.0,
        kappa_per_bps=kappa,
        intensity_per_sec=0.5,
        risk_aversion_per_bps=gamma,
        execution_risk_per_bps=gamma if is_cara else 0.0,
        lots_long=lots,
        lots_short=lots,
    )

    bids = [solver.bid_depth_bps(n) for n in range(-lots, lots)]
    asks = [solver.ask_depth_bps(-n) for n in range(-lots, lots)]
    assert all(map(math.isfinite, bids))
    assert bids == asks
    assert all(deeper >= nearer for nearer, deeper in pairwise(bids))


@given(log_floats(0.01, 30.0), st.integers(2, 30))
def test_mild_markets_agree_with_a_general_eigensolver(rho, lots):
    """Where the vector does not underflow, LAPACK finds the same one."""
    n = np.arange(-lots, lots + 1.0)
    vector = eigh_tridiagonal(rho * n**2, np.full(2 * lots, -1.0), select="i", select_range=(0, 0))[
        1
    ][:, 0]
    solver = solved(
        volatility=math.sqrt(2.0 * rho / math.e),
        kappa_per_bps=1.0,
        intensity_per_sec=1.0,
        risk_aversion_per_bps=1.0,
        lots_long=lots,
        lots_short=lots,
    )

    at_zero = math.log(vector[lots] / vector[lots + 1])

    assert solver.inventory_risk == pytest.approx(rho, rel=1e-14)
    assert solver.bid_depth_bps(0) - 1.0 == pytest.approx(at_zero, rel=1e-9)


@given(log_floats(1e-6, 1e6))
def test_one_lot_is_a_quadratic(rho):
    """At N = 1 the ratio is known in closed form."""
    solver = solved(
        volatility=math.sqrt(2.0 * rho / math.e),
        kappa_per_bps=1.0,
        intensity_per_sec=1.0,
        risk_aversion_per_bps=1.0,
        lots_long=1,
        lots_short=1,
    )

    log_ratio = math.log((rho + math.sqrt(rho * rho + 8.0)) / 2.0)

    assert solver.bid_depth_bps(0) == pytest.approx(1.0 + log_ratio, rel=1e-13)


@pytest.mark.parametrize("risk", [{"risk_aversion_per_bps": 0.0}, {"volatility": 0.0}])
def test_without_inventory_risk_only_the_bound_skews(risk):
    """The eigenvector of a box is a cosine."""
    market = {**BTC_LIKE, "risk_aversion_per_bps": 0.3, "lots_long": 10, "lots_short": 10} | risk
    solver = solved(**market)

    for n in range(-10, 10):
        here, above = (math.cos(math.pi * i / 22.0) for i in (n, n + 1))
        assert solver.bid_depth_bps(n) == pytest.approx(4.0 + 4.0 * math.log(here / above), 1e-12)


def test_without_room_there_are_no_quotes():
    """N = 0 has no states to move between; a slope is still the form without bounds."""
    solver = solved(**BTC_LIKE, risk_aversion_per_bps=0.1, lots_long=0, lots_short=0)

    assert math.isnan(solver.bid_depth_bps(0))
    assert math.isnan(solver.ask_depth_bps(0))
    assert solver.slope_bps() > 0.0


def test_the_paper_example():
    """Figures printed for sigma 0.3, A 0.9, k 0.3, gamma 0.01, Q 30."""
    market = {"volatility": 0.3, "kappa_per_bps": 0.3, "intensity_per_sec": 0.9}

    base, slope, rate, _ = closed_form(
        **market, risk_aversion_per_bps=0.01, execution_risk_per_bps=0.01
    )

    assert base == pytest.approx(3.278982, abs=1e-6)
    assert slope == pytest.approx(0.067866, abs=1e-6)
    assert 1.0 / rate == pytest.approx(75.4, abs=0.05)


@pytest.mark.parametrize(
    ("market", "spreads_and_skews"),
    [
        ((1.5, 0.25, 0.5), {0.1: (8.8, 0.8), 0.3: (9.5, 1.4), 0.5: (9.9, 1.9), 1.0: (10.8, 2.7)}),
        ((0.9, 0.4, 1.0), {0.1: (5.4, 0.4), 0.3: (5.6, 0.6), 0.5: (5.8, 0.8), 1.0: (6.1, 1.1)}),
        ((6.0, 0.07, 0.05), {0.1: (40, 11), 0.3: (51, 19), 0.5: (60, 24), 1.0: (75, 33)}),
    ],
    ids=["BTC-like", "faster", "small coin"],
)
def test_the_meaning_of_risk_aversion_is_the_documented_one(market, spreads_and_skews):
    """Spread when flat and shift of both quotes at one lot, N = 5."""
    volatility, kappa, intensity = market
    for risk_aversion, (spread, skew) in spreads_and_skews.items():
        solver = solved(
            volatility=volatility,
            kappa_per_bps=kappa,
            intensity_per_sec=intensity,
            risk_aversion_per_bps=risk_aversion * kappa,
            lots_long=5,
            lots_short=5,
        )

        precision = 0.5 if isinstance(spread, int) else 0.052  # as printed
        shift = 0.5 * (solver.bid_depth_bps(1) - solver.ask_depth_bps(1))
        assert 2.0 * solver.bid_depth_bps(0) == pytest.approx(spread, abs=precision)
        assert shift == pytest.approx(skew, abs=precision)


@given(
    log_floats(0.1, 20.0), log_floats(0.02, 2.0), log_floats(0.01, 3.0), st.integers(1, 20),
    log_floats(0.01, 1.0), st.floats(1.1, 5.0),
)  # fmt: skip
def test_the_flat_spread_widens_with_risk_aversion_and_volatility(
    volatility, kappa, intensity, lots, risk_aversion, factor
):
    """What the operating procedures promise; full exponential utility would break it."""

    def half_spread(*, risk=1.0, speed=1.0):
        return solved(
            volatility=speed * volatility,
            kappa_per_bps=kappa,
            intensity_per_sec=intensity,
            risk_aversion_per_bps=risk * risk_aversion * kappa,
            lots_long=lots,
            lots_short=lots,
            cost_bps=1.5,
        ).bid_depth_bps(0.0)

    assert half_spread() < half_spread(risk=factor)
    assert half_spread() < half_spread(speed=factor)


@given(markets(has_drift=False), st.integers(1, 12))
def test_equal_sides_are_symmetric_and_inventory_lowers_both_quotes(market, lots):
    """Flat means equal depths; longer means a deeper bid and a nearer ask."""
    market |= {"lots_long": lots, "lots_short": lots, "ask_intensity_per_sec": None}
    market["ask_cost_bps"] = None
    solver = solved(**market)

    inventories = np.linspace(-lots, lots, 8 * lots + 1)
    bids = [solver.bid_depth_bps(n) for n in inventories[:-1]]
    asks = [solver.ask_depth_bps(n) for n in inventories[1:]]
    tolerance = 1e-12 / market["kappa_per_bps"]
    assert solver.bid_depth_bps(0.0) == pytest.approx(solver.ask_depth_bps(0.0), abs=tolerance)
    assert all(later >= earlier - tolerance for earlier, later in pairwise(bids))
    assert all(later <= earlier + tolerance for earlier, later in pairwise(asks))
    assert solver.slope_bps(0.0) >= 0.0
    assert solver.marginal_cost_bps(0.0) == pytest.approx(0.0, abs=tolerance)


@given(markets(), log_floats(1e-3, 1e3), st.sampled_from(["bps", "secs"]))
def test_units_cancel(market, factor, unit):
    """Another unit of distance or of time is another way to say the same market."""
    other = dict(market)
    per_bps = {"kappa_per_bps", "risk_aversion_per_bps", "execution_risk_per_bps"}
    bps = {"cost_bps", "ask_cost_bps", "impact_bps"}
    if unit == "bps":
        other |= {key: market[key] * factor for key in bps | {"drift_bps_per_sec", "volatility"}}
        other |= {key: market[key] / factor for key in per_bps}
    else:
        for key in ("intensity_per_sec", "ask_intensity_per_sec", "drift_bps_per_sec"):
            other[key] = market[key] * factor
        other["volatility"] = market["volatility"] * math.sqrt(factor)
    scale = factor if unit == "bps" else 1.0

    one, two = solved(**market), solved(**other)

    for n in range(-market["lots_short"], market["lots_long"]):
        wanted = scale * one.bid_depth_bps(n)
        tolerance = 1e-12 * scale * (abs(wanted / scale) + 20.0 / market["kappa_per_bps"])
        assert two.bid_depth_bps(n) == pytest.approx(wanted, abs=tolerance, rel=0)


@given(markets(), markets())
def test_a_warm_start_does_not_change_the_answer(first, second):
    """The last eigenvalue is where the search begins, not where it ends."""
    cold, warm = solved(**second), solved(**first)
    warm.solve(**second)

    tolerance = 1e-11 / second["kappa_per_bps"]
    for n in range(-second["lots_short"], second["lots_long"] + 1):
        assert reference.is_close(warm.bid_depth_bps(n), cold.bid_depth_bps(n), tolerance)
        assert reference.is_close(warm.ask_depth_bps(n), cold.ask_depth_bps(n), tolerance)


def test_a_warm_start_saves_sweeps():
    """A small change of the market costs three sweeps or fewer beyond the check of the last."""
    market = BTC_LIKE | {"risk_aversion_per_bps": 0.075, "lots_long": 12, "lots_short": 12}
    solver = solved(**market)

    for step in (1.001, 1.002, 1.003):
        solver.solve(**market | {"volatility": 1.5 * step})

    assert solver.iterations == 1
    cold = solved(**market | {"volatility": 1.5 * 1.003})
    for lot in (-12.0, 0.0, 7.5):
        assert solver.bid_depth_bps(lot) == pytest.approx(cold.bid_depth_bps(lot), rel=1e-13)


def test_depths_of_many_inventories_are_those_of_each():
    """Between lots and outside the bounds as well; what is not finite is refused by its place."""
    solver = solved(**BTC_LIKE, risk_aversion_per_bps=0.1, lots_long=3, lots_short=2)
    at = np.array([-5.0, -2.0, 0.0, 0.3, 2.9, 3.0, 4.0])
    bid, ask = np.empty(at.size), np.empty(at.size)

    solver.depths_at(at, bid, ask)

    np.testing.assert_array_equal(bid, [solver.bid_depth_bps(x) for x in at])
    np.testing.assert_array_equal(ask, [solver.ask_depth_bps(x) for x in at])
    at[2] = math.nan
    with pytest.raises(ValueError, match=r"inventory_lots\[2\]"):
        solver.depths_at(at, bid, ask)
    with pytest.raises(ValueError, match="length 7"):
        solver.depths_at(at, bid[1:], ask)
    with pytest.raises(ValueError, match="solve"):
        Solver(3).depths_at(at, bid, ask)


@given(log_floats(1e-4, 1e3), st.floats(-300.0, 300.0))
def test_distant_bounds_can_be_left_out(rho, inventory):
    """Rows within reach keep their depths to 2e-14 and others are not made up."""
    market = {
        "volatility": math.sqrt(2.0 * rho / math.e),
        "kappa_per_bps": 1.0,
        "intensity_per_sec": 1.0,
        "risk_aversion_per_bps": 1.0,
        "lots_long": 400,
        "lots_short": 400,
    }
    whole, near = solved(**market), solved(**market, near_lots=inventory)

    wanted = whole.bid_depth_bps(inventory)
    assert near.bid_depth_bps(inventory) == pytest.approx(wanted, rel=0, abs=1e-13 * abs(wanted))
    assert near.marginal_cost_bps(inventory) == pytest.approx(wanted - 1.0, abs=20.0)
    far = near.bid_depth_bps(-399.0 if inventory > 0.0 else 399.0)
    assert math.isnan(far) or rho < 1e-2


def test_outside_the_bounds_the_reducing_side_keeps_the_quote_of_the_bound():
    """A limit may be lowered below the position: only the way back is quoted."""
    solver = solved(**BTC_LIKE, risk_aversion_per_bps=0.1, lots_long=3, lots_short=2)

    assert math.isnan(solver.bid_depth_bps(3.0))
    assert math.isnan(solver.bid_depth_bps(7.5))
    assert solver.ask_depth_bps(7.5) == solver.ask_depth_bps(3.0)
    assert math.isnan(solver.ask_depth_bps(-2.0))
    assert solver.bid_depth_bps(-9.0) == solver.bid_depth_bps(-2.0)


def test_a_batch_is_the_solver_row_by_row():
    """Notebooks get the numbers that production gets."""
    inventories = np.linspace(-6.0, 6.0, 25)
    bid, ask = np.empty(25), np.empty(25)
    market = BTC_LIKE | {"risk_aversion_per_bps": 0.1, "lots_long": 5, "lots_short": 5}

    stationary_depths(inventories, bid, ask, **market)

    solver = solved(**market)
    np.testing.assert_array_equal(bid, [solver.bid_depth_bps(n) for n in inventories])
    np.testing.assert_array_equal(ask, [solver.ask_depth_bps(n) for n in inventories])


@given(
    log_floats(0.01, 100.0), log_floats(1e-3, 1e3), log_floats(1e-3, 1e3), log_floats(1e-8, 10.0),
    st.floats(-30.0, 30.0), log_floats(1e-3, 1e5), st.floats(0.0, 5.0),
)  # fmt: skip
def test_closed_forms_agree_with_their_reference(
    volatility, kappa, intensity, gamma, n, horizon, terminal
):
    """The formulas as printed, in plain Python."""
    constants = closed_form(
        volatility=volatility,
        kappa_per_bps=kappa,
        intensity_per_sec=intensity,
        risk_aversion_per_bps=gamma,
        execution_risk_per_bps=gamma,
        cost_bps=0.1 / kappa,
    )
    base, slope, rate, rho = reference.closed_form(
        volatility=volatility, kappa=kappa, intensity=intensity, gamma=gamma, xi=gamma,
        cost=0.1 / kappa,
    )  # fmt: skip
    inventory, bid, ask = np.array([n]), np.empty(1), np.empty(1)

    assert constants == pytest.approx((base, slope, rate, rho), rel=1e-13)
    finite = finite_horizon_slope_bps(
        slope_bps=slope, rate_per_sec=rate, horizon_secs=horizon, terminal_slope_bps=terminal
    )
    assert finite == pytest.approx(
        reference.finite_horizon_slope_bps(slope, rate, horizon, terminal), rel=1e-13
    )
    linear_depths(inventory, bid, ask, base_bps=base, slope_bps=slope, shift_bps=0.5)
    scale = 1e-13 * (base + slope * 31.0 + 0.5)
    assert (bid[0], ask[0]) == pytest.approx(
        reference.linear_depths_bps(n, base, slope, 0.5), rel=0, abs=scale
    )
    asinh_depths(inventory, bid, ask, base_bps=base, kappa_per_bps=kappa, inventory_risk=rho)
    assert (bid[0], ask[0]) == pytest.approx(
        reference.asinh_depths_bps(n, base, kappa, rho), rel=1e-12, abs=1e-12 / kappa
    )


def test_the_shorthand_narrows_as_gamma_rises():
    """Why it is not used: the operating procedures promise the opposite."""

    def bid(gamma):
        return shorthand_quotes(
            1e4, gamma=gamma, kappa=2500.0, volatility=0.0, horizon_secs=0.0, position=0.0,
            position_limit=1.0,
        )[0]  # fmt: skip

    assert [round(1e4 - bid(gamma), 4) for gamma in (0.1, 0.3, 1.0)] == [3.9999, 3.9998, 3.9992]


def test_doors_refuse_what_has_no_answer():
    """NaN and values outside the domain stop at the door, each by its name."""
    good = BTC_LIKE | {"risk_aversion_per_bps": 0.1, "lots_long": 5, "lots_short": 5}
    solver = solved(**good)
    bad = {
        "volatility": (-1.0, math.nan, math.inf),
        "kappa_per_bps": (0.0, -1.0, math.nan, math.inf),
        "intensity_per_sec": (0.0, math.nan),
        "ask_intensity_per_sec": (0.0, math.nan),
        "risk_aversion_per_bps": (-1e-9, math.nan),
        "execution_risk_per_bps": (-1e-9, math.nan),
        "cost_bps": (math.nan, math.inf),
        "ask_cost_bps": (math.nan,),
        "drift_bps_per_sec": (math.nan,),
        "impact_bps": (math.nan,),
        "near_lots": (math.nan,),
    }
    for name, values in bad.items():
        for value in values:
            with pytest.raises(ValueError, match=name):
                solver.solve(**good | {name: value})
    for bounds in ((-6, 5), (600, 600)):
        with pytest.raises(ValueError, match="lots_long"):
            solver.solve(**good | {"lots_long": bounds[0], "lots_short": bounds[1]})
    with pytest.raises(ValueError, match="inventory"):
        solver.bid_depth_bps(math.nan)
    with pytest.raises(ValueError, match="capacity"):
        Solver(0)
    with pytest.raises(ValueError, match="solve"):
        Solver(1).bid_depth_bps(0.0)
    with pytest.raises(ValueError, match="inventory_lots"):
        stationary_depths(np.array([math.nan]), np.empty(1), np.empty(1), **good)
    with pytest.raises(ValueError, match="length"):
        stationary_depths(np.zeros(2), np.empty(1), np.empty(2), **good)


def test_intensity_that_costs_have_eaten_is_refused_and_forgotten():
    """e**-2500 of the fills is none: no number comes from it, and none from before."""
    solver = solved(**BTC_LIKE, risk_aversion_per_bps=0.1, lots_long=5, lots_short=5)

    with pytest.raises(ValueError, match="intensity after costs"):
        solver.solve(**BTC_LIKE, risk_aversion_per_bps=0.1, lots_long=5, lots_short=5, cost_bps=1e4)

    with pytest.raises(ValueError, match="solve"):
        solver.bid_depth_bps(0.0)


def test_closed_form_doors_refuse_nan():
    """Notebooks get an error, not a NaN that spreads."""
    one = np.zeros(1)
    with pytest.raises(ValueError, match="kappa"):
        base_depth_bps(kappa_per_bps=math.nan)
    with pytest.raises(ValueError, match="volatility"):
        closed_form(**BTC_LIKE | {"volatility": math.nan}, risk_aversion_per_bps=0.1)
    with pytest.raises(ValueError, match="after costs"):
        closed_form(**BTC_LIKE, risk_aversion_per_bps=0.1, cost_bps=1e5)
    with pytest.raises(ValueError, match="rate"):
        finite_horizon_slope_bps(slope_bps=1.0, rate_per_sec=math.nan, horizon_secs=1.0)
    with pytest.raises(ValueError, match="slope"):
        linear_depths(one, one.copy(), one.copy(), base_bps=1.0, slope_bps=math.nan)
    with pytest.raises(ValueError, match="inventory_risk"):
        asinh_depths(
            one, one.copy(), one.copy(), base_bps=1.0, kappa_per_bps=1.0, inventory_risk=math.nan
        )
    with pytest.raises(ValueError, match="position_limit"):
        shorthand_quotes(
            1.0, gamma=0.0, kappa=1.0, volatility=0.0, horizon_secs=0.0, position=0.0,
            position_limit=0.0,
        )  # fmt: skip


def test_solving_and_reading_allocate_nothing():
    """The table is made once; a message must not wait for the garbage collector."""
    solver = Solver(24)

    def work():
        solver.solve(
            volatility=1.5, kappa_per_bps=0.25, intensity_per_sec=0.5, risk_aversion_per_bps=0.1,
            lots_long=12, lots_short=12,
        )  # fmt: skip
        solver.bid_depth_bps(0.5)

    for _ in range(100):
        work()
    before = sys.getallocatedblocks()
    for _ in range(1000):
        work()

    assert sys.getallocatedblocks() - before < 10


@pytest.mark.parametrize("module", [glft, glft_closed])
def test_the_examples_hold(module):
    """Docstrings are read first; they must be true."""
    assert doctest.testmod(module).failed == 0


@given(
    st.integers(1, 40),
    st.integers(-3, 40),
    st.floats(1e-8, 10.0),
    st.floats(-0.5, 0.5),
    st.floats(0.2, 5.0),
)
def test_all_depths_at_once_are_those_of_each_lot(lots_long, lots_short, aversion, drift, asks):
    """One logarithm a lot, and half of them where the sides mirror each other."""
    if lots_long + lots_short < 0:
        lots_short = -lots_long
    solver = Solver(100)
    solver.solve(
        volatility=1.5,
        kappa_per_bps=0.25,
        intensity_per_sec=0.5,
        ask_intensity_per_sec=0.5 * asks,
        risk_aversion_per_bps=aversion,
        drift_bps_per_sec=drift,
        lots_long=lots_long,
        lots_short=lots_short,
        cost_bps=1.5,
        impact_bps=0.3,
    )
    lots = range(-lots_short, lots_long + 1)
    bid, ask = np.empty(len(lots)), np.empty(len(lots))

    solver.depths(bid, ask)

    np.testing.assert_allclose(bid, [solver.bid_depth_bps(n) for n in lots], rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(ask, [solver.ask_depth_bps(n) for n in lots], rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("lots", [1, 2, 30, 500])
def test_mirrored_depths_are_those_of_each_lot(lots):
    """Without drift and with equal sides the lower half follows from the upper one."""
    solver = Solver(2 * lots)
    solver.solve(
        volatility=1.5,
        kappa_per_bps=0.25,
        intensity_per_sec=0.5,
        risk_aversion_per_bps=0.075,
        lots_long=lots,
        lots_short=lots,
    )
    bid, ask = np.empty(2 * lots + 1), np.empty(2 * lots + 1)

    solver.depths(bid, ask)

    each = range(-lots, lots + 1)
    np.testing.assert_allclose(bid, [solver.bid_depth_bps(n) for n in each], rtol=1e-12)
    np.testing.assert_allclose(ask, [solver.ask_depth_bps(n) for n in each], rtol=1e-12)
    np.testing.assert_allclose(bid, ask[::-1], rtol=1e-15)


def test_depths_say_what_they_need():
    """A solution, every row of it, and arrays that fit."""
    solver = Solver(20)
    market = {
        "volatility": 1.5,
        "kappa_per_bps": 0.25,
        "intensity_per_sec": 0.5,
        "risk_aversion_per_bps": 10.0,
        "lots_long": 10,
        "lots_short": 10,
    }
    row = np.empty(21)
    with pytest.raises(ValueError, match="solve"):
        solver.depths(row, row.copy())
    solver.solve(**market)
    with pytest.raises(ValueError, match="must have length 21: 20, 21"):
        solver.depths(np.empty(20), row)
    solver.solve(**market, near_lots=0.0)
    if solver.bid_depth_bps(9.0) != solver.bid_depth_bps(9.0):  # rows far away were left out
        with pytest.raises(ValueError, match="near_lots"):
            solver.depths(row, row.copy())
