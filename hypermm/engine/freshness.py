"""How old market data are, and how long they are missing for which nobody else is to blame."""

import math

SECOND_NS = 10**9
# Steps come each quarter second; a longer gap is our own standstill (a suspended process, a slow
# disk). Frames that came meanwhile wait to be read, so that it says nothing about the exchange.
STANDSTILL_NS = SECOND_NS


class Freshness:
    """The age of market data, on our clock, through broken connections and standstills.

    Attributes
    ----------
    age_secs : float
        Age of the newest data; goes on while there is no connection; infinite before the first.
    fresh_ns : int
        When they were new, on our clock; negative before the first.
    is_connected : bool
        Whether there is a connection to hear data by.
    """

    def __init__(self) -> None:
        self.age_secs = math.inf
        self.fresh_ns = -1
        self.is_connected = False
        self._now_ns = 0
        self._listening_ns = 0  # since when we would have heard

    def connected(self, now_ns: int) -> None:
        """Note that data can be heard from now on."""
        self.is_connected = True
        self._listening_ns = now_ns

    def disconnected(self) -> None:
        """Note that nothing can be heard."""
        self.is_connected = False

    def step(self, age_secs: float, now_ns: int) -> None:
        """Take over the age that the estimators see, at every step."""
        if now_ns - self._now_ns > STANDSTILL_NS:
            self._listening_ns = now_ns
        self._now_ns = now_ns
        if self.is_connected:
            self.age_secs = age_secs
            if age_secs < math.inf:
                self.fresh_ns = now_ns - int(age_secs * SECOND_NS)
        elif self.fresh_ns >= 0:
            self.age_secs = (now_ns - self.fresh_ns) / SECOND_NS

    @property
    def blind_secs(self) -> float:
        """The part of the age in which we were listening; 0 without a connection."""
        if not self.is_connected:
            return 0.0
        return min(self.age_secs, (self._now_ns - self._listening_ns) / SECOND_NS)
