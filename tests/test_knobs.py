"""Every setting turns something: what it changes, from the file's key to what the engine does.

A row is a key, a value that is not its default, what to look at, and what has to hold of what is
seen with the default and with the value. Settings of start, log and endpoint are tested there.
"""

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest

from hypermm import config
from hypermm._core.rows import Rows
from hypermm.backtesting import Result, backtest
from hypermm.engine import Mode
from hypermm.gate import Gate
from hypermm.messages import Order, PlaceOrders, ReadFailed, Side, StopRequested, UpdateLeverage
from hypermm.quoting import Term
from hypermm.sim.market import open_market
from tests.scenario import BTC, MID, SEC, Scenario, add_context, placed

ELSEWHERE = {
    "network.base_url",
    "network.private_key",
    "logging.format",
    "monitoring.metrics_port",
    "monitoring.metrics_host",
    "monitoring.enable_http_metrics",
    "monitoring.metrics_linger_secs",
    "trading.dex",
    "trading.force_isolated",
    "trading.initial_isolated_margin",
    *(path for path, _ in config.settings() if path.startswith("logging.levels.")),
}
NEAR = {  # the solver's quotes, not the floor
    "strategy.ladder_config.min_depth_bps": 0.1,
    "strategy.ladder_config.max_depth_bps": 1.0,
}


# What to look at. Each takes a configuration.


def ladder(settings: config.Config) -> list[Order]:
    """Return the first orders, bids first, nearest first."""
    world = Scenario(settings, account_usd=1e6).quote()
    return [landed.order for side in Side for landed in world.side(side)]


def bid_depths_bps(settings: config.Config) -> list[float]:
    return [(1 - o.price / MID) * 1e4 for o in ladder(settings) if o.side is Side.BUY]


def side_lots(settings: config.Config) -> int:
    return sum(order.size for order in ladder(settings) if order.side is Side.BUY)


def position_limit(settings: config.Config) -> int:
    return Scenario(settings, account_usd=1e6).quote().engine.snapshot().position_limit


def leverage(settings: config.Config) -> int:
    (action,) = [a for a in Scenario(settings).quote().sent if isinstance(a, UpdateLeverage)]
    return action.leverage


def orders_after_a_move(settings: config.Config) -> int:
    world = Scenario(settings).quote()
    before = len(placed(world.sent))
    world.mid += 2_000  # 20 bps
    world.run(2.0)
    return len(placed(world.sent)) - before


def depth_in_a_wild_market(settings: config.Config) -> float:
    """Depth of the nearest bid, in bps, when the price jumps by 30 bps every second."""
    world = Scenario(settings)
    world.connect()
    world.run(1.0)
    for i in range(20):
        world.mid = MID + 3_000 * (i % 2)
        world.warm(5)
    world.run(3.0)
    return (1 - world.side(Side.BUY)[0].order.price / world.mid) * 1e4


def intensity_after_a_minute(settings: config.Config) -> float:
    """Of trades, a minute after the last one."""
    world = Scenario(settings).quote()
    world.run(60.0)
    return world.engine.snapshot().estimates.intensity_per_sec


def first_order_secs(settings: config.Config) -> float:
    world = Scenario(settings)
    world.connect()
    world.run(1.0)
    while not placed(world.sent):
        world.warm(1)
    return world.now_ns / SEC


def mode_after_few_trades(settings: config.Config) -> Mode:
    world = Scenario(settings)
    world.connect()
    world.run(12.0)
    world.warm(15)
    return world.engine.mode


def mode_after_a_loss(settings: config.Config) -> Mode:
    world = Scenario(settings).quote()
    world.pending += world.fill(world.side(Side.BUY)[0], 200)
    world.run(1.0)
    world.mid -= 5_000  # 1 USD
    world.run(0.5)
    return world.engine.mode


def is_killed_with_a_position(settings: config.Config) -> bool:
    """5,000 USD of it."""
    world = Scenario(settings, position=5_000)
    world.connect()
    world.run(1.0)
    world.warm()
    return world.engine.latch is not None


def mode_in_silence(secs: float) -> Callable[[config.Config], Mode]:
    def look(settings: config.Config) -> Mode:
        world = Scenario(settings).quote()
        world.is_market_on = False
        world.run(secs)
        return world.engine.mode

    return look


