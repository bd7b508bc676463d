"""The scanner in plain Python: a JSON library, exact decimals, and the rules one by one."""

import json
import re
from decimal import Context, Decimal

DECIMAL = re.compile(r"[0-9]{1,40}(?:\.[0-9]{1,40})?", re.ASCII)
UINT = re.compile(r"0|[1-9][0-9]*", re.ASCII)
INT64_MAX = 2**63 - 1
EXACT = Context(prec=100)
KNOWN = {
    *("n", "px", "sz", "tid", "bbo", "coin", "time", "side", "fast", "data", "levels", "channel"),
    "hash",
}
NOT_MINE, MALFORMED = -1, -2

TRADE, LEVEL, QUOTE = 1, 2, 3
FIRST, LAST, SNAPSHOT, TOP, FORCED = 1, 2, 4, 8, 16


class NotMineError(Exception):
    """Another market, channel or form."""


class MalformedError(Exception):
    """Breaks the exchange's grammar."""


class Number(str):
    """A JSON number as written."""


def parse(frame: bytes):
    """Read JSON; objects become lists of pairs in a tuple, numbers keep their text."""

    def refuse(word):
        raise MalformedError(word)

    try:
        return json.loads(
            frame.decode(),
            object_pairs_hook=tuple,
            parse_int=Number,
            parse_float=Number,
            parse_constant=refuse,
        )
    except (ValueError, RecursionError) as error:
        raise MalformedError(str(error)) from error


def members(value, known):
    """Return some members of an object; a word of the exchange that repeats is refused."""
    if not isinstance(value, tuple):
        raise MalformedError("not an object")
    keys = [key for key, _ in value if key in KNOWN]
    if len(keys) != len(set(keys)):
        raise MalformedError("a key repeats")
    return {key: member for key, member in value if key in known}


def number(value, decimals):
    """Read a decimal in quotes as an integer above zero of 10**-decimals."""
    if type(value) is not str or not DECIMAL.fullmatch(value):
        raise MalformedError("not a decimal")
    scaled = Decimal(value).scaleb(decimals, EXACT)
    if scaled != int(scaled) or not 0 < scaled <= INT64_MAX:
        raise MalformedError("not a number of this market")
    return int(scaled)


def uint(value, limit):
    """Read a whole JSON number."""
    if type(value) is not Number or not UINT.fullmatch(value) or int(value) > limit:
        raise MalformedError("not a whole number")
    return int(value)


def exch_ns(value):
    """Read milliseconds as nanoseconds that fit 64 bits."""
    return uint(value, INT64_MAX // 1_000_000) * 1_000_000


def array(value, length=None):
    """Check for an array, maybe of a certain length."""
    if type(value) is not list or (length is not None and len(value) != length):
        raise MalformedError("not the array that is due")
    return value


def flagged(rows, flags=0):
    """Mark the first and last row of a frame."""
    rows = [dict(row, flags=row["flags"] | flags) for row in rows]
    rows[0]["flags"] |= FIRST
    rows[-1]["flags"] |= LAST
    return rows


def new_row(**fields):
    """Make a row with zeros where nothing is said."""
    names = ("exch_ns", "price", "size", "id", "count", "kind", "side", "index", "flags")
    return dict.fromkeys(names, 0) | fields


class Scanner:
    """Same as `hypermm._core.scan.Scanner`, but returns rows as a list of dicts, or a verdict."""

    def __init__(self, coin, price_decimals, size_decimals):
        self.coin = coin
        self.price_decimals = price_decimals
        self.size_decimals = size_decimals

    def scan(self, frame, is_snapshot=False):
        """Return the rows of a frame, NOT_MINE or MALFORMED."""
        try:
            return self._frame(frame, is_snapshot)
        except NotMineError:
            return NOT_MINE
        except MalformedError:
            return MALFORMED

    def _frame(self, frame, is_snapshot):
        if not frame.lstrip(b" \t\r\n").startswith(b"{"):
            raise NotMineError
        pairs = parse(frame)
        top = members(pairs, {"channel", "data"})
        if "channel" not in top:
            raise NotMineError
        if type(top["channel"]) is not str:
            raise MalformedError("channel")
        read = {"l2Book": self._book, "bbo": self._bbo, "trades": self._trades}
        if top["channel"] not in read:
            raise NotMineError
        if "data" not in top:
            raise MalformedError("no data")
        if top["channel"] == "trades":
            return self._trades(top["data"], SNAPSHOT if is_snapshot else 0)
        return read[top["channel"]](top["data"])

    def _check_coin(self, value):
        coin = members(value, {"coin"}).get("coin")
        if type(coin) is not str:
            raise MalformedError("coin")
        if coin != self.coin:
            raise NotMineError

    def _book(self, data):
        self._check_coin(data)
        book = members(data, {"coin", "time", "levels", "fast"})
        fast = book.get("fast", False)
        if type(fast) is not bool or not {"time", "levels"} <= book.keys():
            raise MalformedError("book")
        rows = []
        for side, levels in zip((1, -1), array(book["levels"], 2), strict=True):
            if len(array(levels)) > 256:
                raise MalformedError("levels")
            for index, level in enumerate(levels):
                rows.append(self._level(level, kind=LEVEL, side=side, index=index))
        rows = rows or [new_row(kind=LEVEL, side=1)]
        time = exch_ns(book["time"])
        return flagged([dict(row, exch_ns=time) for row in rows], TOP if fast else 0)

    def _bbo(self, data):
        self._check_coin(data)
        bbo = members(data, {"coin", "time", "bbo"})
        if not {"time", "bbo"} <= bbo.keys():
            raise MalformedError("bbo")
        time = exch_ns(bbo["time"])
        rows = [
            new_row(kind=QUOTE, side=side)
            if level is None
            else self._level(level, kind=QUOTE, side=side)
            for side, level in zip((1, -1), array(bbo["bbo"], 2), strict=True)
        ]
        return flagged([dict(row, exch_ns=time) for row in rows])

    def _level(self, value, **fields):
        level = members(value, {"px", "sz", "n"})
        if len(level) != 3:
            raise MalformedError("level")
        return new_row(
            price=number(level["px"], self.price_decimals),
            size=number(level["sz"], self.size_decimals),
            count=uint(level["n"], 2**32 - 1),
            **fields,
        )

    def _trades(self, data, flags):
        if not array(data):
            return []
        self._check_coin(data[0])
        return flagged([self._trade(value, flags) for value in data])

    def _trade(self, value, flags):
        trade = members(value, {"coin", "side", "px", "sz", "time", "tid"})
        digest = dict(value).get("hash", "")
        if type(digest) is not str:
            raise MalformedError("hash")
        if len(trade) != 6 or trade["coin"] != self.coin or trade["side"] not in ("A", "B"):
            raise MalformedError("trade")
        return new_row(
            kind=TRADE,
            exch_ns=exch_ns(trade["time"]),
            price=number(trade["px"], self.price_decimals),
            size=number(trade["sz"], self.size_decimals),
            id=uint(trade["tid"], INT64_MAX),
            side=1 if trade["side"] == "B" else -1,
            flags=flags | (FORCED if re.fullmatch("0x0+", digest) else 0),
        )
