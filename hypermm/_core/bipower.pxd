# Volatility of a price sampled on a volume clock, robust to jumps; realised measures of a window.
from hypermm._core._types cimport float64_t, int64_t

cdef enum:
    JUMP_RATIO_CAP = 1000  # stands for 'all of it is a jump' where the bipower variation is 0

cdef struct Variation:
    # Of one window of n log returns; NaN where n is too small for the measure.
    float64_t rv               # realised variance
    float64_t bv               # bipower variation, with the factor n/(n-1); n >= 2
    float64_t minrv            # n >= 2
    float64_t medrv            # n >= 3
    float64_t tpq              # tripower quarticity of a window of length 1; n >= 3
    float64_t qpq              # quadpower quarticity; n >= 4
    float64_t minrq            # n >= 2
    float64_t medrq            # n >= 3
    float64_t jump_ratio       # rv / bv, at most JUMP_RATIO_CAP; 1 where both are 0
    float64_t relative_jump    # (rv - bv) / rv; 0 where rv is 0
    float64_t jump_statistic   # about N(0, 1) without jumps, large with them; n >= 3
    float64_t jump_p_value     # one-sided
    float64_t jump_variance    # max(rv - bv, 0)

cdef Variation variation_of(
    const float64_t* log_returns,  # finite
    Py_ssize_t n,                  # >= 1
) noexcept nogil


cdef class VolumeClock:
    cdef readonly int64_t bucket_lots       # 0: not known yet, volume only gathers
    cdef readonly int64_t next_bucket_lots  # takes over when the open bucket closes
    cdef readonly int64_t fill_lots         # in the open bucket
    cdef readonly int64_t buckets           # closed so far
    cdef readonly int64_t ticks             # stamps that closed one or more buckets
    cdef readonly int64_t tick_ns           # the last settled tick
    cdef readonly float64_t tick_vwap       # its VWAP over all buckets it closed, price units
    cdef readonly int64_t tick_lots         # the volume of those buckets
    cdef float64_t _fill_notional
    cdef int64_t _open_ns
    cdef int64_t _open_lots
    cdef float64_t _open_notional

    cdef bint add(self, int64_t exch_ns, int64_t price, int64_t size) noexcept nogil
    cdef bint settle(self, int64_t exch_ns) noexcept nogil  # True: a tick is complete
    cdef void set_next(self, int64_t lots) noexcept nogil


cdef class BipowerStream:
    cdef readonly float64_t decay_secs
    cdef readonly int64_t returns  # taken in
    cdef float64_t _squares        # decayed sums, MATH names N, D, B, D_b
    cdef float64_t _secs
    cdef float64_t _products
    cdef float64_t _product_secs
    cdef float64_t _last_size
    cdef float64_t _last_secs

    cdef void seed_room(self, float64_t volatility_bps, float64_t secs) noexcept nogil
    cdef void add(self, float64_t log_return, float64_t secs) noexcept nogil
    cdef float64_t volatility(self) noexcept nogil  # bps per sqrt(s), NaN if not defined yet
    cdef float64_t ratio(self) noexcept nogil       # RV / BV, NaN if not defined yet
