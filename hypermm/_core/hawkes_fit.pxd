# Search for the maximum of a likelihood of event times; shared by the fits.
from hypermm._core._types cimport float64_t, int8_t
from hypermm._core.hawkes_terms cimport MAX_TERMS

cdef enum:
    MAX_SIZE = 10     # parameters: a pair of streams with four decays
    MAX_STARTS = 6

cdef struct Data:
    # A window of events, and what is fixed about the model.
    const float64_t* times
    const int8_t* kinds
    const float64_t* marks
    Py_ssize_t n
    float64_t start
    float64_t horizon
    int count                      # of terms with fixed decays
    float64_t[MAX_TERMS] decay
    bint is_shared                 # a pair of streams with one decay

cdef struct Fit:
    float64_t value
    float64_t[MAX_SIZE] x
    float64_t[MAX_SIZE] end        # x as of the stretch
    float64_t[MAX_SIZE * MAX_SIZE] hessian
    int evaluations
    bint is_converged

ctypedef float64_t (*Objective)(
    const Data* data, const float64_t* x, float64_t* gradient, float64_t* hessian
) noexcept nogil


cdef void maximise(
    Objective objective,
    const Data* data,
    int size,
    const float64_t* low,
    const float64_t* high,
    float64_t longest,  # step of a coordinate
    Fit* fit,           # in: x; the rest is out
) noexcept nogil

cdef void search(
    Objective objective,
    const Data* data,
    int size,
    const float64_t* starts,  # count rows of `size` logarithms
    int count,                # <= MAX_STARTS
    const float64_t* low,
    const float64_t* high,
    Fit* best,
) noexcept nogil

cdef void covariance_of(
    const float64_t* hessian, const bint* is_free, int size, float64_t* out
) noexcept nogil  # NaN where a coordinate is not free, and where the Hessian is not definite

cdef void gaps_of(
    const Data* data, float64_t* median, float64_t* least
) noexcept nogil  # of the positive gaps between events; 0 where there is none

cdef int check_enough(const Data* data, float64_t median) except -1

cdef Data data_of(
    const float64_t[::1] times, const float64_t[::1] marks, float64_t horizon_secs
) noexcept
