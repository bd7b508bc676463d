"""Own orders: client order ids, states as a table, exposure, and target ladder to actions.

What is not proved gone counts as live at its full remaining size. The size filled is the sum of
the fills, never a status field: what the exchange says of a finished order can only add exposure,
until the fills that it owes have arrived. Events may come in any order, twice, late or never.
"""

import re
from collections import deque
from collections.abc import Iterable, Iterator
from enum import Enum
from hashlib import blake2s

from attrs import define, field, frozen

from hypermm._core.ladder import Ladder
from hypermm._core.reconcile import Reconciler
from hypermm.errors import WireError
from hypermm.instrument import Instrument
from hypermm.messages import (
    Action,
    ActionReply,
    CancelOids,
    CancelOrders,
    Done,
    Fill,
    Filled,
    Level,
    Notice,
    OpenOrder,
    Order,
    OrderUpdate,
    Outcome,
    PlaceOrders,
    Refused,
    Resting,
    Side,
    Unclear,
)

SECOND_NS = 10**9
ENDED_MAX = 1_024  # finished orders that are remembered, to place late events
EARLY_MAX = 256  # fills by an oid that nothing has bound yet
IN_FLIGHT_MAX = 1_024  # actions without an answer
ANSWER_NS = 5 * SECOND_NS  # an action without an answer for so long is lost
GRACE_NS = SECOND_NS  # for the order stream to confirm what an answer said
IMMEDIATE_TRIES = 3  # of a cancel; then with growing pauses, and by oid
CANCEL_PAUSE_NS_MAX = 10 * SECOND_NS
DENIED_PAUSE_NS = SECOND_NS
POST_ONLY_TRIES = 2  # refusals a second and side, then placing waits
TOUCH_NS = SECOND_NS  # how long the touch that a refusal quotes is respected
BREAKER_REFUSALS = 5  # equal ones on a side within BREAKER_NS pause it
BREAKER_NS = 10 * SECOND_NS
BREAKER_PAUSE_NS = 30 * SECOND_NS  # doubles with each pause
BREAKER_PAUSES = 3  # within BREAKER_MEMORY_NS are a reason to kill
BREAKER_MEMORY_NS = 600 * SECOND_NS

_POST_ONLY = re.compile(r"Post only order would have immediately matched")
_TOUCH = re.compile(r"bbo was ([0-9.]*)@([0-9.]*)")
_RATE_LIMIT = re.compile(r"Too many cumulative requests|429|rate limit", re.IGNORECASE)
_NOT_OURS = re.compile(r"User or API Wallet|Must deposit before")
_GONE_OR_NOT = re.compile(r"Order was never placed, already canceled, or filled")


class OrderState(Enum):
    """Where an order stands. The last five absorb every event."""

    PLANNED = "planned"
    SENT = "sent"
    OPEN = "open"
    PARTIAL = "partial"
    CANCEL_SENT = "cancel sent"
    UNKNOWN = "unknown"
    FILLED = "filled"
    CANCELED = "canceled"
    REJECTED = "rejected"
    NEVER_LANDED = "never landed"
    DENIED = "denied"


class OrderEvent(Enum):
    """What can happen to an order."""

    SEND = "send"  # it leaves us
    DENY = "deny"  # gate or budget kept it: it never left us
    REST = "rest"  # proof that it rests, nothing filled so far
    REST_PART = "rest part"  # proof that it rests, a part filled
    FILL = "fill"  # a fill that leaves a rest
    FILL_LAST = "fill last"  # the fill that leaves none
    REFUSE = "refuse"  # the exchange refused it
    CANCEL = "cancel"  # we ask for its end
    LOSE = "lose"  # nothing proves what became of it
    END = "end"  # proof that it is off the book
    NEVER = "never"  # two agreeing reads: the exchange does not know it


_S, _E = OrderState, OrderEvent
TERMINAL = frozenset({_S.FILLED, _S.CANCELED, _S.REJECTED, _S.NEVER_LANDED, _S.DENIED})

