"""The engine at its limits: sizes that fit, data that are late, reads that fail, a purse that ends.

The other tests of the engine are in `test_engine.py`.
"""

import pytest

from hypermm._core.rows import Rows
from hypermm.engine import Mode
from hypermm.gate import Gate
from hypermm.messages import (
    ActionDenied,
    ActionReply,
    BudgetLevel,
    Level,
    PlaceOrders,
    ReadAccount,
    ReadFailed,
    ReadFills,
    ReadOpenOrders,
    Refused,
    Side,
    StopRequested,
)
from tests.scenario import (
    BTC,
    MID,
    MS,
    SEC,
    Scenario,
    add_context,
    add_quotes,
    add_trade,
    placed,
    quotes,
    settings,
)

LIST_OVERDUE_SECS, FILLS_OVERDUE_SECS = 30.0, 80.0


def said(world: Scenario, event: str) -> list:
    return [notice for notice in world.notices if notice.event == event]


def gate(world: Scenario) -> Gate:
    """Make the gate of the same settings, with the same market."""
    made = Gate(world.config.risk, BTC)
    rows = Rows.allocate(3)
    add_context(rows, MID)
    made.observe(rows)
    return made


# Sizes.


@pytest.mark.parametrize(
    ("limits", "level_usd"),
    [
        ({"trading__target_liquidity": 1.0, "trading__max_absolute_position_size": 5.0}, 5_000.0),
        ({"risk__max_order_notional_usd": 100.0}, 100.0),
        ({"risk__max_order_notional_usd": 100.0, "strategy__strategy_type": "glft"}, 100.0),
        # The farthest ask is worth 4 % more than the price.
        (
            {
                "risk__max_order_notional_usd": 100.0,
                "strategy__ladder_config__max_depth_bps": 400.0,
            },
            100.0,
        ),
        # Five levels within one step of the price are one order.
        (
            {
                "risk__max_order_notional_usd": 100.0,
                "strategy__ladder_config__max_depth_bps": 5.01,
            },
            100.0,
        ),
    ],
)
def test_a_big_target_is_quoted_in_orders_that_the_gate_lets_pass(limits, level_usd):
    """Otherwise it would deny every order for ever, in mode QUOTING."""
    config = settings(risk__max_position_value_usd=1e7, **limits)
    world = Scenario(config, account_usd=2e6).quote()

    world.mid += 30_000
    world.run(3.0)
    world.mid -= 60_000
    world.run(3.0)

    worth = [BTC.notional_usd(order.price, order.size) for order in placed(world.sent)]
    assert 0.9 * level_usd <= max(worth) <= level_usd
    assert world.side(Side.BUY)
    assert world.side(Side.SELL)
    places = [action for action in world.sent if isinstance(action, PlaceOrders)]
    assert gate(world).check(places, 0) == (tuple(places), ())
    (notice,) = said(world, "Sizes capped")
    assert "max_order_notional_usd" in notice.fields["rule"]


@pytest.mark.parametrize(
    ("values", "account_usd", "reason"),
    [
        ({}, 0.0, "account x leverage"),
        ({}, 1.0, "account x leverage"),
        ({"risk__max_order_notional_usd": 10.0}, 1e4, "risk.max_order_notional_usd = 10"),
        ({"risk__max_position_value_usd": 20.0}, 1e4, "risk.max_position_value_usd = 20"),
        ({"risk__price_collar_bps": 5.0}, 1e4, "risk.price_collar_bps = 5"),
        ({"trading__target_liquidity": 1e-5}, 1e4, "minimum order of 10 USD"),
        (
            {"trading__target_liquidity": 1e-4, "trading__max_absolute_position_size": 1e3},
            1e9,
            "more than 5000",
        ),
    ],
)
def test_what_can_never_be_quoted_is_refused_at_the_start(values, account_usd, reason):
    """With the setting to turn; the process has to end as one that was never started."""
    limits = {"risk__max_position_value_usd": 1e12, **values}
    world = Scenario(settings(**limits), account_usd=account_usd)
    world.connect()

    world.run(5.0)

    snapshot = world.engine.snapshot()
    assert snapshot.mode is Mode.DONE
    assert snapshot.is_proved
    assert reason in snapshot.start_error
    assert placed(world.sent) == []
    assert len(said(world, "Nothing can be quoted")) == 1


def test_an_engine_that_could_quote_has_no_start_error():
    """An ordinary stop is not a refusal."""
    world = Scenario().quote()
    world.pending.append(StopRequested("SIGINT"))
    world.run(5.0, until=Mode.DONE)

    assert world.engine.snapshot().start_error == ""


