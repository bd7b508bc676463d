"""Severity of a cascade: how rare an intensity is under the fitted self-exciting process.

Let p be the fraction of time that the stationary intensity exceeds its present value. Severity is
piecewise linear in L = -log10 p, so that a band of severity is a frequency. In jumps above the
baseline, s = (lambda - mu)/alpha, with c = mu/beta and n = alpha/beta, the stationary density
satisfies s p(s) = integral over (s - 1, s] of (c + n z) p(z) dz: crossings up equal crossings
down. The first window is known in closed form; the others follow one from the other.
"""

cimport cython
from libc.math cimport exp, expm1, fabs, fmax, fmin, log, log1p, sqrt
from libc.stdlib cimport free, malloc

cdef enum:
    HEAD = 512        # nodes inside the first window
    NODES = 16896     # at which the mass is remembered, those of the head included
    FINEST = 1000     # grid points a jump
    COARSEST = 16
    WIDEST = 200000   # jumps that the law may be wide

cdef struct March:
    Py_ssize_t per_jump             # grid points
    float64_t[FINEST] cells         # integral of (c + n z) p over the cells of the last window
    Py_ssize_t count                # nodes filled
    float64_t[NODES] place          # logarithm of the position in jumps
    float64_t[NODES] mass           # from the node before to this one; from 0 to the first
    float64_t beyond                # the last node


cdef float64_t severity_of(float64_t rarity) noexcept nogil:
    # Knots (0, 0) (2, 0.3) (3, 0.5) (4, 0.8) (6, 0.95) (8, 1).
    if not rarity > 0.0:
        return 0.0
    if rarity <= 2.0:
        return 0.15 * rarity
    if rarity <= 3.0:
        return 0.3 + 0.2 * (rarity - 2.0)
    if rarity <= 4.0:
        return 0.5 + 0.3 * (rarity - 3.0)
    if rarity <= 6.0:
        return 0.8 + 0.075 * (rarity - 4.0)
    if rarity <= 8.0:
        return 0.95 + 0.025 * (rarity - 6.0)
    return 1.0


cdef float64_t calibrated(float64_t rarity, float64_t correction) noexcept nogil:
    return fmax(rarity - fmax(correction, 0.0), 0.0)


cdef float64_t directed(
    float64_t severity, float64_t signed_flow, float64_t flow, bint has_forced_flow
) noexcept nogil:
    if has_forced_flow or (flow > 0.0 and fabs(signed_flow) >= 0.6 * flow):
        return severity
    return fmin(severity, 0.5)


cdef float64_t tail_rate(float64_t jump, float64_t decay) noexcept nogil:
    # x = alpha theta solves (e^x - 1)/x - 1 = (1 - n)/n. The left side is convex and rises: Newton
    # falls onto the root from any point right of it. Both 2 (1 - n)/n and 1.3 - 2 ln n are.
    cdef float64_t n = jump / decay, excess = (decay - jump) / jump
    cdef float64_t x = fmin(2.0 * excess, 1.3 - 2.0 * log(n)), value, slope, term, step
    cdef int _turn, k
    for _turn in range(100):
        if x < 0.5:  # the closed forms cancel
            term, value, slope = 0.5 * x, 0.5 * x, 0.5
            for k in range(2, 16):
                slope += k * term / (k + 1.0)
                term *= x / (k + 1.0)
                value += term
        else:
            value = expm1(x) / x - 1.0
            slope = (exp(x) * (x - 1.0) + 1.0) / (x * x)
        step = (value - excess) / slope
        x -= step
        if fabs(step) <= 1e-15 * x:
            break
    return x / jump


cdef float64_t _head_mass(float64_t c, float64_t n, float64_t s) noexcept nogil:
    # Integral of p(z) = z^(c-1) e^(n (z-1)) from 0 to s <= 1: a series of positive terms.
    cdef float64_t term = 1.0, total = 1.0, k = 0.0
    while term > 1e-17 * total:
        k += 1.0
        term *= n * s / k
        total += term * c / (c + k)
    return total * exp(c * log(s) - n) / c


