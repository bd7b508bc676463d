"""Answers to `/info`: their shapes are those of the recorded replies, their numbers the venue's."""

import json
import re
from pathlib import Path

import pytest

from hypermm.errors import WireError
from hypermm.sim.about_markets import AggregationError
from hypermm.sim.api import HANDLERS
from hypermm.sim.subscriptions import FIELDS
from tests.scripted_market import ALICE, BOB, START_MS, ScriptedMarket
from tests.sim_desk import CLOID, Venue, wire

STRANGER = "0x" + 40 * "c"


@pytest.fixture
def venue():
    """Alice holds a long, rests an order on each side, and had one refused; Bob did nothing."""
    venue = Venue()
    venue.market.trade(venue.soon(), "B", "2001", "0.25")
    venue.step()
    venue.place(ALICE, wire("B", "2001", "0.5", "Ioc"))
    venue.place(
        ALICE,
        wire("B", "1999", "0.5", cloid=CLOID),
        wire("A", "2005", "0.2", reduce_only=True),
        wire("B", "1999", "0.001"),
    )
    return venue


def recorded(data_dir, name, pick=0):
    """Return the reply of one recorded sample."""
    path = data_dir / "hyperliquid" / "fixtures" / f"{name}.json"
    return json.loads(path.read_text())["samples"][pick]["response"]


def kinds(value):
    """Reduce a reply to its shape: keys and types; lists of one kind to one entry."""
    if isinstance(value, dict):
        return {key: kinds(entry) for key, entry in value.items()}
    if isinstance(value, list):
        return [kinds(value[0])] if value else []
    return type(value).__name__


# Shapes


def test_shapes_of_account_replies_are_the_recorded_ones(venue, data_dir):
    state = venue.info("clearinghouseState", ALICE)
    theirs = recorded(data_dir, "info-clearinghouseState--roq", 1)
    assert set(state) == set(theirs)
    assert kinds(state["marginSummary"]) == kinds(theirs["marginSummary"])
    mine, their = (x["assetPositions"][0]["position"] for x in (state, theirs))
    assert kinds(mine) == kinds(their)
    empty = venue.info("clearinghouseState", STRANGER)
    theirs = recorded(data_dir, "info-clearinghouseState--roq", 0)
    assert {**empty, "time": 0} == {**theirs, "time": 0}

    assert kinds(venue.info("userRateLimit", ALICE)) == kinds(
        recorded(data_dir, "info-userRateLimit--axon")
    )
    fees = venue.info("userFees", ALICE)
    theirs = recorded(data_dir, "info-userFees--rift")
    assert set(fees) == set(theirs)
    assert kinds(fees["dailyUserVlm"]) == kinds(theirs["dailyUserVlm"])
    assert len(fees["dailyUserVlm"]) == 15


def test_shapes_of_order_replies_are_the_recorded_ones(venue, data_dir):
    full = venue.info("frontendOpenOrders", ALICE)
    theirs = recorded(data_dir, "info-frontendOpenOrders--jkorf")
    assert list(full[0]) == list(theirs[0])
    assert full[1]["cloid"] == CLOID
    assert [order["reduceOnly"] for order in full] == [True, False]

    brief = venue.info("openOrders", ALICE)
    theirs = recorded(data_dir, "info-openOrders--hlmath")
    assert list(brief[1]) == [*theirs[0], "cloid"]
    assert brief[0]["reduceOnly"] is True

    status = venue.info("orderStatus", ALICE, oid=CLOID)
    theirs = recorded(data_dir, "info-orderStatus--hlmath")
    assert status["status"] == theirs["status"] == "order"
    assert list(status["order"]) == list(theirs["order"])
    assert list(status["order"]["order"]) == list(theirs["order"]["order"])


