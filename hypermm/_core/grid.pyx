"""A grid of quotes played over rows of market data in one compiled walk: a first look, and sweeps.

What the engine is around its quotes (recovery, risk, budgets, the exchange's blocks) is not here:
this finds out in seconds which settings are worth a backtest of the engine. Same rows, same
result, however they are cut into pieces.
"""

cimport cython
from libc.math cimport NAN, ceil, exp, floor, isfinite, log
from libc.stdlib cimport calloc, free, realloc

from hypermm._core.queue cimport MODELS, ahead_after
from hypermm._core.rows cimport (
    FLAG_FIRST, FLAG_SNAPSHOT, KIND_QUOTE, KIND_TRADE, Rows
)

CHANGE = FLAG_CHANGE
MAX_PLACES = 1 << 24  # of the price window, 128 MiB a side

cdef int64_t NEVER = (1 << 62)
cdef int64_t SECOND_NS = 1_000_000_000
cdef int64_t REFIT_NS = 5_000_000_000  # between two solutions
cdef int64_t MAX_LOTS = 1 << 40
cdef float64_t PRIOR_EVENTS = 4.0      # kappa of 1 / half-spread with the weight of four events
cdef float64_t PRIOR_SECS = 10.0       # one event of each side in ten seconds
cdef float64_t PRIOR_VOLATILITY = 1.5  # half-spreads, for five seconds
cdef float64_t MAX_KAPPA = 100.0       # 1/bps; beyond it nothing was measured
cdef float64_t CENSORED_AT = 50.0      # half-spreads


