"""What the exchange's refusals mean for placing: reprice, wait, pause a side, or give up."""

import re
from collections import deque

from hypermm.errors import WireError
from hypermm.instrument import Instrument
from hypermm.messages import Side
from hypermm.orders.states import END_POLICIES, EndPolicy

SECOND_NS = 10**9
DENIED_PAUSE_NS = SECOND_NS  # after our own gate or budget, or the exchange's rate limit, said no
POST_ONLY_TRIES = 2  # refusals a second and side, then placing waits
TOUCH_NS = SECOND_NS  # how long the touch that a refusal quotes is respected
BREAKER_REFUSALS = 5  # equal ones on a side within BREAKER_NS pause it
BREAKER_NS = 10 * SECOND_NS
BREAKER_PAUSE_NS = 30 * SECOND_NS  # doubles with each pause
BREAKER_PAUSES = 3  # within BREAKER_MEMORY_NS are a reason to kill
BREAKER_MEMORY_NS = 600 * SECOND_NS
REASONS_MAX = 64  # reasons are texts from outside
COUNTED_MAX = 256  # actions whose refusal has been counted

_POST_ONLY = re.compile(r"Post only order would have immediately matched|badAloPxRejected")
_TOUCH = re.compile(r"bbo was ([0-9.]*)@([0-9.]*)")
_RATE_LIMIT = re.compile(
    r"^Too many cumulative requests|^(?:HTTP (?:status )?|post answered by \w+: )?429\b"
    r"|\brate limit",
    re.IGNORECASE,
)
_NOT_OURS = re.compile(r"User or API Wallet|Must deposit before")
_REASON_END = re.compile(r"[:,.(]| asset=|[0-9]")


class Breaker:
    """Pauses a side on equal refusals, longer each time; says when that is hopeless."""

    def __init__(self) -> None:
        self._times: dict[tuple[Side, str], deque[int]] = {}
        self._pauses: dict[Side, deque[int]] = {side: deque(maxlen=BREAKER_PAUSES) for side in Side}
        self.until_ns = {Side.BUY: 0, Side.SELL: 0}

    def count(self, side: Side, reason: str, now_ns: int) -> int:
        """Count a refusal. Returns the pause that it causes, in ns; -1 when it is hopeless."""
        if len(self._times) > REASONS_MAX:
            self._times.clear()
        times = self._times.setdefault((side, reason), deque(maxlen=BREAKER_REFUSALS))
        times.append(now_ns)
        if len(times) < BREAKER_REFUSALS or now_ns - times[0] > BREAKER_NS:
            return 0
        times.clear()
        pauses = self._pauses[side]
        while pauses and now_ns - pauses[0] > BREAKER_MEMORY_NS:
            pauses.popleft()
        pause_ns = BREAKER_PAUSE_NS << len(pauses)
        pauses.append(now_ns)
        self.until_ns[side] = now_ns + pause_ns
        return -1 if len(pauses) == BREAKER_PAUSES else pause_ns


