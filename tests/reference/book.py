"""The book as two dictionaries from price to size."""

from bisect import bisect_left

from hypermm._core.rows import FIRST, LAST, LEVEL, QUOTE, TOP, Rows

TOP_LEVELS = 5


class Book:
    """Levels by price; frames are tuples (kind, stamp, bids, asks) of whole frames."""

    def __init__(self):
        self.sides = {1: {}, -1: {}}
        self.own = {1: {}, -1: {}}
        self.newest_ns = 0
        self.old_frames = 0
        self.unquotable_frames = 0
        self.mids = []  # (stamp, mid or None)

    def apply(self, frame):
        kind, exch_ns, *levels_of_sides = frame
        if exch_ns < self.newest_ns:
            self.old_frames += 1
            return
        for side, levels in zip((1, -1), levels_of_sides, strict=True):
            has_end = kind == "deep" or not levels or (kind == "top" and len(levels) < TOP_LEVELS)
            kept = {}
            if not has_end:
                last = levels[-1][0]
                kept = {p: s for p, s in self.sides[side].items() if side * (last - p) > 0}
            self.sides[side] = dict(levels) | kept
        self.newest_ns = exch_ns
        self._remember()
        if self.mid is None:
            self.unquotable_frames += 1

    def change_own(self, side, price, change):
        self.own[side][price] = self.own[side].get(price, 0) + change
        if self.mids:
            self.mids[-1] = (self.mids[-1][0], self.mid)

    def levels(self, side):
        net = {p: s - self.own[side].get(p, 0) for p, s in self.sides[side].items()}
        return sorted(((p, s) for p, s in net.items() if s > 0), key=lambda level: -side * level[0])

    def best(self, side):
        levels = self.levels(side)
        return levels[0][0] if levels else 0

    @property
    def mid(self):
        bid, ask = self.best(1), self.best(-1)
        return (bid + ask) / 2 if 0 < bid < ask else None

    def mid_before(self, exch_ns):
        at = bisect_left([stamp for stamp, _ in self.mids], exch_ns)
        return self.mids[at - 1][1] if at > 0 else None

    def imbalance(self, n, decay):
        bid, ask = (
            sum(size * decay**i for i, (_, size) in enumerate(self.levels(side)[:n]))
            for side in (1, -1)
        )
        return (bid - ask) / (bid + ask) if bid + ask > 0 else 0.0

    def depth(self, side, distance_bps):
        if self.mid is None:
            return 0
        reach = self.mid * distance_bps * 1e-4
        return sum(size for price, size in self.levels(side) if abs(price - self.mid) <= reach)

    def _remember(self):
        if self.mids and self.mids[-1][0] == self.newest_ns:
            self.mids[-1] = (self.newest_ns, self.mid)
        else:
            self.mids.append((self.newest_ns, self.mid))


def append_frame(rows, frame):
    """Append the rows of a frame (kind, stamp, bids, asks)."""
    kind, exch_ns, bids, asks = frame
    if kind == "quote":
        levels = [(side, 0, *(one[0] if one else (0, 0))) for side, one in ((1, bids), (-1, asks))]
    else:
        levels = [
            (side, i, price, size)
            for side, many in ((1, bids), (-1, asks))
            for i, (price, size) in enumerate(many)
        ] or [(1, 0, 0, 0)]
    for i, (side, index, price, size) in enumerate(levels):
        rows.append(
            kind=QUOTE if kind == "quote" else LEVEL,
            side=side,
            exch_ns=exch_ns,
            price=price,
            size=size,
            index=index,
            flags=(FIRST if i == 0 else 0)
            | (LAST if i == len(levels) - 1 else 0)
            | (TOP if kind == "top" else 0),
        )


def rows_of(frames):
    """Make the rows of several frames."""
    rows = Rows.allocate(2 + sum(2 + len(bids) + len(asks) for _, _, bids, asks in frames))
    for frame in frames:
        append_frame(rows, frame)
    return rows
