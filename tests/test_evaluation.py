"""Sharpe ratios, overfitting and the split of a profit: oracle, twin, and what must hold."""

import doctest
from fractions import Fraction
from math import inf, isnan, nan, sqrt

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hypermm.notebook import evaluation, profit
from hypermm.notebook.evaluation import (
    deflated_sharpe,
    deflated_sharpe_threshold,
    overfitting_probability,
    probabilistic_sharpe,
    sharpe_ratio,
)
from hypermm.notebook.profit import split_profit
from tests.oracle import cases, check
from tests.reference import evaluation as reference

RETURNS = st.lists(st.floats(-1.0, 1.0).map(lambda x: round(x, 4)), min_size=3, max_size=40)


@pytest.mark.parametrize("case", cases("eval_sharpe"))
def test_sharpe_ratios_meet_the_oracle(case):
    """Per period and per year, with errors, and deflated for the trials."""
    inputs = case["inputs"]
    trials = {"trials": inputs["n_trials"], "trials_variance": inputs["var_trials"]}

    ratio = sharpe_ratio(inputs["r"], lags=inputs["lags"])

    check(case, "sr", ratio.value)
    check(case, "sr_annual_iid", ratio.annual(inputs["q"], lags=0))
    check(case, "sr_annual_lo", ratio.annual(inputs["q"]))
    check(case, "se_iid", ratio.standard_error_normal)
    check(case, "se_nonnormal", ratio.standard_error)
    check(case, "skew", ratio.skewness)
    check(case, "kurt", ratio.kurtosis)
    check(case, "psr", probabilistic_sharpe(ratio, least=inputs["sr0"]))
    check(case, "dsr_threshold", deflated_sharpe_threshold(*trials.values()))
    check(case, "dsr", deflated_sharpe(ratio, **trials))


@given(RETURNS, st.integers(-300, 300))
def test_the_unit_of_the_returns_does_not_matter(returns, exponent):
    """Dollars or bps, 1e-90 or 1e90: the ratio has no unit."""
    plain = sharpe_ratio(returns, lags=2)
    scaled = sharpe_ratio(np.array(returns) * 2.0**exponent, lags=2)

    assert repr(scaled) == repr(plain)


def test_the_standard_error_is_the_spread_of_the_ratios():
    """Three thousand skewed series of 200 returns."""
    random = np.random.default_rng(1)

    found = [sharpe_ratio(random.exponential(size=200) - 0.8) for _ in range(3000)]

    errors = np.sqrt(np.mean([one.standard_error**2 for one in found]))
    assert np.std([one.value for one in found]) == pytest.approx(errors, rel=0.05)
    normal = np.mean([one.standard_error_normal for one in found])
    assert normal > 1.1 * errors  # skewed to the right: the plain error is too large


def test_autocorrelated_profit_is_not_worth_the_square_root():
    """A P&L that repeats itself looks better per period than it is per year."""
    random, x = np.random.default_rng(2), [0.0]
    for shock in random.normal(size=20_000):
        x.append(0.5 * x[-1] + shock)
    ratio = sharpe_ratio(np.array(x) + 0.1, lags=20)

    # A sum of q steps has the variance of 1/(1-0.5)^2 of independent ones, so a third of 3.
    naive, honest = ratio.annual(365.0, lags=0), ratio.annual(365.0)

    assert honest / naive == pytest.approx(sqrt(0.75) / 1.5, rel=0.05)


def test_returns_that_do_not_vary_have_no_ratio():
    """NaN is not a good result."""
    for value in (0.0, 0.1, -1e-200):
        ratio = sharpe_ratio([value] * 7, lags=1)
        assert isnan(ratio.value)
        assert isnan(ratio.standard_error)
        assert isnan(probabilistic_sharpe(ratio))


@given(st.integers(1, 10**15), st.floats(0.0, 10.0))
def test_more_trials_raise_the_bar(trials, variance):
    """Without end, and without losing its digits where 1 - 1/N is 1."""
    bar = deflated_sharpe_threshold(trials, variance)

    assert bar <= deflated_sharpe_threshold(trials * 10, variance)
    assert 0.0 <= bar < 10.0 * sqrt(variance) + 1e-12


