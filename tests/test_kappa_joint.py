"""Level and decay of the fill intensity together: twin, oracle, and what must hold of any fit."""

import doctest
import sys
from math import exp, inf, log, nan, sqrt

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from hypermm._core import kappa_joint as module
from hypermm._core.kappa_joint import (
    FillBins,
    fit_book,
    fit_joint,
    fit_log_survival,
    fit_regression,
    joint_log_likelihood,
)
from tests.oracle import cases, check
from tests.reference import kappa_joint as reference

BINS = st.lists(
    st.tuples(
        st.integers(1, 40).map(lambda x: x / 4), st.integers(1, 900), st.integers(0, 60)
    ),
    min_size=2,
    max_size=20,
    unique_by=lambda one: one[0],
)  # fmt: skip


def columns(bins):
    return [np.array(column, float) for column in zip(*bins, strict=True)]


def prior(inputs):
    return {key: inputs.get(key, 0.0) for key in ("prior_shape", "prior_rate")}


@pytest.mark.parametrize("case", cases("kappa_poisson"))
def test_joint_fits_meet_the_oracle(case):
    """Two to twenty depths, empty ones among them, with a prior and without."""
    inputs = case["inputs"]
    bins = [np.array(inputs[key], float) for key in ("depth", "exposure", "fills")]

    fit = fit_joint(*bins, **prior(inputs))
    log_intensity, kappa = inputs["at"]
    value, gradient, bends = joint_log_likelihood(
        *bins, log_intensity=log_intensity, kappa=kappa, **prior(inputs)
    )

    for key, name in (
        ("A", "intensity"),
        ("kappa", "kappa"),
        ("loglik", "log_likelihood"),
        ("se_lnA", "log_intensity_se"),
        ("se_kappa", "kappa_se"),
        ("cov_lnA_kappa", "covariance"),
    ):
        check(case, key, fit[name])
    check(case, "loglik_at", value)
    check(case, "grad_at", list(gradient))
    check(case, "hess_at", list(bends))


@pytest.mark.parametrize("case", cases("kappa_regression", "kappa_wls"))
def test_regressions_meet_the_oracle(case):
    """Depths without a fill are left out."""
    inputs = case["inputs"]

    fit = fit_regression(*(np.array(inputs[key], float) for key in ("depth", "exposure", "fills")))

    check(case, "kappa", fit["kappa"])
    check(case, "A", fit["intensity"])


@pytest.mark.parametrize("case", cases("kappa_regression", "kappa_log_survival"))
def test_survival_lines_meet_the_oracle(case):
    """Sorted depths, through the origin."""
    inputs = case["inputs"]

    check(case, "kappa", fit_log_survival(np.sort(inputs["depth"]), depth_min=inputs["dmin"]))


@pytest.mark.parametrize("case", cases("kappa_regression", "kappa_book"))
def test_book_decays_meet_the_oracle(case):
    """Resting size against distance, cut off at the last level."""
    inputs = case["inputs"]

    kappa = fit_book(
        np.array(inputs["distance"]), np.array(inputs["size"]), distance_max=inputs["xmax"]
    )

    check(case, "kappa_book", kappa)


@given(BINS, st.booleans())
def test_the_joint_fit_agrees_with_its_reference(bins, has_prior):
    """Bisection of the same slope, and a gradient of zero at the fit."""
    depths, secs, fills = columns(bins)
    assume(fills.sum() > 0)
    given_prior = {"prior_shape": 3.0, "prior_rate": 4.0} if has_prior else {}
    mean = (fills * depths).sum() / fills.sum()
    assume(has_prior or depths.min() + 0.01 < mean < depths.max() - 0.01)

    fit = fit_joint(depths, secs, fills, **given_prior)

    log_intensity, kappa = reference.fit(depths, secs, fills, *given_prior.values())
    assert fit["kappa"] == pytest.approx(kappa, rel=1e-9, abs=1e-9)
    assert fit["log_intensity"] == pytest.approx(log_intensity, rel=1e-8, abs=1e-8)
    _, gradient, _ = joint_log_likelihood(
        depths, secs, fills, log_intensity=fit["log_intensity"], kappa=fit["kappa"], **given_prior
    )
    scale = fills.sum()
    assert np.abs(gradient) == pytest.approx([0.0, 0.0], abs=1e-10 * scale * (1 + depths.max()))


