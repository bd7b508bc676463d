"""Other venues' recordings, put on this exchange's grid: Aster, StandX, Binance.

What such a recording does not say is assumed, and the recording's notes say what. Coins lose the
dollar at their end (`ETHUSDT` is ETH); a pair that is not quoted in dollars keeps its name and is
counted in ten-thousandths of its quote currency, so that the exchange's least order of ten units
stays small.
"""

import json
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from hypermm.errors import RecordingError
from hypermm.recordings.files import read_bytes, read_columns
from hypermm.recordings.hyperliquid import need
from hypermm.recordings.rows import record
from hypermm.recordings.table import Table
from hypermm.recordings.touch import NO_DEPTH, frames_of_quotes
from hypermm.recordings.values import NS_PER_MS, TEXT_DECIMALS, Integers, Recording, Tape

DOLLARS: Final = ("-USDT", "-USDC", "-USD", "USDT", "USDC", "BUSD", "USD")
SHIFT_DECIMALS: Final = 4  # of a price that is not in dollars
LEVELS: Final = 32  # a side, of a deeper book
SCALE: Final = 10**TEXT_DECIMALS
CHANGES_SILENCE_SECS: Final = 60.0  # where only changes are sent, quiet is no outage
ASTER_QUOTE_LAG_NS: Final = 200_000_000  # the recorder's clock behind the trades' stamps
ASTER_TOUCH_QUANTILE: Final = 0.999  # of the trades' sizes: what is taken to rest at each touch


def coin_of(symbol: str) -> tuple[str, int]:
    """Return the coin of a symbol, and the power of ten that its prices are multiplied by."""
    symbol = symbol.upper()
    for dollar in DOLLARS:
        if symbol.endswith(dollar) and symbol != dollar:
            return symbol.removesuffix(dollar), 0
    return symbol, SHIFT_DECIMALS


# ---- Aster: best quotes without sizes, and trades


def read_aster(folder: Path, symbol: str, asset_id: int) -> Recording:
    """Read `prices_SYMBOL.csv` (unix_timestamp, bid, ask) and `trades_SYMBOL.csv`."""
    quotes = Table(need(folder, "prices", symbol), ["unix_timestamp", "bid", "ask"])
    trades = Table(
        need(folder, "trades", symbol), ["id", "unix_timestamp_ms", "side", "price", "quantity"]
    )
    if not len(quotes) or not len(trades):
        empty = quotes if not len(quotes) else trades
        raise RecordingError(f"{empty.path}: no row in this file")
    cells = trades.decimals(["price", "quantity"], TEXT_DECIMALS)
    prices = quotes.decimals(["bid", "ask"], TEXT_DECIMALS)
    stamps = quotes.clock_ns("unix_timestamp") - ASTER_QUOTE_LAG_NS
    touch = int(np.sort(cells[:, 1])[int(ASTER_TOUCH_QUANTILE * (len(cells) - 1))])
    size = np.full(len(stamps), touch)
    bids, asks = np.column_stack((prices[:, 0], size)), np.column_stack((prices[:, 1], size))
    frames = frames_of_quotes(np.maximum.accumulate(stamps), bids, asks)
    quote_ns, sides, quote_cells = pairs(stamps, bids, asks)
    cut = sum(table.has_cut_line for table in (quotes, trades))
    coin, _ = coin_of(symbol)
    tape = Tape(
        book_ns=frames[0], book_prices=frames[1], book_sizes=frames[2],
        quote_ns=quote_ns, quote_sides=sides, quote_cells=quote_cells,
        trade_ns=trades.stamps_ms("unix_timestamp_ms") * NS_PER_MS,
        trade_sides=trades.sides("side", "buy", "sell"),
        trade_cells=cells, trade_ids=trades.decimals(["id"], 0)[:, 0],
        dropped={"last line without its end": cut} if cut else {},
        notes=(
            NO_DEPTH,
            f"no size was recorded: {touch / SCALE:g} at each touch, the largest of 1000 trades",
            "quotes are stamped 0.2 s before the recorder's clock",
        ),
    )  # fmt: skip
    return record(tape, folder, coin, asset_id, "Aster")


def pairs(
    stamps_ns: Integers, bids: Integers, asks: Integers
) -> tuple[Integers, Integers, Integers]:
    """Return stamps, sides and cells of quotes as rows: a bid, then its ask."""
    cells = np.stack((bids, asks), axis=1).reshape(-1, 2)
    return np.repeat(stamps_ns, 2), np.tile(np.array([1, -1]), len(stamps_ns)), cells


# ---- Parquet: StandX, and Binance with 1000 levels


