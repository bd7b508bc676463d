# The prices that the last check compares orders with: seen by itself, apart from the estimators.
cimport cython

from hypermm._core._types cimport float64_t, int64_t
from hypermm._core.rows cimport Row, Rows


@cython.final
cdef class Reference:
    cdef readonly float64_t mark     # price units; 0 while not known
    cdef readonly float64_t oracle   # price units; 0 while not known
    cdef readonly float64_t mid      # of the last touch with two sides that do not cross; 0: none
    cdef int64_t _bid
    cdef int64_t _ask
    cdef float64_t _units_per_raw    # price units in one unit of a context row
    cdef void _see(self, const Row* row) noexcept nogil
    cpdef void observe(self, Rows rows)
