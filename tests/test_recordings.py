"""Reading recordings: exact numbers, order, what is dropped, and clear refusals."""

import gzip

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hypermm._core.rows import FIRST, LAST, LEVEL, QUOTE, SNAPSHOT, TRADE
from hypermm.errors import RecordingError
from hypermm.recordings import describe_dropped, open_recordings, pieces
from tests import recorded

HOUR_2025 = ("hyperliquid", "2025-09-04")
START_MS = 1_757_000_000_000


def folder(data_dir, *names):
    return data_dir.joinpath("data", *names)


def write_set(path, *, books=None, prices=None, trades=None, coin="ABC", packed=False):
    """Write a small recording; each argument is a list of data lines."""
    levels = ",".join(f"bid_price_{i},bid_size_{i},ask_price_{i},ask_size_{i}" for i in range(2))
    headers = {
        "orderbooks": f"timestamp,sequence,exchange_timestamp,{levels}",
        "prices": "timestamp,price,size,side,exchange_timestamp",
        "trades": "timestamp,price,size,side,trade_id,exchange_timestamp",
    }
    lines = {
        "orderbooks": books if books is not None else [book_line(0), book_line(600)],
        "prices": prices if prices is not None else [*quote_lines(0), *quote_lines(600)],
        "trades": trades if trades is not None else [trade_line(300)],
    }
    for kind, header in headers.items():
        text = "\n".join([header, *lines[kind]]) + "\n"
        file = path / f"{kind}_{coin}.csv"
        if packed:
            file.with_suffix(".csv.gz").write_bytes(gzip.compress(text.encode()))
        else:
            file.write_text(text)


def book_line(ms, bid="100.1", ask="100.3", sizes="1.5,2.25,3.0,1e-05"):
    first, second, third, fourth = sizes.split(",")
    stamp = START_MS + ms
    return f"1.5,{stamp},{stamp},{bid},{first},{ask},{second},90.0,{third},110.0,{fourth}"


def quote_lines(ms, bid="100.1", ask="100.3"):
    stamp = START_MS + ms
    return [f"1.5,{bid},1.5,bid,{stamp}", f"1.5,{ask},2.25,ask,{stamp}"]


def trade_line(ms, price="100.3", size="0.5", side="buy", number=7):
    return f"1.5,{price},{size},{side},{number},{START_MS + ms}"


def test_prices_and_sizes_are_exact_integers(tmp_path):
    """A price that went through a float could end up on the wrong tick."""
    write_set(tmp_path)

    recording = open_recordings(tmp_path)["ABC"]

    assert recording.instrument.size_decimals == 5
    rows = recording.rows.array
    assert rows["price"][rows["kind"] == QUOTE].tolist() == [1001, 1003, 1001, 1003]
    first_frame = rows[rows["kind"] == LEVEL][:4]
    assert first_frame["price"].tolist() == [1001, 900, 1003, 1100]
    assert first_frame["size"].tolist() == [150_000, 300_000, 225_000, 1]
    assert first_frame["side"].tolist() == [1, 1, -1, -1]
    assert first_frame["index"].tolist() == [0, 1, 0, 1]
    assert first_frame["flags"].tolist() == [FIRST, 0, 0, LAST]


@given(st.integers(0, 10**9), st.integers(0, 6))
def test_any_decimal_is_read_exactly(tmp_path_factory, lots, decimals):
    """Digits before and after the point and zeros behind them change nothing."""
    path = tmp_path_factory.mktemp("set")
    digits = str(lots).rjust(decimals + 1, "0")
    text = f"{digits[:-decimals]}.{digits[-decimals:]}0" if decimals else digits
    write_set(path, books=[book_line(0, bid="100", ask="101", sizes=f"{text},1,0.000001,1")],
              prices=quote_lines(0, "100", "101"), trades=[trade_line(0, "101", "1")])  # fmt: skip

    rows = open_recordings(path)["ABC"].rows.array

    best = rows[(rows["kind"] == LEVEL) & (rows["side"] == 1) & (rows["price"] == 100)]
    assert best["size"].tolist() == ([lots * 10 ** (6 - decimals)] if lots else [])


