"""The exchange's JSON at the border: what is read, what is refused, what an answer proves."""

import json
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hypermm._core.rows import ROW_DTYPE, Rows
from hypermm.errors import WireError
from hypermm.hyperliquid import payloads, wire
from hypermm.hyperliquid.actions import decode_request
from hypermm.hyperliquid.cloids import cloid_text, parse_cloid
from hypermm.hyperliquid.payloads import encode_json
from hypermm.instrument import Instrument
from hypermm.messages import (
    CancelOids,
    CancelOrders,
    Order,
    PlaceOrders,
    ReadAccount,
    ReadFills,
    ReadOpenOrders,
    ReadOrder,
    Side,
    Tif,
    UpdateLeverage,
)
from tests.exchange_requests import SIGNATURE, decode_action

BTC = Instrument(coin="BTC", asset_id=0, size_decimals=5)
ETH = Instrument(coin="ETH", asset_id=1, size_decimals=4)
ACCOUNT = "0x" + "ab" * 20
MS = 1_000_000


def market(coin, size_decimals):
    return Instrument(coin=coin, asset_id=7, size_decimals=size_decimals)


def samples(data_dir, pattern):
    """Yield (file name, sample) of the recorded payloads."""
    paths = sorted((data_dir / "hyperliquid/fixtures").glob(pattern))
    assert paths
    for path in paths:
        for sample in json.loads(path.read_text())["samples"]:
            yield path.name, sample


def as_dicts(rows):
    return [dict(zip(ROW_DTYPE.names, row.tolist(), strict=True)) for row in rows.array]


# Recordings

# Parts of a reply that its source kept without the rest; each part is read where it belongs.
FRAGMENTS = {
    "info-clearinghousePosition--testnet-0907.json": payloads.Position,
    "info-spotClearinghouseState--testnet-0907.json": None,
    "info-meta--hlmath-mainnet.json": None,
    "info-metaAndAssetCtxs--hlmath-mainnet.json": None,
    "info-spotMetaAndAssetCtxs--hlmath.json": None,
}


def test_every_recorded_frame_decodes(data_dir):
    """No frame that the exchange was seen to send is refused, and the known ones are read."""
    channels = {}
    for name, sample in samples(data_dir, "ws-*.json"):
        if "frame" in sample:
            frame = payloads.decode_frame(json.dumps(sample["frame"]).encode())
            assert frame.channel == sample["frame"]["channel"], name
            channels.setdefault(frame.channel, []).append(frame.data)

    known = {name for name, data in channels.items() if not isinstance(data[0], payloads.Other)}
    assert known == {"activeAssetCtx", "error", "orderUpdates", "pong", "subscriptionResponse", *(
        "userFills", "userFundings",
    )}  # fmt: skip
    assert {"l2Book", "bbo", "trades"} <= channels.keys()  # the scanner's


REPLIES = {
    "clearinghouseState": payloads.ClearinghouseState,
    "frontendOpenOrders": list[payloads.OrderPayload],
    "historicalOrders": list[payloads.OrderStatus],
    "meta": payloads.UniverseMeta,
    "metaAndAssetCtxs": tuple[payloads.UniverseMeta, list[payloads.AssetContext]],
    "openOrders": list[payloads.OrderPayload],
    "orderStatus": payloads.OrderStatusReply,
    "userFills": list[payloads.FillPayload],
}


def test_every_recorded_reply_decodes(data_dir):
    """The same for `/info`."""
    read = set()
    for name, sample in samples(data_dir, "info-*.json"):
        kind = FRAGMENTS.get(name, REPLIES.get(name.split("-")[1]))
        if kind is not None:
            payloads.convert(sample["response"], kind)
            read.add(name.split("-")[1])

    assert read >= REPLIES.keys() - {"metaAndAssetCtxs"}  # of which only parts were kept


def test_the_parts_of_cut_replies_decode(data_dir):
    """Entries of universes and contexts whose reply was not kept whole."""
    universe, contexts = [], []
    for _, sample in samples(data_dir, "info-meta--hlmath-mainnet.json"):
        body = sample["response"]
        universe += body.get("universe (selected entries)", [])
        universe += body.get("hip3Meta (selected)", {}).get("universe", [])
    for _, sample in samples(data_dir, "info-metaAndAssetCtxs--hlmath-mainnet.json"):
        contexts += sample["response"].get("hip3AssetContexts", [])

    read = payloads.convert(universe, list[payloads.AssetMeta])
    payloads.convert(contexts, list[payloads.AssetContext])

    assert {"BTC", "xyz:XYZ100"} <= {asset.name for asset in read}