@pytest.mark.parametrize("side", list(Side))
def test_no_side_can_carry_the_position_beyond_its_value(side):
    """`max_position_value_usd` bounds what may still fill, not only what has."""
    config = settings(
        trading__target_liquidity=0.02,
        trading__max_absolute_position_size=0.2,
        risk__max_position_value_usd=3_000.0,
    )
    world = Scenario(config, account_usd=1e6)
    most = 3_000  # lots of 1 USD

    def check() -> None:
        snapshot = world.engine.snapshot()
        exposure = snapshot.bid_exposure if side is Side.BUY else snapshot.ask_exposure
        assert side * snapshot.position + exposure <= most

    world.after_step = check
    world.quote()
    assert world.engine.snapshot().position_limit <= most

    for _ in range(40):
        for landed in world.side(side)[:1]:
            world.pending += world.fill(landed, landed.remaining)
        world.run(1.5)

    assert side * world.engine.snapshot().position >= 0.8 * most


def test_the_value_of_a_position_follows_the_price():
    """What was 3,000 USD at the start is 3,120 after a rise by 4 %."""
    config = settings(
        trading__max_absolute_position_size=0.2,
        trading__target_liquidity=0.0025,
        risk__max_position_value_usd=3_000.0,
    )
    world = Scenario(config, account_usd=1e6).quote()
    world.mid += 40_000
    world.run(3.0)

    for _ in range(70):
        for landed in world.side(Side.BUY)[:1]:
            world.pending += world.fill(landed, landed.remaining)
        world.run(1.5)
        snapshot = world.engine.snapshot()
        worst = snapshot.position + snapshot.bid_exposure
        assert BTC.notional_usd(world.mid, worst) <= 3_000.0

    assert BTC.notional_usd(world.mid, world.position) >= 2_800.0


def test_ten_dollars_below_the_value_only_reducing_orders_are_placed():
    """No order that adds to it fits any more; a lot is worth 1.04 USD."""
    config = settings(trading__max_absolute_position_size=0.2, risk__max_position_value_usd=3_000.0)
    world = Scenario(config, position=2_880).quote()

    world.mid += 40_000  # 2,995 USD, and far below the limit in lots
    world.run(3.0)

    assert world.engine.mode is Mode.REDUCING
    assert world.side(Side.BUY) == []
    assert all(landed.order.is_reduce_only for landed in world.side(Side.SELL))


def test_without_mark_and_oracle_the_collar_is_around_the_middle():
    """As in the gate, which would deny the whole action."""
    world = Scenario(settings(risk__price_collar_bps=20.0))
    world.connect()
    world.run(1.0)
    for i in range(400):
        rows = Rows.allocate(3)
        world.now_ns += 100 * MS
        add_quotes(rows, world.exch_ns, MID - 10, MID + 10)
        add_trade(rows, world.exch_ns, 1, MID + 10, 2_000_000, i + 1)
        events, world.pending = tuple(world.pending), []
        for action in world.step(*events, rows=rows):
            world.pending += world.perform(action)

    assert world.engine.mode is Mode.QUOTING
    assert placed(world.sent)
    assert all(abs(order.price / MID - 1) <= 20e-4 for order in placed(world.sent))


def test_what_the_collar_leaves_out_is_not_sent_and_said_once():
    """A gate that denies one order of an action would deny the others with it."""
    world = Scenario(settings(risk__price_collar_bps=60.0)).quote()
    rows = Rows.allocate(3)
    add_context(rows, MID + 10_000)  # the mark, 100 bps away from the book
    world.step(rows=rows)
    before = len(placed(world.sent))

    world.mid += 2_000  # the ladder has to move
    world.run(10.0)

    late = placed(world.sent)[before:]
    assert all(abs(o.price / (MID + 10_000) - 1) <= 60e-4 for o in late)
    assert world.engine.mode is Mode.QUOTING
    rows = Rows.allocate(3)
    add_context(rows, MID + 30_000)
    world.step(rows=rows)
    world.mid += 8_000
    world.run(10.0)
    assert world.live == {}
    (notice,) = said(world, "No quotes")
    assert notice.level is Level.WARN
    assert "risk.price_collar_bps = 60" in notice.fields["reason"]


