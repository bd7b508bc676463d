# Imbalance of the book and of the flow, and the simple prices made of it.
from hypermm._core._types cimport float64_t

cdef float64_t imbalance(
    float64_t buys,   # >= 0
    float64_t sells,  # >= 0
) noexcept nogil      # (buys - sells) / (buys + sells), in [-1, 1]; 0 where both are 0

cdef float64_t weighted_sum(
    const float64_t* sizes,  # nearest level first, >= 0
    Py_ssize_t n,
    float64_t decay,         # weight of each level relative to the one before, (0, 1]
) noexcept nogil

cdef float64_t weighted_mid_of(
    float64_t bid, float64_t ask, float64_t bid_size, float64_t ask_size
) noexcept nogil  # in the unit of bid and ask; the mid where there is no size

cdef float64_t microprice_of(
    float64_t mid,
    float64_t book_imbalance,
    float64_t flow_imbalance,
    float64_t beta_book,  # relative move per unit of imbalance
    float64_t beta_flow,
) noexcept nogil


cdef class FlowImbalance:
    cdef readonly float64_t decay_secs
    cdef readonly float64_t buys   # decayed volume of aggressors
    cdef readonly float64_t sells

    cdef void advance_room(self, float64_t secs) noexcept nogil
    cdef void add(self, float64_t signed_size) noexcept nogil
    cdef float64_t value_room(self) noexcept nogil
