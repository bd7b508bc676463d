"""Hawkes kernels: oracle, twins, ties, extremes, live state, fits and what must hold of any."""

import doctest
import sys
import threading
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hypermm._core import hawkes, hawkes_fit, hawkes_stream, hawkes_terms, hawkes_terms_fit
from hypermm._core.hawkes import em_step, intensities, ks_distance, log_likelihood, residuals
from hypermm._core.hawkes_fit import fit
from hypermm._core.hawkes_stream import HawkesPairStream, HawkesStream, HawkesSumStream
from hypermm._core.hawkes_terms import (
    pair_intensities,
    pair_log_likelihood,
    pair_residuals,
    pair_stationary,
    sum_log_likelihood,
    sum_residuals,
)
from hypermm._core.hawkes_terms_fit import fit_pair, fit_sum
from tests.oracle import cases, check
from tests.reference import hawkes as reference

DATA = Path(__file__).parent / "data" / "oracle"
PARAMETER = st.floats(0.01, 10.0)
GAPS = st.lists(st.sampled_from([0.0, 1e-9, 1e-3, 0.1, 0.5, 1.0, 3.0, 50.0]), max_size=40)


def named(mu, alpha, beta):
    return {"baseline_per_sec": mu, "jump_per_sec": alpha, "decay_per_sec": beta}


def model(inputs):
    return named(inputs["mu"], inputs["alpha"], inputs["beta"])


def pair(inputs):
    return {
        "baselines_per_sec": np.array(inputs["mu"]),
        "jumps_per_sec": np.array(inputs["alpha"]).ravel(),
        "decays_per_sec": np.array(inputs["beta"]).ravel(),
    }


@pytest.mark.parametrize("case", cases("hawkes_univariate"))
def test_one_stream_meets_the_oracle(case):
    """Likelihood, gradient, intensity, residuals, their KS distance and a step of EM."""
    inputs = case["inputs"]
    times, horizon = np.array(inputs["t"]), inputs["T"]
    gradient, step, live = np.empty(3), np.empty(3), np.empty(2)
    before, gaps = np.empty(len(times)), np.empty(len(times))

    value = log_likelihood(times, horizon_secs=horizon, gradient=gradient, **model(inputs))
    intensities(times, times, before, **model(inputs))
    intensities(times, np.array([inputs["s"], horizon]), live, **model(inputs))
    residuals(times, gaps, **model(inputs))
    em_step(times, step, horizon_secs=horizon, **model(inputs))

    check(case, "n_events", len(times))
    check(case, "loglik", value)
    check(case, "grad", gradient.tolist())
    check(case, "lambda_before_last", before[-1])
    check(case, "lambda_first10", before[:10].tolist())
    check(case, "lambda_at", live[0])
    check(case, "lambda_T", live[1])
    check(case, "residual_first10", gaps[:10].tolist())
    check(case, "residual_sum", gaps.sum())
    check(case, "ks", ks_distance(gaps, np.empty_like(gaps)))
    check(case, "em_step", step.tolist())


@pytest.mark.parametrize("case", cases("hawkes_univariate"))
def test_fits_meet_the_oracle(case):
    """Estimates, standard errors and the maximum; one sample has its maximum at no clustering."""
    inputs = case["inputs"]

    result = fit(np.array(inputs["t"]), horizon_secs=inputs["T"])

    if "mle" in case["expected"]:
        check(case, "mle", [result["mu"], result["alpha"], result["beta"]])
        check(case, "mle_se", [result["mu_se"], result["alpha_se"], result["beta_se"]])
        check(case, "mle_loglik", result["loglik"])
        check(case, "mle_branching", result["branching"])
    assert result["is_converged"]


