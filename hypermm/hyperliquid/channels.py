"""The subscriptions of one market and account, each with its own state: asked, acknowledged, seen.

The states are a table. A subscription counts only when its data was seen, where a first frame is
promised; an acknowledgement alone, or the mere arrival of other bytes, proves nothing.
"""

import json
from collections.abc import Mapping
from enum import Enum
from typing import Any, Final

from attrs import define, field, frozen

from hypermm.hyperliquid.budget import NS_PER_SEC

ASK_TIMEOUT_NS: Final = 5 * NS_PER_SEC  # for the acknowledgement, and again for the first data
ASKS_MAX: Final = 2  # then the connection is not worth keeping


class ChannelState(Enum):
    """How far a subscription has come."""

    WANTED = "wanted"  # no connection
    ASKED = "asked"
    ACKNOWLEDGED = "acknowledged"
    SEEN = "seen"


class ChannelEvent(Enum):
    """What moves a subscription on."""

    ASK = "ask"  # we send the subscription, first or again
    ACKNOWLEDGE = "acknowledge"
    DATA = "data"
    DROP = "drop"  # the connection is gone


# Data proves a subscription better than an acknowledgement, so it may come without one. Nothing is
# received without a connection: from WANTED only asking is possible.
CHANNEL_TRANSITIONS: Final[Mapping[ChannelState, Mapping[ChannelEvent, ChannelState]]] = {
    ChannelState.WANTED: {
        ChannelEvent.ASK: ChannelState.ASKED,
        ChannelEvent.DROP: ChannelState.WANTED,
    },
    ChannelState.ASKED: {
        ChannelEvent.ASK: ChannelState.ASKED,
        ChannelEvent.ACKNOWLEDGE: ChannelState.ACKNOWLEDGED,
        ChannelEvent.DATA: ChannelState.SEEN,
        ChannelEvent.DROP: ChannelState.WANTED,
    },
    ChannelState.ACKNOWLEDGED: {
        ChannelEvent.ASK: ChannelState.ASKED,
        ChannelEvent.ACKNOWLEDGE: ChannelState.ACKNOWLEDGED,
        ChannelEvent.DATA: ChannelState.SEEN,
        ChannelEvent.DROP: ChannelState.WANTED,
    },
    ChannelState.SEEN: {
        ChannelEvent.ASK: ChannelState.ASKED,
        ChannelEvent.ACKNOWLEDGE: ChannelState.SEEN,
        ChannelEvent.DATA: ChannelState.SEEN,
        ChannelEvent.DROP: ChannelState.WANTED,
    },
}


@frozen
class Subscription:
    """What is subscribed.

    Parameters
    ----------
    name : str
        Our name for it, the exchange's channel with a mark where one channel has two forms.
    request : Mapping
        The exchange's subscription object.
    is_market : bool
        Whether it is market data, whose silence is a fault, and not an account's event stream.
    promises_data : bool
        Whether a first frame follows at once. A market that never traded has no trades to show,
        and order updates bring no snapshot.
    """

    name: str
    request: Mapping[str, Any]
    is_market: bool
    promises_data: bool

    def message(self, method: str) -> bytes:
        """Return the frame that subscribes or unsubscribes."""
        body = {"method": method, "subscription": self.request}
        return json.dumps(body, separators=(",", ":")).encode()

    def is_acknowledged_by(self, subscription: Mapping[str, Any]) -> bool:
        """Whether an acknowledgement, which the exchange fills up with defaults, means this one."""
        user = subscription.get("user")
        return (
            subscription.get("type") == self.request["type"]
            and subscription.get("coin") == self.request.get("coin")
            and (user.lower() if isinstance(user, str) else user) == self.request.get("user")
            and bool(subscription.get("fast")) == bool(self.request.get("fast"))
        )


def subscriptions(coin: str, account: str) -> tuple[Subscription, ...]:
    """Return everything that one engine listens to: five of the market, three of the account."""
    return (
        Subscription("bbo", {"type": "bbo", "coin": coin}, True, True),
        Subscription("l2Book.fast", {"type": "l2Book", "coin": coin, "fast": True}, True, True),
        Subscription("l2Book", {"type": "l2Book", "coin": coin}, True, True),
        Subscription("trades", {"type": "trades", "coin": coin}, True, False),
        Subscription("activeAssetCtx", {"type": "activeAssetCtx", "coin": coin}, True, True),
        Subscription("orderUpdates", {"type": "orderUpdates", "user": account}, False, False),
        Subscription("userFills", {"type": "userFills", "user": account}, False, True),
        # Its first frame is no condition of quoting: it tells what was paid, not what is held.
        Subscription("userFundings", {"type": "userFundings", "user": account}, False, False),
    )


@define
class Channel:
    """One subscription and its state on the present connection."""

    subscription: Subscription
    state: ChannelState = ChannelState.WANTED
    asks: int = 0
    deadline_ns: int = 0  # for what is missing; means nothing once `is_settled`
    _subscribe: bytes = field(init=False, repr=False)
    _unsubscribe: bytes = field(init=False, repr=False)

    def __attrs_post_init__(self) -> None:
        self._subscribe = self.subscription.message("subscribe")
        self._unsubscribe = self.subscription.message("unsubscribe")

    @property
    def is_settled(self) -> bool:
        """Whether nothing is missing."""
        return self.state is ChannelState.SEEN or (
            self.state is ChannelState.ACKNOWLEDGED and not self.subscription.promises_data
        )

    def is_overdue(self, now_ns: int) -> bool:
        """Whether something is missing and its time is over."""
        return not self.is_settled and now_ns >= self.deadline_ns

    def ask(self, now_ns: int) -> tuple[bytes, ...]:
        """Return the frames that subscribe; anew if again, so that the first data comes again."""
        is_again = self.asks > 0
        self._move(ChannelEvent.ASK)
        self.asks += 1
        self.deadline_ns = now_ns + ASK_TIMEOUT_NS
        return (self._unsubscribe, self._subscribe) if is_again else (self._subscribe,)

    def acknowledge(self, now_ns: int) -> None:
        """Take the exchange's acknowledgement; the first data is due next."""
        self._move(ChannelEvent.ACKNOWLEDGE)
        self.deadline_ns = now_ns + ASK_TIMEOUT_NS

    def see(self) -> None:
        """Take data."""
        self._move(ChannelEvent.DATA)

    def settle(self) -> None:
        """Forget how often it had to be asked: nothing is missing anywhere."""
        self.asks = 1

    def drop(self) -> None:
        """Forget everything: the connection is gone."""
        self._move(ChannelEvent.DROP)
        self.asks = 0

    def _move(self, event: ChannelEvent) -> None:
        """Follow the table."""
        after = CHANNEL_TRANSITIONS[self.state].get(event)
        assert after is not None, (
            f"channel {self.subscription.name}: {event.value} while {self.state.value}"
        )
        self.state = after
