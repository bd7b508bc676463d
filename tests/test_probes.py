"""What anybody would try first: turn one thing, and see the quotes or the mode follow."""

import math
from itertools import pairwise

import pytest
from attrs import evolve

from hypermm.config import RiskConfig
from hypermm.engine import Mode
from hypermm.instrument import Instrument
from hypermm.messages import (
    CancelOrders,
    PlaceOrders,
    ReadAccount,
    ReadFills,
    ReadOpenOrders,
    ReadOrder,
    Side,
)
from hypermm.quoting import STRATEGIES, Term, caution, explain, strategy_class
from hypermm.risk import Figures, Limit, Ruling, assess
from tests.random_states import State
from tests.scenario import BTC, Scenario, settings

QUIET = {
    "day_pnl_usd": 0.0,
    "drawdown_fraction": 0.0,
    "position_value_usd": 0.0,
    "is_at_position_limit": False,
    "is_book_valid": True,
    "age_secs": 0.1,
    "blind_secs": 0.1,
    "cascade_severity": 0.0,
    "rate_limit_errors": 0,
}
LIMIT = 5_000
READS = ReadOpenOrders | ReadAccount | ReadFills | ReadOrder


def quoted(name="ladder", state=None, position=0, **changes):
    """A strategy that has quoted a BTC-like market for a position."""
    options = {
        "order_lots": 1_000,
        "position_limit_lots": LIMIT,
        "risk_aversion": 0.3,
        "fee_bps": 1.5,
        "min_depth_bps": 0.1,
        "max_depth_bps": 1.0,
        "num_levels": 5,
    } | changes
    strategy = strategy_class(name)(BTC, **options)
    strategy.quote(
        state or State(), position, LIMIT - position, LIMIT + position, is_reduce_only=False
    )
    return strategy


def spread_bps(strategy):
    ladder = strategy.ladder
    return (ladder.asks[0][0] - ladder.bids[0][0]) / 100.0  # of 1,000,000


@pytest.mark.parametrize("name", sorted(STRATEGIES))
@pytest.mark.parametrize("position", [0, 1_000, 2_000, -3_000])
def test_more_risk_aversion_never_narrows_and_widens_off_the_floor(name, position):
    """From 0.1 to 1.0, with the floor at its default and out of the way."""
    gammas = [0.1, 0.2, 0.3, 0.5, 1.0]

    floored = [
        spread_bps(
            quoted(name, None, position, risk_aversion=g, min_depth_bps=5.0, max_depth_bps=50.0)
        )
        for g in gammas
    ]
    free = [spread_bps(quoted(name, None, position, risk_aversion=g)) for g in gammas]

    assert all(a <= b for a, b in pairwise(floored))
    assert all(a < b for a, b in pairwise(free))


def test_long_inventory_lowers_both_quotes_by_what_the_solution_says():
    """One order long, 1.8 bps lower; two, 3.7 bps: with a fee of 1.5 bps and a limit of five."""
    flat = quoted()
    for orders, bps in ((1, 1.785), (2, 3.668)):
        long = quoted(position=1_000 * orders)

        skews = [explain(long, sign)[0].terms[Term.SKEW] for sign in (1, -1)]

        assert 0.5 * sum(skews) == pytest.approx(-bps, abs=0.01)
        assert long.ladder.bids[0][0] < flat.ladder.bids[0][0]
        assert long.ladder.asks[0][0] < flat.ladder.asks[0][0]


def test_another_unit_of_the_asset_changes_no_quote_before_rounding():
    """A thousand units at a thousandth of the price: depths to twelve digits."""
    state = State(volatility=2.0, volatility_regime=1, jump_ratio=2.0, adverse_touch_bps=0.7)
    one = quoted(state=state, position=2_000)
    kilo = Instrument(coin="kTEST", asset_id=0, size_decimals=2)
    other = strategy_class("ladder")(
        kilo,
        order_lots=1_000_000,
        position_limit_lots=1_000 * LIMIT,
        risk_aversion=0.3,
        fee_bps=1.5,
        min_depth_bps=0.1,
        max_depth_bps=1.0,
        num_levels=5,
    )
    smaller = evolve(state, mid=1_000.0, fair_price=1_000.0, best_bid=999, best_ask=1_001)

    other.quote(smaller, 2_000_000, 3_000_000, 7_000_000, is_reduce_only=False)

    assert other.bid_depth_bps == pytest.approx(one.bid_depth_bps, rel=1e-12)
    assert other.ask_depth_bps == pytest.approx(one.ask_depth_bps, rel=1e-12)


