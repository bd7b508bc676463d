"""Self-exciting arrivals of several terms: sums of exponentials, and buys and sells exciting both.

The likelihood of a pair of streams is the sum of two intensities' likelihoods, each with its own
parameters; `HawkesTerms` describes one such intensity. Kinds are 0 and 1. Events of one instant
do not excite each other, whatever their kinds.
"""

from libc.math cimport INFINITY, exp, expm1, log, sqrt

from hypermm._core.hawkes cimport check_events, slope_weight


cdef float64_t terms_loglik(
    const float64_t* times,
    const int8_t* kinds,
    const float64_t* marks,
    Py_ssize_t n,
    float64_t start,
    float64_t horizon,
    const HawkesTerms* terms,
    float64_t* gradient,
    float64_t* hessian,
) noexcept nogil:
    cdef float64_t[MAX_TERMS] excitation, after, age, bend
    cdef float64_t[1 + 2 * MAX_TERMS] slope
    cdef int count = terms.count, size = 1 + 2 * terms.count, k, row, column, kind
    cdef float64_t value = 0.0, gap, weight = 1.0, mark, lam, over
    cdef Py_ssize_t i
    for k in range(count):
        excitation[k] = after[k] = age[k] = bend[k] = 0.0
    if gradient != NULL:
        for row in range(size):
            gradient[row] = 0.0
    if hessian != NULL:
        for row in range(size * size):
            hessian[row] = 0.0
    for i in range(n):
        kind = kinds[i] if kinds != NULL else 0
        mark = marks[i] if marks != NULL else 1.0
        gap = times[i] - times[i - 1] if i > 0 else 0.0
        if gap > 0.0:
            for k in range(count):
                if k == 0 or terms.decay[k] != terms.decay[k - 1]:
                    weight = exp(-terms.decay[k] * gap)
                bend[k] = weight * (bend[k] + gap * (2.0 * age[k] + gap * after[k]))
                age[k] = weight * (age[k] + gap * after[k])
                excitation[k] = weight * after[k]
                after[k] = excitation[k]
        lam = terms.baseline
        for k in range(count):
            lam += terms.jump[k] * excitation[k]
        if terms.target == ANY or terms.target == kind:
            value += log(lam)
            if gradient != NULL:
                over = 1.0 / lam
                slope[0] = over
                for k in range(count):
                    slope[1 + k] = excitation[k] * over
                    slope[1 + count + k] = -terms.jump[k] * age[k] * over
                for row in range(size):
                    gradient[row] += slope[row]
                if hessian != NULL:
                    for row in range(size):
                        for column in range(row + 1):
                            hessian[row * size + column] -= slope[row] * slope[column]
                    for k in range(count):
                        row = 1 + count + k
                        hessian[row * size + 1 + k] -= age[k] * over
                        hessian[row * size + row] += terms.jump[k] * bend[k] * over
        for k in range(count):
            if terms.source[k] == ANY or terms.source[k] == kind:
                after[k] += mark
    value -= terms.baseline * (horizon - start)
    if gradient != NULL:
        gradient[0] -= horizon - start
    for k in range(count):
        value -= _term_compensator(
            times, kinds, marks, n, horizon, terms, k, after[k], age[k], bend[k], gradient, hessian
        )
    if hessian != NULL:
        for row in range(size):
            for column in range(row):
                hessian[column * size + row] = hessian[row * size + column]
    return value


