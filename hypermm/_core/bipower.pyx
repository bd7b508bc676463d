"""Volatility of a price sampled on a volume clock, robust to jumps.

Fills of buckets are counted in integer lots. Every variation measure estimates the variance over
its window; a volatility is in bps per square root of a second whatever the bucket's length.
"""

cimport cython
from libc.math cimport NAN, erfc, exp, fabs, frexp, ldexp, pow, sqrt

# Moments of |Z|, Z standard normal, and the constants of the estimators that follow from them.
cdef float64_t HALF_PI = 1.5707963267948966
cdef float64_t MU_4_3 = 0.8308609250295591  # E|Z|^(4/3)
cdef float64_t MIN_2 = 2.751938393884109  # pi / (pi - 2)
cdef float64_t MIN_4 = 2.204969995390253  # pi / (3 pi - 8)
cdef float64_t MED_2 = 1.4193583020224414  # pi / (6 - 4 sqrt(3) + pi)
cdef float64_t MED_4 = 0.9233015713550486  # 3 pi / (9 pi + 72 - 52 sqrt(3))
cdef float64_t RATIO_VARIANCE = 0.608993753862133  # (pi/2)^2 + pi - 5


cdef inline float64_t _median(float64_t a, float64_t b, float64_t c) noexcept nogil:
    return max(min(a, b), min(max(a, b), c))


cdef void _jump_test(Variation* v, Py_ssize_t n) noexcept nogil:
    # Huang and Tauchen (2005), ratio form with the maximum adjustment.
    cdef float64_t spread = 1.0
    if v.rv == 0.0:
        v.jump_ratio, v.relative_jump = 1.0, 0.0
    else:
        v.jump_ratio = JUMP_RATIO_CAP
        if v.bv * <float64_t> JUMP_RATIO_CAP > v.rv:
            v.jump_ratio = v.rv / v.bv
        v.relative_jump = (v.rv - v.bv) / v.rv
    v.jump_variance = max(v.rv - v.bv, 0.0)
    if n < 3:
        return
    if v.bv > 0.0:
        spread = max(1.0, v.tpq / (v.bv * v.bv))
    v.jump_statistic = v.relative_jump / sqrt(RATIO_VARIANCE / <float64_t> n * spread)
    v.jump_p_value = 0.5 * erfc(v.jump_statistic / sqrt(2.0))


cdef Variation variation_of(const float64_t* log_returns, Py_ssize_t n) noexcept nogil:
    cdef Variation v
    cdef float64_t a = 0.0, b = 0.0, c = 0.0, d = 0.0, small, size = <float64_t> n
    cdef float64_t largest = 0.0, scale
    cdef int exponent = 0
    cdef Py_ssize_t i
    v.rv = v.bv = v.minrv = v.medrv = v.tpq = v.qpq = v.minrq = v.medrq = 0.0
    v.jump_ratio = v.relative_jump = v.jump_statistic = v.jump_p_value = v.jump_variance = NAN
    for i in range(n):
        largest = max(largest, fabs(log_returns[i]))
    # A power of two brings the largest return near 1: fourth powers neither overflow nor vanish,
    # and the scaling itself is exact.
    frexp(largest, &exponent)
    scale = ldexp(1.0, -exponent)
    for i in range(n):
        d, c, b = c, b, a
        a = fabs(log_returns[i]) * scale
        v.rv += a * a
        if i >= 1:
            v.bv += a * b
            small = min(a, b) * min(a, b)
            v.minrv += small
            v.minrq += small * small
        if i >= 2:
            v.tpq += pow(a * b * c, 4.0 / 3.0)
            small = _median(a, b, c) * _median(a, b, c)
            v.medrv += small
            v.medrq += small * small
        if i >= 3:
            v.qpq += a * b * c * d
    v.bv *= HALF_PI * size / (size - 1.0) if n >= 2 else NAN
    v.minrv *= MIN_2 * size / (size - 1.0) if n >= 2 else NAN
    v.minrq *= MIN_4 * size * size / (size - 1.0) if n >= 2 else NAN
    v.medrv *= MED_2 * size / (size - 2.0) if n >= 3 else NAN
    v.medrq *= MED_4 * size * size / (size - 2.0) if n >= 3 else NAN
    v.tpq *= size * size / ((size - 2.0) * MU_4_3 * MU_4_3 * MU_4_3) if n >= 3 else NAN
    v.qpq *= HALF_PI * HALF_PI * size * size / (size - 3.0) if n >= 4 else NAN
    if n >= 2:
        _jump_test(&v, n)
    _unscale(&v, ldexp(1.0, exponent))
    return v


