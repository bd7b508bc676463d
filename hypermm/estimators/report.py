"""What each estimate says of itself: error, size, age and state.

An estimate is missing when the feed that it is made of never came, stale when it stopped, and not
warm when too little of it has been seen: three faults with three remedies.
"""

from collections.abc import Iterator
from math import inf, isnan, nan, sqrt

from hypermm._core.feed import Feed
from hypermm._core.rows import CONTEXT, LEVEL, QUOTE, TRADE
from hypermm.estimators.values import Channel, Estimate, Estimates, State

CHANNELS = {"trades": TRADE, "book": LEVEL, "quotes": QUOTE, "context": CONTEXT}
STALE_SECS = {"trades": 60.0, "book": 5.0, "quotes": 5.0, "context": 10.0}
JUMP_RATIO_VARIANCE = 0.609  # of realised over bipower variance, over n, without jumps
FILLS_WARM = 50
SPREADS_WARM = 10
FUNDING_SAMPLES_WARM = 12  # a minute
KAPPA_PRIOR_EVENTS = 4.0

Line = tuple[str, float, str, float, int, bool, str]  # name, value, unit, error, n, is warm, feed


def channels(feed: Feed, exch_now_ns: int) -> dict[str, Channel]:
    """Return the health of each channel at the venue's time (0: not known)."""
    found = {}
    for name, kind in CHANNELS.items():
        stamp_ns, rows, gaps = feed.channel(kind)
        age_secs = max(exch_now_ns - stamp_ns, 0) * 1e-9 if stamp_ns > 0 else inf
        state = State.OK if age_secs <= STALE_SECS[name] else State.STALE
        found[name] = Channel(
            age_secs=age_secs,
            rows=rows,
            gaps=gaps,
            state=State.MISSING if stamp_ns == 0 else state,
        )
    return found


def quality(feed: Feed) -> dict[str, int]:
    """Return what was left out of the estimates, by kind."""
    return {
        "old_books": feed.book.old_frames,
        "malformed_books": feed.book.malformed_frames,
        "unquotable_books": feed.book.unquotable_frames,
        "absurd_books": feed.absurd_books,
        "repeated_trades": feed.repeated_trades,
        "malformed_trades": feed.malformed_trades,
        "late_trades": feed.late_trades,
        "absurd_trades": feed.absurd_trades,
        "blind_events": feed.blind_events,
        "silences": feed.gaps,
    }


def estimates(
    feed: Feed, known: Estimates, *, adverse_error_bps: float, fills: int
) -> dict[str, Estimate]:
    """Return every estimate under its name in `Estimates`."""
    health = channels(feed, known.exch_now_ns)
    # Books and quotes carry the same market: the newer one proves that it is alive.
    health["market"] = min(health["book"], health["quotes"], key=lambda one: one.age_secs)
    found = {}
    for name, value, unit, error, n, is_warm, channel in _lines(
        feed, known, adverse_error_bps, fills
    ):
        source = health[channel]
        state = source.state
        is_known = is_warm and not isnan(value)
        if state is State.OK and not is_known:
            # A figure that the context leaves out is unknown, not late.
            state = State.MISSING if channel == "context" and isnan(value) else State.WARMING
        found[name] = Estimate(
            value=value,
            unit=unit,
            error=error,
            n=n,
            age_secs=source.age_secs,
            is_warm=is_known,
            state=state,
        )
    return found


def _lines(feed: Feed, known: Estimates, adverse_error_bps: float, fills: int) -> Iterator[Line]:
    yield from _of_prices(feed, known)
    yield from _of_flow(feed, known)
    loss = known.adverse_selection_bps
    yield (
        "adverse_selection_bps",
        loss,
        "bps",
        adverse_error_bps,
        fills,
        fills >= FILLS_WARM,
        "market",
    )
    samples = feed.funding_stream.samples
    is_warm = samples >= FUNDING_SAMPLES_WARM
    error = feed.funding_stream.rate_se
    yield (
        "funding_rate_hourly",
        known.funding_rate_hourly,
        "1/h",
        error,
        samples,
        is_warm,
        "context",
    )
    rows = feed.channel(CONTEXT)[1]
    yield "open_interest", known.open_interest, "lots", 0.0, rows, rows > 0, "context"
    yield "mark_price", known.mark_price, "price units", 0.0, rows, rows > 0, "context"
    yield "oracle_price", known.oracle_price, "price units", 0.0, rows, rows > 0, "context"