cdef float64_t _term_compensator(
    const float64_t* times,
    const int8_t* kinds,
    const float64_t* marks,
    Py_ssize_t n,
    float64_t horizon,
    const HawkesTerms* terms,
    int k,
    float64_t after,
    float64_t age,
    float64_t bend,
    float64_t* gradient,
    float64_t* hessian,
) noexcept nogil:
    # Integral of the term over the window, and its derivatives taken off. Over a window shorter
    # than 1/beta, where `total - after` would cancel, each event is taken by itself.
    cdef float64_t jump = terms.jump[k], decay = terms.decay[k]
    cdef float64_t decayed = 0.0, slope = 0.0, curve = 0.0, total = 0.0, gap, weight, mark, x
    cdef int size = 1 + 2 * terms.count, row = 1 + terms.count + k
    cdef bint is_short
    cdef Py_ssize_t i
    if n == 0:
        return 0.0
    is_short = decay * (horizon - times[0]) < 1.0
    if is_short or marks != NULL or terms.source[k] != ANY:
        for i in range(n):
            if terms.source[k] == ANY or terms.source[k] == (kinds[i] if kinds != NULL else 0):
                mark = marks[i] if marks != NULL else 1.0
                total += mark
                if is_short:
                    x = decay * (horizon - times[i])
                    decayed -= mark * expm1(-x)
                    slope += mark * slope_weight(x)
                    curve += mark * x * x * exp(-x)
    else:
        total = <float64_t> n
    if not is_short:
        gap = horizon - times[n - 1]
        weight = exp(-decay * gap)
        bend = weight * (bend + gap * (2.0 * age + gap * after))
        age = weight * (age + gap * after)
        decayed = total - weight * after
        slope = decayed - decay * age
        curve = decay * decay * bend
    if gradient != NULL:
        gradient[1 + k] -= decayed / decay
        gradient[row] += jump * slope / (decay * decay)
    if hessian != NULL:
        hessian[row * size + 1 + k] += slope / (decay * decay)
        hessian[row * size + row] -= jump * (2.0 * slope - curve) / (decay * decay * decay)
    return jump / decay * decayed


cdef float64_t spectral_radius(
    float64_t n00, float64_t n01, float64_t n10, float64_t n11
) noexcept nogil:
    cdef float64_t half = 0.5 * (n00 - n11)
    return 0.5 * (n00 + n11) + sqrt(half * half + n01 * n10)


cdef int check_kinds(const int8_t[::1] kinds, Py_ssize_t n) except -1:
    cdef Py_ssize_t i
    if kinds.shape[0] != n:
        raise ValueError(f"kinds must have the length of times, {n}: {kinds.shape[0]}")
    for i in range(n):
        if not 0 <= kinds[i] <= 1:
            raise ValueError(f"kinds[{i}] must be 0 or 1: {kinds[i]}")
    return 0


cdef int _check_values(
    str name, const float64_t[::1] values, Py_ssize_t n, bint is_positive
) except -1:
    cdef Py_ssize_t i
    if values.shape[0] != n:
        raise ValueError(f"{name} must have length {n}: {values.shape[0]}")
    for i in range(n):
        if not 0.0 <= values[i] <= 1e300 or (is_positive and values[i] < 1e-300):
            sign = ">" if is_positive else ">="
            raise ValueError(f"{name}[{i}] must be {sign} 0 and finite: {values[i]}")
    return 0


cdef int check_pair(
    const float64_t[::1] baselines, const float64_t[::1] jumps, const float64_t[::1] decays
) except -1:
    _check_values("baselines_per_sec", baselines, 2, True)
    _check_values("jumps_per_sec", jumps, 4, False)
    _check_values("decays_per_sec", decays, 4, True)
    return 0


cdef HawkesTerms sum_terms(
    float64_t baseline, const float64_t[::1] jumps, const float64_t[::1] decays
) except *:
    cdef HawkesTerms terms
    cdef Py_ssize_t k, count = jumps.shape[0]
    if not 1e-300 <= baseline <= 1e300:
        raise ValueError(f"baseline_per_sec must be > 0 and finite: {baseline}")
    if not 1 <= count <= MAX_TERMS:
        raise ValueError(f"jumps_per_sec must have 1 to {MAX_TERMS} elements: {count}")
    _check_values("jumps_per_sec", jumps, count, False)
    _check_values("decays_per_sec", decays, count, True)
    terms.target = ANY
    terms.count = <int> count
    terms.baseline = baseline
    for k in range(MAX_TERMS):
        terms.source[k] = ANY
        terms.jump[k] = jumps[k] if k < count else 0.0
        terms.decay[k] = decays[k] if k < count else 1.0
    return terms


