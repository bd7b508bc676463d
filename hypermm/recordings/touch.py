"""Frames for recordings that hold a touch and no depth."""

from typing import Final

import numpy as np

from hypermm.recordings.values import Integers

FRAME_NS: Final = 500_000_000  # how often the exchange shows its fast book
LEVELS: Final = 10
NO_DEPTH: Final = (
    f"no depth was recorded: {LEVELS - 1} levels a tick apart, as large as the touch, are behind it"
)


def frames_of_quotes(
    stamps_ns: Integers, bids: Integers, asks: Integers
) -> tuple[Integers, Integers, Integers]:
    """Return stamps, prices and sizes of books: the last quote of every half second.

    A book of the touch alone would be empty after each trade that takes all of it, until the next
    quote; what stands behind it is assumed.

    Parameters
    ----------
    stamps_ns : array, shape (n,), not decreasing
        Stamps of the quotes.
    bids, asks : arrays, shape (n, 2)
        Price and size.
    """
    slot = (stamps_ns - stamps_ns[0]) // FRAME_NS
    is_last = np.diff(slot, append=slot[-1] + 1) > 0
    is_last[0] = True
    bids, asks = bids[is_last], asks[is_last]
    tick = np.gcd.reduce(np.concatenate((bids[:, 0], asks[:, 0])))
    behind = tick * np.arange(LEVELS)
    prices = np.hstack((bids[:, :1] - behind, asks[:, :1] + behind))
    sizes = np.repeat(np.column_stack((bids[:, 1], asks[:, 1])), LEVELS, axis=1)
    return stamps_ns[is_last], prices, np.where(prices > 0, sizes, 0)
