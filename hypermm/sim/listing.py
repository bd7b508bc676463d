"""One listed market: its rules, book, prices, and the public record of what traded."""

import math
from collections import deque
from typing import TYPE_CHECKING

from attrs import define, evolve

from hypermm._core.queue import MODEL_NAMES
from hypermm._core.rows import (
    CONTEXT,
    DAY_VOLUME,
    FIRST,
    FUNDING,
    LAST,
    LEVEL,
    MARK,
    OPEN_INTEREST,
    ORACLE,
    PREMIUM,
    QUOTE,
    TOP,
    TRADE,
)
from hypermm.messages import Side
from hypermm.sim import rules
from hypermm.sim.matching import Book, Level
from hypermm.sim.orders import Trade

if TYPE_CHECKING:
    from hypermm.sim.market import Market
    from hypermm.sim.rules import Rules

SPOT_ASSET = 10_000  # of the first spot pair
TRADES_KEPT = 500
# Margin tiers: from which value (micro-USD) on which leverage is the highest, by coin and
# its highest leverage. Source: Hyperliquid documentation, "Margin tiers".
TIERS: dict[tuple[str, int], tuple[tuple[int, int], ...]] = {
    ("BTC", 40): ((0, 40), (150_000_000 * rules.USD, 20)),
    ("ETH", 25): ((0, 25), (100_000_000 * rules.USD, 15)),
    ("SOL", 20): ((0, 20), (70_000_000 * rules.USD, 10)),
    ("XRP", 20): ((0, 20), (40_000_000 * rules.USD, 10)),
}
HOURS_KEPT = 366 * 24  # of funding: time, rate, mean premium
MINUTE_MS = 60_000
MINUTES_KEPT = 31 * 24 * 60  # of candles: the longest interval is a month
ORACLE_SECS = 60.0  # time constant of the oracle where the market gives none
CONTEXT_UNITS = 10**12
BASE_FUNDING = 12_500_000  # hourly, in 1e-12: 0.0000125

RowValues = tuple[int, int, int, int, int, int, int, int, int]  # in the order of ROW_DTYPE


@define
class Candle:
    """One minute of trades; prices and sizes as integers."""

    start_ms: int
    open: int
    close: int
    high: int
    low: int
    volume: int
    count: int
    lots: int = 0  # traded since the listing, up to the end of this minute
    notional: int = 0


