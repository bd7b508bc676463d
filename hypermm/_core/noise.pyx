"""Variance over a window of a price that is seen with noise.

What is seen is y = x + u with u independent noise of variance omega^2: the sum of squared returns
then has the mean IV + 2 n omega^2, and grows without limit as the price is sampled more often.
"""

from libc.math cimport fabs

cdef enum:
    RESET = 256  # steps after which a rolling average is formed anew


cdef float64_t realised_variance_of(const float64_t* log_prices, Py_ssize_t n) noexcept nogil:
    return _lagged(log_prices, n, 1)


cdef float64_t _lagged(const float64_t* log_prices, Py_ssize_t n, Py_ssize_t lag) noexcept nogil:
    # Sum of squared differences over `lag`, in four partial sums of one fixed order.
    cdef float64_t a = 0.0, b = 0.0, c = 0.0, d = 0.0, step
    cdef const float64_t* late = log_prices + lag
    cdef Py_ssize_t i = 0, m = n - lag + 1
    while i + 4 <= m:
        step = late[i] - log_prices[i]
        a += step * step
        step = late[i + 1] - log_prices[i + 1]
        b += step * step
        step = late[i + 2] - log_prices[i + 2]
        c += step * step
        step = late[i + 3] - log_prices[i + 3]
        d += step * step
        i += 4
    while i < m:
        step = late[i] - log_prices[i]
        a += step * step
        i += 1
    return (a + b) + (c + d)


cdef float64_t two_scale_of(
    const float64_t* log_prices, Py_ssize_t n, Py_ssize_t step, bint is_adjusted
) noexcept nogil:
    cdef float64_t slow = _lagged(log_prices, n, step) / <float64_t> step
    cdef float64_t share = <float64_t> (n - step + 1) / <float64_t> step / <float64_t> n
    slow -= share * _lagged(log_prices, n, 1)
    return slow / (1.0 - share) if is_adjusted else slow


cdef float64_t _psi_1(Py_ssize_t window) noexcept nogil:
    return <float64_t> (window - window % 2) / <float64_t> window


cdef float64_t _psi_2(Py_ssize_t window) noexcept nogil:
    # The sum over j of min(j, k-j)^2 is k (k^2 + 2) / 12 for even k and k (k^2 - 1) / 12 for odd.
    cdef float64_t k = <float64_t> window
    return (k * k + (2.0 if window % 2 == 0 else -1.0)) / (12.0 * k * k)


cdef float64_t preaveraged_of(
    const float64_t* log_prices, Py_ssize_t n, Py_ssize_t window
) noexcept nogil:
    # k times the average of returns with the weights min(j, k-j)/k is a sum that moves on by the
    # difference of two halves of the window: O(n) instead of O(n k).
    cdef float64_t total = 0.0, average = 0.0, k = <float64_t> window, psi_2 = _psi_2(window)
    cdef Py_ssize_t i, j, half = window // 2, m = n - window + 2
    cdef const float64_t* y = log_prices
    for i in range(m):
        if i % RESET == 0:
            average = 0.0
            for j in range(1, window):
                average += <float64_t> min(j, window - j) * (y[i + j] - y[i + j - 1])
        else:
            average += (y[i + window - 1] - y[i + window - 1 - half]) - (y[i + half - 1] - y[i - 1])
        total += average * average
    total = total / (k * k) * <float64_t> n / <float64_t> m / (k * psi_2)
    return total - _psi_1(window) / (2.0 * k * k * psi_2) * _lagged(log_prices, n, 1)


cdef float64_t _parzen(float64_t x) noexcept nogil:
    if x <= 0.5:
        return 1.0 - 6.0 * x * x * (1.0 - x)
    return 2.0 * (1.0 - x) * (1.0 - x) * (1.0 - x)


cdef float64_t realised_kernel_of(
    const float64_t* log_returns, Py_ssize_t n, Py_ssize_t bandwidth
) noexcept nogil:
    cdef float64_t total = _dot(log_returns, log_returns, n)
    cdef Py_ssize_t h
    for h in range(1, bandwidth + 1):
        total += (
            2.0
            * _parzen(<float64_t> h / <float64_t> (bandwidth + 1))
            * _dot(log_returns + h, log_returns, n - h)
        )
    return total


cdef float64_t _dot(const float64_t* x, const float64_t* y, Py_ssize_t n) noexcept nogil:
    cdef float64_t a = 0.0, b = 0.0, c = 0.0, d = 0.0
    cdef Py_ssize_t i = 0
    while i + 4 <= n:
        a += x[i] * y[i]
        b += x[i + 1] * y[i + 1]
        c += x[i + 2] * y[i + 2]
        d += x[i + 3] * y[i + 3]
        i += 4
    while i < n:
        a += x[i] * y[i]
        i += 1
    return (a + b) + (c + d)


cdef Py_ssize_t _returns(const float64_t[::1] log_prices, Py_ssize_t least) except -1:
    cdef Py_ssize_t i, n = log_prices.shape[0] - 1
    if n < least:
        raise ValueError(f"log_prices must hold at least {least + 1} prices: {n + 1}")
    for i in range(n + 1):
        if not fabs(log_prices[i]) < 1e100:
            raise ValueError(f"log_prices[{i}] must be finite: {log_prices[i]}")
    return n


