"""Queue positions and fill probabilities against oracle, twin, exact values and properties."""

import doctest
import sys
from math import inf, nan

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.linalg import expm
from scipy.stats import norm

from hypermm._core import queue as module
from hypermm._core.queue import (
    MODEL_NAMES,
    QueuePosition,
    diffusion_probabilities,
    fill_probabilities,
    mean_fill_secs,
    trace_queue,
)
from tests.oracle import cases, check
from tests.reference import queue as reference


def rows_of(events):
    """Tuples as the kernel's rows."""
    rows = [(0.0, e[1], 0.0) if e[0] == "trade" else (1.0, *e[1:]) for e in events]
    return np.array(rows, dtype=float).reshape(-1, 3)


def trace(events, *, model, exponent, ahead):
    out = np.full(len(events), np.nan)
    trace_queue(
        rows_of(events), out, model=MODEL_NAMES.index(model), exponent=exponent, ahead=ahead
    )
    return out.tolist()


def one(function, *values):
    """Call a function of arrays with one element each."""
    out = np.full(1, np.nan)
    function(*(np.array([float(v)]) for v in values), out)
    return out[0]


@pytest.mark.parametrize("case", cases("queue_models", "queue_trace"))
def test_positions_meet_the_oracle(case):
    """Every model, event by event, and the streaming form gives the same."""
    i = case["inputs"]
    exponent = 1.0 if i["n"] is None else i["n"]

    result = trace(i["events"], model=i["kind"], exponent=exponent, ahead=i["front0"])

    check(case, "front", result)
    order = QueuePosition(MODEL_NAMES.index(i["kind"]), exponent, i["front0"])
    for (kind, *values), expected in zip(i["events"], result, strict=True):
        getattr(order, kind)(*values)
        assert order.ahead == expected


@pytest.mark.parametrize("case", cases("queue_models", "fill_probability"))
def test_fill_probabilities_meet_the_oracle(case):
    """With and without cancels, the mean time, and the diffusion."""
    i = case["inputs"]

    check(case, "p_fill", one(fill_probabilities, i["x"], i["mu"], i["theta"], i["t"]))
    mean = mean_fill_secs(i["x"], trades_per_sec=i["mu"], cancels_per_sec=i["theta"])
    check(case, "mean_time", mean)
    diffusion = [i[f"diff_{key}"] for key in ("x", "v", "s", "t")]
    check(case, "p_diffusion", one(diffusion_probabilities, *diffusion))


# Computed with 40 digits from the incomplete beta function and its integral.
EXACT = [
    (0, 1e-06, 1000.0, 100000.0, 0.095162581964040423),
    (1, 1000.0, 1e-09, 0.001, 0.2642411176572993),
    (3, 0.433, 0.0286, 2.73, 0.042648182051434742),
    (20, 1.0, 1.0, 3.0, 0.34216821716233964),
    (25, 0.5, 0.25, 9.0, 0.20666966463531179),
    (200, 0.0001, 2.0, 20.0, 0.0017046459403420757),
    (1000, 50.0, 0.0, 19.0, 0.051593673007089756),
    (1000, 0.001, 10.0, 500.0, 0.39301515854954145),
    (1000000.0, 1.0, 0.0, 1000500.0, 0.6911983958098777),
    (1000000.0, 1.0, 0.0, 998500.0, 0.066623801036023486),
    (1000000.0, 0.5, 0.001, 7600.0, 0.48153971039021595),
    (1000000.0, 0.0001, 0.01, 10000.0, 0.5752075496356376),
    (1000000.0, 1000.0, 1e-09, 999.5, 0.30844946552407938),
    (100000.0, 1000000.0, 0.001, 0.0999, 0.38108354340741115),
    (12.5, 2.0, 0.1, 4.0, 0.19533625222182232),
]


@pytest.mark.parametrize(("ahead", "mu", "theta", "secs", "expected"), EXACT)
def test_probabilities_are_exact_at_the_extremes(ahead, mu, theta, secs, expected):
    """A million units ahead, and rates that differ by twelve powers of ten."""
    assert one(fill_probabilities, ahead, mu, theta, secs) == pytest.approx(expected, rel=2e-12)


@given(st.integers(0, 15), st.floats(0.01, 10.0), st.floats(0.001, 5.0), st.floats(0.01, 20.0))
def test_the_probability_is_that_of_the_chain(ahead, mu, theta, secs):
    """The queue as a Markov chain, by its matrix exponential: another way altogether."""
    n = ahead + 1
    rates = mu + theta * np.arange(ahead, -1, -1)
    generator = np.zeros((n + 1, n + 1))
    for j, rate in enumerate(rates):
        generator[j, j], generator[j, j + 1] = -rate, rate

    result = one(fill_probabilities, ahead, mu, theta, secs)

    assert result == pytest.approx(expm(generator * secs)[0, n], rel=1e-9, abs=1e-13)


