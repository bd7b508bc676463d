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


def assess(
    limits: RiskConfig,
    *,
    day_pnl_usd: float,
    drawdown_fraction: float,
    position_value_usd: float,
    is_at_position_limit: bool,
    is_book_valid: bool,
    age_secs: float,
    blind_secs: float,
    rate_limit_errors: int,
) -> Verdict:
    """Judge the figures of one step.

    Parameters
    ----------
    limits : RiskConfig
        What is allowed.
    day_pnl_usd : float
        P&L of the UTC day.
    drawdown_fraction : float
        Fall from the day's peak over starting equity plus peak.
    position_value_usd : float
        Absolute value of the position; 0 without one.
    is_at_position_limit : bool
        Whether the position in lots has reached its limit.
    is_book_valid : bool
        Whether there is a book with two sides that do not cross.
    age_secs : float
        Age of the newest market data by the venue's time.
    blind_secs : float
        The part of that age for which the connection is to blame no longer: time without data
        while connected. 0 while the connection is known to be down.
    rate_limit_errors : int
        Refusals for rate in the last minute.

    Returns
    -------
    Verdict
        The strictest ruling that applies, and every limit that is at 80 % or beyond.
    """
    near = APPROACHING_FRACTION
    value_max = limits.max_position_value_usd
    if (
        day_pnl_usd > -near * limits.max_daily_loss_usd
        and drawdown_fraction < near * limits.max_drawdown
        and position_value_usd < near * value_max
        and age_secs < near * limits.stale_pull_secs
        and blind_secs < near * limits.stale_kill_secs
        and rate_limit_errors < near * limits.rate_limit_errors_max
        and is_book_valid
        and not is_at_position_limit
    ):
        return ALL_CLEAR  # the common case, without building anything
    ruling, reason = _ruling(
        limits,
        day_pnl_usd=day_pnl_usd,
        drawdown_fraction=drawdown_fraction,
        position_value_usd=position_value_usd,
        is_at_position_limit=is_at_position_limit,
        is_book_valid=is_book_valid,
        age_secs=age_secs,
        blind_secs=blind_secs,
        rate_limit_errors=rate_limit_errors,
    )
    near_limits = (
        (
            Limit.DAILY_LOSS,
            day_pnl_usd > -near * limits.max_daily_loss_usd,
            f"day P&L {day_pnl_usd:.2f} USD of -{limits.max_daily_loss_usd:.2f} USD",
        ),
        (
            Limit.DRAWDOWN,
            drawdown_fraction < near * limits.max_drawdown,
            f"drawdown {drawdown_fraction:.4f} of {limits.max_drawdown:.4f}",
        ),
        (
            Limit.POSITION_VALUE,
            position_value_usd < near * value_max,
            f"position value {position_value_usd:.0f} USD of {value_max:.0f} USD",
        ),
        (
            Limit.STALE_DATA,
            blind_secs < near * limits.stale_kill_secs,
            f"no market data for {blind_secs:.1f} s of {limits.stale_kill_secs:.1f} s",
        ),
        (
            Limit.RATE_LIMIT,
            rate_limit_errors < near * limits.rate_limit_errors_max,
            f"{rate_limit_errors} rate-limit errors a minute of {limits.rate_limit_errors_max}",
        ),
    )
    approaching = tuple((limit, text) for limit, is_far, text in near_limits if not is_far)
    return Verdict(ruling, reason, approaching)


def _ruling(
    limits: RiskConfig,
    *,
    day_pnl_usd: float,
    drawdown_fraction: float,
    position_value_usd: float,
    is_at_position_limit: bool,
    is_book_valid: bool,
    age_secs: float,
    blind_secs: float,
    rate_limit_errors: int,
) -> tuple[Ruling, str]:
    value_max = limits.max_position_value_usd
    kill_value_usd = value_max * limits.kill_position_factor
    if not day_pnl_usd > -limits.max_daily_loss_usd:
        return (
            Ruling.KILL,
            f"daily loss: {day_pnl_usd:.2f} USD, limit -{limits.max_daily_loss_usd:.2f} USD",
        )
    if not drawdown_fraction < limits.max_drawdown:
        return Ruling.KILL, f"drawdown: {drawdown_fraction:.4f}, limit {limits.max_drawdown:.4f}"
    if not position_value_usd < kill_value_usd:
        return (
            Ruling.KILL,
            f"position value: {position_value_usd:.0f} USD, limit {kill_value_usd:.0f} USD",
        )
    if not blind_secs < limits.stale_kill_secs:
        return (
            Ruling.KILL,
            f"stale data: none for {blind_secs:.1f} s, limit {limits.stale_kill_secs:.1f} s",
        )
    if not rate_limit_errors < limits.rate_limit_errors_max:
        return (
            Ruling.KILL,
            f"rate limit errors: {rate_limit_errors} in 60 s, limit {limits.rate_limit_errors_max}",
        )
    if not age_secs < limits.stale_pull_secs:
        return (
            Ruling.PULL,
            f"market data {age_secs:.1f} s old, limit {limits.stale_pull_secs:.1f} s",
        )
    if not is_book_valid:
        return Ruling.PULL, "the book is empty, one-sided or crossed"
    if is_at_position_limit:
        return Ruling.REDUCE, "the position is at its limit"
    if not position_value_usd < value_max:
        return (
            Ruling.REDUCE,
            f"position value {position_value_usd:.0f} USD, limit {value_max:.0f} USD",
        )
    return Ruling.QUOTE, ""