@pytest.mark.parametrize("case", cases("hawkes_large"))
def test_a_hundred_thousand_events_meet_the_oracle(case):
    """Rounding does not pile up, and the start on a stretch ends at the same maximum."""
    inputs, gradient = case["inputs"], np.empty(3)
    times = np.load(DATA / inputs["file"])
    last = np.empty(1)

    value = log_likelihood(times, horizon_secs=inputs["T"], gradient=gradient, **model(inputs))
    intensities(times, times[-1:], last, **model(inputs))
    result = fit(times, horizon_secs=inputs["T"])

    check(case, "loglik", value)
    check(case, "grad", gradient.tolist())
    check(case, "lambda_last", last[0])
    check(case, "mle", [result["mu"], result["alpha"], result["beta"]])
    check(case, "mle_se", [result["mu_se"], result["alpha_se"], result["beta_se"]])
    check(case, "mle_loglik", result["loglik"])


@pytest.mark.parametrize("case", cases("hawkes_multiexp"))
def test_sums_of_exponentials_meet_the_oracle(case):
    """Two and three terms, with and without marks."""
    inputs = case["inputs"]
    times, marks = np.array(inputs["t"]), None
    if "mark" in inputs:
        marks = np.array(inputs["mark"]) ** inputs["c"]
        marks /= marks.mean()
    jumps, decays = np.array(inputs["alpha"]), np.array(inputs["beta"])

    value = sum_log_likelihood(
        times,
        horizon_secs=inputs["T"],
        baseline_per_sec=inputs["mu"],
        jumps_per_sec=jumps,
        decays_per_sec=decays,
        marks=marks,
    )
    at_end, out = inputs["mu"], np.empty(1)
    for jump, decay in zip(jumps, decays, strict=True):
        intensities(
            times, np.array([inputs["T"]]), out, marks=marks, **named(inputs["mu"], jump, decay)
        )
        at_end += out[0] - inputs["mu"]

    check(case, "loglik", value)
    check(case, "lambda_T", at_end)
    check(case, "branching", (jumps / decays).sum())


@pytest.mark.parametrize("case", cases("hawkes_bivariate"))
def test_pairs_of_streams_meet_the_oracle(case):
    """One decay and four, with a pair that does not excite."""
    inputs = case["inputs"]
    times, kinds = np.array(inputs["t"]), np.array(inputs["side"], np.int8)
    gradient, own, means = np.empty(10), np.empty(len(times)), np.empty(2)

    value = pair_log_likelihood(
        times, kinds, horizon_secs=inputs["T"], gradient=gradient, **pair(inputs)
    )
    pair_intensities(times, kinds, own, **pair(inputs))
    radius = pair_stationary(means, **pair(inputs))

    check(case, "loglik", value)
    check(case, "grad_mu", gradient[:2].tolist())
    for key, part in (("grad_alpha", gradient[2:6]), ("grad_beta", gradient[6:])):
        for row in (0, 1):
            one = {"expected": {key: case["expected"][key][row]}, "tol": case["tol"]}
            check(one, key, part[2 * row : 2 * row + 2].tolist())
    check(case, "lambda_own_first10", own[:10].tolist())
    check(case, "lambda_own_last", own[-1])
    check(case, "spectral_radius", radius)
    check(case, "stationary_mean", means.tolist())


@given(GAPS, PARAMETER, PARAMETER, PARAMETER, st.floats(0.0, 5.0))
def test_the_likelihood_agrees_with_its_definition(gaps, mu, alpha, beta, rest):
    """Ties, long silences and gaps of a nanosecond included."""
    times = np.cumsum(gaps)
    horizon = (times[-1] if gaps else 0.0) + rest + 0.01
    marks = np.arange(len(times)) % 3 / 2.0

    plain = log_likelihood(times, horizon_secs=horizon, **named(mu, alpha, beta))
    marked = log_likelihood(times, horizon_secs=horizon, marks=marks, **named(mu, alpha, beta))

    twin = reference.log_likelihood
    assert plain == pytest.approx(twin(times, horizon, mu, alpha, beta), rel=1e-10, abs=1e-10)
    assert marked == pytest.approx(
        twin(times, horizon, mu, alpha, beta, marks.tolist()), rel=1e-10, abs=1e-10
    )


