"""The venue in memory: what becomes of orders, money, nonces and blocks."""

import random

import numpy as np
import pytest

from hypermm._core.rows import CONTEXT, FIRST, LAST, LEVEL, QUOTE, TOP, TRADE
from hypermm.messages import Side
from hypermm.sim.exchange import Exchange
from hypermm.sim.market import open_market
from hypermm.sim.rules import Rules
from tests.exchange_requests import decode_action
from tests.scripted_market import ALICE, BOB, START_MS, ScriptedMarket, instrument
from tests.sim_desk import ASKS, BIDS, CLOID, Venue, wire

DAY_MS = 86_400_000
NO_SWITCH_GATE = Rules(schedule_cancel_volume=0)


@pytest.fixture
def venue():
    return Venue()


def resting(status):
    return status["resting"]["oid"]


# Placing


def test_a_post_only_order_rests_and_is_shown_with_the_outside_size(venue):
    (status,) = venue.place(ALICE, wire("B", "2000", "0.5", cloid=CLOID))

    assert status == {"resting": {"oid": resting(status), "cloid": CLOID}}
    assert venue.updates(ALICE) == [("open", "0.5")]
    assert venue.info("l2Book", coin="ETH")["levels"][0][0] == {"px": "2000.0", "sz": "1.5", "n": 2}


def test_a_post_only_order_that_would_trade_is_refused_whole(venue):
    (status,) = venue.place(ALICE, wire("B", "2001", "0.5"))

    assert status == {
        "error": "Post only order would have immediately matched, bbo was 2000@2001. asset=0"
    }
    assert venue.updates(ALICE) == [("badAloPxRejected", "0.5")]


def test_an_immediate_order_takes_levels_within_its_limit_and_no_more(venue):
    (status,) = venue.place(ALICE, wire("B", "2002", "4", "Ioc"))

    filled = status["filled"]
    assert (filled["totalSz"], filled["avgPx"]) == ("3.0", "2001.66")  # cut, not rounded
    assert venue.updates(ALICE) == [("open", "4.0"), ("filled", "1.0")]
    assert [fill["px"] for fill in venue.fills(ALICE)] == ["2001.0", "2002.0"]


def test_consumed_outside_size_is_gone_until_the_market_shows_it_again(venue):
    venue.place(ALICE, wire("B", "2001", "1", "Ioc"))
    assert venue.info("l2Book", coin="ETH")["levels"][1][0]["px"] == "2002.0"

    venue.market.book(venue.soon(), BIDS, ASKS)
    venue.step()

    assert venue.info("l2Book", coin="ETH")["levels"][1][0]["px"] == "2001.0"


def test_an_immediate_order_without_a_match_is_refused(venue):
    (status,) = venue.place(ALICE, wire("B", "1990", "0.5", "Ioc"))

    assert status == {
        "error": "Order could not immediately match against any resting orders. asset=0"
    }
    assert venue.updates(ALICE) == [("iocCancelRejected", "0.5")]


def test_a_good_till_cancel_order_takes_and_then_rests(venue):
    (status,) = venue.place(ALICE, wire("B", "2001", "1.5", "Gtc"))

    assert "resting" in status
    assert venue.updates(ALICE) == [("open", "1.5")]
    assert venue.info("openOrders", ALICE)[0]["sz"] == "0.5"
    assert venue.size(ALICE) == "1.0"


@pytest.mark.parametrize(
    ("order", "text"),
    [
        (wire("B", "1999.999", "0.5"), "Order has invalid price."),
        (wire("B", "0", "0.5"), "Order has invalid price."),
        (wire("B", "2000", "0.00001"), "Order has invalid size."),
        (wire("B", "2000", "0"), "Order has zero size."),
        (
            wire("B", "99", "1"),
            "Order price cannot be more than 95% away from the reference price",
        ),
        (
            wire("B", "1999", "15100", "Ioc"),
            "Order value too large. Max is $30000000.",
        ),
        (wire("B", "1999", "1", asset=7), "Unknown asset 7."),
    ],
)
def test_one_error_stands_for_a_batch_that_is_bad_by_itself(venue, order, text):
    """None of its orders is executed, and no record is left."""
    statuses = venue.place(ALICE, wire("B", "1999", "0.5"), order)

    assert statuses == [{"error": text}]
    assert venue.info("openOrders", ALICE) == []
    assert venue.info("historicalOrders", ALICE) == []


def test_an_empty_batch_is_refused(venue):
    assert venue.place(ALICE) == [{"error": "Orders are empty."}]


def test_refusals_at_run_time_do_not_stop_the_rest_of_a_batch(venue):
    statuses = venue.place(
        ALICE,
        wire("B", "1999", "0.5"),
        wire("B", "1999", "0.001"),
        wire("B", "1999", "1000"),
        wire("A", "2005", "0.5", reduce_only=True),
    )

    assert "resting" in statuses[0]
    assert [status["error"] for status in statuses[1:]] == [
        "Order must have minimum value of $10. asset=0",
        "Insufficient margin to place order. asset=0",
        "Reduce only order would increase position. asset=0",
    ]
    assert [status for status, _ in venue.updates(ALICE)] == [
        "open",
        "minTradeNtlRejected",
        "perpMarginRejected",
        "reduceOnlyRejected",
    ]


