# Three states of a ratio, with hysteresis.
from hypermm._core._types cimport float64_t, int8_t, int64_t


cdef class Regime:
    cdef readonly int8_t state        # 0 normal, 1 high, 2 extreme
    cdef readonly int64_t dwell       # observations since the last change
    cdef readonly int64_t min_dwell
    cdef float64_t _up[2]             # to state 1, to state 2
    cdef float64_t _down[2]           # from state 1, from state 2

    cdef int8_t add(self, float64_t ratio) noexcept nogil  # the new state