def mode_in_a_cascade(settings: config.Config) -> Mode:
    """After a calm half hour and eight sales of somebody who has to."""
    world = Scenario(settings).quote().calm()
    world.sell_forced(8)
    return world.engine.mode


def horizon_bps(settings: config.Config) -> float:
    """What being flat at 16:08 adds to the ask of a long position, a second before."""
    world = Scenario(settings, position=2_000)
    world.connect()
    world.run(1.0)
    world.calm()
    world.run(2_079.0 - world.now_ns / SEC)
    return world.engine.explain().sides[1].levels[0].terms[Term.HORIZON]


def mode_after_three_429(settings: config.Config) -> Mode:
    world = Scenario(settings).quote()
    world.step(*(ReadFailed(10_000 + i, "HTTP status 429") for i in range(3)))
    return world.engine.mode


def farthest_bps(settings: config.Config) -> float:
    return max(abs(order.price / MID - 1) * 1e4 for order in ladder(settings))


def largest_usd(settings: config.Config) -> float:
    return max(BTC.notional_usd(order.price, order.size) for order in ladder(settings))


def passed_in_a_minute(settings: config.Config) -> int:
    """How many of five placements the gate lets pass."""
    gate = Gate(settings.risk, BTC)
    rows = Rows.allocate(3)
    add_context(rows, MID)
    gate.observe(rows)
    actions = [PlaceOrders(i, (Order(i + 1, Side.BUY, MID - 500, 200),)) for i in range(5)]
    return len(gate.check(actions, 0)[0])


def secs_to_give_up(settings: config.Config) -> float:
    """A stop from an exchange that does not answer."""
    world = Scenario(settings).quote()
    world.answer = lambda action: world.lose(action, has_effect=False)
    stop_ns = world.now_ns
    world.pending.append(StopRequested("SIGINT"))
    world.run(60.0, until=Mode.DONE)
    return (world.now_ns - stop_ns) / SEC


def ladders_shown(settings: config.Config) -> int:
    return Scenario(settings).quote().events().count("Calculated ladder")


def traded(settings: config.Config, coin: str | None = None) -> Result:
    return backtest(open_market("synthetic", seed=1), settings, coin=coin, duration_secs=90.0)


def digest(settings: config.Config) -> str:
    return traded(settings).digest


def is_close(value: float, wanted: float) -> bool:
    return abs(value - wanted) < 0.02 * wanted


def steps(depths: list[float]) -> list[float]:
    return [b - a for a, b in pairwise(depths)]


