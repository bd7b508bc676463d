"""Funding of the venue: premium, rate, payment, and what the running hour will come to.

The rate of 8 hours is the mean premium pulled towards 1 bp by at most 5 bps, so that it is exactly
1 bp while the mean premium lies between -4 and 6 bps. An eighth of it is paid each hour.
"""

cimport cython
from libc.math cimport NAN, erfc, exp, expm1, fabs, log1p, pow, sqrt

INTEREST = 1e-4      # per 8 hours
PULL_MAX = 5e-4
HOURLY_MAX = 0.04
SAMPLES_PER_HOUR = 720  # one each 5 s

cdef float64_t _INTEREST = INTEREST
cdef float64_t _PULL_MAX = PULL_MAX
cdef float64_t _HOURLY_MAX = HOURLY_MAX
cdef float64_t _SAMPLES_PER_HOUR = SAMPLES_PER_HOUR


cdef int64_t SAMPLE_NS = 5_000_000_000
cdef int64_t HOUR_NS = 3_600_000_000_000
cdef float64_t FORGETTING = 1.0 - 1.0 / 5760.0  # a sample: eight hours
cdef float64_t MOST_PERSISTENCE = 0.9999


cdef float64_t premium_of(
    float64_t impact_bid, float64_t impact_ask, float64_t oracle_price
) noexcept nogil:
    return (
        max(impact_bid - oracle_price, 0.0) - max(oracle_price - impact_ask, 0.0)
    ) / oracle_price


cdef float64_t funding_rate_of(float64_t premium) noexcept nogil:
    if premium < _INTEREST - _PULL_MAX:
        return premium + _PULL_MAX
    if premium > _INTEREST + _PULL_MAX:
        return premium - _PULL_MAX
    return _INTEREST


cdef float64_t hourly_rate_of(float64_t rate) noexcept nogil:
    return max(-_HOURLY_MAX, min(_HOURLY_MAX, rate / 8.0))


cdef float64_t mean_premium_of(
    float64_t mean_seen, float64_t last, float64_t long_run, float64_t persistence,
    float64_t seen, float64_t samples,
) noexcept nogil:
    # The rest is n P + (last - P) (phi + ... + phi^n).
    cdef float64_t left = samples - seen, powers = left
    if persistence > 0.5 and persistence < 1.0:
        # 1 - phi^n cancels near phi = 1
        powers = (
            persistence * expm1(left * log1p(persistence - 1.0)) / (persistence - 1.0)
        )
    elif persistence != 1.0:
        powers = persistence * (1.0 - pow(persistence, left)) / (1.0 - persistence)
    return (seen * mean_seen + left * long_run + (last - long_run) * powers) / samples


cdef float64_t expected_rate_of(float64_t mean, float64_t deviation) noexcept nogil:
    # mean + E[clamp(I - P, -c, c)], P normal
    cdef float64_t distance = _INTEREST - mean, a, b, below, above, bell
    if not deviation > 1e-300:
        return funding_rate_of(mean)
    a = (-_PULL_MAX - distance) / deviation
    b = (_PULL_MAX - distance) / deviation
    below, above = 0.5 * erfc(-a / sqrt(2.0)), 0.5 * erfc(b / sqrt(2.0))
    # phi(a) - phi(b), as a product: b^2 - a^2 = -4 c d / s^2
    bell = 0.3989422804014327 * (exp(-0.5 * a * a) - exp(-0.5 * b * b))
    return (
        mean
        + _PULL_MAX * (above - below)
        + distance * _inside(a, b, below, above)
        + deviation * bell
    )


cdef float64_t _inside(
    float64_t a, float64_t b, float64_t below, float64_t above
) noexcept nogil:
    # Phi(b) - Phi(a), from the tails on the side where both lie
    if a > 0.0:
        return 0.5 * erfc(a / sqrt(2.0)) - above
    if b < 0.0:
        return 0.5 * erfc(-b / sqrt(2.0)) - below
    return 1.0 - below - above


cdef int _check_finite(str name, float64_t value) except -1:
    if not fabs(value) <= 1e100:
        raise ValueError(f"{name} must be finite: {value}")
    return 0


