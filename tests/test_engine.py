"""The engine by its events: synchronising, quoting, pulling, reducing, stopping, halting."""

import math
from itertools import pairwise

import pytest

from hypermm._core.rows import Rows
from hypermm.engine import MODE_TRANSITIONS, Mode, Signal
from hypermm.messages import (
    ActionDenied,
    ActionReply,
    CancelOids,
    CancelOrders,
    Fill,
    Level,
    OpenOrder,
    OrderUpdate,
    PlaceOrders,
    ReadAccount,
    ReadFailed,
    ReadFills,
    ReadOpenOrders,
    ReadOrder,
    Refused,
    Side,
    StopRequested,
    Tif,
    UpdateLeverage,
)
from hypermm.orders import Cloids
from hypermm.risk import Latch
from tests.scenario import (
    ACCOUNT,
    MS,
    SEC,
    Scenario,
    add_book,
    add_context,
    add_quotes,
    placed,
    quotes,
    settings,
)

RUNNING = {Mode.SYNCING, Mode.WARMING, Mode.QUOTING, Mode.REDUCING, Mode.PULLED}


# The table of modes.


def test_every_pair_of_mode_and_signal_is_decided():
    """Only a sweep can finish; every other pair leads somewhere."""
    for mode in Mode:
        missing = set(Signal) - set(MODE_TRANSITIONS[mode])
        assert missing == ({Signal.FINISH} if mode in RUNNING else set())


def test_i07_nothing_leads_back_from_a_kill():
    """HALTED ends in DONE and DONE ends nowhere."""
    assert set(MODE_TRANSITIONS[Mode.HALTED].values()) == {Mode.HALTED, Mode.DONE}
    assert set(MODE_TRANSITIONS[Mode.DONE].values()) == {Mode.DONE}
    assert set(MODE_TRANSITIONS[Mode.STOPPING].values()) == {
        Mode.STOPPING,
        Mode.HALTED,
        Mode.DONE,
    }


# Start.


def test_nothing_is_sent_before_the_connection_stands():
    """There is nobody to hear it."""
    world = Scenario()

    world.run(2.0)

    assert world.sent == []
    assert world.engine.mode is Mode.SYNCING
    assert world.engine.deadline_ns is not None


def test_orders_position_and_leverage_are_proved_before_the_first_order():
    """The exchange is the truth: start-up is recovery."""
    world = Scenario().quote()

    kinds = [type(action) for action in world.sent]
    first = kinds.index(PlaceOrders)
    assert kinds[0] is ReadOpenOrders
    assert {ReadAccount, ReadFills, UpdateLeverage} <= set(kinds[:first])
    assert world.leverage == 40
    assert world.engine.snapshot().leverage == 40


def test_the_ladder_is_two_sided_post_only_and_within_its_sizes():
    """Five levels a side of 1,000 USD in all, nothing that would take."""
    world = Scenario().quote()

    orders = placed(world.sent)
    assert {order.tif for order in orders} == {Tif.ALO}
    assert len(world.side(Side.BUY)) == len(world.side(Side.SELL)) == 5
    assert sum(order.remaining for order in world.side(Side.BUY)) <= 1_000
    for name in (
        "Market maker started",
        "Warming up parameter estimator",
        "Parameter estimation warmed up",
    ):
        assert name in world.events()


def test_a_still_market_causes_no_further_action():
    """A queue place is worth keeping."""
    world = Scenario().quote()
    before = len(placed(world.sent))

    world.run(30.0)  # lists are compared meanwhile

    assert len(placed(world.sent)) == before
    assert "Foreign orders left alone" not in world.events()


