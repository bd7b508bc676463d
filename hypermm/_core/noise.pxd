# Variance of a price that is seen with noise: two time scales, pre-averaging, realised kernel.
from hypermm._core._types cimport float64_t

cdef float64_t realised_variance_of(
    const float64_t* log_prices, Py_ssize_t n,  # n returns, n+1 prices
) noexcept nogil

cdef float64_t two_scale_of(
    const float64_t* log_prices, Py_ssize_t n,
    Py_ssize_t step,                            # K, 2 to n
    bint is_adjusted,                           # for small samples
) noexcept nogil

cdef float64_t preaveraged_of(
    const float64_t* log_prices, Py_ssize_t n,
    Py_ssize_t window,                          # k_n, 2 to n
) noexcept nogil

cdef float64_t realised_kernel_of(
    const float64_t* log_returns, Py_ssize_t n,
    Py_ssize_t bandwidth,                       # H, 0 to n-1
) noexcept nogil