# Market data


def test_a_context_gives_its_figures_without_time():
    """Mark, oracle and funding in 1e-12, open interest and volume in lots; noise is rounded."""
    context = {
        "funding": "-0.0000104821",
        "openInterest": "36295.80812",
        "oraclePx": "80684.7",
        "markPx": "80640.0",
        "dayBaseVlm": "56265.6906799999",
    }
    rows = Rows.allocate(5)

    count = wire.context_rows({"coin": "BTC", "ctx": context}, BTC, rows)

    assert count == 5
    assert [(row["index"], row["price"], row["size"]) for row in as_dicts(rows)] == [
        (0, 80_640_000_000_000_000, 0),
        (1, 80_684_700_000_000_000, 0),
        (2, -10_482_100, 0),
        (3, 0, 3_629_580_812),
        (4, 0, 5_626_569_068),
    ]
    assert rows.array["flags"].tolist() == [1, 0, 0, 0, 2]
    assert not rows.array["exch_ns"].any()


def test_a_context_of_another_market_or_without_room_adds_nothing():
    """Part of a context would leave figures of two times side by side."""
    context = {"funding": "0.0", "openInterest": "1.0", "oraclePx": "1.0", "markPx": "1.0"}

    assert wire.context_rows({"coin": "ETH", "ctx": context}, BTC, Rows.allocate(9)) == 0
    with pytest.raises(OverflowError):
        wire.context_rows({"coin": "BTC", "ctx": context}, BTC, Rows.allocate(3))


def test_a_field_that_the_context_leaves_out_gives_no_row():
    """Unknown is not 0."""
    context = {"funding": "0.0", "openInterest": "1.0", "oraclePx": "1.0", "markPx": "1.0"}
    rows = Rows.allocate(9)

    assert wire.context_rows({"coin": "BTC", "ctx": context}, BTC, rows) == 4


# Private feeds


def fill(**changes):
    return {
        "coin": "BTC", "px": "64007.0", "sz": "0.00018", "side": "A", "time": 1784976932073,
        "startPosition": "-50.81882", "dir": "Open Short", "closedPnl": "-0.5",
        "hash": "0x00", "oid": 502464503020, "crossed": False, "fee": "-0.000829",
        "tid": 351400627290190, "feeToken": "USDC", "twapId": None,
        "cloid": "0x000000000000000000000000000000AB",
    } | changes  # fmt: skip


def test_a_fill_is_read_exactly():
    """The position counts on it: lots and price units as integers, a rebate negative."""
    [one] = wire.user_fills([fill()], BTC)

    assert (one.side, one.price, one.size) == (Side.SELL, 640_070, 18)
    assert (one.trade_id, one.oid, one.cloid) == (351_400_627_290_190, 502_464_503_020, 0xAB)
    assert (one.fee_usd, one.closed_pnl_usd, one.start_position) == (-0.000829, -0.5, -5_081_882)
    assert (one.exch_ns, one.is_taker) == (1_784_976_932_073 * MS, False)


@pytest.mark.parametrize("order", [1, -1])
def test_fills_come_oldest_first_whichever_way_they_were_sent(order):
    """Some lists come newest first; entries of one time keep their order as executed."""
    sent = [fill(tid=tid, time=time) for tid, time in ((1, 10), (2, 10), (3, 20))][::order]

    fills = wire.user_fills(sent, BTC)

    assert [one.trade_id for one in fills] == [1, 2, 3]


def test_fills_and_updates_of_other_markets_are_left_out():
    """The account may trade elsewhere; the engine has one market."""
    order = {
        "coin": "ETH", "side": "B", "limitPx": "1500.0", "sz": "1.0", "oid": 5,
        "timestamp": 1, "origSz": "1.0",
    }  # fmt: skip
    updates = [{"order": order, "status": "open", "statusTimestamp": 7}]

    assert wire.user_fills([fill(coin="ETH")], BTC) == ()
    assert wire.order_updates(updates, BTC) == ()
    [update] = wire.order_updates(updates, ETH)
    assert (update.price, update.remaining, update.original) == (150_000, 10_000, 10_000)
    assert (update.cloid, update.status, update.exch_ns) == (None, "open", 7 * MS)


