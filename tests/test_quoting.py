"""The strategies: what the operating procedures promise of quotes, on every kind of market."""

import math

import pytest
from attrs import evolve, frozen
from hypothesis import given
from hypothesis import strategies as st

from hypermm.errors import ConfigError
from hypermm.instrument import Instrument
from hypermm.quoting import MAX_SOLVER_LOTS, STRATEGIES, strategy_class

NAMES = sorted(STRATEGIES)
BTC = Instrument(coin="BTC", asset_id=0, size_decimals=5)  # one decimal, lots of 1e-5


@frozen
class View:
    """A market as the estimators would see it."""

    fair_price: float = 1_000_000.0
    mid: float = 1_000_000.0
    book_deviation_bps: float = 0.0
    flow_deviation_bps: float = 0.0
    kalman_deviation_bps: float = 0.0
    microprice_deviation_bps: float = 0.0
    spread_bps: float = 1.0
    volatility_regime: int = 0
    jump_ratio: float = 1.0
    cascade_severity: float = 0.0
    adverse_touch_bps: float = 0.0
    adverse_depth_bps: float = math.inf
    funding_rate_hourly: float = math.nan
    funding_secs: float = math.nan
    exch_now_ns: int = 0
    best_bid: int = 999_950
    best_ask: int = 1_000_050
    volatility: float = 1.5
    kappa_per_bps: float = 0.25
    kappa_reference_per_bps: float = 0.25
    intensity_per_sec: float = 0.5


def strategy_of(name, instrument=BTC, **changes):
    settings = {
        "order_lots": 1000,
        "position_limit_lots": 5000,
        "risk_aversion": 0.3,
        "num_levels": 5,
        "min_depth_bps": 1.0,
        "max_depth_bps": 10.0,
        "is_geometric": True,
        "fee_bps": 1.5,
    } | changes
    return strategy_class(name)(instrument, **settings)


def quote(strategy, view=None, position=0, rooms=(5000, 5000), *, is_reduce_only=False):
    return strategy.quote(view or View(), position, *rooms, is_reduce_only=is_reduce_only)


@st.composite
def views(draw):
    """Markets from liquid to hardly measured, books from tight to one-sided."""
    fair = math.exp(draw(st.floats(math.log(300.0), math.log(1e8))))
    half = draw(st.floats(1e-6, 5e-2)) * fair
    return View(
        fair_price=fair,
        best_bid=draw(st.sampled_from([0, max(math.floor(fair - half), 1)])),
        best_ask=draw(st.sampled_from([0, math.ceil(fair + half)])),
        volatility=draw(st.one_of(st.floats(0.0, 50.0), st.floats(0.0, 1e9))),
        kappa_per_bps=math.exp(draw(st.floats(-14.0, 7.0))),
        kappa_reference_per_bps=math.exp(draw(st.floats(-14.0, 7.0))),
        intensity_per_sec=draw(st.one_of(st.floats(0.0, 5.0), st.floats(0.0, 1e12))),
    )


def test_figures_below_their_bands_make_no_new_caution_and_at_them_do():
    """Severity and jump ratio move at every step; only what scales something may cost anything."""
    strategy = strategy_of("ladder")
    quote(strategy, View(cascade_severity=0.1, jump_ratio=1.1))
    usual = strategy.caution

    for severity, ratio in ((0.299, 1.2), (0.0, math.nan), (math.nan, 1.5)):
        quote(strategy, View(cascade_severity=severity, jump_ratio=ratio))
        assert strategy.caution is usual
    quote(strategy, View(cascade_severity=0.3))
    assert strategy.caution.tail == 1.5
    quote(strategy, View(jump_ratio=2.25))
    assert strategy.caution.toxicity == 1.5


@given(
    st.sampled_from(NAMES), views(), st.integers(0, 6), st.integers(-8000, 8000),
    st.tuples(st.integers(-10, 9000), st.integers(-10, 9000)), st.booleans(),
    st.floats(0.0, 100.0), st.sampled_from([-0.5, 0.0, 1.5, 30.0]),
)  # fmt: skip
def test_every_quote_can_be_placed(
    name, view, size_decimals, position, rooms, is_reduce_only, risk_aversion, fee
):
    """Allowed prices, post-only, above the minimum, inside the room: whatever the estimates say."""
    rule = Instrument(coin="TEST", asset_id=0, size_decimals=size_decimals)
    strategy = strategy_of(name, rule, risk_aversion=risk_aversion, fee_bps=fee)

    ladder = quote(strategy, view, position, rooms, is_reduce_only=is_reduce_only)

    for levels, room, reduces in (
        (ladder.bids, rooms[0], -position),
        (ladder.asks, rooms[1], position),
    ):
        assert all(rule.is_allowed_price(price) for price, _ in levels)
        assert all(rule.is_above_minimum(price, size) for price, size in levels)
        assert all(rule.parse_price(rule.print_price(price)) == price for price, _ in levels)
        total = sum(size for _, size in levels)
        assert total <= max(min(room, 1000), 0)
        if is_reduce_only:
            assert total <= max(reduces, 0)
    best_bid = ladder.bids[0][0] if ladder.bids else 0
    best_ask = ladder.asks[0][0] if ladder.asks else math.inf
    assert best_bid < best_ask
    assert best_bid < (view.best_ask or math.inf)
    assert best_ask > view.best_bid
    assert best_bid <= view.fair_price * (1.0 - 0.99e-4)
    assert best_ask >= view.fair_price * (1.0 + 0.99e-4)


