# From the bytes of a WebSocket frame to rows, without a Python object in between.
from hypermm._core._types cimport int64_t, uint8_t
from hypermm._core.rows cimport Rows

cdef enum Verdict:
    VERDICT_OK = 0
    VERDICT_NOT_MINE = -1   # another channel, coin or form: use the general decoder
    VERDICT_MALFORMED = -2  # breaks JSON, the form of its channel or the decimal grammar
    VERDICT_NO_ROOM = -3    # more rows than the window has room for

cdef enum Channel:
    CHANNEL_OTHER = 0
    CHANNEL_BOOK = 1
    CHANNEL_BBO = 2
    CHANNEL_TRADES = 3

# The unread rest of a frame. `end` is one past its last byte; nothing at or after it is read.
cdef struct Text:
    const uint8_t* at
    const uint8_t* end


cimport cython


@cython.final
cdef class Scanner:
    cdef bytes _coin
    cdef const uint8_t* coin     # its bytes
    cdef Py_ssize_t coin_length
    cdef int price_decimals      # 0 to 6
    cdef int size_decimals       # 0 to 6
    cdef Channel kind            # of the last frame scanned
    cdef bint is_fast            # whether it was a book of the top levels only

    # Each reads from its text and adds rows; what it added before a refusal the door drops.
    cdef Verdict scan_frame(self, Text text, Rows rows, uint8_t trade_flags) noexcept nogil
    cdef Verdict scan_data(self, Text* text, Rows rows, uint8_t trade_flags) noexcept nogil
    cdef Verdict scan_book(self, Text* text, Rows rows) noexcept nogil
    cdef Verdict scan_sides(self, Text* text, Rows rows) noexcept nogil
    cdef Verdict scan_bbo(self, Text* text, Rows rows) noexcept nogil
    cdef Verdict scan_quotes(self, Text* text, Rows rows) noexcept nogil
    cdef Verdict scan_trades(self, Text* text, Rows rows, uint8_t trade_flags) noexcept nogil
    cdef Verdict scan_trade(self, Text* text, Rows rows, uint8_t trade_flags) noexcept nogil
    cdef Verdict scan_level(
        self, Text* text, Rows rows, uint8_t kind, int side, int index
    ) noexcept nogil
    cdef Verdict is_mine(self, Text text) noexcept nogil
