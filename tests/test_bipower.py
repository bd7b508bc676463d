"""Variation, volume clock and streaming volatility: twin, oracle, and what must hold."""

import doctest
import sys
from decimal import Decimal, localcontext
from math import exp, isnan, log, nan, sqrt

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hypermm._core import bipower as module
from hypermm._core.bipower import BipowerStream, VolumeClock, log_returns
from tests.oracle import cases, check
from tests.recorded import market
from tests.reference import bipower as reference

RETURN = st.floats(-0.05, 0.05).map(lambda value: round(value, 7))
TRADES = st.lists(
    st.tuples(st.integers(0, 2), st.integers(90, 110), st.integers(1, 40)), max_size=30
)


def played(trades, bucket):
    clock, twin, ticks, ns = VolumeClock(bucket), reference.VolumeClock(bucket), [], 1
    for step, price, size in trades:
        ns += step
        twin.add(ns, price, size)
        if clock.update(ns, price, size):
            ticks.append((clock.tick_ns, clock.tick_vwap, clock.tick_lots))
    if clock.settle_before(ns + 1):
        ticks.append((clock.tick_ns, clock.tick_vwap, clock.tick_lots))
    return clock, twin, ticks


@given(TRADES, st.integers(1, 60))
def test_the_clock_agrees_with_one_that_counts_single_lots(trades, bucket):
    """Splitting, sweeping and merging by stamp lose and double no lot."""
    clock, twin, ticks = played(trades, bucket)

    expected = twin.ticks()
    assert [(tick[0], tick[2]) for tick in ticks] == [(tick[0], tick[2]) for tick in expected]
    np.testing.assert_allclose([t[1] for t in ticks], [t[1] for t in expected], rtol=1e-14)
    assert (clock.fill_lots, clock.buckets) == (len(twin.open), len(twin.closed))
    assert clock.ticks == len(expected)


@given(TRADES, st.integers(1, 60))
def test_every_tick_lies_inside_the_prices_traded(trades, bucket):
    """A VWAP is a mean."""
    _, _, ticks = played(trades, bucket)

    for _, vwap, _ in ticks:
        assert min(t[1] for t in trades) - 1e-9 <= vwap <= max(t[1] for t in trades) + 1e-9


def test_a_new_bucket_size_waits_for_the_open_bucket():
    """A bucket is never resized while it fills, and none is cut before its size is known."""
    clock = VolumeClock(0)
    clock.update(1, 100, 50)
    assert (clock.fill_lots, clock.ticks) == (0, 0)

    clock.set_bucket(10)
    clock.update(2, 100, 7)
    clock.set_bucket(20)
    assert (clock.bucket_lots, clock.next_bucket_lots) == (10, 20)

    clock.update(3, 100, 4)
    assert (clock.bucket_lots, clock.fill_lots, clock.buckets) == (20, 1, 1)


def test_a_smaller_bucket_waits_until_what_is_left_over_fits():
    """Otherwise the left-over would have to be cut at a price that is forgotten."""
    clock = VolumeClock(100)
    clock.set_bucket(10)

    clock.update(1, 100, 150)

    assert (clock.bucket_lots, clock.fill_lots) == (100, 50)
    clock.update(2, 100, 55)
    assert (clock.bucket_lots, clock.fill_lots) == (10, 5)


@pytest.mark.parametrize("case", cases("vol_streaming", "ewma_rates"))
def test_streaming_rates_meet_the_oracle(case):
    """Irregular times, decay times shorter and longer than the window."""
    inputs = case["inputs"]
    stream, realised, bipower = BipowerStream(decay_secs=inputs["tau"]), [], []

    for r, secs in zip(inputs["r"], np.diff([inputs["t0"], *inputs["t"]]), strict=True):
        stream.update(r, secs)
        realised.append(stream.variance_per_sec)
        bipower.append(stream.bipower_per_sec)

    check(case, "var_rate", realised)
    check(case, "bv_rate", bipower)
    check(case, "sigma", sqrt(stream.variance_per_sec))
    assert isnan(bipower[0])


