"""The venue's values as the wire shows them. Numbers are strings printed like floats: `64000.0`.

Times and ids are numbers. Optional keys that do not apply are absent from the short forms and
null in the long ones.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from hypermm.instrument import MAX_PERP_DECIMALS, print_decimal
from hypermm.messages import Side
from hypermm.sim.listing import CONTEXT_UNITS, Candle, Listing
from hypermm.sim.orders import OrderUpdate, Trade, UserFill, VenueOrder

if TYPE_CHECKING:
    from hypermm.sim.rules import Rules

Json = dict[str, Any]
SIDE_LETTER = {Side.BUY: "B", Side.SELL: "A"}
RATIO_DECIMALS = 10
ZERO_TIME = "1970-01-01T00:00:00"  # of what never changed


def decimal_text(value: int, decimals: int) -> str:
    """Print an integer of 10**-decimals like a float."""
    text = print_decimal(value, decimals)
    return text if "." in text else text + ".0"


def usd_text(micro: int) -> str:
    """Print micro-USD."""
    return decimal_text(micro, MAX_PERP_DECIMALS)


def price_text(listing: Listing, price: int) -> str:
    """Print a price."""
    return decimal_text(price, listing.instrument.price_decimals)


def size_text(listing: Listing, lots: int) -> str:
    """Print a size or a position."""
    return decimal_text(lots, listing.instrument.size_decimals)


def ratio_text(value: float) -> str:
    """Print a ratio or a derived price with the exchange's ten decimals."""
    return decimal_text(round(value * 10**RATIO_DECIMALS), RATIO_DECIMALS)


# Orders


def order_brief(order: VenueOrder, remaining: int | None = None) -> Json:
    """Return an order as in `orderUpdates` and `openOrders`."""
    listing = order.listing
    shape: Json = {
        "coin": listing.coin,
        "side": SIDE_LETTER[order.side],
        "limitPx": price_text(listing, order.price),
        "sz": size_text(listing, order.remaining if remaining is None else remaining),
        "oid": order.oid,
        "timestamp": order.placed_ms,
        "origSz": size_text(listing, order.original),
    }
    if order.cloid is not None:
        shape["cloid"] = order.cloid
    if order.is_reduce_only:
        shape["reduceOnly"] = True
    return shape


def update_shape(update: OrderUpdate) -> Json:
    """Return what became of an order, as in `orderUpdates`."""
    return {
        "order": order_brief(update.order, update.remaining),
        "status": update.status,
        "statusTimestamp": update.time_ms,
    }


def order_full(order: VenueOrder, remaining: int | None = None) -> Json:
    """Return an order as in `frontendOpenOrders`: every field present."""
    listing = order.listing
    left = order.remaining if remaining is None else remaining
    return {
        "coin": listing.coin,
        "side": SIDE_LETTER[order.side],
        "limitPx": price_text(listing, order.price),
        "sz": size_text(listing, left),
        "oid": order.oid,
        "timestamp": order.placed_ms,
        "triggerCondition": trigger_condition(order),
        "isTrigger": order.trigger is not None,
        "triggerPx": price_text(listing, order.trigger.price if order.trigger else 0),
        "children": [order_full(child) for child in order.children if child.is_open],
        "isPositionTpsl": order.is_position_tpsl,
        "reduceOnly": order.is_reduce_only,
        "orderType": order.order_type,
        "origSz": size_text(listing, order.original),
        "tif": order.tif,
        "cloid": order.cloid,
    }


def trigger_condition(order: VenueOrder) -> str:
    """Say what wakes an order, as a person reads it."""
    if order.trigger is None:
        return "N/A"
    where = "above" if order.trigger.is_above else "below"
    return f"Price {where} {order.listing.instrument.print_price(order.trigger.price)}"


def order_record(order: VenueOrder) -> Json:
    """Return an order with its state, as in `orderStatus` and `historicalOrders`."""
    return {
        "order": order_full(order),
        "status": order.status,
        "statusTimestamp": order.status_ms,
    }


def update_record(update: OrderUpdate) -> Json:
    """Return what became of an order, as in `userHistoricalOrders`."""
    return {
        "order": order_full(update.order, update.remaining),
        "status": update.status,
        "statusTimestamp": update.time_ms,
    }


# Fills and trades


def fill_shape(fill: UserFill) -> Json:
    """Return a fill as its owner sees it."""
    listing = fill.listing
    shape: Json = {
        "coin": listing.coin,
        "px": price_text(listing, fill.price),
        "sz": size_text(listing, fill.size),
        "side": SIDE_LETTER[fill.side],
        "time": fill.time_ms,
        "startPosition": size_text(listing, fill.start_position),
        "dir": fill.direction,
        "closedPnl": usd_text(fill.closed_pnl),
        "hash": fill.hash,
        "oid": fill.oid,
        "crossed": fill.is_taker,
        "fee": usd_text(fill.fee),
    }
    if fill.builder_fee:
        shape["builderFee"] = usd_text(fill.builder_fee)
    shape["tid"] = fill.tid
    if fill.cloid is not None:
        shape["cloid"] = fill.cloid
    if fill.liquidation is not None:
        shape["liquidation"] = {
            "liquidatedUser": fill.liquidation.user,
            "markPx": price_text(listing, fill.liquidation.mark_price),
            "method": fill.liquidation.method,
        }
    shape["feeToken"] = "USDC"
    shape["twapId"] = fill.twap_id
    return shape