def test_margin_counts_what_rests_already():
    venue = Venue(usdc=1_000)  # at the default 20 times: 20,000 USD

    first, second = venue.place(ALICE, wire("B", "1999", "6"), wire("B", "1998", "6"))

    assert "resting" in first
    assert second == {"error": "Insufficient margin to place order. asset=0"}


def test_opposite_sides_share_their_margin():
    """Only one side of a quote can become the position."""
    venue = Venue(usdc=1_000)

    statuses = venue.place(ALICE, wire("B", "1999", "9"), wire("A", "2002", "9"))

    assert all("resting" in status for status in statuses)


def test_a_live_client_order_id_is_not_taken_twice(venue):
    venue.place(ALICE, wire("B", "1999", "0.5", cloid=CLOID))

    (status,) = venue.place(ALICE, wire("B", "1998", "0.5", cloid=CLOID))

    assert "client order id" in status["error"]
    assert venue.info("orderStatus", ALICE, oid=CLOID)["order"]["order"]["limitPx"] == "1999.0"


def test_the_open_order_limit_holds(venue):
    batch = [wire("B", "1900", "0.01")] * 500
    venue.place(ALICE, *batch)
    venue.place(ALICE, *batch)

    (status,) = venue.place(ALICE, wire("B", "1900", "0.01"))

    assert status == {"error": "Too many open orders. asset=0"}


# Resting orders and the outside market


def test_outside_trades_use_up_the_size_ahead_first(venue):
    venue.place(ALICE, wire("B", "2000", "0.5"))

    venue.trade("A", "2000", "0.9")
    assert venue.fills(ALICE) == []
    venue.trade("A", "2000", "0.3")

    assert [fill["sz"] for fill in venue.fills(ALICE)] == ["0.2"]
    venue.trade("A", "2000", "5")
    assert [fill["sz"] for fill in venue.fills(ALICE)] == ["0.3"]
    assert venue.updates(ALICE) == [("filled", "0.0")]


def test_size_that_leaves_the_queue_moves_an_order_forward(venue):
    venue.place(ALICE, wire("B", "2000", "0.5"))
    venue.market.book(venue.soon(), [("2000", "0.2"), *BIDS[1:]], ASKS)
    venue.step()
    venue.market.book(venue.soon(), [("2000", "4"), *BIDS[1:]], ASKS)  # who came later is behind
    venue.step()

    venue.trade("A", "2000", "0.3")

    assert [fill["sz"] for fill in venue.fills(ALICE)] == ["0.1"]


def test_a_trade_fills_better_prices_first_and_never_more_than_its_size(venue):
    venue.place(ALICE, wire("B", "2000.1", "0.5"), wire("B", "2000", "0.5"))

    venue.trade("A", "1999", "0.7")

    fills = venue.fills(ALICE)
    assert [(fill["px"], fill["sz"]) for fill in fills] == [("2000.1", "0.5"), ("2000.0", "0.2")]
    rows = venue.block.rows["ETH"].array
    trades = rows[rows["kind"] == TRADE]
    assert trades["size"].tolist() == [5_000, 2_000]
    assert trades["side"].tolist() == [-1, -1]


def test_users_at_one_price_are_filled_in_the_order_of_time(venue):
    venue.place(ALICE, wire("B", "2000.5", "0.5"))
    venue.place(BOB, wire("B", "2000.5", "0.5"))

    venue.trade("A", "2000.5", "0.6")

    assert [fill["sz"] for fill in venue.fills(ALICE)] == ["0.5"]
    assert [fill["sz"] for fill in venue.fills(BOB)] == ["0.1"]


def test_outside_levels_that_come_to_cross_an_order_fill_it(venue):
    """On a real book somebody would have traded with it; a crossed book is never shown."""
    venue.place(ALICE, wire("B", "2000", "0.5"))

    venue.market.quote(venue.soon(), ("1998", "1"), ("1999", "0.3"))
    venue.step()

    assert [(fill["px"], fill["sz"]) for fill in venue.fills(ALICE)] == [("2000.0", "0.3")]
    bids, asks = venue.info("l2Book", coin="ETH")["levels"]
    assert float(bids[0]["px"]) < float(asks[0]["px"])


def test_an_order_beyond_the_shown_depth_stands_behind_what_appears_there():
    venue = Venue()
    venue.place(ALICE, wire("B", "1990", "0.5"))
    venue.market.book(venue.soon(), [("1990", "2")], ASKS)
    venue.step()

    venue.trade("A", "1990", "2")
    assert venue.fills(ALICE) == []
    venue.trade("A", "1990", "0.1")

    assert [fill["sz"] for fill in venue.fills(ALICE)] == ["0.1"]


def test_a_top_frame_leaves_the_deeper_levels(venue):
    venue.market.book(venue.soon(), [("2000", "7")], [("2001", "7")], is_top=True)
    venue.step()

    assert [level["px"] for level in venue.info("l2Book", coin="ETH")["levels"][0]] == [
        "2000.0",
        "1999.0",
        "1998.0",
    ]


