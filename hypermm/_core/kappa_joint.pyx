"""Level and decay of the fill intensity together, from fills and the seconds quoted at each depth.

Fills at a depth d are a Poisson process of intensity A exp(-kappa d). For a given kappa the best A
is known in closed form, which leaves a concave function of kappa alone.
"""

cimport cython
from libc.math cimport INFINITY, exp, fabs, log, sqrt

from hypermm._core.kappa cimport truncated_rate


cdef bint joint_fit_of(
    const float64_t* depths,
    const float64_t* secs,
    const float64_t* fills,
    Py_ssize_t n,
    float64_t prior_shape,
    float64_t prior_rate,
    JointFit* fit,
) noexcept nogil:
    # Depths are measured from the mean depth of the fills, in units of the largest distance from
    # it, so that neither their unit nor a common offset costs digits. `rest` is what rounding
    # leaves of the mean.
    cdef float64_t total = 0.0, centre = 0.0, rest = 0.0, scale = 0.0, low = 0.0, high = 0.0, x
    cdef float64_t weight = 0.0, mean = 0.0, variance = 0.0, pull, slope, spread
    cdef bint has_prior = prior_shape > 0.0
    cdef Py_ssize_t i
    for i in range(n):
        total += fills[i]
        centre += fills[i] * depths[i]
    if not total > 0.0:
        return False
    centre /= total
    for i in range(n):
        rest += fills[i] * (depths[i] - centre)
    rest /= total
    for i in range(n):
        if secs[i] > 0.0:
            low = min(low, depths[i] - centre)
            high = max(high, depths[i] - centre)
    if not has_prior and not _is_identified(depths, secs, fills, n):
        return False
    scale = max(-low, high)
    if not scale > 0.0:
        scale = 1.0
    x = _solve(
        depths, secs, n, total, centre, scale, rest / scale,
        prior_shape - 1.0 if has_prior else 0.0, prior_rate / scale,
    )
    _moments(depths, secs, n, centre, scale, x, &weight, &mean, &variance)
    fit.kappa = x / scale
    fit.log_intensity = log(total) - weight + fit.kappa * centre
    pull = (prior_shape - 1.0) / (fit.kappa * fit.kappa) if has_prior else 0.0
    spread = total * variance * scale * scale + pull
    slope = centre + mean * scale  # mean depth of what is expected: that of the fills, bar a prior
    fit.kappa_se = 1.0 / sqrt(spread)
    fit.covariance = slope / spread
    fit.log_intensity_se = sqrt(1.0 / total + slope * slope / spread)
    fit.log_likelihood = total * (log(total) - weight - fit.kappa * rest) - total
    if has_prior:
        fit.log_likelihood += (prior_shape - 1.0) * log(fit.kappa) - prior_rate * fit.kappa
    return True


cdef bint _is_identified(
    const float64_t* depths, const float64_t* secs, const float64_t* fills, Py_ssize_t n
) noexcept nogil:
    # Some fills lie above the least depth quoted and some below the largest. Compared depth by
    # depth: a mean is rounded and may seem to lie inside.
    cdef float64_t least = INFINITY, largest = -INFINITY
    cdef bint is_above = False, is_below = False
    cdef Py_ssize_t i
    for i in range(n):
        if secs[i] > 0.0:
            least = min(least, depths[i])
            largest = max(largest, depths[i])
    for i in range(n):
        if fills[i] > 0.0:
            is_above = is_above or depths[i] > least
            is_below = is_below or depths[i] < largest
    return is_above and is_below


cdef void _moments(
    const float64_t* depths, const float64_t* secs, Py_ssize_t n, float64_t centre,
    float64_t scale, float64_t kappa, float64_t* log_sum, float64_t* mean, float64_t* variance,
) noexcept nogil:
    # ln of the sum of T exp(-kappa x), and mean and variance of x under these weights. The
    # largest exponent is taken out, so that nothing overflows.
    cdef float64_t top = -INFINITY, x, weight, zeroth = 0.0, first = 0.0, second = 0.0
    cdef Py_ssize_t i
    for i in range(n):
        if secs[i] > 0.0:
            top = max(top, -kappa * ((depths[i] - centre) / scale))
    for i in range(n):
        x = (depths[i] - centre) / scale
        weight = secs[i] * exp(-kappa * x - top)
        zeroth += weight
        first += weight * x
    log_sum[0] = log(zeroth) + top
    mean[0] = first / zeroth
    for i in range(n):
        x = (depths[i] - centre) / scale
        second += secs[i] * exp(-kappa * x - top) * (x - mean[0]) * (x - mean[0])
    variance[0] = second / zeroth


