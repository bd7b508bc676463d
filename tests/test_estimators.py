"""What is known, how well and since when; and the warm-up on recorded markets."""

import sys
import time
from math import inf, isnan

import attrs
import numpy as np
import pytest

from hypermm._core.feed import Feed
from hypermm._core.rows import (
    CONTEXT,
    DAY_VOLUME,
    FUNDING,
    MARK,
    OPEN_INTEREST,
    ORACLE,
    PREMIUM,
    ROW_DTYPE,
    SNAPSHOT,
    TRADE,
    Rows,
)
from hypermm.estimators import Estimates, Estimators, State
from hypermm.instrument import Instrument
from tests.recorded import market
from tests.reference.book import append_frame

SECOND = 1_000_000_000
START = 1_700_000_000 * SECOND
INSTRUMENT = Instrument(coin="BTC", asset_id=0, size_decimals=5)


def quote(estimators, secs, bid=999, ask=1001):
    rows = Rows.allocate(2)
    append_frame(rows, ("quote", START + round(secs * SECOND), [(bid, 5)], [(ask, 5)]))
    estimators.apply(rows)


def trades(estimators, first, n, flags=0):
    rows = Rows.allocate(n)
    for i in range(first, first + n):
        rows.append(
            kind=TRADE,
            side=1,
            exch_ns=START + i * SECOND // 10,
            price=1001 + i % 2,
            size=100,
            id=i + 1,
            flags=flags,
        )
    estimators.apply(rows)


def ns(secs):
    return round(secs * SECOND)


def test_missing_stale_and_not_warm_are_different_states():
    """Each asks for another action: wait for data, pull, go on learning."""
    estimators = Estimators(INSTRUMENT)

    missing = estimators.read(ns(1))
    quote(estimators, 0)
    fresh = estimators.read(ns(2))
    stale = estimators.read(ns(6))

    assert (missing.has_book, missing.age_secs, missing.exch_now_ns) == (False, inf, 0)
    assert isnan(missing.fair_price)
    assert (fresh.has_book, fresh.age_secs, fresh.is_warm) == (True, 0.0, False)
    assert (fresh.fair_price, fresh.best_bid, fresh.best_ask) == (1000.0, 999, 1001)
    assert stale.has_book
    assert stale.age_secs == pytest.approx(4.0, abs=1e-3)


def test_a_constant_lag_of_the_feed_is_no_age_and_a_growing_one_is():
    """Age is by the venue's time: now minus stamp minus the smallest such difference seen."""
    estimators = Estimators(INSTRUMENT)
    for i in range(100):
        quote(estimators, i)
        assert estimators.read(ns(1000.4 + i)).age_secs < 1e-3

    quote(estimators, 101)

    late = estimators.read(ns(1000.4 + 103.5))
    assert late.age_secs == pytest.approx(2.5, abs=0.02)
    assert late.exch_now_ns == pytest.approx(START + ns(103.5), abs=ns(0.02))


def test_the_first_frame_may_come_late_without_hiding_staleness_later():
    """A backlog at the start makes the offset too large; the next fresh stamp corrects it."""
    estimators = Estimators(INSTRUMENT)
    quote(estimators, 0)
    estimators.read(ns(3))
    quote(estimators, 4)
    estimators.read(ns(4.1))

    assert estimators.read(ns(7.1)).age_secs == pytest.approx(3.0, abs=1e-3)


def test_the_smallest_offset_leaks_so_that_drifting_clocks_do_not_age_the_feed():
    """Two clocks that drift by 50 ppm part by 0.18 s in an hour, and that is no staleness."""
    estimators = Estimators(INSTRUMENT)

    for i in range(0, 3600, 4):
        quote(estimators, i)
        estimates = estimators.read(ns(i * (1 + 50e-6) + 5.0))

    assert estimates.age_secs < 1e-3


def test_a_lost_connection_is_infinitely_old_until_data_comes_back():
    """Nothing may be decided on the last book of a dead stream."""
    estimators = Estimators(INSTRUMENT)
    quote(estimators, 0)
    estimators.read(ns(1))

    estimators.disconnect()

    lost = estimators.read(ns(2))
    assert (lost.has_book, lost.age_secs) == (False, inf)
    assert lost.exch_now_ns == pytest.approx(START + ns(1), abs=ns(0.001))
    quote(estimators, 2.5)
    assert estimators.read(ns(3.5)).age_secs == pytest.approx(0.0, abs=1e-3)


