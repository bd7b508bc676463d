"""Watches one run from the side of the truth: what the exchange did, not what the engine thinks."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import Final

import numpy as np
from attrs import frozen
from numpy.typing import NDArray

from hypermm.engine import Engine
from hypermm.messages import (
    Action,
    ActionDenied,
    ActionReply,
    Batch,
    CancelOids,
    CancelOrders,
    Fill,
    Level,
    Notice,
    PlaceOrders,
    Refused,
    Side,
)
from hypermm.sim.link import NS_PER_SEC, Link, Truth

NAN: Final = float("nan")
SIDES: Final = (Side.BUY, Side.SELL)
TOUCH_DTYPE: Final = np.dtype([("secs", float), ("bid", float), ("ask", float)])
FILL_DTYPE: Final = np.dtype(
    [
        ("secs", float),
        ("side", np.int8),
        ("price", float),
        ("size", float),
        ("fee_usd", float),
        ("mid_before", float),
        ("position", float),  # after it
        ("is_taker", bool),
    ]
)
SAMPLE_DTYPE: Final = np.dtype(
    [
        ("secs", float),
        ("fair_price", float),
        ("spread_bps", float),
        ("volatility", float),
        ("kappa_per_bps", float),
        ("intensity_per_sec", float),
        ("severity", float),
        ("risk_multiplier", float),
        ("equity_usd", float),
    ]
)
# The engine believes that an order rests, and the venue has none: news of its end is under way.
ON_ITS_WAY: Final = "just gone, and the news of it is on its way"


@frozen
class Quoted:
    """For how long a side had an order in the book, and why it had none for the rest."""

    secs: float
    total_secs: float
    reasons: dict[str, float]  # seconds without an order, by reason

    @property
    def fraction(self) -> float:
        """Share of the time."""
        return self.secs / self.total_secs if self.total_secs > 0.0 else 0.0


class Recorder:
    """Collects what a result is made of.

    Parameters
    ----------
    link : Link
        The run's link.
    engine : Engine
        Asked for its mode and, now and then, for what it has estimated.
    sample_ns : int
        Virtual time between two looks at the estimates.
    """

    def __init__(self, link: Link, engine: Engine, *, sample_ns: int) -> None:
        self.link = link
        self.engine = engine
        self.orders = self.cancels = 0
        self.refusals: Counter[str] = Counter()
        self.denials: Counter[str] = Counter()
        self.warnings: list[str] = []
        self.position = self.position_max = 0
        self.first_quote_secs: float | None = None
        self.two_sided_secs: float | None = None
        self.two_sided_ns = 0
        self.floored_ns = 0  # of it, with a quote that only the floor keeps where it is
        self.touches: list[tuple[float, float, float]] = []  # of the market, without ours
        self.quotes: list[tuple[float, float, float]] = []  # our best ones
        self.fills: list[tuple[float, int, float, float, float, float, float, bool]] = []
        self.samples: list[tuple[float, ...]] = []
        self.mid = NAN
        self._account = link.exchange.accounts.open(link.account)
        self._book = link.exchange.by_coin[link.instrument.coin].book
        self._touch: tuple[int, int] | None = None
        self._unit = 10.0**-link.instrument.price_decimals
        self._lot = float(link.instrument.lot)
        self._is_quoted = dict.fromkeys(SIDES, False)
        self._quoted_ns = dict.fromkeys(SIDES, 0)
        self._reasons: dict[Side, defaultdict[str, int]] = {
            side: defaultdict(int) for side in SIDES
        }
        self._seen_ns = 0
        self._sample_ns = sample_ns
        self._next_sample_ns = 0

    def on_step(self, batch: Batch, sent: Sequence[Action], notices: Sequence[Notice]) -> None:
        """Count what left and what came back."""
        for action in sent:
            match action:
                case PlaceOrders(orders=orders):
                    self.orders += len(orders)
                    if self.first_quote_secs is None:
                        self.first_quote_secs = self.link.now_ns / NS_PER_SEC
                case CancelOrders(cloids=ids) | CancelOids(oids=ids):
                    self.cancels += len(ids)
                case _:
                    pass
        for event in batch.private:
            match event:
                case ActionReply(outcomes=outcomes):
                    self.refusals.update(
                        _gist(outcome.text) for outcome in outcomes if isinstance(outcome, Refused)
                    )
                case ActionDenied(reason=reason):
                    self.denials[_gist(reason)] += 1
                case _:
                    pass
        self.warnings += [
            f"{self.link.now_ns / NS_PER_SEC:.1f} s {notice.event} {dict(notice.fields)}"
            for notice in notices
            if notice.level >= Level.WARN
        ]

    def on_truth(self, truth: Truth) -> None:
        """Look at the book and the account after a block."""
        now_ns = self.link.now_ns
        self._pass_time(now_ns)
        secs = now_ns / NS_PER_SEC
        for fill in truth.fills:
            self._on_fill(fill, secs)
        bid, ask = self._book.bids.outside_best(), self._book.asks.outside_best()
        if bid is not None and ask is not None and (bid[0], ask[0]) != self._touch:
            self._touch = bid[0], ask[0]
            self.mid = 0.5 * (bid[0] + ask[0]) * self._unit
            self.touches.append((secs, bid[0] * self._unit, ask[0] * self._unit))
        if truth.block.news.get(self.link.account) is not None:
            self._look_at_orders(secs)
        if now_ns >= self._next_sample_ns:
            self._sample(now_ns)

    def quoted(self, side: Side) -> Quoted:
        """Return how long a side stood in the book, up to this instant."""
        self._pass_time(self.link.now_ns)
        reasons = sorted(self._reasons[side].items(), key=lambda item: -item[1])
        return Quoted(
            self._quoted_ns[side] / NS_PER_SEC,
            self._seen_ns / NS_PER_SEC,
            {reason: ns / NS_PER_SEC for reason, ns in reasons},
        )

    def _pass_time(self, now_ns: int) -> None:
        """Count the time since the last block for each side, as it stood after that block."""
        passed = now_ns - self._seen_ns
        self._seen_ns = now_ns
        for side in SIDES:
            if self._is_quoted[side]:
                self._quoted_ns[side] += passed
            else:
                self._reasons[side][self._reason(side)] += passed
        if all(self._is_quoted.values()):
            self.two_sided_ns += passed
            self.floored_ns += passed * self.engine.is_floor_binding

    def _reason(self, side: Side) -> str:
        found = self.engine.unquoted(side)
        return found.value if found is not None else ON_ITS_WAY

    def _look_at_orders(self, secs: float) -> None:
        bid = ask = 0
        for order in self._account.orders.values():
            if order.side is Side.BUY:
                bid = max(bid, order.price)
            else:
                ask = min(ask or order.price, order.price)
        self._is_quoted = {Side.BUY: bid > 0, Side.SELL: ask > 0}
        ours = (bid * self._unit or NAN, ask * self._unit or NAN)
        if not self.quotes or self.quotes[-1][1:] != ours:
            self.quotes.append((secs, *ours))
        if bid and ask and self.two_sided_secs is None:
            self.two_sided_secs = secs

    def _sample(self, now_ns: int) -> None:
        self._next_sample_ns = now_ns + self._sample_ns
        known = self.engine.estimates
        self.samples.append(
            (
                now_ns / NS_PER_SEC,
                known.fair_price * self._unit,
                known.spread_bps,
                known.volatility,
                known.kappa_per_bps,
                known.intensity_per_sec,
                known.cascade_severity,
                self.engine.risk_multiplier,
                self.equity_usd,
            )
        )

    @property
    def equity_usd(self) -> float:
        """What the account owns, its position at the market's mid without our own orders."""
        listing = self.link.exchange.by_coin[self.link.instrument.coin]
        size = self._account.position(listing).size
        at_mark = self._account.value - size * listing.mark_price
        if size == 0:
            return at_mark / 1e6
        return at_mark / 1e6 + size * self._lot * self.mid

    def _on_fill(self, fill: Fill, secs: float) -> None:
        self.position = fill.start_position + fill.side * fill.size
        self.position_max = max(self.position_max, abs(self.position))
        self.fills.append(
            (
                secs,
                int(fill.side),
                fill.price * self._unit,
                fill.size * self._lot,
                fill.fee_usd,
                self.mid,
                self.position * self._lot,
                fill.is_taker,
            )
        )


def table(rows: Sequence[tuple[float, ...]], dtype: np.dtype[np.void]) -> NDArray[np.void]:
    """Make a structured array of tuples."""
    return np.array(rows, dtype)


def _gist(text: str) -> str:
    """Return a refusal without the figures that differ from order to order."""
    return text.split(" asset=")[0].split(", bbo was")[0].split(":")[0]