AHEAD = st.floats(0.0, 1e6)
RATE = st.one_of(st.just(0.0), st.floats(1e-9, 1e9))


@given(AHEAD, RATE, RATE, st.floats(0.0, 1e9))
def test_probabilities_lie_between_0_and_1_and_grow_with_time(ahead, mu, theta, secs):
    """Whatever the rates, and more cancels ahead never hurt."""
    p = one(fill_probabilities, ahead, mu, theta, secs)
    later = one(fill_probabilities, ahead, mu, theta, 2.0 * secs)
    freer = one(fill_probabilities, ahead, mu, 2.0 * theta, secs)

    assert 0.0 <= p <= 1.0
    assert later >= p * (1.0 - 1e-11) - 1e-14
    assert freer >= p * (1.0 - 1e-11) - 1e-14
    if mu == 0.0 or secs == 0.0:
        assert p == 0.0


@given(st.integers(0, 300), st.floats(1e-3, 1e3), RATE)
def test_the_mean_time_is_the_sum(ahead, mu, theta):
    """Whole units, any rates."""
    result = mean_fill_secs(ahead, trades_per_sec=mu, cancels_per_sec=theta)

    assert result == pytest.approx(reference.mean_fill_secs(ahead, mu, theta), rel=1e-12)
    assert mean_fill_secs(ahead, trades_per_sec=0.0, cancels_per_sec=theta) == inf


@given(st.floats(0.01, 1e3), st.floats(-50.0, 50.0), st.floats(0.1, 30.0), st.floats(0.01, 100.0))
def test_the_diffusion_is_its_formula_where_that_holds(ahead, drift, volatility, secs):
    """By logarithms of normal tails, as far as these cancel to ten digits."""
    result = one(diffusion_probabilities, ahead, drift, volatility, secs)

    spread = volatility * secs**0.5
    exponent = 2.0 * drift * ahead / volatility**2
    image = np.exp(exponent + norm.logcdf(-(drift * secs + ahead) / spread))
    expected = norm.cdf((drift * secs - ahead) / spread) + image
    assert 0.0 <= result <= 1.0
    assert result == pytest.approx(expected, rel=1e-13 * max(1e3, abs(exponent)), abs=1e-13)


def test_a_diffusion_far_from_its_image_keeps_its_digits():
    """exp(2vx/s^2) is 1e868 here, and the tail it multiplies 1e-869."""
    result = one(diffusion_probabilities, 1e3, 10.0, 10**0.5, 99.9)

    assert result == pytest.approx(0.4936832295217948, rel=1e-13)  # with 60 digits
    assert one(diffusion_probabilities, 0.0, -1.0, 1.0, 0.0) == 1.0
    assert one(diffusion_probabilities, 5.0, 1.0, 1.0, 0.0) == 0.0
    assert one(diffusion_probabilities, 5.0, -1e9, 1e-9, 1e9) == 0.0
    assert one(diffusion_probabilities, 5.0, 1e9, 1e-9, 1e9) == 1.0


QUANTITY = st.floats(0.0, 1e6).map(lambda x: round(x, 3))
EVENTS = st.lists(
    st.one_of(
        st.tuples(st.just("trade"), QUANTITY), st.tuples(st.just("depth"), QUANTITY, QUANTITY)
    ),
    max_size=30,
)


@given(EVENTS, st.sampled_from(MODEL_NAMES), st.sampled_from([0.5, 1.0, 2.0, 3.0, 4.5]), QUANTITY)
def test_positions_agree_with_the_reference(events, model, exponent, ahead):
    """Every model, quantities of any size in any order."""
    result = trace(events, model=model, exponent=exponent, ahead=ahead)

    expected = reference.trace(events, model=model, exponent=exponent, ahead=ahead)
    np.testing.assert_allclose(result, expected, rtol=1e-7, atol=1e-6)


@given(EVENTS, st.sampled_from([0.5, 1.0, 3.0]), QUANTITY)
def test_no_model_is_behind_the_pessimistic_one(events, exponent, ahead):
    """`risk_averse` bounds the others: a profit under it is one under all."""
    worst = trace(events, model="risk_averse", exponent=exponent, ahead=ahead)

    for model in MODEL_NAMES:
        if model != "risk_averse":
            result = trace(events, model=model, exponent=exponent, ahead=ahead)
            assert all(a <= b + 1e-6 for a, b in zip(result, worst, strict=True)), model


