"""Each fill once: position in lots, cash, profit and loss, figures of the UTC day.

Price times size is a whole number of 1e-6 USD in every market, so cash, cost and realised P&L of
trades are exact integers here (`_micro`); only fees and the mark are floats. `apply` is the only
line that changes the position, besides `begin` and an adoption of the exchange's number.
"""

from collections import Counter, deque
from collections.abc import Sequence

from attrs import frozen

from hypermm.messages import AccountState, Fill, FundingPaid

MICRO_USD = 1_000_000
DAY_NS = 86_400 * 10**9
SEEN_MAX = 16_384  # keys of fills; a fill older than a forgotten key counts as seen
RECENT_MAX = 512  # fills that can be taken back to compare with an older account state
WAITING_MAX = 16_384  # fills that arrive before the account does
ADOPT_AFTER_NS = 2 * 10**9  # age of a difference before the exchange's number is taken
ADOPTIONS_MAX = 3  # in ADOPTIONS_WINDOW_NS: more than this and only reducing orders are placed
ADOPTIONS_WINDOW_NS = 3_600 * 10**9


@frozen
class DayFigures:
    """What has to survive a restart: the UTC day, and the last state in which it was proved.

    P&L, position and mark are those of the proved state: it holds every fill up to `exch_ns` and
    none after, so that the next process books the rest from the exchange's own list.
    """

    utc_day: int  # days since 1970
    start_equity_usd: float
    pnl_usd: float
    peak_usd: float
    position: int = 0  # lots
    mark_price: float = 0.0  # price units; 0 when there was none
    exch_ns: int = 0  # 0 when there was no account yet


@frozen
class _Proof:
    """A state of which no fill up to `exch_ns` is missing and that holds none after."""

    exch_ns: int
    position: int
    mark_price: float
    session_pnl_usd: float


@frozen
class Adjustment:
    """The exchange's position was adopted: ours was wrong by `difference` lots."""

    difference: int
    position: int
    price: float


@frozen
class LedgerFigures:
    """What the ledger knows, frozen. Amounts in USD; P&L is after fees and funding."""

    position: int
    mark_price: float
    cash_usd: float
    realised_usd: float
    unrealised_usd: float
    fees_usd: float
    funding_usd: float  # received less paid
    session_pnl_usd: float
    day_pnl_usd: float
    day_peak_usd: float
    equity_usd: float
    drawdown_fraction: float
    traded_usd: float
    fills: int
    adjustments: int


