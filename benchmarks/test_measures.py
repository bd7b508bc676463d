"""Measures against their twins in plain Python, in one process: each figure is a ratio."""

from math import exp, log, pi, sqrt
from timeit import repeat

import numpy as np

from hypermm._core.bars import volume_bars
from hypermm._core.bipower import BipowerStream
from hypermm._core.kappa import censored_rate, fit_truncated
from hypermm._core.kappa_joint import fit_joint
from hypermm._core.noise import preaveraged_variance, realised_kernel, two_scale_variance
from hypermm._core.realised import realised_bipower, realised_variation
from hypermm._core.regime import Regime
from hypermm.notebook.evaluation import overfitting_probability
from tests.reference import bipower as bipower_twin
from tests.reference import evaluation as evaluation_twin
from tests.reference import kappa as kappa_twin
from tests.reference import kappa_joint as joint_twin
from tests.reference import noise as noise_twin

RANDOM = np.random.default_rng(1)
RETURNS = RANDOM.normal(scale=1e-4, size=1_000_000)
PRICES = np.exp(np.cumsum(RETURNS))
SECS = np.cumsum(RANDOM.exponential(size=RETURNS.size))
LOTS = RANDOM.integers(1, 40, RETURNS.size)
DEPTHS = RANDOM.exponential(2.0, 1000)
FEW = 2000  # of them for twins in Python

# About a third of what was measured on two cores of a cloud machine (in brackets).
PASS_GATE = 0.37  # (1.1 of numpy's dots on both cores; 0.20 ns a return)
MEASURES_GATE = 18.0  # (55; 12 ns a return)
STREAM_GATE = 12.0  # (36; 6.6 ns a trade)
BARS_GATE = 5.0  # (16; 2.9 ns a trade)
RATE_GATE = 60.0  # (195; 0.74 us for 1,000 depths)
CUT_GATE = 16.0  # (49; 1.2 us)
JOINT_GATE = 120.0  # (378; 1.6 us for 12 depths)
TWO_SCALE_GATE = 120.0  # (361; 0.49 ns a price)
AVERAGE_GATE = 2800.0  # (8,600; 1.0 ns a price, window 60)
KERNEL_GATE = 300.0  # (900; 8.5 us for 31 lags of 2,000 returns)
REGIME_GATE = 8.0  # (24; 1.7 ns a ratio)
OVERFITTING_GATE = 400.0  # (1,230; 95 us for 70 splits of 10 columns)


def speedup(benchmark, other, number=1, scale=1.0):
    """Note the ratio of the two minima; `scale` is how much less work the other does."""
    secs = min(repeat(other, number=number, repeat=7)) / number * scale
    ratio = secs / benchmark.stats["min"]
    benchmark.extra_info["speedup"] = round(ratio, 1)
    return ratio


def test_realised_and_bipower_variance_take_one_pass(benchmark):
    benchmark(realised_bipower, RETURNS)

    def numpy():
        sizes = np.abs(RETURNS)
        return RETURNS @ RETURNS, sizes[1:] @ sizes[:-1]

    assert speedup(benchmark, numpy) >= PASS_GATE


def test_all_measures_are_much_faster_than_python(benchmark):
    some = RETURNS[:FEW].tolist()

    benchmark(realised_variation, RETURNS[:FEW])

    assert speedup(benchmark, lambda: bipower_twin.variation(some)) >= MEASURES_GATE


def test_a_series_of_prices_is_streamed_much_faster_than_by_python(benchmark):
    out = np.empty_like(PRICES)
    secs, prices = SECS[:FEW].tolist(), PRICES[:FEW].tolist()

    def run():
        BipowerStream(decay_secs=300.0).run(SECS, PRICES, out)

    benchmark(run)

    def plain_python():
        squares = span = products = roots = size_before = step_before = 0.0
        for i in range(1, FEW):
            step = secs[i] - secs[i - 1]
            size = abs(log(prices[i] / prices[i - 1]))
            weight = exp(-step / 300.0)
            squares = weight * squares + size * size
            span = weight * span + step
            products = weight * products + pi / 2 * size * size_before
            roots = weight * roots + sqrt(step * step_before)
            size_before, step_before = size, step
            if roots > 0.0:
                sqrt(products / roots)

    assert speedup(benchmark, plain_python, scale=PRICES.size / FEW) >= STREAM_GATE


