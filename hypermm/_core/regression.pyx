"""The move of the mid over a horizon, regressed on imbalance with forgetting.

A label is learned when its horizon has passed, never before: nothing that comes later changes
what was predicted at a stamp.
"""

cimport cython
from libc.math cimport NAN, exp, fabs, sqrt

cdef float64_t LARGEST = 1e150  # bound of every input, so that no square overflows
cdef float64_t LEAST_FORGETTING = 1e-9  # a silence forgets at most this much at once
cdef int64_t MAX_NS = 1 << 62
cdef float64_t MAX_HORIZON_SECS = 1e9


cdef void regression_start(Regression* fit, float64_t prior_variance) noexcept nogil:
    fit.beta0 = fit.beta1 = fit.upper = 0.0
    fit.diagonal0 = fit.diagonal1 = prior_variance


cdef float64_t regression_update(
    Regression* fit,
    float64_t x0,
    float64_t x1,
    float64_t y,
    float64_t forgetting,
    float64_t trace_limit,
) noexcept nogil:
    # Bierman's update of U and D: no difference of large numbers, where the textbook's
    # P - (Px)(Px)'/d loses as many digits as the prior is wide.
    cdef float64_t e = y - (fit.beta0 * x0 + fit.beta1 * x1)
    cdef float64_t f1 = fit.upper * x0 + x1
    cdef float64_t g0 = fit.diagonal0 * x0, g1 = fit.diagonal1 * f1
    cdef float64_t a1 = forgetting + x0 * g0
    cdef float64_t a2 = a1 + f1 * g1
    cdef float64_t trace
    fit.beta0 += (g0 + g1 * fit.upper) / a2 * e
    fit.beta1 += g1 / a2 * e
    fit.diagonal0 /= a1
    fit.diagonal1 *= a1 / a2 / forgetting
    fit.upper -= g0 * (f1 / a1)
    trace = fit.diagonal0 + fit.diagonal1 * (1.0 + fit.upper * fit.upper)
    if trace > trace_limit:
        fit.diagonal0 *= trace_limit / trace
        fit.diagonal1 *= trace_limit / trace
    return e


cdef int _check_length(str name, Py_ssize_t length, Py_ssize_t n) except -1:
    if length != n:
        raise ValueError(f"{name} must have length {n}: {length}")
    return 0


cdef int _check_finite(str name, Py_ssize_t i, float64_t value) except -1:
    if not fabs(value) <= LARGEST:
        raise ValueError(f"{name}[{i}] must be finite: {value}")
    return 0


cdef int _check_feature(str name, Py_ssize_t i, float64_t value) except -1:
    if not -1.0 <= value <= 1.0:
        raise ValueError(f"{name}[{i}] must lie in [-1, 1]: {value}")
    return 0


cdef int _check_one(str name, float64_t value) except -1:
    if not -1.0 <= value <= 1.0:
        raise ValueError(f"{name} must lie in [-1, 1]: {value}")
    return 0