def test_users_trade_with_each_other(venue):
    (maker,) = venue.place(ALICE, wire("A", "2000.5", "0.5"))

    (taker,) = venue.place(BOB, wire("B", "2000.5", "0.5", "Ioc"))

    (sold,), (bought,) = venue.fills(ALICE), venue.fills(BOB)
    assert (sold["oid"], bought["oid"]) == (resting(maker), taker["filled"]["oid"])
    assert sold["tid"] == bought["tid"]
    assert sold["hash"] == bought["hash"] != "0x" + 64 * "0"
    assert (sold["crossed"], bought["crossed"]) == (False, True)
    assert (sold["fee"], bought["fee"]) == ("0.150037", "0.450112")  # cut to six decimals
    (trade,) = venue.block.trades["ETH"]
    assert (trade.buyer, trade.seller) == (BOB, ALICE)


def test_an_order_never_trades_with_its_own_account(venue):
    venue.place(ALICE, wire("A", "2000.5", "0.5"))

    (status,) = venue.place(ALICE, wire("B", "2001", "0.5", "Ioc"))

    assert status["filled"]["avgPx"] == "2001.0"
    assert venue.updates(ALICE)[0] == ("selfTradeCanceled", "0.5")
    assert [trade.price for trade in venue.block.trades["ETH"]] == [200_100]
    assert venue.events(ALICE, "userEvents")[-1]["nonUserCancel"][0]["coin"] == "ETH"


# Positions and money


def test_a_position_opens_turns_and_closes_with_the_exchange_s_words(venue):
    steps = [
        (wire("B", "2003", "1", "Ioc"), "Open Long", "0.0"),
        (wire("A", "1998", "0.4", "Ioc"), "Close Long", "1.0"),
        (wire("A", "1998", "1", "Ioc"), "Long > Short", "0.6"),
        (wire("B", "2003", "0.4", "Ioc"), "Close Short", "-0.4"),
    ]
    for order, direction, start in steps:
        venue.market.book(venue.soon(), BIDS, ASKS)
        venue.step()
        venue.place(ALICE, order)
        (fill,) = venue.fills(ALICE)
        assert (fill["dir"], fill["startPosition"]) == (direction, start)
    assert venue.size(ALICE) == "0.0"


def test_closed_profit_excludes_fees_and_the_balance_includes_all(venue):
    venue.place(ALICE, wire("B", "2001", "1", "Ioc"))  # fee 0.90045
    venue.place(ALICE, wire("A", "2000", "1", "Ioc"))  # fee 0.9

    (fill,) = venue.fills(ALICE)
    assert (fill["closedPnl"], fill["fee"]) == ("-1.0", "0.9")
    state = venue.info("clearinghouseState", ALICE)
    assert state["marginSummary"]["accountValue"] == "9997.19955"
    assert state["withdrawable"] == "9997.19955"


def test_no_money_is_made_or_lost_beside_fees():
    """Two users who trade only with each other own what was paid in, less the fees."""
    rng = random.Random(5)
    market = ScriptedMarket()
    venue = Venue(market=market, usdc=1_000_000)
    for _ in range(300):
        price = f"{rng.randint(19000, 21000) / 10:g}"
        size = f"{rng.randint(100, 20_000) / 10_000:g}"
        maker, taker = rng.sample([ALICE, BOB], 2)
        side = rng.choice("AB")
        venue.place(maker, wire(side, price, size))
        venue.place(taker, wire("A" if side == "B" else "B", price, size, "Ioc"))

    exchange = venue.exchange
    alice, bob = (exchange.accounts.get(user) for user in (ALICE, BOB))
    fees = sum(fill.fee for account in (alice, bob) for fill in account.fills)
    sizes = [account.position(exchange.listings[0]).size for account in (alice, bob)]
    assert len(alice.fills) > 100
    assert sum(sizes) == 0
    assert alice.value + bob.value == 2_000_000 * 10**6 - fees


def test_closed_and_open_profit_sum_to_the_change_of_value(venue):
    """The books of one account agree with themselves after every fill."""
    rng = random.Random(9)
    account = venue.exchange.accounts.get(ALICE)
    for _ in range(100):
        venue.market.book(venue.soon(), BIDS, ASKS)
        venue.step()
        side = rng.choice("AB")
        size = f"{rng.randint(100, 30_000) / 10_000:g}"
        venue.place(ALICE, wire(side, "2003" if side == "B" else "1998", size, "Ioc"))

        position = account.position(venue.exchange.listings[0])
        closed = sum(fill.closed_pnl - fill.fee for fill in account.fills)
        assert account.value == 10_000 * 10**6 + closed + position.unrealized_pnl


def test_an_isolated_position_keeps_its_own_margin():
    venue = Venue(market=None)
    venue.act(ALICE, {"type": "updateLeverage", "asset": 0, "isCross": False, "leverage": 10})
    venue.place(ALICE, wire("B", "2001", "1", "Ioc"))

    state = venue.info("clearinghouseState", ALICE)
    position = state["assetPositions"][0]["position"]
    assert position["leverage"] == {"type": "isolated", "value": 10, "rawUsd": "-1800.9"}
    assert state["crossMarginSummary"]["accountValue"] == "9798.99955"
    assert venue.act(
        ALICE, {"type": "updateIsolatedMargin", "asset": 0, "isBuy": True, "ntli": 50_000_000}
    ) == {"status": "ok", "response": {"type": "default"}}
    assert venue.info("clearinghouseState", ALICE)["crossMarginSummary"]["accountValue"] == (
        "9748.99955"
    )
    venue.place(ALICE, wire("A", "2000", "1", "Ioc"))
    assert venue.info("clearinghouseState", ALICE)["withdrawable"] == "9997.19955"