cdef int _check_prices(
    float64_t impact_bid, float64_t impact_ask, float64_t oracle_price
) except -1:
    if not 1e-100 <= oracle_price <= 1e100:
        raise ValueError(f"oracle_price must be > 0 and finite: {oracle_price}")
    if not 0.0 <= impact_bid <= 1e100:
        raise ValueError(f"impact_bid must be >= 0 and finite: {impact_bid}")
    if not 0.0 <= impact_ask <= 1e100:
        raise ValueError(f"impact_ask must be >= 0 and finite: {impact_ask}")
    return 0


def funding_premium(
    float64_t impact_bid, float64_t impact_ask, *, float64_t oracle_price, bint is_builder_dex=False
):
    """Return the premium of one sample.

    Parameters
    ----------
    impact_bid, impact_ask : float
        Mean prices at which the venue's impact notional trades, >= 0, in any one unit.
    oracle_price : float
        Price of the index, > 0, in that unit.
    is_builder_dex : bool
        Whether the market is of a builder's dex, where the premium is that of the middle of both.

    Returns
    -------
    float
        (max(bid - oracle, 0) - max(oracle - ask, 0))/oracle, or (bid + ask)/2/oracle - 1.

    Raises
    ------
    ValueError
        If a price is outside its domain.

    Examples
    --------
    >>> funding_premium(101.0, 102.0, oracle_price=100.0)
    0.01
    """
    _check_prices(impact_bid, impact_ask, oracle_price)
    if is_builder_dex:
        return 0.5 * ((impact_bid - oracle_price) + (impact_ask - oracle_price)) / oracle_price
    return premium_of(impact_bid, impact_ask, oracle_price)


def funding_rate(float64_t premium):
    """Return the rate of 8 hours from the mean premium: P + clamp(1 bp - P, -5 bps, 5 bps).

    Raises
    ------
    ValueError
        If the premium is not finite.
    """
    _check_finite("premium", premium)
    return funding_rate_of(premium)


def hourly_funding_rate(float64_t premium):
    """Return what an hour of a mean premium costs a long, as a fraction of the oracle's value.

    An eighth of `funding_rate`, at most 4 percent in size.

    Raises
    ------
    ValueError
        If the premium is not finite.
    """
    _check_finite("premium", premium)
    return hourly_rate_of(funding_rate_of(premium))


def funding_payment(float64_t position, *, float64_t oracle_price, float64_t premium):
    """Return what a position pays for an hour, in quote currency; negative: it receives.

    Parameters
    ----------
    position : float
        Base units, negative for a short.
    oracle_price : float
        Price of the index at the hour, > 0: not the mark.
    premium : float
        Mean premium of the hour.

    Raises
    ------
    ValueError
        If a value is outside its domain.
    """
    _check_finite("position", position)
    _check_prices(0.0, 0.0, oracle_price)
    _check_finite("premium", premium)
    return position * oracle_price * hourly_rate_of(funding_rate_of(premium))


def expected_mean_premium(
    float64_t mean_seen,
    float64_t last,
    *,
    float64_t seen,
    float64_t persistence,
    float64_t long_run=0.0,
    float64_t samples=720.0,
):
    """Return the expected mean premium of the whole hour from the samples seen.

    Parameters
    ----------
    mean_seen, last : float
        Mean of the samples seen, and the last one.
    seen : float
        How many they are, 0 to `samples`.
    persistence : float
        Correlation of neighbouring samples, phi, in [-1, 1].
    long_run : float
        What the premium reverts to.
    samples : float
        Samples of an hour, > 0.

    Returns
    -------
    float
        (n mean + sum over the rest of long_run + (last - long_run) phi^j)/samples.

    Raises
    ------
    ValueError
        If a value is outside its domain.
    """
    _check_finite("mean_seen", mean_seen)
    _check_finite("last", last)
    _check_finite("long_run", long_run)
    if not 0.0 < samples <= 1e9:
        raise ValueError(f"samples must be > 0 and finite: {samples}")
    if not 0.0 <= seen <= samples:
        raise ValueError(f"seen must lie in 0 to samples {samples}: {seen}")
    if not -1.0 <= persistence <= 1.0:
        raise ValueError(f"persistence must lie in [-1, 1]: {persistence}")
    return mean_premium_of(mean_seen, last, long_run, persistence, seen, samples)


