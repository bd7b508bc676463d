"""Depth of one market, net of our own resting orders.

A frame is staged row by row and applied whole at its last row, so that nobody sees half of one.
Our own orders are in the venue's book like anybody's; every figure here is net of them, so that
we never quote off ourselves. Prices are integers, so comparisons are exact.
"""

cimport cython
from libc.math cimport NAN
from libc.string cimport memmove

from hypermm._core.rows cimport (
    FLAG_FIRST, FLAG_LAST, FLAG_TOP, KIND_LEVEL, KIND_QUOTE, Row, Rows
)

MAX_LEVELS = DEPTH
MAX_OWN_PRICES = OWN_PRICES

cdef int64_t MAX_NUMBER = 1 << 53  # beyond it no sum of prices or sizes is safe or exact


cdef inline bint _is_better(int8_t side, int64_t price, int64_t other) noexcept nogil:
    return price > other if side > 0 else price < other


cdef inline int64_t _net_size(
    const BookSide* levels, Py_ssize_t i, Py_ssize_t* own
) noexcept nogil:
    # Others' lots at level `i`. `own` walks along: both arrays are sorted best first.
    cdef int64_t net = levels.size[i]
    while own[0] < levels.own_count and _is_better(
        levels.side, levels.own_price[own[0]], levels.price[i]
    ):
        own[0] += 1
    if own[0] < levels.own_count and levels.own_price[own[0]] == levels.price[i]:
        net -= levels.own_size[own[0]]
    return net if net > 0 else 0


cdef int64_t _net_best(const BookSide* levels) noexcept nogil:
    cdef Py_ssize_t i, own = 0
    for i in range(levels.count):
        if _net_size(levels, i, &own) > 0:
            return levels.price[i]
    return 0


cdef void _replace(BookSide* levels, const BookSide* frame, Py_ssize_t keep_from) noexcept nogil:
    # The frame's levels, then the older ones from `keep_from` on, as far as they fit.
    cdef Py_ssize_t n = frame.count
    cdef Py_ssize_t kept = min(levels.count - keep_from, DEPTH - n)
    cdef size_t word = sizeof(int64_t)
    memmove(&levels.price[0] + n, &levels.price[0] + keep_from, kept * word)
    memmove(&levels.size[0] + n, &levels.size[0] + keep_from, kept * word)
    memmove(&levels.price[0], &frame.price[0], n * word)
    memmove(&levels.size[0], &frame.size[0], n * word)
    levels.count = n + kept


cdef void _apply_side(
    BookSide* levels, const BookSide* frame, bint is_quote, bint is_top
) noexcept nogil:
    # Older levels stay only where the frame does not speak of them: beyond its last price.
    cdef Py_ssize_t keep_from = levels.count
    cdef int64_t last
    if frame.count > 0 and (is_quote or (is_top and frame.count >= TOP_LEVELS)):
        last = frame.price[frame.count - 1]
        keep_from = 0
        while keep_from < levels.count and not _is_better(
            levels.side, last, levels.price[keep_from]
        ):
            keep_from += 1
    _replace(levels, frame, keep_from)


cdef float64_t imbalance_of(float64_t bid_size, float64_t ask_size) noexcept nogil:
    cdef float64_t total = bid_size + ask_size
    return (bid_size - ask_size) / total if total > 0.0 else 0.0


cdef float64_t _weighted_size(
    const BookSide* levels, Py_ssize_t n, float64_t decay
) noexcept nogil:
    cdef Py_ssize_t i = 0, own = 0
    cdef int64_t net
    cdef float64_t weight = 1.0, total = 0.0
    while i < levels.count and n > 0:
        net = _net_size(levels, i, &own)
        i += 1
        if net == 0:
            continue
        total += weight * <float64_t> net
        weight *= decay
        n -= 1
    return total