def test_the_fair_price_is_net_of_our_own_orders():
    """Our bid alone at the touch must not lift the fair price, and with it our bid."""
    estimators = Estimators(INSTRUMENT)
    rows = Rows.allocate(8)
    append_frame(rows, ("deep", START, [(999, 5), (990, 5)], [(1001, 5), (1010, 5)]))
    estimators.apply(rows)

    estimators.set_own(1, [999], [5])
    estimators.change_own(-1, 1001, 4)

    estimates = estimators.read(ns(1))
    assert (estimates.best_bid, estimates.best_ask) == (990, 1001)
    assert estimates.fair_price == estimators.mid_before(START + 1) == 995.5


def test_needed_trades_and_ticks_fall_linearly_to_ten_and_five():
    """50 and 20 at the start, half way 30 and 13, after the decay 10 and 5, and no lower."""
    estimators = Estimators(INSTRUMENT, min_trades=50, warmup_decay_secs=300.0)
    quote(estimators, 0)
    estimators.read(ns(10))

    needed = [
        (one.trades_needed, one.volume_ticks_needed)
        for one in (estimators.warm_up(ns(10 + secs)) for secs in (0, 150, 300, 9_000))
    ]

    assert needed == [(50, 20), (30, 13), (10, 5), (10, 5)]


def test_warm_up_opens_when_both_counts_are_there_and_stays_open():
    """Fifty trades and twenty ticks; a quiet hour later nothing has to be learnt again."""
    estimators = Estimators(INSTRUMENT)
    quote(estimators, 0)
    estimators.read(ns(1))
    trades(estimators, 0, 30, SNAPSHOT)
    assert not estimators.read(ns(2)).is_warm

    for i in range(30, 100):
        trades(estimators, i, 1)
        quote(estimators, (i + 1) / 10)

    progress = estimators.warm_up(ns(3))
    assert (progress.trades, progress.is_warm, progress.secs_to_go) == (100, True, 0.0)
    assert progress.volume_ticks >= 20
    assert estimators.read(ns(4)).is_warm
    estimators.disconnect()
    assert estimators.read(ns(4000)).is_warm


def test_many_small_trades_alone_do_not_end_the_warm_up():
    """A hundred trades in a tenth of a volume tick say nothing of the volatility."""
    estimators = Estimators(INSTRUMENT)
    rows = Rows.allocate(1)
    rows.append(kind=CONTEXT, index=DAY_VOLUME, size=10**12)
    estimators.apply(rows)
    quote(estimators, 0)
    estimators.read(ns(1))
    for i in range(100):
        trades(estimators, i, 1)
        quote(estimators, (i + 1) / 10)

    progress = estimators.warm_up(ns(11))

    assert progress.trades >= progress.trades_needed
    assert progress.volume_ticks < progress.volume_ticks_needed
    assert not progress.is_warm


def test_time_to_go_counts_down_to_the_gate():
    """Ten trades a second, 400 needed and falling: from the sixth second on it is within 2 s."""
    estimators = Estimators(INSTRUMENT, min_trades=400, warmup_decay_secs=300.0)
    quote(estimators, 0)
    estimators.read(ns(0))
    assert estimators.warm_up(ns(0)).secs_to_go == inf  # no pace is known yet

    estimates, i = [], 0
    for secs in range(1, 200):
        for _ in range(10):
            trades(estimators, i, 1)
            i += 1
        quote(estimators, secs)
        estimators.read(ns(secs))
        progress = estimators.warm_up(ns(secs))
        if progress.is_warm:
            break
        estimates.append(secs + progress.secs_to_go)

    assert 30 < secs < 45
    assert estimates[5:] == pytest.approx([secs] * len(estimates[5:]), abs=2.0)


def test_without_trades_the_time_to_go_is_infinite_rather_than_wrong():
    """A market that does not trade never becomes warm."""
    estimators = Estimators(INSTRUMENT)
    quote(estimators, 0)
    estimators.read(ns(0))

    assert estimators.warm_up(ns(100)).secs_to_go == inf


