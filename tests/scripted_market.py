"""A market that plays a list of rows: outside liquidity to the letter, for the exchange's tests."""

from hypermm._core.rows import (
    EMPTY,
    FIRST,
    LAST,
    LEVEL,
    QUOTE,
    TOP,
    TRADE,
    Rows,
)
from hypermm.instrument import Instrument

START_MS = 1_700_000_000_000
ALICE = "0x" + 40 * "a"
BOB = "0x" + 40 * "b"


def instrument(coin="ETH", size_decimals=4, max_leverage=25, **others):
    return Instrument(
        coin=coin, asset_id=0, size_decimals=size_decimals, max_leverage=max_leverage, **others
    )


class ScriptedMarket:
    """Plays what `book`, `quote` and `trade` were told, at the times they were told."""

    def __init__(self, rules=None):
        self.instrument = rules or instrument()
        self.snapshot_trades = EMPTY
        self.day_volume_lots = 0
        self._script = []
        self._played_ns = -1

    @property
    def is_over(self):
        return all(ms * 1_000_000 <= self._played_ns for ms, _ in self._script)

    def rows_until(self, t_ns):
        events = [
            row
            for ms, rows in self._script
            if self._played_ns < ms * 1_000_000 <= t_ns
            for row in rows
        ]
        self._played_ns = t_ns
        found = Rows.allocate(len(events))
        for event in events:
            found.append(**event)
        return found

    def _add(self, ms, rows):
        rows[0]["flags"] = rows[0].get("flags", 0) | FIRST
        rows[-1]["flags"] = rows[-1].get("flags", 0) | LAST
        for row in rows:
            row["exch_ns"] = ms * 1_000_000
        self._script.append((ms, rows))
        self._script.sort(key=lambda entry: entry[0])

    def _price(self, price):
        return self.instrument.parse_price(str(price))

    def _size(self, size):
        return self.instrument.parse_size(str(size))

    def book(self, ms, bids, asks, *, is_top=False):
        """Show levels [(price, size), ...], best first."""
        flags = TOP if is_top else 0
        rows = [
            {
                "kind": LEVEL,
                "side": side,
                "price": self._price(price),
                "size": self._size(size),
                "count": 1,
                "index": index,
                "flags": flags,
            }
            for side, levels in ((1, bids), (-1, asks))
            for index, (price, size) in enumerate(levels)
        ]
        self._add(ms, rows or [{"kind": LEVEL, "side": 1, "flags": flags}])

    def quote(self, ms, bid, ask):
        """Show the touch: (price, size) of each side."""
        self._add(
            ms,
            [
                {
                    "kind": QUOTE,
                    "side": side,
                    "price": self._price(price),
                    "size": self._size(size),
                    "count": 1,
                }
                for side, (price, size) in ((1, bid), (-1, ask))
            ],
        )

    def trade(self, ms, side, price, size, tid=77):
        """Let an outside taker trade; `side` is "B" or "A"."""
        row = {
            "kind": TRADE,
            "side": 1 if side == "B" else -1,
            "price": self._price(price),
            "size": self._size(size),
            "id": tid,
        }
        self._add(ms, [row])