@pytest.mark.parametrize("unit", [1e-9, 1e-3, 1.0, 1e6])
@pytest.mark.parametrize(
    ("mu", "alpha", "beta"),
    [
        (0.5, 0.4, 0.8),
        (1e-6, 30.0, 31.0),
        (2.0, 1e-7, 1e-6),
        (2.0, 1e-9, 1e3),
        (0.1, 900.0, 1e5),
        (100.0, 5.0, 1.0),
    ],
)
def test_extremes_agree_with_fifty_digits(unit, mu, alpha, beta):
    """Decays far slower than the window and far faster than a gap, tiny jumps, n above 1."""
    random = np.random.default_rng(3)
    gaps = random.exponential(1.0, 400)
    gaps[::7] *= 1e-5
    gaps[::50] = 0.0
    times = np.cumsum(gaps) * unit
    gradient, horizon = np.empty(3), float(times[-1]) * 1.01

    value = log_likelihood(
        times,
        horizon_secs=horizon,
        gradient=gradient,
        **named(mu / unit, alpha / unit, beta / unit),
    )

    exact, slopes = reference.exact(times, horizon, mu / unit, alpha / unit, beta / unit)
    assert value == pytest.approx(exact, rel=1e-12)
    scale = max(abs(slope) for slope in slopes)
    np.testing.assert_allclose(gradient, slopes, rtol=1e-9, atol=1e-11 * scale)


@settings(max_examples=25)
@given(st.integers(0, 2**32 - 1), PARAMETER, PARAMETER, PARAMETER)
def test_the_gradient_matches_finite_differences(seed, mu, alpha, beta):
    """Of the kernel itself, for all three forms."""
    random = np.random.default_rng(seed)
    times = np.sort(random.uniform(0.0, 60.0, 80))
    kinds = random.integers(0, 2, 80).astype(np.int8)
    x = np.array([mu, alpha, beta])

    def one(x, gradient=None):
        return log_likelihood(times, horizon_secs=60.0, gradient=gradient, **named(*x))

    def many(x, gradient=None):
        return sum_log_likelihood(
            times,
            horizon_secs=60.0,
            gradient=gradient,
            baseline_per_sec=x[0],
            jumps_per_sec=x[1:3].copy(),
            decays_per_sec=x[3:].copy(),
        )

    def two(x, gradient=None):
        return pair_log_likelihood(
            times,
            kinds,
            horizon_secs=60.0,
            gradient=gradient,
            baselines_per_sec=x[:2].copy(),
            jumps_per_sec=x[2:6].copy(),
            decays_per_sec=x[6:].copy(),
        )

    for function, point in (
        (one, x),
        (many, np.array([mu, alpha, mu, beta, 3.0 * beta])),
        (two, np.concatenate([x[:2], x, x, x])[:10] + np.arange(10) / 10.0),
    ):
        gradient = np.empty(len(point))
        function(point, gradient)
        for i in range(len(point)):
            step = np.zeros(len(point))
            step[i] = 1e-5 * point[i]
            slope = (function(point + step) - function(point - step)) / (2.0 * step[i])
            assert gradient[i] == pytest.approx(slope, rel=1e-4, abs=1e-4)


def test_ties_do_not_excite_each_other():
    """Otherwise the likelihood of block stamps grows without bound as the decay does."""
    times = np.repeat(np.arange(1.0, 50.0), 3)

    values = [
        log_likelihood(times, horizon_secs=50.0, **named(1.0, 0.5 * beta, beta))
        for beta in (1e2, 1e4, 1e6, 1e8)
    ]

    assert all(later <= earlier for earlier, later in pairwise(values))
    assert fit(times, horizon_secs=50.0)["is_converged"]


