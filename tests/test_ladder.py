"""Ladders against their twin, expected numbers, and what must hold of every quote."""

import doctest
import math
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hypermm._core import ladder
from hypermm._core.ladder import (
    MAX_LEVELS,
    Ladder,
    level_depths,
    optimal_sizes,
    round_lots,
    round_price,
)
from hypermm.instrument import Instrument, print_decimal
from tests import oracle
from tests.reference import ladder as reference

DEPTH = st.one_of(st.just(math.nan), st.floats(0.0, 500.0))


def instrument_of(size_decimals, cap=None):
    return Instrument(coin="TEST", asset_id=0, size_decimals=size_decimals, decimals_cap=cap)


@st.composite
def laws(draw):
    """All that `build` takes, for any decimals class, with and without a market."""
    price_decimals = draw(st.integers(0, 6))
    fair_price = math.exp(draw(st.floats(0.0, math.log(1e6)))) * 10.0**price_decimals
    fair_price = max(fair_price / 10.0 ** draw(st.integers(0, price_decimals)), 3.0)
    half = draw(st.integers(1, 1000)) * fair_price * 1e-6
    best_bid = math.floor(fair_price - half)
    best_ask = math.ceil(fair_price + half)
    return {
        "price_decimals": price_decimals,
        "min_step": 10 ** draw(st.integers(0, price_decimals)),
        "fair_price": fair_price,
        "best_bid": draw(st.sampled_from([best_bid, 0])),
        "best_ask": draw(st.sampled_from([best_ask, 0])),
        "bid_depth_bps": draw(DEPTH),
        "ask_depth_bps": draw(DEPTH),
        "depth_ratio": draw(st.floats(1.0, 20.0)),
        "num_levels": draw(st.integers(1, 12)),
        "is_geometric": draw(st.booleans()),
        "side_lots": draw(st.integers(0, 10_000_000)),
        "bid_room_lots": draw(st.integers(0, 20_000_000)),
        "ask_room_lots": draw(st.integers(0, 20_000_000)),
        "kappa_per_bps": draw(st.floats(1e-3, 10.0)),
        "cost_bps": draw(st.floats(-2.0, 20.0)),
        "marginal_cost_bps": draw(st.floats(-50.0, 50.0)),
        "slope_bps_per_lot": draw(st.one_of(st.just(0.0), st.floats(1e-9, 10.0))),
    }


def built(law):
    """A ladder from a law, with what it should be."""
    law = dict(law)
    target = Ladder(price_decimals=law.pop("price_decimals"), min_step=law.pop("min_step"))
    target.build(**law)
    return target


@pytest.mark.parametrize("case", oracle.cases("ladder_levels", "levels"))
@pytest.mark.parametrize("spacing", ["geometric", "linear"])
def test_depths_have_the_spacing_asked_for(case, spacing):
    """From the first depth to the last, one level at the first."""
    out = np.empty(case["inputs"]["n"])

    level_depths(
        out,
        inner=case["inputs"]["dmin"],
        outer=case["inputs"]["dmax"],
        is_geometric=spacing == "geometric",
    )

    oracle.check(case, spacing, out.tolist())


@pytest.mark.parametrize("case", oracle.cases("ladder_levels", "optimal_sizes"))
def test_sizes_agree_with_high_precision(case):
    """Cumulative sizes of nested levels, pooled and clipped."""
    inputs = case["inputs"]
    out = np.empty(len(inputs["lam"]))

    optimal_sizes(
        np.array(inputs["lam"]),
        np.array(inputs["edge"]),
        out,
        curvature=inputs["a"],
        max_size=inputs["s_max"],
        inventory=inputs["q"],
    )

    oracle.check(case, "S", out.tolist())


