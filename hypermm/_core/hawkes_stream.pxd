# Live intensities of self-exciting arrivals, O(1) an event.
from hypermm._core._types cimport float64_t, int64_t
from hypermm._core.hawkes_terms cimport MAX_TERMS, HawkesTerms


cdef class HawkesStream:
    cdef readonly float64_t baseline_per_sec
    cdef readonly float64_t jump_per_sec
    cdef readonly float64_t decay_per_sec
    cdef readonly float64_t excitation  # sum of decayed marks, the last event's included
    cdef readonly int64_t last_ns       # stamp of the last event
    cdef readonly int64_t events

    cdef float64_t intensity_at(self, int64_t now_ns) noexcept nogil  # 1/s, decay on read
    cdef void add(self, int64_t now_ns, float64_t mark) noexcept nogil


cdef class HawkesSumStream:
    cdef readonly int64_t last_ns  # stamp of the last event
    cdef readonly int64_t events
    cdef HawkesTerms _terms
    cdef float64_t[MAX_TERMS] _excitation  # as of last_ns

    cdef float64_t intensity_at(self, int64_t now_ns) noexcept nogil  # 1/s
    cdef void add(self, int64_t now_ns, float64_t mark) noexcept nogil


cdef class HawkesPairStream:
    cdef readonly int64_t last_ns  # stamp of the last event
    cdef readonly int64_t events
    cdef float64_t[2] _baseline
    cdef float64_t[4] _jump
    cdef float64_t[4] _decay
    cdef float64_t[4] _excitation  # [2 m + n]: of kind m by events of kind n, as of last_ns

    cdef int _check(self, int kind, int64_t now_ns) except -1
    cdef float64_t intensity_at(self, int kind, int64_t now_ns) noexcept nogil  # 1/s
    cdef void add(self, int kind, int64_t now_ns, float64_t mark) noexcept nogil