cdef float64_t _local_growth(float64_t c, float64_t n, float64_t s) noexcept nogil:
    # Left of the mean p ~ e^(x s) with (1 - e^-x)/x = s/(c + ns) < 1: the root by bisection.
    cdef float64_t low = 0.0, high = (c + n * s) / s, middle = 0.0
    cdef int _turn
    for _turn in range(60):
        middle = 0.5 * (low + high)
        if -expm1(-middle) * (c + n * s) > s * middle:
            low = middle
        else:
            high = middle
    return middle


cdef void _start_at_zero(March* march, float64_t c, float64_t n) noexcept nogil:
    # The first window, (0, 1], in closed form: the flux up to s is s^c e^(n (s-1)), p its value
    # over s. Nodes begin where the mass is e^-14 of the window's and thicken towards s = 1.
    cdef float64_t depth = fmin(14.0 / c, 690.0), s, flux, before = 0.0
    cdef Py_ssize_t j
    for j in range(HEAD):
        s = 1.0 - (j + 1.0) / HEAD
        march.place[j] = -depth * s * s
        s = _head_mass(c, n, exp(march.place[j]))
        march.mass[j] = s - before
        before = s
    march.count = HEAD
    before = 0.0
    for j in range(march.per_jump):
        s = (j + 1.0) / march.per_jump
        flux = exp(c * log(s) + n * (s - 1.0))
        march.cells[j] = flux - before
        before = flux


cdef void _start_far(March* march, float64_t c, float64_t n, float64_t first) noexcept nogil:
    # Far left of the mean any growing window will do: p gains many orders before its mass begins.
    cdef float64_t growth = _local_growth(c, n, first), h = 1.0 / march.per_jump, s
    cdef Py_ssize_t j
    for j in range(march.per_jump):
        s = (j + 0.5) * h - 1.0
        march.cells[j] = h * (c + n * (first + s)) * exp(growth * s)
    march.place[0] = log(first)
    march.mass[0] = 1.0 / growth
    march.count = 1


cdef bint _march(
    March* march, float64_t c, float64_t n, float64_t rate, float64_t grid_points
) noexcept nogil:
    # Fill the nodes until 1e-12 of the mass is left; False if they do not suffice.
    cdef float64_t mean = c / (1.0 - n), spread = sqrt(0.5 * c) / (1.0 - n)
    cdef float64_t first = mean - 14.0 * spread, end = mean + 12.0 * spread + 30.0 / rate
    cdef bint is_far = first > 2.0
    cdef float64_t h, s, p = 1.0, before, flux, flux_before, inside, leaving, old_weight, weight
    cdef float64_t total = 0.0, since = 0.0
    cdef Py_ssize_t turn, j, k, stride
    if not is_far:
        first = 1.0
    march.count = 0
    march.per_jump = <Py_ssize_t> fmin(fmax(grid_points / (end - first), COARSEST), FINEST)
    h = 1.0 / march.per_jump
    stride = 1 + <Py_ssize_t> ((end - first) * march.per_jump / (0.5 * (NODES - HEAD)))
    if is_far:
        _start_far(march, c, n, first)
    else:
        _start_at_zero(march, c, n)
    for j in range(march.count):
        total += march.mass[j]
    flux = c + n * first
    k = 0
    for turn in range(4 * WIDEST):
        # Afresh for each window, so that no rounding error outlives one.
        inside = 0.0
        for j in range(march.per_jump):
            inside += march.cells[j]
        if inside > 1e200:
            inside *= 1e-200
            p, flux, total, since = p * 1e-200, flux * 1e-200, total * 1e-200, since * 1e-200
            for j in range(march.per_jump):
                march.cells[j] *= 1e-200
            for j in range(march.count):
                march.mass[j] *= 1e-200
        for j in range(march.per_jump):
            # p falls like (s - 1)^c behind s = 1: for c < 1 the trapezoid misses that in one cell.
            weight = old_weight = 0.5 * h
            if turn == 0 and j == 0 and not is_far and c < 1.0:
                weight = h / (1.0 + c)
                old_weight = h - weight
            s = first + turn + (j + 1) * h
            before, flux_before, leaving = p, flux, march.cells[j]
            p = (inside - leaving + old_weight * flux) / (s - weight * (c + n * s))
            flux = (c + n * s) * p
            march.cells[j] = old_weight * flux_before + weight * flux
            inside += march.cells[j] - leaving
            since += old_weight * before + weight * p
            k += 1
            if k == stride:
                k = 0
                total += since
                march.place[march.count] = log(s)
                march.mass[march.count] = since
                since = 0.0
                march.count += 1
                if s > mean and p < 1e-12 * rate * total:
                    march.beyond = p / rate
                    return True
                if march.count == NODES:
                    return False
    return False