def test_estimates_are_frozen_values_in_the_order_of_the_feed():
    """`read` passes the kernel's tuple on by position; a field out of place would go unseen."""
    estimators = Estimators(INSTRUMENT)
    quote(estimators, 0)
    trades(estimators, 1, 40)
    feed: Feed = estimators.feed

    estimates = estimators.read(ns(1))

    assert estimates.volatility == feed.volatility_bps
    assert estimates.kappa_per_bps == feed.kappa_per_bps
    assert estimates.kappa_reference_per_bps == feed.kappa_reference_per_bps
    assert estimates.intensity_per_sec == feed.intensity_per_sec
    assert estimates.spread_bps == 2 * feed.half_spread_bps
    assert estimates.jump_ratio == feed.variation.jump_ratio
    assert (estimates.trades, estimates.volume_ticks) == (feed.trades, feed.clock.ticks)
    fair, flow = feed.fair, feed.flow
    assert estimates.mid == feed.book.mid
    parts = estimates.book_deviation_bps, estimates.flow_deviation_bps
    assert parts == (fair.book_bps, fair.flow_bps)
    assert estimates.kalman_deviation_bps == fair.kalman_bps
    assert estimates.microprice_deviation_bps == sum(parts)
    assert estimates.book_imbalance == feed.book.imbalance(5)
    assert estimates.flow_imbalance == flow.volume.value
    assert estimates.buy_intensity_per_sec == flow.buys.intensity_per_sec
    assert isnan(estimates.sell_intensity_per_sec)
    assert (estimates.cascade_severity, estimates.cascade_side) == flow.severity
    assert estimates.volatility_regime == feed.volatility_regime.state
    assert estimates.spread_regime == feed.spread_regime.state
    assert len(attrs.fields(Estimates)) == len(feed.read()) + 7
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        estimates.fair_price = 1.0


def day_volume(recorded):
    rows = recorded.rows.array
    traded = rows[rows["kind"] == TRADE]
    secs = (int(traded["exch_ns"].max()) - int(traded["exch_ns"].min())) / 1e9
    row = np.zeros(1, ROW_DTYPE)
    row["kind"], row["index"] = CONTEXT, DAY_VOLUME
    row["size"] = int(traded["size"].sum() / secs * 86_400)
    return row


def secs_to_warm(recorded, first, with_day_volume):
    array = recorded.from_frame(first)
    lead = len(array) - (recorded.starts[-1] - recorded.starts[first])
    estimators = Estimators(recorded.instrument)
    if with_day_volume:
        estimators.apply(Rows(day_volume(recorded)))
    rows = Rows(array)
    estimators.apply(rows.window(0, lead))
    for frame in range(first, len(recorded.arrival_ns)):
        start, stop = (
            recorded.starts[i] - recorded.starts[first] + lead for i in (frame, frame + 1)
        )
        estimators.apply(rows.window(start, stop))
        if estimators.read(recorded.arrival_ns[frame]).is_warm:
            return (recorded.arrival_ns[frame] - recorded.arrival_ns[first]) / 1e9
    return inf


