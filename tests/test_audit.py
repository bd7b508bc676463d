"""The audit: orders, position, fills and margin against the exchange, repaired and counted."""

from hypermm.engine import Mode
from hypermm.messages import ReadAccount, ReadOpenOrders, Side, UpdateLeverage
from tests.scenario import Scenario


def differences(world: Scenario) -> dict[str, int]:
    return {name: one.differences for name, one in world.engine.snapshot().audit.items()}


def test_everything_is_compared_each_minute_and_nothing_differs():
    """Orders, position, fills and margin: each at least once a minute, without a false alarm."""
    world = Scenario().quote()
    before = {name: one.times for name, one in world.engine.snapshot().audit.items()}

    world.run(61.0)

    audit = world.engine.snapshot().audit
    assert set(audit) == {"orders", "position", "fills", "margin"}
    assert all(one.times > before[name] for name, one in audit.items())
    assert set(differences(world).values()) == {0}


def test_an_order_that_is_gone_is_counted_and_replaced():
    """Ended behind our back without a word: the list shows it, the ladder is whole again."""
    world = Scenario().quote()
    lost = world.side(Side.BUY)[0]
    lost.status = "canceled"

    world.run(20.0)

    assert differences(world)["orders"] == 1
    assert len(world.side(Side.BUY)) == 5
    assert world.engine.mode is Mode.QUOTING


def test_fa06_a_position_that_differs_is_adopted_and_counted():
    """Somebody else traded and no stream told: the exchange's number counts."""
    world = Scenario().quote()
    world.position += 50

    world.run(30.0)

    assert differences(world)["position"] == 1
    assert world.engine.snapshot().position == 50
    assert "Position adopted from the exchange" in world.events()


def test_fa02_a_fill_that_the_stream_missed_is_found_counted_and_booked_once():
    """FA-02: the minute's read of fills brings what the stream did not."""
    world = Scenario().quote()
    events = world.fill(world.side(Side.BUY)[0], 100)

    world.run(70.0)

    assert len(events) > 0
    snapshot = world.engine.snapshot()
    assert snapshot.position == 100
    assert snapshot.ledger.adjustments == 0
    assert differences(world)["fills"] == 1
    assert "Missed fills found" in world.events()


def test_leverage_that_somebody_changed_is_set_back():
    """The sizes rest on it: quotes go, it is set anew, and quoting goes on."""
    world = Scenario().quote()
    sent = sum(isinstance(action, UpdateLeverage) for action in world.sent)
    world.leverage = 3

    world.run(20.0)

    assert sum(isinstance(action, UpdateLeverage) for action in world.sent) == sent + 1
    assert world.leverage == 40
    assert differences(world)["margin"] == 1
    assert world.engine.mode is Mode.QUOTING


def test_an_account_that_shrank_carries_a_smaller_limit():
    """Position limit <= account x leverage x 0.5 holds for the account as it is."""
    world = Scenario().quote()
    assert world.engine.snapshot().position_limit == 5_000
    world.account_usd = 150.0

    world.run(30.0)

    assert world.engine.snapshot().position_limit == 3_000  # 150 x 40 x 0.5 at 1 USD a lot
    assert differences(world)["margin"] == 1
    assert world.engine.mode is Mode.QUOTING
    assert all(landed.order.size * 5 <= 1_200 for landed in world.side(Side.BUY))


def test_fa06_a_difference_that_the_stream_explains_is_none():
    """A fill that an answer shows before the stream tells it is no difference."""
    world = Scenario().quote()

    def race(action):
        if not isinstance(action, ReadAccount | ReadOpenOrders):
            return None
        side = world.side(Side.BUY if world.position <= 0 else Side.SELL)
        late = world.fill(side[0], 20) if side else []
        return [*world.perform(action), *late]

    world.answer = race
    world.run(61.0)
    world.answer = lambda _: None
    world.run(3.0)

    found = differences(world)
    assert (found["position"], found["margin"], found["fills"]) == (0, 0, 0)
    assert world.engine.snapshot().position == world.position