@pytest.mark.parametrize(
    "change",
    [
        {"px": "64007.05"}, {"px": "NaN"}, {"sz": "-1"}, {"sz": 1}, {"side": "X"}, {"tid": -1},
        {"oid": 1.5}, {"fee": "1e-5"}, {"cloid": "0x12"}, {"crossed": "false"}, {"time": -1},
        {"time": 2**62}, {"startPosition": "- 1"},
    ],
)  # fmt: skip
def test_a_fill_of_the_wrong_form_is_refused(change):
    """A wrong number in the ledger is worse than a fill that has to be read again."""
    with pytest.raises(WireError):
        wire.user_fills([fill(**change)], BTC)


@pytest.mark.parametrize("payload", [{}, {"fills": []}, {"a": 1}, None, "x", [[]], [None]])
def test_an_answer_that_is_no_list_of_fills_is_refused(payload):
    """Read as an empty list, it would prove that nothing was traded."""
    with pytest.raises(WireError):
        wire.decode_read(ReadFills(1, 0), payload, BTC)


@pytest.mark.parametrize("key", ["px", "sz", "side", "time", "oid", "tid", "fee", "crossed"])
def test_a_missing_field_is_refused(key):
    """Absent is not zero."""
    entry = fill()
    del entry[key]

    with pytest.raises(WireError):
        wire.user_fills([entry], BTC)


# Actions


def test_orders_are_encoded_in_hashing_order():
    """Key order, decimals and cloid are what the exchange hashes."""
    orders = (
        Order(2**127, Side.BUY, 649_905, 100, tif=Tif.ALO),
        Order(1, Side.SELL, 650_100, 100_000, is_reduce_only=True, tif=Tif.IOC),
        Order(2, Side.SELL, 7, 1, tif=Tif.GTC),
    )

    action = wire.encode_action(PlaceOrders(1, orders), BTC)

    assert encode_json(action) == (
        b'{"type":"order","orders":['
        b'{"a":0,"b":true,"p":"64990.5","s":"0.001","r":false,"t":{"limit":{"tif":"Alo"}},'
        b'"c":"0x80000000000000000000000000000000"},'
        b'{"a":0,"b":false,"p":"65010","s":"1","r":true,"t":{"limit":{"tif":"Ioc"}},'
        b'"c":"0x00000000000000000000000000000001"},'
        b'{"a":0,"b":false,"p":"0.7","s":"0.00001","r":false,"t":{"limit":{"tif":"Gtc"}},'
        b'"c":"0x00000000000000000000000000000002"}],"grouping":"na"}'
    )


@pytest.mark.parametrize(
    ("action", "text"),
    [
        (
            CancelOrders(1, (255,)),
            f'{{"type":"cancelByCloid","cancels":[{{"asset":0,"cloid":"{cloid_text(255)}"}}]}}',
        ),
        (CancelOids(1, (9, 8)), '{"type":"cancel","cancels":[{"a":0,"o":9},{"a":0,"o":8}]}'),
        (
            UpdateLeverage(1, 3, is_cross=False),
            '{"type":"updateLeverage","asset":0,"isCross":false,"leverage":3}',
        ),
    ],
)
def test_other_actions_are_encoded_in_hashing_order(action, text):
    """The same for cancels and the leverage."""
    assert encode_json(wire.encode_action(action, BTC)).decode() == text


@given(
    st.integers(0, 6),
    st.lists(st.tuples(st.integers(1, 10**12), st.integers(1, 10**12), st.integers(0, 2**128 - 1))),
)
def test_an_encoded_order_reads_back_and_is_canonical(size_decimals, numbers):
    """The exchange hashes its own form; ours has to be that already."""
    rules = market("X", size_decimals)
    orders = tuple(Order(cloid, Side.BUY, price, size) for price, size, cloid in numbers)

    action = wire.encode_action(PlaceOrders(1, orders), rules)

    assert decode_action(encode_json(action)) == action
    for order, sent in zip(orders, action.orders, strict=True):
        assert rules.parse_price(sent.p) == order.price
        assert rules.parse_size(sent.s) == order.size
        assert parse_cloid(sent.c) == order.cloid


