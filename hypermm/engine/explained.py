"""Why each quote stands where it stands, and why a side or a level is not quoted.

Terms are computed when somebody asks, from what the last decision saw; a decision makes no text.
"""

from enum import Enum
from typing import Any

from attrs import asdict, frozen

from hypermm.engine.facts import BUDGET_EMPTY_FRACTION, Facts
from hypermm.engine.modes import Mode
from hypermm.instrument import Instrument
from hypermm.messages import Side
from hypermm.orders import OwnOrder
from hypermm.orders.states import OrderState
from hypermm.quoting import Caution, Level, Term, explain
from hypermm.risk import Limit

QUEUE_TOLERANCES = 2.0  # times `max_bps_diff`: farther behind its level no place is worth keeping
RESTING = (OrderState.OPEN.value, OrderState.PARTIAL.value)


class Unquoted(Enum):
    """Why a side or a level has no order in the book; exactly one holds."""

    SYNCING = "orders, position or fills are not proved"
    WARMING = "the estimators have seen too little"
    STALE_DATA = "market data are too old"
    NO_BOOK = "the book is empty, one-sided or crossed"
    CASCADE = "a cascade is under way"
    DEAF = "the account's streams do not echo what we do"
    STOPPING = "a stop was requested"
    KILLED = "the kill switch was triggered"
    PAUSED = "the side rests after fills without end"
    POSITION_LIMIT = "the position limit leaves no room"
    POSITION_VALUE = "the position is worth too much"
    BUDGET = "the address has nearly spent its actions"
    ADOPTED = "the position had to be adopted too often"
    NOT_MEASURED = "an estimate is missing"
    MINIMUM = "what is left is below the exchange's minimum order"
    COLLAR = "it would be beyond the price collar"
    REFUSED = "placing waits after a refusal"
    IN_FLIGHT = "sent, and not yet acknowledged"
    IN_DOUBT = "older orders of the side are not proved gone"
    OTHER_SIDE = "an own order of the other side is in the way"


_BY_MODE = {
    Mode.SYNCING: Unquoted.SYNCING,
    Mode.WARMING: Unquoted.WARMING,
    Mode.STOPPING: Unquoted.STOPPING,
    Mode.HALTED: Unquoted.KILLED,
}
_BY_LIMIT = {
    Limit.OLD_DATA: Unquoted.STALE_DATA,
    Limit.NO_BOOK: Unquoted.NO_BOOK,
    Limit.CASCADE_PULL: Unquoted.CASCADE,
    Limit.POSITION: Unquoted.POSITION_LIMIT,
    Limit.POSITION_VALUE: Unquoted.POSITION_VALUE,
}


@frozen
class LevelView:
    """One level of one side; a level that is not quoted has a reason and no price."""

    level: int
    price: int  # price units; what the last decision wants
    size: int
    live_price: int  # of the order that serves it; 0: none
    reason: Unquoted | None
    terms: dict[Term, float]  # bps of the fair price, signed


@frozen
class SideView:
    """One side. It is quoted if an order of it rests, and else there is one reason."""

    side: Side
    reason: Unquoted | None
    levels: tuple[LevelView, ...]


@frozen(kw_only=True)
class Explanation:
    """The last decision. Prices are price units."""

    exch_ns: int
    mode: Mode
    mid: float
    fair_price: float
    position: int
    caution: Caution
    sides: tuple[SideView, SideView]  # bids, asks

    def as_dict(self, instrument: Instrument) -> dict[str, Any]:
        """Return it as numbers and texts, for JSON; what is not known is None."""
        unit = instrument.price_unit_usd
        return {
            "exch_ns": self.exch_ns,
            "mode": self.mode.value,
            "mid": self.mid * unit if self.mid > 0.0 else None,
            "fair_price": self.fair_price * unit if self.fair_price > 0.0 else None,
            "position": instrument.print_size(self.position),
            "caution": asdict(self.caution) | {"multiplier": self.caution.multiplier},
            "sides": [
                {
                    "side": one.side.name.lower(),
                    "reason": one.reason.value if one.reason else None,
                    "levels": [_level_dict(level, instrument) for level in one.levels],
                }
                for one in self.sides
            ],
        }


def _level_dict(level: LevelView, instrument: Instrument) -> dict[str, Any]:
    def printed(price: int) -> str | None:
        return instrument.print_price(price) if price else None

    return {
        "level": level.level,
        "price": printed(level.price),
        "size": instrument.print_size(level.size) if level.size else None,
        "live_price": printed(level.live_price),
        "reason": level.reason.value if level.reason else None,
        "terms_bps": {term.value: bps for term, bps in level.terms.items()},
    }