cdef float64_t _solve(
    const float64_t* depths, const float64_t* secs, Py_ssize_t n, float64_t total,
    float64_t centre, float64_t scale, float64_t rest, float64_t shape, float64_t rate,
) noexcept nogil:
    # The slope of the likelihood, total (mean(x) - rest) + shape/kappa - rate, falls from left to
    # right: Newton inside a bracket, whose steps are bounded while one end is open.
    cdef float64_t left = 0.0 if shape > 0.0 else -INFINITY, right = INFINITY
    cdef float64_t x, slope, bend, step, log_sum = 0.0, mean = 0.0, variance = 0.0
    cdef int _turn
    x = shape / rate if shape > 0.0 else 0.0
    if shape > 0.0 and not x < 1e3:
        x = 1.0
    for _turn in range(2000):
        _moments(depths, secs, n, centre, scale, x, &log_sum, &mean, &variance)
        slope = total * (mean - rest) - rate
        bend = total * variance
        if shape > 0.0:
            slope += shape / x
            bend += shape / (x * x)
        if slope > 0.0:
            left = x
        else:
            right = x
        step = slope / bend if bend > 0.0 else INFINITY
        if fabs(step) <= 4e-16 * fabs(x):
            break
        step = min(max(step, -4.0 * (fabs(x) + 1.0)), 4.0 * (fabs(x) + 1.0))
        if left < x + step < right:
            x += step
        elif left > -INFINITY and right < INFINITY:
            if x == left + 0.5 * (right - left):
                break
            x = left + 0.5 * (right - left)
        else:
            x += step
        if right - left <= 4e-16 * fabs(x):
            break
    return x


cdef int _check_bins(
    const float64_t[::1] depths, const float64_t[::1] secs, const float64_t[::1] fills
) except -1:
    cdef Py_ssize_t i, n = depths.shape[0]
    cdef float64_t total = 0.0
    if n < 1 or secs.shape[0] != n or fills.shape[0] != n:
        raise ValueError(f"depths must not be empty; secs and fills must have its length: {n}")
    for i in range(n):
        if not fabs(depths[i]) < 1e150:
            raise ValueError(f"depths[{i}] must be finite: {depths[i]}")
        if not 0.0 <= secs[i] < 1e150:
            raise ValueError(f"secs[{i}] must be >= 0 and finite: {secs[i]}")
        if not 0.0 <= fills[i] < 1e150:
            raise ValueError(f"fills[{i}] must be >= 0 and finite: {fills[i]}")
        if fills[i] > 0.0 and secs[i] == 0.0:
            raise ValueError(f"secs[{i}] must be > 0 where there are fills: {fills[i]} fills")
        total += fills[i]
    if not total > 0.0:
        raise ValueError("fills must not all be 0")
    return 0


cdef int _check_prior(float64_t shape, float64_t rate) except -1:
    if shape == 0.0 and rate == 0.0:
        return 0
    if not (1.0 < shape < INFINITY and 0.0 < rate < INFINITY):
        raise ValueError(
            f"a prior must have a shape > 1 and a rate > 0, or none (0, 0): {shape}, {rate}"
        )
    return 0