def test_denials_that_differ_in_their_figures_alone_are_said_once_in_a_while():
    """'worth 5000.12 USD', 'worth 5000.13 USD': one line each ten seconds."""
    world = Scenario()

    def deny(action):
        if not isinstance(action, PlaceOrders):
            return None
        return [ActionDenied(action.id, f"worth {action.id}.5 USD, allowed 1.0 USD")]

    world.answer = deny
    world.connect()
    world.run(1.0)
    world.warm()
    world.run(15.0)

    assert 1 <= len(said(world, "Action denied")) <= 3
    counters = world.engine.snapshot().counters
    assert counters.orders_denied > 100
    assert counters.orders_placed == 0


# Data.


def test_a_process_that_stood_still_is_not_killed_for_data_that_wait_to_be_read():
    """A suspended laptop, a slow disk: the timer fires before the frames are read."""
    world = Scenario().quote()

    world.step(after_ns=6_500 * MS)

    assert world.engine.mode is Mode.PULLED
    world.step(rows=quotes(world.exch_ns, MID - 10, MID + 10), after_ns=MS)
    assert world.engine.mode is Mode.QUOTING


def test_a_process_that_stood_still_counts_from_its_return():
    """If no data come after it, the exchange is to blame after all."""
    world = Scenario().quote()
    world.step(after_ns=6_500 * MS)
    back_ns = world.now_ns
    world.is_market_on = False

    world.run(10.0, until=Mode.HALTED)

    assert 4.9 * SEC <= world.now_ns - back_ns <= 5.3 * SEC


def test_after_an_outage_blindness_counts_from_the_new_connection():
    """The first data may take a second; the minute before was nobody's silence."""
    world = Scenario().quote()
    world.cut()
    world.run(60.0)
    world.connect()  # no data come
    back_ns = world.now_ns

    world.run(4.5)
    assert world.engine.latch is None
    world.run(5.0, until=Mode.HALTED)

    assert world.engine.latch is not None
    assert world.now_ns - back_ns <= 5.4 * SEC


def test_a_stop_from_an_exchange_that_hangs_ends_without_a_latch():
    """It was asked to end and does; nothing is quoted, so that no data are needed."""
    world = Scenario().quote()
    world.answer = lambda action: world.lose(action, has_effect=False)
    world.is_market_on = False

    world.pending.append(StopRequested("SIGTERM"))
    world.run(30.0, until=Mode.DONE)

    snapshot = world.engine.snapshot()
    assert snapshot.mode is Mode.DONE
    assert snapshot.latch is None
    assert not snapshot.is_proved


def test_a_kill_during_a_stop_keeps_the_deadline_of_the_stop():
    """The operator waits for ten seconds, not for the hour of a kill."""
    world = Scenario(settings(risk__max_daily_loss_usd=1.0)).quote()
    world.pending += world.fill(world.side(Side.BUY)[0], 200)
    world.tick()
    world.answer = lambda action: world.lose(action, has_effect=False)
    stop_ns = world.now_ns
    world.pending.append(StopRequested("SIGINT"))
    world.run(1.0)

    world.mid -= 10_000
    world.run(0.2)
    assert world.engine.mode is Mode.HALTED
    assert world.engine.latch is not None
    world.run(30.0, until=Mode.DONE)

    assert world.now_ns - stop_ns <= 10.5 * SEC


# Reads.


@pytest.mark.parametrize(
    ("kind", "within_secs"),
    [
        (ReadOpenOrders, LIST_OVERDUE_SECS),
        (ReadAccount, LIST_OVERDUE_SECS),
        (ReadFills, FILLS_OVERDUE_SECS),
    ],
)
@pytest.mark.parametrize("is_answered", [True, False])
def test_quotes_are_pulled_when_nobody_audits_them_any_more(kind, within_secs, is_answered):
    """The exchange or our own budget refuses reads: nothing is proved of what rests."""
    world = Scenario().quote()
    failing_ns = world.now_ns
    refusal = "request budget: weight 1200 + 20 > 1100 a minute"

    def answer(action):
        if not isinstance(action, kind):
            return None
        return [ReadFailed(action.id, refusal)] if is_answered else []

    world.answer = answer
    world.run(within_secs + 1.0, until=Mode.SYNCING)
    assert world.engine.mode is Mode.SYNCING
    assert within_secs - 11.0 <= (world.now_ns - failing_ns) / SEC
    world.run(0.3)
    assert world.live == {}
    (notice,) = said(world, "Audit overdue, quotes pulled")
    assert notice.level is Level.WARN

    world.answer = lambda _: None
    world.run(25.0)
    assert world.engine.mode is Mode.QUOTING
    assert len(world.live) == 10
    before = set(world.live)
    world.cut()
    world.run(0.5)
    world.reconnect()
    world.run(3.0)
    assert set(world.live) == before  # an audit that works again pulls nothing


