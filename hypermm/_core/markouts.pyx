"""What fills cost afterwards: moves of the mid after them, a loss positive.

Fills cluster, so that the error of a mean must know their correlation. A mid at a time is the last
one at or before it.
"""

cimport cython
from libc.math cimport NAN, exp, fabs, sqrt
from libc.string cimport memmove

import numpy as np

cdef float64_t LARGEST = 1e100


cdef float64_t markout_bps_of(int side, float64_t mid, float64_t mid_later) noexcept nogil:
    return -side * (mid_later - mid) / mid * 1e4


cdef float64_t capture_bps_of(int side, float64_t mid, float64_t price) noexcept nogil:
    return side * (mid - price) / mid * 1e4


cdef float64_t hac_error_of(
    const float64_t* values, Py_ssize_t n, float64_t mean, Py_ssize_t lags
) noexcept nogil:
    # Bartlett's weights make the variance a sum of squares: of the sums over all windows of
    # lags + 1 neighbours, those that hang over the ends included. One pass, never negative.
    cdef float64_t window = 0.0, total = 0.0
    cdef Py_ssize_t i
    if n < 2:
        return NAN
    for i in range(min(lags + 1, n)):
        window += values[i] - mean
        total += window * window
    for i in range(lags + 1, n):
        window += values[i] - values[i - lags - 1]
        total += window * window
    # Windows that hold every value sum to 0; the rest lose one at a time from the front.
    for i in range(max(n - lags, 1), n):
        window -= values[i - 1] - mean
        total += window * window
    return sqrt(total / <float64_t> (lags + 1)) / <float64_t> n


cdef Py_ssize_t overlap_lags_of(
    const int64_t* stamps_ns, Py_ssize_t n, int64_t horizon_ns
) noexcept nogil:
    cdef Py_ssize_t i, j = 0, inside = 0, least = <Py_ssize_t> (1.3 * sqrt(<float64_t> n))
    cdef float64_t mean
    if n == 0:
        return 0
    for i in range(n):
        while j < n and stamps_ns[j] - stamps_ns[i] <= horizon_ns:
            j += 1
        inside += j - i - 1
    mean = <float64_t> inside / <float64_t> n
    return max(least, <Py_ssize_t> (mean + 0.5))


cdef int _check_values(str name, const float64_t[::1] values) except -1:
    cdef Py_ssize_t i
    for i in range(values.shape[0]):
        if not fabs(values[i]) <= LARGEST:
            raise ValueError(f"{name}[{i}] must be finite: {values[i]}")
    return 0


cdef float64_t _mean(const float64_t* values, Py_ssize_t n) noexcept nogil:
    cdef float64_t total = 0.0
    cdef Py_ssize_t i
    for i in range(n):
        total += values[i]
    return total / <float64_t> n if n else NAN


cdef float64_t _sized_mean(
    const float64_t* values, const float64_t* sizes, Py_ssize_t n
) noexcept nogil:
    cdef float64_t total = 0.0, size = 0.0
    cdef Py_ssize_t i
    for i in range(n):
        total += sizes[i] * values[i]
        size += sizes[i]
    return total / size if size > 0.0 else NAN


def newey_west(const float64_t[::1] values, *, Py_ssize_t lags):
    """Return the mean of a series and its standard error, robust to correlation up to `lags`.

    Parameters
    ----------
    values : array of float64, shape (n,)
        In time order, finite.
    lags : int
        Bartlett lags, >= 0.

    Returns
    -------
    tuple of float
        In the unit of the values. The error is NaN for fewer than two, the mean for none.

    Raises
    ------
    ValueError
        If a value is not finite or `lags` is negative.

    Notes
    -----
    var = (g0 + 2 sum_l (1 - l/(L+1)) g_l)/n, in one pass whatever L. Source: Newey and West
    (1987). Allocates nothing but the result.
    """
    cdef Py_ssize_t n = values.shape[0]
    cdef Mean mean
    if lags < 0:
        raise ValueError(f"lags must be >= 0: {lags}")
    _check_values("values", values)
    if n == 0:
        return NAN, NAN
    with nogil:
        mean.value = _mean(&values[0], n)
        mean.error = hac_error_of(&values[0], n, mean.value, lags)
    return mean.value, mean.error