@pytest.mark.parametrize("name", NAMES)
def test_a_flat_position_is_quoted_symmetrically(name):
    """Equal depths and sizes; the skew is zero."""
    strategy = strategy_of(name)

    ladder = quote(strategy)

    assert strategy.bid_depth_bps == pytest.approx(strategy.ask_depth_bps, rel=1e-12)
    assert strategy.skew_bps == pytest.approx(0.0, abs=1e-12)
    assert strategy.half_spread_bps == pytest.approx(strategy.bid_depth_bps)
    assert [size for _, size in ladder.bids] == [size for _, size in ladder.asks]
    assert ladder.num_bids == (5 if name == "ladder" else 1)


@pytest.mark.parametrize("name", ["inventory_aware", "glft", "ladder"])
@given(st.integers(-4900, 4900), st.integers(1, 3000))
def test_a_longer_position_lowers_both_quotes(name, position, more):
    """Buying gets dearer and selling cheaper, until the floor holds."""
    strategy = strategy_of(name, min_depth_bps=1e-3, max_depth_bps=1e-2)

    quote(strategy, position=position)
    bid, ask = strategy.bid_depth_bps, strategy.ask_depth_bps
    quote(strategy, position=position + more)

    assert not strategy.bid_depth_bps < bid
    assert not strategy.ask_depth_bps > ask
    if not strategy.is_floor_binding and position + more < 5000:
        assert strategy.bid_depth_bps > bid
        assert strategy.ask_depth_bps < ask


def test_the_symmetric_strategy_does_not_see_the_position():
    """It is the baseline that the others are compared with."""
    strategy = strategy_of("symmetric")
    flat = quote(strategy).bids

    assert quote(strategy, position=4000).bids == flat


@pytest.mark.parametrize("name", NAMES)
@given(st.floats(0.05, 1.0), st.floats(1.2, 5.0))
def test_quotes_widen_with_risk_aversion_and_volatility(name, risk_aversion, factor):
    """The promise of sections 4.4 and 8.4."""

    def half_spread(risk_aversion, volatility=1.5):
        strategy = strategy_of(name, risk_aversion=risk_aversion)
        quote(strategy, View(volatility=volatility))
        return strategy.half_spread_bps

    assert half_spread(risk_aversion) < half_spread(risk_aversion * factor)
    assert half_spread(risk_aversion) < half_spread(risk_aversion, 1.5 * factor)


@pytest.mark.parametrize("name", NAMES)
@given(st.integers(-4900, 4900), st.floats(0.1, 5.0), st.floats(0.05, 1.0))
def test_another_unit_of_the_asset_gives_the_same_quotes(name, position, volatility, kappa):
    """A thousand units at a thousandth of the price are the same market."""
    view = View(volatility=volatility, kappa_per_bps=kappa)
    one = strategy_of(name)
    other = strategy_of(
        name,
        Instrument(coin="kTEST", asset_id=0, size_decimals=2),
        order_lots=1_000_000,
        position_limit_lots=5_000_000,
    )
    smaller = evolve(view, fair_price=view.fair_price / 1000.0, best_bid=999, best_ask=1001)

    quote(one, view, position)
    quote(other, smaller, 1000 * position, (5_000_000, 5_000_000))

    assert other.bid_depth_bps == pytest.approx(one.bid_depth_bps, rel=1e-12, nan_ok=True)
    assert other.ask_depth_bps == pytest.approx(one.ask_depth_bps, rel=1e-12, nan_ok=True)


def test_market_and_lots_in_another_unit_print_the_same_ladder():
    """Prices and lots are the same integers when the unit moves three decimals."""
    one = strategy_of("ladder")
    other = strategy_of("ladder", Instrument(coin="kTEST", asset_id=0, size_decimals=2))

    # 100,000 USD at one decimal has steps of 1 USD, and 100 USD at four has steps of 0.01.
    left, right = quote(one), quote(other)

    assert [size for _, size in left.bids] == [size for _, size in right.bids]
    assert one.bid_depth_bps == other.bid_depth_bps


