"""Best quotes for fill intensities other than one exponential, by policy iteration.

Four families of intensity, each with a cost per fill and adverse selection that may depend on the
depth. One quote solves the first-order condition; the stationary value function is found by Newton
steps whose linear systems are tridiagonal and solved from both bounds inward, all terms positive.

Units: distances in bps of the fair price, volatility in bps/sqrt(s), intensities in 1/s, risk
aversion in 1/bps, inventory in lots of one order. Only construction allocates.

Source: Gueant (2017), "Optimal market making", section 2.
"""

cimport cython
from libc.math cimport INFINITY, NAN, exp, expm1, fabs, floor, isfinite, log, log1p, pow

import numpy as np

from hypermm._core.glft_finite cimport ROWS_OF_WORK, integrate

cdef enum:
    MAX_LOTS = 10_000
    MAX_NEWTON = 100
    MAX_SWEEPS = 500

cdef float64_t UNIQUE = 5.828427124746190  # 3 + sqrt(8): decays further apart give two maxima
cdef float64_t REACH = 4.0                # decays that one step of the iteration may go
cdef float64_t TOLERANCE = 1e-10           # of a step through time, in units of the depth scale


cdef float64_t intensity_at(const Law* law, float64_t depth) noexcept nogil:
    if law.family == EXPONENTIAL:
        return law.level * exp(-law.decay * depth)
    if law.family == POWER:
        return law.level * pow(1.0 + depth / law.offset, -law.decay)
    if law.family == LOGISTIC:
        return law.level / (1.0 + exp(law.offset + law.decay * depth))
    return law.level * exp(-law.decay * depth) + law.offset * exp(-law.second_decay * depth)


cdef float64_t inverse_decay(const Law* law, float64_t depth) noexcept nogil:
    cdef float64_t slope
    return inverse_and_slope(law, depth, &slope)


cdef float64_t inverse_and_slope(
    const Law* law, float64_t depth, float64_t* slope
) noexcept nogil:
    # -L/L' and its derivative by depth.
    cdef float64_t share, mean, gap
    if law.family == EXPONENTIAL:
        slope[0] = 0.0
        return 1.0 / law.decay
    if law.family == POWER:
        slope[0] = 1.0 / law.decay
        return (law.offset + depth) / law.decay
    if law.family == LOGISTIC:
        share = exp(-(law.offset + law.decay * depth))
        slope[0] = -share
        return (1.0 + share) / law.decay
    # The share of the first in the sum, of whichever exponents.
    share = 1.0 / (1.0 + law.offset / law.level * exp((law.decay - law.second_decay) * depth))
    gap = law.decay - law.second_decay
    mean = law.second_decay + gap * share
    slope[0] = share * (1.0 - share) * (gap / mean) * (gap / mean)
    return 1.0 / mean


cdef float64_t surplus(float64_t risk, float64_t ratio) noexcept nogil:
    # log1p(xi R)/xi: what a fill must leave above its reservation.
    cdef float64_t x = risk * ratio
    return ratio * (log1p(x) / x) if x > 1e-300 else ratio


cdef float64_t residual(
    const Law* law, float64_t reservation, float64_t depth, float64_t* slope
) noexcept nogil:
    # Of the first-order condition; it rises with depth where there is one maximum.
    cdef float64_t ratio_slope, ratio = inverse_and_slope(law, depth, &ratio_slope), loss = 0.0
    cdef float64_t keep = 1.0, curve = 0.0
    if law.adverse > 0.0:
        loss = law.adverse * exp(-depth / law.adverse_decay)
        keep += loss / law.adverse_decay
        curve = loss / (law.adverse_decay * law.adverse_decay)
    ratio_slope = keep * ratio_slope - curve * ratio
    ratio *= keep
    slope[0] = keep - ratio_slope / (1.0 + law.execution_risk * ratio)
    return depth - loss - law.cost - reservation - surplus(law.execution_risk, ratio)