def test_orphans_are_cancelled_at_the_start_and_foreign_orders_are_left_alone():
    """Own tag of another session: ours to cancel. Without our tag: the operator's."""
    world = Scenario()
    orphan = Cloids(ACCOUNT, "default", 1).next(Side.BUY, 0)
    world.foreign = [
        OpenOrder(5, orphan, Side.BUY, 900_000, 100, 100, is_reduce_only=False),
        OpenOrder(6, None, Side.SELL, 1_100_000, 100, 100, is_reduce_only=False),
        OpenOrder(7, 12345, Side.SELL, 1_100_000, 100, 100, is_reduce_only=False),
    ]

    world.quote()

    cancels = [action for action in world.sent if isinstance(action, CancelOids)]
    assert [action.oids for action in cancels] == [(5,)]
    assert [order.oid for order in world.foreign] == [6, 7]
    (foreign,) = [n for n in world.notices if n.event == "Foreign orders left alone"]
    assert foreign.fields["orders"] == 2
    assert "Leftover orders found" in world.events()
    first_order = next(i for i, a in enumerate(world.sent) if isinstance(a, PlaceOrders))
    assert world.sent.index(cancels[0]) < first_order


def test_a_position_at_the_start_is_taken_over():
    """Restart: the position is the exchange's, the quotes lean against it."""
    world = Scenario(position=2_000).quote()

    snapshot = world.engine.snapshot()
    assert snapshot.position == 2_000
    assert snapshot.ledger.session_pnl_usd == 0.0


def test_a_small_account_caps_the_sizes_and_says_so():
    """max_position <= account x leverage x 0.5 / price; target_liquidity <= 0.4 x max_position."""
    world = Scenario(account_usd=100.0).quote()

    snapshot = world.engine.snapshot()
    assert (snapshot.position_limit, snapshot.order_lots) == (2_000, 800)
    assert "Sizes capped" in world.events()


def test_an_empty_account_ends_with_its_reason():
    """Nothing to trade with: say it, do not idle."""
    world = Scenario(account_usd=0.0)
    world.connect()

    world.run(5.0)

    assert world.engine.mode is Mode.DONE
    assert "Nothing can be quoted" in world.events()
    assert placed(world.sent) == []


@pytest.mark.parametrize("how", ["refused", "lost", "denied"])
def test_leverage_that_cannot_be_set_does_not_stop_the_start(how):
    """A position in the other margin mode forbids it; the account's own leverage then counts."""
    world = Scenario()

    def answer(action):
        if not isinstance(action, UpdateLeverage):
            return None
        match how:
            case "refused":
                return [ActionReply(action.id, (Refused("Cannot switch leverage type"),))]
            case "lost":
                return world.lose(action, has_effect=False)
            case _:
                return [ActionDenied(action.id, "dry run")]

    world.answer = answer
    world.quote()

    assert world.engine.snapshot().leverage == 20
    tries = sum(isinstance(action, UpdateLeverage) for action in world.sent)
    assert tries == (1 if how == "refused" else 3)


# Fills.


def deliver(world: Scenario, side: Side, size: int) -> None:
    """Fill the nearest order of a side and let the engine hear it."""
    world.pending += world.fill(world.side(side)[0], size)
    world.tick()


def test_a_fill_moves_position_and_money_and_is_said():
    """Side, price, size, position, P&L and fee stand in the line."""
    world = Scenario().quote()

    deliver(world, Side.BUY, 100)

    snapshot = world.engine.snapshot()
    assert snapshot.position == 100
    assert snapshot.counters.buys == 1
    (notice,) = [n for n in world.notices if n.event == "Fill processed"]
    assert notice.level is Level.INFO
    assert notice.fields["price"] == "99950"
    assert notice.fields["position"] == "0.001"
    # Bought 100 USD worth 5 bps below the mid, for a fee of 1.5 bps.
    assert snapshot.ledger.session_pnl_usd == pytest.approx(0.05 - 0.014992, abs=1e-6)


def test_the_same_fill_twice_counts_once():
    """FA-01: streams repeat, and snapshots repeat what streams said."""
    world = Scenario().quote()
    events = world.fill(world.side(Side.BUY)[0], 100)

    world.pending += [*events, *events]
    world.tick()
    world.connect()
    world.run(1.0)

    assert world.engine.snapshot().position == 100
    assert world.engine.snapshot().counters.buys == 1