@given(BINS, st.floats(-2.0, 3.0), st.floats(0.05, 2.0))
def test_derivatives_match_finite_differences(bins, log_intensity, kappa):
    """The gradient is the slope of the value, the second derivatives that of the gradient."""
    arrays = columns(bins)
    assume(arrays[2].sum() > 0)

    def at(level, decay):
        return joint_log_likelihood(
            *arrays, log_intensity=level, kappa=decay, prior_shape=2.0, prior_rate=1.0
        )

    value, gradient, bends = at(log_intensity, kappa)
    plain = reference.log_likelihood(*arrays, log_intensity, kappa, 2.0, 1.0)
    h = 1e-6
    scale = 1.0 + abs(value) + max(map(abs, bends))

    assert value == pytest.approx(plain[0], rel=1e-12, abs=1e-9)
    for i, (da, dk) in enumerate(((h, 0.0), (0.0, h))):
        up, down = at(log_intensity + da, kappa + dk), at(log_intensity - da, kappa - dk)
        assert (up[0] - down[0]) / (2 * h) == pytest.approx(gradient[i], abs=1e-6 * scale)
        assert (up[1][1] - down[1][1]) / (2 * h) == pytest.approx(bends[1 + i], abs=1e-5 * scale)


@given(BINS, st.sampled_from([1e-6, 1e-3, 1e4]), st.sampled_from([1e-3, 3600.0]))
def test_units_of_depth_and_time_do_not_matter(bins, unit, seconds):
    """The same market in other units: decay and level scale, their relative errors stand."""
    depths, secs, fills = columns(bins)
    assume(fills.sum() > 0)
    mean = (fills * depths).sum() / fills.sum()
    assume(depths.min() + 0.01 < mean < depths.max() - 0.01)

    one = fit_joint(depths, secs, fills)
    other = fit_joint(depths * unit, secs * seconds, fills)

    assert other["kappa"] * unit == pytest.approx(one["kappa"], rel=1e-9, abs=1e-10)
    assert other["log_intensity"] + log(seconds) == pytest.approx(one["log_intensity"], abs=1e-8)
    assert other["kappa_se"] * unit == pytest.approx(one["kappa_se"], rel=1e-9)


def test_the_fit_recovers_what_was_simulated_as_often_as_it_says():
    """Four hundred worlds of eight depths: 95 % of the intervals hold the truth."""
    random, held = np.random.default_rng(1), []
    depths, secs = np.linspace(0.5, 6.0, 8), np.linspace(500.0, 900.0, 8)

    for _ in range(400):
        fills = random.poisson(secs * 0.5 * np.exp(-0.4 * depths)).astype(float)
        fit = fit_joint(depths, secs, fills)
        held.append(
            (
                abs(fit["kappa"] - 0.4) < 1.96 * fit["kappa_se"],
                abs(fit["log_intensity"] - log(0.5)) < 1.96 * fit["log_intensity_se"],
            )
        )

    assert np.mean(held, axis=0) == pytest.approx([0.95, 0.95], abs=0.03)


@pytest.mark.parametrize("kappa", [1e-3, 1.0, 1e6])
def test_decays_of_any_size_are_found(kappa):
    """Depths that fit the decay, from a hundredth to a thousand million of them."""
    depths = np.array([0.3, 1.0, 2.5]) / kappa
    fills = 1e4 * np.exp(-kappa * depths)

    fit = fit_joint(depths, np.full(3, 1e4 / 0.7), fills)

    assert fit["kappa"] == pytest.approx(kappa, rel=1e-12)
    assert fit["intensity"] == pytest.approx(0.7, rel=1e-12)


