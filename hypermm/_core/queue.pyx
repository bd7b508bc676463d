"""Queue position of a resting order from level-2 data.

Level-2 data show how much rests at a price, not who left: a model says which share of the cancels
was behind us. Trades are always taken from the front. `risk averse` puts all cancels behind us: a
profit that exists only under another model deserves distrust.
"""

cimport cython
from libc.math cimport INFINITY, erfc, exp, expm1, fabs, floor, lgamma, log, log1p, pow, sqrt

MODEL_NAMES = ("power", "log", "power2", "log2", "power3", "risk_averse")

cdef float64_t LARGEST = 1e150
cdef float64_t HALF_LN_2_PI = 0.9189385332046727
cdef float64_t PI = 3.141592653589793
cdef Py_ssize_t MAX_TERMS = 2_000_000  # about 8 sqrt(ahead) are needed


cdef inline float64_t _power(float64_t x, float64_t n) noexcept nogil:
    if n == 1.0:
        return x
    if n == 2.0:
        return x * x
    if n == 3.0:
        return x * x * x
    return pow(x, n)


cdef float64_t behind_share(
    int model, float64_t exponent, float64_t ahead, float64_t behind
) noexcept nogil:
    cdef float64_t share
    if ahead <= 0.0 or model == RISK_AVERSE:
        return 1.0
    if not behind > 0.0:
        return 0.0
    if model == POWER:  # by the ratio, so that large quantities do not overflow
        return 1.0 / (1.0 + _power(ahead / behind, exponent))
    if model == LOG:
        share = log1p(behind)
        return share / (share + log1p(ahead))
    if model == POWER2:
        return _power(behind / (behind + ahead), exponent)
    if model == LOG2:
        return log1p(behind) / log1p(behind + ahead)
    return -expm1(-exponent * log1p(behind / ahead))  # POWER3


cdef float64_t ahead_after(
    int model,
    float64_t exponent,
    float64_t ahead,
    float64_t traded,
    float64_t before,
    float64_t after,
) noexcept nogil:
    cdef float64_t behind, share, canceled = before - after - traded
    if canceled < 0.0 or model == RISK_AVERSE:
        return min(ahead, after)
    behind = max(before - ahead, 0.0)
    share = behind_share(model, exponent, ahead, behind)
    # Cancels put behind us that are more than rests there were ahead of us after all.
    return min(ahead - (1.0 - share) * canceled + min(behind - share * canceled, 0.0), after)


cdef int _check_model(int model, float64_t exponent) except -1:
    if not 0 <= model < MODELS:
        raise ValueError(f"model must be one of 0 to {MODELS - 1}, see MODEL_NAMES: {model}")
    if not 0.0 < exponent <= 1e6:
        raise ValueError(f"exponent must be > 0 and finite: {exponent}")
    return 0


cdef int _check_size(str name, float64_t value) except -1:
    if not 0.0 <= value <= LARGEST:
        raise ValueError(f"{name} must be >= 0 and finite: {value}")
    return 0


def trace_queue(
    const float64_t[:, ::1] events,
    float64_t[::1] out,
    *,
    int model,
    float64_t exponent,
    float64_t ahead,
):
    """Follow an order through the trades and displayed quantities of its price.

    Parameters
    ----------
    events : array of float64, shape (n, 3)
        Rows (0, size, 0) for a trade and (1, before, after) for a change of the displayed
        quantity, in lots, >= 0.
    out : array of float64, shape (n,)
        Receives the lots ahead after each event; below 0 the order is filled by the excess.
    model : int
        Index into `MODEL_NAMES`.
    exponent : float
        Of the power models, > 0.
    ahead : float
        Displayed quantity when the order was placed, >= 0.

    Raises
    ------
    ValueError
        If a value is outside its domain or shapes do not fit.

    Notes
    -----
    Allocates nothing. Source: the queue models of hftbacktest.
    """
    cdef Py_ssize_t i, n = events.shape[0]
    cdef float64_t f = ahead, c = 0.0
    _check_model(model, exponent)
    _check_size("ahead", ahead)
    if n and events.shape[1] != 3:
        raise ValueError(f"events must have 3 columns: {events.shape[1]}")
    if out.shape[0] != n:
        raise ValueError(f"out must have length {n}: {out.shape[0]}")
    for i in range(n):
        if events[i, 0] != 0.0 and events[i, 0] != 1.0:
            raise ValueError(f"events[{i}, 0] must be 0 or 1: {events[i, 0]}")
        if not (0.0 <= events[i, 1] <= LARGEST and 0.0 <= events[i, 2] <= LARGEST):
            raise ValueError(f"events[{i}] must be >= 0: {events[i, 1]}, {events[i, 2]}")
    with nogil:
        for i in range(n):
            if events[i, 0] == 0.0:
                f -= events[i, 1]
                c += events[i, 1]
            else:
                f = ahead_after(model, exponent, f, c, events[i, 1], events[i, 2])
                c = 0.0
            out[i] = f


