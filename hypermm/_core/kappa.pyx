"""Decay of the fill intensity with depth, by maximum likelihood.

The depth of an aggressive order is the distance of its worst fill from the mid before it. Beyond
the touch its law is taken as exponential: left-truncated at a least depth, because nothing trades
inside the spread, and right-censored or right-truncated at a largest one.
"""

cimport cython
from libc.math cimport INFINITY, NAN, exp, expm1, fabs, log, sinh, sqrt

cdef extern from * nogil:
    """
    #include <stddef.h>
    #include <string.h>

    /* One pass over n depths x: the sum of min(x, top) - low, the number below top, and whether
       all lie in low..high. Eight partial sums, added in one fixed order; two depths a register
       where the compiler knows vectors. NaN is in no range. */
    #if defined(__GNUC__)
    typedef double hypermm_pair __attribute__((vector_size(16)));
    typedef long long hypermm_bits __attribute__((vector_size(16)));

    #define HYPERMM_SEEN(k) { \
        hypermm_pair x; \
        memcpy(&x, depths + i + 2 * k, sizeof x); \
        e##k += x - lows; \
        ok &= (x >= lows) & (x <= highs); \
    }

    #define HYPERMM_CENSORED(k) { \
        hypermm_pair x; \
        hypermm_bits is_below; \
        memcpy(&x, depths + i + 2 * k, sizeof x); \
        is_below = x < tops; \
        n##k -= is_below; \
        e##k += (hypermm_pair)(((hypermm_bits)x & is_below) | ((hypermm_bits)tops & ~is_below)) \
            - lows; \
        ok &= (x >= lows) & (x <= highs); \
    }
    #endif

    static int hypermm_depths(
        const double* depths, ptrdiff_t n, double low, double top, double high,
        double* excess, double* below
    ) {
        ptrdiff_t i = 0;
        long long counted = 0;
        int is_inside = 1;
        *excess = 0.0;
    #if defined(__GNUC__)
        const hypermm_pair lows = {low, low}, tops = {top, top}, highs = {high, high};
        hypermm_pair e0 = {0}, e1 = {0}, e2 = {0}, e3 = {0};
        hypermm_bits n0 = {0}, n1 = {0}, n2 = {0}, n3 = {0}, ok = {-1, -1};
        if (top > high) {
            for (; i + 8 <= n; i += 8) {
                HYPERMM_SEEN(0)
                HYPERMM_SEEN(1)
                HYPERMM_SEEN(2)
                HYPERMM_SEEN(3)
            }
            counted = i;
        }
        for (; i + 8 <= n; i += 8) {
            HYPERMM_CENSORED(0)
            HYPERMM_CENSORED(1)
            HYPERMM_CENSORED(2)
            HYPERMM_CENSORED(3)
        }
        e0 = (e0 + e1) + (e2 + e3);
        n0 = (n0 + n1) + (n2 + n3);
        *excess = e0[0] + e0[1];
        counted += n0[0] + n0[1];
        is_inside = ok[0] != 0 && ok[1] != 0;
    #else
        double e[8] = {0};
        int j;
        for (; i + 8 <= n; i += 8) {
            for (j = 0; j < 8; j++) {
                double x = depths[i + j];
                e[j] += (x < top ? x : top) - low;
                counted += x < top;
                is_inside &= x >= low && x <= high;
            }
        }
        *excess = ((e[0] + e[2]) + (e[4] + e[6])) + ((e[1] + e[3]) + (e[5] + e[7]));
    #endif
        for (; i < n; i++) {
            double x = depths[i];
            *excess += (x < top ? x : top) - low;
            counted += x < top;
            is_inside &= x >= low && x <= high;
        }
        *below = (double)counted;
        return is_inside;
    }
    """
    bint hypermm_depths(
        const float64_t* depths, Py_ssize_t n, float64_t low, float64_t top, float64_t high,
        float64_t* excess, float64_t* below
    )

cdef float64_t LARGEST = 1.7976931348623157e308

cdef float64_t truncated_mean(float64_t y) noexcept nogil:
    # 1/y - 1/expm1(y) cancels for small y; the series is exact to rounding below 0.05.
    if y < 0.05:
        return 0.5 - y / 12.0 + y * y * y / 720.0 - y * y * y * y * y / 30240.0
    return 1.0 / y - 1.0 / expm1(y)


