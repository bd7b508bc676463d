"""Measured against limits: what the figures allow. Pure; the engine acts on the verdict.

Every comparison is written so that NaN fails it: a figure that is not a number is a breach.
"""

from collections.abc import Iterator
from enum import Enum

from attrs import frozen

from hypermm.config import RiskConfig

APPROACHING_FRACTION = 0.8  # of a limit: 'Risk limit approaching'
CASCADE_PULL = 0.8  # severity from which nothing is quoted
CASCADE_WIDEN = 0.3  # severity from which the quotes are wider: 'Cascade detected'


class Ruling(Enum):
    """What may be done."""

    QUOTE = "quote"
    REDUCE = "reduce"  # only orders that make the position smaller
    PULL = "pull"  # no orders at all until it passes
    KILL = "kill"  # no orders ever again until an operator clears it


class Limit(Enum):
    """The limits, by the names that operators know."""

    DAILY_LOSS = "max daily loss"
    DRAWDOWN = "max drawdown"
    POSITION_KILL = "position value that halts"
    STALE_DATA = "stale data"
    CASCADE = "cascade severity"
    RATE_LIMIT = "rate limit errors"
    OLD_DATA = "age of market data"
    CASCADE_PULL = "cascade severity that pulls"
    NO_BOOK = "no sound book"
    POSITION = "position limit"
    POSITION_VALUE = "max position value"


# Nearness of these says nothing to an operator: they act many times a day, or their figure is 0
# or 1, or another limit of the same figure is told.
_UNTOLD = frozenset(
    {Limit.POSITION_KILL, Limit.OLD_DATA, Limit.CASCADE_PULL, Limit.NO_BOOK, Limit.POSITION}
)


@frozen
class Latch:
    """The kill switch was triggered: nobody quotes on this account until it is cleared."""

    reason: str
    at_exch_ns: int


@frozen
class Reading:
    """One figure against its limit."""

    limit: Limit
    figure: float
    most: float
    ruling: Ruling  # what happens at the limit

    @property
    def fraction(self) -> float:
        """The figure over its limit; 1 is at it."""
        return self.figure / self.most

    @property
    def is_breached(self) -> bool:
        """Whether the limit acts; a cascade kills beyond its limit, the others act at it."""
        if self.limit is Limit.CASCADE:
            return not self.figure <= self.most
        return not self.figure < self.most


@frozen
class Verdict:
    """What the figures allow, why, and which limits are near."""

    ruling: Ruling
    reason: str = ""
    limit: Limit | None = None  # the one that rules
    approaching: tuple[tuple[Limit, str], ...] = ()


ALL_CLEAR = Verdict(Ruling.QUOTE)


@frozen(kw_only=True, slots=False)  # one is made at every step, see `Estimates`
class Figures:
    """What one step is judged by.

    Parameters
    ----------
    day_pnl_usd : float
        P&L of the UTC day.
    drawdown_fraction : float
        Fall from the day's peak over starting equity plus peak.
    position_value_usd : float
        Absolute value of the position; 0 without one.
    is_at_position_limit : bool
        Whether no order that makes the position larger fits any more.
    is_book_valid : bool
        Whether there is a book with two sides that do not cross.
    age_secs : float
        Age of the newest market data by the venue's time.
    blind_secs : float
        The part of that age in which we were connected and listening.
    cascade_severity : float
        How rare the flow is, 0 to 1.
    rate_limit_errors : int
        Refusals for rate in the last minute.
    """

    day_pnl_usd: float
    drawdown_fraction: float
    position_value_usd: float
    is_at_position_limit: bool
    is_book_valid: bool
    age_secs: float
    blind_secs: float
    cascade_severity: float
    rate_limit_errors: int


