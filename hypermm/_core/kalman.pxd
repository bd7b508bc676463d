# Local level: a price that walks, seen through noise that bounces.
from hypermm._core._types cimport float64_t, int64_t

cdef struct Level:
    float64_t level     # estimate of the price, m
    float64_t variance  # its error variance, p >= 0

cdef struct Surprise:
    float64_t error     # observation less what was expected, v
    float64_t variance  # of the error, S = p + q dt + R

cdef Surprise level_update(
    Level* state,
    float64_t price,
    float64_t walk_variance,   # q dt >= 0: how far the price may have walked since
    float64_t noise_variance,  # R >= 0
) noexcept nogil

cdef float64_t steady_gain_of(
    float64_t ratio,  # q dt / R >= 0
) noexcept nogil      # the gain that the filter settles at, in [0, 1]


cdef class LevelStream:
    cdef readonly float64_t decay_secs
    cdef readonly int64_t updates        # prices taken in
    cdef Level _state
    cdef float64_t _products     # decayed sum of products of neighbouring differences
    cdef float64_t _squares      # decayed sum of their squares
    cdef float64_t _weight       # decayed number of the products
    cdef float64_t _square_weight
    cdef float64_t _last_price
    cdef float64_t _last_difference

    cdef float64_t noise_room(self) noexcept nogil  # R in price^2; 0 while there is no bounce
    cdef void restart_room(self, float64_t price) noexcept nogil  # after a silence
    cdef float64_t update_room(
        self, float64_t price, float64_t secs, float64_t variance_per_sec
    ) noexcept nogil