def test_fills_missed_while_disconnected_are_caught_up():
    """FA-02: the fill stream brings its past, and fills are read after each reconnect."""
    world = Scenario().quote()
    world.cut()
    world.run(1.0)
    world.fill(world.side(Side.BUY)[0], 200)  # nobody hears it
    world.fill(world.side(Side.BUY)[0], 50)

    world.reconnect()
    world.run(6.0)

    snapshot = world.engine.snapshot()
    assert snapshot.mode is Mode.QUOTING
    assert snapshot.position == 250
    assert snapshot.ledger.adjustments == 0


def test_fa06_a_position_that_differs_twice_is_adopted_and_said():
    """A trade that no stream ever told: the exchange's number holds."""
    world = Scenario().quote()
    world.position += 300

    world.run(30.0)

    snapshot = world.engine.snapshot()
    assert snapshot.position == 300
    assert snapshot.ledger.adjustments == 1
    assert "Position adopted from the exchange" in world.events()


def test_what_own_fills_lose_reaches_the_estimates_and_the_report():
    """Fills, markouts, and the loss that a quote has to earn back: one chain."""
    world = Scenario().quote()
    before = world.engine.snapshot().estimates
    assert before.adverse_selection_bps == pytest.approx(0.5 * before.spread_bps)

    for _ in range(3):
        deliver(world, Side.BUY, 20)
        world.run(0.1)
        world.mid -= 100  # 1 bp a time
        world.run(70.0)

    snapshot = world.engine.snapshot()
    loss = snapshot.report["adverse_selection_bps"]
    assert loss.n == 3
    assert loss.value == snapshot.estimates.adverse_selection_bps
    assert loss.value > before.adverse_selection_bps
    assert loss.value < 0.2  # three fills against the weight of fifty
    assert {one.side for one in snapshot.queues} == {1, -1}
    assert snapshot.channels["quotes"].rows > 0


def test_fa08_a_foreign_fill_moves_the_position_but_is_not_ours():
    """FA-08: a trade by hand on the same account."""
    world = Scenario().quote()
    fill = Fill(
        trade_id=99,
        oid=1,
        cloid=None,
        side=Side.SELL,
        price=1_000_000,
        size=500,
        fee_usd=0.1,
        exch_ns=world.exch_ns,
        start_position=0,
        closed_pnl_usd=0.0,
        is_taker=True,
    )
    world.position -= 500

    world.pending.append(fill)
    world.run(1.0)

    snapshot = world.engine.snapshot()
    assert snapshot.position == -500
    assert (snapshot.counters.sells, snapshot.counters.foreign_fills) == (0, 1)


@pytest.mark.parametrize("position", [5_000, 4_995, 6_000])
def test_rk07_at_the_limit_only_reducing_orders_are_placed(position):
    """Flagged reduce-only. 5 USD below the limit no order that adds to it fits either."""
    world = Scenario(position=position).quote_reducing()

    assert world.side(Side.BUY) == []
    asks = world.side(Side.SELL)
    assert asks
    assert all(landed.order.is_reduce_only for landed in asks)
    (notice,) = [n for n in world.notices if n.event == "Reduce-only mode"]
    assert notice.level is Level.WARN


def test_rk08_fills_on_one_side_without_end_pause_it():
    """Ten in ten seconds on one side: something runs through us."""
    world = Scenario().quote()
    for _ in range(10):
        deliver(world, Side.BUY, 20)

    world.run(2.0)

    assert world.side(Side.BUY) == []
    assert world.side(Side.SELL) != []
    world.run(12.0)
    assert world.side(Side.BUY) != []


# Data.


def test_md01_stale_data_pull_the_quotes_and_then_kill():
    """Silent stall: pulled at 3 s, halted at 5 s, on time because of the timer."""
    world = Scenario().quote()
    quiet_ns = world.now_ns
    world.is_market_on = False

    world.run(3.2)
    assert world.engine.mode is Mode.PULLED
    assert "Data staleness exceeded" in world.events()
    world.run(0.3)
    assert world.live == {}

    world.run(3.0, until=Mode.HALTED)
    assert world.engine.mode is Mode.HALTED
    assert world.now_ns - quiet_ns <= 5.3 * SEC
    assert "KILL SWITCH TRIGGERED" in world.events()