cdef float64_t _information(float64_t y) noexcept nogil:
    # 1/y^2 - e^y/(e^y - 1)^2: the Fisher information of one depth, over the width squared, and
    # minus the slope of `truncated_mean`.
    cdef float64_t root
    if y < 0.05:
        return 1.0 / 12.0 - y * y / 240.0 + y * y * y * y / 6048.0
    root = 2.0 * sinh(0.5 * y) if y < 700.0 else INFINITY
    return 1.0 / (y * y) - 1.0 / (root * root)


cdef float64_t truncated_rate(float64_t mean) noexcept nogil:
    # Newton on a decreasing convex function, started left of the root: it climbs without
    # overshooting. truncated_mean(y) >= 1/(y + 2) gives such a start.
    cdef float64_t y, step
    cdef int _turn
    if mean >= 0.5:
        return 0.0
    if mean < 1e-3:
        return 1.0 / mean  # the rest is e^-1000
    y = 1.0 / mean - 2.0
    for _turn in range(60):
        step = (truncated_mean(y) - mean) / _information(y)
        y += step
        if fabs(step) <= 1e-15 * y:
            break
    return y


cdef int _check_window(float64_t depth_min, float64_t depth_max) except -1:
    if not 0.0 <= depth_min < INFINITY:
        raise ValueError(f"depth_min must be >= 0 and finite: {depth_min}")
    if not depth_max > depth_min:
        raise ValueError(f"depth_max must be > depth_min {depth_min}: {depth_max}")
    return 0


def truncated_means(const float64_t[::1] y, float64_t[::1] out):
    """Write the mean of a cut-off exponential, as a fraction of the window, into `out`.

    Parameters
    ----------
    y : array of float64, shape (n,)
        Decay times width of the window, dimensionless, >= 0.
    out : array of float64, shape (n,)
        Receives 1/y - 1/(e^y - 1), in (0, 1/2].

    Raises
    ------
    ValueError
        If a value is NaN or negative, or the lengths differ.

    Notes
    -----
    Allocates nothing. By its series below y = 0.05, where the formula cancels.
    """
    cdef Py_ssize_t i, n = y.shape[0]
    if out.shape[0] != n:
        raise ValueError(f"out must have length {n}: {out.shape[0]}")
    for i in range(n):
        if not y[i] >= 0.0:
            raise ValueError(f"y[{i}] must be >= 0: {y[i]}")
    with nogil:
        for i in range(n):
            out[i] = truncated_mean(y[i])


def fit_censored(
    const float64_t[::1] depths,
    *,
    float64_t depth_min=0.0,
    float64_t depth_max=INFINITY,
    const float64_t[::1] weights=None,
    float64_t prior_shape=0.0,
    float64_t prior_rate=0.0,
):
    """Fit the decay to depths that are seen, but not measured, beyond `depth_max`.

    Parameters
    ----------
    depths : array of float64, shape (n,), n >= 1
        Depths of events, in any unit, >= `depth_min`. One at or beyond `depth_max` is censored.
    depth_min, depth_max : float
        The window in the same unit; `depth_max` may be infinite.
    weights : array of float64, shape (n,), optional
        Weights, >= 0; all 1 if left out.
    prior_shape, prior_rate : float
        Gamma prior of the decay: shape >= 0, rate >= 0 in the unit of depth.

    Returns
    -------
    dict of float
        `kappa` in 1/unit (infinite if all depths equal `depth_min`), `se` its standard error,
        `events` the weight of uncensored depths, `excess` the weighted sum beyond `depth_min`,
        `loglik`; `low`, `high` the exact 95 % interval of weights 1 without a prior, and
        `posterior_mean`, `posterior_low`, `posterior_high` with the prior.

    Raises
    ------
    ValueError
        If a value is outside its domain or the lengths differ.

    Notes
    -----
    The estimate is the number of uncensored depths over the sum of excesses; the interval is
    that of a gamma variable with this shape. Exact for an exponential law without censoring.

    Examples
    --------
    >>> import numpy as np
    >>> fit = fit_censored(np.array([1.0, 3.0, 2.0, 10.0]), depth_min=1.0, depth_max=5.0)
    >>> round(fit["kappa"], 4), fit["events"], fit["excess"]
    (0.4286, 3.0, 7.0)
    """
    cdef float64_t events = 0.0, excess = 0.0, kappa, loglik
    _check_window(depth_min, depth_max)
    if not 0.0 <= prior_shape < INFINITY or not 0.0 <= prior_rate < INFINITY:
        raise ValueError(f"the prior must be >= 0 and finite: {prior_shape}, {prior_rate}")
    if weights is None:
        _sum(depths, depth_min, depth_max, &events, &excess)
    else:
        _sum_weighted(depths, weights, depth_min, depth_max, &events, &excess)
    if not events > 0.0:
        raise ValueError("no depth lies below depth_max: the decay is not identified")
    kappa = events / excess if excess > 0.0 else INFINITY
    loglik = events * log(kappa) - kappa * excess if excess > 0.0 else INFINITY
    low, high = _interval(events, excess)
    posterior_low, posterior_high = _interval(events + prior_shape, excess + prior_rate)
    return {
        "kappa": kappa,
        "se": kappa / sqrt(events),
        "events": events,
        "excess": excess,
        "loglik": loglik,
        "low": low,
        "high": high,
        "posterior_mean": _over(events + prior_shape, excess + prior_rate),
        "posterior_low": posterior_low,
        "posterior_high": posterior_high,
    }


