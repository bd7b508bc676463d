"""Imbalance, simple prices and Stoikov's microprice against oracle, twin and properties."""

import doctest
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hypermm._core import microprice as module
from hypermm._core import stoikov as stoikov_module
from hypermm._core.microprice import (
    FlowImbalance,
    book_imbalances,
    flow_imbalances,
    microprices,
    weighted_mids,
)
from hypermm._core.stoikov import count_transitions, solve_microprice
from tests.oracle import cases, check
from tests.reference import microprice as reference

SIZE = st.floats(0.0, 1e9)


def solve(q, t, r, k, *, subtract_drift=False):
    """Call the kernel with fresh memory."""
    q, t, r, k = (np.ascontiguousarray(a, dtype=float) for a in (q, t, r, k))
    n = len(q)
    out = [np.full(n, np.nan) for _ in range(3)]
    drift = solve_microprice(
        q, t, r, k, np.empty((2 * n + 2, n)), np.empty(n, np.intp), *out,
        subtract_drift=subtract_drift,
    )  # fmt: skip
    return *out, drift


@pytest.mark.parametrize("case", cases("microprice_simple"))
def test_simple_prices_meet_the_oracle(case):
    """Imbalances, weighted mid and the linear rule to fourteen digits."""
    i, out = case["inputs"], np.empty(1)
    one = {key: np.array([i[key]]) for key in ("bid", "ask", "buy_vol", "sell_vol")}
    bids, asks = np.array([i["bid_sz"]]), np.array([i["ask_sz"]])

    book_imbalances(bids, asks, out, decay=i["decay"])
    check(case, "I_book", out[0])
    book = out.copy()
    flow_imbalances(one["buy_vol"], one["sell_vol"], out)
    check(case, "I_flow", out[0])
    flow = out.copy()
    weighted_mids(one["bid"], one["ask"], bids[:, 0].copy(), asks[:, 0].copy(), out)
    check(case, "wmid", out[0])
    mid = 0.5 * (one["bid"] + one["ask"])
    check(case, "mid", mid[0])
    microprices(mid, book, flow, out, beta_book=i["beta_book"], beta_flow=i["beta_flow"])
    check(case, "sop", out[0])


@pytest.mark.parametrize("case", cases("microprice_stoikov"))
def test_stoikovs_microprice_meets_the_oracle(case):
    """First move, stationary law, total move, and three terms of its sum."""
    i, n = case["inputs"], len(case["inputs"]["Q"])

    first, stationary, total, drift = solve(i["Q"], i["T"], i["R"], i["K"])

    check(case, "G1", first)
    check(case, "stationary", stationary)
    check(case, "drift", drift)
    check(case, "Gstar", total)
    r, t = np.array(i["R"]), np.array(i["T"])
    q = np.array(i["Q"]) / np.sum(i["Q"], axis=1, keepdims=True)
    q *= 1.0 - r.sum(axis=1, keepdims=True)
    onward = np.linalg.solve(
        np.eye(n) - q, t / t.sum(axis=1, keepdims=True) * r.sum(axis=1, keepdims=True)
    )
    check(case, "G3", first + onward @ first + onward @ onward @ first)


def chain(rng, n, rare=1.0):
    """A symmetric chain on n states whose moves are `rare`."""
    q, t, r = rng.random((n, n)), rng.random((n, n)), rng.random((n, 4)) * rare
    return [0.5 * (a + a[::-1, ::-1]) for a in (q, t, r / 4.0)] + [np.array([-1.0, -0.5, 0.5, 1.0])]


@pytest.mark.parametrize("n", [1, 2, 7, 40])
@pytest.mark.parametrize("rare", [1.0, 1e-12])
def test_the_total_move_is_the_limit_of_its_sum(n, rare):
    """G* = G1 + B G*, w'G* = 0, and the mirrored state goes the other way.

    With moves of probability 1e-12 a solver that forms I - Q keeps four digits.
    """
    q, t, r, k = chain(np.random.default_rng(n), n, rare)

    first, stationary, total, _ = solve(q, t, r, k)

    moved = r.sum(axis=1)
    # The first move solves sum_j q_ij (G_i - G_j) + moved_i G_i = (RK)_i: no difference from 1.
    stay = q / q.sum(axis=1, keepdims=True) * (1.0 - moved)[:, None]
    rest = moved * first + stay.sum(axis=1) * first - stay @ first
    assert np.abs(rest - r @ k).max() <= 1e-13 * (moved.max() + np.abs(first).max())
    assert np.abs(total + total[::-1]).max() <= 1e-14
    assert abs(stationary @ total) <= 1e-15
    assert stationary.sum() == pytest.approx(1.0, rel=1e-14)