@pytest.mark.parametrize(
    ("term", "state", "position"),
    [
        (Term.VOLATILITY, State(volatility_regime=1), 0),
        (Term.VOLATILITY, State(volatility_regime=2), 0),
        (Term.TOXICITY, State(jump_ratio=2.0), 0),
        (Term.TOXICITY, State(jump_ratio=3.0), 0),
        (Term.INVENTORY, State(), 2_500),
        (Term.TAIL, State(cascade_severity=0.3), 0),
        (Term.TAIL, State(cascade_severity=0.5), 0),
    ],
)
def test_each_factor_of_gamma_widens_and_says_by_how_much(term, state, position):
    """Alone, it is the only one that is not zero, and it moves both quotes out."""
    strategy = quoted(state=state, position=position)
    factors = {Term.VOLATILITY, Term.TOXICITY, Term.INVENTORY, Term.TAIL}

    for sign in (1, -1):
        terms = explain(strategy, sign)[0].terms
        assert -sign * terms[term] > 0.05
        assert all(terms[other] == 0.0 for other in factors - {term})


def test_the_product_of_the_factors_is_capped():
    """3 x 2 x 2 x 2.5 would be thirty."""
    worst = caution.assess(2, 9.0, 5.0, 0.79)

    assert (worst.volatility, worst.toxicity, worst.inventory, worst.tail) == (3.0, 2.0, 2.0, 2.5)
    assert worst.multiplier == caution.MULTIPLIER_MAX == 10.0
    assert caution.assess(0, math.nan, 0.0, math.nan).multiplier == 1.0


@pytest.mark.parametrize(
    ("severity", "tail", "widening", "size", "ruling"),
    [
        (0.0, 1.0, 1.0, 1.0, Ruling.QUOTE),
        (0.2999, 1.0, 1.0, 1.0, Ruling.QUOTE),
        (0.3, 1.5, 1.5, 1.0, Ruling.QUOTE),
        (0.4999, 1.5, 1.5, 1.0, Ruling.QUOTE),
        (0.5, 2.5, 2.5, 0.5, Ruling.QUOTE),
        (0.7999, 2.5, 2.5, 0.5, Ruling.QUOTE),
        (0.8, 2.5, 2.5, 0.5, Ruling.PULL),
        (0.95, 2.5, 2.5, 0.5, Ruling.PULL),
        (0.9501, 2.5, 2.5, 0.5, Ruling.KILL),
        (math.nan, 1.0, 1.0, 1.0, Ruling.KILL),
    ],
)
def test_severity_acts_as_the_table_says(severity, tail, widening, size, ruling):
    """The five bands, each from its lower end; kill only beyond 0.95."""
    found = caution.assess(0, 1.0, 0.0, severity)
    verdict = assess(RiskConfig(), Figures(**{**QUIET, "cascade_severity": severity}))

    assert (found.tail, found.widening, found.size_fraction) == (tail, widening, size)
    assert verdict.ruling is ruling


def test_a_band_multiplies_the_half_spread_and_halves_the_size():
    """Costs are left out of the multiple; at 0.5 the side holds half its lots."""
    calm, wide = quoted(), quoted(state=State(cascade_severity=0.5))

    terms = explain(wide, -1)[0].terms
    half_spread = sum(terms[t] for t in (Term.BASE, Term.RISK, Term.TAIL))
    assert terms[Term.BAND] == pytest.approx(1.5 * half_spread, rel=1e-9)
    assert wide.ladder.bid_lots == calm.ladder.bid_lots // 2


def test_a_cascade_walks_through_every_band_of_the_running_engine():
    """Somebody sells who has to, faster and faster: wider, half, pulled, killed, and said."""
    world = Scenario().quote().calm()
    seen = []

    for sold in range(40):
        world.sell_forced(1, sold)
        snapshot = world.engine.snapshot()
        severity = snapshot.estimates.cascade_severity
        action = (snapshot.mode, snapshot.caution.tail, snapshot.caution.size_fraction)
        if severity <= 0.95:
            wanted = Mode.PULLED if severity >= 0.8 else Mode.QUOTING
            assert snapshot.mode is wanted, severity
        if not seen or action != seen[-1]:
            seen.append(action)
        if snapshot.mode is Mode.HALTED:
            break

    assert seen == [
        (Mode.QUOTING, 1.0, 1.0),
        (Mode.QUOTING, 1.5, 1.0),
        (Mode.QUOTING, 2.5, 0.5),
        (Mode.PULLED, 2.5, 0.5),
        (Mode.HALTED, 2.5, 0.5),
    ]
    assert world.engine.latch.reason.startswith("cascade severity")
    said = [n.fields["action"] for n in world.notices if n.event == "Cascade detected"]
    assert said[-4:] == ["wider quotes", "wider quotes of half the size", "quotes pulled", "kill"]