def test_no_event_and_one_event_have_a_likelihood():
    """Nothing happened for T seconds: exp(-mu T); one event: mu exp(-mu T - ...)."""
    gradient = np.empty(3)

    nothing = log_likelihood(
        np.array([]), horizon_secs=7.0, gradient=gradient, **named(0.5, 0.2, 1.0)
    )
    one = log_likelihood(np.array([7.0]), horizon_secs=7.0, **named(0.5, 0.2, 1.0))

    assert nothing == -3.5
    assert gradient.tolist() == [-7.0, 0.0, 0.0]
    assert one == pytest.approx(np.log(0.5) - 3.5, rel=1e-15)
    out = np.empty(2)
    intensities(np.array([]), np.array([0.0, 5.0]), out, **named(0.5, 0.2, 1.0))
    assert out.tolist() == [0.5, 0.5]


@given(GAPS, PARAMETER, PARAMETER)
def test_pairs_agree_with_their_definition(gaps, scale, decay):
    """Ties across kinds included: events of one instant do not excite each other."""
    times = np.cumsum(gaps)
    horizon = (times[-1] if gaps else 0.0) + 1.0
    kinds = np.array([(i * 7 // 3) % 2 for i in range(len(gaps))], np.int8)
    mu, alpha = (0.4, 0.7), ((scale, 0.1), (0.3, 0.5 * scale))
    beta = ((decay, decay), (2.0 * decay, 0.5 * decay))

    value = pair_log_likelihood(
        times,
        kinds,
        horizon_secs=horizon,
        baselines_per_sec=np.array(mu),
        jumps_per_sec=np.array(alpha).ravel(),
        decays_per_sec=np.array(beta).ravel(),
    )

    twin = reference.pair_log_likelihood(times.tolist(), kinds, horizon, mu, alpha, beta)
    assert value == pytest.approx(twin, rel=1e-10, abs=1e-10)


@given(GAPS, PARAMETER, PARAMETER)
def test_a_single_term_is_the_plain_model(gaps, alpha, beta):
    """Three kernels, one number: the sum of one term, and a pair of which one kind is silent."""
    times = np.cumsum(gaps)
    horizon = (times[-1] if gaps else 0.0) + 1.0

    plain = log_likelihood(times, horizon_secs=horizon, **named(0.5, alpha, beta))
    terms = sum_log_likelihood(
        times,
        horizon_secs=horizon,
        baseline_per_sec=0.5,
        jumps_per_sec=np.array([alpha]),
        decays_per_sec=np.array([beta]),
    )

    assert terms == pytest.approx(plain, rel=1e-12, abs=1e-12)


def test_residuals_are_exponential_at_the_truth_and_not_elsewhere():
    """The time change: with the wrong decay the test rejects."""
    times = np.array(reference.simulate(np.random.default_rng(4), 20_000, 0.6, 1.2, 2.0))
    out, wrong, work = np.empty_like(times), np.empty_like(times), np.empty_like(times)

    residuals(times, out, **named(0.6, 1.2, 2.0))
    residuals(times, wrong, **named(1.5, 1e-9, 2.0))

    assert ks_distance(out, work) < 1.36 / np.sqrt(len(times))
    assert ks_distance(wrong, work) > 5.0 / np.sqrt(len(times))


def test_a_fit_recovers_the_truth_as_often_as_its_interval_says():
    """A hundred samples of 1,500: 95 % intervals hold mu, n and beta in 87 to 100 of them."""
    random = np.random.default_rng(8)
    held = np.zeros(3)

    for _ in range(100):
        times = np.array(reference.simulate(random, 1_500, 0.5, 1.2, 2.0))
        result = fit(times, horizon_secs=times[-1])
        for i, (name, truth) in enumerate((("mu", 0.5), ("branching", 0.6), ("beta", 2.0))):
            held[i] += abs(result[name] - truth) < 1.96 * result[f"{name}_se"]

    assert np.all(held >= 87), held


@pytest.mark.parametrize("unit", [1e-6, 1e-3, 1e6])
def test_a_fit_does_not_depend_on_the_unit_of_time(unit):
    """Same market in microseconds: same branching, rates scaled."""
    times = np.array(reference.simulate(np.random.default_rng(9), 800, 0.5, 1.2, 2.0))

    plain = fit(times, horizon_secs=times[-1] + 1.0)
    scaled = fit(times * unit, horizon_secs=(times[-1] + 1.0) * unit)

    for name in ("mu", "alpha", "beta"):
        assert scaled[name] * unit == pytest.approx(plain[name], rel=1e-6)
    assert scaled["branching"] == pytest.approx(plain["branching"], rel=1e-6)


def test_a_fit_is_the_maximum_that_a_general_search_finds():
    """Nelder-Mead from many starts finds nothing higher."""
    from scipy.optimize import minimize

    random = np.random.default_rng(10)
    for count, (mu, alpha, beta) in ((60, (0.5, 1.2, 2.0)), (300, (0.1, 30.0, 40.0))):
        times = np.array(reference.simulate(random, count, mu, alpha, beta))
        horizon = float(times[-1])

        def cost(x, times=times, horizon=horizon):
            branching = 1.0 / (1.0 + np.exp(-x[1]))
            decay = np.exp(x[2])
            point = named(np.exp(x[0]), branching * decay, decay)
            return -log_likelihood(times, horizon_secs=horizon, **point)

        best = min(
            minimize(cost, [np.log(0.3 * count / horizon), 0.0, decay], method="Nelder-Mead").fun
            for decay in (-2.0, 0.0, 2.0, 4.0)
        )

        assert fit(times, horizon_secs=horizon)["loglik"] >= -best - 1e-6


def test_arrivals_without_clustering_fit_without_complaint():
    """A clock has no excitation: branching 0, decay and errors unknown, baseline the rate."""
    times = np.arange(1.0, 1_000.0)

    result = fit(times, horizon_secs=1_000.0)

    assert result["is_converged"]
    assert result["branching"] < 1e-4
    assert result["mu"] == pytest.approx(0.999, rel=1e-3)
    assert np.isnan(result["beta_se"]) or result["beta_se"] > result["beta"]


def test_expectation_maximisation_climbs_to_the_same_maximum():
    """The fallback: each step gains, and the fit is its fixed point."""
    times = np.array(reference.simulate(np.random.default_rng(11), 500, 0.5, 1.2, 2.0))
    horizon = float(times[-1])
    result, point, last = fit(times, horizon_secs=horizon), np.array([0.3, 0.5, 1.0]), -np.inf

    for _ in range(300):
        value = log_likelihood(times, horizon_secs=horizon, **named(*point))
        assert value > last - 1e-3  # the window's end is treated roughly
        last = value
        em_step(times, point, horizon_secs=horizon, **named(*point))

    assert last == pytest.approx(result["loglik"], abs=0.1)
    assert point[0] == pytest.approx(result["mu"], rel=0.05)


def test_a_sum_with_the_true_decay_recovers_the_plain_fit():
    """And leaves out what the data do not want."""
    times = np.array(reference.simulate(np.random.default_rng(12), 3_000, 0.5, 1.2, 2.0))
    horizon = float(times[-1])
    plain = fit(times, horizon_secs=horizon)

    one = fit_sum(times, horizon_secs=horizon, decays_per_sec=np.array([plain["beta"]]))
    three = fit_sum(times, horizon_secs=horizon, decays_per_sec=np.array([0.05, 2.0, 50.0]))

    assert one["alpha"][0] == pytest.approx(plain["alpha"], rel=1e-6)
    assert one["loglik"] == pytest.approx(plain["loglik"], rel=1e-12)
    assert three["branching"] == pytest.approx(0.6, abs=0.1)
    assert three["is_converged"]
    assert three["loglik"] >= one["loglik"] - 0.5


def test_a_sum_has_one_maximum():
    """Concave: at the result no parameter can be moved to gain anything."""
    times = np.array(reference.simulate(np.random.default_rng(13), 400, 0.5, 1.2, 2.0))
    horizon, decays = float(times[-1]), np.array([0.1, 1.0, 10.0, 100.0])

    result = fit_sum(times, horizon_secs=horizon, decays_per_sec=decays)

    gradient = np.empty(9)
    jumps = np.array(result["alpha"])
    sum_log_likelihood(
        times,
        horizon_secs=horizon,
        gradient=gradient,
        baseline_per_sec=result["mu"],
        jumps_per_sec=jumps,
        decays_per_sec=decays,
    )
    assert abs(gradient[0]) * result["mu"] < 1e-3
    for slope, jump in zip(gradient[1:5], jumps, strict=True):
        assert slope <= 1e-3
        assert abs(slope * jump) < 1e-3


def test_a_pair_is_recovered_from_simulation():
    """Own and cross excitation within four standard errors, with one decay and with four."""
    times, kinds = reference.simulate_pair(
        np.random.default_rng(14), 2_500.0, (0.4, 0.3), ((0.8, 0.2), (0.4, 0.6)), 2.0
    )
    times, kinds = np.array(times), np.array(kinds, np.int8)
    truth = [0.4, 0.1, 0.2, 0.3]

    for one in (True, False):
        result = fit_pair(times, kinds, horizon_secs=2_500.0, has_one_decay=one)

        assert result["is_converged"]
        for got, error, want in zip(
            result["branching"], result["branching_se"], truth, strict=True
        ):
            assert abs(got - want) < 4.0 * error
    assert len(set(result["beta"])) == 4


def test_the_live_intensity_is_the_batch_one():
    """Decay on read, jump on event, parameters replaced on the way."""
    random = np.random.default_rng(15)
    stamps = np.cumsum(random.integers(0, 2_000_000_000, 200))
    marks = random.uniform(0.0, 2.0, 200)
    stream = HawkesStream(**named(0.5, 0.8, 1.5))
    live, out = [], np.empty(200)

    for stamp, mark in zip(stamps.tolist(), marks, strict=True):
        live.append(stream.intensity_per_sec(stamp))
        stream.update(stamp, mark)
    intensities(stamps / 1e9, stamps / 1e9, out, marks=marks, **named(0.5, 0.8, 1.5))

    moved = np.diff(stamps, prepend=-1) > 0  # a live read sees all events of its instant
    np.testing.assert_allclose(np.array(live)[moved], out[moved], rtol=1e-9)
    stream.set_parameters(**named(1.0, 0.4, 1.5))
    assert stream.intensity_per_sec(stream.last_ns) == 1.0 + 0.4 * stream.excitation
    assert stream.intensity_per_sec(stream.last_ns + 10**14) == 1.0


def test_the_live_sum_is_the_sum_of_its_terms():
    """Three decays; a later fit with fewer terms goes on."""
    random = np.random.default_rng(17)
    stamps = np.cumsum(random.integers(1, 2_000_000_000, 200))
    jumps, decays = np.array([0.01, 0.1, 1.0]), np.array([0.05, 0.5, 5.0])
    stream = HawkesSumStream(baseline_per_sec=0.5, jumps_per_sec=jumps, decays_per_sec=decays)
    live, out, total = [], np.empty(200), np.full(200, 0.5)

    for stamp in stamps.tolist():
        live.append(stream.intensity_per_sec(stamp))
        stream.update(stamp)
    for jump, decay in zip(jumps, decays, strict=True):
        intensities(stamps / 1e9, stamps / 1e9, out, **named(0.5, jump, decay))
        total += out - 0.5

    np.testing.assert_allclose(live, total, rtol=1e-9)
    stream.set_parameters(baseline_per_sec=1.0, jumps_per_sec=jumps[:1], decays_per_sec=decays[:1])
    assert 1.0 < stream.intensity_per_sec(stream.last_ns) < live[-1] + 1.0
    with pytest.raises(ValueError, match="branching ratio < 1"):
        stream.set_parameters(baseline_per_sec=1.0, jumps_per_sec=decays, decays_per_sec=decays)


def test_residuals_of_terms_are_those_of_the_plain_model():
    """One term, and a pair whose kinds do not excite each other: two plain models side by side."""
    random = np.random.default_rng(18)
    times = np.sort(random.uniform(0.0, 100.0, 300))
    kinds = random.integers(0, 2, 300).astype(np.int8)
    plain, summed, both = np.empty(300), np.empty(300), np.empty(300)
    one = {"jumps_per_sec": np.array([0.8]), "decays_per_sec": np.array([1.5])}

    residuals(times, plain, **named(0.5, 0.8, 1.5))
    sum_residuals(times, summed, baseline_per_sec=0.5, **one)
    pair_residuals(
        times,
        kinds,
        both,
        baselines_per_sec=np.array([0.5, 0.3]),
        jumps_per_sec=np.array([0.8, 0.0, 0.0, 0.4]),
        decays_per_sec=np.array([1.5, 1.0, 1.0, 0.7]),
    )

    np.testing.assert_allclose(summed, plain, rtol=1e-12)
    for kind, point in ((0, (0.5, 0.8, 1.5)), (1, (0.3, 0.4, 0.7))):
        own = np.ascontiguousarray(times[kinds == kind])
        out = np.empty_like(own)
        residuals(own, out, **named(*point))
        np.testing.assert_allclose(both[kinds == kind], out, rtol=1e-9)


def test_the_live_pair_is_the_batch_one():
    """Four decays; each kind's intensity just before its own events."""
    random = np.random.default_rng(16)
    stamps = np.cumsum(random.integers(1, 2_000_000_000, 200))
    kinds = random.integers(0, 2, 200).astype(np.int8)
    parameters = {
        "baselines_per_sec": np.array([0.5, 0.3]),
        "jumps_per_sec": np.array([0.5, 0.1, 0.2, 0.4]),
        "decays_per_sec": np.array([1.0, 2.0, 0.5, 3.0]),
    }
    stream, live, out = HawkesPairStream(**parameters), [], np.empty(200)

    for stamp, kind in zip(stamps.tolist(), kinds.tolist(), strict=True):
        live.append(stream.intensity_per_sec(kind, stamp))
        stream.update(kind, stamp)
    pair_intensities(stamps / 1e9, kinds, out, **parameters)

    np.testing.assert_allclose(live, out, rtol=1e-9)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"times": np.array([1.0, 0.5])}, r"times\[1\] must not be below the time before"),
        ({"times": np.array([-1.0, 0.5])}, r"times\[0\] must be finite and >= 0: -1.0"),
        ({"times": np.array([np.nan, 0.5])}, r"times\[0\] must be finite and >= 0: nan"),
        ({"times": np.array([0.5, np.nan])}, r"times\[1\] must be finite: nan"),
        ({"times": np.array([0.5, np.inf])}, r"horizon_secs must not be before times\[1\]"),
        ({"times": np.array([0.5, 12.0])}, r"horizon_secs must not be before times\[1\] = 12"),
        ({"times": np.array([1, 2])}, "Buffer dtype mismatch"),
        ({"times": np.zeros((2, 2))}, "wrong number of dimensions"),
        ({"horizon_secs": 0.0, "times": np.array([])}, "horizon_secs must be > 0"),
        ({"horizon_secs": np.nan}, "horizon_secs must be > 0 and finite: nan"),
        ({"baseline_per_sec": 0.0}, "baseline_per_sec must be > 0 and finite: 0.0"),
        ({"jump_per_sec": -1.0}, "jump_per_sec must be >= 0 and finite: -1.0"),
        ({"decay_per_sec": np.inf}, "decay_per_sec must be > 0 and finite: inf"),
        ({"marks": np.ones(3)}, "marks must have the length of times, 2: 3"),
        ({"marks": np.array([1.0, -1.0])}, r"marks\[1\] must be >= 0 and finite: -1.0"),
        ({"gradient": np.empty(2)}, "gradient must have length 3: 2"),
    ],
)
def test_wrong_input_is_refused_by_name(change, message):
    """Argument, index and rule."""
    arguments = {"times": np.array([1.0, 2.0]), "horizon_secs": 10.0, **named(1.0, 0.5, 1.0)}
    arguments |= change

    with pytest.raises(ValueError, match=message):
        log_likelihood(arguments.pop("times"), **arguments)


