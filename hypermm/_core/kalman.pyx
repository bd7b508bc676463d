"""Local level: a price that walks, seen through noise that bounces.

The level walks with variance q per second, and each price carries noise of variance R. Prices are
in any one unit; q is in its square per second, R in its square.
"""

cimport cython
from libc.math cimport INFINITY, NAN, exp, fabs, log, sqrt

cdef float64_t LARGEST = 1e140  # bound of every variance and price, so that nothing overflows
cdef float64_t LN_2_PI = 1.8378770664093453


cdef Surprise level_update(
    Level* state, float64_t price, float64_t walk_variance, float64_t noise_variance
) noexcept nogil:
    cdef Surprise seen
    cdef float64_t before = state.variance + walk_variance
    seen.error = price - state.level
    seen.variance = before + noise_variance
    if noise_variance == 0.0 or not seen.variance > 0.0:
        state.level = price  # nothing to filter
        state.variance = 0.0
        return seen
    state.level += before / seen.variance * seen.error
    state.variance = before * (noise_variance / seen.variance)  # stays positive, (1 - K) p may not
    return seen


cdef float64_t steady_gain_of(float64_t ratio) noexcept nogil:
    # (-s + sqrt(s^2 + 4 s)) / 2 cancels for large s; this form has no difference and no square.
    return 2.0 / (1.0 + sqrt(1.0 + 4.0 / ratio)) if ratio > 0.0 else 0.0


cdef float64_t _log_likelihood(
    const float64_t* prices,
    const float64_t* secs,
    Py_ssize_t n,
    float64_t walk,
    float64_t noise,
    float64_t* scale,
) noexcept nogil:
    # Of the prices after the first. With `scale`: profiled over a common factor of walk and
    # noise, which is left there.
    cdef Level state
    cdef Surprise seen
    cdef float64_t squares = 0.0, logs = 0.0, product = 1.0
    cdef Py_ssize_t i
    state.level, state.variance = prices[0], noise
    for i in range(1, n):
        seen = level_update(&state, prices[i], walk * secs[i - 1], noise)
        squares += seen.error * seen.error / seen.variance
        product *= seen.variance
        if not 1e-150 < product < 1e150:  # one logarithm for many factors
            logs += log(product)
            product = 1.0
    logs += log(product)
    if scale != NULL:
        scale[0] = squares / <float64_t> (n - 1)
        return -0.5 * <float64_t> (n - 1) * (LN_2_PI + 1.0 + log(scale[0])) - 0.5 * logs
    return -0.5 * (<float64_t> (n - 1) * LN_2_PI + logs + squares)


cdef int _check_variance(str name, float64_t value) except -1:
    if not 0.0 <= value <= LARGEST:
        raise ValueError(f"{name} must be >= 0 and finite: {value}")
    return 0


cdef int _check_series(
    const float64_t[::1] prices, const float64_t[::1] secs, Py_ssize_t least
) except -1:
    cdef Py_ssize_t i, n = prices.shape[0]
    if n < least:
        raise ValueError(f"prices must have at least {least} elements: {n}")
    if secs.shape[0] != n - 1:
        raise ValueError(f"secs must have length {n - 1}, one less than prices: {secs.shape[0]}")
    for i in range(n):
        if not fabs(prices[i]) <= LARGEST:
            raise ValueError(f"prices[{i}] must be finite: {prices[i]}")
    for i in range(n - 1):
        if not 0.0 <= secs[i] <= 1e12:
            raise ValueError(f"secs[{i}] must be >= 0 and finite: {secs[i]}")
    return 0


