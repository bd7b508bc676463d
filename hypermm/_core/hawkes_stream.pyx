"""Live intensities of self-exciting arrivals: they decay when read and jump when an event is added.

State is of constant size, an event costs one exponential a decay, and nothing is allocated. Stamps
are integer nanoseconds of one clock, not decreasing.
"""

cimport cython
from libc.math cimport INFINITY, exp

from hypermm._core.hawkes cimport check_parameters
from hypermm._core.hawkes_terms cimport (
    MAX_TERMS,
    HawkesTerms,
    check_pair,
    spectral_radius,
    sum_terms,
)


@cython.final
cdef class HawkesStream:
    """Live intensity: decays when read, jumps when an event is added.

    Parameters
    ----------
    baseline_per_sec, jump_per_sec, decay_per_sec : float
        mu > 0, alpha >= 0 and beta > 0 in 1/s, alpha < beta.

    Attributes
    ----------
    excitation : float
        Decayed marks of all events as of the last one, itself included.
    last_ns : int
        Stamp of the last event.
    events : int
        Events so far.

    Raises
    ------
    ValueError
        If a parameter is outside its domain or alpha >= beta.

    Notes
    -----
    One exponential an event and one a read; allocates nothing. Several events of one stamp each
    add their mark: give one with the whole size's mark if they are one order.

    Examples
    --------
    >>> stream = HawkesStream(baseline_per_sec=0.5, jump_per_sec=1.0, decay_per_sec=2.0)
    >>> stream.update(1_000_000_000)
    >>> stream.update(1_500_000_000)
    >>> round(stream.intensity_per_sec(1_500_000_000), 4)
    1.8679
    >>> round(stream.intensity_per_sec(3_000_000_000), 4)
    0.5681
    """

    def __cinit__(
        self,
        *,
        float64_t baseline_per_sec,
        float64_t jump_per_sec,
        float64_t decay_per_sec,
    ):
        self.set_parameters(
            baseline_per_sec=baseline_per_sec,
            jump_per_sec=jump_per_sec,
            decay_per_sec=decay_per_sec,
        )

    def set_parameters(
        self,
        *,
        float64_t baseline_per_sec,
        float64_t jump_per_sec,
        float64_t decay_per_sec,
    ):
        """Go on with the parameters of a new fit; what has been gathered stays.

        Raises
        ------
        ValueError
            If a parameter is outside its domain or alpha >= beta.
        """
        check_parameters(baseline_per_sec, jump_per_sec, decay_per_sec)
        if not jump_per_sec < decay_per_sec:
            raise ValueError(
                f"jump_per_sec must be < decay_per_sec {decay_per_sec}: {jump_per_sec}"
            )
        self.baseline_per_sec = baseline_per_sec
        self.jump_per_sec = jump_per_sec
        self.decay_per_sec = decay_per_sec

    def update(self, int64_t now_ns, float64_t mark=1.0):
        """Take in one event.

        Raises
        ------
        ValueError
            If `now_ns` is before the last event, or `mark` is negative or not finite.
        """
        if self.events > 0 and now_ns < self.last_ns:
            raise ValueError(f"now_ns must not be before the last event {self.last_ns}: {now_ns}")
        if not 0.0 <= mark < INFINITY:
            raise ValueError(f"mark must be >= 0 and finite: {mark}")
        self.add(now_ns, mark)

    def intensity_per_sec(self, int64_t now_ns):
        """Return the intensity right after `now_ns`.

        Raises
        ------
        ValueError
            If `now_ns` is before the last event.
        """
        if self.events > 0 and now_ns < self.last_ns:
            raise ValueError(f"now_ns must not be before the last event {self.last_ns}: {now_ns}")
        return self.intensity_at(now_ns)

    cdef float64_t intensity_at(self, int64_t now_ns) noexcept nogil:
        # A stamp before the last event reads as the last event's own.
        cdef float64_t secs = 1e-9 * <float64_t> max(now_ns - self.last_ns, 0)
        return self.baseline_per_sec + self.jump_per_sec * self.excitation * exp(
            -self.decay_per_sec * secs
        )

    cdef void add(self, int64_t now_ns, float64_t mark) noexcept nogil:
        cdef float64_t secs
        if self.events > 0:
            secs = 1e-9 * <float64_t> max(now_ns - self.last_ns, 0)
            self.excitation *= exp(-self.decay_per_sec * secs)
            now_ns = max(now_ns, self.last_ns)
        self.excitation += mark
        self.last_ns = now_ns
        self.events += 1