cdef void _tabulate(
    March* march, float64_t* place, float64_t* excess, float64_t* rarity
) noexcept nogil:
    # Knots are even in the logit of the distribution: as dense where the tail is nearly 1 as
    # where it is nearly 0.
    cdef float64_t above = march.beyond, mass, last, here, low, high, wanted
    cdef Py_ssize_t i, k, nearest = -1
    for i in range(march.count - 1, -1, -1):  # from the right, where the sums are small
        mass = march.mass[i]
        march.mass[i] = above
        above += mass
    i = 0
    here = last = _logit(above, march.mass[0])
    low, high = fmax(here, -9.2), 22.0
    for k in range(KNOTS):
        wanted = low + (high - low) * k / (KNOTS - 1.0)
        while here < wanted and i + 1 < march.count:
            i += 1
            last, here = here, _logit(above, march.mass[i])
        place[k] = march.place[i]
        if here > wanted and i > 0:
            place[k] -= (here - wanted) / (here - last) * (march.place[i] - march.place[i - 1])
        excess[k] = exp(place[k])
        rarity[k] = log1p(exp(wanted)) / log(10.0)  # p = 1/(1 + e^logit)
        if nearest < 0 or fabs(place[k]) < fabs(place[nearest]):
            nearest = k
    if march.count >= HEAD and march.place[HEAD - 1] == 0.0 and 0 < nearest < KNOTS - 1:
        # The density has a cusp at one jump: a knot there, so that no line is drawn across it.
        place[nearest], excess[nearest] = 0.0, 1.0
        rarity[nearest] = log1p(exp(_logit(above, march.mass[HEAD - 1]))) / log(10.0)


cdef float64_t _logit(float64_t total, float64_t above) noexcept nogil:
    return log((total - above) / above)