class Refusals:
    """Remembers refusals and says what may still be placed.

    Parameters
    ----------
    instrument : Instrument
        The market.

    Attributes
    ----------
    counts : dict of str to int
        Refused orders by reason, without the figures in the text.
    rate_limit_errors : deque of int
        When the exchange said that we ask too often, on our clock.
    hopeless : str
        Why nothing can be quoted any more; empty while it can. A reason to kill.
    """

    def __init__(self, instrument: Instrument) -> None:
        self._instrument = instrument
        self._breaker = Breaker()
        self._place_after_ns = 0
        self._post_only_ns = {side: deque[int](maxlen=POST_ONLY_TRIES) for side in Side}
        self._touch: dict[Side, tuple[int, int]] = {Side.BUY: (0, 0), Side.SELL: (0, 0)}
        self._counted: dict[tuple[int, Side], None] = {}
        self.counts: dict[str, int] = {}
        self.rate_limit_errors: deque[int] = deque(maxlen=10_000)
        self.hopeless = ""

    def may_place(self, side: Side, now_ns: int) -> bool:
        """Whether anything may be placed on a side."""
        if now_ns < self._place_after_ns or now_ns < self._breaker.until_ns[side]:
            return False
        refused = self._post_only_ns[side]
        return len(refused) < POST_ONLY_TRIES or now_ns - refused[0] >= SECOND_NS

    def outside_touch(self, side: Side, price: int, now_ns: int) -> int:
        """Move a price one step outside the touch that a post-only refusal has quoted."""
        touch, until_ns = self._touch[side]
        if touch == 0 or now_ns >= until_ns:
            return price
        if side is Side.BUY:
            return min(price, self._instrument.price_below(touch))
        return max(price, self._instrument.price_above(touch))

    def denied(self, now_ns: int) -> None:
        """Note that our own gate or budget kept a placement: the same one would be kept again."""
        self._place_after_ns = now_ns + DENIED_PAUSE_NS

    def is_rate_limit(self, text: str, now_ns: int) -> bool:
        """Whether a text says that we ask too often; then it is counted."""
        if not _RATE_LIMIT.search(text):
            return False
        self.rate_limit_errors.append(now_ns)
        return True

    def refused(self, action_id: int, side: Side, text: str, now_ns: int) -> int:
        """Draw the consequences of a refused order, once for each action and side.

        Parameters
        ----------
        action_id : int
            The action that held the order: ten refusals of one batch are one try.
        side : Side
            Of the order.
        text : str
            The exchange's text, or its status word: both may come, in any order.
        now_ns : int
            Our clock.

        Returns
        -------
        int
            The pause of the side that begins with this one, in ns; 0 for none, -1 if hopeless.
        """
        is_post_only = bool(_POST_ONLY.search(text))
        if is_post_only and (touch := self._quoted_touch(side, text)):
            self._touch[side] = (touch, now_ns + TOUCH_NS)
        if (action_id, side) in self._counted:
            return 0
        self._counted[action_id, side] = None
        if len(self._counted) > COUNTED_MAX:
            del self._counted[next(iter(self._counted))]
        reason = _REASON_END.split(text, maxsplit=1)[0].strip()[:100] or "refused"
        if len(self.counts) < REASONS_MAX or reason in self.counts:
            self.counts[reason] = self.counts.get(reason, 0) + 1
        if is_post_only:
            self._post_only_ns[side].append(now_ns)
            return 0
        if self.is_rate_limit(text, now_ns):
            self._place_after_ns = now_ns + DENIED_PAUSE_NS
        if _NOT_OURS.search(text):
            self._give_up(f"the exchange does not accept our signer: {text[:200]}")
        return self._count(side, reason, now_ns)

    def ended(self, side: Side, status: str, now_ns: int) -> int:
        """Draw the consequences of an order's end by the exchange's own hand, as `refused`."""
        match END_POLICIES.get(status, EndPolicy.COUNT):
            case EndPolicy.RESUME:
                return 0
            case EndPolicy.COUNT:
                return self._count(side, status[:100], now_ns)
            case EndPolicy.STOP:
                self._give_up(f"the exchange ended an order: {status[:100]}")
                return 0

    def _count(self, side: Side, reason: str, now_ns: int) -> int:
        pause_ns = self._breaker.count(side, reason, now_ns)
        if pause_ns < 0:
            self._give_up(f"the exchange refuses again and again: {reason}")
        return pause_ns

    def _give_up(self, reason: str) -> None:
        self.hopeless = self.hopeless or reason

    def _quoted_touch(self, side: Side, text: str) -> int:
        found = _TOUCH.search(text)
        quoted = found.group(2 if side is Side.BUY else 1).rstrip(".") if found else ""
        try:
            return self._instrument.parse_price(quoted)
        except WireError:
            return 0