@cython.final
cdef class QueuePosition:
    """Where one resting order stands in the queue of its price.

    Parameters
    ----------
    model : int
        Index into `MODEL_NAMES`.
    exponent : float
        Of the power models, > 0.
    ahead : float
        Displayed quantity when the order was placed, in lots, >= 0.

    Attributes
    ----------
    model, exponent
        As given.
    ahead : float
        Lots ahead of us; below 0 the order is filled by the excess.
    traded : float
        Lots traded at the price since the displayed quantity changed last.

    Raises
    ------
    ValueError
        If an argument is outside its domain.

    Examples
    --------
    >>> order = QueuePosition(0, 3.0, 10.0)
    >>> order.trade(4.0)
    >>> order.depth(12.0, 7.0)  # 4 traded, 1 canceled: half of the level is behind us
    >>> round(order.ahead, 3)
    5.5
    >>> order.trade(8.0)
    >>> order.take_fill(1.0), order.take_fill(5.0)
    (1.0, 1.0)
    """

    def __cinit__(self, int model, float64_t exponent, float64_t ahead):
        _check_model(model, exponent)
        _check_size("ahead", ahead)
        self.model = model
        self.exponent = exponent
        self.ahead = ahead

    def trade(self, float64_t size):
        """Take in a trade at the price, in lots.

        Raises
        ------
        ValueError
            If the size is negative or not finite.
        """
        _check_size("size", size)
        self.trade_room(size)

    def depth(self, float64_t before, float64_t after):
        """Take in a change of the displayed quantity, in lots.

        Raises
        ------
        ValueError
            If a quantity is negative or not finite.
        """
        _check_size("before", before)
        _check_size("after", after)
        self.depth_room(before, after)

    def take_fill(self, float64_t most):
        """Return the whole lots filled since the last call, at most `most`.

        What was taken counts no more; a part of a lot stays for later.

        Raises
        ------
        ValueError
            If `most` is negative or not finite.
        """
        _check_size("most", most)
        return self.take_fill_room(most)

    cdef void trade_room(self, float64_t size) noexcept nogil:
        self.ahead -= size
        self.traded += size

    cdef void depth_room(self, float64_t before, float64_t after) noexcept nogil:
        self.ahead = ahead_after(
            self.model, self.exponent, self.ahead, self.traded, before, after
        )
        self.traded = 0.0

    cdef float64_t take_fill_room(self, float64_t most) noexcept nogil:
        cdef float64_t filled
        if not self.ahead < 0.0:
            return 0.0
        filled = floor(min(-self.ahead, most))
        self.ahead += filled
        return filled


# The probability of a fill. With x units ahead, unit market orders at rate mu and cancels at rate
# theta a unit, our turn comes after T = sum of Exp(mu + j theta), j = 0..x: a beta law in
# 1 - exp(-theta t).


cdef float64_t _stirling_rest(float64_t x) noexcept nogil:
    # ln Gamma(x) - ((x - 1/2) ln x - x + ln(2 pi)/2), x > 0
    cdef float64_t r
    if x < 12.0:
        return lgamma(x) - ((x - 0.5) * log(x) - x + HALF_LN_2_PI)
    r = 1.0 / (x * x)
    return (
        1.0 / 12.0
        - r
        * (
            1.0 / 360.0
            - r * (1.0 / 1260.0 - r * (1.0 / 1680.0 - r * (1.0 / 1188.0 - r * 691.0 / 360360.0)))
        )
    ) / x


cdef float64_t _deviance(float64_t x, float64_t mean) noexcept nogil:
    # x ln(x/mean) + mean - x, without its cancellation near x = mean (Loader 2000).
    cdef float64_t difference = x - mean, v, v2, total, before, term
    cdef int j
    if fabs(difference) >= 0.1 * (x + mean):
        return x * log(x / mean) - difference
    v = difference / (x + mean)
    total = difference * v
    term = 2.0 * x * v
    v2 = v * v
    for j in range(1, 100):
        term *= v2
        before = total
        total += term / (2 * j + 1)
        if total == before:
            break
    return total


