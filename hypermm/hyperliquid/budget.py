"""The exchange's limits, counted as the exchange counts them. Pure: time is an argument.

Two purses. The address pays for actions: 10,000 to begin with plus one per USDC ever traded, a
batch of n costs n, and cancels may go on beyond it. The host (IP) pays for requests by weight and
for WebSocket messages, per minute. Placing stops first in both, so that a cancel always goes out.
Source: Hyperliquid documentation, "Rate limits and user limits".
"""

import math
import re
from collections import deque
from collections.abc import Mapping
from enum import Enum
from typing import Any, Final

from hypermm.errors import WireError
from hypermm.messages import (
    Action,
    CancelOids,
    CancelOrders,
    PlaceOrders,
    ReadAccount,
    ReadFills,
    ReadOpenOrders,
    ReadOrder,
    UpdateLeverage,
)

NS_PER_SEC: Final = 1_000_000_000
MINUTE_NS: Final = 60 * NS_PER_SEC

# Per address.
START_ACTIONS: Final = 10_000
CANCEL_EXTRA_ACTIONS: Final = 100_000  # cancels: min(limit + this, 2 x limit)
EMPTY_INTERVAL_NS: Final = 10 * NS_PER_SEC  # one action each, once the purse is empty
CANCEL_ONLY_FRACTION: Final = 0.05  # below: only cancels, and orders that reduce
LEVEL_MARKS: Final = (0.50, 0.20, CANCEL_ONLY_FRACTION)  # passing one is told

# Per host, over one minute. What is kept back is for cancels (and pings) alone.
REST_WEIGHT: Final = 1_200
REST_WEIGHT_KEPT_BACK: Final = 100
SOCKET_MESSAGES: Final = 2_000
SOCKET_MESSAGES_KEPT_BACK: Final = 100
POSTS_IN_FLIGHT: Final = 100
POSTS_KEPT_BACK: Final = 10
# After a 429: nothing but cancels. Each pause ends with reads that ask again: an exchange that goes
# on refusing is seen to refuse ten times within the minute that the kill switch counts in.
THROTTLED_NS: Final = 5 * NS_PER_SEC

LIGHT_READ_WEIGHT: Final = 2  # l2Book, allMids, clearinghouseState, orderStatus, exchangeStatus
READ_WEIGHT: Final = 20
ITEMS_PER_WEIGHT: Final = 20  # fills and other lists: one more for each 20 items
BATCH_PER_WEIGHT: Final = 40  # an action of n orders weighs 1 + n // 40

_OVER_LIMIT = re.compile(r"Too many cumulative requests sent \((\d{1,18}) > (\d{1,18})\)")


class Need(Enum):
    """How much an action may take: the first three of this list stop at different marks."""

    PLACE = "placing"
    REDUCE = "reducing"
    CANCEL = "cancelling"
    READ = "reading"


def need_of(action: Action) -> Need:
    """Return which share of the limits an action may use."""
    match action:
        case CancelOrders() | CancelOids():
            return Need.CANCEL
        case PlaceOrders(orders=orders):
            for order in orders:
                if not order.is_reduce_only:
                    return Need.PLACE
            return Need.REDUCE
        case UpdateLeverage():
            return Need.PLACE
        case ReadOpenOrders() | ReadAccount() | ReadFills() | ReadOrder():
            return Need.READ


def address_cost(action: Action) -> int:
    """Return what an action takes from the address: a batch of n costs n, a read nothing."""
    match action:
        case PlaceOrders(orders=orders):
            return max(len(orders), 1)
        case CancelOrders(cloids=ids) | CancelOids(oids=ids):
            return max(len(ids), 1)
        case UpdateLeverage():
            return 1
        case ReadOpenOrders() | ReadAccount() | ReadFills() | ReadOrder():
            return 0


def rest_weight(action: Action) -> int:
    """Return what an action takes from the host's minute. Long lists cost more afterwards."""
    match action:
        case ReadAccount() | ReadOrder():
            return LIGHT_READ_WEIGHT
        case ReadOpenOrders() | ReadFills():
            return READ_WEIGHT
        case PlaceOrders() | CancelOrders() | CancelOids() | UpdateLeverage():
            return 1 + address_cost(action) // BATCH_PER_WEIGHT