def _of_prices(feed: Feed, known: Estimates) -> Iterator[Line]:
    signal, smoothing, frames = feed.fair.signal, feed.fair.smoothing, feed.book.frames
    pairs, has_learnt = signal.pairs, signal.pairs >= signal.least_pairs
    p00, _, p11 = signal.covariance
    noise, level_sd = signal.error_deviation, sqrt(smoothing.variance)
    level_error = level_sd / known.mid * 1e4 if known.mid > 0.0 else nan
    micro = known.microprice_deviation_bps
    variation, slow = feed.variation, feed.slow_variation
    returns, effective = variation.returns, variation.effective_returns
    has_ticks = returns >= 2
    jump_error = sqrt(JUMP_RATIO_VARIANCE / effective) if effective > 0.0 else nan
    spreads = feed.spread_samples
    market, trades = "market", "trades"
    yield "mid", known.mid, "price units", 0.0, frames, frames > 0, market
    yield "fair_price", known.fair_price, "price units", nan, frames, frames > 0, market
    yield "spread_bps", known.spread_bps, "bps", nan, spreads, spreads >= SPREADS_WARM, market
    yield "spread_regime", known.spread_regime, "", nan, spreads, spreads >= SPREADS_WARM, market
    yield "book_imbalance", known.book_imbalance, "", 0.0, frames, frames > 0, market
    yield "beta_book", known.beta_book, "", noise * sqrt(p00), pairs, has_learnt, market
    yield "beta_flow", known.beta_flow, "", noise * sqrt(p11), pairs, has_learnt, market
    yield "microprice_deviation_bps", micro, "bps", noise * 1e4, pairs, has_learnt, market
    yield (
        "kalman_deviation_bps",
        known.kalman_deviation_bps,
        "bps",
        level_error,
        smoothing.updates,
        smoothing.updates > 2,
        market,
    )
    volatility_error = variation.volatility_se_bps
    yield (
        "volatility",
        known.volatility,
        "bps/sqrt(s)",
        volatility_error,
        returns,
        has_ticks,
        trades,
    )
    yield "volatility_regime", known.volatility_regime, "", nan, slow.returns, has_ticks, trades
    yield "jump_ratio", known.jump_ratio, "", jump_error, returns, has_ticks, trades


def _of_flow(feed: Feed, known: Estimates) -> Iterator[Line]:
    buys, sells, flow = feed.buys, feed.sells, feed.flow
    weight = KAPPA_PRIOR_EVENTS + buys.weight + sells.weight
    kappa_error = known.kappa_per_bps / sqrt(weight)
    if not isnan(feed.own.kappa_se_per_bps):  # own fills have their say
        kappa_error = feed.own.kappa_se_per_bps
    reference_error = known.kappa_reference_per_bps / sqrt(KAPPA_PRIOR_EVENTS + feed.slow.weight)
    arrivals = 0.5 * (buys.events + sells.events) + 1.0
    events, is_warm = feed.events, feed.events >= 2 * KAPPA_PRIOR_EVENTS
    trades = "trades"
    yield "kappa_per_bps", known.kappa_per_bps, "1/bps", kappa_error, events, is_warm, trades
    yield (
        "kappa_reference_per_bps",
        known.kappa_reference_per_bps,
        "1/bps",
        reference_error,
        events,
        is_warm,
        trades,
    )
    rate = known.intensity_per_sec
    yield "intensity_per_sec", rate, "1/s", rate / sqrt(arrivals), events, is_warm, trades
    count = feed.trades
    yield "flow_imbalance", known.flow_imbalance, "", 0.0, count, count > 0, trades
    for name, side, value in (
        ("buy_intensity_per_sec", flow.buys, known.buy_intensity_per_sec),
        ("sell_intensity_per_sec", flow.sells, known.sell_intensity_per_sec),
    ):
        # The excitation of the moment carries the error of the branching ratio.
        share = side.branching_se / side.branching if side.branching > 0.0 else nan
        yield name, value, "1/s", value * share, side.events, side.fits > 0, trades
    is_warm = flow.buys.is_calibrated and flow.sells.is_calibrated
    yield "cascade_severity", known.cascade_severity, "", nan, events, is_warm, trades
