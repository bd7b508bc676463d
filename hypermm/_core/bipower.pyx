"""Volatility of a price sampled on a volume clock, robust to jumps.

Fills of buckets are counted in integer lots. Every variation measure estimates the variance over
its window; a volatility is in bps per square root of a second whatever the bucket's length.
"""

cimport cython
from libc.math cimport NAN, asin, exp, fabs, log, sqrt

from hypermm._core.bars cimport averaging_secs, clear_gathered, close_into, pass_secs

cdef float64_t HALF_PI = 1.5707963267948966
cdef float64_t BIPOWER_VARIANCE = 2.609  # (pi/2)^2 + pi - 3, per observation over sigma^4
cdef int64_t JUMP_RATIO_CAP = 1000       # that of `realised`
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
    tick_lead_secs, tick_lag_secs, tick_shared_secs : float
        Seconds over which that tick averages the price: with F the share of its volume that has
        traded, the integrals of F^2, (1-F)^2 and F(1-F) over the seconds since the tick before.

    Raises
    ------
    ValueError
        If `bucket_lots` is negative or above 2**61.

    Notes
    -----
    The move from one VWAP to the next has the variance of (lead of the first + lag of the second)
    seconds, and its covariance with the move after it is that of the middle tick's shared
    seconds; `BipowerStream.update_vwap` takes them. Without them a VWAP hides up to a third of
    the variance.

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

    @property
    def fill_lots(self):
        """Lots traded in the open bucket."""
        return self._fill.lots

    cdef void set_next(self, int64_t lots) noexcept nogil:
        self.next_bucket_lots = lots
        if self.bucket_lots == 0:
            self.bucket_lots = lots
            clear_gathered(&self._fill)

    cdef bint add(self, int64_t exch_ns, int64_t price, int64_t size) noexcept nogil:
        cdef bint is_settled = self.settle(exch_ns)
        cdef int64_t closed
        if self.bucket_lots == 0:
            return is_settled
        if exch_ns > self._last_ns:
            if self._last_ns > 0:
                pass_secs(&self._fill, 1e-9 * <float64_t> (exch_ns - self._last_ns))
            self._last_ns = exch_ns
        closed = (self._fill.lots + size) // self.bucket_lots
        if closed > 0:
            if self._open.lots == 0:
                self.ticks += 1
                self._open_ns = exch_ns
            self.buckets += closed
            closed = closed * self.bucket_lots - self._fill.lots  # of this trade, in lots
            close_into(&self._fill, &self._open, closed, <float64_t> price)
            size -= closed
            if size < self.next_bucket_lots:
                self.bucket_lots = self.next_bucket_lots
        self._fill.lots += size
        self._fill.notional += <float64_t> price * <float64_t> size
        return is_settled

    cdef bint settle(self, int64_t exch_ns) noexcept nogil:
        if self._open.lots == 0 or exch_ns <= self._open_ns:
            return False
        self.tick_ns = self._open_ns
        self.tick_lots = self._open.lots
        self.tick_vwap = self._open.notional / <float64_t> self._open.lots
        averaging_secs(
            &self._open, &self.tick_lead_secs, &self.tick_lag_secs, &self.tick_shared_secs
        )
        clear_gathered(&self._open)
        return True


cdef extern from * nogil:
    """
    #include <math.h>
    #include <stddef.h>

    /* Square roots of a block: two at a time where sqrt() would stop for errno. Same bits. */
    #if defined(__SSE2__)
    #include <emmintrin.h>
    #endif

    static void hypermm_roots(double* values, ptrdiff_t n) {
        ptrdiff_t i = 0;
    #if defined(__SSE2__)
        for (; i + 2 <= n; i += 2)
            _mm_storeu_pd(values + i, _mm_sqrt_pd(_mm_loadu_pd(values + i)));
    #endif
        for (; i < n; i++) values[i] = sqrt(values[i]);
    }
    """
    void hypermm_roots(float64_t* values, Py_ssize_t n)


cdef inline float64_t _near_exp(float64_t x) noexcept nogil:
    # Taylor to x^8: exact to rounding for -1/16 <= x <= 0.
    cdef float64_t tail = 1.0 / 720.0 + x * (1.0 / 5040.0 + x * (1.0 / 40320.0))
    tail = 1.0 / 6.0 + x * (1.0 / 24.0 + x * (1.0 / 120.0 + x * tail))
    return 1.0 + (x + x * x * (0.5 + x * tail))


