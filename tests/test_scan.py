"""Frames to rows: every frame gives the rows that plain Python reads, or none at all."""

import gzip
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hypermm._core.rows import EMPTY, FORCED, ROW_DTYPE, SNAPSHOT, TOP, Rows
from hypermm._core.scan import MALFORMED, NOT_MINE, Scanner
from tests.reference import scan as reference

COIN = "BTC"
PRICE_DECIMALS, SIZE_DECIMALS = 1, 5

BOOK = (
    b'{"channel":"l2Book","data":{"coin":"BTC","time":1789582828935,"levels":'
    b'[[{"px":"75951.0","sz":"0.4387","n":1},{"px":"75950.0","sz":"0.82385","n":4}],'
    b'[{"px":"75952.0","sz":"3.20035","n":9}]],"fast":true}}'
)
BBO = (
    b'{"channel":"bbo","data":{"coin":"BTC","time":1789582836856,"bbo":'
    b'[{"px":"75983.0","sz":"1.68399","n":2},null]}}'
)
TRADES = (
    b'{"channel":"trades","data":[{"coin":"BTC","side":"A","px":"75983.0","sz":"0.00253",'
    b'"time":1789582836856,"hash":"0x6184","tid":143739246989520,"users":["0xfc","0xa8"]},'
    b'{"coin":"BTC","side":"B","px":"75984.5","sz":"1","time":1789582836856,"hash":"0x61",'
    b'"tid":143739246989521,"users":[]}]}'
)
FRAMES = (BOOK, BBO, TRADES)


def scan(frame, *, coin=COIN, decimals=(PRICE_DECIMALS, SIZE_DECIMALS), is_snapshot=False):
    """Scan into fresh rows; return them as dicts, or the verdict, as the reference does."""
    rows = Rows.allocate(1_100)
    verdict = Scanner(coin, *decimals).scan(frame, rows, is_snapshot)
    assert verdict == len(rows) if verdict >= 0 else len(rows) == 0
    if verdict < 0:
        return verdict
    return [dict(zip(ROW_DTYPE.names, row.tolist(), strict=True)) for row in rows.array]


def agrees(frame, **market):
    """Whether kernel and reference read the same rows or both refuse."""
    ours = scan(frame, **market)
    decimals = market.get("decimals", (PRICE_DECIMALS, SIZE_DECIMALS))
    theirs = reference.Scanner(market.get("coin", COIN), *decimals).scan(frame)
    return ours == theirs or (isinstance(ours, int) and isinstance(theirs, int))


def edited(frame, old, new):
    assert old in frame
    return frame.replace(old, new, 1)


# What a row says


@pytest.mark.parametrize(
    ("digest", "is_forced"),
    [("0x0", True), ("0x" + 64 * "0", True), ("0x01", False), ("0x", False), ("0", False)],
)
def test_a_trade_without_a_transaction_is_marked_as_forced(digest, is_forced):
    """Liquidations come of no transaction: their hash is all zeros."""
    first, second = scan(edited(TRADES, b"0x6184", digest.encode()))

    assert bool(first["flags"] & FORCED) is is_forced
    assert not second["flags"] & FORCED


def test_a_book_gives_bids_then_asks_best_first():
    """The first row opens the frame, the last closes it, and `fast` marks all of them."""
    rows = scan(BOOK)

    assert [(row["side"], row["index"], row["price"], row["size"]) for row in rows] == [
        (1, 0, 759_510, 43_870),
        (1, 1, 759_500, 82_385),
        (-1, 0, 759_520, 320_035),
    ]
    assert [row["count"] for row in rows] == [1, 4, 9]
    assert [row["flags"] for row in rows] == [TOP | 1, TOP, TOP | 2]
    assert {row["exch_ns"] for row in rows} == {1_789_582_828_935_000_000}


