"""The venue's rules as numbers. Money is integer micro-USD, rates are millionths.

A price (10**-(6 - size_decimals) USD) times a size (10**-size_decimals) is a whole number of
micro-USD on every market, so that no sum of money is ever rounded.
"""

from collections.abc import Iterable
from typing import Any, Final, Literal

from attrs import evolve, field, fields_dict, frozen
from attrs.validators import gt, in_

from hypermm.errors import ConfigError

USD = 1_000_000  # micro-USD
MILLION = 1_000_000
HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
MIN_NOTIONAL = 10 * USD
TAKER_FEE_PER_MILLION = 450
MAKER_FEE_PER_MILLION = 150
DEFAULT_LEVERAGE = 20

NONCES_KEPT_MAX = 100_000
NONCE_PAST_MS = 2 * DAY_MS
NONCE_FUTURE_MS = DAY_MS

EXTRA_CANCELS = 100_000
OVER_BUDGET_PAUSE_MS = 10_000
EXPIRED_REQUEST_COST = 5

OPEN_ORDERS_MAX = 5_000
VOLUME_PER_OPEN_ORDER = 5_000_000 * USD

TRIGGER_SLIPPAGE_PERCENT = 10
TWAP_SLIPPAGE_PERCENT = 3
TWAP_SLICE_MS = 30_000
TWAP_MINUTES = (5, 7 * 24 * 60)
TWAP_VALUE_MIN = 100 * USD
TWAP_VALUE_A_MINUTE = 10 * USD
TWAP_CATCH_UP = 3  # most slices' worth of lots in one slice
TWAP_SPREAD_PERCENT = 20  # of a slice, where its size is drawn

PARTIAL_LIQUIDATION_USD = 100_000
LIQUIDATION_PAUSE_MS = 30_000  # after a part, in which all of the rest goes

SCHEDULE_AHEAD_MS = 5_000
SCHEDULED_CANCELS_A_DAY = 10

SUB_ACCOUNT_VOLUME = 100_000 * USD
WITHDRAW_FEE = 1 * USD
REQUEST_WEIGHT_PRICE = USD // 2_000  # of one reserved request
BUILDER_BALANCE = 100 * USD  # that a builder has to hold
AGENT_REMOVAL_MS = 5_000  # after a removal, in which no agent is approved
REFERRER_VOLUME = 10_000 * USD  # before an account may have a referral code

AGENT_LIFE_MS = 90 * DAY_MS
AGENT_LIFE_MAX_MS = 180 * DAY_MS
NAMED_AGENTS = 3

SWITCH: Final = {"on": True, "true": True, "off": False, "false": False}

FAST_BOOK_LEVELS = 5
DEEP_BOOK_LEVELS = 20


