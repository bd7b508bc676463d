"""Optimal bid and ask distances for exponential fill intensities: the exact stationary solution.

Units everywhere: distances in bps of the fair price, kappa and risk aversion in 1/bps, volatility
in bps/sqrt(s), intensities in 1/s, inventory in lots of one order. Nothing here allocates except
the construction of a `Solver`.

Sources: Gueant, Lehalle and Fernandez-Tapia (2013), "Dealing with the inventory risk", and Gueant
(2017), "Optimal market making".
"""

cimport cython
from libc.math cimport (
    INFINITY,
    M_PI,
    NAN,
    ceil,
    exp,
    fabs,
    floor,
    hypot,
    isfinite,
    log,
    log1p,
    rint,
    sin,
    sqrt,
)
from libc.stdlib cimport free, malloc

cdef enum:
    MAX_SWEEPS = 200  # Newton takes 4 typically, 16 at the 99th percentile of drifted cases

cdef float64_t MAX_RATIO = 1e150  # of rho and |b|: beyond it intensities have vanished


cdef float64_t base_depth(float64_t execution_risk, float64_t kappa) noexcept nogil:
    # log1p(x) / x rather than the paper's log1p(x) / xi: as xi falls to 0 the ratio x underflows
    # first, and the literal formula then quotes a depth of 0 instead of 1 / kappa.
    cdef float64_t x = execution_risk / kappa
    return (log1p(x) / x if x > 1e-300 else 1.0) / kappa


cdef float64_t log_factor(float64_t x) noexcept nogil:
    # Below 1e-8 the series is exact to rounding; (1 + x)**(1 + 1/x) would keep no digit at 1e-16.
    if x < 1e-8:
        return -(1.0 + x) * (1.0 - x * (0.5 - x / 3.0))
    return -(1.0 + x) * log1p(x) / x


cdef inline bint sweep(
    float64_t* u, float64_t* du, int length, float64_t rho, float64_t tilt, float64_t level,
    int offset, Edge* edge,
) noexcept nogil:
    # Ratios of neighbours from the bound inward, the direction in which errors contract:
    # u[j] = f[j-1] / f[j] - 1 at j lots from the centre. Recursing on the excess over 1 keeps full
    # relative accuracy when the ratios approach 1. `du` receives the derivatives by the level,
    # `edge` u/(1+u) of the row beside the centre and its derivatives. `offset` is twice the
    # centre, seen outward. False if a ratio is not positive: level too large.
    cdef int j
    cdef float64_t value, slope, by_risk, square, inverse
    edge.ratio = 1.0  # f beyond the bound is 0
    edge.slope = edge.by_risk = 0.0
    if length == 0:
        return True
    value = length * (rho * length + tilt) + 1.0 - level
    slope = -1.0
    by_risk = <float64_t> length * (length + offset)
    u[length] = value
    du[length] = slope
    for j in range(length - 1, 0, -1):
        if not 1.0 + value > 0.0:
            return False
        inverse = 1.0 / (1.0 + value)
        square = inverse * inverse
        value = j * (rho * j + tilt) - level + value / (1.0 + value)
        slope = slope * square - 1.0
        by_risk = by_risk * square + <float64_t> j * (j + offset)
        u[j] = value
        du[j] = slope
    if not 1.0 + value > 0.0:
        return False
    inverse = 1.0 / (1.0 + value)
    edge.ratio = value / (1.0 + value)
    edge.slope = slope * inverse * inverse
    edge.by_risk = by_risk * inverse * inverse
    return True


