"""The compiled grid replay: what it fills, what it may not, and that pieces change nothing."""

import doctest

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.replay import ASK, BID, feed
from benchmarks.replay import TRADE as FEED_TRADE
from hypermm._core import grid as kernel
from hypermm._core.grid import CHANGE, GridReplay
from hypermm._core.queue import MODEL_NAMES
from hypermm._core.rows import LEVEL, QUOTE, ROW_DTYPE, TRADE, Rows
from hypermm.recordings import open_recordings
from tests.reference import grid as reference

MS = 1_000_000
OPTIONS = {"low_price": 60_000, "high_price": 70_000, "levels": 5, "lots": 1000,
           "max_lots": 20_000, "latency_ns": 20 * MS, "maker_bps": 0.0}  # fmt: skip


def rows_of(market):
    rows = np.zeros(len(market["ns"]), ROW_DTYPE)
    is_trade = market["kind"] == FEED_TRADE
    rows["exch_ns"], rows["price"], rows["side"] = market["ns"], market["price"], market["side"]
    rows["size"] = np.rint(market["size"] * 1e5)
    rows["kind"], rows["flags"] = np.where(is_trade, TRADE, LEVEL), np.where(is_trade, 0, CHANGE)
    return rows


MARKET = rows_of(feed(60_000, 3))


def play(rows=MARKET, cuts=(), **options):
    grid = GridReplay(**(OPTIONS | options))
    for piece in np.split(rows.copy(), sorted(cuts)):
        grid.apply(Rows(piece))
    return grid


def figures(grid):
    return (grid.fills(), grid.orders, grid.cancels, grid.refused, grid.decisions, grid.position,
            grid.pnl_usd, grid.two_sided, grid.volatility, grid.kappa_per_bps)  # fmt: skip


def test_examples_of_the_documentation_hold():
    assert doctest.testmod(kernel).failed == 0


@given(st.lists(st.integers(0, len(MARKET)), max_size=5))
@settings(max_examples=20, deadline=None)
def test_how_rows_are_cut_changes_nothing(cuts):
    """A recording is read in pieces of any size."""
    assert figures(play(cuts=cuts)) == WHOLE


WHOLE = figures(play())


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("model", ["risk_averse", "power", "log2"])
def test_the_kernel_does_what_plain_python_does(seed, model):
    """Every fill, order and cancel, on markets of quotes, level changes and trades."""
    rows = rows_of(feed(6_000, 100 + seed))
    changes = np.flatnonzero((rows["kind"] == LEVEL) & (rows["size"] > 0))[500::50]
    rows["flags"][changes] = 0  # some as quotes: what is better than them is gone
    rows["kind"][changes] = QUOTE
    number, latency = MODEL_NAMES.index(model), (0, 20, 150, 350)[seed % 4] * MS
    plain = reference.Grid(
        levels=4, lots=700, max_lots=7_000, latency_ns=latency, every_ns=100 * MS, model=number,
        exponent=2.0, spacing=1 + seed % 2, risk_aversion=0.3, maker_bps=0.0, window_secs=60.0,
    )  # fmt: skip

    grid = play(
        rows, levels=4, lots=700, max_lots=7_000, latency_ns=latency, queue_model=number,
        queue_exponent=2.0, spacing_ticks=1 + seed % 2, window_secs=60.0,
    )  # fmt: skip
    for row in rows:
        plain.play(row)

    assert sorted(grid.fills()) == sorted(plain.fills)
    assert (grid.orders, grid.cancels) == (plain.placed, plain.canceled)
    assert len(plain.fills) > 20


def test_money_is_what_the_fills_say():
    """Cash, fees and position come from one list."""
    grid = play(maker_bps=1.5)
    fills = grid.fills()

    cash = -sum(side * price * size for _, side, price, size in fills)
    fees = sum(int(np.floor(1e-4 * 1.5 * (size * price))) for _, _, price, size in fills)
    assert grid.position == sum(side * size for _, side, _, size in fills)
    assert grid.volume == sum(price * size for _, _, price, size in fills)
    assert grid.fees_usd == fees / 1e6
    held = grid.position * grid.mid_price if grid.position else 0.0
    assert grid.pnl_usd == (cash - fees + held) / 1e6


def test_every_fill_is_met_by_the_market():
    """A trade at or through the price at that very stamp, or the other side's level reaching it."""
    fills = play().fills()
    met = {}
    for row in MARKET:
        if row["kind"] == TRADE or row["size"] > 0:
            met.setdefault(int(row["exch_ns"]), []).append((-int(row["side"]), int(row["price"])))

    assert len(fills) > 100
    for stamp, side, price, _ in fills:
        assert any(s == side and s * (p - price) <= 0 for s, p in met[stamp])


