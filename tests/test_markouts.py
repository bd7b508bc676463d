"""Markouts against the oracle, and the streaming form against the batch form."""

import doctest
from math import isnan, nan

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hypermm import markouts as module
from hypermm.markouts import HORIZONS_SECS, MAX_KEPT, MAX_OPEN, Markouts, markouts, newey_west_se
from hypermm.messages import Fill, Side
from tests.oracle import cases, check

SECOND = 1_000_000_000


def fill(side, price, exch_ns, size=1):
    return Fill(
        trade_id=1,
        oid=1,
        cloid=None,
        side=side,
        price=price,
        size=size,
        fee_usd=0.0,
        exch_ns=exch_ns,
        start_position=0,
        closed_pnl_usd=0.0,
        is_taker=False,
    )


@pytest.mark.parametrize("case", cases("markouts"))
def test_the_figures_meet_the_oracle(case):
    """Mean, size-weighted mean, error, capture and edge of made paths to nine digits."""
    inputs = case["inputs"]
    arrays = [np.array(inputs[key]) for key in ("t_mid", "mid", "t", "side", "price", "size")]

    results = [
        markouts(*arrays, horizon_secs=horizon, lags=inputs["lags"])
        for horizon in inputs["horizons"]
    ]

    check(case, "n_used", [one.n for one in results])
    check(case, "markout_bps", [one.mean_bps for one in results])
    check(case, "markout_bps_sizew", [one.sized_mean_bps for one in results])
    check(case, "se_hac_bps", [one.se_bps for one in results])
    check(case, "capture_bps", [one.capture_bps for one in results])
    check(case, "net_edge_bps", [one.edge_bps for one in results])


STEPS = st.lists(
    st.tuples(st.integers(1, 3_000), st.integers(-5, 5), st.sampled_from([0, 1, -1])),
    min_size=2,
    max_size=60,
)


@given(STEPS)
def test_the_stream_gives_the_same_as_the_batch(steps):
    """What the engine reports live is what a notebook finds on the recording afterwards."""
    stream = Markouts()
    ns, mid, path, fills = SECOND, 10_000.0, [], []
    for step_ms, move, side in steps:
        ns += step_ms * 1_000_000
        if side and path:
            stream.open(fill(Side(side), 9_990, ns, size=step_ms), path[-1][1], ns)
            fills.append((ns, side, step_ms, path[-1][1]))
        mid += move
        stream.advance(mid, ns)
        path.append((ns, mid))

    for summary in stream.summary():
        horizon = round(summary.horizon_secs * SECOND)
        used = [one for one in fills if one[0] + horizon < ns]
        moves = []
        for start, side, _, before in used:
            later = [value for stamp, value in path if stamp <= start + horizon][-1]
            moves.append(-side * (later - before) / before * 1e4)
        assert summary.n == len(used)
        if used:
            assert summary.mean_bps == pytest.approx(np.mean(moves), abs=1e-9)


def test_a_loss_is_positive_and_capture_less_markout_is_what_is_left():
    """We buy 1 under the mid, the mid falls by 3: capture 1, markout 3, edge -2 (in bps)."""
    stream = Markouts()

    stream.open(fill(Side.BUY, 9_999, 10 * SECOND), 10_000.0, 10 * SECOND)
    for second in range(10, 80):
        stream.advance(9_997.0, second * SECOND)

    for one in stream.summary():
        assert one.n == 1
        assert one.mean_bps == pytest.approx(3.0)
        assert one.capture_bps == pytest.approx(1.0)
        assert one.edge_bps == pytest.approx(-2.0)
        assert isnan(one.se_bps)


def test_no_markout_crosses_a_silence():
    """A mid that is older than five seconds says nothing about the horizon."""
    stream = Markouts()
    stream.advance(100.0, 10 * SECOND)
    stream.open(fill(Side.SELL, 101, 10 * SECOND), 100.0, 10 * SECOND)

    stream.advance(100.0, 30 * SECOND)

    assert [one.n for one in stream.summary()] == [0, 0, 0, 0, 0]
    assert stream.dropped == 3
    assert stream.open_count == 1


def test_fills_without_a_mid_or_heard_of_too_late_are_given_up():
    """A fill found by a later read has horizons that are gone; they are counted, not guessed."""
    stream = Markouts()
    stream.advance(100.0, 20 * SECOND)

    stream.open(fill(Side.BUY, 99, 18 * SECOND), nan, 18 * SECOND)
    stream.open(fill(Side.BUY, 99, 18 * SECOND), 100.0, 18 * SECOND)

    assert stream.dropped == len(HORIZONS_SECS) + 2
    assert stream.open_count == 1


def test_a_horizon_without_a_quotable_book_is_given_up():
    """No mid from one side."""
    stream = Markouts()
    stream.open(fill(Side.BUY, 99, SECOND), 100.0, SECOND)

    stream.advance(nan, SECOND)
    stream.advance(100.0, 2 * SECOND)

    assert stream.summary()[0].n == 0
    assert stream.dropped == 1


def test_both_memories_are_bounded():
    """A flood of fills costs a constant."""
    stream = Markouts()
    for i in range(MAX_OPEN + 10):
        stream.open(fill(Side.BUY, 99, SECOND + i), 100.0, SECOND + i)

    assert stream.open_count == MAX_OPEN
    assert stream.dropped == 10 * len(HORIZONS_SECS)
    for round_no in range(4):
        start = (2 + round_no) * SECOND
        for i in range(MAX_OPEN):
            stream.open(fill(Side.BUY, 99, start + i), 100.0, start + i)
        stream.advance(100.0, start)
        stream.advance(100.0, start + SECOND - 1)
    assert stream.summary()[0].n == MAX_KEPT


def test_correlated_values_have_a_larger_error():
    """Fills cluster; an error that took them as independent would trust too few of them."""
    values = np.repeat(np.random.default_rng(1).normal(size=100), 10)

    assert newey_west_se(values, 20) > 2.0 * newey_west_se(values, 0)


def test_a_fill_before_the_path_is_refused():
    """There is no mid to measure from."""
    one = np.array([1.0])

    with pytest.raises(ValueError, match="must start"):
        markouts(one + 5, one, one, np.array([1]), one, one, horizon_secs=1.0, lags=0)


def test_the_examples_run():
    """Examples of docstrings are code."""
    assert doctest.testmod(module).failed == 0
