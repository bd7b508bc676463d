"""Our own resting quotes: their place in the queue, and the fills that they bring by depth.

Own fills are the truth about fill intensity and scarce; arrivals of everybody are many and know no
queue. The second are the prior of the first.
"""

cimport cython
from libc.math cimport NAN, exp, fmax, fmin, isnan

from hypermm._core.kappa_joint cimport JointFit, joint_fit_of
from hypermm._core.queue cimport POWER, RISK_AVERSE, ahead_after

cdef float64_t EXPONENT = 3.0            # of the share of cancels behind us
cdef float64_t BIN_BPS = 0.5
cdef Py_ssize_t BINS = 128
cdef int64_t LEAST_FILLS = 5             # before own fills move the decay
cdef float64_t MOST_PRIOR = 50.0         # weight of the arrivals, in fills
cdef float64_t MOST_FACTOR = 2.0
cdef float64_t UNSEEN_SECS = 0.5         # rested at a fill's depth since depths were looked at last
cdef float64_t CANCEL_DECAY_SECS = 600.0
cdef float64_t CANCEL_PRIOR_PER_SEC = 0.1
cdef float64_t CANCEL_PRIOR_SECS = 10.0  # for which what rests now is presumed to have rested


@cython.final
cdef class OwnQuotes:
    """Queue positions of our quotes, and how often they fill at which depth.

    Parameters
    ----------
    decay_secs : float
        Time after which seconds and fills count 1/e, in seconds, > 0.

    Attributes
    ----------
    bins : FillBins
        Seconds quoted and fills by depth.
    fills : int
        Own fills so far whose depth is known.
    kappa_factor : float
        Decay of intensity that own fills say, over that of the arrivals; 0.5 to 2, 1 before five
        fills.
    kappa_se_per_bps : float
        Standard error of that decay; NaN before.
    count : int
        Prices at which we rest.

    Raises
    ------
    ValueError
        If `decay_secs` is not > 0.

    Examples
    --------
    >>> own = OwnQuotes(decay_secs=3600.0)
    >>> own.count, own.kappa_factor
    (0, 1.0)
    """

    def __cinit__(self, *, float64_t decay_secs):
        self.bins = FillBins(width_bps=BIN_BPS, bins=BINS, decay_secs=decay_secs)
        self.kappa_factor = 1.0
        self.kappa_se_per_bps = NAN

    def queues(self):
        """List (side, price, own lots, lots ahead, at most) of each price; NaN: not known."""
        cdef Py_ssize_t i
        cdef Slot* slot
        found = []
        for i in range(self.count):
            slot = &self._slots[i]
            found.append((slot.side, slot.price, slot.size, slot.ahead, slot.most))
        return found

    cdef void set_room(self, int8_t side, Book book) noexcept nogil:
        # Prices that stay keep their place; a smaller size keeps it too. A new one is last.
        cdef Slot kept[SLOTS]
        cdef Py_ssize_t i, j, n = 0
        cdef int64_t price, size
        for i in range(self.count):
            if self._slots[i].side != side:
                kept[n] = self._slots[i]
                n += 1
        for j in range(book.own_count(side)):
            price, size = book.own_price_at(side, j), book.own_size_at(side, j)
            for i in range(self.count):
                if self._slots[i].side == side and self._slots[i].price == price:
                    kept[n] = self._slots[i]
                    break
            else:
                kept[n].side, kept[n].price, kept[n].traded = side, price, 0.0
                kept[n].ahead = kept[n].most = <float64_t> book.shown_at(side, price)
                kept[n].shown = <float64_t> book.net_at(side, price)
                if kept[n].ahead < 0.0:
                    kept[n].ahead = kept[n].most = NAN
            kept[n].size = size
            n += 1
        for i in range(n):
            self._slots[i] = kept[i]
        self.count = n

    cdef void trade_room(self, int8_t side, int64_t price, float64_t lots) noexcept nogil:
        cdef Py_ssize_t i
        cdef Slot* slot
        for i in range(self.count):
            slot = &self._slots[i]
            if slot.side == -side and slot.price == price:
                slot.ahead = fmax(slot.ahead - lots, 0.0) if not isnan(slot.ahead) else NAN
                slot.most = fmax(slot.most - lots, 0.0) if not isnan(slot.most) else NAN
                slot.traded += lots
                return

    cdef void book_room(self, Book book) noexcept nogil:
        cdef Py_ssize_t i
        cdef Slot* slot
        cdef float64_t after
        for i in range(self.count):
            slot = &self._slots[i]
            after = <float64_t> book.net_at(slot.side, slot.price)
            if after < 0.0:
                continue  # beyond what the book shows
            if isnan(slot.ahead):
                slot.ahead = slot.most = after
            elif slot.shown >= 0.0:
                self._canceled += fmax(slot.shown - after - slot.traded, 0.0)
                slot.ahead = fmax(
                    ahead_after(
                        POWER, EXPONENT, slot.ahead, slot.traded, slot.shown, after
                    ), 0.0,
                )
                slot.most = fmax(
                    ahead_after(
                        RISK_AVERSE, EXPONENT, slot.most, slot.traded, slot.shown, after
                    ), 0.0,
                )
            slot.shown, slot.traded = after, 0.0

    cdef void watch_room(self, float64_t mid, float64_t secs) noexcept nogil:
        cdef Py_ssize_t i
        cdef Slot* slot
        cdef float64_t depth_bps, weight = exp(-secs / CANCEL_DECAY_SECS)
        if self.count == 0:
            return
        self.bins.pass_secs(secs)
        self._canceled *= weight
        self._rested *= weight
        for i in range(self.count):
            slot = &self._slots[i]
            depth_bps = slot.side * (mid - <float64_t> slot.price) / mid * 1e4
            if depth_bps >= 0.0:
                self.bins.watch_room(depth_bps, secs)
            if slot.shown > 0.0:
                self._rested += slot.shown * secs

    cdef void fill_room(
        self, int8_t side, int64_t price, float64_t lots, float64_t mid
    ) noexcept nogil:
        cdef Py_ssize_t i
        cdef float64_t share = 1.0, depth_bps
        for i in range(self.count):
            if self._slots[i].side == side and self._slots[i].price == price:
                share = fmin(lots / <float64_t> self._slots[i].size, 1.0)
                self._slots[i].ahead = self._slots[i].most = 0.0
                break
        depth_bps = side * (mid - <float64_t> price) / mid * 1e4
        if depth_bps >= 0.0:  # NaN mids and prices beyond the mid say nothing of depth
            self.fills += 1
            self.bins.fill_room(depth_bps, share)
            self.bins.watch_room(depth_bps, UNSEEN_SECS)

    cdef void learn(self, float64_t kappa, float64_t weight) noexcept nogil:
        # The prior's mode is the arrivals' decay: without own fills nothing moves.
        cdef JointFit fit
        cdef float64_t shape = fmin(weight, MOST_PRIOR)
        if self.fills < LEAST_FILLS or not (shape > 1.0 and kappa > 0.0):
            return
        if joint_fit_of(
            self.bins._depths, self.bins._secs, self.bins._fills, self.bins.bins,
            shape, (shape - 1.0) / kappa, &fit,
        ):
            self.kappa_factor = fmax(1.0 / MOST_FACTOR, fmin(MOST_FACTOR, fit.kappa / kappa))
            self.kappa_se_per_bps = fit.kappa_se

    cdef float64_t cancels_per_sec(self) noexcept nogil:
        cdef float64_t rests = 0.0
        cdef Py_ssize_t i
        for i in range(self.count):
            rests += fmax(self._slots[i].shown, 0.0)
        rests = fmax(rests, 1.0) * CANCEL_PRIOR_SECS
        return (self._canceled + CANCEL_PRIOR_PER_SEC * rests) / (self._rested + rests)
