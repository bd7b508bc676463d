"""The explanation of a decision: its terms give the prices, and nothing is unquoted silently."""

import json
import math
import random

import pytest

from hypermm._core.rows import Rows
from hypermm.engine import Mode, Unquoted
from hypermm.messages import PlaceOrders, Side
from hypermm.quoting import Term
from tests.random_states import check
from tests.scenario import BTC, MS, Scenario, add_book, placed, settings


@pytest.mark.parametrize("seed", range(4))
def test_terms_recomputed_on_their_own_give_the_price_that_is_sent(seed):
    """20,000 random states; `python -m tests.random_states 1000000` holds a million."""
    draw = random.Random(seed)

    levels = sum(check(draw)[0] for _ in range(5_000))

    assert levels > 10_000


def test_the_running_engine_says_what_its_quotes_are_made_of():
    """Both sides, all levels, each with the order that serves it."""
    world = Scenario().quote().calm()

    explanation = world.engine.explain()

    assert explanation.mode is Mode.QUOTING
    for side in explanation.sides:
        assert side.reason is None
        assert len(side.levels) == 5
        for level in side.levels:
            assert level.reason is None
            assert level.live_price in {o.order.price for o in world.side(side.side)}
            price = explanation.mid + explanation.fair_price * 1e-4 * sum(level.terms.values())
            assert math.isclose(price, level.price, abs_tol=1e-4)
            assert abs(level.terms[Term.ROUNDING]) * explanation.fair_price * 1e-4 < 10.001


def test_asking_for_an_explanation_changes_nothing():
    """The digest of a run that is watched is that of one that is not."""

    def digest(*, is_watched):
        world = Scenario()
        world.after_step = (lambda: world.engine.explain()) if is_watched else lambda: None
        world.quote()
        world.mid += 2_000
        world.run(2.0)
        return world.engine.digest()

    assert digest(is_watched=True) == digest(is_watched=False)


def reasons(world):
    return [side.reason for side in world.engine.explain().sides]


def test_every_mode_without_quotes_has_its_reason():
    """Before the connection, while warming, in a cascade, on stale data, and after the end."""
    world = Scenario()
    world.tick()
    assert reasons(world) == [Unquoted.SYNCING] * 2
    world.connect()
    world.run(1.0)
    assert reasons(world) == [Unquoted.WARMING] * 2
    world.quote().calm()
    assert reasons(world) == [None, None]
    world.sell_forced(10)
    assert world.engine.mode is Mode.PULLED
    world.run(0.2)
    assert reasons(world) == [Unquoted.CASCADE] * 2
    world.run(60.0)
    world.is_market_on = False
    world.run(4.0)
    assert reasons(world) == [Unquoted.STALE_DATA] * 2
    world.run(2.0)
    assert reasons(world) == [Unquoted.KILLED] * 2


def test_a_side_at_the_limit_says_so():
    """5,000 USD long: nothing may be bought."""
    world = Scenario(position=5_000).quote_reducing()

    assert reasons(world) == [Unquoted.POSITION_LIMIT, None]


def test_orders_under_way_are_not_yet_quotes():
    """Sent, and the venue has not said that they rest."""
    world = Scenario()
    world.connect()
    world.run(1.0)
    world.answer = lambda action: [] if isinstance(action, PlaceOrders) else None

    while not placed(world.sent):
        world.warm(1)

    assert reasons(world) == [Unquoted.IN_FLIGHT] * 2
    assert all(
        level.reason is Unquoted.IN_FLIGHT
        for side in world.engine.explain().sides
        for level in side.levels
    )


def test_what_the_collar_leaves_out_has_its_reason():
    """20 bps around the mark: the outer levels are not sent."""
    world = Scenario(settings(risk__price_collar_bps=20.0)).quote()

    bids = world.engine.explain().sides[0]

    assert bids.reason is None
    assert [level.reason for level in bids.levels] == [None, None, None] + [Unquoted.COLLAR] * 2


def test_a_dict_of_it_holds_numbers_and_texts_only():
    """It is written as JSON for other processes."""
    world = Scenario().quote()

    shown = json.loads(json.dumps(world.engine.explain().as_dict(BTC)))

    assert shown["sides"][0]["levels"][0]["terms_bps"]["maker fee"] == -1.5


def test_the_accounts_own_fee_is_in_the_quotes():
    """It is read at the start; a rebate brings the quotes nearer."""
    fees = (1.5, -0.5)

    terms = [
        Scenario(maker_fee_bps=fee).quote().engine.explain().sides[1].levels[0].terms
        for fee in fees
    ]

    assert [one[Term.FEE] for one in terms] == [1.5, -0.5]


@pytest.mark.parametrize("lots_behind", [1, 50_000])
def test_a_good_place_in_the_queue_keeps_an_order_where_it_is(lots_behind):
    """0.7 bps behind its level, at a tolerance of 0.5: only what many stand behind stays."""
    world = Scenario(settings(trading__max_bps_diff=0.5, strategy__ladder_config__num_levels=1))
    world.quote().calm()

    def push(secs: float, size: int) -> None:
        for _ in range(int(secs / 0.1)):
            rows = Rows.allocate(300)
            world.now_ns += 100 * MS
            add_book(rows, world.exch_ns, world.mid, levels=140, size=size)
            events, world.pending = tuple(world.pending), []
            for action in world.step(*events, rows=rows):
                world.pending += world.perform(action)

    push(60.0, 1)
    before = {order.order.cloid for order in world.side(Side.BUY)}
    push(3.0, lots_behind)
    world.mid += 90
    push(0.3, lots_behind)

    after = {order.order.cloid for order in world.side(Side.BUY)}
    assert (after == before) is (lots_behind > 1)