cdef inline float64_t _weight(float64_t x) noexcept nogil:
    return _near_exp(x) if x > -0.0625 else exp(x)


cdef inline float64_t _near_log(float64_t price, float64_t before) noexcept nogil:
    # ln(p/q) = 2 artanh((p-q)/(p+q)): the difference is formed before anything is rounded, and
    # the series is exact to rounding for moves below 2 %.
    cdef float64_t s = (price - before) / (price + before)
    cdef float64_t z = s * s
    cdef float64_t tail = 1.0 / 5.0 + z * (1.0 / 7.0 + z * (1.0 / 9.0))
    return 2.0 * s + 2.0 * s * z * (1.0 / 3.0 + z * tail)


cdef float64_t log_return(float64_t price, float64_t before) noexcept nogil:
    cdef float64_t near = _near_log(price, before)
    return near if fabs(near) < 0.02 else log(price / before)


cdef void _log_returns(const float64_t* prices, Py_ssize_t n, float64_t* out) noexcept nogil:
    # In two loops, so that the compiler takes the first one two at a time.
    cdef Py_ssize_t i
    for i in range(n - 1):
        out[i] = _near_log(prices[i + 1], prices[i])
    for i in range(n - 1):
        if not fabs(out[i]) < 0.02:
            out[i] = log(prices[i + 1] / prices[i])


cdef int _check_prices(const float64_t[::1] prices) except -1:
    cdef Py_ssize_t i, n = prices.shape[0]
    with nogil:
        for i in range(n):
            if not 1e-150 <= prices[i] <= 1e150:
                break
        else:
            i = n
    if i < n:
        raise ValueError(f"prices[{i}] must be > 0 and finite: {prices[i]}")
    return 0


def log_returns(const float64_t[::1] prices, float64_t[::1] out):
    """Write the log returns of a series of prices into `out`.

    Parameters
    ----------
    prices : array of float64, shape (n,)
        Prices in any unit, from 1e-150 to 1e150.
    out : array of float64, shape (n-1,)
        Receives ln(p_i / p_(i-1)); small moves keep all their digits.

    Raises
    ------
    ValueError
        If a price is outside its domain or a length is wrong.

    Notes
    -----
    Allocates nothing. By 2 artanh((p-q)/(p+q)) for moves below 2 %.
    """
    cdef Py_ssize_t n = prices.shape[0]
    if out.shape[0] != max(n - 1, 0):
        raise ValueError(f"out must have length {max(n - 1, 0)}: {out.shape[0]}")
    _check_prices(prices)
    if n < 2:
        return
    with nogil:
        _log_returns(&prices[0], n, &out[0])


