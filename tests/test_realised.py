"""Realised measures of a window and bars of equal volume: twin, oracle, and what must hold."""

import doctest
import sys
from itertools import pairwise
from math import isnan, nan, sqrt

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hypermm._core import bars as bars_module
from hypermm._core import realised as module
from hypermm._core.bars import volume_bars, vwap_variance
from hypermm._core.bipower import BipowerStream, VolumeClock
from hypermm._core.realised import realised_bipower, realised_variation
from tests.oracle import cases, check
from tests.reference import bipower as reference

RETURN = st.floats(-0.05, 0.05).map(lambda value: round(value, 7))
TRADES = st.lists(
    st.tuples(st.integers(0, 2), st.integers(90, 110), st.integers(1, 40)), max_size=30
)
ORACLE_KEYS = {
    "rv_over_bv": "jump_ratio",
    "rj": "relative_jump",
    "z_tp": "jump_statistic",
    "p_value": "jump_p_value",
}


@pytest.mark.parametrize("case", cases("vol_realised"))
def test_every_measure_meets_the_oracle(case):
    """Twelve digits from returns of 1e-12 to 1e6, with zeros, jumps and alternation."""
    measures = realised_variation(np.array(case["inputs"]["r"]))

    for key in case["expected"].keys() - {"bv_raw"}:
        check(case, key, measures[ORACLE_KEYS.get(key, key)])


@given(st.lists(RETURN, min_size=1, max_size=40))
def test_the_measures_agree_with_their_reference(returns):
    """Every valid window gives the same numbers as the formulas in plain Python."""
    measures = realised_variation(np.array(returns))

    expected = reference.variation(returns)
    for key in ("rv", "bv", "minrv", "medrv", "tpq", "qpq", "minrq", "medrq"):
        if key in expected:
            assert measures[key] == pytest.approx(expected[key], rel=1e-12, abs=0.0)
        else:
            assert isnan(measures[key])


@given(st.lists(RETURN, min_size=4, max_size=30), st.integers(-400, 400))
def test_the_measures_scale_with_the_returns(returns, exponent):
    """A change of unit changes variance by its square and leaves ratio and statistic alone."""
    plain = realised_variation(np.array(returns))

    scaled = realised_variation(np.array(returns) * 2.0**exponent)

    assert scaled["jump_ratio"] == plain["jump_ratio"]
    assert scaled["rv"] == plain["rv"] * 2.0**exponent * 2.0**exponent
    assert scaled["jump_statistic"] == plain["jump_statistic"]


def test_the_limits_of_the_jump_test():
    """Nothing moved: ratio 1. One move alone is all jump: the capped ratio, and a statistic."""
    still = realised_variation(np.zeros(10))
    single = realised_variation(np.array([0.0, 0.0, 1e-3, 0.0, 0.0]))
    lone = realised_variation(np.array([1e-3]))

    assert (still["jump_ratio"], still["relative_jump"], still["jump_statistic"]) == (1.0, 0.0, 0.0)
    assert (single["jump_ratio"], single["relative_jump"]) == (1000.0, 1.0)
    assert single["jump_statistic"] == pytest.approx(sqrt(5 / 0.6089937538621330))
    assert lone["rv"] == pytest.approx(1e-6)
    assert isnan(lone["jump_ratio"])


@pytest.mark.parametrize("case", cases("vol_realised"))
def test_the_fast_pass_meets_the_oracle(case):
    """One pass in lanes gives the digits of the plain sum."""
    rv, bv, _, _ = realised_bipower(np.array(case["inputs"]["r"]))

    check(case, "rv", rv)
    check(case, "bv", bv)


@given(st.lists(RETURN, min_size=1, max_size=200), st.integers(-900, 400))
def test_the_fast_pass_agrees_with_the_reference_at_any_scale(returns, exponent):
    """Squares of 1e-270 and of 1e120 are as exact as those of 1e-8."""
    rv, bv, _, _ = realised_bipower(np.array(returns) * 2.0**exponent)

    expected = reference.variation(returns)
    unit = 2.0 ** (exponent / 2)  # half of it, twice: the square of the whole underflows
    assert rv == pytest.approx(expected["rv"] * unit * unit * unit * unit, rel=1e-12, abs=1e-300)
    if len(returns) > 1:
        wanted = expected["bv"] * unit * unit * unit * unit
        assert bv == pytest.approx(wanted, rel=1e-12, abs=1e-300)
    else:
        assert isnan(bv)


def test_the_fast_pass_gives_the_same_bits_wherever_the_array_lies():
    """Sums are formed in lanes of a fixed order, whatever the alignment."""
    returns = np.random.default_rng(1).normal(size=1001)

    results = {realised_bipower(np.concatenate([np.zeros(k), returns])[k:])[:2] for k in range(4)}

    assert len(results) == 1


