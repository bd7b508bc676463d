"""Imbalance of the book and of the flow, and the simple prices made of it."""

cimport cython
from libc.math cimport exp, fabs

cdef float64_t LARGEST = 1e150  # bound of every input, so that no square overflows


cdef float64_t imbalance(float64_t buys, float64_t sells) noexcept nogil:
    cdef float64_t total = buys + sells
    return (buys - sells) / total if total > 0.0 else 0.0


cdef float64_t weighted_sum(
    const float64_t* sizes, Py_ssize_t n, float64_t decay
) noexcept nogil:
    cdef float64_t weight = 1.0, total = 0.0
    cdef Py_ssize_t i
    for i in range(n):
        total += weight * sizes[i]
        weight *= decay
    return total


cdef float64_t weighted_mid_of(
    float64_t bid, float64_t ask, float64_t bid_size, float64_t ask_size
) noexcept nogil:
    return 0.5 * (bid + ask) + 0.5 * (ask - bid) * imbalance(bid_size, ask_size)


cdef float64_t microprice_of(
    float64_t mid,
    float64_t book_imbalance,
    float64_t flow_imbalance,
    float64_t beta_book,
    float64_t beta_flow,
) noexcept nogil:
    return mid * (1.0 + (beta_book * book_imbalance + beta_flow * flow_imbalance))


cdef int _check(str name, Py_ssize_t i, float64_t value, float64_t least) except -1:
    if not least <= value <= LARGEST:
        rule = "finite" if least < 0.0 else ">= 0 and finite"
        raise ValueError(f"{name}[{i}] must be {rule}: {value}")
    return 0


cdef int _check_length(str name, Py_ssize_t length, Py_ssize_t n) except -1:
    if length != n:
        raise ValueError(f"{name} must have length {n}: {length}")
    return 0


cdef int _check_feature(str name, Py_ssize_t i, float64_t value) except -1:
    if not -1.0 <= value <= 1.0:
        raise ValueError(f"{name}[{i}] must lie in [-1, 1]: {value}")
    return 0


def book_imbalances(
    const float64_t[:, ::1] bid_sizes,
    const float64_t[:, ::1] ask_sizes,
    float64_t[::1] out,
    *,
    float64_t decay=1.0,
):
    """Write the imbalance of displayed sizes into `out`.

    Parameters
    ----------
    bid_sizes, ask_sizes : arrays of float64, shapes (n, l) and (n, m)
        Displayed sizes of each book, nearest level first, >= 0, in any one unit.
    out : array of float64, shape (n,)
        Receives (B - A)/(B + A) in [-1, 1] with B, A the sums of decay^i times the size of level
        i; 0 where both are 0.
    decay : float
        Weight of a level relative to the one before it, in (0, 1].

    Raises
    ------
    ValueError
        If a size is negative or not finite, lengths differ, or `decay` is outside its domain.

    Notes
    -----
    Allocates nothing.
    """
    cdef Py_ssize_t i, j, n = bid_sizes.shape[0], bids = bid_sizes.shape[1]
    cdef Py_ssize_t asks = ask_sizes.shape[1]
    _check_length("ask_sizes", ask_sizes.shape[0], n)
    _check_length("out", out.shape[0], n)
    if not 0.0 < decay <= 1.0:
        raise ValueError(f"decay must lie in (0, 1]: {decay}")
    for i in range(n):
        for j in range(bids):
            if not 0.0 <= bid_sizes[i, j] <= LARGEST:
                raise ValueError(f"bid_sizes[{i}, {j}] must be >= 0: {bid_sizes[i, j]}")
        for j in range(asks):
            if not 0.0 <= ask_sizes[i, j] <= LARGEST:
                raise ValueError(f"ask_sizes[{i}, {j}] must be >= 0: {ask_sizes[i, j]}")
    with nogil:
        for i in range(n):
            out[i] = imbalance(
                weighted_sum(&bid_sizes[i, 0], bids, decay) if bids else 0.0,
                weighted_sum(&ask_sizes[i, 0], asks, decay) if asks else 0.0,
            )


def flow_imbalances(
    const float64_t[::1] buys, const float64_t[::1] sells, float64_t[::1] out
):
    """Write (buys - sells)/(buys + sells) into `out`; 0 where both are 0.

    Parameters
    ----------
    buys, sells : arrays of float64, shape (n,)
        Volumes of aggressive buys and sells, >= 0.
    out : array of float64, shape (n,)
        Receives the imbalances, in [-1, 1].

    Raises
    ------
    ValueError
        If a volume is negative or not finite, or lengths differ.
    """
    cdef Py_ssize_t i, n = buys.shape[0]
    _check_length("sells", sells.shape[0], n)
    _check_length("out", out.shape[0], n)
    for i in range(n):
        _check("buys", i, buys[i], 0.0)
        _check("sells", i, sells[i], 0.0)
    with nogil:
        for i in range(n):
            out[i] = imbalance(buys[i], sells[i])


