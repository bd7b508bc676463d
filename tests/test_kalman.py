"""The local level against oracle, twin and simulation."""

import doctest
import sys
from math import inf, isnan, nan

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hypermm._core import kalman as module
from hypermm._core.kalman import LevelStream, filter_level, fit_level, level_moments, steady_gains
from tests.oracle import cases, check
from tests.reference import kalman as reference


def run(prices, secs, q, r):
    prices, secs = np.array(prices, dtype=float), np.array(secs, dtype=float)
    levels, variances = np.empty(len(prices)), np.empty(len(prices))
    total = filter_level(prices, secs, levels, variances, variance_per_sec=q, noise_variance=r)
    return levels, variances, total


@pytest.mark.parametrize("case", cases("kalman_local_level"))
def test_the_filter_meets_the_oracle(case):
    """Trace, variance, likelihood, gain and moments."""
    i, out = case["inputs"], np.empty(1)

    levels, variances, total = run(i["y"], i["dt"], i["q"], i["R"])

    check(case, "m", levels[1:].tolist())
    check(case, "p_last", variances[-1])
    check(case, "loglik", total)
    if "gain_steady" in case["expected"]:
        steady_gains(np.array([i["q"] * i["dt"][0] / i["R"]]), out)
        check(case, "gain_steady", out[0])
        q_dt, r = level_moments(np.array(i["y"]))
        check(case, "R_moment", r)
        check(case, "qdt_moment", q_dt)


SERIES = st.lists(st.tuples(st.floats(-1e3, 1e3), st.floats(0.0, 1e3)), min_size=1, max_size=30)


@given(SERIES, st.floats(1e-6, 1e3), st.floats(1e-3, 1e3))
def test_the_filter_agrees_with_its_reference(series, q, r):
    """Any prices at any times."""
    prices, secs = [p for p, _ in series], [s for _, s in series[1:]]

    levels, variances, total = run(prices, secs, q, r)

    expected = reference.filter_level(prices, secs, q, r)
    # A level near zero is a difference of prices: its error is that of the largest one.
    largest = max(1.0, max(abs(price) for price in prices))
    np.testing.assert_allclose(levels, expected[0], rtol=1e-8, atol=1e-10 * largest)
    np.testing.assert_allclose(variances, expected[1], rtol=1e-6)
    assert total == pytest.approx(expected[2], rel=1e-8, abs=1e-8)


@pytest.mark.parametrize("scale", [1e-60, 1e-9, 1.0, 1e9, 1e60])
def test_the_filter_knows_no_unit(scale):
    """Prices times a power of two: levels times it, to the last bit."""
    rng, unit = np.random.default_rng(1), 2.0 ** round(np.log2(scale))
    prices, secs = rng.normal(size=50).cumsum(), rng.exponential(size=49)

    levels, variances, _ = run(prices, secs, 0.3, 2.0)
    other, others, _ = run(prices * unit, secs, 0.3 * unit**2, 2.0 * unit**2)

    assert (other / unit).tolist() == levels.tolist()
    np.testing.assert_allclose(others / unit**2, variances, rtol=1e-15)


def test_without_noise_the_price_passes_through():
    """R = 0, and R so small that it is nothing beside the walk."""
    prices = [1.0, 5.0, -3.0]

    levels, variances, total = run(prices, [1.0, 0.0], 0.0, 0.0)
    assert levels.tolist() == prices
    assert variances.tolist() == [0.0, 0.0, 0.0]
    assert isnan(total)
    levels, variances, _ = run(prices, [1.0, 1.0], 1.0, 1e-300)
    assert levels.tolist() == prices
    assert variances[-1] == pytest.approx(1e-300)
    levels, _, _ = run(prices, [1.0, 1.0], 0.0, 1.0)
    assert levels.tolist() == pytest.approx(np.cumsum(prices) / [1, 2, 3])


@given(st.floats(1e-300, 1e300))
def test_the_steady_gain_solves_its_equation(ratio):
    """K^2 = s (1 - K), for ratios that the textbook's form loses."""
    out = np.empty(1)

    steady_gains(np.array([ratio]), out)

    gain = out[0]
    assert 0.0 < gain <= 1.0
    if ratio < 1e4:
        assert gain * gain == pytest.approx(ratio * (1.0 - gain), rel=1e-10)
    else:
        assert gain == pytest.approx(1.0 - 1.0 / ratio, abs=2.0 / ratio / ratio + 1e-15)


