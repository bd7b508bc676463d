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
from hypermm.quoting import Caution
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
        caution=Caution(tail=1.5),
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
            mid=1_000_500.0,
            fair_price=1_000_500.0,
            microprice_deviation_bps=0.5,
            book_imbalance=0.15,
            flow_imbalance=-0.08,
            beta_book=0.003,
            beta_flow=0.002,
            volatility_regime=1,
            cascade_severity=0.15,
            funding_rate_hourly=1.25e-5,
            open_interest=30_000.0,
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

    metrics.cycles.observe(15.0)
    metrics.show(known, budget_remaining=9_000.0)

    shown = {f.name: f.samples[0].value for f in metrics.collect() if f.samples}
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
        "mm_fair_price": 100_050.0,
        "mm_microprice_deviation_bps": 0.5,
        "mm_book_imbalance": 0.15,
        "mm_flow_imbalance": -0.08,
        "mm_beta_book": 0.003,
        "mm_beta_flow": 0.002,
        "mm_volatility_regime": 1.0,
        "mm_cascade_severity": 0.15,
        "mm_tail_risk_multiplier": 1.5,
        "mm_funding_rate_hourly": 1.25e-5,
        "mm_open_interest": 30_000.0,
        "mm_orders_live": 0.0,
        "mm_leverage": 0.0,
        "mm_warmup_secs_to_go": math.inf,
        "mm_action_budget_remaining": 9_000.0,
        "mm_quote_cycle_latency_ms": 15.0,
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
        "mm_orders_canceled": 0.0,
        "mm_orders_denied": 0.0,
        "mm_orders_unknown": 0.0,
        "mm_foreign_fills": 0.0,
        "mm_decisions": 0.0,
        "mm_disconnects": 4.0,
    }
    assert {name: shown[name] for name in expected} == pytest.approx(expected, rel=1e-4)
    plain_names = {name for name, _, _ in (*GAUGES, *COUNTERS)}
    assert plain_names <= expected.keys(), "a metric whose unit nobody checks"


def test_latencies_are_counted_by_size():
    """A bucket holds everything up to its bound, the last one all."""
    metrics = Metrics(BTC)
    for ms in (0.01, 0.02, 0.3, 7.0, 9_999.0):
        metrics.steps.observe(ms)

    buckets = dict(metrics.steps.buckets())

    assert (buckets["0.02"], buckets["0.5"], buckets["10"]) == (2.0, 3.0, 4.0)
    assert buckets["500"] == 4.0
    assert buckets["+Inf"] == 5.0
    assert metrics.steps.sum_ms == pytest.approx(10_006.33)


def test_mode_markouts_and_refusals_have_labels(metrics):
    """Exactly one mode is 1; the reason is a label, not a name."""
    samples = [sample for family in metrics.collect() for sample in family.samples]

    modes = {s.labels["mode"]: s.value for s in samples if s.name == "mm_mode"}
    assert modes["syncing"] == 1.0
    assert sum(modes.values()) == 1.0
    factors = {s.labels["factor"]: s.value for s in samples if s.name == "mm_gamma_factor"}
    assert factors == dict.fromkeys(("volatility", "toxicity", "inventory", "tail"), 1.0)
    kinds = {s.labels["kind"]: s.value for s in samples if s.name == "mm_bad_data_total"}
    assert kinds
    assert not any(kinds.values())


def test_nothing_is_shown_before_there_is_something(metrics):
    """A figure that nobody measured is not a zero."""
    assert list(Metrics(BTC).collect()) == []
    shown = {f.name: f.samples[0].value for f in metrics.collect() if f.samples}
    assert math.isnan(shown["mm_mid_price"])


def test_a_taken_port_is_a_clear_error(metrics):
    """The operator hears it at the start."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()

        with pytest.raises(ConfigError, match="cannot be opened: taken"):
            metrics.serve("127.0.0.1", taken.getsockname()[1])