class Explained(Facts):
    """The parts, and what the last decision made of them."""

    def explain(self) -> Explanation:
        """Return every term of every quote, and the reason of everything that is not quoted."""
        estimates = self._estimates
        live = self._orders.live()
        return Explanation(
            exch_ns=estimates.exch_now_ns,
            mode=self.mode,
            mid=estimates.mid,
            fair_price=estimates.fair_price,
            position=self._ledger.position,
            caution=self._strategy.caution if self._strategy else Caution(),
            sides=(self._side(Side.BUY, live), self._side(Side.SELL, live)),
        )

    def unquoted(self, side: Side) -> Unquoted | None:
        """Return why no order of a side rests; None if one does, as far as the engine knows."""
        return self._unquoted(side, [o for o in self._orders.live() if o.side is side])

    def _side(self, side: Side, live: tuple[OwnOrder, ...]) -> SideView:
        orders = [order for order in live if order.side is side]
        reason = self._unquoted(side, orders)
        strategy = self._strategy
        is_decided = self.mode in (Mode.QUOTING, Mode.REDUCING) and self._has_book
        if strategy is None or not is_decided:
            return SideView(side, reason, ())
        wanted = {level.level: level for level in explain(strategy, int(side))}
        served = self._served(side, wanted, orders)
        levels = []
        for i in range(max(strategy.num_levels, len(wanted))):
            level = wanted.get(i)
            if level is None:
                missing = reason if not wanted and reason else Unquoted.MINIMUM
                levels.append(LevelView(i, 0, 0, 0, missing, {}))
                continue
            at = served.get(i, 0)
            why = None if at else self._unplaced(side, level.price, level.size, orders)
            levels.append(LevelView(i, level.price, level.size, at, why, level.terms))
        return SideView(side, reason, tuple(levels))

    def _served(
        self, side: Side, wanted: dict[int, Level], orders: list[OwnOrder]
    ) -> dict[int, int]:
        """Return the price of the order that serves each level, as the comparison chooses it.

        Exact prices first; then, level by level, the nearest order within the tolerance; at last
        one that its place in the queue may keep farther behind.
        """
        free = [order for order in orders if order.state in RESTING]
        free.sort(key=lambda order: -side * order.price)
        served: dict[int, int] = {}
        for ahead, behind in (
            (0.0, 0.0),
            (self._tolerance_bps, self._tolerance_bps),
            (self._tolerance_bps, QUEUE_TOLERANCES * self._tolerance_bps),
        ):
            for i, level in wanted.items():
                bps = level.price * 1e-4
                found = None
                if i not in served:
                    found = next(
                        (
                            order
                            for order in free
                            if -ahead * bps <= side * (level.price - order.price) <= behind * bps
                        ),
                        None,
                    )
                if found is not None:
                    free.remove(found)
                    served[i] = found.price
        return served

    def _unquoted(self, side: Side, orders: list[OwnOrder]) -> Unquoted | None:
        """Return why no order of a side rests; None if one does."""
        if any(order.state in RESTING for order in orders):
            return None
        match self.mode:
            case Mode.SYNCING | Mode.WARMING | Mode.STOPPING | Mode.HALTED:
                return _BY_MODE[self.mode]
            case Mode.DONE:
                return Unquoted.KILLED if self._latch else Unquoted.STOPPING
            case Mode.PULLED:
                limit = self._verdict.limit
                return _BY_LIMIT[limit] if limit is not None else Unquoted.DEAF
            case Mode.QUOTING | Mode.REDUCING:
                pass
        if not self._has_book:
            return Unquoted.NO_BOOK
        if self._sides.is_paused(side, self._now_ns):
            return Unquoted.PAUSED
        if self.mode is Mode.REDUCING and side * self._ledger.position >= 0:
            return self._why_reducing()
        strategy, ladder = self._strategy, self._ladder
        assert strategy is not None, "quoting without a strategy"
        assert ladder is not None, "quoting without a ladder"
        rows = ladder.bids if side is Side.BUY else ladder.asks
        if not rows:
            if strategy.view is None:
                return Unquoted.NOT_MEASURED
            depth = strategy.bid_depth_bps if side is Side.BUY else strategy.ask_depth_bps
            return Unquoted.POSITION_LIMIT if depth != depth else Unquoted.MINIMUM
        return self._unplaced(side, *rows[0], orders)

    def _why_reducing(self) -> Unquoted:
        if self._verdict.limit in _BY_LIMIT:
            return _BY_LIMIT[self._verdict.limit]
        if self._budget_fraction < BUDGET_EMPTY_FRACTION:
            return Unquoted.BUDGET
        return Unquoted.ADOPTED

    def _unplaced(self, side: Side, price: int, size: int, orders: list[OwnOrder]) -> Unquoted:
        """Return why a wanted level has no order in the book."""
        if any(order.state == OrderState.SENT.value for order in orders):
            return Unquoted.IN_FLIGHT
        if not self._orders.refusals.may_place(side, self._now_ns):
            return Unquoted.REFUSED
        if not self._collar[0] <= price <= self._collar[1]:
            return Unquoted.COLLAR
        if any(order.state not in RESTING for order in orders):
            return Unquoted.IN_DOUBT
        if not self._instrument.is_above_minimum(price, size):
            return Unquoted.MINIMUM
        room = self._rooms[0 if side is Side.BUY else 1]
        if size > room - sum(order.remaining for order in orders):
            return Unquoted.POSITION_LIMIT
        return Unquoted.OTHER_SIDE
