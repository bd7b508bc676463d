"""Write deploy/grafana/dashboard.json from the catalogue of metrics: one panel a topic."""

import json
from pathlib import Path

from hypermm.metrics import COUNTERS, GAUGES, LABELLED, CounterMetricFamily

PATH = Path(__file__).resolve().parent.parent / "deploy" / "grafana" / "dashboard.json"

# Panels: title, unit of Grafana, queries. `$asset` is chosen at the top of the page.
PANELS: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    ("P&L, USD", "currencyUSD", ("mm_daily_pnl", "mm_realized_pnl", "mm_unrealized_pnl",
                                 "mm_peak_pnl")),
    ("Drawdown", "percentunit", ("mm_drawdown_pct",)),
    ("Position", "short", ("mm_position", "mm_max_position", "-mm_max_position")),
    ("Inventory utilisation", "percentunit", ("mm_inventory_utilization",)),
    ("Price, USD", "short", ("mm_mid_price", "mm_fair_price")),
    ("Spread, bps", "short", ("mm_spread_bps", "mm_quoted_spread_bps")),
    ("Volatility, per root second", "short", ("mm_sigma", "mm_volatility_regime")),
    ("Kappa, per percent", "short", ("mm_kappa",)),
    ("Toxicity", "short", ("mm_jump_ratio", "mm_cascade_severity")),
    ("Adverse selection, bps", "short", ("mm_adverse_selection_bps", "mm_markout_bps")),
    ("Imbalance", "short", ("mm_book_imbalance", "mm_flow_imbalance")),
    ("Microprice, bps", "short", ("mm_microprice_deviation_bps",)),
    ("Learned coefficients", "short", ("mm_beta_book", "mm_beta_flow")),
    ("Funding and open interest", "short", ("mm_funding_rate_hourly", "mm_open_interest")),
    ("Orders a minute", "short", tuple(
        f"60 * rate({name}_total[1m])" for name in
        ("mm_orders_placed", "mm_orders_filled", "mm_orders_canceled", "mm_orders_refused",
         "mm_orders_denied", "mm_orders_unknown"))),
    ("Orders live, actions left", "short", ("mm_orders_live", "mm_action_budget_remaining")),
    ("Age of data, s", "s", ("mm_data_staleness_secs",)),
    ("Quote cycle, ms", "ms", (
        "mm_quote_cycle_latency_ms",
        "histogram_quantile(0.99, rate(mm_quote_cycle_duration_ms_bucket[1m]))",
        "histogram_quantile(0.99, rate(mm_step_duration_ms_bucket[1m]))")),
    ("Kill switch, disconnects", "short", ("mm_kill_switch_triggered",
                                           "increase(mm_disconnects_total[10m])")),
    ("Mode", "short", ("mm_mode",)),
    ("Warm-up, s to go", "s", ("mm_warmup_secs_to_go",)),
    ("Decisions a second", "short", ("rate(mm_decisions_total[1m])",)),
    ("Foreign fills, leverage", "short", ("mm_foreign_fills_total", "mm_leverage")),
    ("Gamma factors", "short", ("mm_gamma_factor", "mm_tail_risk_multiplier")),
    ("Figures over their limits", "percentunit", ("mm_risk_fraction",)),
    ("Age of channels, s", "s", ("mm_channel_age_secs",)),
    ("Bad data, differences found", "short", ("increase(mm_bad_data_total[10m])",
                                              "increase(mm_audit_differences_total[10m])")),
    ("Refusals by reason", "short", ("increase(mm_refusals_total[10m])",)),
    ("Process", "short", ("rate(process_cpu_seconds_total[1m])",
                          "process_resident_memory_bytes")),
)  # fmt: skip
WIDTH, HEIGHT, COLUMNS = 8, 7, 3
NO_ASSET = ("process_",)


def of_asset(query: str) -> str:
    """Put the selector of the chosen asset on every metric of a query."""
    labelled = {
        f"{name}_total" if kind is CounterMetricFamily else name for name, _, _, kind, _ in LABELLED
    }
    names = sorted({f"{name}_total" for name, _, _ in COUNTERS} | {n for n, _, _ in GAUGES}
                   | {"mm_quote_cycle_duration_ms_bucket", "mm_step_duration_ms_bucket",
                      "mm_quote_cycle_latency_ms", "mm_action_budget_remaining"} | labelled,
                   key=len, reverse=True)  # fmt: skip
    for name in names:
        if name in query:
            return query.replace(name, name + '{asset="$asset"}')
    if not any(word in query for word in NO_ASSET):
        raise ValueError(f"no metric of the catalogue in {query!r}")
    return query


def dashboard() -> dict[str, object]:
    """Return the dashboard as Grafana imports it."""
    source = {"type": "prometheus", "uid": "${source}"}
    panels = [
        {
            "id": number,
            "title": title,
            "type": "timeseries",
            "datasource": source,
            "gridPos": {
                "x": WIDTH * ((number - 1) % COLUMNS),
                "y": HEIGHT * ((number - 1) // COLUMNS),
                "w": WIDTH,
                "h": HEIGHT,
            },
            "fieldConfig": {"defaults": {"unit": unit}, "overrides": []},
            "targets": [
                {"refId": chr(65 + i), "expr": of_asset(query), "datasource": source}
                for i, query in enumerate(queries)
            ],
        }
        for number, (title, unit, queries) in enumerate(PANELS, 1)
    ]
    variables = [
        {"name": "source", "type": "datasource", "query": "prometheus", "label": "Source"},
        {
            "name": "asset",
            "type": "query",
            "label": "Asset",
            "datasource": source,
            "query": {"query": "label_values(mm_position, asset)", "refId": "asset"},
            "refresh": 2,
        },
    ]
    return {
        "uid": "hypermm",
        "title": "hypermm",
        "schemaVersion": 39,
        "refresh": "5s",
        "time": {"from": "now-30m", "to": "now"},
        "templating": {"list": variables},
        "panels": panels,
    }


def text() -> str:
    """Return the file's text."""
    return json.dumps(dashboard(), indent=1) + "\n"


if __name__ == "__main__":
    PATH.write_text(text())
    print(f"{PATH}: written")