def test_shapes_of_fills_and_market_data_are_the_recorded_ones(venue, data_dir):
    (fill,) = venue.info("userFills", ALICE)
    theirs = recorded(data_dir, "info-userFills--rift")
    assert set(fill) == set(theirs[0]) - {"builderFee", "cloid", "liquidation"}

    book = venue.info("l2Book", coin="ETH")
    theirs = recorded(data_dir, "info-l2Book--python-sdk")
    assert set(book) == set(theirs)
    assert kinds(book["levels"][0][0]) == kinds(theirs["levels"][0][0])

    _, (context,) = venue.info("metaAndAssetCtxs")
    path = data_dir / "hyperliquid" / "fixtures" / "ws-activeAssetCtx--capture-0903.json"
    frame = json.loads(path.read_text())["samples"][0]["frame"]
    assert set(context) == set(frame["data"]["ctx"])
    assert kinds(context["impactPxs"]) == ["str"]


# Numbers


def test_numbers_are_printed_like_floats(venue):
    """An integral value keeps `.0`; others have no trailing zeros and never an exponent."""
    state = venue.info("clearinghouseState", ALICE)
    position = state["assetPositions"][0]["position"]

    assert position == {
        "coin": "ETH",
        "szi": "0.5",
        "leverage": {"type": "cross", "value": 20},
        "entryPx": "2001.0",
        "positionValue": "1000.5",
        "unrealizedPnl": "0.0",
        "returnOnEquity": "0.0",
        "liquidationPx": None,
        "marginUsed": "50.025",
        "maxLeverage": 25,
        "cumFunding": {"allTime": "0.0", "sinceOpen": "0.0", "sinceChange": "0.0"},
    }
    assert state["marginSummary"] == {
        "accountValue": "9999.549775",
        "totalNtlPos": "1000.5",
        "totalRawUsd": "8999.049775",
        "totalMarginUsed": "50.025",
    }
    assert state["crossMaintenanceMarginUsed"] == "20.01"
    assert venue.info("allMids") == {"ETH": "2000.5"}
    assert venue.info("userFills", ALICE)[0]["fee"] == "0.450225"


def test_the_withdrawable_amount_leaves_margin_for_position_and_orders(venue):
    """Max of initial margin and a tenth of the notional; open orders reserve more."""
    assert venue.info("clearinghouseState", ALICE)["withdrawable"] == "9899.499775"


def test_the_liquidation_price_follows_the_documented_formula():
    """Recorded: HYPE long 2.0 at 37.826, isolated margin 7.525754 of 10 times: 35.8559189474."""
    from tests.scripted_market import instrument

    market = ScriptedMarket(instrument("HYPE", 2, 10, is_isolated_only=True))
    market.book(0, [("37.826", "100")], [("37.827", "100")])
    venue = Venue(market=market)
    venue.act(ALICE, {"type": "updateLeverage", "asset": 0, "isCross": False, "leverage": 10})
    venue.place(ALICE, wire("B", "37.827", "2", "Ioc"))
    listing = venue.exchange.listings[0]
    account = venue.exchange.accounts.get(ALICE)
    position = account.position(listing)
    position.raw = -68_126_246
    listing.mark_price = listing.instrument.parse_price("37.826")

    shown = venue.info("clearinghouseState", ALICE)["assetPositions"][0]["position"]

    assert shown["marginUsed"] == "7.525754"
    assert shown["liquidationPx"] == "35.8559189474"


# Orders


def test_the_status_of_orders_of_every_fate_is_known(venue):
    fates = {
        record["status"]: record["order"]["oid"] for record in venue.info("historicalOrders", ALICE)
    }
    assert set(fates) == {"open", "filled", "minTradeNtlRejected"}
    for status, oid in fates.items():
        assert venue.info("orderStatus", ALICE, oid=oid)["order"]["status"] == status
    assert venue.info("orderStatus", BOB, oid=fates["filled"]) == {"status": "unknownOid"}
    assert venue.info("orderStatus", ALICE, oid="0x" + 32 * "f") == {"status": "unknownOid"}