def fit_joint(
    const float64_t[::1] depths,
    const float64_t[::1] secs,
    const float64_t[::1] fills,
    *,
    float64_t prior_shape=0.0,
    float64_t prior_rate=0.0,
):
    """Fit level and decay of the fill intensity by maximum likelihood.

    Parameters
    ----------
    depths : array of float64, shape (n,), n >= 1
        Depths in any unit, finite.
    secs : array of float64, shape (n,)
        Seconds quoted at each depth, >= 0.
    fills : array of float64, shape (n,)
        Fills at each depth, >= 0; a partial one counts its share of the order.
    prior_shape, prior_rate : float
        Gamma prior of the decay: shape > 1, rate > 0 in the unit of depth. Both 0: none.

    Returns
    -------
    dict of float
        `intensity` A in 1/s and `log_intensity`, `kappa` in 1/unit, `log_intensity_se`,
        `kappa_se`, `covariance` of both, `log_likelihood` (without ln N!, with the prior's
        term).

    Raises
    ------
    ValueError
        If a value is outside its domain, or the decay is not identified: without a prior the
        mean depth of the fills must lie inside the depths quoted.

    Notes
    -----
    Maximises sum N (ln A - kappa d) - sum T A exp(-kappa d) [+ (shape-1) ln kappa - rate kappa].
    For a given kappa, A = sum N / sum T exp(-kappa d); Newton in a bracket on what is left. The
    covariance is the inverse of the observed information. Allocates nothing.

    Examples
    --------
    >>> import numpy as np
    >>> fit = fit_joint(np.array([1.0, 2.0]), np.array([100.0, 100.0]), np.array([40.0, 20.0]))
    >>> round(fit["kappa"], 6), round(fit["intensity"], 6)  # halves with each unit of depth
    (0.693147, 0.8)
    """
    cdef JointFit fit
    cdef bint is_identified
    _check_bins(depths, secs, fills)
    _check_prior(prior_shape, prior_rate)
    with nogil:
        is_identified = joint_fit_of(
            &depths[0], &secs[0], &fills[0], depths.shape[0], prior_shape, prior_rate, &fit
        )
    if not is_identified:
        raise ValueError(
            "kappa is not identified: the mean depth of the fills must lie inside the depths "
            "quoted, or a prior must be given"
        )
    return {
        "intensity": exp(fit.log_intensity),
        "log_intensity": fit.log_intensity,
        "kappa": fit.kappa,
        "log_intensity_se": fit.log_intensity_se,
        "kappa_se": fit.kappa_se,
        "covariance": fit.covariance,
        "log_likelihood": fit.log_likelihood,
    }


def joint_log_likelihood(
    const float64_t[::1] depths,
    const float64_t[::1] secs,
    const float64_t[::1] fills,
    *,
    float64_t log_intensity,
    float64_t kappa,
    float64_t prior_shape=0.0,
    float64_t prior_rate=0.0,
):
    """Evaluate what `fit_joint` maximises, with its derivatives.

    Parameters
    ----------
    depths, secs, fills, prior_shape, prior_rate
        As in `fit_joint`.
    log_intensity : float
        ln A, A in 1/s.
    kappa : float
        Decay in 1/unit; > 0 with a prior.

    Returns
    -------
    tuple
        The log-likelihood; its gradient by (ln A, kappa); its second derivatives (by ln A twice,
        by both, by kappa twice).

    Raises
    ------
    ValueError
        If a value is outside its domain.
    """
    cdef Py_ssize_t i
    cdef float64_t value = 0.0, by_level = 0.0, by_kappa = 0.0, a = 0.0, b = 0.0, c = 0.0, mean
    _check_bins(depths, secs, fills)
    _check_prior(prior_shape, prior_rate)
    if not (fabs(log_intensity) < INFINITY and fabs(kappa) < INFINITY):
        raise ValueError(f"log_intensity and kappa must be finite: {log_intensity}, {kappa}")
    if prior_shape > 0.0 and not kappa > 0.0:
        raise ValueError(f"kappa must be > 0 with a prior: {kappa}")
    for i in range(depths.shape[0]):
        mean = secs[i] * exp(log_intensity - kappa * depths[i])
        value += fills[i] * (log_intensity - kappa * depths[i]) - mean
        by_level += fills[i] - mean
        by_kappa -= (fills[i] - mean) * depths[i]
        a -= mean
        b += mean * depths[i]
        c -= mean * depths[i] * depths[i]
    if prior_shape > 0.0:
        value += (prior_shape - 1.0) * log(kappa) - prior_rate * kappa
        by_kappa += (prior_shape - 1.0) / kappa - prior_rate
        c -= (prior_shape - 1.0) / (kappa * kappa)
    return value, (by_level, by_kappa), (a, b, c)