cdef int _sum(
    const float64_t[::1] depths,
    float64_t depth_min,
    float64_t depth_max,
    float64_t* events,
    float64_t* excess,
) except -1:
    cdef Py_ssize_t i, n = depths.shape[0]
    cdef bint is_inside
    if n < 1:
        raise ValueError("depths must not be empty")
    with nogil:
        is_inside = hypermm_depths(
            &depths[0], n, depth_min, depth_max, LARGEST, excess, events
        )
    if not is_inside:
        for i in range(n):
            _check_depth(depths, i, depth_min)
    return 0


cdef int _sum_weighted(
    const float64_t[::1] depths,
    const float64_t[::1] weights,
    float64_t depth_min,
    float64_t depth_max,
    float64_t* events,
    float64_t* excess,
) except -1:
    cdef Py_ssize_t i, n = depths.shape[0]
    if n < 1 or weights.shape[0] != n:
        raise ValueError(f"depths must not be empty, and weights must have its length: {n}")
    for i in range(n):
        _check_depth(depths, i, depth_min)
        if not 0.0 <= weights[i] < INFINITY:
            raise ValueError(f"weights[{i}] must be >= 0 and finite: {weights[i]}")
        if depths[i] < depth_max:
            events[0] += weights[i]
        excess[0] += weights[i] * (min(depths[i], depth_max) - depth_min)
    return 0


cdef int _check_depth(const float64_t[::1] depths, Py_ssize_t i, float64_t depth_min) except -1:
    if not depth_min <= depths[i] < INFINITY:
        raise ValueError(f"depths[{i}] must be finite and >= {depth_min}: {depths[i]}")
    return 0


def censored_rate(
    const float64_t[::1] depths, *, float64_t depth_min=0.0, float64_t depth_max=INFINITY
):
    """Fit the decay to depths, and nothing more: `fit_censored` without intervals and prior.

    Parameters
    ----------
    depths : array of float64, shape (n,), n >= 1
        Depths of events, in any unit, >= `depth_min`. One at or beyond `depth_max` is censored.
    depth_min, depth_max : float
        The window in the same unit; `depth_max` may be infinite.

    Returns
    -------
    tuple of float
        Decay in 1/unit (infinite if all depths equal `depth_min`), number of uncensored depths,
        and the sum of min(depth, depth_max) - depth_min. The standard error of the decay is the
        decay over the root of the number.

    Raises
    ------
    ValueError
        If a value is outside its domain, or all depths are censored.

    Examples
    --------
    >>> import numpy as np
    >>> censored_rate(np.array([1.0, 3.0, 2.0, 10.0]), depth_min=1.0, depth_max=4.0)
    (0.5, 3.0, 6.0)
    """
    cdef float64_t events = 0.0, excess = 0.0
    _check_window(depth_min, depth_max)
    _sum(depths, depth_min, depth_max, &events, &excess)
    if not events > 0.0:
        raise ValueError("no depth lies below depth_max: the decay is not identified")
    return events / excess if excess > 0.0 else INFINITY, events, excess


cdef float64_t _over(float64_t numerator, float64_t denominator) noexcept:
    return numerator / denominator if denominator > 0.0 else INFINITY


def _interval(float64_t shape, float64_t rate):
    # Imported here: scipy.special takes 0.1 s to load, and only research asks for intervals.
    from scipy.special import gammaincinv

    return (
        _over(float(gammaincinv(shape, 0.025)), rate),
        _over(float(gammaincinv(shape, 0.975)), rate),
    )