@cython.final
cdef class HawkesSumStream:
    """Live intensity whose excitation is a sum of up to eight exponentials.

    Parameters
    ----------
    baseline_per_sec : float
        mu in 1/s, > 0.
    jumps_per_sec, decays_per_sec : array of float64, shape (k,), 1 <= k <= 8
        alpha_k >= 0 and beta_k > 0 in 1/s, the sum of alpha_k/beta_k < 1.

    Attributes
    ----------
    last_ns : int
        Stamp of the last event.
    events : int
        Events so far.

    Raises
    ------
    ValueError
        If a parameter is outside its domain, a length is wrong, or the branching ratio is not
        below 1.

    Examples
    --------
    >>> import numpy as np
    >>> stream = HawkesSumStream(baseline_per_sec=0.5, jumps_per_sec=np.array([0.01, 1.0]),
    ...     decays_per_sec=np.array([0.05, 5.0]))
    >>> stream.update(1_000_000_000)
    >>> round(stream.intensity_per_sec(1_000_000_000), 4)
    1.51
    >>> round(stream.intensity_per_sec(3_000_000_000), 4)
    0.5091
    """

    def __cinit__(
        self,
        *,
        float64_t baseline_per_sec,
        const float64_t[::1] jumps_per_sec,
        const float64_t[::1] decays_per_sec,
    ):
        self.set_parameters(
            baseline_per_sec=baseline_per_sec,
            jumps_per_sec=jumps_per_sec,
            decays_per_sec=decays_per_sec,
        )

    def set_parameters(
        self,
        *,
        float64_t baseline_per_sec,
        const float64_t[::1] jumps_per_sec,
        const float64_t[::1] decays_per_sec,
    ):
        """Go on with the parameters of a new fit; what has been gathered stays.

        Raises
        ------
        ValueError
            As the constructor.
        """
        cdef HawkesTerms terms = sum_terms(baseline_per_sec, jumps_per_sec, decays_per_sec)
        cdef float64_t branching = 0.0
        cdef int k
        for k in range(terms.count):
            branching += terms.jump[k] / terms.decay[k]
        if not branching < 1.0:
            raise ValueError(f"jumps_per_sec must give a branching ratio < 1: {branching}")
        for k in range(terms.count, MAX_TERMS):
            self._excitation[k] = 0.0
        self._terms = terms

    def update(self, int64_t now_ns, float64_t mark=1.0):
        """Take in one event.

        Raises
        ------
        ValueError
            If `now_ns` is before the last event, or `mark` is negative or not finite.
        """
        if self.events > 0 and now_ns < self.last_ns:
            raise ValueError(f"now_ns must not be before the last event {self.last_ns}: {now_ns}")
        if not 0.0 <= mark < INFINITY:
            raise ValueError(f"mark must be >= 0 and finite: {mark}")
        self.add(now_ns, mark)

    def intensity_per_sec(self, int64_t now_ns):
        """Return the intensity right after `now_ns`.

        Raises
        ------
        ValueError
            If `now_ns` is before the last event.
        """
        if self.events > 0 and now_ns < self.last_ns:
            raise ValueError(f"now_ns must not be before the last event {self.last_ns}: {now_ns}")
        return self.intensity_at(now_ns)

    cdef float64_t intensity_at(self, int64_t now_ns) noexcept nogil:
        # A stamp before the last event reads as the last event's own.
        cdef float64_t secs = 1e-9 * <float64_t> max(now_ns - self.last_ns, 0)
        cdef float64_t value = self._terms.baseline
        cdef int k
        for k in range(self._terms.count):
            value += self._terms.jump[k] * self._excitation[k] * exp(-self._terms.decay[k] * secs)
        return value

    cdef void add(self, int64_t now_ns, float64_t mark) noexcept nogil:
        cdef float64_t secs = 0.0
        cdef int k
        if self.events > 0:
            secs = 1e-9 * <float64_t> max(now_ns - self.last_ns, 0)
            now_ns = max(now_ns, self.last_ns)
        for k in range(self._terms.count):
            self._excitation[k] *= exp(-self._terms.decay[k] * secs)
            self._excitation[k] += mark
        self.last_ns = now_ns
        self.events += 1


