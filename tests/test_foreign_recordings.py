"""Recordings of other venues and forms: read whole on this exchange's grid, or refused."""

import gzip
import json

import numpy as np
import pytest

from hypermm._core.rows import CONTEXT, FIRST, LEVEL, ORACLE, QUOTE, TRADE
from hypermm.errors import RecordingError
from hypermm.recordings import open_recordings, pieces

START_MS = 1_757_000_000_000
MS = 1_000_000


def only(path):
    (recording,) = open_recordings(path).values()
    return recording


def kinds(recording):
    return np.bincount(recording.rows.array["kind"], minlength=CONTEXT + 1)


# What was recorded, against figures counted beside it with zcat, wc and pyarrow.


@pytest.mark.parametrize(
    ("place", "venue", "coin", "trades", "quotes", "secs", "parts"),
    [
        ("hyperliquid/2025-09_btc_pieces/2025-09-02", "Hyperliquid", "BTC", 3247, 11_746, 884, 1),
        ("hyperliquid/2025-01-11_btc", "Hyperliquid", "BTC", 287, 0, 686, 1),
        ("hyperliquid/archive", "Hyperliquid", "BTC", 0, 0, 1799, 1),
        ("aster/2025-09-24", "Aster", "ETH", 45_868, 59_892, 10_252, 1),
        ("binance/usdm", "Binance", "BTC", 21_313, 132_178, 344, 1),
        ("binance/deep_2026-02-16", "Binance", "BTC", 11_947, 0, 301, 1),
        ("binance/ethbtc_2020-11-01", "Binance", "ETHBTC", 1736, 0, 3598, 1),
        (
            "standx/2026-01-06/orderbook_BTC-USD_2026-01-06_12.parquet",
            "StandX", "BTC", 6900, 0, 3596, 99,
        ),
    ],
)  # fmt: skip
def test_every_form_is_read(data_dir, place, venue, coin, trades, quotes, secs, parts):
    """A folder or a file is enough: the form shows in names and first bytes."""
    recording = only(data_dir / "data" / place)

    counts = kinds(recording)
    assert (recording.venue, recording.instrument.coin) == (venue, coin)
    assert (counts[TRADE], counts[QUOTE]) == (trades, quotes)
    assert (recording.end_ns - recording.start_ns) // 10**9 == secs
    assert len(list(pieces(recording))) == parts
    assert (np.diff(recording.rows.array["exch_ns"]) >= 0).all()


def test_what_is_assumed_of_another_venue_is_said(data_dir):
    """A reader of the result has to know which figures nobody recorded."""
    aster = only(data_dir / "data" / "aster" / "2025-09-24")
    standx = only(data_dir / "data/standx/2026-01-06/orderbook_BTC-USD_2026-01-06_12.parquet")

    assert any("no size was recorded" in note for note in aster.notes)
    assert any("sides of trades were not recorded" in note for note in standx.notes)
    assert any("locked by rounding" in note for note in standx.notes)
    assert standx.dropped == {"snapshot stored twice": 10_896}


def test_trades_of_the_long_run_fall_on_their_side_of_the_quotes(data_dir):
    """90 % of Aster's trades do once the quotes' clock is set back; read wrongly, half would."""
    rows = only(data_dir / "data" / "aster" / "2025-09-24").rows.array
    is_bid = (rows["kind"] == QUOTE) & (rows["side"] > 0)
    is_ask = (rows["kind"] == QUOTE) & (rows["side"] < 0)
    trades = rows[rows["kind"] == TRADE]
    before = np.searchsorted(rows["exch_ns"][is_bid], trades["exch_ns"]) - 1
    trades, before = trades[before >= 0], before[before >= 0]
    mid_sums = rows["price"][is_bid][before] + rows["price"][is_ask][before]

    share = np.mean(trades["side"] * (2 * trades["price"] - mid_sums) > 0)

    assert share > 0.88


# Small files, written here.


