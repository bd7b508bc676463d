"""The last check before signing. Its own code: it knows none of the parts that make the quotes.

Only orders are judged; cancels, settings and reads always pass. An action with one bad order is
denied whole. Prices for the collar come from the market data that the gate observes itself.
"""

from collections import deque
from collections.abc import Iterable

from hypermm._core.reference import Reference
from hypermm._core.rows import Rows
from hypermm.config import RiskConfig
from hypermm.instrument import Instrument
from hypermm.messages import Action, ActionDenied, Order, PlaceOrders, Side, Tif

MINUTE_NS = 60 * 10**9
MINUTE_ACTIONS_KEPT = 100_000
ORDERS_PER_ACTION_MAX = 64
NOTIONAL_USD_CEILING = 1_000_000.0  # no setting goes beyond this
SIZE_CEILING = 1 << 53  # lots that a double still counts exactly


class Gate:
    """Judges every order by the limits and by the market that it sees itself.

    Parameters
    ----------
    limits : RiskConfig
        Collar, notional and rate.
    instrument : Instrument
        The market's rules.
    """

    def __init__(self, limits: RiskConfig, instrument: Instrument) -> None:
        self._instrument = instrument
        self._collar = limits.price_collar_bps * 1e-4
        self._notional_usd_max = min(limits.max_order_notional_usd, NOTIONAL_USD_CEILING)
        self._actions_max = limits.max_actions_per_minute
        self._sent_ns: deque[int] = deque(maxlen=MINUTE_ACTIONS_KEPT)
        self._reference = Reference(instrument.price_decimals)

    def observe(self, rows: Rows) -> None:
        """Take mark, oracle and touch from market data."""
        self._reference.observe(rows)

    def check(
        self, actions: Iterable[Action], now_ns: int
    ) -> tuple[tuple[Action, ...], tuple[ActionDenied, ...]]:
        """Split actions into those that may leave and the denials of the others, in order."""
        allowed: list[Action] = []
        denied: list[ActionDenied] = []
        for action in actions:
            reason = self._objection(action, now_ns) if isinstance(action, PlaceOrders) else ""
            if reason:
                denied.append(ActionDenied(action.id, reason))
            else:
                allowed.append(action)
        return tuple(allowed), tuple(denied)

    def _objection(self, action: PlaceOrders, now_ns: int) -> str:
        """Return why the action may not leave; empty if it may, and then it is counted."""
        orders = action.orders
        if not 0 < len(orders) <= ORDERS_PER_ACTION_MAX:
            return f"{len(orders)} orders in one action, allowed 1 to {ORDERS_PER_ACTION_MAX}"
        for order in orders:
            if reason := self._order_objection(order):
                return reason
        highest_bid = max((o.price for o in orders if o.side is Side.BUY), default=0)
        lowest_ask = min((o.price for o in orders if o.side is Side.SELL), default=1 << 62)
        if highest_bid >= lowest_ask:
            return f"own bid {highest_bid} is not below own ask {lowest_ask}"
        if len({order.cloid for order in orders}) != len(orders):
            return "one client order id twice"
        sent = self._sent_ns
        while sent and now_ns - sent[0] >= MINUTE_NS:
            sent.popleft()
        if len(sent) >= self._actions_max:
            return f"{len(sent)} placing actions in the last minute, allowed {self._actions_max}"
        sent.append(now_ns)
        return ""

    def _order_objection(self, order: Order) -> str:
        instrument = self._instrument
        price, size = order.price, order.size
        if not (_is_whole(price) and _is_whole(size)):
            return f"price and size must be integers: {price!r}, {size!r}"
        if int(order.side) not in (1, -1):
            return f"not a side: {order.side!r}"
        if not 0 < order.cloid < 1 << 128:
            return "the client order id does not fit 128 bits"
        if not 0 < size <= SIZE_CEILING:
            return f"size {size} lots is not in 1 to {SIZE_CEILING}"
        if not instrument.is_allowed_price(price):
            return f"price {price} breaks the tick rule (step {instrument.step_at(max(price, 1))})"
        if order.tif is not Tif.ALO and not (order.tif is Tif.IOC and order.is_reduce_only):
            return f"{order.tif.value} is neither post-only nor a reduce-only IOC"
        if not instrument.is_above_minimum(price, size) and not order.is_reduce_only:
            return f"worth {instrument.notional_usd(price, size):.2f} USD, below the minimum"
        notional_usd = instrument.notional_usd(price, size)
        if not notional_usd <= self._notional_usd_max:
            return f"worth {notional_usd:.2f} USD, allowed {self._notional_usd_max:.2f} USD"
        return self._collar_objection(price)

    def _collar_objection(self, price: int) -> str:
        seen = self._reference
        references = {"mark": seen.mark, "oracle": seen.oracle}
        if not (seen.mark or seen.oracle):
            references = {"mid": seen.mid}
        for name, reference in references.items():
            if reference and not abs(price - reference) <= self._collar * reference:
                return (
                    f"price {price} is {abs(price / reference - 1) * 1e4:.0f} bps from {name} "
                    f"{reference:.1f}, allowed {self._collar * 1e4:.0f} bps"
                )
        if not any(references.values()):
            return "no market price is known to hold the order against"
        return ""


def _is_whole(value: object) -> bool:
    """Whether it is an integer, at run time; a float, a NaN among them, is not."""
    return type(value) is int