cdef float64_t _beta_front(float64_t a, float64_t b, float64_t u) noexcept nogil:
    # ln of z^a (1-z)^b / B(a, b) at z = 1 - e^-u. Never as a difference of log gammas of large
    # arguments: at 1e12 they are good to the third digit.
    cdef float64_t z = -expm1(-u), rest = exp(-u), n = a + b, log_z, small, large, log_beta
    if a >= 10.0 and b >= 10.0 and rest > 0.0:
        return (
            0.5 * log(a * (b / n) / (2.0 * PI))
            - _deviance(a, n * z)
            - _deviance(b, n * rest)
            + _stirling_rest(n)
            - _stirling_rest(a)
            - _stirling_rest(b)
        )
    log_z = log(z) if z < 0.5 else log1p(-rest)
    small, large = min(a, b), max(a, b)
    if large < 12.0:
        log_beta = lgamma(a) + lgamma(b) - lgamma(n)
    else:
        log_beta = lgamma(small) - (
            (large - 0.5) * log1p(small / large)
            + small * log(n)
            - small
            + _stirling_rest(n)
            - _stirling_rest(large)
        )
    return a * log_z - b * u - log_beta


cdef float64_t _beta_fraction(
    float64_t a, float64_t b, float64_t x, float64_t y, float64_t lead
) noexcept nogil:
    # Continued fraction of I_x(a, b) over its front, y = 1 - x, lead = a - (a+b) x >= 0. Source:
    # Didonato and Morris (1992), ACM TOMS 708, BFRAC.
    cdef float64_t c = 1.0 + lead, c0 = b / a, c1 = 1.0 / a + 1.0, y1 = y + 1.0
    cdef float64_t n = 0.0, p = 1.0, s = a + 1.0, t, w, e, alpha, beta, before
    cdef float64_t a0 = 0.0, a1 = 1.0, b0 = 1.0, b1 = c / c1, r = c1 / c
    cdef Py_ssize_t _term
    for _term in range(MAX_TERMS):
        n += 1.0
        t = n / a
        w = n * (b - n) * x
        e = a / s
        alpha = p * (p + c0) * e * e * (w * x)
        e = (t + 1.0) / (c1 + t + t)
        beta = n + w / s + e * (c + n * y1)
        p = t + 1.0
        s += 2.0
        a0, a1 = a1, alpha * a0 + beta * a1
        b0, b1 = b1, alpha * b0 + beta * b1
        before, r = r, a1 / b1
        if fabs(r - before) <= 1e-15 * r:
            break
        a0 /= b1
        b0 /= b1
        a1, b1 = r, 1.0
    return r


cdef float64_t _beta_probability(float64_t a, float64_t b, float64_t u) noexcept nogil:
    # I_z(a, b) at z = 1 - e^-u, a >= 1, b > 0
    cdef float64_t z = -expm1(-u), rest = exp(-u), lead = a * rest - b * z
    cdef float64_t front = exp(_beta_front(a, b, u)), total, term, k
    if lead >= 0.0:
        return front * _beta_fraction(a, b, z, rest, lead)
    if b >= 1.0:
        return 1.0 - front * _beta_fraction(b, a, rest, z, -lead)
    total, term, k = 1.0, 1.0, 0.0  # a series of positive terms that falls fast for b < 1
    while term > 1e-17 * total and k < MAX_TERMS:
        term *= rest * ((a + b + k) / (b + 1.0 + k))
        total += term
        k += 1.0
    return 1.0 - front * total / b


cdef float64_t _poisson_probability(float64_t a, float64_t x) noexcept nogil:
    # Regularised lower incomplete gamma P(a, x), a >= 1
    cdef float64_t front, total, term, k, b, c, d, h, step
    cdef Py_ssize_t i
    if not x > 0.0:
        return 0.0
    # x^a e^-x / Gamma(a)
    front = sqrt(a / (2.0 * PI)) * exp(-_stirling_rest(a) - _deviance(a, x))
    if x < a + 1.0:
        total, term, k = 1.0, 1.0, 0.0
        while term > 1e-17 * total and k < MAX_TERMS:
            k += 1.0
            term *= x / (a + k)
            total += term
        return front * total / a
    b, c = x + 1.0 - a, 1e300
    d = 1.0 / b
    h = d
    for i in range(1, MAX_TERMS):  # Legendre's continued fraction, by Lentz
        b += 2.0
        step = -<float64_t> i * (<float64_t> i - a)
        d = 1.0 / (step * d + b)
        c = b + step / c
        step = d * c
        h *= step
        if fabs(step - 1.0) <= 1e-15:
            break
    return 1.0 - front * h


