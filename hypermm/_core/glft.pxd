# Optimal quotes of Gueant, Lehalle and Fernandez-Tapia for exponential fill intensities.
# Distances in bps of the fair price, kappa and risk aversion in 1/bps, volatility in bps/sqrt(s),
# intensities in 1/s, inventory in lots of the solver (the size of one order).
from hypermm._core._types cimport float64_t

cdef enum:
    MAX_LOTS = 10_000  # rows of the solver's table a side of its centre

cdef struct Market:
    float64_t volatility      # bps/sqrt(s), >= 0
    float64_t kappa           # 1/bps, > 0: decay of fill intensity with distance
    float64_t bid_intensity   # 1/s, > 0: fills of a bid at distance 0
    float64_t ask_intensity   # 1/s, > 0
    float64_t risk_aversion   # 1/bps, >= 0: gamma times the size of one order
    float64_t execution_risk  # 1/bps, >= 0: xi times the size of one order; 0 for quoting
    float64_t bid_cost        # bps per fill, any sign
    float64_t ask_cost
    float64_t drift           # bps/s, any sign
    float64_t impact          # bps, any sign: jump of the mid against us with our own fill


cdef struct Edge:  # of the rows on one side of the centre, beside it
    float64_t ratio    # u/(1+u)
    float64_t slope    # its derivative by the level
    float64_t by_risk  # and by the inventory risk


cdef float64_t base_depth(float64_t execution_risk, float64_t kappa) noexcept nogil  # bps
cdef float64_t log_factor(float64_t x) noexcept nogil  # ln C(x), x = execution risk / kappa >= 0
cdef float64_t closed_slope(
    float64_t volatility, float64_t kappa, float64_t eta, float64_t risk_aversion
) noexcept nogil  # bps per lot, far from any bound; eta in 1/s: fills of the best quote when flat
cdef int check(const Market* market) except -1  # doors: raise ValueError outside the domains
cdef int check_decay(float64_t kappa, float64_t execution_risk) except -1
cdef int check_arrays(
    const float64_t[::1] inventory, float64_t[::1] bid_out, float64_t[::1] ask_out
) except -1


cdef class Solver:
    cdef readonly int lots_long             # the bounds of the last solution
    cdef readonly int lots_short
    cdef readonly int iterations            # sweeps of the last solution
    cdef readonly bint is_solved
    cdef readonly Py_ssize_t capacity       # rows
    cdef readonly float64_t inventory_risk  # rho: alpha / eta
    cdef readonly float64_t level  # mu hat: eigenvalue over eta, above the hopping band's bottom
    cdef Market _market
    cdef float64_t _exponent                # of the level as a power of the inventory risk
    cdef float64_t _bend                    # of the exponent by the log of the risk
    cdef float64_t _eta                     # 1/s, geometric mean of both sides
    cdef float64_t _tilt                    # b: beta / eta
    cdef float64_t _log_r                   # half the log of ask over bid intensity after costs
    cdef float64_t _bid_base                # bps: depth at a flat value function
    cdef float64_t _ask_base
    cdef int _centre                        # m: lot of the smallest diagonal
    cdef int _first, _last                  # lots covered by the ratios
    cdef float64_t* _up                     # excess ratios above and below the centre, from 1
    cdef float64_t* _down
    cdef float64_t* _up_slope               # the four share one allocation, `_up`'s
    cdef float64_t* _down_slope
    cdef bint _is_symmetric                 # `_down` mirrors `_up` and is not filled
    cdef int enter(
        self, float64_t volatility, float64_t kappa_per_bps, float64_t intensity_per_sec,
        float64_t risk_aversion_per_bps, int lots_long, int lots_short, float64_t cost_bps,
        float64_t drift_bps_per_sec, float64_t impact_bps, float64_t execution_risk_per_bps,
        object ask_intensity_per_sec, object ask_cost_bps, object near_lots,
    ) except -1
    cdef int require(self, float64_t inventory_lots) except -1
    cdef void find(
        self, const Market* market, int lots_long, int lots_short, float64_t near
    ) noexcept nogil
    cdef float64_t log_ratio(self, int n) noexcept nogil
    cdef float64_t log_ratio_at(self, float64_t x) noexcept nogil
    cdef float64_t bid_depth(self, float64_t inventory) noexcept nogil  # bps; nan at the bound
    cdef float64_t ask_depth(self, float64_t inventory) noexcept nogil
    cdef void all_depths(self, float64_t* bid, float64_t* ask) noexcept nogil  # a value per row
    cdef float64_t slope(self, float64_t inventory) noexcept nogil      # bps per lot, >= 0
    cdef float64_t marginal_cost(self, float64_t inventory) noexcept nogil  # bps
