"""Markouts against oracle and twin, and the streaming form against the batch form."""

import doctest
import sys
from collections import deque
from math import exp, inf, isnan, nan, sqrt

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hypermm import markouts as module
from hypermm._core import markouts as kernel
from hypermm._core.markouts import (
    MarkoutRing,
    MarkoutStream,
    fit_depth,
    measure_markouts,
    newey_west,
    overlap_lags,
    sized_mean,
)
from hypermm.markouts import HORIZONS_SECS, MAX_KEPT, MAX_OPEN, Markouts
from hypermm.messages import Fill, Side
from tests.oracle import cases, check
from tests.reference import markouts as reference

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
    i = case["inputs"]
    times, mids, fills, prices, sizes = (
        np.array(i[key], dtype=float) for key in ("t_mid", "mid", "t", "price", "size")
    )
    moves, captures = np.empty(len(fills)), np.empty(len(fills))
    results = []

    for horizon in i["horizons"]:
        n = measure_markouts(
            times, mids, fills, np.array(i["side"]), prices, moves, captures, horizon_secs=horizon
        )
        mean, error = newey_west(moves[:n], lags=i["lags"])
        capture = captures[:n].mean()
        results.append((n, mean, error, sized_mean(moves[:n], sizes[:n]), capture, capture - mean))

    keys = "n_used", "markout_bps", "se_hac_bps", "markout_bps_sizew", "capture_bps", "net_edge_bps"
    for key, values in zip(keys, zip(*results, strict=True), strict=True):
        check(case, key, list(values))


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


