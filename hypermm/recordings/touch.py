"""Frames for recordings that hold a touch and no depth: a book of one level a side."""

from typing import Final

import numpy as np

from hypermm.recordings.values import Integers

FRAME_NS: Final = 500_000_000  # how often the exchange shows its fast book


def frames_of_quotes(
    stamps_ns: Integers, bids: Integers, asks: Integers, first_ns: int | None = None
) -> tuple[Integers, Integers, Integers]:
    """Return stamps, prices and sizes of one-level books: the last quote of every half second.

    Parameters
    ----------
    stamps_ns : array, shape (n,), not decreasing
        Stamps of the quotes.
    bids, asks : arrays, shape (n, 2)
        Price and size.
    first_ns : int, optional
        Where the half seconds begin; the first quote if None.
    """
    start = int(stamps_ns[0]) if first_ns is None else first_ns
    slot = (stamps_ns - start) // FRAME_NS
    is_last = np.diff(slot, append=slot[-1] + 1) > 0
    is_last[0] = True
    bids, asks = bids[is_last], asks[is_last]
    prices = np.column_stack((bids[:, 0], asks[:, 0]))
    return stamps_ns[is_last], prices, np.column_stack((bids[:, 1], asks[:, 1]))