def weighted_mids(
    const float64_t[::1] bids,
    const float64_t[::1] asks,
    const float64_t[::1] bid_sizes,
    const float64_t[::1] ask_sizes,
    float64_t[::1] out,
):
    """Write the size-weighted mid (ask V_b + bid V_a)/(V_b + V_a) into `out`.

    Parameters
    ----------
    bids, asks : arrays of float64, shape (n,)
        Best prices, finite, bid <= ask.
    bid_sizes, ask_sizes : arrays of float64, shape (n,)
        Sizes displayed there, >= 0.
    out : array of float64, shape (n,)
        Receives prices in the unit of `bids`; the mid where there is no size.

    Raises
    ------
    ValueError
        If a value is outside its domain or lengths differ.
    """
    cdef Py_ssize_t i, n = bids.shape[0]
    _check_length("asks", asks.shape[0], n)
    _check_length("bid_sizes", bid_sizes.shape[0], n)
    _check_length("ask_sizes", ask_sizes.shape[0], n)
    _check_length("out", out.shape[0], n)
    for i in range(n):
        _check("bids", i, bids[i], -LARGEST)
        _check("asks", i, asks[i], -LARGEST)
        if asks[i] < bids[i]:
            raise ValueError(f"asks[{i}] must be >= bids[{i}] {bids[i]}: {asks[i]}")
        _check("bid_sizes", i, bid_sizes[i], 0.0)
        _check("ask_sizes", i, ask_sizes[i], 0.0)
    with nogil:
        for i in range(n):
            out[i] = weighted_mid_of(bids[i], asks[i], bid_sizes[i], ask_sizes[i])


def microprices(
    const float64_t[::1] mids,
    const float64_t[::1] book_imbalance,
    const float64_t[::1] flow_imbalance,
    float64_t[::1] out,
    *,
    float64_t beta_book,
    float64_t beta_flow,
):
    """Write mid (1 + beta_book I_book + beta_flow I_flow) into `out`.

    Parameters
    ----------
    mids : array of float64, shape (n,)
        Mids, >= 0.
    book_imbalance, flow_imbalance : arrays of float64, shape (n,)
        In [-1, 1].
    out : array of float64, shape (n,)
        Receives prices in the unit of `mids`.
    beta_book, beta_flow : float
        Relative move per unit of imbalance.

    Raises
    ------
    ValueError
        If a value is outside its domain or lengths differ.
    """
    cdef Py_ssize_t i, n = mids.shape[0]
    _check_length("book_imbalance", book_imbalance.shape[0], n)
    _check_length("flow_imbalance", flow_imbalance.shape[0], n)
    _check_length("out", out.shape[0], n)
    if not (fabs(beta_book) <= LARGEST and fabs(beta_flow) <= LARGEST):
        raise ValueError(f"beta_book and beta_flow must be finite: {beta_book}, {beta_flow}")
    for i in range(n):
        _check("mids", i, mids[i], 0.0)
        _check_feature("book_imbalance", i, book_imbalance[i])
        _check_feature("flow_imbalance", i, flow_imbalance[i])
    with nogil:
        for i in range(n):
            out[i] = microprice_of(
                mids[i], book_imbalance[i], flow_imbalance[i], beta_book, beta_flow
            )


@cython.final
cdef class FlowImbalance:
    """Imbalance of aggressive volume in a window that decays.

    Parameters
    ----------
    decay_secs : float
        Time after which a trade counts 1/e, in seconds, > 0.

    Raises
    ------
    ValueError
        If `decay_secs` is not > 0.

    Examples
    --------
    >>> flow = FlowImbalance(decay_secs=10.0)
    >>> flow.update(3.0)  # an aggressor bought 3
    >>> flow.update(-1.0)
    >>> flow.value
    0.5
    """

    def __cinit__(self, *, float64_t decay_secs):
        if not 0.0 < decay_secs < 1e100:
            raise ValueError(f"decay_secs must be > 0 and finite: {decay_secs}")
        self.decay_secs = decay_secs

    def update(self, float64_t signed_size):
        """Add a trade: its size, negative where the aggressor sold.

        Raises
        ------
        ValueError
            If the size is not finite.
        """
        if not fabs(signed_size) <= LARGEST:
            raise ValueError(f"signed_size must be finite: {signed_size}")
        self.add(signed_size)

    def advance(self, float64_t secs):
        """Let `secs` seconds pass.

        Raises
        ------
        ValueError
            If `secs` is negative or NaN.
        """
        if not secs >= 0.0:
            raise ValueError(f"secs must be >= 0: {secs}")
        self.advance_room(secs)

    @property
    def value(self):
        """The imbalance in [-1, 1]; 0 before the first trade."""
        return self.value_room()

    cdef void advance_room(self, float64_t secs) noexcept nogil:
        cdef float64_t weight = exp(-secs / self.decay_secs)
        self.buys *= weight
        self.sells *= weight

    cdef void add(self, float64_t signed_size) noexcept nogil:
        if signed_size > 0.0:
            self.buys += signed_size
        else:
            self.sells -= signed_size

    cdef float64_t value_room(self) noexcept nogil:
        return imbalance(self.buys, self.sells)
