"""Recorded markets on disk, read into one time-ordered array of rows for each coin.

Numbers go from decimal text to integers exactly: no float stands between. What a recording may
get wrong (repeats, steps back, crossed books, half-written files) is dropped and counted, or
refused with the file, the line and what was expected.
"""

import gzip
import re
import zlib
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Final, NoReturn

import numpy as np
from attrs import frozen
from numpy.typing import NDArray

from hypermm._core.rows import (
    FIRST,
    LAST,
    LEVEL,
    QUOTE,
    ROW_DTYPE,
    SNAPSHOT,
    TRADE,
    Rows,
)
from hypermm._core.scan import MALFORMED, Scanner
from hypermm.errors import RecordingError
from hypermm.instrument import MAX_PERP_DECIMALS, Instrument

SILENCE_SECS: Final = 5.0  # without a book for longer: the feed was out, trades inside are re-sent
MAX_LEVERAGE: Final = 10  # of the exchange's usual market; recordings do not say it
MAX_LEVERAGES: Final = {"BTC": 40, "ETH": 25, "SOL": 20, "XRP": 20}
KINDS: Final = ("orderbooks", "prices", "trades")
ENDINGS: Final = (".csv", ".csv.gz")
FIRST_MS: Final = 946_684_800_000  # 2000-01-01
LAST_MS: Final = 4_102_444_800_000  # 2100-01-01
_NS_PER_MS: Final = 1_000_000
_TEXT_DECIMALS: Final = 8  # scale at which decimal text is read before the market's own is known
_MAX_DIGITS: Final = 18  # of an int64
_COMMA, _NEWLINE, _POINT, _ZERO = b",\n.0"
_COIN: Final = re.compile(rb'"coin":"([^"]+)"')
_SIZE: Final = re.compile(rb'"sz":"([0-9.]+)"')
_FRAME_ROWS: Final = 8192  # more than any frame of the exchange holds
_EXPONENT: Final = re.compile(r"[0-9]{1,20}(?:\.[0-9]{1,20})?e-?[0-9]{1,2}", re.ASCII)

Integers = NDArray[np.int64]
RowArray = NDArray[np.void]


@frozen
class Recording:
    """One coin's recorded market.

    Parameters
    ----------
    instrument : Instrument
        Decimals as the sizes show them; the asset id is the coin's place among the folder's.
    rows : Rows
        All events by exchange time; within one stamp trades, then book frames, then quotes (a
        quote of the trade's own time is after the trade). Trades that the exchange re-sent on
        connecting carry the SNAPSHOT flag: known, but no arrivals.
    start_ns, end_ns : int
        Stamps of the first book frame and of the last row, ns since 1970.
    dropped : mapping of str to int
        What was left out, by reason.
    """

    instrument: Instrument
    rows: Rows
    start_ns: int
    end_ns: int
    dropped: Mapping[str, int]


def open_recordings(path: Path | str) -> dict[str, Recording]:
    """Read every coin of a recording.

    Parameters
    ----------
    path : path
        A folder with `orderbooks_COIN`, `prices_COIN` and `trades_COIN`, each `.csv` or
        `.csv.gz`; or a file of raw WebSocket frames (a stamp, a space, the frame on each line)
        or of the exchange's archive (JSON lines), plain, `.gz` or `.lz4`.

    Returns
    -------
    dict of str to Recording
        By coin, in alphabetical order.

    Raises
    ------
    RecordingError
        If a file is missing, truncated or not of its format.
    """
    path = Path(path)
    if path.is_file():
        return _read_frames(path)
    if not path.is_dir():
        raise RecordingError(f"{path}: no such file or folder")
    coins = sorted(
        {
            file.name.removeprefix(f"{kind}_").removesuffix(ending)
            for kind in KINDS
            for ending in ENDINGS
            for file in path.glob(f"{kind}_*{ending}")
        }
    )
    if not coins:
        raise RecordingError(
            f"{path}: no recording in this folder",
            hint="expected orderbooks_COIN.csv, prices_COIN.csv and trades_COIN.csv (or .csv.gz)",
        )
    return {coin: _read_coin(path, coin, asset_id) for asset_id, coin in enumerate(coins)}


def describe_dropped(recording: Recording) -> str | None:
    """Say in one line what was left out of a recording, None if nothing was."""
    if not recording.dropped:
        return None
    reasons = ", ".join(f"{reason} ({count})" for reason, count in recording.dropped.items())
    return f"{recording.instrument.coin}: left out of the recording: {reasons}"


