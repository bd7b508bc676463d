"""Maximum likelihood for self-exciting arrivals: one stream, and the search that all fits share.

Newton's method with the exact Hessian in coordinates that keep every parameter in its domain
(logarithms; logit of the branching ratio), damped where the likelihood is not concave. It starts
from several decays on a stretch of the data and finishes on all of it. Nothing calls back into
Python, and the standard errors are those of the observed information.
"""

from libc.math cimport INFINITY, NAN, exp, fabs, fmax, fmin, isfinite, log, sqrt
from libc.stdlib cimport qsort

from hypermm._core.hawkes cimport (
    HawkesSums,
    check_events,
    hawkes_gradient,
    hawkes_hessian,
    hawkes_loglik,
    hawkes_sums,
)

cdef enum:
    STRETCH = 4096    # events on which the starts compete
    MAX_TURNS = 100   # Newton steps
    LEAST_EVENTS = 5
    NEAR = 10         # nats below the best end on the stretch that may still win on all events


cdef bint _cholesky(float64_t* a, int size) noexcept nogil:
    # In place, lower triangle; False where the matrix is not positive definite.
    cdef int i, j, k
    cdef float64_t total
    for j in range(size):
        for i in range(j, size):
            total = a[i * size + j]
            for k in range(j):
                total -= a[i * size + k] * a[j * size + k]
            if i == j:
                if not total > 1e-14 * fabs(a[j * size + j]):
                    return False
                a[j * size + j] = sqrt(total)
            else:
                a[i * size + j] = total / a[j * size + j]
    return True


cdef void _solve(const float64_t* a, float64_t* b, int size) noexcept nogil:
    cdef int i, k
    for i in range(size):
        for k in range(i):
            b[i] -= a[i * size + k] * b[k]
        b[i] /= a[i * size + i]
    for i in range(size - 1, -1, -1):
        for k in range(i + 1, size):
            b[i] -= a[k * size + i] * b[k]
        b[i] /= a[i * size + i]


cdef bint _newton_step(
    const float64_t* hessian,
    const float64_t* gradient,
    const bint* is_free,
    float64_t damping,
    int size,
    float64_t* step,
) noexcept nogil:
    cdef float64_t[MAX_SIZE * MAX_SIZE] a
    cdef int i, j
    for i in range(size):
        for j in range(size):
            a[i * size + j] = -hessian[i * size + j] if is_free[i] and is_free[j] else 0.0
        if is_free[i]:
            a[i * size + i] += damping * fmax(fabs(hessian[i * size + i]), 1e-300)
        else:
            a[i * size + i] = 1.0
        step[i] = gradient[i] if is_free[i] else 0.0
    if not _cholesky(a, size):
        return False
    _solve(a, step, size)
    return True


cdef bint _step(
    const float64_t* hessian,
    const float64_t* gradient,
    const float64_t* x,
    const float64_t* low,
    const float64_t* high,
    bint* is_free,
    float64_t damping,
    int size,
    float64_t* step,
) noexcept nogil:
    # Newton's step over the free coordinates. One at a bound that would leave through it is held,
    # and the others are solved again.
    cdef bint is_inside = False
    cdef int i
    while not is_inside:
        if not _newton_step(hessian, gradient, is_free, damping, size, step):
            return False
        is_inside = True
        for i in range(size):
            if is_free[i] and (
                (x[i] <= low[i] and step[i] < 0.0) or (x[i] >= high[i] and step[i] > 0.0)
            ):
                is_free[i] = is_inside = False
    return True