def test_an_empty_book_is_one_level_without_size():
    """An empty book is a fact that the estimators must hear of."""
    rows = scan(b'{"channel":"l2Book","data":{"coin":"BTC","time":5,"levels":[[],[]]}}')

    assert len(rows) == 1
    assert (rows[0]["size"], rows[0]["side"], rows[0]["flags"]) == (0, 1, 3)


def test_a_missing_side_of_the_best_quote_has_no_size():
    """One-sided markets exist; the empty side must not keep its last price."""
    bid, ask = scan(BBO)

    assert (bid["price"], bid["size"], bid["side"]) == (759_830, 168_399, 1)
    assert (ask["price"], ask["size"], ask["side"]) == (0, 0, -1)


def test_trades_keep_their_order_and_the_aggressor():
    """The order inside a block is information; the side drives the flow estimates."""
    rows = scan(TRADES)

    assert [(row["side"], row["price"], row["size"], row["id"]) for row in rows] == [
        (-1, 759_830, 253, 143_739_246_989_520),
        (1, 759_845, 100_000, 143_739_246_989_521),
    ]


def test_trades_of_a_snapshot_are_marked():
    """Trades re-sent on subscribing are known, but they are no arrivals."""
    assert all(row["flags"] & SNAPSHOT for row in scan(TRADES, is_snapshot=True))
    assert not any(row["flags"] & SNAPSHOT for row in scan(TRADES))


def test_no_trades_are_no_rows():
    """An empty list is well-formed and says nothing."""
    assert scan(b'{"channel":"trades","data":[]}') == []


def test_the_scanner_tells_channel_and_form():
    """The session follows the health of each channel, and the two forms of books apart."""
    scanner, rows = Scanner(COIN, PRICE_DECIMALS, SIZE_DECIMALS), Rows.allocate(100)

    seen = []
    for frame in FRAMES:
        scanner.scan(frame, rows)
        seen.append((scanner.channel, scanner.is_top))

    assert seen == [("l2Book", True), ("bbo", False), ("trades", False)]


# What is refused


@pytest.mark.parametrize(
    "number",
    [
        b'"NaN"', b'"Infinity"', b'"1e5"', b'"1_000"', '"１２"'.encode(), b'" 1"', b'"1 "', b'"-0"',
        b'"-1"', b'"+1"', b'""', b'"."', b'"1."', b'".5"', b'"1.2.3"', b'"0x1"', b"1", b"1.5",
        b"null", b"true", b"[]", b'"0"', b'"0.0"', b'"75951.01"', b'"922337203685477580.8"',
        b'"' + b"0" * 41 + b'1"', b'"1.' + b"0" * 41 + b'"', b'"\xff"', b'"1',
    ],
)  # fmt: skip
def test_a_number_outside_the_grammar_refuses_the_frame(number):
    """What Python's parsers would take for a number must not become a price."""
    for frame, old in ((BOOK, b'"75951.0"'), (BBO, b'"75983.0"'), (TRADES, b'"75983.0"')):
        bad = edited(frame, old, number)

        assert scan(bad) == MALFORMED
        assert reference.Scanner(COIN, PRICE_DECIMALS, SIZE_DECIMALS).scan(bad) == MALFORMED


def test_an_escaped_digit_is_no_digit():
    """The exchange never escapes; a general JSON library would see "10" here."""
    assert scan(edited(BOOK, b'"75951.0"', rb'"1\u0030"')) == MALFORMED


@pytest.mark.parametrize(
    ("text", "price"),
    [
        (b"75951", 759_510),
        (b"75951.50000000", 759_515),
        (b"0075951.5", 759_515),
        (b"0.1", 1),
        (b"922337203685477580.7", 2**63 - 1),
    ],
)
def test_padding_zeros_do_not_matter(text, price):
    """The value counts, up to the last of 63 bits."""
    assert scan(edited(BOOK, b"75951.0", text))[0]["price"] == price