class Window:
    """What was spent in the last `span_ns`, exactly; it holds at most one entry per unit.

    Parameters
    ----------
    limit : int
        Most that may be spent within any `span_ns`.
    span_ns : int
        Length of the window.
    """

    __slots__ = ("_entries", "_spent", "limit", "span_ns")

    def __init__(self, limit: int, span_ns: int = MINUTE_NS) -> None:
        self.limit = limit
        self.span_ns = span_ns
        self._entries: deque[tuple[int, int]] = deque()
        self._spent = 0

    def spent(self, now_ns: int) -> int:
        """Return what was spent in the window that ends now."""
        entries = self._entries
        while entries and entries[0][0] <= now_ns - self.span_ns:
            self._spent -= entries.popleft()[1]
        return self._spent

    def spend(self, amount: int, now_ns: int) -> None:
        """Count an amount, even over the limit: what was sent was sent."""
        entries = self._entries
        if entries and (entries[-1][0] == now_ns or len(entries) >= self.limit):
            entries[-1] = (now_ns, entries[-1][1] + amount)
        else:
            entries.append((now_ns, amount))
        self._spent += amount


class Budget:
    """Whether the exchange would still take an action, and what was spent so far.

    Nothing here sends or waits. `check` asks, `spend` counts; both take the same action and time.

    Parameters
    ----------
    start_actions : int
        Actions that the address may send before it has traded.
    """

    def __init__(self, *, start_actions: int = START_ACTIONS) -> None:
        self.used = 0
        self.posts_in_flight = 0
        self.actions_spent = 0  # by this process; tells what a late reading does not hold yet
        self._limit_read = start_actions
        self._volume_usd = 0.0  # traded since that reading; only whole dollars count
        self._marks_passed = 0  # as told last
        self._is_read = False  # from the exchange, and not told yet
        self._last_action_ns: int | None = None
        self._throttled_until_ns: int | None = None
        self._rest = Window(REST_WEIGHT)
        self._messages = Window(SOCKET_MESSAGES)

    @property
    def limit(self) -> int:
        """Actions that the address may have sent over its whole life."""
        return self._limit_read + int(self._volume_usd)

    @property
    def cancel_limit(self) -> int:
        """Actions that the address may reach by cancelling."""
        limit = self.limit
        return min(limit + CANCEL_EXTRA_ACTIONS, 2 * limit)

    @property
    def remaining(self) -> int:
        """Actions left for placing, 0 when the purse is empty."""
        return max(self.limit - self.used, 0)

    @property
    def remaining_fraction(self) -> float:
        """Share of the address's actions that is left."""
        return self.remaining / max(self.limit, 1)

    def take_level(self) -> float | None:
        """Return `remaining_fraction` if it passed a mark or was read anew, once; None if not."""
        fraction = self.remaining_fraction
        passed = sum(fraction < mark for mark in LEVEL_MARKS)
        if passed == self._marks_passed and not self._is_read:
            return None
        self._marks_passed, self._is_read = passed, False
        return fraction

    def check(self, action: Action, now_ns: int, *, by_socket: bool = False) -> str | None:
        """Say why an action has to stay here, or None if it may be sent.

        Parameters
        ----------
        action : Action
            What would be sent.
        now_ns : int
            The monotonic clock.
        by_socket : bool
            Whether it would go as a WebSocket post instead of an HTTP request.
        """
        need = need_of(action)
        if need is not Need.READ:
            reason = self._address_reason(need, address_cost(action), now_ns)
            if reason is not None:
                return reason
        return self._host_reason(need, rest_weight(action), now_ns, by_socket=by_socket)

    def spend(self, action: Action, now_ns: int, *, by_socket: bool = False) -> None:
        """Count an action that is sent. A post stays in flight until `release`."""
        cost = address_cost(action)
        if cost:
            self.used += cost
            self.actions_spent += cost
            self._last_action_ns = now_ns
        self._rest.spend(rest_weight(action), now_ns)
        if by_socket:
            self._messages.spend(1, now_ns)
            self.posts_in_flight += 1

    def release(self, posts: int = 1) -> None:
        """Count posts as answered, or as lost with their connection."""
        self.posts_in_flight -= posts
        assert self.posts_in_flight >= 0, f"{self.posts_in_flight} posts in flight"

    def check_request(self, weight: int, now_ns: int) -> str | None:
        """Say why a read that is no `Action` has to wait, or None if it may be sent."""
        return self._host_reason(Need.READ, weight, now_ns, by_socket=False)

    def spend_request(self, weight: int, now_ns: int) -> None:
        """Count a request, or what a long answer adds to one."""
        self._rest.spend(weight, now_ns)

    def spend_message(self, now_ns: int) -> None:
        """Count a WebSocket message that is no action: ping, subscribe, unsubscribe."""
        self._messages.spend(1, now_ns)

    def add_volume(self, usd: float) -> None:
        """Count a fill of ours: each dollar traded is one more action."""
        if 0.0 < usd < math.inf:
            self._volume_usd += usd

    def learn(self, payload: Any, *, spent_since: int = 0) -> None:
        """Take over the exchange's own count from a `userRateLimit` answer.

        Parameters
        ----------
        payload
            The parsed answer: `nRequestsUsed` and `nRequestsCap` are used.
        spent_since : int
            Actions sent since the question left: the answer may not hold them, so they are added.

        Raises
        ------
        WireError
            If a count is missing or no non-negative integer.
        """
        if not isinstance(payload, Mapping):
            raise WireError(f"a userRateLimit answer is an object: {payload!r:.60}")
        used, cap = (payload.get(name) for name in ("nRequestsUsed", "nRequestsCap"))
        for value in (used, cap):
            if type(value) is not int or value < 0:
                raise WireError(f"userRateLimit counts must be integers >= 0: {value!r:.60}")
        self._adopt(int(used or 0) + spent_since, int(cap or 0))

    def learn_refusal(self, text: str, need: Need) -> None:
        """Take over the counts in a refusal for too many requests; other texts change nothing.

        The limit in the refusal of a cancel may be that of cancels, so ours stays.
        """
        found = _OVER_LIMIT.search(text)
        if found is None:
            return
        if need is Need.CANCEL:
            self.used, self._is_read = int(found[1]), True
        else:
            self._adopt(int(found[1]), int(found[2]))

    def learn_throttled(self, now_ns: int) -> None:
        """Keep to cancels for a while: the exchange answered that the host asked too much."""
        self._throttled_until_ns = now_ns + THROTTLED_NS

    def _adopt(self, used: int, limit: int) -> None:
        """Replace our count of the address by the exchange's."""
        self.used = used
        self._limit_read = limit
        self._volume_usd = 0.0
        self._is_read = True

    def _address_reason(self, need: Need, cost: int, now_ns: int) -> str | None:
        """Say why the address cannot pay for `cost` actions."""
        limit = self.limit
        match need:
            case Need.PLACE:
                bound = limit - int(limit * CANCEL_ONLY_FRACTION)
            case Need.REDUCE:
                bound = limit
            case Need.CANCEL:
                bound = self.cancel_limit
            case Need.READ:
                return None
        if self.used + cost <= bound:
            return None
        # An empty purse still pays for one action in ten seconds; quotes do not get it.
        last_ns = self._last_action_ns
        if need is not Need.PLACE and (last_ns is None or now_ns - last_ns >= EMPTY_INTERVAL_NS):
            return None
        return f"address budget: {need.value} stops at {bound} actions, {self.used} used of {limit}"

    def _host_reason(self, need: Need, weight: int, now_ns: int, *, by_socket: bool) -> str | None:
        """Say why the host's minute cannot take a request."""
        kept = need is not Need.CANCEL
        if kept and self._throttled_until_ns is not None and now_ns < self._throttled_until_ns:
            return "request budget: the exchange answered 429, only cancels go out for 10 s"
        bound = REST_WEIGHT - kept * REST_WEIGHT_KEPT_BACK
        spent = self._rest.spent(now_ns)
        if spent + weight > bound:
            return f"request budget: weight {spent} + {weight} > {bound} a minute"
        if by_socket:
            bound = SOCKET_MESSAGES - kept * SOCKET_MESSAGES_KEPT_BACK
            sent = self._messages.spent(now_ns)
            if sent + 1 > bound:
                return f"message budget: {sent} of {bound} sent in a minute"
            bound = POSTS_IN_FLIGHT - kept * POSTS_KEPT_BACK
            if self.posts_in_flight + 1 > bound:
                return f"posts in flight: {self.posts_in_flight} of {bound}"
        return None