cdef void _unscale(Variation* v, float64_t unit) noexcept nogil:
    cdef float64_t square = unit * unit
    v.rv *= square
    v.bv *= square
    v.minrv *= square
    v.medrv *= square
    v.jump_variance *= square
    v.tpq *= square * square
    v.qpq *= square * square
    v.minrq *= square * square
    v.medrq *= square * square


def realised_variation(const float64_t[::1] log_returns):
    """Measure the variation of one window of returns.

    Parameters
    ----------
    log_returns : array of float64, shape (n,), n >= 1
        Log returns, dimensionless, finite.

    Returns
    -------
    dict of float
        `rv`, `bv`, `minrv`, `medrv`: variance over the window, dimensionless. `tpq`, `qpq`,
        `minrq`, `medrq`: quarticity of a window of length 1. `jump_ratio` rv/bv (at most 1000),
        `relative_jump` (rv-bv)/rv, `jump_statistic` about N(0, 1) without jumps,
        `jump_p_value` one-sided, `jump_variance` max(rv-bv, 0). NaN where n is too small.

    Raises
    ------
    ValueError
        If there is no return, or one is not finite.

    Notes
    -----
    Each measure carries its finite-sample factor n/(n-j). Sources: Barndorff-Nielsen and
    Shephard (2004) for bv; Andersen, Dobrev and Schaumburg (2012) for minrv and medrv; Huang
    and Tauchen (2005) for the statistic.

    Examples
    --------
    >>> import numpy as np
    >>> measures = realised_variation(np.array([0.001, -0.001, 0.001, -0.001]))
    >>> round(measures["rv"], 9), round(measures["bv"], 9)
    (4e-06, 6.283e-06)
    """
    cdef Py_ssize_t i, n = log_returns.shape[0]
    if n < 1:
        raise ValueError("log_returns must hold at least one return")
    for i in range(n):
        if not fabs(log_returns[i]) < 1e300:
            raise ValueError(f"log_returns[{i}] must be finite: {log_returns[i]}")
    return variation_of(&log_returns[0], n)


def volume_buckets(
    const int64_t[::1] prices,
    const int64_t[::1] sizes,
    float64_t[::1] out_vwaps,
    int64_t[::1] out_trades,
    *,
    int64_t bucket_lots,
):
    """Cut a series of trades into buckets of equal volume; return the number closed.

    A trade is split at a bucket's edge, and one trade may close several buckets.

    Parameters
    ----------
    prices, sizes : array of int64, shape (n,)
        Price units, > 0; lots, > 0.
    out_vwaps : array of float64, shape (m,)
        Receives the volume-weighted price of each bucket, in price units.
    out_trades : array of int64, shape (m,)
        Receives the index of the trade that closed the bucket.
    bucket_lots : int
        Volume of a bucket in lots, > 0.

    Raises
    ------
    ValueError
        If lengths differ, a value is outside its domain, or m is smaller than the number of
        buckets.

    Notes
    -----
    Allocates nothing. `VolumeClock` is the streaming form, which merges the buckets that one
    stamp closes.
    """
    cdef Py_ssize_t i, closed = 0, n = prices.shape[0]
    cdef int64_t fill = 0, rest, part
    cdef float64_t notional = 0.0
    if sizes.shape[0] != n or out_trades.shape[0] != out_vwaps.shape[0]:
        raise ValueError("prices and sizes, out_vwaps and out_trades must have equal lengths")
    _check_lots(bucket_lots, 1)
    for i in range(n):
        _check_trade(prices[i], sizes[i])
        rest = sizes[i]
        while fill + rest >= bucket_lots:
            if closed == out_vwaps.shape[0]:
                raise ValueError(f"out_vwaps has room for {closed} buckets and there are more")
            part = bucket_lots - fill
            notional += <float64_t> prices[i] * <float64_t> part
            out_vwaps[closed] = notional / <float64_t> bucket_lots
            out_trades[closed] = i
            closed += 1
            rest -= part
            fill = 0
            notional = 0.0
        fill += rest
        notional += <float64_t> prices[i] * <float64_t> rest
    return closed


