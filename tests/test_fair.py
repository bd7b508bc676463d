"""The fair price: what is added to the mid is learnt without look-ahead and stays within bounds."""

import doctest
import random
from math import isnan

import pytest

from hypermm._core import fair as module
from hypermm._core.fair import SIGNAL_SECS, FairPrice

SECOND = 10**9
STEP_NS = SECOND // 2


def run(fair, states, *, start=SECOND, tick=1.0, scale=1.0):
    """Feed (bid, ask, book, flow) half a second apart; return the fair prices seen."""
    seen = []
    for i, (bid, ask, book, flow) in enumerate(states):
        fair.observe(start + i * STEP_NS, bid * scale, ask * scale, tick * scale, book, flow, 1.0)
        seen.append(fair.fair_price)
    return seen


def pushed_market(count, *, bps=1.0, seed=3):
    """A book whose imbalance moves the mid by `bps` in the next two seconds, plus some noise."""
    rng = random.Random(seed)
    states, mid, pushes = [], 100_000.0, []
    for _ in range(count):
        push = rng.uniform(-1.0, 1.0)
        pushes.append(push)
        if len(pushes) > 4:  # each push acts a quarter at a time over the four steps after it
            mid *= 1.0 + sum(pushes[-5:-1]) / 4.0 * bps * 1e-4
        mid *= 1.0 + rng.gauss(0.0, 1e-6)
        states.append((mid - 20.0, mid + 20.0, push, 0.0))
    return states


def test_it_learns_what_imbalance_does_to_the_mid():
    """The coefficient is that of the market, and the price is the mid with it."""
    fair = FairPrice()
    states = pushed_market(4_000)

    run(fair, states)

    assert fair.signal.beta_book == pytest.approx(1e-4, rel=0.1)
    assert fair.book_bps == pytest.approx(fair.signal.beta_book * 1e4 * states[-1][2], rel=1e-9)
    total_bps = fair.book_bps + fair.flow_bps + fair.kalman_bps
    assert fair.fair_price == pytest.approx(fair.mid * (1.0 + total_bps * 1e-4), rel=1e-12)


def test_the_price_of_a_moment_does_not_know_what_follows():
    """No look-ahead: another future leaves every price up to now as it was."""
    states = pushed_market(1_200)
    other = states[:1_000] + [
        (bid * 1.01, ask * 1.01, -x, 1.0) for bid, ask, x, _ in states[1_000:]
    ]

    one, two = run(FairPrice(), states), run(FairPrice(), other)

    assert one[:1_000] == two[:1_000]
    assert one[1_100] != two[1_100]


def test_what_does_not_predict_adds_nothing():
    """Imbalance without a meaning: the fair price is the mid, not the mid with noise on it."""
    rng = random.Random(5)
    fair = FairPrice()
    mid = 100_000.0
    states = []
    for _ in range(3_000):
        mid *= 1.0 + rng.gauss(0.0, 1e-4)
        states.append((mid - 5.0, mid + 5.0, rng.uniform(-1, 1), rng.uniform(-1, 1)))

    seen = run(fair, states)

    mids = [0.5 * (bid + ask) for bid, ask, _, _ in states]
    away = [abs(price / mid - 1.0) for price, mid in zip(seen, mids, strict=True)]
    assert sorted(away)[len(away) // 2] < 2e-6


def test_no_part_leaves_the_spread_by_more_than_a_tick():
    """A wild coefficient must not carry a quote through the book."""
    fair = FairPrice()
    states = [
        (mid - 0.5, mid + 0.5, x, y)
        for (b, a, x, y) in pushed_market(2_000, bps=5.0)
        for mid in [0.5 * (a + b)]
    ]

    for i, (bid, ask, book, flow) in enumerate(states):
        fair.observe(SECOND + i * STEP_NS, bid, ask, 1.0, book, flow, 1.0)
        assert abs(fair.book_bps + fair.flow_bps) <= 1.5 / fair.mid * 1e4 * (1 + 1e-9)

    assert abs(fair.book_bps) > 0.0


def test_a_bounce_is_smoothed_away():
    """A mid that jumps to and fro stands in the middle of its jumps."""
    fair = FairPrice()
    states = [(100_000.0 + 4 * (i % 2), 100_010.0 + 4 * (i % 2), 0.0, 0.0) for i in range(400)]

    seen = run(fair, states)

    assert abs(seen[-1] - 100_007.0) < 1.5  # the mid itself is 2 away
    assert abs(seen[-2] - 100_007.0) < 1.5


@pytest.mark.parametrize("scale", [1e-3, 1e3])
def test_another_unit_of_price_changes_nothing_in_bps(scale):
    """Prices of an asset split a thousandfold tell the same."""
    states = pushed_market(1_000)
    one, other = FairPrice(), FairPrice()

    seen, scaled = run(one, states), run(other, states, scale=scale)

    assert scaled == pytest.approx([price * scale for price in seen], rel=1e-9)
    assert other.book_bps == pytest.approx(one.book_bps, rel=1e-6, abs=1e-9)
    assert other.signal.beta_book == pytest.approx(one.signal.beta_book, rel=1e-6)


def test_without_a_book_there_is_no_price_and_nothing_is_learnt_across():
    """One-sided and crossed books have no mid; a cut drops what waits for its label."""
    fair = FairPrice()
    assert isnan(fair.fair_price)
    run(fair, pushed_market(200))
    learnt = fair.signal.pairs

    fair.cut()
    assert isnan(fair.mid)
    later = 1_000 * SECOND
    fair.observe(later, 0.0, 100.0, 1.0, 0.0, 0.0, 1.0)
    assert isnan(fair.fair_price)
    fair.observe(later + 1, 101.0, 100.0, 1.0, 0.0, 0.0, 1.0)
    assert isnan(fair.fair_price)
    fair.observe(later + 2, 100.0, 102.0, 1.0, 0.0, 0.0, 1.0)
    fair.observe(later - 5, 500.0, 502.0, 1.0, 0.0, 0.0, 1.0)  # an older one is ignored

    assert fair.mid == 101.0
    assert fair.signal.pairs == learnt
    assert SIGNAL_SECS > 0


@pytest.mark.parametrize(
    "changes",
    [
        {"exch_ns": 0},
        {"bid": float("nan")},
        {"ask": float("inf")},
        {"tick": -1.0},
        {"book_imbalance": 1.5},
        {"flow_imbalance": float("nan")},
        {"volatility_bps": -1.0},
    ],
)
def test_values_outside_their_domain_are_refused(changes):
    """The door checks; the room computes."""
    state = {
        "exch_ns": 1, "bid": 1.0, "ask": 2.0, "tick": 1.0,
        "book_imbalance": 0.0, "flow_imbalance": 0.0, "volatility_bps": 1.0,
    }  # fmt: skip
    with pytest.raises(ValueError, match=r"must (be|lie)"):
        FairPrice().observe(**state | changes)


def test_the_examples_run():
    """Examples of docstrings are code."""
    assert doctest.testmod(module).failed == 0
