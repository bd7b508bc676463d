"""Recorded replies and frames against the venue's own: keys, kinds of values, forms, order."""

import json
import re

import pytest

from hypermm.sim.api import HANDLERS
from hypermm.sim.feeds import Feeds
from hypermm.sim.json_text import dumps
from hypermm.sim.subscriptions import FIELDS, read_subscription
from tests.json_shapes import Comparison, objects
from tests.scripted_market import ALICE, BOB, ScriptedMarket, instrument
from tests.sim_desk import ASKS, BIDS, CLOID, Venue, wire

COIN, DEX = "xyz:XYZ100", "xyz"
AGENTS = {name: "0x" + 40 * digit for name, digit in (("", "1"), ("bot", "2"))}
# Keys that are absent where they do not apply.
OPTIONAL = {
    "abstraction", "builderFee", "cloid", "dex", "dexAbstractionEnabled", "fast", "growthMode",
    "isDelisted", "isSnapshot", "lastGrowthModeChangeTime", "leadingVaults", "liquidation",
    "marginMode", "nRequestsSurplus", "onlyIsolated", "optOutOfSpotDusting",
    "perpsAtOpenInterestCap", "rawUsd", "reduceOnly", "spread", "tokenToAvailableAfterMaintenance",
}  # fmt: skip
NULLABLE = {"agentAddress", "agentValidUntil", "cloid", "evmContract", "fullName", "impactPxs",
            "liquidationPx", "midPx", "nSamples", "premium", "stopPx", "tif", "trigger",
            "twapId"}  # fmt: skip
MAPS = {"mids", "allMids"}
CONTROL = {"error", "pong", "subscriptionResponse"}
CHANGED = re.compile("cut|only|selected|normalised|masked|shortened|of nineteen|first three")
OLD = re.compile("2023|2024")
# What nobody here has anything of.
NOTHING = {"userVaultEquities"}


class Listener:
    """Subscribes to everything about one user and two markets, and keeps what it hears."""

    def __init__(self, exchange):
        self._feeds = Feeds(exchange)
        self._subscriptions = {}
        for kind in FIELDS:
            for coin, dex in (("ETH", ""), (COIN, DEX), ("PURR/USDC", "")):
                asked = {"type": kind, "coin": coin, "interval": "1m", "user": ALICE, "dex": dex}
                found = read_subscription(asked)
                if self._feeds.is_valid(found):
                    self._subscriptions[found] = None
        self._topics = {}
        for found in self._subscriptions:
            self._topics.setdefault(found.topic, []).append(found)
            self._feeds.watch(found)
        self.heard = {}  # channel -> data

    def _keep(self, text):
        if text is not None:
            frame = json.loads(text)
            self.heard.setdefault(frame["channel"], []).append(frame["data"])

    def first(self):
        for subscription in self._subscriptions:
            self._keep(self._feeds.first_frame(subscription))

    def hear(self, block):
        for _, text in self._feeds.block_frames(block, self._topics):
            self._keep(text)


def stop(price, *, is_market=False, tpsl="sl"):
    trigger = {"isMarket": is_market, "triggerPx": price, "tpsl": tpsl}
    return {**wire("A", price, "0.5", reduce_only=True), "t": {"trigger": trigger}}


@pytest.fixture(scope="module")
def session():
    """A user who has done of everything something, and what the socket told meanwhile."""
    eth, other = ScriptedMarket(), ScriptedMarket(instrument(COIN, dex=DEX))
    for market in (eth, other):
        market.book(0, BIDS, ASKS)
    venue = Venue(markets=[eth, other])
    venue.market = eth
    listener = Listener(venue.exchange)
    steps = venue.step

    def step():
        block = steps()
        if block is not None:
            listener.hear(block)
        return block

    venue.step = step
    for name, agent in AGENTS.items():
        venue.act(ALICE, {"type": "approveAgent", "hyperliquidChain": "Testnet",
                          "signatureChainId": "0x66eee", "agentAddress": agent,
                          "agentName": name, "nonce": venue.nonce + 1})  # fmt: skip
    venue.act(ALICE, {"type": "updateLeverage", "asset": 110_000, "isCross": False, "leverage": 5})
    for asset in (0, 110_000):
        venue.place(
            ALICE,
            wire("B", "2001", "0.5", "Ioc", asset=asset, cloid=CLOID),
            wire("B", "2000", "0.5", asset=asset),
            wire("B", "1999", "0.5", asset=asset, cloid="0x" + 31 * "0" + "2"),
            wire("A", "2006", "0.1", reduce_only=True, asset=asset),
            wire("B", "1999", "0.001", asset=asset),
            wire("B", "1998", "1", asset=asset),
        )
    venue.act(ALICE, {"type": "order", "grouping": "na", "orders": [stop("1900", is_market=True)]})
    family = [wire("B", "1990", "0.5"), stop("1950"), stop("2100", tpsl="tp")]
    venue.act(ALICE, {"type": "order", "grouping": "normalTpsl", "orders": family})
    start_twap = {"a": 0, "b": True, "s": "1", "r": False, "m": 5, "t": False}
    venue.act(ALICE, {"type": "twapOrder", "twap": start_twap})
    details = {"t": {"p": "1000", "a": False}, "s": "2500"}  # it waits until the session's end
    venue.act(ALICE, {"type": "twapOrder", "twap": start_twap, "details": details})
    venue.trade("A", "2000", "1.2")
    venue.cancel(ALICE, venue.info("openOrders", ALICE)[0]["oid"])
    venue.place(ALICE, wire("A", "1999", "0.3", "Ioc"))
    account = venue.exchange.accounts.get(ALICE)
    account.spot_usdc = 1_500_000
    hour_ms = 3_600_000
    for block in venue.exchange.advance(venue.exchange.now_ms + hour_ms):
        if block.time_ms % hour_ms < venue.exchange.block_ms:
            listener.hear(block)
    listener.first()
    return venue, listener.heard