cdef enum:
    CHUNK = 128  # trades that `BipowerStream.run` takes at a time


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
    effective_returns : float
        Equally weighted returns that would be worth as much.

    Raises
    ------
    ValueError
        If `decay_secs` is not > 0.

    Notes
    -----
    With w = exp(-dt/tau): N = wN + r^2, D = wD + dt, B = wB + (pi/2)|r||r'|,
    E = wE + sqrt(dt dt'); the variance per second is N/D (realised) or B/E (bipower, robust to
    jumps). A return over more than five decay times is left out: the ratio stands. Returns of
    VWAPs are correlated: `update_vwap` takes the seconds that `VolumeClock` gives for them, with
    which both ratios are unbiased. With n = (sum w)^2 / sum w^2 the standard error of the
    bipower variance is sqrt(2.609/n) of it.

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
        self._rate = -1.0 / decay_secs

    def update(self, float64_t log_return, float64_t secs):
        """Take in one return and the seconds that it took.

        Raises
        ------
        ValueError
            If the return is not finite or `secs` is negative.
        """
        _check_return(log_return, secs)
        self.add(log_return, secs)

    def update_vwap(
        self,
        float64_t log_return,
        float64_t secs,
        *,
        float64_t variance_secs,
        float64_t shared_secs,
    ):
        """Take in the return between two VWAPs.

        Parameters
        ----------
        log_return : float
            Dimensionless, finite.
        secs : float
            Seconds between the closes of the two ticks, >= 0.
        variance_secs : float
            Seconds of variance in the return: lead of the first tick and lag of the second, >= 0.
        shared_secs : float
            Seconds that it shares with the return before: those of the first tick, >= 0.

        Raises
        ------
        ValueError
            If a value is outside its domain.
        """
        _check_return(log_return, secs)
        if not 0.0 <= variance_secs < 1e300:
            raise ValueError(f"variance_secs must be >= 0 and finite: {variance_secs}")
        if not 0.0 <= shared_secs < 1e300:
            raise ValueError(f"shared_secs must be >= 0 and finite: {shared_secs}")
        self.add_vwap(log_return, secs, variance_secs, shared_secs)

    def run(
        self, const float64_t[::1] secs, const float64_t[::1] prices, float64_t[::1] out
    ):
        """Take in the returns of a series of prices and write the volatility after each.

        Parameters
        ----------
        secs : array of float64, shape (n,)
            Times, in seconds, finite, not decreasing. Equal times are returns in no time: merge
            them first (`volume_bars`).
        prices : array of float64, shape (n,)
            From 1e-150 to 1e150, in any unit.
        out : array of float64, shape (n,)
            Receives the bipower volatility in bps per square root of a second; NaN where it is
            not defined yet.

        Raises
        ------
        ValueError
            If a value is outside its domain, or the lengths differ.

        Notes
        -----
        The same bits as `update` with each of the `log_returns`. Allocates nothing; the GIL is
        released. The first price of a run begins a return: nothing before it is joined to it.
        """
        cdef Py_ssize_t i, n = prices.shape[0]
        if secs.shape[0] != n or out.shape[0] != n:
            raise ValueError(f"secs and out must have the length of prices: {n}")
        with nogil:
            for i in range(n):
                if not fabs(secs[i]) < 1e100 or (i > 0 and secs[i] < secs[i - 1]):
                    break
            else:
                i = n
        if i < n:
            if not fabs(secs[i]) < 1e100:
                raise ValueError(f"secs[{i}] must be finite: {secs[i]}")
            raise ValueError(f"secs[{i}] must not be below the time before it: {secs[i]}")
        _check_prices(prices)
        if n == 0:
            return
        with nogil:
            out[0] = self.volatility()
            i = 1
            while i < n:
                self._chunk(&secs[i], &prices[i], min(<Py_ssize_t> CHUNK, n - i), &out[i])
                i += CHUNK

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
    def effective_returns(self):
        """Returns of equal weight that would be worth as much; 0 before the first."""
        return self._weights * self._weights / self._square_weights if self.returns > 0 else 0.0

    @property
    def volatility_se_bps(self):
        """Standard error of the bipower volatility; NaN before the second return."""
        if self.returns < 2:
            return NAN
        return 0.5 * self.volatility() * sqrt(BIPOWER_VARIANCE / self.effective_returns)

    def volatility_after(self, float64_t quiet_secs):
        """Volatility when nothing has come in for `quiet_secs`: quiet time counts as such.

        Parameters
        ----------
        quiet_secs : float
            Seconds since the last return, >= 0.

        Returns
        -------
        float
            sqrt(wB / (wE + quiet)) in bps per square root of a second, w = exp(-quiet/tau); NaN
            before the second return. Older returns are forgotten, and the open interval counts
            as time in which nothing moved.

        Raises
        ------
        ValueError
            If `quiet_secs` is negative or not finite.
        """
        if not 0.0 <= quiet_secs < 1e300:
            raise ValueError(f"quiet_secs must be >= 0 and finite: {quiet_secs}")
        return self.aged(quiet_secs)

    def is_stale_after(self, float64_t quiet_secs):
        """Return whether `quiet_secs` without a return are more than five decay times."""
        return quiet_secs > 5.0 * self.decay_secs

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
        if secs > 5.0 * self.decay_secs:
            return
        self._take(
            fabs(log_return), secs, _weight(secs * self._rate), sqrt(secs * self._last_secs)
        )

    cdef void add_vwap(
        self, float64_t log_return, float64_t secs, float64_t variance_secs, float64_t shared_secs
    ) noexcept nogil:
        # For correlated normal returns E|r||r'| = (2/pi) s s' (sqrt(1-c^2) + c arcsin c).
        cdef float64_t product, share = 0.0
        if secs > 5.0 * self.decay_secs:
            return
        product = sqrt(variance_secs * self._last_secs)
        if product > 0.0:
            share = min(shared_secs / product, 1.0)
        product *= sqrt(1.0 - share * share) + share * asin(share)
        self._take(fabs(log_return), variance_secs, _weight(secs * self._rate), product)

    cdef void _take(
        self, float64_t size, float64_t secs, float64_t weight, float64_t product_secs
    ) noexcept nogil:
        self._squares = weight * self._squares + size * size
        self._secs = weight * self._secs + secs
        self._products *= weight
        self._product_secs *= weight
        if self.returns > 0:
            self._products += HALF_PI * size * self._last_size
            self._product_secs += product_secs
        self._weights = weight * self._weights + 1.0
        self._square_weights = weight * weight * self._square_weights + 1.0
        self._last_size = size
        self._last_secs = secs
        self.returns += 1

    cdef void _chunk(
        self, const float64_t* secs, const float64_t* prices, Py_ssize_t n, float64_t* out
    ) noexcept nogil:
        # What does not depend on the trade before is done in loops of its own, which the
        # compiler takes two at a time. Index 0 of sizes and steps is the last return before.
        cdef float64_t sizes[CHUNK + 1]
        cdef float64_t steps[CHUNK + 1]
        cdef float64_t weights[CHUNK]
        cdef float64_t roots[CHUNK]
        cdef float64_t products[CHUNK]
        cdef float64_t longest = 0.0, rate = self._rate
        cdef Py_ssize_t j
        _log_returns(prices - 1, n + 1, sizes + 1)
        for j in range(n):
            steps[j + 1] = secs[j] - secs[j - 1]
            longest = max(longest, steps[j + 1])
        if longest > 5.0 * self.decay_secs or not self._product_secs > 0.0:
            for j in range(n):
                self.add(sizes[j + 1], steps[j + 1])
                out[j] = self.volatility()
            return
        sizes[0] = self._last_size
        steps[0] = self._last_secs
        for j in range(n):
            sizes[j + 1] = fabs(sizes[j + 1])
            roots[j] = steps[j + 1] * steps[j]
            weights[j] = _near_exp(steps[j + 1] * rate)
        if longest * rate <= -0.0625:
            for j in range(n):
                if steps[j + 1] * rate <= -0.0625:
                    weights[j] = exp(steps[j + 1] * rate)
        hypermm_roots(roots, n)
        self._recur(sizes, steps, weights, roots, products, n)
        for j in range(n):
            products[j] /= roots[j]
        hypermm_roots(products, n)
        for j in range(n):
            out[j] = 1e4 * products[j]

    cdef void _recur(
        self, const float64_t* sizes, const float64_t* steps, const float64_t* weights,
        float64_t* roots, float64_t* products, Py_ssize_t n,
    ) noexcept nogil:
        # `roots` comes in as the roots of products of steps and goes out as their decayed sums.
        cdef float64_t a = self._squares, b = self._secs, c = self._products
        cdef float64_t d = self._product_secs, e = self._weights, f = self._square_weights, w
        cdef Py_ssize_t j
        for j in range(n):
            w = weights[j]
            a = w * a + sizes[j + 1] * sizes[j + 1]
            b = w * b + steps[j + 1]
            c = c * w + HALF_PI * sizes[j + 1] * sizes[j]
            d = d * w + roots[j]
            e = w * e + 1.0
            f = w * w * f + 1.0
            products[j] = c
            roots[j] = d
        self._squares, self._secs, self._products = a, b, c
        self._product_secs, self._weights, self._square_weights = d, e, f
        self._last_size, self._last_secs = sizes[n], steps[n]
        self.returns += n

    cdef float64_t aged(self, float64_t quiet_secs) noexcept nogil:
        cdef float64_t weight = exp(-quiet_secs / self.decay_secs)
        if not self._product_secs > 0.0:
            return NAN
        return 1e4 * sqrt(weight * self._products / (weight * self._product_secs + quiet_secs))

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


cdef int _check_return(float64_t log_return, float64_t secs) except -1:
    if not fabs(log_return) < 1e100:
        raise ValueError(f"log_return must be finite: {log_return}")
    if not 0.0 <= secs < 1e300:
        raise ValueError(f"secs must be >= 0 and finite: {secs}")
    return 0
