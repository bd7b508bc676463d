"""What has arrived and was not taken yet: market rows in fixed memory, private events in a list.

Bounded. When rows pile up because nobody takes them, older books give way to newer ones; trades
and private events are kept.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from hypermm._core.rows import CONTEXT, EMPTY, FIRST, LEVEL, QUOTE, ROW_DTYPE, TOP, TRADE, Rows
from hypermm.messages import Batch, PrivateEvent

INBOX_ROWS: Final = 16_384  # two buffers of 640 KiB
INBOX_PRIVATE: Final = 10_000
BYTES_PER_ROW_MIN: Final = 20  # `{"px":"1","sz":"1","n":1}` is the shortest row on the wire


class Inbox:
    """Two row buffers that change places: one is filled while the engine reads the other.

    Parameters
    ----------
    capacity : int
        Rows that each buffer holds.
    """

    def __init__(self, capacity: int = INBOX_ROWS) -> None:
        self.rows = Rows.allocate(capacity)
        self._spare = Rows.allocate(capacity)
        self.private: list[PrivateEvent] = []
        self.conflated_rows = 0

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to take."""
        return not self.private and not len(self.rows)

    def take(self) -> Batch:
        """Return what has arrived; its rows are valid until the next call."""
        rows = self.rows
        if len(rows):
            self.rows, self._spare = self._spare, rows
            self.rows.clear()
        else:
            rows = EMPTY
        if not self.private:
            return Batch(rows)
        private, self.private = tuple(self.private), []
        return Batch(rows, private)

    def has_room(self, frame_bytes: int) -> bool:
        """Whether any frame of this length fits, after books have given way if they must."""
        needed = frame_bytes // BYTES_PER_ROW_MIN + 2
        if self.rows.capacity - len(self.rows) >= needed:
            return True
        self._conflate()
        return self.rows.capacity - len(self.rows) >= needed

    def _conflate(self) -> None:
        """Keep all trades, and of each kind of book, quote and context only the newest frame."""
        array = self.rows.array
        kept = array[_newest(array)].copy()
        self.conflated_rows += len(array) - len(kept)
        self.rows.clear()
        names = ROW_DTYPE.names
        assert names is not None
        for row in kept:
            self.rows.append(**dict(zip(names, row.tolist(), strict=True)))


def _newest(array: NDArray[np.void]) -> NDArray[np.bool_]:
    """Mark the rows that newer ones do not replace."""
    kinds, flags = array["kind"], array["flags"]
    keep: NDArray[np.bool_] = kinds == TRADE
    is_top = (flags & TOP) != 0
    frames = [kinds == QUOTE, (kinds == LEVEL) & is_top, (kinds == LEVEL) & ~is_top]
    for rows in frames:
        starts = np.flatnonzero(rows & ((flags & FIRST) != 0))
        if len(starts):
            keep[starts[-1] :] |= rows[starts[-1] :]
    for index in np.unique(array["index"][kinds == CONTEXT]):
        keep[np.flatnonzero((kinds == CONTEXT) & (array["index"] == index))[-1]] = True
    return keep
