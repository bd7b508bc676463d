"""Engine and simulated exchange in one process: no sockets, no clock, one heap of timed deliveries.

`Link` carries what a connection carries, each thing after its latency: market data as rows, replies
and user events decoded from the exchange's own payloads. `Bot` is the runner's part: it steps the
engine, asks gate and budget, numbers what is signed, and wakes the engine at its deadline. Virtual
time is in ns since the start of the world; the exchange's clock starts at `exchange.now_ms`.
"""

from collections.abc import Callable, Iterator, Sequence
from enum import IntEnum
from heapq import heappop, heappush
from typing import Any, Final

from attrs import frozen

from hypermm._core.rows import EMPTY, FIRST, LAST, SNAPSHOT, TRADE, Rows
from hypermm.engine import Engine, Mode
from hypermm.gate import Gate
from hypermm.hyperliquid import wire
from hypermm.hyperliquid.budget import Budget
from hypermm.hyperliquid.replies import decode_reply
from hypermm.hyperliquid.signing import Nonces
from hypermm.inputs import InputLog
from hypermm.instrument import Instrument
from hypermm.messages import (
    Action,
    ActionDenied,
    ActionLost,
    ActionReply,
    Batch,
    BudgetLevel,
    CancelOids,
    CancelOrders,
    Connected,
    Fill,
    Fills,
    Notice,
    PlaceOrders,
    PrivateEvent,
    ReadAccount,
    ReadFailed,
    ReadFills,
    ReadOpenOrders,
    ReadOrder,
    UpdateLeverage,
)
from hypermm.sim.exchange import Block, Exchange
from hypermm.sim.latency import Latency, delays
from hypermm.sim.market import SNAPSHOT_TRADES, join
from hypermm.sim.shapes import fill_shape, update_shape

NS_PER_MS: Final = 1_000_000
NS_PER_SEC: Final = 1_000_000_000
SNAPSHOT_FILLS: Final = 100  # shown when the fill stream opens
SAME_INSTANT_STEPS_MAX: Final = 50  # an engine that answers itself for ever is a defect
BUDGET_POLL_NS: Final = 60 * NS_PER_SEC  # how often the exchange's own count is taken over


class Kind(IntEnum):
    """What travels."""

    REQUEST = 0
    REPLY = 1
    USER = 2
    ROWS = 3
    LOST = 4  # the moment at which an answer is not waited for any longer


@frozen
class Request:
    """An action on its way; `nonce` is 0 for reads."""

    action: Any  # Action; the exchange's codec narrows it
    nonce: int


@frozen
class Truth:
    """What the simulator alone knows at the end of a block."""

    block: Block
    fills: tuple[Fill, ...]  # of the account, whoever traded
    replies: tuple[tuple[Request, dict[str, Any]], ...]  # to the bot


def is_signed(action: Action) -> bool:
    """Whether the action needs a nonce."""
    match action:
        case PlaceOrders() | CancelOrders() | CancelOids() | UpdateLeverage():
            return True
        case ReadOpenOrders() | ReadAccount() | ReadFills() | ReadOrder():
            return False


def lost(action: Action, reason: str) -> ActionLost | ReadFailed:
    """Return what the engine is told when no answer came."""
    return (ActionLost if is_signed(action) else ReadFailed)(action.id, reason)