cdef int64_t MAX_LOTS = 1 << 61  # so that a fill and a trade never overflow together


cdef int _check_lots(int64_t lots, int64_t least) except -1:
    if not least <= lots <= MAX_LOTS:
        raise ValueError(f"lots must lie in {least} to {MAX_LOTS}: {lots}")
    return 0


cdef int _check_trade(int64_t price, int64_t size) except -1:
    if price <= 0:
        raise ValueError(f"price must be > 0 price units: {price}")
    return _check_lots(size, 1)


@cython.final
cdef class VolumeClock:
    """Ticks of equal traded volume, each with its VWAP.

    All buckets that trades of one stamp close are one tick: a sweep is one piece of news, and
    its fills carry one stamp. A tick is settled when a later stamp is seen.

    Parameters
    ----------
    bucket_lots : int
        Volume of a bucket in lots; 0 if it is not known yet.

    Attributes
    ----------
    bucket_lots, next_bucket_lots, fill_lots : int
        Lots of the open bucket, of the following ones, and traded in the open one so far.
    buckets, ticks : int
        Buckets closed, and ticks (settled or not).
    tick_ns, tick_vwap, tick_lots
        Stamp, VWAP in price units and volume of the last settled tick.

    Raises
    ------
    ValueError
        If `bucket_lots` is negative or above 2**61.

    Examples
    --------
    >>> clock = VolumeClock(10)
    >>> clock.update(1_000, 100, 25)  # closes two buckets, and 5 lots are left over
    False
    >>> clock.update(2_000, 106, 4)  # the later stamp settles them as one tick
    True
    >>> clock.ticks, clock.tick_ns, clock.tick_vwap, clock.fill_lots
    (1, 1000, 100.0, 9)
    """

    def __cinit__(self, int64_t bucket_lots):
        _check_lots(bucket_lots, 0)
        self.bucket_lots = self.next_bucket_lots = bucket_lots

    def update(self, int64_t exch_ns, int64_t price, int64_t size):
        """Add a trade; return whether a tick was settled by its stamp.

        Raises
        ------
        ValueError
            If price or size is not > 0.
        """
        _check_trade(price, size)
        return self.add(exch_ns, price, size)

    def settle_before(self, int64_t exch_ns):
        """Settle the open tick if its stamp is older than `exch_ns`; return whether it was."""
        return self.settle(exch_ns)

    def set_bucket(self, int64_t lots):
        """Let the bucket after the open one hold `lots`; at once if none was known.

        Raises
        ------
        ValueError
            If lots is not in 1 to 2**61.
        """
        _check_lots(lots, 1)
        self.set_next(lots)

    cdef void set_next(self, int64_t lots) noexcept nogil:
        self.next_bucket_lots = lots
        if self.bucket_lots == 0:
            self.bucket_lots = lots
            self.fill_lots = 0
            self._fill_notional = 0.0

    cdef bint add(self, int64_t exch_ns, int64_t price, int64_t size) noexcept nogil:
        cdef bint is_settled = self.settle(exch_ns)
        cdef int64_t closed, taken
        if self.bucket_lots == 0:
            return is_settled
        closed = (self.fill_lots + size) // self.bucket_lots
        if closed == 0:
            self.fill_lots += size
            self._fill_notional += <float64_t> price * <float64_t> size
            return is_settled
        taken = closed * self.bucket_lots - self.fill_lots  # of this trade, by closed buckets
        if self._open_lots == 0:
            self.ticks += 1
            self._open_ns = exch_ns
        self.buckets += closed
        self._open_lots += closed * self.bucket_lots
        self._open_notional += self._fill_notional + <float64_t> price * <float64_t> taken
        self.fill_lots = size - taken
        self._fill_notional = <float64_t> price * <float64_t> self.fill_lots
        if self.fill_lots < self.next_bucket_lots:
            self.bucket_lots = self.next_bucket_lots
        return is_settled

    cdef bint settle(self, int64_t exch_ns) noexcept nogil:
        if self._open_lots == 0 or exch_ns <= self._open_ns:
            return False
        self.tick_ns = self._open_ns
        self.tick_lots = self._open_lots
        self.tick_vwap = self._open_notional / <float64_t> self._open_lots
        self._open_lots = 0
        self._open_notional = 0.0
        return True


