"""The conversation with the exchange, without a socket: bytes are fed, the outbox is read."""

import itertools
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hypermm._core.rows import FIRST, LEVEL, QUOTE, SNAPSHOT, TRADE
from hypermm.hyperliquid.actions import decode_request
from hypermm.hyperliquid.budget import NS_PER_SEC, POSTS_IN_FLIGHT, Budget
from hypermm.hyperliquid.channels import (
    ASK_TIMEOUT_NS,
    CHANNEL_TRANSITIONS,
    ChannelEvent,
    ChannelState,
)
from hypermm.hyperliquid.inbox import INBOX_PRIVATE, INBOX_ROWS
from hypermm.hyperliquid.requests import ANSWER_TIMEOUT_NS, FILLS_PER_PAGE
from hypermm.hyperliquid.session import (
    BAD_FRAMES_MAX,
    FRAME_BYTES_MAX,
    LIMITS_INTERVAL_NS,
    MARKET_SILENCE_NS,
    PING_INTERVAL_NS,
    SILENCE_NS,
    Frame,
    Post,
    Reopen,
    Session,
)
from hypermm.hyperliquid.signing import Nonces, Signer, recover
from hypermm.instrument import Instrument
from hypermm.messages import (
    ActionDenied,
    ActionLost,
    ActionReply,
    BudgetLevel,
    CancelOrders,
    Connected,
    Disconnected,
    Done,
    Fill,
    Fills,
    FundingPaid,
    OpenOrders,
    Order,
    OrderState,
    OrderUpdate,
    PlaceOrders,
    ReadAccount,
    ReadFailed,
    ReadFills,
    ReadOpenOrders,
    ReadOrder,
    Refused,
    Resting,
    Side,
    UpdateLeverage,
)

BTC = Instrument(coin="BTC", asset_id=0, size_decimals=5, max_leverage=40)
KEY = bytes.fromhex("11" * 32)  # a throw-away key
ACCOUNT = "0x31ca8395cf837de08b24da3f660e77761dfb974b"
WALL_MS = 1_790_000_000_000
MARKET = ("bbo", "l2Book.fast", "l2Book", "trades", "activeAssetCtx")
SUBSCRIPTIONS = {
    "bbo": {"type": "bbo", "coin": "BTC"},
    "l2Book.fast": {"type": "l2Book", "coin": "BTC", "fast": True},
    "l2Book": {"type": "l2Book", "coin": "BTC"},
    "trades": {"type": "trades", "coin": "BTC"},
    "activeAssetCtx": {"type": "activeAssetCtx", "coin": "BTC"},
    "orderUpdates": {"type": "orderUpdates", "user": ACCOUNT},
    "userFills": {"type": "userFills", "user": ACCOUNT},
    "userFundings": {"type": "userFundings", "user": ACCOUNT},
}
DEFAULTS = {
    "l2Book": {"nSigFigs": None, "mantissa": None, "fast": False},
    "userFills": {"aggregateByTime": False},
}


def text(value) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def acknowledgement(name: str) -> bytes:
    """The exchange fills in its defaults."""
    wanted = SUBSCRIPTIONS[name]
    normal = DEFAULTS.get(wanted["type"], {}) | wanted
    return text(
        {
            "channel": "subscriptionResponse",
            "data": {"method": "subscribe", "subscription": normal},
        }
    )


def book(ms: int = WALL_MS, *, is_fast: bool = False, bid: str = "64000.0") -> bytes:
    levels = [[{"px": bid, "sz": "0.5", "n": 2}], [{"px": "64001.0", "sz": "1.25", "n": 3}]]
    data = {"coin": "BTC", "time": ms, "levels": levels}
    return text({"channel": "l2Book", "data": data | ({"fast": True} if is_fast else {})})


def bbo(ms: int = WALL_MS) -> bytes:
    sides = [{"px": "64000.0", "sz": "0.5", "n": 2}, None]
    return text({"channel": "bbo", "data": {"coin": "BTC", "time": ms, "bbo": sides}})


def trades(*ids: int) -> bytes:
    return text(
        {
            "channel": "trades",
            "data": [
                {
                    "coin": "BTC",
                    "side": "B",
                    "px": "64001.0",
                    "sz": "0.001",
                    "time": WALL_MS,
                    "hash": "0x" + "0" * 64,
                    "tid": trade_id,
                    "users": [ACCOUNT, ACCOUNT],
                }
                for trade_id in ids
            ],
        }
    )


def context() -> bytes:
    figures = {
        "funding": "0.0000125",
        "openInterest": "36295.8",
        "prevDayPx": "64000.0",
        "dayNtlVlm": "1.0",
        "premium": None,
        "oraclePx": "64000.5",
        "markPx": "64000.0",
        "midPx": None,
        "impactPxs": None,
        "dayBaseVlm": "100.0",
    }
    return text({"channel": "activeAssetCtx", "data": {"coin": "BTC", "ctx": figures}})


def fill(trade_id: int, ms: int = WALL_MS) -> dict:
    return {
        "coin": "BTC",
        "px": "64000.0",
        "sz": "0.001",
        "side": "B",
        "time": ms,
        "startPosition": "0.0",
        "dir": "Open Long",
        "closedPnl": "0.0",
        "hash": "0x" + "a" * 64,
        "oid": 77,
        "crossed": False,
        "fee": "0.0096",
        "tid": trade_id,
        "feeToken": "USDC",
        "twapId": None,
    }