def slice_shape(fill: UserFill) -> Json:
    """Return a fill of a TWAP."""
    return {"fill": fill_shape(fill), "twapId": fill.twap_id}


def aggregate_fills(fills: Sequence[UserFill]) -> list[Json]:
    """Return fills with those of one order at one time summed; the price is their mean."""
    groups: dict[tuple[int, int], list[UserFill]] = {}
    for fill in fills:
        groups.setdefault((fill.oid, fill.time_ms), []).append(fill)
    shown = []
    for parts in groups.values():
        first, size = parts[0], sum(part.size for part in parts)
        shape = fill_shape(first)
        if len(parts) > 1:
            paid = sum(part.price * part.size for part in parts)
            scale = 10 ** (RATIO_DECIMALS - first.listing.instrument.price_decimals)
            shape["px"] = decimal_text((paid * scale + size // 2) // size, RATIO_DECIMALS)
            shape["sz"] = size_text(first.listing, size)
            shape["closedPnl"] = usd_text(sum(part.closed_pnl for part in parts))
            shape["fee"] = usd_text(sum(part.fee for part in parts))
            if first.builder_fee:
                shape["builderFee"] = usd_text(sum(part.builder_fee for part in parts))
        shown.append(shape)
    return shown


def trade_shape(listing: Listing, trade: Trade) -> Json:
    """Return a trade of the public feed."""
    return {
        "coin": listing.coin,
        "side": SIDE_LETTER[trade.side],
        "px": price_text(listing, trade.price),
        "sz": size_text(listing, trade.size),
        "time": trade.time_ms,
        "hash": trade.hash,
        "tid": trade.tid,
        "users": [trade.buyer, trade.seller],
    }


def candle_shape(listing: Listing, interval: str, end_ms: int, candle: Candle) -> Json:
    """Return a candle that ends just before `end_ms`."""
    return {
        "t": candle.start_ms,
        "T": end_ms - 1,
        "s": listing.coin,
        "i": interval,
        "o": price_text(listing, candle.open),
        "c": price_text(listing, candle.close),
        "h": price_text(listing, candle.high),
        "l": price_text(listing, candle.low),
        "v": size_text(listing, candle.volume),
        "n": candle.count,
    }


# Market data


def level_shape(listing: Listing, level: tuple[int, int, int]) -> Json:
    """Return one level of a book or of the best quote."""
    price, size, count = level
    return {"px": price_text(listing, price), "sz": size_text(listing, size), "n": count}


def book_shape(listing: Listing, time_ms: int, depth: int) -> Json:
    """Return the best levels of a book."""
    return {
        "coin": listing.coin,
        "time": time_ms,
        "levels": [
            [level_shape(listing, level) for level in half.levels(depth)]
            for half in (listing.book.bids, listing.book.asks)
        ],
    }


def bbo_shape(listing: Listing, time_ms: int) -> Json:
    """Return the best quotes; a side that is empty is null."""
    return {
        "coin": listing.coin,
        "time": time_ms,
        "bbo": [level_shape(listing, level) if level else None for level in listing.book.touch()],
    }


def mid_text(listing: Listing) -> str | None:
    """Print the middle of the book, with the half tick that it may hold."""
    bid, ask = listing.book.touch()
    if not bid or not ask:
        return None
    return decimal_text((bid[0] + ask[0]) * 5, listing.instrument.price_decimals + 1)


def context_shape(listing: Listing, rules: "Rules", now_ms: int) -> Json:
    """Return the context of a market."""
    bid, ask = listing.impact_price(Side.BUY), listing.impact_price(Side.SELL)
    oracle, rule = listing.oracle_price, listing.instrument
    is_full = bool(bid and ask and oracle)
    premium = listing.premium(is_one_sided=rules.has_one_sided_premium)
    lots, notional, day_before = listing.day(now_ms)
    return {
        "funding": funding_text(listing.funding),
        "openInterest": size_text(listing, listing.open_interest),
        "prevDayPx": price_text(listing, day_before),
        "dayNtlVlm": usd_text(notional),
        "premium": None if premium is None else ratio_text(premium),
        "oraclePx": decimal_text(round(oracle), rule.price_decimals),
        "markPx": price_text(listing, listing.mark_price),
        "midPx": mid_text(listing) if is_full else None,
        "impactPxs": [price_text(listing, bid), price_text(listing, ask)] if bid and ask else None,
        "dayBaseVlm": size_text(listing, lots),
    }


def universe_entry(listing: Listing, table: int, *, is_growing: bool = False) -> Json:
    """Return a market's entry in `meta`, with the id of its margin table."""
    rule = listing.instrument
    entry: Json = {
        "szDecimals": rule.size_decimals,
        "name": listing.coin,
        "maxLeverage": rule.max_leverage,
        "marginTableId": table,
    }
    if rule.is_isolated_only:
        entry["onlyIsolated"] = True
        if listing.is_strict:
            entry["marginMode"] = "strictIsolated"
    if is_growing:
        entry["growthMode"] = "enabled"
        entry["lastGrowthModeChangeTime"] = ZERO_TIME
    return entry


def funding_text(rate: int) -> str:
    """Print a funding rate in 1e-12 with the exchange's ten decimals."""
    return ratio_text(rate / CONTEXT_UNITS)
