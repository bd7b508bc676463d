"""Accounts as the wire shows them: money cut to six decimals, positions, what could be traded."""

from typing import TYPE_CHECKING

from hypermm.sim.listing import Listing
from hypermm.sim.shapes import Json, price_text, ratio_text, size_text, usd_text

if TYPE_CHECKING:
    from hypermm.sim.accounts import Account
    from hypermm.sim.pools import Pool, Position


def leverage_shape(position: "Position") -> Json:
    """Return margin mode and leverage of a position."""
    if position.is_cross:
        return {"type": "cross", "value": position.leverage}
    return {"type": "isolated", "value": position.leverage, "rawUsd": usd_text(position.raw)}


def _liquidation_text(pool: "Pool", position: "Position") -> str | None:
    """Print the price that liquidates, None if no positive price does."""
    rule = position.listing.instrument
    side = 1 if position.size > 0 else -1
    if position.is_cross:
        own = pool.cross_value - pool.maintenance_margin
    else:
        own = position.equity - position.maintenance_margin
    rate = 1 / (2 * position.listing.leverage_max(abs(position.value)))
    price = position.listing.mark_price - side * own / abs(position.size) / (1 - rate * side)
    return ratio_text(price / 10**rule.price_decimals) if price > 0 else None


def position_shape(pool: "Pool", position: "Position") -> Json:
    """Return one position as in `clearinghouseState`."""
    listing = position.listing
    entry = round(position.cost / position.size)
    margin_at_entry = abs(position.cost) / position.leverage
    return {
        "coin": listing.coin,
        "szi": size_text(listing, position.size),
        "leverage": leverage_shape(position),
        "entryPx": price_text(listing, entry),
        "positionValue": usd_text(abs(position.value)),
        "unrealizedPnl": usd_text(position.unrealized_pnl),
        "returnOnEquity": ratio_text(position.unrealized_pnl / margin_at_entry),
        "liquidationPx": _liquidation_text(pool, position),
        "marginUsed": usd_text(position.margin_used),
        "maxLeverage": listing.instrument.max_leverage,
        "cumFunding": {
            "allTime": usd_text(position.funding),
            "sinceOpen": usd_text(position.funding_since_open),
            "sinceChange": usd_text(position.funding_since_change),
        },
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
    pool = account.pool(dex)
    held = [p for p in pool.positions.values() if p.size != 0]
    cross = [p for p in held if p.is_cross]
    raw = pool.cash + sum(p.raw for p in held if not p.is_cross)
    return {
        "marginSummary": _summary(
            pool.value,
            sum(abs(p.value) for p in held),
            raw,
            sum(p.margin_used for p in held),
        ),
        "crossMarginSummary": _summary(
            pool.cross_value,
            sum(abs(p.value) for p in cross),
            pool.cash,
            sum(p.margin_used for p in cross),
        ),
        "crossMaintenanceMarginUsed": usd_text(sum(p.maintenance_margin for p in cross)),
        "withdrawable": usd_text(pool.withdrawable),
        "assetPositions": [
            {"type": "oneWay", "position": position_shape(pool, p)}
            for p in held
            if p.listing.instrument.dex == dex
        ],
        "time": time_ms,
    }


def asset_data_shape(account: "Account", listing: Listing) -> Json:
    """Return `activeAssetData`: what the account could trade in a market."""
    position = account.position(listing)
    pool = account.pool_of(listing)
    free = max(pool.cross_value - pool.margin_required(), 0)
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
