# Optimal quotes some time before a horizon, exact. Units as in `glft`.
from hypermm._core._types cimport float64_t
from hypermm._core.glft cimport Market, Solver

cdef enum:
    ROWS_OF_WORK = 20  # arrays of one number a row that `integrate` needs

# The flow of a value function through time: what a row changes by per second, and how fast that
# grows with the row above and below it (>= 0; with the row itself it falls as fast as both).
ctypedef void (*Flow)(
    const void* context, int rows, const float64_t* value,
    float64_t* rate, float64_t* up, float64_t* down,
) noexcept nogil

# Up to a number that all rows share. False if no step small enough was found: `value` is then as
# far as it came.
cdef bint integrate(
    Flow flow, const void* context, int rows, float64_t secs, float64_t tolerance,
    float64_t* value, float64_t* work,
) noexcept nogil


cdef class FiniteHorizon:
    cdef readonly int lots_long
    cdef readonly int lots_short
    cdef readonly bint is_started
    cdef readonly Py_ssize_t capacity
    cdef readonly float64_t horizon_secs  # advanced so far
    cdef Market _market
    cdef Solver _stationary
    cdef float64_t _alpha, _beta          # 1/s: growth of the diagonal with n squared and with n
    cdef int _rows
    cdef float64_t[::1] _log              # of the value function's exponential, sides made equal
    cdef float64_t[::1] _work
    cdef int require(self) except -1
    cdef float64_t diagonal(self, int row) noexcept nogil
    cdef void begin(self, float64_t linear, float64_t quadratic, bint is_stationary) noexcept nogil
    cdef void set_stationary(self) noexcept nogil
    cdef bint is_forgotten(self, float64_t secs) noexcept nogil
    cdef bint step(self, float64_t secs) noexcept nogil
    cdef bint sum_series(self, float64_t secs) noexcept nogil
    cdef void sum_scaled(self, float64_t secs) noexcept nogil
    cdef void sum_logs(self, float64_t secs) noexcept nogil
    cdef void shift(self, float64_t payment) noexcept nogil
    cdef float64_t log_ratio(self, int row) noexcept nogil
    cdef float64_t log_ratio_at(self, float64_t inventory) noexcept nogil
    cdef float64_t bid_depth(self, float64_t inventory) noexcept nogil  # bps; nan at the bound
    cdef float64_t ask_depth(self, float64_t inventory) noexcept nogil
    cdef float64_t value(self, int inventory) noexcept nogil            # bps times lots