def test_other_doors_refuse_by_name():
    """Read-only output, bad kinds, too few events, non-stationary live parameters."""
    times, kinds = np.array([1.0, 2.0]), np.array([0, 2], np.int8)
    frozen = np.empty(2)
    frozen.flags.writeable = False
    square = {"baselines_per_sec": np.ones(2), "decays_per_sec": np.ones(4)}

    with pytest.raises(ValueError, match="read-only"):
        residuals(times, frozen, **named(1.0, 0.5, 1.0))
    with pytest.raises(ValueError, match=r"kinds\[1\] must be 0 or 1: 2"):
        pair_intensities(times, kinds, np.empty(2), jumps_per_sec=np.ones(4), **square)
    with pytest.raises(ValueError, match=r"at\[1\] must be finite, >= 0 and not decreasing"):
        intensities(times, np.array([2.0, 1.0]), np.empty(2), **named(1.0, 0.5, 1.0))
    with pytest.raises(ValueError, match="at least 5 events"):
        fit(times, horizon_secs=5.0)
    with pytest.raises(ValueError, match="not all at one instant"):
        fit(np.ones(50), horizon_secs=5.0)
    with pytest.raises(ValueError, match="jump_per_sec must be < decay_per_sec"):
        HawkesStream(**named(1.0, 1.0, 1.0))
    with pytest.raises(ValueError, match="spectral radius < 1"):
        HawkesPairStream(jumps_per_sec=np.ones(4), **square)
    with pytest.raises(ValueError, match="to be stationary"):
        hawkes.stationary(**named(1.0, 2.0, 1.0))
    with pytest.raises(ValueError, match=r"decays_per_sec\[1\] must differ"):
        fit_sum(np.arange(9.0), horizon_secs=9.0, decays_per_sec=np.ones(2))
    with pytest.raises(ValueError, match="at least 5 of each"):
        fit_pair(np.arange(9.0), np.zeros(9, np.int8), horizon_secs=9.0)
    with pytest.raises(ValueError, match="some event must have an earlier one"):
        em_step(np.array([1.0]), np.empty(3), horizon_secs=2.0, **named(1.0, 0.5, 1.0))
    stream = HawkesStream(**named(1.0, 0.5, 1.0))
    stream.update(10)
    with pytest.raises(ValueError, match="now_ns must not be before the last event 10: 9"):
        stream.update(9)
    with pytest.raises(ValueError, match="mark must be >= 0 and finite: nan"):
        stream.update(11, np.nan)
    with pytest.raises(ValueError, match="kind must be 0 or 1: 2"):
        HawkesPairStream(jumps_per_sec=np.full(4, 0.1), **square).update(2, 0)


