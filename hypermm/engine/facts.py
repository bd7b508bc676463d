"""What the engine knows: its parts, and how every event changes them."""

import math
from itertools import count

from hypermm._core.ladder import Ladder
from hypermm.config import Config
from hypermm.engine.audit import Audit, Audited, margin_difference
from hypermm.engine.digest import Digest
from hypermm.engine.freshness import Freshness
from hypermm.engine.hearing import Hearing
from hypermm.engine.leverage import LeverageSetting
from hypermm.engine.modes import Mode
from hypermm.engine.opening import COLLAR_SHARE, MAKER_FEE_BPS
from hypermm.engine.sides import FILLS_MAX, PAUSE_NS, SidePause
from hypermm.engine.sizes import LotCap, Sizes
from hypermm.engine.snapshot import Counters, Snapshot
from hypermm.engine.voice import Voice
from hypermm.estimators import Estimates, Estimators
from hypermm.instrument import Instrument
from hypermm.ledger import DayFigures, Ledger
from hypermm.markouts import Markouts
from hypermm.messages import (
    AccountState,
    ActionDenied,
    ActionLost,
    ActionReply,
    BudgetLevel,
    Connected,
    Disconnected,
    Fill,
    Fills,
    FundingPaid,
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
from hypermm.quoting import Caution, Strategy, strategy_class
from hypermm.recovery import Phase, Read, Recovery
from hypermm.risk import ALL_CLEAR, Figures, Latch, Verdict, readings

SECOND_NS = 10**9
NS_PER_MS = 10**6
RATE_LIMIT_WINDOW_NS = 60 * SECOND_NS
HURRY_NS = SECOND_NS  # what a second request to stop leaves
MISSED_AFTER_NS = SECOND_NS // 2  # a fill that a read brings so late was missed by the stream
FILLS_PAGE = 2_000  # fills in one answer at most
# Shares of the address's actions that are left; the exchange counts every order and cancel.
BUDGET_TIGHT_FRACTION = 0.20  # below: quotes move less often
BUDGET_EMPTY_FRACTION = 0.05  # below: only cancels, and orders that reduce


class Facts:
    """The parts and what they know. Parameters are those of `Engine`."""

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
        maker_fee_bps: float = MAKER_FEE_BPS,
    ) -> None:
        strategy_class(config.strategy.strategy_type)  # an error here, and not while it trades
        self._maker_fee_bps = maker_fee_bps
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
        self._audit = Audit()
        self._digest = Digest()
        self._freshness = Freshness()
        self._hearing = Hearing()
        self._sides = SidePause()
        self.mode = Mode.SYNCING
        self._now_ns = 0
        self._steps = 0
        self._estimates = self._estimators.read(0)
        self._own_version = 0
        self._learn_ns = 0  # when own fills and queues are looked at next
        self._disconnects = 0
        self._account: AccountState | None = None
        self._fills_from_ms = 0  # where the next page of fills begins; 0: no page is open
        self._foreign_oids: frozenset[int] = frozenset()
        most, wanted = instrument.max_leverage, config.trading.leverage
        self._leverage = LeverageSetting(
            most if wanted is None else min(wanted, most),
            is_cross=not instrument.is_isolated_only,
            ids=self._ids,
        )
        self._budget_fraction = 1.0  # of the address's actions that is left
        self._sizes: Sizes | None = None
        self._strategy: Strategy | None = None
        self._order_cap = LotCap(config.risk.max_order_notional_usd)
        self._position_cap = LotCap(config.risk.max_position_value_usd)
        self._is_verbose = (config.logging.levels.quotes or config.logging.level) in (
            "trace",
            "debug",
        )
        self._rooms = (0, 0)  # of the last decision, for more buying and for more selling
        self._tolerance_bps = 0.0
        self._collar = (0.0, math.inf)
        self._figures: Figures | None = None
        self._collar_width = COLLAR_SHARE * config.risk.price_collar_bps / 1e4
        self._ladder: Ladder | None = None  # the one last decided
        self._fills = {Side.BUY: 0, Side.SELL: 0}
        self._foreign_fills = 0
        self._latch = latch
        self._start_error = ""  # why nothing could ever be quoted
        self._stop_reason = ""
        self._kill_reason = latch.reason if latch is not None else ""
        self._sweep_deadline_ns = 0
        self._verdict: Verdict = ALL_CLEAR  # of the last step
        self._has_book = False  # one to quote from
        self._valid_ns = 0  # when there was one last
        self._is_stale = False
        self._is_unquoted = False  # nothing of the ladder may be placed, and it was said
        self._deadline_ns: int | None = 0

    @property
    def latch(self) -> Latch | None:
        """The kill that has to outlive this process; None if there was none."""
        return self._latch

    @property
    def estimates(self) -> Estimates:
        """What is known of the market, as of the last step."""
        return self._estimates

    @property
    def risk_multiplier(self) -> float:
        """By how much the factors of the last decision raise the risk aversion."""
        return self._strategy.caution.multiplier if self._strategy is not None else 1.0

    @property
    def position_limit(self) -> int:
        """Limit of the position in lots; 0 before it is settled."""
        return self._sizes.position if self._sizes is not None else 0

    @property
    def is_floor_binding(self) -> bool:
        """Whether `min_depth_bps` moved a quote of the last decision."""
        return self._strategy is not None and self._strategy.is_floor_binding

    def take_notices(self) -> list[Notice]:
        """Return the facts since the last call, oldest first."""
        return self._voice.take()

    def digest(self) -> str:
        """Return a hash over all inputs and outputs so far, in hex."""
        return self._digest.hex()

    def snapshot(self) -> Snapshot:
        """Freeze what is known."""
        orders, sizes, ladder = self._orders, self._sizes, self._ladder
        counts = orders.counts
        is_quoting = self.mode in (Mode.QUOTING, Mode.REDUCING)
        return Snapshot(
            mode=self.mode,
            now_ns=self._now_ns,
            is_connected=self._freshness.is_connected,
            is_synced=self._recovery.is_synced and self._ledger.has_begun,
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
            start_error=self._start_error,
            is_proved=self._recovery.is_proved,
            warm_up=self._estimators.warm_up(self._now_ns),
            report=self._estimators.report(self._estimates),
            queues=self._estimators.queues(),
            channels=self._estimators.channels(self._estimates),
            audit=self._audit.figures(),
            quality=self._estimators.quality(),
            caution=self._strategy.caution if self._strategy is not None else Caution(),
            risks=tuple(readings(self._config.risk, self._figures)) if self._figures else (),
        )

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
                self._hearing.heard()
                self._apply_fill(event)
            case OrderUpdate():
                self._hearing.heard()
                if not orders.apply_update(event, now_ns) and orders.is_ours(event.cloid):
                    recovery.hurry(Read.LIST, now_ns)  # of an earlier session, landed late
            case ActionReply():
                self._hearing.answered(event)
                if not orders.apply_reply(event, now_ns):
                    self._say(self._leverage.answered(event, now_ns))
            case ActionLost(action_id, reason):
                if not orders.apply_lost(action_id, reason, now_ns):
                    self._say(self._leverage.failed(action_id, reason, now_ns))
            case ActionDenied(action_id, reason):
                self._hearing.heard()
                if not orders.apply_denied(action_id, now_ns):
                    self._say(self._leverage.failed(action_id, reason, now_ns))
                self._voice.denial(reason, now_ns)
            case ReadFailed(read_id, reason):
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
            case FundingPaid():
                if self._ledger.apply_funding(event):
                    self._voice.tell(Level.INFO, "Funding", amount_usd=round(event.amount_usd, 6))
            case Connected():
                self._freshness.connected(now_ns)
                recovery.connected(now_ns)
                self._voice.tell(Level.INFO, "Connected")
            case Disconnected(reason):
                self._freshness.disconnected()
                self._hearing.heard()
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
            case BudgetLevel(remaining_fraction):
                self._apply_budget(remaining_fraction)
            case StopRequested(reason):
                self._apply_stop(reason)

    def _apply_fill(self, fill: Fill) -> bool:
        """Book a fill; false if it is known already."""
        if not self._ledger.apply(fill):
            return False
        if self._orders.apply_fill(fill, self._now_ns):
            self._fills[fill.side] += 1
            mid_before = self._estimators.mid_before(fill.exch_ns)
            self._markouts.open(fill, mid_before, fill.exch_ns)
            self._estimators.own_fill(fill.side, fill.price, fill.size, mid_before)
            if self._sides.count(fill.side, self._now_ns):
                self._voice.tell(
                    Level.WARN,
                    "Side paused",
                    side=fill.side.name.lower(),
                    reason=f"{FILLS_MAX} fills on one side",
                    pause_secs=PAUSE_NS // SECOND_NS,
                )
        else:
            self._foreign_fills += 1
        if not self._ledger.is_chained:
            self._recovery.hurry(Read.FILLS, self._now_ns + SECOND_NS)
            self._recovery.hurry(Read.ACCOUNT, self._now_ns + SECOND_NS)
        self._voice.fill(fill, self._ledger)
        return True

    def _apply_list(self, event: OpenOrders) -> None:
        asked_ns = self._recovery.answered(Read.LIST, event.id, self._now_ns)
        if asked_ns is None:
            return
        orders = self._orders
        differences = orders.apply_list(event.orders, asked_ns, self._now_ns)
        self._audit.note(Audited.ORDERS, differences)
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
            adjustment = self._ledger.compare(event, self._now_ns)
            self._audit.note(Audited.POSITION, int(adjustment is not None))
            self._voice.adjustment(adjustment)
            agrees = not self._ledger.is_in_doubt
        self._audit_margin(event)
        self._recovery.account_read(Read.ACCOUNT, agrees=agrees, now_ns=self._now_ns)

    def _audit_margin(self, account: AccountState) -> None:
        """Settle leverage and sizes anew where the account does not fit them any more."""
        if self._sizes is None or not self._leverage.is_settled or not self._ledger.mark_price > 0:
            return
        difference = margin_difference(
            account, self._leverage, self._sizes, self._ledger.mark_price
        )
        self._audit.note(Audited.MARGIN, int(bool(difference)))
        if not difference:
            return
        self._voice.tell(Level.WARN, "Margin differs from what is quoted with", detail=difference)
        if self._leverage.is_changed(account):
            self._leverage.reopen()
        self._strategy = None

    def _apply_fills(self, event: Fills) -> None:
        old_ns = self._estimates.exch_now_ns - MISSED_AFTER_NS
        is_comparing = self._ledger.has_begun and event.id > 0
        missed = 0
        for fill in event.fills:
            missed += self._apply_fill(fill) and is_comparing and fill.exch_ns < old_ns
        if is_comparing:
            self._audit.note(Audited.FILLS, missed)
        if missed:
            self._voice.tell(Level.WARN, "Missed fills found", fills=missed)
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

    def _apply_budget(self, fraction: float) -> None:
        before, self._budget_fraction = self._budget_fraction, fraction
        for mark, event in (
            (BUDGET_EMPTY_FRACTION, "Address budget spent: only cancels and reducing orders"),
            (BUDGET_TIGHT_FRACTION, "Address budget low: quotes move less often"),
        ):
            if fraction < mark:
                if not before < mark:
                    self._voice.tell(Level.WARN, event, remaining_fraction=round(fraction, 4))
                return

    def _rate_limit_errors(self) -> int:
        errors = self._orders.refusals.rate_limit_errors
        while errors and self._now_ns - errors[0] >= RATE_LIMIT_WINDOW_NS:
            errors.popleft()
        return len(errors)

    def _say(self, notice: Notice | None) -> None:
        if notice is not None:
            self._voice.notices.append(notice)