@given(st.lists(st.tuples(RETURN, st.floats(1e-3, 200.0)), max_size=30))
def test_the_stream_agrees_with_its_reference(returns):
    """Updating in place is summing again, a return over more than five decay times left out."""
    stream, twin = BipowerStream(decay_secs=30.0), reference.BipowerStream(30.0)

    for log_return, secs in returns:
        stream.update(log_return, secs)
        twin.add(log_return, secs)

    for value, expected in zip(
        (stream.variance_per_sec, stream.bipower_per_sec), twin.rates(), strict=True
    ):
        if expected is None:
            assert isnan(value)
        else:
            assert value == pytest.approx(expected, rel=1e-10, abs=1e-300)


@given(st.floats(0.1, 50.0), st.integers(1, 64))
def test_volatility_does_not_depend_on_the_length_of_the_buckets(sigma_bps, secs):
    """A walk of known volatility, sampled each second or each minute, has the same one."""
    stream = BipowerStream(decay_secs=1e9)
    size = sigma_bps * 1e-4 * sqrt(secs) * sqrt(2.0 / np.pi)

    for i in range(50):
        stream.update(size if i % 2 else -size, float(secs))

    assert stream.volatility_bps == pytest.approx(sigma_bps, rel=1e-5)


def test_one_jump_moves_the_realised_but_hardly_the_bipower_volatility():
    """The reason for the bipower form: one bad print must not widen quotes for minutes."""
    stream = BipowerStream(decay_secs=300.0)
    sizes = np.random.default_rng(3).normal(scale=1e-4, size=200)
    for size in sizes:
        stream.update(size, 1.0)
    before = stream.volatility_bps

    stream.update(50e-4, 1.0)
    stream.update(1e-5, 1.0)

    assert stream.jump_ratio > 8.0
    assert stream.volatility_bps < 1.5 * before


def test_a_prior_gives_a_volatility_at_once_and_fades():
    """Values are defined from the first second, and data overrule the prior."""
    stream = BipowerStream(decay_secs=10.0)
    stream.seed(20.0, 5.0)
    assert stream.volatility_bps == pytest.approx(20.0)

    for i in range(200):
        stream.update(1e-4 * (-1) ** i, 1.0)

    assert stream.volatility_bps == pytest.approx(sqrt(np.pi / 2), rel=1e-6)


@pytest.mark.parametrize(
    "call",
    [
        lambda: VolumeClock(-1),
        lambda: VolumeClock(10).set_bucket(0),
        lambda: VolumeClock(10).update(1, 0, 5),
        lambda: VolumeClock(10).update(1, 100, 0),
        lambda: VolumeClock(10).update(1, 100, 2**62),
        lambda: BipowerStream(decay_secs=0.0),
        lambda: BipowerStream(decay_secs=nan),
        lambda: BipowerStream(decay_secs=1.0).update(nan, 1.0),
        lambda: BipowerStream(decay_secs=1.0).update(0.1, -1.0),
        lambda: BipowerStream(decay_secs=1.0).update_vwap(
            0.1, 1.0, variance_secs=-1.0, shared_secs=0.0
        ),
        lambda: BipowerStream(decay_secs=1.0).update_vwap(
            0.1, 1.0, variance_secs=1.0, shared_secs=nan
        ),
        lambda: BipowerStream(decay_secs=1.0).volatility_after(-1.0),
        lambda: BipowerStream(decay_secs=1.0).run(np.zeros(2), np.ones(1), np.zeros(1)),
        lambda: BipowerStream(decay_secs=1.0).run(np.array([nan]), np.ones(1), np.zeros(1)),
        lambda: BipowerStream(decay_secs=1.0).run(-np.arange(2.0), np.ones(2), np.zeros(2)),
        lambda: BipowerStream(decay_secs=1.0).run(np.zeros(1), np.zeros(1), np.zeros(1)),
        lambda: log_returns(np.ones(3), np.zeros(3)),
        lambda: log_returns(np.array([1.0, -1.0]), np.zeros(1)),
        lambda: BipowerStream(decay_secs=1.0).seed(0.0, 1.0),
        lambda: BipowerStream(decay_secs=1.0).seed(1.0, nan),
    ],
)
def test_values_outside_their_domain_are_refused(call):
    """The door checks, so that the room need not."""
    with pytest.raises(ValueError, match="must"):
        call()


