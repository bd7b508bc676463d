"""Target ladders: level depths, sizes, and the way from real numbers to allowed prices and lots.

Prices are integer price units (10**-price_decimals), sizes lots, distances bps of the fair price.
Rounding only moves a quote away from the fair price: bids down, asks up. No price that leaves here
reaches the other side of the market or of the ladder itself.
"""

cimport cython
from libc.math cimport INFINITY, ceil, exp, fabs, floor, isfinite, pow, rint

cdef float64_t SLACK = 1e-9     # of a tick or lot: 0.1 + 0.2 must be 0.3 on both sides
cdef float64_t MAX_RAW = 4e18   # price units that fit an int64
cdef float64_t MIN_CURVATURE = 1e-100


cdef int64_t step_at(const Tick* tick, int64_t price) noexcept nogil:
    # Five significant figures, never coarser than whole units of the quote currency (integers are
    # always allowed), never finer than the decimals allow.
    cdef int64_t step = 1
    while step < tick.whole and price >= 100_000 * step:
        step *= 10
    return max(step, tick.min_step)


cdef int64_t floor_price(const Tick* tick, int64_t price) noexcept nogil:
    return price - price % step_at(tick, price) if price > 0 else 0


cdef int64_t ceil_price(const Tick* tick, int64_t price) noexcept nogil:
    cdef int64_t step = step_at(tick, price)
    return (price + step - 1) // step * step


cdef inline float64_t snap(float64_t x) noexcept nogil:
    # The whole number that x means, or x itself if it means none.
    cdef float64_t nearest = rint(x)
    return nearest if fabs(x - nearest) <= SLACK else x


cdef int64_t floor_raw(const Tick* tick, float64_t price) noexcept nogil:
    cdef int64_t step = step_at(tick, <int64_t> price)
    return <int64_t> floor(snap(price / step)) * step


cdef int64_t ceil_raw(const Tick* tick, float64_t price) noexcept nogil:
    # Crossing a power of ten gives a price with fewer figures, which is allowed too.
    cdef int64_t step = step_at(tick, <int64_t> price)
    return <int64_t> ceil(snap(price / step)) * step


cdef int64_t floor_lots(float64_t lots) noexcept nogil:
    return <int64_t> floor(snap(lots))


cdef void space(
    float64_t inner, float64_t ratio, int n, bint is_geometric, float64_t* out
) noexcept nogil:
    # Depths from `inner` to `inner * ratio`.
    cdef int i
    out[0] = inner
    for i in range(1, n):
        if is_geometric:
            out[i] = inner * pow(ratio, i / (n - 1.0))
        else:
            out[i] = inner * (1.0 + (ratio - 1.0) * (i / (n - 1.0)))


cdef void pool(
    const float64_t* intensity, const float64_t* edge, int n, float64_t curvature,
    float64_t max_size, float64_t* out,
) noexcept nogil:
    # Best cumulative sizes: fills are nested, a sweep that reaches level i has filled the nearer
    # ones. Each level alone would want gain / weight; pool adjacent violators, then clip.
    cdef float64_t[MAX_LEVELS] gain
    cdef float64_t[MAX_LEVELS] weight
    cdef float64_t[MAX_LEVELS] wanted
    cdef int[MAX_LEVELS] length
    cdef int i, k = 0, blocks = 0
    cdef float64_t next_intensity, next_edge
    for i in range(n):
        next_intensity = intensity[i + 1] if i + 1 < n else 0.0
        next_edge = edge[i + 1] if i + 1 < n else 0.0
        gain[blocks] = intensity[i] * edge[i] - next_intensity * next_edge
        weight[blocks] = intensity[i] - next_intensity
        length[blocks] = 1
        # A level that is never reached without the next one asks for nothing of its own.
        wanted[blocks] = gain[blocks] / weight[blocks] if weight[blocks] > 0.0 else -INFINITY
        blocks += 1
        while blocks > 1 and wanted[blocks - 2] > wanted[blocks - 1]:
            blocks -= 1
            gain[blocks - 1] += gain[blocks]
            weight[blocks - 1] += weight[blocks]
            length[blocks - 1] += length[blocks]
            wanted[blocks - 1] = gain[blocks - 1] / weight[blocks - 1]
    for i in range(blocks):
        for _ in range(length[i]):
            out[k] = min(max(wanted[i] / curvature, 0.0), max_size)
            k += 1