cdef float64_t start_of(const Law* law, float64_t reservation) noexcept nogil:
    # A depth below or near the answer: exact where there is neither risk nor adverse selection
    # (a logistic law leads to Lambert's function, here by its asymptotics).
    cdef float64_t p = reservation + law.cost, x, w
    if law.family == EXPONENTIAL:
        return p + surplus(law.execution_risk, 1.0 / law.decay)
    if law.family == POWER:
        return (law.decay * p + law.offset) / (law.decay - 1.0)
    if law.family == LOGISTIC:
        x = -(1.0 + law.offset + law.decay * p)  # of exp(x), the argument of Lambert's function
        if x > 2.0:
            w = x - log(x) * (1.0 - 1.0 / x)
        else:
            w = log1p(exp(x))
            w = w * (1.0 - log1p(w) / (2.0 + w))
        return p + (1.0 + w) / law.decay
    return p + surplus(law.execution_risk, 1.0 / law.decay)


cdef float64_t solve_from(
    const Law* law, float64_t reservation, float64_t depth, float64_t low, float64_t high
) noexcept nogil:
    # Newton inside a bracket: the residual is < 0 at `low` and > 0 at `high`.
    cdef float64_t value, slope, following, last = INFINITY, width = INFINITY
    if not low < depth < high:
        depth = (0.5 * (low + high) if high < INFINITY
                 else low + surplus(law.execution_risk, inverse_decay(law, low)))
        if not low < depth < INFINITY:
            depth = low + 1.0 / law.decay
    for _ in range(MAX_NEWTON):
        value = residual(law, reservation, depth, &slope)
        if value == 0.0:
            return depth
        if value < 0.0:
            low = depth
        else:
            high = depth
        following = depth - value / slope if slope > 0.0 else INFINITY
        width = fabs(following - depth)
        if not low < following < high or not width < 0.9 * last:
            # Newton left the bracket or goes astray: halve, or go further out.
            if high == INFINITY:
                following = depth + max(2.0 * fabs(value), 1e-3 * fabs(depth))
            elif low == -INFINITY:
                following = depth - max(2.0 * fabs(value), 1e-3 * fabs(depth))
            elif width <= 4e-16 * fabs(depth):
                return depth
            else:
                following = 0.5 * (low + high)
                if not low < following < high:
                    return depth
            last = INFINITY
        else:
            if width <= 1e-14 * (fabs(following) + fabs(reservation)):
                return following
            last = width
        depth = following
    return depth


cdef void fill_in(
    const Law* law, float64_t reservation, float64_t depth, Best* best
) noexcept nogil:
    cdef float64_t kept, x, intensity = intensity_at(law, depth)
    kept = depth - law.cost - reservation
    if law.adverse > 0.0:
        kept -= law.adverse * exp(-depth / law.adverse_decay)
    x = law.execution_risk * kept
    best.depth = depth
    best.gain = intensity * (kept * (-expm1(-x) / x) if fabs(x) > 1e-300 else kept)
    best.rate = intensity * exp(-x)


cdef void maximise(
    const Law* law, float64_t reservation, float64_t guess, Best* best
) noexcept nogil:
    cdef float64_t depth, low = -INFINITY
    if law.family == POWER:
        low = -law.offset
        if law.adverse == 0.0 and not law.cost + reservation > low:
            # A quote at the pole of the intensity would earn without end.
            best.depth = NAN
            best.gain = best.rate = INFINITY
            return
    if law.adverse == 0.0 and (
        law.family == EXPONENTIAL or (law.family == POWER and law.execution_risk == 0.0)
    ):
        fill_in(law, reservation, start_of(law, reservation), best)
        return
    if law.adverse == 0.0:
        low = max(low, law.cost + reservation)  # no surplus is left there
    if law.family == TWO_EXPONENTIALS and law.decay >= UNIQUE * law.second_decay:
        # Two maxima may exist. Each lies between the answers for either exponential alone.
        maximise_two(law, reservation, best)
        return
    depth = solve_from(
        law, reservation, guess if guess == guess else start_of(law, reservation), low, INFINITY
    )
    fill_in(law, reservation, depth, best)