def expected_funding_rate(float64_t mean, float64_t deviation):
    """Return the expected rate of 8 hours of a normally distributed mean premium.

    Parameters
    ----------
    mean, deviation : float
        Of the hour's mean premium; the deviation is >= 0.

    Raises
    ------
    ValueError
        If a value is outside its domain.

    Notes
    -----
    m + E[clamp(I - P, -c, c)], in closed form with the normal law. The rate is a flat function
    between two slopes, so that the rate of the mean is not the mean of the rate.
    """
    _check_finite("mean", mean)
    if not 0.0 <= deviation <= 1e100:
        raise ValueError(f"deviation must be >= 0 and finite: {deviation}")
    return expected_rate_of(mean, deviation)


@cython.final
cdef class FundingStream:
    """What the running hour will cost a long position, from the premium as it is published.

    Attributes
    ----------
    samples : int
        Premiums taken in, one each five seconds.
    rate, rate_se : float
        Expected payment of a long position at the end of the hour, as a fraction, and how far it
        may still move: one standard deviation of the hour's mean premium each way. NaN before the
        first sample.

    Notes
    -----
    Of the hour's 720 samples, those that passed unseen stand in the mean of the seen ones. The
    rest is an autoregression from the last premium to the mean of eight hours, whose persistence
    is that of neighbouring samples. Published at the mean of the rate over what may still come.

    Examples
    --------
    >>> stream = FundingStream()
    >>> stream.update(3_600_000_000_000, 1e-4)
    >>> stream.rate, stream.rate_se
    (1.25e-05, 0.0)
    """

    def __cinit__(self):
        self.rate = self.rate_se = NAN

    def update(self, int64_t exch_ns, float64_t premium):
        """Take in the premium as of a stamp; it counts if the last that did is five seconds old.

        Raises
        ------
        ValueError
            If the stamp is not > 0 or the premium not within 1.
        """
        if exch_ns <= 0:
            raise ValueError(f"exch_ns must be > 0 ns: {exch_ns}")
        if not fabs(premium) <= 1.0:
            raise ValueError(f"premium must lie in -1 to 1: {premium}")
        self.add_room(exch_ns, premium)

    cdef void add_room(self, int64_t exch_ns, float64_t premium) noexcept nogil:
        cdef int64_t hour = exch_ns // HOUR_NS
        if exch_ns < self._now_ns or not fabs(premium) <= 1.0:
            return
        self._now_ns = exch_ns
        if hour != self._hour:
            self._hour, self._hour_samples, self._hour_sum = hour, 0, 0.0
        elif exch_ns - self._sampled_ns < SAMPLE_NS and self.samples > 0:
            return
        self._sampled_ns = exch_ns
        self._hour_samples += 1
        self._hour_sum += premium
        self._weight = FORGETTING * self._weight + 1.0
        self._sum = FORGETTING * self._sum + premium
        self._squares = FORGETTING * self._squares + premium * premium
        self._steps *= FORGETTING
        if self.samples > 0:
            self._steps += (premium - self._last) * (premium - self._last)
        self._last = premium
        self.samples += 1
        self._predict()

    cdef void _predict(self) noexcept nogil:
        cdef float64_t mean = self._sum / self._weight, persistence = 0.0, deviation = 0.0
        cdef float64_t variance, passed, left, expected
        variance = max(self._squares / self._weight - mean * mean, 0.0)
        if variance > 0.0:
            # The variance of a step is 2 (1 - phi) times that of the premium.
            persistence = 1.0 - 0.5 * self._steps / (self._weight * variance)
            persistence = max(0.0, min(MOST_PERSISTENCE, persistence))
        passed = <float64_t> ((self._now_ns % HOUR_NS) // SAMPLE_NS + 1)
        passed = min(passed, _SAMPLES_PER_HOUR)
        expected = mean_premium_of(
            self._hour_sum / <float64_t> self._hour_samples,
            self._last, mean, persistence, passed, _SAMPLES_PER_HOUR,
        )
        left = _SAMPLES_PER_HOUR - passed
        if left > 0.0:
            # Of the mean of the rest: its variance is that of one sample over the number of
            # samples that are worth one, at least one.
            deviation = left / _SAMPLES_PER_HOUR * sqrt(
                variance * min(1.0, (1.0 + persistence) / (1.0 - persistence) / left)
            )
        self.rate = hourly_rate_of(expected_rate_of(expected, deviation))
        self.rate_se = 0.5 * (
            hourly_rate_of(funding_rate_of(expected + deviation))
            - hourly_rate_of(funding_rate_of(expected - deviation))
        )
