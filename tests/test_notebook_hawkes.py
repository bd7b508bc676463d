"""The notebook's Hawkes functions: anything array-like in, frozen results out, recorded markets."""

import doctest

import numpy as np
import pytest

from hypermm._core.rows import SNAPSHOT, TRADE
from hypermm.notebook import cascade, hawkes, hawkes_terms
from hypermm.notebook.cascade import CascadeTable, cascade_severity, worst_severity
from hypermm.notebook.hawkes import (
    distinct_times,
    fit_hawkes,
    hawkes_gradient,
    hawkes_intensity,
    hawkes_ks,
    hawkes_log_likelihood,
    hawkes_marks,
    hawkes_residuals,
    hawkes_stationary,
)
from hypermm.notebook.hawkes_terms import (
    fit_hawkes_pair,
    fit_hawkes_sum,
    hawkes_pair_log_likelihood,
    hawkes_pair_stationary,
    hawkes_sum_log_likelihood,
)
from hypermm.recordings import open_recordings, pieces
from tests.reference import hawkes as reference

MODEL = {"baseline_per_sec": 0.5, "jump_per_sec": 1.2, "decay_per_sec": 2.0}
TIMES = np.array(reference.simulate(np.random.default_rng(1), 1_200, 0.5, 1.2, 2.0))

# Fits of the recorded half hour, made independently by Nelder-Mead from five starts:
# events, mu, alpha, beta, n, half-life, log-likelihood, Poisson's, KS distance.
RECORDED = {
    ("BTC", "all"): (1604, 0.58251, 0.0559, 0.11208, 0.4988, 6.18, -1355.0, -1380.3, 0.062),
    ("BTC", "buy"): (960, 0.41413, 0.05207, 0.12983, 0.4011, 5.34, -1303.8, -1318.9, 0.032),
    ("BTC", "sell"): (733, 0.32167, 0.09733, 0.24947, 0.3901, 2.78, -1176.2, -1204.8, 0.041),
    ("WLFI", "all"): (724, 0.24836, 0.18032, 0.34474, 0.5231, 2.01, -1124.9, -1198.9, 0.034),
    ("WLFI", "buy"): (448, 0.18705, 0.17891, 0.42802, 0.418, 1.62, -909.5, -956.9, 0.05),
}
RECORDED_PAIRS = {
    "BTC": (0.4327, 0.2863, 0.1935, (0.3271, 0.0604, 0.029, 0.4207), 0.4367, -2480.3),
    "WLFI": (0.169, 0.0918, 0.3697, (0.4211, 0.0812, 0.0512, 0.4914), 0.5297, -1607.6),
}


def streams(data_dir, coin):
    """Distinct trade times of the longest piece without a silence, by side, and its length."""
    recording = open_recordings(data_dir / "data" / "hyperliquid" / "2025-09-04")[coin]
    start, end = max(pieces(recording), key=lambda piece: piece[1] - piece[0])
    rows = recording.rows.array
    rows = rows[(rows["kind"] == TRADE) & (rows["flags"] & SNAPSHOT == 0)]
    rows = rows[(rows["exch_ns"] >= start) & (rows["exch_ns"] <= end)]
    sides = {"all": rows, "buy": rows[rows["side"] == 1], "sell": rows[rows["side"] == -1]}
    times = {name: (np.unique(kept["exch_ns"]) - start) / 1e9 for name, kept in sides.items()}
    return times, (end - start) / 1e9


@pytest.mark.parametrize(("coin", "side"), list(RECORDED))
def test_recorded_trades_fit_as_an_independent_search_found(data_dir, coin, side):
    """Every published digit: estimates, likelihoods and goodness of fit."""
    times, horizon = streams(data_dir, coin)

    fit = fit_hawkes(times[side], horizon)

    count, mu, alpha, beta, n, half_life, loglik, poisson, ks = RECORDED[coin, side]
    assert len(times[side]) == count
    assert fit.baseline.value == pytest.approx(mu, abs=2e-5)
    assert fit.jump.value == pytest.approx(alpha, abs=2e-5)
    assert fit.decay.value == pytest.approx(beta, abs=2e-5)
    assert fit.branching.value == pytest.approx(n, abs=1e-4)
    assert fit.half_life_secs == pytest.approx(half_life, abs=0.01)
    assert fit.log_likelihood == pytest.approx(loglik, abs=0.06)
    assert fit.poisson_log_likelihood == pytest.approx(poisson, abs=0.06)
    assert fit.ks.distance == pytest.approx(ks, abs=6e-4)
    assert fit.is_usable


