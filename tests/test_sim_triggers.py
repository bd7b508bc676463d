"""Stop and take-profit orders on the simulated exchange: when they wake, and what hangs on what."""

import pytest

from tests.scripted_market import ALICE, BOB
from tests.sim_desk import CLOID, Venue, wire

NO_HASH = "0x" + 64 * "0"


def trigger(side, trigger_price, size, kind, *, limit=None, reduce_only=True, cloid=None):
    """Return a market stop ("sl") or take-profit ("tp"); with a limit, a limit one."""
    order = wire(side, limit or trigger_price, size, reduce_only=reduce_only, cloid=cloid)
    order["t"] = {"trigger": {"isMarket": limit is None, "triggerPx": trigger_price, "tpsl": kind}}
    return order


@pytest.fixture
def venue():
    """Alice is long 1."""
    venue = Venue()
    venue.place(ALICE, wire("B", "2001", "1", "Ioc"))
    return venue


def group(venue, grouping, *orders, user=ALICE):
    action = {"type": "order", "orders": list(orders), "grouping": grouping}
    return venue.act(user, action)["response"]["data"]["statuses"]


def move(venue, middle):
    """Let the outside market jump to new prices, and the mark with it; make a block more."""
    bids = [(str(middle - i), "5") for i in range(1, 4)]
    asks = [(str(middle + i), "5") for i in range(1, 4)]
    venue.market.book(venue.soon(), bids, asks)
    venue.market.trade(venue.soon(), "B", str(middle), "0.1")
    venue.step()


def frontend(venue, user=ALICE):
    return venue.info("frontendOpenOrders", user)


@pytest.mark.parametrize(
    ("kind", "price", "middle", "text", "order_type"),
    [
        ("sl", "1990", 1985, "Price below 1990", "Stop Market"),
        ("tp", "2010", 2015, "Price above 2010", "Take Profit Market"),
    ],
)
def test_a_market_trigger_waits_and_sells_when_the_mark_comes(
    venue, kind, price, middle, text, order_type
):
    (status,) = venue.place(ALICE, trigger("A", price, "1", kind))
    assert status == "waitingForTrigger"
    assert venue.updates(ALICE) == [("open", "1.0")]
    (shown,) = frontend(venue)
    assert (shown["triggerCondition"], shown["orderType"]) == (text, order_type)
    assert (shown["isTrigger"], shown["tif"], shown["triggerPx"]) == (True, None, f"{price}.0")
    (brief,) = venue.info("openOrders", ALICE)
    assert "triggerPx" not in brief

    move(venue, middle)

    assert [name for name, _ in venue.updates(ALICE)] == ["triggered", "open", "filled"]
    (fill,) = venue.fills(ALICE)
    assert (fill["hash"], fill["dir"]) == (NO_HASH, "Close Long")
    assert venue.size(ALICE) == "0.0"
    assert frontend(venue) == []


def test_triggers_of_a_short_look_the_other_way():
    venue = Venue()
    venue.place(ALICE, wire("A", "2000", "1", "Ioc"))
    venue.place(ALICE, trigger("B", "2010", "1", "sl"), trigger("B", "1990", "1", "tp"))
    conditions = {order["triggerCondition"] for order in frontend(venue)}
    assert conditions == {"Price above 2010", "Price below 1990"}

    move(venue, 2012)

    assert venue.size(ALICE) == "0.0"


def test_a_market_trigger_takes_no_price_beyond_a_tenth_from_the_mark(venue):
    venue.place(ALICE, trigger("A", "1990", "1", "sl"))
    venue.market.book(
        venue.soon(), [("1980", "0.3"), ("1700", "9")], [("1981", "1"), ("1982", "1")]
    )
    venue.market.trade(venue.soon(), "A", "1980", "0.1")

    venue.step()

    assert [name for name, _ in venue.updates(ALICE)] == ["triggered", "open", "filled"]
    assert venue.size(ALICE) == "0.8"  # 0.2 stood within reach


def test_a_market_trigger_without_a_book_ends_with_its_own_status(venue):
    venue.place(ALICE, trigger("A", "1990", "1", "sl"))
    venue.market.book(venue.soon(), [], [("1950", "1")])
    venue.market.trade(venue.soon(), "A", "1950", "0.1")

    venue.step()

    names = [name for name, _ in venue.updates(ALICE)]
    assert names == ["triggered", "marketOrderNoLiquidityRejected"]