@pytest.mark.parametrize("coin", ["BTC", "WLFI"])
@pytest.mark.parametrize("with_day_volume", [True, False])
def test_warm_up_ends_within_ninety_seconds_from_any_start(data_dir, coin, with_day_volume):
    """Started at 24 points of the recorded half hour, with and without the day's volume.

    The 30 trades that the venue re-sends on subscribing count.
    """
    recorded = market(data_dir, coin)
    starts = range(600, int(0.9 * len(recorded.arrival_ns)), len(recorded.arrival_ns) // 26)

    secs = sorted(secs_to_warm(recorded, first, with_day_volume) for first in starts)

    assert len(secs) >= 20
    assert secs[-1] < 90.0
    assert secs[len(secs) // 2] < 45.0


def test_reading_costs_little():
    """Three microseconds are aimed at; the bound here only tells a broken path from a busy one."""
    estimators = Estimators(INSTRUMENT)
    quote(estimators, 0)
    trades(estimators, 1, 60)

    costs = []
    for repeat in range(20):
        start = time.perf_counter_ns()
        for i in range(200):
            estimators.read(ns(repeat) + i)
        costs.append((time.perf_counter_ns() - start) / 200)

    assert min(costs) < 30_000


def test_applying_rows_allocates_nothing():
    """One call into the kernels, no objects."""
    estimators = Estimators(INSTRUMENT)
    rows = Rows.allocate(40)
    append_frame(
        rows, ("deep", START, [(999 - i, 5) for i in range(20)], [(1001 + i, 5) for i in range(20)])
    )
    estimators.apply(rows)
    before = sys.getallocatedblocks()

    for _ in range(100):
        estimators.apply(rows)

    assert sys.getallocatedblocks() - before < 10


# What each estimate says of itself


def context(estimators, *left_out):
    """A context with every figure but some."""
    unit = 10 ** (12 - INSTRUMENT.price_decimals)
    rows = Rows.allocate(8)
    for index, price, size in (
        (MARK, 1_000 * unit, 0),
        (ORACLE, 1_000 * unit, 0),
        (FUNDING, 12_500_000, 0),
        (OPEN_INTEREST, 0, 500),
        (DAY_VOLUME, 0, 10**6),
        (PREMIUM, 10**8, 0),
    ):
        if index not in left_out:
            rows.append(kind=CONTEXT, index=index, price=price, size=size)
    estimators.apply(rows)


def states(estimators, now_ns):
    report = estimators.report(estimators.read(now_ns))
    return {name: one.state for name, one in report.items()}


def test_a_report_tells_missing_stale_and_not_warm_apart():
    """Each is another fault: nothing came, it stopped, it is too little."""
    estimators = Estimators(INSTRUMENT)

    before = states(estimators, ns(1))
    quote(estimators, 0)
    trades(estimators, 1, 4)
    context(estimators)
    young = states(estimators, ns(1))
    quote(estimators, 30)
    later = states(estimators, ns(31))
    quote(estimators, 120)
    last = states(estimators, ns(121))

    assert set(before.values()) == {State.MISSING}
    assert young["mid"] is State.OK
    assert young["kappa_per_bps"] is State.WARMING
    assert young["open_interest"] is State.OK
    assert young["funding_rate_hourly"] is State.WARMING
    assert later["open_interest"] is State.STALE
    assert later["kappa_per_bps"] is State.WARMING
    assert last["kappa_per_bps"] is State.STALE
    assert last["mid"] is State.OK


def test_a_report_has_every_estimate_with_error_and_size():
    """On a market that was watched for a while all that has an error shows one."""
    estimators = Estimators(INSTRUMENT)
    for k in range(40):
        quote(estimators, k, 999 + k % 3, 1001 + k % 3)
        trades(estimators, 10 * k + 1, 8)

    report = estimators.report(estimators.read(ns(40)))

    fields = {field.name for field in attrs.fields(Estimates)}
    assert set(report) <= fields
    for name in ("volatility", "kappa_per_bps", "intensity_per_sec", "jump_ratio", "beta_book"):
        assert report[name].error > 0.0 or name == "beta_book"
        assert report[name].n > 0
        assert report[name].age_secs < 60.0
    assert report["volatility"].unit == "bps/sqrt(s)"
    assert report["adverse_selection_bps"].n == 0


@pytest.mark.parametrize("left_out", [MARK, ORACLE, FUNDING, OPEN_INTEREST, DAY_VOLUME, PREMIUM])
def test_md11_a_figure_that_the_context_leaves_out_is_unknown(left_out):
    """MD-11: unknown is NaN and 'missing feed', never 0; what does not need it goes on."""
    estimators = Estimators(INSTRUMENT)
    quote(estimators, 0)
    names = {
        MARK: "mark_price",
        ORACLE: "oracle_price",
        OPEN_INTEREST: "open_interest",
    }

    context(estimators, left_out)
    known = estimators.read(ns(1))
    report = estimators.report(known)

    assert known.fair_price == 1000.0
    for index, name in names.items():
        assert isnan(getattr(known, name)) is (index == left_out)
        if index == left_out:
            assert report[name].state is State.MISSING
    assert known.funding_rate_hourly == pytest.approx(1.25e-5)


def test_a_rate_is_unknown_without_premium_and_funding():
    """MD-11: neither the venue's rate nor a premium: nothing is made up."""
    estimators = Estimators(INSTRUMENT)
    quote(estimators, 0)

    context(estimators, FUNDING, PREMIUM)
    known = estimators.read(ns(1))

    assert isnan(known.funding_rate_hourly)
    assert 0.0 < known.funding_secs <= 3_600.0


def test_channels_and_what_was_left_out_are_told():
    """Connection health by channel, data quality by kind."""
    estimators = Estimators(INSTRUMENT)
    quote(estimators, 0)
    quote(estimators, 9)
    quote(estimators, 8)  # older
    trades(estimators, 91, 3)
    trades(estimators, 91, 3)  # again

    known = estimators.read(ns(10))
    channels, quality = estimators.channels(known), estimators.quality()

    assert channels["quotes"].gaps == 1
    assert channels["quotes"].state is State.OK
    assert channels["book"].state is State.MISSING
    assert channels["trades"].rows == 3
    assert quality["old_books"] == 1
    assert quality["repeated_trades"] == 3
    assert all(count >= 0 for count in quality.values())
