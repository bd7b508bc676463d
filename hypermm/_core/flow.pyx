"""Arrivals of aggressive orders: how excited each side is, how rare that is, where it pushes.

A side's arrivals are a self-exciting process. Its refits run inside the walk over the rows, a fit
of at most 1,024 arrivals or one table at a time, each about a millisecond, at arrivals that depend
on the rows alone: no thread, and the same rows give the same estimates.
"""

cimport cython
from libc.math cimport NAN, exp, fmax, fmin, log10
from libc.string cimport memset

from cpython.array cimport array, clone

from hypermm._core.cascade cimport calibrated, directed, severity_of
from hypermm._core.hawkes_fit import fit

FLOW_SECS = 10.0
cdef float64_t _FLOW_SECS = FLOW_SECS
cdef int64_t LEAST_ARRIVALS = 20          # before the first table
cdef int64_t LEAST_FITTED = 100           # before a fit is believed
cdef float64_t HIGHEST_BRANCHING = 0.95
cdef float64_t HIGHEST_DECAY_ERROR = 0.5  # relative to the decay
cdef int64_t GRID_POINTS = 100_000        # of the stationary law: half a millisecond
cdef int64_t REFIT_NS = 300_000_000_000
cdef int64_t MOST_WAIT = 256              # arrivals between two fits, once there are many
# Until a fit is believed: on liquid perpetuals a branching ratio is 0.4 to 0.7 and a half-life
# 2 to 10 s. The level is the side's own.
cdef float64_t PRIOR_BRANCHING = 0.5
cdef float64_t PRIOR_DECAY_PER_SEC = 0.2
cdef float64_t PRIOR_SECS = 10.0          # in which one arrival is presumed
# The model's tail is not the world's: the level that was reached in twenty seconds of the last
# day is believed to be that rare. What happens now must not make itself usual, so that peaks
# count when they are one to two blocks old.
cdef float64_t BLOCK_SECS = 600.0
cdef float64_t HALF_DAY_SECS = 43_200.0
cdef float64_t LEAST_SEEN_SECS = 1_800.0
cdef float64_t UNSEEN_RARITY = 3.9        # until then, unless forced: below the band that pulls
cdef float64_t FORCED_SHARE = 0.2         # of the flow: it is forced
cdef float64_t CLOSED_SHARE = 0.3         # fall of open interest over the flow


cdef void _keep(Peaks* peaks, float64_t value) noexcept nogil:
    # Among the highest, rising.
    cdef Py_ssize_t i
    if peaks.count < PEAKS:
        i = peaks.count
        peaks.count += 1
        while i > 0 and peaks.value[i - 1] > value:
            peaks.value[i] = peaks.value[i - 1]
            i -= 1
        peaks.value[i] = value
        return
    if value <= peaks.value[0]:
        return
    i = 0
    while i + 1 < PEAKS and peaks.value[i + 1] < value:
        peaks.value[i] = peaks.value[i + 1]
        i += 1
    peaks.value[i] = value


cdef void _merge(Peaks* into, const Peaks* other) noexcept nogil:
    cdef Py_ssize_t i
    for i in range(other.count):
        _keep(into, other.value[i])
    into.secs += other.secs