def test_isolated_margin_can_be_taken_back_while_the_cross_balance_is_short():
    """That is when it is needed most; what is missing there does not stand against it."""
    venue = Venue()
    margin = {"type": "updateIsolatedMargin", "asset": 0, "isBuy": True}
    venue.act(ALICE, {"type": "updateLeverage", "asset": 0, "isCross": False, "leverage": 10})
    venue.place(ALICE, wire("B", "2001", "1", "Ioc"))
    venue.act(ALICE, {**margin, "ntli": 50_000_000})
    venue.exchange.accounts.get(ALICE).pool().cash = -100_000_000

    assert venue.act(ALICE, {**margin, "ntli": -10_000_000})["status"] == "ok"
    assert venue.act(ALICE, {**margin, "ntli": 1})["response"] == (
        "Account does not have sufficient margin available for increase."
    )


# Reduce-only


def test_a_reduce_only_order_is_cut_to_the_position(venue):
    venue.place(ALICE, wire("B", "2001", "0.5", "Ioc"))

    (status,) = venue.place(ALICE, wire("A", "1998", "2", "Ioc", reduce_only=True))

    assert status["filled"]["totalSz"] == "0.5"
    assert venue.size(ALICE) == "0.0"


def test_reduce_only_orders_beyond_the_position_cancel_the_older(venue):
    venue.place(ALICE, wire("B", "2001", "1", "Ioc"))
    first, _ = venue.place(
        ALICE,
        wire("A", "2005", "0.6", reduce_only=True),
        wire("A", "2006", "0.4", reduce_only=True),
    )

    venue.place(ALICE, wire("A", "2007", "0.3", reduce_only=True))

    assert venue.updates(ALICE) == [("open", "0.3"), ("reduceOnlyCanceled", "0.6")]
    assert len(venue.info("openOrders", ALICE)) == 2
    record = venue.info("orderStatus", ALICE, oid=resting(first))
    assert record["order"]["status"] == "reduceOnlyCanceled"


def test_closing_the_position_cancels_what_would_only_reduce_it(venue):
    venue.place(ALICE, wire("B", "2001", "1", "Ioc"))
    venue.place(ALICE, wire("A", "2005", "1", reduce_only=True))

    venue.place(ALICE, wire("A", "2000", "1", "Ioc"))

    assert ("reduceOnlyCanceled", "1.0") in venue.updates(ALICE)
    assert venue.info("openOrders", ALICE) == []


def test_a_small_rest_of_a_position_can_be_closed(venue):
    venue.place(ALICE, wire("B", "2001", "1", "Ioc"))
    venue.place(ALICE, wire("A", "1998", "0.999", "Ioc"))

    (status,) = venue.place(ALICE, wire("A", "1998", "0.001", "Ioc", reduce_only=True))

    assert "filled" in status


# Cancel and modify


def test_a_cancel_by_either_id_works_once(venue):
    first, second = venue.place(
        ALICE, wire("B", "1999", "0.5"), wire("B", "1998", "0.5", cloid=CLOID)
    )
    gone = {"error": "Order was never placed, already canceled, or filled. asset=0"}

    assert venue.cancel(ALICE, resting(first)) == "success"
    assert venue.updates(ALICE) == [("canceled", "0.5")]
    assert venue.cancel(ALICE, resting(first)) == gone
    assert venue.cancel(BOB, resting(second)) == gone
    by_cloid = {"type": "cancelByCloid", "cancels": [{"asset": 0, "cloid": CLOID}] * 2}
    reply = venue.act(ALICE, by_cloid)
    assert reply["response"] == {"type": "cancel", "data": {"statuses": ["success", gone]}}


def test_a_modify_gives_a_new_id_and_the_last_place(venue):
    (old,) = venue.place(ALICE, wire("B", "2000.5", "0.5", cloid=CLOID))
    venue.place(BOB, wire("B", "2000.5", "0.5"))

    reply = venue.act(
        ALICE,
        {
            "type": "batchModify",
            "modifies": [{"oid": resting(old), "order": wire("B", "2000.5", "0.4", cloid=CLOID)}],
        },
    )

    (status,) = reply["response"]["data"]["statuses"]
    assert reply["response"]["type"] == "order"
    assert resting(status) != resting(old)
    assert venue.updates(ALICE) == [("canceled", "0.5"), ("open", "0.4")]
    venue.trade("A", "2000.5", "0.5")
    assert venue.fills(ALICE) == []


def modify(oid, order, **others):
    return {"type": "modify", "oid": oid, "order": order, **others}


