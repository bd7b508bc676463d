"""The state machine: every event of one wake-up in, one decision out.

The engine alone knows the parts. It has no clock, no randomness and no I/O: the same calls in the
same order return the same actions, live, on paper and in a replay, and `digest` proves it.
"""

import math
from collections import deque
from itertools import count

from hypermm import risk
from hypermm._core.ladder import Ladder
from hypermm.config import Config
from hypermm.engine.digest import Digest
from hypermm.engine.leverage import LeverageSetting
from hypermm.engine.modes import MODE_TRANSITIONS, Mode, Signal
from hypermm.engine.sizes import Sizes, choose_sizes
from hypermm.engine.snapshot import Counters, Snapshot
from hypermm.engine.voice import Voice
from hypermm.errors import ConfigError
from hypermm.estimators import Estimates, Estimators
from hypermm.instrument import MAX_PERP_DECIMALS, MIN_NOTIONAL_USD, Instrument
from hypermm.ledger import DayFigures, Ledger
from hypermm.markouts import Markouts
from hypermm.messages import (
    AccountState,
    Action,
    ActionDenied,
    ActionLost,
    ActionReply,
    Batch,
    BudgetLevel,
    Connected,
    Disconnected,
    Fill,
    Fills,
    Level,
    Notice,
    OpenOrders,
    OrderState,
    OrderUpdate,
    PrivateEvent,
    ReadFailed,
    Side,
    StopRequested,
)
from hypermm.orders import Cloids, Orders
from hypermm.quoting import Strategy, make_strategy
from hypermm.recovery import Phase, Read, Recovery
from hypermm.risk import Latch, Ruling, Verdict

