"""The walk over rows: what counts once, what does not count, and what the recordings give."""

import doctest
import sys
from itertools import pairwise
from math import exp, isnan, nan

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hypermm._core import feed as module
from hypermm._core.feed import Feed, RollingMedian, SeenTrades
from hypermm._core.rows import (
    CONTEXT,
    DAY_VOLUME,
    FUNDING,
    MARK,
    OPEN_INTEREST,
    ORACLE,
    QUOTE,
    SNAPSHOT,
    TRADE,
    Rows,
)
from tests.recorded import market
from tests.reference.book import append_frame

SECOND = 1_000_000_000
START = 1_700_000_000 * SECOND


def feed_of(**changes):
    return Feed(**{"window_secs": 300.0, "price_decimals": 1} | changes)


def trade(rows, secs, side, price, size=1, trade_id=0, flags=0):
    rows.append(
        kind=TRADE,
        side=side,
        exch_ns=START + round(secs * SECOND),
        price=price,
        size=size,
        id=trade_id,
        flags=flags,
    )


def quote(rows, secs, bid, ask):
    exch_ns = START + round(secs * SECOND)
    append_frame(rows, ("quote", exch_ns, [(bid, 5)] if bid else [], [(ask, 5)] if ask else []))


def state(feed):
    """All that can be asked, with NaN made comparable."""
    values = [*feed.read(), feed.half_spread_bps, feed.newest_ns, feed.events, feed.blind_events]
    values += [feed.trades, feed.clock.fill_lots, feed.clock.bucket_lots, feed.gaps]
    for stream in (feed.buys, feed.sells, feed.slow):
        values += [stream.weight, stream.excess_bps, stream.events, stream.exposure_secs]
    return [None if isinstance(value, float) and isnan(value) else value for value in values]


FRAMES = st.lists(
    st.tuples(
        st.sampled_from([0.0, 0.07, 0.5, 3.0]),  # seconds since the frame before
        st.sampled_from(["quote", "trade", "trade"]),
        st.integers(995, 1005),
        st.sampled_from([1, -1]),
        st.integers(1, 30),
    ),
    max_size=60,
)


def rows_from(frames):
    rows, secs, cuts = Rows.allocate(200), 1.0, [0]
    append_frame(rows, ("quote", START, [(999, 5)], [(1001, 5)]))
    for i, (step, kind, price, side, size) in enumerate(frames):
        secs += step
        if kind == "quote":
            quote(rows, secs, price - 1, price + 1)
        else:
            trade(rows, secs, side, price, size, trade_id=i + 1)
        cuts.append(len(rows))
    return rows, cuts


@given(FRAMES, st.sets(st.integers(0, 59)))
def test_the_state_does_not_depend_on_how_rows_are_batched(frames, where):
    """A busy moment brings more rows per wake-up; a replay of it must give the same quotes."""
    rows, cuts = rows_from(frames)
    whole, parts = feed_of(), feed_of()
    at = sorted({0, len(rows)} | {cuts[i] for i in where if i < len(cuts)})

    whole.apply(rows)
    for start, stop in pairwise(at):
        parts.apply(rows.window(start, stop))

    assert state(parts) == state(whole)


@given(FRAMES, st.data())
def test_trades_that_are_sent_again_change_nothing(frames, data):
    """After a reconnect the venue re-sends recent trades; arrivals and volume must not double."""
    rows, cuts = rows_from(frames)
    clean, replayed = feed_of(), feed_of()
    array = rows.array

    clean.apply(rows)
    for start, stop in zip([0, *cuts], cuts, strict=False):
        replayed.apply(rows.window(start, stop))
        seen = array[:stop][array[:stop]["kind"] == TRADE]
        again = data.draw(st.integers(0, min(3, len(seen))))
        if again:
            copies = seen[len(seen) - again :].copy()
            copies["flags"] |= SNAPSHOT
            replayed.apply(Rows(copies))
    replayed.apply(rows.window(cuts[-1], len(rows)))

    assert state(replayed) == state(clean)