def fit_truncated(
    const float64_t[::1] depths, *, float64_t depth_min, float64_t depth_max
):
    """Fit the decay to depths of which those beyond `depth_max` are not seen at all.

    Parameters
    ----------
    depths : array of float64, shape (n,), n >= 1
        Depths of events, in any unit, inside [`depth_min`, `depth_max`].
    depth_min, depth_max : float
        The window in the same unit, finite.

    Returns
    -------
    dict of float
        `kappa` in 1/unit, `se` its standard error, `loglik`. `kappa` is 0 where the mean lies in
        the upper half of the window: no decay is identified, do not quote from it.

    Raises
    ------
    ValueError
        If a value is outside its domain.

    Notes
    -----
    Solves 1/y - 1/(e^y - 1) = mean/width, kappa = y/width. Leaving the truncation out overstates
    kappa by 46 % where kappa times the width is 2.

    Examples
    --------
    >>> import numpy as np
    >>> fit = fit_truncated(np.array([0.5, 1.0, 2.0, 6.5]), depth_min=0.0, depth_max=10.0)
    >>> round(fit["kappa"], 4)
    0.3594
    """
    cdef Py_ssize_t i, n = depths.shape[0]
    cdef float64_t total = 0.0, width = depth_max - depth_min, y, se, loglik, _below
    cdef bint is_inside
    _check_window(depth_min, depth_max)
    if n < 1 or not width < INFINITY:
        raise ValueError("depths must not be empty, and the window must be finite")
    with nogil:
        is_inside = hypermm_depths(
            &depths[0], n, depth_min, INFINITY, depth_max, &total, &_below
        )
    if not is_inside:
        for i in range(n):
            if not depth_min <= depths[i] <= depth_max:
                raise ValueError(f"depths[{i}] must lie in {depth_min} to {depth_max}: {depths[i]}")
    if total == 0.0:
        return {"kappa": INFINITY, "se": INFINITY, "loglik": INFINITY}
    y = truncated_rate(total / <float64_t> n / width)
    if y < 700.0:
        se = 1.0 / sqrt(<float64_t> n * _information(y)) / width
    else:
        se = y / sqrt(<float64_t> n) / width  # the window's end is out of sight
    loglik = -<float64_t> n * log(width)
    if y > 0.0:
        loglik = <float64_t> n * log(y / width / -expm1(-y)) - y / width * total
    return {"kappa": y / width, "se": se, "loglik": loglik}


