# Level and decay of the fill intensity lambda(d) = A exp(-kappa d) from fills and seconds quoted.
from hypermm._core._types cimport float64_t

cdef enum:
    MAX_BINS = 512  # depths that `FillBins` tells apart

cdef struct JointFit:
    float64_t log_intensity    # ln A, A in 1/s
    float64_t kappa            # 1/unit of depth
    float64_t log_intensity_se
    float64_t kappa_se
    float64_t covariance       # of ln A and kappa
    float64_t log_likelihood   # at the maximum, without ln N!, with the prior's term

cdef bint joint_fit_of(
    const float64_t* depths,
    const float64_t* secs,     # quoted at each depth, >= 0
    const float64_t* fills,    # >= 0, 0 where secs are 0
    Py_ssize_t n,
    float64_t prior_shape,     # > 1, or 0 for no prior
    float64_t prior_rate,      # unit of depth, > 0, or 0
    JointFit* fit,
) noexcept nogil               # False: not identified


cdef class FillBins:
    cdef readonly float64_t width_bps
    cdef readonly Py_ssize_t bins
    cdef readonly float64_t decay_secs   # infinite: nothing is forgotten
    cdef float64_t _depths[MAX_BINS]     # centres
    cdef float64_t _secs[MAX_BINS]
    cdef float64_t _fills[MAX_BINS]

    cdef Py_ssize_t bin_of(self, float64_t depth_bps) noexcept nogil
    cdef void watch_room(self, float64_t depth_bps, float64_t secs) noexcept nogil  # both >= 0
    cdef void fill_room(self, float64_t depth_bps, float64_t fills) noexcept nogil
    cdef void pass_secs(self, float64_t secs) noexcept nogil