cdef void maximise_two(const Law* law, float64_t reservation, Best* best) noexcept nogil:
    # Walk up from below all maxima and down from above them; each walk stops at its first.
    cdef Best other
    cdef float64_t slope, depth, value, top
    cdef int side
    depth = law.cost + reservation + surplus(law.execution_risk, 1.0 / law.decay)
    top = law.cost + reservation + law.adverse * exp(-depth / law.adverse_decay) + surplus(
        law.execution_risk,
        (1.0 + law.adverse / law.adverse_decay * exp(-depth / law.adverse_decay))
        / law.second_decay,
    )
    best.gain = -INFINITY
    for side in range(2):
        depth = depth if side == 0 else top
        for _ in range(MAX_SWEEPS):
            value = residual(law, reservation, depth, &slope)
            # depth - value is the iteration of the condition itself: monotone, never past a
            # root. Close to one Newton ends it.
            if fabs(value) <= 1e-6 / law.decay and slope > 0.0:
                break
            depth -= value
        for _ in range(8):
            value = residual(law, reservation, depth, &slope)
            if not slope > 0.0 or fabs(value) <= 1e-16 * fabs(depth):
                break
            depth -= value / slope
        fill_in(law, reservation, depth, &other)
        if other.gain > best.gain:
            best[0] = other


@cython.final
cdef class Intensity:
    """How often a quote is filled, by its depth, and what a fill costs.

    Made by `exponential`, `power`, `logistic` or `two_exponentials`.

    Notes
    -----
    A single best depth exists where L' < 0 and L L'' < 2 L'**2; the constructors refuse the
    parameters for which it fails, but for two exponentials, whose two maxima are compared.
    """

    def __init__(self):
        raise TypeError("use exponential(), power(), logistic() or two_exponentials()")

    @staticmethod
    def exponential(float64_t intensity_per_sec, float64_t kappa_per_bps, **costs):
        """Return A exp(-kappa d).

        Parameters
        ----------
        intensity_per_sec, kappa_per_bps : float
            A in 1/s and kappa in 1/bps, > 0.
        **costs : float
            `cost_bps` of a fill, any sign; `adverse_bps`, >= 0, at depth 0, falling by e over
            `adverse_decay_bps`, > 0; `execution_risk_per_bps`, xi times the size of one order in
            1/bps, >= 0. All are 0 by default.

        Raises
        ------
        ValueError
            If a value is NaN or outside its domain.

        Examples
        --------
        >>> Intensity.exponential(0.5, 0.25).at(4.0).__round__(6)
        0.18394
        """
        return make(EXPONENTIAL, intensity_per_sec, kappa_per_bps, 0.0, 0.0, costs)

    @staticmethod
    def power(
        float64_t intensity_per_sec, float64_t scale_bps, float64_t exponent, **costs
    ):
        """Return A (1 + d/scale)**-exponent: scale > 0 in bps, exponent > 1."""
        return make(POWER, intensity_per_sec, exponent, scale_bps, 0.0, costs)

    @staticmethod
    def logistic(
        float64_t intensity_per_sec, float64_t offset, float64_t decay_per_bps, **costs
    ):
        """Return A / (1 + exp(offset + decay d)): decay > 0 in 1/bps."""
        return make(LOGISTIC, intensity_per_sec, decay_per_bps, offset, 0.0, costs)

    @staticmethod
    def two_exponentials(
        float64_t first_per_sec, float64_t first_kappa_per_bps,
        float64_t second_per_sec, float64_t second_kappa_per_bps, **costs
    ):
        """Return A1 exp(-k1 d) + A2 exp(-k2 d): all > 0, in any order."""
        if second_kappa_per_bps > first_kappa_per_bps:
            first_per_sec, second_per_sec = second_per_sec, first_per_sec
            first_kappa_per_bps, second_kappa_per_bps = second_kappa_per_bps, first_kappa_per_bps
        return make(TWO_EXPONENTIALS, first_per_sec, first_kappa_per_bps, second_per_sec,
                    second_kappa_per_bps, costs)

    def at(self, float64_t depth_bps):
        """Return the fills per second of a quote at this depth.

        Raises
        ------
        ValueError
            If the depth is not finite, or at or beyond the pole of a power law.
        """
        if not isfinite(depth_bps) or (
            self.law.family == POWER and not depth_bps > -self.law.offset
        ):
            raise ValueError(f"depth_bps must be finite and above any pole: {depth_bps}")
        return intensity_at(&self.law, depth_bps)

    @property
    def has_one_maximum(self):
        """Whether L L'' < 2 L'**2 at every depth, so that one best quote exists."""
        return self.law.family != TWO_EXPONENTIALS or (
            self.law.decay < UNIQUE * self.law.second_decay
        )


