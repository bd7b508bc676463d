# A grid of quotes by the exact GLFT solution, played over rows of market data in one compiled walk.
# Places are ticks above the window's lowest price; sizes lots; distances bps.
from hypermm._core._types cimport float64_t, int64_t
from hypermm._core.bipower cimport BipowerStream
from hypermm._core.glft cimport Market, Solver
from hypermm._core.kappa cimport KappaStream
from hypermm._core.rows cimport Row

cdef enum:
    MAX_GRID = 64       # orders a side, those on their way among them
    FLAG_CHANGE = 64    # flag of a LEVEL row that sets one level and says nothing of the others

cdef struct Resting:
    int64_t place
    int64_t remaining
    int64_t live_ns     # when it reaches the venue
    int64_t gone_ns     # when its cancel does; NEVER without one
    float64_t ahead     # outside lots before it
    float64_t shown     # at its place, when that was looked at last
    float64_t traded    # there since
    bint is_live

cdef struct Fill:
    int64_t exch_ns
    int64_t price       # price units
    int64_t size
    int side            # +1: we bought

cdef struct Half:
    int side            # +1 bids, -1 asks
    int64_t* shown      # lots by place
    int64_t best        # place; -1: none
    int64_t frame       # place up to which a frame has spoken; -1: none is open
    int count
    int64_t low         # of our live orders' places; high < low: none is live
    int64_t high
    Resting orders[MAX_GRID]


cdef class GridReplay:
    cdef readonly int levels, spacing_ticks, queue_model
    cdef readonly int64_t lots, max_lots, every_ns, latency_ns, tick, low_price
    cdef readonly float64_t risk_aversion, queue_exponent, maker_bps
    cdef readonly int64_t rows, decisions, orders, cancels, refused, outside
    cdef readonly int64_t position, volume, two_sided
    cdef readonly float64_t volatility, kappa_per_bps, intensity_per_sec
    cdef readonly BipowerStream variation
    cdef readonly KappaStream depths
    cdef readonly Solver solver
    cdef int64_t _cash, _fees, _places
    cdef int64_t _now_ns, _due_ns, _decide_ns, _second_ns, _refit_ns
    cdef float64_t _last_mid
    cdef Half _bids, _asks
    cdef Fill* _fills
    cdef int64_t _num_fills, _fill_room
    cdef bint _is_short_of_memory

    cdef void play(self, const Row* row) noexcept nogil
    cdef void catch_up(self, int64_t now_ns) noexcept nogil
    cdef void trade(self, const Row* row) noexcept nogil
    cdef void show(self, Half* half, int64_t place, int64_t size) noexcept nogil
    cdef void frame_row(self, Half* half, int64_t place, const Row* row) noexcept nogil
    cdef void move_best(self, Half* half, int64_t place, int64_t size) noexcept nogil
    cdef void cross(self, Half* half) noexcept nogil
    cdef void fill(self, Half* half, int i, int64_t size) noexcept nogil
    cdef void drop(self, Half* half, int i) noexcept nogil
    cdef void bound(self, Half* half) noexcept nogil
    cdef void arrive(self, Half* half, int64_t now_ns) noexcept nogil
    cdef void decide(self, int64_t now_ns) noexcept nogil
    cdef void refit(self, float64_t half_spread_bps) noexcept nogil
    cdef void quote(self, Half* half, int64_t first, int64_t now_ns) noexcept nogil
    cdef float64_t mid(self) noexcept nogil