def test_a_common_offset_of_the_depths_costs_no_digits():
    """Depths of a million and something have the decay of the something."""
    depths, secs, fills = np.array([0.0, 1.0, 2.0]), np.full(3, 50.0), np.array([40.0, 21.0, 9.0])

    near, far = fit_joint(depths, secs, fills), fit_joint(depths + 2.0**20, secs, fills)

    assert far["kappa"] == pytest.approx(near["kappa"], rel=1e-12)


def test_the_prior_decides_what_the_data_leave_open():
    """One depth says nothing about the decay: the mode of the prior stands."""
    one = np.array([2.0]), np.array([100.0]), np.array([30.0])

    with pytest.raises(ValueError, match="not identified"):
        fit_joint(*one)
    fit = fit_joint(*one, prior_shape=4.0, prior_rate=6.0)

    assert fit["kappa"] == pytest.approx(3.0 / 6.0)
    assert fit["intensity"] == pytest.approx(0.3 * exp(0.5 * 2.0))
    assert fit["kappa_se"] == pytest.approx(0.5 / sqrt(3.0))
    only_nearest = np.array([1.0, 2.0]), np.array([9.0, 9.0]), np.array([5.0, 0.0])
    with pytest.raises(ValueError, match="not identified"):
        fit_joint(*only_nearest)
    assert 0.5 < fit_joint(*only_nearest, prior_shape=4.0, prior_rate=6.0)["kappa"] < inf


def test_fills_at_the_last_depth_alone_identify_nothing():
    """A mean that rounding puts inside the depths quoted: the decay would come out infinite."""
    depths = np.array([1.29138552e-03, 5.74449753e-03, 3.39014289e-03])
    secs, fills = np.array([1.9e-03, 9.0e04, 0.11]), np.array([0.0, 106.0, 0.0])

    with pytest.raises(ValueError, match="not identified"):
        fit_joint(depths, secs, fills)


def test_a_fill_rate_that_grows_with_depth_has_a_negative_decay():
    """It is what the data say; whoever quotes from it has to look."""
    fit = fit_joint(np.array([1.0, 2.0]), np.array([10.0, 10.0]), np.array([10.0, 20.0]))

    assert fit["kappa"] == pytest.approx(-log(2.0))


@given(BINS)
def test_the_bins_hold_what_was_put_in(bins):
    """In any order, bit by bit; depths beyond the last bin count in it."""
    gathered = FillBins(width_bps=0.25, bins=50)
    depths, secs, fills = columns(bins)
    for depth, seconds, count in bins:
        gathered.watch(depth + 0.1, seconds / 2)
        gathered.watch(depth + 0.2, seconds / 2)
        gathered.fill(depth + 0.1, count)
    assume(fills.sum() > 0)

    fit = gathered.fit(prior_shape=2.0, prior_rate=3.0)

    expected = fit_joint(depths + 0.125, secs, fills, prior_shape=2.0, prior_rate=3.0)
    assert fit["kappa"] == pytest.approx(expected["kappa"], rel=1e-9)
    assert fit["intensity"] == pytest.approx(expected["intensity"], rel=1e-8)


def test_the_bins_forget():
    """After many decay times only what is new counts."""
    bins = FillBins(width_bps=1.0, bins=8, decay_secs=60.0)
    for depth, count in ((0.5, 400.0), (1.5, 10.0)):
        bins.watch(depth, 100.0)
        bins.fill(depth, count)

    bins.advance(3600.0)
    for depth, count in ((0.5, 40.0), (1.5, 20.0)):
        bins.watch(depth, 100.0)
        bins.fill(depth, count)

    assert bins.fit()["kappa"] == pytest.approx(log(2.0), rel=1e-9)


def test_depths_beyond_the_last_bin_count_in_it():
    """Memory is fixed."""
    bins = FillBins(width_bps=1.0, bins=2)
    for depth, count in ((0.5, 4.0), (1e300, 2.0)):
        bins.watch(depth, 10.0)
        bins.fill(depth, count)

    assert bins.fit()["kappa"] == pytest.approx(log(2.0))


def test_the_limits_of_the_lines():
    """All at the least depth: infinite. Size in the upper half of the book: no decay."""
    assert fit_log_survival(np.array([1.0, 1.0]), depth_min=1.0) == inf
    assert fit_book(np.zeros(2), np.ones(2), distance_max=1.0) == inf
    assert fit_book(np.array([0.2, 0.9]), np.array([1.0, 5.0]), distance_max=1.0) == 0.0