def test_rk09_the_timer_is_never_more_than_a_quarter_second_away():
    """Without data nothing else would run the checks."""
    world = Scenario().quote()
    for _ in range(100):
        world.tick()
        assert world.engine.deadline_ns - world.now_ns <= 250 * MS


def test_quotes_come_back_when_the_data_do():
    """A pull is not a kill."""
    world = Scenario().quote()
    world.is_market_on = False
    world.run(3.5)
    assert world.engine.mode is Mode.PULLED

    world.is_market_on = True
    world.run(2.0)

    assert world.engine.mode is Mode.QUOTING
    assert len(world.live) == 10


@pytest.mark.parametrize(("bid", "ask"), [(1_000_010, 999_990), (0, 1_000_010), (999_990, 0)])
def test_md05_a_crossed_or_one_sided_book_pulls_the_quotes(bid, ask):
    """There is no mid, so there is no quote."""
    world = Scenario().quote()
    world.is_market_on = False

    assert world.step(rows=quotes(world.exch_ns + MS, bid, ask), after_ns=MS) == ()
    assert world.engine.mode is Mode.QUOTING  # channels may disagree for a moment
    world.step(rows=quotes(world.exch_ns + 251 * MS, bid, ask), after_ns=250 * MS)

    assert world.engine.mode is Mode.PULLED
    assert isinstance(world.sent[-1], CancelOrders)


def test_md02_the_slow_book_s_cadence_is_no_silence():
    """MD-02: quotes prove freshness; ten minutes of a deep book each five seconds pull nothing."""
    world = Scenario().quote()
    world.is_market_on = False
    modes = set()

    for i in range(1_200):
        rows = Rows.allocate(42)
        if i % 10 == 0:
            add_book(rows, world.exch_ns + 500 * MS, world.mid)
        add_quotes(rows, world.exch_ns + 500 * MS, world.mid - 10, world.mid + 10)
        events, world.pending = tuple(world.pending), []
        actions = world.step(*events, rows=rows, after_ns=500 * MS)
        for action in actions:
            world.pending += world.perform(action)
        modes.add(world.engine.mode)

    assert modes == {Mode.QUOTING}


def test_md08_a_spike_frame_moves_no_quote_and_a_real_jump_moves_them_within_two_seconds():
    """MD-08: held on the first frame, resumed when two kinds of rows agree."""
    world = Scenario().quote()
    world.is_market_on = False
    before = {landed.oid for landed in world.live.values()}

    far = world.mid * 7 // 10
    spike = world.step(rows=quotes(world.exch_ns + 50 * MS, far - 10, far + 10), after_ns=50 * MS)
    back = world.step(
        rows=quotes(world.exch_ns + 50 * MS, world.mid - 10, world.mid + 10), after_ns=50 * MS
    )

    assert not [a for a in (*spike, *back) if isinstance(a, PlaceOrders | CancelOrders)]
    assert {landed.oid for landed in world.live.values()} == before
    assert world.engine.snapshot().quality["absurd_books"] == 1
    assert world.engine.snapshot().estimates.fair_price == pytest.approx(world.mid, rel=1e-6)

    jumped_ns = world.now_ns
    rows = Rows.allocate(64)
    add_context(rows, far)  # the venue's own prices follow
    add_quotes(rows, world.exch_ns + 500 * MS, far - 10, far + 10)
    world.step(rows=rows, after_ns=500 * MS)
    assert world.engine.snapshot().estimates.fair_price == pytest.approx(far, rel=1e-3)
    assert world.now_ns - jumped_ns < 2 * SEC


def mute(world, action):
    """Carry out an action and tell of it by the reply alone: the account's streams are dead."""
    told = world.perform(action)
    return [event for event in told if not isinstance(event, OrderUpdate | Fill)]


