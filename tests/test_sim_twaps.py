"""TWAPs on the simulated exchange: slices, what they tell, how they end."""

import pytest

from tests.exchange_requests import decode_action
from tests.scripted_market import ALICE, BOB
from tests.sim_desk import ASKS, BIDS, Venue, wire

SLICE_SECS = 30
NO_HASH = "0x" + 64 * "0"


@pytest.fixture
def venue():
    return Venue()


def twap(venue, size="1", minutes=5, *, side="B", reduce_only=False, randomize=False, **details):
    order = {
        "a": 0, "b": side == "B", "s": size, "r": reduce_only, "m": minutes, "t": randomize
    }  # fmt: skip
    action = {"type": "twapOrder", "twap": order}
    if details:
        action["details"] = {"t": None, "s": None, **details}
    return venue.act(ALICE, action)["response"]["data"]["status"]


def let_pass(venue, secs):
    """Let time pass in blocks; return what became of TWAPs meanwhile, newest last."""
    told = []
    until_ms = venue.exchange.now_ms + secs * 1_000
    while venue.exchange.now_ms < until_ms:
        venue.step()
        told += [r for data in venue.events(ALICE, "userTwapHistory") for r in data["history"]]
    return told


def show(venue, bids=BIDS, asks=ASKS):
    venue.market.book(venue.soon(), bids, asks)
    venue.step()


def test_a_twap_buys_a_slice_every_thirty_seconds_and_finishes(venue):
    assert twap(venue) == {"running": {"twapId": 1}}
    assert [r["status"] for d in venue.events(ALICE, "userTwapHistory") for r in d["history"]] == [
        {"status": "activated"}
    ]
    (states,) = [venue.info("webData2", ALICE)["twapStates"]]
    assert (states[0][0], states[0][1]["executedSz"]) == (1, "0.0")

    let_pass(venue, SLICE_SECS + 1)
    (first,) = venue.info("userTwapSliceFills", ALICE)
    assert (first["twapId"], first["fill"]["sz"], first["fill"]["px"]) == (1, "0.1", "2001.0")
    assert (first["fill"]["hash"], first["fill"]["twapId"]) == (NO_HASH, 1)
    assert venue.info("userFills", ALICE) == []  # told apart from all others
    told = let_pass(venue, 9 * SLICE_SECS)

    assert [record["status"] for record in told] == [{"status": "finished"}]
    assert told[0]["state"]["executedSz"] == venue.size(ALICE) == "1.0"
    newest = venue.info("twapHistory", ALICE)[0]
    assert newest["status"] == {"status": "finished"}
    assert newest["time"] == pytest.approx(venue.exchange.now_ms / 1000, abs=3)
    assert venue.info("webData2", ALICE)["twapStates"] == []
    orders = venue.info("historicalOrders", ALICE)
    assert {order["order"]["orderType"] for order in orders} == {"Twap Slice"}


def test_a_slice_keeps_within_three_percent_and_later_ones_make_up_for_it(venue):
    show(venue, BIDS, [("2100", "50"), ("2101", "50"), ("2102", "50")])
    venue.market.trade(venue.soon(), "A", "2000", "0.1")
    twap(venue)
    let_pass(venue, 2 * SLICE_SECS + 1)
    assert venue.size(ALICE) == "0.0"

    show(venue)
    let_pass(venue, SLICE_SECS)

    assert venue.size(ALICE) == "0.3"  # three slices' worth


def test_drawn_slices_differ_and_sum_to_the_whole(venue):
    twap(venue, randomize=True)

    let_pass(venue, 10 * SLICE_SECS + 1)

    sizes = {entry["fill"]["sz"] for entry in venue.info("userTwapSliceFills", ALICE)}
    assert len(sizes) > 3
    assert venue.size(ALICE) == "1.0"


def test_a_twap_waits_for_its_price_and_stops_at_another(venue):
    twap(venue, t={"p": "2010", "a": True}, s="2020")
    let_pass(venue, 2 * SLICE_SECS)
    assert venue.size(ALICE) == "0.0"
    state = venue.info("webData2", ALICE)["twapStates"][0][1]
    assert (state["trigger"], state["stopPx"]) == ({"px": "2010.0", "above": True}, "2020.0")

    show(venue, [("2011", "9")], [("2012", "9")])
    let_pass(venue, SLICE_SECS + 1)
    assert venue.size(ALICE) == "0.1"
    show(venue, [("2020", "9")], [("2021", "9")])

    assert venue.info("twapHistory", ALICE)[0]["status"] == {"status": "terminated"}
    assert venue.info("webData2", ALICE)["twapStates"] == []


def test_a_cancelled_twap_buys_no_more(venue):
    twap(venue)
    let_pass(venue, SLICE_SECS + 1)

    reply = venue.act(ALICE, {"type": "twapCancel", "a": 0, "t": 1})

    assert reply["response"] == {"type": "twapCancel", "data": {"status": "success"}}
    let_pass(venue, 2 * SLICE_SECS)
    assert venue.size(ALICE) == "0.1"
    assert venue.info("twapHistory", ALICE)[0]["status"] == {"status": "terminated"}


def test_a_twap_that_meets_an_empty_book_ends_with_an_error(venue):
    twap(venue)
    show(venue, BIDS, [])

    told = let_pass(venue, SLICE_SECS + 1)

    assert [record["status"] for record in told] == [
        {"status": "error", "description": "No liquidity available for market order."}
    ]


def test_a_reduce_only_twap_ends_when_there_is_nothing_to_reduce(venue):
    venue.place(ALICE, wire("B", "2001", "0.15", "Ioc"))
    twap(venue, size="1", side="A", reduce_only=True)

    told = let_pass(venue, 3 * SLICE_SECS + 1)

    assert venue.size(ALICE) == "0.0"
    assert told[-1]["status"]["status"] == "error"
    assert "Reduce-only TWAP" in told[-1]["status"]["description"]


def test_a_twap_belongs_to_its_account(venue):
    twap(venue)

    reply = venue.act(BOB, {"type": "twapCancel", "a": 0, "t": 1})

    error = "TWAP was never placed, already canceled, or filled."
    assert reply["response"]["data"]["status"] == {"error": error}


def test_a_twap_is_hashed_in_canonical_form():
    """Padding zeros are not signed, and what is null stays so."""
    order = {"a": 0, "b": True, "s": "1.50", "r": False, "m": 5, "t": False}
    details = {"t": {"p": "2000.0", "a": True}, "s": None}

    action = decode_action({"type": "twapOrder", "twap": order, "details": details})

    assert (action.twap.s, action.details.t.p, action.details.s) == ("1.5", "2000", None)