cdef void maximise(
    Objective objective,
    const Data* data,
    int size,
    const float64_t* low,
    const float64_t* high,
    float64_t longest,  # step of a coordinate
    Fit* fit,           # starts at fit.x
) noexcept nogil:
    cdef float64_t[MAX_SIZE] gradient, step, trial, trial_gradient
    cdef float64_t[MAX_SIZE * MAX_SIZE] trial_hessian
    cdef bint[MAX_SIZE] is_free
    cdef float64_t damping = 0.0, value, gain, scale
    cdef int i, bound, _turn
    fit.is_converged = False
    fit.value = objective(data, fit.x, gradient, fit.hessian)
    fit.evaluations += 1
    for _turn in range(MAX_TURNS):
        for i in range(size):
            is_free[i] = not (
                (fit.x[i] <= low[i] and gradient[i] <= 0.0)
                or (fit.x[i] >= high[i] and gradient[i] >= 0.0)
            )
        while not _step(fit.hessian, gradient, fit.x, low, high, is_free, damping, size, step):
            damping = fmax(10.0 * damping, 1e-3)
            if damping > 1e12:
                return
        scale, gain, bound = 1.0, 0.0, -1
        for i in range(size):
            # Straight to the nearest bound and no further: bent, the step might not climb.
            gain += gradient[i] * step[i]
            if fabs(step[i]) * scale > longest:
                scale, bound = longest / fabs(step[i]), -1
            if fit.x[i] + scale * step[i] < low[i]:
                scale, bound = (low[i] - fit.x[i]) / step[i], i
            elif fit.x[i] + scale * step[i] > high[i]:
                scale, bound = (high[i] - fit.x[i]) / step[i], i
        for i in range(size):
            trial[i] = fit.x[i] + scale * step[i]
        if bound >= 0:  # rounding must not leave it beside the bound
            trial[bound] = low[bound] if step[bound] < 0.0 else high[bound]
        value = objective(data, trial, trial_gradient, trial_hessian)
        fit.evaluations += 1
        if value > fit.value or (value == fit.value and (scale < 1.0 or gain < 1e-9)):
            fit.value = value
            for i in range(size):
                fit.x[i] = trial[i]
                gradient[i] = trial_gradient[i]
            for i in range(size * size):
                fit.hessian[i] = trial_hessian[i]
            if damping == 0.0 and scale == 1.0 and gain < 1e-9:
                # Newton's next step would be of the order of this one squared.
                fit.is_converged = True
                return
            damping = 0.1 * damping if damping > 1e-6 else 0.0
        elif scale == 1.0 and gain < 1e-7 and isfinite(value):
            fit.is_converged = True  # what is left to gain drowns in rounding
            return
        else:
            damping = fmax(10.0 * damping, 1e-3)


cdef void search(
    Objective objective,
    const Data* data,
    int size,
    const float64_t* starts,  # count rows of `size`
    int count,
    const float64_t* low,
    const float64_t* high,
    Fit* best,
) noexcept nogil:
    # Starts compete on a stretch of the data; ends that differ and come near the best there are
    # finished on all of it.
    cdef Fit[MAX_STARTS] fits
    cdef Data stretch = data[0]
    cdef Py_ssize_t first
    cdef int k, i, evaluations = 0
    cdef float64_t top = -INFINITY
    if data.n > 2 * STRETCH:
        first = (data.n - STRETCH) // 2
        stretch.times = data.times + first
        stretch.kinds = data.kinds + first if data.kinds != NULL else NULL
        stretch.marks = data.marks + first if data.marks != NULL else NULL
        stretch.n = STRETCH
        stretch.start = data.times[first - 1]
        stretch.horizon = stretch.times[STRETCH - 1]
    for k in range(count):
        fits[k].evaluations = 0
        for i in range(size):
            fits[k].x[i] = starts[k * size + i]
        maximise(objective, &stretch, size, low, high, 1.5, &fits[k])
        for i in range(size):
            fits[k].end[i] = fits[k].x[i]
        top = fmax(top, fits[k].value)
    best.value = -INFINITY
    best.is_converged = False
    for k in range(count):
        if not fits[k].value >= top - NEAR or _is_repeated(fits, k, size):
            continue
        if data.n > 2 * STRETCH:
            fits[k].evaluations = 0
            maximise(objective, data, size, low, high, 1.5, &fits[k])
        evaluations += fits[k].evaluations
        if fits[k].value > best.value:
            best[0] = fits[k]
    best.evaluations = evaluations


cdef bint _is_repeated(const Fit* fits, int k, int size) noexcept nogil:
    # Coordinates are logarithms: within 5 % it is the same end. An earlier one may have gone on.
    cdef int i, j
    cdef float64_t apart
    for j in range(k):
        apart = 0.0
        for i in range(size):
            apart = fmax(apart, fabs(fits[j].end[i] - fits[k].end[i]))
        if apart < 0.05:
            return True
    return False


