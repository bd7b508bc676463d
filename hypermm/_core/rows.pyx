"""The market-data row and windows on arrays of rows.

A `Rows` is a window on memory that somebody else may own: slicing one copies nothing. A window
taken with `window` is valid as long as its parent is not cleared and refilled.
"""

import numpy as np

KIND_NAMES = {
    KIND_TRADE: "trade",
    KIND_LEVEL: "level",
    KIND_QUOTE: "quote",
    KIND_CONTEXT: "context",
}

TRADE = KIND_TRADE
LEVEL = KIND_LEVEL
QUOTE = KIND_QUOTE
CONTEXT = KIND_CONTEXT
FIRST = FLAG_FIRST
LAST = FLAG_LAST
SNAPSHOT = FLAG_SNAPSHOT
TOP = FLAG_TOP
FORCED = FLAG_FORCED
MARK = CONTEXT_MARK
ORACLE = CONTEXT_ORACLE
FUNDING = CONTEXT_FUNDING
OPEN_INTEREST = CONTEXT_OPEN_INTEREST
DAY_VOLUME = CONTEXT_DAY_VOLUME
PREMIUM = CONTEXT_PREMIUM

ROW_DTYPE = np.dtype(
    [
        ("exch_ns", np.int64),
        ("price", np.int64),
        ("size", np.int64),
        ("id", np.int64),
        ("count", np.uint32),
        ("kind", np.uint8),
        ("side", np.int8),
        ("index", np.uint8),
        ("flags", np.uint8),
    ]
)
assert ROW_DTYPE.itemsize == sizeof(Row)


cdef class Rows:
    """A window on an array of market-data rows.

    Parameters
    ----------
    array : array of ROW_DTYPE, shape (n,), contiguous and writable
        The rows; borrowed, never copied.

    Raises
    ------
    ValueError
        If the array has another dtype or is not contiguous.
    """

    def __init__(self, array):
        cdef unsigned char[::1] raw
        if array.dtype != ROW_DTYPE or array.ndim != 1 or not array.flags.c_contiguous:
            raise ValueError(
                f"array must be one-dimensional, contiguous and of ROW_DTYPE: {array.dtype}"
            )
        self._owner = array
        self.capacity = self.length = array.shape[0]
        self.data = NULL
        if self.capacity > 0:
            raw = array.view(np.uint8)
            self.data = <Row*> &raw[0]

    @staticmethod
    def allocate(Py_ssize_t capacity):
        """Make an empty window on new memory for `capacity` rows."""
        if capacity < 0:
            raise ValueError(f"capacity must be >= 0 rows: {capacity}")
        cdef Rows rows = Rows(np.zeros(capacity, ROW_DTYPE))
        rows.length = 0
        return rows

    def __len__(self):
        return self.length

    @property
    def array(self):
        """The rows as a numpy array of shape (len(self),): a view, not a copy."""
        return self._owner[: self.length]

    def window(self, Py_ssize_t start, Py_ssize_t stop):
        """Make a window on rows `start` to `stop` (exclusive). Nothing is copied.

        Raises
        ------
        IndexError
            If the range does not lie inside the rows in use.
        """
        if not 0 <= start <= stop <= self.length:
            raise IndexError(f"rows {start} to {stop} do not lie inside 0 to {self.length}")
        cdef Rows rows = Rows.__new__(Rows)
        rows.data = self.data + start
        rows.capacity = rows.length = stop - start
        rows._owner = self._owner[start:stop]
        return rows

    def clear(self):
        """Forget the rows; the memory is used again. Windows on it are void."""
        self.length = 0

    cdef Row* next(self) noexcept nogil:
        # The next free row, zeroed, or NULL when the window is full.
        cdef Row* row
        if self.length == self.capacity:
            return NULL
        row = self.data + self.length
        self.length += 1
        row.exch_ns = row.price = row.size = row.id = 0
        row.count = 0
        row.kind = row.index = row.flags = 0
        row.side = 0
        return row

    def append(
        self,
        *,
        int kind,
        int side=0,
        int64_t exch_ns=0,
        int64_t price=0,
        int64_t size=0,
        int64_t id=0,
        uint32_t count=0,
        int index=0,
        int flags=0,
    ):
        """Add one row.

        Raises
        ------
        OverflowError
            If the window is full.
        """
        cdef Row* row = self.next()
        if row == NULL:
            raise OverflowError(f"the window holds {self.capacity} rows and is full")
        row.exch_ns = exch_ns
        row.price = price
        row.size = size
        row.id = id
        row.count = count
        row.kind = <uint8_t> kind
        row.side = <int8_t> side
        row.index = <uint8_t> index
        row.flags = <uint8_t> flags


EMPTY = Rows.allocate(0)