def test_modify_refusals(venue):
    (old,) = venue.place(ALICE, wire("B", "1999", "0.5"))
    oid = resting(old)
    refused = [
        (modify(1, wire("B", "1999", "0.5")), "Cannot modify canceled or filled order"),
        (modify(oid, wire("A", "2005", "0.5")), "Attempted to modify to invalid new order"),
        (modify(oid, wire("B", "1999", "0.5", "Ioc")), "Attempted to modify to invalid new order"),
        (modify(oid, wire("B", "2001", "0.5", "Gtc")), "Attempted to modify to invalid new order"),
    ]
    for action, text in refused:
        assert venue.act(ALICE, action) == {"status": "err", "response": text}
    assert len(venue.info("openOrders", ALICE)) == 1

    reply = venue.act(ALICE, modify(oid, wire("B", "2001", "0.5")))

    assert reply["response"].startswith("Error placing new order during modify: Post only")
    assert venue.info("openOrders", ALICE) == []  # the old order stays cancelled


def test_a_good_till_cancel_modify_becomes_post_only(venue):
    (old,) = venue.place(ALICE, wire("B", "1999", "0.5"))

    reply = venue.act(ALICE, modify(resting(old), wire("B", "1998", "0.5", "Gtc")))

    assert reply == {"status": "ok", "response": {"type": "default"}}
    assert venue.info("frontendOpenOrders", ALICE)[0]["tif"] == "Alo"


def test_always_place_does_not_need_the_old_order(venue):
    reply = venue.act(ALICE, modify(1, wire("B", "2001", "0.5", "Ioc"), a=True))

    assert reply == {"status": "ok", "response": {"type": "default"}}
    assert venue.size(ALICE) == "0.5"


# Dead man's switch


def test_the_dead_man_s_switch_cancels_orders_and_leaves_the_position():
    venue = Venue(rules=NO_SWITCH_GATE)
    venue.place(ALICE, wire("B", "2001", "1", "Ioc"), wire("B", "1999", "1"))
    deadline = venue.exchange.now_ms + 6_000
    reply = venue.act(ALICE, {"type": "scheduleCancel", "time": deadline})
    assert reply == {"status": "ok", "response": {"type": "default"}}

    blocks = venue.exchange.advance(deadline + 70)

    (update,) = [
        update for block in blocks for news in block.news.values() for update in news.updates
    ]
    assert update.status == "scheduledCancel"
    assert update.time_ms >= deadline
    assert venue.size(ALICE) == "1.0"


def test_the_dead_man_s_switch_has_its_rules(venue):
    schedule = {"type": "scheduleCancel", "time": START_MS + 10**6}
    required = (
        "Cannot set scheduled cancel time until enough volume traded. "
        "Required: $1000000. Traded: $0.00."
    )
    assert venue.act(ALICE, schedule) == {"status": "err", "response": required}
    assert venue.act(ALICE, {"type": "scheduleCancel"})["response"] == required

    venue = Venue(rules=NO_SWITCH_GATE)
    early = {"type": "scheduleCancel", "time": venue.exchange.now_ms + 4_000}
    assert venue.act(ALICE, early)["response"] == (
        "Scheduled cancel time too early, must be at least 5 seconds from now."
    )
    for _ in range(10):
        time_ms = venue.exchange.now_ms + 5_070
        assert venue.act(ALICE, {"type": "scheduleCancel", "time": time_ms})["status"] == "ok"
        venue.exchange.advance(time_ms + 70)
    reply = venue.act(ALICE, {"type": "scheduleCancel", "time": venue.exchange.now_ms + 6_000})
    assert reply["status"] == "err"


def test_the_dead_man_s_switch_can_be_unset():
    venue = Venue(rules=NO_SWITCH_GATE)
    venue.place(ALICE, wire("B", "1999", "1"))
    deadline = venue.exchange.now_ms + 6_000
    venue.act(ALICE, {"type": "scheduleCancel", "time": deadline})
    venue.act(ALICE, {"type": "scheduleCancel"})

    venue.exchange.advance(deadline + 1_000)

    assert len(venue.info("openOrders", ALICE)) == 1


# Leverage


@pytest.mark.parametrize(
    ("leverage", "is_cross", "text"),
    [
        (0, True, "Invalid leverage value"),
        (26, True, "Invalid leverage value"),
        (5, False, "Cannot switch leverage type with open position."),
        (
            1,
            True,
            (
                "Cross position does not have sufficient margin available to decrease leverage. "
                "To decrease leverage, deposit more collateral."
            ),
        ),
    ],
)
def test_leverage_refusals(leverage, is_cross, text):
    venue = Venue(usdc=500)
    venue.place(ALICE, wire("B", "2001", "1", "Ioc"))

    action = {
        "type": "updateLeverage",
        "asset": 0,
        "isCross": is_cross,
        "leverage": leverage,
    }
    assert venue.act(ALICE, action) == {"status": "err", "response": text}


def test_an_isolated_only_market_takes_no_cross_margin():
    market = ScriptedMarket(instrument(is_isolated_only=True))
    venue = Venue(market=market)
    action = {"type": "updateLeverage", "asset": 0, "isCross": True, "leverage": 5}

    reply = venue.act(ALICE, action)

    assert reply["response"] == "Cross margin is not allowed for this asset."


# Who acts, nonces, budget


def test_a_stranger_has_no_account(venue):
    stranger = "0x" + 40 * "c"

    reply = venue.act(stranger, {"type": "noop"})

    assert reply["response"] == f"User or API Wallet {stranger} does not exist."


