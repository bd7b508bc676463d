# Funding of the venue: premium, rate, payment, and what the running hour will come to.
from hypermm._core._types cimport float64_t, int64_t

cdef float64_t premium_of(
    float64_t impact_bid, float64_t impact_ask, float64_t oracle_price
) noexcept nogil  # fraction of the oracle price

cdef float64_t funding_rate_of(
    float64_t premium,  # mean over the hour, fraction
) noexcept nogil        # fraction per 8 hours

cdef float64_t hourly_rate_of(
    float64_t rate,     # per 8 hours
) noexcept nogil        # fraction per hour, within the venue's cap

cdef float64_t mean_premium_of(
    float64_t mean_seen, float64_t last, float64_t long_run, float64_t persistence,
    float64_t seen, float64_t samples,
) noexcept nogil        # expected mean of the whole hour

cdef float64_t expected_rate_of(
    float64_t mean,     # of the hour's mean premium, normal
    float64_t deviation,
) noexcept nogil        # fraction per 8 hours


cdef class FundingStream:
    cdef readonly int64_t samples      # taken in
    cdef readonly float64_t rate       # hourly; NaN before the first sample
    cdef readonly float64_t rate_se
    cdef int64_t _hour                 # that runs
    cdef int64_t _hour_samples
    cdef float64_t _hour_sum
    cdef int64_t _sampled_ns
    cdef int64_t _now_ns
    cdef float64_t _last
    cdef float64_t _weight             # decayed sums: of 1, of the premium, of its square
    cdef float64_t _sum
    cdef float64_t _squares
    cdef float64_t _steps              # squared differences of neighbours

    cdef void add_room(self, int64_t exch_ns, float64_t premium) noexcept nogil
    cdef void _predict(self) noexcept nogil
