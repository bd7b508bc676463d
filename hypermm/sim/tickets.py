"""Orders as asked for, checked as far as the request alone allows.

One error found here stands for the whole batch, nothing of which is executed; it carries no asset
suffix and leaves no record.
"""

from collections.abc import Mapping, Sequence

from attrs import frozen

from hypermm.errors import WireError
from hypermm.hyperliquid.actions import OrderWire, Priority
from hypermm.messages import Side
from hypermm.sim import refusals
from hypermm.sim.listing import Listing
from hypermm.sim.rules import BAND_PER_MILLION, MILLION, USD, order_value_max

MARKET_TIFS = ("Ioc", "FrontendMarket")


class StaticRefusalError(Exception):
    """The batch is bad by itself."""


@frozen
class Ticket:
    """A well-formed order."""

    listing: Listing
    side: Side
    price: int
    size: int
    tif: str
    is_reduce_only: bool
    cloid: str | None

    @property
    def is_immediate(self) -> bool:
        """Whether it never rests."""
        return self.tif in MARKET_TIFS


def read_tickets(
    orders: Sequence[OrderWire], listings: Mapping[int, Listing], grouping: str | Priority = "na"
) -> list[Ticket]:
    """Check a batch. Raises StaticRefusalError with the text of its first error."""
    if not orders:
        raise StaticRefusalError(refusals.ORDERS_EMPTY)
    if isinstance(grouping, str) and grouping != "na":
        if len(orders) < 2 and grouping == "normalTpsl":
            raise StaticRefusalError(refusals.TRIGGER_COUNT)
        raise StaticRefusalError(refusals.NO_TRIGGERS)
    return [_read_ticket(order, listings) for order in orders]


def _read_ticket(order: OrderWire, listings: Mapping[int, Listing]) -> Ticket:
    listing = listings.get(order.a)
    if listing is None:
        raise StaticRefusalError(refusals.unknown_asset(order.a))
    if order.t.limit is None:
        raise StaticRefusalError(refusals.NO_TRIGGERS)
    rule = listing.instrument
    try:
        size = rule.parse_size(order.s)
    except WireError:
        raise StaticRefusalError(refusals.INVALID_SIZE) from None
    if size == 0:
        raise StaticRefusalError(refusals.ZERO_SIZE)
    try:
        price = rule.parse_price(order.p)
    except WireError:
        raise StaticRefusalError(refusals.INVALID_PRICE) from None
    if not rule.is_allowed_price(price):
        raise StaticRefusalError(refusals.INVALID_PRICE)
    mark = listing.mark_price
    if mark and abs(price - mark) * MILLION > mark * BAND_PER_MILLION:
        raise StaticRefusalError(refusals.TOO_FAR)
    tif = order.t.limit.tif
    most = order_value_max(rule.max_leverage, is_market=tif in MARKET_TIFS)
    if price * size > most:
        raise StaticRefusalError(refusals.too_large(most // USD))
    side = Side.BUY if order.b else Side.SELL
    return Ticket(listing, side, price, size, tif, order.r, order.c)