def sum_log_likelihood(
    const float64_t[::1] times,
    *,
    float64_t horizon_secs,
    float64_t baseline_per_sec,
    const float64_t[::1] jumps_per_sec,
    const float64_t[::1] decays_per_sec,
    const float64_t[::1] marks=None,
    float64_t[::1] gradient=None,
):
    """Return the log-likelihood of one stream under a sum of exponential terms.

    Parameters
    ----------
    times : array of float64, shape (n,)
        Event times in seconds from the window's start, not decreasing. May be empty.
    horizon_secs : float
        End of the window, > 0, not before the last event.
    baseline_per_sec : float
        mu in 1/s, > 0.
    jumps_per_sec, decays_per_sec : array of float64, shape (k,), 1 <= k <= 8
        alpha_k >= 0 and beta_k > 0 of sum alpha_k exp(-beta_k t), in 1/s.
    marks : array of float64, shape (n,), optional
        Weights of the jumps, >= 0; all 1 if left out.
    gradient : array of float64, shape (1 + 2 k,), optional
        Receives the derivatives with respect to mu, the jumps, the decays.

    Returns
    -------
    float
        Log-likelihood in nats.

    Raises
    ------
    ValueError
        If times are not in order or outside the window, a parameter is outside its domain, or a
        length is wrong.

    Notes
    -----
    One exponential an event and term, one logarithm an event. For fixed decays it is concave in
    mu and the jumps. Allocates nothing; releases the GIL.
    """
    cdef HawkesTerms terms = sum_terms(baseline_per_sec, jumps_per_sec, decays_per_sec)
    cdef Py_ssize_t n = times.shape[0], count = jumps_per_sec.shape[0]
    cdef float64_t value
    cdef const float64_t* first = &times[0] if n > 0 else NULL
    cdef const float64_t* weights = &marks[0] if marks is not None and n > 0 else NULL
    cdef float64_t* slope = NULL
    check_events(times, marks, horizon_secs)
    if gradient is not None:
        if gradient.shape[0] != 1 + 2 * count:
            raise ValueError(f"gradient must have length {1 + 2 * count}: {gradient.shape[0]}")
        slope = &gradient[0]
    with nogil:
        value = terms_loglik(first, NULL, weights, n, 0.0, horizon_secs, &terms, slope, NULL)
    return value


cdef HawkesTerms pair_terms(
    int kind, const float64_t* baselines, const float64_t* jumps, const float64_t* decays
) noexcept nogil:
    cdef HawkesTerms terms
    cdef int k
    terms.target = kind
    terms.count = 2
    terms.baseline = baselines[kind]
    for k in range(2):
        terms.source[k] = k
        terms.jump[k] = jumps[2 * kind + k]
        terms.decay[k] = decays[2 * kind + k]
    return terms


def pair_log_likelihood(
    const float64_t[::1] times,
    const int8_t[::1] kinds,
    *,
    float64_t horizon_secs,
    const float64_t[::1] baselines_per_sec,
    const float64_t[::1] jumps_per_sec,
    const float64_t[::1] decays_per_sec,
    const float64_t[::1] marks=None,
    float64_t[::1] gradient=None,
):
    """Return the log-likelihood of two streams that excite themselves and each other.

    Parameters
    ----------
    times : array of float64, shape (n,)
        Times of the events of both kinds in seconds from the window's start, not decreasing.
    kinds : array of int8, shape (n,)
        0 or 1 for each event.
    horizon_secs : float
        End of the window, > 0, not before the last event.
    baselines_per_sec : array of float64, shape (2,)
        mu_0, mu_1 in 1/s, > 0.
    jumps_per_sec, decays_per_sec : array of float64, shape (4,)
        Rows of alpha_mn >= 0 and beta_mn > 0 in 1/s: an event of kind n raises the intensity of
        kind m. Order 00, 01, 10, 11.
    marks : array of float64, shape (n,), optional
        Weights of the jumps, >= 0; all 1 if left out.
    gradient : array of float64, shape (10,), optional
        Receives the derivatives with respect to the 2 baselines, 4 jumps, 4 decays.

    Returns
    -------
    float
        Log-likelihood in nats.

    Raises
    ------
    ValueError
        If times are not in order or outside the window, a parameter is outside its domain, or a
        length is wrong.

    Notes
    -----
    Allocates nothing; releases the GIL.
    """
    cdef HawkesTerms terms
    cdef Py_ssize_t n = times.shape[0]
    cdef float64_t value = 0.0
    cdef float64_t[5] row
    cdef int kind, k
    cdef const float64_t* first = &times[0] if n > 0 else NULL
    cdef const float64_t* weights = &marks[0] if marks is not None and n > 0 else NULL
    cdef const int8_t* which = &kinds[0] if kinds.shape[0] > 0 else NULL
    cdef bint wants_gradient = gradient is not None
    check_events(times, marks, horizon_secs)
    check_kinds(kinds, n)
    check_pair(baselines_per_sec, jumps_per_sec, decays_per_sec)
    if wants_gradient and gradient.shape[0] != 10:
        raise ValueError(f"gradient must have length 10: {gradient.shape[0]}")
    with nogil:
        for kind in range(2):
            terms = pair_terms(
                kind, &baselines_per_sec[0], &jumps_per_sec[0], &decays_per_sec[0]
            )
            value += terms_loglik(
                first, which, weights, n, 0.0, horizon_secs, &terms,
                row if wants_gradient else NULL, NULL,
            )
            if wants_gradient:
                gradient[kind] = row[0]
                for k in range(2):
                    gradient[2 + 2 * kind + k] = row[1 + k]
                    gradient[6 + 2 * kind + k] = row[3 + k]
    return value


