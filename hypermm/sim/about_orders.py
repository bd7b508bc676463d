"""Answers to `/info` about orders, fills and TWAPs of an account."""

from typing import TYPE_CHECKING, Any

from hypermm.hyperliquid.actions import canonical_cloid
from hypermm.sim import ask, shapes
from hypermm.sim.ask import Request
from hypermm.sim.orders import UserFill, VenueOrder

if TYPE_CHECKING:
    from hypermm.sim.exchange import Exchange

FILLS_SHOWN = 2_000
ORDERS_SHOWN = 2_000


def open_orders(venue: "Exchange", request: Request) -> list[VenueOrder]:
    """Return the open orders of a user on a dex, newest first as the exchange lists them.

    A child that waits for its parent stands by itself too, as recorded.
    """
    account, dex = ask.account(venue, request), ask.dex(request)
    if account is None:
        return []
    found = {order.oid: order for order in account.orders.values()}
    for order in account.orders.values():
        found.update((child.oid, child) for child in order.children if child.is_open)
    return [found[x] for x in sorted(found, reverse=True) if found[x].listing.instrument.dex == dex]


def brief_open_orders(venue: "Exchange", request: Request) -> Any:
    """Answer `openOrders`."""
    return [shapes.order_brief(order) for order in open_orders(venue, request)]


def frontend_open_orders(venue: "Exchange", request: Request) -> Any:
    """Answer `frontendOpenOrders`."""
    return [shapes.order_full(order) for order in open_orders(venue, request)]


def historical_orders(venue: "Exchange", request: Request) -> Any:
    """Answer `historicalOrders`."""
    account = ask.account(venue, request)
    orders = list(account.history.values())[-ORDERS_SHOWN:] if account else []
    return [shapes.order_record(order) for order in reversed(orders)]


def order_status(venue: "Exchange", request: Request) -> Any:
    """Answer `orderStatus`."""
    account, name = ask.account(venue, request), request.get("oid")
    if isinstance(name, str):
        cloid = canonical_cloid(name)
        order = account.by_cloid.get(cloid) if account else None
    else:
        oid = ask.number(request, "oid")
        order = account.history.get(oid) if account else None
    if order is None:
        return {"status": "unknownOid"}
    return {"status": "order", "order": shapes.order_record(order)}


# Fills


def fills(venue: "Exchange", request: Request) -> list[UserFill]:
    """Return the fills of a user, oldest first."""
    account = ask.account(venue, request)
    return list(account.fills) if account else []


def shown(fills: list[UserFill], *, is_aggregated: bool) -> list[dict[str, Any]]:
    """Return fills one by one, or those of one order at one time summed."""
    return shapes.aggregate_fills(fills) if is_aggregated else [shapes.fill_shape(x) for x in fills]


def user_fills(venue: "Exchange", request: Request) -> Any:
    """Answer `userFills`."""
    is_aggregated = ask.flag(request, "aggregateByTime")
    newest = shown(fills(venue, request), is_aggregated=is_aggregated)[-FILLS_SHOWN:]
    return newest[::-1]


def user_fills_by_time(venue: "Exchange", request: Request) -> Any:
    """Answer `userFillsByTime`."""
    first_ms, last_ms = ask.span(venue, request)
    is_aggregated = ask.flag(request, "aggregateByTime")
    found = [fill for fill in fills(venue, request) if first_ms <= fill.time_ms <= last_ms]
    shapes_found = shown(found, is_aggregated=is_aggregated)
    if ask.flag(request, "reversed"):
        shapes_found.reverse()
    return shapes_found[:FILLS_SHOWN]


# TWAPs


def slices(venue: "Exchange", request: Request) -> list[dict[str, Any]]:
    """Return the fills of a user's TWAPs, oldest first."""
    account = ask.account(venue, request)
    return [shapes.slice_shape(fill) for fill in (account.twap_fills if account else ())]


def twap_slice_fills(venue: "Exchange", request: Request) -> Any:
    """Answer `userTwapSliceFills`."""
    return slices(venue, request)[-FILLS_SHOWN:][::-1]


def twap_slice_fills_by_time(venue: "Exchange", request: Request) -> Any:
    """Answer `userTwapSliceFillsByTime`."""
    first_ms, last_ms = ask.span(venue, request)
    found = [x for x in slices(venue, request) if first_ms <= x["fill"]["time"] <= last_ms]
    return found[:FILLS_SHOWN]
