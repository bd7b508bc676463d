"""Cascade severity: oracle, an independent march, the law's moments, guards, live read."""

import doctest
import sys
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hypermm._core import cascade
from hypermm._core.cascade import (
    CascadeTable,
    directional_severity,
    level_correction,
    severities,
    severity,
)
from tests.oracle import cases, check
from tests.reference import cascade as reference


def table(mu, alpha, beta):
    return CascadeTable(baseline_per_sec=mu, jump_per_sec=alpha, decay_per_sec=beta)


@pytest.mark.parametrize("case", cases("cascade_severity", "hawkes_tail"))
def test_tails_meet_the_oracle(case):
    """From n = 0.2 to 0.9, from 3 % of a baseline event a decay time to 3 of them."""
    inputs = case["inputs"]

    made = table(inputs["mu"], inputs["alpha"], inputs["beta"])

    check(case, "theta", made.tail_rate_secs)
    check(case, "tail", [made.tail(value) for value in inputs["lambda"]])
    check(case, "severity", [made.severity(value) for value in inputs["lambda"]])


@pytest.mark.parametrize("case", cases("cascade_severity", "severity_map"))
def test_the_map_meets_the_oracle(case):
    """Exact between the knots."""
    check(case, "severity", severity(case["inputs"]["neg_log10_p"]))


@pytest.mark.parametrize(
    ("c", "n"), [(0.05, 0.3), (0.4, 0.2), (0.125, 0.5), (2.0, 0.7), (3.0, 0.1)]
)
def test_the_table_agrees_with_a_plain_march(c, n):
    """Within 1e-3 of the probability, on a grid of its own."""
    places = [1.0, 1.25, 1.5, 2.0, 3.5, 5.0, 7.0]

    expected = reference.tail(c, n, places, 400, 60.0)

    made = table(c, n, 1.0)
    for place, want in zip(places, expected, strict=True):
        if want > 1e-9:
            assert made.tail(c + n * place) == pytest.approx(want, rel=1.5e-3)


@pytest.mark.parametrize("c", [1e-6, 1e-3, 0.03, 0.3, 3.0, 30.0, 90.0, 110.0, 1e4])
@pytest.mark.parametrize("n", [1e-6, 0.01, 0.3, 0.9, 0.99])
def test_the_tail_has_the_moments_of_the_law(c, n):
    """Its integral is the mean, that of 2 y times it the second moment, whatever the regime."""
    made = table(c, n, 1.0)
    mean, deviation = c * n / (1.0 - n), n * np.sqrt(0.5 * c) / (1.0 - n)
    low = max(0.0, mean - 15.0 * deviation)
    near = np.geomspace(n * 1e-12, n, 2_000) if low < n else np.array([])
    far = np.linspace(max(low, n), mean + 12.0 * deviation + 30.0 / made.tail_rate_secs, 40_000)
    grid = np.concatenate([[low if low > n else 0.0], near[:-1], far])
    tails = np.array([made.tail(c + y) for y in grid])

    middle = 0.5 * (tails[1:] + tails[:-1])
    first = grid[0] + np.sum(middle * np.diff(grid))
    centred = (grid - mean) ** 2
    variance = centred[0] + np.sum(middle * np.diff(centred))

    assert first == pytest.approx(mean, rel=1e-3, abs=0.01 * deviation)
    assert variance == pytest.approx(deviation**2, rel=5e-2 if c > 1.0 else 3e-3)


@settings(max_examples=30)
@given(st.floats(-4.0, 2.0), st.floats(-3.0, 3.0), st.floats(0.02, 0.95))
def test_severity_rises_with_intensity_and_ignores_the_unit(log_c, log_unit, n):
    """Monotone from 0 at the baseline to 1, and the same market in other seconds is the same."""
    c, unit = 10.0**log_c, 10.0**log_unit
    made, scaled = table(c, n, 1.0), table(c * unit, n * unit, unit)
    top = c + c * n / (1.0 - n) + 20.0 * n * np.sqrt(c) / (1.0 - n) + 25.0 / made.tail_rate_secs
    grid = np.linspace(c, top, 300)

    values = [made.severity(y) for y in grid]

    assert values[0] == 0.0
    assert values[-1] == 1.0
    assert all(later >= earlier for earlier, later in pairwise(values))
    assert [scaled.severity(y * unit) for y in grid] == pytest.approx(values, abs=1e-9)


@given(st.floats(1e-8, 0.9999))
def test_the_tail_rate_solves_its_equation(n):
    """e^x = 1 + x/n: also where both sides nearly cancel."""
    x = table(1e-3, n, 1.0).tail_rate_secs * n if n < 0.999 else None
    if x is not None:
        assert np.expm1(x) == pytest.approx(x / n, rel=1e-10)


def test_beyond_the_table_the_slope_is_the_tail_rate():
    """Linear for ever: 1e-300 is as readable as 1e-9."""
    made = table(2.0, 1.0, 5.0)

    first, second = made.rarity(40.0), made.rarity(140.0)

    assert second - first == pytest.approx(100.0 * made.tail_rate_secs / np.log(10.0), rel=1e-9)
    assert made.severity(1e300) == 1.0


