"""Adverse selection for notebooks: the functions over the kernels."""

import doctest
from math import isnan, nan

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hypermm.notebook import adverse_selection as module
from hypermm.notebook._arrays import Estimate
from hypermm.notebook.adverse_selection import (
    fit_markout_depth,
    markout_bins,
    measure_markouts,
    newey_west_mean,
    shrink_markout,
)
from tests.oracle import cases, check

ONE = [1.0]


def test_the_examples_run():
    """Examples of docstrings are code."""
    assert doctest.testmod(module).failed == 0


@pytest.mark.parametrize("case", cases("markouts"))
def test_markouts_meet_the_oracle(case):
    """From the oracle's own lists, all horizons in one call."""
    i = case["inputs"]

    results = measure_markouts(
        *(i[key] for key in ("t_mid", "mid", "t", "side", "price", "size")),
        horizons_secs=i["horizons"],
        lags=i["lags"],
    )

    check(case, "h", [one.horizon_secs for one in results])
    check(case, "n_used", [one.markout.n for one in results])
    check(case, "markout_bps", [one.markout.value for one in results])
    check(case, "se_hac_bps", [one.markout.standard_error for one in results])
    check(case, "markout_bps_sizew", [one.sized_markout_bps for one in results])
    check(case, "capture_bps", [one.capture_bps for one in results])
    check(case, "net_edge_bps", [one.edge_bps for one in results])


def test_the_lags_are_chosen_by_the_overlap():
    """A hundred fills in a second overlap at a horizon of a minute: all lags count."""
    times = np.arange(0.0, 200.0)
    mids = 100.0 + np.sin(times)
    fills = np.linspace(50.0, 51.0, 100)
    made = (times, mids, fills, np.ones(100), np.full(100, 99.0), np.ones(100))

    chosen = measure_markouts(*made, horizons_secs=[0.0, 60.0])
    few, many = (measure_markouts(*made, horizons_secs=[0.0, 60.0], lags=n) for n in (13, 50))

    assert chosen[0].markout.standard_error == few[0].markout.standard_error
    assert chosen[1].markout.standard_error == many[1].markout.standard_error


def test_no_fills_give_no_figures():
    """And a horizon beyond the end of the data none either."""
    empty = measure_markouts([0.0], [1.0], [], [], [], [])
    beyond = measure_markouts([0.0], [1.0], [0.0], [1], [1.0], [1.0], horizons_secs=[1e9])

    assert [one.markout.n for one in (*empty, *beyond)] == [0] * 6
    assert all(isnan(one.markout.value) and isnan(one.edge_bps) for one in (*empty, *beyond))


def test_a_markout_that_may_be_nothing_is_shrunk():
    """One whose interval leaves 0 out is taken as it is."""
    assert shrink_markout(Estimate(3.0, 1.0, 10, "bps")) == 3.0
    assert shrink_markout(Estimate(-3.0, 1.0, 10, "bps")) == -3.0
    assert shrink_markout(Estimate(1.0, 1.0, 50, "bps"), prior_bps=2.0) == 1.5
    assert shrink_markout(Estimate(1.0, nan, 1, "bps"), prior_fills=0.0) == 1.0
    assert shrink_markout(Estimate(nan, nan, 0, "bps"), prior_bps=0.7) == 0.7


@given(st.floats(0.01, 50.0), st.floats(0.01, 5.0), st.floats(-5.0, 5.0))
def test_the_least_depth_is_where_a_fill_earns_its_cost(level, decay, cost):
    """d - AS(d) - c = 0 there, and beyond it a gain."""
    depths = np.linspace(0.0, 2.0 / decay, 20)
    fit = fit_markout_depth(depths, level * np.exp(-decay * depths))

    depth = fit.least_depth_bps(cost)

    assert depth - fit.at(depth) - cost == pytest.approx(0.0, abs=1e-9 * (1.0 + level))
    assert depth + 1.0 - fit.at(depth + 1.0) - cost > 0.0


