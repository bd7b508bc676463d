"""What is known of one market, how well, and since when.

`Estimators` owns the kernels and feeds them with rows; everybody else gets a frozen `Estimates`.
Three states are told apart: missing (`has_book` is false, or a value is NaN), stale (`age_secs`),
and not warm yet (`is_warm`).
"""

from collections.abc import Iterable
from math import inf, isnan, nan

from hypermm._core.feed import Feed
from hypermm._core.rows import Rows
from hypermm.estimators import report
from hypermm.estimators.values import Channel, Estimate, Estimates, Queue, WarmUp
from hypermm.instrument import Instrument

VOLUME_TICKS_NEEDED = 20
VOLUME_TICKS_NEEDED_LEAST = 5
TRADES_LEAST_FRACTION = 0.2  # min_trades falls to a fifth of itself
FUNDING_NS = 3_600 * 10**9  # funding is paid on the hour
QUEUE_SECS = 60.0  # for which the probability of a fill is told
OFFSET_LEAK = 10_000  # 1/100 ppm: how far two clocks may drift apart


class Estimators:
    """Feeds the kernels with rows and says what is known.

    Parameters
    ----------
    instrument : Instrument
        The market.
    estimation_window_secs : float
        Decay time of volatility and fill intensity, in seconds.
    min_trades : int
        Trades to see before quoting, at the start; falls linearly to a fifth.
    warmup_decay_secs : float
        Time in which the needed trades and volume ticks (20 to 5) fall, in seconds.

    Notes
    -----
    The same rows in the same order give the same estimates, however they are cut into batches.
    Before anything is learnt the values are priors tied to the observed spread: kappa is one over
    the half-spread with the weight of four events, volatility 1.5 spreads (at least 1 bps) for
    five seconds, intensity one event in ten seconds.

    Age is measured by the venue's time: now minus the stamp minus the smallest such difference
    seen, which leaks upwards by 100 ppm because clocks drift. A constant lag of the feed thus
    does not count as age, a growing one does.
    """

    def __init__(
        self,
        instrument: Instrument,
        *,
        estimation_window_secs: float = 300.0,
        min_trades: int = 50,
        warmup_decay_secs: float = 300.0,
    ) -> None:
        assert min_trades >= 1, f"min_trades must be >= 1: {min_trades}"
        assert warmup_decay_secs > 0, f"warmup_decay_secs must be > 0: {warmup_decay_secs}"
        self._feed = Feed(
            window_secs=estimation_window_secs,
            price_decimals=instrument.price_decimals,
            min_step=instrument.min_step,
        )
        self._min_trades = min_trades
        self._warmup_decay_secs = warmup_decay_secs
        self._offset_ns: int | None = None  # smallest of (our clock - venue's stamp), leaking
        self._read_ns = 0
        self._started_ns: int | None = None  # when the first stamp was read
        self._started_trades = 0
        self._started_ticks = 0
        self._is_warm = False
        self._adverse = (nan, nan, inf)
        self._adverse_error, self._fills = nan, 0

    @property
    def feed(self) -> Feed:
        """The kernels, for counters and depth beyond the touch; to be read only."""
        return self._feed

    def apply(self, rows: Rows) -> None:
        """Take in market data: one call into the kernels, no objects."""
        self._feed.apply(rows)

    def disconnect(self) -> None:
        """Void the book: the stream broke. What was learnt stays; own orders stay."""
        self._feed.disconnect()

    def change_own(self, side: int, price: int, change: int) -> None:
        """Add `change` lots (negative takes away) to what of ours is displayed at a price."""
        self._feed.book.change_own(side, price, change)

    def set_own(self, side: int, prices: Iterable[int], sizes: Iterable[int]) -> None:
        """Replace all that is displayed of ours on one side (1 bids, -1 asks)."""
        self._feed.set_own(side, prices, sizes)

    def own_fill(self, side: int, price: int, lots: int, mid_before: float) -> None:
        """Take in a fill of ours; the mid strictly before it may be NaN."""
        self._feed.own_fill(side, price, lots, mid_before)

    def queues(self) -> tuple[Queue, ...]:
        """Return where our resting quotes stand in their queues."""
        feed = self._feed
        others = {side: dict(feed.book.levels(side)) for side in (1, -1)}
        return tuple(
            Queue(
                side=side,
                price=price,
                size=size,
                lots_ahead=ahead,
                lots_ahead_max=most,
                fill_probability=feed.fill_probability(side, price, ahead, QUEUE_SECS),
                fill_probability_at_end=feed.fill_probability(
                    side, price, max(float(others[side].get(price, 0)), ahead), QUEUE_SECS
                ),
            )
            for side, price, size, ahead, most in feed.own.queues()
        )

    def mid_before(self, exch_ns: int) -> float:
        """Middle of the book strictly before a stamp, in price units; NaN if not known."""
        return self._feed.book.mid_before(exch_ns)

    def set_adverse(
        self, mean_bps: float, touch_bps: float, depth_bps: float, *, error_bps: float, n: int
    ) -> None:
        """Take over what own fills lose; see `Estimates` for the first three."""
        self._adverse = (mean_bps, touch_bps, depth_bps)
        self._adverse_error, self._fills = error_bps, n

    def read(self, now_ns: int) -> Estimates:
        """Return what is known at `now_ns` of our monotonic clock, which must not run back."""
        age_secs, exch_now_ns = self._venue_time(now_ns)
        known = self._feed.read()
        is_warm = self._is_warm or self._check_warm(now_ns)
        funding_secs = nan
        if exch_now_ns > 0:
            funding_secs = (FUNDING_NS - exch_now_ns % FUNDING_NS) * 1e-9
        return Estimates(*known, funding_secs, *self._adverse, age_secs, exch_now_ns, is_warm)

    def warm_up(self, now_ns: int) -> WarmUp:
        """Return the progress of the warm-up."""
        elapsed = self._elapsed_secs(now_ns)
        trades_needed, ticks_needed = self._needed(elapsed)
        trades, ticks = self._feed.trades, self._feed.clock.ticks
        is_warm = self._is_warm or self._check_warm(now_ns)
        secs_to_go = 0.0
        if not is_warm:
            secs_to_go = max(
                self._secs_until(trades, self._started_trades, self._trades_range(), elapsed),
                self._secs_until(ticks, self._started_ticks, _TICKS_RANGE, elapsed),
            )
        return WarmUp(
            trades=trades,
            trades_needed=trades_needed,
            volume_ticks=ticks,
            volume_ticks_needed=ticks_needed,
            elapsed_secs=elapsed,
            secs_to_go=secs_to_go,
            is_warm=is_warm,
        )

    def channels(self, known: Estimates) -> dict[str, Channel]:
        """Return the health of trades, book, quotes and context when `known` was read."""
        return report.channels(self._feed, known.exch_now_ns)

    def quality(self) -> dict[str, int]:
        """Return what was left out of the estimates so far, by kind."""
        return report.quality(self._feed)

    def report(self, known: Estimates) -> dict[str, Estimate]:
        """Return each estimate of `known` with its error, size, age and state."""
        return report.estimates(
            self._feed, known, adverse_error_bps=self._adverse_error, fills=self._fills
        )

    def _venue_time(self, now_ns: int) -> tuple[float, int]:
        newest_ns = self._feed.newest_ns
        offset = self._offset_ns
        if offset is not None:
            offset += (now_ns - self._read_ns) // OFFSET_LEAK
        if newest_ns > 0:
            if offset is None:
                self._started_ns = now_ns
                self._started_trades = self._feed.trades
                self._started_ticks = self._feed.clock.ticks
            if offset is None or now_ns - newest_ns < offset:
                offset = now_ns - newest_ns
        if offset is None:
            return inf, 0
        if offset != self._offset_ns:  # a leak of less than a nanosecond waits for the next read
            self._offset_ns, self._read_ns = offset, now_ns
        exch_now_ns = now_ns - offset
        return ((exch_now_ns - newest_ns) * 1e-9 if newest_ns > 0 else inf), exch_now_ns

    def _elapsed_secs(self, now_ns: int) -> float:
        return 0.0 if self._started_ns is None else (now_ns - self._started_ns) * 1e-9

    def _trades_range(self) -> tuple[float, float]:
        return self._min_trades, self._min_trades * TRADES_LEAST_FRACTION

    def _needed(self, elapsed_secs: float) -> tuple[int, int]:
        passed = min(elapsed_secs / self._warmup_decay_secs, 1.0)
        return (
            _round_up(_between(self._trades_range(), passed)),
            _round_up(_between(_TICKS_RANGE, passed)),
        )

    def _check_warm(self, now_ns: int) -> bool:
        feed = self._feed
        trades_needed, ticks_needed = self._needed(self._elapsed_secs(now_ns))
        self._is_warm = (
            feed.trades >= trades_needed
            and feed.clock.ticks >= ticks_needed
            and not isnan(feed.volatility_bps)
            and not isnan(feed.kappa_per_bps)
        )
        return self._is_warm

    def _secs_until(
        self, count: int, at_start: int, needed: tuple[float, float], elapsed_secs: float
    ) -> float:
        # Where a count that grows at its pace so far meets a need that falls.
        pace = (count - at_start) / elapsed_secs if elapsed_secs > 0.0 else 0.0
        rest_secs = max(self._warmup_decay_secs - elapsed_secs, 0.0)
        fall = (needed[0] - needed[1]) / self._warmup_decay_secs
        now_needed = needed[1] + fall * rest_secs
        if count >= now_needed:
            return 0.0
        secs = (now_needed - count) / (pace + fall)
        if secs <= rest_secs:
            return secs
        return rest_secs + (needed[1] - count - pace * rest_secs) / pace if pace > 0.0 else inf


_TICKS_RANGE = (float(VOLUME_TICKS_NEEDED), float(VOLUME_TICKS_NEEDED_LEAST))


def _between(ends: tuple[float, float], passed: float) -> float:
    return ends[0] + (ends[1] - ends[0]) * passed


def _round_up(value: float) -> int:
    # Needs are whole numbers; a rounding error must not ask for one more.
    return -int(-(value - 1e-9) // 1)