def pair_intensities(
    const float64_t[::1] times,
    const int8_t[::1] kinds,
    float64_t[::1] out,
    *,
    const float64_t[::1] baselines_per_sec,
    const float64_t[::1] jumps_per_sec,
    const float64_t[::1] decays_per_sec,
):
    """Write the intensity of each event's own kind just before it into `out`.

    Parameters
    ----------
    times, kinds, baselines_per_sec, jumps_per_sec, decays_per_sec
        As of `pair_log_likelihood`.
    out : array of float64, shape (n,)
        Receives the intensities in 1/s.

    Raises
    ------
    ValueError
        As `pair_log_likelihood`.
    """
    cdef float64_t[4] excitation, after
    cdef float64_t gap
    cdef Py_ssize_t i, n = times.shape[0]
    cdef int k, kind
    check_events(times, None, times[n - 1] + 1.0 if n > 0 else 1.0)
    check_kinds(kinds, n)
    check_pair(baselines_per_sec, jumps_per_sec, decays_per_sec)
    if out.shape[0] != n:
        raise ValueError(f"out must have length {n}: {out.shape[0]}")
    with nogil:
        for k in range(4):
            excitation[k] = after[k] = 0.0
        for i in range(n):
            gap = times[i] - times[i - 1] if i > 0 else 0.0
            kind = kinds[i]
            if gap > 0.0:
                for k in range(4):
                    excitation[k] = after[k] = exp(-decays_per_sec[k] * gap) * after[k]
            out[i] = (
                baselines_per_sec[kind]
                + jumps_per_sec[2 * kind] * excitation[2 * kind]
                + jumps_per_sec[2 * kind + 1] * excitation[2 * kind + 1]
            )
            after[kind] += 1.0
            after[2 + kind] += 1.0


cdef void _residuals(
    const float64_t* times,
    const int8_t* kinds,
    const float64_t* marks,
    Py_ssize_t n,
    const HawkesTerms* terms,  # one for each kind
    int count,                 # of kinds
    float64_t* out,
) noexcept nogil:
    # Integral of the own kind's intensity since that kind's last event.
    cdef float64_t[2][MAX_TERMS] after
    cdef float64_t[2] since
    cdef float64_t last = 0.0, gap, lost, mark
    cdef Py_ssize_t i
    cdef int m, k, kind
    for m in range(count):
        since[m] = 0.0
        for k in range(MAX_TERMS):
            after[m][k] = 0.0
    for i in range(n):
        gap = times[i] - last
        last = times[i]
        kind = kinds[i] if kinds != NULL else 0
        mark = marks[i] if marks != NULL else 1.0
        for m in range(count):
            since[m] += terms[m].baseline * gap
            for k in range(terms[m].count):
                lost = -after[m][k] * expm1(-terms[m].decay[k] * gap)
                since[m] += terms[m].jump[k] / terms[m].decay[k] * lost
                after[m][k] -= lost
                if terms[m].source[k] == ANY or terms[m].source[k] == kind:
                    after[m][k] += mark
        out[i] = since[kind]
        since[kind] = 0.0


