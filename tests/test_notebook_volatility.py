"""Volatility for notebooks: right numbers, honest errors, and refusals that name the argument."""

import doctest
from math import inf, isnan, nan, sqrt

import numpy as np
import pytest

import hypermm.notebook.noise as noise_module
import hypermm.notebook.realised as realised_module
import hypermm.notebook.volatility as volatility_module
from hypermm._core.realised import realised_variation
from hypermm.notebook.noise import (
    noise_share,
    noise_variance,
    preaveraged_variance,
    realised_kernel,
    two_scale_variance,
)
from hypermm.notebook.realised import (
    bipower_variation,
    jump_test,
    realised_measures,
    realised_variance,
)
from hypermm.notebook.volatility import (
    ewma_volatility,
    log_returns,
    volatility,
    volatility_per_root_second,
    volatility_regimes,
    volume_bars,
)
from tests.oracle import cases, check
from tests.recorded import market


@pytest.mark.parametrize("case", cases("vol_realised"))
def test_measures_meet_the_oracle(case):
    """From a list, as a notebook hands it in."""
    returns, expected = case["inputs"]["r"], case["expected"]

    measures = realised_measures(returns)

    check(case, "rv", realised_variance(returns).value)
    check(case, "bv", bipower_variation(returns).value)
    check(case, "minrv", measures.min_realised.value)
    check(case, "medrv", measures.med_realised.value)
    check(case, "qpq", measures.quadpower_quarticity)
    if "z_tp" in expected:
        check(case, "z_tp", measures.jumps.statistic)
        check(case, "p_value", measures.jumps.p_value)
        check(case, "rv_over_bv", jump_test(returns).ratio)


def test_every_standard_error_is_the_spread_of_its_measure():
    """Three thousand windows of 200 returns."""
    random, values, errors = np.random.default_rng(1), [], []

    for _ in range(3000):
        found = realised_measures(random.normal(size=200))
        four = found.realised, found.bipower, found.min_realised, found.med_realised
        values.append([one.value for one in four])
        errors.append([one.standard_error**2 for one in four])

    stated = np.sqrt(np.mean(errors, axis=0))
    assert np.std(values, axis=0) == pytest.approx(stated, rel=0.06)


def test_the_jump_test_fires_as_often_as_it_says():
    """One in twenty without jumps, and always with one of ten deviations in a hundred."""
    random = np.random.default_rng(2)
    quiet = [jump_test(random.normal(size=400)).p_value < 0.05 for _ in range(2000)]
    loud = [jump_test([*random.normal(size=100), 12.0]).p_value < 0.05 for _ in range(100)]

    assert np.mean(quiet) == pytest.approx(0.05, abs=0.025)
    assert np.mean(loud) > 0.95


def two_scales(log_prices):
    return two_scale_variance(log_prices, corrects_ends=True)


@pytest.mark.parametrize(
    ("estimate", "slack"),
    [(two_scales, 0.2), (preaveraged_variance, 0.15), (realised_kernel, 0.25)],
)
@pytest.mark.parametrize("noise", [2e-5, 1e-4, 3e-4])
def test_the_errors_under_noise_are_the_spread_of_the_estimates(estimate, slack, noise):
    """Four hundred windows of 3,000 prices, with the default windows."""
    random, found = np.random.default_rng(3), []

    for _ in range(400):
        x = np.cumsum(random.normal(scale=1e-4, size=3001))
        seen = x + random.normal(scale=noise, size=3001)
        found.append(estimate(np.diff(seen) if estimate is realised_kernel else seen))

    values = [one.value for one in found]
    stated = np.sqrt(np.mean([one.standard_error**2 for one in found]))
    bias = 0.12 if estimate is realised_kernel else 0.03
    assert np.mean(values) == pytest.approx(3e-5, rel=bias)
    assert np.std(values) == pytest.approx(stated, rel=slack)


@pytest.mark.parametrize("noise", [0.0, 5e-5, 2e-4])
def test_the_noise_and_its_share_are_found(noise):
    """200,000 prices a tenth of a second apart, used every second and every ten."""
    random = np.random.default_rng(4)
    x = np.cumsum(random.normal(scale=1e-5, size=200_001))
    seen = x + random.normal(scale=noise, size=200_001)

    for every in (1, 10, 100):
        true = 2 * noise**2 / (2 * noise**2 + every * 1e-10)
        assert noise_share(seen, every=every) == pytest.approx(true, abs=0.05)
    if noise == 2e-4:
        low, high = noise_variance(seen).interval(4.0)
        assert low < noise**2 + 0.5e-10 < high


def walk(random, n, sigma_bps):
    """Trades at random times on a path of known volatility, with random sizes."""
    secs = np.cumsum(random.exponential(0.5, n))
    moves = random.normal(size=n) * sigma_bps * 1e-4 * np.sqrt(np.diff(secs, prepend=0.0))
    return secs, 100.0 * np.exp(np.cumsum(moves)), random.integers(1, 40, n)