def test_acting_for_an_unknown_vault_is_refused_and_spends_no_nonce(venue):
    vault = "0x" + 40 * "d"
    reply = venue.act(ALICE, {"type": "noop"}, vault=vault, nonce=START_MS + 500)
    assert reply["response"] == f"Vault not registered: {vault}"

    assert venue.act(ALICE, {"type": "noop"}, nonce=START_MS + 500)["status"] == "ok"


def test_nonces_are_spent_once_by_refusals_too(venue):
    nonce = START_MS + 5_000
    venue.act(ALICE, {"type": "cancel", "cancels": [{"a": 0, "o": 1}]}, nonce=nonce)

    reply = venue.act(ALICE, {"type": "noop"}, nonce=nonce)

    assert reply == {"status": "err", "response": f"Invalid nonce: duplicate nonce {nonce}"}
    assert venue.act(BOB, {"type": "noop"}, nonce=nonce)["status"] == "ok"  # one set per signer


def test_nonces_keep_to_their_window(venue):
    now_ms = venue.exchange.now_ms + 70
    low, high = now_ms - 2 * DAY_MS, now_ms + DAY_MS

    reply = venue.act(ALICE, {"type": "noop"}, nonce=low)
    assert reply["response"] == f"Invalid nonce: nonce too low {low} < {low}"
    reply = venue.act(ALICE, {"type": "noop"}, nonce=high + 1_000)
    assert reply["response"].startswith(f"Invalid nonce: nonce too high {high + 1_000} > ")


def test_the_floor_of_nonces_exists_once_a_hundred_are_kept(venue):
    first = START_MS + 10_000
    for number in range(100):
        venue.submit(ALICE, {"type": "noop"}, nonce=first + number)
    venue.step()

    reply = venue.act(ALICE, {"type": "noop"}, nonce=first - 1)
    assert reply["response"] == f"Invalid nonce: nonce too low {first - 1} < {first}"
    venue.act(ALICE, {"type": "noop"}, nonce=first + 200)
    reply = venue.act(ALICE, {"type": "noop"}, nonce=first)
    assert reply["response"] == f"Invalid nonce: duplicate nonce {first}"


def test_a_noop_voids_an_order_that_comes_after_it(venue):
    nonce = START_MS + 9_000
    order = {"type": "order", "orders": [wire("B", "1999", "1")], "grouping": "na"}
    venue.submit(ALICE, {"type": "noop"}, nonce=nonce)
    ticket = venue.submit(ALICE, order, nonce=nonce)

    venue.step()

    assert dict(venue.block.replies)[ticket]["status"] == "err"
    assert venue.info("openOrders", ALICE) == []


def test_an_expired_action_is_refused_and_costs_five_requests(venue):
    order = {"type": "order", "orders": [wire("B", "1999", "1")], "grouping": "na"}

    reply = venue.act(ALICE, order, expires_after_ms=venue.exchange.now_ms)

    assert reply == {"status": "err", "response": "Action already expired"}
    assert venue.info("userRateLimit", ALICE)["nRequestsUsed"] == 5


def test_the_address_budget_refuses_orders_before_cancels(venue):
    account = venue.exchange.accounts.get(ALICE)
    account.requests = 10_000
    order = {"type": "order", "orders": [wire("B", "1999", "1")], "grouping": "na"}

    assert venue.act(ALICE, order)["status"] == "ok"  # one request every ten seconds passes
    reply = venue.act(ALICE, order)

    assert reply["response"] == (
        "Too many cumulative requests sent (10002 > 10000) for cumulative volume traded $0.00. "
        "Place taker orders to free up 1 request per USDC traded."
    )
    cancel = {"type": "cancel", "cancels": [{"a": 0, "o": 1}]}
    assert venue.act(ALICE, cancel)["status"] == "ok"

    account.requests = 20_000
    reply = venue.act(ALICE, cancel)

    assert "sent (20001 > 10000) for" in reply["response"]


def test_traded_volume_pays_for_requests(venue):
    venue.place(ALICE, wire("B", "2001", "1", "Ioc"))

    assert venue.info("userRateLimit", ALICE) == {
        "cumVlm": "2001.0",
        "nRequestsUsed": 1,
        "nRequestsCap": 12_001,
        "nRequestsSurplus": 0,
    }


def test_an_agent_acts_for_its_master_until_it_is_replaced(venue):
    def approve(address, name):
        nonce = venue.nonce + 1
        return venue.act(
            ALICE,
            {
                "type": "approveAgent",
                "signatureChainId": "0x66eee",
                "hyperliquidChain": "Testnet",
                "agentAddress": address,
                "agentName": name,
                "nonce": nonce,
            },
        )

    agent, other = "0x" + 40 * "1", "0x" + 40 * "2"
    assert approve(agent, "bot")["status"] == "ok"
    assert "resting" in venue.place(agent, wire("B", "1999", "1"))[0]
    assert len(venue.info("openOrders", ALICE)) == 1
    assert venue.info("openOrders", agent) == []
    assert venue.info("userRole", agent) == {"role": "agent", "data": {"user": ALICE}}
    assert [entry["name"] for entry in venue.info("extraAgents", ALICE)] == ["bot"]

    approve(other, "bot")

    reply = venue.act(agent, {"type": "noop"})
    assert reply["response"] == f"User or API Wallet {agent} does not exist."


