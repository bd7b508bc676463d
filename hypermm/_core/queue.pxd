# Queue position of a resting order from level-2 data, and the probability that it fills.
from hypermm._core._types cimport float64_t

cdef enum:  # how cancels are shared between those ahead of us (f) and those behind (b)
    POWER = 0        # b^n / (b^n + f^n)
    LOG = 1          # ln(1+b) / (ln(1+b) + ln(1+f))
    POWER2 = 2       # b^n / (b+f)^n
    LOG2 = 3         # ln(1+b) / ln(1+b+f)
    POWER3 = 4       # 1 - (f/(f+b))^n
    RISK_AVERSE = 5  # all behind us: only trades bring us forward
    MODELS = 6

cdef float64_t behind_share(
    int model,
    float64_t exponent,  # n > 0, of the power models
    float64_t ahead,     # f; at or below 0 the share is 1
    float64_t behind,    # b >= 0
) noexcept nogil

cdef float64_t ahead_after(  # f after a change of the displayed quantity
    int model,
    float64_t exponent,
    float64_t ahead,
    float64_t traded,    # at this price since the last change, >= 0
    float64_t before,    # displayed quantity, >= 0
    float64_t after,
) noexcept nogil

cdef float64_t fill_probability_of(
    float64_t ahead,             # units ahead of us, >= 0
    float64_t trades_per_sec,    # unit market orders, >= 0
    float64_t cancels_per_sec,   # per resting unit, >= 0
    float64_t secs,              # >= 0
) noexcept nogil

cdef float64_t mean_fill_secs_of(
    float64_t ahead, float64_t trades_per_sec, float64_t cancels_per_sec
) noexcept nogil  # infinite without trades

cdef float64_t diffusion_probability_of(
    float64_t ahead,       # >= 0
    float64_t drift,       # units per second that the queue shrinks by
    float64_t volatility,  # units per sqrt(s), > 0
    float64_t secs,        # >= 0
) noexcept nogil


cdef class QueuePosition:
    cdef readonly int model
    cdef readonly float64_t exponent
    cdef readonly float64_t ahead   # f, in lots; below 0: filled by the excess
    cdef readonly float64_t traded  # c, since the last change of the displayed quantity

    cdef void trade_room(self, float64_t size) noexcept nogil
    cdef void depth_room(self, float64_t before, float64_t after) noexcept nogil
    cdef float64_t take_fill_room(self, float64_t most) noexcept nogil