def fit_forgetting(
    const float64_t[:, ::1] x,
    const float64_t[::1] y,
    float64_t[:, ::1] out_beta,
    *,
    float64_t forgetting,
    float64_t prior_variance,
):
    """Regress y on two features without intercept, forgetting exponentially.

    Parameters
    ----------
    x : array of float64, shape (n, 2)
        Features, finite.
    y : array of float64, shape (n,)
        Targets, finite.
    out_beta : array of float64, shape (n, 2)
        Receives the coefficients after each pair.
    forgetting : float
        Factor by which each new pair discounts the older ones, in (0, 1].
    prior_variance : float
        P0, > 0: the coefficients start at 0 with the covariance P0 times the unit matrix.

    Returns
    -------
    tuple of float
        The covariance after the last pair: P00, P01, P11.

    Raises
    ------
    ValueError
        If a value is outside its domain or shapes do not fit.

    Notes
    -----
    Minimises sum f^(n-i) (y_i - x_i'b)^2 + f^n |b|^2 / P0 exactly, as long as the trace of the
    covariance stays within its start 2 P0; there it is held, so that features that stand still
    for long do not wind it up. Allocates nothing.
    """
    cdef Py_ssize_t i, n = x.shape[0]
    cdef Regression fit
    if x.shape[1] != 2:
        raise ValueError(f"x must have 2 columns: {x.shape[1]}")
    _check_length("y", y.shape[0], n)
    if out_beta.shape[0] != n or out_beta.shape[1] != 2:
        raise ValueError(f"out_beta must have shape ({n}, 2)")
    if not LEAST_FORGETTING <= forgetting <= 1.0:
        raise ValueError(f"forgetting must lie in [1e-9, 1]: {forgetting}")
    _check_prior(prior_variance)
    for i in range(n):
        _check_finite("x[:, 0]", i, x[i, 0])
        _check_finite("x[:, 1]", i, x[i, 1])
        _check_finite("y", i, y[i])
    with nogil:
        regression_start(&fit, prior_variance)
        for i in range(n):
            regression_update(&fit, x[i, 0], x[i, 1], y[i], forgetting, 2.0 * prior_variance)
            out_beta[i, 0] = fit.beta0
            out_beta[i, 1] = fit.beta1
    return _covariance(&fit)


cdef int _check_prior(float64_t prior_variance) except -1:
    if not 0.0 < prior_variance <= 1e100:
        raise ValueError(f"prior_variance must be > 0 and <= 1e100: {prior_variance}")
    return 0


cdef tuple _covariance(const Regression* fit):
    cdef float64_t cross = fit.upper * fit.diagonal1
    return fit.diagonal0 + fit.upper * cross, cross, fit.diagonal1