def test_a_move_that_is_rare_does_not_change_its_expectation():
    """Time does not matter, only order: the same result when everything takes longer."""
    q, t, r, k = chain(np.random.default_rng(3), 6)
    q = np.ones_like(q)

    _, _, often, _ = solve(q, t, r / r.sum(axis=1, keepdims=True), k)
    _, _, rarely, _ = solve(np.eye(6), t, 1e-12 * r / r.sum(axis=1, keepdims=True), k)

    np.testing.assert_allclose(rarely, often, rtol=1e-12, atol=1e-15)


def test_a_drift_is_refused_and_never_subtracted_silently():
    """The sum over all future moves has no limit then."""
    q, t, r, k = chain(np.random.default_rng(4), 5)
    r[:, 3] += 0.05

    with pytest.raises(ValueError, match="symmetrise"):
        solve(q, t, r, k)
    first, stationary, total, drift = solve(q, t, r, k, subtract_drift=True)

    assert drift == pytest.approx(stationary @ first)
    assert drift > 0.01
    assert abs(stationary @ total) < 1e-13


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"q": [[0.5, -0.1], [0.5, 0.5]]}, r"stay\[0, 1\] must lie in \[0, 1\]"),
        ({"q": [[0.5, np.nan], [0.5, 0.5]]}, r"stay\[0, 1\]"),
        ({"r": [[0.5, 0.6], [0.3, 0.3]]}, r"size\[0\] must sum to at most 1"),
        ({"t": [[0.0, 0.0], [0.3, 0.3]]}, r"move\[0\] must lead somewhere"),
        ({"q": [[0.0, 0.0], [0.3, 0.3]]}, r"stay\[0\] must lead somewhere"),
        ({"q": np.eye(2), "t": np.eye(2)}, r"move\[\d\] must lead to the other states"),
        ({"r": np.zeros((2, 2))}, r"size\[\d\] must lead to a move"),
        ({"k": [-1.0, np.inf]}, r"moves\[1\] must be finite"),
        ({"k": [-1.0]}, r"size must have shape \(2, 1\)"),
        ({"t": np.ones((3, 3))}, r"move must have shape \(2, 2\)"),
    ],
)
def test_chains_that_have_no_answer_are_refused(change, match):
    """Each says which row breaks which rule."""
    given = {"q": np.full((2, 2), 0.3), "t": np.full((2, 2), 0.2), "r": np.full((2, 2), 0.2),
                 "k": [-1.0, 1.0]}  # fmt: skip

    with pytest.raises(ValueError, match=match):
        solve(**{**given, **change})


def test_transitions_are_counted_with_their_mirror_images():
    """Up with bids in excess is down with asks in excess."""
    stay, move, size = np.zeros((4, 4)), np.zeros((4, 4)), np.zeros((4, 5))
    states, moves = np.array([1, 3, 0], np.intp), np.array([9, 0, 2], np.intp)

    count_transitions(states, moves, stay, move, size, imbalance_buckets=2)

    assert stay[1, 3] == stay[0, 2] == 1.0
    assert move[3, 0] == move[2, 1] == 1.0
    assert size[3, 4] == size[2, 0] == 1.0
    assert stay.sum() == move.sum() == size.sum() == 2.0


@given(st.lists(st.tuples(SIZE, SIZE), min_size=1, max_size=6), st.floats(0.01, 1.0))
def test_the_book_agrees_with_its_reference(levels, decay):
    """Any sizes, any decay."""
    bids, asks = np.array([[b for b, _ in levels]]), np.array([[a for _, a in levels]])
    out = np.empty(1)

    book_imbalances(bids, asks, out, decay=decay)

    expected = reference.book_imbalance(bids[0].tolist(), asks[0].tolist(), decay)
    assert out[0] == pytest.approx(expected, rel=1e-12, abs=1e-12)
    assert -1.0 <= out[0] <= 1.0


@given(st.floats(1e-6, 1e6), st.floats(0.0, 1.0), st.floats(1e-9, 1e9), st.floats(1e-9, 1e9))
def test_the_weighted_mid_lies_between_the_quotes(bid, spread, bid_size, ask_size):
    """And on the side of the smaller size."""
    ask, out = bid * (1.0 + spread), np.empty(1)

    weighted_mids(*(np.array([v]) for v in (bid, ask, bid_size, ask_size)), out)

    assert bid * (1 - 1e-15) <= out[0] <= ask * (1 + 1e-15)
    expected = reference.weighted_mid(bid, ask, bid_size, ask_size)
    assert out[0] == pytest.approx(expected, rel=1e-13)


