"""Every text with which the exchange refuses an order, a cancel, a modify or a TWAP.

A row does the wrong thing and names the text, letter for letter, and the status word of the record
that must be left (None: no record, as the exchange says of what follows from the request alone).
"""

import pytest

from hypermm.sim.rules import Rules
from tests.scripted_market import ALICE, START_MS, ScriptedMarket, instrument
from tests.sim_desk import ASKS, BIDS, Venue, wire
from tests.test_sim_triggers import trigger

USD = 1_000_000
SPOT = 10_000
BUILDER = {"b": "0x" + 40 * "9", "f": 10}


def order(*orders, grouping="na", **others):
    """Return what places orders; its error is that of the last status."""
    action = {"type": "order", "orders": list(orders), "grouping": grouping, **others}
    return lambda venue: venue.act(ALICE, action)


def twap(size="1", minutes=5, *, reduce_only=False, asset=0):
    wired = {"a": asset, "b": True, "s": size, "r": reduce_only, "m": minutes, "t": False}
    return lambda venue: venue.act(ALICE, {"type": "twapOrder", "twap": wired})


def modify(new, *, is_batch=False, cancelled=False, always=False):
    """Rest an order, cancel it perhaps, and modify it to another."""

    def act(venue):
        (status,) = venue.place(ALICE, wire("B", "1999", "0.5"))
        oid = status["resting"]["oid"]
        if cancelled:
            venue.cancel(ALICE, oid)
        action = {"type": "modify", "oid": oid, "order": new}
        if is_batch:
            action = {"type": "batchModify", "modifies": [{"oid": oid, "order": new}]}
        return venue.act(ALICE, {**action, "a": True} if always else action)

    return act


def after(*steps):
    """Do each in turn; the last is the wrong thing."""

    def act(venue):
        return [step(venue) for step in steps][-1]

    return act


def holding(side, size):
    return order(wire(side, "2002" if side == "B" else "1999", size, "Ioc"))


def at_cap(venue):
    venue.exchange.listings[0].open_interest_cap = 1
    venue.exchange.listings[0].open_interest = 1


def halted(venue):
    venue.exchange.halt({"ETH"})


def upgraded(venue):
    venue.exchange.desk.is_post_only = True


def tiered(venue):
    venue.exchange.listings[0].tiers = ((0, 25), (5_000 * USD, 10))


def oracle_far(venue):
    venue.exchange.listings[0].oracle_price = 100_000.0


def empty(venue):
    venue.market.book(venue.soon(), [], [])
    venue.step()


LATE_TICK = Rules(is_tick_checked_first=False)
SLOW_GROWTH = Rules(interest_growth_usd_max=3_000)