@cython.final
cdef class FairPriceStream:
    """Learns how imbalance moves the mid over a horizon, and predicts with what it has learned.

    A sample of the features is taken at most every `sample_secs`. Its label, the relative move of
    the mid from the sample to the last mid at or before the horizon's end, is learned by the
    first row at or after that end. Predictions are published only while they beat the forecast
    'no move' out of sample.

    Parameters
    ----------
    horizon_secs : float
        Horizon of the label, in seconds, > 0.
    decay_secs : float
        Time after which a label counts 1/e, in seconds, > 0.
    sample_secs : float
        Least time between samples; half the horizon if 0. At least 1/32 of the horizon. Labels
        that overlap more make the covariance too small by the root of the overlap.
    prior_variance : float
        Start of the covariance, > 0.
    least_pairs : int
        Labels before the first prediction, >= 1.

    Attributes
    ----------
    horizon_ns, sample_ns : int
        Horizon and least time between samples, in nanoseconds.
    decay_secs, least_pairs
        As given.

    Raises
    ------
    ValueError
        If an argument is outside its domain.

    Notes
    -----
    The forgetting of a label is exp(-dt/tau) with dt the time between the two samples. The error
    that enters `r2_out_of_sample` is that of the prediction made at the sample, before any label
    that overlaps it was known. Rows of one stamp may follow each other: the last one counts, for
    the label as for the sample. About 5 ns a row, 25 ns a label.

    Examples
    --------
    >>> stream = FairPriceStream(horizon_secs=1.0, decay_secs=600.0, least_pairs=3)
    >>> mid = 100.0
    >>> for second in range(10):  # the mid moves by 1 bp in the direction of the book
    ...     side = 1.0 if second % 2 else -1.0
    ...     stream.observe(second * 1_000_000_000, mid, side, 0.0)
    ...     mid *= 1.0 + side * 1e-4
    >>> stream.pairs, round(stream.beta_book * 1e4, 2)
    (9, 1.0)
    >>> round(stream.predict(0.5, 0.0) * 1e4, 2)
    0.5
    """

    def __cinit__(
        self,
        *,
        float64_t horizon_secs,
        float64_t decay_secs,
        float64_t sample_secs=0.0,
        float64_t prior_variance=1e3,
        int64_t least_pairs=30,
    ):
        if not 1e-9 <= horizon_secs <= MAX_HORIZON_SECS:
            raise ValueError(f"horizon_secs must lie in 1e-9 to 1e9: {horizon_secs}")
        if not 0.0 < decay_secs < 1e100:
            raise ValueError(f"decay_secs must be > 0 and finite: {decay_secs}")
        if sample_secs == 0.0:
            sample_secs = 0.5 * horizon_secs
        if not horizon_secs / SAMPLES_PER_HORIZON <= sample_secs <= 1e9:
            raise ValueError(
                f"sample_secs must be at least 1/32 of horizon_secs {horizon_secs}: {sample_secs}"
            )
        _check_prior(prior_variance)
        if least_pairs < 1:
            raise ValueError(f"least_pairs must be >= 1: {least_pairs}")
        self.horizon_ns = <int64_t> (horizon_secs * 1e9 + 0.5)
        self.sample_ns = max(
            <int64_t> (sample_secs * 1e9 + 0.5), self.horizon_ns // SAMPLES_PER_HORIZON, 1
        )
        self.decay_secs = decay_secs
        self.least_pairs = least_pairs
        self._trace_limit = 2.0 * prior_variance
        self._mid = NAN
        regression_start(&self._learned.fit, prior_variance)

    def observe(
        self, int64_t exch_ns, float64_t mid, float64_t book_imbalance, float64_t flow_imbalance
    ):
        """Take in the state of the book as of a stamp, and learn the labels that fall due.

        Parameters
        ----------
        exch_ns : int
            Stamp in nanoseconds, not before the last one, in 0 to 2**62.
        mid : float
            Mid since then, > 0; NaN while there is none.
        book_imbalance, flow_imbalance : float
            Features, in [-1, 1].

        Raises
        ------
        ValueError
            If the stamp runs back or a value is outside its domain.
        """
        if not 0 <= exch_ns <= MAX_NS:
            raise ValueError(f"exch_ns must lie in 0 to 2**62: {exch_ns}")
        if self._has_started and exch_ns < self._now_ns:
            raise ValueError(f"exch_ns must be >= the last stamp {self._now_ns}: {exch_ns}")
        if mid == mid and not 0.0 < mid <= LARGEST:
            raise ValueError(f"mid must be > 0 and finite, or NaN: {mid}")
        _check_one("book_imbalance", book_imbalance)
        _check_one("flow_imbalance", flow_imbalance)
        self.observe_room(exch_ns, mid, book_imbalance, flow_imbalance)

    def observe_all(
        self,
        const int64_t[::1] exch_ns,
        const float64_t[::1] mids,
        const float64_t[::1] book_imbalance,
        const float64_t[::1] flow_imbalance,
        float64_t[::1] out,
    ):
        """Take in a series of states and write what was predicted at each into `out`.

        Parameters
        ----------
        exch_ns : array of int64, shape (n,)
            Stamps in nanoseconds, not falling.
        mids, book_imbalance, flow_imbalance : arrays of float64, shape (n,)
            As for `observe`.
        out : array of float64, shape (n,)
            Receives the predicted relative move over the horizon, made with what the rows up to
            and with this one have taught.

        Raises
        ------
        ValueError
            If a stamp runs back, a value is outside its domain, or lengths differ. Nothing has
            been taken in then.
        """
        cdef Py_ssize_t i, n = exch_ns.shape[0]
        cdef int64_t last = self._now_ns if self._has_started else 0
        _check_length("mids", mids.shape[0], n)
        _check_length("book_imbalance", book_imbalance.shape[0], n)
        _check_length("flow_imbalance", flow_imbalance.shape[0], n)
        _check_length("out", out.shape[0], n)
        for i in range(n):
            if not last <= exch_ns[i] <= MAX_NS:
                raise ValueError(
                    f"exch_ns[{i}] must be >= the stamp before {last} and <= 2**62: {exch_ns[i]}"
                )
            last = exch_ns[i]
            if mids[i] == mids[i] and not 0.0 < mids[i] <= LARGEST:
                raise ValueError(f"mids[{i}] must be > 0 and finite, or NaN: {mids[i]}")
            _check_feature("book_imbalance", i, book_imbalance[i])
            _check_feature("flow_imbalance", i, flow_imbalance[i])
        with nogil:
            for i in range(n):
                self.observe_room(exch_ns[i], mids[i], book_imbalance[i], flow_imbalance[i])
                out[i] = self.predict_room(book_imbalance[i], flow_imbalance[i])

    def cut(self):
        """Forget the samples that wait for a label, as after an interruption of the feed."""
        self.cut_room()

    cdef void cut_room(self) noexcept nogil:
        self._learned.dropped += self._tail - self._head
        self._head = self._tail
        self._is_provisional = False
        self._mid = NAN

    def predict(self, float64_t book_imbalance, float64_t flow_imbalance):
        """Predict the relative move of the mid over the horizon.

        Returns 0 before `least_pairs` labels, and while the out-of-sample R2 is not above 0.

        Raises
        ------
        ValueError
            If a feature is not in [-1, 1].
        """
        _check_one("book_imbalance", book_imbalance)
        _check_one("flow_imbalance", flow_imbalance)
        return self.predict_room(book_imbalance, flow_imbalance)

    def fair_price(
        self,
        float64_t bid,
        float64_t ask,
        *,
        float64_t tick,
        float64_t book_imbalance,
        float64_t flow_imbalance,
        float64_t top_imbalance,
    ):
        """Return the fair price: the mid and its predicted move.

        Parameters
        ----------
        bid, ask : float
            Best prices, 0 < bid <= ask.
        tick : float
            Step of prices, >= 0. The result lies within half the spread and one tick of the mid.
        book_imbalance, flow_imbalance : float
            Features, in [-1, 1].
        top_imbalance : float
            Imbalance of the best level, in [-1, 1]: before `least_pairs` labels the result is the
            size-weighted mid.

        Raises
        ------
        ValueError
            If a value is outside its domain.
        """
        if not 0.0 < bid <= ask <= LARGEST:
            raise ValueError(f"bid and ask must be finite with 0 < bid <= ask: {bid}, {ask}")
        if not 0.0 <= tick <= LARGEST:
            raise ValueError(f"tick must be >= 0 and finite: {tick}")
        _check_one("book_imbalance", book_imbalance)
        _check_one("flow_imbalance", flow_imbalance)
        _check_one("top_imbalance", top_imbalance)
        return self.fair_price_room(
            bid, ask, tick, book_imbalance, flow_imbalance, top_imbalance
        )

    @property
    def beta_book(self):
        """Relative move per unit of book imbalance, as fitted."""
        return self._learned.fit.beta0

    @property
    def beta_flow(self):
        """Relative move per unit of flow imbalance, as fitted."""
        return self._learned.fit.beta1

    @property
    def covariance(self):
        """P00, P01, P11: the coefficients' covariance over the variance of the errors."""
        return _covariance(&self._learned.fit)

    @property
    def pairs(self):
        """Labels learned."""
        return self._learned.pairs

    @property
    def dropped(self):
        """Samples whose label was no price."""
        return self._learned.dropped

    @property
    def waiting(self):
        """Samples that wait for their label."""
        return self._tail - self._head

    @property
    def r2_out_of_sample(self):
        """1 - sum of squared errors / sum of squared moves, decayed; NaN before a move."""
        return self.r_squared()

    @property
    def error_deviation(self):
        """Root mean square error of the predictions that were made at the samples; NaN before."""
        if not self._learned.weight > 0.0:
            return NAN
        return sqrt(self._learned.residual_squares / self._learned.weight)

    cdef float64_t r_squared(self) noexcept nogil:
        if not self._learned.target_squares > 0.0:
            return NAN
        return 1.0 - self._learned.residual_squares / self._learned.target_squares

    cdef float64_t predict_room(self, float64_t x0, float64_t x1) noexcept nogil:
        if self._learned.pairs < self.least_pairs or not self.r_squared() > 0.0:
            return 0.0
        return self._learned.fit.beta0 * x0 + self._learned.fit.beta1 * x1

    cdef float64_t fair_price_room(
        self,
        float64_t bid,
        float64_t ask,
        float64_t tick,
        float64_t book_imbalance,
        float64_t flow_imbalance,
        float64_t top_imbalance,
    ) noexcept nogil:
        cdef float64_t mid = 0.5 * (bid + ask), move, most = 0.5 * (ask - bid) + tick
        if self._learned.pairs < self.least_pairs:
            return mid + 0.5 * (ask - bid) * top_imbalance
        move = mid * self.predict_room(book_imbalance, flow_imbalance)
        return mid + max(-most, min(most, move))

    cdef void observe_room(
        self, int64_t exch_ns, float64_t mid, float64_t book_imbalance, float64_t flow_imbalance
    ) noexcept nogil:
        cdef Sample* sample
        cdef Py_ssize_t slot
        if exch_ns > self._now_ns or not self._has_started:
            # Labels due before this stamp: the mid since the last one is theirs.
            self._settle(exch_ns)
            self._is_provisional = False
        elif self._is_provisional:
            self._learned = self._before
            self._head = self._before_head
            self._is_provisional = False
        self._now_ns, self._mid, self._has_started = exch_ns, mid, True
        slot = self._head % PENDING
        if self._head < self._tail and self._ring[slot].exch_ns + self.horizon_ns == exch_ns:
            # Due at this very stamp: learned at once, and again if the stamp has another row.
            self._before, self._before_head = self._learned, self._head
            self._is_provisional = True
            self._settle(exch_ns + 1)
        if self._tail > self._head:
            if self._ring[(self._tail - 1) % PENDING].exch_ns == exch_ns:
                self._tail -= 1  # the stamp's later row takes the sample's place
        if not mid > 0.0:
            return
        if self._tail > 0:
            if exch_ns - self._ring[(self._tail - 1) % PENDING].exch_ns < self.sample_ns:
                return
        sample = &self._ring[self._tail % PENDING]
        sample.exch_ns, sample.mid = exch_ns, mid
        sample.x0, sample.x1 = book_imbalance, flow_imbalance
        sample.prediction = (
            self._learned.fit.beta0 * book_imbalance + self._learned.fit.beta1 * flow_imbalance
        )
        self._tail += 1

    cdef void _settle(self, int64_t due_before_ns) noexcept nogil:
        cdef Sample* sample
        while self._head < self._tail:
            sample = &self._ring[self._head % PENDING]
            if sample.exch_ns + self.horizon_ns >= due_before_ns:
                return
            self._head += 1
            self._learn(sample, self._mid)

    cdef void _learn(self, const Sample* sample, float64_t mid) noexcept nogil:
        cdef Learned* learned = &self._learned
        cdef float64_t y, error, weight = 1.0
        if not mid > 0.0:
            learned.dropped += 1
            return
        y = (mid - sample.mid) / sample.mid
        if learned.pairs > 0:
            weight = exp(
                -<float64_t> (sample.exch_ns - learned.sample_ns) * 1e-9 / self.decay_secs
            )
            weight = max(weight, LEAST_FORGETTING)
        error = y - sample.prediction
        learned.residual_squares = weight * learned.residual_squares + error * error
        learned.weight = weight * learned.weight + 1.0
        learned.target_squares = weight * learned.target_squares + y * y
        regression_update(&learned.fit, sample.x0, sample.x1, y, weight, self._trace_limit)
        learned.sample_ns = sample.exch_ns
        learned.pairs += 1