# A pair that is missing cannot happen by what we guarantee; `_advance` asserts it.
ORDER_TRANSITIONS: dict[OrderState, dict[OrderEvent, OrderState]] = {
    _S.PLANNED: {_E.SEND: _S.SENT, _E.DENY: _S.DENIED},
    _S.SENT: {
        _E.DENY: _S.DENIED,
        _E.REST: _S.OPEN,
        _E.REST_PART: _S.PARTIAL,
        _E.FILL: _S.PARTIAL,
        _E.FILL_LAST: _S.FILLED,
        _E.REFUSE: _S.REJECTED,
        _E.CANCEL: _S.CANCEL_SENT,
        _E.LOSE: _S.UNKNOWN,
        _E.END: _S.CANCELED,
    },
    _S.OPEN: {
        _E.REST: _S.OPEN,
        _E.REST_PART: _S.PARTIAL,
        _E.FILL: _S.PARTIAL,
        _E.FILL_LAST: _S.FILLED,
        _E.REFUSE: _S.UNKNOWN,  # two answers that exclude each other
        _E.CANCEL: _S.CANCEL_SENT,
        _E.LOSE: _S.UNKNOWN,
        _E.END: _S.CANCELED,
    },
    _S.PARTIAL: {
        _E.REST: _S.PARTIAL,
        _E.REST_PART: _S.PARTIAL,
        _E.FILL: _S.PARTIAL,
        _E.FILL_LAST: _S.FILLED,
        _E.REFUSE: _S.UNKNOWN,
        _E.CANCEL: _S.CANCEL_SENT,
        _E.LOSE: _S.UNKNOWN,
        _E.END: _S.CANCELED,
    },
    _S.CANCEL_SENT: {
        _E.DENY: _S.DENIED,
        _E.REST: _S.CANCEL_SENT,
        _E.REST_PART: _S.CANCEL_SENT,
        _E.FILL: _S.CANCEL_SENT,
        _E.FILL_LAST: _S.FILLED,
        _E.REFUSE: _S.REJECTED,
        _E.CANCEL: _S.CANCEL_SENT,
        _E.LOSE: _S.CANCEL_SENT,
        _E.END: _S.CANCELED,
        _E.NEVER: _S.NEVER_LANDED,
    },
    _S.UNKNOWN: {
        _E.DENY: _S.DENIED,
        _E.REST: _S.OPEN,
        _E.REST_PART: _S.PARTIAL,
        _E.FILL: _S.UNKNOWN,  # it landed, but whether the rest still stands is open
        _E.FILL_LAST: _S.FILLED,
        _E.REFUSE: _S.REJECTED,
        _E.CANCEL: _S.UNKNOWN,
        _E.LOSE: _S.UNKNOWN,
        _E.END: _S.CANCELED,
        _E.NEVER: _S.NEVER_LANDED,
    },
} | {state: {event: state for event in _E if event is not _E.SEND} for state in TERMINAL}


class EndPolicy(Enum):
    """What the end of an order by the exchange's own hand means for us."""

    RESUME = "resume"
    COUNT = "count"  # as a refusal: the breaker pauses the side if it goes on
    STOP = "stop"  # nothing can be quoted here any more


END_POLICIES = {
    "canceled": EndPolicy.RESUME,
    "filled": EndPolicy.RESUME,
    "selfTradeCanceled": EndPolicy.RESUME,
    "scheduledCancel": EndPolicy.RESUME,
    "internalCancel": EndPolicy.COUNT,
    "marginCanceled": EndPolicy.COUNT,
    "reduceOnlyCanceled": EndPolicy.COUNT,
    "openInterestCapCanceled": EndPolicy.COUNT,
    "vaultWithdrawalCanceled": EndPolicy.COUNT,
    "siblingFilledCanceled": EndPolicy.COUNT,
    "liquidatedCanceled": EndPolicy.STOP,
    "delistedCanceled": EndPolicy.STOP,
    "outcomeSettledCanceled": EndPolicy.STOP,
}


def classify(status: str) -> OrderEvent | None:
    """Read the exchange's word for an order's state; None for a word of no known form."""
    if status in ("open", "triggered"):
        return OrderEvent.REST
    lower = status.lower()
    if lower == "filled" or lower.endswith(("canceled", "cancelled", "cancel")):
        return OrderEvent.END
    if lower.endswith("rejected"):
        return OrderEvent.REFUSE
    return None


@frozen
class CloidParts:
    """What a client order id of ours says."""

    session_secs: int
    sequence: int
    side: Side
    level: int


class Cloids:
    """Client order ids: tag 32 bits, session start 32, sequence 40, kind 8, check 16.

    Parameters
    ----------
    account : str
        Address of the account; with `instance` it makes the tag that marks our orders.
    instance : str
        Name of this market maker on the account.
    session_secs : int
        Start of this session, seconds since 1970.
    """

    def __init__(self, account: str, instance: str, session_secs: int) -> None:
        name = f"{account.lower()}/{instance}".encode()
        self._tag = int.from_bytes(blake2s(name, digest_size=4).digest(), "big")
        self._session = session_secs & 0xFFFFFFFF
        self._prefix = (self._tag << 32 | self._session) << 40
        self._sequence = 0

    def next(self, side: Side, level: int) -> int:
        """Make an id that was never used."""
        self._sequence += 1
        assert self._sequence < 1 << 40, "the sequence of client order ids is used up"
        kind = (0x80 if side is Side.SELL else 0) | min(level, 0x7F)
        upper = (self._prefix | self._sequence) << 8 | kind
        return upper << 16 | self._check(upper)

    def parse(self, cloid: int | None) -> CloidParts | None:
        """Read an id; None if it is not one of this account and instance."""
        if cloid is None or not 0 <= cloid < 1 << 128 or cloid >> 96 != self._tag:
            return None
        if cloid & 0xFFFF != self._check(cloid >> 16):
            return None
        kind = cloid >> 16 & 0xFF
        return CloidParts(
            session_secs=cloid >> 64 & 0xFFFFFFFF,
            sequence=cloid >> 24 & 0xFFFFFFFFFF,
            side=Side.SELL if kind & 0x80 else Side.BUY,
            level=kind & 0x7F,
        )

    def is_ours(self, cloid: int | None) -> bool:
        """Whether tag and check are ours, from whatever session."""
        return self.parse(cloid) is not None

    @staticmethod
    def _check(upper: int) -> int:
        return int.from_bytes(blake2s(upper.to_bytes(14, "big"), digest_size=2).digest(), "big")