# What is done, the text, the status word of the record, the venue's rules.
ROWS = [
    (order(wire("B", "1999.99", "1")),
     "Price must be divisible by tick size. asset=0", "tickRejected", LATE_TICK),
    (order(trigger("A", "1990.99", "1", "sl")),
     "Price must be divisible by tick size. asset=0", "tickRejected", LATE_TICK),
    (order(wire("B", "1999", "0.001")),
     "Order must have minimum value of $10. asset=0", "minTradeNtlRejected"),
    (order(wire("B", "1", "9", asset=SPOT)),
     f"Order must have minimum value of 10 USDC. asset={SPOT}", "minTradeNtlRejected"),
    (order(wire("B", "1999", "1000")),
     "Insufficient margin to place order. asset=0", "perpMarginRejected"),
    (order(wire("A", "2005", "1", reduce_only=True)),
     "Reduce only order would increase position. asset=0", "reduceOnlyRejected"),
    (order(trigger("A", "1900", "0", "sl"), grouping="positionTpsl"),
     "Reduce only order would increase position. asset=0", "reduceOnlyRejected"),
    (order(wire("B", "2001", "1")),
     "Post only order would have immediately matched, bbo was 2000@2001. asset=0",
     "badAloPxRejected"),
    (order(wire("B", "1990", "1", "Ioc")),
     "Order could not immediately match against any resting orders. asset=0",
     "iocCancelRejected"),
    (order(trigger("A", "2010", "1", "sl")),
     "Invalid TP/SL price. asset=0", "badTriggerPxRejected"),
    (after(empty, twap()), "No liquidity available for market order.", None),
    (after(holding("B", "1"), at_cap, order(wire("B", "1999", "1"))),
     "Order would increase open interest while open interest is capped asset=0",
     "positionIncreaseAtOpenInterestCapRejected"),
    (after(holding("B", "1"), at_cap, order(wire("A", "2005", "2"))),
     "Order would increase open interest while open interest is capped asset=0",
     "positionFlipAtOpenInterestCapRejected"),
    (after(holding("B", "1"), at_cap, order(wire("A", "1900", "1", "Ioc"))),
     "Order rejected due to price more aggressive than oracle while at open interest cap asset=0",
     "tooAggressiveAtOpenInterestCapRejected"),
    (after(holding("B", "1"), order(wire("B", "1999", "1"))),
     "Order would increase open interest too quickly asset=0", "openInterestIncreaseRejected",
     SLOW_GROWTH),
    (order(wire("B", "1", "10", asset=SPOT)),
     f"Insufficient spot balance asset={SPOT}", "insufficientSpotBalanceRejected"),
    (order(wire("B", "1", "10", asset=SPOT)),
     f"(Spot-only) Order has insufficient spot balance to trade asset={SPOT}",
     "insufficientSpotBalanceRejected",
     Rules(spot_balance_text="(Spot-only) Order has insufficient spot balance to trade")),
    (after(oracle_far, order(wire("B", "1999", "1"))),
     "Order price too far from oracle asset=0", "oracleRejected"),
    (after(tiered, order(wire("B", "1999", "4"))),
     "Order would cause position to exceed margin tier limit at current leverage asset=0",
     "perpMaxPositionRejected"),
    (order(wire("B", "99", "1")),
     "Order price cannot be more than 95% away from the reference price", None),
    (order(wire("B", "399", "1")),
     "Order price cannot be more than 80% away from the reference price", None,
     Rules(price_band_percent=80)),
    (order(wire("B", "1999", "15100", "Ioc")), "Order value too large. Max is $30000000.", None),
    (order(wire("B", "2000", "0.00001")), "Order has invalid size.", None),
    (order(wire("B", "2000", "0")), "Order has zero size.", None),
    (order(trigger("A", "1990", "0", "sl")), "Order has zero size.", None),
    (order(wire("B", "1999.999", "1")), "Order has invalid price.", None),
    (order(trigger("A", "1990.999", "1", "sl")), "Order has invalid price.", None),
    (order(), "Orders are empty.", None),
    (order(wire("B", "1999", "1"), grouping="normalTpsl"),
     "Unexpected number of trigger orders", None),
    (order(wire("B", "1999", "1"), *[trigger("A", "1900", "1", "sl")] * 3, grouping="normalTpsl"),
     "Unexpected number of trigger orders", None),
    (order(wire("B", "1999", "1"), wire("A", "2005", "1"), grouping="normalTpsl"),
     "Unexpected number of trigger orders", None),
    (order(wire("B", "1999", "1"), grouping="positionTpsl"),
     "Unexpected number of trigger orders", None),
    (order(trigger("A", "1900", "1", "sl", reduce_only=False), grouping="positionTpsl"),
     "TP/SL orders must be reduce only.", None),
    (order(wire("B", "1999", "1"), wire("B", "2001", "1", "Ioc"), grouping={"p": 100}),
     "Priority fees are for batches of IOC or of post-only orders.", None),
    (after(upgraded, order(wire("B", "1999", "1", "Gtc"))),
     "Only post-only orders allowed immediately after network upgrade", None),
    (after(upgraded, twap()),
     "Only post-only orders allowed immediately after network upgrade", None),
    (after(halted, order(wire("B", "1999", "1"))), "Trading is halted", None),
    (after(halted, twap()), "Trading is halted", None),
    (order(wire("B", "1999", "1", asset=7)), "Unknown asset 7.", None),
    (order(wire("B", "1999", "1"), builder=BUILDER), "Builder fee has not been approved.", None),
    (modify(wire("B", "1998", "0.5"), cancelled=True),
     "Cannot modify canceled or filled order", None),
    (modify(wire("B", "1998", "0.5"), cancelled=True, is_batch=True),
     "Cannot modify canceled or filled order", None),
    (modify(wire("A", "2005", "0.5")), "Attempted to modify to invalid new order", None),
    (modify(wire("B", "1998", "0.5", "Ioc"), is_batch=True),
     "Attempted to modify to invalid new order", None),
    (modify(wire("B", "2001", "0.5", "Gtc")), "Attempted to modify to invalid new order", None),
    (modify(wire("B", "1999", "1000")),
     "Error placing new order during modify: Insufficient margin to place order. asset=0",
     "perpMarginRejected"),
    (modify(wire("B", "1990", "1", "Ioc"), always=True, cancelled=True),
     "Order could not immediately match against any resting orders. asset=0",
     "iocCancelRejected"),
    (lambda venue: venue.act(ALICE, {"type": "cancel", "cancels": [{"a": 0, "o": 1}]}),
     "Order was never placed, already canceled, or filled. asset=0", None),
    (lambda venue: venue.act(
        ALICE, {"type": "cancelByCloid", "cancels": [{"asset": 0, "cloid": "0x" + 32 * "1"}]}),
     "Order was never placed, already canceled, or filled. asset=0", None),
    (twap(minutes=1), "Invalid TWAP duration: 1 min(s)", None),
    (twap(size="0.1", minutes=120),
     "TWAP order value too small. Min is $1200, which is $10 per minute.", None),
    (twap(reduce_only=True), "Reduce-only TWAP order would increase position.", None),
    (lambda venue: venue.act(ALICE, {"type": "twapCancel", "a": 0, "t": 9}),
     "TWAP was never placed, already canceled, or filled.", None),
]  # fmt: skip


