"""Quotes before a horizon: expected numbers, the twin, the limits, and what must hold of any."""

import doctest
import math
import sys
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hypermm._core import glft_finite
from hypermm._core.glft import Solver
from hypermm._core.glft_finite import FiniteHorizon, finite_horizon_depths
from tests import oracle
from tests.reference import glft_finite as reference
from tests.test_glft import check_quotes, from_paper, log_floats

BTC_LIKE = {
    "volatility": 1.5,
    "kappa_per_bps": 0.25,
    "intensity_per_sec": 0.5,
    "risk_aversion_per_bps": 0.075,
    "lots_long": 5,
    "lots_short": 5,
}
UNIT = {
    "volatility": 1.0,
    "kappa_per_bps": 1.0,
    "intensity_per_sec": 1.0,
    "risk_aversion_per_bps": 1.0,
    "lots_long": 6,
    "lots_short": 6,
}


def walked(secs, *, capacity=1000, **market):
    walk = FiniteHorizon(capacity)
    walk.start(**market)
    walk.advance(secs)
    return walk


def bids(walk):
    return [walk.bid_depth_bps(n) for n in range(-walk.lots_short, walk.lots_long)]


def twin_log_ratios(secs, **market):
    names = {
        "kappa_per_bps": "kappa",
        "risk_aversion_per_bps": "gamma",
        "execution_risk_per_bps": "xi",
        "drift_bps_per_sec": "drift",
        "impact_bps": "impact",
        "terminal_cost_bps": "terminal_cost",
        "terminal_risk_bps": "terminal_risk",
    }
    bid = market.pop("intensity_per_sec")
    cost = market.pop("cost_bps", 0.0)
    sides = (bid, market.pop("ask_intensity_per_sec", None) or bid)
    costs = (cost, market.pop("ask_cost_bps", cost))
    return reference.log_ratios(
        secs=secs,
        intensities=sides,
        costs=costs,
        **{names.get(key, key): value for key, value in market.items()},
    )


def check_against_twin(secs, tolerance=1e-11, **market):
    walk = walked(secs, **market)

    wanted = twin_log_ratios(secs, **market)
    kappa = market["kappa_per_bps"]
    base = walked(0.0, **market).bid_depth_bps(-market["lots_short"])
    start = twin_log_ratios(0.0, **market)[0]
    got = [kappa * (depth - base) + start for depth in bids(walk)]
    scale = 1.0 + abs(kappa * base) + abs(start)
    for value, expected in zip(got, wanted, strict=True):
        assert abs(value - expected) <= tolerance * (scale + abs(expected))


@pytest.mark.parametrize("case", oracle.cases("glft_finite"))
def test_quotes_agree_with_high_precision(case):
    """Terminal costs, drift, impact, unequal sides and bounds, at all horizons."""
    inputs = case["inputs"]
    lot = inputs.get("Delta", 1.0)
    walk = walked(
        inputs["tau"],
        **from_paper(inputs),
        terminal_cost_bps=inputs.get("ell", 0.0),
        terminal_risk_bps=inputs.get("ell2", 0.0) * lot,
    )

    check_quotes(case, "delta_bid", walk.bid_depth_bps)
    check_quotes(case, "delta_ask", walk.ask_depth_bps)


@given(
    st.data(), log_floats(1e-3, 1e6), log_floats(1e-3, 200.0), log_floats(1e-8, 10.0),
    st.integers(0, 6), st.integers(-2, 4), log_floats(1e-3, 60.0),
)  # fmt: skip
@settings(max_examples=60)
def test_quotes_agree_with_a_series_of_decimals(
    data, kappa, intensity, gamma, lots, lots_short, mean_fills
):
    """Everything a solution takes, over the domain that production may see."""
    per_kappa = st.floats(-2.0, 2.0).map(lambda x: x / kappa)
    market = {
        "volatility": data.draw(st.floats(0.0, 5.0)) * math.sqrt(intensity / kappa / gamma),
        "kappa_per_bps": kappa,
        "intensity_per_sec": intensity,
        "ask_intensity_per_sec": intensity * data.draw(log_floats(0.1, 10.0)),
        "risk_aversion_per_bps": gamma,
        "execution_risk_per_bps": data.draw(st.sampled_from([0.0, gamma])),
        "cost_bps": data.draw(per_kappa),
        "ask_cost_bps": data.draw(per_kappa),
        "drift_bps_per_sec": data.draw(per_kappa) * intensity,
        "impact_bps": data.draw(per_kappa),
        "lots_long": max(lots, 1 - lots_short),
        "lots_short": lots_short,
        "terminal_cost_bps": abs(data.draw(per_kappa)),
        "terminal_risk_bps": abs(data.draw(per_kappa)),
    }

    check_against_twin(mean_fills / intensity, **market)