class Link:
    """Carries messages between a bot and the exchange, each after its latency, none lost.

    Parameters
    ----------
    exchange : Exchange
        The venue in memory.
    instrument : Instrument
        The market that is traded.
    account, signer : str
        Addresses: whose orders, and who signs them.
    latency : Latency
        One-way delays. What goes one way keeps its order: nothing overtakes on a connection.
    seed : int
        Of delays that are drawn.
    outages : sequence of (int, int)
        Virtual times (start, end) in ns at whose blocks the public feed is dead.
    """

    def __init__(
        self,
        exchange: Exchange,
        instrument: Instrument,
        *,
        account: str,
        signer: str,
        latency: Latency,
        seed: int = 0,
        outages: Sequence[tuple[int, int]] = (),
    ) -> None:
        self.exchange = exchange
        self.instrument = instrument
        self.account = account
        self.signer = signer
        self.latency = latency
        self.start_ms = exchange.now_ms
        self.now_ns = 0
        self.open: dict[int, Action] = {}  # sent, and neither answered nor given up
        self.landing: dict[int, Request] = {}  # handed to the exchange, waiting for its block
        self._heap: list[tuple[int, int, Kind, Any]] = []
        self._sequence = 0
        self._delay = delays(latency, seed)
        self._newest_due_ns = {Kind.REQUEST: 0, Kind.REPLY: 0}  # what comes in shares one
        self._outages = tuple(outages)

    @property
    def wall_ms(self) -> int:
        """The venue's clock at this instant of virtual time."""
        return self.start_ms + self.now_ns // NS_PER_MS

    @property
    def next_block_ns(self) -> int:
        """When the exchange makes its next block."""
        exchange = self.exchange
        return (exchange.now_ms + exchange.block_ms - self.start_ms) * NS_PER_MS

    @property
    def next_ns(self) -> int:
        """When something happens next if nobody acts."""
        due = self._heap[0][0] if self._heap else self.next_block_ns
        return max(min(due, self.next_block_ns), self.now_ns)

    @property
    def flying(self) -> Iterator[Request]:
        """Iterate over every request that may still take effect."""
        yield from (value for _, _, kind, value in self._heap if kind is Kind.REQUEST)
        yield from self.landing.values()

    def connect(self) -> None:
        """Subscribe: the fill stream and the trades open with a snapshot of what was before."""
        newest = self.exchange.info({"type": "userFills", "user": self.account})[:SNAPSHOT_FILLS]
        due_ns = self.now_ns + int(self.latency.data_ms * NS_PER_MS)
        self._push(Kind.ROWS, due_ns, self._snapshot_trades())
        self._push(Kind.USER, due_ns, Fills(0, wire.user_fills(newest, self.instrument)))
        self._push(Kind.USER, due_ns, Connected())

    def _snapshot_trades(self) -> Rows:
        trades = list(self.exchange.by_coin[self.instrument.coin].trades)[-SNAPSHOT_TRADES:]
        rows = Rows.allocate(len(trades))
        for trade in trades:
            rows.append(
                kind=TRADE,
                side=trade.side,
                exch_ns=trade.time_ms * NS_PER_MS,
                price=trade.price,
                size=trade.size,
                id=trade.tid,
                flags=FIRST | LAST | SNAPSHOT,
            )
        return rows

    def send(self, action: Action, nonce: int) -> None:
        """Take an action on its way."""
        self.open[action.id] = action
        self.carry(Kind.REQUEST, self.latency.order_ms, Request(action, nonce))

    def carry(self, kind: Kind, delay_ms: float, value: Any) -> None:
        """Deliver `value` after a delay. Two things with one due time keep their order."""
        due_ns = self.now_ns + self._delay(delay_ms, self.now_ns)
        if self.latency.model != "constant":  # whose delays differ only by kind
            way = Kind.REQUEST if kind is Kind.REQUEST else Kind.REPLY
            due_ns = self._newest_due_ns[way] = max(due_ns, self._newest_due_ns[way])
        self._push(kind, due_ns, value)

    def _push(self, kind: Kind, due_ns: int, value: Any) -> None:
        self._sequence += 1
        heappush(self._heap, (due_ns, self._sequence, kind, value))

    def advance(self, to_ns: int) -> tuple[list[Rows], list[PrivateEvent], list[Truth]]:
        """Move to an instant not past `next_ns`; return what arrives then and what was decided."""
        assert self.now_ns <= to_ns <= self.next_ns, f"{self.now_ns} {to_ns} {self.next_ns}"
        self.now_ns = to_ns
        truths = [self._close(block) for block in self._blocks()]
        rows: list[Rows] = []
        private: list[PrivateEvent] = []
        while self._heap and self._heap[0][0] <= to_ns:
            _, _, kind, value = heappop(self._heap)
            match kind:
                case Kind.REQUEST:
                    self._arrive(value)
                case Kind.REPLY:
                    if self.open.pop(value.id, None) is not None:
                        private.append(value)
                case Kind.USER:
                    private.append(value)
                case Kind.ROWS:
                    rows.append(value)
                case Kind.LOST:
                    action, reason = value
                    if self.open.pop(action.id, None) is not None:
                        private.append(lost(action, reason))
        return rows, private, truths

    @property
    def _is_out(self) -> bool:
        return any(start < self.now_ns < end for start, end in self._outages)

    def _blocks(self) -> Sequence[Block]:
        """Let the exchange make the blocks that are due."""
        if self.next_block_ns > self.now_ns:
            return ()
        return self.exchange.advance(self.wall_ms)

    def _arrive(self, request: Request) -> None:
        """Hand a request to the exchange: actions wait for the next block, reads are answered."""
        action = request.action
        match action:
            case PlaceOrders() | CancelOrders() | CancelOids() | UpdateLeverage():
                ticket = self.exchange.submit(
                    self.signer, wire.encode_action(action, self.instrument), request.nonce
                )
                self.landing[ticket] = request
            case ReadOpenOrders() | ReadAccount() | ReadFills() | ReadOrder():
                body = wire.encode_read(action, self.account, self.instrument.dex)
                event = wire.decode_read(action, self.exchange.info(body), self.instrument)
                self.carry(Kind.REPLY, self.latency.reply_ms, event)

    def _close(self, block: Block) -> Truth:
        """Send what a block publishes on its way."""
        replies = []
        for ticket, payload in block.replies:
            request = self.landing.pop(ticket, None)
            if request is not None:  # somebody else's otherwise
                replies.append((request, payload))
                event = decode_reply(request.action, payload, self.instrument)
                self.carry(Kind.REPLY, self.latency.reply_ms, event)
        fills: tuple[Fill, ...] = ()
        news = block.news.get(self.account)
        if news is not None:
            updates = [update_shape(update) for update in news.updates]
            for update in wire.order_updates(updates, self.instrument):
                self.carry(Kind.USER, self.latency.data_ms, update)
            fills = wire.user_fills([fill_shape(fill) for fill in news.fills], self.instrument)
            for fill in fills:
                self.carry(Kind.USER, self.latency.data_ms, fill)
        rows = block.rows.get(self.instrument.coin)
        if rows is not None and not self._is_out:
            self.carry(Kind.ROWS, self.latency.data_ms, rows)
        return Truth(block, fills, tuple(replies))


