"""One walk over rows of market data that drives every estimator of a market.

The state depends on the rows and their order alone, not on how they were cut into batches. What
is sent twice counts once. No clock is read: time is the venue's stamps.
"""

cimport cython
from libc.math cimport NAN, exp, expm1, fabs, log
from libc.stdint cimport INT64_MAX, uint64_t
from libc.string cimport memmove, memset

from hypermm._core.ladder cimport step_at
from hypermm._core.queue cimport fill_probability_of
from hypermm._core.regression cimport FairPriceStream
from hypermm._core.rows cimport (
    CONTEXT_DAY_VOLUME, CONTEXT_FUNDING, CONTEXT_MARK, CONTEXT_OPEN_INTEREST, CONTEXT_ORACLE,
    CONTEXT_PREMIUM, FLAG_FORCED, FLAG_SNAPSHOT, KIND_CONTEXT, KIND_TRADE, Rows
)

# Buckets in a minute of average volume. Volume is heavy-tailed: most minutes trade a tenth of
# the average, and buckets closed by one stamp are one tick. With 720, BTC and WLFI of 2025-09-04
# close 30 and 26 ticks a minute, and the warm-up (50 trades, 20 ticks, both falling) took at most
# 68 and 73 s from each of 90 starting points; with 12 it takes five minutes.
cdef float64_t BUCKETS_PER_MINUTE = 720.0
cdef float64_t VOLUME_DECAY_SECS = 3600.0
cdef float64_t DAY_VOLUME_SECS = 1800.0   # seconds of watching that the day's volume is worth
cdef int64_t LEARNING_TRADES = 20         # without it: trades and seconds before the first bucket
cdef float64_t LEARNING_SECS = 5.0
cdef int64_t MAX_TRADE = 1 << 53          # price and size beyond it are no numbers of a market

cdef int64_t SECOND_NS = 1_000_000_000
cdef int64_t MAX_GAP_NS = 5_000_000_000   # silence that is not watching
# Silences of a channel that count: books and quotes come each half second, contexts each second.
cdef int64_t CHANNEL_GAP_NS[CHANNELS]
CHANNEL_GAP_NS[:] = [0, 60 * SECOND_NS, 5 * SECOND_NS, 5 * SECOND_NS, 10 * SECOND_NS]
CHANNEL_NAMES = ("", "trades", "book", "quotes", "context")

# A price this far from every one that is known is believed when three rows of two kinds agree on
# it within a percent.
cdef float64_t ABSURD_MOVE = 0.05
cdef float64_t AGREEMENT = 0.01
cdef int AGREEING_ROWS = 3
cdef int LONELY_ROWS = 10  # of one kind: where the other is missing, a market may still jump

cdef int64_t USUAL_NS = 30_000_000_000    # between samples of the usual spread: two hours of them
cdef Py_ssize_t USUAL_LEAST = 10          # before the spread has a regime
cdef int64_t REGIME_DWELL = 30            # seconds before a regime may fall
cdef float64_t SLOW_FACTOR = 24.0         # slow decay over the estimation window: 2 h of 300 s

# Priors: kappa is 1 / half-spread with the weight of four events (standard error 50 %); volatility
# is 1.5 spreads, at least 1 bps, for five seconds; each side trades once in ten seconds.
cdef float64_t KAPPA_PRIOR_EVENTS = 4.0
cdef float64_t VOLATILITY_PRIOR_SPREADS = 1.5
cdef float64_t VOLATILITY_PRIOR_LEAST_BPS = 1.0
cdef float64_t VOLATILITY_PRIOR_SECS = 5.0
cdef float64_t INTENSITY_PRIOR_EVENTS = 1.0
cdef float64_t INTENSITY_PRIOR_SECS = 10.0

cdef Py_ssize_t IMBALANCE_LEVELS = 5
cdef float64_t IMBALANCE_DECAY = 1.0      # weight of each level relative to the one before
cdef float64_t CENSORED_AT = 50.0         # depths are censored at so many half-spreads