def fills(*ids: int, is_snapshot: bool = False, user: str = ACCOUNT) -> bytes:
    data = {"user": user, "fills": [fill(trade_id) for trade_id in ids]}
    return text(
        {"channel": "userFills", "data": data | ({"isSnapshot": True} if is_snapshot else {})}
    )


def post_reply(post_id: int, payload, kind: str = "action") -> bytes:
    response = {"type": kind, "payload": payload}
    return text({"channel": "post", "data": {"id": post_id, "response": response}})


def statuses(*values, kind: str = "order") -> dict:
    return {"status": "ok", "response": {"type": kind, "data": {"statuses": list(values)}}}


def place(action_id: int, count: int = 1) -> PlaceOrders:
    return PlaceOrders(
        action_id,
        tuple(Order(1_000 * action_id + i, Side.BUY, 640_000, 100) for i in range(count)),
    )


PONG = b'{"channel":"pong"}'
FIRST_DATA = {
    "bbo": bbo(),
    "l2Book.fast": book(is_fast=True),
    "l2Book": book(),
    "trades": trades(1, 2, 3),
    "activeAssetCtx": context(),
    "userFills": fills(is_snapshot=True),
}


def new_session(**options) -> Session:
    signer = options.pop("signer", Signer(KEY, is_mainnet=False))
    budget = options.pop("budget", None) or Budget()
    return Session(BTC, ACCOUNT, signer, Nonces(), budget, **options)


def ready_session(now_ns: int = 0, **options) -> Session:
    session = new_session(**options)
    connect(session, now_ns)
    session.take_batch()
    session.take_outbox()
    return session


def connect(session: Session, now_ns: int) -> None:
    session.connected(now_ns)
    for name in SUBSCRIPTIONS:
        session.receive(acknowledgement(name), now_ns)
    for frame in FIRST_DATA.values():
        session.receive(frame, now_ns)
    assert session.is_ready


def keep_alive(session: Session, now_ns: int) -> None:
    session.receive(PONG, now_ns)
    session.tick(now_ns)


def frames(session: Session) -> list[dict]:
    return [json.loads(item.text) for item in session.take_outbox() if isinstance(item, Frame)]


def reopens(session: Session) -> list[str]:
    return [item.reason for item in session.take_outbox() if isinstance(item, Reopen)]


def sent_ids(session: Session) -> list[int]:
    return [
        item.id if isinstance(item, Post) else json.loads(item.text)["id"]
        for item in session.take_outbox()
    ]


def ask_again(name: str) -> list[dict]:
    wanted = SUBSCRIPTIONS[name]
    return [{"method": method, "subscription": wanted} for method in ("unsubscribe", "subscribe")]


# The table.


def test_the_channel_table_names_every_state_and_only_asks_from_nothing():
    """A pair that is missing is an assertion, so what is missing has to be on purpose."""
    missing = {
        (state, event)
        for state, event in itertools.product(ChannelState, ChannelEvent)
        if event not in CHANNEL_TRANSITIONS[state]
    }

    assert missing == {
        (ChannelState.WANTED, ChannelEvent.ACKNOWLEDGE),
        (ChannelState.WANTED, ChannelEvent.DATA),
    }


# Subscribing.


def test_a_connection_subscribes_everything_and_reads_the_limits():
    """Nothing of an earlier connection survives on the exchange's side."""
    session = new_session()

    session.connected(0)

    outbox = session.take_outbox()
    asked = [json.loads(item.text) for item in outbox if isinstance(item, Frame)]
    assert asked == [
        {"method": "subscribe", "subscription": wanted} for wanted in SUBSCRIPTIONS.values()
    ]
    [read] = [item for item in outbox if isinstance(item, Post)]
    assert (read.path, json.loads(read.body)) == (
        "/info",
        {"type": "userRateLimit", "user": ACCOUNT},
    )


@settings(max_examples=60)
@given(
    st.permutations([*((name, True) for name in SUBSCRIPTIONS), *((n, False) for n in FIRST_DATA)])
)
def test_md03_ready_only_when_all_is_acknowledged_and_seen(steps):
    """MD-03: in whatever order they come, the last missing piece makes it ready, once."""
    session = new_session()
    session.connected(0)
    missing = {name for name in FIRST_DATA if name != "trades"}
    missing |= {"orderUpdates ack", "userFundings ack", "trades any"}

    for name, is_acknowledgement in steps:
        session.receive(acknowledgement(name) if is_acknowledgement else FIRST_DATA[name], 0)
        missing.discard(f"{name} ack" if is_acknowledgement else None)
        missing.discard("trades any" if name == "trades" else None)
        if not is_acknowledgement:
            missing.discard(name)

        assert session.is_ready is (not missing)

    assert [e for e in session.take_batch().private if isinstance(e, Connected)] == [Connected()]


