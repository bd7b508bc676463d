# Arrivals of aggressive orders: how excited each side is, how rare that is, where it pushes.
from hypermm._core._types cimport float64_t, int8_t, int64_t
from hypermm._core.cascade cimport CascadeTable
from hypermm._core.hawkes_stream cimport HawkesStream
from hypermm._core.microprice cimport FlowImbalance

cdef enum:
    KEPT = 1024  # arrivals of a side that a fit looks back on
    PEAKS = 20   # highest intensities that calibrate the level

cdef struct Peaks:
    float64_t value[PEAKS]  # rising
    Py_ssize_t count
    float64_t secs          # watched while they were gathered


cdef class Arrivals:
    cdef readonly HawkesStream stream
    cdef readonly CascadeTable table      # None before the first fit
    cdef readonly int64_t events
    cdef readonly int64_t fits            # accepted
    cdef readonly int64_t refusals        # fits that were not
    cdef readonly float64_t branching     # of the last accepted fit, and standard errors
    cdef readonly float64_t branching_se
    cdef readonly float64_t decay_se_per_sec
    cdef readonly float64_t correction    # powers of ten taken off the model's rarity
    cdef readonly bint is_calibrated
    cdef readonly int64_t watched_ns      # the clock of arrivals: time that was watched
    cdef float64_t _secs[KEPT]            # of the last arrivals, a ring
    cdef int64_t _due_events              # when the next fit begins
    cdef int64_t _due_ns
    cdef bint _is_table_due
    cdef Peaks _fresh                     # of this block of time, and of the one before it
    cdef Peaks _waiting
    cdef Peaks _young                     # of this half day, and of the one before it
    cdef Peaks _old
    cdef int64_t _second
    cdef float64_t _peak

    cdef void add_room(self) noexcept nogil
    cdef void advance_room(self, float64_t secs) noexcept nogil
    cdef float64_t intensity(self) noexcept nogil  # 1/s; NaN before the first fit
    cdef float64_t rarity(self) noexcept nogil     # -log10 of the time with a higher one, >= 0
    cdef void _note_peak(self) noexcept nogil
    cdef void _fit(self) noexcept with gil
    cdef void _tabulate(self) noexcept with gil
    cdef void _set(self, float64_t baseline, float64_t jump, float64_t decay) except *
    cdef void _calibrate(self) noexcept nogil


cdef class Flow:
    cdef readonly Arrivals buys
    cdef readonly Arrivals sells
    cdef readonly FlowImbalance volume    # lots of aggressors, decayed
    cdef readonly FlowImbalance forced    # of these, liquidations and the like
    cdef readonly float64_t closed_lots   # fall of open interest, with the same decay
    cdef int64_t _open_interest

    cdef void advance_room(self, float64_t secs) noexcept nogil
    cdef void trade_room(self, int8_t side, float64_t lots, bint is_forced) noexcept nogil
    cdef void arrival_room(self, int8_t side) noexcept nogil
    cdef void open_interest_room(self, int64_t lots) noexcept nogil
    cdef float64_t severity_room(self, int8_t* side) noexcept nogil  # [0, 1]; side 0: none
