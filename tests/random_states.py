"""Random states of a market, and the price of each quote recomputed term by term.

The terms are written down here a second time, in plain formulas on the closed kernel of the
stationary solution, so that the explanation is held against something that is not itself.
`python -m tests.random_states 1000000` runs a million states and prints the largest difference.
"""

import math
import random
import sys

import numpy as np
from attrs import frozen

from hypermm._core.glft import stationary_depths
from hypermm._core.glft_closed import closed_form
from hypermm.instrument import Instrument
from hypermm.quoting import STRATEGIES, Strategy, Term, explain

TICK_SLACK = 1e-6  # of a tick: what adding up in another order changes


@frozen
class State:
    """A market as the estimators see it."""

    mid: float = 1_000_000.0
    fair_price: float = 1_000_000.0
    book_deviation_bps: float = 0.0
    flow_deviation_bps: float = 0.0
    kalman_deviation_bps: float = 0.0
    microprice_deviation_bps: float = 0.0
    best_bid: int = 999_950
    best_ask: int = 1_000_050
    spread_bps: float = 1.0
    volatility: float = 1.5
    volatility_regime: int = 0
    jump_ratio: float = 1.0
    kappa_per_bps: float = 0.25
    kappa_reference_per_bps: float = 0.25
    intensity_per_sec: float = 0.5
    cascade_severity: float = 0.0
    adverse_touch_bps: float = 0.0
    adverse_depth_bps: float = math.inf
    funding_rate_hourly: float = math.nan
    funding_secs: float = math.nan
    exch_now_ns: int = 0


def draw_state(draw: random.Random) -> State:
    """Draw a market: from liquid to hardly measured, calm to wild, cheap to dear."""

    def spread_out(low: float, high: float) -> float:
        return math.exp(draw.uniform(math.log(low), math.log(high)))

    mid = round(2.0 * spread_out(2e4, 1e8)) / 2.0
    book, flow, kalman = (draw.gauss(0.0, 1.0) for _ in range(3))
    fair = mid * (1.0 + (book + flow + kalman) * 1e-4)
    half = mid * spread_out(1e-6, 1e-3)
    return State(
        mid=mid,
        fair_price=fair,
        book_deviation_bps=book,
        flow_deviation_bps=flow,
        kalman_deviation_bps=kalman,
        microprice_deviation_bps=book + flow,
        best_bid=max(math.floor(mid - half), 1),
        best_ask=math.ceil(mid + half),
        spread_bps=2e4 * half / mid,
        volatility=spread_out(0.1, 30.0),
        volatility_regime=draw.choice((0, 0, 1, 2)),
        jump_ratio=draw.choice((math.nan, 1.0, draw.uniform(1.0, 4.0))),
        kappa_per_bps=spread_out(0.01, 3.0),
        kappa_reference_per_bps=spread_out(0.01, 3.0),
        intensity_per_sec=spread_out(1e-3, 10.0),
        cascade_severity=draw.choice((0.0, draw.uniform(0.0, 0.8))),
        adverse_touch_bps=draw.choice((0.0, draw.uniform(-1.0, 5.0))),
        adverse_depth_bps=draw.choice((math.inf, spread_out(1.0, 100.0))),
        funding_rate_hourly=draw.choice((math.nan, draw.gauss(0.0, 3e-4))),
        funding_secs=draw.uniform(0.0, 3600.0),
        exch_now_ns=draw.randrange(10**18),
    )


def draw_strategy(draw: random.Random) -> Strategy:
    """Draw settings and a market's rules."""
    order = draw.randrange(2_000, 20_000)
    low = math.exp(draw.uniform(-3.0, 2.0))
    return STRATEGIES[draw.choice(sorted(STRATEGIES))](
        Instrument(coin="TEST", asset_id=0, size_decimals=draw.randrange(6)),
        order_lots=order,
        position_limit_lots=draw.randrange(1, 13) * order,
        risk_aversion=math.exp(draw.uniform(-2.5, 1.0)),
        fee_bps=draw.choice((-0.3, 0.0, 1.5)),
        min_depth_bps=low,
        max_depth_bps=low * draw.uniform(1.5, 12.0),
        num_levels=draw.randrange(1, 11),
        is_geometric=draw.random() < 0.5,
    )


