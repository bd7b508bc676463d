"""Measured against limits: what the figures allow. Pure; the engine acts on the verdict.

Every comparison is written so that NaN fails it: a figure that is not a number is a breach.
"""

from enum import Enum

from attrs import frozen

from hypermm.config import RiskConfig

APPROACHING_FRACTION = 0.8  # of a limit: 'Risk limit approaching'


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
    POSITION_VALUE = "max position value"
    STALE_DATA = "stale data"
    RATE_LIMIT = "rate limit errors"


@frozen
class Latch:
    """The kill switch was triggered: nobody quotes on this account until it is cleared."""

    reason: str
    at_exch_ns: int


@frozen
class Verdict:
    """What the figures allow, why, and which limits are near."""

    ruling: Ruling
    reason: str = ""
    approaching: tuple[tuple[Limit, str], ...] = ()


ALL_CLEAR = Verdict(Ruling.QUOTE)


@frozen(kw_only=True)
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
    rate_limit_errors: int


def assess(limits: RiskConfig, figures: Figures) -> Verdict:
    """Judge the figures of one step.

    Returns
    -------
    Verdict
        The strictest ruling that applies, and every limit that is at 80 % or beyond.
    """
    near = APPROACHING_FRACTION
    value_max = limits.max_position_value_usd
    if (
        figures.day_pnl_usd > -near * limits.max_daily_loss_usd
        and figures.drawdown_fraction < near * limits.max_drawdown
        and figures.position_value_usd < near * value_max
        and figures.age_secs < near * limits.stale_pull_secs
        and figures.blind_secs < near * limits.stale_kill_secs
        and figures.rate_limit_errors < near * limits.rate_limit_errors_max
        and figures.is_book_valid
        and not figures.is_at_position_limit
    ):
        return ALL_CLEAR  # the common case, without building anything
    pnl, value = figures.day_pnl_usd, figures.position_value_usd
    blind, errors = figures.blind_secs, figures.rate_limit_errors
    kill_value = value_max * limits.kill_position_factor
    # Name of a limit that is told when near, figure, limit, what happens there, and the words;
    # the strictest first.
    table: tuple[tuple[Limit | None, float, float, Ruling, str], ...] = (
        (
            Limit.DAILY_LOSS,
            -pnl,
            limits.max_daily_loss_usd,
            Ruling.KILL,
            f"daily loss: {pnl:.2f} USD, limit -{limits.max_daily_loss_usd:.2f} USD",
        ),
        (
            Limit.DRAWDOWN,
            figures.drawdown_fraction,
            limits.max_drawdown,
            Ruling.KILL,
            f"drawdown: {figures.drawdown_fraction:.4f}, limit {limits.max_drawdown:.4f}",
        ),
        (
            None,
            value,
            kill_value,
            Ruling.KILL,
            f"position value: {value:.0f} USD, limit {kill_value:.0f} USD",
        ),
        (
            Limit.STALE_DATA,
            blind,
            limits.stale_kill_secs,
            Ruling.KILL,
            f"stale data: none for {blind:.1f} s, limit {limits.stale_kill_secs:.1f} s",
        ),
        (
            Limit.RATE_LIMIT,
            errors,
            limits.rate_limit_errors_max,
            Ruling.KILL,
            f"rate limit errors: {errors} in 60 s, limit {limits.rate_limit_errors_max}",
        ),
        (
            None,
            figures.age_secs,
            limits.stale_pull_secs,
            Ruling.PULL,
            f"market data {figures.age_secs:.1f} s old, limit {limits.stale_pull_secs:.1f} s",
        ),
        (
            None,
            not figures.is_book_valid,
            True,
            Ruling.PULL,
            "the book is empty, one-sided or crossed",
        ),
        (
            None,
            figures.is_at_position_limit,
            True,
            Ruling.REDUCE,
            "the position is at its limit",
        ),
        (
            Limit.POSITION_VALUE,
            value,
            value_max,
            Ruling.REDUCE,
            f"position value: {value:.0f} USD, limit {value_max:.0f} USD",
        ),
    )
    ruling, reason = next(
        ((ruling, text) for _, figure, most, ruling, text in table if not figure < most),
        (Ruling.QUOTE, ""),
    )
    approaching = tuple(
        (limit, text)
        for limit, figure, most, _, text in table
        if limit is not None and not figure < near * most
    )
    return Verdict(ruling, reason, approaching)