def test_md10_without_an_echo_of_what_we_do_nothing_is_placed():
    """MD-10: market data lives, the account's stream is dead: read at 3 s, pulled at 5 s."""
    world = Scenario().quote()
    world.answer = lambda action: mute(world, action)
    world.mid += 2_000  # the ladder moves, and nobody tells what became of it
    world.run(2.9)
    reads = sum(isinstance(action, ReadOpenOrders) for action in world.sent)
    world.run(0.5)
    assert sum(isinstance(action, ReadOpenOrders) for action in world.sent) > reads

    world.run(2.0)
    assert world.engine.mode is Mode.PULLED
    assert "Quotes pulled" in world.events()
    quoting_ticks = 0
    for _ in range(2_000):  # while it is dead, one ladder now and then asks
        world.tick()
        quoting_ticks += len(world.live) > 0
    assert quoting_ticks < 0.7 * 2_000
    assert world.engine.snapshot().position == world.position

    world.answer = lambda _: None  # the stream is back, and an order tells
    world.run(10.0)
    assert world.engine.mode is Mode.QUOTING
    assert len(world.live) == 10


def test_md10_a_dead_market_stream_pulls_although_the_account_s_lives():
    """MD-10, the other way round: fills still come and are booked, but nothing is quoted."""
    world = Scenario().quote()
    world.is_market_on = False
    world.run(1.0)
    world.pending += world.fill(world.side(Side.BUY)[0], 50)
    world.run(2.6)

    assert world.engine.mode is Mode.PULLED
    assert world.live == {}
    assert world.engine.snapshot().position == 50


def test_a_lost_connection_is_no_reason_to_kill():
    """PR-06: blind for a minute with the connection down: doubt is held, then proved."""
    world = Scenario().quote()
    world.answer = lambda action: world.lose(action, has_effect=False) if world.is_dark else None
    world.is_dark = True
    world.cut()

    world.run(60.0)
    assert world.engine.mode is Mode.SYNCING
    snapshot = world.engine.snapshot()
    assert snapshot.bid_exposure == 1_000
    assert {order.state for order in snapshot.orders} <= {"unknown", "cancel sent"}

    world.is_dark = False
    world.reconnect()
    world.run(10.0)
    assert world.engine.mode is Mode.QUOTING
    assert len(world.live) == 10


def test_a_quick_reconnect_keeps_the_orders_that_are_proved():
    """Their places in the queue are worth more than a cancel."""
    world = Scenario().quote()
    before = set(world.live)
    world.cut()
    world.run(0.5)
    assert world.engine.mode is Mode.SYNCING
    assert world.engine.snapshot().counters.orders_unknown == 10

    world.reconnect()
    world.run(3.0)

    assert world.engine.mode is Mode.QUOTING
    assert set(world.live) == before


def test_data_that_stay_stale_after_the_connection_is_back_kill():
    """The connection is not to blame any more."""
    world = Scenario().quote()
    world.cut()
    world.run(10.0)
    assert world.engine.mode is Mode.SYNCING

    world.connect()  # but no data come
    world.run(7.0)

    assert world.engine.mode in (Mode.HALTED, Mode.DONE)


def test_no_placement_is_decided_on_stale_data():
    """I-15: neither before the pull nor while synchronising."""
    world = Scenario().quote()
    world.mid += 2_000
    world.is_market_on = False
    before = len(placed(world.sent))

    world.run(4.5)

    assert len(placed(world.sent)) == before


# Doubt.


@pytest.mark.parametrize("has_effect", [True, False])
def test_op01_a_lost_placement_is_read_before_anything_takes_its_place(has_effect):
    """Landed or not: nothing is placed twice, and the truth is found."""
    world = Scenario()
    world.connect()
    world.run(1.0)
    world.answer = lambda action: (
        world.lose(action, has_effect=has_effect) if isinstance(action, PlaceOrders) else None
    )
    world.warm()
    world.answer = lambda _: None
    assert world.engine.snapshot().bid_exposure == 1_000

    world.run(10.0)

    snapshot = world.engine.snapshot()
    assert snapshot.mode is Mode.QUOTING
    assert len(world.live) == 10
    assert set(world.live) == {order.cloid for order in snapshot.orders}
    assert len(placed(world.sent)) == (10 if has_effect else 20)