@cython.final
cdef class Solver:
    """The exact stationary solution for one market, with its memory made once.

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
    The value function's exponential solves a linear system whose stationary state is the lowest
    eigenvector of a tridiagonal matrix (Theorem 2 of the 2013 paper). Quotes need only ratios of
    neighbours. They come from a continued fraction run inward from both bounds, matched at the
    centre by Newton steps on the eigenvalue: O(lots), no underflow, 2e-15 relative.

    Each solution starts from the previous eigenvalue. Depths for an inventory between two lots
    are interpolated linearly in the log ratio; in the last lot before a bound they continue the
    line. Outside the bounds the reducing side keeps the quote of the bound.

    Examples
    --------
    >>> solver = Solver(60)
    >>> solver.solve(volatility=0.3, kappa_per_bps=0.3, intensity_per_sec=0.9,
    ...              risk_aversion_per_bps=0.01, execution_risk_per_bps=0.01,
    ...              lots_long=30, lots_short=30)
    >>> round(solver.bid_depth_bps(0), 6), round(solver.ask_depth_bps(0), 6)
    (3.313045, 3.313045)
    >>> solver.bid_depth_bps(30)
    nan
    """

    def __init__(self, int capacity):
        if not 1 <= capacity <= MAX_LOTS:
            raise ValueError(f"capacity must be 1 to {MAX_LOTS} lots: {capacity}")
        if self._up != NULL:
            raise ValueError("a Solver is made once: construct another one")
        self._up = <float64_t*> malloc(4 * (capacity + 1) * sizeof(float64_t))
        if self._up == NULL:
            raise MemoryError(f"no memory for a capacity of {capacity} lots")
        self.capacity = capacity
        self._down = self._up + (capacity + 1)
        self._up_slope = self._down + (capacity + 1)
        self._down_slope = self._up_slope + (capacity + 1)
        self.is_solved = False

    def __dealloc__(self):
        free(self._up)

    def solve(
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
        near_lots=None,
    ):
        """Solve for one set of market values; the depths of every inventory can then be read.

        Parameters
        ----------
        volatility : float
            Of the fair price, in bps/sqrt(s), >= 0.
        kappa_per_bps : float
            Decay of fill intensity with distance, in 1/bps, > 0.
        intensity_per_sec : float
            Fills per second of a quote at distance 0, > 0; of a bid where the sides differ.
        risk_aversion_per_bps : float
            Gamma times the size of one lot, in 1/bps, >= 0.
        lots_long, lots_short : int
            Bounds: inventory stays in [-lots_short, lots_long]. A negative `lots_short` makes a
            lower bound above zero.
        cost_bps : float
            Fee plus adverse selection per fill, in bps; of a bid where the sides differ.
        drift_bps_per_sec : float
            Of the fair price, net of carry.
        impact_bps : float
            Jump of the mid against us caused by our own fill.
        execution_risk_per_bps : float
            Aversion to the randomness of execution: 0 for the running inventory penalty, equal
            to the risk aversion for exponential utility.
        ask_intensity_per_sec, ask_cost_bps : float, optional
            Of an ask; as of a bid by default.
        near_lots : float, optional
            Only depths near this inventory will be read: distant bounds are then left out, which
            changes the depths there by less than 2e-14.

        Raises
        ------
        ValueError
            If a value is NaN or outside its domain, the bounds exceed the capacity, or the
            intensity is so small against the risk that the ratio of both leaves 1e150.
        """
        self.enter(
            volatility, kappa_per_bps, intensity_per_sec, risk_aversion_per_bps, lots_long,
            lots_short, cost_bps, drift_bps_per_sec, impact_bps, execution_risk_per_bps,
            ask_intensity_per_sec, ask_cost_bps, near_lots,
        )

    cdef int enter(
        self, float64_t volatility, float64_t kappa_per_bps, float64_t intensity_per_sec,
        float64_t risk_aversion_per_bps, int lots_long, int lots_short, float64_t cost_bps,
        float64_t drift_bps_per_sec, float64_t impact_bps, float64_t execution_risk_per_bps,
        object ask_intensity_per_sec, object ask_cost_bps, object near_lots,
    ) except -1:
        cdef Market market
        cdef float64_t near = NAN if near_lots is None else near_lots
        market.volatility = volatility
        market.kappa = kappa_per_bps
        market.bid_intensity = intensity_per_sec
        market.ask_intensity = intensity_per_sec
        if ask_intensity_per_sec is not None:
            market.ask_intensity = ask_intensity_per_sec
        market.risk_aversion = risk_aversion_per_bps
        market.execution_risk = execution_risk_per_bps
        market.bid_cost = market.ask_cost = cost_bps
        if ask_cost_bps is not None:
            market.ask_cost = ask_cost_bps
        market.drift = drift_bps_per_sec
        market.impact = impact_bps
        check(&market)
        if not 0 <= <long long> lots_long + lots_short <= self.capacity:
            raise ValueError(
                f"lots_long + lots_short must be 0 to {self.capacity}: {lots_long} + {lots_short}"
            )
        if near_lots is not None and not isfinite(near):
            raise ValueError(f"near_lots must be finite: {near}")
        with nogil:
            self.find(&market, lots_long, lots_short, near)
        if not self.is_solved:
            raise ValueError(
                f"risk {self.inventory_risk} and drift {self._tilt}, in units of the fill "
                f"intensity after costs, must be within {MAX_RATIO}"
            )
        return 0

    cdef void find(
        self, const Market* market, int lots_long, int lots_short, float64_t near
    ) noexcept nogil:
        cdef float64_t kappa = market.kappa, rho, shift, lower, upper, level, value, step
        cdef float64_t log_c = log_factor(market.execution_risk / kappa)
        cdef Edge above, below
        cdef float64_t former_risk = self.inventory_risk, by_level, change, moved = NAN, exponent
        cdef int highest = lots_long, lowest = -lots_short, up, down, reach, i
        cdef int former_rows = self._last - self._first, former_centre = self._centre
        cdef bint was_solved = self.is_solved
        self.is_solved = False
        change = 0.0
        by_level = 1.0
        above.ratio = above.slope = above.by_risk = 0.0
        below = above
        self._market = market[0]
        self.lots_long = lots_long
        self.lots_short = lots_short
        self.iterations = 0
        # The sides are made equal: v = r**n w, so that their geometric mean is all that is left.
        self._eta = sqrt(market.bid_intensity) * sqrt(market.ask_intensity) * exp(
            log_c - 0.5 * kappa * (market.bid_cost + market.ask_cost + market.impact)
        )
        self._log_r = 0.5 * (
            log(market.ask_intensity / market.bid_intensity)
            - kappa * (market.ask_cost - market.bid_cost)
        )
        self._bid_base = base_depth(market.execution_risk, kappa) + 0.5 * market.impact
        self._ask_base = self._bid_base + market.ask_cost
        self._bid_base += market.bid_cost
        if self._eta > 0.0:
            rho = (0.5 * kappa * market.risk_aversion * market.volatility * market.volatility
                   / self._eta)
            self._tilt = kappa * market.drift / self._eta
        else:
            rho = self._tilt = INFINITY
        self.inventory_risk = rho
        if not (rho <= MAX_RATIO and fabs(self._tilt) <= MAX_RATIO):
            return
        self._centre = centre(rho, self._tilt, lowest, highest)
        if near == near and rho > 0.0:
            # A bound this far beyond a row does not change it.
            reach = <int> min(ceil(sqrt(148.0 / sqrt(rho))), 2.0 * MAX_LOTS) + 1
            near = min(max(near, <float64_t> lowest), <float64_t> highest)
            highest = min(highest, max(self._centre, <int> ceil(near)) + reach)
            lowest = max(lowest, min(self._centre, <int> floor(near)) - reach)
        self._first = lowest
        self._last = highest
        up = highest - self._centre
        down = self._centre - lowest
        self._is_symmetric = self._centre == 0 and self._tilt == 0.0 and up == down
        if up + down == 0:  # one state: nothing to quote
            self.level = 2.0
            self.is_solved = True
            return

        shift = 2.0 * rho * self._centre - self._tilt
        lower, upper = 0.0, 2.0
        if was_solved and 0.5 * former_risk < rho < 2.0 * former_risk:
            level = self.level
            if former_rows == up + down and former_centre == self._centre:
                # Follow the former solution along its power of the risk.
                moved = log1p((rho - former_risk) / former_risk)
                level *= exp(moved * (self._exponent + 0.5 * self._bend * moved))
        else:
            level = 2.0 * sin(M_PI / (2.0 * (up + down + 2)))  # of a box; harmonic sqrt(rho)
            level = min(1.999, hypot(sqrt(rho), level * level))
        if not lower < level < upper:
            level = 1.0
        for i in range(MAX_SWEEPS):
            self.iterations = i + 1
            if not sweep(self._up, self._up_slope, up, rho, shift, level,
                         2 * self._centre, &above):
                upper = level
                level = 0.5 * (lower + upper)
                continue
            if self._is_symmetric:
                below = above
            elif not sweep(self._down, self._down_slope, down, rho, -shift, level,
                           -2 * self._centre, &below):
                upper = level
                level = 0.5 * (lower + upper)
                continue
            value = level - above.ratio - below.ratio
            if value > 0.0:
                upper = level
            else:
                lower = level
            by_level = 1.0 - above.slope - below.slope
            step = level - value / by_level
            change = step - level
            if fabs(change) <= 1e-9 * level:
                break  # what the step would change is linear in it
            if not lower < step < upper:
                step = 0.5 * (lower + upper)
                if not lower < step < upper:
                    change = 0.0
                    break
            level = step
        exponent = rho * (above.by_risk + below.by_risk) / (by_level * level)
        if moved != moved:  # there was nothing to follow
            self._bend = 0.0
        elif fabs(moved) > 1e-6:  # below, the difference of exponents has no digits
            self._bend = (exponent - self._exponent) / moved
        self._exponent = exponent
        for i in range(1, up + 1):
            self._up[i] += self._up_slope[i] * change
        if not self._is_symmetric:
            for i in range(1, down + 1):
                self._down[i] += self._down_slope[i] * change
        level += change
        self.level = level
        self.is_solved = True

    cdef float64_t log_ratio(self, int n) noexcept nogil:
        # ln(v[n] / v[n+1]) for lots n and n+1 inside the rows solved for.
        cdef float64_t value
        if n >= self._centre:
            value = log1p(self._up[n + 1 - self._centre])
        elif self._is_symmetric:
            value = -log1p(self._up[self._centre - n])
        else:
            value = -log1p(self._down[self._centre - n])
        return value - self._log_r

    cdef float64_t log_ratio_at(self, float64_t x) noexcept nogil:
        # Linear between lots, and along the last line beyond the first and the last of them.
        cdef int n, last = self._last - 1
        cdef float64_t left
        if self._first >= self._last:
            return NAN
        if (x > last and self._last < self.lots_long) or (
            x < self._first and self._first > -self.lots_short
        ):
            return NAN  # beyond the rows that were asked for
        if self._first == last:
            return self.log_ratio(last)
        n = <int> floor(min(max(x, <float64_t> self._first), <float64_t> (last - 1)))
        left = self.log_ratio(n)
        if x == n:
            return left
        return left + (x - n) * (self.log_ratio(n + 1) - left)

    cdef float64_t bid_depth(self, float64_t inventory) noexcept nogil:
        if not inventory < self.lots_long:
            return NAN
        return self._bid_base + self.log_ratio_at(max(inventory, <float64_t> -self.lots_short)
                                                  ) / self._market.kappa

    cdef float64_t ask_depth(self, float64_t inventory) noexcept nogil:
        if not inventory > -self.lots_short:
            return NAN
        return self._ask_base - self.log_ratio_at(min(inventory, <float64_t> self.lots_long) - 1.0
                                                  ) / self._market.kappa

    cdef void all_depths(self, float64_t* bid, float64_t* ask) noexcept nogil:
        # One logarithm a pair of lots: it serves the bid of the lower and the ask of the upper.
        cdef int n, row, rows = self.lots_long + self.lots_short
        cdef float64_t ratio, per_kappa = 1.0 / self._market.kappa
        bid[rows] = ask[0] = NAN
        if self._is_symmetric:  # and mirrored at the flat inventory, so half of them will do
            for n in range(1, self.lots_long + 1):
                ratio = log1p(self._up[n])
                row = self.lots_short + n
                bid[row - 1] = self._bid_base + (ratio - self._log_r) * per_kappa
                ask[row] = self._ask_base - (ratio - self._log_r) * per_kappa
                row = self.lots_short - n
                bid[row] = self._bid_base + (-ratio - self._log_r) * per_kappa
                ask[row + 1] = self._ask_base - (-ratio - self._log_r) * per_kappa
            return
        for row in range(rows):
            ratio = self.log_ratio(row - self.lots_short) * per_kappa
            bid[row] = self._bid_base + ratio
            ask[row + 1] = self._ask_base - ratio

    cdef float64_t slope(self, float64_t inventory) noexcept nogil:
        cdef int n, last = self._last - 1
        if self._first >= last:  # no two rows to compare: the form without bounds
            return closed_slope(self._market.volatility, self._market.kappa, self._eta,
                                self._market.risk_aversion)
        n = <int> rint(min(max(inventory, self._first + 1.0), <float64_t> last))
        return max(self.log_ratio(n) - self.log_ratio(n - 1), 0.0) / self._market.kappa

    cdef float64_t marginal_cost(self, float64_t inventory) noexcept nogil:
        inventory = min(max(inventory, <float64_t> -self.lots_short), <float64_t> self.lots_long)
        return self.log_ratio_at(inventory - 0.5) / self._market.kappa

    def bid_depth_bps(self, float64_t inventory_lots):
        """Return the distance of the best bid below the fair price, in bps; nan at the bound.

        Raises
        ------
        ValueError
            If nothing is solved yet, or the inventory is NaN.
        """
        self.require(inventory_lots)
        return self.bid_depth(inventory_lots)

    def ask_depth_bps(self, float64_t inventory_lots):
        """Return the distance of the best ask above the fair price, in bps; nan at the bound."""
        self.require(inventory_lots)
        return self.ask_depth(inventory_lots)

    def depths(self, float64_t[::1] bid_out, float64_t[::1] ask_out):
        """Write the depths at every whole lot, from the lower bound to the upper one.

        Parameters
        ----------
        bid_out, ask_out : array of float64, shape (lots_long + lots_short + 1,)
            Receive the depths, in bps; nan where a bound forbids the side.

        Raises
        ------
        ValueError
            If nothing is solved yet, only some rows were (`near_lots`), or a length differs.
        """
        cdef Py_ssize_t rows = self.lots_long + self.lots_short + 1
        self.require(0.0)
        if self._first > -self.lots_short or self._last < self.lots_long:
            raise ValueError("depths needs every row: solve without near_lots")
        if bid_out.shape[0] != rows or ask_out.shape[0] != rows:
            raise ValueError(
                f"bid_out and ask_out must have length {rows}: "
                f"{bid_out.shape[0]}, {ask_out.shape[0]}"
            )
        self.all_depths(&bid_out[0], &ask_out[0])

    def depths_at(
        self, const float64_t[::1] inventory_lots, float64_t[::1] bid_out, float64_t[::1] ask_out
    ):
        """Write the depths at any inventories, in bps; nan where a bound forbids the side.

        Parameters
        ----------
        inventory_lots : array of float64, shape (n,)
            Inventories, in lots, finite.
        bid_out, ask_out : array of float64, shape (n,)
            Receive the depths.

        Raises
        ------
        ValueError
            If nothing is solved yet, an inventory is not finite, or a length differs.
        """
        cdef Py_ssize_t i
        self.require(0.0)
        check_arrays(inventory_lots, bid_out, ask_out)
        with nogil:
            for i in range(inventory_lots.shape[0]):
                bid_out[i] = self.bid_depth(inventory_lots[i])
                ask_out[i] = self.ask_depth(inventory_lots[i])

    def slope_bps(self, float64_t inventory_lots=0.0):
        """Return by how much one more lot lowers both quotes at this inventory, in bps per lot.

        It is the curvature of the value function, from whole lots around the nearest one.
        """
        self.require(inventory_lots)
        return self.slope(inventory_lots)

    def marginal_cost_bps(self, float64_t inventory_lots):
        """Return what a little more inventory costs at this one, in bps; < 0 when short."""
        self.require(inventory_lots)
        return self.marginal_cost(inventory_lots)

    @property
    def eigenvalue_per_sec(self):
        """Lowest eigenvalue of the generator, in 1/s; -1/kappa times it is the gain, in bps/s."""
        self.require(0.0)
        # By the row of the centre: the level is close to 2 where risk is large, and -2 + level
        # would keep no digit.
        cdef float64_t m = self._centre, hops = 0.0
        if self._last > self._centre:
            hops += 1.0 / (1.0 + self._up[1])
        if self._first < self._centre:
            hops += 1.0 / (1.0 + (self._up[1] if self._is_symmetric else self._down[1]))
        return self._eta * (m * (self.inventory_risk * m - self._tilt) - hops)

    cdef int require(self, float64_t inventory_lots) except -1:
        if not self.is_solved:
            raise ValueError("nothing is solved yet: call solve() first")
        if inventory_lots != inventory_lots:
            raise ValueError("inventory_lots must not be NaN")
        return 0