@define(eq=False)
class _Record:
    """One order of this session."""

    cloid: int
    side: Side
    price: int
    size: int
    action_id: int
    since_ns: int  # when the last event came
    state: OrderState = OrderState.PLANNED
    filled: int = 0  # the sum of its fills
    oid: int = 0
    slot: int = -1  # in the reconciler; -1 when a new order may take its place there
    owed: int = -1  # filled size by the exchange's word, once it is proved off the book
    status: str = ""  # the exchange's word for its end
    cancel_tries: int = 0
    cancel_due_ns: int = 0  # when to ask again for its end; 0: not asked
    doubt_ns: int = 0  # from when on its fate has to be read; 0: there is no doubt
    lists_without: int = 0

    @property
    def remaining(self) -> int:
        """What may still fill."""
        most = self.size if self.owed < 0 else self.owed
        return max(most - self.filled, 0)


@frozen
class OwnOrder:
    """An order of ours that may be live, frozen."""

    cloid: int
    oid: int  # 0 while it is not known
    side: Side
    price: int
    size: int
    remaining: int
    state: str


@define
class OrderCounts:
    """Counts since the start."""

    placed: int = 0
    canceled: int = 0
    refused: int = 0
    denied: int = 0
    unknown: int = 0
    never_landed: int = 0
    late_fills: int = 0
    overfills: int = 0
    refusals: dict[str, int] = field(factory=dict)


class _Breaker:
    """Pauses a side on equal refusals, longer each time; says when that is hopeless."""

    def __init__(self) -> None:
        self._times: dict[tuple[Side, str], deque[int]] = {}
        self._pauses: dict[Side, deque[int]] = {side: deque(maxlen=BREAKER_PAUSES) for side in Side}
        self.until_ns = {Side.BUY: 0, Side.SELL: 0}

    def count(self, side: Side, reason: str, now_ns: int) -> int:
        """Count a refusal. Returns the pause that it causes, in ns; -1 when it is hopeless."""
        if len(self._times) > 64:  # reasons are texts from outside
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