def test_empty_books_one_side_and_no_rows_have_a_value():
    """Nothing displayed is no imbalance, one side only is all of it."""
    out = np.empty(3)

    book_imbalances(np.array([[0.0], [1e-300], [0.0]]), np.array([[0.0], [0.0], [1e150]]), out)
    book_imbalances(np.empty((0, 0)), np.empty((0, 0)), np.empty(0))
    weighted_mids(*(np.empty(0) for _ in range(5)))

    assert out.tolist() == [0.0, 1.0, -1.0]


def test_a_flow_decays_and_forgets_nothing_by_halves():
    """Both sides fade alike, so that the imbalance stands until new trades come."""
    flow = FlowImbalance(decay_secs=10.0)
    assert flow.value == 0.0

    flow.update(3.0)
    flow.update(-1.0)
    flow.advance(10.0)

    assert flow.value == 0.5
    assert flow.buys == pytest.approx(3.0 / np.e)
    flow.update(-100.0)
    assert flow.value < -0.9
    flow.advance(1e9)
    assert flow.value == 0.0


def arrays(*values):
    return [np.array(v, dtype=float) for v in values]


@pytest.mark.parametrize(
    ("call", "match"),
    [
        (lambda: book_imbalances(*arrays([[1, -1]], [[1, 1]], [0])), r"bid_sizes\[0, 1\]"),
        (lambda: book_imbalances(*arrays([[1]], [[np.nan]], [0])), r"ask_sizes\[0, 0\]"),
        (lambda: book_imbalances(*arrays([[1]], [[1], [1]], [0])), "ask_sizes must have length"),
        (lambda: book_imbalances(*arrays([[1]], [[1]], [0, 0])), "out must have length 1"),
        (lambda: book_imbalances(*arrays([[1]], [[1]], [0]), decay=0.0), "decay must lie"),
        (lambda: flow_imbalances(*arrays([1], [-1], [0])), r"sells\[0\] must be >= 0"),
        (lambda: flow_imbalances(*arrays([np.inf], [1], [0])), r"buys\[0\]"),
        (lambda: weighted_mids(*arrays([2], [1], [1], [1], [0])), r"asks\[0\] must be >= bids"),
        (lambda: weighted_mids(*arrays([1], [2], [1], [-1], [0])), r"ask_sizes\[0\]"),
        (lambda: microprices(*arrays([1], [2], [0], [0]), beta_book=1.0, beta_flow=0.0),
         r"book_imbalance\[0\] must lie in \[-1, 1\]"),
        (lambda: microprices(*arrays([1], [0], [0], [0]), beta_book=np.nan, beta_flow=0.0),
         "must be finite"),
        (lambda: FlowImbalance(decay_secs=0.0), "decay_secs must be > 0"),
        (lambda: FlowImbalance(decay_secs=1.0).update(np.nan), "signed_size must be finite"),
        (lambda: FlowImbalance(decay_secs=1.0).advance(-1.0), "secs must be >= 0"),
    ],
)  # fmt: skip
def test_values_outside_their_domain_are_refused(call, match):
    """The door names argument, index and rule."""
    with pytest.raises(ValueError, match=match):
        call()


def test_read_only_outputs_and_other_types_are_refused():
    """The room writes on the caller's memory and reads doubles only."""
    one, out = np.ones(1), np.ones(1)
    out.flags.writeable = False

    with pytest.raises(ValueError, match="read-only"):
        flow_imbalances(one, one, out)
    with pytest.raises(ValueError, match="mismatch"):
        flow_imbalances(one.astype(np.float32), one, np.empty(1))


def test_hot_calls_allocate_nothing():
    """They lie on the path of every message."""
    flow, out = FlowImbalance(decay_secs=10.0), np.empty(1)
    bids, asks, mids, zeros = np.ones((1, 5)), np.ones((1, 5)), np.ones(1), np.zeros(1)
    before = sys.getallocatedblocks()

    for _ in range(10_000):
        flow.update(1.0)
        flow.advance(0.1)
        book_imbalances(bids, asks, out)
        microprices(mids, zeros, zeros, out, beta_book=0.0, beta_flow=0.0)

    assert sys.getallocatedblocks() - before < 20


def test_the_examples_run():
    """Examples of docstrings are code."""
    assert doctest.testmod(module).failed == 0
    assert doctest.testmod(stoikov_module).failed == 0