@cython.final
cdef class Arrivals:
    """One side's arrivals, their intensity and how rare it is.

    Attributes
    ----------
    stream, table : HawkesStream, CascadeTable
        The live intensity and its stationary law; None before 20 arrivals.
    events, fits, refusals : int
        Arrivals; fits that were believed, and that were not.
    branching, branching_se, decay_se_per_sec : float
        Branching ratio of the last fit that was believed, with its standard error and the decay's;
        NaN before.
    correction : float
        Powers of ten by which high intensities were seen more often than the model says.
    is_calibrated : bool
        Whether enough was seen to know that.
    watched_ns : int
        Time that was watched: the clock of arrivals.

    Notes
    -----
    A fit is believed from 100 arrivals on, if it converged, its branching ratio is below 0.95 and
    the decay's standard error at most half of it; otherwise the parameters of before stay.

    Examples
    --------
    >>> arrivals = Arrivals()
    >>> for _ in range(22):
    ...     arrivals.advance(2.0)
    ...     arrivals.update()
    >>> arrivals.fits, round(arrivals.stream.jump_per_sec, 2)
    (0, 0.1)
    """

    def __cinit__(self):
        self._due_events = LEAST_ARRIVALS
        self._second = -1
        self.branching = self.branching_se = self.decay_se_per_sec = NAN

    def update(self):
        """Take in one arrival, now."""
        self.add_room()

    def advance(self, float64_t secs):
        """Let `secs` watched seconds pass.

        Raises
        ------
        ValueError
            If `secs` is negative, NaN or above 1e6.
        """
        if not 0.0 <= secs <= 1e6:
            raise ValueError(f"secs must lie in 0 to 1e6: {secs}")
        self.advance_room(secs)

    @property
    def intensity_per_sec(self):
        """Arrivals per second that are to be expected now; NaN before 20 arrivals."""
        return self.intensity()

    cdef void advance_room(self, float64_t secs) noexcept nogil:
        self.watched_ns += <int64_t> (1e9 * secs + 0.5)
        self._fresh.secs += secs
        if self._fresh.secs < BLOCK_SECS:
            return
        self._note_peak()
        _merge(&self._young, &self._waiting)
        self._waiting = self._fresh
        memset(&self._fresh, 0, sizeof(Peaks))
        if self._young.secs >= HALF_DAY_SECS:
            self._old = self._young
            memset(&self._young, 0, sizeof(Peaks))
        self._calibrate()

    cdef float64_t intensity(self) noexcept nogil:
        return self.stream.intensity_at(self.watched_ns) if self.stream is not None else NAN

    cdef float64_t rarity(self) noexcept nogil:
        if self.table is None:
            return 0.0
        return calibrated(self.table.rarity_at(self.intensity()), self.correction)

    cdef void add_room(self) noexcept nogil:
        cdef float64_t secs = 1e-9 * <float64_t> self.watched_ns
        if self.events > 0 and self._secs[(self.events - 1) % KEPT] == secs:
            return  # simultaneous orders are one arrival
        self._secs[self.events % KEPT] = secs
        self.events += 1
        if self.stream is not None:
            self.stream.add(self.watched_ns, 1.0)
            if self.watched_ns // 1_000_000_000 != self._second:
                self._note_peak()
                self._second = self.watched_ns // 1_000_000_000
            self._peak = fmax(self._peak, self.intensity())
        if self._is_table_due:
            self._tabulate()
        elif self.events >= self._due_events and self.watched_ns >= self._due_ns:
            self._fit()

    cdef void _note_peak(self) noexcept nogil:
        if self._peak > 0.0:
            _keep(&self._fresh, self._peak)
        self._peak = 0.0

    cdef void _fit(self) noexcept with gil:
        cdef Py_ssize_t n = min(self.events, KEPT)
        cdef Py_ssize_t first = self.events % KEPT if self.events > KEPT else 0
        cdef float64_t start = self._secs[first], rate, span
        cdef Py_ssize_t i
        cdef dict found = None
        self._due_events = self.events + max(LEAST_ARRIVALS, min(self.events, MOST_WAIT))
        self._due_ns = self.watched_ns + REFIT_NS
        span = 1e-9 * <float64_t> self.watched_ns - start
        if n >= LEAST_FITTED:
            times = clone(array("d"), n, zero=False)
            for i in range(n):
                times[i] = self._secs[(first + i) % KEPT] - start
            try:
                found = fit(times, horizon_secs=span)
            except ValueError:  # all at one instant
                found = None
            if (
                found is not None
                and found["is_converged"]
                and found["branching"] <= HIGHEST_BRANCHING
                and found["beta_se"] <= HIGHEST_DECAY_ERROR * found["beta"]
            ):
                self.fits += 1
                self.branching, self.branching_se = found["branching"], found["branching_se"]
                self.decay_se_per_sec = found["beta_se"]
                self._set(found["mu"], found["alpha"], found["beta"])
                return
            self.refusals += 1
        if self.fits == 0:
            rate = (1.0 + n) / (PRIOR_SECS + span)
            self._set(
                (1.0 - PRIOR_BRANCHING) * rate,
                PRIOR_BRANCHING * PRIOR_DECAY_PER_SEC,
                PRIOR_DECAY_PER_SEC,
            )

    cdef void _set(self, float64_t baseline, float64_t jump, float64_t decay) except *:
        # The stream starts anew from the arrivals that are remembered: excitation is in the new
        # decay's units.
        cdef Py_ssize_t n = min(self.events, KEPT)
        cdef Py_ssize_t first = self.events % KEPT if self.events > KEPT else 0
        cdef Py_ssize_t i
        self.stream = HawkesStream(
            baseline_per_sec=baseline, jump_per_sec=jump, decay_per_sec=decay
        )
        for i in range(n):
            self.stream.add(<int64_t> (1e9 * self._secs[(first + i) % KEPT] + 0.5), 1.0)
        self._is_table_due = True

    cdef void _tabulate(self) noexcept with gil:
        self._is_table_due = False
        try:
            self.table = CascadeTable(
                baseline_per_sec=self.stream.baseline_per_sec,
                jump_per_sec=self.stream.jump_per_sec,
                decay_per_sec=self.stream.decay_per_sec,
                grid_points=GRID_POINTS,
            )
        except ValueError:  # a law too wide to tabulate: the one of before stays
            return
        self._calibrate()

    cdef void _calibrate(self) noexcept nogil:
        cdef Peaks day = self._old
        cdef float64_t seen
        self.correction = 0.0
        _merge(&day, &self._young)
        self.is_calibrated = day.count == PEAKS and day.secs >= LEAST_SEEN_SECS
        if self.table is None or not self.is_calibrated:
            return
        seen = log10(PEAKS / day.secs)
        self.correction = fmax(seen + self.table.rarity_at(day.value[0]), 0.0)


