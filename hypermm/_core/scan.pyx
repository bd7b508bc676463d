"""Scans WebSocket frames of one market (`l2Book`, `bbo`, `trades`) straight into rows.

Strict, because these numbers become prices: a decimal is digits, or digits, a point and digits, in
quotes; zeros beyond the market's decimals are dropped, other digits there refuse the frame. Keys
may come in any order, unknown ones are skipped, and a known one that repeats or is missing refuses
the frame. A frame gives all of its rows or none.
"""

cimport cython
from libc.string cimport memchr, memcmp

from hypermm._core._types cimport int64_t, uint8_t, uint32_t, uint64_t
from hypermm._core.rows cimport (
    FLAG_FIRST,
    FLAG_FORCED,
    FLAG_LAST,
    FLAG_SNAPSHOT,
    FLAG_TOP,
    KIND_LEVEL,
    KIND_QUOTE,
    KIND_TRADE,
    Row,
    Rows,
)

NOT_MINE = VERDICT_NOT_MINE
MALFORMED = VERDICT_MALFORMED

cdef enum:
    DEPTH_MAX = 32          # containers inside each other
    DIGITS_MAX = 40         # before, and after, the point
    SIDE_LEVELS_MAX = 256   # of a book
    DECIMALS_MAX = 6

cdef uint64_t INT64_MAX = 0x7FFFFFFFFFFFFFFF
cdef uint64_t UINT32_MAX = 0xFFFFFFFF
cdef int64_t NS_PER_MS = 1_000_000
cdef uint64_t MILLIS_MAX = INT64_MAX // NS_PER_MS

# Keys that mean something, as bits, so that a repeated one is seen. KEY_BAD: not a key at all.
cdef enum Key:
    KEY_OTHER = 0
    KEY_N = 1
    KEY_PX = 2
    KEY_SZ = 4
    KEY_TID = 8
    KEY_BBO = 16
    KEY_COIN = 32
    KEY_TIME = 64
    KEY_SIDE = 128
    KEY_FAST = 256
    KEY_DATA = 512
    KEY_LEVELS = 1024
    KEY_CHANNEL = 2048
    KEY_HASH = 4096
    KEY_BAD = 8192

cdef tuple CHANNEL_NAMES = ("", "l2Book", "bbo", "trades")


cdef inline void skip_space(Text* text) noexcept nogil:
    while text.at < text.end and (
        text.at[0] == c" " or text.at[0] == c"\n" or text.at[0] == c"\r" or text.at[0] == c"\t"
    ):
        text.at += 1


cdef inline bint take(Text* text, uint8_t mark) noexcept nogil:
    # Whether the next byte but space is `mark`; if so it is read.
    skip_space(text)
    if text.at < text.end and text.at[0] == mark:
        text.at += 1
        return True
    return False


cdef inline bint take_word(Text* text, const char* word, Py_ssize_t length) noexcept nogil:
    if text.end - text.at < length or memcmp(text.at, word, length) != 0:
        return False
    text.at += length
    return True


cdef inline bint is_digit(Text* text) noexcept nogil:
    return text.at < text.end and c"0" <= text.at[0] <= c"9"


cdef inline bint is_hex(uint8_t mark) noexcept nogil:
    return c"0" <= mark <= c"9" or c"a" <= mark <= c"f" or c"A" <= mark <= c"F"


cdef const uint8_t* skip_escape(const uint8_t* at, const uint8_t* end) noexcept nogil:
    # From the backslash to what follows the escape; NULL if it is none.
    if end - at < 2:
        return NULL
    if memchr(b'"\\/bfnrt', at[1], 8) != NULL:
        return at + 2
    if at[1] != c"u" or end - at < 6:
        return NULL
    if is_hex(at[2]) and is_hex(at[3]) and is_hex(at[4]) and is_hex(at[5]):
        return at + 6
    return NULL


cdef bint read_string(Text* text, Text* out) noexcept nogil:
    # Any JSON string; `out` is what stands between the quotes, escapes and all.
    cdef const uint8_t* at
    cdef const uint8_t* end = text.end
    if not take(text, c'"'):
        return False
    at = out.at = text.at
    while at < end and at[0] != c'"':
        if at[0] == c"\\":
            at = skip_escape(at, end)
            if at == NULL:
                return False
        elif at[0] < 0x20:
            return False
        else:
            at += 1
    if at == end:
        return False
    out.end = at
    text.at = at + 1
    return True