cdef int centre(float64_t rho, float64_t tilt, int lowest, int highest) noexcept nogil:
    # The lot with the smallest diagonal rho n**2 - tilt n.
    cdef float64_t best
    if rho > 0.0:
        best = rint(tilt / (2.0 * rho))
    else:
        best = 0.0 if tilt == 0.0 else (INFINITY if tilt > 0.0 else -INFINITY)
    return <int> min(max(best, <float64_t> lowest), <float64_t> highest)


cdef float64_t closed_slope(
    float64_t volatility, float64_t kappa, float64_t eta, float64_t risk_aversion
) noexcept nogil:
    # Slope of the quotes per lot, far from any bound.
    return volatility * sqrt(risk_aversion / (2.0 * kappa * eta))


cdef int check(const Market* market) except -1:
    cdef float64_t x
    if (
        0.0 <= market.volatility < INFINITY
        and 0.0 <= market.risk_aversion < INFINITY
        and 0.0 <= market.execution_risk < INFINITY
        and 0.0 < market.kappa < INFINITY
        and 0.0 < market.bid_intensity < INFINITY
        and 0.0 < market.ask_intensity < INFINITY
        and isfinite(market.bid_cost) and isfinite(market.ask_cost)
        and isfinite(market.drift) and isfinite(market.impact)
    ):
        return 0
    for name, x in (
        ("volatility", market.volatility),
        ("risk_aversion_per_bps", market.risk_aversion),
        ("execution_risk_per_bps", market.execution_risk),
    ):
        if not 0.0 <= x < INFINITY:
            raise ValueError(f"{name} must be >= 0 and finite: {x}")
    for name, x in (
        ("kappa_per_bps", market.kappa),
        ("intensity_per_sec", market.bid_intensity),
        ("ask_intensity_per_sec", market.ask_intensity),
    ):
        if not 0.0 < x < INFINITY:
            raise ValueError(f"{name} must be > 0 and finite: {x}")
    for name, x in (
        ("cost_bps", market.bid_cost),
        ("ask_cost_bps", market.ask_cost),
        ("drift_bps_per_sec", market.drift),
        ("impact_bps", market.impact),
    ):
        if not isfinite(x):
            raise ValueError(f"{name} must be finite: {x}")
    return 0