def readings(limits: RiskConfig, figures: Figures) -> Iterator[Reading]:
    """Yield every figure with its limit, the strictest ruling first."""
    value, severity = figures.position_value_usd, figures.cascade_severity
    value_max = limits.max_position_value_usd
    for limit, figure, most, ruling in (
        (Limit.DAILY_LOSS, -figures.day_pnl_usd, limits.max_daily_loss_usd, Ruling.KILL),
        (Limit.DRAWDOWN, figures.drawdown_fraction, limits.max_drawdown, Ruling.KILL),
        (Limit.POSITION_KILL, value, value_max * limits.kill_position_factor, Ruling.KILL),
        (Limit.STALE_DATA, figures.blind_secs, limits.stale_kill_secs, Ruling.KILL),
        (Limit.CASCADE, severity, limits.cascade_kill, Ruling.KILL),
        (Limit.RATE_LIMIT, figures.rate_limit_errors, limits.rate_limit_errors_max, Ruling.KILL),
        (Limit.OLD_DATA, figures.age_secs, limits.stale_pull_secs, Ruling.PULL),
        (Limit.CASCADE_PULL, severity, CASCADE_PULL, Ruling.PULL),
        (Limit.NO_BOOK, float(not figures.is_book_valid), 1.0, Ruling.PULL),
        (Limit.POSITION, float(figures.is_at_position_limit), 1.0, Ruling.REDUCE),
        (Limit.POSITION_VALUE, value, value_max, Ruling.REDUCE),
    ):
        yield Reading(limit, figure, most, ruling)


def assess(limits: RiskConfig, figures: Figures) -> Verdict:
    """Judge the figures of one step.

    Returns
    -------
    Verdict
        The strictest ruling that applies, and every limit that is at 80 % or beyond.
    """
    near = APPROACHING_FRACTION
    if (
        figures.day_pnl_usd > -near * limits.max_daily_loss_usd
        and figures.drawdown_fraction < near * limits.max_drawdown
        and figures.position_value_usd < near * limits.max_position_value_usd
        and figures.age_secs < near * limits.stale_pull_secs
        and figures.blind_secs < near * limits.stale_kill_secs
        and figures.cascade_severity < near * min(limits.cascade_kill, 1.0)
        and figures.rate_limit_errors < near * limits.rate_limit_errors_max
        and figures.is_book_valid
        and not figures.is_at_position_limit
    ):
        return ALL_CLEAR  # the common case, without building anything
    table = tuple(readings(limits, figures))
    first = next((reading for reading in table if reading.is_breached), None)
    approaching = tuple(
        (reading.limit, words(reading))
        for reading in table
        if reading.limit not in _UNTOLD and not reading.figure < near * reading.most
    )
    if first is None:
        return Verdict(Ruling.QUOTE, approaching=approaching)
    return Verdict(first.ruling, words(first), first.limit, approaching)


def words(reading: Reading) -> str:
    """Say a figure and its limit."""
    figure, most = reading.figure, reading.most
    match reading.limit:
        case Limit.DAILY_LOSS:
            return f"daily loss: {-figure:.2f} USD, limit -{most:.2f} USD"
        case Limit.DRAWDOWN:
            return f"drawdown: {figure:.4f}, limit {most:.4f}"
        case Limit.POSITION_KILL | Limit.POSITION_VALUE:
            return f"position value: {figure:.0f} USD, limit {most:.0f} USD"
        case Limit.STALE_DATA:
            return f"stale data: none for {figure:.1f} s, limit {most:.1f} s"
        case Limit.CASCADE | Limit.CASCADE_PULL:
            return f"cascade severity: {figure:.3f}, limit {most:.2f}"
        case Limit.RATE_LIMIT:
            return f"rate limit errors: {figure:.0f} in 60 s, limit {most:.0f}"
        case Limit.OLD_DATA:
            return f"market data {figure:.1f} s old, limit {most:.1f} s"
        case Limit.NO_BOOK:
            return "the book is empty, one-sided or crossed"
        case Limit.POSITION:
            return "the position is at its limit"
