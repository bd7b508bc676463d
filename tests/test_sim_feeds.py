"""Frames of the socket's channels, made from a venue driven block by block."""

import base64
import json
import zlib
from itertools import pairwise

import pytest

from hypermm.errors import WireError
from hypermm.sim.feeds import WHOLE, Feeds
from hypermm.sim.rules import Rules
from hypermm.sim.subscriptions import FIELDS, read_subscription
from tests.scripted_market import ALICE, BOB, ScriptedMarket, instrument
from tests.sim_desk import ASKS, BIDS, Venue, wire


class Reader:
    """One subscription of a venue: the frames that it is sent."""

    def __init__(self, venue, kind, **fields):
        self.venue = venue
        self.feeds = Feeds(venue.exchange)
        self.subscription = read_subscription({"type": kind, "user": ALICE, **fields})
        assert self.feeds.is_valid(self.subscription)
        self.feeds.watch(self.subscription)

    def first(self):
        text = self.feeds.first_frame(self.subscription)
        return None if text is None else json.loads(text)["data"]

    def of_block(self):
        """Return the data of the frames that the venue's last block brings."""
        topics = {self.subscription.topic: [self.subscription]}
        frames = self.feeds.block_frames(self.venue.block, topics)
        return [json.loads(text)["data"] for _, text in frames]

    def by_the_clock(self, ms):
        """Let time go by; return at which ms of it frames came."""
        exchange, start_ms, found = self.venue.exchange, self.venue.exchange.now_ms, []
        while exchange.now_ms < start_ms + ms:
            exchange.advance(exchange.now_ms + exchange.block_ms)
            found += [exchange.now_ms - start_ms for _ in self.feeds.slow_frames()]
        return found


def two_markets():
    eth, other = ScriptedMarket(), ScriptedMarket(instrument("xyz:ETH", dex="xyz"))
    for market in (eth, other):
        market.book(0, BIDS, ASKS)
    venue = Venue(markets=[eth, other])
    venue.market = eth
    return venue


def test_every_subscription_says_what_it_is_about_or_is_refused():
    """A missing field is not guessed, one of the wrong kind not converted."""
    whole = {"user": ALICE, "coin": "ETH", "interval": "1m", "dex": ""}
    for kind, fields in FIELDS.items():
        assert read_subscription({"type": kind, **whole}).fields["type"] == kind
        for name, default in fields.items():
            if default is ...:
                with pytest.raises(WireError):
                    read_subscription({"type": kind, **whole, name: None})
            with pytest.raises(WireError):
                read_subscription({"type": kind, **whole, name: [1]})
    for kind in ("webData2", "nonsense", None, ["trades"]):
        with pytest.raises(WireError):
            read_subscription({"type": kind, **whole})


def test_only_the_first_frame_is_a_snapshot():
    venue = Venue()
    readers = {
        kind: Reader(venue, kind) for kind in ("userFills", "userHistoricalOrders", "userFundings")
    }
    snapshots = {kind: reader.first() for kind, reader in readers.items()}
    venue.place(ALICE, wire("B", "2001", "0.5", "Ioc"))

    assert all(data["isSnapshot"] is True for data in snapshots.values())
    assert all(data["user"] == ALICE for data in snapshots.values())
    for kind in ("userFills", "userHistoricalOrders"):
        (data,) = readers[kind].of_block()
        assert next(iter(data)) == "user"


def test_the_history_tells_every_state_that_an_order_went_through():
    """A crossing order is told as open with its full size, then as filled."""
    venue = Venue()
    reader = Reader(venue, "userHistoricalOrders")
    venue.place(ALICE, wire("B", "2001", "0.5", "Ioc"))

    (data,) = reader.of_block()

    told = [(record["status"], record["order"]["sz"]) for record in data["orderHistory"]]
    assert told == [("open", "0.5"), ("filled", "0.0")]
    assert reader.first()["orderHistory"][0]["status"] == "filled"