def test_nothing_is_allocated_on_the_hot_paths():
    """Ten thousand calls leave the allocator where it was."""
    times, gradient, out = np.arange(1.0, 30.0), np.empty(3), np.empty(29)
    stream = HawkesStream(**named(0.5, 0.5, 1.0))

    def calls():
        for i in range(10_000):
            log_likelihood(times, horizon_secs=30.0, gradient=gradient, **named(0.5, 0.5, 1.0))
            residuals(times, out, **named(0.5, 0.5, 1.0))
            stream.update(stream.last_ns + i)
            stream.intensity_per_sec(stream.last_ns)

    calls()
    before = sys.getallocatedblocks()
    calls()

    assert abs(sys.getallocatedblocks() - before) < 50


def test_the_lock_is_released():
    """Threads compute the same numbers side by side."""
    times = np.load(DATA / "hawkes_events_a.npy")
    results = []

    def work():
        results.append(log_likelihood(times, horizon_secs=5e4, **named(0.6, 1.4, 2.0)))

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert results[0] == results[1]


@pytest.mark.parametrize(
    "module", [hawkes, hawkes_fit, hawkes_stream, hawkes_terms, hawkes_terms_fit]
)
def test_the_examples_run(module):
    """Docstrings show what they say."""
    assert doctest.testmod(module).failed == 0