cdef float64_t _one_stream(
    const Data* data, const float64_t* x, float64_t* gradient, float64_t* hessian
) noexcept nogil:
    # x = (ln mu, logit n, ln beta), alpha = n beta.
    cdef float64_t mu = exp(x[0]), branching = 1.0 / (1.0 + exp(-x[1])), beta = exp(x[2])
    cdef float64_t rest = 1.0 / (1.0 + exp(x[1])), alpha = branching * beta
    cdef float64_t slope = alpha * rest  # d alpha / d logit n
    cdef float64_t span = data.horizon - data.start
    cdef float64_t[3] g
    cdef float64_t[9] h
    cdef HawkesSums sums = hawkes_sums(
        data.times, data.marks, data.n, data.horizon, mu, alpha, beta, 2
    )
    hawkes_gradient(&sums, span, alpha, beta, g)
    hawkes_hessian(&sums, alpha, beta, h)
    gradient[0] = mu * g[0]
    gradient[1] = slope * g[1]
    gradient[2] = alpha * g[1] + beta * g[2]
    hessian[0] = mu * mu * h[0] + gradient[0]
    hessian[1] = hessian[3] = mu * slope * h[1]
    hessian[2] = hessian[6] = mu * (alpha * h[1] + beta * h[2])
    hessian[4] = slope * slope * h[4] + slope * (rest - branching) * g[1]
    hessian[5] = hessian[7] = slope * (alpha * h[4] + beta * h[5] + g[1])
    hessian[8] = (
        alpha * alpha * h[4] + 2.0 * alpha * beta * h[5] + beta * beta * h[8] + gradient[2]
    )
    return hawkes_loglik(&sums, span, mu, alpha, beta)


cdef int _ascending(const void* left, const void* right) noexcept nogil:
    cdef float64_t a = (<const float64_t*> left)[0], b = (<const float64_t*> right)[0]
    return (a > b) - (a < b)


