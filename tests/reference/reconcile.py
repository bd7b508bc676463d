"""Reconciliation with dictionaries and sorted lists."""

MIN_KEPT_FRACTION = 0.5


def compare(live, bids, asks, best_bid, best_ask, max_bps_diff, queue_values=None):
    """Find what to cancel and to place; `live` maps slots to (side, price, remaining, age)."""
    queue_values = queue_values or {}
    cancels, places = [], []
    highest_ask_free = min(
        [price for price, _ in asks[:1]] + ([best_ask] if best_ask else []) or [0]
    )
    for side, levels, limit in (
        (1, bids, highest_ask_free),
        (-1, asks, max([price for price, _ in bids[:1]] + [best_bid])),
    ):
        slots = [slot for slot in live if live[slot][0] == side]
        slots.sort(key=lambda slot: (-side * live[slot][1], live[slot][3]))
        kept, served = set(), set()

        def fits(slot, size, side=side, limit=limit):
            _, price, remaining, _ = live[slot]
            is_behind = not limit or side * price < side * limit
            return is_behind and size * MIN_KEPT_FRACTION <= remaining <= size

        for is_exact in (True, False):
            for i, (price, size) in enumerate(levels):
                for slot in slots:
                    behind = side * (price - live[slot][1])
                    tolerance = 0.0 if is_exact else max_bps_diff
                    if behind > 0 and not is_exact:
                        tolerance = max(tolerance, queue_values.get(slot, 0.0))
                    is_near = abs(behind) * 1e4 <= tolerance * price
                    if i not in served and slot not in kept and is_near and fits(slot, size):
                        kept.add(slot)
                        served.add(i)
        cancels += [slot for slot in slots if slot not in kept]
        places += [(side, *level) for i, level in enumerate(levels) if i not in served]
    return cancels, places