def test_the_bar_is_the_expected_best_of_worthless_trials():
    """Fifty thousand times the best of 50 normal draws."""
    best = np.random.default_rng(3).normal(size=(50_000, 50)).max(axis=1).mean()

    assert deflated_sharpe_threshold(50, 1.0) == pytest.approx(best, rel=0.02)


@pytest.mark.parametrize("case", cases("eval_pbo"))
def test_overfitting_meets_the_oracle(case):
    """Twenty splits of a few configurations."""
    found = overfitting_probability(case["inputs"]["R"], blocks=case["inputs"]["S"])

    check(case, "n_combinations", found.splits)
    check(case, "pbo", found.probability.value)
    check(case, "mean_logit", found.mean_logit)
    check(case, "slope", found.slope)


@pytest.mark.parametrize("offset", [0.0, 1000.0])
@pytest.mark.parametrize(("blocks", "columns", "seed"), [(2, 2, 1), (4, 5, 2), (8, 3, 3)])
def test_overfitting_agrees_with_its_reference(blocks, columns, seed, offset):
    """Split by split; a mean far from 0 costs no digits, and equal columns share their rank."""
    returns = np.random.default_rng(seed).normal(size=(blocks * 5, columns)) + offset
    returns = np.column_stack([returns, returns[:, 0]])

    found = overfitting_probability(returns, blocks=blocks)

    probability, logit = reference.overfitting(returns.tolist(), blocks)
    assert found.probability.value == pytest.approx(probability)
    assert found.mean_logit == pytest.approx(logit, abs=1e-9)


def test_a_configuration_that_is_better_is_not_overfitted():
    """One column earns, nine are noise; and a column that never trades is never chosen."""
    returns = np.random.default_rng(4).normal(size=(320, 10))
    returns[:, 3] += 1.0
    returns[:, 7] = 0.0

    found = overfitting_probability(returns, blocks=16)

    assert found.splits == 12_870
    assert found.probability.value == 0.0
    assert found.mean_logit > 1.0


@pytest.mark.parametrize("case", cases("eval_pnl"))
def test_the_split_of_a_profit_meets_the_oracle(case):
    """Each part, the sum, and the position at the end."""
    inputs = case["inputs"]

    split = split_profit(
        inputs["t_mid"],
        inputs["mid"],
        inputs["t"],
        inputs["signed_size"],
        inputs["price"],
        inputs["fee"],
        horizon_secs=inputs["h"],
        funding_paid=inputs["funding"],
        position=inputs["q0"],
    )

    check(case, "spread", split.spread)
    check(case, "adverse_h", split.adverse)
    check(case, "inventory_rest", split.inventory)
    check(case, "fees", split.fees)
    check(case, "funding", split.funding)
    check(case, "total", split.total)
    check(case, "q_end", split.position)


FILLS = st.lists(
    st.tuples(
        st.integers(0, 100), st.integers(-500, 500), st.integers(1, 10**6), st.integers(-99, 99)
    ),
    max_size=20,
).map(lambda fills: sorted(fills, key=lambda fill: fill[0]))
MIDS = st.lists(st.tuples(st.integers(0, 99), st.integers(1, 10**6)), max_size=20).map(
    lambda mids: [(0, 1000), *sorted(mids, key=lambda mid: mid[0]), (100, 990)]
)


@given(MIDS, FILLS, st.integers(0, 120), st.integers(-1000, 1000))
def test_the_parts_sum_to_the_profit(mids, fills, horizon, position):
    """Within 1e-9 of turnover, as cash and position say in whole numbers."""
    times, path = zip(*mids, strict=True)
    secs, sizes, prices, fees = zip(*fills, strict=True) if fills else ((), (), (), ())

    split = split_profit(
        times,
        path,
        secs,
        sizes,
        prices,
        fees,
        horizon_secs=horizon,
        funding_paid=[3, -1],
        position=position,
    )

    cash = -sum(v * p for v, p in zip(sizes, prices, strict=True)) - sum(fees) - 2
    exact = Fraction(cash) + (position + sum(sizes)) * path[-1] - position * path[0]
    parts = split.spread + split.adverse + split.inventory + split.fees + split.funding
    slack = 1e-9 * (split.turnover + abs(position) * max(path)) + 1e-9
    assert split.total == pytest.approx(float(exact), abs=slack)
    assert parts == pytest.approx(split.total, abs=slack)
    assert split.position == position + sum(sizes)