def test_a_quote_of_the_trades_own_time_is_after_the_trade(tmp_path):
    """The exchange publishes both with the block's time; the quote shows what the trade left."""
    write_set(tmp_path, trades=[trade_line(600)], packed=True)

    rows = open_recordings(tmp_path)["ABC"].rows.array

    last = rows[rows["exch_ns"] == rows["exch_ns"][-1]]
    assert last["kind"].tolist() == [TRADE, *[LEVEL] * 4, QUOTE, QUOTE]


def test_what_cannot_be_played_is_dropped_and_counted(tmp_path):
    """Repeats and steps back come from reconnects; a crossed book from a broken recorder."""
    write_set(
        tmp_path,
        books=[book_line(0), book_line(600), book_line(600), book_line(500),
               book_line(1200, bid="100.5"), book_line(1300), book_line(1400)],
        prices=[*quote_lines(0), *quote_lines(700, bid="100.4"), *quote_lines(700),
                *quote_lines(650), quote_lines(800)[0], *quote_lines(900)],
        trades=[trade_line(300), trade_line(300), trade_line(200, number=8)],
    )  # fmt: skip

    recording = open_recordings(tmp_path)["ABC"]

    assert recording.dropped == {
        "repeated or late book": 2,
        "crossed or unsorted book": 1,
        "crossed quote": 1,
        "late quote": 1,
        "unpaired quote row": 1,
        "repeated trade": 1,
    }
    rows = recording.rows.array
    assert (np.diff(rows["exch_ns"]) >= 0).all()
    assert rows["id"][rows["kind"] == TRADE].tolist() == [8, 7]
    assert describe_dropped(recording) == (
        "ABC: left out of the recording: crossed or unsorted book (1), repeated or late book (2), "
        "unpaired quote row (1), crossed quote (1), late quote (1), repeated trade (1)"
    )


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"books": [book_line(ms) for ms in (900, 0, 600)]}, "most book rows of ABC .* 8 of 12"),
        (
            {"prices": [*quote_lines(9), *quote_lines(1), *quote_lines(2)]},
            "most quote rows of ABC .* 4 of 6",
        ),
        ({"trades": 3 * [trade_line(0)]}, "most trade rows of ABC .*: 2 of 3 are"),
        (
            {"trades": [trade_line(0, "20.0")]},
            "trades of ABC are beyond 20, outside its books from 90 to 110",
        ),
    ],
)  # fmt: skip
def test_a_recording_that_is_mostly_wrong_is_refused(tmp_path, changes, words):
    """What is left of it would be another market."""
    write_set(tmp_path, **changes)

    with pytest.raises(RecordingError, match=words):
        open_recordings(tmp_path)


def test_a_last_line_without_its_end_is_dropped_and_counted(tmp_path):
    """Half of `225000` is a size too."""
    write_set(tmp_path, trades=[trade_line(0, number=1), trade_line(1, number=123)])
    file = tmp_path / "trades_ABC.csv"
    file.write_text(file.read_text()[:-2])

    recording = open_recordings(tmp_path)["ABC"]

    assert recording.dropped == {"last line without its end": 1}
    rows = recording.rows.array
    assert rows["id"][rows["kind"] == TRADE].tolist() == [1]


def test_other_files_of_the_folder_are_left_alone(tmp_path):
    """Notes and copies lie beside recordings."""
    write_set(tmp_path)
    for name in ("trades_ABC.csv.bak", "my_notes.csv", "trades_ABC.csv.gz.part", "orders_X.csv"):
        (tmp_path / name).write_text("hello\n")

    assert list(open_recordings(tmp_path)) == ["ABC"]


@pytest.mark.parametrize(
    ("coin", "dex", "max_leverage"), [("BTC", "", 40), ("WLFI", "", 10), ("xyz:GOLD", "xyz", 10)]
)
def test_the_name_tells_dex_and_leverage(tmp_path, coin, dex, max_leverage):
    """Recordings say neither; a builder's market is not one of the exchange's own."""
    write_set(tmp_path, coin=coin)

    instrument = open_recordings(tmp_path)[coin].instrument

    assert (instrument.dex, instrument.max_leverage) == (dex, max_leverage)