cdef inline bint equals(Text text, const char* word, Py_ssize_t length) noexcept nogil:
    return text.end - text.at == length and memcmp(text.at, word, length) == 0


cdef bint is_no_hash(Text word) noexcept nogil:
    # 0x and only zeros: the trade came of no transaction, as in a liquidation.
    if word.end - word.at < 3 or word.at[0] != c"0" or word.at[1] != c"x":
        return False
    word.at += 2
    while word.at < word.end and word.at[0] == c"0":
        word.at += 1
    return word.at == word.end


cdef Key read_key(Text* text) noexcept nogil:
    # A key and its colon. First those that make up most of a book, as they are sent.
    cdef Text key
    if take_word(text, b'"px":', 5):
        return KEY_PX
    if take_word(text, b'"sz":', 5):
        return KEY_SZ
    if take_word(text, b'"n":', 4):
        return KEY_N
    if not read_string(text, &key) or not take(text, c":"):
        return KEY_BAD
    cdef Py_ssize_t length = key.end - key.at
    if length == 2:
        if key.at[0] == c"p" and key.at[1] == c"x":
            return KEY_PX
        if key.at[0] == c"s" and key.at[1] == c"z":
            return KEY_SZ
    elif length == 1:
        if key.at[0] == c"n":
            return KEY_N
    elif length == 3:
        if equals(key, "tid", 3):
            return KEY_TID
        if equals(key, "bbo", 3):
            return KEY_BBO
    elif length == 4:
        if equals(key, "coin", 4):
            return KEY_COIN
        if equals(key, "time", 4):
            return KEY_TIME
        if equals(key, "side", 4):
            return KEY_SIDE
        if equals(key, "fast", 4):
            return KEY_FAST
        if equals(key, "data", 4):
            return KEY_DATA
        if equals(key, "hash", 4):
            return KEY_HASH
    elif equals(key, "levels", 6):
        return KEY_LEVELS
    elif equals(key, "channel", 7):
        return KEY_CHANNEL
    return KEY_OTHER


cdef bint skip_digits(Text* text) noexcept nogil:
    if not is_digit(text):
        return False
    while is_digit(text):
        text.at += 1
    return True


cdef bint skip_number(Text* text) noexcept nogil:
    if text.at < text.end and text.at[0] == c"-":
        text.at += 1
    if text.at < text.end and text.at[0] == c"0":
        text.at += 1
    elif not skip_digits(text):
        return False
    if text.at < text.end and text.at[0] == c".":
        text.at += 1
        if not skip_digits(text):
            return False
    if text.at < text.end and (text.at[0] == c"e" or text.at[0] == c"E"):
        text.at += 1
        if text.at < text.end and (text.at[0] == c"+" or text.at[0] == c"-"):
            text.at += 1
        return skip_digits(text)
    return True


cdef bint skip_scalar(Text* text) noexcept nogil:
    cdef Text ignored
    if text.at == text.end:
        return False
    if text.at[0] == c'"':
        return read_string(text, &ignored)
    if text.at[0] == c"-" or is_digit(text):
        return skip_number(text)
    return take_word(text, "true", 4) or take_word(text, "false", 5) or take_word(text, "null", 4)


cdef bint skip_value(Text* text) noexcept nogil:
    cdef uint64_t is_object = 0  # bit i: the container at depth i is an object
    cdef int depth = 0
    cdef bint is_closed, is_brace
    while True:
        is_brace = take(text, c"{")
        if is_brace or take(text, c"["):
            if depth == DEPTH_MAX:
                return False
            depth += 1
            is_object &= ~(<uint64_t> 1 << depth)
            is_object |= <uint64_t> is_brace << depth
            is_closed = take(text, c"}" if is_brace else c"]")
            if is_closed:
                depth -= 1
        else:
            is_closed = skip_scalar(text)
            if not is_closed:
                return False
        # After a value: the ends of its containers, then a comma if there is another.
        while is_closed and depth > 0:
            if take(text, c","):
                is_closed = False
            elif take(text, c"}" if is_object >> depth & 1 else c"]"):
                depth -= 1
            else:
                return False
        if is_closed:
            return True
        if is_object >> depth & 1 and read_key(text) == KEY_BAD:
            return False


cdef inline bint push_digit(uint64_t* value, uint8_t digit) noexcept nogil:
    # Add a decimal digit; false beyond 2**63 - 1 = 922337203685477580 * 10 + 7.
    if value[0] >= 922337203685477580ULL:
        if value[0] > 922337203685477580ULL or digit > 7:
            return False
    value[0] = value[0] * 10 + digit
    return True