@frozen(kw_only=True)
class Rules:
    """What may differ between embedded exchanges; the defaults are the real exchange's.

    Parameters
    ----------
    block_ms : int
        Time from block to block.
    schedule_cancel_volume : int
        Lifetime volume that the dead man's switch asks for, in micro-USD; 0 opens it to all.
    free_requests : int
        Requests of an account before it needs one dollar traded for each more.
    nonces_kept : int
        The highest nonces of a signer that are kept, the smallest of which is the floor of new
        ones; beyond `NONCES_KEPT_MAX`, nonces are not checked at all.
    open_orders : int
        Orders that an account may have open, before its volume allows more.
    deep_book_ms, fast_book_ms, context_ms : int
        Time between pushes of a book of 20 levels, of one of five, and of a context. The
        exchange's documentation says 500 for the first; 5000 was measured.
    slow_push_ms : int
        Time between pushes of channels that are sent whole: mids, account states, open orders.
    has_one_sided_premium : bool
        Whether a market with one empty side has a premium, that of its other side.
    are_old_fills_first : bool
        Whether the snapshot of `userFills` begins with the oldest.
    queue_model : str
        Which share of the outside lots that are canceled stood before a resting order: a name of
        `_core.queue.MODEL_NAMES`; `risk_averse`, none, is the pessimistic one.
    queue_exponent : float
        Of the power models.
    maker_fee_per_million, taker_fee_per_million : int
        Fees of the base tier, in millionths of the notional.
    has_fee_tiers : bool
        Whether fees fall with an account's volume, and makers of a large share get a rebate.
    greeting : str
        What a socket hears first; the exchange once said `Websocket connection established.`
    price_band_percent : int
        How far a price may lie from the reference: 95 to either side as the text says, or 80,
        with which a fifth to five times the reference is allowed, as was measured on spot.
    is_band_around_oracle : bool
        Whether the reference is the oracle price; else the mark.
    is_tick_checked_first : bool
        Whether a price off the tick is bad by itself; else it is refused at run time.
    is_value_at_first_price : bool
        Whether the minimum value of an immediate order counts at the first price that it meets;
        else at its limit.
    is_whole_close_exempt : bool
        Whether a reduce-only order for the whole position may be below the minimum value.
    are_partial_fills_updates : bool
        Whether a resting order tells each partial fill as `open` with its smaller size.
    does_partial_gtc_rest : bool
        Whether a Gtc that fills in part is answered `resting`; else `filled` with the part.
    missing_side_text : str
        What a refused post-only order prints for a side of the book that is empty.
    live_cloid_text, too_many_orders_text, halted_text, spot_balance_text, schedule_count_text : str
        Refusals whose wording nobody has recorded.
    does_schedule_spare_triggers, does_schedule_spare_dexs : bool
        Whether the dead man's switch leaves trigger orders, and orders on builders' dexs.
    is_scheduled_cancel_told : bool
        Whether a firing of it appears as `nonUserCancel`.
    is_volume_checked_first : bool
        Whether it refuses for too little volume before it refuses a time that is too early.
    chain : str
        Network whose user-signed actions are taken, `Mainnet` or `Testnet`; empty takes both.
    is_funding_cut : bool
        Whether a funding payment is cut to whole micro-USD; else it is rounded to the nearest.
    partial_liquidation_usd : int
        Value of a position above which a fifth is liquidated first; 10,000 on testnet.
    interest_growth_usd_max : int
        Dollars by which the users' positions in a market may grow in a minute; 0 has no limit.
    """

    block_ms: int = field(default=70, validator=gt(0))
    schedule_cancel_volume: int = 1_000_000 * USD
    free_requests: int = 10_000
    nonces_kept: int = 100
    open_orders: int = 1_000
    deep_book_ms: int = 5_000
    fast_book_ms: int = 500
    context_ms: int = 1_000
    slow_push_ms: int = 5_000
    has_one_sided_premium: bool = False
    are_old_fills_first: bool = True
    queue_model: str = "risk_averse"
    queue_exponent: float = 3.0
    maker_fee_per_million: int = MAKER_FEE_PER_MILLION
    taker_fee_per_million: int = TAKER_FEE_PER_MILLION
    has_fee_tiers: bool = True
    greeting: str = ""
    price_band_percent: Literal[95, 80] = field(default=95, validator=in_((95, 80)))
    is_band_around_oracle: bool = False
    is_tick_checked_first: bool = True
    is_value_at_first_price: bool = False
    is_whole_close_exempt: bool = True
    are_partial_fills_updates: bool = False
    does_partial_gtc_rest: bool = True
    missing_side_text: str = ""
    live_cloid_text: str = "Order has a client order id that is already live."
    too_many_orders_text: str = "Too many open orders."
    halted_text: str = "Trading is halted"
    spot_balance_text: str = "Insufficient spot balance"
    schedule_count_text: str = "Cannot set scheduled cancel time, already triggered 10 times today."
    does_schedule_spare_triggers: bool = False
    does_schedule_spare_dexs: bool = False
    is_scheduled_cancel_told: bool = True
    is_volume_checked_first: bool = True
    chain: Literal["", "Mainnet", "Testnet"] = ""
    is_funding_cut: bool = True
    partial_liquidation_usd: int = PARTIAL_LIQUIDATION_USD
    interest_growth_usd_max: int = 0

    def is_in_band(self, price: int, reference: int) -> bool:
        """Whether a price is near enough to its reference."""
        if self.price_band_percent == 80:
            return reference < 5 * price and price <= 5 * reference
        return abs(price - reference) * 100 <= reference * self.price_band_percent


def order_value_max(max_leverage: int, *, is_market: bool) -> int:
    """Return the largest value of one order in micro-USD."""
    if max_leverage >= 25:
        usd = 30_000_000
    elif max_leverage >= 20:
        usd = 5_000_000
    elif max_leverage >= 10:
        usd = 2_000_000
    else:
        usd = 500_000
    return usd * USD * (1 if is_market else 10)


def open_orders_max(free: int, volume: int) -> int:
    """Return how many orders an account of this lifetime volume (micro-USD) may have open."""
    return min(free + volume // VOLUME_PER_OPEN_ORDER, max(OPEN_ORDERS_MAX, free))


def read_rules(texts: Iterable[str], rules: Rules | None = None) -> Rules:
    """Return rules with some of them set from `NAME=VALUE`, as a command line gives them.

    Raises
    ------
    ConfigError
        If there is no rule of that name, or the value is not of its kind.
    """
    rules = rules or Rules()
    for text in texts:
        name, _, value = text.partition("=")
        now = getattr(rules, name, None) if name in fields_dict(Rules) else None
        if now is None:
            raise ConfigError(
                f"no rule {name!r} of the exchange",
                hint=f"NAME=VALUE, with one of: {', '.join(fields_dict(Rules))}",
            )
        try:
            read: Any = SWITCH[value.lower()] if isinstance(now, bool) else type(now)(value)
            if not isinstance(read, str) and not 0 <= read < float("inf"):
                raise ValueError(value)
            change: dict[str, Any] = {name: read}
            rules = evolve(rules, **change)
        except (KeyError, ValueError) as error:
            kind = "on or off" if isinstance(now, bool) else f"of the kind of {now!r}"
            raise ConfigError(
                f"rule {name} = {value!r} must be {kind}", hint=f"it is {now!r} if not set"
            ) from error
    return rules
