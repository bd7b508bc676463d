# Closed forms of optimal quotes, for small inventories far from any bound. Units as in `glft`.
from hypermm._core._types cimport float64_t
from hypermm._core.glft cimport Market


cdef float64_t finite_slope(
    float64_t slope,           # stationary, bps per lot, > 0
    float64_t rate,            # 1/s, > 0
    float64_t horizon,         # s, >= 0
    float64_t terminal_slope,  # bps per lot, >= 0
) noexcept nogil               # bps per lot

# What the inventory adds to the depth of a bid, in bps; of an ask with the inventory negated.
cdef float64_t linear_skew(float64_t slope, float64_t inventory) noexcept nogil
cdef float64_t asinh_skew(
    float64_t kappa, float64_t inventory_risk, float64_t inventory
) noexcept nogil

# Depths of both quotes in bps, linear in the inventory; False if they are not finite.
cdef bint closed_quotes(
    const Market* market, float64_t inventory, float64_t* bid, float64_t* ask
) noexcept nogil

cdef float64_t alpha_shift(
    float64_t drift,  # bps/s
    float64_t rate,   # 1/s, >= 0, > 0 for an endless drift
    float64_t life,   # s, > 0, inf for an endless drift
) noexcept nogil      # bps
