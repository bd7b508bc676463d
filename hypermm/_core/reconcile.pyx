"""Target ladder against live orders: what keeps its place in the queue, what goes, what is new.

The table of live orders is fixed memory; a comparison that finds nothing to do makes no object.
The same calls in the same order give the same slots and the same answer.
"""

cimport cython
from libc.math cimport INFINITY, log1p, sqrt

from hypermm._core.ladder cimport MAX_LEVELS, Side

# An order that has been filled partly keeps its place in the queue down to this fraction of what
# its level asks for; below it the level is worth more renewed.
MIN_KEPT_FRACTION = 0.5
cdef float64_t KEPT_FRACTION = MIN_KEPT_FRACTION


@cython.final
cdef class Reconciler:
    """Live orders by slot, and the comparison of them with a target ladder.

    A live order stays for a level of its side if its price is within the tolerance of the level's,
    its remaining size is at most the level's and at least `MIN_KEPT_FRACTION` of it, and its price
    is not through the market or the target's other side. An order behind its level, farther from
    the market, also stays while the move is not above the value of its place in the queue. Exact
    prices are matched first, the rest in price order, nearest first. Every other live order is
    cancelled, every other level placed.

    Examples
    --------
    >>> from hypermm._core.ladder import Ladder
    >>> ladder, live = Ladder(price_decimals=1), Reconciler()
    >>> ladder.append(1, 999_500, 300)
    >>> live.compare(ladder, 2.0), live.places
    (1, ((1, 999500, 300),))
    >>> slot = live.add(1, 999_400, 300)
    >>> live.compare(ladder, 2.0), live.compare(ladder, 0.5), live.cancels
    (0, 2, (0,))
    """

    def __init__(self):
        self.clear()

    def __len__(self):
        return self._num_bids + self._num_asks

    def clear(self):
        """Forget all live orders and the last comparison."""
        cdef int slot
        for slot in range(MAX_ORDERS):
            self._side[slot] = 0
        self._num_bids = self._num_asks = 0
        self.num_cancels = self.num_places = 0

    def add(self, int side, int64_t price, int64_t remaining):
        """Enter a live order and return its slot, the lowest free one.

        Raises
        ------
        ValueError
            If a value is outside its domain: side +1 or -1, price and remaining size > 0.
        OverflowError
            If the table is full.
        """
        cdef int slot = 0
        if side != 1 and side != -1:
            raise ValueError(f"side must be +1 or -1: {side}")
        if not (price > 0 and remaining > 0):
            raise ValueError(f"price and remaining must be > 0: {price}, {remaining}")
        if self._num_bids + self._num_asks == MAX_ORDERS:
            raise OverflowError(f"the table holds {MAX_ORDERS} orders and is full")
        while self._side[slot] != 0:
            slot += 1
        self._side[slot] = side
        self._price[slot] = price
        self._remaining[slot] = remaining
        self._queue_value[slot] = 0.0
        if side > 0:
            self._num_bids = enter(self._bids, self._num_bids, self._price, slot, 1)
        else:
            self._num_asks = enter(self._asks, self._num_asks, self._price, slot, -1)
        return slot

    def remove(self, int slot):
        """Forget the live order in a slot.

        Raises
        ------
        KeyError
            If the slot is free.
        """
        self.require(slot)
        if self._side[slot] > 0:
            self._num_bids = leave(self._bids, self._num_bids, slot)
        else:
            self._num_asks = leave(self._asks, self._num_asks, slot)
        self._side[slot] = 0

    def set_remaining(self, int slot, int64_t remaining):
        """Change what is left of the live order in a slot, > 0.

        Raises
        ------
        KeyError
            If the slot is free.
        ValueError
            If nothing is left: remove the order instead.
        """
        self.require(slot)
        if not remaining > 0:
            raise ValueError(f"remaining must be > 0 lots: {remaining}")
        self._remaining[slot] = remaining

    def set_queue_value(self, int slot, float64_t value_bps):
        """Say what the place in the queue of the live order in a slot is worth; 0 until said.

        Parameters
        ----------
        slot : int
            As `add` returned it.
        value_bps : float
            In bps of the price, >= 0: by how much nearer its level must be before the order is
            given up for it. Infinity never gives it up for a nearer level.

        Raises
        ------
        KeyError
            If the slot is free.
        ValueError
            If the value is NaN or negative.

        Notes
        -----
        `queue_value_bps` is the value that the fill intensity implies. It never keeps an order that
        is nearer than its level: the head of that queue is filled first by the very move that
        made its price wrong.
        """
        self.require(slot)
        if not value_bps >= 0.0:
            raise ValueError(f"value_bps must be >= 0 bps: {value_bps}")
        self._queue_value[slot] = value_bps

    def get(self, int slot):
        """Return side, price and remaining size of the live order in a slot.

        Raises
        ------
        KeyError
            If the slot is free.
        """
        self.require(slot)
        return self._side[slot], self._price[slot], self._remaining[slot]

    cdef int require(self, int slot) except -1:
        if not (0 <= slot < MAX_ORDERS and self._side[slot] != 0):
            raise KeyError(f"slot {slot} is free")
        return 0

    def compare(self, Ladder ladder not None, float64_t max_bps_diff):
        """Find what separates the live orders from a target.

        Parameters
        ----------
        ladder : Ladder
            The target, and the market that it was made for.
        max_bps_diff : float
            Tolerance of a price in bps of the target's, >= 0.

        Returns
        -------
        int
            Orders to cancel plus orders to place; `cancels` and `places` hold them until the next
            comparison. 0 means that all is as it should be.

        Raises
        ------
        ValueError
            If the tolerance is NaN or negative.
        """
        if not 0.0 <= max_bps_diff < INFINITY:
            raise ValueError(f"max_bps_diff must be >= 0 bps and finite: {max_bps_diff}")
        return self.compare_live(ladder, max_bps_diff)

    cdef int compare_live(self, Ladder ladder, float64_t max_bps_diff) noexcept nogil:
        # What a live bid must stay below: the market and our own new asks; and mirrored.
        cdef int64_t bid_limit = ladder.best_ask, ask_limit = ladder.best_bid
        if ladder.ask.count > 0 and (bid_limit == 0 or ladder.ask.price[0] < bid_limit):
            bid_limit = ladder.ask.price[0]
        if ladder.bid.count > 0:
            ask_limit = max(ask_limit, ladder.bid.price[0])
        self.num_cancels = self.num_places = 0
        self.match(&ladder.bid, self._bids, self._num_bids, 1, bid_limit, max_bps_diff)
        self.match(&ladder.ask, self._asks, self._num_asks, -1, ask_limit, max_bps_diff)
        return self.num_cancels + self.num_places

    cdef void match(
        self, const Side* target, const int* live, int num_live, int side, int64_t limit,
        float64_t max_bps_diff,
    ) noexcept nogil:
        cdef bint[MAX_LEVELS] is_served
        cdef bint[MAX_ORDERS] is_kept
        cdef int i, j
        cdef int64_t gap
        for i in range(target.count):
            is_served[i] = False
        for j in range(num_live):
            is_kept[j] = False

        # Both lists run from near to far, so that one walk finds all exact prices.
        i = j = 0
        while i < target.count and j < num_live:
            gap = side * (self._price[live[j]] - target.price[i])
            if gap == 0 and self.may_keep(live[j], target.size[i], side, limit):
                is_served[i] = is_kept[j] = True
                i += 1
                j += 1
            elif gap >= 0:  # the live order is nearer, or unfit at the same price
                j += 1
            else:
                i += 1

        # What is left takes the nearest order within the tolerance.
        for i in range(target.count):
            for j in range(num_live if not is_served[i] else 0):
                if (
                    not is_kept[j]
                    and self.is_near(live[j], target.price[i], side, max_bps_diff)
                    and self.may_keep(live[j], target.size[i], side, limit)
                ):
                    is_served[i] = is_kept[j] = True
                    break

        for j in range(num_live):
            if not is_kept[j]:
                self._cancels[self.num_cancels] = live[j]
                self.num_cancels += 1
        for i in range(target.count):
            if not is_served[i]:
                self._place_side[self.num_places] = side
                self._place_price[self.num_places] = target.price[i]
                self._place_size[self.num_places] = target.size[i]
                self.num_places += 1

    cdef bint is_near(
        self, int slot, int64_t wanted, int side, float64_t max_bps_diff
    ) noexcept nogil:
        cdef int64_t behind = side * (wanted - self._price[slot])
        if behind < 0:
            return -behind * 1e4 <= max_bps_diff * wanted
        return behind * 1e4 <= max(max_bps_diff, self._queue_value[slot]) * wanted

    cdef bint may_keep(self, int slot, int64_t size, int side, int64_t limit) noexcept nogil:
        cdef int64_t remaining = self._remaining[slot], price = self._price[slot]
        if limit > 0 and side * (limit - price) <= 0:
            return False
        return remaining <= size and remaining >= KEPT_FRACTION * size

    @property
    def cancels(self):
        """Slots to cancel, bids before asks, nearest first."""
        return tuple([self._cancels[i] for i in range(self.num_cancels)])

    @property
    def places(self):
        """Orders to place as (side, price, size), bids before asks, nearest first."""
        return tuple([
            (self._place_side[i], self._place_price[i], self._place_size[i])
            for i in range(self.num_places)
        ])