def test_reads_are_repeated_with_growing_pauses():
    """No busy loop while the exchange does not answer."""
    world = Scenario()
    times = []

    def answer(action):
        if isinstance(action, ReadOpenOrders):
            times.append(world.now_ns / SEC)
            return [ReadFailed(action.id, "timeout")]
        return None

    world.answer = answer
    world.connect()
    world.run(60.0)

    gaps = [b - a for a, b in pairwise(times)]
    assert gaps[:4] == pytest.approx([0.55, 1.05, 2.05, 2.05], abs=0.1)
    assert max(gaps) <= 2.3


def test_an_order_that_never_shows_is_proved_by_two_reads_two_seconds_apart():
    """A single 'unknown' may be an index that lags."""
    world = Scenario()
    world.connect()
    world.run(1.0)
    world.answer = lambda action: (
        world.lose(action, has_effect=False) if isinstance(action, PlaceOrders) else None
    )
    world.warm()
    lost_ns = world.now_ns
    world.answer = lambda _: None
    world.run(1.5)
    assert world.engine.snapshot().counters.orders_unknown == 10
    assert world.engine.snapshot().bid_exposure == 1_000

    world.run(4.0)

    assert world.engine.snapshot().bid_exposure == 1_000  # the new ones
    assert len(world.live) == 10
    reads = [action for action in world.sent if isinstance(action, ReadOrder)]
    assert len(reads) >= 20
    assert world.now_ns - lost_ns < 6 * SEC


# Restart.


def test_fa07_a_restart_goes_on_with_the_day_s_figures():
    """Killed after a fill that no list of fills had proved: the next process reads it again."""
    world = Scenario().quote()
    deliver(world, Side.BUY, 100)
    world.run(61.0)
    deliver(world, Side.SELL, 30)
    first = world.engine.snapshot()
    assert first.day.position == 100

    again = world.restart(day=first.day).quote()

    second = again.engine.snapshot()
    assert second.position == 70
    assert second.ledger.adjustments == 0
    assert second.ledger.day_pnl_usd == pytest.approx(first.ledger.day_pnl_usd, abs=1e-9)
    assert second.ledger.equity_usd == pytest.approx(first.ledger.equity_usd, abs=1e-9)
    assert (second.ledger.session_pnl_usd, second.ledger.fees_usd) == (0.0, 0.0)
    assert second.ledger.fills == second.counters.buys + second.counters.sells == 0
    cancelled = {oid for a in again.sent if isinstance(a, CancelOids) for oid in a.oids}
    assert cancelled == {landed.oid for landed in world.live_before_restart}


# Risk.


def test_rk04_a_daily_loss_kills_latches_and_cancels():
    """The loss limit acts by itself."""
    world = Scenario(settings(risk__max_daily_loss_usd=10.0)).quote()
    for _ in range(5):
        deliver(world, Side.BUY, 200)
    world.run(1.0)
    world.mid -= 15_000  # 1.5 % of 1,000 USD

    world.run(2.0)

    assert world.engine.mode in (Mode.HALTED, Mode.DONE)
    assert world.live == {}
    latch = world.engine.latch
    assert latch is not None
    assert "daily loss" in latch.reason
    (notice,) = [n for n in world.notices if n.event == "KILL SWITCH TRIGGERED"]
    assert notice.level is Level.ERROR


def test_a_limit_that_comes_near_is_said_once():
    """'Risk limit approaching' at 80 %, not at every step."""
    world = Scenario(settings(risk__max_daily_loss_usd=10.0)).quote()
    for _ in range(5):
        deliver(world, Side.BUY, 200)
    world.run(1.0)
    world.mid -= 9_000

    world.run(5.0)

    near = [n for n in world.notices if n.event == "Kill switch condition detected"]
    assert [n.fields["condition"] for n in near] == ["max daily loss"]
    assert near[0].level is Level.WARN