cdef float64_t fill_probability_of(
    float64_t ahead, float64_t trades_per_sec, float64_t cancels_per_sec, float64_t secs
) noexcept nogil:
    cdef float64_t a = ahead + 1.0, mean = trades_per_sec * secs, p
    if not mean > 0.0:
        return 0.0
    if ahead == 0.0:
        return -expm1(-mean)
    if mean >= 2.0 * a + 2000.0:
        return 1.0  # less e^-700 at most, by trades alone
    # Cancels matter by a^2 theta/mu at most.
    if a * a * (cancels_per_sec / trades_per_sec) < 1e-17:
        p = _poisson_probability(a, mean)
    else:
        p = _beta_probability(a, trades_per_sec / cancels_per_sec, cancels_per_sec * secs)
    return max(0.0, min(1.0, p))


cdef float64_t mean_fill_secs_of(
    float64_t ahead, float64_t trades_per_sec, float64_t cancels_per_sec
) noexcept nogil:
    # sum of 1/(mu + j theta), j = 0..x = (psi(b + x + 1) - psi(b))/theta with b = mu/theta, where
    # the difference of digammas is formed term by term.
    cdef float64_t m = ahead + 1.0, b, v, w, total = 0.0, rest
    cdef int j
    if not trades_per_sec > 0.0:
        return INFINITY
    if m * (cancels_per_sec / trades_per_sec) < 1e-17:
        return m / trades_per_sec
    b = trades_per_sec / cancels_per_sec
    for j in range(20):
        total += m / ((b + j) * (b + j + m))
    v, w = b + 20.0, b + 20.0 + m
    rest = log1p(m / v) + 0.5 * m / (v * w)
    rest += _digamma_rest(v) - _digamma_rest(w)
    return (total + rest) / cancels_per_sec


cdef float64_t _digamma_rest(float64_t x) noexcept nogil:
    # of ln x - 1/(2x) - psi(x), x >= 20
    cdef float64_t r = 1.0 / (x * x)
    return r * (1.0 / 12.0 - r * (1.0 / 120.0 - r * (1.0 / 252.0 - r / 240.0)))


cdef float64_t _scaled_erfc(float64_t x) noexcept nogil:
    # exp(x^2) erfc(x), x >= 0: continued fraction where erfc would lose its range
    cdef float64_t tail = 0.0
    cdef int k
    if x < 5.0:
        return exp(x * x) * erfc(x)
    for k in range(40, 0, -1):
        tail = 0.5 * k / (x + tail)
    return 1.0 / (sqrt(PI) * (x + tail))


cdef float64_t diffusion_probability_of(
    float64_t ahead, float64_t drift, float64_t volatility, float64_t secs
) noexcept nogil:
    cdef float64_t spread = volatility * sqrt(2.0 * secs), d, w, image
    if ahead == 0.0:
        return 1.0
    if not spread > 0.0:
        return 0.0
    d = (drift * secs - ahead) / spread
    w = (drift * secs + ahead) / spread
    # The image term exp(2vx/s^2) Phi(-w) is a huge number times a tiny one; both exponents are
    # put together here: -w^2 + 2vx/s^2 = -d^2.
    if w >= 0.0:
        image = exp(-d * d) * _scaled_erfc(w)
    else:
        image = exp(2.0 * (drift / volatility) * (ahead / volatility)) * erfc(w)
    return min(1.0, 0.5 * (erfc(-d) + image))


cdef int _check_arguments(
    const float64_t[::1] ahead,
    const float64_t[::1] second,
    const float64_t[::1] third,
    const float64_t[::1] secs,
    const float64_t[::1] out,
    tuple names,
) except -1:
    cdef Py_ssize_t i, n = ahead.shape[0]
    for name, length in zip(
        (*names, "secs", "out"),
        (second.shape[0], third.shape[0], secs.shape[0], out.shape[0]),
        strict=True,
    ):
        if length != n:
            raise ValueError(f"{name} must have length {n}: {length}")
    for i in range(n):
        if not 0.0 <= ahead[i] <= 1e9:
            raise ValueError(f"ahead[{i}] must lie in 0 to 1e9: {ahead[i]}")
        if not 0.0 <= secs[i] <= LARGEST:
            raise ValueError(f"secs[{i}] must be >= 0 and finite: {secs[i]}")
    return 0


