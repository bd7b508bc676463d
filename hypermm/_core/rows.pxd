# Market data as rows: one C struct, which is one numpy dtype. Live, the scanner writes them from
# a frame's bytes; in a backtest they are the recording's own array. Kernels walk them without the
# GIL.
from hypermm._core._types cimport int8_t, int64_t, uint8_t, uint32_t

cdef enum Kind:
    KIND_TRADE = 1    # somebody's trade: side of the aggressor, price, size, trade id
    KIND_LEVEL = 2    # one level of a book frame, best first, bids then asks
    KIND_QUOTE = 3    # one side of the best quote; size 0 means that side is empty
    KIND_CONTEXT = 4  # one figure of the asset context; `index` says which

cdef enum Flag:
    FLAG_FIRST = 1     # first row of its frame
    FLAG_LAST = 2      # last row of its frame: what it describes is complete
    FLAG_SNAPSHOT = 4  # trades re-sent on subscribing: known, but no arrivals
    FLAG_TOP = 8       # the book frame holds only the top levels (the `fast` form)
    FLAG_FORCED = 16   # a trade without a transaction of its own: liquidations and the like

cdef enum Context:
    CONTEXT_MARK = 0           # `price` in units of 1e-12 USD
    CONTEXT_ORACLE = 1         # the same unit
    CONTEXT_FUNDING = 2        # `price` holds the hourly rate in units of 1e-12
    CONTEXT_OPEN_INTEREST = 3  # `size` in lots
    CONTEXT_DAY_VOLUME = 4     # `size` in lots traded in 24 hours
    CONTEXT_PREMIUM = 5        # `price` holds the premium over the oracle in units of 1e-12

cdef struct Row:
    int64_t exch_ns  # the venue's stamp, ns since 1970 UTC; 0 where the venue gives none
    int64_t price    # integer price, units of 10**-(6 - size_decimals), > 0
    int64_t size     # lots, >= 0
    int64_t id       # trade id; 0 for other kinds
    uint32_t count   # orders at the level; 0 where unknown
    uint8_t kind     # Kind
    int8_t side      # +1 bid or aggressive buy, -1 ask or aggressive sell, 0 for context
    uint8_t index    # depth of a level (0 is best), or Context
    uint8_t flags    # Flag, or-ed


cdef class Rows:
    cdef Row* data                     # first row of this window
    cdef readonly Py_ssize_t capacity  # rows that fit into this window
    cdef Py_ssize_t length             # rows in use
    cdef object _owner                 # keeps the memory alive
    cdef Row* next(self) noexcept nogil
