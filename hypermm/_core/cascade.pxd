# Severity of a cascade in [0, 1] from the intensity of forced flow, so that bands mean frequencies.
from hypermm._core._types cimport float64_t, int64_t

cdef enum:
    KNOTS = 512


cdef float64_t severity_of(
    float64_t rarity,  # L = -log10 of the fraction of time with a higher intensity, >= 0
) noexcept nogil       # [0, 1]; not decreasing

cdef float64_t calibrated(
    float64_t rarity,      # of the model
    float64_t correction,  # log10 of how much more often the level was seen than modelled, >= 0
) noexcept nogil

cdef float64_t directed(
    float64_t severity,
    float64_t signed_flow,  # buys minus sells
    float64_t flow,         # buys plus sells, >= 0
    bint has_forced_flow,
) noexcept nogil            # at most 0.5 without a direction

cdef float64_t tail_rate(
    float64_t jump, float64_t decay
) noexcept nogil  # theta > 0 of e^(alpha theta) = 1 + beta theta, s; alpha < beta


cdef class CascadeTable:
    cdef readonly float64_t baseline_per_sec
    cdef readonly float64_t jump_per_sec
    cdef readonly float64_t decay_per_sec
    cdef readonly float64_t tail_rate_secs
    cdef float64_t[KNOTS] _excess  # of the intensity over the baseline, in jumps, increasing
    cdef float64_t[KNOTS] _place   # its logarithm
    cdef float64_t[KNOTS] _rarity

    cdef float64_t rarity_at(self, float64_t intensity) noexcept nogil    # L >= 0
    cdef float64_t severity_at(self, float64_t intensity) noexcept nogil  # [0, 1]