def test_fa05_funding_of_our_market_is_told_and_of_others_is_not():
    """FA-05: hourly amounts of the account, received or paid, oldest first."""
    session = ready_session()
    fundings = [
        {"time": ms, "coin": coin, "usdc": usdc, "szi": "1.0", "fundingRate": "0.0000125"}
        for ms, coin, usdc in ((7_200_000, "BTC", "-3.5"), (3_600_000, "BTC", "1.25"))
    ]
    fundings.append(dict(fundings[0], coin="ETH"))
    data = {"user": ACCOUNT, "fundings": fundings, "isSnapshot": True}

    session.receive(text({"channel": "userFundings", "data": data}), 0)
    session.receive(text({"channel": "userFundings", "data": data | {"user": "0x" + "0" * 40}}), 0)

    hour_ns = 3_600 * 10**9
    assert session.take_batch().private == (
        FundingPaid(1.25, hour_ns),
        FundingPaid(-3.5, 2 * hour_ns),
    )


@pytest.mark.parametrize("lost", SUBSCRIPTIONS)
def test_md03_a_lost_acknowledgement_is_asked_again_and_then_ends_the_connection(lost):
    """MD-03: 5 s without an acknowledgement, ask again; twice, reconnect."""
    session = new_session()
    session.connected(0)
    for name in SUBSCRIPTIONS:
        if name != lost:
            session.receive(acknowledgement(name), 0)
            session.receive(FIRST_DATA.get(name, PONG), 0)
    session.take_outbox()
    assert not session.is_ready

    keep_alive(session, ASK_TIMEOUT_NS - 1)
    assert frames(session) == []
    keep_alive(session, ASK_TIMEOUT_NS)
    assert frames(session) == ask_again(lost)
    keep_alive(session, 2 * ASK_TIMEOUT_NS)

    assert lost in reopens(session)[0]


def test_md03_an_acknowledged_channel_without_its_first_data_is_asked_again():
    """MD-03: a server that acknowledges and forgets is found out."""
    session = new_session()
    session.connected(0)
    for name in SUBSCRIPTIONS:
        session.receive(acknowledgement(name), 0)
    for name, frame in FIRST_DATA.items():
        if name != "userFills":
            session.receive(frame, 0)
    session.take_outbox()

    keep_alive(session, ASK_TIMEOUT_NS)

    assert frames(session) == ask_again("userFills")
    session.receive(FIRST_DATA["userFills"], ASK_TIMEOUT_NS)
    assert session.is_ready


def test_a_market_that_never_traded_is_ready_without_trades():
    """Order updates and trades promise no first frame; waiting for them would never end."""
    session = new_session()
    session.connected(0)
    for name in SUBSCRIPTIONS:
        session.receive(acknowledgement(name), 0)
    for name, frame in FIRST_DATA.items():
        if name != "trades":
            session.receive(frame, 0)

    assert session.is_ready


def test_md06_the_trades_re_sent_on_subscribing_are_marked():
    """MD-06: after each subscribe the first trades are old ones; the next are arrivals."""
    session = new_session()

    flags = []
    for connection in range(2):
        connect(session, connection)
        session.receive(trades(4), connection)
        rows = session.take_batch().rows.array
        flags.append(rows["flags"][rows["kind"] == TRADE] & SNAPSHOT)
        session.disconnected("reset", connection)

    for of_connection in flags:
        assert list(of_connection) == [SNAPSHOT] * 3 + [0]


def test_md06_on_a_quiet_market_only_the_first_trades_are_marked():
    """MD-06: the session is ready before the first trade, and still marks one frame, not all."""
    session = new_session()
    session.connected(0)
    for name in SUBSCRIPTIONS:
        session.receive(acknowledgement(name), 0)
        if name != "trades":
            session.receive(FIRST_DATA.get(name, PONG), 0)
    session.take_batch()

    session.receive(trades(1), 1)
    session.receive(trades(2), 2)

    assert list(session.take_batch().rows.array["flags"] & SNAPSHOT) == [SNAPSHOT, 0]


# Staying connected.


def test_md04_a_ping_goes_out_every_twenty_seconds():
    """MD-04: the exchange closes a socket on which it sent nothing for 60 s."""
    session = ready_session()

    pings = []
    for second in range(61):
        session.receive(bbo(), second * NS_PER_SEC)
        session.tick(second * NS_PER_SEC)
        pings += [second for frame in frames(session) if frame == {"method": "ping"}]

    assert pings == [20, 40, 60]
    assert PING_INTERVAL_NS == 20 * NS_PER_SEC


def test_md04_a_connection_without_any_frame_is_given_up():
    """MD-04: half open or swallowed by something on the way, it looks the same from here."""
    session = ready_session()

    session.tick(SILENCE_NS - 1)
    assert reopens(session) == []
    session.tick(SILENCE_NS)
    session.tick(SILENCE_NS + 1)

    assert reopens(session) == ["no frame in 10 s"]


def test_md01_silent_market_data_is_subscribed_anew_and_then_ends_the_connection():
    """MD-01: pongs prove the socket, not the feed. Resubscribe first, then reconnect."""
    session = ready_session()
    session.receive(PONG, MARKET_SILENCE_NS)
    session.tick(MARKET_SILENCE_NS)
    assert frames(session) == [message for name in MARKET for message in ask_again(name)]
    for name in MARKET:
        session.receive(acknowledgement(name), MARKET_SILENCE_NS)
    session.receive(PONG, MARKET_SILENCE_NS + ASK_TIMEOUT_NS)
    session.tick(MARKET_SILENCE_NS + ASK_TIMEOUT_NS)

    assert "bbo" in reopens(session)[0]