def filter_level(
    const float64_t[::1] prices,
    const float64_t[::1] secs,
    float64_t[::1] out_level,
    float64_t[::1] out_variance,
    *,
    float64_t variance_per_sec,
    float64_t noise_variance,
):
    """Filter a series of prices and return its log-likelihood.

    Parameters
    ----------
    prices : array of float64, shape (n,), n >= 1
        Observed prices, finite.
    secs : array of float64, shape (n - 1,)
        Seconds from each price to the next, >= 0.
    out_level, out_variance : array of float64, shape (n,)
        Receive the estimate of the price after each observation and its error variance. The first
        are the first price and R.
    variance_per_sec : float
        q, variance of the walk per second, >= 0: volatility^2 times price^2.
    noise_variance : float
        R, variance of the noise, >= 0. At 0 the prices pass through.

    Returns
    -------
    float
        -1/2 sum (ln(2 pi S) + v^2/S) over the prices after the first; NaN if a variance S is 0.

    Raises
    ------
    ValueError
        If a value is outside its domain or lengths do not fit.

    Notes
    -----
    Kalman filter of the local level model, with p = p- R/(p- + R), which stays positive.
    Allocates nothing.
    """
    cdef Py_ssize_t i, n = prices.shape[0]
    cdef Level state
    cdef Surprise seen
    cdef float64_t total = 0.0
    _check_series(prices, secs, 1)
    _check_variance("variance_per_sec", variance_per_sec)
    _check_variance("noise_variance", noise_variance)
    if out_level.shape[0] != n or out_variance.shape[0] != n:
        raise ValueError(f"out_level and out_variance must have length {n}")
    with nogil:
        state.level, state.variance = prices[0], noise_variance
        out_level[0], out_variance[0] = state.level, state.variance
        for i in range(1, n):
            seen = level_update(
                &state, prices[i], variance_per_sec * secs[i - 1], noise_variance
            )
            if seen.variance > 0.0:
                total += LN_2_PI + log(seen.variance) + seen.error * (seen.error / seen.variance)
            else:
                total = NAN
            out_level[i], out_variance[i] = state.level, state.variance
    return -0.5 * total


def steady_gains(const float64_t[::1] ratios, float64_t[::1] out):
    """Write the gain that the filter settles at into `out`.

    Parameters
    ----------
    ratios : array of float64, shape (n,)
        q dt / R, >= 0; infinite without noise.
    out : array of float64, shape (n,)
        Receives 2 s/(s + sqrt(s^2 + 4 s)), in [0, 1].

    Raises
    ------
    ValueError
        If a ratio is negative or NaN, or lengths differ.
    """
    cdef Py_ssize_t i, n = ratios.shape[0]
    if out.shape[0] != n:
        raise ValueError(f"out must have length {n}: {out.shape[0]}")
    for i in range(n):
        if not ratios[i] >= 0.0:
            raise ValueError(f"ratios[{i}] must be >= 0: {ratios[i]}")
    with nogil:
        for i in range(n):
            out[i] = steady_gain_of(ratios[i])


def level_moments(const float64_t[::1] prices):
    """Estimate walk and noise from the differences of evenly spaced prices.

    Parameters
    ----------
    prices : array of float64, shape (n,), n >= 3
        Finite.

    Returns
    -------
    tuple of float
        q dt = max(g0 + 2 g1, 0) and R = max(-g1, 0), with g0 and g1 the mean square of the
        differences and the mean product of neighbouring ones. R is 0 if there is no bounce.

    Raises
    ------
    ValueError
        If a price is not finite or there are fewer than three.
    """
    cdef Py_ssize_t i, n = prices.shape[0]
    cdef float64_t g0 = 0.0, g1 = 0.0, last = 0.0, difference
    if n < 3:
        raise ValueError(f"prices must have at least 3 elements: {n}")
    for i in range(n):
        if not fabs(prices[i]) <= LARGEST:
            raise ValueError(f"prices[{i}] must be finite: {prices[i]}")
    with nogil:
        for i in range(1, n):
            difference = prices[i] - prices[i - 1]
            g0 += difference * difference
            g1 += difference * last
            last = difference
        g0 /= <float64_t> (n - 1)
        g1 /= <float64_t> (n - 2)
    return max(g0 + 2.0 * g1, 0.0), max(-g1, 0.0)


cdef struct LevelFit:
    float64_t variance_per_sec
    float64_t noise_variance
    float64_t variance_error   # standard errors; NaN at a bound
    float64_t noise_error
    float64_t log_likelihood


cdef float64_t _profile(
    const float64_t* prices, const float64_t* secs, Py_ssize_t n, float64_t log_ratio,
    float64_t* scale,
) noexcept nogil:
    return _log_likelihood(prices, secs, n, exp(log_ratio), 1.0, scale)


cdef float64_t GOLDEN = 0.3819660112501051