def test_updates_allocate_nothing():
    """They lie on the path of every trade."""
    clock, stream = VolumeClock(10), BipowerStream(decay_secs=60.0)
    secs, prices, out = np.arange(50.0), np.linspace(1.0, 1.1, 50), np.zeros(50)
    before = sys.getallocatedblocks()

    for i in range(10_000):
        clock.update(i, 100, 7)
        stream.update(1e-4, 1.0)
        stream.update_vwap(1e-4, 1.0, variance_secs=0.7, shared_secs=0.1)
        stream.run(secs, prices, out)

    assert sys.getallocatedblocks() - before < 200


@given(st.floats(1e-6, 1e6), st.floats(-1.0, 1.0))
def test_a_log_return_keeps_all_digits(price, move):
    """Small moves lose none to the ratio of two prices: fourteen digits at any size."""
    after, out = price * exp(move), np.zeros(1)

    log_returns(np.array([price, after]), out)

    with localcontext(prec=60):
        exact = (Decimal(after) / Decimal(price)).ln()
    assert out[0] == pytest.approx(float(exact), rel=6e-15, abs=1e-300)


PATHS = st.lists(st.tuples(st.floats(0.0, 400.0), st.floats(-0.05, 0.05)), min_size=1, max_size=300)


@given(PATHS)
def test_a_run_gives_the_bits_of_its_updates(path):
    """Batch and stream are one law: chunks, gaps and times that stand still leave no trace."""
    steps, moves = (np.array(column) for column in zip(*path, strict=True))
    secs, prices = np.cumsum(steps), np.exp(np.cumsum(moves))
    once, many, out = BipowerStream(decay_secs=60.0), BipowerStream(decay_secs=60.0), secs.copy()
    returns, single = np.zeros(len(secs) - 1), [nan]
    log_returns(prices, returns)

    once.run(secs, prices, out)
    for log_return, step in zip(returns, np.diff(secs), strict=True):
        many.update(log_return, step)
        single.append(many.volatility_bps)

    np.testing.assert_array_equal(out, single)
    assert once.effective_returns == many.effective_returns
    assert once.returns == many.returns


@pytest.mark.parametrize("lots", [1, 30, 300, 3000])
def test_the_volatility_of_vwaps_is_that_of_the_path_for_any_bucket(lots):
    """A VWAP hides up to a third of the variance; the seconds of averaging give it back.

    Six walks of 60,000 trades of 20 lots on average, at random times. Without the correction
    the volatility is 17 % too low with buckets of many trades.
    """
    random, squares, plain = np.random.default_rng(8), [], []
    for _ in range(6):
        secs = 1 + np.cumsum(random.exponential(0.5, 60_000))
        moves = random.normal(size=secs.size) * 2e-4 * np.sqrt(np.diff(secs, prepend=1.0))
        prices = np.round(1e9 * np.exp(np.cumsum(moves))).astype(np.int64)
        sizes = random.integers(1, 40, secs.size)
        stream, naive = BipowerStream(decay_secs=1e9), BipowerStream(decay_secs=1e9)
        clock, last = VolumeClock(lots), None
        for ns, price, size in zip(
            (secs * 1e9).astype(np.int64).tolist(), prices.tolist(), sizes.tolist(), strict=True
        ):
            if clock.update(ns, price, size):
                if last is not None:
                    gap, move = (clock.tick_ns - last[0]) * 1e-9, log(clock.tick_vwap / last[1])
                    stream.update_vwap(
                        move,
                        gap,
                        variance_secs=last[2] + clock.tick_lag_secs,
                        shared_secs=last[3],
                    )
                    naive.update(move, gap)
                last = clock.tick_ns, clock.tick_vwap, clock.tick_lead_secs, clock.tick_shared_secs
        squares.append(stream.volatility_bps**2)
        squares.append(stream.variance_per_sec * 1e8)
        plain.append(naive.volatility_bps)

    assert sqrt(np.mean(squares)) == pytest.approx(2.0, rel=0.02)
    if lots == 300:
        assert np.mean(plain) < 0.88 * 2.0


