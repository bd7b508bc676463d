"""What a scrape shows is what the engine knew, in the operators' units."""

import math
import socket
import urllib.request

import pytest

from hypermm.config import Config
from hypermm.engine import Engine
from hypermm.errors import ConfigError
from hypermm.instrument import Instrument
from hypermm.metrics import COUNTERS, GAUGES, Metrics

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
