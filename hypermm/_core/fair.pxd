# The fair price of a market: its mid, what imbalance predicts, and what its bounce hides.
from hypermm._core._types cimport float64_t, int64_t
from hypermm._core.kalman cimport LevelStream
from hypermm._core.regression cimport FairPriceStream


cdef class FairPrice:
    cdef readonly FairPriceStream signal
    cdef readonly LevelStream smoothing
    cdef readonly float64_t mid               # in the unit of its prices; NaN without one
    cdef readonly float64_t book_imbalance
    cdef readonly float64_t flow_imbalance
    cdef readonly float64_t book_bps          # what each adds to the mid
    cdef readonly float64_t flow_bps
    cdef readonly float64_t kalman_bps
    cdef int64_t _ns                          # of the last mid; 0: start anew

    cdef void observe_room(
        self,
        int64_t exch_ns,            # an older stamp than the last is ignored
        float64_t bid,              # 0 < bid < ask; otherwise there is no mid
        float64_t ask,
        float64_t tick,             # step of prices, >= 0
        float64_t book_imbalance,   # in [-1, 1]
        float64_t flow_imbalance,
        float64_t volatility_bps,   # per sqrt(s), >= 0; NaN: not known
    ) noexcept nogil
    cdef void _forget(self) noexcept nogil
    cdef void cut_room(self) noexcept nogil
    cdef float64_t price(self) noexcept nogil  # NaN without a mid
