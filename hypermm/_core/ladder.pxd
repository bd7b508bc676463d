# Target ladders: level depths, sizes, and the way from real numbers to allowed prices and lots.
# Prices are integer price units (10**-price_decimals), sizes lots, distances bps of the fair price.
from hypermm._core._types cimport float64_t, int64_t

cpdef enum:
    MAX_LEVELS = 32  # levels a side

cdef struct Tick:  # the numbers of the exchange's price rule
    int64_t whole     # one unit of the quote currency in price units: 10**price_decimals
    int64_t min_step  # finest step that the market's decimals (or the operator's cap) allow

cdef struct Side:  # one side of a ladder, nearest level first
    int count
    int64_t[MAX_LEVELS] price
    int64_t[MAX_LEVELS] size

cdef struct Law:  # how one side is laid out
    int sign                # -1 bids (below the fair price), +1 asks
    int num_levels          # 1 to MAX_LEVELS
    float64_t fair_price    # price units, > 0
    float64_t inner_bps     # depth of level 0, >= 0; nan: no quotes on this side
    int64_t clamp           # nearest price allowed by the market; 0: none
    int64_t side_lots       # most lots on the side
    int64_t room_lots       # most lots that the limits leave
    int64_t min_notional    # price units x lots
    float64_t kappa         # 1/bps, > 0
    float64_t threshold     # bps: cost of a fill plus what one more lot on this side costs
    float64_t curvature     # bps per lot, >= 0
    float64_t adverse        # bps: loss after a fill at the fair price, >= 0
    float64_t adverse_decay  # bps: over which it falls to 1/e, > 0; infinite where it does not


cdef int64_t step_at(const Tick* tick, int64_t price) noexcept nogil      # between prices
cdef int64_t floor_price(const Tick* tick, int64_t price) noexcept nogil  # 0: no price is left
cdef int64_t ceil_price(const Tick* tick, int64_t price) noexcept nogil
cdef int64_t floor_raw(const Tick* tick, float64_t price) noexcept nogil  # 0 to MAX_RAW
cdef int64_t ceil_raw(const Tick* tick, float64_t price) noexcept nogil
cdef int64_t floor_lots(float64_t lots) noexcept nogil                    # >= 0, below 2**62
cdef void space(float64_t inner, float64_t ratio, int n, bint is_geometric,
                float64_t* out) noexcept nogil
cdef void pool(const float64_t* intensity, const float64_t* edge, int n, float64_t curvature,
               float64_t max_size, float64_t* out) noexcept nogil


cdef class Ladder:
    cdef Tick tick
    cdef readonly int64_t best_bid  # the market that the ladder was made for; 0: empty side
    cdef readonly int64_t best_ask
    cdef Side bid
    cdef Side ask
    cdef void reset(self) noexcept nogil
    cdef int64_t highest_bid(self) noexcept nogil
    cdef int64_t lowest_ask(self) noexcept nogil
