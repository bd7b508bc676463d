"""What one IP address may do in a minute, counted the way the exchange counts."""

from collections import deque
from typing import Any

from attrs import define, field, frozen

WINDOW_SECS = 60.0
LIGHT = frozenset(
    {
        "l2Book",
        "allMids",
        "clearinghouseState",
        "orderStatus",
        "spotClearinghouseState",
        "exchangeStatus",
    }
)
LIGHT_WEIGHT = 2
HEAVY_WEIGHT = 60  # userRole
USUAL_WEIGHT = 20
ITEMS_PER_WEIGHT = {
    "recentTrades": 20,
    "historicalOrders": 20,
    "userFills": 20,
    "userFillsByTime": 20,
    "fundingHistory": 20,
    "userFunding": 20,
    "userNonFundingLedgerUpdates": 20,
    "candleSnapshot": 60,
}
BATCH_PER_WEIGHT = 40


@frozen(kw_only=True)
class Limits:
    """Limits per IP address and per socket; the defaults are the exchange's."""

    weight_per_minute: int = 1_200
    connections: int = 10
    subscriptions: int = 1_000
    users: int = 10
    messages_per_minute: int = 2_000
    posts: int = 100
    idle_secs: float = 60.0  # silence of the server after which it closes a socket
    frames_queued: int = 4_096  # frames that a slow reader may be behind


@define
class Meter:
    """A sum over the last minute."""

    _spent: deque[tuple[float, int]] = field(factory=deque)
    total: int = 0

    def add(self, now_secs: float, weight: int) -> None:
        """Spend."""
        self._spent.append((now_secs, weight))
        self.total += weight

    def read(self, now_secs: float) -> int:
        """Return what was spent in the last minute."""
        while self._spent and self._spent[0][0] <= now_secs - WINDOW_SECS:
            self.total -= self._spent.popleft()[1]
        return self.total


def info_weight(kind: Any) -> int:
    """Return the weight of an info request before its reply is known."""
    if kind in LIGHT:
        return LIGHT_WEIGHT
    return HEAVY_WEIGHT if kind == "userRole" else USUAL_WEIGHT


def reply_weight(kind: Any, reply: Any) -> int:
    """Return what the items of a long reply add."""
    per = ITEMS_PER_WEIGHT.get(kind)
    return len(reply) // per if per and isinstance(reply, list) else 0


def action_weight(action: Any) -> int:
    """Return the weight of an action."""
    for name in ("orders", "cancels", "modifies"):
        batch = getattr(action, name, None)
        if batch is not None:
            return 1 + len(batch) // BATCH_PER_WEIGHT
    return 1