cdef Intensity make(
    Family family, float64_t level, float64_t decay, float64_t offset, float64_t second, dict costs
):
    cdef Intensity made = Intensity.__new__(Intensity)
    cdef float64_t least = 1.0 if family == POWER else 0.0
    if not 0.0 < level < INFINITY:
        raise ValueError(f"an intensity must be > 0 and finite: {level}")
    if not least < decay < INFINITY:
        raise ValueError(f"a decay must be > {least:g} and finite: {decay}")
    if not isfinite(offset) or (family != LOGISTIC and family != EXPONENTIAL and not offset > 0.0):
        raise ValueError(f"offset, scale or second intensity must be > 0 and finite: {offset}")
    if family == TWO_EXPONENTIALS and not 0.0 < second < INFINITY:
        raise ValueError(f"a decay must be > 0 and finite: {second}")
    made.law.family = family
    made.law.level = level
    made.law.decay = decay
    made.law.offset = offset
    made.law.second_decay = second
    rest = dict(costs)
    made.law.cost = rest.pop("cost_bps", 0.0)
    made.law.adverse = rest.pop("adverse_bps", 0.0)
    made.law.adverse_decay = rest.pop("adverse_decay_bps", 1.0)
    made.law.execution_risk = rest.pop("execution_risk_per_bps", 0.0)
    if rest:
        raise TypeError(f"unknown argument {next(iter(rest))!r}")
    if not isfinite(made.law.cost):
        raise ValueError(f"cost_bps must be finite: {made.law.cost}")
    if not 0.0 <= made.law.adverse < INFINITY:
        raise ValueError(f"adverse_bps must be >= 0 and finite: {made.law.adverse}")
    if not 0.0 < made.law.adverse_decay < INFINITY:
        raise ValueError(f"adverse_decay_bps must be > 0 and finite: {made.law.adverse_decay}")
    if not 0.0 <= made.law.execution_risk < INFINITY:
        raise ValueError(
            f"execution_risk_per_bps must be >= 0 and finite: {made.law.execution_risk}"
        )
    return made


def best_depths(
    const float64_t[::1] reservation_bps,
    float64_t[::1] depth_out,
    float64_t[::1] gain_out,
    float64_t[::1] rate_out,
    *,
    Intensity intensity not None,
):
    """Write the best quote for each reservation: how deep, what it earns, how it is filled.

    Parameters
    ----------
    reservation_bps : array of float64, shape (n,)
        What the value function loses by a fill, in bps per lot.
    depth_out, gain_out, rate_out : array of float64, shape (n,)
        Receive the depth in bps, the Hamiltonian in bps times lots per second, and minus its
        derivative in 1/s.
    intensity : Intensity
        Fills and costs.

    Raises
    ------
    ValueError
        If a value is not finite, lengths differ, or a power law earns without end (its pole is
        not below the reservation plus cost).

    Notes
    -----
    H(p) = sup_d L(d) (1 - exp(-xi y))/xi with y = d - AS(d) - c - p, and L(d) y at xi = 0.
    """
    cdef Py_ssize_t i, n = reservation_bps.shape[0]
    cdef Best best
    cdef Py_ssize_t bad = -1
    if not depth_out.shape[0] == gain_out.shape[0] == rate_out.shape[0] == n:
        raise ValueError(
            f"outputs must have length {n}: "
            f"{depth_out.shape[0]}, {gain_out.shape[0]}, {rate_out.shape[0]}"
        )
    for i in range(n):
        if not isfinite(reservation_bps[i]):
            raise ValueError(f"reservation_bps[{i}] must be finite: {reservation_bps[i]}")
    with nogil:
        for i in range(n):
            maximise(&intensity.law, reservation_bps[i], NAN, &best)
            depth_out[i] = best.depth
            gain_out[i] = best.gain
            rate_out[i] = best.rate
            if bad < 0 and not isfinite(best.depth):
                bad = i
    if bad >= 0:
        raise ValueError(
            f"reservation_bps[{bad}] must be above the pole of the intensity less the cost: "
            f"{reservation_bps[bad]}"
        )


