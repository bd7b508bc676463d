# Funding of the venue: premium, rate, payment, and what the running hour will come to.
from hypermm._core._types cimport float64_t

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