def test_trades_that_were_sent_again_are_flagged(tmp_path):
    """They are older than the first book, or fill a silence: known, but no arrivals."""
    write_set(
        tmp_path,
        books=[book_line(0), book_line(600), book_line(20_000), book_line(20_500)],
        trades=[trade_line(-50, number=1), trade_line(300, number=2),
                trade_line(5_000, number=3), trade_line(20_000, number=4)],
    )  # fmt: skip

    recording = open_recordings(tmp_path)["ABC"]

    trades = recording.rows.array[recording.rows.array["kind"] == TRADE]
    assert trades["id"][trades["flags"] & SNAPSHOT > 0].tolist() == [1, 3]
    assert [(end - start) // 1_000_000 for start, end in pieces(recording)] == [600, 500]


def spoil_missing(path):
    (path / "trades_ABC.csv").unlink()


def spoil_garbage(path):
    (path / "prices_ABC.csv").write_text("\x00\x01 no such thing\n\x02")


def spoil_cell(text):
    def spoil(path):
        file = path / "prices_ABC.csv"
        file.write_text(file.read_text().replace("100.1", text, 1))

    return spoil


def spoil_cut(path):
    file = path / "orderbooks_ABC.csv"
    file.write_text(file.read_text()[:-30] + "\n")


def spoil_stamps(ending):
    def spoil(path):
        for file in path.iterdir():
            text = file.read_text().replace(str(START_MS), str(START_MS)[:-3] + ending)
            file.write_text(text)

    return spoil


def spoil_gzip(path):
    file = path / "orderbooks_ABC.csv"
    packed = gzip.compress(file.read_bytes())
    file.unlink()
    file.with_suffix(".csv.gz").write_bytes(packed[:-12])


def spoil_empty(path):
    file = path / "orderbooks_ABC.csv"
    file.write_text(file.read_text().splitlines()[0] + "\n")


def spoil_decimals(path):
    file = path / "trades_ABC.csv"
    file.write_text(file.read_text().replace("100.3", "100.3125"))


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (spoil_missing, "trades_ABC.csv .* is missing"),
        (spoil_garbage, "prices_ABC.csv, line 1: no column 'price'"),
        (spoil_cell("nan"), "prices_ABC.csv, line 2, column 'price': 'nan' is not a decimal"),
        (spoil_cell(""), "line 2, column 'price': '' is not a decimal"),
        (spoil_cell("1.2.3"), "line 2, column 'price': '1.2.3' is not"),
        (spoil_cell("-5"), "line 2, column 'price': '-5' is not"),
        (spoil_cell("9" * 30), "line 2, column 'price'"),
        (spoil_stamps("000000"), "line 2, column 'exchange_timestamp': .* ms from 2000 to 2100"),
        (spoil_stamps(""), "line 2, column 'exchange_timestamp': '1757000000' is not a time in ms"),
        (spoil_cut, r"orderbooks_ABC.csv, line 3: \d+ cells, expected 11"),
        (spoil_gzip, "orderbooks_ABC.csv.gz: the compressed file is truncated or damaged"),
        (spoil_empty, "orderbooks_ABC.csv: no book snapshot"),
        (spoil_decimals, "sizes of 5 and prices of 4 decimals"),
    ],
)  # fmt: skip
def test_a_damaged_recording_is_refused_with_the_place(tmp_path, spoil, words):
    """Whoever plays a recording has to know which line to look at."""
    write_set(tmp_path)
    spoil(tmp_path)

    with pytest.raises(RecordingError, match=words):
        open_recordings(tmp_path)


def test_a_path_without_a_recording_is_refused(tmp_path):
    """A typing error must not look like an empty market."""
    with pytest.raises(RecordingError, match="no such file or folder"):
        open_recordings(tmp_path / "nowhere")
    with pytest.raises(RecordingError, match="no recording in this folder"):
        open_recordings(tmp_path)
    (tmp_path / "frames").write_text("hello\n")
    with pytest.raises(RecordingError, match="line 1: no frame of the exchange"):
        open_recordings(tmp_path / "frames")


