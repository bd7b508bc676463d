"""Variance of a price seen with noise: twin, oracle, and what must hold of every estimator."""

import doctest
import sys
from math import inf, nan

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hypermm._core import noise as module
from hypermm._core.noise import (
    preaveraged_variance,
    preaveraging_constants,
    realised_kernel,
    realised_variance,
    two_scale_variance,
)
from tests.oracle import cases, check
from tests.reference import noise as reference

PRICES = st.lists(st.floats(-0.1, 0.1).map(lambda value: round(value, 6)), min_size=3, max_size=60)
ESTIMATORS = {
    "two_scale": lambda y: two_scale_variance(y, step=30),
    "preaveraged": lambda y: preaveraged_variance(y, window=60),
    "kernel": lambda y: realised_kernel(np.diff(y), bandwidth=30),
}


@pytest.mark.parametrize("case", cases("vol_noise_robust"))
def test_every_estimator_meets_the_oracle(case):
    """Log prices near 11.5, with noise that is a fifth to four times the variance."""
    inputs = case["inputs"]
    y = np.array(inputs["y"])
    psi_1, psi_2 = preaveraging_constants(inputs["kn"])

    check(case, "rv", realised_variance(y))
    check(case, "noise_var", realised_variance(y) / (2 * (len(y) - 1)))
    check(case, "tsrv", two_scale_variance(y, step=inputs["K"], is_adjusted=False))
    check(case, "tsrv_adj", two_scale_variance(y, step=inputs["K"]))
    check(case, "pav", preaveraged_variance(y, window=inputs["kn"]))
    check(case, "rk", realised_kernel(np.diff(y), bandwidth=inputs["H"]))
    check(case, "psi1", psi_1)
    check(case, "psi2", psi_2)


@given(PRICES, st.data())
def test_the_estimators_agree_with_their_reference(prices, data):
    """Every valid step, window and bandwidth; the largest ones too."""
    y, n = np.array(prices), len(prices) - 1
    step = data.draw(st.integers(2, n))
    lag = data.draw(st.integers(0, n - 1))
    size = realised_variance(y)

    assert size == pytest.approx(reference.realised(prices), rel=1e-13)
    for value, expected in (
        (two_scale_variance(y, step=step), reference.two_scale(prices, step)),
        (preaveraged_variance(y, window=step), reference.preaveraged(prices, step)),
        (realised_kernel(np.diff(y), bandwidth=lag), reference.kernel(list(np.diff(y)), lag)),
    ):
        assert value == pytest.approx(expected, rel=1e-10, abs=1e-12 * size)


def test_a_rolling_average_does_not_drift():
    """Ten thousand steps of a window give what forming each average anew gives."""
    y = 11.5 + np.cumsum(np.random.default_rng(1).normal(scale=1e-4, size=10_001))
    window, n = 50, 10_000
    g = np.minimum(np.arange(1, window), window - np.arange(1, window)) / window
    means = np.convolve(np.diff(y), g[::-1], mode="valid")
    psi_1, psi_2 = preaveraging_constants(window)

    value = preaveraged_variance(y, window=window)

    expected = n / (n - window + 2) * (means @ means) / (window * psi_2)
    expected -= psi_1 / (2 * window**2 * psi_2) * realised_variance(y)
    assert value == pytest.approx(expected, rel=1e-11)


@pytest.mark.parametrize("name", ESTIMATORS)
@pytest.mark.parametrize("noise", [0.0, 1e-4, 3e-4])
def test_noise_does_not_bias_the_estimators(name, noise):
    """Two hundred windows of 2,000 prices: within four standard errors, noise or not."""
    random, values = np.random.default_rng(2), []

    for _ in range(200):
        x = np.cumsum(random.normal(scale=1e-4, size=2001))
        values.append(ESTIMATORS[name](x + random.normal(scale=noise, size=2001)))

    # Parzen's weights leave -k''(0) n omega^2 / (H + 1)^2 of the noise, by design.
    expected = 2000 * 1e-8 + (12 * 2000 * noise**2 / 31**2 if name == "kernel" else 0.0)
    error = np.std(values) / np.sqrt(200)
    assert np.mean(values) == pytest.approx(expected, abs=4 * error)


def test_the_plain_sum_is_biased_by_the_noise():
    """By 2 n omega^2, which is the reason for all the others."""
    random = np.random.default_rng(3)
    x = np.cumsum(random.normal(scale=1e-4, size=100_001))

    value = realised_variance(x + random.normal(scale=2e-4, size=100_001))

    assert value == pytest.approx(100_000 * (1e-8 + 2 * 4e-8), rel=0.02)


@given(PRICES, st.floats(1e-8, 1e8), st.floats(-20.0, 20.0))
def test_the_estimators_know_neither_level_nor_unit(prices, unit, level):
    """A log price plus a constant is the same market in another currency."""
    y = np.array([*prices, 0.01])
    size = realised_variance(y) * unit * unit

    for function in (
        lambda values: two_scale_variance(values, step=2),
        lambda values: preaveraged_variance(values, window=3),
        lambda values: realised_kernel(np.diff(values), bandwidth=1),
    ):
        scaled = function(y * unit + level * unit)
        assert scaled == pytest.approx(function(y) * unit * unit, abs=1e-9 * size + 1e-26 * unit**2)


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda: realised_variance(np.array([1.0])), "log_prices"),
        (lambda: realised_variance(np.array([1.0, nan])), r"log_prices\[1\]"),
        (lambda: realised_variance(np.array([-inf, 1.0])), r"log_prices\[0\]"),
        (lambda: two_scale_variance(np.zeros(2), step=2), "log_prices"),
        (lambda: two_scale_variance(np.zeros(9), step=1), "step must lie in 2 to 8"),
        (lambda: two_scale_variance(np.zeros(9), step=9), "step must lie in 2 to 8"),
        (lambda: preaveraged_variance(np.zeros(9), window=1), "window must lie in 2 to 8"),
        (lambda: preaveraged_variance(np.zeros(9), window=9), "window must lie in 2 to 8"),
        (lambda: preaveraging_constants(1), "window"),
        (lambda: realised_kernel(np.array([]), bandwidth=0), "log_returns"),
        (lambda: realised_kernel(np.array([0.0, nan]), bandwidth=0), r"log_returns\[1\]"),
        (lambda: realised_kernel(np.zeros(3), bandwidth=3), "bandwidth must lie in 0 to 2"),
        (lambda: realised_kernel(np.zeros(3), bandwidth=-1), "bandwidth must lie in 0 to 2"),
    ],
)
def test_values_outside_their_domain_are_refused(call, text):
    """Each refusal names the argument and the rule."""
    with pytest.raises(ValueError, match=text):
        call()


def test_estimating_allocates_nothing():
    """Ten thousand windows leave no block behind."""
    y = np.cumsum(np.random.default_rng(4).normal(size=50))
    before = sys.getallocatedblocks()

    for _ in range(10_000):
        two_scale_variance(y, step=5)
        preaveraged_variance(y, window=5)
        realised_kernel(y, bandwidth=3)

    assert sys.getallocatedblocks() - before < 200


def test_the_examples_run():
    """Examples of docstrings are code."""
    assert doctest.testmod(module).failed == 0
