"""A series of trades cut into bars of equal volume.

Fills are counted in integer lots, and a trade is split exactly at a bar's edge.
"""

from libc.math cimport NAN, asin, fabs, sqrt

from hypermm._core.bipower cimport log_return

cdef float64_t HALF_PI = 1.5707963267948966
cdef int64_t MAX_LOTS = 1 << 61  # so that a fill and a trade never overflow together


def volume_bars(
    const float64_t[::1] secs,
    const float64_t[::1] prices,
    const int64_t[::1] lots,
    float64_t[:, ::1] out,
    *,
    int64_t bucket_lots,
    bint is_merged=True,
):
    """Cut a series of trades into bars of equal volume; return the number closed.

    A trade is split exactly at a bar's edge, and one trade may close several buckets.

    Parameters
    ----------
    secs : array of float64, shape (n,)
        Times of the trades, in seconds, finite, not decreasing.
    prices : array of float64, shape (n,)
        Prices, > 0, in any unit.
    lots : array of int64, shape (n,)
        Sizes in lots, 1 to 2**61.
    out : array of float64, shape (m, 8)
        Receives a row for each bar: index of the trade that closed it, its time, its price, the
        VWAP, the lots, and three times in seconds over which the bar averages the price (`lead`,
        `lag` and `shared`, see Notes).
    bucket_lots : int
        Volume of a bucket in lots, 1 to 2**61.
    is_merged : bool
        Whether all buckets that trades of one time close are one bar (a sweep is one piece of
        news); else each bucket is a bar.

    Raises
    ------
    ValueError
        If lengths differ, a value is outside its domain, or m is smaller than the number of
        bars.

    Notes
    -----
    Allocates nothing. A VWAP averages the price over its bar, which hides up to a third of the
    variance. With F the share of the bar that has traded, lead is the integral of F^2 over the
    seconds since the bar before, lag that of (1-F)^2, shared that of F(1-F): the move between
    two VWAPs has the variance of (lead + lag of the next bar) seconds, and its covariance with
    the move after it is that of the middle bar's shared seconds. `VolumeClock` is the streaming
    form of merged bars.

    Examples
    --------
    >>> import numpy as np
    >>> out = np.zeros((4, 8))
    >>> secs, prices = np.array([1.0, 2.0]), np.array([100.0, 106.0])
    >>> volume_bars(secs, prices, np.array([25, 5]), out, bucket_lots=10, is_merged=False)
    3
    >>> out[:3, 3]
    array([100., 100., 103.])
    """
    cdef Py_ssize_t i, n = prices.shape[0], closed = 0, last = 0
    cdef int64_t rest, part, total = 0
    cdef Gathered fill, bar  # the bucket that is open, and the bar that its time may still widen
    clear_gathered(&fill)
    clear_gathered(&bar)
    if secs.shape[0] != n or lots.shape[0] != n:
        raise ValueError(f"secs and lots must have the length of prices: {n}")
    if out.shape[1] != BAR_COLUMNS:
        raise ValueError(f"out must have {<int> BAR_COLUMNS} columns: {out.shape[1]}")
    if not 1 <= bucket_lots <= MAX_LOTS:
        raise ValueError(f"bucket_lots must lie in 1 to {MAX_LOTS}: {bucket_lots}")
    for i in range(n):
        _check_trade(secs, prices, lots, i)
        total += lots[i]
        if total > MAX_LOTS:
            raise ValueError(f"lots must sum to at most {MAX_LOTS}: exceeded at lots[{i}]")
        if i > 0:
            pass_secs(&fill, secs[i] - secs[i - 1])
            if bar.lots > 0 and secs[i] > secs[last]:
                closed += _write(out, closed, &bar, last, secs, prices)
        rest = lots[i]
        while rest >= bucket_lots - fill.lots:
            part = bucket_lots - fill.lots
            if is_merged:
                part += (rest - part) // bucket_lots * bucket_lots
            close_into(&fill, &bar, part, prices[i])
            rest -= part
            last = i
            if not is_merged:
                closed += _write(out, closed, &bar, last, secs, prices)
        fill.lots += rest
        fill.notional += prices[i] * <float64_t> rest
    if bar.lots > 0:
        closed += _write(out, closed, &bar, last, secs, prices)
    return closed


cdef int _check_trade(
    const float64_t[::1] secs, const float64_t[::1] prices, const int64_t[::1] lots, Py_ssize_t i
) except -1:
    if not 1 <= lots[i] <= MAX_LOTS:
        raise ValueError(f"lots[{i}] must lie in 1 to {MAX_LOTS}: {lots[i]}")
    if not 0.0 < prices[i] < 1e300:
        raise ValueError(f"prices[{i}] must be > 0 and finite: {prices[i]}")
    if not fabs(secs[i]) < 1e300:
        raise ValueError(f"secs[{i}] must be finite: {secs[i]}")
    if i > 0 and secs[i] < secs[i - 1]:
        raise ValueError(f"secs[{i}] must not be below the time before it: {secs[i]}")
    return 0


