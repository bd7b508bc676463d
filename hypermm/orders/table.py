"""The table of own orders: every event in any order, twice, late or never.

What is not proved gone counts as live at its full remaining size. The size filled is the sum of
the fills, never a status field: what the exchange says of a finished order can only add exposure,
until the fills that it owes have arrived.
"""

import re
from collections import deque
from collections.abc import Iterable, Iterator

from hypermm._core.reconcile import Reconciler
from hypermm.instrument import Instrument
from hypermm.messages import (
    ActionReply,
    Done,
    Fill,
    Filled,
    Level,
    Notice,
    OpenOrder,
    OrderUpdate,
    Outcome,
    Refused,
    Resting,
    Side,
    Unclear,
)
from hypermm.orders.cloids import Cloids
from hypermm.orders.records import OrderCounts, OwnOrder, Record
from hypermm.orders.refusals import Refusals
from hypermm.orders.states import (
    END_POLICIES,
    ORDER_TRANSITIONS,
    TERMINAL,
    EndPolicy,
    OrderEvent,
    OrderState,
    classify,
)

SECOND_NS = 10**9
ENDED_MAX = 1_024  # finished orders that are remembered, to place late events
EARLY_MAX = 256  # fills by an oid that nothing has bound yet
ANSWER_NS = 5 * SECOND_NS  # an action without an answer for so long is lost
GRACE_NS = SECOND_NS  # for the order stream to confirm what an answer said
IMMEDIATE_TRIES = 3  # of a cancel; then with growing pauses, and by oid
CANCEL_PAUSE_NS_MAX = 10 * SECOND_NS

_GONE_OR_NOT = re.compile(r"Order was never placed, already canceled, or filled")


def pause_ns(tries: int) -> int:
    """Return how long to wait before a cancel is repeated."""
    return min(SECOND_NS << min(max(tries - 1, 0), 8), CANCEL_PAUSE_NS_MAX)


