"""Maximum likelihood for self-exciting arrivals of several terms: given decays, pairs of streams.

The search is the one of `hawkes_fit`.
"""

from libc.math cimport INFINITY, NAN, exp, fmax, fmin, log, sqrt

from hypermm._core._types cimport float64_t, int8_t
from hypermm._core.hawkes cimport check_events
from hypermm._core.hawkes_fit cimport (
    MAX_SIZE,
    MAX_STARTS,
    Data,
    Fit,
    check_enough,
    covariance_of,
    data_of,
    gaps_of,
    maximise,
    search,
)
from hypermm._core.hawkes_terms cimport (
    ANY,
    MAX_TERMS,
    HawkesTerms,
    check_kinds,
    pair_terms,
    terms_loglik,
)

cdef enum:
    LEAST_OF_A_KIND = 5


cdef float64_t _fixed_decays(
    const Data* data, const float64_t* x, float64_t* gradient, float64_t* hessian
) noexcept nogil:
    # x = (mu, alpha_1, ...): concave as it stands.
    cdef HawkesTerms terms
    cdef float64_t[1 + 2 * MAX_TERMS] g
    cdef float64_t[(1 + 2 * MAX_TERMS) * (1 + 2 * MAX_TERMS)] h
    cdef float64_t value
    cdef int i, j, size = 1 + data.count, full = 1 + 2 * data.count
    terms.target = ANY
    terms.count = data.count
    terms.baseline = x[0]
    for i in range(data.count):
        terms.source[i] = ANY
        terms.jump[i] = x[1 + i]
        terms.decay[i] = data.decay[i]
    value = terms_loglik(
        data.times, NULL, data.marks, data.n, data.start, data.horizon, &terms, g, h
    )
    for i in range(size):
        gradient[i] = g[i]
        for j in range(size):
            hessian[i * size + j] = h[i * full + j]
    return value


cdef float64_t _two_streams(
    const Data* data, const float64_t* x, float64_t* gradient, float64_t* hessian
) noexcept nogil:
    # x = (ln mu_0, ln mu_1, ln n_00, ln n_01, ln n_10, ln n_11, ln beta or four of them): each
    # natural parameter y_a is e to the sum of one or two coordinates, `places` says which.
    cdef int size = 7 if data.is_shared else 10
    cdef float64_t[2] mu
    cdef float64_t[4] alpha, beta
    cdef float64_t[5] y, g
    cdef float64_t[25] h
    cdef int[5][2] places
    cdef HawkesTerms terms
    cdef float64_t value = 0.0, entry
    cdef int kind, k, a, b, i, j
    for i in range(size):
        gradient[i] = 0.0
    for i in range(size * size):
        hessian[i] = 0.0
    for k in range(2):
        mu[k] = exp(x[k])
    for k in range(4):
        beta[k] = exp(x[6 if data.is_shared else 6 + k])
        alpha[k] = exp(x[2 + k]) * beta[k]
    for kind in range(2):
        terms = pair_terms(kind, mu, alpha, beta)
        value += terms_loglik(
            data.times, data.kinds, data.marks, data.n, data.start, data.horizon, &terms, g, h
        )
        y[0] = mu[kind]
        places[0][0], places[0][1] = kind, -1
        for k in range(2):
            y[1 + k], y[3 + k] = terms.jump[k], terms.decay[k]
            places[1 + k][0] = 2 + 2 * kind + k
            places[1 + k][1] = places[3 + k][0] = 6 if data.is_shared else 6 + 2 * kind + k
            places[3 + k][1] = -1
        for a in range(5):
            for i in range(2):
                if places[a][i] >= 0:
                    gradient[places[a][i]] += y[a] * g[a]
            for b in range(5):
                entry = y[a] * y[b] * h[5 * a + b] + (y[a] * g[a] if a == b else 0.0)
                for i in range(2):
                    for j in range(2):
                        if places[a][i] >= 0 and places[b][j] >= 0:
                            hessian[places[a][i] * size + places[b][j]] += entry
    return value