def test_a_client_order_id_names_its_latest_order(venue):
    oid = venue.info("orderStatus", ALICE, oid=CLOID)["order"]["order"]["oid"]
    venue.cancel(ALICE, oid)
    venue.place(ALICE, wire("B", "1998", "0.5", cloid=CLOID))

    record = venue.info("orderStatus", ALICE, oid=CLOID.upper().replace("0X", "0x"))

    assert record["order"]["order"]["limitPx"] == "1998.0"
    assert venue.info("orderStatus", ALICE, oid=oid)["order"]["status"] == "canceled"


def test_fills_by_time_include_both_ends_and_come_oldest_first(venue):
    venue.place(ALICE, wire("A", "2000", "0.1", "Ioc"))
    newest, oldest = (fill["time"] for fill in venue.info("userFills", ALICE))

    def times(start, end):
        found = venue.info("userFillsByTime", ALICE, startTime=start, endTime=end)
        return [fill["time"] for fill in found]

    assert times(oldest, newest) == [oldest, newest]
    assert times(oldest + 1, newest) == [newest]
    assert times(oldest, newest - 1) == [oldest]


# Market data


def test_books_are_aggregated_on_request(venue):
    coarse = venue.info("l2Book", coin="ETH", nSigFigs=3)

    assert coarse["levels"][0] == [
        {"px": "2000.0", "sz": "1.0", "n": 1},
        {"px": "1990.0", "sz": "5.5", "n": 3},
    ]
    assert coarse["levels"][1] == [{"px": "2010.0", "sz": "5.45", "n": 4}]
    assert coarse["spread"] == "1.0"
    for bad in ({"nSigFigs": 1}, {"nSigFigs": 6}, {"nSigFigs": 5, "mantissa": 3}, {"mantissa": 2}):
        with pytest.raises(AggregationError):
            venue.info("l2Book", coin="ETH", **bad)
    assert venue.info("l2Book", coin="NOPE") is None


def test_candles_hold_what_traded(venue):
    minute = START_MS - START_MS % 60_000

    (candle,) = venue.info(
        "candleSnapshot", req={"coin": "ETH", "interval": "5m", "startTime": START_MS - 10**7}
    )

    assert candle["t"] % 300_000 == 0
    assert candle["T"] == candle["t"] + 299_999
    assert candle["t"] <= minute <= candle["T"]
    assert {name: candle[name] for name in "ochlvn"} == {
        "o": "2001.0",
        "c": "2001.0",
        "h": "2001.0",
        "l": "2001.0",
        "v": "0.75",
        "n": 2,
    }


def test_recent_trades_show_both_users(venue):
    trades = venue.info("recentTrades", coin="ETH")

    assert [trade["sz"] for trade in trades] == ["0.5", "0.25"]
    assert trades[0]["users"][0] == ALICE
    assert trades[1]["tid"] == 77


def test_the_mark_is_the_median_of_touch_and_last_trade(venue):
    _, (context,) = venue.info("metaAndAssetCtxs")

    assert (context["markPx"], context["midPx"], context["oraclePx"]) == (
        "2001.0",
        "2000.5",
        "2000.5",
    )


# Every type


def test_every_type_answers_a_stranger_with_something_json_can_hold(venue):
    request = {
        "user": STRANGER,
        "coin": "ETH",
        "oid": 1,
        "id": 25,
        "startTime": 0,
        "builder": ALICE,
        "dex": "",
        "req": {"coin": "ETH", "interval": "1m", "startTime": 0},
    }
    for kind in HANDLERS:
        json.dumps(venue.info(kind, **request), allow_nan=False)
    assert venue.info("userRole", STRANGER) == {"role": "missing"}
    assert venue.info("userAbstraction", STRANGER) == "disabled"