def error_of(reply):
    """Return the text of a refusal, wherever the reply holds it."""
    if reply["status"] == "err":
        return reply["response"]
    data = reply["response"]["data"]
    status = data["status"] if "status" in data else data["statuses"][-1]
    return status["error"]


@pytest.mark.parametrize(
    ("act", "text", "word", "rules"),
    [row if len(row) == 4 else (*row, Rules()) for row in ROWS],
    ids=[f"{i}-{row[1]}" for i, row in enumerate(ROWS)],
)
def test_the_wrong_thing_is_refused_to_the_letter(act, text, word, rules):
    """What is refused at run time leaves an event and a record that can be asked for."""
    venue = Venue(rules=rules)

    assert error_of(act(venue)) == text

    rejected = [
        update["order"]["oid"]
        for payload in venue.events(ALICE, "orderUpdates")
        for update in payload
        if update["status"].endswith("Rejected") and update["status"] == word
    ]
    if word is None:
        statuses = {record["status"] for record in venue.info("historicalOrders", ALICE)}
        assert not any(status.endswith("Rejected") for status in statuses)
    else:
        (oid,) = rejected
        assert venue.info("orderStatus", ALICE, oid=oid)["order"]["status"] == word


def test_one_static_error_stands_for_the_whole_batch():
    venue = Venue()

    statuses = venue.place(ALICE, wire("B", "1999", "1"), wire("B", "1999", "0"))

    assert statuses == [{"error": "Order has zero size."}]
    assert venue.info("historicalOrders", ALICE) == []


@pytest.mark.parametrize(
    ("leverage", "millions"), [(50, 30), (25, 30), (24, 5), (20, 5), (19, 2), (10, 2), (9, 0.5)]
)
def test_the_largest_value_depends_on_leverage_and_kind(leverage, millions):
    """A limit order may be worth ten times a market order."""
    market = ScriptedMarket(instrument("DOGE", max_leverage=leverage))  # of one margin tier
    market.book(0, BIDS, ASKS)
    venue = Venue(market=market)

    def place(dollars, *tif):
        (status,) = venue.place(ALICE, wire("B", "2000", f"{dollars / 2000:g}", *tif))
        return status["error"].split(" asset=")[0]

    most = int(millions * 1e6)
    assert place(most + 2_000, "Ioc") == f"Order value too large. Max is ${most}."
    assert place(10 * most + 2_000) == f"Order value too large. Max is ${10 * most}."
    assert place(10 * most) == place(most, "Ioc") == "Insufficient margin to place order."


def test_at_the_cap_orders_beyond_the_oracle_are_cancelled():
    venue = Venue()
    venue.place(ALICE, wire("B", "2000", "1"), wire("B", "1900", "1"), wire("A", "2005", "1"))
    at_cap(venue)
    venue.exchange.listings[0].oracle_price = 195_000.0

    venue.step()

    assert venue.updates(ALICE) == [("openInterestCapCanceled", "1.0")]
    prices = {order["limitPx"] for order in venue.info("openOrders", ALICE)}
    assert prices == {"1900.0", "2005.0"}


def test_a_halted_market_lets_orders_be_cancelled():
    venue = Venue()
    (status,) = venue.place(ALICE, wire("B", "1999", "1"))
    halted(venue)

    assert venue.cancel(ALICE, status["resting"]["oid"]) == "success"


def test_post_only_orders_pass_after_an_upgrade():
    venue = Venue()
    upgraded(venue)

    (status,) = venue.place(ALICE, wire("B", "1999", "1"))

    assert "resting" in status


def test_a_higher_priority_fee_takes_first():
    """Inside one block and class; without a fee the order of arrival holds."""
    venue = Venue()
    one, other = (
        {"type": "order", "orders": [wire("B", "2001", "1", "Ioc")], "grouping": grouping}
        for grouping in ("na", {"p": 5_000})
    )
    first, second = venue.submit(ALICE, one), venue.submit(ALICE, other)
    venue.step()

    replies = {ticket: body["response"]["data"]["statuses"][0] for ticket, body in
               venue.block.replies}  # fmt: skip

    assert "filled" in replies[second]
    assert "error" in replies[first]
    assert venue.exchange.now_ms > START_MS
