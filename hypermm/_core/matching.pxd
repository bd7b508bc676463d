# One side of a matching book: outside levels, and users' orders by slot behind and among them.
# Prices are price units, sizes lots; a rank is side times price, so that the best is the largest.
from hypermm._core._types cimport float64_t, int64_t, uint64_t

cdef enum:
    NONE = -1        # no slot
    FIRST_ROOM = 64  # levels and orders for which memory is taken at once; it doubles when full

cdef struct Level:
    int64_t rank
    int64_t size        # outside lots; 0: none
    int64_t count       # outside orders
    int64_t lots        # users' lots, summed
    int num_orders      # users'
    int first           # slot of the oldest order, NONE without one
    int last

cdef struct Order:
    int64_t rank
    int64_t remaining   # lots; 0: the slot is free
    int64_t ahead       # outside lots that stand before it at its price
    int64_t shown       # outside lots at its price when the market showed them last
    int64_t traded      # outside lots that traded there since
    int next            # younger order of the level; of a free slot the next free one
    int previous


cdef class HalfBook:
    cdef readonly int side      # +1 bids, -1 asks
    cdef readonly int queue_model        # of _core.queue: who left when less is shown
    cdef readonly float64_t queue_exponent
    cdef Level* _levels         # by rank, rising: the best is the last
    cdef Order* _orders         # by slot
    cdef int _num_levels, _level_room
    cdef int _num_orders, _order_room, _slots_used, _free
    cdef int64_t _deepest       # lowest rank that the market has shown

    cdef int require(self, int slot) except -1
    cdef int make_room(self, int levels, int orders) except -1
    cdef int find(self, int64_t rank) noexcept nogil
    cdef Level* level_at(self, int64_t rank) noexcept nogil
    cdef Level* open_level(self, int64_t rank) noexcept nogil
    cdef void sweep(self) noexcept nogil
    cdef void drop_outside_above(self, int64_t rank) noexcept nogil
    cdef void clip_ahead(self) noexcept nogil
    cdef void look_again(self, Order* order, int64_t shown) noexcept nogil
    cdef int queue_order(self, int64_t rank, int64_t size) noexcept nogil
    cdef void unlink(self, int slot) noexcept nogil
    cdef int first_slot(self) noexcept nogil
    cdef uint64_t hash_state(self) noexcept nogil
