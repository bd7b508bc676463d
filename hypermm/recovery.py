"""From doubt to proof: which reads are due, and what their answers prove.

Start-up, reconnecting, the periodic comparison and the last sweep are one machine: ask for the
exchange's own list, account and fills until they prove what has to be proved. It knows no order:
the engine hands in what is in doubt and applies the answers. A read counts only for what had
happened before it was asked; not answered, it is asked again with growing pauses.
"""

from collections.abc import Iterator
from enum import Enum

from attrs import define

from hypermm.messages import (
    ReadAccount,
    ReadAction,
    ReadFills,
    ReadOpenOrders,
    ReadOrder,
)

SECOND_NS = 10**9
FIRST_PAUSE_NS = SECOND_NS // 2
PAUSE_NS_MAX = 10 * SECOND_NS  # between status reads of an order that is there
RETRY_NS_MAX = 2 * SECOND_NS  # between reads that fail: what is in doubt stops the quoting
AGREE_NS = 2 * SECOND_NS  # between two reads that count as agreeing
PERIOD_NS = 10 * SECOND_NS  # of list and account
FILLS_PERIOD_NS = 60 * SECOND_NS
OVERDUE_NS = 2 * PERIOD_NS  # beyond its period a read may bring nothing; then nobody audits us
ROUND_NS_MAX = 2 * SECOND_NS  # pause between rounds that did not prove what they should
READ_TIMEOUT_NS = 15 * SECOND_NS  # a read that nobody answers is forgotten
ORDER_READS_MAX = 8  # in flight at once
QUICK_AGREE_NS = SECOND_NS // 4  # between the last two lists when every order is proved


class Read(Enum):
    """The kinds of reads that are asked for the whole account."""

    LIST = "list"
    ACCOUNT = "account"
    FILLS = "fills"


PERIODS_NS = {Read.LIST: PERIOD_NS, Read.ACCOUNT: PERIOD_NS, Read.FILLS: FILLS_PERIOD_NS}


class Phase(Enum):
    """What the reads are for."""

    OFFLINE = "offline"  # no connection
    LISTING = "listing"  # which orders of ours rest
    READING = "reading"  # position and fills, once no order is in doubt
    SYNCED = "synced"  # compared from time to time
    SWEEPING = "sweeping"  # proving that nothing of ours is left
    PROVED = "proved"  # it is


@define
class _Schedule:
    """When a read is due next, and the one that is under way."""

    due_ns: int = 0
    tries: int = 0
    id: int = 0  # 0: none under way
    asked_ns: int = 0
    since_ns: int = 0  # of the last answer; before the first, of the schedule
    seen_ns: int = -1  # how far the venue had got then, on our clock; negative: not known

    @classmethod
    def starting(cls, now_ns: int, pause_ns: int = 0) -> "_Schedule":
        """Make one that is due after a pause."""
        return cls(due_ns=now_ns + pause_ns, since_ns=now_ns)

    def next_ns(self) -> int:
        """Return when to ask, or when not to wait for the answer any longer."""
        return self.asked_ns + READ_TIMEOUT_NS if self.id else self.due_ns

    def retry(self, now_ns: int, pause_ns_max: int = RETRY_NS_MAX) -> None:
        self.due_ns = now_ns + min(FIRST_PAUSE_NS << min(self.tries, 8), pause_ns_max)
        self.tries += 1
        self.id = 0


@define
class _Doubt:
    """An order whose fate is read."""

    since_ns: int
    schedule: _Schedule
    missing_ns: int | None = None  # how far the venue had got at the first that did not know it


