# Target ladder against live orders, on integers: what to cancel, what to place, what stays.
# Prices are price units, sizes lots; sides +1 bid, -1 ask.
from hypermm._core._types cimport float64_t, int64_t
from hypermm._core.ladder cimport Ladder, Side

cpdef enum:
    MAX_ORDERS = 128  # live orders of both sides

cdef enum:
    MAX_PLACES = 64   # two sides of a full ladder


cdef float64_t queue_value(
    float64_t kappa,          # 1/bps, > 0
    float64_t chance,         # of a fill at the place, in [0, 1]
    float64_t chance_at_end,  # at the end of the same queue, in (0, 1]
) noexcept nogil              # bps of the price, >= 0


cdef class Reconciler:
    cdef readonly int num_cancels             # of the last comparison
    cdef readonly int num_places
    cdef int[MAX_ORDERS] _side                # by slot; 0: free
    cdef int64_t[MAX_ORDERS] _price
    cdef int64_t[MAX_ORDERS] _remaining
    cdef float64_t[MAX_ORDERS] _queue_value  # bps, >= 0; 0 without one
    cdef int[MAX_ORDERS] _bids                # slots, nearest first; older first at one price
    cdef int[MAX_ORDERS] _asks
    cdef int _num_bids, _num_asks
    cdef int[MAX_ORDERS] _cancels
    cdef int[MAX_PLACES] _place_side
    cdef int64_t[MAX_PLACES] _place_price
    cdef int64_t[MAX_PLACES] _place_size
    cdef int require(self, int slot) except -1
    cdef int compare_live(self, Ladder ladder, float64_t max_bps_diff) noexcept nogil
    cdef void match(self, const Side* target, const int* live, int num_live, int side,
                    int64_t limit, float64_t max_bps_diff) noexcept nogil
    cdef bint is_near(self, int slot, int64_t wanted, int side,
                      float64_t max_bps_diff) noexcept nogil
    cdef bint may_keep(self, int slot, int64_t size, int side, int64_t limit) noexcept nogil
