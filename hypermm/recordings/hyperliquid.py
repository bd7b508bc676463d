"""Hyperliquid's own recordings: CSV files by kind, raw frames, the archive, one mixed CSV."""

import csv
import io
import re
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Final

import numpy as np
from attrs import evolve, frozen

from hypermm._core.rows import (
    CONTEXT,
    FIRST,
    FUNDING,
    LAST,
    LEVEL,
    MARK,
    ORACLE,
    QUOTE,
    ROW_DTYPE,
    TRADE,
    Rows,
)
from hypermm._core.scan import MALFORMED, Scanner
from hypermm.errors import RecordingError
from hypermm.recordings.files import read_bytes
from hypermm.recordings.rows import assemble, make_instrument, record
from hypermm.recordings.table import Table
from hypermm.recordings.touch import NO_DEPTH, frames_of_quotes
from hypermm.recordings.values import (
    FIRST_MS,
    LAST_MS,
    NO_INTEGERS,
    NS_PER_MS,
    TEXT_DECIMALS,
    Integers,
    Recording,
    RowArray,
    Tape,
)

KINDS: Final = ("orderbooks", "prices", "trades")
ENDINGS: Final = (".csv", ".csv.gz")
QUOTE_SILENCE_SECS: Final = 10.0  # quotes come when the touch changes
_COIN: Final = re.compile(rb'"coin":"([^"]+)"')
_SIZE: Final = re.compile(rb'"sz":"([0-9.]+)"')
_STAMP: Final = re.compile(rb"([0-9]{19}|[0-9]{16}|[0-9]{13}) ")
_ISO: Final = re.compile(rb'"time":"([0-9T:.-]{19,29})"')
_FRAME_ROWS: Final = 8192  # more than any frame of the exchange holds


# ---- CSV files, one a kind and coin


def coins_of(folder: Path) -> list[str]:
    """Return the coins of which a folder holds `orderbooks_`, `prices_` or `trades_` files."""
    return sorted(
        {
            file.name.removeprefix(f"{kind}_").removesuffix(ending)
            for kind in KINDS
            for ending in ENDINGS
            for file in folder.glob(f"{kind}_*{ending}")
        }
    )


def find(folder: Path, kind: str, coin: str) -> Path | None:
    """Return the file of one kind, packed or not."""
    paths = (folder / f"{kind}_{coin}{ending}" for ending in ENDINGS)
    return next((path for path in paths if path.is_file()), None)


def need(folder: Path, kind: str, coin: str) -> Path:
    """Return the file of one kind; RecordingError if there is none."""
    path = find(folder, kind, coin)
    if path is None:
        raise RecordingError(f"{folder}: {kind}_{coin}.csv (or .csv.gz) is missing")
    return path


