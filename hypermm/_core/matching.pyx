"""Price-time queues of one side of a venue's book, on integers in pooled memory.

Outside levels come and go with the market's frames. A user's order remembers how many outside
lots stand before it at its price (`ahead`): what was shown when it was placed, never more than
is shown later, less whatever trades there, and less its share of what is canceled by a named queue
model. At one price outside lots that are not ahead of an
order are behind it. Consumed outside size stays gone until the market shows the level again.

The same calls in the same order give the same slots and the same digest.
"""

from libc.stdlib cimport free, realloc
from libc.math cimport ceil
from libc.string cimport memmove

from hypermm._core.queue cimport RISK_AVERSE, ahead_after

from hypermm._core.queue import MODEL_NAMES

# `ahead` of an order whose price lies beyond the depth that is shown.
UNSEEN = 1 << 62
cdef int64_t FAR = 1LL << 62
cdef int64_t MAX_VALUE = 1LL << 53     # of a price, a size and a count
cdef int64_t MAX_LOTS = 1LL << 62      # of the users' orders of one level, summed
cdef int MAX_ORDERS = 1 << 24

cdef uint64_t HASH_START = 0xCBF29CE484222325ULL
cdef uint64_t HASH_FACTOR = 0x100000001B3ULL


cdef class HalfBook:
    """One side of a book.

    Parameters
    ----------
    side : int
        +1 for bids, -1 for asks.

    Raises
    ------
    ValueError
        If the side is neither.

    Examples
    --------
    >>> bids = HalfBook(1)
    >>> bids.show([(2000, 5, 1), (1999, 7, 2)])
    >>> slot = bids.enter(2000, 3)
    >>> bids.front(), bids.levels(2)
    ((2000, 5, -1), [(2000, 8, 2), (1999, 7, 2)])
    >>> bids.consume(2000, 5)
    >>> bids.front() == (2000, 3, slot)
    True
    """

    def __cinit__(self, int side):
        if side != 1 and side != -1:
            raise ValueError(f"side must be +1 or -1: {side}")
        self.side = side
        self.queue_model = RISK_AVERSE
        self.queue_exponent = 3.0
        self._free = NONE
        self._deepest = FAR
        self.make_room(FIRST_ROOM, FIRST_ROOM)

    def __init__(self, int side):
        pass  # so that a subclass may hand its side on

    def __dealloc__(self):
        free(self._levels)
        free(self._orders)

    def __len__(self):
        return self._num_orders

    def set_queue(self, int model, float64_t exponent):
        """Choose which share of the lots that are canceled stood before an order.

        Parameters
        ----------
        model : int
            Index into `_core.queue.MODEL_NAMES`; risk-averse, none of them, unless set.
        exponent : float
            Of the power models, > 0.

        Raises
        ------
        ValueError
            If a value is outside its domain.
        """
        if not 0 <= model < len(MODEL_NAMES):
            raise ValueError(f"model must be 0 to {len(MODEL_NAMES) - 1}: {model}")
        if not 0.0 < exponent <= 1e6:
            raise ValueError(f"exponent must be > 0 and finite: {exponent}")
        self.queue_model = model
        self.queue_exponent = exponent

    # Outside liquidity

    def show(self, levels, *, bint is_top=False):
        """Replace the outside levels.

        Parameters
        ----------
        levels : sequence of (price, size, count)
            Best first, in price units and lots, all > 0.
        is_top : bool
            Whether levels beyond the last of these stay as they are.

        Raises
        ------
        ValueError
            If a value is outside its domain; nothing is changed then.
        """
        cdef int64_t price, size, count, last = 0
        cdef Level* level
        cdef int i
        for price, size, count in levels:
            require_values(price, size, count)
            last = self.side * price
        self.make_room(self._num_levels + len(levels), 0)
        with nogil:
            for i in range(self._num_levels):
                if not is_top or last == 0 or self._levels[i].rank >= last:
                    self._levels[i].size = self._levels[i].count = 0
        for price, size, count in levels:
            level = self.open_level(self.side * price)
            level.size = size
            level.count = count
        with nogil:
            self.sweep()
            self._deepest = FAR
            for i in range(self._num_levels):
                if self._levels[i].size > 0:
                    self._deepest = self._levels[i].rank
                    break
            self.clip_ahead()

    def show_touch(self, int64_t price, int64_t size, int64_t count):
        """Set the best outside level; what was better is gone. Size 0: nothing is left.

        Raises
        ------
        ValueError
            If a value is outside its domain.
        """
        cdef int64_t rank = self.side * price
        cdef Level* level
        if size == 0:
            self.show(())
            return
        require_values(price, size, max(count, 1))
        self.make_room(self._num_levels + 1, 0)
        with nogil:
            self.drop_outside_above(rank)
            level = self.open_level(rank)
            level.size = size
            level.count = max(count, 1)
            self._deepest = min(self._deepest, rank)
            self.clip_ahead()

    def drop_better(self, int64_t price):
        """Forget outside levels better than `price`: a trade there proves them gone."""
        cdef int64_t rank = self.side * price
        cdef int i, slot
        with nogil:
            self.drop_outside_above(rank)
            for i in range(self._num_levels - 1, -1, -1):
                if self._levels[i].rank <= rank:
                    break
                slot = self._levels[i].first
                while slot != NONE:
                    self._orders[slot].ahead = 0
                    slot = self._orders[slot].next

    def consume(self, int64_t price, int64_t size):
        """Take outside lots at a price; more than is shown means refilled and taken again.

        Raises
        ------
        ValueError
            If the size is not > 0.
        """
        cdef Level* level
        cdef int slot
        if not size > 0:
            raise ValueError(f"size must be > 0 lots: {size}")
        with nogil:
            level = self.level_at(self.side * price)
            if level != NULL:
                slot = level.first
                while slot != NONE:
                    if self._orders[slot].ahead < FAR:
                        self._orders[slot].ahead = max(self._orders[slot].ahead - size, 0)
                        self._orders[slot].traded += size
                    slot = self._orders[slot].next
                level.size = max(level.size - size, 0)
                if level.size == 0:
                    level.count = 0
                    if level.num_orders == 0:
                        self.sweep()

    def outside_best(self):
        """Return price and size of the best outside level, None without one."""
        cdef int i
        for i in range(self._num_levels - 1, -1, -1):
            if self._levels[i].size > 0:
                return self.side * self._levels[i].rank, self._levels[i].size
        return None

    # Users' orders

    def enter(self, int64_t price, int64_t size):
        """Queue an order behind the outside size shown at its price and users before it.

        Returns
        -------
        int
            Its slot, which names it until it leaves.

        Raises
        ------
        ValueError
            If price or size is outside its domain, > 0 and at most 2**53.
        OverflowError
            If the book or the level can hold no more.
        """
        cdef int slot
        require_values(price, size, 1)
        self.make_room(self._num_levels + 1, self._num_orders + 1)
        with nogil:
            slot = self.queue_order(self.side * price, size)
        if slot == NONE:
            raise OverflowError(f"a level holds {MAX_LOTS} lots of users: no room for {size}")
        return slot

    def leave(self, int slot):
        """Take an order out of its queue.

        Raises
        ------
        KeyError
            If the slot is free.
        """
        self.require(slot)
        self.unlink(slot)

    def fill(self, int slot, int64_t size):
        """Take lots off an order; it leaves with the last.

        Returns
        -------
        int
            What is left of it.

        Raises
        ------
        KeyError
            If the slot is free.
        ValueError
            If the size is not > 0 or more than what is left.
        """
        cdef int64_t remaining
        self.require(slot)
        remaining = self._orders[slot].remaining - size
        if not (size > 0 and remaining >= 0):
            raise ValueError(f"size must lie in 1 to {self._orders[slot].remaining} lots: {size}")
        if remaining == 0:
            self.unlink(slot)
        else:
            self._orders[slot].remaining = remaining
            self.level_at(self._orders[slot].rank).lots -= size
        return remaining

    def get(self, int slot):
        """Return price, remaining lots and outside lots ahead of an order.

        Raises
        ------
        KeyError
            If the slot is free.
        """
        self.require(slot)
        order = self._orders[slot]
        return self.side * order.rank, order.remaining, order.ahead

    def first(self):
        """Return the slot of the order that is first in price and time, -1 without one."""
        return self.first_slot()

    # Both together

    def front(self):
        """Return what the next taker meets: price, lots, slot (-1: outside); None if nothing."""
        cdef Level* level
        cdef int64_t ahead
        if self._num_levels == 0:
            return None
        level = &self._levels[self._num_levels - 1]
        if level.num_orders == 0:
            return self.side * level.rank, level.size, NONE
        ahead = min(self._orders[level.first].ahead, level.size)
        if ahead > 0:
            return self.side * level.rank, ahead, NONE
        return self.side * level.rank, self._orders[level.first].remaining, level.first

    def reaches(self, int64_t price):
        """Whether an order of the other side with this limit would trade."""
        return (
            self._num_levels > 0
            and self._levels[self._num_levels - 1].rank >= self.side * price
        )

    def levels(self, int depth):
        """Return the best levels as (price, size, count), users' orders added to the outside's."""
        cdef int i, last = max(self._num_levels - depth, 0)
        found = []
        for i in range(self._num_levels - 1, last - 1, -1):
            level = self._levels[i]
            found.append((
                self.side * level.rank, level.size + level.lots, level.count + level.num_orders
            ))
        return found

    def touch(self):
        """Return the best level, None without one."""
        best = self.levels(1)
        return best[0] if best else None

    def digest(self):
        """Return a hash of 64 bits over all levels and orders."""
        return self.hash_state()

    # The room

    cdef int require(self, int slot) except -1:
        if not (0 <= slot < self._slots_used and self._orders[slot].remaining > 0):
            raise KeyError(f"slot {slot} is free")
        return 0

    cdef int make_room(self, int levels, int orders) except -1:
        # Memory only grows, and only here, before anything is changed.
        cdef void* grown
        cdef int room
        if orders > MAX_ORDERS or levels > MAX_ORDERS:
            raise OverflowError(f"a side of a book holds {MAX_ORDERS} orders")
        if levels > self._level_room:
            room = max(levels, 2 * self._level_room)
            grown = realloc(self._levels, room * sizeof(Level))
            if grown == NULL:
                raise MemoryError
            self._levels = <Level*> grown
            self._level_room = room
        if orders > self._order_room:
            room = max(orders, 2 * self._order_room)
            grown = realloc(self._orders, room * sizeof(Order))
            if grown == NULL:
                raise MemoryError
            self._orders = <Order*> grown
            self._order_room = room
        return 0

    cdef int find(self, int64_t rank) noexcept nogil:
        # The first level of at least this rank; the touch is looked at first.
        cdef int low = 0, high = self._num_levels, middle
        if high > 0 and self._levels[high - 1].rank <= rank:
            return high - 1 if self._levels[high - 1].rank == rank else high
        while low < high:
            middle = (low + high) // 2
            if self._levels[middle].rank < rank:
                low = middle + 1
            else:
                high = middle
        return low

    cdef Level* level_at(self, int64_t rank) noexcept nogil:
        cdef int i = self.find(rank)
        if i < self._num_levels and self._levels[i].rank == rank:
            return &self._levels[i]
        return NULL

    cdef Level* open_level(self, int64_t rank) noexcept nogil:
        cdef int i = self.find(rank)
        cdef Level* level = &self._levels[i]
        if i < self._num_levels and level.rank == rank:
            return level
        memmove(level + 1, level, (self._num_levels - i) * sizeof(Level))
        self._num_levels += 1
        level.rank = rank
        level.size = level.count = level.lots = 0
        level.num_orders = 0
        level.first = level.last = NONE
        return level

    cdef void sweep(self) noexcept nogil:
        # Close the gaps of levels that hold nothing any more.
        cdef int i, kept = 0
        for i in range(self._num_levels):
            if self._levels[i].size > 0 or self._levels[i].num_orders > 0:
                if kept != i:
                    self._levels[kept] = self._levels[i]
                kept += 1
        self._num_levels = kept

    cdef void drop_outside_above(self, int64_t rank) noexcept nogil:
        cdef int i
        cdef bint is_any = False
        for i in range(self._num_levels - 1, -1, -1):
            if self._levels[i].rank <= rank:
                break
            self._levels[i].size = self._levels[i].count = 0
            is_any = True
        if is_any:
            self.sweep()

    cdef void clip_ahead(self) noexcept nogil:
        cdef Level* level
        cdef int i, slot
        for i in range(self._num_levels - 1, -1, -1):
            level = &self._levels[i]
            if level.rank < self._deepest:
                break
            slot = level.first
            while slot != NONE:
                self.look_again(&self._orders[slot], level.size)
                slot = self._orders[slot].next

    cdef void look_again(self, Order* order, int64_t shown) noexcept nogil:
        # The market shows the order's price anew: what is gone and did not trade was canceled.
        cdef int64_t after
        if order.ahead >= FAR:
            order.ahead = shown
        elif shown != order.shown or order.traded:
            after = <int64_t> ceil(
                ahead_after(
                    self.queue_model, self.queue_exponent, <float64_t> order.ahead,
                    <float64_t> order.traded, <float64_t> order.shown, <float64_t> shown,
                )
            )
            order.ahead = max(min(after, order.ahead), 0)
        order.shown = shown
        order.traded = 0

    cdef int queue_order(self, int64_t rank, int64_t size) noexcept nogil:
        cdef Level* level = self.open_level(rank)
        cdef Order* order
        cdef int slot = self._free
        if level.lots > MAX_LOTS - size:
            return NONE
        if slot == NONE:
            slot = self._slots_used
            self._slots_used += 1
        else:
            self._free = self._orders[slot].next
        order = &self._orders[slot]
        order.rank = rank
        order.remaining = size
        order.ahead = FAR if rank < self._deepest else level.size
        order.shown = level.size
        order.traded = 0
        order.next = NONE
        order.previous = level.last
        if level.last == NONE:
            level.first = slot
        else:
            self._orders[level.last].next = slot
        level.last = slot
        level.lots += size
        level.num_orders += 1
        self._num_orders += 1
        return slot

    cdef void unlink(self, int slot) noexcept nogil:
        cdef Order* order = &self._orders[slot]
        cdef int i = self.find(order.rank)
        cdef Level* level = &self._levels[i]
        if order.previous == NONE:
            level.first = order.next
        else:
            self._orders[order.previous].next = order.next
        if order.next == NONE:
            level.last = order.previous
        else:
            self._orders[order.next].previous = order.previous
        level.lots -= order.remaining
        level.num_orders -= 1
        order.remaining = 0
        order.next = self._free
        self._free = slot
        self._num_orders -= 1
        if level.num_orders == 0 and level.size == 0:
            self._num_levels -= 1
            memmove(level, level + 1, (self._num_levels - i) * sizeof(Level))

    cdef int first_slot(self) noexcept nogil:
        cdef int i
        for i in range(self._num_levels - 1, -1, -1):
            if self._levels[i].num_orders > 0:
                return self._levels[i].first
        return NONE

    cdef uint64_t hash_state(self) noexcept nogil:
        cdef uint64_t state = mixed(HASH_START, self._deepest)
        cdef Level* level
        cdef int i, slot
        for i in range(self._num_levels - 1, -1, -1):
            level = &self._levels[i]
            state = mixed(mixed(mixed(state, level.rank), level.size), level.count)
            slot = level.first
            while slot != NONE:
                state = mixed(mixed(state, slot), self._orders[slot].remaining)
                state = mixed(state, self._orders[slot].ahead)
                slot = self._orders[slot].next
        return state


cdef inline uint64_t mixed(uint64_t state, int64_t value) noexcept nogil:
    # FNV-1a over words.
    return (state ^ <uint64_t> value) * HASH_FACTOR


cdef int require_values(int64_t price, int64_t size, int64_t count) except -1:
    if not (0 < price <= MAX_VALUE and 0 < size <= MAX_VALUE and 0 < count <= MAX_VALUE):
        raise ValueError(
            f"price, size and count must be > 0 and at most 2**53: {price}, {size}, {count}"
        )
    return 0
