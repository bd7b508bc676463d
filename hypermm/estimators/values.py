"""The values that the estimators hand out, frozen."""

from enum import Enum

from attrs import frozen


class State(Enum):
    """What may be thought of an estimate. Three of these are different faults."""

    MISSING = "missing feed"  # what it is made of never came
    STALE = "stale feed"  # it came, but not lately
    WARMING = "not warm"  # it comes, but not enough of it has been seen
    OK = "ok"


@frozen(kw_only=True)
class Estimate:
    """One estimate, and how far to trust it.

    Parameters
    ----------
    value : float
        NaN if not known.
    unit : str
        Of the value and its error; empty for a pure number.
    error : float
        Standard error; NaN where there is none.
    n : int
        Observations that it is made of.
    age_secs : float
        Since the newest of its feed, by the venue's time; infinite before the first.
    is_warm : bool
        Whether enough has been seen.
    state : State
        What may be thought of it.
    """

    value: float
    unit: str
    error: float
    n: int
    age_secs: float
    is_warm: bool
    state: State


@frozen(kw_only=True)
class Channel:
    """Health of one channel of market data.

    Parameters
    ----------
    age_secs : float
        Since its newest stamp, by the venue's time; infinite before the first.
    rows : int
        Trades, books, quotes or contexts applied.
    gaps : int
        Silences beyond its limit: 5 s of books and quotes, 10 s of contexts, a minute of trades.
    state : State
        `WARMING` never occurs.
    """

    age_secs: float
    rows: int
    gaps: int
    state: State


@frozen(kw_only=True)
class Queue:
    """Where one of our prices stands in its queue.

    Parameters
    ----------
    side : int
        1 bid, -1 ask.
    price, size : int
        Price units, and our lots there.
    lots_ahead, lots_ahead_max : float
        Lots before us: cancels shared between those before and behind, and only trades counted.
        NaN where the book does not reach so far.
    fill_probability : float
        That our fill begins within a minute; NaN if not known.
    fill_probability_at_end : float
        The same for a new order at this price; NaN if not known.
    """

    side: int
    price: int
    size: int
    lots_ahead: float
    lots_ahead_max: float
    fill_probability: float
    fill_probability_at_end: float


@frozen(slots=False)  # one is made at every step, and a dict fills in two thirds of the time
class Estimates:
    """Everything that is known of the market at one moment.

    Prices are in price units, distances in bps of the fair price.

    Parameters
    ----------
    fair_price : float
        Middle of the book with what imbalance and smoothing add; NaN if the book is not quotable.
    best_bid, best_ask : int
        Best prices of others; 0 where a side is empty.
    has_book : bool
        Both sides are there and do not cross.
    is_crossed : bool
        Both sides are there and bid >= ask.
    volatility : float
        In bps per square root of a second.
    kappa_per_bps, kappa_reference_per_bps : float
        Decay of fill intensity with distance: over the window, and over hours.
    intensity_per_sec : float
        Aggressive orders of one side per second, extrapolated to the fair price.
    jump_ratio : float
        Realised over bipower variance: 1 without jumps.
    spread_bps : float
        Median spread of the market over the last minutes.
    trades, volume_ticks : int
        Seen since the start, trades re-sent on subscribing included.
    mark_price, oracle_price : float
        The venue's; NaN if not known.
    mid : float
        Middle of the book net of our own orders; NaN if the book is not quotable.
    book_deviation_bps, flow_deviation_bps, kalman_deviation_bps : float
        What the book's imbalance, the flow's and the smoothing of the mid add to the mid: with
        them it is the fair price. 0 while nothing is learnt, NaN without a mid.
    microprice_deviation_bps : float
        The first two together: no more than half the spread and one tick.
    book_imbalance, flow_imbalance : float
        Bids over asks of the nearest levels, aggressive buys over sells; in [-1, 1]; NaN without
        a mid and before a trade.
    beta_book, beta_flow : float
        Learnt move of the mid over the signal's horizon, as a fraction per unit of imbalance; NaN
        before the first label.
    buy_intensity_per_sec, sell_intensity_per_sec : float
        Aggressive orders of each side that are to be expected at once; NaN before the first fit.
    cascade_severity : float
        How rare the flow is, 0 to 1: 0.3 is exceeded 1 % of the time, 0.8 in 8.6 s a day; 0
        before the first fit.
    cascade_side : int
        1 where it is bought, -1 where it is sold, 0 without a direction.
    volatility_regime, spread_regime : int
        Against the usual: 0 normal, 1 high, 2 extreme.
    funding_rate_hourly : float
        What the running hour will cost a long position, as a fraction of its value; NaN if not
        known.
    funding_secs : float
        Time to the payment; NaN without the venue's time.
    open_interest : float
        Of the market, in lots; NaN if not known.
    adverse_selection_bps : float
        Expected loss after a fill, at the horizon of our inventory: the mean of own fills, drawn
        to half the market's spread with the weight of fifty; NaN without a spread.
    adverse_touch_bps, adverse_depth_bps : float
        The same by the depth d of the quote: touch * exp(-d / depth). Where own fills show no
        fall with depth, the first is the mean and the second infinite.
    age_secs : float
        Age of the newest stamp on book, quotes and trades, by the venue's time; infinite before
        the first and while disconnected.
    exch_now_ns : int
        What the venue's clock shows, about; 0 before the first stamp.
    is_warm : bool
        Enough has been seen to quote from these values. It stays true.
    """

    fair_price: float
    best_bid: int
    best_ask: int
    has_book: bool
    is_crossed: bool
    volatility: float
    kappa_per_bps: float
    kappa_reference_per_bps: float
    intensity_per_sec: float
    jump_ratio: float
    spread_bps: float
    trades: int
    volume_ticks: int
    mark_price: float
    oracle_price: float
    mid: float
    book_deviation_bps: float
    flow_deviation_bps: float
    kalman_deviation_bps: float
    microprice_deviation_bps: float
    book_imbalance: float
    flow_imbalance: float
    beta_book: float
    beta_flow: float
    buy_intensity_per_sec: float
    sell_intensity_per_sec: float
    cascade_severity: float
    cascade_side: int
    volatility_regime: int
    spread_regime: int
    funding_rate_hourly: float
    open_interest: float
    funding_secs: float
    adverse_selection_bps: float
    adverse_touch_bps: float
    adverse_depth_bps: float
    age_secs: float
    exch_now_ns: int
    is_warm: bool


@frozen
class WarmUp:
    """How far the warm-up is. `secs_to_go` is an estimate: 0 when warm, infinite if unknown."""

    trades: int
    trades_needed: int
    volume_ticks: int
    volume_ticks_needed: int
    elapsed_secs: float
    secs_to_go: float
    is_warm: bool
