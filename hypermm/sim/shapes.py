"""The venue's values as the wire shows them. Numbers are strings printed like floats: `64000.0`.

Times and ids are numbers. Optional keys that do not apply are absent from the short forms and
null in the long ones.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from hypermm.instrument import MAX_PERP_DECIMALS, print_decimal
from hypermm.messages import Side
from hypermm.sim.listing import BASE_FUNDING, Candle, Listing
from hypermm.sim.orders import OrderUpdate, Trade, UserFill, VenueOrder

if TYPE_CHECKING:
    from hypermm.sim.accounts import Account, Position
    from hypermm.sim.rules import Rules

Json = dict[str, Any]
SIDE_LETTER = {Side.BUY: "B", Side.SELL: "A"}
FUNDING_DECIMALS = 12
RATIO_DECIMALS = 10


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
        "triggerCondition": "N/A",
        "isTrigger": False,
        "triggerPx": "0.0",
        "children": [],
        "isPositionTpsl": False,
        "reduceOnly": order.is_reduce_only,
        "orderType": "Market" if order.tif == "FrontendMarket" else "Limit",
        "origSz": size_text(listing, order.original),
        "tif": order.tif,
        "cloid": order.cloid,
    }


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
        "tid": fill.tid,
    }
    if fill.cloid is not None:
        shape["cloid"] = fill.cloid
    shape["feeToken"] = "USDC"
    shape["twapId"] = None
    return shape


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


def context_shape(listing: Listing, rules: "Rules") -> Json:
    """Return the context of a market."""
    bid, ask = listing.impact_price(Side.BUY), listing.impact_price(Side.SELL)
    oracle, rule = listing.oracle_price, listing.instrument
    is_full = bool(bid and ask and oracle)
    premium = listing.premium(is_one_sided=rules.has_one_sided_premium)
    lots = listing.day_volume + listing.traded_lots
    reference = listing.first_price or listing.mark_price
    notional = listing.day_volume * reference + listing.traded_notional
    return {
        "funding": decimal_text(listing.funding, FUNDING_DECIMALS),
        "openInterest": size_text(listing, listing.open_interest),
        "prevDayPx": price_text(listing, reference),
        "dayNtlVlm": usd_text(notional),
        "premium": None if premium is None else ratio_text(premium),
        "oraclePx": decimal_text(round(oracle), rule.price_decimals),
        "markPx": price_text(listing, listing.mark_price),
        "midPx": mid_text(listing) if is_full else None,
        "impactPxs": [price_text(listing, bid), price_text(listing, ask)] if bid and ask else None,
        "dayBaseVlm": size_text(listing, lots),
    }


def universe_entry(listing: Listing) -> Json:
    """Return a market's entry in `meta`."""
    rule = listing.instrument
    entry: Json = {
        "szDecimals": rule.size_decimals,
        "name": listing.coin,
        "maxLeverage": rule.max_leverage,
        "marginTableId": rule.max_leverage,
    }
    if rule.is_isolated_only:
        entry["onlyIsolated"] = True
    return entry


# Accounts


def leverage_shape(position: "Position") -> Json:
    """Return margin mode and leverage of a position."""
    if position.is_cross:
        return {"type": "cross", "value": position.leverage}
    return {"type": "isolated", "value": position.leverage, "rawUsd": usd_text(position.raw)}


def _liquidation_text(account: "Account", position: "Position") -> str | None:
    """Print the price that liquidates, None if no positive price does."""
    rule = position.listing.instrument
    side = 1 if position.size > 0 else -1
    if position.is_cross:
        own = account.cross_value - sum(
            p.maintenance_margin for p in account.positions.values() if p.is_cross
        )
    else:
        own = position.equity - position.maintenance_margin
    rate = 1 / (2 * rule.max_leverage)
    price = position.listing.mark_price - side * own / abs(position.size) / (1 - rate * side)
    return ratio_text(price / 10**rule.price_decimals) if price > 0 else None


def position_shape(account: "Account", position: "Position") -> Json:
    """Return one position as in `clearinghouseState`."""
    listing = position.listing
    entry = round(position.cost / position.size)
    margin_at_entry = abs(position.cost) / position.leverage
    nothing = {"allTime": "0.0", "sinceOpen": "0.0", "sinceChange": "0.0"}
    return {
        "coin": listing.coin,
        "szi": size_text(listing, position.size),
        "leverage": leverage_shape(position),
        "entryPx": price_text(listing, entry),
        "positionValue": usd_text(abs(position.value)),
        "unrealizedPnl": usd_text(position.unrealized_pnl),
        "returnOnEquity": ratio_text(position.unrealized_pnl / margin_at_entry),
        "liquidationPx": _liquidation_text(account, position),
        "marginUsed": usd_text(position.margin_used),
        "maxLeverage": listing.instrument.max_leverage,
        "cumFunding": nothing,
    }


def _summary(value: int, notional: int, raw: int, margin: int) -> Json:
    return {
        "accountValue": usd_text(value),
        "totalNtlPos": usd_text(notional),
        "totalRawUsd": usd_text(raw),
        "totalMarginUsed": usd_text(margin),
    }


def state_shape(account: "Account | None", dex: str, time_ms: int) -> Json:
    """Return `clearinghouseState`: balances and positions of one dex; zeros for a stranger."""
    if account is None:
        zeros = _summary(0, 0, 0, 0)
        return {
            "marginSummary": zeros,
            "crossMarginSummary": zeros,
            "crossMaintenanceMarginUsed": "0.0",
            "withdrawable": "0.0",
            "assetPositions": [],
            "time": time_ms,
        }
    held = [p for p in account.positions.values() if p.size != 0]
    cross = [p for p in held if p.is_cross]
    raw = account.cash + sum(p.raw for p in held if not p.is_cross)
    return {
        "marginSummary": _summary(
            account.value,
            sum(abs(p.value) for p in held),
            raw,
            sum(p.margin_used for p in held),
        ),
        "crossMarginSummary": _summary(
            account.cross_value,
            sum(abs(p.value) for p in cross),
            account.cash,
            sum(p.margin_used for p in cross),
        ),
        "crossMaintenanceMarginUsed": usd_text(sum(p.maintenance_margin for p in cross)),
        "withdrawable": usd_text(account.withdrawable),
        "assetPositions": [
            {"type": "oneWay", "position": position_shape(account, p)}
            for p in held
            if p.listing.instrument.dex == dex
        ],
        "time": time_ms,
    }


def asset_data_shape(account: "Account", listing: Listing) -> Json:
    """Return `activeAssetData`: what the account could trade in a market."""
    position = account.position(listing)
    free = max(account.cross_value - account.margin_required(), 0)
    mark = listing.mark_price
    freed = 2 * abs(position.value) // position.leverage  # closing, then opening the other way
    buy = free + (freed if position.size < 0 else 0)
    sell = free + (freed if position.size > 0 else 0)
    sizes = [amount * position.leverage // mark if mark else 0 for amount in (buy, sell)]
    return {
        "user": account.address,
        "coin": listing.coin,
        "leverage": leverage_shape(position),
        "maxTradeSzs": [size_text(listing, size) for size in sizes],
        "availableToTrade": [usd_text(buy), usd_text(sell)],
        "markPx": price_text(listing, mark),
    }


def funding_text(rate: int = BASE_FUNDING) -> str:
    """Print an hourly funding rate."""
    return decimal_text(rate, FUNDING_DECIMALS)