def test_a_server_reads_what_it_would_hash():
    """Padding zeros, upper case and key order change nothing of who is recovered."""
    sent = (
        '{"grouping":"na","builder":{"f":10,"b":"8C967E73E7B15087C42A10D344CFF4C96D877F1D"},'
        '"orders":[{"c":"0x1E60610F0B3D420597C88C1FED2AD5EE","t":{"limit":{"tif":"Ioc"}},'
        '"r":false,"s":"03.50","p":"2000.0","b":true,"a":1}],"type":"order"}'
    )

    assert encode_json(decode_action(sent)).decode() == (
        '{"type":"order","orders":[{"a":1,"b":true,"p":"2000","s":"3.5","r":false,'
        '"t":{"limit":{"tif":"Ioc"}},"c":"0x1e60610f0b3d420597c88c1fed2ad5ee"}],"grouping":"na",'
        '"builder":{"b":"0x8c967e73e7b15087c42a10d344cff4c96d877f1d","f":10}}'
    )


UPPER, LOWER = "AB" * 20, "0x" + "ab" * 20


@pytest.mark.parametrize(
    ("sent", "hashed"),
    [
        (
            {"type": "vaultTransfer", "vaultAddress": UPPER, "isDeposit": True, "usd": 5},
            {"vaultAddress": LOWER},
        ),
        (
            {"type": "subAccountTransfer", "subAccountUser": UPPER, "isDeposit": True, "usd": 5},
            {"subAccountUser": LOWER},
        ),
        (
            {"type": "agentSendAsset", "destination": UPPER, "sourceDex": "", "token": "USDC",
             "destinationDex": "xyz", "amount": "01.50", "fromSubAccount": "", "nonce": 5},
            {"destination": LOWER, "amount": "1.5"},
        ),
        (
            {"type": "topUpIsolatedOnlyMargin", "asset": 3, "leverage": "5.0"},
            {"leverage": "5"},
        ),
        (
            {"type": "reserveRequestWeight", "weight": 5, "destination": UPPER},
            {"destination": LOWER},
        ),
    ],
)  # fmt: skip
def test_transfers_are_read_in_canonical_form_too(sent, hashed):
    """Addresses and decimals are values to the exchange; it prints them its own way."""
    assert json.loads(encode_json(decode_action(sent))) == {**sent, **hashed}


ORDER = {"a": 1, "b": True, "p": "1", "s": "1", "r": False, "t": {"limit": {"tif": "Alo"}}}


@pytest.mark.parametrize(
    "action",
    [
        {"type": "nothing"},
        {"type": "order", "orders": [{**ORDER, "p": 1}], "grouping": "na"},
        {"type": "order", "orders": [{**ORDER, "p": "-1"}], "grouping": "na"},
        {"type": "order", "orders": [{**ORDER, "p": "1e5"}], "grouping": "na"},
        {"type": "order", "orders": [{**ORDER, "p": ""}], "grouping": "na"},
        {"type": "order", "orders": [{**ORDER, "s": "0.123456789"}], "grouping": "na"},
        {"type": "order", "orders": [{**ORDER, "x": 1}], "grouping": "na"},
        {"type": "order", "orders": [{**ORDER, "c": "0x1"}], "grouping": "na"},
        {"type": "order", "orders": [{**ORDER, "t": {}}], "grouping": "na"},
        {"type": "order", "orders": [ORDER], "grouping": "other"},
        {"type": "cancel", "cancels": [{"a": 0, "o": -1}]},
        {"type": "cancel", "cancels": [{"a": 0, "o": 2**64}]},
        {"type": "noop", "x": 1},
        {"type": "usdSend", "destination": ACCOUNT, "amount": "1", "time": 1},
        [],
        None,
    ],
)
def test_an_action_of_the_wrong_form_is_refused(action):
    """The exchange answers 422 to these; a simulated one has to tell."""
    with pytest.raises(WireError):
        decode_action(action)


# Reads


def test_reads_are_asked_as_the_exchange_wants_them():
    """The account is the master's, and a builder's dex is named where it matters."""
    assert wire.encode_read(ReadOpenOrders(1), ACCOUNT, "xyz") == {
        "type": "frontendOpenOrders", "user": ACCOUNT, "dex": "xyz",
    }  # fmt: skip
    assert wire.encode_read(ReadAccount(1), ACCOUNT) == {
        "type": "clearinghouseState", "user": ACCOUNT,
    }  # fmt: skip
    assert wire.encode_read(ReadFills(1, 77), ACCOUNT, "xyz") == {
        "type": "userFillsByTime", "user": ACCOUNT, "startTime": 77,
    }  # fmt: skip
    assert wire.encode_read(ReadOrder(1, 255), ACCOUNT) == {
        "type": "orderStatus", "user": ACCOUNT, "oid": "0x000000000000000000000000000000ff",
    }  # fmt: skip


