"""From a tape to rows: whole numbers of the market's own decimals, checked, ordered, no repeats."""

from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from hypermm._core.rows import FIRST, LAST, LEVEL, QUOTE, ROW_DTYPE, SNAPSHOT, TRADE, Rows
from hypermm.errors import RecordingError
from hypermm.instrument import MAX_PERP_DECIMALS, Instrument
from hypermm.recordings.values import (
    TEXT_DECIMALS,
    Integers,
    Recording,
    RowArray,
    Tape,
)

MAX_LEVERAGE: Final = 10  # of the exchange's usual market; recordings do not say it
MAX_LEVERAGES: Final = {"BTC": 40, "ETH": 25, "SOL": 20, "XRP": 20}


def record(tape: Tape, path: Path, coin: str, asset_id: int, venue: str) -> Recording:
    """Make a recording of a tape. Another venue's numbers are put on this exchange's grid.

    The exchange's perpetuals have six decimals in all, price and size together. Where another
    venue's market has more, its prices stay exact and its sizes are rounded to the lot that is
    left, never to nothing.
    """
    cells = (tape.book_prices, tape.quote_cells[:, 0], tape.trade_cells[:, 0])
    sizes = (tape.book_sizes, tape.quote_cells[:, 1], tape.trade_cells[:, 1])
    price_decimals, size_decimals = _decimals_used(*cells), _decimals_used(*sizes)
    notes = tape.notes
    is_foreign = venue != "Hyperliquid"
    if is_foreign and price_decimals + size_decimals > MAX_PERP_DECIMALS >= price_decimals:
        size_decimals = MAX_PERP_DECIMALS - price_decimals
        notes += (f"sizes rounded to lots of 1e-{size_decimals}, prices as they are",)
    instrument = make_instrument(path, coin, asset_id, size_decimals, price_decimals)
    price_unit = int(10 ** (TEXT_DECIMALS - instrument.price_decimals))
    size_unit = int(10 ** (TEXT_DECIMALS - size_decimals))

    def lots(values: Integers) -> Integers:
        rounded: Integers = np.maximum((values + size_unit // 2) // size_unit, values > 0)
        return rounded

    def scaled(pairs: Integers) -> Integers:
        return np.column_stack((pairs[:, 0] // price_unit, lots(pairs[:, 1])))

    return assemble(
        instrument,
        path,
        _book_rows(tape.book_ns, tape.book_prices // price_unit, lots(tape.book_sizes)),
        _quote_rows(tape.quote_ns, tape.quote_sides, scaled(tape.quote_cells)),
        _trade_rows(tape.trade_ns, tape.trade_sides, scaled(tape.trade_cells), tape.trade_ids),
        tape,
        venue=venue,
        notes=notes,
    )


def make_instrument(
    path: Path, coin: str, asset_id: int, size_decimals: int, price_decimals: int
) -> Instrument:
    """Return the market's rules; RecordingError if the decimals are no perpetual's."""
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
    """Return how many decimals the values of scale TEXT_DECIMALS really use."""
    for decimals in range(TEXT_DECIMALS):
        unit = 10 ** (TEXT_DECIMALS - decimals)
        if not any((block % unit).any() for block in blocks):
            return decimals
    return TEXT_DECIMALS


def _book_rows(stamps_ns: Integers, prices: Integers, sizes: Integers) -> RowArray:
    """Make book frames; shape (n, 2 x depth), bids best first then asks; size 0 is no level."""
    count, width = prices.shape
    rows = _blank(count * width, LEVEL)
    rows["exch_ns"] = np.repeat(stamps_ns, width)
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


def _quote_rows(stamps_ns: Integers, sides: Integers, cells: Integers) -> RowArray:
    rows = _blank(len(stamps_ns), QUOTE)
    rows["exch_ns"], rows["side"] = stamps_ns, sides
    rows["price"], rows["size"] = cells.T
    rows["flags"] = np.where(sides > 0, FIRST, LAST)
    return rows


def _trade_rows(stamps_ns: Integers, sides: Integers, cells: Integers, ids: Integers) -> RowArray:
    rows = _blank(len(stamps_ns), TRADE)
    rows["exch_ns"], rows["side"], rows["id"] = stamps_ns, sides, ids
    rows["price"], rows["size"] = cells.T
    return rows


def _blank(count: int, kind: int) -> RowArray:
    rows = np.zeros(count, ROW_DTYPE)
    rows["kind"] = kind
    return rows


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


def assemble(
    instrument: Instrument,
    path: Path,
    levels: RowArray,
    quotes: RowArray,
    trades: RowArray,
    tape: Tape,
    *,
    venue: str = "Hyperliquid",
    notes: tuple[str, ...] = (),
) -> Recording:
    """Put the pieces into one array by time, and mark the trades that are no arrivals."""
    sieve = _Sieve()
    sieve.dropped.update(tape.dropped)
    found = len(levels), len(quotes), len(trades)  # no second hold on what may be a day of books
    levels, quotes, trades = sieve.books(levels), sieve.quotes(quotes), sieve.trades(trades)
    if not len(levels):
        raise RecordingError(f"{path}: no usable book frame of {instrument.coin}")
    book = np.unique(levels["exch_ns"])
    quotes = quotes[sieve.keep(quotes["exch_ns"] >= book[0], "quote before the first book")]
    for name, before, after in zip(
        ("book", "quote", "trade"), found, (levels, quotes, trades), strict=True
    ):
        if 2 * len(after) < before:
            raise RecordingError(
                f"{path}: most {name} rows of {instrument.coin} cannot be played: "
                f"{before - len(after)} of {before} are crossed, repeated or out of order"
            )
    _refuse_strange_trades(instrument, path, levels["price"], trades["price"])
    last_ns = max(book[-1], quotes["exch_ns"][-1] if len(quotes) else 0) + tape.silence_secs * 1e9
    trades = trades[sieve.keep(trades["exch_ns"] <= last_ns, "trade after the last quote")]
    is_known = trades["exch_ns"] < book[0]
    silent = np.flatnonzero(np.diff(book) > tape.silence_secs * 1e9)
    for begin, end in zip(book[silent], book[silent + 1], strict=True):
        is_known |= (trades["exch_ns"] > begin) & (trades["exch_ns"] < end)
    trades["flags"][is_known] |= SNAPSHOT
    if not len(trades):
        notes += ("no trade was recorded: nothing fills, and the engine does not warm up",)
    context = tape.context[tape.context["exch_ns"] >= book[0]]
    rows = np.concatenate((trades, levels, quotes, context))
    del trades, levels, quotes
    rows = rows[np.argsort(rows["exch_ns"], kind="stable")]
    return Recording(
        instrument=instrument,
        rows=Rows(rows),
        start_ns=int(book[0]),
        end_ns=int(rows["exch_ns"][-1]),
        dropped=sieve.dropped,
        venue=venue,
        notes=notes,
        lags_ns=tape.lags_ns,
        silence_secs=tape.silence_secs,
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