@pytest.mark.parametrize("coin", list(RECORDED_PAIRS))
def test_recorded_sides_excite_mostly_themselves(data_dir, coin):
    """Buys and sells of one block do not excite each other: the same fit only then."""
    times, horizon = streams(data_dir, coin)

    fit = fit_hawkes_pair(times["buy"], times["sell"], horizon, has_one_decay=True)

    buy, sell, beta, branching, radius, loglik = RECORDED_PAIRS[coin]
    assert [one.value for one in fit.baselines] == pytest.approx([buy, sell], abs=1e-4)
    assert fit.decays[0][1].value == pytest.approx(beta, abs=1e-4)
    flat = [one.value for row in fit.branching for one in row]
    assert flat == pytest.approx(branching, abs=1e-4)
    assert fit.spectral_radius == pytest.approx(radius, abs=1e-4)
    assert fit.log_likelihood == pytest.approx(loglik, abs=0.06)


def test_lists_and_columns_are_taken_as_they_come():
    """Lists, integers, strided views and anything with __array__ give the same numbers."""

    class Column:
        def __array__(self, dtype=None, copy=None):
            return np.array([1, 2, 4], dtype=dtype)

    values = {
        hawkes_log_likelihood(times, 5.0, **MODEL)
        for times in ([1, 2, 4], np.array([1, 9, 2, 9, 4])[::2], Column(), (1.0, 2.0, 4.0))
    }

    assert len(values) == 1


def test_outputs_go_where_they_are_asked_to_go():
    """`out` is used and returned; one that does not fit is refused by name."""
    out, three = np.empty(len(TIMES)), np.empty(3)

    assert hawkes_residuals(TIMES, out=out, **MODEL) is out
    assert hawkes_intensity(TIMES, TIMES, out=out, **MODEL) is out
    assert hawkes_gradient(TIMES, TIMES[-1], out=three, **MODEL) is three
    assert cascade_severity([0.5, 0.1, 0.0], out=three) is three
    with pytest.raises(ValueError, match="out must be a writable"):
        hawkes_residuals(TIMES, out=np.empty(3), **MODEL)


def test_a_fit_says_all_there_is_to_say():
    """Estimates with units and errors, goodness of fit, and whether to take it over."""
    fit = fit_hawkes(TIMES, TIMES[-1])

    assert (fit.decay.unit, fit.branching.unit, fit.decay.n) == ("1/s", "1", len(TIMES))
    low, high = fit.branching.interval(3.0)
    assert low < 0.6 < high
    assert fit.log_likelihood > fit.poisson_log_likelihood + 100.0
    assert fit.is_usable
    assert not fit.ks.is_rejected
    assert fit.ks == hawkes_ks(
        hawkes_residuals(
            TIMES,
            baseline_per_sec=fit.baseline.value,
            jump_per_sec=fit.jump.value,
            decay_per_sec=fit.decay.value,
        )
    )


def test_the_simulated_rate_is_the_stationary_mean():
    """Law of large numbers: 20,000 events at mu/(1 - n) a second."""
    times = reference.simulate(np.random.default_rng(2), 20_000, 0.5, 1.2, 2.0)

    mean, _ = hawkes_stationary(**MODEL)

    assert len(times) / times[-1] == pytest.approx(mean, rel=0.06)


def test_the_seen_intensity_is_above_a_level_as_often_as_the_table_says():
    """Half a million grid points of a simulated path against the stationary tail."""
    times = np.array(reference.simulate(np.random.default_rng(3), 100_000, 0.5, 1.2, 2.0))
    grid = np.linspace(50.0, times[-1], 500_000)
    path = hawkes_intensity(times, grid, **MODEL)

    table = CascadeTable(**MODEL)

    for level in (0.8, 1.5, 3.0, 5.0):
        assert np.mean(path > level) == pytest.approx(table.tail(level), rel=0.08)


def test_sums_and_marks():
    """A given decay with marks of mean 1; the sum's likelihood at its fit is the fit's."""
    marks = hawkes_marks(np.random.default_rng(4).lognormal(size=len(TIMES)))
    fit = fit_hawkes_sum(TIMES, TIMES[-1], decays_per_sec=[0.5, 2.0], marks=marks)

    value = hawkes_sum_log_likelihood(
        TIMES,
        TIMES[-1],
        baseline_per_sec=fit.baseline.value,
        jumps_per_sec=[jump.value for jump in fit.jumps],
        decays_per_sec=fit.decays_per_sec,
        marks=marks,
    )

    assert marks.mean() == pytest.approx(1.0, rel=1e-14)
    assert value == pytest.approx(fit.log_likelihood, rel=1e-12)
    assert fit.is_converged
    assert hawkes_marks([]).size == 0
    assert hawkes_marks([1e-200, 1e200], exponent=0.0).tolist() == [1.0, 1.0]


