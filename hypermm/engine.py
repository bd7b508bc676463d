"""The state machine: every event of one wake-up in, one decision out.

The engine alone knows the parts. It has no clock, no randomness and no I/O: the same calls in the
same order return the same actions, live, on paper and in a replay, and `digest` proves it.
"""

import math
from collections import deque
from collections.abc import Iterable
from enum import Enum
from hashlib import blake2b
from itertools import count
from struct import Struct

from attrs import frozen

from hypermm import risk
from hypermm._core.ladder import Ladder
from hypermm.config import Config
from hypermm.errors import ConfigError
from hypermm.estimators import Estimates, Estimators, WarmUp
from hypermm.instrument import Instrument
from hypermm.ledger import Adjustment, DayFigures, Ledger, LedgerFigures
from hypermm.markouts import Markout, Markouts
from hypermm.messages import (
    AccountState,
    Action,
    ActionDenied,
    ActionLost,
    ActionReply,
    Batch,
    CancelOids,
    CancelOrders,
    Connected,
    Disconnected,
    Done,
    Fill,
    Fills,
    Level,
    Notice,
    OpenOrders,
    OrderState,
    OrderUpdate,
    PlaceOrders,
    PrivateEvent,
    ReadFailed,
    Refused,
    Side,
    StopRequested,
    UpdateLeverage,
)
from hypermm.orders import Cloids, Orders, OwnOrder
from hypermm.quoting import Strategy, make_strategy
from hypermm.recovery import Phase, Read, Recovery
from hypermm.risk import Latch, Limit, Ruling, Verdict

SECOND_NS = 10**9
TICK_NS = SECOND_NS // 4  # the checks run at least this often
NOTICES_MAX = 4_096
BOOK_GRACE_NS = TICK_NS  # channels may disagree for a moment; nothing is placed meanwhile
SUMMARY_NS = 10 * SECOND_NS
PROGRESS_NS = 5 * SECOND_NS
RATE_LIMIT_WINDOW_NS = 60 * SECOND_NS
KILL_SWEEP_NS = 3_600 * SECOND_NS  # a kill goes on proving for this long
HURRY_NS = SECOND_NS  # what a second request to stop leaves
SAME_SIDE_FILLS_MAX = 10
SAME_SIDE_NS = 10 * SECOND_NS
SAME_SIDE_PAUSE_NS = 10 * SECOND_NS
LEVERAGE_TRIES = 3
ORDER_USD_DEFAULT = 1_000.0
POSITION_USD_DEFAULT = 5_000.0
ACCOUNT_SHARE_MAX = 0.5  # of account value times leverage, in the position limit
ORDER_SHARE_MAX = 0.4  # of the position limit, in one side's orders
MAKER_FEE_BPS = 1.5  # base tier
FILLS_PAGE = 2_000  # fills in one answer at most

_HEAD = Struct("<qIII")
_ORDER = b"%d,%d,%d,%d,%d;"


class Mode(Enum):
    """What the engine is doing."""

    __hash__ = object.__hash__  # members are single objects; `Enum` hashes their names

    SYNCING = "syncing"  # orders, position or fills are not proved
    WARMING = "warming"  # the estimators have seen too little
    QUOTING = "quoting"
    REDUCING = "reducing"  # quoting, but only to make the position smaller
    PULLED = "pulled"  # no quotes until the data are good again
    STOPPING = "stopping"  # on request: cancel, prove, end
    HALTED = "halted"  # by the kill switch: cancel, prove, end
    DONE = "done"


class Signal(Enum):
    """What the facts of a step call for; the first that applies."""

    __hash__ = object.__hash__

    KILL = "kill"
    STOP = "stop"
    FINISH = "finish"  # the last sweep has proved its point, or its time is up
    SYNC = "sync"
    PULL = "pull"
    WARM = "warm"
    REDUCE = "reduce"
    QUOTE = "quote"


_RUNNING = (Mode.SYNCING, Mode.WARMING, Mode.QUOTING, Mode.REDUCING, Mode.PULLED)
_BY_SIGNAL = {
    Signal.KILL: Mode.HALTED,
    Signal.STOP: Mode.STOPPING,
    Signal.SYNC: Mode.SYNCING,
    Signal.PULL: Mode.PULLED,
    Signal.WARM: Mode.WARMING,
    Signal.REDUCE: Mode.REDUCING,
    Signal.QUOTE: Mode.QUOTING,
}
# Only a sweep can finish: FINISH is missing in the running modes, and asserted never to come.
MODE_TRANSITIONS: dict[Mode, dict[Signal, Mode]] = {
    **{mode: dict(_BY_SIGNAL) for mode in _RUNNING},
    Mode.STOPPING: {
        **dict.fromkeys(Signal, Mode.STOPPING),
        Signal.KILL: Mode.HALTED,
        Signal.FINISH: Mode.DONE,
    },
    Mode.HALTED: {**dict.fromkeys(Signal, Mode.HALTED), Signal.FINISH: Mode.DONE},
    Mode.DONE: dict.fromkeys(Signal, Mode.DONE),
}