@pytest.mark.parametrize(
    "request_body",
    [
        {},
        {"type": "nonsense"},
        {"type": ["meta"]},
        {"type": "l2Book"},
        {"type": "l2Book", "coin": 5},
        {"type": "l2Book", "coin": "ETH", "nSigFigs": "3"},
        {"type": "openOrders"},
        {"type": "openOrders", "user": "0x12"},
        {"type": "openOrders", "user": "0X" + 40 * "a"},
        {"type": "orderStatus", "user": ALICE, "oid": "0x12"},
        {"type": "orderStatus", "user": ALICE, "oid": -1},
        {"type": "userFillsByTime", "user": ALICE},
        {"type": "candleSnapshot", "coin": "ETH"},
        {"type": "meta", "dex": 3},
    ],
)
def test_requests_that_break_the_contract_are_refused(venue, request_body):
    with pytest.raises(WireError):
        venue.exchange.info(request_body)


def test_addresses_are_read_with_and_without_prefix_in_any_case(venue):
    for written in (ALICE, ALICE[2:], "0x" + ALICE[2:].upper()):
        assert len(venue.info("openOrders", written)) == 2


def test_the_reference_page_names_everything_that_is_served():
    """A page that is behind the code sends people to look for what is there, or is not."""
    page = Path(__file__).parent.parent / "docs" / "reference" / "exchange-reads.md"
    named = {name for row in page.read_text().split("\n## Rules")[0].splitlines()
             if row.startswith("|") for name in re.findall("`([A-Za-z0-9]+)`", row)}  # fmt: skip

    assert named == set(HANDLERS) | set(FIELDS)


# History


def test_fills_come_reversed_if_asked_and_a_page_is_cut_at_its_end(venue):
    for _ in range(3):
        venue.place(ALICE, wire("A", "2000", "0.01", "Ioc"))

    def tids(**options):
        return [fill["tid"] for fill in venue.info("userFillsByTime", ALICE, **options)]

    assert tids(startTime=0, reversed=True) == tids(startTime=0)[::-1]
    assert len(tids(startTime=0)) == 4
    with pytest.raises(WireError):
        tids(startTime=0, reversed="yes")


def test_the_day_s_figures_are_of_the_last_24_hours():
    """What the market traded before its listing leaves the day bit by bit, then what we saw."""
    venue = Venue(block_ms=30_000)
    exchange, listing = venue.exchange, venue.exchange.listings[0]
    listing.day_volume = 24_0000

    def figures(hours):
        exchange.advance(START_MS + int(hours * 3_600_000))
        _, (context,) = venue.info("metaAndAssetCtxs")
        return [context[key] for key in ("dayBaseVlm", "dayNtlVlm", "prevDayPx")]

    assert figures(6) == ["18.0", "36009.0", "2000.5"]
    venue.trade("A", "2000", "1")
    assert figures(23.9)[0] == "1.1"
    assert figures(25) == ["1.0", "2000.0", "2000.5"]
    assert figures(31) == ["0.0", "0.0", "2000.0"]
    days = venue.info("userFees", ALICE)["dailyUserVlm"]
    assert [day["exchange"] for day in days[-2:]] == ["2000.0", "0.0"]


def test_the_coins_at_their_cap_are_named(venue):
    assert venue.info("perpsAtOpenInterestCap") == []
    assert "perpsAtOpenInterestCap" not in venue.info("webData2", ALICE)
    listing = venue.exchange.listings[0]
    listing.open_interest, listing.open_interest_cap = 10_000, 1

    assert venue.info("perpsAtOpenInterestCap") == ["ETH"]
    assert venue.info("webData2", ALICE)["perpsAtOpenInterestCap"] == ["ETH"]