def test_re_sent_trades_feed_the_volume_clock_but_are_no_arrivals():
    """The thirty trades on subscribing help the warm-up; they did not arrive while we watched."""
    rows = Rows.allocate(100)
    quote(rows, 0, 999, 1001)
    for i in range(30):
        trade(rows, i - 40, 1, 1001, 10, trade_id=i + 1, flags=SNAPSHOT)
    feed = feed_of()

    feed.apply(rows)

    assert (feed.trades, feed.snapshot_trades, feed.events) == (30, 30, 0)
    assert feed.buys.events == 0.0
    assert feed.clock.ticks > 0
    assert feed.newest_ns == START


def test_fills_of_one_stamp_and_side_are_one_event_with_its_worst_price():
    """A sweep is one aggressive order; its depth is from the mid strictly before its stamp."""
    rows = Rows.allocate(100)
    quote(rows, 0, 999, 1001)
    for i, price in enumerate((1001, 1004, 1002)):
        trade(rows, 1, 1, price, trade_id=i + 1)
    trade(rows, 1, -1, 997, trade_id=9)
    quote(rows, 1, 1003, 1009)  # the block's own quote: the state after the sweep
    quote(rows, 2, 1003, 1009)
    feed = feed_of()

    feed.apply(rows)

    assert (feed.events, feed.blind_events) == (2, 0)
    faded = exp(-1 / 300)  # a second has passed since
    assert (feed.buys.events, feed.sells.events) == pytest.approx((faded, faded))
    assert feed.buys.excess_bps == pytest.approx((4 - 1) / 1000 * 1e4 * faded)
    assert feed.sells.excess_bps == pytest.approx((3 - 1) / 1000 * 1e4 * faded)


def test_events_at_the_touch_count_and_events_inside_the_spread_do_not():
    """Three quarters of BTC's events stop at the touch: the comparison is on integers."""
    rows = Rows.allocate(100)
    for i in range(8):
        quote(rows, i * 2, 1_100_000, 1_100_010)
        trade(rows, i * 2 + 1, 1, 1_100_010, trade_id=i + 1)
        trade(rows, i * 2 + 1.5, -1, 1_100_001, trade_id=i + 20)
    quote(rows, 20, 1_100_000, 1_100_010)
    feed = feed_of()

    feed.apply(rows)

    assert feed.events == 16
    assert feed.buys.weight == feed.buys.events > 7.0
    assert feed.buys.excess_bps == 0.0
    assert feed.sells.events == 0.0


def test_an_event_without_a_mid_before_it_is_counted_as_blind():
    """One side is no mid; nothing is guessed from it."""
    rows = Rows.allocate(100)
    quote(rows, 0, 999, 1001)
    quote(rows, 1, 999, 0)
    trade(rows, 2, 1, 1001, trade_id=1)
    quote(rows, 3, 999, 1001)
    feed = feed_of()

    feed.apply(rows)

    assert (feed.events, feed.blind_events, feed.buys.events) == (1, 1, 0.0)


def test_silence_is_not_watching():
    """The rate of events is per second of live data: a dead feed is not a quiet market."""
    rows = Rows.allocate(100)
    quote(rows, 0, 999, 1001)
    quote(rows, 4, 999, 1001)
    quote(rows, 24, 999, 1001)
    feed = feed_of(window_secs=1e6)

    feed.apply(rows)

    assert feed.buys.exposure_secs == pytest.approx(4.0, rel=1e-4)
    assert feed.gaps == 1


def test_a_lost_connection_voids_the_book_and_keeps_what_was_learnt():
    """Quotes stop at once, estimates go on from where they were, and old trades stay known."""
    rows = Rows.allocate(100)
    quote(rows, 0, 999, 1001)
    trade(rows, 1, 1, 1003, trade_id=1)
    feed = feed_of()
    feed.apply(rows)

    feed.disconnect()

    assert isnan(feed.read()[0])
    assert feed.newest_ns == 0
    assert (feed.events, feed.buys.events) == (1, 1.0)
    feed.apply(rows)
    assert (feed.trades, feed.repeated_trades) == (1, 1)
    assert feed.read()[0] == 1000.0


