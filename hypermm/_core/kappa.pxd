# Decay of the fill intensity lambda(d) = A exp(-kappa d) with the depth d of aggressive orders.
from hypermm._core._types cimport float64_t, int64_t

cdef float64_t truncated_mean(
    float64_t y,  # kappa times the width of the window, >= 0
) noexcept nogil  # mean of an exponential cut off at the window's end, over the width: (0, 1/2]

cdef float64_t truncated_rate(
    float64_t mean,  # observed mean over the width, > 0
) noexcept nogil     # the y of `truncated_mean`; 0 if mean >= 1/2: no decay is identified


cdef class KappaStream:
    cdef readonly float64_t decay_secs
    cdef readonly float64_t prior_shape
    cdef readonly float64_t prior_rate      # bps
    cdef readonly float64_t weight          # decayed number of uncensored depths, MATH name m
    cdef readonly float64_t excess_bps      # decayed sum of depths beyond the least one, S
    cdef readonly float64_t events          # decayed number of events, n
    cdef readonly float64_t exposure_secs   # decayed seconds of watching, E

    cdef float64_t kappa(self) noexcept nogil  # posterior mean, 1/bps; NaN if nothing is known
    cdef void advance_room(self, float64_t secs) noexcept nogil
    cdef void add(
        self, float64_t depth_bps, float64_t least_bps, float64_t most_bps
    ) noexcept nogil