@pytest.mark.parametrize(
    ("secs", "changes"),
    [
        (5.0, {"terminal_cost_bps": 150.0}),
        (1e-3, {"terminal_risk_bps": 50.0}),
        (3.0, {"terminal_risk_bps": 500.0}),
        (0.2, {"volatility": 100.0}),
        (10.0, {"intensity_per_sec": 1e-6, "volatility": 10.0}),
        (0.5, {"lots_long": 60, "lots_short": 20, "terminal_cost_bps": 30.0}),
        (0.5, {"lots_long": 60, "lots_short": 20, "drift_bps_per_sec": 3.0}),
        (0.5, {"lots_long": 30, "lots_short": -5, "terminal_risk_bps": 3.0}),
    ],
)
def test_numbers_outside_the_range_of_doubles_keep_their_digits(secs, changes):
    """Components of e**-3000 and rates of 1e5 a second: the value function in logarithms."""
    check_against_twin(secs, **UNIT | changes)


@pytest.mark.parametrize(
    ("intensity", "volatility", "secs"), [(1e-9, 10.0, 40.0), (1e-6, 100.0, 3.0), (1.0, 300.0, 0.6)]
)
def test_tiny_intensities_against_risk_are_followed(intensity, volatility, secs):
    """Where the series would take millions of terms; here the early value is almost known.

    Before neighbours have caught up ln(v[n]/v[n+1]) is alpha (2n+1) tau, afterwards it is that of
    the stationary solution.
    """
    market = UNIT | {"intensity_per_sec": intensity, "volatility": volatility}
    walk = walked(secs, **market)
    solver = Solver(12)
    solver.solve(**market)

    for n in range(6):
        free = 0.5 * volatility**2 * (2 * n + 1) * secs
        stationary = solver.bid_depth_bps(n) - 1.0
        assert walk.bid_depth_bps(n) - 1.0 <= min(free, stationary) * (1.0 + 1e-9) + 1e-9
        if free > 3.0 * stationary:
            assert walk.bid_depth_bps(n) - 1.0 == pytest.approx(stationary, abs=1e-3)


@pytest.mark.parametrize("execution_risk", [0.0, 0.01])
@pytest.mark.parametrize("lots", [1, 12, 100, 500])
@pytest.mark.parametrize(("kappa", "gamma"), [(1e-3, 10.0), (0.3, 0.01), (1e6, 1e-8)])
def test_far_from_the_horizon_the_quotes_are_the_stationary_ones(
    lots, kappa, gamma, execution_risk
):
    """Both objectives; whatever cost waits at the end."""
    market = {
        "volatility": 0.3 / math.sqrt(kappa),
        "kappa_per_bps": kappa,
        "intensity_per_sec": 0.9,
        "risk_aversion_per_bps": gamma,
        "execution_risk_per_bps": execution_risk,
        "lots_long": lots,
        "lots_short": lots,
    }
    solver = Solver(2 * lots)
    solver.solve(**market)

    walk = walked(1e9, **market, terminal_cost_bps=0.3 / kappa)

    for n in range(-lots, lots):
        wanted = solver.bid_depth_bps(n)
        assert walk.bid_depth_bps(n) == pytest.approx(wanted, rel=1e-12, abs=1e-12 / kappa)
    assert walked(math.inf, **market).ask_depth_bps(0) == pytest.approx(solver.ask_depth_bps(0))