@cython.final
cdef class HawkesPairStream:
    """Live intensities of two kinds of events that excite themselves and each other.

    Parameters
    ----------
    baselines_per_sec : array of float64, shape (2,)
        mu_0, mu_1 in 1/s, > 0.
    jumps_per_sec, decays_per_sec : array of float64, shape (4,)
        alpha_mn >= 0 and beta_mn > 0 in 1/s, in the order 00, 01, 10, 11, spectral radius of
        alpha/beta < 1.

    Attributes
    ----------
    last_ns : int
        Stamp of the last event.
    events : int
        Events so far.

    Raises
    ------
    ValueError
        If a parameter is outside its domain, a length is wrong, or the spectral radius is not
        below 1.

    Examples
    --------
    >>> import numpy as np
    >>> stream = HawkesPairStream(baselines_per_sec=np.array([0.5, 0.4]),
    ...     jumps_per_sec=np.array([1.0, 0.2, 0.3, 0.8]), decays_per_sec=np.full(4, 2.0))
    >>> stream.update(0, 1_000_000_000)
    >>> stream.intensity_per_sec(0, 1_000_000_000), stream.intensity_per_sec(1, 1_000_000_000)
    (1.5, 0.7)
    """

    def __cinit__(
        self,
        *,
        const float64_t[::1] baselines_per_sec,
        const float64_t[::1] jumps_per_sec,
        const float64_t[::1] decays_per_sec,
    ):
        self.set_parameters(
            baselines_per_sec=baselines_per_sec,
            jumps_per_sec=jumps_per_sec,
            decays_per_sec=decays_per_sec,
        )

    def set_parameters(
        self,
        *,
        const float64_t[::1] baselines_per_sec,
        const float64_t[::1] jumps_per_sec,
        const float64_t[::1] decays_per_sec,
    ):
        """Go on with the parameters of a new fit; what has been gathered stays.

        Raises
        ------
        ValueError
            As the constructor.
        """
        cdef float64_t[4] n
        cdef float64_t radius
        cdef int k
        check_pair(baselines_per_sec, jumps_per_sec, decays_per_sec)
        for k in range(4):
            n[k] = jumps_per_sec[k] / decays_per_sec[k]
        radius = spectral_radius(n[0], n[1], n[2], n[3])
        if not radius < 1.0:
            raise ValueError(f"jumps_per_sec must give a spectral radius < 1: {radius}")
        for k in range(2):
            self._baseline[k] = baselines_per_sec[k]
        for k in range(4):
            self._jump[k] = jumps_per_sec[k]
            self._decay[k] = decays_per_sec[k]

    def update(self, int kind, int64_t now_ns, float64_t mark=1.0):
        """Take in one event of `kind` 0 or 1.

        Raises
        ------
        ValueError
            If the kind is another, `now_ns` is before the last event, or `mark` is negative or
            not finite.
        """
        self._check(kind, now_ns)
        if not 0.0 <= mark < INFINITY:
            raise ValueError(f"mark must be >= 0 and finite: {mark}")
        self.add(kind, now_ns, mark)

    def intensity_per_sec(self, int kind, int64_t now_ns):
        """Return the intensity of `kind` right after `now_ns`.

        Raises
        ------
        ValueError
            If the kind is not 0 or 1, or `now_ns` is before the last event.
        """
        self._check(kind, now_ns)
        return self.intensity_at(kind, now_ns)

    cdef int _check(self, int kind, int64_t now_ns) except -1:
        if not 0 <= kind <= 1:
            raise ValueError(f"kind must be 0 or 1: {kind}")
        if self.events > 0 and now_ns < self.last_ns:
            raise ValueError(f"now_ns must not be before the last event {self.last_ns}: {now_ns}")
        return 0

    cdef float64_t intensity_at(self, int kind, int64_t now_ns) noexcept nogil:
        # A stamp before the last event reads as the last event's own.
        cdef float64_t secs = 1e-9 * <float64_t> max(now_ns - self.last_ns, 0)
        cdef float64_t value = self._baseline[kind]
        cdef int k
        for k in range(2 * kind, 2 * kind + 2):
            value += self._jump[k] * self._excitation[k] * exp(-self._decay[k] * secs)
        return value

    cdef void add(self, int kind, int64_t now_ns, float64_t mark) noexcept nogil:
        cdef float64_t secs = 0.0
        cdef int k
        if self.events > 0:
            secs = 1e-9 * <float64_t> max(now_ns - self.last_ns, 0)
            now_ns = max(now_ns, self.last_ns)
        for k in range(4):
            self._excitation[k] *= exp(-self._decay[k] * secs)
        self._excitation[kind] += mark
        self._excitation[2 + kind] += mark
        self.last_ns = now_ns
        self.events += 1