def test_md01_a_feed_that_comes_back_is_kept():
    """MD-01: after resubscribing, data settles it, and the next silence starts anew."""
    session = ready_session()

    for silence in range(1, 4):
        now_ns = silence * (MARKET_SILENCE_NS + NS_PER_SEC)
        session.receive(PONG, now_ns)
        session.tick(now_ns)
        for name in MARKET:
            session.receive(acknowledgement(name), now_ns)
            session.receive(FIRST_DATA[name], now_ns)

    assert session.counters.resubscriptions == 3 * len(MARKET)
    assert reopens(session) == []


def test_nothing_is_listened_to_once_the_connection_is_given_up():
    """Between asking for another connection and getting it, frames and the socket are void."""
    session = ready_session()
    session.tick(SILENCE_NS)
    session.take_outbox()

    session.receive(fills(1), SILENCE_NS)
    session.send([CancelOrders(1, (5,))], SILENCE_NS, WALL_MS)

    assert session.counters.late_frames == 1
    assert [type(item) for item in session.take_outbox()] == [Post]


def test_md04_a_thousand_closes_leave_nothing_behind():
    """MD-04: storms of reconnects end ready, with nothing queued for dead connections."""
    session = new_session()

    for now_ns in range(1_000):
        session.connected(now_ns)
        session.send([place(now_ns + 1)], now_ns, WALL_MS)
        session.disconnected("reset", now_ns)
        session.disconnected("not even open", now_ns)
    private = session.take_batch().private
    queued = session.take_outbox()
    connect(session, 1_000)

    assert sum(isinstance(event, Disconnected) for event in private) == 1_000
    assert sum(isinstance(e, ActionLost | ActionDenied) for e in private) == 1_000
    assert not [item for item in queued if not isinstance(item, Post)]
    assert session.requests.deadline_ns is None  # nothing more than the host's minute allows


# Frames that are not what they should be.


@pytest.mark.parametrize(
    "frame",
    [
        b"",
        b"{",
        b"null",
        b"[]",
        b'"text"',
        b"\xff\xfe\x00",
        b'{"channel":7}',
        b'{"channel":"post","data":{"id":"1"}}',
        b'{"channel":"l2Book","data":{"coin":"BTC","time":1,"levels":[[{"px":"NaN","sz":"1","n":1}],[]]}}',
        b'{"channel":"bbo","data":{"coin":"BTC","time":1,"bbo":[{"px":"1e5","sz":"1","n":1},null]}}',
        b'{"channel":"bbo","data":{"coin":"BTC","time":5,"bbo":[{"px":1,"sz":"1","n":1},null]}}',
        b'{"channel":"activeAssetCtx","data":{"coin":"BTC","ctx":{"markPx":"1e5"}}}',
        b'{"channel":"subscriptionResponse","data":null}',
        b'{"channel":"error","data":5}',
        b'{"channel":"l2Book","data":{"coin":"BTC"',
        b"[" * 100_000,
        b" " * (FRAME_BYTES_MAX + 1),
    ],
    ids=lambda frame: repr(frame[:40]),
)
def test_hi01_a_bad_frame_is_dropped_and_counted(frame):
    """HI-01, MD-07: no crash, nothing applied; what came before and comes after counts."""
    session = ready_session()

    session.receive(frame, 1)
    session.receive(bbo(), 2)

    batch = session.take_batch()
    assert (session.counters.bad_frames, len(batch.rows), batch.private) == (1, 2, ())


def test_md07_twenty_bad_frames_in_a_minute_end_the_connection():
    """MD-07: one is an accident, twenty are not the exchange that we know."""
    session = ready_session()

    for second in range(0, 4 * BAD_FRAMES_MAX, 4):  # one in 4 s: never 20 in a minute
        session.receive(b"{", second * NS_PER_SEC)
    assert reopens(session) == []
    for _ in range(BAD_FRAMES_MAX):
        session.receive(b"{", 4 * BAD_FRAMES_MAX * NS_PER_SEC)

    assert reopens(session) == ["20 bad frames in a minute"]


@given(st.lists(st.binary(max_size=80) | st.sampled_from(list(FIRST_DATA.values())), max_size=30))
def test_hi01_no_bytes_raise(frames_):
    """HI-01: whatever arrives, the session answers with counters."""
    session = ready_session()

    for frame in frames_:
        session.receive(frame, 1)
        session.receive(frame[:-1], 2)

    assert session.counters.frames + session.counters.late_frames >= 2 * len(frames_)


def test_an_account_event_that_cannot_be_read_ends_the_connection():
    """A lost fill would be a wrong position; the next connection's snapshot repeats it."""
    session = ready_session()
    broken = fills(1).replace(b'"0.001"', b'"1_000"')

    session.receive(broken, 1)

    assert reopens(session) == ["an event of the account could not be read"]