@frozen
class Sizes:
    """What is quoted and held at most, in lots."""

    order: int  # one side, all levels together
    position: int


@frozen
class Counters:
    """Counts since the start."""

    steps: int
    buys: int
    sells: int
    foreign_fills: int
    orders_placed: int
    orders_canceled: int
    orders_refused: int
    orders_denied: int
    orders_unknown: int
    rate_limit_errors: int
    disconnects: int


@frozen(kw_only=True)
class Snapshot:
    """A frozen picture for metrics, status and tests. Prices are price units, sizes lots."""

    mode: Mode
    now_ns: int
    is_connected: bool
    is_synced: bool
    is_warm: bool
    position: int
    position_limit: int
    order_lots: int
    bid_exposure: int  # everything that may still buy, and sell
    ask_exposure: int
    ledger: LedgerFigures
    day: DayFigures | None
    estimates: Estimates
    bids: tuple[tuple[int, int], ...]  # the ladder last decided: (price, size), nearest first
    asks: tuple[tuple[int, int], ...]
    orders: tuple[OwnOrder, ...]  # everything of ours that may be live
    counters: Counters
    refusals: dict[str, int]
    markouts: tuple[Markout, ...]
    leverage: int
    latch: Latch | None
    stop_reason: str
    is_proved: bool  # once stopped: whether the exchange's list shows none of ours
    warm_up: WarmUp


class Leverage(Enum):
    """How far the setting of leverage and margin mode is."""

    WANTED = "wanted"
    SENT = "sent"
    SETTLED = "settled"


