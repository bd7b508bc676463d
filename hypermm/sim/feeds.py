"""Frames of the socket's channels: the first one of a subscription, and those of each block.

A frame is encoded once for all its readers, and nothing is made that nobody reads. Subscriptions
are found by (type, coin or user), so that a block costs what changed, not what is subscribed.
"""

import base64
import zlib
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from hypermm._core.rows import CONTEXT, LEVEL, QUOTE, TOP, Rows
from hypermm.sim import (
    about_accounts,
    about_dexs,
    about_markets,
    about_orders,
    about_relations,
    about_spot,
    about_twaps,
    ask,
    rules,
    shapes,
    told,
)
from hypermm.sim.candles import INTERVALS_MS, Running
from hypermm.sim.json_text import dumps
from hypermm.sim.listing import Listing
from hypermm.sim.subscriptions import Json, Subscription

if TYPE_CHECKING:
    from hypermm.sim.exchange import Block, Exchange

Topics = dict[tuple[str, str], list[Subscription]]
SNAPSHOT_FILLS = 2_000
SPOT_TYPES = frozenset({"activeAssetCtx", "bbo", "candle", "l2Book", "trades"})
# Pushed whole every few seconds, whether anything changed or not.
WHOLE = frozenset(
    {
        "allDexsAssetCtxs",
        "allDexsClearinghouseState",
        "allMids",
        "assetCtxs",
        "clearinghouseState",
        "openOrders",
        "spotAssetCtxs",
        "spotState",
        "twapStates",
        "webData3",
    }
)


def frame(channel: str, data: Any) -> str:
    """Encode a frame."""
    return dumps({"channel": channel, "data": data})