def read_csv(folder: Path, coin: str, asset_id: int) -> Recording:
    """Read one coin; without `orderbooks` the quotes are the book."""
    quotes = Table(need(folder, "prices", coin), ["price", "size", "side", "exchange_timestamp"])
    trades = Table(
        need(folder, "trades", coin), ["price", "size", "side", "trade_id", "exchange_timestamp"]
    )
    book_path = find(folder, "orderbooks", coin)
    books = None if book_path is None else Table(book_path, ["exchange_timestamp", "bid_price_0"])
    tables = [table for table in (books, quotes, trades) if table is not None]
    cut_lines = sum(table.has_cut_line for table in tables)
    clocked = books if books is not None else quotes
    quote_ns, sides = quotes.stamps_ms() * NS_PER_MS, quotes.sides("side", "bid", "ask")
    order = _bids_first(quote_ns, sides)
    tape = Tape(
        book_ns=NO_INTEGERS,
        book_prices=np.zeros((0, 2), np.int64),
        book_sizes=np.zeros((0, 2), np.int64),
        quote_ns=quote_ns,
        quote_sides=sides[order],
        quote_cells=quotes.decimals(["price", "size"], TEXT_DECIMALS)[order],
        trade_ns=trades.stamps_ms() * NS_PER_MS,
        trade_sides=trades.sides("side", "buy", "sell"),
        trade_cells=trades.decimals(["price", "size"], TEXT_DECIMALS),
        trade_ids=trades.decimals(["trade_id"], 0)[:, 0],
        lags_ns=_lags(clocked),
        dropped={"last line without its end": cut_lines} if cut_lines else {},
    )
    if books is None:
        bid = np.flatnonzero(tape.quote_sides[:-1] > tape.quote_sides[1:])
        bid = bid[np.maximum.accumulate(tape.quote_ns[bid]) == tape.quote_ns[bid]]
        if not len(bid):
            raise RecordingError(f"{quotes.path}: no quote of both sides in this file")
        cells = tape.quote_cells
        frames = frames_of_quotes(tape.quote_ns[bid], cells[bid], cells[bid + 1])
        tape = evolve(tape, notes=(NO_DEPTH,), silence_secs=QUOTE_SILENCE_SECS)
    else:
        frames = _snapshots(books)
    book_ns, book_prices, book_sizes = frames
    tape = evolve(tape, book_ns=book_ns, book_prices=book_prices, book_sizes=book_sizes)
    return record(tape, folder, coin, asset_id, "Hyperliquid")


def _bids_first(stamps: Integers, sides: Integers) -> Integers:
    """Return the places of quote rows, the bid before the ask in each pair of one stamp."""
    is_pair = (stamps[:-1] == stamps[1:]) & (sides[:-1] != sides[1:])
    place = np.arange(len(is_pair))
    run_start = np.maximum.accumulate(np.where(~is_pair, place + 1, 0))
    first = np.flatnonzero(is_pair & ((place - run_start) % 2 == 0))
    first = first[sides[first] < 0]
    order = np.arange(len(stamps))
    order[first], order[first + 1] = first + 1, first
    return order


def _snapshots(books: Table) -> tuple[Integers, Integers, Integers]:
    depth = sum(name.startswith("bid_price_") for name in books.names)
    names = [
        f"{side}_{what}_{i}"
        for what in ("price", "size")
        for side in ("bid", "ask")
        for i in range(depth)
    ]
    for name in names:
        if name not in books.names:
            raise RecordingError(f"{books.path}, line 1: no column {name!r}")
    if not len(books):
        raise RecordingError(f"{books.path}: no book snapshot in this file")
    levels = books.decimals(names, TEXT_DECIMALS)
    return books.stamps_ms() * NS_PER_MS, levels[:, : 2 * depth], levels[:, 2 * depth :]


def _lags(table: Table) -> Integers:
    """Return the lag of each message; a recorder that kept no clock has none."""
    stamps = table.stamps_ms() * NS_PER_MS
    try:
        clock = table.clock_ns("timestamp")
    except (RecordingError, ValueError):
        return np.zeros((0, 2), np.int64)
    return np.column_stack((stamps, clock - stamps))


# ---- raw frames, and the archive


@frozen
class _Line:
    """A frame of the exchange, where it stands, and the coins that it names."""

    place: str
    frame: bytes
    clock_ns: int  # the recorder's; 0 if it was not kept
    coins: frozenset[str]