def fit_regression(
    const float64_t[::1] depths, const float64_t[::1] secs, const float64_t[::1] fills
):
    """Fit a line to the logarithm of the fill rate by weighted least squares, for plots.

    Parameters
    ----------
    depths, secs, fills
        As in `fit_joint`. Depths without a fill are left out, which biases the decay down.

    Returns
    -------
    dict of float
        `intensity` A in 1/s, `kappa` in 1/unit, `kappa_se` for Poisson counts.

    Raises
    ------
    ValueError
        If a value is outside its domain, or fewer than two depths have fills.

    Notes
    -----
    ln(N/T) on d with the weights N.
    """
    cdef Py_ssize_t i
    cdef float64_t weight = 0.0, x = 0.0, y = 0.0, xx = 0.0, xy = 0.0, kappa
    _check_bins(depths, secs, fills)
    for i in range(depths.shape[0]):
        if fills[i] > 0.0:
            weight += fills[i]
            x += fills[i] * depths[i]
            y += fills[i] * log(fills[i] / secs[i])
    x /= weight
    y /= weight
    for i in range(depths.shape[0]):
        if fills[i] > 0.0:
            xx += fills[i] * (depths[i] - x) * (depths[i] - x)
            xy += fills[i] * (depths[i] - x) * (log(fills[i] / secs[i]) - y)
    if not xx > 0.0:
        raise ValueError("depths must hold two different ones with fills")
    kappa = -xy / xx
    return {"intensity": exp(y + kappa * x), "kappa": kappa, "kappa_se": 1.0 / sqrt(xx)}


def fit_log_survival(const float64_t[::1] depths, *, float64_t depth_min=0.0):
    """Fit a line through the origin to the logarithm of the survival function, for plots.

    Parameters
    ----------
    depths : array of float64, shape (n,), n >= 1
        Depths in any unit, >= `depth_min`, not decreasing.
    depth_min : float
        Where the law begins, >= 0.

    Returns
    -------
    float
        Decay in 1/unit; infinite if all depths equal `depth_min`.

    Raises
    ------
    ValueError
        If a value is outside its domain.

    Notes
    -----
    ln(1 - (i - 1/2)/n) on the i-th smallest depth, by least squares.
    """
    cdef Py_ssize_t i, n = depths.shape[0]
    cdef float64_t xx = 0.0, xy = 0.0, x, largest, size = <float64_t> n
    if n < 1:
        raise ValueError("depths must not be empty")
    if not 0.0 <= depth_min < INFINITY:
        raise ValueError(f"depth_min must be >= 0 and finite: {depth_min}")
    for i in range(n):
        if not depth_min <= depths[i] < INFINITY:
            raise ValueError(f"depths[{i}] must be finite and >= {depth_min}: {depths[i]}")
        if i > 0 and depths[i] < depths[i - 1]:
            raise ValueError(f"depths[{i}] must not be below the one before it: {depths[i]}")
    largest = depths[n - 1] - depth_min
    if largest == 0.0:
        return INFINITY
    for i in range(n):
        x = (depths[i] - depth_min) / largest
        xx += x * x
        xy += x * log((size - <float64_t> i - 0.5) / size)
    return -xy / xx / largest


def fit_book(
    const float64_t[::1] distances, const float64_t[::1] sizes, *, float64_t distance_max
):
    """Fit the decay of resting size with the distance from the mid. Size, not fills.

    Parameters
    ----------
    distances : array of float64, shape (n,), n >= 1
        Distances of the levels, 0 to `distance_max`, in any unit.
    sizes : array of float64, shape (n,)
        Sizes of the levels, >= 0, not all 0.
    distance_max : float
        End of what is seen of the book, > 0.

    Returns
    -------
    float
        Decay in 1/unit; 0 where the mean lies in the upper half of the window.

    Raises
    ------
    ValueError
        If a value is outside its domain.

    Notes
    -----
    Maximum likelihood of an exponential density cut off at the window's end, weighted by size.
    """
    cdef Py_ssize_t i, n = distances.shape[0]
    cdef float64_t total = 0.0, moment = 0.0
    if n < 1 or sizes.shape[0] != n:
        raise ValueError(f"distances must not be empty, and sizes must have its length: {n}")
    if not 0.0 < distance_max < INFINITY:
        raise ValueError(f"distance_max must be > 0 and finite: {distance_max}")
    for i in range(n):
        if not 0.0 <= distances[i] <= distance_max:
            raise ValueError(f"distances[{i}] must lie in 0 to {distance_max}: {distances[i]}")
        if not 0.0 <= sizes[i] < 1e150:
            raise ValueError(f"sizes[{i}] must be >= 0 and finite: {sizes[i]}")
        total += sizes[i]
        moment += sizes[i] * (distances[i] / distance_max)
    if not total > 0.0:
        raise ValueError("sizes must not all be 0")
    if moment == 0.0:
        return INFINITY
    return truncated_rate(moment / total) / distance_max


