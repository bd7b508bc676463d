"""Our quotes among the others: place in the queue, chance of a fill, and what own fills teach."""

import doctest
from math import isnan

import numpy as np
import pytest

from hypermm._core import own as module
from hypermm._core.feed import Feed
from hypermm._core.kappa_joint import fit_joint
from hypermm._core.own import OwnQuotes
from hypermm._core.queue import QueuePosition
from hypermm._core.rows import FIRST, LAST, LEVEL, TRADE, Rows

SECOND = 10**9
START = 1_700_000_000 * SECOND
BIDS = ((1_000, 50), (999, 60), (998, 70))
ASKS = ((1_002, 50), (1_003, 60), (1_004, 70))


def book(feed, secs, bids=BIDS, asks=ASKS):
    """Apply a full book."""
    rows = Rows.allocate(16)
    sides = [(1, i, level) for i, level in enumerate(bids)]
    sides += [(-1, i, level) for i, level in enumerate(asks)]
    for n, (side, index, (price, size)) in enumerate(sides):
        flags = FIRST * (n == 0) | LAST * (n == len(sides) - 1)
        rows.append(
            kind=LEVEL, side=side, exch_ns=START + round(secs * SECOND), price=price, size=size,
            index=index, flags=flags,
        )  # fmt: skip
    feed.apply(rows)


def trade(feed, secs, side, price, size, trade_id):
    rows = Rows.allocate(1)
    rows.append(
        kind=TRADE, side=side, exch_ns=START + round(secs * SECOND), price=price, size=size,
        id=trade_id, flags=FIRST | LAST,
    )  # fmt: skip
    feed.apply(rows)


def started():
    feed = Feed(window_secs=300.0, price_decimals=1)
    book(feed, 0)
    return feed


def ahead(feed):
    return {(side, price): (lots, most) for side, price, _, lots, most in feed.own.queues()}


def test_a_new_quote_stands_behind_all_that_is_shown():
    """Known where the book reaches, unknown beyond it, nothing ahead at an empty price."""
    feed = started()

    feed.set_own(1, [1_001, 999, 990], [5, 5, 5])

    queues = ahead(feed)
    assert queues[1, 1_001] == (0.0, 0.0)
    assert queues[1, 999] == (60.0, 60.0)
    assert isnan(queues[1, 990][0])


def test_trades_bring_us_forward_and_cancels_do_in_part():
    """The same as the library's queue position: trades whole, cancels by the share ahead."""
    feed = started()
    feed.set_own(1, [999], [5])
    twin = QueuePosition(0, 3.0, 60.0)  # the power model
    book(feed, 1, bids=((1_000, 50), (999, 105), (998, 70)))  # 40 came behind us
    twin.depth(55.0, 100.0)

    trade(feed, 2, -1, 999, 20, 1)
    twin.trade(20.0)
    book(feed, 3, bids=((1_000, 50), (999, 65), (998, 70)))  # and 20 were cancelled
    twin.depth(100.0, 60.0)

    lots, most = ahead(feed)[1, 999]
    assert lots == pytest.approx(twin.ahead)
    assert lots < most == pytest.approx(40.0)


def test_a_quote_that_stays_keeps_its_place_and_one_that_moves_loses_it():
    """What the reconciler weighs against a better price."""
    feed = started()
    feed.set_own(1, [999], [5])
    trade(feed, 1, -1, 999, 40, 1)

    feed.set_own(1, [999], [3])
    kept = ahead(feed)[1, 999]
    feed.set_own(1, [998], [5])
    feed.set_own(1, [999], [5])

    assert kept == (20.0, 20.0)
    assert ahead(feed)[1, 999] == (60.0, 60.0)


def test_a_fill_of_ours_says_that_nothing_is_ahead():
    """The queue model was wrong: the fill is the truth."""
    feed = started()
    feed.set_own(1, [999], [5])

    feed.own_fill(1, 999, 2, 1_001.0)

    assert ahead(feed)[1, 999] == (0.0, 0.0)
    assert feed.own.fills == 1


def test_the_chance_of_a_fill_falls_with_depth_and_with_what_is_ahead():
    """In [0, 1]; higher at the touch than behind it, higher alone than behind a queue."""
    feed = started()
    for i in range(1, 60):
        book(feed, i)
        trade(feed, i + 0.5, -1 if i % 2 else 1, 1_000 if i % 2 else 1_002, 20, i)

    near = feed.fill_probability(1, 1_000, 50.0, 60.0)
    far = feed.fill_probability(1, 990, 50.0, 60.0)
    alone = feed.fill_probability(1, 1_000, 0.0, 60.0)

    assert 0.0 <= far < near < alone <= 1.0
    assert isnan(feed.fill_probability(1, 990, float("nan"), 60.0))
    with pytest.raises(ValueError, match="side"):
        feed.fill_probability(0, 990, 1.0, 60.0)
    with pytest.raises(ValueError, match="ahead"):
        feed.fill_probability(1, 990, -1.0, 60.0)


def test_own_fills_move_the_decay_as_the_joint_fit_says():
    """The posterior of seconds and fills by depth, with the arrivals as its prior."""
    feed = started()
    for i in range(1, 30):
        book(feed, i)
        trade(feed, i + 0.5, -1 if i % 2 else 1, 1_000 if i % 2 else 1_002, 20, i)
    feed.set_own(1, [1_000, 999, 998], [5, 5, 5])
    for i in range(30, 330):
        book(feed, i)

    for _ in range(12):  # all of them at the touch, ten bps from the mid
        feed.own_fill(1, 1_000, 5, 1_001.0)

    weight = 4.0 + feed.buys.weight + feed.sells.weight
    depths = np.array([(k + 0.5) * 0.5 for k in range(128)])
    assert feed.own.kappa_factor != 1.0
    secs, fills = np.zeros(128), np.zeros(128)
    for depth_bps in (9.99, 19.98, 29.97):
        secs[int(depth_bps / 0.5)] = 300.0
    fills[int(9.99 / 0.5)] = 12.0
    secs[int(9.99 / 0.5)] += 6.0  # half a second with each fill
    arrivals = feed.kappa_per_bps / feed.own.kappa_factor
    fit = fit_joint(
        depths, secs, fills, prior_shape=min(weight, 50.0),
        prior_rate=(min(weight, 50.0) - 1.0) / arrivals,
    )  # fmt: skip
    assert feed.own.kappa_factor == pytest.approx(fit["kappa"] / arrivals, rel=0.02)


def test_few_own_fills_or_none_leave_the_decay_to_the_arrivals():
    """Four fills are no law, and a fill without a mid before it says nothing of depth."""
    feed = started()
    feed.set_own(1, [999], [5])

    for _ in range(4):
        feed.own_fill(1, 999, 1, 1_001.0)

    assert feed.own.kappa_factor == 1.0
    assert isnan(feed.own.kappa_se_per_bps)
    for _ in range(20):
        feed.own_fill(-1, 1_003, 1, float("nan"))
    assert feed.own.kappa_factor == 1.0
    with pytest.raises(ValueError, match="side"):
        feed.own_fill(0, 999, 1, 1_001.0)
    with pytest.raises(ValueError, match="price"):
        feed.own_fill(1, 0, 1, 1_001.0)
    with pytest.raises(ValueError, match="decay_secs"):
        OwnQuotes(decay_secs=0.0)


def test_the_examples_run():
    """Examples of docstrings are code."""
    assert doctest.testmod(module).failed == 0
