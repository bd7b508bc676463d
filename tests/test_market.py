"""Outside markets: time, windows, loops, and what a synthetic market guarantees."""

import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hypermm._core.rows import FIRST, LAST, LEVEL, QUOTE, SNAPSHOT, TRADE
from hypermm.errors import ConfigError, RecordingError
from hypermm.recordings import open_recordings
from hypermm.sim.market import RecordedMarket, open_market
from hypermm.sim.presets import PRESETS
from hypermm.sim.synthetic import SyntheticMarket
from tests.test_recordings import book_line, quote_lines, trade_line, write_set

SEC = 1_000_000_000
COINS = sorted(PRESETS)


@pytest.fixture
def recording(tmp_path):
    write_set(
        tmp_path,
        books=[book_line(0), book_line(600), book_line(1200)],
        prices=[*quote_lines(0), *quote_lines(700)],
        trades=[trade_line(-20, number=1), trade_line(300, number=2), trade_line(1200, number=3)],
    )
    return open_recordings(tmp_path)["ABC"]


def kinds(rows):
    return rows.array["kind"].tolist()


def test_a_recording_starts_with_its_book(recording):
    """Whoever connects at once finds a book, and the trades that were before it."""
    market = RecordedMarket(recording)

    rows = market.rows_until(0)

    assert kinds(rows) == [LEVEL] * 4 + [QUOTE] * 2
    assert rows.array["exch_ns"].tolist() == [0] * 6
    assert market.snapshot_trades.array["id"].tolist() == [1]
    assert market.snapshot_trades.array["exch_ns"].tolist() == [-20_000_000]


def test_a_recording_ends(recording):
    """The last row is played, then the market says that it is over."""
    market = RecordedMarket(recording)

    rows = market.rows_until(1_200_000_000 - 1)
    assert not market.is_over
    rest = market.rows_until(2 * SEC)

    assert (len(rows), len(rest)) == (4 + 2 + 1 + 4 + 2, 1 + 4)
    assert market.is_over
    assert len(market.rows_until(3 * SEC)) == 0


def test_a_loop_goes_on_in_time_with_new_ids(recording):
    """A client that remembers ids and stamps must not notice the seam."""
    market = RecordedMarket(recording, loop=True)

    rows = market.rows_until(6 * SEC).array

    assert not market.is_over
    assert (np.diff(rows["exch_ns"]) >= 0).all()
    ids = rows["id"][rows["kind"] == TRADE]
    assert len(ids) >= 6
    assert len(set(ids.tolist())) == len(ids)


@given(st.lists(st.integers(0, 400_000_000), max_size=20), st.booleans())
def test_how_time_is_sliced_changes_nothing(tmp_path_factory, steps, is_loop):
    """The exchange asks block by block, a backtest in longer steps: the same market."""
    path = tmp_path_factory.mktemp("set")
    write_set(path)
    recording = open_recordings(path)["ABC"]
    whole, sliced = (RecordedMarket(recording, loop=is_loop) for _ in range(2))

    ends = np.cumsum(steps).tolist() or [0]
    parts = [sliced.rows_until(end).array for end in ends]

    np.testing.assert_array_equal(np.concatenate(parts), whole.rows_until(ends[-1]).array)


def test_windows_are_on_the_recordings_own_array(recording):
    """A backtest copies nothing."""
    market = RecordedMarket(recording)

    one, two = market.rows_until(0), market.rows_until(SEC)

    assert one.array.base is two.array.base


def test_a_recording_of_one_book_is_played(tmp_path):
    """The pause between books, which a loop needs, is not known then."""
    write_set(tmp_path, books=[book_line(0)])
    recording = open_recordings(tmp_path)["ABC"]

    market = RecordedMarket(recording, loop=True)

    assert kinds(market.rows_until(0)) == [LEVEL] * 4 + [QUOTE] * 2
    assert not market.is_over


def test_what_is_left_out_of_a_recording_is_said(tmp_path):
    """A person who plays it has to know that it is not whole."""
    write_set(tmp_path, trades=[trade_line(0), trade_line(0)])
    said = []

    open_market(str(tmp_path), announce=said.append)

    assert said == ["ABC: left out of the recording: repeated trade (1)"]


def test_market_names(tmp_path):
    """What `--market` takes, and what it says of a mistake."""
    assert [market.instrument.coin for market in open_market("synthetic")] == ["BTC", "WLFI"]
    assert [market.instrument.asset_id for market in open_market("synthetic")] == [0, 1]
    (only,) = open_market("synthetic:WLFI", seed=4)
    assert (only.instrument.coin, only.instrument.asset_id) == ("WLFI", 0)
    with pytest.raises(ConfigError, match="no synthetic market 'DOGE'"):
        open_market("synthetic:DOGE")
    with pytest.raises(RecordingError, match="no such file or folder"):
        open_market(str(tmp_path / "nowhere"))


