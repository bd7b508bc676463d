# Our own resting quotes: their place in the queue, and the fills that they bring by depth.
from hypermm._core._types cimport float64_t, int8_t, int64_t
from hypermm._core.book cimport OWN_PRICES, Book
from hypermm._core.kappa_joint cimport FillBins

cdef enum:
    SLOTS = 128  # prices of both sides: 2 * OWN_PRICES

cdef struct Slot:
    int8_t side         # +1 bid, -1 ask
    int64_t price       # price units
    int64_t size        # of ours, lots
    float64_t ahead     # lots before us, cancels shared between before and behind; NaN: not known
    float64_t most      # the same if only trades bring us forward
    float64_t traded    # at this price since the book was seen last
    float64_t shown     # others' lots at this price then; negative: not known


cdef class OwnQuotes:
    cdef readonly FillBins bins        # seconds and fills by depth
    cdef readonly int64_t fills
    cdef readonly float64_t kappa_factor  # decay that own fills say over that of arrivals
    cdef readonly float64_t kappa_se_per_bps  # of that decay; NaN before
    cdef readonly Py_ssize_t count
    cdef Slot _slots[SLOTS]
    cdef float64_t _canceled           # decayed: others' cancels at our prices, over what rested
    cdef float64_t _rested             # lots times seconds

    cdef void set_room(self, int8_t side, Book book) noexcept nogil
    cdef void trade_room(self, int8_t side, int64_t price, float64_t lots) noexcept nogil
    cdef void book_room(self, Book book) noexcept nogil
    cdef void watch_room(self, float64_t mid, float64_t secs) noexcept nogil
    cdef void fill_room(
        self, int8_t side, int64_t price, float64_t lots, float64_t mid
    ) noexcept nogil
    cdef void learn(self, float64_t kappa, float64_t weight) noexcept nogil
    cdef float64_t cancels_per_sec(self) noexcept nogil  # of one resting lot