def fit_sum(
    const float64_t[::1] times,
    *,
    float64_t horizon_secs,
    const float64_t[::1] decays_per_sec,
    const float64_t[::1] marks=None,
):
    """Fit baseline and jumps of a sum of exponential terms with given decays.

    Parameters
    ----------
    times : array of float64, shape (n,), n >= 5
        Event times in seconds from the window's start, not decreasing.
    horizon_secs : float
        End of the window, > 0, not before the last event.
    decays_per_sec : array of float64, shape (k,), 1 <= k <= 8
        beta_k in 1/s, > 0, each only once.
    marks : array of float64, shape (n,), optional
        Weights of the jumps, >= 0; all 1 if left out.

    Returns
    -------
    dict
        `mu` and `alpha` (a list of k) in 1/s with `mu_se` and `alpha_se`, `branching` = sum of
        alpha_k/beta_k and `branching_se`, `loglik` in nats, `evaluations`, `is_converged`. A term
        that the data do not want has alpha_k = 0 and an error of NaN. The branching ratio may
        come out at 1 or more: not stationary, do not use it.

    Raises
    ------
    ValueError
        If times are not in order or outside the window, a decay or mark is outside its domain, a
        length is wrong, or there are fewer than five events or all of them at one instant.

    Notes
    -----
    The likelihood is concave in mu and alpha_k >= 0: the maximum is the only one. Projected
    Newton. Releases the GIL.
    """
    cdef Data data = data_of(times, marks, horizon_secs)
    cdef float64_t[MAX_SIZE] low, high
    cdef float64_t[MAX_SIZE * MAX_SIZE] covariance
    cdef bint[MAX_SIZE] is_free
    cdef float64_t median, least, branching = 0.0, variance = 0.0
    cdef Py_ssize_t count = decays_per_sec.shape[0]
    cdef Fit best
    cdef int i, j, size
    check_events(times, marks, horizon_secs)
    if not 1 <= count <= MAX_TERMS:
        raise ValueError(f"decays_per_sec must have 1 to {MAX_TERMS} elements: {count}")
    for i in range(count):
        if not 1e-300 <= decays_per_sec[i] <= 1e300:
            raise ValueError(f"decays_per_sec[{i}] must be > 0 and finite: {decays_per_sec[i]}")
        for j in range(i):
            if decays_per_sec[j] == decays_per_sec[i]:
                raise ValueError(f"decays_per_sec[{i}] must differ from element {j}")
        data.decay[i] = decays_per_sec[i]
    gaps_of(&data, &median, &least)
    check_enough(&data, median)
    data.count = <int> count
    size = 1 + data.count
    best.evaluations = 0
    best.x[0] = 0.5 * data.n / horizon_secs
    low[0], high[0] = 1e-9 * best.x[0], INFINITY
    for i in range(1, size):
        best.x[i] = 0.5 / data.count * data.decay[i - 1]
        low[i], high[i] = 0.0, INFINITY
    with nogil:
        maximise(_fixed_decays, &data, size, low, high, INFINITY, &best)
    for i in range(size):
        is_free[i] = best.x[i] > low[i]
    covariance_of(best.hessian, is_free, size, covariance)
    for i in range(1, size):
        branching += best.x[i] / data.decay[i - 1]
        for j in range(1, size):
            if is_free[i] and is_free[j]:
                variance += covariance[i * size + j] / (data.decay[i - 1] * data.decay[j - 1])
    return {
        "mu": best.x[0],
        "alpha": [best.x[i] for i in range(1, size)],
        "branching": branching,
        "mu_se": sqrt(covariance[0]),
        "alpha_se": [sqrt(covariance[i * size + i]) for i in range(1, size)],
        "branching_se": sqrt(variance) if variance > 0.0 else NAN,
        "loglik": best.value,
        "evaluations": best.evaluations,
        "is_converged": bool(best.is_converged),
    }


