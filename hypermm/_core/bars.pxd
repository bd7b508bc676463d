# Bars of equal volume, and the seconds over which their VWAPs average the price.
from hypermm._core._types cimport float64_t, int64_t

cdef enum:
    # Columns of a bar, in this order; MATH 2.3. F is the share of the bar traded so far.
    BAR_TRADE       # index of the trade that closed it
    BAR_SECS        # time of that trade
    BAR_CLOSE       # price of that trade
    BAR_VWAP        # volume-weighted price
    BAR_LOTS        # volume
    BAR_LEAD        # seconds of F^2 between the bar before and its close
    BAR_LAG         # seconds of (1-F)^2
    BAR_SHARED      # seconds of F(1-F)
    BAR_COLUMNS

cdef struct Gathered:
    # Lots and their cost, and the integrals of 1, lots and lots^2 over the seconds since the bar
    # before.
    int64_t lots
    float64_t notional
    float64_t secs
    float64_t lot_secs
    float64_t square_secs


cdef inline void clear_gathered(Gathered* some) noexcept nogil:
    some.lots = 0
    some.notional = some.secs = some.lot_secs = some.square_secs = 0.0


cdef inline void pass_secs(Gathered* fill, float64_t secs) noexcept nogil:
    cdef float64_t lots = <float64_t> fill.lots
    fill.secs += secs
    fill.lot_secs += lots * secs
    fill.square_secs += lots * lots * secs


cdef inline void close_into(
    Gathered* fill, Gathered* bar, int64_t lots, float64_t price
) noexcept nogil:
    # A trade of `lots` at `price` completes the bucket; what it gathered goes into the bar. The
    # seconds of the bar are those of its first bucket: later ones close at the same time.
    if bar.lots == 0:
        bar.secs, bar.lot_secs, bar.square_secs = fill.secs, fill.lot_secs, fill.square_secs
    bar.lots += fill.lots + lots
    bar.notional += fill.notional + price * <float64_t> lots
    clear_gathered(fill)


cdef inline void averaging_secs(
    const Gathered* bar, float64_t* lead, float64_t* lag, float64_t* shared
) noexcept nogil:
    # With p the price and F the share of the bar's volume traded, the VWAP is p at the close
    # less the integral of F dp. The move between two VWAPs is then the integral of F dp over the
    # first bar and of (1-F) dp over the second, of variance sigma^2 (lead + lag').
    cdef float64_t lots = <float64_t> bar.lots
    cdef float64_t mean = bar.lot_secs / lots
    lead[0] = bar.square_secs / (lots * lots)
    shared[0] = max(mean - lead[0], 0.0)
    lag[0] = max(bar.secs - mean - shared[0], 0.0)
