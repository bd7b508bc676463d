"""Optimal bid and ask distances some time before a horizon, for exponential fill intensities.

The exponential of the value function solves a linear system with one matrix for all times. Its
solution is a sum of positive terms, so that every component keeps its relative accuracy and quotes,
which are ratios of neighbours, keep theirs. Where that sum would be too long or leave the range of
doubles, the logarithm is integrated instead, by extrapolated implicit steps.

Units as in `glft`: distances in bps of the fair price, kappa and risk aversion in 1/bps, volatility
in bps/sqrt(s), intensities in 1/s, inventory in lots. Only construction allocates.

Sources: Gueant, Lehalle and Fernandez-Tapia (2013), theorem 1; Deuflhard (1985), "Recent progress
in extrapolation methods".
"""

cimport cython
from libc.math cimport (
    INFINITY, M_PI, NAN, ceil, exp, fabs, floor, isfinite, log, log1p, pow, sin, sqrt,
)

import numpy as np

from hypermm._core.glft cimport MAX_LOTS, check

cdef enum:
    COLUMNS = 11            # of the extrapolation table
    MAX_STEPS = 20_000
    MAX_TERMS = 100_000

cdef float64_t CHUNK = 256.0        # exponent of one series: e**256 is far from overflow
cdef float64_t MAX_SERIES = 3e4     # exponent beyond which implicit steps are faster
cdef float64_t MAX_RANGE = 600.0    # of logarithms that doubles take: e**-600 is 1e-261
cdef float64_t FORGOTTEN = 45.0     # decay after which nothing of the start is left: e**-45
cdef float64_t STEEP = 20.0         # log ratio above which the first moments need their own sum
cdef float64_t TOLERANCE = 5e-11    # of a log, a step


cdef void solve_implicit(
    int rows, float64_t h, const float64_t* up, const float64_t* down, const float64_t* rate,
    float64_t* share, float64_t* change,
) noexcept nogil:
    # change = (1 - h J)**-1 h rate, by elimination whose every term is positive: `share` is what
    # is left of a row's pivot, and 1 - up/pivot is formed without subtraction.
    cdef int i
    cdef float64_t pivot, rest = 1.0  # 1 - share of the row before
    for i in range(rows):
        pivot = 1.0 + h * down[i] * rest
        rest = pivot / (pivot + h * up[i])
        pivot += h * up[i]
        share[i] = h * up[i] / pivot
        change[i] = (h * rate[i] + (h * down[i] * change[i - 1] if i > 0 else 0.0)) / pivot
    for i in range(rows - 2, -1, -1):
        change[i] += share[i] * change[i + 1]


