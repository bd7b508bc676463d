"""Fill-intensity decay: twin, oracle, and what must hold of any fit."""

import doctest
import sys
from math import inf, isnan, nan

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from hypermm._core import kappa as module
from hypermm._core.kappa import (
    KappaStream,
    censored_rate,
    fit_censored,
    fit_truncated,
    truncated_means,
)
from tests.oracle import cases, check
from tests.reference import kappa as reference

DEPTH = st.floats(1.0, 50.0)


@pytest.mark.parametrize("case", cases("kappa_mle", "kappa_mle"))
def test_fits_meet_the_oracle(case):
    """Plain, left-truncated, censored, right-truncated and weighted, with interval and prior."""
    inputs, expected = case["inputs"], case["expected"]
    depths, depth_max = np.array(inputs["depth"]), inputs["dmax"] or inf
    if inputs["mode"] == "truncated":
        fit = fit_truncated(depths, depth_min=inputs["dmin"], depth_max=depth_max)
        for key in expected:
            check(case, key, fit[key])
        return

    fit = fit_censored(
        depths,
        depth_min=inputs["dmin"],
        depth_max=depth_max,
        weights=np.array(inputs["w"]) if "w" in inputs else None,
        prior_shape=inputs["prior_shape"],
        prior_rate=inputs["prior_rate"],
    )

    names = {
        "exposure_depth": "excess",
        "ci95_lo": "low",
        "ci95_hi": "high",
        "post_mean": "posterior_mean",
        "post_lo": "posterior_low",
        "post_hi": "posterior_high",
    }
    for key in expected.keys() - {"A"}:
        check(case, key, fit[names.get(key, key)])
    if "A" in expected:
        level = len(depths) / inputs["T"] * np.exp(fit["kappa"] * inputs["dmin"])
        check(case, "A", level)


def test_the_cut_off_mean_meets_the_oracle():
    """Down to y = 1e-10, where the formula itself has no digit left."""
    many = [param.values[0] for param in cases("kappa_mle", "truncated_mean")]
    out = np.zeros(len(many))

    truncated_means(np.array([case["inputs"]["y"] for case in many]), out)

    for case, value in zip(many, out, strict=True):
        check(case, "g", value)


@pytest.mark.parametrize("case", cases("kappa_streaming"))
def test_the_stream_meets_the_oracle(case):
    """Short and long memory, censored depths, a weak prior."""
    inputs = case["inputs"]
    stream = KappaStream(
        decay_secs=inputs["tau"],
        prior_shape=inputs["prior_shape"],
        prior_rate=inputs["prior_rate"],
    )
    kappas, intensities = [], []

    for depth, secs in zip(inputs["depth"], np.diff([inputs["t0"], *inputs["t"]]), strict=True):
        stream.advance(secs)
        stream.update(depth, least_bps=inputs["dmin"], most_bps=inputs["dmax"])
        kappas.append(stream.kappa_per_bps)
        intensities.append(stream.intensity_per_sec(inputs["dmin"]))

    check(case, "kappa", kappas)
    check(case, "A", intensities)
    check(case, "se_last", stream.kappa_se_per_bps)


@given(st.lists(st.tuples(DEPTH, st.floats(0.01, 5.0)), min_size=1, max_size=50), DEPTH)
def test_the_censored_fit_agrees_with_its_reference(depths_and_weights, depth_max):
    """Every valid input gives the same numbers as the formula in plain Python."""
    depths, weights = zip(*depths_and_weights, strict=True)
    assume(depth_max > 1.0)
    assume(min(depths) < depth_max)
    assume(max(depths) > 1.001)

    fit = fit_censored(
        np.array(depths), depth_min=1.0, depth_max=depth_max, weights=np.array(weights)
    )

    kappa, se = reference.censored(depths, 1.0, depth_max, weights)
    assert fit["kappa"] == pytest.approx(kappa, rel=1e-12)
    assert fit["se"] == pytest.approx(se, rel=1e-12)
    assert fit["low"] < fit["kappa"] or fit["events"] < 1.0


@given(st.lists(DEPTH, min_size=1, max_size=50), st.one_of(DEPTH, st.just(inf)))
def test_the_rate_alone_is_that_of_the_fit(depths, depth_max):
    """The fast pass: the same sums whether or not intervals are wanted."""
    assume(min(depths) < depth_max)
    assume(depth_max > 1.0)
    assume(max(depths) > 1.001)

    kappa, events, excess = censored_rate(np.array(depths), depth_min=1.0, depth_max=depth_max)

    ones = np.ones(len(depths))
    fit = fit_censored(np.array(depths), depth_min=1.0, depth_max=depth_max, weights=ones)
    assert kappa == pytest.approx(fit["kappa"], rel=1e-13)
    assert excess == pytest.approx(fit["excess"], rel=1e-13)
    assert events == fit["events"]


