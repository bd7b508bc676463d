"""The fair price: mid, plus the move that imbalance predicts, plus what smoothing takes off.

Each part is kept in bps of the mid, so that a quote can say what it is made of.
"""

cimport cython
from libc.math cimport NAN, fabs, isfinite

# Out of sample R2 on Hyperliquid's BTC and WLFI of 2025-09-04: 0.155 and 0.026 for the move of
# one second, 0.184 and 0.011 for two, 0.139 and -0.004 for five. Five levels of equal weight tell
# more than falling weights (0.173) or the touch alone (0.161).
SIGNAL_SECS = 2.0
cdef float64_t _SIGNAL_SECS = SIGNAL_SECS
cdef float64_t SIGNAL_DECAY_SECS = 3600.0
# Of the coefficients, over that of the errors: what one unit of imbalance is thought to move is a
# third of a typical move. Without it the first predictions are wild and cost the R2 for an hour.
cdef float64_t PRIOR_VARIANCE = 0.1
cdef float64_t NOISE_DECAY_SECS = 300.0
cdef float64_t LARGEST = 1e15


@cython.final
cdef class FairPrice:
    """Learns from a book's states what its mid leaves out.

    Attributes
    ----------
    signal : FairPriceStream
        The regression of the mid's move on imbalance.
    smoothing : LevelStream
        The filter of the mid's bounce.
    mid : float
        The last mid; NaN without one.
    book_imbalance, flow_imbalance : float
        The last ones, in [-1, 1]; NaN without a mid.
    book_bps, flow_bps, kalman_bps : float
        What each adds to the mid: the first two together, and the third alone, are no more than
        half the spread and one tick. NaN without a mid.

    Notes
    -----
    The regression is published only while it beats 'no move' out of sample; until then the price
    is the smoothed mid. The filter's walk is the volatility that is handed in; its noise is what
    bounces from state to state. Allocates nothing after construction.

    Examples
    --------
    >>> fair = FairPrice()
    >>> fair.observe(1_000_000_000, 100.0, 102.0, 1.0, 0.5, 0.0, 1.0)
    >>> fair.mid, fair.fair_price
    (101.0, 101.0)
    """

    def __cinit__(self):
        self.signal = FairPriceStream(
            horizon_secs=_SIGNAL_SECS,
            decay_secs=SIGNAL_DECAY_SECS,
            prior_variance=PRIOR_VARIANCE,
            least_pairs=60,
        )
        self._forget()
        self.smoothing = LevelStream(decay_secs=NOISE_DECAY_SECS)

    def observe(
        self,
        int64_t exch_ns,
        float64_t bid,
        float64_t ask,
        float64_t tick,
        float64_t book_imbalance,
        float64_t flow_imbalance,
        float64_t volatility_bps,
    ):
        """Take in the state of the book as of a stamp; an older one than the last is ignored.

        Parameters
        ----------
        exch_ns : int
            Stamp in nanoseconds, > 0.
        bid, ask : float
            Best prices of others in any one unit. Unless 0 < bid < ask there is no mid.
        tick : float
            Step of prices in that unit, >= 0.
        book_imbalance, flow_imbalance : float
            In [-1, 1].
        volatility_bps : float
            In bps per square root of a second, >= 0, or NaN.

        Raises
        ------
        ValueError
            If a value is outside its domain.
        """
        if exch_ns <= 0:
            raise ValueError(f"exch_ns must be > 0 ns: {exch_ns}")
        if not (fabs(bid) <= LARGEST and fabs(ask) <= LARGEST):
            raise ValueError(f"bid and ask must be at most 1e15: {bid}, {ask}")
        if not 0.0 <= tick <= LARGEST:
            raise ValueError(f"tick must be >= 0 and finite: {tick}")
        if not (fabs(book_imbalance) <= 1.0 and fabs(flow_imbalance) <= 1.0):
            raise ValueError(
                f"imbalances must lie in -1 to 1: {book_imbalance}, {flow_imbalance}"
            )
        if not (volatility_bps != volatility_bps or 0.0 <= volatility_bps <= LARGEST):
            raise ValueError(f"volatility_bps must be >= 0 and finite, or NaN: {volatility_bps}")
        self.observe_room(
            exch_ns, bid, ask, tick, book_imbalance, flow_imbalance, volatility_bps
        )

    def cut(self):
        """Forget what waits for a later price, as after a silence. What was learnt stays."""
        self.cut_room()

    @property
    def fair_price(self):
        """The mid with its three corrections, in the unit of the prices; NaN without a mid."""
        return self.price()

    cdef float64_t price(self) noexcept nogil:
        return self.mid * (1.0 + 1e-4 * (self.book_bps + self.flow_bps + self.kalman_bps))

    cdef void cut_room(self) noexcept nogil:
        self.signal.cut_room()
        self._ns = 0
        self._forget()

    cdef void _forget(self) noexcept nogil:
        self.mid = self.book_imbalance = self.flow_imbalance = NAN
        self.book_bps = self.flow_bps = self.kalman_bps = NAN

    cdef void observe_room(
        self,
        int64_t exch_ns,
        float64_t bid,
        float64_t ask,
        float64_t tick,
        float64_t book_imbalance,
        float64_t flow_imbalance,
        float64_t volatility_bps,
    ) noexcept nogil:
        cdef float64_t mid, most_bps, move_bps, secs, variance
        if exch_ns < self.signal._now_ns:
            return
        if not 0.0 < bid < ask:
            self._forget()
            self.signal.observe_room(exch_ns, NAN, 0.0, 0.0)
            return
        mid = 0.5 * (bid + ask)
        self.signal.observe_room(exch_ns, mid, book_imbalance, flow_imbalance)
        variance = volatility_bps * 1e-4 * mid
        variance = variance * variance if isfinite(variance) else LARGEST
        secs = 1e-9 * <float64_t> (exch_ns - self._ns) if self._ns > 0 else 0.0
        if self._ns == 0:
            self.smoothing.restart_room(mid)
        elif exch_ns > self._ns or mid != self.mid:
            self.smoothing.update_room(mid, secs, variance)
        self._ns = exch_ns
        self.mid, self.book_imbalance, self.flow_imbalance = mid, book_imbalance, flow_imbalance
        most_bps = 1e4 * (0.5 * (ask - bid) + tick) / mid
        self.book_bps = self.flow_bps = 0.0
        move_bps = 1e4 * self.signal.predict_room(book_imbalance, flow_imbalance)
        if move_bps != 0.0:
            # Cut to the bound in the same proportion, so that the parts still add up.
            move_bps = min(1.0, most_bps / fabs(move_bps))
            self.book_bps = move_bps * 1e4 * self.signal.predict_room(book_imbalance, 0.0)
            self.flow_bps = move_bps * 1e4 * self.signal.predict_room(0.0, flow_imbalance)
        move_bps = 1e4 * (self.smoothing._state.level - mid) / mid
        self.kalman_bps = max(-most_bps, min(most_bps, move_bps))