def overlap_lags(const int64_t[::1] stamps_ns, *, int64_t horizon_ns):
    """Return the lags for the error of markouts: 1.3 sqrt(n), or the fills inside a horizon.

    Parameters
    ----------
    stamps_ns : array of int64, shape (n,)
        Stamps of the fills in nanoseconds, not falling.
    horizon_ns : int
        Horizon in nanoseconds, >= 0. The mean number of fills that follow one within it counts if
        it is larger than 1.3 sqrt(n).

    Raises
    ------
    ValueError
        If a stamp runs back or the horizon is negative.
    """
    cdef Py_ssize_t i, n = stamps_ns.shape[0]
    if horizon_ns < 0:
        raise ValueError(f"horizon_ns must be >= 0: {horizon_ns}")
    for i in range(1, n):
        if stamps_ns[i] < stamps_ns[i - 1]:
            raise ValueError(f"stamps_ns[{i}] must not be below the one before: {stamps_ns[i]}")
    return overlap_lags_of(&stamps_ns[0], n, horizon_ns) if n else 0


cdef Py_ssize_t _last_at(
    const float64_t* secs, Py_ssize_t n, Py_ssize_t start, float64_t at, bint is_before
) noexcept nogil:
    # Last index >= start with secs <= at (< at if `is_before`), or start - 1; by doubling steps,
    # because the next one is often near.
    cdef Py_ssize_t low = start, step = 1, high, middle
    while low < n and (secs[low] < at or (secs[low] == at and not is_before)):
        low += step
        step *= 2
    step //= 2
    high = min(low, n)
    low = low - step if step else low
    low = max(min(low, high), start)
    while low < high:
        middle = low + (high - low) // 2
        if secs[middle] < at or (secs[middle] == at and not is_before):
            low = middle + 1
        else:
            high = middle
    return low - 1


def measure_markouts(
    const float64_t[::1] mid_secs,
    const float64_t[::1] mids,
    const float64_t[::1] fill_secs,
    const int64_t[::1] sides,
    const float64_t[::1] prices,
    float64_t[::1] out_markouts,
    float64_t[::1] out_captures,
    *,
    float64_t horizon_secs,
    bint is_before_ties=False,
):
    """Write each fill's markout and capture and return how many fills count.

    Parameters
    ----------
    mid_secs, mids : array of float64, shape (m,), m >= 1
        Times in seconds, not falling, and the mids from there on, > 0.
    fill_secs, prices : arrays of float64, shape (n,)
        Time of each fill, not falling and not before the first mid, and its price, finite.
    sides : array of int64, shape (n,)
        +1 where we bought, -1 where we sold.
    out_markouts, out_captures : arrays of float64, shape (n,)
        Receive -s (mid(t+h) - mid(t))/mid(t) and s (mid(t) - price)/mid(t), in bps, for the
        fills whose horizon lies inside the path: the first ones, as many as is returned.
    horizon_secs : float
        Time after the fill, >= 0.
    is_before_ties : bool
        Whether a mid with the very stamp of a fill came after it.

    Raises
    ------
    ValueError
        If a value is outside its domain or lengths do not fit.
    """
    cdef Py_ssize_t i, at, later, m = mid_secs.shape[0], n = fill_secs.shape[0], used = 0
    if m < 1:
        raise ValueError("mid_secs must hold at least one mid")
    for name, length, wanted in (
        ("mids", mids.shape[0], m),
        ("sides", sides.shape[0], n),
        ("prices", prices.shape[0], n),
        ("out_markouts", out_markouts.shape[0], n),
        ("out_captures", out_captures.shape[0], n),
    ):
        if length != wanted:
            raise ValueError(f"{name} must have length {wanted}: {length}")
    if not 0.0 <= horizon_secs <= LARGEST:
        raise ValueError(f"horizon_secs must be >= 0 and finite: {horizon_secs}")
    _check_times("mid_secs", mid_secs)
    _check_times("fill_secs", fill_secs)
    for i in range(m):
        if not 1e-100 <= mids[i] <= LARGEST:
            raise ValueError(f"mids[{i}] must be > 0 and finite: {mids[i]}")
    _check_values("prices", prices)
    for i in range(n):
        if sides[i] != 1 and sides[i] != -1:
            raise ValueError(f"sides[{i}] must be 1 or -1: {sides[i]}")
    if n and (fill_secs[0] < mid_secs[0] or (is_before_ties and fill_secs[0] == mid_secs[0])):
        raise ValueError(
            f"mid_secs must start before the first fill {fill_secs[0]}: {mid_secs[0]}"
        )
    with nogil:
        at = later = 0
        while used < n and fill_secs[used] + horizon_secs <= mid_secs[m - 1]:
            i = used
            at = _last_at(&mid_secs[0], m, max(at, 0), fill_secs[i], is_before_ties)
            later = _last_at(
                &mid_secs[0], m, max(later, at), fill_secs[i] + horizon_secs, False
            )
            out_markouts[i] = markout_bps_of(<int> sides[i], mids[at], mids[later])
            out_captures[i] = capture_bps_of(<int> sides[i], mids[at], prices[i])
            used += 1
    return used