cdef float64_t extrapolate(
    Flow flow, const void* context, int rows, float64_t h, int columns, const float64_t* value,
    float64_t* work, float64_t tolerance, float64_t* errors,
) noexcept nogil:
    # One step by 1, 2, 3, ... implicit substeps, extrapolated to none. Increments go to the last
    # line of the table used; returns its number, or 0 if no column was good enough.
    cdef float64_t* table = work
    cdef float64_t* rate = work + COLUMNS * rows
    cdef float64_t* up = rate + rows
    cdef float64_t* down = up + rows
    cdef float64_t* share = down + rows
    cdef float64_t* change = share + rows
    cdef float64_t* point = change + rows
    cdef float64_t* at = point + rows
    cdef float64_t* spare = at + rows  # slopes at substeps are not needed
    cdef float64_t error, other, here, scale, common
    cdef int i, j, k, step
    flow(context, rows, value, rate, up, down)
    common = rate[rows // 2]  # what all rows share is left out: it would only cost digits
    for i in range(rows):
        rate[i] -= common
    for j in range(columns):
        # Line j of the table holds column 0 of order j and is overwritten towards the diagonal.
        for i in range(rows):
            point[i] = 0.0
            at[i] = rate[i]
        for step in range(j + 1):
            solve_implicit(rows, h / (j + 1), up, down, at, share, change)
            for i in range(rows):
                point[i] += change[i]
            if step < j:
                for i in range(rows):
                    change[i] = value[i] + point[i]
                flow(context, rows, change, at, share, spare)
                for i in range(rows):
                    at[i] -= common
        error = 0.0
        for i in range(rows):
            # Neville: entry k of line j from entries k-1 of lines j and j-1. Only the last line is
            # kept, entry k at table[k].
            other = table[i]
            table[i] = point[i]
            here = point[i]
            for k in range(1, j + 1):
                scale = (j + 1.0) / (j + 1.0 - k) - 1.0
                here = table[(k - 1) * rows + i] + (table[(k - 1) * rows + i] - other) / scale
                other, table[k * rows + i] = table[k * rows + i], here
            if j > 0:
                here = fabs(table[j * rows + i] - table[(j - 1) * rows + i])
                if not here <= error:  # NaN goes through
                    error = here
        errors[j] = error / tolerance if j > 0 else INFINITY
        if j > 1 and errors[j] <= 1.0:
            return j
        if not error < INFINITY:
            return 0
    return 0


cdef bint integrate(
    Flow flow, const void* context, int rows, float64_t secs, float64_t tolerance,
    float64_t* value, float64_t* work,
) noexcept nogil:
    # Values keep their differences; what all of them share is dropped.
    cdef float64_t[COLUMNS] errors
    cdef float64_t* rate = work + COLUMNS * rows
    cdef float64_t done = 0.0, h, cost, best, factor, wanted, norm = 0.0
    cdef int i, j, last, used
    flow(context, rows, value, rate, rate + rows, rate + 2 * rows)
    for i in range(rows):
        norm = max(norm, rate[rows + i] + rate[2 * rows + i], fabs(rate[i]))
    h = min(secs, 0.1 / norm) if norm > 0.0 else secs
    for _ in range(MAX_STEPS):
        if not done < secs:
            return True
        h = min(h, secs - done)
        for j in range(COLUMNS):
            errors[j] = INFINITY
        last = <int> extrapolate(
            flow, context, rows, h, COLUMNS, value, work, tolerance, errors
        )
        used = last if last > 0 else COLUMNS - 1
        # The next step is the one with the least work a second, over the orders that were tried.
        best = 0.0
        factor = 0.25
        for j in range(2, used + 1):
            if errors[j] < INFINITY:
                wanted = min(0.8 * pow(max(errors[j], 1e-8), -1.0 / (j + 1)), 8.0)
                cost = 0.5 * (j + 1) * (j + 2)
                if wanted / cost > best:
                    best = wanted / cost
                    factor = wanted
        if last == 0:
            h *= min(factor, 0.5)
            if not done + h > done:
                return False
            continue
        for i in range(rows):
            value[i] += work[last * rows + i]
        done = done + h
        h *= factor
    return False


cdef struct Exponential:
    float64_t eta
    const float64_t* diagonal


cdef void exponential_flow(
    const void* context, int rows, const float64_t* value,
    float64_t* rate, float64_t* up, float64_t* down,
) noexcept nogil:
    cdef const Exponential* law = <const Exponential*> context
    cdef int i
    down[0] = up[rows - 1] = 0.0
    for i in range(rows - 1):
        down[i + 1] = law.eta * exp(value[i] - value[i + 1])
        up[i] = law.eta * exp(value[i + 1] - value[i])
    for i in range(rows):
        rate[i] = up[i] + down[i] - law.diagonal[i]


cdef void add_scaled_terms(
    int rows, float64_t scale, const float64_t* middle, const float64_t* up, const float64_t* down,
    const float64_t* term, float64_t* following, float64_t* total,
) noexcept nogil:
    # As `add_terms` for numbers that are relative to another scale in every row.
    cdef int i
    cdef float64_t next_term
    for i in range(rows):
        next_term = scale * (middle[i] * term[i] + (up[i] * term[i + 1] + down[i] * term[i - 1]))
        following[i] = next_term
        total[i] += next_term


cdef void add_terms(
    int rows, float64_t side, float64_t scale, const float64_t* middle, const float64_t* term,
    float64_t* following, float64_t* total,
) noexcept nogil:
    # One term of the series from the last: term and following have a zero on either side.
    cdef int i
    cdef float64_t next_term
    side *= scale
    for i in range(rows):
        next_term = scale * middle[i] * term[i] + side * (term[i - 1] + term[i + 1])
        following[i] = next_term
        total[i] += next_term


@cython.final
cdef class FiniteHorizon:
    """The exact solution at one time before a horizon, walked backwards from it.

    Parameters
    ----------
    capacity : int
        Lots between the bounds that a solution may have, 1 to 10000.

    Raises
    ------
    ValueError
        If the capacity is outside its domain.

    Notes
    -----
    With v the exponential of kappa times the value function, v(tau) = exp(-M tau) v(0), M
    tridiagonal. `start` sets v(0), `advance` multiplies by the exponential, `pay` by that of a
    payment per lot such as funding. Relative accuracy of every component is about 1e-12; 1e-13 up
    to the decay that the series takes. Once the slowest decay has passed e**-45 the stationary
    solution is taken.

    Examples
    --------
    >>> walk = FiniteHorizon(60)
    >>> walk.start(volatility=0.3, kappa_per_bps=0.3, intensity_per_sec=0.9,
    ...            risk_aversion_per_bps=0.01, execution_risk_per_bps=0.01,
    ...            lots_long=30, lots_short=30)
    >>> walk.advance(600.0)
    >>> round(walk.bid_depth_bps(0), 6), round(walk.bid_depth_bps(20), 6)
    (3.313045, 4.665542)
    """

    def __init__(self, int capacity):
        if not 1 <= capacity <= MAX_LOTS:
            raise ValueError(f"capacity must be 1 to {MAX_LOTS} lots: {capacity}")
        self.capacity = capacity
        self._stationary = Solver(capacity)
        self._log = np.zeros(capacity + 1)
        self._work = np.zeros(ROWS_OF_WORK * (capacity + 3))
        self.is_started = False

    def start(
        self,
        *,
        float64_t volatility,
        float64_t kappa_per_bps,
        float64_t intensity_per_sec,
        float64_t risk_aversion_per_bps,
        int lots_long,
        int lots_short,
        float64_t cost_bps=0.0,
        float64_t drift_bps_per_sec=0.0,
        float64_t impact_bps=0.0,
        float64_t execution_risk_per_bps=0.0,
        ask_intensity_per_sec=None,
        ask_cost_bps=None,
        float64_t terminal_cost_bps=0.0,
        float64_t terminal_risk_bps=0.0,
        bint is_stationary=False,
    ):
        """Stand at the horizon: what is left there is valued at its terminal cost.

        Parameters
        ----------
        volatility, kappa_per_bps, intensity_per_sec, risk_aversion_per_bps : float
            The market, as for `Solver.solve`.
        lots_long, lots_short : int
            Bounds, as for `Solver.solve`.
        cost_bps, drift_bps_per_sec, impact_bps, execution_risk_per_bps : float
            As for `Solver.solve`.
        ask_intensity_per_sec, ask_cost_bps : float, optional
            Of an ask; as of a bid by default.
        terminal_cost_bps : float
            Cost of each lot left, in bps: half the spread and the taker fee, >= 0.
        terminal_risk_bps : float
            Further cost in bps of n**2 for n lots left, >= 0.
        is_stationary : bool
            Stand infinitely far from a horizon instead, as before a payment with nothing after it.

        Raises
        ------
        ValueError
            As `Solver.solve`; if a terminal cost is NaN or negative; if one is given where there
            is no horizon.
        """
        cdef float64_t x
        self.is_started = False
        for name, x in (
            ("terminal_cost_bps", terminal_cost_bps), ("terminal_risk_bps", terminal_risk_bps)
        ):
            if not 0.0 <= x < INFINITY:
                raise ValueError(f"{name} must be >= 0 and finite: {x}")
        if is_stationary and (terminal_cost_bps > 0.0 or terminal_risk_bps > 0.0):
            raise ValueError("a terminal cost needs a horizon: is_stationary must be False")
        self._market.volatility = volatility
        self._market.kappa = kappa_per_bps
        self._market.bid_intensity = self._market.ask_intensity = intensity_per_sec
        if ask_intensity_per_sec is not None:
            self._market.ask_intensity = ask_intensity_per_sec
        self._market.risk_aversion = risk_aversion_per_bps
        self._market.execution_risk = execution_risk_per_bps
        self._market.bid_cost = self._market.ask_cost = cost_bps
        if ask_cost_bps is not None:
            self._market.ask_cost = ask_cost_bps
        self._market.drift = drift_bps_per_sec
        self._market.impact = impact_bps
        check(&self._market)
        if not 0 <= <long long> lots_long + lots_short <= self.capacity:
            raise ValueError(
                f"lots_long + lots_short must be 0 to {self.capacity}: {lots_long} + {lots_short}"
            )
        self.lots_long = lots_long
        self.lots_short = lots_short
        with nogil:
            self._stationary.find(&self._market, lots_long, lots_short, NAN)
            if self._stationary.is_solved:
                self.begin(terminal_cost_bps, terminal_risk_bps, is_stationary)
        if not self.is_started:
            raise ValueError(
                f"risk {self._stationary.inventory_risk} in units of the fill intensity after "
                "costs is too large, or a terminal cost is not finite for all lots"
            )

    cdef void begin(
        self, float64_t linear, float64_t quadratic, bint is_stationary
    ) noexcept nogil:
        cdef float64_t kappa = self._market.kappa, n
        cdef int i
        self._rows = self.lots_long + self.lots_short + 1
        self._alpha = (0.5 * kappa * self._market.risk_aversion * self._market.volatility
                       * self._market.volatility)
        self._beta = kappa * self._market.drift
        self.horizon_secs = 0.0
        if is_stationary:
            self.set_stationary()
            self.is_started = True
            return
        for i in range(self._rows):
            n = i - self.lots_short
            self._log[i] = -n * self._stationary._log_r - kappa * (
                linear * fabs(n) + (quadratic + 0.5 * self._market.impact) * n * n
            )
            if not isfinite(self._log[i]):
                return
        self.is_started = True

    cdef void set_stationary(self) noexcept nogil:
        # From the centre outward, so that the largest components carry the least rounding.
        cdef int i, middle = self._stationary._centre + self.lots_short
        self._log[middle] = 0.0
        for i in range(middle, self._rows - 1):
            self._log[i + 1] = self._log[i] - self._stationary.log_ratio(
                i - self.lots_short) - self._stationary._log_r
        for i in range(middle - 1, -1, -1):
            self._log[i] = self._log[i + 1] + self._stationary.log_ratio(
                i - self.lots_short) + self._stationary._log_r

    cdef float64_t diagonal(self, int row) noexcept nogil:
        # Above its smallest value, without cancellation.
        cdef float64_t n = row - self.lots_short, m = self._stationary._centre
        return max((n - m) * (self._alpha * (n + m) - self._beta), 0.0)

    def advance(self, float64_t secs):
        """Go further away from the horizon.

        Parameters
        ----------
        secs : float
            How far, >= 0; inf for the stationary solution.

        Raises
        ------
        ValueError
            If it is NaN or negative, or nothing is started.
        """
        cdef bint is_good
        self.require()
        if not secs >= 0.0:
            raise ValueError(f"secs must be >= 0: {secs}")
        with nogil:
            is_good = self.step(secs)
        if not is_good:
            self.is_started = False
            raise ValueError(f"the value function changes too fast to be followed: {secs} s")

    cdef bint step(self, float64_t secs) noexcept nogil:
        cdef Exponential law
        cdef float64_t first, norm
        cdef float64_t* diagonal = &self._work[0]
        cdef int i
        cdef bint is_steep = False
        self.horizon_secs += secs
        if self._rows < 2 or secs == 0.0:
            return True
        if self.is_forgotten(secs):
            self.set_stationary()
            return True
        norm = 2.0 * self._stationary._eta + max(self.diagonal(0), self.diagonal(self._rows - 1))
        if norm * secs <= MAX_SERIES and self.sum_series(secs):
            return True
        for i in range(self._rows - 1):
            is_steep = is_steep or fabs(self._log[i] - self._log[i + 1]) > STEEP
        if is_steep:  # of a terminal cost: the first moments, before neighbours have mixed
            first = min(secs, 1.0 / norm)
            self.sum_logs(first)
            secs -= first
        # Rows are caught up by their neighbours one after the other, the last ones first; implicit
        # steps would be short until all are, at an exponent of rows**2 times a logarithm.
        first = min(secs, max(1e5, 10.0 * self._rows * self._rows) / norm)
        self.sum_scaled(first)
        secs -= first
        if not secs > 0.0:
            return True
        for i in range(self._rows):
            diagonal[i] = self.diagonal(i)
        law.eta = self._stationary._eta
        law.diagonal = diagonal
        return integrate(
            exponential_flow, &law, self._rows, secs, TOLERANCE, &self._log[0],
            diagonal + self._rows,
        )

    cdef bint is_forgotten(self, float64_t secs) noexcept nogil:
        # Whether what the start has besides the ground state is below rounding: its slowest decay
        # is at least 0.84 times that of the oscillator, of two equal lots or of the box.
        cdef float64_t eta = self._stationary._eta, angle = M_PI / (self._rows + 1)
        cdef float64_t decay = 0.84 * secs * max(
            min(2.0 * sqrt(self._alpha) * sqrt(eta), 2.0 * eta),
            4.0 * eta * sin(1.5 * angle) * sin(0.5 * angle),
        )
        cdef float64_t total = 0.0, product = 0.0, square = 0.0, ground = 0.0, top = -INFINITY, x, y
        cdef int i, middle
        if decay == INFINITY or secs == INFINITY:
            return True
        if decay <= FORGOTTEN:
            return False
        for i in range(self._rows):
            top = max(top, self._log[i])
        middle = self._stationary._centre + self.lots_short
        for i in range(middle, self._rows):
            if i > middle:
                ground -= self._stationary.log_ratio(i - 1 - self.lots_short)
                ground -= self._stationary._log_r
            x, y = exp(ground), exp(self._log[i] - top)
            total += x * x
            product += x * y
            square += y * y
        ground = 0.0
        for i in range(middle - 1, -1, -1):
            ground += self._stationary.log_ratio(i - self.lots_short) + self._stationary._log_r
            x, y = exp(ground), exp(self._log[i] - top)
            total += x * x
            product += x * y
            square += y * y
        return product > 0.0 and decay > FORGOTTEN + 0.5 * log(total * square) - log(product)

    cdef bint sum_series(self, float64_t secs) noexcept nogil:
        # v(h) = e**(-s h) sum of (B h)**j v / j!, B = s - M >= 0. False if doubles cannot hold it.
        cdef int rows = self._rows, i, j, chunks
        cdef int stride = <int> self.capacity + 3
        cdef float64_t* middle = &self._work[0]
        cdef float64_t* total = &self._work[stride]
        cdef float64_t* term = &self._work[2 * stride + 1]
        cdef float64_t* following = &self._work[3 * stride + 1]
        cdef float64_t most = max(self.diagonal(0), self.diagonal(rows - 1))
        cdef float64_t norm = most + 2.0 * self._stationary._eta, h, side, top = -INFINITY, low
        cdef bint is_done
        chunks = max(<int> ceil(norm * secs / CHUNK), 1)
        h = secs / chunks
        side = self._stationary._eta * h
        low = INFINITY
        for i in range(rows):
            top = max(top, self._log[i])
            low = min(low, self._log[i])
        if low < top - MAX_RANGE:
            return False
        for i in range(rows):
            middle[i] = (most - self.diagonal(i)) * h
            total[i] = exp(self._log[i] - top)
        self._work[2 * stride] = term[rows] = 0.0  # beyond the bounds there is nothing
        self._work[3 * stride] = following[rows] = 0.0
        for _ in range(chunks):
            for i in range(rows):
                term[i] = total[i]
            for j in range(1, MAX_TERMS):
                add_terms(rows, side, 1.0 / j, middle, term, following, total)
                term, following = following, term
                if j % 4 == 0 and j > norm * h:
                    is_done = True
                    for i in range(rows):
                        if term[i] > 1e-17 * total[i]:
                            is_done = False
                            break
                    if is_done:
                        break
            top = low = total[0]
            for i in range(1, rows):
                top = max(top, total[i])
                low = min(low, total[i])
            if not low > 1e-270 * top:
                return False
            for i in range(rows):
                total[i] /= top
        for i in range(rows):
            self._log[i] = log(total[i])
        return True

    cdef void sum_scaled(self, float64_t secs) noexcept nogil:
        # The series for numbers relative to what they are at the start of each chunk, so that none
        # leaves the range of doubles.
        cdef int rows = self._rows, i, j
        cdef int stride = <int> self.capacity + 3
        cdef float64_t* middle = &self._work[0]
        cdef float64_t* total = &self._work[stride]
        cdef float64_t* term = &self._work[2 * stride + 1]
        cdef float64_t* following = &self._work[3 * stride + 1]
        cdef float64_t* up = &self._work[4 * stride]
        cdef float64_t* down = &self._work[5 * stride]
        cdef float64_t most = max(self.diagonal(0), self.diagonal(rows - 1))
        cdef float64_t eta = self._stationary._eta, norm, h, common
        cdef bint is_done
        self._work[2 * stride] = term[rows] = 0.0
        self._work[3 * stride] = following[rows] = 0.0
        while secs > 0.0:
            down[0] = up[rows - 1] = 0.0
            for i in range(rows - 1):
                up[i] = eta * exp(self._log[i + 1] - self._log[i])
                down[i + 1] = eta * exp(self._log[i] - self._log[i + 1])
            norm = 0.0
            for i in range(rows):
                middle[i] = most - self.diagonal(i)
                norm = max(norm, middle[i] + up[i] + down[i])
                total[i] = term[i] = 1.0
            h = min(secs, 0.5 * CHUNK / norm)
            if not secs - h < secs:
                h = secs
            for j in range(1, MAX_TERMS):
                add_scaled_terms(rows, h / j, middle, up, down, term, following, total)
                term, following = following, term
                if j % 4 == 0:
                    is_done = True
                    for i in range(rows):
                        if term[i] > 1e-17 * total[i]:
                            is_done = False
                            break
                    if is_done:
                        break
            common = log(total[rows // 2])
            for i in range(rows):
                self._log[i] += log(total[i]) - common
            secs -= h

    cdef void sum_logs(self, float64_t secs) noexcept nogil:
        # The same series in logarithms, over a time in which it is short.
        cdef int rows = self._rows, i, j
        cdef float64_t* term = &self._work[0]
        cdef float64_t* following = term + rows
        cdef float64_t most = max(self.diagonal(0), self.diagonal(rows - 1)), top, x, y
        cdef float64_t side = log(self._stationary._eta * secs)
        cdef bint is_done
        for i in range(rows):
            term[i] = self._log[i]
        for j in range(1, rows + 40):
            is_done = j > 20
            for i in range(rows):
                x = term[i] + log((most - self.diagonal(i)) * secs)  # log(0) is -inf: no term
                y = max(term[i - 1] if i > 0 else -INFINITY,
                        term[i + 1] if i < rows - 1 else -INFINITY) + side
                top = max(x, y)
                x = exp(x - top)
                if i > 0:
                    x += exp(term[i - 1] + side - top)
                if i < rows - 1:
                    x += exp(term[i + 1] + side - top)
                following[i] = top + log(x) - log(j)
            for i in range(rows):
                x, y = max(self._log[i], following[i]), min(self._log[i], following[i])
                is_done = is_done and following[i] < self._log[i] - 40.0
                self._log[i] = x + log1p(exp(y - x))
                term[i] = following[i]
            if is_done:
                return

    def pay(self, float64_t bps_per_lot):
        """Let every lot held pay this much, in bps of the price; a short position receives it.

        Funding of an hourly rate f is 1e4 f. It is paid at one moment: a discrete payment moves
        quotes before it without any drift.

        Raises
        ------
        ValueError
            If it is not finite, or nothing is started.
        """
        self.require()
        if not isfinite(bps_per_lot * self._market.kappa * MAX_LOTS):
            raise ValueError(f"bps_per_lot must be finite: {bps_per_lot}")
        self.shift(bps_per_lot)

    cdef void shift(self, float64_t payment) noexcept nogil:
        cdef int i
        for i in range(self._rows):
            self._log[i] -= self._market.kappa * payment * (i - self.lots_short)

    cdef float64_t log_ratio(self, int row) noexcept nogil:
        return self._log[row] - self._log[row + 1] - self._stationary._log_r

    cdef float64_t log_ratio_at(self, float64_t inventory) noexcept nogil:
        # Linear between lots, and along the last line beyond the first and the last of them.
        cdef float64_t x = inventory + self.lots_short, left
        cdef int row
        if self._rows < 2:
            return NAN
        if self._rows == 2:
            return self.log_ratio(0)
        row = <int> floor(min(max(x, 0.0), self._rows - 3.0))
        left = self.log_ratio(row)
        if x == row:
            return left
        return left + (x - row) * (self.log_ratio(row + 1) - left)

    cdef float64_t bid_depth(self, float64_t inventory) noexcept nogil:
        if not inventory < self.lots_long:
            return NAN
        return self._stationary._bid_base + self.log_ratio_at(
            max(inventory, <float64_t> -self.lots_short)) / self._market.kappa

    cdef float64_t ask_depth(self, float64_t inventory) noexcept nogil:
        if not inventory > -self.lots_short:
            return NAN
        return self._stationary._ask_base - self.log_ratio_at(
            min(inventory, <float64_t> self.lots_long) - 1.0) / self._market.kappa

    cdef float64_t value(self, int inventory) noexcept nogil:
        cdef int flat = min(max(0, -self.lots_short), self.lots_long)
        cdef float64_t difference = inventory - flat
        return (
            self._log[inventory + self.lots_short] - self._log[flat + self.lots_short]
            + difference * self._stationary._log_r
        ) / self._market.kappa + 0.5 * self._market.impact * (
            <float64_t> inventory * inventory - <float64_t> flat * flat
        )

    def bid_depth_bps(self, float64_t inventory_lots):
        """Return the distance of the best bid below the fair price, in bps; nan at the bound.

        Raises
        ------
        ValueError
            If nothing is started, or the inventory is NaN.
        """
        self.require()
        if inventory_lots != inventory_lots:
            raise ValueError("inventory_lots must not be NaN")
        return self.bid_depth(inventory_lots)

    def ask_depth_bps(self, float64_t inventory_lots):
        """Return the distance of the best ask above the fair price, in bps; nan at the bound."""
        self.require()
        if inventory_lots != inventory_lots:
            raise ValueError("inventory_lots must not be NaN")
        return self.ask_depth(inventory_lots)

    def value_bps(self, int inventory_lots):
        """Return what holding these lots adds to the value of holding none, in bps times lots.

        It is negative where the position costs more than it earns. Where the bounds leave zero
        out, the lot nearest to it stands for it.

        Raises
        ------
        ValueError
            If nothing is started, or the inventory is outside the bounds.
        """
        self.require()
        if not -self.lots_short <= inventory_lots <= self.lots_long:
            raise ValueError(
                f"inventory_lots must be {-self.lots_short} to {self.lots_long}: {inventory_lots}"
            )
        return self.value(inventory_lots)

    def values(self, float64_t[::1] out):
        """Write `value_bps` of every lot from the lower bound to the upper, in bps times lots.

        Raises
        ------
        ValueError
            If nothing is started, or the length is not that of `depths`.
        """
        cdef int row, rows = self.lots_long + self.lots_short + 1
        self.require()
        if out.shape[0] != rows:
            raise ValueError(f"out must have length {rows}: {out.shape[0]}")
        with nogil:
            for row in range(rows):
                out[row] = self.value(row - self.lots_short)

    def depths(self, float64_t[::1] bid_out, float64_t[::1] ask_out):
        """Write the depths at every lot from the lower bound to the upper, in bps.

        Parameters
        ----------
        bid_out, ask_out : array of float64, shape (lots_long + lots_short + 1,)
            Receive the depths; nan where a bound forbids the side.

        Raises
        ------
        ValueError
            If nothing is started, or a length is another.
        """
        self.require()
        check_rows(bid_out.shape[0], ask_out.shape[0], self._rows)
        write(self, &bid_out[0], &ask_out[0])

    cdef int require(self) except -1:
        if not self.is_started:
            raise ValueError("nothing is started yet: call start() first")
        return 0


cdef void write(FiniteHorizon walk, float64_t* bid_out, float64_t* ask_out) noexcept nogil:
    cdef int i
    cdef float64_t per_kappa = 1.0 / walk._market.kappa, x
    ask_out[0] = bid_out[walk._rows - 1] = NAN
    for i in range(walk._rows - 1):
        x = walk.log_ratio(i) * per_kappa
        bid_out[i] = walk._stationary._bid_base + x
        ask_out[i + 1] = walk._stationary._ask_base - x


cdef int check_rows(Py_ssize_t bids, Py_ssize_t asks, int rows) except -1:
    if bids != rows or asks != rows:
        raise ValueError(f"bid_out and ask_out must have {rows} columns: {bids}, {asks}")
    return 0


def finite_horizon_depths(
    const float64_t[::1] horizon_secs,
    float64_t[:, ::1] bid_out,
    float64_t[:, ::1] ask_out,
    *,
    int lots_long,
    int lots_short,
    float64_t payment_bps=0.0,
    float64_t payment_secs=0.0,
    **market,
):
    """Write the exact depths of every lot at many times before one horizon.

    Parameters
    ----------
    horizon_secs : array of float64, shape (n,)
        Times to the horizon, >= 0, not decreasing.
    bid_out, ask_out : array of float64, shape (n, lots_long + lots_short + 1)
        Receive the depths in bps, a row for each time, a column for each lot from the lower
        bound; nan where a bound forbids the side.
    lots_long, lots_short : int
        Bounds, as for `Solver.solve`.
    payment_bps : float
        Paid once by every lot held, as funding is, in bps of the price.
    payment_secs : float
        How long before the horizon, >= 0; quotes at that time and earlier see the payment.
    **market : float
        The market's values and the terminal cost, as for `FiniteHorizon.start`.

    Raises
    ------
    ValueError
        If a value is NaN or outside its domain, times decrease, or shapes differ.

    Examples
    --------
    >>> bid, ask = np.empty((2, 3)), np.empty((2, 3))
    >>> finite_horizon_depths(np.array([0.0, 60.0]), bid, ask, lots_long=1, lots_short=1,
    ...                       volatility=1.5, kappa_per_bps=0.25, intensity_per_sec=0.5,
    ...                       risk_aversion_per_bps=0.075)
    >>> ask.round(4).tolist()
    [[nan, 4.0, 4.0], [nan, 5.5484, 2.4516]]
    """
    cdef Py_ssize_t i, n = horizon_secs.shape[0]
    cdef float64_t last = 0.0, secs
    cdef bint is_paid = payment_bps == 0.0, is_good = True
    cdef FiniteHorizon walk = FiniteHorizon(max(<long long> lots_long + lots_short, 1))
    for i in range(n):
        if not (last if i > 0 else 0.0) <= horizon_secs[i] < INFINITY:
            raise ValueError(
                f"horizon_secs[{i}] must be >= 0, finite and not decrease: {horizon_secs[i]}"
            )
        last = horizon_secs[i]
    if not 0.0 <= payment_secs < INFINITY:
        raise ValueError(f"payment_secs must be >= 0 and finite: {payment_secs}")
    if not isfinite(payment_bps * MAX_LOTS):
        raise ValueError(f"payment_bps must be finite: {payment_bps}")
    walk.start(lots_long=lots_long, lots_short=lots_short, **market)
    if bid_out.shape[0] != n or ask_out.shape[0] != n:
        raise ValueError(f"outputs must have {n} rows: {bid_out.shape[0]}, {ask_out.shape[0]}")
    check_rows(bid_out.shape[1], ask_out.shape[1], walk._rows)
    with nogil:
        for i in range(n):
            secs = horizon_secs[i]
            if not is_paid and payment_secs <= secs:
                is_good = is_good and walk.step(payment_secs - walk.horizon_secs)
                walk.shift(payment_bps)
                is_paid = True
            is_good = is_good and walk.step(max(secs - walk.horizon_secs, 0.0))
            write(walk, &bid_out[i, 0], &ask_out[i, 0])
    if not is_good:
        raise ValueError("the value function changes too fast to be followed")