def base_depth_bps(*, float64_t kappa_per_bps, float64_t execution_risk_per_bps=0.0):
    """Return the depth of a quote whose fill changes nothing but cash: 1/kappa at no aversion.

    Parameters
    ----------
    kappa_per_bps : float
        Decay of fill intensity with distance, in 1/bps, > 0.
    execution_risk_per_bps : float
        Xi times the size of one order, in 1/bps, >= 0.

    Returns
    -------
    float
        ln(1 + xi/kappa) / xi, in bps.

    Raises
    ------
    ValueError
        If a value is NaN or outside its domain.

    Examples
    --------
    >>> base_depth_bps(kappa_per_bps=0.25)
    4.0
    """
    check_decay(kappa_per_bps, execution_risk_per_bps)
    return base_depth(execution_risk_per_bps, kappa_per_bps)


def log_intensity_factor(*, float64_t kappa_per_bps, float64_t execution_risk_per_bps=0.0):
    """Return ln C: the log of the share of fills that the best depth leaves of those at depth 0.

    C = (1 + x)**-(1 + 1/x) with x = xi/kappa, and 1/e at x = 0. Domains and errors are those of
    `base_depth_bps`.
    """
    check_decay(kappa_per_bps, execution_risk_per_bps)
    return log_factor(execution_risk_per_bps / kappa_per_bps)