@pytest.mark.parametrize("bad", [nan, inf, -1.0, 0.99])
@pytest.mark.parametrize("at", [0, 7, 8, 500, 999])
@pytest.mark.parametrize("depth_max", [2.0, inf])
def test_the_fast_pass_names_the_depth_that_is_wrong(bad, at, depth_max):
    """In the lanes and in what is left over of them."""
    depths = np.full(1000, 1.5)
    depths[at] = bad

    for function in (censored_rate, fit_censored):
        with pytest.raises(ValueError, match=rf"depths\[{at}\] must be finite and >= 1"):
            function(depths, depth_min=1.0, depth_max=depth_max)


@given(st.lists(st.floats(1.0, 9.0), min_size=1, max_size=50))
def test_the_truncated_fit_agrees_with_bisection(depths):
    """Newton from the left of a convex decreasing function never overshoots."""
    assume(max(depths) > 1.001)

    fit = fit_truncated(np.array(depths), depth_min=1.0, depth_max=9.0)

    assert fit["kappa"] == pytest.approx(reference.truncated(depths, 1.0, 9.0), rel=1e-8, abs=1e-8)
    assert fit["se"] > 0.0


@given(st.lists(DEPTH, min_size=2, max_size=50), st.floats(1e-3, 1e3))
def test_the_decay_scales_as_one_over_the_unit(depths, unit):
    """The same market in other units has the same decay."""
    assume(max(depths) > 1.001)

    plain = fit_censored(np.array(depths), depth_min=1.0)
    scaled = fit_censored(np.array(depths) * unit, depth_min=min(unit, min(depths) * unit))

    assert scaled["kappa"] * unit == pytest.approx(plain["kappa"], rel=1e-9)


def test_the_interval_holds_the_truth_as_often_as_it_says():
    """Four hundred samples of 30: 95 % of the exact intervals contain the true decay."""
    random = np.random.default_rng(5)

    held = [
        fit["low"] < 0.4 < fit["high"]
        for fit in (fit_censored(random.exponential(2.5, 30)) for _ in range(400))
    ]

    assert 0.92 < np.mean(held) < 0.98


def test_leaving_truncation_out_overstates_the_decay():
    """With kappa times width 2, by almost a half: the reason for the truncated form."""
    random = np.random.default_rng(6)
    depths = random.exponential(1.0, 200_000)
    seen = depths[depths < 2.0]

    fit = fit_truncated(seen, depth_min=0.0, depth_max=2.0)

    assert fit["kappa"] == pytest.approx(1.0, abs=4 * fit["se"])
    assert fit_censored(seen)["kappa"] == pytest.approx(1.46, abs=0.02)


def test_the_limits_of_a_fit():
    """All at the least depth: infinite. In the upper half of the window: no decay at all."""
    assert fit_censored(np.array([1.0, 1.0]), depth_min=1.0)["kappa"] == inf
    assert fit_truncated(np.array([1.0]), depth_min=1.0, depth_max=2.0)["kappa"] == inf
    assert fit_truncated(np.array([1.9, 1.2]), depth_min=1.0, depth_max=2.0)["kappa"] == 0.0
    tiny = fit_truncated(np.array([1e-290]), depth_min=0.0, depth_max=1.0)
    assert tiny["kappa"] == pytest.approx(1e290)


STEPS = st.lists(
    st.tuples(st.floats(0.0, 60.0), st.floats(1.5, 40.0), st.booleans()), min_size=1, max_size=30
)


@given(STEPS)
def test_the_stream_agrees_with_its_reference(steps):
    """Updating in place is summing again."""
    stream = KappaStream(decay_secs=45.0, prior_shape=4.0, prior_rate=9.0)
    twin = reference.KappaStream(45.0, 4.0, 9.0)
    for one in (stream, twin):
        one.advance(1.0)

    for secs, depth, is_event in steps:
        stream.advance(secs)
        twin.advance(secs)
        if is_event:
            stream.update(depth, least_bps=1.5, most_bps=30.0)
            twin.add(depth, 1.5, 30.0)

    values = stream.kappa_per_bps, stream.kappa_se_per_bps, stream.intensity_per_sec(1.5)
    assert values == pytest.approx(twin.read(1.5), rel=1e-10)