def realised_variance(const float64_t[::1] log_prices):
    """Sum of squared differences of a series of log prices.

    Parameters
    ----------
    log_prices : array of float64, shape (n+1,), n >= 1
        Natural logarithms of prices, finite.

    Returns
    -------
    float
        Variance over the window, dimensionless, with all the noise in it. Half of it over n
        estimates the variance of the noise where that dominates.

    Raises
    ------
    ValueError
        If there are fewer than two prices, or one is not finite.

    Examples
    --------
    >>> import numpy as np
    >>> round(realised_variance(np.array([0.0, 0.001, 0.0])), 9)
    2e-06
    """
    cdef Py_ssize_t n = _returns(log_prices, 1)
    cdef float64_t value
    with nogil:
        value = realised_variance_of(&log_prices[0], n)
    return value


def two_scale_variance(
    const float64_t[::1] log_prices, *, Py_ssize_t step, bint is_adjusted=True
):
    """Variance without the noise, from two time scales.

    Parameters
    ----------
    log_prices : array of float64, shape (n+1,), n >= 2
        Natural logarithms of prices, finite.
    step : int
        Prices from one of the slow scale to the next, K, 2 to n.
    is_adjusted : bool
        Whether to divide by 1 - m/n, which makes it unbiased in small samples.

    Returns
    -------
    float
        Variance over the window, dimensionless. It may be negative where noise dominates.

    Raises
    ------
    ValueError
        If a value is outside its domain.

    Notes
    -----
    ((1/K) sum (y_i - y_(i-K))^2 - (m/n) RV) / (1 - m/n), m = (n-K+1)/K. The GIL is released.
    Source: Zhang, Mykland and Ait-Sahalia (2005), "A tale of two time scales", with the
    finite-sample factor.

    Examples
    --------
    >>> import numpy as np
    >>> bouncing = np.array([0.0, 0.003, 0.001, 0.004, 0.002, 0.005, 0.003])
    >>> round(realised_variance(bouncing), 9), round(two_scale_variance(bouncing, step=3), 9)
    (3.9e-05, 3.429e-06)
    """
    cdef Py_ssize_t n = _returns(log_prices, 2)
    cdef float64_t value
    if not 2 <= step <= n:
        raise ValueError(f"step must lie in 2 to {n}: {step}")
    with nogil:
        value = two_scale_of(&log_prices[0], n, step, is_adjusted)
    return value


def preaveraging_constants(Py_ssize_t window):
    """Return psi1 and psi2 of the weights min(j, k-j)/k: they tend to 1 and 1/12.

    Raises
    ------
    ValueError
        If the window is below 2.
    """
    if not 2 <= window < 1 << 40:
        raise ValueError(f"window must lie in 2 to 2**40: {window}")
    return _psi_1(window), _psi_2(window)


def preaveraged_variance(const float64_t[::1] log_prices, *, Py_ssize_t window):
    """Variance without the noise, from averages of returns with triangular weights.

    Parameters
    ----------
    log_prices : array of float64, shape (n+1,), n >= 2
        Natural logarithms of prices, finite.
    window : int
        Prices that are averaged, k, 2 to n.

    Returns
    -------
    float
        Variance over the window, dimensionless. It may be negative where noise dominates.

    Raises
    ------
    ValueError
        If a value is outside its domain.

    Notes
    -----
    n/(n-k+2) sum ybar^2 / (k psi2) - psi1/(2 k^2 psi2) RV with g(x) = min(x, 1-x), in O(n)
    whatever the window. The GIL is released. Source: Jacod, Li, Mykland, Podolskij and Vetter
    (2009), "Microstructure noise in the continuous case: the pre-averaging approach".

    Examples
    --------
    >>> import numpy as np
    >>> prices = np.log(np.array([100.0, 101.0, 102.0, 101.0, 100.0]))
    >>> round(preaveraged_variance(prices, window=4), 6)
    0.000131
    """
    cdef Py_ssize_t n = _returns(log_prices, 2)
    cdef float64_t value
    if not 2 <= window <= n:
        raise ValueError(f"window must lie in 2 to {n}: {window}")
    with nogil:
        value = preaveraged_of(&log_prices[0], n, window)
    return value


def realised_kernel(const float64_t[::1] log_returns, *, Py_ssize_t bandwidth):
    """Variance without the noise, from autocovariances with the weights of Parzen.

    Parameters
    ----------
    log_returns : array of float64, shape (n,), n >= 1
        Log returns, dimensionless, finite.
    bandwidth : int
        Largest lag, H, 0 to n-1.

    Returns
    -------
    float
        Variance over the window, dimensionless, never negative but for rounding.

    Raises
    ------
    ValueError
        If a value is outside its domain.

    Notes
    -----
    Sum over |h| <= H of k(h/(H+1)) times the h-th autocovariance; O(n H). The GIL is released.
    Source: Barndorff-Nielsen, Hansen, Lunde and Shephard (2009), "Realized kernels in practice".

    Examples
    --------
    >>> import numpy as np
    >>> round(realised_kernel(np.array([0.001, -0.001, 0.001]), bandwidth=1), 9)
    2e-06
    """
    cdef Py_ssize_t i, n = log_returns.shape[0]
    cdef float64_t value
    if n < 1:
        raise ValueError("log_returns must hold at least one return")
    if not 0 <= bandwidth < n:
        raise ValueError(f"bandwidth must lie in 0 to {n - 1}: {bandwidth}")
    for i in range(n):
        if not fabs(log_returns[i]) < 1e100:
            raise ValueError(f"log_returns[{i}] must be finite: {log_returns[i]}")
    with nogil:
        value = realised_kernel_of(&log_returns[0], n, bandwidth)
    return value
