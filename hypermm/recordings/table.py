"""The cells of a CSV file, found once; numbers are read column block by column block, exactly.

No float stands between decimal text and an integer. A cell that cannot be read is refused with the
file, the line and what was expected.
"""

import re
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Final, NoReturn

import numpy as np

from hypermm.errors import RecordingError
from hypermm.recordings.files import read_bytes
from hypermm.recordings.values import FIRST_MS, LAST_MS, Integers

_MAX_DIGITS: Final = 18  # of an int64
_COMMA, _NEWLINE, _POINT, _ZERO = b",\n.0"
_EXPONENT: Final = re.compile(r"[0-9]{1,20}(?:\.[0-9]{1,20})?e-?[0-9]{1,2}", re.ASCII)


class Table:
    """The cells of one CSV file, as positions in its bytes."""

    def __init__(self, path: Path, expected: Sequence[str]) -> None:
        self.path = path
        data = read_bytes(path).replace(b"\r\n", b"\n")
        header, _, lines = data.partition(b"\n")
        # A last line without its end may be cut inside a number, which nothing else would show.
        body, _, cut_line = lines.rpartition(b"\n")
        self.has_cut_line = bool(cut_line)
        body = body.rstrip(b"\n") + b"\n" if body else b""
        self.names = header.decode("utf-8", "replace").split(",")
        for name in expected:
            if name not in self.names:
                raise RecordingError(
                    f"{path}, line 1: no column {name!r} in {','.join(self.names)[:120]!r}"
                )
        self._bytes = np.frombuffer(body, np.uint8)
        ends = np.flatnonzero((self._bytes == _COMMA) | (self._bytes == _NEWLINE))
        self._check_shape(ends)
        width = len(self.names)
        starts = np.concatenate(([0], ends[:-1] + 1)) if len(ends) else ends
        self._starts = starts.reshape(-1, width)
        self._ends = ends.reshape(-1, width)

    def __len__(self) -> int:
        return len(self._starts)

    def _check_shape(self, ends: Integers) -> None:
        width = len(self.names)
        line_ends = np.flatnonzero(self._bytes[ends] == _NEWLINE)
        cells = np.diff(line_ends, prepend=-1)
        bad = np.flatnonzero(cells != width)
        if len(bad):
            raise RecordingError(
                f"{self.path}, line {bad[0] + 2}: {cells[bad[0]]} cells, expected {width}",
                hint="the file is truncated or damaged at this line",
            )

    def _text(self, row: int, column: int) -> str:
        cell = self._bytes[self._starts[row, column] : self._ends[row, column]]
        return cell.tobytes().decode("utf-8", "replace")

    def _refuse(self, row: int, column: int, expected: str) -> NoReturn:
        raise RecordingError(
            f"{self.path}, line {row + 2}, column {self.names[column]!r}: "
            f"{self._text(row, column)[:40]!r} is not {expected}"
        )

    def _exponent_form(self, row: int, column: int, scale: int) -> int:
        """Read a cell such as `1e-05`, which recorders write for small sizes."""
        text = self._text(row, column)
        if _EXPONENT.fullmatch(text):
            value = Decimal(text).scaleb(scale)
            if value == value.to_integral_value() and value < 10**_MAX_DIGITS:
                return int(value)
        return self._refuse(row, column, f"a decimal number with at most {scale} decimals")

    def decimals(self, names: Sequence[str], scale: int) -> Integers:
        """Read columns as integers of 10**-scale, exactly: shape (rows, len(names))."""
        columns = [self.names.index(name) for name in names]
        starts, ends = self._starts[:, columns], self._ends[:, columns]
        lengths = ends - starts
        values = np.zeros(starts.shape, np.int64)
        after_point = np.full(starts.shape, -1, np.int64)  # -1: no point yet
        is_bad = (lengths == 0) | (lengths > _MAX_DIGITS + 1)
        last = len(self._bytes) - 1
        for i in range(min(int(lengths.max(initial=0)), _MAX_DIGITS + 1)):
            byte = self._bytes[np.minimum(starts + i, last)]
            is_here = i < lengths
            digit = byte.astype(np.int64) - _ZERO
            is_point = is_here & (byte == _POINT)
            is_digit = is_here & (digit >= 0) & (digit <= 9)
            is_bad |= is_here & ~is_digit & ~(is_point & (after_point < 0))
            values = np.where(is_digit, values * 10 + digit, values)
            after_point += np.where(is_point, 1, is_digit & (after_point >= 0))
        after_point = np.maximum(after_point, 0)
        shift = scale - after_point
        is_bad |= lengths + np.maximum(shift, 0) > _MAX_DIGITS
        values *= 10 ** np.clip(shift, 0, _MAX_DIGITS)
        divisor = 10 ** np.clip(-shift, 0, _MAX_DIGITS)
        is_bad |= values % divisor != 0
        values //= divisor
        for row, column in np.argwhere(is_bad):
            values[row, column] = self._exponent_form(row, columns[column], scale)
        return values

    def stamps_ms(self, name: str = "exchange_timestamp") -> Integers:
        """Read the exchange's times, ms since 1970; nonsense would overflow or never be played."""
        stamps: Integers = self.decimals([name], 0)[:, 0]
        bad = np.flatnonzero((stamps < FIRST_MS) | (stamps >= LAST_MS))
        if len(bad):
            self._refuse(int(bad[0]), self.names.index(name), "a time in ms from 2000 to 2100")
        return stamps

    def clock_ns(self, name: str) -> Integers:
        """Read a recorder's times in seconds, to the microsecond, as ns since 1970."""
        column = self.names.index(name)
        starts, ends = self._starts[:, column], self._ends[:, column]
        width = max(int((ends - starts).max(initial=1)), 1)
        place = np.minimum(starts[:, None] + np.arange(width), max(len(self._bytes) - 1, 0))
        cells = np.where(np.arange(width) < (ends - starts)[:, None], self._bytes[place], 0)
        texts = np.ascontiguousarray(cells, np.uint8).view(f"S{width}")[:, 0]
        try:
            secs = texts.astype(np.float64)
        except ValueError:
            secs = np.array([_secs(text) for text in texts])
        bad = np.flatnonzero(~((secs >= FIRST_MS / 1e3) & (secs < LAST_MS / 1e3)))
        if len(bad):
            self._refuse(int(bad[0]), column, "a time in seconds from 2000 to 2100")
        return np.rint(secs * 1e6).astype(np.int64) * 1_000

    def sides(self, name: str, buy: str, sell: str) -> Integers:
        """Read a column of two words as +1 and -1."""
        column = self.names.index(name)
        starts = self._starts[:, column]
        lengths = self._ends[:, column] - starts
        first = self._bytes[starts]
        is_buy = (first == ord(buy[0])) & (lengths == len(buy))
        is_sell = (first == ord(sell[0])) & (lengths == len(sell))
        bad = np.flatnonzero(~(is_buy | is_sell))
        if len(bad):
            self._refuse(int(bad[0]), column, f"{buy!r} or {sell!r}")
        return np.where(is_buy, 1, -1).astype(np.int64)


def _secs(text: bytes) -> float:
    try:
        return float(text)
    except ValueError:
        return float("nan")
