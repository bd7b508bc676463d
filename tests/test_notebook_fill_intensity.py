"""Fill intensity for notebooks: oracle, intervals, and refusals that name the argument."""

import doctest
from math import exp, inf, isnan, nan

import numpy as np
import pytest

import hypermm.notebook.fill_intensity as module
from hypermm.notebook.fill_intensity import (
    book_kappa,
    ewma_kappa,
    fit_intensity,
    fit_intensity_line,
    fit_kappa,
    fit_truncated_kappa,
    log_survival_kappa,
)
from tests.oracle import cases, check


@pytest.mark.parametrize("case", cases("kappa_mle", "kappa_mle"))
def test_fits_meet_the_oracle(case):
    """Plain, censored, weighted and truncated, with exact interval and posterior."""
    inputs, expected = case["inputs"], case["expected"]
    depth_max = inputs["dmax"] or inf
    if inputs["mode"] == "truncated":
        fit = fit_truncated_kappa(inputs["depth"], depth_min=inputs["dmin"], depth_max=depth_max)
        check(case, "kappa", fit.value)
        check(case, "se", fit.standard_error)
        return

    found = fit_kappa(
        inputs["depth"],
        depth_min=inputs["dmin"],
        depth_max=depth_max,
        weights=inputs.get("w"),
        prior_shape=inputs["prior_shape"],
        prior_rate=inputs["prior_rate"],
        unit="1",
    )

    check(case, "kappa", found.value)
    check(case, "se", found.standard_error)
    check(case, "events", found.n)
    check(case, "exposure_depth", found.excess)
    check(case, "post_mean", found.posterior.value)
    for keys, interval in (
        (("ci95_lo", "ci95_hi"), found.exact_interval()),
        (("post_lo", "post_hi"), found.posterior_interval()),
    ):
        for key, end in zip(keys, interval, strict=True):
            if key in expected:
                check(case, key, end)
    if "loglik" in expected:
        check(case, "loglik", found.log_likelihood)
    if "A" in expected:
        level = len(inputs["depth"]) / inputs["T"] * exp(found.value * inputs["dmin"])
        check(case, "A", level)


@pytest.mark.parametrize("case", cases("kappa_poisson"))
def test_joint_fits_meet_the_oracle(case):
    """From whole numbers, as a table of fills holds them."""
    inputs = case["inputs"]

    fit = fit_intensity(
        inputs["depth"],
        inputs["exposure"],
        inputs["fills"],
        prior_shape=inputs.get("prior_shape", 0.0),
        prior_rate=inputs.get("prior_rate", 0.0),
    )

    check(case, "A", fit.intensity.value)
    check(case, "kappa", fit.kappa.value)
    check(case, "se_kappa", fit.kappa.standard_error)
    check(case, "se_lnA", fit.intensity.standard_error / fit.intensity.value)
    check(case, "cov_lnA_kappa", fit.covariance)
    check(case, "loglik", fit.log_likelihood)


@pytest.mark.parametrize("case", cases("kappa_regression"))
def test_lines_meet_the_oracle(case):
    """Weighted line, survival line and the decay of the book."""
    inputs = case["inputs"]
    if case["fn"] == "kappa_wls":
        fit = fit_intensity_line(inputs["depth"], inputs["exposure"], inputs["fills"])
        check(case, "kappa", fit.kappa.value)
        check(case, "A", fit.intensity.value)
    elif case["fn"] == "kappa_log_survival":
        depths = np.random.default_rng(1).permutation(inputs["depth"])
        check(case, "kappa", log_survival_kappa(depths, depth_min=inputs["dmin"]))
    else:
        found = book_kappa(inputs["distance"], inputs["size"], distance_max=inputs["xmax"])
        check(case, "kappa_book", found)


@pytest.mark.parametrize("case", cases("kappa_streaming"))
def test_series_meet_the_oracle(case):
    """Short and long memory, censored depths, a weak prior."""
    inputs = case["inputs"]

    kappa, level = ewma_kappa(
        inputs["t"],
        inputs["depth"],
        decay_secs=inputs["tau"],
        start_secs=inputs["t0"],
        depth_min=inputs["dmin"],
        depth_max=inputs["dmax"],
        prior_shape=inputs["prior_shape"],
        prior_rate=inputs["prior_rate"],
    )

    check(case, "kappa", list(kappa))
    check(case, "A", list(level))


@pytest.mark.parametrize("n", [1, 5, 200])
def test_intervals_hold_the_truth_as_often_as_they_say(n):
    """Two thousand samples; the posterior's too, when the truth is drawn from the prior."""
    random, held, believed = np.random.default_rng(n), [], []

    for _ in range(2000):
        low, high = fit_kappa(random.exponential(2.5, n)).exact_interval(0.9)
        held.append(low < 0.4 < high)
        truth = random.gamma(4.0, 1.0 / 8.0)
        fit = fit_kappa(random.exponential(1.0 / truth, n), prior_shape=4.0, prior_rate=8.0)
        low, high = fit.posterior_interval(0.9)
        believed.append(low < truth < high)

    assert np.mean(held) == pytest.approx(0.9, abs=0.03)
    assert np.mean(believed) == pytest.approx(0.9, abs=0.03)


