"""Candles of every interval, made from those of one minute."""

from collections.abc import Iterable, Iterator

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
            continue
        current.close = minute.close
        current.high = max(current.high, minute.high)
        current.low = min(current.low, minute.low)
        current.volume += minute.volume
        current.count += minute.count
    if current is not None:
        yield current, current.start_ms + length_ms
