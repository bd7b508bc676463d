# Volatility of a price sampled on a volume clock, robust to jumps.
from hypermm._core._types cimport float64_t, int64_t
from hypermm._core.bars cimport Gathered

cdef class VolumeClock:
    cdef readonly int64_t bucket_lots       # 0: not known yet, volume only gathers
    cdef readonly int64_t next_bucket_lots  # takes over when the open bucket closes
    cdef readonly int64_t buckets           # closed so far
    cdef readonly int64_t ticks             # stamps that closed one or more buckets
    cdef readonly int64_t tick_ns           # the last settled tick
    cdef readonly float64_t tick_vwap       # its VWAP over all buckets it closed, price units
    cdef readonly int64_t tick_lots         # the volume of those buckets
    cdef readonly float64_t tick_lead_secs    # seconds of F^2, F the share of its volume traded
    cdef readonly float64_t tick_lag_secs     # of (1-F)^2
    cdef readonly float64_t tick_shared_secs  # of F(1-F)
    cdef int64_t _last_ns                   # newest trade
    cdef int64_t _open_ns
    cdef Gathered _fill                     # the open bucket
    cdef Gathered _open                     # the open tick: its stamp may still widen it

    cdef bint add(self, int64_t exch_ns, int64_t price, int64_t size) noexcept nogil
    cdef bint settle(self, int64_t exch_ns) noexcept nogil  # True: a tick is complete
    cdef void set_next(self, int64_t lots) noexcept nogil


cdef float64_t log_return(
    float64_t price,   # > 0
    float64_t before,  # > 0
) noexcept nogil       # ln(price / before), small moves with all their digits


cdef class BipowerStream:
    cdef readonly float64_t decay_secs
    cdef readonly int64_t returns  # taken in
    cdef float64_t _rate           # -1 / decay_secs
    cdef float64_t _squares        # decayed sums, MATH names N, D, B, D_b
    cdef float64_t _secs
    cdef float64_t _products
    cdef float64_t _product_secs
    cdef float64_t _weights        # decayed sums of 1, by the weights and by their squares
    cdef float64_t _square_weights
    cdef float64_t _last_size
    cdef float64_t _last_secs

    cdef void seed_room(self, float64_t volatility_bps, float64_t secs) noexcept nogil
    cdef void add(self, float64_t log_return, float64_t secs) noexcept nogil
    cdef void add_vwap(
        self,
        float64_t log_return,
        float64_t secs,           # between the closes of the two ticks
        float64_t variance_secs,  # lead of the tick before + lag of this one
        float64_t shared_secs,    # those of the tick before
    ) noexcept nogil
    cdef void _take(
        self, float64_t size, float64_t secs, float64_t weight, float64_t product_secs
    ) noexcept nogil
    cdef void _chunk(
        self, const float64_t* secs, const float64_t* prices, Py_ssize_t n, float64_t* out
    ) noexcept nogil
    cdef void _recur(
        self, const float64_t* sizes, const float64_t* steps, const float64_t* weights,
        float64_t* roots, float64_t* products, Py_ssize_t n,
    ) noexcept nogil
    cdef float64_t volatility(self) noexcept nogil  # bps per sqrt(s), NaN if not defined yet
    cdef float64_t aged(self, float64_t quiet_secs) noexcept nogil  # the same, in quiet time
    cdef float64_t ratio(self) noexcept nogil       # RV / BV, NaN if not defined yet