@pytest.mark.parametrize("bucket", [1, 20, 200, 2000, 20_000])
def test_the_volatility_of_a_known_path_is_unbiased_for_any_bucket(bucket):
    """Within 2 %: from one trade to a thousand in a bucket; the intervals hold the truth."""
    random, squares, held = np.random.default_rng(5), [], []

    for _ in range(20):
        found = volatility(*walk(random, 100_000, 3.0), bucket_lots=bucket)
        squares.append(found.value**2)
        held.append(abs(found.value - 3.0) < 2.5 * found.standard_error)

    assert sqrt(np.mean(squares)) == pytest.approx(3.0, rel=0.02)
    assert np.mean(held) >= 0.8


def test_the_error_of_a_volatility_is_the_spread_of_the_estimates():
    """Four hundred series of 200 bars."""
    random = np.random.default_rng(6)

    found = [volatility(*walk(random, 4000, 2.0), bucket_lots=400) for _ in range(400)]

    stated = np.sqrt(np.mean([one.standard_error**2 for one in found]))
    assert np.std([one.value for one in found]) == pytest.approx(stated, rel=0.15)


@pytest.mark.parametrize("unit", [1e-9, 1000.0, 1e12])
def test_units_of_price_and_size_do_not_matter(unit):
    """The same market per thousand coins: equal to 1e-12."""
    secs, prices, lots = walk(np.random.default_rng(7), 5000, 2.0)

    plain = volatility(secs, prices, lots, bucket_lots=100)
    other = volatility(secs, prices * unit, lots * 1000, bucket_lots=100_000)

    assert other.value == pytest.approx(plain.value, rel=1e-12)


def test_ties_in_time_are_one_piece_of_news():
    """Sweeps that close several bars at once give no returns of zero and no time of zero."""
    random = np.random.default_rng(8)
    secs, prices, lots = walk(random, 50_000, 2.0)
    secs = np.repeat(secs[::5], 5)
    # Five trades of one time at one price, the path's own.
    prices = np.repeat(prices[::5], 5)

    found = volatility(secs, prices, lots, bucket_lots=30)

    assert found.value == pytest.approx(2.0, rel=0.03)


@pytest.mark.parametrize("n", [0, 1, 2])
def test_too_few_trades_have_no_volatility(n):
    """Empty and one point: NaN with the number of returns, not an error."""
    found = volatility(np.arange(n) * 1.0, np.full(n, 100.0), np.full(n, 5), bucket_lots=5)

    assert isnan(found.value)
    assert found.n == max(n - 1, 0)


def test_a_price_that_stands_still_has_no_volatility():
    """Zero is known; its error is not."""
    found = volatility(np.arange(50.0), np.full(50, 100.0), np.full(50, 5), bucket_lots=5)

    assert found.value == 0.0
    assert isnan(found.standard_error)


@pytest.mark.parametrize("case", cases("vol_volume_clock"))
def test_bars_meet_the_oracle(case):
    """Split exactly at the edge, each bucket by itself."""
    inputs = case["inputs"]
    lots = np.round(np.array(inputs["size"]) * 4).astype(int)

    bars = volume_bars(
        inputs["t"],
        inputs["price"],
        lots,
        bucket_lots=round(inputs["bucket"] * 4),
        is_merged=False,
    )

    check(case, "vwap", list(bars.vwap))
    check(case, "close", list(bars.close))
    check(case, "r_vwap", list(log_returns(bars.vwap)))
    seconds = bars.secs[-1] - bars.secs[0]
    for kind, path in (("close", bars.close), ("vwap", bars.vwap)):
        found = volatility_per_root_second(bipower_variation(log_returns(path)), seconds)
        check(case, f"sigma_{kind}", found.value / 1e4)


def test_a_series_is_streamed_without_looking_ahead():
    """A longer series has the same beginning, in the caller's array and in a new one."""
    secs, prices, _ = walk(np.random.default_rng(9), 1000, 2.0)
    out = np.empty(1000)

    whole = ewma_volatility(secs, prices, decay_secs=60.0, out=out)

    assert whole is out
    half = ewma_volatility(secs[:500], prices[:500], decay_secs=60.0)
    np.testing.assert_array_equal(whole[:500], half)
    assert 1.5 < whole[-1] < 2.5


def test_a_volatility_scales_with_its_window():
    """A variance of 4e-6 in 400 s is 1 bps per root second; a negative one is none."""
    variance = realised_variance([1e-3] * 4)

    assert volatility_per_root_second(variance, 400.0).value == pytest.approx(1.0)
    below = two_scale_variance(1e-3 * (-1.0) ** np.arange(100))
    assert volatility_per_root_second(below, 60.0).value >= 0.0


def test_anything_that_is_an_array_is_taken():
    """Lists, whole numbers, float32, views and what has __array__; float64 is not copied."""

    class Column:
        def __array__(self, dtype=None, copy=None):
            return np.array([1.0, 2.0, 4.0], dtype=dtype)

    doubles = np.array([1.0, 9.0, 2.0, 9.0, 4.0])[::2]

    for prices in ([1, 2, 4], np.array([1, 2, 4], np.float32), Column(), doubles, (1.0, 2.0, 4.0)):
        assert log_returns(prices) == pytest.approx([np.log(2.0)] * 2)


