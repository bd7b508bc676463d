"""The state machine: every event of one wake-up in, one decision out.

The engine alone knows the parts. It has no clock, no randomness and no I/O: the same calls in the
same order return the same actions, live, on paper and in a replay, and `digest` proves it.
"""

from hypermm import risk
from hypermm._core.ladder import Ladder
from hypermm.engine.facts import (
    BUDGET_EMPTY_FRACTION,
    BUDGET_TIGHT_FRACTION,
    NS_PER_MS,
    SECOND_NS,
)
from hypermm.engine.learning import Learning
from hypermm.engine.modes import ENDING_MODES, MODE_TRANSITIONS, Mode, Signal
from hypermm.engine.opening import open_strategy
from hypermm.engine.sizes import MICRO_USD
from hypermm.errors import ConfigError
from hypermm.estimators import Estimates
from hypermm.instrument import MIN_NOTIONAL_UNITS
from hypermm.messages import AccountState, Action, Batch, Level, Side
from hypermm.recovery import Phase, Read
from hypermm.risk import Latch, Ruling, Verdict

TICK_NS = SECOND_NS // 4  # the checks run at least this often
BOOK_GRACE_NS = TICK_NS  # channels may disagree for a moment; nothing is placed meanwhile
KILL_SWEEP_NS = 3_600 * SECOND_NS  # a kill goes on proving for this long
FILLS_OVERLAP_NS = 60 * SECOND_NS  # more than is needed: what overlaps is recognised
TIGHT_TOLERANCE = 2.0  # times `max_bps_diff`, while few actions of the address are left


