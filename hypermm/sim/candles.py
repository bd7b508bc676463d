"""Candles of every interval, made from those of one minute."""

from collections import deque
from collections.abc import Iterable, Iterator
from itertools import takewhile

from attrs import evolve

from hypermm.sim.listing import MINUTE_MS, Candle

_HOUR_MS = 60 * MINUTE_MS
_DAY_MS = 24 * _HOUR_MS
INTERVALS_MS = {
    "1m": MINUTE_MS,
    "3m": 3 * MINUTE_MS,
    "5m": 5 * MINUTE_MS,
    "15m": 15 * MINUTE_MS,
    "30m": 30 * MINUTE_MS,
    "1h": _HOUR_MS,
    "2h": 2 * _HOUR_MS,
    "4h": 4 * _HOUR_MS,
    "8h": 8 * _HOUR_MS,
    "12h": 12 * _HOUR_MS,
    "1d": _DAY_MS,
    "3d": 3 * _DAY_MS,
    "1w": 7 * _DAY_MS,
    "1M": 30 * _DAY_MS,
}


CANDLES_SHOWN = 5_000  # the newest; older ones exist no more


def aggregate(minutes: Iterable[Candle], interval: str) -> Iterator[tuple[Candle, int]]:
    """Yield the candles of an interval with the time at which each ends, oldest first."""
    length_ms = INTERVALS_MS[interval]
    current: Candle | None = None
    for minute in minutes:
        start_ms = minute.start_ms - minute.start_ms % length_ms
        if current is None or current.start_ms != start_ms:
            if current is not None:
                yield current, current.start_ms + length_ms
            current = evolve(minute, start_ms=start_ms)
        else:
            _add(current, minute)
    if current is not None:
        yield current, current.start_ms + length_ms


def _add(candle: Candle, later: Candle) -> None:
    candle.close = later.close
    candle.high = max(candle.high, later.high)
    candle.low = min(candle.low, later.low)
    candle.volume += later.volume
    candle.count += later.count


class Running:
    """The candle of an interval that is not over; a trade costs no walk over its minutes."""

    def __init__(self, interval: str) -> None:
        self._interval = interval
        self._minute_ms = -1
        self._before: Candle | None = None  # the interval without its last minute

    def read(self, minutes: deque[Candle]) -> tuple[Candle, int] | None:
        """Return the candle and when it ends; None before the first trade."""
        if not minutes:
            return None
        last = minutes[-1]
        length_ms = INTERVALS_MS[self._interval]
        start_ms = last.start_ms - last.start_ms % length_ms
        if last.start_ms != self._minute_ms:
            self._minute_ms = last.start_ms
            own = list(takewhile(lambda minute: minute.start_ms >= start_ms, reversed(minutes)))
            found = next(aggregate(own[:0:-1], self._interval), None)
            self._before = found[0] if found else None
        if self._before is None:
            return evolve(last, start_ms=start_ms), start_ms + length_ms
        candle = evolve(self._before)
        _add(candle, last)
        return candle, start_ms + length_ms