@pytest.mark.parametrize("n", [65, 100, 1000])
def test_the_standard_errors_are_those_of_repeated_windows(n):
    """Within a tenth of the spread of 3,000 windows, volatility moving by a third inside them."""
    random = np.random.default_rng(2)
    shape = 1.0 + 0.3 * np.sin(np.linspace(0.0, 2.0 * np.pi, n))

    results = np.array([realised_bipower(random.normal(size=n) * shape) for _ in range(3000)])

    spread = results[:, :2].std(axis=0)
    stated = np.sqrt((results[:, 2:] ** 2).mean(axis=0))
    assert spread == pytest.approx(stated, rel=0.1)


@pytest.mark.parametrize("n", [2, 3, 7, 50])
def test_every_measure_is_unbiased_in_small_samples(n):
    """The factor n/(n-j) of each: for normal returns the mean is the variance, from the first."""
    random, sums, times = np.random.default_rng(3), {}, 20_000

    for _ in range(times):
        for key, value in realised_variation(random.normal(scale=0.5, size=n)).items():
            sums[key] = sums.get(key, 0.0) + value

    for key in ("rv", "bv", "minrv", "medrv"):
        mean = sums[key] / times / n
        assert isnan(mean) or mean == pytest.approx(0.25, rel=0.03), key


@pytest.mark.parametrize("bad", [nan, np.inf, -np.inf, 1e160])
def test_the_fast_pass_names_the_return_that_is_not_finite(bad):
    """It looks only when the sum is wrong, and finds the first one."""
    with pytest.raises(ValueError, match=r"log_returns\[70\] must be finite"):
        realised_bipower(np.concatenate([np.ones(70), [bad], np.ones(30), [bad]]))


def test_windows_without_a_return_are_refused():
    """An empty window has no variance."""
    for function in (realised_bipower, realised_variation):
        with pytest.raises(ValueError, match="must hold at least one"):
            function(np.array([]))
    with pytest.raises(ValueError, match=r"log_returns\[1\]"):
        realised_variation(np.array([1e-3, nan]))


@pytest.mark.parametrize("values", [np.zeros(4, np.float32), np.zeros((2, 2)), np.zeros(8)[::2]])
def test_arrays_of_another_kind_are_refused(values):
    """The kernel never copies: the notebook functions do."""
    with pytest.raises(ValueError):
        realised_bipower(values)


@pytest.mark.parametrize("case", cases("vol_volume_clock"))
def test_bars_meet_the_oracle(case):
    """Closes, VWAPs and volatility of trades that are split at edges and sweep buckets."""
    inputs, expected = case["inputs"], case["expected"]
    lots = np.round(np.array(inputs["size"]) * 4).astype(np.int64)
    bucket, out = round(inputs["bucket"] * 4), np.zeros((1000, 8))
    times, prices = np.array(inputs["t"]), np.array(inputs["price"])

    n = volume_bars(times, prices, lots, out, bucket_lots=bucket, is_merged=False)

    assert n == expected["n_buckets"]
    secs, closes, vwaps = out[:n, 1], out[:n, 2], out[:n, 3]
    check(case, "vwap", list(vwaps))
    check(case, "close", list(closes))
    check(case, "t_close", list(secs))
    assert (lots.sum() - n * bucket) / 4 == expected["leftover"]
    for kind, path in (("close", closes), ("vwap", vwaps)):
        returns = np.log(path[1:] / path[:-1])
        bv = realised_variation(returns)["bv"]
        check(case, f"r_{kind}", list(returns))
        check(case, f"bv_{kind}", bv)
        check(case, f"sigma_{kind}", sqrt(bv / (secs[-1] - secs[0])))


@given(TRADES, st.integers(1, 60))
def test_merged_bars_are_the_ticks_of_the_clock(trades, bucket):
    """Batch and stream are one law, down to the seconds over which a VWAP averages."""
    steps, prices, lots = (
        (np.array(c, np.int64) for c in zip(*trades, strict=True))
        if trades
        else (np.zeros((3, 0), np.int64))
    )
    secs, out = 1 + np.cumsum(steps), np.zeros((len(prices), 8))
    clock, ticks = VolumeClock(bucket), []
    for trade in [*zip(secs, prices, lots, strict=True), (10**6, 1, 1)]:
        if clock.update(int(trade[0]) * 10**9, int(trade[1]), int(trade[2])):
            ticks.append(
                (clock.tick_ns / 1e9, clock.tick_vwap, clock.tick_lots, clock.tick_lead_secs,
                 clock.tick_lag_secs, clock.tick_shared_secs)
            )  # fmt: skip

    n = volume_bars(secs.astype(float), prices.astype(float), lots, out, bucket_lots=bucket)

    assert n == len(ticks)
    np.testing.assert_allclose(
        out[:n][:, [1, 3, 4, 5, 6, 7]], np.array(ticks).reshape(-1, 6), rtol=1e-12, atol=1e-12
    )