cdef int _check_times(str name, const float64_t[::1] secs) except -1:
    cdef Py_ssize_t i
    _check_values(name, secs)
    for i in range(1, secs.shape[0]):
        if secs[i] < secs[i - 1]:
            raise ValueError(f"{name}[{i}] must not be below the one before: {secs[i]}")
    return 0


def sized_mean(const float64_t[::1] values, const float64_t[::1] sizes):
    """Return the mean weighted by size; NaN where there is no size.

    Raises
    ------
    ValueError
        If a value is not finite, a size is negative, or lengths differ.
    """
    cdef Py_ssize_t i, n = values.shape[0]
    if sizes.shape[0] != n:
        raise ValueError(f"sizes must have length {n}: {sizes.shape[0]}")
    _check_values("values", values)
    for i in range(n):
        if not 0.0 <= sizes[i] <= LARGEST:
            raise ValueError(f"sizes[{i}] must be >= 0 and finite: {sizes[i]}")
    return _sized_mean(&values[0], &sizes[0], n) if n else NAN


@cython.final
cdef class MarkoutRing:
    """The last markouts of one horizon, in time order.

    Parameters
    ----------
    capacity : int
        How many are kept, 1 to 1,000,000.

    Attributes
    ----------
    capacity : int
        As given.
    added : int
        How many were ever added.

    Raises
    ------
    ValueError
        If the capacity is out of range.

    Notes
    -----
    Memory is taken once. About 10 ns to add, 6 us to read 2,000.
    """

    def __cinit__(self, Py_ssize_t capacity):
        if not 1 <= capacity <= 1_000_000:
            raise ValueError(f"capacity must lie in 1 to 1,000,000: {capacity}")
        self.capacity = capacity
        self._stamps = np.zeros(2 * capacity, np.int64)
        self._moves = np.zeros(2 * capacity)
        self._captures = np.zeros(2 * capacity)
        self._sizes = np.zeros(2 * capacity)

    def __len__(self):
        return self._n

    def add(
        self, int64_t stamp_ns, float64_t move_bps, float64_t capture_bps, float64_t size
    ):
        """Add a fill's markout; the oldest one gives way when the ring is full.

        Raises
        ------
        ValueError
            If the stamp runs back, a value is not finite, or the size is not > 0.
        """
        if self._n and stamp_ns < self._stamps[self._start + self._n - 1]:
            raise ValueError(f"stamp_ns must not be below the one before: {stamp_ns}")
        if not fabs(move_bps) <= LARGEST:
            raise ValueError(f"move_bps must be finite: {move_bps}")
        if not fabs(capture_bps) <= LARGEST:
            raise ValueError(f"capture_bps must be finite: {capture_bps}")
        if not 0.0 < size <= LARGEST:
            raise ValueError(f"size must be > 0 and finite: {size}")
        self.add_room(stamp_ns, move_bps, capture_bps, size)

    def read(self, *, int64_t horizon_ns):
        """Return n, mean, its error, the mean by size, and the mean capture, in bps.

        Parameters
        ----------
        horizon_ns : int
            Horizon in nanoseconds, >= 0, for the lags of the error.

        Returns
        -------
        tuple
            NaN where it is not defined: without a fill, the error of fewer than two.

        Raises
        ------
        ValueError
            If the horizon is negative.
        """
        cdef Py_ssize_t n = self._n
        cdef const float64_t* moves
        cdef Mean mean
        cdef float64_t sized, capture
        if horizon_ns < 0:
            raise ValueError(f"horizon_ns must be >= 0: {horizon_ns}")
        if n == 0:
            return 0, NAN, NAN, NAN, NAN
        moves = &self._moves[self._start]
        with nogil:
            mean.value = _mean(moves, n)
            mean.error = hac_error_of(
                moves, n, mean.value, overlap_lags_of(&self._stamps[self._start], n, horizon_ns)
            )
            sized = _sized_mean(moves, &self._sizes[self._start], n)
            capture = _mean(&self._captures[self._start], n)
        return n, mean.value, mean.error, sized, capture

    def fit_depth(self):
        """Fit how the markout falls with the distance at which a fill was made.

        Returns
        -------
        dict of float
            As of the function `fit_depth`, every fill with the same weight; one at the mid or
            beyond it has depth 0.

        Raises
        ------
        ValueError
            If there are fewer than three fills.
        """
        cdef Py_ssize_t i, end = self._start + self._n
        cdef float64_t[::1] depths = np.zeros(self._n)
        for i in range(self._n):
            depths[i] = max(self._captures[self._start + i], 0.0)
        return fit_depth(depths, self._moves[self._start:end], np.ones(self._n))

    cdef void add_room(
        self, int64_t stamp_ns, float64_t move_bps, float64_t capture_bps, float64_t size
    ) noexcept nogil:
        cdef Py_ssize_t at = self._start + self._n, kept
        if at == 2 * self.capacity:
            kept = self.capacity - 1
            if kept > 0:
                at -= kept
                memmove(&self._stamps[0], &self._stamps[at], kept * sizeof(int64_t))
                memmove(&self._moves[0], &self._moves[at], kept * sizeof(float64_t))
                memmove(&self._captures[0], &self._captures[at], kept * sizeof(float64_t))
                memmove(&self._sizes[0], &self._sizes[at], kept * sizeof(float64_t))
            self._start, self._n, at = 0, kept, kept
        self._stamps[at] = stamp_ns
        self._moves[at] = move_bps
        self._captures[at] = capture_bps
        self._sizes[at] = size
        if self._n < self.capacity:
            self._n += 1
        else:
            self._start += 1
        self.added += 1