def test_hi03_error_texts_are_counted_and_cleaned():
    """HI-03: the exchange's text comes out on one line without control characters."""
    session = ready_session()

    session.receive(text({"channel": "error", "data": "Invalid\x1b[31m\n" + "x" * 9_999}), 1)

    [notice] = session.take_notices()
    assert session.counters.error_frames == 1
    assert notice.fields["text"].startswith("Invalid?[31m?x")
    assert len(notice.fields["text"]) <= 200


def test_other_channels_and_coins_are_ignored_and_counted():
    """What we did not ask for is no fault."""
    session = ready_session()

    for frame in (
        text({"channel": "webData9", "data": {"any": ["thing"]}}),
        bbo().replace(b"BTC", b"ETH"),
        fills(1, user="0x" + "5" * 40),
        b"Websocket connection established.",
    ):
        session.receive(frame, 1)

    batch = session.take_batch()
    assert (len(batch.rows), batch.private, session.counters.bad_frames) == (0, (), 0)
    assert session.counters.unknown_frames == 3


def test_every_recorded_frame_is_taken(data_dir):
    """Frames that the exchange really sent: none is bad, each known channel is understood."""
    folder = data_dir / "hyperliquid" / "fixtures"
    for path in sorted(folder.glob("ws-*.json")):
        session = new_session()
        session.connected(0)
        for sample in json.loads(path.read_text())["samples"]:
            if "frame" in sample:
                session.receive(text(sample["frame"]), 0)

        assert session.counters.bad_frames == 0, (path.name, session.take_notices())


# Market data.


def test_a_batch_is_valid_until_the_next_one_is_taken():
    """Two buffers change places: what the engine reads is not written to meanwhile."""
    session = ready_session()
    session.receive(bbo(1), 1)

    first = session.take_batch().rows
    session.receive(bbo(2), 2)
    assert list(first.array["exch_ns"]) == [1_000_000, 1_000_000]
    second = session.take_batch().rows

    assert list(second.array["exch_ns"]) == [2_000_000, 2_000_000]
    assert not session.has_batch
    assert len(session.take_batch().rows) == 0


def test_md09_in_a_flood_books_give_way_and_trades_stay():
    """MD-09: ten thousand frames that nobody reads: bounded, newest book, every trade."""
    session = ready_session()

    for i in range(10_000):
        session.receive(book(i, is_fast=True), 1)
        session.receive(book(i), 1)
        if i % 10 == 0:
            session.receive(trades(i), 1)

    rows = session.take_batch().rows.array
    assert list(rows["id"][rows["kind"] == TRADE]) == list(range(0, 10_000, 10))
    assert rows["exch_ns"][rows["kind"] == LEVEL].max() == 9_999 * 1_000_000
    assert len(rows) <= INBOX_ROWS
    assert session.conflated_rows > 0
    assert reopens(session) == []


def test_md09_conflating_keeps_whole_frames_in_order():
    """MD-09: what is left reads like a stream: each frame from its first row to its last."""
    session = ready_session()

    for i in range(3_000):
        session.receive(bbo(i), 1)
        session.receive(book(i, is_fast=i % 2 == 0), 1)
        session.receive(context(), 1)

    rows = session.take_batch().rows.array
    opened = (rows["flags"] & FIRST) != 0
    for kind, length in ((QUOTE, 2), (LEVEL, 2)):
        of_kind = rows["kind"] == kind
        assert of_kind.sum() == length * (opened & of_kind).sum()
    quotes = rows["exch_ns"][rows["kind"] == QUOTE]
    assert list(quotes) == sorted(quotes)


def test_md09_trades_or_events_that_nobody_reads_end_the_connection():
    """MD-09: they must not be dropped and cannot be kept, so the connection goes."""
    session = ready_session()
    for i in range(INBOX_ROWS):
        session.receive(trades(i), 1)
    assert "rows of market data wait" in reopens(session)[0]

    session = ready_session()
    for i in range(INBOX_PRIVATE + 2):
        session.receive(fills(i), 1)
    assert "private events wait" in reopens(session)[0]


# The account's streams.


def test_the_fill_snapshot_is_one_event_and_later_fills_are_single_ones():
    """The snapshot repeats what is known; the ledger books each fill once by its ids."""
    budget = Budget()
    session = ready_session(budget=budget)

    session.receive(fills(1, 2, is_snapshot=True), 1)
    session.receive(fills(3), 2)

    snapshot, live = session.take_batch().private
    assert isinstance(snapshot, Fills)
    assert (snapshot.id, [f.trade_id for f in snapshot.fills]) == (0, [1, 2])
    assert isinstance(live, Fill)
    assert live.trade_id == 3
    assert budget.limit == 10_000 + 64  # 0.001 at 64,000; the snapshot was counted before


def test_order_updates_come_as_values_in_order():
    """Two entries of one frame stay in their order: open, then filled."""
    session = ready_session()
    order = {
        "coin": "BTC",
        "side": "A",
        "limitPx": "64001.0",
        "sz": "0.5",
        "oid": 9,
        "timestamp": WALL_MS,
        "origSz": "0.5",
        "cloid": "0x" + "0" * 31 + "7",
    }
    entries = [
        {"order": order, "status": "open", "statusTimestamp": WALL_MS},
        {"order": order | {"sz": "0.0"}, "status": "filled", "statusTimestamp": WALL_MS},
    ]

    session.receive(text({"channel": "orderUpdates", "data": entries}), 1)

    updates = session.take_batch().private
    assert all(isinstance(update, OrderUpdate) for update in updates)
    assert [(u.status, u.cloid, u.remaining) for u in updates] == [
        ("open", 7, 50_000),
        ("filled", 7, 0),
    ]


