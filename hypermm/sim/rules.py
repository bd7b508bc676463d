"""The venue's rules as numbers. Money is integer micro-USD, rates are millionths.

A price (10**-(6 - size_decimals) USD) times a size (10**-size_decimals) is a whole number of
micro-USD on every market, so that no sum of money is ever rounded.
"""

from attrs import frozen

USD = 1_000_000  # micro-USD
MILLION = 1_000_000
HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
MIN_NOTIONAL = 10 * USD
TAKER_FEE_PER_MILLION = 450
MAKER_FEE_PER_MILLION = 150
DEFAULT_LEVERAGE = 20

NONCES_KEPT = 100
NONCE_PAST_MS = 2 * DAY_MS
NONCE_FUTURE_MS = DAY_MS

BAND_PER_MILLION = 950_000  # of the reference price
FREE_REQUESTS = 10_000
EXTRA_CANCELS = 100_000
OVER_BUDGET_PAUSE_MS = 10_000
EXPIRED_REQUEST_COST = 5

OPEN_ORDERS = 1_000
OPEN_ORDERS_MAX = 5_000
VOLUME_PER_OPEN_ORDER = 5_000_000 * USD

SCHEDULE_AHEAD_MS = 5_000
SCHEDULED_CANCELS_A_DAY = 10

REFERRER_VOLUME = 10_000 * USD  # before an account may have a referral code

AGENT_LIFE_MS = 90 * DAY_MS
AGENT_LIFE_MAX_MS = 180 * DAY_MS
NAMED_AGENTS = 3

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
    has_address_budget : bool
        Whether requests beyond 10000 plus one a dollar traded are refused.
    deep_book_ms, fast_book_ms, context_ms : int
        Time between pushes of a book of 20 levels, of one of five, and of a context. The
        exchange's documentation says 500 for the first; 5000 was measured.
    slow_push_ms : int
        Time between pushes of channels that are sent whole: mids, account states, open orders.
    has_one_sided_premium : bool
        Whether a market with one empty side has a premium, that of its other side.
    are_old_fills_first : bool
        Whether the snapshot of `userFills` begins with the oldest.
    greeting : str
        What a socket hears first; the exchange once said `Websocket connection established.`
    """

    block_ms: int = 70
    schedule_cancel_volume: int = 1_000_000 * USD
    has_address_budget: bool = True
    deep_book_ms: int = 5_000
    fast_book_ms: int = 500
    context_ms: int = 1_000
    slow_push_ms: int = 5_000
    has_one_sided_premium: bool = False
    are_old_fills_first: bool = True
    greeting: str = ""


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


def open_orders_max(volume: int) -> int:
    """Return how many orders an account of this lifetime volume (micro-USD) may have open."""
    return min(OPEN_ORDERS + volume // VOLUME_PER_OPEN_ORDER, OPEN_ORDERS_MAX)


def fee(notional: int, *, is_taker: bool) -> int:
    """Return the fee of a fill in micro-USD, cut off below, as the exchange does."""
    rate = TAKER_FEE_PER_MILLION if is_taker else MAKER_FEE_PER_MILLION
    return notional * rate // MILLION