class Bot:
    """The engine with gate, budget and nonces, joined to a link as the runner joins them.

    Parameters
    ----------
    engine, gate, budget, nonces
        The parts; the bot is their only caller.
    link : Link
        Where actions go and events come from.
    on_step : callable, optional
        Called after every step with the batch, the actions that left, and the notices.
    on_truth : callable, optional
        Called with each block's truth before anything of it is delivered.
    inputs : InputLog, optional
        Told of every step.
    """

    def __init__(
        self,
        engine: Engine,
        gate: Gate,
        budget: Budget,
        nonces: Nonces,
        link: Link,
        *,
        on_step: Callable[[Batch, list[Action], list[Notice]], None] | None = None,
        on_truth: Callable[[Truth], None] | None = None,
        inputs: InputLog | None = None,
    ) -> None:
        self.engine = engine
        self.gate = gate
        self.budget = budget
        self.nonces = nonces
        self.link = link
        self.steps = 0
        self._on_step = on_step
        self._on_truth = on_truth
        self._inputs = inputs
        self._budget_poll_ns = 0
        self._instant_ns = -1
        self._steps_at_instant = 0

    @property
    def is_done(self) -> bool:
        """Whether the engine has ended."""
        return self.engine.mode is Mode.DONE

    def run_until(self, until_ns: int) -> None:
        """Let everything happen that is due up to an instant, or until the engine ends."""
        link = self.link
        while not self.is_done:
            deadline_ns = self.engine.deadline_ns
            due_ns = link.next_ns
            if deadline_ns is not None:
                due_ns = min(due_ns, max(deadline_ns, link.now_ns))
            if due_ns > until_ns:
                break
            rows, private, truths = link.advance(due_ns)
            if self._on_truth is not None:
                for truth in truths:
                    self._on_truth(truth)
            is_due = deadline_ns is not None and deadline_ns <= due_ns
            if rows or private or is_due:
                self.wake(rows, tuple(private))
        if not self.is_done:
            link.now_ns = max(link.now_ns, until_ns)

    def wake(self, windows: list[Rows], private: tuple[PrivateEvent, ...]) -> None:
        """Step once for all that has arrived; what gate or budget say comes back at once."""
        told = self._step(Batch(join(windows), private))
        while told and not self.is_done:
            told = self._step(Batch(EMPTY, told))

    def _step(self, batch: Batch) -> tuple[PrivateEvent, ...]:
        """Step the engine, send what gate and budget let out, return what they say to it."""
        now_ns = self.link.now_ns
        self._count_step(now_ns)
        self._account(batch.private, now_ns)
        actions = self.engine.step(batch, now_ns)
        if self._inputs is not None:
            self._inputs.absorb(batch, actions, now_ns)
        notices = self.engine.take_notices()
        self.gate.observe(batch.rows)
        allowed, refused = self.gate.check(actions, now_ns)
        told: list[PrivateEvent] = list(refused)
        sent: list[Action] = []
        for action in allowed:
            reason = self.budget.check(action, now_ns, by_socket=is_signed(action))
            if reason is not None:
                kind = ActionDenied if is_signed(action) else ReadFailed
                told.append(kind(action.id, reason))
                continue
            self.budget.spend(action, now_ns, by_socket=is_signed(action))
            nonce = self.nonces.next(self.link.wall_ms) if is_signed(action) else 0
            self.link.send(action, nonce)
            sent.append(action)
        level = self.budget.take_level()
        if level is not None:
            told.append(BudgetLevel(level))
        if self._on_step is not None:
            self._on_step(batch, sent, notices)
        return tuple(told)

    def _count_step(self, now_ns: int) -> None:
        self.steps += 1
        if now_ns != self._instant_ns:
            self._instant_ns, self._steps_at_instant = now_ns, 0
        self._steps_at_instant += 1
        assert self._steps_at_instant <= SAME_INSTANT_STEPS_MAX, (
            f"{self._steps_at_instant} steps at {now_ns} ns: the engine wakes itself for ever"
        )

    def _account(self, private: tuple[PrivateEvent, ...], now_ns: int) -> None:
        """Keep the budget as the session keeps it."""
        for event in private:
            match event:
                case ActionReply():
                    self.budget.release()
                case ActionLost():
                    self.budget.release()
                case Fill(price=price, size=size):
                    self.budget.add_volume(self.link.instrument.notional_usd(price, size))
                case _:
                    pass
        if now_ns >= self._budget_poll_ns:
            request = {"type": "userRateLimit", "user": self.link.account}
            self.budget.learn(self.link.exchange.info(request))
            self._budget_poll_ns = now_ns + BUDGET_POLL_NS