cdef inline void put(Side* side, int64_t price, int64_t size) noexcept nogil:
    # Add a level; equal prices merge.
    if side.count > 0 and side.price[side.count - 1] == price:
        side.size[side.count - 1] += size
    else:
        side.price[side.count] = price
        side.size[side.count] = size
        side.count += 1


cdef void drop_small(Side* side, int64_t min_notional) noexcept nogil:
    # Remove levels below the exchange's minimum; price times size might overflow.
    cdef int i, kept = 0
    for i in range(side.count):
        if side.size[i] >= min_lots(side.price[i], min_notional):
            side.price[kept] = side.price[i]
            side.size[kept] = side.size[i]
            kept += 1
    side.count = kept


cdef inline int64_t min_lots(int64_t price, int64_t min_notional) noexcept nogil:
    # Fewest lots that the exchange takes at this price.
    return max((min_notional - 1) // price + 1, 1)


cdef inline int64_t round_clamped(
    const Tick* tick, float64_t raw, int sign, int64_t clamp
) noexcept nogil:
    # Allowed price for a raw one, away from the fair price and behind the market; 0: none.
    cdef int64_t price
    if not 0.0 < raw < MAX_RAW:
        return 0
    if sign < 0:
        price = floor_raw(tick, raw)
        return min(price, clamp) if clamp > 0 else price
    return max(ceil_raw(tick, raw), clamp)


cdef void lay(
    const Tick* tick, const Law* law, const float64_t* spacing, Side* out
) noexcept nogil:
    # One side from its law. Depths, best cumulative sizes for them, then our own rule on top: no
    # level takes more than its share of the side, S_i <= S_{i-1} + share, so that the ladder has
    # its levels even where the optimum would put everything into the first.
    cdef float64_t[MAX_LEVELS] depth
    cdef float64_t[MAX_LEVELS] intensity
    cdef float64_t[MAX_LEVELS] edge
    cdef float64_t[MAX_LEVELS] best
    cdef int i
    cdef int64_t most = min(law.side_lots, law.room_lots), placed = 0, price, size, least
    cdef float64_t share = law.side_lots / <float64_t> law.num_levels, cumulative = 0.0, cap
    out.count = 0
    if law.inner_bps != law.inner_bps or most <= 0:
        return
    for i in range(law.num_levels):
        depth[i] = law.inner_bps * spacing[i]
        intensity[i] = exp(-law.kappa * (depth[i] - depth[0]))
        edge[i] = depth[i] - law.threshold - law.adverse * exp(-depth[i] / law.adverse_decay)
    if law.curvature > 0.0:
        pool(intensity, edge, law.num_levels, max(law.curvature, MIN_CURVATURE),
             <float64_t> most, best)
    else:
        for i in range(law.num_levels):
            best[i] = <float64_t> most
    for i in range(law.num_levels):
        price = round_clamped(
            tick, law.fair_price * (1.0 + law.sign * depth[i] * 1e-4), law.sign, law.clamp
        )
        if price <= 0:
            break
        least = min_lots(price, law.min_notional)
        cap = max(share, <float64_t> least)
        cumulative = min(best[i], cumulative + cap)
        size = min(floor_lots(cumulative) - placed, <int64_t> ceil(cap))
        if size >= least:  # else it waits for the next level
            put(out, price, size)
            placed += size


@cython.final
cdef class Ladder:
    """Prices and sizes of both sides, nearest first, in memory made once.

    Parameters
    ----------
    price_decimals : int
        Decimals of a price unit, 0 to 8: `Instrument.price_decimals`.
    min_step : int
        Finest step of a price in price units: `Instrument.min_step`.

    Raises
    ------
    ValueError
        If a number is outside its domain.

    Examples
    --------
    >>> ladder = Ladder(price_decimals=1)
    >>> ladder.build(fair_price=1_000_000.0, best_bid=999_990, best_ask=1_000_010, num_levels=3,
    ...              bid_depth_bps=5.0, ask_depth_bps=5.0, depth_ratio=4.0, is_geometric=True,
    ...              side_lots=900, bid_room_lots=4000, ask_room_lots=500, kappa_per_bps=0.25)
    >>> ladder.bids
    [(999500, 300), (999000, 300), (998000, 300)]
    >>> ladder.asks
    [(1000500, 300), (1001000, 200)]
    """

    __hash__ = None

    def __init__(self, *, int price_decimals, int64_t min_step=1):
        if not 0 <= price_decimals <= 8:
            raise ValueError(f"price_decimals must be 0 to 8: {price_decimals}")
        self.tick.whole = int(10 ** <object> price_decimals)
        if not (1 <= min_step <= self.tick.whole and self.tick.whole % min_step == 0):
            raise ValueError(f"min_step must divide {self.tick.whole} price units: {min_step}")
        self.tick.min_step = min_step
        self.reset()

    cdef void reset(self) noexcept nogil:
        self.bid.count = self.ask.count = 0
        self.best_bid = self.best_ask = 0

    def clear(self):
        """Forget all levels and the market they were clamped to."""
        self.reset()

    def set_market(self, int64_t best_bid, int64_t best_ask):
        """Say which market the levels belong to, in price units; 0 where a side is empty.

        Raises
        ------
        ValueError
            If a price is negative or the market is crossed.
        """
        check_market(best_bid, best_ask)
        self.best_bid = best_bid
        self.best_ask = best_ask

    def append(self, int side, int64_t price, int64_t size):
        """Add a level behind the others of its side (+1 bid, -1 ask).

        Raises
        ------
        ValueError
            If the level is not behind the others, or a value is outside its domain.
        OverflowError
            If the side is full.
        """
        cdef Side* levels
        if side != 1 and side != -1:
            raise ValueError(f"side must be +1 or -1: {side}")
        if not (price > 0 and size > 0):
            raise ValueError(f"price and size must be > 0: {price}, {size}")
        levels = &self.bid if side > 0 else &self.ask
        if levels.count == MAX_LEVELS:
            raise OverflowError(f"a side holds {MAX_LEVELS} levels and is full")
        if levels.count > 0 and (levels.price[levels.count - 1] - price) * side <= 0:
            raise ValueError(
                f"price must be behind the last level, {levels.price[levels.count - 1]}: {price}"
            )
        put(levels, price, size)

    def build(
        self,
        *,
        float64_t fair_price,
        int64_t best_bid,
        int64_t best_ask,
        float64_t bid_depth_bps,
        float64_t ask_depth_bps,
        float64_t depth_ratio,
        int num_levels,
        bint is_geometric,
        int64_t side_lots,
        int64_t bid_room_lots,
        int64_t ask_room_lots,
        float64_t kappa_per_bps,
        float64_t cost_bps=0.0,
        float64_t adverse_bps=0.0,
        float64_t adverse_decay_bps=INFINITY,
        float64_t marginal_cost_bps=0.0,
        float64_t slope_bps_per_lot=0.0,
        int64_t min_notional=10_000_000,
    ):
        """Fill the ladder: depths, sizes, allowed prices, in one pass.

        Level 0 stands at the given depth; the others keep the spacing over `depth_ratio`. Sizes
        are the best ones for these depths and this inventory, with at most `side_lots / num_levels`
        at each level (in cumulated lots, rounded down; never below the exchange's minimum).
        Levels too small for the exchange are added to the next one or dropped.

        Parameters
        ----------
        fair_price : float
            In price units, > 0.
        best_bid, best_ask : int
            The market without our own orders, in price units; 0 where a side is empty. Bids stay
            at least one step below `best_ask`, asks one above `best_bid` and above our own bids.
        bid_depth_bps, ask_depth_bps : float
            Depth of level 0, >= 0; nan for no quotes on that side.
        depth_ratio : float
            Depth of the last level over that of the first, >= 1; 1 makes one level.
        num_levels : int
            Levels a side, 1 to 32.
        is_geometric : bool
            Geometric spacing, else linear.
        side_lots, bid_room_lots, ask_room_lots : int
            Most lots on a side, and what the limits leave for each, >= 0.
        kappa_per_bps : float
            Decay of fill intensity with distance, in 1/bps, > 0.
        cost_bps : float
            Cost of a fill at any depth, in bps.
        adverse_bps, adverse_decay_bps : float
            Loss after a fill at depth 0, >= 0, and the distance over which it falls to 1/e, > 0
            (infinite: it is the same at any depth), in bps.
        marginal_cost_bps : float
            What holding one more lot costs at the present inventory, in bps.
        slope_bps_per_lot : float
            Curvature of the value function, in bps per exchange lot, >= 0; at 0 size costs
            nothing and every level takes its share.
        min_notional : int
            Least price times size of an order, in price units times lots, > 0.

        Raises
        ------
        ValueError
            If a value is NaN (but a depth) or outside its domain.

        Notes
        -----
        Allocates nothing. The sizes maximise the expected gain of nested fills less a quadratic
        inventory cost, by pooling adjacent violators.
        """
        cdef Law law
        cdef float64_t[MAX_LEVELS] spacing
        if not 0.0 < fair_price < MAX_RAW:
            raise ValueError(f"fair_price must be > 0 and finite: {fair_price}")
        check_market(best_bid, best_ask)
        if bid_depth_bps < 0.0 or ask_depth_bps < 0.0 or INFINITY in (bid_depth_bps, ask_depth_bps):
            raise ValueError(f"depths must be >= 0 bps or nan: {bid_depth_bps}, {ask_depth_bps}")
        check_spacing(num_levels, depth_ratio)
        if side_lots < 0 or bid_room_lots < 0 or ask_room_lots < 0 or min_notional <= 0:
            raise ValueError(
                f"side_lots and rooms must be >= 0, min_notional > 0: "
                f"{side_lots}, {bid_room_lots}, {ask_room_lots}, {min_notional}"
            )
        if not 0.0 < kappa_per_bps < INFINITY:
            raise ValueError(f"kappa_per_bps must be > 0 and finite: {kappa_per_bps}")
        if not (isfinite(cost_bps) and isfinite(marginal_cost_bps)):
            raise ValueError(f"costs must be finite: {cost_bps}, {marginal_cost_bps}")
        if not (0.0 <= adverse_bps < INFINITY and adverse_decay_bps > 0.0):
            raise ValueError(
                f"adverse_bps must be >= 0 and finite, adverse_decay_bps > 0: "
                f"{adverse_bps}, {adverse_decay_bps}"
            )
        if not 0.0 <= slope_bps_per_lot < INFINITY:
            raise ValueError(f"slope_bps_per_lot must be >= 0 and finite: {slope_bps_per_lot}")
        law.num_levels = num_levels if depth_ratio > 1.0 else 1
        law.fair_price = fair_price
        law.side_lots = side_lots
        law.min_notional = min_notional
        law.kappa = kappa_per_bps
        law.curvature = slope_bps_per_lot
        law.adverse = adverse_bps
        law.adverse_decay = adverse_decay_bps
        with nogil:
            space(1.0, depth_ratio, law.num_levels, is_geometric, spacing)
            self.best_bid = best_bid
            self.best_ask = best_ask
            law.sign = -1
            law.inner_bps = bid_depth_bps
            law.room_lots = bid_room_lots
            law.threshold = cost_bps + marginal_cost_bps
            law.clamp = self.highest_bid()
            self.bid.count = 0
            if best_ask == 0 or law.clamp > 0:
                lay(&self.tick, &law, spacing, &self.bid)
            law.sign = 1
            law.inner_bps = ask_depth_bps
            law.room_lots = ask_room_lots
            law.threshold = cost_bps - marginal_cost_bps
            law.clamp = self.lowest_ask()
            lay(&self.tick, &law, spacing, &self.ask)

    def fill(
        self,
        const float64_t[::1] bid_prices,
        const float64_t[::1] ask_prices,
        const float64_t[::1] bid_lots,
        const float64_t[::1] ask_lots,
        *,
        int64_t best_bid,
        int64_t best_ask,
        int64_t bid_room_lots,
        int64_t ask_room_lots,
        int64_t min_notional=10_000_000,
    ):
        """Fill the ladder from raw prices and sizes: round, clamp, cut to the room, merge, drop.

        Parameters
        ----------
        bid_prices, ask_prices : array of float64, shape (n,) and (m,)
            Raw prices in price units, nearest first, n and m at most 32.
        bid_lots, ask_lots : array of float64, shape (n,) and (m,)
            Sizes in lots, >= 0.
        best_bid, best_ask, bid_room_lots, ask_room_lots, min_notional : int
            As for `build`.

        Raises
        ------
        ValueError
            If a value is NaN or outside its domain, prices are not ordered, or lengths differ.
        """
        check_market(best_bid, best_ask)
        check_raw(bid_prices, bid_lots, -1)
        check_raw(ask_prices, ask_lots, 1)
        if bid_room_lots < 0 or ask_room_lots < 0 or min_notional <= 0:
            raise ValueError(
                f"rooms must be >= 0 and min_notional > 0: "
                f"{bid_room_lots}, {ask_room_lots}, {min_notional}"
            )
        with nogil:
            self.best_bid = best_bid
            self.best_ask = best_ask
            self.bid.count = 0
            if best_ask == 0 or self.highest_bid() > 0:
                finish(&self.tick, bid_prices, bid_lots, -1, self.highest_bid(), bid_room_lots,
                       min_notional, &self.bid)
            finish(&self.tick, ask_prices, ask_lots, 1, self.lowest_ask(), ask_room_lots,
                   min_notional, &self.ask)

    cdef int64_t highest_bid(self) noexcept nogil:
        # One step below the market's best ask; 0 if there is none.
        return floor_price(&self.tick, self.best_ask - 1)

    cdef int64_t lowest_ask(self) noexcept nogil:
        # One step above the market's best bid and our own.
        cdef int64_t bid = max(self.best_bid, self.bid.price[0] if self.bid.count > 0 else 0)
        return ceil_price(&self.tick, bid + 1)

    def __len__(self):
        return self.bid.count + self.ask.count

    def __eq__(self, other):
        if not isinstance(other, Ladder):
            return NotImplemented
        return has_same_levels(&self.bid, &(<Ladder> other).bid) and has_same_levels(
            &self.ask, &(<Ladder> other).ask
        )

    def __repr__(self):
        return f"Ladder(bids={self.bids}, asks={self.asks})"

    @property
    def num_bids(self):
        """Levels below the fair price."""
        return self.bid.count

    @property
    def num_asks(self):
        """Levels above the fair price."""
        return self.ask.count

    @property
    def bids(self):
        """Bids as (price, size), nearest first: a copy."""
        return [(self.bid.price[i], self.bid.size[i]) for i in range(self.bid.count)]

    @property
    def asks(self):
        """Asks as (price, size), nearest first: a copy."""
        return [(self.ask.price[i], self.ask.size[i]) for i in range(self.ask.count)]

    @property
    def bid_lots(self):
        """Lots of all bids."""
        return total(&self.bid)

    @property
    def ask_lots(self):
        """Lots of all asks."""
        return total(&self.ask)


cdef void finish(
    const Tick* tick, const float64_t[::1] prices, const float64_t[::1] lots, int sign,
    int64_t clamp, int64_t room, int64_t min_notional, Side* out,
) noexcept nogil:
    cdef Py_ssize_t i
    cdef int64_t price, size
    out.count = 0
    for i in range(prices.shape[0]):
        price = round_clamped(tick, prices[i], sign, clamp)
        size = min(floor_lots(lots[i]), room)
        if price > 0 and size > 0:
            room -= size
            put(out, price, size)
    drop_small(out, min_notional)


cdef bint has_same_levels(const Side* left, const Side* right) noexcept nogil:
    cdef int i
    if left.count != right.count:
        return False
    for i in range(left.count):
        if left.price[i] != right.price[i] or left.size[i] != right.size[i]:
            return False
    return True


cdef int64_t total(const Side* side) noexcept nogil:
    cdef int i
    cdef int64_t lots = 0
    for i in range(side.count):
        lots += side.size[i]
    return lots


def level_depths(float64_t[::1] out, *, float64_t inner, float64_t outer, bint is_geometric):
    """Write the depths of the levels from `inner` to `outer`, in the unit of these.

    Parameters
    ----------
    out : array of float64, shape (n,)
        Receives the depths, n from 1 to 32; one level stands at `inner`.
    inner, outer : float
        First and last depth, > 0, `outer` not below `inner`.
    is_geometric : bool
        Geometric spacing, else linear.

    Raises
    ------
    ValueError
        If a value is NaN or outside its domain.

    Examples
    --------
    >>> import numpy as np
    >>> out = np.empty(3)
    >>> level_depths(out, inner=5.0, outer=20.0, is_geometric=True)
    >>> out.tolist()
    [5.0, 10.0, 20.0]
    """
    if not 0.0 < inner <= outer < INFINITY:
        raise ValueError(f"depths must be > 0, finite and in order: {inner}, {outer}")
    check_spacing(out.shape[0], outer / inner)
    space(inner, outer / inner, <int> out.shape[0], is_geometric, &out[0])


def optimal_sizes(
    const float64_t[::1] intensity_per_sec,
    const float64_t[::1] edge,
    float64_t[::1] out,
    *,
    float64_t curvature,
    float64_t max_size,
    float64_t inventory=0.0,
):
    """Write the best cumulative sizes of nested levels.

    Parameters
    ----------
    intensity_per_sec : array of float64, shape (n,)
        Fills per second that reach each level, > 0, strictly decreasing, n from 1 to 32.
    edge : array of float64, shape (n,)
        Gain per unit of size at each level after costs.
    out : array of float64, shape (n,)
        Receives the cumulative sizes, from 0 to `max_size`, not decreasing.
    curvature : float
        Of the value function, edge per unit of size, > 0.
    max_size : float
        Most that the side may hold, >= 0.
    inventory : float
        Present inventory as this side sees it: of bids; its negative for asks.

    Raises
    ------
    ValueError
        If a value is NaN or outside its domain, or the lengths differ.

    Notes
    -----
    Maximises the sum of intensity (edge - curvature inventory) size - curvature/2 (S_i**2 -
    S_{i-1}**2) over cumulative sizes S; exact in O(n).
    """
    cdef Py_ssize_t i, n = out.shape[0]
    cdef float64_t[MAX_LEVELS] shifted
    check_spacing(n, 1.0)
    if intensity_per_sec.shape[0] != n or edge.shape[0] != n:
        raise ValueError(
            f"inputs must have length {n}: {intensity_per_sec.shape[0]}, {edge.shape[0]}"
        )
    if not 0.0 < curvature < INFINITY:
        raise ValueError(f"curvature must be > 0 and finite: {curvature}")
    if not 0.0 <= max_size < INFINITY:
        raise ValueError(f"max_size must be >= 0 and finite: {max_size}")
    if not isfinite(inventory):
        raise ValueError(f"inventory must be finite: {inventory}")
    for i in range(n):
        if not (0.0 < intensity_per_sec[i] < (intensity_per_sec[i - 1] if i > 0 else INFINITY)):
            raise ValueError(f"intensity_per_sec must be > 0 and decrease: {intensity_per_sec[i]}")
        if not isfinite(edge[i]):
            raise ValueError(f"edge[{i}] must be finite: {edge[i]}")
        shifted[i] = edge[i] - curvature * inventory
    pool(&intensity_per_sec[0], shifted, <int> n, curvature, max_size, &out[0])


def round_price(float64_t price, *, int side, int price_decimals, int64_t min_step=1):
    """Return the allowed price, in price units, that a raw one means: bids down, asks up.

    Parameters
    ----------
    price : float
        Raw price in price units, > 0.
    side : int
        +1 for a bid, -1 for an ask.
    price_decimals, min_step : int
        As for `Ladder`.

    Raises
    ------
    ValueError
        If a value is NaN or outside its domain.

    Examples
    --------
    >>> round_price(1234567.0, side=1, price_decimals=1)
    1234560
    >>> round_price(123456.0, side=-1, price_decimals=1)
    123460
    """
    cdef Ladder rule = Ladder(price_decimals=price_decimals, min_step=min_step)
    if not 0.0 < price < MAX_RAW:
        raise ValueError(f"price must be > 0 and finite: {price}")
    if side != 1 and side != -1:
        raise ValueError(f"side must be +1 or -1: {side}")
    return floor_raw(&rule.tick, price) if side > 0 else ceil_raw(&rule.tick, price)


def round_lots(float64_t lots):
    """Return a size as whole lots, rounded down; within 1e-9 of a whole number it is that one.

    Raises
    ------
    ValueError
        If the size is NaN, negative or too large.
    """
    if not 0.0 <= lots < MAX_RAW:
        raise ValueError(f"lots must be >= 0 and finite: {lots}")
    return floor_lots(lots)


cdef int check_market(int64_t best_bid, int64_t best_ask) except -1:
    if best_bid < 0 or best_ask < 0:
        raise ValueError(f"best_bid and best_ask must be >= 0: {best_bid}, {best_ask}")
    if best_bid >= best_ask > 0:
        raise ValueError(f"the market is crossed: {best_bid}, {best_ask}")
    return 0


cdef int check_spacing(Py_ssize_t num_levels, float64_t depth_ratio) except -1:
    if not 1 <= num_levels <= MAX_LEVELS:
        raise ValueError(f"num_levels must be 1 to {MAX_LEVELS}: {num_levels}")
    if not 1.0 <= depth_ratio < INFINITY:
        raise ValueError(f"depth_ratio must be >= 1 and finite: {depth_ratio}")
    return 0


cdef int check_raw(const float64_t[::1] prices, const float64_t[::1] lots, int sign) except -1:
    cdef Py_ssize_t i, n = prices.shape[0]
    if n > MAX_LEVELS or lots.shape[0] != n:
        raise ValueError(
            f"a side has up to {MAX_LEVELS} prices and as many sizes: {n}, {lots.shape[0]}"
        )
    for i in range(n):
        if not isfinite(prices[i]) or (i > 0 and not sign * (prices[i] - prices[i - 1]) >= 0.0):
            raise ValueError(f"prices must be finite, nearest first: {prices[i]}")
        if not 0.0 <= lots[i] < MAX_RAW:
            raise ValueError(f"lots[{i}] must be >= 0 and finite: {lots[i]}")
    return 0