def test_the_gain_at_its_ends():
    """No walk, and no noise."""
    out = np.empty(2)

    steady_gains(np.array([0.0, inf]), out)

    assert out.tolist() == [0.0, 1.0]


def simulate(rng, n, q, r):
    secs = rng.exponential(size=n - 1)
    walk = np.concatenate([[0.0], np.cumsum(rng.normal(size=n - 1) * np.sqrt(q * secs))])
    return 100.0 + walk + rng.normal(size=n) * r**0.5, secs


def test_the_likelihood_is_at_its_maximum():
    """No neighbour, near or far, is more likely."""
    prices, secs = simulate(np.random.default_rng(2), 400, 1.0, 3.0)

    fit = fit_level(prices, secs)

    q, r = fit["variance_per_sec"], fit["noise_variance"]
    best = run(prices, secs, q, r)[2]
    assert best == pytest.approx(fit["log_likelihood"], abs=1e-9)
    for step in (1e-3, 0.1, 3.0):
        for dq, dr in ((1, 0), (-1, 0), (0, 1), (0, -1), (1, 1), (-1, 1)):
            assert run(prices, secs, q * np.exp(dq * step), r * np.exp(dr * step))[2] < best


def test_the_errors_are_the_curvature_of_the_likelihood():
    """Expected information against the second difference, within sampling noise."""
    prices, secs = simulate(np.random.default_rng(5), 4_000, 1.0, 3.0)
    fit = fit_level(prices, secs)
    centre = np.array([fit["variance_per_sec"], fit["noise_variance"]])

    def value(i, j):
        q, r = centre * (1.0 + 1e-3 * np.array([i, j]))
        return run(prices, secs, q, r)[2]

    hessian = np.empty((2, 2))
    hessian[0, 0] = value(1, 0) - 2 * value(0, 0) + value(-1, 0)
    hessian[1, 1] = value(0, 1) - 2 * value(0, 0) + value(0, -1)
    hessian[0, 1] = hessian[1, 0] = (value(1, 1) - value(1, -1) - value(-1, 1) + value(-1, -1)) / 4
    errors = np.sqrt(np.diag(np.linalg.inv(-hessian / 1e-6))) * centre
    assert fit["variance_error"] == pytest.approx(errors[0], rel=0.15)
    assert fit["noise_error"] == pytest.approx(errors[1], rel=0.15)


def test_true_values_lie_in_their_intervals_at_the_stated_rate():
    """95 % of 150 simulated series, give or take three standard errors of that count."""
    rng, inside = np.random.default_rng(3), np.zeros(2)

    for _ in range(150):
        fit = fit_level(*simulate(rng, 300, 0.5, 2.0))
        inside[0] += abs(fit["variance_per_sec"] - 0.5) < 1.96 * fit["variance_error"]
        inside[1] += abs(fit["noise_variance"] - 2.0) < 1.96 * fit["noise_error"]

    assert (inside / 150 >= 0.95 - 3 * (0.95 * 0.05 / 150) ** 0.5).all()


@pytest.mark.parametrize("scale", [1e-50, 1e-8, 1.0, 1e5, 1e50])
@pytest.mark.parametrize("pace", [1e-6, 1.0, 1e6])
def test_the_fit_knows_no_unit(scale, pace):
    """Price in other units, time in other units."""
    prices, secs = simulate(np.random.default_rng(4), 200, 1.0, 2.0)
    prices -= 100.0

    one, other = fit_level(prices, secs), fit_level(prices * scale, secs * pace)

    assert other["noise_variance"] == pytest.approx(one["noise_variance"] * scale**2, rel=1e-6)
    assert other["variance_per_sec"] == pytest.approx(
        one["variance_per_sec"] * scale**2 / pace, rel=1e-6
    )


def test_a_variance_that_is_not_there_is_0_without_an_error():
    """A pure walk has no noise, pure noise no walk."""
    rng = np.random.default_rng(6)
    walk = fit_level(np.cumsum(np.abs(rng.normal(size=500))), np.ones(499))
    noise = fit_level(np.tile([1.0, -1.0], 200) * (1.0 + rng.random(400)), np.ones(399))

    assert walk["noise_variance"] == 0.0
    assert walk["variance_per_sec"] > 0.5
    assert isnan(walk["noise_error"])
    assert noise["variance_per_sec"] == 0.0
    assert noise["noise_variance"] > 1.0


