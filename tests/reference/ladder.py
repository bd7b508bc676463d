"""Ladders from the rules as written: lists, one level at a time."""

from fractions import Fraction
from math import ceil, exp, floor, isnan


def step_at(price, whole, min_step):
    by_figures = 10 ** max(len(str(price)) - 5, 0)
    return max(min(by_figures, whole), min_step)


def snap(x):
    return round(x) if abs(x - round(x)) <= 1e-9 else x


def round_price(raw, side, whole, min_step):
    step = step_at(int(raw), whole, min_step)
    return (floor if side > 0 else ceil)(snap(raw / step)) * step


def floor_price(price, whole, min_step):
    return price - price % step_at(price, whole, min_step) if price > 0 else 0


def ceil_price(price, whole, min_step):
    return price + -price % step_at(price, whole, min_step)


def depths(inner, outer, n, is_geometric):
    if n == 1:
        return [inner]
    if is_geometric:
        return [inner * (outer / inner) ** (i / (n - 1)) for i in range(n)]
    return [inner + (outer - inner) * i / (n - 1) for i in range(n)]


def optimal_sizes(intensities, edges, curvature, max_size):
    """Pool adjacent violators in exact arithmetic."""
    lam = [Fraction(x) for x in intensities] + [Fraction(0)]
    gain = [x * Fraction(e) for x, e in zip(lam, edges, strict=False)] + [Fraction(0)]
    blocks = []
    for i in range(len(edges)):
        blocks.append([gain[i] - gain[i + 1], lam[i] - lam[i + 1], 1])
        while len(blocks) > 1 and is_violated(blocks[-2], blocks[-1]):
            last = blocks.pop()
            blocks[-1] = [a + b for a, b in zip(blocks[-1], last, strict=True)]
    sizes = []
    for wanted, weight, count in blocks:
        size = float(wanted / weight) / curvature if weight else 0.0
        sizes += [min(max(size, 0.0), max_size)] * count
    return sizes


def is_violated(left, right):
    return right[1] == 0 or (left[1] != 0 and left[0] / left[1] > right[0] / right[1])


def utility(intensities, edges, curvature, cumulative):
    """What nested fills of cumulative sizes are worth."""
    total, below = 0.0, 0.0
    for lam, edge, size in zip(intensities, edges, cumulative, strict=True):
        total += lam * (edge * (size - below) - curvature / 2.0 * (size**2 - below**2))
        below = size
    return total


def build(
    *,
    price_decimals,
    min_step,
    fair_price,
    best_bid,
    best_ask,
    bid_depth_bps,
    ask_depth_bps,
    depth_ratio,
    num_levels,
    is_geometric,
    side_lots,
    bid_room_lots,
    ask_room_lots,
    kappa_per_bps,
    cost_bps,
    marginal_cost_bps,
    slope_bps_per_lot,
    min_notional=10_000_000,
):
    rule = (10**price_decimals, min_step)

    def side(sign, inner, room, threshold, is_allowed, nearest):
        most = min(side_lots, room)
        if isnan(inner) or most <= 0:
            return []
        n = num_levels if depth_ratio > 1.0 else 1
        spacing = depths(1.0, depth_ratio, n, is_geometric)
        at = [inner * x for x in spacing]
        best = [float(most)] * n
        if slope_bps_per_lot > 0.0:
            lam = [exp(-kappa_per_bps * (depth - at[0])) for depth in at]
            best = optimal_sizes(lam, [d - threshold for d in at], slope_bps_per_lot, most)
        levels, placed, cumulative = [], 0, 0.0
        for depth, wanted in zip(at, best, strict=True):
            raw = fair_price * (1.0 - sign * depth * 1e-4)
            price = round_price(raw, sign, *rule) if raw > 0.0 else 0
            price = price if is_allowed(price) else nearest
            if price <= 0:
                break
            least = max(-(-min_notional // price), 1)
            share = max(side_lots / n, least)
            cumulative = min(wanted, cumulative + share)
            size = min(floor(snap(cumulative)) - placed, ceil(share))
            if size < least:
                continue
            placed += size
            if levels and levels[-1][0] == price:
                levels[-1] = (price, levels[-1][1] + size)
            else:
                levels.append((price, size))
        return levels

    highest = floor_price(best_ask - 1, *rule)
    bids = side(
        1,
        bid_depth_bps,
        bid_room_lots,
        cost_bps + marginal_cost_bps,
        lambda price: best_ask == 0 or price < best_ask,
        highest,
    )
    floor_of_asks = max([best_bid] + [price for price, _ in bids])
    asks = side(
        -1,
        ask_depth_bps,
        ask_room_lots,
        cost_bps - marginal_cost_bps,
        lambda price: price > floor_of_asks,
        ceil_price(floor_of_asks + 1, *rule),
    )
    return bids, asks