cdef inline bint read_decimal(Text* text, int decimals, int64_t* out) noexcept nogil:
    cdef const uint8_t* at
    cdef const uint8_t* end = text.end
    cdef uint64_t value = 0
    cdef int digits = 0, kept = 0
    if not take(text, c'"'):
        return False
    at = text.at
    while at < end and c"0" <= at[0] <= c"9":
        if not push_digit(&value, at[0] - c"0"):
            return False
        digits += 1
        at += 1
    if digits == 0 or digits > DIGITS_MAX:
        return False
    if at < end and at[0] == c".":
        at += 1
        digits = 0
        while at < end and c"0" <= at[0] <= c"9":
            if kept < decimals:
                if not push_digit(&value, at[0] - c"0"):
                    return False
                kept += 1
            elif at[0] != c"0":
                return False
            digits += 1
            at += 1
        if digits == 0 or digits > DIGITS_MAX:
            return False
    while kept < decimals:
        if not push_digit(&value, 0):
            return False
        kept += 1
    out[0] = <int64_t> value
    if at == end or at[0] != c'"':
        return False
    text.at = at + 1
    return True


cdef inline bint read_uint(Text* text, uint64_t limit, uint64_t* out) noexcept nogil:
    # A whole JSON number, not negative, without a leading zero; what follows is the caller's.
    cdef const uint8_t* at
    cdef const uint8_t* end = text.end
    cdef uint64_t value = 0
    skip_space(text)
    at = text.at
    while at < end and c"0" <= at[0] <= c"9":
        if not push_digit(&value, at[0] - c"0"):
            return False
        at += 1
    if at == text.at or (text.at[0] == c"0" and at - text.at > 1) or value > limit:
        return False
    out[0] = value
    text.at = at
    return True


cdef inline Verdict next_member(Text* text, bint* is_last) noexcept nogil:
    # After a member of an object: a comma, or the end.
    if take(text, c","):
        is_last[0] = False
        return VERDICT_OK
    if take(text, c"}"):
        is_last[0] = True
        return VERDICT_OK
    return VERDICT_MALFORMED


cdef void close_frame(Rows rows, Py_ssize_t start, int64_t exch_ns, uint8_t flags) noexcept nogil:
    # Stamp and flag the rows of a frame, which begin at `start`.
    cdef Py_ssize_t i
    for i in range(start, rows.length):
        rows.data[i].exch_ns = exch_ns
        rows.data[i].flags |= flags
    rows.data[start].flags |= FLAG_FIRST
    rows.data[rows.length - 1].flags |= FLAG_LAST