TWO = np.array([1.0, 2.0])


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda: fit_joint(TWO[:0], TWO[:0], TWO[:0]), "depths must not be empty"),
        (lambda: fit_joint(TWO, TWO[:1], TWO), "length"),
        (lambda: fit_joint(TWO * nan, TWO, TWO), r"depths\[0\]"),
        (lambda: fit_joint(TWO, -TWO, TWO), r"secs\[0\]"),
        (lambda: fit_joint(TWO, TWO, TWO * inf), r"fills\[0\]"),
        (lambda: fit_joint(TWO, np.array([1.0, 0.0]), TWO), r"secs\[1\] must be > 0 where"),
        (lambda: fit_joint(TWO, TWO, np.zeros(2)), "fills must not all be 0"),
        (lambda: fit_joint(TWO, TWO, TWO, prior_shape=1.0, prior_rate=1.0), "shape > 1"),
        (lambda: fit_joint(TWO, TWO, TWO, prior_shape=2.0), "rate > 0"),
        (lambda: fit_joint(TWO, TWO, TWO, prior_shape=nan, prior_rate=1.0), "shape > 1"),
        (
            lambda: joint_log_likelihood(TWO, TWO, TWO, log_intensity=nan, kappa=1.0),
            "log_intensity and kappa must be finite",
        ),
        (
            lambda: joint_log_likelihood(
                TWO, TWO, TWO, log_intensity=0.0, kappa=0.0, prior_shape=2.0, prior_rate=1.0
            ),
            "kappa must be > 0",
        ),
        (lambda: fit_regression(TWO, TWO, np.array([1.0, 0.0])), "two different"),
        (lambda: fit_log_survival(TWO[::-1].copy()), r"depths\[1\] must not be below"),
        (lambda: fit_log_survival(TWO, depth_min=1.5), r"depths\[0\]"),
        (lambda: fit_log_survival(TWO, depth_min=nan), "depth_min"),
        (lambda: fit_log_survival(TWO[:0]), "empty"),
        (lambda: fit_book(TWO, TWO, distance_max=1.5), r"distances\[1\]"),
        (lambda: fit_book(TWO, TWO * nan, distance_max=2.0), r"sizes\[0\]"),
        (lambda: fit_book(TWO, TWO * 0.0, distance_max=2.0), "sizes must not all be 0"),
        (lambda: fit_book(TWO, TWO, distance_max=inf), "distance_max"),
        (lambda: FillBins(width_bps=0.0), "width_bps"),
        (lambda: FillBins(width_bps=1.0, bins=513), "bins"),
        (lambda: FillBins(width_bps=1.0, decay_secs=nan), "decay_secs"),
        (lambda: FillBins(width_bps=1.0).advance(-1.0), "secs"),
        (lambda: FillBins(width_bps=1.0).watch(nan, 1.0), "depth_bps"),
        (lambda: FillBins(width_bps=1.0).watch(1.0, inf), "secs"),
        (lambda: FillBins(width_bps=1.0).fill(-1.0), "depth_bps"),
        (lambda: FillBins(width_bps=1.0).fill(1.0, nan), "fills"),
        (lambda: FillBins(width_bps=1.0).fit(), "fills must not all be 0"),
    ],
)
def test_values_outside_their_domain_are_refused(call, text):
    """Each refusal names the argument and the rule."""
    with pytest.raises(ValueError, match=text):
        call()


def test_gathering_allocates_nothing():
    """It lies on the path of every requote and fill."""
    bins = FillBins(width_bps=0.5, decay_secs=60.0)
    before = sys.getallocatedblocks()

    for _ in range(10_000):
        bins.advance(0.1)
        bins.watch(2.0, 0.1)
        bins.fill(2.0)

    assert sys.getallocatedblocks() - before < 200


def test_the_examples_run():
    """Examples of docstrings are code."""
    assert doctest.testmod(module).failed == 0
