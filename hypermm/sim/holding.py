"""Frames on their way from the feeds to their readers, with the faults that strike there."""

from collections.abc import Iterator
from heapq import heappop, heappush

from hypermm.sim.on_demand import Fault, Faults
from hypermm.sim.subscriptions import Subscription

FRAMES_HELD = 100_000  # beyond these, frames that a fault would hold are lost


class Holding:
    """Holds frames back, loses, repeats and swaps them while a fault says so.

    A fault strikes a frame for all its readers alike.
    """

    def __init__(self, faults: Faults) -> None:
        self._faults = faults
        self._delayed: list[tuple[int, int, Subscription, bytes]] = []  # a heap by due time
        self._stalled: list[tuple[Fault, Subscription, bytes]] = []
        self._swapped: dict[Subscription, bytes] = {}
        self._count = 0

    def pass_on(
        self, subscription: Subscription, frame: bytes, now_ms: int
    ) -> Iterator[tuple[Subscription, bytes]]:
        """Yield what reaches the readers now that a frame was made."""
        copies, delay_ms, is_swapped = 1, 0, False
        stall: Fault | None = None
        for fault in self._faults.of_channel(subscription.topic[0]):
            if not self._faults.hits(fault):
                continue
            match fault.kind:
                case "drop":
                    copies = 0
                case "repeat":
                    copies *= 2
                case "delay":
                    delay_ms = max(delay_ms, fault.ms)
                case "stall":
                    stall = fault
                case "reorder":
                    is_swapped = True
        copies = min(copies, FRAMES_HELD - len(self._delayed) - len(self._stalled))
        earlier = self._swapped.pop(subscription, None)
        if stall is not None:
            self._stalled += [(stall, subscription, frame)] * copies
        elif delay_ms:
            for _ in range(copies):
                self._count += 1
                heappush(self._delayed, (now_ms + delay_ms, self._count, subscription, frame))
        elif is_swapped and copies and earlier is None:
            self._swapped[subscription] = frame
        else:
            yield from [(subscription, frame)] * copies
        if earlier is not None:
            yield subscription, earlier

    def release(self, now_ms: int) -> Iterator[tuple[Subscription, bytes]]:
        """Yield what need not be held any longer."""
        while self._delayed and self._delayed[0][0] <= now_ms:
            _, _, subscription, frame = heappop(self._delayed)
            yield subscription, frame
        if self._stalled:
            stalled, self._stalled = self._stalled, []
            for fault, subscription, frame in stalled:
                if fault.is_on:
                    self._stalled.append((fault, subscription, frame))
                else:
                    yield subscription, frame
        if self._swapped and not any(fault.kind == "reorder" for fault in self._faults.on):
            swapped, self._swapped = self._swapped, {}
            yield from swapped.items()