def test_the_stream_filters_with_the_noise_that_it_has_seen():
    """A bounce of variance 4 is found and filtered; the level is nearer the truth."""
    rng, stream = np.random.default_rng(7), LevelStream(decay_secs=500.0)
    truth = 100.0 + np.cumsum(rng.normal(scale=0.3, size=4_000))
    prices = truth + rng.normal(scale=2.0, size=4_000)

    levels = [stream.update(p, 1.0, 0.09) for p in prices]

    assert stream.noise_variance == pytest.approx(4.0, rel=0.15)
    assert stream.moment_variance == pytest.approx(0.09, abs=0.6)
    late = slice(500, None)
    assert np.std((np.array(levels) - truth)[late]) < 0.5 * np.std((prices - truth)[late])


def test_a_price_without_a_bounce_passes_through():
    """Trends have no noise to filter."""
    stream = LevelStream(decay_secs=10.0)

    assert [stream.update(p, 1.0, 1.0) for p in (1.0, 2.0, 4.0, 7.0)] == [1.0, 2.0, 4.0, 7.0]
    assert (stream.noise_variance, stream.variance, stream.updates) == (0.0, 0.0, 4)
    assert isnan(LevelStream(decay_secs=1.0).level)
    assert isnan(LevelStream(decay_secs=1.0).moment_variance)


@given(SERIES, st.lists(st.floats(-1e3, 1e3), max_size=5))
def test_the_future_never_changes_a_past_level(series, future):
    """Filtered, not smoothed."""
    alone, both = LevelStream(decay_secs=5.0), LevelStream(decay_secs=5.0)

    first = [alone.update(p, s, 0.1) for p, s in series]
    second = [both.update(p, s, 0.1) for p, s in [*series, *((p, 1.0) for p in future)]]

    assert second[: len(first)] == first


def arrays(*values):
    return [np.array(v, dtype=float) for v in values]


@pytest.mark.parametrize(
    ("call", "match"),
    [
        (lambda: run([], [], 1.0, 1.0), "prices must have at least 1"),
        (lambda: run([1.0, nan], [1.0], 1.0, 1.0), r"prices\[1\] must be finite"),
        (lambda: run([1.0, 1.0], [-1.0], 1.0, 1.0), r"secs\[0\] must be >= 0"),
        (lambda: run([1.0, 1.0], [1.0, 1.0], 1.0, 1.0), "secs must have length 1"),
        (lambda: run([1.0], [], -1.0, 1.0), "variance_per_sec must be >= 0"),
        (lambda: run([1.0], [], 1.0, nan), "noise_variance must be >= 0"),
        (lambda: filter_level(*arrays([1], [], [], []), variance_per_sec=1.0,
                              noise_variance=1.0), "must have length 1"),
        (lambda: steady_gains(*arrays([-1], [0])), r"ratios\[0\] must be >= 0"),
        (lambda: steady_gains(*arrays([nan], [0])), r"ratios\[0\]"),
        (lambda: steady_gains(*arrays([1], [])), "out must have length 1"),
        (lambda: level_moments(np.ones(2)), "prices must have at least 3"),
        (lambda: level_moments(np.array([1.0, inf, 1.0])), r"prices\[1\]"),
        (lambda: fit_level(*arrays([1, 2], [1])), "prices must have at least 3"),
        (lambda: fit_level(*arrays([1, 1, 1], [1, 1])), "prices must not be all equal"),
        (lambda: fit_level(*arrays([1, 2, 1], [0, 0])), "secs must not be all 0"),
        (lambda: LevelStream(decay_secs=0.0), "decay_secs must be > 0"),
        (lambda: LevelStream(decay_secs=1.0).update(nan, 1.0, 1.0), "price must be finite"),
        (lambda: LevelStream(decay_secs=1.0).update(1.0, -1.0, 1.0), "secs must be >= 0"),
        (lambda: LevelStream(decay_secs=1.0).update(1.0, 1.0, -1.0), "variance_per_sec must"),
    ],
)  # fmt: skip
def test_values_outside_their_domain_are_refused(call, match):
    """The door names argument, index and rule."""
    with pytest.raises(ValueError, match=match):
        call()


def test_updates_allocate_nothing():
    """They lie on the path of every book."""
    stream = LevelStream(decay_secs=10.0)
    args = [np.ones(50), np.ones(49), np.ones(50), np.ones(50)]
    before = sys.getallocatedblocks()

    for i in range(10_000):
        stream.update(100.0 + i % 3, 0.1, 0.01)
        filter_level(*args, variance_per_sec=1.0, noise_variance=1.0)

    assert sys.getallocatedblocks() - before < 20


def test_the_examples_run():
    """Examples of docstrings are code."""
    assert doctest.testmod(module).failed == 0