def depth_line(number, ms, bids, asks):
    update = {"e": "depthUpdate", "E": START_MS + ms, "T": START_MS + ms, "s": "ABCUSDT",
              "U": number, "u": number, "b": bids, "a": asks}  # fmt: skip
    return line(ms, update)


def line(ms, message, stream="abcusdt@x"):
    return f"{(START_MS + ms) * MS} {json.dumps({'stream': stream, 'data': message})}"


def trade_line(ms, number=1, maker=False):
    trade = {"e": "trade", "E": START_MS + ms, "T": START_MS + ms, "s": "ABCUSDT", "t": number,
             "p": "100.30", "q": "0.5", "m": maker}  # fmt: skip
    return line(ms, trade)


SNAPSHOT = f"{START_MS * MS} " + json.dumps(
    {"lastUpdateId": 5, "bids": [["100.1", "1"], ["100.0", "2"]], "asks": [["100.3", "3"]]}
)


def binance(path, *lines):
    path.write_bytes(gzip.compress("\n".join(lines).encode() + b"\n"))
    return path


def test_depth_changes_are_folded_into_a_book(tmp_path):
    """A change sets a price, 0 empties it; what the snapshot held already counts once."""
    file = binance(
        tmp_path / "abc.gz",
        SNAPSHOT,
        depth_line(5, 1, [["100.1", "9"]], []),
        depth_line(6, 2, [["100.1", "0"], ["100.2", "4"]], [["100.4", "1"]]),
        trade_line(3),
        depth_line(7, 800, [["99.9", "1"]], []),
    )

    recording = only(file)

    rows = recording.rows.array
    first = rows[rows["kind"] == LEVEL][:4]
    unit = 10**recording.instrument.price_decimals
    assert (first["price"] / unit).tolist() == [100.2, 100.0, 100.3, 100.4]
    assert recording.dropped == {"repeated or old depth change": 1}
    assert np.count_nonzero(rows["flags"][rows["kind"] == LEVEL] & FIRST) == 2


def test_quotes_without_a_stamp_get_the_recorders_less_the_usual_lag(tmp_path):
    """Spot's best quotes carry none; the recorder's clock may be seconds off."""
    quote = {"u": 8, "s": "ABCUSDT", "b": "100.1", "B": "1", "a": "100.3", "A": "3"}
    lines = [SNAPSHOT, depth_line(6, 0, [["99", "1"]], []), trade_line(10), line(60, quote)]
    late = [f"{int(one.split()[0]) + 2000 * MS} {one.split(' ', 1)[1]}" for one in lines]

    rows = only(binance(tmp_path / "abc.gz", *late)).rows.array

    assert rows["exch_ns"][rows["kind"] == QUOTE].tolist() == 2 * [(START_MS + 60) * MS]


def test_sizes_finer_than_the_exchanges_grid_are_rounded_and_never_to_nothing(tmp_path):
    """Six decimals in all: with prices of two, lots have four."""
    book = [["100.12", "0.00001"], ["100.0", "2.00016"]]
    file = binance(tmp_path / "abc.gz", SNAPSHOT, depth_line(6, 0, book, []), trade_line(1))

    recording = only(file)

    rows = recording.rows.array
    assert recording.instrument.size_decimals == 4
    assert rows["size"][(rows["kind"] == LEVEL) & (rows["side"] > 0)].tolist()[:1] == [1]
    assert any("rounded to lots of 1e-4" in note for note in recording.notes)


MIXED = """\
Last Update,Coin,Ask L1 Price,Ask L1 Size,Bid L1 Price,Bid L1 Size,Mark Price,Oracle Price,\
Funding Rate,Trade Side,Trade Price,Trade Size
"9/4/2025, 08:00:00 PM",ABC,101,2.5,100,1.5,100.5,100.25,0.0000125,,,
"9/4/2025, 08:00:00 PM",ABC,,,,,,,,Buy (Bid),101,0.5
"9/4/2025, 08:00:01 PM",ABC,102,2.5,100,1.5,100.5,100.25,0.0000125,,,
"""


