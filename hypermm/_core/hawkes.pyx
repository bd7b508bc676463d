"""Self-exciting arrivals with an exponential kernel: intensity, likelihood, residuals.

lambda(t) = mu + sum over t_i < t of m_i alpha exp(-beta (t - t_i)). The sum counts strictly
earlier events, so events of one instant, such as the fills of one taker order, do not excite each
other: the likelihood stays bounded as beta grows. One pass with one exponential an event; the
exponentials come in blocks that the compiler vectorises, the logarithms as products of mantissas.
"""

from libc.math cimport INFINITY, exp, expm1, log
from libc.stdint cimport int64_t
from libc.stdlib cimport qsort

cdef extern from *:
    """
    #include <stdint.h>
    #include <string.h>

    static inline uint64_t hypermm_bits(double x) {
        uint64_t bits;
        memcpy(&bits, &x, sizeof bits);
        return bits;
    }

    static inline double hypermm_double(uint64_t bits) {
        double x;
        memcpy(&x, &bits, sizeof x);
        return x;
    }

    /* exp(x) for x <= 0 within 1.5 units in the last place, without branches so that loops over
       it vectorise; 0 below -708. x = k ln 2 + r with the integer k read from the low bits of a
       sum with 1.5 * 2^52; e^r = 1 + r + r^2 q(r), |r| <= 0.3466, q near-minimax (1.8e-17). */
    static inline double hypermm_exp(double x) {
        const double shift = 6755399441055744.0;
        double inside = x > -708.0 ? x : -708.0;
        double shifted = inside * 1.4426950408889634 + shift;
        double k = shifted - shift;
        double r = (inside - k * 6.93147180369123816490e-01) - k * 1.90821492927058770002e-10;
        double r2 = r * r;
        double r4 = r2 * r2;
        double low = (0.5000000000000001 + r * 0.16666666666666669)
            + r2 * (0.041666666666624136 + r * 0.008333333333330063);
        double high = (0.001388888891720967 + r * 0.00019841269863050506)
            + r2 * (2.4801521302241082e-05 + r * 2.7557268464831627e-06);
        double q = low + r4 * (high + r4 * (2.7620085455018414e-07 + r * 2.510038319586702e-08));
        double scaled = hypermm_double(
            hypermm_bits(1.0 + (r + r2 * q)) + (hypermm_bits(shifted) << 52));
        return x > -708.0 ? scaled : 0.0;
    }

    /* x = mantissa * 2^(exponent - 1023), mantissa in [1, 2), for normal x > 0. */
    static inline double hypermm_mantissa(double x) {
        return hypermm_double(
            (hypermm_bits(x) & 0x000FFFFFFFFFFFFFULL) | 0x3FF0000000000000ULL);
    }

    static inline int64_t hypermm_exponent(double x) {
        return (int64_t)(hypermm_bits(x) >> 52);
    }
    """
    double exp_decay "hypermm_exp" (double x) noexcept nogil
    double mantissa_of "hypermm_mantissa" (double x) noexcept nogil
    int64_t exponent_of "hypermm_exponent" (double x) noexcept nogil

cdef enum:
    BLOCK = 128  # events at a time: all buffers of a pass stay in the first-level cache
    BLOCKS_PER_LOG = 512  # mantissas below 2 multiplied before a logarithm: 2^512 at most