Claim = Callable[[Any, Any], bool]
# Key, value, other settings of the row, what to look at, what holds of (default, value).
ROWS: list[tuple[str, Any, dict[str, Any], Callable[[config.Config], Any], Claim]] = [
    (
        "trading.asset",
        "WLFI",
        {},
        digest,
        lambda d, v: d != v == traded(config.Config(), "WLFI").digest,
    ),
    ("trading.target_liquidity", 0.005, {}, side_lots, lambda d, v: (d, v) == (1_000, 500)),
    (
        "trading.risk_aversion",
        30.0,
        NEAR,
        depth_in_a_wild_market,
        lambda d, v: v > 1.2 * d,
    ),
    ("trading.max_bps_diff", 50.0, {}, orders_after_a_move, lambda d, v: d > v),
    (
        "trading.max_absolute_position_size",
        0.03,
        {},
        position_limit,
        lambda d, v: (d, v) == (5_000, 3_000),
    ),
    ("trading.leverage", 3, {}, leverage, lambda d, v: (d, v) == (40, 3)),
    ("trading.decimals", 3, {"trading.asset": "WLFI"}, digest, lambda d, v: d != v),
    (
        "strategy.strategy_type",
        "glft",
        {},
        lambda c: len(ladder(c)),
        lambda d, v: (d, v) == (10, 2),
    ),
    (
        "strategy.estimation_window_secs",
        10.0,
        {},
        intensity_after_a_minute,
        lambda d, v: v < 0.5 * d,
    ),
    (
        "strategy.flat_by_utc",
        "16:08",
        {},
        horizon_bps,
        lambda d, v: d == 0.0 and abs(v) > 1.0,
    ),
    ("strategy.min_trades", 30, {}, first_order_secs, lambda d, v: v < d - 1.5),
    (
        "strategy.warmup_decay_secs",
        10.0,
        {},
        mode_after_few_trades,
        lambda d, v: (d, v) == (Mode.WARMING, Mode.QUOTING),
    ),
    (
        "strategy.ladder_config.num_levels",
        3,
        {},
        lambda c: len(ladder(c)),
        lambda d, v: (d, v) == (10, 6),
    ),
    (
        "strategy.ladder_config.min_depth_bps",
        10.0,
        {},
        lambda c: bid_depths_bps(c)[0],
        lambda d, v: is_close(d, 5.0) and is_close(v, 10.0),
    ),
    (
        "strategy.ladder_config.max_depth_bps",
        100.0,
        {},
        lambda c: bid_depths_bps(c)[-1],
        lambda d, v: is_close(d, 50.0) and is_close(v, 100.0),
    ),
    (
        "strategy.ladder_config.geometric_spacing",
        False,
        {},
        lambda c: steps(bid_depths_bps(c)),
        lambda d, v: max(v) < 1.02 * min(v) and max(d) > 2.0 * min(d),
    ),
    ("logging.level", "debug", {}, ladders_shown, lambda d, v: d == 0 < v),
    (
        "risk.max_daily_loss_usd",
        0.9,
        {},
        mode_after_a_loss,
        lambda d, v: (d, v) == (Mode.QUOTING, Mode.HALTED),
    ),
    (
        "risk.max_drawdown",
        8e-5,
        {},
        mode_after_a_loss,
        lambda d, v: (d, v) == (Mode.QUOTING, Mode.HALTED),
    ),
    (
        "risk.max_position_value_usd",
        4_000.0,
        {},
        position_limit,
        lambda d, v: d == 5_000 and 3_900 < v <= 4_000,
    ),
    (
        "risk.kill_position_factor",
        1.2,
        {"risk.max_position_value_usd": 4_000.0},
        is_killed_with_a_position,
        lambda d, v: (d, v) == (False, True),
    ),
    (
        "risk.stale_pull_secs",
        1.5,
        {},
        mode_in_silence(2.0),
        lambda d, v: (d, v) == (Mode.QUOTING, Mode.PULLED),
    ),
    (
        "risk.stale_kill_secs",
        8.0,
        {},
        mode_in_silence(5.3),
        lambda d, v: (d, v) == (Mode.HALTED, Mode.PULLED),
    ),
    (
        "risk.rate_limit_errors_max",
        3,
        {},
        mode_after_three_429,
        lambda d, v: (d, v) == (Mode.QUOTING, Mode.HALTED),
    ),
    (
        "risk.cascade_kill",
        0.55,
        {},
        mode_in_a_cascade,
        lambda d, v: (d, v) == (Mode.QUOTING, Mode.HALTED),
    ),
    ("risk.price_collar_bps", 20.0, {}, farthest_bps, lambda d, v: d > 40.0 > 20.0 >= v),
    ("risk.max_order_notional_usd", 100.0, {}, largest_usd, lambda d, v: d > 190.0 > 100.0 >= v),
    ("risk.max_actions_per_minute", 2, {}, passed_in_a_minute, lambda d, v: (d, v) == (5, 2)),
    (
        "risk.shutdown_deadline_secs",
        2.0,
        {},
        secs_to_give_up,
        lambda d, v: 9.9 <= d <= 10.3 and 1.9 <= v <= 2.3,
    ),
]


@pytest.mark.parametrize(("path", "value", "others", "look", "holds"), ROWS, ids=lambda x: str(x))
def test_a_setting_does_what_it_says(path, value, others, look, holds):
    """A key that nothing reads is a promise that nobody keeps."""
    usual = look(config.load(None, others))
    changed = look(config.load(None, {**others, path: value}))

    assert holds(usual, changed), (usual, changed)


def test_every_setting_has_a_row():
    """A new key needs its effect shown, here or in the tests of start, log and endpoint."""
    paths = {path for path, _ in config.settings()}

    assert paths == {row[0] for row in ROWS} | ELSEWHERE
    assert len(ROWS) + len(ELSEWHERE) == len(paths)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0])
def test_no_row_repeats_the_default(row):
    """It would show nothing."""
    defaults = dict(config.settings())

    assert defaults[row[0]].default != row[1]