@cython.final
cdef class MarkoutStream:
    """Mean markout of one horizon and side with exponential forgetting.

    Parameters
    ----------
    decay_secs : float
        Time after which a fill counts 1/e, in seconds, > 0.

    Attributes
    ----------
    decay_secs : float
        As given.

    Raises
    ------
    ValueError
        If `decay_secs` is not > 0.

    Notes
    -----
    Decayed sums of w, w x, w x^2, the last two kept as mean and spread so that they do not
    cancel. The error takes fills as independent, with (sum w)^2 / sum w^2 of them: a live guide,
    too small where fills cluster.

    Examples
    --------
    >>> stream = MarkoutStream(decay_secs=3600.0)
    >>> for move_bps in (1.0, 2.0, 3.0):
    ...     stream.update(move_bps)
    >>> mean, error, n = stream.read()
    >>> mean, round(error, 4), n
    (2.0, 0.5774, 3.0)
    """

    def __cinit__(self, *, float64_t decay_secs):
        if not 0.0 < decay_secs <= LARGEST:
            raise ValueError(f"decay_secs must be > 0 and finite: {decay_secs}")
        self.decay_secs = decay_secs

    def update(self, float64_t move_bps, *, float64_t weight=1.0, float64_t secs=0.0):
        """Let `secs` pass, then take in a fill's markout.

        Parameters
        ----------
        move_bps : float
            Markout, finite.
        weight : float
            Such as the fill's size, > 0.
        secs : float
            Since the fill before, >= 0.

        Raises
        ------
        ValueError
            If a value is outside its domain.
        """
        if not fabs(move_bps) <= LARGEST:
            raise ValueError(f"move_bps must be finite: {move_bps}")
        if not 1e-100 <= weight <= LARGEST:
            raise ValueError(f"weight must be > 0 and finite: {weight}")
        if not secs >= 0.0:
            raise ValueError(f"secs must be >= 0: {secs}")
        self.advance_room(secs)
        self.add(move_bps, weight)

    def advance(self, float64_t secs):
        """Let `secs` seconds pass.

        Raises
        ------
        ValueError
            If `secs` is negative or NaN.
        """
        if not secs >= 0.0:
            raise ValueError(f"secs must be >= 0: {secs}")
        self.advance_room(secs)

    def read(self):
        """Return mean, standard error and effective number of fills; NaN where not defined."""
        cdef Mean mean = self.read_room()
        return mean.value, mean.error, self._effective()

    cdef void advance_room(self, float64_t secs) noexcept nogil:
        cdef float64_t weight = exp(-secs / self.decay_secs)
        self._weights *= weight
        self._squared_weights *= weight * weight
        self._squares *= weight

    cdef void add(self, float64_t move_bps, float64_t weight) noexcept nogil:
        cdef float64_t distance = move_bps - self._moves
        self._weights += weight
        self._squared_weights += weight * weight
        self._moves += weight / self._weights * distance
        self._squares += weight * distance * (move_bps - self._moves)

    cdef Mean read_room(self) noexcept nogil:
        cdef Mean mean
        cdef float64_t n = self._effective()
        mean.value = mean.error = NAN
        if n > 0.0:
            mean.value = self._moves
        if n > 1.0:
            mean.error = sqrt(max(self._squares, 0.0) / self._weights / (n - 1.0))
        return mean

    cdef float64_t _effective(self) noexcept nogil:
        if not self._squared_weights > 0.0:
            return 0.0
        return self._weights * (self._weights / self._squared_weights)