def read_standx(books: list[Path], trades: list[Path], asset_id: int) -> dict[str, Recording]:
    """Read hours of `orderbook_SYMBOL_*` and `trades_SYMBOL_*`, each in order.

    Each snapshot is stored twice; the first of the two counts. Prices of the book are rounded to a
    tenth, which locks it where the spread is less: the locked touch is opened by half a tenth a
    side. Trades have no side: it is that of the mid before them that they are on, or the last one.
    """
    names = ("timestamp", "received_at", "symbol", "bid_prices", "bid_quantities", "ask_prices",
             "ask_quantities")  # fmt: skip
    found = [read_columns(path, names) for path in books]
    stamps, clock = (np.concatenate([one[name] for one in found]) for name in names[:2])
    prices, sizes = _depth(found, names[3:], books[0])
    is_first = np.diff(stamps, prepend=stamps[0] - 1) != 0
    dropped = {"snapshot stored twice": int(np.count_nonzero(~is_first))}
    stamps, clock, prices, sizes = (a[is_first] for a in (stamps, clock, prices, sizes))
    middle = prices.shape[1] // 2
    is_locked = prices[:, 0] == prices[:, middle]
    prices[is_locked, 0] -= SCALE // 20
    prices[is_locked, middle] += SCALE // 20
    of_trades = [read_columns(path, ("timestamp", "price", "quantity")) for path in trades]
    trade_ns, price, size = (
        np.concatenate([one[name] for one in of_trades])
        for name in ("timestamp", "price", "quantity")
    )
    cells = np.column_stack((_scaled(price), _scaled(size)))
    sides = _sides(trade_ns, cells[:, 0], stamps, prices[:, 0] + prices[:, middle])
    coin, _ = coin_of(str(found[0]["symbol"][0]))
    tape = Tape(
        book_ns=stamps, book_prices=prices, book_sizes=sizes,
        trade_ns=trade_ns, trade_sides=sides, trade_cells=cells,
        trade_ids=np.arange(1, len(trade_ns) + 1),
        lags_ns=np.column_stack((stamps, clock - stamps)),
        dropped=dropped,
        notes=(
            f"locked by rounding, opened by half a tenth a side: {np.mean(is_locked):.0%} of books",
            "sides of trades were not recorded: taken from the mid before each",
        ),
    )  # fmt: skip
    return {coin: record(tape, books[0].parent, coin, asset_id, "StandX")}


def read_deep(books: list[Path], trades: list[Path], asset_id: int) -> dict[str, Recording]:
    """Read `lobdeep_*` and its `trades_*`: Binance's book of 1000 levels every tenth second."""
    names = ("exch_ts_ms", "ts_ms", "symbol", "bids_px", "bids_qty", "asks_px", "asks_qty")
    found = [read_columns(path, names) for path in books]
    stamps, clock = (np.concatenate([one[n] for one in found]) * NS_PER_MS for n in names[:2])
    prices, sizes = _depth(found, names[3:], books[0])
    of_trades = [
        read_columns(path, ("exch_ts_ms", "trade_id", "price", "qty", "side")) for path in trades
    ]
    trade_ms, ids, price, size, side = (
        np.concatenate([one[name] for one in of_trades])
        for name in ("exch_ts_ms", "trade_id", "price", "qty", "side")
    )
    coin, _ = coin_of(str(found[0]["symbol"][0]))
    tape = Tape(
        book_ns=stamps, book_prices=prices, book_sizes=sizes,
        trade_ns=trade_ms * NS_PER_MS, trade_sides=np.where(side == "buy", 1, -1),
        trade_cells=np.column_stack((_scaled(price), _scaled(size))),
        trade_ids=ids.astype(np.int64),
        lags_ns=np.column_stack((stamps, clock - stamps)),
        notes=(f"the best {LEVELS} levels of each side",),
    )  # fmt: skip
    return {coin: record(tape, books[0].parent, coin, asset_id, "Binance")}


def _scaled(values: NDArray[np.float64]) -> Integers:
    scaled: Integers = np.rint(values * SCALE).astype(np.int64)
    return scaled


def _depth(
    found: list[dict[str, Any]], names: tuple[str, ...], path: Path
) -> tuple[Integers, Integers]:
    """Return prices and sizes, bids then asks, of shape (n, 2 x LEVELS) at most."""
    sides: list[Integers] = []
    for name in names:
        parts = []
        for one in found:
            values, lengths = one[name]
            depth = int(lengths[0]) if len(lengths) else 0
            if not depth or (lengths != depth).any():
                raise RecordingError(f"{path.parent}: {name!r} has rows of different depths")
            parts.append(_scaled(values.reshape(-1, depth)[:, :LEVELS]))
        sides.append(np.concatenate(parts))
    bid_prices, bid_sizes, ask_prices, ask_sizes = sides
    return np.hstack((bid_prices, ask_prices)), np.hstack((bid_sizes, ask_sizes))


