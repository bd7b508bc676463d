"""Subscriptions of the socket: their normalised form, first frames, and frames of each block.

A frame is encoded once for all its readers. Subscriptions are found by (type, coin or user), so
that a block costs what changed, not what is subscribed.
"""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from attrs import field, frozen

from hypermm._core.rows import CONTEXT, LEVEL, QUOTE, TOP, Rows
from hypermm.errors import WireError
from hypermm.hyperliquid.actions import canonical_address
from hypermm.sim import about_accounts, about_markets, rules, shapes, told
from hypermm.sim.candles import INTERVALS_MS, aggregate
from hypermm.sim.json_text import dumps
from hypermm.sim.listing import Listing

if TYPE_CHECKING:
    from hypermm.sim.exchange import Block, Exchange

Json = dict[str, Any]
SLOW_PUSH_MS = 5_000
SNAPSHOT_FILLS = 2_000

# Fields of each subscription beside its type, with their defaults; `...` has none.
FIELDS: dict[str, dict[str, Any]] = {
    "activeAssetCtx": {"coin": ...},
    "activeAssetData": {"user": ..., "coin": ...},
    "allMids": {"dex": None},
    "bbo": {"coin": ...},
    "candle": {"coin": ..., "interval": ...},
    "clearinghouseState": {"user": ..., "dex": ""},
    "l2Book": {"coin": ..., "nSigFigs": None, "mantissa": None, "fast": False},
    "notification": {"user": ...},
    "openOrders": {"user": ..., "dex": ""},
    "orderUpdates": {"user": ...},
    "trades": {"coin": ...},
    "userEvents": {"user": ...},
    "userFills": {"user": ..., "aggregateByTime": False},
    "userFundings": {"user": ...},
    "userNonFundingLedgerUpdates": {"user": ...},
}
CHANNELS = {"userEvents": "user"}
SLOW = ("allMids", "clearinghouseState", "openOrders")  # pushed whole every few seconds


def frame(channel: str, data: Any) -> str:
    """Encode a frame."""
    return dumps({"channel": channel, "data": data})


@frozen
class Subscription:
    """A subscription in normalised form; equal ones share their frames."""

    text: str  # the normalised form, encoded: what makes two subscriptions the same
    fields: Json = field(eq=False)

    @property
    def topic(self) -> tuple[str, str]:
        """Type, and the coin or user that it is about."""
        fields = self.fields
        return fields["type"], fields.get("user") or fields.get("coin") or fields.get("dex") or ""

    @property
    def user(self) -> str | None:
        """The user that it is about."""
        return self.fields.get("user")


def read_subscription(asked: Any) -> Subscription:
    """Bring a subscription into normalised form.

    Raises
    ------
    WireError
        If its type is unknown, or a field missing or ill-typed.
    """
    kind = asked.get("type") if isinstance(asked, dict) else None
    known = FIELDS.get(kind) if isinstance(kind, str) else None
    if known is None:
        raise WireError("unknown subscription")
    fields: Json = {"type": kind}
    for name, default in known.items():
        value = asked.get(name)
        value = default if value is None else value
        if value is ...:
            raise WireError(f"{name} is missing")
        if name in {"nSigFigs", "mantissa"}:
            is_good = value is None or (isinstance(value, int) and not isinstance(value, bool))
        elif isinstance(default, bool):
            is_good = isinstance(value, bool)
        else:
            is_good = value is None or isinstance(value, str)
        if not is_good:
            raise WireError(f"{name} has the wrong type")
        fields[name] = canonical_address(value) if name == "user" else value
    if kind == "allMids" and fields["dex"] is None:
        del fields["dex"]
    return Subscription(dumps(fields), fields)