@cython.final
cdef class RollingMedian:
    """Median of the last 256 integers, exact.

    Examples
    --------
    >>> rolling = RollingMedian()
    >>> for value in (9, 1, 4, 8):
    ...     rolling.update(value)
    >>> rolling.value
    4
    """

    def update(self, int64_t value):
        """Take in a value; the oldest of 257 is forgotten."""
        self.add(value)

    @property
    def value(self):
        """The median, the lower one of an even number; 0 if there is none."""
        return self.median()

    cdef void add(self, int64_t value) noexcept nogil:
        cdef Py_ssize_t at
        cdef size_t word = sizeof(int64_t)
        if self.count == MEDIAN_OF:
            at = 0
            while self._sorted[at] != self._ring[self._next]:
                at += 1
            self.count -= 1
            memmove(&self._sorted[0] + at, &self._sorted[0] + at + 1, (self.count - at) * word)
        at = self.count
        while at > 0 and self._sorted[at - 1] > value:
            at -= 1
        memmove(&self._sorted[0] + at + 1, &self._sorted[0] + at, (self.count - at) * word)
        self._sorted[at] = value
        self._ring[self._next] = value
        self._next = (self._next + 1) % MEDIAN_OF
        self.count += 1

    cdef int64_t median_of_last(self, Py_ssize_t n) noexcept nogil:
        cdef int64_t recent[RECENT]
        cdef Py_ssize_t i, j
        cdef int64_t value
        n = min(n, self.count)
        for i in range(n):
            value = self._ring[(self._next - 1 - i + MEDIAN_OF) % MEDIAN_OF]
            j = i
            while j > 0 and recent[j - 1] > value:
                recent[j] = recent[j - 1]
                j -= 1
            recent[j] = value
        return recent[(n - 1) // 2] if n > 0 else 0

    cdef int64_t median(self) noexcept nogil:
        return self._sorted[(self.count - 1) // 2] if self.count > 0 else 0


@cython.final
cdef class SeenTrades:
    """The last trades by stamp and id: 2048 of them for sure, 4095 at most.

    Examples
    --------
    >>> seen = SeenTrades()
    >>> seen.update(5, 77), seen.update(5, 77)
    (True, False)
    """

    def update(self, int64_t exch_ns, int64_t trade_id):
        """Remember a trade; return whether it is new.

        Raises
        ------
        ValueError
            If the stamp is not > 0.
        """
        if exch_ns <= 0:
            raise ValueError(f"exch_ns must be > 0 ns: {exch_ns}")
        return self.add(exch_ns, trade_id)

    cdef bint add(self, int64_t exch_ns, int64_t trade_id) noexcept nogil:
        # Two tables: the young one is filled, the old one only asked, then they change places.
        if self._has(0, exch_ns, trade_id) or self._has(1, exch_ns, trade_id):
            return False
        self._insert(exch_ns, trade_id)
        self._count += 1
        if self._count == SEEN_TRADES:
            self._young = 1 - self._young
            self._count = 0
            memset(&self._stamps[self._young][0], 0, SEEN_SLOTS * sizeof(int64_t))
        return True

    cdef bint _has(self, Py_ssize_t table, int64_t exch_ns, int64_t trade_id) noexcept nogil:
        cdef Py_ssize_t slot = _first_slot(exch_ns, trade_id)
        while self._stamps[table][slot] != 0:
            if self._stamps[table][slot] == exch_ns and self._ids[table][slot] == trade_id:
                return True
            slot = (slot + 1) & (SEEN_SLOTS - 1)
        return False

    cdef void _insert(self, int64_t exch_ns, int64_t trade_id) noexcept nogil:
        cdef Py_ssize_t slot = _first_slot(exch_ns, trade_id)
        while self._stamps[self._young][slot] != 0:
            slot = (slot + 1) & (SEEN_SLOTS - 1)
        self._stamps[self._young][slot] = exch_ns
        self._ids[self._young][slot] = trade_id


cdef Py_ssize_t _first_slot(int64_t exch_ns, int64_t trade_id) noexcept nogil:
    # Fibonacci hashing; the high bits are the mixed ones.
    cdef uint64_t mixed = (<uint64_t> exch_ns + <uint64_t> trade_id * 31) * 0x9E3779B97F4A7C15ULL
    return <Py_ssize_t> ((mixed >> 32) & (SEEN_SLOTS - 1))


@cython.final
cdef class Feed:
    """Book, volume clock, volatility and fill intensity of one market, from its rows.

    Parameters
    ----------
    window_secs : float
        Decay time of volatility and intensity, in seconds, > 0.
    price_decimals : int
        A price unit is 10**-price_decimals USD, 0 to 6.
    min_step : int
        Finest step of prices that the market allows, in price units, >= 1.

    Attributes
    ----------
    book, clock, variation, slow_variation, fair, flow : Book, VolumeClock, BipowerStream, ...
        The parts.
    funding_stream : FundingStream
        What the running hour will cost.
    own : OwnQuotes
        Place of our quotes in the queue, and their fills by depth: the decay of intensity is that
        of the arrivals times its `kappa_factor`.
    volatility_regime, spread_regime : Regime
        The window's volatility against that of hours; the last seconds' spread likewise.
    buys, sells, slow : KappaStream
        Aggressive buys (what fills our asks), aggressive sells, and both for hours.
    newest_ns : int
        Newest stamp of a book, quote or live trade; 0 before the first.
    trades, snapshot_trades, repeated_trades, malformed_trades : int
        Distinct trades; those of them that were re-sent on subscribing; ignored ones.
    events, blind_events, gaps : int
        Aggressor events; those without a mid strictly before them; silences above 5 s.
    late_trades, absurd_trades, absurd_books : int
        Ignored: a live trade older than one before it; prices far from every one that is known.
    is_held : bool
        The book's mid is not believed yet: 5 % from the last one, from the mark and from the
        oracle. It is when three rows of two kinds agree on it, or ten of one.

    Raises
    ------
    ValueError
        If a value is outside its domain.

    Notes
    -----
    An aggressor event is a run of live trades with one stamp and one side; its depth is measured
    from the mid strictly before its stamp. Depths below half the median spread of the last 256 s
    are inside the spread and left out; they are censored at 50 half-spreads. Time counts as
    watching while stamps are at most 5 s apart. Trades re-sent on subscribing feed the volume
    clock, but are no arrivals. Memory is fixed at construction.
    """

    def __cinit__(self, *, float64_t window_secs, int price_decimals, int64_t min_step=1):
        if not 0.0 < window_secs < 1e9:
            raise ValueError(f"window_secs must be > 0 and below 1e9: {window_secs}")
        if not 0 <= price_decimals <= 6:
            raise ValueError(f"price_decimals must lie in 0 to 6: {price_decimals}")
        if not 1 <= min_step <= 10**12:
            raise ValueError(f"min_step must lie in 1 to 1e12 price units: {min_step}")
        self._tick.whole, self._tick.min_step = <int64_t> 10.0**price_decimals, min_step
        self.book = Book()
        self.clock = VolumeClock(0)
        self.variation = BipowerStream(decay_secs=window_secs)
        self.buys = KappaStream(decay_secs=window_secs)
        self.sells = KappaStream(decay_secs=window_secs)
        self.slow = KappaStream(decay_secs=SLOW_FACTOR * window_secs)
        self.slow_variation = BipowerStream(decay_secs=SLOW_FACTOR * window_secs)
        self.fair, self.flow, self.funding_stream = FairPrice(), Flow(), FundingStream()
        self.own = OwnQuotes(decay_secs=SLOW_FACTOR * window_secs)
        self.volatility_regime = Regime(min_dwell=REGIME_DWELL)
        self.spread_regime = Regime(min_dwell=REGIME_DWELL)
        self._spreads, self._usual_spreads = RollingMedian(), RollingMedian()
        self._seen = SeenTrades()
        self._context_scale = 10.0 ** (price_decimals - 12)

    def apply(self, Rows rows not None):
        """Walk the rows once, in order. No Python object is made."""
        cdef Py_ssize_t i
        with nogil:
            for i in range(rows.length):
                self.apply_row(rows.data + i)

    def disconnect(self):
        """Say that the stream broke: the book is void, and time until it is back is not watched.

        What was learnt stays, and trades that are re-sent later are still known.
        """
        self._finish_event()
        if self.clock.settle(INT64_MAX):
            self._take_tick()
        self.book.reset()
        self.fair.cut_room()
        self.newest_ns = 0
        self._sampled_ns = 0
        self._believed_mid = self._candidate = 0.0
        self._trade_ns = 0
        self.is_held = False

    @property
    def half_spread_bps(self):
        """Half the rolling median spread in bps of the mid; NaN without a book."""
        return self.half_spread()

    @property
    def volatility_bps(self):
        """Volatility in bps per square root of a second."""
        return self.variation.volatility()

    @property
    def mark_price(self):
        """The venue's mark in price units; NaN if not known."""
        return <float64_t> self._mark * self._context_scale if self._mark > 0 else NAN

    @property
    def oracle_price(self):
        """The venue's oracle price in price units; NaN if not known."""
        return <float64_t> self._oracle * self._context_scale if self._oracle > 0 else NAN

    @property
    def kappa_per_bps(self):
        """Decay of intensity with depth, both sides, over the window; NaN without a spread."""
        return self.own.kappa_factor * self.arrivals_kappa()

    @property
    def kappa_reference_per_bps(self):
        """The same, remembered for hours."""
        return _kappa(self.slow.weight, self.slow.excess_bps, self.half_spread())

    @property
    def intensity_per_sec(self):
        """Events per second of one side at the mid: the mean of both sides."""
        return _intensity(
            0.5 * (self.buys.events + self.sells.events),
            self.buys.exposure_secs,
            self.kappa_per_bps,
            self.half_spread(),
        )

    def side_kappa_per_bps(self, int side):
        """Decay of aggressive buys (1) or sells (-1).

        Raises
        ------
        ValueError
            If side is neither 1 nor -1.
        """
        cdef KappaStream stream = self._side(side)
        return _kappa(stream.weight, stream.excess_bps, self.half_spread())

    def side_intensity_per_sec(self, int side):
        """Aggressive buys (1) or sells (-1) per second at the mid.

        Raises
        ------
        ValueError
            If side is neither 1 nor -1.
        """
        cdef KappaStream stream = self._side(side)
        return _intensity(
            stream.events,
            stream.exposure_secs,
            _kappa(stream.weight, stream.excess_bps, self.half_spread()),
            self.half_spread(),
        )

    def _side(self, int side):
        if side != 1 and side != -1:
            raise ValueError(f"side must be 1 (aggressive buys) or -1 (sells): {side}")
        return self.buys if side > 0 else self.sells

    def read(self):
        """All estimates at once, in the order of the first fields of `Estimates`."""
        cdef Book book = self.book
        cdef float64_t half_spread = self.half_spread()
        cdef float64_t kappa = self.own.kappa_factor * self.arrivals_kappa()
        cdef FairPrice fair = self.fair
        cdef float64_t book_bps = fair.book_bps, flow_bps = fair.flow_bps
        cdef float64_t kalman_bps = fair.kalman_bps, mid
        cdef FairPriceStream signal = fair.signal
        cdef bint is_quotable = book.is_quotable and not self.is_held, has_learnt
        cdef int8_t side = 0
        cdef float64_t severity = self.flow.severity_room(&side)
        has_learnt = signal._learned.pairs > 0
        mid = 0.5 * <float64_t> book.mid_sum() if is_quotable else NAN
        if is_quotable and fair.mid != fair.mid:
            book_bps = flow_bps = kalman_bps = 0.0  # an own order left, and the book is whole
        return (
            mid * (1.0 + 1e-4 * (book_bps + flow_bps + kalman_bps)),
            book.best_bid,
            book.best_ask,
            is_quotable,
            book.is_crossed,
            self.variation.volatility(),
            kappa,
            _kappa(self.slow.weight, self.slow.excess_bps, half_spread),
            _intensity(
                0.5 * (self.buys.events + self.sells.events),
                self.buys.exposure_secs,
                kappa,
                half_spread,
            ),
            self.variation.ratio(),
            2.0 * half_spread,
            self.trades,
            self.clock.ticks,
            self.mark_price,
            self.oracle_price,
            mid,
            book_bps,
            flow_bps,
            kalman_bps,
            book_bps + flow_bps,
            fair.book_imbalance,
            self.flow.volume.value_room() if self.trades > 0 else NAN,
            signal._learned.fit.beta0 if has_learnt else NAN,
            signal._learned.fit.beta1 if has_learnt else NAN,
            self.flow.buys.intensity(),
            self.flow.sells.intensity(),
            severity,
            side,
            self.volatility_regime.state,
            self.spread_regime.state,
            self.funding_hourly,
            <float64_t> self.open_interest_lots if self.open_interest_lots > 0 else NAN,
        )

    def set_own(self, int side, prices, sizes):
        """Replace all that is displayed of ours on one side; a price that stays keeps its place.

        Raises
        ------
        ValueError
            As `Book.set_own`.
        """
        self.book.set_own(side, prices, sizes)
        self.own.set_room(<int8_t> side, self.book)

    def own_fill(self, int side, int64_t price, int64_t lots, float64_t mid):
        """Take in a fill of ours, and learn the decay of intensity from it.

        Parameters
        ----------
        side : int
            1 where we bought, -1 where we sold.
        price, lots : int
            Of the fill, > 0.
        mid : float
            Strictly before it, in price units; NaN: not known.

        Raises
        ------
        ValueError
            If a value is outside its domain.
        """
        if side != 1 and side != -1:
            raise ValueError(f"side must be 1 (we bought) or -1 (we sold): {side}")
        if price <= 0 or lots <= 0:
            raise ValueError(f"price and lots must be > 0: {price}, {lots}")
        self.own.fill_room(<int8_t> side, price, <float64_t> lots, mid)
        self.own.learn(
            self.arrivals_kappa(), KAPPA_PRIOR_EVENTS + self.buys.weight + self.sells.weight
        )

    def fill_probability(self, int side, int64_t price, float64_t ahead, float64_t secs):
        """Return how likely an order with `ahead` lots before it begins to fill within `secs`.

        Orders of the arrivals' mean size reach its depth as often as the fill intensity says;
        what rests ahead cancels as often as was seen at our prices. NaN if not known.

        Raises
        ------
        ValueError
            If the side is neither 1 nor -1, or a value negative.
        """
        cdef KappaStream stream = self._side(-side)
        cdef float64_t mid = 0.5 * <float64_t> self.book.mid_sum(), rate, lots, depth_bps
        if ahead < 0.0 or not secs >= 0.0:
            raise ValueError(f"ahead and secs must be >= 0: {ahead}, {secs}")
        if not (ahead == ahead and mid > 0.0 and stream.events > 0.0 and self._volume_secs > 0.0):
            return NAN
        depth_bps = max(side * (mid - <float64_t> price) / mid * 1e4, 0.0)
        rate = self.side_intensity_per_sec(-side) * exp(
            -self.own.kappa_factor * self.side_kappa_per_bps(-side) * depth_bps
        )
        lots = (
            self._volume_lots / self._volume_secs
            * stream.exposure_secs / (self.buys.events + self.sells.events)
        )
        return fill_probability_of(
            ahead / max(lots, 1.0), rate, self.own.cancels_per_sec(), secs
        )

    @property
    def spread_samples(self):
        """Spreads that the rolling median is made of: one a second, 256 at most."""
        return self._spreads.count

    @property
    def funding_hourly(self):
        """What the running hour will cost a long position: predicted, else the venue's own."""
        if self.funding_stream.samples > 0:
            return self.funding_stream.rate
        return <float64_t> self.funding * 1e-12 if self._has_funding else NAN

    def channel(self, int kind):
        """Newest stamp in ns (0: none), rows and silences of a kind of rows.

        Raises
        ------
        ValueError
            If there is no such kind.
        """
        if not 0 < kind < CHANNELS:
            raise ValueError(f"kind must be one of the rows' kinds 1 to {CHANNELS - 1}: {kind}")
        return self._channel_ns[kind], self._channel_rows[kind], self._channel_gaps[kind]

    cdef void apply_row(self, const Row* row) noexcept nogil:
        if row.kind == KIND_TRADE:
            self._trade(row)
        elif row.kind == KIND_CONTEXT:
            self._context(row)
        elif self.book.apply_row(row):
            self._channel(row, row.exch_ns)
            self._stamp(row.exch_ns)
            self._book_changed(row.kind)

    cdef void _channel(self, const Row* row, int64_t exch_ns) noexcept nogil:
        cdef int64_t before = self._channel_ns[row.kind]
        self._channel_rows[row.kind] += 1
        if exch_ns <= before:
            return
        if before > 0 and exch_ns - before > CHANNEL_GAP_NS[row.kind]:
            self._channel_gaps[row.kind] += 1
        self._channel_ns[row.kind] = exch_ns

    cdef bint _is_believed(self, float64_t price, int kind) noexcept nogil:
        cdef float64_t known[3]
        cdef bint is_first = True
        cdef int i
        known[0] = self._believed_mid
        known[1] = <float64_t> self._mark * self._context_scale
        known[2] = <float64_t> self._oracle * self._context_scale
        for i in range(3):
            if known[i] > 0.0:
                is_first = False
                if fabs(price - known[i]) <= ABSURD_MOVE * known[i]:
                    if kind != KIND_TRADE:
                        self._candidate = 0.0
                    return True
        if is_first:
            return True
        if not fabs(price - self._candidate) <= AGREEMENT * self._candidate:
            self._candidate, self._candidate_rows, self._candidate_kinds = price, 0, 0
        self._candidate_rows += 1
        self._candidate_kinds |= 1 << kind
        if self._candidate_rows < AGREEING_ROWS:
            return False
        # More than one bit: two kinds.
        return (
            self._candidate_kinds & (self._candidate_kinds - 1) != 0
            or self._candidate_rows >= LONELY_ROWS
        )

    cdef float64_t arrivals_kappa(self) noexcept nogil:
        return _kappa(
            self.buys.weight + self.sells.weight,
            self.buys.excess_bps + self.sells.excess_bps,
            self.half_spread(),
        )

    cdef float64_t half_spread(self) noexcept nogil:
        if self._spreads.count == 0:
            return NAN
        return 1e4 * <float64_t> self._spreads.median() / <float64_t> self._last_mid_sum

    cdef void _trade(self, const Row* row) noexcept nogil:
        if (
            not 0 < row.price < MAX_TRADE
            or not 0 < row.size < MAX_TRADE
            or row.side == 0
            or row.exch_ns <= 0
        ):
            self.malformed_trades += 1
            return
        if not self._seen.add(row.exch_ns, row.id):
            self.repeated_trades += 1
            return
        if row.exch_ns < self._trade_ns and not row.flags & FLAG_SNAPSHOT:
            self.late_trades += 1
            return
        if not self._is_believed(<float64_t> row.price, KIND_TRADE):
            self.absurd_trades += 1
            return
        self._channel(row, row.exch_ns)
        self.trades += 1
        self._gather_volume(row.exch_ns, row.size)
        if self.clock.add(row.exch_ns, row.price, row.size):
            self._take_tick()
        self._choose_bucket()
        if row.flags & FLAG_SNAPSHOT:
            self.snapshot_trades += 1
            return
        self._trade_ns = row.exch_ns
        if self._event_ns != row.exch_ns or self._event_side != row.side:
            self._finish_event()
            self._stamp(row.exch_ns)
            self._event_ns = row.exch_ns
            self._event_side = row.side
            self._event_worst = row.price
            self.flow.arrival_room(row.side)
        elif row.side * row.price > row.side * self._event_worst:
            self._event_worst = row.price
        self.own.trade_room(row.side, row.price, <float64_t> row.size)
        self.flow.trade_room(row.side, <float64_t> row.size, row.flags & FLAG_FORCED != 0)

    cdef void _context(self, const Row* row) noexcept nogil:
        # It has no stamp of its own: it is as new as what came before it.
        if row.index == CONTEXT_MARK:
            self._channel(row, self.newest_ns)
            self._mark = row.price
        elif row.index == CONTEXT_ORACLE:
            self._oracle = row.price
        elif row.index == CONTEXT_FUNDING:
            self.funding = row.price
            self._has_funding = True
        elif row.index == CONTEXT_OPEN_INTEREST:
            self.open_interest_lots = row.size
            self.flow.open_interest_room(row.size)
        elif row.index == CONTEXT_PREMIUM:
            if self.newest_ns > 0:
                self.funding_stream.add_room(self.newest_ns, 1e-12 * <float64_t> row.price)
        elif row.index == CONTEXT_DAY_VOLUME:
            if self.day_volume_lots == 0 and 0 < row.size < MAX_TRADE:
                self._volume_lots += <float64_t> row.size * (DAY_VOLUME_SECS / 86400.0)
                self._volume_secs += DAY_VOLUME_SECS
                self.day_volume_lots = row.size
                self._choose_bucket()
            self.day_volume_lots = row.size

    cdef void _stamp(self, int64_t exch_ns) noexcept nogil:
        # A later stamp ends what the one before it left open, then time passes.
        cdef int64_t gap = exch_ns - self.newest_ns
        cdef float64_t secs
        if gap <= 0:
            return
        if self._event_ns != 0 and exch_ns > self._event_ns:
            self._finish_event()
        if self.clock.settle(exch_ns):
            self._take_tick()
        if self.newest_ns > 0:
            if gap <= MAX_GAP_NS:
                secs = 1e-9 * <float64_t> gap
                self.buys.advance_room(secs)
                self.sells.advance_room(secs)
                self.slow.advance_room(secs)
                self.flow.advance_room(secs)
            else:
                self.gaps += 1
                self.fair.cut_room()
                self._believed_mid = 0.0
        self.newest_ns = exch_ns

    cdef void _book_changed(self, int kind) noexcept nogil:
        cdef int64_t total = self.book.mid_sum()
        cdef int64_t spread = self.book.best_ask - self.book.best_bid
        cdef float64_t spread_bps
        if total > 0:
            self.is_held = not self._is_believed(0.5 * <float64_t> total, kind)
            if self.is_held:
                self.absurd_books += 1
                return
            self._believed_mid = 0.5 * <float64_t> total
            self._last_mid_sum = total
        self.fair.observe_room(
            self.book.newest_ns,
            <float64_t> self.book.best_bid if total > 0 else 0.0,
            <float64_t> self.book.best_ask,
            <float64_t> step_at(&self._tick, self.book.best_ask) if total > 0 else 0.0,
            self.book.net_imbalance(IMBALANCE_LEVELS, IMBALANCE_DECAY),
            self.flow.volume.value_room(),
            self.variation.volatility(),
        )
        self.own.book_room(self.book)
        if total == 0 or self.book.newest_ns < self._sampled_ns + SECOND_NS:
            return
        if self._sampled_ns > 0 and self.book.newest_ns - self._sampled_ns <= MAX_GAP_NS:
            self.own.watch_room(
                0.5 * <float64_t> total, 1e-9 * <float64_t> (self.book.newest_ns - self._sampled_ns)
            )
        self._sampled_ns = self.book.newest_ns
        self._spreads.add(spread)
        if not self._is_seeded:
            self._is_seeded = True
            spread_bps = 2e4 * <float64_t> spread / <float64_t> total
            spread_bps = max(VOLATILITY_PRIOR_SPREADS * spread_bps, VOLATILITY_PRIOR_LEAST_BPS)
            self.variation.seed_room(spread_bps, VOLATILITY_PRIOR_SECS)
            self.slow_variation.seed_room(spread_bps, VOLATILITY_PRIOR_SECS)
        self._note_regimes()

    cdef void _note_regimes(self) noexcept nogil:
        # Once a second. Each compares what is with what is usual.
        cdef float64_t ratio = self.variation.volatility() / self.slow_variation.volatility()
        cdef int64_t recent = self._spreads.median_of_last(RECENT), usual
        if ratio >= 0.0:
            self.volatility_regime.add(ratio)
        if self.book.newest_ns >= self._usual_ns + USUAL_NS:
            self._usual_ns = self.book.newest_ns
            self._usual_spreads.add(recent)
        usual = self._usual_spreads.median()
        if self._usual_spreads.count >= USUAL_LEAST and usual > 0:
            self.spread_regime.add(<float64_t> recent / <float64_t> usual)

    cdef void _finish_event(self) noexcept nogil:
        cdef int64_t total, twice_depth, median
        cdef float64_t least_bps, depth_bps
        if self._event_ns == 0:
            return
        self.events += 1
        total = self.book.mid_sum_before(self._event_ns)
        self._event_ns = 0
        median = self._spreads.median()
        if total == 0 or median == 0 or self.is_held:
            self.blind_events += 1
            return
        # On integers: three quarters of the events of a liquid market stop exactly at the touch.
        twice_depth = self._event_side * (2 * self._event_worst - total)
        if twice_depth < median:
            return
        least_bps = 1e4 * <float64_t> median / <float64_t> total
        depth_bps = 1e4 * <float64_t> twice_depth / <float64_t> total
        if self._event_side > 0:
            self.buys.add(depth_bps, least_bps, CENSORED_AT * least_bps)
        else:
            self.sells.add(depth_bps, least_bps, CENSORED_AT * least_bps)
        self.slow.add(depth_bps, least_bps, CENSORED_AT * least_bps)

    cdef void _take_tick(self) noexcept nogil:
        cdef float64_t vwap = self.clock.tick_vwap, move, secs, own_secs
        if self._last_vwap > 0.0 and self.clock.tick_ns > self._last_tick_ns:
            # A VWAP averages over its bucket: the variance that it hides is given back.
            move = log(vwap / self._last_vwap)
            secs = 1e-9 * <float64_t> (self.clock.tick_ns - self._last_tick_ns)
            own_secs = self._last_lead_secs + self.clock.tick_lag_secs
            self.variation.add_vwap(move, secs, own_secs, self._last_shared_secs)
            self.slow_variation.add_vwap(move, secs, own_secs, self._last_shared_secs)
        self._last_lead_secs = self.clock.tick_lead_secs
        self._last_shared_secs = self.clock.tick_shared_secs
        self._last_vwap = vwap
        self._last_tick_ns = max(self.clock.tick_ns, self._last_tick_ns)

    cdef void _gather_volume(self, int64_t exch_ns, int64_t size) noexcept nogil:
        cdef float64_t secs
        if self._volume_ns > 0 and exch_ns > self._volume_ns:
            secs = 1e-9 * <float64_t> (exch_ns - self._volume_ns) / VOLUME_DECAY_SECS
            self._volume_lots *= exp(-secs)
            self._volume_secs = exp(-secs) * self._volume_secs - VOLUME_DECAY_SECS * expm1(-secs)
        self._volume_ns = max(exch_ns, self._volume_ns)
        self._volume_lots += <float64_t> size

    cdef void _choose_bucket(self) noexcept nogil:
        cdef float64_t lots
        if self.day_volume_lots == 0 and (
            self.trades < LEARNING_TRADES or self._volume_secs < LEARNING_SECS
        ):
            return
        lots = self._volume_lots / self._volume_secs * (60.0 / BUCKETS_PER_MINUTE)
        self.clock.set_next(<int64_t> min(max(lots, 1.0), 1e15))


cdef float64_t _kappa(
    float64_t weight, float64_t excess_bps, float64_t half_spread_bps
) noexcept nogil:
    # Posterior mean; NaN half-spread gives NaN.
    return (KAPPA_PRIOR_EVENTS + weight) / (KAPPA_PRIOR_EVENTS * half_spread_bps + excess_bps)


cdef float64_t _intensity(
    float64_t events, float64_t secs, float64_t kappa_per_bps, float64_t half_spread_bps
) noexcept nogil:
    return (
        (INTENSITY_PRIOR_EVENTS + events)
        / (INTENSITY_PRIOR_SECS + secs)
        * exp(kappa_per_bps * half_spread_bps)
    )
