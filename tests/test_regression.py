"""Least squares with forgetting, and labels that come late and never look ahead."""

import doctest
import sys
from math import isnan, nan

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hypermm._core import regression as module
from hypermm._core.regression import FairPriceStream, fit_forgetting
from tests.oracle import cases, check
from tests.reference import regression as reference

SECOND = 1_000_000_000


def fit(x, y, *, forgetting, prior_variance):
    """Call the kernel with fresh memory."""
    x, y = np.ascontiguousarray(x, dtype=float).reshape(-1, 2), np.asarray(y, dtype=float)
    out = np.full((len(x), 2), np.nan)
    covariance = fit_forgetting(x, y, out, forgetting=forgetting, prior_variance=prior_variance)
    return out, covariance


@pytest.mark.parametrize("case", cases("rls"))
def test_coefficients_meet_the_oracle(case):
    """At several steps of each series, and the covariance after the last."""
    i = case["inputs"]

    betas, (p00, p01, p11) = fit(i["x"], i["y"], forgetting=i["lam"], prior_variance=i["P0"])

    for step, expected in zip(case["expected"]["steps"], case["expected"]["theta"], strict=True):
        one = {**case, "expected": {"theta": expected}}
        check(one, "theta", betas[step - 1].tolist())
    for row, got in zip(case["expected"]["P"], ([p00, p01], [p01, p11]), strict=True):
        check({**case, "expected": {"P": row}}, "P", got)


PAIRS = st.lists(
    st.tuples(st.floats(-1, 1), st.floats(-1, 1), st.floats(-1e-3, 1e-3)), min_size=1, max_size=30
)


@given(PAIRS, st.floats(0.9, 1.0))
def test_the_textbooks_recursion_gives_the_same(pairs, forgetting):
    """Where the textbook's form keeps its digits: a prior that is not wide."""
    twin = reference.Regression(10.0)

    betas, covariance = fit(
        [p[:2] for p in pairs], [p[2] for p in pairs], forgetting=forgetting, prior_variance=10.0
    )

    for x0, x1, y in pairs:
        twin.update((x0, x1), y, forgetting)
    np.testing.assert_allclose(betas[-1], twin.theta, rtol=1e-8, atol=1e-12)
    np.testing.assert_allclose(
        covariance, (twin.p[0][0], twin.p[0][1], twin.p[1][1]), rtol=1e-8, atol=1e-8
    )


@pytest.mark.parametrize("prior_variance", [100.0, 1e6, 1e12, 1e30])
@pytest.mark.parametrize("forgetting", [0.8, 0.97, 1.0])
def test_the_result_is_the_exact_minimiser(prior_variance, forgetting):
    """By rational numbers, for priors so wide that the textbook's form has no digit left."""
    rng = np.random.default_rng(1)
    x, y = rng.uniform(-1, 1, (40, 2)), rng.normal(scale=1e-4, size=40)

    betas, _ = fit(x, y, forgetting=forgetting, prior_variance=prior_variance)

    for n in (2, 5, 40):
        expected = reference.exact(x[:n].tolist(), y[:n].tolist(), forgetting, prior_variance)
        np.testing.assert_allclose(betas[n - 1], expected, rtol=1e-9, atol=1e-18)


def test_features_that_stand_still_do_not_wind_the_covariance_up():
    """Ten thousand pairs in one direction: the other one's variance stays at its start."""
    x, y = np.tile([1.0, 0.0], (10_000, 1)), np.ones(10_000)

    betas, (p00, _, p11) = fit(x, y, forgetting=0.9, prior_variance=1e3)

    assert p00 + p11 <= 2e3 * (1 + 1e-12)
    assert p00 > 0.0
    assert p11 > 0.0
    assert betas[-1].tolist() == pytest.approx([1.0, 0.0])
    _, still = fit(np.zeros((10_000, 2)), y, forgetting=0.9, prior_variance=1e3)
    assert still == pytest.approx((1e3, 0.0, 1e3))