@cython.final
cdef class KappaStream:
    """Decay and level of the fill intensity with exponential forgetting and a gamma prior.

    Parameters
    ----------
    decay_secs : float
        Time after which an event counts 1/e, in seconds, > 0.
    prior_shape : float
        Events that the prior is worth, >= 0.
    prior_rate : float
        Sum of their depths beyond the least one, in bps, >= 0. The prior's mean is
        `prior_shape / prior_rate`.

    Attributes
    ----------
    weight, excess_bps, events, exposure_secs : float
        Decayed sums: uncensored depths, bps beyond the least depth, events, seconds of watching.

    Raises
    ------
    ValueError
        If a value is outside its domain.

    Notes
    -----
    With w = exp(-dt/tau): m = wm + 1{d < most}, S = wS + min(d, most) - least, n = wn + 1,
    E = wE + tau(1-w); kappa = (a + m)/(b + S), its error kappa/sqrt(a + m), and the intensity at
    the mid A = n/E exp(kappa least). Allocates nothing.

    Examples
    --------
    >>> stream = KappaStream(decay_secs=300.0, prior_shape=4.0, prior_rate=8.0)
    >>> stream.kappa_per_bps  # the prior alone
    0.5
    >>> for depth_bps in (1.5, 2.0, 4.0):
    ...     stream.advance(2.0)
    ...     stream.update(depth_bps, least_bps=1.5, most_bps=50.0)
    >>> round(stream.kappa_per_bps, 2), round(stream.intensity_per_sec(1.5), 2)
    (0.63, 1.3)
    """

    def __cinit__(
        self, *, float64_t decay_secs, float64_t prior_shape=0.0, float64_t prior_rate=0.0
    ):
        if not 0.0 < decay_secs < 1e300:
            raise ValueError(f"decay_secs must be > 0 and finite: {decay_secs}")
        self.decay_secs = decay_secs
        self.set_prior(prior_shape, prior_rate)

    def set_prior(self, float64_t shape, float64_t rate):
        """Replace the prior: `shape` events with `rate` bps in all beyond the least depth.

        Raises
        ------
        ValueError
            If a value is negative or not finite.
        """
        if not 0.0 <= shape < 1e300 or not 0.0 <= rate < 1e300:
            raise ValueError(f"the prior must be >= 0 and finite: {shape}, {rate}")
        self.prior_shape = shape
        self.prior_rate = rate

    def advance(self, float64_t secs):
        """Let `secs` seconds of watching pass.

        Raises
        ------
        ValueError
            If `secs` is negative or not finite.
        """
        if not 0.0 <= secs < 1e300:
            raise ValueError(f"secs must be >= 0 and finite: {secs}")
        self.advance_room(secs)

    def update(self, float64_t depth_bps, *, float64_t least_bps, float64_t most_bps=INFINITY):
        """Take in one event at the present time.

        Raises
        ------
        ValueError
            If not 0 <= least_bps <= depth_bps < infinity, or most_bps <= least_bps.
        """
        _check_window(least_bps, most_bps)
        if not least_bps <= depth_bps < INFINITY:
            raise ValueError(f"depth_bps must be finite and >= {least_bps}: {depth_bps}")
        self.add(depth_bps, least_bps, most_bps)

    def run(
        self,
        const float64_t[::1] secs,
        const float64_t[::1] depths,
        float64_t[::1] out_kappa,
        float64_t[::1] out_intensity,
        *,
        float64_t start_secs,
        float64_t least_bps,
        float64_t most_bps=INFINITY,
    ):
        """Take in a series of events and write decay and intensity after each.

        Parameters
        ----------
        secs : array of float64, shape (n,)
            Times of the events, in seconds, finite, not decreasing.
        depths : array of float64, shape (n,)
            Their depths in bps, finite, >= `least_bps`.
        out_kappa, out_intensity : array of float64, shape (n,)
            Receive the decay in 1/bps and the events per second at the mid.
        start_secs : float
            When watching began, at most the first time.
        least_bps, most_bps : float
            The window of depths: 0 <= least_bps < most_bps.

        Raises
        ------
        ValueError
            If a value is outside its domain, or the lengths differ.

        Notes
        -----
        The same bits as `advance` and `update` in turn. Allocates nothing; the GIL is released.
        """
        cdef Py_ssize_t i, n = depths.shape[0]
        cdef float64_t last = start_secs, kappa
        _check_window(least_bps, most_bps)
        if secs.shape[0] != n or out_kappa.shape[0] != n or out_intensity.shape[0] != n:
            raise ValueError(f"secs and the outputs must have the length of depths: {n}")
        if not fabs(start_secs) < 1e300:
            raise ValueError(f"start_secs must be finite: {start_secs}")
        for i in range(n):
            if not last <= secs[i] < 1e300:
                raise ValueError(f"secs[{i}] must be finite and not below {last}: {secs[i]}")
            last = secs[i]
            _check_depth(depths, i, least_bps)
        last = start_secs
        with nogil:
            for i in range(n):
                self.advance_room(secs[i] - last)
                last = secs[i]
                self.add(depths[i], least_bps, most_bps)
                kappa = self.kappa()
                out_kappa[i] = kappa
                out_intensity[i] = NAN
                if self.exposure_secs > 0.0:
                    out_intensity[i] = self.events / self.exposure_secs * exp(kappa * least_bps)

    @property
    def kappa_per_bps(self):
        """Posterior mean of the decay; NaN if neither prior nor event says anything."""
        return self.kappa()

    @property
    def kappa_se_per_bps(self):
        """Standard error of the decay; NaN if it is not defined."""
        cdef float64_t weight = self.prior_shape + self.weight
        return self.kappa_per_bps / sqrt(weight) if weight > 0.0 else NAN

    def intensity_per_sec(self, float64_t least_bps):
        """Events per second extrapolated to the mid; NaN before any time has passed.

        Raises
        ------
        ValueError
            If `least_bps` is negative or not finite.
        """
        if not 0.0 <= least_bps < INFINITY:
            raise ValueError(f"least_bps must be >= 0 and finite: {least_bps}")
        if not self.exposure_secs > 0.0:
            return NAN
        return self.events / self.exposure_secs * exp(self.kappa_per_bps * least_bps)

    cdef float64_t kappa(self) noexcept nogil:
        cdef float64_t excess = self.prior_rate + self.excess_bps
        return (self.prior_shape + self.weight) / excess if excess > 0.0 else NAN

    cdef void advance_room(self, float64_t secs) noexcept nogil:
        cdef float64_t weight = exp(-secs / self.decay_secs)
        self.weight *= weight
        self.excess_bps *= weight
        self.events *= weight
        self.exposure_secs = weight * self.exposure_secs - self.decay_secs * expm1(
            -secs / self.decay_secs
        )

    cdef void add(
        self, float64_t depth_bps, float64_t least_bps, float64_t most_bps
    ) noexcept nogil:
        if depth_bps < most_bps:
            self.weight += 1.0
        self.excess_bps += min(depth_bps, most_bps) - least_bps
        self.events += 1.0
