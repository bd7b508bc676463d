"""What a recording is, and what a reader hands over: numbers of 10**-8, stamps in ns since 1970."""

from collections.abc import Iterator, Mapping
from typing import Final

import numpy as np
from attrs import field, frozen
from numpy.typing import NDArray

from hypermm._core.rows import FIRST, LEVEL, ROW_DTYPE, Rows
from hypermm.instrument import Instrument

SILENCE_SECS: Final = 5.0  # without a book for longer: the feed was out, trades inside are re-sent
TEXT_DECIMALS: Final = 8  # scale at which decimals are read before the market's own is known
NS_PER_MS: Final = 1_000_000
FIRST_MS: Final = 946_684_800_000  # 2000-01-01
LAST_MS: Final = 4_102_444_800_000  # 2100-01-01

Integers = NDArray[np.int64]
RowArray = NDArray[np.void]
NO_INTEGERS: Final[Integers] = np.zeros(0, np.int64)


@frozen
class Recording:
    """One coin's recorded market.

    Parameters
    ----------
    instrument : Instrument
        Decimals as prices and sizes show them; the asset id is the coin's place in the recording.
    rows : Rows
        All events by exchange time; within one stamp trades, then book frames, then quotes (a
        quote of the trade's own time is after the trade). Trades that the exchange re-sent on
        connecting carry the SNAPSHOT flag: known, but no arrivals.
    start_ns, end_ns : int
        Stamps of the first book frame and of the last row, ns since 1970.
    dropped : mapping of str to int
        What was left out, by reason.
    venue : str
        Where it was recorded.
    notes : tuple of str
        What was assumed, because the recording does not say it.
    lags_ns : array of int64, shape (k, 2)
        Stamp, and recorder's clock minus the exchange's, in the order of arrival; empty if the
        recorder's clock was not kept.
    silence_secs : float
        Without a book for longer the feed counts as out.
    """

    instrument: Instrument
    rows: Rows = field(eq=False)
    start_ns: int
    end_ns: int
    dropped: Mapping[str, int]
    venue: str = "Hyperliquid"
    notes: tuple[str, ...] = ()
    lags_ns: Integers = field(factory=lambda: np.zeros((0, 2), np.int64), eq=False)
    silence_secs: float = SILENCE_SECS


@frozen(kw_only=True, eq=False)
class Tape:
    """One coin as a reader found it. Prices and sizes are integers of 10**-8.

    Parameters
    ----------
    book_ns : array, shape (n,); book_prices, book_sizes : arrays, shape (n, 2 x depth)
        Snapshots: bids best first, then asks; size 0 is no level.
    quote_ns, quote_sides : arrays, shape (m,); quote_cells : array, shape (m, 2)
        Price and size of the touch: a bid row (side 1), then its ask row (side -1).
    trade_ns, trade_sides, trade_ids : arrays, shape (k,); trade_cells : array, shape (k, 2)
        Price and size of each trade; the side is the aggressor's.
    context : array of rows
        Mark, oracle and the like, in their final scale.
    """

    book_ns: Integers
    book_prices: Integers
    book_sizes: Integers
    quote_ns: Integers = NO_INTEGERS
    quote_sides: Integers = NO_INTEGERS
    quote_cells: Integers = field(factory=lambda: np.zeros((0, 2), np.int64))
    trade_ns: Integers = NO_INTEGERS
    trade_sides: Integers = NO_INTEGERS
    trade_cells: Integers = field(factory=lambda: np.zeros((0, 2), np.int64))
    trade_ids: Integers = NO_INTEGERS
    context: RowArray = field(factory=lambda: np.zeros(0, ROW_DTYPE))
    lags_ns: Integers = field(factory=lambda: np.zeros((0, 2), np.int64))
    dropped: Mapping[str, int] = field(factory=dict)
    notes: tuple[str, ...] = ()
    silence_secs: float = SILENCE_SECS


def describe_dropped(recording: Recording) -> str | None:
    """Say in one line what was left out of a recording, None if nothing was."""
    if not recording.dropped:
        return None
    reasons = ", ".join(f"{reason} ({count})" for reason, count in recording.dropped.items())
    return f"{recording.instrument.coin}: left out of the recording: {reasons}"


def pieces(recording: Recording) -> Iterator[tuple[int, int]]:
    """Yield start and end stamps of the stretches without a silence of the book."""
    rows = recording.rows.array
    first = (rows["kind"] == LEVEL) & (rows["flags"] & FIRST > 0)
    stamps = rows["exch_ns"][first]
    cuts = np.flatnonzero(np.diff(stamps) > recording.silence_secs * 1e9)
    starts = [0, *(int(cut) + 1 for cut in cuts)]
    ends = [*(int(cut) for cut in cuts), len(stamps) - 1]
    for start, end in zip(starts, ends, strict=True):
        yield int(stamps[start]), int(stamps[end])