def test_fills_of_one_order_are_summed_if_asked():
    """0.5 at 2001 and 0.25 at 2002: the mean has ten decimals at most."""
    market = ScriptedMarket()
    market.book(0, BIDS, [("2001", "0.5"), ("2002", "2")])
    venue = Venue(market=market)
    readers = [Reader(venue, "userFills", aggregateByTime=whether) for whether in (False, True)]
    venue.place(ALICE, wire("B", "2002", "0.75", "Ioc"))

    (parts,), (summed,) = (reader.of_block() for reader in readers)

    assert [fill["sz"] for fill in parts["fills"]] == ["0.5", "0.25"]
    (fill,) = summed["fills"]
    assert (fill["px"], fill["sz"]) == ("2001.3333333333", "0.75")
    assert fill["fee"] == "0.67545"
    assert venue.info("userFills", ALICE, aggregateByTime=True) == summed["fills"]
    assert readers[1].first()["fills"] == summed["fills"]


def test_the_snapshot_of_fills_begins_with_the_oldest_unless_the_rules_say_otherwise():
    for old_first in (True, False):
        venue = Venue(rules=Rules(are_old_fills_first=old_first))
        for _ in range(2):
            venue.place(ALICE, wire("B", "2001", "0.25", "Ioc"))

        times = [fill["time"] for fill in Reader(venue, "userFills").first()["fills"]]

        assert (times == sorted(times)) is old_first


def test_a_resting_order_s_fill_is_told_to_a_person():
    venue = Venue()
    reader = Reader(venue, "notification")
    venue.place(ALICE, wire("B", "2000.5", "0.5"))
    venue.trade("A", "2000", "0.3")

    assert reader.of_block() == [
        {"notification": "Resting order filled: Bought 0.3 ETH at $2000.5"}
    ]


def test_nothing_is_told_of_others():
    venue = Venue()
    readers = [Reader(venue, kind) for kind in FIELDS if FIELDS[kind] == {"user": ...}]
    venue.place(BOB, wire("B", "2001", "0.5", "Ioc"))

    assert [reader.of_block() for reader in readers] == len(readers) * [[]]


def test_channels_that_are_sent_whole_come_by_the_clock():
    venue = Venue(rules=Rules(slow_push_ms=2_000))
    for kind in WHOLE:
        assert Reader(venue, kind).by_the_clock(4_900) == [2_030, 4_060], kind


def test_a_subscription_without_readers_costs_nothing():
    venue = Venue()
    reader = Reader(venue, "openOrders")
    reader.feeds.forget(reader.subscription)

    assert reader.by_the_clock(20_000) == []


def test_fast_prices_are_told_whole_once_and_then_by_what_changed():
    """The only feed of changes: base64 of a raw deflate stream."""

    def read(data):
        return json.loads(zlib.decompress(base64.b64decode(data), wbits=-zlib.MAX_WBITS))

    venue = two_markets()
    reader = Reader(venue, "fastAssetCtxs")
    whole = read(reader.first())
    assert whole == {coin: {"markPx": "2000.5", "midPx": "2000.5"} for coin in ("ETH", "xyz:ETH")}
    assert reader.by_the_clock(3_000) == []

    venue.place(ALICE, wire("B", "2000.8", "0.5"))
    venue.exchange.advance(venue.exchange.now_ms + 1_000)

    ((_, text),) = reader.feeds.slow_frames()
    assert read(json.loads(text)["data"]) == {"ETH": {"markPx": "2000.9", "midPx": "2000.9"}}


@pytest.mark.parametrize(("fast", "every_ms"), [(False, 700), (True, 350)])
def test_the_cadence_of_books_is_the_rules(fast, every_ms):
    venue = Venue(rules=Rules(deep_book_ms=700, fast_book_ms=350))
    reader = Reader(venue, "l2Book", coin="ETH", fast=fast)
    found, start_ms = [], venue.exchange.now_ms
    for _ in range(40):
        venue.step()
        found += [data["time"] - start_ms for data in (reader.of_block() if venue.block else ())]

    assert {later - sooner for sooner, later in pairwise(found)} == {every_ms}