@given(st.floats(0.0, 30.0), st.floats(0.0, 30.0))
def test_two_walks_are_one(first, second):
    """exp(-M a) exp(-M b) = exp(-M (a+b)): a grid of horizons costs no accuracy."""
    once = walked(first + second, **BTC_LIKE)

    twice = walked(first, **BTC_LIKE)
    twice.advance(second)

    assert bids(twice) == pytest.approx(bids(once), rel=1e-12)
    assert twice.horizon_secs == first + second


def test_at_the_horizon_the_terminal_cost_is_all():
    """Quotes at tau = 0 are the cost of one lot more: computed without any step."""
    walk = walked(0.0, **BTC_LIKE, terminal_cost_bps=5.0, terminal_risk_bps=0.5)

    assert walk.bid_depth_bps(2) == pytest.approx(4.0 + 5.0 + 0.5 * 5, rel=1e-13)
    assert walk.ask_depth_bps(2) == pytest.approx(4.0 - 5.0 - 0.5 * 3, rel=1e-13)
    assert walk.value_bps(-3) == pytest.approx(-15.0 - 4.5, rel=1e-13)
    assert walk.value_bps(0) == 0.0
    values = np.empty(walk.lots_long + walk.lots_short + 1)
    walk.values(values)
    lots = range(-walk.lots_short, walk.lots_long + 1)
    np.testing.assert_array_equal(values, [walk.value_bps(n) for n in lots])


@given(st.floats(0.0, 100.0), st.floats(-5.0, 5.0))
def test_a_payment_moves_quotes_by_itself_and_is_forgotten(secs, payment):
    """v(t-) = v(t+) exp(-kappa payment n): exact, without any drift."""
    walk = FiniteHorizon(10)
    walk.start(**BTC_LIKE, is_stationary=True)
    before = bids(walk)

    walk.pay(payment)

    assert bids(walk) == pytest.approx([depth + payment for depth in before], rel=1e-12)
    walk.advance(secs)
    assert abs(walk.bid_depth_bps(0) - before[5]) <= abs(payment) + 1e-9
    walk.advance(1e6)
    assert bids(walk) == pytest.approx(before, rel=1e-12)


@given(st.floats(0.0, 1e3), log_floats(1e-3, 1e2))
def test_longer_inventory_lowers_both_quotes_and_flat_is_symmetric(secs, cost):
    """At every time before the horizon, whatever is left costs there."""
    walk = walked(secs, **BTC_LIKE, terminal_cost_bps=cost)

    depths = bids(walk)
    assert all(later >= earlier - 1e-11 * cost for earlier, later in pairwise(depths))
    for n in range(-5, 5):
        assert walk.ask_depth_bps(-n) == pytest.approx(
            walk.bid_depth_bps(n), rel=1e-9, abs=1e-12 * (1.0 + cost)
        )


def test_between_lots_and_outside_the_bounds_depths_follow_the_stationary_rules():
    """Interpolated between lots; outside only the way back, with the quote of the bound."""
    walk, solver = walked(1e9, **BTC_LIKE), Solver(10)
    solver.solve(**BTC_LIKE)

    for n in (-7.5, -5.0, -0.3, 2.75, 4.5, 5.0, 9.0):
        for mine, other in (
            (walk.bid_depth_bps(n), solver.bid_depth_bps(n)),
            (walk.ask_depth_bps(n), solver.ask_depth_bps(n)),
        ):
            assert mine == pytest.approx(other, rel=1e-12, nan_ok=True)


@pytest.mark.parametrize("secs", [0.0, 3.0, math.inf])
def test_without_room_there_are_no_quotes(secs):
    """One state has no neighbours."""
    walk = walked(secs, **BTC_LIKE | {"lots_long": 2, "lots_short": -2})

    assert math.isnan(walk.bid_depth_bps(2))
    assert math.isnan(walk.ask_depth_bps(2))
    assert walk.value_bps(2) == 0.0


