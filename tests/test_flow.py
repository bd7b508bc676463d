"""Arrivals of aggressive orders: intensities, severity and direction."""

import doctest
import random
from math import isnan

import pytest

from hypermm._core import flow as module
from hypermm._core.flow import Arrivals, Flow
from hypermm._core.hawkes_fit import fit


def excited_gaps(count, *, mu, jump, decay, seed):
    """Gaps of a self-exciting process, by thinning."""
    rng = random.Random(seed)
    gaps, since, excess = [], 0.0, 0.0
    while len(gaps) < count:
        bound = mu + excess
        step = rng.expovariate(bound)
        since += step
        excess *= 2.718281828459045 ** (-decay * step)
        if rng.random() * bound <= mu + excess:
            gaps.append(since)
            since = 0.0
            excess += jump
    return gaps


def feed(arrivals, gaps):
    for gap in gaps:
        arrivals.advance(gap)
        arrivals.update()


def test_the_refits_find_the_process():
    """The live parameters are those of the library's fit to the same arrivals."""
    gaps = excited_gaps(1_000, mu=0.5, jump=0.5, decay=1.0, seed=4)
    arrivals = Arrivals()

    feed(arrivals, gaps)

    assert arrivals.fits >= 1
    assert arrivals.stream is not None
    assert arrivals.branching == pytest.approx(0.5, abs=3 * arrivals.branching_se + 0.05)
    assert arrivals.stream.decay_per_sec == pytest.approx(
        1.0, abs=3 * arrivals.decay_se_per_sec + 0.2
    )


def test_before_a_fit_is_believed_the_level_is_the_sides_own():
    """NaN before twenty arrivals, a prior's shape at the measured rate after them."""
    arrivals = Arrivals()
    feed(arrivals, [2.0] * 19)
    assert isnan(arrivals.intensity_per_sec)

    feed(arrivals, [2.0] * 20)

    assert arrivals.fits == 0
    assert arrivals.intensity_per_sec == pytest.approx(0.5, rel=0.3)


def test_arrivals_at_one_moment_are_one():
    """A taker's fills share a stamp; exciting itself at once would be no excitation."""
    arrivals = Arrivals()
    arrivals.advance(1.0)
    arrivals.update()
    arrivals.update()

    assert arrivals.events == 1


def test_the_way_that_time_is_cut_does_not_matter():
    """Time that passes in many steps is the same time."""
    gaps = [round(gap, 3) for gap in excited_gaps(300, mu=0.5, jump=0.5, decay=1.0, seed=9)]
    whole, cut = Arrivals(), Arrivals()
    feed(whole, gaps)
    for gap in gaps:
        millis = round(gap * 1000)
        cut.advance((millis // 2) * 1e-3)
        cut.advance((millis - millis // 2) * 1e-3)
        cut.update()

    assert cut.watched_ns == whole.watched_ns
    assert cut.intensity_per_sec == whole.intensity_per_sec
    assert fit is not None


def busy(flow, *, side, count, gap, lots=10.0, is_forced=False):
    for _ in range(count):
        flow.advance(gap)
        flow.trade(side, lots, is_forced=is_forced)
        flow.arrive(side)


def calm(flow, secs, *, seed=1):
    """Two-sided Poisson flow of one order a second each way."""
    rng = random.Random(seed)
    passed = 0.0
    while passed < secs:
        gap = rng.expovariate(2.0)
        passed += gap
        side = rng.choice((1, -1))
        busy(flow, side=side, count=1, gap=gap)


def test_severity_rises_with_a_one_sided_burst_and_falls_after_it():
    """Quiet below the first band, a burst of sells above it with its side, then quiet again."""
    flow = Flow()
    calm(flow, 600.0)
    before, _ = flow.severity

    busy(flow, side=-1, count=60, gap=0.05)
    in_burst, side = flow.severity
    flow.advance(120.0)
    after, _ = flow.severity

    assert before < 0.3
    assert 0.5 < in_burst <= 1.0
    assert side == -1
    assert after < 0.3


def test_a_two_sided_burst_has_no_direction_and_stops_at_half():
    """Both sides at once are a busy market, not a cascade: no pull, no kill."""
    flow = Flow()
    calm(flow, 600.0)

    for _ in range(100):
        busy(flow, side=1, count=1, gap=0.03)
        busy(flow, side=-1, count=1, gap=0.03)
    severity, side = flow.severity

    assert 0.3 < severity <= 0.5
    assert side == 0


def test_forced_flow_or_falling_open_interest_is_a_direction():
    """Liquidations are seen by trades without a transaction, or by positions that vanish."""

    def burst(flow):
        for _ in range(100):
            busy(flow, side=1, count=1, gap=0.03)
            busy(flow, side=-1, count=1, gap=0.03, is_forced=forced)

    forced = True
    with_forced = Flow()
    calm(with_forced, 600.0)
    burst(with_forced)
    forced = False
    with_closing = Flow()
    with_closing.set_open_interest(1_000_000)
    calm(with_closing, 600.0)
    burst(with_closing)
    with_closing.set_open_interest(990_000)

    assert with_forced.severity[0] > 0.5
    assert with_closing.severity[0] > 0.5


def test_an_unseen_level_alone_does_not_pull():
    """Until half an hour tells how high intensities go, the model's tail pulls no quotes."""
    flow = Flow()
    calm(flow, 600.0)

    busy(flow, side=1, count=200, gap=0.02)

    assert not flow.buys.is_calibrated
    assert flow.severity[0] < 0.8


def test_a_level_that_was_seen_often_is_not_rare():
    """A market of regular bursts makes them usual, whatever the model thinks of its tail."""
    flow = Flow()
    for k in range(60):
        calm(flow, 80.0, seed=k)
        busy(flow, side=1, count=30, gap=0.1)
    flow.advance(2.0)
    usual = Flow()
    calm(usual, 60 * 84.0)

    busy(flow, side=1, count=25, gap=0.1)
    busy(usual, side=1, count=25, gap=0.1)

    assert flow.buys.is_calibrated
    assert flow.severity[0] < usual.severity[0]


@pytest.mark.parametrize(
    "call",
    [
        lambda flow: flow.trade(0, 1.0),
        lambda flow: flow.trade(1, -1.0),
        lambda flow: flow.trade(1, float("nan")),
        lambda flow: flow.arrive(2),
        lambda flow: flow.advance(-1.0),
        lambda flow: flow.set_open_interest(-1),
        lambda flow: flow.buys.advance(float("nan")),
    ],
)
def test_values_outside_their_domain_are_refused(call):
    """The door checks; the room computes."""
    with pytest.raises(ValueError, match="must"):
        call(Flow())


def test_the_examples_run():
    """Examples of docstrings are code."""
    assert doctest.testmod(module).failed == 0
