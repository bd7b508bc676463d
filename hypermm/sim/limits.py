"""What one IP address may do, counted the way the exchange counts, and by the venue's clock."""

import re
from collections import Counter, deque
from collections.abc import Mapping
from typing import Any

from attrs import define, evolve, field, frozen

from hypermm.errors import ConfigError
from hypermm.sim import rules
from hypermm.sim.rules import Rules

WINDOW_SECS = 60
OFF = 1 << 62
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
    """Limits per IP address and per socket; the defaults are the exchange's, `OFF` is none."""

    weight_per_minute: int = 1_200
    connections: int = 10
    connects_per_minute: int = 30
    subscriptions: int = 1_000
    users: int = 10
    messages_per_minute: int = 2_000
    posts: int = 100
    idle_secs: float = 60.0  # silence of the server after which it closes a socket
    bytes_queued: int = 4 << 20  # that a slow reader may be behind


# Names on the command line and on the page: of an IP address, and of an account or signer.
PER_IP: dict[str, str] = {
    "ip-weight": "weight_per_minute",
    "connections": "connections",
    "connects": "connects_per_minute",
    "subscriptions": "subscriptions",
    "users": "users",
    "messages": "messages_per_minute",
    "posts": "posts",
    "idle-secs": "idle_secs",
    "queued-bytes": "bytes_queued",
}
PER_ACCOUNT: dict[str, str] = {
    "address-budget": "free_requests",
    "nonces": "nonces_kept",
    "open-orders": "open_orders",
}


@define
class Meter:
    """A sum over the last minute, kept by the second."""

    _spent: deque[tuple[int, int]] = field(factory=deque)
    total: int = 0

    def add(self, now_secs: float, weight: int) -> None:
        """Spend."""
        second = int(now_secs)
        if self._spent and self._spent[-1][0] == second:
            weight_before = self._spent.pop()[1]
            self._spent.append((second, weight_before + weight))
        else:
            self._spent.append((second, weight))
        self.total += weight

    def read(self, now_secs: float) -> int:
        """Return what was spent in the last minute."""
        while self._spent and self._spent[0][0] <= now_secs - WINDOW_SECS:
            self.total -= self._spent.popleft()[1]
        return self.total


@define
class Usage:
    """What one IP address uses."""

    weight: Meter = field(factory=Meter)
    messages: Meter = field(factory=Meter)
    connects: Meter = field(factory=Meter)
    connections: int = 0
    subscriptions: int = 0
    posts: int = 0
    users: Counter[str] = field(factory=Counter)  # subscriptions of each


def read_limits(texts: Mapping[str, str]) -> tuple[Limits, Rules]:
    """Read limits by name: a whole number, or `off`.

    Raises
    ------
    ConfigError
        If a name is unknown or a value is neither.
    """
    limits, venue = Limits(), Rules()
    changed: dict[str, Any]
    for name, text in texts.items():
        if name not in PER_IP and name not in PER_ACCOUNT:
            known = ", ".join((*PER_IP, *PER_ACCOUNT))
            raise ConfigError(f"--limit names no limit {name!r}", hint=f"there are: {known}")
        if text != "off" and not re.fullmatch(r"[0-9]{1,15}", text):
            raise ConfigError(
                f"--limit {name} = {text!r} is neither a whole number nor off",
                hint=f"as --limit {name}=1000 or --limit {name}=off",
            )
        value = OFF if text == "off" else int(text)
        if name in PER_IP:
            changed = {PER_IP[name]: value}
            limits = evolve(limits, **changed)
        else:
            changed = {PER_ACCOUNT[name]: value}
            venue = evolve(venue, **changed)
    if not 1 <= venue.nonces_kept <= rules.NONCES_KEPT_MAX and venue.nonces_kept != OFF:
        raise ConfigError(
            f"--limit nonces = {venue.nonces_kept} is outside 1 to {rules.NONCES_KEPT_MAX}",
            hint="off lets every nonce pass, used ones too",
        )
    return limits, venue


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
