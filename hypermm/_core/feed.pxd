# One walk over rows of market data that drives book, volume clock, volatility and intensity.
from hypermm._core._types cimport float64_t, int8_t, int64_t
from hypermm._core.bipower cimport BipowerStream, VolumeClock
from hypermm._core.book cimport Book
from hypermm._core.fair cimport FairPrice
from hypermm._core.flow cimport Flow
from hypermm._core.funding cimport FundingStream
from hypermm._core.kappa cimport KappaStream
from hypermm._core.ladder cimport Tick
from hypermm._core.own cimport OwnQuotes
from hypermm._core.regime cimport Regime
from hypermm._core.rows cimport Row

cdef enum:
    MEDIAN_OF = 256    # values that a rolling median looks back on
    RECENT = 16        # the most that count as recent
    CHANNELS = 5       # kinds of rows, and 0 that is none
    SEEN_TRADES = 2048  # at least so many trades are remembered
    SEEN_SLOTS = 4096   # a power of two, twice as many


cdef class RollingMedian:
    cdef readonly Py_ssize_t count
    cdef Py_ssize_t _next
    cdef int64_t _ring[MEDIAN_OF]    # in order of arrival
    cdef int64_t _sorted[MEDIAN_OF]

    cdef void add(self, int64_t value) noexcept nogil
    cdef int64_t median(self) noexcept nogil  # the lower one of an even number; 0 if none
    cdef int64_t median_of_last(self, Py_ssize_t n) noexcept nogil  # 1 <= n <= RECENT; 0 if none


cdef class SeenTrades:
    cdef int64_t _stamps[2][SEEN_SLOTS]  # 0: free
    cdef int64_t _ids[2][SEEN_SLOTS]
    cdef Py_ssize_t _young               # which of the two is filled
    cdef Py_ssize_t _count

    cdef bint add(self, int64_t exch_ns, int64_t trade_id) noexcept nogil  # False: seen before
    cdef bint _has(self, Py_ssize_t table, int64_t exch_ns, int64_t trade_id) noexcept nogil
    cdef void _insert(self, int64_t exch_ns, int64_t trade_id) noexcept nogil


cdef class Feed:
    cdef readonly Book book
    cdef readonly VolumeClock clock
    cdef readonly BipowerStream variation
    cdef readonly KappaStream buys     # aggressive buys: what fills our asks
    cdef readonly KappaStream sells
    cdef readonly KappaStream slow     # both sides, remembered for hours
    cdef readonly BipowerStream slow_variation
    cdef readonly FairPrice fair
    cdef readonly Flow flow
    cdef readonly FundingStream funding_stream
    cdef readonly OwnQuotes own
    cdef readonly Regime volatility_regime
    cdef readonly Regime spread_regime
    cdef RollingMedian _spreads          # of the last minutes, and of the last hours
    cdef RollingMedian _usual_spreads
    cdef SeenTrades _seen
    cdef readonly int64_t newest_ns    # newest stamp of book, quote or live trade; 0 if none
    cdef readonly int64_t trades       # distinct ones, re-sent ones among them once
    cdef readonly int64_t snapshot_trades
    cdef readonly int64_t repeated_trades
    cdef readonly int64_t malformed_trades
    cdef readonly int64_t events         # aggressor events
    cdef readonly int64_t blind_events   # of these, without a mid strictly before
    cdef readonly int64_t gaps           # silences longer than five seconds
    cdef readonly int64_t late_trades    # live, with a stamp before that of a trade seen before
    cdef readonly int64_t absurd_trades  # far from every price that is known
    cdef readonly int64_t absurd_books
    cdef readonly bint is_held           # the book's mid is not believed
    cdef int64_t _channel_ns[CHANNELS]   # newest stamp, applied and silences of each kind
    cdef int64_t _channel_rows[CHANNELS]
    cdef int64_t _channel_gaps[CHANNELS]
    cdef int64_t _trade_ns               # newest live trade
    cdef Tick _tick
    cdef float64_t _believed_mid         # the last one; 0: none since a silence
    cdef float64_t _candidate            # the price that would have to be believed; 0: none
    cdef int _candidate_rows
    cdef int _candidate_kinds            # bits of the kinds that agree on it
    cdef int64_t _usual_ns
    cdef readonly int64_t funding        # hourly rate in units of 1e-12
    cdef readonly int64_t open_interest_lots
    cdef readonly int64_t day_volume_lots
    cdef bint _has_funding
    cdef int64_t _mark                   # units of 1e-12 USD; 0 if not known
    cdef int64_t _oracle
    cdef float64_t _context_scale        # price units in 1e-12 USD
    cdef int64_t _event_ns               # the event that is still growing; 0 if none
    cdef int8_t _event_side
    cdef int64_t _event_worst
    cdef int64_t _sampled_ns             # when the spread was taken last
    cdef int64_t _last_mid_sum           # of the last quotable book
    cdef bint _is_seeded
    cdef float64_t _last_vwap            # of the last tick; 0 if none
    cdef int64_t _last_tick_ns
    cdef float64_t _last_lead_secs       # what the last tick leaves of its own seconds
    cdef float64_t _last_shared_secs
    cdef float64_t _volume_lots          # decayed sums whose ratio is lots per second
    cdef float64_t _volume_secs
    cdef int64_t _volume_ns

    cdef void apply_row(self, const Row* row) noexcept nogil
    cdef float64_t arrivals_kappa(self) noexcept nogil  # without own fills; NaN if none
    cdef float64_t half_spread(self) noexcept nogil  # bps, from the rolling median; NaN if none
    cdef void _trade(self, const Row* row) noexcept nogil
    cdef void _context(self, const Row* row) noexcept nogil
    cdef void _stamp(self, int64_t exch_ns) noexcept nogil
    cdef void _channel(self, const Row* row, int64_t exch_ns) noexcept nogil
    cdef bint _is_believed(self, float64_t price, int kind) noexcept nogil
    cdef void _book_changed(self, int kind) noexcept nogil
    cdef void _note_regimes(self) noexcept nogil
    cdef void _finish_event(self) noexcept nogil
    cdef void _take_tick(self) noexcept nogil
    cdef void _gather_volume(self, int64_t exch_ns, int64_t size) noexcept nogil
    cdef void _choose_bucket(self) noexcept nogil