def stationary_depths(
    const float64_t[::1] inventory_lots,
    float64_t[::1] bid_out,
    float64_t[::1] ask_out,
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
):
    """Write the exact stationary depths of many inventories; nan where a bound forbids the side.

    Parameters
    ----------
    inventory_lots : array of float64, shape (n,)
        Inventories, in lots.
    bid_out, ask_out : array of float64, shape (n,)
        Receive the depths, in bps.
    volatility, ..., ask_cost_bps
        Bounds and the market's values, as for `Solver.solve`.

    Raises
    ------
    ValueError
        If a value is NaN or outside its domain, or the lengths differ.

    Examples
    --------
    >>> import numpy as np
    >>> bid, ask = np.empty(3), np.empty(3)
    >>> stationary_depths(np.array([-1.0, 0.0, 1.0]), bid, ask, lots_long=1, lots_short=1,
    ...                   volatility=1.5, kappa_per_bps=0.25, intensity_per_sec=0.5,
    ...                   risk_aversion_per_bps=0.075)
    >>> ask.round(4).tolist()
    [nan, 5.5484, 2.4516]
    """
    cdef Py_ssize_t i, n = inventory_lots.shape[0]
    cdef Solver solver
    cdef bint is_whole = n == <long long> lots_long + lots_short + 1
    check_arrays(inventory_lots, bid_out, ask_out)
    solver = Solver(max(<long long> lots_long + lots_short, 1))
    solver.enter(
        volatility, kappa_per_bps, intensity_per_sec, risk_aversion_per_bps, lots_long,
        lots_short, cost_bps, drift_bps_per_sec, impact_bps, execution_risk_per_bps,
        ask_intensity_per_sec, ask_cost_bps, None,
    )
    with nogil:
        for i in range(n):
            is_whole = is_whole and inventory_lots[i] == i - lots_short
        if is_whole and n > 0:  # every lot from bound to bound: one logarithm each
            solver.all_depths(&bid_out[0], &ask_out[0])
            n = 0
        for i in range(n):
            bid_out[i] = solver.bid_depth(inventory_lots[i])
            ask_out[i] = solver.ask_depth(inventory_lots[i])


cdef int check_decay(float64_t kappa, float64_t execution_risk) except -1:
    if not 0.0 < kappa < INFINITY:
        raise ValueError(f"kappa_per_bps must be > 0 and finite: {kappa}")
    if not 0.0 <= execution_risk < INFINITY:
        raise ValueError(f"execution_risk_per_bps must be >= 0 and finite: {execution_risk}")
    return 0


cdef int check_arrays(
    const float64_t[::1] inventory, float64_t[::1] bid_out, float64_t[::1] ask_out
) except -1:
    cdef Py_ssize_t i, n = inventory.shape[0]
    if bid_out.shape[0] != n or ask_out.shape[0] != n:
        raise ValueError(f"outputs must have length {n}: {bid_out.shape[0]}, {ask_out.shape[0]}")
    for i in range(n):
        if not isfinite(inventory[i]):
            raise ValueError(f"inventory_lots[{i}] must be finite: {inventory[i]}")
    return 0