def read_frames(paths: Sequence[Path]) -> dict[str, Recording]:
    """Read lines that hold the exchange's own frames, after a stamp or inside archive records."""
    lines = [line for path in paths for line in _lines(path)]
    coins = sorted({coin for line in lines for coin in line.coins})
    if not coins:
        raise RecordingError(f"{paths[0]}: no market data in this file")
    recordings = {}
    for asset_id, coin in enumerate(coins):
        ours = [line for line in lines if coin in line.coins]
        sizes = [size for line in ours for size in _SIZE.findall(line.frame)]
        if not sizes:
            raise RecordingError(
                f"{ours[0].place}: {coin} has no book, quote or trade in this file",
                hint="leave out the frames of this coin",
            )
        size_decimals = max(len(size.rstrip(b"0").partition(b".")[2]) for size in sizes)
        instrument = make_instrument(paths[0], coin, asset_id, size_decimals, 0)
        rows, lags = _scan(ours, Scanner(coin, instrument.price_decimals, size_decimals))
        levels, quotes, trades = (rows[rows["kind"] == kind] for kind in (LEVEL, QUOTE, TRADE))
        empty = np.zeros((0, 2), np.int64)
        tape = Tape(book_ns=NO_INTEGERS, book_prices=empty, book_sizes=empty, lags_ns=lags)
        recordings[coin] = assemble(instrument, paths[0], levels, quotes, trades, tape)
    return recordings


def _lines(path: Path) -> Iterator[_Line]:
    for number, line in enumerate(read_bytes(path).split(b"\n"), 1):
        if not line:
            continue
        place = f"{path}, line {number}"
        start = line.find(b'{"channel":')
        if start < 0:
            raise RecordingError(
                f"{place}: no frame of the exchange in this line",
                hint='expected {"channel": ...} after a stamp, or inside an archive record',
            )
        is_archive = line.startswith(b"{") and start > 0
        frame = line[start:].rstrip()[: -1 if is_archive else None]
        try:
            coins = frozenset(coin.decode() for coin in _COIN.findall(frame))
        except UnicodeDecodeError as error:
            raise RecordingError(
                f"{place}: the coin's name is not UTF-8: {error.object[:40]!r}"
            ) from error
        yield _Line(place, frame, _clock_ns(line[:start]), coins)


def _clock_ns(head: bytes) -> int:
    stamp = _STAMP.match(head)
    if stamp is not None:
        return int(stamp[1].ljust(19, b"0"))
    iso = _ISO.search(head)
    if iso is None:
        return 0
    try:
        time = datetime.fromisoformat(iso[1].decode()[:26]).replace(tzinfo=UTC)
    except ValueError:
        return 0
    return round(time.timestamp() * 1e6) * 1_000


def _scan(lines: Sequence[_Line], scanner: Scanner) -> tuple[RowArray, Integers]:
    buffer = Rows.allocate(_FRAME_ROWS)
    found, lags = [], []
    for line in lines:
        try:
            count = scanner.scan(line.frame, buffer)
        except OverflowError as error:
            raise RecordingError(
                f"{line.place}: more than {_FRAME_ROWS} rows in a frame"
            ) from error
        if count == MALFORMED:
            raise RecordingError(f"{line.place}: the frame breaks the exchange's form")
        stamps_ms = buffer.array["exch_ns"] // NS_PER_MS
        if ((stamps_ms < FIRST_MS) | (stamps_ms >= LAST_MS)).any():
            raise RecordingError(
                f"{line.place}: the frame's time {stamps_ms[0]} is not in ms from 2000 to 2100"
            )
        if count and line.clock_ns and buffer.array["kind"][0] != TRADE:
            stamp = int(buffer.array["exch_ns"][0])
            lags.append((stamp, line.clock_ns - stamp))
        found.append(buffer.array.copy())
        buffer.clear()
    return np.concatenate(found), np.array(lags, np.int64).reshape(-1, 2)


# ---- one CSV with book rows, trade rows and the asset's context, stamped in whole seconds

MIXED_COLUMNS: Final = ("Last Update", "Ask L1 Price", "Bid L1 Size", "Trade Side")
CONTEXT_DECIMALS: Final = 12  # of the rows that carry mark, oracle and funding
LOCAL_TIME: Final = timedelta(hours=5, minutes=30)  # the recorder's, ahead of UTC


