# Depth of one market in fixed arrays, net of our own resting orders. Fed by LEVEL and QUOTE rows.
from hypermm._core._types cimport float64_t, int8_t, int64_t, uint8_t
from hypermm._core.rows cimport Row

cdef enum:
    DEPTH = 64       # levels kept a side: 20 of the deep form and what quotes add in between
    OWN_PRICES = 64  # prices a side at which we may rest
    MIDS = 128       # changes of the mid remembered: nine seconds if every block brings one
    TOP_LEVELS = 5   # levels a side of the `fast` form; fewer of them mean the side ends there

cdef struct BookSide:
    int8_t side               # +1 bids, -1 asks
    Py_ssize_t count
    int64_t price[DEPTH]      # best first, in price units
    int64_t size[DEPTH]       # as displayed, in lots
    Py_ssize_t own_count
    int64_t own_price[OWN_PRICES]  # best first
    int64_t own_size[OWN_PRICES]   # lots, > 0

cdef float64_t imbalance_of(
    float64_t bid_size,  # weighted lots, >= 0
    float64_t ask_size,  # weighted lots, >= 0
) noexcept nogil         # in [-1, 1]; 0 where both are 0


cdef class Book:
    cdef BookSide _bids
    cdef BookSide _asks
    cdef BookSide _staged_bids  # the frame that is being read; applied whole or not at all
    cdef BookSide _staged_asks
    cdef int64_t _staged_ns
    cdef uint8_t _staged_kind   # 0 between frames
    cdef bint _staged_is_top
    cdef bint _staged_is_bad
    cdef int64_t _mid_ns[MIDS]    # a ring of (stamp, bid + ask); 0 where not quotable
    cdef int64_t _mid_sums[MIDS]
    cdef Py_ssize_t _mid_count
    cdef Py_ssize_t _mid_next
    cdef readonly int64_t best_bid  # net of ours, price units; 0 if there is none
    cdef readonly int64_t best_ask
    cdef readonly bint is_quotable  # both sides there and bid < ask
    cdef readonly bint is_crossed   # both sides there and bid >= ask: locked counts
    cdef readonly int64_t newest_ns
    cdef readonly int64_t frames             # applied
    cdef readonly int64_t old_frames         # ignored: older than what was applied
    cdef readonly int64_t malformed_frames   # ignored: torn, unsorted, or out of range
    cdef readonly int64_t unquotable_frames  # applied, and then the book was not quotable

    cdef bint apply_row(self, const Row* row) noexcept nogil  # True: a frame was applied
    cdef int64_t mid_sum(self) noexcept nogil  # best_bid + best_ask; 0 if not quotable
    cdef int64_t mid_sum_before(self, int64_t exch_ns) noexcept nogil  # 0 if not known
    cdef float64_t net_imbalance(self, Py_ssize_t levels, float64_t decay) noexcept nogil
    cdef int64_t net_depth(self, int8_t side, float64_t distance_bps) noexcept nogil
    cdef int64_t shown_at(self, int8_t side, int64_t price) noexcept nogil  # lots; -1: beyond view
    cdef int64_t net_at(self, int8_t side, int64_t price) noexcept nogil    # the same without ours
    cdef Py_ssize_t own_count(self, int8_t side) noexcept nogil
    cdef int64_t own_price_at(self, int8_t side, Py_ssize_t i) noexcept nogil  # best first
    cdef int64_t own_size_at(self, int8_t side, Py_ssize_t i) noexcept nogil
    cdef void reset(self) noexcept nogil
    cdef void _stage(self, const Row* row) noexcept nogil
    cdef bint _commit(self) noexcept nogil
    cdef void _publish(self) noexcept nogil
    cdef bint _change_own(self, BookSide* own, int64_t price, int64_t change) noexcept nogil