class Table:
    """The table of own orders: what is known of them, and what happens to them.

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
        self._live: dict[int, Record] = {}
        self._ended: dict[int, Record] = {}
        self._by_oid: dict[int, Record] = {}
        self._by_slot: dict[int, Record] = {}
        self._early: dict[int, int] = {}  # oid -> signed lots
        self._strays: dict[int, OpenOrder] = {}  # ours on the exchange, but not in the table
        self._strays_due_ns = 0
        self._strays_tries = 0
        self._in_flight: dict[int, tuple[bool, tuple[int, ...]]] = {}  # is it a placement, cloids
        self._check_ns = 0  # nothing is due before
        self._doubtful: tuple[int, ...] = ()
        self.refusals = Refusals(instrument)
        self.counts = OrderCounts()
        self._bid_lots = self._ask_lots = 0
        self._is_stale = False  # the two have to be added up anew
        self.version = 0  # changes with every change of what may be live

    # What is known.

    def __len__(self) -> int:
        return len(self._live)

    @property
    def bid_lots(self) -> int:
        """Everything that may still buy, in lots: the worst case of that side."""
        if self._is_stale:
            self._add_up()
        return self._bid_lots

    @property
    def ask_lots(self) -> int:
        """Everything that may still sell, in lots."""
        if self._is_stale:
            self._add_up()
        return self._ask_lots

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
                self._refused(record, update.status, now_ns)
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
        for cloid, outcome in zip(cloids, outcomes, strict=True):
            record = self._live.get(cloid) or self._ended.get(cloid)
            if record is None:
                continue
            if is_placement:
                self._placed(record, outcome, now_ns)
            else:
                self._cancel_answered(record, outcome, now_ns)
        return True

    def apply_lost(self, action_id: int, reason: str, now_ns: int) -> bool:
        """Note that no answer proves what an action did. False if the action is not ours."""
        entry = self._in_flight.pop(action_id, None)
        if entry is None:
            return False
        is_placement, cloids = entry
        self.refusals.is_rate_limit(reason, now_ns)
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
            self.refusals.denied(now_ns)
        for cloid in cloids:
            record = self._live.get(cloid)
            if record is None:
                continue
            if is_placement:
                self.counts.placed -= 1  # it never left us
                self.counts.denied += 1
                self._advance(record, OrderEvent.DENY, now_ns)
            else:  # too early to hope that at once is better
                record.cancel_tries = max(record.cancel_tries, IMMEDIATE_TRIES)
                self._cancel_failed(record, now_ns)
        return True

    def apply_list(self, orders: Iterable[OpenOrder], asked_ns: int, now_ns: int) -> int:
        """Compare with the exchange's list. What changed after the question is left alone.

        Returns how many orders differ: those of ours that are not known here, and those that are
        open here and missing there.
        """
        listed = {order.oid: order for order in orders}
        shown: set[int] = set()
        strays: dict[int, OpenOrder] = {}
        missing = 0
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
            if record.cloid in shown or record.owed >= 0 or record.since_ns >= asked_ns:
                continue
            if record.state is not OrderState.SENT:  # the question may have overtaken the order
                missing += record.state in (OrderState.OPEN, OrderState.PARTIAL)
                self._lose(record, now_ns)
        new = len(strays.keys() - self._strays.keys())
        if strays.keys() != self._strays.keys():
            self._strays_tries = 0
            self._strays_due_ns = now_ns
        if strays or self._strays:
            self._strays = strays
            self._changed()
        return missing + new

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

    # How the table changes.

    def _advance(self, record: Record, event: OrderEvent, now_ns: int) -> None:
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
        self._is_stale = True
        self.version += 1
        self._check_ns = 0

    def _add_up(self) -> None:
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
        self._bid_lots, self._ask_lots = bids, asks
        self._is_stale = False

    def _leave_slot(self, record: Record) -> None:
        if record.slot >= 0:
            self._reconciler.remove(record.slot)
            del self._by_slot[record.slot]
            record.slot = -1

    def _record(self, cloid: int | None, oid: int) -> Record | None:
        if cloid is not None:
            return self._live.get(cloid) or self._ended.get(cloid)
        return self._by_oid.get(oid)

    def _has_unbound(self, side: Side) -> bool:
        return any(not r.oid and r.side is side for r in self._live.values())

    def _bind(self, record: Record, oid: int) -> None:
        if record.oid or not oid:
            return
        record.oid = oid
        self._by_oid[oid] = record
        early = self._early.pop(oid, 0)
        if early:
            self._fill(record, early, record.since_ns)

    def _fill(self, record: Record, size: int, now_ns: int) -> None:
        record.filled += size
        record.measure()
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

    def _rest(self, record: Record, now_ns: int) -> None:
        if record.state in TERMINAL or record.owed >= 0:
            return  # late news
        event = OrderEvent.REST_PART if record.filled else OrderEvent.REST
        is_cancel_out = record.state is OrderState.CANCEL_SENT
        self._advance(record, event, now_ns)
        if is_cancel_out and record.cancel_due_ns:
            # Read as still there after the cancel was answered or given up.
            record.cancel_due_ns = min(record.cancel_due_ns, now_ns + pause_ns(record.cancel_tries))
            self._check_ns = 0

    def _off_the_book(self, record: Record, filled: int, status: str, now_ns: int) -> None:
        """Proved finished with `filled` lots; ends once the fills for them are booked."""
        if record.state in TERMINAL:
            return
        record.owed = max(min(filled, record.size), 0)
        record.measure()
        record.status = status
        record.since_ns = now_ns
        record.cancel_due_ns = 0
        record.doubt_ns = now_ns + GRACE_NS
        self._leave_slot(record)
        if record.state is not OrderState.CANCEL_SENT:  # its end is not our doing
            paused_ns = self.refusals.ended(record.side, status, now_ns)
            if END_POLICIES.get(status) is not EndPolicy.RESUME:
                self._tell(Level.WARN, "Order ended by the exchange", record, status=status[:100])
            self._tell_pause(record, status, paused_ns)
        self._settle(record, now_ns)
        self._changed()

    def _settle(self, record: Record, now_ns: int) -> None:
        if record.filled >= record.owed:
            self._advance(record, OrderEvent.END, now_ns)

    def _lose(self, record: Record, now_ns: int) -> None:
        if record.state in TERMINAL or record.owed >= 0:
            return
        self._advance(record, OrderEvent.LOSE, now_ns)
        record.doubt_ns = record.doubt_ns or now_ns
        record.doubt_ns = min(record.doubt_ns, now_ns)
        self._check_ns = 0

    def _placed(self, record: Record, outcome: Outcome, now_ns: int) -> None:
        match outcome:
            case Resting(oid):
                self._bind(record, oid)
                self._rest(record, now_ns)
            case Filled(oid, size):
                self._bind(record, oid)
                self._off_the_book(record, size, "filled", now_ns)
            case Refused(text):
                self._refused(record, text, now_ns)
            case Unclear(text):
                self.refusals.is_rate_limit(text, now_ns)
                self._lose(record, now_ns)
            case Done():
                self._lose(record, now_ns)

    def _refused(self, record: Record, text: str, now_ns: int) -> None:
        """Apply a refusal; answer and order stream both tell it, in any order."""
        paused_ns = self.refusals.refused(record.action_id, record.side, text, now_ns)
        self._tell_pause(record, text, paused_ns)
        if record.state in TERMINAL:
            return
        record.status = text[:300]
        self.counts.refused += 1
        self._tell(Level.DEBUG, "Order refused", record, text=text[:300])
        self._advance(record, OrderEvent.REFUSE, now_ns)

    def _tell_pause(self, record: Record, text: str, paused_ns: int) -> None:
        if paused_ns > 0:
            self._tell(
                Level.WARN,
                "Side paused",
                record,
                reason=text[:300],
                pause_secs=paused_ns // SECOND_NS,
            )

    def _cancel_answered(self, record: Record, outcome: Outcome, now_ns: int) -> None:
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
                if self.refusals.is_rate_limit(text, now_ns):
                    record.cancel_tries = max(record.cancel_tries, IMMEDIATE_TRIES)
                self._cancel_failed(record, now_ns)
            case Unclear() | Resting() | Filled():
                self._cancel_failed(record, now_ns)
        self._check_ns = 0

    def _cancel_failed(self, record: Record, now_ns: int) -> None:
        """Ask again: at once for the first tries, then with growing pauses; and read meanwhile."""
        if record.state in TERMINAL or record.owed >= 0 or not record.cancel_due_ns:
            return
        tries = record.cancel_tries
        wait_ns = 0 if tries < IMMEDIATE_TRIES else pause_ns(tries - IMMEDIATE_TRIES + 1)
        record.cancel_due_ns = max(now_ns + wait_ns, 1)
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

    def _tell(self, level: Level, event: str, record: Record, **fields: object) -> None:
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