@cython.final
cdef class CascadeTable:
    """Severity of an intensity under the stationary law of a self-exciting process.

    Parameters
    ----------
    baseline_per_sec, jump_per_sec, decay_per_sec : float
        mu > 0, alpha > 0 and beta > 0 in 1/s of the fit, alpha/beta <= 0.9999 and the law at most
        200,000 jumps wide.
    grid_points : int
        Points aimed at in the march over the law, 1 to 100,000,000: about 5 ns each.

    Attributes
    ----------
    tail_rate_secs : float
        theta of the law's tail e^(-theta lambda), in s: the root of e^(alpha theta) =
        1 + beta theta.

    Raises
    ------
    ValueError
        If a parameter is outside its domain, or the branching ratio is too near 1: keep the old
        fit then.

    Notes
    -----
    The table holds -log10 of the tail at 512 knots, linear in the logarithm of the excess over
    the baseline between them and linear in the excess with slope theta/ln 10 beyond; its error is
    below 1e-3 of the probability. Made in a few to 20 ms, off the hot path; a read is one
    logarithm and one interpolation and allocates nothing.

    Examples
    --------
    >>> table = CascadeTable(baseline_per_sec=2.0, jump_per_sec=1.0, decay_per_sec=5.0)
    >>> round(table.tail(5.5), 5), round(table.severity(5.5), 2)
    (0.00085, 0.52)
    >>> table.severity(2.0)
    0.0
    """

    def __cinit__(
        self,
        *,
        float64_t baseline_per_sec,
        float64_t jump_per_sec,
        float64_t decay_per_sec,
        int64_t grid_points=2_000_000,
    ):
        cdef float64_t c, n, rate, width
        cdef bint is_complete
        cdef March* march
        _check_parameters(baseline_per_sec, jump_per_sec, decay_per_sec)
        if not 1 <= grid_points <= 100_000_000:
            raise ValueError(f"grid_points must lie in 1 to 1e8: {grid_points}")
        c, n = baseline_per_sec / decay_per_sec, jump_per_sec / decay_per_sec
        self.baseline_per_sec = baseline_per_sec
        self.jump_per_sec = jump_per_sec
        self.decay_per_sec = decay_per_sec
        self.tail_rate_secs = tail_rate(jump_per_sec, decay_per_sec)
        rate = self.tail_rate_secs * jump_per_sec
        width = 26.0 * sqrt(0.5 * c) / (1.0 - n) + 30.0 / rate
        if not width <= WIDEST:
            raise ValueError(
                f"the stationary intensity is {width:.3g} jumps wide, at most {WIDEST}: lower "
                f"baseline_per_sec {baseline_per_sec} or jump_per_sec {jump_per_sec}"
            )
        march = <March*> malloc(sizeof(March))
        if march == NULL:
            raise MemoryError
        with nogil:
            is_complete = _march(march, c, n, rate, <float64_t> grid_points)
            if is_complete:
                _tabulate(march, self._place, self._excess, self._rarity)
        free(march)
        if not is_complete:
            raise ValueError(f"the stationary law of {c} and {n} could not be tabulated")

    cdef float64_t rarity_at(self, float64_t intensity) noexcept nogil:
        cdef float64_t excess = (intensity - self.baseline_per_sec) / self.jump_per_sec
        cdef float64_t place, share
        cdef int low = 0, high = KNOTS - 1, middle
        if not excess > 0.0:
            return 0.0
        if excess <= self._excess[0]:
            return self._rarity[0] * excess / self._excess[0]
        if excess >= self._excess[KNOTS - 1]:
            return self._rarity[KNOTS - 1] + (
                excess - self._excess[KNOTS - 1]
            ) * self.jump_per_sec * self.tail_rate_secs / log(10.0)
        while high - low > 1:
            middle = (low + high) // 2
            if self._excess[middle] <= excess:
                low = middle
            else:
                high = middle
        place = log(excess)
        share = (place - self._place[low]) / (self._place[high] - self._place[low])
        return self._rarity[low] + share * (self._rarity[high] - self._rarity[low])

    cdef float64_t severity_at(self, float64_t intensity) noexcept nogil:
        return severity_of(self.rarity_at(intensity))

    def rarity(self, float64_t intensity_per_sec):
        """Return -log10 of the fraction of time that the intensity is above `intensity_per_sec`.

        Raises
        ------
        ValueError
            If the intensity is NaN or negative.
        """
        _check_intensity(intensity_per_sec)
        return self.rarity_at(intensity_per_sec)

    def tail(self, float64_t intensity_per_sec):
        """Return the fraction of time that the intensity is above `intensity_per_sec`.

        Raises
        ------
        ValueError
            If the intensity is NaN or negative.
        """
        _check_intensity(intensity_per_sec)
        return exp(-log(10.0) * self.rarity_at(intensity_per_sec))

    def severity(self, float64_t intensity_per_sec, float64_t correction=0.0):
        """Return the severity of `intensity_per_sec` in [0, 1].

        Parameters
        ----------
        intensity_per_sec : float
            The live intensity, in 1/s, >= 0.
        correction : float
            From `level_correction`; 0 trusts the model's level.

        Raises
        ------
        ValueError
            If the intensity or the correction is NaN or negative.
        """
        _check_intensity(intensity_per_sec)
        if not correction >= 0.0:
            raise ValueError(f"correction must be >= 0: {correction}")
        return severity_of(calibrated(self.rarity_at(intensity_per_sec), correction))

    def severities(self, const float64_t[::1] intensities_per_sec, float64_t[::1] out):
        """Write the severity of each intensity into `out`.

        Raises
        ------
        ValueError
            If an intensity is NaN or negative, or the lengths differ.
        """
        cdef Py_ssize_t i, n = intensities_per_sec.shape[0]
        if out.shape[0] != n:
            raise ValueError(f"out must have length {n}: {out.shape[0]}")
        for i in range(n):
            if not intensities_per_sec[i] >= 0.0:
                raise ValueError(
                    f"intensities_per_sec[{i}] must be >= 0: {intensities_per_sec[i]}"
                )
        with nogil:
            for i in range(n):
                out[i] = self.severity_at(intensities_per_sec[i])


cdef int _check_intensity(float64_t intensity) except -1:
    if not intensity >= 0.0:
        raise ValueError(f"intensity_per_sec must be >= 0: {intensity}")
    return 0