def test_an_agent_acts_no_longer_than_it_was_approved_for(venue):
    """Whoever gave a key an end relies on it."""
    agent = "0x" + 40 * "1"
    approval = {
        "type": "approveAgent",
        "signatureChainId": "0x66eee",
        "hyperliquidChain": "Testnet",
        "agentAddress": agent,
        "agentName": f"bot valid_until {venue.exchange.now_ms + 200}",
        "nonce": venue.nonce + 1,
    }
    assert venue.act(ALICE, approval)["status"] == "ok"
    assert venue.act(agent, {"type": "noop"})["status"] == "ok"

    reply = venue.act(agent, {"type": "noop"})

    assert reply["response"] == f"User or API Wallet {agent} does not exist."


def test_a_long_agent_name_is_cut_before_it_is_looked_up(venue):
    """Cut only when kept, every approval of the same long name added one more agent."""
    account = venue.exchange.accounts.get(ALICE)
    for number in ("1", "2", "3", "4", "5", "0"):
        reply = venue.act(
            ALICE,
            {
                "type": "approveAgent",
                "signatureChainId": "0x66eee",
                "hyperliquidChain": "Testnet",
                "agentAddress": "0x" + 40 * number,
                "agentName": 20 * "n",
                "nonce": venue.nonce + 1,
            },
        )
        assert reply["status"] == "ok"
        assert list(account.agents) == ([16 * "n"] if number != "0" else [])


# Blocks


@pytest.mark.parametrize("spec", ["synthetic:BTC", "synthetic:WLFI"])
def test_a_new_venue_has_a_mark_before_its_first_block(spec):
    """Whoever asks at once must not be told that the market is worth nothing."""
    exchange = Exchange(open_market(spec, 1), start_ms=START_MS)
    coin = exchange.listings[0].coin

    _, (context,) = exchange.info({"type": "metaAndAssetCtxs"})
    data = exchange.info({"type": "activeAssetData", "user": ALICE, "coin": coin})

    assert "0.0" not in (context["markPx"], context["oraclePx"], context["midPx"], data["markPx"])
    assert exchange.info({"type": "allMids"}) == {coin: context["midPx"]}


@pytest.mark.parametrize(
    ("price", "size", "text"),
    [
        ("1999", "1000", "Insufficient margin to place order."),
        ("100", "1", "Order price cannot be more than 95% away"),
        ("100000", "1", "Order price cannot be more than 95% away"),
    ],
)
def test_an_order_of_the_first_block_meets_margin_and_price_band(price, size, text):
    """Resting orders are executed before the market's events of the block."""
    market = ScriptedMarket()
    market.book(0, BIDS, ASKS)
    exchange = Exchange([market], start_ms=START_MS)
    exchange.fund(ALICE, 1_000)
    action = {"type": "order", "orders": [wire("B", price, size)], "grouping": "na"}

    ticket = exchange.submit(ALICE, decode_action(action), START_MS)
    (block,) = exchange.advance(START_MS + exchange.block_ms)

    (status,) = dict(block.replies)[ticket]["response"]["data"]["statuses"]
    assert status["error"].startswith(text)


def test_a_block_executes_post_only_then_cancels_then_the_market_then_takers(venue):
    """The cancel comes before the outside trade, the taker after it, whatever came first."""
    (old,) = venue.place(ALICE, wire("B", "2000.5", "0.5"))
    taker = {"type": "order", "orders": [wire("A", "2000.4", "0.5", "Ioc")], "grouping": "na"}
    maker = {"type": "order", "orders": [wire("B", "2000.4", "0.5")], "grouping": "na"}
    cancel = {"type": "cancel", "cancels": [{"a": 0, "o": resting(old)}]}
    venue.market.trade(venue.soon(), "A", "2000.4", "0.2")

    tickets = [
        venue.submit(BOB, taker),
        venue.submit(ALICE, cancel),
        venue.submit(ALICE, maker),
    ]
    venue.step()

    assert [ticket for ticket, _ in venue.block.replies] == tickets[::-1]
    assert [(fill["px"], fill["sz"]) for fill in venue.fills(ALICE)] == [
        ("2000.4", "0.2"),
        ("2000.4", "0.3"),
    ]
    assert venue.fills(BOB)[0]["sz"] == "0.3"


def test_everything_in_a_block_carries_its_time(venue):
    venue.market.trade(venue.soon(), "B", "2001", "0.1")
    venue.place(ALICE, wire("B", "2001", "0.5", "Ioc"))

    time_ms = venue.block.time_ms
    rows = venue.block.rows["ETH"].array
    assert set(rows["exch_ns"][rows["kind"] != CONTEXT]) == {time_ms * 1_000_000}
    assert {trade.time_ms for trade in venue.block.trades["ETH"]} == {time_ms}
    assert venue.fills(ALICE)[0]["time"] == time_ms
    assert (time_ms - START_MS) % 70 == 0