def test_fits_go_live():
    """Streams and the severity table come from the fit, with its parameters."""
    fit, summed = fit_hawkes(TIMES, TIMES[-1]), fit_hawkes_sum(TIMES, TIMES[-1])
    pair = fit_hawkes_pair(TIMES[::2], TIMES[1::2], TIMES[-1])
    streams = (fit.stream(), summed.stream())
    two = pair.stream()

    for stream in streams:
        stream.update(0)
    two.update(1, 0)

    assert streams[0].intensity_per_sec(0) == fit.baseline.value + fit.jump.value
    assert streams[1].intensity_per_sec(0) == pytest.approx(
        summed.baseline.value + sum(jump.value for jump in summed.jumps)
    )
    assert two.intensity_per_sec(0, 0) == pair.baselines[0].value + pair.jumps[0][1].value
    assert fit.cascade_table().severity(fit.baseline.value) == 0.0
    assert not summed.ks.is_rejected


def test_a_simulated_pair_passes_its_own_test():
    """Time change with cross excitation, which two streams by themselves miss."""
    times, kinds = (
        np.array(values)
        for values in reference.simulate_pair(
            np.random.default_rng(5), 3_000.0, (0.2, 0.2), ((0.1, 1.4), (1.4, 0.1)), 2.0
        )
    )

    streams = [times[kinds == kind] for kind in (0, 1)]
    fit = fit_hawkes_pair(*streams, 3_000.0)
    alone = sum(fit_hawkes(one, 3_000.0).log_likelihood for one in streams)

    assert not fit.ks.is_rejected
    assert fit.branching[0][1].value == pytest.approx(0.7, abs=0.1)
    assert fit.log_likelihood > alone + 100.0


def test_pairs_are_merged_in_order():
    """Two streams given apart are the one sequence that the kernel wants."""
    parameters = {
        "baselines_per_sec": [0.5, 0.4],
        "jumps_per_sec": [[0.3, 0.1], [0.2, 0.3]],
        "decays_per_sec": 1.0,
    }

    value = hawkes_pair_log_likelihood([1.0, 2.0], [1.0, 1.5], 3.0, **parameters)
    means, radius = hawkes_pair_stationary(**parameters)

    expected = reference.pair_log_likelihood(
        [1.0, 1.0, 1.5, 2.0],
        [0, 1, 1, 0],
        3.0,
        (0.5, 0.4),
        ((0.3, 0.1), (0.2, 0.3)),
        ((1.0, 1.0), (1.0, 1.0)),
    )
    assert value == pytest.approx(expected, rel=1e-12)
    matrix = np.array(parameters["jumps_per_sec"])
    np.testing.assert_allclose(means, np.linalg.solve(np.eye(2) - matrix, [0.5, 0.4]))
    assert radius == pytest.approx(max(abs(np.linalg.eigvals(matrix))), rel=1e-12)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: hawkes_log_likelihood(["a"], 1.0, **MODEL), "times must hold numbers"),
        (lambda: hawkes_log_likelihood([[1.0]], 1.0, **MODEL), "times must have one dimension"),
        (lambda: hawkes_log_likelihood([2.0, 1.0], 3.0, **MODEL), r"times\[1\] must not be below"),
        (lambda: hawkes_log_likelihood([np.nan], 3.0, **MODEL), r"times\[0\] must be finite"),
        (lambda: hawkes_log_likelihood([4.0], 3.0, **MODEL), "horizon_secs must not be before"),
        (lambda: hawkes_ks([]), "residuals must have at least 1 elements"),
        (lambda: hawkes_ks([-1.0]), r"residuals\[0\] must be >= 0"),
        (lambda: hawkes_marks([0.0]), r"sizes\[0\] must be > 0"),
        (lambda: hawkes_marks([1.0], exponent=-1.0), "exponent must be finite and >= 0"),
        (lambda: distinct_times([2.0, 1.0]), r"times\[1\] must be not below"),
        (lambda: fit_hawkes_pair([2.0, 1.0], [1.0], 3.0), r"first_times\[1\] must be not below"),
        (lambda: cascade_severity([1.5]), r"tail\[0\] must be <= 1: 1.5"),
        (lambda: worst_severity(0.5, 1.5), r"sell_severity must be in \[0, 1\]: 1.5"),
        (
            lambda: hawkes_pair_stationary(
                baselines_per_sec=[1.0, 1.0], jumps_per_sec=[1.0], decays_per_sec=1.0
            ),
            r"jumps_per_sec must be a number or have shape \(2, 2\)",
        ),
    ],
)
def test_wrong_input_is_refused_by_name(call, message):
    """Argument, index and rule."""
    with pytest.raises(ValueError, match=message):
        call()


@pytest.mark.parametrize("module", [cascade, hawkes, hawkes_terms])
def test_the_examples_run(module):
    """Docstrings show what they say."""
    assert doctest.testmod(module).failed == 0