class Recovery:
    """Doubts and their proofs so far.

    Parameters
    ----------
    ids : iterator of int
        Source of action ids, shared with whoever else makes actions.
    """

    def __init__(self, ids: Iterator[int]) -> None:
        self._ids = ids
        self.phase = Phase.OFFLINE
        self._reads = {read: _Schedule() for read in Read}
        self._doubts: dict[int, _Doubt] = {}
        self._by_id: dict[int, int] = {}  # id of a read of one order -> cloid
        self._done: set[Read] = set()  # of this phase
        self._rounds = 0  # of this phase that proved nothing
        self._has_listed = False  # in this phase
        self._first_list_ns = -1  # how far the venue had got when the first list was asked
        self.is_alone = False  # whether no request of a former process may land any more
        self._empty_ns = 0  # when the first of the agreeing empty lists was asked; 0: none
        self._is_reading_account = False  # while sweeping: the last account and fills
        self.is_blind = False  # a read failed for so long that nothing is proved any more
        self._due_ns = 0  # when something is due; negative: to be found anew
        self._overdue_ns = 1 << 62  # when a read that failed ever since is overdue

    @property
    def is_synced(self) -> bool:
        """Whether orders, position and fills are proved since the last (re)connect."""
        return self.phase is Phase.SYNCED

    @property
    def is_proved(self) -> bool:
        """Whether the sweep has proved that nothing of ours rests."""
        return self.phase is Phase.PROVED

    # What happens.

    def connected(self, now_ns: int) -> None:
        """Start proving everything anew."""
        self._due_ns = -1
        if self.phase not in (Phase.SWEEPING, Phase.PROVED):
            self._enter(Phase.LISTING, now_ns)
        else:
            self._reads[Read.LIST].due_ns = now_ns

    def disconnected(self) -> None:
        """Stop relying on anything that was proved."""
        self._due_ns = -1
        if self.phase not in (Phase.SWEEPING, Phase.PROVED):
            self.phase = Phase.OFFLINE
        for schedule in self._reads.values():
            schedule.id = 0

    def resync(self, now_ns: int) -> None:
        """Prove everything anew, because something does not fit."""
        self._due_ns = -1
        if self.phase is Phase.SYNCED:
            self._enter(Phase.LISTING, now_ns)

    def hurry(self, read: Read, due_ns: int) -> None:
        """Make a read due earlier, unless it is failing already."""
        self._due_ns = -1
        schedule = self._reads[read]
        if schedule.due_ns > due_ns and schedule.tries == 0:
            schedule.due_ns = due_ns

    def sweep(self, now_ns: int) -> None:
        """Start proving that nothing of ours rests."""
        self._due_ns = -1
        if self.phase not in (Phase.SWEEPING, Phase.PROVED):
            self._enter(Phase.SWEEPING, now_ns)

    def answered(self, read: Read, read_id: int, now_ns: int) -> int | None:
        """Note an answer. Returns when it was asked, None for one that we no longer wait for."""
        self._due_ns = -1
        schedule = self._reads[read]
        if read_id == 0 or read_id != schedule.id:
            return None
        schedule.id = 0
        schedule.tries = 0
        schedule.since_ns = now_ns
        is_early = read is Read.LIST and not self.is_alone
        schedule.due_ns = now_ns + (AGREE_NS if is_early else PERIODS_NS[read])
        return schedule.asked_ns

    def overdue(self, now_ns: int) -> Read | None:
        """Return a periodic read that has brought nothing for too long; proves all anew then."""
        if now_ns < self._overdue_ns or self.phase is not Phase.SYNCED:
            return None
        late = (r for r in Read if now_ns >= self._reads[r].since_ns + PERIODS_NS[r] + OVERDUE_NS)
        read = next(late, None)
        if read is not None:
            self.is_blind = True
            self.resync(now_ns)
        return read

    def failed(self, read_id: int, now_ns: int) -> None:
        """Note that a read was not answered: it is asked again later."""
        self._due_ns = -1
        for schedule in self._reads.values():
            if schedule.id == read_id:
                schedule.retry(now_ns)
                return
        cloid = self._by_id.pop(read_id, None)
        if cloid is not None and cloid in self._doubts:
            self._doubts[cloid].schedule.retry(now_ns)

    def order_read(self, read_id: int, *, is_known: bool, now_ns: int) -> int | None:
        """Note the answer to a status read.

        Returns
        -------
        int or None
            The order that two agreeing reads do not know: it never landed. None otherwise.
        """
        self._due_ns = -1
        cloid = self._by_id.pop(read_id, None)
        doubt = None if cloid is None else self._doubts.get(cloid)
        if doubt is None:
            return None
        schedule, seen_ns = doubt.schedule, doubt.schedule.seen_ns
        schedule.retry(now_ns, PAUSE_NS_MAX)
        if is_known:
            doubt.missing_ns = None
            return None
        # The next one has to be far enough away to count, and soon enough to end the doubt.
        schedule.due_ns = max(schedule.asked_ns + AGREE_NS, now_ns)
        # A venue that stands still knows nothing of what waits for its next block, so that its
        # own time has to pass, not ours.
        if seen_ns < doubt.since_ns:
            return None
        if doubt.missing_ns is None:
            doubt.missing_ns = seen_ns
            return None
        return cloid if seen_ns - doubt.missing_ns >= AGREE_NS else None

    def listed(self, *, is_settled: bool, has_ours: bool, asked_ns: int, now_ns: int) -> None:
        """Judge an applied list of open orders.

        Parameters
        ----------
        is_settled : bool
            Whether no order is in doubt and none of ours is unknown to the table.
        has_ours : bool
            Whether the list shows any order of ours.
        asked_ns, now_ns : int
            When it was asked, and now.
        """
        self._due_ns = -1
        schedule = self._reads[Read.LIST]
        if self._first_list_ns < 0:
            self._first_list_ns = schedule.seen_ns
        elif not self.is_alone and schedule.seen_ns - self._first_list_ns >= AGREE_NS:
            self.is_alone = True
            schedule.due_ns = now_ns + PERIOD_NS
        match self.phase:
            case Phase.LISTING:
                self._has_listed = True
                if is_settled:
                    self._enter(Phase.READING, now_ns)
                else:
                    schedule.due_ns = now_ns + self._round_ns()
            case Phase.SWEEPING:
                if has_ours:
                    self._empty_ns = 0
                    self._done.clear()
                    schedule.due_ns = now_ns + self._round_ns()
                    return
                gap_ns = QUICK_AGREE_NS if is_settled else AGREE_NS
                if self._empty_ns == 0:
                    self._empty_ns = asked_ns
                    self._done.clear()
                    self._is_reading_account = True
                    self._reads[Read.ACCOUNT] = _Schedule.starting(now_ns)
                    self._reads[Read.FILLS] = _Schedule.starting(now_ns)
                    schedule.due_ns = asked_ns + gap_ns
                elif asked_ns - self._empty_ns >= gap_ns:
                    self._done.add(Read.LIST)
                    self._prove()
                else:
                    schedule.due_ns = self._empty_ns + gap_ns
            case Phase.OFFLINE | Phase.READING | Phase.SYNCED | Phase.PROVED:
                pass

    def settled(self, now_ns: int) -> None:
        """Note that no order is in doubt any more, without a new list."""
        self._due_ns = -1
        if self.phase is Phase.LISTING and self._has_listed:
            self._enter(Phase.READING, now_ns)

    def account_read(self, read: Read, *, agrees: bool, now_ns: int) -> None:
        """Judge an applied account or list of fills: whether ours and the exchange's agree."""
        self._due_ns = -1
        schedule = self._reads[read]
        match self.phase:
            case Phase.READING | Phase.SWEEPING:
                if agrees:
                    self._done.add(read)
                else:
                    pause_ns = self._round_ns()
                    self._done -= {Read.ACCOUNT, Read.FILLS}
                    self._reads[Read.ACCOUNT].due_ns = now_ns + pause_ns
                    self._reads[Read.FILLS].due_ns = now_ns + pause_ns
                if self.phase is Phase.SWEEPING:
                    self._prove()
                elif {Read.ACCOUNT, Read.FILLS} <= self._done:
                    self._enter(Phase.SYNCED, now_ns)
            case Phase.SYNCED:
                if not agrees:  # twice, two seconds apart, before anything is believed
                    schedule.due_ns = now_ns + AGREE_NS
                    self._reads[Read.FILLS].due_ns = now_ns
            case Phase.OFFLINE | Phase.LISTING | Phase.PROVED:
                pass

    # What to do.

    def reads(
        self,
        doubtful: tuple[int, ...],
        now_ns: int,
        fills_since_ms: int,
        *,
        fresh_ns: int,
    ) -> tuple[ReadAction, ...]:
        """Return the reads that are due.

        Parameters
        ----------
        doubtful : tuple of int
            The orders whose fate has to be read, by cloid.
        now_ns : int
            Our clock.
        fills_since_ms : int
            The venue's time from which on fills are asked, ms since 1970.
        fresh_ns : int
            When the newest market data was new, on our clock: the venue has got as far as this.
        """
        self._due_ns = -1
        actions: list[ReadAction] = []
        for read, schedule in self._reads.items():
            if schedule.id and now_ns - schedule.asked_ns >= READ_TIMEOUT_NS:
                schedule.retry(now_ns)
            if schedule.id or now_ns < schedule.due_ns or not self._wants(read):
                continue
            action = self._ask(read, fills_since_ms)
            schedule.id = action.id
            schedule.asked_ns = now_ns
            schedule.seen_ns = fresh_ns
            actions.append(action)
        if doubtful or self._doubts:
            self._read_orders(doubtful, now_ns, fresh_ns, actions)
        return tuple(actions)

    def due_ns(self) -> int:
        """Return when the next read is due."""
        if self._due_ns >= 0:
            return self._due_ns
        due = [s.next_ns() for read, s in self._reads.items() if s.id or self._wants(read)]
        is_full = len(self._by_id) >= ORDER_READS_MAX
        doubts = (doubt.schedule for doubt in self._doubts.values())
        due += [s.next_ns() for s in doubts if s.id or not is_full]
        if self.phase is Phase.SYNCED:
            self._overdue_ns = OVERDUE_NS + min(
                s.since_ns + PERIODS_NS[read] for read, s in self._reads.items()
            )
        self._due_ns = max(min(due, default=1 << 62), 0)
        return self._due_ns

    def _read_orders(
        self,
        doubtful: tuple[int, ...],
        now_ns: int,
        fresh_ns: int,
        actions: list[ReadAction],
    ) -> None:
        wanted = set(doubtful)
        for cloid in [cloid for cloid in self._doubts if cloid not in wanted]:
            self._by_id.pop(self._doubts.pop(cloid).schedule.id, None)
        for cloid in doubtful:
            doubt = self._doubts.get(cloid)
            if doubt is None:
                # The answer that is under way, or the stream, may bring the proof by itself.
                doubt = _Doubt(now_ns, _Schedule.starting(now_ns, FIRST_PAUSE_NS))
                self._doubts[cloid] = doubt
            schedule = doubt.schedule
            if schedule.id and now_ns - schedule.asked_ns >= READ_TIMEOUT_NS:
                self._by_id.pop(schedule.id, None)
                schedule.retry(now_ns)
            if schedule.id or now_ns < schedule.due_ns or len(self._by_id) >= ORDER_READS_MAX:
                continue
            action = ReadOrder(next(self._ids), cloid)
            schedule.id = action.id
            schedule.asked_ns = now_ns
            schedule.seen_ns = fresh_ns
            self._by_id[action.id] = cloid
            actions.append(action)

    def _ask(self, read: Read, fills_since_ms: int) -> ReadAction:
        match read:
            case Read.LIST:
                return ReadOpenOrders(next(self._ids))
            case Read.ACCOUNT:
                return ReadAccount(next(self._ids))
            case Read.FILLS:
                return ReadFills(next(self._ids), fills_since_ms)

    def _wants(self, read: Read) -> bool:
        match self.phase:
            case Phase.OFFLINE | Phase.PROVED:
                return False
            case Phase.LISTING:  # a finished order may wait for its fills
                return read is not Read.ACCOUNT
            case Phase.READING:
                return read is not Read.LIST and read not in self._done
            case Phase.SYNCED:
                return True
            case Phase.SWEEPING:
                return read is Read.LIST or (self._is_reading_account and read not in self._done)

    def _round_ns(self) -> int:
        self._rounds += 1
        return min(FIRST_PAUSE_NS << min(self._rounds - 1, 8), ROUND_NS_MAX)

    def _prove(self) -> None:
        if set(Read) <= self._done:
            self.phase = Phase.PROVED

    def _enter(self, phase: Phase, now_ns: int) -> None:
        self.phase = phase
        self._done.clear()
        self._rounds = 0
        self._has_listed = False
        self._empty_ns = 0
        self._is_reading_account = False
        match phase:
            case Phase.LISTING:
                self._reads[Read.LIST] = _Schedule.starting(now_ns)
            case Phase.SWEEPING:  # the cancels go first
                self._reads[Read.LIST] = _Schedule.starting(now_ns, QUICK_AGREE_NS)
            case Phase.READING:
                self._reads[Read.ACCOUNT] = _Schedule.starting(now_ns)
                self._reads[Read.FILLS] = _Schedule.starting(now_ns)
            case Phase.SYNCED:
                # The last request of a process that was killed may land after the first list.
                self.is_blind = False
                pause_ns = PERIOD_NS if self.is_alone else AGREE_NS
                self._reads[Read.LIST] = _Schedule.starting(now_ns, pause_ns)
            case Phase.OFFLINE | Phase.PROVED:
                pass