def test_many_reads_are_the_single_ones():
    """Batch form."""
    made, out = table(0.3, 9.0, 10.0), np.empty(50)
    intensities = np.geomspace(0.1, 200.0, 50)

    made.severities(intensities, out)

    assert out.tolist() == [made.severity(value) for value in intensities]
    severities(np.array([0.0, 2.0, 3.0, 4.0, 6.0, 8.0, np.inf]), out[:7])
    assert out[:7].tolist() == pytest.approx([0.0, 0.3, 0.5, 0.8, 0.95, 1.0, 1.0], abs=1e-15)


def test_the_level_is_the_seen_one_and_never_below_the_models():
    """A level seen a hundred times too often takes two off the rarity."""
    made = table(2.0, 1.0, 5.0)
    often = level_correction(100.0 * made.tail(6.0), made.tail(6.0))

    assert often == pytest.approx(2.0, rel=1e-12)
    assert level_correction(1e-9, 1e-3) == 0.0
    assert made.severity(6.0, often) == pytest.approx(severity(made.rarity(6.0) - 2.0), rel=1e-12)
    assert made.severity(2.1, often) == 0.0


@pytest.mark.parametrize(
    ("signed", "flow", "forced", "expected"),
    [
        (59.0, 100.0, False, 0.5),
        (60.0, 100.0, False, 0.9),
        (-60.0, 100.0, False, 0.9),
        (0.0, 100.0, True, 0.9),
        (0.0, 0.0, False, 0.5),
    ],
)
def test_severity_above_a_half_needs_a_direction(signed, flow, forced, expected):
    """Two-sided bursts are busy markets, not cascades."""
    value = directional_severity(0.9, signed_flow=signed, flow=flow, has_forced_flow=forced)

    assert value == expected
    assert directional_severity(0.4, signed_flow=signed, flow=flow) == 0.4


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: table(0.0, 0.5, 1.0), "baseline_per_sec must be > 0"),
        (lambda: table(1.0, 0.0, 1.0), "jump_per_sec must be > 0"),
        (lambda: table(1.0, 1.0, 1.0), "at most 0.9999 of decay_per_sec"),
        (lambda: table(1.0, 0.5, np.nan), "decay_per_sec must be > 0 and finite: nan"),
        (lambda: table(1e3, 0.9999, 1.0), "jumps wide, at most 200000"),
        (lambda: table(1.0, 0.5, 1.0).tail(np.nan), "intensity_per_sec must be >= 0: nan"),
        (lambda: table(1.0, 0.5, 1.0).severity(1.0, -1.0), "correction must be >= 0"),
        (
            lambda: table(1.0, 0.5, 1.0).severities(np.array([1.0, -1.0]), np.empty(2)),
            r"intensities_per_sec\[1\] must be >= 0: -1.0",
        ),
        (lambda: severity(np.nan), "rarity must be >= 0: nan"),
        (lambda: severities(np.array([-1.0]), np.empty(1)), r"rarities\[0\] must be >= 0"),
        (lambda: severities(np.array([1.0]), np.empty(2)), "out must have length 1: 2"),
        (lambda: directional_severity(1.5, signed_flow=0.0, flow=1.0), r"must be in \[0, 1\]"),
        (lambda: directional_severity(0.5, signed_flow=2.0, flow=1.0), "flow must be >= "),
        (lambda: level_correction(0.0, 0.5), r"seen_fraction must be in \(0, 1\]: 0.0"),
        (lambda: level_correction(0.5, 1.5), r"model_fraction must be in \(0, 1\]: 1.5"),
    ],
)
def test_wrong_input_is_refused_by_name(call, message):
    """Argument, index and rule."""
    with pytest.raises(ValueError, match=message):
        call()


def test_a_read_allocates_nothing():
    """Ten thousand reads leave the allocator where it was."""
    made, out, intensities = table(0.3, 9.0, 10.0), np.empty(8), np.linspace(0.0, 90.0, 8)

    def calls():
        for _ in range(10_000):
            made.severities(intensities, out)
            made.severity(17.0)

    calls()
    before = sys.getallocatedblocks()
    calls()

    assert abs(sys.getallocatedblocks() - before) < 50


def test_the_examples_run():
    """Docstrings show what they say."""
    assert doctest.testmod(cascade).failed == 0


@pytest.mark.parametrize("law", [(0.74, 0.067, 0.0814), (0.5, 0.04328, 0.05661), (5.0, 0.19, 0.2)])
def test_a_coarser_march_tells_the_same(law):
    """A twentieth of the points for a table that is made while quotes wait."""
    names = ("baseline_per_sec", "jump_per_sec", "decay_per_sec")
    fine = CascadeTable(**dict(zip(names, law, strict=True)))
    coarse = CascadeTable(**dict(zip(names, law, strict=True)), grid_points=100_000)
    mean = law[0] / (1.0 - law[1] / law[2])

    for k in range(60):
        intensity = mean * (1.0 + k / 8.0)
        assert coarse.rarity(intensity) == pytest.approx(fine.rarity(intensity), abs=1e-4)
    with pytest.raises(ValueError, match="grid_points"):
        CascadeTable(**dict(zip(names, law, strict=True)), grid_points=0)