class Feeds:
    """Makes the frames of a venue's channels."""

    def __init__(self, exchange: "Exchange") -> None:
        self._exchange = exchange
        self._pushed_ms: dict[Subscription, int] = {}
        self._asset_data: dict[Subscription, Json] = {}
        self._first: dict[str, Callable[[Json], Any]] = {
            "activeAssetCtx": self._context,
            "activeAssetData": lambda fields: about_accounts.asset_data(exchange, fields),
            "allMids": self._mids,
            "bbo": lambda fields: shapes.bbo_shape(self._listing(fields), exchange.now_ms),
            "candle": self._candle,
            "clearinghouseState": self._state,
            "l2Book": self._book,
            "openOrders": self._orders,
            "trades": lambda fields: about_markets.recent_trades(self._listing(fields)),
            "userFills": self._fills,
            "userFundings": lambda fields: _snapshot(fields, "fundings", []),
            "userNonFundingLedgerUpdates": self._ledger,
        }

    def is_valid(self, subscription: Subscription) -> bool:
        """Whether what it names exists."""
        fields = subscription.fields
        if "coin" in fields and fields["coin"] not in self._exchange.by_coin:
            return False
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

    # Data of the channels

    def _listing(self, fields: Json) -> Listing:
        return self._exchange.by_coin[fields["coin"]]

    def _context(self, fields: Json) -> Json:
        listing = self._listing(fields)
        return {"coin": listing.coin, "ctx": shapes.context_shape(listing)}

    def _mids(self, fields: Json) -> Json:
        mids = {"mids": about_markets.all_mids(self._exchange, fields)}
        return {"dex": fields["dex"], **mids} if "dex" in fields else mids

    def _candle(self, fields: Json) -> Json | None:
        listing, interval = self._listing(fields), fields["interval"]
        minutes = list(listing.candles)[-INTERVALS_MS[interval] // 60_000 :]
        last = None
        for last in aggregate(minutes, interval):  # noqa: B007 - only the last is wanted
            pass
        return shapes.candle_shape(listing, interval, last[1], last[0]) if last else None

    def _book(self, fields: Json) -> Json:
        depth = rules.FAST_BOOK_LEVELS if fields["fast"] else rules.DEEP_BOOK_LEVELS
        book = about_markets.book(self._exchange, self._listing(fields), fields, depth)
        return {**book, "fast": True} if fields["fast"] else book

    def _state(self, fields: Json) -> Json:
        state = about_accounts.state(self._exchange, fields)
        return {"dex": fields["dex"], "user": fields["user"], "clearinghouseState": state}

    def _orders(self, fields: Json) -> Json:
        orders = [
            shapes.order_full(order) for order in about_accounts.open_orders(self._exchange, fields)
        ]
        return {"dex": fields["dex"], "user": fields["user"], "orders": orders}

    def _fills(self, fields: Json) -> Json:
        fills = about_accounts.fills(self._exchange, fields)[-SNAPSHOT_FILLS:]
        return _snapshot(fields, "fills", told.fill_shapes(fields, fills))

    def _ledger(self, fields: Json) -> Json:
        account = self._exchange.accounts.get(fields["user"])
        return _snapshot(fields, "nonFundingLedgerUpdates", about_accounts.ledger_updates(account))

    # Frames of a block

    def block_frames(
        self, block: "Block", topics: dict[tuple[str, str], list[Subscription]]
    ) -> Iterator[tuple[Subscription, str]]:
        """Yield each changed subscription of `topics` with its frame; of the latest block only."""
        for coin, rows in block.rows.items():
            yield from self._coin_frames(coin, rows, block, topics)
        for user, news in block.news.items():
            for kind, payloads in told.PAYLOADS.items():
                for subscription in topics.get((kind, user), ()):
                    for payload in payloads(subscription.fields, news):
                        yield subscription, frame(CHANNELS.get(kind, kind), payload)

    def _coin_frames(
        self,
        coin: str,
        rows: Rows,
        block: "Block",
        topics: dict[tuple[str, str], list[Subscription]],
    ) -> Iterator[tuple[Subscription, str]]:
        array = rows.array
        kinds = array["kind"]
        listing = self._exchange.by_coin[coin]
        trades = block.trades.get(coin, ())
        if trades:
            for subscription in topics.get(("trades", coin), ()):
                shown = [shapes.trade_shape(listing, trade) for trade in trades]
                yield subscription, frame("trades", shown)
            for subscription in topics.get(("candle", coin), ()):
                yield subscription, frame("candle", self._candle(subscription.fields))
        if (kinds == QUOTE).any():
            for subscription in topics.get(("bbo", coin), ()):
                yield subscription, frame("bbo", shapes.bbo_shape(listing, block.time_ms))
        is_level = kinds == LEVEL
        if is_level.any():
            is_top = array["flags"][is_level] & TOP > 0
            for subscription in topics.get(("l2Book", coin), ()):
                fields = subscription.fields
                if is_top.any() if fields["fast"] else not is_top.all():
                    yield subscription, frame("l2Book", self._book(fields))
        if (kinds == CONTEXT).any():
            for subscription in topics.get(("activeAssetCtx", coin), ()):
                yield subscription, frame("activeAssetCtx", self._context(subscription.fields))

    def slow_frames(
        self, topics: dict[tuple[str, str], list[Subscription]]
    ) -> Iterator[tuple[Subscription, str]]:
        """Yield the channels that are pushed whole every few seconds, and those on change."""
        now_ms = self._exchange.now_ms
        for (kind, _), subscriptions in topics.items():
            for subscription in subscriptions:
                if kind in SLOW:
                    if now_ms - self._pushed_ms.setdefault(subscription, now_ms) >= SLOW_PUSH_MS:
                        self._pushed_ms[subscription] = now_ms
                        shown = self.first_frame(subscription)
                        if shown is not None:
                            yield subscription, shown
                elif kind == "activeAssetData":
                    data = about_accounts.asset_data(self._exchange, subscription.fields)
                    if data is not None and data != self._asset_data.get(subscription):
                        self._asset_data[subscription] = data
                        yield subscription, frame(kind, data)

    def forget(self, subscription: Subscription) -> None:
        """Drop what is kept for a subscription that has no reader left."""
        self._pushed_ms.pop(subscription, None)
        self._asset_data.pop(subscription, None)


def _channel(fields: Json) -> str:
    kind: str = fields["type"]
    return CHANNELS.get(kind, kind)


def _snapshot(fields: Json, name: str, items: list[Json]) -> Json:
    return {"isSnapshot": True, "user": fields["user"], name: items}