def test_a_recorded_account_is_read(data_dir):
    """Position in lots, margin in USD, the exchange's own time."""
    states = [s["response"] for _, s in samples(data_dir, "info-clearinghouseState--roq.json")]

    empty, held = (wire.decode_read(ReadAccount(2), state, BTC) for state in states)

    assert (empty.position, empty.leverage, empty.is_cross) == (0, 0, True)
    assert (held.position, held.entry_price_usd, held.leverage) == (61, 82_771.8, 20)
    assert (held.account_value_usd, held.margin_used_usd) == (179.007426, 2.383117)
    assert (held.withdrawable_usd, held.exch_ns) == (174.241191, 1_770_118_781_558 * MS)


def test_an_isolated_position_is_told_as_such(data_dir):
    """Margin mode decides what a loss can take."""
    [(_, sample)] = samples(data_dir, "info-clearinghouseState--jkorf.json")

    state = wire.decode_read(ReadAccount(2), sample["response"], market("HYPE", 2))

    assert (state.position, state.is_cross, state.leverage) == (200, False, 10)


def test_open_orders_are_read_from_both_lists(data_dir):
    """The plain list leaves out what does not apply; the other writes null."""
    plain = {
        "coin": "BTC", "side": "B", "limitPx": "64000.0", "sz": "0.5", "oid": 5, "timestamp": 1,
        "origSz": "0.7",
    }  # fmt: skip
    full = {**plain, "cloid": None, "reduceOnly": False, "children": [], "tif": "Alo"}
    ours = {**plain, "cloid": cloid_text(3), "reduceOnly": True}

    listed = wire.decode_read(ReadOpenOrders(6), [plain, full, ours], BTC).orders

    assert listed[0] == listed[1]
    assert (listed[0].remaining, listed[0].original, listed[0].cloid) == (50_000, 70_000, None)
    assert (listed[2].cloid, listed[2].is_reduce_only) == (3, True)


def test_an_order_is_known_or_not():
    """Only an order with the asked cloid and market answers the question."""
    order = {
        "coin": "BTC", "side": "A", "limitPx": "64000.0", "sz": "0.0", "oid": 5, "timestamp": 1,
        "origSz": "0.7", "cloid": cloid_text(3),
    }  # fmt: skip
    reply = {
        "status": "order",
        "order": {"order": order, "status": "filled", "statusTimestamp": 9},
    }

    known = wire.decode_read(ReadOrder(7, 3), reply, BTC)
    unknown = wire.decode_read(ReadOrder(7, 3), {"status": "unknownOid"}, BTC)

    assert (known.order.status, known.order.remaining, known.order.original) == (
        "filled",
        0,
        70_000,
    )
    assert (unknown.cloid, unknown.order) == (3, None)
    for cloid, rules, answer in (
        (4, BTC, reply), (3, ETH, reply), (3, BTC, {"status": "order"}), (3, BTC, None),
    ):  # fmt: skip
        with pytest.raises(WireError):
            wire.decode_read(ReadOrder(7, cloid), answer, rules)


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(), lambda inner: (
    st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner)
)))  # fmt: skip
def test_no_payload_raises_anything_but_a_wire_error(payload):
    """No KeyError or TypeError above the border."""
    readers = (
        lambda: wire.user_fills(payload, BTC),
        lambda: wire.order_updates(payload, BTC),
        lambda: wire.context_rows(payload, BTC, Rows.allocate(9)),
        lambda: decode_request({"action": payload, "nonce": 1, "signature": SIGNATURE}),
        lambda: decode_request(payload),
        *(
            lambda read=read: wire.decode_read(read, payload, BTC)
            for read in (ReadOpenOrders(1), ReadAccount(1), ReadFills(1, 1), ReadOrder(1, 1))
        ),
    )
    for reader in readers:
        with suppress(WireError):
            reader()


# Cloids


@given(st.integers(0, 2**128 - 1))
def test_a_cloid_reads_back(cloid):
    """All 128 bits, in either case."""
    text = cloid_text(cloid)

    assert len(text) == 34
    assert parse_cloid(text) == parse_cloid("0x" + text[2:].upper()) == cloid


@pytest.mark.parametrize("text", ["", "0x", "0x12", "0X" + "0" * 32, "0" * 32, "0x" + "g" * 32])
def test_what_is_no_cloid_is_refused(text):
    """Two digits less would be another order."""
    with pytest.raises(WireError):
        parse_cloid(text)