def _sides(trade_ns: Integers, prices: Integers, book_ns: Integers, mid_sums: Integers) -> Integers:
    """Return the aggressor's side by the mid before a trade, the last one's where it is there."""
    before = np.maximum(np.searchsorted(book_ns, trade_ns) - 1, 0)
    sides = np.sign(2 * prices - mid_sums[before])
    known = np.maximum.accumulate(np.where(sides != 0, np.arange(len(sides)), 0))
    sides = sides[known]
    return np.where(sides == 0, 1, sides)


# ---- Binance: streams as they came, or three JSON files


def read_binance(paths: list[Path]) -> dict[str, Recording]:
    """Read lines of a recorder's stamp and a message, or `_snapshot/_update/_trades` JSON files.

    Depth changes are folded into a book; the best levels of it become a frame every half second,
    bounded by the newest best quote. Spot quotes have no stamp of the exchange: they get the
    recorder's, less the median lag of the messages that have both.
    """
    tapes: dict[str, _Streams] = {}
    unnamed: list[dict[str, Any]] = []  # snapshots name no symbol: they are of the next message's
    for path in paths:
        symbol = ""
        for place, clock_ns, message in _messages(path):
            try:
                symbol = message.get("s", symbol)
                if not symbol:
                    unnamed.append(message)
                    continue
                stream = tapes.setdefault(symbol, _Streams(symbol))
                for one in (*unnamed, message):
                    stream.take(clock_ns, one)
                unnamed.clear()
            except (KeyError, TypeError, ValueError, AttributeError) as error:
                raise RecordingError(
                    f"{place}: not a depthUpdate, bookTicker, trade or depth snapshot "
                    f"({type(error).__name__}: {str(error)[:60]})"
                ) from error
    if not tapes:
        raise RecordingError(f"{paths[0]}: no market data in this file")
    return {
        coin: recording
        for asset_id, stream in enumerate(tapes.values())
        for coin, recording in stream.recordings(paths[0], asset_id)
    }


def _messages(path: Path) -> Any:
    data = read_bytes(path)
    if data[:1] in b"[{":  # one JSON document
        try:
            found = json.loads(data)
        except ValueError as error:
            raise RecordingError(f"{path}: not whole JSON ({error})") from error
        for number, message in enumerate(found if isinstance(found, list) else [found], 1):
            yield f"{path}, entry {number}", 0, message
        return
    for number, line in enumerate(data.split(b"\n"), 1):
        if not line:
            continue
        head, _, body = line.partition(b" ")
        try:
            clock_ns = int(head.ljust(19, b"0"))
            message = json.loads(body)
            yield f"{path}, line {number}", clock_ns, message.get("data", message)
        except (ValueError, AttributeError) as error:
            raise RecordingError(
                f"{path}, line {number}: not a stamp and a message of Binance ({error})",
                hint="the file is truncated or damaged at this line",
            ) from error


def _units(text: str) -> int:
    whole, _, fraction = text.partition(".")
    return int(whole + fraction[:TEXT_DECIMALS].ljust(TEXT_DECIMALS, "0"))