cdef int _write(
    float64_t[:, ::1] out, Py_ssize_t row, Gathered* bar, Py_ssize_t trade,
    const float64_t[::1] secs, const float64_t[::1] prices,
) except -1:
    """Settle a bar into its row; return 1, the number of rows written."""
    if row == out.shape[0]:
        raise ValueError(f"out must have more than {row} rows: there are more bars")
    out[row, BAR_TRADE] = <float64_t> trade
    out[row, BAR_SECS] = secs[trade]
    out[row, BAR_CLOSE] = prices[trade]
    out[row, BAR_VWAP] = bar.notional / <float64_t> bar.lots
    out[row, BAR_LOTS] = <float64_t> bar.lots
    averaging_secs(bar, &out[row, BAR_LEAD], &out[row, BAR_LAG], &out[row, BAR_SHARED])
    clear_gathered(bar)
    return 1


def vwap_variance(
    const float64_t[::1] vwaps,
    const float64_t[::1] lead_secs,
    const float64_t[::1] lag_secs,
    const float64_t[::1] shared_secs,
):
    """Bipower variance per second from the VWAPs of bars, whatever their length.

    Parameters
    ----------
    vwaps : array of float64, shape (n,)
        VWAPs, > 0, in any unit.
    lead_secs, lag_secs, shared_secs : array of float64, shape (n,)
        Seconds over which each bar averages the price, >= 0, as `volume_bars` writes them.

    Returns
    -------
    tuple of float
        Variance per second, dimensionless, and its standard error, robust to changing
        volatility; NaN for fewer than three bars or where no time passes.

    Raises
    ------
    ValueError
        If a value is outside its domain, or the lengths differ.

    Notes
    -----
    With s = lead + lag of the next bar and c = shared / sqrt(s s'):
    (pi/2) sum |r||r'| / sum sqrt(s s') (sqrt(1-c^2) + c arcsin c). The error is that of a ratio
    of sums whose terms are correlated over three lags. Allocates nothing; the GIL is released.

    Examples
    --------
    >>> import numpy as np
    >>> variance, _ = vwap_variance(
    ...     np.exp(np.array([0.0, 1e-4, 0.0, 1e-4])), np.ones(4), np.zeros(4), np.zeros(4)
    ... )
    >>> round(variance * 1e8, 4)
    1.5708
    """
    cdef Py_ssize_t i, n = vwaps.shape[0]
    cdef float64_t variance = NAN, error = NAN
    if lead_secs.shape[0] != n or lag_secs.shape[0] != n or shared_secs.shape[0] != n:
        raise ValueError(f"the seconds must have the length of vwaps: {n}")
    for i in range(n):
        if not 1e-150 <= vwaps[i] <= 1e150:
            raise ValueError(f"vwaps[{i}] must be > 0 and finite: {vwaps[i]}")
        if not (
            0.0 <= lead_secs[i] < 1e100
            and 0.0 <= lag_secs[i] < 1e100
            and 0.0 <= shared_secs[i] < 1e100
        ):
            raise ValueError(f"the seconds of bar {i} must be >= 0 and finite")
    if n >= 3:
        with nogil:
            _variance(
                &vwaps[0], &lead_secs[0], &lag_secs[0], &shared_secs[0], n, &variance, &error
            )
    return variance, error


cdef void _variance(
    const float64_t* vwaps, const float64_t* lead, const float64_t* lag,
    const float64_t* shared, Py_ssize_t n, float64_t* variance, float64_t* error,
) noexcept nogil:
    # Sums of products x = (pi/2)|r||r'| and of their weights w, and of both at lags 0 to 3, from
    # which the sums of x - variance * w follow.
    cdef float64_t xs[4]
    cdef float64_t ws[4]
    cdef float64_t xx = 0.0, xw = 0.0, ww = 0.0, plain = 0.0, x_sum = 0.0, w_sum = 0.0
    cdef float64_t size, before = 0.0, span, span_before = 0.0, share, twice
    cdef Py_ssize_t i, k
    for k in range(4):
        xs[k] = ws[k] = 0.0
    for i in range(1, n):
        size = fabs(log_return(vwaps[i], vwaps[i - 1]))
        span = lead[i - 1] + lag[i]
        if i > 1:
            for k in range(3, 0, -1):
                xs[k], ws[k] = xs[k - 1], ws[k - 1]
            xs[0] = HALF_PI * size * before
            ws[0] = sqrt(span * span_before)
            share = min(shared[i - 1] / ws[0], 1.0) if ws[0] > 0.0 else 0.0
            ws[0] *= sqrt(1.0 - share * share) + share * asin(share)
            x_sum += xs[0]
            w_sum += ws[0]
            for k in range(4):
                twice = 1.0 if k == 0 else 2.0
                xx += twice * xs[0] * xs[k]
                xw += 0.5 * twice * (xs[0] * ws[k] + ws[0] * xs[k])
                ww += twice * ws[0] * ws[k]
        before, span_before = size, span
    if not w_sum > 0.0:
        return
    variance[0] = x_sum / w_sum
    plain = xx - 2.0 * variance[0] * xw + variance[0] * variance[0] * ww
    error[0] = sqrt(max(plain, 0.0)) / w_sum
