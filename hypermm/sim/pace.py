"""How venue time passes: by the wall clock, scaled, or step by step as a test says."""

import math
import re
from random import Random

from hypermm.errors import ConfigError

SPEED_MAX = 1_000.0
Z_99 = 2.326  # standard normal score of the 99th percentile
LATENCY_MS_MAX = 60_000.0


class Pace:
    """Says how many ms of the market are due.

    Parameters
    ----------
    speed : float
        Venue seconds per second of the wall clock; 0 lets only steps pass time.
    """

    def __init__(self, speed: float) -> None:
        self.speed = speed
        self.made_ms = 0  # that the market went on
        self._base_ms = 0.0
        self._base_secs = 0.0

    def start(self, now_secs: float) -> None:
        """Begin to count at a time of the wall clock."""
        self._base_ms, self._base_secs = float(self.made_ms), now_secs

    def set_speed(self, speed: float, now_secs: float) -> None:
        """Go on at another speed."""
        self.start(now_secs)
        self.speed = speed

    def due_ms(self, now_secs: float) -> float:
        """Return how far the market should have gone on."""
        return self._base_ms + (now_secs - self._base_secs) * 1_000.0 * self.speed


class Latency:
    """Time that an action takes to reach the exchange: lognormal, and seeded.

    Parameters
    ----------
    median_ms, high_ms : float
        Median and 99th percentile, in ms of the venue; equal ones leave no spread.
    seed : int
        Decides every draw.
    """

    def __init__(self, median_ms: float = 0.0, high_ms: float = 0.0, seed: int = 0) -> None:
        self._median_ms = median_ms
        self._spread = math.log(high_ms / median_ms) / Z_99 if median_ms else 0.0
        self._random = Random(seed)  # noqa: S311 - repeated by the seed, not a secret

    def draw_ms(self) -> float:
        """Return the latency of the next action."""
        if self._spread == 0.0:
            return self._median_ms
        return self._median_ms * math.exp(self._spread * self._random.gauss(0.0, 1.0))


def read_latency(text: str, seed: int) -> Latency:
    """Read `MEDIAN` or `MEDIAN/P99`, in ms.

    Raises
    ------
    ConfigError
        If it is neither, or the percentile is below the median.
    """
    match = re.fullmatch(r"([0-9]{1,5}(?:\.[0-9]+)?)(?:/([0-9]{1,5}(?:\.[0-9]+)?))?", text)
    hint = "as --latency-ms 200, or with the 99th percentile --latency-ms 200/900"
    if match is None:
        raise ConfigError(f"--latency-ms = {text[:40]!r} is not MEDIAN or MEDIAN/P99", hint=hint)
    median_ms = float(match[1])
    high_ms = float(match[2]) if match[2] else median_ms
    if not median_ms <= high_ms <= LATENCY_MS_MAX or (median_ms == 0.0 < high_ms):
        raise ConfigError(
            f"--latency-ms = {text[:40]} needs 0 < median <= 99th percentile <= {LATENCY_MS_MAX:g}",
            hint=hint,
        )
    return Latency(median_ms, high_ms, seed)
