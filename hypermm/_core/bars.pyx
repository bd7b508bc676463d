"""A series of trades cut into bars of equal volume.

Fills are counted in integer lots, and a trade is split exactly at a bar's edge.
"""

from libc.math cimport fabs

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