@pytest.mark.parametrize(
    ("frame", "old", "new"),
    [
        (BOOK, b'"n":1', b'"n":-1'),
        (BOOK, b'"n":1', b'"n":"1"'),
        (BOOK, b'"n":1', b'"n":01'),
        (BOOK, b'"n":1', b'"n":1.0'),
        (BOOK, b'"n":1', b'"n":4294967296'),
        (BOOK, b'"n":1', b'"m":1'),
        (BOOK, b'"n":1', b'"n":1,"px":"1"'),
        (BOOK, b'"fast":true', b'"fast":1'),
        (BOOK, b'"time":1789582828935', b'"time":9223372036855'),
        (BOOK, b'"time":1789582828935,', b""),
        (BOOK, b"]],", b"],[]],"),
        (BOOK, b"true}}", b"true}}}"),
        (BOOK, b'"fast":true', b'"fast":true,"time":1'),
        (BBO, b",null]", b"]"),
        (BBO, b",null]", b",null,null]"),
        (BBO, b"null", b"nul"),
        (TRADES, b'"side":"A"', b'"side":"a"'),
        (TRADES, b'"side":"A",', b""),
        (TRADES, b'"coin":"BTC","side":"B"', b'"coin":"ETH","side":"B"'),
        (TRADES, b'"tid":143739246989521', b'"tid":9223372036854775808'),
        (TRADES, b'"tid":143739246989521', b'"tid":null'),
        (TRADES, b'"users":[]', b'"users":[1,]'),
        (TRADES, b'"users":[]', b'"users":{"a":NaN}'),
        (TRADES, b'"users":[]', b'"users":"\\x"'),
        (TRADES, b'"users":[]', b'"users":"\\u12g4"'),
        (TRADES, b'"users":[]', b'"users":"\n"'),
        (TRADES, b'"users":[]', b'"users":01'),
        (TRADES, b'"users":[]', b'"users":-'),
    ],
)  # fmt: skip
def test_a_frame_of_the_wrong_form_is_refused(frame, old, new):
    """A frame with one bad part is dropped whole."""
    bad = edited(frame, old, new)

    assert scan(bad) == MALFORMED
    assert reference.Scanner(COIN, PRICE_DECIMALS, SIZE_DECIMALS).scan(bad) == MALFORMED


@pytest.mark.parametrize(
    "frame",
    [
        b"",
        b"Websocket connection established.",
        b"[]",
        b"{}",
        b'{"channel":"pong"}',
        b'{"data":1}',
        b'{"channel":"activeAssetCtx","data":{"coin":"BTC","ctx":{}}}',
        BOOK.replace(b"BTC", b"ETH"),
        BBO.replace(b"BTC", b"BTCX"),
        TRADES.replace(b"BTC", b"BT"),
        # Another market's prices may have more decimals than ours: they are not looked at.
        edited(BOOK, b"75951.0", b"0.000012").replace(b"BTC", b"kPEPE"),
    ],
)
def test_another_market_or_channel_is_not_ours(frame):
    """These go to the general decoder."""
    assert scan(frame) == NOT_MINE


def test_an_unknown_value_may_be_nested_but_not_without_bound():
    """No recursion: depth is bounded by a number, not by the stack."""
    for depth, verdict in ((32, 2), (33, MALFORMED), (100_000, MALFORMED)):
        nested = b"[" * depth + b"]" * depth
        frame = edited(TRADES, b'"users":[]', b'"users":' + nested)

        rows = scan(frame)

        assert (rows if isinstance(rows, int) else len(rows)) == verdict


def test_a_book_is_bounded():
    """The depth of a level has to fit its field."""
    level = b'{"px":"1","sz":"1","n":1}'
    for count, verdict in ((256, 256), (257, MALFORMED)):
        levels = b",".join([level] * count)
        frame = b'{"channel":"l2Book","data":{"coin":"BTC","time":5,"levels":[[%b],[]]}}' % levels

        rows = scan(frame)

        assert (rows if isinstance(rows, int) else len(rows)) == verdict