def test_estimates_of_the_recorded_markets(data_dir):
    """What half an hour of BTC and WLFI says, with intervals: nearly alike for any bucket."""
    for coin, low, high in (("BTC", 0.4, 0.8), ("WLFI", 3.5, 6.5)):
        rows = market(data_dir, coin).rows.array
        trades = np.sort(rows[rows["kind"] == 1], order="exch_ns", kind="stable")
        _, first = np.unique(trades["id"], return_index=True)
        trades = trades[np.sort(first)]
        secs = (trades["exch_ns"] - trades["exch_ns"][0]) / 1e9
        prices, lots = trades["price"].astype(float), trades["size"].astype(np.int64)
        rate = lots.sum() / secs[-1]
        found = [
            volatility(secs, prices, lots, bucket_lots=int(rate * each)) for each in (5, 15, 30)
        ]

        values = [one.value for one in found]
        assert all(low < value < high for value in values), (coin, values)
        assert all(one.n > 30 and one.standard_error < 0.2 * one.value for one in found)


ONE = [1.0], [100.0], [5]


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda: realised_variance([]), "log_returns must hold at least one"),
        (lambda: realised_variance([0.1, nan]), r"log_returns\[1\] must be finite"),
        (lambda: bipower_variation([[0.1]]), "log_returns must have one dimension"),
        (lambda: bipower_variation(["x"]), "log_returns must hold numbers"),
        (lambda: bipower_variation([0.1, -inf]), r"log_returns\[1\]"),
        (lambda: realised_measures([]), "log_returns"),
        (lambda: jump_test([nan]), r"log_returns\[0\]"),
        (lambda: log_returns([]), "prices must have at least 1"),
        (lambda: log_returns([1.0, -1.0]), r"prices\[1\] must be > 0"),
        (lambda: log_returns([1.0, 2.0], out=np.zeros(2)), "out must be a writable"),
        (lambda: two_scale_variance([1.0, 2.0]), "log_prices must have at least 3"),
        (lambda: two_scale_variance([1.0, 2.0, 3.0], step=3), "step must lie in 2 to 2"),
        (lambda: preaveraged_variance([1.0, 2.0, nan]), r"log_prices\[2\]"),
        (lambda: preaveraged_variance([1.0, 2.0, 3.0], window=1), "window must lie in 2 to 2"),
        (lambda: realised_kernel([0.1]), "log_returns must have at least 2"),
        (lambda: realised_kernel([0.1, 0.2], bandwidth=2), "bandwidth must lie in 0 to 1"),
        (lambda: noise_variance([0.1]), "log_prices must have at least 2"),
        (lambda: noise_share([0.1] * 4, every=0), "every must lie in 1 to 3"),
        (lambda: volume_bars(*ONE[:2], [0.5], bucket_lots=1), "lots must hold whole numbers"),
        (lambda: volume_bars(*ONE[:2], [[5]], bucket_lots=1), "lots must have one dimension"),
        (lambda: volume_bars(*ONE[:2], [0], bucket_lots=1), r"lots\[0\] must lie in 1"),
        (lambda: volume_bars(*ONE, bucket_lots=0), "bucket_lots must lie in 1"),
        (lambda: volume_bars(*ONE[:2], [2**50], bucket_lots=1, is_merged=False), "too small"),
        (lambda: volume_bars([nan], *ONE[1:], bucket_lots=1), r"secs\[0\] must be finite"),
        (lambda: volume_bars([2.0, 1.0], [1.0, 1.0], [1, 1], bucket_lots=1), r"secs\[1\]"),
        (lambda: volatility([1.0], [0.0], [5], bucket_lots=1), r"prices\[0\] must be > 0"),
        (lambda: volatility_per_root_second(realised_variance([0.1]), 0.0), "window_secs"),
        (lambda: ewma_volatility([1.0], [1.0], decay_secs=0.0), "decay_secs must be > 0"),
        (lambda: ewma_volatility([1.0], [1.0, 2.0], decay_secs=1.0), "secs and out must have"),
        (lambda: ewma_volatility([2.0, 1.0], [1.0, 2.0], decay_secs=1.0), r"secs\[1\]"),
        (lambda: volatility_regimes([nan]), r"ratios\[0\]"),
        (lambda: volatility_regimes([1.0], up=(1.0, 2.0), down=(1.5, 1.6)), r"down\[0\]"),
    ],
)
def test_values_outside_their_domain_are_refused(call, text):
    """Each refusal names the argument, the index and the rule."""
    with pytest.raises(ValueError, match=text):
        call()


def test_the_fast_pass_and_the_full_measures_agree():
    """Two roads to one number."""
    returns = np.random.default_rng(10).normal(size=1000)

    assert bipower_variation(returns).value == pytest.approx(
        realised_variation(returns)["bv"], rel=1e-13
    )


def test_the_examples_run():
    """Examples of docstrings are code."""
    for module in (noise_module, realised_module, volatility_module):
        assert doctest.testmod(module).failed == 0