def test_quiet_time_ages_the_estimate():
    """It falls while nothing trades, never rises, and says when it is too old to be used."""
    stream = BipowerStream(decay_secs=60.0)
    assert isnan(stream.volatility_after(1.0))
    for i in range(200):
        stream.update(1e-4 * (-1) ** i, 1.0)

    aged = [stream.volatility_after(secs) for secs in (0.0, 1.0, 10.0, 60.0, 300.0, 1e6)]

    assert aged[0] == stream.volatility_bps
    assert aged == sorted(aged, reverse=True)
    assert aged[3] == pytest.approx(stream.volatility_bps * sqrt(exp(-1) / (exp(-1) + 1)), rel=0.05)
    assert not stream.is_stale_after(300.0)
    assert stream.is_stale_after(300.1)


def test_the_standard_error_is_the_spread_of_the_estimates():
    """Two thousand streams of the same law, read after ten decay times."""
    random, values, errors = np.random.default_rng(9), [], []

    for _ in range(2000):
        stream = BipowerStream(decay_secs=30.0)
        for move in random.normal(scale=1e-4, size=300):
            stream.update(move, 1.0)
        values.append(stream.volatility_bps)
        errors.append(stream.volatility_se_bps)

    assert stream.effective_returns == pytest.approx(60.0, rel=0.01)
    assert np.std(values) == pytest.approx(np.mean(errors), rel=0.1)
    assert isnan(BipowerStream(decay_secs=1.0).volatility_se_bps)
    assert BipowerStream(decay_secs=1.0).effective_returns == 0.0


def test_the_spacing_of_a_price_does_not_matter():
    """Unbiased within 2 % on a simulated path sampled every 1 to 500 points."""
    random = np.random.default_rng(10)
    secs = np.cumsum(random.exponential(1.0, 1_000_000))
    moves = random.normal(size=secs.size) * 1e-4 * np.sqrt(np.diff(secs, prepend=0.0))
    prices = np.exp(np.cumsum(moves))

    for every in (1, 5, 50, 100):
        stream, times = BipowerStream(decay_secs=1e9), secs[::every].copy()
        stream.run(times, prices[::every].copy(), np.zeros(times.size))
        assert stream.volatility_bps == pytest.approx(1.0, rel=0.02), every


def test_the_volume_clock_of_the_recording_gives_its_volatility(data_dir):
    """VWAPs of 12 buckets a minute: 3.9 bps on WLFI and 0.48 on BTC.

    Measured on the mid each 10 s it is 4.6 and 0.57, each second 4.0 and 0.40. It is lower here
    because a VWAP averages over its bucket (which takes up to a third of the variance) and the
    bipower form leaves jumps out, a third of BTC's variance at 5 s; it is higher than the mid's
    second-by-second figure because BTC's returns are positively correlated.
    """
    for coin, low, high in (("BTC", 0.40, 0.57), ("WLFI", 3.4, 4.6)):
        rows = market(data_dir, coin).rows.array
        trades = np.sort(rows[rows["kind"] == 1], order="exch_ns", kind="stable")
        _, first = np.unique(trades["id"], return_index=True)
        trades = trades[np.sort(first)]
        minutes = (trades["exch_ns"][-1] - trades["exch_ns"][0]) / 60e9
        clock = VolumeClock(int(trades["size"].sum() / minutes / 12))
        stream, last = BipowerStream(decay_secs=1e9), None

        for one in trades:
            if clock.update(int(one["exch_ns"]), int(one["price"]), int(one["size"])):
                if last is not None:
                    secs = (clock.tick_ns - last[0]) * 1e-9
                    stream.update(log(clock.tick_vwap / last[1]), secs)
                last = clock.tick_ns, clock.tick_vwap

        assert low < stream.volatility_bps < high, coin


def test_the_examples_run():
    """Examples of docstrings are code."""
    assert doctest.testmod(module).failed == 0