class Orders:
    """The table of own orders.

    Parameters
    ----------
    instrument : Instrument
        The market.
    cloids : Cloids
        Source of client order ids.
    ids : iterator of int
        Source of action ids, shared with whoever else makes actions.
    levels : int
        Orders a side that may be live at once.
    notices : deque of Notice
        Receives the facts worth a log line.
    """

    def __init__(
        self,
        instrument: Instrument,
        cloids: Cloids,
        ids: Iterator[int],
        *,
        levels: int,
        notices: deque[Notice],
    ) -> None:
        self._instrument = instrument
        self._cloids = cloids
        self._ids = ids
        self._levels = levels
        self._notices = notices
        self._reconciler = Reconciler()
        self._live: dict[int, _Record] = {}
        self._ended: dict[int, _Record] = {}
        self._by_oid: dict[int, _Record] = {}
        self._by_slot: dict[int, _Record] = {}
        self._early: dict[int, int] = {}  # oid -> signed lots
        self._strays: dict[int, OpenOrder] = {}  # ours on the exchange, but not in the table
        self._strays_due_ns = 0
        self._strays_tries = 0
        self._in_flight: dict[int, tuple[bool, tuple[int, ...]]] = {}  # is it a placement, cloids
        self._check_ns = 0  # nothing is due before
        self._doubtful: tuple[int, ...] = ()
        self._place_after_ns = 0
        self._post_only_ns = {side: deque[int](maxlen=POST_ONLY_TRIES) for side in Side}
        self._touch: dict[Side, tuple[int, int]] = {Side.BUY: (0, 0), Side.SELL: (0, 0)}
        self._breaker = _Breaker()
        self.counts = OrderCounts()
        self.rate_limit_errors: deque[int] = deque(maxlen=10_000)  # when they came
        self.hopeless = ""  # why no quoting is possible any more; a reason to kill
        self.bid_lots = 0  # worst case of each side: everything that may still fill
        self.ask_lots = 0
        self.version = 0  # changes with every change of what may be live

    # What is known.

    def __len__(self) -> int:
        return len(self._live)

    def is_ours(self, cloid: int | None) -> bool:
        """Whether the id is of this account and instance, from whatever session."""
        return self._cloids.is_ours(cloid)

    @property
    def num_strays(self) -> int:
        """How many orders of ours the exchange shows that the table does not hold."""
        return len(self._strays)

    @property
    def is_settled(self) -> bool:
        """Whether everything that may live is proved to rest, and nothing else of ours does."""
        return not self._strays and all(
            r.state in (OrderState.OPEN, OrderState.PARTIAL) and r.owed < 0
            for r in self._live.values()
        )

    def live(self) -> tuple[OwnOrder, ...]:
        """Freeze everything that may be live, strays included."""
        known = (
            OwnOrder(r.cloid, r.oid, r.side, r.price, r.size, r.remaining, r.state.value)
            for r in self._live.values()
        )
        strays = (
            OwnOrder(s.cloid or 0, s.oid, s.side, s.price, s.original, s.remaining, "stray")
            for s in self._strays.values()
        )
        return (*known, *strays)

    def resting(self) -> Iterator[tuple[Side, int, int]]:
        """Iterate over (side, price, remaining) of what the displayed book may show of ours."""
        for record in self._live.values():
            if record.owed < 0:
                yield record.side, record.price, record.remaining
        for stray in self._strays.values():
            yield stray.side, stray.price, stray.remaining

    def state(self, cloid: int) -> OrderState | None:
        """Return where an order of this session stands; None if it is not remembered."""
        record = self._live.get(cloid) or self._ended.get(cloid)
        return None if record is None else record.state

    def doubtful(self, now_ns: int) -> tuple[int, ...]:
        """Return the orders whose fate has to be read, by cloid."""
        if now_ns >= self._check_ns:
            self._tend(now_ns)
        return self._doubtful

    def due_ns(self) -> int:
        """Return when something is overdue."""
        return self._check_ns

    @property
    def owes_fills(self) -> bool:
        """Whether a finished order waits for fills that should be here by now."""
        return any(r.owed >= 0 and r.cloid in self._doubtful for r in self._live.values())

    # What happens.

    def apply_fill(self, fill: Fill, now_ns: int) -> bool:
        """Book a fill that the ledger had not seen. False if the order is not ours."""
        record = self._record(fill.cloid, fill.oid)
        if record is None:
            if self._cloids.is_ours(fill.cloid):
                return True  # of an earlier session
            if fill.cloid is None and self._has_unbound(fill.side):
                self._early[fill.oid] = self._early.get(fill.oid, 0) + fill.size
                while len(self._early) > EARLY_MAX:
                    del self._early[next(iter(self._early))]
            return False
        self._bind(record, fill.oid)
        self._fill(record, fill.size, now_ns)
        return True

    def apply_update(self, update: OrderUpdate, now_ns: int) -> bool:
        """Apply what the order stream or a status read says of one order; False if unknown."""
        record = self._record(update.cloid, update.oid)
        if record is None:
            return False
        self._bind(record, update.oid)
        event = classify(update.status)
        match event:
            case OrderEvent.REST:
                self._rest(record, now_ns)
            case OrderEvent.END:
                self._off_the_book(
                    record, update.original - update.remaining, update.status, now_ns
                )
            case OrderEvent.REFUSE:
                if record.state not in TERMINAL:
                    record.status = update.status
                    self._advance(record, OrderEvent.REFUSE, now_ns)
            case _:
                self._lose(record, now_ns)
                self._tell(Level.WARN, "Unknown order status", record, status=update.status[:100])
        return True

    def apply_reply(self, reply: ActionReply, now_ns: int) -> bool:
        """Apply the answer to one of our actions. False if the action is not ours."""
        entry = self._in_flight.pop(reply.id, None)
        if entry is None:
            return False
        is_placement, cloids = entry
        outcomes = reply.outcomes
        if len(outcomes) != len(cloids):  # proves nothing for any of them
            text = f"{len(outcomes)} outcomes for {len(cloids)} orders"
            outcomes = (Unclear(text),) * len(cloids)
        seen: set[tuple[Side, str]] = set()
        for cloid, outcome in zip(cloids, outcomes, strict=True):
            record = self._live.get(cloid) or self._ended.get(cloid)
            if record is None:
                continue
            if is_placement:
                self._placed(record, outcome, seen, now_ns)
            else:
                self._cancel_answered(record, outcome, now_ns)
        return True

    def apply_lost(self, action_id: int, reason: str, now_ns: int) -> bool:
        """Note that no answer proves what an action did. False if the action is not ours."""
        entry = self._in_flight.pop(action_id, None)
        if entry is None:
            return False
        is_placement, cloids = entry
        if _RATE_LIMIT.search(reason):
            self.rate_limit_errors.append(now_ns)
        for cloid in cloids:
            record = self._live.get(cloid)
            if record is None:
                continue
            if is_placement:
                self._lose(record, now_ns)
            else:
                self._cancel_failed(record, now_ns)
        return True

    def apply_denied(self, action_id: int, now_ns: int) -> bool:
        """Note that an action never left us. False if the action is not ours."""
        entry = self._in_flight.pop(action_id, None)
        if entry is None:
            return False
        is_placement, cloids = entry
        if is_placement:
            self._place_after_ns = now_ns + DENIED_PAUSE_NS
        for cloid in cloids:
            record = self._live.get(cloid)
            if record is None:
                continue
            if is_placement:
                self.counts.denied += 1
                self._advance(record, OrderEvent.DENY, now_ns)
            else:  # too early to hope that at once is better
                record.cancel_tries = max(record.cancel_tries, IMMEDIATE_TRIES)
                self._cancel_failed(record, now_ns)
        return True

    def apply_list(self, orders: Iterable[OpenOrder], asked_ns: int, now_ns: int) -> None:
        """Compare with the exchange's list. What changed after the question is left alone."""
        listed = {order.oid: order for order in orders}
        shown: set[int] = set()
        strays: dict[int, OpenOrder] = {}
        for order in listed.values():
            record = self._record(order.cloid, order.oid)
            if record is None or record.state in TERMINAL:
                is_fresh = record is None or record.since_ns < asked_ns
                if is_fresh and self._cloids.is_ours(order.cloid):
                    strays[order.oid] = order
                continue
            shown.add(record.cloid)
            if record.since_ns >= asked_ns or record.owed >= 0:
                continue
            self._bind(record, order.oid)
            self._rest(record, now_ns)
        for record in list(self._live.values()):
            if record.cloid not in shown and record.owed < 0 and record.since_ns < asked_ns:
                self._lose(record, now_ns)
        if strays.keys() != self._strays.keys():
            self._strays_tries = 0
            self._strays_due_ns = now_ns
        if strays or self._strays:
            self._strays = strays
            self._changed()

    def lose_all(self, now_ns: int) -> None:
        """Treat everything that may be live as unknown, until it is proved."""
        for record in list(self._live.values()):
            if record.owed < 0:
                self._lose(record, now_ns)

    def never_landed(self, cloid: int, now_ns: int) -> None:
        """Two agreeing reads say that the exchange does not know the order."""
        record = self._live.get(cloid)
        if record is None or record.owed >= 0:
            return
        if record.state not in (OrderState.UNKNOWN, OrderState.CANCEL_SENT):
            return  # proof of something else came in between
        if record.oid or record.filled:
            # It was there once, so it ended, whatever the reads leave out.
            self._tell(Level.WARN, "Order no longer known to the exchange", record)
            self._advance(record, OrderEvent.END, now_ns)
        else:
            self.counts.never_landed += 1
            self._advance(record, OrderEvent.NEVER, now_ns)

    def fills_read(self, asked_ns: int, now_ns: int) -> None:
        """Every fill up to `asked_ns` has been booked: what is still owed will not come."""
        for record in list(self._live.values()):
            if record.owed >= 0 and record.since_ns + GRACE_NS < asked_ns:
                self._tell(
                    Level.WARN,
                    "Fills missing",
                    record,
                    missing=self._instrument.print_size(record.remaining),
                )
                self._advance(record, OrderEvent.END, now_ns)

    # What to do.

    def reconcile(
        self,
        ladder: Ladder,
        max_bps_diff: float,
        *,
        bid_room: int,
        ask_room: int,
        is_reducing: bool,
        now_ns: int,
    ) -> tuple[Action, ...]:
        """Turn the difference between the wanted ladder and the live orders into actions.

        Parameters
        ----------
        ladder : Ladder
            Wanted prices and sizes.
        max_bps_diff : float
            An order stays while its price is this close to the wanted one, in bps.
        bid_room, ask_room : int
            Lots that a side may add to the position in the worst case, what is live included.
        is_reducing : bool
            Whether new orders are marked as reduce-only.
        now_ns : int
            Our clock.

        Returns
        -------
        tuple of Action
            Cancels first, then placements. Empty in the steady state, without making any object.
        """
        retries = self._due_cancels(now_ns) if now_ns >= self._check_ns else ()
        if self._reconciler.compare(ladder, max_bps_diff) == 0:
            return retries
        actions: list[Action] = list(retries)
        cancels = []
        for slot in self._reconciler.cancels:
            record = self._by_slot[slot]
            if record.state in (OrderState.OPEN, OrderState.PARTIAL):
                cancels.append(record)
        if cancels:
            actions.append(self._cancel(cancels, now_ns))
        if now_ns >= self._place_after_ns:
            orders = self._placements(bid_room, ask_room, is_reducing=is_reducing, now_ns=now_ns)
            if orders:
                actions.append(self._place(orders, now_ns))
        return tuple(actions)

    def chase(self, now_ns: int) -> tuple[Action, ...]:
        """Ask again for the end of what should be gone, where that is due; nothing new."""
        return self._due_cancels(now_ns) if now_ns >= self._check_ns else ()

    def cancel_all(self, now_ns: int) -> tuple[Action, ...]:
        """Ask for the end of everything that may be live; asks again where that is due."""
        actions = list(self._due_cancels(now_ns))
        wanted = [
            record
            for record in self._live.values()
            if record.owed < 0
            and (record.state is not OrderState.CANCEL_SENT)
            and not record.cancel_due_ns
        ]
        if wanted:
            actions.append(self._cancel(wanted, now_ns))
        return tuple(actions)

    def _placements(
        self, bid_room: int, ask_room: int, *, is_reducing: bool, now_ns: int
    ) -> list[Order]:
        highest_bid, lowest_ask, bids, asks = 0, 1 << 62, 0, 0
        for side, price, _ in self.resting():
            if side is Side.BUY:
                bids += 1
                highest_bid = max(highest_bid, price)
            else:
                asks += 1
                lowest_ask = min(lowest_ask, price)
        rooms = {Side.BUY: bid_room - self.bid_lots, Side.SELL: ask_room - self.ask_lots}
        free = {Side.BUY: self._levels - bids, Side.SELL: self._levels - asks}
        orders = []
        for raw_side, wanted_price, size in self._reconciler.places:
            side = Side(raw_side)
            # All or nothing: an order cut to the room would be replaced as soon as there is more.
            if free[side] <= 0 or size > rooms[side] or self._is_paused(side, now_ns):
                continue
            price = self._outside_touch(side, wanted_price, now_ns)
            if side is Side.BUY:
                if not 0 < price < lowest_ask:
                    continue
                highest_bid = max(highest_bid, price)
            else:
                if not price > highest_bid:
                    continue
                lowest_ask = min(lowest_ask, price)
            if not self._instrument.is_above_minimum(price, size):
                continue
            free[side] -= 1
            rooms[side] -= size
            level = self._levels - 1 - free[side]
            orders.append(Order(self._cloids.next(side, level), side, price, size, is_reducing))
        return orders

    def _is_paused(self, side: Side, now_ns: int) -> bool:
        if now_ns < self._breaker.until_ns[side]:
            return True
        refused = self._post_only_ns[side]
        return len(refused) == POST_ONLY_TRIES and now_ns - refused[0] < SECOND_NS

    def _outside_touch(self, side: Side, price: int, now_ns: int) -> int:
        """Move a price one step outside the touch that a post-only refusal has quoted."""
        touch, until_ns = self._touch[side]
        if touch == 0 or now_ns >= until_ns:
            return price
        if side is Side.BUY:
            return min(price, self._instrument.price_below(touch))
        return max(price, self._instrument.price_above(touch))

    def _place(self, orders: list[Order], now_ns: int) -> PlaceOrders:
        action = PlaceOrders(next(self._ids), tuple(orders))
        for order in orders:
            record = _Record(order.cloid, order.side, order.price, order.size, action.id, now_ns)
            self._live[order.cloid] = record
            record.slot = self._reconciler.add(order.side, order.price, order.size)
            self._by_slot[record.slot] = record
            self._advance(record, OrderEvent.SEND, now_ns)
        self.counts.placed += len(orders)
        self._fly(action.id, is_placement=True, cloids=tuple(o.cloid for o in orders))
        self._changed()
        return action

    def _cancel(self, records: list[_Record], now_ns: int) -> CancelOrders:
        cloids = tuple(record.cloid for record in records)
        action = CancelOrders(next(self._ids), cloids)
        for record in records:
            self._leave_slot(record)
            if record.state is not OrderState.CANCEL_SENT:
                self._advance(record, OrderEvent.CANCEL, now_ns)
            record.cancel_tries += 1
            record.cancel_due_ns = now_ns + ANSWER_NS
            record.doubt_ns = record.doubt_ns or now_ns + ANSWER_NS
        self._fly(action.id, is_placement=False, cloids=cloids)
        self._check_ns = 0
        return action

    def _due_cancels(self, now_ns: int) -> tuple[Action, ...]:
        due = [r for r in self._live.values() if 0 < r.cancel_due_ns <= now_ns and r.owed < 0]
        actions: list[Action] = []
        by_oid = [r for r in due if r.cancel_tries >= IMMEDIATE_TRIES and r.oid]
        by_cloid = [r for r in due if not (r.cancel_tries >= IMMEDIATE_TRIES and r.oid)]
        if by_cloid:
            actions.append(self._cancel(by_cloid, now_ns))
        if by_oid:
            for record in by_oid:
                record.cancel_tries += 1
                record.cancel_due_ns = now_ns + ANSWER_NS
            oids = CancelOids(next(self._ids), tuple(record.oid for record in by_oid))
            self._fly(oids.id, is_placement=False, cloids=tuple(r.cloid for r in by_oid))
            actions.append(oids)
        if self._strays and now_ns >= self._strays_due_ns:
            self._strays_tries += 1
            self._strays_due_ns = now_ns + self._pause_ns(self._strays_tries)
            actions.append(CancelOids(next(self._ids), tuple(self._strays)))
        self._check_ns = 0
        return tuple(actions)

    @staticmethod
    def _pause_ns(tries: int) -> int:
        return min(SECOND_NS << min(max(tries - 1, 0), 8), CANCEL_PAUSE_NS_MAX)

    def _fly(self, action_id: int, *, is_placement: bool, cloids: tuple[int, ...]) -> None:
        self._in_flight[action_id] = (is_placement, cloids)
        if len(self._in_flight) > IN_FLIGHT_MAX:
            del self._in_flight[next(iter(self._in_flight))]

    # How the table changes.

    def _advance(self, record: _Record, event: OrderEvent, now_ns: int) -> None:
        before = record.state
        after = ORDER_TRANSITIONS[before].get(event)
        assert after is not None, f"order {record.cloid:#034x}: {event.value} while {before.value}"
        record.state = after
        record.since_ns = now_ns
        if after is before:
            return
        if after is OrderState.UNKNOWN:
            record.doubt_ns = now_ns
            self.counts.unknown += 1
        elif after in (OrderState.OPEN, OrderState.PARTIAL):
            record.doubt_ns = record.cancel_due_ns = record.cancel_tries = 0
            if record.slot < 0 and record.owed < 0:  # a cancel did not reach it
                record.slot = self._reconciler.add(record.side, record.price, record.remaining)
                self._by_slot[record.slot] = record
        if after in TERMINAL:
            self._leave_slot(record)
            del self._live[record.cloid]
            self._ended[record.cloid] = record
            if len(self._ended) > ENDED_MAX:
                oldest = self._ended.pop(next(iter(self._ended)))
                self._by_oid.pop(oldest.oid, None)
            if after is OrderState.CANCELED:
                self.counts.canceled += 1
        self._changed()

    def _changed(self) -> None:
        bids = asks = 0
        for record in self._live.values():
            if record.side is Side.BUY:
                bids += record.remaining
            else:
                asks += record.remaining
        for stray in self._strays.values():
            if stray.side is Side.BUY:
                bids += stray.remaining
            else:
                asks += stray.remaining
        self.bid_lots, self.ask_lots = bids, asks
        self.version += 1
        self._check_ns = 0

    def _leave_slot(self, record: _Record) -> None:
        if record.slot >= 0:
            self._reconciler.remove(record.slot)
            del self._by_slot[record.slot]
            record.slot = -1

    def _record(self, cloid: int | None, oid: int) -> _Record | None:
        if cloid is not None:
            return self._live.get(cloid) or self._ended.get(cloid)
        return self._by_oid.get(oid)

    def _has_unbound(self, side: Side) -> bool:
        return any(not r.oid and r.side is side for r in self._live.values())

    def _bind(self, record: _Record, oid: int) -> None:
        if record.oid or not oid:
            return
        record.oid = oid
        self._by_oid[oid] = record
        early = self._early.pop(oid, 0)
        if early:
            self._fill(record, early, record.since_ns)

    def _fill(self, record: _Record, size: int, now_ns: int) -> None:
        record.filled += size
        if record.filled > record.size:
            self.counts.overfills += 1
            self._tell(Level.ERROR, "Order filled beyond its size", record)
        if record.state in TERMINAL:
            if record.state is not OrderState.FILLED:
                self.counts.late_fills += 1
                self._tell(Level.WARN, "Fill of a finished order", record)
            return
        if record.filled >= record.size:
            self._advance(record, OrderEvent.FILL_LAST, now_ns)
            return
        self._advance(record, OrderEvent.FILL, now_ns)
        if record.owed >= 0:
            self._settle(record, now_ns)
        elif record.slot >= 0:
            self._reconciler.set_remaining(record.slot, record.remaining)
        self._changed()

    def _rest(self, record: _Record, now_ns: int) -> None:
        if record.state in TERMINAL or record.owed >= 0:
            return  # late news
        event = OrderEvent.REST_PART if record.filled else OrderEvent.REST
        is_cancel_out = record.state is OrderState.CANCEL_SENT
        self._advance(record, event, now_ns)
        if is_cancel_out and record.cancel_due_ns:
            # Read as still there after the cancel was answered or given up.
            record.cancel_due_ns = min(
                record.cancel_due_ns, now_ns + self._pause_ns(record.cancel_tries)
            )
            self._check_ns = 0

    def _off_the_book(self, record: _Record, filled: int, status: str, now_ns: int) -> None:
        """Proved finished with `filled` lots; ends once the fills for them are booked."""
        if record.state in TERMINAL:
            return
        record.owed = max(min(filled, record.size), 0)
        record.status = status
        record.since_ns = now_ns
        record.cancel_due_ns = 0
        record.doubt_ns = now_ns + GRACE_NS
        self._leave_slot(record)
        policy = END_POLICIES.get(status, EndPolicy.COUNT)
        if record.state is not OrderState.CANCEL_SENT and policy is not EndPolicy.RESUME:
            self._tell(Level.WARN, "Order ended by the exchange", record, status=status[:100])
            if policy is EndPolicy.STOP:
                self.hopeless = self.hopeless or f"the exchange ended an order: {status[:100]}"
            else:
                self._count_refusal(record, status, now_ns)
        self._settle(record, now_ns)
        self._changed()

    def _settle(self, record: _Record, now_ns: int) -> None:
        if record.filled >= record.owed:
            self._advance(record, OrderEvent.END, now_ns)

    def _lose(self, record: _Record, now_ns: int) -> None:
        if record.state in TERMINAL or record.owed >= 0:
            return
        self._advance(record, OrderEvent.LOSE, now_ns)
        record.doubt_ns = record.doubt_ns or now_ns
        record.doubt_ns = min(record.doubt_ns, now_ns)
        self._check_ns = 0

    def _placed(
        self, record: _Record, outcome: Outcome, seen: set[tuple[Side, str]], now_ns: int
    ) -> None:
        match outcome:
            case Resting(oid):
                self._bind(record, oid)
                self._rest(record, now_ns)
            case Filled(oid, size):
                self._bind(record, oid)
                self._off_the_book(record, size, "filled", now_ns)
            case Refused(text):
                if record.state not in TERMINAL:
                    self._advance(record, OrderEvent.REFUSE, now_ns)
                    self._refused(record, text, seen, now_ns)
            case Unclear(text):
                if _RATE_LIMIT.search(text):
                    self.rate_limit_errors.append(now_ns)
                self._lose(record, now_ns)
            case Done():
                self._lose(record, now_ns)

    def _refused(
        self, record: _Record, text: str, seen: set[tuple[Side, str]], now_ns: int
    ) -> None:
        """Draw the consequences of a refusal, once for each action, side and reason."""
        reason = re.split(r"[:,.(]| asset=|[0-9]", text, maxsplit=1)[0].strip()[:100] or "refused"
        self.counts.refused += 1
        if len(self.counts.refusals) < 64 or reason in self.counts.refusals:
            self.counts.refusals[reason] = self.counts.refusals.get(reason, 0) + 1
        if (record.side, reason) in seen:
            return
        seen.add((record.side, reason))
        if _POST_ONLY.match(text):
            self._post_only_ns[record.side].append(now_ns)
            self._touch[record.side] = (self._quoted_touch(record.side, text), now_ns + TOUCH_NS)
            self._tell(Level.DEBUG, "Order refused", record, text=text[:300])
            return
        self._tell(Level.WARN, "Order refused", record, text=text[:300])
        if _RATE_LIMIT.search(text):
            self.rate_limit_errors.append(now_ns)
            self._place_after_ns = now_ns + DENIED_PAUSE_NS
        if _NOT_OURS.search(text):
            self.hopeless = (
                self.hopeless or f"the exchange does not accept our signer: {text[:200]}"
            )
        self._count_refusal(record, reason, now_ns)

    def _quoted_touch(self, side: Side, text: str) -> int:
        found = _TOUCH.search(text)
        quoted = found.group(2 if side is Side.BUY else 1).rstrip(".") if found else ""
        try:
            return self._instrument.parse_price(quoted)
        except WireError:
            return 0

    def _count_refusal(self, record: _Record, reason: str, now_ns: int) -> None:
        pause_ns = self._breaker.count(record.side, reason, now_ns)
        if pause_ns > 0:
            self._tell(
                Level.WARN,
                "Side paused",
                record,
                reason=reason,
                pause_secs=pause_ns // SECOND_NS,
            )
        elif pause_ns < 0:
            self.hopeless = self.hopeless or f"the exchange refuses again and again: {reason}"

    def _cancel_answered(self, record: _Record, outcome: Outcome, now_ns: int) -> None:
        if record.state in TERMINAL or record.owed >= 0:
            return
        match outcome:
            case Done():
                # Off the book, but how much of it was filled comes with the order stream.
                record.doubt_ns = now_ns + GRACE_NS
                record.cancel_due_ns = now_ns + CANCEL_PAUSE_NS_MAX
            case Refused(text) if _GONE_OR_NOT.match(text):
                # Proof of none of the three: the order's state has to be read.
                record.doubt_ns = now_ns
                record.cancel_due_ns = now_ns + CANCEL_PAUSE_NS_MAX
            case Refused(text):
                if _RATE_LIMIT.search(text):
                    self.rate_limit_errors.append(now_ns)
                    record.cancel_tries = max(record.cancel_tries, IMMEDIATE_TRIES)
                self._cancel_failed(record, now_ns)
            case Unclear() | Resting() | Filled():
                self._cancel_failed(record, now_ns)
        self._check_ns = 0

    def _cancel_failed(self, record: _Record, now_ns: int) -> None:
        """Ask again: at once for the first tries, then with growing pauses; and read meanwhile."""
        if record.state in TERMINAL or record.owed >= 0 or not record.cancel_due_ns:
            return
        tries = record.cancel_tries
        pause_ns = 0 if tries < IMMEDIATE_TRIES else self._pause_ns(tries - IMMEDIATE_TRIES + 1)
        record.cancel_due_ns = max(now_ns + pause_ns, 1)
        record.doubt_ns = now_ns
        self._check_ns = 0

    def _tend(self, now_ns: int) -> None:
        """Find what is overdue, and when the next thing will be."""
        doubtful = []
        check_ns = 1 << 62
        for record in list(self._live.values()):
            if record.state is OrderState.SENT:
                due_ns = record.since_ns + ANSWER_NS
                if now_ns >= due_ns:
                    self._lose(record, now_ns)
                else:
                    check_ns = min(check_ns, due_ns)
            if record.doubt_ns:
                if now_ns >= record.doubt_ns:
                    doubtful.append(record.cloid)
                else:
                    check_ns = min(check_ns, record.doubt_ns)
            if record.cancel_due_ns:
                check_ns = min(check_ns, record.cancel_due_ns)
        if self._strays:
            check_ns = min(check_ns, self._strays_due_ns)
        self._doubtful = tuple(doubtful)
        self._check_ns = check_ns

    def _tell(self, level: Level, event: str, record: _Record, **fields: object) -> None:
        self._notices.append(
            Notice(
                level,
                event,
                {
                    "cloid": f"{record.cloid:#034x}",
                    "side": record.side.name.lower(),
                    "price": self._instrument.print_price(record.price),
                    "size": self._instrument.print_size(record.size),
                    "state": record.state.value,
                    **fields,
                },
            )
        )
