"""Candles of every interval, made from minutes."""

from collections import deque

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hypermm.sim.candles import INTERVALS_MS, Running, aggregate
from hypermm.sim.listing import Candle

TRADES = st.lists(
    st.tuples(st.integers(0, 400), st.integers(1, 99), st.integers(1, 9)), max_size=40
)


@given(TRADES, st.sampled_from(["1m", "5m", "1h", "1d", "1M"]))
def test_the_running_candle_is_the_last_of_all(trades, interval):
    """It is told with every trade, and must not drift from what a later request shows."""
    minutes, running, now_ms = deque(), Running(interval), 0
    for minutes_later, price, size in trades:
        now_ms += minutes_later // 40 * 60_000  # most trades fall into the minute before
        if not minutes or minutes[-1].start_ms != now_ms:
            minutes.append(Candle(now_ms, price, price, price, price, 0, 0))
        last = minutes[-1]
        last.close, last.high, last.low = price, max(last.high, price), min(last.low, price)
        last.volume, last.count = last.volume + size, last.count + 1

        assert running.read(minutes) == list(aggregate(minutes, interval))[-1]


def test_before_the_first_trade_there_is_no_candle():
    assert Running("1m").read(deque()) is None


@pytest.mark.parametrize("interval", INTERVALS_MS)
def test_an_interval_starts_at_a_multiple_of_its_length(interval):
    minutes = [Candle(1_700_000_040_000 + 60_000 * i, 5, 5, 5, 5, 1, 1) for i in range(3_000)]

    candles = list(aggregate(minutes, interval))

    assert sum(candle.volume for candle, _ in candles) == 3_000
    for candle, end_ms in candles:
        assert candle.start_ms % INTERVALS_MS[interval] == 0
        assert end_ms - candle.start_ms == INTERVALS_MS[interval]
