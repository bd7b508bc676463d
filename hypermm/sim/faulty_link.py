"""A link on which everything goes wrong at rates that a seed decides."""

from heapq import heapify
from random import Random
from typing import Any, Final

from hypermm.messages import Action, Disconnected, PrivateEvent
from hypermm.sim.link import NS_PER_MS, NS_PER_SEC, Kind, Link, Request, is_signed, lost
from hypermm.sim.trouble import Fault

POST_DEADLINE_MS: Final = 5_000  # an unanswered request is given up after this
LANDING_DELAY_MS_MAX: Final = 1_500.0  # a late request still lands before it is given up
STREAM_FAULTS: Final[dict[Kind, tuple[Fault, Fault, Fault | None]]] = {
    Kind.ROWS: (Fault.DATA_DROP, Fault.DATA_DELAY, Fault.DATA_REPEAT),
    Kind.USER: (Fault.USER_DROP, Fault.USER_DELAY, Fault.USER_REPEAT),
    Kind.REPLY: (Fault.REPLY_LOST, Fault.REPLY_DELAY, None),
}


class FaultyLink(Link):
    """A link that delays, drops, repeats, reorders, mutes, stalls and breaks.

    Delays are drawn for each message alone, so that they reorder too. A lost request never has an
    effect, a lost reply leaves one behind; both are given up after `POST_DEADLINE_MS`. Errors over
    HTTP are told at once, before or after the effect. A broken connection gives up everything in
    flight, though requests may still land. A stalled exchange makes no blocks for a while, and
    then all of them at once.
    """

    def __init__(
        self, *arguments: Any, random: Random, rates: dict[Fault, float], **rest: Any
    ) -> None:
        super().__init__(*arguments, **rest)
        self.rates = rates
        self.is_connected = False
        self._random = random
        self.sent_nonces: list[int] = []  # in order; whoever checks them clears the list
        self._has_http = True  # requests go by HTTP while the socket is down, if that works
        self._reconnect_ns = 0
        self._stalled_until_ns = -1
        self._muted_until_ns = -1
        self._silent_until_ns = -1
        self._burst_until_ns = -1

    def strikes(self, fault: Fault) -> bool:
        """Whether a fault happens here and now."""
        rate = self.rates.get(fault)
        return rate is not None and self._random.random() < rate

    def tick(self) -> None:
        """Begin and end the faults that last."""
        random = self._random
        if self.strikes(Fault.STALL):
            self._stalled_until_ns = self._in_secs(random.uniform(0.1, 3.5))
        if self.strikes(Fault.USER_MUTE):
            self._muted_until_ns = self._in_secs(random.uniform(0.5, 8.0))
        if self.strikes(Fault.DATA_MUTE):
            self._silent_until_ns = self._in_secs(random.uniform(0.5, 6.0))
        if self.strikes(Fault.HTTP_BURST):
            self._burst_until_ns = self._in_secs(random.uniform(0.2, 4.0))
        if not self.is_connected:
            if self.now_ns >= self._reconnect_ns:
                self.connect()
        elif self.strikes(Fault.DISCONNECT):
            self.disconnect(random.uniform(0.1, 8.0 if random.random() < 0.1 else 3.0))

    def tell(self, event: PrivateEvent) -> None:
        """Hand the bot an event of its own process at once."""
        self._push(Kind.USER, self.now_ns, event)

    def heal(self) -> None:
        """End every fault."""
        self.rates = {}
        self._stalled_until_ns = self._burst_until_ns = -1
        self._muted_until_ns = self._silent_until_ns = -1
        if not self.is_connected:
            self.connect()

    def connect(self) -> None:
        """Subscribe anew."""
        self.is_connected = True
        super().connect()

    def disconnect(self, secs: float) -> None:
        """Break the connection: nothing more arrives, what was asked is given up."""
        self.cut()
        self._has_http = self._random.random() < 0.5
        self._reconnect_ns = self._in_secs(secs)
        for action in self.open.values():
            self._push(Kind.USER, self.now_ns, lost(action, "connection closed"))
        self.open.clear()
        self._push(Kind.USER, self.now_ns, Disconnected("connection closed"))

    def cut(self) -> None:
        """Drop all that is on its way to the bot; requests still land."""
        self.is_connected = False
        self._heap = [entry for entry in self._heap if entry[2] is Kind.REQUEST]
        heapify(self._heap)

    def send(self, action: Action, nonce: int) -> None:
        """Take an action on its way, perhaps."""
        random = self._random
        self.open[action.id] = action
        if is_signed(action):
            self.sent_nonces.append(nonce)
        if not (self.is_connected or self._has_http):
            self._push(Kind.LOST, self.now_ns + NS_PER_MS, (action, "no answer"))
            return
        delay_ms = self.latency.order_ms
        if self.strikes(Fault.REQUEST_DELAY):
            delay_ms += random.uniform(0.0, LANDING_DELAY_MS_MAX)
        is_lost = self.strikes(Fault.REQUEST_LOST)
        if self.now_ns < self._burst_until_ns and random.random() < 0.7:
            is_lost = is_lost or random.random() < 0.5
            self._push(Kind.LOST, self.now_ns + 30 * NS_PER_MS, (action, "HTTP 429 or 502"))
        if not is_lost:
            due_ns = self.now_ns + int(delay_ms * NS_PER_MS)
            self._push(Kind.REQUEST, due_ns, Request(action, nonce))
        self._push(Kind.LOST, self.now_ns + POST_DEADLINE_MS * NS_PER_MS, (action, "no answer"))

    def carry(self, kind: Kind, delay_ms: float, value: Any) -> None:
        """Deliver a message, perhaps late, twice or never."""
        drop, delay, repeat = STREAM_FAULTS[kind]
        muted_until_ns = {Kind.USER: self._muted_until_ns, Kind.ROWS: self._silent_until_ns}
        if self.strikes(drop) or self.now_ns < muted_until_ns.get(kind, -1):
            return
        if not (self.is_connected or (kind is Kind.REPLY and self._has_http)):
            return
        if self.strikes(delay):
            delay_ms += self._random.uniform(0.0, 2_000.0)
        super().carry(kind, delay_ms, value)
        if repeat is not None and self.strikes(repeat):
            super().carry(kind, delay_ms + self._random.uniform(0.0, 3_000.0), value)

    @property
    def is_busy(self) -> bool:
        """Whether anything but market data is under way."""
        return bool(self.open or self.landing) or any(
            kind not in (Kind.ROWS, Kind.LOST) for _, _, kind, _ in self._heap
        )

    @property
    def next_block_ns(self) -> int:
        """When the exchange makes its next block: late while it is stalled."""
        return max(super().next_block_ns, self._stalled_until_ns)

    def _in_secs(self, secs: float) -> int:
        return self.now_ns + int(secs * NS_PER_SEC)
