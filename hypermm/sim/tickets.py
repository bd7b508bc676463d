"""Orders as asked for, checked as far as the request alone allows.

One error found here stands for the whole batch, nothing of which is executed; it carries no asset
suffix and leaves no record.
"""

from collections.abc import Mapping, Sequence

from attrs import frozen

from hypermm.errors import WireError
from hypermm.hyperliquid.actions import Builder, OrderWire, Priority
from hypermm.messages import Side
from hypermm.sim import refusals
from hypermm.sim.listing import Listing
from hypermm.sim.orders import Trigger
from hypermm.sim.rules import USD, Rules, order_value_max

MARKET_TIFS = ("Ioc", "FrontendMarket")
PAIR = 2  # a take-profit and a stop


class StaticRefusalError(Exception):
    """The batch is bad by itself."""


@frozen
class Ticket:
    """A well-formed order. A size of 0 stands for the whole position."""

    listing: Listing
    side: Side
    price: int
    size: int
    tif: str | None
    is_reduce_only: bool
    cloid: str | None
    trigger: Trigger | None = None
    is_position_tpsl: bool = False
    builder: Builder | None = None

    @property
    def is_immediate(self) -> bool:
        """Whether it never rests."""
        return self.tif in MARKET_TIFS


def read_tickets(
    orders: Sequence[OrderWire],
    listings: Mapping[int, Listing],
    rules: Rules,
    *,
    grouping: str | Priority = "na",
    builder: Builder | None = None,
    is_post_only: bool = False,
) -> list[Ticket]:
    """Check a batch. Raises StaticRefusalError with the text of its first error.

    `is_post_only` says that the exchange takes nothing else for the time being.
    """
    if not orders:
        raise StaticRefusalError(refusals.ORDERS_EMPTY)
    is_position = grouping == "positionTpsl"
    tickets = [
        _read_ticket(order, listings, rules, is_position_tpsl=is_position, builder=builder)
        for order in orders
    ]
    _check_grouping(tickets, grouping)
    if is_post_only and any(t.trigger is None and t.tif != "Alo" for t in tickets):
        raise StaticRefusalError(refusals.POST_ONLY_WINDOW)
    return tickets


def _check_grouping(tickets: list[Ticket], grouping: str | Priority) -> None:
    if isinstance(grouping, Priority):
        is_taking = all(ticket.is_immediate for ticket in tickets)
        is_making = all(t.tif == "Alo" and not t.is_reduce_only for t in tickets)
        if not is_taking and not is_making:
            raise StaticRefusalError(refusals.PRIORITY)
        return
    if grouping == "na":
        return
    if grouping == "normalTpsl":
        parent, protecting = tickets[0], tickets[1:]
        is_matching = all(
            t.listing is parent.listing and t.side is parent.side.other for t in protecting
        )
    else:
        protecting = tickets
        is_matching = all(t.listing is tickets[0].listing for t in tickets)
    is_all_triggers = all(ticket.trigger is not None for ticket in protecting)
    if not (1 <= len(protecting) <= PAIR and is_all_triggers and is_matching):
        raise StaticRefusalError(refusals.TRIGGER_COUNT)
    if not all(ticket.is_reduce_only for ticket in protecting):
        raise StaticRefusalError(refusals.TRIGGER_REDUCE_ONLY)


def _read_ticket(
    order: OrderWire,
    listings: Mapping[int, Listing],
    rules: Rules,
    *,
    is_position_tpsl: bool,
    builder: Builder | None,
) -> Ticket:
    listing = listings.get(order.a)
    if listing is None:
        raise StaticRefusalError(refusals.unknown_asset(order.a))
    if listing.is_halted:
        raise StaticRefusalError(rules.halted_text)
    rule, side = listing.instrument, Side.BUY if order.b else Side.SELL
    try:
        size = rule.parse_size(order.s)
    except WireError:
        raise StaticRefusalError(refusals.INVALID_SIZE) from None
    if size == 0 and not is_position_tpsl:
        raise StaticRefusalError(refusals.ZERO_SIZE)
    price = _read_price(order.p, listing, rules)
    trigger, reference = None, listing.mark_price
    if rules.is_band_around_oracle:
        reference = round(listing.oracle_price)
    if order.t.trigger is not None:
        wire = order.t.trigger
        is_take_profit = wire.tpsl == "tp"
        reference = _read_price(wire.triggerPx, listing, rules)
        is_above = (side is Side.BUY) != is_take_profit
        trigger = Trigger(reference, is_above, wire.isMarket, is_take_profit)
    if reference and not rules.is_in_band(price, reference):
        raise StaticRefusalError(refusals.too_far(rules.price_band_percent))
    tif = order.t.limit.tif if order.t.limit is not None else None
    is_market = tif in MARKET_TIFS or (trigger is not None and trigger.is_market)
    most = order_value_max(rule.max_leverage, is_market=is_market)
    if price * size > most:
        raise StaticRefusalError(refusals.too_large(most // USD))
    return Ticket(
        listing, side, price, size, tif, order.r, order.c, trigger, is_position_tpsl, builder
    )


def _read_price(text: str, listing: Listing, rules: Rules) -> int:
    """Read a price; it may stand off the tick where that is refused at run time."""
    rule = listing.instrument
    try:
        price = rule.parse_price(text)
    except WireError:
        raise StaticRefusalError(refusals.INVALID_PRICE) from None
    if price == 0 or (rules.is_tick_checked_first and not rule.is_allowed_price(price)):
        raise StaticRefusalError(refusals.INVALID_PRICE)
    return price
