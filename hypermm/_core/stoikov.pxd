# Stoikov's microprice: where the mid goes from a state of imbalance and spread, in expectation.
from hypermm._core._types cimport float64_t

cdef Py_ssize_t eliminate(  # -1, or the state at which the chain falls apart
    Py_ssize_t n,
    float64_t* rates,        # (n, n), >= 0; the diagonal is not read; overwritten
    float64_t* leaving,      # (n,), >= 0: excess of each row's diagonal over its other elements
    float64_t* diagonal,     # (n,), out
    Py_ssize_t* order,       # (n,), out
    bint has_leaving,        # False: rows sum to 0, and the last state of the order stands for all
) noexcept nogil

cdef void solve(             # (D - rates) x = x, after `eliminate`
    Py_ssize_t n,
    const float64_t* rates,
    const float64_t* diagonal,
    const Py_ssize_t* order,
    float64_t* x,            # (n, columns), in and out
    Py_ssize_t columns,
    bint has_leaving,        # False: the last state's x is 0
) noexcept nogil
