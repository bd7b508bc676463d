"""Queueing for notebooks: the functions over the kernels."""

import doctest

import numpy as np
import pytest

from hypermm.notebook import queueing as module
from hypermm.notebook.queueing import (
    fill_probability,
    fill_probability_diffusion,
    mean_fill_time,
    queue_position,
    queue_trace,
)
from tests.oracle import cases, check


def test_the_examples_run():
    """Examples of docstrings are code."""
    assert doctest.testmod(module).failed == 0


@pytest.mark.parametrize("case", cases("queue_models", "queue_trace"))
def test_positions_meet_the_oracle(case):
    """From the oracle's own list of events, and from an array."""
    i = case["inputs"]
    asked = {"ahead": i["front0"], "model": i["kind"], "exponent": i["n"] or 1.0}

    result = queue_trace([tuple(event) for event in i["events"]], **asked)

    check(case, "front", result.tolist())
    rows = [(0.0, e[1], 0.0) if e[0] == "trade" else (1.0, *e[1:]) for e in i["events"]]
    assert queue_trace(np.array(rows), **asked).tolist() == result.tolist()


@pytest.mark.parametrize("case", cases("queue_models", "fill_probability"))
def test_probabilities_meet_the_oracle(case):
    """Single numbers give arrays of one."""
    i = case["inputs"]
    rates = {"trades_per_sec": i["mu"], "cancels_per_sec": i["theta"]}

    check(case, "p_fill", float(fill_probability(i["x"], secs=i["t"], **rates)[0]))
    check(case, "mean_time", mean_fill_time(i["x"], **rates))
    diffusion = fill_probability_diffusion(
        i["diff_x"], drift=i["diff_v"], volatility=i["diff_s"], secs=i["diff_t"]
    )
    check(case, "p_diffusion", float(diffusion[0]))


def test_the_diffusion_is_the_limit_of_a_long_queue():
    """50,000 units ahead, no cancels: Poisson trades of variance mu."""
    secs = np.array([49_700.0, 50_000.0, 50_300.0])

    exact = fill_probability(49_999, trades_per_sec=1.0, secs=secs)
    diffusion = fill_probability_diffusion(50_000, drift=1.0, volatility=1.0, secs=secs)

    np.testing.assert_allclose(diffusion, exact, atol=2e-3)


def test_single_numbers_count_for_all_elements():
    """Of any argument."""
    one = fill_probability([1, 2], trades_per_sec=1.0, secs=[3.0, 4.0], cancels_per_sec=0.5)
    other = fill_probability(
        np.array([1.0, 2.0]), trades_per_sec=[1.0, 1.0], secs=[3.0, 4.0], cancels_per_sec=[0.5] * 2
    )

    assert one.tolist() == other.tolist()
    assert fill_probability(0, trades_per_sec=1.0, secs=0.0).tolist() == [0.0]
    assert fill_probability([], trades_per_sec=1.0, secs=1.0).shape == (0,)


@pytest.mark.parametrize(
    ("call", "match"),
    [
        (lambda: queue_position(1.0, model="fifo"), "model must be one of power, log"),
        (lambda: queue_position(1.0, exponent=0.0), "exponent must be > 0"),
        (lambda: queue_position(-1.0), "ahead must be >= 0"),
        (lambda: queue_trace([("cancel", 1.0)], ahead=1.0), r"events\[0\] must be \('trade'"),
        (lambda: queue_trace([("trade", -1.0)], ahead=1.0), r"events\[0\] must be >= 0"),
        (lambda: queue_trace(np.ones((2, 3), np.float32), ahead=1.0), "contiguous float64"),
        (lambda: queue_trace([("trade", 1.0)], ahead=1.0, out=np.ones(2)), "out must be"),
        (lambda: fill_probability([1, 2], trades_per_sec=[1.0], secs=1.0),
         "trades_per_sec must have length 2"),
        (lambda: fill_probability([np.nan], trades_per_sec=1.0, secs=1.0), r"ahead\[0\]"),
        (lambda: fill_probability([1.0], trades_per_sec=np.inf, secs=1.0), "trades_per_sec must"),
        (lambda: fill_probability_diffusion([1], drift=0.0, volatility=0.0, secs=1.0),
         r"volatility\[0\]"),
        (lambda: mean_fill_time(-1.0, trades_per_sec=1.0), "ahead must be >= 0"),
    ],
)  # fmt: skip
def test_values_outside_their_domain_are_refused(call, match):
    """Each text names argument, index and rule."""
    with pytest.raises(ValueError, match=match):
        call()