cdef float64_t _best_ratio(
    const float64_t* prices, const float64_t* secs, Py_ssize_t n, float64_t low, float64_t high
) noexcept nogil:
    # A grid of the logarithm finds the highest hill, golden section its top.
    cdef float64_t x, best = low, value, highest = -INFINITY, scale = 0.0, step
    cdef float64_t a, b, left, right, at_left, at_right
    cdef int i, _turn, points = 25
    step = (high - low) / (points - 1)
    for i in range(points):
        x = low + step * i
        value = _profile(prices, secs, n, x, &scale)
        if value > highest:
            best, highest = x, value
    a, b = best - step, best + step
    left, right = a + GOLDEN * (b - a), b - GOLDEN * (b - a)
    at_left = _profile(prices, secs, n, left, &scale)
    at_right = _profile(prices, secs, n, right, &scale)
    for _turn in range(45):
        if at_left >= at_right:
            b, right, at_right = right, left, at_left
            left = a + GOLDEN * (b - a)
            at_left = _profile(prices, secs, n, left, &scale)
        else:
            a, left, at_left = left, right, at_right
            right = b - GOLDEN * (b - a)
            at_right = _profile(prices, secs, n, right, &scale)
        if b - a < 1e-8:
            break
    return 0.5 * (a + b)


cdef void _errors(
    const float64_t* prices, const float64_t* secs, Py_ssize_t n, LevelFit* fit
) noexcept nogil:
    # Fisher's information of the innovations, by the filter's derivatives to ln q and ln R.
    cdef float64_t q = fit.variance_per_sec, r = fit.noise_variance
    cdef float64_t p = r, before, s, k, v, level = prices[0]
    cdef float64_t dp[2]
    cdef float64_t dm[2]
    cdef float64_t db[2]
    cdef float64_t ds[2]
    cdef float64_t information[3]
    cdef float64_t determinant, dr
    cdef Py_ssize_t i, j
    dp[0], dp[1], dm[0], dm[1] = 0.0, r, 0.0, 0.0
    information[0] = information[1] = information[2] = 0.0
    for i in range(1, n):
        before = p + q * secs[i - 1]
        s = before + r
        k = before / s
        v = prices[i] - level
        for j in range(2):
            dr = r if j == 1 else 0.0
            db[j] = dp[j] + (q * secs[i - 1] if j == 0 else 0.0)
            ds[j] = db[j] + dr
        information[0] += 0.5 * (ds[0] / s) * (ds[0] / s) + dm[0] * (dm[0] / s)
        information[1] += 0.5 * (ds[0] / s) * (ds[1] / s) + dm[0] * (dm[1] / s)
        information[2] += 0.5 * (ds[1] / s) * (ds[1] / s) + dm[1] * (dm[1] / s)
        for j in range(2):
            dr = r if j == 1 else 0.0
            dm[j] += (db[j] - k * ds[j]) / s * v - k * dm[j]
            dp[j] = db[j] * (r / s) + k * (dr - r * (ds[j] / s))
        level += k * v
        p = before * (r / s)
    determinant = information[0] * information[2] - information[1] * information[1]
    if determinant > 0.0:
        fit.variance_error = q * sqrt(information[2] / determinant)
        fit.noise_error = r * sqrt(information[0] / determinant)


def fit_level(const float64_t[::1] prices, const float64_t[::1] secs):
    """Estimate walk and noise by maximum likelihood of the innovations.

    Parameters
    ----------
    prices : array of float64, shape (n,), n >= 3
        Finite, not all equal.
    secs : array of float64, shape (n - 1,)
        Seconds from each price to the next, >= 0, not all 0.

    Returns
    -------
    dict of float
        `variance_per_sec` q, `noise_variance` R, their standard errors `variance_error` and
        `noise_error` (NaN where the estimate stands at its bound of 0), `log_likelihood`.

    Raises
    ------
    ValueError
        If a value is outside its domain, lengths do not fit, or nothing moves.

    Notes
    -----
    The scale is profiled out, so that one ratio is left to search: q dt / R from 1e-10 to 1e10
    for the mean dt. Beyond either end the other variance is 0. Standard errors are from the
    expected information. Allocates nothing but the result.
    """
    cdef Py_ssize_t i, n = prices.shape[0]
    cdef LevelFit fit
    cdef float64_t mean_secs = 0.0, log_ratio, scale = 0.0, spread = 0.0, low, high
    cdef bint has_moved = False
    _check_series(prices, secs, 3)
    for i in range(1, n):
        mean_secs += secs[i - 1] / <float64_t> (n - 1)
        has_moved = has_moved or prices[i] != prices[i - 1]
        spread = max(spread, fabs(prices[i] - prices[i - 1]))
    if not has_moved:
        raise ValueError("prices must not be all equal")
    if not mean_secs > 0.0:
        raise ValueError("secs must not be all 0")
    if not 1e-140 < spread:
        raise ValueError(f"prices must differ by more than 1e-140: {spread}")
    fit.variance_error = fit.noise_error = NAN
    low, high = -23.02585092994046 - log(mean_secs), 23.02585092994046 - log(mean_secs)
    with nogil:
        log_ratio = _best_ratio(&prices[0], &secs[0], n, low, high)
        fit.log_likelihood = _profile(&prices[0], &secs[0], n, log_ratio, &scale)
        fit.variance_per_sec, fit.noise_variance = scale * exp(log_ratio), scale
        if log_ratio >= high - 0.5:
            fit.noise_variance = 0.0
        elif log_ratio <= low + 0.5:
            fit.variance_per_sec = 0.0
        else:
            _errors(&prices[0], &secs[0], n, &fit)
    return fit