cdef void flow(
    const void* context, int rows, const float64_t* value,
    float64_t* rate, float64_t* up, float64_t* down,
) noexcept nogil:
    # Of the value function away from the horizon.
    cdef const Problem* problem = <const Problem*> context
    cdef Best best
    cdef float64_t n
    cdef int i
    for i in range(rows):
        n = i - problem.lots_short
        rate[i] = n * (problem.drift - problem.penalty * n)
        up[i] = down[i] = 0.0
        if i < rows - 1:
            maximise(problem.bid, value[i] - value[i + 1], problem.bid_depth[i], &best)
            problem.bid_depth[i] = best.depth
            rate[i] += best.gain
            up[i] = best.rate
        if i > 0:
            maximise(problem.ask, value[i] - value[i - 1], problem.ask_depth[i], &best)
            problem.ask_depth[i] = best.depth
            rate[i] += best.gain
            down[i] = best.rate


cdef struct Problem:
    const Law* bid
    const Law* ask
    int lots_short
    float64_t penalty
    float64_t drift
    float64_t* bid_depth
    float64_t* ask_depth


@cython.final
cdef class PolicySolver:
    """Stationary and finite-horizon quotes for general fill intensities.

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
    Unknown are the gain g and the steps D of the value function between lots. In every row
    g + gamma sigma**2 n**2 / 2 - mu n = H_b(D[n]) + H_a(-D[n-1]). Newton's step is Howard's policy
    iteration: values of the present quotes, then the best quotes for those values.

    Examples
    --------
    >>> solver = PolicySolver(10)
    >>> solver.solve(bid=Intensity.logistic(1.5, -1.0, 0.8), volatility=0.5,
    ...              risk_aversion_per_bps=0.1, lots_long=5, lots_short=5)
    >>> round(solver.bid_depth_bps(0), 4), round(solver.ask_depth_bps(1), 4)
    (2.0533, 1.867)
    """

    def __init__(self, int capacity):
        if not 1 <= capacity <= MAX_LOTS:
            raise ValueError(f"capacity must be 1 to {MAX_LOTS} lots: {capacity}")
        self.capacity = capacity
        self._value = np.zeros(capacity + 1)
        self._work = np.zeros((ROWS_OF_WORK + 3) * (capacity + 1))
        self.is_solved = False
        self._rows = 0

    cdef int take(
        self, Intensity bid, Intensity ask, float64_t volatility, float64_t risk_aversion,
        float64_t drift, int lots_long, int lots_short
    ) except -1:
        cdef float64_t x
        cdef int i
        if not 0.0 <= volatility < INFINITY:
            raise ValueError(f"volatility must be >= 0 and finite: {volatility}")
        if not 0.0 <= risk_aversion < INFINITY:
            raise ValueError(f"risk_aversion_per_bps must be >= 0 and finite: {risk_aversion}")
        if not isfinite(drift):
            raise ValueError(f"drift_bps_per_sec must be finite: {drift}")
        if not 0 <= <long long> lots_long + lots_short <= self.capacity:
            raise ValueError(
                f"lots_long + lots_short must be 0 to {self.capacity}: {lots_long} + {lots_short}"
            )
        x = 0.5 * risk_aversion * volatility * volatility * MAX_LOTS * MAX_LOTS
        if not (x < 1e200 and fabs(drift) < 1e200):
            raise ValueError(f"the penalty must be within 1e200: {x}")
        if lots_long != self.lots_long or lots_short != self.lots_short:
            self.is_solved = False  # nothing to start from
        self.lots_long = lots_long
        self.lots_short = lots_short
        self._rows = lots_long + lots_short + 1
        self._bid = bid.law
        self._ask = (bid if ask is None else ask).law
        self._penalty = 0.5 * risk_aversion * volatility * volatility
        self._drift = drift
        if not self.is_solved:
            for i in range(self._rows):
                self._value[i] = 0.0
        return 0

    def solve(
        self,
        *,
        Intensity bid not None,
        Intensity ask=None,
        float64_t volatility,
        float64_t risk_aversion_per_bps,
        int lots_long,
        int lots_short,
        float64_t drift_bps_per_sec=0.0,
    ):
        """Find the stationary solution; it starts from the last one if the bounds are the same.

        Parameters
        ----------
        bid : Intensity
            Fills and costs of bids.
        ask : Intensity, optional
            Of asks; as of bids by default.
        volatility : float
            Of the fair price, in bps/sqrt(s), >= 0.
        risk_aversion_per_bps : float
            Gamma times the size of one lot, in 1/bps, >= 0.
        lots_long, lots_short : int
            Bounds: inventory stays in [-lots_short, lots_long].
        drift_bps_per_sec : float
            Of the fair price, net of carry.

        Raises
        ------
        ValueError
            If a value is NaN or outside its domain, the bounds exceed the capacity, or the
            iteration does not settle (a power law may earn without end).
        """
        cdef bint is_good
        cdef bint was_solved = self.is_solved
        self.take(bid, ask, volatility, risk_aversion_per_bps, drift_bps_per_sec, lots_long,
                  lots_short)
        self.horizon_secs = INFINITY
        with nogil:
            is_good = self.find()
        if not is_good and was_solved:  # once more without the former solution
            self._value[:] = 0.0
            with nogil:
                is_good = self.find()
        self.is_solved = is_good
        if not is_good:
            raise ValueError(
                f"policy iteration did not settle in {self.iterations} steps: the intensity does "
                "not bound what a quote can earn, or risk is too large against it"
            )

    cdef void evaluate(self, const float64_t* step, bint is_first) noexcept nogil:
        # Best quotes of all rows for the steps D of the value function, into the work arrays:
        # depths, gains and rates of bids, then of asks.
        cdef int rows = self._rows, i
        cdef float64_t* bid_depth = &self._work[0]
        cdef float64_t* ask_depth = bid_depth + rows
        cdef float64_t* gain = ask_depth + rows
        cdef float64_t* bid_rate = gain + rows
        cdef float64_t* ask_rate = bid_rate + rows
        cdef Best best
        cdef float64_t n
        for i in range(rows):
            n = i - self.lots_short
            gain[i] = n * (self._drift - self._penalty * n)
        bid_rate[rows - 1] = ask_rate[0] = 0.0
        bid_depth[rows - 1] = ask_depth[0] = NAN
        for i in range(rows - 1):
            maximise(&self._bid, step[i], NAN if is_first else bid_depth[i], &best)
            bid_depth[i] = best.depth
            bid_rate[i] = best.rate
            gain[i] += best.gain
            maximise(&self._ask, -step[i], NAN if is_first else ask_depth[i + 1], &best)
            ask_depth[i + 1] = best.depth
            ask_rate[i + 1] = best.rate
            gain[i + 1] += best.gain

    cdef bint improve(self, float64_t* change) noexcept nogil:
        # Newton's change of all steps and of the gain. Row n: dg + bid_rate dD[n] - ask_rate
        # dD[n-1] = residual. Steps below the middle come from the lower bound as x - y dg, those
        # above from the upper one; rates are positive, so that nothing cancels in y. False if one
        # has underflowed.
        cdef int rows = self._rows, i, middle
        cdef float64_t* gain = &self._work[2 * rows]
        cdef float64_t* bid_rate = gain + rows
        cdef float64_t* ask_rate = bid_rate + rows
        cdef float64_t* weight = ask_rate + rows
        cdef float64_t x = 0.0, y = 0.0, below_x, below_y, dg
        middle = min(max(0, -self.lots_short), self.lots_long) + self.lots_short
        for i in range(middle):
            if not bid_rate[i] > 0.0:
                return False
            x = (gain[i] - self.gain_bps_per_sec + ask_rate[i] * x) / bid_rate[i]
            y = (1.0 + ask_rate[i] * y) / bid_rate[i]
            change[i] = x
            weight[i] = y
        below_x, below_y = x, y
        x = y = 0.0
        for i in range(rows - 1, middle, -1):
            if not ask_rate[i] > 0.0:
                return False
            x = (gain[i] - self.gain_bps_per_sec + bid_rate[i] * x) / ask_rate[i]
            y = (1.0 + bid_rate[i] * y) / ask_rate[i]
            change[i - 1] = x
            weight[i - 1] = y
        dg = (
            gain[middle] - self.gain_bps_per_sec + bid_rate[middle] * x + ask_rate[middle] * below_x
        ) / (1.0 + bid_rate[middle] * y + ask_rate[middle] * below_y)
        for i in range(middle):
            change[i] -= weight[i] * dg
        for i in range(middle, rows - 1):
            change[i] = weight[i] * dg - change[i]
        self._residual = dg
        return True

    cdef bint find(self) noexcept nogil:
        cdef int rows = self._rows, i, sweep, middle
        cdef float64_t* step = &self._work[6 * rows]
        cdef float64_t* change = step + rows
        cdef float64_t scale, size, last = INFINITY, damping, room, wanted, depth
        cdef const Law* law
        cdef bint is_settled = False
        self.iterations = 0
        if rows < 2:
            self.gain_bps_per_sec = -self._penalty * self.lots_short * self.lots_short - (
                self._drift * self.lots_short)
            return True
        for i in range(rows - 1):
            step[i] = self._value[i] - self._value[i + 1]
        self.evaluate(step, True)
        self.gain_bps_per_sec = self._work[2 * rows + rows // 2]
        for sweep in range(MAX_SWEEPS):
            self.iterations = sweep + 1
            if not self.improve(change):
                return False
            # A full step is Howard's. Where it asks for intensities out of all proportion it is cut
            # to a few decays, and so that a power law's pole stays away: each step then brings the
            # next one nearer, while a full one would have to be undone decay by decay.
            damping = 1.0
            size = 0.0
            for i in range(rows - 1):
                wanted = fabs(change[i])
                if not wanted < INFINITY:
                    return False
                size = max(size, wanted)
                law = &self._bid if change[i] < 0.0 else &self._ask
                depth = self._work[i] if change[i] < 0.0 else self._work[rows + i + 1]
                damping = min(damping, REACH * inverse_decay(law, depth) / wanted
                              if wanted > 0.0 else 1.0)
                if law.family == POWER:
                    room = law.cost + law.offset + (step[i] if change[i] < 0.0 else -step[i])
                    damping = min(damping, 0.9 * room / wanted if wanted > 0.0 else 1.0)
            for i in range(rows - 1):
                step[i] += damping * change[i]
            self.gain_bps_per_sec += damping * self._residual
            scale = 0.0
            for i in range(rows - 1):
                scale = max(scale, fabs(self._work[i]))
            is_settled = damping == 1.0 and (
                size <= 1e-9 * scale or (size <= 1e-7 * scale and size >= 0.5 * last)
            )
            last = size
            self.evaluate(step, False)
            if is_settled:
                break
        middle = min(max(0, -self.lots_short), self.lots_long) + self.lots_short
        self._value[middle] = 0.0
        for i in range(middle, rows - 1):
            self._value[i + 1] = self._value[i] - step[i]
        for i in range(middle - 1, -1, -1):
            self._value[i] = self._value[i + 1] + step[i]
        return is_settled

    def start(
        self,
        *,
        Intensity bid not None,
        Intensity ask=None,
        float64_t volatility,
        float64_t risk_aversion_per_bps,
        int lots_long,
        int lots_short,
        float64_t drift_bps_per_sec=0.0,
        float64_t terminal_cost_bps=0.0,
        float64_t terminal_risk_bps=0.0,
    ):
        """Stand at a horizon, where n lots left cost terminal_cost |n| + terminal_risk n**2.

        Parameters
        ----------
        bid, ask, volatility, risk_aversion_per_bps, lots_long, lots_short, drift_bps_per_sec
            As for `solve`.
        terminal_cost_bps, terminal_risk_bps : float
            In bps per lot and bps per lot squared, >= 0.

        Raises
        ------
        ValueError
            If a value is NaN or outside its domain, or the bounds exceed the capacity.
        """
        cdef float64_t x, n
        cdef int i
        for name, x in (
            ("terminal_cost_bps", terminal_cost_bps), ("terminal_risk_bps", terminal_risk_bps)
        ):
            if not 0.0 <= x < 1e200:
                raise ValueError(f"{name} must be >= 0 and finite: {x}")
        self.take(bid, ask, volatility, risk_aversion_per_bps, drift_bps_per_sec, lots_long,
                  lots_short)
        for i in range(self._rows):
            n = i - lots_short
            self._value[i] = -terminal_cost_bps * fabs(n) - terminal_risk_bps * n * n
        self.horizon_secs = 0.0
        self.gain_bps_per_sec = NAN
        self.is_solved = True
        self.restate()

    def advance(self, float64_t secs):
        """Go further away from the horizon, by extrapolated implicit Euler steps.

        Parameters
        ----------
        secs : float
            How far, >= 0 and finite.

        Raises
        ------
        ValueError
            If it is outside its domain, nothing is started, or the steps do not settle.
        """
        cdef Problem problem
        cdef bint is_good
        cdef float64_t scale
        self.require()
        if not 0.0 <= secs < INFINITY:
            raise ValueError(f"secs must be >= 0 and finite: {secs}")
        if self.horizon_secs == INFINITY:
            raise ValueError("there is no horizon: call start() first")
        if self._rows > 1 and secs > 0.0:
            problem.bid = &self._bid
            problem.ask = &self._ask
            problem.lots_short = self.lots_short
            problem.penalty = self._penalty
            problem.drift = self._drift
            problem.bid_depth = &self._work[0]
            problem.ask_depth = &self._work[self._rows]
            with nogil:
                scale = min(inverse_decay(&self._bid, 0.0), inverse_decay(&self._ask, 0.0))
                is_good = integrate(
                    flow, &problem, self._rows, secs, TOLERANCE * scale, &self._value[0],
                    &self._work[2 * self._rows],
                )
            if not is_good:
                self.is_solved = False
                raise ValueError(f"the value function changes too fast to be followed: {secs} s")
        self.horizon_secs += secs
        self.restate()

    cdef void restate(self) noexcept nogil:
        # Write the quotes of the present value function into the table that is read.
        cdef int i
        cdef float64_t* step = &self._work[6 * self._rows]
        for i in range(self._rows - 1):
            step[i] = self._value[i] - self._value[i + 1]
        self.evaluate(step, True)

    cdef int require(self) except -1:
        if not self.is_solved:
            raise ValueError("nothing is solved yet: call solve() or start() first")
        return 0

    cdef float64_t step_at(self, float64_t inventory) noexcept nogil:
        # What one more lot costs, linear between lots and beyond the first and the last of them.
        cdef float64_t x = inventory + self.lots_short, left
        cdef int row
        if self._rows < 2:
            return NAN
        if self._rows == 2:
            return self._value[0] - self._value[1]
        row = <int> floor(min(max(x, 0.0), self._rows - 3.0))
        left = self._value[row] - self._value[row + 1]
        if x == row:
            return left
        return left + (x - row) * (self._value[row + 1] - self._value[row + 2] - left)

    cdef float64_t bid_depth(self, float64_t inventory) noexcept nogil:
        cdef Best best
        if not inventory < self.lots_long or self._rows < 2:
            return NAN
        maximise(&self._bid, self.step_at(max(inventory, <float64_t> -self.lots_short)), NAN, &best)
        return best.depth

    cdef float64_t ask_depth(self, float64_t inventory) noexcept nogil:
        cdef Best best
        if not inventory > -self.lots_short or self._rows < 2:
            return NAN
        maximise(
            &self._ask, -self.step_at(min(inventory, <float64_t> self.lots_long) - 1.0), NAN, &best
        )
        return best.depth

    def bid_depth_bps(self, float64_t inventory_lots):
        """Return the distance of the best bid below the fair price, in bps; nan at the bound.

        Raises
        ------
        ValueError
            If nothing is solved yet, or the inventory is NaN.
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

        Raises
        ------
        ValueError
            If nothing is solved yet, or the inventory is outside the bounds.
        """
        cdef int flat = min(max(0, -self.lots_short), self.lots_long)
        self.require()
        if not -self.lots_short <= inventory_lots <= self.lots_long:
            raise ValueError(
                f"inventory_lots must be {-self.lots_short} to {self.lots_long}: {inventory_lots}"
            )
        return self._value[inventory_lots + self.lots_short] - self._value[flat + self.lots_short]

    def depths(self, float64_t[::1] bid_out, float64_t[::1] ask_out):
        """Write the depths at every lot from the lower bound to the upper, in bps.

        Parameters
        ----------
        bid_out, ask_out : array of float64, shape (lots_long + lots_short + 1,)
            Receive the depths; nan where a bound forbids the side.

        Raises
        ------
        ValueError
            If nothing is solved yet, or a length is another.
        """
        cdef int i
        self.require()
        if bid_out.shape[0] != self._rows or ask_out.shape[0] != self._rows:
            raise ValueError(
                f"outputs must have length {self._rows}: {bid_out.shape[0]}, {ask_out.shape[0]}"
            )
        for i in range(self._rows):
            bid_out[i] = self._work[i] if i < self._rows - 1 else NAN
            ask_out[i] = self._work[self._rows + i] if i > 0 else NAN