class Engine(Learning):
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
    maker_fee_bps : float
        What the account pays for a fill; a rebate is negative.
    """

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
        if estimates.mid > 0.0:
            self._ledger.mark(estimates.mid, estimates.exch_now_ns)
        if len(batch.rows):
            newest_ns = self._estimators.feed.newest_ns
            if self._markouts.advance(estimates.mid, newest_ns) or now_ns >= self._learn_ns:
                self._learn()
        self._freshness.step(estimates.age_secs, now_ns)
        self._enter(self._signal(estimates))
        actions = self._decide(estimates)
        if now_ns >= self._voice.summary_ns and self.mode in (Mode.QUOTING, Mode.REDUCING):
            self._summarise(estimates)
        self._hearing.acted(actions, now_ns)
        self._deadline_ns = self._next_ns()
        self._digest.absorb(batch, actions, now_ns)
        return actions

    @property
    def deadline_ns(self) -> int | None:
        """When to be woken if nothing happens; None when there is nothing left to do."""
        return self._deadline_ns

    # What the facts call for.

    def _signal(self, estimates: Estimates) -> Signal:
        if self.mode in ENDING_MODES:
            if (
                self.mode is Mode.DONE
                or self._recovery.is_proved
                or self._now_ns >= self._sweep_deadline_ns
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
        if verdict.ruling is Ruling.PULL or self._is_deaf():
            return Signal.PULL
        if self._voice.is_warm_up_due(self._now_ns, is_warm=estimates.is_warm):
            self._voice.warm_up(self._estimators.warm_up(self._now_ns), estimates, self._now_ns)
        if not (estimates.is_warm and self._recovery.is_alone):
            return Signal.WARM
        return Signal.REDUCE if self._reduce_reason(verdict) else Signal.QUOTE

    def _is_deaf(self) -> bool:
        """Whether the account's streams have been silent on what we did; asks about it."""
        now_ns, hearing = self._now_ns, self._hearing
        if hearing.is_read_due(now_ns):
            for read in Read:
                self._recovery.hurry(read, now_ns)
        if not hearing.is_deaf(now_ns):
            return False
        if hearing.is_retry_due(now_ns) and not len(self._orders):
            hearing.retry()
            return False
        return True

    def _reduce_reason(self, verdict: Verdict) -> str:
        """Return why only the position may be made smaller; empty if it may grow."""
        if verdict.ruling is Ruling.REDUCE:
            return verdict.reason
        if self._ledger.adopts_too_often(self._now_ns):
            return "the position had to be adopted too often"
        if self._budget_fraction < BUDGET_EMPTY_FRACTION:
            return "the address has nearly spent its actions"
        return ""

    def _assess(self, estimates: Estimates) -> Verdict:
        ledger, sizes, freshness = self._ledger, self._sizes, self._freshness
        self._has_book = estimates.has_book and not estimates.is_crossed
        if self._has_book:
            self._valid_ns = self._now_ns
        value_usd = ledger.position_value_usd() if ledger.has_begun else 0.0
        is_at_limit = False
        if sizes is not None:  # no order that makes the position larger fits any more
            most_usd = min(
                sizes.position * ledger.mark_price / MICRO_USD,
                self._config.risk.max_position_value_usd,
            )
            is_at_limit = (most_usd - value_usd) * MICRO_USD < MIN_NOTIONAL_UNITS
        self._figures = figures = risk.Figures(
            day_pnl_usd=ledger.day_pnl_usd,
            drawdown_fraction=ledger.drawdown_fraction,
            position_value_usd=value_usd,
            is_at_position_limit=is_at_limit,
            is_book_valid=self._now_ns - self._valid_ns < BOOK_GRACE_NS,
            age_secs=freshness.age_secs,
            # A stop quotes nothing: data or not, it ends within its deadline.
            blind_secs=0.0 if self._stop_reason else freshness.blind_secs,
            cascade_severity=estimates.cascade_severity,
            rate_limit_errors=self._rate_limit_errors()
            if self._orders.refusals.rate_limit_errors
            else 0,
        )
        verdict = risk.assess(self._config.risk, figures)
        if verdict is not self._verdict:
            self._verdict = verdict
            self._voice.approaching(verdict)
        if estimates.cascade_severity >= risk.CASCADE_WIDEN:
            self._voice.cascade(
                estimates.cascade_severity, estimates.cascade_side, verdict.ruling, self._now_ns
            )
        is_stale = freshness.fresh_ns >= 0 and not self._is_fresh
        if is_stale and not self._is_stale:
            age_secs = round(freshness.age_secs, 2)
            self._voice.tell(Level.WARN, "Data staleness exceeded", age_secs=age_secs)
        self._is_stale = is_stale
        return verdict

    @property
    def _is_fresh(self) -> bool:
        return self._freshness.age_secs < self._config.risk.stale_pull_secs

    def _is_ready(self, estimates: Estimates) -> bool:
        """Whether orders, position, leverage and sizes are known; goes on with it if not."""
        overdue = self._recovery.overdue(self._now_ns)
        if overdue is not None:
            self._voice.tell(Level.WARN, "Audit overdue, quotes pulled", read=overdue.value)
        if self._recovery.phase is Phase.LISTING and self._orders.is_settled:
            self._recovery.settled(self._now_ns)
        if not self._recovery.is_synced:
            return False
        if self._strategy is not None:
            return True
        account = self._account
        if account is None or not self._leverage.is_settled:
            return False  # leverage is set while synchronising
        if not (estimates.has_book and estimates.fair_price > 0.0):
            return False
        if not self._ledger.has_begun:
            self._voice.adjustment(self._ledger.begin(account, estimates.fair_price))
        return self._open(account, estimates.fair_price)

    def _open(self, account: AccountState, price: float) -> bool:
        """Settle sizes and strategy; when nothing could ever be quoted, the engine ends."""
        leverage = self._leverage.value(account) or 1
        try:
            sizes, self._strategy = open_strategy(
                self._config,
                self._instrument,
                account_value_usd=account.account_value_usd,
                leverage=leverage,
                price=price,
                maker_fee_bps=self._maker_fee_bps,
            )
        except ConfigError as error:
            self._start_error = str(error)
            self._voice.tell(
                Level.ERROR,
                "Nothing can be quoted",
                reason=self._start_error,
                account_value_usd=round(account.account_value_usd, 2),
                leverage=leverage,
            )
            self._apply_stop(f"nothing can be quoted: {error}")
            return False
        is_start, self._sizes = self._sizes is None, sizes
        if not is_start:
            self._voice.resized(sizes, leverage=leverage)
            return True
        self._voice.started(
            sizes,
            account,
            price=price,
            position=self._ledger.position,
            leverage=leverage,
            max_daily_loss_usd=self._config.risk.max_daily_loss_usd,
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
                    self._markouts.summary(),
                    own_fills=sum(self._fills.values()),
                    unproved=self._orders.live(),
                    is_proved=self._recovery.is_proved,
                )
            case Mode.REDUCING:
                self._voice.tell(
                    Level.WARN,
                    "Reduce-only mode",
                    position=self._instrument.print_size(self._ledger.position),
                    reason=self._reduce_reason(self._verdict),
                )
            case Mode.PULLED:
                reason = self._verdict.reason or "the account's streams are silent"
                self._voice.tell(Level.WARN, "Quotes pulled", reason=reason)
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
            case Mode.SYNCING if self._is_fresh and not self._recovery.is_blind:
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
                doubtful,
                now_ns,
                self._fills_since_ms(estimates),
                fresh_ns=self._freshness.fresh_ns,
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
        now_ns, position, fair_price = self._now_ns, self._ledger.position, estimates.fair_price
        limit = min(self._sizes.position, self._position_cap.at(fair_price))
        bid_room, ask_room = limit - position, limit + position
        is_reducing = self.mode is Mode.REDUCING
        if now_ns < self._sides.until_ns:
            if self._sides.is_paused(Side.BUY, now_ns):
                bid_room = 0
            if self._sides.is_paused(Side.SELL, now_ns):
                ask_room = 0
        ladder = self._strategy.quote(
            estimates, position, bid_room, ask_room, is_reduce_only=is_reducing
        )
        self._ladder = ladder
        if self._sizes.order > self._order_cap.at(fair_price):
            self._order_cap.cut(ladder, fair_price)
        if is_reducing:
            bid_room, ask_room = min(bid_room, max(-position, 0)), min(ask_room, max(position, 0))
        tolerance_bps = self._config.trading.max_bps_diff
        if self._budget_fraction < BUDGET_TIGHT_FRACTION:
            tolerance_bps *= TIGHT_TOLERANCE
        self._collar = collar = self._price_range(estimates)
        self._rooms, self._tolerance_bps = (bid_room, ask_room), tolerance_bps
        actions = self._orders.reconcile(
            ladder,
            tolerance_bps,
            bid_room=bid_room,
            ask_room=ask_room,
            is_reducing=is_reducing,
            now_ns=now_ns,
            collar=collar,
        )
        if not actions and not len(self._orders):
            self._watch_unquoted(ladder, collar)
        elif self._is_unquoted:
            self._is_unquoted = False
        if actions and self._is_verbose:
            self._voice.ladder(ladder, estimates, position)
        return actions

    def _price_range(self, estimates: Estimates) -> tuple[float, float]:
        """Return the lowest and highest price that the gate will let pass.

        The gate denies an action for one bad order, and a wild market widens the ladder beyond
        its collar: what stands beyond is left out here, so that the rest is quoted.
        """
        width = self._collar_width
        mark, oracle = estimates.mark_price, estimates.oracle_price
        if not mark > 0.0:
            mark = oracle if oracle > 0.0 else estimates.fair_price
        if not oracle > 0.0:
            oracle = mark
        high, low = (mark, oracle) if mark > oracle else (oracle, mark)
        return high * (1.0 - width), low * (1.0 + width)

    def _watch_unquoted(self, ladder: Ladder, collar: tuple[float, float]) -> None:
        """Say once that the limits leave nothing to quote, until something is quoted again."""
        levels = [*ladder.bids, *ladder.asks]
        if self._is_unquoted or not levels:
            return
        inside = [(price, size) for price, size in levels if collar[0] <= price <= collar[1]]
        if any(self._instrument.is_above_minimum(price, size) for price, size in inside):
            return  # something else keeps it, and says so
        reason = "every level is below the exchange's minimum order"
        if not inside:
            nearest = min(abs(price / self._estimates.fair_price - 1.0) for price, _ in levels)
            reason = (
                f"the nearest level, {nearest * 1e4:.0f} bps from the fair price, is beyond "
                f"risk.price_collar_bps = {self._config.risk.price_collar_bps:g} of mark or oracle"
            )
        self._is_unquoted = True
        self._voice.tell(Level.WARN, "No quotes", reason=reason)

    def _next_ns(self) -> int | None:
        if self.mode is Mode.DONE:
            return None
        now_ns = self._now_ns
        due_ns = min(self._orders.due_ns(), self._recovery.due_ns(), now_ns + TICK_NS)
        return due_ns if due_ns > now_ns else now_ns + 1

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