def test_values_are_defined_from_the_first_book_and_say_what_they_are():
    """The priors: kappa one over the half-spread, 1.5 spreads of volatility, 0.1 events/s."""
    rows = Rows.allocate(2)
    quote(rows, 0, 9_990, 10_010)
    feed = feed_of()

    feed.apply(rows)

    assert feed.half_spread_bps == pytest.approx(10.0)
    assert feed.kappa_per_bps == feed.kappa_reference_per_bps == pytest.approx(0.1)
    assert feed.side_kappa_per_bps(1) == feed.side_kappa_per_bps(-1) == pytest.approx(0.1)
    assert feed.volatility_bps == pytest.approx(30.0)
    assert feed.intensity_per_sec == pytest.approx(0.1 * exp(1.0))
    assert feed.side_intensity_per_sec(1) == pytest.approx(0.1 * exp(1.0))


def test_before_any_row_everything_is_unknown():
    """NaN, never 0 and never a division by zero; a cascade alone is absent until it is seen."""
    known = feed_of().read()

    assert [value for value in known if isinstance(value, float) and not isnan(value)] == [0.0]


def test_context_rows_are_read_in_their_units():
    """Mark and oracle come in 1e-12 USD and leave in price units."""
    rows = Rows.allocate(10)
    for index, price, size in (
        (MARK, 110_000_500_000_000_000, 0),
        (ORACLE, 110_001_000_000_000_000, 0),
        (FUNDING, -12_500_000, 0),
        (OPEN_INTEREST, 0, 77),
        (DAY_VOLUME, 0, 86_400_000),
    ):
        rows.append(kind=CONTEXT, index=index, price=price, size=size)
    feed = feed_of()

    feed.apply(rows)

    assert (feed.mark_price, feed.oracle_price) == (1_100_005.0, 1_100_010.0)
    assert (feed.funding, feed.open_interest_lots) == (-12_500_000, 77)
    assert feed.clock.bucket_lots == 83  # 1000 lots a second, 12 buckets in it


@pytest.mark.parametrize(
    "change", [{"price": 0}, {"size": 0}, {"side": 0}, {"exch_ns": 0}, {"size": 2**60}]
)
def test_rows_that_are_no_trade_are_ignored_and_counted(change):
    """A kernel does not trust its rows: the wire may have a defect."""
    rows = Rows.allocate(1)
    rows.append(
        **{"kind": TRADE, "side": 1, "price": 100, "size": 5, "exch_ns": START, "id": 1} | change
    )
    feed = feed_of()

    feed.apply(rows)

    assert (feed.malformed_trades, feed.trades) == (1, 0)


