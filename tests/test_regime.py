"""Three states with hysteresis: oracle, twin, and what must hold of any path."""

import doctest
import sys
from math import inf, nan

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hypermm._core import regime as module
from hypermm._core.regime import Regime
from tests.oracle import cases, check

RATIOS = st.lists(st.sampled_from([0.5, 1.2, 1.21, 1.4, 1.5, 2.4, 2.5, 3.0, 9.0]), max_size=60)


def plain(ratios, up, down, min_dwell):
    """The rule in plain Python."""
    state, changed, states = 0, -1, []
    for i, ratio in enumerate(ratios):
        highest = max([k + 1 for k in range(2) if ratio >= up[k]], default=0)
        if highest > state:
            state, changed = highest, i
        elif state > 0 and ratio <= down[state - 1] and i - changed > min_dwell:
            state, changed = state - 1, i
        states.append(state)
    return states


@pytest.mark.parametrize("case", cases("vol_streaming", "regime_hysteresis"))
def test_the_states_meet_the_oracle(case):
    """A hundred and twenty ratios, dwell times of 0 to 10."""
    inputs, out = case["inputs"], np.zeros(len(case["inputs"]["x"]), np.int8)
    regime = Regime(up=inputs["up"], down=inputs["down"], min_dwell=inputs["min_dwell"])

    regime.run(np.array(inputs["x"]), out)

    check(case, "state", [int(state) for state in out])


@given(RATIOS, st.integers(0, 4))
def test_the_states_agree_with_their_reference(ratios, min_dwell):
    """One by one or all at once, on the thresholds and between them."""
    once, many = (Regime(up=(1.5, 3.0), down=(1.2, 2.4), min_dwell=min_dwell) for _ in range(2))
    out = np.zeros(len(ratios), np.int8)

    once.run(np.array(ratios), out)
    states = [many.update(ratio) for ratio in ratios]

    assert states == list(out) == plain(ratios, (1.5, 3.0), (1.2, 2.4), min_dwell)
    assert (once.state, once.dwell) == (many.state, many.dwell)


@given(RATIOS)
def test_it_rises_at_once_and_falls_one_state_at_a_time(ratios):
    """Tight quotes in a storm cost money; wide ones for a moment do not."""
    regime, before = Regime(min_dwell=2), 0

    for ratio in ratios:
        state = regime.update(ratio)
        assert state >= before - 1
        assert ratio < 3.0 or state == 2
        assert ratio < 1.5 or state >= 1
        before = state


def test_a_ratio_between_the_thresholds_changes_nothing():
    """What hysteresis is for: 1.3 keeps either state."""
    regime = Regime()

    assert [regime.update(ratio) for ratio in (1.3, 1.6, 1.3, 1.1, 1.3)] == [0, 1, 1, 0, 0]


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda: Regime(up=(1.5,), down=(1.2, 2.4)), "two ratios"),
        (lambda: Regime(up=(1.5, 3.0), down=(1.5, 2.4)), r"down\[0\]"),
        (lambda: Regime(up=(1.5, 3.0), down=(nan, 2.4)), r"down\[0\]"),
        (lambda: Regime(up=(1.5, inf), down=(1.2, 2.4)), r"down\[1\]"),
        (lambda: Regime(up=(3.0, 1.5), down=(1.2, 1.3)), "rise"),
        (lambda: Regime(min_dwell=-1), "min_dwell"),
        (lambda: Regime().update(nan), "ratio must be"),
        (lambda: Regime().update(-1.0), "ratio must be"),
        (lambda: Regime().run(np.array([1.0, inf]), np.zeros(2, np.int8)), r"ratios\[1\]"),
        (lambda: Regime().run(np.array([1.0]), np.zeros(2, np.int8)), "out must have length 1"),
    ],
)
def test_values_outside_their_domain_are_refused(call, text):
    """A ratio that is not known is no observation: the caller decides what it means."""
    with pytest.raises(ValueError, match=text):
        call()


def test_updates_allocate_nothing():
    """They lie on the path of every tick."""
    regime, ratios, out = Regime(), np.linspace(0.5, 4.0, 50), np.zeros(50, np.int8)
    before = sys.getallocatedblocks()

    for _ in range(10_000):
        regime.update(1.4)
        regime.run(ratios, out)

    assert sys.getallocatedblocks() - before < 200


def test_the_examples_run():
    """Examples of docstrings are code."""
    assert doctest.testmod(module).failed == 0