@cython.final
cdef class BipowerStream:
    """Volatility with exponential forgetting, as a ratio of two decayed sums.

    The ratio has no start-up bias and its unit does not depend on how long the ticks are.

    Parameters
    ----------
    decay_secs : float
        Time after which a return counts 1/e, in seconds, > 0.

    Attributes
    ----------
    returns : int
        Number of returns taken in.

    Raises
    ------
    ValueError
        If `decay_secs` is not > 0.

    Notes
    -----
    With w = exp(-dt/tau): N = wN + r^2, D = wD + dt, B = wB + (pi/2)|r||r'|,
    E = wE + sqrt(dt dt'); the variance per second is N/D (realised) or B/E (bipower, robust to
    jumps). A return over more than five decay times is left out: the ratio stands.

    Examples
    --------
    >>> stream = BipowerStream(decay_secs=60.0)
    >>> for sign in (1, -1, 1, -1):
    ...     stream.update(sign * 1e-4, 4.0)
    >>> round(stream.volatility_bps, 4)  # sqrt(pi/2) of 1 bps in 4 s
    0.6267
    """

    def __cinit__(self, *, float64_t decay_secs):
        if not 0.0 < decay_secs < 1e300:
            raise ValueError(f"decay_secs must be > 0 and finite: {decay_secs}")
        self.decay_secs = decay_secs

    def update(self, float64_t log_return, float64_t secs):
        """Take in one return and the seconds that it took.

        Raises
        ------
        ValueError
            If the return is not finite or `secs` is negative.
        """
        if not fabs(log_return) < 1e100:
            raise ValueError(f"log_return must be finite: {log_return}")
        if not 0.0 <= secs < 1e300:
            raise ValueError(f"secs must be >= 0 and finite: {secs}")
        self.add(log_return, secs)

    def seed(self, float64_t volatility_bps, float64_t secs):
        """Add a prior: `secs` seconds at a volatility in bps per square root of a second.

        Raises
        ------
        ValueError
            If a value is not > 0 and finite.
        """
        if not 0.0 < volatility_bps < 1e100:
            raise ValueError(f"volatility_bps must be > 0 and finite: {volatility_bps}")
        if not 0.0 < secs < 1e100:
            raise ValueError(f"secs must be > 0 and finite: {secs}")
        self.seed_room(volatility_bps, secs)

    @property
    def variance_per_sec(self):
        """Realised variance per second; NaN before the first return."""
        return self._squares / self._secs if self._secs > 0.0 else NAN

    @property
    def bipower_per_sec(self):
        """Bipower variation per second; NaN before the second return."""
        return self._products / self._product_secs if self._product_secs > 0.0 else NAN

    @property
    def volatility_bps(self):
        """Volatility from the bipower variation, in bps per square root of a second."""
        return self.volatility()

    @property
    def jump_ratio(self):
        """Realised over bipower variance, at most 1000; 1 where both are 0, NaN if undefined."""
        return self.ratio()

    cdef void seed_room(self, float64_t volatility_bps, float64_t secs) noexcept nogil:
        cdef float64_t variance = volatility_bps * volatility_bps * 1e-8 * secs
        self._squares += variance
        self._products += variance
        self._secs += secs
        self._product_secs += secs

    cdef void add(self, float64_t log_return, float64_t secs) noexcept nogil:
        cdef float64_t weight, size = fabs(log_return)
        if secs > 5.0 * self.decay_secs:
            return
        weight = exp(-secs / self.decay_secs)
        self._squares = weight * self._squares + size * size
        self._secs = weight * self._secs + secs
        self._products *= weight
        self._product_secs *= weight
        if self.returns > 0:
            self._products += HALF_PI * size * self._last_size
            self._product_secs += sqrt(secs * self._last_secs)
        self._last_size = size
        self._last_secs = secs
        self.returns += 1

    cdef float64_t volatility(self) noexcept nogil:
        if not self._product_secs > 0.0:
            return NAN
        return 1e4 * sqrt(self._products / self._product_secs)

    cdef float64_t ratio(self) noexcept nogil:
        cdef float64_t realised, bipower
        if not (self._secs > 0.0 and self._product_secs > 0.0):
            return NAN
        realised = self._squares / self._secs
        bipower = self._products / self._product_secs
        if realised == 0.0:
            return 1.0
        if bipower * <float64_t> JUMP_RATIO_CAP > realised:
            return realised / bipower
        return JUMP_RATIO_CAP