@given(st.lists(st.integers(-50, 50), min_size=1, max_size=600))
def test_the_rolling_median_is_the_median_of_the_last_256(values):
    """Exact, with ties, before and after the ring is full."""
    rolling = RollingMedian()

    for value in values:
        rolling.update(value)

    last = sorted(values[-256:])
    assert rolling.value == last[(len(last) - 1) // 2]


@settings(max_examples=20)
@given(st.lists(st.integers(1, 3_000), max_size=9_000))
def test_two_thousand_trades_are_remembered(ids):
    """A trade is known again while fewer than 2048 others came in between."""
    seen, order = SeenTrades(), []

    for trade_id in ids:
        is_new = seen.update(START, trade_id)
        if trade_id in order[-2048:]:
            assert not is_new
        if is_new:
            order.append(trade_id)


def test_the_memory_of_trades_is_bounded_and_forgets_the_oldest():
    """Ten thousand trades go through it; the first are gone and the last are known."""
    seen = SeenTrades()
    for i in range(10_000):
        assert seen.update(START + i, 7)

    assert seen.update(START, 7)
    assert not seen.update(START + 9_999, 7)
    assert not seen.update(START + 8_000, 7)


@pytest.mark.parametrize(
    "call",
    [
        lambda: feed_of(window_secs=0.0),
        lambda: feed_of(window_secs=nan),
        lambda: feed_of(price_decimals=7),
        lambda: feed_of().side_kappa_per_bps(0),
        lambda: feed_of().side_intensity_per_sec(2),
        lambda: SeenTrades().update(0, 1),
    ],
)
def test_values_outside_their_domain_are_refused(call):
    """The door checks, so that the room need not."""
    with pytest.raises(ValueError, match="must"):
        call()


def test_applying_rows_allocates_nothing():
    """The path of every message."""
    rows, _ = rows_from([(0.07, "trade", 1001, 1, 5), (0.07, "quote", 1000, 1, 5)] * 30)
    feed = feed_of()
    feed.apply(rows)
    before = sys.getallocatedblocks()

    for _ in range(100):
        feed.apply(rows)

    assert sys.getallocatedblocks() - before < 10


@pytest.mark.parametrize(
    ("coin", "kappa", "one_side_per_sec", "volatility"),
    [
        ("BTC", (7.8, 9.8), (0.5, 1.0), (0.33, 0.57)),
        ("WLFI", (0.32, 0.44), (0.18, 0.3), (3.7, 4.6)),
    ],
)
def test_the_recording_gives_its_measured_figures(
    data_dir, coin, kappa, one_side_per_sec, volatility
):
    """Against figures measured on the same half hour by other code.

    Kappa is their maximum-likelihood one (8.74 and 0.435 per bps over depths from half a tick):
    on BTC half the median spread is half a tick, so the range is the same, 8.7 to 9.1 depending
    on the censoring at 50 half-spreads; on WLFI the range begins at 1.6 bps, beyond which their
    regression says 0.33 to 0.38. Intensity is theirs (0.76 and 0.47 a second of both sides) where
    the fits are alike (WLFI); on BTC the extrapolation to the mid with a kappa of 9 adds half.
    Volatility is the bipower one of small volume buckets: between the mid's at 1 s (0.40, 3.98)
    and at 10 s (0.57, 4.57), since jumps are left out and returns are correlated.
    """
    feed = feed_of(window_secs=1e6, price_decimals=market(data_dir, coin).instrument.price_decimals)

    feed.apply(market(data_dir, coin).rows)

    assert kappa[0] < feed.kappa_per_bps < kappa[1]
    assert one_side_per_sec[0] < feed.intensity_per_sec < one_side_per_sec[1]
    assert volatility[0] < feed.volatility_bps < volatility[1]
    assert feed.repeated_trades == (8 if coin == "WLFI" else 0)
    assert feed.blind_events <= 7
    assert feed.gaps == 1
    assert feed.events > 1_000
    assert feed.slow.exposure_secs == pytest.approx(2070, rel=0.01)


@pytest.mark.parametrize(
    ("coin", "r2", "beta_bps"),
    [("BTC", (0.1, 0.25), (0.2, 0.6)), ("WLFI", (-0.02, 0.05), (0.5, 3.0))],
)
def test_the_recordings_imbalance_predicts_as_measured(data_dir, coin, r2, beta_bps):
    """Out of sample: a third of a basis point a unit on BTC, one and a half on WLFI, noisier."""
    instrument = market(data_dir, coin).instrument
    feed = feed_of(price_decimals=instrument.price_decimals, min_step=instrument.min_step)

    feed.apply(market(data_dir, coin).rows)

    signal = feed.fair.signal
    assert r2[0] < signal.r2_out_of_sample < r2[1]
    assert beta_bps[0] < signal.beta_book * 1e4 < beta_bps[1]
    assert signal.pairs > 900
    assert feed.fair.smoothing.noise_variance == 0.0  # both are correlated upwards: no bounce


@pytest.mark.parametrize(
    ("coin", "side", "branching"),
    [("BTC", "sells", 0.39), ("WLFI", "buys", 0.418), ("WLFI", "sells", 0.46)],
)
def test_the_recordings_arrivals_excite_each_other_as_measured(data_dir, coin, side, branching):
    """Branching ratios against fits of other code to the longest piece, within three errors."""
    feed = feed_of(price_decimals=market(data_dir, coin).instrument.price_decimals)

    feed.apply(market(data_dir, coin).rows)

    arrivals = getattr(feed.flow, side)
    assert arrivals.fits > 0
    assert abs(arrivals.branching - branching) < 3.0 * arrivals.branching_se


@pytest.mark.parametrize("coin", ["BTC", "WLFI"])
def test_a_quiet_half_hour_pulls_nothing(data_dir, coin):
    """Severity stays below the pulling band, and in the first band a few percent of the time."""
    feed = feed_of(price_decimals=market(data_dir, coin).instrument.price_decimals)
    rows, starts = market(data_dir, coin).rows, market(data_dir, coin).starts
    severities = []

    for start, end in pairwise(starts):
        feed.apply(rows.window(start, end))
        severities.append(feed.flow.severity[0])

    assert max(severities) < 0.8
    assert np.mean(np.array(severities) >= 0.3) < 0.06


@pytest.mark.parametrize("coin", ["BTC", "WLFI"])
def test_the_recordings_estimates_do_not_depend_on_the_batches(data_dir, coin):
    """Refits and all: one walk over the half hour, and one frame at a time."""
    recorded = market(data_dir, coin)
    whole, cut = (feed_of(price_decimals=recorded.instrument.price_decimals) for _ in range(2))

    whole.apply(recorded.rows)
    for start, end in pairwise(recorded.starts):
        cut.apply(recorded.rows.window(start, end))

    np.testing.assert_array_equal(np.array(cut.read(), float), np.array(whole.read(), float))


@pytest.mark.parametrize(("price_scale", "size_scale"), [(1_000, 1), (1, 1_000)])
def test_another_unit_of_the_asset_changes_no_estimate(data_dir, price_scale, size_scale):
    """A thousandth of the coin, or a thousand of it: in bps and seconds nothing happens."""
    recorded = market(data_dir, "WLFI")
    array = recorded.rows.array.copy()
    array["price"] *= price_scale
    array["size"] *= size_scale
    decimals = recorded.instrument.price_decimals
    one, other = feed_of(price_decimals=decimals), feed_of(price_decimals=decimals)

    one.apply(recorded.rows)
    other.apply(Rows(array))

    prices = {0, 1, 2, 15}  # fair price, best bid and ask, mid
    before, after = (np.array(feed.read(), float) for feed in (one, other))
    before[list(prices)] *= price_scale
    exact = [i for i in range(len(before)) if i not in {5, 9, 12}]
    np.testing.assert_allclose(after[exact], before[exact], rtol=1e-6, atol=1e-9)
    # Buckets are whole lots: another unit rounds them elsewhere. A jump ratio errs by a tenth.
    np.testing.assert_allclose(after[[5, 12]], before[[5, 12]], rtol=0.02)
    assert after[9] == pytest.approx(before[9], abs=0.1)


def test_another_bucket_moves_volatility_within_its_error(data_dir):
    """Half and twice the day's volume: buckets half and twice as large, one volatility."""
    recorded = market(data_dir, "BTC")
    found = []
    for share in (0.5, 1.0, 2.0):
        feed = feed_of(window_secs=3_600.0, price_decimals=recorded.instrument.price_decimals)
        rows = Rows.allocate(1)
        rows.append(kind=CONTEXT, index=DAY_VOLUME, size=int(share * 0.26558e5 * 86_400))
        feed.apply(rows)
        feed.apply(recorded.rows)
        found.append((feed.volatility_bps, feed.variation.volatility_se_bps))

    (small, small_se), (middle, _), (large, large_se) = found
    assert abs(small - middle) < 2.0 * small_se
    assert abs(large - middle) < 2.0 * large_se


@pytest.mark.parametrize("bucket_trades", [1, 5, 40])
def test_volatility_is_unbiased_whatever_the_bucket(bucket_trades):
    """A VWAP hides variance, up to a third of it: it is given back, on paths that are known."""
    rng = np.random.default_rng(5)
    n, step_secs, sigma_bps = 120_000, 0.5, 2.0
    moves = rng.normal(0.0, sigma_bps * 1e-4 * step_secs**0.5, n)
    prices = np.rint(1e9 * np.exp(np.cumsum(moves))).astype(int)
    rows = Rows.allocate(n + 1)
    # 720 nominal buckets a minute, so this day's volume makes buckets of `bucket_trades` trades.
    rows.append(kind=CONTEXT, index=DAY_VOLUME, size=1440 * 720 * 100 * bucket_trades)
    for i, price in enumerate(prices):
        trade(rows, i * step_secs, 1, int(price), size=100, trade_id=i + 1)
    feed = feed_of(window_secs=1e8)

    feed.apply(rows)

    assert feed.variation.volatility_bps == pytest.approx(sigma_bps, rel=0.02)


def test_the_examples_run():
    """Examples of docstrings are code."""
    assert doctest.testmod(module).failed == 0


# Prices that cannot be


def test_md08_one_frame_far_away_is_held_and_stays_out_of_the_estimates():
    """MD-08: a frame 30 % off while mark and last price stay is no market yet."""
    feed = feed_of()
    rows = Rows.allocate(64)
    for i in range(20):
        quote(rows, i, 1_000, 1_010)
    feed.apply(rows)
    before = feed.read()
    rows.clear()
    quote(rows, 20, 700, 710)

    feed.apply(rows)

    assert feed.is_held
    assert isnan(feed.read()[0])
    assert feed.absurd_books == 1
    rows.clear()
    quote(rows, 21, 1_000, 1_010)
    feed.apply(rows)
    assert not feed.is_held
    assert feed.read()[:8] == before[:8]


def test_md08_a_real_jump_is_believed_when_two_kinds_agree():
    """MD-08: three rows of two kinds, within two seconds, are a market that moved."""
    feed = feed_of()
    rows = Rows.allocate(64)
    for i in range(20):
        quote(rows, i, 1_000, 1_010)
    quote(rows, 20, 700, 710)
    trade(rows, 20.4, -1, 700, trade_id=1)
    feed.apply(rows)
    assert feed.is_held
    assert feed.absurd_trades == 1
    rows.clear()
    quote(rows, 20.9, 701, 711)

    feed.apply(rows)

    assert not feed.is_held
    assert feed.read()[0] == pytest.approx(706.0, rel=1e-3)


def test_md08_a_market_of_one_channel_may_jump_too():
    """MD-08: ten quotes on end, and nothing else to ask."""
    feed = feed_of()
    rows = Rows.allocate(64)
    for i in range(5):
        quote(rows, i, 1_000, 1_010)
    for i in range(9):
        quote(rows, 5 + i / 10, 700, 710)
    feed.apply(rows)
    assert feed.is_held
    rows.clear()
    quote(rows, 6, 700, 710)

    feed.apply(rows)

    assert not feed.is_held


def test_md08_what_agrees_with_the_mark_is_believed_at_once():
    """MD-08: after an outage the venue's own prices say where the market is."""
    feed = feed_of()
    rows = Rows.allocate(64)
    rows.append(kind=CONTEXT, index=MARK, price=705 * 10**11)
    for i in range(20):
        quote(rows, i, 700, 710)
    quote(rows, 20, 1_000, 1_010)
    quote(rows, 20.1, 700, 710)

    feed.apply(rows)

    assert not feed.is_held
    assert feed.absurd_books == 1


def test_md06_a_live_trade_older_than_one_before_it_is_counted_and_left_out():
    """MD-06: time does not run back; what is re-sent on subscribing may be old."""
    feed = feed_of()
    rows = Rows.allocate(8)
    quote(rows, 0, 1_000, 1_010)
    trade(rows, 2, 1, 1_010, trade_id=1)
    trade(rows, 1, 1, 1_010, trade_id=2)
    trade(rows, 1, 1, 1_010, trade_id=3, flags=SNAPSHOT)

    feed.apply(rows)

    assert (feed.late_trades, feed.trades, feed.snapshot_trades) == (1, 2, 1)


def test_channels_tell_their_newest_stamp_and_their_silences():
    """Books and quotes are silent after five seconds, trades after a minute."""
    feed = feed_of()
    rows = Rows.allocate(16)
    quote(rows, 0, 1_000, 1_010)
    quote(rows, 4, 1_000, 1_010)
    trade(rows, 4, 1, 1_010, trade_id=1)
    quote(rows, 10, 1_000, 1_010)
    trade(rows, 30, 1, 1_010, trade_id=2)

    feed.apply(rows)

    assert feed.channel(QUOTE) == (START + 10 * SECOND, 3, 1)
    assert feed.channel(TRADE) == (START + 30 * SECOND, 2, 0)
    assert feed.channel(CONTEXT) == (0, 0, 0)
    with pytest.raises(ValueError, match="kind"):
        feed.channel(9)