LEVEL_TEXT = '{"px":"100.1","sz":"1.5","n":1}'
BBO = '{"channel":"bbo","data":{"coin":"ABC","time":%d,"bbo":[%s,null]}}'


@pytest.mark.parametrize(
    ("frame", "words"),
    [
        (
            b'{"channel":"activeAssetCtx","data":{"coin":"ABC","ctx":{"markPx":"1.0"}}}',
            "line 3: ABC has no book, quote or trade",
        ),
        (b'{"channel":"bbo","data":{"coin":"\xff"}}', "line 3: the coin's name is not UTF-8"),
        (b'{"channel":"bbo","data":{"coin":"ABC","sz":"1"}}', "line 3: the frame breaks"),
        ((BBO % (17, LEVEL_TEXT)).encode(), "line 3: the frame's time 17 is not in ms"),
        (
            (BBO % (START_MS * 1000, LEVEL_TEXT)).encode(),
            "line 3: the frame's time .* is not in ms|line 3: the frame breaks",
        ),
        (b"hello", "line 3: no frame of the exchange"),
        ((BBO % (START_MS, LEVEL_TEXT)).encode(), "no usable book frame of ABC"),
    ],
)
def test_raw_frames_that_cannot_be_played_are_refused_with_the_line(tmp_path, frame, words):
    """Blank lines count too: an editor shows them."""
    file = tmp_path / "frames"
    file.write_bytes(b"\n\n1.5 " + frame + b"\n")

    with pytest.raises(RecordingError, match=words):
        open_recordings(file)


@pytest.mark.parametrize("coin", ["BTC", "WLFI"])
def test_the_recorded_half_hour_agrees_with_a_plain_reading(data_dir, coin):
    """The vectorised reader against csv.DictReader and Decimal."""
    recording = open_recordings(folder(data_dir, *HOUR_2025))[coin]

    expected = recorded.market(data_dir, coin).rows.array

    rows = recording.rows.array
    assert recording.instrument.size_decimals == recorded.SIZE_DECIMALS[coin]
    for kind in (TRADE, QUOTE):
        mine, theirs = rows[rows["kind"] == kind], expected[expected["kind"] == kind]
        if kind == TRADE:  # theirs keep repeats and the order of arrival
            mine = np.sort(mine, order=["id"])
            theirs = theirs[np.unique(theirs["id"], return_index=True)[1]]
        for name in ("exch_ns", "price", "size", "side", "id"):
            np.testing.assert_array_equal(mine[name], theirs[name])
    dropped = {"repeated or late book": 3} | ({"repeated trade": 8} if coin == "WLFI" else {})
    assert recording.dropped == dropped
    first = (rows["kind"] == LEVEL) & (rows["flags"] & FIRST > 0)
    assert np.count_nonzero(first) == 3785 - 3
    assert np.count_nonzero(rows["kind"] == LEVEL) == 40 * (3785 - 3)
    assert recording.start_ns == 1_757_015_216_253 * 1_000_000


def test_raw_frames_are_read_with_their_order_counts(data_dir):
    """The same market as sent by the exchange: number of orders and trade ids included."""
    file = folder(data_dir, "hyperliquid", "2025-01-26_raw_ws", "btcusd_20250126.gz")

    recording = open_recordings(file)["BTC"]

    rows = recording.rows.array
    assert recording.instrument.size_decimals == 5
    best = rows[rows["kind"] == LEVEL][0]
    assert (best["price"], best["size"], best["count"]) == (1_050_550, 303_622, 5)
    trades = rows[rows["kind"] == TRADE]
    assert np.count_nonzero(trades["flags"] & SNAPSHOT) >= 30
    assert (np.diff(rows["exch_ns"]) >= 0).all()


def test_the_exchanges_archive_is_read(data_dir):
    """Half an hour of book snapshots in the exchange's own archive format."""
    pytest.importorskip("lz4")
    file = folder(
        data_dir, "hyperliquid", "archive", "market_data", "20240101", "12", "l2Book", "BTC.lz4"
    )

    recording = open_recordings(file)["BTC"]

    assert len(recording.rows) == 2806 * 40
    assert recording.dropped == {}
