"""One side of a matching book with dictionaries and lists. Keys sort best first."""

from bisect import insort
from itertools import takewhile

UNSEEN = 1 << 62


class HalfBook:
    def __init__(self, side):
        self._sign = -side
        self._outside = {}  # key -> [size, count]
        self._keys = []
        self._deepest = -UNSEEN
        self._queues = {}  # key -> slots, oldest first
        self._orders = {}  # slot -> [key, remaining, ahead]
        self._free = []
        self._slots = 0

    def __len__(self):
        return len(self._orders)

    def show(self, levels, *, is_top=False):
        kept = {}
        if is_top and levels:
            last = self._sign * levels[-1][0]
            kept = {key: level for key, level in self._outside.items() if key > last}
        self._outside = {self._sign * price: [size, count] for price, size, count in levels} | kept
        self._keys = sorted(self._outside)
        self._deepest = self._keys[-1] if self._keys else -UNSEEN
        self._clip_ahead()

    def show_touch(self, price, size, count):
        if size == 0:
            self.show([])
            return
        key = self._sign * price
        self._drop_outside_before(key)
        if key not in self._outside:
            insort(self._keys, key)
        self._outside[key] = [size, max(count, 1)]
        self._deepest = max(self._deepest, key)
        self._clip_ahead()

    def _shown(self, key):
        return self._outside[key][0] if key in self._outside else 0

    def _clip_ahead(self):
        for order in self._orders.values():
            if order[0] <= self._deepest:
                order[2] = min(order[2], self._shown(order[0]))

    def _drop_outside_before(self, key):
        for gone in list(takewhile(lambda k: k < key, self._keys)):
            del self._outside[gone]
            self._keys.remove(gone)

    def drop_better(self, price):
        key = self._sign * price
        self._drop_outside_before(key)
        for order in self._orders.values():
            if order[0] < key:
                order[2] = 0

    def consume(self, price, size):
        key = self._sign * price
        if key in self._outside:
            self._outside[key][0] -= size
            if self._outside[key][0] <= 0:
                del self._outside[key]
                self._keys.remove(key)
        for slot in self._queues.get(key, ()):
            if self._orders[slot][2] < UNSEEN:
                self._orders[slot][2] = max(self._orders[slot][2] - size, 0)

    def outside_best(self):
        if not self._keys:
            return None
        return self._sign * self._keys[0], self._outside[self._keys[0]][0]

    def enter(self, price, size):
        key = self._sign * price
        if self._free:
            slot = self._free.pop()
        else:
            slot, self._slots = self._slots, self._slots + 1
        self._orders[slot] = [key, size, UNSEEN if key > self._deepest else self._shown(key)]
        self._queues.setdefault(key, []).append(slot)
        return slot

    def leave(self, slot):
        key = self._orders.pop(slot)[0]
        self._queues[key].remove(slot)
        if not self._queues[key]:
            del self._queues[key]
        self._free.append(slot)

    def fill(self, slot, size):
        self._orders[slot][1] -= size
        remaining = self._orders[slot][1]
        if remaining == 0:
            self.leave(slot)
        return remaining

    def get(self, slot):
        key, remaining, ahead = self._orders[slot]
        return self._sign * key, remaining, ahead

    def first(self):
        return self._queues[min(self._queues)][0] if self._queues else -1

    def front(self):
        keys = self._keys[:1] + sorted(self._queues)[:1]
        if not keys:
            return None
        key = min(keys)
        if key not in self._queues:
            return self._sign * key, self._outside[key][0], -1
        slot = self._queues[key][0]
        _, remaining, ahead = self._orders[slot]
        ahead = min(ahead, self._shown(key))
        return (self._sign * key, ahead, -1) if ahead else (self._sign * key, remaining, slot)

    def reaches(self, price):
        best = self.touch()
        return best is not None and self._sign * best[0] <= self._sign * price

    def levels(self, depth):
        found = []
        for key in sorted({*self._outside, *self._queues})[:depth]:
            size, count = self._outside.get(key, (0, 0))
            slots = self._queues.get(key, ())
            lots = sum(self._orders[slot][1] for slot in slots)
            found.append((self._sign * key, size + lots, count + len(slots)))
        return found

    def touch(self):
        return next(iter(self.levels(1)), None)

    def digest(self):
        words = [-self._deepest]
        for key in sorted({*self._outside, *self._queues}):
            words += [-key, *self._outside.get(key, (0, 0))]
            for slot in self._queues.get(key, ()):
                words += [slot, *self._orders[slot][1:]]
        state = 0xCBF29CE484222325
        for word in words:
            state = (state ^ word % (1 << 64)) * 0x100000001B3 % (1 << 64)
        return state
