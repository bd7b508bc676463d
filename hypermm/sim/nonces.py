"""Nonces of one signer: the hundred highest kept, a floor under them, a window of time around."""

from bisect import insort

from hypermm.sim.refusals import ActionRefusedError
from hypermm.sim.rules import NONCE_FUTURE_MS, NONCE_PAST_MS, NONCES_KEPT


class NonceWindow:
    """Admits each nonce of one signer once.

    Duplicates are remembered for the whole time window; the floor exists only once a hundred
    nonces are kept.
    """

    def __init__(self) -> None:
        self._kept: list[int] = []  # ascending, the highest NONCES_KEPT
        self._seen: set[int] = set()
        self._oldest_first: list[int] = []

    def admit(self, nonce: int, now_ms: int) -> None:
        """Spend a nonce. Raises ActionRefusedError with the exchange's text."""
        low, high = now_ms - NONCE_PAST_MS, now_ms + NONCE_FUTURE_MS
        if nonce in self._seen:
            raise ActionRefusedError(f"Invalid nonce: duplicate nonce {nonce}")
        if nonce <= low:
            raise ActionRefusedError(f"Invalid nonce: nonce too low {nonce} < {low}")
        if nonce >= high:
            raise ActionRefusedError(f"Invalid nonce: nonce too high {nonce} > {high}")
        if len(self._kept) == NONCES_KEPT and nonce < self._kept[0]:
            raise ActionRefusedError(f"Invalid nonce: nonce too low {nonce} < {self._kept[0]}")
        self._seen.add(nonce)
        insort(self._oldest_first, nonce)
        insort(self._kept, nonce)
        if len(self._kept) > NONCES_KEPT:
            self._kept.pop(0)
        if self._oldest_first[0] <= low:  # rare: forget in bulk what fell out of the window
            self._oldest_first = [kept for kept in self._oldest_first if kept > low]
            self._seen = set(self._oldest_first)