def test_an_order_waits_behind_what_was_shown():
    """10 lots before us: the trade of 10 fills nothing, the next fills us by what it is."""
    step = np.zeros(6, ROW_DTYPE)
    step["exch_ns"] = [1, 1, 150 * MS, 250 * MS, 260 * MS, 270 * MS]
    step["kind"] = [LEVEL, LEVEL, LEVEL, TRADE, TRADE, TRADE]
    step["flags"] = [CHANGE, CHANGE, CHANGE, 0, 0, 0]
    step["side"] = [1, -1, -1, -1, -1, -1]
    step["price"] = [65_000, 65_001, 65_001, 65_000, 65_000, 65_000]
    step["size"] = [10, 50, 50, 10, 3, 1000]

    grid = play(step, levels=1, lots=5, max_lots=10, maker_bps=-2.0)

    assert [(side, price, size) for _, side, price, size in grid.fills()] == [
        (1, 65_000, 3), (1, 65_000, 2),
    ]  # fmt: skip


def test_nothing_fills_before_it_has_arrived():
    """Latency is between the decision and the book."""
    for latency_ms in (0, 20, 500):
        grid = play(latency_ns=latency_ms * MS)
        first = int(MARKET["exch_ns"][0])
        assert grid.fills()[0][0] > first - first % (100 * MS) + (100 + latency_ms) * MS
    assert len({len(play(latency_ns=ms * MS).fills()) for ms in (0, 20, 500)}) == 3


def test_without_latency_the_position_keeps_its_limit():
    """Room is for all that rests; only what is being cancelled may fill beyond it."""
    held = np.cumsum([side * size for _, side, _, size in play(latency_ns=0).fills()])

    assert np.abs(held).max() <= OPTIONS["max_lots"]


def test_the_queue_model_turns_something():
    """Risk-averse is the bound: all cancels are behind us."""
    filled = {
        model: sum(size for *_, size in play(queue_model=MODEL_NAMES.index(model)).fills())
        for model in ("risk_averse", "power", "log")
    }

    assert filled["risk_averse"] < filled["power"]
    assert len(set(filled.values())) == 3


@pytest.mark.parametrize(
    "options", [{"risk_aversion": 100.0}, {"spacing_ticks": 3}, {"levels": 1}, {"every_ns": 10**9},
                {"window_secs": 5.0}, {"maker_bps": 2.0}, {"max_lots": 5000}, {"lots": 500}]
)  # fmt: skip
def test_each_option_turns_something(options):
    assert figures(play(**options)) != WHOLE


def test_the_book_is_the_one_that_the_rows_tell():
    """Against dictionaries, at the end of each prefix."""
    books = {BID: {}, ASK: {}}
    grid = GridReplay(**OPTIONS)
    for start in range(0, 20_000, 500):
        piece = MARKET[start : start + 500].copy()
        grid.apply(Rows(piece))
        for row in piece[piece["kind"] == LEVEL]:
            books[int(row["side"])][int(row["price"])] = int(row["size"])
        best = [max(p for p, size in books[BID].items() if size),
                min(p for p, size in books[ASK].items() if size)]  # fmt: skip
        assert grid.mid_price == sum(best) / 2


@pytest.mark.parametrize("coin", ["BTC", "WLFI"])
def test_frames_and_quotes_of_a_recording_lead_to_its_own_touch(data_dir, coin):
    """Not only generated changes: any recording can be played."""
    recording = open_recordings(data_dir / "data" / "hyperliquid" / "2025-09-04")[coin]
    rows = recording.rows.array
    tick = int(np.gcd.reduce(rows["price"][rows["price"] > 0]))
    low, high = int(rows["price"].min()), int(rows["price"].max())
    grid = GridReplay(
        low_price=low, high_price=high, tick=tick, levels=5, lots=1000, max_lots=10_000
    )

    grid.apply(recording.rows)

    quotes = rows[rows["kind"] == QUOTE][-2:]
    last_book = rows[(rows["kind"] == LEVEL) & (rows["index"] == 0)][-2:]
    last = max(quotes, last_book, key=lambda pair: pair["exch_ns"][0])
    assert grid.mid_price == last["price"].sum() / 2
    assert grid.outside == 0
    assert grid.two_sided > 0.9 * grid.decisions


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"tick": 0}, "ticks apart"), ({"tick": 3}, "ticks apart"), ({"levels": 33}, "1 to 32"),
        ({"low_price": 0}, "prices"), ({"high_price": 1 << 40}, "more than"),
        ({"lots": 0}, "lots must"), ({"risk_aversion": float("nan")}, "risk_aversion"),
        ({"every_ns": 0}, "every_ns"), ({"queue_model": 6}, "queue model"),
        ({"spacing_ticks": 0}, "spacing_ticks"), ({"latency_ns": -1}, "latency_ns"),
    ],
)  # fmt: skip
def test_what_is_outside_its_domain_is_refused(options, words):
    with pytest.raises(ValueError, match=words):
        GridReplay(**(OPTIONS | options))


def test_rows_that_make_no_sense_do_no_harm():
    """Outside the window, between ticks, without a side, of size 0, out of time."""
    odd = MARKET[:400].copy()
    odd["price"][200::7] = -5
    odd["price"][201::7] = 10**9
    odd["side"][202::7] = 0
    odd["exch_ns"][203::7] = 0
    odd["size"][204::7] = -1

    grid = play(np.concatenate((odd, MARKET[400:5000])))

    assert grid.outside > 50
    assert grid.decisions > 0
