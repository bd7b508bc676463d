"""What a scrape shows is what the engine knew, in the operators' units."""

import math
import socket
import urllib.request

import pytest
from attrs import evolve

from hypermm.config import Config
from hypermm.engine import Engine
from hypermm.errors import ConfigError
from hypermm.instrument import Instrument
from hypermm.markouts import Markout
from hypermm.metrics import COUNTERS, GAUGES, Metrics
from hypermm.risk import Latch

BTC = Instrument(coin="BTC", asset_id=0, size_decimals=5)


@pytest.fixture
def metrics():
    """Metrics of an engine that has just been made."""
    engine = Engine(Config(), BTC, account="0x" + "11" * 20, session_start_secs=1)
    metrics = Metrics(BTC)
    metrics.show(engine.snapshot())
    return metrics


def test_every_metric_is_served_with_its_asset(metrics):
    """Dashboards and alerts find each name."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    stop = metrics.serve("127.0.0.1", port)

    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics") as answer:
            text = answer.read().decode()
    finally:
        stop()

    for name, _, _ in GAUGES:
        assert f'{name}{{asset="BTC"}}' in text
    for name, _, _ in COUNTERS:
        assert f'{name}_total{{asset="BTC"}}' in text


def test_each_figure_is_the_engines_in_the_operators_unit():
    """A wrong unit on a dashboard is a wrong decision at night."""
    engine = Engine(Config(), BTC, account="0x" + "11" * 20, session_start_secs=1)
    plain = engine.snapshot()
    known = evolve(
        plain,
        position=-250,
        position_limit=1000,
        bids=((1_000_000, 5),),
        asks=((1_001_000, 5),),
        latch=Latch(reason="test", at_exch_ns=1),
        ledger=evolve(
            plain.ledger,
            day_pnl_usd=-3.0,
            realised_usd=-2.0,
            unrealised_usd=-1.0,
            day_peak_usd=7.0,
            drawdown_fraction=0.02,
        ),
        estimates=evolve(
            plain.estimates,
            fair_price=1_000_500.0,
            volatility=1.5,
            kappa_per_bps=0.852,
            jump_ratio=1.2,
            spread_bps=8.5,
            age_secs=0.5,
        ),
        counters=evolve(plain.counters, orders_placed=9, buys=2, sells=1, disconnects=4),
        markouts=(Markout(5.0, 3, 0.8, 0.1, 0.8, 1.0, 0.2),),
    )
    metrics = Metrics(BTC)

    metrics.show(known)

    shown = {family.name: family.samples[0].value for family in metrics.collect()}
    expected = {
        "mm_position": -0.0025,
        "mm_max_position": 0.01,
        "mm_inventory_utilization": 0.25,
        "mm_daily_pnl": -3.0,
        "mm_realized_pnl": -2.0,
        "mm_unrealized_pnl": -1.0,
        "mm_peak_pnl": 7.0,
        "mm_drawdown_pct": 0.02,
        "mm_mid_price": 100_050.0,
        "mm_spread_bps": 8.5,
        "mm_quoted_spread_bps": 9.995,
        "mm_sigma": 0.00015,
        "mm_kappa": 85.2,
        "mm_jump_ratio": 1.2,
        "mm_adverse_selection_bps": 0.8,
        "mm_kill_switch_triggered": 1.0,
        "mm_data_staleness_secs": 0.5,
        "mm_orders_placed": 9.0,
        "mm_orders_filled": 3.0,
        "mm_orders_refused": 0.0,
        "mm_disconnects": 4.0,
    }
    assert shown == pytest.approx(expected, rel=1e-4)


def test_nothing_is_shown_before_there_is_something(metrics):
    """A figure that nobody measured is not a zero."""
    assert list(Metrics(BTC).collect()) == []
    shown = {family.name: family.samples[0].value for family in metrics.collect()}
    assert math.isnan(shown["mm_mid_price"])


def test_a_taken_port_is_a_clear_error(metrics):
    """The operator hears it at the start."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()

        with pytest.raises(ConfigError, match="cannot be opened: taken"):
            metrics.serve("127.0.0.1", taken.getsockname()[1])