def fit_pair(
    const float64_t[::1] times,
    const int8_t[::1] kinds,
    *,
    float64_t horizon_secs,
    bint has_one_decay=True,
    const float64_t[::1] marks=None,
):
    """Fit two streams that excite themselves and each other by maximum likelihood.

    Parameters
    ----------
    times : array of float64, shape (n,)
        Times of the events of both kinds in seconds from the window's start, not decreasing.
    kinds : array of int8, shape (n,)
        0 or 1 for each event; at least five of each.
    horizon_secs : float
        End of the window, > 0, not before the last event.
    has_one_decay : bool
        One beta for the four pairs (unless there are 2,000 events or more, the safer choice), or
        four.
    marks : array of float64, shape (n,), optional
        Weights of the jumps, >= 0; all 1 if left out.

    Returns
    -------
    dict
        `mu` (2), `alpha` (4), `beta` (4) in 1/s and `branching` (4) = alpha/beta as lists in the
        order 00, 01, 10, 11 (kind n raises the intensity of kind m), each with its `_se`;
        `loglik` in nats, `evaluations`, `is_converged`. Errors are NaN at a bound: a pair without
        excitation has a branching ratio of 1e-7 or less.

    Raises
    ------
    ValueError
        If times are not in order or outside the window, a kind is not 0 or 1, a mark is outside
        its domain, a length is wrong, or there are fewer than five events of one kind.

    Notes
    -----
    Newton with the exact Hessian in logarithms, from six decays around 1/(median gap). The
    spectral radius of the branching ratios is not held below 1: look at it. Releases the GIL.
    """
    cdef Data data = data_of(times, marks, horizon_secs)
    cdef float64_t[MAX_SIZE * MAX_STARTS] starts
    cdef float64_t[MAX_SIZE] low, high
    cdef float64_t median, least
    cdef Py_ssize_t ones = 0, i
    cdef Fit best
    cdef int k, j, size = 7 if has_one_decay else 10
    check_events(times, marks, horizon_secs)
    check_kinds(kinds, data.n)
    for i in range(data.n):
        ones += kinds[i]
    if min(ones, data.n - ones) < LEAST_OF_A_KIND:
        raise ValueError(f"kinds must hold at least {LEAST_OF_A_KIND} of each: {ones} are 1")
    data.kinds = &kinds[0]
    data.is_shared = has_one_decay
    gaps_of(&data, &median, &least)
    check_enough(&data, median)
    for j in range(2):
        low[j] = log(data.n / horizon_secs) - 16.0
        high[j] = low[j] + 19.0
    for j in range(4):
        low[2 + j] = log(1e-7)
        high[2 + j] = log(0.9999) if j == 0 or j == 3 else log(100.0)
    for j in range(6, size):
        low[j], high[j] = log(1e-4 / horizon_secs), log(1e3 / least)
    for k in range(MAX_STARTS):
        starts[size * k] = log(0.5 * (data.n - ones) / horizon_secs)
        starts[size * k + 1] = log(0.5 * ones / horizon_secs)
        for j in range(4):
            starts[size * k + 2 + j] = log(0.35 if j == 0 or j == 3 else 0.15)
        for j in range(6, size):
            starts[size * k + j] = fmin(
                fmax(-log(median) + (2 - k) * log(4.0), low[j]), high[j]
            )
    with nogil:
        search(_two_streams, &data, size, starts, MAX_STARTS, low, high, &best)
    return _pair_result(&best, low, high, size)


cdef dict _pair_result(
    const Fit* best, const float64_t* low, const float64_t* high, int size
):
    cdef float64_t[MAX_SIZE * MAX_SIZE] v
    cdef bint[MAX_SIZE] is_free
    cdef float64_t[4] n, beta, alpha_se
    cdef int i, j, k
    for i in range(size):
        is_free[i] = low[i] < best.x[i] < high[i]
    for k in range(4):
        j = 6 if size == 7 else 6 + k
        n[k], beta[k] = exp(best.x[2 + k]), exp(best.x[j])
        if n[k] < 1e-6:
            is_free[2 + k] = False
            if size == 10:
                is_free[j] = False  # without excitation the decay is not identified
    covariance_of(best.hessian, is_free, size, v)
    for k in range(4):
        i, j = 2 + k, 6 if size == 7 else 6 + k
        alpha_se[k] = n[k] * beta[k] * sqrt(
            v[i * size + i] + 2.0 * v[i * size + j] + v[j * size + j]
        )
    return {
        "mu": [exp(best.x[i]) for i in range(2)],
        "alpha": [n[i] * beta[i] for i in range(4)],
        "beta": [beta[i] for i in range(4)],
        "branching": [n[i] for i in range(4)],
        "mu_se": [exp(best.x[i]) * sqrt(v[i * size + i]) for i in range(2)],
        "alpha_se": [alpha_se[i] for i in range(4)],
        "beta_se": [
            beta[i] * sqrt(v[(6 if size == 7 else 6 + i) * (size + 1)]) for i in range(4)
        ],
        "branching_se": [n[i] * sqrt(v[(2 + i) * (size + 1)]) for i in range(4)],
        "loglik": best.value,
        "evaluations": best.evaluations,
        "is_converged": bool(best.is_converged),
    }
