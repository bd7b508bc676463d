"""What users are told of a block, as the data of frames. Made for those who listen, nobody else.

A payload of a channel of user data is made from the news of one block: several channels tell the
same event in shapes of their own.
"""

from collections.abc import Callable, Iterator
from typing import Any

from hypermm.messages import Side
from hypermm.sim import about_accounts, about_orders, about_twaps, shapes
from hypermm.sim.orders import UserNews

Json = dict[str, Any]
Told = Iterator[Any]


def order_updates(_fields: Json, news: UserNews) -> Told:
    """Tell what became of orders."""
    if news.updates:
        yield [shapes.update_shape(update) for update in news.updates]


def user_fills(fields: Json, news: UserNews) -> Told:
    """Tell fills, in one piece or those of one order summed."""
    if news.fills:
        is_aggregated = fields.get("aggregateByTime", False)
        fills = about_orders.shown(news.fills, is_aggregated=is_aggregated)
        yield {"user": fields["user"], "fills": fills}


def user_events(_fields: Json, news: UserNews) -> Told:
    """Tell all kinds of events, each kind in a frame of its own."""
    if news.fills:
        yield {"fills": [shapes.fill_shape(fill) for fill in news.fills]}
    if news.twap_fills:
        yield {"twapSliceFills": [shapes.slice_shape(fill) for fill in news.twap_fills]}
    for payment in news.fundings:
        yield {"funding": about_accounts.flat_funding(payment)}
    for event in news.liquidations:
        yield {"liquidation": event}
    if news.cancels:
        yield {
            "nonUserCancel": [
                {"coin": order.listing.coin, "oid": order.oid} for order in news.cancels
            ]
        }

    if news.twaps:
        yield {"twapHistory": [about_twaps.record_shape(record) for record in news.twaps]}


def twap_history(fields: Json, news: UserNews) -> Told:
    """Tell what became of TWAPs."""
    if news.twaps:
        shown = [about_twaps.record_shape(record) for record in news.twaps]
        yield {"user": fields["user"], "history": shown}


def notifications(_fields: Json, news: UserNews) -> Told:
    """Tell a person of each fill of a resting order."""
    for fill in news.fills:
        if not fill.is_taker:
            rule = fill.listing.instrument
            done = "Bought" if fill.side is Side.BUY else "Sold"
            size, price = rule.print_size(fill.size), rule.print_price(fill.price)
            yield {
                "notification": f"Resting order filled: {done} {size} {fill.listing.coin} "
                f"at ${price}"
            }


def order_history(fields: Json, news: UserNews) -> Told:
    """Tell what became of orders, in the long form."""
    if news.updates:
        yield {
            "user": fields["user"],
            "orderHistory": [shapes.update_record(update) for update in news.updates],
        }


def slice_fills(fields: Json, news: UserNews) -> Told:
    """Tell fills of TWAPs."""
    if news.twap_fills:
        fills = [shapes.slice_shape(fill) for fill in news.twap_fills]
        yield {"user": fields["user"], "twapSliceFills": fills}


def fundings(fields: Json, news: UserNews) -> Told:
    """Tell the hour's payments."""
    if news.fundings:
        paid = [about_accounts.flat_funding(payment) for payment in news.fundings]
        yield {"user": fields["user"], "fundings": paid}


def ledger_updates(fields: Json, news: UserNews) -> Told:
    """Tell what moved money beside trading."""
    if news.ledger:
        shown = [about_accounts.ledger_shape(update) for update in news.ledger]
        yield {"user": fields["user"], "nonFundingLedgerUpdates": shown}


PAYLOADS: dict[str, Callable[[Json, UserNews], Told]] = {  # by type of subscription
    "notification": notifications,
    "orderUpdates": order_updates,
    "userEvents": user_events,
    "userFills": user_fills,
    "userFundings": fundings,
    "userHistoricalOrders": order_history,
    "userNonFundingLedgerUpdates": ledger_updates,
    "userTwapHistory": twap_history,
    "userTwapSliceFills": slice_fills,
}