@cython.final
cdef class Book:
    """Depth in fixed arrays, net of our own resting orders.

    Frames older than the newest applied are ignored and counted. A full book frame replaces the
    book; a top frame replaces the top and keeps older levels beyond its last price; a quote
    replaces the touch and removes the levels that it proves gone. A crossed, locked, one-sided
    or empty book is not quotable: its mid is NaN, and it is counted.

    Attributes
    ----------
    best_bid, best_ask : int
        Best prices of others in price units; 0 where a side is empty.
    is_quotable, is_crossed : bool
        Whether there is a mid; whether bid >= ask.
    newest_ns : int
        Newest stamp applied, in ns since 1970; 0 before the first.
    frames, old_frames, malformed_frames, unquotable_frames : int
        Applied; ignored as older; ignored as torn or unsorted; applied, then not quotable.

    Notes
    -----
    Memory is fixed at construction: 64 levels a side, 64 own prices a side, and the last 128
    changes of the mid. A frame must not be older than what was applied *across* channels: the
    quote channel and the book channels of a venue carry stamps of one clock.

    Examples
    --------
    >>> from hypermm._core.rows import FIRST, LAST, QUOTE, Rows
    >>> rows = Rows.allocate(2)
    >>> rows.append(kind=QUOTE, side=1, exch_ns=7, price=100, size=5, flags=FIRST)
    >>> rows.append(kind=QUOTE, side=-1, exch_ns=7, price=103, size=2, flags=LAST)
    >>> book = Book()
    >>> book.apply(rows)
    1
    >>> book.best_bid, book.best_ask, book.mid
    (100, 103, 101.5)
    """

    def __cinit__(self):
        self._bids.side = self._staged_bids.side = 1
        self._asks.side = self._staged_asks.side = -1
        self.reset()

    def apply(self, Rows rows not None):
        """Apply the LEVEL and QUOTE rows, skip all others; return the number of frames applied."""
        cdef Py_ssize_t i, applied = 0
        with nogil:
            for i in range(rows.length):
                if self.apply_row(rows.data + i):
                    applied += 1
        return applied

    def clear(self):
        """Forget levels, stamps and mids, as after a lost connection. Own orders stay."""
        self.reset()

    @property
    def mid(self):
        """Middle of the best prices in price units; NaN if the book is not quotable."""
        cdef int64_t total = self.mid_sum()
        return 0.5 * <float64_t> total if total > 0 else NAN

    def mid_before(self, int64_t exch_ns):
        """Middle that stood strictly before a stamp, in price units.

        A quote that carries a trade's own stamp comes after the trade. NaN if the book was not
        quotable then, or the stamp is older than what is remembered.
        """
        cdef int64_t total = self.mid_sum_before(exch_ns)
        return 0.5 * <float64_t> total if total > 0 else NAN

    def imbalance(self, Py_ssize_t levels=1, float64_t decay=1.0):
        """Bid size minus ask size over their sum, in [-1, 1]; 0 if there is none.

        Parameters
        ----------
        levels : int
            Levels a side, >= 1, counted net of ours.
        decay : float
            Weight of each level relative to the one before, in (0, 1].

        Raises
        ------
        ValueError
            If a value is outside its domain.
        """
        if levels < 1:
            raise ValueError(f"levels must be >= 1: {levels}")
        if not 0.0 < decay <= 1.0:
            raise ValueError(f"decay must lie in (0, 1]: {decay}")
        return self.net_imbalance(levels, decay)

    def depth(self, int side, float64_t distance_bps):
        """Lots of others on one side within a distance from the mid; 0 if not quotable.

        Parameters
        ----------
        side : int
            +1 bids, -1 asks.
        distance_bps : float
            Distance from the mid in bps, >= 0.

        Raises
        ------
        ValueError
            If a value is outside its domain.
        """
        _check_side(side)
        if not distance_bps >= 0.0:
            raise ValueError(f"distance_bps must be >= 0: {distance_bps}")
        return self.net_depth(<int8_t> side, distance_bps)

    def levels(self, int side):
        """Others' levels of one side, best first, as a list of (price, lots)."""
        _check_side(side)
        cdef BookSide* levels = &self._bids if side > 0 else &self._asks
        cdef Py_ssize_t i, own = 0
        sizes = [_net_size(levels, i, &own) for i in range(levels.count)]
        return [(levels.price[i], size) for i, size in enumerate(sizes) if size > 0]

    def change_own(self, int side, int64_t price, int64_t change):
        """Add `change` lots to what rests of ours at a price (negative takes away).

        Tell it only what is displayed: an order that is acknowledged, and what is left of it.

        Raises
        ------
        ValueError
            If the size would fall below 0, the price is not > 0, or more than MAX_OWN_PRICES
            prices are in use.
        """
        _check_side(side)
        if price <= 0:
            raise ValueError(f"price must be > 0 price units: {price}")
        if not self._change_own(&self._bids if side > 0 else &self._asks, price, change):
            raise ValueError(
                f"own size at {price} changed by {change} lots is below 0, "
                f"or more than {MAX_OWN_PRICES} prices are in use"
            )
        self._publish()

    def set_own(self, int side, prices, sizes):
        """Replace all that rests of ours on one side; equal prices are added up.

        Raises
        ------
        ValueError
            If the lengths differ, a price is not > 0, a size is negative, or there are more than
            MAX_OWN_PRICES prices.
        """
        _check_side(side)
        cdef BookSide* own = &self._bids if side > 0 else &self._asks
        own.own_count = 0
        for price, size in zip(prices, sizes, strict=True):
            self.change_own(side, price, size)
        self._publish()

    cdef bint apply_row(self, const Row* row) noexcept nogil:
        if row.kind != KIND_LEVEL and row.kind != KIND_QUOTE:
            return False
        self._stage(row)
        return self._commit() if row.flags & FLAG_LAST else False

    cdef int64_t mid_sum(self) noexcept nogil:
        return self.best_bid + self.best_ask if self.is_quotable else 0

    cdef int64_t mid_sum_before(self, int64_t exch_ns) noexcept nogil:
        cdef Py_ssize_t i, at
        for i in range(1, self._mid_count + 1):
            at = (self._mid_next - i + MIDS) % MIDS
            if self._mid_ns[at] < exch_ns:
                return self._mid_sums[at]
        return 0

    cdef float64_t net_imbalance(self, Py_ssize_t levels, float64_t decay) noexcept nogil:
        return imbalance_of(
            _weighted_size(&self._bids, levels, decay), _weighted_size(&self._asks, levels, decay)
        )

    cdef int64_t net_depth(self, int8_t side, float64_t distance_bps) noexcept nogil:
        cdef const BookSide* levels = &self._bids if side > 0 else &self._asks
        cdef float64_t mid = 0.5 * <float64_t> self.mid_sum()
        cdef float64_t reach = mid * distance_bps * 1e-4
        cdef Py_ssize_t i, own = 0
        cdef int64_t total = 0
        if not self.is_quotable:
            return 0
        for i in range(levels.count):
            # Signed: an order of ours alone may stand far on the other side of the net mid.
            if <float64_t> side * (mid - <float64_t> levels.price[i]) > reach:
                break
            total += _net_size(levels, i, &own)
        return total

    cdef int64_t shown_at(self, int8_t side, int64_t price) noexcept nogil:
        cdef const BookSide* levels = &self._bids if side > 0 else &self._asks
        cdef Py_ssize_t i
        for i in range(levels.count):
            if levels.price[i] == price:
                return levels.size[i]
            if _is_better(side, price, levels.price[i]):
                return 0
        return -1

    cdef int64_t net_at(self, int8_t side, int64_t price) noexcept nogil:
        cdef const BookSide* levels = &self._bids if side > 0 else &self._asks
        cdef int64_t shown = self.shown_at(side, price)
        cdef Py_ssize_t i
        for i in range(levels.own_count):
            if levels.own_price[i] == price and shown >= 0:
                return max(shown - levels.own_size[i], 0)
        return shown

    cdef Py_ssize_t own_count(self, int8_t side) noexcept nogil:
        return self._bids.own_count if side > 0 else self._asks.own_count

    cdef int64_t own_price_at(self, int8_t side, Py_ssize_t i) noexcept nogil:
        return self._bids.own_price[i] if side > 0 else self._asks.own_price[i]

    cdef int64_t own_size_at(self, int8_t side, Py_ssize_t i) noexcept nogil:
        return self._bids.own_size[i] if side > 0 else self._asks.own_size[i]

    cdef void reset(self) noexcept nogil:
        self._bids.count = self._asks.count = 0
        self._staged_kind = 0
        self._mid_count = self._mid_next = 0
        self.newest_ns = 0
        self.best_bid = self.best_ask = 0
        self.is_quotable = self.is_crossed = False

    cdef void _stage(self, const Row* row) noexcept nogil:
        cdef BookSide* frame = &self._staged_bids if row.side > 0 else &self._staged_asks
        cdef Py_ssize_t n, limit
        if row.flags & FLAG_FIRST:
            self._staged_bids.count = self._staged_asks.count = 0
            self._staged_kind = row.kind
            self._staged_ns = row.exch_ns
            self._staged_is_top = row.flags & FLAG_TOP != 0
            self._staged_is_bad = False
        elif row.kind != self._staged_kind or row.exch_ns != self._staged_ns:
            self._staged_is_bad = True  # rows are missing in between
        if row.size == 0:
            return  # this side is empty
        n = frame.count
        limit = 1 if row.kind == KIND_QUOTE else DEPTH
        if row.side == 0 or not 0 < row.price < MAX_NUMBER or not 0 < row.size < MAX_NUMBER or (
            n > 0 and not _is_better(frame.side, frame.price[n - 1], row.price)
        ):
            self._staged_is_bad = True
        elif n < limit:
            frame.price[n] = row.price
            frame.size[n] = row.size
            frame.count = n + 1

    cdef bint _commit(self) noexcept nogil:
        cdef bint is_quote = self._staged_kind == KIND_QUOTE
        self._staged_kind = 0
        if self._staged_is_bad:
            self.malformed_frames += 1
            return False
        if self._staged_ns < self.newest_ns:
            self.old_frames += 1
            return False
        _apply_side(&self._bids, &self._staged_bids, is_quote, self._staged_is_top)
        _apply_side(&self._asks, &self._staged_asks, is_quote, self._staged_is_top)
        self.newest_ns = self._staged_ns
        self.frames += 1
        self._publish()
        if not self.is_quotable:
            self.unquotable_frames += 1
        return True

    cdef void _publish(self) noexcept nogil:
        # The touch net of ours, and the mid under the newest stamp.
        cdef Py_ssize_t newest = (self._mid_next - 1 + MIDS) % MIDS
        cdef int64_t total
        self.best_bid = _net_best(&self._bids)
        self.best_ask = _net_best(&self._asks)
        self.is_crossed = self.best_ask > 0 and self.best_bid >= self.best_ask
        self.is_quotable = 0 < self.best_bid < self.best_ask
        total = self.mid_sum()
        if self._mid_count > 0:
            if self._mid_sums[newest] == total:
                return
            if self._mid_ns[newest] == self.newest_ns:  # the last word of this stamp counts
                self._mid_sums[newest] = total
                return
        self._mid_ns[self._mid_next] = self.newest_ns
        self._mid_sums[self._mid_next] = total
        self._mid_next = (self._mid_next + 1) % MIDS
        self._mid_count = min(self._mid_count + 1, MIDS)

    cdef bint _change_own(self, BookSide* own, int64_t price, int64_t change) noexcept nogil:
        # False, and nothing changed, if the size would be negative or there is no room.
        cdef Py_ssize_t i = 0, behind
        cdef size_t word = sizeof(int64_t)
        while i < own.own_count and _is_better(own.side, own.own_price[i], price):
            i += 1
        behind = own.own_count - i
        if behind > 0 and own.own_price[i] == price:
            if own.own_size[i] + change < 0:
                return False
            own.own_size[i] += change
            if own.own_size[i] == 0:
                memmove(&own.own_price[0] + i, &own.own_price[0] + i + 1, (behind - 1) * word)
                memmove(&own.own_size[0] + i, &own.own_size[0] + i + 1, (behind - 1) * word)
                own.own_count -= 1
            return True
        if change <= 0:
            return change == 0
        if own.own_count == OWN_PRICES:
            return False
        memmove(&own.own_price[0] + i + 1, &own.own_price[0] + i, behind * word)
        memmove(&own.own_size[0] + i + 1, &own.own_size[0] + i, behind * word)
        own.own_price[i] = price
        own.own_size[i] = change
        own.own_count += 1
        return True


cdef int _check_side(int side) except -1:
    if side != 1 and side != -1:
        raise ValueError(f"side must be 1 (bids) or -1 (asks): {side}")
    return 0