def test_a_limit_trigger_becomes_an_order_at_its_limit(venue):
    venue.place(ALICE, trigger("A", "1990", "1", "sl", limit="1995", cloid=CLOID))

    move(venue, 1985)

    assert venue.updates(ALICE) == [("triggered", "1.0"), ("open", "1.0")]
    (shown,) = frontend(venue)
    assert (shown["limitPx"], shown["orderType"]) == ("1995.0", "Stop Limit")
    assert venue.info("l2Book", coin="ETH")["levels"][1][-1]["px"] == "1995.0"


@pytest.mark.parametrize(("kind", "price"), [("sl", "2005"), ("tp", "1995")])
def test_a_trigger_that_is_met_already_is_refused(venue, kind, price):
    (status,) = venue.place(ALICE, trigger("A", price, "1", kind))

    assert status == {"error": "Invalid TP/SL price. asset=0"}
    assert venue.updates(ALICE) == [("badTriggerPxRejected", "1.0")]


def test_a_waiting_order_can_be_cancelled_but_not_fast(venue):
    venue.place(ALICE, trigger("A", "1990", "1", "sl"))
    oid = frontend(venue)[0]["oid"]

    fast = venue.act(ALICE, {"type": "cancel", "cancels": [{"a": 0, "o": oid}], "f": True})
    assert "Fast cancel" in fast["response"]["data"]["statuses"][0]["error"]
    assert venue.cancel(ALICE, oid) == "success"
    assert venue.updates(ALICE) == [("canceled", "1.0")]

    move(venue, 1985)
    assert venue.size(ALICE) == "1.0"


def test_a_waiting_order_holds_no_margin_and_none_is_asked_twice(venue):
    before = venue.info("clearinghouseState", ALICE)["withdrawable"]

    venue.place(ALICE, trigger("B", "2100", "50", "sl", reduce_only=False))

    assert venue.info("clearinghouseState", ALICE)["withdrawable"] == before


def test_a_trigger_that_cannot_be_paid_when_it_wakes_is_refused_then(venue):
    venue.place(ALICE, trigger("B", "2010", "500", "sl", reduce_only=False))

    move(venue, 2012)

    assert [name for name, _ in venue.updates(ALICE)] == ["triggered", "perpMarginRejected"]


# Parents and children


def family(venue, size="1", price="2001", tif="Gtc", user=BOB):
    return group(
        venue,
        "normalTpsl",
        wire("B", price, size, tif),
        trigger("A", "2050", size, "tp"),
        trigger("A", "1950", size, "sl"),
        user=user,
    )


def test_children_of_a_filled_parent_wait_for_their_trigger(venue):
    statuses = family(venue, price="2002")

    assert "filled" in statuses[0]
    assert statuses[1:] == ["waitingForTrigger"] * 2
    assert len(frontend(venue, BOB)) == 2


def test_children_wait_inside_their_parent_and_are_placed_by_its_whole_fill(venue):
    statuses = family(venue, price="1999")
    assert statuses[1:] == ["waitingForFill"] * 2
    *children, parent = frontend(venue, BOB)
    assert [child["orderType"] for child in parent["children"]] == [
        "Take Profit Market",
        "Stop Market",
    ]
    assert children == parent["children"][::-1], "recorded: they stand by themselves too"

    venue.trade("A", "1999", "2.5")  # 2 stand before it
    assert len(frontend(venue, BOB)) == 3
    venue.trade("A", "1999", "2.5")

    assert [order["isTrigger"] for order in frontend(venue, BOB)] == [True, True]


def test_one_of_a_pair_that_fills_cancels_the_other(venue):
    family(venue, price="2002")

    move(venue, 1940)

    names = [name for name, _ in venue.updates(BOB)]
    assert names == ["triggered", "open", "filled", "siblingFilledCanceled"]
    assert venue.events(BOB, "userEvents")[-1]["nonUserCancel"]
    assert frontend(venue, BOB) == []