@pytest.mark.parametrize("frame", FRAMES)
def test_a_frame_without_room_adds_nothing(frame):
    """A part of a book would be a wrong book."""
    rows = Rows.allocate(4)
    for trade_id in (7, 8, 9):
        rows.append(kind=1, id=trade_id)

    with pytest.raises(OverflowError):
        Scanner(COIN, PRICE_DECIMALS, SIZE_DECIMALS).scan(frame, rows)

    assert rows.array["id"].tolist() == [7, 8, 9]


def test_a_refused_frame_leaves_earlier_rows_alone():
    """What arrived before is not lost to a bad frame."""
    rows = Rows.allocate(100)
    scanner = Scanner(COIN, PRICE_DECIMALS, SIZE_DECIMALS)
    scanner.scan(BBO, rows)
    before = rows.array.copy()

    assert scanner.scan(BOOK[:-1], rows) == MALFORMED

    np.testing.assert_array_equal(rows.array, before)


@pytest.mark.parametrize("arguments", [("", 1, 5), ("BTC", -1, 5), ("BTC", 1, 7), ("BTC", 7, 1)])
def test_decimals_outside_their_domain_are_refused(arguments):
    """The exchange has 0 to 6 decimals for perpetuals."""
    with pytest.raises(ValueError):
        Scanner(*arguments)


def test_only_bytes_are_scanned():
    """The buffer must not change or go away meanwhile."""
    scanner = Scanner(COIN, PRICE_DECIMALS, SIZE_DECIMALS)
    for frame in (bytearray(BOOK), memoryview(BOOK), "text", None):
        with pytest.raises(TypeError):
            scanner.scan(frame, EMPTY)


# Against the reference

COINS = st.sampled_from([COIN] * 6 + ["ETH", "xyz:XYZ100"])
EXTRA_KEYS = st.text(st.characters(exclude_characters='"\\', min_codepoint=32), max_size=9).filter(
    lambda key: key not in reference.KNOWN
)
EXTRA_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=5,
)
DECIMALS = st.one_of(
    st.integers(1, 10**6).map(str),
    st.decimals(min_value=0, max_value=10**7, places=1).map(lambda value: f"{value:f}"),
    st.decimals(min_value=0, max_value=10**7, places=5).map(lambda value: f"{value:f}"),
    st.from_regex(r"\A[0-9]{1,20}(\.[0-9]{1,8})?\Z").filter(str.isascii),
)


@st.composite
def objects(draw, members):
    """Make an object of these members in any order, with some that nobody knows between them."""
    pairs = [(key, draw(value)) for key, value in members.items()]
    pairs += [(draw(EXTRA_KEYS), draw(EXTRA_VALUES)) for _ in range(draw(st.integers(0, 2)))]
    return dict(draw(st.permutations(pairs)))


MILLIS = st.integers(0, 9_223_372_036_854)
LEVELS = objects({"px": DECIMALS, "sz": DECIMALS, "n": st.integers(0, 2**32 - 1)})
BOOKS = objects(
    {
        "coin": COINS,
        "time": MILLIS,
        "levels": st.tuples(st.lists(LEVELS, max_size=4), st.lists(LEVELS, max_size=4)),
        "fast": st.booleans(),
    }
)
BBOS = objects(
    {"coin": COINS, "time": MILLIS, "bbo": st.tuples(LEVELS | st.none(), LEVELS | st.none())}
)
TRADE_LISTS = COINS.flatmap(
    lambda coin: st.lists(
        objects(
            {
                "coin": st.just(coin),
                "side": st.sampled_from("AB"),
                "px": DECIMALS,
                "sz": DECIMALS,
                "time": MILLIS,
                "tid": st.integers(0, 2**63 - 1),
            }
        ),
        max_size=4,
    )
)


DATA = {"l2Book": BOOKS, "bbo": BBOS, "trades": TRADE_LISTS}