class Engine:
    """One market, one account.

    Parameters
    ----------
    config : Config
        Settings.
    instrument : Instrument
        The market's rules.
    account : str
        Address of the account; part of the tag that marks our orders.
    session_start_secs : int
        Start of this session in seconds since 1970; part of every client order id.
    day : DayFigures or None
        What an earlier process of the UTC day left.
    latch : Latch or None
        A kill that stands: the engine only cancels and ends.
    instance : str
        Name of this market maker on the account.
    """

    def __init__(
        self,
        config: Config,
        instrument: Instrument,
        *,
        account: str,
        session_start_secs: int,
        day: DayFigures | None = None,
        latch: Latch | None = None,
        instance: str = "default",
    ) -> None:
        self._config = config
        self._instrument = instrument
        self._notices: deque[Notice] = deque(maxlen=NOTICES_MAX)
        self._ids = count(1)
        self._estimators = Estimators(
            instrument,
            estimation_window_secs=config.strategy.estimation_window_secs,
            min_trades=config.strategy.min_trades,
            warmup_decay_secs=config.strategy.warmup_decay_secs,
        )
        self._markouts = Markouts()
        self._ledger = Ledger(day)
        self._orders = Orders(
            instrument,
            Cloids(account, instance, session_start_secs),
            self._ids,
            levels=config.strategy.ladder_config.num_levels,
            notices=self._notices,
        )
        self._recovery = Recovery(self._ids)
        self._hash = blake2b(digest_size=32)
        self._is_verbose = config.logging.level in ("trace", "debug")
        self.mode = Mode.SYNCING
        self._now_ns = 0
        self._deadline_ns: int | None = 0
        self._steps = 0
        self._estimates = self._estimators.read(0)
        self._own_version = 0
        self._is_connected = False
        self._connected_ns = 0
        self._disconnects = 0
        self._age_secs = math.inf  # of market data; goes on while there is no connection
        self._fresh_ns = -1  # when they were new; negative: never yet
        self._account: AccountState | None = None
        self._past: tuple[Fill, ...] = ()
        self._foreign_oids: frozenset[int] = frozenset()
        self._leverage = Leverage.WANTED
        self._leverage_set = 0  # confirmed; 0: what the account says
        self._leverage_id = 0
        self._leverage_tries = 0
        self._leverage_due_ns = 0
        self._sizes: Sizes | None = None
        self._strategy: Strategy | None = None
        self._ladder: Ladder | None = None
        self._has_warmed = False
        self._progress_ns = 0
        self._summary_ns = 0
        self._summary_placed = self._summary_canceled = self._summary_trades = 0
        self._fills = {Side.BUY: 0, Side.SELL: 0}
        self._foreign_fills = 0
        self._same_side_ns = {side: deque[int](maxlen=SAME_SIDE_FILLS_MAX) for side in Side}
        self._side_paused_ns = {Side.BUY: 0, Side.SELL: 0}
        self._has_book = False  # one to quote from
        self._valid_ns = 0  # when there was one last
        self._approaching: frozenset[Limit] = frozenset()
        self._is_stale = False
        self._verdict: Verdict = risk.ALL_CLEAR
        self._latch = latch
        self._kill_reason = latch.reason if latch is not None else ""
        self._stop_reason = ""
        self._sweep_deadline_ns = 0

    # The four methods, and what goes with them.

    def step(self, batch: Batch, now_ns: int) -> tuple[Action, ...]:
        """Apply every event of one wake-up, then decide once.

        An empty batch is a timer. The same calls in the same order return the same actions:
        nothing here reads a clock, draws a number or waits.
        """
        assert now_ns >= self._now_ns, f"time ran back from {self._now_ns} to {now_ns} ns"
        self._now_ns = now_ns
        self._steps += 1
        if self._orders.version != self._own_version:
            self._net_own()
        if len(batch.rows):
            self._estimators.apply(batch.rows)
        for event in batch.private:
            self._apply(event)
        estimates = self._estimates = self._estimators.read(now_ns)
        if estimates.fair_price > 0.0:
            self._ledger.mark(estimates.fair_price, estimates.exch_now_ns)
        if len(batch.rows):
            self._markouts.advance(estimates.fair_price, self._estimators.feed.newest_ns)
        if self._is_connected:
            self._age_secs = estimates.age_secs
            if self._age_secs < math.inf:
                self._fresh_ns = now_ns - int(self._age_secs * SECOND_NS)
        else:
            self._age_secs = (
                (now_ns - self._fresh_ns) / SECOND_NS if self._fresh_ns >= 0 else math.inf
            )
        self._enter(self._signal(estimates))
        actions = self._decide(estimates)
        self._summarise(estimates)
        self._deadline_ns = self._next_ns()
        self._absorb(batch, actions)
        return actions

    @property
    def deadline_ns(self) -> int | None:
        """When to be woken if nothing happens; None when there is nothing left to do."""
        return self._deadline_ns

    def snapshot(self) -> Snapshot:
        """Freeze what is known."""
        orders, sizes, ladder = self._orders, self._sizes, self._ladder
        counts = orders.counts
        return Snapshot(
            mode=self.mode,
            now_ns=self._now_ns,
            is_connected=self._is_connected,
            is_synced=self._recovery.is_synced,
            is_warm=self._estimates.is_warm,
            position=self._ledger.position,
            position_limit=sizes.position if sizes else 0,
            order_lots=sizes.order if sizes else 0,
            bid_exposure=orders.bid_lots,
            ask_exposure=orders.ask_lots,
            ledger=self._ledger.figures(),
            day=self._ledger.day_figures(),
            estimates=self._estimates,
            bids=tuple(ladder.bids) if ladder is not None else (),
            asks=tuple(ladder.asks) if ladder is not None else (),
            orders=orders.live(),
            counters=Counters(
                steps=self._steps,
                buys=self._fills[Side.BUY],
                sells=self._fills[Side.SELL],
                foreign_fills=self._foreign_fills,
                orders_placed=counts.placed,
                orders_canceled=counts.canceled,
                orders_refused=counts.refused,
                orders_denied=counts.denied,
                orders_unknown=counts.unknown,
                rate_limit_errors=self._rate_limit_errors(),
                disconnects=self._disconnects,
            ),
            refusals=dict(orders.refusals.counts),
            markouts=self._markouts.summary(),
            leverage=self._leverage_set or (self._account.leverage if self._account else 0),
            latch=self._latch,
            stop_reason=self._stop_reason,
            is_proved=self._recovery.is_proved,
            warm_up=self._estimators.warm_up(self._now_ns),
        )

    def digest(self) -> str:
        """Return a hash over all inputs and outputs so far, in hex."""
        return self._hash.hexdigest()

    def take_notices(self) -> list[Notice]:
        """Return the facts since the last call, oldest first."""
        notices = list(self._notices)
        self._notices.clear()
        return notices

    @property
    def latch(self) -> Latch | None:
        """The kill that has to outlive this process; None if there was none."""
        return self._latch

    @property
    def is_idle(self) -> bool:
        """Whether no order was ever placed."""
        return self._orders.counts.placed == 0

    # What happens.

    def _net_own(self) -> None:
        """Tell the estimators which part of the displayed book is ours."""
        self._own_version = self._orders.version
        for side in Side:
            own = [(price, size) for s, price, size in self._orders.resting() if s is side]
            self._estimators.set_own(side, [price for price, _ in own], [size for _, size in own])

    def _apply(self, event: PrivateEvent) -> None:
        now_ns, orders, recovery = self._now_ns, self._orders, self._recovery
        match event:
            case Fill():
                self._apply_fill(event)
            case OrderUpdate():
                if not orders.apply_update(event, now_ns) and orders.is_ours(event.cloid):
                    recovery.hurry(Read.LIST, now_ns)  # of an earlier session, landed late
            case ActionReply():
                if not orders.apply_reply(event, now_ns):
                    self._leverage_answered(event)
            case ActionLost(action_id, reason):
                if not orders.apply_lost(action_id, reason, now_ns):
                    self._leverage_failed(action_id, reason)
            case ActionDenied(action_id, reason):
                if not orders.apply_denied(action_id, now_ns):
                    self._leverage_failed(action_id, reason)
                self._tell(Level.WARN, "Action denied", reason=reason)
            case ReadFailed(read_id, _):
                recovery.failed(read_id, now_ns)
            case OpenOrders():
                self._apply_list(event)
            case OrderState(read_id, _, update):
                never = recovery.order_read(read_id, is_known=update is not None, now_ns=now_ns)
                if update is not None:
                    orders.apply_update(update, now_ns)
                elif never is not None:
                    orders.never_landed(never, now_ns)
            case AccountState():
                self._apply_account(event)
            case Fills():
                self._apply_fills(event)
            case Connected():
                self._is_connected = True
                self._connected_ns = now_ns
                recovery.connected(now_ns)
                self._tell(Level.INFO, "Connected")
            case Disconnected(reason):
                self._is_connected = False
                self._disconnects += 1
                orders.lose_all(now_ns)
                recovery.disconnected()
                self._estimators.disconnect()
                self._tell(
                    Level.WARN,
                    "Disconnected",
                    reason=reason,
                    orders_in_doubt=len(orders),
                )
            case StopRequested(reason):
                self._apply_stop(reason)

    def _apply_fill(self, fill: Fill) -> None:
        if not self._ledger.apply(fill):
            return
        if self._orders.apply_fill(fill, self._now_ns):
            self._fills[fill.side] += 1
            mid_before = self._estimators.mid_before(fill.exch_ns)
            self._markouts.open(fill, mid_before, fill.exch_ns)
            self._watch_side(fill.side)
        else:
            self._foreign_fills += 1
        if not self._ledger.is_chained:
            self._recovery.hurry(Read.FILLS, self._now_ns + SECOND_NS)
            self._recovery.hurry(Read.ACCOUNT, self._now_ns + SECOND_NS)
        instrument = self._instrument
        self._tell(
            Level.INFO,
            "Fill processed",
            side=fill.side.name.lower(),
            price=instrument.print_price(fill.price),
            size=instrument.print_size(fill.size),
            position=instrument.print_size(self._ledger.position),
            day_pnl_usd=round(self._ledger.day_pnl_usd, 4),
            fee_usd=round(fill.fee_usd, 6),
            is_taker=fill.is_taker,
        )

    def _watch_side(self, side: Side) -> None:
        """Pause a side that is hit again and again."""
        times = self._same_side_ns[side]
        times.append(self._now_ns)
        self._same_side_ns[side.other].clear()
        if len(times) == SAME_SIDE_FILLS_MAX and self._now_ns - times[0] <= SAME_SIDE_NS:
            self._side_paused_ns[side] = self._now_ns + SAME_SIDE_PAUSE_NS
            times.clear()
            self._tell(
                Level.WARN,
                "Side paused",
                side=side.name.lower(),
                reason=f"{SAME_SIDE_FILLS_MAX} fills on one side",
                pause_secs=SAME_SIDE_PAUSE_NS // SECOND_NS,
            )

    def _apply_list(self, event: OpenOrders) -> None:
        asked_ns = self._recovery.answered(Read.LIST, event.id, self._now_ns)
        if asked_ns is None:
            return
        orders = self._orders
        orders.apply_list(event.orders, asked_ns, self._now_ns)
        ours = [order for order in event.orders if orders.is_ours(order.cloid)]
        foreign = frozenset(order.oid for order in event.orders) - {order.oid for order in ours}
        if foreign - self._foreign_oids:
            self._tell(Level.WARN, "Foreign orders left alone", orders=len(foreign))
        self._foreign_oids = foreign
        if orders.num_strays:
            self._tell(Level.WARN, "Leftover orders found", orders=orders.num_strays)
            self._recovery.resync(self._now_ns)
        is_sweeping = self._recovery.phase is Phase.SWEEPING
        self._recovery.listed(
            is_settled=len(orders) == 0 if is_sweeping else orders.is_settled,
            has_ours=bool(ours),
            asked_ns=asked_ns,
            now_ns=self._now_ns,
        )

    def _apply_account(self, event: AccountState) -> None:
        if self._recovery.answered(Read.ACCOUNT, event.id, self._now_ns) is None:
            return
        if self._account is None or event.exch_ns > self._account.exch_ns:
            self._account = event
        agrees = True
        if self._ledger.has_begun:
            self._tell_adjustment(self._ledger.compare(event, self._now_ns))
            agrees = not self._ledger.is_in_doubt
        self._recovery.account_read(Read.ACCOUNT, agrees=agrees, now_ns=self._now_ns)

    def _apply_fills(self, event: Fills) -> None:
        if not self._ledger.has_begun:
            self._past = event.fills if event.id else self._past
        for fill in event.fills:
            self._apply_fill(fill)
        asked_ns = self._recovery.answered(Read.FILLS, event.id, self._now_ns)
        if asked_ns is None:
            return
        is_whole = len(event.fills) < FILLS_PAGE
        if is_whole:
            self._orders.fills_read(asked_ns, self._now_ns)
        self._recovery.account_read(
            Read.FILLS, agrees=is_whole and self._ledger.is_chained, now_ns=self._now_ns
        )

    def _apply_stop(self, reason: str) -> None:
        deadline_ns = self._now_ns + int(self._config.risk.shutdown_deadline_secs * SECOND_NS)
        if self._stop_reason:  # asked again: what is left is the bulk cancel
            deadline_ns = min(self._sweep_deadline_ns, self._now_ns + HURRY_NS)
        self._sweep_deadline_ns = deadline_ns
        if not self._stop_reason:
            self._stop_reason = reason or "requested"
            self._tell(Level.INFO, "Stopping", reason=self._stop_reason)

    def _leverage_answered(self, reply: ActionReply) -> None:
        if reply.id != self._leverage_id or self._leverage is not Leverage.SENT:
            return
        match reply.outcomes:
            case (Done(),):
                self._leverage = Leverage.SETTLED
                self._leverage_set = self._wanted_leverage()
                self._tell(Level.INFO, "Leverage set", leverage=self._leverage_set)
            case (Refused(text), *_):
                self._leverage = Leverage.SETTLED
                self._tell(Level.WARN, "Leverage refused", text=text[:300])
            case _:
                self._leverage_failed(reply.id, "no clear answer")

    def _leverage_failed(self, action_id: int, reason: str) -> None:
        if action_id != self._leverage_id or self._leverage is not Leverage.SENT:
            return
        self._leverage_due_ns = self._now_ns + SECOND_NS
        self._leverage = Leverage.WANTED
        if self._leverage_tries >= LEVERAGE_TRIES:
            self._leverage = Leverage.SETTLED
            self._tell(Level.WARN, "Leverage not confirmed", reason=reason)

    def _tell_adjustment(self, adjustment: Adjustment | None) -> None:
        if adjustment is None:
            return
        self._tell(
            Level.WARN,
            "Position adopted from the exchange",
            difference=self._instrument.print_size(adjustment.difference),
            position=self._instrument.print_size(adjustment.position),
            adjustments=self._ledger.adjustments,
        )

    # What the facts call for.

    def _signal(self, estimates: Estimates) -> Signal:
        if self.mode is Mode.DONE:
            return Signal.FINISH
        if self.mode in (Mode.STOPPING, Mode.HALTED) and (
            self._recovery.is_proved or self._now_ns >= self._sweep_deadline_ns
        ):
            return Signal.FINISH
        if self.mode is Mode.HALTED:
            return Signal.KILL
        verdict = self._assess(estimates)
        if verdict.ruling is Ruling.KILL:
            self._kill_reason = self._kill_reason or verdict.reason
        self._kill_reason = self._kill_reason or self._orders.refusals.hopeless
        if self._kill_reason:
            return Signal.KILL
        if self._stop_reason:
            return Signal.STOP
        if not self._is_ready(estimates):
            return Signal.SYNC
        if verdict.ruling is Ruling.PULL:
            return Signal.PULL
        if not self._has_warmed:
            self._tell_warm_up(estimates)
        if not estimates.is_warm:
            return Signal.WARM
        if verdict.ruling is Ruling.REDUCE or self._ledger.adopts_too_often(self._now_ns):
            return Signal.REDUCE
        return Signal.QUOTE

    def _assess(self, estimates: Estimates) -> Verdict:
        ledger, sizes = self._ledger, self._sizes
        age_secs = self._age_secs
        blind_secs = 0.0
        if self._is_connected:
            # While the connection was known to be down, nothing was to be heard.
            blind_secs = min(age_secs, (self._now_ns - self._connected_ns) / SECOND_NS)
        self._has_book = estimates.has_book and not estimates.is_crossed
        if self._has_book:
            self._valid_ns = self._now_ns
        verdict = risk.assess(
            self._config.risk,
            day_pnl_usd=ledger.day_pnl_usd,
            drawdown_fraction=ledger.drawdown_fraction,
            position_value_usd=ledger.position_value_usd() if ledger.has_begun else 0.0,
            is_at_position_limit=sizes is not None and abs(ledger.position) >= sizes.position,
            is_book_valid=self._now_ns - self._valid_ns < BOOK_GRACE_NS,
            age_secs=age_secs,
            blind_secs=blind_secs,
            rate_limit_errors=self._rate_limit_errors()
            if self._orders.refusals.rate_limit_errors
            else 0,
        )
        if verdict is not self._verdict:
            self._verdict = verdict
            self._tell_approaching(verdict)
        is_stale = self._fresh_ns >= 0 and not age_secs < self._config.risk.stale_pull_secs
        if is_stale and not self._is_stale:
            self._tell(Level.WARN, "Data staleness exceeded", age_secs=round(age_secs, 2))
        self._is_stale = is_stale
        return verdict

    def _tell_approaching(self, verdict: Verdict) -> None:
        """Say it once for each limit, until it has receded."""
        near = frozenset(limit for limit, _ in verdict.approaching)
        for limit, text in verdict.approaching:
            if limit not in self._approaching:
                self._tell(
                    Level.WARN, "Kill switch condition detected", condition=limit.value, detail=text
                )
        self._approaching = near

    def _rate_limit_errors(self) -> int:
        errors = self._orders.refusals.rate_limit_errors
        while errors and self._now_ns - errors[0] >= RATE_LIMIT_WINDOW_NS:
            errors.popleft()
        return len(errors)

    def _is_ready(self, estimates: Estimates) -> bool:
        """Whether orders, position, leverage and sizes are known; goes on with it if not."""
        if self._recovery.phase is Phase.LISTING and self._orders.is_settled:
            self._recovery.settled(self._now_ns)
        if not self._recovery.is_synced:
            return False
        if self._strategy is not None:
            return True
        account = self._account
        if account is None or self._leverage is not Leverage.SETTLED:
            return False
        if not (estimates.has_book and estimates.fair_price > 0.0):
            return False
        if not self._ledger.has_begun:
            self._tell_adjustment(self._ledger.begin(account, estimates.fair_price, self._past))
            self._past = ()
        return self._choose_sizes(account, estimates.fair_price)

    def _choose_sizes(self, account: AccountState, price: float) -> bool:
        """Settle what is quoted and held at most; without any room the engine stops."""
        trading, instrument, risk_limits = (
            self._config.trading,
            self._instrument,
            self._config.risk,
        )
        lot_usd = price / 1e6  # one lot in USD
        leverage = self._leverage_set or account.leverage or 1
        most = int(ACCOUNT_SHARE_MAX * max(account.account_value_usd, 0.0) * leverage / lot_usd)
        wanted = trading.max_absolute_position_size
        position = (
            int(POSITION_USD_DEFAULT / lot_usd) if wanted is None else instrument.lots(wanted)
        )
        wanted_order = trading.target_liquidity
        order = (
            int(ORDER_USD_DEFAULT / lot_usd)
            if wanted_order is None
            else instrument.lots(wanted_order)
        )
        position_capped = min(position, most)
        order_capped = min(order, int(ORDER_SHARE_MAX * position_capped))
        ladder = self._config.strategy.ladder_config
        try:
            if not instrument.is_above_minimum(int(price), order_capped):
                raise ConfigError(
                    f"one side of {instrument.print_size(order_capped)} {instrument.coin} is worth "
                    f"{order_capped * lot_usd:.2f} USD, below the exchange's minimum order"
                )
            self._strategy = make_strategy(
                self._config.strategy.strategy_type,
                instrument,
                order_lots=order_capped,
                position_limit_lots=position_capped,
                risk_aversion=trading.risk_aversion,
                num_levels=ladder.num_levels,
                min_depth_bps=ladder.min_depth_bps,
                max_depth_bps=ladder.max_depth_bps,
                geometric_spacing=ladder.geometric_spacing,
                maker_fee_bps=MAKER_FEE_BPS,
            )
        except ConfigError as error:
            self._tell(
                Level.ERROR,
                "Nothing can be quoted",
                reason=str(error),
                account_value_usd=round(account.account_value_usd, 2),
                leverage=leverage,
            )
            self._apply_stop(f"nothing can be quoted: {error}")
            return False
        self._sizes = Sizes(order_capped, position_capped)
        self._tell(
            Level.INFO,
            "Market maker started",
            asset=instrument.coin,
            account_value_usd=round(account.account_value_usd, 2),
            position=instrument.print_size(self._ledger.position),
            leverage=leverage,
            target_liquidity=instrument.print_size(order_capped),
            max_position=instrument.print_size(position_capped),
            max_position_usd=round(position_capped * lot_usd, 2),
            max_daily_loss_usd=risk_limits.max_daily_loss_usd,
        )
        if position_capped < position or order_capped < order:
            self._tell(
                Level.WARN,
                "Sizes capped",
                target_liquidity_wanted=instrument.print_size(order),
                max_position_wanted=instrument.print_size(position),
                rule="position <= account x leverage x 0.5 / price, order <= 0.4 x position",
            )
        return True

    def _tell_warm_up(self, estimates: Estimates) -> None:
        """Say how far the warm-up is, at a readable pace, and when it is over."""
        if not estimates.is_warm and self._now_ns < self._progress_ns:
            return
        self._progress_ns = self._now_ns + PROGRESS_NS
        progress = self._estimators.warm_up(self._now_ns)
        fields: dict[str, object] = {
            "trades": progress.trades,
            "trades_needed": progress.trades_needed,
            "volume_ticks": progress.volume_ticks,
            "volume_ticks_needed": progress.volume_ticks_needed,
            "elapsed_secs": round(progress.elapsed_secs, 1),
        }
        if not estimates.is_warm:
            to_go = progress.secs_to_go
            fields["to_go_secs"] = round(to_go) if math.isfinite(to_go) else "unknown"
            self._tell(Level.INFO, "Warming up parameter estimator", **fields)
            return
        self._has_warmed = True
        self._tell(
            Level.INFO,
            "Parameter estimation warmed up",
            **fields,
            volatility_bps_per_sqrt_sec=round(estimates.volatility, 4),
            kappa_per_bps=round(estimates.kappa_per_bps, 4),
            intensity_per_sec=round(estimates.intensity_per_sec, 4),
        )

    # What to do.

    def _enter(self, signal: Signal) -> None:
        mode = MODE_TRANSITIONS[self.mode].get(signal)
        assert mode is not None, f"{signal.value} while {self.mode.value}"
        before = self.mode
        if mode is before:
            return
        self.mode = mode
        match mode:
            case Mode.HALTED:
                self._latch = self._latch or Latch(self._kill_reason, self._estimates.exch_now_ns)
                if not self._stop_reason:
                    self._sweep_deadline_ns = self._now_ns + KILL_SWEEP_NS
                self._recovery.sweep(self._now_ns)
                self._tell(Level.ERROR, "KILL SWITCH TRIGGERED", reason=self._kill_reason)
            case Mode.STOPPING:
                self._recovery.sweep(self._now_ns)
            case Mode.DONE:
                self._tell_end()
            case Mode.REDUCING:
                self._tell(
                    Level.WARN,
                    "Reduce-only mode",
                    position=self._instrument.print_size(self._ledger.position),
                    reason=self._verdict.reason or "the position had to be adopted too often",
                )
            case Mode.PULLED:
                self._tell(Level.WARN, "Quotes pulled", reason=self._verdict.reason)
            case Mode.QUOTING:
                if before in (Mode.PULLED, Mode.REDUCING):
                    self._tell(Level.INFO, "Quoting again", after=before.value)
            case Mode.SYNCING:
                self._tell(Level.INFO, "Synchronising with the exchange", after=before.value)
            case Mode.WARMING:
                pass

    def _decide(self, estimates: Estimates) -> tuple[Action, ...]:
        now_ns = self._now_ns
        match self.mode:
            case Mode.QUOTING | Mode.REDUCING if self._has_book:
                actions = self._quote(estimates)
            case Mode.QUOTING | Mode.REDUCING:
                actions = self._orders.chase(now_ns)
            case Mode.SYNCING if self._age_secs < self._config.risk.stale_pull_secs:
                actions = self._orders.chase(now_ns) + self._set_leverage()
            case Mode.SYNCING | Mode.WARMING | Mode.PULLED | Mode.STOPPING | Mode.HALTED:
                actions = self._orders.cancel_all(now_ns)
            case Mode.DONE:
                return ()
        doubtful = self._orders.doubtful(now_ns)
        if doubtful and self._orders.owes_fills:
            self._recovery.hurry(Read.FILLS, now_ns)
        if doubtful or now_ns >= self._recovery.due_ns():
            since_ns = self._ledger.proved_ns or max(estimates.exch_now_ns, 0)
            actions += self._recovery.reads(
                doubtful, now_ns, since_ns // 10**6, fresh_ns=self._fresh_ns
            )
        return actions

    def _quote(self, estimates: Estimates) -> tuple[Action, ...]:
        assert self._strategy is not None
        assert self._sizes is not None
        position = self._ledger.position
        limit = self._sizes.position
        bid_room, ask_room = limit - position, limit + position
        is_reducing = self.mode is Mode.REDUCING
        paused_ns = self._side_paused_ns
        if self._now_ns < paused_ns[Side.BUY]:
            bid_room = 0
        if self._now_ns < paused_ns[Side.SELL]:
            ask_room = 0
        ladder = self._strategy.quote(
            estimates, position, bid_room, ask_room, is_reduce_only=is_reducing
        )
        self._ladder = ladder
        if is_reducing:
            bid_room, ask_room = min(bid_room, max(-position, 0)), min(ask_room, max(position, 0))
        actions = self._orders.reconcile(
            ladder,
            self._config.trading.max_bps_diff,
            bid_room=bid_room,
            ask_room=ask_room,
            is_reducing=is_reducing,
            now_ns=self._now_ns,
        )
        if actions and self._is_verbose:
            self._tell_ladder(ladder, estimates)
        return actions

    def _wanted_leverage(self) -> int:
        wanted = self._config.trading.leverage
        most = self._instrument.max_leverage
        return most if wanted is None else min(wanted, most)

    def _set_leverage(self) -> tuple[Action, ...]:
        account = self._account
        if (
            self._leverage is not Leverage.WANTED
            or account is None
            or not self._recovery.is_synced
            or self._now_ns < self._leverage_due_ns
        ):
            return ()
        leverage, is_cross = self._wanted_leverage(), not self._instrument.is_isolated_only
        if account.leverage == leverage and account.is_cross is is_cross:
            self._leverage = Leverage.SETTLED
            return ()
        self._leverage = Leverage.SENT
        self._leverage_tries += 1
        self._leverage_id = next(self._ids)
        return (UpdateLeverage(self._leverage_id, leverage, is_cross),)

    def _next_ns(self) -> int | None:
        if self.mode is Mode.DONE:
            return None
        due_ns = min(self._orders.due_ns(), self._recovery.due_ns())
        return max(min(self._now_ns + TICK_NS, due_ns), self._now_ns + 1)

    def _absorb(self, batch: Batch, actions: tuple[Action, ...]) -> None:
        """Add inputs and outputs of a step to the digest."""
        rows, private, update = batch.rows, batch.private, self._hash.update
        update(_HEAD.pack(self._now_ns, len(rows), len(private), len(actions)))
        if len(rows):
            update(rows.array.data)
        for event in private:
            update(repr(event).encode())
        for action in actions:
            update(_encoded(action))

    # What is said.

    def _tell(self, level: Level, event: str, **fields: object) -> None:
        self._notices.append(Notice(level, event, fields))

    def _tell_ladder(self, ladder: Ladder, estimates: Estimates) -> None:
        self._tell(
            Level.DEBUG,
            "Calculated ladder",
            fair_price=self._price(estimates.fair_price),
            bids=self._levels(ladder.bids),
            asks=self._levels(ladder.asks),
            position=self._instrument.print_size(self._ledger.position),
            volatility_bps_per_sqrt_sec=round(estimates.volatility, 4),
            kappa_per_bps=round(estimates.kappa_per_bps, 4),
        )

    def _levels(self, levels: Iterable[tuple[int, int]]) -> str:
        instrument = self._instrument
        return " ".join(
            f"{instrument.print_size(size)}@{instrument.print_price(price)}"
            for price, size in levels
        )

    def _price(self, price: float) -> str:
        return self._instrument.print_price(round(price)) if price > 0.0 else "unknown"

    def _summarise(self, estimates: Estimates) -> None:
        if self._now_ns < self._summary_ns or self.mode not in (Mode.QUOTING, Mode.REDUCING):
            return
        counts, instrument = self._orders.counts, self._instrument
        if self._summary_ns:
            ladder = self._ladder
            has_both = ladder is not None and bool(ladder.bids) and bool(ladder.asks)
            spread_bps = math.nan
            if has_both and ladder is not None:
                spread_bps = (ladder.asks[0][0] - ladder.bids[0][0]) / estimates.fair_price * 1e4
            self._tell(
                Level.INFO,
                "Quote cycle",
                fair_price=self._price(estimates.fair_price),
                quoted_spread_bps=round(spread_bps, 2),
                orders_live=len(self._orders),
                orders_placed=counts.placed - self._summary_placed,
                orders_canceled=counts.canceled - self._summary_canceled,
                position=instrument.print_size(self._ledger.position),
                day_pnl_usd=round(self._ledger.day_pnl_usd, 4),
                volatility_bps_per_sqrt_sec=round(estimates.volatility, 4),
                kappa_per_bps=round(estimates.kappa_per_bps, 4),
            )
            self._tell(
                Level.INFO,
                "Trades processed",
                trades=estimates.trades - self._summary_trades,
                intensity_per_sec=round(estimates.intensity_per_sec, 4),
                own_fills=self._fills[Side.BUY] + self._fills[Side.SELL],
            )
        self._summary_ns = self._now_ns + SUMMARY_NS
        self._summary_placed, self._summary_canceled = counts.placed, counts.canceled
        self._summary_trades = estimates.trades

    def _tell_end(self) -> None:
        figures = self._ledger.figures()
        unproved = self._orders.live()
        is_proved = self._recovery.is_proved
        self._tell(
            Level.INFO if is_proved else Level.ERROR,
            "Market maker stopped",
            is_proved=is_proved,
            position=self._instrument.print_size(figures.position),
            session_pnl_usd=round(figures.session_pnl_usd, 4),
            day_pnl_usd=round(figures.day_pnl_usd, 4),
            fees_usd=round(figures.fees_usd, 4),
            fills=self._fills[Side.BUY] + self._fills[Side.SELL],
            orders_unproved=" ".join(f"{order.cloid:#034x}" for order in unproved),
        )


def _encoded(action: Action) -> bytes:
    """Write an action for the digest; orders by hand, because `repr` of many takes too long."""
    match action:
        case PlaceOrders(action_id, orders):
            lines = [_ORDER % (o.cloid, o.side, o.price, o.size, o.is_reduce_only) for o in orders]
            return b"P%d:" % action_id + b"".join(lines)
        case CancelOrders(action_id, ids) | CancelOids(action_id, ids):
            return b"C%d:%s" % (action_id, repr(ids).encode())
        case _:
            return repr(action).encode()