@pytest.mark.parametrize("coin", COINS)
@given(seed=st.integers(0, 2**32), cuts=st.lists(st.integers(0, 40 * SEC), max_size=12))
@settings(max_examples=15)
def test_preset_and_seed_alone_make_the_rows(coin, seed, cuts):
    """Reproducing an incident needs the seed, not the caller's timing."""
    whole, sliced = (SyntheticMarket(PRESETS[coin], seed) for _ in range(2))

    parts = [sliced.rows_until(end).array for end in [*sorted(cuts), 40 * SEC]]

    np.testing.assert_array_equal(np.concatenate(parts), whole.rows_until(40 * SEC).array)
    np.testing.assert_array_equal(sliced.snapshot_trades.array, whole.snapshot_trades.array)


@pytest.mark.parametrize("coin", COINS)
@pytest.mark.parametrize("seed", range(3))
def test_a_synthetic_market_keeps_the_exchanges_rules(coin, seed):
    """Ticks, order, no crossed book, quotes that agree with frames, unique trade ids."""
    market = SyntheticMarket(PRESETS[coin], seed)

    rows = market.rows_until(600 * SEC).array

    instrument = market.instrument
    assert (np.diff(rows["exch_ns"]) >= 0).all()
    assert rows["exch_ns"][0] == 0
    assert (rows["exch_ns"] % 1_000_000 == 0).all()
    assert (rows["size"] >= 1).all()
    tick = instrument.step_at(PRESETS[coin].start_price)
    assert all(instrument.is_allowed_price(price) for price in np.unique(rows["price"]).tolist())
    assert (rows["price"] % tick == 0).all()

    quotes = rows[rows["kind"] == QUOTE]
    bids, asks = quotes[0::2], quotes[1::2]
    assert (bids["side"] == 1).all()
    assert (asks["side"] == -1).all()
    assert (bids["price"] < asks["price"]).all()

    levels = rows[rows["kind"] == LEVEL]
    first = np.flatnonzero(levels["flags"] & FIRST)
    assert (levels["flags"][np.append(first[1:] - 1, -1)] & LAST > 0).all()
    same_side = (np.diff(levels["side"]) == 0) & (levels["flags"][1:] & FIRST == 0)
    better = np.diff(levels["price"]) * levels["side"][1:]
    assert (better[same_side] < 0).all()
    best_ask = levels[(levels["side"] == -1) & (levels["index"] == 0)]
    assert (levels["price"][first] < best_ask["price"]).all()
    counts = np.diff(np.append(first, len(levels)))
    assert counts.mean() > 39.5
    assert (np.diff(best_ask["exch_ns"]) >= 500_000_000).all()

    trades = np.concatenate((market.snapshot_trades.array, rows[rows["kind"] == TRADE]))
    assert len(np.unique(trades["id"])) == len(trades)
    assert trades["id"].max() < 2**50


@pytest.mark.parametrize("coin", COINS)
def test_a_frame_shows_the_touch_of_the_newest_quote(coin):
    """Two feeds of one book: whoever follows both must not see it jump back and forth."""
    rows = SyntheticMarket(PRESETS[coin], 5).rows_until(120 * SEC).array
    quote = None
    compared = 0

    for row in rows[(rows["kind"] == QUOTE) | (rows["kind"] == LEVEL)]:
        if row["kind"] == QUOTE:
            quote = {**(quote or {}), int(row["side"]): (row["price"], row["size"])}
        elif row["index"] == 0 and quote is not None:
            assert (row["price"], row["size"]) == quote[int(row["side"])]
            compared += 1

    assert compared > 400


@pytest.mark.parametrize("coin", COINS)
def test_thirty_trades_are_known_at_the_start(coin):
    """The exchange re-sends 30 trades on subscribing, older than what is played."""
    known = SyntheticMarket(PRESETS[coin], 1).snapshot_trades.array

    assert len(known) == 30
    assert (known["flags"] == SNAPSHOT).all()
    assert (known["exch_ns"] <= 0).all()
    assert (np.diff(known["exch_ns"]) >= 0).all()


def test_seeds_and_coins_differ():
    """Two coins of one seed are not the same path."""
    first = SyntheticMarket(PRESETS["BTC"], 1).rows_until(60 * SEC).array
    second = SyntheticMarket(PRESETS["BTC"], 2).rows_until(60 * SEC).array

    assert not np.array_equal(first[:100], second[:100])


def test_a_synthetic_market_is_made_much_faster_than_it_is_played():
    """At least 200 times real time, both coins together, so that a backtest is not held up."""
    begin = time.process_time()
    markets = open_market("synthetic", seed=1)
    for market in markets:
        market.rows_until(600 * SEC)
    spent = time.process_time() - begin

    assert 600.0 / spent > 200.0
