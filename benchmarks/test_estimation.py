"""Estimation against its twins in plain Python, in one process: each figure is a ratio."""

from math import exp, pi, sqrt
from timeit import repeat

import numpy as np

from hypermm._core.bipower import BipowerStream, VolumeClock
from hypermm._core.book import Book
from hypermm._core.feed import Feed
from hypermm._core.kappa import KappaStream, fit_censored
from hypermm._core.realised import realised_variation
from hypermm._core.rows import TRADE, Rows
from hypermm.estimators import Estimators
from hypermm.instrument import Instrument
from tests.reference import bipower as bipower_twin
from tests.reference import book as book_twin
from tests.reference import kappa as kappa_twin

DEEP = (
    "deep",
    1_000_000_000,
    [(1000 - i, 5 + i) for i in range(20)],
    [(1001 + i, 5 + i) for i in range(20)],
)
RETURNS = np.random.default_rng(1).normal(scale=1e-4, size=200)
DEPTHS = np.random.default_rng(2).exponential(2.0, 200)


# About a third of what was measured on two cores of a cloud machine (in brackets).
BOOK_GATE = 25.0  # (82; 0.17 us)
VARIATION_GATE = 15.0  # (47; 2.8 us for 200 returns)
CLOCK_GATE = 15.0  # (54; 33 ns)
FIT_GATE = 2.0  # (5.7; most of its 5 us are the gamma quantiles of four interval ends)
FEED_GATE = (
    0.7  # (2.2; 1.1 us a row: fair price, arrivals and queues, which the twin has not, are in it)
)
APPLY_GATE = 20.0  # (65; 0.22 us for 40 rows)
READ_GATE = 0.35  # (1.1; 1.9 us)
STREAM_GATE = 1.7  # (5.1; 37 ns, most of it the call)


def speedup(benchmark, plain_python):
    """Run the twin and note the ratio of the two minima."""
    plain_secs = min(repeat(plain_python, number=10, repeat=9)) / 10
    ratio = plain_secs / benchmark.stats["min"]
    benchmark.extra_info["speedup"] = round(ratio, 1)
    return ratio


def test_a_book_frame_is_applied_much_faster_than_by_dictionaries(benchmark):
    book, twin, rows = Book(), book_twin.Book(), book_twin.rows_of([DEEP])

    benchmark(book.apply, rows)

    assert speedup(benchmark, lambda: twin.apply(DEEP)) >= BOOK_GATE


def test_a_window_is_measured_much_faster_than_by_python(benchmark):
    returns = RETURNS.tolist()

    benchmark(realised_variation, RETURNS)

    assert speedup(benchmark, lambda: bipower_twin.variation(returns)) >= VARIATION_GATE


def test_the_volume_clock_is_much_faster_than_one_in_python(benchmark):
    clock, twin = VolumeClock(50), bipower_twin.VolumeClock(50)

    benchmark(clock.update, 1, 100, 60)

    assert speedup(benchmark, lambda: twin.add(1, 100, 60)) >= CLOCK_GATE


def test_depths_are_fitted_much_faster_than_by_python(benchmark):
    depths, weights = DEPTHS.tolist(), [1.0] * len(DEPTHS)

    benchmark(fit_censored, DEPTHS)

    ratio = speedup(benchmark, lambda: kappa_twin.censored(depths, 0.0, 1e9, weights))
    assert ratio >= FIT_GATE


def walk(n):
    """Alternating quotes and trades, a second apart."""
    rows, frames = Rows.allocate(3 * n), []
    for i in range(n):
        ns = (i + 1) * 1_000_000_000
        frame = ("quote", ns, [(1000 + i % 3, 5)], [(1002 + i % 3, 5)])
        book_twin.append_frame(rows, frame)
        rows.append(kind=TRADE, side=1, exch_ns=ns, price=1003, size=7, id=i + 1)
        frames.append((frame, ns))
    return rows, frames


def test_the_feed_walks_rows_and_learns_faster_than_its_first_parts_in_python(benchmark):
    """The twin does a part of the work only: the book, the clock and the intensity."""
    rows, frames = walk(100)

    def new_feed():  # its tables are made once a session, not with each row
        return (Feed(window_secs=300.0, price_decimals=1), rows), {}

    def plain_python():
        book, clock = book_twin.Book(), bipower_twin.VolumeClock(10)
        stream = KappaStream(decay_secs=300.0)
        for frame, ns in frames:
            book.apply(frame)
            clock.add(ns, 1003, 7)
            mid = book.mid_before(ns)
            stream.advance(1.0)
            if mid is not None and mid < 1003:
                stream.update((1003 - mid) / mid * 1e4, least_bps=0.0)

    benchmark.pedantic(Feed.apply, setup=new_feed, rounds=200)

    assert speedup(benchmark, plain_python) >= FEED_GATE


def test_the_estimators_take_a_forty_row_book_much_faster_than_a_book_in_python(benchmark):
    """What a message costs the engine: one call into the kernels."""
    estimators = Estimators(Instrument(coin="BTC", asset_id=0, size_decimals=5))
    rows, twin = book_twin.rows_of([DEEP]), book_twin.Book()

    benchmark(estimators.apply, rows)

    assert speedup(benchmark, lambda: twin.apply(DEEP)) >= APPLY_GATE


def test_reading_all_estimates_costs_about_a_hundred_additions(benchmark):
    """Read at every step. The yardstick is a Python call with one addition, 100 of them."""
    estimators = Estimators(Instrument(coin="BTC", asset_id=0, size_decimals=5))
    estimators.apply(book_twin.rows_of([DEEP]))

    benchmark(estimators.read, 2_000_000_000)

    def add(a):
        return a + 1

    def plain_python():
        for i in range(100):
            add(i)

    assert speedup(benchmark, plain_python) >= READ_GATE


def test_a_streaming_volatility_is_faster_than_the_same_sums_in_python(benchmark):
    stream = BipowerStream(decay_secs=300.0)
    sums, last = [0.0, 0.0, 0.0, 0.0], (1e-4, 1.0)

    def plain_python():
        size, secs = abs(1e-4), 1.0
        weight = exp(-secs / 300.0)
        sums[0] = weight * sums[0] + size * size
        sums[1] = weight * sums[1] + secs
        sums[2] = weight * sums[2] + pi / 2 * size * last[0]
        sums[3] = weight * sums[3] + sqrt(secs * last[1])

    benchmark(stream.update, 1e-4, 1.0)

    assert speedup(benchmark, plain_python) >= STREAM_GATE
