# Realised measures of a window of returns.
from hypermm._core._types cimport float64_t

cdef struct Realised:
    float64_t rv              # sum of squares
    float64_t bv              # bipower variation with the factor n/(n-1); NaN if n < 2
    float64_t rv_se           # standard errors, from the quarticity of blocks of 64 returns
    float64_t bv_se

cdef Realised realised_of(
    const float64_t* log_returns,
    Py_ssize_t n,                  # >= 1
) noexcept nogil  # not finite if a return is not finite or beyond 1e150

cdef enum:
    JUMP_RATIO_CAP = 1000  # stands for 'all of it is a jump' where the bipower variation is 0

cdef struct Variation:
    # Of one window of n log returns; NaN where n is too small for the measure.
    float64_t rv               # realised variance
    float64_t bv               # bipower variation, with the factor n/(n-1); n >= 2
    float64_t minrv            # n >= 2
    float64_t medrv            # n >= 3
    float64_t tpq              # tripower quarticity of a window of length 1; n >= 3
    float64_t qpq              # quadpower quarticity; n >= 4
    float64_t minrq            # n >= 2
    float64_t medrq            # n >= 3
    float64_t jump_ratio       # rv / bv, at most JUMP_RATIO_CAP; 1 where both are 0
    float64_t relative_jump    # (rv - bv) / rv; 0 where rv is 0
    float64_t jump_statistic   # about N(0, 1) without jumps, large with them; n >= 3
    float64_t jump_p_value     # one-sided
    float64_t jump_variance    # max(rv - bv, 0)

cdef Variation variation_of(
    const float64_t* log_returns,  # finite
    Py_ssize_t n,                  # >= 1
) noexcept nogil
