"""Mark, oracle and touch as market data show them, for the last check before signing.

It shares no code with the estimators, whose defects it is there to catch.
"""

cimport cython

from hypermm._core._types cimport float64_t
from hypermm._core.rows cimport (
    CONTEXT_MARK,
    CONTEXT_ORACLE,
    KIND_CONTEXT,
    KIND_LEVEL,
    KIND_QUOTE,
    Row,
    Rows,
)


@cython.final
cdef class Reference:
    """The last prices seen, in price units.

    Parameters
    ----------
    price_decimals : int
        Decimals of the market's price unit, 0 to 12.

    Attributes
    ----------
    mark, oracle : float
        The venue's own prices; 0 while not known.
    mid : float
        Middle of the last touch with two sides that do not cross; 0 before the first.

    Raises
    ------
    ValueError
        If `price_decimals` is outside its domain.
    """

    def __init__(self, int price_decimals):
        if not 0 <= price_decimals <= 12:
            raise ValueError(f"price_decimals must be 0 to 12: {price_decimals}")
        # Context rows count in 1e-12 USD.
        self._units_per_raw = 1.0 / 10.0 ** (12 - price_decimals)

    cdef void _see(self, const Row* row) noexcept nogil:
        cdef float64_t price
        if row.kind == KIND_CONTEXT:
            price = <float64_t> row.price * self._units_per_raw
            if row.index == CONTEXT_MARK:
                self.mark = price if price > 0.0 else 0.0
            elif row.index == CONTEXT_ORACLE:
                self.oracle = price if price > 0.0 else 0.0
        elif row.kind == KIND_QUOTE or (row.kind == KIND_LEVEL and row.index == 0):
            if row.side > 0:
                self._bid = row.price if row.size > 0 else 0
            else:
                self._ask = row.price if row.size > 0 else 0

    cpdef void observe(self, Rows rows):
        """Take what market data say. Allocates nothing; costs about a nanosecond a row."""
        cdef Py_ssize_t i
        with nogil:
            for i in range(rows.length):
                self._see(rows.data + i)
            if 0 < self._bid < self._ask:
                self.mid = 0.5 * <float64_t> (self._bid + self._ask)