def test_the_floor_holds_and_says_so():
    """5 bps on a liquid market is wider than the solution: the operator must be able to see it."""
    strategy = strategy_of("ladder", min_depth_bps=7.0, max_depth_bps=70.0)

    ladder = quote(strategy)

    assert strategy.is_floor_binding
    assert strategy.half_spread_bps < 7.0
    assert strategy.bid_depth_bps == strategy.ask_depth_bps == 7.0
    assert ladder.bids[0][0] == 999_300
    assert ladder.bids[-1][0] == 993_000


def test_the_whole_ladder_moves_with_the_solver():
    """Depths keep the ratio of the settings from wherever level 0 stands."""
    strategy = strategy_of("ladder")

    ladder = quote(strategy)

    assert not strategy.is_floor_binding
    assert strategy.bid_depth_bps > 5.0
    for price, i in ((ladder.bids[0][0], 0), (ladder.bids[-1][0], 4)):
        depth = strategy.bid_depth_bps * 10.0 ** (i / 4.0)
        assert (1e6 - price) / 100.0 == pytest.approx(depth, abs=0.1)


@pytest.mark.parametrize("name", NAMES)
def test_reduce_only_quotes_one_side_and_no_more_than_the_position(name):
    """It never flips a position and never adds to one."""
    strategy = strategy_of(name)

    long = quote(strategy, position=300, is_reduce_only=True)
    assert (long.bids, long.ask_lots) == ([], 300)
    assert math.isnan(strategy.bid_depth_bps)
    short = quote(strategy, position=-20, is_reduce_only=True)
    assert (short.bid_lots, short.asks) == (20, [])
    flat = quote(strategy, position=0, is_reduce_only=True)
    assert len(flat) == 0


@pytest.mark.parametrize("name", ["glft", "ladder"])
def test_beyond_the_limit_only_the_way_back_is_quoted(name):
    """The position limit is the boundary of the solution."""
    strategy = strategy_of(name)

    ladder = quote(strategy, position=7000, rooms=(5000, 12000))

    assert ladder.bids == []
    assert ladder.ask_lots == 1000


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    "unknown",
    [
        {"fair_price": math.nan},
        {"fair_price": 0.0},
        {"volatility": math.nan},
        {"kappa_per_bps": math.nan},
        {"kappa_reference_per_bps": math.nan},
        {"intensity_per_sec": math.nan},
        {"best_bid": 1_000_050},
    ],
    ids=lambda unknown: next(iter(unknown)),
)
def test_without_a_sound_market_there_are_no_quotes(name, unknown):
    """A NaN or a crossed book empties the ladder and the notes of the call before."""
    strategy = strategy_of(name)
    quote(strategy)

    ladder = quote(strategy, evolve(View(), **unknown))

    assert len(ladder) == 0
    assert math.isnan(strategy.bid_depth_bps)
    assert math.isnan(strategy.half_spread_bps)


def test_the_ladder_is_the_same_object_each_time():
    """It is memory made once: whoever keeps it must copy it."""
    strategy = strategy_of("ladder")

    first = quote(strategy)

    assert quote(strategy) is first
    assert strategy.no_quotes() is first
    assert len(first) == 0


def test_an_unknown_strategy_is_the_operators_error():
    """The message names the ones there are."""
    with pytest.raises(ConfigError, match="symmetric"):
        strategy_of("momentum")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"order_lots": 0}, "fit"),
        ({"order_lots": 6000}, "fit"),
        ({"position_limit_lots": 1000 * (MAX_SOLVER_LOTS + 1)}, "orders"),
        ({"risk_aversion": math.nan}, "risk_aversion"),
        ({"risk_aversion": -0.1}, "risk_aversion"),
        ({"fee_bps": math.nan}, "fee_bps"),
        ({"min_depth_bps": math.nan}, "min_depth_bps"),
        ({"min_depth_bps": -1.0}, "min_depth_bps"),
        ({"max_depth_bps": math.nan}, "max_depth_bps"),
        ({"max_depth_bps": 1.0}, "max_depth_bps"),
        ({"num_levels": 0}, "num_levels"),
        ({"num_levels": 33}, "num_levels"),
    ],
)
def test_settings_outside_their_domain_are_the_operators_error(changes, message):
    """Nothing is clipped in silence."""
    with pytest.raises(ConfigError, match=message):
        strategy_of("ladder", **changes)


def test_a_limit_of_many_orders_is_solved_near_the_position():
    """Thousands of lots between the bounds cost no more than the rows in reach."""
    strategy = strategy_of("glft", order_lots=10, position_limit_lots=10 * MAX_SOLVER_LOTS)

    quote(strategy, position=400, rooms=(50_000, 50_000))

    assert strategy.skew_bps > 0.0
    assert math.isfinite(strategy.bid_depth_bps)