def test_a_gain_is_not_counted_on():
    """Negative adverse selection: the fee alone bounds the depth."""
    fit = fit_markout_depth([1.0, 2.0, 3.0], [-3.0, -2.0, -1.0])

    assert fit.is_decaying
    assert fit.least_depth_bps(1.5) == 1.5


def test_sweeps_make_markouts_grow_with_depth():
    """The slope says so, and the curve is not used."""
    fit = fit_markout_depth([1.0, 2.0, 3.0, 4.0], [1.0, 2.1, 2.9, 4.0])

    assert not fit.is_decaying
    assert fit.slope.interval()[0] > 0.0
    assert fit.at(10.0) == fit.markout.value == pytest.approx(2.5)


def test_bins_lean_on_the_mean_of_all():
    """An empty bin is that mean, a full one its own."""
    rng = np.random.default_rng(1)
    depths = np.concatenate([np.full(5_000, 1.0), np.full(2, 5.0)])
    moves = np.concatenate([rng.normal(2.0, 1.0, 5_000), [10.0, 12.0]])

    near, far, none = markout_bins(depths, moves, edges_bps=[0.0, 4.0, 8.0, 12.0])

    assert near.value == pytest.approx(2.0, abs=0.05)
    assert far.value == pytest.approx((2 * 11.0 + 50 * moves.mean()) / 52)
    assert (none.value, none.n) == (moves.mean(), 0)
    assert isnan(none.standard_error)


@pytest.mark.parametrize(
    ("call", "match"),
    [
        (lambda: measure_markouts([], [], [], [], [], []), "mid_secs must have at least 1"),
        (lambda: measure_markouts([0, 1], ONE, ONE, ONE, ONE, ONE), "mids must have length 2"),
        (lambda: measure_markouts([0], ONE, ONE, [2], ONE, ONE), r"sides\[0\] must be 1 or -1"),
        (lambda: measure_markouts([0], ONE, ONE, ONE, ONE, [1, 1]), "sizes must have length 1"),
        (lambda: measure_markouts([0], ONE, ONE, ONE, ONE, [-1]), r"sizes\[0\] must be >= 0"),
        (lambda: measure_markouts([0], [0], ONE, ONE, ONE, ONE), r"mids\[0\] must be > 0"),
        (lambda: measure_markouts([5], ONE, ONE, ONE, ONE, ONE), "mid_secs must start before"),
        (lambda: measure_markouts([0], ONE, [1, 0], [1, 1], [1, 1], [1, 1]), r"fill_secs\[1\]"),
        (lambda: measure_markouts([0], ONE, ONE, ONE, ONE, ONE, horizons_secs=[-1.0]),
         r"horizons_secs\[0\] must be"),
        (lambda: measure_markouts([0], ONE, ONE, ONE, ONE, ONE, lags=-1), "lags must be >= 0"),
        (lambda: newey_west_mean([nan], lags=0), r"values\[0\]"),
        (lambda: shrink_markout(Estimate(1, 1, 1, ""), prior_fills=-1), "prior_fills must be"),
        (lambda: fit_markout_depth([1, 2], [1, 2]), "depths_bps must have at least 3"),
        (lambda: fit_markout_depth([1, 2, 3], [1, 2]), "must have length 3"),
        (lambda: fit_markout_depth([1, 2, 3], [1, 2, 3], [1, 0, 1]), r"weights\[1\] must be > 0"),
        (lambda: fit_markout_depth([1, 2, 3], [3, 2, 1]).least_depth_bps(nan), "cost_bps must"),
        (lambda: markout_bins(ONE, ONE, edges_bps=[1]), "edges_bps must have at least 2"),
        (lambda: markout_bins(ONE, ONE, edges_bps=[2, 1]), r"edges_bps\[1\]"),
        (lambda: markout_bins(ONE, [1, 2], edges_bps=[0, 1]), "markouts_bps must have length 1"),
    ],
)  # fmt: skip
def test_values_outside_their_domain_are_refused(call, match):
    """Each text names argument, index and rule."""
    with pytest.raises(ValueError, match=match):
        call()
