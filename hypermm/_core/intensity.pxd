# Best quotes for fill intensities of any of four families, and adverse selection that depends on
# depth. Distances in bps of the fair price, intensities in 1/s, inventory in lots.
from hypermm._core._types cimport float64_t

cpdef enum Family:
    EXPONENTIAL = 0      # A exp(-k d)
    POWER = 1            # A (1 + d/scale)**-exponent, d > -scale, exponent > 1
    LOGISTIC = 2         # A / (1 + exp(a + b d))
    TWO_EXPONENTIALS = 3  # A exp(-k d) + A2 exp(-k2 d)

cdef struct Law:
    Family family
    float64_t level           # A: 1/s, > 0
    float64_t decay           # k or b in 1/bps, > 0; of a power its exponent, > 1
    float64_t offset          # a; of a power its scale in bps, > 0; else A2: 1/s, > 0
    float64_t second_decay    # k2: 1/bps, > 0, not above k
    float64_t cost            # bps a fill
    float64_t adverse         # bps: adverse selection at depth 0, >= 0
    float64_t adverse_decay   # bps: depth over which it falls by e, > 0
    float64_t execution_risk  # 1/bps: xi times the size of one order, >= 0

cdef struct Best:
    float64_t depth  # bps: where the quote stands
    float64_t gain   # bps times lots per second: what it earns above its reservation
    float64_t rate   # 1/s: minus the derivative of the gain, fills weighted by their certainty

cdef float64_t intensity_at(const Law* law, float64_t depth) noexcept nogil        # 1/s
cdef float64_t inverse_decay(const Law* law, float64_t depth) noexcept nogil       # bps: -L/L'
cdef void maximise(
    const Law* law, float64_t reservation, float64_t guess, Best* best
) noexcept nogil  # `guess` a depth near the answer, or nan; the depth is nan where there is none


cdef class Intensity:
    cdef Law law


cdef class PolicySolver:
    cdef readonly int lots_long
    cdef readonly int lots_short
    cdef readonly int iterations
    cdef readonly bint is_solved
    cdef readonly Py_ssize_t capacity
    cdef readonly float64_t gain_bps_per_sec  # bps times lots per second, in the long run
    cdef readonly float64_t horizon_secs      # inf: stationary
    cdef Law _bid, _ask
    cdef float64_t _penalty, _drift
    cdef int _rows
    cdef float64_t _residual
    cdef float64_t[::1] _value
    cdef float64_t[::1] _work
    cdef void evaluate(self, const float64_t* step, bint is_first) noexcept nogil
    cdef bint improve(self, float64_t* change) noexcept nogil
    cdef bint find(self) noexcept nogil
    cdef void restate(self) noexcept nogil
    cdef int take(
        self, Intensity bid, Intensity ask, float64_t volatility, float64_t risk_aversion,
        float64_t drift, int lots_long, int lots_short
    ) except -1
    cdef int require(self) except -1
    cdef float64_t step_at(self, float64_t inventory) noexcept nogil
    cdef float64_t bid_depth(self, float64_t inventory) noexcept nogil  # bps; nan at the bound
    cdef float64_t ask_depth(self, float64_t inventory) noexcept nogil