# Actions and reads.


def test_an_action_goes_out_signed_as_a_post_on_the_socket():
    """The bytes hold the whole envelope, and the signer that the exchange recovers is ours."""
    signer = Signer(KEY, is_mainnet=False)
    session = ready_session(signer=signer)

    session.send([place(1, 2)], 0, WALL_MS)

    [message] = frames(session)
    envelope = message["request"]["payload"]
    request = decode_request(envelope)
    assert (message["method"], message["request"]["type"]) == ("post", "action")
    assert (envelope["nonce"], len(envelope["action"]["orders"])) == (WALL_MS, 2)
    assert (
        recover(request.action, request.nonce, request.signature, is_mainnet=False)
        == signer.address
    )


def test_op03_replies_may_come_in_any_order():
    """OP-03: each reply finds its action by its id."""
    session = ready_session()
    session.send([place(1), CancelOrders(2, (7,)), UpdateLeverage(3, 5, True)], 0, WALL_MS)
    first, second, third = sent_ids(session)

    session.receive(post_reply(third, {"status": "ok", "response": {"type": "default"}}), 1)
    session.receive(post_reply(second, statuses("success", kind="cancel")), 1)
    session.receive(post_reply(first, statuses({"resting": {"oid": 70}})), 1)

    assert session.take_batch().private == (
        ActionReply(3, (Done(),)),
        ActionReply(2, (Done(),)),
        ActionReply(1, (Resting(70),)),
    )


@pytest.mark.parametrize("is_connected", [True, False])
def test_without_the_socket_actions_go_by_http(is_connected):
    """A cancel must go out while the socket is down, or when the owner prefers HTTP."""
    session = ready_session(prefers_socket=not is_connected)
    if not is_connected:
        session.disconnected("reset", 0)
        session.take_batch()

    session.send([CancelOrders(1, (7,))], 0, WALL_MS)
    [post] = session.take_outbox()
    session.reply(post.id, 200, text(statuses("success", kind="cancel")), 1)

    assert post.path == "/exchange"
    assert session.take_batch().private == (ActionReply(1, (Done(),)),)


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (0, b""),
        (429, b"null"),
        (500, b"null"),
        (502, b"<html>Bad gateway</html>"),
        (200, b"<html>Login</html>"),
        (200, b""),
        (422, b"Failed to deserialize the JSON body into the target type"),
        (302, b""),
    ],
)
def test_op01_an_answer_that_proves_nothing_is_no_refusal(status, body):
    """OP-01, OP-02: the order may be live behind any of these."""
    session = ready_session(prefers_socket=False)
    session.send([place(1)], 0, WALL_MS)
    [post_id] = sent_ids(session)

    session.reply(post_id, status, body, 1)

    [event] = session.take_batch().private
    assert isinstance(event, ActionLost)
    assert event.id == 1


def test_op01_no_answer_in_time_is_a_loss_and_a_later_one_is_dropped():
    """OP-01: by then the engine reads the truth from the exchange."""
    session = ready_session()
    session.send([place(1)], 0, WALL_MS)
    [post_id] = sent_ids(session)
    assert session.deadline_ns == ANSWER_TIMEOUT_NS

    keep_alive(session, ANSWER_TIMEOUT_NS)
    session.receive(post_reply(post_id, statuses({"resting": {"oid": 70}})), ANSWER_TIMEOUT_NS)

    assert session.take_batch().private == (ActionLost(1, "no answer in 5 s"),)
    assert session.requests.counters.late == 1


def test_op01_a_disconnect_loses_what_is_in_flight_and_says_so_last():
    """OP-01: the engine hears of each doubt before it hears of the disconnect."""
    session = ready_session()
    session.send([place(1), ReadAccount(2), CancelOrders(3, (7,))], 0, WALL_MS)

    session.disconnected("closed with code 1006", 1)

    events = session.take_batch().private
    assert [type(event) for event in events] == [ActionLost, ReadFailed, ActionLost, Disconnected]
    assert events[-1] == Disconnected("closed with code 1006")
    assert not session.is_ready


def test_op02_a_throttled_post_keeps_everything_but_cancels_back():
    """OP-02: the budget learns from a 429, in whichever way it comes."""
    session = ready_session()
    session.send([place(1)], 0, WALL_MS)
    [post_id] = sent_ids(session)

    session.receive(post_reply(post_id, "429 Too Many Requests", kind="error"), 1)
    session.send([place(2), CancelOrders(3, (7,))], 2, WALL_MS)

    lost, denied = session.take_batch().private
    assert (type(lost), type(denied)) == (ActionLost, ActionDenied)
    assert len(sent_ids(session)) == 1


def test_op04_one_error_for_the_batch_reaches_every_order():
    """OP-04: a known refusal before execution stands for all of them."""
    session = ready_session()
    session.send([place(1, 3)], 0, WALL_MS)
    [post_id] = sent_ids(session)
    refusal = "Order price cannot be more than 95% away from the reference price"

    session.receive(post_reply(post_id, statuses({"error": refusal})), 1)

    assert session.take_batch().private == (ActionReply(1, (Refused(refusal),) * 3),)


