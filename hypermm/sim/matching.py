"""One market's book: the matching kernel, and whose order stands in which of its slots."""

from attrs import frozen

from hypermm._core.matching import HalfBook
from hypermm.messages import Side
from hypermm.sim.orders import NO_SLOT, VenueOrder

Level = tuple[int, int, int]  # price, size, count of orders


@frozen
class Piece:
    """The next lots that a taker meets: an order of a user, or outside size (`order` None)."""

    price: int
    size: int
    order: VenueOrder | None


class Half(HalfBook):
    """One side, with the orders that stand in it. The kernel owns what is left of each."""

    def __init__(self, side: Side) -> None:
        super().__init__(side)
        self.orders: dict[int, VenueOrder] = {}  # by slot

    def add(self, order: VenueOrder) -> None:
        """Queue an order behind what stands at its price."""
        order.slot = self.enter(order.price, order.remaining)
        self.orders[order.slot] = order

    def remove(self, order: VenueOrder) -> None:
        """Take an order out of its queue."""
        self.leave(order.slot)
        self._forget(order)

    def reduce(self, order: VenueOrder, size: int) -> None:
        """Take filled lots off an order; it leaves with its last."""
        order.remaining = self.fill(order.slot, size)
        if order.remaining == 0:
            self._forget(order)

    def _forget(self, order: VenueOrder) -> None:
        del self.orders[order.slot]
        order.slot = NO_SLOT

    def first_order(self) -> VenueOrder | None:
        """Return the user's order that is first in price and time."""
        slot = self.first()
        return None if slot == NO_SLOT else self.orders[slot]

    def next_piece(self) -> Piece | None:
        """Return what the next taker meets."""
        found = self.front()
        if found is None:
            return None
        price, size, slot = found
        return Piece(price, size, None if slot == NO_SLOT else self.orders[slot])


class Book:
    """Both sides of one market."""

    def __init__(self) -> None:
        self.bids = Half(Side.BUY)
        self.asks = Half(Side.SELL)

    def half(self, side: Side) -> Half:
        """Return the orders that want to `side`."""
        return self.bids if side is Side.BUY else self.asks

    def crosses(self, side: Side, price: int) -> bool:
        """Whether an order to `side` with this limit would trade."""
        return self.half(side.other).reaches(price)

    def touch(self) -> tuple[Level | None, Level | None]:
        """Return best bid and best ask."""
        return self.bids.touch(), self.asks.touch()