@pytest.mark.parametrize("model", MODEL_NAMES)
@pytest.mark.parametrize("scale", [1e-150, 1e-6, 1.0, 1e6, 1e49])
def test_no_scale_of_quantities_overflows(model, scale):
    """Cubes of quantities would at 1e103; shares need ratios only."""
    events = [("depth", 10 * scale, 6 * scale), ("trade", scale), ("depth", 6 * scale, 4 * scale)]

    result = trace(events, model=model, exponent=3.0, ahead=4 * scale)

    assert all(-scale <= f <= 4 * scale for f in result)
    if model in ("power", "power2", "power3"):
        small = trace(
            [(e[0], *(v / scale for v in e[1:])) for e in events],
            model=model, exponent=3.0, ahead=4.0,
        )  # fmt: skip
        np.testing.assert_allclose([f / scale for f in result], small, rtol=1e-12)


def test_fills_are_whole_lots_and_none_is_lost():
    """The part of a lot stays until the rest of it comes, and the order's size is a bound."""
    order = QueuePosition(0, 3.0, 1.0)

    order.trade(3.75)
    assert order.take_fill(10.0) == 2.0
    assert order.take_fill(10.0) == 0.0
    order.trade(0.25)
    assert order.take_fill(10.0) == 1.0
    order.trade(8.0)
    assert order.take_fill(5.0) == 5.0
    assert order.take_fill(0.0) == 0.0


@pytest.mark.parametrize(
    ("call", "match"),
    [
        (lambda: QueuePosition(6, 1.0, 1.0), "model must be one of"),
        (lambda: QueuePosition(-1, 1.0, 1.0), "model must be one of"),
        (lambda: QueuePosition(0, 0.0, 1.0), "exponent must be > 0"),
        (lambda: QueuePosition(0, nan, 1.0), "exponent must be > 0"),
        (lambda: QueuePosition(0, 1.0, -1.0), "ahead must be >= 0"),
        (lambda: QueuePosition(0, 1.0, 1.0).trade(-1.0), "size must be >= 0"),
        (lambda: QueuePosition(0, 1.0, 1.0).depth(nan, 1.0), "before must be >= 0"),
        (lambda: QueuePosition(0, 1.0, 1.0).depth(1.0, inf), "after must be >= 0"),
        (lambda: QueuePosition(0, 1.0, 1.0).take_fill(-1.0), "most must be >= 0"),
        (lambda: trace_queue(np.array([[2.0, 0, 0]]), np.ones(1), model=0, exponent=1.0,
                             ahead=0.0), r"events\[0, 0\] must be 0 or 1"),
        (lambda: trace_queue(np.array([[1.0, nan, 0]]), np.ones(1), model=0, exponent=1.0,
                             ahead=0.0), r"events\[0\] must be >= 0"),
        (lambda: trace_queue(np.ones((1, 2)), np.ones(1), model=0, exponent=1.0, ahead=0.0),
         "events must have 3 columns"),
        (lambda: trace_queue(np.ones((1, 3)), np.ones(2), model=0, exponent=1.0, ahead=0.0),
         "out must have length 1"),
        (lambda: one(fill_probabilities, -1, 1, 1, 1), r"ahead\[0\] must lie in"),
        (lambda: one(fill_probabilities, 1, nan, 1, 1), r"trades_per_sec\[0\]"),
        (lambda: one(fill_probabilities, 1, 1, -1, 1), r"cancels_per_sec\[0\]"),
        (lambda: one(fill_probabilities, 1, 1, 1, inf), r"secs\[0\]"),
        (lambda: one(diffusion_probabilities, 1, inf, 1, 1), r"drift\[0\]"),
        (lambda: one(diffusion_probabilities, 1, 1, 0, 1), r"volatility\[0\]"),
        (lambda: fill_probabilities(np.ones(2), np.ones(1), np.ones(2), np.ones(2), np.ones(2)),
         "trades_per_sec must have length 2"),
        (lambda: mean_fill_secs(-1.0, trades_per_sec=1.0), "ahead must be >= 0"),
    ],
)  # fmt: skip
def test_values_outside_their_domain_are_refused(call, match):
    """The door names argument, index and rule."""
    with pytest.raises(ValueError, match=match):
        call()


def test_empty_inputs_give_empty_results():
    """No events, no orders."""
    none = np.empty(0)

    fill_probabilities(none, none, none, none, none)
    trace_queue(np.empty((0, 3)), none, model=0, exponent=1.0, ahead=0.0)


def test_following_an_order_allocates_nothing():
    """A backtest follows thousands of them through every update."""
    order, args = QueuePosition(0, 3.0, 1e9), [np.ones(1) for _ in range(5)]
    before = sys.getallocatedblocks()

    for _ in range(10_000):
        order.trade(1.0)
        order.depth(100.0, 98.0)
        fill_probabilities(*args)

    assert sys.getallocatedblocks() - before < 20


def test_the_examples_run():
    """Examples of docstrings are code."""
    assert doctest.testmod(module).failed == 0