@pytest.mark.parametrize("has_premium", [False, True])
def test_a_book_with_one_side_has_no_premium_unless_the_rules_say_so(has_premium):
    market = ScriptedMarket()
    market.book(0, BIDS, ASKS)
    venue = Venue(market=market, rules=Rules(has_one_sided_premium=has_premium))
    market.book(venue.soon(), [("2010", "100")], [])
    venue.step()

    context = Reader(venue, "activeAssetCtx", coin="ETH").first()["ctx"]

    assert (context["premium"] is not None) is has_premium
    assert (context["midPx"], context["impactPxs"]) == (None, None)


def test_a_spot_coin_s_context_has_a_channel_of_its_own():
    venue = Venue()
    reader = Reader(venue, "activeAssetCtx", coin="PURR/USDC")

    frame = json.loads(reader.feeds.first_frame(reader.subscription))

    assert frame["channel"] == "activeSpotAssetCtx"
    assert frame["data"]["ctx"]["coin"] == "PURR/USDC"
    assert Reader(venue, "l2Book", coin="PURR/USDC").first()["levels"] == [[], []]


def test_what_may_be_traded_is_told_when_it_changes():
    venue = Venue()
    reader = Reader(venue, "activeAssetData", coin="ETH")
    venue.place(ALICE, wire("B", "2001", "0.5", "Ioc"))

    (data,) = reader.of_block()

    assert data == reader.first()
    assert reader.of_block() == []


def test_a_funding_rate_has_ten_decimals():
    venue = Venue()
    venue.exchange.listings[0].funding = -10_482_149

    assert Reader(venue, "activeAssetCtx", coin="ETH").first()["ctx"]["funding"] == "-0.0000104821"


def test_states_of_all_dexs_stand_in_one_frame():
    venue = two_markets()
    venue.place(ALICE, wire("B", "2001", "0.5", "Ioc", asset=110_000))

    states = dict(Reader(venue, "allDexsClearinghouseState").first()["clearinghouseStates"])
    contexts = dict(Reader(venue, "allDexsAssetCtxs").first()["ctxs"])

    assert {dex: len(state["assetPositions"]) for dex, state in states.items()} == {"": 0, "xyz": 1}
    assert {dex: len(found) for dex, found in contexts.items()} == {"": 1, "xyz": 1}
    assert Reader(venue, "assetCtxs", dex="xyz").first()["ctxs"] == contexts["xyz"]


def test_the_pages_data_names_the_unnamed_agent():
    venue = Venue()
    agent = "0x" + 40 * "1"
    venue.exchange.approve_agent(ALICE, agent)

    data = Reader(venue, "webData3").first()

    assert data["userState"]["agentAddress"] == agent
    assert data["userState"]["agentValidUntil"] is None, "the owner let it in without an end"
    assert data["userState"]["cumLedger"] == "10000.0"
    assert data["perpDexStates"] == [{"totalVaultEquity": "0.0"}]


STRANGE = (None, True, -1, 7, 1.5, 10**30, "", "x", "0x", "\0", "é", [], {}, [[]])


@pytest.mark.parametrize("kind", sorted(FIELDS))
def test_no_value_in_a_subscription_is_more_than_refused(kind):
    """Unreadable, invalid, or served: nothing else can come of what a client sends."""
    venue = Venue()
    feeds = Feeds(venue.exchange)
    whole = {"type": kind, "user": ALICE, "coin": "ETH", "interval": "1m", "dex": ""}
    for name in {**whole, **FIELDS[kind]}:
        for value in STRANGE:
            try:
                subscription = read_subscription({**whole, name: value})
            except WireError:
                continue
            if feeds.is_valid(subscription):
                feeds.first_frame(subscription)