def test_rows_of_one_second_keep_their_order(tmp_path):
    """Whole seconds would put every trade before the book that it came after."""
    (tmp_path / "mixed.csv").write_text(MIXED)

    rows = only(tmp_path / "mixed.csv").rows.array

    events = [int(row["kind"]) for row in rows if row["kind"] != LEVEL or row["flags"] & FIRST]
    assert [kind for kind in events if kind != CONTEXT] == [LEVEL, TRADE, LEVEL]
    oracle = rows[(rows["kind"] == CONTEXT) & (rows["index"] == ORACLE)]
    assert oracle["price"][0] == 100_250_000_000_000
    assert rows["exch_ns"][0] == 1_756_996_200 * 10**9  # 20:00 at UTC+05:30


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("a.gz", "", "a.gz: the file is empty"),
        ("a.gz", SNAPSHOT[:-30] + "\n", "a.gz, line 1: not a stamp and a message of Binance"),
        ("a.gz", "\n".join([SNAPSHOT, line(0, {"e": "depthUpdate", "s": "A"})]),
         "a.gz, line 2: not a depthUpdate, bookTicker, trade or depth snapshot"),
        ("a.gz", "\n".join([SNAPSHOT, trade_line(1)]), "no book of ABC can be built"),
        ("a.csv", MIXED.replace("Buy (Bid)", "Bought"), "a.csv, line 3: 'Bought' is not a trade's"),
        ("a.csv", MIXED.replace("08:00:01 PM", "8pm"), "a.csv, line 4: .* is not a time such as"),
        ("a.csv", MIXED.replace("100.25", "about", 1), "line 2: 'about' is not a decimal number"),
        ("trades_x.parquet", "PAR1", "no Parquet file of books"),
        ("orderbook_x.parquet", "PAR1", "trades_x.parquet is missing"),
        ("prices_A.csv", "unix_timestamp,bid,ask\n", "trades_A.csv .* is missing"),
    ],
)  # fmt: skip
def test_what_is_broken_is_named(tmp_path, name, content, words):
    """File, line, and what was expected there."""
    file = tmp_path / name
    file.write_bytes(gzip.compress(content.encode()) if name.endswith(".gz") else content.encode())

    with pytest.raises(RecordingError, match=words):
        open_recordings(file)


def test_a_truncated_archive_is_refused(tmp_path, data_dir):
    """Half of an LZ4 frame unpacks to nothing that can be trusted."""
    pytest.importorskip("lz4")
    whole = data_dir / "data/hyperliquid/archive/market_data/20240101/12/l2Book/BTC.lz4"
    cut = tmp_path / "BTC.lz4"
    cut.write_bytes(whole.read_bytes()[:50_000])

    with pytest.raises(RecordingError, match=r"BTC.lz4: the compressed file is truncated"):
        open_recordings(cut)


def test_a_truncated_parquet_file_is_refused(tmp_path, data_dir):
    """Its footer is at its end: without it nothing can be read."""
    pytest.importorskip("pyarrow")
    for name in ("orderbook_BTC-USD_2026-01-06_12.parquet", "trades_BTC-USD_2026-01-06_12.parquet"):
        whole = data_dir / "data/standx/2026-01-06" / name
        (tmp_path / name).write_bytes(whole.read_bytes()[:50_000])

    with pytest.raises(RecordingError, match="not a whole Parquet file"):
        open_recordings(tmp_path)


def test_a_folder_of_recordings_asks_which(data_dir):
    """Three pieces of different days are not one market."""
    with pytest.raises(RecordingError, match=r"several recordings in here[\s\S]*2025-09-01"):
        open_recordings(data_dir / "data" / "hyperliquid" / "2025-09_btc_pieces")


def test_books_without_trades_say_what_follows(data_dir):
    """Or a run in which nothing happens would look like a defect."""
    archive = only(data_dir / "data" / "hyperliquid" / "archive")

    assert archive.notes == (
        "no trade was recorded: nothing fills, and the engine does not warm up",
    )