def recomputed(strategy: Strategy, state: State, sign: int, level: int, price: int) -> dict:
    """Return every term of a level by formulas of its own, in bps of the fair price."""
    caution = strategy.caution
    kappa = min(max(state.kappa_per_bps, 1e-4), 100.0)
    at_fair = min(max(state.adverse_touch_bps, 0.0), 100.0)
    adverse = at_fair
    for _ in range(4 if at_fair > 0.0 and state.adverse_depth_bps < math.inf else 0):
        depth = max(1.0 / kappa + strategy.fee_bps + adverse, 0.0)
        adverse = at_fair * math.exp(-depth / state.adverse_depth_bps)
    cost = strategy.fee_bps + adverse
    kappa = min(kappa, 200.0 / max(abs(cost), 1e-3))
    reference = min(max(state.kappa_reference_per_bps, 1e-4), 100.0)

    def market(multiplier: float) -> dict:
        return {
            "volatility": state.volatility,
            "kappa_per_bps": kappa,
            "intensity_per_sec": state.intensity_per_sec,
            "risk_aversion_per_bps": strategy.risk_aversion * min(multiplier, 10.0) * reference,
            "cost_bps": cost,
        }

    def depths(multiplier: float, lots: float) -> tuple[float, float]:
        bid, ask = np.empty(1), np.empty(1)
        bound = strategy.bound
        stationary_depths(
            np.array([lots]), bid, ask, lots_long=bound, lots_short=bound, **market(multiplier)
        )
        return float(bid[0]), float(ask[0])

    factors = (caution.volatility, caution.toxicity, caution.inventory, caution.tail)
    products = np.cumprod((1.0, *factors))
    flat = [depths(product, 0.0)[0] for product in products]
    _, slope, rate, _ = closed_form(**market(products[-1]))
    slope = min(slope, strategy.solver.slope_bps(0.0))
    lots = strategy.inventory
    skew = {
        "symmetric": 0.0,
        "inventory_aware": sign * slope * lots,
    }.get(strategy.name)
    if skew is None:
        skew = depths(products[-1], lots)[0 if sign > 0 else 1] - flat[-1]
    signal = rate * 2.0
    funding = 0.0
    if state.funding_rate_hourly == state.funding_rate_hourly:
        payment = min(max(state.funding_rate_hourly * 1e4, -50.0), 50.0)
        funding = -payment * math.exp(-rate * state.funding_secs)
    out = {
        Term.BASE: 1.0 / kappa,
        Term.RISK: flat[0] - cost - 1.0 / kappa,
        **dict(
            zip(
                (Term.VOLATILITY, Term.TOXICITY, Term.INVENTORY, Term.TAIL),
                np.diff(flat).tolist(),
                strict=True,
            )
        ),
        Term.BAND: (caution.widening - 1.0) * (flat[-1] - cost),
        Term.SKEW: skew,
        Term.HORIZON: 0.0,
        Term.ADVERSE: adverse,
        Term.FEE: strategy.fee_bps,
    }
    terms = {term: -sign * depth for term, depth in out.items()}
    terms[Term.SIGNAL] = -state.microprice_deviation_bps * signal / (1.0 + signal)
    terms[Term.FUNDING] = funding
    depth = -sign * sum(terms.values())
    floored = max(depth, strategy.min_depth_bps)
    terms[Term.FLOOR] = -sign * (floored - depth)
    share = level / max(strategy.num_levels - 1, 1)
    ratio = strategy.depth_ratio
    spaced = floored * (ratio**share if strategy.is_geometric else 1.0 + (ratio - 1.0) * share)
    terms[Term.SPACING] = -sign * (spaced - floored)
    for term, bps in (
        (Term.BOOK, state.book_deviation_bps),
        (Term.FLOW, state.flow_deviation_bps),
        (Term.KALMAN, state.kalman_deviation_bps),
    ):
        terms[term] = bps * state.mid / state.fair_price
    bps = state.fair_price * 1e-4
    wanted = state.mid + sum(terms.values()) * bps
    nearest = wanted
    if sign > 0:
        nearest = min(wanted, strategy.instrument.price_below(state.best_ask))
    else:
        own = strategy.ladder.bids[0][0] if strategy.ladder.bids else 0
        nearest = max(wanted, strategy.instrument.price_above(max(state.best_bid, own)))
    terms[Term.POST_ONLY] = (nearest - wanted) / bps
    terms[Term.ROUNDING] = (price - nearest) / bps
    return terms


def check(draw: random.Random) -> tuple[int, float]:
    """Hold the explanation of one random decision; return its levels and the worst difference."""
    strategy, state = draw_strategy(draw), draw_state(draw)
    limit = strategy.bound * strategy.order_lots
    position = draw.choice((0, draw.randint(-limit, limit)))
    ladder = strategy.quote(
        state, position, limit - position, limit + position, is_reduce_only=False
    )
    worst, levels = 0.0, 0
    for sign, rows in ((1, ladder.bids), (-1, ladder.asks)):
        explained = explain(strategy, sign)
        assert [(level.price, level.size) for level in explained] == rows
        for level in explained:
            terms = recomputed(strategy, state, sign, level.level, level.price)
            assert set(terms) == set(level.terms) == set(Term) - {Term.OWN}
            for term, bps in terms.items():
                assert math.isclose(bps, level.terms[term], rel_tol=1e-7, abs_tol=1e-7), (
                    term, bps, level.terms[term], state, strategy.name,
                )  # fmt: skip
            bps = state.fair_price * 1e-4
            tick = strategy.instrument.step_at(level.price)
            total = state.mid + math.fsum(terms.values()) * bps
            assert abs(total - level.price) < TICK_SLACK * tick, (total, level, state)
            rounding = abs(terms[Term.ROUNDING]) * bps / tick
            assert rounding < 1.0, (rounding, level, state)
            worst, levels = max(worst, rounding), levels + 1
    return levels, worst


def main(count: int, seed: int = 0) -> None:
    """Check so many random states and say what was found."""
    draw = random.Random(seed)
    levels, worst = 0, 0.0
    for _ in range(count):
        found, rounding = check(draw)
        levels, worst = levels + found, max(worst, rounding)
    print(f"{count} states, {levels} levels, seed {seed}: rounding at most {worst:.9f} of a tick")


if __name__ == "__main__":
    main(int(sys.argv[1]))