class _Streams:
    """One symbol's messages, folded as they come."""

    def __init__(self, symbol: str) -> None:
        self.coin, self._shift = coin_of(symbol)
        self._sides: tuple[dict[int, int], dict[int, int]] = ({}, {})
        self._last_id = 0
        self._touch: tuple[int, int] | None = None  # of the newest quote
        self._now_ns = 0  # newest stamp of the depth
        self._next_frame_ns = 0
        self._has_snapshot = False
        self._frames: list[tuple[int, Integers, Integers]] = []
        self._quotes: list[tuple[int, int, int, int, int, int]] = []  # clock, stamp, bid, ask
        self._trades: list[tuple[int, int, int, int, int]] = []
        self._lags: list[tuple[int, int]] = []
        self._late = 0

    def take(self, clock_ns: int, message: dict[str, Any]) -> None:
        """Fold one message in."""
        kind = message.get("e", "")
        if kind == "depthUpdate":
            if message["u"] <= self._last_id:
                self._late += 1
                return
            self._last_id = message["u"]
            self._stamp(clock_ns, message["E"] * NS_PER_MS)
            self._now_ns = max(self._now_ns, message["E"] * NS_PER_MS)
            for levels, changes in zip(self._sides, (message["b"], message["a"]), strict=True):
                for price, size in changes:
                    lots = _units(size)
                    if lots:
                        levels[_units(price)] = lots
                    else:
                        levels.pop(_units(price), None)
            self._frame()
        elif kind in ("trade", "aggTrade"):
            if message.get("X", "MARKET") != "MARKET":
                return  # of the insurance fund and the like: no trade in the book
            stamp = message["T"] * NS_PER_MS
            self._stamp(clock_ns, stamp)
            number = message["t"] if kind == "trade" else message["a"]
            side = -1 if message["m"] else 1
            self._trades.append((stamp, side, _units(message["p"]), _units(message["q"]), number))
        elif "B" in message and "A" in message:
            stamp = message.get("T", 0) * NS_PER_MS
            if stamp:
                self._stamp(clock_ns, stamp)
            bid, ask = _units(message["b"]), _units(message["a"])
            self._touch = (bid, ask)
            self._quotes.append(
                (clock_ns, stamp, bid, _units(message["B"]), ask, _units(message["A"]))
            )
        elif "lastUpdateId" in message:
            self._has_snapshot = True
            self._last_id = max(self._last_id, message["lastUpdateId"])
            for levels, shown in zip(self._sides, (message["bids"], message["asks"]), strict=True):
                levels.clear()
                levels.update((_units(price), _units(size)) for price, size in shown)
        else:
            raise ValueError(f"event {kind!r}")

    def _stamp(self, clock_ns: int, stamp_ns: int) -> None:
        if clock_ns:
            self._lags.append((stamp_ns, clock_ns - stamp_ns))

    def _frame(self) -> None:
        if self._now_ns < self._next_frame_ns:
            return
        bids, asks = self._sides
        low, high = self._touch or (max(bids, default=0), min(asks, default=0))
        best_bids = sorted((p for p in bids if p <= low), reverse=True)[:LEVELS]
        best_asks = sorted(p for p in asks if p >= high)[:LEVELS]
        if not best_bids or not best_asks or best_bids[0] >= best_asks[0]:
            return
        self._next_frame_ns = self._now_ns + 500 * NS_PER_MS
        empty_bids, empty_asks = [0] * (LEVELS - len(best_bids)), [0] * (LEVELS - len(best_asks))
        prices = [*best_bids, *empty_bids, *best_asks, *empty_asks]
        sizes = [*(bids[p] for p in best_bids), *empty_bids, *(asks[p] for p in best_asks),
                 *empty_asks]  # fmt: skip
        # As arrays: a day of them as lists of Python's integers would be five times as large.
        self._frames.append((self._now_ns, np.array(prices), np.array(sizes)))

    def recordings(self, path: Path, asset_id: int) -> Any:
        """Yield the coin and its recording."""
        if not self._frames:
            raise RecordingError(f"{path}: no book of {self.coin} can be built from this recording")
        factor = 10**self._shift
        lags = np.array(self._lags, np.int64).reshape(-1, 2)
        quotes = np.array(self._quotes, np.int64).reshape(-1, 6)
        notes = [f"the best {LEVELS} levels of each side, every half second"]
        stamps = quotes[:, 1].copy()
        if len(quotes) and (stamps == 0).any():
            lag = int(np.median(lags[:, 1]))
            stamps = np.where(stamps == 0, quotes[:, 0] - lag, stamps)
            notes.append("quotes have no stamp of the exchange: the recorder's, less the usual lag")
        if not self._has_snapshot:
            notes.append("no depth snapshot: the book is what the changes showed")
        if self._shift:
            notes.append(f"prices and money are in 1e-{self._shift} of the quote currency")
        trades = np.array(self._trades, np.int64).reshape(-1, 5)
        scale = np.array([factor, 1])
        quote_ns, sides, cells = pairs(stamps, quotes[:, 2:4] * scale, quotes[:, 4:6] * scale)
        tape = Tape(
            book_ns=np.array([frame[0] for frame in self._frames], np.int64),
            book_prices=np.stack([frame[1] for frame in self._frames]) * factor,
            book_sizes=np.stack([frame[2] for frame in self._frames]),
            quote_ns=quote_ns, quote_sides=sides, quote_cells=cells,
            trade_ns=trades[:, 0], trade_sides=trades[:, 1],
            trade_cells=trades[:, 2:4] * scale, trade_ids=trades[:, 4],
            lags_ns=lags,
            dropped={"repeated or old depth change": self._late} if self._late else {},
            notes=tuple(notes),
            silence_secs=CHANGES_SILENCE_SECS,
        )  # fmt: skip
        yield self.coin, record(tape, path, self.coin, asset_id, "Binance")