def sum_residuals(
    const float64_t[::1] times,
    float64_t[::1] out,
    *,
    float64_t baseline_per_sec,
    const float64_t[::1] jumps_per_sec,
    const float64_t[::1] decays_per_sec,
    const float64_t[::1] marks=None,
):
    """Write the integral of the intensity between consecutive events into `out`.

    Parameters
    ----------
    times, baseline_per_sec, jumps_per_sec, decays_per_sec, marks
        As of `sum_log_likelihood`.
    out : array of float64, shape (n,)
        Receives independent exponential variables of mean 1 under the model.

    Raises
    ------
    ValueError
        As `sum_log_likelihood`.
    """
    cdef Py_ssize_t n = times.shape[0]
    cdef HawkesTerms terms = sum_terms(baseline_per_sec, jumps_per_sec, decays_per_sec)
    cdef const float64_t* weights = &marks[0] if marks is not None and n > 0 else NULL
    check_events(times, marks, times[n - 1] + 1.0 if n > 0 else 1.0)
    if out.shape[0] != n:
        raise ValueError(f"out must have length {n}: {out.shape[0]}")
    if n > 0:
        with nogil:
            _residuals(&times[0], NULL, weights, n, &terms, 1, &out[0])


def pair_residuals(
    const float64_t[::1] times,
    const int8_t[::1] kinds,
    float64_t[::1] out,
    *,
    const float64_t[::1] baselines_per_sec,
    const float64_t[::1] jumps_per_sec,
    const float64_t[::1] decays_per_sec,
):
    """Write the integral of each event's own intensity since the last of its kind into `out`.

    Parameters
    ----------
    times, kinds, baselines_per_sec, jumps_per_sec, decays_per_sec
        As of `pair_log_likelihood`.
    out : array of float64, shape (n,)
        Receives independent exponential variables of mean 1 under the model, of both kinds.

    Raises
    ------
    ValueError
        As `pair_log_likelihood`.
    """
    cdef Py_ssize_t n = times.shape[0]
    cdef HawkesTerms[2] terms
    cdef int kind
    check_events(times, None, times[n - 1] + 1.0 if n > 0 else 1.0)
    check_kinds(kinds, n)
    check_pair(baselines_per_sec, jumps_per_sec, decays_per_sec)
    if out.shape[0] != n:
        raise ValueError(f"out must have length {n}: {out.shape[0]}")
    for kind in range(2):
        terms[kind] = pair_terms(
            kind, &baselines_per_sec[0], &jumps_per_sec[0], &decays_per_sec[0]
        )
    if n > 0:
        with nogil:
            _residuals(&times[0], &kinds[0], NULL, n, terms, 2, &out[0])


def pair_stationary(
    float64_t[::1] out,
    *,
    const float64_t[::1] baselines_per_sec,
    const float64_t[::1] jumps_per_sec,
    const float64_t[::1] decays_per_sec,
):
    """Write the stationary mean intensities into `out` and return the spectral radius.

    Parameters
    ----------
    out : array of float64, shape (2,)
        Receives (I - N)^-1 mu in 1/s, N the matrix of branching ratios alpha_mn/beta_mn;
        infinite where the spectral radius is 1 or more and no stationary law exists.
    baselines_per_sec, jumps_per_sec, decays_per_sec
        As of `pair_log_likelihood`.

    Returns
    -------
    float
        Spectral radius of N.

    Raises
    ------
    ValueError
        If a parameter is outside its domain or a length is wrong.
    """
    cdef float64_t[4] branching
    cdef float64_t determinant, radius
    cdef int k
    check_pair(baselines_per_sec, jumps_per_sec, decays_per_sec)
    if out.shape[0] != 2:
        raise ValueError(f"out must have length 2: {out.shape[0]}")
    for k in range(4):
        branching[k] = jumps_per_sec[k] / decays_per_sec[k]
    radius = spectral_radius(branching[0], branching[1], branching[2], branching[3])
    if not radius < 1.0:
        out[0] = out[1] = INFINITY
        return radius
    determinant = (1.0 - branching[0]) * (1.0 - branching[3]) - branching[1] * branching[2]
    out[0] = (
        (1.0 - branching[3]) * baselines_per_sec[0] + branching[1] * baselines_per_sec[1]
    ) / determinant
    out[1] = (
        branching[2] * baselines_per_sec[0] + (1.0 - branching[0]) * baselines_per_sec[1]
    ) / determinant
    return radius