def test_op10_nonces_rise_even_within_one_millisecond():
    """OP-10: two actions of one millisecond would collide otherwise."""
    session = ready_session()

    session.send([place(1), place(2)], 0, WALL_MS)
    session.send([place(3)], 0, WALL_MS - 5_000)

    nonces = [message["request"]["payload"]["nonce"] for message in frames(session)]
    assert nonces == [WALL_MS, WALL_MS + 1, WALL_MS + 2]


def test_op11_what_the_budget_refuses_is_denied_and_never_signed():
    """OP-11: no bytes leave and no nonce is used; the engine hears of it with the next batch."""
    budget = Budget()
    session = ready_session(budget=budget)
    budget.learn({"nRequestsUsed": 9_990, "nRequestsCap": 10_000})

    session.send([place(1), CancelOrders(2, (7,))], 0, WALL_MS)

    assert session.has_batch
    denied, level = session.take_batch().private
    assert isinstance(denied, ActionDenied)
    assert isinstance(level, BudgetLevel)
    [cancel] = frames(session)
    assert cancel["request"]["payload"]["nonce"] == WALL_MS


@pytest.mark.parametrize("body", [b"[]", b"null", b"5", b'"x"', b"{}"])
def test_an_answer_about_the_limits_that_is_none_fails_alone(body):
    """Whatever comes with status 200, the session goes on."""
    session = new_session()
    connect(session, 0)
    [post] = [item for item in session.take_outbox() if isinstance(item, Post)]

    session.reply(post.id, 200, body, 1)

    assert session.requests.counters.reads_failed == 1


def test_op11_the_exchange_s_count_is_read_every_minute_and_from_refusals():
    """OP-11: our count is a copy; the exchange's is the truth."""
    budget = Budget()
    session = new_session(budget=budget)
    connect(session, 0)
    [post] = [item for item in session.take_outbox() if isinstance(item, Post)]
    session.send([place(1, 4)], 0, WALL_MS)
    [action_id] = sent_ids(session)

    session.reply(post.id, 200, text({"nRequestsUsed": 231, "nRequestsCap": 10357}), 1)
    assert (budget.used, budget.limit) == (231 + 4, 10_357)

    refusal = "Too many cumulative requests sent (20715 > 20714) for cumulative volume"
    session.send([CancelOrders(2, (1,))], 1, WALL_MS)
    [cancel_id] = sent_ids(session)
    session.receive(post_reply(cancel_id, {"status": "err", "response": refusal}), 2)
    assert (budget.used, budget.limit) == (20_715, 10_357)  # the other is the limit of cancels

    refusal = "Too many cumulative requests sent (37986 > 10436) for cumulative volume"
    session.receive(post_reply(action_id, {"status": "err", "response": refusal}), 2)
    assert (budget.used, budget.limit) == (37_986, 10_436)

    session.receive(bbo(), LIMITS_INTERVAL_NS)
    session.tick(LIMITS_INTERVAL_NS)
    assert any(isinstance(i, Post) and b"userRateLimit" in i.body for i in session.take_outbox())


def test_op11_the_engine_is_told_what_the_address_has_left():
    """OP-11: the engine quotes less or only reduces, so it has to see each mark passed."""
    budget = Budget()
    session = ready_session(budget=budget)

    def levels():
        events = session.take_batch().private
        return [e.remaining_fraction for e in events if isinstance(e, BudgetLevel)]

    budget.used = 4_999
    session.send([place(1)], 0, WALL_MS)
    assert levels() == []
    session.send([place(2)], 0, WALL_MS)
    assert levels() == [0.4999]

    session.take_outbox()
    session.receive(bbo(), LIMITS_INTERVAL_NS)
    session.tick(LIMITS_INTERVAL_NS)
    [post] = [i for i in session.take_outbox() if b"userRateLimit" in getattr(i, "body", b"")]
    session.reply(post.id, 200, text({"nRequestsUsed": 9_700, "nRequestsCap": 10_000}), 1)
    assert levels() == [0.03]

    budget.add_volume(300.0)
    session.receive(fills(1), LIMITS_INTERVAL_NS)
    [after] = levels()
    assert after == budget.remaining_fraction > 0.05


def test_a_cancel_takes_http_when_too_many_posts_are_in_flight():
    """100 posts may be in flight; HTTP has no such limit."""
    session = ready_session()
    session.send([CancelOrders(i, (i,)) for i in range(1, POSTS_IN_FLIGHT + 2)], 0, WALL_MS)

    kinds = [type(item) for item in session.take_outbox()]

    assert kinds == [Frame] * POSTS_IN_FLIGHT + [Post]


def test_a_session_without_a_key_reads_and_signs_nothing():
    """A dry run must not be able to send an action."""
    session = ready_session(signer=None)

    session.send([place(1), ReadOpenOrders(2)], 0, WALL_MS)

    [post] = session.take_outbox()
    assert post.path == "/info"
    [denied] = session.take_batch().private
    assert isinstance(denied, ActionDenied)


