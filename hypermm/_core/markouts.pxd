# What fills cost afterwards: moves of the mid after them, with errors that know that fills cluster.
from hypermm._core._types cimport float64_t, int64_t

cdef struct Mean:
    float64_t value
    float64_t error  # standard error; NaN for fewer than two values

cdef float64_t hac_error_of(
    const float64_t* values,  # in time order
    Py_ssize_t n,
    float64_t mean,           # of the values
    Py_ssize_t lags,          # Bartlett lags, >= 0
) noexcept nogil              # Newey-West standard error of the mean; NaN for n < 2

cdef Py_ssize_t overlap_lags_of(
    const int64_t* stamps_ns,  # not falling
    Py_ssize_t n,
    int64_t horizon_ns,        # >= 0
) noexcept nogil               # 1.3 sqrt(n), or the mean number of fills inside a horizon if larger

cdef float64_t markout_bps_of(
    int side,                # +1 we bought
    float64_t mid,           # at the fill, > 0
    float64_t mid_later,
) noexcept nogil             # bps of the mid at the fill, a loss positive

cdef float64_t capture_bps_of(int side, float64_t mid, float64_t price) noexcept nogil


cdef class MarkoutRing:
    cdef readonly Py_ssize_t capacity
    cdef readonly int64_t added      # for ever
    cdef int64_t[::1] _stamps        # twice the capacity: a window of it is always in order
    cdef float64_t[::1] _moves
    cdef float64_t[::1] _captures
    cdef float64_t[::1] _sizes
    cdef Py_ssize_t _start
    cdef Py_ssize_t _n

    cdef void add_room(
        self, int64_t stamp_ns, float64_t move_bps, float64_t capture_bps, float64_t size
    ) noexcept nogil


cdef class MarkoutStream:
    cdef readonly float64_t decay_secs
    cdef float64_t _weights         # decayed sums of w and w^2
    cdef float64_t _squared_weights
    cdef float64_t _moves           # mean
    cdef float64_t _squares         # decayed sum of w (x - mean)^2

    cdef void advance_room(self, float64_t secs) noexcept nogil
    cdef void add(self, float64_t move_bps, float64_t weight) noexcept nogil
    cdef Mean read_room(self) noexcept nogil
    cdef float64_t _effective(self) noexcept nogil
