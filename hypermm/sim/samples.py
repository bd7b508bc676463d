"""What an account was worth in the past, for `portfolio`: minutes of the last day, hours before."""

from collections import deque

from attrs import define, field, frozen

from hypermm.sim.rules import DAY_MS, HOUR_MS

MINUTE_MS = 60_000
MINUTES_KEPT = DAY_MS // MINUTE_MS
HOURS_KEPT = 366 * 24


@frozen
class Sample:
    """An account at one time; money in micro-USD."""

    time_ms: int
    value: int
    spot: int  # the part of it that lies on spot
    paid_in: int  # what came in less what went out, beside trading
    volume: int  # lifetime


@define
class Samples:
    """Samples of one account, thinner with age; bounded."""

    _minutes: deque[Sample] = field(factory=lambda: deque(maxlen=MINUTES_KEPT))
    _hours: deque[Sample] = field(factory=lambda: deque(maxlen=HOURS_KEPT))

    def add(self, sample: Sample) -> None:
        """Take a sample; one an hour is kept beyond the day."""
        self._minutes.append(sample)
        if not self._hours or sample.time_ms - self._hours[-1].time_ms >= HOUR_MS:
            self._hours.append(sample)

    def since(self, start_ms: int, now: Sample) -> list[Sample]:
        """Return the samples from a time on, oldest first, `now` at the end."""
        kept = self._minutes if now.time_ms - start_ms <= DAY_MS else self._hours
        return [sample for sample in kept if start_ms <= sample.time_ms < now.time_ms] + [now]