cdef float64_t queue_value(
    float64_t kappa, float64_t chance, float64_t chance_at_end
) noexcept nogil:
    if not chance > chance_at_end:
        return 0.0
    return sqrt(2.0 * log1p((chance - chance_at_end) / chance_at_end)) / kappa


def queue_value_bps(
    *, float64_t kappa_per_bps, float64_t fill_probability, float64_t fill_probability_at_end
):
    """Return how far behind its level an order may stay for the sake of its place in the queue.

    Parameters
    ----------
    kappa_per_bps : float
        Decay of fill intensity with distance, in 1/bps, > 0.
    fill_probability : float
        Of the order at its place, in [0, 1], over any horizon.
    fill_probability_at_end : float
        Of a new order at the end of the same queue, over the same horizon, in (0, 1].

    Returns
    -------
    float
        In bps of the price, >= 0; 0 for a place that is no better than the end.

    Raises
    ------
    ValueError
        If a value is NaN or outside its domain.

    Notes
    -----
    sqrt(2 ln r) / kappa with r the ratio of both probabilities. A quote whose distance maximises
    edge times intensity, d exp(-kappa d), has an edge of 1/kappa. Behind by g it earns
    r (1 + kappa g) exp(-kappa g) times as much as a new order at the best distance. As
    ln(1 + x) >= x - x**2 / 2, that is at least 1 up to the value returned.

    Examples
    --------
    >>> round(queue_value_bps(kappa_per_bps=0.5, fill_probability=0.6,
    ...                       fill_probability_at_end=0.4), 4)
    1.801
    """
    if not 0.0 < kappa_per_bps < INFINITY:
        raise ValueError(f"kappa_per_bps must be > 0 and finite: {kappa_per_bps}")
    if not 0.0 <= fill_probability <= 1.0:
        raise ValueError(f"fill_probability must be in [0, 1]: {fill_probability}")
    if not 0.0 < fill_probability_at_end <= 1.0:
        raise ValueError(f"fill_probability_at_end must be in (0, 1]: {fill_probability_at_end}")
    return queue_value(kappa_per_bps, fill_probability, fill_probability_at_end)


cdef int enter(
    int* order, int count, const int64_t* price, int slot, int side
) noexcept nogil:
    # Insert a slot behind all that are nearer or as near; return the new count.
    cdef int i = count
    while i > 0 and side * (price[slot] - price[order[i - 1]]) > 0:
        order[i] = order[i - 1]
        i -= 1
    order[i] = slot
    return count + 1


cdef int leave(int* order, int count, int slot) noexcept nogil:
    # Take a slot out; return the new count.
    cdef int i, kept = 0
    for i in range(count):
        if order[i] != slot:
            order[kept] = order[i]
            kept += 1
    return kept