@given(PAIRS, st.floats(1e-9, 1.0), st.sampled_from([1e-100, 1.0, 1e100]))
def test_the_covariance_stays_positive(pairs, forgetting, prior_variance):
    """Whatever comes, an update never needs a square root of less than nothing."""
    _, (p00, p01, p11) = fit(
        [p[:2] for p in pairs],
        [p[2] for p in pairs],
        forgetting=forgetting,
        prior_variance=prior_variance,
    )

    assert p00 >= 0.0
    assert p11 >= 0.0
    assert p00 + p11 <= 2.0 * prior_variance * (1 + 1e-9)
    assert abs(p01) <= (p00 * p11) ** 0.5 * (1 + 1e-9)


def stream(**changes):
    return FairPriceStream(**{"horizon_secs": 2.0, "decay_secs": 60.0, **changes})


ROWS = st.lists(
    st.tuples(
        st.sampled_from([0, 0, 1, 2, 3, 4, 7]),
        st.one_of(st.just(nan), st.integers(-5, 5).map(lambda k: 100.0 + k)),
        st.sampled_from([-1.0, -0.5, 0.0, 0.5, 1.0]),
        st.sampled_from([-1.0, 0.0, 0.25, 1.0]),
    ),
    min_size=1,
    max_size=40,
)