SECOND_NS = 10**9
NS_PER_MS = 10**6
TICK_NS = SECOND_NS // 4  # the checks run at least this often
BOOK_GRACE_NS = TICK_NS  # channels may disagree for a moment; nothing is placed meanwhile
RATE_LIMIT_WINDOW_NS = 60 * SECOND_NS
KILL_SWEEP_NS = 3_600 * SECOND_NS  # a kill goes on proving for this long
HURRY_NS = SECOND_NS  # what a second request to stop leaves
COLLAR_SHARE = 0.99  # of the gate's collar, which it measures by prices of its own
SAME_SIDE_FILLS_MAX = 10
SAME_SIDE_NS = 10 * SECOND_NS
SAME_SIDE_PAUSE_NS = 10 * SECOND_NS
MIN_NOTIONAL_MICRO = MIN_NOTIONAL_USD * 10**MAX_PERP_DECIMALS  # price units times lots
MAKER_FEE_BPS = 1.5  # base tier
FILLS_PAGE = 2_000  # fills in one answer at most
FILLS_OVERLAP_NS = 60 * SECOND_NS  # more than is needed: what overlaps is recognised


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
        self._voice = Voice(instrument)
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
            notices=self._voice.notices,
        )
        self._recovery = Recovery(self._ids)
        self._digest = Digest()
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
        self._fills_from_ms = 0  # where the next page of fills begins; 0: no page is open
        self._foreign_oids: frozenset[int] = frozenset()
        most, wanted = instrument.max_leverage, config.trading.leverage
        self._leverage = LeverageSetting(
            most if wanted is None else min(wanted, most),
            is_cross=not instrument.is_isolated_only,
            ids=self._ids,
        )
        self._sizes: Sizes | None = None
        self._strategy: Strategy | None = None
        self._ladder: Ladder | None = None
        self._fills = {Side.BUY: 0, Side.SELL: 0}
        self._foreign_fills = 0
        self._same_side_ns = {side: deque[int](maxlen=SAME_SIDE_FILLS_MAX) for side in Side}
        self._side_paused_ns = {Side.BUY: 0, Side.SELL: 0}
        self._has_book = False  # one to quote from
        self._valid_ns = 0  # when there was one last
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
        if now_ns >= self._voice.summary_ns and self.mode in (Mode.QUOTING, Mode.REDUCING):
            self._summarise(estimates)
        self._deadline_ns = self._next_ns()
        self._digest.absorb(batch, actions, now_ns)
        return actions

    @property
    def deadline_ns(self) -> int | None:
        """When to be woken if nothing happens; None when there is nothing left to do."""
        return self._deadline_ns

    def snapshot(self) -> Snapshot:
        """Freeze what is known."""
        orders, sizes, ladder = self._orders, self._sizes, self._ladder
        counts = orders.counts
        is_quoting = self.mode in (Mode.QUOTING, Mode.REDUCING)
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
            bids=tuple(ladder.bids) if ladder is not None and is_quoting else (),
            asks=tuple(ladder.asks) if ladder is not None and is_quoting else (),
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
            leverage=self._leverage.value(self._account),
            latch=self._latch,
            stop_reason=self._stop_reason,
            is_proved=self._recovery.is_proved,
            warm_up=self._estimators.warm_up(self._now_ns),
        )

    def digest(self) -> str:
        """Return a hash over all inputs and outputs so far, in hex."""
        return self._digest.hex()

    def take_notices(self) -> list[Notice]:
        """Return the facts since the last call, oldest first."""
        return self._voice.take()

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
        bids: tuple[list[int], list[int]] = ([], [])
        asks: tuple[list[int], list[int]] = ([], [])
        for side, price, size in self._orders.resting():
            prices, sizes = bids if side is Side.BUY else asks
            prices.append(price)
            sizes.append(size)
        self._estimators.set_own(Side.BUY, *bids)
        self._estimators.set_own(Side.SELL, *asks)

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
                    self._say(self._leverage.answered(event, now_ns))
            case ActionLost(action_id, reason):
                if not orders.apply_lost(action_id, reason, now_ns):
                    self._say(self._leverage.failed(action_id, reason, now_ns))
            case ActionDenied(action_id, reason):
                if not orders.apply_denied(action_id, now_ns):
                    self._say(self._leverage.failed(action_id, reason, now_ns))
                self._voice.denial(reason, now_ns)
            case ReadFailed(read_id, reason):
                if "HTTP status 429" in reason:  # our own budget's refusals also end here
                    orders.refusals.is_rate_limit(reason, now_ns)
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
                self._voice.tell(Level.INFO, "Connected")
            case Disconnected(reason):
                self._is_connected = False
                self._disconnects += 1
                orders.lose_all(now_ns)
                recovery.disconnected()
                self._estimators.disconnect()
                self._voice.tell(
                    Level.WARN,
                    "Disconnected",
                    reason=reason,
                    orders_in_doubt=len(orders),
                )
            case BudgetLevel():
                pass
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
        self._voice.fill(fill, self._ledger)

    def _watch_side(self, side: Side) -> None:
        """Pause a side that is hit again and again."""
        times = self._same_side_ns[side]
        times.append(self._now_ns)
        self._same_side_ns[side.other].clear()
        if len(times) == SAME_SIDE_FILLS_MAX and self._now_ns - times[0] <= SAME_SIDE_NS:
            self._side_paused_ns[side] = self._now_ns + SAME_SIDE_PAUSE_NS
            times.clear()
            self._voice.tell(
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
            self._voice.tell(Level.WARN, "Foreign orders left alone", orders=len(foreign))
        self._foreign_oids = foreign
        if orders.num_strays:
            self._voice.tell(Level.WARN, "Leftover orders found", orders=orders.num_strays)
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
            self._voice.adjustment(self._ledger.compare(event, self._now_ns))
            agrees = not self._ledger.is_in_doubt
        self._recovery.account_read(Read.ACCOUNT, agrees=agrees, now_ns=self._now_ns)

    def _apply_fills(self, event: Fills) -> None:
        for fill in event.fills:
            self._apply_fill(fill)
        asked_ns = self._recovery.answered(Read.FILLS, event.id, self._now_ns)
        if asked_ns is None:
            return
        is_whole = len(event.fills) < FILLS_PAGE
        if is_whole:
            self._ledger.prove(event.fills)
            self._orders.fills_read(asked_ns, self._now_ns)
        self._fills_from_ms = 0 if is_whole else event.fills[-1].exch_ns // NS_PER_MS
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
            self._voice.tell(Level.INFO, "Stopping", reason=self._stop_reason)

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
        if self._voice.is_warm_up_due(self._now_ns, is_warm=estimates.is_warm):
            self._voice.warm_up(self._estimators.warm_up(self._now_ns), estimates, self._now_ns)
        if not (estimates.is_warm and self._recovery.is_alone):
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
            is_at_position_limit=sizes is not None
            # No order that makes it larger fits any more.
            and (sizes.position - abs(ledger.position)) * ledger.mark_price < MIN_NOTIONAL_MICRO,
            is_book_valid=self._now_ns - self._valid_ns < BOOK_GRACE_NS,
            age_secs=age_secs,
            blind_secs=blind_secs,
            rate_limit_errors=self._rate_limit_errors()
            if self._orders.refusals.rate_limit_errors
            else 0,
        )
        if verdict is not self._verdict:
            self._verdict = verdict
            self._voice.approaching(verdict)
        is_stale = self._fresh_ns >= 0 and not age_secs < self._config.risk.stale_pull_secs
        if is_stale and not self._is_stale:
            self._voice.tell(Level.WARN, "Data staleness exceeded", age_secs=round(age_secs, 2))
        self._is_stale = is_stale
        return verdict

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
        if account is None or not self._leverage.is_settled:
            return False
        if not (estimates.has_book and estimates.fair_price > 0.0):
            return False
        if not self._ledger.has_begun:
            self._voice.adjustment(self._ledger.begin(account, estimates.fair_price))
        return self._choose_sizes(account, estimates.fair_price)

    def _choose_sizes(self, account: AccountState, price: float) -> bool:
        """Settle what is quoted and held at most; without any room the engine stops."""
        trading, instrument = self._config.trading, self._instrument
        leverage = self._leverage.value(account) or 1
        sizes = choose_sizes(
            trading,
            instrument,
            account_value_usd=account.account_value_usd,
            leverage=leverage,
            price=price,
        )
        ladder = self._config.strategy.ladder_config
        try:
            worth_usd = instrument.notional_usd(int(price), sizes.order)
            if not instrument.is_above_minimum(int(price), sizes.order):
                raise ConfigError(
                    f"one side of {instrument.print_size(sizes.order)} {instrument.coin} is worth "
                    f"{worth_usd:.2f} USD, below the exchange's minimum order"
                )
            self._strategy = make_strategy(
                self._config.strategy.strategy_type,
                instrument,
                order_lots=sizes.order,
                position_limit_lots=sizes.position,
                risk_aversion=trading.risk_aversion,
                num_levels=ladder.num_levels,
                min_depth_bps=ladder.min_depth_bps,
                max_depth_bps=ladder.max_depth_bps,
                geometric_spacing=ladder.geometric_spacing,
                maker_fee_bps=MAKER_FEE_BPS,
            )
        except ConfigError as error:
            self._voice.tell(
                Level.ERROR,
                "Nothing can be quoted",
                reason=str(error),
                account_value_usd=round(account.account_value_usd, 2),
                leverage=leverage,
            )
            self._apply_stop(f"nothing can be quoted: {error}")
            return False
        self._sizes = sizes
        self._voice.tell(
            Level.INFO,
            "Market maker started",
            asset=instrument.coin,
            account_value_usd=round(account.account_value_usd, 2),
            position=instrument.print_size(self._ledger.position),
            leverage=leverage,
            target_liquidity=instrument.print_size(sizes.order),
            max_position=instrument.print_size(sizes.position),
            max_position_usd=round(instrument.notional_usd(int(price), sizes.position), 2),
            max_daily_loss_usd=self._config.risk.max_daily_loss_usd,
        )
        if sizes.is_capped:
            self._voice.tell(
                Level.WARN,
                "Sizes capped",
                target_liquidity_wanted=instrument.print_size(sizes.wanted_order),
                max_position_wanted=instrument.print_size(sizes.wanted_position),
                rule="position <= account x leverage x 0.5 / price, order <= 0.4 x position",
            )
        return True

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
                self._voice.tell(Level.ERROR, "KILL SWITCH TRIGGERED", reason=self._kill_reason)
            case Mode.STOPPING:
                self._recovery.sweep(self._now_ns)
            case Mode.DONE:
                self._voice.end(
                    self._ledger,
                    own_fills=sum(self._fills.values()),
                    unproved=self._orders.live(),
                    is_proved=self._recovery.is_proved,
                )
            case Mode.REDUCING:
                self._voice.tell(
                    Level.WARN,
                    "Reduce-only mode",
                    position=self._instrument.print_size(self._ledger.position),
                    reason=self._verdict.reason or "the position had to be adopted too often",
                )
            case Mode.PULLED:
                self._voice.tell(Level.WARN, "Quotes pulled", reason=self._verdict.reason)
            case Mode.QUOTING:
                if before in (Mode.PULLED, Mode.REDUCING):
                    self._voice.tell(Level.INFO, "Quoting again", after=before.value)
            case Mode.SYNCING:
                self._voice.tell(Level.INFO, "Synchronising with the exchange", after=before.value)
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
                actions = self._orders.chase(now_ns)
                if self._recovery.is_synced:
                    actions += self._leverage.action(self._account, now_ns)
            case Mode.SYNCING | Mode.WARMING | Mode.PULLED | Mode.STOPPING | Mode.HALTED:
                actions = self._orders.cancel_all(now_ns)
            case Mode.DONE:
                return ()
        doubtful = self._orders.doubtful(now_ns)
        if doubtful and self._orders.owes_fills:
            self._recovery.hurry(Read.FILLS, now_ns)
        if doubtful or now_ns >= self._recovery.due_ns():
            actions += self._recovery.reads(
                doubtful, now_ns, self._fills_since_ms(estimates), fresh_ns=self._fresh_ns
            )
        return actions

    def _fills_since_ms(self, estimates: Estimates) -> int:
        """Return from when on fills may be missing, or where a full page of them ended."""
        if self._fills_from_ms:
            return self._fills_from_ms
        since_ns = self._ledger.proved_ns(estimates.exch_now_ns)
        return max(since_ns - FILLS_OVERLAP_NS, 0) // NS_PER_MS

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
            collar=self._collar(estimates),
        )
        if actions and self._is_verbose:
            self._voice.ladder(ladder, estimates, position)
        return actions

    def _collar(self, estimates: Estimates) -> tuple[float, float]:
        """Return the lowest and highest price that the gate will let pass.

        The gate denies an action for one bad order, and a wild market widens the ladder beyond
        its collar: what stands beyond is left out here, so that the rest is quoted.
        """
        width = COLLAR_SHARE * self._config.risk.price_collar_bps / 1e4
        known = [p for p in (estimates.mark_price, estimates.oracle_price) if p > 0.0]
        low = max((p * (1.0 - width) for p in known), default=0.0)
        return low, min((p * (1.0 + width) for p in known), default=math.inf)

    def _next_ns(self) -> int | None:
        if self.mode is Mode.DONE:
            return None
        due_ns = min(self._orders.due_ns(), self._recovery.due_ns())
        return max(min(self._now_ns + TICK_NS, due_ns), self._now_ns + 1)

    def _summarise(self, estimates: Estimates) -> None:
        if self._ladder is None:
            return
        self._voice.summary(
            self._ladder,
            estimates,
            self._ledger,
            orders_live=len(self._orders),
            orders_placed=self._orders.counts.placed,
            orders_canceled=self._orders.counts.canceled,
            own_fills=sum(self._fills.values()),
            now_ns=self._now_ns,
        )

    def _say(self, notice: Notice | None) -> None:
        if notice is not None:
            self._voice.notices.append(notice)