@cython.final
cdef class GridReplay:
    """Play a grid of post-only quotes around the exact GLFT quotes of the present inventory.

    Parameters
    ----------
    low_price, high_price : int
        Window of prices in price units: levels and orders outside do not exist.
    tick : int
        Distance of prices, in price units, > 0; `low_price` is on a tick.
    levels, spacing_ticks : int
        Levels a side, 1 to 32, and the distance between them in ticks.
    lots, max_lots : int
        Size of one level, and the position limit.
    risk_aversion : float
        Dimensionless, >= 0: times kappa it is the solver's, per level.
    every_ns, latency_ns : int
        Time between decisions, and from a decision to the venue.
    window_secs : float
        Decay time of volatility and fill intensity.
    queue_model : int
        Index into `_core.queue.MODEL_NAMES`.
    queue_exponent : float
        Of the power models.
    maker_bps : float
        Fee of a fill; negative is a rebate.

    Attributes
    ----------
    rows, decisions, orders, cancels, refused, outside : int
        Played; made; sent; refused as they would have taken; rows outside the window.
    position, volume : int
        Lots; price units times lots.
    two_sided : int
        Decisions at which both sides had a live order.
    volatility, kappa_per_bps, intensity_per_sec : float
        Of the last solution.

    Raises
    ------
    ValueError
        If a value is outside its domain.

    Notes
    -----
    A trade fills orders at better prices whole, and at its own price what is left of it behind the
    lots ahead of us; an opposite level that reaches an order fills it. Solutions are renewed every
    five seconds, decisions read them at the inventory of the moment. A LEVEL row with the CHANGE
    flag sets one level; other rows are as everywhere.

    Examples
    --------
    >>> from hypermm._core.rows import LEVEL, Rows
    >>> rows = Rows.allocate(3)
    >>> for ms, side, price in ((0, 1, 100), (0, -1, 102), (300, 1, 99)):
    ...     rows.append(kind=LEVEL, side=side, exch_ns=ms * 10**6 + 1, price=price, size=5,
    ...                 flags=CHANGE)
    >>> grid = GridReplay(low_price=1, high_price=200, levels=2, lots=1, max_lots=4)
    >>> grid.apply(rows)
    >>> grid.decisions, grid.orders
    (3, 4)
    """

    def __cinit__(
        self,
        *,
        int64_t low_price,
        int64_t high_price,
        int levels,
        int64_t lots,
        int64_t max_lots,
        int64_t tick=1,
        int spacing_ticks=1,
        float64_t risk_aversion=0.3,
        int64_t every_ns=100_000_000,
        int64_t latency_ns=50_000_000,
        float64_t window_secs=300.0,
        int queue_model=5,
        float64_t queue_exponent=3.0,
        float64_t maker_bps=1.5,
    ):
        if not 0 < tick or not 0 < low_price < high_price or (high_price - low_price) % tick:
            raise ValueError(f"prices must be > 0 and ticks apart: {low_price} {high_price} {tick}")
        self._places = (high_price - low_price) // tick + 1
        if self._places > MAX_PLACES:
            raise ValueError(f"the window has {self._places} prices, more than {MAX_PLACES}")
        if not 1 <= levels <= MAX_GRID // 2:
            raise ValueError(f"levels must be 1 to {MAX_GRID // 2}: {levels}")
        if not 1 <= spacing_ticks <= 1_000_000:
            raise ValueError(f"spacing_ticks must be 1 to a million: {spacing_ticks}")
        if not 0 < lots <= max_lots <= MAX_LOTS or max_lots // lots > 4_000:
            raise ValueError(f"lots must be > 0, max_lots up to 4000 times it: {lots} {max_lots}")
        if not 0.0 <= risk_aversion <= 1000.0 or not -100.0 <= maker_bps <= 100.0:
            raise ValueError(f"risk_aversion or maker_bps is outside: {risk_aversion} {maker_bps}")
        if not 1_000_000 <= every_ns <= REFIT_NS or not 0 <= latency_ns <= 60 * SECOND_NS:
            raise ValueError(f"every_ns or latency_ns is outside: {every_ns} {latency_ns}")
        if not 0 <= queue_model < MODELS or not 0.0 < queue_exponent <= 100.0:
            raise ValueError(f"queue model is unknown: {queue_model} {queue_exponent}")
        self._bids.shown = <int64_t*> calloc(self._places, sizeof(int64_t))
        self._asks.shown = <int64_t*> calloc(self._places, sizeof(int64_t))
        if self._bids.shown == NULL or self._asks.shown == NULL:
            raise MemoryError
        self.low_price, self.tick = low_price, tick
        self.levels, self.spacing_ticks = levels, spacing_ticks
        self.lots, self.max_lots = lots, max_lots
        self.risk_aversion, self.maker_bps = risk_aversion, maker_bps
        self.every_ns, self.latency_ns = every_ns, latency_ns
        self.queue_model, self.queue_exponent = queue_model, queue_exponent
        self.variation = BipowerStream(decay_secs=window_secs)
        self.depths = KappaStream(decay_secs=window_secs)
        self.solver = Solver(2 * <int> (max_lots // lots))
        self.volatility = self.kappa_per_bps = self.intensity_per_sec = NAN
        self._bids.side, self._asks.side = 1, -1
        self._bids.best = self._asks.best = self._bids.frame = self._asks.frame = -1
        self._due_ns = NEVER
        self.bound(&self._bids)
        self.bound(&self._asks)

    def __dealloc__(self):
        free(self._bids.shown)
        free(self._asks.shown)
        free(self._fills)

    def apply(self, Rows rows not None):
        """Walk the rows once, in order. No Python object is made."""
        cdef Py_ssize_t i
        with nogil:
            for i in range(rows.length):
                self.play(rows.data + i)
        if self._is_short_of_memory:
            raise MemoryError("the list of fills could not grow")

    @property
    def mid_price(self):
        """Middle of the book in price units; NaN if a side is empty."""
        return self.mid()

    @property
    def num_fills(self):
        """How many fills there are."""
        return self._num_fills

    @property
    def fees_usd(self):
        """Paid so far."""
        return self._fees / 1e6

    @property
    def pnl_usd(self):
        """Cash and position at the mid, after fees; NaN with a position and without a mid."""
        held = self.position * self.mid() if self.position else 0.0
        return (self._cash - self._fees + held) / 1e6

    def fills(self):
        """Return all fills as a list of (ns, side, price, lots), oldest first."""
        return [
            (self._fills[i].exch_ns, self._fills[i].side, self._fills[i].price, self._fills[i].size)
            for i in range(self._num_fills)
        ]

    cdef float64_t mid(self) noexcept nogil:
        if self._bids.best < 0 or self._asks.best < 0 or self._bids.best >= self._asks.best:
            return NAN
        return self.low_price + 0.5 * self.tick * (self._bids.best + self._asks.best)

    # The market

    cdef void play(self, const Row* row) noexcept nogil:
        cdef int64_t place = row.price - self.low_price
        cdef Half* half = &self._bids if row.side > 0 else &self._asks
        self.rows += 1
        if row.exch_ns > self._now_ns:
            if self._now_ns == 0:
                self._decide_ns = row.exch_ns + self.every_ns - row.exch_ns % self.every_ns
                self._due_ns = self._decide_ns
            elif row.exch_ns > self._due_ns:
                self.catch_up(row.exch_ns)
            self._now_ns = row.exch_ns
        if row.side == 0 or row.kind > KIND_QUOTE:
            return
        if row.kind == KIND_QUOTE and row.size == 0:
            self.move_best(half, -1, 0)
            return
        if place < 0 or place % self.tick or place // self.tick >= self._places or row.size < 0:
            self.outside += 1
            return
        place //= self.tick
        if row.kind == KIND_TRADE:
            if not row.flags & FLAG_SNAPSHOT:
                self.trade(row)
        elif row.kind == KIND_QUOTE:
            self.move_best(half, place, row.size)
        elif row.flags & FLAG_CHANGE:
            self.show(half, place, row.size)
        else:
            self.frame_row(half, place, row)

    cdef void show(self, Half* half, int64_t place, int64_t size) noexcept nogil:
        # One place has another size: the best price may move, and queues before us may shrink.
        cdef int i
        cdef Resting* order
        half.shown[place] = size
        if half.low <= place <= half.high:
            for i in range(half.count):
                order = &half.orders[i]
                if order.is_live and order.place == place:
                    order.ahead = max(
                        ahead_after(
                            self.queue_model, self.queue_exponent, order.ahead, order.traded,
                            order.shown, <float64_t> size,
                        ),
                        0.0,
                    )
                    order.shown = <float64_t> size
                    order.traded = 0.0
        if size > 0:
            if half.best < 0 or half.side * (place - half.best) > 0:
                half.best = place
                self.cross(half)
        elif place == half.best:
            while 0 <= half.best < self._places and half.shown[half.best] == 0:
                half.best -= half.side
            if half.best >= self._places:
                half.best = -1

    cdef void move_best(self, Half* half, int64_t place, int64_t size) noexcept nogil:
        # A quote: what was better is gone.
        while half.best >= 0 and (place < 0 or half.side * (half.best - place) > 0):
            self.show(half, half.best, 0)
        if place >= 0:
            self.show(half, place, size)

    cdef void frame_row(self, Half* half, int64_t place, const Row* row) noexcept nogil:
        # A frame goes from the best price outwards: what it passes over is gone.
        cdef int64_t gone
        if row.flags & FLAG_FIRST:
            self._bids.frame = self._asks.frame = -1
        if row.size == 0:
            return
        if half.frame < 0:
            while half.best >= 0 and half.side * (half.best - place) > 0:
                self.show(half, half.best, 0)
        else:
            gone = half.frame - half.side
            while half.side * (gone - place) > 0:
                if half.shown[gone]:
                    self.show(half, gone, 0)
                gone -= half.side
        self.show(half, place, row.size)
        half.frame = place

    cdef void trade(self, const Row* row) noexcept nogil:
        # An aggressive buy meets our asks: those at better prices first, then the queue.
        cdef Half* half = &self._asks if row.side > 0 else &self._bids
        cdef int64_t place = (row.price - self.low_price) // self.tick
        cdef float64_t mid = self.mid(), least_bps, depth_bps
        cdef Resting* order
        cdef int64_t lots
        cdef bint is_done
        cdef int i = 0
        if mid == mid:
            least_bps = 0.5e4 * self.tick * (self._asks.best - self._bids.best) / mid
            depth_bps = 1e4 * row.side * (row.price - mid) / mid
            if depth_bps >= least_bps:
                self.depths.add(depth_bps, least_bps, CENSORED_AT * least_bps)
        if half.side * (place - half.high) > 0 and half.side * (place - half.low) > 0:
            return
        while i < half.count:
            order = &half.orders[i]
            if order.is_live and half.side * (order.place - place) > 0:
                self.fill(half, i, order.remaining)
                continue
            if order.is_live and order.place == place:
                order.ahead -= <float64_t> row.size
                order.traded += <float64_t> row.size
                if order.ahead <= -1.0:  # by the excess, in whole lots
                    lots = min(<int64_t> floor(-order.ahead), order.remaining)
                    order.ahead = 0.0
                    is_done = lots == order.remaining
                    self.fill(half, i, lots)
                    if is_done:
                        continue
            i += 1

    cdef void cross(self, Half* half) noexcept nogil:
        # The opposite side has come to our price: somebody would have taken us.
        cdef Half* ours = &self._asks if half.side > 0 else &self._bids
        cdef int i = 0
        if ours.high < ours.low:
            return
        while i < ours.count:
            if ours.orders[i].is_live and half.side * (half.best - ours.orders[i].place) >= 0:
                self.fill(ours, i, ours.orders[i].remaining)
            else:
                i += 1

    # Our orders

    cdef void fill(self, Half* half, int i, int64_t size) noexcept nogil:
        # The order leaves with its last lot: another then stands in its slot.
        cdef Resting* order = &half.orders[i]
        cdef int64_t price = self.low_price + order.place * self.tick
        cdef int64_t room
        cdef void* grown
        if self._num_fills == self._fill_room:
            room = max(1024, 2 * self._fill_room)
            grown = realloc(self._fills, room * sizeof(Fill))
            if grown == NULL:
                self._is_short_of_memory = True
            else:
                self._fills = <Fill*> grown
                self._fill_room = room
        if self._num_fills < self._fill_room:
            self._fills[self._num_fills].exch_ns = self._now_ns
            self._fills[self._num_fills].price = price
            self._fills[self._num_fills].size = size
            self._fills[self._num_fills].side = half.side
            self._num_fills += 1
        self.position += half.side * size
        self._cash -= half.side * size * price
        self._fees += <int64_t> floor(1e-4 * self.maker_bps * (size * price))
        self.volume += size * price
        order.remaining -= size
        if order.remaining == 0:
            self.drop(half, i)

    cdef void drop(self, Half* half, int i) noexcept nogil:
        half.count -= 1
        half.orders[i] = half.orders[half.count]
        self.bound(half)

    cdef void bound(self, Half* half) noexcept nogil:
        # Where our live orders stand: rows elsewhere pass them by.
        cdef int i
        half.low, half.high = NEVER, -1
        for i in range(half.count):
            if half.orders[i].is_live:
                half.low = min(half.low, half.orders[i].place)
                half.high = max(half.high, half.orders[i].place)

    cdef void catch_up(self, int64_t now_ns) noexcept nogil:
        # Everything of ours that is due before this row, in time order; cancels before arrivals.
        cdef int64_t due_ns, other_ns
        cdef int i
        while now_ns > self._due_ns:
            due_ns = self._due_ns
            self.arrive(&self._bids, due_ns)
            self.arrive(&self._asks, due_ns)
            if due_ns == self._decide_ns:
                self.decide(due_ns)
                self._decide_ns += self.every_ns
            other_ns = self._decide_ns
            for i in range(self._bids.count):
                if not self._bids.orders[i].is_live:
                    other_ns = min(other_ns, self._bids.orders[i].live_ns)
                other_ns = min(other_ns, self._bids.orders[i].gone_ns)
            for i in range(self._asks.count):
                if not self._asks.orders[i].is_live:
                    other_ns = min(other_ns, self._asks.orders[i].live_ns)
                other_ns = min(other_ns, self._asks.orders[i].gone_ns)
            self._due_ns = other_ns

    cdef void arrive(self, Half* half, int64_t now_ns) noexcept nogil:
        cdef Half* other = &self._asks if half.side > 0 else &self._bids
        cdef Resting* order
        cdef int i = 0
        cdef bint is_changed = False
        while i < half.count:
            order = &half.orders[i]
            if order.gone_ns <= now_ns:
                half.count -= 1
                half.orders[i] = half.orders[half.count]
                is_changed = True
            elif not order.is_live and order.live_ns <= now_ns:
                is_changed = True
                if other.best >= 0 and half.side * (order.place - other.best) >= 0:
                    self.refused += 1
                    half.count -= 1
                    half.orders[i] = half.orders[half.count]
                    continue
                order.is_live = True
                order.ahead = order.shown = <float64_t> half.shown[order.place]
                order.traded = 0.0
                i += 1
            else:
                i += 1
        if is_changed:
            self.bound(half)

    # The decision

    cdef void decide(self, int64_t now_ns) noexcept nogil:
        cdef float64_t mid = self.mid(), inventory, depth, ticks
        cdef int64_t bid = -1, ask = -1
        self.decisions += 1
        if mid == mid:
            if now_ns >= self._second_ns:
                if self._last_mid > 0.0:
                    self.variation.add(log(mid / self._last_mid), 1.0)
                    self.depths.advance_room(1.0)
                self._last_mid = mid
                self._second_ns = now_ns + SECOND_NS
            if now_ns >= self._refit_ns:
                self.refit(0.5e4 * self.tick * (self._asks.best - self._bids.best) / mid)
                self._refit_ns = now_ns + REFIT_NS
            if self.solver.is_solved:
                # What was being cancelled may have filled beyond the limit.
                inventory = <float64_t> max(min(self.position, self.max_lots), -self.max_lots)
                inventory /= <float64_t> self.lots
                ticks = (mid - self.low_price) / self.tick
                depth = self.solver.bid_depth(inventory) * 1e-4 * mid / self.tick
                if isfinite(depth):
                    bid = <int64_t> floor(max(min(ticks - depth, self._asks.best - 1.0), -1.0))
                depth = self.solver.ask_depth(inventory) * 1e-4 * mid / self.tick
                if isfinite(depth):
                    ask = <int64_t> ceil(
                        min(max(ticks + depth, self._bids.best + 1.0), <float64_t> self._places)
                    )
        self.quote(&self._bids, bid, now_ns)
        self.quote(&self._asks, ask, now_ns)
        if self._bids.low <= self._bids.high and self._asks.low <= self._asks.high:
            self.two_sided += 1

    cdef void refit(self, float64_t half_spread_bps) noexcept nogil:
        cdef Market market
        cdef int bound = <int> (self.max_lots // self.lots)
        self.volatility = self.variation.volatility()
        if self.variation.returns < 5:
            self.volatility = PRIOR_VOLATILITY * half_spread_bps
        self.kappa_per_bps = min(
            (PRIOR_EVENTS + self.depths.weight)
            / (PRIOR_EVENTS * half_spread_bps + self.depths.excess_bps),
            MAX_KAPPA,
        )
        self.intensity_per_sec = (
            (1.0 + 0.5 * self.depths.events) / (PRIOR_SECS + self.depths.exposure_secs)
            * exp(self.kappa_per_bps * half_spread_bps)
        )
        market.volatility = self.volatility
        market.kappa = self.kappa_per_bps
        market.bid_intensity = market.ask_intensity = self.intensity_per_sec
        market.risk_aversion = self.risk_aversion * self.kappa_per_bps
        market.execution_risk = market.drift = market.impact = 0.0
        market.bid_cost = market.ask_cost = self.maker_bps
        self.solver.find(&market, bound, bound, NAN)

    cdef void quote(self, Half* half, int64_t first, int64_t now_ns) noexcept nogil:
        # Keep what stands at a wanted place, cancel the rest, place what is missing.
        cdef int64_t room = self.max_lots - half.side * self.position, offset, place
        cdef int wanted = 0, i
        cdef int64_t served = 0
        cdef Resting* order
        if first >= 0:
            wanted = <int> min(<int64_t> self.levels, max(room, 0) // self.lots)
        for i in range(half.count):
            order = &half.orders[i]
            if order.gone_ns != NEVER:
                continue
            offset = half.side * (first - order.place)
            if (
                first >= 0 and offset >= 0 and offset % self.spacing_ticks == 0
                and offset // self.spacing_ticks < wanted
                and not (served >> (offset // self.spacing_ticks)) & 1
            ):
                served |= <int64_t> 1 << (offset // self.spacing_ticks)
            else:
                order.gone_ns = max(now_ns, order.live_ns) + self.latency_ns
                self.cancels += 1
        for i in range(wanted):
            place = first - half.side * i * self.spacing_ticks
            if (served >> i) & 1 or not 0 <= place < self._places or half.count == MAX_GRID:
                continue
            order = &half.orders[half.count]
            order.place, order.remaining = place, self.lots
            order.live_ns, order.gone_ns = now_ns + self.latency_ns, NEVER
            order.is_live = False
            half.count += 1
            self.orders += 1