def series(rows):
    """Stamps in steps of half a second, and the columns."""
    stamps = np.cumsum([r[0] for r in rows]) * (SECOND // 2)
    return stamps.astype(np.int64), *(np.array([r[i] for r in rows]) for i in (1, 2, 3))


@given(ROWS)
def test_labels_are_what_the_definition_says(rows):
    """Last mid at or before the horizon's end, ties and books without a mid included."""
    stamps, mids, book, flow = series(rows)
    learner = stream(prior_variance=10.0)

    learner.observe_all(stamps, mids, book, flow, np.empty(len(rows)))

    theta, pairs, errors, squares = reference.stream(
        list(zip(stamps.tolist(), mids.tolist(), book.tolist(), flow.tolist(), strict=True)),
        horizon_ns=2 * SECOND, sample_ns=SECOND, decay_secs=60.0, prior_variance=10.0,
    )  # fmt: skip
    assert learner.pairs == pairs
    assert (learner.beta_book, learner.beta_flow) == pytest.approx(theta, rel=1e-9, abs=1e-12)
    if squares > 0.0:
        assert learner.r2_out_of_sample == pytest.approx(1.0 - errors / squares, abs=1e-9)


@given(ROWS, ROWS)
def test_the_future_never_changes_a_past_prediction(past, future):
    """Bit for bit: what was predicted at a row depends on rows up to it alone."""
    alone, both = series(past), series(past + future)
    first, second = np.empty(len(past)), np.empty(len(past) + len(future))

    one, other = stream(least_pairs=1), stream(least_pairs=1)
    one.observe_all(*alone, first)
    other.observe_all(*both, second)

    assert first.tobytes() == second[: len(past)].tobytes()


def test_a_label_is_learned_at_its_horizon_and_not_before():
    """Sampled at 0, due at 2 s: 1.999 s knows nothing, 2 s knows it, and a tie corrects it."""
    learner = stream(sample_secs=100.0)

    learner.observe(0, 100.0, 1.0, 0.0)
    learner.observe(2 * SECOND - 1, 101.0, 0.0, 0.0)
    assert (learner.pairs, learner.waiting) == (0, 1)
    learner.observe(2 * SECOND, 102.0, 0.0, 0.0)
    assert learner.pairs == 1
    assert learner.beta_book == pytest.approx(0.02, rel=1e-3)
    learner.observe(2 * SECOND, 103.0, 0.0, 0.0)

    assert learner.pairs == 1
    assert learner.beta_book == pytest.approx(0.03, rel=1e-3)
    later = stream(sample_secs=100.0)
    later.observe(0, 100.0, 1.0, 0.0)
    later.observe(SECOND, 101.0, 0.0, 0.0)
    later.observe(9 * SECOND, 200.0, 0.0, 0.0)
    assert later.beta_book == pytest.approx(0.01, rel=1e-3)


def market(n, beta, noise, seed=1):
    """Rows each second whose next move is beta times the book's imbalance, and noise."""
    rng = np.random.default_rng(seed)
    book, flow = rng.uniform(-1, 1, n), rng.uniform(-1, 1, n)
    moves = beta * book[:-1] + rng.normal(scale=noise, size=n - 1)
    mids = 100.0 * np.cumprod(np.concatenate([[1.0], 1.0 + moves]))
    return np.arange(n) * SECOND, mids, book, flow


def test_a_signal_is_found_and_noise_is_not():
    """With a signal the out-of-sample R2 is its own; without one predictions are 0."""
    out = np.empty(20_000)
    learner = stream(horizon_secs=1.0, decay_secs=3000.0)

    learner.observe_all(*market(20_000, 2e-4, 3e-4), out)

    true = (2e-4) ** 2 / 3 / ((2e-4) ** 2 / 3 + (3e-4) ** 2)
    assert learner.r2_out_of_sample == pytest.approx(true, abs=0.03)
    assert learner.beta_book == pytest.approx(2e-4, rel=0.12)
    assert abs(learner.beta_flow) < 3e-5
    noise = stream(horizon_secs=1.0, decay_secs=600.0)
    noise.observe_all(*market(20_000, 0.0, 3e-4), out)
    assert noise.r2_out_of_sample < 0.0
    assert noise.predict(1.0, 1.0) == 0.0
    assert np.mean(out[1_000:] == 0.0) > 0.7


def test_the_fair_price_starts_as_the_weighted_mid_and_is_clipped():
    """Cold: the size-weighted mid. Learned: within half the spread and a tick of the mid."""
    learner = stream(horizon_secs=1.0, least_pairs=5)
    asked = {"tick": 0.5, "book_imbalance": 1.0, "flow_imbalance": 0.0, "top_imbalance": 0.5}

    assert learner.fair_price(99.0, 101.0, **asked) == 100.5
    for second in range(20):
        learner.observe(second * SECOND, 100.0 * 1.1**second, 1.0, 0.0)

    assert learner.predict(1.0, 0.0) == pytest.approx(0.1, rel=1e-3)
    assert learner.fair_price(99.0, 101.0, **asked) == 101.5
    assert learner.fair_price(99.0, 101.0, **{**asked, "book_imbalance": 0.01}) == pytest.approx(
        100.1, rel=1e-5
    )


def test_an_interruption_drops_what_waits():
    """A label must not span a hole in the data."""
    learner = stream()
    learner.observe(0, 100.0, 1.0, 0.0)

    learner.cut()
    learner.observe(10 * SECOND, 200.0, 1.0, 0.0)

    assert (learner.pairs, learner.dropped, learner.waiting) == (0, 1, 1)


def test_samples_keep_their_distance_and_the_ring_never_runs_over():
    """At most 32 a horizon wait, however dense the rows are."""
    learner = stream(horizon_secs=1.0, sample_secs=1.0 / 32)

    for i in range(5_000):
        learner.observe(i * 1_000_000, 100.0, 0.5, 0.5)
        assert learner.waiting <= 33

    assert learner.pairs == pytest.approx(4.0 * 32, abs=3)
    assert learner.r2_out_of_sample != learner.r2_out_of_sample  # nothing has moved
    assert learner.predict(1.0, 1.0) == 0.0


def test_a_long_silence_forgets_at_most_to_its_bound():
    """A weight of e^-1e6 would leave nothing to divide by."""
    learner = stream(decay_secs=1e-3)
    for second in range(50):
        learner.observe(second * SECOND, 100.0 + second % 3, 1.0, -1.0)

    assert not isnan(learner.beta_book)
    assert all(0.0 <= p < 1e6 for p in learner.covariance[::2])


def test_nothing_is_taken_in_when_a_series_is_refused():
    """The whole array is checked before its first row counts."""
    learner, ok = stream(), np.array([1.0, 1.0])

    with pytest.raises(ValueError, match=r"mids\[1\]"):
        learner.observe_all(np.array([5, 6]), np.array([1.0, -1.0]), ok, ok, np.empty(2))
    learner.observe(0, 1.0, 0.0, 0.0)

    assert learner.waiting == 1


def observe_all(stamps, mids, book, flow, out):
    as_floats = [np.array(a, dtype=float) for a in (mids, book, flow, out)]
    stream().observe_all(np.array(stamps, dtype=np.int64), *as_floats)


@pytest.mark.parametrize(
    ("call", "match"),
    [
        (lambda: stream(horizon_secs=0.0), "horizon_secs must lie"),
        (lambda: stream(horizon_secs=nan), "horizon_secs must lie"),
        (lambda: stream(decay_secs=0.0), "decay_secs must be > 0"),
        (lambda: stream(sample_secs=0.01), "sample_secs must be at least"),
        (lambda: stream(prior_variance=0.0), "prior_variance must be > 0"),
        (lambda: stream(least_pairs=0), "least_pairs must be >= 1"),
        (lambda: stream().observe(-1, 1.0, 0.0, 0.0), "exch_ns must lie"),
        (lambda: stream().observe(1, 0.0, 0.0, 0.0), "mid must be > 0"),
        (lambda: stream().observe(1, 1.0, 1.1, 0.0), "book_imbalance must lie"),
        (lambda: stream().observe(1, 1.0, 0.0, nan), "flow_imbalance must lie"),
        (lambda: stream().predict(2.0, 0.0), "book_imbalance must lie"),
        (lambda: observe_all([2, 1], [1, 1], [0, 0], [0, 0], [0, 0]), r"exch_ns\[1\]"),
        (lambda: observe_all([1, 2], [1, 1], [0, 9], [0, 0], [0, 0]), r"book_imbalance\[1\]"),
        (lambda: observe_all([1], [1], [0], [0], []), "out must have length 1"),
        (lambda: fit([[1.0, nan]], [1.0], forgetting=1.0, prior_variance=1.0), r"x\[:, 1\]\[0\]"),
        (lambda: fit([[1.0, 1.0]], [np.inf], forgetting=1.0, prior_variance=1.0), r"y\[0\]"),
        (lambda: fit([[1.0, 1.0]], [1.0], forgetting=1.1, prior_variance=1.0), "forgetting must"),
        (lambda: fit([[1.0, 1.0]], [1.0], forgetting=0.0, prior_variance=1.0), "forgetting must"),
        (lambda: fit([[1.0, 1.0]], [], forgetting=1.0, prior_variance=1.0), "y must have length"),
        (lambda: fit_forgetting(np.ones((1, 3)), np.ones(1), np.ones((1, 2)), forgetting=1.0,
                                prior_variance=1.0), "x must have 2 columns"),
        (lambda: stream().fair_price(2.0, 1.0, tick=0.0, book_imbalance=0.0, flow_imbalance=0.0,
                                     top_imbalance=0.0), "bid and ask must"),
    ],
)  # fmt: skip
def test_values_outside_their_domain_are_refused(call, match):
    """The door names argument, index and rule."""
    with pytest.raises(ValueError, match=match):
        call()


def test_a_stamp_that_runs_back_is_refused():
    """Otherwise a label could come before its sample."""
    learner = stream()
    learner.observe(5, 1.0, 0.0, 0.0)

    with pytest.raises(ValueError, match="must be >= the last stamp 5"):
        learner.observe(4, 1.0, 0.0, 0.0)


def test_rows_allocate_nothing():
    """The stream lies on the path of every book."""
    learner = stream(horizon_secs=1e-6)
    before = sys.getallocatedblocks()

    for i in range(10_000):
        learner.observe(i * 1_000, 100.0, 0.5, -0.5)
        learner.predict(0.5, 0.5)

    assert learner.pairs > 9_000
    assert sys.getallocatedblocks() - before < 20


def test_the_examples_run():
    """Examples of docstrings are code."""
    assert doctest.testmod(module).failed == 0