def read_bytes(path: Path) -> bytes:
    """Read a whole file, unpacked by its ending. Raises RecordingError if it cannot be."""
    try:
        if path.suffix == ".gz":
            with gzip.open(path) as packed:
                return packed.read()
        if path.suffix == ".lz4":
            return _read_lz4(path)
        return path.read_bytes()
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise RecordingError(
            f"{path}: the compressed file is truncated or damaged ({error})",
            hint="fetch it again, or unpack what can be saved and cut it at a whole line",
        ) from error
    except OSError as error:
        raise RecordingError(f"{path}: cannot be read ({error.strerror or error})") from error


def _read_lz4(path: Path) -> bytes:
    try:
        import lz4.frame
    except ImportError as error:
        raise RecordingError(
            f"{path}: reading .lz4 needs the lz4 package", hint="pip install 'hypermm[research]'"
        ) from error
    try:
        return bytes(lz4.frame.decompress(path.read_bytes()))
    except RuntimeError as error:
        raise EOFError(str(error)) from error


# ---- CSV: cells found once, numbers read column block by column block


class _Table:
    """The cells of one CSV file, as positions in its bytes."""

    def __init__(self, path: Path, expected: Sequence[str]) -> None:
        self.path = path
        data = read_bytes(path).replace(b"\r\n", b"\n")
        header, _, lines = data.partition(b"\n")
        # A last line without its end may be cut inside a number, which nothing else would show.
        body, _, cut_line = lines.rpartition(b"\n")
        self.has_cut_line = bool(cut_line)
        body = body.rstrip(b"\n") + b"\n" if body else b""
        self.names = header.decode("utf-8", "replace").split(",")
        for name in expected:
            if name not in self.names:
                raise RecordingError(
                    f"{path}, line 1: no column {name!r} in {','.join(self.names)[:120]!r}"
                )
        self._bytes = np.frombuffer(body, np.uint8)
        ends = np.flatnonzero((self._bytes == _COMMA) | (self._bytes == _NEWLINE))
        self._check_shape(ends)
        width = len(self.names)
        starts = np.concatenate(([0], ends[:-1] + 1)) if len(ends) else ends
        self._starts = starts.reshape(-1, width)
        self._ends = ends.reshape(-1, width)

    def __len__(self) -> int:
        return len(self._starts)

    def _check_shape(self, ends: Integers) -> None:
        width = len(self.names)
        line_ends = np.flatnonzero(self._bytes[ends] == _NEWLINE)
        cells = np.diff(line_ends, prepend=-1)
        bad = np.flatnonzero(cells != width)
        if len(bad):
            raise RecordingError(
                f"{self.path}, line {bad[0] + 2}: {cells[bad[0]]} cells, expected {width}",
                hint="the file is truncated or damaged at this line",
            )

    def _text(self, row: int, column: int) -> str:
        cell = self._bytes[self._starts[row, column] : self._ends[row, column]]
        return cell.tobytes().decode("utf-8", "replace")

    def _refuse(self, row: int, column: int, expected: str) -> NoReturn:
        raise RecordingError(
            f"{self.path}, line {row + 2}, column {self.names[column]!r}: "
            f"{self._text(row, column)[:40]!r} is not {expected}"
        )

    def _exponent_form(self, row: int, column: int, scale: int) -> int:
        """Read a cell such as `1e-05`, which recorders write for small sizes."""
        text = self._text(row, column)
        if _EXPONENT.fullmatch(text):
            value = Decimal(text).scaleb(scale)
            if value == value.to_integral_value() and value < 10**_MAX_DIGITS:
                return int(value)
        return self._refuse(row, column, f"a decimal number with at most {scale} decimals")

    def decimals(self, names: Sequence[str], scale: int) -> Integers:
        """Read columns as integers of 10**-scale, exactly: shape (rows, len(names))."""
        columns = [self.names.index(name) for name in names]
        starts, ends = self._starts[:, columns], self._ends[:, columns]
        lengths = ends - starts
        values = np.zeros(starts.shape, np.int64)
        after_point = np.full(starts.shape, -1, np.int64)  # -1: no point yet
        is_bad = (lengths == 0) | (lengths > _MAX_DIGITS + 1)
        last = len(self._bytes) - 1
        for i in range(min(int(lengths.max(initial=0)), _MAX_DIGITS + 1)):
            byte = self._bytes[np.minimum(starts + i, last)]
            is_here = i < lengths
            digit = byte.astype(np.int64) - _ZERO
            is_point = is_here & (byte == _POINT)
            is_digit = is_here & (digit >= 0) & (digit <= 9)
            is_bad |= is_here & ~is_digit & ~(is_point & (after_point < 0))
            values = np.where(is_digit, values * 10 + digit, values)
            after_point += np.where(is_point, 1, is_digit & (after_point >= 0))
        after_point = np.maximum(after_point, 0)
        shift = scale - after_point
        is_bad |= lengths + np.maximum(shift, 0) > _MAX_DIGITS
        values *= 10 ** np.clip(shift, 0, _MAX_DIGITS)
        divisor = 10 ** np.clip(-shift, 0, _MAX_DIGITS)
        is_bad |= values % divisor != 0
        values //= divisor
        for row, column in np.argwhere(is_bad):
            values[row, column] = self._exponent_form(row, columns[column], scale)
        return values

    def stamps_ms(self) -> Integers:
        """Read the exchange's times, ms since 1970; nonsense would overflow or never be played."""
        name = "exchange_timestamp"
        stamps: Integers = self.decimals([name], 0)[:, 0]
        bad = np.flatnonzero((stamps < FIRST_MS) | (stamps >= LAST_MS))
        if len(bad):
            self._refuse(int(bad[0]), self.names.index(name), "a time in ms from 2000 to 2100")
        return stamps

    def sides(self, name: str, buy: str, sell: str) -> NDArray[np.int8]:
        """Read a column of two words as +1 and -1."""
        column = self.names.index(name)
        starts = self._starts[:, column]
        lengths = self._ends[:, column] - starts
        first = self._bytes[starts]
        is_buy = (first == ord(buy[0])) & (lengths == len(buy))
        is_sell = (first == ord(sell[0])) & (lengths == len(sell))
        bad = np.flatnonzero(~(is_buy | is_sell))
        if len(bad):
            self._refuse(int(bad[0]), column, f"{buy!r} or {sell!r}")
        return np.where(is_buy, 1, -1).astype(np.int8)