def read_mixed(path: Path) -> dict[str, Recording]:
    """Read a CSV whose rows are books or trades, in the order of their arrival.

    Stamps are whole seconds of local time: the rows of one second are spread over it evenly, which
    keeps their order, and a step back counts as the second before it.
    """
    text = read_bytes(path).decode("utf-8", "replace")
    reader = csv.DictReader(io.StringIO(text))
    depth = sum(
        name.startswith("Ask L") and name.endswith(" Price") for name in reader.fieldnames or ()
    )
    names = {
        what: [f"{side} L{i} {what}" for side in ("Bid", "Ask") for i in range(1, depth + 1)]
        for what in ("Price", "Size")
    }
    secs: list[int] = []
    books: list[tuple[int, list[int], list[int]]] = []
    trades: list[tuple[int, int, int, int]] = []
    context: list[tuple[int, int, int]] = []
    coin = ""
    for row in reader:
        place = f"{path}, line {reader.line_num}"
        secs.append(max(_local_secs(row["Last Update"], place), secs[-1] if secs else 0))
        coin, number = row["Coin"] or coin, len(secs) - 1
        if row["Trade Side"]:
            side = {"Buy (Bid)": 1, "Sell (Ask)": -1}.get(row["Trade Side"])
            if side is None:
                raise RecordingError(f"{place}: {row['Trade Side'][:40]!r} is not a trade's side")
            price, size = (_units(row[name], place) for name in ("Trade Price", "Trade Size"))
            trades.append((number, side, price, size))
            continue
        prices, sizes = ([_units(row[name], place) for name in names[w]] for w in names)
        books.append((number, prices, sizes))
        for index, name in (
            (MARK, "Mark Price"),
            (ORACLE, "Oracle Price"),
            (FUNDING, "Funding Rate"),
        ):
            if row.get(name):
                context.append((number, index, _units(row[name], place, CONTEXT_DECIMALS)))
    if not books:
        raise RecordingError(f"{path}: no book row in this file")
    stamps = _spread(np.array(secs, np.int64))
    return {
        coin: record(
            Tape(
                book_ns=stamps[[number for number, _, _ in books]],
                book_prices=np.array([prices for _, prices, _ in books], np.int64),
                book_sizes=np.array([sizes for _, _, sizes in books], np.int64),
                trade_ns=stamps[[trade[0] for trade in trades]],
                trade_sides=np.array([trade[1] for trade in trades], np.int64),
                trade_cells=np.array([trade[2:] for trade in trades], np.int64).reshape(-1, 2),
                trade_ids=np.arange(1, len(trades) + 1),
                context=_context_rows(context, stamps),
                notes=("whole-second stamps: the rows of a second are spread over it evenly",),
            ),
            path,
            coin,
            0,
            "Hyperliquid",
        )
    }


def _context_rows(found: list[tuple[int, int, int]], stamps: Integers) -> RowArray:
    rows = np.zeros(len(found), ROW_DTYPE)
    rows["kind"], rows["flags"] = CONTEXT, FIRST | LAST
    for row, (number, index, value) in zip(rows, found, strict=True):
        row["exch_ns"], row["index"], row["price"] = stamps[number], index, value
    return rows


def _spread(secs: Integers) -> Integers:
    _, start, counts = np.unique(secs, return_index=True, return_counts=True)
    place = np.arange(len(secs)) - np.repeat(start, counts)
    return secs * 1_000_000_000 + place * (1_000_000_000 // np.repeat(counts, counts))


def _local_secs(text: str, place: str) -> int:
    try:
        time = datetime.strptime(text, "%m/%d/%Y, %I:%M:%S %p").replace(tzinfo=UTC)
    except (TypeError, ValueError):
        raise RecordingError(
            f"{place}: {str(text)[:40]!r} is not a time such as 1/11/2025, 10:50:36 AM"
        ) from None
    return round((time - LOCAL_TIME).timestamp())


def _units(text: str, place: str, decimals: int = TEXT_DECIMALS) -> int:
    try:
        return int(Decimal(text).scaleb(decimals))
    except (InvalidOperation, TypeError, ValueError, OverflowError):
        raise RecordingError(f"{place}: {str(text)[:40]!r} is not a decimal number") from None
