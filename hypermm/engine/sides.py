"""A side that is hit again and again rests for a while."""

from collections import deque

from hypermm.messages import Side

SECOND_NS = 10**9
FILLS_MAX = 10  # on one side, without one on the other
WITHIN_NS = 10 * SECOND_NS
PAUSE_NS = 10 * SECOND_NS


class SidePause:
    """Counts the fills of each side and pauses one that does nothing but fill."""

    def __init__(self) -> None:
        self._times = {side: deque[int](maxlen=FILLS_MAX) for side in Side}
        self._until_ns = dict.fromkeys(Side, 0)
        self.until_ns = 0  # when the last pause of either side ends

    def count(self, side: Side, now_ns: int) -> bool:
        """Count a fill. Returns whether a pause of the side begins with it."""
        times = self._times[side]
        times.append(now_ns)
        self._times[side.other].clear()
        if len(times) < FILLS_MAX or now_ns - times[0] > WITHIN_NS:
            return False
        self._until_ns[side] = self.until_ns = now_ns + PAUSE_NS
        times.clear()
        return True

    def is_paused(self, side: Side, now_ns: int) -> bool:
        """Whether nothing may be quoted on a side."""
        return now_ns < self._until_ns[side]
