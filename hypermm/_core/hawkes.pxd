# Self-exciting arrivals: lambda(t) = mu + sum over t_i < t of m_i alpha exp(-beta (t - t_i)).
# Events of one instant do not excite each other. Times in seconds from the window's start.
from hypermm._core._types cimport float64_t


cdef struct HawkesSums:
    # Of one window of n events with excitation R_i just before event i, its first and second
    # derivatives -dR/dbeta = B and d2R/dbeta2 = C, and L_i = mu + alpha R_i.
    float64_t log_intensities  # sum of ln L
    float64_t decayed          # sum of m (1 - e^-x), x = beta (T - t_i)
    float64_t decayed_slope    # sum of m (1 - (1 + x) e^-x)
    float64_t decayed_bend     # sum m x^2 e^-x
    float64_t last_excitation  # at the horizon, R_T
    float64_t inverse          # sum of 1/L
    float64_t excited          # sum of R/L
    float64_t aged             # sum of B/L
    float64_t inverse_2        # sum of 1/L^2, and so on
    float64_t excited_inverse
    float64_t aged_inverse
    float64_t excited_2
    float64_t excited_aged
    float64_t aged_2
    float64_t bent             # sum of C/L


cdef HawkesSums hawkes_sums(
    const float64_t* times,  # not decreasing, seconds
    const float64_t* marks,  # >= 0, one an event; NULL: all 1
    Py_ssize_t n,            # >= 0
    float64_t horizon,       # end of the window, >= the last time
    float64_t baseline,      # mu, > 0, 1/s
    float64_t jump,          # alpha, >= 0, 1/s
    float64_t decay,         # beta, > 0, 1/s
    int order,               # 0: what the likelihood needs; 1: its gradient too; 2: its Hessian too
) noexcept nogil

cdef float64_t hawkes_loglik(
    const HawkesSums* sums, float64_t span, float64_t baseline, float64_t jump, float64_t decay
) noexcept nogil  # nats; span: length of the window, s

cdef void hawkes_gradient(
    const HawkesSums* sums,
    float64_t span,
    float64_t jump,
    float64_t decay,
    float64_t* out,  # 3: d/dmu, d/dalpha, d/dbeta
) noexcept nogil

cdef void hawkes_hessian(
    const HawkesSums* sums,
    float64_t jump,
    float64_t decay,
    float64_t* out,  # 9: rows of mu, alpha, beta
) noexcept nogil

cdef float64_t slope_weight(float64_t x) noexcept nogil  # 1 - (1 + x) e^-x, x >= 0

cdef float64_t hawkes_mean(
    float64_t baseline, float64_t jump, float64_t decay
) noexcept nogil  # stationary mean, 1/s; infinite where alpha/beta >= 1

cdef float64_t hawkes_variance(
    float64_t baseline, float64_t jump, float64_t decay
) noexcept nogil  # stationary variance of the intensity, 1/s^2; infinite likewise

cdef int check_parameters(float64_t baseline, float64_t jump, float64_t decay) except -1

cdef int check_events(
    const float64_t[::1] times, const float64_t[::1] marks, float64_t horizon_secs
) except -1