def test_a_small_peak_is_no_reason_for_a_drawdown_kill():
    """+1, then -2 on 10,000: a fall of three dollars from the peak, not of 300 %."""
    world = Scenario(position=1_000).quote()

    world.mid += 1_000
    world.run(1.0)
    world.mid -= 3_000
    world.run(1.0)

    assert world.engine.snapshot().ledger.drawdown_fraction == pytest.approx(3e-4, rel=0.1)
    assert world.engine.mode is Mode.QUOTING


def test_five_percent_of_equity_is_a_drawdown_kill():
    """5 USD of 100, far from the daily loss limit."""
    world = Scenario(settings(trading__target_liquidity=0.001), position=400, account_usd=100.0)
    world.connect()
    world.run(1.0)
    world.warm()

    world.mid -= 12_400
    world.run(1.0)
    assert world.engine.latch is None
    world.mid -= 300
    world.run(1.0)

    assert world.engine.latch.reason.startswith("drawdown")


def test_every_limit_is_reported_with_figure_limit_and_fraction():
    """The aggregator's rows, whatever the mode."""
    world = Scenario(position=1_000).quote()

    rows = {row.limit: row for row in world.engine.snapshot().risks}

    assert set(rows) == set(Limit)
    value = rows[Limit.POSITION_VALUE]
    assert value.figure == pytest.approx(1_000.0, rel=0.01)
    assert (value.most, value.fraction) == (10_000.0, pytest.approx(0.1, rel=0.01))
    assert rows[Limit.POSITION_KILL].most == 20_000.0
    assert not any(row.is_breached for row in rows.values())


def test_rk03_everything_that_rests_may_fill_at_once_at_any_step():
    """The position never passes its limit, side by side, wherever the fills come."""
    world = Scenario(settings(strategy__ladder_config__num_levels=2)).quote()
    limit = world.engine.snapshot().position_limit
    reached = set()

    for turn in range(30):
        side = Side.BUY if (turn // 10) % 2 == 0 else Side.SELL
        for landed in world.side(side):
            world.pending += world.fill(landed, landed.remaining)
        world.run(2.6)  # slower than what pauses a side
        snapshot = world.engine.snapshot()
        assert abs(world.position) <= limit
        assert snapshot.position + snapshot.bid_exposure <= limit
        assert snapshot.position - snapshot.ask_exposure >= -limit
        reached.add(world.position)
    assert {limit, -limit} <= reached


def test_a_kill_cancels_all_at_once_tries_again_and_logs_where_it_ends():
    """SOP 8.2: nothing new, one bulk cancel, retries of what fails, the state, the end."""
    world = Scenario(settings(risk__max_daily_loss_usd=0.9)).quote()
    world.pending += world.fill(world.side(Side.BUY)[0], 200)
    world.run(6.0)
    refused = 2

    def answer(action):
        nonlocal refused
        if isinstance(action, CancelOrders) and refused:
            refused -= 1
            return world.lose(action, has_effect=False)
        return None

    world.answer = answer
    live, sent = set(world.live), len(world.sent)
    world.mid -= 5_000
    world.run(60.0, until=Mode.DONE)

    after = [action for action in world.sent[sent:] if not isinstance(action, READS)]
    assert isinstance(after[0], CancelOrders)
    assert set(after[0].cloids) == live
    assert not any(isinstance(action, PlaceOrders) for action in after)
    assert len(after) >= 3
    assert world.live == {}
    assert world.engine.mode is Mode.DONE
    assert world.engine.snapshot().is_proved
    (line,) = [n for n in world.notices if n.event == "Market maker stopped"]
    assert {"position", "session_pnl_usd", "day_pnl_usd", "adverse_5s_bps"} <= set(line.fields)


def test_costs_that_leave_no_fills_ask_for_no_absurd_skew():
    """Kappa 16 per bps and 1.7 bps of cost: the closed form alone wants 60,000 bps an order."""
    state = State(kappa_per_bps=16.0, kappa_reference_per_bps=16.0, adverse_touch_bps=0.2)

    strategy = quoted("inventory_aware", state, position=1_000)

    assert 0.0 < strategy.skew_bps < 20.0