@pytest.mark.parametrize("case", oracle.cases("ladder_rounding", "round_price"))
def test_rounded_prices_print_as_expected(case):
    """Character by character, for perpetual and spot decimals."""
    inputs = case["inputs"]
    decimals = inputs["max_decimals"] - inputs["szDecimals"]
    raw = inputs["x"] * 10.0**decimals

    bid = round_price(raw, side=1, price_decimals=decimals)
    ask = round_price(raw, side=-1, price_decimals=decimals)

    if inputs["max_decimals"] == 6:
        rule = instrument_of(inputs["szDecimals"])
        assert (rule.print_price(bid), rule.print_price(ask)) == (
            case["expected"]["bid"],
            case["expected"]["ask"],
        )
        assert rule.price_usd(bid) == case["expected"]["bid_float"]
    assert print_decimal(bid, decimals) == case["expected"]["bid"]
    assert print_decimal(ask, decimals) == case["expected"]["ask"]


@pytest.mark.parametrize("case", oracle.cases("ladder_rounding", "round_size"))
def test_rounded_sizes_print_as_expected(case):
    """Down, but 0.1 + 0.2 is 0.3."""
    decimals = case["inputs"]["szDecimals"]

    lots = round_lots(case["inputs"]["size"] * 10.0**decimals)

    assert instrument_of(decimals).print_size(lots) == case["expected"]["sz"]


@pytest.mark.parametrize("case", oracle.cases("ladder_levels", "finish_ladder"))
def test_finished_ladders_print_as_expected(case):
    """Round, clamp, cut to the room, merge, drop: in this order."""
    inputs = case["inputs"]
    rule = instrument_of(inputs["szDecimals"])
    unit, lot = 10.0**rule.price_decimals, 10.0**rule.size_decimals
    depth, lots = np.array(inputs["depth"]), np.array(inputs["size"]) * lot
    target = Ladder(price_decimals=rule.price_decimals, min_step=rule.min_step)

    target.fill(
        inputs["ref"] * (1.0 - depth - inputs["skew"]) * unit,
        inputs["ref"] * (1.0 + depth - inputs["skew"]) * unit,
        lots,
        lots,
        best_bid=round(inputs["best_bid"] * unit),
        best_ask=round(inputs["best_ask"] * unit),
        bid_room_lots=round_lots((inputs["q_max"] - inputs["q"]) * lot),
        ask_room_lots=round_lots((inputs["q_max"] + inputs["q"]) * lot),
        min_notional=round(inputs["min_notional"] * 10**6),
    )

    printed = {
        "bid_px": [rule.print_price(price) for price, _ in target.bids],
        "bid_sz": [rule.print_size(size) for _, size in target.bids],
        "ask_px": [rule.print_price(price) for price, _ in target.asks],
        "ask_sz": [rule.print_size(size) for _, size in target.asks],
    }
    assert printed == case["expected"]


@given(laws())
def test_a_ladder_agrees_with_its_reference(law):
    """Prices exactly; sizes to the lot that a last bit may move."""
    target = built(law)

    bids, asks = reference.build(**law)
    for levels, expected in ((target.bids, bids), (target.asks, asks)):
        assert [price for price, _ in levels] == [price for price, _ in expected]
        for (_, size), (_, wanted) in zip(levels, expected, strict=True):
            assert abs(size - wanted) <= 1


@given(laws())
def test_no_quote_crosses_and_every_one_is_allowed(law):
    """What the exchange would refuse or take never leaves the kernel."""
    target = built(law)

    rule = instrument_of(
        6 - law["price_decimals"], law["price_decimals"] - round(math.log10(law["min_step"]))
    )
    bids, asks = target.bids, target.asks
    assert bids == sorted(bids, key=lambda level: -level[0])
    assert asks == sorted(asks, key=lambda level: level[0])
    for levels, room in ((bids, law["bid_room_lots"]), (asks, law["ask_room_lots"])):
        assert len({price for price, _ in levels}) == len(levels) <= law["num_levels"]
        assert sum(size for _, size in levels) <= min(room, law["side_lots"])
        assert all(rule.is_allowed_price(price) for price, _ in levels)
        assert all(rule.is_above_minimum(price, size) for price, size in levels)
    if bids:
        assert bids[0][0] <= law["fair_price"] * (1.0 + 1e-9)
        assert not law["best_ask"] or bids[0][0] < law["best_ask"]
    if asks:
        assert asks[0][0] >= law["fair_price"] * (1.0 - 1e-9)
        assert asks[0][0] > law["best_bid"]
    if bids and asks:
        assert bids[0][0] < asks[0][0]
    assert target.bid_lots == sum(size for _, size in bids)
    assert len(target) == target.num_bids + target.num_asks == len(bids) + len(asks)