class Listing:
    """A market as the venue lists it.

    Parameters
    ----------
    market : Market
        Outside flow and the market's rules.
    asset : int
        Its number in actions.
    dex : str
        Builder's dex, empty for the exchange's own.
    start_ms : int
        Venue time at which the market starts.
    rules : Rules
        How often books and contexts are published.
    """

    def __init__(self, market: "Market", asset: int, start_ms: int, rules: "Rules") -> None:
        self._rules = rules
        self.market = market
        self.asset = asset
        self.instrument = evolve(market.instrument, asset_id=asset)
        self.coin = market.instrument.coin
        self.book = Book()
        model = MODEL_NAMES.index(rules.queue_model)
        for half in (self.book.bids, self.book.asks):
            half.set_queue(model, rules.queue_exponent)
        self.start_ms = start_ms
        self.last_price = 0
        self.mark_price = 0
        self.oracle_price = 0.0
        self.funding = BASE_FUNDING
        self.has_own_funding = False  # the market says its rate itself
        self.premiums: list[int] = []  # samples of the hour, 1e-12
        self.funding_history: deque[tuple[int, int, int]] = deque(maxlen=HOURS_KEPT)
        self.open_interest = 0
        self.day_volume = market.day_volume_lots
        self.first_price = 0
        self.traded_lots = 0
        self.traded_notional = 0
        self.trades: deque[Trade] = deque(maxlen=TRADES_KEPT)
        self.candles: deque[Candle] = deque(maxlen=MINUTES_KEPT)
        self.new_trades: list[Trade] = []
        self.is_spot = asset == SPOT_ASSET
        self.is_halted = False
        self.is_strict = False  # isolated margin leaves only by closing
        self.open_interest_cap = 0  # micro-USD at the mark; 0: none
        # From which value of a position (micro-USD) on which leverage is the highest.
        most = self.instrument.max_leverage
        self.tiers = TIERS.get((self.coin, most), ((0, most),))
        self._longs = self._shorts = 0  # lots that users hold each way
        self._growth = (0, 0)  # minute, micro-USD by which users' positions grew in it
        self._day: deque[Candle] = deque()  # the minutes of the last 24 hours
        self._edge: Candle | None = None  # the last minute before them
        self._has_own_oracle = self._has_own_volume = False
        self._touch: tuple[Level | None, Level | None] = (None, None)
        self._next_fast_ms = self._next_deep_ms = self._next_context_ms = start_ms

    # What the outside says

    def show_book(self, rows: list[RowValues]) -> None:
        """Take over a book frame of the market."""
        is_top = bool(rows[0][8] & TOP)
        levels: dict[int, list[Level]] = {1: [], -1: []}
        for _, price, size, _, count, _, side, _, _ in rows:
            if size > 0:
                levels[side].append((price, size, count or 1))
        self.book.bids.show(levels[1], is_top=is_top)
        self.book.asks.show(levels[-1], is_top=is_top)

    def show_touch(self, rows: list[RowValues]) -> None:
        """Take over a best quote of the market."""
        for _, price, size, _, count, _, side, _, _ in rows:
            self.book.half(Side(side)).show_touch(price, size, count)

    def show_context(self, index: int, price: int, size: int) -> None:
        """Take over one figure of the market's context."""
        if index == ORACLE:
            self.oracle_price = price * 10**self.instrument.price_decimals / CONTEXT_UNITS
            self._has_own_oracle = True
        elif index == FUNDING:
            self.funding = price
            self.has_own_funding = True
        elif index == OPEN_INTEREST:
            self.open_interest = size
        elif index == DAY_VOLUME:
            self.day_volume = size - self.traded_lots
            self._has_own_volume = True

    # What trades

    def print_trade(self, trade: Trade) -> None:
        """Record a trade for the feed, the candles and the day's figures."""
        self.new_trades.append(trade)
        self.trades.append(trade)
        self.last_price = trade.price
        self.first_price = self.first_price or trade.price
        self.traded_lots += trade.size
        self.traded_notional += trade.size * trade.price
        start_ms = trade.time_ms - trade.time_ms % MINUTE_MS
        if not self.candles or self.candles[-1].start_ms != start_ms:
            price = trade.price
            self.candles.append(Candle(start_ms, price, price, price, price, 0, 0))
            self._day.append(self.candles[-1])
        candle = self.candles[-1]
        candle.close = trade.price
        candle.high = max(candle.high, trade.price)
        candle.low = min(candle.low, trade.price)
        candle.volume += trade.size
        candle.count += 1
        candle.lots, candle.notional = self.traded_lots, self.traded_notional

    def day(self, now_ms: int) -> tuple[int, int, int]:
        """Return lots and notional (micro-USD) traded in 24 hours, and the price before them.

        What the market says it traded before the listing leaves the day bit by bit.
        """
        while self._day and self._day[0].start_ms <= now_ms - rules.DAY_MS:
            self._edge = self._day.popleft()
        price = self._edge.close if self._edge else self.first_price or self.mark_price
        if self._has_own_volume:
            lots = self.day_volume + self.traded_lots
            return lots, self.day_volume * price + self.traded_notional, price
        left_ms = max(self.start_ms + rules.DAY_MS - now_ms, 0)
        before = self.day_volume * left_ms // rules.DAY_MS
        lots, notional = self.traded_lots + before, self.traded_notional + before * price
        if self._edge:
            lots, notional = lots - self._edge.lots, notional - self._edge.notional
        return lots, notional, price

    # Limits

    def maintenance_margin(self, value: int) -> int:
        """Return the margin below which a position of this value is liquidated, micro-USD.

        Each slice of the value between two bounds asks half its initial margin at the leverage of
        its tier, which is the documented rate less deduction.
        """
        needed = 0
        for i, (bound, most) in enumerate(self.tiers):
            end = self.tiers[i + 1][0] if i + 1 < len(self.tiers) else value
            if value > bound:
                needed += (min(value, end) - bound) // (2 * most)
        return needed

    def leverage_max(self, value: int) -> int:
        """Return the highest leverage of a position of this value, micro-USD."""
        return next(most for bound, most in reversed(self.tiers) if bound <= value)

    @property
    def is_at_cap(self) -> bool:
        """Whether the open interest, users' positions in it, has come to its cap."""
        cap = self.open_interest_cap
        lots = self.open_interest + max(self._longs, self._shorts)
        return 0 < cap <= lots * self.mark_price

    def count_interest(self, before: int, after: int) -> None:
        """Count a change of one user's position."""
        self._longs += max(after, 0) - max(before, 0)
        self._shorts += max(-after, 0) - max(-before, 0)

    def note_growth(self, now_ms: int, notional: int) -> None:
        """Count what a fill adds to a user's position."""
        self._growth = (now_ms // MINUTE_MS, self.interest_growth(now_ms) + notional)

    def interest_growth(self, now_ms: int) -> int:
        """Return by how much users' positions grew in this minute, micro-USD."""
        minute, notional = self._growth
        return notional if minute == now_ms // MINUTE_MS else 0

    # Prices

    @property
    def mid_price(self) -> float | None:
        """Middle of the book, None if a side is empty."""
        bid, ask = self.book.touch()
        return (bid[0] + ask[0]) / 2 if bid and ask else None

    def update_mark(self) -> None:
        """Set the mark: the median of best bid, best ask and last trade."""
        bid, ask = self.book.touch()
        prices = [level[0] for level in (bid, ask) if level]
        if self.last_price:
            prices.append(self.last_price)
        prices.sort()
        if len(prices) == 3:
            self.mark_price = prices[1]
        elif prices:
            self.mark_price = sum(prices) // len(prices)

    def update_oracle(self) -> None:
        """Let the oracle follow the mid slowly, once each publication of the context."""
        mid = self.mid_price
        if mid is None or self._has_own_oracle:
            return
        self.first_price = self.first_price or int(mid)
        if not self.oracle_price:
            self.oracle_price = mid
        weight = 1.0 - math.exp(-self._rules.context_ms / 1000 / ORACLE_SECS)
        self.oracle_price += (mid - self.oracle_price) * weight

    def impact_price(self, side: Side) -> int | None:
        """Return the mean price of taking the exchange's impact notional from a side."""
        left = (20_000 if self.coin in {"BTC", "ETH"} else 6_000) * rules.USD
        lots = paid = 0
        for price, size, _ in self.book.half(side).levels(rules.DEEP_BOOK_LEVELS):
            take = min(size, max(left // price, 1))
            lots += take
            paid += take * price
            left -= take * price
            if left <= 0:
                break
        return paid // lots if lots else None

    def premium(self, *, is_one_sided: bool = False) -> float | None:
        """Return how far the impact prices stand beyond the oracle.

        None without an oracle, and for half a book unless `is_one_sided`.
        """
        bid, ask = self.impact_price(Side.BUY), self.impact_price(Side.SELL)
        oracle = self.oracle_price
        if not oracle or not ((bid and ask) or (is_one_sided and (bid or ask))):
            return None
        above = max((bid or 0) - oracle, 0.0)
        below = max(oracle - ask, 0.0) if ask else 0.0
        return (above - below) / oracle

    # What the public sees

    def publish(self, now_ms: int) -> list[RowValues]:
        """Return the public rows of a block: trades, changed touch, books and context when due."""
        exch_ns = now_ms * 1_000_000
        only = FIRST | LAST
        rows: list[RowValues] = [
            (exch_ns, trade.price, trade.size, trade.tid, 0, TRADE, trade.side, 0, only)
            for trade in self.new_trades
        ]
        touch = self.book.touch()
        if touch != self._touch:
            self._touch = touch
            for side, level, flags in ((1, touch[0], FIRST), (-1, touch[1], LAST)):
                price, size, count = level or (0, 0, 0)
                rows.append((exch_ns, price, size, 0, count, QUOTE, side, 0, flags))
        if now_ms >= self._next_fast_ms:
            self._next_fast_ms = _next(self._next_fast_ms, now_ms, self._rules.fast_book_ms)
            self._add_book(rows, exch_ns, rules.FAST_BOOK_LEVELS, TOP)
        if now_ms >= self._next_deep_ms:
            self._next_deep_ms = _next(self._next_deep_ms, now_ms, self._rules.deep_book_ms)
            self._add_book(rows, exch_ns, rules.DEEP_BOOK_LEVELS, 0)
        if now_ms >= self._next_context_ms:
            self._next_context_ms = _next(self._next_context_ms, now_ms, self._rules.context_ms)
            self.update_oracle()
            self._add_context(rows, now_ms)
        return rows

    def _add_book(self, rows: list[RowValues], exch_ns: int, depth: int, flags: int) -> None:
        first = len(rows)
        for side in (Side.BUY, Side.SELL):
            for index, (price, size, count) in enumerate(self.book.half(side).levels(depth)):
                rows.append((exch_ns, price, size, 0, count, LEVEL, side, index, flags))
        if len(rows) == first:
            rows.append((exch_ns, 0, 0, 0, 0, LEVEL, 1, 0, flags))
        rows[first] = (*rows[first][:8], rows[first][8] | FIRST)
        rows[-1] = (*rows[-1][:8], rows[-1][8] | LAST)

    def _add_context(self, rows: list[RowValues], now_ms: int) -> None:
        scale = CONTEXT_UNITS // 10**self.instrument.price_decimals
        premium = self.premium()
        figures = [
            (MARK, self.mark_price * scale, 0),
            (ORACLE, round(self.oracle_price * scale), 0),
            (FUNDING, self.funding, 0),
            (OPEN_INTEREST, 0, self.open_interest),
            (DAY_VOLUME, 0, self.day(now_ms)[0]),
        ]
        if premium is not None:
            figures.append((PREMIUM, round(premium * CONTEXT_UNITS), 0))
        for index, price, size in figures:
            flags = (FIRST if index == MARK else 0) | (LAST if index == figures[-1][0] else 0)
            rows.append((0, price, size, 0, 0, CONTEXT, 0, index, flags))


def _next(due_ms: int, now_ms: int, every_ms: int) -> int:
    """Return the next time of a cadence, without making up for what was missed."""
    due_ms += every_ms
    return due_ms if due_ms > now_ms else now_ms + every_ms