class Ledger:
    """The account in one market.

    Parameters
    ----------
    day : DayFigures or None
        Figures that an earlier process of the same account left. Of another day they are ignored.
    """

    def __init__(self, day: DayFigures | None = None) -> None:
        self._before = day
        self.has_begun = False
        self.position = 0
        self.fills = 0
        self.adjustments = 0
        self.mark_price = 0.0  # price units
        self.day_pnl_usd = 0.0
        self.day_peak_usd = 0.0
        self.drawdown_fraction = 0.0
        self.utc_day = 0
        self._seen: dict[tuple[int, int, int], None] = {}
        self._floor_ns = 0  # fills up to here are in the position already
        self._waiting: dict[tuple[int, int, int], Fill] = {}
        self._recent: deque[tuple[int, int]] = deque(maxlen=RECENT_MAX)  # stamp, signed lots
        self._cash_micro = 0
        self._cost_micro = 0  # what the open position cost; cash = realised - cost
        self._realised_micro = 0
        self._traded_micro = 0
        self._fees_usd = 0.0
        self._funding_usd = 0.0
        self._funding_ns = 0  # funding up to here is booked, or in the account that began
        self._session_pnl_usd = 0.0
        self._day_start_pnl_usd = 0.0  # session P&L when the day began
        self._day_start_price = 0.0  # mark when the day began within this session; 0: it did not
        self._carried_usd = 0.0  # P&L of the day from before this session
        self._start_equity_usd = 0.0
        self._newest_ns = 0
        self._proof = _Proof(0, 0, 0.0, 0.0)
        self._chain: Counter[int] = Counter()  # of the newest stamp: ends less starts of its fills
        self._chain_ends: set[int] = set()
        self._difference = 0
        self._difference_since_ns = 0
        self._account_ns = 0
        self._adopted_ns: deque[int] = deque(maxlen=ADOPTIONS_MAX)

    def begin(self, account: AccountState, mark_price: float) -> Adjustment | None:
        """Start from the account as read, or from the figures of an earlier process today.

        What came before, fills of an earlier process among it, is in the day's figures alone:
        the session begins here with the position at the mark.

        Parameters
        ----------
        account : AccountState
            Position and value. Fills up to its stamp are in it.
        mark_price : float
            Price in price units at which the position is valued from here on.

        Returns
        -------
        Adjustment or None
            If figures and fills of the earlier process do not lead to the account's position.
        """
        assert not self.has_begun, "the ledger has begun already"
        assert mark_price > 0.0, f"mark_price must be > 0: {mark_price}"
        self.has_begun = True
        self._funding_ns = account.exch_ns
        self.utc_day = account.exch_ns // DAY_NS
        before = self._before
        adjustment = None
        if before is not None and before.utc_day == self.utc_day:
            self._carried_usd = before.pnl_usd
            self.day_peak_usd = before.peak_usd
            self._start_equity_usd = before.start_equity_usd
        else:
            before = None
            self._start_equity_usd = account.account_value_usd
        waiting = sorted(self._waiting.values(), key=lambda fill: fill.exch_ns)
        self._waiting.clear()
        if before is not None and before.exch_ns > 0:
            self._open(before.position, before.mark_price or mark_price, before.exch_ns)
            for fill in waiting:
                if fill.exch_ns <= account.exch_ns:
                    self.apply(fill)
            if self.position != account.position:
                adjustment = self._adopt(account, mark_price)
        else:
            self._open(account.position, mark_price, account.exch_ns)
        self._account_ns = account.exch_ns
        self.mark_price = mark_price
        self._value()
        self._begin_session(max(self._floor_ns, account.exch_ns))
        self._prove(self._floor_ns)
        for fill in waiting:
            self.apply(fill)
        return adjustment

    def apply(self, fill: Fill) -> bool:
        """Book a fill. False if it is in the position already, or waits for `begin`."""
        key = (fill.exch_ns, fill.trade_id, fill.oid)
        if not self.has_begun:
            self._waiting[key] = fill
            if len(self._waiting) > WAITING_MAX:
                del self._waiting[next(iter(self._waiting))]
            return False
        if fill.exch_ns <= self._floor_ns or key in self._seen:
            return False
        self._seen[key] = None
        if len(self._seen) > SEEN_MAX:
            oldest = next(iter(self._seen))
            del self._seen[oldest]
            self._floor_ns = max(self._floor_ns, oldest[0])
        signed = fill.side * fill.size
        self._book(signed, fill.price * signed)
        if fill.exch_ns <= self._account_ns:
            # The account told it first: so much of the difference is explained. Two such races
            # of one size would else pass for a difference that lasts.
            self._difference -= signed
        self._fees_usd += fill.fee_usd
        if self._day_start_price and fill.exch_ns // DAY_NS < self.utc_day:
            # Heard after midnight: what it had earned by then belongs to the day before.
            late_usd = signed * (self._day_start_price - fill.price) / MICRO_USD - fill.fee_usd
            self._day_start_pnl_usd += late_usd
            self._start_equity_usd += late_usd
        self._traded_micro += fill.price * fill.size
        self.fills += 1
        self._recent.append((fill.exch_ns, signed))
        if fill.exch_ns > self._newest_ns:
            self._newest_ns = fill.exch_ns
            self._chain.clear()
            self._chain_ends.clear()
        if fill.exch_ns == self._newest_ns:
            self._chain[fill.start_position] -= 1
            self._chain[fill.start_position + signed] += 1
            self._chain_ends.add(fill.start_position + signed)
        self._value()
        return True

    def apply_funding(self, funding: FundingPaid) -> bool:
        """Book an hour's funding. False if it is booked, or came before the account began."""
        if not self.has_begun or funding.exch_ns <= self._funding_ns:
            return False
        self._funding_ns = funding.exch_ns
        self._funding_usd += funding.amount_usd
        self._value()
        return True

    def prove(self, fills: Sequence[Fill]) -> None:
        """Note that the exchange's own list, whole and oldest first, has been applied.

        It proves our state only if nothing newer has been booked than it shows.
        """
        newest_ns = fills[-1].exch_ns if fills else self._proof.exch_ns
        if self.has_begun and self._newest_ns <= newest_ns and self.is_chained:
            self._prove(max(newest_ns, self._proof.exch_ns))

    @property
    def is_chained(self) -> bool:
        """Whether the position is where the exchange's own chain of fills ends.

        Fills of one stamp may arrive in any order: the chain ends where one of them ends and none
        starts. False means that a fill is missing (or still under way).
        """
        if not self._chain_ends:
            return True
        tips = [position for position, count in self._chain.items() if count > 0]
        # Without a tip they lead back to where they began.
        return self.position in tips if tips else self.position in self._chain_ends

    def compare(self, account: AccountState, now_ns: int) -> Adjustment | None:
        """Compare with the exchange's number; adopt it when the same difference lasts.

        Fills later than the account's stamp are taken back for the comparison. An answer older
        than the last one says nothing.
        """
        assert self.has_begun, "the ledger has not begun"
        if account.exch_ns <= self._account_ns:
            return None
        self._account_ns = account.exch_ns
        later = sum(signed for stamp, signed in self._recent if stamp > account.exch_ns)
        difference = account.position - (self.position - later)
        if difference == 0 or difference != self._difference:
            self._difference = difference
            self._difference_since_ns = now_ns
            return None
        if now_ns - self._difference_since_ns < ADOPT_AFTER_NS:
            return None
        self._adopted_ns.append(now_ns)
        return self._adopt(account, self.mark_price)

    @property
    def is_in_doubt(self) -> bool:
        """Whether the last comparison with the exchange left a difference."""
        return self._difference != 0

    def proved_ns(self, exch_now_ns: int) -> int:
        """Return the venue's time up to which no fill of the day is missing."""
        if self.has_begun:
            return self._proof.exch_ns
        before = self._before
        is_today = before is not None and before.utc_day == exch_now_ns // DAY_NS
        return before.exch_ns if before is not None and is_today else exch_now_ns

    def adopts_too_often(self, now_ns: int) -> bool:
        """Whether the exchange's number had to be adopted thrice in an hour."""
        adopted = self._adopted_ns
        return len(adopted) == ADOPTIONS_MAX and now_ns - adopted[0] < ADOPTIONS_WINDOW_NS

    def mark(self, price: float, exch_now_ns: int) -> None:
        """Value the position at `price` (price units, > 0); roll the day by the venue's time."""
        if not self.has_begun:
            return
        if price != self.mark_price:
            self.mark_price = price
            self._value()
        if exch_now_ns // DAY_NS > self.utc_day:
            self.utc_day = exch_now_ns // DAY_NS
            self._start_equity_usd += self.day_pnl_usd
            self._day_start_pnl_usd = self._session_pnl_usd
            self._day_start_price = price
            self._carried_usd = 0.0
            self.day_peak_usd = 0.0
            self._value()

    def position_value_usd(self) -> float:
        """Return the absolute value of the position at the mark; NaN if there is no mark."""
        if self.position == 0:
            return 0.0
        return abs(self.position) * (self.mark_price or float("nan")) / MICRO_USD

    def figures(self) -> LedgerFigures:
        """Freeze what is known."""
        return LedgerFigures(
            position=self.position,
            mark_price=self.mark_price,
            cash_usd=self._cash_micro / MICRO_USD,
            realised_usd=self._realised_micro / MICRO_USD,
            unrealised_usd=self._unrealised_micro() / MICRO_USD,
            fees_usd=self._fees_usd,
            funding_usd=self._funding_usd,
            session_pnl_usd=self._session_pnl_usd,
            day_pnl_usd=self.day_pnl_usd,
            day_peak_usd=self.day_peak_usd,
            equity_usd=self._start_equity_usd + self.day_pnl_usd,
            drawdown_fraction=self.drawdown_fraction,
            traded_usd=self._traded_micro / MICRO_USD,
            fills=self.fills,
            adjustments=self.adjustments,
        )

    def day_figures(self) -> DayFigures | None:
        """Freeze what has to survive a restart; None before `begin`."""
        if not self.has_begun:
            return None
        proof = self._proof
        return DayFigures(
            utc_day=self.utc_day,
            start_equity_usd=self._start_equity_usd,
            pnl_usd=self._carried_usd + proof.session_pnl_usd - self._day_start_pnl_usd,
            peak_usd=self.day_peak_usd,
            position=proof.position,
            mark_price=proof.mark_price,
            exch_ns=proof.exch_ns,
        )

    def _prove(self, exch_ns: int) -> None:
        self._proof = _Proof(exch_ns, self.position, self.mark_price, self._session_pnl_usd)

    def _open(self, position: int, price: float, exch_ns: int) -> None:
        self.position = position
        self._cost_micro = round(position * price)
        self._cash_micro = -self._cost_micro
        self._floor_ns = exch_ns
        self.mark_price = price

    def _begin_session(self, exch_ns: int) -> None:
        """Leave all P&L so far to the day, and start the session's figures at zero."""
        self._carried_usd += self._session_pnl_usd
        self._realised_micro = self._traded_micro = self.fills = 0
        self._fees_usd = self._funding_usd = self._session_pnl_usd = 0.0
        self._open(self.position, self.mark_price, exch_ns)

    def _adopt(self, account: AccountState, price: float) -> Adjustment:
        # The difference is booked at the mark: it changes the position, not the P&L. Fills up to
        # the account's stamp that still arrive are in its number.
        later = sum(signed for stamp, signed in self._recent if stamp > account.exch_ns)
        difference = account.position + later - self.position
        self._book(difference, round(difference * price))
        self.adjustments += 1
        self._difference = 0
        self._floor_ns = max(self._floor_ns, account.exch_ns)
        self._chain.clear()
        self._chain_ends.clear()
        self._value()
        return Adjustment(difference=difference, position=self.position, price=price)

    def _book(self, signed: int, paid_micro: int) -> None:
        """Change the position by `signed` lots for `paid_micro`, at average cost."""
        position = self.position
        self._cash_micro -= paid_micro
        self.position = position + signed
        if position * signed >= 0:  # opens or adds
            self._cost_micro += paid_micro
        elif abs(signed) <= abs(position):  # reduces
            # Any rounding of the share keeps cash = realised - cost exact.
            released = self._cost_micro * -signed // position
            self._cost_micro -= released
            self._realised_micro += -paid_micro - released
        else:  # flips: the part that closes takes the price of the whole
            closing_micro = paid_micro * -position // signed
            self._realised_micro += -closing_micro - self._cost_micro
            self._cost_micro = paid_micro - closing_micro

    def _unrealised_micro(self) -> float:
        return self.position * self.mark_price - self._cost_micro

    def _value(self) -> None:
        gross_micro = self._realised_micro + self._unrealised_micro()
        self._session_pnl_usd = gross_micro / MICRO_USD - self._fees_usd + self._funding_usd
        pnl = self._carried_usd + self._session_pnl_usd - self._day_start_pnl_usd
        self.day_pnl_usd = pnl
        if pnl > self.day_peak_usd:
            self.day_peak_usd = pnl
        fall = self.day_peak_usd - pnl
        base = self._start_equity_usd + self.day_peak_usd
        if base > 0.0:
            self.drawdown_fraction = fall / base
        else:  # nothing to lose from: any fall is all of it; NaN stays NaN
            self.drawdown_fraction = 0.0 if fall == 0.0 and base == base else fall * float("inf")