def test_public_rows_come_at_their_cadence():
    venue = Venue()
    blocks = venue.exchange.advance(START_MS + 20_000)

    fast = deep = context = quotes = 0
    for block in blocks:
        rows = block.rows["ETH"].array
        levels = rows[rows["kind"] == LEVEL]
        first = levels[levels["flags"] & FIRST > 0]
        fast += int(np.count_nonzero(first["flags"] & TOP))
        deep += int(np.count_nonzero(first["flags"] & TOP == 0))
        context += int(np.any(rows["kind"] == CONTEXT))
        quotes += int(np.any(rows["kind"] == QUOTE))
        assert np.count_nonzero(levels["flags"] & LAST) == len(first)
    assert (fast, deep, context, quotes) == (39, 3, 19, 0)  # and one each in the first block


def test_a_changed_touch_is_published_once(venue):
    venue.place(ALICE, wire("B", "2000.5", "0.5"))

    rows = venue.block.rows["ETH"].array
    quotes = rows[rows["kind"] == QUOTE]
    assert quotes["price"].tolist() == [200_050, 200_100]
    assert quotes["side"].tolist() == [1, -1]
    assert quotes["flags"].tolist() == [FIRST, LAST]
    venue.step()
    assert venue.block is None or not np.any(venue.block.rows["ETH"].array["kind"] == QUOTE)


def test_an_empty_book_is_published_as_one():
    market = ScriptedMarket()
    venue = Venue(market=market)

    rows = venue.block.rows["ETH"].array
    levels = rows[rows["kind"] == LEVEL]
    assert levels["size"].tolist() == [0, 0]
    assert levels["flags"].tolist() == [FIRST | LAST | TOP, FIRST | LAST]


def test_the_same_seed_gives_the_same_blocks():
    def run(seed):
        rng = random.Random(3)
        venue = Venue(seed=seed)
        told = []
        for number in range(100):
            venue.market.trade(venue.soon(), rng.choice("AB"), "2000.5", "0.1", tid=0)
            side = rng.choice("AB")
            price = f"{2000.5 + rng.randint(-8, 8) / 10:.1f}"
            tif = rng.choice(["Alo", "Ioc", "Gtc"])
            venue.place(rng.choice([ALICE, BOB]), wire(side, price, "0.2", tif))
            if number % 10 == 0:
                venue.market.book(venue.soon(), BIDS, ASKS)
            block = venue.block
            rows = {coin: rows.array.tobytes() for coin, rows in block.rows.items()}
            news = [
                [*venue.events(user, "orderUpdates"), *venue.events(user, "userFills")]
                for user in block.news
            ]
            told.append((block.time_ms, block.replies, news, rows, block.trades))
        return told

    assert run(1) == run(1)
    assert repr(run(1)) != repr(run(2))


@pytest.mark.parametrize("seed", [0, 2**63, 2**127, 2**200])
def test_every_seed_makes_an_exchange(seed):
    """A seed is any whole number from 0 on; whoever types a long one gets no traceback."""
    assert Venue(seed=seed).info("exchangeStatus")


def test_several_markets_have_their_own_books_and_numbers():
    eth = ScriptedMarket()
    other = ScriptedMarket(instrument("BTC", 5, 40))
    third = ScriptedMarket(instrument("xyz:GOLD", 2, 10, dex="xyz"))
    exchange = Exchange([eth, other, third], start_ms=START_MS)

    assert {listing.coin: asset for asset, listing in exchange.listings.items()} == {
        "ETH": 0,
        "BTC": 1,
        "xyz:GOLD": 110_000,
    }
    assert exchange.info({"type": "meta", "dex": "xyz"})["universe"][0]["name"] == "xyz:GOLD"
    assert exchange.info({"type": "perpDexs"})[1]["name"] == "xyz"


def test_no_book_is_ever_crossed_whatever_happens():
    """Random orders against a market that jumps: bids stay below asks, sums are what rests."""
    rng = random.Random(11)
    venue = Venue(usdc=10_000_000)
    center = 2000
    for _ in range(400):
        center += rng.randint(-3, 3)
        bids = [(str(center - i), f"{rng.randint(1, 30) / 10:g}") for i in range(1, 6)]
        asks = [(str(center + i), f"{rng.randint(1, 30) / 10:g}") for i in range(1, 6)]
        match rng.randint(0, 3):
            case 0:
                venue.market.book(venue.soon(), bids, asks, is_top=rng.random() < 0.3)
            case 1:
                venue.market.quote(venue.soon(), bids[0], asks[0])
            case 2:
                venue.market.trade(venue.soon(), rng.choice("AB"), str(center), "0.7")
        for user in (ALICE, BOB):
            price = str(center + rng.randint(-4, 4))
            tif = rng.choice(["Alo", "Alo", "Ioc", "Gtc"])
            venue.place(user, wire(rng.choice("AB"), price, "0.3", tif))

        bids_now, asks_now = venue.info("l2Book", coin="ETH")["levels"]
        levels = bids_now + asks_now
        assert all(float(level["sz"]) > 0 and level["n"] > 0 for level in levels)
        if bids_now and asks_now:
            assert float(bids_now[0]["px"]) < float(asks_now[0]["px"])
        for account in venue.exchange.accounts.by_address.values():
            for side in Side:  # the running sums of the margin
                resting = [o.remaining for o in account.orders.values() if o.side is side]
                assert account.pool().open_lots.get((0, side), 0) == sum(resting)