@st.composite
def frames(draw):
    """Make a well-formed frame whose numbers may or may not fit the market."""
    channel = draw(st.sampled_from([*DATA, *DATA, "candle"]))
    data = draw(DATA.get(channel, BBOS))
    frame = draw(objects({"channel": st.just(channel), "data": st.just(data)}))
    indent = draw(st.sampled_from([None, None, 1]))
    separators = draw(st.sampled_from([(",", ":"), (" , ", "\t: ")]))
    return json.dumps(
        frame, ensure_ascii=False, indent=indent, separators=separators, allow_nan=False
    ).encode(errors="replace")


@given(frames(), st.integers(0, 6), st.integers(1, 6))
def test_any_frame_reads_as_in_plain_python(frame, price_decimals, size_decimals):
    """Keys in any order, unknown members, white space, all decimals."""
    assert agrees(frame, decimals=(price_decimals, size_decimals))


@given(frames(), st.data())
def test_a_damaged_frame_reads_as_in_plain_python(frame, data):
    """Bytes changed, cut out or put in: the same rows, or both refuse."""
    damaged = bytearray(frame)
    for _ in range(data.draw(st.integers(1, 3))):
        position = data.draw(st.integers(0, len(damaged)))
        length = data.draw(st.integers(0, 3))
        put = data.draw(st.binary(max_size=2) | st.sampled_from([b"{", b"}", b'"', b",", b"0"]))
        damaged[position : position + length] = put

    assert agrees(bytes(damaged))


@given(st.binary(max_size=200))
def test_any_bytes_are_refused_without_harm(garbage):
    """Nothing from outside can make the scanner add a row that is none."""
    assert scan(garbage) in (NOT_MINE, MALFORMED)


@pytest.mark.parametrize("frame", FRAMES)
def test_a_frame_cut_anywhere_is_refused(frame):
    """A truncated frame never gives a shorter book."""
    for end in range(len(frame)):
        assert scan(frame[:end]) in (NOT_MINE, MALFORMED)


@pytest.mark.parametrize("frame", FRAMES)
def test_a_frame_with_one_byte_changed_reads_as_in_plain_python(frame):
    """Each byte in turn, to those that mean something to JSON."""
    for position in range(len(frame)):
        for byte in b'"\\{}[],:09-.eE tn\x00\x1f\x80\xff':
            damaged = frame[:position] + bytes([byte]) + frame[position + 1 :]
            assert agrees(damaged), damaged


# Recordings


def recorded_frames(data_dir):
    """Yield every recorded frame, as it was or as its fixture keeps it."""
    raw = data_dir / "data/hyperliquid/2025-01-26_raw_ws/btcusd_20250126.gz"
    with gzip.open(raw) as lines:
        for line in lines:
            yield line.split(b" ", 1)[1].strip()
    for path in sorted((data_dir / "hyperliquid/fixtures").glob("ws-*.json")):
        for sample in json.loads(path.read_text())["samples"]:
            if "frame" in sample:
                yield json.dumps(sample["frame"], separators=(",", ":")).encode()


def test_recorded_frames_read_as_in_plain_python(data_dir):
    """Every book, quote and trade that was recorded, for each of the coins recorded."""
    markets = {"BTC": (1, 5), "ETH": (2, 4), "HYPE": (4, 2), "SOL": (4, 2), "MATIC": (5, 1)}
    totals = dict.fromkeys(markets, 0)

    for frame in recorded_frames(data_dir):
        for coin, decimals in markets.items():
            rows = scan(frame, coin=coin, decimals=decimals)
            assert rows == reference.Scanner(coin, *decimals).scan(frame)
            assert rows != MALFORMED
            totals[coin] += 0 if rows == NOT_MINE else len(rows)

    assert totals["BTC"] > 1_900
    assert all(totals[coin] for coin in ("ETH", "HYPE", "MATIC"))
