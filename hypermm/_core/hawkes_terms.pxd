# Intensities that are sums of exponential terms: lambda(t) = mu + sum over k of alpha_k R_k(t),
# R_k(t) = sum of m_i exp(-beta_k (t - t_i)) over the events t_i < t of the term's source.
from hypermm._core._types cimport float64_t, int8_t

cdef enum:
    MAX_TERMS = 8
    ANY = -1  # as source or target: events of every kind


cdef struct HawkesTerms:
    # One intensity, the one of events of kind `target`.
    int target
    int count                       # of terms, 1 to MAX_TERMS
    float64_t baseline              # mu, > 0, 1/s
    int[MAX_TERMS] source           # kind of the events that excite
    float64_t[MAX_TERMS] jump       # alpha_k, >= 0, 1/s
    float64_t[MAX_TERMS] decay      # beta_k, > 0, 1/s


cdef float64_t terms_loglik(
    const float64_t* times,  # not decreasing, seconds
    const int8_t* kinds,     # 0 or 1 an event; NULL: all 0
    const float64_t* marks,  # >= 0; NULL: all 1
    Py_ssize_t n,
    float64_t start,         # of the window, <= the first time
    float64_t horizon,
    const HawkesTerms* terms,
    float64_t* gradient,     # 1 + 2 K: mu, alpha_1.., beta_1..; NULL: not wanted
    float64_t* hessian,      # (1 + 2 K)^2, likewise; needs the gradient too
) noexcept nogil  # nats

cdef HawkesTerms sum_terms(
    float64_t baseline, const float64_t[::1] jumps, const float64_t[::1] decays
) except *  # checks

cdef HawkesTerms pair_terms(
    int kind, const float64_t* baselines, const float64_t* jumps, const float64_t* decays
) noexcept nogil

cdef int check_kinds(const int8_t[::1] kinds, Py_ssize_t n) except -1

cdef int check_pair(
    const float64_t[::1] baselines, const float64_t[::1] jumps, const float64_t[::1] decays
) except -1

cdef float64_t spectral_radius(
    float64_t n00, float64_t n01, float64_t n10, float64_t n11
) noexcept nogil  # of a 2 x 2 matrix of branching ratios, each >= 0