cdef int _check_parameters(float64_t baseline, float64_t jump, float64_t decay) except -1:
    if not 1e-300 <= baseline <= 1e300:
        raise ValueError(f"baseline_per_sec must be > 0 and finite: {baseline}")
    if not 1e-300 <= decay <= 1e300:
        raise ValueError(f"decay_per_sec must be > 0 and finite: {decay}")
    if not 1e-300 <= jump <= 0.9999 * decay:
        raise ValueError(
            f"jump_per_sec must be > 0 and at most 0.9999 of decay_per_sec {decay}: {jump}"
        )
    return 0


def severity(float64_t rarity):
    """Return the severity of a rarity, piecewise linear.

    Parameters
    ----------
    rarity : float
        -log10 of the fraction of time that the intensity is higher, >= 0.

    Returns
    -------
    float
        0 to 0.3 at 1 % of the time, 0.5 at 1e-3, 0.8 at 1e-4, 0.95 at 1e-6, 1 from 1e-8 on.

    Raises
    ------
    ValueError
        If `rarity` is NaN or negative.

    Examples
    --------
    >>> severity(2.5), severity(12.0)
    (0.4, 1.0)
    """
    if not rarity >= 0.0:
        raise ValueError(f"rarity must be >= 0: {rarity}")
    return severity_of(rarity)


def severities(const float64_t[::1] rarities, float64_t[::1] out):
    """Write the severity of each rarity into `out`.

    Parameters
    ----------
    rarities : array of float64, shape (n,)
        As of `severity`, >= 0; infinity is allowed.
    out : array of float64, shape (n,)
        Receives the severities, in [0, 1].

    Raises
    ------
    ValueError
        If a rarity is NaN or negative, or the lengths differ.
    """
    cdef Py_ssize_t i, n = rarities.shape[0]
    if out.shape[0] != n:
        raise ValueError(f"out must have length {n}: {out.shape[0]}")
    for i in range(n):
        if not rarities[i] >= 0.0:
            raise ValueError(f"rarities[{i}] must be >= 0: {rarities[i]}")
    with nogil:
        for i in range(n):
            out[i] = severity_of(rarities[i])


def directional_severity(
    float64_t severity, *, float64_t signed_flow, float64_t flow, bint has_forced_flow=False
):
    """Cap a severity at 0.5 unless the flow has a direction or is known to be forced.

    Parameters
    ----------
    severity : float
        In [0, 1].
    signed_flow, flow : float
        Buys minus sells and buys plus sells over the same time, in one unit; flow >= 0.
    has_forced_flow : bool
        Whether liquidations were seen.

    Raises
    ------
    ValueError
        If the severity is outside [0, 1], or not |signed_flow| <= flow.
    """
    if not 0.0 <= severity <= 1.0:
        raise ValueError(f"severity must be in [0, 1]: {severity}")
    if not flow >= 0.0 or not fabs(signed_flow) <= flow * (1.0 + 1e-9):
        raise ValueError(f"flow must be >= |signed_flow| {signed_flow}: {flow}")
    return directed(severity, signed_flow, flow, has_forced_flow)


def level_correction(float64_t seen_fraction, float64_t model_fraction):
    """Return by how many powers of ten a level was exceeded more often than the model says.

    Parameters
    ----------
    seen_fraction : float
        Fraction of the last day's seconds with a higher intensity than the level, such as its
        20th largest, in (0, 1].
    model_fraction : float
        `CascadeTable.tail` of that level, in (0, 1].

    Returns
    -------
    float
        log10(seen/model), at least 0: taken off the rarity, so that the level is the seen one
        and the slope the model's.

    Raises
    ------
    ValueError
        If a fraction is outside (0, 1].

    Examples
    --------
    >>> round(level_correction(20 / 86_400, 2e-6), 3)
    2.063
    """
    if not 0.0 < seen_fraction <= 1.0:
        raise ValueError(f"seen_fraction must be in (0, 1]: {seen_fraction}")
    if not 0.0 < model_fraction <= 1.0:
        raise ValueError(f"model_fraction must be in (0, 1]: {model_fraction}")
    return fmax(log(seen_fraction / model_fraction) / log(10.0), 0.0)