def test_the_portfolio_shows_values_profits_and_volume_of_each_period(venue):
    """Samples of a minute; profit counts from the first, what was paid in is none."""
    exchange = venue.exchange
    exchange.advance(exchange.now_ms + 180_000)
    exchange.fund(ALICE, 500)
    venue.place(ALICE, wire("A", "2000", "0.5", "Ioc"))

    periods = dict(venue.info("portfolio", ALICE))

    assert list(periods)[::4] == ["day", "perpDay"]
    day = periods["day"]
    values = [float(value) for _, value in day["accountValueHistory"]]
    assert len(values) == 5
    assert values[-1] - values[0] == pytest.approx(500 - 0.45 - 1.4, abs=0.5)
    assert day["pnlHistory"][0][1] == "0.0"
    assert float(day["pnlHistory"][-1][1]) == pytest.approx(values[-1] - values[0] - 500)
    assert day["vlm"] == "2000.5"
    assert periods["perpDay"] == day
    exchange.accounts.get(ALICE).spot_usdc += 70_000_000
    spot, perp = (
        float(dict(venue.info("portfolio", ALICE))[name]["accountValueHistory"][-1][1])
        for name in ("day", "perpDay")
    )
    assert spot - perp == pytest.approx(70)


def test_the_page_s_data_are_those_of_its_parts(venue):
    page = venue.info("webData2", ALICE)

    assert page["openOrders"] == venue.info("frontendOpenOrders", ALICE)
    assert page["clearinghouseState"] == venue.info("clearinghouseState", ALICE)
    assert [page["meta"], page["assetCtxs"]] == venue.info("metaAndAssetCtxs")
    assert page["user"] == ALICE


def test_a_referral_code_takes_volume_first(venue):
    """What is still missing of 10000 USDC is told, then that a code can be made."""
    assert venue.info("referral", ALICE)["referrerState"] == {
        "stage": "needToTrade",
        "data": {"required": "8999.5"},
    }
    venue.market.book(venue.soon(), [("2000", "9")], [("2001", "9")])
    venue.step()
    venue.place(ALICE, wire("A", "2000", "4.6", "Ioc"))

    assert venue.info("referral", ALICE)["referrerState"] == {"stage": "needToCreateCode"}


def test_a_margin_table_is_found_by_its_number(venue):
    """Numbers below 50 are tables of one tier, listed or not."""
    for leverage in (25, 3):
        assert venue.info("marginTable", id=leverage)["marginTiers"] == [
            {"lowerBound": "0.0", "maxLeverage": leverage}
        ]
    assert venue.info("marginTable", id=77) is None


# Hostile input

FIELDS_OF_REQUESTS = {
    "user": ALICE,
    "coin": "ETH",
    "oid": 1,
    "id": 25,
    "startTime": 0,
    "endTime": START_MS * 2,
    "builder": BOB,
    "dex": "",
    "nSigFigs": 5,
    "mantissa": 2,
    "aggregateByTime": True,
    "reversed": True,
    "req": {"coin": "ETH", "interval": "1m", "startTime": 0},
}
STRANGE = (
    None, True, -1, 0, 1.5, 10**30, -(10**30), 1e308, "", "x", "0x", "\0", "é" * 50, "0" * 5_000,
    [], {}, [[]], {"coin": []}, {"coin": "ETH", "interval": {}, "startTime": 0},
    {"coin": "ETH", "interval": "1m", "startTime": "0"},
)  # fmt: skip


@pytest.mark.parametrize("kind", sorted(HANDLERS))
def test_no_value_in_any_field_of_a_request_is_more_than_refused(venue, kind):
    """What cannot be read is the contract's breach, never an error of ours."""
    for name in FIELDS_OF_REQUESTS:
        for value in STRANGE:
            request = {"type": kind, **FIELDS_OF_REQUESTS, name: value}
            try:
                reply = venue.exchange.info(request)
            except (WireError, AggregationError):
                continue
            json.dumps(reply, allow_nan=False)
    for name in FIELDS_OF_REQUESTS:
        request = {"type": kind, **FIELDS_OF_REQUESTS}
        del request[name]
        try:
            venue.exchange.info(request)
        except (WireError, AggregationError):
            continue


@pytest.mark.parametrize("name", ["userFunding", "userNonFundingLedgerUpdates"])
def test_an_account_s_history_needs_no_start(venue, name):
    """ccxt leaves the start out when it wants everything."""
    assert venue.info(name, ALICE) == venue.info(name, ALICE, startTime=0)