@cython.final
cdef class FillBins:
    """Seconds quoted and fills by depth, gathered as quotes move.

    Parameters
    ----------
    width_bps : float
        Width of a bin, > 0.
    bins : int
        Number of bins, 1 to 512; depths beyond the last one count there.
    decay_secs : float
        Time after which what was gathered counts 1/e, in seconds, > 0; infinite: never.

    Raises
    ------
    ValueError
        If a value is outside its domain.

    Examples
    --------
    >>> bins = FillBins(width_bps=1.0, bins=4)
    >>> for depth_bps, fills in ((1.2, 40.0), (2.4, 20.0)):
    ...     bins.watch(depth_bps, 100.0)
    ...     bins.fill(depth_bps, fills)
    >>> round(bins.fit()["kappa"], 6)
    0.693147
    """

    def __cinit__(
        self, *, float64_t width_bps, Py_ssize_t bins=64, float64_t decay_secs=INFINITY
    ):
        cdef Py_ssize_t i
        if not 0.0 < width_bps < 1e100:
            raise ValueError(f"width_bps must be > 0 and finite: {width_bps}")
        if not 1 <= bins <= MAX_BINS:
            raise ValueError(f"bins must lie in 1 to {<int> MAX_BINS}: {bins}")
        if not decay_secs > 0.0:
            raise ValueError(f"decay_secs must be > 0: {decay_secs}")
        self.width_bps, self.bins, self.decay_secs = width_bps, bins, decay_secs
        for i in range(bins):
            self._depths[i] = (<float64_t> i + 0.5) * width_bps
            self._secs[i] = self._fills[i] = 0.0

    def advance(self, float64_t secs):
        """Let `secs` seconds pass, in which what was gathered is forgotten a little.

        Raises
        ------
        ValueError
            If `secs` is negative or not finite.
        """
        if not 0.0 <= secs < INFINITY:
            raise ValueError(f"secs must be >= 0 and finite: {secs}")
        self.pass_secs(secs)

    def watch(self, float64_t depth_bps, float64_t secs):
        """Count seconds for which an order rested at a depth.

        Raises
        ------
        ValueError
            If a value is negative or not finite.
        """
        if not 0.0 <= depth_bps < INFINITY:
            raise ValueError(f"depth_bps must be >= 0 and finite: {depth_bps}")
        if not 0.0 <= secs < INFINITY:
            raise ValueError(f"secs must be >= 0 and finite: {secs}")
        self.watch_room(depth_bps, secs)

    def fill(self, float64_t depth_bps, float64_t fills=1.0):
        """Count a fill, or the share of the order that was filled, at a depth.

        Raises
        ------
        ValueError
            If a value is negative or not finite.
        """
        if not 0.0 <= depth_bps < INFINITY:
            raise ValueError(f"depth_bps must be >= 0 and finite: {depth_bps}")
        if not 0.0 <= fills < INFINITY:
            raise ValueError(f"fills must be >= 0 and finite: {fills}")
        self.fill_room(depth_bps, fills)

    def fit(self, *, float64_t prior_shape=0.0, float64_t prior_rate=0.0):
        """Fit what was gathered with `fit_joint`.

        Raises
        ------
        ValueError
            As `fit_joint`.
        """
        cdef float64_t[::1] depths = <float64_t[:self.bins]> &self._depths[0]
        cdef float64_t[::1] secs = <float64_t[:self.bins]> &self._secs[0]
        cdef float64_t[::1] fills = <float64_t[:self.bins]> &self._fills[0]
        return fit_joint(depths, secs, fills, prior_shape=prior_shape, prior_rate=prior_rate)

    cdef Py_ssize_t bin_of(self, float64_t depth_bps) noexcept nogil:
        cdef float64_t at = depth_bps / self.width_bps
        return self.bins - 1 if at >= <float64_t> self.bins else <Py_ssize_t> at

    cdef void watch_room(self, float64_t depth_bps, float64_t secs) noexcept nogil:
        self._secs[self.bin_of(depth_bps)] += secs

    cdef void fill_room(self, float64_t depth_bps, float64_t fills) noexcept nogil:
        self._fills[self.bin_of(depth_bps)] += fills

    cdef void pass_secs(self, float64_t secs) noexcept nogil:
        cdef float64_t weight
        cdef Py_ssize_t i
        if self.decay_secs == INFINITY:
            return
        weight = exp(-secs / self.decay_secs)
        for i in range(self.bins):
            self._secs[i] *= weight
            self._fills[i] *= weight
