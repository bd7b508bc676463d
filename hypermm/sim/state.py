"""All that a person who debugs a client wants to see of a venue, as JSON. No signature is in it."""

from typing import TYPE_CHECKING, Any

from hypermm.hyperliquid.actions import plain
from hypermm.messages import Side
from hypermm.sim import shapes
from hypermm.sim.limits import OFF, PER_ACCOUNT, PER_IP
from hypermm.sim.rules import DEEP_BOOK_LEVELS, open_orders_max

if TYPE_CHECKING:
    from hypermm.sim.accounts import Account
    from hypermm.sim.listing import Listing
    from hypermm.sim.server import Server

Json = dict[str, Any]
LEVELS_SHOWN = 10
TRADES_SHOWN = 10
ACCOUNTS_SHOWN = 50
ORDERS_SHOWN = 100
SOCKETS_SHOWN = 50


def describe(server: "Server") -> Json:
    """Return the state: time, markets, accounts, recent actions, faults, limits, sockets."""
    exchange = server.exchange
    accounts = list(exchange.accounts.by_address.values())
    connections = sorted(server.hub.connections, key=lambda each: -each.frames)
    return {
        "time": exchange.now_ms,
        "blockMs": exchange.block_ms,
        "speed": server.pace.speed,
        "isOver": exchange.is_over,
        "defects": list(server.defects),
        "markets": [_market(listing) for listing in exchange.listings.values()],
        "accounts": [_account(server, account) for account in accounts[:ACCOUNTS_SHOWN]],
        "accountsCount": len(accounts),
        "actions": [
            {
                "time": time_ms,
                "signer": signer,
                "action": plain(action),
                "reply": reply,
            }
            for time_ms, signer, action, reply in reversed(server.recent)
        ],
        "faults": [
            {
                "fault": fault.text,
                "state": _phase(server, fault),
                "start": fault.start_ms,
                "end": None if fault.end_ms >= OFF else fault.end_ms,
                "strikes": fault.strikes,
            }
            for fault in server.faults.all
        ],
        "limits": _limits(server),
        "sockets": [
            {
                "ip": connection.ip,
                "subscriptions": [s.fields for s in connection.subscriptions],
                "posts": len(connection.posts),
                "frames": connection.frames,
                "queuedBytes": connection.queued_bytes,
                "isHalfOpen": connection.is_half_open,
            }
            for connection in connections[:SOCKETS_SHOWN]
        ],
        "socketsCount": len(connections),
    }


def _market(listing: "Listing") -> Json:
    def side(which: Side) -> list[list[Any]]:
        levels = listing.book.half(which).levels(DEEP_BOOK_LEVELS)
        return [
            [shapes.price_text(listing, price), shapes.size_text(listing, size), count]
            for price, size, count in levels[:LEVELS_SHOWN]
        ]

    return {
        "coin": listing.coin,
        "asset": listing.asset,
        "isHalted": listing.is_halted,
        "markPx": shapes.price_text(listing, listing.mark_price),
        "oraclePx": shapes.price_text(listing, round(listing.oracle_price)),
        "openInterest": shapes.size_text(listing, listing.open_interest),
        "bids": side(Side.BUY),
        "asks": side(Side.SELL),
        "trades": [
            shapes.trade_shape(listing, trade) for trade in list(listing.trades)[-TRADES_SHOWN:]
        ],
    }


def _account(server: "Server", account: "Account") -> Json:
    ask = server.exchange.info
    user = account.address
    states = {
        dex: ask({"type": "clearinghouseState", "user": user, "dex": dex})
        for dex in server.exchange.dexs
    }
    return {
        "user": user,
        "agents": [{"name": a.name, "address": a.address} for a in account.agents.values()],
        "states": states,
        "orders": [
            order
            for dex in server.exchange.dexs
            for order in ask({"type": "frontendOpenOrders", "user": user, "dex": dex})
        ][:ORDERS_SHOWN],
        "ordersCount": len(account.orders),
        "volume": shapes.usd_text(account.volume),
        "fills": [shapes.fill_shape(fill) for fill in list(account.fills)[-TRADES_SHOWN:]],
    }


def _phase(server: "Server", fault: Any) -> str:
    if fault.is_on:
        return "on"
    return "waiting" if fault in server.faults.waiting else "over"


def _limits(server: "Server") -> list[Json]:
    """Return every limit with what is used of it, the most used one of an address or account."""
    exchange, now_secs = server.exchange, server.exchange.now_ms / 1_000.0
    rows = []
    for ip, usage in server.usages.items() or [("-", None)]:
        used = {
            "ip-weight": usage.weight.read(now_secs),
            "connections": usage.connections,
            "connects": usage.connects.read(now_secs),
            "subscriptions": usage.subscriptions,
            "users": len(usage.users),
            "messages": usage.messages.read(now_secs),
            "posts": usage.posts,
        } if usage is not None else {}  # fmt: skip
        for name, attribute in PER_IP.items():
            limit = getattr(server.limits, attribute)
            rows.append(_limit(name, ip, used.get(name), limit))
    nonces_max = getattr(exchange.rules, PER_ACCOUNT["nonces"])
    for address, account in list(exchange.accounts.by_address.items())[:ACCOUNTS_SHOWN]:
        cap = account.requests_cap
        orders_max = open_orders_max(exchange.rules.open_orders, account.volume)
        rows.append(_limit("address-budget", address, account.requests, cap))
        rows.append(_limit("open-orders", address, len(account.orders), orders_max))
        kept = exchange.accounts.nonces(address).kept
        rows.append(_limit("nonces", address, kept, nonces_max))
    return rows


def _limit(name: str, of: str, used: int | None, limit: float) -> Json:
    return {"name": name, "of": of, "used": used, "limit": None if limit >= OFF else limit}