@cython.final
cdef class LevelStream:
    """Filters a price with the volatility that is known and the noise that it sees.

    Parameters
    ----------
    decay_secs : float
        Time after which a difference counts 1/e for the noise, in seconds, > 0.

    Attributes
    ----------
    decay_secs : float
        As given.
    updates : int
        Prices taken in.

    Raises
    ------
    ValueError
        If `decay_secs` is not > 0.

    Notes
    -----
    R = max(-g1, 0), g1 the decayed mean product of neighbouring differences; where they do not
    bounce, R is 0 and the price passes through. The noise of a price is estimated from the ones
    before it.

    Examples
    --------
    >>> stream = LevelStream(decay_secs=60.0)
    >>> for price in (100.0, 100.2, 100.0, 100.2, 100.0, 100.2):  # a mid of 100.1 that bounces
    ...     level = stream.update(price, 1.0, 1e-4)
    >>> round(stream.noise_variance, 4), round(level, 2)
    (0.04, 100.1)
    """

    def __cinit__(self, *, float64_t decay_secs):
        if not 0.0 < decay_secs <= 1e12:
            raise ValueError(f"decay_secs must be > 0 and finite: {decay_secs}")
        self.decay_secs = decay_secs
        self._state.level = self._last_difference = NAN

    def update(self, float64_t price, float64_t secs, float64_t variance_per_sec):
        """Take in a price and return the estimate of the level.

        Parameters
        ----------
        price : float
            Finite.
        secs : float
            Since the price before, >= 0.
        variance_per_sec : float
            q: volatility^2 times price^2, in price^2 per second, >= 0.

        Raises
        ------
        ValueError
            If a value is outside its domain.
        """
        if not fabs(price) <= LARGEST:
            raise ValueError(f"price must be finite: {price}")
        if not 0.0 <= secs <= 1e12:
            raise ValueError(f"secs must be >= 0 and finite: {secs}")
        _check_variance("variance_per_sec", variance_per_sec)
        return self.update_room(price, secs, variance_per_sec)

    @property
    def level(self):
        """Estimate of the price; NaN before the first one."""
        return self._state.level

    @property
    def variance(self):
        """Error variance of the level."""
        return self._state.variance

    @property
    def noise_variance(self):
        """R; 0 while the differences do not bounce."""
        return self.noise_room()

    @property
    def moment_variance(self):
        """q dt by moments, a check on the volatility that is handed in; NaN before two."""
        if not self._weight > 0.0:
            return NAN
        return max(
            self._squares / self._square_weight + 2.0 * self._products / self._weight, 0.0
        )

    cdef float64_t noise_room(self) noexcept nogil:
        return max(-self._products / self._weight, 0.0) if self._weight > 0.0 else 0.0

    cdef void restart_room(self, float64_t price) noexcept nogil:
        # The level is the price; the noise that was learnt stays, no difference spans the silence.
        self._state.level, self._state.variance = price, 0.0
        self._last_price = price
        self._last_difference = NAN
        self.updates += 1

    cdef float64_t update_room(
        self, float64_t price, float64_t secs, float64_t variance_per_sec
    ) noexcept nogil:
        cdef float64_t weight, difference, noise = self.noise_room()
        if self.updates == 0:
            self._state.level, self._state.variance = price, 0.0
        else:
            if self._state.variance == 0.0:
                self._state.variance = noise  # of the price that passed through
            level_update(&self._state, price, variance_per_sec * secs, noise)
            difference = price - self._last_price
            weight = exp(-secs / self.decay_secs)
            self._squares = weight * self._squares + difference * difference
            self._square_weight = weight * self._square_weight + 1.0
            self._products *= weight
            self._weight *= weight
            if self._last_difference == self._last_difference:
                self._products += difference * self._last_difference
                self._weight += 1.0
            self._last_difference = difference
        self._last_price = price
        self.updates += 1
        return self._state.level