def replies(venue, kind):
    """Return our replies of a kind: of either dex, of known and unknown orders and users."""
    request = {"builder": BOB, "id": 25, "startTime": 0, "user": ALICE}
    for coin, dex in (("ETH", ""), (COIN, DEX)):
        candles = {"coin": coin, "interval": "1d", "startTime": 0}
        for oid in (1, CLOID):
            yield venue.info(kind, **request, coin=coin, dex=dex, oid=oid, req=candles)
    for user in (AGENTS["bot"], "0x" + 40 * "c"):
        yield venue.info(kind, **{**request, "user": user}, coin="ETH", dex="", oid=1, req=candles)


def mismatches(candidates, theirs, fixture, name=""):
    """Return what the best of our answers has wrong; a changed recording is compared by parts."""
    what = f"{fixture['fidelity']} {fixture.get('note', '')}"
    is_changed = bool(CHANGED.search(what))
    is_whole = not is_changed and not OLD.search(fixture["recorded"])
    best = None
    for ours in candidates:
        comparison = Comparison(OPTIONAL, NULLABLE, MAPS, is_whole=is_whole)
        comparison.run([ours], [theirs], name=name)
        if best is None or len(comparison.found) < len(best):
            best = comparison.found
    if best and is_changed:
        mine = [x for ours in candidates for x in objects(ours)]
        is_rebuilt = "selected" in what
        return [x for part in objects(theirs) for x in _part(mine, part, is_rebuilt=is_rebuilt)]
    return best if best is not None else ["no answer of ours"]


def _part(mine, part, *, is_rebuilt):
    """Return what the most similar of our objects has wrong in the values that both have."""
    near = max(mine, key=lambda x: len(x.keys() & part.keys()), default={})
    if 2 * len(near.keys() & part.keys()) < len(part):
        return [] if is_rebuilt else [f"nothing of ours is like {sorted(part)}"]
    leaves = [x for x in near.keys() & part.keys() if not isinstance(part[x], dict | list)]
    comparison = Comparison(OPTIONAL, NULLABLE, MAPS, is_whole=False)
    comparison.run([{x: near[x] for x in leaves}], [{x: part[x] for x in leaves}])
    return comparison.found


def recordings(data_dir, kind):
    for path in sorted((data_dir / "hyperliquid" / "fixtures").glob(f"{kind}-*.json")):
        fixture = json.loads(path.read_text())
        for number, sample in enumerate(fixture["samples"]):
            yield f"{path.stem} {number}", {**fixture, "note": sample.get("note", "")}, sample


def test_every_recorded_info_reply_has_the_shape_of_ours(session, data_dir):
    venue, _ = session
    wrong = {}
    for name, fixture, sample in recordings(data_dir, "info"):
        kind = fixture["type"]
        assert kind in HANDLERS, name
        if kind in NOTHING:
            continue
        found = mismatches(list(replies(venue, kind)), sample["response"], fixture, kind)
        if found:
            wrong[name] = found

    assert not wrong, json.dumps(wrong, indent=1)


def test_every_recorded_frame_has_the_shape_of_ours(session, data_dir):
    _, heard = session
    wrong = {}
    for name, fixture, sample in recordings(data_dir, "ws"):
        frame = sample.get("frame")
        if frame is None or frame["channel"] in CONTROL | NOTHING:
            continue
        found = mismatches(heard.get(frame["channel"], []), frame["data"], fixture)
        if found:
            wrong[name] = found

    assert not wrong, json.dumps(wrong, indent=1)


def test_acknowledgements_are_the_recorded_ones_to_the_letter(data_dir):
    """The exchange writes a subscription anew: its own order of keys, defaults filled in."""
    checked = 0
    for name, _, sample in recordings(data_dir, "ws"):
        frame = sample.get("frame", {})
        if frame.get("channel") == "subscriptionResponse":
            theirs = frame["data"]["subscription"]
            assert read_subscription(theirs).text == dumps(theirs), name
            checked += 1

    assert checked >= 5


@pytest.mark.parametrize(
    ("ours", "theirs", "found"),
    [
        ({"a": "1.0"}, {"a": "2.5"}, []),
        ({"a": "1"}, {"a": "2.5"}, [".a: ['text'] instead of ['a float']"]),
        ({"a": "1.50"}, {"a": "2.5"}, [".a: ['text'] instead of ['a float']"]),
        ({"a": 1}, {"a": "2.5"}, [".a: ['int'] instead of ['a float']"]),
        ({"a": None}, {"a": "2.5"}, [".a: ['NoneType'] instead of ['a float']"]),
        ({"tif": None}, {"tif": "Gtc"}, []),
        ({"b": 1}, {"a": 1}, [".a is missing", ".b is not the exchange's"]),
        ({"a": 1}, {"a": 1, "cloid": "0x"}, []),
        ({"b": 1, "a": 1}, {"a": 1, "b": 1}, [": keys in another order: ['b', 'a']"]),
        ([{"a": 1}, {}], [{"a": 1}], []),
        ([], [{"a": 1}], ["[]: nothing of ours to compare"]),
        ([{"a": 1}], [], []),
        ({"mids": {"X": "1.0"}}, {"mids": {"Y": "2.0"}}, []),
    ],
)
def test_the_comparison_sees_what_a_strict_client_sees(ours, theirs, found):
    """A comparison that finds nothing would hold nothing."""
    comparison = Comparison(OPTIONAL, NULLABLE, MAPS, is_whole=True)

    comparison.run([ours], [theirs])

    assert comparison.found == found