class Feeds:
    """Makes the frames of a venue's channels."""

    def __init__(self, exchange: "Exchange") -> None:
        self._exchange = exchange
        self._due_ms: dict[Subscription, int] = {}  # of those that are pushed by the clock
        self._asset_data: dict[Subscription, Json] = {}
        self._candles: dict[tuple[str, str], Running] = {}  # by coin and interval
        self._prices: Json = {}  # what `fastAssetCtxs` told last
        self._first: dict[str, Callable[[Json], Any]] = {
            "activeAssetCtx": self._context,
            "activeAssetData": lambda fields: about_accounts.asset_data(exchange, fields),
            "allDexsAssetCtxs": self._all_contexts,
            "allDexsClearinghouseState": self._all_states,
            "allMids": self._mids,
            "assetCtxs": self._contexts,
            "bbo": self._bbo,
            "candle": self._candle,
            "clearinghouseState": self._state,
            "fastAssetCtxs": lambda _: _deflated(self._all_prices()),
            "l2Book": self._book,
            "openOrders": self._orders,
            "spotAssetCtxs": lambda _: [about_spot.context()],
            "spotState": self._spot_state,
            "trades": self._trades,
            "twapStates": self._twaps,
            "userFills": self._fills,
            "userFundings": self._fundings,
            "userHistoricalOrders": self._history,
            "userNonFundingLedgerUpdates": self._ledger,
            "userTwapHistory": lambda fields: _snapshot(
                fields, "history", about_twaps.history(exchange, fields)
            ),
            "userTwapSliceFills": self._slices,
            "webData3": self._web_data,
        }

    def is_valid(self, subscription: Subscription) -> bool:
        """Whether what it names exists."""
        fields = subscription.fields
        if "coin" in fields and fields["coin"] not in self._exchange.by_coin:
            return fields["coin"] == about_spot.PAIR and fields["type"] in SPOT_TYPES
        if fields["type"] == "candle" and fields["interval"] not in INTERVALS_MS:
            return False
        if fields.get("dex") and fields["dex"] not in self._exchange.dexs:
            return False
        if fields["type"] == "l2Book":
            try:
                about_markets.aggregation(fields)
            except about_markets.AggregationError:
                return False
        return True

    def first_frame(self, subscription: Subscription) -> str | None:
        """Return what a new subscriber gets at once, None for channels that start silent."""
        fields = subscription.fields
        make = self._first.get(fields["type"])
        if make is None:
            return None
        data = make(fields)
        return None if data is None else frame(_channel(fields), data)

    def watch(self, subscription: Subscription) -> None:
        """Keep what a subscription with its first reader needs from now on."""
        every_ms = self._every_ms(subscription)
        if every_ms:
            self._due_ms[subscription] = self._exchange.now_ms + every_ms
        if subscription.fields["type"] == "fastAssetCtxs":
            self._prices = self._all_prices()

    def forget(self, subscription: Subscription) -> None:
        """Drop what is kept for a subscription that has no reader left."""
        self._due_ms.pop(subscription, None)
        self._asset_data.pop(subscription, None)

    def _every_ms(self, subscription: Subscription) -> int:
        kind, rules = subscription.fields["type"], self._exchange.rules
        if kind == "fastAssetCtxs":
            return rules.context_ms
        return rules.slow_push_ms if kind in WHOLE else 0

    # Data of markets

    def _listing(self, fields: Json) -> Listing:
        return self._exchange.by_coin[fields["coin"]]

    def _bbo(self, fields: Json) -> Json:
        if fields["coin"] == about_spot.PAIR:
            return {"coin": about_spot.PAIR, "time": self._exchange.now_ms, "bbo": [None, None]}
        return shapes.bbo_shape(self._listing(fields), self._exchange.now_ms)

    def _trades(self, fields: Json) -> list[Json]:
        if fields["coin"] == about_spot.PAIR:
            return []
        return about_markets.recent_trades(self._listing(fields))

    def _context(self, fields: Json) -> Json:
        if fields["coin"] == about_spot.PAIR:
            return {"coin": about_spot.PAIR, "ctx": about_spot.context()}
        listing, venue = self._listing(fields), self._exchange
        context = shapes.context_shape(listing, venue.rules, venue.now_ms)
        return {"coin": listing.coin, "ctx": context}

    def _contexts(self, fields: Json) -> Json:
        return {"dex": fields["dex"], "ctxs": about_dexs.contexts(self._exchange, fields)}

    def _all_contexts(self, _fields: Json) -> Json:
        venue = self._exchange
        return {"ctxs": [[dex, about_dexs.contexts(venue, {"dex": dex})] for dex in venue.dexs]}

    def _mids(self, fields: Json) -> Json:
        mids = {"mids": about_markets.all_mids(self._exchange, fields)}
        return {"dex": fields["dex"], **mids} if "dex" in fields else mids

    def _all_prices(self) -> Json:
        return {
            listing.coin: {
                "markPx": shapes.price_text(listing, listing.mark_price),
                "midPx": shapes.mid_text(listing),
            }
            for listing in self._exchange.listings.values()
        }

    def _candle(self, fields: Json) -> Json | None:
        if fields["coin"] == about_spot.PAIR:
            return None
        listing, interval = self._listing(fields), fields["interval"]
        running = self._candles.setdefault((listing.coin, interval), Running(interval))
        found = running.read(listing.candles)
        return shapes.candle_shape(listing, interval, found[1], found[0]) if found else None

    def _book(self, fields: Json) -> Json:
        if fields["coin"] == about_spot.PAIR:
            return about_spot.empty_book(self._exchange)
        depth = rules.FAST_BOOK_LEVELS if fields["fast"] else rules.DEEP_BOOK_LEVELS
        book = about_markets.book(self._exchange, self._listing(fields), fields, depth)
        return {**book, "fast": True} if fields["fast"] else book

    # Data of users

    def _state(self, fields: Json) -> Json:
        state = about_accounts.state(self._exchange, fields)
        return {"dex": fields["dex"], "user": fields["user"], "clearinghouseState": state}

    def _all_states(self, fields: Json) -> Json:
        states = [
            [dex, about_accounts.state(self._exchange, {**fields, "dex": dex})]
            for dex in self._exchange.dexs
        ]
        return {"user": fields["user"], "clearinghouseStates": states}

    def _spot_state(self, fields: Json) -> Json:
        return {"user": fields["user"], "spotState": about_spot.state(self._exchange, fields)}

    def _orders(self, fields: Json) -> Json:
        orders = about_orders.frontend_open_orders(self._exchange, fields)
        return {"dex": fields["dex"], "user": fields["user"], "orders": orders}

    def _twaps(self, fields: Json) -> Json:
        states = about_twaps.states(self._exchange, fields)
        return {"dex": fields["dex"], "user": fields["user"], "states": states}

    def _fills(self, fields: Json) -> Json:
        fills = about_orders.fills(self._exchange, fields)[-SNAPSHOT_FILLS:]
        shown = about_orders.shown(fills, is_aggregated=fields["aggregateByTime"])
        if not self._exchange.rules.are_old_fills_first:
            shown.reverse()
        return _snapshot(fields, "fills", shown)

    def _slices(self, fields: Json) -> Json:
        fills = about_orders.slices(self._exchange, fields)[-SNAPSHOT_FILLS:]
        return _snapshot(fields, "twapSliceFills", fills)

    def _history(self, fields: Json) -> Json:
        records = about_orders.historical_orders(self._exchange, fields)
        return _snapshot(fields, "orderHistory", records)

    def _fundings(self, fields: Json) -> Json:
        account = ask.account(self._exchange, fields)
        paid = list(account.fundings)[-SNAPSHOT_FILLS:] if account else []
        shown = [about_accounts.flat_funding(payment) for payment in paid]
        return _snapshot(fields, "fundings", shown)

    def _ledger(self, fields: Json) -> Json:
        account = ask.account(self._exchange, fields)
        return _snapshot(fields, "nonFundingLedgerUpdates", about_accounts.ledger_updates(account))

    def _web_data(self, fields: Json) -> Json:
        venue = self._exchange
        account = ask.account(venue, fields)
        dexs = [{"totalVaultEquity": "0.0", **about_dexs.capped(venue, dex)} for dex in venue.dexs]
        user = {
            **about_relations.agent_fields(account),
            "serverTime": venue.now_ms,
            "isVault": False,
            "user": fields["user"],
        }
        return {"userState": user, "perpDexStates": dexs}

    # Frames of a block

    def block_frames(self, block: "Block", topics: Topics) -> Iterator[tuple[Subscription, str]]:
        """Yield each changed subscription of `topics` with its frame; of the latest block only."""
        for coin, rows in block.rows.items():
            yield from self._coin_frames(coin, rows, block, topics)
        for user, news in block.news.items():
            for kind, payloads in told.PAYLOADS.items():
                for subscription in topics.get((kind, user), ()):
                    for payload in payloads(subscription.fields, news):
                        yield subscription, frame(_channel(subscription.fields), payload)

    def _coin_frames(
        self, coin: str, rows: Rows, block: "Block", topics: Topics
    ) -> Iterator[tuple[Subscription, str]]:
        def of(kind: str) -> Sequence[Subscription]:
            return topics.get((kind, coin), ())

        listing = self._exchange.by_coin[coin]
        kinds, flags = rows.array["kind"], rows.array["flags"]
        trades = block.trades.get(coin, ())
        if trades:
            for subscription in of("trades"):
                shown = [shapes.trade_shape(listing, trade) for trade in trades]
                yield subscription, frame("trades", shown)
            for subscription in of("candle"):
                yield subscription, frame("candle", self._candle(subscription.fields))
        if of("bbo") and (kinds == QUOTE).any():
            for subscription in of("bbo"):
                yield subscription, frame("bbo", shapes.bbo_shape(listing, block.time_ms))
        if of("l2Book") and (kinds == LEVEL).any():
            is_top = flags[kinds == LEVEL] & TOP > 0
            for subscription in of("l2Book"):
                fields = subscription.fields
                if is_top.any() if fields["fast"] else not is_top.all():
                    yield subscription, frame("l2Book", self._book(fields))
        if of("activeAssetCtx") and (kinds == CONTEXT).any():
            for subscription in of("activeAssetCtx"):
                yield subscription, frame("activeAssetCtx", self._context(subscription.fields))
        for subscription in of("activeAssetData"):
            data = about_accounts.asset_data(self._exchange, subscription.fields)
            if data is not None and data != self._asset_data.get(subscription):
                self._asset_data[subscription] = data
                yield subscription, frame("activeAssetData", data)

    def slow_frames(self) -> Iterator[tuple[Subscription, str]]:
        """Yield the subscriptions that the clock pushes, when they are due."""
        now_ms = self._exchange.now_ms
        for subscription, due_ms in self._due_ms.items():
            if now_ms < due_ms:
                continue
            self._due_ms[subscription] = now_ms + self._every_ms(subscription)
            if subscription.fields["type"] == "fastAssetCtxs":
                shown = self._price_changes()
            else:
                shown = self.first_frame(subscription)
            if shown is not None:
                yield subscription, shown

    def _price_changes(self) -> str | None:
        """Return the prices that changed since they were told, None if none did."""
        before, self._prices = self._prices, self._all_prices()
        changes: Json = {}
        for coin, prices in self._prices.items():
            old = before.get(coin, {})
            changed = {key: text for key, text in prices.items() if text != old.get(key, "")}
            if changed:
                changes[coin] = changed
        return frame("fastAssetCtxs", _deflated(changes)) if changes else None


def _channel(fields: Json) -> str:
    kind: str = fields["type"]
    if kind == "activeAssetCtx" and fields["coin"] == about_spot.PAIR:
        return "activeSpotAssetCtx"
    return "user" if kind == "userEvents" else kind


def _snapshot(fields: Json, name: str, items: list[Json]) -> Json:
    return {"isSnapshot": True, "user": fields["user"], name: items}


def _deflated(data: Json) -> str:
    """Return JSON as base64 of a raw deflate stream."""
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return base64.b64encode(packer.compress(dumps(data).encode()) + packer.flush()).decode()
