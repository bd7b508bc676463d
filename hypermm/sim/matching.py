"""One market's book: outside liquidity as levels, users' orders one by one behind and among it.

Outside levels come and go with the market's frames. A user's order remembers how many outside
lots stand before it at its price (`ahead`): what was shown when it was placed, never more than
is shown later, less whatever trades there. At one price outside lots that are not ahead of an
order are behind it. Consumed outside size stays gone until the market shows the level again.
"""

from bisect import bisect_left, insort

from attrs import frozen

from hypermm.messages import Side
from hypermm.sim.orders import UNSEEN, VenueOrder

Level = tuple[int, int, int]  # price, size, count of orders


@frozen
class Piece:
    """The next lots that a taker meets: an order of a user, or outside size (`order` None)."""

    price: int
    size: int
    order: VenueOrder | None


class HalfBook:
    """One side. Keys sort best first: the price of an ask, minus the price of a bid."""

    def __init__(self, side: Side) -> None:
        self.side = side
        self._sign = -side.value
        self.outside: dict[int, list[int]] = {}  # key -> [size, count]
        self._keys: list[int] = []
        self._deepest = -UNSEEN  # key of the deepest level that the market has shown
        self.queues: dict[int, list[VenueOrder]] = {}
        self._queue_keys: list[int] = []

    # Outside liquidity

    def show(self, levels: list[Level], *, is_top: bool) -> None:
        """Replace the outside levels; of a top frame only those up to its last level."""
        kept: dict[int, list[int]] = {}
        if is_top and levels:
            last = self._sign * levels[-1][0]
            kept = {key: level for key, level in self.outside.items() if key > last}
        self.outside = {self._sign * price: [size, count] for price, size, count in levels} | kept
        self._keys = sorted(self.outside)
        self._deepest = self._keys[-1] if self._keys else -UNSEEN
        self._clip_ahead()

    def show_touch(self, price: int, size: int, count: int) -> None:
        """Set the best outside level; what was better is gone. Size 0: nothing is left."""
        if size == 0:
            self.show([], is_top=False)
            return
        key = self._sign * price
        self._drop_outside_before(key)
        if key not in self.outside:
            insort(self._keys, key)
        self.outside[key] = [size, max(count, 1)]
        self._deepest = max(self._deepest, key)
        self._clip_ahead()

    def _clip_ahead(self) -> None:
        for key in self._queue_keys:
            if key > self._deepest:
                break
            shown = self.outside[key][0] if key in self.outside else 0
            for order in self.queues[key]:
                order.ahead = min(order.ahead, shown)

    def _drop_outside_before(self, key: int) -> None:
        cut = bisect_left(self._keys, key)
        for gone in self._keys[:cut]:
            del self.outside[gone]
        del self._keys[:cut]

    def drop_better(self, price: int) -> None:
        """Forget outside levels better than `price`: a trade there proves them gone."""
        key = self._sign * price
        if self._keys and self._keys[0] < key:
            self._drop_outside_before(key)
        for better in self._queue_keys:
            if better >= key:
                break
            for order in self.queues[better]:
                order.ahead = 0

    def consume(self, price: int, size: int) -> None:
        """Take outside lots at a price; more than is shown means refilled and taken again."""
        key = self._sign * price
        level = self.outside.get(key)
        if level is not None:
            level[0] -= size
            if level[0] <= 0:
                del self.outside[key]
                del self._keys[bisect_left(self._keys, key)]
        for order in self.queues.get(key, ()):
            if order.ahead < UNSEEN:
                order.ahead = max(order.ahead - size, 0)

    def outside_best(self) -> tuple[int, int] | None:
        """Return price and size of the best outside level."""
        if not self._keys:
            return None
        key = self._keys[0]
        return self._sign * key, self.outside[key][0]

    # Users' orders

    def add(self, order: VenueOrder) -> None:
        """Queue an order behind the outside size shown at its price and users before it."""
        key = self._sign * order.price
        if key > self._deepest:
            order.ahead = UNSEEN
        else:
            order.ahead = self.outside[key][0] if key in self.outside else 0
        queue = self.queues.get(key)
        if queue is None:
            insort(self._queue_keys, key)
            self.queues[key] = [order]
        else:
            queue.append(order)

    def remove(self, order: VenueOrder) -> None:
        """Take an order out of its queue."""
        key = self._sign * order.price
        queue = self.queues[key]
        queue.remove(order)
        if not queue:
            del self.queues[key]
            del self._queue_keys[bisect_left(self._queue_keys, key)]

    def first_order(self) -> VenueOrder | None:
        """Return the user's order that is first in price and time."""
        return self.queues[self._queue_keys[0]][0] if self._queue_keys else None

    # Both together

    def front(self) -> Piece | None:
        """Return what the next taker meets."""
        key, queue_key = (
            self._keys[0] if self._keys else UNSEEN,
            self._queue_keys[0] if self._queue_keys else UNSEEN,
        )
        if key == queue_key == UNSEEN:
            return None
        if key < queue_key:
            return Piece(self._sign * key, self.outside[key][0], None)
        order = self.queues[queue_key][0]
        shown = self.outside[key][0] if key == queue_key else 0
        ahead = min(order.ahead, shown)
        if ahead > 0:
            return Piece(order.price, ahead, None)
        return Piece(order.price, order.remaining, order)

    def levels(self, depth: int) -> list[Level]:
        """Return the best levels, users' orders added to the outside size at each price."""
        keys = self._keys[:depth]
        if self._queue_keys:
            keys = sorted({*keys, *self._queue_keys[:depth]})[:depth]
        found = []
        for key in keys:
            size, count = self.outside.get(key, (0, 0))
            queue = self.queues.get(key, ())
            for order in queue:
                size += order.remaining
            found.append((self._sign * key, size, count + len(queue)))
        return found

    def touch(self) -> Level | None:
        """Return the best level."""
        best = self.levels(1)
        return best[0] if best else None


class Book:
    """Both sides of one market."""

    def __init__(self) -> None:
        self.bids = HalfBook(Side.BUY)
        self.asks = HalfBook(Side.SELL)

    def half(self, side: Side) -> HalfBook:
        """Return the orders that want to `side`."""
        return self.bids if side is Side.BUY else self.asks

    def crosses(self, side: Side, price: int) -> bool:
        """Whether an order to `side` with this limit would trade."""
        piece = self.half(side.other).front()
        return piece is not None and (piece.price - price) * side.value <= 0

    def touch(self) -> tuple[Level | None, Level | None]:
        """Return best bid and best ask."""
        return self.bids.touch(), self.asks.touch()