@cython.final
cdef class Flow:
    """Aggressive orders of both sides.

    Attributes
    ----------
    buys, sells : Arrivals
        The sides.
    volume, forced : FlowImbalance
        Decayed lots of aggressors, and of those whose trades are forced.
    closed_lots : float
        Fall of the open interest with the same decay of ten seconds.

    Examples
    --------
    >>> flow = Flow()
    >>> flow.trade(1, 3.0)
    >>> flow.trade(-1, 1.0, is_forced=True)
    >>> flow.volume.value, flow.forced.value, flow.severity
    (0.5, -1.0, (0.0, 0))
    """

    def __cinit__(self):
        self.buys, self.sells = Arrivals(), Arrivals()
        self.volume = FlowImbalance(decay_secs=_FLOW_SECS)
        self.forced = FlowImbalance(decay_secs=_FLOW_SECS)

    def trade(self, int side, float64_t lots, *, bint is_forced=False):
        """Take in a trade: side of the aggressor (1 buys, -1 sells) and size.

        Raises
        ------
        ValueError
            If the side is neither, or the size negative or above 2**53.
        """
        _check_side(side)
        if not 0.0 <= lots <= 9007199254740992.0:
            raise ValueError(f"lots must lie in 0 to 2**53: {lots}")
        self.trade_room(<int8_t> side, lots, is_forced)

    def arrive(self, int side):
        """Take in an aggressive order of `side`, now.

        Raises
        ------
        ValueError
            If the side is neither 1 nor -1.
        """
        _check_side(side)
        self.arrival_room(<int8_t> side)

    def advance(self, float64_t secs):
        """Let `secs` watched seconds pass.

        Raises
        ------
        ValueError
            If `secs` is negative, NaN or above 1e6.
        """
        if not 0.0 <= secs <= 1e6:
            raise ValueError(f"secs must lie in 0 to 1e6: {secs}")
        self.advance_room(secs)

    def set_open_interest(self, int64_t lots):
        """Take in the open interest.

        Raises
        ------
        ValueError
            If it is negative.
        """
        if lots < 0:
            raise ValueError(f"lots must be >= 0: {lots}")
        self.open_interest_room(lots)

    @property
    def severity(self):
        """Severity in [0, 1] of the more excited side, and the side; 0 without a direction."""
        cdef int8_t side = 0
        cdef float64_t severity = self.severity_room(&side)
        return severity, side

    cdef void advance_room(self, float64_t secs) noexcept nogil:
        cdef float64_t weight = exp(-secs / _FLOW_SECS)
        self.volume.buys *= weight
        self.volume.sells *= weight
        self.forced.buys *= weight
        self.forced.sells *= weight
        self.closed_lots *= weight
        self.buys.advance_room(secs)
        self.sells.advance_room(secs)

    cdef void trade_room(self, int8_t side, float64_t lots, bint is_forced) noexcept nogil:
        self.volume.add(side * lots)
        if is_forced:
            self.forced.add(side * lots)

    cdef void arrival_room(self, int8_t side) noexcept nogil:
        if side > 0:
            self.buys.add_room()
        else:
            self.sells.add_room()

    cdef void open_interest_room(self, int64_t lots) noexcept nogil:
        if self._open_interest > lots > 0:
            self.closed_lots += <float64_t> (self._open_interest - lots)
        self._open_interest = lots

    cdef float64_t severity_room(self, int8_t* side) noexcept nogil:
        cdef float64_t buys = self.buys.rarity(), sells = self.sells.rarity()
        cdef float64_t flow = self.volume.buys + self.volume.sells
        cdef int8_t excited = 1 if buys >= sells else -1
        cdef float64_t along = self.volume.buys if excited > 0 else self.volume.sells
        cdef float64_t forced = self.forced.buys + self.forced.sells
        cdef bint is_forced = flow > 0.0 and (
            forced >= FORCED_SHARE * flow or self.closed_lots >= CLOSED_SHARE * flow
        )
        cdef float64_t signed_flow = fmax(2.0 * along - flow, 0.0)
        cdef float64_t rarity = fmax(buys, sells)
        cdef bint is_calibrated = self.sells.is_calibrated
        if excited > 0:
            is_calibrated = self.buys.is_calibrated
        if not (is_forced or is_calibrated):
            rarity = fmin(rarity, UNSEEN_RARITY)
        side[0] = 0
        if rarity > 0.0 and (is_forced or (flow > 0.0 and signed_flow >= 0.6 * flow)):
            side[0] = excited
        return directed(severity_of(rarity), signed_flow, flow, is_forced)


cdef int _check_side(int side) except -1:
    if side != 1 and side != -1:
        raise ValueError(f"side must be 1 (aggressive buys) or -1 (sells): {side}")
    return 0
