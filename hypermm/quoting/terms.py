"""What a quote is made of: each term computed on its own, in bps of the fair price.

A term is signed: what raises the price is positive. The middle of the book plus all terms is the
price that is sent; what rounding to an allowed price does is a term like the others.
"""

import math
from collections.abc import Iterator
from enum import Enum

from attrs import frozen

from hypermm._core.glft import Solver
from hypermm.instrument import Instrument
from hypermm.quoting.caution import MULTIPLIER_MAX
from hypermm.quoting.market import adverse_law, funding_shift_bps, signal_shift_bps
from hypermm.quoting.strategy import Strategy, market_of

SNAP = 1e-9  # of a step: what the kernel takes as being on it


class Term(Enum):
    """The terms of a quote, in the order in which they are added."""

    BOOK = "book imbalance"
    FLOW = "flow imbalance"
    KALMAN = "smoothing of the mid"
    BASE = "half-spread 1/kappa"
    RISK = "inventory risk"
    VOLATILITY = "gamma: volatility regime"
    TOXICITY = "gamma: jumps"
    INVENTORY = "gamma: inventory"
    TAIL = "gamma: cascade"
    BAND = "cascade band"
    SKEW = "inventory skew"
    HORIZON = "time to be flat"
    ADVERSE = "adverse selection"
    FEE = "maker fee"
    SIGNAL = "signal is short-lived"
    FUNDING = "funding"
    FLOOR = "floor min_depth_bps"
    SPACING = "level spacing"
    POST_ONLY = "post-only"
    ROUNDING = "rounding"
    OWN = "the strategy's own law"  # alone, where none of the others applies


# What stands between the fair price and the nearest level, but the floor.
_OFFSETS = tuple(Term)[3:16]


@frozen
class Level:
    """One level of the ladder last decided. Price in price units, size in lots."""

    level: int  # 0 is the nearest
    price: int
    size: int
    terms: dict[Term, float]


def explain(strategy: Strategy, sign: int) -> tuple[Level, ...]:
    """Return the levels of one side (1 bids, -1 asks) of the last decision, nearest first.

    Everything is computed anew from what the decision saw; nothing of the strategy changes.
    """
    ladder = strategy.ladder
    rows = ladder.bids if sign > 0 else ladder.asks
    view = strategy.view
    if not rows or view is None:
        return ()
    common = dict(_common(strategy, sign))
    depth = -sign * sum(common[term] for term in _OFFSETS)
    common[Term.FLOOR] = -sign * max(strategy.min_depth_bps - depth, 0.0)
    depth = max(depth, strategy.min_depth_bps)
    bps, clamp = view.fair_price * 1e-4, _clamp(strategy, sign)
    spaced = [depth * _spacing(strategy, level) for level in range(strategy.num_levels)]
    raw = [view.fair_price - sign * one * bps for one in spaced]
    clamped = [one if clamp == 0 else (min if sign > 0 else max)(one, clamp) for one in raw]
    rounded = [_rounded(strategy.instrument, one, sign) for one in clamped]
    explained: list[Level] = []
    i = 0
    for price, size in rows:
        # A level too small for the exchange waits for the next one, so that some have no row.
        left = range(i, len(rounded))
        level = next((k for k in left if rounded[k] == price), None)
        if level is None:  # added up in another order, a price may round the other way
            step = strategy.instrument.step_at(price)
            level = next((k for k in left if abs(clamped[k] - price) <= step), None)
        if level is None:  # a strategy that fills the ladder by a law of its own
            explained.append(Level(i, price, size, {Term.OWN: (price - view.mid) / bps}))
            i += 1
            continue
        terms = {
            **common,
            Term.SPACING: -sign * (spaced[level] - depth),
            Term.POST_ONLY: (clamped[level] - raw[level]) / bps,
            Term.ROUNDING: (price - clamped[level]) / bps,
        }
        explained.append(Level(level, price, size, terms))
        i = level + 1
    return tuple(explained)


def _rounded(instrument: Instrument, price: float, sign: int) -> int:
    """Return the allowed price behind a price, as the kernel rounds: bids down, asks up."""
    if not price >= 1.0:
        return 0
    step = instrument.step_at(int(price))
    steps = price / step
    if abs(steps - round(steps)) <= SNAP:
        return round(steps) * step
    return (math.floor(steps) if sign > 0 else math.ceil(steps)) * step


def _common(strategy: Strategy, sign: int) -> Iterator[tuple[Term, float]]:
    """Yield the terms that all levels of a side share, but the floor."""
    view, caution, solved = strategy.view, strategy.caution, strategy.solver
    assert view is not None
    of_fair = view.mid / view.fair_price
    yield Term.BOOK, view.book_deviation_bps * of_fair
    yield Term.FLOW, view.flow_deviation_bps * of_fair
    yield Term.KALMAN, view.kalman_deviation_bps * of_fair

    market = market_of(view, strategy.risk_aversion, strategy.fee_bps, adverse_law(view))
    cost = market["cost_bps"]
    base = 1.0 / market["kappa_per_bps"]
    yield Term.BASE, -sign * base
    solver = Solver(2 * strategy.bound)
    half = _half_spread(solver, strategy, market, 1.0)
    yield Term.RISK, -sign * (half - cost - base)
    product = 1.0
    for term, factor in (
        (Term.VOLATILITY, caution.volatility),
        (Term.TOXICITY, caution.toxicity),
        (Term.INVENTORY, caution.inventory),
        (Term.TAIL, caution.tail),
    ):
        product *= factor
        before, half = half, _half_spread(solver, strategy, market, product)
        yield term, -sign * (half - before)
    yield Term.BAND, -sign * (caution.widening - 1.0) * (half - cost)

    side = 0 if sign > 0 else 1
    yield Term.SKEW, -sign * (strategy.depths()[side] - solved.bid_depth_bps(0.0))
    yield Term.HORIZON, -sign * strategy.horizon()[side]
    yield Term.ADVERSE, -sign * (cost - strategy.fee_bps)
    yield Term.FEE, -sign * strategy.fee_bps
    rate = strategy.rate_per_sec
    yield Term.SIGNAL, signal_shift_bps(view, rate)
    yield Term.FUNDING, funding_shift_bps(view, rate)


def _half_spread(
    solver: Solver, strategy: Strategy, market: dict[str, float], multiplier: float
) -> float:
    """Return the depth of a flat position's quotes for a multiple of the risk aversion."""
    scaled = market["risk_aversion_per_bps"] * min(multiplier, MULTIPLIER_MAX)
    solver.solve(
        lots_long=strategy.bound,
        lots_short=strategy.bound,
        near_lots=0.0,
        **{**market, "risk_aversion_per_bps": scaled},
    )
    return solver.bid_depth_bps(0.0)


def _spacing(strategy: Strategy, level: int) -> float:
    """Return the depth of a level over that of the nearest."""
    share = level / max(strategy.num_levels - 1, 1)
    if strategy.is_geometric:
        return float(strategy.depth_ratio**share)
    return 1.0 + (strategy.depth_ratio - 1.0) * share


def _clamp(strategy: Strategy, sign: int) -> int:
    """Return the nearest price that does not take; 0 where nothing stands on the other side."""
    ladder, instrument = strategy.ladder, strategy.instrument
    if sign > 0:
        return instrument.price_below(ladder.best_ask) if ladder.best_ask else 0
    own = ladder.bids[0][0] if ladder.bids else 0
    highest = max(ladder.best_bid, own)
    return instrument.price_above(highest) if highest else 0