@given(
    st.lists(st.tuples(st.floats(0.05, 0.95), st.floats(-20.0, 40.0)), min_size=1, max_size=8),
    st.floats(0.01, 100.0), st.floats(0.0, 10.0), st.randoms(use_true_random=False),
)  # fmt: skip
def test_no_other_sizes_are_worth_more(levels, curvature, max_size, random):
    """The problem is concave: what beats every feasible neighbour is the optimum."""
    intensities = np.cumprod([ratio for ratio, _ in levels])
    edges = np.array([edge for _, edge in levels])
    best = np.empty(len(levels))

    optimal_sizes(intensities, edges, best, curvature=curvature, max_size=max_size)

    expected = reference.optimal_sizes(intensities, edges, curvature, max_size)
    np.testing.assert_allclose(best, expected, rtol=1e-9, atol=1e-9 * max_size)
    most = reference.utility(intensities, edges, curvature, best)
    for _ in range(20):
        scale = 10.0 ** random.uniform(-4.0, 0.0) * max(max_size, 1e-3)
        other = [random.gauss(size, scale) for size in best]
        other = np.clip(np.maximum.accumulate(other), 0.0, max_size)
        assert reference.utility(intensities, edges, curvature, other) <= most + 1e-9 * (
            1.0 + abs(most)
        )


@given(st.integers(0, 6), st.integers(1, 10**13), st.data())
def test_the_kernel_and_the_instrument_round_alike(size_decimals, price, data):
    """Two places know the rule: this one rounds what the other one allows."""
    cap = data.draw(st.integers(0, 6 - size_decimals))
    rule = instrument_of(size_decimals, cap)
    arguments = {"price_decimals": rule.price_decimals, "min_step": rule.min_step}

    assert round_price(float(price), side=1, **arguments) == rule.floor_price(price)
    assert round_price(float(price), side=-1, **arguments) == rule.ceil_price(price)


@given(st.floats(0.5, 1e12), st.integers(0, 6), st.integers(0, 6))
def test_rounding_agrees_with_its_reference(raw, decimals, coarse):
    """Raw prices between steps, near steps, below the first step."""
    min_step = 10 ** min(coarse, decimals)
    for side in (1, -1):
        got = round_price(raw, side=side, price_decimals=decimals, min_step=min_step)

        assert got == reference.round_price(raw, side, 10**decimals, min_step)


def test_crossing_a_power_of_ten_is_allowed():
    """9999.96 rounds up to 10000, whose own step is coarser."""
    assert round_price(99999.6, side=-1, price_decimals=1) == 100_000
    assert round_price(99999.6, side=1, price_decimals=1) == 99_999


def test_below_one_step_there_is_no_bid():
    """The price would be zero."""
    assert round_price(0.7, side=1, price_decimals=6) == 0
    assert round_price(0.7, side=-1, price_decimals=6) == 1


BTC = {
    "fair_price": 1_000_000.0,  # 100,000 USD at one decimal
    "best_bid": 999_990,
    "best_ask": 1_000_010,
    "bid_depth_bps": 5.0,
    "ask_depth_bps": 5.0,
    "depth_ratio": 10.0,
    "num_levels": 5,
    "is_geometric": True,
    "side_lots": 1000,
    "bid_room_lots": 5000,
    "ask_room_lots": 5000,
    "kappa_per_bps": 0.25,
}