def test_trades_are_cut_into_bars_much_faster_than_by_python(benchmark):
    out = np.empty((PRICES.size, 8))
    prices, lots = PRICES[:FEW].tolist(), LOTS[:FEW].tolist()

    benchmark(volume_bars, SECS, PRICES, LOTS, out, bucket_lots=200)

    def plain_python():
        fill, cost, vwaps = 0, 0.0, []
        for price, size in zip(prices, lots, strict=True):
            rest = size
            while fill + rest >= 200:
                part = 200 - fill
                vwaps.append((cost + price * part) / 200)
                rest, fill, cost = rest - part, 0, 0.0
            fill += rest
            cost += price * rest

    assert speedup(benchmark, plain_python, scale=PRICES.size / FEW) >= BARS_GATE


def test_a_thousand_depths_are_fitted_much_faster_than_by_python(benchmark):
    depths, weights = DEPTHS.tolist(), [1.0] * DEPTHS.size

    benchmark(censored_rate, DEPTHS)

    def plain_python():
        kappa_twin.censored(depths, 0.0, 50.0, weights)

    assert speedup(benchmark, plain_python) >= RATE_GATE


def test_cut_off_depths_are_fitted_much_faster_than_by_python(benchmark):
    depths = np.minimum(DEPTHS, 9.0)
    some = depths.tolist()

    benchmark(fit_truncated, depths, depth_min=0.0, depth_max=9.0)

    assert speedup(benchmark, lambda: kappa_twin.truncated(some, 0.0, 9.0)) >= CUT_GATE


def test_level_and_decay_are_fitted_much_faster_than_by_python(benchmark):
    depths, secs = np.linspace(0.5, 6.0, 12), np.full(12, 500.0)
    fills = np.round(secs * 0.5 * np.exp(-0.4 * depths))

    benchmark(fit_joint, depths, secs, fills)

    def plain_python():
        joint_twin.fit(depths.tolist(), secs.tolist(), fills.tolist())

    assert speedup(benchmark, plain_python) >= JOINT_GATE


def test_two_scales_are_much_faster_than_python(benchmark):
    some = PRICES[:FEW].tolist()

    benchmark(two_scale_variance, PRICES, step=100)

    def plain_python():
        noise_twin.two_scale(some, 100)

    assert speedup(benchmark, plain_python, scale=PRICES.size / FEW) >= TWO_SCALE_GATE


def test_averages_of_any_window_cost_one_pass(benchmark):
    some = PRICES[:FEW].tolist()

    benchmark(preaveraged_variance, PRICES, window=60)

    def plain_python():
        noise_twin.preaveraged(some, 60)

    assert speedup(benchmark, plain_python, scale=PRICES.size / FEW) >= AVERAGE_GATE


def test_the_realised_kernel_is_much_faster_than_python(benchmark):
    some = RETURNS[:FEW].tolist()

    benchmark(realised_kernel, RETURNS[:FEW], bandwidth=30)

    assert speedup(benchmark, lambda: noise_twin.kernel(some, 30)) >= KERNEL_GATE


def test_regimes_are_much_faster_than_python(benchmark):
    ratios = RANDOM.lognormal(0.0, 0.6, size=FEW)
    out, some = np.empty(FEW, np.int8), ratios.tolist()

    benchmark(Regime(min_dwell=3).run, ratios, out)

    def plain_python():
        state = dwell = 0
        for ratio in some:
            target = 2 if ratio >= 3.0 else 1 if ratio >= 1.5 else 0
            dwell += 1
            if target > state:
                state, dwell = target, 0
            elif state and ratio <= (1.2, 2.4)[state - 1] and dwell > 3:
                state, dwell = state - 1, 0

    assert speedup(benchmark, plain_python) >= REGIME_GATE


def test_overfitting_is_found_much_faster_than_by_python(benchmark):
    returns = RANDOM.normal(size=(160, 10))

    benchmark(overfitting_probability, returns, blocks=8)

    def plain_python():
        evaluation_twin.overfitting(returns.tolist(), 8)

    assert speedup(benchmark, plain_python) >= OVERFITTING_GATE