def test_a_standing_latch_only_cancels_and_ends():
    """I-07: no placing action after a kill, restarts included."""
    world = Scenario(latch=Latch("daily loss", 1))
    orphan = Cloids(ACCOUNT, "default", 1).next(Side.BUY, 0)
    world.foreign = [OpenOrder(5, orphan, Side.BUY, 900_000, 100, 100, is_reduce_only=False)]
    world.connect()

    world.run(10.0)

    assert world.engine.mode is Mode.DONE
    assert world.foreign == []
    assert placed(world.sent) == []
    assert world.engine.latch == Latch("daily loss", 1)  # not that of this run


def test_rate_limit_errors_kill_at_ten_a_minute():
    """Hammering an exchange that says no is a defect of ours."""
    text = "Too many cumulative requests sent (37986 > 10436) for cumulative volume traded $437.92."
    world = Scenario()
    world.answer = lambda action: (
        [ActionReply(action.id, tuple(Refused(text) for _ in action.orders))]
        if isinstance(action, PlaceOrders)
        else None
    )
    world.connect()
    world.run(1.0)
    world.warm()

    world.run(60.0)

    assert world.engine.mode in (Mode.HALTED, Mode.DONE)
    assert sum(isinstance(action, PlaceOrders) for action in world.sent) <= 10


def test_reads_that_are_refused_for_rate_count_too_but_our_own_budget_does_not():
    """The budget keeps us from asking: that is no refusal of the exchange."""
    world = Scenario().quote()

    for i in range(5):
        world.step(
            ReadFailed(10_000 + i, "HTTP status 429"),
            ReadFailed(20_000 + i, "request budget: the exchange answered 429, only cancels"),
        )

    assert world.engine.snapshot().counters.rate_limit_errors == 5


def test_a_denial_is_said_once_in_a_while():
    """A dry run denies every second; ten equal lines say no more than one."""
    world = Scenario()
    world.answer = lambda action: (
        [ActionDenied(action.id, "dry run")] if isinstance(action, PlaceOrders) else None
    )
    world.connect()
    world.run(1.0)
    world.warm()
    world.run(15.0)

    said = [n for n in world.notices if n.event == "Action denied"]
    assert 1 <= len(said) <= 3
    assert world.engine.mode is Mode.QUOTING
    assert len([a for a in world.sent if isinstance(a, PlaceOrders)]) > 10


# Stop.


def test_pr02_a_stop_cancels_proves_twice_and_ends():
    """In less than a second against an exchange that works."""
    world = Scenario().quote()
    stop_ns = world.now_ns

    world.pending.append(StopRequested("SIGINT"))
    world.run(10.0, until=Mode.DONE)

    assert world.engine.mode is Mode.DONE
    assert world.live == {}
    snapshot = world.engine.snapshot()
    assert snapshot.is_proved
    assert snapshot.orders == ()
    assert snapshot.stop_reason == "SIGINT"
    assert world.now_ns - stop_ns <= 1.5 * SEC
    lists = [a for a in world.sent[-12:] if isinstance(a, ReadOpenOrders)]
    assert len(lists) >= 2
    assert world.engine.deadline_ns is None
    assert world.step() == ()


def test_a_stop_while_placements_are_in_flight_leaves_nothing():
    """What lands after the request to stop is cancelled too."""
    world = Scenario()
    world.connect()
    world.run(1.0)
    world.answer = lambda action: [] if isinstance(action, PlaceOrders) else None
    world.warm()
    world.answer = lambda _: None
    (place,) = [action for action in world.sent if isinstance(action, PlaceOrders)]

    world.pending.append(StopRequested("SIGTERM"))
    world.tick()
    world.tick()
    world.pending += world.perform(place)  # lands late
    world.run(10.0, until=Mode.DONE)

    assert world.engine.mode is Mode.DONE
    assert world.live == {}
    assert world.engine.snapshot().is_proved