def test_reads_that_are_late_now_and_then_pull_nothing():
    """Two of three fail, and what rests keeps its place."""
    world = Scenario().quote()
    before = set(world.live)
    count = 0

    def answer(action):
        nonlocal count
        if not isinstance(action, ReadOpenOrders | ReadAccount | ReadFills):
            return None
        count += 1
        return None if count % 3 == 0 else [ReadFailed(action.id, "no answer")]

    world.answer = answer
    world.run(200.0)

    assert set(world.live) == before
    assert said(world, "Audit overdue, quotes pulled") == []


@pytest.mark.parametrize(
    ("text", "counts"),
    [
        ("HTTP status 429", True),
        ("post answered by error: 429 Too Many Requests", True),
        ("429 Too Many Requests", True),
        ("Too many cumulative requests sent (37986 > 10436) for cumulative volume.", True),
        ("you hit the rate limit", True),
        ("Insufficient margin to place order. asset=429", False),
        ("Price must be divisible by tick size. asset=14297", False),
        ("Invalid nonce: duplicate nonce 1757004290000", False),
        ("bbo was 94291@94292", False),
        ("request budget: the exchange answered 429, only cancels go out for 10 s", False),
    ],
)
def test_only_what_says_so_is_a_rate_limit_error(text, counts):
    """Ten of them in a minute kill: no number of an asset or nonce may count."""
    world = Scenario().quote()

    world.step(ReadFailed(10_000, text))

    assert world.engine.snapshot().counters.rate_limit_errors == counts


# What ends or narrows the quoting.


def test_refusals_without_an_end_kill():
    """Five equal ones pause a side, three pauses are hopeless."""
    world = Scenario()
    world.answer = lambda action: (
        [ActionReply(action.id, tuple(Refused("Insufficient margin.") for _ in action.orders))]
        if isinstance(action, PlaceOrders)
        else None
    )
    world.connect()
    world.run(1.0)
    world.warm()

    world.run(200.0, until=Mode.DONE)

    assert world.engine.mode is Mode.DONE
    assert world.engine.latch is not None
    assert "refuses again and again: Insufficient margin" in world.engine.latch.reason


def test_a_position_that_is_adopted_again_and_again_is_only_made_smaller():
    """Somebody else trades here, or we do not hear our fills."""
    world = Scenario().quote()
    for _ in range(3):
        assert world.engine.mode is Mode.QUOTING
        world.position += 100
        world.run(30.0)

    assert world.engine.snapshot().ledger.adjustments == 3
    assert world.engine.mode is Mode.REDUCING
    assert world.side(Side.BUY) == []
    (notice,) = said(world, "Reduce-only mode")
    assert "adopted too often" in notice.fields["reason"]


def test_below_a_fifth_of_the_address_budget_quotes_move_less_often():
    """Each order and cancel costs one of a number that only trading renews."""

    def orders_after(max_bps_diff: float, *events: BudgetLevel) -> list[int]:
        world = Scenario(settings(trading__max_bps_diff=max_bps_diff)).quote()
        world.pending += events
        world.tick()
        before = len(placed(world.sent))
        world.mid += 700  # 7 bps
        world.run(2.0)
        return [order.price for order in placed(world.sent)[before:]]

    usual = orders_after(5.0, BudgetLevel(0.21))
    assert orders_after(5.0, BudgetLevel(0.19)) == orders_after(10.0) != usual
    assert len(orders_after(10.0)) < len(usual)


def test_below_a_twentieth_of_the_address_budget_the_position_is_only_made_smaller():
    """What is left is for cancels; each mark is said once, and quoting resumes above it."""
    world = Scenario().quote()
    world.pending += world.fill(world.side(Side.BUY)[0], 100)
    world.run(1.0)

    for fraction in (0.15, 0.12, 0.04, 0.03):
        world.pending.append(BudgetLevel(fraction))
        world.run(0.5)

    assert world.engine.mode is Mode.REDUCING
    assert world.side(Side.BUY) == []
    assert world.side(Side.SELL) != []
    assert [n.level for n in world.notices if n.event.startswith("Address budget")] == [
        Level.WARN,
        Level.WARN,
    ]
    (notice,) = said(world, "Reduce-only mode")
    assert "actions" in notice.fields["reason"]
    world.pending.append(BudgetLevel(0.5))
    world.run(1.0)
    assert world.engine.mode is Mode.QUOTING
