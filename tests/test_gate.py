"""The last check before signing, against orders that a broken strategy would send."""

import math

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from hypermm._core.rows import Rows
from hypermm.config import RiskConfig
from hypermm.gate import Gate
from hypermm.messages import (
    CancelOids,
    CancelOrders,
    Order,
    PlaceOrders,
    ReadAccount,
    Side,
    Tif,
    UpdateLeverage,
)
from tests.scenario import BTC, MID, SEC, add_book, add_context, add_quotes

GOOD = Order(cloid=1, side=Side.BUY, price=MID - 500, size=200)


def gate(mid: int = MID, mark: int = MID, **limits: float) -> Gate:
    made = Gate(RiskConfig(**limits), BTC)  # type: ignore[arg-type]
    rows = Rows.allocate(8)
    if mid:
        add_quotes(rows, 1, mid - 10, mid + 10)
    if mark:
        add_context(rows, mark)
    made.observe(rows)
    return made


def passes(made: Gate, *orders: Order, now_ns: int = 0) -> bool:
    allowed, denied = made.check((PlaceOrders(7, orders),), now_ns)
    assert len(allowed) + len(denied) == 1
    assert all(one.id == 7 and one.reason for one in denied)
    return bool(allowed)


def test_a_good_order_passes_and_cancels_and_reads_always_do():
    """Nothing may stand in the way of a cancel."""
    made = Gate(RiskConfig(), BTC)  # knows no price at all
    others = (
        CancelOrders(1, (1,)),
        CancelOids(2, (1,)),
        UpdateLeverage(3, 5, is_cross=True),
        ReadAccount(4),
    )

    assert made.check(others, 0) == (others, ())
    assert passes(gate(), GOOD)


@pytest.mark.parametrize(
    "change",
    [
        {"price": 0},
        {"price": -MID},
        {"price": float(MID)},
        {"price": math.nan},
        {"price": MID - 505},  # six figures
        {"price": 2 * MID},
        {"price": MID // 2},
        {"size": 0},
        {"size": -200},
        {"size": 200.0},
        {"size": math.inf},
        {"size": 9},  # 9 USD
        {"size": 100 * 200},  # 20,000 USD
        {"size": 1 << 60},
        {"side": 0},
        {"cloid": 0},
        {"cloid": 1 << 128},
        {"tif": Tif.GTC},
        {"tif": Tif.IOC},
        {"tif": Tif.GTC, "is_reduce_only": True},
    ],
)
def test_rk01_i05_i06_a_bad_order_takes_its_whole_action_along(change):
    """Fat finger, NaN, tick, lot, minimum, notional, post-only: nothing of it is sent."""
    assert not passes(gate(), GOOD, evolve(GOOD, cloid=2, price=MID - 600), evolve(GOOD, **change))


def test_an_ioc_passes_only_if_it_reduces():
    """The flatten path."""
    assert passes(gate(), evolve(GOOD, tif=Tif.IOC, is_reduce_only=True, size=5))


@pytest.mark.parametrize("mid", [MID, 0])
@pytest.mark.parametrize(("bps", "is_inside"), [(499, True), (501, False)])
def test_rk02_i16_the_collar_is_measured_from_mark_and_oracle(mid, bps, is_inside):
    """A book that jumps does not move the collar."""
    price = BTC.floor_price(MID - MID * bps // 10_000)

    assert passes(gate(mid=mid), evolve(GOOD, price=price)) is is_inside


def test_without_mark_and_oracle_the_last_mid_counts_and_without_any_nothing_passes():
    """No reference, no order."""
    assert passes(gate(mark=0), GOOD)
    assert not passes(gate(mark=0, mid=2 * MID), GOOD)
    assert not passes(gate(mark=0, mid=0), GOOD)


def test_the_touch_is_taken_from_book_frames_too_and_a_crossed_one_is_not_believed():
    """The last mid with two sides that do not cross."""
    made = gate(mark=0, mid=0)
    rows = Rows.allocate(40)
    add_book(rows, 1, MID)
    made.observe(rows)
    assert passes(made, GOOD)

    crossed = Rows.allocate(2)
    add_quotes(crossed, 2, 3 * MID, 2 * MID)
    made.observe(crossed)
    assert passes(made, GOOD)


def test_own_sides_must_not_cross_within_an_action():
    """I-04, once more, by code that shares nothing with the orders' table."""
    sell = Order(cloid=2, side=Side.SELL, price=GOOD.price, size=200)

    assert not passes(gate(), GOOD, sell)
    assert passes(gate(), GOOD, evolve(sell, price=GOOD.price + 10))


def test_one_id_twice_is_refused():
    """It would bind two orders to one record."""
    assert not passes(gate(), GOOD, evolve(GOOD, price=MID - 600))


def test_rk08_placing_actions_are_capped_in_every_minute():
    """A loop that requotes at every tick runs into this."""
    made = gate(max_actions_per_minute=3)

    assert [passes(made, GOOD, now_ns=i * SEC) for i in range(5)] == [True] * 3 + [False] * 2
    assert not passes(made, GOOD, now_ns=60 * SEC - 1)
    assert passes(made, GOOD, now_ns=60 * SEC)


@given(st.integers(-(1 << 70), 1 << 70), st.integers(-(1 << 70), 1 << 70), st.sampled_from(Side))
def test_whatever_passes_is_valid(price, size, side):
    """The gate itself never raises, and lets through nothing that breaks a rule."""
    order = Order(cloid=1, side=side, price=price, size=size)

    if passes(gate(), order):
        assert BTC.is_allowed_price(price)
        assert 10.0 <= BTC.notional_usd(price, size) <= 5_000.0
        assert abs(price / MID - 1.0) <= 0.05


@pytest.mark.parametrize(("price_collar_bps", "bps"), [(50.0, 49), (1_000.0, 990)])
def test_the_collar_is_the_one_that_is_set(price_collar_bps, bps):
    """Tighter than the default, and wider."""
    made = gate(price_collar_bps=price_collar_bps)
    inside, outside = (
        evolve(GOOD, price=BTC.floor_price(MID - MID * at // 10_000)) for at in (bps, bps + 20)
    )

    assert passes(made, inside)
    assert not passes(made, outside)


@pytest.mark.parametrize(
    ("usd", "ceiling_usd"), [(150.0, 150.0), (20_000.0, 20_000.0), (1e9, 1_000_000.0)]
)
def test_an_order_is_worth_no_more_than_is_set_and_never_a_million(usd, ceiling_usd):
    """A lot of this market at 100,000 is worth 1 USD."""
    made = gate(max_order_notional_usd=usd)

    assert passes(made, evolve(GOOD, price=MID, size=int(ceiling_usd)))
    assert not passes(made, evolve(GOOD, price=MID, size=int(ceiling_usd) + 1))