cdef HawkesSums hawkes_sums(
    const float64_t* times,
    const float64_t* marks,
    Py_ssize_t n,
    float64_t horizon,
    float64_t baseline,
    float64_t jump,
    float64_t decay,
    int order,
) noexcept nogil:
    # Lane j sums events j, j + BLOCK, ...: loops without a carried sum vectorise as they stand,
    # and the rounding errors of a million terms stay those of a few thousand.
    cdef HawkesSums sums
    cdef float64_t[BLOCK] gaps, weights, r, b, c, lam
    cdef float64_t[BLOCK] product, inverse, excited, aged
    cdef float64_t[BLOCK] inverse_2, excited_inverse, aged_inverse
    cdef float64_t[BLOCK] excited_2, excited_aged, aged_2, bent
    cdef int64_t[BLOCK] exponent
    cdef int64_t binary = 0
    cdef float64_t logs = 0.0, total = 0.0, over
    cdef float64_t excitation = 0.0, after = 0.0, age = 0.0, bend = 0.0, gap, weight
    cdef Py_ssize_t block, start, j, m
    for j in range(BLOCK):
        product[j] = 1.0
        exponent[j] = 0
        inverse[j] = excited[j] = aged[j] = 0.0
        inverse_2[j] = excited_inverse[j] = aged_inverse[j] = 0.0
        excited_2[j] = excited_aged[j] = aged_2[j] = bent[j] = 0.0
    for block in range((n + BLOCK - 1) // BLOCK):
        start = block * BLOCK
        m = min(<Py_ssize_t> BLOCK, n - start)
        gaps[0] = times[start] - times[start - 1] if start > 0 else 0.0
        for j in range(1, m):
            gaps[j] = times[start + j] - times[start + j - 1]
        for j in range(m):
            weights[j] = exp_decay(-decay * gaps[j])
        for j in range(m):
            # `after` is the sum right after the event before, `excitation` right before this one;
            # in a tie (and at the first event) the latter stands.
            gap, weight = gaps[j], weights[j]
            if gap > 0.0:
                if order >= 2:
                    bend = weight * (bend + gap * (2.0 * age + gap * after))
                if order >= 1:
                    age = weight * (age + gap * after)
                excitation = weight * after
                after = excitation
            r[j], b[j], c[j] = excitation, age, bend
            if marks == NULL:
                after += 1.0
            else:
                after += marks[start + j]
                total += marks[start + j]
        for j in range(m):
            lam[j] = baseline + jump * r[j]
        for j in range(m):
            exponent[j] += exponent_of(lam[j])
            product[j] *= mantissa_of(lam[j])
        if order >= 1:
            for j in range(m):
                over = 1.0 / lam[j]
                lam[j] = over
                inverse[j] += over
                excited[j] += r[j] * over
                aged[j] += b[j] * over
        if order >= 2:
            for j in range(m):
                over = lam[j]
                r[j] *= over
                b[j] *= over
                bent[j] += c[j] * over
                inverse_2[j] += over * over
                excited_inverse[j] += r[j] * over
                aged_inverse[j] += b[j] * over
                excited_2[j] += r[j] * r[j]
                excited_aged[j] += r[j] * b[j]
                aged_2[j] += b[j] * b[j]
        if block % BLOCKS_PER_LOG == BLOCKS_PER_LOG - 1:
            for j in range(BLOCK):
                logs += log(product[j])
                product[j] = 1.0
    for j in range(BLOCK):
        logs += log(product[j])
        binary += exponent[j]
    sums.log_intensities = logs + log(2.0) * <float64_t> (binary - 1023 * <int64_t> n)
    _add_lanes(
        &sums, inverse, excited, aged, inverse_2, excited_inverse, aged_inverse,
        excited_2, excited_aged, aged_2, bent,
    )
    if marks == NULL:
        total = <float64_t> n
    _decay_to_horizon(&sums, times, marks, n, horizon, decay, total, after, age, bend)
    return sums


cdef float64_t _lanes(const float64_t* lane) noexcept nogil:
    cdef float64_t total = 0.0
    cdef Py_ssize_t j
    for j in range(BLOCK):
        total += lane[j]
    return total


cdef void _add_lanes(
    HawkesSums* sums,
    const float64_t* inverse,
    const float64_t* excited,
    const float64_t* aged,
    const float64_t* inverse_2,
    const float64_t* excited_inverse,
    const float64_t* aged_inverse,
    const float64_t* excited_2,
    const float64_t* excited_aged,
    const float64_t* aged_2,
    const float64_t* bent,
) noexcept nogil:
    sums.inverse = _lanes(inverse)
    sums.excited = _lanes(excited)
    sums.aged = _lanes(aged)
    sums.inverse_2 = _lanes(inverse_2)
    sums.excited_inverse = _lanes(excited_inverse)
    sums.aged_inverse = _lanes(aged_inverse)
    sums.excited_2 = _lanes(excited_2)
    sums.excited_aged = _lanes(excited_aged)
    sums.aged_2 = _lanes(aged_2)
    sums.bent = _lanes(bent)


cdef float64_t slope_weight(float64_t x) noexcept nogil:
    # 1 - (1 + x) e^-x: cancels for small x, where the alternating series sum of
    # (-x)^k (k - 1)/k! from k = 2 takes over.
    cdef float64_t term, total
    cdef int k
    if x > 0.5:
        return 1.0 - (1.0 + x) * exp(-x)
    term = 0.5 * x * x
    total = term
    for k in range(3, 16):
        term *= -x * (k - 1) / (k * (k - 2.0))
        total += term
    return total


cdef void _decay_to_horizon(
    HawkesSums* sums,
    const float64_t* times,
    const float64_t* marks,
    Py_ssize_t n,
    float64_t horizon,
    float64_t decay,
    float64_t total,
    float64_t after,
    float64_t age,
    float64_t bend,
) noexcept nogil:
    # The sums over T - t_i follow from the last state. Over a window shorter than 1/beta
    # `total - excitation` would cancel: there each event is taken by itself.
    cdef float64_t gap, weight, x
    cdef Py_ssize_t i
    sums.decayed = sums.decayed_slope = sums.decayed_bend = sums.last_excitation = 0.0
    if n == 0:
        return
    gap = horizon - times[n - 1]
    weight = exp(-decay * gap)
    sums.last_excitation = weight * after
    if decay * (horizon - times[0]) >= 1.0:
        bend = weight * (bend + gap * (2.0 * age + gap * after))
        age = weight * (age + gap * after)
        sums.decayed = total - sums.last_excitation
        sums.decayed_slope = sums.decayed - decay * age
        sums.decayed_bend = decay * decay * bend
        return
    for i in range(n):
        x = decay * (horizon - times[i])
        weight = marks[i] if marks != NULL else 1.0
        sums.decayed -= weight * expm1(-x)
        sums.decayed_slope += weight * slope_weight(x)
        sums.decayed_bend += weight * x * x * exp(-x)


cdef float64_t hawkes_loglik(
    const HawkesSums* sums, float64_t span, float64_t baseline, float64_t jump, float64_t decay
) noexcept nogil:
    return sums.log_intensities - baseline * span - jump / decay * sums.decayed


cdef void hawkes_gradient(
    const HawkesSums* sums, float64_t span, float64_t jump, float64_t decay, float64_t* out
) noexcept nogil:
    out[0] = sums.inverse - span
    out[1] = sums.excited - sums.decayed / decay
    out[2] = -jump * (sums.aged - sums.decayed_slope / (decay * decay))


cdef void hawkes_hessian(
    const HawkesSums* sums, float64_t jump, float64_t decay, float64_t* out
) noexcept nogil:
    out[0] = -sums.inverse_2
    out[1] = out[3] = -sums.excited_inverse
    out[2] = out[6] = jump * sums.aged_inverse
    out[4] = -sums.excited_2
    out[5] = out[7] = -sums.aged + jump * sums.excited_aged + sums.decayed_slope / (decay * decay)
    out[8] = jump * (
        sums.bent
        - jump * sums.aged_2
        - (2.0 * sums.decayed_slope - sums.decayed_bend) / (decay * decay * decay)
    )


cdef float64_t hawkes_mean(float64_t baseline, float64_t jump, float64_t decay) noexcept nogil:
    return baseline * decay / (decay - jump) if jump < decay else INFINITY


cdef float64_t hawkes_variance(float64_t baseline, float64_t jump, float64_t decay) noexcept nogil:
    cdef float64_t scaled
    if not jump < decay:
        return INFINITY
    scaled = jump / (decay - jump)
    return 0.5 * scaled * scaled * baseline * decay


cdef int check_parameters(float64_t baseline, float64_t jump, float64_t decay) except -1:
    if not 1e-300 <= baseline <= 1e300:
        raise ValueError(f"baseline_per_sec must be > 0 and finite: {baseline}")
    if not 0.0 <= jump <= 1e300:
        raise ValueError(f"jump_per_sec must be >= 0 and finite: {jump}")
    if not 1e-300 <= decay <= 1e300:
        raise ValueError(f"decay_per_sec must be > 0 and finite: {decay}")
    return 0


cdef Py_ssize_t _first_decrease(const float64_t* times, Py_ssize_t n) noexcept nogil:
    # -1: none. NaN anywhere fails a comparison; 64 at a time, so that the loop vectorises.
    cdef Py_ssize_t i, j, wrong
    if n > 0 and not times[0] >= 0.0:
        return 0
    for i in range(1, n, 64):
        wrong = 0
        for j in range(i, min(i + 64, n)):
            wrong += not times[j] >= times[j - 1]
        if wrong > 0:
            for j in range(i, n):
                if not times[j] >= times[j - 1]:
                    return j
    return -1


cdef int check_events(
    const float64_t[::1] times, const float64_t[::1] marks, float64_t horizon_secs
) except -1:
    cdef Py_ssize_t i, n = times.shape[0]
    with nogil:
        i = _first_decrease(&times[0], n) if n > 0 else -1
    if i == 0:
        raise ValueError(f"times[0] must be finite and >= 0: {times[0]}")
    if i > 0 and not -INFINITY < times[i] < INFINITY:
        raise ValueError(f"times[{i}] must be finite: {times[i]}")
    if i > 0:
        raise ValueError(f"times[{i}] must not be below the time before it: {times[i]}")
    if not 0.0 < horizon_secs < INFINITY:
        raise ValueError(f"horizon_secs must be > 0 and finite: {horizon_secs}")
    if n > 0 and not times[n - 1] <= horizon_secs:
        raise ValueError(
            f"horizon_secs must not be before times[{n - 1}] = {times[n - 1]}: {horizon_secs}"
        )
    if marks is not None:
        if marks.shape[0] != n:
            raise ValueError(f"marks must have the length of times, {n}: {marks.shape[0]}")
        for i in range(n):
            if not 0.0 <= marks[i] < INFINITY:
                raise ValueError(f"marks[{i}] must be >= 0 and finite: {marks[i]}")
    return 0


cdef const float64_t* _pointer(const float64_t[::1] values) noexcept:
    return &values[0] if values is not None and values.shape[0] > 0 else NULL


def log_likelihood(
    const float64_t[::1] times,
    *,
    float64_t horizon_secs,
    float64_t baseline_per_sec,
    float64_t jump_per_sec,
    float64_t decay_per_sec,
    const float64_t[::1] marks=None,
    float64_t[::1] gradient=None,
):
    """Return the log-likelihood of event times on [0, `horizon_secs`].

    Parameters
    ----------
    times : array of float64, shape (n,)
        Event times in seconds from the window's start, not decreasing. May be empty.
    horizon_secs : float
        End of the window, > 0, not before the last event.
    baseline_per_sec, jump_per_sec, decay_per_sec : float
        mu > 0, alpha >= 0 and beta > 0 of mu + alpha sum exp(-beta (t - t_i)), in 1/s. alpha may
        exceed beta: the likelihood of a window does not need stationarity.
    marks : array of float64, shape (n,), optional
        Weights m_i >= 0 of the jumps; all 1 if left out.
    gradient : array of float64, shape (3,), optional
        Receives the derivatives with respect to mu, alpha and beta.

    Returns
    -------
    float
        Log-likelihood in nats.

    Raises
    ------
    ValueError
        If a time is negative, NaN or before the one before it, the horizon is before the last
        event, a parameter is outside its domain, or a length is wrong.

    Notes
    -----
    sum ln lambda(t_i) - mu T - (alpha/beta) sum m_i (1 - exp(-beta (T - t_i))) by the recursion
    of Ozaki (1979). Events of one instant do not excite each other. Allocates nothing; releases
    the GIL.

    Examples
    --------
    >>> import numpy as np
    >>> gradient = np.empty(3)
    >>> value = log_likelihood(np.array([1.0, 1.5, 4.0]), horizon_secs=5.0,
    ...     baseline_per_sec=0.5, jump_per_sec=0.6, decay_per_sec=1.2, gradient=gradient)
    >>> round(value, 4), gradient.round(3).tolist()
    (-5.3228, [0.036, -1.427, 0.496])
    """
    cdef Py_ssize_t n = times.shape[0]
    cdef HawkesSums sums
    cdef const float64_t* first = _pointer(times)
    cdef const float64_t* weights = _pointer(marks)
    cdef int order = 0 if gradient is None else 1
    check_parameters(baseline_per_sec, jump_per_sec, decay_per_sec)
    check_events(times, marks, horizon_secs)
    if gradient is not None and gradient.shape[0] != 3:
        raise ValueError(f"gradient must have length 3: {gradient.shape[0]}")
    with nogil:
        sums = hawkes_sums(
            first, weights, n, horizon_secs, baseline_per_sec, jump_per_sec, decay_per_sec, order
        )
    if gradient is not None:
        hawkes_gradient(&sums, horizon_secs, jump_per_sec, decay_per_sec, &gradient[0])
    return hawkes_loglik(&sums, horizon_secs, baseline_per_sec, jump_per_sec, decay_per_sec)


def intensities(
    const float64_t[::1] times,
    const float64_t[::1] at,
    float64_t[::1] out,
    *,
    float64_t baseline_per_sec,
    float64_t jump_per_sec,
    float64_t decay_per_sec,
    const float64_t[::1] marks=None,
):
    """Write the intensity just before each of the instants `at` into `out`.

    Parameters
    ----------
    times : array of float64, shape (n,)
        Event times in seconds, >= 0, not decreasing.
    at : array of float64, shape (m,)
        Instants in seconds, >= 0, not decreasing. `times` itself gives lambda(t_i-).
    out : array of float64, shape (m,)
        Receives mu + alpha times the decayed marks of all events strictly before, in 1/s.
    baseline_per_sec, jump_per_sec, decay_per_sec, marks
        As of `log_likelihood`.

    Raises
    ------
    ValueError
        As `log_likelihood`.

    Notes
    -----
    Allocates nothing; releases the GIL.
    """
    cdef Py_ssize_t i = 0, k, n = times.shape[0], m = at.shape[0]
    cdef float64_t excitation = 0.0, last = 0.0
    check_parameters(baseline_per_sec, jump_per_sec, decay_per_sec)
    check_events(times, marks, times[n - 1] + 1.0 if n > 0 else 1.0)
    if out.shape[0] != m:
        raise ValueError(f"out must have length {m}: {out.shape[0]}")
    for k in range(m):
        if not 0.0 <= at[k] < INFINITY or (k > 0 and not at[k] >= at[k - 1]):
            raise ValueError(f"at[{k}] must be finite, >= 0 and not decreasing: {at[k]}")
    with nogil:
        for k in range(m):
            while i < n and times[i] < at[k]:
                excitation = excitation * exp(-decay_per_sec * (times[i] - last))
                excitation += marks[i] if marks is not None else 1.0
                last = times[i]
                i += 1
            out[k] = baseline_per_sec + jump_per_sec * excitation * exp(
                -decay_per_sec * (at[k] - last)
            )


def residuals(
    const float64_t[::1] times,
    float64_t[::1] out,
    *,
    float64_t baseline_per_sec,
    float64_t jump_per_sec,
    float64_t decay_per_sec,
    const float64_t[::1] marks=None,
):
    """Write the integral of the intensity between consecutive events into `out`.

    Parameters
    ----------
    times : array of float64, shape (n,)
        Event times in seconds from the window's start, >= 0, not decreasing.
    out : array of float64, shape (n,)
        Receives mu t_1 and then the integrals from t_(i-1) to t_i: under the model independent
        exponential variables of mean 1 (time change).
    baseline_per_sec, jump_per_sec, decay_per_sec, marks
        As of `log_likelihood`.

    Raises
    ------
    ValueError
        As `log_likelihood`.

    Notes
    -----
    Allocates nothing; releases the GIL. Ties give zeros, which no continuous law has: merge the
    events of one instant before a test of fit.
    """
    cdef Py_ssize_t i, n = times.shape[0]
    cdef float64_t after = 0.0, last = 0.0, gap, x, branching
    check_parameters(baseline_per_sec, jump_per_sec, decay_per_sec)
    check_events(times, marks, times[n - 1] + 1.0 if n > 0 else 1.0)
    if out.shape[0] != n:
        raise ValueError(f"out must have length {n}: {out.shape[0]}")
    branching = jump_per_sec / decay_per_sec
    with nogil:
        for i in range(n):
            gap = times[i] - last
            last = times[i]
            x = expm1(-decay_per_sec * gap)
            out[i] = baseline_per_sec * gap - branching * after * x
            after += after * x
            after += marks[i] if marks is not None else 1.0


cdef int _ascending(const void* left, const void* right) noexcept nogil:
    cdef float64_t a = (<const float64_t*> left)[0], b = (<const float64_t*> right)[0]
    return (a > b) - (a < b)


def ks_distance(const float64_t[::1] values, float64_t[::1] work):
    """Return the Kolmogorov-Smirnov distance of values from the exponential law of mean 1.

    Parameters
    ----------
    values : array of float64, shape (n,), n >= 1
        Residuals, >= 0.
    work : array of float64, shape (n,)
        Room for sorting, which sorted values are spared; overwritten.

    Returns
    -------
    float
        Largest distance between 1 - e^-x and the empirical distribution, in (0, 1].

    Raises
    ------
    ValueError
        If a value is negative or NaN, there is none, or the lengths differ.

    Examples
    --------
    >>> import numpy as np
    >>> round(ks_distance(np.array([0.2, 0.5, 1.6]), np.empty(3)), 4)
    0.2732
    """
    cdef Py_ssize_t i, n = values.shape[0]
    cdef float64_t distance = 0.0, u
    cdef bint is_sorted = True
    if n < 1 or work.shape[0] != n:
        raise ValueError(f"values must not be empty, and work must have its length {n}")
    for i in range(n):
        if not values[i] >= 0.0:
            raise ValueError(f"values[{i}] must be >= 0: {values[i]}")
        work[i] = values[i]
        if i > 0 and values[i] < values[i - 1]:
            is_sorted = False
    with nogil:
        if not is_sorted:
            qsort(&work[0], n, sizeof(float64_t), _ascending)
        for i in range(n):
            u = -expm1(-work[i])
            distance = max(distance, (i + 1.0) / n - u, u - <float64_t> i / n)
    return distance


def em_step(
    const float64_t[::1] times,
    float64_t[::1] out,
    *,
    float64_t horizon_secs,
    float64_t baseline_per_sec,
    float64_t jump_per_sec,
    float64_t decay_per_sec,
    const float64_t[::1] marks=None,
):
    """Write the parameters after one step of expectation-maximisation into `out`.

    Parameters
    ----------
    times, horizon_secs, baseline_per_sec, jump_per_sec, decay_per_sec, marks
        As of `log_likelihood`; at least one event.
    out : array of float64, shape (3,)
        Receives mu, alpha and beta, in 1/s.

    Raises
    ------
    ValueError
        As `log_likelihood`, or if no event has a possible parent.

    Notes
    -----
    Each step raises the likelihood up to the window's end effects, slowly. Source: Veen and
    Schoenberg (2008), "Estimation of space-time branching process models".
    """
    cdef Py_ssize_t n = times.shape[0]
    cdef HawkesSums sums
    check_parameters(baseline_per_sec, jump_per_sec, decay_per_sec)
    check_events(times, marks, horizon_secs)
    if out.shape[0] != 3:
        raise ValueError(f"out must have length 3: {out.shape[0]}")
    sums = hawkes_sums(
        _pointer(times), _pointer(marks), n, horizon_secs,
        baseline_per_sec, jump_per_sec, decay_per_sec, 1,
    )
    if not (jump_per_sec > 0.0 and sums.excited > 0.0 and sums.aged > 0.0 and sums.decayed > 0.0):
        raise ValueError("jump_per_sec must be > 0 and some event must have an earlier one")
    out[0] = baseline_per_sec * sums.inverse / horizon_secs
    out[2] = sums.excited / sums.aged
    out[1] = jump_per_sec * sums.excited / sums.decayed * out[2]


def stationary(
    *, float64_t baseline_per_sec, float64_t jump_per_sec, float64_t decay_per_sec
):
    """Return the stationary mean and variance of the intensity.

    Returns
    -------
    tuple of float
        mu/(1 - n) in 1/s and alpha^2 mu beta/(2 (beta - alpha)^2) in 1/s^2, n = alpha/beta.

    Raises
    ------
    ValueError
        If a parameter is outside its domain, or alpha >= beta: each event then has one child or
        more on average and no stationary law exists.

    Examples
    --------
    >>> stationary(baseline_per_sec=2.0, jump_per_sec=1.0, decay_per_sec=5.0)
    (2.5, 0.3125)
    """
    check_parameters(baseline_per_sec, jump_per_sec, decay_per_sec)
    if not jump_per_sec < decay_per_sec:
        raise ValueError(
            f"jump_per_sec must be < decay_per_sec {decay_per_sec} to be stationary: {jump_per_sec}"
        )
    return (
        hawkes_mean(baseline_per_sec, jump_per_sec, decay_per_sec),
        hawkes_variance(baseline_per_sec, jump_per_sec, decay_per_sec),
    )