@pytest.mark.parametrize("traded", [None, "2.5"])
def test_cancelling_a_parent_cancels_its_children_even_after_a_part_has_filled(venue, traded):
    statuses = family(venue, price="1999")
    if traded:
        venue.trade("A", "1999", traded)

    assert venue.cancel(BOB, statuses[0]["resting"]["oid"]) == "success"

    assert [name for name, _ in venue.updates(BOB)] == ["canceled"] * 3
    assert frontend(venue, BOB) == []


def test_a_parent_that_loses_its_rest_to_its_margin_places_its_children():
    venue = Venue(usdc=110)  # at 20 times: 2200 USD
    family(venue, price="1999", user=BOB)
    venue.trade("A", "1999", "2.5")
    venue.exchange.accounts.get(BOB).pool().cash -= 60_000_000

    venue.trade("A", "1999", "2.5")

    assert venue.updates(BOB) == [("marginCanceled", "0.5")]
    assert [order["isTrigger"] for order in frontend(venue, BOB)] == [True, True]


def test_a_parent_that_is_refused_takes_its_children_along(venue):
    statuses = family(venue, price="1990", tif="Ioc")

    text = "Order could not immediately match against any resting orders. asset=0"
    assert statuses == [{"error": text}] * 3
    assert {name for name, _ in venue.updates(BOB)} == {"open", "iocCancelRejected"}
    assert frontend(venue, BOB) == []


def test_a_child_on_the_wrong_side_of_its_parent_is_refused_alone(venue):
    statuses = group(
        venue,
        "normalTpsl",
        wire("B", "1999", "1", "Gtc"),
        trigger("A", "1990", "1", "tp"),
        trigger("A", "1950", "1", "sl"),
        user=BOB,
    )

    assert "resting" in statuses[0]
    assert statuses[1] == {"error": "Invalid TP/SL price. asset=0"}
    assert statuses[2] == "waitingForFill"


# The whole position


def test_a_trigger_for_the_position_follows_its_size(venue):
    statuses = group(
        venue,
        "positionTpsl",
        trigger("A", "2050", "0", "tp"),
        trigger("A", "1950", "0", "sl"),
    )
    assert statuses == ["waitingForTrigger"] * 2
    assert all(order["isPositionTpsl"] for order in frontend(venue))
    venue.place(ALICE, wire("B", "2002", "0.5", "Ioc"))

    move(venue, 1940)

    assert venue.size(ALICE) == "0.0"
    assert [fill["sz"] for fill in venue.fills(ALICE)] == ["1.5"]
    names = [name for name, _ in venue.updates(ALICE)]
    assert names == ["triggered", "open", "filled", "siblingFilledCanceled"]


def test_triggers_for_a_position_end_with_it(venue):
    group(venue, "positionTpsl", trigger("A", "1950", "0", "sl"))
    venue.place(ALICE, trigger("A", "1960", "1", "sl"))  # a plain one stays

    venue.place(ALICE, wire("A", "2000", "1", "Ioc"))

    assert ("reduceOnlyCanceled", "0.0") in venue.updates(ALICE)
    assert [order["triggerPx"] for order in frontend(venue)] == ["1960.0"]


def test_no_trigger_wakes_on_a_halted_market_or_while_only_post_only_orders_are_taken(venue):
    venue.place(ALICE, trigger("A", "1990", "1", "sl"))
    venue.exchange.desk.is_post_only = True
    move(venue, 1985)
    venue.exchange.desk.is_post_only = False
    venue.exchange.halt({"ETH"})
    move(venue, 1984)
    assert venue.size(ALICE) == "1.0"

    venue.exchange.halt(())
    move(venue, 1983)

    assert venue.size(ALICE) == "0.0"


def test_a_trigger_may_be_modified_with_always_place_only(venue):
    venue.place(ALICE, trigger("A", "1990", "1", "sl"))
    oid = frontend(venue)[0]["oid"]
    action = {"type": "modify", "oid": oid, "order": trigger("A", "1980", "1", "sl")}

    refused = venue.act(ALICE, action)
    done = venue.act(ALICE, {**action, "a": True})

    assert refused == {"status": "err", "response": "Attempted to modify to invalid new order"}
    assert done["status"] == "ok"
    assert [order["triggerPx"] for order in frontend(venue)] == ["1980.0"]