def _find(folder: Path, kind: str, coin: str) -> Path:
    for ending in ENDINGS:
        path = folder / f"{kind}_{coin}{ending}"
        if path.is_file():
            return path
    raise RecordingError(f"{folder}: {kind}_{coin}.csv (or .csv.gz) is missing")


def _read_coin(folder: Path, coin: str, asset_id: int) -> Recording:
    books = _Table(_find(folder, "orderbooks", coin), ["exchange_timestamp", "bid_price_0"])
    quotes = _Table(_find(folder, "prices", coin), ["price", "size", "side", "exchange_timestamp"])
    trades = _Table(
        _find(folder, "trades", coin), ["price", "size", "side", "trade_id", "exchange_timestamp"]
    )
    depth = sum(name.startswith("bid_price_") for name in books.names)
    level_names = [
        f"{side}_{what}_{i}"
        for what in ("price", "size")
        for side in ("bid", "ask")
        for i in range(depth)
    ]
    for name in level_names:
        if name not in books.names:
            raise RecordingError(f"{books.path}, line 1: no column {name!r}")
    if not len(books):
        raise RecordingError(f"{books.path}: no book snapshot in this file")
    levels = books.decimals(level_names, _TEXT_DECIMALS)
    book_prices, book_sizes = levels[:, : 2 * depth], levels[:, 2 * depth :]
    quote_cells = quotes.decimals(["price", "size"], _TEXT_DECIMALS)
    trade_cells = trades.decimals(["price", "size"], _TEXT_DECIMALS)

    size_decimals = _decimals_used(book_sizes, quote_cells[:, 1], trade_cells[:, 1])
    price_decimals = _decimals_used(book_prices, quote_cells[:, 0], trade_cells[:, 0])
    instrument = _instrument(folder, coin, asset_id, size_decimals, price_decimals)
    price_unit = 10 ** (_TEXT_DECIMALS - instrument.price_decimals)
    size_unit = 10 ** (_TEXT_DECIMALS - size_decimals)

    return _assemble(
        instrument,
        folder,
        _book_rows(books.stamps_ms(), book_prices // price_unit, book_sizes // size_unit),
        _quote_rows(
            quotes.stamps_ms(),
            quotes.sides("side", "bid", "ask"),
            quote_cells // (price_unit, size_unit),
        ),
        _trade_rows(
            trades.stamps_ms(),
            trades.sides("side", "buy", "sell"),
            trade_cells // (price_unit, size_unit),
            trades.decimals(["trade_id"], 0)[:, 0],
        ),
        cut_lines=sum(table.has_cut_line for table in (books, quotes, trades)),
    )


def _book_rows(stamps_ms: Integers, prices: Integers, sizes: Integers) -> RowArray:
    """Make book frames; shape (n, 2 x depth), bids best first then asks; size 0 is no level."""
    count, width = prices.shape
    rows = _blank(count * width, LEVEL)
    rows["exch_ns"] = np.repeat(stamps_ms * _NS_PER_MS, width)
    rows["price"], rows["size"] = prices.ravel(), sizes.ravel()
    rows["side"] = np.tile(np.repeat(np.array([1, -1], np.int8), width // 2), count)
    is_level = rows["size"] > 0
    frame = np.repeat(np.arange(count), width)[is_level]
    rows = rows[is_level]
    is_best = (np.diff(frame, prepend=-1) != 0) | (np.diff(rows["side"], prepend=0) != 0)
    place = np.arange(len(rows))
    rows["index"] = place - np.maximum.accumulate(np.where(is_best, place, 0))
    rows["flags"][np.diff(frame, prepend=-1) != 0] |= FIRST
    rows["flags"][np.diff(frame, append=count) != 0] |= LAST
    return rows


def _quote_rows(stamps_ms: Integers, sides: NDArray[np.int8], cells: Integers) -> RowArray:
    rows = _blank(len(stamps_ms), QUOTE)
    rows["exch_ns"], rows["side"] = stamps_ms * _NS_PER_MS, sides
    rows["price"], rows["size"] = cells.T
    rows["flags"] = np.where(sides > 0, FIRST, LAST)
    return rows


def _trade_rows(
    stamps_ms: Integers, sides: NDArray[np.int8], cells: Integers, ids: Integers
) -> RowArray:
    rows = _blank(len(stamps_ms), TRADE)
    rows["exch_ns"], rows["side"], rows["id"] = stamps_ms * _NS_PER_MS, sides, ids
    rows["price"], rows["size"] = cells.T
    return rows


def _blank(count: int, kind: int) -> RowArray:
    rows = np.zeros(count, ROW_DTYPE)
    rows["kind"] = kind
    return rows


def _instrument(
    path: Path, coin: str, asset_id: int, size_decimals: int, price_decimals: int
) -> Instrument:
    if size_decimals + price_decimals > MAX_PERP_DECIMALS:
        raise RecordingError(
            f"{path}: {coin} has sizes of {size_decimals} and prices of {price_decimals} "
            f"decimals; together Hyperliquid's perpetuals have at most {MAX_PERP_DECIMALS}"
        )
    return Instrument(
        coin=coin,
        asset_id=asset_id,
        size_decimals=size_decimals,
        max_leverage=MAX_LEVERAGES.get(coin, MAX_LEVERAGE),
        dex=coin.rpartition(":")[0],
    )


def _decimals_used(*blocks: Integers) -> int:
    """Return how many decimals the values of scale _TEXT_DECIMALS really use."""
    for decimals in range(_TEXT_DECIMALS):
        unit = 10 ** (_TEXT_DECIMALS - decimals)
        if not any((block % unit).any() for block in blocks):
            return decimals
    return _TEXT_DECIMALS


# ---- raw frames


@frozen
class _Line:
    """A frame of the exchange, where it stands, and the coins that it names."""

    number: int
    frame: bytes
    coins: frozenset[str]


def _read_frames(path: Path) -> dict[str, Recording]:
    """Read lines that hold the exchange's own frames, after a stamp or inside archive records."""
    lines = list(_lines(path))
    coins = sorted({coin for line in lines for coin in line.coins})
    if not coins:
        raise RecordingError(f"{path}: no market data in this file")
    recordings = {}
    for asset_id, coin in enumerate(coins):
        ours = [line for line in lines if coin in line.coins]
        sizes = [size for line in ours for size in _SIZE.findall(line.frame)]
        if not sizes:
            raise RecordingError(
                f"{path}, line {ours[0].number}: {coin} has no book, quote or trade in this file",
                hint="leave out the frames of this coin",
            )
        size_decimals = max(len(size.rstrip(b"0").partition(b".")[2]) for size in sizes)
        instrument = _instrument(path, coin, asset_id, size_decimals, 0)
        rows = _scan(path, ours, instrument)
        levels, quotes, trades = (rows[rows["kind"] == kind] for kind in (LEVEL, QUOTE, TRADE))
        recordings[coin] = _assemble(instrument, path, levels, quotes, trades)
    return recordings


def _lines(path: Path) -> Iterator[_Line]:
    for number, line in enumerate(read_bytes(path).split(b"\n"), 1):
        if not line:
            continue
        start = line.find(b'{"channel":')
        if start < 0:
            raise RecordingError(f"{path}, line {number}: no frame of the exchange in this line")
        is_archive = line.startswith(b"{") and start > 0
        frame = line[start:].rstrip()[: -1 if is_archive else None]
        try:
            coins = frozenset(coin.decode() for coin in _COIN.findall(frame))
        except UnicodeDecodeError as error:
            raise RecordingError(
                f"{path}, line {number}: the coin's name is not UTF-8: {error.object[:40]!r}"
            ) from error
        yield _Line(number, frame, coins)


def _scan(path: Path, lines: Sequence[_Line], instrument: Instrument) -> RowArray:
    scanner = Scanner(instrument.coin, instrument.price_decimals, instrument.size_decimals)
    buffer = Rows.allocate(_FRAME_ROWS)
    found = []
    for line in lines:
        place = f"{path}, line {line.number}"
        try:
            count = scanner.scan(line.frame, buffer)
        except OverflowError as error:
            raise RecordingError(f"{place}: more than {_FRAME_ROWS} rows in a frame") from error
        if count == MALFORMED:
            raise RecordingError(f"{place}: the frame breaks the exchange's form")
        stamps_ms = buffer.array["exch_ns"] // _NS_PER_MS
        if ((stamps_ms < FIRST_MS) | (stamps_ms >= LAST_MS)).any():
            raise RecordingError(
                f"{place}: the frame's time {stamps_ms[0]} is not in ms from 2000 to 2100"
            )
        found.append(buffer.array.copy())
        buffer.clear()
    return np.concatenate(found)


# ---- rows: checked, ordered, without repeats


class _Sieve:
    """Keeps rows that can be played and counts the others by reason."""

    def __init__(self) -> None:
        self.dropped: dict[str, int] = {}

    def keep(self, is_good: NDArray[np.bool_], reason: str) -> NDArray[np.bool_]:
        """Count what is not good; return the mask."""
        bad = int(np.count_nonzero(~is_good))
        if bad:
            self.dropped[reason] = self.dropped.get(reason, 0) + bad
        return is_good

    def books(self, rows: RowArray) -> RowArray:
        """Drop frames that are crossed or unsorted, repeat a stamp or step back."""
        is_first = rows["flags"] & FIRST > 0
        frame = np.cumsum(is_first) - 1
        stamps = rows["exch_ns"][is_first]
        is_same_side = (np.diff(frame) == 0) & (np.diff(rows["side"]) == 0)
        is_wrong = np.diff(rows["price"]) * rows["side"][1:] >= 0
        good = np.ones(len(stamps), bool)
        good[frame[1:][is_same_side & is_wrong]] = False
        best = np.zeros((2, len(stamps)), np.int64)
        best[1] = np.iinfo(np.int64).max
        for side, place in ((1, 0), (-1, 1)):
            touch = (rows["side"] == side) & (rows["index"] == 0) & (rows["size"] > 0)
            best[place, frame[touch]] = rows["price"][touch]
        good = self.keep(good & (best[0] < best[1]), "crossed or unsorted book")
        good[good] = self.keep(_moves_on(stamps[good], strictly=True), "repeated or late book")
        kept: RowArray = rows[good[frame]]
        return kept

    def quotes(self, rows: RowArray) -> RowArray:
        """Keep bid rows with their ask rows; drop crossed pairs and those that step back."""
        stamps, sides, prices = rows["exch_ns"], rows["side"], rows["price"]
        bid = np.flatnonzero((sides[:-1] > 0) & (sides[1:] < 0) & (stamps[:-1] == stamps[1:]))
        unpaired = len(rows) - 2 * len(bid)
        if unpaired:
            self.dropped["unpaired quote row"] = unpaired
        is_empty = (rows["size"][bid] == 0) | (rows["size"][bid + 1] == 0)
        bid = bid[self.keep(is_empty | (prices[bid] < prices[bid + 1]), "crossed quote")]
        bid = bid[self.keep(_moves_on(stamps[bid], strictly=False), "late quote")]
        pairs: RowArray = rows[np.column_stack((bid, bid + 1)).ravel()]
        return pairs

    def trades(self, rows: RowArray) -> RowArray:
        """Sort by stamp; of a repeated id (with its stamp) keep the first."""
        rows = rows[np.argsort(rows["exch_ns"], kind="stable")]
        keys = np.column_stack((rows["exch_ns"], rows["id"]))
        is_first = np.zeros(len(rows), bool)
        is_first[np.unique(keys, axis=0, return_index=True)[1]] = True
        kept: RowArray = rows[self.keep(is_first, "repeated trade")]
        return kept


def _assemble(
    instrument: Instrument,
    path: Path,
    levels: RowArray,
    quotes: RowArray,
    trades: RowArray,
    *,
    cut_lines: int = 0,
) -> Recording:
    """Put the pieces into one array by time, and mark the trades that are no arrivals."""
    sieve = _Sieve()
    if cut_lines:
        sieve.dropped["last line without its end"] = cut_lines
    found = levels, quotes, trades
    levels, quotes, trades = sieve.books(levels), sieve.quotes(quotes), sieve.trades(trades)
    if not len(levels):
        raise RecordingError(f"{path}: no usable book frame of {instrument.coin}")
    book = np.unique(levels["exch_ns"])
    quotes = quotes[sieve.keep(quotes["exch_ns"] >= book[0], "quote before the first book")]
    for name, before, after in zip(
        ("book", "quote", "trade"), found, (levels, quotes, trades), strict=True
    ):
        if 2 * len(after) < len(before):
            raise RecordingError(
                f"{path}: most {name} rows of {instrument.coin} cannot be played: "
                f"{len(before) - len(after)} of {len(before)} are crossed, repeated or out of order"
            )
    _refuse_strange_trades(instrument, path, levels["price"], trades["price"])
    is_known = trades["exch_ns"] < book[0]
    silent = np.flatnonzero(np.diff(book) > SILENCE_SECS * 1e9)
    for begin, end in zip(book[silent], book[silent + 1], strict=True):
        is_known |= (trades["exch_ns"] > begin) & (trades["exch_ns"] < end)
    trades["flags"][is_known] |= SNAPSHOT
    rows = np.concatenate((trades, levels, quotes))
    rows = rows[np.argsort(rows["exch_ns"], kind="stable")]
    return Recording(
        instrument=instrument,
        rows=Rows(rows),
        start_ns=int(book[0]),
        end_ns=int(rows["exch_ns"][-1]),
        dropped=sieve.dropped,
    )


def _refuse_strange_trades(
    instrument: Instrument, path: Path, book_prices: Integers, trade_prices: Integers
) -> None:
    """Refuse trades that are of another market than the books, or read from a wrong column."""
    if not len(trade_prices):
        return
    low, high = int(book_prices.min()), int(book_prices.max())
    middle = int(np.median(trade_prices))
    if not low <= middle <= high:
        low_text, high_text, middle_text = map(instrument.print_price, (low, high, middle))
        raise RecordingError(
            f"{path}: half of the trades of {instrument.coin} are beyond {middle_text}, "
            f"outside its books from {low_text} to {high_text}",
            hint="the files are of different markets, or a column is mixed up",
        )


def _moves_on(stamps: Integers, *, strictly: bool) -> NDArray[np.bool_]:
    """Whether each stamp is not behind the newest before it (or, strictly, is ahead of it)."""
    if not len(stamps):
        return np.zeros(0, bool)
    newest = np.concatenate(([stamps[0] - 1], np.maximum.accumulate(stamps)[:-1]))
    return np.asarray(stamps > newest if strictly else stamps >= newest)


def pieces(recording: Recording) -> Iterator[tuple[int, int]]:
    """Yield start and end stamps of the stretches without a silence of the book."""
    rows = recording.rows.array
    first = (rows["kind"] == LEVEL) & (rows["flags"] & FIRST > 0)
    stamps = rows["exch_ns"][first]
    cuts = np.flatnonzero(np.diff(stamps) > SILENCE_SECS * 1e9)
    starts = [0, *(int(cut) + 1 for cut in cuts)]
    ends = [*(int(cut) for cut in cuts), len(stamps) - 1]
    for start, end in zip(starts, ends, strict=True):
        yield int(stamps[start]), int(stamps[end])
