"""The recorded half hour of BTC and WLFI as rows in order of arrival, read plainly from its CSVs.

It is independent of the project's own reader. Every tenth book is deep, the others are the fast
form's five levels, as the venue sends them today.
"""

import csv
import gzip
from decimal import Decimal
from functools import cache
from itertools import groupby, pairwise

import numpy as np
from attrs import frozen

from hypermm._core.rows import (
    FIRST,
    LAST,
    LEVEL,
    QUOTE,
    ROW_DTYPE,
    SNAPSHOT,
    TOP,
    TRADE,
    Rows,
)
from hypermm.instrument import Instrument

SIZE_DECIMALS = {"BTC": 5, "WLFI": 0}
RECONNECT_SECS = 5.0  # a longer silence of the recorder is a new connection


@frozen
class Market:
    """A recording: rows, where each frame starts, and when it arrived at the recorder."""

    instrument: Instrument
    rows: Rows
    starts: tuple[int, ...]  # of each frame, and one past the end
    arrival_ns: tuple[int, ...]

    def from_frame(self, first):
        """Rows from a frame on, with the last 30 trades before it re-sent, as on subscribing."""
        array = self.rows.array
        earlier = array[: self.starts[first]]
        snapshot = earlier[earlier["kind"] == TRADE][-30:].copy()
        snapshot["flags"] |= SNAPSHOT
        return np.concatenate([snapshot, array[self.starts[first] :]])


@cache
def market(data_dir, coin):
    """Read one coin."""
    folder = data_dir / "data" / "hyperliquid" / "2025-09-04"
    instrument = Instrument(coin=coin, asset_id=0, size_decimals=SIZE_DECIMALS[coin])
    frames = sorted(
        [*_trades(folder, instrument), *_quotes(folder, instrument), *_books(folder, instrument)],
        key=lambda frame: frame[0],
    )
    _mark_snapshots(frames)
    starts = np.cumsum([0] + [len(rows) for _, rows in frames])
    flat = np.array([tuple(row) for _, rows in frames for row in rows], ROW_DTYPE)
    return Market(
        instrument=instrument,
        rows=Rows(flat),
        starts=tuple(int(start) for start in starts),
        arrival_ns=tuple(arrival for arrival, _ in frames),
    )


def _table(folder, name, coin):
    with gzip.open(folder / f"{name}_{coin}.csv.gz", "rt") as lines:
        yield from csv.DictReader(lines)


def _ns(text):
    return int(Decimal(text).scaleb(9))


def _units(text, decimals):
    return int(Decimal(text).scaleb(decimals))


def _row(instrument, ms, price, size, kind, side, *, trade_id=0, index=0, flags=0):
    decimals = (instrument.price_decimals, instrument.size_decimals)
    return [
        int(ms) * 1_000_000,
        _units(price, decimals[0]),
        _units(size, decimals[1]),
        trade_id,
        0,
        kind,
        side,
        index,
        flags,
    ]


def _frame(arrival, rows):
    rows[0][-1] |= FIRST
    rows[-1][-1] |= LAST
    return _ns(arrival), rows


def _trades(folder, instrument):
    table = _table(folder, "trades", instrument.coin)
    for arrival, group in groupby(table, key=lambda line: line["timestamp"]):
        rows = [
            _row(
                instrument,
                line["exchange_timestamp"],
                line["price"],
                line["size"],
                TRADE,
                1 if line["side"] == "buy" else -1,
                trade_id=int(line["trade_id"]),
            )
            for line in group
        ]
        yield _frame(arrival, rows)


def _quotes(folder, instrument):
    lines = list(_table(folder, "prices", instrument.coin))
    for bid, ask in zip(lines[::2], lines[1::2], strict=True):
        rows = [
            _row(instrument, one["exchange_timestamp"], one["price"], one["size"], QUOTE, side)
            for one, side in ((bid, 1), (ask, -1))
        ]
        yield _frame(bid["timestamp"], rows)


def _books(folder, instrument):
    for i, line in enumerate(_table(folder, "orderbooks", instrument.coin)):
        levels, flags = (20, 0) if i % 10 == 0 else (5, TOP)
        rows = [
            _row(
                instrument,
                line["exchange_timestamp"],
                line[f"{name}_price_{level}"],
                line[f"{name}_size_{level}"],
                LEVEL,
                side,
                index=level,
                flags=flags,
            )
            for name, side in (("bid", 1), ("ask", -1))
            for level in range(levels)
        ]
        yield _frame(line["timestamp"], rows)


def _mark_snapshots(frames):
    # The first trades frame of each connection re-sends what was traded before.
    connected = [frames[0][0]] + [
        later
        for (earlier, _), (later, _) in pairwise(frames)
        if later - earlier > RECONNECT_SECS * 1e9
    ]
    for start in connected:
        first = next(rows for arrival, rows in frames if arrival >= start and rows[0][5] == TRADE)
        for row in first:
            row[-1] |= SNAPSHOT