def test_a_batch_is_the_walk_row_by_row():
    """Payment included; no time, no row."""
    times = np.array([0.0, 4.0, 4.0, 9.0])
    bid, ask = np.empty((4, 11)), np.empty((4, 11))

    finite_horizon_depths(times, bid, ask, **BTC_LIKE, payment_bps=1.25, payment_secs=5.0)

    walk, row = FiniteHorizon(10), (np.empty(11), np.empty(11))
    walk.start(**BTC_LIKE)
    walk.advance(4.0)
    walk.depths(*row)
    np.testing.assert_array_equal(bid[1], row[0])
    np.testing.assert_array_equal(ask[2], row[1])
    walk.advance(1.0)
    walk.pay(1.25)
    walk.advance(4.0)
    walk.depths(*row)
    np.testing.assert_array_equal(ask[3], row[1])
    finite_horizon_depths(np.empty(0), np.empty((0, 11)), np.empty((0, 11)), **BTC_LIKE)


def test_doors_refuse_what_has_no_answer():
    """NaN, values outside the domain, and arrays of another shape, each by its name."""
    walk = walked(1.0, **BTC_LIKE)
    for name in ("volatility", "kappa_per_bps", "intensity_per_sec", "terminal_cost_bps",
                 "terminal_risk_bps", "cost_bps"):  # fmt: skip
        with pytest.raises(ValueError, match=name):
            walk.start(**BTC_LIKE | {name: math.nan})
    with pytest.raises(ValueError, match="start"):
        walk.bid_depth_bps(0)
    walk.start(**BTC_LIKE)
    for name, call in (
        ("secs", lambda: walk.advance(-1.0)),
        ("secs", lambda: walk.advance(math.nan)),
        ("bps_per_lot", lambda: walk.pay(math.nan)),
        ("inventory_lots", lambda: walk.bid_depth_bps(math.nan)),
        ("inventory_lots", lambda: walk.ask_depth_bps(math.nan)),
        ("inventory_lots", lambda: walk.value_bps(6)),
        ("out must have length", lambda: walk.values(np.empty(3))),
        ("columns", lambda: walk.depths(np.empty(10), np.empty(11))),
        ("lots_long", lambda: walk.start(**BTC_LIKE | {"lots_long": -6})),
        ("is_stationary", lambda: walk.start(**BTC_LIKE, is_stationary=True, terminal_cost_bps=1)),
        ("capacity", lambda: FiniteHorizon(0)),
        ("capacity", lambda: FiniteHorizon(10_001)),
    ):
        with pytest.raises(ValueError, match=name):
            call()
    out = np.empty((2, 11))
    for match, times, changes in (
        (r"horizon_secs\[1\]", [1.0, math.nan], {}),
        (r"horizon_secs\[1\]", [1.0, 0.5], {}),
        (r"horizon_secs\[0\]", [-1.0, 0.5], {}),
        ("payment_secs", [0.0, 1.0], {"payment_secs": -1.0}),
        ("payment_bps", [0.0, 1.0], {"payment_bps": math.inf}),
        ("rows", [0.0], {}),
        ("columns", [0.0, 1.0], {"lots_long": 6}),
    ):
        with pytest.raises(ValueError, match=match):
            finite_horizon_depths(np.array(times), out, out.copy(), **BTC_LIKE | changes)
    read_only = out.copy()
    read_only.flags.writeable = False
    with pytest.raises(ValueError, match="read-only"):
        finite_horizon_depths(np.array([0.0, 1.0]), read_only, out, **BTC_LIKE)
    with pytest.raises(ValueError, match="dtype"):
        finite_horizon_depths(np.array([0, 1]), out, out, **BTC_LIKE)


def test_walking_and_reading_allocate_nothing():
    """The tables are made once."""
    walk, out = FiniteHorizon(10), (np.empty(11), np.empty(11))

    def work():
        walk.start(**BTC_LIKE)
        walk.advance(3.0)
        walk.depths(*out)

    for _ in range(100):
        work()
    before = sys.getallocatedblocks()
    for _ in range(10_000):
        work()

    assert sys.getallocatedblocks() - before < 10


def test_the_examples_hold():
    """Docstrings are read first; they must be true."""
    assert doctest.testmod(glft_finite).failed == 0