cdef void gaps_of(
    const Data* data, float64_t* median, float64_t* least
) noexcept nogil:
    # Of the positive gaps: the median of a stretch, the least of all. 0 where there is none.
    cdef float64_t[STRETCH] room
    cdef Py_ssize_t i, count = 0, first = max((data.n - STRETCH) // 2, 0)
    cdef float64_t gap
    median[0] = 0.0
    least[0] = 0.0
    for i in range(1, data.n):
        gap = data.times[i] - data.times[i - 1]
        if gap > 0.0:
            if least[0] == 0.0 or gap < least[0]:
                least[0] = gap
            if i > first and count < STRETCH:
                room[count] = gap
                count += 1
    if count > 0:
        qsort(room, count, sizeof(float64_t), _ascending)
        median[0] = room[count // 2]


cdef void covariance_of(
    const float64_t* hessian, const bint* is_free, int size, float64_t* out
) noexcept nogil:
    # Covariance: inverse of minus the Hessian over the free coordinates; NaN elsewhere and where
    # it is not positive definite.
    cdef float64_t[MAX_SIZE * MAX_SIZE] a
    cdef float64_t[MAX_SIZE] column
    cdef bint is_definite
    cdef int i, j
    for i in range(size):
        for j in range(size):
            a[i * size + j] = -hessian[i * size + j] if is_free[i] and is_free[j] else 0.0
        if not is_free[i]:
            a[i * size + i] = 1.0
    is_definite = _cholesky(a, size)
    for j in range(size):
        for i in range(size):
            column[i] = 1.0 if i == j else 0.0
        if is_definite:
            _solve(a, column, size)
        for i in range(size):
            if is_definite and is_free[i] and is_free[j]:
                out[i * size + j] = column[i]
            else:
                out[i * size + j] = NAN


cdef int check_enough(const Data* data, float64_t median) except -1:
    if data.n < LEAST_EVENTS or median == 0.0:
        raise ValueError(
            f"times must hold at least {LEAST_EVENTS} events, not all at one instant: {data.n}"
        )
    return 0


cdef Data data_of(
    const float64_t[::1] times, const float64_t[::1] marks, float64_t horizon_secs
) noexcept:
    cdef Data data
    cdef int k
    data.times = &times[0] if times.shape[0] > 0 else NULL
    data.marks = &marks[0] if marks is not None and times.shape[0] > 0 else NULL
    data.kinds = NULL
    data.n = times.shape[0]
    data.start = 0.0
    data.horizon = horizon_secs
    data.count = 0
    for k in range(MAX_TERMS):
        data.decay[k] = 1.0
    data.is_shared = False
    return data


cdef float64_t _em(const Data* data, float64_t* x, int steps) noexcept nogil:
    # Steps of expectation-maximisation in the coordinates of `_one_stream`.
    cdef float64_t mu = exp(x[0]), beta = exp(x[2]), branching = 1.0 / (1.0 + exp(-x[1]))
    cdef HawkesSums sums
    cdef int _turn
    for _turn in range(steps):
        sums = hawkes_sums(
            data.times, data.marks, data.n, data.horizon, mu, branching * beta, beta, 1
        )
        if not (sums.excited > 0.0 and sums.aged > 0.0 and sums.decayed > 0.0):
            break
        mu *= sums.inverse / (data.horizon - data.start)
        branching = fmin(branching * beta * sums.excited / sums.decayed, 1.0 - 1e-7)
        beta = sums.excited / sums.aged
    x[0] = log(mu)
    x[1] = log(branching / (1.0 - branching))
    x[2] = log(beta)


def fit(
    const float64_t[::1] times,
    *,
    float64_t horizon_secs,
    const float64_t[::1] marks=None,
):
    """Fit baseline, jump and decay of one stream by maximum likelihood.

    Parameters
    ----------
    times : array of float64, shape (n,), n >= 5
        Event times in seconds from the window's start, not decreasing.
    horizon_secs : float
        End of the window, > 0, not before the last event.
    marks : array of float64, shape (n,), optional
        Weights of the jumps, >= 0; all 1 if left out.

    Returns
    -------
    dict
        `mu`, `alpha`, `beta` in 1/s and their standard errors `mu_se`, `alpha_se`, `beta_se`;
        `branching` = alpha/beta < 1 and `branching_se`; `loglik` in nats; `evaluations` on all
        events; `is_converged`. Errors are NaN where a parameter ended at a bound (no excitation
        found, or a branching ratio of 1).

    Raises
    ------
    ValueError
        If times are not in order or outside the window, a mark is outside its domain, a length is
        wrong, or there are fewer than five events or all of them at one instant.

    Notes
    -----
    Newton with the exact Hessian in (ln mu, logit n, ln beta), from six decays around
    1/(median gap); steps of expectation-maximisation where it does not converge. Releases the
    GIL.

    Examples
    --------
    >>> import numpy as np
    >>> times = np.array([1.0, 1.1, 1.3, 4.0, 6.5, 6.6, 6.7, 7.2, 9.0, 9.1])
    >>> result = fit(times, horizon_secs=10.0)
    >>> round(result["mu"], 3), round(result["branching"], 3), result["is_converged"]
    (0.657, 0.343, True)
    """
    cdef Data data = data_of(times, marks, horizon_secs)
    cdef float64_t[3 * MAX_STARTS] starts
    cdef float64_t[3] low, high
    cdef float64_t median, least, rate
    cdef Fit best
    cdef int k, _turn
    check_events(times, marks, horizon_secs)
    with nogil:
        gaps_of(&data, &median, &least)
    check_enough(&data, median)
    rate = log(data.n / horizon_secs)
    low[0], low[1], low[2] = rate - 16.0, -16.0, log(1e-4 / horizon_secs)
    high[0], high[1], high[2] = rate + 3.0, 16.0, log(1e3 / least)
    for k in range(MAX_STARTS):
        starts[3 * k] = rate + log(0.5)
        starts[3 * k + 1] = 0.0
        starts[3 * k + 2] = fmin(fmax(-log(median) + (2 - k) * log(4.0), low[2]), high[2])
    with nogil:
        search(_one_stream, &data, 3, starts, MAX_STARTS, low, high, &best)
        for _turn in range(3):
            if best.is_converged:
                break
            _em(&data, best.x, 100)
            maximise(_one_stream, &data, 3, low, high, 1.5, &best)
    return _one_stream_result(&data, &best, low, high)


cdef dict _one_stream_result(
    const Data* data, const Fit* best, const float64_t* low, const float64_t* high
):
    cdef float64_t mu = exp(best.x[0]), beta = exp(best.x[2])
    cdef float64_t branching = 1.0 / (1.0 + exp(-best.x[1])), alpha = branching * beta
    cdef float64_t rest = 1.0 / (1.0 + exp(best.x[1]))
    cdef float64_t[9] covariance
    cdef bint[3] is_free
    cdef int i
    for i in range(3):
        is_free[i] = low[i] < best.x[i] < high[i]
    if branching < 1e-6:
        is_free[1] = is_free[2] = False  # without excitation the decay is not identified
    covariance_of(best.hessian, is_free, 3, covariance)
    # alpha = n beta: d ln alpha = (1 - n) d logit n + d ln beta.
    return {
        "mu": mu,
        "alpha": alpha,
        "beta": beta,
        "branching": branching,
        "mu_se": mu * sqrt(covariance[0]),
        "alpha_se": alpha * sqrt(
            rest * rest * covariance[4] + 2.0 * rest * covariance[5] + covariance[8]
        ),
        "beta_se": beta * sqrt(covariance[8]),
        "branching_se": branching * rest * sqrt(covariance[4]),
        "loglik": best.value,
        "evaluations": best.evaluations,
        "is_converged": bool(best.is_converged),
    }
