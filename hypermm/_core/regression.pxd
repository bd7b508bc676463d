# The move of the mid over a horizon, regressed on imbalance with forgetting.
from hypermm._core._types cimport float64_t, int64_t

cdef enum:
    PENDING = 64        # samples that wait for their label
    SAMPLES_PER_HORIZON = 32  # at most, so that the ring above never runs over

cdef struct Regression:
    # Least squares of y on (x0, x1) with forgetting. The covariance is kept as U D U', which stays
    # positive and symmetric however ill the data are.
    float64_t beta0
    float64_t beta1
    float64_t diagonal0  # D, >= 0
    float64_t diagonal1
    float64_t upper      # the one element of U above its unit diagonal

cdef struct Learned:
    # What the delayed labels have taught, and how well it predicted before it learned.
    Regression fit
    float64_t residual_squares  # decayed sum of (y - prediction)^2, predictions made at the sample
    float64_t target_squares    # decayed sum of y^2
    float64_t weight            # decayed number of labels
    int64_t sample_ns           # stamp of the last sample learned from
    int64_t pairs               # learned
    int64_t dropped             # samples whose label was no price

cdef struct Sample:
    int64_t exch_ns
    float64_t mid
    float64_t x0
    float64_t x1
    float64_t prediction  # of the relative move, by what was known at the sample

cdef void regression_start(
    Regression* fit,
    float64_t prior_variance,  # > 0: the covariance starts as this times the unit matrix
) noexcept nogil

cdef float64_t regression_update(  # returns the error y - x'beta made before the update
    Regression* fit,
    float64_t x0,
    float64_t x1,
    float64_t y,
    float64_t forgetting,   # (0, 1]
    float64_t trace_limit,  # the covariance's trace never exceeds it
) noexcept nogil


cdef class FairPriceStream:
    cdef readonly int64_t horizon_ns
    cdef readonly int64_t sample_ns   # least time between two samples
    cdef readonly float64_t decay_secs
    cdef readonly int64_t least_pairs  # below which nothing is predicted
    cdef float64_t _trace_limit
    cdef Learned _learned
    cdef Learned _before      # as of the stamp before, while labels of this very stamp may change
    cdef Py_ssize_t _before_head
    cdef bint _is_provisional
    cdef Sample _ring[PENDING]
    cdef Py_ssize_t _head     # of the oldest sample that waits; indices grow for ever
    cdef Py_ssize_t _tail
    cdef int64_t _now_ns
    cdef float64_t _mid       # since _now_ns; NaN: none
    cdef bint _has_started

    cdef void observe_room(  # the door's conditions hold: a stamp that does not run back
        self, int64_t exch_ns, float64_t mid, float64_t book_imbalance, float64_t flow_imbalance
    ) noexcept nogil
    cdef float64_t predict_room(self, float64_t x0, float64_t x1) noexcept nogil
    cdef float64_t r_squared(self) noexcept nogil
    cdef float64_t fair_price_room(
        self,
        float64_t bid,
        float64_t ask,
        float64_t tick,
        float64_t book_imbalance,
        float64_t flow_imbalance,
        float64_t top_imbalance,
    ) noexcept nogil
    cdef void cut_room(self) noexcept nogil
    cdef void _settle(self, int64_t due_before_ns) noexcept nogil
    cdef void _learn(self, const Sample* sample, float64_t mid) noexcept nogil