def test_reads_go_by_http_and_come_back_as_values():
    """The answers of the exchange to what the engine asks after a reconnect."""
    session = ready_session()
    session.send([ReadOpenOrders(1), ReadFills(2, 5), ReadOrder(3, 7)], 0, WALL_MS)
    posts = session.take_outbox()
    assert [json.loads(post.body)["type"] for post in posts][1:] == [
        "userFillsByTime",
        "orderStatus",
    ]

    for post, answer in zip(posts, ([], [fill(1)], {"status": "unknownOid"}), strict=True):
        session.reply(post.id, 200, text(answer), 1)

    orders, found, order = session.take_batch().private
    assert orders == OpenOrders(1, ())
    assert isinstance(found, Fills)
    assert (found.id, len(found.fills)) == (2, 1)
    assert order == OrderState(3, 7, None)


@pytest.mark.parametrize(
    ("status", "body"),
    [
        *((0, b""), (429, b"null"), (500, b""), (200, b"{"), (200, b"null"), (200, b'{"a":1}')),
        *((200, b"{}"), (200, b'{"fills":[]}'), (200, b"5"), (200, b"[[]]")),
    ],
)
@pytest.mark.parametrize("read", [ReadOpenOrders(1), ReadFills(1, 0)])
def test_a_read_without_a_usable_answer_fails_and_may_be_asked_again(read, status, body):
    """Half an answer is none."""
    session = ready_session()
    session.send([read], 0, WALL_MS)
    [post_id] = sent_ids(session)

    session.reply(post_id, status, body, 1)

    [event] = session.take_batch().private
    assert isinstance(event, ReadFailed)


def test_fa02_a_full_page_of_fills_is_followed_to_the_end():
    """FA-02: the exchange gives at most 2,000 at a time; the engine gets them all at once."""
    session = ready_session()
    session.send([ReadFills(1, 0)], 0, WALL_MS)
    [post] = session.take_outbox()

    page = [fill(i, 1_000 + i) for i in range(FILLS_PER_PAGE)]
    session.reply(post.id, 200, text(page), 1)
    assert session.take_batch().private == ()
    [following] = session.take_outbox()
    assert json.loads(following.body)["startTime"] == 1_000 + FILLS_PER_PAGE - 1
    session.reply(following.id, 200, text([page[-1], fill(9_999, 9_999)]), 2)

    [answer] = session.take_batch().private
    assert (answer.id, len(answer.fills)) == (1, FILLS_PER_PAGE + 2)


STEPS = st.lists(
    st.tuples(
        st.sampled_from(
            ["place", "cancel", "read", "answer", "again", "fail", "wait", "cut", "join", "noise"]
        ),
        st.integers(0, 10**6),
    ),
    max_size=60,
)


@settings(max_examples=150, deadline=None)
@given(STEPS)
def test_op01_every_action_ends_exactly_once(steps):
    """OP-01: any mixture of replies, repeats, waits and cuts: one end each, and no count leaks.

    It also holds the timer to its word: after `tick` the next deadline lies ahead.
    """
    budget = Budget()
    session = new_session(budget=budget)
    now_ns, next_id, written, ended = 0, 1, [], []
    answers = {
        "order": statuses({"resting": {"oid": 1}}),
        "cancelByCloid": statuses("success", kind="cancel"),
    }

    for kind, number in steps:
        now_ns += NS_PER_SEC // 4
        match kind:
            case "place" | "cancel" | "read":
                action = {
                    "place": place(next_id),
                    "cancel": CancelOrders(next_id, (1,)),
                    "read": ReadOpenOrders(next_id),
                }[kind]
                session.send([action], now_ns, WALL_MS)
                next_id += 1
            case "answer" | "again" | "fail" if written:
                item = written[number % len(written)]
                if kind == "answer":
                    written.remove(item)
                if isinstance(item, Post):
                    is_read = item.path == "/info"
                    body = [] if is_read else answers[json.loads(item.body)["action"]["type"]]
                    session.reply(item.id, 503 if kind == "fail" else 200, text(body), now_ns)
                else:
                    message = json.loads(item.text)
                    payload = answers[message["request"]["payload"]["action"]["type"]]
                    form = "error" if kind == "fail" else "action"
                    session.receive(post_reply(message["id"], payload, form), now_ns)
            case "wait":
                now_ns += NS_PER_SEC * (number % 7)
                session.tick(now_ns)
                assert session.deadline_ns is None or session.deadline_ns > now_ns
            case "cut":
                session.disconnected("cut", now_ns)
            case "join" if not session.is_open:
                connect(session, now_ns)
            case _:
                session.receive(post_reply(number, {}), now_ns)
        written += [
            i
            for i in session.take_outbox()
            if b"userRateLimit" not in getattr(i, "body", b"")
            and (isinstance(i, Post) or (isinstance(i, Frame) and b'"post"' in i.text))
        ]
        ended += [e.id for e in session.take_batch().private if hasattr(e, "id") and e.id]
    session.tick(now_ns + ANSWER_TIMEOUT_NS)
    ended += [e.id for e in session.take_batch().private if hasattr(e, "id") and e.id]

    assert sorted(ended) == list(range(1, next_id))
    assert session.requests.deadline_ns is None
    assert budget.posts_in_flight == 0