def test_a_summary_without_news_is_the_one_before():
    """It is asked for each second and costs microseconds; a new fill shows in the next one."""
    stream = Markouts()
    stream.open(fill(Side.BUY, 99, SECOND), 100.0, SECOND)
    stream.advance(100.0, SECOND)
    stream.advance(100.0, SECOND + SECOND // 2 + 1)

    first, again = stream.summary(), stream.summary()

    assert all(a is b for a, b in zip(first, again, strict=True))
    stream.advance(100.0, 2 * SECOND + 1)
    assert [one.n for one in stream.summary()] == [1, 1, 0, 0, 0]


SERIES = st.lists(st.floats(-1e3, 1e3), min_size=1, max_size=60)


@given(SERIES, st.integers(0, 80))
def test_the_error_is_newey_wests(values, lags):
    """One pass over windows equals the weighted autocovariances, for more lags than values too."""
    mean, error = newey_west(np.array(values), lags=lags)

    expected = reference.newey_west(values, lags)
    assert mean == pytest.approx(expected[0], rel=1e-12, abs=1e-12)
    assert error == pytest.approx(expected[1], rel=1e-6, abs=1e-6, nan_ok=True)


@pytest.mark.parametrize("scale", [1e-100, 1.0, 1e90])
def test_the_error_knows_no_unit(scale):
    """And one value has none, and no value no mean."""
    values = np.random.default_rng(3).normal(size=500)

    mean, error = newey_west(values * scale, lags=20)

    expected = newey_west(values, lags=20)
    assert (mean / scale, error / scale) == pytest.approx(expected, rel=1e-9)
    assert isnan(newey_west(np.array([5.0]), lags=3)[1])
    assert newey_west(np.array([5.0]), lags=3)[0] == 5.0
    assert isnan(newey_west(np.empty(0), lags=0)[0])


def test_correlated_values_have_a_larger_error():
    """Fills cluster; an error that took them as independent would trust too few of them."""
    values = np.repeat(np.random.default_rng(1).normal(size=100), 10)

    assert newey_west(values, lags=20)[1] > 2.0 * newey_west(values, lags=0)[1]


@given(st.lists(st.integers(0, 50), max_size=60), st.integers(0, 100))
def test_lags_follow_the_overlap(stamps, horizon_ns):
    """Ties and empty series included."""
    stamps = sorted(stamps)

    result = overlap_lags(np.array(stamps, dtype=np.int64), horizon_ns=horizon_ns)

    assert result == reference.overlap_lags(stamps, horizon_ns)


PATH = st.lists(
    st.tuples(st.sampled_from([0, 0, 1, 2, 9]), st.integers(90, 110)), min_size=1, max_size=40
)
FILLS = st.lists(
    st.tuples(st.integers(1, 60), st.sampled_from([1, -1]), st.integers(90, 110)), max_size=20
)


@given(PATH, FILLS, st.sampled_from([0.0, 0.5, 1.0, 7.0, 100.0]), st.booleans())
def test_markouts_agree_with_their_reference(path, fills, horizon, is_before_ties):
    """Ties in time on both sides of the fill, horizons of 0 and beyond the end."""
    times = np.cumsum([step for step, _ in path], dtype=float)
    times -= times[0]
    mids, fills = np.array([float(m) for _, m in path]), sorted(fills)
    columns = [np.array([f[i] for f in fills], dtype=t) for i, t in ((0, float), (1, np.int64))]
    prices, moves, captures = (
        np.array([f[2] for f in fills], dtype=float), *np.full((2, len(fills)), nan)
    )  # fmt: skip

    n = measure_markouts(
        times, mids, *columns, prices, moves, captures,
        horizon_secs=horizon, is_before_ties=is_before_ties,
    )  # fmt: skip

    expected = reference.measure(
        times.tolist(), mids.tolist(), fills, horizon, is_before_ties=is_before_ties
    )
    assert n == len(expected)
    np.testing.assert_allclose(moves[:n], [e[0] for e in expected], rtol=1e-12)
    np.testing.assert_allclose(captures[:n], [e[1] for e in expected], rtol=1e-12)
    assert np.isnan(moves[n:]).all()


def test_a_mid_of_the_fills_own_stamp_may_count_as_after_it():
    """Book and fill carry the block's stamp: the sweep is part of the loss."""
    times, mids = np.array([0.0, 1.0]), np.array([100.0, 99.0])
    buy = np.array([1.0]), np.array([1]), np.array([99.5])
    out = np.empty(1), np.empty(1)

    measure_markouts(times, mids, *buy, *out, horizon_secs=0.0)
    assert [a[0] for a in out] == pytest.approx([0.0, -0.5 / 99.0 * 1e4])
    measure_markouts(times, mids, *buy, *out, horizon_secs=0.0, is_before_ties=True)

    assert [a[0] for a in out] == pytest.approx([100.0, 50.0])


@given(st.lists(st.tuples(st.floats(-9, 9), st.floats(0.1, 9)), max_size=60), st.integers(1, 7))
def test_the_ring_keeps_the_newest(values, capacity):
    """As a bounded deque does, in time order."""
    ring, kept = MarkoutRing(capacity), deque(maxlen=capacity)

    for i, (move, size) in enumerate(values):
        ring.add(i, move, -move, size)
        kept.append((i, move, size))

    n, mean, error, sized, capture = ring.read(horizon_ns=2)
    assert len(ring) == n == len(kept)
    assert ring.added == len(values)
    if kept:
        moves = [k[1] for k in kept]
        lags = reference.overlap_lags([k[0] for k in kept], 2)
        expected = reference.newey_west(moves, lags)
        assert (mean, error) == pytest.approx(expected, rel=1e-6, abs=1e-7, nan_ok=True)
        weighed = sum(k[1] * k[2] for k in kept) / sum(k[2] for k in kept)
        assert sized == pytest.approx(weighed, rel=1e-9, abs=1e-9)
        assert capture == pytest.approx(-mean, abs=1e-12)


@given(
    st.lists(
        st.tuples(st.floats(-1e3, 1e3), st.floats(0.1, 10), st.floats(0, 20)),
        min_size=1,
        max_size=30,
    )
)
def test_the_stream_is_the_decayed_sums(values):
    """Of w, w x and w x^2, summed again from all fills."""
    stream, total = MarkoutStream(decay_secs=10.0), sum(s for _, _, s in values)

    at, terms = 0.0, []
    for move, size, secs in values:
        stream.update(move, weight=size, secs=secs)
        at += secs
        terms.append((move, size * exp((at - total) / 10.0)))

    w, w2 = sum(w for _, w in terms), sum(w * w for _, w in terms)
    mean = sum(x * w for x, w in terms) / w
    spread = sum(w * (x - mean) ** 2 for x, w in terms) / w
    got = stream.read()
    assert got[0] == pytest.approx(mean, rel=1e-9, abs=1e-9)
    assert got[2] == pytest.approx(w * w / w2, rel=1e-9)
    if w * w / w2 > 1.001:
        assert got[1] == pytest.approx(sqrt(spread / (w * w / w2 - 1)), rel=1e-6, abs=1e-6)


def test_a_stream_without_fills_has_no_mean():
    """And one fill no error."""
    stream = MarkoutStream(decay_secs=10.0)
    assert isnan(stream.read()[0])
    assert stream.read()[2] == 0.0

    stream.update(3.0)

    assert stream.read()[0] == 3.0
    assert isnan(stream.read()[1])
    stream.advance(1e9)
    assert isnan(stream.read()[0])


@pytest.mark.parametrize("decay", [1e-3, 0.1, 1.0, 5.0])
@pytest.mark.parametrize("level", [-2.0, 0.01, 300.0])
def test_a_curve_of_depth_is_found_again(decay, level):
    """Without noise exactly, either sign."""
    depths = np.linspace(0.0, 3.0 / decay, 40)
    weights = np.random.default_rng(1).uniform(0.5, 2.0, 40)

    fit = fit_depth(depths, level * np.exp(-decay * depths), weights)

    assert fit["markout"] == pytest.approx(level, rel=1e-7)
    assert fit["decay_per_bps"] == pytest.approx(decay, rel=1e-7)


def test_a_noisy_curve_lies_in_its_interval():
    """95 % of 200 simulated ones, give or take three standard errors of that count."""
    rng, inside = np.random.default_rng(2), np.zeros(2)
    depths = rng.uniform(0.0, 20.0, 400)

    for _ in range(200):
        moves = 4.0 * np.exp(-depths / 5.0) + rng.normal(scale=2.0, size=400)
        fit = fit_depth(depths, moves, np.ones(400))
        inside[0] += abs(fit["markout"] - 4.0) < 1.96 * fit["markout_error"]
        inside[1] += abs(fit["decay_per_bps"] - 0.2) < 1.96 * fit["decay_error"]

    assert (inside / 200 >= 0.95 - 3 * (0.95 * 0.05 / 200) ** 0.5).all()


def test_a_markout_that_grows_with_depth_is_not_forced_into_the_curve():
    """Deep fills come from sweeps; the mean and a slope above 0 are the answer."""
    depths = np.linspace(0.0, 10.0, 50)

    fit = fit_depth(depths, 1.0 + 0.3 * depths, np.ones(50))

    assert fit["decay_per_bps"] == 0.0
    assert isnan(fit["decay_error"])
    assert fit["markout"] == pytest.approx(2.5)
    assert fit["slope"] == pytest.approx(0.3)
    same = fit_depth(np.ones(5), np.arange(5.0), np.ones(5))
    assert (same["markout"], same["decay_per_bps"]) == (2.0, 0.0)
    assert isnan(same["slope"])


def measure(**changes):
    given = {"mid_secs": [0, 1], "mids": [1, 1], "fill_secs": [0.5], "sides": [1], "prices": [1]}
    given = {**given, **changes}
    horizon = given.pop("horizon_secs", 0.1)
    types = {"sides": np.int64}
    arrays = [np.array(v, dtype=types.get(k, float)) for k, v in given.items()]
    n = len(given["fill_secs"])
    return measure_markouts(*arrays, np.empty(n), np.empty(n), horizon_secs=horizon)


@pytest.mark.parametrize(
    ("call", "match"),
    [
        (lambda: measure(mid_secs=[], mids=[]), "at least one mid"),
        (lambda: measure(mid_secs=[1, 0]), r"mid_secs\[1\] must not be below"),
        (lambda: measure(mids=[1, 0]), r"mids\[1\] must be > 0"),
        (lambda: measure(mids=[1]), "mids must have length 2"),
        (lambda: measure(fill_secs=[nan]), r"fill_secs\[0\] must be finite"),
        (lambda: measure(fill_secs=[-1]), "mid_secs must start before"),
        (lambda: measure(sides=[0]), r"sides\[0\] must be 1 or -1"),
        (lambda: measure(prices=[nan]), r"prices\[0\] must be finite"),
        (lambda: measure(prices=[1, 1]), "prices must have length 1"),
        (lambda: measure(horizon_secs=-1.0), "horizon_secs must be >= 0"),
        (lambda: newey_west(np.array([nan]), lags=0), r"values\[0\] must be finite"),
        (lambda: newey_west(np.array([1.0]), lags=-1), "lags must be >= 0"),
        (lambda: overlap_lags(np.array([2, 1]), horizon_ns=0), r"stamps_ns\[1\]"),
        (lambda: overlap_lags(np.array([1, 2]), horizon_ns=-1), "horizon_ns must be >= 0"),
        (lambda: sized_mean(np.ones(1), -np.ones(1)), r"sizes\[0\] must be >= 0"),
        (lambda: sized_mean(np.ones(1), np.ones(2)), "sizes must have length 1"),
        (lambda: MarkoutRing(0), "capacity must lie in"),
        (lambda: MarkoutRing(1).add(0, nan, 0.0, 1.0), "move_bps must be finite"),
        (lambda: MarkoutRing(1).add(0, 0.0, nan, 1.0), "capture_bps must be finite"),
        (lambda: MarkoutRing(1).add(0, 0.0, 0.0, 0.0), "size must be > 0"),
        (lambda: MarkoutRing(1).read(horizon_ns=-1), "horizon_ns must be >= 0"),
        (lambda: MarkoutStream(decay_secs=0.0), "decay_secs must be > 0"),
        (lambda: MarkoutStream(decay_secs=1.0).update(nan), "move_bps must be finite"),
        (lambda: MarkoutStream(decay_secs=1.0).update(1.0, weight=0.0), "weight must be > 0"),
        (lambda: MarkoutStream(decay_secs=1.0).update(1.0, secs=-1.0), "secs must be >= 0"),
        (lambda: MarkoutStream(decay_secs=1.0).advance(nan), "secs must be >= 0"),
        (lambda: fit_depth(np.ones(2), np.ones(2), np.ones(2)), "at least 3"),
        (lambda: fit_depth(-np.ones(3), np.ones(3), np.ones(3)), r"depths_bps\[0\]"),
        (lambda: fit_depth(np.ones(3), np.ones(3), np.zeros(3)), r"weights\[0\]"),
        (lambda: fit_depth(np.ones(3), np.ones(2), np.ones(3)), "must have length 3"),
    ],
)
def test_values_outside_their_domain_are_refused(call, match):
    """The door names argument, index and rule."""
    with pytest.raises(ValueError, match=match):
        call()


def test_a_stamp_that_runs_back_is_refused():
    """The overlap of horizons is read from neighbours."""
    ring = MarkoutRing(4)
    ring.add(5, 1.0, 1.0, 1.0)

    with pytest.raises(ValueError, match="stamp_ns must not be below"):
        ring.add(4, 1.0, 1.0, 1.0)


def test_hot_calls_allocate_nothing():
    """Adding is on the path of a fill."""
    ring, stream = MarkoutRing(100), MarkoutStream(decay_secs=10.0)
    before = sys.getallocatedblocks()

    for i in range(10_000):
        ring.add(i, 1.0, 2.0, 3.0)
        ring.read(horizon_ns=10)
        stream.update(1.0, secs=0.1)

    assert sys.getallocatedblocks() - before < 20


def test_the_examples_run():
    """Examples of docstrings are code."""
    assert doctest.testmod(module).failed == 0
    assert doctest.testmod(kernel).failed == 0


# What a fill is expected to lose


def lose(markouts, losses, depths, *, price=1_000_000, first=1):
    """Make fills that lose `losses` bps within half a minute, at `depths` bps from the mid."""
    for k, (loss, depth) in enumerate(zip(losses, depths, strict=True)):
        now = (first + k) * 200 * SECOND
        markouts.advance(price, now)
        at = round(price * (1.0 - depth * 1e-4))
        markouts.open(fill(Side.BUY, at, now), price, now)
        markouts.advance(price * (1.0 - loss * 1e-4), now + SECOND // 10)
        for second in range(1, 62, 4):
            markouts.advance(price * (1.0 - loss * 1e-4), now + second * SECOND)


def test_without_own_fills_the_loss_is_the_prior():
    """Half the spread, until something better is known; the horizon is the inventory's."""
    found = Markouts().adverse(1.25, 40.0)

    assert (found.mean_bps, found.touch_bps, found.n) == (1.25, 1.25, 0)
    assert isnan(found.error_bps)
    assert found.depth_bps == inf
    assert found.horizon_secs == 30.0


@pytest.mark.parametrize(("life", "horizon"), [(0.01, 0.5), (1.2, 1.0), (10.0, 5.0), (1e6, 60.0)])
def test_the_horizon_is_the_one_nearest_to_the_inventorys_life(life, horizon):
    """Nearest as a ratio: ten seconds are nearer to five than to thirty."""
    assert Markouts().adverse(0.0, life).horizon_secs == horizon


def test_few_fills_are_drawn_to_the_prior_and_many_stand_for_themselves():
    """The prior weighs fifty fills."""
    few, many = Markouts(), Markouts()
    lose(few, [3.0] * 10, [5.0] * 10)
    lose(many, [3.0] * 450, [5.0] * 450)

    assert few.adverse(1.0, 5.0).mean_bps == pytest.approx((10 * 3.0 + 50 * 1.0) / 60, rel=1e-6)
    assert many.adverse(1.0, 5.0).mean_bps == pytest.approx(2.8, rel=1e-6)


def test_a_loss_that_falls_with_depth_is_found_and_one_that_rises_is_not_used():
    """Deep fills that cost more come of sweeps: the decaying form does not hold for them."""
    depths = [1.0 + 10.0 * (k % 25) / 25 for k in range(200)]
    noise = [0.05 * (-1) ** k for k in range(200)]
    falling, rising = Markouts(), Markouts()
    lose(falling, [4.0 * exp(-d / 5.0) + x for d, x in zip(depths, noise, strict=True)], depths)
    lose(rising, [1.0 + 0.2 * d + x for d, x in zip(depths, noise, strict=True)], depths)

    falls, rises = falling.adverse(4.0, 5.0), rising.adverse(4.0, 5.0)

    assert falls.depth_bps == pytest.approx(5.0, rel=0.1)
    assert falls.touch_bps == pytest.approx(4.0, rel=0.1)
    assert rises.depth_bps == inf
    assert rises.touch_bps == rises.mean_bps


def test_advancing_says_whether_a_markout_was_finished():
    """The engine looks at what was learnt only when something was."""
    markouts = Markouts()
    assert not markouts.advance(100.0, SECOND)
    markouts.open(fill(Side.BUY, 100, SECOND), 100.0, SECOND)

    assert not markouts.advance(100.0, SECOND + 1)
    assert markouts.advance(100.0, 2 * SECOND)