@given(TRADES, st.integers(1, 60))
def test_the_seconds_of_averaging_are_those_of_each_lot(trades, bucket):
    """F counted lot by lot in plain Python, and lead + 2 shared + lag is the time of the bar."""
    if not trades:
        return
    steps, prices, lots = (np.array(c, np.int64) for c in zip(*trades, strict=True))
    secs, out = np.cumsum(steps).astype(float), np.zeros((len(prices), 8))

    n = volume_bars(secs, prices.astype(float), lots, out, bucket_lots=bucket)

    expected = reference.averaging_secs(list(secs), list(lots), bucket)
    np.testing.assert_allclose(out[:n, 5:], np.array(expected).reshape(-1, 3), atol=1e-9)
    parts = out[:n, 5] + 2.0 * out[:n, 7] + out[:n, 6]
    np.testing.assert_allclose(parts, np.diff(np.concatenate([secs[:1], out[:n, 1]])), atol=1e-9)


@given(TRADES, st.integers(1, 60))
def test_the_variance_of_vwaps_is_that_of_the_stream(trades, bucket):
    """Without forgetting, batch and stream are one sum."""
    if not trades:
        return
    steps, prices, lots = (np.array(c, np.int64) for c in zip(*trades, strict=True))
    secs, out = np.cumsum(steps).astype(float), np.zeros((len(prices), 8))
    n = volume_bars(secs, prices.astype(float), lots, out, bucket_lots=bucket)
    stream, rows = BipowerStream(decay_secs=1e99), out[:n]
    for before, row in pairwise(rows):
        stream.update_vwap(
            np.log(row[3] / before[3]),
            row[1] - before[1],
            variance_secs=before[5] + row[6],
            shared_secs=before[7],
        )

    variance, error = vwap_variance(*(rows[:, k].copy() for k in (3, 5, 6, 7)))

    assert variance == pytest.approx(stream.bipower_per_sec, rel=1e-9, abs=1e-24, nan_ok=True)
    assert isnan(error) == isnan(variance)


ONE = np.array([1.0]), np.array([100.0]), np.array([50])


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda: volume_bars(*ONE, np.zeros((2, 8)), bucket_lots=0), "bucket_lots"),
        (lambda: volume_bars(*ONE, np.zeros((2, 7)), bucket_lots=1), "8 columns"),
        (lambda: volume_bars(*ONE[:2], np.array([0]), np.zeros((2, 8)), bucket_lots=1), "lots.0."),
        (lambda: volume_bars(ONE[0], -ONE[1], ONE[2], np.zeros((2, 8)), bucket_lots=1), "prices.0"),
        (lambda: volume_bars(ONE[0] * nan, *ONE[1:], np.zeros((2, 8)), bucket_lots=1), "secs.0."),
        (lambda: vwap_variance(np.ones(3), np.ones(2), np.ones(3), np.ones(3)), "length of vwaps"),
        (lambda: vwap_variance(np.zeros(1), np.ones(1), np.ones(1), np.ones(1)), r"vwaps\[0\]"),
        (lambda: vwap_variance(np.ones(1), -np.ones(1), np.ones(1), np.ones(1)), "bar 0"),
        (lambda: volume_bars(ONE[0][:0], *ONE[1:], np.zeros((2, 8)), bucket_lots=1), "length"),
        (
            lambda: volume_bars(
                np.array([2.0, 1.0]), np.ones(2), np.array([1, 1]), np.zeros((2, 8)), bucket_lots=5
            ),
            r"secs\[1\] must not be below",
        ),
        (
            lambda: volume_bars(
                np.ones(4), np.ones(4), np.full(4, 2**60), np.zeros((2, 8)), bucket_lots=5
            ),
            "sum",
        ),
        (
            lambda: volume_bars(*ONE, np.zeros((2, 8)), bucket_lots=10, is_merged=False),
            "more than 2 rows",
        ),
    ],
)
def test_trades_that_make_no_bars_are_refused(call, text):
    """Each refusal names the argument and the rule."""
    with pytest.raises(ValueError, match=text):
        call()


def test_a_read_only_output_is_refused():
    """The caller's arrays are the only memory."""
    out = np.zeros((2, 8))
    out.flags.writeable = False

    with pytest.raises(ValueError, match="read-only"):
        volume_bars(*ONE, out, bucket_lots=10)


def test_measuring_allocates_nothing():
    """Ten thousand windows leave no block behind."""
    returns, out = np.random.default_rng(4).normal(size=100), np.zeros((100, 8))
    secs, lots = np.arange(100.0), np.full(100, 7)
    prices = np.exp(returns)
    before = sys.getallocatedblocks()

    for _ in range(10_000):
        realised_bipower(returns)
        volume_bars(secs, prices, lots, out, bucket_lots=30)

    assert sys.getallocatedblocks() - before < 200


def test_the_examples_run():
    """Examples of docstrings are code."""
    assert doctest.testmod(module).failed == 0
    assert doctest.testmod(bars_module).failed == 0