cdef struct DepthFit:
    float64_t markout       # AS_0, bps at depth 0
    float64_t decay_per_bps  # 1/d_A; 0 if the form does not hold
    float64_t markout_error
    float64_t decay_error
    float64_t slope          # of the straight line, markout per bps of depth
    float64_t slope_error


cdef float64_t _depth_squares(
    const float64_t* depths, const float64_t* moves, const float64_t* weights, Py_ssize_t n,
    float64_t decay, float64_t* markout,
) noexcept nogil:
    # Weighted squares at the best AS_0 for this decay, which is left in `markout`.
    cdef float64_t top = 0.0, bottom = 0.0, total = 0.0, e, rest
    cdef Py_ssize_t i
    for i in range(n):
        e = exp(-decay * depths[i])
        top += weights[i] * moves[i] * e
        bottom += weights[i] * e * e
    markout[0] = top / bottom if bottom > 0.0 else 0.0
    for i in range(n):
        rest = moves[i] - markout[0] * exp(-decay * depths[i])
        total += weights[i] * rest * rest
    return total


cdef void _fit_line(
    const float64_t* depths, const float64_t* moves, const float64_t* weights, Py_ssize_t n,
    DepthFit* fit,
) noexcept nogil:
    cdef float64_t w = 0.0, x = 0.0, y = 0.0, xx = 0.0, xy = 0.0, total = 0.0, rest
    cdef Py_ssize_t i
    for i in range(n):
        w += weights[i]
        x += weights[i] * depths[i]
        y += weights[i] * moves[i]
    x /= w
    y /= w
    for i in range(n):
        xx += weights[i] * (depths[i] - x) * (depths[i] - x)
        xy += weights[i] * (depths[i] - x) * (moves[i] - y)
    fit.markout, fit.decay_per_bps = y, 0.0
    fit.slope = xy / xx if xx > 0.0 else NAN
    for i in range(n):
        rest = moves[i] - y - (fit.slope * (depths[i] - x) if xx > 0.0 else 0.0)
        total += weights[i] * rest * rest
    fit.slope_error = sqrt(total / <float64_t> (n - 2) / xx) if n > 2 and xx > 0.0 else NAN
    fit.markout_error = sqrt(total / <float64_t> (n - 2) / w) if n > 2 else NAN
    fit.decay_error = NAN