@cython.final
cdef class Scanner:
    """Scans frames of one market into rows.

    Parameters
    ----------
    coin : str
        The market's name in feeds.
    price_decimals, size_decimals : int
        Decimals of the rows' integer prices and sizes, 0 to 6.

    Raises
    ------
    ValueError
        If a number of decimals is outside its domain or the name is empty.

    Notes
    -----
    Allocates nothing while it scans. The grammar of a decimal is `[0-9]{1,40}(\\.[0-9]{1,40})?` and
    its value fits 63 bits; a price or size of zero is no price and no size.
    """

    def __init__(self, str coin, int price_decimals, int size_decimals):
        if not coin:
            raise ValueError("coin must not be empty")
        if not 0 <= price_decimals <= DECIMALS_MAX:
            raise ValueError(f"price_decimals must be 0 to {DECIMALS_MAX}: {price_decimals}")
        if not 0 <= size_decimals <= DECIMALS_MAX:
            raise ValueError(f"size_decimals must be 0 to {DECIMALS_MAX}: {size_decimals}")
        self._coin = coin.encode()
        self.coin = self._coin
        self.coin_length = len(self._coin)
        self.price_decimals = price_decimals
        self.size_decimals = size_decimals
        self.kind = CHANNEL_OTHER
        self.is_fast = False

    @property
    def channel(self):
        """Channel of the last frame that was scanned; empty before the first."""
        return CHANNEL_NAMES[self.kind]

    @property
    def is_top(self):
        """Whether it was a book of the top levels only (the `fast` form)."""
        return self.is_fast

    def scan(self, bytes frame not None, Rows rows not None, bint is_snapshot=False):
        """Add the rows of a frame.

        Parameters
        ----------
        frame : bytes
            The frame's text.
        rows : Rows
            Receives the rows.
        is_snapshot : bool
            Whether trades are those that the exchange re-sends on subscribing.

        Returns
        -------
        int
            How many rows were added (0 for an empty list of trades); NOT_MINE for a frame of
            another market, channel or form; MALFORMED for one that breaks the exchange's grammar.
            In the last two cases no row was added.

        Raises
        ------
        OverflowError
            If the window has no room for all rows of the frame; none was added.
        """
        cdef Py_ssize_t start = rows.length
        cdef Text text
        cdef Verdict verdict
        cdef uint8_t trade_flags = FLAG_SNAPSHOT if is_snapshot else 0
        if not frame.isascii():
            try:
                frame.decode()
            except UnicodeDecodeError:
                return VERDICT_MALFORMED
        text.at = frame
        text.end = text.at + len(frame)
        with nogil:
            verdict = self.scan_frame(text, rows, trade_flags)
        if verdict == VERDICT_OK:
            return rows.length - start
        rows.length = start
        if verdict == VERDICT_NO_ROOM:
            raise OverflowError(f"the window holds {rows.capacity} rows and has no room")
        return verdict

    cdef Verdict scan_frame(self, Text text, Rows rows, uint8_t trade_flags) noexcept nogil:
        cdef Text data, name
        cdef Key key
        cdef int seen = 0
        cdef bint is_last = False, is_scanned = False
        cdef Channel channel = CHANNEL_OTHER
        cdef Verdict verdict
        if not take(&text, c"{") or take(&text, c"}"):
            return VERDICT_NOT_MINE
        while not is_last:
            key = read_key(&text)
            if key == KEY_BAD or key & seen:
                return VERDICT_MALFORMED
            seen |= key
            if key == KEY_CHANNEL:
                if not read_string(&text, &name):
                    return VERDICT_MALFORMED
                if equals(name, "l2Book", 6):
                    channel = CHANNEL_BOOK
                elif equals(name, "bbo", 3):
                    channel = CHANNEL_BBO
                elif equals(name, "trades", 6):
                    channel = CHANNEL_TRADES
                else:
                    return VERDICT_NOT_MINE
                self.kind = channel
            elif key == KEY_DATA and channel != CHANNEL_OTHER:
                verdict = self.scan_data(&text, rows, trade_flags)
                if verdict != VERDICT_OK:
                    return verdict
                is_scanned = True
            else:
                if key == KEY_DATA:
                    data = text
                if not skip_value(&text):
                    return VERDICT_MALFORMED
            verdict = next_member(&text, &is_last)
            if verdict != VERDICT_OK:
                return verdict
        skip_space(&text)
        if text.at != text.end:
            return VERDICT_MALFORMED
        if channel == CHANNEL_OTHER:
            return VERDICT_NOT_MINE
        if is_scanned:
            return VERDICT_OK
        return self.scan_data(&data, rows, trade_flags) if seen & KEY_DATA else VERDICT_MALFORMED

    cdef Verdict scan_data(self, Text* text, Rows rows, uint8_t trade_flags) noexcept nogil:
        self.is_fast = False
        if self.kind == CHANNEL_BOOK:
            return self.scan_book(text, rows)
        if self.kind == CHANNEL_BBO:
            return self.scan_bbo(text, rows)
        return self.scan_trades(text, rows, trade_flags)

    cdef Verdict is_mine(self, Text text) noexcept nogil:
        # Whether the object that begins here is of our coin. Its numbers are not looked at: another
        # market's may have more decimals than ours.
        cdef Key key
        cdef Text name
        cdef bint is_last = False
        if not take(&text, c"{"):
            return VERDICT_MALFORMED
        while not is_last:
            key = read_key(&text)
            if key == KEY_COIN:
                if not read_string(&text, &name):
                    return VERDICT_MALFORMED
                if equals(name, <const char*> self.coin, self.coin_length):
                    return VERDICT_OK
                return VERDICT_NOT_MINE
            if key == KEY_BAD or not skip_value(&text):
                return VERDICT_MALFORMED
            if next_member(&text, &is_last) != VERDICT_OK:
                return VERDICT_MALFORMED
        return VERDICT_MALFORMED

    cdef Verdict scan_book(self, Text* text, Rows rows) noexcept nogil:
        cdef Py_ssize_t start = rows.length
        cdef Key key
        cdef int seen = 0
        cdef uint64_t time = 0
        cdef bint is_last = False
        cdef Verdict verdict = self.is_mine(text[0])
        if verdict != VERDICT_OK:
            return verdict
        take(text, c"{")
        while not is_last:
            key = read_key(text)
            if key == KEY_BAD or key & seen:
                return VERDICT_MALFORMED
            seen |= key
            if key == KEY_LEVELS:
                verdict = self.scan_sides(text, rows)
                if verdict != VERDICT_OK:
                    return verdict
            elif key == KEY_TIME:
                if not read_uint(text, MILLIS_MAX, &time):
                    return VERDICT_MALFORMED
            elif key == KEY_FAST:
                skip_space(text)
                self.is_fast = take_word(text, "true", 4)
                if not self.is_fast and not take_word(text, "false", 5):
                    return VERDICT_MALFORMED
            elif not skip_value(text):
                return VERDICT_MALFORMED
            verdict = next_member(text, &is_last)
            if verdict != VERDICT_OK:
                return verdict
        if not (seen & KEY_TIME and seen & KEY_LEVELS):
            return VERDICT_MALFORMED
        close_frame(rows, start, time * NS_PER_MS, FLAG_TOP if self.is_fast else 0)
        return VERDICT_OK

    cdef Verdict scan_sides(self, Text* text, Rows rows) noexcept nogil:
        cdef Py_ssize_t start = rows.length
        cdef int side, index
        cdef Row* row
        cdef Verdict verdict
        if not take(text, c"["):
            return VERDICT_MALFORMED
        for side in range(1, -2, -2):
            if side == -1 and not take(text, c","):
                return VERDICT_MALFORMED
            if not take(text, c"["):
                return VERDICT_MALFORMED
            if take(text, c"]"):
                continue
            for index in range(SIDE_LEVELS_MAX + 1):
                if index == SIDE_LEVELS_MAX:
                    return VERDICT_MALFORMED
                verdict = self.scan_level(text, rows, KIND_LEVEL, side, index)
                if verdict != VERDICT_OK:
                    return verdict
                if take(text, c"]"):
                    break
                if not take(text, c","):
                    return VERDICT_MALFORMED
        if rows.length == start:  # an empty book is one level of size 0
            row = rows.next()
            if row == NULL:
                return VERDICT_NO_ROOM
            row.kind = KIND_LEVEL
            row.side = 1
        return VERDICT_OK if take(text, c"]") else VERDICT_MALFORMED

    cdef Verdict scan_bbo(self, Text* text, Rows rows) noexcept nogil:
        cdef Py_ssize_t start = rows.length
        cdef Key key
        cdef int seen = 0
        cdef uint64_t time = 0
        cdef bint is_last = False
        cdef Verdict verdict = self.is_mine(text[0])
        if verdict != VERDICT_OK:
            return verdict
        take(text, c"{")
        while not is_last:
            key = read_key(text)
            if key == KEY_BAD or key & seen:
                return VERDICT_MALFORMED
            seen |= key
            if key == KEY_BBO:
                verdict = self.scan_quotes(text, rows)
                if verdict != VERDICT_OK:
                    return verdict
            elif key == KEY_TIME:
                if not read_uint(text, MILLIS_MAX, &time):
                    return VERDICT_MALFORMED
            elif not skip_value(text):
                return VERDICT_MALFORMED
            verdict = next_member(text, &is_last)
            if verdict != VERDICT_OK:
                return verdict
        if not (seen & KEY_TIME and seen & KEY_BBO):
            return VERDICT_MALFORMED
        close_frame(rows, start, time * NS_PER_MS, 0)
        return VERDICT_OK

    cdef Verdict scan_quotes(self, Text* text, Rows rows) noexcept nogil:
        cdef int side
        cdef Row* row
        cdef Verdict verdict
        if not take(text, c"["):
            return VERDICT_MALFORMED
        for side in range(1, -2, -2):
            if side == -1 and not take(text, c","):
                return VERDICT_MALFORMED
            skip_space(text)
            if take_word(text, "null", 4):
                row = rows.next()
                if row == NULL:
                    return VERDICT_NO_ROOM
                row.kind = KIND_QUOTE
                row.side = side
            else:
                verdict = self.scan_level(text, rows, KIND_QUOTE, side, 0)
                if verdict != VERDICT_OK:
                    return verdict
        return VERDICT_OK if take(text, c"]") else VERDICT_MALFORMED

    cdef Verdict scan_level(
        self, Text* text, Rows rows, uint8_t kind, int side, int index
    ) noexcept nogil:
        cdef Key key
        cdef int seen = 0
        cdef uint64_t count = 0
        cdef bint is_last = False
        cdef Row* row
        if not take(text, c"{"):
            return VERDICT_MALFORMED
        row = rows.next()
        if row == NULL:
            return VERDICT_NO_ROOM
        while not is_last:
            key = read_key(text)
            if key == KEY_BAD or key & seen:
                return VERDICT_MALFORMED
            seen |= key
            if key == KEY_PX:
                if not read_decimal(text, self.price_decimals, &row.price):
                    return VERDICT_MALFORMED
            elif key == KEY_SZ:
                if not read_decimal(text, self.size_decimals, &row.size):
                    return VERDICT_MALFORMED
            elif key == KEY_N:
                if not read_uint(text, UINT32_MAX, &count):
                    return VERDICT_MALFORMED
            elif not skip_value(text):
                return VERDICT_MALFORMED
            if next_member(text, &is_last) != VERDICT_OK:
                return VERDICT_MALFORMED
        if row.price == 0 or row.size == 0 or not seen & KEY_N:
            return VERDICT_MALFORMED
        row.count = <uint32_t> count
        row.kind = kind
        row.side = side
        row.index = index
        return VERDICT_OK

    cdef Verdict scan_trades(self, Text* text, Rows rows, uint8_t trade_flags) noexcept nogil:
        cdef Py_ssize_t start = rows.length
        cdef Verdict verdict
        if not take(text, c"["):
            return VERDICT_MALFORMED
        if take(text, c"]"):
            return VERDICT_OK
        verdict = self.is_mine(text[0])
        if verdict != VERDICT_OK:
            return verdict
        while True:
            verdict = self.scan_trade(text, rows, trade_flags)
            if verdict != VERDICT_OK:
                return verdict
            if take(text, c"]"):
                break
            if not take(text, c","):
                return VERDICT_MALFORMED
        rows.data[start].flags |= FLAG_FIRST
        rows.data[rows.length - 1].flags |= FLAG_LAST
        return VERDICT_OK

    cdef Verdict scan_trade(self, Text* text, Rows rows, uint8_t trade_flags) noexcept nogil:
        cdef Key key
        cdef int seen = 0
        cdef uint64_t time = 0, tid = 0
        cdef bint is_last = False
        cdef Text word
        cdef Row* row
        if not take(text, c"{"):
            return VERDICT_MALFORMED
        row = rows.next()
        if row == NULL:
            return VERDICT_NO_ROOM
        while not is_last:
            key = read_key(text)
            if key == KEY_BAD or key & seen:
                return VERDICT_MALFORMED
            seen |= key
            if key == KEY_PX:
                if not read_decimal(text, self.price_decimals, &row.price):
                    return VERDICT_MALFORMED
            elif key == KEY_SZ:
                if not read_decimal(text, self.size_decimals, &row.size):
                    return VERDICT_MALFORMED
            elif key == KEY_TIME:
                if not read_uint(text, MILLIS_MAX, &time):
                    return VERDICT_MALFORMED
            elif key == KEY_TID:
                if not read_uint(text, INT64_MAX, &tid):
                    return VERDICT_MALFORMED
            elif key == KEY_SIDE:
                if not read_string(text, &word):
                    return VERDICT_MALFORMED
                row.side = 1 if equals(word, "B", 1) else -1
                if row.side == -1 and not equals(word, "A", 1):
                    return VERDICT_MALFORMED
            elif key == KEY_COIN:
                if not read_string(text, &word):
                    return VERDICT_MALFORMED
                if not equals(word, <const char*> self.coin, self.coin_length):
                    return VERDICT_MALFORMED
            elif key == KEY_HASH:
                if not read_string(text, &word):
                    return VERDICT_MALFORMED
                if is_no_hash(word):
                    trade_flags |= FLAG_FORCED
            elif not skip_value(text):
                return VERDICT_MALFORMED
            if next_member(text, &is_last) != VERDICT_OK:
                return VERDICT_MALFORMED
        if row.price == 0 or row.size == 0 or row.side == 0:
            return VERDICT_MALFORMED
        if not (seen & KEY_TIME and seen & KEY_TID and seen & KEY_COIN):
            return VERDICT_MALFORMED
        row.exch_ns = time * NS_PER_MS
        row.id = tid
        row.kind = KIND_TRADE
        row.flags = trade_flags
        return VERDICT_OK