def fill_probabilities(
    const float64_t[::1] ahead,
    const float64_t[::1] trades_per_sec,
    const float64_t[::1] cancels_per_sec,
    const float64_t[::1] secs,
    float64_t[::1] out,
):
    """Write the probability that an order fills within a time into `out`.

    Parameters
    ----------
    ahead : array of float64, shape (n,)
        Units ahead of ours, 0 to 1e9.
    trades_per_sec : array of float64, shape (n,)
        Unit market orders per second, >= 0.
    cancels_per_sec : array of float64, shape (n,)
        Cancels per second of each resting unit ahead, >= 0.
    secs : array of float64, shape (n,)
        Time, in seconds, >= 0.
    out : array of float64, shape (n,)
        Receives I_z(x+1, mu/theta) at z = 1 - exp(-theta t); without cancels P(x+1, mu t).

    Raises
    ------
    ValueError
        If a value is outside its domain or lengths differ.

    Notes
    -----
    Regularised incomplete beta and gamma functions, by continued fraction; 1e-12 relative. The
    sum over partial fractions alternates and fails beyond 20 units. Allocates nothing.
    """
    cdef Py_ssize_t i, n = ahead.shape[0]
    _check_arguments(
        ahead, trades_per_sec, cancels_per_sec, secs, out, ("trades_per_sec", "cancels_per_sec")
    )
    for i in range(n):
        if not 0.0 <= trades_per_sec[i] <= LARGEST:
            raise ValueError(f"trades_per_sec[{i}] must be >= 0: {trades_per_sec[i]}")
        if not 0.0 <= cancels_per_sec[i] <= LARGEST:
            raise ValueError(f"cancels_per_sec[{i}] must be >= 0: {cancels_per_sec[i]}")
    with nogil:
        for i in range(n):
            out[i] = fill_probability_of(
                ahead[i], trades_per_sec[i], cancels_per_sec[i], secs[i]
            )


def mean_fill_secs(
    float64_t ahead, *, float64_t trades_per_sec, float64_t cancels_per_sec=0.0
):
    """Return the mean time to a fill: sum of 1/(mu + j theta), j = 0..x; infinite without trades.

    Raises
    ------
    ValueError
        If a value is negative or not finite.
    """
    _check_size("ahead", ahead)
    _check_size("trades_per_sec", trades_per_sec)
    _check_size("cancels_per_sec", cancels_per_sec)
    return mean_fill_secs_of(ahead, trades_per_sec, cancels_per_sec)


def diffusion_probabilities(
    const float64_t[::1] ahead,
    const float64_t[::1] drift,
    const float64_t[::1] volatility,
    const float64_t[::1] secs,
    float64_t[::1] out,
):
    """Write the probability that a queue that diffuses has emptied within a time into `out`.

    Parameters
    ----------
    ahead : array of float64, shape (n,)
        Units ahead, 0 to 1e9.
    drift : array of float64, shape (n,)
        v: units per second by which the queue shrinks on average, finite.
    volatility : array of float64, shape (n,)
        s: units per square root of a second, > 0.
    secs : array of float64, shape (n,)
        Time, in seconds, >= 0.
    out : array of float64, shape (n,)
        Receives Phi((vt-x)/(s sqrt t)) + exp(2vx/s^2) Phi(-(vt+x)/(s sqrt t)).

    Raises
    ------
    ValueError
        If a value is outside its domain or lengths differ.
    """
    cdef Py_ssize_t i, n = ahead.shape[0]
    _check_arguments(ahead, drift, volatility, secs, out, ("drift", "volatility"))
    for i in range(n):
        if not fabs(drift[i]) <= LARGEST:
            raise ValueError(f"drift[{i}] must be finite: {drift[i]}")
        if not 1e-150 <= volatility[i] <= LARGEST:
            raise ValueError(f"volatility[{i}] must be > 0 and finite: {volatility[i]}")
    with nogil:
        for i in range(n):
            out[i] = diffusion_probability_of(ahead[i], drift[i], volatility[i], secs[i])
