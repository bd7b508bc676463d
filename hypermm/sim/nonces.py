"""Nonces of one signer: the hundred highest kept, a floor under them, a window of time around."""

from bisect import insort

from hypermm.sim.refusals import ActionRefusedError
from hypermm.sim.rules import NONCE_FUTURE_MS, NONCE_PAST_MS, NONCES_KEPT_MAX


class NonceWindow:
    """Admits each nonce of one signer once.

    Duplicates are remembered for the whole time window; the floor exists only once a hundred
    nonces (`kept_max`) are kept. More than `NONCES_KEPT_MAX` stands for no check at all.
    """

    def __init__(self, kept_max: int = 100) -> None:
        self._kept_max = kept_max
        self._kept: list[int] = []  # ascending, the highest
        self._seen: set[int] = set()
        self._oldest_first: list[int] = []

    @property
    def kept(self) -> int:
        """How many of the highest are kept."""
        return len(self._kept)

    def admit(self, nonce: int, now_ms: int) -> None:
        """Spend a nonce. Raises ActionRefusedError with the exchange's text."""
        if self._kept_max > NONCES_KEPT_MAX:
            return
        low, high = now_ms - NONCE_PAST_MS, now_ms + NONCE_FUTURE_MS
        if nonce in self._seen:
            raise ActionRefusedError(f"Invalid nonce: duplicate nonce {nonce}")
        if nonce <= low:
            raise ActionRefusedError(f"Invalid nonce: nonce too low {nonce} < {low}")
        if nonce >= high:
            raise ActionRefusedError(f"Invalid nonce: nonce too high {nonce} > {high}")
        if len(self._kept) == self._kept_max and nonce < self._kept[0]:
            raise ActionRefusedError(f"Invalid nonce: nonce too low {nonce} < {self._kept[0]}")
        self._seen.add(nonce)
        insort(self._oldest_first, nonce)
        insort(self._kept, nonce)
        if len(self._kept) > self._kept_max:
            self._kept.pop(0)
        if self._oldest_first[0] <= low:  # rare: forget in bulk what fell out of the window
            self._oldest_first = [kept for kept in self._oldest_first if kept > low]
            self._seen = set(self._oldest_first)