def btc(**changes):
    target = Ladder(price_decimals=1)
    target.build(**BTC | changes)
    return target


def test_every_level_takes_its_share():
    """Five levels appear even where the optimum would put all into the first."""
    assert [size for _, size in btc().bids] == [200] * 5
    assert [size for _, size in btc(slope_bps_per_lot=1e-9).asks] == [200] * 5


def test_a_share_that_is_no_whole_lot_loses_nothing():
    """Cumulated lots are rounded, not each level's."""
    sizes = [size for _, size in btc(side_lots=1003).bids]

    assert sum(sizes) == 1003
    assert set(sizes) <= {200, 201}


def test_a_share_below_the_exchange_minimum_makes_fewer_levels():
    """One lot is 1 USD here: 25 lots make two orders of the minimum, not five refused ones."""
    assert [size for _, size in btc(side_lots=25).bids] == [11, 11]  # 10 lots are 9.995 USD
    assert btc(side_lots=10).bids == []


def test_the_room_cuts_from_far_to_near():
    """The nearest levels earn most; what is left goes to them first."""
    assert [size for _, size in btc(bid_room_lots=450).bids] == [200, 200, 50]
    assert btc(bid_room_lots=0).bids == []


def test_inventory_cost_thins_the_near_levels():
    """Where one more lot costs more than a near level earns, size stands deeper."""
    cheap = btc(slope_bps_per_lot=0.001, marginal_cost_bps=0.0).bids
    dear = btc(slope_bps_per_lot=0.01, marginal_cost_bps=10.0).bids

    assert sum(size for _, size in dear) <= sum(size for _, size in cheap)
    assert dear[0][0] < cheap[0][0]


def test_a_quote_through_the_market_stands_one_step_off_it():
    """Fair price far above the best ask: bids gather below it in one level, never crossing."""
    target = btc(best_bid=990_000, best_ask=990_100)

    assert target.bids == [(990_090, 1000)]
    assert target.asks[0][0] == 1_000_500


def test_both_depths_zero_do_not_cross_each_other():
    """Fair price on a step: the ask gives way."""
    target = btc(bid_depth_bps=0.0, ask_depth_bps=0.0, best_bid=0, best_ask=0, num_levels=1)

    assert target.bids == [(1_000_000, 1000)]
    assert target.asks == [(1_000_010, 1000)]


def test_levels_of_one_price_merge():
    """A coarse step makes one order of two."""
    target = btc(depth_ratio=1.01)

    assert target.bids == [(999_500, 200), (999_490, 800)]


def test_a_side_without_depth_is_empty():
    """nan is how the solver says that the bound is reached."""
    target = btc(bid_depth_bps=math.nan)

    assert target.bids == []
    assert target.num_asks == 5


def test_ladders_compare_by_their_levels():
    """The market they were made for does not count."""
    one, other = btc(), btc(best_bid=0)
    assert one == other
    other.clear()
    assert one != other
    assert len(other) == 0
    other.append(1, 999_000, 5)
    other.append(1, 998_000, 5)
    other.append(-1, 1_001_000, 5)
    assert (other.bids, other.asks) == ([(999_000, 5), (998_000, 5)], [(1_001_000, 5)])
    assert one != "ladder"


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("fair_price", (0.0, -1.0, math.nan, math.inf)),
        ("best_bid", (-1, 1_000_010)),
        ("bid_depth_bps", (-1.0, math.inf)),
        ("ask_depth_bps", (-1.0, math.inf)),
        ("depth_ratio", (0.5, math.nan, math.inf)),
        ("num_levels", (0, MAX_LEVELS + 1)),
        ("side_lots", (-1,)),
        ("bid_room_lots", (-1,)),
        ("kappa_per_bps", (0.0, math.nan)),
        ("cost_bps", (math.nan,)),
        ("marginal_cost_bps", (math.inf,)),
        ("slope_bps_per_lot", (-1.0, math.nan)),
        ("min_notional", (0,)),
    ],
)
def test_the_door_refuses(name, values):
    """NaN and values outside the domain do not reach the room."""
    target = btc()
    for value in values:
        with pytest.raises(ValueError):
            target.build(**BTC | {name: value})
    assert target == btc()