cdef void _fit_decay(
    const float64_t* depths, const float64_t* moves, const float64_t* weights, Py_ssize_t n,
    float64_t unit, DepthFit* fit,
) noexcept nogil:
    # The decay is searched on a grid of its logarithm, then by Gauss-Newton with halved steps.
    cdef float64_t decay, best = 0.0, squares, least, markout = 0.0, e, rest, step, other
    cdef float64_t jj[3]
    cdef float64_t jr[2]
    cdef float64_t determinant = 0.0
    cdef Py_ssize_t i
    cdef int turn, _turn, _half
    least = _depth_squares(depths, moves, weights, n, 0.0, &markout)
    for turn in range(29):
        decay = exp(0.5 * (turn - 14)) / unit
        squares = _depth_squares(depths, moves, weights, n, decay, &other)
        if squares < least:
            best, least, markout = decay, squares, other
    if best == 0.0:
        return
    for _turn in range(60):
        jj[0] = jj[1] = jj[2] = jr[0] = jr[1] = 0.0
        for i in range(n):
            e = exp(-best * depths[i])
            rest = moves[i] - markout * e
            other = -markout * depths[i] * e
            jj[0] += weights[i] * e * e
            jj[1] += weights[i] * e * other
            jj[2] += weights[i] * other * other
            jr[0] += weights[i] * e * rest
            jr[1] += weights[i] * other * rest
        determinant = jj[0] * jj[2] - jj[1] * jj[1]
        if not determinant > 1e-300:
            break
        step = (jj[0] * jr[1] - jj[1] * jr[0]) / determinant
        for _half in range(40):
            squares = _depth_squares(depths, moves, weights, n, best + step, &other)
            if best + step > 0.0 and squares <= least:
                break
            step *= 0.5
        else:
            break
        best, least, markout = best + step, squares, other
        if fabs(step) <= 1e-12 * best:
            break
    fit.markout, fit.decay_per_bps = markout, best
    if n > 2 and determinant > 1e-300:
        fit.markout_error = sqrt(least / <float64_t> (n - 2) * jj[2] / determinant)
        fit.decay_error = sqrt(least / <float64_t> (n - 2) * jj[0] / determinant)


def fit_depth(
    const float64_t[::1] depths_bps,
    const float64_t[::1] moves_bps,
    const float64_t[::1] weights,
):
    """Fit AS(d) = AS_0 exp(-d/d_A) to the markouts of fills at several depths.

    Parameters
    ----------
    depths_bps : array of float64, shape (n,), n >= 3
        Depth of each fill, or of each bin, >= 0.
    moves_bps : array of float64, shape (n,)
        Its markout.
    weights : array of float64, shape (n,)
        Such as fills of a bin, > 0.

    Returns
    -------
    dict of float
        `markout` AS_0 in bps and `decay_per_bps` 1/d_A with `markout_error`, `decay_error`;
        `slope` of a straight line through the same data and `slope_error`. Where markouts do not
        shrink with depth `markout` is their mean, `decay_per_bps` 0 and its error NaN: fills
        deep in the book come from sweeps, and cost more.

    Raises
    ------
    ValueError
        If a value is outside its domain, lengths differ, or there are fewer than three.

    Notes
    -----
    Weighted least squares; errors by Gauss-Newton, with independent rests.
    """
    cdef Py_ssize_t i, n = depths_bps.shape[0]
    cdef DepthFit fit
    cdef float64_t unit = 0.0
    if n < 3:
        raise ValueError(f"depths_bps must have at least 3 elements: {n}")
    if moves_bps.shape[0] != n or weights.shape[0] != n:
        raise ValueError(f"moves_bps and weights must have length {n}")
    _check_values("moves_bps", moves_bps)
    for i in range(n):
        if not 0.0 <= depths_bps[i] <= LARGEST:
            raise ValueError(f"depths_bps[{i}] must be >= 0 and finite: {depths_bps[i]}")
        if not 1e-100 <= weights[i] <= LARGEST:
            raise ValueError(f"weights[{i}] must be > 0 and finite: {weights[i]}")
        unit = max(unit, depths_bps[i])
    with nogil:
        _fit_line(&depths_bps[0], &moves_bps[0], &weights[0], n, &fit)
        # The size of the markout has to shrink with depth.
        if fit.slope * fit.markout < 0.0:
            _fit_decay(&depths_bps[0], &moves_bps[0], &weights[0], n, unit, &fit)
    return fit