@given(st.floats(0.0, 500.0), st.floats(0.0, 500.0))
def test_time_may_pass_in_any_steps(first, second):
    """The exposure composes exactly, so reads and batches leave no trace in it."""
    once, twice = KappaStream(decay_secs=100.0), KappaStream(decay_secs=100.0)

    once.advance(first + second)
    twice.advance(first)
    twice.advance(second)

    assert twice.exposure_secs == pytest.approx(once.exposure_secs, rel=1e-12)


def test_a_steady_market_is_found_from_any_prior():
    """A hundred thousand events of decay 0.4 at 2 a second, one second's memory times 10,000."""
    random = np.random.default_rng(7)
    stream = KappaStream(decay_secs=1e4, prior_shape=4.0, prior_rate=400.0)

    for depth, secs in zip(
        1.5 + random.exponential(2.5, 100_000), random.exponential(0.5, 100_000), strict=True
    ):
        stream.advance(secs)
        stream.update(depth, least_bps=1.5)

    assert stream.kappa_per_bps == pytest.approx(0.4, abs=5 * stream.kappa_se_per_bps)
    assert stream.intensity_per_sec(1.5) == pytest.approx(2.0 * np.exp(0.6), rel=0.05)


def test_without_prior_and_events_nothing_is_known():
    """Unknown is NaN, never 0 and never a division by zero."""
    stream = KappaStream(decay_secs=10.0)

    assert isnan(stream.kappa_per_bps)
    assert isnan(stream.kappa_se_per_bps)
    assert isnan(stream.intensity_per_sec(1.0))


@pytest.mark.parametrize(
    "call",
    [
        lambda: fit_censored(np.array([])),
        lambda: fit_censored(np.array([nan])),
        lambda: fit_censored(np.array([0.5]), depth_min=1.0),
        lambda: fit_censored(np.array([2.0]), depth_min=1.0, depth_max=1.0),
        lambda: fit_censored(np.array([2.0]), weights=np.array([1.0, 1.0])),
        lambda: fit_censored(np.array([2.0]), weights=np.array([-1.0])),
        lambda: fit_censored(np.array([2.0]), prior_shape=nan),
        lambda: censored_rate(np.array([])),
        lambda: censored_rate(np.array([2.0]), depth_min=nan),
        lambda: censored_rate(np.array([2.0]), depth_min=1.0, depth_max=1.0),
        lambda: fit_truncated(np.array([]), depth_min=0.0, depth_max=2.0),
        lambda: fit_truncated(np.array([nan] * 9), depth_min=0.0, depth_max=2.0),
        lambda: fit_truncated(np.array([3.0]), depth_min=0.0, depth_max=2.0),
        lambda: fit_truncated(np.array([3.0]), depth_min=0.0, depth_max=inf),
        lambda: truncated_means(np.array([-1.0]), np.zeros(1)),
        lambda: truncated_means(np.array([1.0]), np.zeros(2)),
        lambda: KappaStream(decay_secs=nan),
        lambda: KappaStream(decay_secs=1.0, prior_shape=-1.0),
        lambda: KappaStream(decay_secs=1.0).advance(-1.0),
        lambda: KappaStream(decay_secs=1.0).update(1.0, least_bps=2.0),
        lambda: KappaStream(decay_secs=1.0).update(nan, least_bps=0.0),
        lambda: KappaStream(decay_secs=1.0).intensity_per_sec(nan),
    ],
)
def test_values_outside_their_domain_are_refused(call):
    """The door checks, so that the room need not."""
    with pytest.raises(ValueError, match="must"):
        call()


def test_a_sample_that_is_all_censored_is_refused():
    """It bounds the decay from above and no more."""
    with pytest.raises(ValueError, match="not identified"):
        fit_censored(np.array([5.0, 6.0]), depth_max=4.0)


def test_updates_allocate_nothing():
    """They lie on the path of every aggressive order."""
    stream, depths = KappaStream(decay_secs=10.0), np.linspace(1.0, 2.0, 30)
    before = sys.getallocatedblocks()

    for _ in range(10_000):
        stream.advance(1.0)
        stream.update(2.0, least_bps=1.0)
        censored_rate(depths, depth_min=1.0)

    assert sys.getallocatedblocks() - before < 200


def test_the_examples_run():
    """Examples of docstrings are code."""
    assert doctest.testmod(module).failed == 0