def test_other_doors_refuse():
    """Wrong order, wrong length, NaN."""
    one = np.ones(1)
    target = btc()
    with pytest.raises(ValueError, match="behind"):
        target.append(1, 999_900, 1)
    with pytest.raises(ValueError, match="side"):
        target.append(0, 1, 1)
    with pytest.raises(ValueError, match="size"):
        target.append(1, 1, 0)
    with pytest.raises(ValueError, match="crossed"):
        target.set_market(5, 5)
    with pytest.raises(ValueError, match="price_decimals"):
        Ladder(price_decimals=9)
    with pytest.raises(ValueError, match="min_step"):
        Ladder(price_decimals=1, min_step=3)
    with pytest.raises(ValueError, match="price"):
        round_price(math.nan, side=1, price_decimals=1)
    with pytest.raises(ValueError, match="lots"):
        round_lots(math.nan)
    with pytest.raises(ValueError, match="depths"):
        level_depths(one, inner=math.nan, outer=1.0, is_geometric=True)
    with pytest.raises(ValueError, match="decrease"):
        optimal_sizes(np.ones(2), np.ones(2), np.ones(2), curvature=1.0, max_size=1.0)
    with pytest.raises(ValueError, match="curvature"):
        optimal_sizes(one, one, one.copy(), curvature=math.nan, max_size=1.0)
    with pytest.raises(ValueError, match="finite"):
        target.fill(
            np.array([math.nan]), one, one, one,
            best_bid=0, best_ask=0, bid_room_lots=1, ask_room_lots=1,
        )  # fmt: skip


def test_a_full_side_says_so():
    """The memory is fixed."""
    target = Ladder(price_decimals=0)
    for i in range(MAX_LEVELS):
        target.append(-1, 100 + i, 1)

    with pytest.raises(OverflowError):
        target.append(-1, 1000, 1)


def test_building_allocates_nothing():
    """One pass over fixed memory."""
    target = btc()

    def work():
        target.build(**BTC)

    for _ in range(100):
        work()
    before = sys.getallocatedblocks()
    for _ in range(1000):
        work()

    assert sys.getallocatedblocks() - before < 10


def test_the_examples_hold():
    """Docstrings are read first; they must be true."""
    assert doctest.testmod(ladder).failed == 0


def test_a_loss_that_does_not_fade_is_a_cost_like_any_other():
    """Adverse selection without a decay moves sizes as the same number of bps of fees."""
    law = {"slope_bps_per_lot": 0.01, "marginal_cost_bps": 0.0}

    lossy, dear = btc(**law, adverse_bps=3.0), btc(**law, cost_bps=3.0)

    assert (lossy.bids, lossy.asks) == (dear.bids, dear.asks)
    assert lossy.bid_lots < btc(**law).bid_lots


def test_a_loss_that_fades_with_depth_leaves_size_to_the_far_levels():
    """Near fills lose, far ones do not: the near levels shrink first."""
    law = {"slope_bps_per_lot": 0.01, "marginal_cost_bps": 0.0}

    flat, fading = btc(**law, adverse_bps=4.0), btc(**law, adverse_bps=4.0, adverse_decay_bps=4.0)

    assert fading.bid_lots > flat.bid_lots


@pytest.mark.parametrize(
    "changes",
    [
        {"adverse_bps": -1.0},
        {"adverse_bps": float("nan")},
        {"adverse_bps": 1.0, "adverse_decay_bps": 0.0},
        {"adverse_bps": 1.0, "adverse_decay_bps": float("nan")},
    ],
)
def test_a_loss_outside_its_domain_is_refused(changes):
    """NaN too."""
    with pytest.raises(ValueError, match="adverse"):
        btc(**changes)
