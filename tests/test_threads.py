"""Kernels let go of the interpreter while they compute: threads run side by side and agree."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier, Event
from time import monotonic

import numpy as np
import pytest

from hypermm._core.bipower import BipowerStream
from hypermm._core.glft import stationary_depths
from hypermm._core.hawkes import log_likelihood
from hypermm._core.noise import preaveraged_variance
from hypermm._core.realised import realised_bipower

EVENTS = np.cumsum(np.random.default_rng(1).exponential(size=200_000))
RETURNS = np.random.default_rng(2).normal(scale=1e-4, size=EVENTS.size)
PRICES = np.exp(np.cumsum(RETURNS))
LOTS = np.arange(-500.0, 501.0)


def likelihood():
    model = {"baseline_per_sec": 0.4, "jump_per_sec": 0.6, "decay_per_sec": 1.0}
    gradient = np.empty(3)
    value = log_likelihood(EVENTS, horizon_secs=float(EVENTS[-1]), gradient=gradient, **model)
    return value, *gradient.tolist()


def volatility():
    out = np.empty_like(PRICES)
    BipowerStream(decay_secs=60.0).run(EVENTS, PRICES, out)
    return out[2:].tobytes()


def quotes():
    bid, ask = np.empty_like(LOTS), np.empty_like(LOTS)
    market = {"volatility": 1.5, "kappa_per_bps": 0.25, "intensity_per_sec": 0.5}
    stationary_depths(
        LOTS, bid, ask, lots_long=500, lots_short=500, risk_aversion_per_bps=0.075, **market
    )
    return bid.tobytes(), ask.tobytes()


KERNELS = {
    "likelihood": likelihood,
    "volatility": volatility,
    "quotes": quotes,
    "realised": lambda: realised_bipower(RETURNS),
    "averages": lambda: preaveraged_variance(PRICES, window=60),
}


@pytest.mark.parametrize("kernel", KERNELS.values(), ids=KERNELS)
def test_two_threads_get_the_answer_of_one(kernel):
    """A kernel keeps nothing between calls, so that a desk may share it between threads."""
    expected = kernel()
    start = Barrier(2)

    def work(_):
        start.wait()
        return [kernel() for _ in range(10)]

    with ThreadPoolExecutor(2) as pool:
        answers = list(pool.map(work, range(2)))

    assert answers == [[expected] * 10] * 2


def test_another_thread_runs_while_a_kernel_computes():
    """One call on enough data outlives the switch interval many times, and Python goes on."""
    many = np.concatenate([EVENTS + k * EVENTS[-1] for k in range(50)])
    model = {"baseline_per_sec": 0.4, "jump_per_sec": 0.6, "decay_per_sec": 1.0}
    is_done, stamps = Event(), []

    def compute():
        begin = monotonic()
        log_likelihood(many, horizon_secs=float(many[-1]), **model)
        end = monotonic()
        is_done.set()
        return begin, end

    with ThreadPoolExecutor(1) as pool:
        call = pool.submit(compute)
        while not is_done.is_set():
            stamps.append(monotonic())
    begin, end = call.result()

    quarter = (end - begin) / 4
    assert sum(begin + quarter < stamp < end - quarter for stamp in stamps) > 10