def test_the_error_of_a_rate_is_the_spread_of_the_rates():
    """Fills a second at a depth, from two thousand worlds of six depths."""
    random, depths, secs = np.random.default_rng(2), np.arange(1.0, 7.0), np.full(6, 900.0)

    found = [
        fit_intensity(depths, secs, random.poisson(secs * 0.6 * np.exp(-0.5 * depths)))
        for _ in range(2000)
    ]

    for depth in (0.0, 2.0, 5.0):
        rates = [fit.at(depth) for fit in found]
        assert np.mean([rate.value for rate in rates]) == pytest.approx(
            0.6 * exp(-0.5 * depth), rel=0.02
        )
        stated = np.mean([rate.standard_error for rate in rates])
        assert np.std([rate.value for rate in rates]) == pytest.approx(stated, rel=0.06)


@pytest.mark.parametrize("kappa", [1e-3, 1.0, 1e6])
def test_decays_of_any_size_are_found(kappa):
    """A thousand depths of any scale: within four errors."""
    depths = np.random.default_rng(3).exponential(1.0 / kappa, 1000)

    for found in (
        fit_kappa(depths),
        fit_kappa(depths, depth_max=2.0 / kappa),
        fit_truncated_kappa(depths[depths < 3.0 / kappa], depth_max=3.0 / kappa),
    ):
        assert found.value == pytest.approx(kappa, abs=4.0 * found.standard_error)
    assert log_survival_kappa(depths) == pytest.approx(kappa, rel=0.1)


def test_the_limits_of_a_fit():
    """All at the least depth: infinite, and said so by interval and posterior alike."""
    fit = fit_kappa([1.0, 1.0], depth_min=1.0)

    assert fit.value == fit.log_likelihood == fit.posterior.value == inf
    assert fit.exact_interval() == (inf, inf)
    assert isnan(ewma_kappa([1.0], [2.0], decay_secs=9.0, start_secs=1.0)[1][0])
    assert [a.size for a in ewma_kappa([], [], decay_secs=9.0)] == [0, 0]


TWO = [1.0, 2.0]


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda: fit_kappa([]), "depths must not be empty"),
        (lambda: fit_kappa([1.0, nan]), r"depths\[1\]"),
        (lambda: fit_kappa([[1.0]]), "depths must have one dimension"),
        (lambda: fit_kappa(["x"]), "depths must hold numbers"),
        (lambda: fit_kappa([1.0], depth_min=2.0), r"depths\[0\] must be finite and >= 2"),
        (lambda: fit_kappa([1.0], weights=[-1.0]), r"weights\[0\]"),
        (lambda: fit_kappa([1.0], weights=[1.0, 1.0]), "length"),
        (lambda: fit_kappa([1.0], prior_shape=nan), "prior"),
        (lambda: fit_kappa([3.0], depth_max=2.0), "not identified"),
        (lambda: fit_kappa(TWO).exact_interval(1.0), "level"),
        (lambda: fit_kappa(TWO).posterior_interval(nan), "level"),
        (lambda: fit_truncated_kappa([3.0], depth_max=2.0), r"depths\[0\]"),
        (lambda: fit_intensity(TWO, TWO, [0, 0]), "fills must not all be 0"),
        (lambda: fit_intensity(TWO, [1.0, -1.0], TWO), r"secs\[1\]"),
        (lambda: fit_intensity([1.0], [1.0], [1]), "not identified"),
        (lambda: fit_intensity([1, 2], [9, 9], [3, 1]).at(inf), "depth_bps"),
        (lambda: fit_intensity_line(TWO, TWO, [0, 1]), "two different"),
        (lambda: log_survival_kappa([]), "empty"),
        (lambda: log_survival_kappa([nan]), r"depths\[0\]"),
        (lambda: book_kappa([], []), "distances"),
        (lambda: book_kappa(TWO, [1.0]), "length"),
        (lambda: ewma_kappa(TWO, [1.0], decay_secs=1.0), "secs and the outputs"),
        (lambda: ewma_kappa([2.0, 1.0], TWO, decay_secs=1.0), r"secs\[1\]"),
        (lambda: ewma_kappa([-1.0], [1.0], decay_secs=1.0), r"secs\[0\]"),
        (lambda: ewma_kappa([1.0], [1.0], decay_secs=1.0, start_secs=nan), "start_secs"),
        (lambda: ewma_kappa([1.0], [1.0], decay_secs=1.0, out=(np.zeros(1), np.zeros(2))), "out.1"),
    ],
)
def test_values_outside_their_domain_are_refused(call, text):
    """Each refusal names the argument, the index and the rule."""
    with pytest.raises(ValueError, match=text):
        call()


def test_the_examples_run():
    """Examples of docstrings are code."""
    assert doctest.testmod(module).failed == 0