def test_without_fills_only_the_position_earns():
    """Empty is a day without fills, not an error."""
    split = split_profit([0.0, 1.0], [100.0, 101.0], [], [], [], [], horizon_secs=1.0, position=2.0)

    assert (split.total, split.inventory, split.spread) == (2.0, 2.0, 0.0)


ONE = [0.0, 9.0], [100.0, 100.0], [1.0], [1.0], [100.0], [0.0]


def changed(place, value):
    arguments = list(ONE)
    arguments[place] = value
    return lambda: split_profit(*arguments, horizon_secs=1.0)


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda: sharpe_ratio([1.0]), "returns must have at least 2"),
        (lambda: sharpe_ratio([1.0, nan]), r"returns\[1\] must be finite"),
        (lambda: sharpe_ratio([1.0, 2.0], lags=2), "lags must lie in 0 to 1"),
        (lambda: sharpe_ratio(["a", "b"]), "returns must hold numbers"),
        (lambda: sharpe_ratio([[1.0], [2.0]]), "one dimension"),
        (lambda: sharpe_ratio([1.0, 2.0]).annual(0.5), "periods_per_year"),
        (lambda: sharpe_ratio([1.0, 2.0]).annual(365.0, lags=1), "lags must lie in 0 to 0"),
        (lambda: probabilistic_sharpe(sharpe_ratio([1.0, 2.0]), least=nan), "least"),
        (lambda: deflated_sharpe_threshold(0, 1.0), "trials must be >= 1"),
        (lambda: deflated_sharpe_threshold(5, -1.0), "trials_variance"),
        (lambda: overfitting_probability(np.ones((8, 1)), blocks=4), "2 columns"),
        (lambda: overfitting_probability(np.ones(8), blocks=4), "2 columns"),
        (lambda: overfitting_probability(np.ones((8, 2)), blocks=3), "blocks must be even"),
        (lambda: overfitting_probability(np.ones((8, 2)), blocks=22), "blocks must be even"),
        (lambda: overfitting_probability(np.ones((9, 2)), blocks=4), "multiple of 4"),
        (lambda: overfitting_probability(np.ones((2, 2)), blocks=2), "at least 4"),
        (lambda: overfitting_probability([[1.0, inf]] * 4, blocks=4), r"returns\[0, 1\]"),
        (changed(0, [9.0, 0.0]), r"mid_secs\[1\]"),
        (changed(0, []), "mid_secs"),
        (changed(1, [100.0]), "mids must have length 2"),
        (changed(1, [100.0, 0.0]), r"mids\[1\] must be > 0"),
        (changed(2, [10.0]), r"secs\[0\] must lie inside"),
        (changed(2, [-1.0]), r"secs\[0\] must lie inside"),
        (changed(3, [nan]), r"signed_sizes\[0\]"),
        (changed(4, [-1.0]), r"prices\[0\]"),
        (changed(5, []), "fees must have length 1"),
        (lambda: split_profit(*ONE, horizon_secs=-1.0), "horizon_secs"),
        (lambda: split_profit(*ONE, horizon_secs=1.0, position=inf), "position"),
        (lambda: split_profit(*ONE, horizon_secs=1.0, funding_paid=[nan]), r"funding_paid\[0\]"),
    ],
)
def test_values_outside_their_domain_are_refused(call, text):
    """Each refusal names the argument, the index and the rule."""
    with pytest.raises(ValueError, match=text):
        call()


def test_the_examples_run():
    """Examples of docstrings are code."""
    assert doctest.testmod(evaluation).failed == 0
    assert doctest.testmod(profit).failed == 0
