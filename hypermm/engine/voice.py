"""What the engine says: the operating procedures' events, with numbers, units and a pace."""

import math
import re
from collections import deque
from collections.abc import Iterable

from hypermm._core.ladder import Ladder
from hypermm.engine.sizes import Sizes
from hypermm.estimators import Estimates, WarmUp
from hypermm.instrument import Instrument
from hypermm.ledger import Adjustment, Ledger
from hypermm.markouts import Markout
from hypermm.messages import AccountState, Fill, Level, Notice
from hypermm.orders import OwnOrder
from hypermm.risk import CASCADE_PULL, CASCADE_WIDEN, Limit, Ruling, Verdict

SECOND_NS = 10**9
SUMMARY_NS = 10 * SECOND_NS
PROGRESS_NS = 5 * SECOND_NS
CASCADE_NS = 60 * SECOND_NS  # without a sign of it, a cascade has ended
NOTICES_MAX = 4_096

# Severity from which, and what is done.
CASCADE_ACTIONS = (
    (CASCADE_WIDEN, "wider quotes"),
    (0.5, "wider quotes of half the size"),
    (CASCADE_PULL, "quotes pulled"),
)

_FIGURES = re.compile(r"[0-9.]+")  # two denials that differ in these alone say the same


class Voice:
    """Collects notices until they are taken; the oldest go first if nobody takes them.

    Parameters
    ----------
    instrument : Instrument
        Prints prices and sizes.
    """

    def __init__(self, instrument: Instrument) -> None:
        self._instrument = instrument
        self.notices: deque[Notice] = deque(maxlen=NOTICES_MAX)
        self._approaching: frozenset[Limit] = frozenset()
        self._denial, self._denial_ns = "", 0
        self._cascade = 0  # band that was said last
        self._cascade_ns = 0  # until when it stands
        self._has_warmed = False
        self._progress_ns = 0
        self.summary_ns = 0  # when the next one is due; 0: not quoting yet
        self._placed = self._canceled = self._trades = 0  # at the last summary

    def take(self) -> list[Notice]:
        """Return what was said since the last call."""
        notices = list(self.notices)
        self.notices.clear()
        return notices

    def tell(self, level: Level, event: str, **fields: object) -> None:
        """Say something."""
        self.notices.append(Notice(level, event, fields))

    def fill(self, fill: Fill, ledger: Ledger) -> None:
        """Say that a fill was booked."""
        instrument = self._instrument
        self.tell(
            Level.INFO,
            "Fill processed",
            side=fill.side.name.lower(),
            price=instrument.print_price(fill.price),
            size=instrument.print_size(fill.size),
            position=instrument.print_size(ledger.position),
            day_pnl_usd=round(ledger.day_pnl_usd, 4),
            fee_usd=round(fill.fee_usd, 6),
            is_taker=fill.is_taker,
        )

    def started(
        self,
        sizes: Sizes,
        account: AccountState,
        *,
        price: float,
        position: int,
        leverage: int,
        max_daily_loss_usd: float,
    ) -> None:
        """Say what will be quoted and held at most, and what made that less than wanted."""
        instrument = self._instrument
        self.tell(
            Level.INFO,
            "Market maker started",
            asset=instrument.coin,
            account_value_usd=round(account.account_value_usd, 2),
            position=instrument.print_size(position),
            leverage=leverage,
            target_liquidity=instrument.print_size(sizes.order),
            max_position=instrument.print_size(sizes.position),
            max_position_usd=round(instrument.notional_usd(int(price), sizes.position), 2),
            max_daily_loss_usd=max_daily_loss_usd,
        )
        if sizes.caps:
            self.tell(
                Level.WARN,
                "Sizes capped",
                target_liquidity_wanted=instrument.print_size(sizes.wanted_order),
                max_position_wanted=instrument.print_size(sizes.wanted_position),
                rule=", ".join(sizes.caps),
            )

    def denial(self, reason: str, now_ns: int) -> None:
        """Say that gate or budget kept an action; the same reason again only after a while."""
        gist = _FIGURES.sub("", reason)
        if gist == self._denial and now_ns < self._denial_ns:
            return
        self._denial, self._denial_ns = gist, now_ns + SUMMARY_NS
        self.tell(Level.WARN, "Action denied", reason=reason)

    def resized(self, sizes: Sizes, *, leverage: int) -> None:
        """Say that sizes were settled anew."""
        self.tell(
            Level.WARN,
            "Sizes settled anew",
            order=self._instrument.print_size(sizes.order),
            position_limit=self._instrument.print_size(sizes.position),
            leverage=leverage,
        )

    def adjustment(self, adjustment: Adjustment | None) -> None:
        """Say that the exchange's position was adopted, if it was."""
        if adjustment is None:
            return
        self.tell(
            Level.WARN,
            "Position adopted from the exchange",
            difference=self._instrument.print_size(adjustment.difference),
            position=self._instrument.print_size(adjustment.position),
        )

    def approaching(self, verdict: Verdict) -> None:
        """Say once for each limit that it is near, until it has receded."""
        for limit, detail in verdict.approaching:
            if limit not in self._approaching:
                self.tell(
                    Level.WARN,
                    "Kill switch condition detected",
                    condition=limit.value,
                    detail=detail,
                )
        self._approaching = frozenset(limit for limit, _ in verdict.approaching)

    def cascade(self, severity: float, side: int, ruling: Ruling, now_ns: int) -> None:
        """Say that a cascade is under way: at each band on its way up, again after it has ended."""
        bands = [action for least, action in CASCADE_ACTIONS if severity >= least]
        action = "kill" if ruling is Ruling.KILL else bands[-1]
        band = len(bands) + (ruling is Ruling.KILL)
        is_new = band > self._cascade or now_ns >= self._cascade_ns
        self._cascade_ns = now_ns + CASCADE_NS
        if not is_new:
            return
        self._cascade = band
        self.tell(
            Level.WARN,
            "Cascade detected",
            severity=round(severity, 3),
            flow={1: "buying", -1: "selling"}.get(side, "both ways"),
            action=action,
        )

    def is_warm_up_due(self, now_ns: int, *, is_warm: bool) -> bool:
        """Whether there is something to say of the warm-up."""
        return not self._has_warmed and (is_warm or now_ns >= self._progress_ns)

    def warm_up(self, progress: WarmUp, estimates: Estimates, now_ns: int) -> None:
        """Say how far the warm-up is, or that it is over."""
        self._progress_ns = now_ns + PROGRESS_NS
        self._has_warmed = progress.is_warm
        fields: dict[str, object] = {
            "trades": progress.trades,
            "trades_needed": progress.trades_needed,
            "volume_ticks": progress.volume_ticks,
            "volume_ticks_needed": progress.volume_ticks_needed,
            "elapsed_secs": round(progress.elapsed_secs, 1),
        }
        if not progress.is_warm:
            to_go = progress.secs_to_go
            fields["to_go_secs"] = round(to_go) if math.isfinite(to_go) else "unknown"
            self.tell(Level.INFO, "Warming up parameter estimator", **fields)
            return
        self.tell(
            Level.INFO,
            "Parameter estimation warmed up",
            **fields,
            volatility_bps_per_sqrt_sec=round(estimates.volatility, 4),
            kappa_per_bps=round(estimates.kappa_per_bps, 4),
            intensity_per_sec=round(estimates.intensity_per_sec, 4),
        )

    def ladder(self, ladder: Ladder, estimates: Estimates, position: int) -> None:
        """Say what is wanted, when orders change."""
        self.tell(
            Level.DEBUG,
            "Calculated ladder",
            fair_price=self._price(estimates.fair_price),
            bids=self._levels(ladder.bids),
            asks=self._levels(ladder.asks),
            position=self._instrument.print_size(position),
            volatility_bps_per_sqrt_sec=round(estimates.volatility, 4),
            kappa_per_bps=round(estimates.kappa_per_bps, 4),
        )

    def summary(
        self,
        ladder: Ladder,
        estimates: Estimates,
        ledger: Ledger,
        *,
        orders_live: int,
        orders_placed: int,
        orders_canceled: int,
        own_fills: int,
        now_ns: int,
    ) -> None:
        """Say what the last ten seconds brought; the first call only begins them."""
        is_first = self.summary_ns == 0
        self.summary_ns = now_ns + SUMMARY_NS
        placed, self._placed = orders_placed - self._placed, orders_placed
        canceled, self._canceled = orders_canceled - self._canceled, orders_canceled
        trades, self._trades = estimates.trades - self._trades, estimates.trades
        if is_first:
            return
        bids, asks = ladder.bids, ladder.asks
        spread: object = "one-sided"
        if bids and asks:
            spread = round((asks[0][0] - bids[0][0]) / estimates.fair_price * 1e4, 2)
        self.tell(
            Level.INFO,
            "Quote cycle",
            fair_price=self._price(estimates.fair_price),
            quoted_spread_bps=spread,
            orders_live=orders_live,
            orders_placed=placed,
            orders_canceled=canceled,
            position=self._instrument.print_size(ledger.position),
            day_pnl_usd=round(ledger.day_pnl_usd, 4),
            volatility_bps_per_sqrt_sec=round(estimates.volatility, 4),
            kappa_per_bps=round(estimates.kappa_per_bps, 4),
        )
        self.tell(
            Level.INFO,
            "Trades processed",
            trades=trades,
            intensity_per_sec=round(estimates.intensity_per_sec, 4),
            own_fills=own_fills,
        )

    def end(
        self,
        ledger: Ledger,
        markouts: Iterable[Markout],
        *,
        own_fills: int,
        unproved: Iterable[OwnOrder],
        is_proved: bool,
    ) -> None:
        """Say how it ended."""
        figures = ledger.figures()
        fields: dict[str, object] = {
            "is_proved": is_proved,
            "position": self._instrument.print_size(figures.position),
            "session_pnl_usd": round(figures.session_pnl_usd, 4),
            "day_pnl_usd": round(figures.day_pnl_usd, 4),
            "fees_usd": round(figures.fees_usd, 4),
            "fills": own_fills,
        }
        fields |= {
            f"adverse_{one.horizon_secs:g}s_bps": round(one.mean_bps, 3)
            for one in markouts
            if one.n
        }
        cloids = " ".join(f"{order.cloid:#034x}" for order in unproved)
        if cloids:
            fields["orders_unproved"] = cloids
        self.tell(Level.INFO if is_proved else Level.ERROR, "Market maker stopped", **fields)

    def _levels(self, levels: Iterable[tuple[int, int]]) -> str:
        instrument = self._instrument
        return " ".join(
            f"{instrument.print_size(size)}@{instrument.print_price(price)}"
            for price, size in levels
        )

    def _price(self, price: float) -> str:
        return self._instrument.print_price(round(price)) if price > 0.0 else "unknown"