def test_a_stop_that_cannot_be_proved_ends_at_its_deadline_with_a_list():
    """Exit 13: the operator has to know which orders."""
    world = Scenario().quote()
    world.answer = lambda action: world.lose(action, has_effect=False)
    stop_ns = world.now_ns

    world.pending.append(StopRequested("SIGINT"))
    world.run(30.0, until=Mode.DONE)

    snapshot = world.engine.snapshot()
    assert snapshot.mode is Mode.DONE
    assert not snapshot.is_proved
    assert len(snapshot.orders) == 10
    assert 9.5 * SEC <= world.now_ns - stop_ns <= 10.5 * SEC
    (notice,) = [n for n in world.notices if n.event == "Market maker stopped"]
    assert notice.level is Level.ERROR


def test_a_second_request_to_stop_leaves_one_second():
    """The bulk cancel has been sent; courtesy is over."""
    world = Scenario().quote()
    world.answer = lambda action: world.lose(action, has_effect=False)
    world.pending.append(StopRequested("SIGINT"))
    world.run(2.0)
    second_ns = world.now_ns

    world.pending.append(StopRequested("SIGINT"))
    world.run(10.0, until=Mode.DONE)

    assert world.engine.mode is Mode.DONE
    assert world.now_ns - second_ns <= 1.2 * SEC


def test_rk06_a_kill_goes_on_sweeping_through_an_outage():
    """Forty minutes without an answer: latched, never placing again, proved in the end."""
    world = Scenario().quote()
    world.is_market_on = False
    world.run(5.5, until=Mode.HALTED)
    world.answer = lambda action: world.lose(action, has_effect=False)
    halted_at = len(world.sent)

    world.run(0.5)
    for _ in range(2_400):  # one step a second
        world.now_ns += SEC - 50 * MS
        world.tick()
    assert world.engine.mode is Mode.HALTED
    world.answer = lambda _: None
    world.run(30.0, until=Mode.DONE)

    assert world.engine.mode is Mode.DONE
    assert world.live == {}
    assert world.engine.snapshot().is_proved
    assert placed(world.sent[halted_at:]) == []
    # Bounded effort: about one round each ten seconds, not one each step.
    assert len(world.sent) - halted_at < 2_500


def test_a_stop_before_anything_was_connected_ends():
    """Ctrl-C in the first second."""
    world = Scenario()
    world.pending.append(StopRequested("SIGINT"))

    world.run(12.0, until=Mode.DONE)

    assert world.engine.mode is Mode.DONE


# Determinism.


def test_i25_the_same_calls_give_the_same_digest():
    """And any difference in what goes in shows."""

    def session(nudge: int) -> str:
        world = Scenario().quote()
        deliver(world, Side.BUY, 100)
        world.mid += 1_000 + nudge
        world.run(2.0)
        world.pending.append(StopRequested("end"))
        world.run(5.0)
        return world.engine.digest()

    assert session(0) == session(0)
    assert session(0) != session(10)


def test_time_that_runs_back_is_our_defect():
    """The caller guarantees a monotonic clock."""
    world = Scenario()
    world.step(after_ns=SEC)

    with pytest.raises(AssertionError, match="time ran back"):
        world.step(after_ns=-1)


def test_snapshots_and_notices_hold_no_surprise():
    """Numbers are finite where they are known, and a taken notice does not come twice."""
    world = Scenario().quote()
    deliver(world, Side.SELL, 50)
    snapshot = world.engine.snapshot()

    assert math.isfinite(snapshot.ledger.day_pnl_usd)
    assert snapshot.position == -50
    assert snapshot.day is not None
    assert snapshot.day.position == 0  # proved with the next list of fills
    world.run(61.0)
    assert world.engine.snapshot().day.position == -50
    world.engine.take_notices()
    assert world.engine.take_notices() == []
